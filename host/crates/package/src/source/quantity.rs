// SPDX-License-Identifier: Apache-2.0
//! Amounts with units: `"10s"`, `"64MiB"`.

/// Reads an amount; the error says what is expected.
pub(super) type Read = fn(&str) -> Result<u64, &'static str>;

/// A time in milliseconds.
pub(super) fn milliseconds(text: &str) -> Result<u64, &'static str> {
    read(text, &[("ms", 1), ("s", 1_000), ("m", 60_000)])
        .ok_or("expected a whole number with `ms`, `s` or `m`, such as `10s`")
}

/// A size in bytes.
pub(super) fn bytes(text: &str) -> Result<u64, &'static str> {
    read(
        text,
        &[
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
            ("B", 1),
        ],
    )
    .ok_or("expected a whole number with `B`, `KiB`, `MiB` or `GiB`, such as `64MiB`")
}

fn read(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(end)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}
