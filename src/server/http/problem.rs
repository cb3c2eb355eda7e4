//! Errors as RFC 9457 has them: `application/problem+json`, one sentence that says what is wrong, where and what to try.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

use crate::bus::{InboxError, RecordError};
use crate::domain::query::QueryError;
use crate::net::door;
use crate::server::api::IntakeError;

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// After so many seconds a full queue is worth another try.
const RETRY_SECONDS: u16 = 5;

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FieldError {
    /// Which: a JSON pointer into the body, or `?name` for a parameter of the query.
    pub pointer: String,
    /// What is wrong with it.
    pub detail: String,
}

/// An answer that is none: what is wrong, where, what to try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// Always `about:blank`: the status says what kind it is (RFC 9457, section 4.2.1).
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What is wrong, and what to try.
    detail: Box<str>,
    /// This very request: its path and its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<Box<str>>,
    /// The wrong fields, with status 422 and some 400s.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    errors: Vec<FieldError>,
    #[serde(skip)]
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem of that status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into().into(),
            instance: None,
            errors: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 403: it may not be done here.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409: it does not stand so that this can be done.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// 422: fields that are wrong; at least one.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] if one.pointer.is_empty() => one.detail.clone(),
            [one] => format!("`{}`: {}", one.pointer, one.detail),
            many => {
                format!("{} fields are wrong: {}", many.len(), many.iter().map(|one| one.pointer.as_str()).collect::<Vec<_>>().join(", "))
            }
        };
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    }

    /// 422: one field is wrong.
    pub fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldError { pointer: pointer.into(), detail: detail.into() }])
    }

    /// 400: a parameter of the query is wrong.
    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let error = FieldError { pointer: format!("?{name}"), detail: detail.into() };
        Self { errors: vec![error.clone()], ..Self::bad_request(format!("`{name}` in the query: {}", error.detail)) }
    }

    /// 500: the program could not do it. `detail` is one sentence with the causes, without secrets.
    pub fn failed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// 503: too much at once; try again after some seconds.
    pub fn busy(detail: impl Into<String>) -> Self {
        let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        problem.headers.push((RETRY_AFTER, HeaderValue::from(RETRY_SECONDS)));
        problem
    }

    /// 503: the program is ending.
    pub fn ending() -> Self {
        Self::busy("the program is shutting down; connect again when it is back")
    }

    /// The same with a header.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same, of the request `instance`.
    pub fn at(mut self, instance: String) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// It as JSON.
    pub fn body(&self) -> Body {
        Body::from(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What is wrong, and what to try.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Self {
        Self::failed(error.0)
    }
}

impl From<RecordError> for Problem {
    fn from(error: RecordError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<InboxError> for Problem {
    fn from(error: InboxError) -> Self {
        match error {
            InboxError::Full => Self::busy(error.to_string()),
            InboxError::Closed => Self::ending(),
        }
    }
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Wrong { pointer, message } => Self::field(pointer, message),
            IntakeError::Full => Self::busy(error.to_string()),
            IntakeError::Failed(reason) => Self::failed(reason),
            IntakeError::Denied(reason) => Self::new(StatusCode::UNAUTHORIZED, reason).with_header(WWW_AUTHENTICATE, door::CHALLENGE),
            IntakeError::NotYours(reason) => Self::forbidden(reason),
            IntakeError::Crowded => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, error.to_string()).with_header(RETRY_AFTER, HeaderValue::from_static("1"))
            }
            IntakeError::TooLarge(reason) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, reason),
            IntakeError::Away(reason) => Self::busy(reason),
        }
    }
}

impl IntoResponse for Problem {
    /// The problem itself stays with the answer as an extension, so that the request's id can be put into it.
    fn into_response(self) -> Response {
        let mut response = Response::new(self.body());
        *response.status_mut() = self.status();
        response.headers_mut().extend(self.headers.iter().cloned());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        response.extensions_mut().insert(self);
        response
    }
}
