// SPDX-License-Identifier: Apache-2.0
//! Hostile packages, driven through the library: every lie of `tests/archives` is refused by its own
//! code and in little memory, and no bit of a package can change unnoticed.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod bits;
mod lies;
mod readers;
mod sound;

use std::fs::File;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use cofferdam_archives::Signers;
use cofferdam_package::PackageError;
use cofferdam_package::keyring::KeyRing;
use cofferdam_package::keyring::PublicKey;
use cofferdam_package::keyring::Role;
use cofferdam_package::keyring::TrustedKey;
use cofferdam_package::limits::Limits;
use cofferdam_package::signature::SignatureRule;
use cofferdam_package::verify::Contents;
use cofferdam_package::verify::PackageFile;
use cofferdam_package::verify::VerifiedPackage;
use peak_alloc::PeakAlloc;

/// Counts what is allocated, so that a test can bound it.
#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// One test at a time: what is counted is the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The ring of an install that trusts two vendors and a reviewer.
fn ring(signers: &Signers) -> KeyRing {
    let mut ring = KeyRing::new();
    for (signer, role) in [
        (&signers.vendor, Role::Vendor),
        (&signers.second, Role::Vendor),
        (&signers.reviewer, Role::Reviewer),
    ] {
        let key = PublicKey::parse(&signer.public_key()).unwrap();
        let name = format!("key {}", signer.id);
        ring.add(TrustedKey { key, role, name }).unwrap();
    }
    ring
}

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// Verifies a package and reads it to its end.
fn verify(file: File, ring: &KeyRing) -> Result<VerifiedPackage, PackageError> {
    let package = PackageFile::open(file, Limits::default())?;
    let package = package.verify(ring, &SignatureRule::default())?;
    read_blobs(&package)?;
    Ok(package)
}

/// Looks at a package as `inspect` does, and reads it to its end.
fn examine(file: File, ring: &KeyRing) -> Result<(), PackageError> {
    let package = PackageFile::open(file, Limits::default())?;
    read_blobs(package.examine(ring)?.contents())
}

fn read_blobs(package: &Contents) -> Result<(), PackageError> {
    for digest in package.manifest().blobs.keys() {
        package.copy_blob(digest, &mut std::io::sink())?;
    }
    Ok(())
}
