// SPDX-License-Identifier: Apache-2.0
//! Owners, access lists and extended attributes.
//!
//! Some of these need root, which is who runs updates; as another user there is nothing to prove.

use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::chown;

use rustix::fs::XattrFlags;

use super::world::Package;
use super::world::World;
use crate::inventory::Inventory;

const ACCESS: &str = "system.posix_acl_access";
const DEFAULT: &str = "system.posix_acl_default";

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn set(world: &World, path: &str, name: &str, value: &[u8]) -> bool {
    rustix::fs::setxattr(world.path(path), name, value, XattrFlags::empty()).is_ok()
}

fn get(world: &World, path: &str, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 1024];
    let bytes = rustix::fs::getxattr(world.path(path), name, value.as_mut_slice()).ok()?;
    value.truncate(bytes);
    Some(value)
}

/// An access list in the kernel's form: owner, one named user, group, mask, others.
fn access_list(user: u32, group_bits: u16, mask_bits: u16) -> Vec<u8> {
    let mut list = 2_u32.to_le_bytes().to_vec();
    let nobody = u32::MAX;
    for (tag, bits, id) in [
        (0x01_u16, 7_u16, nobody),
        (0x02, 7, user),
        (0x04, group_bits, nobody),
        (0x10, mask_bits, nobody),
        (0x20, 0, nobody),
    ] {
        list.extend(tag.to_le_bytes());
        list.extend(bits.to_le_bytes());
        list.extend(id.to_le_bytes());
    }
    list
}

#[test]
fn a_changed_file_takes_owner_group_and_access_list_of_the_one_it_replaces() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let old = world.install(&Package::default().file("agent", "one", 0o750));
    chown(world.path("live/agent"), Some(1234), Some(2345)).expect("chown");
    let list = access_list(77, 5, 5);
    assert!(set(&world, "live/agent", ACCESS, &list));
    world
        .update(&old, &Package::default().file("agent", "two", 0o750))
        .expect("update");
    let facts = world.facts("slot/agent");
    assert_eq!((facts.uid(), facts.gid()), (1234, 2345));
    assert_eq!(get(&world, "slot/agent", ACCESS), Some(list));
    assert_eq!(world.mode("slot/agent"), 0o750);
    assert_eq!(world.read("slot/agent"), "two");
}

#[test]
fn the_manifests_mode_holds_under_an_access_list() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let old = world.install(&Package::default().file("agent", "one", 0o755));
    assert!(set(&world, "live/agent", ACCESS, &access_list(77, 5, 7)));
    world
        .update(&old, &Package::default().file("agent", "two", 0o644))
        .expect("update");
    assert_eq!(world.mode("slot/agent"), 0o644);
    // The mask follows the mode, so the named user may now only read.
    assert_eq!(
        get(&world, "slot/agent", ACCESS).map(|list| list[4 + 3 * 8 + 2]),
        Some(4)
    );
}

#[test]
fn capabilities_do_not_pass_to_new_content() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let old = world.install(&Package::default().file("agent", "one", 0o755));
    // Version 2, effective, `cap_net_bind_service`.
    let mut capability = vec![1, 0, 0, 2, 0, 4, 0, 0];
    capability.resize(20, 0);
    if !set(&world, "live/agent", "security.capability", &capability) {
        return;
    }
    world
        .update(&old, &Package::default().file("agent", "two", 0o755))
        .expect("update");
    assert_eq!(get(&world, "slot/agent", "security.capability"), None);
}

#[test]
fn an_added_file_takes_owner_and_default_list_of_its_directory() {
    if !is_root() {
        return;
    }
    let world = World::new();
    let old = world.install(&Package::default().file("lib/a", "a", 0o644));
    chown(world.path("live/lib"), Some(1234), Some(2345)).expect("chown");
    let list = access_list(77, 5, 7);
    assert!(set(&world, "live/lib", DEFAULT, &list));
    let package = Package::default()
        .file("lib/a", "a", 0o644)
        .file("lib/deep/b", "b", 0o755);
    world.update(&old, &package).expect("update");
    for path in ["slot/lib", "slot/lib/deep", "slot/lib/deep/b"] {
        let facts = world.facts(path);
        assert_eq!((facts.uid(), facts.gid()), (1234, 2345), "{path}");
    }
    assert_eq!(get(&world, "slot/lib", DEFAULT), Some(list.clone()));
    assert_eq!(get(&world, "slot/lib/deep", DEFAULT), Some(list));
    assert!(get(&world, "slot/lib/deep/b", ACCESS).is_some());
    assert_eq!(world.mode("slot/lib/deep/b"), 0o755);
}

#[test]
fn state_keeps_owner_and_every_attribute() {
    let world = World::new();
    world.write("live/data/file", "state");
    if !set(&world, "live/data/file", "user.note", b"kept") {
        return;
    }
    assert!(set(&world, "live/data", "user.note", b"kept too"));
    let big = vec![b'x'; 2000];
    assert!(set(&world, "live/data/file", "user.big", &big));
    if is_root() {
        for path in ["live/data/file", "live/data", "live"] {
            chown(world.path(path), Some(1234), Some(2345)).expect("chown");
        }
        assert!(set(&world, "live/data", DEFAULT, &access_list(77, 5, 7)));
        std::os::unix::fs::symlink("file", world.path("live/data/link")).expect("link");
        std::os::unix::fs::lchown(world.path("live/data/link"), Some(42), Some(43)).expect("own");
    }
    world
        .update(&Inventory::default(), &Package::default())
        .expect("update");
    assert_eq!(
        get(&world, "slot/data/file", "user.note").as_deref(),
        Some(&b"kept"[..])
    );
    assert_eq!(
        get(&world, "slot/data", "user.note").as_deref(),
        Some(&b"kept too"[..])
    );
    let mut value = vec![0; 4096];
    let bytes = rustix::fs::getxattr(
        world.path("slot/data/file"),
        "user.big",
        value.as_mut_slice(),
    );
    assert_eq!(bytes, Ok(2000));
    if is_root() {
        for path in ["slot/data/file", "slot/data", "slot"] {
            let facts = world.facts(path);
            assert_eq!((facts.uid(), facts.gid()), (1234, 2345), "{path}");
        }
        // The directory's default list must not leave traces on a file that had none.
        assert_eq!(get(&world, "slot/data/file", ACCESS), None);
        let facts = world.facts("slot/data/link");
        assert_eq!((facts.uid(), facts.gid()), (42, 43));
    }
}

#[test]
fn a_directory_without_a_default_list_gets_none_from_the_one_above() {
    if !is_root() {
        return;
    }
    let world = World::new();
    std::fs::create_dir_all(world.path("live/data/plain")).expect("directory");
    assert!(set(&world, "live/data", DEFAULT, &access_list(77, 5, 7)));
    world
        .update(&Inventory::default(), &Package::default())
        .expect("update");
    assert!(get(&world, "slot/data", DEFAULT).is_some());
    for name in [ACCESS, DEFAULT] {
        assert_eq!(get(&world, "slot/data/plain", name), None, "{name}");
    }
}
