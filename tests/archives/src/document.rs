// SPDX-License-Identifier: Apache-2.0
//! The manifest as a document: JSON, amounts, and what kind of document it is.

use std::fmt::Write as _;

use serde_json::json;

use crate::Lie;
use crate::digest;
use crate::manifest::set;
use crate::sound::PROGRAM;
use crate::sound::SETTINGS;

pub(crate) fn lies() -> Vec<Lie> {
    [duplicates(), syntax(), amounts(), kinds()]
        .into_iter()
        .flatten()
        .collect()
}

/// A piece of the manifest's text is replaced, once.
pub(crate) fn replace(name: &str, code: &'static str, from: &'static str, to: &'static str) -> Lie {
    Lie::text(name, code, move |text| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1).into_bytes()
    })
}

fn duplicates() -> Vec<Lie> {
    const CODE: &str = "manifest-duplicate-key";
    vec![
        replace("two_ids", CODE, "\"id\":", "\"id\":\"other\",\"id\":"),
        replace(
            "two_ids_of_which_one_is_escaped",
            CODE,
            "\"id\":",
            "\"\\u0069d\":\"x\",\"id\":",
        ),
        replace(
            "two_versions",
            CODE,
            "\"version\":",
            "\"version\":\"9.9.9\",\"version\":",
        ),
        replace(
            "two_kinds",
            CODE,
            "\"id\":",
            "\"cofferdam\":\"package/2\",\"id\":",
        ),
        replace(
            "two_lists_of_entries",
            CODE,
            "\"entries\":",
            "\"entries\":[],\"entries\":",
        ),
        replace(
            "two_host_requirements",
            CODE,
            "\"host\":",
            "\"host\":\"*\",\"host\":",
        ),
        replace(
            "two_targets_of_a_link",
            CODE,
            "\"target\":",
            "\"target\":\"x\",\"target\":",
        ),
        replace(
            "two_modes_of_a_file",
            CODE,
            "\"mode\":",
            "\"mode\":\"0777\",\"mode\":",
        ),
        replace(
            "two_formats_of_a_configuration",
            CODE,
            "\"format\":",
            "\"format\":\"json\",\"format\":",
        ),
        Lie::text("two_sizes_of_a_blob", CODE, |text| {
            let key = format!("\"{}\":", digest(SETTINGS));
            let at = text.rfind(&key).unwrap();
            [&text[..at], &key, "1,", &text[at..]].concat().into_bytes()
        }),
        Lie::text("two_manifests_in_one", CODE, |text| {
            let inner = text
                .trim_end()
                .trim_start_matches('{')
                .trim_end_matches('}');
            format!("{{{inner},{inner}}}").into_bytes()
        }),
    ]
}

fn syntax() -> Vec<Lie> {
    const CODE: &str = "manifest-syntax";
    let whole = |name: &str, bytes: &'static [u8]| Lie::text(name, CODE, move |_| bytes.to_vec());
    vec![
        whole("an_empty_manifest", b""),
        whole("a_manifest_of_white_space", b" \n\t"),
        whole("a_manifest_of_zeros", &[0; 64]),
        whole(
            "a_manifest_of_half_an_object",
            b"{\"cofferdam\":\"package/1\"",
        ),
        whole("a_manifest_in_yaml", b"cofferdam: package/1\nid: agent\n"),
        Lie::text("a_manifest_behind_a_byte_order_mark", CODE, |text| {
            format!("\u{feff}{text}").into_bytes()
        }),
        Lie::text("a_manifest_in_utf_16", CODE, |text| {
            text.encode_utf16().flat_map(u16::to_le_bytes).collect()
        }),
        Lie::text("two_manifests_one_after_the_other", CODE, |text| {
            text.repeat(2).into_bytes()
        }),
        Lie::text("bytes_after_the_manifest", CODE, |text| {
            [text.as_bytes(), b"\0"].concat()
        }),
        Lie::text("a_manifest_that_is_not_closed", CODE, |text| {
            text.trim_end().trim_end_matches('}').as_bytes().to_vec()
        }),
        replace("a_comma_too_many", CODE, "\"steps\":[]", "\"steps\":[],"),
        replace(
            "a_comment_in_the_manifest",
            CODE,
            "\"steps\":[]",
            "/* none */\"steps\":[]",
        ),
        replace("single_quotes", CODE, "\"steps\":[]", "'steps':[]"),
        replace("a_name_without_quotes", CODE, "\"steps\":[]", "steps:[]"),
        replace(
            "a_number_with_a_leading_zero",
            CODE,
            "\"data_format\":1",
            "\"data_format\":01",
        ),
        replace(
            "a_number_in_hexadecimal",
            CODE,
            "\"data_format\":1",
            "\"data_format\":0x1",
        ),
        replace(
            "no_number",
            CODE,
            "\"data_format\":1",
            "\"data_format\":NaN",
        ),
        replace("half_a_surrogate_pair", CODE, "a test", "\\ud800"),
        replace("an_escape_that_is_none", CODE, "a test", "\\x41"),
        Lie::text("a_raw_control_character", CODE, |text| {
            text.replacen("a test", "a\ntest", 1).into_bytes()
        }),
        Lie::text("a_text_in_no_encoding", CODE, |text| {
            let at = text.find("a test").unwrap();
            let mut bytes = text.into_bytes();
            bytes[at] = 0xff;
            bytes
        }),
        Lie::text("a_surrogate_in_utf_8", CODE, |text| {
            let at = text.find("a test").unwrap();
            let mut bytes = text.into_bytes();
            bytes.splice(at..=at, *b"\xed\xa0\x80");
            bytes
        }),
    ]
}

