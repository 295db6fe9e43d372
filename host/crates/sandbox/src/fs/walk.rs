// SPDX-License-Identifier: Apache-2.0
//! The walk along a path that has a `..` or a link on it: name by name, each directory judged before it is
//! looked at, a link's target put in the place of its name.

use super::Files;
use super::judge::split;
use super::refusal::Outcome;
use super::refusal::Refusal;
use super::resolve::Place;
use super::resolve::read_link;
use crate::limits::PATH_BYTES;
use std::collections::VecDeque;

/// Links that one path may lead through; the kernel's own number.
const LINKS: usize = 40;

/// How far a walk has come.
#[derive(Debug)]
pub(super) struct Walk {
    /// The names behind, without links: the path that the next name is looked up in.
    done: Vec<String>,
    ahead: VecDeque<String>,
    links: usize,
    /// The path as it was asked for, while nothing but names was on the way.
    asked: Option<String>,
    /// Where the walk was lost if the first link that the step may not read were not there: no error may
    /// tell that it is, nor where it leads.
    pub(super) blind: Option<String>,
}

impl Walk {
    /// A walk from the directory `base` along these names, which together are `asked` unless there is a `..`
    /// among them.
    pub(super) fn from(base: &str, names: &[&str], asked: &str) -> Self {
        Self {
            done: base
                .split('/')
                .filter(|n| !n.is_empty())
                .map(Into::into)
                .collect(),
            ahead: names.iter().map(|name| (*name).to_owned()).collect(),
            links: 0,
            asked: (!names.contains(&"..")).then(|| asked.to_owned()),
            blind: None,
        }
    }

    pub(super) fn path(&self) -> String {
        self.done.join("/")
    }

    /// Goes on over a link that the step may not read.
    fn go_blind(&mut self) {
        if self.blind.is_some() {
            return;
        }
        let lost = match (&self.asked, self.ahead.front()) {
            (Some(asked), _) => asked.clone(),
            (None, Some(next)) if next != ".." => format!("{}/{next}", self.path()),
            (None, _) => self.path(),
        };
        self.blind = Some(lost);
    }

    /// Puts a link's target in the place of its name.
    fn turn(&mut self, target: &str) -> Outcome {
        self.links += 1;
        self.asked = None;
        if self.links > LINKS || target.len() > PATH_BYTES {
            return Err(Refusal::LOOP);
        }
        if target.starts_with('/') {
            return Err(Refusal::NotPermitted);
        }
        self.done.pop();
        for part in target.rsplit('/').filter(|n| !n.is_empty() && *n != ".") {
            self.ahead.push_front(part.to_owned());
        }
        Ok(())
    }
}

impl Files {
    /// Walks to the end; after an error, `walk` stands at the path that the error is about.
    pub(super) fn walk(&self, walk: &mut Walk, follow: bool) -> Outcome<Place> {
        while let Some(name) = walk.ahead.pop_front() {
            if name == ".." {
                // What is left has to be a directory, as for the kernel.
                let left = walk.path();
                self.enter(&left)?;
                self.root.directory(&left)?;
                walk.done.pop().ok_or(Refusal::NotPermitted)?;
                continue;
            }
            walk.done.push(name);
            let path = walk.path();
            self.enter(split(&path).0)?;
            let place = self.root.place(path)?;
            let is_last = walk.ahead.is_empty();
            if is_last && !follow {
                return Ok(place);
            }
            let target = read_link(&place);
            if !matches!(target, Ok(None)) && !self.may_read(&place.path) {
                walk.go_blind();
            }
            match target? {
                None if is_last => return Ok(place),
                None => {}
                Some(_) if self.is_hidden(&place.path) => return Err(Refusal::NotGranted),
                Some(target) => walk.turn(&target)?,
            }
        }
        // The path ends in a directory that `..` or a link led to.
        let path = walk.path();
        self.enter(&path)?;
        self.root.place(path)
    }

    /// May the way lead through this directory? Asked before anybody looks whether it is there.
    fn enter(&self, directory: &str) -> Outcome {
        if self.may_see_directory(directory) {
            Ok(())
        } else {
            Err(Refusal::NotGranted)
        }
    }
}
