// SPDX-License-Identifier: Apache-2.0
//! What a sealed tree holds, path by path, as the host wrote it down.
//!
//! An inventory is read back strictly: an unknown field, a doubled path, a path that climbs or a
//! format tag of another version is an error and never an empty inventory. Live files are not in
//! it, nor are sockets; times are not in it either.

use std::collections::BTreeMap;
use std::fmt;

use cofferdam_package::digest::Digest;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de;

use crate::error::TreeError;
use crate::name;

/// The tag of the one format that this version writes and reads.
pub const FORMAT: &str = "inventory/1";

/// Everything in a tree but live files, by escaped path (see [`crate::name`]).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// What stands at each path.
    pub entries: BTreeMap<String, Item>,
}

/// One object of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Whose it is.
    pub kind: ItemKind,
    /// What it is.
    pub node: Node,
    /// Permission, set-id and sticky bits; of no meaning for symlinks.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// For a seed: the digest of the vendor's version, so that a changed default can be told.
    pub default: Option<Digest>,
}

/// Whose an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemKind {
    /// The package's.
    Managed,
    /// The vendor's first version, then the operator's.
    Seed,
    /// The operator's, or the program's data.
    State,
}

/// What an object is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Node {
    /// A regular file.
    File {
        /// SHA-256 of its content.
        digest: Digest,
        /// Its length.
        bytes: u64,
    },
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it leads, in escaped form.
        target: String,
    },
    /// A named pipe.
    Fifo,
}

impl Node {
    /// The word for it in an inventory.
    pub fn word(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Directory => "directory",
            Self::Symlink { .. } => "symlink",
            Self::Fifo => "fifo",
        }
    }
}

impl Inventory {
    /// Writes it as JSON, the same bytes for the same content.
    ///
    /// # Errors
    ///
    /// Only when memory runs out in a way that the serialiser can report.
    pub fn to_json(&self) -> Result<Vec<u8>, TreeError> {
        let document = Document {
            cofferdam: FORMAT.to_owned(),
            entries: Entries(&self.entries),
        };
        let mut bytes =
            serde_json::to_vec(&document).map_err(|error| TreeError::InventoryDamaged {
                reason: error.to_string(),
            })?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads what [`Self::to_json`] wrote.
    ///
    /// # Errors
    ///
    /// `inventory-unknown-format` for another version's, `inventory-damaged` for everything else.
    pub fn parse(bytes: &[u8]) -> Result<Self, TreeError> {
        let damaged = |error: serde_json::Error| TreeError::InventoryDamaged {
            reason: error.to_string(),
        };
        // The tag is judged before unknown fields are refused, to name the right cause.
        let tag: Tag = serde_json::from_slice(bytes).map_err(damaged)?;
        if tag.cofferdam != FORMAT {
            return Err(TreeError::InventoryFormat {
                found: tag.cofferdam,
                expected: FORMAT,
            });
        }
        let document: Document<OwnedEntries> = serde_json::from_slice(bytes).map_err(damaged)?;
        Ok(Self {
            entries: document.entries.0,
        })
    }

    /// The paths of one kind, in order.
    pub fn paths_of(&self, kind: ItemKind) -> impl Iterator<Item = &str> {
        let of_kind = move |(_, item): &(&String, &Item)| item.kind == kind;
        self.entries
            .iter()
            .filter(of_kind)
            .map(|(path, _)| path.as_str())
    }

    /// Whether the package owns `path`.
    pub fn is_managed(&self, path: &str) -> bool {
        self.entries
            .get(path)
            .is_some_and(|item| item.kind == ItemKind::Managed)
    }
}

#[derive(Deserialize)]
struct Tag {
    cofferdam: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<E> {
    cofferdam: String,
    entries: E,
}

struct Entries<'a>(&'a BTreeMap<String, Item>);

impl Serialize for Entries<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.0
                .iter()
                .map(|(path, item)| (path, Written::from(item))),
        )
    }
}

struct OwnedEntries(BTreeMap<String, Item>);

impl<'de> Deserialize<'de> for OwnedEntries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = OwnedEntries;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a map of paths")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((path, written)) = map.next_entry::<String, Written>()? {
                    if !name::is_path(&path) {
                        return Err(de::Error::custom(format!("`{path}` is not a path")));
                    }
                    let item = Item::try_from(written)
                        .map_err(|reason| de::Error::custom(format!("`{path}`: {reason}")))?;
                    if entries.insert(path.clone(), item).is_some() {
                        return Err(de::Error::custom(format!("`{path}` is listed twice")));
                    }
                }
                Ok(OwnedEntries(entries))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

/// An item as it is written: flat, so that errors name the field.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    kind: ItemKind,
    #[serde(rename = "type")]
    node: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    mode: String,
    uid: u32,
    gid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<Digest>,
}

