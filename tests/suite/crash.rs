// SPDX-License-Identifier: Apache-2.0
//! A command that is killed at any instant leaves the old install or the new one, whole; recovery says
//! which, starts the service, and the next update works.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use crate::harness::Machine;
use crate::harness::Service;
use crate::harness::Snapshot;

/// Two versions with enough files that every stage takes some time, laid out for comparison.
struct Versions {
    machine: Machine,
    old: PathBuf,
    new: PathBuf,
    old_tree: Snapshot,
    new_tree: Snapshot,
}

impl Versions {
    fn new() -> Self {
        let machine = Machine::new();
        let files = |version: &str, agent: &str| {
            let mut source = machine.source(version).file("agent", agent);
            for number in 0..40 {
                let same = format!("same {number}");
                source = source
                    .file(&format!("share/{number}/same"), same)
                    .file(&format!("share/{number}/other"), version)
                    .file(&format!("only-{version}/{number}"), version);
            }
            source.pack()
        };
        let (old, new) = (files("1.0.0", "one"), files("1.1.0", "two"));
        machine.lay_out(&old, &machine.path("old"));
        machine.lay_out(&new, &machine.path("new"));
        for tree in ["old", "new"] {
            let data = machine.path(tree).join("data");
            fs::create_dir(&data).unwrap();
            for number in 0..40 {
                fs::write(data.join(number.to_string()), format!("state {number}")).unwrap();
            }
        }
        Self {
            old_tree: Snapshot::of(machine.path("old")),
            new_tree: Snapshot::of(machine.path("new")),
            machine,
            old,
            new,
        }
    }

    /// A fresh install of the old version.
    fn install(&self, name: &str) -> &'static str {
        let install = self.machine.str(format!("opt/{name}"));
        let copied = std::process::Command::new("cp")
            .args(["-a", self.machine.str("old"), install])
            .status();
        assert!(copied.unwrap().success());
        self.machine.adopt(install, &self.old);
        install
    }

    fn apply<'a>(&'a self, install: &'a str) -> [&'a str; 3] {
        ["apply", install, self.new.to_str().unwrap()]
    }

    /// Recovers, and requires one of the two versions, whole; says whether it is the new one.
    #[track_caller]
    fn whole_after_recovery(&self, install: &str) -> bool {
        let machine = &self.machine;
        machine.run(["recover", install, "--json"]).expect(0);
        let tree = Snapshot::of(install);
        let status = machine.status(install);
        assert_eq!(status["state"], "idle", "{status}");
        assert_eq!(status["service_owed"], false, "{status}");
        let is_new = status["version"] == "1.1.0";
        let expected = if is_new {
            &self.new_tree
        } else {
            &self.old_tree
        };
        assert!(tree == *expected, "neither old nor new: {tree:?}");
        machine.run(["verify", install]).expect(0);
        machine.history(install);
        is_new
    }

    /// The update that was cut off works now.
    #[track_caller]
    fn reaches_new(&self, install: &str) {
        self.machine.apply(install, &self.new).expect(0);
        assert!(Snapshot::of(install) == self.new_tree);
        let status = self.machine.status(install);
        assert_eq!(status["confirmed"], true, "{status}");
        self.machine.history(install);
    }

    /// How long a command takes when nobody kills it.
    fn whole_time(&self, arguments: [&str; 3]) -> Duration {
        let started = Instant::now();
        self.machine.run(arguments).expect(0);
        started.elapsed()
    }
}

/// Starts a command and kills it as soon as `now` says so, or lets it end; says whether it was killed.
fn kill<const N: usize>(
    machine: &Machine,
    arguments: [&str; N],
    mut now: impl FnMut() -> bool,
) -> bool {
    let mut command = machine.command(arguments);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if now() {
            child.kill().unwrap();
            return child.wait().unwrap().code().is_none();
        }
        std::thread::yield_now();
    }
}

/// Moments that are spread over a time.
fn after(delay: Duration) -> impl FnMut() -> bool {
    let started = Instant::now();
    move || started.elapsed() >= delay
}

/// The moment at which the journal says so, and a little later.
fn when_journal_says(install: &str, word: &str, later: Duration) -> impl FnMut() -> bool {
    let journal = PathBuf::from(format!("{install}.cofferdam/transaction.json"));
    let word = format!("\"{word}\"");
    let mut since = None;
    move || {
        let said = || fs::read_to_string(&journal).is_ok_and(|text| text.contains(&word));
        if since.is_none() && said() {
            since = Some(Instant::now());
        }
        since.is_some_and(|since| since.elapsed() >= later)
    }
}

#[test]
fn an_update_killed_at_any_moment_leaves_the_old_install_or_the_new_one() {
    const KILLS: u32 = 64;
    let versions = Versions::new();
    let install = versions.install("whole");
    let mut whole = versions.whole_time(versions.apply(install));
    let mut killed = 0;
    for number in 0..KILLS {
        let install = versions.install(&format!("agent-{number}"));
        let delay = whole * number / KILLS;
        if kill(&versions.machine, versions.apply(install), after(delay)) {
            killed += 1;
        } else {
            // The machine has less to do than when the time was taken.
            whole = whole * 7 / 8;
        }
        versions.whole_after_recovery(install);
        versions.reaches_new(install);
        fs::remove_dir_all(install).unwrap();
        fs::remove_dir_all(format!("{install}.cofferdam")).unwrap();
    }
    assert!(killed >= KILLS / 2, "only {killed} commands were killed");
}

