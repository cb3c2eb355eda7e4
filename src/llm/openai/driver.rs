//! Carries out one chat call: tries, waits, tries again, reads the answer, and says all of it.

use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_openai::error::OpenAIError;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, Stream, StreamExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::llm::openai::Provider;
use crate::llm::openai::assemble::Assembler;
use crate::llm::openai::chunk::Chunk;
use crate::llm::openai::failure::{Failure, Kind};
use crate::llm::openai::service::{self, Link};
use crate::llm::openai::wire::{self, Body};
use crate::llm::{ChatRequest, Completion, Delta, DeltaStream, Error};
use crate::net::{GaveUp, Verdict};

/// How many deltas may wait for the reader.
const DELTAS_WAITING_MAX: usize = 64;

/// How long to wait for the count of tokens once the answer has ended: some servers keep the connection open.
const AFTER_FINISH_WAIT: Duration = Duration::from_secs(3);

/// How often a request is changed to what the provider takes.
const LESSONS_MAX: u32 = 5;

type Out = mpsc::Sender<Result<Delta, Error>>;

/// The stream of one call. Nothing happens before it is polled, all ends when it is dropped.
pub(super) fn stream(provider: Arc<Provider>, request: ChatRequest) -> DeltaStream {
    let (out, deltas) = mpsc::channel(DELTAS_WAITING_MAX);
    let work: BoxFuture<'static, ()> = Box::pin(async move {
        let last = chat(&provider, &request, &out).await;
        // The reader owns this future, so it is there.
        let _ = out.send(last.map(Delta::Done)).await;
    });
    Box::pin(Work { work: Some(work), deltas })
}

/// A future that talks while it runs.
struct Work {
    work: Option<BoxFuture<'static, ()>>,
    deltas: mpsc::Receiver<Result<Delta, Error>>,
}

impl Stream for Work {
    type Item = Result<Delta, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(delta) = self.deltas.poll_recv(cx) {
            return Poll::Ready(delta);
        }
        if let Some(work) = &mut self.work
            && work.as_mut().poll(cx).is_ready()
        {
            self.work = None;
        }
        self.deltas.poll_recv(cx)
    }
}

async fn chat(provider: &Provider, request: &ChatRequest, out: &Out) -> Result<Completion, Error> {
    let inner = provider.ready().await.map_err(|failure| failure.into_error(""))?;
    let policy = provider.policy();
    let mut lessons = 0;
    let mut attempt = 1;
    loop {
        let mut assembler = Assembler::new(request);
        let quirks = *provider.quirks.lock().unwrap_or_else(PoisonError::into_inner);
        let body = wire::body(request, &provider.name, &provider.options, quirks);
        let tried = one_try(provider, &inner, body, &mut assembler, out).await;
        let mut failure = match tried {
            Ok(link) => match assembler.finish(link.is_done()) {
                Ok(completion) => return Ok(provider.completed(completion)),
                Err(failure) => failure,
            },
            Err(failure) => {
                let shown = assembler.has_shown();
                if shown {
                    return Err(provider.censor(failure).into_broken());
                }
                failure
            }
        };
        failure = provider.censor(provider.placed(failure));
        provider.note(&request.model, &failure);
        if lessons < LESSONS_MAX
            && let Some(learnt) = quirks.learn(&failure)
        {
            *provider.quirks.lock().unwrap_or_else(PoisonError::into_inner) = learnt;
            lessons += 1;
            continue;
        }
        let delay = match policy.decide(attempt, failure.class(), failure.retry_after, fastrand::f64()) {
            Verdict::Wait(delay) => delay,
            Verdict::GiveUp(why) => return Err(failure.into_error(&note(why, attempt))),
        };
        attempt += 1;
        let retry = Delta::Retry { reason: failure.message, attempt, attempts_max: policy.attempts_max, delay };
        // The reader owns this future, so it is there.
        let _ = out.send(Ok(retry)).await;
        tokio::time::sleep(delay).await;
    }
}

