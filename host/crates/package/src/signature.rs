// SPDX-License-Identifier: Apache-2.0
//! Signatures over a manifest: minisign's format, prehashed, exactly four lines.
//!
//! | trick | defence |
//! |---|---|
//! | a second signature or other bytes after the fourth line, which libraries skip | refused |
//! | legacy signatures, which sign the bytes and not their hash | refused |
//! | a trusted comment that is read before it is verified | reported only after verification |
//! | one signature under two names, to count twice | the file's name must be the key id inside it |
//! | a broken signature by a trusted key, hidden among good ones | refuses the package |
//! | two trusted keys with one id | refused when a key is added, see [`crate::keyring`] |
//!
//! This file is the only place that verifies and the only one that counts signatures.

use serde::Serialize;

use crate::base64;
use crate::keyring::KeyId;
use crate::keyring::KeyRing;
use crate::keyring::Role;
use crate::path::is_control;

/// How many signatures of distinct keys a package needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureRule {
    /// Signatures by vendors; 0 is taken for 1, since signatures are never optional.
    pub vendor: u32,
    /// Signatures by reviewers.
    pub reviewer: u32,
}

impl Default for SignatureRule {
    fn default() -> Self {
        Self {
            vendor: 1,
            reviewer: 0,
        }
    }
}

/// What is known of one signature of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignatureReport {
    /// The key that it claims to be made with.
    pub key_id: KeyId,
    /// Whether that key is trusted, and so whether the signature was verified.
    pub trusted: bool,
    /// What the key may vouch for, when it is trusted.
    pub role: Option<Role>,
    /// What the operator calls the key, when it is trusted.
    pub name: Option<String>,
    /// The trusted comment, when it was verified; control characters are replaced.
    pub trusted_comment: Option<String>,
}

/// A signature is refused, or there are not enough.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text is its description")]
pub enum SignatureError {
    #[error(
        "signature `{name}` is malformed: {found}; expected the four lines of a minisign signature"
    )]
    Format { name: String, found: &'static str },
    #[error("signature `{name}` is of minisign's legacy kind; expected a prehashed one")]
    Legacy { name: String },
    #[error("signature `{name}` is made with key `{inside}`; expected the key that its name says")]
    OtherKey { name: String, inside: KeyId },
    #[error("the signature by trusted key `{key_id}` (`{name}`) does not match the manifest")]
    Invalid { key_id: KeyId, name: String },
    #[error("found {found} valid signatures by trusted {role} keys; expected at least {needed}")]
    NotEnough { role: Role, found: u32, needed: u32 },
}

impl SignatureError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Format { .. } => "signature-format",
            Self::Legacy { .. } => "signature-legacy",
            Self::OtherKey { .. } => "signature-other-key",
            Self::Invalid { .. } => "signature-invalid",
            Self::NotEnough { .. } => "signatures-missing",
        }
    }
}

/// A signature in the right form; nothing about it is verified yet.
#[derive(Clone)]
pub(crate) struct Signature {
    key_id: KeyId,
    bytes: Vec<u8>,
    decoded: minisign_verify::Signature,
}

impl Signature {
    /// Reads a signature file that is named for `key_id`.
    pub(crate) fn parse(key_id: KeyId, bytes: &[u8]) -> Result<Self, SignatureError> {
        let name = || format!("{key_id}.minisig");
        let signature = Self::parse_any(bytes).map_err(|error| match error {
            Malformed::Format(found) => SignatureError::Format {
                name: name(),
                found,
            },
            Malformed::Legacy => SignatureError::Legacy { name: name() },
        })?;
        if signature.key_id != key_id {
            return Err(SignatureError::OtherKey {
                name: name(),
                inside: signature.key_id,
            });
        }
        Ok(signature)
    }

