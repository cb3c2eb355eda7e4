//! Takes commands and hands each to its session's task; one task for each open session.
//!
//! A session's task ends when it has been idle for long or when the log cannot be written; the next command loads the
//! session from the log again, so that what is in memory is never ahead of what is on disk.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agent::actor::{self, Opening};
use crate::agent::approval::Consents;
use crate::agent::budget::Budget;
use crate::agent::options::Options;
use crate::agent::recall::Recall;
use crate::bus::Recorder;
use crate::domain::clock::Clock;
use crate::domain::command::Command;
use crate::domain::event::{Approval, ErrorEvent, EventBody, NewEvent};
use crate::domain::ids::SessionId;
use crate::domain::query::{EventFilter, EventReader};
use crate::llm::Catalog;
use crate::tools::ToolBox;

/// Commands that may wait in one session's inbox.
const INBOX_MAX: usize = 256;

/// Sessions that may be open at once.
const SESSIONS_MAX: usize = 1_024;

/// Approval events that are read at once while remembered consents are loaded.
const CONSENTS_PAGE: usize = 1_000;

/// Held while a session is open here; let go when dropped.
pub type Claim = Box<dyn Send + Sync>;

/// Sees to it that a session is open in one process only: a second one would take the first one's work for crashed.
pub trait SessionLocks: Send + Sync {
    /// Takes the session for this process.
    ///
    /// # Errors
    /// When another process has it; a reason fit for a screen.
    fn claim(&self, session: &SessionId) -> Result<Claim, String>;
}

/// No locks: for tests, and for logs that nobody else can reach.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLocks;

impl SessionLocks for NoLocks {
    fn claim(&self, _session: &SessionId) -> Result<Claim, String> {
        Ok(Box::new(()))
    }
}

/// What the agent works with.
#[derive(Clone)]
pub struct Deps {
    /// Takes what happened.
    pub recorder: Arc<dyn Recorder>,
    /// Tells what happened before.
    pub reader: Arc<dyn EventReader>,
    /// All tools.
    pub tools: ToolBox,
    /// All models.
    pub models: Catalog,
    /// What models may take.
    pub budget: Budget,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Keeps other processes from the sessions that are open here.
    pub locks: Arc<dyn SessionLocks>,
    /// Finds what is known from earlier sessions; nothing is looked for where absent.
    pub recall: Option<Arc<dyn Recall>>,
    /// The folder a session works in where its command names none.
    pub cwd: String,
    /// What varies.
    pub options: Options,
}

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// Too many commands wait in this session, or too many sessions are open.
    #[error("too much at once: the session is busy, try again in a moment")]
    Full,
    /// The engine has stopped.
    #[error("the program is shutting down")]
    Closed,
    /// It is not about a session.
    #[error("this command is not for the agent")]
    NotMine,
}

/// What all sessions share.
pub(super) struct Shared {
    pub(super) deps: Deps,
    /// Consents of scope tool and server, of all sessions; loaded once from the log.
    consents: OnceCell<Mutex<Arc<Consents>>>,
    /// The inboxes of the open sessions. Commands are sent under the lock, so that a session can leave without losing one.
    sessions: Mutex<HashMap<SessionId, mpsc::Sender<Command>>>,
    pub(super) stop: CancellationToken,
}

/// Starts the agent.
#[derive(Debug, Clone, Copy)]
pub struct Engine;

/// Takes commands; cheap to clone.
#[derive(Clone)]
pub struct EngineHandle(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    runtime: Handle,
}

impl Engine {
    /// Starts the agent. Nothing is read before the first command comes.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(deps: Deps) -> EngineHandle {
        let shared = Shared { deps, consents: OnceCell::new(), sessions: Mutex::default(), stop: CancellationToken::new() };
        let inner = Inner { shared: Arc::new(shared), tasks: TaskTracker::new(), runtime: Handle::current() };
        EngineHandle(Arc::new(inner))
    }
}

impl EngineHandle {
    /// Hands over a command about a session (all but [`Command::Mcp`]). Never waits; what becomes of it is told by
    /// events. A command about a stored session that is not open opens it first.
    ///
    /// # Errors
    /// When the session's inbox is full, the engine has stopped, or the command is not about a session.
    pub fn handle(&self, command: Command) -> Result<(), HandleError> {
        let session = session_of(&command).ok_or(HandleError::NotMine)?.clone();
        if self.0.shared.stop.is_cancelled() {
            return Err(HandleError::Closed);
        }
        let mut sessions = self.0.shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let command = match sessions.get(&session).map(|inbox| inbox.try_send(command.clone())) {
            Some(Ok(())) => return Ok(()),
            Some(Err(mpsc::error::TrySendError::Full(_))) => return Err(HandleError::Full),
            Some(Err(mpsc::error::TrySendError::Closed(command))) => command,
            None => command,
        };
        sessions.retain(|_, inbox| !inbox.is_closed());
        if sessions.len() >= SESSIONS_MAX {
            return Err(HandleError::Full);
        }
        sessions.insert(session.clone(), self.open(session, command)?);
        Ok(())
    }

