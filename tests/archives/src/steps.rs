// SPDX-License-Identifier: Apache-2.0
//! Steps: what they are made of, and what they ask for.

use serde_json::Value;
use serde_json::json;

use crate::Lie;
use crate::Sound;
use crate::digest;
use crate::sound::COMPONENT;
use crate::sound::PROGRAM;
use crate::sound::SETTINGS;
use crate::sound::file;

pub(crate) fn lies() -> Vec<Lie> {
    [components(), words(), patterns(), limits()]
        .into_iter()
        .flatten()
        .collect()
}

/// A change of the sound package with a step.
fn with_step(
    name: &str,
    code: &'static str,
    change: impl Fn(&mut Value) + Send + Sync + 'static,
) -> Lie {
    Lie::new(name, code, move |signers| {
        let mut sound = Sound::with_step();
        change(&mut sound.manifest);
        sound.build(signers)
    })
}

/// A member of the step has another value.
fn set(name: &str, code: &'static str, member: &'static str, value: Value) -> Lie {
    with_step(name, code, move |manifest| {
        *manifest.pointer_mut(&format!("/steps/0/{member}")).unwrap() = value.clone();
    })
}

fn components() -> Vec<Lie> {
    const PAYLOAD: &str = "component-in-payload";
    vec![
        with_step(
            "components_of_five_times_63_mib",
            "components-too-large",
            |manifest| {
                const BYTES: u64 = 63 << 20;
                for number in 1..=5 {
                    let name = format!("large-{number}");
                    let component = digest(name.as_bytes());
                    let mut step = manifest["steps"][0].clone();
                    step["name"] = json!(name);
                    step["component"] = json!(component);
                    step["bytes"] = json!(BYTES);
                    manifest["steps"].as_array_mut().unwrap().push(step);
                    manifest["blobs"][component] = json!(BYTES);
                }
            },
        ),
        set(
            "limits_that_are_a_list",
            "manifest-schema",
            "limits",
            json!([1000, 1 << 20, 0, 0, 0]),
        ),
        with_step("a_step_that_is_a_list", "manifest-schema", |manifest| {
            let step = manifest["steps"][0].as_object().unwrap();
            let values: Vec<Value> = step.values().cloned().collect();
            manifest["steps"][0] = json!(values);
        }),
        with_step(
            "a_step_that_is_a_file_of_the_payload",
            PAYLOAD,
            |manifest| {
                manifest["steps"][0]["component"] = json!(digest(PROGRAM));
                manifest["steps"][0]["bytes"] = json!(PROGRAM.len());
                manifest["blobs"]
                    .as_object_mut()
                    .unwrap()
                    .remove(&digest(COMPONENT));
            },
        ),
        with_step(
            "a_file_of_the_payload_that_is_a_step",
            PAYLOAD,
            |manifest| {
                manifest["entries"][0] = file("bin/agent", COMPONENT);
                manifest["blobs"]
                    .as_object_mut()
                    .unwrap()
                    .remove(&digest(PROGRAM));
            },
        ),
        with_step("a_step_that_is_also_a_file", PAYLOAD, |manifest| {
            let entries = manifest["entries"].as_array_mut().unwrap();
            entries.push(file("step.wasm", COMPONENT));
        }),
        set(
            "a_step_of_a_blob_that_nobody_listed",
            "blob-unlisted",
            "component",
            json!(digest(b"other")),
        ),
        set(
            "a_step_of_another_size",
            "blob-size-mismatch",
            "bytes",
            json!(COMPONENT.len() + 1),
        ),
        set(
            "a_step_of_another_blob",
            "blob-size-mismatch",
            "component",
            json!(digest(SETTINGS)),
        ),
        set(
            "a_step_in_upper_case",
            "digest-spelling",
            "component",
            json!(digest(COMPONENT).to_uppercase()),
        ),
        with_step("a_step_of_65_mib", "blob-too-large", |manifest| {
            manifest["steps"][0]["bytes"] = json!(65 << 20);
            manifest["blobs"][digest(COMPONENT)] = json!(65 << 20);
        }),
        with_step("a_component_that_no_step_uses", "blob-unused", |manifest| {
            manifest["steps"] = json!([]);
            manifest["builds"] = json!([]);
        }),
    ]
}

