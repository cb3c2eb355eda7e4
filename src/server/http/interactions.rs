//! The coordinator's side of interaction reports: takes records, each once.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use schemars::{JsonSchema, json_schema};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::server::api::Api;
use crate::server::http::body::Json;
use crate::server::http::problem::{FieldError, Problem};
use crate::server::http::table::Route;

/// Records that may come at once.
const RECORDS_MAX: usize = 100;

/// The longest id, in characters.
const ID_CHARS_MAX: usize = 200;

/// The actions, and where each keeps its particulars.
const ACTIONS: [(&str, &str); 4] = [
    ("interaction_start", "request_data"),
    ("interaction_progress", "progress_data"),
    ("interaction_complete", "result_data"),
    ("interaction_error", "error_data"),
];

/// The rows of these routes.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v2/interactions", "report_interactions", "Report interactions: one record, or up to 100", report)
            .takes::<Records>()
            .answers::<Accepted>(StatusCode::OK, "They are on disk, each once")
            .refuses(StatusCode::INTERNAL_SERVER_ERROR, "They could not be stored")
            .refuses_bodies(),
        Route::get("/api/v2/health", "interactions_health", "Whether reports can be taken", health)
            .answers::<Intake>(StatusCode::OK, "Reports can be taken")
            .refuses(StatusCode::INTERNAL_SERVER_ERROR, "Reports cannot be stored"),
        Route::post("/api/v2/validate", "validate", "Check records without storing them; or only that you may report", validate)
            .takes::<Value>()
            .answers::<Verdict>(StatusCode::OK, "What is wrong with them")
            .refuses_bodies(),
    ]
}

/// A record, or several; only for its shape.
struct Records;

impl JsonSchema for Records {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "InteractionRecords".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let kinds = ACTIONS.map(|(action, payload)| {
            json!({
                "type": "object",
                "required": ["action", "interaction_id", "mcp_id", "timestamp", payload],
                "properties": {
                    "action": {"const": action},
                    "interaction_id": {"type": "string", "minLength": 1, "maxLength": ID_CHARS_MAX},
                    "mcp_id": {"type": "string", "minLength": 1, "maxLength": ID_CHARS_MAX},
                    "timestamp": {"type": "number", "minimum": 0, "description": "Unix time in seconds"},
                    "record_id": {"type": "string", "minLength": 1, "maxLength": ID_CHARS_MAX, "description": "The same id again is the same record"},
                    payload: {"type": "object"},
                },
            })
        });
        let [start, progress, complete, error] = kinds;
        let one = json!({"oneOf": [start, progress, complete, error]});
        json_schema!({"anyOf": [one, {"type": "array", "minItems": 1, "maxItems": RECORDS_MAX, "items": one}]})
    }
}

/// Records are on disk.
#[derive(Serialize, JsonSchema)]
struct Accepted {
    /// Always `accepted`.
    status: &'static str,
    /// How many were new.
    stored: usize,
}

/// How the intake is.
#[derive(Serialize, JsonSchema)]
struct Intake {
    /// Always `healthy`.
    status: &'static str,
    /// The time here, in RFC 3339.
    timestamp: String,
    /// Records on disk.
    records: u64,
}

/// What is wrong with records.
#[derive(Serialize, JsonSchema)]
struct Verdict {
    /// Whether nothing is.
    valid: bool,
    /// How many records were looked at.
    records: usize,
    /// What is wrong.
    errors: Vec<FieldError>,
}

async fn report(State(api): State<Arc<Api>>, Json(body): Json<Value>) -> Result<Response, Problem> {
    let is_batch = body.is_array();
    let mut records = split(body).map_err(Problem::fields)?;
    let wrong = check_all(&records, is_batch);
    if !wrong.is_empty() {
        return Err(Problem::fields(wrong));
    }
    records.iter_mut().for_each(name);
    let stored = api.records.take(records.into_iter().map(Value::Object).collect()).await?;
    Ok(axum::Json(Accepted { status: "accepted", stored }).into_response())
}

async fn health(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    let records = api.records.count().await?;
    Ok(axum::Json(Intake { status: "healthy", timestamp: api.clock.now().to_string(), records }).into_response())
}

