// SPDX-License-Identifier: Apache-2.0
//! Inputs that are the same on every machine: what is in the corpus, changed at random from a fixed seed.

use cofferdam_package::digest::Digest;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::Target;
use crate::check;

/// The longest input that is made.
const MOST_BYTES: usize = 8 << 10;

/// Makes inputs for one target.
#[derive(Debug)]
pub struct Inputs<'a> {
    target: Target,
    corpus: &'a [Vec<u8>],
    words: Vec<Vec<u8>>,
}

impl<'a> Inputs<'a> {
    /// The inputs of a target, from its corpus and its dictionary in libFuzzer's form.
    pub fn new(target: Target, corpus: &'a [Vec<u8>], dictionary: &str) -> Self {
        Self {
            target,
            corpus,
            words: dictionary.lines().filter_map(word).collect(),
        }
    }

    /// Input `number`; always the same.
    pub fn get(&self, number: u32) -> Vec<u8> {
        let seed = Digest::of(format!("{} {number}", self.target.name).as_bytes());
        let mut random = ChaCha8Rng::from_seed(*seed.as_bytes());
        // Drawn inputs are sensible ones; changed ones are nearly so.
        if self.target.draws && below(&mut random, 4) > 0 {
            let mut entropy = vec![0; 64 + below(&mut random, 1_024)];
            random.fill_bytes(&mut entropy);
            return check::drawing(&entropy);
        }
        let mut input = self.any(&mut random);
        for _ in 0..=below(&mut random, 8) {
            self.change(&mut random, &mut input);
        }
        input.truncate(MOST_BYTES);
        input
    }

    fn any(&self, random: &mut ChaCha8Rng) -> Vec<u8> {
        match self.corpus.get(below(random, self.corpus.len() + 1)) {
            Some(input) => input.clone(),
            None => Vec::new(),
        }
    }

    fn change(&self, random: &mut ChaCha8Rng, input: &mut Vec<u8>) {
        let at = below(random, input.len() + 1);
        let end = (at + 1 + below(random, 16)).min(input.len());
        match below(random, 8) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << below(random, 8);
                }
            }
            1 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = random.next_u32() as u8;
                }
            }
            2 => drop(input.drain(at..end)),
            3 => {
                let piece = input[at..end].to_vec();
                let to = below(random, input.len() + 1);
                input.splice(to..to, piece);
            }
            4 => {
                let other = self.any(random);
                let from = below(random, other.len() + 1);
                let piece = &other[from..(from + 1 + below(random, 64)).min(other.len())];
                input.splice(at..at, piece.iter().copied());
            }
            5 => input.truncate(at),
            _ => {
                let word = match self.words.get(below(random, self.words.len().max(1))) {
                    Some(word) => word.clone(),
                    None => random.next_u64().to_le_bytes()[..=below(random, 8)].to_vec(),
                };
                let end = if below(random, 2) == 0 { at } else { end };
                input.splice(at..end, word);
            }
        }
    }
}

/// A number below `end`, which is above 0.
fn below(random: &mut ChaCha8Rng, end: usize) -> usize {
    (random.next_u64() % end as u64) as usize
}

/// A line of a dictionary: `"text"` or `name="text"`, with `\\`, `\"` and `\xHH`.
fn word(line: &str) -> Option<Vec<u8>> {
    let line = line.trim();
    let quoted = (!line.starts_with('#'))
        .then(|| line.split_once('"'))??
        .1
        .strip_suffix('"')?;
    let mut word = Vec::new();
    let mut rest = quoted.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'\\', [b'x', digits @ ..]) => {
                let digits = str::from_utf8(digits.get(..2)?).ok()?;
                word.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &after[3..];
            }
            (b'\\', [escaped, after @ ..]) => {
                word.push(*escaped);
                rest = after;
            }
            _ => word.push(*byte),
        }
    }
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_dictionary_are_read() {
        assert_eq!(word("\"a\\x00\\\"\\\\b\"").unwrap(), b"a\0\"\\b");
        assert_eq!(word("name=\"x\"").unwrap(), b"x");
        assert_eq!(word("# \"x\""), None);
        assert_eq!(word(""), None);
    }
}
