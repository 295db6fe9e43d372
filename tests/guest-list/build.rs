// SPDX-License-Identifier: Apache-2.0
//! Lists the guests in `tests/guests`, so that one without a test does not compile.

use std::collections::BTreeSet;
use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let guests = Path::new("../guests");
    let mut names = BTreeSet::new();
    for (folder, extension) in [("examples", "rs"), ("wat", "wat")] {
        let folder = guests.join(folder);
        println!("cargo::rerun-if-changed={}", folder.display());
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let Some(name) = stem.filter(|_| path.extension().is_some_and(|is| is == extension))
            else {
                return Err(format!("`{}` is no guest", path.display()).into());
            };
            if !names.insert(name.to_owned()) {
                return Err(format!("there are two guests `{name}`").into());
            }
        }
    }
    known_to_cargo(guests, &names)?;
    let mut list = "/// Calls a macro with the name of every guest.\n\
                    #[macro_export]\n\
                    macro_rules! foreach_guest {\n    ($tested:ident) => {\n"
        .to_owned();
    for name in &names {
        writeln!(list, "        $tested!({name});")?;
    }
    list.push_str("    };\n}\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("list.rs"), list)?;
    Ok(())
}

/// A component is an example of its own kind, so cargo builds only those that the manifest names.
fn known_to_cargo(guests: &Path, names: &BTreeSet<String>) -> Result<(), Box<dyn Error>> {
    let manifest = guests.join("Cargo.toml");
    println!("cargo::rerun-if-changed={}", manifest.display());
    let manifest = fs::read_to_string(manifest)?;
    for name in names {
        let is_rust = guests.join(format!("examples/{name}.rs")).is_file();
        if is_rust != manifest.contains(&format!("[[example]]\nname = \"{name}\"\n")) {
            return Err(format!("give the guest `{name}` its [[example]] in Cargo.toml").into());
        }
    }
    Ok(())
}
