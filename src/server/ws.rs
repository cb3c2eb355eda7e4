//! The WebSocket `/ws/mcplog`.
//!
//! One task for each client: it reads up to [`BATCH`](crate::server::reader::BATCH) frames, feeds them and flushes once.
//! A client that takes nothing is closed after a while; until then it keeps nobody waiting, for nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::any;
use futures::future::BoxFuture;
use futures::{FutureExt, SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until, timeout};

use crate::domain::ids::Seq;
use crate::domain::query::EventFilter;
use crate::server::Entrant;
use crate::server::api::Api;
use crate::server::frame::{ClientClass, Frame};
use crate::server::peers::Peer;
use crate::server::reader::{Next, Reader, Reading};

/// What a socket reads into, in bytes. The default of the crate, 128 KiB, is for few clients that send much.
const READ_BYTES: usize = 4 * 1_024;

/// What a socket collects before it writes, in bytes.
const WRITE_BYTES: usize = 16 * 1_024;

/// The most that may wait in a socket: a frame that is larger still goes out, alone.
const WRITE_BYTES_MAX: usize = 64 * 1_024 * 1_024;

/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Too many clients (IANA WebSocket Close Code Number Registry: Try Again Later).
const TRY_AGAIN: u16 = 1013;

/// Counts what clients send that is no message.
pub static IGNORED: AtomicU64 = AtomicU64::new(0);

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
struct Wanted {
    client_type: Option<String>,
    types: Option<String>,
    since: Option<String>,
    epoch: Option<String>,
}

/// The routes.
pub(super) fn routes() -> Router<Arc<Api>> {
    Router::new()
        .route("/ws/mcplog", any(feed))
        .route("/ws/mcplog/{*rest}", any(log_feed))
        .route("/ws/distributed-server", any(peer_feed))
        .route("/ws/distributed-server/{*rest}", any(peer_feed))
}

async fn feed(State(api): State<Arc<Api>>, Query(wanted): Query<Wanted>, entrant: Entrant, upgrade: WebSocketUpgrade) -> Response {
    let class = match wanted.client_type.as_deref() {
        None | Some("") => Ok(ClientClass::MCPLog),
        Some(name) => ClientClass::named(name).ok_or("client_type is one of MCPLog, MCPClient, DistributedServer"),
    };
    open(api, class, wanted, entrant, upgrade)
}

async fn log_feed(State(api): State<Arc<Api>>, Query(wanted): Query<Wanted>, entrant: Entrant, upgrade: WebSocketUpgrade) -> Response {
    open(api, Ok(ClientClass::MCPLog), wanted, entrant, upgrade)
}

async fn peer_feed(State(api): State<Arc<Api>>, Query(wanted): Query<Wanted>, entrant: Entrant, upgrade: WebSocketUpgrade) -> Response {
    open(api, Ok(ClientClass::DistributedServer), wanted, entrant, upgrade)
}

fn open(api: Arc<Api>, class: Result<ClientClass, &'static str>, wanted: Wanted, entrant: Entrant, upgrade: WebSocketUpgrade) -> Response {
    let upgrade = tuned(upgrade, api.options.message_bytes_max);
    let counted = api.tasks_of_clients.token();
    upgrade.on_upgrade(move |socket| async move {
        // Boxed: the room is the client's only for as long as it is there.
        Box::pin(serve(socket, api, class, wanted, entrant)).await;
        drop(counted);
    })
}

/// A socket with small buffers, for many clients; a message in may have so many bytes.
pub fn tuned(upgrade: WebSocketUpgrade, message_bytes_max: usize) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(WRITE_BYTES)
        .max_write_buffer_size(WRITE_BYTES_MAX)
        .max_message_size(message_bytes_max)
        .max_frame_size(message_bytes_max)
}

async fn serve(socket: WebSocket, api: Arc<Api>, class: Result<ClientClass, &'static str>, wanted: Wanted, entrant: Entrant) {
    let class = match (entrant, class) {
        (Entrant::Refused(words), _) | (_, Err(words)) => return close(socket, close_code::POLICY, words).await,
        (Entrant::Welcome { has_token: false }, Ok(ClientClass::DistributedServer)) => {
            return close(socket, close_code::POLICY, "who lends tools needs a token: set [server] token").await;
        }
        (Entrant::Welcome { .. }, Ok(class)) => class,
    };
    let Some(place) = api.hub.enter() else { return close(socket, TRY_AGAIN, "too many clients: try again later").await };
    let client = uuid::Uuid::now_v7().to_string();
    let since = match since(&api, &wanted).boxed().await {
        Ok(since) => since,
        Err(words) => return close(socket, close_code::POLICY, &words).await,
    };
    let types = wanted.types.iter().flat_map(|types| types.split(',')).map(str::trim).filter(|kind| !kind.is_empty());
    let reading = Reading { class, client: client.clone(), types: types.map(str::to_owned).collect() };
    let reader = Reader::new(&api.hub, Arc::clone(&api.queries), reading, since.position);
    let greeting = ack(&api, class, &client, since.words, since.position, 0);
    let peer = (class == ClientClass::DistributedServer).then(|| api.peers.join(&client));
    Client { api, socket, reader, class, id: client, peer, batch: Vec::new() }.run(greeting).await;
    drop(place);
}

