// SPDX-License-Identifier: Apache-2.0
//! What a file means, whatever its format: the answer of the *second* parser of each format.
//!
//! Values are read from here, and every edit is judged against it. Order and duplicates are kept; positions,
//! comments and spelling are the business of the layouts and must never matter here.

use crate::Scalar;
use crate::Value;

/// One value, list or table.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    /// Members in the order of the file, duplicates included.
    Table(Vec<(String, Node)>),
    List(Vec<Node>),
    Scalar(Scalar),
    /// A value without a type here; `text` tells two of them apart.
    Other {
        kind: &'static str,
        text: String,
    },
}

/// Why a path leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// A name on the way stands there twice.
    Ambiguous,
    /// Something on the way is not a table.
    Blocked(&'static str),
}

impl Node {
    pub(crate) fn null() -> Self {
        Self::Other {
            kind: "null",
            text: String::new(),
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Other { kind: "null", .. })
    }

    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Table(_) => "table",
            Self::List(items) if items.iter().any(|item| !matches!(item, Self::Scalar(_))) => {
                "list of other things than scalars"
            }
            Self::List(_) => "list",
            Self::Scalar(scalar) => scalar.type_name(),
            Self::Other { kind, .. } => kind,
        }
    }

    /// The node at `path`; list elements are found by their number.
    pub(crate) fn find(&self, path: &[String]) -> Result<Option<&Self>, Lost> {
        let mut node = self;
        for part in path {
            node = match node {
                Self::Table(members) => {
                    let mut same = members.iter().filter(|(name, _)| name == part);
                    let Some((_, next)) = same.next() else {
                        return Ok(None);
                    };
                    if same.next().is_some() {
                        return Err(Lost::Ambiguous);
                    }
                    next
                }
                Self::List(items) if !node.is_flat() => {
                    match part
                        .parse::<usize>()
                        .ok()
                        .and_then(|index| items.get(index))
                    {
                        Some(item) => item,
                        None => return Ok(None),
                    }
                }
                Self::Other { kind: "null", .. } => return Ok(None),
                Self::List(_) | Self::Scalar(_) | Self::Other { .. } => {
                    return Err(Lost::Blocked(node.kind()));
                }
            };
        }
        Ok(Some(node))
    }

    /// Whether `path` goes through a list: readable, never edited by key.
    pub(crate) fn passes_list(&self, path: &[String]) -> bool {
        (0..path.len()).any(|end| {
            matches!(
                self.find(path.get(..end).unwrap_or_default()),
                Ok(Some(Self::List(_)))
            )
        })
    }

    fn is_flat(&self) -> bool {
        match self {
            Self::List(items) => items.iter().all(|item| matches!(item, Self::Scalar(_))),
            Self::Table(_) | Self::Scalar(_) | Self::Other { .. } => false,
        }
    }

    pub(crate) fn value(&self) -> Option<Value> {
        match self {
            Self::Scalar(scalar) => Some(Value::Scalar(scalar.clone())),
            Self::List(items) => items
                .iter()
                .map(|item| match item {
                    Self::Scalar(scalar) => Some(scalar.clone()),
                    Self::Table(_) | Self::List(_) | Self::Other { .. } => None,
                })
                .collect::<Option<Vec<_>>>()
                .map(Value::List),
            Self::Table(_) | Self::Other { .. } => None,
        }
    }

    pub(crate) fn from_value(value: &Value) -> Self {
        match value {
            Value::Scalar(scalar) => Self::Scalar(scalar.clone()),
            Value::List(items) => Self::List(items.iter().cloned().map(Self::Scalar).collect()),
        }
    }

    /// All leaves below with their paths, in the order of the file. Lists of more than scalars are opened by
    /// number.
    pub(crate) fn leaves<'a>(
        &'a self,
        path: &mut Vec<String>,
        found: &mut Vec<(Vec<String>, &'a Self)>,
    ) {
        match self {
            Self::Table(members) => {
                for (name, node) in members {
                    path.push(name.clone());
                    node.leaves(path, found);
                    path.pop();
                }
            }
            Self::List(items) if !self.is_flat() => {
                for (index, node) in items.iter().enumerate() {
                    path.push(index.to_string());
                    node.leaves(path, found);
                    path.pop();
                }
            }
            Self::List(_) | Self::Scalar(_) | Self::Other { .. } => {
                found.push((path.clone(), self));
            }
        }
    }

    /// The same with `leaf` at `path`, tables on the way made where there is nothing.
    pub(crate) fn with(self, path: &[String], leaf: Self) -> Self {
        let Some((first, rest)) = path.split_first() else {
            return leaf;
        };
        let mut members = match self {
            Self::Table(members) => members,
            Self::List(_) | Self::Scalar(_) | Self::Other { .. } => Vec::new(),
        };
        match members.iter_mut().find(|(name, _)| name == first) {
            Some((_, node)) => {
                *node = std::mem::replace(node, Self::null()).with(rest, leaf);
            }
            None => members.push((first.clone(), Self::null().with(rest, leaf))),
        }
        Self::Table(members)
    }

    /// The same without `path`, and without the tables that this left empty.
    pub(crate) fn without(mut self, path: &[String]) -> Self {
        self.cut(path);
        self.prune(path)
    }

    fn cut(&mut self, path: &[String]) {
        let Some((last, way)) = path.split_last() else {
            return;
        };
        let mut node = self;
        for part in way {
            let Self::Table(members) = node else { return };
            let Some((_, next)) = members.iter_mut().find(|(name, _)| name == part) else {
                return;
            };
            node = next;
        }
        if let Self::Table(members) = node {
            members.retain(|(name, _)| name != last);
        }
    }

    /// Drops empty tables (and YAML's `name:` with nothing behind) on the way to `path`: formats differ in
    /// whether an emptied table is still there.
    pub(crate) fn prune(mut self, path: &[String]) -> Self {
        for end in (1..path.len()).rev() {
            let way = path.get(..end).unwrap_or_default();
            let empty = match self.find(way) {
                Ok(Some(Self::Table(members))) => members.is_empty(),
                Ok(Some(node)) => node.is_null(),
                Ok(None) | Err(_) => false,
            };
            if empty {
                self.cut(way);
            }
        }
        if self.is_null() {
            Self::Table(Vec::new())
        } else {
            self
        }
    }

    /// Same meaning: order of members does not count, everything else does.
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Table(a), Self::Table(b)) => {
                a.len() == b.len()
                    && by_name(a)
                        .iter()
                        .zip(by_name(b).iter())
                        .all(|(a, b)| a.0 == b.0 && a.1.same(&b.1))
            }
            (Self::List(a), Self::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same(b))
            }
            (Self::Scalar(a), Self::Scalar(b)) => a.same(b),
            (Self::Other { kind: a, text: x }, Self::Other { kind: b, text: y }) => {
                a == b && x == y
            }
            _ => false,
        }
    }

    /// Whether tables and lists nest at most `limit` levels. Parsers were bounded before: this recursion is too.
    pub(crate) fn is_within(&self, limit: usize) -> bool {
        match self {
            Self::Table(members) => {
                limit > 0 && members.iter().all(|(_, node)| node.is_within(limit - 1))
            }
            Self::List(items) => limit > 0 && items.iter().all(|node| node.is_within(limit - 1)),
            Self::Scalar(_) | Self::Other { .. } => true,
        }
    }
}

/// Members sorted by name; duplicates stay in the order of the file.
fn by_name(members: &[(String, Node)]) -> Vec<&(String, Node)> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    sorted
}