    /// Stops all sessions: running turns are interrupted and their end is recorded.
    pub async fn shutdown(&self) {
        self.0.shared.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    fn open(&self, session: SessionId, command: Command) -> Result<mpsc::Sender<Command>, HandleError> {
        let (inbox, commands) = mpsc::channel(INBOX_MAX);
        let opening = match command {
            Command::NewSession { options, .. } => Opening::New(options),
            Command::ForkSession { from, upto, .. } => Opening::Fork { from, upto },
            Command::OpenSession { .. } => Opening::Load,
            other => {
                inbox.try_send(other).map_err(|_| HandleError::Full)?;
                Opening::Load
            }
        };
        let shared = Arc::clone(&self.0.shared);
        let task = async move {
            let work = AssertUnwindSafe(actor::run(Arc::clone(&shared), session.clone(), opening, commands));
            if work.catch_unwind().await.is_err() {
                // Its inbox is closed with it: the next command loads the session anew and closes what is open.
                shared.complain(
                    &session,
                    "the session stopped because of a bug",
                    "send the message again; the log file (`wakeful config path` says where) tells more",
                );
            }
        };
        self.0.tasks.spawn_on(task, &self.0.runtime);
        Ok(inbox)
    }
}

fn session_of(command: &Command) -> Option<&SessionId> {
    match command {
        Command::NewSession { session, .. }
        | Command::OpenSession { session }
        | Command::Submit { session, .. }
        | Command::Shell { session, .. }
        | Command::Undo { session, .. }
        | Command::EditQueued { session, .. }
        | Command::Interrupt { session }
        | Command::Decide { session, .. }
        | Command::ForkSession { session, .. }
        | Command::Rewind { session, .. }
        | Command::Rename { session, .. }
        | Command::Compact { session }
        | Command::SetModel { session, .. }
        | Command::SetMode { session, .. } => Some(session),
        Command::Reply { .. }
        | Command::Mcp(_)
        | Command::Task(_)
        | Command::Inbox(_)
        | Command::Cache(_)
        | Command::Memory(_)
        | Command::Report(_) => None,
    }
}

impl Shared {
    /// Tells of a failure without storing it: about a command that came to nothing, or when the log itself fails.
    pub(super) fn complain(&self, session: &SessionId, message: impl Into<String>, hint: &str) {
        let message = message.into();
        tracing::warn!(%session, "{message}");
        let details = if hint.is_empty() { serde_json::Value::Null } else { serde_json::json!({ "hint": hint }) };
        let body = EventBody::Error(ErrorEvent { message, source: "agent".to_owned(), details });
        self.deps.recorder.emit(NewEvent { session: Some(session.clone()), body });
    }

    /// Ends a session's stay in memory, if no command waits for it.
    pub(super) fn retire(&self, session: &SessionId, inbox: &mpsc::Receiver<Command>) -> bool {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let retired = inbox.is_empty();
        if retired {
            sessions.remove(session);
        }
        retired
    }

    /// Reads the consents that hold in all sessions, if they are not read yet.
    pub(super) async fn load(&self, session: &SessionId) {
        if let Err(reason) = self.consents.get_or_try_init(|| self.load_consents()).await {
            self.complain(session, format!("could not read remembered approvals: {reason}"), "calls ask again until the log can be read");
        }
    }

    /// The consents that hold in all sessions.
    pub(super) fn consents(&self) -> Arc<Consents> {
        let known = self.consents.get().map(|known| Arc::clone(&known.lock().unwrap_or_else(PoisonError::into_inner)));
        known.unwrap_or_default()
    }

    /// Remembers what a person has just consented to for all sessions.
    pub(super) fn learn(&self, approval: &Approval) {
        if let Some(known) = self.consents.get() {
            Arc::make_mut(&mut known.lock().unwrap_or_else(PoisonError::into_inner)).learn_lasting(approval);
        }
    }

    async fn load_consents(&self) -> Result<Mutex<Arc<Consents>>, crate::domain::query::QueryError> {
        let mut consents = Consents::default();
        let mut after = None;
        loop {
            let filter =
                EventFilter { types: vec!["approval_event".to_owned()], after, limit: Some(CONSENTS_PAGE), ..EventFilter::default() };
            let page = self.deps.reader.events(filter).await?;
            for event in &page {
                if let EventBody::Approval(approval) = &event.body {
                    consents.learn_lasting(approval);
                }
            }
            let last = page.last().and_then(|event| event.seq);
            if last.is_none() || last <= after {
                return Ok(Mutex::new(Arc::new(consents)));
            }
            after = last;
        }
    }
}
