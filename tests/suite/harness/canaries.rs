// SPDX-License-Identifier: Apache-2.0
//! What lies around an install and is no step's business: set up before an attack, the same after it,
//! byte for byte and inode for inode.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use super::Machine;
use super::Ran;
use super::Snapshot;

/// What every canary sings: it is to be found nowhere else.
const SONG: &str = "canary-0d3adc4a";

/// Everything on a machine but the install and what its state directory must write: the canaries
/// themselves, keys, packages, other installs; and the trees of old generations, by content.
pub(crate) struct Canaries {
    around: BTreeMap<PathBuf, String>,
    generations: BTreeMap<PathBuf, Snapshot>,
}

impl Canaries {
    /// Puts files beside and outside of an install that nobody may read or change.
    pub(crate) fn set(machine: &Machine, install: &str) {
        let beside = format!("{install}-other");
        fs::create_dir_all(format!("{beside}/data")).unwrap();
        for (path, mode) in [
            (machine.path("canary"), 0o644),
            (machine.path("etc/canary"), 0o600),
            (machine.path("etc/linked"), 0o644),
            (PathBuf::from(&beside).join("data/a"), 0o644),
            (PathBuf::from(format!("{install}.canary")), 0o644),
            (PathBuf::from(format!("{install}.cofferdam/canary")), 0o600),
        ] {
            fs::write(&path, format!("{SONG} {}\n", path.display())).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    /// As they are now.
    pub(crate) fn of(machine: &Machine, install: &str) -> Self {
        let state = PathBuf::from(format!("{install}.cofferdam"));
        let mut around = BTreeMap::new();
        let ours = [
            PathBuf::from(install),
            state.join("cache"),
            state.join("generations"),
            state.join("history.jsonl"),
            state.join("incoming"),
            state.join("lock"),
            state.join("refused.json"),
            state.join("transaction.json"),
        ];
        // These two change with what is written in them.
        let parents = [state.as_path(), Path::new(install).parent().unwrap()];
        look(&machine.path(""), &ours, &parents, &mut around);
        let mut generations = BTreeMap::new();
        for entry in fs::read_dir(state.join("generations")).unwrap() {
            let tree = entry.unwrap().path().join("tree");
            if tree.exists() {
                generations.insert(tree.clone(), Snapshot::of(tree));
            }
        }
        Self {
            around,
            generations,
        }
    }

    /// All of it is as it was, and no command has told of it.
    #[track_caller]
    pub(crate) fn assert_untouched(&self, machine: &Machine, install: &str, ran: &Ran) {
        self.assert_around_untouched(machine, install, ran);
        let now = Self::of(machine, install);
        for (tree, before) in &self.generations {
            let after = now.generations.get(tree);
            assert_eq!(after, Some(before), "{}", tree.display());
        }
    }

    /// The same for a command that may move or remove old generations.
    #[track_caller]
    pub(crate) fn assert_around_untouched(&self, machine: &Machine, install: &str, ran: &Ran) {
        let now = Self::of(machine, install);
        for path in self.around.keys().chain(now.around.keys()) {
            let (before, after) = (self.around.get(path), now.around.get(path));
            assert_eq!(after, before, "{}", path.display());
        }
        let history = fs::read_to_string(format!("{install}.cofferdam/history.jsonl"));
        for text in [&ran.stdout, &ran.stderr, &history.unwrap()] {
            assert!(!text.contains(SONG), "a canary was read: {text}");
        }
    }
}

fn look(path: &Path, ours: &[PathBuf], parents: &[&Path], around: &mut BTreeMap<PathBuf, String>) {
    if ours.iter().any(|own| own == path) {
        return;
    }
    let meta = fs::symlink_metadata(path).unwrap();
    let content = if meta.is_symlink() {
        fs::read_link(path).unwrap().display().to_string()
    } else if meta.is_file() {
        String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned()
    } else {
        String::new()
    };
    // The directory's own times and links change with what the product makes in it.
    let changes = if parents.contains(&path) {
        String::new()
    } else {
        format!(
            "{} links, written {}.{:09}, changed {}.{:09}",
            meta.nlink(),
            meta.mtime(),
            meta.mtime_nsec(),
            meta.ctime(),
            meta.ctime_nsec()
        )
    };
    let shown = format!(
        "inode {} mode {:o} of {}:{} {changes} {content}",
        meta.ino(),
        meta.mode(),
        meta.uid(),
        meta.gid()
    );
    around.insert(path.to_owned(), shown);
    if meta.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            look(&entry.unwrap().path(), ours, parents, around);
        }
    }
}
