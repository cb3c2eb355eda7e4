//! Server-sent events (HTML standard, section 9.2): how they are written, and how such a stream is answered.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::Stream;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;

/// The media type of event streams.
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// How often a comment shows that the connection lives (proxies give up after 30 s to 60 s).
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The comment.
pub(super) const ALIVE: Bytes = Bytes::from_static(b": alive\n\n");

/// Whether an event stream is wanted.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    let mut given = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    given.any(|media| media.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case(EVENT_STREAM)))
}

/// Appends an event. `json` must be on one line, as `serde_json` writes it; a `kind` that could break lines is left out.
pub(super) fn write(out: &mut Vec<u8>, id: Option<u64>, kind: &str, json: &str) {
    if let Some(id) = id {
        out.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    if !kind.contains(['\n', '\r', '\0']) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.push(b'\n');
    }
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(json.as_bytes());
    out.extend_from_slice(b"\n\n");
}

/// One event with `data` as JSON.
pub(super) fn event(kind: &str, data: &impl Serialize) -> Bytes {
    let mut out = Vec::new();
    write(&mut out, None, kind, &serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned()));
    out.into()
}

/// Answers with a stream of such chunks. Nothing on the way may keep it or hold it back.
pub(super) fn response(chunks: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    use futures::StreamExt;
    // Fused: compression asks once more after the end.
    let mut response = Response::new(Body::from_stream(chunks.map(Ok::<_, Infallible>).fuse()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}
