// SPDX-License-Identifier: Apache-2.0
//! Every error code of this crate, with what to do next. Codes are stable: scripts rely on them.

/// What a person does about a package that its maker must repair.
const ASK_VENDOR: &str = "get the package again; if it stays so, its maker must build it anew";
/// What a vendor does about a manifest that breaks a rule.
const FIX_SOURCE: &str = "correct package.toml or the payload and pack again";
/// What an operator or vendor does about a pattern.
const FIX_PATTERN: &str = "write a relative pattern of parts with `*`, `?` and `**`";

/// Every code that the errors of this crate answer, with one line on what to do next.
pub const CODES: &[(&str, &str)] = &[
    ("archive-changed", "let no one write to the package while it is read, and try again"),
    ("blob-corrupt", ASK_VENDOR),
    ("blob-digest-mismatch", ASK_VENDOR),
    ("blob-missing", ASK_VENDOR),
    ("blob-not-in-manifest", ASK_VENDOR),
    ("blob-size-mismatch", ASK_VENDOR),
    ("blob-too-large", "split the file: a single one must stay below 4 GiB, a step component below 64 MiB"),
    ("blob-unlisted", FIX_SOURCE),
    ("blob-unused", FIX_SOURCE),
    ("blob-unwritable", "make room where the files are written, and check that the place may be written"),
    ("build-of-no-step", FIX_SOURCE),
    ("component-in-payload", "leave the step's component out of the payload folder"),
    ("config-file-twice", "declare each configuration file once"),
    ("config-unknown", "declare the file under `[config.NAME]`, and write `NAME:key` where there are several"),
    ("digest-spelling", "write a SHA-256 digest as 64 lower-case hexadecimal digits"),
];
