// SPDX-License-Identifier: Apache-2.0
//! Every rule of the manifest, each with the document that breaks it.

use serde_json::Value;
use serde_json::json;

use super::*;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const C: &str = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";

/// A manifest with one of everything.
fn sound() -> Value {
    json!({
        "cofferdam": "package/1",
        "id": "acme-agent",
        "version": "1.1.0",
        "data_format": 3,
        "created": 1_700_000_000,
        "summary": "Listens on IPv6",
        "requires": { "from": ">=1.0.0, <1.1.0", "host": ">=0.1.0" },
        "entries": [
            { "path": "bin/agent", "type": "file", "digest": A, "bytes": 10, "mode": "0755", "roles": ["server"] },
            { "path": "bin/current", "type": "symlink", "target": "agent" },
            { "path": "conf/agent.toml", "type": "file", "digest": B, "bytes": 20, "mode": "0644", "keep": true },
            { "path": "data", "type": "directory", "mode": "0750" },
        ],
        "config": { "agent": { "file": "conf/agent.toml", "format": "toml", "secret": ["auth.*"] } },
        "steps": [{
            "name": "move-net", "phase": "migrate", "component": C, "bytes": 30,
            "reason": "[net] becomes [server]", "from": "<1.1.0",
            "read": ["data/**"], "write": ["data/schema"],
            "config_read": ["net.*"], "config_write": ["agent:server.*"],
            "limits": { "time_ms": 10_000, "memory_bytes": 67_108_864, "written_bytes": 1, "files": 1, "log_bytes": 1 },
            "allow_managed_writes": false,
        }],
        "blobs": { A: 10, B: 20, C: 30 },
        "builds": [{ "step": "move-net", "toolchain": "rustc 1.95.0", "lock_digest": A }],
    })
}

/// The document as text; `cofferdam` goes first, as `serde_json::Value` sorts members.
fn text(document: &Value) -> String {
    let mut members = document.as_object().unwrap().clone();
    let first = members.remove("cofferdam").unwrap();
    let rest = Value::Object(members).to_string();
    format!(
        "{{\"cofferdam\":{first},{}",
        rest.strip_prefix('{').unwrap()
    )
}

fn read(document: &Value) -> Result<Manifest, ManifestError> {
    parse(text(document).as_bytes(), &Limits::default())
}

fn code_with(pointer: &str, value: Value) -> &'static str {
    let mut document = sound();
    *document
        .pointer_mut(pointer)
        .unwrap_or_else(|| panic!("no {pointer}")) = value;
    read(&document).map_or_else(|error| error.code(), |_| "accepted")
}

fn code_of(text: &str) -> &'static str {
    parse(text.as_bytes(), &Limits::default()).map_or_else(|error| error.code(), |_| "accepted")
}

#[test]
fn a_sound_manifest_survives_writing_and_reading() {
    let manifest = read(&sound()).unwrap();
    let bytes = manifest.to_bytes();
    assert!(bytes.starts_with(b"{\"cofferdam\":\"package/1\",\"id\":\"acme-agent\""));
    let again = parse(&bytes, &Limits::default()).unwrap();
    assert_eq!(again, manifest);
    assert_eq!(again.to_bytes(), bytes);
}

#[test]
fn entries_and_steps_are_found_by_role_and_phase() {
    let manifest = read(&sound()).unwrap();
    assert_eq!(manifest.entries_for(&[]).count(), 3);
    assert_eq!(manifest.entries_for(&["server".to_owned()]).count(), 4);
    assert_eq!(manifest.steps_in(Phase::Migrate).count(), 1);
    assert_eq!(manifest.steps_in(Phase::Check).count(), 0);
    assert_eq!(manifest.payload_bytes(), 30);
    let step = &manifest.steps[0];
    assert!(step.runs_from(Some(&Version::new(1, 0, 0))));
    assert!(!step.runs_from(Some(&Version::new(1, 1, 0))));
    assert!(!step.runs_from(None));
}

#[test]
fn what_may_be_updated_follows_the_requirement() {
    let requires = |from: &str| Requires {
        from: from.to_owned(),
        host: "*".to_owned(),
    };
    let version = |text| Version::parse(text).unwrap();
    assert!(requires("*").matches(None));
    assert!(requires("*").matches(Some(&version("1.0.0-rc.1"))));
    assert!(!requires(">=1.0.0").matches(None));
    assert!(requires(">=1.0.0").matches(Some(&version("1.5.0"))));
    assert!(!requires(">=1.0.0").matches(Some(&version("0.9.0"))));
}