fn amounts() -> Vec<Lie> {
    const MANY: &str = "manifest-too-many";
    const DEEP: &str = "manifest-too-deep";
    let filled = |name: &str,
                  code: &'static str,
                  open: &'static str,
                  item: &'static str,
                  close: &'static str| {
        Lie::text(name, code, move |text| {
            let room = (23 << 20) / (item.len() + 1);
            let mut items = String::with_capacity(24 << 20);
            for number in 0..room {
                if number > 0 {
                    items.push(',');
                }
                items.push_str(item);
            }
            text.replacen(
                "\"steps\":[]",
                &format!("\"steps\":{open}{items}{close}"),
                1,
            )
            .into_bytes()
        })
    };
    vec![
        replace(
            "seventeen_lists_in_each_other",
            DEEP,
            "\"steps\":[]",
            "\"steps\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
        ),
        Lie::text("a_million_lists_in_each_other", DEEP, |text| {
            let deep = format!("\"steps\":{}", "[".repeat(1 << 20));
            text.replacen("\"steps\":[]", &deep, 1).into_bytes()
        }),
        Lie::text("a_million_objects_in_each_other", DEEP, |text| {
            let deep = format!("\"steps\":{}", "{\"a\":".repeat(1 << 20));
            text.replacen("\"steps\":[]", &deep, 1).into_bytes()
        }),
        filled("millions_of_steps", MANY, "[", "0", "]"),
        filled("millions_of_empty_texts", MANY, "[", "\"\"", "]"),
        filled("millions_of_empty_lists", MANY, "[", "[]", "]"),
        Lie::text("millions_of_members", MANY, |text| {
            let mut members = String::new();
            for number in 0..2_000_000 {
                write!(members, "\"{number}\":0,").unwrap();
            }
            format!("{{{members}{}", &text[1..]).into_bytes()
        }),
        Lie::text("a_kind_of_millions_of_lists", MANY, |text| {
            let lists = "[],".repeat(7 << 20);
            text.replacen("\"package/1\"", &format!("[{lists}0]"), 1)
                .into_bytes()
        }),
        Lie::text("a_text_of_23_mib", "manifest-text", |text| {
            text.replacen("a test", &"x".repeat(23 << 20), 1)
                .into_bytes()
        }),
        Lie::text("a_text_of_11_mib_of_escapes", "manifest-text", |text| {
            text.replacen("a test", &"\\n".repeat(11 << 20), 1)
                .into_bytes()
        }),
        Lie::text("the_name_of_a_member_of_23_mib", "manifest-text", |text| {
            text.replacen("\"summary\"", &format!("\"{}\"", "x".repeat(23 << 20)), 1)
                .into_bytes()
        }),
        Lie::text("a_kind_of_23_mib", "manifest-text", |text| {
            text.replacen("package/1", &"x".repeat(23 << 20), 1)
                .into_bytes()
        }),
        Lie::text("a_host_of_23_mib", "manifest-text", |text| {
            text.replacen(">=0.1.0", &"x".repeat(23 << 20), 1)
                .into_bytes()
        }),
        Lie::text("a_number_of_23_mib", "manifest-syntax", |text| {
            let number = format!("\"data_format\":{}e999", "1".repeat(23 << 20));
            text.replacen("\"data_format\":1", &number, 1).into_bytes()
        }),
        Lie::text(
            "23_mib_of_white_space_and_then_a_lie",
            "manifest-name",
            |text| {
                let text = text.replacen("\"agent\"", "\"Agent\"", 1);
                let room = " ".repeat(23 << 20);
                text.replacen("\"summary\"", &format!("{room}\"summary\""), 1)
                    .into_bytes()
            },
        ),
        Lie::manifest("100001_entries_of_the_manifest", MANY, |manifest| {
            let entry = |number: u32| json!({ "path": format!("{number:06}"), "type": "directory", "mode": "0755" });
            manifest["entries"] = (0..100_001).map(entry).collect();
        }),
        Lie::manifest(
            "directories_above_entries_without_number",
            MANY,
            |manifest| {
                let below = vec!["d"; 62].join("/");
                let entry = |number: u32| json!({ "path": format!("{number:05}/{below}/f"), "type": "directory", "mode": "0755" });
                manifest["entries"] = (0..5_000).map(entry).collect();
            },
        ),
        Lie::manifest(
            "64_gib_of_payload_in_one_blob",
            "payload-too-large",
            |manifest| {
                let content = digest(PROGRAM);
                let entry = |number: u32| {
                    json!({ "path": format!("f/{number:02}"), "type": "file", "digest": content,
                        "bytes": u32::MAX - 1, "mode": "0644" })
                };
                manifest["entries"] = (0..17).map(entry).collect();
                manifest["blobs"] = json!({ digest(PROGRAM): u32::MAX - 1 });
            },
        ),
    ]
}

