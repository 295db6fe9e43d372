// SPDX-License-Identifier: Apache-2.0
//! Where the keys are: with the host, or, in a unit test, in a map of the current thread.

#[cfg(target_family = "wasm")]
pub(super) use host::{get, list, remove, rename, set};
#[cfg(not(target_family = "wasm"))]
pub(super) use map::{get, list, remove, rename, set};

#[cfg(target_family = "wasm")]
mod host {
    use crate::bindings::cofferdam::step::config as host;
    use crate::config::ErrorKind;
    use crate::config::Scalar;
    use crate::config::Value;

    pub(crate) fn get(key: &str) -> Result<Option<Value>, ErrorKind> {
        host::get(key)
            .map(|value| value.map(from_host))
            .map_err(kind)
    }

    pub(crate) fn set(key: &str, value: Value) -> Result<(), ErrorKind> {
        host::set(key, &to_host(value)).map_err(kind)
    }

    pub(crate) fn remove(key: &str) -> Result<bool, ErrorKind> {
        host::remove(key).map_err(kind)
    }

    pub(crate) fn rename(key: &str, new_key: &str) -> Result<(), ErrorKind> {
        host::rename(key, new_key).map_err(kind)
    }

    pub(crate) fn list(prefix: Option<&str>) -> Result<Vec<String>, ErrorKind> {
        host::list(prefix).map_err(kind)
    }

    fn kind(error: host::Error) -> ErrorKind {
        match error {
            host::Error::NotGranted => ErrorKind::NotGranted,
            host::Error::Secret => ErrorKind::Secret,
            host::Error::NoSuchKey => ErrorKind::NoSuchKey,
            host::Error::TypeMismatch(why) => ErrorKind::TypeMismatch(why),
            host::Error::Ambiguous(why) => ErrorKind::Ambiguous(why),
            host::Error::Refused(why) => ErrorKind::Refused(why),
        }
    }

    fn from_host(value: host::Value) -> Value {
        match value {
            host::Value::Scalar(scalar) => Value::Scalar(scalar_from_host(scalar)),
            host::Value::Sequence(list) => {
                Value::List(list.into_iter().map(scalar_from_host).collect())
            }
        }
    }

    fn scalar_from_host(scalar: host::Scalar) -> Scalar {
        match scalar {
            host::Scalar::Boolean(value) => Scalar::Boolean(value),
            host::Scalar::Integer(value) => Scalar::Integer(value),
            host::Scalar::Decimal(value) => Scalar::Decimal(value),
            host::Scalar::Text(value) => Scalar::Text(value),
        }
    }

    fn to_host(value: Value) -> host::Value {
        match value {
            Value::Scalar(scalar) => host::Value::Scalar(scalar_to_host(scalar)),
            Value::List(list) => {
                host::Value::Sequence(list.into_iter().map(scalar_to_host).collect())
            }
        }
    }

    fn scalar_to_host(scalar: Scalar) -> host::Scalar {
        match scalar {
            Scalar::Boolean(value) => host::Scalar::Boolean(value),
            Scalar::Integer(value) => host::Scalar::Integer(value),
            Scalar::Decimal(value) => host::Scalar::Decimal(value),
            Scalar::Text(value) => host::Scalar::Text(value),
        }
    }
}

#[cfg(not(target_family = "wasm"))]
mod map {
    use crate::config::ErrorKind;
    use crate::config::Value;
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    thread_local! {
        static KEYS: RefCell<BTreeMap<String, Value>> = const { RefCell::new(BTreeMap::new()) };
    }

    pub(crate) fn get(key: &str) -> Result<Option<Value>, ErrorKind> {
        Ok(KEYS.with_borrow(|keys| keys.get(key).cloned()))
    }

    pub(crate) fn set(key: &str, value: Value) -> Result<(), ErrorKind> {
        KEYS.with_borrow_mut(|keys| {
            if let Some(old) = keys.get(key)
                && old.type_name() != value.type_name()
            {
                let (old, new) = (old.type_name(), value.type_name());
                return Err(ErrorKind::TypeMismatch(format!(
                    "found {old}, will not become {new}"
                )));
            }
            keys.insert(key.to_owned(), value);
            Ok(())
        })
    }

    pub(crate) fn remove(key: &str) -> Result<bool, ErrorKind> {
        Ok(KEYS.with_borrow_mut(|keys| keys.remove(key).is_some()))
    }

    pub(crate) fn rename(key: &str, new_key: &str) -> Result<(), ErrorKind> {
        KEYS.with_borrow_mut(|keys| {
            if keys.contains_key(new_key) {
                return Err(ErrorKind::Refused(format!("`{new_key}` is there already")));
            }
            let value = keys.remove(key).ok_or(ErrorKind::NoSuchKey)?;
            keys.insert(new_key.to_owned(), value);
            Ok(())
        })
    }

    pub(crate) fn list(prefix: Option<&str>) -> Result<Vec<String>, ErrorKind> {
        let below = |key: &str| {
            prefix.is_none_or(|prefix| {
                key.strip_prefix(prefix)
                    .is_some_and(|rest| rest.starts_with('.'))
            })
        };
        Ok(KEYS.with_borrow(|keys| keys.keys().filter(|key| below(key)).cloned().collect()))
    }
}
