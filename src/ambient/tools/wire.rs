//! Tasks as the wire has them, and the envelope that every result of these tools comes in.

use serde_json::{Map, Value, json};

use crate::ambient::service::{Error, TaskService};
use crate::ambient::why::schedule;
use crate::domain::clock::Instant;
use crate::domain::query::AmbientStatus;
use crate::domain::task::{TaskKind, TaskRow};
use crate::tools::ToolOutcome;

/// A good result.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) data: Value,
    pub(super) message: Option<String>,
}

/// A result that is none: what is wrong, with the way out.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) field: Option<String>,
    /// What kind of failure, for programs.
    pub(super) code: Option<&'static str>,
    pub(super) message: String,
}

impl Problem {
    pub(super) fn of_field(field: &str, message: impl Into<String>) -> Self {
        Self { field: Some(field.to_owned()), code: None, message: message.into() }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self { field: error.field().map(str::to_owned), code: error.code(), message: error.report() }
    }
}

/// `{"status","action","data","message"?,"error"?,"timestamp"}`, as text and as structured content.
pub(super) fn envelope(action: &str, result: Result<Reply, Problem>, now: Instant) -> ToolOutcome {
    let mut out = Map::new();
    let is_error = result.is_err();
    out.insert("status".to_owned(), if is_error { "error" } else { "success" }.into());
    out.insert("action".to_owned(), action.into());
    match result {
        Ok(Reply { data, message }) => {
            out.insert("data".to_owned(), data);
            out.extend(message.map(|message| ("message".to_owned(), message.into())));
        }
        Err(Problem { field, code, message }) => {
            let field = field.map(|field| ("field".to_owned(), Value::from(field)));
            let code = code.map(|code| ("code".to_owned(), Value::from(code)));
            out.insert("data".to_owned(), Value::Object(field.into_iter().chain(code).collect()));
            out.insert("error".to_owned(), message.into());
        }
    }
    out.insert("timestamp".to_owned(), now.to_string().into());
    let value = Value::Object(out);
    ToolOutcome { text: value.to_string(), structured: Some(value), is_error }
}

/// A task as the wire has it; what the original format does not know comes after what it does.
pub fn task(row: &TaskRow, service: &TaskService) -> Value {
    let Ok(Value::Object(mut out)) = serde_json::to_value(&row.spec) else { return Value::Null };
    let mut put = |name: &str, value: Option<Value>| out.extend(value.map(|value| (name.to_owned(), value)));
    let time = |at: Instant| Value::from(at.to_string());
    let work = row.work.as_ref();
    put("status", Some(row.status.as_str().into()));
    put("last_check", work.and_then(|work| work.last.as_ref()).map(|last| time(last.at)));
    put("next_check", work.and_then(|work| work.wake).map(time));
    put("schedule", Some(schedule::words(&row.spec, service.zone()).into()));
    put("status_reason", row.status_reason.clone().filter(|reason| !reason.is_empty()).map(Value::from));
    put("last_result", work.and_then(|work| work.last.as_ref()).map(|last| last.note.clone().into()));
    put("runs", work.map(|work| work.runs.into()));
    put("fired", Some(row.fired.into()));
    put("last_fired", row.last_fired.map(time));
    put("tokens", Some(row.tokens).filter(|tokens| *tokens > 0).map(Value::from));
    #[expect(clippy::cast_precision_loss, reason = "dollars are shown, not booked")]
    put("cost_usd", Some(row.cost_micros).filter(|micros| *micros > 0).map(|micros| (micros as f64 / 1e6).into()));
    Value::Object(out)
}

/// The scheduler as a whole, as the wire has it.
pub fn status(status: &AmbientStatus) -> Value {
    let count = |kind: TaskKind| status.task_types.get(kind.as_str()).copied().unwrap_or(0);
    let types: Map<String, Value> = TaskKind::ALL.into_iter().map(|kind| (kind.as_str().to_owned(), count(kind).into())).collect();
    json!({
        "service_running": status.service_running,
        "total_tasks": status.total_tasks,
        "active_tasks": status.active_tasks,
        "paused_tasks": status.paused_tasks,
        "running_monitors": status.running_monitors,
        "task_types": types,
        "unread": status.unread,
        "firings_waiting": status.firings_waiting,
        "notices_waiting": status.notices_waiting,
        "dead_letters": status.dead_letters,
    })
}
