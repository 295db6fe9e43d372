// SPDX-License-Identifier: Apache-2.0
//! More of the inputs that a target's ordinary test makes, without nightly:
//! `cargo run --release --package cofferdam-fuzz --example longer -- TARGET FIRST END`.
//!
//! Input `FIRST` and those up to `END`; the test makes the first ones from 0 on. What fails is named by its
//! number, and fails again.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a tool for whoever looks for faults"
)]

use std::fs;
use std::panic;
use std::path::Path;
use std::process::ExitCode;

use cofferdam_fuzz::TARGETS;
use cofferdam_fuzz::seeds::Inputs;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [name, first, end] = &words[..] else {
        println!("expected TARGET FIRST END");
        return ExitCode::from(2);
    };
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(folder.join("corpus").join(name)).unwrap();
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let corpus: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let dictionary = fs::read_to_string(folder.join(format!("dictionaries/{name}.dict")));
    let inputs = Inputs::new(*target, &corpus, &dictionary.unwrap_or_default());
    let mut failed = 0;
    for number in first.parse::<u32>().unwrap()..end.parse().unwrap() {
        let input = inputs.get(number);
        if panic::catch_unwind(|| (target.run)(&input)).is_err() {
            println!("input {number}: {}", input.escape_ascii());
            failed += 1;
        }
    }
    println!("{failed} failed");
    ExitCode::from(u8::from(failed > 0))
}
