// SPDX-License-Identifier: Apache-2.0
//! A small sound package: what every lie starts from.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use serde_json::json;
use sha2::Digest as _;
use sha2::Sha256;

use crate::Signers;
use crate::raw::RawEntry;
use crate::raw::RawZip;

/// The program that the package installs.
pub const PROGRAM: &[u8] = b"#!/bin/sh\necho two\n";
/// A file of settings that becomes the operator's.
pub(crate) const SETTINGS: &[u8] = b"port = 8080\n";
/// What a step's component would be; nothing compiles it.
pub(crate) const COMPONENT: &[u8] = b"\0asm, as far as anyone looks";

/// A package in the making: its manifest and its blobs, before both are signed and put together.
#[derive(Clone)]
pub struct Sound {
    /// The manifest.
    pub manifest: Value,
    /// Replaces the manifest's text.
    pub text: Option<Vec<u8>>,
    /// The content of each blob.
    pub contents: Vec<Vec<u8>>,
}

impl Sound {
    /// Version 1.1.0 of `agent`: a program, a link to it, settings, an empty folder.
    #[must_use]
    pub fn new() -> Self {
        let manifest = json!({
            "cofferdam": "package/1",
            "id": "agent",
            "version": "1.1.0",
            "data_format": 1,
            "created": 1_700_000_000,
            "summary": "a test",
            "requires": { "from": "*", "host": ">=0.1.0" },
            "entries": [
                file("bin/agent", PROGRAM),
                { "path": "bin/current", "type": "symlink", "target": "agent" },
                file("conf/agent.toml", SETTINGS),
                { "path": "data", "type": "directory", "mode": "0750" },
            ],
            "config": { "agent": { "file": "conf/agent.toml", "format": "toml", "secret": ["auth.*"] } },
            "steps": [],
            "blobs": { digest(PROGRAM): PROGRAM.len(), digest(SETTINGS): SETTINGS.len() },
            "builds": [],
        });
        Self {
            manifest,
            text: None,
            contents: vec![PROGRAM.to_vec(), SETTINGS.to_vec()],
        }
    }

    /// The same with a step.
    #[must_use]
    pub fn with_step() -> Self {
        let mut sound = Self::new();
        sound.manifest["steps"] = json!([{
            "name": "move-net", "phase": "migrate", "component": digest(COMPONENT),
            "bytes": COMPONENT.len(), "reason": "[net] becomes [server]", "from": "<1.1.0",
            "read": ["data/**"], "write": ["data/schema"],
            "config_read": ["net.*"], "config_write": ["agent:server.*"],
            "limits": {
                "time_ms": 10_000, "memory_bytes": 67_108_864, "written_bytes": 1, "files": 1,
                "log_bytes": 1,
            },
            "allow_managed_writes": false,
        }]);
        sound.manifest["builds"] = json!([{ "step": "move-net", "toolchain": "rustc 1.95.0" }]);
        sound.manifest["blobs"][digest(COMPONENT)] = json!(COMPONENT.len());
        sound.contents.push(COMPONENT.to_vec());
        sound
    }

    /// Adds a payload file.
    #[must_use]
    pub fn with_file(mut self, path: &str, content: &[u8]) -> Self {
        self.manifest["blobs"][digest(content)] = json!(content.len());
        let entries = self.manifest["entries"].as_array_mut().unwrap();
        entries.push(file(path, content));
        entries.sort_by(|a, b| a["path"].as_str().cmp(&b["path"].as_str()));
        self.contents.push(content.to_vec());
        self
    }

    /// The manifest's text: `cofferdam` first.
    #[must_use]
    pub fn manifest_text(&self) -> String {
        let mut members = self.manifest.as_object().unwrap().clone();
        let rest = |members| Value::Object(members).to_string();
        match members.remove("cofferdam") {
            None => rest(members),
            Some(tag) => format!("{{\"cofferdam\":{tag},{}\n", &rest(members)[1..]),
        }
    }

    /// The manifest's bytes.
    #[must_use]
    pub fn manifest_bytes(&self) -> Vec<u8> {
        let text = || self.manifest_text().into_bytes();
        self.text.clone().unwrap_or_else(text)
    }

    /// The archive, signed by the trusted vendor: the manifest, the signature, the blobs by digest.
    #[must_use]
    pub fn zip(&self, signers: &Signers) -> RawZip {
        let manifest = self.manifest_bytes();
        let signature = signers.vendor.sign(&manifest);
        self.zip_with(&[(signers.vendor.entry_name(), signature.into_bytes())])
    }

    /// The archive with these signature files.
    #[must_use]
    pub fn zip_with(&self, signatures: &[(String, Vec<u8>)]) -> RawZip {
        let blobs: BTreeMap<String, &Vec<u8>> = self
            .contents
            .iter()
            .map(|content| (format!("blobs/{}", digest(content)), content))
            .collect();
        let mut signatures = signatures.to_vec();
        signatures.sort();
        let mut entries = vec![RawEntry::stored("manifest.json", &self.manifest_bytes())];
        let signature = |(name, text): &(String, Vec<u8>)| RawEntry::stored(name, text);
        entries.extend(signatures.iter().map(signature));
        entries.extend(
            blobs
                .iter()
                .map(|(name, content)| RawEntry::stored(name, content)),
        );
        RawZip::new(entries)
    }

    /// The signed archive's bytes.
    #[must_use]
    pub fn build(&self, signers: &Signers) -> Vec<u8> {
        self.zip(signers).build()
    }
}

impl Default for Sound {
    fn default() -> Self {
        Self::new()
    }
}

/// The manifest's entry of a file.
pub(crate) fn file(path: &str, content: &[u8]) -> Value {
    json!({
        "path": path, "type": "file", "digest": digest(content), "bytes": content.len(),
        "mode": "0755",
    })
}

/// The SHA-256 of `bytes`, as a package writes it.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}
