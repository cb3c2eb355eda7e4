//! Tools without a row: found by their name, or by the words of their name and description.

use std::ops::Range;

use serde_json::Value;

use super::fill::{Filled, fill};
use super::intents::{FILLERS, owns, unexplained};
use super::toolset::{Toolset, View, folded, name_words, stem};
use super::words::{Kind, Part};
use crate::tools::schema;

/// A tool that fits a sentence.
pub(super) struct Candidate<'a> {
    pub(super) view: View<'a>,
    pub(super) filled: Filled,
    pub(super) score: i32,
}

const VERBS: &[&str] = &["call", "use", "run", "invoke", "execute", "using", "try", "trigger", "tool"];
const HAN_VERBS: &[&str] = &["调用", "使用", "运行", "执行", "用"];

/// How plainly a tool is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Naming {
    /// `use echo`.
    Verb,
    /// `everything echo`.
    Server,
    /// `search nodes`.
    Words,
    /// `get-sum`.
    Signs,
    /// `everything__get-sum`.
    Full,
}

/// The tools that a sentence names outright; several where the name is not unique.
pub(super) fn named<'a>(part: &Part, tools: &Toolset<'a>) -> Vec<Candidate<'a>> {
    let server = tools.server_named(part);
    let mut found: Vec<(Naming, usize, View<'a>, Vec<Range<usize>>)> = Vec::new();
    for view in &tools.0 {
        if server.as_ref().is_some_and(|(server, _)| *server != view.server) {
            continue;
        }
        if let Some((naming, length, range)) = naming(part, view, server.is_some()) {
            let mut used = vec![range];
            used.extend(server.iter().map(|(_, range)| range.clone()));
            used.extend(verb_range(part));
            found.push((naming, length, *view, used));
        }
    }
    let Some(best) = found.iter().map(|(naming, length, ..)| (*naming, *length)).max() else { return Vec::new() };
    found.retain(|(naming, length, ..)| (*naming, *length) == best);
    found
        .into_iter()
        .map(|(_, _, view, used)| Candidate { filled: fill(&view.spec.parameters, part, &used, true), view, score: 0 })
        .collect()
}

fn naming(part: &Part, view: &View<'_>, on_server: bool) -> Option<(Naming, usize, Range<usize>)> {
    let words: Vec<String> = name_words(view.short);
    let joined = folded(view.short);
    let full = folded(view.spec.name.as_str());
    let verb = part.words().any(|word| VERBS.contains(&word)) || HAN_VERBS.iter().any(|verb| part.has_han(verb));
    for (at, token) in part.tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Word) {
        let name = folded(&token.text);
        if name == full && full.contains("__") {
            return Some((Naming::Full, full.len(), token.range.clone()));
        }
        if name == joined && joined.contains('_') {
            return Some((Naming::Signs, joined.len(), token.range.clone()));
        }
        let in_order = words
            .iter()
            .enumerate()
            .all(|(offset, word)| part.tokens.get(at + offset).is_some_and(|token| token.kind == Kind::Word && token.text == *word));
        let whole = name == joined || (in_order && !words.is_empty());
        if in_order && words.len() > 1 && !owns(&joined) && !view.server.is_empty() {
            let range = token.range.start..part.tokens[at + words.len() - 1].range.end;
            return Some((Naming::Words, joined.len(), range));
        }
        if !whole || view.server.is_empty() {
            continue;
        }
        let end = if name == joined { token.range.end } else { part.tokens[at + words.len() - 1].range.end };
        let range = token.range.start..end;
        if on_server {
            return Some((Naming::Server, joined.len(), range));
        }
        // `run the tests`: the verb must stand right before the name.
        let right_before = part.raw.get(..range.start).is_some_and(|before| {
            let before = before.trim_end().to_lowercase();
            let before = ["the tool", "tool", "the", "工具"]
                .iter()
                .fold(before.as_str(), |text, noise| text.strip_suffix(noise).unwrap_or(text).trim_end());
            VERBS.iter().any(|verb| before.ends_with(verb)) || HAN_VERBS.iter().any(|verb| before.ends_with(verb))
        });
        if verb && right_before {
            return Some((Naming::Verb, joined.len(), range));
        }
    }
    None
}

/// The verb that only says that a tool is to be used.
fn verb_range(part: &Part) -> Vec<Range<usize>> {
    let mut used: Vec<Range<usize>> = part
        .tokens
        .iter()
        .filter(|token| token.kind == Kind::Word && VERBS.contains(&token.text.as_str()))
        .take(1)
        .map(|token| token.range.clone())
        .collect();
    if let Some((at, verb)) = HAN_VERBS.iter().find_map(|verb| part.raw.find(verb).map(|at| (at, verb))) {
        used.push(at..at + verb.len());
    }
    used
}

/// Words of names that many tools share.
const COMMON: &[&str] = &[
    "get", "the", "a", "tool", "do", "run", "make", "set", "of", "to", "and", "by", "for", "current", "data", "info", "simple", "read",
    "list", "show", "with",
];

