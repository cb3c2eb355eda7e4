//! Fuzzy search over short texts. The only file that knows the matcher's crate.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

/// Positions in `items` that match `query`, the best first; all in order where the query is empty.
pub(crate) fn rank<'a>(query: &str, items: impl Iterator<Item = &'a str>, paths: bool) -> Vec<usize> {
    scored(query, items, paths, |_| 0)
}

/// As [`rank`], with points added for what is not in the text.
pub(crate) fn scored<'a>(query: &str, items: impl Iterator<Item = &'a str>, paths: bool, more: impl Fn(&str) -> u32) -> Vec<usize> {
    if query.trim().is_empty() {
        let mut all: Vec<(u32, usize)> = items.enumerate().map(|(at, item)| (more(item), at)).collect();
        all.sort_by_key(|(score, at)| (std::cmp::Reverse(*score), *at));
        return all.into_iter().map(|(_, at)| at).collect();
    }
    let config = if paths { Config::DEFAULT.match_paths() } else { Config::DEFAULT };
    let mut matcher = Matcher::new(config);
    let pattern = Pattern::parse(query, CaseMatching::Smart, Normalization::Smart);
    let mut buffer = Vec::new();
    let mut found: Vec<(u32, usize)> = items
        .enumerate()
        .filter_map(|(at, item)| pattern.score(Utf32Str::new(item, &mut buffer), &mut matcher).map(|score| (score + more(item), at)))
        .collect();
    found.sort_by_key(|(score, at)| (std::cmp::Reverse(*score), *at));
    found.into_iter().map(|(_, at)| at).collect()
}
