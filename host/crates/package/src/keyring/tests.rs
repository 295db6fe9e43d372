// SPDX-License-Identifier: Apache-2.0
//! Which keys are read, and which are trusted together.

use super::*;

fn fresh() -> (String, KeyId) {
    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let id = KeyId::from_bytes(pair.pk.keynum().try_into().unwrap());
    (pair.pk.to_base64(), id)
}

fn trusted(line: &str, name: &str) -> TrustedKey {
    TrustedKey {
        key: PublicKey::parse(line).unwrap(),
        role: Role::Vendor,
        name: name.to_owned(),
    }
}

/// The key of minisign's own documentation, whose id the stock tool shows as `E7620F1842B4E81F`.
const DOCUMENTED: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

#[test]
fn key_ids_are_shown_as_the_stock_tool_shows_them() {
    let key = PublicKey::parse(DOCUMENTED).unwrap();
    assert_eq!(key.id().to_string(), "E7620F1842B4E81F");
    assert_eq!("E7620F1842B4E81F".parse::<KeyId>().unwrap(), key.id());
}

#[test]
fn a_key_is_read_from_its_file_and_from_its_line() {
    let (line, id) = fresh();
    let file = format!("untrusted comment: minisign public key {id}\n{line}\n");
    assert_eq!(
        PublicKey::parse(&file).unwrap(),
        PublicKey::parse(&line).unwrap()
    );
    assert_eq!(PublicKey::parse(&file).unwrap().as_str(), line);
}

#[test]
fn anything_else_is_refused() {
    let (line, _) = fresh();
    let file = format!("untrusted comment: x\n{line}\n");
    for text in [
        String::new(),
        "untrusted comment: x\n".to_owned(),
        format!("{file}{line}\n"),
        format!("{line}\n{line}\n"),
        format!(" {line}"),
        line.replacen("RW", "RU", 1),
        format!("{file}\0"),
    ] {
        assert_eq!(
            PublicKey::parse(&text).unwrap_err().code(),
            "key-format",
            "{text:?}"
        );
    }
    for end in 0..line.len() {
        assert!(PublicKey::parse(&line[..end]).is_err());
    }
    for text in [
        "",
        "e7620f1842b4e81f",
        "E7620F1842B4E81",
        "+7620F1842B4E81F",
    ] {
        assert_eq!(
            text.parse::<KeyId>().unwrap_err().code(),
            "key-id",
            "{text}"
        );
    }
}

#[test]
fn one_key_is_trusted_once_and_one_id_belongs_to_one_key() {
    let (line, id) = fresh();
    let mut ring = KeyRing::new();
    ring.add(trusted(&line, "first")).unwrap();
    assert_eq!(
        ring.add(trusted(&line, "again")).unwrap_err().code(),
        "key-duplicate"
    );

    let mut same_id = crate::base64::decode(&fresh().0).unwrap();
    let own = crate::base64::decode(&line).unwrap();
    same_id[2..10].copy_from_slice(&own[2..10]);
    let taken = trusted(&encode(&same_id), "other");
    assert_eq!(ring.add(taken).unwrap_err().code(), "key-id-taken");

    let mut other_id = own;
    other_id[2] ^= 1;
    let disguised = trusted(&encode(&other_id), "disguised");
    assert_eq!(ring.add(disguised).unwrap_err().code(), "key-duplicate");

    assert_eq!(ring.len(), 1);
    assert_eq!(ring.get(id).unwrap().name, "first");
}

#[test]
fn a_key_has_a_printable_name() {
    let (line, _) = fresh();
    for name in ["", "a\nb", &"x".repeat(200)] {
        assert_eq!(
            KeyRing::new().add(trusted(&line, name)).unwrap_err().code(),
            "key-name"
        );
    }
}

fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut line = String::new();
    for chunk in bytes.chunks(3) {
        let word = [chunk[0], chunk[1], chunk[2]]
            .iter()
            .fold(0_u32, |w, b| w << 8 | u32::from(*b));
        for shift in [18, 12, 6, 0] {
            line.push(char::from(DIGITS[(word >> shift & 63) as usize]));
        }
    }
    line
}
