// SPDX-License-Identifier: Apache-2.0
//! Signatures: missing, by others, of other bytes, and in other forms.

use std::fmt::Write as _;

use crate::Lie;
use crate::Signers;
use crate::Sound;

pub(crate) fn lies() -> Vec<Lie> {
    [who(), what(), form(), letters()]
        .into_iter()
        .flatten()
        .collect()
}

/// The sound package with these signature files over its manifest.
fn files(
    name: &str,
    code: &'static str,
    files: impl Fn(&Signers, &[u8]) -> Vec<(String, Vec<u8>)> + Send + Sync + 'static,
) -> Lie {
    Lie::new(name, code, move |signers| {
        let sound = Sound::new();
        let files = files(signers, &sound.manifest_bytes());
        sound.zip_with(&files).build()
    })
}

/// The vendor's good signature, changed.
fn changed(
    name: &str,
    code: &'static str,
    change: impl Fn(String) -> Vec<u8> + Send + Sync + 'static,
) -> Lie {
    files(name, code, move |signers, manifest| {
        let signature = change(signers.vendor.sign(manifest));
        vec![(signers.vendor.entry_name(), signature)]
    })
}

/// The vendor's good signature with the bytes in its second line changed.
fn decoded(
    name: &str,
    code: &'static str,
    change: impl Fn(&mut Vec<u8>) + Send + Sync + 'static,
) -> Lie {
    changed(name, code, move |text| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut bytes = decode(&lines[1]);
        change(&mut bytes);
        lines[1] = encode(&bytes);
        (lines.join("\n") + "\n").into_bytes()
    })
}

fn who() -> Vec<Lie> {
    const MISSING: &str = "signatures-missing";
    vec![
        files("no_signature", MISSING, |_, _| Vec::new()),
        files(
            "only_a_stranger_s_signature",
            MISSING,
            |signers, manifest| {
                vec![(
                    signers.stranger.entry_name(),
                    signers.stranger.sign(manifest).into(),
                )]
            },
        ),
        files(
            "only_a_reviewer_s_signature",
            MISSING,
            |signers, manifest| {
                vec![(
                    signers.reviewer.entry_name(),
                    signers.reviewer.sign(manifest).into(),
                )]
            },
        ),
        files(
            "a_bad_signature_beside_a_good_one",
            "signature-invalid",
            |signers, manifest| {
                vec![
                    (
                        signers.vendor.entry_name(),
                        signers.vendor.sign(manifest).into(),
                    ),
                    (
                        signers.second.entry_name(),
                        signers.second.sign(b"other").into(),
                    ),
                ]
            },
        ),
        files(
            "a_bad_review_beside_a_good_signature",
            "signature-invalid",
            |signers, manifest| {
                vec![
                    (
                        signers.vendor.entry_name(),
                        signers.vendor.sign(manifest).into(),
                    ),
                    (
                        signers.reviewer.entry_name(),
                        signers.reviewer.sign(b"other").into(),
                    ),
                ]
            },
        ),
        files(
            "a_malformed_signature_by_a_stranger",
            "signature-format",
            |signers, manifest| {
                vec![
                    (
                        signers.vendor.entry_name(),
                        signers.vendor.sign(manifest).into(),
                    ),
                    (signers.stranger.entry_name(), b"nonsense".to_vec()),
                ]
            },
        ),
        files(
            "a_stranger_s_signature_under_the_vendor_s_id",
            "signature-other-key",
            |signers, manifest| {
                vec![(
                    signers.vendor.entry_name(),
                    signers.stranger.sign(manifest).into(),
                )]
            },
        ),
        files(
            "the_vendor_s_signature_under_a_stranger_s_id",
            "signature-other-key",
            |signers, manifest| {
                vec![(
                    signers.stranger.entry_name(),
                    signers.vendor.sign(manifest).into(),
                )]
            },
        ),
        files(
            "one_signature_under_two_ids",
            "signature-other-key",
            |signers, manifest| {
                let text = signers.vendor.sign(manifest);
                vec![
                    (signers.vendor.entry_name(), text.clone().into()),
                    (signers.second.entry_name(), text.into()),
                ]
            },
        ),
        files(
            "a_signature_without_an_id_inside",
            "signature-other-key",
            |signers, manifest| {
                let text = signers.vendor.sign(manifest);
                let line = text.lines().nth(1).unwrap();
                let mut bytes = decode(line);
                bytes[2..10].fill(0);
                vec![(
                    signers.vendor.entry_name(),
                    text.replacen(line, &encode(&bytes), 1).into(),
                )]
            },
        ),
        files(
            "a_stranger_s_signature_that_claims_the_vendor_s_id",
            "signature-invalid",
            |signers, manifest| {
                let (theirs, ours) = (
                    signers.stranger.sign(manifest),
                    signers.vendor.sign(manifest),
                );
                let line = theirs.lines().nth(1).unwrap();
                let mut bytes = decode(line);
                bytes[..10].copy_from_slice(&decode(ours.lines().nth(1).unwrap())[..10]);
                vec![(
                    signers.vendor.entry_name(),
                    theirs.replacen(line, &encode(&bytes), 1).into(),
                )]
            },
        ),
        decoded(
            "a_signature_with_another_id_inside",
            "signature-other-key",
            |bytes| bytes[5] ^= 1,
        ),
    ]
}

