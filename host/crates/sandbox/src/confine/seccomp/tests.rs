// SPDX-License-Identifier: Apache-2.0
//! What the kernel would answer: the filters are evaluated here, as it would.

use super::Calls;
use super::program;
use seccompiler::sock_filter;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;

/// Evaluates one filter on what the kernel hands it: the number of the call, the architecture, and
/// the arguments (`struct seccomp_data`).
fn verdict(filter: &[sock_filter], call: i64, arguments: [u64; 6]) -> u32 {
    let word = |offset: u32| -> u32 {
        match offset {
            0 => call as u32,
            4 if cfg!(target_arch = "x86_64") => 0xc000_003e,
            4 => 0xc000_00b7,
            other => {
                let argument = arguments[(other as usize - 16) / 8];
                let shift = if other % 8 == 0 { 0 } else { 32 };
                (argument >> shift) as u32
            }
        }
    };
    let (mut at, mut accumulator) = (0, 0);
    loop {
        let sock_filter { code, jt, jf, k } = filter[at].clone();
        at += 1;
        let jump = |taken: bool| usize::from(if taken { jt } else { jf });
        match code {
            0x20 => accumulator = word(k),
            0x54 => accumulator &= k,
            0x05 => at += k as usize,
            0x15 => at += jump(accumulator == k),
            0x25 => at += jump(accumulator > k),
            0x35 => at += jump(accumulator >= k),
            0x06 => return k,
            other => panic!("an instruction that these filters do not have: {other:#x}"),
        }
    }
}

/// The strictest answer of all filters, as in the kernel.
fn answer(calls: Calls, call: i64, arguments: &[u64]) -> u32 {
    let mut six = [0; 6];
    six[..arguments.len()].copy_from_slice(arguments);
    let answers = program(calls).unwrap();
    let answers = answers.iter().map(|filter| verdict(filter, call, six));
    answers.min_by_key(|answer| answer.cast_signed()).unwrap()
}

const BOTH: [Calls; 2] = [Calls::Compiler, Calls::Runner];

#[test]
fn a_child_signals_itself_and_nobody_else() {
    let own = u64::from(std::process::id());
    for calls in BOTH {
        assert_eq!(answer(calls, libc::SYS_tgkill, &[own, own, 6]), ALLOW);
        assert_eq!(answer(calls, libc::SYS_tgkill, &[own + 1, own, 6]), KILL);
        assert_eq!(answer(calls, libc::SYS_tgkill, &[1, 1, 9]), KILL);
        for call in [libc::SYS_kill, libc::SYS_tkill, libc::SYS_pidfd_send_signal] {
            assert_eq!(answer(calls, call, &[own, 9]), KILL);
        }
    }
}

#[test]
fn a_descriptor_names_nobody_who_is_to_be_signalled() {
    for calls in BOTH {
        let fcntl = |command: i32| answer(calls, libc::SYS_fcntl, &[3, command as u64]);
        assert_eq!(fcntl(libc::F_GETFD), ALLOW);
        assert_eq!(fcntl(libc::F_DUPFD_CLOEXEC), ALLOW);
        for command in [libc::F_SETOWN, libc::F_SETLEASE, libc::F_NOTIFY, 10, 15] {
            assert_eq!(fcntl(command), KILL, "{command}");
        }
    }
}

#[test]
fn no_process_is_made_and_no_file_by_a_compiler() {
    let thread = super::THREAD;
    assert_eq!(answer(Calls::Compiler, libc::SYS_clone, &[thread]), ALLOW);
    assert_eq!(answer(Calls::Compiler, libc::SYS_clone, &[17]), KILL);
    assert_eq!(answer(Calls::Runner, libc::SYS_clone, &[thread]), KILL);
    let missing = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;
    assert_eq!(answer(Calls::Compiler, libc::SYS_openat, &[]), missing);
    assert_eq!(answer(Calls::Compiler, libc::SYS_clone3, &[]), missing);
    for calls in BOTH {
        for call in [
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_socket,
            libc::SYS_ptrace,
            libc::SYS_linkat,
            libc::SYS_mknodat,
            libc::SYS_memfd_create,
            libc::SYS_io_uring_setup,
        ] {
            assert_eq!(answer(calls, call, &[]), KILL, "{call}");
        }
    }
}

#[test]
fn every_call_that_is_not_listed_ends_the_child() {
    let bounded = [libc::SYS_tgkill, libc::SYS_fcntl];
    for call in (0..1024).filter(|call| !bounded.contains(call)) {
        let listed = super::EVERYBODY.contains(&call) || super::FILES.contains(&call);
        let expected = if listed { ALLOW } else { KILL };
        assert_eq!(answer(Calls::Runner, call, &[]), expected, "{call}");
    }
}
