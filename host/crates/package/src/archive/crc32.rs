// SPDX-License-Identifier: Apache-2.0
//! The checksum of zip entries, for the stored ones that are read without the zip crate.

const TABLE: [u32; 256] = table();

#[cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::indexing_slicing,
        reason = "evaluated at compile time"
    )
)]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                0xEDB8_8320 ^ (value >> 1)
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}

/// The CRC-32 of `bytes`.
#[cfg_attr(
    not(test),
    expect(clippy::indexing_slicing, reason = "a byte indexes 256 values")
)]
pub(super) fn of(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        let low = crc.to_le_bytes()[0];
        TABLE[usize::from(low ^ byte)] ^ (crc >> 8)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_check_value_of_the_standard_is_met() {
        assert_eq!(super::of(b"123456789"), 0xCBF4_3926);
    }
}
