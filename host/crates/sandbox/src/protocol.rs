// SPDX-License-Identifier: Apache-2.0
//! What a running step asks of the host, as messages.
//!
//! A step runs on a thread of its own and holds nothing of the host's but the tree's handle; keys,
//! log lines and progress go over this line, one at a time. The same line keeps the clock.

use crate::access::ConfigAccess;
use crate::access::ConfigRefusal;
use crate::access::Observer;
use crate::record::LogLine;
use cofferdam_config::Value;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Instant;

/// A request of the step's side.
#[derive(Debug)]
pub(crate) enum Request {
    Get(String),
    Set(String, Value),
    Remove(String),
    Rename(String, String),
    List(Option<String>),
    Log(LogLine),
    Progress(u64, u64, String),
}

/// The answer to a request that has one.
#[derive(Debug)]
pub(crate) enum Reply {
    Value(Result<Option<Value>, ConfigRefusal>),
    Done(Result<(), ConfigRefusal>),
    Removed(Result<bool, ConfigRefusal>),
    Keys(Result<Vec<String>, ConfigRefusal>),
}

/// The step's end of the line.
#[derive(Debug)]
pub(crate) struct Port {
    requests: mpsc::SyncSender<Request>,
    replies: mpsc::Receiver<Reply>,
}

/// The host's end of the line.
#[derive(Debug)]
pub(crate) struct Desk {
    requests: mpsc::Receiver<Request>,
    replies: mpsc::SyncSender<Reply>,
}

/// Messages without an answer that may wait for the host.
const WAITING: usize = 64;

pub(crate) fn line() -> (Port, Desk) {
    let (request_sender, request_receiver) = mpsc::sync_channel(WAITING);
    let (reply_sender, reply_receiver) = mpsc::sync_channel(1);
    (
        Port {
            requests: request_sender,
            replies: reply_receiver,
        },
        Desk {
            requests: request_receiver,
            replies: reply_sender,
        },
    )
}

impl Port {
    /// Sends a message that has no answer.
    pub(crate) fn tell(&self, request: Request) {
        // The desk is gone only when the run is over, and nobody would read it.
        let _ = self.requests.send(request);
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&self, request: Request) -> wasmtime::Result<Reply> {
        self.requests
            .send(request)
            .map_err(|_| wasmtime::format_err!("the host has gone"))?;
        self.replies
            .recv()
            .map_err(|_| wasmtime::format_err!("the host has gone"))
    }
}

impl Desk {
    /// Serves requests until the step's side hangs up; calls `expire` once when the time is up.
    pub(crate) fn serve(
        self,
        config: &mut dyn ConfigAccess,
        observer: &mut dyn Observer,
        deadline: Instant,
        expire: impl FnOnce(),
    ) {
        let mut expire = Some(expire);
        loop {
            let request = if expire.is_some() {
                let left = deadline.saturating_duration_since(Instant::now());
                let received = self.requests.recv_timeout(left);
                // Asked again here, since a step that never pauses would never let the wait run out.
                if Instant::now() >= deadline
                    && let Some(expire) = expire.take()
                {
                    expire();
                }
                match received {
                    Ok(request) => request,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            } else {
                match self.requests.recv() {
                    Ok(request) => request,
                    Err(mpsc::RecvError) => return,
                }
            };
            if let Some(reply) = answer(request, config, observer)
                && self.replies.send(reply).is_err()
            {
                return;
            }
        }
    }
}

fn answer(
    request: Request,
    config: &mut dyn ConfigAccess,
    observer: &mut dyn Observer,
) -> Option<Reply> {
    Some(match request {
        Request::Get(key) => Reply::Value(config.get(&key)),
        Request::Set(key, value) => Reply::Done(config.set(&key, &value)),
        Request::Remove(key) => Reply::Removed(config.remove(&key)),
        Request::Rename(key, new_key) => Reply::Done(config.rename(&key, &new_key)),
        Request::List(prefix) => Reply::Keys(config.list(prefix.as_deref())),
        Request::Log(line) => {
            observer.log(line.level, &line.line);
            return None;
        }
        Request::Progress(done, total, message) => {
            observer.progress(done, total, &message);
            return None;
        }
    })
}
