// SPDX-License-Identifier: Apache-2.0
//! One configuration file, read and edited by keys.
//!
//! | trick or accident in a file | answer |
//! |---|---|
//! | huge, deeply nested, not UTF-8, not of its format | refused by [`Document::parse`] under fixed caps |
//! | a key twice | every use of that key is refused, the others work |
//! | YAML anchors, aliases, tags on a key | read where they are plain, never edited |
//! | something the layout does not understand | the guard refuses the edit; the document is as it was |
//!
//! A document does no I/O and never puts a value into an error.

use crate::ConfigError;
use crate::Format;
use crate::Key;
use crate::MAX_BYTES;
use crate::MAX_DEPTH;
use crate::Value;
use crate::edit::Edit;
use crate::edit::Extent;
use crate::edit::Layout;
use crate::edit::Piece;
use crate::guard;
use crate::node::Lost;
use crate::node::Node;

const BOM: &str = "\u{feff}";

/// A configuration file that is edited in place.
#[derive(Debug, Clone)]
pub struct Document {
    format: Format,
    original: String,
    /// What [`Document::bytes`] returns, byte order mark included.
    text: String,
    node: Node,
}

/// A text and what it means, on its way to become the document.
struct Draft {
    body: String,
    node: Node,
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// `config-too-large`, `config-not-utf8`, `config-too-deep`, `config-syntax`, `unsupported-document`.
    pub fn parse(format: Format, bytes: Vec<u8>) -> Result<Self, ConfigError> {
        check_size(bytes.len())?;
        let text = String::from_utf8(bytes).map_err(|error| ConfigError::NotUtf8 {
            offset: error.utf8_error().valid_up_to(),
        })?;
        let body = text.strip_prefix(BOM).unwrap_or(&text);
        let node = read(format, body)?;
        layout(format, body)?;
        Ok(Self {
            format,
            original: text.clone(),
            node,
            text,
        })
    }

    /// The format it was read as.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The file as it is now.
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// Whether any byte differs from what was read.
    pub fn is_changed(&self) -> bool {
        self.text != self.original
    }

    /// The value of a key, `None` where there is none.
    ///
    /// # Errors
    /// `bad-key`, `ambiguous-key`, `not-a-value` for a table, `unsupported-value` for what has no type here.
    pub fn get(&self, key: &Key) -> Result<Option<Value>, ConfigError> {
        match self.find(key)? {
            None => Ok(None),
            Some(node @ Node::Table(_)) => Err(ConfigError::NotAValue {
                key: key.clone(),
                found: node.kind(),
            }),
            Some(node) => node.value().map(Some).ok_or_else(|| unsupported(key, node)),
        }
    }

    /// The keys of all values, or of those below `prefix`, in the order of the file (a step that moves a
    /// section key by key so keeps its order).
    ///
    /// # Errors
    /// `bad-key`, `ambiguous-key`, `not-a-value` when `prefix` goes through something that is no table.
    pub fn list(&self, prefix: Option<&Key>) -> Result<Vec<Key>, ConfigError> {
        let (node, mut path) = match prefix {
            None => (Some(&self.node), Vec::new()),
            Some(key) => (self.find(key)?, key.parts().to_vec()),
        };
        let mut found = Vec::new();
        if let Some(node) = node {
            node.leaves(&mut path, &mut found);
        }
        found.retain(|(path, _)| !path.is_empty());
        let keys = found.into_iter().map(|(path, _)| Key::from_parts(path));
        Ok(keys.collect())
    }

    /// Sets a key: the bytes of an existing value, or a new line (and table) where the format puts one.
    /// Setting what is already there changes nothing, whatever its spelling.
    ///
    /// # Errors
    /// `type-change`, `edit-refused`, and those of [`Document::get`]; the document is then as it was.
    pub fn set(&mut self, key: &Key, value: &Value) -> Result<(), ConfigError> {
        let wanted = self.storable(key, value)?;
        if let Some(node) = self.find(key)? {
            self.refuse_list_elements(key)?;
            check_type(key, node, &wanted)?;
            if node.same(&Node::from_value(&wanted)) {
                return Ok(());
            }
        }
        self.put(key, &wanted)
    }

    /// Sets a key whose value is kept from whoever sets it: the value decides nothing, neither by its type nor
    /// by being the same.
    ///
    /// # Errors
    /// `edit-refused`, and those of [`Document::get`]; the document is then as it was.
    pub fn overwrite(&mut self, key: &Key, value: &Value) -> Result<(), ConfigError> {
        let wanted = self.storable(key, value)?;
        self.put(key, &wanted)
    }

    /// Removes a key with the comment on its line; `false` when there was none. Comments above it stay, and so
    /// does the header of a table that becomes empty.
    ///
    /// # Errors
    /// `edit-refused`, `ambiguous-key`, `not-a-value`, `bad-key`; the document is then as it was.
    pub fn remove(&mut self, key: &Key) -> Result<bool, ConfigError> {
        let Some(node) = self.find(key)? else {
            return Ok(false);
        };
        refuse_table(key, node)?;
        self.refuse_list_elements(key)?;
        let draft = self.removed(self.body(), &self.node, key, Extent::Line)?;
        self.accept(draft)?;
        Ok(true)
    }

