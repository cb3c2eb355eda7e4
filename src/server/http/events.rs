//! `GET /events`: the log newest first, or live as an event stream.

mod live;

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::event::Event;
use crate::domain::ids::{Seq, SessionId};
use crate::domain::query::EventFilter;
use crate::server::api::Api;
use crate::server::http::params::{Params, Segment};
use crate::server::http::problem::Problem;
use crate::server::http::sse;
use crate::server::http::table::Route;

/// Events of an answer where nobody says otherwise.
const LIMIT: usize = 100;

/// Events of an answer at most.
const LIMIT_MAX: usize = 1_000;

/// The rows of these routes.
pub(super) fn routes() -> Vec<Route> {
    vec![
        row("/events", "events", "Events of the log, newest first; live where `Accept` asks for an event stream", list)
            .in_query::<String>("type", "Only these types, with commas or several times"),
        row("/events/recent", "events_recent", "The same as `/events`", list)
            .in_query::<String>("type", "Only these types, with commas or several times"),
        row("/events/{event_type}", "events_of_type", "The same, of one type", of_type).in_path::<String>("event_type", "The type"),
    ]
}

fn row<H, T>(path: &'static str, operation: &'static str, summary: &'static str, handler: H) -> Route
where
    H: axum::handler::Handler<T, Arc<Api>>,
    T: 'static,
{
    Route::get(path, operation, summary, handler)
        .in_query::<Limit>("limit", "At most so many; default 100")
        .in_query::<u64>("since", "Only events after this position; as a stream: replay from there, then go on live")
        .in_query::<u64>("before", "Only events before this position: the next page; not for streams")
        .in_query::<String>("epoch", "The log that `since` is a position of; of another log it counts as 0")
        .in_query::<String>("session", "Only events of this conversation")
        .in_header::<String>("last-event-id", "For streams: like `since`, and stronger")
        .answers::<Events>(StatusCode::OK, "The events")
        .or_media(sse::EVENT_STREAM)
        .refuses(StatusCode::BAD_REQUEST, "A parameter is wrong; `errors` names it")
        .refuses(StatusCode::INTERNAL_SERVER_ERROR, "The log cannot be read")
}

/// A number of events.
#[derive(JsonSchema)]
#[schemars(transparent, inline)]
struct Limit(
    #[schemars(range(min = 1, max = 1000))]
    #[expect(dead_code, reason = "only its shape is wanted")]
    u16,
);

/// Events, newest first.
#[derive(Serialize, JsonSchema)]
#[expect(clippy::struct_field_names, reason = "the wire's name")]
struct Events {
    /// How many are in this answer.
    total: usize,
    /// The id of the log; a `seq` is only good with it.
    epoch: String,
    /// The events.
    #[schemars(with = "Vec<Envelope>")]
    events: Vec<Arc<Event>>,
}

/// One event.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its shape is wanted: events write themselves")]
struct Envelope {
    /// What happened.
    r#type: String,
    /// The particulars, by type.
    data: Value,
    /// When, in RFC 3339.
    timestamp: String,
    /// Its position in the log.
    seq: Option<u64>,
    /// Unique for ever.
    id: String,
    /// The conversation it belongs to.
    session: Option<String>,
    #[schemars(flatten)]
    more: Map<String, Value>,
}

/// Which events are wanted, of the log or live.
#[derive(Debug, Clone, Default)]
struct Wanted {
    types: Vec<String>,
    session: Option<SessionId>,
    since: Option<Seq>,
}

impl Wanted {
    /// As the request says.
    fn of(params: &Params, headers: &HeaderMap, epoch: &str) -> Result<Self, Problem> {
        let resumed = headers.get("last-event-id").map(|id| {
            let id = id.to_str().unwrap_or_default().trim();
            let wrong = || Problem::bad_request("`Last-Event-ID` is no position in the log; send the last `id` of the stream, or none");
            id.parse().map(Seq).map_err(|_| wrong())
        });
        let since = match resumed.transpose()? {
            Some(last) => Some(last),
            None => params.seq("since")?,
        };
        let other_log = params.text("epoch").is_some_and(|given| given != epoch);
        Ok(Self {
            types: params.list("type").into_iter().chain(params.list("types")).collect(),
            session: params.text("session").map(SessionId::new),
            since: since.map(|since| if other_log { Seq(0) } else { since }),
        })
    }

    fn filter(&self) -> EventFilter {
        EventFilter { types: self.types.clone(), session: self.session.clone(), after: self.since, ..EventFilter::default() }
    }
}

async fn list(State(api): State<Arc<Api>>, headers: HeaderMap, params: Params) -> Result<Response, Problem> {
    let wanted = Wanted::of(&params, &headers, api.hub.epoch())?;
    answer(api, &headers, &params, wanted).await
}

async fn of_type(State(api): State<Arc<Api>>, headers: HeaderMap, Segment(kind): Segment, params: Params) -> Result<Response, Problem> {
    let wanted = Wanted { types: vec![kind], ..Wanted::of(&params, &headers, api.hub.epoch())? };
    answer(api, &headers, &params, wanted).await
}

async fn answer(api: Arc<Api>, headers: &HeaderMap, params: &Params, wanted: Wanted) -> Result<Response, Problem> {
    if sse::is_wanted(headers) {
        return live::stream(api, wanted).await;
    }
    let limit = params.count("limit", LIMIT, LIMIT_MAX)?;
    let upto = match params.seq("before")? {
        // Nothing comes before the first.
        Some(Seq(0 | 1)) => return Ok(events(&api, Vec::new())),
        before => before.map(|before| Seq(before.0 - 1)),
    };
    let filter = EventFilter { upto, limit: Some(limit), newest: true, ..wanted.filter() };
    let mut found = api.queries.events(filter).await?;
    found.reverse();
    Ok(events(&api, found))
}

fn events(api: &Api, events: Vec<Arc<Event>>) -> Response {
    axum::Json(Events { total: events.len(), epoch: api.hub.epoch().to_owned(), events }).into_response()
}
