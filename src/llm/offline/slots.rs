//! How the arguments of the known tools are read out of a sentence.
//!
//! An extractor answers `None` where the sentence cannot mean its tool. A required argument that it leaves out is asked
//! for. Several files or places make several calls.

mod edits;
mod programs;
mod search;

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::arithmetic;
use super::intents::FILLERS;
use super::words::{Kind, Part, Token, is_file_like};
use crate::tools::local::zones;

pub(super) use edits::{edit, write};
pub(super) use programs::{code, command};
pub(super) use search::search;

/// What was read.
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    /// The arguments of each call.
    pub(super) calls: Vec<Map<String, Value>>,
    /// Where they stood.
    pub(super) used: Vec<Range<usize>>,
    /// How much surer the arguments make it.
    pub(super) sure: i32,
    /// Free text was taken: nothing is left unexplained.
    pub(super) takes_rest: bool,
}

/// Reads arguments.
pub(super) type Extract = fn(&Part) -> Option<Found>;

/// A pattern that is compiled once.
pub(super) struct Rule(LazyLock<Option<Regex>>);

impl Rule {
    pub(super) const fn new(compile: fn() -> Option<Regex>) -> Self {
        Self(LazyLock::new(compile))
    }

    /// The groups of the first match, by number.
    pub(super) fn find<'t>(&self, text: &'t str) -> Option<regex::Captures<'t>> {
        self.0.as_ref()?.captures(text)
    }
}

/// Declares a [`Rule`].
macro_rules! rule {
    ($seen:vis $name:ident = $pattern:expr) => {
        $seen static $name: $crate::llm::offline::slots::Rule = $crate::llm::offline::slots::Rule::new(|| regex::Regex::new($pattern).ok());
    };
}
pub(super) use rule;

rule!(LINES = r"(?i)\blines?\s+(\d+)\s*(?:-|–|to|until|through)\s*(?:line\s+)?(\d+)|第?\s*(\d+)\s*行?\s*(?:到|至|-)\s*第?\s*(\d+)\s*行");
rule!(FIRST_LINES = r"(?i)\b(?:first|top)\s+(\d+)\s+lines?\b|前\s*(\d+)\s*行");
rule!(LAST_LINES = r"(?i)\b(?:last|final|bottom)\s+(\d+)\s+lines?\b|(?:最后|末尾|后)\s*(\d+)\s*行");
rule!(FROM_LINE = r"(?i)\bfrom\s+line\s+(\d+)\b|从第\s*(\d+)\s*行");
rule!(ONE_LINE = r"(?i)\bline\s+(\d+)\b|第\s*(\d+)\s*行");
rule!(DEPTH = r"(?i)\bdepth\s*(?:of\s*)?(\d+)\b|\b(\d+)\s+levels?\b|(\d+)\s*层");
rule!(NAMED = r#"(?i)\b(?:named|called)\s+["'`“]?([\w.*?/-]+)"#);
rule!(
    FOLDER = r"(?i)\b(?:in|inside|under|of|within|from)\s+(?:the\s+|my\s+)?([\w.-]+)(?:\s+(?:folder|directory|dir))?\b|\b(?:folder|directory|dir)\s+(?:called\s+|named\s+)?([\w.-]+)|\b([\w.-]+)\s+(?:folder|directory|dir)\b|([A-Za-z_][\w.-]*)\s*(?:目录|文件夹|下|里|中)|(?:目录|文件夹)\s*([A-Za-z_][\w.-]*)"
);
rule!(pub(super) PLACE = r"\b(?:in|at|for)\s+((?:[A-Z][\w'’-]+)(?:\s+[A-Z][\w'’-]+){0,3})\s*[?.!]*$");
rule!(FILE_CALLED = r"(?i)\bfile\s+(?:called\s+|named\s+)?([A-Za-z_][\w-]*)\b");

pub(super) fn args(pairs: &[(&str, Value)]) -> Map<String, Value> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

/// All of the sentence.
fn whole(part: &Part) -> Vec<Range<usize>> {
    std::iter::once(0..part.raw.len()).collect()
}

fn group(rule: &Rule, text: &str) -> Option<(String, Range<usize>)> {
    let captures = rule.find(text)?;
    let whole = captures.get(0)?.range();
    captures.iter().skip(1).flatten().next().map(|found| (found.as_str().to_owned(), whole))
}

fn number(rule: &Rule, text: &str) -> Option<(i64, Range<usize>)> {
    group(rule, text).and_then(|(digits, range)| digits.parse().ok().map(|number| (number, range)))
}

/// A tool without arguments.
#[expect(clippy::unnecessary_wraps, reason = "an extractor like the others")]
pub(super) fn nothing(_part: &Part) -> Option<Found> {
    Some(Found { calls: vec![Map::new()], ..Found::default() })
}

pub(super) fn calculate(part: &Part) -> Option<Found> {
    let only_asks = |word: &str| matches!(word, "calculate" | "compute" | "something" | "please" | "calculator");
    if part.words().any(|word| matches!(word, "calculate" | "compute")) && part.tokens.iter().all(|token| only_asks(&token.text))
        || matches!(part.raw.as_str(), "计算" | "计算一下" | "算一下")
    {
        return Some(Found { calls: vec![Map::new()], takes_rest: true, ..Found::default() });
    }
    let expression = arithmetic::expression(&part.raw)?;
    Some(Found { calls: vec![args(&[("expression", json!(expression))])], used: whole(part), sure: 0, takes_rest: true })
}

/// The longest sentence that is searched for places, in bytes.
const PLACES_BYTES_MAX: usize = 400;

pub(super) fn time(part: &Part) -> Option<Found> {
    if part.raw.len() > PLACES_BYTES_MAX || !part.paths().is_empty() {
        return None;
    }
    let mut found = Found::default();
    for (range, zone) in zones::mentioned(&part.raw) {
        let call = args(&[("timezone", json!(zone))]);
        if !found.calls.contains(&call) {
            found.calls.push(call);
        }
        found.used.push(range);
        found.sure = 4;
    }
    if found.calls.is_empty() {
        match group(&PLACE, &part.raw) {
            Some((place, range)) => {
                found.calls.push(args(&[("timezone", json!(place))]));
                found.used.push(range);
            }
            None => found.calls.push(Map::new()),
        }
    }
    Some(found)
}

/// Kinds of files by the words for them.
const KINDS: &[(&str, &str)] = &[
    ("rust", "*.rs"),
    ("python", "*.py"),
    ("javascript", "*.js"),
    ("typescript", "*.ts"),
    ("markdown", "*.md"),
    ("toml", "*.toml"),
    ("json", "*.json"),
    ("yaml", "*.{yaml,yml}"),
    ("html", "*.html"),
    ("css", "*.css"),
    ("go", "*.go"),
    ("java", "*.java"),
    ("shell", "*.sh"),
    ("text", "*.txt"),
    ("csv", "*.csv"),
];

/// Folders that are known by their names alone.
static KNOWN_FOLDERS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    "src tests test docs doc lib libs bin target build dist assets examples benches scripts themes node_modules app apps config public packages crates include logs data tools"
        .split_whitespace()
        .collect()
});

