// SPDX-License-Identifier: Apache-2.0
//! What a step is shown of a file in place of what the host's file system would say.

use cofferdam_package::digest::Digest;
use rustix::fs::FileType;
use wasmtime_wasi::p2::bindings::sync::filesystem::types;

/// The kind of a file; those that no step can open have none.
pub(super) fn type_of(kind: FileType) -> types::DescriptorType {
    match kind {
        FileType::Directory => types::DescriptorType::Directory,
        FileType::RegularFile => types::DescriptorType::RegularFile,
        FileType::Symlink => types::DescriptorType::SymbolicLink,
        _ => types::DescriptorType::Unknown,
    }
}

/// Identity for programs that compare files: from the path, not from the host's inode.
pub(super) fn hash(path: &str) -> types::MetadataHashValue {
    let digest = Digest::of(path.as_bytes());
    let part = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&digest.as_bytes()[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    types::MetadataHashValue {
        lower: part(0),
        upper: part(8),
    }
}
