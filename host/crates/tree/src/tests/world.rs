// SPDX-License-Identifier: Apache-2.0
//! A live tree, a slot and packages without signatures, for tests.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use cap_std::fs::Dir;
use cofferdam_package::digest::Digest;
use cofferdam_package::glob::GlobSet;

use crate::adopt;
use crate::classify;
use crate::classify::Classified;
use crate::error::TreeError;
use crate::inventory::Inventory;
use crate::stage::Places;
use crate::stage::Service;
use crate::stage::Stage;
use crate::stage::Staged;
use crate::verify::Drift;
use crate::walk::LiveTree;
use crate::wanted;
use crate::wanted::Wanted;

pub(super) fn globs(patterns: &[&str]) -> GlobSet {
    let patterns: Vec<String> = patterns.iter().map(|text| (*text).to_owned()).collect();
    GlobSet::parse(&patterns).expect("patterns")
}

/// What a package would put into the tree.
#[derive(Default, Clone)]
pub(super) struct Package {
    pub(super) wanted: BTreeMap<String, Wanted>,
    blobs: HashMap<Digest, Vec<u8>>,
}

impl Package {
    pub(super) fn file(self, path: &str, content: &str, mode: u32) -> Self {
        self.put(path, content, mode, false)
    }

    pub(super) fn seed(self, path: &str, content: &str) -> Self {
        self.put(path, content, 0o640, true)
    }

    pub(super) fn symlink(mut self, path: &str, target: &str) -> Self {
        self.wanted.insert(
            path.to_owned(),
            Wanted::Symlink {
                target: target.to_owned(),
            },
        );
        self
    }

    pub(super) fn directory(mut self, path: &str, mode: u32) -> Self {
        self.wanted
            .insert(path.to_owned(), Wanted::Directory { mode: Some(mode) });
        self
    }

    fn put(mut self, path: &str, content: &str, mode: u32, seed: bool) -> Self {
        let digest = Digest::of(content.as_bytes());
        let (index, bytes) = (self.wanted.len(), content.len() as u64);
        self.blobs.insert(digest, content.as_bytes().to_vec());
        self.wanted.insert(
            path.to_owned(),
            Wanted::File {
                index,
                digest,
                bytes,
                mode,
                seed,
            },
        );
        self
    }

    fn complete(&self) -> BTreeMap<String, Wanted> {
        wanted::with_parents(self.wanted.clone())
    }

    /// A package whose bytes are not what its digests say.
    pub(super) fn corrupted(mut self) -> Self {
        self.blobs.clear();
        self
    }
}

impl crate::stage::Blobs for Package {
    fn copy(&self, digest: &Digest, path: &str, target: &mut dyn Write) -> Result<u64, TreeError> {
        let Some(content) = self.blobs.get(digest) else {
            let (path, expected) = (path.to_owned(), *digest);
            return Err(TreeError::DigestMismatch {
                path,
                expected,
                found: Digest::of(b""),
            });
        };
        target
            .write_all(content)
            .map_err(|error| TreeError::io("write", path, error))?;
        Ok(content.len() as u64)
    }
}

pub(super) struct World {
    root: tempfile::TempDir,
    pub(super) live_patterns: GlobSet,
}

impl World {
    pub(super) fn new() -> Self {
        let root = tempfile::tempdir().expect("directory");
        for name in ["live", "slot", "incoming"] {
            fs::create_dir(root.path().join(name)).expect("directory");
        }
        Self {
            root,
            live_patterns: globs(&[]),
        }
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    pub(super) fn open(&self, name: &str) -> Dir {
        Dir::open_ambient_dir(self.path(name), cap_std::ambient_authority()).expect("directory")
    }

    pub(super) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("directory");
        fs::write(path, content).expect("file");
    }

    pub(super) fn chmod(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).expect("mode");
    }

    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).expect(path)
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    pub(super) fn facts(&self, path: &str) -> fs::Metadata {
        self.path(path).symlink_metadata().expect(path)
    }

    pub(super) fn mode(&self, path: &str) -> u32 {
        self.facts(path).mode() & 0o7777
    }

    pub(super) fn same_inode(&self, left: &str, right: &str) -> bool {
        self.facts(left).ino() == self.facts(right).ino()
    }

    pub(super) fn tree(&self) -> LiveTree {
        LiveTree::read(&self.open("live"), &self.live_patterns).expect("walk")
    }

    /// Puts what the package lists into the live tree, as an installer would have.
    pub(super) fn install(&self, package: &Package) -> Inventory {
        for (path, wanted) in package.complete() {
            let path = format!("live/{path}");
            match wanted {
                Wanted::File { digest, mode, .. } => {
                    self.write(&path, &package.blobs[&digest]);
                    self.chmod(&path, mode);
                }
                Wanted::Directory { mode } => {
                    fs::create_dir_all(self.path(&path)).expect("directory");
                    self.chmod(&path, mode.unwrap_or(0o755));
                }
                Wanted::Symlink { target } => {
                    std::os::unix::fs::symlink(target, self.path(&path)).expect("symlink");
                }
            }
        }
        let (inventory, drift) = self.adopt(package);
        assert_eq!(drift, []);
        inventory
    }

    pub(super) fn adopt(&self, package: &Package) -> (Inventory, Vec<Drift>) {
        adopt::adopt_wanted(&self.tree(), &package.complete()).expect("adopt")
    }

    pub(super) fn classify(
        &self,
        old: &Inventory,
        package: &Package,
        replace: &[&str],
    ) -> Result<Classified, TreeError> {
        let replace: Vec<String> = replace.iter().map(|path| (*path).to_owned()).collect();
        let tree = LiveTree::read(&self.open("live"), &self.live_patterns)?;
        classify::decide(old, &tree, &package.complete(), &replace)
    }

    pub(super) fn begin(&self, classified: Classified) -> Result<Stage, TreeError> {
        let (live, slot) = (self.open("live"), self.open("slot"));
        let incoming = self.open("incoming");
        let places = Places {
            live: &live,
            base: &live,
            slot: &slot,
            incoming: &incoming,
        };
        Stage::begin(places, classified, self.live_patterns.clone())
    }

    /// A whole update without steps.
    pub(super) fn update(&self, old: &Inventory, package: &Package) -> Result<Staged, TreeError> {
        self.update_with(old, package, &[], |_| Ok(()))
    }

    /// A whole update; `migrate` stands for the steps after the payload is in place.
    pub(super) fn update_with(
        &self,
        old: &Inventory,
        package: &Package,
        replace: &[&str],
        migrate: impl FnOnce(&mut Stage) -> Result<(), TreeError>,
    ) -> Result<Staged, TreeError> {
        let mut stage = self.begin(self.classify(old, package, replace)?)?;
        stage.fetch_from(package, &mut |_| ())?;
        stage.link_unchanged(false)?;
        stage.copy_state(Service::Stopped, &mut |_| ())?;
        stage.place_payload()?;
        migrate(&mut stage)?;
        stage.finish()
    }

    /// What the commit and the next transaction's clean-up do: the slot becomes the live tree.
    pub(super) fn commit(&self) {
        fs::rename(self.path("live"), self.path("before")).expect("rename");
        fs::rename(self.path("slot"), self.path("live")).expect("rename");
        fs::rename(self.path("before"), self.path("slot")).expect("rename");
    }

    pub(super) fn empty_slot(&self) {
        for name in ["slot", "incoming"] {
            crate::remove::remove(&self.open("."), name).expect("remove");
            fs::create_dir(self.path(name)).expect("directory");
        }
    }
}
