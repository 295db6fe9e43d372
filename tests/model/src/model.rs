// SPDX-License-Identifier: Apache-2.0
//! What an install must be: a few maps and numbers, and the rules of the design that change them.
//!
//! Nothing here knows how the product works, and nothing here touches a disk. Where the design leaves open
//! which of several states a crash leaves, the answer is a list of them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::versions::End;
use crate::versions::File;
use crate::versions::SEED;
use crate::versions::VERSIONS;

/// How many generations the operator keeps.
pub(crate) const KEPT: usize = 3;
/// So many crashes of a package after the service was stopped condemn it.
const CRASHES: u32 = 2;

/// A place in [`VERSIONS`].
pub(crate) type Number = usize;

/// An install at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    /// The generation at `DIR`.
    pub(crate) live: u64,
    /// Numbers from here on were never used.
    pub(crate) next: u64,
    /// Every generation.
    pub(crate) generations: BTreeMap<u64, Generation>,
    /// What stands at `DIR`.
    pub(crate) tree: Tree,
    /// The config file outside.
    pub(crate) config: Config,
    /// Below these, packages are refused.
    pub(crate) floors: Floors,
    /// Versions condemned here.
    pub(crate) condemned: BTreeSet<Number>,
    /// Crashes of each version after the service was stopped.
    crashes: BTreeMap<Number, u32>,
    /// The generation that was left last.
    left: Option<u64>,
}

/// A generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Generation {
    /// What was applied.
    pub(crate) version: Number,
    /// It has proved healthy.
    pub(crate) confirmed: bool,
    /// State and configuration when it was made; without configuration where nobody looked at it.
    made: (BTreeMap<String, String>, Option<Config>),
    /// What was left, unless it is live.
    pub(crate) kept: Option<(Tree, Config)>,
    /// Somebody changed a managed file of the kept tree.
    pub(crate) damaged: bool,
}

/// The files of an install.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tree {
    /// The package's.
    pub(crate) managed: BTreeMap<String, File>,
    /// Everything else.
    pub(crate) state: BTreeMap<String, String>,
}

/// The config file outside of the install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Config {
    /// What steps set.
    pub(crate) port: String,
    /// What the operator writes.
    pub(crate) note: String,
}

/// Below these, packages are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Floors {
    /// The lowest version.
    pub(crate) version: Number,
    /// The lowest data format.
    pub(crate) data_format: u64,
}

/// What becomes of state that changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// It is a reason not to go back.
    Refuse,
    /// It stays behind.
    Discard,
}

/// How a command may end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Foretold {
    /// Exit and code of an answer, any of these; no code where the answer is no error.
    pub(crate) ends: Vec<(i32, Option<&'static str>)>,
    /// The states that it goes through: the first is the one before, the last the one after. A crash leaves
    /// one of them.
    pub(crate) way: Vec<Model>,
}

impl Model {
    /// A directory with the first version, put under care.
    pub(crate) fn adopted(state: BTreeMap<String, String>, config: Config) -> Self {
        let version = &VERSIONS[0];
        let generation = Generation {
            version: 0,
            confirmed: true,
            made: (state.clone(), None),
            kept: None,
            damaged: false,
        };
        Self {
            live: 1,
            next: 2,
            generations: BTreeMap::from([(1, generation)]),
            tree: Tree {
                managed: version.brings(),
                state,
            },
            config,
            floors: Floors {
                version: 0,
                data_format: version.data_format,
            },
            condemned: BTreeSet::new(),
            crashes: BTreeMap::new(),
            left: None,
        }
    }

    /// The live generation.
    pub(crate) fn live(&self) -> &Generation {
        &self.generations[&self.live]
    }

    /// Managed files at `DIR` that are not as the package has them.
    pub(crate) fn drift(&self) -> Vec<String> {
        let brings = VERSIONS[self.live().version].brings();
        let differs = |(path, file): &(&String, &File)| self.tree.managed.get(*path) != Some(*file);
        let differing = brings.iter().filter(differs);
        differing.map(|(path, _)| path.clone()).collect()
    }

    /// The live generation has proved healthy.
    fn confirmed(mut self) -> Self {
        let version = self.live().version;
        if let Some(live) = self.generations.get_mut(&self.live) {
            live.confirmed = true;
        }
        self.floors.version = self.floors.version.max(version);
        self.floors.data_format = self.floors.data_format.max(VERSIONS[version].data_format);
        self
    }

    /// Old generations past the operator's number go once the live one is confirmed: those first that did
    /// not prove healthy or were condemned, then the oldest; never the live one, nor the one just left.
    fn pruned(mut self) -> Self {
        let excess = self.generations.len().saturating_sub(KEPT);
        if !self.live().confirmed {
            return self;
        }
        let spare = self.generations.keys().copied();
        let mut spare: Vec<u64> = spare
            .filter(|number| *number != self.live && Some(*number) != self.left)
            .collect();
        spare.sort_by_key(|number| (self.has_proved(*number), *number));
        for number in spare.into_iter().take(excess) {
            self.generations.remove(&number);
        }
        self
    }

