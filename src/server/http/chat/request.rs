//! What a chat is asked: the messages, checked, and the prompt that they make.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::ids::SessionId;
use crate::server::http::problem::{FieldError, Problem};

/// Messages that may come at once.
const MESSAGES_MAX: usize = 1_000;

/// What is said to the agent.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct ChatRequest {
    /// The conversation so far, the prompt last. Without `session_id` the earlier ones are told to the agent as a
    /// transcript; with one only the last counts.
    #[schemars(length(min = 1, max = 1000))]
    messages: Vec<RequestMessage>,
    /// The conversation to go on with; a new one where absent.
    #[serde(default)]
    session_id: Option<String>,
    /// `provider/model` that answers from here on.
    #[serde(default)]
    model: Option<String>,
}

/// One message.
#[derive(Debug, Deserialize, JsonSchema)]
struct RequestMessage {
    /// `system`, `user`, `assistant` or `tool`; that of the last one is `user`.
    role: Speaker,
    /// The text.
    content: Content,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Speaker {
    System,
    Developer,
    User,
    Assistant,
    Tool,
}

/// Text, or parts of which the text counts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a text, or a list of parts {\"type\":\"text\",\"text\"}")]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

/// A part of a message.
#[derive(Debug, Deserialize, JsonSchema)]
struct Part {
    /// The text; only parts with text can be taken.
    text: String,
}

impl Content {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => parts.into_iter().map(|part| part.text).collect::<Vec<_>>().join("\n"),
        }
    }
}

/// What is submitted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Prompt {
    pub(super) text: String,
    pub(super) session: Option<SessionId>,
    pub(super) model: Option<String>,
}

impl TryFrom<ChatRequest> for Prompt {
    type Error = Problem;

    /// # Errors
    /// 422 where there is no prompt.
    fn try_from(request: ChatRequest) -> Result<Self, Problem> {
        let ChatRequest { mut messages, session_id, model } = request;
        let count = messages.len();
        let mut wrong = Vec::new();
        let mut refuse = |pointer: String, detail: String| wrong.push(FieldError { pointer, detail });
        if count > MESSAGES_MAX {
            refuse("/messages".to_owned(), format!("{count} messages are too many; send the last {MESSAGES_MAX} at most"));
        }
        let last = messages.pop();
        match &last {
            None => refuse("/messages".to_owned(), "it is empty; the last message is what the agent is asked".to_owned()),
            Some(last) if last.role != Speaker::User => {
                refuse(
                    format!("/messages/{}/role", count - 1),
                    "the last message must be the user's: it is what the agent is asked".to_owned(),
                );
            }
            Some(_) => {}
        }
        let text = last.map(|last| last.content.into_text()).unwrap_or_default();
        if count > 0 && text.trim().is_empty() {
            refuse(format!("/messages/{}/content", count - 1), "it is blank; say what the agent is asked".to_owned());
        }
        for (name, given) in [("session_id", &session_id), ("model", &model)] {
            if given.as_ref().is_some_and(|given| given.trim().is_empty()) {
                refuse(format!("/{name}"), "it is blank; leave it out instead".to_owned());
            }
        }
        if !wrong.is_empty() {
            return Err(Problem::fields(wrong));
        }
        let text = if session_id.is_some() || messages.is_empty() { text } else { with_transcript(messages, &text) };
        Ok(Self { text, session: session_id.map(|id| SessionId::new(id.trim())), model: model.map(|model| model.trim().to_owned()) })
    }
}

/// The prompt behind what the caller says was said before.
fn with_transcript(earlier: Vec<RequestMessage>, prompt: &str) -> String {
    let (above, said): (Vec<_>, Vec<_>) =
        earlier.into_iter().partition(|message| matches!(message.role, Speaker::System | Speaker::Developer));
    let mut out = String::new();
    for message in above {
        out.push_str(message.content.into_text().trim());
        out.push_str("\n\n");
    }
    if !said.is_empty() {
        out.push_str("[The conversation so far, as the calling program tells it]\n");
        for message in said {
            let who = match message.role {
                Speaker::Assistant => "assistant",
                Speaker::Tool => "tool",
                Speaker::User | Speaker::System | Speaker::Developer => "user",
            };
            out.push_str(&format!("{who}: {}\n", message.content.into_text().trim()));
        }
        out.push_str("[End of the conversation so far]\n\n");
    }
    out.push_str(prompt);
    out
}
