// SPDX-License-Identifier: Apache-2.0
//! `cofferdam step run`: runs one step on a copy of a folder and shows what it changes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use cofferdam_config::Format;
use cofferdam_package::manifest::StepLimits;
use cofferdam_sandbox::CODES;
use cofferdam_sandbox::Context;
use cofferdam_sandbox::Limits;
use cofferdam_sandbox::Verdict;

use crate::ambient;
use crate::cli::facts;
use crate::cli::reply::Reply;
use crate::cli::reply::Screen;
use crate::cli::reply::shown_line;
use crate::cli::watching::OnScreen;
use crate::failure::Exit;
use crate::failure::Failure;
use crate::failure::help_in;
use crate::vendor::Code;
use crate::vendor::output::read_small;
use crate::vendor::rehearsal;
use crate::vendor::rehearsal::ConfigSource;
use crate::vendor::rehearsal::Rehearsed;
use crate::vendor::rehearsal::Request;

/// What a service may have printed.
const OUTPUT_CAP_BYTES: u64 = 1 << 20;

/// Run a step on a copy of a folder and show what it changes
///
/// The folder plays the install. It is copied to a temporary folder first and never written to; the
/// copy is thrown away. The step runs in the same sandbox as on a host, and gets exactly the grants that
/// you give here: start with few and add what it is denied.
///
/// Executable files and files in folders with executables are not writable, as under a host's default
/// policy. Files named by --config are reached by keys only.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cofferdam step run target/wasm32-wasip2/release/convert_records.wasm \\
      --root /opt/acme-agent --read 'data/**' --write 'data/*.json'
  cofferdam step run move_net.wasm --root . --config conf/agent.toml \\
      --config-write 'net.*' --config-write 'server.*' --from 1.0.0 --to 1.1.0
  cofferdam step run veto.wasm --root . --phase check --read '**'

