// SPDX-License-Identifier: Apache-2.0
//! Write a step of a Cofferdam update: a function that prepares or migrates an install, in a sandbox.
//!
//! A step is an ordinary function with one argument. It works on files with [`std::fs`] (the root `/`
//! is the install), on configuration keys with [`config`], reports with [`info!`] and
//! [`progress`](progress()), and uses `?` on any error: the operator reads the whole chain.
//!
//! ```
//! use cofferdam_sdk::prelude::*;
//! use std::fs;
//!
//! step!(move_net_section);
//!
//! /// `[net]` becomes `[server]`; records get a `schema` line.
//! fn move_net_section(ctx: &Context) -> Result<Verdict> {
//!     // Configuration: single keys, typed; comments and order of the file stay as they are.
//!     let port = config::get::<u16>("net.port")?.unwrap_or(8080);
//!     if port < 1024 {
//!         return Ok(Verdict::refuse(format!("port {port} is privileged; move it first")));
//!     }
//!     for key in config::list("net")? {
//!         config::rename(&key, &key.replacen("net.", "server.", 1))?;
//!     }
//!     config::set("server.listen", vec!["127.0.0.1", "::1"])?;
//!
//!     // Files: plain std::fs, below `/`, as far as the manifest's `read` and `write` reach.
//!     let mut records: Vec<_> = fs::read_dir("/data")?.collect::<Result<_, _>>()?;
//!     records.retain(|entry| entry.path().extension().is_some_and(|e| e == "txt"));
//!     let total = records.len() as u64;
//!     for (done, entry) in (0..).zip(&records) {
//!         let path = entry.path();
//!         progress(done, total, path.display());
//!         let text = fs::read_to_string(&path).context(format!("cannot read {}", path.display()))?;
//!         fs::write(&path, format!("schema = {}\n{text}", ctx.to_data_format))?;
//!     }
//!     info!("{total} records converted");
//!     Ok(Verdict::Ok)
//! }
//! # fn main() {}
//! ```
//!
//! In `Cargo.toml`: `crate-type = ["cdylib"]`; build with
//! `cargo build --release --target wasm32-wasip2`. The README beside this crate is a tutorial from an
//! empty folder to a step that has run.
//!
//! # What a step has, and what it has not
//!
//! Files and keys that the package's manifest asks for and the operator's policy allows; nothing else.
//! No network, no processes, no environment. Clocks stand still at the time the package was made,
//! sleeping returns at once, random numbers are the same at every run: the result of an update can be
//! computed ahead and required. What panics or returns an error changes nothing: the install stays as
//! it was, and the operator reads the message.

#[doc(hidden)]
pub mod bindings;
pub mod config;
mod context;
mod export;
mod failure;
pub mod log;
mod verdict;

pub use context::Context;
pub use context::Phase;
pub use export::Step;
pub use failure::Error;
pub use failure::ResultExt;
pub use verdict::Verdict;

/// The result of a step, or of any function of one.
pub type Result<T = Verdict, E = Error> = std::result::Result<T, E>;

/// Tells the person who waits how far the step has come. A `total` of 0 means that nobody knows.
pub fn progress(done: u64, total: u64, what: impl std::fmt::Display) {
    #[cfg(target_family = "wasm")]
    bindings::cofferdam::step::progress::report(done, total, &what.to_string());
    #[cfg(not(target_family = "wasm"))]
    log::outside(format_args!("[{done}/{total}] {what}"));
}

/// What most steps use.
pub mod prelude {
    pub use crate::Context;
    pub use crate::Error;
    pub use crate::Phase;
    pub use crate::Result;
    pub use crate::ResultExt;
    pub use crate::Step;
    pub use crate::Verdict;
    pub use crate::config;
    pub use crate::debug;
    pub use crate::error;
    pub use crate::export;
    pub use crate::info;
    pub use crate::progress;
    pub use crate::step;
    pub use crate::warn;
}

#[doc(hidden)]
pub mod __private {
    pub use crate::export::run;
}

/// The tutorial's examples are compiled as well.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
