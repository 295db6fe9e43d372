// SPDX-License-Identifier: Apache-2.0
//! Which signatures count.

use std::io::Cursor;

use minisign::KeyPair;

use super::*;
use crate::keyring::PublicKey;
use crate::keyring::TrustedKey;

const MESSAGE: &[u8] = b"the manifest";

fn pair() -> KeyPair {
    KeyPair::generate_unencrypted_keypair().unwrap()
}

fn id(pair: &KeyPair) -> KeyId {
    KeyId::from_bytes(pair.pk.keynum().try_into().unwrap())
}

fn sign(pair: &KeyPair, message: &[u8]) -> String {
    minisign::sign(
        None,
        &pair.sk,
        Cursor::new(message),
        Some("made for a test"),
        None,
    )
    .unwrap()
    .to_string()
}

fn ring(keys: &[(&KeyPair, Role)]) -> KeyRing {
    let mut ring = KeyRing::new();
    for (index, (pair, role)) in keys.iter().enumerate() {
        let key = PublicKey::parse(&pair.pk.to_base64()).unwrap();
        ring.add(TrustedKey {
            key,
            role: *role,
            name: format!("key-{index}"),
        })
        .unwrap();
    }
    ring
}

fn code(pair: &KeyPair, text: &str) -> &'static str {
    Signature::parse(id(pair), text.as_bytes()).map_or_else(|error| error.code(), |_| "accepted")
}

#[test]
fn a_good_signature_by_a_trusted_key_is_reported_with_its_comment() {
    let pair = pair();
    let signature = Signature::parse(id(&pair), sign(&pair, MESSAGE).as_bytes()).unwrap();
    let ring = ring(&[(&pair, Role::Vendor)]);
    let reports = verify_all(MESSAGE, &[signature], &ring).unwrap();
    assert_eq!(reports[0].role, Some(Role::Vendor));
    assert_eq!(
        reports[0].trusted_comment.as_deref(),
        Some("made for a test")
    );
    check_rule(&reports, SignatureRule::default()).unwrap();
    check_rule(
        &reports,
        SignatureRule {
            vendor: 0,
            reviewer: 0,
        },
    )
    .unwrap();
}

#[test]
fn unknown_keys_are_listed_and_count_for_nothing() {
    let pair = pair();
    let signature = Signature::parse(id(&pair), sign(&pair, b"something else").as_bytes()).unwrap();
    let reports = verify_all(MESSAGE, &[signature], &KeyRing::new()).unwrap();
    assert_eq!(
        (reports[0].trusted, reports[0].trusted_comment.as_ref()),
        (false, None)
    );
    for rule in [
        SignatureRule::default(),
        SignatureRule {
            vendor: 0,
            reviewer: 0,
        },
    ] {
        assert_eq!(
            check_rule(&reports, rule).unwrap_err().code(),
            "signatures-missing"
        );
    }
}

#[test]
fn roles_do_not_stand_in_for_each_other() {
    let (vendor, reviewer) = (pair(), pair());
    let ring = ring(&[(&vendor, Role::Vendor), (&reviewer, Role::Reviewer)]);
    let by = |pair: &KeyPair| Signature::parse(id(pair), sign(pair, MESSAGE).as_bytes()).unwrap();
    let both = verify_all(MESSAGE, &[by(&vendor), by(&reviewer)], &ring).unwrap();
    check_rule(
        &both,
        SignatureRule {
            vendor: 1,
            reviewer: 1,
        },
    )
    .unwrap();
    let two_vendors = check_rule(
        &both,
        SignatureRule {
            vendor: 2,
            reviewer: 0,
        },
    )
    .unwrap_err();
    assert_eq!(two_vendors.code(), "signatures-missing");
    let only_reviewer = verify_all(MESSAGE, &[by(&reviewer)], &ring).unwrap();
    assert!(check_rule(&only_reviewer, SignatureRule::default()).is_err());
}

#[test]
fn a_bad_signature_by_a_trusted_key_is_an_error() {
    let pair = pair();
    let ring = ring(&[(&pair, Role::Vendor)]);
    let other_bytes = sign(&pair, b"another manifest");
    let forged_comment = sign(&pair, MESSAGE).replace("made for a test", "made for a tess");
    for text in [other_bytes, forged_comment] {
        let signature = Signature::parse(id(&pair), text.as_bytes()).unwrap();
        assert_eq!(
            verify_all(MESSAGE, &[signature], &ring).unwrap_err().code(),
            "signature-invalid"
        );
    }
}

#[test]
fn anything_but_four_lines_of_one_prehashed_signature_is_refused() {
    let pair = pair();
    let good = sign(&pair, MESSAGE);
    assert_eq!(code(&pair, &good), "accepted");
    assert_eq!(code(&pair, good.trim_end()), "accepted");
    let lines: Vec<&str> = good.lines().collect();
    let without_first = lines[1..].join("\n");
    for text in [
        String::new(),
        format!("{good}\n"),
        format!("{good}{good}"),
        format!("{good}trailing"),
        without_first,
        lines[..3].join("\n"),
        good.replace('\n', "\r\n"),
        good.replacen("untrusted comment: ", "comment: ", 1),
        good.replace("\ntrusted comment: ", "\ntrusted remark: "),
        good.replace(lines[3], lines[1]),
        good.replace(lines[1], lines[3]),
        good.replace("made for", "made\u{1b}for"),
    ] {
        assert_eq!(code(&pair, &text), "signature-format", "{text:?}");
    }
    for end in 0..good.len() - 1 {
        assert!(
            Signature::parse(id(&pair), &good.as_bytes()[..end]).is_err(),
            "at {end}"
        );
    }
}

#[test]
fn legacy_signatures_are_refused() {
    let pair = pair();
    let good = sign(&pair, MESSAGE);
    let line = good.lines().nth(1).unwrap();
    // `RUQ` and `RWQ` are the first digits of "ED" and "Ed".
    let legacy = good.replace(line, &line.replacen("RU", "RW", 1));
    assert_eq!(code(&pair, &legacy), "signature-legacy");
    assert_eq!(
        claimed_key_id(legacy.as_bytes()).unwrap_err().code(),
        "signature-legacy"
    );
}

#[test]
fn the_name_of_a_signature_is_its_key_id() {
    let (named, inside) = (pair(), pair());
    let text = sign(&inside, MESSAGE);
    assert_eq!(code(&named, &text), "signature-other-key");
    assert_eq!(claimed_key_id(text.as_bytes()).unwrap(), id(&inside));
}
