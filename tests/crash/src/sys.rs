// SPDX-License-Identifier: Apache-2.0
//! The system calls of a tracer, and one more: the only file of this crate with `unsafe`.
//!
//! Thin and without decisions: start a program under a filter, wait for what happens, look at one
//! stopped thread and change what it is about to do. `x86_64` only, since registers have names here.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::ptr;

pub(crate) use libc::pid_t as Pid;

/// A program of the kernel's filter machine, for seccomp.
pub(crate) type Filter = Vec<libc::sock_filter>;

/// What happened to a traced thread or process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It is gone, by itself.
    Exited {
        /// Which.
        tid: Pid,
        /// Its exit code.
        code: i32,
    },
    /// It is gone, by a signal.
    Signaled {
        /// Which.
        tid: Pid,
        /// Which signal.
        signal: i32,
    },
    /// It stands before a call that the filter wants to be asked about.
    Call(Pid),
    /// It stands after a call that was let through with [`Resume::ToTheEndOfTheCall`].
    Returned(Pid),
    /// It made a child or a thread, which stops with `SIGSTOP` before its first instruction.
    Born {
        /// The new one.
        child: Pid,
        /// The one that made it.
        tid: Pid,
    },
    /// It runs another program now.
    Execed(Pid),
    /// It is about to get a signal.
    Stopped {
        /// Which.
        tid: Pid,
        /// Which signal.
        signal: i32,
    },
}

/// How a stopped thread goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resume {
    /// Until something happens.
    On,
    /// Until the call before which it stands has returned, or something else happens.
    ToTheEndOfTheCall,
}

/// A call and its arguments, as the registers hold them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registers(libc::user_regs_struct);

impl Registers {
    /// The number of the call.
    pub(crate) fn number(&self) -> i64 {
        self.0.orig_rax.cast_signed()
    }

    /// Its arguments.
    pub(crate) fn arguments(&self) -> [u64; 6] {
        let Self(registers) = self;
        [
            registers.rdi,
            registers.rsi,
            registers.rdx,
            registers.r10,
            registers.r8,
            registers.r9,
        ]
    }

    /// What it returned; a negative number is an error.
    pub(crate) fn result(&self) -> i64 {
        self.0.rax.cast_signed()
    }

    /// With another argument; `index` is below 6.
    pub(crate) fn with_argument(mut self, index: usize, value: u64) -> Self {
        let Self(registers) = &mut self;
        let places = [
            &mut registers.rdi,
            &mut registers.rsi,
            &mut registers.rdx,
            &mut registers.r10,
            &mut registers.r8,
            &mut registers.r9,
        ];
        if let Some(place) = places.into_iter().nth(index) {
            *place = value;
        }
        self
    }

    /// As if the call had been made and had returned this; the kernel makes no call then.
    pub(crate) fn answered(mut self, result: i64) -> Self {
        self.0.orig_rax = u64::MAX;
        self.0.rax = result.cast_unsigned();
        self
    }
}

fn checked(result: libc::c_long) -> io::Result<libc::c_long> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Starts a command that this thread traces, under a filter. It stops with `SIGTRAP` before its
/// first instruction; [`follow`] makes it a traced one in full. Only this thread can wait for it.
pub(crate) fn start(command: &mut Command, filter: Filter) -> io::Result<Pid> {
    let trace_me = move || -> io::Result<()> {
        let program = libc::sock_fprog {
            len: u16::try_from(filter.len()).unwrap_or(u16::MAX),
            filter: filter.as_ptr().cast_mut(),
        };
        let no_core = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        let (one, zero): (libc::c_ulong, libc::c_ulong) = (1, 0);
        // SAFETY: plain system calls on values that live until they return; the filter was made
        // before the fork and is only read.
        unsafe {
            checked(libc::c_long::from(libc::setrlimit(
                libc::RLIMIT_CORE,
                &raw const no_core,
            )))?;
            checked(libc::c_long::from(libc::prctl(
                libc::PR_SET_NO_NEW_PRIVS,
                one,
                zero,
                zero,
                zero,
            )))?;
            checked(libc::ptrace(libc::PTRACE_TRACEME, 0, zero, zero))?;
            checked(libc::c_long::from(libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::c_ulong::from(libc::SECCOMP_MODE_FILTER),
                &raw const program,
            )))?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec the closure only makes system calls; it allocates nothing and
    // takes no lock.
    let child = unsafe { command.pre_exec(trace_me) }.spawn()?;
    Ok(child.id().cast_signed())
}

/// Has a freshly started command, and everything that it will start, report its calls; all of it
/// dies with this thread.
pub(crate) fn follow(tid: Pid) -> io::Result<()> {
    let options = libc::PTRACE_O_EXITKILL
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACESECCOMP
        | libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACEVFORK;
    // SAFETY: the request takes numbers only.
    let done = unsafe {
        libc::ptrace(
            libc::PTRACE_SETOPTIONS,
            tid,
            0 as libc::c_ulong,
            options as libc::c_ulong,
        )
    };
    checked(done).map(drop)
}

/// Waits for the next event of what this thread traces; none when nothing is left.
pub(crate) fn wait() -> io::Result<Option<Event>> {
    loop {
        let mut status = 0;
        // SAFETY: the status outlives the call.
        let tid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL | libc::__WNOTHREAD) };
        if tid == -1 {
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EINTR) => continue,
                Some(libc::ECHILD) => return Ok(None),
                _ => return Err(error),
            }
        }
        match event_of(tid, status) {
            // Killed since it stopped, which is what comes next.
            Err(_) if !stands_still(tid) => {}
            event => return event.map(Some),
        }
    }
}

