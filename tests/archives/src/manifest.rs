// SPDX-License-Identifier: Apache-2.0
//! What the manifest says: members, types, the words of its head, blobs, roles, configuration.

use serde_json::Value;
use serde_json::json;

use crate::Lie;
use crate::digest;
use crate::document::replace;
use crate::sound::PROGRAM;
use crate::sound::SETTINGS;

pub(crate) fn lies() -> Vec<Lie> {
    [members(), head(), blobs(), roles()]
        .into_iter()
        .flatten()
        .collect()
}

/// A member of the manifest has another value.
pub(crate) fn set(name: &str, code: &'static str, pointer: &'static str, value: Value) -> Lie {
    Lie::manifest(name, code, move |manifest| {
        *manifest.pointer_mut(pointer).unwrap() = value.clone();
    })
}

fn members() -> Vec<Lie> {
    const CODE: &str = "manifest-schema";
    const MEMBERS: [&str; 11] = [
        "id",
        "version",
        "data_format",
        "created",
        "summary",
        "requires",
        "entries",
        "config",
        "steps",
        "blobs",
        "builds",
    ];
    let mut lies: Vec<Lie> = MEMBERS
        .into_iter()
        .map(|member| {
            Lie::manifest(
                format!("a_manifest_without_{member}"),
                CODE,
                move |manifest| {
                    manifest.as_object_mut().unwrap().remove(member);
                },
            )
        })
        .collect();
    let places = [
        ("the_manifest", ""),
        ("its_requirements", "/requires"),
        ("a_file", "/entries/0"),
        ("a_link", "/entries/1"),
        ("a_directory", "/entries/3"),
        ("a_configuration", "/config/agent"),
    ];
    lies.extend(places.into_iter().map(|(name, pointer)| {
        Lie::manifest(
            format!("an_unknown_member_of_{name}"),
            CODE,
            move |manifest| {
                let object = manifest.pointer_mut(pointer).unwrap();
                object["surprise"] = json!(1);
            },
        )
    }));
    let typed = [
        ("a_data_format_that_is_a_text", "/data_format", json!("1")),
        ("a_data_format_below_zero", "/data_format", json!(-1)),
        ("a_data_format_with_a_fraction", "/data_format", json!(1.5)),
        ("a_data_format_that_is_nothing", "/data_format", json!(null)),
        ("a_summary_that_is_a_list", "/summary", json!(["a test"])),
        ("entries_that_are_an_object", "/entries", json!({})),
        ("entries_that_are_texts", "/entries", json!(["bin/agent"])),
        ("blobs_that_are_a_list", "/blobs", json!([digest(PROGRAM)])),
        (
            "an_entry_of_an_unknown_type",
            "/entries/0/type",
            json!("device"),
        ),
        (
            "an_entry_of_a_type_in_upper_case",
            "/entries/0/type",
            json!("FILE"),
        ),
        (
            "a_file_that_claims_to_be_a_directory",
            "/entries/0/type",
            json!("directory"),
        ),
        (
            "a_file_that_claims_to_be_a_link",
            "/entries/0/type",
            json!("symlink"),
        ),
        (
            "a_link_that_claims_to_be_a_file",
            "/entries/1/type",
            json!("file"),
        ),
        (
            "an_entry_that_is_a_list",
            "/entries/0",
            json!(["bin/agent", "file", digest(PROGRAM), PROGRAM.len(), "0755"]),
        ),
        (
            "requirements_that_are_a_list",
            "/requires",
            json!(["*", ">=0.1.0"]),
        ),
        (
            "a_configuration_that_is_a_list",
            "/config/agent",
            json!(["conf/agent.toml", "toml", []]),
        ),
        (
            "a_type_that_is_an_object",
            "/entries/0/type",
            json!({ "file": null }),
        ),
        ("a_mode_that_is_a_number", "/entries/0/mode", json!(755)),
        ("a_size_below_zero", "/entries/0/bytes", json!(-1)),
        (
            "a_configuration_of_an_unknown_format",
            "/config/agent/format",
            json!("xml"),
        ),
    ];
    lies.extend(
        typed
            .into_iter()
            .map(|(name, pointer, value)| set(name, CODE, pointer, value)),
    );
    lies.push(replace(
        "a_number_in_scientific_notation",
        CODE,
        "\"data_format\":1",
        "\"data_format\":1e0",
    ));
    lies.push(replace(
        "a_number_beyond_64_bits",
        CODE,
        "\"data_format\":1",
        "\"data_format\":99999999999999999999",
    ));
    lies.push(Lie::manifest(
        "a_directory_with_a_target",
        CODE,
        |manifest| {
            manifest["entries"][3]["target"] = json!("bin");
        },
    ));
    lies.push(Lie::manifest(
        "a_file_with_a_target_of_nothing",
        CODE,
        |manifest| {
            manifest["entries"][0]["target"] = json!(null);
        },
    ));
    lies.push(Lie::manifest("a_link_with_a_mode", CODE, |manifest| {
        manifest["entries"][1]["mode"] = json!("0777");
    }));
    lies.push(Lie::manifest("a_file_without_a_mode", CODE, |manifest| {
        manifest["entries"][0]
            .as_object_mut()
            .unwrap()
            .remove("mode");
    }));
    lies
}

