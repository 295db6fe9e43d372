// SPDX-License-Identifier: Apache-2.0
//! Runs the steps of one phase, one after the other, and keeps what each did.
//!
//! Compiling (with the gate on imports) comes before anything is touched; running takes a tree handle
//! from the staging and a view of the configuration session, and gives facts back. When a step has
//! ended, its record learns what was in the files that it changed. The first step that does not say yes
//! ends the phase.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::btree_map::Entry;
use std::time::Instant;

use cap_std::fs::Dir;
use cofferdam_package::digest::Digest;
use cofferdam_package::manifest::Manifest;
use cofferdam_package::manifest::Phase;
use cofferdam_package::manifest::Step;
use cofferdam_sandbox::CompileError;
use cofferdam_sandbox::Component;
use cofferdam_sandbox::Context;
use cofferdam_sandbox::Engine;
use cofferdam_sandbox::FailureKind;
use cofferdam_sandbox::Level;
use cofferdam_sandbox::Observer;
use cofferdam_sandbox::StepRun;
use cofferdam_sandbox::Verdict;
use cofferdam_sandbox::Wall;
use cofferdam_tree::stage::Stage;
use semver::Version;
use serde_json::json;

use crate::config_session::ConfigSession;
use crate::config_session::TouchedKeys;
use crate::failure::Exit;
use crate::failure::Failure;
use crate::update::grants::EffectiveGrants;
use crate::update::grants::TreeRules;
use crate::update::report::StepReport;
use crate::update::trace;
use crate::update::trace::Withheld;
use crate::watch::Watch;

/// Compiled code of all steps of one update, which is held until its end. Seven interpreters have room.
const CODE_BYTES: u64 = 256 << 20;

/// What is the same for all steps of one update.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The package digest.
    pub package: Digest,
    /// The version being left.
    pub from_version: Option<Version>,
    /// The data format of the version being left.
    pub from_data_format: Option<u64>,
    /// The roles of this machine.
    pub roles: Vec<String>,
    /// Paths that some package calls a config file: no record tells what is in them.
    pub withheld: BTreeSet<String>,
}

/// The tree that the steps of a phase see.
pub struct Ground<'a> {
    /// Its root.
    pub tree: &'a Dir,
    /// What no pattern opens in it.
    pub rules: &'a TreeRules,
    /// The length of its largest file before any step of the update ran.
    pub largest_file_bytes: u64,
    /// Knows what stood there before a step; none where steps change nothing.
    pub stage: Option<&'a mut Stage>,
}

impl<'a> Ground<'a> {
    /// A tree in which steps change nothing.
    pub fn read_only(tree: &'a Dir, rules: &'a TreeRules) -> Self {
        Self {
            tree,
            rules,
            largest_file_bytes: 0,
            stage: None,
        }
    }
}

/// The steps of one update that apply to this machine, compiled.
#[derive(Debug)]
pub struct Steps<'a> {
    engine: Engine,
    manifest: &'a Manifest,
    setting: Setting,
    chosen: Vec<(&'a Step, EffectiveGrants)>,
    components: BTreeMap<Digest, Component>,
    /// Bytes by which the steps that ran may have made a file longer.
    grown_bytes: u64,
    /// Paths without a change for which the records have room left.
    looks_left: usize,
    /// What the kernel holds the steps' processes to; empty when there is no step.
    pub walls: Vec<Wall>,
    /// What has run so far, in order.
    pub reports: Vec<StepReport>,
}

