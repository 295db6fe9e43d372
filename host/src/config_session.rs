// SPDX-License-Identifier: Apache-2.0
//! The configuration files of one update, as its steps see them: single keys, buffered.
//!
//! One session lives as long as one update. It opens each declared file once, from the tree (or from
//! where the operator says that it is), lets steps edit copies in memory through their key grants, and
//! at the seal says what changed. It never writes a file: the pipeline puts the results into the
//! staged tree, or hands them to the commit. The rules on keys and secrets are decided here and nowhere
//! else:
//!
//! - a key is readable when a read or write pattern of the step matches it, writable when a write
//!   pattern does;
//! - a secret is never readable; it can be renamed, and only to a key that is itself a secret;
//! - writing a fresh value to a granted secret key is allowed: the step knows that value already. What
//!   stands there does not decide whether it can, and what cannot be changed is refused without a reason.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use cofferdam_config::ConfigError;
use cofferdam_config::Document;
use cofferdam_config::Format;
use cofferdam_config::Found;
use cofferdam_config::Key;
use cofferdam_config::Value;
use cofferdam_package::glob::KeyGlobSet;
use cofferdam_sandbox::ConfigAccess;
use cofferdam_sandbox::ConfigRefusal;
use cofferdam_tree::contents::Secrets;
use serde::Serialize;

/// What stands in plans, records and logs where a secret's value would be.
pub const MASKED: &str = "(secret)";

/// One declared configuration file, as it was found.
#[derive(Debug)]
pub struct ConfigFile {
    /// The bytes that stand there; `None` when there is no such file.
    pub found: Option<Vec<u8>>,
    /// How it is written.
    pub format: Format,
    /// Patterns of the keys that are secret, the vendor's and the operator's together.
    pub secret: KeyGlobSet,
}

/// A key that the steps of an update changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct KeyChange {
    /// The key with its file: `agent:server.port`.
    pub key: String,
    /// What stood there; `None` when there was nothing. Secrets are masked.
    pub old: Option<serde_json::Value>,
    /// What stands there now; `None` when it is gone. Secrets are masked.
    pub new: Option<serde_json::Value>,
    /// For a secret: the key that it was moved from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<String>,
}

/// The configuration files of one update, by the names that the vendor gave them.
#[derive(Debug, Default)]
pub struct ConfigSession {
    files: BTreeMap<String, OpenFile>,
    secret_moves: Vec<(Address, Address)>,
}

#[derive(Debug)]
struct OpenFile {
    original: Document,
    document: Document,
    existed: bool,
    secret: KeyGlobSet,
}

impl OpenFile {
    /// A key is secret when a pattern matches it or a table that it is in.
    fn hides(&self, key: &Key) -> bool {
        key.and_ancestors()
            .any(|key| self.secret.matches(&key.to_string()))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Address {
    file: String,
    key: Key,
}

impl Address {
    fn text(&self) -> String {
        format!("{}:{}", self.file, self.key)
    }
}

impl ConfigSession {
    /// Opens a session over the declared files.
    ///
    /// # Errors
    /// The name of the first file that its format cannot read, with the reason.
    pub fn open(files: BTreeMap<String, ConfigFile>) -> Result<Self, (String, ConfigError)> {
        let mut opened = BTreeMap::new();
        for (name, file) in files {
            let existed = file.found.is_some();
            let document = Document::parse(file.format, file.found.unwrap_or_default())
                .map_err(|error| (name.clone(), error))?;
            let file = OpenFile {
                original: document.clone(),
                document,
                existed,
                secret: file.secret,
            };
            opened.insert(name, file);
        }
        Ok(Self {
            files: opened,
            secret_moves: Vec::new(),
        })
    }

    /// The view of one step: these keys and no others.
    pub fn for_step(&mut self, read: KeyGlobSet, write: KeyGlobSet) -> StepKeys<'_> {
        StepKeys {
            session: self,
            read,
            write,
            touched: TouchedKeys::default(),
            left_bytes: RECORDED_KEY_BYTES,
        }
    }

    /// The files whose bytes differ from what was found, with their new bytes.
    pub fn changed_files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files
            .iter()
            .filter(|(_, file)| file.document.bytes() != file.original.bytes())
            .map(|(name, file)| (name.as_str(), file.document.bytes()))
    }

