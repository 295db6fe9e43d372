// SPDX-License-Identifier: Apache-2.0
//! Lists and objects of which only so much is read as any manifest may have. `["","",…]` takes eight
//! times its size in memory once it is read; what goes beyond the cap is counted and not kept.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;

use super::ManifestError;

/// A list of at most `MOST` items, or the finding that there were more.
#[derive(Serialize)]
#[serde(transparent)]
pub(super) struct Capped<T, const MOST: usize> {
    items: Vec<T>,
    #[serde(skip)]
    has_more: bool,
}

impl<T, const MOST: usize> Capped<T, MOST> {
    /// The items; `what` names them in a refusal.
    pub(super) fn into_vec(self, what: &'static str) -> Result<Vec<T>, ManifestError> {
        if self.has_more {
            return Err(ManifestError::TooMany { what, limit: MOST });
        }
        Ok(self.items)
    }

    /// The first items, where a later rule refuses as many as `MOST`.
    pub(super) fn into_first(self) -> Vec<T> {
        self.items
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl<T, const MOST: usize> From<Vec<T>> for Capped<T, MOST> {
    fn from(items: Vec<T>) -> Self {
        Self {
            items,
            has_more: false,
        }
    }
}

impl<T, const MOST: usize> Default for Capped<T, MOST> {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for Capped<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T, const MOST: usize>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Items<T, MOST> {
            type Value = Capped<T, MOST>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while items.len() < MOST {
                    match list.next_element()? {
                        Some(item) => items.push(item),
                        None => return Ok(Capped::from(items)),
                    }
                }
                let mut has_more = false;
                while list.next_element::<IgnoredAny>()?.is_some() {
                    has_more = true;
                }
                Ok(Capped { items, has_more })
            }
        }

        deserializer.deserialize_seq(Items(PhantomData))
    }
}

/// An object of at most `MOST` members, or the finding that there were more.
pub(super) struct CappedMap<T, const MOST: usize> {
    members: BTreeMap<String, T>,
    has_more: bool,
}

impl<T, const MOST: usize> CappedMap<T, MOST> {
    /// The members; `what` names them in a refusal.
    pub(super) fn into_map(self, what: &'static str) -> Result<BTreeMap<String, T>, ManifestError> {
        if self.has_more {
            return Err(ManifestError::TooMany { what, limit: MOST });
        }
        Ok(self.members)
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for CappedMap<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T, const MOST: usize>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Members<T, MOST> {
            type Value = CappedMap<T, MOST>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while members.len() < MOST {
                    match object.next_entry()? {
                        Some((name, value)) => {
                            members.insert(name, value);
                        }
                        None => {
                            return Ok(CappedMap {
                                members,
                                has_more: false,
                            });
                        }
                    }
                }
                let mut has_more = false;
                while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                    has_more = true;
                }
                Ok(CappedMap { members, has_more })
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}
