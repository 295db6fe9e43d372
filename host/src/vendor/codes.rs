// SPDX-License-Identifier: Apache-2.0
//! Every way in which the vendor's commands fail on their own account: one table of code, exit code
//! and help. Errors of the libraries keep the codes that those publish.

use std::path::Path;

use cofferdam_package::write::WriteError;

use crate::failure::Exit;
use crate::failure::Failure;
use crate::failure::chain;
use crate::failure::help_in;

/// A failure of a vendor's command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// A file or folder stands where a new one was to be made.
    AlreadyExists,
    /// Something else than a regular file was named.
    NotAFile,
    /// A file is far larger than its kind ever is.
    FileTooLarge,
    /// Not a minisign secret key.
    KeyMalformed,
    /// The key's parts do not belong together.
    KeyCorrupt,
    /// The key is encrypted and the password does not open it.
    WrongPassword,
    /// A password is needed and there is nobody to ask.
    PasswordNeeded,
    /// The two passwords differ, or there is none.
    PasswordRejected,
    /// The machine gave no randomness, or the key derivation failed.
    KeyGeneration,
    /// The package has a different signature by this key.
    SignatureConflict,
    /// The signature was made by another key than the one to check it with.
    SignatureOtherKey,
    /// A time that is neither RFC 3339 nor a number of seconds.
    TimeMalformed,
    /// `package.toml` asks for something that cannot be packed.
    SourceRefused,
    /// The package would lie inside its own payload.
    OutputInPayload,
    /// The payload has a file with setuid, setgid or sticky bits.
    SpecialMode,
    /// The payload has a device, fifo or socket.
    SpecialFile,
    /// A name in the payload that a package cannot carry.
    PayloadPath,
    /// The payload changed while it was being packed.
    PayloadChanged,
    /// The payload folder is not there, or is not a folder.
    PayloadMissing,
    /// A step's component is neither a crate nor a component.
    ComponentMissing,
    /// No cargo on this machine.
    CargoMissing,
    /// Building a step failed.
    StepBuild,
    /// The crate of a step builds no component.
    NoArtifact,
    /// The crate of a step has no lock file.
    LockMissing,
    /// The wasm32-wasip2 target is missing and could not be added.
    WasmTarget,
    /// A name that a crate cannot have.
    NameRefused,
    /// An argument that is not of the form the command expects.
    Argument,
    /// A configuration file that cannot be read as what it is said to be.
    ConfigRefused,
    /// The step refused the update in the rehearsal.
    StepRefused,
    /// The step asked to wait in the rehearsal.
    StepDeferred,
    /// The health step found the tree unhealthy in the rehearsal.
    StepUnhealthy,
}

impl Code {
    /// Every code, for the documentation and its test.
    pub const ALL: &[Self] = &[
        Self::AlreadyExists,
        Self::NotAFile,
        Self::FileTooLarge,
        Self::KeyMalformed,
        Self::KeyCorrupt,
        Self::WrongPassword,
        Self::PasswordNeeded,
        Self::PasswordRejected,
        Self::KeyGeneration,
        Self::SignatureConflict,
        Self::SignatureOtherKey,
        Self::TimeMalformed,
        Self::SourceRefused,
        Self::OutputInPayload,
        Self::SpecialMode,
        Self::SpecialFile,
        Self::PayloadPath,
        Self::PayloadChanged,
        Self::PayloadMissing,
        Self::ComponentMissing,
        Self::CargoMissing,
        Self::StepBuild,
        Self::NoArtifact,
        Self::LockMissing,
        Self::WasmTarget,
        Self::NameRefused,
        Self::Argument,
        Self::ConfigRefused,
        Self::StepRefused,
        Self::StepDeferred,
        Self::StepUnhealthy,
    ];

