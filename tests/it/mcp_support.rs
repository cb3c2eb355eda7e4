//! What the tests of MCP servers share: a recorder that can be waited for, real processes, bounded waits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use wakeful::bus::{RecordError, Recorder};
use wakeful::domain::clock::SystemClock;
use wakeful::domain::event::{Event, EventBody, McpEvent, McpEventType, NewEvent};
use wakeful::domain::ids::{CallId, EventId, Seq};
use wakeful::domain::query::{ServerState, ServerStatus};
use wakeful::mcp::{Answering, Http, LocalServer, PoolOptions, ServerOptions, ServerPool, Surroundings};
use wakeful::tools::{CallContext, Tool, ToolError, ToolOutcome, ToolSource};

/// The longest wait for anything, in a machine under load.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Keeps all events; can be waited for.
#[derive(Clone)]
pub struct Kept {
    events: Arc<Mutex<Vec<Arc<Event>>>>,
    count: watch::Sender<usize>,
}

impl Default for Kept {
    fn default() -> Self {
        Self { events: Arc::default(), count: watch::Sender::new(0) }
    }
}

impl Kept {
    fn keep(&self, event: NewEvent, stored: bool) -> Arc<Event> {
        let mut events = self.events.lock().unwrap();
        let seq = stored.then(|| Seq(events.len() as u64 + 1));
        let event = Event {
            seq,
            id: EventId::generate(),
            at: wakeful::domain::clock::Instant::default(),
            session: event.session,
            body: event.body,
        };
        events.push(Arc::new(event));
        self.count.send_replace(events.len());
        Arc::clone(events.last().unwrap())
    }

    pub fn all(&self) -> Vec<Arc<Event>> {
        self.events.lock().unwrap().clone()
    }

    /// The events of a server, in order.
    pub fn of(&self, server: &str) -> Vec<McpEvent> {
        let of = |event: &Arc<Event>| match &event.body {
            EventBody::McpEvent(event) if event.service_name.as_str() == server => Some(event.clone()),
            _ => None,
        };
        self.all().iter().filter_map(of).collect()
    }

    pub fn kinds(&self, server: &str) -> Vec<McpEventType> {
        self.of(server).iter().map(|event| event.event_type).collect()
    }

    /// Waits until the events of a server fit.
    pub async fn until(&self, server: &str, fits: impl Fn(&[McpEvent]) -> bool) -> Vec<McpEvent> {
        let mut count = self.count.subscribe();
        let wait = async {
            loop {
                count.mark_unchanged();
                let events = self.of(server);
                if fits(&events) {
                    return events;
                }
                count.changed().await.unwrap();
            }
        };
        timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("not in time; events: {:#?}", self.of(server)))
    }

    /// Waits until `kind` was told `times` times.
    pub async fn until_kind(&self, server: &str, kind: McpEventType, times: usize) -> Vec<McpEvent> {
        self.until(server, |events| events.iter().filter(|event| event.event_type == kind).count() >= times).await
    }

    pub fn errors(&self) -> Vec<String> {
        let error = |event: &Arc<Event>| match &event.body {
            EventBody::Error(error) => Some(format!("{} {}", error.message, error.details)),
            _ => None,
        };
        self.all().iter().filter_map(error).collect()
    }
}

impl Recorder for Kept {
    fn record(&self, events: Vec<NewEvent>) -> BoxFuture<'static, Result<Vec<Arc<Event>>, RecordError>> {
        let kept = events.into_iter().map(|event| self.keep(event, true)).collect();
        std::future::ready(Ok(kept)).boxed()
    }

    fn emit(&self, event: NewEvent) {
        self.keep(event, false);
    }
}

/// The HTTP client of the tests.
pub fn http() -> Http {
    static CRYPTO: Once = Once::new();
    Http::new(|_: &str| {
        CRYPTO.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build();
        std::future::ready(client.map_err(|error| error.to_string())).boxed()
    })
}

/// Our environment.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars().collect()
}

/// Retries soon, so that no test waits long.
pub fn quick() -> PoolOptions {
    PoolOptions { retry_first_ms: 20, retry_max_seconds: 1, retry_attempts_max: 0, ..PoolOptions::default() }
}

/// A pool and what it told.
pub struct Pool {
    pub pool: ServerPool,
    pub kept: Kept,
}

