// SPDX-License-Identifier: Apache-2.0
//! `cofferdam pack`: makes a package.

use std::fmt::Write as _;
use std::path::PathBuf;

use bytesize::ByteSize;
use clap::ValueEnum;
use cofferdam_package::write;

use super::facts;
use super::reply::Reply;
use super::reply::Screen;
use super::reply::shown_line;
use crate::ambient;
use crate::cli::watching::OnScreen;
use crate::failure::Failure;
use crate::vendor::pack;
use crate::vendor::pack::Packed;
use crate::vendor::pack::Request;
use crate::vendor::time;

/// The variable by which builds everywhere are told what time to pretend.
const SOURCE_DATE_EPOCH: &str = "SOURCE_DATE_EPOCH";

/// Make a package (.upd) from a package.toml, a payload folder and steps
///
/// Files go in with the permission bits that they have; [[payload.set]] tables change modes, mark seeds
/// (keep = true) and limit entries to roles. Steps are built with `cargo build --release --locked` for
/// wasm32-wasip2 (the target is added when missing) and checked as every host checks them; a .wasm file
/// is taken as it is.
///
/// The same inputs give the same bytes: fix the time by --created or `SOURCE_DATE_EPOCH`. The package has
/// no signature yet; `cofferdam sign` adds one.
///
/// Warnings on standard error (and in `warnings` of --json) name what is allowed but seldom meant.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cofferdam pack packages/acme-agent/1.1.0 -o acme-agent-1.1.0.upd
  SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) cofferdam pack . -o app.upd    reproducible
  cofferdam -v pack . -o app.upd                                              with cargo's output

package.toml, as short as it can be:
  [package]
  id = \"acme-agent\"
  version = \"1.0.0\"
  data-format = 1
  summary = \"First release\"
  [requires]
  from = \"*\"
  [payload]
  dir = \"payload\"")]
pub(crate) struct Arguments {
    /// The package.toml, or the folder that has one
    #[arg(value_name = "DIR|package.toml")]
    source: PathBuf,
    /// The package to write; an existing one is replaced when the new one is whole
    #[arg(short, long, value_name = "X.upd")]
    output: PathBuf,
    /// How files are compressed
    #[arg(long, value_enum, default_value = "zstd")]
    compression: Compression,
    /// When the package is made: 2026-11-21T12:00:00Z, or seconds since 1970; steps see this time.
    /// Default: `SOURCE_DATE_EPOCH`, else now
    #[arg(long, value_name = "TIME")]
    created: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Compression {
    /// Small and quick
    Zstd,
    /// For tools that know nothing else
    Deflate,
    /// None
    Stored,
}

impl From<Compression> for write::Compression {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::Zstd => Self::Zstd,
            Compression::Deflate => Self::Deflate,
            Compression::Stored => Self::Stored,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// The source, the payload or a component was refused, a crate does not build, or the package cannot be
/// written.
pub(crate) fn run(arguments: Arguments, screen: &Screen) -> Result<Reply, Failure> {
    let created_unix_s = match (&arguments.created, std::env::var(SOURCE_DATE_EPOCH)) {
        (Some(given), _) => time::parse(given)?,
        (None, Ok(given)) => time::parse(&given).map_err(|mut failure| {
            failure.message = format!("{SOURCE_DATE_EPOCH}: {}", failure.message);
            failure
        })?,
        (None, Err(_)) => ambient::now_unix_s(),
    };
    let request = Request {
        source: arguments.source,
        output: arguments.output,
        compression: arguments.compression.into(),
        created_unix_s,
    };
    let packed = pack::pack(&request, &mut OnScreen::new(screen))?;
    for warning in &packed.warnings {
        screen.note("warning", warning);
    }
    Ok(Reply::done(facts(&packed)?, rendered(&packed)))
}

fn rendered(packed: &Packed) -> String {
    let mut text = format!(
        "{} {}  {} files, {} → {} ({})\ndigest {}",
        packed.id,
        packed.version,
        packed.files,
        ByteSize(packed.bytes),
        shown_line(&packed.package.display().to_string()),
        ByteSize(packed.package_bytes),
        packed.package_digest,
    );
    for step in &packed.steps {
        let built = match &step.toolchain {
            Some(toolchain) => format!("built by {}", shown_line(toolchain)),
            None => "taken as it was".to_owned(),
        };
        let _ = write!(
            text,
            "\nstep   {}  {} ({built})",
            step.name,
            ByteSize(step.bytes)
        );
    }
    let _ = write!(
        text,
        "\nnot signed yet: cofferdam sign {} --key …",
        packed.package.display()
    );
    text
}