#[test]
fn duplicate_keys_are_refused_at_any_depth() {
    let sound = text(&sound());
    for (from, to) in [
        ("\"id\":", "\"id\":\"x\",\"id\":"),
        ("\"host\":", "\"host\":\"*\",\"host\":"),
        ("\"target\":", "\"target\":\"x\",\"target\":"),
        ("\"time_ms\":", "\"time_ms\":1,\"time_\\u006ds\":"),
        (&format!("\"{A}\":10"), &format!("\"{A}\":10,\"{A}\":10")),
    ] {
        let document = sound.replacen(from, to, 1);
        assert_ne!(document, sound);
        assert_eq!(code_of(&document), "manifest-duplicate-key", "{from}");
    }
}

#[test]
fn documents_of_another_kind_are_refused_first() {
    assert_eq!(code_of("{}"), "manifest-kind");
    assert_eq!(
        code_of("{\"id\":\"x\",\"cofferdam\":\"package/1\"}"),
        "manifest-kind"
    );
    assert_eq!(code_of("{\"cofferdam\":\"inventory/1\"}"), "manifest-kind");
    assert_eq!(code_of("{\"cofferdam\":1}"), "manifest-kind");
    assert_eq!(code_of("{\"cofferdam\":\"package/2\"}"), "manifest-format");
}

#[test]
fn the_host_requirement_is_judged_before_unknown_members() {
    let newer =
        "{\"cofferdam\":\"package/1\",\"new\":{},\"requires\":{\"host\":\">=99.0.0\",\"more\":1}}";
    assert_eq!(code_of(newer), "host-too-old");
    let format = newer.replace("package/1", "package/2");
    assert_eq!(code_of(&format), "host-too-old");
    assert_eq!(
        code_with("/requires/host", json!("nonsense")),
        "manifest-requirement"
    );
}

#[test]
fn broken_json_is_refused() {
    let sound = text(&sound());
    for broken in [
        "",
        "{",
        "nonsense",
        "[1",
        "{\"a\":1}x",
        "\u{feff}{}",
        "{\"a\":\"\\ud800\"}",
        "{'a':1}",
    ] {
        assert_eq!(code_of(broken), "manifest-syntax", "{broken:?}");
    }
    assert_eq!(code_of(&format!("{sound} {{}}")), "manifest-syntax");
    assert_eq!(code_of("[]"), "manifest-schema");
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    assert_eq!(code_of(&deep), "manifest-too-deep");
    let not_text = parse(b"{\"a\":\"\xff\"}", &Limits::default()).unwrap_err();
    assert_eq!(not_text.code(), "manifest-syntax");
    let small = Limits {
        manifest_bytes: 10,
        ..Limits::default()
    };
    assert_eq!(
        parse(sound.as_bytes(), &small).unwrap_err().code(),
        "manifest-too-large"
    );
}

#[test]
fn every_truncation_is_refused() {
    let sound = text(&sound());
    for end in 0..sound.len() {
        assert!(
            parse(&sound.as_bytes()[..end], &Limits::default()).is_err(),
            "at {end}"
        );
    }
}

#[test]
fn unknown_and_missing_members_are_refused_everywhere() {
    for pointer in [
        "",
        "/requires",
        "/entries/0",
        "/entries/3",
        "/config/agent",
        "/steps/0",
        "/steps/0/limits",
        "/builds/0",
    ] {
        let mut document = sound();
        document
            .pointer_mut(pointer)
            .unwrap()
            .as_object_mut()
            .unwrap()
            .insert("surprise".to_owned(), json!(1));
        assert_eq!(
            read(&document).unwrap_err().code(),
            "manifest-schema",
            "{pointer}"
        );
    }
    for member in [
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
    ] {
        let mut document = sound();
        document.as_object_mut().unwrap().remove(member);
        assert_eq!(
            read(&document).unwrap_err().code(),
            "manifest-schema",
            "{member}"
        );
    }
}

