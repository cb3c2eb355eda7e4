//! The resources that servers lend: which are listed, which is chosen, what one holds.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::domain::catalog::{ResourceInfo, ResourcePart};
use crate::domain::ids::ServerName;
use crate::domain::text::{clean, clean_line};
use crate::tui::catalog::mention;
use crate::tui::fuzzy;
use crate::tui::panels::picker::Input;
use crate::tui::panels::{Block, Body, Row, TextPanel, columns};
use crate::tui::theme::{Icon, Key, Theme};

/// Bytes of one part that are shown; the rest is told.
const SHOWN_BYTES_MAX: usize = 256 * 1024;

/// Parts of a resource that are shown.
const PARTS_MAX: usize = 100;

/// Below so many columns only names are listed.
const WIDE: usize = 70;

/// The list.
#[derive(Debug, Clone, Default)]
pub struct ResourcesPanel {
    /// Only those of this server.
    pub server: Option<ServerName>,
    /// Only those with these words.
    pub filter: String,
    /// The filter while it is typed.
    pub typing: Option<Input>,
    /// The chosen one among those that are listed.
    pub selected: usize,
    /// Those whose changes are told.
    pub subscribed: BTreeSet<(ServerName, String)>,
}

impl ResourcesPanel {
    /// Those that are listed, the best first.
    pub fn listed<'a>(&self, all: &'a [ResourceInfo]) -> Vec<&'a ResourceInfo> {
        let own = |resource: &&ResourceInfo| self.server.as_ref().is_none_or(|server| resource.server == *server);
        let rows: Vec<&ResourceInfo> = all.iter().filter(own).collect();
        let text = |resource: &&ResourceInfo| {
            format!("{} {} {} {}", resource.server, resource.title.as_deref().unwrap_or_default(), resource.name, resource.uri)
        };
        let texts: Vec<String> = rows.iter().map(text).collect();
        let found = fuzzy::rank(&self.filter, texts.iter().map(String::as_str), false);
        found.into_iter().filter_map(|at| rows.get(at).copied()).collect()
    }

    /// The chosen one.
    pub fn current<'a>(&self, all: &'a [ResourceInfo]) -> Option<&'a ResourceInfo> {
        let listed = self.listed(all);
        listed.get(self.selected.min(listed.len().saturating_sub(1))).copied()
    }

    /// Moves the choice.
    pub fn step(&mut self, step: isize, all: &[ResourceInfo]) {
        let last = self.listed(all).len().saturating_sub(1);
        self.selected = self.selected.min(last).saturating_add_signed(step).min(last);
    }

    /// Whether its changes are told.
    pub fn is_subscribed(&self, resource: &ResourceInfo) -> bool {
        self.subscribed.contains(&(resource.server.clone(), resource.uri.clone()))
    }
}

/// A resource in the list.
pub fn row(resource: &ResourceInfo, subscribed: bool, theme: &Theme, width: usize) -> Row {
    let name = clean_line(resource.title.as_deref().unwrap_or(&resource.name));
    let (icon, key) = match (subscribed, resource.is_template) {
        (true, _) => (Icon::Notification, Key::StatusOk),
        (false, true) => (Icon::Circle, Key::StatusInfo),
        (false, false) => (Icon::Dot, Key::UiDim),
    };
    let mark = columns(theme.icon(icon), 2);
    if width < WIDE {
        return vec![(key, format!("{mark} ")), (Key::UiPopup, columns(&name, width.saturating_sub(3)))];
    }
    let room = width.saturating_sub(3 + 15 + 18);
    let name_width = room * 2 / 5;
    let kind = if resource.is_template { "template" } else { resource.mime_type.as_deref().unwrap_or_default() };
    vec![
        (key, format!("{mark} ")),
        (Key::ChatServer, format!("{} ", columns(&clean_line(resource.server.as_str()), 14))),
        (Key::UiPopup, format!("{} ", columns(&name, name_width.saturating_sub(1)))),
        (Key::MdUrl, format!("{} ", columns(&clean_line(&resource.uri), room - name_width - 1))),
        (Key::UiDim, columns(&clean_line(kind), 18)),
    ]
}

/// What is to say about the chosen one, below the list.
pub fn about(resource: &ResourceInfo) -> Vec<Row> {
    let size = resource.size.map(|bytes| format!(" · {}", size(bytes))).unwrap_or_default();
    let kind = resource.mime_type.as_deref().map(|kind| format!(" · {}", clean_line(kind))).unwrap_or_default();
    let first = vec![
        (Key::MdUrl, clean_line(&resource.uri)),
        (Key::UiDim, format!("{kind}{size}{}", if resource.is_template { " · template: enter fills it in" } else { "" })),
    ];
    vec![first, vec![(Key::UiDim, resource.description.as_deref().map(clean_line).unwrap_or_default())]]
}

