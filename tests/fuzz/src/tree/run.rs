// SPDX-License-Identifier: Apache-2.0
//! Makes the calls of a plan, one after the other.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::fs::File;
use std::fs::Metadata;
use std::path::PathBuf;

use cofferdam_sandbox::Limits;
use cofferdam_sandbox::Touched;
use cofferdam_sandbox::driven::Answer;
use cofferdam_sandbox::driven::Driven;
use cofferdam_sandbox::driven::Facts;
use cofferdam_sandbox::driven::Handle;
use cofferdam_sandbox::driven::Open;

use super::aftermath;
use super::foresee::Foreseen;
use super::foresee::Foresight;
use super::plan::At;
use super::plan::Call;
use super::rules::Rules;
use super::world::Snapshot;
use super::world::World;

/// Few, so that a plan can use them up.
const WRITTEN_BYTES: u64 = 1_000;

/// More than a plan can make.
const FILES: u64 = 1_000;

/// Where the times of files go.
const TOUCHED_AT_UNIX_S: u64 = 1_000_000_000;

/// A step at work in a world.
pub(crate) struct Run<'a> {
    world: &'a World,
    root: PathBuf,
    rules: &'a Rules,
    driven: Driven,
    held: Vec<Held>,
    /// How often each call succeeded.
    pub(crate) done: BTreeMap<&'static str, u32>,
}

/// A handle of the step, and where it is said to be.
#[derive(Debug, Clone)]
struct Held {
    handle: Handle,
    path: String,
    is_directory: bool,
}

impl Held {
    /// Where paths from it begin, if any do.
    fn base(&self) -> Option<&str> {
        self.is_directory.then_some(&self.path)
    }
}

impl<'a> Run<'a> {
    pub(crate) fn new(world: &'a World, rules: &'a Rules) -> Self {
        let root = world.root();
        let tree = File::open(&root).expect("the tree can be opened");
        let limits = Limits {
            written_bytes: WRITTEN_BYTES,
            files: FILES,
            ..Limits::default()
        };
        let (grants, may_write) = rules.grants();
        let mut driven =
            Driven::new(&tree, &grants, &limits, may_write).expect("Linux has openat2");
        let handle = driven.root().expect("a first handle");
        let held = Held {
            handle,
            path: String::new(),
            is_directory: true,
        };
        Self {
            world,
            root,
            rules,
            driven,
            held: vec![held],
            done: BTreeMap::new(),
        }
    }

    /// Makes the calls, and checks each answer and what each did.
    pub(crate) fn checked(&mut self, calls: &[Call]) {
        let mut before = self.world.tree();
        let (first, outside) = (before.clone(), self.world.outside());
        for call in calls {
            let done = self.foreseen(call);
            let after = self.world.tree();
            if done {
                *self.done.entry(call.word()).or_default() += 1;
                aftermath::assert_allowed(&before, &after, self.rules);
            } else {
                assert_same(&before, &after);
            }
            before = after;
        }
        assert_same(&self.world.outside(), &outside);
        let touched = self.finish();
        aftermath::assert_recorded(&first, &before, &touched);
    }

    fn finish(&mut self) -> Vec<Touched> {
        let tree = File::open(&self.root).expect("the tree can be opened");
        let (grants, may_write) = self.rules.grants();
        let next = Driven::new(&tree, &grants, &Limits::default(), may_write);
        let driven = std::mem::replace(&mut self.driven, next.expect("Linux has openat2"));
        let (touched, unlisted, written_bytes, files) = driven.finish();
        assert!(unlisted == 0 && written_bytes <= WRITTEN_BYTES && files <= FILES);
        touched
    }

    fn held(&self, number: usize) -> Held {
        self.held[number % self.held.len()].clone()
    }