/// Words that mean the same in a request and in a name.
const ALIKE: &[(&str, &str)] = &[
    ("add", "sum"),
    ("plus", "sum"),
    ("say", "echo"),
    ("repeat", "echo"),
    ("picture", "image"),
    ("photo", "image"),
    ("environment", "env"),
    ("find", "search"),
    ("lookup", "search"),
    ("delete", "remov"),
    ("remov", "delet"),
    ("download", "fetch"),
    ("convert", "convert"),
];

/// The tools that the words of a sentence fit, the best first. Stricter the less is named.
pub(super) fn by_words<'a>(part: &Part, tools: &Toolset<'a>) -> Vec<Candidate<'a>> {
    let server = tools.server_named(part);
    let mut found: Vec<Candidate<'a>> = tools
        .0
        .iter()
        // Rows know their tools better than their schemas do.
        .filter(|view| !view.server.is_empty() && !owns(&folded(view.short)))
        .filter(|view| server.as_ref().is_none_or(|(server, _)| *server == view.server))
        .filter_map(|view| candidate(part, view, server.as_ref().map(|(_, range)| range)))
        .collect();
    found.sort_by_key(|candidate| std::cmp::Reverse(candidate.score));
    found
}

fn candidate<'a>(part: &Part, view: &View<'a>, server: Option<&Range<usize>>) -> Option<Candidate<'a>> {
    let content: Vec<(String, Range<usize>)> = part
        .tokens
        .iter()
        .filter(|token| token.kind == Kind::Word && !FILLERS.contains(&token.text.as_str()))
        .map(|token| (stem(&token.text), token.range.clone()))
        .collect();
    let matches = |said: &str, word: &str| said == word || ALIKE.iter().any(|(a, b)| *a == said && stem(b) == *word);
    let name: Vec<String> = name_words(view.short).iter().filter(|word| !COMMON.contains(&word.as_str())).map(|word| stem(word)).collect();
    let of_name: Vec<Range<usize>> =
        content.iter().filter(|(said, _)| name.iter().any(|word| matches(said, word))).map(|(_, range)| range.clone()).collect();
    let of_value = |word: &str| {
        let kind = match word {
            "url" | "uri" | "link" | "pag" | "webpag" => Kind::Url,
            "fil" | "path" | "directory" => Kind::Path,
            _ => return false,
        };
        part.tokens.iter().any(|token| token.kind == kind)
    };
    let hit = name.iter().filter(|word| of_value(word) || content.iter().any(|(said, _)| matches(said, word))).count();
    let described: Vec<String> = view
        .spec
        .description
        .to_lowercase()
        .split(|ch: char| !ch.is_alphanumeric())
        .filter(|word| word.len() > 2 && !FILLERS.contains(word))
        .map(stem)
        .collect();
    let of_description = content.iter().filter(|(said, _)| described.iter().any(|word| matches(said, word))).count();
    let whole = hit == name.len() && hit > 0;
    let fits = whole || (hit > 0 && of_description >= 2) || (server.is_some() && (hit > 0 || of_description > 0));
    if !fits {
        return None;
    }
    let mut used = of_name.clone();
    used.extend(server.cloned());
    // Free text is taken only after a name that opens the sentence: `echo hello`, not `the echo of a cave`.
    let opens = (content.first().is_some_and(|(_, range)| of_name.contains(range)) && !tells(part)) || server.is_some();
    let filled = fill(&view.spec.parameters, part, &used, opens);
    let properties: Vec<String> = schema::properties(&view.spec.parameters).flat_map(|(name, _)| name_words(name)).collect();
    let mut known: Vec<&str> = properties.iter().map(String::as_str).collect();
    let said: Vec<&str> = part.words().filter(|word| described.contains(&stem(word)) || name.contains(&stem(word))).collect();
    known.extend(said);
    known.extend(VERBS);
    known.extend(["like", "today", "current", "currently"]);
    let left = if filled.took_rest { 0 } else { unexplained(part, &filled.used, &known) };
    let slack = usize::from(filled.missing.is_empty() && server.is_some());
    // A request for values that a sentence of other things does not hold is none.
    if left > slack || (!filled.missing.is_empty() && !whole) || (!filled.missing.is_empty() && !opens) {
        return None;
    }
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    let score = count(hit) * 6
        + count(of_description)
        + if whole { 3 } else { 0 }
        + if server.is_some() { 5 } else { 0 }
        + if filled.missing.is_empty() { 2 } else { 0 };
    Some(Candidate { view: *view, filled, score })
}

/// `The echo of the cave was loud` tells, it asks for nothing.
fn tells(part: &Part) -> bool {
    let mut words = part.words();
    words.next().is_some_and(|first| matches!(first, "the" | "a" | "an"))
        && words.any(|word| matches!(word, "is" | "was" | "are" | "were" | "has" | "had"))
        && !part.raw.contains('?')
}

/// What a property is, for a question about it.
pub(super) fn described<'a>(view: &View<'a>, property: &str) -> (Option<&'a str>, Vec<String>) {
    let schema = view.spec.parameters.get("properties").and_then(|properties| properties.get(property));
    let description = schema.and_then(|schema| schema.get("description")).and_then(Value::as_str);
    let choices = schema.and_then(|schema| schema.get("enum")).and_then(Value::as_array).into_iter().flatten();
    (description, choices.map(|choice| choice.as_str().map_or_else(|| choice.to_string(), str::to_owned)).collect())
}
