// SPDX-License-Identifier: Apache-2.0
//! Times and sizes as the operator writes them: a whole number and a unit, nothing else.

use std::time::Duration;

/// A time such as `500ms`, `30s`, `2m` or `1h`.
pub(super) fn parse_time(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text)?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1_000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => {
            return Err(format!(
                "unit `{unit}` in `{text}`, expected `ms`, `s`, `m` or `h`"
            ));
        }
    };
    milliseconds
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is too long a time"))
}

/// A size such as `512B`, `64KiB`, `16MiB` or `2GiB`.
pub(super) fn parse_bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text)?;
    let factor = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => {
            return Err(format!(
                "unit `{unit}` in `{text}`, expected `B`, `KiB`, `MiB` or `GiB`"
            ));
        }
    };
    number
        .checked_mul(factor)
        .ok_or_else(|| format!("`{text}` is too large a size"))
}

fn split(text: &str) -> Result<(u64, &str), String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number = number
        .parse()
        .map_err(|_| format!("`{text}`, expected a whole number and a unit"))?;
    Ok((number, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_need_a_number_and_a_known_unit() {
        assert_eq!(parse_time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_time("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(parse_bytes("64MiB"), Ok(64 << 20));
        for text in [
            "",
            "s",
            "10",
            "10 s",
            "-1s",
            "1.5s",
            "10S",
            "99999999999999999999s",
            "18446744073709551615h",
        ] {
            parse_time(text).unwrap_err();
        }
        for text in ["", "10", "10MB", "10mib", "18446744073709551615GiB"] {
            parse_bytes(text).unwrap_err();
        }
    }
}
