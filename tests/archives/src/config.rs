// SPDX-License-Identifier: Apache-2.0
//! Configuration files that a manifest declares.

use serde_json::Value;
use serde_json::json;

use crate::Lie;
use crate::Sound;
use crate::manifest::set;

pub(crate) fn lies() -> Vec<Lie> {
    let file = |file: &str| json!({ "file": file, "format": "toml", "secret": [] });
    vec![
        set(
            "a_configuration_of_another_name",
            "manifest-name",
            "/config",
            json!({ "A b": file("x") }),
        ),
        set(
            "a_configuration_outside",
            "path-dot-part",
            "/config/agent/file",
            json!("../x.toml"),
        ),
        set(
            "a_configuration_of_the_system",
            "path-absolute",
            "/config/agent/file",
            json!("/etc/passwd"),
        ),
        set(
            "one_configuration_twice",
            "config-file-twice",
            "/config",
            json!({ "a": file("x"), "b": file("x") }),
        ),
        set(
            "one_configuration_in_two_cases",
            "config-file-twice",
            "/config",
            json!({ "a": file("x"), "b": file("X") }),
        ),
        set(
            "a_configuration_below_a_file",
            "path-file-and-directory",
            "/config/agent/file",
            json!("bin/agent/agent.toml"),
        ),
        set(
            "a_configuration_that_is_a_directory",
            "path-file-and-directory",
            "/config/agent/file",
            json!("bin"),
        ),
        set(
            "a_secret_of_another_file",
            "config-unknown",
            "/config/agent/secret",
            json!(["agent:auth"]),
        ),
        set(
            "a_secret_with_an_empty_part",
            "glob-empty-part",
            "/config/agent/secret",
            json!(["auth..key"]),
        ),
        set(
            "a_secret_with_open_quotes",
            "glob-quotes",
            "/config/agent/secret",
            json!(["auth.\"key"]),
        ),
        set(
            "257_secrets",
            "glob-too-many",
            "/config/agent/secret",
            json!(vec!["a"; 257]),
        ),
        Lie::manifest("65_configurations", "manifest-too-many", |manifest| {
            let named = |number: u32| {
                let file = json!({ "file": format!("c{number}"), "format": "env", "secret": [] });
                (format!("c{number}"), file)
            };
            manifest["config"] = Value::Object((0..65).map(named).collect());
        }),
        Lie::new(
            "the_sound_package_with_a_step_for_an_unknown_file",
            "config-unknown",
            |signers| {
                let mut sound = Sound::with_step();
                sound.manifest["config"] = json!({});
                sound.build(signers)
            },
        ),
    ]
}
