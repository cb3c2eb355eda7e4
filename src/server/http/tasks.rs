//! `/api/v2/tasks`: the task tools over REST. What they answer is handed on as it is.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::event::ErrorKind;
use crate::domain::ids::CallId;
use crate::server::api::Api;
use crate::server::http::body::Json;
use crate::server::http::params::{Params, Segment};
use crate::server::http::problem::Problem;
use crate::server::http::table::Route;
use crate::tools::{CallContext, ToolOutcome};

/// Events that a history tells at most, and where nobody says otherwise: as the tool has it.
const HISTORY: (usize, usize) = (20, 200);

type Arguments = Map<String, Value>;
type Reply = Result<Response, Problem>;

/// The rows of these routes.
pub(super) fn routes() -> Vec<Route> {
    const ID: &str = "The task's id, the start of it, or its exact description";
    let one = |row: Route| {
        row.in_path::<String>("id", ID)
            .in_query::<String>("user_id", "Whose task; default `default`, `admin` reaches all")
            .refuses(StatusCode::NOT_FOUND, "There is no such task")
            .refuses(StatusCode::CONFLICT, "It does not stand so, or several tasks are meant")
    };
    let good = |row: Route| row.answers::<Envelope>(StatusCode::OK, "Done");
    let rows = vec![
        good(Route::get("/api/v2/tasks", "list_tasks", "Background tasks of a user", list))
            .in_query::<String>("user_id", "Whose tasks; default `default`, `admin` sees all"),
        Route::post("/api/v2/tasks", "create_task", "Make a background task", create)
            .takes::<NewTask>()
            .answers::<Envelope>(StatusCode::CREATED, "It is made; `Location` says where it is")
            .refuses(StatusCode::CONFLICT, "There are too many tasks")
            .refuses_bodies(),
        one(good(Route::get("/api/v2/tasks/{id}", "get_task", "One background task", get))),
        one(good(Route::patch("/api/v2/tasks/{id}", "update_task", "Change a background task", update))
            .takes::<Changes>()
            .refuses_bodies()),
        one(good(Route::delete("/api/v2/tasks/{id}", "delete_task", "Forget a background task", delete))),
        one(good(Route::post("/api/v2/tasks/{id}/pause", "pause_task", "Let a background task rest", pause))),
        one(good(Route::post("/api/v2/tasks/{id}/resume", "resume_task", "Let a background task go on", resume))),
        one(Route::post("/api/v2/tasks/{id}/run", "run_task", "Run a background task now, out of turn", run)
            .answers::<Envelope>(StatusCode::ACCEPTED, "It is due now")),
        one(good(Route::get("/api/v2/tasks/{id}/history", "task_history", "What happened to a background task", history)))
            .in_query::<u16>("limit", "At most so many events, 1 to 200; default 20")
            .refuses(StatusCode::BAD_REQUEST, "A parameter is wrong"),
    ];
    rows.into_iter().map(|row| row.refuses(StatusCode::INTERNAL_SERVER_ERROR, "The tasks cannot be read or written")).collect()
}

/// What the task tools answer.
#[derive(Serialize, JsonSchema)]
struct Envelope {
    /// Always `success`; what fails is a problem.
    status: String,
    /// The tool that did it.
    action: String,
    /// The task, or what else was asked for.
    data: Value,
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// When, in RFC 3339.
    timestamp: String,
}

/// A task to be made.
#[derive(Serialize, Deserialize, JsonSchema)]
struct NewTask {
    /// `web_monitor`, `schedule`, `news_digest`, `threshold_watch`.
    task_type: String,
    /// What it is for.
    description: String,
    /// What it does, by type.
    #[serde(default)]
    config: Value,
    /// Where its events are posted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    callback_url: Option<String>,
    /// Whose it is; default `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_id: Option<String>,
    /// Fields of `config` that stand beside it by mistake.
    #[serde(flatten)]
    #[schemars(skip)]
    more: Arguments,
}

/// What changes; at least one field.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Changes {
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// The fields of its config that change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    config: Option<Value>,
    /// Where its events are posted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    callback_url: Option<String>,
}

async fn list(State(api): State<Arc<Api>>, params: Params) -> Reply {
    answer(StatusCode::OK, call(&api, "list_background_tasks", whose(&params)).await?)
}

