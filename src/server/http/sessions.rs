//! `GET /api/v2/sessions`: the conversations.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::query::SessionSummary;
use crate::server::api::Api;
use crate::server::http::params::Params;
use crate::server::http::problem::Problem;
use crate::server::http::table::Route;

/// Conversations of an answer where nobody says otherwise, and at most.
const LIMIT: (usize, usize) = (50, 1_000);

/// The rows of these routes.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/api/v2/sessions", "list_sessions", "Conversations, the latest first", list)
            .in_query::<String>("search", "Only those whose title or text holds this")
            .in_query::<u16>("limit", "At most so many, 1 to 1,000; default 50")
            .answers::<Sessions>(StatusCode::OK, "The conversations")
            .refuses(StatusCode::BAD_REQUEST, "A parameter is wrong")
            .refuses(StatusCode::INTERNAL_SERVER_ERROR, "The log cannot be read"),
    ]
}

/// Conversations.
#[derive(Serialize, JsonSchema)]
struct Sessions {
    /// How many are in this answer.
    total: usize,
    /// The conversations.
    #[schemars(with = "Vec<Map<String, Value>>")]
    sessions: Vec<SessionSummary>,
}

async fn list(State(api): State<Arc<Api>>, params: Params) -> Result<Response, Problem> {
    let limit = params.count("limit", LIMIT.0, LIMIT.1)?;
    let sessions = api.queries.sessions(params.text("search").map(str::to_owned), limit).await?;
    Ok(axum::Json(Sessions { total: sessions.len(), sessions }).into_response())
}