    /// Makes a call whose answer is foreseen; whether it succeeded.
    fn foreseen(&mut self, call: &Call) -> bool {
        let root = self.root.clone();
        let sight = Foresight {
            root: &root,
            rules: self.rules,
        };
        let of = |run: &Self, at: &At| (run.held(at.handle), at.path.clone());
        match call {
            Call::Open(at, how) => {
                let (base, path) = of(self, at);
                let foreseen = sight.open((base.base(), &path), *how);
                let content = match &foreseen {
                    Foreseen::Success(place) if how.read && !how.truncate => {
                        fs::read(root.join(place)).ok()
                    }
                    _ => None,
                };
                let opened = self.open(at, *how);
                let place = foreseen_or(
                    foreseen,
                    opened
                        .as_ref()
                        .map(|held| held.path.clone())
                        .map_err(|e| *e),
                );
                if let (Some(_), Ok(held), Some(content)) = (place, &opened, content) {
                    let read = self.driven.read(held.handle, 1 << 16, 0);
                    assert_eq!(read.as_ref(), Ok(&content), "another file was opened");
                }
                opened.is_ok()
            }
            Call::List(number) => {
                let held = self.held(*number);
                let answer = self.driven.list(held.handle);
                match (self.driven.stat(held.handle), sight.list(&held.path)) {
                    (
                        Ok(Facts {
                            kind: "directory", ..
                        }),
                        Some(shown),
                    ) => assert_eq!(answer.as_ref(), Ok(&shown)),
                    _ => assert!(answer.is_err(), "{answer:?}"),
                }
                answer.is_ok()
            }
            Call::StatAt(at, follow) => {
                let (base, path) = of(self, at);
                let foreseen = sight.look((base.base(), &path), *follow);
                let answer = self
                    .driven
                    .stat_at(self.held(at.handle).handle, &path, *follow);
                let hash = self
                    .driven
                    .hash_at(self.held(at.handle).handle, &path, *follow);
                assert_eq!(hash.is_ok(), answer.is_ok());
                foreseen_or(foreseen, answer).is_some()
            }
            Call::ReadLink(at) => {
                let (base, path) = of(self, at);
                let foreseen = sight.read_link((base.base(), &path));
                let answer = self.driven.read_link(self.held(at.handle).handle, &path);
                foreseen_or(foreseen, answer).is_some()
            }
            Call::TouchAt(at, follow) => {
                let (base, path) = of(self, at);
                let foreseen = sight.touch((base.base(), &path), *follow);
                foreseen_or(foreseen, self.make(call)).is_some()
            }
            Call::MakeDirectory(at) => {
                let (base, path) = of(self, at);
                let foreseen = sight.make_directory((base.base(), &path));
                foreseen_or(foreseen, self.make(call)).is_some()
            }
            Call::RemoveDirectory(at) => {
                let (base, path) = of(self, at);
                let foreseen = sight.remove_directory((base.base(), &path));
                foreseen_or(foreseen, self.make(call)).is_some()
            }
            Call::Remove(at) => {
                let (base, path) = of(self, at);
                let foreseen = sight.remove((base.base(), &path));
                foreseen_or(foreseen, self.make(call)).is_some()
            }
            Call::Link(at, target) => {
                let (base, path) = of(self, at);
                let foreseen = sight.link((base.base(), &path), target);
                foreseen_or(foreseen, self.make(call)).is_some()
            }
            Call::HardLink(..) => {
                assert!(self.make(call).is_err(), "no step makes hard links");
                false
            }
            Call::Rename(from, to) => {
                let places = [from, to].map(|at| {
                    let (base, path) = of(self, at);
                    super::walk::walk(&root, self.rules, base.base(), &path, false)
                });
                let answer = self.make(call);
                if answer.is_ok() {
                    self.moved(&places);
                }
                answer.is_ok()
            }
            _ => self.make(call).is_ok(),
        }
    }

    /// A move was made: both ends lead somewhere, and handles below the one are now below the other.
    fn moved(&mut self, places: &[Result<String, super::walk::Lost>; 2]) {
        let [Ok(from), Ok(to)] = places else {
            assert!(
                places.contains(&Err(super::walk::Lost::TooLong)),
                "moved from or to nowhere"
            );
            return;
        };
        for held in &mut self.held {
            if let Some(rest) = held.path.strip_prefix(from.as_str())
                && (rest.is_empty() || rest.starts_with('/'))
            {
                held.path = format!("{to}{rest}");
            }
        }
    }

    fn open(&mut self, at: &At, how: Open) -> Answer<Held> {
        let base = self.held(at.handle);
        let sight = Foresight {
            root: &self.root,
            rules: self.rules,
        };
        let place = sight.open((base.base(), &at.path), how);
        let handle = self.driven.open(base.handle, &at.path, how)?;
        let path = match place {
            Foreseen::Success(place) => place,
            Foreseen::Refusal | Foreseen::Either => String::new(),
        };
        let is_directory = self.driven.stat(handle)?.kind == "directory";
        let held = Held {
            handle,
            path,
            is_directory,
        };
        self.held.push(held.clone());
        Ok(held)
    }

