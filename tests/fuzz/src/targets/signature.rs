// SPDX-License-Identifier: Apache-2.0
//! A signature file. Of all files only those verify that differ from a sound one in what is not signed.

use std::sync::LazyLock;

use cofferdam_package::CODES;
use cofferdam_package::keyring::KeyRing;
use cofferdam_package::keyring::PublicKey;
use cofferdam_package::keyring::Role;
use cofferdam_package::keyring::TrustedKey;
use cofferdam_package::limits::Limits;
use cofferdam_package::signature::SignatureRule;
use cofferdam_package::signature::claimed_key_id;
use cofferdam_package::verify::verify_manifest;

use crate::check::known;

/// What was signed, by whom, and the signature: all three come from the corpora.
const SIGNED: &[u8] = include_bytes!("../../corpus/manifest/sound.json");
const KEY: &str = include_str!("../../corpus/key/sound.pub");
const SOUND: &str = include_str!("../../corpus/signature/sound.minisig");

static RING: LazyLock<KeyRing> = LazyLock::new(|| {
    let mut ring = KeyRing::new();
    ring.add(TrustedKey {
        key: PublicKey::parse(KEY).expect("a sound key"),
        role: Role::Vendor,
        name: "vendor".to_owned(),
    })
    .expect("a sound ring");
    ring
});

/// Takes the bytes of a `.minisig` file.
pub fn target(data: &[u8]) {
    let id = match claimed_key_id(data) {
        Ok(id) => id,
        Err(error) => return known(error.code(), CODES),
    };
    let files = [(id, data.to_vec())];
    let (rule, limits) = (SignatureRule::default(), Limits::default());
    match verify_manifest(SIGNED, &files, &RING, &rule, &limits) {
        Err(error) => known(error.code(), CODES),
        Ok(verified) => {
            assert_eq!(
                signed_part(str::from_utf8(data).ok()),
                signed_part(Some(SOUND))
            );
            assert_eq!(verified.bytes(), SIGNED);
            assert_eq!(verified.signatures().len(), 1);
            // The same file twice is one signature.
            let two = [files[0].clone(), files[0].clone()];
            let rule = SignatureRule { vendor: 2, ..rule };
            let refused = verify_manifest(SIGNED, &two, &RING, &rule, &limits);
            assert_eq!(refused.expect_err("one key").code(), "signatures-missing");
        }
    }
    let mut other = SIGNED.to_vec();
    other.push(b'\n');
    let refused = verify_manifest(&other, &files, &RING, &rule, &limits);
    known(
        refused.expect_err("other bytes are not signed").code(),
        CODES,
    );
}

/// Everything but the untrusted comment, which is the first line.
fn signed_part(text: Option<&str>) -> Option<Vec<&str>> {
    let lines: Vec<&str> = text?.trim_end_matches('\n').split('\n').skip(1).collect();
    (lines.len() == 3).then_some(lines)
}
