//! Answers what surfaces ask.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use futures::FutureExt;
use futures::future::join_all;

use crate::agent::export;
use crate::agent::spending::Tally;
use crate::ambient::service::TaskService;
use crate::app::{Start, doctor};
use crate::domain::catalog::{CompletionOf, PromptInfo, ResourceInfo, ResourcePart};
use crate::domain::clock::{Clock, Instant, SystemClock};
use crate::domain::command::ApprovalMode;
use crate::domain::event::Event;
use crate::domain::ids::{Seq, ServerName, SessionId, TaskId};
use crate::domain::memory::{MemoryFilter, MemoryPage, MemoryStatus};
use crate::domain::notice::{Delivery, InboxRow};
use crate::domain::query::{
    AgentInfo, AmbientStatus, Answer, CheckRow, EventFilter, EventReader, ExportFormat, InboxFilter, ModelInfo, Queries, QueryError,
    ServerStatus, SessionPage, SessionPart, SessionSummary, Spend, Spending, TaskDetail, TaskSpend,
};
use crate::domain::question::Question;
use crate::domain::report::ReportStatus;
use crate::domain::task::{ADMIN_USER, TaskRow};
use crate::domain::text::with_causes;
use crate::domain::tool::ToolInfo;
use crate::domain::undo::UndoRow;
use crate::interactions::reporter::Reports;
use crate::llm::{Catalog, offline};
use crate::mcp::{self, ServerPool};
use crate::memory::MemoryService;
use crate::net;
use crate::notify::Channels;
use crate::store::cache::{Cache, Stats};
use crate::store::{self, EventLog};
use crate::tools::{ToolBox, local};

/// The longest that a provider is waited for when models are listed.
const MODELS_WAIT_MAX: Duration = Duration::from_secs(3);

/// Events of turns that are read at once.
const TURNS_PAGE: usize = 10_000;

/// Pages of them that are counted.
const TURN_PAGES_MAX: usize = 50;

/// Tasks whose costs are told.
const TASKS_MAX: usize = 50;

/// Sessions that are looked through for the start of an id.
const SESSIONS_MAX: usize = 10_000;

/// The read side of the program.
pub struct AppQueries {
    pub(super) reader: Arc<dyn EventReader>,
    pub(super) tools: ToolBox,
    pub(super) pool: ServerPool,
    pub(super) catalog: Catalog,
    pub(super) tasks: TaskService,
    pub(super) channels: Arc<Channels>,
    pub(super) cache: Cache,
    pub(super) memories: MemoryService,
    pub(super) reports: Reports,
    pub(super) start: Start,
}

impl AppQueries {
    /// All models.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// When tool calls of a new session need consent.
    pub fn mode(&self) -> ApprovalMode {
        self.start.loaded.settings.agent.mode
    }

    async fn list_models(&self) -> Vec<ModelInfo> {
        let ask = |(name, llm): &(String, Arc<dyn crate::llm::Llm>)| {
            let (name, llm) = (name.clone(), Arc::clone(llm));
            async move {
                let models = tokio::time::timeout(MODELS_WAIT_MAX, llm.models()).await.ok().and_then(Result::ok).unwrap_or_default();
                let note = if name == offline::PROVIDER { "built in, rule-based, no language model" } else { "" };
                let info = |model: String| ModelInfo { id: format!("{name}/{model}"), note: note.to_owned() };
                models.into_iter().map(info).collect::<Vec<_>>()
            }
        };
        let mut all: Vec<ModelInfo> = join_all(self.catalog.providers().iter().map(ask)).await.into_iter().flatten().collect();
        // The model of the config counts whether or not its provider answers now.
        let default = self.catalog.default_id();
        if !all.iter().any(|info| info.id == default) {
            all.push(ModelInfo { id: default.to_owned(), note: "from the config; its provider did not answer just now".to_owned() });
        }
        all
    }
}

impl EventReader for AppQueries {
    fn sessions(&self, search: Option<String>, limit: usize) -> Answer<'_, Vec<SessionSummary>> {
        self.reader.sessions(search, limit)
    }

    fn events(&self, filter: EventFilter) -> Answer<'_, Vec<Arc<Event>>> {
        self.reader.events(filter)
    }

    fn session_events(&self, session: SessionId) -> Answer<'_, Vec<Arc<Event>>> {
        self.reader.session_events(session)
    }

    fn session_page(&self, page: SessionPage) -> Answer<'_, SessionPart> {
        self.reader.session_page(page)
    }
}

