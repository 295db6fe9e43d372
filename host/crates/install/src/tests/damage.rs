// SPDX-License-Identifier: Apache-2.0
//! Files of the state directory, cut at every length and with every byte changed: never a panic,
//! never taken for "nothing happened", and never a reason to touch the install.

use super::world::NEW_CONFIG;
use super::world::World;
use super::world::names;
use crate::Install;

/// Cuts and changes `file`, and asks `judge` for the code each time.
fn damaged(
    world: &World,
    file: &str,
    judge: impl Fn() -> Result<(), &'static str>,
    codes: &[&str],
) {
    let path = world.state().join(file);
    let sound = std::fs::read(&path).unwrap();
    judge().unwrap();
    let before = world.seen();
    let mut tried = 0;
    let mut judge_bytes = |bytes: &[u8], told: String| {
        std::fs::write(&path, bytes).unwrap();
        match judge() {
            Ok(()) => panic!("`{file}` {told} was believed"),
            Err(code) => assert!(codes.contains(&code), "`{file}` {told}: {code}"),
        }
        tried += 1;
    };
    for length in 0..sound.len() {
        judge_bytes(&sound[..length], format!("cut to {length} bytes"));
    }
    for at in 0..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 1;
        judge_bytes(&bytes, format!("with byte {at} changed"));
    }
    assert!(tried > 100);
    std::fs::write(&path, &sound).unwrap();
    assert_eq!(world.seen(), before);
    judge().unwrap();
}

#[test]
fn a_damaged_journal_is_unreadable_and_never_absent() {
    let world = World::new();
    damaged(
        &world,
        "transaction.json",
        || {
            Install::open(&world.dir)
                .map(drop)
                .map_err(|error| error.code())
        },
        &["journal-unreadable"],
    );
    std::fs::remove_file(world.state().join("transaction.json")).unwrap();
    assert_eq!(
        Install::open(&world.dir).unwrap_err().code(),
        "journal-unreadable"
    );
}

#[test]
fn a_damaged_list_of_condemned_packages_is_unreadable_or_names_other_packages() {
    let world = World::new();
    world.apply(2, NEW_CONFIG).unwrap();
    world.roll_back(None, crate::ChangedState::Refuse).unwrap();
    drop(world.ready());
    let path = world.state().join("refused.json");
    let sound = std::fs::read(&path).unwrap();
    // Without its last line feed it is whole.
    for length in 0..sound.len() - 1 {
        std::fs::write(&path, &sound[..length]).unwrap();
        assert_eq!(
            world.open().condemned().unwrap_err().code(),
            "refused-unreadable"
        );
    }
}

#[test]
fn a_cut_inventory_stops_what_needs_it() {
    let world = World::new();
    let path = world.state().join("generations/1/inventory.json");
    let sound = std::fs::read(&path).unwrap();
    for length in 0..sound.len() - 1 {
        std::fs::write(&path, &sound[..length]).unwrap();
        assert_eq!(
            world.open().live_inventory().unwrap_err().code(),
            "generation-unreadable"
        );
    }
}

#[test]
fn a_damaged_manifest_of_a_generation_is_noticed_by_its_digest() {
    let world = World::new();
    damaged(
        &world,
        "generations/1/manifest.json",
        || {
            world
                .open()
                .live_manifest()
                .map(drop)
                .map_err(|error| error.code())
        },
        &["generation-unreadable"],
    );
}

#[test]
fn a_cut_install_toml_never_panics_and_does_not_stop_recovery() {
    let world = World::new();
    let path = world.state().join("install.toml");
    let sound = std::fs::read(&path).unwrap();
    for length in 0..sound.len() {
        std::fs::write(&path, &sound[..length]).unwrap();
        let install = world.open();
        if let Err(error) = install.settings() {
            assert_eq!(error.code(), "settings-invalid");
            assert!(error.to_string().contains("install.toml:"), "{error}");
        }
    }
    std::fs::write(&path, b"id = \"acme\"\n\xff").unwrap();
    assert_eq!(
        world.open().settings().unwrap_err().code(),
        "settings-invalid"
    );
    let (ready, _) = world.recover().unwrap();
    assert!(ready.install().status().unwrap().settings_error.is_some());
}