fn head() -> Vec<Lie> {
    const NAME: &str = "manifest-name";
    const VERSION: &str = "manifest-version";
    const TEXT: &str = "manifest-text";
    const REQUIREMENT: &str = "manifest-requirement";
    const CREATED: &str = "manifest-created";
    let long = "x".repeat(2_000);
    vec![
        set("no_id", NAME, "/id", json!("")),
        set("an_id_in_upper_case", NAME, "/id", json!("Agent")),
        set("an_id_that_leads_out", NAME, "/id", json!("../agent")),
        set("an_id_with_a_slash", NAME, "/id", json!("acme/agent")),
        set("an_id_with_a_line_feed", NAME, "/id", json!("agent\n")),
        set("an_id_that_begins_with_a_dot", NAME, "/id", json!(".agent")),
        set(
            "an_id_in_another_alphabet",
            NAME,
            "/id",
            json!("\u{430}gent"),
        ),
        set("an_id_of_65_characters", NAME, "/id", json!("a".repeat(65))),
        set(
            "a_version_of_two_numbers",
            VERSION,
            "/version",
            json!("1.1"),
        ),
        set(
            "a_version_with_a_leading_zero",
            VERSION,
            "/version",
            json!("1.01.0"),
        ),
        set(
            "a_version_with_a_letter",
            VERSION,
            "/version",
            json!("v1.1.0"),
        ),
        set(
            "a_version_beyond_64_bits",
            VERSION,
            "/version",
            json!("99999999999999999999.0.0"),
        ),
        set(
            "a_version_that_fills_a_screen",
            VERSION,
            "/version",
            json!(format!("1.1.0-{long}")),
        ),
        set(
            "a_version_that_moves_the_cursor",
            VERSION,
            "/version",
            json!("1.1.0\u{1b}[2J"),
        ),
        set(
            "made_in_the_year_10000",
            CREATED,
            "/created",
            json!(253_402_300_800_u64),
        ),
        set(
            "made_at_the_end_of_time",
            CREATED,
            "/created",
            json!(u64::MAX),
        ),
        set(
            "a_summary_that_moves_the_cursor",
            TEXT,
            "/summary",
            json!("a\u{1b}[2Jb"),
        ),
        set(
            "a_summary_of_two_lines",
            TEXT,
            "/summary",
            json!("a\nerror: b"),
        ),
        set("a_summary_with_a_nul", TEXT, "/summary", json!("a\0b")),
        set(
            "a_summary_read_from_right_to_left",
            TEXT,
            "/summary",
            json!("a\u{202e}b"),
        ),
        set(
            "a_summary_that_fills_a_screen",
            TEXT,
            "/summary",
            json!(long),
        ),
        set(
            "a_requirement_that_is_none",
            REQUIREMENT,
            "/requires/from",
            json!("later"),
        ),
        set(
            "an_empty_requirement",
            REQUIREMENT,
            "/requires/from",
            json!(""),
        ),
        set(
            "a_requirement_that_fills_a_screen",
            REQUIREMENT,
            "/requires/from",
            json!(long),
        ),
        set(
            "a_host_that_is_none",
            REQUIREMENT,
            "/requires/host",
            json!("newest"),
        ),
    ]
}

