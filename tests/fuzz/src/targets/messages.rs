// SPDX-License-Identifier: Apache-2.0
//! What the host makes of the bytes that a child process sends: the child may be an attacker's by then.
//! Whatever they say, what ends in front of people is bounded and cannot move their cursor.
//!
//! The input is JSON, put into the form that goes over the line, or the bytes of that form themselves.

use cofferdam_sandbox::Level;
use cofferdam_sandbox::NoConfig;
use cofferdam_sandbox::Observer;
use cofferdam_sandbox::Verdict;
use cofferdam_sandbox::driven::heard;

/// What the host keeps of a log.
const LOG_BYTES: u64 = 1_000;

/// What the host keeps of one text in a verdict, and a mark that it was cut.
const TEXT_BYTES: usize = (16 << 10) + 64;

/// Takes a message.
pub fn target(data: &[u8]) {
    let sent = match serde_json::from_slice::<serde_json::Value>(data) {
        Ok(value) => rmp_serde::to_vec_named(&value).expect("any value can be sent"),
        Err(_) => data.to_vec(),
    };
    let mut seen = Seen::default();
    let Ok((log, end)) = heard(&sent, LOG_BYTES, &mut NoConfig, &mut seen) else {
        assert!(seen.0.is_empty(), "what is no message is not shown");
        return;
    };
    let kept: usize = log.iter().map(|line| line.line.len()).sum();
    assert!(kept as u64 <= LOG_BYTES);
    for text in seen.0.iter().chain(log.iter().map(|line| &line.line)) {
        assert_harmless(text);
    }
    let Some((verdict, _)) = end else {
        return;
    };
    match verdict {
        Verdict::Ok | Verdict::Healthy => {}
        Verdict::Refuse(reason) | Verdict::Unhealthy(reason) | Verdict::Defer { reason, .. } => {
            assert_harmless(&reason);
        }
        Verdict::Failed(failure) => {
            assert_harmless(&failure.message);
            failure
                .backtrace
                .iter()
                .for_each(|frame| assert_harmless(frame));
        }
    }
}

fn assert_harmless(text: &str) {
    assert!(text.len() <= TEXT_BYTES, "{} bytes", text.len());
    let odd = text
        .chars()
        .find(|c| c.is_control() && *c != '\n' && *c != '\t');
    assert_eq!(odd, None, "{text:?}");
}

#[derive(Default)]
struct Seen(Vec<String>);

impl Observer for Seen {
    fn log(&mut self, _level: Level, line: &str) {
        self.0.push(line.to_owned());
    }

    fn progress(&mut self, _done: u64, _total: u64, message: &str) {
        self.0.push(message.to_owned());
    }
}
