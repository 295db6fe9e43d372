// SPDX-License-Identifier: Apache-2.0
//! What plain deserialising would let pass: duplicate keys, nesting, texts and lists that take many
//! times their size in memory, and the order of judgement.

use std::borrow::Cow;
use std::cell::Cell;
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
use super::object::Object;
use crate::limits::Limits;
use crate::path::shown;

/// Bytes of one text or name, escapes and all. Stops texts that a parser copies, and that messages
/// would quote. Every text of the format is shorter, and most of the longer ones still get the code
/// of their own rule.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// Names of members in the objects around one that is as large as any may be: no manifest has as many.
const NAMES_AROUND: usize = 1_000;

/// Checks that the bytes are one JSON value without duplicate keys, not too deep, and without lists or
/// texts that no manifest has.
pub(super) fn check_json(bytes: &[u8], limits: &Limits) -> Result<Found, ManifestError> {
    check_texts(bytes)?;
    let refusal = RefCell::new(None);
    let has_null = Cell::new(false);
    let members = usize::try_from(limits.archive_entries).unwrap_or(usize::MAX);
    let members = members.max(limits.manifest_entries);
    let walk = Walk {
        left: limits.manifest_depth,
        limit: limits.manifest_depth,
        members,
        names_left: members.saturating_add(NAMES_AROUND),
        refusal: &refusal,
        has_null: &has_null,
    };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let outcome = walk.deserialize(&mut json).and_then(|()| json.end());
    match (refusal.into_inner(), outcome) {
        (Some(refusal), _) => Err(refusal),
        (None, Err(error)) => Err(ManifestError::json(&error)),
        (None, Ok(())) => Ok(Found {
            has_null: has_null.get(),
        }),
    }
}

/// What a JSON value has that is judged once its format is known.
pub(super) struct Found {
    has_null: bool,
}

impl Found {
    /// A member that may be missing is read from `null`, too: a second spelling of the same thing.
    pub(super) fn refuse_null(&self) -> Result<(), ManifestError> {
        if self.has_null {
            let message = "found `null`; a member without a value is left out".to_owned();
            return Err(ManifestError::Schema { message });
        }
        Ok(())
    }
}

/// Measures texts before a parser unescapes them into a buffer. What is no JSON is left to the parser.
fn check_texts(bytes: &[u8]) -> Result<(), ManifestError> {
    let mut rest = bytes;
    while let Some(start) = rest.iter().position(|byte| *byte == b'"') {
        rest = rest.get(start.saturating_add(1)..).unwrap_or_default();
        let mut is_escaped = false;
        let end = rest.iter().position(|byte| {
            let ends = *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && !is_escaped;
            ends
        });
        let end = end.unwrap_or(rest.len());
        if end > MAX_TEXT_BYTES {
            let start = rest.get(..MAX_TEXT_BYTES.min(1_024)).unwrap_or_default();
            return Err(ManifestError::Text {
                field: "a text of the manifest",
                found: shown(&String::from_utf8_lossy(start)),
                limit_bytes: MAX_TEXT_BYTES,
            });
        }
        rest = rest.get(end.saturating_add(1)..).unwrap_or_default();
    }
    Ok(())
}

/// Visits every value and keeps none. The first finding of ours is left in `refusal`, since a serde
/// error carries only text.
#[derive(Clone, Copy)]
struct Walk<'a> {
    left: usize,
    limit: usize,
    members: usize,
    /// Of the names of members that may be held at once, those of the objects around included.
    names_left: usize,
    refusal: &'a RefCell<Option<ManifestError>>,
    has_null: &'a Cell<bool>,
}

impl Walk<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Self { left, ..self }),
            None => Err(self.refuse(ManifestError::TooDeep { limit: self.limit })),
        }
    }

    fn count<E: serde::de::Error>(self, count: &mut usize, what: &'static str) -> Result<(), E> {
        *count = count.saturating_add(1);
        if *count > self.members {
            let limit = self.members;
            return Err(self.refuse(ManifestError::TooMany { what, limit }));
        }
        Ok(())
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
        self.has_null.set(true);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let walk = self.deeper()?;
        let mut count = 0;
        while items.next_element_seed(walk)?.is_some() {
            self.count(&mut count, "items in one list")?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let walk = self.deeper()?;
        let mut keys = HashSet::new();
        let mut count = 0;
        while let Some(Key(key)) = members.next_key()? {
            self.count(&mut count, "members of one object")?;
            let Some(names_left) = self.names_left.checked_sub(count) else {
                return Err(self.refuse(ManifestError::TooMany {
                    what: "members of objects in one another",
                    limit: self.members,
                }));
            };
            if keys.contains(&key) {
                return Err(self.refuse(ManifestError::DuplicateKey { key: shown(&key) }));
            }
            keys.insert(key);
            members.next_value_seed(Self { names_left, ..walk })?;
        }
        Ok(())
    }
}

/// The name of a member, borrowed where it has no escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;

        impl<'de> Visitor<'de> for Name {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a member")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(Name)
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

/// The text of a value; what is no text is not kept.
struct Tag(String);

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Value;

        impl<'de> Visitor<'de> for Value {
            type Value = Tag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_str<E>(self, text: &str) -> Result<Tag, E> {
                Ok(Tag(text.to_owned()))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Tag, E> {
                Ok(Tag(value.to_string()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Tag, E> {
                Ok(Tag(value.to_string()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Tag, E> {
                Ok(Tag(value.to_string()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Tag, E> {
                Ok(Tag(value.to_string()))
            }

            fn visit_unit<E>(self) -> Result<Tag, E> {
                Ok(Tag("null".to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tag, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Tag("a list".to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Tag, A::Error> {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Tag("an object".to_owned()))
            }
        }

        deserializer.deserialize_any(Value)
    }
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
                        let Tag(tag) = members.next_value()?;
                        preamble.first = Some((key, tag));
                    } else if key == "requires" {
                        preamble.host = members.next_value::<Object<HostRequirement>>()?.0.host;
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
