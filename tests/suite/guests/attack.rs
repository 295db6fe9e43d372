// SPDX-License-Identifier: Apache-2.0
//! An install with a past and with things around it that are nobody's business, and an update to it
//! whose steps are up to no good.
//!
//! Whatever the steps do: the update ends by itself, within bounds of memory, with a code and words; a
//! failed one leaves the install as it was; and what lies around stays as it was, in every case.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use crate::harness::AtRest;
use crate::harness::Canaries;
use crate::harness::Machine;
use crate::harness::Ran;
use crate::harness::Snapshot;
use crate::harness::Source;
use crate::harness::with_component;

/// Grants that open `data` alone.
pub(super) const DATA: &str = "read = [\"script*\", \"data/**\"]\nwrite = [\"data/**\"]\n";

/// Grants that open whatever grants can open.
pub(super) const ALL: &str = "read = [\"**\"]\nwrite = [\"**\"]\n\
                              config.read = [\"**\"]\nconfig.write = [\"**\"]\n";

/// The most memory that an update may take, whatever its steps try: a step's own 64 MiB, and ample
/// room for the host that compiles and runs it.
const ENOUGH_BYTES: u64 = 512 << 20;

/// An update from 1.1.0 to 1.2.0 with hostile steps.
pub(super) struct Attack {
    pub(super) machine: Machine,
    pub(super) install: &'static str,
    steps: Vec<Hostile>,
    /// A component in the place of the first step's, packed by hand.
    component: Option<Vec<u8>>,
    enough_bytes: u64,
}

struct Hostile {
    phase: &'static str,
    guest: &'static str,
    members: String,
}

/// How an update with a hostile step ended.
pub(super) struct Ended {
    pub(super) attack: Attack,
    pub(super) ran: Ran,
    /// The paths of the live tree that are not as they were.
    pub(super) changed: Vec<String>,
    package: PathBuf,
    before: Snapshot,
}

impl Attack {
    /// A guest as the only step, in `migrate`, with nothing granted.
    pub(super) fn by(guest: &'static str) -> Self {
        let machine = Machine::new();
        let install = machine.adopted(&sound(&machine, "1.0.0").pack());
        machine.settings(install, "[state]\nlive = [\"logs/**\"]");
        let next = sound(&machine, "1.1.0").pack();
        machine.apply(install, &next).expect(0);
        Canaries::set(&machine, install);
        let attack = Self {
            machine,
            install,
            steps: vec![Hostile {
                phase: "migrate",
                guest,
                members: String::new(),
            }],
            component: None,
            enough_bytes: ENOUGH_BYTES,
        };
        let attack = attack
            .state("data/a", "hello")
            .state("data/sub/b", "b")
            .state("private/key", "s3cret")
            .state("logs/today", "a line\n")
            .link("/etc/passwd", "data/absolute")
            .link("../../../etc/canary", "data/out")
            .link("../private", "data/door");
        let linked = attack.machine.path("etc/linked");
        fs::hard_link(linked, attack.path("data/linked")).unwrap();
        attack
    }

    /// A script as the only step, which may write `data`.
    pub(super) fn script(lines: &[impl AsRef<str>]) -> Self {
        Self::by("script").lines(lines).may(DATA)
    }

    /// One more script, in `migrate`, which may write `data`.
    pub(super) fn then_script(self, lines: &[impl AsRef<str>]) -> Self {
        self.then("script").lines(lines).may(DATA)
    }

    fn lines(self, lines: &[impl AsRef<str>]) -> Self {
        let lines: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
        let file = format!("script-{}", self.steps.len() - 1);
        self.state(&file, &lines.join("\n"))
    }

    /// These bytes as the component of the first step, as if our own packer let everything through.
    pub(super) fn with_component(mut self, bytes: Vec<u8>) -> Self {
        self.component = Some(bytes);
        self
    }

    /// The last step with these members of its `[[step]]` table.
    pub(super) fn may(mut self, members: &str) -> Self {
        members.clone_into(&mut self.steps.last_mut().unwrap().members);
        self
    }

    /// The last step in another phase.
    pub(super) fn in_phase(mut self, phase: &'static str) -> Self {
        self.steps.last_mut().unwrap().phase = phase;
        self
    }

    /// One more step, in `migrate`, with nothing granted.
    pub(super) fn then(mut self, guest: &'static str) -> Self {
        self.steps.push(Hostile {
            phase: "migrate",
            guest,
            members: String::new(),
        });
        self
    }

    /// A file of the operator's in the install.
    pub(super) fn state(self, path: &str, content: &str) -> Self {
        let at = self.path(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, content).unwrap();
        self
    }

    /// A link of the operator's in the install.
    pub(super) fn link(self, target: &str, path: &str) -> Self {
        let at = self.path(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, at).unwrap();
        self
    }

    /// One of the processes may take this much memory: a compiler has a limit of its own.
    pub(super) fn within(mut self, bytes: u64) -> Self {
        self.enough_bytes = bytes;
        self
    }