Exit codes: 0 ok or healthy; 5 refused, unhealthy or failed; 6 deferred.")]
pub(crate) struct Arguments {
    /// The component
    #[arg(value_name = "X.wasm")]
    component: PathBuf,
    /// The folder that plays the install; it is copied, never written to
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// A configuration file for the step to edit by keys, by its ending's format; NAME=FILE names it
    #[arg(long, value_name = "[NAME=]FILE")]
    config: Vec<String>,
    /// When in an update the step runs
    #[arg(long, value_enum, default_value = "migrate")]
    phase: Phase,
    /// Files that the step may read, as in package.toml: 'data/**'
    #[arg(long, value_name = "GLOB")]
    read: Vec<String>,
    /// Files that the step may write (and read)
    #[arg(long, value_name = "GLOB")]
    write: Vec<String>,
    /// Keys that the step may read: 'net.*', or 'agent:net.*' with more than one file
    #[arg(long, value_name = "KEYS")]
    config_read: Vec<String>,
    /// Keys that the step may write (and read)
    #[arg(long, value_name = "KEYS")]
    config_write: Vec<String>,
    /// Keys that are secret: the step can rename them, never read them
    #[arg(long, value_name = "KEYS")]
    secret: Vec<String>,
    /// The version that is being left; without it, the step sees a first install
    #[arg(long, value_name = "VERSION")]
    from: Option<semver::Version>,
    /// The version of the package
    #[arg(long, value_name = "VERSION", default_value = "1.0.0")]
    to: semver::Version,
    /// The data format that is being left
    #[arg(long, value_name = "N")]
    from_data_format: Option<u64>,
    /// The data format of the package
    #[arg(long, value_name = "N", default_value_t = 1)]
    data_format: u64,
    /// A role of the machine; give it again for more than one
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// A file with what the service printed (for --phase health)
    #[arg(long, value_name = "FILE")]
    service_output: Option<PathBuf>,
    /// How long the step may run: 10s, 500ms
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    time: Duration,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Phase {
    /// The live tree; answers ok, refuse or defer
    Check,
    /// The next tree with the old files
    Prepare,
    /// The next tree with the new files
    Migrate,
    /// The live tree after the swap; answers healthy or unhealthy
    Health,
    /// As migrate, once per fleet
    Finalize,
}

/// Runs the command.
///
/// # Errors
/// The component, a pattern or a configuration file was refused, or the folder cannot be copied. A step
/// that fails, refuses or defers is a reply with a failure.
pub(super) fn run(arguments: Arguments, screen: &Screen) -> Result<Reply, Failure> {
    let nothing = [&arguments.read, &arguments.write]
        .iter()
        .all(|globs| globs.is_empty());
    if nothing && arguments.config.is_empty() {
        screen.note(
            "note",
            "no --read, --write or --config given: the step can reach nothing",
        );
    }
    let step = arguments.component.file_stem().map_or_else(
        || "step".to_owned(),
        |name| name.to_string_lossy().replace('_', "-"),
    );
    let service_output = match &arguments.service_output {
        None => String::new(),
        Some(path) => String::from_utf8_lossy(&read_small(path, OUTPUT_CAP_BYTES)?).into_owned(),
    };
    let mut roles = arguments.role;
    roles.sort();
    roles.dedup();
    let request = Request {
        config: config_sources(&arguments.config)?,
        component: arguments.component,
        root: arguments.root,
        read: arguments.read,
        write: arguments.write,
        config_read: arguments.config_read,
        config_write: arguments.config_write,
        secret: arguments.secret,
        context: Context {
            package_id: "rehearsal".to_owned(),
            step: step.clone(),
            phase: arguments.phase.into(),
            from_version: arguments.from.map(|version| version.to_string()),
            to_version: arguments.to.to_string(),
            from_data_format: arguments.from_data_format,
            to_data_format: arguments.data_format,
            roles,
            service_output,
        },
        limits: limits(arguments.time),
        created_unix_s: ambient::now_unix_s(),
    };
    let rehearsed = rehearsal::rehearse(request, &mut OnScreen::new(screen))?;
    let failure = failure_of(&rehearsed.verdict);
    let mut reply = Reply::done(facts(&rehearsed)?, rendered(&step, &rehearsed));
    if let Some(failure) = failure {
        reply.exit = failure.exit;
        reply.failure = Some(failure);
    }
    Ok(reply)
}

impl From<Phase> for cofferdam_sandbox::Phase {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Check => Self::Check,
            Phase::Prepare => Self::Prepare,
            Phase::Migrate => Self::Migrate,
            Phase::Health => Self::Health,
            Phase::Finalize => Self::Finalize,
        }
    }
}

/// `NAME=FILE`, or a file whose stem is its name.
/// What a manifest gives a step that asks for nothing, but for the time.
fn limits(time: Duration) -> Limits {
    let defaults = StepLimits::default();
    Limits {
        time,
        memory_bytes: defaults.memory_bytes,
        written_bytes: defaults.written_bytes,
        files: defaults.files,
        log_bytes: defaults.log_bytes,
    }
}

fn config_sources(arguments: &[String]) -> Result<BTreeMap<String, ConfigSource>, Failure> {
    let mut sources = BTreeMap::new();
    for argument in arguments {
        let (name, path) = if let Some((name, path)) = argument.split_once('=') {
            (name.to_owned(), PathBuf::from(path))
        } else {
            let path = PathBuf::from(argument);
            let stem = path.file_stem().unwrap_or_default();
            (
                stem.to_string_lossy().trim_start_matches('.').to_owned(),
                path,
            )
        };
        let format = format_of(&path)?;
        if sources
            .insert(name.clone(), ConfigSource { path, format })
            .is_some()
        {
            return Err(Code::Argument.because(format!(
                "--config: two files are named `{name}`; write NAME=FILE"
            )));
        }
    }
    Ok(sources)
}

fn format_of(path: &Path) -> Result<Format, Failure> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let ending = name
        .rsplit_once('.')
        .map_or(name.as_str(), |(_, ending)| ending);
    let format = match ending {
        "yml" => "yaml",
        "jsonc" => "json",
        "conf" | "cfg" => "ini",
        other => other,
    };
    format.parse().map_err(|_| {
        Code::ConfigRefused.because(format!(
            "`{}` has an ending that is no known format",
            path.display()
        ))
    })
}

