// SPDX-License-Identifier: Apache-2.0
//! Lines for the operator and for the record of the update.
//!
//! The macros [`debug!`](crate::debug!), [`info!`](crate::info!), [`warn!`](crate::warn!) and
//! [`error!`](crate::error!) take a format string. What a step prints becomes log lines as well.
//! There is a budget (`limits.log` in the manifest); beyond it lines are dropped and counted.

use std::fmt;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the author of the step.
    Debug,
    /// What was done.
    Info,
    /// What the operator should know.
    Warn,
    /// What went wrong.
    Error,
}

/// Adds a line to the log.
pub fn write(level: Level, message: impl fmt::Display) {
    #[cfg(target_family = "wasm")]
    {
        use crate::bindings::cofferdam::step::log as host;
        let level = match level {
            Level::Debug => host::Level::Debug,
            Level::Info => host::Level::Info,
            Level::Warn => host::Level::Warn,
            Level::Error => host::Level::Error,
        };
        host::write(level, &message.to_string());
    }
    #[cfg(not(target_family = "wasm"))]
    outside(format_args!("{level:?}: {message}"));
}

/// Where lines go when a step's code runs in an ordinary unit test: to standard error.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn outside(line: fmt::Arguments<'_>) {
    eprintln!("{line}");
}

/// A line for the author of the step.
#[macro_export]
macro_rules! debug {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Debug, format_args!($($arg)*)) };
}

/// A line that says what was done.
#[macro_export]
macro_rules! info {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Info, format_args!($($arg)*)) };
}

/// A line that the operator should read.
#[macro_export]
macro_rules! warn {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Warn, format_args!($($arg)*)) };
}

/// A line that says what went wrong.
#[macro_export]
macro_rules! error {
    ($($arg:tt)*) => { $crate::log::write($crate::log::Level::Error, format_args!($($arg)*)) };
}
