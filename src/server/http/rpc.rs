//! For surfaces on other machines: commands in, questions answered, how the program stands.
//!
//! What they look like on the wire is defined once, in [`crate::domain::remote`] and [`crate::domain::command`].

use std::io;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::command::Command;
use crate::domain::ids::Seq;
use crate::domain::query::{EventFilter, Queries, QueryError};
use crate::domain::remote::{Answered, Query, Status};
use crate::server::api::Api;
use crate::server::http::body::{Json, shaped};
use crate::server::http::problem::Problem;
use crate::server::http::table::Route;

/// The longest answer: 64 MiB, as a frame of the feed.
const ANSWER_BYTES_MAX: usize = 64 * 1_024 * 1_024;

/// The most rows of one answer; the store's own limit for events.
const ROWS_MAX: usize = 10_000;

/// The rows of these routes.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v2/commands", "command", "Hands over a command; what comes of it is in the feed", command)
            .takes::<Map<String, Value>>()
            .answers::<Accepted>(StatusCode::ACCEPTED, "It is in the inbox; it carries the ids to look for in the feed")
            .refuses_bodies()
            .refuses(StatusCode::SERVICE_UNAVAILABLE, "Too many commands wait; `Retry-After` says when to try again"),
        Route::post("/api/v2/query", "query", "Answers a question: `query` names it, `args` holds its arguments", query)
            .takes::<Asked>()
            .answers::<Answer>(StatusCode::OK, "The answer")
            .refuses_bodies()
            .refuses(StatusCode::NOT_FOUND, "What the question names is not there, or did not answer")
            .refuses(StatusCode::INTERNAL_SERVER_ERROR, "The answer could not be had, or is too long"),
        Route::get("/api/v2/status", "status", "How the program stands: its log, its model, its version", status)
            .answers::<Map<String, Value>>(StatusCode::OK, "How it stands")
            .refuses(StatusCode::INTERNAL_SERVER_ERROR, "The log cannot be read"),
    ]
}

/// What is answered to a command.
#[derive(Debug, Serialize, JsonSchema)]
struct Accepted {
    /// Always `accepted`.
    status: &'static str,
}

/// A question, for the document; [`Query`] is what is read.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "its shape is what it is for")]
struct Asked {
    /// Its name.
    query: String,
    /// Its arguments.
    args: Option<Map<String, Value>>,
}

/// An answer, for the document; [`Answered`] is what is written.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "its shape is what it is for")]
struct Answer {
    /// What was asked for.
    result: Value,
}

async fn command(State(api): State<Arc<Api>>, Json(command): Json<Command>) -> Result<Response, Problem> {
    api.commands.send(command)?;
    Ok((StatusCode::ACCEPTED, axum::Json(Accepted { status: "accepted" })).into_response())
}

async fn query(State(api): State<Arc<Api>>, Json(mut asked): Json<Map<String, Value>>) -> Result<Response, Problem> {
    Query::complete(&mut asked);
    let query: Query = shaped(Value::Object(asked))?;
    answer(&*api.queries, query).await
}

async fn status(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    let newest = EventFilter { limit: Some(1), newest: true, ..EventFilter::default() };
    let head = api.queries.events(newest).await?.last().and_then(|event| event.seq).unwrap_or(Seq(0));
    let status = Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        epoch: api.hub.epoch().to_owned(),
        head,
        default_model: api.default_model.clone(),
        context_window_tokens: api.context_window_tokens,
        mode: Some(api.mode),
        timezone: api.timezone.clone(),
        clients: api.hub.clients(),
    };
    Ok(axum::Json(status).into_response())
}

/// Answers `query`.
async fn answer(queries: &dyn Queries, query: Query) -> Result<Response, Problem> {
    let named = query.names_something();
    let bounded = |limit: usize| limit.min(ROWS_MAX);
    let bytes = match query {
        Query::Sessions { search, limit } => reply(queries.sessions(search, bounded(limit)).await, named),
        Query::Events { filter } => {
            let limit = Some(bounded(filter.limit.unwrap_or(ROWS_MAX)));
            reply(queries.events(EventFilter { limit, ..filter }).await, named)
        }
        Query::SessionEvents { session } => reply(queries.session_events(session).await, named),
        Query::SessionPage { page } => reply(queries.session_page(page).await, named),
        Query::Servers {} => reply(queries.servers().await, named),
        Query::Tools {} => reply(queries.tools().await, named),
        Query::Resources { server } => reply(queries.resources(server).await, named),
        Query::ReadResource { server, uri } => reply(queries.read_resource(server, uri).await, named),
        Query::Prompts {} => reply(queries.prompts().await, named),
        Query::Prompt { server, name, arguments } => reply(queries.prompt(server, name, arguments).await, named),
        Query::Completions { server, of, argument, value, known } => {
            reply(queries.completions(server, of, argument, value, known).await, named)
        }
        Query::Questions {} => reply(queries.questions().await, named),
        Query::ServerLog { server, lines } => reply(queries.server_log(server, bounded(lines)).await, named),
        Query::Models {} => reply(queries.models().await, named),
        Query::Agents {} => reply(queries.agents().await, named),
        Query::Tasks { user } => reply(queries.tasks(user).await, named),
        Query::TaskDetail { task } => reply(queries.task_detail(task).await, named),
        Query::Inbox { mut filter } => {
            filter.limit = filter.limit.map(bounded);
            reply(queries.inbox(filter).await, named)
        }
        Query::Deliveries { limit } => reply(queries.deliveries(bounded(limit)).await, named),
        Query::AmbientStatus {} => reply(queries.ambient_status().await, named),
        Query::Memories { mut filter } => {
            filter.limit = filter.limit.map(bounded);
            reply(queries.memories(filter).await, named)
        }
        Query::MemoryStatus {} => reply(queries.memory_status().await, named),
        Query::Export { session, format } => reply(queries.export(session, format).await, named),
        Query::Spending { session, today } => reply(queries.spending(session, today).await, named),
        Query::Undoable { session } => reply(queries.undoable(session).await, named),
        Query::Cache {} => reply(queries.cache().await, named),
        Query::Report {} => reply(queries.report().await, named),
        Query::Doctor {} => reply(queries.doctor().await, named),
    }?;
    let mut response = Response::new(bytes.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn reply<T: Serialize>(answer: Result<T, QueryError>, named: bool) -> Result<Bytes, Problem> {
    let result = answer.map_err(|error| if named { Problem::not_found(error.0) } else { Problem::failed(error.0) })?;
    let mut out = Bounded(Vec::new());
    serde_json::to_writer(&mut out, &Answered { result }).map_err(|error| Problem::failed(error.to_string()))?;
    Ok(out.0.into())
}

/// Takes no more than an answer may have.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > ANSWER_BYTES_MAX {
            return Err(io::Error::other(format!("the answer is longer than {} MiB; ask for less", ANSWER_BYTES_MAX >> 20)));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