fn what() -> Vec<Lie> {
    const CODE: &str = "signature-invalid";
    let over = |name: &str, bytes: fn(&[u8]) -> Vec<u8>| {
        files(name, CODE, move |signers, manifest| {
            let text = signers.vendor.sign(&bytes(manifest));
            vec![(signers.vendor.entry_name(), text.into())]
        })
    };
    vec![
        over("a_signature_of_another_manifest", |_| {
            let mut sound = Sound::new();
            sound.manifest["version"] = "1.0.9".into();
            sound.manifest_bytes()
        }),
        over(
            "a_signature_of_the_manifest_without_its_line_feed",
            |manifest| manifest[..manifest.len() - 1].to_vec(),
        ),
        over("a_signature_of_the_manifest_s_digest", |manifest| {
            crate::digest(manifest).into()
        }),
        over("a_signature_of_nothing", |_| Vec::new()),
        over("a_signature_of_the_manifest_twice", |manifest| {
            manifest.repeat(2)
        }),
        changed("another_trusted_comment", CODE, |text| {
            text.replace("made for a test", "made for a fest").into()
        }),
        changed("a_longer_trusted_comment", CODE, |text| {
            text.replace("made for a test", "made for a test ").into()
        }),
        changed("no_trusted_comment", CODE, |text| {
            text.replace("made for a test", "").into()
        }),
        files(
            "the_trusted_comment_of_another_signature",
            CODE,
            |signers, manifest| {
                let (one, other) = (
                    signers.vendor.sign(manifest),
                    signers.vendor.sign_with(b"x", "other"),
                );
                let one: Vec<&str> = one.lines().collect();
                let other: Vec<&str> = other.lines().collect();
                let text = format!("{}\n{}\n{}\n{}\n", one[0], one[1], other[2], other[3]);
                vec![(signers.vendor.entry_name(), text.into())]
            },
        ),
        decoded("a_signature_of_zeros", CODE, |bytes| bytes[10..].fill(0)),
        decoded("a_signature_with_a_second_form", CODE, |bytes| {
            // The scalar plus the order of the group: the same, to a reader that does not look.
            const ORDER: [u8; 32] = [
                0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9,
                0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
            ];
            let mut carry = 0;
            for (byte, order) in bytes[42..].iter_mut().zip(ORDER) {
                let sum = u16::from(*byte) + u16::from(order) + carry;
                *byte = sum as u8;
                carry = sum >> 8;
            }
        }),
        decoded("a_signature_with_a_point_of_small_order", CODE, |bytes| {
            bytes[10..42].fill(0);
            bytes[10] = 1;
        }),
    ]
}

