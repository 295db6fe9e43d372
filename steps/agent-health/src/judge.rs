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
///
/// Where no service is declared there is no output and nobody to ask: only the data is judged.
pub(crate) fn complaint(output: &str, mark: Option<&str>, expected: &Expected) -> Option<String> {
    if output.trim().is_empty() {
        return mark.and_then(|mark| wrong_mark(mark, expected));
    }
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
    match mark {
        Some(mark) => wrong_mark(mark, expected),
        None => Some("the agent runs and has not marked its data".to_owned()),
    }
}

fn wrong_mark(mark: &str, expected: &Expected) -> Option<String> {
    let (found, expected) = (mark.trim(), expected.schema.to_string());
    (found != expected).then(|| format!("data/schema-version says {found}, expected {expected}"))
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
    fn a_service_that_says_nothing_of_itself_is_not_believed() {
        let complaint = complaint("started, process 7\n", Some("2"), &EXPECTED).unwrap();
        assert_eq!(complaint, "the agent said nothing");
    }

    #[test]
    fn without_a_service_only_the_data_is_judged() {
        assert_eq!(complaint("", Some("2"), &EXPECTED), None);
        assert_eq!(complaint("", None, &EXPECTED), None);
        assert!(
            complaint("", Some("1"), &EXPECTED)
                .unwrap()
                .contains("says 1, expected 2")
        );
    }

    #[test]
    fn data_without_a_mark_is_a_complaint() {
        let output = "{\"status\":\"ok\",\"version\":\"1.1.0\"}";
        assert!(
            complaint(output, None, &EXPECTED)
                .unwrap()
                .contains("not marked")
        );
    }
}
