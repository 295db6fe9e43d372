// SPDX-License-Identifier: Apache-2.0
//! `cofferdam attach`: puts a signature that was made elsewhere into a package.

use std::path::Path;
use std::path::PathBuf;

use cofferdam_package::keyring::PublicKey;

use super::reply::Reply;
use super::reply::Screen;
use super::sign;
use crate::failure::Failure;
use crate::vendor;
use crate::vendor::output::read_small;
use crate::vendor::signing;

/// Signatures and public keys have a few short lines.
const SMALL_CAP_BYTES: u64 = 16 << 10;

/// Put a signature that was made elsewhere into a package
///
/// For signers who use the stock `minisign` tool, and for reviewers who countersign: the signature is
/// over manifest.json, exactly as `cofferdam inspect --extract` writes it. It must be of minisign's
/// default kind (prehashed, four lines). Attaching the same signature twice changes nothing; another
/// signature by the same key is refused.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  cofferdam inspect acme-agent-1.1.0.upd --extract look
  minisign -S -s reviewer.key -m look/manifest.json
  cofferdam attach acme-agent-1.1.0.upd look/manifest.json.minisig --key reviewer.pub")]
pub(crate) struct Arguments {
    /// The package
    #[arg(value_name = "X.upd")]
    package: PathBuf,
    /// The signature over its manifest.json
    #[arg(value_name = "manifest.json.minisig")]
    signature: PathBuf,
    /// The signer's public key: the signature must verify. Without it, only its form is checked
    #[arg(long, value_name = "PUB")]
    key: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// The signature, the key or the package was refused, or the package cannot be written.
#[expect(
    clippy::needless_pass_by_value,
    reason = "every command takes its arguments"
)]
pub(crate) fn run(arguments: Arguments, screen: &Screen) -> Result<Reply, Failure> {
    let signature = read_small(&arguments.signature, SMALL_CAP_BYTES)?;
    let key = arguments.key.as_deref().map(read_public_key).transpose()?;
    if key.is_none() {
        screen.note(
            "note",
            "no --key given: the form of the signature is checked, not who made it",
        );
    }
    let attached = signing::attach(&arguments.package, &signature, key.as_ref())?;
    Ok(sign::reply(&arguments.package, &attached))
}

/// Reads a `.pub` file.
///
/// # Errors
/// The file cannot be read, or is not a public key of minisign's.
pub(super) fn read_public_key(path: &Path) -> Result<PublicKey, Failure> {
    let bytes = read_small(path, SMALL_CAP_BYTES)?;
    PublicKey::parse(&String::from_utf8_lossy(&bytes)).map_err(|error| {
        let mut failure = vendor::refused(error.code(), &error);
        failure.message = format!("`{}`: {}", path.display(), failure.message);
        failure
    })
}
