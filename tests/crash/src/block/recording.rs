// SPDX-License-Identifier: Apache-2.0
//! A scenario's commands on logged disks, undisturbed, from the mount to some time after their end.

use std::fs::File;
use std::io;

use super::disks::DISKS;
use super::disks::Disks;
use super::drives::Event;
use super::image::Image;
use crate::class::Class;
use crate::facts::SAME;
use crate::filter::Openings;
use crate::machine::Machine;
use crate::machine::Threads;
use crate::stand::Stand;
use crate::stand::Violation;
use crate::tracer::Actor;
use crate::tracer::Call;
use crate::tracer::Decision;
use crate::tracer::Director;

/// What becomes of the product's syncs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Syncs {
    /// They are made.
    #[default]
    Made,
    /// None is made, and each says that it was: a product that forgot them all.
    Pretended,
}

/// What the disks saw of a run.
#[derive(Debug)]
pub(crate) struct Recording {
    /// The disks before they were mounted, cleanly unmounted before that.
    pub(crate) start: Vec<Image>,
    /// Everything that was asked of them since.
    pub(crate) events: Vec<Event>,
    /// Events of the mount itself: nothing is cut before their end.
    pub(crate) mounted: usize,
    /// Events until the last command had ended: from there on its effect is there to stay.
    pub(crate) ended: usize,
    /// What the commands were about to do, in order.
    pub(crate) marks: Vec<Mark>,
}

/// One call of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// Events before it.
    pub(crate) events: usize,
    /// What it is.
    pub(crate) class: Class,
}

impl Recording {
    /// Records the commands of a scenario that is set up on these disks; they are mounted before, and
    /// unmounted afterwards.
    ///
    /// # Errors
    /// The commands do not do what they do elsewhere.
    pub(crate) fn of(
        stand: &Stand<'_>,
        disks: &mut Disks,
        syncs: Syncs,
    ) -> Result<Self, Violation> {
        disks.unmount()?;
        let start = disks.drives.images();
        disks.drives.begin_log();
        disks.mount()?;
        let mounted = disks.drives.logged();
        let mut marking = Marking {
            machine: &stand.machine,
            disks,
            syncs,
            marks: Vec::new(),
        };
        let disturbed = stand.disturb(&mut marking, Threads::One, Openings::Changing)?;
        let marks = marking.marks;
        let ended = disks.drives.logged();
        for disk in 0..DISKS {
            rustix::fs::syncfs(File::open(disks.point(disk))?).map_err(io::Error::from)?;
        }
        let events = disks.drives.end_log();
        let reached = stand.which(SAME)?;
        disks.unmount()?;
        if reached + 1 != stand.wholes.len() {
            return Err(Violation(format!(
                "undisturbed, and ended as {disturbed:?}"
            )));
        }
        Ok(Self {
            start,
            events,
            mounted,
            ended,
            marks,
        })
    }

    /// What the commands were doing when an event came.
    pub(crate) fn class(&self, event: usize) -> Option<Class> {
        let before = self.marks.partition_point(|mark| mark.events <= event);
        let mark = self.marks.get(before.checked_sub(1)?)?;
        Some(mark.class)
    }
}

/// Lets every call through, and notes what the disks have seen before it.
struct Marking<'a> {
    machine: &'a Machine,
    disks: &'a Disks,
    syncs: Syncs,
    marks: Vec<Mark>,
}

impl Director for Marking<'_> {
    fn before(&mut self, call: &Call) -> io::Result<Decision> {
        let class = Class::of(self.machine, call);
        let events = self.disks.drives.logged();
        self.marks.push(Mark { events, class });
        let pretends =
            self.syncs == Syncs::Pretended && call.operation.syncs() && call.by == Actor::Product;
        Ok(if pretends {
            Decision::Pretend
        } else {
            Decision::Go
        })
    }
}
