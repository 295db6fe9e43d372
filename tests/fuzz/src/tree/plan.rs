// SPDX-License-Identifier: Apache-2.0
//! What is in a tree, what is granted, and what is called: one line each, in any order.
//!
//! ```text
//! dir data                the tree: also file, program, twin (hard link to a file outside), fifo, odd (a
//! link data/l ../secret   name that is no text), and link with its target
//! read data/**            the grants: also write, hide, protect, closed, executables, look-only
//! open 0 data/l rf        the calls of a step: the number is a handle, 0 is the root
//! put 1 0
//! ```
//!
//! Every text is a plan: what is no line of it is left out. An empty path is written `""`.

use cofferdam_sandbox::driven::Open;

/// More would only be slow.
const MOST_OBJECTS: usize = 32;
const MOST_GRANTS: usize = 12;
const MOST_CALLS: usize = 48;
const MOST_WORD_BYTES: usize = 600;

/// How far up one word leads: a world lies deeper than that, so what gets out of a tree stays in the
/// world's own folder.
const MOST_UPS: usize = 6;

/// A plan.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) objects: Vec<Object>,
    pub(crate) grants: Grants,
    pub(crate) calls: Vec<Call>,
}

/// Something in the tree before the step runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) path: String,
    pub(crate) kind: ObjectKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ObjectKind {
    Directory,
    File,
    /// With execute bits.
    Program,
    /// A second name of a file outside of the tree.
    Twin,
    Fifo,
    /// A file whose name is not UTF-8.
    Odd,
    Link(String),
}

/// What the step is granted.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    pub(crate) read: Vec<String>,
    pub(crate) write: Vec<String>,
    pub(crate) hidden: Vec<String>,
    pub(crate) protected: Vec<String>,
    pub(crate) closed: Vec<String>,
    pub(crate) executables: bool,
    pub(crate) only_look: bool,
}

/// A path from a handle.
#[derive(Debug, Clone)]
pub(crate) struct At {
    pub(crate) handle: usize,
    pub(crate) path: String,
}

/// One call of a step.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    Open(At, Open),
    Close(usize),
    Get(usize),
    Put(usize, u64),
    Append(usize),
    Cut(usize, u64),
    List(usize),
    Stat(usize),
    Touch(usize),
    StatAt(At, bool),
    TouchAt(At, bool),
    ReadLink(At),
    MakeDirectory(At),
    RemoveDirectory(At),
    Remove(At),
    Rename(At, At),
    Link(At, String),
    HardLink(At, At),
}

impl Call {
    /// Its word in a plan.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Open(..) => "open",
            Self::Close(_) => "close",
            Self::Get(_) => "get",
            Self::Put(..) => "put",
            Self::Append(_) => "append",
            Self::Cut(..) => "cut",
            Self::List(_) => "list",
            Self::Stat(_) => "stat",
            Self::Touch(_) => "touch",
            Self::StatAt(..) => "statat",
            Self::TouchAt(..) => "touchat",
            Self::ReadLink(_) => "readlink",
            Self::MakeDirectory(_) => "mkdir",
            Self::RemoveDirectory(_) => "rmdir",
            Self::Remove(_) => "rm",
            Self::Rename(..) => "mv",
            Self::Link(..) => "ln",
            Self::HardLink(..) => "hard",
        }
    }
}

impl Plan {
    /// Reads a plan; what is no line of one is left out.
    pub(crate) fn read(text: &str) -> Self {
        let mut plan = Self::default();
        for line in text.split('\n') {
            plan.line(line);
        }
        plan
    }

    fn line(&mut self, line: &str) {
        let Some(words) = line.split(' ').map(tame).collect::<Option<Vec<_>>>() else {
            return;
        };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let Some(object) = object(&words) {
            if self.objects.len() < MOST_OBJECTS {
                self.objects.push(object);
            }
        } else if let Some(call) = call(&words) {
            if self.calls.len() < MOST_CALLS {
                self.calls.push(call);
            }
        } else {
            self.grants.line(&words);
        }
    }
}