fn words() -> Vec<Lie> {
    const SCHEMA: &str = "manifest-schema";
    const WRITES: &str = "step-phase-writes";
    let again = |list: &'static str, count: usize| {
        move |manifest: &mut Value| {
            let first = manifest[list][0].clone();
            manifest[list] = json!(vec![first; count]);
        }
    };
    vec![
        with_step("a_step_twice", "step-duplicate", again("steps", 2)),
        with_step("65_steps", "manifest-too-many", again("steps", 65)),
        with_step("10000_steps", "manifest-too-many", again("steps", 10_000)),
        with_step("a_build_twice", "build-of-no-step", again("builds", 2)),
        with_step("65_builds", "manifest-too-many", again("builds", 65)),
        with_step("a_build_of_no_step", "build-of-no-step", |manifest| {
            manifest["builds"][0]["step"] = json!("other");
        }),
        with_step(
            "a_build_that_moves_the_cursor",
            "manifest-text",
            |manifest| {
                manifest["builds"][0]["toolchain"] = json!("rustc\u{1b}[2J");
            },
        ),
        with_step(
            "a_build_with_a_malformed_digest",
            "digest-spelling",
            |manifest| {
                manifest["builds"][0]["lock_digest"] = json!("none");
            },
        ),
        with_step("an_unknown_member_of_a_build", SCHEMA, |manifest| {
            manifest["builds"][0]["surprise"] = json!(1);
        }),
        with_step("an_unknown_member_of_a_step", SCHEMA, |manifest| {
            manifest["steps"][0]["surprise"] = json!(1);
        }),
        with_step("an_unknown_limit_of_a_step", SCHEMA, |manifest| {
            manifest["steps"][0]["limits"]["surprise"] = json!(1);
        }),
        with_step("a_step_without_limits", SCHEMA, |manifest| {
            manifest["steps"][0]
                .as_object_mut()
                .unwrap()
                .remove("limits");
        }),
        set("a_step_in_capitals", "manifest-name", "name", json!("Move")),
        set(
            "a_step_that_leads_out",
            "manifest-name",
            "name",
            json!("../move"),
        ),
        set(
            "a_step_of_65_characters",
            "manifest-name",
            "name",
            json!("a".repeat(65)),
        ),
        set(
            "a_step_of_an_unknown_phase",
            SCHEMA,
            "phase",
            json!("later"),
        ),
        set(
            "a_step_of_a_phase_in_capitals",
            SCHEMA,
            "phase",
            json!("MIGRATE"),
        ),
        set("a_check_that_writes", WRITES, "phase", json!("check")),
        set(
            "a_health_check_that_writes",
            WRITES,
            "phase",
            json!("health"),
        ),
        with_step("a_check_that_writes_keys", WRITES, |manifest| {
            manifest["steps"][0]["phase"] = json!("check");
            manifest["steps"][0]["write"] = json!([]);
        }),
        with_step("a_check_that_asks_for_managed_files", WRITES, |manifest| {
            manifest["steps"][0]["phase"] = json!("check");
            manifest["steps"][0]["write"] = json!([]);
            manifest["steps"][0]["config_write"] = json!([]);
            manifest["steps"][0]["allow_managed_writes"] = json!(true);
        }),
        set(
            "a_reason_that_moves_the_cursor",
            "manifest-text",
            "reason",
            json!("a\rb"),
        ),
        set(
            "a_step_from_nowhere",
            "manifest-requirement",
            "from",
            json!("soon"),
        ),
    ]
}

fn patterns() -> Vec<Lie> {
    vec![
        set("a_pattern_of_nothing", "glob-empty", "read", json!([""])),
        set(
            "a_pattern_of_the_system",
            "glob-absolute",
            "read",
            json!(["/etc/**"]),
        ),
        set(
            "a_pattern_above_the_install",
            "glob-dot-part",
            "write",
            json!(["../**"]),
        ),
        set(
            "a_pattern_that_goes_up_and_down",
            "glob-dot-part",
            "write",
            json!(["data/../../x"]),
        ),
        set(
            "a_pattern_with_an_empty_part",
            "glob-empty-part",
            "read",
            json!(["data//x"]),
        ),
        set(
            "a_pattern_with_a_backslash",
            "glob-character",
            "read",
            json!(["data\\x"]),
        ),
        set(
            "a_pattern_that_moves_the_cursor",
            "glob-character",
            "read",
            json!(["\u{1b}[2J"]),
        ),
        set(
            "a_pattern_with_choices",
            "glob-unsupported",
            "read",
            json!(["data/{a,b}"]),
        ),
        set(
            "a_pattern_with_a_class",
            "glob-unsupported",
            "read",
            json!(["data/[ab]"]),
        ),
        set(
            "a_pattern_with_stars_inside",
            "glob-double-star",
            "read",
            json!(["data/a**"]),
        ),
        set(
            "a_pattern_of_1025_bytes",
            "glob-too-long",
            "read",
            json!(["a".repeat(1_025)]),
        ),
        set(
            "a_pattern_of_61_parts",
            "glob-too-long",
            "read",
            json!([vec!["**"; 61].join("/")]),
        ),
        set(
            "257_patterns",
            "glob-too-many",
            "read",
            json!(vec!["a"; 257]),
        ),
        set(
            "100000_patterns",
            "glob-too-many",
            "write",
            json!(vec!["a"; 100_000]),
        ),
        set(
            "a_key_of_an_undeclared_file",
            "config-unknown",
            "config_read",
            json!(["other:net"]),
        ),
        set(
            "a_key_with_open_quotes",
            "glob-quotes",
            "config_write",
            json!(["net.\"a"]),
        ),
        set(
            "a_key_with_a_malformed_name",
            "glob-name",
            "config_write",
            json!(["A b:net"]),
        ),
        with_step("a_key_of_one_of_two_files", "config-unknown", |manifest| {
            manifest["config"]["other"] = json!({ "file": "x", "format": "env", "secret": [] });
        }),
    ]
}

fn limits() -> Vec<Lie> {
    const CODE: &str = "step-limit";
    let limit = |name: &str, member, value: u64| set(name, CODE, member, json!(value));
    vec![
        limit("a_step_of_no_time", "limits/time_ms", 0),
        limit("a_step_of_more_than_a_day", "limits/time_ms", 86_400_001),
        limit("a_step_for_ever", "limits/time_ms", u64::MAX),
        limit("a_step_without_memory", "limits/memory_bytes", 0),
        limit(
            "a_step_of_more_than_4_gib",
            "limits/memory_bytes",
            (4 << 30) + 1,
        ),
        limit(
            "a_step_that_fills_the_disk",
            "limits/written_bytes",
            u64::MAX,
        ),
        limit("a_step_that_fills_the_inodes", "limits/files", 100_001),
        limit(
            "a_step_that_fills_the_log",
            "limits/log_bytes",
            (16 << 20) + 1,
        ),
        set(
            "a_step_of_negative_time",
            "manifest-schema",
            "limits/time_ms",
            json!(-1),
        ),
    ]
}
