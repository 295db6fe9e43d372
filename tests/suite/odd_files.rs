// SPDX-License-Identifier: Apache-2.0
//! What is odd about files of an install is carried over or refused by name, never lost in silence.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::Disk;
use crate::harness::Machine;
use crate::harness::Ran;
use crate::harness::Snapshot;

/// An install of 1.0.0 on an ext4 of its own, with an update that changes `bin/agent`.
struct Odd {
    machine: Machine,
    install: &'static str,
    update: PathBuf,
}

impl Odd {
    fn new() -> Option<Self> {
        Some(Self::at(Machine::on(Disk::Ext4 { mib: 48 })?))
    }

    fn at(machine: Machine) -> Self {
        let source = |version: &str| {
            machine
                .source(version)
                .file_with_mode("bin/agent", version, 0o755)
                .file_with_mode("bin/kept", "kept", 0o755)
        };
        let old = source("1.0.0").pack();
        let update = source("1.1.0").pack();
        let install = machine.adopted(&old);
        fs::create_dir(Path::new(install).join("data")).unwrap();
        Self {
            machine,
            install,
            update,
        }
    }

    fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        Path::new(self.install).join(path)
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(path);
        fs::write(&path, content).unwrap();
        path
    }

    #[track_caller]
    fn update(&self) {
        self.machine.apply(self.install, &self.update).expect(0);
        self.machine.run(["verify", self.install]).expect(0);
    }

    #[track_caller]
    fn refused(&self, code: &str, path: &str) {
        let error = self.machine.refused(self.install, &self.update, 4, code);
        assert_eq!(error["details"]["paths"][0], path, "{error}");
        assert!(error["message"].as_str().unwrap().contains(path), "{error}");
    }
}

/// Runs a tool that must succeed; answers with what it prints.
#[track_caller]
fn tool(line: &str, path: &Path) -> String {
    let mut words = line.split(' ');
    let ran = Command::new(words.next().unwrap())
        .args(words)
        .arg(path)
        .output()
        .expect("`cargo xtask test` installs the tools");
    assert!(ran.status.success(), "{line}: {ran:?}");
    String::from_utf8(ran.stdout).unwrap()
}

#[test]
fn what_must_not_be_changed_or_moved_is_refused_by_name() {
    let Some(odd) = Odd::new() else { return };
    odd.write("data/pinned", "");
    for (path, flag) in [
        ("data/pinned", "i"),
        ("data/pinned", "a"),
        ("bin/kept", "i"),
        ("data", "i"),
        (".", "i"),
        (".", "a"),
    ] {
        tool(&format!("chattr +{flag}"), &odd.path(path));
        let Odd {
            machine, install, ..
        } = &odd;
        let error = machine.refused(install, &odd.update, 4, "immutable-file");
        tool(&format!("chattr -{flag}"), &odd.path(path));
        assert_eq!(error["details"]["paths"][0], path, "{error}");
    }
    odd.update();
}

#[test]
fn a_parent_directory_that_must_not_be_changed_is_refused_before_anything_is_touched() {
    let Some(odd) = Odd::new() else { return };
    let parent = odd.machine.path("opt");
    tool("chattr +i", &parent);
    let error = odd
        .machine
        .refused(odd.install, &odd.update, 4, "immutable-file");
    tool("chattr -i", &parent);
    assert_eq!(error["details"]["paths"][0], "..", "{error}");
    odd.update();
}

#[test]
fn device_nodes_are_refused_and_fifos_made_anew_and_sockets_left_to_their_program() {
    let Some(odd) = Odd::new() else { return };
    let node = |name: &str, kind, device| {
        let mode = rustix::fs::Mode::from_raw_mode(0o640);
        rustix::fs::mknodat(rustix::fs::CWD, odd.path(name), kind, mode, device).unwrap();
    };
    node(
        "data/null",
        rustix::fs::FileType::CharacterDevice,
        rustix::fs::makedev(1, 3),
    );
    odd.refused("device-node", "data/null");
    fs::remove_file(odd.path("data/null")).unwrap();

    node("data/fifo", rustix::fs::FileType::Fifo, 0);
    chown(odd.path("data/fifo"), Some(1234), Some(2345)).unwrap();
    let fifo = fs::symlink_metadata(odd.path("data/fifo")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(odd.path("data/socket")).unwrap();
    odd.update();
    let made = fs::symlink_metadata(odd.path("data/fifo")).unwrap();
    assert!(made.file_type().is_fifo() && made.ino() != fifo.ino());
    let told = |facts: &fs::Metadata| (facts.mode(), facts.uid(), facts.gid(), facts.mtime());
    assert_eq!(told(&made), told(&fifo));
    assert!(!odd.path("data/socket").exists());
}

#[test]
fn owners_modes_times_attributes_lists_and_capabilities_of_state_stay() {
    let Some(odd) = Odd::new() else { return };
    let file = odd.write("data/file", "state");
    chown(&file, Some(1234), Some(2345)).unwrap();
    chown(odd.path("data"), Some(1234), Some(2345)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4750)).unwrap();
    tool("setfacl -m u:77:rw", &file);
    tool("setfacl -d -m u:77:rwx", &odd.path("data"));
    tool("setfattr -n user.note -v kept", &file);
    tool("setcap cap_net_bind_service=ep", &file);
    let outside = odd.write("data/plain", "");
    let told = || {
        let [file, data, plain] = [&file, &odd.path("data"), &outside].map(|path| {
            let facts = fs::metadata(path).unwrap();
            let lists = tool("getfacl -cpn", path);
            let attributes = tool("getfattr -d -m - --absolute-names", path);
            (
                facts.mode(),
                facts.uid(),
                facts.gid(),
                facts.mtime_nsec(),
                lists,
                attributes,
            )
        });
        [file, data, plain]
    };
    let before = told();
    assert!(before[0].5.contains("security.capability") && before[0].5.contains("user.note"));
    odd.update();
    assert_eq!(told(), before);
}

