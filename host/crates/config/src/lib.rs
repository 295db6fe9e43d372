// SPDX-License-Identifier: Apache-2.0
//! Configuration files of operators, edited in place by key: TOML, JSON, INI, `.env` and YAML.
//!
//! A file is read by two independent parsers. The first one (the layout) knows where things stand and proposes
//! the few bytes to change; the second one reads the result and must find that exactly one key differs, and a
//! comparison of bytes must find nothing changed outside of that key. An edit that cannot be proved this way is
//! refused and the document stays as it was. Comments, order, blank lines, quotes, line ends and a byte order
//! mark survive, because they are never written anew.
//!
//! This crate must never touch a file, guess a format, or put a value (it may be a secret) into a message.
//!
//! ```
//! use cofferdam_config::{Document, Format, Key, Value};
//!
//! let file = b"[net]\n# Only this machine.\nlisten = '127.0.0.1' # IPv4\n".to_vec();
//! let mut document = Document::parse(Format::Toml, file)?;
//! document.rename(&Key::parse("net.listen")?, &Key::parse("server.listen")?)?;
//! document.set(&Key::parse("server.port")?, &Value::from(8080))?;
//! assert_eq!(
//!     document.bytes(),
//!     b"[server]\n# Only this machine.\nlisten = '127.0.0.1' # IPv4\nport = 8080\n",
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod difference;
mod document;
mod edit;
mod env;
mod error;
mod format;
mod guard;
mod ini;
mod json;
mod key;
mod node;
mod sections;
mod text;
mod toml;
mod value;
mod yaml;

pub use difference::Difference;
pub use difference::Found;
pub use document::Document;
pub use error::CODES;
pub use error::ConfigError;
pub use format::Format;
pub use format::FormatError;
pub use key::Key;
pub use key::KeyError;
pub use key::MAX_KEY_BYTES;
pub use value::Scalar;
pub use value::Value;

/// The largest file that is read, in bytes: stops files that exist only to exhaust memory.
pub const MAX_BYTES: usize = 4 << 20;

/// The deepest nesting of tables and lists that is read: stops files that exhaust the stack of a parser.
pub const MAX_DEPTH: usize = 64;
