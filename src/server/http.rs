//! The routes (wire.md, section 4).

mod dashboard;

use std::sync::Arc;

use axum::Router;

use crate::server::api::Api;

/// All routes but the WebSocket's.
pub fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/", axum::routing::get(|headers: http::HeaderMap| async move { dashboard::page(&headers) }))
        .merge(dashboard::routes())
        .with_state(api)
}