#[test]
fn each_rule_has_its_own_code() {
    let file = |path: &str| json!({ "path": path, "type": "file", "digest": A, "bytes": 10, "mode": "0644" });
    let link = |target: &str| json!({ "path": "bin/current", "type": "symlink", "target": target });
    let table = [
        ("/id", json!("Acme"), "manifest-name"),
        ("/id", json!("../x"), "manifest-name"),
        ("/version", json!("1.0"), "manifest-version"),
        ("/data_format", json!(-1), "manifest-schema"),
        ("/data_format", json!(1.5), "manifest-schema"),
        ("/created", json!(u64::MAX), "manifest-created"),
        ("/summary", json!("a\u{1b}[31mb"), "manifest-text"),
        ("/summary", json!("x".repeat(2_000)), "manifest-text"),
        ("/requires/from", json!("later"), "manifest-requirement"),
        ("/entries/0/path", json!("/bin/agent"), "path-absolute"),
        ("/entries/0/path", json!("../agent"), "path-dot-part"),
        ("/entries/0/path", json!("bin\\agent"), "path-backslash"),
        ("/entries/0/path", json!("bin/a\u{0}"), "path-control"),
        ("/entries/0/path", json!("bin/aux"), "path-reserved-name"),
        ("/entries/0/path", json!("bin/current"), "path-duplicate"),
        ("/entries/0/path", json!("z"), "path-unsorted"),
        ("/entries/0/path", json!("BIN/current"), "path-case-clash"),
        ("/entries/0", file("bin"), "path-file-and-directory"),
        ("/entries/0", file("Bin"), "path-case-clash"),
        ("/entries/1", link("../../etc/passwd"), "symlink-leads-out"),
        ("/entries/1", link("/etc/passwd"), "path-absolute"),
        ("/entries/0/mode", json!("4755"), "manifest-mode"),
        ("/entries/0/mode", json!("755"), "manifest-mode"),
        ("/entries/0/mode", json!("0798"), "manifest-mode"),
        ("/entries/0/roles", json!(["a", "a"]), "manifest-role"),
        ("/entries/0/roles", json!(["A b"]), "manifest-role"),
        (
            "/entries/0/digest",
            json!(A.to_uppercase()),
            "digest-spelling",
        ),
        ("/entries/0/digest", json!("d".repeat(64)), "blob-unlisted"),
        ("/entries/0/bytes", json!(11), "blob-size-mismatch"),
        ("/entries/0/type", json!("device"), "manifest-schema"),
        ("/entries/0/type", json!("directory"), "manifest-schema"),
        ("/entries/0/digest", json!(C), "blob-size-mismatch"),
        (
            "/config/agent/file",
            json!("../agent.toml"),
            "path-dot-part",
        ),
        ("/config/agent/format", json!("xml"), "manifest-schema"),
        ("/config/agent/secret", json!(["a..b"]), "glob-empty-part"),
        ("/config/agent/secret", json!(["agent:a"]), "config-unknown"),
        (
            "/config",
            json!({ "A": { "file": "x", "format": "toml", "secret": [] } }),
            "manifest-name",
        ),
        (
            "/config",
            json!({ "agent": { "file": "x", "format": "toml", "secret": [] },
                            "other": { "file": "X", "format": "toml", "secret": [] } }),
            "config-file-twice",
        ),
        (
            "/config",
            json!({ "agent": { "file": "x", "format": "toml", "secret": [] },
                            "other": { "file": "y", "format": "toml", "secret": [] } }),
            "config-unknown",
        ),
        ("/config", json!({}), "config-unknown"),
        ("/steps/0/name", json!("Move"), "manifest-name"),
        ("/steps/0/phase", json!("later"), "manifest-schema"),
        ("/steps/0/phase", json!("check"), "step-phase-writes"),
        ("/steps/0/phase", json!("health"), "step-phase-writes"),
        ("/steps/0/phase", json!("finalize"), "accepted"),
        ("/steps/0/component", json!(B), "blob-size-mismatch"),
        ("/steps/0/reason", json!("a\nb"), "manifest-text"),
        ("/steps/0/from", json!("soon"), "manifest-requirement"),
        ("/steps/0/read", json!(["/etc/**"]), "glob-absolute"),
        ("/steps/0/write", json!(["../**"]), "glob-dot-part"),
        ("/steps/0/config_read", json!(["other:x"]), "config-unknown"),
        ("/steps/0/config_write", json!(["a.\"b"]), "glob-quotes"),
        ("/steps/0/limits/time_ms", json!(0), "step-limit"),
        (
            "/steps/0/limits/memory_bytes",
            json!(u64::MAX),
            "step-limit",
        ),
        (
            "/blobs",
            json!({ A: 10, B: 20, C: 30, "d".repeat(64): 1 }),
            "blob-unused",
        ),
        ("/blobs", json!({ A: 10, B: 20 }), "blob-unlisted"),
        (
            "/blobs",
            json!({ A: u64::MAX, B: 20, C: 30 }),
            "blob-too-large",
        ),
        ("/builds/0/step", json!("none"), "build-of-no-step"),
        ("/builds/0/toolchain", json!("a\u{7}"), "manifest-text"),
    ];
    for (pointer, value, code) in table {
        assert_eq!(
            code_with(pointer, value.clone()),
            code,
            "{pointer} = {value}"
        );
    }
}

