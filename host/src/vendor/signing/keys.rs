// SPDX-License-Identifier: Apache-2.0
//! Secret keys: made, read and used.
//!
//! Formats are minisign's. Keys that the stock tool made without a password (`minisign -G -W`) carry
//! no checksum; whether their halves belong together is then shown by a signature that verifies.

use std::fmt;

use minisign::KeyPair;
use minisign::PublicKey;
use minisign::SecretKey;
use minisign::SecretKeyBox;

use super::super::Code;
use super::base64;
use super::password::Password;
use crate::failure::Failure;

/// Bytes of a secret key: two for the algorithm, key derivation and checksum each, 32 of salt, twice
/// eight of limits, then eight of key id, 64 of key and 32 of checksum.
const SECRET_BYTES: usize = 158;
/// Where the checksum starts.
const CHECKSUM_AT: usize = 126;

/// A key pair that was just made, in the form in which it is stored.
pub struct NewKey {
    /// Sixteen upper-case hexadecimal digits, as minisign shows them.
    pub key_id: String,
    /// The text of the `.key` file.
    pub secret_text: String,
    /// The text of the `.pub` file.
    pub public_text: String,
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// Makes a key pair, protected by `password` if there is one.
///
/// # Errors
/// `key-generation` when the machine has no randomness or too little memory to derive the key.
pub fn generate(password: Option<String>) -> Result<NewKey, Failure> {
    let failed = |error: minisign::PError| {
        Code::KeyGeneration.because(format!("the key could not be made: {error}"))
    };
    let (pair, comment) = match password {
        Some(password) => (
            KeyPair::generate_encrypted_keypair(Some(password)).map_err(failed)?,
            "cofferdam encrypted secret key",
        ),
        None => (
            KeyPair::generate_unencrypted_keypair().map_err(failed)?,
            "cofferdam secret key without password",
        ),
    };
    Ok(NewKey {
        key_id: shown_id(pair.pk.keynum()),
        secret_text: pair.sk.to_box(Some(comment)).map_err(failed)?.into_string(),
        public_text: pair.pk.to_box().map_err(failed)?.into_string(),
    })
}

/// A secret key that can sign.
pub struct SigningKey {
    secret: SecretKey,
    public: PublicKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("key_id", &self.key_id())
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Reads the text of a `.key` file; `password` is asked only when the key is encrypted.
    ///
    /// # Errors
    /// `key-malformed`, `key-corrupt`, `wrong-password`, or what asking for the password gave.
    pub fn parse(text: &str, name: &str, password: &Password) -> Result<Self, Failure> {
        let malformed = |found: &str| {
            Code::KeyMalformed.because(format!("`{name}` is not a minisign secret key: {found}"))
        };
        let mut lines = text.lines();
        let comment = lines.next().unwrap_or_default();
        if !comment.starts_with("untrusted comment: ") {
            return Err(malformed("the first line is not an untrusted comment"));
        }
        let encoded = lines
            .next()
            .ok_or_else(|| malformed("the second line is missing"))?;
        if lines.any(|line| !line.is_empty()) {
            return Err(malformed("it has more than two lines"));
        }
        let bytes = base64::decode(encoded).ok_or_else(|| malformed("line 2 is not base64"))?;
        if bytes.len() != SECRET_BYTES {
            return Err(malformed(&format!(
                "found {} bytes of key, expected {SECRET_BYTES}",
                bytes.len()
            )));
        }
        if !bytes.starts_with(b"Ed") || &bytes[4..6] != b"B2" {
            return Err(malformed("unknown algorithm"));
        }
        let secret = match &bytes[2..4] {
            b"Sc" => {
                let password = password.existing(name)?;
                boxed(text)
                    .into_secret_key(Some(password))
                    .map_err(|error| {
                        Code::WrongPassword.because(format!("`{name}` does not open: {error}"))
                    })?
            }
            [0, 0] if bytes[CHECKSUM_AT..].iter().all(|byte| *byte == 0) => {
                SecretKey::from_bytes(&bytes)
                    .map_err(|error| malformed(&format!("it does not decode: {error}")))?
            }
            [0, 0] => boxed(text).into_unencrypted_secret_key().map_err(|error| {
                Code::KeyCorrupt.because(format!("`{name}` is damaged: {error}"))
            })?,
            _ => return Err(malformed("unknown key derivation")),
        };
        let public = PublicKey::from_secret_key(&secret)
            .map_err(|error| malformed(&format!("it has no public half: {error}")))?;
        let key = Self { secret, public };
        key.sign(b"", "check").map_err(|failure| {
            Code::KeyCorrupt.because(format!("`{name}` is damaged: {}", failure.message))
        })?;
        Ok(key)
    }

