// SPDX-License-Identifier: Apache-2.0
//! A tree as it stands: content, modes, owners and links, for "nothing changed" and "exactly this".

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Every path of a tree with what stands there.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Snapshot(BTreeMap<String, Node>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Node {
    File {
        mode: u32,
        owner: (u32, u32),
        content: Vec<u8>,
    },
    Directory {
        mode: u32,
        owner: (u32, u32),
    },
    Symlink {
        target: String,
    },
    Other {
        mode: u32,
    },
}

impl Snapshot {
    /// The tree at a directory.
    pub(crate) fn of(root: impl AsRef<Path>) -> Self {
        let mut nodes = BTreeMap::new();
        walk(root.as_ref(), "", &mut nodes);
        Self(nodes)
    }

    /// The paths in it.
    pub(crate) fn paths(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// The paths of the files that hold these bytes somewhere.
    pub(crate) fn holding(&self, bytes: &[u8]) -> Vec<&str> {
        let holds = |node: &Node| match node {
            Node::File { content, .. } => content.windows(bytes.len()).any(|part| part == bytes),
            Node::Directory { .. } | Node::Symlink { .. } | Node::Other { .. } => false,
        };
        let held = self.0.iter().filter(|(_, node)| holds(node));
        held.map(|(path, _)| path.as_str()).collect()
    }

    /// The paths at which this tree and another differ, in order.
    pub(crate) fn differing(&self, other: &Self) -> Vec<String> {
        let paths: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let differs = |path: &&&String| self.0.get(**path) != other.0.get(**path);
        paths
            .iter()
            .filter(differs)
            .map(|path| (*path).clone())
            .collect()
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut map = f.debug_map();
        for (path, node) in &self.0 {
            match node {
                Node::File { mode, content, .. } => {
                    let start =
                        String::from_utf8_lossy(&content[..content.len().min(60)]).into_owned();
                    map.entry(
                        path,
                        &format_args!("{mode:o} {} bytes {start:?}", content.len()),
                    )
                }
                other => map.entry(path, other),
            };
        }
        map.finish()
    }
}

fn walk(directory: &Path, prefix: &str, nodes: &mut BTreeMap<String, Node>) {
    nodes.insert(prefix.to_owned(), node(directory));
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), &name, nodes);
        } else {
            nodes.insert(name, node(&entry.path()));
        }
    }
}

fn node(path: &Path) -> Node {
    let metadata = fs::symlink_metadata(path).unwrap();
    let mode = metadata.mode() & 0o7777;
    let owner = (metadata.uid(), metadata.gid());
    if metadata.is_dir() {
        Node::Directory { mode, owner }
    } else if metadata.is_symlink() {
        Node::Symlink {
            target: fs::read_link(path).unwrap().to_string_lossy().into_owned(),
        }
    } else if metadata.is_file() {
        Node::File {
            mode,
            owner,
            content: fs::read(path).unwrap(),
        }
    } else {
        Node::Other { mode }
    }
}
