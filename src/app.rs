//! Builds the parts, wires them, routes commands, shuts down.
//!
//! [`App::start`] makes the log, the models, the servers and the agent, in that order, and hands out what surfaces
//! need: a bus to read, an inbox to write, queries to ask. Nothing here waits for a server or a model.

pub mod ambient;
pub mod attach;
pub mod caching;
pub mod doctor;
pub mod feed;
pub mod intake;
pub mod locks;
pub mod logging;
pub mod memory;
pub mod models;
pub mod offered;
pub mod prompter;
pub mod queries;
pub mod reports;
pub mod sampler;
pub mod tour;
pub mod triage;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::agent::budget::{self, Budget};
use crate::agent::{self, Engine, EngineHandle};
use crate::ambient::messages::{self, Messages};
use crate::ambient::nudge::Nudges;
use crate::ambient::service::TaskService;
use crate::ambient::tools;
use crate::app::queries::AppQueries;
use crate::bus::{CommandReceiver, CommandSender, Recorder, Subscription, command_inbox};
use crate::config::environment::Environment;
use crate::config::load::Loaded;
use crate::config::paths::Paths;
use crate::config::settings::Settings;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::command::{ApprovalMode, CacheCommand, Command};
use crate::domain::event::{ErrorEvent, NewEvent};
use crate::domain::ids::SessionId;
use crate::domain::query::{EventReader, Queries};
use crate::interactions::reporter::Reports;
use crate::mcp::{self, Answering, ServerPool};
use crate::memory::MemoryService;
use crate::net::{self, fetch::Fetcher};
use crate::notify::Channels;
use crate::server::peers::Peers;
use crate::store::EventLog;
use crate::store::cache::Cache;
use crate::tools::{ForPeople, ToolBox, local};
use crate::web::{self, Web};

/// Commands that may wait for the router.
const INBOX_MAX: usize = 1_024;

/// The longest that a shutdown waits for the agent; what it leaves open is closed at the next start.
const AGENT_STOP_MAX: Duration = Duration::from_secs(3);

/// The longest that a shutdown waits for the cache; what is not on disk by then is fetched again.
pub const CACHE_FLUSH_MAX: Duration = Duration::from_secs(2);

/// Everything the program is started with.
#[derive(Debug, Clone)]
pub struct Start {
    /// The settings.
    pub loaded: Loaded,
    /// Where files live.
    pub paths: Paths,
    /// The environment.
    pub environment: Environment,
    /// The working folder.
    pub cwd: std::path::PathBuf,
    /// Nobody is there to answer questions for consent.
    pub unattended: bool,
    /// What servers are answered then.
    pub rules: mcp::Rules,
    /// Whether this process runs background tasks, if no other does: those that end at once do not.
    pub awake: bool,
}

/// What the surface for other programs is handed beside the rest.
struct Offers {
    peers: Peers,
    previewer: Arc<dyn crate::ambient::ports::Previewer>,
    /// What the built-in tools may do.
    local: local::Options,
    /// The web as tools see it.
    web: Web,
    /// What is sent to somebody at once.
    messages: Messages,
    /// Where interaction reports of others go.
    intake: Arc<crate::interactions::intake::Intake>,
    nudges: Nudges,
    clock: Arc<dyn Clock>,
}

/// The running program.
pub struct App {
    log: EventLog,
    /// From before the first event of this run.
    feed: Mutex<Option<Subscription>>,
    pool: ServerPool,
    engine: EngineHandle,
    loops: ambient::Loops,
    channels: Arc<Channels>,
    tasks: TaskService,
    cache: Cache,
    memories: MemoryService,
    reporting: Option<crate::interactions::reporter::Running>,
    queries: Arc<AppQueries>,
    commands: CommandSender,
    offers: Offers,
    router: JoinHandle<()>,
    stop: CancellationToken,
    _logging: Option<logging::Logging>,
}

