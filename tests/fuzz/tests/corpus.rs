// SPDX-License-Identifier: Apache-2.0
//! Every target on its corpus, and on inputs that are the same on every machine: what fails here fails
//! for whoever mends it. For as long as you like, it is `cargo xtask fuzz TARGET`.
#![expect(
    clippy::unwrap_used,
    reason = "a corpus that cannot be read fails the test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::panic;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use cofferdam_fuzz::TARGETS;
use cofferdam_fuzz::Target;
use cofferdam_fuzz::seeds::Inputs;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Memory is measured for the whole process, so where tests are threads they take turns.
static TURN: Mutex<()> = Mutex::new(());

/// What an input may make a target hold: some buffers and windows of a fixed size, and a multiple of
/// itself. A decoder that believes a length before it has seen the bytes is far above.
const MOST_BYTES: usize = 48 << 20;
const MOST_BYTES_PER_BYTE: usize = 512;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(folder().join("corpus").join(name)).unwrap();
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

fn dictionary(name: &str) -> String {
    fs::read_to_string(folder().join(format!("dictionaries/{name}.dict"))).unwrap_or_default()
}

#[track_caller]
fn take(target: &Target, name: &str, input: &[u8]) {
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let outcome = panic::catch_unwind(|| (target.run)(input));
    let held = ALLOCATOR.peak_usage().saturating_sub(before);
    let shown = input.escape_ascii();
    assert!(outcome.is_ok(), "{name} of `{}`:\n{shown}", target.name);
    assert!(
        held <= MOST_BYTES + MOST_BYTES_PER_BYTE * input.len(),
        "{name} took {held} bytes:\n{shown}"
    );
}

fn every_input(name: &str) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let files = corpus(name);
    for (path, input) in &files {
        take(target, &path.display().to_string(), input);
    }
    let corpus: Vec<Vec<u8>> = files.into_iter().map(|(_, input)| input).collect();
    let inputs = Inputs::new(*target, &corpus, &dictionary(name));
    for number in 0..target.inputs {
        take(target, &format!("input {number}"), &inputs.get(number));
    }
}

macro_rules! targets {
    ($($name:ident),+ $(,)?) => {
        const NAMES: &[&str] = &[$(stringify!($name)),+];

        $(
            #[test]
            fn $name() {
                every_input(stringify!($name));
            }
        )+
    };
}

targets! {
    archive,
    component,
    config,
    glob,
    history,
    inventory,
    journal,
    key,
    manifest,
    marker,
    messages,
    path,
    record,
    resolver,
    secrets,
    settings,
    signature,
    source,
    state,
}

fn names_in(folder_name: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder().join(folder_name)).unwrap();
    let stem = |path: PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    entries.map(|entry| stem(entry.unwrap().path())).collect()
}

#[test]
fn every_target_has_its_test_its_corpus_and_its_binary() {
    let targets: BTreeSet<String> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    let tested: BTreeSet<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(targets, tested);
    assert_eq!(targets, names_in("corpus"));
    assert_eq!(targets, names_in("fuzz_targets"));
    assert!(names_in("dictionaries").is_subset(&targets));
    for name in &targets {
        assert!(!corpus(name).is_empty(), "{name}");
        let binary = fs::read_to_string(folder().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(
            binary.contains(&format!("targets::{name}::target(data)")),
            "{name}"
        );
    }
}

#[test]
fn inputs_are_the_same_every_time() {
    let corpus = [b"one".to_vec(), b"two".to_vec()];
    let inputs = || Inputs::new(TARGETS[0], &corpus, "\"word\"");
    let all = || {
        (0..50)
            .map(|number| inputs().get(number))
            .collect::<Vec<_>>()
    };
    assert_eq!(all(), all());
    assert!(
        all().iter().collect::<BTreeSet<_>>().len() > 40,
        "they differ among each other"
    );
}
