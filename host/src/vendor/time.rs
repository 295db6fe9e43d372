// SPDX-License-Identifier: Apache-2.0
//! Times as vendors write them.

use std::time::UNIX_EPOCH;

use super::Code;
use crate::failure::Failure;

/// Seconds since 1970 of `2026-11-21T12:00:00Z` or of a plain number of seconds.
///
/// # Errors
/// `time-malformed` for anything else, and for times before 1970.
pub fn parse(text: &str) -> Result<u64, Failure> {
    let trimmed = text.trim();
    if !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit()) {
        return trimmed.parse().map_err(|_| malformed(text));
    }
    humantime::parse_rfc3339_weak(trimmed)
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map(|elapsed| elapsed.as_secs())
        .ok_or_else(|| malformed(text))
}

fn malformed(text: &str) -> Failure {
    Code::TimeMalformed.because(format!("`{text}` is not a time"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::rfc3339;

    #[test]
    fn both_forms_mean_the_same_second() {
        assert_eq!(parse("1790000000").unwrap(), 1_790_000_000);
        assert_eq!(parse(&rfc3339(1_790_000_000)).unwrap(), 1_790_000_000);
        assert_eq!(parse("1970-01-01T00:00:00Z").unwrap(), 0);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "yesterday",
            "-1",
            "1969-12-31T23:59:59Z",
            "99999999999999999999",
        ] {
            assert_eq!(parse(text).unwrap_err().code, "time-malformed", "{text:?}");
        }
    }

    #[test]
    fn a_time_beyond_the_calendar_is_still_shown() {
        assert_eq!(rfc3339(u64::MAX), "18446744073709551615 seconds after 1970");
    }
}
