// SPDX-License-Identifier: Apache-2.0
//! `cofferdam-guest`: makes a step out of what another language's compiler produces.
//!
//! A vendor's tool, never part of the product: what it makes goes through the same gate as any other
//! component, so nothing depends on it being right.

mod c;
mod core_module;
mod network;
mod world;

use anyhow::Context as _;
use anyhow::Result;
use anyhow::bail;
use std::env;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "\
usage: cofferdam-guest COMMAND

  c-bindings DIR                      write step.h, step.c and step_component_type.o, the contract in C
  component CORE.wasm -o STEP.wasm    make a step of a core module (C, Zig, …) that was linked as a reactor
  deny-network IN.wasm -o STEP.wasm   answer a component's imports of sockets within itself: access denied";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match carry_out(&words) {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(words: &[&str]) -> Result<String> {
    match words {
        ["c-bindings", folder] => {
            let written = c::bindings(Path::new(folder))?;
            Ok(format!("{} in {folder}", written.join(", ")))
        }
        ["component", module, "-o", output] => {
            let component = core_module::component(&read(module)?)?;
            write(output, &component)?;
            Ok(format!("{output}: {} bytes", component.len()))
        }
        ["deny-network", input, "-o", output] => {
            let denied = network::deny(&read(input)?)?;
            write(output, &denied.component)?;
            let denied = denied.interfaces.join(", ");
            Ok(format!(
                "{output}: answered inside, always denied: {denied}"
            ))
        }
        [] | ["help" | "-h" | "--help"] => Ok(USAGE.to_owned()),
        other => bail!("no command `{}`\n\n{USAGE}", other.join(" ")),
    }
}

fn read(path: &str) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("`{path}` cannot be read"))
}

fn write(path: &str, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("`{path}` cannot be written"))
}
