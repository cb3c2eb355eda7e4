//! Code that stands in two places: runs of the same tokens, whatever the spaces and comments between them.
//!
//! Every run of [`RUN`] tokens gets a hash that rolls from one to the next (Rabin and Karp); two runs of one hash are
//! compared token by token and grown as far as they are the same.

use std::collections::{HashMap, HashSet};

use super::measure::Token;

/// The shortest run that counts, in tokens.
pub(super) const RUN: usize = 50;

/// A run with fewer different tokens is a table, not code.
const DIFFERENT_MIN: usize = 12;

/// Runs that are told.
const FOUND_MAX: usize = 100;

/// The base of the rolling hash: odd, so that it has an inverse in 64 bits.
const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

/// The same code in two places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Duplicate {
    /// How many tokens.
    pub(super) tokens: usize,
    /// File, first and last line; of the earlier place and of the later.
    pub(super) places: [(usize, u32, u32); 2],
}

/// Finds them, the longest first. `stopped` ends the search early.
pub(super) fn find(files: &[Vec<Token>], stopped: &dyn Fn() -> bool) -> Vec<Duplicate> {
    let mut first: HashMap<u64, (u32, u32)> = HashMap::new();
    let mut found = Vec::new();
    // The weight of the token that leaves a run.
    let leaving = (1..RUN).fold(1_u64, |weight, _| weight.wrapping_mul(BASE));
    for (file, tokens) in files.iter().enumerate() {
        if stopped() {
            break;
        }
        let mut at = 0;
        let mut hash = None;
        while at + RUN <= tokens.len() {
            let now = match hash {
                None => tokens[at..at + RUN].iter().fold(0_u64, |hash, token| hash.wrapping_mul(BASE).wrapping_add(token.hash)),
                Some(hash) => {
                    let without: u64 = u64::wrapping_sub(hash, tokens[at - 1].hash.wrapping_mul(leaving));
                    without.wrapping_mul(BASE).wrapping_add(tokens[at + RUN - 1].hash)
                }
            };
            hash = Some(now);
            let known = first.get(&now).map(|(file, at)| (*file as usize, *at as usize));
            let length = known
                .map_or(0, |(other, from)| same(&files[other][from..], &tokens[at..], (other == file).then(|| at.saturating_sub(from))));
            if let (Some((other, from)), true) = (known, length >= RUN) {
                let run = &tokens[at..at + length];
                if run.iter().map(|token| token.hash).collect::<HashSet<_>>().len() >= DIFFERENT_MIN {
                    let place = |file: usize, run: &[Token]| {
                        (file, run.first().map_or(0, |token| token.line), run.last().map_or(0, |token| token.line))
                    };
                    found.push(Duplicate { tokens: length, places: [place(other, &files[other][from..from + length]), place(file, run)] });
                }
                at += length;
                hash = None;
            } else {
                if known.is_none()
                    && let (Ok(file), Ok(at)) = (u32::try_from(file), u32::try_from(at))
                {
                    first.insert(now, (file, at));
                }
                at += 1;
            }
        }
    }
    found.sort_by(|a, b| b.tokens.cmp(&a.tokens).then(a.places.cmp(&b.places)));
    found.truncate(FOUND_MAX);
    found
}

/// How many tokens are the same; within one file not further than to the other place.
fn same(a: &[Token], b: &[Token], most: Option<usize>) -> usize {
    let count = a.iter().zip(b).take_while(|(a, b)| a.hash == b.hash).count();
    most.map_or(count, |most| count.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(hashes: impl IntoIterator<Item = u64>) -> Vec<Token> {
        let mix = |hash: u64| hash.wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(31);
        hashes.into_iter().enumerate().map(|(line, hash)| Token { hash: mix(hash + 1), line: u32::try_from(line).unwrap() + 1 }).collect()
    }

    #[test]
    fn the_same_run_is_found_at_its_full_length() {
        let shared = 1_000..1_080_u64;
        let files = [tokens((0..30).chain(shared.clone()).chain(30..60)), tokens((200..210).chain(shared).chain(300..305))];
        let found = find(&files, &|| false);
        assert_eq!(found, [Duplicate { tokens: 80, places: [(0, 31, 110), (1, 11, 90)] }]);
    }

    #[test]
    fn short_runs_and_tables_do_not_count() {
        let files = [tokens((0..49).chain(100..120)), tokens((0..49).chain(200..220))];
        assert_eq!(find(&files, &|| false), []);
        assert_eq!(find(&[tokens((0..500).map(|at| at % 3))], &|| false), []);
    }

    #[test]
    fn within_one_file_places_do_not_overlap() {
        let files = [tokens((0..60).chain(0..60).chain(0..60))];
        let found = find(&files, &|| false);
        assert!(!found.is_empty() && found.iter().all(|found| found.places[0].2 < found.places[1].1), "{found:?}");
    }
}
