// SPDX-License-Identifier: Apache-2.0
//! What the commands of a scenario do to the disk when nobody disturbs them, as a log.

use std::process::Stdio;

use super::Stand;
use super::Violation;
use crate::filter::Openings;
use crate::machine::Threads;
use crate::mutants::LIST_STEPS;
use crate::oplog::Log;
use crate::recorder::Recording;
use crate::tracer::Ended;

impl Stand<'_> {
    /// The log of an undisturbed run at this place, made once, of the product as it is shipped.
    ///
    /// # Errors
    /// See [`Self::log`]; the product has switches, which only a binary for mutants may have.
    pub fn logged(&self) -> Result<&Log, Violation> {
        if let Some(log) = self.logged.get() {
            return Ok(log);
        }
        let list = self.output.join("steps");
        let log = self.log(Some((LIST_STEPS, &list.display().to_string())))?;
        if list.exists() {
            return Err(Violation("the product has switches for tests".to_owned()));
        }
        Ok(self.logged.get_or_init(|| log))
    }

    /// Runs the commands undisturbed, with a log of what they do to the disk, which must be without a
    /// gap; perhaps with a switch of a binary that has some (see [`crate::mutants`]).
    ///
    /// # Errors
    /// A command does not end as it should, or does something that the tracer does not see.
    pub fn log(&self, switch: Option<(&str, &str)>) -> Result<Log, Violation> {
        self.reset()?;
        let roots = self.machine.roots();
        let watched = self.watched(&roots, Openings::Changing);
        let mut recording = Recording::begin(&watched, &self.machine.install())?;
        for act in &self.acts {
            let mut command = self.machine.command(&act.step.arguments, Threads::One);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.envs(switch);
            let ended = recording.run(&mut command)?;
            if ended != Ended::Exit(act.step.exit) {
                let words = act.step.arguments.join(" ");
                return Err(Violation(format!("`{words}` ended with {ended:?}")));
            }
        }
        let log = recording.finish()?;
        let mut gaps = log.gaps();
        if !log.is_complete() {
            gaps.push("a file is mapped and written to".to_owned());
        }
        if gaps.is_empty() {
            Ok(log)
        } else {
            Err(Violation(format!("the log: {}", gaps.join("; "))))
        }
    }
}
