// SPDX-License-Identifier: Apache-2.0
//! Steps as text for people: what each may do, what it used, and what it changed, shortened.
//!
//! Never the whole record: `--json` has that.

use std::fmt::Write as _;
use std::time::Duration;

use bytesize::ByteSize;
use cofferdam_sandbox::Content;
use cofferdam_sandbox::StepRecord;
use cofferdam_sandbox::Totals;
use cofferdam_sandbox::Touched;

use super::SHOWN_PATHS;
use super::line;
use crate::cli::reply::shown_indented;
use crate::cli::reply::shown_line;
use crate::config_session::TouchedKeys;
use crate::update::report::StepReport;

/// Longest list of keys that is shown in full.
const SHOWN_KEYS: usize = 20;

/// Paths that are shown of those where a step was only denied something.
const SHOWN_DENIALS: usize = 20;

/// Digits of a digest that tell it from the others on a screen.
const SHOWN_DIGITS: usize = 12;

/// The steps of a plan.
pub(super) fn steps(text: &mut String, steps: &[StepReport]) {
    for step in steps {
        line(
            text,
            &format!("\nstep {} ({}): {}", step.name, step.phase, step.verdict),
        );
        if !step.reason.is_empty() {
            line(text, &format!("  {}", shown_line(&step.reason)));
        }
        if let Some(message) = &step.message {
            line(text, &format!("  {}", shown_indented(message)));
        }
        let grants = &step.grants;
        for (label, patterns) in [
            ("read", &grants.read),
            ("write", &grants.write),
            ("keys read", &grants.config_read),
            ("keys write", &grants.config_write),
        ] {
            if !patterns.is_empty() {
                line(
                    text,
                    &format!("  may {label:<11} {}", shown_line(&patterns.join("  "))),
                );
            }
        }
        if let Some(record) = &step.record {
            line(text, &format!("  used {}", used(step, record)));
            keys(text, &step.keys);
            paths(text, record);
        }
    }
}

/// What one step comes to, in a few words, for a line of the history; nothing for a step that did nothing.
pub(super) fn in_short(totals: &Totals) -> String {
    let counts = [
        (totals.read, "read"),
        (totals.written, "written"),
        (totals.created, "created"),
        (totals.removed, "removed"),
        (totals.renamed, "renamed"),
        (totals.denied, "DENIED"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    counts.join(", ")
}

fn used(step: &StepReport, record: &StepRecord) -> String {
    let (usage, limits) = (&record.usage, &step.grants.limits);
    let seconds = |ms| Duration::from_millis(ms).as_secs_f64();
    let mut text = format!(
        "{:.2} of {} s, memory {} of {}, written {} of {}, files {} of {}, log {} of {}, {} fuel",
        seconds(usage.time_ms),
        seconds(limits.time_ms),
        ByteSize(usage.memory_peak_bytes),
        ByteSize(limits.memory_bytes),
        ByteSize(usage.written_bytes),
        ByteSize(limits.written_bytes),
        usage.files,
        limits.files,
        ByteSize(usage.log_bytes),
        ByteSize(limits.log_bytes),
        usage.fuel,
    );
    let _ = write!(text, "; imports {} interfaces", record.imports.len());
    text
}

fn keys(text: &mut String, keys: &TouchedKeys) {
    for (label, keys) in [
        ("read", &keys.read),
        ("written", &keys.written),
        ("DENIED", &keys.denied),
    ] {
        let mut shown: Vec<String> = keys
            .iter()
            .take(SHOWN_KEYS)
            .map(|key| shown_line(key))
            .collect();
        if keys.len() > SHOWN_KEYS {
            shown.push(format!("… and {} more", keys.len() - SHOWN_KEYS));
        }
        if !shown.is_empty() {
            line(text, &format!("  keys {label:<9} {}", shown.join("  ")));
        }
    }
}

fn paths(text: &mut String, record: &StepRecord) {
    if record.lost {
        line(
            text,
            "  what it did is not known: its process was gone before it could tell",
        );
    }
    let short = in_short(&record.totals);
    if !short.is_empty() {
        line(text, &format!("  paths {short}"));
    }
    let changed = |touched: &&Touched| touched.is_change();
    let denied = |touched: &&Touched| !touched.is_change() && !touched.denied.is_empty();
    shortened(text, record.files.iter().filter(changed), SHOWN_PATHS);
    shortened(text, record.files.iter().filter(denied), SHOWN_DENIALS);
}

fn shortened<'a>(text: &mut String, mut files: impl Iterator<Item = &'a Touched>, most: usize) {
    for touched in files.by_ref().take(most) {
        line(text, &format!("  {}", path(touched)));
    }
    let more = files.count();
    if more > 0 {
        line(text, &format!("  … and {more} more (all with --json)"));
    }
}

fn path(touched: &Touched) -> String {
    let mut did: Vec<String> = [
        (touched.created, "created"),
        (touched.written, "written"),
        (touched.removed, "removed"),
        (touched.renamed_to.is_some(), "moved away"),
        (touched.renamed_from.is_some(), "moved here"),
    ]
    .iter()
    .filter(|(happened, _)| *happened)
    .map(|(_, word)| (*word).to_owned())
    .collect();
    if !touched.denied.is_empty() {
        let denied: Vec<&str> = touched.denied.iter().map(|denied| denied.word()).collect();
        did.push(format!("DENIED {}", denied.join("+")));
    }
    let mut text = format!("{:<14} {}", did.join(", "), shown_line(&touched.path));
    if let Some(to) = &touched.renamed_to {
        let _ = write!(text, " → {}", shown_line(to));
    }
    if touched.is_change() {
        let [before, after] =
            [&touched.before, &touched.after].map(|found| content(found.as_ref()));
        let _ = write!(text, "  ({before} → {after})");
    }
    text
}

fn content(content: Option<&Content>) -> String {
    match content {
        None => "nothing".to_owned(),
        Some(Content::File { bytes, digest }) => {
            let digest: String = digest.to_string().chars().take(SHOWN_DIGITS).collect();
            format!("{} {digest}", ByteSize(*bytes))
        }
        Some(Content::Directory) => "directory".to_owned(),
        Some(Content::Symlink { target }) => format!("link to {}", shown_line(target)),
        Some(Content::Other) => "no file".to_owned(),
        Some(Content::Withheld) => "withheld".to_owned(),
        Some(Content::Unknown) => "not known".to_owned(),
    }
}
