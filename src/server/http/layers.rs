//! What every request goes through: time-out, counting, headers, compression.

use std::sync::Arc;
use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, StatusCode};
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{Predicate, SizeAbove};

use crate::server::http::metrics::Counts;
use crate::server::http::problem::Problem;
use crate::server::http::sse::EVENT_STREAM;

/// The longest that an answer may take to begin.
const ANSWER_MAX: Duration = Duration::from_mins(1);

/// Routes that have time limits of their own.
const OWN_LIMITS: [&str; 3] = ["/chat", "/chat/stream", "/mcp"];

/// What is shorter is not worth compressing, in bytes.
const COMPRESSED_MIN: u16 = 512;

/// Counts the request, and gives up on one that takes too long to be answered.
pub(super) async fn watch(State(counts): State<Arc<Counts>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let method = request.method().clone();
    let began = tokio::time::Instant::now();
    let answer = next.run(request);
    let response = if route.as_deref().is_some_and(|route| OWN_LIMITS.contains(&route)) {
        answer.await
    } else {
        tokio::time::timeout(ANSWER_MAX, answer).await.unwrap_or_else(|_| {
            let detail = format!("there was no answer within {} s; try again later", ANSWER_MAX.as_secs());
            Problem::new(StatusCode::GATEWAY_TIMEOUT, detail).into_response()
        })
    };
    counts.count(&method, route.as_deref(), response.status(), began.elapsed());
    response
}

/// Tells browsers to take answers for what they are, and to keep them to this site.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Whether an answer is compressed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Worthwhile {
    /// Event streams, or everything else.
    streams: bool,
}

impl Predicate for Worthwhile {
    fn should_compress<B: HttpBody>(&self, response: &http::Response<B>) -> bool {
        let media = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if media.starts_with(EVENT_STREAM) {
            return self.streams;
        }
        let is_text = media.starts_with("text/") || media.contains("json") || media.contains("javascript") || media.contains("svg");
        !self.streams && is_text && SizeAbove::new(COMPRESSED_MIN).should_compress(response)
    }
}

/// Compresses what is whole.
pub(super) fn compress_whole() -> CompressionLayer<Worthwhile> {
    CompressionLayer::new().compress_when(Worthwhile { streams: false })
}

/// Compresses event streams: by gzip only, since brotli would hold megabytes for each.
pub(super) fn compress_streams() -> CompressionLayer<Worthwhile> {
    CompressionLayer::new().no_br().compress_when(Worthwhile { streams: true })
}
