// SPDX-License-Identifier: Apache-2.0
//! What goes over the line.

use crate::access::ConfigRefusal;
use crate::confine::Wall;
use crate::grants::FileGrants;
use crate::imports::CompileError;
use crate::imports::Import;
use crate::limits::Limits;
use crate::record::LogLine;
use crate::record::StepRecord;
use crate::step::Context;
use crate::step::Verdict;
use crate::switches::Switches;
use cofferdam_config::Value;
use cofferdam_package::glob::Glob;
use cofferdam_package::glob::GlobError;
use cofferdam_package::glob::GlobSet;
use cofferdam_package::path::PayloadPath;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeSet;

/// The compiler's answer; when it is `Ok`, a frame with the code follows.
pub(crate) type Compiled = Result<Vec<Import>, CompileError>;

/// What a runner is to do: the first message to it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) context: Context,
    pub(crate) files: Files,
    pub(crate) limits: Limits,
    pub(crate) created_unix_s: u64,
    pub(crate) seed: [u8; 32],
    pub(crate) code_bytes: u64,
    /// The largest file that may come about; a file that is larger already can be that long.
    pub(crate) file_bytes: u64,
    /// Whether a wall that is missing keeps the step from running.
    pub(crate) require_walls: bool,
    pub(crate) switches: Switches,
}

/// [`FileGrants`], as text.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Files {
    read: Vec<Pattern>,
    write: Vec<Pattern>,
    hidden: Vec<Pattern>,
    protected: BTreeSet<String>,
    no_new_in: BTreeSet<String>,
    executables: bool,
}

/// A pattern; one that was made for exactly one path may have characters that mean something else in
/// a pattern.
#[derive(Debug, Serialize, Deserialize)]
struct Pattern {
    text: String,
    literal: bool,
}

impl From<&FileGrants> for Files {
    fn from(grants: &FileGrants) -> Self {
        let patterns = |set: &GlobSet| {
            set.iter()
                .map(|glob| Pattern {
                    text: glob.as_str().to_owned(),
                    literal: glob.is_literal(),
                })
                .collect()
        };
        Self {
            read: patterns(&grants.read),
            write: patterns(&grants.write),
            hidden: patterns(&grants.hidden),
            protected: grants.protected.clone(),
            no_new_in: grants.no_new_in.clone(),
            executables: grants.executables,
        }
    }
}

impl TryFrom<Files> for FileGrants {
    type Error = GlobError;

    fn try_from(files: Files) -> Result<Self, GlobError> {
        let set = |patterns: Vec<Pattern>| {
            let globs: Result<Vec<Glob>, GlobError> = patterns.iter().map(glob).collect();
            globs.map(GlobSet::new)
        };
        Ok(Self {
            read: set(files.read)?,
            write: set(files.write)?,
            hidden: set(files.hidden)?,
            protected: files.protected,
            no_new_in: files.no_new_in,
            executables: files.executables,
        })
    }
}

fn glob(pattern: &Pattern) -> Result<Glob, GlobError> {
    if pattern.literal
        && let Ok(path) = PayloadPath::parse(&pattern.text)
    {
        return Ok(Glob::literal(&path));
    }
    Glob::parse(&pattern.text)
}

/// What a runner says.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Said {
    /// The walls stand; the step's time begins.
    Started(Vec<Wall>),
    /// The step wants a key. The runner waits for the [`Reply`].
    Asked(Request),
    /// A line of the log.
    Log(LogLine),
    /// How far the step has come.
    Progress(u64, u64, String),
    /// The end.
    Done(Box<(Verdict, StepRecord)>),
}

/// A request for a key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    Get(String),
    Set(String, Value),
    Remove(String),
    Rename(String, String),
    List(Option<String>),
}

/// The answer to it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    Value(Result<Option<Value>, ConfigRefusal>),
    Done(Result<(), ConfigRefusal>),
    Removed(Result<bool, ConfigRefusal>),
    Keys(Result<Vec<String>, ConfigRefusal>),
}
