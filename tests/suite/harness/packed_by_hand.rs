// SPDX-License-Identifier: Apache-2.0
//! What a vendor with a packer of his own could make: ours refuses to.

use std::fs::File;
use std::io::Cursor;
use std::path::Path;
use std::path::PathBuf;

use cofferdam_package::archive::PackageFile;
use cofferdam_package::digest::Digest;
use cofferdam_package::keyring::KeyRing;
use cofferdam_package::limits::Limits;
use cofferdam_package::write::Compression;
use cofferdam_package::write::PackageWriter;

use super::Machine;

/// The package with other bytes for the component of its first step, signed with the vendor's key.
pub(crate) fn with_component(machine: &Machine, package: &Path, component: &[u8]) -> PathBuf {
    let opened = PackageFile::open(File::open(package).unwrap(), Limits::default()).unwrap();
    let examined = opened.examine(&KeyRing::new()).unwrap();
    let contents = examined.contents();
    let mut manifest = contents.manifest().clone();
    let step = &mut manifest.steps[0];
    let (old, new) = (step.component, Digest::of(component));
    step.component = new;
    step.bytes = component.len() as u64;
    manifest.blobs.remove(&old);
    manifest.blobs.insert(new, component.len() as u64);

    let made = machine.path("packages/made.upd");
    let mut writer = PackageWriter::new(File::create(&made).unwrap());
    writer.manifest(&manifest.to_bytes()).unwrap();
    for digest in manifest.blobs.keys() {
        let content = if *digest == new {
            component.to_vec()
        } else {
            contents.read_blob(digest, 64 << 20).unwrap()
        };
        let mut content = Cursor::new(content);
        writer
            .blob(digest, &mut content, Compression::Stored)
            .unwrap();
    }
    writer.finish().unwrap();
    let (file, key) = (made.to_str().unwrap(), machine.str("acme.key"));
    machine.run(["sign", file, "--key", key]).expect(0);
    made
}
