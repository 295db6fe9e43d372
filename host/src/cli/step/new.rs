// SPDX-License-Identifier: Apache-2.0
//! `cofferdam step new`: writes a ready crate.

use std::path::PathBuf;

use serde_json::json;

use crate::cli::reply::Reply;
use crate::cli::reply::shown;
use crate::failure::Failure;
use crate::vendor::Code;
use crate::vendor::scaffold;

/// Write a ready crate for a new step into the new folder NAME
///
/// The crate holds a working step with a native test, a lock file, a README, and the lines for your
/// package.toml. A copy of the SDK and of the interface (wit/) lies beside it, so it builds anywhere.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cofferdam step new convert-records
  cd convert-records && cargo test && cargo build --release --target wasm32-wasip2
  cofferdam step new steps/move-net-section --sdk ../cofferdam/guest-sdk   uses that SDK, no copy")]
pub(crate) struct Arguments {
    /// The folder to make; its last part names the crate and the step (a-z, 0-9, -)
    name: PathBuf,
    /// Use the SDK in this folder instead of a copy
    #[arg(long, value_name = "PATH")]
    sdk: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// The name was refused, something is there already, or the folder cannot be written.
#[expect(
    clippy::needless_pass_by_value,
    reason = "every command takes its arguments"
)]
pub(super) fn run(arguments: Arguments) -> Result<Reply, Failure> {
    let folder = &arguments.name;
    let name = folder
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| {
            Code::NameRefused.because(format!("`{}` does not end in a name", folder.display()))
        })?;
    let files = scaffold::write_crate(folder, name, arguments.sdk.as_deref())?;
    let place = folder.display();
    let text = format!(
        "{place}: a crate for the step `{name}`, {} files\n\n\
         cd {place}\n\
         cargo test                                       its logic, natively\n\
         cargo build --release --target wasm32-wasip2     the component\n\
         cofferdam step run target/wasm32-wasip2/release/{}.wasm --root DIR \\\n    \
         --read 'data/**' --write 'data/*.txt'\n\n\
         For your package.toml:\n\n{}",
        files.len(),
        name.replace('-', "_"),
        scaffold::snippet(name).trim_end(),
    );
    let json = json!({ "name": name, "folder": folder, "files": files });
    Ok(Reply::done(json, shown(&text)))
}
