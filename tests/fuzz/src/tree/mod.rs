// SPDX-License-Identifier: Apache-2.0
//! A step's tree on a real file system, and what must hold of every call that a step can make on it.
//!
//! | file | what it is |
//! |---|---|
//! | `plan.rs` | what is in the tree, what is granted, what is called: as text |
//! | `draw.rs` | a plan from entropy |
//! | `world.rs` | the tree on disk, something outside of it, and snapshots of both |
//! | `rules.rs` | the grants, judged by their documentation and by a naive matcher |
//! | `walk.rs` | where a path leads, name by name, with nothing but `lstat` and `readlink` |
//! | `foresee.rs` | what a call must answer, as far as these two know |
//! | `aftermath.rs` | what may be different on disk after a call, and after all of them |
//! | `run.rs` | makes the calls |

mod aftermath;
mod draw;
mod foresee;
mod plan;
mod rules;
mod run;
mod walk;
mod world;

pub(crate) use draw::draw;
pub(crate) use plan::Object;
pub(crate) use plan::ObjectKind;
pub(crate) use plan::Plan;
pub(crate) use rules::Rules;
pub(crate) use run::Run;
pub(crate) use world::World;
