//! The particulars of a question: what it says, in paragraphs that are broken at the dialog's width.

use crate::domain::catalog::{PromptInfo, ResourceInfo};
use crate::domain::question::{Ask, Question};
use crate::domain::text::{clean_line, visible};
use crate::tui::approval::broken;
use crate::tui::highlight::diff_key;
use crate::tui::panels::{Row, wrapped};
use crate::tui::status::thousands;
use crate::tui::theme::Key;

/// No row is broken into less.
const WIDTH_MIN: usize = 8;

/// Width of the names before particulars.
const NAME_WIDTH: usize = 10;

/// A paragraph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Para {
    /// Words, broken at blanks.
    Words(Key, String),
    /// Something exact, broken where the row ends.
    Exact(Row),
}

impl Para {
    fn blank() -> Self {
        Self::Exact(Row::new())
    }

    pub(super) fn rows(&self, width: usize) -> Vec<Row> {
        let width = width.max(WIDTH_MIN);
        match self {
            Self::Words(key, text) => wrapped(text, width, usize::MAX).into_iter().map(|line| vec![(*key, line)]).collect(),
            Self::Exact(row) => broken(row, width),
        }
    }
}

/// Text of many lines; what could act on a terminal is shown as an escape.
fn words(key: Key, text: &str) -> impl Iterator<Item = Para> {
    visible(text.trim_end()).replace('\t', "    ").lines().map(|line| Para::Words(key, line.to_owned())).collect::<Vec<_>>().into_iter()
}

fn one_line(text: &str) -> String {
    visible(text).replace(['\n', '\t'], " ")
}

/// A name and what belongs to it.
fn pair(name: &str, key: Key, value: &str) -> Para {
    Para::Exact(vec![(Key::UiDim, format!("{name:<NAME_WIDTH$}")), (key, one_line(value))])
}

pub(super) fn question(question: &Question) -> Vec<Para> {
    let mut out: Vec<Para> = Vec::new();
    match &question.ask {
        Ask::Form { message, fields } => {
            out.extend(words(Key::UiPopup, message));
            if !fields.is_empty() {
                out.push(Para::blank());
            }
        }
        Ask::Url { message, url } => {
            out.extend(words(Key::UiPopup, message));
            out.push(Para::blank());
            out.push(Para::Exact(address(url)));
            if !may_open(url) {
                out.push(Para::Words(
                    Key::StatusWarn,
                    "only addresses that start with http:// or https:// are opened from here".to_owned(),
                ));
            }
        }
        Ask::Sampling { model, system, messages, tools, max_tokens } => {
            out.push(pair("model", Key::UiAccent, model));
            out.push(pair("at most", Key::UiPopup, &format!("{} tokens", thousands(*max_tokens))));
            if !tools.is_empty() {
                out.push(pair("tools", Key::StatusWarn, &tools.join(", ")));
            }
            if let Some(system) = system {
                out.push(Para::Exact(vec![(Key::ChatLabel, "system".to_owned())]));
                out.extend(words(Key::UiPopup, system));
            }
            for message in messages {
                out.push(Para::Exact(vec![(Key::ChatLabel, one_line(&message.role))]));
                out.extend(words(Key::UiPopup, &message.text));
            }
        }
        Ask::FirstRun { command, cwd, variables } => {
            out.push(Para::Words(Key::UiDim, "This program never ran here before. It would be started with your rights:".to_owned()));
            out.push(Para::blank());
            out.push(Para::Exact(vec![(Key::MdCode, one_line(command))]));
            out.push(Para::blank());
            if let Some(cwd) = cwd {
                out.push(pair("folder", Key::UiPopup, cwd));
            }
            let names = if variables.is_empty() { "none beside the usual ones".to_owned() } else { variables.join(", ") };
            out.push(pair("variables", Key::UiPopup, &names));
        }
        Ask::ToolsChanged { tools } => {
            out.push(Para::Words(Key::UiDim, "These tools are not what they were when you used them last:".to_owned()));
            for change in tools {
                out.push(Para::blank());
                out.push(Para::Exact(vec![(Key::ChatTool, one_line(&change.tool))]));
                let diff = visible(&change.diff).replace('\t', "    ");
                out.extend(diff.lines().map(|line| Para::Exact(vec![(diff_key(line), line.to_owned())])));
            }
        }
    }
    out
}

pub(super) fn prompt(prompt: &PromptInfo) -> Vec<Para> {
    let mut out: Vec<Para> = prompt.description.iter().flat_map(|text| words(Key::UiPopup, text)).collect();
    if !out.is_empty() {
        out.push(Para::blank());
    }
    out
}

pub(super) fn template(resource: &ResourceInfo) -> Vec<Para> {
    let mut out = vec![Para::Exact(vec![(Key::MdUrl, clean_line(&resource.uri))])];
    out.extend(resource.description.iter().flat_map(|text| words(Key::UiPopup, text)));
    out.push(Para::blank());
    out
}

/// Whether an address may be opened in a browser.
pub fn may_open(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme.is_some_and(|scheme| scheme == "http" || scheme == "https")
        && !host(url).is_empty()
        && !url.contains(|ch: char| ch.is_whitespace() || ch.is_control())
}

/// Where the host of an address stands: behind the scheme and behind what only looks like a host before an `@`.
fn host_range(url: &str) -> std::ops::Range<usize> {
    let Some(from) = url.find("://").map(|at| at + 3) else { return 0..0 };
    let rest = url.get(from..).unwrap_or_default();
    let authority = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let start = rest.get(..authority).and_then(|authority| authority.rfind('@')).map_or(0, |at| at + 1);
    from + start..from + authority
}

/// The host of an address, with its port.
pub fn host(url: &str) -> &str {
    url.get(host_range(url)).unwrap_or_default()
}

/// The whole address, its host emphasised.
fn address(url: &str) -> Row {
    let range = host_range(url);
    let part = |range: std::ops::Range<usize>| one_line(url.get(range).unwrap_or_default());
    vec![(Key::MdUrl, part(0..range.start)), (Key::UiAccent, part(range.clone())), (Key::MdUrl, part(range.end..url.len()))]
}
