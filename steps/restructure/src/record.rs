// SPDX-License-Identifier: Apache-2.0
//! One record from schema 1 to schema 2, in memory.

use serde_json::Value;
use serde_json::json;

/// The record in schema 2; none when it is in that schema already.
///
/// # Errors
///
/// What is wrong with the record, in words.
pub(crate) fn converted(record: &Value) -> Result<Option<Value>, String> {
    match record["schema"].as_u64() {
        Some(1) => {}
        Some(2) => return Ok(None),
        Some(other) => return Err(format!("has schema {other}, which nobody converts")),
        None => return Err("says no schema".to_owned()),
    }
    let text = |member: &str| {
        let text = record[member].as_str();
        text.ok_or_else(|| format!("has no text `{member}`"))
    };
    let value = text("value")?;
    let (value, unit) = value.split_once(' ').unwrap_or((value, ""));
    let time = text("time")?;
    let time: u64 = time
        .parse()
        .map_err(|_| format!("has the time `{time}`, no number"))?;
    Ok(Some(json!({
        "schema": 2,
        "name": text("name")?,
        "value": value,
        "unit": unit,
        "time": time,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_split_into_number_and_unit() {
        let old = json!({"schema": 1, "name": "door", "value": "21.5 C", "time": "17"});
        let new = json!({"schema": 2, "name": "door", "value": "21.5", "unit": "C", "time": 17});
        assert_eq!(converted(&old), Ok(Some(new.clone())));
        assert_eq!(converted(&new), Ok(None));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let wrong = |record| converted(&record).unwrap_err();
        assert_eq!(wrong(json!({})), "says no schema");
        assert_eq!(
            wrong(json!({"schema": 3})),
            "has schema 3, which nobody converts"
        );
        let record = json!({"schema": 1, "name": "door", "value": "1", "time": "noon"});
        assert_eq!(wrong(record), "has the time `noon`, no number");
    }
}
