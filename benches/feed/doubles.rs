//! A program behind the surface that knows nothing: the feed is all that is measured.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use wakeful::bus::{RecordError, Recorder, command_inbox};
use wakeful::domain::cache::Stats;
use wakeful::domain::catalog::{CompletionOf, PromptInfo, ResourceInfo, ResourcePart};
use wakeful::domain::clock::{Instant, SystemClock};
use wakeful::domain::event::{Event, NewEvent};
use wakeful::domain::firing::Feedback;
use wakeful::domain::ids::{ServerName, SessionId, TaskId};
use wakeful::domain::memory::{MemoryFilter, MemoryPage, MemoryStatus};
use wakeful::domain::notice::{Delivery, InboxRow};
use wakeful::domain::query::*;
use wakeful::domain::question::Question;
use wakeful::domain::report::ReportStatus;
use wakeful::domain::reports::{Access, RecordPage, RecordQuery, Statistics, Window};
use wakeful::domain::task::TaskRow;
use wakeful::domain::tool::ToolInfo;
use wakeful::server::Deps;
use wakeful::server::api::{FeedbackIntake, IntakeError, RecordIntake, Shown, TakenFeedback, TakenRecords};
use wakeful::server::peers::Peers;

struct Nobody;

fn none<'a, T: Default + Send + 'a>() -> Answer<'a, T> {
    std::future::ready(Ok(T::default())).boxed()
}

impl EventReader for Nobody {
    fn sessions(&self, _: Option<String>, _: usize) -> Answer<'_, Vec<SessionSummary>> {
        none()
    }
    fn events(&self, _: EventFilter) -> Answer<'_, Vec<Arc<Event>>> {
        none()
    }
    fn session_events(&self, _: SessionId) -> Answer<'_, Vec<Arc<Event>>> {
        none()
    }
    fn session_page(&self, _: SessionPage) -> Answer<'_, SessionPart> {
        none()
    }
}

impl Queries for Nobody {
    fn servers(&self) -> Answer<'_, Vec<ServerStatus>> {
        none()
    }
    fn tools(&self) -> Answer<'_, Vec<ToolInfo>> {
        none()
    }
    fn resources(&self, _: Option<ServerName>) -> Answer<'_, Vec<ResourceInfo>> {
        none()
    }
    fn read_resource(&self, _: ServerName, _: String) -> Answer<'_, Vec<ResourcePart>> {
        none()
    }
    fn prompts(&self) -> Answer<'_, Vec<PromptInfo>> {
        none()
    }
    fn prompt(&self, _: ServerName, _: String, _: BTreeMap<String, String>) -> Answer<'_, String> {
        none()
    }
    fn completions(&self, _: ServerName, _: CompletionOf, _: String, _: String, _: BTreeMap<String, String>) -> Answer<'_, Vec<String>> {
        none()
    }
    fn questions(&self) -> Answer<'_, Vec<Question>> {
        none()
    }
    fn server_log(&self, _: ServerName, _: usize) -> Answer<'_, Vec<String>> {
        none()
    }
    fn models(&self) -> Answer<'_, Vec<ModelInfo>> {
        none()
    }
    fn agents(&self) -> Answer<'_, Vec<AgentInfo>> {
        none()
    }
    fn tasks(&self, _: Option<String>) -> Answer<'_, Vec<TaskRow>> {
        none()
    }
    fn task_detail(&self, _: TaskId) -> Answer<'_, TaskDetail> {
        none()
    }
    fn inbox(&self, _: InboxFilter) -> Answer<'_, Vec<InboxRow>> {
        none()
    }
    fn deliveries(&self, _: usize) -> Answer<'_, Vec<Delivery>> {
        none()
    }
    fn ambient_status(&self) -> Answer<'_, AmbientStatus> {
        none()
    }
    fn memories(&self, _: MemoryFilter) -> Answer<'_, MemoryPage> {
        none()
    }
    fn report(&self) -> Answer<'_, ReportStatus> {
        none()
    }
    fn memory_status(&self) -> Answer<'_, MemoryStatus> {
        none()
    }
    fn export(&self, _: SessionId, _: ExportFormat) -> Answer<'_, String> {
        none()
    }
    fn spending(&self, _: Option<SessionId>, _: Instant) -> Answer<'_, Spending> {
        none()
    }
    fn undoable(&self, _: Option<SessionId>) -> Answer<'_, Vec<wakeful::domain::undo::UndoRow>> {
        none()
    }
    fn cache(&self) -> Answer<'_, Stats> {
        none()
    }
    fn doctor(&self) -> Answer<'_, Vec<CheckRow>> {
        none()
    }
}

impl Recorder for Nobody {
    fn record(&self, _: Vec<NewEvent>) -> BoxFuture<'static, Result<Vec<Arc<Event>>, RecordError>> {
        std::future::ready(Ok(Vec::new())).boxed()
    }
    fn emit(&self, _: NewEvent) {}
}

impl FeedbackIntake for Nobody {
    fn take(&self, _: Feedback, _: Option<String>) -> BoxFuture<'_, Result<TakenFeedback, IntakeError>> {
        std::future::ready(Err(IntakeError::Full)).boxed()
    }
}

impl RecordIntake for Nobody {
    fn admit(&self, _: Shown) -> BoxFuture<'_, Result<Access, IntakeError>> {
        std::future::ready(Err(IntakeError::Full)).boxed()
    }
    fn take(&self, _: Vec<Value>, _: Access) -> BoxFuture<'_, Result<TakenRecords, IntakeError>> {
        std::future::ready(Err(IntakeError::Full)).boxed()
    }
    fn count(&self) -> BoxFuture<'_, Result<u64, IntakeError>> {
        std::future::ready(Ok(0)).boxed()
    }
    fn page(&self, _: RecordQuery) -> BoxFuture<'_, Result<RecordPage, IntakeError>> {
        std::future::ready(Err(IntakeError::Full)).boxed()
    }
    fn statistics(&self, _: Window) -> BoxFuture<'_, Result<Statistics, IntakeError>> {
        std::future::ready(Err(IntakeError::Full)).boxed()
    }
}

/// What the surface is given.
pub fn deps() -> Deps {
    let recorder: Arc<dyn Recorder> = Arc::new(Nobody);
    Deps {
        live: Box::pin(futures::stream::pending()),
        epoch: "bench".to_owned(),
        queries: Arc::new(Nobody),
        commands: command_inbox(16).0,
        recorder: Arc::clone(&recorder),
        clock: Arc::new(SystemClock),
        tasks: Vec::new(),
        feedback: Arc::new(Nobody),
        records: Arc::new(Nobody),
        peers: Peers::new(recorder, std::time::Duration::from_mins(1)),
        mcp: None,
        default_model: String::new(),
        context_window_tokens: None,
        mode: wakeful::domain::command::ApprovalMode::default(),
        timezone: "UTC".to_owned(),
    }
}