    fn has_proved(&self, number: u64) -> bool {
        let generation = &self.generations[&number];
        generation.confirmed && !self.condemned.contains(&generation.version)
    }

    /// Another tree is live, by one exchange; what was live stays as a generation.
    fn exchanged(mut self, to: u64, generation: Generation, tree: Tree, config: Config) -> Self {
        let left = (
            std::mem::replace(&mut self.tree, tree),
            std::mem::replace(&mut self.config, config),
        );
        if let Some(old) = self.generations.get_mut(&self.live) {
            old.kept = Some(left);
        }
        self.left = Some(self.live);
        self.live = to;
        self.next = self.next.max(to + 1);
        self.generations.insert(to, generation);
        self
    }

    /// A version committed and not judged yet.
    fn committed(&self, number: Number, steps: bool) -> Self {
        let version = &VERSIONS[number];
        let (mut state, mut config) = (self.tree.state.clone(), self.config.clone());
        if let (Some(port), true) = (version.port, steps) {
            state.insert("data/migrated".to_owned(), version.number.to_owned());
            port.clone_into(&mut config.port);
        }
        state
            .entry(SEED.to_owned())
            .or_insert_with(|| version.seed());
        let generation = Generation {
            version: number,
            confirmed: false,
            made: (state.clone(), Some(config.clone())),
            kept: None,
            damaged: false,
        };
        let tree = Tree {
            managed: version.brings(),
            state,
        };
        let mut next = self.clone().exchanged(self.next, generation, tree, config);
        next.crashes.remove(&number);
        next
    }

    /// An earlier generation is live again, with its state and configuration.
    fn gone_back(&self, to: u64) -> Self {
        let mut generation = self.generations[&to].clone();
        let (tree, config) = generation.kept.take().unwrap_or_default();
        let left = self.live().version;
        let mut next = self.clone().exchanged(to, generation, tree, config);
        let version = next.live().version;
        next.floors = Floors {
            version,
            data_format: VERSIONS[version].data_format,
        };
        if left != version {
            next.condemned.insert(left);
        }
        next
    }

