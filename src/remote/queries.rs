//! Asks a program elsewhere what [`Queries`] asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use serde::de::DeserializeOwned;
use tokio::time::Instant as Moment;

use crate::domain::cache::Stats;
use crate::domain::catalog::{CompletionOf, PromptInfo, ResourceInfo, ResourcePart};
use crate::domain::clock::Instant;
use crate::domain::event::Event;
use crate::domain::ids::{ServerName, SessionId, TaskId};
use crate::domain::memory::{MemoryFilter, MemoryPage, MemoryStatus};
use crate::domain::notice::{Delivery, InboxRow};
use crate::domain::query::{
    AgentInfo, AmbientStatus, Answer, CheckRow, EventFilter, EventReader, ExportFormat, InboxFilter, ModelInfo, Queries, QueryError,
    ServerStatus, SessionPage, SessionPart, SessionSummary, Spending, TaskDetail,
};
use crate::domain::question::Question;
use crate::domain::remote::{Answered, Query};
use crate::domain::report::ReportStatus;
use crate::domain::task::TaskRow;
use crate::domain::tool::ToolInfo;
use crate::domain::undo::UndoRow;
use crate::remote::QUERY_ROUTE;
use crate::remote::http::{Api, Error};

/// The read side of a program elsewhere.
pub struct RemoteQueries(Api);

impl RemoteQueries {
    /// Asks over `api`.
    pub fn new(api: Api) -> Self {
        Self(api)
    }

    fn ask<T: DeserializeOwned + Send + 'static>(&self, query: Query) -> Answer<'_, T> {
        async move {
            let patience = query.patience();
            let asked = Moment::now();
            let mut answered: Result<Answered<T>, Error> = self.0.ask(QUERY_ROUTE, &query, patience).await;
            // A connection that was kept may have died unnoticed. To ask again changes nothing; to wait again helps nobody.
            if matches!(answered, Err(Error::Lost(_))) && asked.elapsed() < patience {
                answered = self.0.ask(QUERY_ROUTE, &query, patience).await;
            }
            answered.map(|answered| answered.result).map_err(|error| self.why(&error))
        }
        .boxed()
    }

    fn why(&self, error: &Error) -> QueryError {
        match error {
            Error::Unreached(reason) | Error::Lost(reason) => QueryError(format!("{} is not reached: {reason}", self.0.address())),
            Error::Refused(reason) => QueryError(self.0.refused(reason)),
            Error::Answered { reason, .. } => QueryError(reason.clone()),
        }
    }
}

impl EventReader for RemoteQueries {
    fn sessions(&self, search: Option<String>, limit: usize) -> Answer<'_, Vec<SessionSummary>> {
        self.ask(Query::Sessions { search, limit })
    }

    fn events(&self, filter: EventFilter) -> Answer<'_, Vec<Arc<Event>>> {
        self.ask(Query::Events { filter })
    }

    fn session_events(&self, session: SessionId) -> Answer<'_, Vec<Arc<Event>>> {
        self.ask(Query::SessionEvents { session })
    }

    fn session_page(&self, page: SessionPage) -> Answer<'_, SessionPart> {
        self.ask(Query::SessionPage { page })
    }
}

impl Queries for RemoteQueries {
    fn servers(&self) -> Answer<'_, Vec<ServerStatus>> {
        self.ask(Query::Servers {})
    }

    fn tools(&self) -> Answer<'_, Vec<ToolInfo>> {
        self.ask(Query::Tools {})
    }

    fn resources(&self, server: Option<ServerName>) -> Answer<'_, Vec<ResourceInfo>> {
        self.ask(Query::Resources { server })
    }

    fn read_resource(&self, server: ServerName, uri: String) -> Answer<'_, Vec<ResourcePart>> {
        self.ask(Query::ReadResource { server, uri })
    }

    fn prompts(&self) -> Answer<'_, Vec<PromptInfo>> {
        self.ask(Query::Prompts {})
    }

    fn prompt(&self, server: ServerName, name: String, arguments: BTreeMap<String, String>) -> Answer<'_, String> {
        self.ask(Query::Prompt { server, name, arguments })
    }

    fn completions(
        &self,
        server: ServerName,
        of: CompletionOf,
        argument: String,
        value: String,
        known: BTreeMap<String, String>,
    ) -> Answer<'_, Vec<String>> {
        self.ask(Query::Completions { server, of, argument, value, known })
    }

    fn questions(&self) -> Answer<'_, Vec<Question>> {
        self.ask(Query::Questions {})
    }

    fn server_log(&self, server: ServerName, lines: usize) -> Answer<'_, Vec<String>> {
        self.ask(Query::ServerLog { server, lines })
    }

    fn models(&self) -> Answer<'_, Vec<ModelInfo>> {
        self.ask(Query::Models {})
    }

    fn agents(&self) -> Answer<'_, Vec<AgentInfo>> {
        self.ask(Query::Agents {})
    }

    fn tasks(&self, user: Option<String>) -> Answer<'_, Vec<TaskRow>> {
        self.ask(Query::Tasks { user })
    }

    fn task_detail(&self, task: TaskId) -> Answer<'_, TaskDetail> {
        self.ask(Query::TaskDetail { task })
    }

    fn inbox(&self, filter: InboxFilter) -> Answer<'_, Vec<InboxRow>> {
        self.ask(Query::Inbox { filter })
    }

    fn deliveries(&self, limit: usize) -> Answer<'_, Vec<Delivery>> {
        self.ask(Query::Deliveries { limit })
    }

    fn ambient_status(&self) -> Answer<'_, AmbientStatus> {
        self.ask(Query::AmbientStatus {})
    }

    fn memories(&self, filter: MemoryFilter) -> Answer<'_, MemoryPage> {
        self.ask(Query::Memories { filter })
    }

    fn memory_status(&self) -> Answer<'_, MemoryStatus> {
        self.ask(Query::MemoryStatus {})
    }

    fn export(&self, session: SessionId, format: ExportFormat) -> Answer<'_, String> {
        self.ask(Query::Export { session, format })
    }

    fn spending(&self, session: Option<SessionId>, today: Instant) -> Answer<'_, Spending> {
        self.ask(Query::Spending { session, today })
    }

    fn undoable(&self, session: Option<SessionId>) -> Answer<'_, Vec<UndoRow>> {
        self.ask(Query::Undoable { session })
    }

    fn cache(&self) -> Answer<'_, Stats> {
        self.ask(Query::Cache {})
    }

    fn report(&self) -> Answer<'_, ReportStatus> {
        self.ask(Query::Report {})
    }

    fn doctor(&self) -> Answer<'_, Vec<CheckRow>> {
        self.ask(Query::Doctor {})
    }
}
