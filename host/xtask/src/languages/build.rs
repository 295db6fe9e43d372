// SPDX-License-Identifier: Apache-2.0
//! From sources to components, with the commands that the guides name.

use super::Component;
use super::Language;
use super::toolchains::Toolchains;
use crate::failure::Outcome;
use crate::need::WASM;
use crate::repo::Repo;
use crate::say;
use crate::tool::Tool;
use crate::tree;
use std::path::Path;
use std::path::PathBuf;
use std::time::Instant;

/// Everything that components are built with.
pub(super) struct Workshop<'a> {
    repo: &'a Repo,
    toolchains: Toolchains,
    /// The vendors' tool of this repository.
    guest: PathBuf,
    /// Where components are put.
    output: PathBuf,
}

/// One program in one language.
struct Program {
    name: &'static str,
    /// The file with the program, without its ending.
    source: PathBuf,
}

impl<'a> Workshop<'a> {
    /// Builds the vendors' tool.
    pub(super) fn open(repo: &'a Repo, toolchains: Toolchains) -> Outcome<Self> {
        let (folder, target) = repo.guest_tool();
        Tool::cargo()
            .args(["build", "--quiet", "--locked"])
            .within(&folder)
            .env("CARGO_TARGET_DIR", &target)
            .run()?;
        Ok(Self {
            repo,
            toolchains,
            guest: target.join("debug/cofferdam-guest"),
            output: repo.fresh("languages/components")?,
        })
    }

    /// The example of the guides.
    pub(super) fn example(&self, language: Language) -> Outcome<Component> {
        let source = self.sdk(language).join("example");
        self.build(
            language,
            &Program {
                name: "restructure",
                source,
            },
        )
    }

    /// The program that reaches for what no step has.
    pub(super) fn trials(&self, language: Language) -> Outcome<Component> {
        let source = self.repo.root.join("tests/languages/trials");
        self.build(
            language,
            &Program {
                name: "trials",
                source,
            },
        )
    }

    fn sdk(&self, language: Language) -> PathBuf {
        self.repo.root.join("guest-sdk").join(language.name())
    }

    fn build(&self, language: Language, program: &Program) -> Outcome<Component> {
        let begun = Instant::now();
        let folder = self.output.join(language.name());
        tree::make(&folder)?;
        let path = folder.join(format!("{}.wasm", program.name));
        match language {
            Language::Rust => self.rust(program, &path)?,
            Language::C => self.c(program, &folder, &path)?,
            Language::Python => self.python(program, &folder, &path)?,
            Language::JavaScript => self.javascript(program, &path)?,
        }
        let bytes = tree::file_size(&path)?;
        Ok(Component {
            path,
            bytes,
            built: begun.elapsed(),
        })
    }

    fn rust(&self, program: &Program, path: &Path) -> Outcome {
        let target = self.repo.steps_target();
        let built = target.join(WASM).join("release");
        let which: &[&str] = match program.name {
            "trials" => &["--example", "trials"],
            _ => &["--lib"],
        };
        show(&format!("cargo build --release --target {WASM}"));
        Tool::cargo()
            .args([
                "build",
                "--quiet",
                "--locked",
                "--release",
                "--target",
                WASM,
            ])
            .args(["--package", "restructure"])
            .args(which)
            .within(&self.repo.root.join("steps"))
            .env("CARGO_TARGET_DIR", &target)
            .run()?;
        if program.name == "trials" {
            // It uses `std::net`, which imports sockets.
            return self.deny_network(&built.join("examples/trials.wasm"), path);
        }
        tree::copy_file(&built.join("restructure.wasm"), path)
    }

    fn c(&self, program: &Program, folder: &Path, path: &Path) -> Outcome {
        let bindings = folder.join("bindings");
        show("cofferdam-guest c-bindings bindings");
        Tool::new(&self.guest)
            .arg("c-bindings")
            .arg(&bindings)
            .output()?;
        let sdk = self.sdk(Language::C);
        let module = folder.join(format!("{}.core.wasm", program.name));
        let caches = self.repo.target.join("languages/zig-cache");
        show("zig cc -target wasm32-wasi-musl -mexec-model=reactor -Os … -o step.core.wasm");
        Tool::new(&self.toolchains.zig)
            .args(["cc", "-target", "wasm32-wasi-musl"])
            .args(["-mexec-model=reactor", "-Os"])
            .args(["-std=gnu17", "-Wall", "-Wextra", "-Werror"])
            .arg("-I")
            .arg(&bindings)
            .arg("-I")
            .arg(&sdk)
            .arg(program.source.with_extension("c"))
            .args([sdk.join("cofferdam.c"), sdk.join("json.c")])
            .args([
                bindings.join("step.c"),
                bindings.join("step_component_type.o"),
            ])
            .arg("-o")
            .arg(&module)
            .env("ZIG_GLOBAL_CACHE_DIR", caches.join("global"))
            .env("ZIG_LOCAL_CACHE_DIR", caches.join("local"))
            .run()?;
        show("cofferdam-guest component step.core.wasm -o step.wasm");
        Tool::new(&self.guest)
            .arg("component")
            .arg(module)
            .arg("-o")
            .arg(path)
            .output()
            .map(drop)
    }

    fn python(&self, program: &Program, folder: &Path, path: &Path) -> Outcome {
        let name = program.source.file_name().unwrap_or_default();
        let made = folder.join(format!("{}.with-sockets.wasm", program.name));
        show("componentize-py -d wit -w step componentize -p . STEP -o step.wasm");
        Tool::new(&self.toolchains.componentize_py)
            .args(["--quiet", "-d"])
            .arg(self.repo.root.join("wit"))
            .args(["-w", "step", "componentize", "-p"])
            .arg(program.source.parent().unwrap_or(Path::new(".")))
            .arg("-p")
            .arg(self.sdk(Language::Python))
            .arg(name)
            .arg("-o")
            .arg(&made)
            // Modules of this machine must not get in; nor leave their bytecode in the repository.
            .env("PYTHONPATH", "")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .within(folder)
            .output()?;
        self.deny_network(&made, path)
    }

    fn javascript(&self, program: &Program, path: &Path) -> Outcome {
        let folder = &self.toolchains.javascript;
        // A copy: Node looks for modules from the script's folder up.
        tree::copy(&self.sdk(Language::JavaScript), folder)?;
        let source = program.source.with_extension("js");
        let beside = folder.join(source.file_name().unwrap_or_default());
        tree::copy_file(&source, &beside)?;
        show("node componentize.js step.js -o step.wasm");
        Tool::new("node")
            .arg(folder.join("componentize.js"))
            .arg(beside)
            .arg("-o")
            .arg(path)
            .arg("--contract")
            .arg(self.repo.root.join("wit/step.wit"))
            .within(folder)
            .run()
    }

    fn deny_network(&self, input: &Path, output: &Path) -> Outcome {
        show("cofferdam-guest deny-network with-sockets.wasm -o step.wasm");
        Tool::new(&self.guest)
            .arg("deny-network")
            .arg(input)
            .arg("-o")
            .arg(output)
            .output()
            .map(drop)
    }
}

/// A command in the words of the guides: the real one has this machine's paths.
fn show(command: &str) {
    say::command(command);
}