async fn create(State(api): State<Arc<Api>>, Json(task): Json<NewTask>) -> Reply {
    let envelope = call(&api, "create_background_task", arguments(&task)).await?;
    let location = envelope.pointer("/data/task_id").and_then(Value::as_str).map(|id| format!("/api/v2/tasks/{id}"));
    let mut response = answer(StatusCode::CREATED, envelope)?;
    if let Some(location) = location.and_then(|location| HeaderValue::from_str(&location).ok()) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

async fn get(State(api): State<Arc<Api>>, Segment(id): Segment, params: Params) -> Reply {
    let mut arguments = which(id, &params);
    arguments.insert("limit".to_owned(), 1.into());
    let mut envelope = call(&api, "get_background_task_history", arguments).await?;
    let task = envelope.pointer_mut("/data/task").map(Value::take).unwrap_or_default();
    if let Some(envelope) = envelope.as_object_mut() {
        envelope.insert("action".to_owned(), "get_background_task".into());
        envelope.insert("data".to_owned(), task);
    }
    answer(StatusCode::OK, envelope)
}

async fn update(State(api): State<Arc<Api>>, Segment(id): Segment, params: Params, Json(changes): Json<Changes>) -> Reply {
    let given = which(id, &params).into_iter().chain(arguments(&changes)).collect();
    answer(StatusCode::OK, call(&api, "update_background_task", given).await?)
}

async fn delete(State(api): State<Arc<Api>>, Segment(id): Segment, params: Params) -> Reply {
    answer(StatusCode::OK, call(&api, "delete_background_task", which(id, &params)).await?)
}

async fn pause(State(api): State<Arc<Api>>, Segment(id): Segment, params: Params) -> Reply {
    answer(StatusCode::OK, call(&api, "pause_background_task", which(id, &params)).await?)
}

async fn resume(State(api): State<Arc<Api>>, Segment(id): Segment, params: Params) -> Reply {
    answer(StatusCode::OK, call(&api, "resume_background_task", which(id, &params)).await?)
}

async fn run(State(api): State<Arc<Api>>, Segment(id): Segment, params: Params) -> Reply {
    answer(StatusCode::ACCEPTED, call(&api, "run_background_task", which(id, &params)).await?)
}

async fn history(State(api): State<Arc<Api>>, Segment(id): Segment, params: Params) -> Reply {
    let mut arguments = which(id, &params);
    arguments.insert("limit".to_owned(), params.count("limit", HISTORY.0, HISTORY.1)?.into());
    answer(StatusCode::OK, call(&api, "get_background_task_history", arguments).await?)
}

#[expect(clippy::unnecessary_wraps, reason = "it ends handlers that can fail")]
fn answer(status: StatusCode, envelope: Value) -> Reply {
    Ok((status, axum::Json(envelope)).into_response())
}

fn arguments(body: &impl Serialize) -> Arguments {
    match serde_json::to_value(body) {
        Ok(Value::Object(arguments)) => arguments,
        _ => Arguments::new(),
    }
}

fn whose(params: &Params) -> Arguments {
    params.text("user_id").map(|user| ("user_id".to_owned(), user.into())).into_iter().collect()
}

fn which(id: String, params: &Params) -> Arguments {
    let mut arguments = whose(params);
    arguments.insert("task_id".to_owned(), id.into());
    arguments
}

/// Calls a task tool; what it answers is the envelope of the wire.
async fn call(api: &Api, name: &str, arguments: Arguments) -> Result<Value, Problem> {
    let tool = api.tasks.iter().find(|tool| tool.info().tool == name);
    let tool = tool.ok_or_else(|| Problem::not_found(format!("the tool `{name}` is not offered here")))?;
    let context = CallContext { call_id: CallId::generate(), session: None, cancel: api.stop.child_token() };
    let outcome = tool.call(arguments, context).await.map_err(|error| match error.kind {
        ErrorKind::BadArguments => Problem::field("", error.message),
        ErrorKind::TimedOut => Problem::new(StatusCode::GATEWAY_TIMEOUT, error.message),
        _ => Problem::failed(error.message),
    })?;
    let ToolOutcome { text, structured, is_error } = outcome;
    match structured {
        Some(envelope) if is_error => Err(refused(&envelope)),
        Some(envelope) => Ok(envelope),
        None if is_error => Err(Problem::conflict(text)),
        None => Ok(Value::String(text)),
    }
}

/// What a tool refused, as a problem.
fn refused(envelope: &Value) -> Problem {
    let said = |pointer: &str| envelope.pointer(pointer).and_then(Value::as_str);
    let detail = said("/error").unwrap_or("the task could not be dealt with").to_owned();
    match (said("/data/code"), said("/data/field")) {
        (Some("not_found"), _) => Problem::not_found(detail),
        (Some("ambiguous" | "not_now" | "contended" | "full"), _) => Problem::conflict(detail),
        (Some("failed"), _) => Problem::failed(detail),
        (_, Some(field)) => {
            let bare = detail.strip_prefix(&format!("`{field}`: ")).unwrap_or(&detail);
            Problem::field(format!("/{}", field.replace('.', "/")), bare)
        }
        (_, None) => Problem::conflict(detail),
    }
}
