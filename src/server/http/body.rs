//! Reads bodies: bounded in size and time, JSON with an error that says where.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::server::api::Api;
use crate::server::http::problem::Problem;
use crate::server::options::Options;

/// A JSON body that has the shape of `T`. Unknown fields are ignored.
///
/// # Errors
/// 400 for what is no JSON (line and column), 408, 413, 415 for another media type, 422 for a missing or wrong field.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Api>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Self, Problem> {
        require_json(request.headers())?;
        shaped(parsed(&whole(request, &api.options).await?)?).map(Self)
    }
}

/// The whole body.
///
/// # Errors
/// 413 where it is longer than it may be, 408 where it takes too long, 400 where it breaks off.
pub(super) async fn whole(request: Request, options: &Options) -> Result<Bytes, Problem> {
    let limit = options.body_bytes_max;
    let too_long = || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body may have {limit} bytes at most; send less at a time"));
    let told = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if told.is_some_and(|told| told > limit as u64) {
        return Err(too_long());
    }
    let wait = Duration::from_secs(options.read_seconds);
    let slow = || Problem::new(StatusCode::REQUEST_TIMEOUT, format!("the body did not come within {} s", options.read_seconds));
    let collected = tokio::time::timeout(wait, Limited::new(request.into_body(), limit).collect()).await.map_err(|_| slow())?;
    match collected {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(too_long()),
        Err(_) => Err(Problem::bad_request("the body broke off; send all of it")),
    }
}

/// Refuses what is not said to be JSON: a web page of somebody else cannot send that unasked.
pub(super) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let media = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json")) {
        return Ok(());
    }
    let given = if essence.is_empty() { "no media type was".to_owned() } else { format!("`{essence}` was") };
    let detail = format!("{given} given; send JSON with `Content-Type: application/json`");
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
}

/// The JSON in `body`.
pub(super) fn parsed(body: &[u8]) -> Result<Value, Problem> {
    if body.is_empty() {
        return Err(Problem::bad_request("the body is empty; send a JSON value"));
    }
    serde_json::from_slice(body).map_err(|error| {
        let what = error.to_string();
        let what = what.split(" at line ").next().unwrap_or(&what);
        Problem::bad_request(format!("the body is no JSON: {what} (line {}, column {})", error.line(), error.column()))
    })
}

/// `value` as a `T`.
///
/// # Errors
/// 422 that names the field.
pub(super) fn shaped<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let mut pointer = pointer(error.path());
        let detail = error.inner().to_string();
        // A missing field is reported at the object that lacks it.
        if let Some(name) = detail.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
            pointer.push('/');
            pointer.push_str(&escaped(name));
        }
        Problem::field(pointer, detail)
    })
}

/// The path as a JSON pointer (RFC 6901); that of the whole body is empty.
fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut out = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => out.push_str(&format!("/{index}")),
            Segment::Map { key } => out.push_str(&format!("/{}", escaped(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    out
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
