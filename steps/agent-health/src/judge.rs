// SPDX-License-Identifier: Apache-2.0
//! What the agent's own words say about its health.

use serde_json::Value;

/// What a healthy agent must say.
pub(crate) struct Expected<'a> {
    /// The version that the update brought.
    pub(crate) version: &'a str,
    /// The schema of its records.
    pub(crate) schema: u64,
}

/// Says what is wrong, judging the last answer of `alive` in `output` and the mark beside the data.
pub(crate) fn complaint(output: &str, mark: Option<&str>, expected: &Expected) -> Option<String> {
    let answer = output
        .lines()
        .rev()
        .find(|line| line.trim_start().starts_with('{'));
    let Some(answer) = answer else {
        return Some("the agent said nothing".to_owned());
    };
    let Ok(answer) = serde_json::from_str::<Value>(answer) else {
        return Some("the agent's answer is not JSON".to_owned());
    };
    let text = |member: &str| answer.get(member).and_then(Value::as_str);
    if text("status") != Some("ok") {
        let reason = text("reason").unwrap_or("no reason given");
        return Some(format!("the agent calls itself degraded: {reason}"));
    }
    if text("version") != Some(expected.version) {
        let found = text("version").unwrap_or("no version");
        return Some(format!("{found} answers, expected {}", expected.version));
    }
    match mark.map(|mark| mark.trim().parse::<u64>()) {
        Some(Ok(schema)) if schema == expected.schema => None,
        Some(_) | None => {
            let found = mark.map_or("nothing", str::trim);
            Some(format!(
                "data/schema-version says {found}, expected {}",
                expected.schema
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: Expected<'static> = Expected {
        version: "1.1.0",
        schema: 2,
    };

    #[test]
    fn an_agent_that_is_well_is_believed_when_its_data_agrees() {
        let output = "started, process 7\n{\"status\":\"ok\",\"version\":\"1.1.0\"}\n";
        assert_eq!(complaint(output, Some("2\n"), &EXPECTED), None);
    }

    #[test]
    fn the_last_answer_counts() {
        let output = "{\"status\":\"degraded\"}\n{\"status\":\"ok\",\"version\":\"1.1.0\"}";
        assert_eq!(complaint(output, Some("2"), &EXPECTED), None);
    }

    #[test]
    fn the_agents_reason_is_passed_on() {
        let output = "{\"status\":\"degraded\",\"reason\":\"disk\"}";
        let complaint = complaint(output, Some("2"), &EXPECTED).unwrap();
        assert_eq!(complaint, "the agent calls itself degraded: disk");
    }

    #[test]
    fn another_version_that_answers_is_not_this_release() {
        let output = "{\"status\":\"ok\",\"version\":\"1.0.0\"}";
        let complaint = complaint(output, Some("2"), &EXPECTED).unwrap();
        assert_eq!(complaint, "1.0.0 answers, expected 1.1.0");
    }

    #[test]
    fn silence_and_a_wrong_mark_are_complaints() {
        assert_eq!(
            complaint("", Some("2"), &EXPECTED).unwrap(),
            "the agent said nothing"
        );
        let output = "{\"status\":\"ok\",\"version\":\"1.1.0\"}";
        assert!(
            complaint(output, None, &EXPECTED)
                .unwrap()
                .contains("says nothing")
        );
    }
}
