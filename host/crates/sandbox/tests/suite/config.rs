// SPDX-License-Identifier: Apache-2.0
//! Keys reach the host as asked for, answers reach the step as given.

use crate::bench::Bench;
use cofferdam_config::Scalar;
use cofferdam_config::Value;
use cofferdam_sandbox::ConfigAccess;
use cofferdam_sandbox::ConfigRefusal;
use std::collections::BTreeMap;

/// Grants `server.*` only; `server.token` is a secret.
#[derive(Default)]
struct Keys(BTreeMap<String, Value>);

impl Keys {
    fn judge(key: &str) -> Result<(), ConfigRefusal> {
        match key {
            "server.token" => Err(ConfigRefusal::Secret),
            key if key.starts_with("server.") => Ok(()),
            _ => Err(ConfigRefusal::NotGranted),
        }
    }
}

impl ConfigAccess for Keys {
    fn get(&mut self, key: &str) -> Result<Option<Value>, ConfigRefusal> {
        Self::judge(key)?;
        Ok(self.0.get(key).cloned())
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<(), ConfigRefusal> {
        Self::judge(key)?;
        if key == "server.port" && matches!(value, Value::Scalar(Scalar::Text(_))) {
            return Err(ConfigRefusal::TypeMismatch("found an integer".to_owned()));
        }
        self.0.insert(key.to_owned(), value.clone());
        Ok(())
    }

    fn remove(&mut self, key: &str) -> Result<bool, ConfigRefusal> {
        Self::judge(key)?;
        Ok(self.0.remove(key).is_some())
    }

    fn rename(&mut self, key: &str, new_key: &str) -> Result<(), ConfigRefusal> {
        Self::judge(key)?;
        Self::judge(new_key)?;
        let value = self.0.remove(key).ok_or(ConfigRefusal::NoSuchKey)?;
        self.0.insert(new_key.to_owned(), value);
        Ok(())
    }

    fn list(&mut self, prefix: Option<&str>) -> Result<Vec<String>, ConfigRefusal> {
        let prefix = prefix.unwrap_or_default();
        Ok(self
            .0
            .keys()
            .filter(|key| key.starts_with(prefix))
            .cloned()
            .collect())
    }
}

#[test]
fn granted_keys_are_read_and_written_and_refusals_are_told() {
    let mut keys = Keys::default();
    keys.0
        .insert("server.port".to_owned(), Value::Scalar(Scalar::Integer(80)));
    keys.0.insert(
        "server.hosts".to_owned(),
        Value::List(vec![Scalar::Text("a".to_owned()), Scalar::Boolean(true)]),
    );
    let lines = [
        "get server.port u16",
        "get server.hosts",
        "get server.absent",
        "set server.port 8080",
        "set server.port text",
        "move server.port server.listen",
        "move server.port server.listen",
        "remove server.hosts",
        "keys server",
        "get net.port",
        "set net.port 1",
        "get server.token",
    ];
    let ran = Bench::new().run_with("script", &lines.join("\n"), &mut keys);
    assert_eq!(
        ran.answers(),
        [
            "ok Some(80)",
            "ok Some(List([Text(\"a\"), Boolean(true)]))",
            "ok None",
            "ok",
            "TypeMismatch(\"found an integer\")",
            "ok",
            "NoSuchKey",
            "ok true",
            "ok server.listen",
            "NotGranted",
            "NotGranted",
            "Secret",
        ]
    );
    assert_eq!(keys.0.len(), 1);
    assert_eq!(
        keys.0["server.listen"],
        Value::Scalar(Scalar::Integer(8080))
    );
}

#[test]
fn a_key_as_long_as_a_book_does_no_harm() {
    let mut keys = Keys::default();
    let line = format!("get {}", "k".repeat(1 << 20));
    let mut bench = Bench::new();
    bench.limits.log_bytes = 8 << 20;
    let ran = bench.run_with("script", &line, &mut keys);
    assert!(ran.answers()[0].ends_with("NotGranted"));
}
