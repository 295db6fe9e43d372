// SPDX-License-Identifier: Apache-2.0
//! Keys and signatures are minisign's own: the stock tool verifies what we sign, and the other way
//! round. Needs the tool: `apt install minisign`.

use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use crate::harness::Machine;
use crate::harness::Ran;

/// Runs the stock tool on the machine, with a text on its standard input.
fn minisign<const N: usize>(machine: &Machine, arguments: [&str; N], input: &str) -> Ran {
    let child = Command::new("minisign")
        .args(arguments)
        .current_dir(machine.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => panic!("the stock `minisign` tool is needed (apt install minisign): {error}"),
    };
    let mut stdin = child.stdin.take().unwrap();
    // A tool that does not ask does not read.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    Ran {
        exit: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        peak_bytes: 0,
    }
}

/// A package without a signature, and its manifest as a file to sign elsewhere.
fn unsigned(machine: &Machine) -> (PathBuf, &'static str) {
    let package = machine.source("1.0.0").file("agent", "one").pack_unsigned();
    extract(machine, &package, "look");
    (package, machine.str("look/manifest.json"))
}

fn extract(machine: &Machine, package: &Path, name: &str) {
    let folder = machine.str(name);
    let package = package.to_str().unwrap();
    machine
        .run(["inspect", package, "--extract", folder])
        .expect(0);
}

/// The package is taken by an install that trusts this key alone.
#[track_caller]
fn trusted_by(machine: &Machine, package: &Path, public_key: &str) {
    let install = machine.str("opt/agent");
    machine.lay_out(package, Path::new(install));
    let package = package.to_str().unwrap();
    machine
        .run([
            "adopt",
            install,
            "--trust",
            public_key,
            "--package",
            package,
        ])
        .expect(0);
}

#[test]
fn the_stock_tool_verifies_what_we_sign() {
    let machine = Machine::new();
    let package = machine.source("1.0.0").file("agent", "one").pack();
    extract(&machine, &package, "look");
    let signatures = std::fs::read_dir(machine.path("look/signatures")).unwrap();
    let signatures: Vec<PathBuf> = signatures.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(signatures.len(), 1);
    let manifest = machine.str("look/manifest.json");
    let signature = signatures[0].to_str().unwrap();
    let public_key = machine.str("acme.pub");
    let verify = ["-V", "-p", public_key, "-m", manifest, "-x", signature];
    minisign(&machine, verify, "").expect(0);
    std::fs::write(manifest, "another text").unwrap();
    minisign(&machine, verify, "").expect(1);
}

#[test]
fn the_stock_tool_signs_with_our_key() {
    let machine = Machine::new();
    let (package, manifest) = unsigned(&machine);
    let secret_key = machine.str("acme.key");
    minisign(&machine, ["-S", "-s", secret_key, "-m", manifest], "").expect(0);
    let signature = machine.str("look/manifest.json.minisig");
    let public_key = machine.str("acme.pub");
    let file = package.to_str().unwrap();
    machine
        .run(["attach", file, signature, "--key", public_key])
        .expect(0);
    trusted_by(&machine, &package, public_key);
}

#[test]
fn we_take_keys_and_signatures_that_the_stock_tool_made() {
    let machine = Machine::new();
    let (package, manifest) = unsigned(&machine);
    let (public_key, secret_key) = (machine.str("stock.pub"), machine.str("stock.key"));
    minisign(
        &machine,
        ["-G", "-W", "-p", public_key, "-s", secret_key],
        "",
    )
    .expect(0);
    minisign(&machine, ["-S", "-s", secret_key, "-m", manifest], "").expect(0);
    let signature = machine.str("look/manifest.json.minisig");
    let file = package.to_str().unwrap();
    machine
        .run(["attach", file, signature, "--key", public_key])
        .expect(0);
    trusted_by(&machine, &package, public_key);
}

#[test]
fn we_sign_with_a_key_that_the_stock_tool_made() {
    let machine = Machine::new();
    let (package, _) = unsigned(&machine);
    let (public_key, secret_key) = (machine.str("stock.pub"), machine.str("stock.key"));
    minisign(
        &machine,
        ["-G", "-W", "-p", public_key, "-s", secret_key],
        "",
    )
    .expect(0);
    let file = package.to_str().unwrap();
    machine.run(["sign", file, "--key", secret_key]).expect(0);
    trusted_by(&machine, &package, public_key);
}

#[test]
fn a_key_with_a_password_works_in_both_tools() {
    let machine = Machine::new();
    let (package, manifest) = unsigned(&machine);
    let ours = |arguments: &[&str], password: &str| {
        let mut command = machine.command(arguments);
        Ran::of(command.env("COFFERDAM_PASSWORD", password))
    };
    let (public_key, secret_key) = (machine.str("locked.pub"), machine.str("locked.key"));
    ours(&["keygen", machine.str("locked")], "correct horse").expect(0);
    let stock = ["-S", "-s", secret_key, "-m", manifest];
    minisign(&machine, stock, "correct horse\n").expect(0);
    let signature = machine.str("look/manifest.json.minisig");
    let verify = ["-V", "-p", public_key, "-m", manifest, "-x", signature];
    minisign(&machine, verify, "").expect(0);

    let before = std::fs::read(&package).unwrap();
    let sign = [
        "sign",
        package.to_str().unwrap(),
        "--key",
        secret_key,
        "--json",
    ];
    let wrong = ours(&sign, "wrong");
    assert_ne!(wrong.exit, Some(0));
    assert!(!wrong.code().is_empty());
    let asked = machine.run(sign);
    assert_eq!(asked.code(), "password-needed");
    assert_eq!(std::fs::read(&package).unwrap(), before);
    ours(&sign, "correct horse").expect(0);
    trusted_by(&machine, &package, public_key);
}

#[test]
fn a_signature_of_the_old_kind_is_refused() {
    let machine = Machine::new();
    let (package, manifest) = unsigned(&machine);
    let before = std::fs::read(&package).unwrap();
    let secret_key = machine.str("acme.key");
    minisign(&machine, ["-S", "-l", "-s", secret_key, "-m", manifest], "").expect(0);
    let signature = machine.str("look/manifest.json.minisig");
    let file = package.to_str().unwrap();
    let ran = machine.run(["attach", file, signature, "--json"]).expect(3);
    assert!(ran.code().starts_with("signature"), "{}", ran.stdout);
    assert_eq!(std::fs::read(&package).unwrap(), before);
}
