//! One item of a transcript: plain data, made and changed by the fold.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{ItemId, ItemKind, Welcome};
use crate::domain::event::{ErrorKind, Scope, Status};
use crate::domain::ids::Seq;

/// An item and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) id: ItemId,
    /// How many handoffs it runs under.
    pub(super) depth: u16,
    /// The stored event that made it; streamed items get it when they are whole.
    pub(super) seq: Option<Seq>,
    pub(super) open: bool,
    /// Grows with every change that can be seen.
    pub(super) revision: u32,
    pub(super) body: Body,
}

/// How a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallState {
    /// A person is asked.
    Asking,
    /// It may run and has not begun.
    Granted,
    /// A person or the policy said no.
    Refused,
    /// It runs, ended or failed.
    Is(Status),
}

/// A tool call.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) server: String,
    pub(super) tool: String,
    pub(super) state: CallState,
    pub(super) arguments: Map<String, Value>,
    pub(super) result: Option<Value>,
    pub(super) error: Option<String>,
    pub(super) error_kind: Option<ErrorKind>,
    pub(super) duration_ms: Option<u64>,
    /// What it would change, from the question for consent.
    pub(super) preview: Option<String>,
    pub(super) scope: Option<Scope>,
    pub(super) instead: Option<String>,
    /// What the server last told of its progress.
    pub(super) progress: Option<Progress>,
    /// Whether the user made it: a line for the shell, `/undo`. What it brought is what was wanted.
    pub(super) own: bool,
}

/// How far a call is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Progress {
    /// Cells of the bar that are full, of [`Progress::CELLS`]; no bar where the whole is not known.
    pub(super) full: Option<usize>,
    /// `3/10 what it does`.
    pub(super) text: String,
}

impl Progress {
    /// Cells of a bar.
    pub(super) const CELLS: usize = 10;
}

/// A task that was handed over.
#[derive(Debug, Clone)]
pub(super) struct Handoff {
    pub(super) to: String,
    pub(super) task: Map<String, Value>,
    pub(super) status: Status,
    pub(super) result: Option<Value>,
    pub(super) error: Option<String>,
    pub(super) duration_ms: Option<u64>,
}

/// What a message came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// It still comes.
    Open,
    /// It is whole.
    Whole,
    /// A person cut it off.
    Interrupted,
    /// It broke off; why.
    Failed(Option<String>),
}

/// What an item holds.
#[derive(Debug, Clone)]
pub(super) enum Body {
    Welcome(Welcome),
    User {
        text: Arc<str>,
    },
    Assistant {
        text: String,
        ending: Ending,
        /// Whether the speaker is named beside it.
        label: bool,
    },
    Reasoning {
        text: String,
        running: bool,
        /// How long it took, where one was there to see: what is stored holds no times of its parts.
        ms: Option<u64>,
    },
    Tool(Box<Call>),
    Handoff(Box<Handoff>),
    Error {
        message: String,
        hint: Option<String>,
        source: String,
    },
    Retry {
        text: String,
    },
    TurnEnd {
        text: String,
        /// One sentence where it did not end well.
        message: Option<String>,
        failed: bool,
    },
    /// What a background task told or asks.
    Notice {
        text: String,
        asks: bool,
    },
    /// What a server asked and what was done.
    Answered {
        text: String,
    },
    Marker {
        text: String,
        /// What stands inside when it is open.
        detail: String,
    },
}

/// Whether an error only tells the model that the user said no.
pub(super) fn is_told_refusal(error: &str) -> bool {
    ["the user refused this call", "not confirmed: it did not run"].iter().any(|words| error.contains(words))
}

impl Item {
    /// Whether a call of `tool` right behind it is the user's own: a line for the shell, or `/undo`.
    pub(super) fn begins_own(&self, tool: &str) -> bool {
        let Body::User { text } = &self.body else { return false };
        (text.starts_with('!') && tool == "run_command") || (text.starts_with("/undo") && tool == crate::domain::undo::UNDO)
    }

    pub(super) fn kind(&self) -> ItemKind {
        match &self.body {
            Body::Welcome(_) => ItemKind::Welcome,
            Body::User { .. } => ItemKind::User,
            Body::Assistant { .. } => ItemKind::Assistant,
            Body::Reasoning { .. } => ItemKind::Reasoning,
            Body::Tool(_) => ItemKind::Tool,
            Body::Handoff(_) => ItemKind::Handoff,
            Body::Error { .. } => ItemKind::Error,
            Body::Retry { .. } => ItemKind::Retry,
            Body::TurnEnd { .. } => ItemKind::TurnEnd,
            Body::Marker { .. } | Body::Notice { .. } | Body::Answered { .. } => ItemKind::Marker,
        }
    }

