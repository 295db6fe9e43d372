// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask`: the routine tasks of this repository, the same for people, `just` and CI.
//!
//! Each task brings what it needs (the wasm target, the stock `minisign` for its tests), works below the
//! target directory only, and ends with an exit code that means what it says.

mod bench;
mod crash;
mod demo;
mod failure;
mod fuzz;
mod languages;
mod lint;
mod need;
mod real;
mod repo;
mod sample;
mod say;
mod soak;
mod test;
mod tool;
mod tree;

use failure::Outcome;
use repo::Repo;
use std::env;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask TASK

  demo     the whole story on the sample: an update of a running program, refusals, roll backs
  test     every test of the repository
  lint     format, clippy and documentation, warnings as errors
  sample   build, pack and sign the sample's packages into target/sample
  real     update two real programs, compare every byte, print sizes, times and memory
  crash [--full | --mutants] [--help]
           kill and break the product, and cut its power, at every call that changes a disk
  soak [--minutes N] [--help]
           random sequences of updates, crashes, full disks and accidents on an install with a program
           running in it, against a model of what it must be
  bench sandbox
           what steps cost, side by side with the same work outside of the sandbox
  languages [NAME…]
           one step in every language, or in those named: build, run, compare every byte
  fuzz TARGET [-max_total_time=600 …]
           libFuzzer on a target of tests/fuzz, on nightly";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match carry_out(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say::error(&failure.to_string());
            ExitCode::FAILURE
        }
    }
}

fn carry_out(words: &[&str]) -> Outcome {
    if let ["languages", names @ ..] = words {
        return languages::run(&Repo::find()?, names);
    }
    let task = match words {
        ["demo"] => demo::run,
        ["test"] => test::run,
        ["lint"] => lint::run,
        ["sample"] => sample::run,
        ["real"] => real::run,
        ["bench", "sandbox"] => bench::sandbox,
        ["crash", words @ ..] => return crash::run(&Repo::find()?, words),
        ["soak", words @ ..] => return soak::run(&Repo::find()?, words),
        ["fuzz", target, options @ ..] => return fuzz::run(&Repo::find()?, target, options),
        [] | ["help" | "-h" | "--help"] => {
            say::line(USAGE);
            return Ok(());
        }
        other => return Err(format!("no task `{}`\n\n{USAGE}", other.join(" ")).into()),
    };
    task(&Repo::find()?)
}
