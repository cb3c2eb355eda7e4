//! `POST /chat` and `/chat/stream`: a prompt, and the agent's answer, whole or as it comes.
//!
//! Both are one engine ([`talk`]): the prompt is submitted like anybody's, and what the feed says about it makes the
//! answer. A caller who names no `session_id` gets a conversation of its own; earlier `messages` then come before the
//! prompt as a transcript, since only the agent itself can write its history. With a `session_id` the conversation knows
//! what was said, and only the last message counts. A caller who goes away takes the turn along.

mod request;
pub(super) mod talk;

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::domain::event::Status;
use crate::domain::message::Usage;
use crate::server::api::Api;
use crate::server::http::body::Json;
use crate::server::http::chat::request::{ChatRequest, Prompt};
use crate::server::http::chat::talk::{Said, Talk};
use crate::server::http::problem::Problem;
use crate::server::http::sse;
use crate::server::http::table::Route;

/// Pieces of an answer that may wait for a slow client; the talk waits then, and the turn does not.
const PIECES_MAX: usize = 64;

/// Places for chats at once.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Semaphore>);

impl Places {
    /// So many.
    pub(super) fn new(chats_max: usize) -> Self {
        Self(Arc::new(Semaphore::new(chats_max.clamp(1, Semaphore::MAX_PERMITS))))
    }
}

/// The rows of these routes.
pub(super) fn routes() -> Vec<Route> {
    let whole = Route::post("/chat", "chat", "Say something to the agent; the whole answer", whole)
        .takes::<ChatRequest>()
        .answers::<Answer>(StatusCode::OK, "The answer");
    let stream = Route::post("/chat/stream", "chat_stream", "The same, as it comes", streamed).takes::<ChatRequest>().answers_media(
        StatusCode::OK,
        sse::EVENT_STREAM,
        "`delta` {content}, `tool_execution`, `handoff_call`, `approval_event`, `error` {problem}; at last `done` {the answer} or `error`",
    );
    [whole, stream]
        .into_iter()
        .map(|row| {
            row.refuses_bodies()
                .refuses(StatusCode::NOT_FOUND, "There is no such conversation")
                .refuses(StatusCode::CONFLICT, "The conversation does not take it, or somebody stopped the turn")
                .refuses(StatusCode::INTERNAL_SERVER_ERROR, "The log cannot be read or written")
                .refuses(StatusCode::BAD_GATEWAY, "The model failed")
                .refuses(StatusCode::GATEWAY_TIMEOUT, "The answer took too long; the turn was stopped")
        })
        .collect()
}

/// What the agent says.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct Answer {
    /// The message.
    pub(super) message: AnswerMessage,
    /// The tools that ran for it.
    pub(super) tool_calls: Vec<CallMade>,
    /// Tokens of all model calls.
    #[schemars(with = "Map<String, Value>")]
    pub(super) usage: Usage,
    /// The conversation, to go on with.
    pub(super) session_id: String,
    /// The model that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    /// `done`, or `step_limit` where the turn took as many steps as it may.
    pub(super) end: &'static str,
    /// What went wrong on the way, like calls that nobody consented to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    pub(super) errors: Vec<Problem>,
}

/// The message itself.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct AnswerMessage {
    /// Always `assistant`.
    pub(super) role: &'static str,
    /// The text.
    pub(super) content: String,
}

/// A tool that ran.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(super) struct CallMade {
    /// The call.
    pub(super) id: String,
    /// The tool's name on its server.
    pub(super) name: String,
    /// The server.
    pub(super) service_name: String,
    /// The arguments.
    pub(super) arguments: Map<String, Value>,
    /// `success` or `error`.
    #[schemars(with = "String")]
    pub(super) status: Status,
    /// What it gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<Value>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// A running chat; dropped, it is given up.
struct Chat {
    pieces: mpsc::Receiver<Said>,
    _given_up: DropGuard,
}

async fn begin(api: Arc<Api>, places: &Places, request: ChatRequest) -> Result<Chat, Problem> {
    let prompt = Prompt::try_from(request)?;
    let full = || Problem::busy(format!("{} chats are answered already, which is the most; try again later", api.options.chats_max));
    let place = Arc::clone(&places.0).try_acquire_owned().map_err(|_| full())?;
    let talk = Talk::begin(Arc::clone(&api), prompt).await?;
    let (sender, pieces) = mpsc::channel(PIECES_MAX);
    let given_up = CancellationToken::new();
    let token = given_up.clone();
    tokio::spawn(async move {
        talk.run(sender, token).await;
        drop(place);
    });
    Ok(Chat { pieces, _given_up: given_up.drop_guard() })
}

async fn whole(
    State(api): State<Arc<Api>>,
    Extension(places): Extension<Places>,
    Json(request): Json<ChatRequest>,
) -> Result<Response, Problem> {
    let mut chat = begin(api, &places, request).await?;
    while let Some(said) = chat.pieces.recv().await {
        match said {
            Said::Done(answer) => return Ok(axum::Json(*answer).into_response()),
            Said::Failed(problem) => return Err(problem),
            Said::Delta(_) | Said::Event(..) | Said::Trouble(_) => {}
        }
    }
    Err(Problem::ending())
}

async fn streamed(
    State(api): State<Arc<Api>>,
    Extension(places): Extension<Places>,
    Json(request): Json<ChatRequest>,
) -> Result<Response, Problem> {
    let chat = begin(api, &places, request).await?;
    let chunks = stream::unfold(chat, |mut chat| async move {
        let piece = tokio::time::timeout(sse::KEEP_ALIVE, chat.pieces.recv()).await;
        match piece {
            Ok(Some(said)) => Some((written(said), chat)),
            Ok(None) => None,
            Err(_elapsed) => Some((sse::ALIVE, chat)),
        }
    });
    Ok(sse::response(chunks.boxed()))
}

fn written(said: Said) -> Bytes {
    match said {
        Said::Delta(content) => sse::event("delta", &json!({ "content": content })),
        Said::Event(kind, data) => sse::event(kind, &data),
        Said::Trouble(problem) | Said::Failed(problem) => sse::event("error", &problem),
        Said::Done(answer) => sse::event("done", &*answer),
    }
}
