//! One attempt to connect: from an endpoint to a [`Link`] that has shaken hands, within a limit.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rmcp::transport::async_rw::AsyncRwTransport;
use secrecy::ExposeSecret;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use crate::domain::ids::ServerName;
use crate::mcp::auth::Authorizer;
use crate::mcp::desk::Desk;
use crate::mcp::era::{self, Era, Greeting, PROBE_LIMIT};
use crate::mcp::error::Error;
use crate::mcp::handler::{Handler, Shared};
use crate::mcp::http::{Attempt, Form, Http, Request, handshake, unshaken};
use crate::mcp::link::{Down, Link, Parts, Watched};
use crate::mcp::local::ToolServer;
use crate::mcp::mask;
use crate::mcp::options::{Address, Endpoint, Program, TransportKind};
use crate::mcp::process::{self, Children, Process};
use crate::mcp::stderr::LogRing;
use crate::mcp::stdio::StdioTransport;

/// How long a program that closed its output may take to end, so that its status can be told.
const EXIT_GRACE: Duration = Duration::from_secs(2);

/// How long answers that a program wrote before its end are waited for.
const DRAIN_GRACE: Duration = Duration::from_millis(800);

/// Logins in the course of one attempt to connect: one, and one for more rights.
const LOGINS_MAX: usize = 2;

/// Programs that start side by side: many at once would starve one another, and us, on a machine with few cores.
pub(super) const STARTS_MAX: usize = 8;

/// How long a program that says nothing keeps others from starting.
const START_TURN: Duration = Duration::from_secs(1);

/// Bytes between us and one of our own servers.
const DUPLEX_BYTES: usize = 64 * 1_024;

/// What connects to everything.
#[derive(Clone)]
pub(super) struct Dialer {
    pub(super) http: Http,
    /// Our own environment, from which programs get a few variables.
    pub(super) environment: Arc<BTreeMap<String, String>>,
    pub(super) children: Arc<Children>,
    pub(super) tasks: TaskTracker,
    /// Where a login is asked for.
    pub(super) desk: Option<Desk>,
    /// Programs that may be starting.
    pub(super) starts: Arc<Semaphore>,
}

/// Where a connection leads.
#[derive(Clone)]
pub(super) enum Place {
    Remote(Endpoint),
    Local(ToolServer),
}

impl Place {
    pub(super) fn target(&self) -> String {
        match self {
            Self::Remote(endpoint) => endpoint.target(),
            Self::Local(_) => "built in".to_owned(),
        }
    }

    pub(super) fn transport(&self) -> &'static str {
        match self {
            Self::Remote(endpoint) => endpoint.transport(),
            Self::Local(_) => "builtin",
        }
    }
}

/// What worked the last time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    pub(super) form: Option<Form>,
    pub(super) era: Option<Era>,
}

/// What a connection reports to.
pub(super) struct Reports<'a> {
    pub(super) server: &'a ServerName,
    pub(super) shared: Arc<Shared>,
    pub(super) log: &'a Arc<LogRing>,
}

impl Dialer {
    /// Connects within `limit`; `known` is what worked the last time. Each way is tried once.
    pub(super) async fn dial(&self, place: &Place, limit: Duration, reports: Reports<'_>, known: Known) -> Result<Link, Error> {
        let end = Instant::now() + limit;
        match place {
            Place::Local(server) => timeout_at(end, self.local(server, reports)).await.unwrap_or(Err(slow(limit))),
            Place::Remote(Endpoint::Process(program)) => self.program(program, limit, &reports, known).await,
            Place::Remote(Endpoint::Http(address)) => self.http(address, limit, &reports, known).await,
        }
    }

    async fn program(&self, program: &Program, limit: Duration, reports: &Reports<'_>, known: Known) -> Result<Link, Error> {
        let _turn = self.turn().await;
        let end = Instant::now() + limit;
        let mut failure = slow(limit);
        let mut last_words = 0;
        for greeting in era::greetings(program.era, known.era) {
            // What the last start said is said again by this one.
            reports.log.forget(std::mem::take(&mut last_words));
            let before = reports.log.len();
            let attempt = async {
                if *greeting == Greeting::Probe {
                    self.probe(program, reports).await
                } else {
                    self.process(program, reports, *greeting).await
                }
            };
            match timeout_at(end, attempt).await {
                Ok(Ok(link)) => return Ok(link),
                // No other greeting helps there.
                Ok(Err(error @ (Error::Spawn { .. } | Error::Options(_)))) => return Err(error),
                Ok(Err(error)) => {
                    failure = error;
                    last_words = reports.log.len().saturating_sub(before);
                }
                Err(_) => return Err(slow(limit)),
            }
        }
        Err(failure)
    }

