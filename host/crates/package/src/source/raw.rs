// SPDX-License-Identifier: Apache-2.0
//! `package.toml` as it is written: words with their places.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

type Word = Spanned<String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    pub(super) package: Package,
    pub(super) requires: Requires,
    #[serde(default)]
    pub(super) payload: Payload,
    #[serde(default)]
    pub(super) config: BTreeMap<Word, ConfigFile>,
    #[serde(default)]
    pub(super) step: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Package {
    pub(super) id: Word,
    pub(super) version: Word,
    #[serde(default)]
    pub(super) data_format: u64,
    pub(super) summary: Option<Word>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Requires {
    pub(super) from: Word,
    pub(super) host: Option<Word>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Payload {
    pub(super) dir: Option<Word>,
    #[serde(default)]
    pub(super) set: Vec<Set>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Set {
    #[serde(rename = "match")]
    pub(super) pattern: Word,
    pub(super) mode: Option<Word>,
    pub(super) keep: Option<bool>,
    pub(super) roles: Option<Vec<Word>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigFile {
    pub(super) file: Word,
    pub(super) format: Word,
    #[serde(default)]
    pub(super) secret: Vec<Word>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Step {
    pub(super) name: Word,
    pub(super) phase: Word,
    pub(super) component: Word,
    pub(super) reason: Word,
    pub(super) from: Option<Word>,
    #[serde(default)]
    pub(super) read: Vec<Word>,
    #[serde(default)]
    pub(super) write: Vec<Word>,
    #[serde(default)]
    pub(super) config: StepConfig,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) allow_managed_writes: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepConfig {
    #[serde(default)]
    pub(super) read: Vec<Word>,
    #[serde(default)]
    pub(super) write: Vec<Word>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) time: Option<Word>,
    pub(super) memory: Option<Word>,
    pub(super) written: Option<Word>,
    pub(super) files: Option<u64>,
    pub(super) log: Option<Word>,
}