/// Where a client wants to begin.
struct Since {
    position: Option<Seq>,
    words: &'static str,
}

async fn since(api: &Api, wanted: &Wanted) -> Result<Since, String> {
    let Some(text) = wanted.since.as_deref().filter(|text| !text.is_empty()) else {
        return Ok(Since { position: None, words: "connected" });
    };
    let position: u64 = text.parse().map_err(|_| "since is a number: the seq of the last event that was seen".to_owned())?;
    if wanted.epoch.as_ref().is_some_and(|epoch| epoch != api.hub.epoch()) {
        return Ok(Since {
            position: Some(Seq(0)),
            words: "connected; this is another log than the one of that epoch: it is replayed from its start",
        });
    }
    let newest = EventFilter { limit: Some(1), newest: true, ..EventFilter::default() };
    let head = api.queries.events(newest).await.map_err(|error| error.to_string())?;
    let head = head.last().and_then(|event| event.seq).unwrap_or(Seq(0));
    if position > head.0 {
        return Ok(Since { position: Some(head), words: "connected; the log is not that long: only what comes from now on" });
    }
    Ok(Since { position: Some(Seq(position)), words: "connected; replaying" })
}

/// The first frame, and the word that frames were lost.
fn ack(api: &Api, class: ClientClass, client: &str, message: &str, position: Option<Seq>, dropped: u64) -> Utf8Bytes {
    let data = json!({"client_type": class.as_str(), "epoch": api.hub.epoch(), "resume_from": position, "dropped": dropped});
    let frame = json!({"type": "connection_ack", "message": message, "client_id": client, "data": data, "timestamp": api.clock.now()});
    frame.to_string().into()
}

fn close(socket: WebSocket, code: u16, reason: &str) -> BoxFuture<'_, ()> {
    // On the heap: it is the end, and the room for it is not the client's for as long as it is there.
    goodbye(socket, code, reason).boxed()
}

async fn goodbye(mut socket: WebSocket, code: u16, reason: &str) {
    let frame = CloseFrame { code, reason: reason.into() };
    let goodbye = async {
        socket.send(Message::Close(Some(frame))).await?;
        // The other side's own goodbye ends the connection in order.
        while let Some(Ok(_)) = socket.recv().await {}
        Ok::<_, axum::Error>(())
    };
    let _ = timeout(GOODBYE, goodbye).await;
}

/// Lets the answer to a goodbye go out: the socket gives it when it is read on (RFC 6455, section 5.5.1).
async fn answered(mut socket: WebSocket) {
    let rest = async { while let Some(Ok(_)) = socket.recv().await {} };
    let _ = timeout(GOODBYE, rest).await;
}

/// Why the loop of a client ends.
enum End {
    /// It is gone.
    Gone,
    /// It says goodbye.
    Leaving,
    /// It is closed with this code and reason.
    Close(u16, String),
}

struct Client {
    api: Arc<Api>,
    socket: WebSocket,
    reader: Reader,
    class: ClientClass,
    id: String,
    peer: Option<Peer>,
    batch: Vec<Arc<Frame>>,
}

impl Client {
    async fn run(mut self, greeting: Utf8Bytes) {
        let end = match self.send([greeting]).await {
            Ok(()) => self.talk().await,
            Err(end) => end,
        };
        drop(self.peer.take());
        match end {
            End::Gone => {}
            End::Leaving => answered(self.socket).boxed().await,
            End::Close(code, reason) => close(self.socket, code, &reason).await,
        }
    }

