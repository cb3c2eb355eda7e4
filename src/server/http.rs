//! The routes (wire.md, section 4).

use std::sync::Arc;

use axum::Router;

use crate::server::api::Api;

/// All routes but the WebSocket's.
pub fn router(api: Arc<Api>) -> Router {
    Router::new().with_state(api)
}
