// SPDX-License-Identifier: Apache-2.0
//! The components of a package's steps: each built or read once, each through the gate.

use std::collections::BTreeMap;
use std::path::Path;
use std::path::PathBuf;
use std::rc::Rc;

use cofferdam_package::digest::Digest;
use cofferdam_package::manifest::Build;
use cofferdam_package::manifest::Manifest;
use cofferdam_package::source::Source;

use super::super::component;
use super::super::component::BuildFacts;
use super::super::gate;
use super::PackedStep;
use crate::engine;
use crate::failure::Failure;
use crate::watch::Watch;

/// One component that passed the gate.
#[derive(Debug)]
pub(super) struct Component {
    pub(super) digest: Digest,
    pub(super) bytes: Vec<u8>,
    build: Option<BuildFacts>,
    warnings: Vec<String>,
}

/// One component for each step, in the order of the steps.
#[derive(Debug)]
pub(super) struct Components(Vec<Rc<Component>>);

impl Components {
    /// Builds or reads the component of every step. Steps that name the same one share it.
    pub(super) fn obtain(
        base: &Path,
        source: &Source,
        watch: &mut dyn Watch,
    ) -> Result<Self, Failure> {
        let mut known: BTreeMap<PathBuf, Rc<Component>> = BTreeMap::new();
        let mut components = Vec::with_capacity(source.step.len());
        let engine = engine::for_vendor();
        let total = source.step.len() as u64;
        for (done, step) in (0..).zip(&source.step) {
            watch.progress(&format!("building step {}", step.name), done, total);
            let path = base.join(&step.component);
            let component = if let Some(component) = known.get(&path) {
                Rc::clone(component)
            } else {
                let obtained = component::obtain(&path)?;
                gate::admit(&engine, step.name.as_str(), &obtained.bytes)?;
                Rc::new(Component {
                    digest: Digest::of(&obtained.bytes),
                    bytes: obtained.bytes,
                    build: obtained.build,
                    warnings: obtained.warnings,
                })
            };
            known.insert(path, Rc::clone(&component));
            components.push(component);
        }
        Ok(Self(components))
    }

    pub(super) fn in_order(&self) -> impl Iterator<Item = &Component> {
        self.0.iter().map(Rc::as_ref)
    }

    pub(super) fn blobs(&self) -> BTreeMap<Digest, u64> {
        self.in_order()
            .map(|it| (it.digest, it.bytes.len() as u64))
            .collect()
    }

    /// The bytes of a component; empty for a digest that is none.
    pub(super) fn bytes(&self, digest: &Digest) -> &[u8] {
        self.in_order()
            .find(|it| it.digest == *digest)
            .map_or(&[], |it| it.bytes.as_slice())
    }

    /// How components were built, step by step.
    pub(super) fn builds(&self, source: &Source) -> Vec<Build> {
        let builds = source
            .step
            .iter()
            .zip(self.in_order())
            .filter_map(|(step, component)| {
                component.build.as_ref().map(|build| Build {
                    step: step.name.to_string(),
                    toolchain: build.toolchain.clone(),
                    lock_digest: Some(build.lock_digest),
                })
            });
        builds.collect()
    }

    /// Warnings about the builds, each once.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self
            .in_order()
            .flat_map(|component| component.warnings.iter().cloned())
            .collect();
        warnings.sort();
        warnings.dedup();
        warnings
    }

    pub(super) fn packed_steps(&self, manifest: &Manifest) -> Vec<PackedStep> {
        let steps = manifest
            .steps
            .iter()
            .zip(self.in_order())
            .map(|(step, component)| PackedStep {
                name: step.name.to_string(),
                digest: component.digest,
                bytes: step.bytes,
                toolchain: component
                    .build
                    .as_ref()
                    .map(|build| build.toolchain.clone()),
            });
        steps.collect()
    }
}
