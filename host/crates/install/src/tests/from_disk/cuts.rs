// SPDX-License-Identifier: Apache-2.0
//! A recovery from the disk that is cut off itself is carried on by the next one.

use super::*;

/// What stands in the way of one move is taken away by the one before it.
#[test]
fn a_choice_that_was_made_is_carried_on_wherever_it_was_cut_off() {
    let strange = || {
        let world = updated();
        world.apply(3, NEW_CONFIG).unwrap();
        std::fs::rename(&world.dir, world.dir.with_extension("lost")).unwrap();
        write(&world.dir.join("a"), b"somebody else's");
        world
    };
    let mut carried_on = 0;
    for number in 1.. {
        let world = strange();
        fault::arm(number, Fault::Crash);
        let _cut = from_disk(&world, Some(2));
        let (_, struck) = fault::disarm();
        if !struck {
            break;
        }
        let another = look(&world, Some(1)).map(drop);
        match from_disk(&world, None) {
            Ok(decision) => {
                assert_eq!(decision.live, 2, "cut off at {number}");
                // Another choice is not taken for this one.
                assert_eq!(another.unwrap_err().code(), "from-disk-undecided");
                carried_on += 1;
            }
            // Nothing was decided yet, or all is done.
            Err(error) => assert!(
                ["from-disk-undecided", "from-disk-not-needed"].contains(&error.code()),
                "cut off at {number}: {error}"
            ),
        }
        if world.recover().is_err() {
            assert!(carried_on == 0, "cut off at {number}");
            from_disk(&world, Some(2)).unwrap();
        }
        assert_works(&world);
    }
    assert!(carried_on > 5, "{carried_on}");
}

/// One damage, made the same way each time, and the moves that it needs.
fn cut_everywhere(damage: fn(&World)) {
    let expected = {
        let world = updated();
        damage(&world);
        from_disk(&world, None).unwrap();
        end(&world)
    };
    for fault in [Fault::Crash, Fault::Torn, Fault::Error] {
        for number in 1.. {
            let world = updated();
            damage(&world);
            fault::arm(number, fault);
            let cut = from_disk(&world, None);
            let (_, struck) = fault::disarm();
            if !struck {
                assert!(number > 8, "{number}");
                break;
            }
            let told = format!("{fault:?} at {number}: {cut:?}");
            if look(&world, None).is_ok() {
                assert!(world.recover().is_err(), "{told}");
                from_disk(&world, None).unwrap_or_else(|error| panic!("{told}: {error}"));
            }
            assert_eq!(end(&world), expected, "{told}");
            let records = world.open().history(1).unwrap().records;
            let recorded = records
                .iter()
                .filter(|record| record.kind == crate::RecordKind::Recover);
            assert_eq!(recorded.count(), 1, "{told}");
            assert_eq!(
                look(&world, None).unwrap_err().code(),
                "from-disk-not-needed",
                "{told}"
            );
        }
    }
}

/// What there is afterwards: the journal but for inodes, what people see, and what was set aside.
fn end(world: &World) -> (Journal, Seen, Vec<String>, Vec<String>) {
    let journal = Journal {
        live_tree: None,
        live_tree_born_ns: None,
        ..journal(world)
    };
    // Each world has a key of its own, so each package a digest of its own.
    let text = serde_json::to_value(&journal).unwrap();
    let mut plain = text;
    strip_packages(&mut plain);
    let journal: Journal = serde_json::from_value(plain).unwrap();
    (
        journal,
        world.seen(),
        aside(world),
        names(&world.state().join("generations")),
    )
}

fn strip_packages(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                if name == "package" {
                    *member = serde_json::Value::Null;
                } else {
                    strip_packages(member);
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(strip_packages),
        _ => {}
    }
}

#[test]
fn cut_off_anywhere_with_a_cut_journal_it_is_carried_on() {
    cut_everywhere(cut_journal);
}

#[test]
fn cut_off_anywhere_with_a_foreign_directory_in_the_way_it_is_carried_on() {
    cut_everywhere(|world| {
        std::fs::remove_dir_all(&world.dir).unwrap();
        write(&world.dir.join("thesis.txt"), b"mine");
    });
}

#[test]
fn cut_off_anywhere_with_exchanged_trees_it_is_carried_on() {
    cut_everywhere(|world| {
        let other = world.dir.with_extension("other");
        std::fs::rename(&world.dir, &other).unwrap();
        std::fs::rename(tree(world, 1), &world.dir).unwrap();
        std::fs::rename(&other, tree(world, 1)).unwrap();
        write(&world.state().join("generations/odd/file"), b"odd");
    });
}
