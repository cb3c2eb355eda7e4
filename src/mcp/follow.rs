//! Tasks that servers make of calls (the tasks extension, SEP-2663): asked after until they are done.
//!
//! A task outlives the connection: it is followed on the next one, and noted on disk until its end is known, so that a
//! later run of the program can tell how it ended.

use std::time::Duration;

use rmcp::model::{CancelTaskParams, CancelTaskRequest, ClientRequest, GetTaskParams, GetTaskRequest, UpdateTaskParams, UpdateTaskRequest};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::domain::event::ErrorKind;
use crate::domain::text::{clean, clean_line, ellipsis};
use crate::mcp::content::{self, InputRequired};
use crate::mcp::desk::About;
use crate::mcp::error::Error;
use crate::mcp::link::Link;
use crate::mcp::rounds;
use crate::tools::{CallContext, ToolError, ToolOutcome};

/// The wait between two questions where the server names none.
const POLL_DEFAULT: Duration = Duration::from_secs(1);

/// The shortest and the longest wait between two questions, whatever the server says.
const POLL_MIN: Duration = Duration::from_millis(100);
const POLL_MAX: Duration = Duration::from_secs(30);

/// How long the answer to a question may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// The longest that a task is followed within a call.
pub(super) const TASK_LIMIT: Duration = Duration::from_hours(1);

/// The longest name of a task, in bytes.
const ID_BYTES_MAX: usize = 512;

/// The longest message about a task's state, in characters.
const MESSAGE_CHARS_MAX: usize = 500;

/// A task on its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TaskHandle {
    pub(super) id: String,
    poll: Duration,
}

impl TaskHandle {
    /// A task known by its name only.
    pub(super) fn known(id: String) -> Self {
        Self { id, poll: POLL_DEFAULT }
    }

    /// The task that the answer to a call names.
    ///
    /// # Errors
    /// When it names none.
    pub(super) fn read(task: &Value) -> Result<Self, ToolError> {
        let id = task.get("taskId").and_then(Value::as_str).filter(|id| !id.is_empty() && id.len() <= ID_BYTES_MAX);
        let id = id.ok_or_else(|| ToolError::new(ErrorKind::Protocol, "it made a task without a usable `taskId`"))?;
        Ok(Self { id: id.to_owned(), poll: poll(task) })
    }
}

fn poll(task: &Value) -> Duration {
    let told = task.get("pollIntervalMs").and_then(Value::as_u64).map(Duration::from_millis);
    told.unwrap_or(POLL_DEFAULT).clamp(POLL_MIN, POLL_MAX)
}

/// Why a task's outcome is not known yet.
#[derive(Debug)]
pub(super) enum Interrupted {
    /// The connection is lost; another may go on.
    Lost,
    /// It ended without a result, or is no longer wanted.
    Ended(ToolError),
}

impl Link {
    /// Asks after a task until it is done.
    pub(super) async fn follow(&self, task: &mut TaskHandle, context: &CallContext, end: Instant) -> Result<ToolOutcome, Interrupted> {
        let mut said = String::new();
        loop {
            tokio::select! {
                () = sleep(task.poll) => {}
                () = context.cancel.cancelled() => {
                    self.cancel_task(&task.id).await;
                    return Err(ended(ErrorKind::Interrupted, "the task was stopped; whether it took effect is unknown"));
                }
            }
            if Instant::now() >= end {
                self.cancel_task(&task.id).await;
                return Err(ended(ErrorKind::TimedOut, "the task did not end in time and was stopped; whether it took effect is unknown"));
            }
            let request = ClientRequest::GetTaskRequest(GetTaskRequest::new(GetTaskParams::new(task.id.clone())));
            let state = match self.ask(request, "question after a task", ANSWER_LIMIT).await {
                Ok(state) => serde_json::to_value(state).unwrap_or_default(),
                Err(Error::Lost(_)) => return Err(Interrupted::Lost),
                // A slow answer is no end of the task.
                Err(Error::Slow { .. }) => continue,
                Err(other) => return Err(ended(ErrorKind::Tool, &other.to_string())),
            };
            task.poll = poll(&state);
            self.tell(&state, &mut said, context);
            if let Some(outcome) = self.outcome(&state, context).await? {
                return Ok(outcome);
            }
        }
    }

