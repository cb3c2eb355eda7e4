//! What of an item can be taken by itself: its code blocks, a call's arguments and result, addresses, saved files.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::item::{Body, Call, Handoff, Item, result_str, result_text};
use super::{ItemId, Transcript};
use crate::domain::text::{clean, clean_line, ellipsis};
use crate::tui::markdown::code_blocks;

/// Parts of one item that are listed.
const PARTS_MAX: usize = 200;

/// Bytes of an item that are searched for addresses.
const SEARCHED_BYTES_MAX: usize = 512 * 1024;

/// The longest address that is opened, in bytes: browsers take no longer ones.
const ADDRESS_BYTES_MAX: usize = 2_048;

/// Something to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What it is: `code rust`, `result`, `arguments`.
    pub name: String,
    /// How it begins.
    pub about: String,
    /// The text, cleaned.
    pub text: String,
}

impl Part {
    fn new(name: impl Into<String>, text: &str) -> Self {
        /// Characters that are shown of a part.
        const ABOUT_CHARS_MAX: usize = 80;
        let text = clean(text).into_owned();
        let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let first = ellipsis(first.get(..first.floor_char_boundary(ABOUT_CHARS_MAX * 4)).unwrap_or_default(), ABOUT_CHARS_MAX);
        let lines = text.lines().count();
        let about = if lines > 1 { format!("{lines} lines: {first}") } else { first.into_owned() };
        Self { name: name.into(), about, text }
    }
}

/// Something to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An `http` or `https` address.
    Address(String),
    /// A file that a tool's result was saved in.
    File(PathBuf),
}

impl Transcript {
    /// What copying an item without further ado takes: what was said; of a call its result, else its error, else its
    /// arguments.
    pub fn copied(&self, item: ItemId) -> Option<String> {
        let item = self.find(item)?;
        let parts = match &item.body {
            Body::Tool(call) => call_parts(call),
            Body::Handoff(handoff) => handoff_parts(handoff),
            _ => return Some(clean(&item.text()).into_owned()).filter(|text| !text.trim().is_empty()),
        };
        let best = ["result", "error", "arguments", "task"].iter().find_map(|name| parts.iter().find(|part| part.name == *name));
        best.map(|part| part.text.clone()).or_else(|| Some(clean(&item.text()).into_owned()))
    }

    /// The parts of an item, all of it last.
    pub fn parts(&self, item: ItemId) -> Vec<Part> {
        let Some(item) = self.find(item) else { return Vec::new() };
        let mut parts = match &item.body {
            Body::Assistant { text, .. } | Body::Reasoning { text, .. } => code_parts(text),
            Body::User { text } => code_parts(text),
            Body::Tool(call) => call_parts(call),
            Body::Handoff(handoff) => handoff_parts(handoff),
            _ => Vec::new(),
        };
        parts.truncate(PARTS_MAX);
        let whole = Part::new("everything", &item.text());
        if parts.len() != 1 || parts.iter().all(|part| part.text != whole.text) {
            parts.push(whole);
        }
        parts
    }

    /// What an item leads to, each once, in order.
    pub fn targets(&self, item: ItemId) -> Vec<Target> {
        let Some(item) = self.find(item) else { return Vec::new() };
        let text = item.text();
        let text = text.get(..text.floor_char_boundary(SEARCHED_BYTES_MAX)).unwrap_or(&text);
        let mut found: Vec<Target> = Vec::new();
        let files = saved(item).into_iter().map(Target::File);
        for target in files.chain(addresses(text).into_iter().map(Target::Address)) {
            if found.len() < PARTS_MAX && !found.contains(&target) {
                found.push(target);
            }
        }
        found
    }
}

fn code_parts(text: &str) -> Vec<Part> {
    let name = |language: &str| if language.is_empty() { "code".to_owned() } else { format!("code {}", clean_line(language)) };
    code_blocks(text).iter().map(|block| Part::new(name(&block.language), &block.text)).collect()
}

fn json_part(name: &str, map: &Map<String, Value>) -> Option<Part> {
    if map.is_empty() { None } else { serde_json::to_string_pretty(map).ok().map(|text| Part::new(name, &text)) }
}

