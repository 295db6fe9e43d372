// SPDX-License-Identifier: Apache-2.0
//! What must hold for any edit of any file: shared by the tests that draw edits at random and by the
//! fuzz target in `tests/fuzz`.
//!
//! The check knows what a file says only through the document's own reading of it, before and after; what
//! it adds is that reading after an edit must say what editing what was read would have said.

use std::collections::BTreeMap;

use cofferdam_config::Document;
use cofferdam_config::Format;
use cofferdam_config::Key;
use cofferdam_config::Scalar;
use cofferdam_config::Value;

/// Every format.
pub(crate) const FORMATS: &[Format] = &[
    Format::Toml,
    Format::Json,
    Format::Ini,
    Format::Env,
    Format::Yaml,
];

/// One call of a step.
#[derive(Debug, Clone)]
pub(crate) enum Edit {
    Set(Key, Value),
    Remove(Key),
    Rename(Key, Key),
}

/// A file with what operators write in this format.
pub(crate) fn sample(format: Format) -> &'static str {
    match format {
        Format::Toml => {
            "# top\nname = 'edge'  # x\n\n# about\n[net]\n# above\nport = 8_080 # p\nlist = [\n  'a', # one\n  'b',\n]\nbig = 1.10\ni = { a = 1, b = \"x\" }\nd.e = 1979-05-27\n\n[net.sub]\ntext = '''\nx\n'''\n[[t]]\nx = 1\n[log]\n"
        }
        Format::Json => {
            "// top\n{\n  \"name\": \"edge\", // x\n  \"net\": {\n    // above\n    \"port\": 8080, /* p */\n    \"list\": [\"a\",\n      \"b\"],\n    \"big\": 1.10\n  },\n  \"log\": {}, \"one\": {\"a\": 1, \"b\": null}\n}\n"
        }
        Format::Ini => {
            "; top\nname=edge\n\n# about\n[net] ; n\n# above\nport = 8080 ; p\nlist = a\n  b\nflag\nq = \"a ; b\" # c\n\n[log]\nlevel: 'info'\n[net]\nmore = 1\n"
        }
        Format::Env => {
            "# top\nexport NAME=edge # x\nPORT=8080\nQ='a # b' # c\nD=\"a\\n$x\nb\"\n\nOPEN='x\nMIX=\"a\"b\nnothing\nE=\n"
        }
        Format::Yaml => {
            "%YAML 1.2\n---\n# top\nname: edge # x\n\n# about\nnet: # n\n  # above\n  port: 8080 # p\n  list:\n  - a\n  - 'b' # one\n  text: |-\n    x\n    # y\n  flow: {a: 1, b: [1, 2]}\n  many: a\n    b\n'q k': \"d\\n\"\nanchor: &a [1]\nalias: *a\nlog:\n  level: info\n"
        }
    }
}

/// Everything that a file says, key by key; what has no value is known by its error. None where the top
/// is no table.
pub(crate) fn meaning(document: &Document) -> Option<BTreeMap<String, String>> {
    let said = |key: Key| {
        let value = document.get(&key).map_err(|error| error.code());
        (key.to_string(), format!("{value:?}"))
    };
    Some(document.list(None).ok()?.into_iter().map(said).collect())
}

/// Half of the edits take a key that is there.
pub(crate) fn aimed(edit: Edit, document: &Document, at: usize) -> Edit {
    let keys = document.list(None).unwrap_or_default();
    let Some(there) = keys.get(at % (keys.len() * 2 + 1)).cloned() else {
        return edit;
    };
    match edit {
        Edit::Set(_, value) => Edit::Set(there, value),
        Edit::Remove(_) => Edit::Remove(there),
        Edit::Rename(_, to) => Edit::Rename(there, to),
    }
}

/// Makes the edit and checks what must hold of it. Answers what the edit answered: whether there was
/// something to do, or the code of the refusal.
#[track_caller]
pub(crate) fn edit(document: &mut Document, edit: &Edit) -> Result<bool, &'static str> {
    let before = document.clone();
    let done = match edit {
        Edit::Set(key, value) => document.set(key, value).map(|()| true),
        Edit::Remove(key) => document.remove(key),
        Edit::Rename(from, to) => document.rename(from, to).map(|()| true),
    }
    .map_err(|error| error.code());
    if done != Ok(true) {
        assert_eq!(
            document.bytes(),
            before.bytes(),
            "a refused edit changes nothing"
        );
        return done;
    }
    let again = Document::parse(document.format(), document.bytes().to_vec());
    let again = again.expect("what was edited can be read");
    assert_eq!(again.bytes(), document.bytes());
    if let (Some(said), Some(now)) = (meaning(&before), meaning(&again)) {
        says(document.format(), edit, said, now);
    }
    assert_eq!(
        lost_comments(&before, document, edit),
        None,
        "comments stay"
    );
    other_bytes_stay(&before, document, edit);
    let lines = |document: &Document| {
        let ends = |end: &[u8]| {
            document
                .bytes()
                .windows(end.len())
                .filter(|w| *w == end)
                .count()
        };
        (ends(b"\n"), ends(b"\r\n"))
    };
    let ((all, crlf), now) = (lines(&before), lines(document));
    assert!(
        all == 0 || all != crlf || now.0 == now.1,
        "one kind of line end stays one kind"
    );
    done
}

