// SPDX-License-Identifier: Apache-2.0
//! Values of configuration keys, and the Rust types they convert to and from.

/// A single value.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Decimal(f64),
    /// Text.
    Text(String),
}

/// What stands at a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// One value.
    Scalar(Scalar),
    /// A list of single values.
    List(Vec<Scalar>),
}

impl Scalar {
    fn type_name(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "boolean",
            Self::Integer(_) => "integer",
            Self::Decimal(_) => "decimal",
            Self::Text(_) => "text",
        }
    }
}

impl Value {
    /// The name of this value's type, for messages.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Scalar(scalar) => scalar.type_name(),
            Self::List(_) => "list",
        }
    }
}

/// A type that a configuration value can be read as.
pub trait FromValue: Sized {
    /// The value as this type, if it is one.
    fn from_value(value: Value) -> Option<Self>;

    /// What this type accepts, for messages: "an integer from 0 to 65535".
    fn expected() -> String;
}

impl FromValue for Value {
    fn from_value(value: Value) -> Option<Self> {
        Some(value)
    }

    fn expected() -> String {
        "a value".to_owned()
    }
}

impl FromValue for Scalar {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Scalar(scalar) => Some(scalar),
            Value::List(_) => None,
        }
    }

    fn expected() -> String {
        "a single value".to_owned()
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Scalar(Scalar::Boolean(value)) => Some(value),
            Value::Scalar(Scalar::Text(text)) => text.parse().ok(),
            _ => None,
        }
    }

    fn expected() -> String {
        "a boolean".to_owned()
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Scalar(Scalar::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn expected() -> String {
        "text".to_owned()
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::List(list) => list
                .into_iter()
                .map(|scalar| T::from_value(Value::Scalar(scalar)))
                .collect(),
            Value::Scalar(_) => None,
        }
    }

    fn expected() -> String {
        format!("a list, of which each item is {}", T::expected())
    }
}

macro_rules! integers {
    ($($t:ty),*) => { $(
        impl FromValue for $t {
            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::Scalar(Scalar::Integer(value)) => <$t>::try_from(value).ok(),
                    Value::Scalar(Scalar::Text(text)) => text.trim().parse().ok(),
                    _ => None,
                }
            }

            fn expected() -> String {
                format!("an integer from {} to {}", <$t>::MIN, <$t>::MAX)
            }
        }
    )* };
}

integers!(i8, i16, i32, i64, u8, u16, u32, u64, usize);

impl FromValue for f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "an integer stands where a decimal is expected"
    )]
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Scalar(Scalar::Decimal(value)) => Some(value),
            Value::Scalar(Scalar::Integer(value)) => Some(value as f64),
            Value::Scalar(Scalar::Text(text)) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn expected() -> String {
        "a number".to_owned()
    }
}

macro_rules! scalars {
    ($($t:ty => $variant:ident),*) => { $(
        impl From<$t> for Scalar {
            fn from(value: $t) -> Self {
                Self::$variant(value.into())
            }
        }

        impl From<$t> for Value {
            fn from(value: $t) -> Self {
                Self::Scalar(value.into())
            }
        }
    )* };
}

scalars!(
    bool => Boolean,
    i8 => Integer, i16 => Integer, i32 => Integer, i64 => Integer,
    u8 => Integer, u16 => Integer, u32 => Integer,
    f32 => Decimal, f64 => Decimal,
    &str => Text, &String => Text, String => Text
);

impl From<Scalar> for Value {
    fn from(scalar: Scalar) -> Self {
        Self::Scalar(scalar)
    }
}

impl<T: Into<Scalar>> From<Vec<T>> for Value {
    fn from(list: Vec<T>) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Scalar>, const N: usize> From<[T; N]> for Value {
    fn from(list: [T; N]) -> Self {
        Self::List(list.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Scalar> + Clone> From<&[T]> for Value {
    fn from(list: &[T]) -> Self {
        Self::List(list.iter().cloned().map(Into::into).collect())
    }
}
