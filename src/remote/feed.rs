//! Follows the feed of a program elsewhere: connects, reads, connects again, for ever.
//!
//! The position of the last stored event that was handed on is kept, and the next connection resumes there: nothing is
//! missed and nothing comes twice. What is not stored (streamed tokens, progress) is lost while there is no connection.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use http::StatusCode;
use http::header::AUTHORIZATION;
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant as Moment, sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use tokio_util::sync::CancellationToken;

use crate::bus::EventBus;
use crate::domain::clock::Clock;
use crate::domain::event::{ErrorEvent, Event, EventBody};
use crate::domain::ids::{EventId, Seq, SessionId};
use crate::domain::remote::{ATTACH, Line, LineState, Status};
use crate::net::stream::{Connector, Stream};
use crate::remote::STATUS_ROUTE;
use crate::remote::frame::{self, Ack, Frame};
use crate::remote::http::{self as api, Api};
use crate::remote::pace::{Pace, STEADY};

/// The longest frame: 64 MiB; a stored event can hold a long result.
const FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The longest wait for a connection, its handshake, the acknowledgement, or an answer.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// After so long without a byte the connection is dead: the server pings every 20 s by default.
const SILENCE_MAX: Duration = Duration::from_secs(90);

/// The route of the feed.
const FEED_ROUTE: &str = "/ws/mcplog";

/// Where in which log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The log.
    pub epoch: String,
    /// The last event that is known.
    pub seq: Seq,
}

/// To whom events are handed.
pub(super) enum Outlet {
    /// To all readers of a bus; slow ones lose events.
    Bus(EventBus),
    /// To one reader, who is waited for.
    Reader(mpsc::Sender<Arc<Event>>),
}

impl Outlet {
    /// Hands an event on; false where nobody reads any more.
    async fn hand(&self, event: Arc<Event>) -> bool {
        match self {
            Self::Bus(bus) => {
                bus.publish(event);
                true
            }
            Self::Reader(reader) => reader.send(event).await.is_ok(),
        }
    }
}

/// Why a connection ended.
enum End {
    /// It is lost, or could not be made.
    Lost(String),
    /// We are not let in.
    Refused(String),
    /// So many frames were lost on the way: they are read again.
    Behind(u64),
    /// There is another log now.
    OtherLog,
    /// Nobody reads any more.
    ReaderGone,
}

impl From<api::Error> for End {
    fn from(error: api::Error) -> Self {
        match error {
            api::Error::Refused(reason) => Self::Refused(reason),
            error => Self::Lost(error.to_string()),
        }
    }
}

/// Follows the feed.
pub(super) struct Feed {
    pub(super) api: Api,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) out: Outlet,
    pub(super) line: watch::Sender<Line>,
    pub(super) status: watch::Sender<Option<Status>>,
    /// Where to go on; where absent, with what happens from the connection on.
    pub(super) position: Option<Position>,
    connector: Connector,
    pace: Pace,
    /// The refusal that was told last: once is enough.
    told: Option<String>,
}

impl Feed {
    pub(super) fn new(
        api: Api,
        clock: Arc<dyn Clock>,
        out: Outlet,
        line: watch::Sender<Line>,
        status: watch::Sender<Option<Status>>,
        position: Option<Position>,
    ) -> Self {
        Self { api, clock, out, line, status, position, connector: Connector::default(), pace: Pace::default(), told: None }
    }

