// SPDX-License-Identifier: Apache-2.0
//! What would surprise a vendor later: allowed, but seldom meant. Pure.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use cofferdam_package::glob::Glob;
use cofferdam_package::manifest::EntryKind;
use cofferdam_package::manifest::Manifest;
use cofferdam_package::manifest::Phase;
use cofferdam_package::manifest::Step;
use semver::BuildMetadata;
use semver::Comparator;
use semver::Op;
use semver::Prerelease;
use semver::Version;
use semver::VersionReq;

/// Everything in a manifest that is worth a second look, each in one line.
pub(super) fn of(manifest: &Manifest) -> Vec<String> {
    let mut warnings = Vec::new();
    versions(manifest, &mut warnings);
    modes(manifest, &mut warnings);
    config(manifest, &mut warnings);
    for step in &manifest.steps {
        step_versions(manifest, step, &mut warnings);
        step_grants(manifest, step, &mut warnings);
        step_purpose(step, &mut warnings);
    }
    unknown_folders(manifest, &mut warnings);
    warnings
}

fn versions(manifest: &Manifest, warnings: &mut Vec<String>) {
    let version = &manifest.version;
    if !version.pre.is_empty() {
        warnings.push(format!(
            "{version} is a pre-release: ranges like `>=1.0.0` do not match it, so the next package \
             must name it in requires.from to update it"
        ));
    }
    let from = &manifest.requires.from;
    if from != "*" && !admits_earlier(&[from.as_str()], version) {
        warnings.push(format!(
            "requires.from = \"{from}\" matches no version before {version}: nothing can be updated \
             to this package"
        ));
    }
}

fn step_versions(manifest: &Manifest, step: &Step, warnings: &mut Vec<String>) {
    let Some(from) = &step.from else { return };
    if !admits_earlier(
        &[from.as_str(), manifest.requires.from.as_str()],
        &manifest.version,
    ) {
        warnings.push(format!(
            "step `{}` never runs: no version before {} matches both its from = \"{from}\" and \
             requires.from = \"{}\"",
            step.name, manifest.version, manifest.requires.from
        ));
    }
}

/// Whether some version before `version` matches all of these requirements.
///
/// The lowest version that matches them all is the greatest of their lower bounds, so trying every
/// lower bound is enough.
fn admits_earlier(requirements: &[&str], version: &Version) -> bool {
    let parsed: Vec<VersionReq> = requirements
        .iter()
        .filter_map(|text| VersionReq::parse(text).ok())
        .collect();
    let mut candidates = vec![Version::new(0, 0, 0)];
    candidates.extend(
        parsed
            .iter()
            .flat_map(|req| &req.comparators)
            .filter_map(lower_bound),
    );
    // A pre-release is matched only by a range that names it, and stands just before its release.
    candidates.extend(
        parsed
            .iter()
            .flat_map(|req| &req.comparators)
            .map(named_version),
    );
    candidates.iter().any(|candidate| {
        candidate < version
            && parsed
                .iter()
                .all(|requirement| requirement.matches(candidate))
    })
}

fn named_version(comparator: &Comparator) -> Version {
    let mut version = Version::new(
        comparator.major,
        comparator.minor.unwrap_or(0),
        comparator.patch.unwrap_or(0),
    );
    version.pre = comparator.pre.clone();
    version
}

fn lower_bound(comparator: &Comparator) -> Option<Version> {
    let Comparator {
        op,
        major,
        minor,
        patch,
        ..
    } = comparator;
    let named = Version {
        major: *major,
        minor: minor.unwrap_or(0),
        patch: patch.unwrap_or(0),
        pre: Prerelease::EMPTY,
        build: BuildMetadata::EMPTY,
    };
    match op {
        Op::Greater => match (minor, patch) {
            (None, _) => Some(Version::new(major.checked_add(1)?, 0, 0)),
            (Some(minor), None) => Some(Version::new(*major, minor.checked_add(1)?, 0)),
            (Some(minor), Some(patch)) => Some(Version::new(*major, *minor, patch.checked_add(1)?)),
        },
        _ => Some(named),
    }
}

fn modes(manifest: &Manifest, warnings: &mut Vec<String>) {
    for entry in &manifest.entries {
        let (mode, seed) = match &entry.kind {
            EntryKind::File { mode, keep, .. } => (*mode, *keep),
            EntryKind::Directory { mode } => (*mode, false),
            EntryKind::Symlink { .. } => continue,
        };
        if mode.bits() & 0o002 != 0 {
            warnings.push(format!(
                "`{}` has mode {mode}: everybody may write to it",
                entry.path
            ));
        }
        if seed && mode.is_executable() {
            warnings.push(format!(
                "`{}` is executable and a seed (keep): once it is there no update replaces it",
                entry.path
            ));
        }
    }
}