#[test]
fn a_torn_history_line_is_cut_by_the_next_record_and_any_other_damage_is_told() {
    let world = World::new();
    world.apply(2, NEW_CONFIG).unwrap();
    let path = world.state().join("history.jsonl");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend(b"{\"seq\":3,\"prev\":");
    std::fs::write(&path, &bytes).unwrap();
    let history = world.open().history(1).unwrap();
    assert_eq!((history.records.len(), history.torn_bytes), (2, 16));
    world.apply(3, NEW_CONFIG).unwrap();
    let history = world.open().history(1).unwrap();
    assert_eq!((history.records.len(), history.torn_bytes), (3, 0));
    let mut edited = std::fs::read_to_string(&path).unwrap();
    edited = edited
        .replacen("2.0.0", "9.9.9", 1)
        .replacen("\"version\":2", "\"version\":9", 1);
    std::fs::write(&path, edited).unwrap();
    assert_eq!(
        world.open().history(1).unwrap_err().code(),
        "history-unreadable"
    );
    // Recovery looks at the last records only, however long the history is.
    assert!(world.recover().unwrap().1.warnings.is_empty());
}

type Damage = fn(&str) -> Option<String>;

/// What the chain cannot show by itself, the journal knows.
#[test]
fn a_history_without_its_last_records_is_told_and_the_gap_stays() {
    let first: Damage = |sound| sound.split_inclusive('\n').next().map(str::to_owned);
    let other_last: Damage = |sound| Some(sound.replacen("{\"version\":2}", "{\"version\":9}", 1));
    for (damage, code) in [
        (first, "history-cut"),
        (|_| Some(String::new()), "history-cut"),
        (|_| None, "history-cut"),
        (other_last, "history-unreadable"),
    ] {
        let world = World::new();
        world.apply(2, NEW_CONFIG).unwrap();
        let path = world.state().join("history.jsonl");
        let sound = std::fs::read_to_string(&path).unwrap();
        let damaged = damage(&sound);
        assert_ne!(damaged.as_ref(), Some(&sound));
        match &damaged {
            Some(text) => std::fs::write(&path, text).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let told = world.open().history(1).unwrap_err();
        assert_eq!(told.code(), code, "{damaged:?}");
        assert_eq!(world.recover().unwrap().1.warnings.len(), 1, "{damaged:?}");

        world.apply(3, NEW_CONFIG).unwrap();
        let told = world.open().history(1).unwrap_err();
        assert_eq!(told.code(), "history-unreadable", "{damaged:?}");
        let last = world.open().journal().history.unwrap().seq;
        assert_eq!(world.open().history(last).unwrap().records.len(), 1);

        std::fs::write(&path, &sound).unwrap();
        let told = world.open().history(1).unwrap_err();
        assert_eq!(told.code(), "history-cut", "an older copy put back");
    }
}

#[test]
fn strangers_in_the_state_directory_are_collected_where_only_we_put_things() {
    let world = World::new();
    for leftover in [
        "incoming/dead/blob",
        "generations/7/tree/file",
        "generations/01/x",
    ] {
        super::world::write(&world.state().join(leftover), b"left");
    }
    std::fs::write(world.state().join(".transaction.json.new"), b"{").unwrap();
    std::fs::write(world.state().join("operators-note.txt"), b"mine").unwrap();
    let (ready, recovered) = world.recover().unwrap();
    assert_eq!(recovered.collected.len(), 4, "{:?}", recovered.collected);
    assert_eq!(recovered.warnings, Vec::<String>::new());
    drop(ready);
    assert!(world.state().join("operators-note.txt").exists());
    assert_eq!(names(&world.state().join("generations")), ["1"]);
}
