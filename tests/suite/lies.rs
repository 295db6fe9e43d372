// SPDX-License-Identifier: Apache-2.0
//! A package that lies is refused by the product as it is shipped: by its own code, in little memory, and
//! without a trace outside of the state directory. One lie for each code: that every lie has its code, in
//! little memory, is tested where packages are read, in `host/crates/package`.

use std::collections::BTreeSet;
use std::fs;

use cofferdam_archives::PROGRAM;
use cofferdam_archives::Signers;
use cofferdam_archives::Sound;
use cofferdam_archives::digest;
use cofferdam_archives::lies;
use cofferdam_archives::raw::RawEntry;

use crate::harness::AtRest;
use crate::harness::Machine;
use crate::harness::Snapshot;

/// What refusing a package may take, beyond what the command has resident whatever it is given: the program
/// itself, which a build for tests makes large.
const MOST_BYTES: u64 = 64 << 20;

#[test]
fn a_package_that_lies_is_refused_by_its_code_in_little_memory_and_leaves_nothing_outside_the_state_directory()
 {
    let machine = Machine::new();
    let signers = Signers::new();
    let install = adopted(&machine, &signers);
    let package = machine.path("packages/lie.upd");
    let apply = |bytes: &[u8]| {
        fs::write(&package, bytes).unwrap();
        let arguments = ["apply", install, package.to_str().unwrap(), "--json"];
        machine.run_measured(arguments)
    };
    let before = AtRest::of(&machine, install);
    let around = around(&machine);
    let mut wrong = Vec::new();
    let (mut codes, mut least_bytes) = (BTreeSet::new(), None);
    for lie in lies().into_iter().filter(|lie| codes.insert(lie.code)) {
        let (ran, peak_bytes) = apply(&lie.build(&signers));
        if ran.exit != Some(3) || ran.code() != lie.code {
            wrong.push(format!("{lie:?}: {ran:?}"));
        }
        let taken = peak_bytes.saturating_sub(*least_bytes.get_or_insert(peak_bytes));
        if taken > MOST_BYTES {
            wrong.push(format!("{lie:?} takes {taken} bytes"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    before.assert_still(&machine, install);
    fs::remove_file(&package).unwrap();
    assert_eq!(self::around(&machine), around);
    // What they started from is taken: it was the lie that was refused.
    let package = package.to_str().unwrap();
    fs::write(package, Sound::new().build(&signers)).unwrap();
    machine.run(["apply", install, package]).expect(0);
}

/// A directory under care that trusts these signers.
fn adopted(machine: &Machine, signers: &Signers) -> &'static str {
    let install = machine.str("opt/agent");
    fs::create_dir_all(machine.path("opt/agent/data")).unwrap();
    fs::write(machine.path("opt/agent/data/a"), "the operator's").unwrap();
    let mut adopt = vec!["adopt", install, "--id", "agent"];
    for (option, name, signer) in [
        ("--trust", "vendor.pub", &signers.vendor),
        ("--trust", "second.pub", &signers.second),
        ("--trust-reviewer", "reviewer.pub", &signers.reviewer),
    ] {
        let text = format!("untrusted comment: a test\n{}\n", signer.public_key());
        fs::write(machine.path(name), text).unwrap();
        adopt.extend([option, machine.str(name)]);
    }
    machine.run(adopt).expect(0);
    install
}

/// The program is the same in both versions, so a host that has the first does not need the blob.
#[test]
fn a_damaged_blob_that_nobody_needs_is_refused_by_everyone_who_vouches_for_a_package() {
    let machine = Machine::new();
    let signers = Signers::new();
    let install = adopted(&machine, &signers);
    let package = machine.str("packages/next.upd");
    fs::write(package, Sound::new().build(&signers)).unwrap();
    machine.run(["apply", install, package]).expect(0);
    let before = AtRest::of(&machine, install);

    let mut next = Sound::new().with_file("bin/more", b"more");
    next.manifest["version"] = "1.2.0".into();
    let mut zip = next.zip(&signers);
    let program = format!("blobs/{}", digest(PROGRAM));
    for entry in &mut zip.entries {
        if entry.name == program.as_bytes() {
            *entry = RawEntry::stored(&program, &PROGRAM.to_ascii_uppercase());
        }
    }
    fs::write(package, zip.build()).unwrap();
    machine
        .run(["keygen", machine.str("new"), "--no-password"])
        .expect(0);
    let [trust, key, other] = ["vendor.pub", "new.key", "other"].map(|name| machine.str(name));
    fs::create_dir(other).unwrap();
    for command in [
        &["plan", install, package, "--json"][..],
        &["apply", install, package, "--json"],
        &["inspect", package, "--trust", trust, "--json"],
        &["sign", package, "--key", key, "--json"],
        &[
            "adopt",
            other,
            "--trust",
            trust,
            "--package",
            package,
            "--json",
        ],
    ] {
        let code = machine.run(command).expect(3).code();
        assert_eq!(code, "blob-digest-mismatch", "{command:?}");
    }
    before.assert_still(&machine, install);
    assert_eq!(fs::read(package).unwrap(), zip.build(), "it was signed");
    assert!(!fs::exists(format!("{other}.cofferdam")).unwrap());

    fs::write(package, next.build(&signers)).unwrap();
    machine.run(["apply", install, package]).expect(0);
}

/// Everything on the machine but the state directory.
fn around(machine: &Machine) -> Vec<Snapshot> {
    let mut folders: Vec<_> = ["", "opt"]
        .iter()
        .flat_map(|below| fs::read_dir(machine.path(below)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() && !path.ends_with("opt"))
        .filter(|path| !path.ends_with("agent.cofferdam"))
        .collect();
    folders.sort();
    folders.iter().map(Snapshot::of).collect()
}