impl App {
    /// Starts everything. Must be called within a runtime; opens one file and connects to nobody by itself (the pool
    /// does, behind).
    ///
    /// # Errors
    /// When the log cannot be opened or the settings name what is not there.
    #[expect(clippy::too_many_lines, reason = "what is built of what reads best in one place")]
    pub async fn start(start: Start) -> anyhow::Result<Self> {
        let settings = start.loaded.settings.clone();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let secrets = models::secrets(&settings, &start.environment);
        let logging = logging::start(&start.paths.logs(), start.environment.process("RUST_LOG"), secrets).ok();

        let path = start.paths.events_file();
        let log = queries::open_log(&settings.store, &path, &clock).await?;
        let feed = log.subscribe();
        let recorder: Arc<dyn Recorder> = Arc::new(log.clone());
        let reader: Arc<dyn EventReader> = Arc::new(log.clone());

        let net = net::Client::new(settings.net.clone());
        let cache = Cache::new(settings.cache.clone(), Some(start.paths.cache_file()), Arc::clone(&clock));
        let (catalog, mut warnings) = models::catalog(&settings, &net, &clock, &start.environment)?;
        warnings.extend(start.loaded.warnings.iter().cloned());

        let reports = Reports::new(settings.interaction_logging.clone(), &start.paths.data, Arc::clone(&clock));
        let reporting = reports::start(&reports, &settings, &start, &log, &net, &clock).await?;

        let (memories, warning) = memory::service(&settings, &start.paths, &catalog, &clock);
        warnings.extend(warning);
        let nudges = Nudges::default();
        let feedback_url = start.environment.get("EVENT_FEEDBACK_URL").map(str::to_owned);
        let tasks = ambient::service(&log, &settings, feedback_url, &nudges, locks::FolderLocks::new(start.paths.state.join("locks")));
        let fetcher = Fetcher::through(settings.net.proxy.clone(), settings.fetch.clone(), Arc::clone(&clock));
        let fetcher = web::keeping(fetcher, &cache, &clock);
        let variable = |name: &str| start.environment.get(name).map(str::to_owned);
        let web_deps = web::Deps { fetcher: &fetcher, net: &net, cache: &cache, clock: &clock, variable: &variable };
        let web = Web::new(&settings.web, &web_deps);
        let (channels, told) = notices(&settings, &net, &clock, &start.environment)?;
        warnings.extend(told);

        let results = start.paths.state.join("results");
        let mut options =
            local::Options { folder: start.cwd.clone(), host: local::Host::own(&start.paths.state), ..settings.tools.clone() };
        // What was too long for a conversation can be read from there.
        options.roots.push(results.clone());
        let mut locals = local::catalog(options.clone(), Arc::clone(&clock));
        locals.extend(web::tools::catalog(&web));
        let messages = Messages {
            log: log.clone(),
            clock: Arc::clone(&clock),
            nudges: nudges.clone(),
            channels: Arc::clone(&channels),
            service: tasks.clone(),
            outbox: Arc::default(),
        };
        locals.push(messages::catalog(messages.clone(), tools::Asks::Person));
        locals.push(crate::memory::tools::catalog(&memories));
        // A preview runs no tool: nobody has consented yet.
        let previewer: Arc<dyn crate::ambient::ports::Previewer> =
            Arc::new(ambient::probes(&log, fetcher.clone(), ToolBox::default(), &settings.metrics));
        // The agent asks before each call that would have a task run something: `agent::approval`.
        locals.push(tools::catalog(&tasks, Some(Arc::clone(&previewer)), tools::Asks::Person));
        // A server of the user's own takes the place of the built-in one whose name it has.
        locals.retain(|(name, _)| !settings.mcp_servers.iter().any(|own| own.enabled && own.name == name.as_str()));

        let surroundings = mcp::Surroundings {
            recorder: Arc::clone(&recorder),
            clock: Arc::clone(&clock),
            http: queries::mcp_http(&start, &net),
            sampler: Some(Arc::new(sampler::ModelSampler::new(catalog.clone()))),
            roots: vec![start.cwd.clone()],
            memory: Some(start.paths.state.join("mcp")),
            results: Some(results),
            answering: if start.unattended { Answering::by(start.rules.clone()) } else { Answering::Person },
            environment: start.environment.own(),
        };
        let pool = ServerPool::start(settings.mcp_servers.clone(), locals, surroundings, settings.mcp.clone());
        let peers = Peers::new(Arc::clone(&recorder), Duration::from_secs(settings.server.peer_tool_timeout_seconds.max(1)));
        let people = ForPeople(local::for_people(&options, &clock));
        let sources: Vec<Arc<dyn crate::tools::ToolSource>> = vec![Arc::new(pool.clone()), Arc::new(peers.clone()), Arc::new(people)];
        let (toolbox, uncached) = caching::boxes(sources, &cache, &start.cwd);
        let offers = Offers {
            peers,
            previewer,
            local: options,
            web,
            messages: messages.clone(),
            intake: crate::interactions::coordinator::intake(&settings.coordinator, &start.paths.state, Arc::clone(&clock)),
            nudges: nudges.clone(),
            clock: Arc::clone(&clock),
        };
        let budget = budget(&settings, &log, &clock);
        let engine = Engine::start(agent::Deps {
            budget: budget.clone(),
            recorder: Arc::clone(&recorder),
            reader: Arc::clone(&reader),
            tools: toolbox.clone(),
            models: catalog.clone(),
            clock: Arc::clone(&clock),
            locks: Arc::new(locks::FolderLocks::new(start.paths.state.join("locks"))),
            recall: settings.memory.recall.then(|| Arc::new(memory::Recaller(memories.clone())) as Arc<dyn agent::recall::Recall>),
            cwd: start.cwd.display().to_string(),
            options: agent::Options { unattended: start.unattended, time_zone: time_zone(), ..settings.agent.clone() },
        });

        let loops = ambient::Loops::start(ambient::Parts {
            settings: &settings,
            log: &log,
            clock: &clock,
            service: &tasks,
            nudges: &nudges,
            fetcher,
            tools: uncached,
            catalog: &catalog,
            engine: engine.clone(),
            budget,
            channels: Arc::clone(&channels),
            sending: Arc::clone(&messages.outbox),
            shared: settings.store.url.is_some(),
            awake: start.awake.then(|| locks::FolderLocks::new(start.paths.state.join("locks"))),
        })?;
        let (commands, receiver) = command_inbox(INBOX_MAX);
        let stop = CancellationToken::new();
        let to = Routes {
            engine: engine.clone(),
            pool: pool.clone(),
            tasks: tasks.clone(),
            cache: cache.clone(),
            memories: memories.clone(),
            reports: reports.clone(),
        };
        let router = tokio::spawn(route(receiver, to, Arc::clone(&recorder), stop.clone()));
        let queries = Arc::new(AppQueries {
            reader,
            tools: toolbox,
            pool: pool.clone(),
            catalog,
            tasks: tasks.clone(),
            channels: Arc::clone(&channels),
            cache: cache.clone(),
            memories: memories.clone(),
            reports,
            start,
        });
        warn(&*recorder, warnings);
        Ok(Self {
            log,
            feed: Mutex::new(Some(feed)),
            pool,
            engine,
            loops,
            channels,
            tasks,
            cache,
            memories,
            reporting,
            queries,
            commands,
            offers,
            router,
            stop,
            _logging: logging,
        })
    }

