// SPDX-License-Identifier: Apache-2.0
//! Why a manifest is refused.

use serde_json::error::Category;

use crate::digest::Digest;
use crate::digest::DigestError;
use crate::glob::GlobError;
use crate::path::PathError;

/// A manifest is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "each variant's text is its description, its fields what the text names"
)]
pub enum ManifestError {
    #[error("the manifest has {bytes} bytes; at most {limit_bytes} are read")]
    TooLarge { bytes: u64, limit_bytes: u64 },
    #[error("the manifest is not valid JSON: {message}")]
    Syntax { message: String },
    #[error("the manifest nests deeper than {limit} levels")]
    TooDeep { limit: usize },
    #[error("the manifest has the member `{key}` twice in one object")]
    DuplicateKey { key: String },
    #[error(
        "the document is no package manifest: found `{found}` as its first member, expected `\"cofferdam\": \"package/1\"`"
    )]
    Kind { found: String },
    #[error("the manifest has format `{found}`; this host reads `package/1`")]
    Format { found: String },
    #[error("the package needs cofferdam `{needed}`; this host is `{host}`")]
    HostTooOld { needed: String, host: &'static str },
    #[error("the manifest does not follow the format: {message}")]
    Schema { message: String },
    #[error("{field} `{found}` is malformed: expected `{expected}`")]
    Name {
        field: &'static str,
        found: String,
        expected: &'static str,
    },
    #[error("mode `{found}` is malformed: expected four octal digits from `0000` to `0777`")]
    Mode { found: String },
    #[error("version `{found}` is malformed: expected a semantic version")]
    Version { found: String },
    #[error("`{field}` is `{found}`: expected a version requirement such as `>=1.0.0, <2.0.0`")]
    Requirement { field: &'static str, found: String },
    #[error(
        "`{field}` is too long or has control characters: found `{found}`, expected one line of at most {limit_bytes} bytes"
    )]
    Text {
        field: &'static str,
        found: String,
        limit_bytes: usize,
    },
    #[error("`created` is {found}: expected seconds since 1970, before the year 10,000")]
    Created { found: u64 },
    #[error("there are more than {limit} {what}")]
    TooMany { what: &'static str, limit: usize },
    #[error(transparent)]
    Digest(#[from] DigestError),
    #[error(transparent)]
    Path(#[from] PathError),
    #[error("symlink `{link}`: its target, {error}")]
    Target { link: String, error: PathError },
    #[error("{owner}: {error}")]
    Pattern { owner: String, error: GlobError },
    #[error("path `{path}` is listed twice")]
    DuplicatePath { path: String },
    #[error("path `{path}` comes after `{previous}`; entries must be sorted by path")]
    Unsorted { path: String, previous: String },
    #[error(
        "paths `{first}` and `{second}` are one name where letter case or Unicode form is ignored"
    )]
    FoldedPath { first: String, second: String },
    #[error("path `{path}` is both a directory and something else")]
    FileAndDirectory { path: String },
    #[error("`{owner}` has the malformed or repeated role `{role}`")]
    Role { owner: String, role: String },
    #[error("`{owner}` names blob `{digest}`, which is not listed in `blobs`")]
    UnlistedBlob { owner: String, digest: Digest },
    #[error("`{owner}` says that blob `{digest}` has {found} bytes; `blobs` says {listed}")]
    BlobSize {
        owner: String,
        digest: Digest,
        found: u64,
        listed: u64,
    },
    #[error("blob `{digest}` is listed but nothing uses it")]
    UnusedBlob { digest: Digest },
    #[error("blob `{digest}` has {bytes} bytes; at most {limit_bytes} are allowed")]
    BlobTooLarge {
        digest: Digest,
        bytes: u64,
        limit_bytes: u64,
    },
    #[error("the payload has {bytes} bytes; at most {limit_bytes} are allowed")]
    PayloadTooLarge { bytes: u64, limit_bytes: u64 },
    #[error("blob `{digest}` is the component of step `{step}` and also a payload file")]
    ComponentInPayload { step: String, digest: Digest },
    #[error(
        "the components of all steps have {bytes} bytes together; at most {limit_bytes} are allowed"
    )]
    ComponentsTooLarge { bytes: u64, limit_bytes: u64 },
    #[error("step `{step}` is listed twice")]
    DuplicateStep { step: String },
    #[error("step `{step}` of phase `{phase}` asks to write; such steps only look")]
    WriteInReadOnlyPhase { step: String, phase: &'static str },
    #[error("step `{step}` asks for `{limit}` = {found}; expected {expected}")]
    StepLimit {
        step: String,
        limit: &'static str,
        found: u64,
        expected: String,
    },
    #[error(
        "{owner} names a configuration file, `{found}`; expected keys of its own file, without a name"
    )]
    NamedConfig { owner: String, found: String },
    #[error("{owner} speaks of configuration `{found}`; declared are: {declared}")]
    UnknownConfig {
        owner: String,
        found: String,
        declared: String,
    },
    #[error("configurations `{first}` and `{second}` are one file")]
    ConfigFileTwice { first: String, second: String },
    #[error("a build is recorded for step `{step}`, which does not exist or has one already")]
    BuildOfNoStep { step: String },
}

impl ManifestError {
    pub(super) fn json(error: &serde_json::Error) -> Self {
        let message = crate::path::shown(&error.to_string());
        match error.classify() {
            Category::Data => Self::Schema { message },
            Category::Io | Category::Syntax | Category::Eof => Self::Syntax { message },
        }
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "manifest-too-large",
            Self::Syntax { .. } => "manifest-syntax",
            Self::TooDeep { .. } => "manifest-too-deep",
            Self::DuplicateKey { .. } => "manifest-duplicate-key",
            Self::Kind { .. } => "manifest-kind",
            Self::Format { .. } => "manifest-format",
            Self::HostTooOld { .. } => "host-too-old",
            Self::Schema { .. } => "manifest-schema",
            Self::Name { .. } => "manifest-name",
            Self::Mode { .. } => "manifest-mode",
            Self::Version { .. } => "manifest-version",
            Self::Requirement { .. } => "manifest-requirement",
            Self::Text { .. } => "manifest-text",
            Self::Created { .. } => "manifest-created",
            Self::TooMany { .. } => "manifest-too-many",
            Self::Digest(error) => error.code(),
            Self::Path(error) | Self::Target { error, .. } => error.code(),
            Self::Pattern { error, .. } => error.code(),
            Self::DuplicatePath { .. } => "path-duplicate",
            Self::Unsorted { .. } => "path-unsorted",
            Self::FoldedPath { .. } => "path-case-clash",
            Self::FileAndDirectory { .. } => "path-file-and-directory",
            Self::Role { .. } => "manifest-role",
            Self::UnlistedBlob { .. } => "blob-unlisted",
            Self::BlobSize { .. } => "blob-size-mismatch",
            Self::UnusedBlob { .. } => "blob-unused",
            Self::BlobTooLarge { .. } => "blob-too-large",
            Self::PayloadTooLarge { .. } => "payload-too-large",
            Self::ComponentInPayload { .. } => "component-in-payload",
            Self::ComponentsTooLarge { .. } => "components-too-large",
            Self::DuplicateStep { .. } => "step-duplicate",
            Self::WriteInReadOnlyPhase { .. } => "step-phase-writes",
            Self::StepLimit { .. } => "step-limit",
            Self::UnknownConfig { .. } | Self::NamedConfig { .. } => "config-unknown",
            Self::ConfigFileTwice { .. } => "config-file-twice",
            Self::BuildOfNoStep { .. } => "build-of-no-step",
        }
    }
}
