// SPDX-License-Identifier: Apache-2.0
//! The facts of updates as text for people: plans like a good diff, results in a sentence.

mod steps;

use std::fmt::Write as _;

use bytesize::ByteSize;
use serde_json::Value;

use crate::care::history::History;
use crate::care::status::Status;
use crate::cli::reply::shown_indented;
use crate::cli::reply::shown_line;
use crate::time::rfc3339;
use crate::update::report::Applied;
use crate::update::report::ApplyResult;
use crate::update::report::Files;
use crate::update::report::Plan;

/// Longest list of paths that is shown in full; `--json` always has all of them.
const SHOWN_PATHS: usize = 40;

/// A plan, as `plan` and `try` show it.
pub(super) fn plan(plan: &Plan) -> String {
    let mut text = String::new();
    let from = plan.from.version.as_deref().unwrap_or("(none)");
    line(
        &mut text,
        &format!("{}  {from} → {}", plan.id, plan.to.version),
    );
    line(&mut text, &format!("package   {}", plan.package_digest));
    for signature in &plan.signatures {
        let who = match (&signature.name, &signature.role) {
            (Some(name), Some(role)) => format!("{role} {name}"),
            _ => "a key that is not known here".to_owned(),
        };
        line(
            &mut text,
            &format!("signed    {} ({})", signature.key_id, shown_line(&who)),
        );
    }
    steps::steps(&mut text, &plan.steps);
    files(&mut text, &plan.files);
    paths(&mut text, "seeds installed", '+', &plan.seeds.installed);
    paths(
        &mut text,
        "seeds whose default changed (yours stays)",
        '·',
        &plan.seeds.default_changed,
    );
    paths(&mut text, "drifted from the live package", '!', &plan.drift);
    keys(&mut text, plan);
    for note in &plan.notes {
        line(&mut text, &format!("\nnote: {}", shown_line(note)));
    }
    line(
        &mut text,
        &format!(
            "\nspace     {} needed, {} free; {} inodes needed, {} free",
            ByteSize(plan.disk.needed_bytes),
            ByteSize(plan.disk.free_bytes),
            plan.disk.needed_inodes,
            if plan.disk.free_inodes == u64::MAX {
                "any number".to_owned()
            } else {
                plan.disk.free_inodes.to_string()
            },
        ),
    );
    line(&mut text, &format!("outcome   {}", plan.outcome_digest));
    let _ = write!(text, "data      {}", plan.data_digest);
    text
}

/// How `apply` ended.
pub(super) fn applied(applied: &Applied) -> String {
    let version = applied.version.as_deref().unwrap_or("(none)");
    let mut text = match applied.result {
        ApplyResult::Committed => format!(
            "{} {} → {version}: generation {} is live{}",
            applied.id,
            applied.from.version.as_deref().unwrap_or("(none)"),
            applied.generation,
            if applied.confirmed {
                " and confirmed"
            } else {
                ", not confirmed"
            },
        ),
        ApplyResult::Unchanged => {
            format!("{} {version} is live already; nothing to do", applied.id)
        }
        ApplyResult::Repaired => format!(
            "{} {version}: drifted files are as the package has them again (generation {})",
            applied.id, applied.generation,
        ),
        ApplyResult::RolledBack => {
            format!(
                "{} {version} is live again (generation {})",
                applied.id, applied.generation
            )
        }
        ApplyResult::Deferred => format!("{} {version} stays for now", applied.id),
    };
    if !applied.stages.is_empty() {
        let stages: Vec<String> = applied
            .stages
            .iter()
            .map(|stage| format!("{} {:.2} s", stage.name, stage.seconds))
            .collect();
        let _ = write!(text, "\n{}", stages.join(" · "));
        if applied.downtime_seconds > 0.0 {
            let _ = write!(text, " · service down {:.2} s", applied.downtime_seconds);
        }
    }
    text
}