    /// The code itself, its exit code, and what to do next.
    pub fn entry(self) -> (&'static str, Exit, &'static str) {
        match self {
            Self::AlreadyExists => (
                "already-exists",
                Exit::Refused,
                "choose another name, or remove the existing one first",
            ),
            Self::NotAFile => ("not-a-file", Exit::Refused, "name a regular file"),
            Self::FileTooLarge => (
                "file-too-large",
                Exit::Refused,
                "check that this is the file you meant",
            ),
            Self::KeyMalformed => (
                "key-malformed",
                Exit::Refused,
                "give the .key file that `cofferdam keygen` or `minisign -G` wrote",
            ),
            Self::KeyCorrupt => (
                "key-corrupt",
                Exit::Refused,
                "restore the key file from your backup",
            ),
            Self::WrongPassword => (
                "wrong-password",
                Exit::Refused,
                "try again; the password is that of the key, asked when it was made",
            ),
            Self::PasswordNeeded => (
                "password-needed",
                Exit::Refused,
                "run on a terminal, or give the password in the variable COFFERDAM_PASSWORD",
            ),
            Self::PasswordRejected => (
                "password-rejected",
                Exit::Refused,
                "type the same password twice; for a key without one, use --no-password",
            ),
            Self::KeyGeneration => (
                "key-generation",
                Exit::Internal,
                "the machine gave no randomness or no memory; try again",
            ),
            Self::SignatureConflict => (
                "signature-conflict",
                Exit::PackageRefused,
                "the package carries another signature by this key; pack it anew and sign that",
            ),
            Self::SignatureOtherKey => (
                "signature-by-other",
                Exit::PackageRefused,
                "give the public key of the person who signed, or ask for a signature by this key",
            ),
            Self::TimeMalformed => (
                "time-malformed",
                Exit::Usage,
                "write 2026-11-21T12:00:00Z, or seconds since 1970",
            ),
            Self::SourceRefused => (
                "source-refused",
                Exit::PackageRefused,
                "correct package.toml and pack again",
            ),
            Self::OutputInPayload => (
                "output-in-payload",
                Exit::Refused,
                "write the package to another folder with -o",
            ),
            Self::SpecialMode => (
                "special-mode",
                Exit::PackageRefused,
                "take the bit away (chmod ug-s,-t FILE), or set its mode in [[payload.set]]",
            ),
            Self::SpecialFile => (
                "special-file",
                Exit::PackageRefused,
                "take it out of the payload: packages carry files, folders and symlinks",
            ),
            Self::PayloadPath => (
                "payload-path",
                Exit::PackageRefused,
                "rename the file: the name must be one that every system can carry",
            ),
            Self::PayloadChanged => (
                "payload-changed",
                Exit::Refused,
                "pack again when nothing writes to the payload folder",
            ),
            Self::PayloadMissing => (
                "payload-missing",
                Exit::Refused,
                "make the folder, or correct `dir` under [payload] in package.toml",
            ),
            Self::ComponentMissing => (
                "component-missing",
                Exit::Refused,
                "`component` names a crate folder (with a Cargo.toml) or a .wasm file, \
                 relative to package.toml",
            ),
            Self::CargoMissing => (
                "cargo-missing",
                Exit::Refused,
                "install Rust from https://rustup.rs, or name a .wasm file that is built elsewhere",
            ),
            Self::StepBuild => (
                "step-build",
                Exit::Refused,
                "correct the crate; the message has cargo's output",
            ),
            Self::NoArtifact => (
                "no-artifact",
                Exit::Refused,
                "the crate needs `[lib] crate-type = [\"cdylib\"]`; `cofferdam step new` writes one",
            ),
            Self::LockMissing => (
                "lock-missing",
                Exit::Refused,
                "run `cargo generate-lockfile` in the crate and keep Cargo.lock with its sources",
            ),
            Self::WasmTarget => (
                "wasm-target",
                Exit::Refused,
                "run `rustup target add wasm32-wasip2`",
            ),
            Self::NameRefused => (
                "name-refused",
                Exit::Usage,
                "use lower-case letters, digits and hyphens, starting with a letter",
            ),
            Self::Argument => ("usage", Exit::Usage, "see the command's --help"),
            Self::ConfigRefused => (
                "config-refused",
                Exit::Refused,
                "give the format by the file's ending (.toml, .json, .ini, .env, .yaml), and a file \
                 that its format can read",
            ),
            Self::StepRefused => (
                "step-refused",
                Exit::StepFailed,
                "the step's own words say why; nothing outside the scratch copy was changed",
            ),
            Self::StepDeferred => (
                "step-deferred",
                Exit::Deferred,
                "the step's own words say why; nothing outside the scratch copy was changed",
            ),
            Self::StepUnhealthy => (
                "step-unhealthy",
                Exit::StepFailed,
                "in an update, the host would roll back here",
            ),
        }
    }

    /// A failure with this code.
    pub fn because(self, message: impl Into<String>) -> Failure {
        let (code, exit, help) = self.entry();
        Failure::new(exit, code, message, help)
    }
}

/// A refusal by `cofferdam-package` of something smaller than a package: a key, a signature, a
/// manifest in the making.
pub(crate) fn refused(code: &'static str, error: &dyn std::error::Error) -> Failure {
    let help = help_in(cofferdam_package::CODES, code);
    Failure::new(Exit::PackageRefused, code, chain(error), help)
}

/// A package at `path` could not be written: the machine's fault, or the content's.
pub(crate) fn not_written(path: &Path, error: &WriteError) -> Failure {
    match error {
        WriteError::Write { source } => {
            Failure::io(format_args!("writing `{}`", path.display()), source)
        }
        other => refused(other.code(), other),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_kebab_case_unique_and_has_a_help() {
        let mut seen = BTreeSet::new();
        for code in Code::ALL {
            let (name, exit, help) = code.entry();
            assert!(seen.insert(name), "`{name}` twice");
            assert!(
                name.bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            );
            assert!(!help.is_empty() && exit != Exit::Done);
        }
    }
}
