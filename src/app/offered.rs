//! What other MCP clients are offered of wakeful: its tools, and what is in its log, its tasks and its inbox.

use std::sync::Arc;

use futures::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;

use crate::agent::export;
use crate::ambient::service::TaskService;
use crate::ambient::tools::wire;
use crate::domain::event::Event;
use crate::domain::ids::{SessionId, TaskId};
use crate::domain::notice::InboxRow;
use crate::domain::query::{Answer, EventFilter, EventReader, InboxFilter, QueryError, SessionPage, SessionPart, SessionSummary};
use crate::domain::task::{ADMIN_USER, TaskRow};
use crate::mcp::server::Changes;
use crate::mcp::server::own::{Library, TaskEntry, tell};
use crate::store::EventLog;

/// The log and the tasks in it, for other clients to read.
pub struct Offered {
    log: EventLog,
    tasks: TaskService,
}

impl Offered {
    /// Reads these.
    pub fn new(log: EventLog, tasks: TaskService) -> Self {
        Self { log, tasks }
    }

    /// Tells by `changes` what is recorded from now on, by whatever process, until `stop`.
    ///
    /// # Errors
    /// When the end of the log cannot be found.
    pub async fn tell_changes(&self, changes: Changes, stop: CancellationToken) -> Result<(), crate::store::Error> {
        let mut events = self.log.follow(EventFilter::default(), self.log.head().await?);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    event = events.next() => match event {
                        Some(event) => tell(&changes, &event),
                        None => break,
                    },
                    () = stop.cancelled() => break,
                }
            }
        });
        Ok(())
    }

    fn entry(&self, row: &TaskRow) -> TaskEntry {
        TaskEntry {
            id: row.spec.task_id.clone(),
            description: row.spec.description.clone(),
            status: row.status.as_str().to_owned(),
            wire: wire::task(row, &self.tasks),
        }
    }
}

impl EventReader for Offered {
    fn sessions(&self, search: Option<String>, limit: usize) -> Answer<'_, Vec<SessionSummary>> {
        self.log.sessions(search, limit)
    }

    fn events(&self, filter: EventFilter) -> Answer<'_, Vec<Arc<Event>>> {
        self.log.events(filter)
    }

    fn session_events(&self, session: SessionId) -> Answer<'_, Vec<Arc<Event>>> {
        self.log.session_events(session)
    }

    fn session_page(&self, page: SessionPage) -> Answer<'_, SessionPart> {
        self.log.session_page(page)
    }
}

impl Library for Offered {
    fn tasks(&self) -> Answer<'_, Vec<TaskEntry>> {
        async {
            let rows = self.tasks.list(ADMIN_USER).await.map_err(|error| QueryError(error.report()))?;
            Ok(rows.iter().map(|row| self.entry(row)).collect())
        }
        .boxed()
    }

    fn task(&self, id: TaskId) -> Answer<'_, Option<serde_json::Value>> {
        async move {
            let rows = self.tasks.list(ADMIN_USER).await.map_err(|error| QueryError(error.report()))?;
            let Some(row) = rows.iter().find(|row| row.spec.task_id == id) else { return Ok(None) };
            let detail = self.tasks.detail(&id).await.map_err(|error| QueryError(error.report()))?;
            let mut task = self.entry(row).wire;
            let detail = serde_json::to_value(detail).map_err(|error| QueryError(error.to_string()))?;
            if let (Some(task), serde_json::Value::Object(detail)) = (task.as_object_mut(), detail) {
                task.extend(detail);
            }
            Ok(Some(task))
        }
        .boxed()
    }

    fn inbox(&self, filter: InboxFilter) -> Answer<'_, Vec<InboxRow>> {
        async move { self.tasks.inbox(filter).await.map_err(|error| QueryError(error.report())) }.boxed()
    }

    fn transcript(&self, session: SessionId) -> Answer<'_, Option<String>> {
        async move {
            let events = self.log.session_events(session).await?;
            Ok((!events.is_empty()).then(|| export::markdown(&events)))
        }
        .boxed()
    }
}