fn event_of(tid: Pid, status: i32) -> io::Result<Event> {
    if libc::WIFEXITED(status) {
        let code = libc::WEXITSTATUS(status);
        return Ok(Event::Exited { tid, code });
    }
    if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        return Ok(Event::Signaled { tid, signal });
    }
    let signal = libc::WSTOPSIG(status);
    if signal == libc::SIGTRAP | 0x80 {
        return Ok(Event::Returned(tid));
    }
    Ok(match status >> 16 {
        libc::PTRACE_EVENT_SECCOMP => Event::Call(tid),
        libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
            let child = message(tid)?;
            Event::Born { child, tid }
        }
        libc::PTRACE_EVENT_EXEC => Event::Execed(tid),
        _ => Event::Stopped { tid, signal },
    })
}

/// The number that comes with an event: a new child's.
fn message(tid: Pid) -> io::Result<Pid> {
    let mut message: libc::c_ulong = 0;
    // SAFETY: the kernel writes one unsigned long to a place that is one.
    let done = unsafe {
        libc::ptrace(
            libc::PTRACE_GETEVENTMSG,
            tid,
            0 as libc::c_ulong,
            &raw mut message,
        )
    };
    checked(done)?;
    Pid::try_from(message).map_err(io::Error::other)
}

/// Lets a stopped thread go on, with a signal (0: none). One that is gone meanwhile is no error: it
/// is reported by [`wait`].
pub(crate) fn resume(tid: Pid, how: Resume, signal: i32) -> io::Result<()> {
    let request = match how {
        Resume::On => libc::PTRACE_CONT,
        Resume::ToTheEndOfTheCall => libc::PTRACE_SYSCALL,
    };
    // SAFETY: the request takes numbers only.
    let done = unsafe {
        libc::ptrace(
            request,
            tid,
            0 as libc::c_ulong,
            libc::c_long::from(signal) as libc::c_ulong,
        )
    };
    gone_is_fine(checked(done).map(drop))
}

fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other,
    }
}

/// The registers of a stopped thread.
pub(crate) fn registers(tid: Pid) -> io::Result<Registers> {
    let mut registers = std::mem::MaybeUninit::<libc::user_regs_struct>::zeroed();
    // SAFETY: the kernel writes one such structure to a place that is one, and all zeroes is a
    // value of it.
    let registers = unsafe {
        checked(libc::ptrace(
            libc::PTRACE_GETREGS,
            tid,
            0 as libc::c_ulong,
            registers.as_mut_ptr(),
        ))?;
        registers.assume_init()
    };
    Ok(Registers(registers))
}

/// Whether a thread stands where it stopped. Once stopped, it leaves only when it is let go or killed.
pub(crate) fn stands_still(tid: Pid) -> bool {
    registers(tid).is_ok()
}

/// Sets the registers of a stopped thread.
pub(crate) fn set_registers(tid: Pid, registers: &Registers) -> io::Result<()> {
    // SAFETY: the kernel reads one such structure.
    let done = unsafe {
        libc::ptrace(
            libc::PTRACE_SETREGS,
            tid,
            0 as libc::c_ulong,
            &raw const registers.0,
        )
    };
    checked(done).map(drop)
}

/// Reads memory of a stopped thread: as much as there is, `bytes` at most.
pub(crate) fn read_memory(tid: Pid, address: u64, bytes: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0_u8; bytes];
    let here = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: bytes,
    };
    let there = libc::iovec {
        iov_base: ptr::with_exposed_provenance_mut(address as usize),
        iov_len: bytes,
    };
    // SAFETY: `here` is a buffer of ours of that length; `there` is an address in another process,
    // which the kernel checks.
    let read = unsafe { libc::process_vm_readv(tid, &raw const here, 1, &raw const there, 1, 0) };
    let read = usize::try_from(read).map_err(|_negative| io::Error::last_os_error())?;
    buffer.truncate(read);
    Ok(buffer)
}

/// Writes memory of a stopped thread.
pub(crate) fn write_memory(tid: Pid, address: u64, bytes: &[u8]) -> io::Result<()> {
    let here = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let there = libc::iovec {
        iov_base: ptr::with_exposed_provenance_mut(address as usize),
        iov_len: bytes.len(),
    };
    // SAFETY: `here` is only read; `there` is an address in another process, which the kernel
    // checks.
    let wrote = unsafe { libc::process_vm_writev(tid, &raw const here, 1, &raw const there, 1, 0) };
    match usize::try_from(wrote) {
        Ok(wrote) if wrote == bytes.len() => Ok(()),
        Ok(_) => Err(io::Error::from(io::ErrorKind::WriteZero)),
        Err(_negative) => Err(io::Error::last_os_error()),
    }
}

/// Gives this thread a table of descriptors of its own, with nothing in it but the standard three.
pub(crate) fn forget_descriptors() -> io::Result<()> {
    let unshare = libc::CLOSE_RANGE_UNSHARE.cast_signed();
    // SAFETY: the call takes numbers only. Descriptors that other threads own stay open in their table;
    // this thread, which has just begun, owns none that it could use by mistake.
    let done = unsafe { libc::close_range(3, libc::c_uint::MAX, unshare) };
    checked(libc::c_long::from(done)).map(drop)
}

/// Kills a process, or the process of a thread. One that is gone is no error.
pub(crate) fn kill(tid: Pid) -> io::Result<()> {
    // SAFETY: the call takes numbers only.
    let done = unsafe { libc::kill(tid, libc::SIGKILL) };
    gone_is_fine(checked(libc::c_long::from(done)).map(drop))
}
