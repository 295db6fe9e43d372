// SPDX-License-Identifier: Apache-2.0
//! What a vendor may write, and where a mistake is shown.

use super::*;

const WHOLE: &str = r#"[package]
id = "acme-agent"
version = "1.1.0"
data-format = 3
summary = "Listens on IPv6"

[requires]
from = ">=1.0.0, <1.1.0"
host = ">=0.1.0"

[payload]
dir = "files"

[[payload.set]]
match = "bin/**"
mode = "0755"
roles = ["server"]

[[payload.set]]
match = "conf/agent.toml"
keep = true

[config.agent]
file = "conf/agent.toml"
format = "toml"
secret = ["auth.*"]

[[step]]
name = "move-net"
phase = "migrate"
from = "<1.1.0"
component = "../steps/move-net"
reason = "[net] becomes [server]"
read = ["data/**"]
write = ["data/schema"]
config.read = ["net.*", "agent:server.*"]
config.write = ["server.*"]
limits = { time = "10s", memory = "64MiB", written = "16MiB", files = 100 }
"#;

#[test]
fn the_whole_form_is_understood() {
    let source = parse(WHOLE).unwrap();
    assert_eq!(source.package.id.as_str(), "acme-agent");
    assert_eq!(source.package.data_format, 3);
    assert_eq!(source.payload.dir, "files");
    assert_eq!(source.payload.set[0].mode.unwrap().bits(), 0o755);
    assert_eq!(
        source.payload.set[0].roles.as_deref(),
        Some(["server".to_owned()].as_slice())
    );
    assert_eq!(source.payload.set[1].keep, Some(true));
    assert_eq!(source.config["agent"].format, ConfigFormat::Toml);
    let step = &source.step[0];
    assert_eq!(step.config.read, ["net.*", "agent:server.*"]);
    let expected = StepLimits {
        time_ms: 10_000,
        memory_bytes: 64 << 20,
        written_bytes: 16 << 20,
        files: 100,
        ..StepLimits::default()
    };
    assert_eq!(step.limits, expected);
    assert!(!step.allow_managed_writes);
}

#[test]
fn the_least_form_is_understood() {
    let least = "[package]\nid = \"x\"\nversion = \"1.0.0\"\n[requires]\nfrom = \"*\"\n";
    let source = parse(least).unwrap();
    assert_eq!(source.payload.dir, "payload");
    assert_eq!(source.requires.host, format!(">={HOST_VERSION}"));
    assert_eq!(
        (source.package.data_format, source.package.summary.as_str()),
        (0, "")
    );
}

#[test]
fn each_mistake_is_shown_where_it_stands() {
    for (from, to, code, line, column) in [
        ("\"acme-agent\"", "\"Acme\"", "manifest-name", 2, 6),
        ("\"1.1.0\"", "\"1.1\"", "manifest-version", 3, 11),
        ("= 3", "= -3", "source-syntax", 4, 15),
        (
            "[payload]\n",
            "[payload]\nsurprise = 1\n",
            "source-syntax",
            12,
            1,
        ),
        (
            "\">=1.0.0, <1.1.0\"",
            "\"later\"",
            "manifest-requirement",
            8,
            8,
        ),
        ("\"bin/**\"", "\"/bin/**\"", "glob-absolute", 15, 9),
        ("\"0755\"", "\"4755\"", "manifest-mode", 16, 8),
        (
            "[\"server\"]",
            "[\"server\", \"Big\"]",
            "manifest-role",
            17,
            20,
        ),
        ("[config.agent]", "[config.Agent]", "manifest-name", 23, 9),
        ("\"toml\"", "\"xml\"", "source-word", 25, 10),
        ("\"auth.*\"", "\"agent:auth.*\"", "config-unknown", 26, 11),
        ("\"migrate\"", "\"later\"", "source-word", 30, 9),
        ("\"migrate\"", "\"health\"", "step-phase-writes", 35, 10),
        ("\"<1.1.0\"", "\"soon\"", "manifest-requirement", 31, 8),
        ("\"../steps/move-net\"", "\"\"", "source-place", 32, 13),
        (
            "\"[net] becomes [server]\"",
            "\"a\\u0007\"",
            "manifest-text",
            33,
            10,
        ),
        (
            "\"agent:server.*\"",
            "\"other:server.*\"",
            "config-unknown",
            36,
            25,
        ),
        ("\"10s\"", "\"10 s\"", "source-amount", 38, 19),
        ("\"10s\"", "\"10h\"", "source-amount", 38, 19),
        ("\"64MiB\"", "\"64MB\"", "source-amount", 38, 35),
        (
            "\"64MiB\"",
            "\"99999999999999999999GiB\"",
            "source-amount",
            38,
            35,
        ),
        ("version = ", "version == ", "source-syntax", 3, 10),
    ] {
        let text = WHOLE.replacen(from, to, 1);
        assert_ne!(text, WHOLE, "{from}");
        let error = parse(&text).unwrap_err();
        assert_eq!(
            (error.code(), error.line, error.column),
            (code, line, column),
            "{to}: {error}"
        );
    }
}

#[test]
fn a_mistake_is_shown_with_its_line() {
    let text = WHOLE.replacen("\"1.1.0\"", "\"1.1\"", 1);
    let shown = parse(&text).unwrap_err().annotated("package.toml");
    let expected = "package.toml:3:11: version `1.1` is malformed: expected a semantic version\n  \
                    |\n3 | version = \"1.1\"\n  |           ^^^^^";
    assert_eq!(shown, expected);
}

#[test]
fn every_truncation_ends_in_an_answer() {
    for end in 0..WHOLE.len() {
        if let Err(error) = parse(&WHOLE[..end]) {
            assert!(!error.annotated("package.toml").is_empty());
        }
    }
    assert!(parse(&format!("a = {}", "[".repeat(100_000))).is_err());
}