    /// Gives a value another name, also in another table, which is made next to the old one if need be. The
    /// value keeps its spelling; the comment on its line and those directly above travel with it. A table that
    /// becomes empty loses its header, unless a comment would be lost or left without its subject.
    ///
    /// # Errors
    /// `no-such-key`, `key-exists`, `edit-refused`, `ambiguous-key`, `not-a-value`, `bad-key`; the document is
    /// then as it was.
    pub fn rename(&mut self, from: &Key, to: &Key) -> Result<(), ConfigError> {
        let node = self
            .find(from)?
            .ok_or_else(|| ConfigError::NoSuchKey { key: from.clone() })?;
        refuse_table(from, node)?;
        self.refuse_list_elements(from)?;
        let taken = self.find(to)?;
        if from == to {
            return Ok(());
        }
        if taken.is_some() {
            return Err(ConfigError::KeyExists { key: to.clone() });
        }
        if to.starts_with(from) {
            return Err(ConfigError::EditRefused {
                key: from.clone(),
                reason: "it cannot become a part of itself".to_owned(),
            });
        }
        self.refuse_list_elements(to)?;
        let added = self.node.clone().with(to.parts(), node.clone());
        let on_the_spot = layout(self.format, self.body())?.rename(from.parts(), to.parts());
        if let Some(edit) = on_the_spot {
            let expected = added.without(from.parts());
            let draft = self.judge(self.body(), to, &edit, &expected)?;
            return self.accept(draft);
        }
        let edit = {
            let layout = layout(self.format, self.body())?;
            layout.piece(from.parts()).and_then(|mut piece| {
                if from.parts().last() != to.parts().last() {
                    piece.name = None;
                }
                layout.insert(to.parts(), &piece, Some(from.parts()))
            })
        }
        .map_err(|reason| refused(to, reason))?;
        let both = self.judge(self.body(), to, &edit, &added)?;
        let moved = self.removed(&both.body, &both.node, from, Extent::WithComments)?;
        let tidy = layout(self.format, &moved.body)?.tidy(from.parts(), to.parts());
        let tidied = tidy
            .map(|edit| self.judge(&moved.body, from, &edit, &moved.node))
            .transpose();
        // A header that cannot go safely stays: that is no reason to refuse the move.
        let draft = tidied.ok().flatten().unwrap_or(moved);
        self.accept(draft)
    }

