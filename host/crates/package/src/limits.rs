// SPDX-License-Identifier: Apache-2.0
//! How much a package may ask of us, each limit with the attack that it stops.
//!
//! Limits bound what hostile bytes can cost in memory, time and disk before they are refused. They are
//! no policy: what a step may use is the host's business.

/// Caps on a package. `Default` gives the values that every command uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of `manifest.json`. Stops a manifest that fills the memory before any signature is
    /// checked. The default holds 100,000 files with paths of 50 bytes, and keeps the cost of refusing
    /// any package below 64 MiB: parsed, a manifest takes less than twice its size more.
    pub manifest_bytes: u64,
    /// Nesting of JSON in the manifest. Stops a stack overflow in the parser. The manifest of the
    /// format nests five deep.
    pub manifest_depth: usize,
    /// Bytes of one signature file. Stops unsigned bytes from filling the memory. A minisign
    /// signature is below 1 KiB, whatever its comments.
    pub signature_bytes: u64,
    /// Number of signature files. Stops an archive whose signatures take for ever to check. More
    /// than any team signs with.
    pub signatures: usize,
    /// Number of entries of the archive. Stops a directory that fills the memory, and a payload that
    /// uses up all inodes. The largest real release that was tried has 19,500 files.
    pub archive_entries: u64,
    /// Number of manifest entries (files, directories, symlinks). Stops the same attack by many
    /// paths that share one blob.
    pub manifest_entries: usize,
    /// Bytes of one blob after decompression. Stops a decompression bomb in one file. The format
    /// itself ends at 4 GiB, since sizes are kept in 32 bits.
    pub blob_bytes: u64,
    /// Bytes of all payload files after decompression, counted once per path. Stops many bombs, and
    /// one blob that is placed at thousands of paths.
    pub total_bytes: u64,
    /// How many times larger than its compressed form a blob may be. Stops bombs that stay below
    /// the other caps but cost far more to unpack than to send. Deflate cannot exceed 1,032.
    pub ratio: u64,
    /// Blobs up to this size are not judged by `ratio`: little harm can be done, and small files of
    /// one repeated byte are common.
    pub ratio_free_bytes: u64,
    /// Memory that a zstd frame may claim as its window. Stops a package that makes each reading
    /// thread allocate the 128 MiB that the decoder would grant. zstd needs 8 MiB up to level 19.
    pub zstd_window_bytes: u64,
    /// Number of steps. Stops a manifest that keeps the service down by a thousand small steps.
    pub steps: usize,
    /// Bytes of one step component. Stops a component that takes hours to compile.
    pub component_bytes: u64,
    /// Bytes of all different components together. Stops a package that makes whoever looks at it read
    /// gigabytes of them.
    pub all_components_bytes: u64,
    /// Number of declared configuration files. Stops slow matching of keys.
    pub config_files: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            manifest_bytes: 24 << 20,
            manifest_depth: 16,
            signature_bytes: 4 << 10,
            signatures: 32,
            archive_entries: 100_000,
            manifest_entries: 100_000,
            blob_bytes: MAX_BLOB_BYTES,
            total_bytes: 64 << 30,
            ratio: 1_100,
            ratio_free_bytes: 1 << 20,
            zstd_window_bytes: 8 << 20,
            steps: 64,
            component_bytes: 64 << 20,
            all_components_bytes: 256 << 20,
            config_files: 64,
        }
    }
}

/// The largest blob that the format can hold: its size must fit the zip's 32-bit fields.
pub const MAX_BLOB_BYTES: u64 = u32::MAX as u64 - 1;