impl Grants {
    fn line(&mut self, words: &[&str]) {
        let (list, word) = match words {
            ["read", pattern] => (&mut self.read, pattern),
            ["write", pattern] => (&mut self.write, pattern),
            ["hide", pattern] => (&mut self.hidden, pattern),
            ["protect", path] => (&mut self.protected, path),
            ["closed", path] => (&mut self.closed, path),
            ["executables"] => return self.executables = true,
            ["look-only"] => return self.only_look = true,
            _ => return,
        };
        if list.len() < MOST_GRANTS {
            list.push((*word).to_owned());
        }
    }
}

fn object(words: &[&str]) -> Option<Object> {
    let (path, kind) = match words {
        ["dir", path] => (path, ObjectKind::Directory),
        ["file", path] => (path, ObjectKind::File),
        ["program", path] => (path, ObjectKind::Program),
        ["twin", path] => (path, ObjectKind::Twin),
        ["fifo", path] => (path, ObjectKind::Fifo),
        ["odd", path] => (path, ObjectKind::Odd),
        ["link", path, target] => (path, ObjectKind::Link((*target).to_owned())),
        _ => return None,
    };
    let path = (*path).to_owned();
    Some(Object { path, kind })
}

fn call(words: &[&str]) -> Option<Call> {
    let (word, rest) = words.split_first()?;
    let handle = |at: usize| rest.get(at)?.parse::<usize>().ok();
    let place = |at: usize| {
        Some(At {
            handle: handle(at)?,
            path: (*rest.get(at + 1)?).to_owned(),
        })
    };
    let number = |at: usize| rest.get(at)?.parse::<u64>().ok();
    let flags = rest.get(2).copied().unwrap_or_default();
    Some(match *word {
        "open" => Call::Open(
            place(0)?,
            Open {
                follow: flags.contains('f'),
                create: flags.contains('c'),
                exclusive: flags.contains('x'),
                truncate: flags.contains('t'),
                directory: flags.contains('d'),
                read: flags.contains('r'),
                write: flags.contains('w'),
            },
        ),
        "close" => Call::Close(handle(0)?),
        "get" => Call::Get(handle(0)?),
        "put" => Call::Put(handle(0)?, number(1)?),
        "append" => Call::Append(handle(0)?),
        "cut" => Call::Cut(handle(0)?, number(1)?),
        "list" => Call::List(handle(0)?),
        "stat" => Call::Stat(handle(0)?),
        "touch" => Call::Touch(handle(0)?),
        "statat" => Call::StatAt(place(0)?, flags.contains('f')),
        "touchat" => Call::TouchAt(place(0)?, flags.contains('f')),
        "readlink" => Call::ReadLink(place(0)?),
        "mkdir" => Call::MakeDirectory(place(0)?),
        "rmdir" => Call::RemoveDirectory(place(0)?),
        "rm" => Call::Remove(place(0)?),
        "mv" => Call::Rename(place(0)?, place(2)?),
        "ln" => Call::Link(place(0)?, (*rest.get(2)?).to_owned()),
        "hard" => Call::HardLink(place(0)?, place(2)?),
        _ => return None,
    })
}

/// A word that does no harm to the machine, whatever becomes of it.
fn tame(word: &str) -> Option<String> {
    if word.len() > MOST_WORD_BYTES {
        return None;
    }
    if word == "\"\"" {
        return Some(String::new());
    }
    let mut ups = 0;
    let names = word.split('/').map(|name| {
        ups += usize::from(name == "..");
        if name == ".." && ups > MOST_UPS {
            "."
        } else {
            name
        }
    });
    Some(names.collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_line_by_line() {
        let plan = Plan::read(
            "dir a\nlink a/l ../b\nread a/**\nopen 0 a/l rf\nwhat is this\nmv 0 a 1 b\nlook-only",
        );
        assert_eq!((plan.objects.len(), plan.calls.len()), (2, 2));
        assert_eq!(plan.grants.read, ["a/**"]);
        assert!(plan.grants.only_look);
    }

    #[test]
    fn no_word_leads_far_up() {
        let word = tame(&"../".repeat(50)).unwrap();
        assert_eq!(word.matches("..").count(), MOST_UPS);
    }
}
