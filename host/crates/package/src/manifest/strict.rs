// SPDX-License-Identifier: Apache-2.0
//! What plain deserialising would let pass: duplicate keys, nesting, and the order of judgement.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use semver::Version;
use serde::Deserialize;
use serde::de::DeserializeSeed;
use serde::de::Error as _;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;

use super::FormatTag;
use super::HOST_VERSION;
use super::ManifestError;
use super::names;
use crate::path::shown;

/// Checks that the bytes are one JSON value without duplicate keys and not too deep.
pub(super) fn check_json(bytes: &[u8], depth: usize) -> Result<(), ManifestError> {
    let refusal = RefCell::new(None);
    let walk = Walk {
        left: depth,
        limit: depth,
        refusal: &refusal,
    };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let outcome = walk.deserialize(&mut json).and_then(|()| json.end());
    match (refusal.into_inner(), outcome) {
        (Some(refusal), _) => Err(refusal),
        (None, Err(error)) => Err(ManifestError::json(&error)),
        (None, Ok(())) => Ok(()),
    }
}

/// Visits every value and keeps none. The first finding of ours is left in `refusal`, since a serde
/// error carries only text.
#[derive(Clone, Copy)]
struct Walk<'a> {
    left: usize,
    limit: usize,
    refusal: &'a RefCell<Option<ManifestError>>,
}

impl Walk<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Self { left, ..self }),
            None => Err(self.refuse(ManifestError::TooDeep { limit: self.limit })),
        }
    }

    fn refuse<E: serde::de::Error>(self, refusal: ManifestError) -> E {
        let error = E::custom(&refusal);
        self.refusal.replace(Some(refusal));
        error
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let walk = self.deeper()?;
        while items.next_element_seed(walk)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let walk = self.deeper()?;
        let mut keys = HashSet::new();
        while let Some(key) = members.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(self.refuse(ManifestError::DuplicateKey { key: shown(&key) }));
            }
            keys.insert(key);
            members.next_value_seed(walk)?;
        }
        Ok(())
    }
}

/// Judges the kind of document, then the host that it needs, before any other member counts.
pub(super) fn check_preamble(bytes: &[u8]) -> Result<(), ManifestError> {
    let preamble: Preamble =
        serde_json::from_slice(bytes).map_err(|error| ManifestError::json(&error))?;
    let kind = |found: &str| {
        Err(ManifestError::Kind {
            found: shown(found),
        })
    };
    let Some((key, tag)) = preamble.first else {
        return kind("nothing");
    };
    if key != "cofferdam" {
        return kind(&key);
    }
    if tag != FormatTag::TEXT && !tag.starts_with("package/") {
        return kind(&tag);
    }
    if let Some(needed) = preamble.host {
        let requirement = names::requirement("requires.host", &needed)?;
        if !Version::parse(HOST_VERSION).is_ok_and(|host| requirement.matches(&host)) {
            return Err(ManifestError::HostTooOld {
                needed: shown(&needed),
                host: HOST_VERSION,
            });
        }
    }
    if tag != FormatTag::TEXT {
        return Err(ManifestError::Format { found: shown(&tag) });
    }
    Ok(())
}

#[derive(Default)]
struct Preamble {
    first: Option<(String, String)>,
    host: Option<String>,
}

#[derive(Deserialize)]
struct HostRequirement {
    host: Option<String>,
}

impl<'de> Deserialize<'de> for Preamble {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Preamble;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a manifest")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Preamble, A::Error> {
                let mut preamble = Preamble::default();
                while let Some(key) = members.next_key::<String>()? {
                    if preamble.first.is_none() {
                        let value: serde_json::Value = members.next_value()?;
                        let value = value
                            .as_str()
                            .map_or_else(|| value.to_string(), str::to_owned);
                        preamble.first = Some((key, value));
                    } else if key == "requires" {
                        preamble.host = members.next_value::<HostRequirement>()?.host;
                    } else {
                        members.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(preamble)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Preamble, A::Error> {
                Err(A::Error::custom("expected an object, found an array"))
            }
        }

        deserializer.deserialize_map(Members)
    }
}
