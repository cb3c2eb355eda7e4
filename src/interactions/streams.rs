//! What both ends of the transport `redis` share: the connection, ids of entries, what a group has read.
//!
//! The stream is read by a consumer group. Beside it, `<stream>:stored:<group>` is a short stream of the coordinator's own,
//! in which it tells the ids that its store has confirmed: an entry that was trimmed can be told from one that was lost.

use std::fmt;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::streams::{StreamInfoGroupsReply, StreamRangeReply};
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError, RedisResult, ServerErrorKind};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

use crate::domain::text::{clean_line, ellipsis};
use crate::interactions::transport::Trouble;

/// How long a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// How long an answer may take; more than a read blocks.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// The longest reason that is told, in characters.
const REASON_CHARS_MAX: usize = 300;

/// The field of an entry that holds the record.
pub(super) const FIELD: &str = "data";

/// The most entries that a stream has, about (`MAXLEN ~`).
pub const CAP: usize = 100_000;

/// Which stream of which server, and which group reads it.
#[derive(Clone)]
pub struct StreamOptions {
    /// `redis://:PASSWORD@HOST:PORT/DATABASE`.
    pub url: SecretString,
    /// The stream's name.
    pub stream: String,
    /// The group's name.
    pub group: String,
    /// The most entries that the stream has, about.
    pub cap: usize,
}

impl fmt::Debug for StreamOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamOptions").field("stream", &self.stream).field("group", &self.group).finish_non_exhaustive()
    }
}

impl StreamOptions {
    /// The stream in which the coordinator tells what is stored.
    pub(super) fn stored_stream(&self) -> String {
        format!("{}:stored:{}", self.stream, self.group)
    }

    /// The stream of what is no record.
    pub(super) fn refused_stream(&self) -> String {
        format!("{}:refused", self.stream)
    }
}

/// The id of an entry: milliseconds and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(super) struct EntryId(pub(super) u64, pub(super) u64);

impl EntryId {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (ms, number) = text.split_once('-')?;
        Some(Self(ms.parse().ok()?, number.parse().ok()?))
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// How far a group has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GroupState {
    pub(super) last_delivered: EntryId,
    /// Delivered, not acknowledged.
    pub(super) pending: usize,
    /// Not delivered; none where the server cannot tell.
    pub(super) lag: Option<usize>,
}

/// The connection, made when it is needed and after it was lost.
pub(super) struct Link {
    url: SecretString,
    held: Mutex<Option<MultiplexedConnection>>,
}

impl Link {
    pub(super) fn new(url: SecretString) -> Self {
        Self { url, held: Mutex::default() }
    }

    /// Does `work` on the connection. One that failed is not used again.
    pub(super) async fn run<T>(&self, work: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>) -> Result<T, Trouble> {
        let asked = async {
            let mut held = self.held.lock().await;
            let mut connection = match held.take() {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            *held = Some(connection.clone());
            drop(held);
            work(&mut connection).await
        };
        match asked.await {
            Ok(answer) => Ok(answer),
            Err(error) => {
                // Where the server itself answered, the connection is good.
                if !matches!(error.kind(), ErrorKind::Server(_)) {
                    *self.held.lock().await = None;
                }
                Err(self.explain(&error))
            }
        }
    }

    async fn connect(&self) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_LIMIT)).set_response_timeout(Some(ANSWER_LIMIT));
        Client::open(self.url.expose_secret())?.get_multiplexed_async_connection_with_config(&config).await
    }

    fn explain(&self, error: &RedisError) -> Trouble {
        let mut reason = ellipsis(&clean_line(&error.to_string()), REASON_CHARS_MAX).into_owned();
        let password = url::Url::parse(self.url.expose_secret()).ok().and_then(|url| url.password().map(str::to_owned));
        if let Some(password) = password.filter(|password| !password.is_empty()) {
            reason = reason.replace(&password, "••••");
        }
        match (error.kind(), error.code()) {
            (ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm), _) | (_, Some("NOAUTH" | "WRONGPASS")) => {
                Trouble::Key(reason)
            }
            (ErrorKind::InvalidClientConfig, _) => Trouble::Config(format!("`redis_url`: {reason}; write `redis://:PASSWORD@HOST:PORT/0`")),
            (_, Some("WRONGTYPE")) => {
                Trouble::Config(format!("what Redis keeps under `redis_stream` is no stream: choose another name ({reason})"))
            }
            (_, Some("OOM")) => Trouble::Busy { after: None, message: reason },
            _ => Trouble::Unreachable(reason),
        }
    }
}

/// How far the group has read; none where there is no such stream or group.
pub(super) async fn group_state(connection: &mut MultiplexedConnection, options: &StreamOptions) -> RedisResult<Option<GroupState>> {
    Ok(groups(connection, &options.stream).await?.into_iter().find(|(name, _)| *name == options.group).map(|(_, state)| state))
}

/// All groups of a stream; none where there is no such stream.
pub(super) async fn groups(connection: &mut MultiplexedConnection, stream: &str) -> RedisResult<Vec<(String, GroupState)>> {
    let asked = redis::cmd("XINFO").arg("GROUPS").arg(stream).query_async::<StreamInfoGroupsReply>(connection).await;
    let groups = match asked {
        Ok(reply) => reply.groups,
        Err(error) if error.to_string().contains("no such key") => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let state = |group: redis::streams::StreamInfoGroup| {
        let last_delivered = EntryId::parse(&group.last_delivered_id).unwrap_or_default();
        (group.name, GroupState { last_delivered, pending: group.pending, lag: group.lag })
    };
    Ok(groups.into_iter().map(state).collect())
}

/// The id of the first entry; none where the stream is empty or missing.
pub(super) async fn first_id(connection: &mut MultiplexedConnection, stream: &str) -> RedisResult<Option<EntryId>> {
    let reply: StreamRangeReply = redis::cmd("XRANGE").arg(stream).arg("-").arg("+").arg("COUNT").arg(1).query_async(connection).await?;
    Ok(reply.ids.first().and_then(|entry| EntryId::parse(&entry.id)))
}