/// How deep `recursively` goes.
const DEPTH_RECURSIVE: i64 = 5;

pub(super) fn list(part: &Part) -> Option<Found> {
    let mut found = Found::default();
    let (folders, files): (Vec<&Token>, Vec<&Token>) = part.paths().into_iter().partition(|path| !is_file_like(&path.text));
    let named = group(&NAMED, &part.raw);
    if folders.is_empty() && !files.is_empty() && named.is_none() {
        return None;
    }
    let mut paths: Vec<String> = folders.iter().map(|folder| folder.text.clone()).collect();
    found.used.extend(folders.iter().map(|folder| folder.range.clone()));
    let glob = glob_of(part, named, &mut found);
    for quoted in part.quoted() {
        paths.push(quoted.text.clone());
        found.used.push(quoted.range.clone());
    }
    if paths.is_empty() {
        for token in part.tokens.iter().filter(|token| token.kind == Kind::Word && KNOWN_FOLDERS.contains(&token.text.as_str())) {
            paths.push(token.text.clone());
            found.used.push(token.range.clone());
        }
    }
    if paths.is_empty()
        && let Some((name, range)) = folder_named(part)
    {
        // `in fashion` is no folder; what is called a folder, or asked for files, is.
        let of_files = ["file", "files", "folder", "folders", "directory", "dir", "contents", "ls"].iter().any(|word| part.has_word(word));
        if !of_files && !["文件", "目录", "文件夹"].iter().any(|piece| part.has_han(piece)) {
            return None;
        }
        paths.push(name);
        found.used.push(range);
    }
    let depth = number(&DEPTH, &part.raw);
    if let Some((_, range)) = &depth {
        found.used.push(range.clone());
    }
    let recursive = part.words().any(|word| word.starts_with("recurs") || word == "tree") || part.has_han("递归") || part.has_han("子目录");
    let depth = depth.map(|(depth, _)| depth).or_else(|| recursive.then_some(DEPTH_RECURSIVE));
    found.sure = if paths.is_empty() { 0 } else { 3 };
    if paths.is_empty() {
        paths.push(".".to_owned());
    }
    for path in paths {
        let mut call = args(&[("path", json!(path))]);
        if let Some(depth) = depth {
            call.insert("depth".to_owned(), json!(depth));
        }
        if let Some(glob) = &glob {
            call.insert("glob".to_owned(), json!(glob));
        }
        found.calls.push(call);
    }
    Some(found)
}

