// SPDX-License-Identifier: Apache-2.0
//! The kernel's filter: asks the tracer about the calls of the table, and lets everything else through
//! at full speed.

use crate::calls::ALWAYS;
use crate::calls::CHANGES;
use crate::calls::CLONES;
use crate::calls::SETS_FLAGS;
use crate::sys::Filter;

/// Which openings the filter asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Openings {
    /// Those that may create or empty a file.
    Changing,
    /// All: an opening can fail too.
    All,
}

/// The filter's program.
pub(crate) fn filter(openings: Openings) -> Filter {
    let mut rules = Rules(Vec::new());
    rules.load(OFFSET_OF_ARCHITECTURE);
    rules.unless_equal(AUDIT_ARCH_X86_64, libc::SECCOMP_RET_KILL_PROCESS);
    rules.load(OFFSET_OF_NUMBER);
    rules.if_equal(libc::SYS_io_uring_setup, REFUSE);
    for (number, argument) in [(libc::SYS_open, 1), (libc::SYS_openat, 2)] {
        match openings {
            Openings::All => rules.if_equal(number, ASK),
            Openings::Changing => rules.if_flags(number, argument, CHANGES),
        }
    }
    for request in CLONES.into_iter().chain(SETS_FLAGS) {
        rules.if_argument(libc::SYS_ioctl, 1, request);
    }
    rules.if_shared_writable_mapping();
    for number in ALWAYS {
        rules.if_equal(*number, ASK);
    }
    rules.answer(libc::SECCOMP_RET_ALLOW);
    rules.0
}

const OFFSET_OF_NUMBER: u32 = 0;
const OFFSET_OF_ARCHITECTURE: u32 = 4;
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const ASK: u32 = libc::SECCOMP_RET_TRACE;
const REFUSE: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

/// A filter in the making. Each rule leaves the number of the call loaded.
struct Rules(Filter);

impl Rules {
    fn put(&mut self, code: u32, k: u32, then: u8, otherwise: u8) {
        self.0.push(libc::sock_filter {
            code: code as u16,
            jt: then,
            jf: otherwise,
            k,
        });
    }

    fn load(&mut self, offset: u32) {
        self.put(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0);
    }

    /// The lower half of an argument: flags and requests have no more.
    fn load_argument(&mut self, argument: u32) {
        self.load(16 + 8 * argument);
    }

    fn answer(&mut self, answer: u32) {
        self.put(libc::BPF_RET | libc::BPF_K, answer, 0, 0);
    }

    fn jump(&mut self, how: u32, value: u32, then: u8, otherwise: u8) {
        self.put(libc::BPF_JMP | how | libc::BPF_K, value, then, otherwise);
    }

    fn unless_equal(&mut self, value: u32, answer: u32) {
        self.jump(libc::BPF_JEQ, value, 1, 0);
        self.answer(answer);
    }

    fn if_equal(&mut self, number: i64, answer: u32) {
        self.jump(libc::BPF_JEQ, number as u32, 0, 1);
        self.answer(answer);
    }

    fn if_flags(&mut self, number: i64, argument: u32, flags: i32) {
        self.jump(libc::BPF_JEQ, number as u32, 0, 4);
        self.load_argument(argument);
        self.jump(libc::BPF_JSET, flags as u32, 0, 1);
        self.answer(ASK);
        self.answer(libc::SECCOMP_RET_ALLOW);
    }

    fn if_argument(&mut self, number: i64, argument: u32, value: u64) {
        self.jump(libc::BPF_JEQ, number as u32, 0, 4);
        self.load_argument(argument);
        self.jump(libc::BPF_JEQ, value as u32, 0, 1);
        self.answer(ASK);
        self.load(OFFSET_OF_NUMBER);
    }

    /// Shared, writable, and of a file.
    fn if_shared_writable_mapping(&mut self) {
        self.jump(libc::BPF_JEQ, libc::SYS_mmap as u32, 0, 7);
        self.load_argument(2);
        self.jump(libc::BPF_JSET, libc::PROT_WRITE as u32, 0, 4);
        self.load_argument(3);
        self.jump(libc::BPF_JSET, libc::MAP_ANONYMOUS as u32, 2, 0);
        self.jump(libc::BPF_JSET, libc::MAP_SHARED as u32, 0, 1);
        self.answer(ASK);
        self.load(OFFSET_OF_NUMBER);
    }
}
