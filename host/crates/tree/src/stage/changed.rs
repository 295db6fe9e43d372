// SPDX-License-Identifier: Apache-2.0
//! What a step changed, before and after, found out when it has ended: so the step itself is not
//! slowed down, and only files that changed are read.
//!
//! What stood at a path before the first step is still to be seen: state was copied from the live
//! tree and stands there as it was, or its stamp tells that it does not; the digest of what this
//! stage put into the slot is known. What stood there before a later step is what an earlier one left.

use std::collections::BTreeMap;

use rustix::fs::FileType;

use crate::classify::Action;
use crate::contents;
use crate::contents::Content;
use crate::contents::Secrets;
use crate::contents::Seen;
use crate::error::TreeError;
use crate::name;
use crate::stage::Stage;
use crate::walk::FoundNode;
use crate::walk::Stamp;

/// What stood at a path before a step, and what stands there after it; nothing where nothing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Before.
    pub before: Option<Content>,
    /// After.
    pub after: Option<Content>,
}

/// How to learn what stood at a path before any step.
enum Origin {
    Nothing,
    Known(Content),
    /// As in the live tree, if that is still as it was when it was copied.
    Live(Copied),
}

/// What tells that the live tree still has what was copied from it.
enum Copied {
    /// The live object itself was looked at.
    From(Stamp),
    /// Its copy or link has its length and time.
    As(Stamp),
}

impl Copied {
    fn is_still(&self, live: &Stamp) -> bool {
        match self {
            Self::From(stamp) => stamp == live,
            Self::As(stamp) => (stamp.bytes, stamp.mtime) == (live.bytes, live.mtime),
        }
    }
}

impl Stage {
    /// What stood at these paths before the step that ended just now, and what stands there now. The
    /// paths are UTF-8 as the system has them; each path that a step changes is to be asked for once it
    /// has ended, before the next one runs.
    ///
    /// # Errors
    ///
    /// A failing call.
    pub fn changed<'p>(
        &mut self,
        paths: impl IntoIterator<Item = &'p str>,
        secrets: &Secrets,
    ) -> Result<BTreeMap<&'p str, Changed>, TreeError> {
        let named: Vec<(&str, String)> = paths
            .into_iter()
            .map(|path| (path, contents::escaped(path)))
            .collect();
        let mut texts: Vec<String> = named.iter().map(|(_, text)| text.clone()).collect();
        texts.retain(|text| name::is_path(text) && !self.live_patterns.matches(text));
        let mut before = self.before(&texts, secrets)?;
        let after = contents::look(&self.slot, texts, &self.left, secrets)?;
        let content = |seen: &Option<Seen>| seen.as_ref().map(|seen| seen.content.clone());
        let mut changed = BTreeMap::new();
        for (path, text) in named {
            let told = match after.get(&text) {
                Some(seen) => Changed {
                    before: before.remove(&text).flatten(),
                    after: content(seen),
                },
                None => Changed {
                    before: Some(Content::Unknown),
                    after: Some(Content::Unknown),
                },
            };
            changed.insert(path, told);
        }
        self.left.extend(after);
        Ok(changed)
    }

    /// Forgets what earlier steps left where something else stands now. A directory is one whatever
    /// was put into it.
    pub(super) fn forget_replaced(&mut self) -> Result<(), TreeError> {
        let mut kept = BTreeMap::new();
        for (path, left) in std::mem::take(&mut self.left) {
            let now = self.look(&path)?;
            let same = match (&left, &now) {
                (None, None) => true,
                (Some(left), Some(now)) => {
                    left.stamp == now.stamp
                        || (left.content == Content::Directory
                            && now.file_type == FileType::Directory)
                }
                (Some(_), None) | (None, Some(_)) => false,
            };
            if same {
                kept.insert(path, left);
            }
        }
        self.left = kept;
        Ok(())
    }

    fn before(
        &self,
        paths: &[String],
        secrets: &Secrets,
    ) -> Result<BTreeMap<String, Option<Content>>, TreeError> {
        let mut before = BTreeMap::new();
        let mut live = BTreeMap::new();
        for path in paths {
            let content = match self.left.get(path) {
                Some(left) => left.as_ref().map(|seen| seen.content.clone()),
                None => match self.origin(path)? {
                    Origin::Nothing => None,
                    Origin::Known(content) => Some(content),
                    Origin::Live(copied) => {
                        live.insert(path.clone(), copied);
                        continue;
                    }
                },
            };
            before.insert(path.clone(), content);
        }
        let paths = live.keys().cloned().collect();
        let mut seen = contents::look(&self.live, paths, &BTreeMap::new(), secrets)?;
        for (path, copied) in live {
            let seen = seen.remove(&path).flatten();
            let same = seen.filter(|seen| copied.is_still(&seen.stamp));
            let content = same.map_or(Content::Unknown, |seen| seen.content);
            before.insert(path, Some(content));
        }
        Ok(before)
    }

    fn origin(&self, path: &str) -> Result<Origin, TreeError> {
        let action = self.classified.actions.get(path);
        let stands = self.placed || matches!(action, Some(Action::Link { .. }));
        if stands && let Some(known) = self.known.get(path) {
            return Ok(Origin::Known(Content::File {
                bytes: known.stamp.bytes,
                digest: known.digest,
            }));
        }
        if let Some(stamp) = self.kept.get(path) {
            return Ok(Origin::Live(Copied::As(*stamp)));
        }
        if let Some(carried) = self.carried.get(path) {
            let found = self.witness.found(path);
            return Ok(match (carried, found) {
                (None, _) => Origin::Known(Content::Directory),
                (Some(_), Some((FoundNode::Symlink(target), _))) => {
                    Origin::Known(Content::Symlink(target.clone()))
                }
                (Some(_), Some((_, stamp))) => Origin::Live(Copied::From(*stamp)),
                (Some(stamp), None) => Origin::Live(Copied::As(*stamp)),
            });
        }
        Ok(match action {
            Some(Action::Symlink { target }) if self.placed => {
                Origin::Known(Content::Symlink(target.clone()))
            }
            Some(Action::Directory { .. }) => Origin::Known(Content::Directory),
            _ if !self.placed && self.live.find_directory(path)?.is_some() => {
                Origin::Known(Content::Directory)
            }
            _ => Origin::Nothing,
        })
    }
}
