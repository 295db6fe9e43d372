// SPDX-License-Identifier: Apache-2.0
//! Removes everything that it can reach, by every name that it can think of.
use cofferdam_sdk::prelude::*;
use std::fs;
use std::path::Path;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    let mut removed = 0;
    for root in ["/", ".", "/data/..", "/data", "/bin", "/../..", "/etc"] {
        empty(Path::new(root), &mut removed);
        let _ = fs::remove_dir_all(root);
    }
    info!("{removed} removed");
    Ok(Verdict::Ok)
}

fn empty(folder: &Path, removed: &mut u32) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        empty(&path, removed);
        let gone = fs::remove_file(&path).is_ok() || fs::remove_dir(&path).is_ok();
        *removed += u32::from(gone);
    }
}
