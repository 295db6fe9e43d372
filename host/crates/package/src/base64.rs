// SPDX-License-Identifier: Apache-2.0
//! Strict base64, as minisign writes it: with padding, without white space, one spelling per value.
//!
//! `minisign-verify` hides the key id, so the line is decoded here as well.

/// Decodes; `None` unless `text` is exactly what encoding the result gives.
#[cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        reason = "at most 13 bits are held, and lengths are those of a text"
    )
)]
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take_while(|c| **c == b'=').count();
    let digits = text.get(..text.len().checked_sub(padding)?)?;
    if padding > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 3);
    let mut held: u32 = 0;
    let mut bits = 0_u32;
    for digit in digits {
        held = held << 6 | u32::from(value(*digit)?);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    (held == 0).then_some(bytes)
}

#[cfg_attr(
    not(test),
    expect(clippy::arithmetic_side_effects, reason = "each arm bounds the digit")
)]
fn value(digit: u8) -> Option<u8> {
    match digit {
        b'A'..=b'Z' => Some(digit - b'A'),
        b'a'..=b'z' => Some(digit - b'a' + 26),
        b'0'..=b'9' => Some(digit - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn values_are_decoded() {
        assert_eq!(decode("").unwrap(), b"");
        assert_eq!(decode("Zg==").unwrap(), b"f");
        assert_eq!(decode("Zm8=").unwrap(), b"fo");
        assert_eq!(decode("Zm9vYmE+").unwrap(), b"fooba>");
    }

    #[test]
    fn second_spellings_are_refused() {
        for text in [
            "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zm9v ", "Zm-v", "Zg==Zg==",
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
