// SPDX-License-Identifier: Apache-2.0
//! The budgets for files: asked before anything is written or made.

use super::refusal::Outcome;
use super::refusal::Refusal;
use crate::limits::Limits;
use crate::step::Budget;
use std::collections::BTreeSet;

/// What a run may still write and make.
#[derive(Debug)]
pub(crate) struct Account {
    left_bytes: u64,
    left_files: u64,
    pub(crate) written_bytes: u64,
    pub(crate) read_bytes: u64,
    pub(crate) files: u64,
    /// The budgets of which more was asked than there is.
    pub(crate) spent: BTreeSet<Budget>,
}

impl Account {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            left_bytes: limits.written_bytes,
            left_files: limits.files,
            written_bytes: 0,
            read_bytes: 0,
            files: 0,
            spent: BTreeSet::new(),
        }
    }

    /// Takes bytes from the budget, all or none.
    pub(super) fn write(&mut self, bytes: u64) -> Outcome {
        match self.left_bytes.checked_sub(bytes) {
            Some(left) => {
                self.left_bytes = left;
                self.written_bytes += bytes;
                Ok(())
            }
            None => Err(self.overdraw(Budget::WrittenBytes)),
        }
    }

    /// Takes one new file, directory or symlink from the budget.
    pub(super) fn create(&mut self) -> Outcome {
        match self.left_files.checked_sub(1) {
            Some(left) => {
                self.left_files = left;
                self.files += 1;
                Ok(())
            }
            None => Err(self.overdraw(Budget::Files)),
        }
    }

    /// Notes that a budget is spent.
    pub(super) fn overdraw(&mut self, budget: Budget) -> Refusal {
        self.spent.insert(budget);
        Refusal::Spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_does_not_fit_takes_nothing() {
        let limits = Limits {
            written_bytes: 10,
            files: 1,
            ..Limits::default()
        };
        let mut account = Account::new(&limits);
        assert_eq!(account.write(8), Ok(()));
        assert_eq!(account.write(3), Err(Refusal::Spent));
        assert_eq!(account.write(2), Ok(()));
        assert_eq!(account.create(), Ok(()));
        assert_eq!(account.create(), Err(Refusal::Spent));
        assert_eq!(account.spent, [Budget::WrittenBytes, Budget::Files].into());
    }
}
