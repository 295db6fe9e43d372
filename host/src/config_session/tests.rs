// SPDX-License-Identifier: Apache-2.0
//! A change is told whatever else a file holds, and a step's record of keys stays small.

use super::*;

fn globs(pattern: &str) -> KeyGlobSet {
    KeyGlobSet::parse(&[pattern.to_owned()]).unwrap()
}

/// A session over one file whose keys below `auth` are secret.
fn with_secrets(format: Format, found: &str) -> ConfigSession {
    let file = ConfigFile {
        found: Some(found.into()),
        format,
        secret: globs("auth.**"),
    };
    ConfigSession::open(BTreeMap::from([("agent".to_owned(), file)])).unwrap()
}

#[test]
fn a_secret_is_not_found_by_trying_values() {
    let mut session = with_secrets(Format::Yaml, "auth:\n  pin: &p 4821\n");
    let mut keys = session.for_step(KeyGlobSet::default(), globs("auth.**"));
    for value in [4820.into(), 4821.into(), "4821".into(), true.into()] {
        assert_eq!(keys.set("auth.pin", &value), Err(ConfigRefusal::Secret));
    }
    assert_eq!(keys.remove("auth.pin"), Err(ConfigRefusal::Secret));
    let renamed = keys.rename("auth.pin", "auth.code");
    assert_eq!(renamed, Err(ConfigRefusal::Secret));
    let touched = keys.into_touched();
    let denied = ["agent:auth.code", "agent:auth.pin"].map(str::to_owned);
    assert_eq!(touched.denied, denied.into());
    assert!(touched.written.is_empty());
}

#[test]
fn setting_a_secret_does_not_tell_its_type() {
    for (format, found) in [
        (
            Format::Toml,
            "[auth]\na = 1\nb = 'x'\nc = true\nd = [1]\ne = 1979-05-27\n",
        ),
        (
            Format::Json,
            r#"{"auth": {"a": 1, "b": "x", "c": true, "d": [1], "e": null}}"#,
        ),
        (
            Format::Yaml,
            "auth:\n  a: 1\n  b: x\n  c: true\n  d: [1]\n  e: ~\n",
        ),
    ] {
        for value in [Value::from(7), Value::from("y"), Value::from(false)] {
            let mut session = with_secrets(format, found);
            let mut keys = session.for_step(KeyGlobSet::default(), globs("auth.*"));
            for key in ["auth.a", "auth.b", "auth.c", "auth.d", "auth.e"] {
                assert_eq!(keys.set(key, &value), Ok(()), "{format}: {key}");
            }
            assert_eq!(
                keys.set("auth.a.below", &value),
                Err(ConfigRefusal::NotGranted)
            );
            drop(keys);
            let mut keys = session.for_step(KeyGlobSet::default(), globs("auth.**"));
            assert_eq!(keys.set("auth.a.below", &value), Err(ConfigRefusal::Secret));
        }
    }
}

#[test]
fn a_listing_does_not_tell_what_an_ungranted_key_is() {
    let found = "[auth]\ntoken = 'x'\n[net]\nport = 80\nhost = 'a'\n";
    let mut session = with_secrets(Format::Toml, found);
    let mut keys = session.for_step(globs("auth.**"), globs("net.port.**"));
    for prefix in [
        "auth.token.x",
        "auth.token",
        "auth.nothere.x",
        "net.host.x",
        "net.nothere.x",
    ] {
        assert_eq!(keys.list(Some(prefix)), Ok(Vec::new()), "{prefix}");
    }
    let told = keys.list(Some("net.port.x"));
    assert!(matches!(told, Err(ConfigRefusal::TypeMismatch(_))));
    assert_eq!(keys.list(Some("net")), Ok(vec!["net.port".to_owned()]));
    let denied = ["agent:auth.token.x", "agent:net.host.x"].map(str::to_owned);
    assert_eq!(keys.into_touched().denied, denied.into());
}

#[test]
fn what_no_step_can_read_hides_no_change_of_another_key() {
    for (format, found) in [
        (
            Format::Toml,
            "since = 1979-05-27\nnot = nan\n[net]\nport = 80\n",
        ),
        (
            Format::Json,
            "{\"none\": null, \"twice\": 1, \"twice\": 2, \"net\": {\"port\": 80}}\n",
        ),
        (
            Format::Yaml,
            "none: ~\nanchor: &a {x: 1}\nsame: *a\nnet:\n  port: 80\n",
        ),
    ] {
        let file = ConfigFile {
            found: Some(found.into()),
            format,
            secret: KeyGlobSet::default(),
        };
        let files = BTreeMap::from([("agent".to_owned(), file)]);
        let mut session = ConfigSession::open(files).unwrap();
        let all = || KeyGlobSet::parse(&["**".to_owned()]).unwrap();
        let mut keys = session.for_step(all(), all());
        keys.set("net.port", &8080.into()).unwrap();
        let changes = session.changes();
        let keys: Vec<&str> = changes.iter().map(|change| change.key.as_str()).collect();
        assert_eq!(keys, ["agent:net.port"], "{format}");
    }
}

#[test]
fn names_of_keys_are_recorded_as_far_as_there_is_room_and_the_rest_is_counted() {
    let file = ConfigFile {
        found: Some(b"[net]\nport = 80\n".to_vec()),
        format: Format::Toml,
        secret: KeyGlobSet::default(),
    };
    let files = BTreeMap::from([("agent".to_owned(), file)]);
    let mut session = ConfigSession::open(files).unwrap();
    let net = KeyGlobSet::parse(&["net.*".to_owned()]).unwrap();
    let mut keys = session.for_step(net, KeyGlobSet::default());
    keys.get("net.port").unwrap();
    for number in 0..2000 {
        let key = format!("k{number}.{}", "x".repeat(900));
        keys.get(&key).unwrap_err();
        keys.get(&key).unwrap_err();
    }
    let touched = keys.into_touched();
    assert_eq!(touched.read, BTreeSet::from(["agent:net.port".to_owned()]));
    let bytes: usize = touched.denied.iter().map(String::len).sum();
    assert!(bytes <= RECORDED_KEY_BYTES && touched.denied.len() > 100);
    let twice = 2 * (2000 - touched.denied.len() as u64);
    assert_eq!(touched.not_listed, twice);
}
