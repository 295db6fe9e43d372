// SPDX-License-Identifier: Apache-2.0
//! Times as people read them.

use std::time::Duration;
use std::time::UNIX_EPOCH;

/// The last second of the year 9999: RFC 3339 has no form for later ones.
const LAST: u64 = 253_402_300_799;

/// Seconds since 1970 in the form of RFC 3339.
pub fn rfc3339(unix_s: u64) -> String {
    if unix_s > LAST {
        return format!("{unix_s} seconds after 1970");
    }
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(unix_s)).to_string()
}