/// Where an install stands.
pub(super) fn status(status: &Status) -> String {
    let mut text = String::new();
    line(
        &mut text,
        &format!(
            "{} {}  generation {} ({})",
            if status.id.is_empty() {
                "(unknown)"
            } else {
                &status.id
            },
            status.version.as_deref().unwrap_or("(no version)"),
            status.generation,
            if status.confirmed {
                "confirmed"
            } else {
                "not confirmed: `confirm` accepts it, `rollback` leaves it"
            },
        ),
    );
    line(&mut text, &format!("state     {}", status.state));
    if let Some(next) = &status.recovery {
        line(&mut text, &format!("recover   {}", shown_line(next)));
    }
    if !status.roles.is_empty() {
        line(&mut text, &format!("roles     {}", status.roles.join(", ")));
    }
    for generation in &status.generations {
        line(
            &mut text,
            &format!(
                "{} generation {}  {}{}",
                if generation.live { "*" } else { " " },
                generation.number,
                generation.version.as_deref().unwrap_or("(no version)"),
                if generation.confirmed {
                    ""
                } else {
                    "  not confirmed"
                },
            ),
        );
    }
    for condemned in &status.condemned {
        let version = condemned.version.as_deref().unwrap_or("(no version)");
        let why = shown_line(first_line(&condemned.why));
        line(&mut text, &format!("condemned {version}: {why}"));
    }
    // While somebody works, it is theirs to start.
    if status.service_owed && status.holder.is_none() {
        line(
            &mut text,
            "service   was stopped for a transaction; `recover` starts it",
        );
    }
    if let Some(mistake) = &status.settings_error {
        line(&mut text, &format!("settings  {}", shown_indented(mistake)));
    }
    if let Some(last) = &status.last {
        let message = last.message.as_deref().map_or(String::new(), |text| {
            format!(": {}", shown_line(first_line(text)))
        });
        let _ = write!(
            text,
            "last      {} {} at {}{message}",
            last.kind,
            last.result,
            rfc3339(last.at),
        );
    }
    text.trim_end().to_owned()
}

/// What was done to an install.
pub(super) fn history(history: &History) -> String {
    let mut text = String::new();
    for record in &history.records {
        let _ = write!(
            text,
            "{:>5}  {}  {}",
            record.seq,
            rfc3339(record.at_unix_s),
            word(&record.kind)
        );
        // A record that recovery caught up holds what the journal knew.
        let body = record.body.get("last").unwrap_or(&record.body);
        for member in [
            "name",
            "phase",
            "verdict",
            "kind",
            "result",
            "from",
            "version",
            "generation",
            "code",
            "message",
        ] {
            match body.get(member) {
                None | Some(Value::Null) => {}
                Some(Value::String(value)) => {
                    let _ = write!(text, "  {member}={}", shown_line(first_line(value)));
                }
                Some(Value::Object(left)) => {
                    let version = left.get("version").and_then(Value::as_str);
                    let _ = write!(
                        text,
                        "  {member}={}",
                        shown_line(version.unwrap_or("(none)"))
                    );
                }
                Some(value) => {
                    let _ = write!(text, "  {member}={value}");
                }
            }
        }
        let totals = body.pointer("/record/totals").cloned();
        if let Some(Ok(totals)) = totals.map(serde_json::from_value) {
            let _ = write!(text, "  {}", steps::in_short(&totals));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    match (history.verified, &history.end) {
        (Some(true), Some(end)) => {
            let _ = write!(
                text,
                "the chain is whole; record {} ends it: {}",
                end.seq, end.digest
            );
        }
        (Some(true), None) => text.push_str("the chain is whole"),
        (Some(false), _) => text.push_str("the chain is NOT whole"),
        (None, _) => {}
    }
    text.trim_end().to_owned()
}

fn files(text: &mut String, files: &Files) {
    line(
        text,
        &format!(
            "\nfiles     {} added, {} changed, {} removed",
            files.added.len(),
            files.changed.len(),
            files.removed.len(),
        ),
    );
    some(text, '+', &files.added);
    some(text, '~', &files.changed);
    some(text, '-', &files.removed);
}

fn keys(text: &mut String, plan: &Plan) {
    if plan.config.is_empty() {
        return;
    }
    line(text, "\nconfiguration");
    for change in &plan.config {
        if let Some(value) = &change.old {
            line(
                text,
                &format!(
                    "  - {} = {}",
                    shown_line(&change.key),
                    shown_line(&value.to_string())
                ),
            );
        }
        if let Some(value) = &change.new {
            let moved = change.moved_from.as_ref().map_or(String::new(), |from| {
                format!("  (moved from {})", shown_line(from))
            });
            let value = shown_line(&value.to_string());
            line(
                text,
                &format!("  + {} = {value}{moved}", shown_line(&change.key)),
            );
        }
    }
}

fn paths(text: &mut String, title: &str, sign: char, paths: &[String]) {
    if !paths.is_empty() {
        line(text, &format!("\n{title}"));
        some(text, sign, paths);
    }
}

fn some(text: &mut String, sign: char, paths: &[String]) {
    for path in paths.iter().take(SHOWN_PATHS) {
        line(text, &format!("  {sign} {}", shown_line(path)));
    }
    if paths.len() > SHOWN_PATHS {
        line(
            text,
            &format!(
                "  … and {} more (all with --json)",
                paths.len() - SHOWN_PATHS
            ),
        );
    }
}

fn line(text: &mut String, content: &str) {
    text.push_str(content);
    text.push('\n');
}

/// Messages of failed steps go on with a backtrace: the record has all of it.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// The word that documents use for a value of an enum.
fn word(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