    fn parse_any(bytes: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(bytes).map_err(|_| Malformed::Format("it is no text"))?;
        if text
            .chars()
            .any(|c| is_control(c) && c != '\n' && c != '\t')
        {
            return Err(Malformed::Format("it has control characters"));
        }
        let text = text.strip_suffix('\n').unwrap_or(text);
        let lines: Vec<&str> = text.split('\n').collect();
        let [untrusted, signature, trusted, global] = lines.as_slice() else {
            return Err(Malformed::Format("it has more or fewer than four lines"));
        };
        if !untrusted.starts_with("untrusted comment: ") {
            return Err(Malformed::Format("its first line is no untrusted comment"));
        }
        if !trusted.starts_with("trusted comment: ") {
            return Err(Malformed::Format("its third line is no trusted comment"));
        }
        let signature = base64::decode(signature).filter(|bytes| bytes.len() == 74);
        let signature = signature.ok_or(Malformed::Format("its second line is no signature"))?;
        if base64::decode(global).is_none_or(|bytes| bytes.len() != 64) {
            return Err(Malformed::Format("its fourth line is no signature"));
        }
        let rest = match signature.as_slice() {
            [b'E', b'D', rest @ ..] => rest,
            [b'E', b'd', ..] => return Err(Malformed::Legacy),
            _ => return Err(Malformed::Format("its algorithm is unknown")),
        };
        let (id, _) = rest
            .split_first_chunk::<8>()
            .ok_or(Malformed::Format("it is too short"))?;
        let decoded = minisign_verify::Signature::decode(text)
            .map_err(|_| Malformed::Format("it cannot be decoded"))?;
        Ok(Self {
            key_id: KeyId::from_bytes(*id),
            bytes: bytes.to_vec(),
            decoded,
        })
    }

    pub(crate) fn key_id(&self) -> KeyId {
        self.key_id
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

enum Malformed {
    Format(&'static str),
    Legacy,
}

/// The id of the key that a signature file claims to be made with, after the strict checks of form.
///
/// # Errors
///
/// Refuses anything but the four lines of one prehashed minisign signature.
pub fn claimed_key_id(bytes: &[u8]) -> Result<KeyId, SignatureError> {
    let name = || "(unnamed)".to_owned();
    match Signature::parse_any(bytes) {
        Ok(signature) => Ok(signature.key_id),
        Err(Malformed::Format(found)) => Err(SignatureError::Format {
            name: name(),
            found,
        }),
        Err(Malformed::Legacy) => Err(SignatureError::Legacy { name: name() }),
    }
}

/// Verifies the signatures by trusted keys; lists the others unverified.
pub(crate) fn verify_all(
    signed: &[u8],
    signatures: &[Signature],
    ring: &KeyRing,
) -> Result<Vec<SignatureReport>, SignatureError> {
    let mut reports = Vec::with_capacity(signatures.len());
    for signature in signatures {
        let key_id = signature.key_id;
        let Some(key) = ring.get(key_id) else {
            reports.push(SignatureReport {
                key_id,
                trusted: false,
                role: None,
                name: None,
                trusted_comment: None,
            });
            continue;
        };
        key.key
            .verifier()
            .verify(signed, &signature.decoded, false)
            .map_err(|_| SignatureError::Invalid {
                key_id,
                name: key.name.clone(),
            })?;
        let comment = signature.decoded.trusted_comment();
        reports.push(SignatureReport {
            key_id,
            trusted: true,
            role: Some(key.role),
            name: Some(key.name.clone()),
            trusted_comment: Some(comment.replace(is_control, " ")),
        });
    }
    Ok(reports)
}

/// Whether enough keys of each role signed. Each report stands for another key: file names are unique
/// in an archive, equal the key id inside, and no two trusted keys share an id or the key itself.
pub(crate) fn check_rule(
    reports: &[SignatureReport],
    rule: SignatureRule,
) -> Result<(), SignatureError> {
    for (role, needed) in [
        (Role::Vendor, rule.vendor.max(1)),
        (Role::Reviewer, rule.reviewer),
    ] {
        let found = reports
            .iter()
            .filter(|report| report.role == Some(role))
            .count();
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        if found < needed {
            return Err(SignatureError::NotEnough {
                role,
                found,
                needed,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
