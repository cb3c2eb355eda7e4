//! The filter of the events pane: `type:tool_execution server:github status:error some text`.

use serde_json::Value;

use crate::domain::event::{EventBody, Status};
use crate::domain::question::QuestionEvent;
use crate::tui::events_pane::Entry;

/// What an event must be to be shown. All given parts must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    text: String,
    types: Vec<String>,
    server: Option<String>,
    status: Option<String>,
    words: Vec<String>,
}

impl Filter {
    /// Reads a filter; anything without a known prefix is text to look for.
    pub fn parse(text: &str) -> Self {
        let mut filter = Self { text: text.trim().to_owned(), ..Self::default() };
        for word in text.split_whitespace() {
            let lower = word.to_lowercase();
            match lower.split_once(':') {
                Some(("type", value)) => filter.types.extend(value.split(',').filter(|part| !part.is_empty()).map(str::to_owned)),
                Some(("server", value)) => filter.server = Some(value.to_owned()),
                Some(("status", value)) => filter.status = Some(value.to_owned()),
                _ => filter.words.push(lower),
            }
        }
        filter
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether `entry` passes.
    pub fn accepts(&self, entry: &Entry) -> bool {
        if self.is_empty() {
            return true;
        }
        let body = &entry.event.body;
        let by_type = self.types.is_empty() || self.types.iter().any(|name| body.type_name().starts_with(name) || entry.line.tag == name);
        let by_server =
            self.server.as_deref().is_none_or(|wanted| server_of(body).is_some_and(|name| name.to_lowercase().contains(wanted)));
        let by_status =
            self.status.as_deref().is_none_or(|wanted| status_of(body) == Some(wanted) || (wanted == "error" && body.is_error()));
        let holds = |word: &String| {
            let line = &entry.line;
            line.tag == word
                || line.text.to_lowercase().contains(word)
                || line.detail.as_deref().is_some_and(|detail| detail.to_lowercase().contains(word))
        };
        by_type && by_server && by_status && self.words.iter().all(holds)
    }
}

/// The server or agent that an event is about.
pub(super) fn server_of(body: &EventBody) -> Option<&str> {
    match body {
        EventBody::HandoffCall(data) => Some(&data.service_name),
        EventBody::ToolExecution(data) => Some(data.service_name.as_str()),
        EventBody::McpEvent(data) => Some(data.service_name.as_str()),
        EventBody::Approval(data) => Some(data.service_name.as_str()),
        EventBody::Error(data) => Some(&data.source),
        EventBody::Custom(custom) => custom.data.get("service_name").and_then(Value::as_str),
        EventBody::Question(QuestionEvent::Asked { question }) => Some(question.server.as_str()),
        EventBody::Question(QuestionEvent::Answered { server, .. }) => Some(server.as_str()),
        EventBody::TaskEvent(_) => Some("tasks"),
        EventBody::Notification(data) => Some(data.channel.as_str()),
        EventBody::Chat(_) | EventBody::TurnEvent(_) | EventBody::SessionEvent(_) | EventBody::InboxEvent(_) => None,
    }
}

fn status_of(body: &EventBody) -> Option<&str> {
    let name = |status: Status| match status {
        Status::Started => "started",
        Status::Success => "success",
        Status::Error => "error",
    };
    match body {
        EventBody::HandoffCall(data) => Some(name(data.status)),
        EventBody::ToolExecution(data) => Some(name(data.status)),
        EventBody::Custom(custom) => custom.data.get("status").and_then(Value::as_str),
        EventBody::McpEvent(_)
        | EventBody::Question(_)
        | EventBody::Approval(_)
        | EventBody::Error(_)
        | EventBody::Chat(_)
        | EventBody::TurnEvent(_)
        | EventBody::SessionEvent(_)
        | EventBody::TaskEvent(_)
        | EventBody::Notification(_)
        | EventBody::InboxEvent(_) => None,
    }
}
