// SPDX-License-Identifier: Apache-2.0
//! Every guest of `tests/guests`, let loose on an install by the real binary in a whole update.
//!
//! A guest has a test of its own name here, and does not compile without one; `script`, which does what
//! lines of text say, has many. `attack.rs` is what they share: the install, what lies around it, and
//! what must hold after every update, however it ends.

mod attack;
mod breaks;
mod components;
mod ends;
mod fills;
mod floods;
mod keys;
mod links;
mod never_ends;
mod paths;
mod takes_all;

/// The tests that bear the name of a guest.
mod tested {
    pub(super) use super::breaks::*;
    pub(super) use super::ends::*;
    pub(super) use super::fills::*;
    pub(super) use super::floods::*;
    pub(super) use super::keys::*;
    pub(super) use super::never_ends::*;
    pub(super) use super::paths::*;
    pub(super) use super::takes_all::*;
    pub(super) use crate::pure::an_update_makes_the_same_on_every_file_system_twice_in_a_row_and_from_the_cache as observes;
}

macro_rules! assert_test_exists {
    ($guest:ident) => {
        #[expect(unused_imports, reason = "that it can be imported is the point")]
        use tested::$guest as _;
    };
}

cofferdam_guests::foreach_guest!(assert_test_exists);
