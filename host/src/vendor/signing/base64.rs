// SPDX-License-Identifier: Apache-2.0
//! Strict base64 (RFC 4648, padded): the form in which minisign writes keys.
//!
//! Only one spelling of each value is accepted; anything else is `None`.

/// The bytes that `text` stands for.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let unpadded = text.trim_end_matches('=');
    let padding = text.len() - unpadded.len();
    if !text.len().is_multiple_of(4) || padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(unpadded.len() * 3 / 4);
    let (mut held, mut held_bits) = (0_u32, 0_u32);
    for digit in unpadded.bytes() {
        held = held << 6 | value(digit)?;
        held_bits += 6;
        if held_bits >= 8 {
            held_bits -= 8;
            bytes.push((held >> held_bits) as u8);
            held &= (1 << held_bits) - 1;
        }
    }
    // Bits beyond the last whole byte must be zero, and the padding must be as long as it says.
    (held == 0 && held_bits as usize == padding * 2).then_some(bytes)
}

fn value(digit: u8) -> Option<u32> {
    let value = match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_specification_decode() {
        for (text, bytes) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
        ] {
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "Zg=", "Zg", "Zh==", "Zm9=", "Z===", "Zm9v====", "Zm 9v", "Zm9-", "=Zm9",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
