//! What a task may run or call: what a person agreed to, word for word.
//!
//! A task that runs a program or calls a tool does so again and again with nobody there. So it does exactly what a person
//! agreed to, which is kept with the task; what it would do instead is refused when it is due. Nothing else counts: no
//! approval mode, no remembered consent to the tool that makes tasks, no hint of a server.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{KindConfig, Source, TaskSpec};
use crate::domain::clock::Instant;

/// What a task runs or calls at each look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "runs", rename_all = "snake_case")]
pub enum Runs {
    /// A program on this machine.
    Command {
        /// The program and its arguments; no shell takes them apart.
        command: Vec<String>,
    },
    /// A tool of a server.
    Tool {
        /// The server.
        server: String,
        /// The tool.
        tool: String,
        /// The arguments of each call.
        #[serde(default)]
        arguments: Map<String, Value>,
    },
}

/// Where a person agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgreedBy {
    /// They made or changed the task themselves: at the shell, or in a surface of the program.
    Person,
    /// They were asked in a conversation, about this very call, and said yes.
    Answer,
}

/// A person's word on what a task runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// What exactly.
    #[serde(flatten)]
    pub runs: Runs,
    /// Where.
    pub by: AgreedBy,
    /// When.
    pub at: Instant,
}

impl std::fmt::Display for Runs {
    /// `runs "df" "-h"` or `calls disk free {"path":"/"}`: each part in quotes, so that nobody takes two for one.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Command { command } => {
                f.write_str("runs")?;
                command.iter().try_for_each(|part| write!(f, " {part:?}"))
            }
            Self::Tool { server, tool, arguments } => {
                let arguments = serde_json::to_string(arguments).map_err(|_| std::fmt::Error)?;
                write!(f, "calls {tool:?} of {server:?} with {arguments}")
            }
        }
    }
}

impl Source {
    /// What reading the number runs or calls; nothing where it comes from a page.
    pub fn runs(&self) -> Option<Runs> {
        if !self.command.is_empty() {
            return Some(Runs::Command { command: self.command.clone() });
        }
        let (server, tool) = (self.server.clone()?, self.tool.clone()?);
        Some(Runs::Tool { server, tool, arguments: self.arguments.clone() })
    }
}

impl TaskSpec {
    /// What the task runs or calls at each look, by its own config.
    pub fn runs(&self) -> Option<Runs> {
        match &self.kind {
            KindConfig::ThresholdWatch(config) => config.source.as_ref()?.runs(),
            KindConfig::WebMonitor(_) | KindConfig::Schedule(_) | KindConfig::NewsDigest(_) => None,
        }
    }

    /// What the task would run or call although nobody agreed to just that.
    pub fn not_agreed(&self) -> Option<Runs> {
        self.runs().filter(|runs| self.agreed.as_ref().is_none_or(|agreed| agreed.runs != *runs))
    }

    /// Notes that a person agrees to what the task runs now; forgets what no longer counts.
    pub fn agree(&mut self, by: Option<AgreedBy>, at: Instant) {
        match (self.not_agreed(), by) {
            (Some(runs), Some(by)) => self.agreed = Some(Agreement { runs, by, at }),
            (Some(_), None) => self.agreed = None,
            (None, _) if self.runs().is_none() => self.agreed = None,
            (None, _) => {}
        }
    }
}

/// The tools that make and change tasks, and their server.
const MAKERS: (&str, [&str; 2]) = ("tasks", ["create_background_task", "update_background_task"]);

/// The deepest that arguments are looked through.
const DEPTH_MAX: usize = 8;

/// Whether a call of `tool` with these arguments would have a task run a program or call a tool: then a person must see
/// this very call. Rather too often than too seldom: what names neither in any form is never taken for an agreement.
pub fn would_run(server: &str, tool: &str, arguments: &Map<String, Value>) -> bool {
    server == MAKERS.0 && MAKERS.1.contains(&tool) && arguments.iter().any(|(key, value)| names(key, value, DEPTH_MAX))
}

fn names(key: &str, value: &Value, depth: usize) -> bool {
    if matches!(key, "command" | "server" | "tool") && !value.is_null() {
        return true;
    }
    match value {
        _ if depth == 0 => true,
        Value::Object(map) => map.iter().any(|(key, value)| names(key, value, depth - 1)),
        Value::Array(list) => list.iter().any(|value| names("", value, depth - 1)),
        // A config may come as text that holds JSON.
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
            serde_json::from_str(text).is_ok_and(|value: Value| names("", &value, depth - 1))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_that_would_run_something_is_known_in_every_form() {
        let check = |tool: &str, arguments: Value, expected: bool| {
            assert_eq!(would_run("tasks", tool, arguments.as_object().unwrap()), expected, "{arguments}");
        };
        let create = "create_background_task";
        let command = json!({"metric": "m", "threshold": 1, "source": {"command": ["df"]}});
        check(create, json!({"config": command}), true);
        check(create, json!({"config": command.to_string()}), true);
        check(create, command.clone(), true);
        check(create, json!({"config": {"source": command["source"].to_string()}}), true);
        check("update_background_task", json!({"config": {"source": {"arguments": {"path": "/"}, "tool": "free"}}}), true);
        check(create, json!({"config": {"urls": ["https://a.example"], "source": {"url": "https://a.example"}}}), false);
        check(create, json!({"config": {"source": {"command": null}}}), false);
        check("list_background_tasks", json!({"config": command}), false);
        assert!(!would_run("other", create, &Map::from_iter([("config".to_owned(), command)])));
    }
}