    /// Asks for the revision. Where no answer comes in time, another process is greeted by `initialize` beside the first,
    /// which may only be slow to start: who comes to terms first stays.
    async fn probe(&self, program: &Program, reports: &Reports<'_>) -> Result<Link, Error> {
        let mut asked = Box::pin(self.process(program, reports, Greeting::Probe));
        if let Ok(answered) = timeout(PROBE_LIMIT, &mut asked).await {
            return answered;
        }
        let mut greeted = Box::pin(self.process(program, reports, Greeting::Initialize));
        tokio::select! {
            biased;
            answered = &mut asked => match answered {
                Ok(link) => Ok(link),
                Err(_) => greeted.await,
            },
            shaken = &mut greeted => match shaken {
                Ok(link) => Ok(link),
                Err(_) => asked.await,
            },
        }
    }

    /// Waits for the turn to start a program, in the order of asking. Dropped, or late, it is the next one's.
    async fn turn(&self) -> AbortOnDropHandle<()> {
        let permit = Arc::clone(&self.starts).acquire_owned().await.ok();
        AbortOnDropHandle::new(self.tasks.spawn(async move {
            sleep(START_TURN).await;
            drop(permit);
        }))
    }

    async fn process(&self, program: &Program, reports: &Reports<'_>, greeting: Greeting) -> Result<Link, Error> {
        let (process, pipes) = process::spawn(reports.server, program, &self.environment, reports.log, &self.children, &self.tasks)?;
        let process = Arc::new(process);
        let ended = CancellationToken::new();
        let transport = Watched::new(StdioTransport::new(pipes, Arc::clone(reports.log)), ended.clone());
        let shaken = era::shake(greeting, Handler(Arc::clone(&reports.shared)), transport, None);
        let how = |how: String| Error::Lost(format!("the program {how}"));
        let running = tokio::select! {
            biased;
            shaken = shaken => match shaken {
                Ok(running) => running,
                Err(error) => {
                    let error = unshaken(&error);
                    // A refusal in words tells more than the end of the program that follows it.
                    let is_refusal = matches!(error, Error::Handshake(_));
                    return Err(if is_refusal { error } else { timeout(EXIT_GRACE, process.ended()).await.map_or(error, how) });
                }
            },
            status = process.ended() => return Err(how(status)),
        };
        let (down, closed) = (Arc::new(Down::default()), CancellationToken::new());
        self.tasks.spawn(watch_process(Arc::clone(&process), ended, Arc::clone(&down), closed.clone()));
        let closed = closed.drop_guard();
        let shared = Arc::clone(&reports.shared);
        let parts = Parts { transport: "stdio", is_local: false, running, shared, down, process: Some(process), closed };
        Ok(Link::new(parts))
    }

    async fn http(&self, address: &Address, limit: Duration, reports: &Reports<'_>, known: Known) -> Result<Link, Error> {
        let request = self.request(address, reports.server)?;
        let Some(authorizer) = request.authorizer.clone() else { return self.http_ways(address, request, limit, reports, known).await };
        let mut logins = 0;
        loop {
            let connected = self.http_ways(address, request.clone(), limit, reports, known).await;
            match connected {
                Ok(link) => {
                    authorizer.settle_forced().await?;
                    return Ok(link);
                }
                // A person takes longer than any limit of a connection.
                Err(Error::Unauthorized(_)) if logins < LOGINS_MAX && authorizer.settle().await? => logins += 1,
                Err(error) => return Err(error),
            }
        }
    }

    async fn http_ways(
        &self,
        address: &Address,
        request: Request,
        limit: Duration,
        reports: &Reports<'_>,
        known: Known,
    ) -> Result<Link, Error> {
        let ways = ways(address, known);
        let forms = ways.iter().filter(|(_, greeting)| *greeting != Greeting::Probe).count().max(1);
        let share = limit / u32::try_from(forms).unwrap_or(1);
        let mut failures: Vec<(Form, Error)> = Vec::new();
        for (form, greeting) in ways {
            let error = match timeout(share, self.http_form(request.clone(), form, greeting, reports)).await {
                Ok(Ok(link)) => return Ok(link),
                Ok(Err(error @ (Error::Unreachable(_) | Error::Unauthorized(_) | Error::Login(_) | Error::HttpClient(_)))) => {
                    return Err(error);
                }
                Ok(Err(error)) => error,
                Err(_) => slow(share),
            };
            // What the last greeting of a form met tells most.
            failures.retain(|(other, _)| *other != form);
            failures.push((form, error));
        }
        match &mut failures[..] {
            [_] => Err(failures.remove(0).1),
            _ => Err(Error::Handshake(
                failures.iter().map(|(form, error)| format!("{}: {error}", form.as_str())).collect::<Vec<_>>().join("; "),
            )),
        }
    }