fn blobs() -> Vec<Lie> {
    const SPELLING: &str = "digest-spelling";
    const SIZE: &str = "blob-size-mismatch";
    let upper = digest(PROGRAM).to_uppercase();
    let path = "/entries/0/digest";
    vec![
        set("a_digest_in_upper_case", SPELLING, path, json!(upper)),
        set(
            "a_digest_with_a_prefix",
            SPELLING,
            path,
            json!(format!("sha256:{}", digest(PROGRAM))),
        ),
        set(
            "a_digest_of_63_digits",
            SPELLING,
            path,
            json!(&digest(PROGRAM)[1..]),
        ),
        set("no_digest", SPELLING, path, json!("")),
        set(
            "a_digest_that_leads_out",
            SPELLING,
            path,
            json!(format!("../{}", &digest(PROGRAM)[3..])),
        ),
        Lie::manifest("a_listed_digest_in_upper_case", SPELLING, |manifest| {
            let blobs = manifest["blobs"].as_object_mut().unwrap();
            let bytes = blobs.remove(&digest(PROGRAM)).unwrap();
            blobs.insert(digest(PROGRAM).to_uppercase(), bytes);
        }),
        set(
            "a_file_of_a_blob_that_nobody_listed",
            "blob-unlisted",
            path,
            json!(digest(b"other")),
        ),
        set(
            "a_file_of_another_size",
            SIZE,
            "/entries/0/bytes",
            json!(PROGRAM.len() + 1),
        ),
        set(
            "a_file_that_is_another_blob",
            SIZE,
            path,
            json!(digest(SETTINGS)),
        ),
        Lie::manifest("a_blob_of_another_size", SIZE, |manifest| {
            manifest["blobs"][digest(PROGRAM)] = json!(1);
        }),
        Lie::manifest(
            "a_blob_that_lies_about_its_size_everywhere",
            SIZE,
            |manifest| {
                manifest["blobs"][digest(PROGRAM)] = json!(1);
                manifest["entries"][0]["bytes"] = json!(1);
            },
        ),
        Lie::manifest("a_blob_of_4_gib", "blob-too-large", |manifest| {
            manifest["blobs"][digest(PROGRAM)] = json!(u32::MAX);
            manifest["entries"][0]["bytes"] = json!(u32::MAX);
        }),
        Lie::manifest("a_blob_of_all_there_is", "blob-too-large", |manifest| {
            manifest["blobs"][digest(PROGRAM)] = json!(u64::MAX);
            manifest["entries"][0]["bytes"] = json!(u64::MAX);
        }),
        Lie::manifest("a_blob_that_nobody_uses", "blob-unused", |manifest| {
            manifest["blobs"][digest(b"")] = json!(0);
        }),
        Lie::manifest(
            "a_blob_that_is_listed_and_missing",
            "blob-missing",
            |manifest| {
                let content = digest(b"missing");
                manifest["blobs"][&content] = json!(7);
                manifest["entries"][0]["digest"] = json!(content);
                manifest["entries"][0]["bytes"] = json!(7);
                manifest["blobs"]
                    .as_object_mut()
                    .unwrap()
                    .remove(&digest(PROGRAM));
            },
        ),
    ]
}

fn roles() -> Vec<Lie> {
    const CODE: &str = "manifest-role";
    let role = |name: &str, code, roles: Value| {
        Lie::manifest(name, code, move |manifest| {
            manifest["entries"][0]["roles"] = roles.clone();
        })
    };
    let many = |count: usize| {
        json!(
            (0..count)
                .map(|number| format!("r{number}"))
                .collect::<Vec<_>>()
        )
    };
    vec![
        role("a_role_twice", CODE, json!(["a", "a"])),
        role("a_role_with_a_space", CODE, json!(["a b"])),
        role("a_role_in_upper_case", CODE, json!(["Server"])),
        role("no_role", CODE, json!([""])),
        role("33_roles", "manifest-too-many", many(33)),
        role("50000_roles", "manifest-too-many", many(50_000)),
        Lie::manifest(
            "roles_that_take_ten_times_their_size",
            "manifest-too-many",
            |manifest| {
                let roles: Vec<String> = (0..32).map(|number| format!("{number:02}")).collect();
                let entry = |number: u32| {
                    json!({ "path": format!("{number:06}"), "type": "directory", "mode": "0755",
                        "roles": roles })
                };
                manifest["entries"] = (0..90_000).map(entry).collect();
            },
        ),
    ]
}
