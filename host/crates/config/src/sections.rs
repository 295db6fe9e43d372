// SPDX-License-Identifier: Apache-2.0
//! Files of sections: lines of `name = value` below `[headers]`. TOML, INI and `.env` share where things stand
//! ([`mod@layout`]) and which lines change with a key ([`mod@edit`]); how a name or a value is spelled is theirs.

mod edit;
mod layout;

pub(crate) use edit::Spelling;
pub(crate) use layout::Line;
pub(crate) use layout::LineKind;
pub(crate) use layout::Sections;
pub(crate) use layout::Slot;
