// SPDX-License-Identifier: Apache-2.0
//! Configuration files: any bytes are read or refused, and edits of what was read hold what the crate's
//! own tests ask of every edit (the check is theirs).
//!
//! The input is a line with the format, a line for each edit, a line with `---`, and the file:
//!
//! ```text
//! toml
//! set server.port = 8080
//! rename net.name -> server.name
//! remove log.level
//! ---
//! # the file
//! ```

use arbitrary::Unstructured;
use cofferdam_config::CODES;
use cofferdam_config::Document;
use cofferdam_config::Format;
use cofferdam_config::Key;
use cofferdam_config::Value;
use edits::Edit;
use edits::FORMATS;

use crate::check::below;
use crate::check::input;
use crate::check::known;
use crate::check::one_of;
use crate::check::rarely;

#[path = "../../../../host/crates/config/tests/common/edits.rs"]
mod edits;

/// More only makes an input slow.
const MOST_EDITS: usize = 8;

/// Takes a format, edits and a file.
pub fn target(data: &[u8]) {
    let data = input(data, draw);
    let Some((format, edits, file)) = read(&data) else {
        return;
    };
    let mut document = match Document::parse(format, file.to_vec()) {
        Ok(document) => document,
        Err(error) => return known(error.code(), CODES),
    };
    assert_eq!(document.bytes(), file, "reading changes nothing");
    for (edit, at) in edits {
        let edit = match at {
            Some(at) => edits::aimed(edit, &document, at),
            None => edit,
        };
        if let Err(code) = edits::edit(&mut document, &edit) {
            known(code, CODES);
        }
    }
}

type Input<'a> = (Format, Vec<(Edit, Option<usize>)>, &'a [u8]);

fn read(data: &[u8]) -> Option<Input<'_>> {
    const MARK: &[u8] = b"---\n";
    let mark = data.windows(MARK.len()).position(|window| window == MARK)?;
    let (head, file) = (
        str::from_utf8(&data[..mark]).ok()?,
        &data[mark + MARK.len()..],
    );
    let mut lines = head.lines();
    let format: Format = lines.next()?.parse().ok()?;
    Some((
        format,
        lines.filter_map(line).take(MOST_EDITS).collect(),
        file,
    ))
}

/// An edit. A number before it aims it at one of the keys that are there, instead of the one it names.
fn line(line: &str) -> Option<(Edit, Option<usize>)> {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let (number, line) = line.split_at(digits);
    let key = |text: &str| Key::parse(text).ok();
    let edit = match line.trim_start().split_once(' ')? {
        ("set", rest) => {
            let (name, value) = rest.split_once(" = ")?;
            Edit::Set(key(name)?, serde_json::from_str::<Value>(value).ok()?)
        }
        ("rename", rest) => {
            let (from, to) = rest.split_once(" -> ")?;
            Edit::Rename(key(from)?, key(to)?)
        }
        ("remove", rest) => Edit::Remove(key(rest)?),
        _ => return None,
    };
    Some((edit, number.parse().ok()))
}

fn draw(u: &mut Unstructured<'_>) -> Vec<u8> {
    let format = *one_of(u, &FORMATS.iter().collect::<Vec<_>>());
    let mut text = format!("{format}\n");
    for _ in 0..=below(u, 4) {
        let line = match below(u, 3) {
            0 => format!("set {} = {}", key(u), value(u)),
            1 => format!("rename {} -> {}", key(u), key(u)),
            _ => format!("remove {}", key(u)),
        };
        if rarely(u, 2) {
            text.push_str(&below(u, 40).to_string());
        }
        text.extend([line.as_str(), "\n"]);
    }
    text.push_str("---\n");
    let mut file = edits::sample(format).as_bytes().to_vec();
    if rarely(u, 4) {
        file = String::from_utf8_lossy(&file)
            .replace('\n', "\r\n")
            .into_bytes();
    }
    for _ in 0..below(u, 6) {
        let pieces = [
            "\"", "'", "[", "]", "{", "}", "#", "=", ":", ".", "-", ",", "|", ">", "&", "*", "!",
            "?", "\n", "\r", "\r\n", " ", "\t", "a", "1", "\\", "%", "<<", "\u{feff}", "\u{85}",
            "\u{a0}", "é", "'''", "\"\"\"", "//", "/*", "*/", "- ", "? ", "a: ", "a=", "[a]\n",
            "[[a]]\n", "export ", "\n  ", " #", "~", "null", "---\n",
        ];
        let piece = one_of(u, &pieces).as_bytes();
        let start = below(u, file.len() + 1);
        let stop = (start + below(u, 3) * below(u, 12)).min(file.len());
        file.splice(start..stop, piece.iter().copied());
    }
    [text.into_bytes(), file].concat()
}

fn key(u: &mut Unstructured<'_>) -> String {
    let parts = [
        "name", "net", "port", "list", "big", "log", "level", "server", "PORT", "NAME", "Q", "i",
        "a", "b", "d", "e", "text", "flow", "\"\"", "\"q k\"", "\"a.b\"", "\"#\"", "\"é\"",
        "\"a=b\"", "\"a: b\"", "\"[x]\"", "\"\\\"\"", "\" x\"", "\"<<\"", "\"~\"", "\"1\"",
        "\"null\"", "t", "one", "more", "anchor", "alias",
    ];
    let count = 1 + below(u, 3);
    let chosen: Vec<&str> = (0..count).map(|_| one_of(u, &parts)).collect();
    chosen.join(".")
}

fn value(u: &mut Unstructured<'_>) -> String {
    let scalars = [
        "true",
        "false",
        "0",
        "-1",
        "9223372036854775807",
        "1.5",
        "-0.0",
        "1e300",
        "1e-7",
        "\"\"",
        "\"x\"",
        "\"a b\"",
        "\"yes\"",
        "\"null\"",
        "\"1.0\"",
        "\"#\"",
        "\" x\"",
        "\"x \"",
        "\"x\\ny\"",
        "\"'\"",
        "\"\\\"\"",
        "\"'''\"",
        "\"${X}\"",
        "\"\\\\\"",
        "\"a: b\"",
        "\"- a\"",
        "\"\\r\\n\"",
        "\"\\u0000\"",
        "\"é\"",
        "\"\\u0085\"",
        "\"\\u2028\"",
        "\"\\ufeff\"",
        "\"[\"",
        "\"{}\"",
        "\"&a\"",
        "\"*a\"",
        "\"!a\"",
        "\"~\"",
        "\"%\"",
        "\"@\"",
        "\"`\"",
        "\"<<\"",
        "\"---\"",
        "\"...\"",
        "\"=\"",
        "\";\"",
        "\"//\"",
        "\"/*\"",
        "\"\\t\"",
        "\"1979-05-27\"",
        "\"0x1\"",
        "\"!!str x\"",
        "\"x #y\"",
        "\"x:\"",
        "\"?\"",
        "\"|\"",
        "\">\"",
    ];
    if rarely(u, 5) {
        let items: Vec<&str> = (0..below(u, 4)).map(|_| one_of(u, &scalars)).collect();
        return format!("[{}]", items.join(", "));
    }
    one_of(u, &scalars).to_owned()
}
