// SPDX-License-Identifier: Apache-2.0
//! What a step can do with files: a plan of a tree, grants and calls (see `tree/plan.rs`).
//!
//! Each answer is foreseen by a naive walk of the tree and a naive reading of the grants; after each call
//! the tree may differ only where the grants allow it, and not at all when it was refused; in the end
//! nothing outside of the tree has changed, and the record has every change in it.

use std::collections::BTreeMap;

use crate::check::input;
use crate::tree::Plan;
use crate::tree::Rules;
use crate::tree::Run;
use crate::tree::World;
use crate::tree::draw;

/// Takes a plan.
pub fn target(data: &[u8]) {
    let _ = tried(data);
}

/// How often each call of a plan succeeded.
fn tried(data: &[u8]) -> BTreeMap<&'static str, u32> {
    let data = input(data, draw);
    let plan = Plan::read(&String::from_utf8_lossy(&data));
    let world = World::build(&plan.objects);
    let rules = Rules::new(&plan.grants);
    let mut run = Run::new(&world, &rules);
    run.checked(&plan.calls);
    run.done
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::Rng as _;
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;
    use crate::check::drawing;

    /// An oracle of calls that never succeed would say nothing.
    #[test]
    fn drawn_plans_make_every_call_succeed() {
        let mut done: BTreeMap<&str, u32> = BTreeMap::new();
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..500 {
            let mut entropy = vec![0; 1024];
            random.fill_bytes(&mut entropy);
            for (word, count) in tried(&drawing(&entropy)) {
                *done.entry(word).or_default() += count;
            }
        }
        let words = [
            "open", "close", "get", "put", "append", "cut", "list", "stat", "touch", "statat",
            "touchat", "readlink", "mkdir", "rmdir", "rm", "mv", "ln",
        ];
        for word in words {
            assert!(
                done.contains_key(word),
                "no `{word}` ever succeeded: {done:?}"
            );
        }
    }
}
