// SPDX-License-Identifier: Apache-2.0
//! How names and values are written in YAML: plain only where every YAML reads a text, quoted otherwise.
//!
//! Programs still read YAML 1.1, where `no`, `012`, `1:30` and dates are not text: such texts get quotes.

use std::fmt::Write as _;

use crate::Scalar;
use crate::Value;

/// The booleans of YAML 1.1, which 1.2 reads as text.
const OLD_BOOLEANS: &[&str] = &["y", "n", "yes", "no", "on", "off"];

pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Scalar(scalar) => self::scalar(scalar),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(scalar).collect();
            format!("[{}]", items.join(", "))
        }
    }
}

pub(super) fn scalar(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Boolean(value) => value.to_string(),
        Scalar::Integer(value) => value.to_string(),
        Scalar::Decimal(value) => decimal(*value),
        Scalar::Text(text) if is_plain(text) => text.clone(),
        Scalar::Text(text) => double(text),
    }
}

/// A text in the place of `old`, with its kind of quotes where they can hold it.
pub(super) fn text_like(text: &str, old: &str) -> String {
    let quoted = old.starts_with(['"', '\'']);
    let old_boolean = |text: &str| OLD_BOOLEANS.contains(&text.to_ascii_lowercase().as_str());
    let dotted = |text: &str| {
        text.split('.').count() == 4
            && text
                .split('.')
                .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    if !quoted
        && (is_plain(text)
            || (old_boolean(text) && old_boolean(old))
            || (dotted(text) && dotted(old)))
    {
        return text.to_owned();
    }
    if old.starts_with('\'') && !text.contains(char::is_control) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    double(text)
}

pub(super) fn key(name: &str) -> String {
    if is_plain(name) {
        name.to_owned()
    } else {
        double(name)
    }
}

fn decimal(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let spelled = format!("{value:?}");
    // YAML 1.1 wants a point in a number with an exponent.
    match spelled.split_once('e') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => {
            let sign = if exponent.starts_with('-') { "" } else { "+" };
            format!("{mantissa}.0e{sign}{exponent}")
        }
        _ => spelled,
    }
}

/// Text that no version of YAML reads as anything else, in block and flow collections.
fn is_plain(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let word = matches!(lower.as_str(), "true" | "false" | "null")
        || OLD_BOOLEANS.contains(&lower.as_str());
    !word
        && text.starts_with(|first: char| first.is_alphabetic() || matches!(first, '/' | '_'))
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || " _-./@+=".contains(c) || c == ':')
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains("  ")
}

fn double(text: &str) -> String {
    let mut spelled = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => spelled.extend(['\\', character]),
            '\n' => spelled.push_str("\\n"),
            '\r' => spelled.push_str("\\r"),
            '\t' => spelled.push_str("\\t"),
            other
                if other.is_control() || matches!(other, '\u{2028}' | '\u{2029}' | '\u{feff}') =>
            {
                let _ = write!(spelled, "\\u{:04X}", u32::from(other));
            }
            other => spelled.push(other),
        }
    }
    spelled.push('"');
    spelled
}