fn config(manifest: &Manifest, warnings: &mut Vec<String>) {
    for (name, config) in &manifest.config {
        let entry = manifest
            .entries
            .iter()
            .find(|entry| entry.path == config.file);
        match entry.map(|entry| &entry.kind) {
            Some(EntryKind::File { keep: true, .. }) => {}
            Some(_) => warnings.push(format!(
                "config.{name}: `{}` is no seed (keep = true): each update replaces the operator's \
                 values",
                config.file
            )),
            None => warnings.push(format!(
                "config.{name}: `{}` is not in the payload: a new install starts without it",
                config.file
            )),
        }
    }
}

fn step_grants(manifest: &Manifest, step: &Step, warnings: &mut Vec<String>) {
    for (what, patterns) in [("read", &step.read), ("write", &step.write)] {
        for pattern in patterns {
            let Ok(glob) = Glob::parse(pattern) else {
                continue;
            };
            let mut matched = manifest
                .entries
                .iter()
                .filter(|it| glob.matches(it.path.as_str()));
            if what == "write"
                && !step.allow_managed_writes
                && !pattern.contains(['*', '?'])
                && matched.clone().next().is_some()
                && matched.all(|entry| !is_seed(&entry.kind))
            {
                warnings.push(format!(
                    "step `{}`: write `{pattern}` is a file of the package, which no step may write \
                     without allow-managed-writes",
                    step.name
                ));
            }
        }
    }
}

/// Patterns that match nothing in the payload and start in no folder of it, together for each place
/// where they start: state that the software makes, or a slip of the pen.
fn unknown_folders(manifest: &Manifest, warnings: &mut Vec<String>) {
    let mut unknown: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for step in &manifest.steps {
        for pattern in step.read.iter().chain(&step.write) {
            let Ok(glob) = Glob::parse(pattern) else {
                continue;
            };
            let matched = manifest
                .entries
                .iter()
                .any(|it| glob.matches(it.path.as_str()));
            let top = pattern.split('/').next().unwrap_or_default();
            if !matched && !could_be_state(manifest, pattern) {
                unknown
                    .entry(top)
                    .or_default()
                    .insert(format!("`{}` ({pattern})", step.name));
            }
        }
    }
    for (top, steps) in unknown {
        let steps: Vec<String> = steps.into_iter().collect();
        warnings.push(format!(
            "`{top}` matches nothing in the payload; right only if the software makes it. Asked for by \
             {}",
            steps.join(", ")
        ));
    }
}

fn is_seed(kind: &EntryKind) -> bool {
    matches!(kind, EntryKind::File { keep: true, .. })
}

/// Whether a pattern starts in a folder that the payload knows, or anywhere.
fn could_be_state(manifest: &Manifest, pattern: &str) -> bool {
    let top = pattern.split('/').next().unwrap_or_default();
    if top.contains(['*', '?']) {
        return true;
    }
    let mut tops = manifest
        .entries
        .iter()
        .filter_map(|entry| entry.path.components().next());
    pattern.contains('/') && tops.any(|known| known == top)
}

fn step_purpose(step: &Step, warnings: &mut Vec<String>) {
    let reads = !step.read.is_empty() || !step.config_read.is_empty();
    let writes = !step.write.is_empty() || !step.config_write.is_empty();
    match step.phase {
        Phase::Check if !reads => warnings.push(format!(
            "step `{}` ({}) may read nothing: it can judge by versions and roles only",
            step.name, step.phase
        )),
        Phase::Prepare | Phase::Migrate | Phase::Finalize if !writes => warnings.push(format!(
            "step `{}` ({}) may write nothing: a check could do the same while the service runs",
            step.name, step.phase
        )),
        Phase::Check | Phase::Health | Phase::Prepare | Phase::Migrate | Phase::Finalize => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn earlier(requirements: &[&str], version: &str) -> bool {
        admits_earlier(requirements, &Version::parse(version).unwrap())
    }

    #[test]
    fn ranges_that_admit_no_earlier_version_are_found() {
        for (requirement, admits) in [
            (">=1.0.0, <1.1.0", true),
            (">=1.1.0", false),
            (">1.1.0", false),
            ("=1.1.0", false),
            ("<1.1.0", true),
            ("<=0.9", true),
            ("^1", true),
            ("~1.1", false),
            (">1", false),
            (">0", true),
            ("1.0.*", true),
            (">=1.1.0-rc.1, <1.1.0", true),
            (">=2, <3", false),
        ] {
            assert_eq!(earlier(&[requirement], "1.1.0"), admits, "{requirement}");
        }
    }

    #[test]
    fn a_step_range_beside_the_packages_is_found() {
        assert!(earlier(&["<1.1.0", ">=1.0.0, <1.2.0"], "1.2.0"));
        assert!(!earlier(&["<1.0.0", ">=1.0.0, <1.2.0"], "1.2.0"));
    }
}
