//! `/mcp`: our own tools as an MCP server (streamable HTTP).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use http_body_util::Full;

use crate::server::api::Api;
use crate::server::http::body;
use crate::server::http::problem::Problem;
use crate::server::http::sse::EVENT_STREAM;
use crate::server::http::table::Route;

/// The rows of these routes: the methods that the protocol has.
pub(super) fn routes() -> Vec<Route> {
    let rows = [
        Route::post("/mcp", "mcp_post", "A message to the MCP server", pass)
            .takes::<serde_json::Value>()
            .answers::<serde_json::Value>(StatusCode::OK, "The answer, or a stream of messages")
            .or_media(EVENT_STREAM)
            .answers_empty(StatusCode::ACCEPTED, "A notification or an answer was taken"),
        Route::get("/mcp", "mcp_listen", "Messages of the MCP server, as a stream", pass).answers_media(
            StatusCode::OK,
            EVENT_STREAM,
            "Messages of the server",
        ),
        Route::delete("/mcp", "mcp_end", "End an MCP session", pass)
            .answers_empty(StatusCode::OK, "It has ended")
            .answers_empty(StatusCode::ACCEPTED, "It ends"),
    ];
    rows.into_iter()
        .map(|row| {
            row.answers_media(StatusCode::BAD_REQUEST, "application/json", "The message is no good")
                .answers_media(StatusCode::NOT_FOUND, "application/json", "There is no such session or method, or no MCP server here")
                .answers_media(StatusCode::METHOD_NOT_ALLOWED, "application/json", "Not in this revision of the protocol")
                .answers_media(StatusCode::NOT_ACCEPTABLE, "application/json", "`Accept` does not name what is answered")
                .answers_media(StatusCode::UNSUPPORTED_MEDIA_TYPE, "application/json", "The body is not said to be JSON")
        })
        .collect()
}

async fn pass(State(api): State<Arc<Api>>, request: Request) -> Result<Response, Problem> {
    let endpoint = api.mcp.clone().ok_or_else(|| Problem::not_found("there is no MCP server here"))?;
    let (parts, body) = request.into_parts();
    let body = body::whole(Request::from_parts(parts.clone(), body), &api.options).await?;
    let response = endpoint(http::Request::from_parts(parts, Full::new(body))).await;
    Ok(response.map(Body::new))
}
