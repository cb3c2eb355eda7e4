//! What servers ask of a person: a form, an address to open, a use of the model, a first run, tools that changed.
//!
//! A question is put by an event ([`QuestionEvent::Asked`]); a surface shows it and answers with a command. The answer's
//! values are never in the log.

mod field;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::ids::{CallId, QuestionId, ServerName};

pub use field::{Choice, Field, FieldKind, TextFormat};

/// Something a person is asked on behalf of a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Which.
    pub id: QuestionId,
    /// The server it is about.
    pub server: ServerName,
    /// The call that waits for the answer, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<CallId>,
    /// What is asked.
    #[serde(flatten)]
    pub ask: Ask,
}

/// What is asked. All text is cleaned of control characters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// Fill in a form (MCP elicitation, form mode).
    Form {
        /// What the server says.
        message: String,
        /// The fields, in the server's order; without any, it is a plain question.
        fields: Vec<Field>,
    },
    /// Open an address in the browser and go on (MCP elicitation, URL mode; a login).
    Url {
        /// What it is for.
        message: String,
        /// The address, whole.
        url: String,
    },
    /// Let the server use the model (MCP sampling).
    Sampling {
        /// The model that would answer.
        model: String,
        /// The system prompt that the server wants.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system: Option<String>,
        /// What the model would be told.
        messages: Vec<SampleLine>,
        /// Tools that the server offers the model, by name.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tools: Vec<String>,
        /// The longest answer, in tokens.
        max_tokens: u64,
    },
    /// Start a program for the first time.
    FirstRun {
        /// The exact command line.
        command: String,
        /// The folder it starts in, where it is set.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cwd: Option<String>,
        /// Names of variables it gets beside the usual ones.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        variables: Vec<String>,
    },
    /// Go on using tools whose description or schema is not what it was.
    ToolsChanged {
        /// The tools.
        tools: Vec<ToolChange>,
    },
}

/// One message of a sampling request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleLine {
    /// `user` or `assistant`.
    pub role: String,
    /// The text; what is no text is described.
    pub text: String,
}

/// How a tool changed since it was last used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolChange {
    /// The tool's name on its server.
    pub tool: String,
    /// What changed, as a unified diff of description and schema.
    pub diff: String,
}

/// A person's answer, or what stands for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Reply {
    /// Yes, with the form's values where there is a form.
    Accept {
        /// Values by the fields' names.
        #[serde(default)]
        values: Map<String, Value>,
    },
    /// No.
    Decline,
    /// No answer: the question was closed.
    Cancel,
}

impl Reply {
    /// Yes, without values.
    pub fn yes() -> Self {
        Self::Accept { values: Map::new() }
    }

    /// What was done, without values.
    pub fn action(&self) -> ReplyAction {
        match self {
            Self::Accept { .. } => ReplyAction::Accept,
            Self::Decline => ReplyAction::Decline,
            Self::Cancel => ReplyAction::Cancel,
        }
    }
}

/// What was done with a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyAction {
    /// Yes.
    Accept,
    /// No.
    Decline,
    /// Closed without an answer.
    Cancel,
}

/// `question_event`: a server's question and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum QuestionEvent {
    /// A person is asked.
    Asked {
        /// What.
        question: Question,
    },
    /// It was answered, or nobody answered.
    Answered {
        /// Which question.
        question_id: QuestionId,
        /// The server it was about.
        server: ServerName,
        /// What was done.
        action: ReplyAction,
        /// Who or what did it, where it was no person: `nobody there`, `timed out`, `the call ended`, a rule.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
}

impl QuestionEvent {
    /// The event in one line.
    pub fn line(&self) -> String {
        match self {
            Self::Asked { question } => format!("{} {}", question.server, question.ask.line()),
            Self::Answered { server, action, by, .. } => {
                let done = match action {
                    ReplyAction::Accept => "accepted",
                    ReplyAction::Decline => "declined",
                    ReplyAction::Cancel => "closed without an answer",
                };
                match by {
                    Some(by) => format!("{server}: {done} ({by})"),
                    None => format!("{server}: {done}"),
                }
            }
        }
    }
}

impl Ask {
    /// The question in one line.
    pub fn line(&self) -> String {
        match self {
            Self::Form { message, .. } => format!("asks: {}", first_line(message)),
            Self::Url { url, .. } => format!("asks to open {url}"),
            Self::Sampling { model, .. } => format!("asks to use {model}"),
            Self::FirstRun { command, .. } => format!("is to be started for the first time: {command}"),
            Self::ToolsChanged { tools } => {
                let names: Vec<&str> = tools.iter().map(|change| change.tool.as_str()).collect();
                format!("changed its tools: {}", names.join(", "))
            }
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_wire_form_is_flat_and_holds_no_values() {
        let question = Question {
            id: "q1".into(),
            server: "s".into(),
            call_id: None,
            ask: Ask::Url { message: "sign in".to_owned(), url: "https://x/".to_owned() },
        };
        let event = QuestionEvent::Asked { question };
        let wire =
            json!({"status": "asked", "question": {"id": "q1", "server": "s", "ask": "url", "message": "sign in", "url": "https://x/"}});
        assert_eq!(serde_json::to_value(&event).unwrap(), wire);
        assert_eq!(serde_json::from_value::<QuestionEvent>(wire).unwrap(), event);
        let answered = QuestionEvent::Answered { question_id: "q1".into(), server: "s".into(), action: Reply::yes().action(), by: None };
        assert_eq!(answered.line(), "s: accepted");
    }
}
