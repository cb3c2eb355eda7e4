//! The routes.
//!
//! Each route is one row of a table, from which the router and `/openapi.json` are made. Who may come in (token, `Host`,
//! `Origin`, rate) was decided before a request comes here. Every answer that is none is a [`problem::Problem`].

mod body;
mod broadcast;
mod chat;
mod dashboard;
mod events;
mod feedback;
mod info;
pub(super) mod interactions;
mod layers;
mod mcp;
mod metrics;
mod openapi;
mod params;
pub mod problem;
mod request_id;
mod rpc;
mod sessions;
mod sse;
mod table;
mod tasks;

use std::sync::Arc;

use axum::http::Uri;
use axum::{Extension, Router, middleware};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};

use crate::server::api::Api;
use crate::server::http::problem::Problem;
use crate::server::http::table::Route;

/// All rows but that of the document itself.
fn rows() -> Vec<Route> {
    let all = [
        info::routes(),
        events::routes(),
        feedback::routes(),
        chat::routes(),
        sessions::routes(),
        tasks::routes(),
        interactions::routes(),
        broadcast::routes(),
        mcp::routes(),
        rpc::routes(),
        metrics::routes(),
    ];
    all.into_iter().flatten().collect()
}

/// All rows; the document is made once.
fn table() -> Vec<Route> {
    let mut rows = rows();
    let place = Arc::new(std::sync::OnceLock::<Bytes>::new());
    let given = Arc::clone(&place);
    let document = move || {
        let body = given.get().cloned().unwrap_or_default();
        async move { ([(CONTENT_TYPE, "application/json")], body) }
    };
    rows.push(
        Route::get("/openapi.json", "openapi", "This document", document)
            .answers::<serde_json::Map<String, serde_json::Value>>(StatusCode::OK, "The OpenAPI 3.1 document of all routes"),
    );
    // Set here for the first and only time.
    let _set = place.set(Bytes::from(openapi::document(&rows).to_string()));
    rows
}

/// All routes but the WebSocket's.
pub fn router(api: Arc<Api>) -> Router {
    let places = chat::Places::new(api.options.chats_max);
    let reports = interactions::Reports::new(Arc::clone(&api.records), Arc::clone(&api.clock), api.options.clone());
    let counts = Arc::new(metrics::Counts::default());
    table::router(table())
        .merge(dashboard::routes())
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(Extension(places))
        .layer(Extension(Arc::new(reports)))
        .layer(Extension(Arc::clone(&counts)))
        .layer(middleware::from_fn_with_state(counts, layers::watch))
        .layer(middleware::from_fn(request_id::layer))
        .layer(middleware::from_fn(layers::headers))
        .layer(layers::compress_streams())
        .layer(layers::compress_whole())
        .with_state(api)
}

/// The routes of reports alone, for a coordinator that is nothing else.
pub(super) fn reports_router(reports: interactions::Reports) -> Router {
    interactions::router()
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(Extension(Arc::new(reports)))
        .layer(middleware::from_fn(request_id::layer))
        .layer(middleware::from_fn(layers::headers))
        .layer(layers::compress_whole())
}

async fn unknown(uri: Uri) -> Problem {
    Problem::not_found(format!("there is no `{}` here; `/openapi.json` lists what there is", crate::domain::text::clean_line(uri.path())))
}

async fn not_allowed(method: Method) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("`{method}` is not for this; `Allow` lists what is"))
}
