// SPDX-License-Identifier: Apache-2.0
//! `cofferdam sign`: signs a package.

use std::path::Path;
use std::path::PathBuf;

use serde_json::json;

use super::reply::Reply;
use super::reply::Screen;
use super::reply::shown_line;
use crate::failure::Failure;
use crate::vendor::Code;
use crate::vendor::output::read_small;
use crate::vendor::signing;
use crate::vendor::signing::Attached;
use crate::vendor::signing::SigningKey;
use crate::vendor::signing::password;
use crate::vendor::signing::password::Password;

/// A key file has two short lines.
const KEY_CAP_BYTES: u64 = 16 << 10;

/// Sign a package
///
/// Signs the manifest, which names everything in the package by its SHA-256. The signature goes into
/// the package beside those that are there; the package digest stays what it was. A package that has a
/// valid signature by this key is left as it is.
///
/// Any key of minisign's will do, made here or by the stock tool.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cofferdam sign acme-agent-1.1.0.upd --key acme.key
  COFFERDAM_PASSWORD=... cofferdam sign acme-agent-1.1.0.upd --key ci.key     (CI)

Signing where cofferdam is not installed, for example on a machine without a network:
  cofferdam inspect acme-agent-1.1.0.upd --extract look      writes look/manifest.json
  minisign -S -s acme.key -m look/manifest.json              writes look/manifest.json.minisig
  cofferdam attach acme-agent-1.1.0.upd look/manifest.json.minisig --key acme.pub")]
pub(crate) struct Arguments {
    /// The package
    #[arg(value_name = "X.upd")]
    package: PathBuf,
    /// The secret key
    #[arg(long, value_name = "NAME.key")]
    key: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// The key or the package was refused, or the package cannot be written.
#[expect(
    clippy::needless_pass_by_value,
    reason = "every command takes its arguments"
)]
pub(crate) fn run(arguments: Arguments, _screen: &Screen) -> Result<Reply, Failure> {
    let key = read_key(&arguments.key)?;
    let attached = signing::sign(&arguments.package, &key)?;
    Ok(reply(&arguments.package, &attached))
}

fn read_key(path: &Path) -> Result<SigningKey, Failure> {
    let name = path.display().to_string();
    let text = String::from_utf8(read_small(path, KEY_CAP_BYTES)?)
        .map_err(|_| Code::KeyMalformed.because(format!("`{name}` is not text")))?;
    let password = Password::from_variable(std::env::var_os(password::VARIABLE))?;
    SigningKey::parse(&text, &name, &password)
}

/// The reply of `sign` and `attach`.
pub(super) fn reply(package: &Path, attached: &Attached) -> Reply {
    let result = if attached.added {
        "signed"
    } else {
        "unchanged"
    };
    let json = json!({
        "result": result,
        "package": package,
        "id": attached.id,
        "version": attached.version,
        "package_digest": attached.digest,
        "key_id": attached.key_id.to_string(),
        "verified": attached.verified,
        "trusted_comment": attached.trusted_comment,
        "signatures": attached.signatures,
    });
    let done = match (attached.added, attached.verified) {
        (true, true) => "signed by",
        (true, false) => "signature added (not verified: no --key given), by",
        (false, _) => "unchanged: it has this signature already, by",
    };
    let text = format!(
        "{} {}  {done} {}\ndigest {}\n{} signature{} in {}",
        attached.id,
        attached.version,
        attached.key_id,
        attached.digest,
        attached.signatures,
        if attached.signatures == 1 { "" } else { "s" },
        shown_line(&package.display().to_string()),
    );
    Reply::done(json, text)
}
