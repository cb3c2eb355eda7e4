//! Accepts connections and speaks HTTP/1.1 with them, on behalf of whoever answers.
//!
//! A connection must send its header within a time limit, connections are counted, small answers leave at once. At the end
//! nothing new is taken and what is being answered has some seconds left.

use std::convert::Infallible;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a refused accept rests: the process is out of file handles, most likely.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// How long connections get to finish their answers once the server stops.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// The buffer that a connection reads into, in bytes: headers must fit in.
const BUFFER_BYTES: usize = 32 * 1_024;

/// What varies.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most connections at once; a further one waits.
    pub connections_max: usize,
    /// How long a header may take, and a TLS handshake.
    pub read_time_max: Duration,
}

/// Serves until `stop`: `answer` is asked for each request, with the address of who sent it. `tasks` counts connections;
/// what outlives them (upgraded ones) may be counted there as well, and is waited for at the end.
pub async fn serve<A, F, B>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    limits: Limits,
    tasks: TaskTracker,
    stop: CancellationToken,
    answer: A,
) where
    A: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let places = Arc::new(Semaphore::new(limits.connections_max));
    while let Some((stream, from, place)) = next(&listener, &places, &stop).await {
        let (stop, tls, answer) = (stop.clone(), tls.clone(), answer.clone());
        tasks.spawn(async move {
            match tls {
                None => talk(stream, from, limits.read_time_max, stop, answer).await,
                Some(tls) => match timeout(limits.read_time_max, tls.accept(stream)).await {
                    Ok(Ok(stream)) => talk(stream, from, limits.read_time_max, stop, answer).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                },
            }
            drop(place);
        });
    }
    drop(listener);
    tasks.close();
    if timeout(DRAIN_MAX, tasks.wait()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "connections were cut at the end");
    }
}

/// The next connection, as soon as there is a place for it.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    stop: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    loop {
        let place = tokio::select! {
            place = Arc::clone(places).acquire_owned() => place.ok()?,
            () = stop.cancelled() => return None,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return None,
        };
        match accepted {
            Ok((stream, from)) => {
                // Small answers leave at once: a client that waits for one would wait 40 ms for the system to collect more.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY is not to be had");
                }
                return Some((stream, from, place));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::select! {
                    () = sleep(ACCEPT_REST) => {}
                    () = stop.cancelled() => return None,
                }
            }
        }
    }
}

/// Answers the requests of one connection, until it becomes something else, ends, or is to end.
async fn talk<S, A, F, B>(stream: S, from: SocketAddr, read_time_max: Duration, stop: CancellationToken, answer: A)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request<Incoming>, SocketAddr) -> F,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let service = service_fn(move |request| {
        let answered = answer(request, from);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(read_time_max).max_buf_size(BUFFER_BYTES);
    // On the heap: once it has become something else, its room is free again.
    let mut connection = Box::pin(builder.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended badly");
    }
}
