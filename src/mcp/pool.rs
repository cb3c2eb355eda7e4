//! All servers together: started at once, lent as one source of tools, commanded, shut down.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::Recorder;
use crate::domain::clock::Clock;
use crate::domain::command::McpCommand;
use crate::domain::event::McpEventType;
use crate::domain::ids::{ServerName, ToolName};
use crate::domain::query::ServerStatus;
use crate::mcp::auth::{AuthError, Authorizer};
use crate::mcp::desk::{Answering, Desk};
use crate::mcp::dial::{Dialer, Place, STARTS_MAX};
use crate::mcp::error::{CommandError, OptionsError};
use crate::mcp::events::Lane;
use crate::mcp::host::{Host, Sampler};
use crate::mcp::http::Http;
use crate::mcp::keep::Keep;
use crate::mcp::ledger::{self, Ledger};
use crate::mcp::link::Link;
use crate::mcp::local::ToolServer;
use crate::mcp::logging;
use crate::mcp::options::{PoolOptions, ServerOptions};
use crate::mcp::process::Children;
use crate::mcp::replica::{Replica, Standing};
use crate::mcp::service::{Service, Setup};
use crate::mcp::stderr::LogRing;
use crate::mcp::subscriptions;
use crate::mcp::supervisor::Supervisor;
use crate::tools::{Tool, ToolSource};

/// How long what happened at the end may take to be stored.
const LAST_EVENTS: Duration = Duration::from_secs(2);

/// One of our own servers: its name and its tools.
pub type LocalServer = (ServerName, Vec<Arc<dyn Tool>>);

/// What the pool is handed.
pub struct Surroundings {
    /// Takes what happens.
    pub recorder: Arc<dyn Recorder>,
    /// Tells the time of the next try.
    pub clock: Arc<dyn Clock>,
    /// Connects over HTTP.
    pub http: Http,
    /// Answers servers' questions.
    pub answering: Answering,
    /// Lends servers the model, where there is one.
    pub sampler: Option<Arc<dyn Sampler>>,
    /// Folders that servers are told of as roots.
    pub roots: Vec<PathBuf>,
    /// The folder where is kept what is remembered of servers from run to run; nothing is, and nobody is asked whether a
    /// program may be started, where absent.
    pub memory: Option<PathBuf>,
    /// The folder for results that are too long or no text; they are cut or described only where absent.
    pub results: Option<PathBuf>,
    /// Our own environment: programs get a few variables from it, `api_key_env` names others.
    pub environment: BTreeMap<String, String>,
}

/// Keeps all servers connected. Cheap to clone; when the last clone is dropped, all servers are closed.
#[derive(Clone)]
pub struct ServerPool(Arc<Pool>);

struct Pool {
    services: RwLock<Vec<Arc<Service>>>,
    dialer: Dialer,
    recorder: Arc<dyn Recorder>,
    host: Host,
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    options: PoolOptions,
    stop: CancellationToken,
    /// The events' own end, after everything else's.
    stop_events: CancellationToken,
    event_tasks: TaskTracker,
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.stop.cancel();
        self.stop_events.cancel();
    }
}

impl ServerPool {
    /// Starts all servers at once, each on its own task; returns without waiting for any. A server whose options are
    /// wrong is shown as failed and disturbs nobody. Call it within a tokio runtime.
    pub fn start(servers: Vec<ServerOptions>, local: Vec<LocalServer>, surroundings: Surroundings, options: PoolOptions) -> Self {
        let desk = Desk::new(Arc::clone(&surroundings.recorder), surroundings.answering);
        let dialer = Dialer {
            desk: Some(desk.clone()),
            http: surroundings.http,
            environment: Arc::new(surroundings.environment),
            children: Arc::new(Children::default()),
            tasks: TaskTracker::new(),
            starts: Arc::new(Semaphore::new(STARTS_MAX)),
        };
        let pool = Self(Arc::new(Pool {
            services: RwLock::default(),
            dialer,
            host: Host { desk, sampler: surroundings.sampler, roots: surroundings.roots.into(), keep: Keep::new(surroundings.results) },
            ledger: Ledger::new(surroundings.memory),
            recorder: surroundings.recorder,
            clock: surroundings.clock,
            options,
            stop: CancellationToken::new(),
            stop_events: CancellationToken::new(),
            event_tasks: TaskTracker::new(),
        }));
        for (name, tools) in local {
            pool.0.add_local(name, tools);
        }
        for options in servers {
            pool.0.add_remote(options);
        }
        pool
    }

