// SPDX-License-Identifier: Apache-2.0
//! Every error code of this crate, with what to do next. Codes are stable: scripts rely on them.

/// A package that its maker must repair.
const PACKAGE: &str = "get the package again; if it stays so, its maker must pack it anew";
/// An archive that another tool wrote or changed.
const ARCHIVE: &str =
    "use the package as `cofferdam pack` and `sign` wrote it; other zip tools add what is refused";
/// A manifest or source that breaks a rule.
const SOURCE: &str = "correct package.toml or the payload, and pack again";
/// A path that breaks a rule.
const PATH: &str = "rename the file or link in the payload, and pack again";
/// A pattern that breaks a rule.
const PATTERN: &str = "write a relative pattern of whole parts, with `*`, `?` and `**`";
/// A package that asks for more than any package may.
const LIMIT: &str = "split the package, or leave out what need not be in it";
/// A signature that is not as it must be.
const SIGNATURE: &str =
    "sign again with `cofferdam sign`, or with `minisign -S` and `cofferdam attach`";
/// A key that is not as it must be.
const KEY: &str = "give the `.pub` file of a minisign key, or its second line";

/// Every code that the errors of this crate answer, with one line on what to do next.
pub const CODES: &[(&str, &str)] = &[
    ("blob-corrupt", PACKAGE),
    ("blob-digest-mismatch", PACKAGE),
    ("blob-missing", PACKAGE),
    ("blob-not-in-manifest", PACKAGE),
    ("blob-size-mismatch", PACKAGE),
    (
        "blob-too-large",
        "a file must stay below 4 GiB, a step's component below 64 MiB: make it smaller or split it",
    ),
    ("blob-unlisted", SOURCE),
    ("blob-unused", SOURCE),
    (
        "blob-unwritable",
        "make room where files are written, and see that the place may be written to",
    ),
    ("build-of-no-step", SOURCE),
    (
        "component-in-payload",
        "leave the step's component out of the payload folder",
    ),
    (
        "components-too-large",
        "make the components smaller, or let steps share one",
    ),
    ("config-file-twice", "declare each configuration file once"),
    (
        "config-unknown",
        "declare the file as `[config.NAME]`; write `NAME:key` where several are declared",
    ),
    ("deflate-stream", ARCHIVE),
    (
        "digest-spelling",
        "write a SHA-256 digest as 64 lower-case hexadecimal digits",
    ),
    ("glob-absolute", PATTERN),
    ("glob-character", PATTERN),
    ("glob-dot-part", PATTERN),
    ("glob-double-star", PATTERN),
    ("glob-empty", PATTERN),
    ("glob-empty-part", PATTERN),
    (
        "glob-name",
        "write keys as `key.part`, or `name:key.part` with the declared name of the file",
    ),
    (
        "glob-quotes",
        "quote whole parts of a key: `server.\"a.b\".port`",
    ),
    ("glob-too-long", PATTERN),
    (
        "glob-too-many",
        "say it with fewer patterns; `**` stands for any number of parts",
    ),
    (
        "glob-unsupported",
        "write one pattern per alternative, and `?` for a bracket",
    ),
    (
        "host-too-old",
        "use a cofferdam of a version that the package asks for: most often, update it on this host first",
    ),
    ("key-duplicate", "trust each key once"),
    ("key-format", KEY),
    ("key-id", KEY),
    (
        "key-id-taken",
        "ask the key's owner for one with another id; minisign draws ids at random",
    ),
    ("key-name", "give the key a short printable name"),
    ("manifest-created", "give a time between 1970 and 9999"),
    ("manifest-duplicate-key", PACKAGE),
    (
        "manifest-format",
        "update cofferdam on this host: it does not know this format yet",
    ),
    (
        "manifest-kind",
        "give a package; this is another kind of document",
    ),
    (
        "manifest-mode",
        "write modes from `0000` to `0777`; set-id and sticky bits are not packed",
    ),
    ("manifest-name", SOURCE),
    (
        "manifest-requirement",
        "write a requirement such as `>=1.0.0, <2.0.0`, or `*`",
    ),
    (
        "manifest-role",
        "write roles as `[a-z0-9][a-z0-9_-]{0,63}`, each once",
    ),
    ("manifest-schema", PACKAGE),
    ("manifest-syntax", PACKAGE),
    (
        "manifest-text",
        "keep it to one short line without control characters",
    ),
    ("manifest-too-deep", PACKAGE),
    ("manifest-too-large", LIMIT),
    ("manifest-too-many", LIMIT),
    (
        "manifest-version",
        "write a semantic version such as `1.2.3`",
    ),
    (
        "pack-content-changed",
        "let nothing write to the payload while it is packed, and pack again",
    ),
    ("pack-order", "report this as a defect of cofferdam"),
    (
        "pack-unreadable",
        "see that every file of the payload can be read",
    ),
    (
        "pack-unwritable",
        "make room where the package is written, and see that the place may be written to",
    ),
    (
        "package-io",
        "see that the package is a regular file that can be read",
    ),
    ("path-absolute", PATH),
    ("path-backslash", PATH),
    ("path-case-clash", PATH),
    ("path-control", PATH),
    ("path-dot-part", PATH),
    ("path-duplicate", PATH),
    ("path-empty", PATH),
    ("path-empty-part", PATH),
    ("path-file-and-directory", PATH),
    ("path-reserved-character", PATH),
    ("path-reserved-name", PATH),
    ("path-too-deep", PATH),
    ("path-too-long", PATH),
    ("path-trailing-dot", PATH),
    ("path-unsorted", PACKAGE),
    ("payload-too-large", LIMIT),
    ("signature-format", SIGNATURE),
    (
        "signature-invalid",
        "do not install it: manifest or signature were changed after signing",
    ),
    ("signature-legacy", SIGNATURE),
    (
        "signature-other-key",
        "name the file after the key id inside it, or attach it with `cofferdam attach`",
    ),
    (
        "signatures-missing",
        "have the package signed by a key that this install trusts, or trust the key that signed it",
    ),
    (
        "source-amount",
        "write a whole number with a unit: `500ms`, `10s`, `2m`, `64KiB`, `64MiB`, `1GiB`",
    ),
    ("source-place", "write a path relative to package.toml"),
    ("source-syntax", "correct package.toml at the place shown"),
    ("source-word", "use one of the words listed"),
    ("step-duplicate", "give each step its own name"),
    ("step-limit", "ask for a limit within the range shown"),
    (
        "step-phase-writes",
        "let a step that only looks ask for reading alone, or move it to another phase",
    ),
    (
        "symlink-leads-out",
        "let the link lead to a place in the payload, with `..` only at its start",
    ),
    ("zip-attributes", ARCHIVE),
    ("zip-central-header", PACKAGE),
    ("zip-checksum", PACKAGE),
    ("zip-comment", ARCHIVE),
    ("zip-data-descriptor", ARCHIVE),
    ("zip-directory-misplaced", PACKAGE),
    ("zip-directory-size", PACKAGE),
    ("zip-disagreement", PACKAGE),
    ("zip-duplicate-entry", ARCHIVE),
    ("zip-encrypted", ARCHIVE),
    (
        "zip-end-missing",
        "get the package again: it is no package, or only a part of one",
    ),
    ("zip-entry-comment", ARCHIVE),
    ("zip-entry-name", ARCHIVE),
    ("zip-entry-order", ARCHIVE),
    ("zip-entry-too-large", LIMIT),
    ("zip-extra-field", ARCHIVE),
    ("zip-flags", ARCHIVE),
    ("zip-gap", ARCHIVE),
    ("zip-local-header", PACKAGE),
    ("zip-local-mismatch", PACKAGE),
    ("zip-made-by", ARCHIVE),
    ("zip-manifest-not-first", ARCHIVE),
    ("zip-method", ARCHIVE),
    ("zip-multi-disk", ARCHIVE),
    ("zip-must-be-stored", ARCHIVE),
    ("zip-overlap", PACKAGE),
    ("zip-padded", ARCHIVE),
    ("zip-prefix", ARCHIVE),
    (
        "zip-ratio",
        "pack it with `cofferdam pack`, which stores what compresses too well",
    ),
    ("zip-stored-size", PACKAGE),
    ("zip-time", ARCHIVE),
    ("zip-too-many-entries", LIMIT),
    (
        "zip-too-many-signatures",
        "leave only the signatures that someone needs",
    ),
    ("zip-total-too-large", LIMIT),
    ("zip-trailing-bytes", ARCHIVE),
    ("zip-version", ARCHIVE),
    ("zip-zip64", ARCHIVE),
    ("zstd-frame", ARCHIVE),
    (
        "zstd-window",
        "compress with a window of at most 8 MiB, as `cofferdam pack` does",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::CODES;

    /// The files that answer codes.
    const FILES: &[&str] = &[
        include_str!("archive/error.rs"),
        include_str!("digest.rs"),
        include_str!("error.rs"),
        include_str!("glob.rs"),
        include_str!("keyring.rs"),
        include_str!("manifest/error.rs"),
        include_str!("path.rs"),
        include_str!("signature.rs"),
        include_str!("source.rs"),
        include_str!("write.rs"),
    ];

    /// Every literal of several lower-case words with hyphens: in these files that is a code.
    fn answered() -> BTreeSet<&'static str> {
        let is_code = |word: &&str| {
            word.contains('-')
                && word.split('-').all(|part| {
                    !part.is_empty()
                        && part
                            .bytes()
                            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                })
        };
        FILES
            .iter()
            .flat_map(|text| text.split('"'))
            .filter(is_code)
            .collect()
    }

    #[test]
    fn every_code_that_is_answered_is_listed_once_and_sorted() {
        let listed: Vec<&str> = CODES.iter().map(|(code, _)| *code).collect();
        assert!(listed.is_sorted_by(|a, b| a < b));
        assert_eq!(listed, answered().into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn every_code_has_a_help_line() {
        for (code, help) in CODES {
            assert!(
                !help.is_empty() && !help.ends_with('.') && !help.contains('\n'),
                "{code}"
            );
        }
    }
}