fn kinds() -> Vec<Lie> {
    const CODE: &str = "manifest-kind";
    let kind = |name: &str, code, kind: &'static str| replace(name, code, "\"package/1\"", kind);
    vec![
        kind("a_document_of_another_kind", CODE, "\"inventory/1\""),
        kind("a_document_without_a_kind", CODE, "\"\""),
        kind("a_kind_in_upper_case", CODE, "\"Package/1\""),
        kind("a_kind_that_is_a_number", CODE, "1"),
        kind("a_kind_that_is_nothing", CODE, "null"),
        kind("a_kind_that_is_a_list", CODE, "[\"package/1\"]"),
        kind("a_kind_that_is_an_object", CODE, "{\"package\":1}"),
        kind("a_later_format", "manifest-format", "\"package/2\""),
        kind(
            "a_format_with_a_fraction",
            "manifest-format",
            "\"package/1.0\"",
        ),
        kind("a_format_with_a_space", "manifest-format", "\"package/1 \""),
        kind(
            "a_format_without_a_number",
            "manifest-format",
            "\"package/\"",
        ),
        Lie::text("a_kind_that_comes_second", CODE, |text| {
            let rest = text.replacen("\"cofferdam\":\"package/1\",", "", 1);
            rest.replacen('{', "{\"id\":\"agent\",\"cofferdam\":\"package/1\",", 1)
                .replacen(",\"id\":\"agent\"", "", 1)
                .into_bytes()
        }),
        Lie::manifest("no_kind", CODE, |manifest| {
            manifest.as_object_mut().unwrap().remove("cofferdam");
        }),
        Lie::text("a_manifest_that_is_an_empty_object", CODE, |_| {
            b"{}".to_vec()
        }),
        Lie::text("a_manifest_that_is_a_list", "manifest-schema", |_| {
            b"[]".to_vec()
        }),
        Lie::text("a_manifest_that_is_a_text", "manifest-schema", |_| {
            b"\"package/1\"".to_vec()
        }),
        set(
            "a_host_of_the_future",
            "host-too-old",
            "/requires/host",
            json!(">=99.0.0"),
        ),
        Lie::manifest(
            "members_of_a_host_of_the_future",
            "host-too-old",
            |manifest| {
                manifest["requires"] = json!({ "host": ">=99.0.0", "more": 1 });
                manifest["new"] = json!({});
            },
        ),
    ]
}