    /// All servers, our own first, then in the order of the config.
    pub fn servers(&self) -> Vec<ServerStatus> {
        self.0.services().iter().map(|service| service.status()).collect()
    }

    /// The last `lines` lines that a server wrote to its error output, oldest first; none for an unknown server.
    pub fn server_log(&self, server: &ServerName, lines: usize) -> Vec<String> {
        self.0.find(server).map(|service| service.log.tail(lines)).unwrap_or_default()
    }

    /// Waits until every server's first attempt to connect is over, or `limit`; says whether all were.
    pub async fn settled(&self, limit: Duration) -> bool {
        let services = self.0.services();
        let all = futures::future::join_all(services.iter().map(|service| service.settled()));
        timeout(limit, all).await.is_ok()
    }

    /// Where servers' questions wait.
    pub fn desk(&self) -> &Desk {
        &self.0.host.desk
    }

    /// The server and a connection to it.
    ///
    /// # Errors
    /// When there is none, in words.
    pub(super) fn link_of(&self, server: &ServerName) -> Result<(Arc<Service>, Arc<Link>), String> {
        let service = self.0.find(server).ok_or_else(|| CommandError::Unknown(server.clone()).to_string())?;
        let link = service.any_link().ok_or_else(|| CommandError::Away(server.clone()).to_string())?;
        Ok((service, link))
    }

    /// All servers that answer, with a connection each.
    pub(super) fn ready_links(&self) -> Vec<(Arc<Service>, Arc<Link>)> {
        let all = self.0.services().into_iter();
        all.filter_map(|service| service.any_link().map(|link| (service, link))).collect()
    }

    /// Carries out a command. What follows is told by events. Call it within a tokio runtime.
    ///
    /// # Errors
    /// When there is no such server, or it cannot be added or removed.
    pub fn command(&self, command: McpCommand) -> Result<(), CommandError> {
        let find = |name: &ServerName| self.0.find(name).ok_or_else(|| CommandError::Unknown(name.clone()));
        match command {
            McpCommand::Restart(name) => {
                let service = find(&name)?;
                self.0.ask_again(&name);
                service.reconnect();
            }
            McpCommand::Enable(name) => {
                self.0.ask_again(&name);
                find(&name)?.wanted.send_if_modified(|wanted| !std::mem::replace(&mut wanted.enabled, true));
            }
            McpCommand::Disable(name) => {
                self.0.ask_again(&name);
                find(&name)?.wanted.send_if_modified(|wanted| std::mem::replace(&mut wanted.enabled, false));
            }
            McpCommand::Add { name, target } => {
                if self.0.find(&name).is_some() {
                    return Err(CommandError::Taken(name));
                }
                let options = ServerOptions::from_target(&name, &target)?;
                options.validate()?;
                self.0.add_remote(options);
            }
            McpCommand::Trace { server, on } => {
                let services = match server {
                    Some(name) => vec![find(&name)?],
                    None => self.0.services(),
                };
                services.iter().for_each(|service| service.trace.store(on, Ordering::Relaxed));
            }
            McpCommand::Subscribe { server, uri, on } => {
                let service = find(&server)?;
                if on && service.subscribed.borrow().len() >= subscriptions::URIS_MAX {
                    return Err(CommandError::TooMany(subscriptions::URIS_MAX));
                }
                service.subscribed.send_if_modified(|uris| if on { uris.insert(uri) } else { uris.remove(&uri) });
            }
            McpCommand::Tool { server, tool, on } => {
                if !find(&server)?.hold_back(&tool, !on) {
                    return Err(CommandError::NoTool(server, tool));
                }
            }
            McpCommand::LogLevel { server, level } => {
                let link = find(&server)?.any_link().ok_or_else(|| CommandError::Away(server.clone()))?;
                if !link.can("logging") {
                    return Err(CommandError::Lacks(server, "log levels"));
                }
                let level = logging::level(&level).ok_or(CommandError::Level(level))?;
                self.0.dialer.tasks.spawn(async move { logging::set(&link, &server, level).await });
            }
            McpCommand::Login { server } => {
                let (service, authorizers) = (find(&server)?, self.0.authorizers(&server)?);
                self.0.dialer.tasks.spawn(async move {
                    match forget(&authorizers, true).await {
                        Ok(()) => service.reconnect(),
                        Err(error) => {
                            let message = format!("could not log in to `{}`: {error}", service.name);
                            service.lane.fail(message, json!({"server": service.name})).await;
                        }
                    }
                });
            }
            McpCommand::Logout(name) => {
                let (service, authorizers) = (find(&name)?, self.0.authorizers(&name)?);
                self.0.dialer.tasks.spawn(async move {
                    if let Err(error) = forget(&authorizers, false).await {
                        let message = format!("could not log out of `{}`: {error}", service.name);
                        service.lane.fail(message, json!({"server": service.name})).await;
                    }
                    service.wanted.send_if_modified(|wanted| std::mem::replace(&mut wanted.enabled, false));
                });
            }
            McpCommand::Remove(name) => {
                let service = find(&name)?;
                if service.is_local() {
                    return Err(CommandError::BuiltIn(name));
                }
                self.0.ask_again(&name);
                self.0.services.write().unwrap_or_else(PoisonError::into_inner).retain(|other| other.name != name);
                self.0.dialer.tasks.spawn(async move {
                    service.lane.tell(McpEventType::ServiceDisconnected, json!({"reason": "removed by the user", "final": true})).await;
                    service.lend(crate::mcp::catalog::Listing::default()).await;
                    service.stop.cancel();
                });
            }
        }
        Ok(())
    }

