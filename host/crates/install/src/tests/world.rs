// SPDX-License-Identifier: Apache-2.0
//! An install with a config file outside, packages for it, and a pipeline without steps.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use cofferdam_package::archive::PackageFile;
use cofferdam_package::digest::Digest;
use cofferdam_package::keyring::KeyId;
use cofferdam_package::keyring::KeyRing;
use cofferdam_package::keyring::PublicKey;
use cofferdam_package::keyring::Role;
use cofferdam_package::keyring::TrustedKey;
use cofferdam_package::limits::Limits;
use cofferdam_package::signature::SignatureRule;
use cofferdam_package::verify::VerifiedPackage;
use cofferdam_package::write::Compression;
use cofferdam_package::write::PackageWriter;
use cofferdam_tree::classify;
use cofferdam_tree::stage::Service;
use cofferdam_tree::walk::LiveTree;

use crate::Adopt;
use crate::AdoptSource;
use crate::Begin;
use crate::ChangedState;
use crate::ConfigOutside;
use crate::Ended;
use crate::Entry;
use crate::Failure;
use crate::Install;
use crate::InstallError;
use crate::Program;
use crate::Ready;
use crate::RecordKind;
use crate::Recovered;
use crate::Registry;
use crate::Rollback;
use crate::TxKind;
use crate::TxResult;
use crate::adopt;

pub(super) const NOW: u64 = 1_800_000_000;
pub(super) const OLD_CONFIG: &str = "port = 1\n";
pub(super) const NEW_CONFIG: &str = "port = 2\n";
/// What is seen of a config file that is not there.
pub(super) const NO_CONFIG: &str = "(no such file)";

/// Everything that people see of an install: the tree, and the config file outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) tree: BTreeMap<String, (u32, Vec<u8>)>,
    pub(super) config: String,
}

pub(super) struct World {
    _temporary: tempfile::TempDir,
    pub(super) dir: PathBuf,
    pub(super) config: PathBuf,
    key: minisign::KeyPair,
    registry: tempfile::TempDir,
}

impl World {
    /// Version 1 laid out, with state, a log and a config file outside; not yet under care.
    pub(super) fn bare() -> Self {
        // Much is synced here: in memory that is quick, and the rules are the same.
        let memory = Path::new("/dev/shm");
        let folder = || {
            if memory.is_dir() {
                tempfile::tempdir_in(memory).unwrap()
            } else {
                tempfile::tempdir().unwrap()
            }
        };
        let temporary = folder();
        let dir = temporary.path().join("app");
        let config = temporary.path().join("etc/agent.toml");
        std::fs::create_dir(config.parent().unwrap()).unwrap();
        std::fs::write(&config, OLD_CONFIG).unwrap();
        for (path, bytes) in payload(1) {
            write(&dir.join(path), &bytes);
        }
        write(&dir.join("data/records"), b"records");
        write(&dir.join("logs/today"), b"line\n");
        let key = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
        Self {
            _temporary: temporary,
            dir,
            config,
            key,
            registry: folder(),
        }
    }

    /// As [`Self::bare`], under care, with `install.toml` naming the config file.
    pub(super) fn new() -> Self {
        let world = Self::bare();
        world.adopt().unwrap();
        world.declare_config();
        world
    }

    /// As [`Self::new`], but the config file that is declared is not there yet.
    pub(super) fn without_config() -> Self {
        let world = Self::new();
        std::fs::remove_file(&world.config).unwrap();
        world
    }

    pub(super) fn adopt(&self) -> Result<crate::Adopted, crate::AdoptError> {
        let package = self.package(1);
        adopt(&Adopt {
            dir: &self.dir,
            source: AdoptSource::Package(&package),
            roles: vec![],
            trust: vec![self.trusted()],
            live: vec!["logs/**".to_owned()],
            registry: &self.registry(),
            txid: "adopt-1".to_owned(),
            now_unix_s: NOW,
        })
    }

    /// The machine's list of installs.
    pub(super) fn registry(&self) -> Registry {
        Registry::new(self.registry.path())
    }

    pub(super) fn declare_config(&self) {
        self.declare_config_as("agent");
    }

    pub(super) fn declare_config_as(&self, name: &str) {
        let path = self.state().join("install.toml");
        let mut text = std::fs::read_to_string(&path).unwrap();
        let file = self.config.display().to_string();
        text.extend(["\n[config.", name, "]\nfile = \"", &file, "\"\n"]);
        std::fs::write(&path, text).unwrap();
    }

    pub(super) fn state(&self) -> PathBuf {
        self.dir.with_file_name("app.cofferdam")
    }

    pub(super) fn trusted(&self) -> TrustedKey {
        TrustedKey {
            key: PublicKey::parse(&self.key.pk.to_base64()).unwrap(),
            role: Role::Vendor,
            name: "Vendor's key".to_owned(),
        }
    }

