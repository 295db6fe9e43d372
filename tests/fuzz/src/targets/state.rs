// SPDX-License-Identifier: Apache-2.0
//! The small documents of a state directory and the list of installs, where they really stand: the first
//! line of an input says which one it is. Whoever looks gets an answer or an error with a code, nothing is
//! changed by looking, and what is accepted says the same to a second reader.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use arbitrary::Unstructured;
use cofferdam_install::Install;
use cofferdam_install::InstallError;
use cofferdam_install::Registry;
use cofferdam_install::State;
use cofferdam_install::journal::codec;
use serde_json::Value;
use tempfile::TempDir;

use crate::check::input;
use crate::check::one_of;
use crate::text;

/// The documents, by the first line of an input: where each stands, below the folder of the world.
const DOCUMENTS: [(&str, &str); 6] = [
    ("declared", "app.cofferdam/generations/2/declared.json"),
    ("refused", "app.cofferdam/refused.json"),
    ("left", "app.cofferdam/generations/1/left.json"),
    ("made", "app.cofferdam/generations/2/made.json"),
    ("lock", "app.cofferdam/lock"),
    ("registered", "list/app.json"),
];

const JOURNAL: &str = include_str!("../../corpus/journal/two-generations.json");
const INVENTORY: &str = r#"{"cofferdam":"inventory/1","entries":{}}"#;

/// An install of two generations, and the list of installs.
struct World(TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().expect("there is room for a folder"));
        for folder in [
            "app",
            "app.cofferdam/generations/1/tree",
            "app.cofferdam/generations/2",
            "list",
        ] {
            fs::create_dir_all(world.path(folder)).expect("a folder that can be written");
        }
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(world.path("app.cofferdam"), private).expect("a folder of ours");
        let journal = serde_json::from_str(JOURNAL).expect("a sound journal");
        world.write("app.cofferdam/transaction.json", &codec::encode(&journal));
        world.write("app.cofferdam/install.toml", b"id = \"a\"\n");
        for generation in [1, 2] {
            let name = format!("app.cofferdam/generations/{generation}/inventory.json");
            world.write(&name, INVENTORY.as_bytes());
        }
        world
    }

    fn path(&self, relative: &str) -> PathBuf {
        self.0.path().join(relative)
    }

    fn write(&self, relative: &str, bytes: &[u8]) {
        fs::write(self.path(relative), bytes).expect("a folder that can be written");
    }

    /// Every file and what is in it.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        list(self.0.path(), &mut files);
        files.sort();
        files
    }
}

fn list(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("a folder that can be read") {
        let path = entry.expect("a folder that can be read").path();
        if path.is_dir() {
            list(&path, files);
        } else {
            let bytes = fs::read(&path).expect("a file that can be read");
            files.push((path, bytes));
        }
    }
}

/// Takes the name of a document, a line feed, and its bytes.
pub fn target(data: &[u8]) {
    let data = input(data, draw);
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (name, bytes) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let document = DOCUMENTS.iter().find(|(known, _)| known.as_bytes() == name);
    let Some((name, place)) = document else {
        return;
    };
    let world = World::new();
    world.write(place, bytes);
    let before = world.files();
    let install = Install::open(&world.path("app")).expect("what it reads at once is sound");
    let second = serde_json::from_slice::<Value>(bytes);
    let kept = answered(install.verify_kept(1));
    let made = answered(install.state_changes(1));
    // The live generation's manifest is missing, which is found after the document was read.
    assert!(answered(install.declared_configs()).is_none(), "{name}");
    let condemned = answered(install.condemned());
    let status = answered(install.status());
    assert!(kept.is_some() || *name == "left", "{name}");
    assert!(made.is_some() || ["made", "left"].contains(name), "{name}");
    assert!(condemned.is_some() || *name == "refused", "{name}");
    if let (Some(condemned), "refused", Ok(second)) = (condemned, *name, &second) {
        let listed = second["condemned"].as_array().map(Vec::len);
        assert_eq!(listed, Some(condemned.len()), "a second reader agrees");
    }
    if let (Some(status), "lock") = (status, *name)
        && let State::Working { holder } = status.state
    {
        assert!(holder.is_alive());
    }
    let listed = Registry::new(world.path("list")).list();
    let listed = listed.expect("the folder can be read");
    assert_eq!(listed.len(), usize::from(*name == "registered"));
    for entry in listed {
        if let Some(dir) = answered(entry) {
            let second = second.as_ref().expect("what was accepted is JSON");
            assert_eq!(second["dir"].as_str().map(Path::new), Some(dir.as_path()));
        }
    }
    assert_eq!(world.files(), before, "looking changes nothing");
    // Whatever a lock file says: nobody holds it.
    if *name == "lock" {
        drop(install.lock("apply", 1).expect("nobody holds it"));
    }
}

/// The answer; or nothing, and an error that is in the tables.
fn answered<T>(answer: Result<T, InstallError>) -> Option<T> {
    let error = match answer {
        Ok(answer) => return Some(answer),
        Err(error) => error,
    };
    let code = error.code();
    let tables = [cofferdam_install::CODES, cofferdam_tree::CODES];
    let known = tables.concat();
    crate::check::known(code, &known);
    None
}

fn draw(u: &mut Unstructured<'_>) -> Vec<u8> {
    const SEEDS: [(&str, &str); 6] = [
        ("declared", include_str!("../../corpus/state/declared-two")),
        ("refused", include_str!("../../corpus/state/refused-two")),
        ("left", include_str!("../../corpus/state/left-all")),
        ("made", include_str!("../../corpus/state/made-two")),
        (
            "lock",
            include_str!("../../corpus/state/lock-of-a-dead-process"),
        ),
        (
            "registered",
            include_str!("../../corpus/state/registered-sound"),
        ),
    ];
    let names = SEEDS.map(|(name, _)| name);
    let name = one_of(u, &names);
    let seed = SEEDS.iter().find(|(known, _)| *known == name);
    let (_, text) = seed
        .and_then(|(_, seed)| seed.split_once('\n'))
        .unwrap_or_default();
    [name.as_bytes(), b"\n", &text::json(u, &[text])].concat()
}
