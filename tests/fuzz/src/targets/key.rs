// SPDX-License-Identifier: Apache-2.0
//! A public key as vendors hand it out: the text of a `.pub` file, or its second line.

use cofferdam_package::CODES;
use cofferdam_package::keyring::KeyRing;
use cofferdam_package::keyring::PublicKey;
use cofferdam_package::keyring::Role;
use cofferdam_package::keyring::TrustedKey;

use crate::check::known;

/// Takes the text of a key file.
pub fn target(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    let key = match PublicKey::parse(text) {
        Ok(key) => key,
        Err(error) => return known(error.code(), CODES),
    };
    assert_eq!(PublicKey::parse(key.as_str()).as_ref(), Ok(&key));
    assert_eq!(key.id().to_string().parse().as_ref(), Ok(&key.id()));
    let mut ring = KeyRing::new();
    let trusted = |name: &str| TrustedKey {
        key: key.clone(),
        role: Role::Vendor,
        name: name.to_owned(),
    };
    ring.add(trusted("a")).expect("an empty ring takes any key");
    let twice = ring.add(trusted("b")).expect_err("a key counts once");
    known(twice.code(), CODES);
    assert_eq!((ring.len(), ring.get(key.id()).is_some()), (1, true));
}