    async fn talk(&mut self) -> End {
        let (ping_every, silence_max) = (seconds(self.api.options.ping_seconds), seconds(self.api.options.silence_seconds));
        let mut heard = Instant::now();
        let mut ping_at = heard + ping_every;
        // One timer for as long as the client is there: to set one costs more than to send a frame.
        let mut timer = std::pin::pin!(sleep_until(ping_at.min(heard + silence_max)));
        loop {
            let step = tokio::select! {
                biased;
                next = self.reader.next(&mut self.batch) => match next {
                    Ok(next) => self.hand_out(next).await,
                    Err(error) => Err(End::Close(close_code::ERROR, error.to_string())),
                },
                message = self.socket.next() => {
                    heard = Instant::now();
                    // On the heap, and only for as long as it lasts: most clients say nothing.
                    Box::pin(self.hear(message)).await
                }
                order = order(&mut self.peer) => self.send([order]).await,
                () = timer.as_mut() => {
                    if heard.elapsed() >= silence_max {
                        return End::Close(close_code::POLICY, "no sign of life".to_owned());
                    }
                    let mut pinged = Ok(());
                    if ping_at <= Instant::now() {
                        ping_at = Instant::now() + ping_every;
                        pinged = self.write(Message::Ping(bytes::Bytes::new())).await;
                    }
                    timer.as_mut().reset(ping_at.min(heard + silence_max));
                    pinged
                }
            };
            if let Err(end) = step {
                return end;
            }
            // Who is flooded is heard all the same.
            if let Some(message) = self.socket.next().now_or_never() {
                heard = Instant::now();
                if let Err(end) = Box::pin(self.hear(message)).await {
                    return end;
                }
            }
        }
    }

    /// Hands out what the reader brought.
    async fn hand_out(&mut self, next: Next) -> Result<(), End> {
        if let Next::Dropped(count) = next {
            let words = "frames were lost: this client is too slow; it may come back with since";
            let lost = ack(&self.api, self.class, &self.id, words, self.reader.position(), count);
            self.send([lost]).await?;
        }
        let mut batch = std::mem::take(&mut self.batch);
        let sent = self.send(batch.drain(..).map(|frame| frame.json.clone())).await;
        self.batch = batch;
        match next {
            Next::End => Err(End::Close(close_code::AWAY, "the feed has ended".to_owned())),
            Next::Frames | Next::Dropped(_) => sent,
        }
    }

    /// Feeds texts and flushes once.
    async fn send(&mut self, texts: impl IntoIterator<Item = Utf8Bytes>) -> Result<(), End> {
        let socket = &mut self.socket;
        let sending = async {
            let mut any = false;
            for text in texts {
                socket.feed(Message::Text(text)).await?;
                any = true;
            }
            if any { socket.flush().await } else { Ok(()) }
        };
        in_time(&self.api, sending).await
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        in_time(&self.api, self.socket.send(message)).await
    }

    async fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Binary(_))) => {
                IGNORED.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Err(error)) if is_too_big(&error) => {
                let reason = format!("a message may have {} bytes", self.api.options.message_bytes_max);
                return Err(End::Close(close_code::SIZE, reason));
            }
            Some(Ok(Message::Close(_))) => return Err(End::Leaving),
            Some(Err(_)) | None => return Err(End::Gone),
        };
        let Ok(mut message) = serde_json::from_str::<Map<String, Value>>(&text) else {
            IGNORED.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        };
        let kind = message.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let data = message.remove("data").unwrap_or_default();
        let answer = match (kind.as_str(), &self.peer) {
            ("heartbeat", _) => Some(json!({"type": "heartbeat_ack", "data": {}, "timestamp": self.api.clock.now()})),
            ("register_tools", Some(peer)) => Some(peer.register(data, self.api.clock.now()).await),
            ("tool_result", Some(peer)) => {
                if !peer.answered(data) {
                    IGNORED.fetch_add(1, Ordering::Relaxed);
                }
                None
            }
            _ => {
                IGNORED.fetch_add(1, Ordering::Relaxed);
                None
            }
        };
        match answer {
            Some(answer) => self.send([answer.to_string().into()]).await,
            None => Ok(()),
        }
    }
}

/// Writes within the time in which a sign of life is due: who takes nothing for that long is gone.
async fn in_time(api: &Api, writing: impl Future<Output = Result<(), axum::Error>>) -> Result<(), End> {
    let mut writing = std::pin::pin!(writing);
    // Nearly always it is done at once, without a timer.
    if let std::task::Poll::Ready(written) = futures::poll!(writing.as_mut()) {
        return written.map_err(|_| End::Gone);
    }
    let in_time = async {
        tokio::select! {
            written = timeout(seconds(api.options.silence_seconds), writing) => match written {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) | Err(_) => Err(End::Gone),
            },
            () = api.stop.cancelled() => Err(End::Gone),
        }
    };
    Box::pin(in_time).await
}

/// What a peer is asked to do.
async fn order(peer: &mut Option<Peer>) -> Utf8Bytes {
    match peer {
        Some(peer) => peer.order().await,
        None => std::future::pending().await,
    }
}

fn is_too_big(error: &axum::Error) -> bool {
    use std::error::Error;
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("too long") || error.to_string().contains("too big") {
            return true;
        }
        cause = error.source();
    }
    false
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds.max(1))
}