impl Pool {
    pub fn start(servers: Vec<ServerOptions>) -> Self {
        Self::with(servers, Vec::new(), quick())
    }

    pub fn with(servers: Vec<ServerOptions>, local: Vec<LocalServer>, options: PoolOptions) -> Self {
        Self::among(servers, local, options, |_| {})
    }

    /// A pool with this HTTP client.
    pub fn over(http: Http, servers: Vec<ServerOptions>, local: Vec<LocalServer>, options: PoolOptions) -> Self {
        Self::among(servers, local, options, |surroundings| surroundings.http = http)
    }

    /// A pool in surroundings that `change` changes.
    pub fn among(
        servers: Vec<ServerOptions>,
        local: Vec<LocalServer>,
        options: PoolOptions,
        change: impl FnOnce(&mut Surroundings),
    ) -> Self {
        let kept = Kept::default();
        let mut surroundings = Surroundings {
            recorder: Arc::new(kept.clone()),
            clock: Arc::new(SystemClock),
            http: http(),
            answering: Answering::default(),
            sampler: None,
            roots: Vec::new(),
            memory: None,
            results: None,
            environment: environment(),
        };
        change(&mut surroundings);
        Self { pool: ServerPool::start(servers, local, surroundings, options), kept }
    }

    pub async fn settled(&self) {
        assert!(self.pool.settled(LIMIT).await, "not settled: {:#?}", self.pool.servers());
    }

    pub fn status(&self, server: &str) -> ServerStatus {
        let servers = self.pool.servers();
        servers.into_iter().find(|status| status.name.as_str() == server).unwrap_or_else(|| panic!("no server {server}"))
    }

    pub fn is_ready(&self, server: &str) -> bool {
        self.status(server).status == ServerState::Ready
    }

    pub fn names(&self) -> Vec<String> {
        self.pool.tools().iter().map(|tool| tool.info().name.to_string()).collect()
    }

    pub fn tool(&self, name: &str) -> Arc<dyn Tool> {
        let tools = self.pool.tools();
        tools.into_iter().find(|tool| tool.info().name.as_str() == name).unwrap_or_else(|| panic!("no tool {name} in {:?}", self.names()))
    }

    pub async fn call(&self, name: &str, arguments: Value) -> Result<ToolOutcome, ToolError> {
        self.call_with(name, arguments, CancellationToken::new()).await
    }

    pub async fn call_with(&self, name: &str, arguments: Value, cancel: CancellationToken) -> Result<ToolOutcome, ToolError> {
        timeout(LIMIT, self.tool(name).call(object(arguments), context(cancel))).await.expect("the call hangs")
    }

    pub async fn text(&self, name: &str, arguments: Value) -> String {
        self.call(name, arguments).await.unwrap_or_else(|error| panic!("{name}: {error:?}")).text
    }
}

pub fn context(cancel: CancellationToken) -> CallContext {
    CallContext { call_id: CallId::from("call-1"), session: Some("session-1".into()), cancel }
}

pub fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(object) = value { object } else { Map::new() }
}

/// A server that is a program.
pub fn program(name: &str, command: impl AsRef<Path>, args: &[&str]) -> ServerOptions {
    ServerOptions {
        name: name.to_owned(),
        command: Some(command.as_ref().to_str().unwrap().to_owned()),
        args: args.iter().map(ToString::to_string).collect(),
        startup_timeout_seconds: 20,
        ..ServerOptions::default()
    }
}

/// A server behind HTTP.
pub fn address(name: &str, url: &str) -> ServerOptions {
    ServerOptions { name: name.to_owned(), url: Some(url.to_owned()), startup_timeout_seconds: 20, ..ServerOptions::default() }
}

/// The scripted server in one of its modes, named after it.
pub fn scripted(mode: &str) -> ServerOptions {
    let script = root().join("tests/peers/scripted.py");
    program(mode, "python3", &["-u", script.to_str().unwrap(), mode])
}

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Whether a process lives; a zombie does not.
pub fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}

/// Waits until a process is gone.
pub async fn until_gone(pid: &str) {
    let wait = async {
        while is_alive(pid) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LIMIT, wait).await.unwrap_or_else(|_| panic!("process {pid} is left behind"));
}

pub fn kill_9(pid: &str) {
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
