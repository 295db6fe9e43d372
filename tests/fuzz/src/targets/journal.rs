// SPDX-License-Identifier: Apache-2.0
//! The journal, `transaction.json`: as it is found, and a journal alone put into its envelope, so that an
//! input need not guess a checksum. For what is accepted, recovery has an answer to everything that could
//! stand on the disk.

use arbitrary::Unstructured;
use cofferdam_install::CODES;
use cofferdam_install::Journal;
use cofferdam_install::journal::TxState;
use cofferdam_install::journal::codec;
use cofferdam_install::journal::recovery;
use cofferdam_install::journal::recovery::ConfigFound;
use cofferdam_install::journal::recovery::LiveIs;
use cofferdam_install::journal::recovery::Observed;
use cofferdam_install::journal::recovery::Recovery;
use cofferdam_install::journal::recovery::TargetFound;
use cofferdam_install::layout::InodeId;

use crate::check::input;
use crate::check::known;
use crate::text;

/// Takes the bytes of a journal, with its envelope or without.
pub fn target(data: &[u8]) {
    let data = input(data, draw);
    match codec::decode(&data) {
        Err(error) => known(error.code(), CODES),
        Ok(journal) => {
            assert_eq!(codec::encode(&journal), data, "one journal, one spelling");
            recovered(&journal);
        }
    }
    if let Ok(journal) = serde_json::from_slice::<Journal>(&data) {
        match codec::decode(&codec::encode(&journal)) {
            Err(error) => known(error.code(), CODES),
            Ok(again) => {
                assert_eq!(again, journal);
                recovered(&journal);
            }
        }
    }
}

/// Asks recovery about every combination of trees and config files that it can meet.
fn recovered(journal: &Journal) {
    let Some(transaction) = &journal.transaction else {
        return;
    };
    let mut inodes: Vec<Option<InodeId>> = vec![None];
    let mut configs = 0;
    match &transaction.state {
        TxState::Building {} | TxState::Stopped {} => {}
        TxState::Moving { tree } => inodes.push(Some(*tree)),
        TxState::Committing {
            old,
            new,
            new_born_ns: _,
            configs: swaps,
            at_unix_s: _,
        } => {
            inodes.extend([Some(*old), Some(*new)]);
            configs = swaps.len();
        }
    }
    let founds = [TargetFound::Old, TargetFound::New, TargetFound::Neither]
        .into_iter()
        .flat_map(|target| [true, false].map(|waiting| ConfigFound { target, waiting }));
    for found in founds {
        for &live in &inodes {
            for &slot in &inodes {
                for &target in &inodes {
                    let observed = Observed {
                        live,
                        live_is: LiveIs::Recorded,
                        slot,
                        target,
                        configs: vec![found; configs],
                    };
                    let answer = recovery::decide(journal, &observed);
                    assert_eq!(
                        recovery::decide(journal, &observed),
                        answer,
                        "it is a function"
                    );
                    if live.is_none() {
                        assert!(matches!(answer, Recovery::NeedsPerson(_)), "{answer:?}");
                    }
                }
            }
        }
    }
}

fn draw(u: &mut Unstructured<'_>) -> Vec<u8> {
    let seeds = [
        include_str!("../../corpus/journal/idle.json"),
        include_str!("../../corpus/journal/building.json"),
        include_str!("../../corpus/journal/moving.json"),
        include_str!("../../corpus/journal/committing.json"),
        include_str!("../../corpus/journal/condemning.json"),
    ];
    text::json(u, &seeds)
}
