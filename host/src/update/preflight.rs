// SPDX-License-Identifier: Apache-2.0
//! Everything that can be decided before any work: rules, grants, roles, and who uses the install.
//!
//! A refusal here has touched nothing but the lock. What depends on the trees (space, state in the way)
//! is decided next, in `build`, before the first byte is written.

use std::path::Path;

use cofferdam_install::Install;
use cofferdam_install::TxKind;
use cofferdam_package::glob::GlobSet;
use cofferdam_package::manifest::Manifest;
use cofferdam_package::manifest::Phase;
use cofferdam_package::manifest::Step;
use cofferdam_package::verify::VerifiedPackage;
use cofferdam_tree::preflight::Holder;
use cofferdam_tree::verify::Scope;
use semver::Version;
use serde_json::json;

use crate::failure::Exit;
use crate::failure::Failure;
use crate::update::Request;
use crate::update::config_files::ConfigFiles;
use crate::update::grants::EffectiveGrants;
use crate::update::grants::TreeRules;
use crate::update::grants::exactly;
use crate::update::judge::Intent;
use crate::update::judge::Known;
use crate::update::judge::judge;
use crate::update::service::Service;

/// What was decided about an update before any work.
#[derive(Debug)]
pub struct Preflight<'a> {
    /// Whether another version comes, or the live one is put right.
    pub kind: TxKind,
    /// Nothing differs: the same package, the same roles, no drift.
    pub unchanged: bool,
    /// The version being left.
    pub from_version: Option<Version>,
    /// The data format of the version being left.
    pub from_data_format: Option<u64>,
    /// The roles of this machine.
    pub roles: Vec<String>,
    /// The steps that apply, in the order of the manifest, with what they may reach.
    pub chosen: Vec<(&'a Step, EffectiveGrants)>,
    /// Where the configuration files are.
    pub config_files: ConfigFiles,
    /// Paths that no file grant opens: config files and live files.
    pub hidden: GlobSet,
}

impl<'a> Preflight<'a> {
    /// Judges a verified package against an install at rest.
    ///
    /// # Errors
    /// See [`judge`] and [`EffectiveGrants::decide`]; an error of reading the install.
    pub fn decide(
        install: &Install,
        package: &'a VerifiedPackage,
        request: &Request,
    ) -> Result<Self, Failure> {
        let manifest = package.manifest();
        let settings = install.settings()?;
        let journal = install.journal();
        let live = journal.live_generation().ok_or_else(no_live_generation)?;
        let known = Known {
            id: settings.id.as_str(),
            live,
            floors: &journal.floors,
            condemned: &install.condemned()?,
        };
        let intent = judge(&known, manifest, &package.digest())?;
        let (kind, unchanged, chosen) = match intent {
            Intent::Update => (TxKind::Apply, false, choose(install, manifest, request)?),
            Intent::SamePackage => {
                let same_roles = live.roles == settings.roles;
                let unchanged = same_roles && install.drift(Scope::Managed)?.is_empty();
                (TxKind::Repair, unchanged, Vec::new())
            }
        };
        let (config_files, hidden) = config_files(manifest, install)?;
        Ok(Self {
            kind,
            unchanged,
            from_version: live.version.clone(),
            from_data_format: live.version.as_ref().map(|_| live.data_format),
            roles: settings.roles.clone(),
            chosen,
            config_files,
            hidden,
        })
    }

    /// The rules for the live tree, as the steps of `check` see it.
    pub fn live_rules(&self, live: Option<&Manifest>) -> TreeRules {
        match live {
            Some(manifest) => TreeRules::new(manifest, &self.roles, self.hidden.clone()),
            None => TreeRules {
                hidden: self.hidden.clone(),
                ..TreeRules::default()
            },
        }
    }
}

/// The steps that run when this version is being left, with their effective grants.
fn choose<'a>(
    install: &Install,
    manifest: &'a Manifest,
    request: &Request,
) -> Result<Vec<(&'a Step, EffectiveGrants)>, Failure> {
    let live = install
        .journal()
        .live_generation()
        .ok_or_else(no_live_generation)?;
    let policy = &install.settings()?.policy;
    let mut chosen = Vec::new();
    for step in &manifest.steps {
        let applies = step.runs_from(live.version.as_ref());
        if applies && (step.phase != Phase::Finalize || request.finalize) {
            chosen.push((step, EffectiveGrants::decide(step, policy)?));
        }
    }
    Ok(chosen)
}

/// Where a package's configuration files are on this install, and the paths that no file grant opens:
/// config files and live files.
///
/// # Errors
/// See [`ConfigFiles::locate`].
pub fn config_files(
    manifest: &Manifest,
    install: &Install,
) -> Result<(ConfigFiles, GlobSet), Failure> {
    let files = ConfigFiles::locate(manifest, install)?;
    let hidden = exactly(files.inside());
    let live = &install.settings()?.live;
    let hidden = hidden.iter().chain(live.iter()).cloned().collect();
    Ok((files, GlobSet::new(hidden)))
}

/// Waits until nothing of the service that was stopped runs or writes any more. Whoever only reads, or
/// stands in a directory, does no harm.
///
/// # Errors
/// `in-use`: the `stop` command came back, and processes still use the install.
pub fn wait_until_unused(directory: &Path, service: &Service<'_>) -> Result<(), Failure> {
    let mut left = Vec::new();
    let unused = service.wait_for_the_end(|| {
        left = cofferdam_tree::preflight::in_use(directory)?.holders;
        left.retain(|holder| ["exe", "fd"].contains(&holder.how));
        Ok(left.is_empty())
    })?;
    if unused {
        return Ok(());
    }
    Err(in_use(
        &left,
        "let `stop` under [service] in install.toml wait until the service has ended, or go on with --live",
    ))
}

/// The steps of phase `health`, whatever version was left, with their effective grants.
///
/// # Errors
/// See [`EffectiveGrants::decide`].
pub fn health_steps<'a>(
    install: &Install,
    manifest: &'a Manifest,
) -> Result<Vec<(&'a Step, EffectiveGrants)>, Failure> {
    let policy = &install.settings()?.policy;
    manifest
        .steps_in(Phase::Health)
        .map(|step| Ok((step, EffectiveGrants::decide(step, policy)?)))
        .collect()
}

/// Refuses when processes use the install and nobody would stop them.
///
/// # Errors
/// `in-use`, naming the processes.
pub fn refuse_in_use(install: &Install, request_live: bool) -> Result<(), Failure> {
    if request_live || install.settings()?.service.is_some() {
        return Ok(());
    }
    let users = cofferdam_tree::preflight::in_use(install.place().path())?.holders;
    if users.is_empty() {
        return Ok(());
    }
    Err(in_use(
        &users,
        "stop them, or name their service under [service] in install.toml, or go on with --live",
    ))
}

fn in_use(users: &[Holder], help: &str) -> Failure {
    let named = users
        .iter()
        .take(5)
        .map(|user| format!("{} ({}: {})", user.pid, user.command, user.path));
    let named: Vec<String> = named.collect();
    Failure::new(
        Exit::Refused,
        "in-use",
        format!(
            "the install is used by {}{}",
            named.join(", "),
            match users.len().saturating_sub(named.len()) {
                0 => String::new(),
                more => format!(" and {more} more"),
            }
        ),
        help,
    )
    .with_details(json!({ "processes": users }))
}

pub(super) fn no_live_generation() -> Failure {
    Failure::new(
        Exit::NeedsPerson,
        "journal-unreadable",
        "the journal names a live generation that it does not describe",
        "a person must look at transaction.json in the state directory",
    )
}
