//! The HTTP service between the OpenAI client crate and the network.
//!
//! It stands in for the crate's own, whose retries and error reading lose what we need: it keeps status and wait of a
//! failure, reads error bodies of any shape, and lets only whole, valid, bounded frames of a stream through, no more at
//! a time than the reader has room for. What went wrong is left on the [`Link`].

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use bytes::Bytes;
use futures::FutureExt;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use http::StatusCode;
use http::header::{CONTENT_TYPE, LOCATION};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};

use crate::domain::clock::Clock;
use crate::llm::openai::failure::{Failure, Kind};
use crate::llm::openai::sse::{Decoder, EVENT_BYTES_MAX, Frame, TooBig};
use crate::net;

/// The most bytes of an error body that are read.
const ERROR_BYTES_MAX: usize = 64 * 1024;

/// How long an error body may take; its status is known already.
const ERROR_BODY_WAIT: Duration = Duration::from_secs(10);

/// The most bytes of frames under way to the reader: one of the largest always fits.
const ROOM_BYTES: usize = EVENT_BYTES_MAX + 1024 * 1024;

/// What a frame costs beside its bytes.
const FRAME_BYTES: usize = 256;

/// Parts of a body that are read as soon as they come. A short answer, a tool call for the most part, is over by then.
const PARTS_AT_ONCE: u32 = 16;

/// After those, what comes within this time is read together: each part wakes half a dozen tasks on its way to the
/// screen, and a model at 200 tokens a second sends more parts than a screen shows frames.
const REST: Duration = Duration::from_millis(50);

/// What has come already is handed over within this time: a connection gives one chunk of a body at a time, and only when
/// it is asked. Without this wait each chunk of a fast answer would be taken for the last one, and rested after.
const HANDOVER: Duration = Duration::from_millis(2);

/// What the service and the reader of one response share.
#[derive(Debug)]
pub(super) struct Link {
    room: Semaphore,
    under_way: Mutex<VecDeque<u32>>,
    failure: Mutex<Option<Failure>>,
    done: AtomicBool,
}

impl Link {
    pub(super) fn new() -> Arc<Self> {
        let room = Semaphore::new(ROOM_BYTES);
        Arc::new(Self { room, under_way: Mutex::default(), failure: Mutex::default(), done: AtomicBool::new(false) })
    }

    /// What went wrong, if anything.
    pub(super) fn take_failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the provider said that the answer is whole.
    pub(super) fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    /// The reader has taken a frame.
    pub(super) fn taken(&self) {
        let cost = self.under_way.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        self.room.add_permits(cost.unwrap_or(0) as usize);
    }

    /// Notes what went wrong.
    pub(super) fn fail(&self, failure: Failure) {
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    /// Waits until there is room for a frame of `bytes`.
    async fn reserve(&self, bytes: usize) {
        let cost = u32::try_from((bytes + FRAME_BYTES).min(ROOM_BYTES)).unwrap_or(u32::MAX);
        if let Ok(permit) = self.room.acquire_many(cost).await {
            permit.forget();
        }
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).push_back(cost);
    }
}

/// Sends the request that `factory` makes; a failure is left on `link` in full.
pub(super) async fn send(
    factory: HttpRequestFactory,
    net: net::Client,
    clock: Arc<dyn Clock>,
    link: Arc<Link>,
) -> Result<net::Response, OpenAIError> {
    let request = factory.build().await?;
    let failure = match net.execute(request).await {
        Ok(response) if response.status().is_success() => {
            let content_type = header(&response, &CONTENT_TYPE).to_ascii_lowercase();
            let frames = frames(net::body(response), &content_type, link);
            return Ok(net::respond(StatusCode::OK, "text/event-stream", frames));
        }
        Ok(response) => refusal(response, clock.as_ref()).await,
        Err(failure) => Failure::from(failure),
    };
    link.fail(failure.clone());
    Err(OpenAIError::Boxed(Box::new(failure)))
}

fn header(response: &net::Response, name: &http::HeaderName) -> String {
    response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).unwrap_or_default()
}

/// Reads what a response without success says.
pub(super) async fn refusal(response: net::Response, clock: &dyn Clock) -> Failure {
    let status = response.status();
    let wait = net::retry_after(response.headers(), clock.now());
    let moved_to = header(&response, &LOCATION);
    if status.is_redirection() && !moved_to.is_empty() {
        let place = moved_to.split(['?', '#']).next().unwrap_or_default();
        let mut failure = Failure::of_response(status.as_u16(), wait, format!("the address has moved to {place}").as_bytes());
        failure.kind = Kind::Refused;
        return failure;
    }
    let body = read(net::body(response), ERROR_BYTES_MAX).await;
    Failure::of_response(status.as_u16(), wait, &body)
}

