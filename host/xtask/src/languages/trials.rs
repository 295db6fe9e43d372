// SPDX-License-Identifier: Apache-2.0
//! A step that reaches for what no step has, and then fails: what its author and the operator see.

use super::Component;
use super::Language;
use super::product;
use super::product::Product;
use crate::failure::Outcome;
use crate::say;
use crate::tree;
use serde_json::Value;
use std::path::Path;

/// Words that every language's program puts into its last error.
const LAST_WORDS: &str = "time of the record";

/// What every program reaches for, and must be denied.
const DENIED: [&str; 2] = ["data/new", "private/key"];

/// Runs the program with `data/**` to read; shows what it met.
pub(super) fn run(product: &Product, language: Language, component: &Component) -> Outcome {
    let root = product.folder.join(language.name()).join("trials");
    let config = root.join("conf/trials.toml");
    tree::write(&config, "private = 1\n")?;
    tree::write(&root.join("private/key"), "secret")?;
    tree::write(&root.join("data/a"), "a")?;
    say::command(
        "cofferdam step run trials.wasm --root DIR --read 'data/**' --config conf/trials.toml",
    );
    let answer = product.run([
        "step".as_ref(),
        "run".as_ref(),
        component.path.as_os_str(),
        "--root".as_ref(),
        root.as_os_str(),
        "--read".as_ref(),
        "data/**".as_ref(),
        "--config".as_ref(),
        config.as_os_str(),
    ])?;
    let facts = &answer.facts;
    for line in product::log_lines(&facts["record"]) {
        say::line(&format!("  {line}"));
    }
    let error = &facts["error"];
    let message = error["message"].as_str().unwrap_or_default();
    say::line(&format!(
        "error[{}]: {message}",
        error["code"].as_str().unwrap_or_default()
    ));
    check(answer.code, facts, message)
        .map_err(|why| format!("{}: {why}:\n{facts:#}", language.name()))?;
    untouched(&root)?;
    say::holds("nothing worked, nothing changed, and the error reached the operator");
    Ok(())
}

/// What must hold of the answer; the words of what does not.
fn check(code: i32, facts: &Value, message: &str) -> Result<(), String> {
    if code != 5 {
        return Err(format!("exit code {code}, expected 5"));
    }
    if !message.contains(LAST_WORDS) {
        return Err(format!("the error does not say `{LAST_WORDS}`"));
    }
    let files = facts["record"]["files"].as_array().into_iter().flatten();
    let denied: Vec<&str> = files
        .filter(|file| file["denied"].as_array().is_some_and(|how| !how.is_empty()))
        .filter_map(|file| file["path"].as_str())
        .collect();
    for path in DENIED {
        if !denied.contains(&path) {
            return Err(format!("`{path}` was not denied, only {denied:?}"));
        }
    }
    if facts["keys"]["denied"].as_array().is_none_or(Vec::is_empty) {
        return Err("the key was not denied".to_owned());
    }
    let lines = product::log_lines(&facts["record"]);
    match lines.iter().find(|line| line.contains("it worked")) {
        Some(line) => Err(format!("`{line}`")),
        None => Ok(()),
    }
}

fn untouched(root: &Path) -> Outcome {
    let (files, bytes) = tree::size(root)?;
    if (files, bytes) == (3, 12 + 6 + 1) {
        return Ok(());
    }
    Err(format!("`{}` was changed: {files} files", root.display()).into())
}