#[test]
fn a_recovery_that_is_killed_itself_can_be_repeated() {
    let versions = Versions::new();
    for (number, stage) in (0..).zip(["building", "stopped", "committing", "committing"]) {
        let install = versions.install(&format!("agent-{number}"));
        let later = Duration::from_micros(700 * number);
        kill(
            &versions.machine,
            versions.apply(install),
            when_journal_says(install, stage, later),
        );
        for tenth in 0..10 {
            let delay = Duration::from_millis(4 * tenth);
            kill(&versions.machine, ["recover", install], after(delay));
        }
        versions.whole_after_recovery(install);
        versions.whole_after_recovery(install);
        versions.reaches_new(install);
    }
}

#[test]
fn a_commit_that_is_killed_is_finished_or_undone_with_its_configuration_outside_of_the_install() {
    const KILLS: u64 = 12;
    let machine = Machine::new();
    let files = |version: &str| {
        machine
            .source(version)
            .file("agent", version)
            .file("script", "set port 8080\nset host b\n")
            .toml("[config.agent]\nfile = \"agent.toml\"\nformat = \"toml\"")
    };
    let old = files("1.0.0").pack();
    let keys = "read = [\"script\"]\nconfig.write = [\"**\"]";
    let new = files("1.1.0")
        .step("keys", "migrate", "script", keys)
        .pack();
    let config = machine.path("etc/agent.toml");
    let (before, after) = ("port = 80\nhost = \"a\"\n", "port = 8080\nhost = \"b\"\n");
    for number in 0..KILLS {
        let install = machine.str(format!("opt/agent-{number}"));
        machine.lay_out(&old, Path::new(install));
        machine.adopt(install, &old);
        let text = format!("[config.agent]\nfile = \"{}\"", config.display());
        machine.settings(install, &text);
        fs::write(&config, before).unwrap();
        let later = Duration::from_micros(250 * number);
        let now = when_journal_says(install, "committing", later);
        kill(&machine, ["apply", install, new.to_str().unwrap()], now);
        machine.run(["recover", install]).expect(0);
        let is_new = machine.status(install)["version"] == "1.1.0";
        let expected = if is_new {
            ("1.1.0", after)
        } else {
            ("1.0.0", before)
        };
        let agent = fs::read_to_string(Path::new(install).join("agent")).unwrap();
        let found = fs::read_to_string(&config).unwrap();
        assert_eq!((agent.as_str(), found.as_str()), expected);
        assert_eq!(
            fs::read_dir(machine.path("etc")).unwrap().count(),
            1,
            "nothing is left over beside the configuration file"
        );
        machine.apply(install, &new).expect(0);
        assert_eq!(fs::read_to_string(&config).unwrap(), after);
    }
}

#[test]
fn a_rollback_that_is_killed_leaves_one_of_the_two_generations_whole() {
    const KILLS: u32 = 16;
    let versions = Versions::new();
    let install = versions.install("agent");
    let settings = format!("{install}.cofferdam/install.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let more = text.replace("generations = 3", "generations = 99");
    fs::write(&settings, more).unwrap();
    versions.reaches_new(install);
    let whole = versions.whole_time(["rollback", install, "--to=1"]);
    for number in 0..KILLS {
        versions.machine.run(["allow", install, "1.1.0"]).expect(0);
        versions.reaches_new(install);
        let delay = whole * number / KILLS;
        kill(
            &versions.machine,
            ["rollback", install, "--to=1"],
            after(delay),
        );
        if versions.whole_after_recovery(install) {
            versions
                .machine
                .run(["rollback", install, "--to=1"])
                .expect(0);
        }
        assert!(Snapshot::of(install) == versions.old_tree);
    }
}

#[test]
fn the_service_runs_after_the_recovery_of_an_update_that_was_killed() {
    const KILLS: u64 = 12;
    let versions = Versions::new();
    for number in 0..KILLS {
        let install = versions.install(&format!("agent-{number}"));
        let service = Service::running(&versions.machine, install, "true", "true");
        let later = Duration::from_millis(number / 2 * 6);
        let stage = if number % 2 == 0 {
            "stopped"
        } else {
            "committing"
        };
        let now = when_journal_says(install, stage, later);
        kill(&versions.machine, versions.apply(install), now);
        let is_new = versions.whole_after_recovery(install);
        assert!(service.runs(), "killed when {stage}, {later:?} later");
        let last = service.log().pop().unwrap_or("start one".to_owned());
        assert_eq!(last, if is_new { "start two" } else { "start one" });
        versions.reaches_new(install);
        assert!(service.runs());
    }
}

#[test]
fn a_package_that_twice_takes_the_machine_down_is_condemned() {
    let versions = Versions::new();
    let install = versions.install("agent");
    let _service = Service::running(&versions.machine, install, "true", "true");
    for _ in 0..2 {
        let now = when_journal_says(install, "stopped", Duration::ZERO);
        assert!(kill(&versions.machine, versions.apply(install), now));
        let is_new = versions.whole_after_recovery(install);
        assert!(!is_new);
    }
    let machine = &versions.machine;
    machine.refused(install, &versions.new, 4, "condemned");
    machine.run(["allow", install, "1.1.0"]).expect(0);
    versions.reaches_new(install);
}
