// SPDX-License-Identifier: Apache-2.0
//! What a step says, made harmless: bounded, cut into lines, without control characters.
//!
//! A line that a step writes ends in front of people and in the history. It can neither move a
//! cursor, colour a terminal, reorder text, nor look like two lines.

use crate::access::Level;
use crate::limits::STDERR_TAIL_BYTES;
use crate::record::LogLine;

/// The longest line that is kept whole; longer ones are cut into several.
const LINE_BYTES: usize = 4 << 10;

/// What one log line costs beside its text, so that empty lines are not free.
const LINE_OVERHEAD_BYTES: u64 = 8;

/// Standard output or standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Std {
    Out,
    Err,
}

/// The log of one run.
#[derive(Debug)]
pub(crate) struct Log {
    lines: Vec<LogLine>,
    left_bytes: u64,
    kept_bytes: u64,
    dropped_bytes: u64,
    out: Vec<u8>,
    err: Vec<u8>,
    err_tail: Vec<u8>,
}

impl Log {
    pub(crate) fn new(budget_bytes: u64) -> Self {
        Self {
            lines: Vec::new(),
            left_bytes: budget_bytes,
            kept_bytes: 0,
            dropped_bytes: 0,
            out: Vec::new(),
            err: Vec::new(),
            err_tail: Vec::new(),
        }
    }

    /// Adds a message of the log interface; gives the lines that were kept.
    pub(crate) fn message(&mut self, level: Level, message: &str) -> Vec<LogLine> {
        let mut kept = Vec::new();
        for line in message.lines() {
            self.line(level, line, &mut kept);
        }
        kept
    }

    /// Takes bytes of standard output or error; gives the lines that became complete.
    pub(crate) fn print(&mut self, std: Std, bytes: &[u8]) -> Vec<LogLine> {
        if std == Std::Err {
            self.err_tail.extend_from_slice(bytes);
            let excess = self.err_tail.len().saturating_sub(STDERR_TAIL_BYTES);
            self.err_tail.drain(..excess);
        }
        let mut kept = Vec::new();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.partial(std).extend_from_slice(&rest[..end]);
            self.flush(std, &mut kept);
            rest = &rest[end + 1..];
        }
        self.partial(std).extend_from_slice(rest);
        if self.partial(std).len() >= LINE_BYTES {
            self.flush(std, &mut kept);
        }
        kept
    }

    /// Ends lines that were left unfinished; gives them.
    pub(crate) fn finish(&mut self) -> Vec<LogLine> {
        let mut kept = Vec::new();
        for std in [Std::Out, Std::Err] {
            if !self.partial(std).is_empty() {
                self.flush(std, &mut kept);
            }
        }
        kept
    }

    /// The end of what came out on standard error, within the budget or not.
    pub(crate) fn stderr_tail(&self) -> String {
        clean(&String::from_utf8_lossy(&self.err_tail), STDERR_TAIL_BYTES)
    }

    pub(crate) fn kept_bytes(&self) -> u64 {
        self.kept_bytes
    }

    pub(crate) fn dropped_bytes(&self) -> u64 {
        self.dropped_bytes
    }

    pub(crate) fn into_lines(self) -> Vec<LogLine> {
        self.lines
    }

    fn partial(&mut self, std: Std) -> &mut Vec<u8> {
        match std {
            Std::Out => &mut self.out,
            Std::Err => &mut self.err,
        }
    }

    fn flush(&mut self, std: Std, kept: &mut Vec<LogLine>) {
        let bytes = std::mem::take(self.partial(std));
        let level = if std == Std::Out {
            Level::Info
        } else {
            Level::Warn
        };
        self.line(level, &String::from_utf8_lossy(&bytes), kept);
    }

    fn line(&mut self, level: Level, line: &str, kept: &mut Vec<LogLine>) {
        let cost = line.len() as u64 + LINE_OVERHEAD_BYTES;
        if cost > self.left_bytes {
            // From the first dropped line on all are dropped: a log with holes would mislead.
            self.left_bytes = 0;
            self.dropped_bytes = self.dropped_bytes.saturating_add(line.len() as u64);
            return;
        }
        self.left_bytes -= cost;
        self.kept_bytes += line.len() as u64;
        let line = LogLine {
            level,
            line: clean_line(line),
        };
        kept.push(line.clone());
        self.lines.push(line);
    }
}

/// Text for people: no escape sequences, no control characters but line feeds, bounded.
pub(crate) fn clean(text: &str, cap_bytes: usize) -> String {
    strip(text, cap_bytes, true)
}

fn clean_line(text: &str) -> String {
    strip(text, usize::MAX, false)
}

fn strip(text: &str, cap_bytes: usize, keep_line_feeds: bool) -> String {
    let mut out = String::with_capacity(text.len().min(cap_bytes));
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if out.len() + c.len_utf8() > cap_bytes {
            out.push('…');
            break;
        }
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\n' if keep_line_feeds => out.push(c),
            '\t' => out.push(' '),
            c if c.is_control() || is_invisible(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// Skips the rest of a terminal's escape sequence.
fn skip_escape(chars: &mut std::str::Chars<'_>) {
    match chars.clone().next() {
        Some('[') => {
            chars.next();
            for c in chars.by_ref() {
                if ('\u{40}'..='\u{7e}').contains(&c) {
                    break;
                }
            }
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            chars.next();
            let mut last = ' ';
            for c in chars.by_ref() {
                if c == '\u{7}' || c == '\u{9c}' || (last == '\u{1b}' && c == '\\') || c == '\n' {
                    break;
                }
                last = c;
            }
        }
        Some(_) => {
            chars.next();
        }
        None => {}
    }
}

/// Characters that reorder or hide text without being control characters.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_controls_and_reordering_are_taken_out() {
        assert_eq!(clean("a\u{1b}[31mred\u{1b}[0m\r\n\u{7}b", 100), "ared\nb");
        assert_eq!(clean("\u{1b}]0;title\u{7}x\u{1b}]8;;u\u{1b}\\y", 100), "xy");
        assert_eq!(clean("user\u{202e}txt.exe\u{9b}1m", 100), "usertxt.exe1m");
        assert_eq!(clean("a\u{61c}b\u{2066}c\u{e0041}\u{e007f}", 100), "abc");
        assert_eq!(clean("\u{1b}", 100), "");
        assert_eq!(clean("abcdef", 3), "abc…");
    }

    #[test]
    fn a_message_with_line_feeds_is_several_lines() {
        let mut log = Log::new(1000);
        let lines = log.message(Level::Info, "one\ntwo\rthree");
        let texts: Vec<&str> = lines.iter().map(|line| line.line.as_str()).collect();
        assert_eq!(texts, ["one", "twothree"]);
    }

    #[test]
    fn beyond_the_budget_lines_are_dropped_and_counted() {
        let mut log = Log::new(30);
        log.message(Level::Info, "12345678");
        log.print(Std::Out, b"0123456789\nabc\n");
        log.print(Std::Err, b"panicked at x");
        assert_eq!(log.finish(), []);
        assert_eq!(log.dropped_bytes(), 10 + 3 + 13);
        assert_eq!(log.stderr_tail(), "panicked at x");
        assert_eq!(log.into_lines().len(), 1);
    }

    #[test]
    fn output_becomes_lines_however_it_is_cut() {
        let mut log = Log::new(1000);
        assert_eq!(log.print(Std::Out, b"he"), []);
        assert_eq!(log.print(Std::Out, b"llo\nwor").len(), 1);
        assert_eq!(log.finish()[0].line, "wor");
    }
}
