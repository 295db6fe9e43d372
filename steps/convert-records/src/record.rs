// SPDX-License-Identifier: Apache-2.0
//! One record from one schema to a later one, in memory.
//!
//! Members that the schemas do not name are kept as they are.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

/// The newest schema that this step can make.
pub(crate) const NEWEST: u64 = 3;

/// Converts `record` to schema `to`, one schema at a time; says whether anything changed.
///
/// # Errors
///
/// What is wrong with the record, in words.
pub(crate) fn convert(record: &mut Map<String, Value>, to: u64) -> Result<bool, String> {
    let mut schema = schema_of(record)?;
    if schema > to {
        return Err(format!("has schema {schema}, later than {to}"));
    }
    let changed = schema < to;
    while schema < to {
        match schema {
            1 => numbers(record)?,
            2 => history(record)?,
            other => return Err(format!("has schema {other}, which nobody converts")),
        }
        schema += 1;
        record.insert("schema".to_owned(), json!(schema));
    }
    Ok(changed)
}

fn schema_of(record: &Map<String, Value>) -> Result<u64, String> {
    record
        .get("schema")
        .and_then(Value::as_u64)
        .ok_or_else(|| "says no schema".to_owned())
}

/// 1 → 2: `"21.5 C"` becomes a number and a unit, and the time a number. Other text becomes a note.
fn numbers(record: &mut Map<String, Value>) -> Result<(), String> {
    let text = text_of(record, "value")?;
    let time = text_of(record, "time")?;
    let time: u64 = time
        .parse()
        .map_err(|_| format!("has the time `{time}`, no number"))?;
    let (number, unit) = text.split_once(' ').unwrap_or((text.as_str(), ""));
    match number.parse::<f64>() {
        Ok(number) if number.is_finite() => {
            record.insert("value".to_owned(), json!(number));
            let after_value = 1 + record.keys().position(|key| key == "value").unwrap_or(0);
            record.shift_insert(after_value, "unit".to_owned(), json!(unit));
        }
        _ => {
            record.shift_remove("value");
            record.insert("note".to_owned(), json!(text));
        }
    }
    record.insert("time".to_owned(), json!(time));
    Ok(())
}

/// 2 → 3: the one value becomes the first of a history.
fn history(record: &mut Map<String, Value>) -> Result<(), String> {
    let mut sample = Map::new();
    for member in ["time", "value", "note"] {
        if let Some(value) = record.shift_remove(member) {
            sample.insert(member.to_owned(), value);
        }
    }
    if !sample.contains_key("time") {
        return Err("has no time".to_owned());
    }
    record.insert("samples".to_owned(), json!([sample]));
    Ok(())
}

fn text_of(record: &Map<String, Value>, member: &str) -> Result<String, String> {
    let text = record.get(member).and_then(Value::as_str);
    text.map(str::to_owned)
        .ok_or_else(|| format!("has no text `{member}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(record: Value, to: u64) -> Result<Value, String> {
        let Value::Object(mut map) = record else {
            panic!("a record is an object")
        };
        convert(&mut map, to).map(|_| Value::Object(map))
    }

    fn first() -> Value {
        json!({"schema": 1, "name": "door", "value": "21.5 C", "time": "17"})
    }

    #[test]
    fn text_becomes_a_number_and_a_unit() {
        let expected = json!({"schema": 2, "name": "door", "value": 21.5, "time": 17, "unit": "C"});
        assert_eq!(converted(first(), 2), Ok(expected));
    }

    #[test]
    fn text_that_is_no_number_becomes_a_note() {
        let record = json!({"schema": 1, "name": "door", "value": "ajar", "time": "17"});
        let expected = json!({"schema": 2, "name": "door", "note": "ajar", "time": 17});
        assert_eq!(converted(record, 2), Ok(expected));
    }

    #[test]
    fn both_conversions_in_one_go_equal_one_after_the_other() {
        let in_one = converted(first(), 3).unwrap();
        assert_eq!(
            Ok(in_one.clone()),
            converted(converted(first(), 2).unwrap(), 3)
        );
        assert_eq!(in_one["samples"], json!([{"time": 17, "value": 21.5}]));
    }

    #[test]
    fn a_second_run_changes_nothing() {
        let Value::Object(mut map) = converted(first(), 3).unwrap() else {
            unreachable!()
        };
        assert_eq!(convert(&mut map, 3), Ok(false));
    }

    #[test]
    fn members_of_others_are_kept() {
        let mut record = first();
        record["site"] = json!("north");
        assert_eq!(converted(record, 3).unwrap()["site"], "north");
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(
            converted(json!({"schema": 4}), 3),
            Err("has schema 4, later than 3".to_owned())
        );
        assert_eq!(converted(json!({}), 3), Err("says no schema".to_owned()));
        assert_eq!(
            converted(json!({"schema": 1}), 2),
            Err("has no text `value`".to_owned())
        );
    }
}
