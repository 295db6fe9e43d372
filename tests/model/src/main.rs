// SPDX-License-Identifier: Apache-2.0
//! The soak: sequences of the model test for as long as somebody likes, with a program running in the
//! install. `cargo xtask soak` runs it.

#![expect(clippy::print_stdout, reason = "a report is printed")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use std::time::Instant;

use cofferdam_crash::machine::build_guests;
use cofferdam_model::Setup;
use cofferdam_model::Survived;
use cofferdam_model::survive;

const USAGE: &str = "\
usage: cargo xtask soak [--minutes NUMBER] [--seed NUMBER] [--actions NUMBER]

Without --minutes: one. Sequences of --actions (60) on a fresh install each, with seeds counted on from --seed
(1), until the time is over; at least one.";

/// How often it is said how far things are.
const TOLD_EVERY: Duration = Duration::from_mins(1);

struct Asked {
    product: PathBuf,
    target: PathBuf,
    minutes: u64,
    seed: u64,
    actions: usize,
}

fn main() -> ExitCode {
    match parse(std::env::args().skip(1)).and_then(|asked| soak(&asked)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked = Asked {
        product: PathBuf::new(),
        target: PathBuf::new(),
        minutes: 1,
        seed: 1,
        actions: 60,
    };
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .ok_or_else(|| format!("{word} needs a value\n\n{USAGE}"))
        };
        let number = |value: String| {
            let number = value.parse::<u64>();
            number.map_err(|_| format!("`{value}` is no number\n\n{USAGE}"))
        };
        match word.as_str() {
            "--help" | "-h" => return Err(USAGE.to_owned()),
            "--product" => asked.product = value()?.into(),
            "--target" => asked.target = value()?.into(),
            "--minutes" => asked.minutes = number(value()?)?,
            "--seed" => asked.seed = number(value()?)?,
            "--actions" => asked.actions = number(value()?)? as usize,
            _ => return Err(format!("no option `{word}`\n\n{USAGE}")),
        }
    }
    Ok(asked)
}

fn soak(asked: &Asked) -> Result<(), String> {
    let script = build_guests(&asked.target.join("guests"));
    let setup = Setup {
        product: &asked.product,
        script: &script,
        with_program: true,
    };
    let started = Instant::now();
    let limit = Duration::from_secs(asked.minutes * 60);
    let (mut survived, mut told) = (Survived::default(), Instant::now());
    for seed in asked.seed.. {
        let one = survive(setup, seed, asked.actions);
        survived.add(&one.map_err(|violation| {
            let again = format!("cargo xtask soak --minutes 0 --seed {seed}");
            format!(
                "{survived}\nVIOLATION {violation}\n{again} --actions {}",
                asked.actions
            )
        })?);
        if started.elapsed() >= limit {
            break;
        }
        if told.elapsed() >= TOLD_EVERY {
            told = Instant::now();
            println!("survived {survived}");
        }
    }
    println!("survived, in {} s: {survived}", started.elapsed().as_secs());
    Ok(())
}
