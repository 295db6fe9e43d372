// SPDX-License-Identifier: Apache-2.0
//! Values as steps see them: scalars and flat lists of scalars.
//!
//! Anything richer (tables, dates, integers beyond 64 bits, lists of lists) stays in the file as it is spelled and
//! can be moved, but has no value here: guessing one would change it.

use std::fmt;

use serde::Deserialize;
use serde::Serialize;

/// One value that is not a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction or an exponent.
    Decimal(f64),
    /// Text. Every value of an INI or `.env` file is text.
    Text(String),
}

/// What a key stands for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A single value.
    Scalar(Scalar),
    /// A list of single values.
    List(Vec<Scalar>),
}

impl Scalar {
    /// The word for this type in messages: `boolean`, `integer`, `decimal`, `text`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "boolean",
            Self::Integer(_) => "integer",
            Self::Decimal(_) => "decimal",
            Self::Text(_) => "text",
        }
    }

    /// Equal to the bit, so that a NaN equals itself.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Decimal(a), Self::Decimal(b)) => {
                a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
            }
            _ => self == other,
        }
    }
}

impl Value {
    /// The word for this type in messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Scalar(scalar) => scalar.type_name(),
            Self::List(_) => "list",
        }
    }
}

/// Plain text: what a terminal shows and what INI and `.env` files hold.
impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Decimal(value) => write!(f, "{value:?}"),
            Self::Text(value) => f.write_str(value),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Scalar(Scalar::Boolean(value))
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Scalar(Scalar::Integer(value))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Scalar(Scalar::Decimal(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Scalar(Scalar::Text(value.to_owned()))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Scalar(Scalar::Text(value))
    }
}
