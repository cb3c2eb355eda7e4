//! The coordinator's side of interaction reports: takes records, each once, and gives them back.
//!
//! `accepted` means that they are on disk. Of a list the good ones are stored and the others told, so that one bad record
//! holds up nobody.

mod page;
mod read;
mod schema;

use std::io::Read;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router, routing};
use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::request::Parts;
use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::domain::clock::Clock;
use crate::domain::interaction::{BATCH_MAX, InteractionRecord};
use crate::domain::reports::Access;
use crate::net::door::{self, Door};
use crate::server::api::{RecordIntake, Shown, WrongRecord};
use crate::server::http::body;
use crate::server::http::problem::{FieldError, Problem};
use crate::server::http::table::Route;
use crate::server::options::Options;

/// How long a body may be once it is unpacked, as a multiple of what a body may have.
const UNPACKED_TIMES: usize = 8;

/// Bodies of that many bytes are unpacked on a thread for blocking work.
const LONG_BYTES: usize = 64 * 1_024;

/// The status of a record that is none, within a list.
const WRONG: u16 = 422;

/// What the handlers share.
pub(in crate::server) struct Reports {
    records: Arc<dyn RecordIntake>,
    clock: Arc<dyn Clock>,
    options: Options,
}

impl Reports {
    pub(in crate::server) fn new(records: Arc<dyn RecordIntake>, clock: Arc<dyn Clock>, options: Options) -> Self {
        Self { records, clock, options }
    }
}

/// Whether that path is one of the reports': these know keys of their own.
pub(in crate::server) fn is_report(path: &str) -> bool {
    path == "/api/v2/health" || path == "/api/v2/validate" || path == "/api/v2/interactions" || path.starts_with("/api/v2/interactions/")
}

/// What whoever sent that showed. A browser cannot send headers with the address of a page.
pub(in crate::server) fn shown(door: &Door, parts: &Parts) -> Shown {
    let is_page = parts.method == Method::GET && parts.uri.path() == page::PATH;
    let named = || is_page.then(|| crate::server::entry::token_in(parts.uri.query()?)).flatten();
    let key = door::bearer(&parts.headers).map(str::to_owned).or_else(named);
    let is_owner = door.has_token() && door.check_token(key.as_deref()).is_ok();
    // Where there is no token, only loopback is listened on, or there are keys.
    Shown { key, is_owner, is_open: !door.has_token() }
}

/// Who asks, and what that opens.
pub(super) struct Admitted {
    reports: Arc<Reports>,
    access: Access,
}

impl<S: Send + Sync> FromRequestParts<S> for Admitted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // Both are set before the router is asked.
        let reports = parts.extensions.get::<Arc<Reports>>().cloned();
        let reports = reports.ok_or_else(|| Problem::failed("no reports are taken here"))?;
        let shown = parts.extensions.get::<Shown>().cloned().unwrap_or_default();
        let access = reports.records.admit(shown).await?;
        Ok(Self { reports, access })
    }
}

/// The rows of these routes.
pub(super) fn routes() -> Vec<Route> {
    let mut rows = vec![
        Route::post("/api/v2/interactions", "report_interactions", "Report interactions: one record, or up to 100", report)
            .takes::<schema::Records>()
            .answers::<Accepted>(StatusCode::OK, "They are on disk, each once; of a list what is no record is told")
            .refuses(StatusCode::UNAUTHORIZED, "The key is missing, unknown or revoked")
            .refuses(StatusCode::FORBIDDEN, "The key is another reporter's")
            .refuses(StatusCode::TOO_MANY_REQUESTS, "Too much waits for the disk: come again after `Retry-After`")
            .refuses(StatusCode::SERVICE_UNAVAILABLE, "They cannot be stored now: send them again")
            .refuses_bodies(),
        Route::get("/api/v2/health", "interactions_health", "Whether reports can be taken, and the key is good", health)
            .answers::<Health>(StatusCode::OK, "Reports can be taken")
            .refuses(StatusCode::UNAUTHORIZED, "The key is missing, unknown or revoked")
            .refuses(StatusCode::SERVICE_UNAVAILABLE, "Reports cannot be stored now"),
        Route::post("/api/v2/validate", "validate", "Check records without storing them; or only that you may report", validate)
            .takes::<Value>()
            .answers::<Verdict>(StatusCode::OK, "What is wrong with them")
            .refuses(StatusCode::UNAUTHORIZED, "The key is missing, unknown or revoked")
            .refuses_bodies(),
    ];
    rows.extend(read::routes());
    rows
}

/// The same routes for a router that has nothing else.
pub(super) fn router() -> Router {
    Router::new()
        .route("/api/v2/interactions", routing::post(report).get(read::list))
        .route("/api/v2/interactions/statistics", routing::get(read::statistics))
        .route(page::PATH, routing::get(page::page))
        .route("/api/v2/interactions/{interaction_id}", routing::get(read::one))
        .route("/api/v2/health", routing::get(health))
        .route("/health", routing::get(alive))
        .route("/api/v2/validate", routing::post(validate))
}

/// Records are on disk.
#[derive(Serialize, JsonSchema)]
struct Accepted {
    /// Always `accepted`.
    status: &'static str,
    /// How many were new.
    stored: usize,
    /// What of a list is no record.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    rejected: Vec<Rejected>,
}

