// SPDX-License-Identifier: Apache-2.0
//! A whole update in a scratch folder: what a vendor runs before anything is signed.
//!
//! There is no way around a signature, here neither: both packages are copied and signed with a key
//! that is made for the trial and forgotten with it. Everything else is the real thing: a directory is
//! adopted, and the update is planned and applied to it.

use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use cofferdam_package::keyring::KeyRing;

use crate::care::adopt;
use crate::failure::Failure;
use crate::package_file;
use crate::update;
use crate::update::report::Plan;
use crate::vendor::extract;
use crate::vendor::rehearsal::scratch;
use crate::vendor::signing;
use crate::vendor::signing::SigningKey;
use crate::vendor::signing::password::Password;
use crate::watch::Unwatched;
use crate::watch::Watch;

/// What is to be tried.
#[derive(Debug)]
pub struct Request {
    /// The package to update to.
    pub new: PathBuf,
    /// The package to update from.
    pub from: PathBuf,
    /// A directory to start from instead of the old package's payload.
    pub root: Option<PathBuf>,
    /// The roles to try it with.
    pub roles: Vec<String>,
    /// Where the updated tree is to be left.
    pub keep: Option<PathBuf>,
    /// Now, in seconds since 1970.
    pub now: u64,
    /// A fresh transaction id.
    pub txid: String,
}

/// Installs the old package in a scratch folder, updates it to the new one, and says what happened.
///
/// # Errors
/// Whatever keeps the update from being applied; the scratch folder cannot be made.
pub fn run(request: Request, watch: &mut dyn Watch) -> Result<Plan, Failure> {
    let beside = request
        .keep
        .as_deref()
        .and_then(Path::parent)
        .filter(|parent| *parent != Path::new(""));
    let scratch = match beside {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let scratch = scratch.map_err(|error| Failure::io("a scratch folder", &error))?;
    let place = |name: &str| scratch.path().join(name);
    let failed =
        |what: &str, error: &std::io::Error| Failure::io(format!("scratch `{what}`"), error);

    let key = signing::generate(None)?;
    fs::write(place("trial.pub"), &key.public_text).map_err(|error| failed("trial.pub", &error))?;
    let key = SigningKey::parse(&key.secret_text, "trial", &Password::Ask)?;
    for (from, name) in [(&request.from, "old.upd"), (&request.new, "new.upd")] {
        // What is no package is refused before it is copied, however large it is.
        drop(package_file::open(from)?);
        let mut package = package_file::open_file(from)?;
        File::create_new(place(name))
            .and_then(|mut copy| io::copy(&mut package, &mut copy))
            .map_err(|error| Failure::io(format!("package `{}`", from.display()), &error))?;
        signing::sign(&place(name), &key)?;
    }
    let install = place("install");
    match &request.root {
        Some(root) => scratch::copy_tree(root, &install)?,
        None => lay_out(&place("old.upd"), &place("extracted"), &install, watch)?,
    }
    fs::set_permissions(&install, fs::Permissions::from_mode(0o755))
        .map_err(|error| failed("install", &error))?;
    adopt::adopt(&adopt::Request {
        dir: install.clone(),
        vendors: vec![place("trial.pub")],
        reviewers: Vec::new(),
        package: Some(place("old.upd")),
        id: None,
        roles: request.roles,
        registry: place("registry"),
        now: request.now,
        txid: format!("{}-adopt", request.txid),
    })?;
    let asked = |txid: String| update::Request {
        dir: install.clone(),
        package: place("new.upd"),
        expect: None,
        expect_data: None,
        live: true,
        replace: Vec::new(),
        finalize: true,
        now: request.now,
        txid,
    };
    let mut plan = update::plan(&asked(format!("{}-plan", request.txid)), &mut Unwatched)?;
    let (applied, failure) = update::apply(&asked(request.txid.clone()), watch)?;
    if let Some(failure) = failure {
        return Err(failure);
    }
    plan.signatures.retain(|signature| !signature.trusted);
    plan.steps = applied.steps;
    plan.notes
        .push("tried to the end: committed, healthy, thrown away".to_owned());
    if let Some(keep) = &request.keep {
        rustix::fs::renameat_with(
            rustix::fs::CWD,
            &install,
            rustix::fs::CWD,
            keep,
            rustix::fs::RenameFlags::NOREPLACE,
        )
        .map_err(|error| Failure::io(format!("`{}`", keep.display()), &error.into()))?;
    }
    Ok(plan)
}

/// Puts a package's payload at a new directory.
fn lay_out(
    package: &Path,
    extracted: &Path,
    at: &Path,
    watch: &mut dyn Watch,
) -> Result<(), Failure> {
    let examined = package_file::open(package)?.examine(&KeyRing::new())?;
    extract::extract(examined.contents(), extracted, watch)?;
    fs::rename(extracted.join("payload"), at)
        .map_err(|error| Failure::io("the old payload", &error))
}