fn form() -> Vec<Lie> {
    const CODE: &str = "signature-format";
    let line = |text: &str, number: usize| text.lines().nth(number).unwrap().to_owned();
    let first = |text: &str, lines: usize| {
        let kept: Vec<&str> = text.lines().take(lines).collect();
        kept.join("\n").into_bytes()
    };
    vec![
        decoded("a_signature_of_the_old_kind", "signature-legacy", |bytes| {
            bytes[1] = b'd';
        }),
        decoded("a_signature_of_an_unknown_kind", CODE, |bytes| {
            bytes[0] = b'X';
        }),
        decoded("a_signature_that_is_one_byte_short", CODE, |bytes| {
            bytes.pop();
        }),
        decoded("a_signature_that_is_one_byte_long", CODE, |bytes| {
            bytes.push(0);
        }),
        decoded("a_signature_that_is_empty", CODE, Vec::clear),
        changed("an_empty_signature_file", CODE, |_| Vec::new()),
        changed("a_signature_file_of_zeros", CODE, |text| {
            vec![0; text.len()]
        }),
        changed("a_signature_of_one_line", CODE, move |text| first(&text, 1)),
        changed("a_signature_of_two_lines", CODE, move |text| {
            first(&text, 2)
        }),
        changed("a_signature_of_three_lines", CODE, move |text| {
            first(&text, 3)
        }),
        changed("a_signature_cut_in_its_last_line", CODE, |text| {
            text[..text.len() - 9].into()
        }),
        changed("a_signature_with_an_empty_line_behind", CODE, |text| {
            format!("{text}\n").into()
        }),
        changed("a_signature_with_an_empty_line_before", CODE, |text| {
            format!("\n{text}").into()
        }),
        changed("a_signature_with_a_fifth_line", CODE, |text| {
            format!("{text}more\n").into()
        }),
        changed("two_signatures_in_one_file", CODE, |text| {
            text.repeat(2).into()
        }),
        changed("a_signature_with_returns", CODE, |text| {
            text.replace('\n', "\r\n").into()
        }),
        changed("a_signature_with_only_returns", CODE, |text| {
            text.replace('\n', "\r").into()
        }),
        changed("a_signature_behind_a_byte_order_mark", CODE, |text| {
            format!("\u{feff}{text}").into()
        }),
        changed("a_signature_with_a_nul_behind", CODE, |text| {
            format!("{text}\0").into()
        }),
        changed("a_signature_in_utf_16", CODE, |text| {
            text.encode_utf16().flat_map(u16::to_le_bytes).collect()
        }),
        changed("a_comment_that_moves_the_cursor", CODE, |text| {
            text.replace("made for", "made\u{1b}[2Jfor").into()
        }),
        changed("a_comment_read_from_right_to_left", CODE, |text| {
            text.replace("made for", "made\u{202e}for").into()
        }),
        changed("a_comment_in_no_encoding", CODE, |text| {
            let mut bytes = text.into_bytes();
            bytes[20] = 0xff;
            bytes
        }),
        changed("no_untrusted_comment", CODE, |text| {
            text.replacen("untrusted comment: ", "comment: ", 1).into()
        }),
        changed("an_untrusted_comment_that_claims_trust", CODE, |text| {
            text.replacen("untrusted comment: ", "trusted comment: ", 1)
                .into()
        }),
        changed("no_trusted_comment_where_one_must_be", CODE, |text| {
            text.replacen("\ntrusted comment: ", "\ncomment: ", 1)
                .into()
        }),
        changed("a_trusted_comment_in_upper_case", CODE, |text| {
            text.replacen("\ntrusted comment: ", "\nTrusted comment: ", 1)
                .into()
        }),
        changed("lines_that_are_exchanged", CODE, move |text| {
            let (one, two) = (line(&text, 1), line(&text, 3));
            text.replacen(&one, "-", 1)
                .replacen(&two, &one, 1)
                .replacen('-', &two, 1)
                .into()
        }),
        changed("the_same_signature_in_both_places", CODE, move |text| {
            text.replacen(&line(&text, 3), &line(&text, 1), 1).into()
        }),
        changed("a_signature_in_pgp_armor", CODE, |text| {
            format!("-----BEGIN PGP SIGNATURE-----\n\n{text}-----END PGP SIGNATURE-----\n").into()
        }),
        changed(
            "a_signature_of_4096_bytes_and_one_line_too_many",
            CODE,
            |text| {
                let room = "x".repeat(4_096 - text.len() - 1);
                format!("{text}{room}\n").into()
            },
        ),
    ]
}

fn letters() -> Vec<Lie> {
    const CODE: &str = "signature-format";
    let second = |name: &str, change: fn(&str) -> String| {
        changed(name, CODE, move |text| {
            let line = text.lines().nth(1).unwrap();
            text.replacen(line, &change(line), 1).into()
        })
    };
    vec![
        second("a_signature_with_a_space", |line| {
            format!("{} {}", &line[..9], &line[9..])
        }),
        second("a_signature_with_a_tab_behind", |line| format!("{line}\t")),
        second("a_signature_without_padding", |line| {
            line.trim_end_matches('=').to_owned()
        }),
        second("a_signature_with_more_padding", |line| format!("{line}===")),
        second("a_signature_with_letters_of_urls", |line| {
            format!("{}-_{}", &line[..40], &line[42..])
        }),
        second("a_signature_with_unused_bits", |line| {
            // 74 bytes end in a digit of which two bits count, and one sign of padding.
            let digits = line.trim_end_matches('=');
            let (head, last) = digits.split_at(digits.len() - 1);
            let place = ALPHABET.find(last).unwrap();
            let next = &ALPHABET[place + 1..place + 2];
            format!("{head}{next}=")
        }),
        second("a_signature_in_hexadecimal", |line| {
            decode(line).iter().fold(String::new(), |mut text, byte| {
                write!(text, "{byte:02x}").unwrap();
                text
            })
        }),
    ]
}

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn decode(text: &str) -> Vec<u8> {
    let mut held = 0_u32;
    let mut bits = 0;
    let mut bytes = Vec::new();
    for digit in text.trim_end_matches('=').chars() {
        held = held << 6 | ALPHABET.find(digit).unwrap() as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    bytes
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut held = 0_u32;
        for place in 0..3 {
            held = held << 8 | u32::from(chunk.get(place).copied().unwrap_or_default());
        }
        for place in 0..4 {
            let digit = (held >> (18 - 6 * place) & 63) as usize;
            text.push(if place <= chunk.len() {
                char::from(ALPHABET.as_bytes()[digit])
            } else {
                '='
            });
        }
    }
    text
}
