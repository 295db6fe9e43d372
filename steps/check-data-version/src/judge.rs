// SPDX-License-Identifier: Apache-2.0
//! Whether records in the formats found can be read by a release.

/// What was found in `data/`.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The text of `data/schema-version`, if it is there.
    pub(crate) mark: Option<String>,
    /// Each record's file name and the schema that it claims.
    pub(crate) records: Vec<(String, Option<u64>)>,
}

/// The schema that a record claims, if it is a record.
pub(crate) fn schema_of(bytes: &[u8]) -> Option<u64> {
    let record: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    record.get("schema")?.as_u64()
}

/// Says why the data cannot be taken over; `None` when it can.
///
/// `oldest` and `newest` are the formats that the release can take over. No data at all is fine.
pub(crate) fn objection(found: &Found, oldest: u64, newest: u64) -> Option<String> {
    let range = format!("this release takes over {oldest} to {newest}");
    if let Some(mark) = &found.mark {
        match mark.trim().parse::<u64>() {
            Ok(format) if (oldest..=newest).contains(&format) => {}
            Ok(format) => {
                return Some(format!("data/schema-version says {format}; {range}"));
            }
            Err(_) => {
                let mark = mark.trim().chars().take(40).collect::<String>();
                return Some(format!(
                    "data/schema-version says `{mark}`, which is no number; {range}"
                ));
            }
        }
    }
    for (name, schema) in &found.records {
        match schema {
            Some(schema) if (oldest..=newest).contains(schema) => {}
            Some(schema) => {
                return Some(format!("data/records/{name} has schema {schema}; {range}"));
            }
            None => return Some(format!("data/records/{name} says no schema; {range}")),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(mark: Option<&str>, schemas: &[Option<u64>]) -> Found {
        let records = schemas
            .iter()
            .map(|schema| ("door.json".to_owned(), *schema))
            .collect();
        Found {
            mark: mark.map(str::to_owned),
            records,
        }
    }

    #[test]
    fn readable_data_passes() {
        assert_eq!(
            objection(&found(Some("1\n"), &[Some(1), Some(2)]), 1, 2),
            None
        );
    }

    #[test]
    fn no_data_passes() {
        assert_eq!(objection(&Found::default(), 1, 2), None);
    }

    #[test]
    fn data_that_is_too_old_is_vetoed() {
        let reason = objection(&found(Some("0"), &[]), 1, 2).unwrap();
        assert_eq!(
            reason,
            "data/schema-version says 0; this release takes over 1 to 2"
        );
    }

    #[test]
    fn data_of_a_later_release_is_vetoed() {
        assert!(
            objection(&found(Some("2"), &[Some(3)]), 1, 2)
                .unwrap()
                .contains("schema 3")
        );
    }

    #[test]
    fn what_is_not_a_record_has_no_schema() {
        assert_eq!(schema_of(br#"{"schema":2}"#), Some(2));
        assert_eq!(schema_of(br#"{"schema":"2"}"#), None);
        assert_eq!(schema_of(b"{"), None);
    }

    #[test]
    fn a_record_without_a_schema_is_vetoed() {
        assert!(
            objection(&found(None, &[None]), 1, 2)
                .unwrap()
                .contains("says no schema")
        );
    }

    #[test]
    fn a_mark_that_is_no_number_is_vetoed() {
        assert!(
            objection(&found(Some("two"), &[]), 1, 2)
                .unwrap()
                .contains("`two`")
        );
    }
}