    /// Makes a call, and says what it answered.
    pub(crate) fn answer(&mut self, call: &Call) -> String {
        let at = |run: &Self, at: &At| run.held(at.handle).handle;
        match call {
            Call::Open(place, how) => format!("{:?}", self.open(place, *how).map(drop)),
            Call::Get(number) => {
                let file = self.held(*number).handle;
                format!("{:?}", self.driven.stream_in(file, 64, 0))
            }
            Call::List(number) => format!("{:?}", self.driven.list(self.held(*number).handle)),
            Call::Stat(number) => format!("{:?}", self.driven.stat(self.held(*number).handle)),
            Call::StatAt(place, follow) => {
                format!(
                    "{:?}",
                    self.driven.stat_at(at(self, place), &place.path, *follow)
                )
            }
            Call::ReadLink(place) => {
                let target = self.driven.read_link(at(self, place), &place.path);
                // An absolute link names the world that it lies in.
                let place = self.world.place().display().to_string();
                format!("{target:?}").replace(&place, "")
            }
            _ => format!("{:?}", self.make(call)),
        }
    }

    fn make(&mut self, call: &Call) -> Answer {
        let at = |run: &Self, at: &At| run.held(at.handle).handle;
        match call {
            Call::Open(place, how) => self.open(place, *how).map(drop),
            Call::Close(number) => {
                // The root stays.
                if self.held.len() > 1 {
                    let number = 1 + number % (self.held.len() - 1);
                    self.driven.close(self.held.swap_remove(number).handle)?;
                }
                Ok(())
            }
            Call::Get(number) => {
                let file = self.held(*number).handle;
                self.driven.stream_in(file, 64, 0).map(drop)
            }
            Call::Put(number, offset) => {
                let file = self.held(*number).handle;
                self.driven.write(file, b"written", *offset).map(drop)
            }
            Call::Append(number) => {
                let file = self.held(*number).handle;
                self.driven.stream_out(file, b"appended", None)
            }
            Call::Cut(number, bytes) => self.driven.set_size(self.held(*number).handle, *bytes),
            Call::List(number) => self.driven.list(self.held(*number).handle).map(drop),
            Call::Stat(number) => self.driven.stat(self.held(*number).handle).map(drop),
            Call::Touch(number) => self
                .driven
                .set_times(self.held(*number).handle, TOUCHED_AT_UNIX_S),
            Call::StatAt(place, follow) => self
                .driven
                .stat_at(at(self, place), &place.path, *follow)
                .map(drop),
            Call::TouchAt(place, follow) => {
                self.driven
                    .set_times_at(at(self, place), &place.path, *follow, TOUCHED_AT_UNIX_S)
            }
            Call::ReadLink(place) => self
                .driven
                .read_link(at(self, place), &place.path)
                .map(drop),
            Call::MakeDirectory(place) => {
                self.driven.create_directory(at(self, place), &place.path)
            }
            Call::RemoveDirectory(place) => {
                self.driven.remove_directory(at(self, place), &place.path)
            }
            Call::Remove(place) => self.driven.unlink(at(self, place), &place.path),
            Call::Rename(from, to) => self
                .driven
                .rename((at(self, from), &from.path), (at(self, to), &to.path)),
            Call::Link(place, target) => self.driven.symlink(target, at(self, place), &place.path),
            Call::HardLink(from, to) => self
                .driven
                .link((at(self, from), &from.path), (at(self, to), &to.path)),
        }
    }

    /// Whether the call moves a directory, asks whether one is empty, or makes one where a file stands: what
    /// the step cannot see there decides the answer, and must.
    pub(crate) fn must_tell(&self, call: &Call) -> bool {
        let (at, decides): (_, fn(&Metadata) -> bool) = match call {
            Call::RemoveDirectory(_) => return true,
            Call::Rename(from, _) => (from, Metadata::is_dir),
            Call::MakeDirectory(at) => (at, |found| !found.is_dir()),
            _ => return false,
        };
        let held = self.held(at.handle);
        match super::walk::walk(&self.root, self.rules, held.base(), &at.path, false) {
            Ok(place) => fs::symlink_metadata(self.root.join(place)).is_ok_and(|it| decides(&it)),
            Err(_) => true,
        }
    }
}

fn assert_same(before: &Snapshot, after: &Snapshot) {
    for path in before.keys().chain(after.keys()) {
        assert_eq!(
            before.get(path),
            after.get(path),
            "{} changed",
            path.display()
        );
    }
}

/// The answer is the one that was foreseen; what it says, if it succeeded.
#[track_caller]
fn foreseen_or<T: Debug + PartialEq>(foreseen: Foreseen<T>, answer: Answer<T>) -> Option<T> {
    match foreseen {
        Foreseen::Success(value) => assert_eq!(answer.as_ref(), Ok(&value)),
        Foreseen::Refusal => assert!(answer.is_err(), "{answer:?} where a refusal was due"),
        Foreseen::Either => {}
    }
    answer.ok()
}
