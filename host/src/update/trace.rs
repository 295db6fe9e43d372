// SPDX-License-Identifier: Apache-2.0
//! What stood at the paths that a step changed, before it and after, put into its record.
//!
//! Never of a configuration file, of a file in which a secret stands, or of either under another name:
//! such content is `withheld`. The paths come from the step's process, which may have been taken over:
//! a path that is withheld is not even looked at, whatever was claimed about it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use cofferdam_package::glob::GlobSet;
use cofferdam_sandbox::Content;
use cofferdam_sandbox::StepRecord;
use cofferdam_sandbox::Touched;
use cofferdam_tree::contents;
use cofferdam_tree::stage::Changed;

use crate::failure::Failure;

/// Paths of whose content nothing is recorded, by what made them so.
#[derive(Debug)]
pub struct Withheld<'a> {
    /// No file grant opens these: config files and live files.
    pub hidden: &'a GlobSet,
    /// What any package calls a config file, and whatever a step moved from there or to there.
    pub named: &'a mut BTreeSet<String>,
}

impl Withheld<'_> {
    fn covers(&self, path: &str) -> bool {
        self.named.contains(path) || self.hidden.matches(path)
    }

    /// What was moved from a withheld path or to one is withheld at both, in this step and the next.
    fn follow_moves(&mut self, files: &[Touched]) {
        let mut ahead: Vec<&str> = files
            .iter()
            .map(|touched| touched.path.as_str())
            .filter(|path| self.covers(path))
            .collect();
        if ahead.is_empty() {
            return;
        }
        let mut moves: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for touched in files {
            for other in touched.renamed_to.iter().chain(&touched.renamed_from) {
                moves.entry(&touched.path).or_default().push(other);
                moves.entry(other).or_default().push(&touched.path);
            }
        }
        while let Some(path) = ahead.pop() {
            for other in moves.remove(path).unwrap_or_default() {
                self.named.insert(other.to_owned());
                ahead.push(other);
            }
        }
    }
}

/// Paths that were only denied or looked at, of which the records of one update have room.
pub const LOOKS: usize = 50_000;

/// Leaves out of a record what finds no room: looks first, then denials, and never a change. What is left
/// out is counted, and in the totals.
pub fn bound(record: &mut StepRecord, room: &mut usize) {
    let denied = |touched: &Touched| !touched.denied.is_empty();
    let mut left = [true, false].map(|class| {
        let unchanged = record.files.iter().filter(|touched| !touched.is_change());
        let kept = unchanged
            .filter(|touched| denied(touched) == class)
            .count()
            .min(*room);
        *room -= kept;
        kept
    });
    let before = record.files.len();
    record.files.retain(|touched| {
        let left = &mut left[usize::from(!denied(touched))];
        let kept = touched.is_change() || *left > 0;
        if !touched.is_change() && *left > 0 {
            *left -= 1;
        }
        kept
    });
    record.files.shrink_to_fit();
    record.files_not_listed += (before - record.files.len()) as u64;
}

/// Fills a record in; `look` answers for paths what stood there and what stands there now.
///
/// # Errors
/// What `look` answers.
pub fn fill(
    record: &mut StepRecord,
    mut withheld: Withheld<'_>,
    look: impl FnOnce(&[String]) -> Result<BTreeMap<&str, Changed>, Failure>,
) -> Result<(), Failure> {
    withheld.follow_moves(&record.files);
    let paths: Vec<String> = record
        .files
        .iter()
        .filter(|touched| touched.is_change() && !withheld.covers(&touched.path))
        .map(|touched| touched.path.clone())
        .collect();
    let mut changed = if paths.is_empty() {
        BTreeMap::new()
    } else {
        look(&paths)?
    };
    for touched in record
        .files
        .iter_mut()
        .filter(|touched| touched.is_change())
    {
        (touched.before, touched.after) = match changed.remove(touched.path.as_str()) {
            Some(changed) => (changed.before.map(told), changed.after.map(told)),
            None => (Some(Content::Withheld), Some(Content::Withheld)),
        };
    }
    record.sum_up();
    Ok(())
}

