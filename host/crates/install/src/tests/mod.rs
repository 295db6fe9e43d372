// SPDX-License-Identifier: Apache-2.0
//! Promises about whole installs, on a real file system.

mod adopt;
mod crash;
mod damage;
mod from_disk;
mod outside;
mod rollback;
mod transaction;
mod world;
