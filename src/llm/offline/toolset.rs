//! The tools of a request as the assistant looks at them: server, name on it, words.

use std::ops::Range;

use crate::domain::ids::ToolName;
use crate::llm::ToolSpec;

use super::words::{Kind, Part};

/// The tool by which a task is handed to another agent or server.
pub(super) const HANDOFF: &str = "handoff";

/// One tool.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct View<'a> {
    pub(super) spec: &'a ToolSpec,
    /// Empty where the name says none.
    pub(super) server: &'a str,
    /// Its name on the server.
    pub(super) short: &'a str,
}

/// All tools.
#[derive(Debug, Clone)]
pub(super) struct Toolset<'a>(pub(super) Vec<View<'a>>);

/// What a name finds.
pub(super) enum Pick<'a> {
    None,
    One(View<'a>),
    Many(Vec<View<'a>>),
}

impl<'a> Toolset<'a> {
    pub(super) fn new(specs: &'a [ToolSpec]) -> Self {
        let view = |spec: &'a ToolSpec| {
            let (server, short) = spec.name.as_str().split_once("__").unwrap_or(("", spec.name.as_str()));
            View { spec, server, short }
        };
        Self(specs.iter().map(view).collect())
    }

    pub(super) fn find(&self, name: &ToolName) -> Option<View<'a>> {
        self.0.iter().copied().find(|view| view.spec.name == *name)
    }

    pub(super) fn handoff(&self) -> Option<View<'a>> {
        self.0.iter().copied().find(|view| view.spec.name.as_str() == HANDOFF)
    }

    /// The servers in the order of their tools.
    pub(super) fn servers(&self) -> Vec<&'a str> {
        let mut servers: Vec<&str> = Vec::new();
        for view in self.0.iter().filter(|view| !view.server.is_empty()) {
            if !servers.contains(&view.server) {
                servers.push(view.server);
            }
        }
        servers
    }

    /// The tool for a row: by the best name that is offered, on the row's own server where it is there.
    pub(super) fn pick(&self, names: &[&str], server: &str, only: Option<&str>) -> Pick<'a> {
        for name in names {
            let fits = |view: &&View<'a>| folded(view.short) == *name && only.is_none_or(|only| view.server == only);
            let found: Vec<View<'a>> = self.0.iter().filter(fits).copied().collect();
            if let Some(own) = found.iter().find(|view| view.server == server) {
                return Pick::One(*own);
            }
            match found.as_slice() {
                [] => {}
                [one] => return Pick::One(*one),
                _ => return Pick::Many(found),
            }
        }
        Pick::None
    }

    /// The server that a sentence names, and where: `with everything`, `everything server`, `用 everything`.
    pub(super) fn server_named(&self, part: &Part) -> Option<(&'a str, Range<usize>)> {
        for (at, token) in part.tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Word) {
            let Some(server) = self.servers().into_iter().find(|server| folded(server) == folded(&token.text)) else { continue };
            let before = at.checked_sub(1).and_then(|before| part.tokens.get(before));
            let after = part.tokens.get(at + 1);
            let word = |token: Option<&super::words::Token>, words: &[&str]| {
                token.is_some_and(|token| token.kind == Kind::Word && words.contains(&token.text.as_str()))
            };
            let han = |token: Option<&super::words::Token>, pieces: &[&str], end: bool| {
                token.is_some_and(|token| {
                    token.kind == Kind::Han
                        && pieces.iter().any(|piece| if end { token.text.ends_with(piece) } else { token.text.starts_with(piece) })
                })
            };
            let by_server = word(after, &["server", "server's"])
                || word(before, &["server"])
                || han(after, &["服务器", "服务"], false)
                || han(before, &["服务器"], true);
            let led = word(before, &["with", "using", "via", "through", "use", "call", "on", "at", "@"])
                || han(before, &["用", "通过", "调用"], true);
            // `time` and `memory` are words as well: they need to be called a server, or to be used.
            let common = ["time", "memory", "files", "system", "tasks", "web", "search", "fetch", "git", "weather"].contains(&server);
            let firmly = word(before, &["using", "via", "with", "use", "call"]) || han(before, &["用", "通过", "调用"], true);
            let its_tool =
                after.is_some_and(|after| self.0.iter().any(|view| view.server == server && folded(view.short) == folded(&after.text)));
            if by_server || its_tool || (led && (!common || firmly)) {
                let mut range = token.range.clone();
                if let Some(before) = before.filter(|_| led || word(before, &["server"])) {
                    range.start = if before.kind == Kind::Word { before.range.start } else { range.start };
                }
                if let Some(after) = after.filter(|_| word(after, &["server", "server's"])) {
                    range.end = after.range.end;
                }
                return Some((server, range));
            }
        }
        None
    }
}

/// A name in small letters with `_` for `-` and blanks.
pub(super) fn folded(name: &str) -> String {
    name.to_lowercase().replace(['-', ' ', '.'], "_")
}

/// The words of a name: parted by signs and by capitals.
pub(super) fn name_words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small = false;
    for ch in name.chars() {
        if !ch.is_alphanumeric() || (ch.is_uppercase() && small) {
            words.push(String::new());
        }
        small = ch.is_lowercase();
        if ch.is_alphanumeric()
            && let Some(last) = words.last_mut()
        {
            last.extend(ch.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A word without the ending that a sentence gives it.
pub(super) fn stem(word: &str) -> String {
    for ending in ["ies", "ing", "ed", "es", "s"] {
        if let Some(start) = word.strip_suffix(ending).filter(|start| start.len() >= 3) {
            return if ending == "ies" { format!("{start}y") } else { start.trim_end_matches('e').to_owned() };
        }
    }
    word.trim_end_matches('e').to_owned()
}