impl Queries for AppQueries {
    fn servers(&self) -> Answer<'_, Vec<ServerStatus>> {
        std::future::ready(Ok(self.pool.servers())).boxed()
    }

    fn tools(&self) -> Answer<'_, Vec<ToolInfo>> {
        std::future::ready(Ok(self.tools.tools().iter().map(|tool| tool.info().clone()).collect())).boxed()
    }

    fn server_log(&self, server: ServerName, lines: usize) -> Answer<'_, Vec<String>> {
        std::future::ready(Ok(self.pool.server_log(&server, lines))).boxed()
    }

    fn resources(&self, server: Option<ServerName>) -> Answer<'_, Vec<ResourceInfo>> {
        async move { self.pool.resources(server.as_ref()).await.map_err(QueryError) }.boxed()
    }

    fn read_resource(&self, server: ServerName, uri: String) -> Answer<'_, Vec<ResourcePart>> {
        async move { self.pool.read_resource(&server, &uri).await.map_err(QueryError) }.boxed()
    }

    fn prompts(&self) -> Answer<'_, Vec<PromptInfo>> {
        async move { self.pool.prompts().await.map_err(QueryError) }.boxed()
    }

    fn prompt(&self, server: ServerName, name: String, arguments: BTreeMap<String, String>) -> Answer<'_, String> {
        async move { self.pool.prompt(&server, &name, arguments).await.map_err(QueryError) }.boxed()
    }

    fn completions(
        &self,
        server: ServerName,
        of: CompletionOf,
        argument: String,
        value: String,
        known: BTreeMap<String, String>,
    ) -> Answer<'_, Vec<String>> {
        async move { self.pool.completions(&server, of, argument, value, known).await.map_err(QueryError) }.boxed()
    }

    fn questions(&self) -> Answer<'_, Vec<Question>> {
        std::future::ready(Ok(self.pool.desk().waiting())).boxed()
    }

    fn models(&self) -> Answer<'_, Vec<ModelInfo>> {
        async { Ok(self.list_models().await) }.boxed()
    }

    fn agents(&self) -> Answer<'_, Vec<AgentInfo>> {
        std::future::ready(Ok(self.start.loaded.settings.agent.agent_infos())).boxed()
    }

    fn tasks(&self, user: Option<String>) -> Answer<'_, Vec<TaskRow>> {
        async move { self.tasks.list(user.as_deref().unwrap_or(ADMIN_USER)).await.map_err(|error| QueryError(error.report())) }.boxed()
    }

    fn task_detail(&self, task: TaskId) -> Answer<'_, TaskDetail> {
        async move { self.tasks.detail(&task).await.map_err(|error| QueryError(error.report())) }.boxed()
    }

    fn inbox(&self, filter: InboxFilter) -> Answer<'_, Vec<InboxRow>> {
        async move { self.tasks.inbox(filter).await.map_err(|error| QueryError(error.report())) }.boxed()
    }

    fn deliveries(&self, limit: usize) -> Answer<'_, Vec<Delivery>> {
        async move { self.tasks.deliveries(limit).await.map_err(|error| QueryError(error.report())) }.boxed()
    }

    fn ambient_status(&self) -> Answer<'_, AmbientStatus> {
        async move { self.tasks.status(ADMIN_USER).await.map_err(|error| QueryError(error.report())) }.boxed()
    }

    fn memories(&self, filter: MemoryFilter) -> Answer<'_, MemoryPage> {
        async move { self.memories.page(filter).await.map_err(|error| QueryError(with_causes(&error))) }.boxed()
    }

    fn memory_status(&self) -> Answer<'_, MemoryStatus> {
        async move { self.memories.status().await.map_err(|error| QueryError(with_causes(&error))) }.boxed()
    }

    fn export(&self, session: SessionId, format: ExportFormat) -> Answer<'_, String> {
        async move {
            let events = self.reader.session_events(session).await?;
            if events.is_empty() {
                return Err(QueryError("there is nothing of this session in the log".to_owned()));
            }
            // A long session takes a while to write, which must keep nobody else waiting.
            let written = tokio::task::spawn_blocking(move || export::document(&events, format)).await;
            written.map_err(|error| QueryError(error.to_string()))?.map_err(|error| QueryError(error.to_string()))
        }
        .boxed()
    }

    fn spending(&self, session: Option<SessionId>, today: Instant) -> Answer<'_, Spending> {
        async move {
            let mut tally = Tally::new(session, today);
            let page = |after: Option<Seq>| EventFilter {
                types: vec!["turn_event".to_owned()],
                after,
                limit: Some(TURNS_PAGE),
                ..EventFilter::default()
            };
            let mut after = None;
            let mut pages = 0;
            loop {
                let events = self.reader.events(page(after)).await?;
                events.iter().for_each(|event| tally.apply(event));
                pages += 1;
                after = events.last().and_then(|event| event.seq);
                if events.len() < TURNS_PAGE || pages == TURN_PAGES_MAX {
                    let cut = events.len() == TURNS_PAGE;
                    let prices = &self.start.loaded.settings.prices;
                    let price = |spend: &Spend| prices.get(&spend.model).map(|price| price.of(spend.usage));
                    let spending = tally.spending(price, !prices.is_empty(), cut);
                    return Ok(Spending { tasks: task_spends(self.tasks(None).await.unwrap_or_default()), ..spending });
                }
            }
        }
        .boxed()
    }

    fn undoable(&self, session: Option<SessionId>) -> Answer<'_, Vec<UndoRow>> {
        async move {
            let settings = &self.start.loaded.settings.tools;
            let options = local::Options { host: local::Host::own(&self.start.paths.state), ..settings.clone() };
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            let Some(journal) = options.journal(&clock) else { return Ok(Vec::new()) };
            let rows = tokio::task::spawn_blocking(move || journal.rows(session.as_ref())).await;
            rows.map_err(|error| QueryError(error.to_string()))?.map_err(|error| QueryError(format!("the journal cannot be read: {error}")))
        }
        .boxed()
    }

    fn cache(&self) -> Answer<'_, Stats> {
        async { Ok(self.cache.stats().await) }.boxed()
    }

    fn report(&self) -> Answer<'_, ReportStatus> {
        async { self.reports.status().await.map_err(|error| QueryError(with_causes(&error))) }.boxed()
    }

    fn doctor(&self) -> Answer<'_, Vec<CheckRow>> {
        async {
            let parts = doctor::Parts {
                catalog: &self.catalog,
                pool: &self.pool,
                channels: self.channels.statuses(),
                cache: &self.cache,
                reports: &self.reports,
            };
            Ok(doctor::look(&self.start, doctor::log(&*self.reader).await, &parts).await)
        }
        .boxed()
    }
}

