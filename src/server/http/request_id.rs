//! Gives each request an id: the caller's own where it is sane, in each answer, in each problem, in the log.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::header::CONTENT_LENGTH;
use http::{HeaderName, HeaderValue};

use crate::server::http::problem::Problem;

/// Where the id travels.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over, in characters.
const ID_CHARS_MAX: usize = 64;

/// The id of a request, among its extensions.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) String);

impl RequestId {
    /// What a problem of the request to `path` names as its instance.
    pub(super) fn instance(&self, path: &str) -> String {
        format!("{path}#{}", self.0)
    }
}

/// Whether a caller's id is taken over: nothing that could forge a line of a log.
fn is_sane(id: &str) -> bool {
    (1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Puts an id to the request and into its answer.
pub(super) async fn layer(mut request: Request, next: Next) -> Response {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|id| is_sane(id));
    let id = RequestId(given.map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned));
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        if problem.status().is_server_error() {
            tracing::warn!(id = id.0, %method, path, status = problem.status().as_u16(), detail = problem.detail(), "not answered");
        }
        *response.body_mut() = problem.at(id.instance(&path)).body();
        response.headers_mut().remove(CONTENT_LENGTH);
    }
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
