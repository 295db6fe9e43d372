// SPDX-License-Identifier: Apache-2.0
//! The operator's `install.toml`. What `adopt` writes of accepted settings is accepted and says the same.

use arbitrary::Unstructured;
use cofferdam_install::CODES;
use cofferdam_install::Settings;
use cofferdam_install::settings::render;
use cofferdam_package::keyring::TrustedKey;

use crate::check::input;
use crate::check::known;
use crate::text;

/// Takes the text of an `install.toml`.
pub fn target(data: &[u8]) {
    let data = input(data, draw);
    let Ok(text) = str::from_utf8(&data) else {
        return;
    };
    let read = match Settings::parse(text, "install.toml") {
        Ok(read) => read,
        Err(error) => {
            known(error.code(), CODES);
            let lines = text.split('\n').count();
            let (line, column) = error.at.expect("a mistake in a text has a place");
            assert!(
                (1..=lines).contains(&line) && column > 0,
                "{line}:{column} of {lines} lines"
            );
            return;
        }
    };
    assert!(
        read.policy.signatures.vendor > 0,
        "a signature is never optional"
    );
    let trust: Vec<TrustedKey> = read.trust.iter().cloned().collect();
    let written = render(&read.id, &read.roles, &trust, &read.live.patterns());
    let again = Settings::parse(&written, "install.toml").expect("what was accepted is accepted");
    assert_eq!(again.id, read.id);
    assert_eq!(again.roles, read.roles);
    assert_eq!(again.trust, read.trust);
    assert_eq!(again.live, read.live);
}

fn draw(u: &mut Unstructured<'_>) -> Vec<u8> {
    let seeds = [
        include_str!("../../corpus/settings/whole.toml"),
        include_str!("../../corpus/settings/minimal.toml"),
    ];
    text::toml(u, &seeds)
}