impl<'a> Steps<'a> {
    /// Compiles these steps, with their effective grants; `read` gives the bytes of a step's component.
    ///
    /// # Errors
    /// A component imports what is not on offer, or is none, or costs too much to compile or, with those
    /// of the other steps, to hold; the sandbox cannot start, or a wall that the policy requires is missing.
    pub fn compile(
        manifest: &'a Manifest,
        setting: Setting,
        chosen: Vec<(&'a Step, EffectiveGrants)>,
        engine: Engine,
        read: &dyn Fn(&Step) -> Result<Vec<u8>, Failure>,
    ) -> Result<Self, Failure> {
        let walls = if chosen.is_empty() {
            Vec::new()
        } else {
            engine.walls()?
        };
        let mut components = BTreeMap::new();
        let mut code_bytes = 0;
        for (step, _) in &chosen {
            if let Entry::Vacant(vacant) = components.entry(step.component) {
                let bytes = read(step)?;
                let of_the_step =
                    |failure: Failure| failure.with_details(json!({ "step": step.name.as_str() }));
                let component = engine
                    .compile(&bytes)
                    .map_err(|error| of_the_step(error.into()))?;
                code_bytes = held_with(code_bytes, component.code_bytes())
                    .map_err(|error| of_the_step(error.into()))?;
                vacant.insert(component);
            }
        }
        Ok(Self {
            engine,
            manifest,
            setting,
            chosen,
            components,
            grown_bytes: 0,
            looks_left: trace::LOOKS,
            walls,
            reports: Vec::new(),
        })
    }

    /// Whether there is a step in this phase.
    pub fn has(&self, phase: Phase) -> bool {
        self.chosen.iter().any(|(step, _)| step.phase == phase)
    }

    /// The grants of the steps in this phase.
    pub fn grants(&self, phase: Phase) -> impl Iterator<Item = &EffectiveGrants> {
        self.chosen
            .iter()
            .filter(move |(step, _)| step.phase == phase)
            .map(|(_, grants)| grants)
    }

    /// The grants of every step by name.
    pub fn all_grants(&self) -> BTreeMap<&str, &EffectiveGrants> {
        self.chosen
            .iter()
            .map(|(step, grants)| (step.name.as_str(), grants))
            .collect()
    }

    /// Runs the steps of a phase.
    ///
    /// # Errors
    /// The first step that refuses, defers, reports unhealthy or fails: its code and its words. Or what
    /// it changed cannot be looked at.
    pub fn run(
        &mut self,
        phase: Phase,
        ground: &mut Ground<'_>,
        session: &mut ConfigSession,
        service_output: &str,
        watch: &mut dyn Watch,
    ) -> Result<(), Failure> {
        for (step, grants) in &self.chosen {
            if step.phase != phase {
                continue;
            }
            let component = &self.components[&step.component];
            let (read, write) = grants.keys().map_err(patterns_of_a_verified_manifest)?;
            let files = grants
                .files(ground.rules)
                .map_err(patterns_of_a_verified_manifest)?;
            let mut keys = session.for_step(read, write);
            let started = Instant::now();
            let outcome = self.engine.run(StepRun {
                component,
                context: self.context(step, service_output),
                tree: ground.tree,
                files: &files,
                limits: grants.limits(),
                largest_file_bytes: ground.largest_file_bytes.saturating_add(self.grown_bytes),
                config: &mut keys,
                observer: &mut Lines {
                    step: step.name.as_str(),
                    watch,
                },
                created_unix_s: self.manifest.created,
                seed: self.seed(step),
            });
            self.grown_bytes = self
                .grown_bytes
                .saturating_add(grants.limits().written_bytes);
            let seconds = started.elapsed().as_secs_f64();
            let keys = keys.into_touched();
            let mut record = outcome.record;
            let filled = match &mut ground.stage {
                Some(stage) => {
                    let withheld = Withheld {
                        hidden: &ground.rules.hidden,
                        named: &mut self.setting.withheld,
                    };
                    let secrets = session.secrets();
                    trace::fill(&mut record, withheld, |paths| {
                        let paths = paths.iter().map(String::as_str);
                        Ok(stage.changed(paths, &secrets)?)
                    })
                }
                None => Ok(()),
            };
            trace::bound(&mut record, &mut self.looks_left);
            let (verdict, message) = worded(&outcome.verdict);
            tracing::debug!(step = step.name.as_str(), verdict, "step ended");
            let report = StepReport {
                name: step.name.as_str().to_owned(),
                phase: step.phase.to_string(),
                reason: step.reason.clone(),
                verdict: verdict.to_owned(),
                message,
                grants: grants.clone(),
                keys,
                record: Some(record),
                seconds,
            };
            self.reports.push(report);
            filled?;
            judge(step, phase, outcome.verdict)?;
        }
        Ok(())
    }

    /// Takes the reports of the steps that ran, with those of the steps that did not.
    pub fn take_all_reports(&mut self) -> Vec<StepReport> {
        let mut reports = std::mem::take(&mut self.reports);
        for (step, grants) in &self.chosen {
            if !reports
                .iter()
                .any(|report| report.name == step.name.as_str())
            {
                reports.push(StepReport {
                    name: step.name.as_str().to_owned(),
                    phase: step.phase.to_string(),
                    reason: step.reason.clone(),
                    verdict: "not-run".to_owned(),
                    message: None,
                    grants: grants.clone(),
                    keys: TouchedKeys::default(),
                    record: None,
                    seconds: 0.0,
                });
            }
        }
        reports
    }

    fn context(&self, step: &Step, service_output: &str) -> Context {
        Context {
            package_id: self.manifest.id.to_string(),
            step: step.name.as_str().to_owned(),
            phase: sandbox_phase(step.phase),
            from_version: self.setting.from_version.as_ref().map(Version::to_string),
            to_version: self.manifest.version.to_string(),
            from_data_format: self.setting.from_data_format,
            to_data_format: self.manifest.data_format,
            roles: self.setting.roles.clone(),
            service_output: service_output.to_owned(),
        }
    }

    /// Randomness of a step: a function of the package and the step's name, and of nothing else.
    fn seed(&self, step: &Step) -> [u8; 32] {
        let text = format!(
            "cofferdam seed/1\n{}\n{}",
            self.setting.package,
            step.name.as_str()
        );
        *Digest::of(text.as_bytes()).as_bytes()
    }
}

/// Forwards a step's lines and progress to whoever watches the update.
struct Lines<'a> {
    step: &'a str,
    watch: &'a mut dyn Watch,
}