    /// Who looks after the login at a place.
    pub(super) fn authorizer(&self, place: &Place, server: &ServerName) -> Option<Authorizer> {
        match place {
            Place::Remote(Endpoint::Http(address)) => self.authorizer_at(address, server),
            Place::Remote(Endpoint::Process(_)) | Place::Local(_) => None,
        }
    }

    fn authorizer_at(&self, address: &Address, server: &ServerName) -> Option<Authorizer> {
        let (authority, oauth) = self.http.authority().zip(address.oauth.as_ref())?;
        authority.authorizer(server, &address.url, oauth, self.desk.as_ref())
    }

    fn request(&self, address: &Address, server: &ServerName) -> Result<Request, Error> {
        let named = address.api_key_env.as_ref().map(|name| {
            let value = self.environment.get(name).filter(|value| !value.is_empty());
            value.cloned().ok_or_else(|| Error::NoVariable(name.clone()))
        });
        let api_key = match &address.api_key {
            Some(key) => Some(key.expose_secret().to_owned()),
            None => named.transpose()?,
        };
        let headers = address.headers.iter().cloned().collect();
        let authorizer = self.authorizer_at(address, server);
        Ok(Request { url: address.url.as_str().into(), shown: mask::url(&address.url), api_key, headers, authorizer })
    }

    async fn http_form(&self, request: Request, form: Form, greeting: Greeting, reports: &Reports<'_>) -> Result<Link, Error> {
        let (down, ended) = (Arc::new(Down::default()), CancellationToken::new());
        let attempt = Attempt { handler: Handler(Arc::clone(&reports.shared)), down: Arc::clone(&down), ended: ended.clone(), greeting };
        let running = self.http.connect(request, form, attempt).await?;
        let closed = self.watch(ended, CancellationToken::new(), &down, "the connection was closed");
        let shared = Arc::clone(&reports.shared);
        Ok(Link::new(Parts { transport: form.as_str(), is_local: false, running, shared, down, process: None, closed }))
    }

    async fn local(&self, server: &ToolServer, reports: Reports<'_>) -> Result<Link, Error> {
        let (ours, theirs) = tokio::io::duplex(DUPLEX_BYTES);
        let closed = CancellationToken::new();
        let server = server.stopped_by(closed.clone());
        self.tasks.spawn(async move {
            if let Ok(running) = rmcp::serve_server(server, theirs).await {
                let _ = running.waiting().await;
            }
        });
        let (read, write) = tokio::io::split(ours);
        let ended = CancellationToken::new();
        let transport = Watched::new(AsyncRwTransport::new_client(read, write), ended.clone());
        let running = rmcp::serve_client(Handler(Arc::clone(&reports.shared)), transport).await.map_err(|error| handshake(&error))?;
        let down = Arc::new(Down::default());
        let closed = self.watch(ended, closed, &down, "the server ended");
        Ok(Link::new(Parts { transport: "builtin", is_local: true, running, shared: reports.shared, down, process: None, closed }))
    }

    /// Raises the alarm when there is nothing more to read, until the returned guard is dropped.
    fn watch(&self, ended: CancellationToken, closed: CancellationToken, down: &Arc<Down>, reason: &'static str) -> DropGuard {
        let down = Arc::clone(down);
        let watched = closed.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = ended.cancelled() => down.raise(reason),
                () = watched.cancelled() => {}
            }
        });
        closed.drop_guard()
    }
}

fn slow(limit: Duration) -> Error {
    Error::Slow { step: "handshake", limit }
}

/// The ways to try, in this order, each on a connection of its own. HTTP+SSE is older than `server/discover`.
fn ways(address: &Address, known: Known) -> Vec<(Form, Greeting)> {
    let streamable = era::greetings(address.era, known.era).iter().map(|greeting| (Form::Streamable, *greeting));
    let sse = (Form::Sse, Greeting::Initialize);
    match address.transport {
        TransportKind::StreamableHttp => streamable.collect(),
        TransportKind::Sse => vec![sse],
        TransportKind::Auto | TransportKind::Stdio if known.form == Some(Form::Sse) => std::iter::once(sse).chain(streamable).collect(),
        TransportKind::Auto | TransportKind::Stdio => streamable.chain([sse]).collect(),
    }
}

/// Raises the alarm when a program ends or closes its output.
async fn watch_process(process: Arc<Process>, ended: CancellationToken, down: Arc<Down>, closed: CancellationToken) {
    tokio::select! {
        how = process.ended() => {
            let _ = timeout(DRAIN_GRACE, ended.cancelled()).await;
            down.raise(how);
        }
        () = ended.cancelled() => match timeout(EXIT_GRACE, process.ended()).await {
            Ok(how) => down.raise(how),
            Err(_) => down.raise("closed its output"),
        },
        () = closed.cancelled() => {}
    }
}
