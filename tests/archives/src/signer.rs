// SPDX-License-Identifier: Apache-2.0
//! A key pair of minisign's kind, and what it signs.

use std::io::Cursor;

use minisign::KeyPair;

/// A key pair with its id.
#[derive(Clone)]
pub struct Signer {
    pair: KeyPair,
    /// The id, as `minisign` writes it: 16 upper-case digits.
    pub id: String,
}

impl Signer {
    pub(crate) fn new() -> Self {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let id: [u8; 8] = pair.pk.keynum().try_into().unwrap();
        let id = format!("{:016X}", u64::from_le_bytes(id));
        Self { pair, id }
    }

    /// The text of the signature file over `bytes`.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> String {
        self.sign_with(bytes, "made for a test")
    }

    /// The same, with another trusted comment.
    #[must_use]
    pub fn sign_with(&self, bytes: &[u8], comment: &str) -> String {
        let comment = Some(comment);
        let signed = minisign::sign(None, &self.pair.sk, Cursor::new(bytes), comment, None);
        signed.unwrap().to_string()
    }

    /// The name of the signature's entry.
    #[must_use]
    pub fn entry_name(&self) -> String {
        format!("signatures/{}.minisig", self.id)
    }

    /// The public key, as the second line of a `.pub` file.
    #[must_use]
    pub fn public_key(&self) -> String {
        self.pair.pk.to_base64()
    }
}