fn glob_of(part: &Part, named: Option<(String, Range<usize>)>, found: &mut Found) -> Option<String> {
    if let Some(glob) = part.values(|kind| *kind == Kind::Glob).first() {
        found.used.push(glob.range.clone());
        return Some(glob.text.clone());
    }
    if let Some((name, range)) = named {
        found.used.push(range);
        return Some(name);
    }
    let kind = part.tokens.iter().find_map(|token| {
        let known = KINDS.iter().find(|(word, _)| token.kind == Kind::Word && *word == token.text)?;
        Some((known.1.to_owned(), token.range.clone()))
    });
    kind.map(|(glob, range)| {
        found.used.push(range);
        glob
    })
}

/// Words after `in` that name no folder.
static NO_FOLDERS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    "contents content listing structure names entries called named fashion here this current working the that my files file folders folder directory directories dir all each every it project \
     detail order root a an them there list what which where repo repository workspace cwd level depth and please ls tree \
     show"
        .split_whitespace()
        .collect()
});

fn folder_named(part: &Part) -> Option<(String, Range<usize>)> {
    let mut from = 0;
    while let Some(captures) = part.raw.get(from..).and_then(|text| FOLDER.find(text)) {
        let name = captures.iter().skip(1).flatten().next()?;
        let word = name.as_str().to_lowercase();
        if !NO_FOLDERS.contains(&word.as_str()) && !FILLERS.contains(&word.as_str()) && !KINDS.iter().any(|(kind, _)| *kind == word) {
            return Some((name.as_str().to_owned(), from + name.start()..from + name.end()));
        }
        from += name.end();
    }
    None
}

pub(super) fn read(part: &Part) -> Option<Found> {
    let mut found = Found::default();
    let listing = ["list", "ls", "files", "folder", "folders", "directory", "dir", "tree"].iter().any(|word| part.has_word(word))
        || part.has_han("目录")
        || part.has_han("文件夹")
        || part.has_han("哪些")
        || part.has_han("列");
    for path in part.paths() {
        if path.text.ends_with('/') || matches!(path.text.as_str(), "." | "..") || (listing && !is_file_like(&path.text)) {
            return None;
        }
        found.calls.push(args(&[("path", json!(path.text))]));
        found.used.push(path.range.clone());
    }
    if found.calls.is_empty() {
        let called =
            group(&FILE_CALLED, &part.raw).filter(|(name, _)| !FILLERS.contains(&name.to_lowercase().as_str()) && !is_line_word(name));
        if let Some(quoted) = part.quoted().first() {
            found.calls.push(args(&[("path", json!(quoted.text))]));
            found.used.push(quoted.range.clone());
        } else if let Some((name, range)) = called {
            found.calls.push(args(&[("path", json!(name))]));
            found.used.push(range);
        } else {
            let strong = ["read", "open", "cat", "load", "head", "tail"].iter().any(|word| part.has_word(word))
                || ["读", "打开"].iter().any(|piece| part.has_han(piece));
            let speaks_of_one = part.has_word("file") || part.has_word("it") || part.has_han("文件") || part.has_han("它");
            if listing || !strong || !speaks_of_one {
                return None;
            }
            found.calls.push(Map::new());
        }
    } else {
        found.sure = 5;
    }
    let lines = line_range(part, &mut found.used);
    for call in &mut found.calls {
        call.extend(lines.clone());
    }
    Some(found)
}

fn is_line_word(name: &str) -> bool {
    matches!(name.to_lowercase().as_str(), "line" | "lines" | "contents" | "content" | "called" | "named" | "again")
}

/// `offset` and `limit` of the lines that are asked for.
fn line_range(part: &Part, used: &mut Vec<Range<usize>>) -> Map<String, Value> {
    let text = &part.raw;
    if let Some(captures) = LINES.find(text) {
        let numbers: Vec<i64> = captures.iter().skip(1).flatten().filter_map(|digits| digits.as_str().parse().ok()).collect();
        if let [first, last] = numbers.as_slice()
            && last >= first
        {
            used.extend(captures.get(0).map(|whole| whole.range()));
            return args(&[("offset", json!(first)), ("limit", json!(last - first + 1))]);
        }
    }
    if let Some((count, range)) = number(&FIRST_LINES, text) {
        used.push(range);
        return args(&[("limit", json!(count))]);
    }
    if let Some((count, range)) = number(&LAST_LINES, text) {
        used.push(range);
        return args(&[("offset", json!(-count))]);
    }
    if let Some((first, range)) = number(&FROM_LINE, text) {
        used.push(range);
        return args(&[("offset", json!(first))]);
    }
    if let Some((line, range)) = number(&ONE_LINE, text) {
        used.push(range);
        return args(&[("offset", json!(line)), ("limit", json!(1))]);
    }
    match part.words().find(|word| matches!(*word, "head" | "tail")) {
        Some("head") => args(&[("limit", json!(10))]),
        Some("tail") => args(&[("offset", json!(-10))]),
        _ => Map::new(),
    }
}
