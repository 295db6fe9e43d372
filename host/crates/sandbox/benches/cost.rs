// SPDX-License-Identifier: Apache-2.0
//! What the sandbox costs, side by side with the same work outside of it, in one run.
//!
//! Absolute times mean nothing on a shared machine: each pair is measured in turns, and the ratio of the
//! medians is what counts. `cargo xtask bench sandbox` builds what is needed and calls this as
//! `cost PROGRAM STEPS FOLDER`: the program whose children run the steps, the folder with the compiled
//! components, and where to work.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that cannot be made has failed, and its figures go to the terminal"
)]

#[path = "../../../../tests/bench/work.rs"]
#[expect(unreachable_pub, reason = "in the steps' workspace it is a library")]
mod work;

use cap_std::fs::Dir;
use cofferdam_package::glob::GlobSet;
use cofferdam_sandbox::Cache;
use cofferdam_sandbox::Component;
use cofferdam_sandbox::Context;
use cofferdam_sandbox::Engine;
use cofferdam_sandbox::FileGrants;
use cofferdam_sandbox::Limits;
use cofferdam_sandbox::NoConfig;
use cofferdam_sandbox::Phase;
use cofferdam_sandbox::Program;
use cofferdam_sandbox::StepRun;
use cofferdam_sandbox::Unobserved;
use cofferdam_sandbox::Verdict;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use std::time::Instant;

const SMALL_FILES: usize = 10_000;
const LARGE_BYTES: usize = 200 << 20;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    let [program, steps, folder] = &arguments[..] else {
        println!("usage: cost PROGRAM STEPS FOLDER (see `cargo xtask bench sandbox`)");
        return;
    };
    let lab = Lab::new(program, steps, folder);
    println!(
        "{:<34} {:>10} {:>10} {:>7}  (medians, ms)",
        "", "step", "outside", "ratio"
    );
    lab.no_op();
    lab.cold_compile();
    lab.small_files();
    lab.large_copy();
}

struct Lab {
    _scratch: tempfile::TempDir,
    tree: PathBuf,
    engine: Engine,
    steps: PathBuf,
}

impl Lab {
    fn new(program: &str, steps: &str, folder: &str) -> Self {
        let scratch = tempfile::tempdir_in(folder).unwrap();
        let tree = scratch.path().join("tree");
        fs::create_dir_all(tree.join("data")).unwrap();
        fs::create_dir(scratch.path().join("cache")).unwrap();
        let cache = open(&scratch.path().join("cache"));
        Self {
            tree,
            engine: Engine {
                program: Program::at(program),
                cache: Some(Cache::open(cache, String::new(), || Ok([7; 64])).unwrap()),
                ..Engine::default()
            },
            steps: steps.into(),
            _scratch: scratch,
        }
    }

    /// A step that does nothing, from its bytes and a warm cache to its verdict, against a shell hook
    /// that does nothing.
    fn no_op(&self) {
        let bytes = self.bytes("no_op");
        self.component("no_op");
        let step = || self.run(&self.engine.compile(&bytes).unwrap());
        let hook = || {
            let status = Command::new("/bin/sh").args(["-c", "true"]).status();
            assert!(status.unwrap().success());
        };
        compare("no-op step, `/bin/sh -c true`", 200, || {}, step, hook);
    }

    /// Compiling, in a child, against loading the same from the cache.
    fn cold_compile(&self) {
        let bytes = self.bytes("no_op");
        let cold = Engine {
            program: self.engine.program.clone(),
            ..Engine::default()
        };
        self.component("no_op");
        let compile = || drop(cold.compile(&bytes).unwrap());
        let cached = || drop(self.engine.compile(&bytes).unwrap());
        compare("cold compile, from the cache", 7, || {}, compile, cached);
    }

    fn small_files(&self) {
        let component = self.component("rewrites");
        let data = self.tree.join("data");
        let text = format!(
            "{{\"schema\":1,\"name\":\"x\",\"pad\":\"{}\"}}",
            "y".repeat(400)
        );
        let fresh = || {
            for number in 0..SMALL_FILES {
                fs::write(data.join(format!("{number}.json")), &text).unwrap();
            }
        };
        compare(
            "10,000 small files, natively",
            7,
            fresh,
            || self.run(&component),
            || assert_eq!(work::rewrite_all(&data).unwrap(), SMALL_FILES as u64),
        );
        fs::remove_dir_all(&data).unwrap();
        fs::create_dir(&data).unwrap();
    }

    fn large_copy(&self) {
        let component = self.component("copies");
        let (large, copy) = (self.tree.join("data/large"), self.tree.join("data/copy"));
        fs::write(&large, vec![7; LARGE_BYTES]).unwrap();
        let fresh = || {
            if copy.exists() {
                fs::remove_file(&copy).unwrap();
            }
        };
        compare(
            "a copy of 200 MB, natively",
            7,
            fresh,
            || self.run(&component),
            || assert_eq!(work::copy(&large, &copy).unwrap(), LARGE_BYTES as u64),
        );
    }

    fn bytes(&self, step: &str) -> Vec<u8> {
        fs::read(self.steps.join(format!("{step}.wasm"))).unwrap()
    }

    fn component(&self, step: &str) -> Component {
        self.engine.compile(&self.bytes(step)).unwrap()
    }

    fn run(&self, component: &Component) {
        let outcome = self.engine.run(StepRun {
            component,
            context: Context {
                package_id: "bench".to_owned(),
                step: "bench".to_owned(),
                phase: Phase::Migrate,
                from_version: None,
                to_version: "1.0.0".to_owned(),
                from_data_format: None,
                to_data_format: 1,
                roles: Vec::new(),
                service_output: String::new(),
            },
            tree: &open(&self.tree),
            files: &FileGrants {
                write: GlobSet::parse(&["data/**".to_owned()]).unwrap(),
                ..FileGrants::none()
            },
            limits: Limits {
                time: Duration::from_mins(5),
                written_bytes: 1 << 30,
                files: 1_000_000,
                ..Limits::default()
            },
            largest_file_bytes: LARGE_BYTES as u64,
            config: &mut NoConfig,
            observer: &mut Unobserved,
            created_unix_s: 1_700_000_000,
            seed: [7; 32],
        });
        assert_eq!(outcome.verdict, Verdict::Ok);
    }
}

fn open(path: &Path) -> Dir {
    Dir::open_ambient_dir(path, cap_std::ambient_authority()).unwrap()
}

/// Measures two ways in turns, each from a fresh start.
fn compare(what: &str, rounds: usize, fresh: impl Fn(), step: impl Fn(), outside: impl Fn()) {
    let timed = |work: &dyn Fn()| {
        fresh();
        let started = Instant::now();
        work();
        started.elapsed().as_secs_f64() * 1e3
    };
    let (mut steps, mut outsides) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (one, other) = if round % 2 == 0 {
            let one = timed(&step);
            (one, timed(&outside))
        } else {
            let other = timed(&outside);
            (timed(&step), other)
        };
        // The first round warms up.
        if round > 0 {
            steps.push(one);
            outsides.push(other);
        }
    }
    let (step, outside) = (median(steps), median(outsides));
    println!(
        "{what:<34} {step:>10.2} {outside:>10.2} {:>7.2}",
        step / outside
    );
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
