//! `POST /process_background_feedback` and `/event_callback`: event feedback of other programs.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::clock::Instant;
use crate::domain::firing::Feedback;
use crate::server::api::Api;
use crate::server::http::body::Json;
use crate::server::http::problem::{FieldError, Problem};
use crate::server::http::table::Route;

/// The longest name of a task or a type, in characters.
const NAME_CHARS_MAX: usize = 200;

/// The longest key, in characters.
const KEY_CHARS_MAX: usize = 255;

/// The rows of these routes.
pub(super) fn routes() -> Vec<Route> {
    let rows = [
        Route::post(
            "/process_background_feedback",
            "process_background_feedback",
            "Take event feedback for the agent to decide about",
            take,
        ),
        Route::post("/event_callback", "event_callback", "The same as `/process_background_feedback`", take),
    ];
    rows.into_iter()
        .map(|row| {
            row.in_header::<String>("idempotency-key", "The same key again is the same feedback; the body's digest where absent")
                .takes::<FeedbackRequest>()
                .answers::<Taken>(StatusCode::OK, "It is on disk, and waits for the agent's decision")
                .refuses_bodies()
                .refuses(StatusCode::INTERNAL_SERVER_ERROR, "It could not be stored")
        })
        .collect()
}

/// Event feedback.
#[derive(Deserialize, JsonSchema)]
struct FeedbackRequest {
    /// The task it comes from, in the sender's words.
    #[schemars(length(min = 1, max = 200))]
    task_id: String,
    /// `web_content_change`, `scheduled_trigger`, `daily_news_digest`, `threshold_reached`, or the sender's own.
    #[schemars(length(min = 1, max = 200))]
    event_type: String,
    /// The particulars.
    #[serde(default)]
    data: Map<String, Value>,
    /// When it was found, in RFC 3339.
    #[schemars(with = "String", extend("format" = "date-time"))]
    timestamp: Instant,
    /// 1 (low) to 5 (urgent).
    #[serde(default = "normal")]
    #[schemars(range(min = 1, max = 5))]
    priority: u8,
    /// Whether the agent is to decide about it.
    #[serde(default = "yes")]
    requires_processing: bool,
}

const fn normal() -> u8 {
    3
}

const fn yes() -> bool {
    true
}

/// How feedback stands.
#[derive(Serialize, JsonSchema)]
struct Taken {
    /// Always `queued`: it is on disk; `/events` tells of the decision. (`processed` and `failed` are words of the format
    /// that this program has no use for: a decision takes its time, and a failure is a problem.)
    status: &'static str,
    /// Its id; the same for a repeat.
    event_id: String,
    /// The same in words.
    message: &'static str,
}

impl FeedbackRequest {
    /// # Errors
    /// 422 that names each wrong field.
    fn checked(self) -> Result<Feedback, Problem> {
        let mut wrong = Vec::new();
        for (pointer, name) in [("/task_id", &self.task_id), ("/event_type", &self.event_type)] {
            if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX {
                wrong.push(FieldError { pointer: pointer.to_owned(), detail: format!("give 1 to {NAME_CHARS_MAX} characters") });
            }
        }
        if !(1..=5).contains(&self.priority) {
            let detail = format!("{} is no priority; give 1 (low) to 5 (urgent)", self.priority);
            wrong.push(FieldError { pointer: "/priority".to_owned(), detail });
        }
        if !wrong.is_empty() {
            return Err(Problem::fields(wrong));
        }
        let Self { task_id, event_type, data, timestamp, priority, requires_processing } = self;
        Ok(Feedback { task_id, event_type, data, timestamp, priority, requires_processing })
    }
}

/// The key that the sender chose.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(given) = headers.get("idempotency-key") else { return Ok(None) };
    let wrong = || Problem::bad_request(format!("`Idempotency-Key`: give 1 to {KEY_CHARS_MAX} visible ASCII characters, or leave it out"));
    let key = given.to_str().map_err(|_| wrong())?.trim();
    if key.is_empty() || key.len() > KEY_CHARS_MAX { Err(wrong()) } else { Ok(Some(key.to_owned())) }
}

async fn take(State(api): State<Arc<Api>>, headers: HeaderMap, Json(request): Json<FeedbackRequest>) -> Result<Response, Problem> {
    let taken = api.feedback.take(request.checked()?, key(&headers)?).await?;
    let message = if taken.repeated { "it was taken before" } else { "it waits for the agent's decision" };
    Ok(axum::Json(Taken { status: "queued", event_id: taken.event_id, message }).into_response())
}