/// What models took for each task, those that took most first. No money of a task that took tokens is money not known.
fn task_spends(rows: Vec<TaskRow>) -> Vec<TaskSpend> {
    let spend = |row: TaskRow| TaskSpend {
        cost_micros: Some(row.cost_micros).filter(|micros| *micros > 0),
        tokens: row.tokens,
        description: row.spec.description,
    };
    let mut spends: Vec<TaskSpend> = rows.into_iter().filter(|row| row.tokens > 0).map(spend).collect();
    spends.sort_by_key(|spend| std::cmp::Reverse(spend.tokens));
    spends.truncate(TASKS_MAX);
    spends
}

/// How servers are reached over HTTP: through this program's one client; people log in with their browser.
pub fn mcp_http(start: &Start, net: &net::Client) -> mcp::Http {
    mcp_http_with(start, net, start.paths.oauth(), start.environment.own(), mcp::browser(&start.environment.own()))
}

/// The same with logins kept in `folder` and clients' secrets from `environment`, where `open` opens addresses.
pub fn mcp_http_with(
    start: &Start,
    net: &net::Client,
    folder: PathBuf,
    environment: BTreeMap<String, String>,
    open: mcp::Opener,
) -> mcp::Http {
    let setup = mcp::AuthSetup {
        net: net.clone(),
        proxy: start.loaded.settings.net.proxy.clone(),
        folder,
        environment,
        clock: Arc::new(SystemClock),
        open,
    };
    let net = net.clone();
    let http = mcp::Http::new(move |url: &str| {
        let (net, url) = (net.clone(), url.to_owned());
        async move { net.inner(&url).await.map_err(|error| error.to_string()) }.boxed()
    });
    http.with_logins(setup)
}

/// Finds the session that `wanted` means: an id, the start of one, or `last`.
///
/// # Errors
/// When there is none, or more than one.
pub async fn find_session(reader: &dyn EventReader, wanted: &str) -> anyhow::Result<SessionId> {
    let sessions = reader.sessions(None, SESSIONS_MAX).await?;
    if wanted == "last" {
        return sessions.into_iter().next().map(|session| session.id).ok_or_else(|| anyhow::anyhow!("there is no session yet"));
    }
    let mut found = sessions.into_iter().filter(|session| session.id.as_str().starts_with(wanted));
    match (found.next(), found.next()) {
        (Some(session), None) => Ok(session.id),
        (Some(_), Some(_)) => bail!("more than one session starts with `{wanted}`: give more of the id (`wakeful sessions` lists them)"),
        (None, _) => bail!("no session `{wanted}`: `wakeful sessions` lists them"),
    }
}

/// Opens the log where the options want it: a database, or the file `path`.
///
/// # Errors
/// When it cannot be opened; says what to do.
pub async fn open_log(options: &store::Options, path: &Path, clock: &Arc<dyn Clock>) -> anyhow::Result<EventLog> {
    // Each error of the log says itself what could not be opened.
    if options.url.is_some() {
        return Ok(EventLog::connect(options, path, Arc::clone(clock)).await?);
    }
    let (options, path, clock) = (options.clone(), path.to_owned(), Arc::clone(clock));
    Ok(tokio::task::spawn_blocking(move || EventLog::open(&path, &options, clock)).await??)
}
