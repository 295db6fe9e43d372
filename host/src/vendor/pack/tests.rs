// SPDX-License-Identifier: Apache-2.0
//! Tests of packing, with small payloads and without steps (those need a compiler).

use crate::watch::Unwatched;
use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;

use cofferdam_package::verify::ExaminedPackage;
use tempfile::TempDir;

use super::*;

const CREATED: u64 = 1_790_000_000;

/// A folder with a package.toml and a payload.
struct Source {
    folder: TempDir,
}

impl Source {
    fn new() -> Self {
        let source = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        source.file("package.toml", 0o644, TOML);
        source.file("payload/bin/tool", 0o755, "#!/bin/sh\necho tool\n");
        source.file("payload/conf/agent.toml", 0o640, "[server]\nport = 1\n");
        source.file("payload/doc/read-me", 0o644, "hello\n");
        source.file("payload/doc/same", 0o644, "hello\n");
        symlink("tool", source.folder.path().join("payload/bin/alias")).unwrap();
        source
    }

    fn file(&self, path: &str, mode: u32, text: &str) {
        let place = self.folder.path().join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(&place, text).unwrap();
        fs::set_permissions(&place, Permissions::from_mode(mode)).unwrap();
        // Whatever umask the test runs under.
        fs::set_permissions(place.parent().unwrap(), Permissions::from_mode(0o755)).unwrap();
    }

    fn toml(&self, more: &str) {
        self.file("package.toml", 0o644, &format!("{TOML}\n{more}"));
    }

    fn request(&self, output: &str) -> Request {
        Request {
            source: self.folder.path().to_owned(),
            output: self.folder.path().join(output),
            compression: Compression::Zstd,
            created_unix_s: CREATED,
        }
    }

    fn pack(&self) -> Result<Packed, Failure> {
        pack(&self.request("out.upd"), &mut Unwatched)
    }

    fn code(&self) -> &'static str {
        let code = self.pack().unwrap_err().code;
        assert!(!self.folder.path().join("out.upd").exists());
        let left: Vec<_> = fs::read_dir(self.folder.path()).unwrap().collect();
        assert_eq!(left.len(), 2, "something is left behind");
        code
    }
}

fn examined(packed: &Packed) -> ExaminedPackage {
    let file = File::open(&packed.package).unwrap();
    PackageFile::open(file, Limits::default())
        .unwrap()
        .examine(&KeyRing::new())
        .unwrap()
}

const TOML: &str = r#"
[package]
id = "acme-agent"
version = "1.1.0"
data-format = 1
summary = "A test"
[requires]
from = "*"
host = "*"
[payload]
dir = "payload"
[[payload.set]]
match = "conf/*.toml"
keep = true
mode = "0600"
[[payload.set]]
match = "doc/**"
roles = ["server"]
"#;

#[test]
fn the_same_sources_give_the_same_bytes_wherever_they_lie() {
    let (one, two) = (Source::new(), Source::new());
    let (first, second) = (one.pack().unwrap(), two.pack().unwrap());
    assert_eq!(first.package_digest, second.package_digest);
    assert_eq!(
        fs::read(first.package).unwrap(),
        fs::read(second.package).unwrap()
    );
}

#[test]
fn the_digest_does_not_depend_on_compression() {
    let source = Source::new();
    let digests = Compression::ALL.iter().map(|compression| {
        let request = Request {
            compression: *compression,
            ..source.request("out.upd")
        };
        pack(&request, &mut Unwatched).unwrap().package_digest
    });
    let digests: std::collections::BTreeSet<Digest> = digests.collect();
    assert_eq!(digests.len(), 1);
}

#[test]
fn modes_seeds_roles_and_links_are_as_the_source_says() {
    let packed = Source::new().pack_into_examined();
    let entries = &packed.manifest().entries;
    let at = |path: &str| {
        entries
            .iter()
            .find(|entry| entry.path.as_str() == path)
            .unwrap()
    };
    let described = |path: &str| match &at(path).kind {
        EntryKind::File { mode, keep, .. } => format!("{mode} {keep}"),
        EntryKind::Directory { mode } => format!("{mode}/"),
        EntryKind::Symlink { target } => format!("-> {target}"),
    };
    assert_eq!(described("bin/tool"), "0755 false");
    assert_eq!(described("bin/alias"), "-> tool");
    assert_eq!(described("conf/agent.toml"), "0600 true");
    assert_eq!(described("bin"), "0755/");
    assert_eq!(at("doc/read-me").roles, ["server"]);
    assert_eq!(
        at("doc").roles,
        ["server"],
        "a folder for one role only goes with its files"
    );
    assert!(at("bin").roles.is_empty());
    assert_eq!(packed.manifest().blobs.len(), 3, "equal files share a blob");
}

impl Source {
    fn pack_into_examined(&self) -> ExaminedPackage {
        examined(&self.pack().unwrap())
    }
}

#[test]
fn special_bits_are_refused_unless_a_table_sets_the_mode() {
    let source = Source::new();
    source.file("payload/bin/su", 0o4755, "x");
    assert_eq!(source.code(), "special-mode");
    source.toml("[[payload.set]]\nmatch = \"bin/su\"\nmode = \"0755\"\n");
    source.pack().unwrap();
}

#[test]
fn a_package_inside_its_own_payload_is_refused() {
    let source = Source::new();
    let refused = pack(&source.request("payload/out.upd"), &mut Unwatched).unwrap_err();
    assert_eq!(refused.code, "output-in-payload");
}

#[test]
fn a_missing_payload_or_component_is_named() {
    let source = Source::new();
    source.toml(
        "[[step]]\nname = \"a\"\nphase = \"check\"\ncomponent = \"no-such\"\nreason = \"r\"\n",
    );
    assert_eq!(source.code(), "component-missing");
    let source = Source::new();
    fs::rename(
        source.folder.path().join("payload"),
        source.folder.path().join("other"),
    )
    .unwrap();
    assert_eq!(source.code(), "payload-missing");
}

#[test]
fn names_that_fold_into_one_are_refused() {
    let source = Source::new();
    source.file("payload/doc/READ-ME", 0o644, "x");
    assert_eq!(source.code(), "path-case-clash");
}

#[test]
fn what_would_surprise_is_said() {
    let source = Source::new();
    source.toml(
        "[[payload.set]]\nmatch = \"no/such\"\nkeep = true\n\
         [config.agent]\nfile = \"conf/other.toml\"\nformat = \"toml\"\n",
    );
    source.file("payload/doc/open", 0o666, "x");
    let warnings = source.pack().unwrap().warnings.join("\n");
    for expected in ["no/such", "conf/other.toml", "doc/open"] {
        assert!(warnings.contains(expected), "{expected}: {warnings}");
    }
}

#[test]
fn an_older_package_stays_when_packing_fails() {
    let source = Source::new();
    let before = fs::read(source.pack().unwrap().package).unwrap();
    source.file("payload/bin/su", 0o4755, "x");
    source.pack().unwrap_err();
    assert_eq!(
        fs::read(source.folder.path().join("out.upd")).unwrap(),
        before
    );
}