    /// Follows until `stop`, or until nobody reads any more.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.follow()).await;
    }

    async fn follow(&mut self) {
        loop {
            let before = Moment::now();
            self.set(LineState::Connecting);
            let end = self.connection().await;
            if before.elapsed() >= STEADY {
                self.pace.reset();
            }
            let wait = match end {
                End::ReaderGone => return,
                // At once, unless it goes on like that.
                End::Behind(_) | End::OtherLog if before.elapsed() >= STEADY => continue,
                End::Behind(count) => self.pause(format!("{count} frames were lost on the way")),
                End::OtherLog => self.pause("there is another log now".to_owned()),
                End::Lost(reason) => self.pause(reason),
                End::Refused(reason) => self.refused(reason).await,
            };
            sleep(wait).await;
        }
    }

    fn set(&self, state: LineState) {
        self.line.send_modify(|line| line.state = state);
    }

    fn pause(&mut self, reason: String) -> Duration {
        let wait = self.pace.failed(fastrand::f64());
        tracing::info!(address = %self.api.address(), %reason, ?wait, "the feed is connected again after a wait");
        self.set(LineState::Waiting { reason, retry_at: self.clock.now().plus(wait) });
        wait
    }

    async fn refused(&mut self, reason: String) -> Duration {
        let wait = self.pace.refused(fastrand::f64());
        if self.told.as_ref() != Some(&reason) {
            let message = self.api.refused(&reason);
            let _ = self.out.hand(complaint(&*self.clock, None, message, json!({}))).await;
            self.told = Some(reason.clone());
        }
        self.set(LineState::Refused { reason, retry_at: self.clock.now().plus(wait) });
        wait
    }

    /// One connection from its beginning to its end.
    async fn connection(&mut self) -> End {
        match self.live().await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn live(&mut self) -> Result<std::convert::Infallible, End> {
        let position = self.begin().await?;
        let mut socket = self.connect(&position).await?;
        let ack = acknowledged(next(&mut socket, HANDSHAKE_MAX).await?)?;
        self.told = None;
        // A log that is shorter than what was seen of it was put back from a copy: it is another one as well.
        if ack.epoch != position.epoch || ack.resume_from.is_some_and(|from| from < position.seq) {
            return Err(self.other_log().await);
        }
        self.set(LineState::Live { epoch: ack.epoch });
        loop {
            // We were let in: what ends a connection from now on is no refusal.
            let frame = next(&mut socket, SILENCE_MAX).await.map_err(|end| match end {
                End::Refused(reason) => End::Lost(reason),
                end => end,
            })?;
            self.take(frame).await?;
        }
    }

    /// Where to go on; for the first time the program is asked where it stands.
    async fn begin(&mut self) -> Result<Position, End> {
        if let Some(position) = &self.position {
            return Ok(position.clone());
        }
        let status: Status = self.api.get(STATUS_ROUTE, HANDSHAKE_MAX).await?;
        let position = Position { epoch: status.epoch.clone(), seq: status.head };
        self.status.send_replace(Some(status));
        self.position = Some(position.clone());
        Ok(position)
    }

    async fn connect(&self, position: &Position) -> Result<WebSocketStream<Stream>, End> {
        let address = self.api.address();
        let epoch: String = url::form_urlencoded::byte_serialize(position.epoch.as_bytes()).collect();
        let route = format!("{FEED_ROUTE}?client_type=MCPClient&since={}&epoch={epoch}", position.seq);
        let mut request = address.ws(&route).into_client_request().map_err(|error| failed(&error))?;
        if let Some(value) = self.api.authorization()? {
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let stream = self.connector.connect(address.host(), address.port(), address.tls(), HANDSHAKE_MAX).await;
        let stream = stream.map_err(|error| End::Lost(api::last_cause(&error.to_string())))?;
        let config = WebSocketConfig::default().max_message_size(Some(FRAME_BYTES_MAX)).max_frame_size(Some(FRAME_BYTES_MAX));
        let handshake = timeout(HANDSHAKE_MAX, client_async_with_config(request, stream, Some(config))).await;
        let (socket, _) = handshake.map_err(|_| End::Lost("no answer in time".to_owned()))?.map_err(|error| failed(&error))?;
        Ok(socket)
    }

    /// Hands on what is new.
    async fn take(&mut self, frame: Frame) -> Result<(), End> {
        match frame {
            Frame::Ack(ack) if ack.dropped > 0 => Err(End::Behind(ack.dropped)),
            Frame::Ack(_) => Ok(()),
            Frame::Event(event) => {
                if let (Some(seq), Some(position)) = (event.seq, &mut self.position) {
                    if seq <= position.seq {
                        return Ok(());
                    }
                    position.seq = seq;
                }
                if self.out.hand(Arc::from(event)).await { Ok(()) } else { Err(End::ReaderGone) }
            }
            Frame::Unknown(reason) => {
                tracing::warn!(%reason, "a frame of the feed is not understood");
                Ok(())
            }
        }
    }

    /// The log is another one: its positions say nothing about what was seen so far.
    async fn other_log(&mut self) -> End {
        self.position = None;
        let message = format!("{} has another log now: what is on the screen is from the one before", self.api.address());
        let _ = self.out.hand(complaint(&*self.clock, None, message, json!({}))).await;
        End::OtherLog
    }
}

/// An error of this end: shown, stored nowhere.
pub(super) fn complaint(clock: &dyn Clock, session: Option<SessionId>, message: String, details: serde_json::Value) -> Arc<Event> {
    let body = EventBody::Error(ErrorEvent { message, source: ATTACH.to_owned(), details });
    Arc::new(Event { seq: None, id: EventId::generate(), at: clock.now(), session, body })
}

fn acknowledged(frame: Frame) -> Result<Ack, End> {
    match frame {
        Frame::Ack(ack) => Ok(ack),
        Frame::Event(_) | Frame::Unknown(_) => Err(End::Lost("what answers there is no wakeful, or another version of it".to_owned())),
    }
}

/// The next frame; `silence` is how long nothing at all may come, not even a ping. Pings are answered while this waits.
async fn next(socket: &mut WebSocketStream<Stream>, silence: Duration) -> Result<Frame, End> {
    loop {
        let message = timeout(silence, socket.next()).await;
        match message.map_err(|_| End::Lost(format!("silent for {} s", silence.as_secs())))? {
            Some(Ok(Message::Text(text))) => return Ok(frame::read(&text)),
            Some(Ok(Message::Close(close))) => return Err(closed(close.as_ref())),
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Binary(_) | Message::Frame(_))) => {}
            Some(Err(error)) => return Err(failed(&error)),
            None => return Err(End::Lost("the connection was closed".to_owned())),
        }
    }
}

fn closed(close: Option<&CloseFrame>) -> End {
    let Some(close) = close else { return End::Lost("the connection was closed".to_owned()) };
    let said = api::line(&close.reason);
    match close.code {
        CloseCode::Policy if said.is_empty() => End::Refused("not allowed".to_owned()),
        CloseCode::Policy => End::Refused(said),
        CloseCode::Away => End::Lost("the program has stopped".to_owned()),
        CloseCode::Again => End::Lost("too many clients".to_owned()),
        code if said.is_empty() => End::Lost(format!("the connection was closed ({code})")),
        _ => End::Lost(said),
    }
}

fn failed(error: &tungstenite::Error) -> End {
    match error {
        tungstenite::Error::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            let status = StatusCode::from_u16(response.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
            api::refusal(status, response.headers(), body).into()
        }
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Lost("the connection was lost".to_owned()),
        tungstenite::Error::Io(error) => End::Lost(api::last_cause(&error.to_string())),
        error => End::Lost(api::last_cause(&error.to_string())),
    }
}