    /// Takes in a file that did not stand there before: the payload has brought its seed.
    ///
    /// Keys that steps set meanwhile are kept: a file that a step made wins over the seed.
    ///
    /// # Errors
    /// The format cannot read the file.
    pub fn appeared(&mut self, name: &str, found: Vec<u8>) -> Result<(), ConfigError> {
        if let Some(file) = self.files.get_mut(name)
            && !file.existed
            && file.document.bytes() == file.original.bytes()
        {
            file.original = Document::parse(file.original.format(), found)?;
            file.document = file.original.clone();
            file.existed = true;
        }
        Ok(())
    }

    /// The names of declared files that did not stand there when they were looked for.
    pub fn missing(&self) -> Vec<String> {
        let missing = self.files.iter().filter(|(_, file)| !file.existed);
        missing.map(|(name, _)| name.clone()).collect()
    }

    /// Every key that is not as it was found, sorted by file and key; secrets masked.
    pub fn changes(&self) -> Vec<KeyChange> {
        let mut changes = Vec::new();
        for (name, file) in &self.files {
            for change in file.document.differences(&file.original) {
                let address = Address {
                    file: name.clone(),
                    key: change.key,
                };
                let moved_from = self
                    .secret_moves
                    .iter()
                    .rev()
                    .find(|(_, to)| *to == address)
                    .map(|(from, _)| from.text());
                let secret = file.hides(&address.key);
                changes.push(KeyChange {
                    key: address.text(),
                    old: change.old.map(|found| shown(&found, secret)),
                    new: change.new.map(|found| shown(&found, secret)),
                    moved_from,
                });
            }
        }
        changes
    }

    /// What no digest may be told of: the values of all secrets, and the files that they are in.
    pub fn secrets(&self) -> Secrets {
        let mut secrets = Secrets::default();
        let guarded = self.files.values().filter(|file| !file.secret.is_empty());
        for file in guarded {
            for document in [&file.original, &file.document] {
                secrets.add_file(document.bytes());
                // What could be parsed can be listed; a key without a value has no text.
                for key in document.list(None).unwrap_or_default() {
                    if file.hides(&key)
                        && let Ok(Some(value)) = document.get(&key)
                    {
                        for text in texts(&value) {
                            secrets.add_text(text.as_bytes());
                        }
                    }
                }
            }
        }
        secrets
    }

    fn resolve(&self, text: &str) -> Result<Address, ConfigRefusal> {
        let (file, key) = match text.split_once(':') {
            Some((file, key)) if self.files.contains_key(file) => (file.to_owned(), key),
            _ => {
                let mut names = self.files.keys();
                match (names.next(), names.next()) {
                    (Some(only), None) => (only.clone(), text),
                    (None, _) => return Err(ConfigRefusal::NotGranted),
                    (Some(_), Some(_)) => {
                        return Err(ConfigRefusal::Ambiguous(
                            "the package declares more than one file: write `file:key`".to_owned(),
                        ));
                    }
                }
            }
        };
        let key = Key::parse(key).map_err(|error| ConfigRefusal::Refused(error.to_string()))?;
        Ok(Address { file, key })
    }

    fn file(&mut self, name: &str) -> Result<&mut OpenFile, ConfigRefusal> {
        self.files.get_mut(name).ok_or(ConfigRefusal::NoSuchKey)
    }

    fn is_secret(&self, address: &Address) -> bool {
        self.files
            .get(&address.file)
            .is_some_and(|file| file.hides(&address.key))
    }
}

