//! Records over gRPC: one bidirectional stream that stays open, answers matched by `record_id`.
//!
//! An answer means that the coordinator's store has the record. A coordinator that names no `record_id` is understood too:
//! its answers count for the oldest record of that interaction that waits. When the stream breaks, nothing is known of what
//! was not answered, and the next call opens a new one.

mod line;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};

use crate::domain::text::{clean_line, ellipsis, with_causes};
use crate::interactions::grpc::generated::InteractionData;
use crate::interactions::grpc::generated::interaction_service_client::InteractionServiceClient;
use crate::interactions::grpc::pack;
use crate::interactions::outgoing::Outgoing;
use crate::interactions::transport::grpc::line::Line;
use crate::interactions::transport::{STREAM_BATCH_MAX, Settled, Transport, Trouble, Verdict};

/// What may come back before it is read, in bytes: of the stream, and of the connection.
const WINDOWS: (u32, u32) = (1 << 20, 2 << 20);

/// How often a connection in use is pinged while it is quiet.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// The longest reason that is told, in characters.
const REASON_CHARS_MAX: usize = 300;

/// What varies.
#[derive(Clone)]
pub struct GrpcOptions {
    /// `http://HOST:PORT`, with TLS `https://HOST:PORT`.
    pub url: String,
    /// Authorities in PEM that prove the server, in place of the system's.
    pub ca: Option<PathBuf>,
    /// Shown as `authorization: Bearer`.
    pub key: Option<SecretString>,
    /// How long a connection may take, and an answer.
    pub timeout: Duration,
}

impl fmt::Debug for GrpcOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcOptions").field("ca", &self.ca).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// The transport.
pub struct Grpc {
    options: GrpcOptions,
    channel: Mutex<Option<Channel>>,
    line: Mutex<Option<Line>>,
}

impl Grpc {
    /// Connects with the first use.
    pub fn new(options: GrpcOptions) -> Self {
        Self { options, channel: Mutex::default(), line: Mutex::default() }
    }

    /// The channel: it connects by itself, and again after a loss.
    async fn channel(&self) -> Result<Channel, Trouble> {
        let mut channel = self.channel.lock().await;
        if let Some(channel) = &*channel {
            return Ok(channel.clone());
        }
        let wrong = |what: String| Trouble::Config(format!("`grpc_url` {what}; write `http://HOST:PORT`, with TLS `https://HOST:PORT`"));
        let endpoint = Endpoint::from_shared(self.options.url.clone()).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        if endpoint.uri().host().is_none() {
            return Err(wrong("names no host".to_owned()));
        }
        let mut endpoint = endpoint
            .connect_timeout(self.options.timeout)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(self.options.timeout.max(Duration::from_secs(1)))
            .initial_stream_window_size(WINDOWS.0)
            .initial_connection_window_size(WINDOWS.1);
        match endpoint.uri().scheme_str() {
            Some("https") => {
                let tls = match &self.options.ca {
                    None => ClientTlsConfig::new().with_native_roots(),
                    Some(path) => {
                        let pem = tokio::fs::read(path).await.map_err(|error| {
                            Trouble::Config(format!("the authorities `{}` (`grpc_ca`) cannot be read: {error}", path.display()))
                        })?;
                        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))
                    }
                };
                endpoint = endpoint.tls_config(tls).map_err(|error| wrong(format!("cannot speak TLS: {}", with_causes(&error))))?;
            }
            Some("http") => {}
            _ => return Err(wrong("has another scheme".to_owned())),
        }
        Ok(channel.insert(endpoint.connect_lazy()).clone())
    }

    /// A request with the key.
    fn request<T>(&self, stream: T) -> Result<Request<T>, Trouble> {
        let mut request = Request::new(stream);
        if let Some(key) = &self.options.key {
            let mut value: MetadataValue<_> = format!("Bearer {}", key.expose_secret())
                .parse()
                .map_err(|_may_be_shown| Trouble::Config("`coordinator_api_key` holds characters that no header can carry".to_owned()))?;
            value.set_sensitive(true);
            request.metadata_mut().insert("authorization", value);
        }
        Ok(request)
    }

    /// Opens a stream and ends it without a record: whoever refuses the key says so.
    async fn ask(&self) -> Result<(), Trouble> {
        let mut client = InteractionServiceClient::new(self.channel().await?);
        let request = self.request(futures::stream::empty::<InteractionData>())?;
        let asking = async {
            let mut answers = client.stream_interactions(request).await?.into_inner();
            while answers.message().await?.is_some() {}
            Ok::<_, Status>(())
        };
        match tokio::time::timeout(self.options.timeout, asking).await {
            Ok(asked) => asked.map_err(|status| trouble(&status)),
            Err(_) => Err(self.late()),
        }
    }

    fn late(&self) -> Trouble {
        Trouble::Unreachable(format!("no answer within {} s", self.options.timeout.as_secs_f32()))
    }

    async fn hand_over(&self, records: &[Outgoing]) -> Result<Vec<Verdict>, Trouble> {
        let line = {
            let mut line = self.line.lock().await;
            match &*line {
                Some(line) if !line.is_over() => line.clone(),
                _ => line.insert(Line::open(self.channel().await?, |stream| self.request(stream))?).clone(),
            }
        };
        let sending = line.send(records.iter().map(|record| (record.record_id.to_string(), pack(record))).collect());
        match tokio::time::timeout(self.options.timeout, sending).await {
            Ok(Ok(verdicts)) => Ok(verdicts),
            Ok(Err(trouble)) => Err(trouble),
            Err(_) => {
                // Answers that come late would be taken for those of the next try.
                line.end();
                Err(self.late())
            }
        }
    }
}

/// What the end of a stream means.
fn trouble(status: &Status) -> Trouble {
    let reason = || {
        let told = ellipsis(&clean_line(status.message()), REASON_CHARS_MAX).into_owned();
        if told.is_empty() { status.code().description().to_owned() } else { told }
    };
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => Trouble::Key(reason()),
        Code::ResourceExhausted => Trouble::Busy { after: None, message: reason() },
        Code::InvalidArgument | Code::OutOfRange => Trouble::Batch(reason()),
        _ => Trouble::Unreachable(reason()),
    }
}

impl Transport for Grpc {
    fn name(&self) -> &'static str {
        "grpc"
    }

    fn batch_max(&self) -> usize {
        STREAM_BATCH_MAX
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Trouble>> {
        self.ask().boxed()
    }

    fn send<'a>(&'a self, records: &'a [Outgoing]) -> BoxFuture<'a, Result<Vec<Verdict>, Trouble>> {
        self.hand_over(records).boxed()
    }

    /// Nothing is handed over without being stored.
    fn settled<'a>(&'a self, handles: &'a [String]) -> BoxFuture<'a, Result<Vec<Settled>, Trouble>> {
        async move { Ok(vec![Settled::Lost; handles.len()]) }.boxed()
    }
}
