// SPDX-License-Identifier: Apache-2.0
//! Every lie is refused, by its own code, in bounded time and memory.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use cofferdam_archives::Lie;
use cofferdam_archives::Signers;
use cofferdam_archives::digest;
use cofferdam_archives::lies;
use cofferdam_package::PackageError;
use cofferdam_package::keyring::KeyRing;

use crate::MEMORY;
use crate::alone;
use crate::examine;
use crate::file_of;
use crate::ring;
use crate::verify;

/// What refusing a package may take.
const MOST_BYTES: usize = 64 << 20;

/// Far longer than any refusal takes: what is not done by then waits for something.
const A_HANG: Duration = Duration::from_mins(2);

/// How a package was answered, and the most memory that was held at once on the way.
struct Answer {
    code: &'static str,
    bytes: usize,
    time: Duration,
}

fn answer(
    lie: &Lie,
    file: File,
    ring: &Arc<KeyRing>,
    read: fn(File, &KeyRing) -> Result<(), PackageError>,
) -> Answer {
    let (sender, receiver) = mpsc::channel();
    let ring = Arc::clone(ring);
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let start = Instant::now();
    let reader = thread::spawn(move || {
        let code = read(file, &ring).map_or_else(|error| error.code(), |()| "accepted");
        let bytes = MEMORY.peak_usage();
        sender.send((code, bytes)).unwrap();
    });
    let (code, peak) = receiver
        .recv_timeout(A_HANG)
        .unwrap_or_else(|error| panic!("{lie:?} is not answered: {error}"));
    reader.join().unwrap();
    Answer {
        code,
        time: start.elapsed(),
        bytes: peak.saturating_sub(before),
    }
}

#[test]
fn every_lie_is_refused_by_its_own_code_and_in_little_memory() {
    let _alone = alone();
    let signers = Signers::new();
    let ring = Arc::new(ring(&signers));
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    let mut archives: BTreeMap<String, String> = BTreeMap::new();
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    for lie in lies() {
        let bytes = lie.build(&signers);
        let (file, again) = (file_of(&bytes), file_of(&bytes));
        assert!(
            names.insert(lie.name.clone()),
            "two lies are called {lie:?}"
        );
        if let Some(other) = archives.insert(digest(&bytes), lie.name.clone()) {
            panic!("{lie:?} is the same archive as {other}");
        }
        drop(bytes);
        *codes.entry(lie.code).or_default() += 1;
        let verified = answer(&lie, file, &ring, |file, ring| verify(file, ring).map(drop));
        let examined = answer(&lie, again, &ring, examine);
        println!(
            "{:70} {:26} {:>6} KiB {:>6} ms",
            lie.name,
            verified.code,
            verified.bytes.max(examined.bytes) >> 10,
            (verified.time + examined.time).as_millis(),
        );
        if verified.code != lie.code {
            wrong.push(format!("{lie:?} is answered with {}", verified.code));
        }
        // Looking needs no signature, and judges everything else alike.
        let looked = if lie.code == "signatures-missing" {
            "accepted"
        } else {
            lie.code
        };
        if examined.code != looked {
            wrong.push(format!("{lie:?} is shown with {}", examined.code));
        }
        if verified.bytes.max(examined.bytes) > MOST_BYTES {
            wrong.push(format!(
                "{lie:?} takes {} bytes",
                verified.bytes.max(examined.bytes)
            ));
        }
    }
    println!("{} lies, {} codes: {codes:?}", names.len(), codes.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(names.len() >= 250, "{} lies", names.len());
}