/// The keys that a step used, for the record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TouchedKeys {
    /// Keys whose value the step was given.
    pub read: BTreeSet<String>,
    /// Keys that the step set, removed or renamed (both ends).
    pub written: BTreeSet<String>,
    /// Keys that the step asked for and was not granted.
    pub denied: BTreeSet<String>,
    /// How often a key was used or asked for that found no more room here.
    pub not_listed: u64,
}

/// What the keys of one record may take in memory: the names that a step asks for may be long. Beyond
/// it its requests still work, or are still refused; what changes is told by the values themselves.
const RECORDED_KEY_BYTES: usize = 1 << 20;

/// What a name costs beside its text, so that short ones are not free.
const KEY_BYTES: usize = 64;

/// One step's view of the session.
#[derive(Debug)]
pub struct StepKeys<'a> {
    session: &'a mut ConfigSession,
    read: KeyGlobSet,
    write: KeyGlobSet,
    touched: TouchedKeys,
    left_bytes: usize,
}

/// What a step did with a key.
#[derive(Clone, Copy)]
enum Use {
    Read,
    Written,
    Denied,
}

impl StepKeys<'_> {
    /// What the step did with keys.
    pub fn into_touched(self) -> TouchedKeys {
        self.touched
    }

    fn remember(&mut self, used: Use, address: &Address) {
        let key = address.text();
        let touched = &mut self.touched;
        let keys = match used {
            Use::Read => &mut touched.read,
            Use::Written => &mut touched.written,
            Use::Denied => &mut touched.denied,
        };
        if keys.contains(&key) {
            return;
        }
        match self.left_bytes.checked_sub(key.len() + KEY_BYTES) {
            Some(left) => {
                self.left_bytes = left;
                keys.insert(key);
            }
            None => touched.not_listed += 1,
        }
    }

    fn readable(&self, address: &Address) -> bool {
        let text = address.text();
        self.read.matches(&text) || self.write.matches(&text)
    }

    fn granted(&mut self, key: &str, write: bool) -> Result<Address, ConfigRefusal> {
        let address = self.session.resolve(key)?;
        let granted = if write {
            self.write.matches(&address.text())
        } else {
            self.readable(&address)
        };
        if granted {
            Ok(address)
        } else {
            self.remember(Use::Denied, &address);
            Err(ConfigRefusal::NotGranted)
        }
    }
}

impl ConfigAccess for StepKeys<'_> {
    fn get(&mut self, key: &str) -> Result<Option<Value>, ConfigRefusal> {
        let address = self.granted(key, false)?;
        if self.session.is_secret(&address) {
            self.remember(Use::Denied, &address);
            return Err(ConfigRefusal::Secret);
        }
        let value = self
            .session
            .file(&address.file)?
            .document
            .get(&address.key)
            .map_err(refusal)?;
        self.remember(Use::Read, &address);
        Ok(value)
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<(), ConfigRefusal> {
        let address = self.granted(key, true)?;
        let secret = self.session.is_secret(&address);
        let document = &mut self.session.file(&address.file)?.document;
        let set = if secret {
            document.overwrite(&address.key, value)
        } else {
            document.set(&address.key, value)
        };
        self.changed(set.map_err(refusal), &[&address])
    }

    fn remove(&mut self, key: &str) -> Result<bool, ConfigRefusal> {
        let address = self.granted(key, true)?;
        let document = &mut self.session.file(&address.file)?.document;
        let removed = document.remove(&address.key).map_err(refusal);
        self.changed(removed, &[&address])
    }

    fn rename(&mut self, key: &str, new_key: &str) -> Result<(), ConfigRefusal> {
        let from = self.granted(key, true)?;
        let to = self.granted(new_key, true)?;
        let secret = self.session.is_secret(&from);
        if secret && !self.session.is_secret(&to) {
            self.remember(Use::Denied, &to);
            return Err(ConfigRefusal::Secret);
        }
        let moved = if from.file == to.file {
            let document = &mut self.session.file(&from.file)?.document;
            document.rename(&from.key, &to.key).map_err(refusal)
        } else {
            self.move_between_files(&from, &to)
        };
        self.changed(moved, &[&from, &to])?;
        if secret {
            self.session.secret_moves.push((from, to));
        }
        Ok(())
    }

    fn list(&mut self, prefix: Option<&str>) -> Result<Vec<String>, ConfigRefusal> {
        let several = self.session.files.len() > 1;
        let below = prefix.map(|text| self.session.resolve(text)).transpose()?;
        if let Some(below) = &below
            && let Err(error) = self
                .session
                .file(&below.file)?
                .document
                .list(Some(&below.key))
        {
            // What is on the way would tell of keys that are not granted: it is as if nothing were there.
            if !self.readable(below) || self.session.is_secret(below) {
                self.remember(Use::Denied, below);
                return Ok(Vec::new());
            }
            return Err(refusal(error));
        }
        let mut listed = Vec::new();
        for (name, file) in &self.session.files {
            if below.as_ref().is_some_and(|below| below.file != *name) {
                continue;
            }
            let prefix = below.as_ref().map(|below| &below.key);
            for key in file.document.list(prefix).map_err(refusal)? {
                let address = Address {
                    file: name.clone(),
                    key,
                };
                if self.readable(&address) && !self.session.is_secret(&address) {
                    listed.push(if several {
                        address.text()
                    } else {
                        address.key.to_string()
                    });
                }
            }
        }
        Ok(listed)
    }
}

