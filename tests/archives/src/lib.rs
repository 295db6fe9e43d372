// SPDX-License-Identifier: Apache-2.0
//! Packages for tests: a sound one, and archives that lie.
//!
//! Each lie is a row with its name, the code that must refuse it, and the function that builds it
//! from the sound package; so the lie is the only thing that is wrong. Unless the lie is about
//! signatures, the archive is signed by a trusted vendor: what refuses it is the rule that it breaks.
//!
//! This crate does not know the reader. It writes archives byte by byte, as anyone could.

#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test that cannot build its archive has failed"
)]

mod blobs;
mod bombs;
mod config;
mod document;
mod headers;
mod manifest;
mod names;
mod paths;
pub mod raw;
mod signatures;
mod signer;
mod sound;
mod steps;
mod structure;
mod truncation;
mod zip64;

use std::fmt;

pub use signer::Signer;
pub use sound::PROGRAM;
pub use sound::Sound;
pub use sound::digest;
pub use zip64::large;

/// Who signs, and who is trusted by the tests.
#[derive(Clone)]
pub struct Signers {
    /// Trusted as a vendor.
    pub vendor: Signer,
    /// Trusted as a vendor too, so that more than one signature can count.
    pub second: Signer,
    /// Trusted as a reviewer.
    pub reviewer: Signer,
    /// Trusted by nobody.
    pub stranger: Signer,
}

impl Signers {
    /// New keys.
    #[must_use]
    pub fn new() -> Self {
        Self {
            vendor: Signer::new(),
            second: Signer::new(),
            reviewer: Signer::new(),
            stranger: Signer::new(),
        }
    }
}

impl Default for Signers {
    fn default() -> Self {
        Self::new()
    }
}

/// Builds an archive that these signers have signed.
type Builder = dyn Fn(&Signers) -> Vec<u8> + Send + Sync;

/// One archive that must be refused.
pub struct Lie {
    /// What it lies about; also the name of its builder.
    pub name: String,
    /// The code that must refuse it.
    pub code: &'static str,
    build: Box<Builder>,
}

impl Lie {
    fn new(
        name: impl Into<String>,
        code: &'static str,
        build: impl Fn(&Signers) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            code,
            build: Box::new(build),
        }
    }

    /// A change of the sound archive, field by field: the manifest, the vendor's signature, the blobs.
    fn zip(
        name: impl Into<String>,
        code: &'static str,
        change: impl Fn(&mut raw::RawZip) + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, code, move |signers| {
            let mut zip = Sound::new().zip(signers);
            change(&mut zip);
            zip.build()
        })
    }

    /// A change of the sound archive's bytes.
    fn bytes(
        name: impl Into<String>,
        code: &'static str,
        change: impl Fn(&mut Vec<u8>) + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, code, move |signers| {
            let mut bytes = Sound::new().build(signers);
            change(&mut bytes);
            bytes
        })
    }

    /// A change of the sound manifest, which is then signed.
    fn manifest(
        name: impl Into<String>,
        code: &'static str,
        change: impl Fn(&mut serde_json::Value) + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, code, move |signers| {
            let mut sound = Sound::new();
            change(&mut sound.manifest);
            sound.build(signers)
        })
    }

    /// A change of the sound manifest's text, which is then signed.
    fn text(
        name: impl Into<String>,
        code: &'static str,
        change: impl Fn(String) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, code, move |signers| {
            let mut sound = Sound::new();
            sound.text = Some(change(sound.manifest_text()));
            sound.build(signers)
        })
    }

    /// The archive.
    #[must_use]
    pub fn build(&self, signers: &Signers) -> Vec<u8> {
        (self.build)(signers)
    }
}

impl fmt::Debug for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.code)
    }
}

/// Every lie.
#[must_use]
pub fn lies() -> Vec<Lie> {
    [
        names::lies(),
        headers::lies(),
        structure::lies(),
        zip64::lies(),
        truncation::lies(),
        bombs::lies(),
        blobs::lies(),
        document::lies(),
        manifest::lies(),
        config::lies(),
        paths::lies(),
        steps::lies(),
        signatures::lies(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