    /// Sixteen upper-case hexadecimal digits, as minisign shows them.
    pub fn key_id(&self) -> String {
        shown_id(self.public.keynum())
    }

    /// The text of the `.pub` file that belongs to this key.
    ///
    /// # Errors
    /// `key-corrupt` when the key does not encode.
    pub fn public_text(&self) -> Result<String, Failure> {
        self.public
            .to_box()
            .map(minisign::PublicKeyBox::into_string)
            .map_err(|error| Code::KeyCorrupt.because(format!("the key does not encode: {error}")))
    }

    /// A prehashed signature over `bytes`: the text of a `.minisig` file. It was verified with the
    /// public half before it is returned.
    ///
    /// # Errors
    /// `key-corrupt` when the signature does not verify.
    pub fn sign(&self, bytes: &[u8], trusted_comment: &str) -> Result<Vec<u8>, Failure> {
        let corrupt = |error: minisign::PError| {
            Code::KeyCorrupt.because(format!("the key's halves do not belong together: {error}"))
        };
        let signature = minisign::sign(
            Some(&self.public),
            &self.secret,
            bytes,
            Some(trusted_comment),
            Some(&format!("signature by cofferdam key {}", self.key_id())),
        )
        .map_err(corrupt)?;
        let data = std::io::Cursor::new(bytes);
        minisign::verify(&self.public, &signature, data, true, false, false).map_err(corrupt)?;
        Ok(signature.into_string().into_bytes())
    }
}

fn boxed(text: &str) -> SecretKeyBox {
    SecretKeyBox::from(text.to_owned())
}

/// minisign shows the eight bytes of a key id as a little-endian number.
fn shown_id(bytes: &[u8]) -> String {
    let number = bytes
        .iter()
        .rev()
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:016X}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: Password = Password::Ask;

    /// Made by the stock tool with `minisign -G -W`; its checksum is zero.
    const STOCK_UNENCRYPTED: &str = "untrusted comment: minisign encrypted secret key\n\
        RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAkp6aCPcIeZ5+\
        aQBVLj+cy3WVidtT3O+u4QLIws0kZwbvjkVf3O+RUvbYj6BTZQ1WWA0cMXcnmV4oTmMEyzlYjjajkPRsHatx\
        AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

    #[test]
    fn a_key_that_the_stock_tool_made_without_password_signs() {
        let key = SigningKey::parse(STOCK_UNENCRYPTED, "a.key", &NOBODY).unwrap();
        assert_eq!(key.key_id(), "9E7908F7089A9E92");
        let signature = key.sign(b"hello", "x").unwrap();
        assert_eq!(String::from_utf8(signature).unwrap().lines().count(), 4);
    }

    #[test]
    fn a_new_key_without_password_reads_back() {
        let new = generate(None).unwrap();
        let key = SigningKey::parse(&new.secret_text, "a.key", &NOBODY).unwrap();
        assert_eq!(key.key_id(), new.key_id);
        assert_eq!(key.public_text().unwrap(), new.public_text);
    }

    #[test]
    fn an_encrypted_key_opens_with_its_password_only() {
        let new = generate(Some("right".to_owned())).unwrap();
        let right = Password::Given("right".to_owned());
        assert_eq!(
            SigningKey::parse(&new.secret_text, "a.key", &right)
                .unwrap()
                .key_id(),
            new.key_id
        );
        let wrong = Password::Given("wrong".to_owned());
        let refused = SigningKey::parse(&new.secret_text, "a.key", &wrong).unwrap_err();
        assert_eq!(refused.code, "wrong-password");
    }

    #[test]
    fn a_flipped_byte_in_a_key_is_noticed() {
        let line = STOCK_UNENCRYPTED.lines().nth(1).unwrap();
        // A character inside the secret half (bytes 62 to 94 of the key).
        let mut damaged = line.to_owned().into_bytes();
        damaged[100] = if damaged[100] == b'A' { b'B' } else { b'A' };
        let text = STOCK_UNENCRYPTED.replace(line, &String::from_utf8(damaged).unwrap());
        let refused = SigningKey::parse(&text, "a.key", &NOBODY).unwrap_err();
        assert_eq!(refused.code, "key-corrupt");
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        let public = generate(None).unwrap().public_text;
        for text in [
            "",
            "\n\n",
            "untrusted comment: x\n",
            "untrusted comment: x\n????\n",
            &public,
        ] {
            let refused = SigningKey::parse(text, "a.key", &NOBODY).unwrap_err();
            assert_eq!(refused.code, "key-malformed", "{text:?}");
        }
        let twice = format!("{STOCK_UNENCRYPTED}{STOCK_UNENCRYPTED}");
        assert_eq!(
            SigningKey::parse(&twice, "a", &NOBODY).unwrap_err().code,
            "key-malformed"
        );
    }
}
