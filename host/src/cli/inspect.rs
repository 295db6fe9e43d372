// SPDX-License-Identifier: Apache-2.0
//! `cofferdam inspect`: what a package says, asks for and brings.

use std::fmt::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use cofferdam_package::keyring::KeyRing;
use cofferdam_package::keyring::Role;
use cofferdam_package::keyring::TrustedKey;
use serde_json::json;

use super::attach::read_public_key;
use super::reply::Reply;
use super::reply::Screen;
use super::reply::shown_line;
use crate::cli::watching::OnScreen;
use crate::failure::Failure;
use crate::package_file;
use crate::vendor;
use crate::vendor::extract;
use crate::vendor::facts;
use crate::vendor::facts::PackageFacts;
use crate::vendor::facts::StepFacts;

/// Names that are listed one by one in the text; `--json` has all of them.
const SHOWN_NAMES: usize = 40;

/// Show what a package is, who signed it, what its steps may do, and what it installs
///
/// Reads and checks the package as strictly as a host would, but needs no signature: so a reviewer can
/// look before anyone has signed. What a step imports is read from its component: interfaces that are
/// not listed there cannot be used, whatever the vendor says. Nothing is run.
///
/// A signature by a key that you trust with --trust must be good, or the package is refused. Once one is, every
/// byte of the payload is read and checked too; of a package that nobody whom you trust has signed, only
/// components are.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cofferdam inspect acme-agent-1.1.0.upd --trust acme.pub
  cofferdam inspect acme-agent-1.1.0.upd --json | jq '.steps[] | {name, write, config_write}'
  cofferdam inspect acme-agent-1.1.0.upd --extract look    the payload and components as files")]