    /// Everything that happens: for the first who asks from the start of this run, for later ones from now on.
    pub fn subscribe(&self) -> Subscription {
        let first = self.feed.lock().unwrap_or_else(PoisonError::into_inner).take();
        first.unwrap_or_else(|| self.log.subscribe())
    }

    /// Takes what is wanted.
    pub fn commands(&self) -> CommandSender {
        self.commands.clone()
    }

    /// Answers what is asked.
    pub fn queries(&self) -> Arc<dyn Queries> {
        Arc::clone(&self.queries) as Arc<dyn Queries>
    }

    /// Where interaction reports of others go.
    pub fn intake(&self) -> Arc<crate::interactions::intake::Intake> {
        Arc::clone(&self.offers.intake)
    }

    /// The log itself, for replays that go live.
    pub fn log(&self) -> &EventLog {
        &self.log
    }

    /// The servers.
    pub fn pool(&self) -> &ServerPool {
        &self.pool
    }

    /// What is kept of what was fetched.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The background tasks.
    pub fn tasks(&self) -> &TaskService {
        &self.tasks
    }

    /// What is remembered across sessions.
    pub fn memories(&self) -> &MemoryService {
        &self.memories
    }

    /// Notices for the terminal, for the surface that owns it; only the first who asks gets them.
    pub fn terminal_notes(&self) -> Option<tokio::sync::mpsc::Receiver<crate::notify::TerminalNote>> {
        self.channels.take_terminal_notes()
    }

    /// When tool calls of a new session need consent.
    pub fn mode(&self) -> ApprovalMode {
        self.queries.mode()
    }

    /// The models.
    pub fn catalog(&self) -> &crate::llm::Catalog {
        self.queries.catalog()
    }

    /// Finds the session that `wanted` means: an id, the start of one, or `last`.
    ///
    /// # Errors
    /// When there is none, or more than one.
    pub async fn find_session(&self, wanted: &str) -> anyhow::Result<SessionId> {
        queries::find_session(&*self.queries, wanted).await
    }