#[test]
fn flags_of_state_stay_where_the_file_system_has_them() {
    for (disk, flags) in [(Disk::Ext4 { mib: 48 }, "Ad"), (Disk::Btrfs, "AC")] {
        let Some(machine) = Machine::on(disk) else {
            continue;
        };
        let odd = Odd::at(machine);
        let directory = odd.path("data/flagged");
        fs::create_dir(&directory).unwrap();
        let file = odd.write("data/flagged/file", "");
        let set = format!("chattr +{flags}");
        for path in [&directory, &file] {
            tool(&set, path);
        }
        fs::write(&file, "state").unwrap();
        let told = || {
            [&directory, &file].map(|path| {
                let line = tool("lsattr -d", path);
                line.split(' ').next().unwrap().to_owned()
            })
        };
        let (before, inode) = (told(), fs::metadata(&file).unwrap().ino());
        for line in &before {
            assert!(flags.chars().all(|flag| line.contains(flag)), "{line}");
        }
        odd.update();
        assert_ne!(fs::metadata(&file).unwrap().ino(), inode, "a copy");
        assert_eq!(told(), before, "{disk:?}");
    }
}

#[test]
fn a_changed_program_keeps_owner_and_list_and_loses_the_capability_that_its_old_bytes_had() {
    let Some(odd) = Odd::new() else { return };
    let (agent, kept) = (odd.path("bin/agent"), odd.path("bin/kept"));
    for path in [&agent, &kept] {
        chown(path, Some(1234), Some(2345)).unwrap();
        tool("setfacl -m u:77:rx", path);
        tool("setcap cap_net_bind_service=ep", path);
    }
    odd.update();
    for path in [&agent, &kept] {
        let facts = fs::metadata(path).unwrap();
        assert_eq!((facts.uid(), facts.gid()), (1234, 2345));
        assert!(tool("getfacl -cpn", path).contains("user:77:r-x"));
    }
    assert_eq!(tool("getcap", &agent), "");
    assert!(tool("getcap", &kept).contains("cap_net_bind_service=ep"));
}

#[test]
fn links_among_state_and_holes_in_it_stay() {
    let Some(odd) = Odd::new() else { return };
    let first = odd.write("data/first", "one inode");
    fs::create_dir(odd.path("data/deep")).unwrap();
    fs::hard_link(&first, odd.path("data/deep/second")).unwrap();
    let sparse = fs::File::create(odd.path("data/sparse")).unwrap();
    sparse.set_len(1 << 30).unwrap();
    sparse.write_all_at(b"in the middle", 300 << 20).unwrap();
    let blocks = sparse.metadata().unwrap().blocks();
    odd.update();
    let of = |path: &str| fs::metadata(odd.path(path)).unwrap();
    assert_eq!(of("data/first").ino(), of("data/deep/second").ino());
    assert_eq!(of("data/first").nlink(), 2, "shared with nobody else");
    assert_eq!(of("data/sparse").len(), 1 << 30);
    assert!(
        of("data/sparse").blocks() <= blocks + 16,
        "the holes were filled"
    );
    let copy = fs::File::open(odd.path("data/sparse")).unwrap();
    let mut middle = [0; 13];
    copy.read_exact_at(&mut middle, 300 << 20).unwrap();
    assert_eq!(&middle, b"in the middle");
}

