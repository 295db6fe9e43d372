// SPDX-License-Identifier: Apache-2.0
//! Paths of a tree as text: readable where they can be, reversible always.
//!
//! A path below a root is written with `/` between its names. A name that is UTF-8 without a
//! backslash is written as it is. A backslash is written `\\`, and each byte that is not part of
//! valid UTF-8 is written `\xHH` with lower-case digits. So `a\xff` stands for the bytes `61 ff`,
//! two different names never have the same text, and text that no name has is refused when it is
//! read back. Globs are matched against this text. The root itself is the empty text.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// Writes a name, or a relative path, as text.
pub fn escape(name: &OsStr) -> String {
    let bytes = name.as_bytes();
    if let Some(text) = name.to_str()
        && !text.contains('\\')
    {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == '\\' {
                escaped.push('\\');
            }
            escaped.push(character);
        }
        for byte in chunk.invalid() {
            escaped.push_str("\\x");
            for digit in [byte >> 4, byte & 0xf] {
                escaped.extend(char::from_digit(u32::from(digit), 16));
            }
        }
    }
    escaped
}

/// Reads text back into the name or path that it stands for.
///
/// Answers nothing when the text is not what [`escape`] writes.
pub fn unescape(text: &str) -> Option<Cow<'_, OsStr>> {
    if !text.contains('\\') {
        return Some(Cow::Borrowed(OsStr::from_bytes(text.as_bytes())));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('\\') {
            bytes.push(b'\\');
            rest = after;
        } else {
            let digits = rest.strip_prefix('x')?.get(..2)?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[3..];
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    let name = OsStr::from_bytes(&bytes);
    // One spelling for each name: `\x41` for `A`, `\x2f` for a separator and upper-case digits fail.
    (escape(name) == text).then(|| Cow::Owned(name.to_owned()))
}

/// Whether `text` is a relative path of plain names that [`unescape`] accepts.
pub(crate) fn is_path(text: &str) -> bool {
    !text.is_empty()
        && !text.contains('\0')
        && text
            .split('/')
            .all(|name| !name.is_empty() && name != "." && name != "..")
        && unescape(text).is_some()
}

/// The directory of a path and its last name; the directory of a top-level path is the empty text.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// `name` below `directory`, both as text.
pub(crate) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.to_owned()
    } else {
        format!("{directory}/{name}")
    }
}

/// Every directory above `path`, nearest first, without the root.
pub(crate) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(split(path).0), |directory| Some(split(directory).0))
        .take_while(|directory| !directory.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_written_as_they_are() {
        assert_eq!(escape(OsStr::new("conf/über.toml")), "conf/über.toml");
    }

    #[test]
    fn every_name_survives_the_way_to_text_and_back() {
        let names: [&[u8]; 6] = [
            b"plain",
            b"back\\slash",
            b"\xff\xfe",
            b"a\\xff",
            "ü\u{7f}\n".as_bytes(),
            b"\xc3(",
        ];
        for name in names {
            let name = OsStr::from_bytes(name);
            assert_eq!(unescape(&escape(name)).as_deref(), Some(name));
        }
    }

    #[test]
    fn two_names_never_share_a_text() {
        assert_ne!(
            escape(OsStr::from_bytes(b"\xff")),
            escape(OsStr::new("\\xff"))
        );
    }

    #[test]
    fn text_that_no_name_has_is_refused() {
        for text in [
            "a\\",
            "a\\x",
            "a\\x4",
            "\\x41",
            "\\xFF",
            "a\\x2fb",
            "\\q",
            "\\x\u{fc}9",
        ] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }

    #[test]
    fn paths_that_climb_or_are_absolute_are_not_paths() {
        for text in ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\0b"] {
            assert!(!is_path(text), "{text}");
        }
        assert!(is_path("a/b\\xff/..c"));
    }
}
