//! A model server that says exactly the bytes a test wants, over a real socket.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

/// What the server does once it has read a request.
pub(crate) enum Step {
    /// Writes these bytes.
    Write(Vec<u8>),
    /// Writes what the test sends, until it sends no more.
    Follow(mpsc::UnboundedReceiver<Vec<u8>>),
    /// Writes these bytes this many times, or until the client takes no more for so long.
    Flood(Vec<u8>, usize, Duration),
    /// Keeps the connection open until the client closes it.
    Hold,
    /// Breaks the connection off.
    Reset,
    /// Serves another request on this connection, with the next reply.
    Again,
}

pub(crate) type Reply = Vec<Step>;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Value,
}

/// The server. It ends with the test's runtime.
pub(crate) struct Fake {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    /// Told when a client closed a held connection.
    pub(crate) closed: Arc<Notify>,
    /// Bytes of floods that were taken.
    pub(crate) flooded: Arc<AtomicUsize>,
    pub(crate) connections: Arc<AtomicUsize>,
}

impl Fake {
    /// Answers one request with each reply, in turn.
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let fake = Self { url, seen: Arc::default(), closed: Arc::default(), flooded: Arc::default(), connections: Arc::default() };
        let (seen, closed, flooded) = (Arc::clone(&fake.seen), Arc::clone(&fake.closed), Arc::clone(&fake.flooded));
        let connections = Arc::clone(&fake.connections);
        tokio::spawn(async move {
            let mut replies = replies.into_iter();
            while replies.len() > 0 {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                connections.fetch_add(1, Ordering::SeqCst);
                stream.set_nodelay(true).unwrap();
                loop {
                    let Some(request) = read_request(&mut stream).await else { break };
                    seen.lock().unwrap().push(request);
                    let Some(reply) = replies.next() else { break };
                    if !serve(&mut stream, reply, &closed, &flooded).await {
                        break;
                    }
                }
            }
        });
        fake
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// Carries out `reply`; whether the connection serves another request.
async fn serve(stream: &mut TcpStream, reply: Reply, closed: &Notify, flooded: &AtomicUsize) -> bool {
    for step in reply {
        match step {
            Step::Write(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    break;
                }
            }
            Step::Follow(mut receiver) => {
                while let Some(bytes) = receiver.recv().await {
                    if stream.write_all(&bytes).await.is_err() {
                        break;
                    }
                }
            }
            Step::Flood(bytes, times, stall) => {
                for _ in 0..times {
                    match tokio::time::timeout(stall, stream.write_all(&bytes)).await {
                        Ok(Ok(())) => flooded.fetch_add(bytes.len(), Ordering::SeqCst),
                        _ => break,
                    };
                }
                closed.notify_one();
            }
            Step::Hold => {
                let mut rest = [0; 64];
                while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
                closed.notify_one();
            }
            Step::Reset => {
                stream.set_zero_linger().unwrap();
                return false;
            }
            Step::Again => return true,
        }
    }
    let _ = stream.shutdown().await;
    false
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).ok()?.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok()).unwrap_or(0);
    while bytes.len() < end + length {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(Seen { head, body: serde_json::from_slice(&bytes[end..]).unwrap_or_default() })
}

/// A head with `status` and `headers`, the body ended by the end of the connection.
pub(crate) fn head(status: u16, headers: &str) -> Step {
    Step::Write(format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{headers}\r\n").into_bytes())
}

/// The head of an event stream in HTTP chunks.
pub(crate) fn stream_head() -> Step {
    Step::Write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec())
}

/// One HTTP chunk: the client sees exactly these bytes as one packet.
pub(crate) fn packet(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// The end of an HTTP body in chunks.
const END: &[u8] = b"0\r\n\r\n";

/// An event stream in these packets, whole.
pub(crate) fn events<T: AsRef<[u8]>>(packets: &[T]) -> Reply {
    let body: Vec<u8> = packets.iter().flat_map(|bytes| packet(bytes.as_ref())).chain(END.iter().copied()).collect();
    vec![stream_head(), Step::Write(body)]
}

/// A whole response that is no stream.
pub(crate) fn body(status: u16, headers: &str, body: &str) -> Reply {
    vec![head(status, &format!("content-length: {}\r\n{headers}", body.len())), Step::Write(body.as_bytes().to_vec())]
}
