// SPDX-License-Identifier: Apache-2.0
//! Messages between the host and a child: a length, then `MessagePack`.
//!
//! The host trusts nothing that comes from a child: a frame has a largest size, and every wait an
//! end. `MessagePack` rather than JSON, since a decimal of a configuration may be infinite.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use std::time::Instant;
use thiserror::Error;

/// The largest frame. The record of a step that touched very many paths is the largest there is.
pub(crate) const FRAME_BYTES: usize = 128 << 20;

/// Memory for a frame is taken in pieces as it arrives, not by its announced length.
const PIECE_BYTES: u64 = 1 << 20;

/// One end of a line.
#[derive(Debug)]
pub(crate) struct Line {
    stream: UnixStream,
}

/// Why nothing was sent or received.
#[derive(Debug, Error)]
pub(crate) enum LineError {
    #[error("the time is up")]
    TimedOut,
    #[error("the other side has gone")]
    Closed,
    #[error("an impossible message: {0}")]
    Bad(String),
    #[error("{0}")]
    Io(io::Error),
}

impl Line {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self { stream }
    }

    /// Sends a message; waits for room until the deadline, without one for ever.
    pub(crate) fn send<M: Serialize>(
        &self,
        message: &M,
        deadline: Option<Instant>,
    ) -> Result<(), LineError> {
        let bytes =
            rmp_serde::to_vec_named(message).map_err(|error| LineError::Bad(error.to_string()))?;
        self.send_bytes(&bytes, deadline)
    }

    /// Sends a frame as it is.
    pub(crate) fn send_bytes(
        &self,
        bytes: &[u8],
        deadline: Option<Instant>,
    ) -> Result<(), LineError> {
        if bytes.len() > FRAME_BYTES {
            return Err(LineError::Bad(format!("{} bytes", bytes.len())));
        }
        let mut small = Vec::new();
        let length = (bytes.len() as u32).to_le_bytes();
        if bytes.len() < 4096 {
            small.extend_from_slice(&length);
            small.extend_from_slice(bytes);
            return self.write(&small, deadline);
        }
        self.write(&length, deadline)?;
        self.write(bytes, deadline)
    }

    /// Waits for a message.
    pub(crate) fn receive<M: DeserializeOwned>(
        &self,
        deadline: Option<Instant>,
    ) -> Result<M, LineError> {
        let bytes = self.receive_bytes(deadline)?;
        rmp_serde::from_slice(&bytes).map_err(|error| LineError::Bad(error.to_string()))
    }

    /// Waits for a frame.
    pub(crate) fn receive_bytes(&self, deadline: Option<Instant>) -> Result<Vec<u8>, LineError> {
        let mut length = [0; 4];
        self.read(&mut length, deadline)?;
        let length = u32::from_le_bytes(length) as usize;
        if length > FRAME_BYTES {
            return Err(LineError::Bad(format!("it would have {length} bytes")));
        }
        let mut bytes = Vec::new();
        while bytes.len() < length {
            let start = bytes.len();
            let piece = (length - start).min(PIECE_BYTES as usize);
            bytes.resize(start + piece, 0);
            self.read(&mut bytes[start..], deadline)?;
        }
        Ok(bytes)
    }

    fn write(&self, mut bytes: &[u8], deadline: Option<Instant>) -> Result<(), LineError> {
        while !bytes.is_empty() {
            if let Some(left) = left(deadline)? {
                self.stream
                    .set_write_timeout(Some(left))
                    .map_err(LineError::Io)?;
            }
            match (&self.stream).write(bytes) {
                Ok(0) => return Err(LineError::Closed),
                Ok(written) => bytes = &bytes[written..],
                Err(error) => told(error)?,
            }
        }
        Ok(())
    }

    fn read(&self, mut bytes: &mut [u8], deadline: Option<Instant>) -> Result<(), LineError> {
        while !bytes.is_empty() {
            if let Some(left) = left(deadline)? {
                self.stream
                    .set_read_timeout(Some(left))
                    .map_err(LineError::Io)?;
            }
            match (&self.stream).read(bytes) {
                Ok(0) => return Err(LineError::Closed),
                Ok(read) => bytes = &mut bytes[read..],
                Err(error) => told(error)?,
            }
        }
        Ok(())
    }
}

/// What is left until the deadline; an error when nothing is.
fn left(deadline: Option<Instant>) -> Result<Option<Duration>, LineError> {
    let Some(deadline) = deadline else {
        return Ok(None);
    };
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(LineError::TimedOut);
    }
    Ok(Some(left))
}

/// Interruptions and spent time limits are no errors: the loop asks the clock again.
fn told(error: io::Error) -> Result<(), LineError> {
    match error.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Ok(()),
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Err(LineError::Closed),
        _ => Err(LineError::Io(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> (Line, Line) {
        let (a, b) = UnixStream::pair().unwrap();
        (Line::new(a), Line::new(b))
    }

    #[test]
    fn a_message_arrives_as_it_was_sent_whatever_its_size() {
        let (host, child) = line();
        for size in [0, 1, 4095, 4096, 3 << 20] {
            let sent = vec![7_u8; size];
            std::thread::scope(|scope| {
                scope.spawn(|| host.send(&sent, None).unwrap());
                assert_eq!(child.receive::<Vec<u8>>(None).unwrap(), sent);
            });
        }
        let decimal = f64::NEG_INFINITY;
        host.send(&decimal, None).unwrap();
        assert_eq!(
            child.receive::<f64>(None).unwrap().to_bits(),
            decimal.to_bits()
        );
    }

    #[test]
    fn a_frame_beyond_the_cap_is_refused_before_it_is_read() {
        let (host, child) = line();
        host.write(&u32::MAX.to_le_bytes(), None).unwrap();
        let error = child.receive_bytes(None).unwrap_err();
        assert!(matches!(error, LineError::Bad(_)), "{error}");
    }

    #[test]
    fn a_frame_that_never_comes_whole_ends_the_wait() {
        let (host, child) = line();
        host.write(&[9, 0, 0, 0, 1], None).unwrap();
        let deadline = Some(Instant::now() + Duration::from_millis(20));
        let error = child.receive_bytes(deadline).unwrap_err();
        assert!(matches!(error, LineError::TimedOut), "{error}");
        drop(host);
        assert!(matches!(child.receive_bytes(None), Err(LineError::Closed)));
    }

    #[test]
    fn a_side_that_does_not_listen_ends_the_wait() {
        let (host, _child) = line();
        let deadline = Some(Instant::now() + Duration::from_millis(20));
        let error = host.send_bytes(&vec![0; 8 << 20], deadline).unwrap_err();
        assert!(matches!(error, LineError::TimedOut), "{error}");
    }
}
