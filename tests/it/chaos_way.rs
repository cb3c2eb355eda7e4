//! A way between two programs that breaks as it is told: it hangs, resets, breaks off in the middle, or answers itself.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// How the way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It carries everything.
    Pass,
    /// It carries nothing and keeps the connections.
    Hang,
    /// Connections are reset.
    Reset,
    /// It carries so many bytes of each connection, both directions together, and resets it then: an answer may be lost after
    /// what it is about was done.
    Cut(usize),
    /// It answers each request itself with this status, where it knows how.
    Refuse(u16),
}

/// What the way may say itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// Statuses of HTTP.
    Http,
    /// Statuses of gRPC.
    Grpc,
    /// Nothing: a refusal is a reset.
    None,
}

/// The way. It ends with its value.
pub struct Way {
    /// Where it begins.
    pub address: SocketAddr,
    mode: watch::Sender<Mode>,
    runtime: Option<Runtime>,
}

impl Way {
    /// A way to `target`.
    pub fn to(target: SocketAddr, speech: Speech) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, modes) = watch::channel(Mode::Pass);
        runtime.spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                tokio::spawn(serve(client, target, speech, modes.clone()));
            }
        });
        Self { address, mode, runtime: Some(runtime) }
    }

    /// From now on.
    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

/// One connection, from its beginning.
async fn serve(client: TcpStream, target: SocketAddr, speech: Speech, mut modes: watch::Receiver<Mode>) {
    loop {
        let mode = *modes.borrow_and_update();
        match (mode, speech) {
            (Mode::Hang, _) => {
                if modes.changed().await.is_err() {
                    return;
                }
            }
            (Mode::Refuse(status), Speech::Http) => return answer(client, status).await,
            (Mode::Refuse(status), Speech::Grpc) => return super::chaos_grpc::answer(client, status).await,
            (Mode::Reset | Mode::Refuse(_), _) => return reset(&client),
            (Mode::Pass | Mode::Cut(_), _) => {
                let Ok(server) = TcpStream::connect(target).await else { return reset(&client) };
                return carry(client, server, modes).await;
            }
        }
    }
}

fn reset(stream: &TcpStream) {
    let _it_may_be_gone = stream.set_zero_linger();
}

async fn carry(mut client: TcpStream, mut server: TcpStream, mut modes: watch::Receiver<Mode>) {
    let (mut up, mut down) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    'modes: loop {
        let mode = *modes.borrow_and_update();
        let mut left = match mode {
            Mode::Pass => usize::MAX,
            Mode::Cut(bytes) => bytes,
            Mode::Hang => {
                if modes.changed().await.is_err() {
                    return;
                }
                continue;
            }
            Mode::Reset | Mode::Refuse(_) => break,
        };
        loop {
            let (read, bytes, to) = tokio::select! {
                biased;
                changed = modes.changed() => match changed {
                    Ok(()) => continue 'modes,
                    Err(_) => return,
                },
                read = client.read(&mut up) => (read, &up, &mut server),
                read = server.read(&mut down) => (read, &down, &mut client),
            };
            let Some(count) = read.ok().filter(|count| *count > 0) else { return };
            let whole = count <= left;
            if to.write_all(&bytes[..count.min(left)]).await.is_err() || !whole {
                break 'modes;
            }
            left -= count;
        }
    }
    reset(&client);
    reset(&server);
}

/// Reads a request and answers it with a status and nothing else.
async fn answer(mut client: TcpStream, status: u16) {
    let mut bytes = vec![0; 64 * 1024];
    let Ok(1..) = client.read(&mut bytes).await else { return };
    let after = if status == 429 { "retry-after: 0\r\n" } else { "" };
    let text = format!("HTTP/1.1 {status} No\r\n{after}content-length: 2\r\nconnection: close\r\n\r\n{{}}");
    let _it_may_be_gone = client.write_all(text.as_bytes()).await;
    let _it_may_be_gone = client.shutdown().await;
    // The rest of the request is read, so that the answer is not lost with a reset.
    let rest = async { while matches!(client.read(&mut bytes).await, Ok(1..)) {} };
    let _it_may_stay = tokio::time::timeout(Duration::from_secs(2), rest).await;
}