fn call_parts(call: &Call) -> Vec<Part> {
    let result = call.result.as_ref().map(|result| Part::new("result", &result_text(result)));
    let error = call.error.as_ref().map(|error| Part::new("error", error));
    let change = call.preview.as_ref().map(|preview| Part::new("change", preview));
    let parts = [result, error, json_part("arguments", &call.arguments), change];
    parts.into_iter().flatten().filter(|part| !part.text.is_empty()).collect()
}

fn handoff_parts(handoff: &Handoff) -> Vec<Part> {
    let result = handoff.result.as_ref().map(|result| Part::new("result", &result_text(result)));
    let error = handoff.error.as_ref().map(|error| Part::new("error", error));
    [result, error, json_part("task", &handoff.task)].into_iter().flatten().filter(|part| !part.text.is_empty()).collect()
}

/// The files that a call's result names as saved.
pub(super) fn saved(item: &Item) -> Vec<PathBuf> {
    let Body::Tool(call) = &item.body else { return Vec::new() };
    let Some(text) = call.result.as_ref().and_then(result_str) else { return Vec::new() };
    saved_lines(text).filter_map(|line| line.split_once(": /").map(|(_, path)| PathBuf::from(format!("/{path}")))).collect()
}

/// What stands in lines like `[image image/png 12 kB: /path]`, without the brackets.
pub(super) fn saved_lines(text: &str) -> impl Iterator<Item = &str> {
    // Files are named at the ends of lines that we made: a result in one endless line names none.
    let text = text.get(..text.floor_char_boundary(SEARCHED_BYTES_MAX)).unwrap_or(text);
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix('[')?.strip_suffix(']'));
    lines.filter(|line| ["image ", "audio ", "resource "].iter().any(|kind| line.starts_with(kind)) && line.contains(": /"))
}

/// The `http` and `https` addresses in a text.
pub(crate) fn addresses(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("http") {
        let from = rest.get(at..).unwrap_or_default();
        let is_word = rest.get(..at).and_then(|before| before.chars().next_back()).is_some_and(char::is_alphanumeric);
        let length = if is_word { 0 } else { address_len(from) };
        if length > 0 {
            found.push(from.get(..length).unwrap_or_default().to_owned());
        }
        rest = from.get(length.max(4)..).unwrap_or_default();
    }
    found
}

/// Bytes of the address that `text` starts with; 0 where it starts with none.
pub(crate) fn address_len(text: &str) -> usize {
    let Some(scheme) = ["https://", "http://"].into_iter().find(|scheme| text.starts_with(scheme)) else { return 0 };
    let mut open = 0_i32;
    let mut end = 0;
    for (at, ch) in text.char_indices() {
        match ch {
            '(' => open += 1,
            ')' if open == 0 => break,
            ')' => open -= 1,
            ch if ch.is_whitespace() || ch.is_control() || "<>\"'`[]{}|\\^│…".contains(ch) => break,
            _ => {}
        }
        end = at + ch.len_utf8();
        if end > ADDRESS_BYTES_MAX {
            return 0;
        }
    }
    let address = text.get(..end).unwrap_or_default().trim_end_matches(['.', ',', ';', ':', '!', '?', '*', '_', '~']);
    if address.len() > scheme.len() { address.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_end_where_people_see_their_end() {
        let check = |text: &str, expected: &[&str]| assert_eq!(addresses(text), expected, "{text}");
        check("see https://docs.rs/x?a=b#c.", &["https://docs.rs/x?a=b#c"]);
        check("[a](https://a.example/x_(y)) and <http://b.example>", &["https://a.example/x_(y)", "http://b.example"]);
        check("**https://a.example/** \"https://b.example/\"", &["https://a.example/", "https://b.example/"]);
        check("xhttps://no https:// javascript:alert(1) httpshttp://no", &[]);
        check(&format!("https://a.example/{}", "x".repeat(ADDRESS_BYTES_MAX)), &[]);
        check("中文https://a.example/中文。", &[]);
        check("（https://a.example/）", &["https://a.example/）"]);
    }

    #[test]
    fn only_lines_of_saved_files_name_files() {
        let text = "[image image/png 3 B: /a/b.png]\ntext [image x: /c]\n [audio audio/wav 2 B: /d e.wav] \n[resource x://y application/pdf 1 kB: /f.pdf]";
        let lines: Vec<&str> = saved_lines(text).collect();
        assert_eq!(
            lines,
            ["image image/png 3 B: /a/b.png", "audio audio/wav 2 B: /d e.wav", "resource x://y application/pdf 1 kB: /f.pdf"]
        );
    }
}