/// At most `bytes_max` bytes of `body`, as far as they come in time.
pub(super) async fn read(mut body: BoxStream<'static, Result<Bytes, net::Failure>>, bytes_max: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let reading = async {
        while let Some(Ok(part)) = body.next().await {
            let room = bytes_max.saturating_sub(bytes.len());
            bytes.extend_from_slice(&part[..part.len().min(room)]);
            if part.len() >= room {
                break;
            }
        }
    };
    // What came until then has to do.
    let _ = timeout(ERROR_BODY_WAIT, reading).await;
    bytes
}

struct Relay {
    body: BoxStream<'static, Result<Bytes, net::Failure>>,
    decoder: Decoder,
    link: Arc<Link>,
    ended: bool,
    pace: Pace,
}

/// When to let parts of a body gather.
#[derive(Debug, Default)]
struct Pace {
    parts: u32,
    rested: Option<Instant>,
}

impl Pace {
    fn read(&mut self) {
        self.parts = self.parts.saturating_add(1);
    }

    fn rests(&self) -> bool {
        self.parts >= PARTS_AT_ONCE
    }

    /// Until when to wait before more is asked for, where nothing is there at `now`.
    fn rest(&mut self, now: Instant) -> Instant {
        let until = self.rested.map_or(now, |last| now.max(last + REST));
        self.rested = Some(until);
        until
    }
}

/// The frames of `body`, each a server-sent event of its own.
fn frames(
    body: BoxStream<'static, Result<Bytes, net::Failure>>,
    content_type: &str,
    link: Arc<Link>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let relay = Relay { body, decoder: Decoder::new(content_type), link, ended: false, pace: Pace::default() };
    stream::unfold(relay, |mut relay| async move { relay.next().await.map(|event| (Ok(event), relay)) })
}

impl Relay {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            match self.decoder.pop() {
                Some(Frame::Data(data)) => {
                    self.link.reserve(data.len()).await;
                    return Some(Bytes::from(format!("data: {data}\n\n")));
                }
                Some(Frame::Done) => {
                    self.link.done.store(true, Ordering::Release);
                    // The end of the body is most often here already; having read it lets the connection live on.
                    while let Some(Some(Ok(_))) = self.body.next().now_or_never() {}
                    return Some(Bytes::from_static(b"data: [DONE]\n\n"));
                }
                None if self.ended => return None,
                None => self.pull().await,
            }
        }
    }

    async fn part(&mut self) -> Option<Result<Bytes, net::Failure>> {
        if let Some(part) = self.body.next().now_or_never() {
            return part;
        }
        if self.pace.rests() {
            if let Ok(part) = timeout(HANDOVER, self.body.next()).await {
                return part;
            }
            sleep_until(self.pace.rest(Instant::now())).await;
        }
        self.body.next().await
    }

    async fn pull(&mut self) {
        match self.part().await {
            Some(Ok(bytes)) => {
                self.pace.read();
                if self.decoder.push(&bytes) == Err(TooBig) {
                    let said = format!("one event of the answer is longer than {} MiB", EVENT_BYTES_MAX / 1024 / 1024);
                    self.link.fail(Failure::new(Kind::Refused, said));
                    self.ended = true;
                }
            }
            Some(Err(failure)) => {
                self.link.fail(Failure::from(failure));
                self.decoder.finish();
                self.ended = true;
            }
            None => {
                self.decoder.finish();
                self.ended = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Body = BoxStream<'static, Result<Bytes, net::Failure>>;

    const CHUNK: &[u8] = b"data: {}\n\n";

    /// A body as a connection gives what it has: one chunk at a time, each only after it was asked for and had its turn.
    fn there(chunks: usize) -> Body {
        stream::unfold(0, move |sent| async move {
            tokio::task::yield_now().await;
            (sent < chunks).then(|| (Ok(Bytes::from_static(CHUNK)), sent + 1))
        })
        .boxed()
    }

    /// A body that comes bit by bit, asked for or not.
    fn trickling(chunks: usize, gap: Duration) -> Body {
        let (to, body) = tokio::sync::mpsc::channel(chunks);
        tokio::spawn(async move {
            for _ in 0..chunks {
                tokio::time::sleep(gap).await;
                to.send(Ok(Bytes::from_static(CHUNK))).await.unwrap();
            }
        });
        tokio_stream::wrappers::ReceiverStream::new(body).boxed()
    }

    /// The frames that came of a body, at how many different moments, and how long that took.
    async fn taken(body: Body) -> (usize, usize, Duration) {
        let link = Link::new();
        let begun = Instant::now();
        let frames = frames(body, "text/event-stream", Arc::clone(&link));
        let mut moments: Vec<Instant> = frames.inspect(|_| link.taken()).map(|_| Instant::now()).collect().await;
        let count = moments.len();
        moments.dedup();
        (count, moments.len(), begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_there_is_read_without_a_rest() {
        assert_eq!(taken(there(20_000)).await, (20_000, 1, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_is_read_in_gulps_and_takes_no_longer() {
        let (count, gulps, took) = taken(trickling(2_000, Duration::from_millis(5))).await;
        assert_eq!(count, 2_000);
        assert!(took <= Duration::from_secs(10) + REST, "{took:?}");
        assert!((150..300).contains(&gulps), "{gulps}");
    }
}
