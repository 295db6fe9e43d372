// SPDX-License-Identifier: Apache-2.0
//! `cofferdam keygen`: makes a key pair.

use std::path::PathBuf;

use serde_json::json;

use super::reply::Reply;
use super::reply::Screen;
use super::reply::shown_line;
use crate::failure::Failure;
use crate::vendor::Code;
use crate::vendor::output::Existing;
use crate::vendor::output::write_file;
use crate::vendor::signing;
use crate::vendor::signing::password;
use crate::vendor::signing::password::Password;

/// Make a key pair to sign packages with: NAME.key (secret) and NAME.pub
///
/// The files are minisign's own: the stock `minisign` tool signs with the key and verifies with the
/// public half. Existing files are never overwritten.
///
/// Keep NAME.key off the machines that are updated, and off the machine that builds, if you can. Give
/// NAME.pub to operators by a way that you both trust: it is all that tells your packages from others.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cofferdam keygen acme                        asks for a password, writes acme.key and acme.pub
  cofferdam keygen ci --no-password            a key that a machine can use unattended
  COFFERDAM_PASSWORD=... cofferdam keygen ci   the password from the environment (CI)")]
pub(crate) struct Arguments {
    /// Where to write: NAME.key and NAME.pub
    name: PathBuf,
    /// Do not protect the secret key by a password; whoever reads the file can sign
    #[arg(long)]
    no_password: bool,
}

/// Runs the command.
///
/// # Errors
/// A file is there already, no password could be had, or the folder does not take the files.
#[expect(
    clippy::needless_pass_by_value,
    reason = "every command takes its arguments"
)]
pub(crate) fn run(arguments: Arguments, screen: &Screen) -> Result<Reply, Failure> {
    let [secret_path, public_path] =
        ["key", "pub"].map(|extension| with_extension(arguments.name.clone(), extension));
    for path in [&secret_path, &public_path] {
        if path.symlink_metadata().is_ok() {
            return Err(
                Code::AlreadyExists.because(format!("`{}` is there already", path.display()))
            );
        }
    }
    let password = if arguments.no_password {
        screen.note(
            "warning",
            "the key has no password: whoever can read it can sign",
        );
        None
    } else {
        let source = Password::from_variable(std::env::var_os(password::VARIABLE))?;
        Some(source.new_key(&secret_path.display().to_string())?)
    };
    let key = signing::generate(password)?;
    write_file(
        &secret_path,
        0o600,
        key.secret_text.as_bytes(),
        Existing::Keep,
    )?;
    write_file(
        &public_path,
        0o644,
        key.public_text.as_bytes(),
        Existing::Keep,
    )?;
    let text = format!(
        "key id  {}\nsecret  {}  (keep it to yourself, and keep a copy)\npublic  {}  (for operators: \
         cofferdam adopt … --trust {})",
        key.key_id,
        shown_line(&secret_path.display().to_string()),
        shown_line(&public_path.display().to_string()),
        shown_line(&public_path.display().to_string()),
    );
    let json = json!({
        "key_id": key.key_id,
        "secret_key": secret_path,
        "public_key": public_path,
        "password": !arguments.no_password,
    });
    Ok(Reply::done(json, text))
}

/// Appends, where `Path::with_extension` would replace what stands after a dot (`acme-1.0`).
fn with_extension(name: PathBuf, extension: &str) -> PathBuf {
    let mut name = name.into_os_string();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}