    /// Closes all servers, in parallel and within the configured limit; nothing that they started is left.
    pub async fn shutdown(&self) {
        self.0.stop.cancel();
        self.0.dialer.tasks.close();
        let limit = Duration::from_millis(self.0.options.shutdown_ms);
        if timeout(limit, self.0.dialer.tasks.wait()).await.is_err() {
            tracing::warn!(target: "mcp", "some servers did not close in time and are killed");
        }
        self.0.dialer.children.kill_all();
        self.0.stop_events.cancel();
        self.0.event_tasks.close();
        let _ = timeout(LAST_EVENTS, self.0.event_tasks.wait()).await;
    }

    /// Kills all programs at once, without waiting: for a second Ctrl+C or a panic.
    pub fn kill_children(&self) {
        self.0.dialer.children.kill_all();
    }
}

impl ToolSource for ServerPool {
    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        self.0.services().iter().flat_map(|service| service.tools()).collect()
    }

    fn find(&self, name: &ToolName) -> Option<Arc<dyn Tool>> {
        self.0.services().iter().find_map(|service| service.tool(name))
    }

    fn servers(&self) -> Vec<ServerName> {
        self.0.services().iter().map(|service| service.name.clone()).collect()
    }
}

/// Forgets the tokens of all places of a server.
async fn forget(authorizers: &[Authorizer], again: bool) -> Result<(), AuthError> {
    for authorizer in authorizers {
        authorizer.forget(again).await?;
    }
    Ok(())
}

impl Pool {
    /// The authorizations of a server's places.
    fn authorizers(&self, server: &ServerName) -> Result<Vec<Authorizer>, CommandError> {
        let service = self.find(server).ok_or_else(|| CommandError::Unknown(server.clone()))?;
        let found: Vec<_> = service.replicas.iter().filter_map(|replica| self.dialer.authorizer(&replica.place, server)).collect();
        if found.is_empty() { Err(CommandError::NoLogin(server.clone())) } else { Ok(found) }
    }

    /// Ends a login that is under way, and lets a person be asked again who said no before.
    fn ask_again(&self, server: &ServerName) {
        self.authorizers(server).iter().flatten().for_each(Authorizer::reset);
    }