/// One that is no record.
#[derive(Serialize, JsonSchema)]
struct Rejected {
    /// Its place in the list.
    index: usize,
    /// Its id, where it has one.
    record_id: Option<String>,
    /// The status that it would have had alone.
    code: u16,
    /// What is wrong with it.
    message: String,
}

/// How the intake is.
#[derive(Serialize, JsonSchema)]
struct Health {
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

async fn report(admitted: Admitted, request: Request) -> Result<Response, Problem> {
    let Admitted { reports, access } = admitted;
    let body = read_json(request, &reports.options).await?;
    let is_batch = body.is_array();
    let taken = reports.records.take(split(body).map_err(|error| Problem::fields(vec![error]))?, access).await?;
    if let (false, Some(wrong)) = (is_batch, taken.rejected.first()) {
        return Err(Problem::field(pointer(None, &wrong.field), wrong.message.clone()));
    }
    let rejected = |wrong: WrongRecord| {
        let field = if wrong.field.is_empty() { String::new() } else { format!("`{}`: ", wrong.field) };
        Rejected { index: wrong.index, record_id: wrong.record_id, code: WRONG, message: format!("{field}{}", wrong.message) }
    };
    let rejected = taken.rejected.into_iter().map(rejected).collect();
    Ok(axum::Json(Accepted { status: "accepted", stored: taken.stored, rejected }).into_response())
}

async fn health(admitted: Admitted) -> Result<Response, Problem> {
    let reports = admitted.reports;
    let records = reports.records.count().await?;
    Ok(axum::Json(Health { status: "healthy", timestamp: reports.clock.now().to_string(), records }).into_response())
}

/// Whether a coordinator of its own runs, for whoever watches over programs.
async fn alive(Extension(reports): Extension<Arc<Reports>>) -> Response {
    axum::Json(serde_json::json!({"status": "healthy", "timestamp": reports.clock.now().to_string()})).into_response()
}

/// Whoever comes here was let in; an object without an `action` asks no more than that.
async fn validate(admitted: Admitted, request: Request) -> Result<Response, Problem> {
    let body = read_json(request, &admitted.reports.options).await?;
    if body.as_object().is_some_and(|object| !object.contains_key("action")) {
        return Ok(axum::Json(Verdict { valid: true, records: 0, errors: Vec::new() }).into_response());
    }
    let is_batch = body.is_array();
    let verdict = match split(body) {
        Err(error) => Verdict { valid: false, records: 0, errors: vec![error] },
        Ok(records) => {
            let wrong = records.iter().enumerate().filter_map(|(index, record)| {
                let error = InteractionRecord::from_json(record).err()?;
                Some(FieldError { pointer: pointer(is_batch.then_some(index), error.field), detail: error.must })
            });
            let errors: Vec<FieldError> = wrong.collect();
            Verdict { valid: errors.is_empty(), records: records.len(), errors }
        }
    };
    Ok(axum::Json(verdict).into_response())
}

/// Where a field is in the body.
fn pointer(index: Option<usize>, field: &str) -> String {
    let index = index.map(|index| format!("/{index}")).unwrap_or_default();
    if field.is_empty() { index } else { format!("{index}/{field}") }
}

/// The records of a body.
fn split(body: Value) -> Result<Vec<Value>, FieldError> {
    let wrong = |detail: String| FieldError { pointer: String::new(), detail };
    match body {
        record @ Value::Object(_) => Ok(vec![record]),
        Value::Array(many) if many.is_empty() => Err(wrong(format!("the list is empty; send 1 to {BATCH_MAX} records"))),
        Value::Array(many) if many.len() > BATCH_MAX => {
            Err(wrong(format!("{} records are too many; send {BATCH_MAX} at a time", many.len())))
        }
        Value::Array(many) => Ok(many),
        _ => Err(wrong("send a record (an object), or a list of records".to_owned())),
    }
}

/// The JSON of a body, which may be packed by gzip.
async fn read_json(request: Request, options: &Options) -> Result<Value, Problem> {
    body::require_json(request.headers())?;
    let encoding = request.headers().get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
    let bytes = body::whole(request, options).await?;
    match encoding.as_deref() {
        None | Some("" | "identity") => body::parsed(&bytes),
        Some("gzip" | "x-gzip") => {
            let limit = options.body_bytes_max.saturating_mul(UNPACKED_TIMES);
            let unpacked = if bytes.len() < LONG_BYTES {
                unpack(&bytes, limit)
            } else {
                let unpacking = tokio::task::spawn_blocking(move || unpack(&bytes, limit)).await;
                unpacking.unwrap_or_else(|error| Err(Problem::failed(error.to_string())))
            };
            body::parsed(&unpacked?)
        }
        Some(_) => Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "this `Content-Encoding` is not known; send `gzip`, or none")),
    }
}

fn unpack(bytes: &Bytes, limit: usize) -> Result<Vec<u8>, Problem> {
    let mut out = Vec::new();
    let read = flate2::read::MultiGzDecoder::new(&bytes[..]).take(limit as u64 + 1).read_to_end(&mut out);
    if read.is_err() {
        return Err(Problem::bad_request("the body is said to be gzip and cannot be unpacked"));
    }
    if out.len() > limit {
        let detail = format!("the body may have {limit} bytes at most once it is unpacked; send less at a time");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    Ok(out)
}
