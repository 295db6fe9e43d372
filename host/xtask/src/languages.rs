// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask languages`: one step in every language, built and run as a vendor and an operator would.
//!
//! Two programs in each language. The first is the example of `guest-sdk/example`: packed, signed and
//! applied to an adopted install; what it leaves (tree, configuration, words for the operator) must be the
//! same bytes in every language, and those that are expected. The second, in `tests/languages`, reaches for
//! what no step has and then fails: nothing may have worked or changed, and its error must reach the
//! operator.

mod build;
mod product;
mod toolchains;
mod trials;
mod update;

use crate::failure::Outcome;
use crate::need;
use crate::repo::Profile;
use crate::repo::Repo;
use crate::say;
use build::Workshop;
use product::Product;
use std::time::Duration;

/// A language that steps are written in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// The SDK of this repository.
    Rust,
    /// wit-bindgen's bindings; `zig cc` compiles and links.
    C,
    /// `componentize-py`, which brings Python itself.
    Python,
    /// `componentize-js`, which brings `SpiderMonkey`.
    JavaScript,
}

/// Every language; the first is the one that the others are held against.
const ALL: [Language; 4] = [
    Language::Rust,
    Language::C,
    Language::Python,
    Language::JavaScript,
];

impl Language {
    /// Its name on the command line and in folders.
    fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::C => "c",
            Self::Python => "python",
            Self::JavaScript => "javascript",
        }
    }
}

/// A component, and how long it took to make.
struct Component {
    path: std::path::PathBuf,
    bytes: u64,
    built: Duration,
}

/// Runs the task for the languages named, or for all of them. Rust is always among them.
pub(crate) fn run(repo: &Repo, names: &[&str]) -> Outcome {
    let languages = chosen(names)?;
    need::wasm_target(repo)?;
    let toolchains = toolchains::install(repo, &languages)?;
    let workshop = Workshop::open(repo, toolchains)?;
    let product = Product::prepare(
        repo.build_cofferdam(Profile::Dev)?,
        repo.fresh("languages/run")?,
    )?;
    let example = repo.root.join("guest-sdk/example");
    let mut updates: Vec<(Language, update::Update)> = Vec::new();
    for language in languages {
        say::heading(language.name());
        let component = workshop.example(language)?;
        let done = update::apply(&product, &example, language, &component)?;
        match updates.first() {
            None => done.is_as_expected(&example)?,
            Some((_, first)) => done.is_the_same_as(first)?,
        }
        updates.push((language, done));
        let component = workshop.trials(language)?;
        trials::run(&product, language, &component)?;
    }
    say::heading("The same update in every language");
    say::line(&table(&updates));
    Ok(())
}

fn chosen(names: &[&str]) -> Outcome<Vec<Language>> {
    for name in names {
        if ALL.iter().all(|language| language.name() != *name) {
            let known: Vec<&str> = ALL.iter().map(|language| language.name()).collect();
            return Err(format!("no language `{name}`; there are {}", known.join(", ")).into());
        }
    }
    let wanted = |language: &Language| {
        *language == Language::Rust || names.is_empty() || names.contains(&language.name())
    };
    Ok(ALL.into_iter().filter(wanted).collect())
}

fn table(updates: &[(Language, update::Update)]) -> String {
    let mut lines =
        vec!["language    component     built  compiled       run   memory  imports".to_owned()];
    for (language, done) in updates {
        lines.push(format!(
            "{:<10} {:>6.2} MiB  {:>6.1} s  {:>6.2} s  {:>5} ms  {:>3} MiB  {:>7}",
            language.name(),
            done.component_bytes as f64 / f64::from(1 << 20),
            done.built.as_secs_f64(),
            done.compile_seconds,
            done.run_ms,
            done.memory_bytes >> 20,
            done.imports,
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_is_always_there_to_hold_the_others_against() {
        let named = |names: &[&str]| -> Vec<&str> {
            let chosen = chosen(names).unwrap();
            chosen.into_iter().map(Language::name).collect()
        };
        assert_eq!(named(&["python"]), ["rust", "python"]);
        assert_eq!(named(&[]).len(), ALL.len());
        assert!(chosen(&["cobol"]).is_err());
    }
}
