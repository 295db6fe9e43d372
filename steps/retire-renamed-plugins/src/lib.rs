// SPDX-License-Identifier: Apache-2.0
//! A `prepare`: the operator's overrides follow the probes that 1.1.0 renamed.

mod moves;

use cofferdam_sdk::prelude::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

step!(retire_renamed_plugins);

fn retire_renamed_plugins(_ctx: &Context) -> Result<Verdict> {
    let plugins = Path::new("/plugins");
    let local = plugins.join("local");
    if !local.is_dir() {
        return Ok(Verdict::Ok);
    }
    let mut present = BTreeSet::new();
    for entry in fs::read_dir(&local)? {
        present.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    for planned in moves::plan(&present) {
        if planned.to.starts_with("retired/") {
            fs::create_dir_all(plugins.join("retired"))?;
        }
        fs::rename(plugins.join(&planned.from), plugins.join(&planned.to))
            .context(format!("plugins/{} → plugins/{}", planned.from, planned.to))?;
        info!("plugins/{} is now plugins/{}", planned.from, planned.to);
    }
    Ok(Verdict::Ok)
}
