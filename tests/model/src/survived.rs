// SPDX-License-Identifier: Apache-2.0
//! What an install has survived: counts for the report.

use std::collections::BTreeMap;
use std::fmt;

use cofferdam_crash::journal::Stage;

use crate::program::Ran;

/// Counts by kind.
#[derive(Clone, Debug, Default)]
pub struct Survived {
    sequences: u64,
    actions: u64,
    ran: BTreeMap<(&'static str, String), u64>,
    filled: BTreeMap<(&'static str, String), u64>,
    killed: BTreeMap<(&'static str, Stage), u64>,
    happened: BTreeMap<&'static str, u64>,
    records: usize,
    starts: u64,
    lines: usize,
}

impl Survived {
    pub(crate) fn sequence(&mut self) {
        self.sequences += 1;
    }

    pub(crate) fn ran(&mut self, command: &'static str, end: &str) {
        self.actions += 1;
        *self.ran.entry((command, end.to_owned())).or_default() += 1;
    }

    pub(crate) fn filled(&mut self, command: &'static str, end: &str) {
        self.actions += 1;
        *self.filled.entry((command, end.to_owned())).or_default() += 1;
    }

    pub(crate) fn killed(&mut self, command: &'static str, stage: Stage) {
        self.actions += 1;
        *self.killed.entry((command, stage)).or_default() += 1;
    }

    pub(crate) fn happened(&mut self, accident: &'static str) {
        self.actions += 1;
        *self.happened.entry(accident).or_default() += 1;
    }

    pub(crate) fn program(&mut self, ran: &Ran) {
        self.starts += ran.starts;
        self.lines += ran.lines;
    }

    /// The history has so many records now.
    ///
    /// # Errors
    /// It had more.
    pub(crate) fn note_history(&mut self, records: usize) -> Result<(), String> {
        if records < self.records {
            let had = self.records;
            return Err(format!(
                "invariant_the_history_only_grows: {records} records, there were {had}"
            ));
        }
        self.records = records;
        Ok(())
    }

    /// Adds what another install survived.
    pub fn add(&mut self, other: &Self) {
        fn add<K: Ord + Clone>(to: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
            for (key, count) in from {
                *to.entry(key.clone()).or_default() += count;
            }
        }
        self.sequences += other.sequences;
        self.actions += other.actions;
        self.records += other.records;
        self.starts += other.starts;
        self.lines += other.lines;
        add(&mut self.ran, &other.ran);
        add(&mut self.filled, &other.filled);
        add(&mut self.killed, &other.killed);
        add(&mut self.happened, &other.happened);
    }
}

impl fmt::Display for Survived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kills: u64 = self.killed.values().sum();
        writeln!(
            f,
            "{} installs, {} actions, {kills} kills, {} records of history",
            self.sequences, self.actions, self.records
        )?;
        if self.starts > 0 {
            let (starts, lines) = (self.starts, self.lines);
            writeln!(
                f,
                "  the program was started {starts} times and wrote {lines} lines"
            )?;
        }
        for ((command, end), count) in &self.ran {
            writeln!(f, "  {count:6}  {command}: {end}")?;
        }
        for ((command, end), count) in &self.filled {
            writeln!(f, "  {count:6}  {command} on a full disk: {end}")?;
        }
        for ((command, stage), count) in &self.killed {
            writeln!(f, "  {count:6}  {command} killed while {stage}")?;
        }
        for (accident, count) in &self.happened {
            writeln!(f, "  {count:6}  {accident}")?;
        }
        Ok(())
    }
}