#[test]
fn a_hundred_thousand_files_are_carried_and_come_back() {
    let odd = Odd::at(Machine::new());
    for folder in 0..100 {
        let folder = odd.path(format!("data/{folder}"));
        fs::create_dir(&folder).unwrap();
        for file in 0..1000 {
            fs::write(folder.join(file.to_string()), "state").unwrap();
        }
    }
    let before = Snapshot::of(odd.install);
    let (install, update) = (odd.install, odd.update.to_str().unwrap());
    let run = |words: &[&str]| {
        let ran = odd.machine.run_soon(words);
        assert_eq!(ran.exit, Some(0), "{words:?}: {ran:?}");
        let mib = ran.peak_bytes >> 20;
        assert!(mib <= 384, "{words:?}: {mib} MiB");
    };
    run(&["apply", install, update]);
    let changed = Snapshot::of(install).differing(&before);
    assert_eq!(changed, ["/bin/agent"]);
    run(&["verify", install]);
    run(&["rollback", install]);
    assert_eq!(Snapshot::of(install), before);
}

#[test]
fn names_that_are_not_utf8_are_carried_and_an_install_of_such_a_name_is_refused() {
    let Some(odd) = Odd::new() else { return };
    let raw = OsStr::from_bytes(b"caf\xe9\n\xff");
    fs::create_dir(odd.path("data").join(raw)).unwrap();
    let file = odd.path("data").join(raw).join(raw);
    fs::write(&file, "state").unwrap();
    std::os::unix::fs::symlink(raw, odd.path("data/link")).unwrap();
    odd.update();
    assert_eq!(fs::read_to_string(file).unwrap(), "state");
    assert_eq!(fs::read_link(odd.path("data/link")).unwrap(), raw);

    let odd_install = odd.machine.path("opt").join(raw);
    fs::create_dir(&odd_install).unwrap();
    let trust = odd.machine.str("acme.pub");
    let mut adopt = odd.machine.command(["adopt"]);
    adopt
        .arg(&odd_install)
        .args(["--trust", trust, "--id", "agent", "--json"]);
    assert_eq!(Ran::of(&mut adopt).expect(4).code(), "path-not-utf8");
}

#[test]
fn the_umask_of_whoever_updates_is_nobodys_business() {
    let update_under = |umask: &str| {
        let odd = Odd::at(Machine::new());
        odd.write("data/a", "state");
        let masked = format!("umask {umask}; exec \"$@\"");
        let apply = ["apply", odd.install, odd.update.to_str().unwrap()];
        odd.machine
            .run_by(&["sh", "-c", &masked, "sh"], apply)
            .expect(0);
        let state = PathBuf::from(format!("{}.cofferdam", odd.install));
        let modes = [
            "",
            "generations",
            "generations/1",
            "generations/2",
            "incoming",
        ];
        let modes = modes.map(|path| fs::metadata(state.join(path)).unwrap().mode());
        let old = Snapshot::of(state.join("generations/1/tree"));
        (Snapshot::of(odd.install), old, modes)
    };
    let usual = update_under("022");
    for umask in ["000", "077", "377"] {
        assert_eq!(update_under(umask), usual, "{umask}");
    }
}

/// A user who is nobody else.
const NOBODY: u32 = 65534;

#[test]
fn whoever_owns_an_install_and_its_parent_needs_no_root_and_what_is_of_others_is_refused() {
    let odd = Odd::at(Machine::new());
    let Odd {
        machine,
        install,
        update,
    } = &odd;
    machine.run(["release", install]).expect(0);
    let foreign = odd.write("data/foreign", "root's");
    let program = machine.path("cofferdam");
    fs::copy(env!("CARGO_BIN_EXE_cofferdam"), &program).unwrap();
    let open = fs::Permissions::from_mode(0o755);
    fs::set_permissions(machine.path(""), open).unwrap();
    let given = Command::new("chown")
        .args(["--recursive", &format!("{NOBODY}:{NOBODY}")])
        .args([machine.path("opt"), machine.path("registry")])
        .status();
    assert!(given.unwrap().success());
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        machine.clean(&mut command);
        Ran::of(command.args(arguments).uid(NOBODY).gid(NOBODY))
    };
    let adopt = [
        "adopt",
        install,
        "--trust",
        machine.str("acme.pub"),
        "--id",
        "agent",
        "--json",
    ];
    chown(&foreign, Some(0), Some(0)).unwrap();
    assert_eq!(run(&adopt).expect(4).code(), "files-of-others");
    chown(&foreign, Some(NOBODY), Some(NOBODY)).unwrap();
    run(&adopt).expect(0);
    let apply = [
        "apply",
        install,
        update.to_str().unwrap(),
        "--json",
        "--replace",
        "bin",
    ];
    chown(&foreign, Some(NOBODY), Some(0)).unwrap();
    let ran = run(&apply).expect(4);
    assert_eq!(ran.code(), "files-of-others");
    assert_eq!(ran.json()["error"]["details"]["paths"][0], "data/foreign");
    fs::remove_file(&foreign).unwrap();
    run(&apply).expect(0);
    run(&["rollback", install]).expect(0);
    for path in Snapshot::of(install).paths() {
        let facts = fs::symlink_metadata(format!("{install}{path}")).unwrap();
        assert_eq!((facts.uid(), facts.gid()), (NOBODY, NOBODY), "{path}");
    }
}