/// Editing and then reading says what reading and then editing says.
#[track_caller]
fn says(
    format: Format,
    edit: &Edit,
    mut said: BTreeMap<String, String>,
    mut now: BTreeMap<String, String>,
) {
    match edit {
        Edit::Set(key, value) => {
            let value = match (format, value) {
                // These two have nothing but text.
                (Format::Ini | Format::Env, Value::Scalar(scalar)) => {
                    Value::from(scalar.to_string())
                }
                _ => value.clone(),
            };
            said.insert(key.to_string(), format!("{:?}", Ok::<_, &str>(Some(value))));
        }
        Edit::Remove(key) => drop(said.remove(&key.to_string())),
        Edit::Rename(from, to) => {
            if let Some(value) = said.remove(&from.to_string()) {
                said.insert(to.to_string(), value);
            }
        }
    }
    // YAML says `null` where the last member of a mapping went.
    if let Edit::Remove(key) | Edit::Rename(key, _) = edit {
        for above in key.and_ancestors().skip(1).map(|key| key.to_string()) {
            if now
                .get(&above)
                .is_some_and(|value| value.contains("unsupported"))
            {
                now.remove(&above);
            }
            said.remove(&above);
        }
    }
    // And a table that was empty, or nothing, is a table once something is in it.
    if let Edit::Set(key, _) | Edit::Rename(_, key) = edit {
        for above in key.and_ancestors().skip(1) {
            said.remove(&above.to_string());
        }
    }
    assert_eq!(now, said);
}

/// Bytes that do not belong to the key stay, and stay in their order, whatever they mean.
#[track_caller]
fn other_bytes_stay(before: &Document, after: &Document, edit: &Edit) {
    let (old, new) = (before.bytes(), after.bytes());
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[head..], &new[head..]);
    let ends = old.iter().rev().zip(new.iter().rev());
    let tail = ends.take_while(|(a, b)| a == b).count();
    let gone = String::from_utf8_lossy(&old[..old.len() - tail]).into_owned();
    let came = String::from_utf8_lossy(&new[..new.len() - tail]).into_owned();
    // What stands for a table with nothing in it gives way to the first thing in it, and the other way round.
    // Otherwise bytes only come (a comma, too), or only go.
    let is_kept_in = |few: &str, many: &str| {
        let mut many = many.bytes();
        matches!(few.trim(), "~" | "null" | "{}")
            || few.bytes().all(|byte| many.any(|other| other == byte))
    };
    let (Edit::Set(key, _) | Edit::Remove(key) | Edit::Rename(key, _)) = edit;
    let value = before.get(key);
    let lines = match &value {
        // A text may be folded over as many lines as it has words, and a few more.
        Ok(Some(Value::Scalar(Scalar::Text(text)))) => 3 + text.split_whitespace().count(),
        Ok(Some(Value::Scalar(_))) => 3,
        Ok(Some(Value::List(_)) | None) | Err(_) => usize::MAX,
    };
    match edit {
        Edit::Set(..) if value == Ok(None) => {
            assert!(
                is_kept_in(&gone, &came),
                "`{gone}` became `{came}` for a new key"
            );
        }
        Edit::Set(..) => assert!(gone.lines().count() <= lines, "`{gone}` went for a value"),
        Edit::Remove(_) => {
            assert!(
                is_kept_in(&came, &gone),
                "`{gone}` became `{came}` for a key that went"
            );
            assert!(gone.lines().count() <= lines, "`{gone}` went with a value");
        }
        Edit::Rename(..) => {
            let mut left: Vec<&str> = came.lines().collect();
            let lost = gone.lines().filter(|line| {
                let at = left.iter().position(|came| came == line);
                at.map(|at| left.swap_remove(at)).is_none()
            });
            // The key, the header of its table, and lines that had or have a comma.
            let lost: Vec<&str> = lost.collect();
            assert!(lost.len() <= lines.saturating_add(3), "{lost:?} went");
        }
    }
}

/// A line with nothing but a comment that is there no more. What could be a line of the old value's own
/// text is not looked at.
fn lost_comments(before: &Document, after: &Document, edit: &Edit) -> Option<String> {
    let (Edit::Set(key, _) | Edit::Remove(key) | Edit::Rename(key, _)) = edit;
    match before.get(key) {
        Ok(Some(Value::Scalar(Scalar::Text(text)))) if text.contains(['#', ';', '/', '\n']) => {
            return None;
        }
        Ok(None | Some(Value::Scalar(_))) => {}
        Ok(Some(Value::List(_))) | Err(_) => return None,
    }
    let marks: &[&str] = match before.format() {
        Format::Toml | Format::Env | Format::Yaml => &["#"],
        Format::Ini => &["#", ";"],
        Format::Json => &["//"],
    };
    let comments = |document: &Document| -> Vec<String> {
        let text = String::from_utf8_lossy(document.bytes());
        let lines = text.split('\n').map(str::trim);
        let is_comment = |line: &&str| marks.iter().any(|mark| line.starts_with(mark));
        lines.filter(is_comment).map(str::to_owned).collect()
    };
    let mut left = comments(after);
    comments(before).into_iter().find(|comment| {
        let at = left.iter().position(|line| line == comment);
        at.map(|at| left.swap_remove(at)).is_none()
    })
}