#[test]
fn what_takes_many_times_its_size_in_memory_is_refused_while_it_is_read() {
    let many = |count: usize| vec![String::from("a"); count];
    let table = [
        ("/steps/0/read", json!(many(257)), "glob-too-many"),
        ("/steps/0/read", json!(many(100_000)), "glob-too-many"),
        ("/config/agent/secret", json!(many(300)), "glob-too-many"),
        ("/entries/0/roles", json!(many(33)), "manifest-too-many"),
        ("/entries/0/roles", json!(many(9_000)), "manifest-too-many"),
        ("/steps/0/read", json!(many(100_001)), "manifest-too-many"),
        ("/summary", json!("x".repeat(1 << 20)), "manifest-text"),
        ("/summary", json!("x".repeat(1 << 21)), "manifest-text"),
        ("/id", json!("x".repeat(1 << 21)), "manifest-text"),
    ];
    for (pointer, value, code) in table {
        assert_eq!(code_with(pointer, value), code, "{pointer}");
    }
    for member in ["steps", "builds", "config"] {
        let mut document = sound();
        document[member] = if member == "config" {
            let file = document["config"]["agent"].clone();
            let named = |n: u32| (format!("c{n}"), file.clone());
            Value::Object((0..300).map(named).collect())
        } else {
            json!(vec![document[member][0].clone(); 300])
        };
        assert_eq!(read(&document).unwrap_err().code(), "manifest-too-many");
    }
    let mut roles = sound();
    let entry = |n: u32| {
        let roles: Vec<String> = (0..32).map(|role| format!("r{role}")).collect();
        json!({ "path": format!("d/{n:05}"), "type": "directory", "mode": "0755", "roles": roles })
    };
    roles["entries"] = (0..4_000).map(entry).collect();
    assert_eq!(read(&roles).unwrap_err().code(), "manifest-too-many");
}

#[test]
fn directories_that_nothing_names_are_counted_too() {
    let mut document = sound();
    let deep = |n: u32| {
        let below = vec!["d"; 60].join("/");
        json!({ "path": format!("{n:05}/{below}/f"), "type": "directory", "mode": "0755" })
    };
    document["entries"] = (0..2_000).map(deep).collect();
    assert_eq!(read(&document).unwrap_err().code(), "manifest-too-many");
}

#[test]
fn a_malformed_digest_is_shown_without_what_moves_a_cursor() {
    let mut document = sound();
    document["entries"][0]["digest"] = json!("\u{1b}[2J");
    let message = read(&document).unwrap_err().to_string();
    assert!(message.contains("\\u{1b}[2J"), "{message:?}");
}

#[test]
fn entries_below_a_symlink_are_refused() {
    let mut document = sound();
    document["entries"][2]["path"] = json!("bin/current/x");
    assert_eq!(
        read(&document).unwrap_err().code(),
        "path-file-and-directory"
    );
}

#[test]
fn a_component_is_no_payload_file() {
    let mut document = sound();
    document["entries"][0]["digest"] = json!(C);
    document["entries"][0]["bytes"] = json!(30);
    assert_eq!(read(&document).unwrap_err().code(), "component-in-payload");
}

#[test]
fn repeated_steps_and_builds_are_refused() {
    let mut document = sound();
    let step = document["steps"][0].clone();
    document["steps"].as_array_mut().unwrap().push(step);
    assert_eq!(read(&document).unwrap_err().code(), "step-duplicate");
    let mut document = sound();
    let build = document["builds"][0].clone();
    document["builds"].as_array_mut().unwrap().push(build);
    assert_eq!(read(&document).unwrap_err().code(), "build-of-no-step");
}

#[test]
fn caps_hold() {
    let bytes = text(&sound());
    let code = |limits: Limits| parse(bytes.as_bytes(), &limits).unwrap_err().code();
    assert_eq!(
        code(Limits {
            manifest_entries: 3,
            ..Limits::default()
        }),
        "manifest-too-many"
    );
    assert_eq!(
        code(Limits {
            steps: 0,
            ..Limits::default()
        }),
        "manifest-too-many"
    );
    assert_eq!(
        code(Limits {
            config_files: 0,
            ..Limits::default()
        }),
        "manifest-too-many"
    );
    assert_eq!(
        code(Limits {
            blob_bytes: 29,
            ..Limits::default()
        }),
        "blob-too-large"
    );
    assert_eq!(
        code(Limits {
            component_bytes: 29,
            ..Limits::default()
        }),
        "blob-too-large"
    );
    assert_eq!(
        code(Limits {
            total_bytes: 29,
            ..Limits::default()
        }),
        "payload-too-large"
    );
}
