//! `GET /` and `GET /health`: what this is, and whether it works.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CACHE_CONTROL};
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

use crate::domain::query::{AmbientStatus, EventFilter, ServerState, ServerStatus};
use crate::server::api::Api;
use crate::server::http::dashboard;
use crate::server::http::problem::Problem;
use crate::server::http::table::Route;

/// The rows of these routes.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/", "info", "The dashboard; what this is as JSON where `Accept` asks for JSON", info)
            .answers::<Info>(StatusCode::OK, "What this is")
            .or_media("text/html"),
        Route::get("/health", "health", "Whether it works, and each of its parts", health)
            .answers::<Health>(StatusCode::OK, "How it is; `degraded` where a part does not work"),
    ]
}

/// Whether all parts work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Overall {
    /// All parts work.
    Healthy,
    /// A part does not.
    Degraded,
}

/// What this is.
#[derive(Serialize, JsonSchema)]
struct Info {
    /// Always `wakeful`.
    service: &'static str,
    /// Its version.
    version: &'static str,
    /// How it is; `/health` says more.
    status: Overall,
    /// All routes, `METHOD /path`.
    endpoints: Vec<String>,
    /// Events in the log.
    events_processed: u64,
}

/// How it is.
#[derive(Serialize, JsonSchema)]
struct Health {
    /// As a whole.
    status: Overall,
    /// The time here, in RFC 3339.
    timestamp: String,
    /// Events in the log.
    events_processed: u64,
    /// Its version.
    version: &'static str,
    /// How long it has been up, in seconds.
    uptime_seconds: u64,
    /// Each part.
    components: Components,
}

#[derive(Serialize, JsonSchema)]
struct Components {
    /// The log.
    store: Part,
    /// The MCP servers.
    servers: Servers,
    /// The background tasks.
    tasks: Tasks,
    /// The feed.
    feed: Feed,
}

/// A part.
#[derive(Serialize, JsonSchema)]
struct Part {
    status: Overall,
    /// Why it is degraded.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Servers {
    #[serde(flatten)]
    part: Part,
    /// Servers that answer.
    ready: usize,
    /// Servers that are wanted: all but the disabled ones.
    total: usize,
    /// How each of them stands.
    states: BTreeMap<String, &'static str>,
}

#[derive(Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the wire's names")]
struct Tasks {
    #[serde(flatten)]
    part: Part,
    /// Whether anything runs them.
    service_running: bool,
    /// Tasks that are not deleted.
    total_tasks: u64,
    /// Of these, active.
    active_tasks: u64,
    /// Findings that wait for a decision.
    firings_waiting: u64,
    /// Notices that wait.
    notices_waiting: u64,
}

#[derive(Serialize, JsonSchema)]
struct Feed {
    #[serde(flatten)]
    part: Part,
    /// Clients that read it now, over WebSocket and as event streams.
    clients: usize,
    /// How many there may be.
    clients_max: usize,
    /// Frames that went out since the start.
    published: u64,
}

impl Part {
    fn of(problem: Option<String>) -> Self {
        let status = if problem.is_some() { Overall::Degraded } else { Overall::Healthy };
        Self { status, detail: problem }
    }
}

/// The position of the last event.
///
/// # Errors
/// When the log cannot be read.
pub(super) async fn head(api: &Api) -> Result<u64, Problem> {
    let filter = EventFilter { newest: true, limit: Some(1), ..EventFilter::default() };
    let newest = api.queries.events(filter).await?;
    Ok(newest.last().and_then(|event| event.seq).map_or(0, |seq| seq.0))
}

/// How a server stands, in one word.
pub(super) fn word(state: &ServerState) -> &'static str {
    match state {
        ServerState::Connecting => "connecting",
        ServerState::Ready => "ready",
        ServerState::Failing { .. } => "failing",
        ServerState::Failed { .. } => "failed",
        ServerState::Disabled => "disabled",
    }
}

async fn info(State(api): State<Arc<Api>>, headers: HeaderMap) -> Response {
    if wants_page(&headers) {
        return dashboard::page(&headers);
    }
    let health = look(&api).await;
    let endpoints = super::rows().iter().map(|row| format!("{} {}", row.method, row.path)).collect();
    let info = Info {
        service: "wakeful",
        version: env!("CARGO_PKG_VERSION"),
        status: health.status,
        endpoints,
        events_processed: health.events_processed,
    };
    axum::Json(info).into_response()
}

/// Whether who asks is a browser: it names HTML, and before JSON.
fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let html = accept.find("text/html");
    html.is_some() && accept.find("application/json").is_none_or(|json| html < Some(json))
}

async fn health(State(api): State<Arc<Api>>) -> Response {
    ([(CACHE_CONTROL, "no-store")], axum::Json(look(&api).await)).into_response()
}

async fn look(api: &Api) -> Health {
    let (head, servers, ambient) = tokio::join!(head(api), api.queries.servers(), api.queries.ambient_status());
    let (events_processed, store) = match head {
        Ok(head) => (head, Part::of(None)),
        Err(problem) => (0, Part::of(Some(problem.detail().to_owned()))),
    };
    let servers = servers.map_or_else(|error| nothing_known(error.0), |servers| servers_part(&servers));
    let tasks = match ambient {
        Ok(status) => tasks_part(&status),
        Err(error) => Tasks { part: Part::of(Some(error.0)), ..tasks_part(&AmbientStatus::default()) },
    };
    let feed =
        Feed { part: Part::of(None), clients: api.hub.clients(), clients_max: api.options.clients_max, published: api.hub.published() };
    let parts = [&store, &servers.part, &tasks.part, &feed.part];
    let status = if parts.iter().all(|part| part.status == Overall::Healthy) { Overall::Healthy } else { Overall::Degraded };
    Health {
        status,
        timestamp: api.clock.now().to_string(),
        events_processed,
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: api.uptime().as_secs(),
        components: Components { store, servers, tasks, feed },
    }
}

fn nothing_known(problem: String) -> Servers {
    Servers { part: Part::of(Some(problem)), ready: 0, total: 0, states: BTreeMap::new() }
}

/// A server that still connects is no fault, one that should answer and does not is.
fn servers_part(servers: &[ServerStatus]) -> Servers {
    let wanted = servers.iter().filter(|server| server.status != ServerState::Disabled);
    let down: Vec<&str> = wanted
        .clone()
        .filter(|server| matches!(server.status, ServerState::Failing { .. } | ServerState::Failed { .. }))
        .map(|server| server.name.as_str())
        .collect();
    Servers {
        part: Part::of((!down.is_empty()).then(|| format!("no answer from {}", down.join(", ")))),
        ready: wanted.clone().filter(|server| server.status == ServerState::Ready).count(),
        total: wanted.count(),
        states: servers.iter().map(|server| (server.name.to_string(), word(&server.status))).collect(),
    }
}

/// Active tasks that nothing runs are a fault.
fn tasks_part(status: &AmbientStatus) -> Tasks {
    let idle = status.active_tasks > 0 && !status.service_running;
    Tasks {
        part: Part::of(idle.then(|| format!("{} active tasks, and nothing runs them", status.active_tasks))),
        service_running: status.service_running,
        total_tasks: status.total_tasks,
        active_tasks: status.active_tasks,
        firings_waiting: status.firings_waiting,
        notices_waiting: status.notices_waiting,
    }
}