    fn put(&mut self, key: &Key, wanted: &Value) -> Result<(), ConfigError> {
        let existing = self.find(key)?;
        self.refuse_list_elements(key)?;
        if let Some(node) = existing {
            refuse_table(key, node)?;
        }
        let expected = self
            .node
            .clone()
            .with(key.parts(), Node::from_value(wanted));
        let edit = {
            let layout = layout(self.format, self.body())?;
            if existing.is_some() {
                layout.replace(key.parts(), wanted)
            } else {
                layout
                    .spell(wanted)
                    .and_then(|value| layout.insert(key.parts(), &Piece::of(value), None))
            }
        }
        .map_err(|reason| refused(key, reason))?;
        let draft = self.judge(self.body(), key, &edit, &expected)?;
        self.accept(draft)
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    fn body(&self) -> &str {
        self.text.strip_prefix(BOM).unwrap_or(&self.text)
    }

    fn find(&self, key: &Key) -> Result<Option<&Node>, ConfigError> {
        if !key.fits(self.format) {
            let expected = match self.format {
                Format::Env => "one name",
                _ => "`name` or `section.name`; quote a part with dots",
            };
            return Err(ConfigError::BadKey {
                key: key.clone(),
                format: self.format,
                expected,
            });
        }
        let found = self.node.find(key.parts()).map_err(|lost| match lost {
            Lost::Ambiguous => ConfigError::AmbiguousKey { key: key.clone() },
            Lost::Blocked(found) => ConfigError::NotAValue {
                key: key.clone(),
                found,
            },
        });
        let merges = |end| {
            let mut table = key.parts().get(..end).unwrap_or_default().to_vec();
            table.push("<<".to_owned());
            matches!(self.node.find(&table), Ok(Some(_)) | Err(Lost::Ambiguous))
        };
        match found {
            // A merged key stands elsewhere: answering "there is none" would be wrong.
            Ok(None) if self.format == Format::Yaml && (0..key.parts().len()).any(merges) => {
                let found = "a mapping that merges others (`<<`)";
                Err(ConfigError::UnsupportedValue {
                    key: key.clone(),
                    found,
                })
            }
            found => found,
        }
    }

    fn refuse_list_elements(&self, key: &Key) -> Result<(), ConfigError> {
        if self.node.passes_list(key.parts()) {
            return Err(refused(
                key,
                "elements of a list are not edited by key".to_owned(),
            ));
        }
        Ok(())
    }

    /// The value as this format can hold it: INI and `.env` have nothing but text.
    fn storable(&self, key: &Key, value: &Value) -> Result<Value, ConfigError> {
        match (self.format, value) {
            (Format::Ini | Format::Env, Value::Scalar(scalar)) => {
                Ok(Value::from(scalar.to_string()))
            }
            (Format::Ini | Format::Env, Value::List(_)) => Err(ConfigError::UnsupportedValue {
                key: key.clone(),
                found: "list",
            }),
            (Format::Toml | Format::Json | Format::Yaml, _) => Ok(value.clone()),
        }
    }

    fn removed(
        &self,
        body: &str,
        node: &Node,
        key: &Key,
        extent: Extent,
    ) -> Result<Draft, ConfigError> {
        let expected = node.clone().without(key.parts());
        let edit = layout(self.format, body)?
            .remove(key.parts(), extent)
            .map_err(|reason| refused(key, reason))?;
        self.judge(body, key, &edit, &expected)
    }

    fn judge(
        &self,
        body: &str,
        key: &Key,
        edit: &Edit,
        expected: &Node,
    ) -> Result<Draft, ConfigError> {
        let read = |text: &str| read(self.format, text).map_err(|error| error.to_string());
        guard::judge(body, edit, expected, key.parts(), read)
            .map(|(body, node)| Draft { body, node })
            .map_err(|reason| refused(key, reason))
    }

    fn accept(&mut self, draft: Draft) -> Result<(), ConfigError> {
        let marked = self.text.starts_with(BOM);
        let text = if marked {
            format!("{BOM}{}", draft.body)
        } else {
            draft.body
        };
        check_size(text.len())?;
        layout(self.format, text.strip_prefix(BOM).unwrap_or(&text))?;
        self.text = text;
        self.node = draft.node;
        Ok(())
    }
}

fn check_size(found: usize) -> Result<(), ConfigError> {
    if found > MAX_BYTES {
        return Err(ConfigError::TooLarge {
            found,
            limit: MAX_BYTES,
        });
    }
    Ok(())
}

fn refused(key: &Key, reason: String) -> ConfigError {
    ConfigError::EditRefused {
        key: key.clone(),
        reason,
    }
}

fn unsupported(key: &Key, node: &Node) -> ConfigError {
    ConfigError::UnsupportedValue {
        key: key.clone(),
        found: node.kind(),
    }
}

fn refuse_table(key: &Key, node: &Node) -> Result<(), ConfigError> {
    match node {
        Node::Table(_) => Err(ConfigError::NotAValue {
            key: key.clone(),
            found: node.kind(),
        }),
        Node::List(_) | Node::Scalar(_) | Node::Other { .. } => Ok(()),
    }
}

/// A value keeps its type; so do the elements of a list, as far as old and new ones have one in common.
fn check_type(key: &Key, node: &Node, wanted: &Value) -> Result<(), ConfigError> {
    let change = |found, wanted| {
        Err(ConfigError::TypeChange {
            key: key.clone(),
            found,
            wanted,
        })
    };
    refuse_table(key, node)?;
    match (node.value(), wanted) {
        (None, wanted) => change(node.kind(), wanted.type_name()),
        (Some(Value::List(old)), Value::List(new)) => match (old.first(), new.first()) {
            (Some(first), Some(_)) => {
                let uniform = old.iter().all(|item| item.type_name() == first.type_name());
                match new
                    .iter()
                    .find(|item| item.type_name() != first.type_name())
                {
                    Some(other) if uniform => change(first.type_name(), other.type_name()),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        },
        (Some(old), wanted) if old.type_name() != wanted.type_name() => {
            change(old.type_name(), wanted.type_name())
        }
        (Some(_), _) => Ok(()),
    }
}

/// The second parser of the format.
fn read(format: Format, body: &str) -> Result<Node, ConfigError> {
    let node = match format {
        Format::Toml => crate::toml::read(body),
        Format::Json => crate::json::read(body),
        Format::Ini => crate::ini::read(body),
        Format::Env => crate::env::read(body),
        Format::Yaml => crate::yaml::read(body),
    }
    .map_err(|problem| problem.into_error(format))?;
    if node.is_within(MAX_DEPTH) {
        Ok(node)
    } else {
        Err(ConfigError::TooDeep { limit: MAX_DEPTH })
    }
}

/// The first parser of the format.
fn layout(format: Format, body: &str) -> Result<Box<dyn Layout + '_>, ConfigError> {
    match format {
        Format::Toml => crate::toml::layout(body),
        Format::Json => crate::json::layout(body),
        Format::Ini => crate::ini::layout(body),
        Format::Env => Ok(crate::env::layout(body)),
        Format::Yaml => Ok(crate::yaml::layout(body)),
    }
    .map_err(|problem| problem.into_error(format))
}
