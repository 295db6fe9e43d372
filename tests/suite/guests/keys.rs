// SPDX-License-Identifier: Apache-2.0
//! A step reaches the keys that it was granted, by whatever name it asks; a secret it never reads.

use super::attack::Attack;

const KEYS: &str =
    "read = [\"script*\"]\nconfig.read = [\"net.host\"]\nconfig.write = [\"net.port\"]\n";

const ALL_KEYS: &str = "read = [\"script*\"]\nconfig.write = [\"**\"]\n";

#[test]
fn ungranted_keys_are_neither_read_nor_written_nor_moved() {
    let ended = Attack::script(&[
        "get net.host",
        "get net.port",
        "set net.host x",
        "remove net.host",
        "move net.host net.port",
        "move net.port net.host",
        "move net.port net.new",
        "set net.new 1",
        "get auth.token",
        "set net x",
        "get net",
        "keys auth",
        "get other:net.port",
        "set agent:net.host x",
        "get agent:auth.token",
    ])
    .may(KEYS)
    .succeeds();
    assert_eq!(
        ended.went_well(),
        [
            "get net.host: ok Some(Scalar(Text(\"a\")))",
            "get net.port: ok Some(Scalar(Integer(1)))",
            "keys auth: ok ",
        ]
    );
    assert_eq!(ended.changed, ["/bin/agent"]);
}

#[test]
fn a_secret_shows_by_no_way_round() {
    let ended = Attack::script(&[
        "get auth.token",
        "get agent:auth.token",
        "get auth",
        "get auth.\"token\"",
        "keys auth",
        "move auth.token net.token",
        "get net.token",
        "move auth net",
        "move auth.token net.port",
        "set net.port 2",
        "move net.port auth.port",
        "get auth.port",
        "move auth.port net.back",
        "read conf/agent.toml",
        "write conf/agent.toml x",
        "rename conf/agent.toml data/readable",
        "rename conf data/readable",
        "symlink ../conf/agent.toml data/readable",
        "read data/readable",
        "copy conf/agent.toml data/copy",
        "link conf/agent.toml data/copy",
    ])
    .may(&format!("{ALL_KEYS}write = [\"data/**\", \"conf/**\"]\n"))
    .succeeds();
    for text in [&ended.ran.stdout, &ended.ran.stderr] {
        assert!(!text.contains("hidden-token"), "{text}");
    }
    assert_eq!(
        ended.went_well(),
        [
            "keys auth: ok ",
            "get net.token: ok None",
            "set net.port 2: ok ",
            "move net.port auth.port: ok ",
            "symlink ../conf/agent.toml data/readable: ok ",
        ]
    );
    assert!(
        ended
            .read("conf/agent.toml")
            .contains("token = \"hidden-token\"")
    );
}

#[test]
pub(super) fn huge_keys() {
    let limits = format!("{ALL_KEYS}limits = {{ time = \"60s\" }}");
    let ended = Attack::by("huge_keys").may(&limits).succeeds();
    let log = ended.log();
    let well: Vec<&String> = log
        .iter()
        .filter(|line| !line.contains(": Refused("))
        .collect();
    // Two keys are there to list; and text stays text, whatever it looks like.
    assert_eq!(well, ["list : ok 2", "value line\\nADMIN : ok ()"]);
    assert_eq!(ended.changed, ["/bin/agent", "/conf/agent.toml"]);
    let written: toml::Table = ended.read("conf/agent.toml").parse().unwrap();
    assert_eq!(
        written["net"]["host"].as_str().unwrap(),
        "line\nADMIN = 1\n[root]\n"
    );
    assert_eq!(written["net"].as_table().unwrap().len(), 2);
    assert_eq!(written.len(), 2);
    ended.undone();
}