impl From<&Item> for Written {
    fn from(item: &Item) -> Self {
        let (digest, bytes, target) = match &item.node {
            Node::File { digest, bytes } => (Some(*digest), Some(*bytes), None),
            Node::Symlink { target } => (None, None, Some(target.clone())),
            Node::Directory | Node::Fifo => (None, None, None),
        };
        Self {
            kind: item.kind,
            node: item.node.word().to_owned(),
            digest,
            bytes,
            target,
            mode: format!("{:04o}", item.mode),
            uid: item.uid,
            gid: item.gid,
            default: item.default,
        }
    }
}

impl TryFrom<Written> for Item {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let facts = (written.digest, written.bytes, written.target);
        let node = match (written.node.as_str(), facts) {
            ("file", (Some(digest), Some(bytes), None)) => Node::File { digest, bytes },
            ("directory", (None, None, None)) => Node::Directory,
            ("symlink", (None, None, Some(target))) => Node::Symlink { target },
            ("fifo", (None, None, None)) => Node::Fifo,
            (node, _) => return Err(format!("type `{node}` does not go with its fields")),
        };
        if let Node::Symlink { target } = &node
            && (target.is_empty() || name::unescape(target).is_none())
        {
            return Err(format!("`{target}` is not a target"));
        }
        let mode = u32::from_str_radix(&written.mode, 8).ok();
        let mode = mode
            .filter(|mode| *mode <= 0o7777 && format!("{mode:04o}") == written.mode)
            .ok_or_else(|| format!("`{}` is not a mode", written.mode))?;
        if written.default.is_some() && written.kind != ItemKind::Seed {
            return Err("only a seed has a default".to_owned());
        }
        let (uid, gid) = (written.uid, written.gid);
        Ok(Self {
            kind: written.kind,
            node,
            mode,
            uid,
            gid,
            default: written.default,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(kind: ItemKind, node: Node) -> Item {
        Item {
            kind,
            node,
            mode: 0o755,
            uid: 0,
            gid: 7,
            default: None,
        }
    }

    fn sample() -> Inventory {
        let file = Node::File {
            digest: Digest::of(b"x"),
            bytes: 1,
        };
        let target = "../x".to_owned();
        let mut seed = item(ItemKind::Seed, file.clone());
        seed.default = Some(Digest::of(b"default"));
        let entries = [
            ("bin".to_owned(), item(ItemKind::Managed, Node::Directory)),
            ("bin/a".to_owned(), item(ItemKind::Managed, file)),
            ("conf".to_owned(), seed),
            (
                "data/\\xff".to_owned(),
                item(ItemKind::State, Node::Symlink { target }),
            ),
            ("data/pipe".to_owned(), item(ItemKind::State, Node::Fifo)),
        ];
        Inventory {
            entries: entries.into_iter().collect(),
        }
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let bytes = sample().to_json().expect("writes");
        assert_eq!(Inventory::parse(&bytes).expect("reads"), sample());
    }

    #[test]
    fn any_truncation_is_damage_and_never_fewer_entries() {
        let bytes = sample().to_json().expect("writes");
        for length in 0..bytes.len() - 1 {
            let error = Inventory::parse(&bytes[..length]).expect_err("truncated");
            assert_eq!(error.code(), "inventory-damaged");
        }
    }

    #[test]
    fn an_inventory_of_another_version_says_so() {
        let error = Inventory::parse(br#"{"cofferdam":"inventory/2","entries":{},"new":1}"#)
            .expect_err("unknown");
        assert_eq!(error.code(), "inventory-unknown-format");
    }

    #[test]
    fn lies_in_an_inventory_are_refused() {
        let directory = r#"{"kind":"state","type":"directory","mode":"0755","uid":0,"gid":0}"#;
        let bodies = [
            format!(r#""../etc":{directory}"#),
            format!(r#""/etc":{directory}"#),
            format!(r#""a":{directory},"a":{directory}"#),
            format!(r#""a":{}"#, directory.replace("0755", "755")),
            format!(r#""a":{}"#, directory.replace("0755", "17777")),
            format!(r#""a":{}"#, directory.replace("directory", "file")),
            format!(r#""a":{}"#, directory.replace("state", "mine")),
            format!(
                r#""a":{}"#,
                directory.replace("\"gid\"", "\"more\":1,\"gid\"")
            ),
        ];
        for body in bodies {
            let text = format!(r#"{{"cofferdam":"inventory/1","entries":{{{body}}}}}"#);
            let error = Inventory::parse(text.as_bytes()).expect_err(&text);
            assert_eq!(error.code(), "inventory-damaged", "{text}");
        }
    }
}