impl StepKeys<'_> {
    /// Records a change of keys. Why a secret cannot be changed would tell of it, so that is not told.
    fn changed<T>(
        &mut self,
        outcome: Result<T, ConfigRefusal>,
        keys: &[&Address],
    ) -> Result<T, ConfigRefusal> {
        let secret = keys.iter().any(|key| self.session.is_secret(key));
        let (used, outcome) = match outcome {
            Ok(done) => (Use::Written, Ok(done)),
            Err(ConfigRefusal::NoSuchKey) => return Err(ConfigRefusal::NoSuchKey),
            Err(_) if secret => (Use::Denied, Err(ConfigRefusal::Secret)),
            Err(refusal) => return Err(refusal),
        };
        for key in keys {
            self.remember(used, key);
        }
        outcome
    }

    fn move_between_files(&mut self, from: &Address, to: &Address) -> Result<(), ConfigRefusal> {
        let source = &self.session.file(&from.file)?.document;
        let value = source
            .get(&from.key)
            .map_err(refusal)?
            .ok_or(ConfigRefusal::NoSuchKey)?;
        let target = &mut self.session.file(&to.file)?.document;
        if target.get(&to.key).map_err(refusal)?.is_some() {
            return Err(ConfigRefusal::Refused(format!(
                "`{}` is there already",
                to.text()
            )));
        }
        target.set(&to.key, &value).map_err(refusal)?;
        self.session
            .file(&from.file)?
            .document
            .remove(&from.key)
            .map_err(refusal)?;
        Ok(())
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Scalar(scalar) => vec![scalar.to_string()],
        Value::List(scalars) => scalars.iter().map(ToString::to_string).collect(),
    }
}

fn shown(found: &Found, secret: bool) -> serde_json::Value {
    match found {
        _ if secret => MASKED.into(),
        // A scalar or a list of scalars always has a JSON form.
        Found::Value(value) => serde_json::to_value(value).unwrap_or(serde_json::Value::Null),
        Found::Other(kind) => format!("({kind})").into(),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` passes")]
fn refusal(error: ConfigError) -> ConfigRefusal {
    match error.code() {
        "no-such-key" => ConfigRefusal::NoSuchKey,
        "type-change" | "unsupported-value" | "not-a-value" => {
            ConfigRefusal::TypeMismatch(error.to_string())
        }
        "ambiguous-key" => ConfigRefusal::Ambiguous(error.to_string()),
        _ => ConfigRefusal::Refused(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