    fn services(&self) -> Vec<Arc<Service>> {
        self.services.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn find(&self, name: &ServerName) -> Option<Arc<Service>> {
        self.services.read().unwrap_or_else(PoisonError::into_inner).iter().find(|service| service.name == *name).cloned()
    }

    fn add_local(&self, name: ServerName, tools: Vec<Arc<dyn Tool>>) {
        let options = ServerOptions { name: name.to_string(), trusted: true, ..ServerOptions::default() };
        let by_name = tools.iter().map(|tool| (tool.info().tool.clone(), Arc::clone(tool))).collect();
        let exported = tools.into_iter().map(|tool| (tool.info().tool.clone(), tool)).collect();
        let place = Place::Local(ToolServer::new(format!("wakeful-{name}"), exported));
        self.add(name, options, vec![Arc::new(Replica::new(place, Standing::Connecting))], by_name, None);
    }

    fn add_remote(&self, options: ServerOptions) {
        let name = ServerName::new(&options.name);
        let endpoints = match options.endpoints() {
            Ok(_) if self.find(&name).is_some() => {
                let problem =
                    OptionsError { server: options.name.clone(), field: "name", problem: "is taken by another server".to_owned() };
                return self.tell_problem(&name, &problem);
            }
            Ok(endpoints) => endpoints,
            Err(problem) => {
                self.tell_problem(&name, &problem);
                return self.add(name, options, Vec::new(), HashMap::new(), Some(problem.to_string()));
            }
        };
        let standing = || if options.enabled { Standing::Connecting } else { Standing::Disabled };
        let replicas = endpoints.into_iter().map(|endpoint| Arc::new(Replica::new(Place::Remote(endpoint), standing()))).collect();
        self.add(name, options, replicas, HashMap::new(), None);
    }

    /// Tells that a server cannot be had at all.
    fn tell_problem(&self, name: &ServerName, problem: &OptionsError) {
        let lane = self.lane(name.clone());
        let message = problem.to_string();
        let hint = match problem.field {
            "name" => "give it another `name`; `wakeful mcp list` shows those that are taken",
            _ => "`wakeful config check` shows where",
        };
        let details = json!({"hint": hint, "server": name});
        self.event_tasks.spawn(async move { lane.fail(message, details).await });
    }

    fn lane(&self, name: ServerName) -> Lane {
        let (lane, work) = Lane::new(name, Arc::clone(&self.recorder), self.stop_events.clone());
        self.event_tasks.spawn(work);
        lane
    }

    fn add(
        &self,
        name: ServerName,
        options: ServerOptions,
        replicas: Vec<Arc<Replica>>,
        local: HashMap<String, Arc<dyn Tool>>,
        broken: Option<String>,
    ) {
        let is_local = !local.is_empty();
        let service = Service::new(Setup {
            lane: self.lane(name.clone()),
            log: Arc::new(LogRing::new(self.options.log_lines)),
            stop: self.stop.child_token(),
            call_cap: Duration::from_secs(self.options.call_cap_seconds),
            tools_max: self.options.tools_max,
            options,
            key: match replicas.first().map(|replica| &replica.place) {
                Some(Place::Remote(endpoint)) => ledger::key(&name, endpoint),
                Some(Place::Local(_)) | None => String::new(),
            },
            ledger: if is_local { Ledger::default() } else { self.ledger.clone() },
            replicas,
            broken,
            local,
            name,
        });
        service
            .lane
            .try_tell(McpEventType::ServiceRegistered, json!({"transport": service.status().transport, "target": service.status().target}));
        for replica in &service.replicas {
            let supervisor = Supervisor {
                service: Arc::clone(&service),
                replica: Arc::clone(replica),
                dialer: self.dialer.clone(),
                options: self.options.clone(),
                clock: Arc::clone(&self.clock),
                host: (!service.is_local()).then(|| self.host.clone()),
                ledger: service.ledger.clone(),
                key: match &replica.place {
                    Place::Remote(endpoint) => ledger::key(&service.name, endpoint),
                    Place::Local(_) => String::new(),
                },
            };
            self.dialer.tasks.spawn(supervisor.run());
        }
        self.services.write().unwrap_or_else(PoisonError::into_inner).push(service);
    }
}