pub(crate) struct Arguments {
    /// The package
    #[arg(value_name = "X.upd")]
    package: PathBuf,
    /// A vendor's public key to check signatures with; give it again for more than one
    #[arg(long, value_name = "PUB")]
    trust: Vec<PathBuf>,
    /// A reviewer's public key to check signatures with; give it again for more than one
    #[arg(long, value_name = "PUB")]
    trust_reviewer: Vec<PathBuf>,
    /// Write manifest, signatures, payload and components into this new folder, every digest checked
    #[arg(long, value_name = "DIR")]
    extract: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// The package or a key was refused, or the folder cannot be written.
pub(crate) fn run(arguments: Arguments, screen: &Screen) -> Result<Reply, Failure> {
    let mut keyring = KeyRing::new();
    for (paths, role) in [
        (&arguments.trust, Role::Vendor),
        (&arguments.trust_reviewer, Role::Reviewer),
    ] {
        for path in paths {
            add_key(&mut keyring, path, role)?;
        }
    }
    let package = package_file::open(&arguments.package)?.examine(&keyring)?;
    let facts = facts::of(package.contents())?;
    if let Some(target) = &arguments.extract {
        extract::extract(package.contents(), target, &mut OnScreen::new(screen))?;
    }
    let mut text = rendered(&facts);
    let mut json = super::facts(&facts)?;
    if let Some(target) = arguments.extract {
        let _ = write!(
            text,
            "\n\nextracted to {}",
            shown_line(&target.display().to_string())
        );
        if let Some(members) = json.as_object_mut() {
            members.insert("extracted".to_owned(), json!(target));
        }
    }
    Ok(Reply::done(json, text))
}

fn add_key(keyring: &mut KeyRing, path: &Path, role: Role) -> Result<(), Failure> {
    let name = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let key = read_public_key(path)?;
    keyring
        .add(TrustedKey { key, role, name })
        .map_err(|error| vendor::refused(error.code(), &error))
}

fn rendered(facts: &PackageFacts) -> String {
    let mut text = String::new();
    row(
        &mut text,
        &format!("{} {}", facts.id, facts.version),
        &facts.summary,
    );
    row(&mut text, "digest", &facts.package_digest.to_string());
    row(
        &mut text,
        "made",
        &format!("{}, data format {}", facts.created, facts.data_format),
    );
    row(
        &mut text,
        "requires",
        &format!(
            "version {} installed, cofferdam {}",
            facts.requires.from, facts.requires.host
        ),
    );
    signatures(&mut text, facts);
    for step in &facts.steps {
        text.push('\n');
        step_text(&mut text, step);
    }
    if facts.steps.is_empty() {
        text.push_str("\nno steps: nothing runs while this package is applied\n");
    }
    text.push('\n');
    files(&mut text, facts);
    for (name, config) in &facts.config {
        let secret = match config.secret.as_slice() {
            [] => String::new(),
            secret => format!(", secret {}", secret.join(" ")),
        };
        row(
            &mut text,
            "config",
            &format!("{name}: {} ({}{secret})", config.file, config.format),
        );
    }
    for build in &facts.builds {
        let lock = build
            .lock_digest
            .map_or(String::new(), |digest| format!(", lock file {digest}"));
        row(
            &mut text,
            "built",
            &format!("{} by {}{lock}", build.step, build.toolchain),
        );
    }
    text.truncate(text.trim_end().len());
    text
}

fn signatures(text: &mut String, facts: &PackageFacts) {
    if facts.signatures.is_empty() {
        row(text, "signed", "by nobody: no host accepts it");
    }
    for signature in &facts.signatures {
        let who = match (&signature.role, &signature.name) {
            (Some(role), Some(name)) if signature.trusted => format!("{role} `{name}`, verified"),
            _ => "not checked: this key is not among --trust".to_owned(),
        };
        row(text, "signed", &format!("{}  {who}", signature.key_id));
        if let Some(comment) = &signature.trusted_comment {
            row(text, "", &format!("“{comment}”"));
        }
    }
}

fn step_text(text: &mut String, step: &StepFacts) {
    row(text, "step", &format!("{} ({})", step.name, step.phase));
    row(text, "reason", &step.reason);
    if let Some(from) = &step.from {
        row(text, "when", &format!("only when a version {from} is left"));
    }
    grant(text, "reads", &step.read);
    grant(text, "writes", &step.write);
    if step.allow_managed_writes {
        row(
            text,
            "",
            "and asks to write files of the package itself (allow-managed-writes)",
        );
    }
    grant(text, "reads keys", &step.config_read);
    grant(text, "writes keys", &step.config_write);
    let limits = &step.limits;
    row(
        text,
        "limits",
        &format!(
            "{}, {} of memory, {} written, {} new files, {} of log",
            humantime::format_duration(Duration::from_millis(limits.time_ms)),
            ByteSize(limits.memory_bytes),
            ByteSize(limits.written_bytes),
            limits.files,
            ByteSize(limits.log_bytes),
        ),
    );
    if let Some(error) = &step.component_error {
        row(text, "COMPONENT", &format!("cannot be a step: {error}"));
    }
    for (at, import) in step.imports.iter().enumerate() {
        let label = if at == 0 { "imports" } else { "" };
        let refused = if import.offered {
            ""
        } else {
            "  ← NOT ON OFFER: every host refuses it"
        };
        row(text, label, &format!("{import}{refused}"));
    }
    let inside: Vec<String> = step
        .inside
        .iter()
        .map(|interface| format!("{interface}  answered by the component itself, not by the host"))
        .collect();
    names(text, "inside", &inside);
    row(
        text,
        "component",
        &format!("{} ({})", step.digest, ByteSize(step.component_bytes)),
    );
}

fn grant(text: &mut String, label: &str, patterns: &[String]) {
    let patterns = if patterns.is_empty() {
        "nothing".to_owned()
    } else {
        patterns.join("  ")
    };
    row(text, label, &patterns);
}

fn files(text: &mut String, facts: &PackageFacts) {
    let folders = facts.directories;
    row(
        text,
        "payload",
        &format!(
            "{} files, {}; {folders} folders",
            facts.files,
            ByteSize(facts.bytes)
        ),
    );
    let content = if facts.content_checked {
        "every byte is what was signed"
    } else {
        "not read: no key of --trust has signed"
    };
    row(text, "", content);
    for (name, folder) in &facts.folders {
        let name = if name == "." {
            "(top)".to_owned()
        } else {
            format!("{name}/")
        };
        row(
            text,
            "",
            &format!("{name}  {} files, {}", folder.files, ByteSize(folder.bytes)),
        );
    }
    names(text, "seeds", &facts.seeds);
    names(text, "executable", &facts.executables);
    names(text, "OPEN", &facts.world_writable);
    let links: Vec<String> = facts
        .symlinks
        .iter()
        .map(|link| format!("{} → {}", link.path, link.target))
        .collect();
    names(text, "symlinks", &links);
    if !facts.roles.is_empty() {
        let roles: Vec<&str> = facts.roles.iter().map(String::as_str).collect();
        row(
            text,
            "roles",
            &format!("parts are only for {}", roles.join(", ")),
        );
    }
}

fn names(text: &mut String, label: &str, names: &[String]) {
    for (at, name) in names.iter().take(SHOWN_NAMES).enumerate() {
        row(text, if at == 0 { label } else { "" }, name);
    }
    if names.len() > SHOWN_NAMES {
        row(
            text,
            "",
            &format!(
                "… and {} more (--json lists them)",
                names.len() - SHOWN_NAMES
            ),
        );
    }
}

/// A line with a label in front; all of it is from outside, so it is made safe to show.
fn row(text: &mut String, label: &str, what: &str) {
    let _ = writeln!(text, "{:<12} {}", shown_line(label), shown_line(what));
}
