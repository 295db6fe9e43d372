// SPDX-License-Identifier: Apache-2.0
//! Seccomp: the system calls that a child may make. Any other ends it at once, with `SIGSYS`.
//!
//! No call in these lists opens a connection, starts a program, signals or looks at another process,
//! changes an owner of the machine's state, or names a file other than through a directory handle
//! (where landlock and the path layer decide). Two calls can do more than a child needs, and are held to
//! what it does need: `tgkill` to this process, for `abort`, and `fcntl` to flags and copies, since it
//! can also have the kernel signal whoever it names.

use super::Wall;
use super::WallKind;
use seccompiler::BpfProgram;
use seccompiler::SeccompAction;
use seccompiler::SeccompCmpArgLen;
use seccompiler::SeccompCmpOp;
use seccompiler::SeccompCondition;
use seccompiler::SeccompFilter;
use seccompiler::SeccompRule;
use std::collections::BTreeMap;

/// Which child the filter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Calls {
    /// Memory and threads.
    Compiler,
    /// Memory, and files relative to a handle.
    Runner,
}

/// Memory, time, the line to the host, and an orderly end.
const EVERYBODY: &[i64] = &[
    libc::SYS_brk,
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_fstat,
    libc::SYS_futex,
    libc::SYS_getpid,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_gettimeofday,
    libc::SYS_lseek,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_nanosleep,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_sendto,
    libc::SYS_set_robust_list,
    libc::SYS_sigaltstack,
    libc::SYS_statx,
    libc::SYS_write,
    libc::SYS_writev,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
];

/// Files relative to a handle. No link, device, fifo or socket can be made, and nothing executed.
const FILES: &[i64] = &[
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_fdatasync,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getdents64,
    libc::SYS_mkdirat,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_readlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_symlinkat,
    libc::SYS_unlinkat,
    libc::SYS_utimensat,
];

/// Installs the filter for all threads of this process, for good.
pub(super) fn raise(calls: Calls) -> Wall {
    const KIND: WallKind = WallKind::Seccomp;
    let raised = program(calls).and_then(|programs| {
        for program in &programs {
            seccompiler::apply_filter_all_threads(program)?;
        }
        Ok(())
    });
    match raised {
        Ok(()) => Wall::up(KIND, "an allow list"),
        Err(error) => Wall::down(KIND, error),
    }
}

fn program(calls: Calls) -> Result<Vec<BpfProgram>, seccompiler::Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    rules.extend(EVERYBODY.iter().map(|call| (*call, Vec::new())));
    let this_process = rustix::process::getpid().as_raw_pid();
    rules.insert(libc::SYS_tgkill, one_of(0, &[this_process])?);
    rules.insert(libc::SYS_fcntl, one_of(1, &DESCRIPTORS)?);
    let mut programs = Vec::new();
    match calls {
        Calls::Runner => rules.extend(FILES.iter().map(|call| (*call, Vec::new()))),
        Calls::Compiler => {
            // These are said to be missing. The flags of `clone3` lie behind a pointer, where no filter
            // can see them, and the C library takes `clone` instead, which may only start threads; and
            // whoever looks for the number of processors in a file takes the scheduler's word instead.
            let missing = [libc::SYS_clone3, libc::SYS_openat];
            programs.push(filter(
                missing.iter().map(|call| (*call, Vec::new())).collect(),
                SeccompAction::Allow,
                SeccompAction::Errno(libc::ENOSYS as u32),
            )?);
            rules.extend(missing.iter().map(|call| (*call, Vec::new())));
            let thread = argument(0, SeccompCmpOp::MaskedEq(THREAD), THREAD)?;
            rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![thread])?]);
            rules.insert(libc::SYS_prctl, one_of(0, &[libc::PR_SET_NAME])?);
        }
    }
    programs.push(filter(
        rules,
        SeccompAction::KillProcess,
        SeccompAction::Allow,
    )?);
    Ok(programs)
}

/// What `clone` is given for a thread, and for nothing that is a process of its own.
const THREAD: u64 = (libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_SIGHAND) as u64;

/// What `fcntl` is for here: flags of a descriptor, and copies of it.
const DESCRIPTORS: [i32; 5] = [
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
];

/// One rule for each value that an argument may have.
fn one_of(index: u8, values: &[i32]) -> Result<Vec<SeccompRule>, seccompiler::Error> {
    let rule = |value: &i32| {
        let value = argument(index, SeccompCmpOp::Eq, *value as u64)?;
        Ok(SeccompRule::new(vec![value])?)
    };
    values.iter().map(rule).collect()
}

fn argument(
    index: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, seccompiler::Error> {
    let condition = SeccompCondition::new(index, SeccompCmpArgLen::Qword, operator, value)?;
    Ok(condition)
}

fn filter(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    otherwise: SeccompAction,
    matched: SeccompAction,
) -> Result<BpfProgram, seccompiler::Error> {
    let filter = SeccompFilter::new(
        rules,
        otherwise,
        matched,
        std::env::consts::ARCH.try_into()?,
    )?;
    Ok(filter.try_into()?)
}

#[cfg(test)]
mod tests;
