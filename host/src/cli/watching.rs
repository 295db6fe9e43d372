// SPDX-License-Identifier: Apache-2.0
//! Shows a running update on the screen.

use crate::cli::reply::Screen;
use crate::watch::Watch;

/// A [`Watch`] that draws progress on a terminal and prints steps' lines to standard error.
#[derive(Debug)]
pub(super) struct OnScreen<'a> {
    screen: &'a Screen,
    stage: &'static str,
}

impl<'a> OnScreen<'a> {
    /// Shows on this screen.
    pub(super) fn new(screen: &'a Screen) -> Self {
        Self { screen, stage: "" }
    }
}

impl Watch for OnScreen<'_> {
    fn stage(&mut self, name: &'static str) {
        self.stage = name;
        self.screen.progress(name, 0, 0);
    }

    fn progress(&mut self, what: &str, done: u64, total: u64) {
        self.screen
            .progress(&format!("{}: {what}", self.stage), done, total);
    }

    fn log(&mut self, step: &str, level: &str, line: &str) {
        self.screen.note(&format!("{step} {level}"), line);
    }

    fn note(&mut self, text: &str) {
        self.screen.note("note", text);
    }
}
