// SPDX-License-Identifier: Apache-2.0
//! Bounds the lists of a history record, so that no step can make the history grow at will.
//!
//! Of a list that is too long, a part is kept, with the number of all entries and one digest over all
//! of them: whoever has the whole list, as `plan --json` and `apply --json` print it, can prove that
//! it is the one. The digest is over the entries as lines of JSON, members sorted by name and without
//! white space, in the order of the list.

use std::collections::BTreeMap;

use cofferdam_package::digest::Digest;
use cofferdam_package::digest::DigestHasher;
use serde::Serialize;

/// What one list of a record may take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Room {
    /// Entries.
    pub(super) entries: usize,
    /// Bytes of their JSON: few entries may have long names.
    pub(super) bytes: usize,
}

impl Room {
    fn and(self, other: &Self) -> Self {
        Self {
            entries: self.entries + other.entries,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// What is known of a list of which only a part was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Cut {
    /// How many entries it had.
    pub(super) entries: u64,
    /// The SHA-256 over all of them, one line each.
    pub(super) digest: Digest,
}

/// The lists that were cut, by where they stand in the record.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub(in crate::update) struct Cuts(BTreeMap<&'static str, Cut>);

impl Cuts {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries of a list that have room, in their order.
    pub(super) fn keep<'a, T: Serialize + 'a>(
        &mut self,
        list: &'static str,
        room: Room,
        entries: impl IntoIterator<Item = &'a T> + Clone,
    ) -> Vec<&'a T> {
        self.keep_by_class(list, &[room], entries, |_| 0)
    }

    /// The same where entries differ in what they matter: each class has the room of its number, and what
    /// those before it left.
    pub(super) fn keep_by_class<'a, T: Serialize + 'a>(
        &mut self,
        list: &'static str,
        rooms: &[Room],
        entries: impl IntoIterator<Item = &'a T> + Clone,
        class: impl Fn(&T) -> usize,
    ) -> Vec<&'a T> {
        let mut hasher = DigestHasher::new();
        let mut lengths = Vec::new();
        for entry in entries.clone() {
            let line = line_of(entry);
            hasher.update(&line);
            hasher.update(b"\n");
            lengths.push(line.len() + 1);
        }
        let bytes: usize = lengths.iter().sum();
        let room = rooms.iter().fold(Room::default(), Room::and);
        if lengths.len() <= room.entries && bytes <= room.bytes {
            return entries.into_iter().collect();
        }
        self.0.insert(
            list,
            Cut {
                entries: lengths.len() as u64,
                digest: hasher.finish(),
            },
        );
        let mut left = Room::default();
        let mut kept: Vec<(usize, &T)> = Vec::new();
        for (number, room) in rooms.iter().enumerate() {
            left = left.and(room);
            for ((place, entry), length) in entries.clone().into_iter().enumerate().zip(&lengths) {
                if class(entry) == number && left.entries > 0 && *length <= left.bytes {
                    left.entries -= 1;
                    left.bytes -= length;
                    kept.push((place, entry));
                }
            }
        }
        kept.sort_by_key(|(place, _)| *place);
        kept.into_iter().map(|(_, entry)| entry).collect()
    }
}

/// An entry as one line, without its line feed.
fn line_of(entry: &impl Serialize) -> Vec<u8> {
    // Through a value, whose members are sorted; each entry is small.
    let value = serde_json::to_value(entry).unwrap_or_default();
    serde_json::to_vec(&value).unwrap_or_default()
}

/// The beginning of a text that is too long for a record.
pub(super) fn text(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(bytes)])
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room {
        entries: 3,
        bytes: 40,
    };

    #[test]
    fn a_list_with_room_is_kept_whole_and_needs_no_digest() {
        let mut cuts = Cuts::default();
        let kept = cuts.keep("list", ROOM, &[1, 2, 3]);
        assert_eq!(kept, [&1, &2, &3]);
        assert!(cuts.is_empty());
    }

    #[test]
    fn of_a_list_without_room_the_first_are_kept_and_the_digest_is_over_all() {
        let mut cuts = Cuts::default();
        let kept = cuts.keep("list", ROOM, &[1, 2, 3, 4, 5, 6]);
        assert_eq!(kept, [&1, &2, &3]);
        let expected = Cut {
            entries: 6,
            digest: Digest::of(b"1\n2\n3\n4\n5\n6\n"),
        };
        assert_eq!(cuts.0["list"], expected);
    }

    #[test]
    fn a_class_takes_no_room_of_another_but_what_those_before_it_left() {
        let one = |entries| Room { entries, bytes: 40 };
        let rooms = [one(2), one(1)];
        let class = |number: &i32| usize::from(*number < 10);
        let kept = |list: &[i32]| -> Vec<i32> {
            let kept = Cuts::default().keep_by_class("list", &rooms, list, class);
            kept.into_iter().copied().collect()
        };
        assert_eq!(kept(&[1, 2, 3, 10, 11, 12]), [1, 10, 11]);
        assert_eq!(kept(&[1, 2, 3, 4, 10]), [1, 2, 10]);
        assert_eq!(kept(&[10, 11, 12, 13]), [10, 11]);
    }

    #[test]
    fn a_few_long_entries_count_by_their_bytes_and_do_not_push_out_the_short_ones() {
        let mut cuts = Cuts::default();
        let list = [
            "x".repeat(30),
            "y".repeat(30),
            "\u{1}".repeat(30),
            "z".to_owned(),
        ];
        let kept = cuts.keep("list", ROOM, &list);
        assert_eq!(kept, [&list[0], &list[3]]);
        assert_eq!(cuts.0["list"].entries, 4);
    }

    #[test]
    fn lines_have_their_members_sorted() {
        #[derive(Serialize)]
        struct Entry {
            path: &'static str,
            after: u8,
        }
        let entry = Entry {
            path: "a\n\u{7f}é",
            after: 1,
        };
        assert_eq!(
            line_of(&entry),
            "{\"after\":1,\"path\":\"a\\n\u{7f}é\"}".as_bytes()
        );
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(text("abc", 3), "abc");
        assert_eq!(text("aéc", 2), "a…");
    }
}
