// SPDX-License-Identifier: Apache-2.0
//! A runner that misbehaves, for tests of the kernel's walls: its own code does what no step can.

use crate::child::line::Line;
use crate::child::messages::Said;
use crate::switches::Deed;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::fd::BorrowedFd;

/// Does it; says how it went.
pub(crate) fn commit(deed: Deed, tree: BorrowedFd<'_>, line: &Line) -> io::Result<()> {
    let open = |path: &str, flags: OFlags| {
        rustix::fs::openat(tree, path, flags | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR)
            .map(File::from)
    };
    match deed {
        Deed::ReadPasswords => drop(File::open("/etc/passwd")?),
        Deed::WriteBeside => {
            open("../outside/new", OFlags::WRONLY | OFlags::CREATE)?.write_all(b"rogue")?;
        }
        Deed::TruncateUngranted => drop(open("secret/key", OFlags::WRONLY | OFlags::TRUNC)?),
        Deed::WriteLinked => open("data/linked", OFlags::WRONLY)?.write_all(b"rogue")?,
        Deed::Connect => drop(std::net::TcpStream::connect(("127.0.0.1", 9))?),
        Deed::Execute => drop(std::process::Command::new("/bin/true").status()?),
        Deed::SignalParent => {
            let parent = rustix::process::getppid().ok_or(io::ErrorKind::NotFound)?;
            rustix::process::kill_process(parent, rustix::process::Signal::URG)?;
        }
        Deed::TakeMemory => {
            let mut hoard = Vec::new();
            loop {
                hoard.push(vec![1_u8; 16 << 20]);
                if hoard.len() > 256 {
                    break;
                }
            }
        }
        Deed::Hang => loop {
            std::thread::park();
        },
        Deed::StartOver => while line.send(&Said::Started(Vec::new()), None).is_ok() {},
    }
    Ok(())
}