    /// The package of a version, signed and verified.
    pub(super) fn package(&self, version: u64) -> VerifiedPackage {
        let payload = payload(version);
        let entries: Vec<_> = payload
            .iter()
            .map(|(path, bytes)| {
                serde_json::json!({
                    "path": path, "type": "file", "digest": Digest::of(bytes), "bytes": bytes.len(),
                    "mode": "0644",
                })
            })
            .collect();
        let blobs: BTreeMap<Digest, &Vec<u8>> = payload
            .values()
            .map(|bytes| (Digest::of(bytes), bytes))
            .collect();
        let sizes: BTreeMap<String, usize> = blobs
            .iter()
            .map(|(digest, bytes)| (digest.to_string(), bytes.len()))
            .collect();
        let rest = serde_json::json!({
            "id": "acme-agent", "version": format!("{version}.0.0"), "data_format": version,
            "created": 1_700_000_000, "summary": "", "requires": { "from": "*", "host": "*" },
            "entries": entries, "config": {}, "steps": [], "blobs": sizes, "builds": [],
        })
        .to_string();
        let text = rest.replacen('{', "{\"cofferdam\":\"package/1\",", 1);
        let limits = Limits::default();
        let manifest = cofferdam_package::manifest::parse(text.as_bytes(), &limits)
            .unwrap()
            .to_bytes();
        let id = KeyId::from_bytes(self.key.pk.keynum().try_into().unwrap());
        let signed = minisign::sign(None, &self.key.sk, Cursor::new(&manifest), None, None);
        let mut writer = PackageWriter::new(Cursor::new(Vec::new()));
        writer.manifest(&manifest).unwrap();
        writer
            .signature(id, signed.unwrap().to_string().as_bytes())
            .unwrap();
        for (digest, bytes) in blobs {
            writer
                .blob(&digest, &mut Cursor::new(bytes), Compression::Zstd)
                .unwrap();
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&writer.finish().unwrap().into_inner())
            .unwrap();
        let mut ring = KeyRing::new();
        ring.add(self.trusted()).unwrap();
        let rule = SignatureRule {
            vendor: 1,
            reviewer: 0,
        };
        PackageFile::open(file, limits)
            .unwrap()
            .verify(&ring, &rule)
            .unwrap()
    }

    pub(super) fn open(&self) -> Install {
        Install::open(&self.dir).unwrap()
    }

    pub(super) fn recover(&self) -> Result<(Ready, Recovered), InstallError> {
        Install::open(&self.dir)?.lock("recover", NOW)?.recover(NOW)
    }

    pub(super) fn ready(&self) -> Ready {
        self.recover().unwrap().0
    }

    pub(super) fn seen(&self) -> Seen {
        let mut tree = BTreeMap::new();
        collect(&self.dir, "", &mut tree);
        let config = if self.config.exists() {
            std::fs::read_to_string(&self.config).unwrap()
        } else {
            NO_CONFIG.to_owned()
        };
        Seen { tree, config }
    }

    /// What an apply of `version` is to lead to.
    pub(super) fn expected(&self, version: u64, config: &str) -> Seen {
        let mut seen = self.seen();
        seen.tree
            .retain(|path, _| path.starts_with("data") || path.starts_with("logs"));
        for (path, bytes) in payload(version) {
            if let Some((directory, _)) = path.rsplit_once('/') {
                seen.tree.insert(directory.to_owned(), (0o755, Vec::new()));
            }
            seen.tree.insert(path, (0o644, bytes));
        }
        config.clone_into(&mut seen.config);
        seen
    }

    /// Applies a version with its config file, up to the confirmation, as the pipeline does.
    pub(super) fn apply(&self, version: u64, config: &str) -> Result<(), Failed> {
        let package = self.package(version);
        let (ready, recovered) = self.recover()?;
        let mut ready = ready;
        if recovered.service_owed {
            ready.service_started()?;
        }
        let sealed = match Self::build(ready, &package, TxKind::Apply, "tx")? {
            Ok(building) => building.seal(&[self.config_change(config)], NOW)?,
            Err((building, error)) => {
                let ended = Ended::with(TxResult::Failed, error.code(), error.to_string());
                let _ready = building.discard(ended, NOW)?;
                return Err(Failed::Undone(error.code()));
            }
        };
        let mut ready = sealed.commit(NOW)?;
        ready.service_started()?;
        ready.append_history(vec![Entry {
            at_unix_s: NOW,
            txid: ready.journal().last.as_ref().map(|last| last.txid.clone()),
            kind: RecordKind::Transaction,
            body: serde_json::json!({ "version": version }),
        }])?;
        ready.confirm()?;
        ready.prune()?;
        Ok(())
    }

