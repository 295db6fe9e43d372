// SPDX-License-Identifier: Apache-2.0
//! How much a stopped thread is about to move, and how to have it move half of that.

use std::io;

use crate::calls::Amount;
use crate::sys;
use crate::sys::Pid;
use crate::sys::Registers;
use crate::tracer::Call;

/// The pieces of a vectored write: address and length of each.
pub(crate) fn pieces(tid: Pid, address: u64, count: u64) -> io::Result<Vec<(u64, u64)>> {
    const MOST: u64 = 1024;
    let bytes = sys::read_memory(tid, address, 16 * count.min(MOST) as usize)?;
    let (pieces, _) = bytes.as_chunks::<16>();
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    };
    Ok(pieces
        .iter()
        .map(|piece| (number(&piece[..8]), number(&piece[8..])))
        .collect())
}

/// How many bytes a call is asked to move.
pub(crate) fn bytes(tid: Pid, amount: Amount, arguments: &[u64; 6]) -> io::Result<u64> {
    Ok(match amount {
        Amount::Bytes(place) => arguments[place],
        Amount::Pieces(address, count) => pieces(tid, arguments[address], arguments[count])?
            .iter()
            .map(|(_, length)| *length)
            .sum(),
    })
}

/// Halves what a call moves, whose thread stands before it.
pub(crate) fn halve(call: &Call) -> io::Result<()> {
    let arguments = call.registers.arguments();
    match call.amount {
        Some(Amount::Bytes(place)) => {
            let halved = call.registers.with_argument(place, arguments[place] / 2);
            sys::set_registers(call.tid, &halved)
        }
        Some(Amount::Pieces(_, count)) if arguments[count] > 1 => {
            let halved = call.registers.with_argument(count, arguments[count] / 2);
            sys::set_registers(call.tid, &halved)
        }
        Some(Amount::Pieces(address, _)) => {
            let half = call.bytes.unwrap_or(0) / 2;
            sys::write_memory(call.tid, arguments[address] + 8, &half.to_ne_bytes())
        }
        None => Ok(()),
    }
}

/// Gives a thread back the arguments that it believes in: the rule is that a call leaves them alone.
pub(crate) fn restore(call: &Call, registers: Registers) -> io::Result<()> {
    let arguments = call.registers.arguments();
    if let Some(Amount::Pieces(address, count)) = call.amount
        && arguments[count] == 1
    {
        let whole = call.bytes.unwrap_or(0);
        sys::write_memory(call.tid, arguments[address] + 8, &whole.to_ne_bytes())?;
    }
    let mut restored = registers;
    for (place, value) in arguments.into_iter().enumerate() {
        restored = restored.with_argument(place, value);
    }
    sys::set_registers(call.tid, &restored)
}
