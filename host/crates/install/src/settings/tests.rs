// SPDX-License-Identifier: Apache-2.0
//! What an operator may write, and where each mistake is shown.

use std::time::Duration;

use cofferdam_package::keyring::PublicKey;
use cofferdam_package::keyring::Role;
use cofferdam_package::keyring::TrustedKey;
use cofferdam_package::manifest::PackageId;

use super::ConfigFileAt;
use super::ManagedWrites;
use super::Settings;
use super::render;

fn key() -> TrustedKey {
    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    TrustedKey {
        key: PublicKey::parse(&pair.pk.to_base64()).unwrap(),
        role: Role::Vendor,
        name: "the \"vendor\"".to_owned(),
    }
}

fn parse(text: &str) -> Result<Settings, String> {
    Settings::parse(text, "install.toml").map_err(|error| error.to_string())
}

#[test]
fn what_adopt_writes_says_what_was_asked_for() {
    let id = PackageId::parse("acme-agent").unwrap();
    let key = key();
    let live = ["logs/**".to_owned(), "a \"b\"/*".to_owned()];
    let text = render(
        &id,
        &["server".to_owned()],
        std::slice::from_ref(&key),
        &live,
    );
    let settings = parse(&text).unwrap();
    assert_eq!(
        (settings.id, settings.roles),
        (id, vec!["server".to_owned()])
    );
    assert_eq!(settings.generations, 3);
    assert_eq!(settings.live.patterns(), live);
    let trusted = settings.trust.get(key.key.id()).unwrap();
    assert_eq!(
        (trusted.role, trusted.name.as_str()),
        (Role::Vendor, "the \"vendor\"")
    );
    assert_eq!(
        (
            settings.policy.signatures.vendor,
            settings.policy.signatures.reviewer
        ),
        (1, 0)
    );
}

#[test]
fn its_comments_are_a_sound_file_once_they_are_taken_away() {
    let id = PackageId::parse("acme-agent").unwrap();
    let text = render(&id, &[], &[key()], &[]);
    let prose = |line: &str| {
        !(line.contains(" = ") || line.starts_with("# [")) || line.starts_with("# A mistake")
    };
    let all: Vec<String> = text
        .lines()
        .filter(|line| !(line.starts_with('#') && prose(line)))
        .map(|line| line.strip_prefix("# ").unwrap_or(line).to_owned())
        .collect();
    let settings = parse(&all.join("\n")).unwrap();
    let service = settings.service.unwrap();
    assert_eq!(service.stop, ["systemctl", "stop", "acme-agent"]);
    assert_eq!(service.settle, Duration::from_secs(3));
    assert_eq!(settings.policy.ceilings.memory_bytes, Some(256 << 20));
    assert_eq!(
        settings.policy.managed_writes,
        ManagedWrites::AllowedDespiteSignedPayload
    );
    let agent = &settings.config["agent"];
    assert_eq!(
        agent.file,
        Some(ConfigFileAt::Outside("/etc/acme/agent.toml".into()))
    );
    assert!(agent.secret.matches("auth.token"));
}

#[test]
fn a_config_file_is_inside_or_outside_and_never_climbs() {
    let with = |file: &str| parse(&format!("id = \"a\"\n[config.x]\nfile = \"{file}\"\n"));
    let inside = with("conf/a.toml").unwrap();
    assert!(matches!(
        inside.config["x"].file,
        Some(ConfigFileAt::Inside(_))
    ));
    for file in ["../a", "/etc/../a", "/etc/./a", "/", "/etc/", "a//b", ""] {
        let error = with(file).unwrap_err();
        assert!(error.starts_with("install.toml:3:8: "), "{file}: {error}");
    }
}

/// Each mistake with the place that is shown for it.
const MISTAKES: &[(&str, &str)] = &[
    ("", "1:1"),
    ("id = 1", "1:6"),
    ("id = \"A B\"", "1:6"),
    ("id = \"a\"\nrols = []", "2:1"),
    ("id = \"a\"\nroles = [\"b\", \"b\"]", "2:15"),
    ("id = \"a\"\nroles = [\"B/\"]", "2:10"),
    ("id = \"a\"\ngenerations = 1", "2:15"),
    (
        "id = \"a\"\n[[trust]]\nkey = \"x\"\nrole = \"vendor\"\nname = \"n\"",
        "3:7",
    ),
    ("id = \"a\"\n[policy]\nvendor-signatures = 0", "3:21"),
    ("id = \"a\"\n[policy]\nreviewer-signatures = -1", "3:23"),
    ("id = \"a\"\n[policy.limits]\ntime = \"10\"", "3:8"),
    ("id = \"a\"\n[policy.limits]\nmemory = \"1 MB\"", "3:10"),
    ("id = \"a\"\n[policy.limits]\ncompile = \"soon\"", "3:11"),
    ("id = \"a\"\n[config.\"A/b\"]", "2:9"),
    ("id = \"a\"\n[config.b]\nformat = \"xml\"", "3:10"),
    ("id = \"a\"\n[config.b]\nsecret = [\"a..b\"]", "3:11"),
    ("id = \"a\"\n[service]\nstop = []\nstart = [\"x\"]", "3:8"),
    ("id = \"a\"\n[service]\nstart = [\"x\"]", "2:1"),
    ("id = \"a\"\n[state]\nlive = [\"a\", \"../b\"]", "3:14"),
    ("id = \"a\"\nid = \"b\"", "2:1"),
    ("id = \"a", "1:8"),
];

#[test]
fn every_mistake_is_shown_with_its_line_and_column() {
    for (text, place) in MISTAKES {
        let error = Settings::parse(text, "install.toml").unwrap_err();
        assert_eq!(error.code(), "settings-invalid");
        let shown = error.to_string();
        assert!(
            shown.starts_with(&format!("install.toml:{place}: ")),
            "{text:?}: {shown}"
        );
    }
}

#[test]
fn two_keys_with_one_id_are_a_mistake() {
    let key = key();
    let entry = format!(
        "[[trust]]\nkey = \"{}\"\nrole = \"vendor\"\nname = \"n\"\n",
        key.key.as_str()
    );
    let error = parse(&format!("id = \"a\"\n{entry}{entry}")).unwrap_err();
    assert!(error.starts_with("install.toml:7:7: "), "{error}");
}

#[test]
fn a_bad_name_of_a_key_is_shown_where_the_name_stands() {
    let key = key();
    for name in ["", "a\\u001bb", "a\\u202eb", &"n".repeat(129)] {
        let text = format!(
            "id = \"a\"\n[[trust]]\nkey = \"{}\"\nrole = \"vendor\"\nname = \"{name}\"\n",
            key.key.as_str()
        );
        let error = parse(&text).unwrap_err();
        assert!(error.starts_with("install.toml:5:8: "), "{error}");
    }
}