    /// Builds the next tree; an error hands the transaction back.
    pub(super) fn build(
        ready: Ready,
        package: &VerifiedPackage,
        kind: TxKind,
        txid: &str,
    ) -> Result<Result<crate::Building, (crate::Building, InstallError)>, Failed> {
        let install = ready.install();
        let patterns = install.settings()?.live.clone();
        let live = LiveTree::read(&install.live_tree()?, &patterns).unwrap();
        let old = install.live_inventory()?;
        let classified = classify::classify(&old, &live, package.manifest(), &[], &[]).unwrap();
        let number = ready.journal().next_generation;
        let mut building = ready.begin(Begin {
            kind,
            txid: format!("{txid}-{number}"),
            program: Program::Package(package),
            classified,
            condemn: None,
            now_unix_s: NOW,
        })?;
        let mut work = || -> Result<(), InstallError> {
            building.stage().fetch(package, &mut |_| {})?;
            building.stage().link_unchanged(false)?;
            building.sync()?;
            if kind != TxKind::Plan {
                building.service_stopping(true)?;
            }
            building.stage().copy_state(Service::Stopped, &mut |_| {})?;
            building.stage().place_payload()?;
            Ok(())
        };
        Ok(match work() {
            Ok(()) => Ok(building),
            Err(error) => Err((building, error)),
        })
    }

    pub(super) fn config_change(&self, to: &str) -> ConfigOutside {
        ConfigOutside {
            name: "agent".to_owned(),
            path: self.config.clone(),
            before: std::fs::read(&self.config).ok(),
            after: to.as_bytes().to_vec(),
        }
    }

    /// Rolls back as the pipeline does.
    pub(super) fn roll_back(&self, to: Option<u64>, changed: ChangedState) -> Result<(), Failed> {
        let (ready, _) = self.recover()?;
        let mut returning = ready.begin_rollback(Rollback {
            txid: "back".to_owned(),
            to,
            changed_state: changed,
            condemn: Some("a person rolled it back".to_owned()),
            now_unix_s: NOW,
        })?;
        if let Err(error) = returning.service_stopping(true) {
            let ended = Ended::with(TxResult::Failed, error.code(), error.to_string());
            let _ready = returning.discard(ended, NOW)?;
            return Err(Failed::Undone(error.code()));
        }
        let mut ready = returning.seal(NOW)?.commit(NOW)?;
        ready.service_started()?;
        Ok(())
    }
}

/// How a command of the test pipeline failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failed {
    Undone(&'static str),
    Interrupted(&'static str),
    /// Between transactions.
    Else(&'static str),
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Undone { error, .. } => Self::Undone(error.code()),
            Failure::Interrupted { error } => Self::Interrupted(error.code()),
        }
    }
}

impl From<InstallError> for Failed {
    fn from(error: InstallError) -> Self {
        Self::Else(error.code())
    }
}

/// Versions share one file, change one, and each has one of its own.
fn payload(version: u64) -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([
        ("bin/same".to_owned(), b"the same in all versions".to_vec()),
        (
            "bin/app".to_owned(),
            format!("version {version}").into_bytes(),
        ),
        (format!("lib/only-{version}"), b"here only".to_vec()),
    ])
}

pub(super) fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
}

fn collect(dir: &Path, below: &str, tree: &mut BTreeMap<String, (u32, Vec<u8>)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = if below.is_empty() {
            name
        } else {
            format!("{below}/{name}")
        };
        let metadata = entry.metadata().unwrap();
        let mode = metadata.permissions().mode() & 0o7777;
        if metadata.is_dir() {
            tree.insert(path.clone(), (mode, Vec::new()));
            collect(&entry.path(), &path, tree);
        } else {
            tree.insert(path, (mode, std::fs::read(entry.path()).unwrap()));
        }
    }
}

/// What is true of every install at rest.
pub(super) fn invariant_at_rest(world: &World) {
    let install = world.open();
    let journal = install.journal();
    assert!(journal.transaction.is_none(), "{journal:?}");
    assert!(journal.condemning.is_none(), "{journal:?}");
    let history = install.history(1).unwrap();
    assert_eq!(journal.history, history.end);
    if let Some(last) = &journal.last {
        let recorded = history
            .records
            .iter()
            .any(|record| record.txid.as_ref() == Some(&last.txid));
        assert!(recorded, "the history does not tell of {}", last.txid);
    }
    let kept: Vec<u64> = names(&world.state().join("generations"))
        .iter()
        .map(|name| name.parse().unwrap())
        .collect();
    assert!(
        kept.iter()
            .all(|number| journal.generations.contains_key(number)),
        "{kept:?}"
    );
    for number in journal.generations.keys() {
        let tree = world.state().join(format!("generations/{number}/tree"));
        assert_eq!(
            tree.is_dir(),
            *number != journal.live,
            "generation {number}"
        );
    }
    assert_eq!(names(&world.state().join("incoming")), Vec::<String>::new());
    let beside = names(world.config.parent().unwrap());
    let config = world.config.exists().then(|| "agent.toml".to_owned());
    assert_eq!(beside, Vec::from_iter(config));
    let ours = [
        "cache",
        "generations",
        "history.jsonl",
        "incoming",
        "install.toml",
        "lock",
        "refused.json",
        "transaction.json",
    ];
    for name in names(&world.state()) {
        assert!(ours.contains(&name.as_str()), "`{name}` was left");
    }
    assert_eq!(
        install.drift(cofferdam_tree::verify::Scope::All).unwrap(),
        []
    );
}

pub(super) fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
