// SPDX-License-Identifier: Apache-2.0
//! One error type that takes any other, and reaches the operator with its whole chain of causes.

use std::error::Error as StdError;
use std::fmt;

/// What went wrong, in one text: the outermost context first, then each cause.
///
/// `?` turns any [`std::error::Error`] into this type. It does not implement that trait itself (as
/// with other such types, the two would exclude each other); show it with `{}`.
pub struct Error {
    message: String,
}

impl Error {
    /// An error with words of your own.
    ///
    /// ```
    /// # use cofferdam_sdk::Error;
    /// # let found = 3;
    /// let error = Error::new(format!("expected one schema file, found {found}"));
    /// assert_eq!(error.to_string(), "expected one schema file, found 3");
    /// ```
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }

    /// Puts what was being done in front.
    #[must_use]
    pub fn context(self, what: impl fmt::Display) -> Self {
        Self {
            message: format!("{what}: {}", self.message),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: StdError> From<E> for Error {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some types repeat their cause in their own text.
            if !message.ends_with(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = error.source();
        }
        Self { message }
    }
}

/// Context for the errors of others.
pub trait ResultExt<T> {
    /// Puts what was being done in front of the error.
    ///
    /// # Errors
    /// The error that was there, with the context; for an `Option`, the context itself.
    ///
    /// ```
    /// use cofferdam_sdk::prelude::*;
    ///
    /// fn parse(text: &str) -> Result<u16> {
    ///     Ok(text.parse::<u16>().context(format!("`{text}` is not a port"))?)
    /// }
    /// assert_eq!(
    ///     parse("many").unwrap_err().to_string(),
    ///     "`many` is not a port: invalid digit found in string",
    /// );
    /// ```
    fn context(self, what: impl fmt::Display) -> Result<T, Error>;
}

impl<T, E: Into<Error>> ResultExt<T> for Result<T, E> {
    fn context(self, what: impl fmt::Display) -> Result<T, Error> {
        self.map_err(|error| error.into().context(what))
    }
}

impl<T> ResultExt<T> for Option<T> {
    fn context(self, what: impl fmt::Display) -> Result<T, Error> {
        self.ok_or_else(|| Error::new(what.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[derive(Debug)]
    struct Outer(io::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("cannot load the schema")
        }
    }

    impl StdError for Outer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn the_chain_of_causes_is_kept() {
        let error = Error::from(Outer(io::Error::other("disk on fire"))).context("step 1");
        assert_eq!(
            error.to_string(),
            "step 1: cannot load the schema: disk on fire"
        );
    }

    #[test]
    fn a_missing_value_becomes_the_context() {
        let none: Option<u8> = None;
        assert_eq!(none.context("no `id`").unwrap_err().to_string(), "no `id`");
    }
}