impl Observer for Lines<'_> {
    fn log(&mut self, level: Level, line: &str) {
        let level = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warn => "warning",
            Level::Error => "error",
        };
        self.watch.log(self.step, level, line);
    }

    fn progress(&mut self, done: u64, total: u64, message: &str) {
        self.watch
            .progress(&format!("{}: {message}", self.step), done, total);
    }
}

/// Bytes of code that are held with some more.
fn held_with(held: u64, more: u64) -> Result<u64, CompileError> {
    let bytes = held.saturating_add(more);
    if bytes > CODE_BYTES {
        return Err(CompileError::TooCostly(format!(
            "with it the steps of the update have {bytes} bytes of compiled code, and {CODE_BYTES} at most \
             are held"
        )));
    }
    Ok(bytes)
}

fn sandbox_phase(phase: Phase) -> cofferdam_sandbox::Phase {
    match phase {
        Phase::Check => cofferdam_sandbox::Phase::Check,
        Phase::Prepare => cofferdam_sandbox::Phase::Prepare,
        Phase::Migrate => cofferdam_sandbox::Phase::Migrate,
        Phase::Health => cofferdam_sandbox::Phase::Health,
        Phase::Finalize => cofferdam_sandbox::Phase::Finalize,
    }
}

fn worded(verdict: &Verdict) -> (&'static str, Option<String>) {
    match verdict {
        Verdict::Ok => ("ok", None),
        Verdict::Healthy => ("healthy", None),
        Verdict::Refuse(reason) => ("refuse", Some(reason.clone())),
        Verdict::Unhealthy(reason) => ("unhealthy", Some(reason.clone())),
        Verdict::Defer { reason, .. } => ("defer", Some(reason.clone())),
        Verdict::Failed(failure) => (failure.code(), Some(failure.message.clone())),
    }
}

fn judge(step: &Step, phase: Phase, verdict: Verdict) -> Result<(), Failure> {
    let name = step.name.as_str();
    let facts = json!({ "step": name, "phase": phase.to_string() });
    let failure = match verdict {
        Verdict::Ok | Verdict::Healthy => return Ok(()),
        Verdict::Refuse(reason) => Failure::new(
            Exit::StepFailed,
            "step-refused",
            format!("step `{name}` refuses the update: {reason}"),
            "the reason is the vendor's; the install is as it was",
        )
        .with_details(facts),
        Verdict::Defer {
            reason,
            retry_after_seconds,
        } => Failure::new(
            Exit::Deferred,
            "deferred",
            format!("step `{name}` asks to wait: {reason}"),
            format!("apply again in {retry_after_seconds} s; the install is as it was"),
        )
        .with_details(json!({
            "step": name,
            "phase": phase.to_string(),
            "reason": reason,
            "retry_after_seconds": retry_after_seconds,
        })),
        Verdict::Unhealthy(reason) => Failure::new(
            Exit::RolledBack,
            "unhealthy",
            format!("step `{name}` says that the new version does not work: {reason}"),
            "send the reason to the vendor",
        )
        .with_details(facts),
        Verdict::Failed(failed) => {
            let mut message = format!("step `{name}` failed: {}", failed.message);
            for frame in &failed.backtrace {
                message.push_str("\nat ");
                message.push_str(frame);
            }
            let exit = match failed.kind {
                FailureKind::DiskFull => Exit::Refused,
                FailureKind::MachineFailed => Exit::Internal,
                _ => Exit::StepFailed,
            };
            Failure::new(
                exit,
                failed.code(),
                message,
                crate::failure::help_in(cofferdam_sandbox::CODES, failed.code()),
            )
            .with_details(json!({
                "step": name,
                "phase": phase.to_string(),
                "message": failed.message,
                "backtrace": failed.backtrace,
            }))
        }
    };
    Err(failure)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` passes")]
pub(super) fn patterns_of_a_verified_manifest(
    error: cofferdam_package::glob::GlobError,
) -> Failure {
    Failure::new(
        Exit::Internal,
        "bug",
        format!("a pattern of a verified manifest cannot be read: {error}"),
        "report this as a bug",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_all_steps_together_is_bounded() {
        let one = 120 << 20;
        let two = held_with(one, one).unwrap();
        assert_eq!(two, 2 * one);
        let failure = Failure::from(held_with(two, one).unwrap_err());
        assert_eq!(failure.code, "component-too-costly");
        assert_eq!(held_with(0, CODE_BYTES).unwrap(), CODE_BYTES);
    }
}
