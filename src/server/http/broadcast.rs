//! `POST /api/v2/broadcast`: events of other programs for those who read the feed.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::event::{Custom, Event, EventBody, NewEvent};
use crate::domain::ids::{EventId, Seq};
use crate::server::api::Api;
use crate::server::frame::{ClientClass, Frame, Target};
use crate::server::http::body::Json;
use crate::server::http::problem::{FieldError, Problem};
use crate::server::http::table::Route;

/// The longest name of a type, in characters.
const TYPE_CHARS_MAX: usize = 64;

/// Types that the feed itself speaks in, beside those of events.
const SPOKEN: [&str; 11] = [
    "connection_ack",
    "dropped",
    "register_tools",
    "register_tools_ack",
    "execute_tool",
    "tool_result",
    "heartbeat",
    "heartbeat_ack",
    "message",
    "open",
    "done",
];

/// The rows of these routes.
pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::post("/api/v2/broadcast", "broadcast", "Send an event of your own type to those who read the feed", broadcast)
            .takes::<Broadcast>()
            .answers::<Sent>(StatusCode::OK, "It is in the log, or went to the clients it is for")
            .refuses(StatusCode::FORBIDDEN, "No token is configured")
            .refuses(StatusCode::INTERNAL_SERVER_ERROR, "The log cannot be written")
            .refuses_bodies(),
    ]
}

/// An event to be sent.
#[derive(Deserialize, JsonSchema)]
struct Broadcast {
    /// Its type: `[a-z0-9_.-]{1,64}`, and none of our own.
    #[schemars(regex(pattern = r"^[a-z0-9_.-]{1,64}$"))]
    r#type: String,
    /// What it says.
    #[serde(default)]
    data: Value,
    /// Only for clients of this class: `MCPLog`, `MCPClient` or `DistributedServer`. Not stored then.
    #[serde(default)]
    target_type: Option<String>,
    /// Only for this client. Not stored then.
    #[serde(default)]
    client_id: Option<String>,
}

/// It was sent.
#[derive(Serialize, JsonSchema)]
struct Sent {
    /// Always `accepted`.
    status: &'static str,
    /// The event's id.
    id: String,
    /// Its position in the log, where it is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
}

impl Broadcast {
    /// # Errors
    /// 422 that names each wrong field.
    fn checked(self) -> Result<(Custom, Target), Problem> {
        let mut wrong = Vec::new();
        let mut refuse = |pointer: &str, detail: String| wrong.push(FieldError { pointer: pointer.to_owned(), detail });
        let fits = |ch: u8| ch.is_ascii_lowercase() || ch.is_ascii_digit() || b"_.-".contains(&ch);
        if !(1..=TYPE_CHARS_MAX).contains(&self.r#type.len()) || !self.r#type.bytes().all(fits) {
            refuse("/type", format!("give 1 to {TYPE_CHARS_MAX} of the characters a-z, 0-9, `_`, `.` and `-`"));
        } else if EventBody::TYPES.contains(&&*self.r#type) || SPOKEN.contains(&&*self.r#type) {
            refuse("/type", format!("`{}` is a type of wakeful's own, which nobody else may send; choose another", self.r#type));
        }
        let class = self.target_type.as_deref().map(|name| ClientClass::named(name).ok_or(name));
        let target = match (class, self.client_id) {
            (None, None) => Target::All,
            (Some(Ok(class)), None) => Target::Class(class),
            (None, Some(client)) => Target::Client(client),
            (Some(Err(name)), _) => {
                let known = ClientClass::ALL.map(ClientClass::as_str).join(", ");
                refuse("/target_type", format!("`{}` is no class of clients; there are {known}", crate::domain::text::clean_line(name)));
                Target::All
            }
            (Some(Ok(_)), Some(_)) => {
                refuse("/client_id", "give `target_type` or `client_id`, not both".to_owned());
                Target::All
            }
        };
        if wrong.is_empty() { Ok((Custom { type_name: self.r#type, data: self.data }, target)) } else { Err(Problem::fields(wrong)) }
    }
}

async fn broadcast(State(api): State<Arc<Api>>, Json(request): Json<Broadcast>) -> Result<Response, Problem> {
    if api.options.token.is_none() {
        let detail = "broadcasts need a token: set `[server] token` or `token_env`, and show it as `Authorization: Bearer`";
        return Err(Problem::forbidden(detail));
    }
    let (custom, target) = request.checked()?;
    let sent = match target {
        Target::All => {
            let events = api.recorder.record(vec![NewEvent::system(EventBody::Custom(custom))]).await?;
            let event = events.into_iter().next().ok_or_else(|| Problem::failed("the event was not stored"))?;
            Sent { status: "accepted", id: event.id.to_string(), seq: event.seq.map(|Seq(seq)| seq) }
        }
        target => {
            let event = Event { seq: None, id: EventId::generate(), at: api.clock.now(), session: None, body: EventBody::Custom(custom) };
            let frame = Frame::of(&event).ok_or_else(|| Problem::failed("the event could not be written as JSON"))?;
            api.hub.publish(Frame { target, ..frame });
            Sent { status: "accepted", id: event.id.to_string(), seq: None }
        }
    };
    Ok(axum::Json(sent).into_response())
}
