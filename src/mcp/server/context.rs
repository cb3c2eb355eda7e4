//! What a service knows of the request it answers, and how it reaches the client meanwhile.

#![expect(deprecated, reason = "2026-07-28 deprecates logging and what else only the legacy era has; both eras are served")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{ClientResult, LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam, ProtocolVersion, ServerRequest};
use rmcp::service::{PeerRequestOptions, RequestContext, RoleServer};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::domain::text::{clean_line, with_causes};
use crate::mcp::server::ask::{Answer, Ask};
use crate::mcp::server::changes::Listener;
use crate::mcp::server::error::Error;
use crate::mcp::server::rounds::{Answers, Waiting};

/// How long a client may take to answer a request of ours in the legacy era.
const ANSWER_TIME_MAX: Duration = Duration::from_mins(10);

/// What a client may be able to do for a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Let its model answer.
    Sampling,
    /// Ask its person by a form.
    Elicitation,
    /// Send its person to a page.
    UrlElicitation,
    /// Tell its roots.
    Roots,
}

impl Capability {
    /// As it is declared.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sampling => "sampling",
            Self::Elicitation | Self::UrlElicitation => "elicitation",
            Self::Roots => "roots",
        }
    }
}

/// How grave a log message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the levels of RFC 5424, by their names")]
pub enum Level {
    Debug,
    Info,
    Notice,
    Warning,
    Error,
    Critical,
    Alert,
    Emergency,
}

impl Level {
    const ALL: [Self; 8] =
        [Self::Debug, Self::Info, Self::Notice, Self::Warning, Self::Error, Self::Critical, Self::Alert, Self::Emergency];

    pub(super) fn from_wire(level: LoggingLevel) -> Self {
        match level {
            LoggingLevel::Debug => Self::Debug,
            LoggingLevel::Info => Self::Info,
            LoggingLevel::Notice => Self::Notice,
            LoggingLevel::Warning => Self::Warning,
            LoggingLevel::Error => Self::Error,
            LoggingLevel::Critical => Self::Critical,
            LoggingLevel::Alert => Self::Alert,
            LoggingLevel::Emergency => Self::Emergency,
        }
    }

    fn wire(self) -> LoggingLevel {
        match self {
            Self::Debug => LoggingLevel::Debug,
            Self::Info => LoggingLevel::Info,
            Self::Notice => LoggingLevel::Notice,
            Self::Warning => LoggingLevel::Warning,
            Self::Error => LoggingLevel::Error,
            Self::Critical => LoggingLevel::Critical,
            Self::Alert => LoggingLevel::Alert,
            Self::Emergency => LoggingLevel::Emergency,
        }
    }
}

/// What a connection of the legacy era remembers.
#[derive(Debug)]
pub(super) struct Session {
    /// The position in [`Level::ALL`].
    level: AtomicU8,
    /// Its client said that it is ready.
    begun: AtomicBool,
    /// Listeners of subscriptions that are being acknowledged, the oldest first. Any of them hears all that any other does.
    listeners: Mutex<VecDeque<Listener>>,
    /// Resources whose updates it wants.
    pub(super) subscribed: Mutex<BTreeSet<String>>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            level: AtomicU8::new(Level::Info as u8),
            begun: AtomicBool::new(false),
            listeners: Mutex::default(),
            subscribed: Mutex::default(),
        }
    }
}

/// Listeners that are kept at most: one of a subscription that could not be acknowledged stays until another takes it.
const LISTENERS_MAX: usize = 64;