/// Whoever comes here showed the token, where one is set; an object without an `action` asks no more than that.
async fn validate(Json(body): Json<Value>) -> Response {
    let asks_only = body.as_object().is_some_and(|object| !object.contains_key("action"));
    let is_batch = body.is_array();
    let verdict = if asks_only {
        Verdict { valid: true, records: 0, errors: Vec::new() }
    } else {
        match split(body) {
            Ok(records) => {
                let errors = check_all(&records, is_batch);
                Verdict { valid: errors.is_empty(), records: records.len(), errors }
            }
            Err(errors) => Verdict { valid: false, records: 0, errors },
        }
    };
    axum::Json(verdict).into_response()
}

/// The records of a body.
fn split(body: Value) -> Result<Vec<Map<String, Value>>, Vec<FieldError>> {
    let wrong = |pointer: String, detail: String| vec![FieldError { pointer, detail }];
    match body {
        Value::Object(record) => Ok(vec![record]),
        Value::Array(many) if many.is_empty() => Err(wrong(String::new(), "the list is empty; send 1 to 100 records".to_owned())),
        Value::Array(many) if many.len() > RECORDS_MAX => {
            Err(wrong(String::new(), format!("{} records are too many; send {RECORDS_MAX} at a time", many.len())))
        }
        Value::Array(many) => many
            .into_iter()
            .enumerate()
            .map(|(index, record)| match record {
                Value::Object(record) => Ok(record),
                _ => Err(wrong(format!("/{index}"), "a record is an object".to_owned())),
            })
            .collect(),
        _ => Err(wrong(String::new(), "send a record (an object), or a list of records".to_owned())),
    }
}

fn check_all(records: &[Map<String, Value>], is_batch: bool) -> Vec<FieldError> {
    let place = |index: usize| if is_batch { format!("/{index}") } else { String::new() };
    records.iter().enumerate().flat_map(|(index, record)| check(record, &place(index))).collect()
}

/// What is wrong with one record.
fn check(record: &Map<String, Value>, place: &str) -> Vec<FieldError> {
    let mut wrong = Vec::new();
    let mut refuse = |name: &str, detail: String| wrong.push(FieldError { pointer: format!("{place}/{name}"), detail });
    let is_id = |value: &Value| value.as_str().is_some_and(|id| !id.trim().is_empty() && id.chars().count() <= ID_CHARS_MAX);
    for name in ["interaction_id", "mcp_id", "record_id"] {
        match record.get(name) {
            None if name == "record_id" => {}
            None => refuse(name, "it is missing".to_owned()),
            Some(value) if !is_id(value) => refuse(name, format!("give text of 1 to {ID_CHARS_MAX} characters")),
            Some(_) => {}
        }
    }
    match record.get("timestamp") {
        None => refuse("timestamp", "it is missing".to_owned()),
        Some(value) if !value.as_f64().is_some_and(|time| time.is_finite() && time >= 0.0) => {
            refuse("timestamp", "give a Unix time in seconds, a number".to_owned());
        }
        Some(_) => {}
    }
    let action = record.get("action").and_then(Value::as_str);
    let known = ACTIONS.iter().find(|(name, _)| Some(*name) == action);
    match known {
        None => refuse("action", format!("give one of {}", ACTIONS.map(|(name, _)| name).join(", "))),
        Some((action, payload)) if !record.get(*payload).is_some_and(Value::is_object) => {
            refuse(payload, format!("a record of `{action}` has an object here"));
        }
        Some(_) => {}
    }
    wrong
}

/// Gives a record without an id the one that its content has: the same content again is the same record.
fn name(record: &mut Map<String, Value>) {
    if record.contains_key("record_id") {
        return;
    }
    let mut sorted = Value::Object(record.clone());
    sorted.sort_all_objects();
    let digest = Sha256::digest(sorted.to_string().as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // Version 8 (RFC 9562): of our own making.
    let id = uuid::Builder::from_custom_bytes(bytes).into_uuid();
    record.insert("record_id".to_owned(), id.to_string().into());
}
