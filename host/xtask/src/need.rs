// SPDX-License-Identifier: Apache-2.0
//! What a task needs beyond rustup and a C compiler, and how it gets there.

use crate::failure::Failure;
use crate::failure::Outcome;
use crate::repo::Repo;
use crate::say;
use crate::tool::Tool;
use std::path::Path;

/// What steps are built for.
pub(crate) const WASM: &str = "wasm32-wasip2";

/// Makes sure that steps can be built.
pub(crate) fn wasm_target(repo: &Repo) -> Outcome {
    let libraries = Tool::new("rustc")
        .args(["--print", "target-libdir", "--target", WASM])
        .within(&repo.root)
        .output()?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    say::note(&format!("the target {WASM} is missing: adding it"));
    Tool::new("rustup")
        .args(["target", "add", WASM])
        .within(&repo.root)
        .run()
}

/// Makes sure that there is a nightly toolchain: libFuzzer needs its instrumentation.
pub(crate) fn nightly() -> Outcome {
    if Tool::new("rustup")
        .args(["run", "nightly", "rustc", "--version"])
        .succeeds()
    {
        return Ok(());
    }
    say::note("there is no nightly toolchain: installing it");
    Tool::new("rustup")
        .args(["toolchain", "install", "nightly", "--profile", "minimal"])
        .run()
}

/// Makes sure that `cargo fuzz` is there.
pub(crate) fn cargo_fuzz(repo: &Repo) -> Outcome {
    if Tool::cargo().args(["fuzz", "--version"]).succeeds() {
        return Ok(());
    }
    say::note("cargo-fuzz is missing: installing it");
    Tool::cargo()
        .args(["install", "--locked", "cargo-fuzz"])
        .within(&repo.root)
        .run()
}

/// A tool that tests need: how to ask whether it is there, and Debian's package of it.
struct Stock {
    name: &'static str,
    asked: &'static str,
    package: &'static str,
}

/// `minisign` for signatures, the next for what they find in a package, which is a zip, the others to make
/// file systems and what is odd in them.
const STOCK: &[Stock] = &[
    Stock {
        name: "minisign",
        asked: "-v",
        package: "minisign",
    },
    Stock {
        name: "python3",
        asked: "--version",
        package: "python3",
    },
    Stock {
        name: "unzip",
        asked: "-v",
        package: "unzip",
    },
    Stock {
        name: "bsdtar",
        asked: "--version",
        package: "libarchive-tools",
    },
    Stock {
        name: "mkfs.ext4",
        asked: "-V",
        package: "e2fsprogs",
    },
    Stock {
        name: "mkfs.xfs",
        asked: "-V",
        package: "xfsprogs",
    },
    Stock {
        name: "mkfs.btrfs",
        asked: "--version",
        package: "btrfs-progs",
    },
    Stock {
        name: "setfacl",
        asked: "--version",
        package: "acl",
    },
    Stock {
        name: "setfattr",
        asked: "--version",
        package: "attr",
    },
    Stock {
        name: "setcap",
        asked: "-h",
        package: "libcap2-bin",
    },
];

/// Makes sure that the stock tools are there that tests need.
pub(crate) fn stock_tools() -> Outcome {
    let is_missing = |tool: &&Stock| !Tool::new(tool.name).arg(tool.asked).succeeds();
    let missing: Vec<&Stock> = STOCK.iter().filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    let names: Vec<&str> = missing.iter().map(|tool| tool.name).collect();
    let (names, listed) = (names.join(", "), packages.join(" "));
    if is_root() && Tool::new("apt-get").arg("--version").succeeds() {
        say::note(&format!("missing: {names}; installing {listed}"));
        if install(&packages).is_err() {
            Tool::new("apt-get").args(["-qq", "update"]).run()?;
            install(&packages)?;
        }
        return Ok(());
    }
    Err(Failure::from(format!(
        "the tests need {names}: install them (Debian and Ubuntu: `apt-get install {listed}`) and \
         run them again"
    )))
}

fn install(packages: &[&str]) -> Outcome {
    Tool::new("apt-get")
        .args(["install", "-qq", "--yes", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()
}

/// Whether we run as root.
pub(crate) fn is_root() -> bool {
    Tool::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.trim() == "0")
}