    /// A path in the live tree.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        Path::new(self.install).join(path)
    }

    /// A step fails with this code; everything is as it was.
    #[track_caller]
    pub(super) fn fails(self, code: &str) -> Ended {
        self.refused(5, code)
    }

    /// The update is refused with this code; everything is as it was, and people are told the same.
    #[track_caller]
    pub(super) fn refused(self, exit: i32, code: &str) -> Ended {
        let before = AtRest::of(&self.machine, self.install);
        let ended = self.ends();
        let Attack {
            machine, install, ..
        } = &ended.attack;
        before.assert_still(machine, install);
        assert_eq!(ended.ran.exit, Some(exit), "{:?}", ended.ran);
        assert_eq!(ended.ran.code(), code, "{}", ended.ran.stdout);
        let history = machine.history(install);
        assert_eq!(history.last().unwrap()["body"]["code"], code);
        ended
    }

    /// The update is committed.
    #[track_caller]
    pub(super) fn succeeds(self) -> Ended {
        let ended = self.ends();
        assert_eq!(ended.ran.exit, Some(0), "{:?}", ended.ran);
        assert_eq!(ended.ran.json()["result"], "committed");
        ended
    }

    /// The update ends, somehow, and nothing around it has changed.
    #[track_caller]
    pub(super) fn ends(self) -> Ended {
        let package = self.pack();
        let (machine, install) = (&self.machine, self.install);
        let before = Snapshot::of(install);
        let canaries = Canaries::of(machine, install);
        let ran = machine.run_soon(["apply", install, package.to_str().unwrap(), "--json"]);
        canaries.assert_untouched(machine, install, &ran);
        assert!(
            ran.peak_bytes <= self.enough_bytes,
            "{} MiB of memory",
            ran.peak_bytes >> 20
        );
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        if ran.exit == Some(0) {
            let old = Snapshot::of(format!("{install}.cofferdam/generations/2/tree"));
            assert_eq!(old, before, "the old generation");
        }
        Ended {
            changed: Snapshot::of(install).differing(&before),
            attack: self,
            ran,
            package,
            before,
        }
    }

    fn pack(&self) -> PathBuf {
        let packed = self.machine.path("packages/agent-1.2.0.upd");
        let package = if packed.exists() {
            packed
        } else {
            self.pack_afresh()
        };
        match &self.component {
            Some(bytes) => with_component(&self.machine, &package, bytes),
            None => package,
        }
    }

    fn pack_afresh(&self) -> PathBuf {
        let mut source = sound(&self.machine, "1.2.0");
        for (number, step) in self.steps.iter().enumerate() {
            let name = format!("step-{number}");
            source = source.step(&name, step.phase, step.guest, &step.members);
        }
        source.pack()
    }
}

impl Ended {
    /// The message of the failure.
    pub(super) fn message(&self) -> String {
        let message = self.ran.json()["error"]["message"].clone();
        message.as_str().unwrap().to_owned()
    }

    /// What the host knows of the steps that ran.
    pub(super) fn steps(&self) -> Vec<Value> {
        let json = self.ran.json();
        let steps = [&json["steps"], &json["error"]["details"]["steps"]];
        let steps = steps.iter().find_map(|steps| steps.as_array());
        steps.unwrap().clone()
    }

    /// The records of the history, whose chain must be whole.
    pub(super) fn history(&self) -> Vec<Value> {
        self.attack.machine.history(self.attack.install)
    }

    /// What the steps logged.
    pub(super) fn log(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for step in self.steps() {
            let log = step["record"]["log"].as_array().unwrap().clone();
            lines.extend(
                log.iter()
                    .map(|line| line["line"].as_str().unwrap().to_owned()),
            );
        }
        lines
    }

    /// The lines of a script that were carried out.
    pub(super) fn went_well(&self) -> Vec<String> {
        let mut log = self.log();
        log.retain(|line| line.contains(": ok"));
        log
    }

    /// What the live tree has at a path.
    pub(super) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.attack.path(path)).unwrap()
    }

    /// The same update once more, as people see it: standard output and standard error.
    pub(super) fn for_people(&self) -> String {
        let package = self.package.to_str().unwrap();
        let apply = ["apply", self.attack.install, package];
        let ran = self.attack.machine.run_soon(apply);
        ran.stdout + &ran.stderr
    }

    /// A rollback brings everything back.
    #[track_caller]
    pub(super) fn undone(&self) {
        let Attack {
            machine, install, ..
        } = &self.attack;
        let canaries = Canaries::of(machine, install);
        let ran = machine.run_soon(["rollback", install, "--discard-changes"]);
        let ran = ran.expect(0);
        canaries.assert_around_untouched(machine, install, &ran);
        assert!(ran.peak_bytes <= ENOUGH_BYTES, "{}", ran.peak_bytes);
        assert_eq!(Snapshot::of(install), self.before);
    }
}

/// A package without steps: program files, a library, and a configuration file with a secret.
fn sound<'a>(machine: &'a Machine, version: &str) -> Source<'a> {
    machine
        .source(version)
        .file_with_mode("bin/agent", format!("agent {version}"), 0o755)
        .file("share/lib", "lib")
        .file("share/deep/er/x", "x")
        .seed(
            "conf/agent.toml",
            "[net]\nport = 1\nhost = \"a\"\n[auth]\ntoken = \"hidden-token\"\n",
        )
        .toml(
            "[config.agent]\nfile = \"conf/agent.toml\"\nformat = \"toml\"\nsecret = [\"auth.*\"]",
        )
}