impl Session {
    /// Keeps a listener for the subscription that is being acknowledged.
    pub(super) fn keep(&self, listener: Listener) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        if listeners.len() < LISTENERS_MAX {
            listeners.push_back(listener);
        }
    }

    /// The listener that was kept first.
    pub(super) fn kept(&self) -> Option<Listener> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Whether it begins with this.
    pub(super) fn begins(&self) -> bool {
        !self.begun.swap(true, Ordering::Relaxed)
    }

    pub(super) fn set_level(&self, level: Level) {
        self.level.store(level as u8, Ordering::Relaxed);
    }

    fn level(&self) -> Level {
        Level::ALL.get(usize::from(self.level.load(Ordering::Relaxed))).copied().unwrap_or(Level::Info)
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub struct Context {
    request: RequestContext<RoleServer>,
    session: Arc<Session>,
    cancel: CancellationToken,
    logs: bool,
    /// Answers of this round, as they came.
    fresh: Answers,
    /// Answers that were good.
    known: Answers,
}

/// What a context is made of.
pub(super) struct Parts {
    pub(super) request: RequestContext<RoleServer>,
    pub(super) session: Arc<Session>,
    pub(super) cancel: CancellationToken,
    pub(super) logs: bool,
    pub(super) fresh: Answers,
    pub(super) known: Answers,
}

impl Context {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { request, session, cancel, logs, fresh, known } = parts;
        Self { request, session, cancel, logs, fresh, known }
    }

    /// Cancelled when the client gives the request up or the server ends.
    pub fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// What `_meta` of the request says under `key`.
    pub fn meta(&self, key: &str) -> Option<&Value> {
        self.request.meta.0.get(key)
    }

    /// Whether the request speaks 2026-07-28 or later.
    pub fn is_modern(&self) -> bool {
        is_modern(&self.request)
    }

    /// The client's name and version, made fit for a screen.
    pub fn client(&self) -> Option<String> {
        let info = self.request.client_info()?;
        Some(clean_line(&format!("{} {}", info.name, info.version)))
    }

    /// Whether the client declared that.
    pub fn client_can(&self, capability: Capability) -> bool {
        let Some(declared) = self.request.client_capabilities() else { return false };
        match capability {
            Capability::Sampling => declared.sampling.is_some(),
            Capability::Roots => declared.roots.is_some(),
            // A client that says neither form nor page means forms.
            Capability::Elicitation => declared.elicitation.is_some_and(|how| how.form.is_some() || how.url.is_none()),
            Capability::UrlElicitation => declared.elicitation.is_some_and(|how| how.url.is_some()),
        }
    }

    /// Tells how far the work is, where the client wants to know. `done` must grow.
    pub async fn progress(&self, done: f64, total: Option<f64>, message: Option<&str>) {
        let Some(token) = self.request.meta.get_progress_token() else { return };
        let mut param = ProgressNotificationParam::new(token, done);
        param.total = total;
        param.message = message.map(str::to_owned);
        // A client that went away needs no progress.
        let _ = self.request.peer.notify_progress(param).await;
    }

    /// Whether anybody wants to know how far the work is.
    pub fn wants_progress(&self) -> bool {
        self.request.meta.get_progress_token().is_some()
    }

    /// Sends a log message, where the client wants those of that level: in the newer era only where the request says so.
    pub async fn log(&self, level: Level, logger: &str, data: Value) {
        let lowest = match self.request.meta.log_level() {
            Some(level) => Some(Level::from_wire(level)),
            None if self.is_modern() => None,
            None => Some(self.session.level()),
        };
        if !self.logs || lowest.is_none_or(|lowest| level < lowest) {
            return;
        }
        let mut param = LoggingMessageNotificationParam::new(level.wire(), data);
        param.logger = Some(logger.to_owned());
        let _ = self.request.peer.notify_logging_message(param).await;
    }

    /// Asks the client one thing. `key` names the question in this request.
    ///
    /// # Errors
    /// See [`ask`](Self::ask).
    pub async fn ask_one(&mut self, key: &str, ask: Ask) -> Result<Answer, Error> {
        let mut answers = self.ask([(key.to_owned(), ask)]).await?;
        answers.remove(key).ok_or_else(|| Error::internal("a question was lost"))
    }

    /// Asks the client several things at once, each under a key of its own.
    ///
    /// # Errors
    /// [`Error::Waiting`], to be handed on, while the newer era's client has not answered; [`Error::MissingCapability`] where
    /// the client cannot; [`Error::BadRequest`] and [`Error::NoAnswer`] where it answered badly or not.
    pub async fn ask(&mut self, asks: impl IntoIterator<Item = (String, Ask)>) -> Result<BTreeMap<String, Answer>, Error> {
        let (mut answers, mut open) = (BTreeMap::new(), BTreeMap::new());
        for (key, ask) in asks {
            if !self.client_can(ask.capability()) {
                return Err(Error::MissingCapability(ask.capability()));
            }
            if let Some(known) = self.known.get(&key) {
                answers.insert(key, Answer(known.clone()));
                continue;
            }
            let answer = match self.fresh.remove(&key) {
                None if self.is_modern() => {
                    open.insert(key, ask);
                    continue;
                }
                None => self.request_of_client(&ask).await?,
                Some(fresh) => fresh,
            };
            ask.check(&answer).map_err(|problem| Error::BadRequest(format!("the answer to `{key}`: {problem}")))?;
            self.known.insert(key.clone(), answer.clone());
            answers.insert(key, Answer(answer));
        }
        if open.is_empty() {
            return Ok(answers);
        }
        Err(Error::Waiting(Box::new(Waiting { asks: open, known: std::mem::take(&mut self.known) })))
    }

    /// A request to the client, as the legacy era has it.
    async fn request_of_client(&self, ask: &Ask) -> Result<Value, Error> {
        if self.request.meta.protocol_version().is_some() {
            let text = "the request names a revision before 2026-07-28, but no session: its client cannot be asked";
            return Err(Error::NoAnswer(text.to_owned()));
        }
        let request: ServerRequest =
            serde_json::from_value(ask.wire()).map_err(|error| Error::internal(format!("this cannot be asked: {error}")))?;
        let options = PeerRequestOptions::with_timeout(ANSWER_TIME_MAX);
        let no_answer = |error: rmcp::ServiceError| Error::NoAnswer(format!("the client did not answer: {}", with_causes(&error)));
        let sent = self.request.peer.send_request_with_option(request, options).await.map_err(no_answer)?;
        let result = tokio::select! {
            result = sent.await_response() => result.map_err(no_answer)?,
            () = self.cancel.cancelled() => return Err(Error::NoAnswer("the request was given up".to_owned())),
        };
        let value = match result {
            ClientResult::CustomResult(result) => Ok(result.0),
            result => serde_json::to_value(result),
        };
        value.map_err(|error| Error::NoAnswer(format!("the client's answer cannot be read: {error}")))
    }
}

/// Whether the request speaks 2026-07-28 or later. Its metadata says so: only they carry a version of their own.
pub(super) fn is_modern(request: &RequestContext<RoleServer>) -> bool {
    request.meta.protocol_version().is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str())
}