fn told(content: contents::Content) -> Content {
    match content {
        contents::Content::File { bytes, digest } => Content::File { bytes, digest },
        contents::Content::Directory => Content::Directory,
        contents::Content::Symlink(target) => Content::Symlink { target },
        contents::Content::Other => Content::Other,
        contents::Content::Withheld => Content::Withheld,
        contents::Content::Unknown => Content::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_package::digest::Digest;

    fn moved(from: &str, to: &str) -> [Touched; 2] {
        [
            Touched {
                path: from.to_owned(),
                renamed_to: Some(to.to_owned()),
                ..Touched::default()
            },
            Touched {
                path: to.to_owned(),
                renamed_from: Some(from.to_owned()),
                ..Touched::default()
            },
        ]
    }

    /// Answers for each path, and says which were asked for.
    fn looked(record: &mut StepRecord, named: &mut BTreeSet<String>) -> Vec<String> {
        let hidden = GlobSet::parse(&["conf/hidden".to_owned()]).unwrap();
        let withheld = Withheld {
            hidden: &hidden,
            named,
        };
        let mut asked = Vec::new();
        let file = contents::Content::File {
            bytes: 1,
            digest: Digest::of(b"x"),
        };
        fill(record, withheld, |paths| {
            asked = paths.to_vec();
            Ok(paths
                .iter()
                .map(|path| {
                    let changed = Changed {
                        before: None,
                        after: Some(file.clone()),
                    };
                    (path.as_str(), changed)
                })
                .collect())
        })
        .unwrap();
        asked
    }

    #[test]
    fn a_config_file_is_withheld_under_every_name_that_steps_give_it() {
        let mut named = BTreeSet::from(["conf/old".to_owned()]);
        let mut record = StepRecord {
            files: [moved("conf/old", "a"), moved("a", "b"), moved("x", "y")].concat(),
            ..StepRecord::default()
        };
        assert_eq!(looked(&mut record, &mut named), ["x", "y"]);
        let told: Vec<_> = record.files.iter().map(|touched| &touched.after).collect();
        assert_eq!(told[..4], [&Some(Content::Withheld); 4]);
        let mut next = StepRecord {
            files: moved("b", "c").to_vec(),
            ..StepRecord::default()
        };
        assert_eq!(looked(&mut next, &mut named), [""; 0]);
        assert!(named.contains("c"));
    }

    #[test]
    fn a_hidden_path_is_not_looked_at_whatever_is_claimed() {
        let mut record = StepRecord {
            files: moved("data/x", "conf/hidden").to_vec(),
            ..StepRecord::default()
        };
        assert_eq!(looked(&mut record, &mut BTreeSet::new()), [""; 0]);
    }

    #[test]
    fn of_many_steps_looks_and_denials_are_left_out_and_counted_and_changes_never() {
        let denied = Touched {
            path: "b".to_owned(),
            denied: [cofferdam_sandbox::Denied::Read].into(),
            ..Touched::default()
        };
        let looked = Touched {
            path: "a".to_owned(),
            read: true,
            ..Touched::default()
        };
        let changed = Touched {
            path: "c".to_owned(),
            created: true,
            ..Touched::default()
        };
        let kept = |room: &mut usize| {
            let mut record = StepRecord {
                files: vec![
                    looked.clone(),
                    looked.clone(),
                    denied.clone(),
                    changed.clone(),
                ],
                files_not_listed: 5,
                ..StepRecord::default()
            };
            record.sum_up();
            bound(&mut record, room);
            assert_eq!(record.totals.paths, 4);
            let paths = record.files.iter().map(|touched| touched.path.as_str());
            (paths.collect::<String>(), record.files_not_listed, *room)
        };
        assert_eq!(kept(&mut 4), ("aabc".to_owned(), 5, 1));
        assert_eq!(kept(&mut 2), ("abc".to_owned(), 6, 0));
        assert_eq!(kept(&mut 0), ("c".to_owned(), 8, 0));
    }

    #[test]
    fn what_was_only_read_or_denied_has_no_content_in_the_record() {
        let mut record = StepRecord {
            files: vec![Touched {
                path: "data/x".to_owned(),
                read: true,
                ..Touched::default()
            }],
            ..StepRecord::default()
        };
        assert_eq!(looked(&mut record, &mut BTreeSet::new()), [""; 0]);
        assert_eq!(record.files[0].after, None);
        assert_eq!((record.totals.paths, record.totals.read), (1, 1));
    }
}