/// What an error says about our tries, beside the provider's words.
fn note(why: GaveUp, attempts: u32) -> String {
    match why {
        GaveUp::TooLong(wait) => format!("; it asks to wait {} s", wait.as_secs_f64().ceil()),
        GaveUp::Spent if attempts > 1 => format!("; tried {attempts} times"),
        GaveUp::Spent | GaveUp::Permanent => String::new(),
    }
}

type Chunks = BoxStream<'static, Result<Chunk, OpenAIError>>;

/// One try. Deltas go out as they come; text that was held back goes out in any case.
async fn one_try(
    provider: &Provider,
    inner: &crate::net::Inner,
    body: Body<'_>,
    assembler: &mut Assembler,
    out: &Out,
) -> Result<Arc<Link>, Failure> {
    let link = Link::new();
    let read = async {
        let limit = provider.options.first_chunk_timeout();
        let begun = tokio::time::Instant::now();
        let opened = timeout(limit, open(provider, inner, body, &link)).await;
        let mut chunks = opened.map_err(|_| timed_out(limit))??;
        let rest = limit.saturating_sub(begun.elapsed());
        drain(provider, &mut chunks, &link, rest, assembler, out).await
    };
    let read = read.await;
    let mut deltas = Vec::new();
    let flushed = assembler.flush(&mut deltas);
    say(out, deltas).await;
    read.and(flushed)?;
    match link.take_failure() {
        // A connection that breaks once the answer is whole has done its work.
        Some(failure) if !assembler.has_finished() && !link.is_done() => Err(failure),
        _ if assembler.has_shown() && !assembler.has_finished() && !link.is_done() => {
            Err(Failure::new(Kind::Transient, "the stream ended before the answer was complete"))
        }
        _ => Ok(link),
    }
}

async fn open(provider: &Provider, inner: &crate::net::Inner, body: Body<'_>, link: &Arc<Link>) -> Result<Chunks, Failure> {
    let shared = (provider.net.clone(), Arc::clone(&provider.clock), Arc::clone(link));
    let service = tower::service_fn(move |factory| {
        let (net, clock, link) = shared.clone();
        service::send(factory, net, clock, link)
    });
    let client = async_openai::Client::build(inner.clone(), provider.endpoint.clone()).with_http_service(service);
    let opened = client.chat().create_stream_byot::<Body<'_>, Chunk>(body).await;
    opened.map_err(|error| {
        link.take_failure().unwrap_or_else(|| Failure::new(Kind::Config, format!("the request could not be made: {error}")))
    })
}

/// Reads the answer to its end. `first` is what is left of the wait for its first part.
async fn drain(
    provider: &Provider,
    chunks: &mut Chunks,
    link: &Link,
    first: Duration,
    assembler: &mut Assembler,
    out: &Out,
) -> Result<(), Failure> {
    let mut limit = first;
    let mut told = provider.options.first_chunk_timeout();
    loop {
        let next = match timeout(limit, chunks.next()).await {
            Ok(next) => next,
            Err(_) if assembler.has_finished() => return Ok(()),
            Err(_) => return Err(timed_out(told)),
        };
        let chunk = match next {
            None => return Ok(()),
            Some(Ok(chunk)) => chunk,
            Some(Err(error)) => {
                return Err(link
                    .take_failure()
                    .unwrap_or_else(|| Failure::new(Kind::Refused, format!("the stream cannot be read: {error}"))));
            }
        };
        link.taken();
        let mut deltas = Vec::new();
        let pushed = assembler.push(chunk, &mut deltas);
        say(out, deltas).await;
        pushed?;
        told = if assembler.has_begun() { provider.options.idle_timeout() } else { provider.options.first_chunk_timeout() };
        limit = if assembler.has_finished() { told.min(AFTER_FINISH_WAIT) } else { told };
    }
}

fn timed_out(limit: Duration) -> Failure {
    Failure::new(Kind::TimedOut(limit), "nothing came for too long")
}

async fn say(out: &Out, deltas: Vec<Delta>) {
    for delta in deltas {
        // The reader owns this future, so it is there.
        let _ = out.send(Ok(delta)).await;
    }
}