    /// Whether there is more to it than is shown when it is closed.
    pub(super) fn opens(&self) -> bool {
        match &self.body {
            Body::Tool(_) | Body::Handoff(_) | Body::Reasoning { .. } => true,
            Body::Marker { detail, .. } => !detail.is_empty(),
            Body::User { text } => text.lines().count() > super::layout::USER_LINES_MAX,
            _ => false,
        }
    }

    /// Whether a spinner stands beside it.
    pub(super) fn running(&self) -> bool {
        match &self.body {
            Body::Tool(call) => call.state == CallState::Is(Status::Started),
            Body::Handoff(handoff) => handoff.status == Status::Started,
            Body::Reasoning { running, .. } => *running,
            _ => false,
        }
    }

    /// Whether it is one line among others, without space between them.
    pub(super) fn is_line(&self) -> bool {
        matches!(self.body, Body::Tool(_) | Body::Handoff(_) | Body::Retry { .. } | Body::Notice { .. } | Body::Answered { .. })
    }

    pub(super) fn touch(&mut self) {
        self.revision = self.revision.wrapping_add(1);
    }

    /// Whether its text holds `query`, in lower case; the case of the text is nothing.
    pub(super) fn holds(&self, query: &str) -> bool {
        match &self.body {
            Body::User { text } => contains(text, query),
            Body::Assistant { text, ending: Ending::Open | Ending::Whole | Ending::Interrupted, .. }
            | Body::Reasoning { text, .. }
            | Body::Retry { text }
            | Body::Notice { text, .. }
            | Body::Answered { text } => contains(text, query),
            _ => contains(&self.text(), query),
        }
    }

    /// The text, for copying and searching.
    pub(super) fn text(&self) -> String {
        match &self.body {
            Body::Welcome(welcome) => welcome.text.clone(),
            Body::User { text } => text.to_string(),
            Body::Assistant { text, ending: Ending::Failed(Some(error)), .. } => format!("{text}\n{error}"),
            Body::Assistant { text, .. }
            | Body::Reasoning { text, .. }
            | Body::Retry { text }
            | Body::Notice { text, .. }
            | Body::Answered { text } => text.clone(),
            Body::Tool(call) => call.text(),
            Body::Handoff(handoff) => handoff.text(),
            Body::Error { message, hint, .. } => join([Some(message.clone()), hint.clone()]),
            Body::TurnEnd { text, message, .. } => join([Some(text.clone()), message.clone()]),
            Body::Marker { text, detail } => join([Some(text.clone()), Some(detail.clone())]),
        }
    }
}

/// Whether `text` holds `query`, which is in lower case. Without a copy where both are ASCII: this is asked of each item
/// with every key of a search.
fn contains(text: &str, query: &str) -> bool {
    if !text.is_ascii() || !query.is_ascii() {
        return text.to_lowercase().contains(query);
    }
    let (text, query) = (text.as_bytes(), query.as_bytes());
    let Some(first) = query.first() else { return true };
    let starts = text.iter().enumerate().filter(|(_, byte)| byte.to_ascii_lowercase() == *first);
    starts.into_iter().any(|(at, _)| text.get(at..at + query.len()).is_some_and(|part| part.eq_ignore_ascii_case(query)))
}

fn join<const N: usize>(parts: [Option<String>; N]) -> String {
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn pretty(map: &Map<String, Value>) -> Option<String> {
    if map.is_empty() { None } else { serde_json::to_string_pretty(map).ok() }
}

impl Call {
    pub(super) fn text(&self) -> String {
        let head = format!("{} · {}", self.server, self.tool);
        join([Some(head), pretty(&self.arguments), self.result.as_ref().map(result_text), self.error.clone(), self.instead.clone()])
    }
}

impl Handoff {
    pub(super) fn text(&self) -> String {
        join([Some(self.to.clone()), pretty(&self.task), self.result.as_ref().map(result_text), self.error.clone()])
    }
}

/// The text of a result that is text, as it is.
pub(super) fn result_str(result: &Value) -> Option<&str> {
    match result {
        Value::String(text) => Some(text),
        Value::Object(map) if map.contains_key("structured") => map.get("text").and_then(Value::as_str),
        _ => None,
    }
}

/// A result as a person reads it: text as it is, `{"text", "structured"}` by its text, everything else as JSON.
pub(super) fn result_text(result: &Value) -> String {
    match result {
        Value::String(text) => text.clone(),
        Value::Object(map) if map.contains_key("structured") => match map.get("text").and_then(Value::as_str) {
            Some(text) if !text.trim().is_empty() => text.to_owned(),
            _ => map.get("structured").and_then(|value| serde_json::to_string_pretty(value).ok()).unwrap_or_default(),
        },
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}
