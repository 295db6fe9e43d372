// SPDX-License-Identifier: Apache-2.0
//! The contract in C: what `wit-bindgen c` writes. The object file holds the component's type; linked in,
//! it tells the encoder which world the module was made for.

use crate::world;
use anyhow::Context as _;
use anyhow::Result;
use std::fs;
use std::path::Path;
use wit_bindgen_core::Files;

/// Writes the bindings into a folder, which is made when it is not there; gives the names of the files.
pub(crate) fn bindings(folder: &Path) -> Result<Vec<String>> {
    let (mut resolve, world) = world::step()?;
    let mut files = Files::default();
    let mut generator = wit_bindgen_c::Opts::default().build();
    generator.generate(&mut resolve, world, &mut files)?;
    fs::create_dir_all(folder).with_context(|| format!("`{}`", folder.display()))?;
    let mut names = Vec::new();
    for (name, contents) in files.iter() {
        let path = folder.join(name);
        fs::write(&path, contents).with_context(|| format!("`{}`", path.display()))?;
        names.push(name.to_owned());
    }
    Ok(names)
}