    /// Stops everything in order: agent, servers, log. Bounded in time.
    pub async fn shutdown(self) {
        self.stop.cancel();
        let _ = self.router.await;
        self.loops.shutdown().await;
        let _ = tokio::time::timeout(AGENT_STOP_MAX, self.engine.shutdown()).await;
        self.pool.shutdown().await;
        let _ = tokio::time::timeout(CACHE_FLUSH_MAX, self.cache.flush()).await;
        self.memories.shutdown().await;
        // After all that could still happen, before the log that it reads.
        if let Some(reporting) = self.reporting {
            reporting.shutdown(reports::FLUSH_MAX).await;
        }
        self.log.shutdown().await;
    }
}

/// What models may take.
fn budget(settings: &Settings, log: &EventLog, clock: &Arc<dyn Clock>) -> Budget {
    Budget::new(budget::Parts {
        reader: Arc::new(log.clone()),
        recorder: Arc::new(log.clone()),
        clock: Arc::clone(clock),
        zone: jiff::tz::TimeZone::system(),
        prices: settings.prices.clone(),
        options: settings.budget,
    })
}

/// How to reach people, and what is odd about how.
fn notices(
    settings: &Settings,
    net: &net::Client,
    clock: &Arc<dyn Clock>,
    environment: &Environment,
) -> anyhow::Result<(Arc<Channels>, Vec<String>)> {
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    let guarded = net.clone().guarded(settings.fetch.guard(settings.net.proxy.as_deref()));
    let (channels, told) = Channels::new(&settings.notify, guarded, Arc::clone(clock), &variable)?;
    Ok((Arc::new(channels), told))
}

/// The machine's time zone as an IANA name, where it has one.
fn time_zone() -> String {
    jiff::tz::TimeZone::system().iana_name().unwrap_or("UTC").to_owned()
}

/// To whom commands go.
struct Routes {
    engine: EngineHandle,
    pool: ServerPool,
    tasks: TaskService,
    cache: Cache,
    memories: MemoryService,
    reports: Reports,
}

/// Hands each command to whom it concerns; what nobody takes becomes an error on the screen.
async fn route(mut inbox: CommandReceiver, to: Routes, recorder: Arc<dyn Recorder>, stop: CancellationToken) {
    let Routes { engine, pool, tasks, cache, memories, reports } = to;
    loop {
        let command = tokio::select! {
            biased;
            command = inbox.recv() => match command {
                Some(command) => command,
                None => return,
            },
            // What was sent before the end still counts.
            () = stop.cancelled() => return,
        };
        let failed = match command {
            Command::Reply { question, reply } => pool.desk().reply(&question, reply).err().map(|error| error.to_string()),
            Command::Mcp(command) => pool.command(command).err().map(|error| error.to_string()),
            Command::Task(command) => tasks.command(command).await.err().map(|error| error.report()),
            Command::Inbox(command) => tasks.inbox_command(command).await.err().map(|error| error.report()),
            // Clearing takes its time: other commands go on meanwhile.
            Command::Cache(CacheCommand::Clear { kind }) => {
                tokio::spawn(caching::clear(cache.clone(), kind, Arc::clone(&recorder)));
                None
            }
            // A vector may be waited for: other commands go on meanwhile.
            Command::Memory(command) => {
                let (memories, recorder) = (memories.clone(), Arc::clone(&recorder));
                tokio::spawn(async move {
                    match memories.command(command).await {
                        Ok(event) => recorder.emit(NewEvent::system(event)),
                        Err(error) => complain(&*recorder, crate::domain::text::with_causes(&error)),
                    }
                });
                None
            }
            Command::Report(command) => {
                tokio::spawn(reports::command(reports.clone(), command, Arc::clone(&recorder)));
                None
            }
            // Reading takes its time: other commands go on meanwhile.
            Command::Submit { session, message_id, text, delivery } if attach::has_mention(&pool, &text) => {
                let (engine, pool, recorder) = (engine.clone(), pool.clone(), Arc::clone(&recorder));
                tokio::spawn(async move {
                    let text = attach::expand(&pool, text).await;
                    if let Err(error) = engine.handle(Command::Submit { session, message_id, text, delivery }) {
                        complain(&*recorder, error.to_string());
                    }
                });
                None
            }
            command => engine.handle(command).err().map(|error| error.to_string()),
        };
        if let Some(message) = failed {
            complain(&*recorder, message);
        }
    }
}

/// Tells what is odd about the settings.
fn warn(recorder: &dyn Recorder, warnings: Vec<String>) {
    for message in warnings {
        recorder.emit(NewEvent::system(ErrorEvent { message, source: "config".to_owned(), details: json!({}) }));
    }
}

/// Tells of a command that came to nothing.
fn complain(recorder: &dyn Recorder, message: String) {
    recorder.emit(NewEvent::system(ErrorEvent { message, source: "app".to_owned(), details: json!({}) }));
}
