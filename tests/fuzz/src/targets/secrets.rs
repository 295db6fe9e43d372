// SPDX-License-Identifier: Apache-2.0
//! What a step cannot see does not change what it is told: one plan (see `tree/plan.rs`) is run on two
//! trees that differ only where the grants let it see nothing, and gets the same answers from both.
//!
//! Three things are not asked, since what cannot be seen must decide them: to remove a directory, to move
//! one, and to make one where a file stands. And links stay as they are: a step may be led by a link that
//! it cannot read.

use crate::check::input;
use crate::tree::Object;
use crate::tree::ObjectKind;
use crate::tree::Plan;
use crate::tree::Rules;
use crate::tree::Run;
use crate::tree::World;
use crate::tree::draw;

/// Takes a plan.
pub fn target(data: &[u8]) {
    let data = input(data, draw);
    let plan = Plan::read(&String::from_utf8_lossy(&data));
    let rules = Rules::new(&plan.grants);
    let one = World::build(&plan.objects);
    let other: Vec<Object> = plan
        .objects
        .iter()
        .flat_map(|object| changed(object, &one, &rules))
        .collect();
    let other = World::build(&other);
    let (mut one, mut other) = (Run::new(&one, &rules), Run::new(&other, &rules));
    for call in &plan.calls {
        if one.must_tell(call) || other.must_tell(call) {
            continue;
        }
        assert_eq!(
            one.answer(call),
            other.answer(call),
            "{call:?} tells what cannot be seen"
        );
    }
}

/// What stands there in the other tree: something else, or nothing, where a step sees nothing. The
/// directories above it, as far as they are seen, are there in both.
fn changed(object: &Object, one: &World, rules: &Rules) -> Vec<Object> {
    let is_link = matches!(object.kind, ObjectKind::Link(_) | ObjectKind::Odd);
    let seen = |path: &str| rules.may_see_directory(path);
    let above = || {
        let parents = object
            .path
            .match_indices('/')
            .map(|(at, _)| &object.path[..at]);
        parents.filter(|path| seen(path)).map(|path| Object {
            path: path.to_owned(),
            kind: ObjectKind::Directory,
        })
    };
    if !one.has(object) {
        return above().filter(|directory| one.has(directory)).collect();
    }
    if is_link || rules.may_read(&object.path) {
        return vec![object.clone()];
    }
    if seen(&object.path) {
        // Only a directory is seen here.
        return match object.kind {
            ObjectKind::Directory => vec![object.clone()],
            _ => above().collect(),
        };
    }
    let mut objects: Vec<Object> = above().collect();
    match object.kind {
        ObjectKind::File if object.path.len().is_multiple_of(2) => objects.push(Object {
            kind: ObjectKind::Directory,
            ..object.clone()
        }),
        ObjectKind::Directory if object.path.len().is_multiple_of(2) => objects.push(Object {
            kind: ObjectKind::Fifo,
            ..object.clone()
        }),
        _ => {}
    }
    objects
}
