// SPDX-License-Identifier: Apache-2.0
//! A signature's way into a package.
//!
//! The package is read strictly, written anew with the signature beside itself, read again with the
//! signer's key as the only trusted one, and renamed. Blobs are copied as they are, so the package
//! digest and every other signature stay what they were.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use cofferdam_package::archive::PackageFile;
use cofferdam_package::digest::Digest;
use cofferdam_package::keyring::KeyId;
use cofferdam_package::keyring::KeyRing;
use cofferdam_package::keyring::PublicKey;
use cofferdam_package::keyring::Role;
use cofferdam_package::keyring::TrustedKey;
use cofferdam_package::limits::Limits;
use cofferdam_package::signature::claimed_key_id;
use cofferdam_package::verify::ExaminedPackage;
use cofferdam_package::write;

use super::super::Code;
use super::super::not_written;
use super::super::output::Existing;
use super::super::output::Output;
use super::super::refused;
use super::SigningKey;
use crate::failure::Failure;
use crate::package_file;

/// A signature that is in a package now.
#[derive(Debug, Clone)]
pub struct Attached {
    /// Whose it is.
    pub key_id: KeyId,
    /// The package's id.
    pub id: String,
    /// The package's version.
    pub version: String,
    /// The digest that was signed.
    pub digest: Digest,
    /// Whether the signature was verified with the signer's public key.
    pub verified: bool,
    /// What the signer says, once verified.
    pub trusted_comment: Option<String>,
    /// False when the package had this signature before.
    pub added: bool,
    /// How many signatures the package has now.
    pub signatures: usize,
}

/// Signs a package with a secret key.
///
/// A package that has a valid signature by this key is left as it is: minisign signatures of the same
/// bytes differ from one another, and one is enough.
///
/// # Errors
/// The package was refused, has a bad signature by this key, or cannot be written.
pub fn sign(path: &Path, key: &SigningKey) -> Result<Attached, Failure> {
    let public =
        PublicKey::parse(&key.public_text()?).map_err(|error| refused(error.code(), &error))?;
    let package = read(package_file::open(path)?, Some(&public))?;
    let key_id = public.id();
    if package
        .signatures()
        .iter()
        .any(|found| found.key_id == key_id)
    {
        return Ok(attached(&package, key_id, false));
    }
    package.prove_blobs()?;
    let manifest = package.manifest();
    // For people, and covered by the signature; hosts go by the manifest alone.
    let comment = format!(
        "cofferdam package {} {} sha256:{}",
        manifest.id,
        manifest.version,
        package.digest()
    );
    let signature = key.sign(package.manifest_bytes(), &comment)?;
    rewrite(path, key_id, &signature, Some(&public))
}

/// Puts a signature that somebody made elsewhere, with the stock `minisign` tool over `manifest.json`,
/// into a package. With `public`, it must verify.
///
/// # Errors
/// The signature is malformed or (with `public`) does not verify; the package has another signature by
/// the same key; the package was refused, or cannot be written.
pub fn attach(
    path: &Path,
    signature: &[u8],
    public: Option<&PublicKey>,
) -> Result<Attached, Failure> {
    let key_id = claimed_key_id(signature).map_err(|error| refused(error.code(), &error))?;
    if let Some(public) = public.filter(|public| public.id() != key_id) {
        return Err(Code::SignatureOtherKey.because(format!(
            "the signature is by key {key_id}; expected one by {}",
            public.id()
        )));
    }
    let package = read(package_file::open(path)?, public)?;
    let present = package
        .signature_files()
        .into_iter()
        .find(|(found, _)| *found == key_id);
    match present {
        Some((_, bytes)) if bytes == signature => Ok(attached(&package, key_id, false)),
        Some(_) => Err(Code::SignatureConflict.because(format!(
            "the package has another signature by key {key_id} already"
        ))),
        None => {
            package.prove_blobs()?;
            rewrite(path, key_id, signature, public)
        }
    }
}

/// Reads a package with at most one trusted key.
fn read(package: PackageFile, public: Option<&PublicKey>) -> Result<ExaminedPackage, Failure> {
    let mut keyring = KeyRing::new();
    if let Some(public) = public {
        let name = public.id().to_string();
        keyring
            .add(TrustedKey {
                key: public.clone(),
                role: Role::Vendor,
                name,
            })
            .map_err(|error| refused(error.code(), &error))?;
    }
    Ok(package.examine(&keyring)?)
}

fn rewrite(
    path: &Path,
    key_id: KeyId,
    signature: &[u8],
    public: Option<&PublicKey>,
) -> Result<Attached, Failure> {
    let original = package_file::open_file(path)?;
    let mode = original
        .metadata()
        .map_err(|error| Failure::io(format_args!("`{}`", path.display()), &error))?
        .permissions()
        .mode();
    let mut output = Output::beside(path, 0o600)?;
    write::with_signature(original, output.file(), key_id, signature)
        .map_err(|error| not_written(path, &error))?;
    let package = read(
        PackageFile::open(output.reopen()?, Limits::default())?,
        public,
    )?;
    output.set_mode(mode & 0o777)?;
    output.put_in_place(Existing::Replace)?;
    Ok(attached(&package, key_id, true))
}

fn attached(package: &ExaminedPackage, key_id: KeyId, added: bool) -> Attached {
    let report = package
        .signatures()
        .iter()
        .find(|found| found.key_id == key_id);
    Attached {
        key_id,
        id: package.manifest().id.to_string(),
        version: package.manifest().version.to_string(),
        digest: package.digest(),
        verified: report.is_some_and(|report| report.trusted),
        trusted_comment: report.and_then(|report| report.trusted_comment.clone()),
        added,
        signatures: package.signatures().len(),
    }
}