    /// What a task's state means; `None` while it goes on.
    async fn outcome(&self, state: &Value, context: &CallContext) -> Result<Option<ToolOutcome>, Interrupted> {
        let message = || state.get("statusMessage").and_then(Value::as_str).map(|text| clean(text).trim().to_owned());
        match state.get("status").and_then(Value::as_str) {
            Some("completed") => {
                let result = state.get("result").cloned().unwrap_or_default();
                let reading = content::reading(result).map_err(|problem| ended(ErrorKind::Protocol, &problem))?;
                Ok(Some(reading.outcome(&self.shared.keep()).await))
            }
            Some("failed") => {
                let told = state.pointer("/error/message").and_then(Value::as_str).map(|text| clean(text).trim().to_owned());
                Err(ended(ErrorKind::Tool, &told.or_else(message).unwrap_or_else(|| "the task failed".to_owned())))
            }
            Some("cancelled") => Err(ended(ErrorKind::Interrupted, "the task was cancelled on its server")),
            Some("input_required") => {
                self.hand_in(state, context).await?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    async fn hand_in(&self, state: &Value, context: &CallContext) -> Result<(), Interrupted> {
        let wanted = InputRequired::read(state);
        if wanted.requests.is_empty() {
            return Ok(());
        }
        let id = state.get("taskId").and_then(Value::as_str).unwrap_or_default().to_owned();
        let about = About { call_id: Some(context.call_id.clone()), session: context.session.clone() };
        let responses = tokio::select! {
            responses = rounds::answers(self, &wanted, about) => responses,
            () = context.cancel.cancelled() => Err(ToolError::new(ErrorKind::Interrupted, "the task was stopped")),
        };
        let responses = match responses {
            Ok(responses) => responses,
            Err(error) => {
                self.cancel_task(&id).await;
                return Err(Interrupted::Ended(error));
            }
        };
        let request = ClientRequest::UpdateTaskRequest(UpdateTaskRequest::new(UpdateTaskParams::new(id, responses)));
        match self.ask(request, "input of a task", ANSWER_LIMIT).await {
            Ok(_) | Err(Error::Slow { .. }) => Ok(()),
            Err(Error::Lost(_)) => Err(Interrupted::Lost),
            Err(other) => Err(ended(ErrorKind::Protocol, &other.to_string())),
        }
    }

    async fn cancel_task(&self, id: &str) {
        let request = ClientRequest::CancelTaskRequest(CancelTaskRequest::new(CancelTaskParams::new(id)));
        let _ = self.ask(request, "end of a task", Duration::from_secs(5)).await;
    }

    /// Shows what is said about a task's state, once.
    fn tell(&self, state: &Value, said: &mut String, context: &CallContext) {
        let message = state.get("statusMessage").or_else(|| state.get("status")).and_then(Value::as_str).unwrap_or_default();
        let message = ellipsis(&clean_line(message), MESSAGE_CHARS_MAX).into_owned();
        if message != *said {
            self.shared
                .lane
                .progress(context.session.as_ref(), json!({"message": message, "call_id": context.call_id, "task": state.get("taskId")}));
            *said = message;
        }
    }
}

fn ended(kind: ErrorKind, message: &str) -> Interrupted {
    Interrupted::Ended(ToolError::new(kind, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_bounded() {
        let read = |task: Value| TaskHandle::read(&task);
        let task = read(json!({"taskId": "a", "pollIntervalMs": 250})).unwrap();
        assert_eq!((task.id.as_str(), task.poll), ("a", Duration::from_millis(250)));
        assert_eq!(read(json!({"taskId": "a", "pollIntervalMs": 0})).unwrap().poll, POLL_MIN);
        assert_eq!(read(json!({"taskId": "a", "pollIntervalMs": 1_000_000_000_000_u64})).unwrap().poll, POLL_MAX);
        assert!(read(json!({"taskId": ""})).is_err() && read(json!({})).is_err());
    }
}
