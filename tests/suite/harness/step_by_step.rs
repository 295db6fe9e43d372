// SPDX-License-Identifier: Apache-2.0
//! A command that is stopped before each call by which it changes the machine: what others do then, they do
//! at that very instant.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use cofferdam_crash::Openings;
use cofferdam_crash::tracer;
use cofferdam_crash::tracer::Call;
use cofferdam_crash::tracer::Decision;
use cofferdam_crash::tracer::Director;
use cofferdam_crash::tracer::Ended;
use cofferdam_crash::tracer::Watched;

use super::Machine;

/// After this the command has hung.
const LIMIT: Duration = Duration::from_mins(2);

/// Runs a command, and asks before each of its calls, with all of its threads and children standing still,
/// what becomes of it.
#[track_caller]
pub(crate) fn step_by_step(
    machine: &Machine,
    arguments: &[&str],
    ask: impl FnMut(&Call) -> Decision,
) -> Ended {
    let product = Path::new(env!("CARGO_BIN_EXE_cofferdam"));
    let product = product.canonicalize().unwrap();
    let roots = [machine.path("").canonicalize().unwrap()];
    let watched = Watched {
        roots: &roots,
        product: &product,
        openings: Openings::Changing,
        limit: LIMIT,
    };
    let mut command = machine.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let run = tracer::run(&mut command, &watched, &mut Asking(ask)).unwrap();
    assert!(run.calls > 0, "{arguments:?} changes nothing");
    run.ended
}

struct Asking<F>(F);

impl<F: FnMut(&Call) -> Decision> Director for Asking<F> {
    fn before(&mut self, call: &Call) -> io::Result<Decision> {
        Ok((self.0)(call))
    }
}