fn failure_of(verdict: &Verdict) -> Option<Failure> {
    match verdict {
        Verdict::Ok | Verdict::Healthy => None,
        Verdict::Refuse(reason) => {
            Some(Code::StepRefused.because(format!("the step refuses: {reason}")))
        }
        Verdict::Defer {
            reason,
            retry_after_seconds,
        } => Some(Code::StepDeferred.because(format!(
            "the step asks to try again in {retry_after_seconds} s: {reason}"
        ))),
        Verdict::Unhealthy(reason) => {
            Some(Code::StepUnhealthy.because(format!("the step finds it unhealthy: {reason}")))
        }
        Verdict::Failed(failure) => {
            let mut message = format!("the step failed: {}", failure.message);
            for frame in &failure.backtrace {
                let _ = write!(message, "\nat {frame}");
            }
            let code = failure.code();
            Some(Failure::new(
                Exit::StepFailed,
                code,
                message,
                help_in(CODES, code),
            ))
        }
    }
}

fn rendered(step: &str, rehearsed: &Rehearsed) -> String {
    let mut text = String::new();
    let verdict = match &rehearsed.verdict {
        Verdict::Ok => "ok",
        Verdict::Healthy => "healthy",
        Verdict::Refuse(_) => "refused",
        Verdict::Defer { .. } => "deferred",
        Verdict::Unhealthy(_) => "unhealthy",
        Verdict::Failed(_) => "failed",
    };
    let record = &rehearsed.record;
    let _ = writeln!(text, "{step}: {verdict} ({} ms)", record.usage.time_ms);
    for line in &record.log {
        let level = format!("{:?}", line.level).to_lowercase();
        let _ = writeln!(text, "  {level:<5} {}", shown_line(&line.line));
    }
    if record.log_dropped_bytes > 0 {
        let _ = writeln!(
            text,
            "  … {} bytes of log beyond the limit",
            record.log_dropped_bytes
        );
    }
    let files = &rehearsed.files;
    for (sign, differences) in [('+', &files.added), ('~', &files.changed)] {
        for difference in differences {
            let _ = writeln!(text, "{sign} {}", shown_line(&difference.path));
            indented(&mut text, &difference.lines);
        }
    }
    for path in &files.removed {
        let _ = writeln!(text, "- {}", shown_line(path));
    }
    for change in &rehearsed.config {
        let old = change
            .old
            .as_ref()
            .map_or("(none)".to_owned(), ToString::to_string);
        let new = change
            .new
            .as_ref()
            .map_or("(gone)".to_owned(), ToString::to_string);
        let line = match &change.moved_from {
            Some(from) => format!("{}: moved from {from}", change.key),
            None => format!("{}: {old} → {new}", change.key),
        };
        let _ = writeln!(text, "key {}", shown_line(&line));
    }
    for (name, lines) in &rehearsed.config_lines {
        let _ = writeln!(text, "~ {} (configuration)", shown_line(name));
        indented(&mut text, lines);
    }
    denials(&mut text, rehearsed);
    let none = files.added.is_empty() && files.changed.is_empty() && files.removed.is_empty();
    if none && rehearsed.config.is_empty() && rehearsed.config_lines.is_empty() {
        text.push_str("nothing changed\n");
    }
    text.truncate(text.trim_end().len());
    text
}

/// What the step asked for and did not get: the grants to add, or the bug to find.
fn denials(text: &mut String, rehearsed: &Rehearsed) {
    for file in rehearsed
        .record
        .files
        .iter()
        .filter(|file| !file.denied.is_empty())
    {
        let operations: Vec<&str> = file.denied.iter().map(|denied| denied.word()).collect();
        let _ = writeln!(
            text,
            "denied: {} {}",
            operations.join(", "),
            shown_line(&file.path)
        );
    }
    for key in &rehearsed.keys.denied {
        let _ = writeln!(text, "denied: key {}", shown_line(key));
    }
}

fn indented(text: &mut String, lines: &[String]) {
    for line in lines {
        let _ = writeln!(text, "    {}", shown_line(line));
    }
}
