// SPDX-License-Identifier: Apache-2.0
//! Root updates a tree that a service account owns. Whatever that account does to the names in its tree
//! meanwhile, nothing outside of it is read, written, removed, or brought in.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use rustix::fs::CWD;
use rustix::fs::RenameFlags;

use crate::harness::Machine;
use crate::harness::Snapshot;

/// What lies outside.
const SECRET: &str = "nobody's business 5c1f";

/// An install whose owner has a link to a place outside ready for each directory: under the same names
/// lie files with a secret there.
struct Hostile {
    machine: Machine,
    install: &'static str,
    old: PathBuf,
    update: PathBuf,
    outside: PathBuf,
}

const DIRECTORIES: [&str; 3] = ["lib", "data", "data/deep"];

impl Hostile {
    fn new() -> Self {
        let machine = Machine::new();
        let source = |version: &str| {
            machine
                .source(version)
                .file_with_mode("agent", version, 0o755)
                .file("lib/kept", "kept")
                .file("lib/changed", version)
        };
        let grants = "read = [\"script\", \"data/**\"]\nwrite = [\"data/**\"]\n";
        let (old, update) = (
            source("1.0.0").pack(),
            source("1.1.0")
                .step("step", "migrate", "script", grants)
                .pack(),
        );
        let install = machine.adopted(&old);
        let outside = machine.path("outside");
        for root in [Path::new(install), &outside] {
            fs::create_dir_all(root.join("data/deep")).unwrap();
            fs::create_dir_all(root.join("lib")).unwrap();
        }
        for path in [
            "data/a",
            "data/deep/b",
            "lib/kept",
            "lib/changed",
            "data/made",
        ] {
            fs::write(outside.join(path), SECRET).unwrap();
        }
        for path in ["data/a", "data/deep/b"] {
            fs::write(Path::new(install).join(path), "state").unwrap();
        }
        let script = "append data/a x\nappend data/deep/b x\nwrite data/made x\n";
        fs::write(Path::new(install).join("script"), script).unwrap();
        for directory in DIRECTORIES {
            let link = machine.path(format!("link-{}", directory.replace('/', "-")));
            std::os::unix::fs::symlink(outside.join(directory), link).unwrap();
        }
        Self {
            machine,
            install,
            old,
            update,
            outside,
        }
    }

    /// The directory and the link change places, in one operation that nobody can see half of.
    fn swap(&self, directory: &str) -> rustix::io::Result<()> {
        let link = format!("link-{}", directory.replace('/', "-"));
        let (link, directory) = (
            self.machine.path(link),
            Path::new(self.install).join(directory),
        );
        rustix::fs::renameat_with(CWD, link, CWD, directory, RenameFlags::EXCHANGE)
    }

    /// Nothing of what lies outside is in a tree of ours or in what was written down, and it is as it was.
    #[track_caller]
    fn assert_apart(&self, outside: &Snapshot) {
        assert_eq!(&Snapshot::of(&self.outside), outside);
        let ours = [
            self.install.to_owned(),
            format!("{}.cofferdam", self.install),
        ];
        for tree in ours {
            let snapshot = Snapshot::of(&tree);
            let told = snapshot.holding(SECRET.as_bytes());
            assert!(told.is_empty(), "{tree}: {told:?}");
        }
    }
}

#[test]
fn a_directory_that_is_swapped_for_a_link_when_the_service_stops_is_not_followed() {
    for directory in DIRECTORIES {
        let hostile = Hostile::new();
        let outside = Snapshot::of(&hostile.outside);
        let Hostile {
            machine,
            install,
            update,
            ..
        } = &hostile;
        let link = machine.path(format!("link-{}", directory.replace('/', "-")));
        let (link, at) = (link.display(), Path::new(install).join(directory));
        let at = at.display();
        let swap = format!("mv {at} {link}.real; mv {link} {at}");
        machine.settings(
            install,
            &format!(
                "[service]\nstop = [\"sh\", \"-c\", \"{swap}\"]\nstart = [\"true\"]\nsettle = \"1ms\""
            ),
        );
        let ran = machine.apply(install, update);
        hostile.assert_apart(&outside);
        // A link in the place of state is state, and is carried as a link; one in the place of what the
        // package owns is put right, or noticed.
        let expected: &[Option<i32>] = &[Some(0), Some(4)];
        assert!(expected.contains(&ran.exit), "{directory}: {ran:?}");
    }
}

#[test]
fn a_race_of_swaps_against_updates_and_ways_back_brings_nothing_in_and_nothing_out() {
    let hostile = Hostile::new();
    let outside = Snapshot::of(&hostile.outside);
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let racer = scope.spawn(|| {
            let mut swaps = 0_u64;
            while !over.load(Ordering::Relaxed) {
                for directory in DIRECTORIES {
                    // Twice, so that most of the time the directory stands there.
                    swaps += u64::from(hostile.swap(directory).is_ok());
                    swaps += u64::from(hostile.swap(directory).is_ok());
                }
            }
            swaps
        });
        for _ in 0..6 {
            for package in [&hostile.update, &hostile.old] {
                // Either may win: what matters is what is read, written and removed meanwhile.
                let package = package.to_str().unwrap();
                let apply = ["apply", hostile.install, package, "--live"];
                let _ran = hostile.machine.run_soon(apply);
                let back = ["rollback", hostile.install, "--discard-changes", "--live"];
                let _ran = hostile.machine.run_soon(back);
                let allow = ["allow", hostile.install, "1.1.0"];
                let _ran = hostile.machine.run(allow);
            }
        }
        over.store(true, Ordering::Relaxed);
        assert!(racer.join().unwrap() > 1000);
    });
    hostile.assert_apart(&outside);
}
