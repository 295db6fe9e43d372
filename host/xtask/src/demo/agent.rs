// SPDX-License-Identifier: Apache-2.0
//! The sample's program, seen from outside: its clients, and the service script.

use crate::failure::Outcome;
use crate::tool::Tool;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::Sender;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

const PATIENCE: Duration = Duration::from_secs(5);
const BETWEEN_QUESTIONS: Duration = Duration::from_millis(5);

/// A loopback port that nobody listens on.
pub(super) fn free_port() -> Outcome<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
    Ok(listener.local_addr().map_err(|e| e.to_string())?.port())
}

/// Asks the agent for a path.
pub(super) fn get(port: u16, path: &str) -> io::Result<String> {
    converse(port, &format!("GET {path} HTTP/1.0\r\n\r\n"))
}

/// Stores a record, as a device does.
pub(super) fn post(port: u16, token: &str, name: &str, value: &str) -> io::Result<String> {
    let length = value.len();
    let head = format!("POST /records/{name} HTTP/1.0\r\nAuthorization: Bearer {token}");
    converse(
        port,
        &format!("{head}\r\nContent-Length: {length}\r\n\r\n{value}"),
    )
}

fn converse(port: u16, request: &str) -> io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.split_once("\r\n\r\n") {
        Some((_, body)) => Ok(body.trim_end().to_owned()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Stops the agent of an install, if it runs.
pub(super) fn stop(install: &Path) {
    // Where there is no install or no agent, there is nothing to stop.
    let _ = Tool::new(install.join("bin/acme-agentctl"))
        .arg("stop")
        .succeeds();
}

/// Ends the agent with the story, whatever happens.
#[must_use]
pub(super) struct Service(pub(super) PathBuf);

impl Drop for Service {
    fn drop(&mut self) {
        stop(&self.0);
    }
}

/// A client that asks for the version all the time.
pub(super) struct Watch {
    end: Sender<()>,
    thread: JoinHandle<Seen>,
}

/// What that client saw.
#[derive(Default)]
pub(super) struct Seen {
    /// How many answers it got.
    pub(super) answers: usize,
    /// The versions that answered, in order.
    pub(super) versions: Vec<String>,
    /// The longest time without an answer.
    pub(super) longest_silence: Duration,
}

impl Watch {
    /// Starts to ask.
    pub(super) fn begin(port: u16) -> Self {
        let (end, ended) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut seen = Seen::default();
            let mut last = Instant::now();
            while ended.recv_timeout(BETWEEN_QUESTIONS) == Err(RecvTimeoutError::Timeout) {
                let Ok(version) = get(port, "/version") else {
                    continue;
                };
                seen.answers += 1;
                seen.longest_silence = seen.longest_silence.max(last.elapsed());
                last = Instant::now();
                if seen.versions.last() != Some(&version) {
                    seen.versions.push(version);
                }
            }
            seen
        });
        Self { end, thread }
    }

    /// Stops to ask.
    pub(super) fn finish(self) -> Outcome<Seen> {
        drop(self.end);
        self.thread
            .join()
            .map_err(|_| "the watching client panicked".into())
    }
}
