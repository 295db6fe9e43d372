// SPDX-License-Identifier: Apache-2.0
//! One file for each target, and the list of them.

pub mod archive;
pub mod component;
pub mod config;
pub mod glob;
pub mod history;
pub mod inventory;
pub mod journal;
pub mod key;
pub mod manifest;
pub mod marker;
pub mod messages;
pub mod path;
pub mod record;
pub mod resolver;
pub mod secrets;
pub mod settings;
pub mod signature;
pub mod source;
pub mod state;

/// A function that must return whatever it is given, and how it is tested.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: that of its file, its corpus and its dictionary.
    pub name: &'static str,
    /// Takes an input; panics when something does not hold.
    pub run: fn(&[u8]),
    /// How many inputs the ordinary test makes, besides the corpus.
    pub inputs: u32,
    /// Whether an input can be drawn from entropy; see `check::input`.
    pub draws: bool,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "archive",
        run: archive::target,
        inputs: 3_000,
        draws: true,
    },
    Target {
        name: "component",
        run: component::target,
        inputs: 3_000,
        draws: false,
    },
    Target {
        name: "config",
        run: config::target,
        inputs: 3_000,
        draws: true,
    },
    Target {
        name: "glob",
        run: glob::target,
        inputs: 10_000,
        draws: true,
    },
    Target {
        name: "history",
        run: history::target,
        inputs: 5_000,
        draws: true,
    },
    Target {
        name: "inventory",
        run: inventory::target,
        inputs: 5_000,
        draws: true,
    },
    Target {
        name: "journal",
        run: journal::target,
        inputs: 5_000,
        draws: true,
    },
    Target {
        name: "key",
        run: key::target,
        inputs: 5_000,
        draws: false,
    },
    Target {
        name: "manifest",
        run: manifest::target,
        inputs: 5_000,
        draws: true,
    },
    Target {
        name: "marker",
        run: marker::target,
        inputs: 5_000,
        draws: true,
    },
    Target {
        name: "messages",
        run: messages::target,
        inputs: 5_000,
        draws: false,
    },
    Target {
        name: "path",
        run: path::target,
        inputs: 10_000,
        draws: true,
    },
    Target {
        name: "record",
        run: record::target,
        inputs: 3_000,
        draws: true,
    },
    Target {
        name: "resolver",
        run: resolver::target,
        inputs: 1_000,
        draws: true,
    },
    Target {
        name: "secrets",
        run: secrets::target,
        inputs: 500,
        draws: true,
    },
    Target {
        name: "settings",
        run: settings::target,
        inputs: 5_000,
        draws: true,
    },
    Target {
        name: "signature",
        run: signature::target,
        inputs: 3_000,
        draws: false,
    },
    Target {
        name: "source",
        run: source::target,
        inputs: 5_000,
        draws: true,
    },
    Target {
        name: "state",
        run: state::target,
        inputs: 1_000,
        draws: true,
    },
];