    fn reasons_against(&self, number: Number) -> Vec<(i32, Option<&'static str>)> {
        let version = &VERSIONS[number];
        let live = self.live().version;
        if live == number {
            return Vec::new();
        }
        let mut reasons = Vec::new();
        let mut reason = |holds: bool, code: &'static str| {
            if holds {
                reasons.push((4, Some(code)));
            }
        };
        reason(self.condemned.contains(&number), "condemned");
        reason(number < self.floors.version, "downgrade");
        let lower = version.data_format < self.floors.data_format;
        reason(lower, "data-format-downgrade");
        let from = version.from.and_then(version_of);
        reason(from.is_some_and(|from| live < from), "from-mismatch");
        reasons
    }

    /// What `apply` leads to.
    pub(crate) fn apply(&self, number: Number) -> Foretold {
        let mut way = vec![self.clone()];
        let mut now = self.clone();
        if !self.live().confirmed {
            if VERSIONS[self.live().version].end == End::Unhealthy {
                return refused(self, vec![(4, Some("unconfirmed"))]);
            }
            now = now.confirmed().pruned();
            way.push(now.clone());
        }
        let reasons = now.reasons_against(number);
        if !reasons.is_empty() {
            return Foretold { ends: reasons, way };
        }
        let is_live = now.live().version == number;
        if is_live && now.drift().is_empty() {
            return done(way);
        }
        if VERSIONS[number].end == End::Refuses {
            return Foretold {
                ends: vec![(5, Some("step-refused"))],
                way,
            };
        }
        let committed = now.committed(number, !is_live);
        way.push(committed.clone());
        if VERSIONS[number].end == End::Unhealthy {
            way.push(now.gone_back_from(number));
            return Foretold {
                ends: vec![(7, Some("unhealthy"))],
                way,
            };
        }
        way.push(committed.confirmed().pruned());
        done(way)
    }

    /// What `plan` leads to.
    pub(crate) fn plan(&self, number: Number) -> Foretold {
        let mut ends = self.reasons_against(number);
        if ends.is_empty() {
            ends.push(match VERSIONS[number].end {
                End::Refuses => (5, Some("step-refused")),
                End::Works | End::Unhealthy => (0, None),
            });
        }
        refused(self, ends)
    }

    /// The generation that a rollback leads to when none is named: the newest older one with another package
    /// that proved healthy.
    pub(crate) fn rollback_target(&self) -> Option<u64> {
        let live = self.live().version;
        let older = self.generations.range(..self.live).rev();
        let mut other = older.filter(|(_, generation)| generation.version != live);
        other
            .find(|(number, _)| self.has_proved(**number))
            .map(|(number, _)| *number)
    }

    /// What `rollback` leads to.
    pub(crate) fn rollback(&self, to: Option<u64>, changed: Changed) -> Foretold {
        let named = |to: &u64| *to != self.live && self.generations.contains_key(to);
        let to = match to {
            Some(to) => Some(to).filter(named),
            None => self.rollback_target(),
        };
        let Some(to) = to else {
            return refused(self, vec![(4, Some("no-generation"))]);
        };
        let mut ends = Vec::new();
        if self.generations[&to].damaged {
            ends.push((4, Some("generation-damaged")));
        }
        if changed == Changed::Refuse && self.state_changed() {
            ends.push((4, Some("state-changed")));
        }
        if !ends.is_empty() {
            return refused(self, ends);
        }
        done(vec![self.clone(), self.gone_back(to).pruned()])
    }

    fn state_changed(&self) -> bool {
        let (state, config) = &self.live().made;
        let config_changed = config.as_ref().is_some_and(|made| *made != self.config);
        *state != self.tree.state || config_changed
    }

    /// What `confirm` leads to.
    pub(crate) fn confirm(&self) -> Foretold {
        done(vec![self.clone(), self.clone().confirmed().pruned()])
    }

    /// What `allow` leads to.
    pub(crate) fn allow(&self, number: Number) -> Foretold {
        if !self.condemned.contains(&number) {
            return refused(self, vec![(4, Some("not-condemned"))]);
        }
        let mut forgotten = self.clone();
        forgotten.crashes.remove(&number);
        let mut allowed = forgotten.clone();
        allowed.condemned.remove(&number);
        done(vec![self.clone(), forgotten, allowed])
    }

    /// What `recover` leads to: an install at rest stays as it is.
    pub(crate) fn recover(&self) -> Foretold {
        done(vec![self.clone()])
    }

    /// The update to this version was cut off and undone, after the service was stopped.
    pub(crate) fn crashed_after_stop(mut self, number: Number) -> Self {
        let crashes = self.crashes.entry(number).or_default();
        *crashes += 1;
        if *crashes >= CRASHES {
            self.condemned.insert(number);
        }
        self
    }

    /// The journal was lost, and a person had it made anew from the disk: what is live stays, unconfirmed;
    /// which old generations had proved healthy, and the floors, are as they were found.
    pub(crate) fn salvaged(mut self, proved: &BTreeSet<u64>, floors: Floors) -> Self {
        self.crashes.clear();
        self.left = None;
        self.floors = floors;
        for (number, generation) in &mut self.generations {
            generation.confirmed = proved.contains(number);
        }
        self
    }
}

impl Model {
    /// As it is once old generations are gone.
    pub(crate) fn at_rest(self) -> Self {
        self.pruned()
    }

    /// A version was committed, did not prove healthy, and was gone back from.
    pub(crate) fn gone_back_from(&self, number: Number) -> Self {
        let now = self.clone().confirmed();
        now.committed(number, now.live().version != number)
            .gone_back(now.live)
            .pruned()
    }

    /// Somebody replaces `agent` in the oldest kept tree in which it is the package's; says in which.
    pub(crate) fn damage(&mut self, content: &str) -> Option<u64> {
        for (number, generation) in &mut self.generations {
            let brings = VERSIONS[generation.version].brings();
            let Some((tree, _)) = &mut generation.kept else {
                continue;
            };
            if tree.managed.get("agent") == brings.get("agent") {
                let (mode, content) = (0o644, content.to_owned());
                let agent = File { mode, content };
                tree.managed.insert("agent".to_owned(), agent);
                generation.damaged = true;
                return Some(*number);
            }
        }
        None
    }

    /// Whether a kept tree is not what was left.
    pub(crate) fn is_damaged(&self) -> bool {
        self.generations
            .values()
            .any(|generation| generation.damaged)
    }
}

fn refused(model: &Model, ends: Vec<(i32, Option<&'static str>)>) -> Foretold {
    Foretold {
        ends,
        way: vec![model.clone()],
    }
}

fn done(way: Vec<Model>) -> Foretold {
    Foretold {
        ends: vec![(0, None)],
        way,
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            port: "80".to_owned(),
            note: "first".to_owned(),
        }
    }
}

impl Config {
    /// As it stands on the disk.
    pub(crate) fn text(&self) -> String {
        format!("port = {}\nnote = \"{}\"\n", self.port, self.note)
    }
}

/// The version with this number.
pub(crate) fn version_of(number: &str) -> Option<Number> {
    VERSIONS.iter().position(|known| known.number == number)
}
