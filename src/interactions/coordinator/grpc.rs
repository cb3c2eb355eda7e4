//! Takes records over gRPC: one bidirectional stream a client, each record answered once it is on disk.
//!
//! While the queue is full the stream is not read, so that HTTP/2's own flow control holds the client back; after
//! [`PATIENCE`] it ends with `RESOURCE_EXHAUSTED`.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::metadata::MetadataMap;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use crate::domain::reports::Access;
use crate::domain::text::{clean_line, ellipsis};
use crate::interactions::coordinator::Counts;
use crate::interactions::grpc::generated::interaction_service_server::{InteractionService, InteractionServiceServer};
use crate::interactions::grpc::generated::{InteractionData, InteractionResponse};
use crate::interactions::grpc::unpack;
use crate::interactions::intake::{self, Intake, Refusal, Shown};

/// Messages that are stored together at most.
const CHUNK: usize = 2_000;

/// Answers that may wait for a client that does not read them.
const ANSWERS: usize = 4_096;

/// How long a full queue is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Streams of one connection.
const STREAMS_MAX: u32 = 32;

/// What a client may send before it is read, in bytes: of a stream, and of a connection.
const WINDOWS: (u32, u32) = (2 << 20, 4 << 20);

/// The longest message, in bytes: that of a body over HTTP.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// How often a quiet client is pinged, and how long it may take to answer.
const KEEPALIVE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(40));

/// The longest text of a refusal, in characters.
const PROBLEM_CHARS_MAX: usize = 500;

/// The service.
pub(super) struct Service {
    /// Where records go.
    pub(super) intake: Arc<Intake>,
    /// What is counted.
    pub(super) counts: Arc<Counts>,
    /// Whether only this machine can reach it: then no key is asked for while there is none.
    pub(super) is_open: bool,
    /// Ends the streams.
    pub(super) stop: CancellationToken,
}

/// Serves until the service's `stop`.
pub(super) async fn serve(listener: TcpListener, tls: Option<(Vec<u8>, Vec<u8>)>, service: Service) -> Result<(), String> {
    let stop = service.stop.clone();
    let mut builder = Server::builder()
        .http2_keepalive_interval(Some(KEEPALIVE.0))
        .http2_keepalive_timeout(Some(KEEPALIVE.1))
        .max_concurrent_streams(Some(STREAMS_MAX))
        .initial_stream_window_size(Some(WINDOWS.0))
        .initial_connection_window_size(Some(WINDOWS.1));
    if let Some((certificate, key)) = tls {
        let config = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key));
        builder = builder.tls_config(config).map_err(|error| crate::domain::text::with_causes(&error))?;
    }
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let service = InteractionServiceServer::new(service).max_decoding_message_size(MESSAGE_BYTES_MAX);
    let served = builder.add_service(service).serve_with_incoming_shutdown(incoming, stop.cancelled_owned()).await;
    served.map_err(|error| crate::domain::text::with_causes(&error))
}

/// Whether that address can be reached from this machine only.
pub(super) fn is_open(address: SocketAddr) -> bool {
    address.ip().is_loopback()
}

#[tonic::async_trait]
impl InteractionService for Service {
    type StreamInteractionsStream = ReceiverStream<Result<InteractionResponse, Status>>;

    async fn stream_interactions(
        &self,
        request: Request<Streaming<InteractionData>>,
    ) -> Result<Response<Self::StreamInteractionsStream>, Status> {
        let key = bearer(request.metadata());
        let access = self.intake.admit(Shown { key, is_owner: false, is_open: self.is_open }).await.map_err(|refusal| status(&refusal))?;
        let (answers, given) = mpsc::channel(ANSWERS);
        let way = Way { intake: Arc::clone(&self.intake), counts: Arc::clone(&self.counts), access };
        let stop = self.stop.clone();
        tokio::spawn(async move {
            let gone = answers.clone();
            tokio::select! {
                () = way.run(request.into_inner(), &answers) => {}
                () = gone.closed() => {}
                () = stop.cancelled() => {
                    let _gone = answers.try_send(Err(Status::unavailable("the coordinator ends; connect again when it is back")));
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(given)))
    }
}

fn bearer(metadata: &MetadataMap) -> Option<&str> {
    let (scheme, key) = metadata.get("authorization")?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

fn status(refusal: &Refusal) -> Status {
    let text = refusal.to_string();
    match refusal {
        Refusal::Key => Status::unauthenticated(text),
        Refusal::Full | Refusal::TooLarge => Status::resource_exhausted(text),
        Refusal::Failed(_) => Status::unavailable(ellipsis(&clean_line(&text), PROBLEM_CHARS_MAX).into_owned()),
    }
}

/// One client's stream.
struct Way {
    intake: Arc<Intake>,
    counts: Arc<Counts>,
    access: Access,
}

impl Way {
    /// Reads to the end; answers what is stored, in the order in which it came. Nothing is begun before what came earlier is on
    /// disk: begun side by side, chunks could overtake one another, or the later one be there without the earlier.
    async fn run(
        &self,
        stream: impl Stream<Item = Result<InteractionData, Status>> + Unpin,
        answers: &mpsc::Sender<Result<InteractionResponse, Status>>,
    ) {
        let mut chunks = stream.ready_chunks(CHUNK);
        while let Some(chunk) = chunks.next().await {
            let (told, over) = match self.store(chunk).await {
                Ok((told, over)) => (told, over),
                Err(status) => (Vec::new(), Some(status)),
            };
            for answer in told {
                if answers.send(Ok(answer)).await.is_err() {
                    return;
                }
            }
            if let Some(status) = over {
                let _gone = answers.send(Err(status)).await;
                return;
            }
        }
    }

    /// Stores what came; the answers, and what ends the stream after them.
    async fn store(&self, chunk: Vec<Result<InteractionData, Status>>) -> Result<(Vec<InteractionResponse>, Option<Status>), Status> {
        let (mut records, mut answers, mut over) = (Vec::with_capacity(chunk.len()), Vec::with_capacity(chunk.len()), None);
        for message in chunk {
            let message = match message {
                Ok(message) => message,
                Err(status) => {
                    over = Some(status);
                    break;
                }
            };
            let interaction_id = message.interaction_id.clone();
            let checked = unpack(message).and_then(|text| intake::check_text(&text).map_err(|error| error.to_string()));
            match checked {
                Ok(record) if !self.access.covers(&record.mcp_id) => {
                    over = Some(Status::permission_denied(format!("this key opens {} only", clean_line(&self.access.to_string()))));
                    break;
                }
                Ok(record) => {
                    answers.push(InteractionResponse {
                        interaction_id: record.interaction_id.clone(),
                        success: true,
                        message: String::new(),
                        record_id: record.record_id.clone(),
                    });
                    records.push(record);
                }
                Err(problem) => {
                    let message = format!("422: {}", ellipsis(&clean_line(&problem), PROBLEM_CHARS_MAX));
                    answers.push(InteractionResponse { interaction_id, success: false, message, record_id: String::new() });
                }
            }
        }
        let (count, refused) = (records.len(), answers.len() - records.len());
        let new = tokio::time::timeout(PATIENCE, self.intake.take(records)).await.unwrap_or(Err(Refusal::Full));
        let new = new.map_err(|refusal| {
            self.counts.trouble();
            status(&refusal)
        })?;
        self.counts.taken(count, new);
        self.counts.refused(refused);
        Ok((answers, over))
    }
}
