// SPDX-License-Identifier: Apache-2.0
//! How long the stages of an update take, by the monotonic clock.

use std::time::Instant;

use crate::update::report::Stage;

/// Names the stages one after the other; each lasts until the next begins.
#[derive(Debug)]
pub struct Stopwatch {
    stages: Vec<Stage>,
    current: Option<(&'static str, Instant)>,
}

impl Stopwatch {
    /// A stopwatch that has not been started.
    pub fn new() -> Self {
        Self {
            stages: Vec::new(),
            current: None,
        }
    }

    /// Ends the current stage and begins the named one.
    pub fn begin(&mut self, name: &'static str) {
        self.end();
        self.current = Some((name, Instant::now()));
    }

    /// Ends the current stage.
    pub fn end(&mut self) {
        if let Some((name, since)) = self.current.take() {
            self.stages.push(Stage {
                name,
                seconds: since.elapsed().as_secs_f64(),
            });
        }
    }

    /// The stages so far.
    pub fn into_stages(mut self) -> Vec<Stage> {
        self.end();
        self.stages
    }
}

impl Default for Stopwatch {
    fn default() -> Self {
        Self::new()
    }
}