/// `12 kB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{}.{} kB", bytes / 1_000, bytes % 1_000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// What a resource holds.
pub fn content(server: &ServerName, uri: &str, parts: &[ResourcePart]) -> TextPanel {
    let mut blocks = Vec::new();
    for part in parts.iter().take(PARTS_MAX) {
        if !blocks.is_empty() {
            blocks.push(Block::Rows(vec![Row::new()]));
        }
        if parts.len() > 1 {
            blocks.push(Block::Rows(vec![vec![(Key::MdUrl, clean_line(&part.uri))]]));
        }
        blocks.extend(part_blocks(part));
    }
    if parts.len() > PARTS_MAX {
        blocks.push(Block::Rows(vec![vec![(Key::UiDim, format!("… {} more parts", parts.len() - PARTS_MAX))]]));
    }
    if blocks.is_empty() {
        blocks.push(Block::Rows(vec![vec![(Key::UiDim, "it is empty".to_owned())]]));
    }
    let copy = parts.iter().map(|part| clean(&part.text).into_owned()).collect::<Vec<_>>().join("\n");
    let resource = ResourceInfo {
        server: server.clone(),
        uri: uri.to_owned(),
        is_template: false,
        name: String::new(),
        title: None,
        description: None,
        mime_type: None,
        size: None,
    };
    let title = format!("{} · {}", clean_line(server.as_str()), clean_line(uri));
    TextPanel { title, body: Body::Document(blocks), scroll: 0, copy: Some(copy), mention: mention(&resource), memory: None, find: None }
}

fn part_blocks(part: &ResourcePart) -> Vec<Block> {
    if let Some(file) = &part.file {
        let path = clean_line(&file.display().to_string());
        return vec![Block::Words(Key::UiPopup, clean_line(&part.text)), Block::Words(Key::MdUrl, path)];
    }
    let shown = part.text.get(..part.text.floor_char_boundary(SHOWN_BYTES_MAX)).unwrap_or(&part.text);
    let more = part.text.len() - shown.len();
    let mut out = vec![match language(part) {
        "markdown" => Block::Markdown(shown.to_owned()),
        language => {
            let pretty = (more == 0 && matches!(language, "json" | "")).then(|| pretty(shown)).flatten();
            match pretty {
                Some(pretty) => Block::Code("json".to_owned(), pretty),
                None => Block::Code(language.to_owned(), shown.to_owned()),
            }
        }
    }];
    if more > 0 {
        out.push(Block::Rows(vec![vec![(Key::UiDim, format!("… {more} more bytes; y copies all"))]]));
    }
    out
}

/// JSON with line breaks, where it is JSON that has parts.
fn pretty(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    (value.is_object() || value.is_array()).then(|| serde_json::to_string_pretty(&value).ok())?
}

/// The language by the type that the server says, else by the end of the address; empty where neither tells.
fn language(part: &ResourcePart) -> &str {
    let kind = part.mime_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    match kind {
        "text/markdown" | "text/x-markdown" => return "markdown",
        "application/json" => return "json",
        kind if kind.ends_with("+json") => return "json",
        "text/html" => return "html",
        "text/css" => return "css",
        "text/csv" => return "text",
        "application/xml" | "text/xml" => return "xml",
        "application/yaml" | "text/yaml" | "application/x-yaml" => return "yaml",
        "application/toml" => return "toml",
        "text/javascript" | "application/javascript" => return "js",
        kind => {
            if let Some(name) = kind.strip_prefix("text/x-") {
                return name;
            }
        }
    }
    let path = part.uri.split(['?', '#']).next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    match last.rsplit_once('.').map(|(_, ext)| ext) {
        Some("md" | "markdown") => "markdown",
        Some(ext) if ext.len() <= 8 && ext.chars().all(|ch| ch.is_ascii_alphanumeric()) => ext,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(mime: Option<&str>, uri: &str, text: &str) -> ResourcePart {
        ResourcePart { uri: uri.into(), mime_type: mime.map(str::to_owned), text: text.into(), file: None }
    }

    #[test]
    fn content_is_shown_as_what_it_is() {
        let check = |mime: Option<&str>, uri: &str, text: &str, expected: Block| {
            assert_eq!(part_blocks(&part(mime, uri, text))[0], expected, "{mime:?} {uri}");
        };
        let code = |language: &str, text: &str| Block::Code(language.into(), text.into());
        check(Some("text/markdown; charset=utf-8"), "x://a", "# A", Block::Markdown("# A".into()));
        check(None, "file:///a/README.md?x", "# A", Block::Markdown("# A".into()));
        check(Some("application/json"), "x://a", "{\"a\":1}", code("json", "{\n  \"a\": 1\n}"));
        check(None, "x://a", "[1]", code("json", "[\n  1\n]"));
        check(None, "x://a", "12", code("", "12"));
        check(Some("text/x-python"), "x://a", "x = 1", code("python", "x = 1"));
        check(None, "file:///a/main.rs", "fn main() {}", code("rs", "fn main() {}"));
        let mut image = part(Some("image/png"), "x://i", "[image/png, 12 kB]");
        image.file = Some("/tmp/i.png".into());
        assert_eq!(part_blocks(&image)[1], Block::Words(Key::MdUrl, "/tmp/i.png".into()));
        assert_eq!(part_blocks(&part(None, "x://a", &"x".repeat(SHOWN_BYTES_MAX + 7))).len(), 2);
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!([size(12), size(12_345), size(5_000_000)], ["12 B", "12.3 kB", "5.0 MB"]);
    }
}
