//! `wakeful mcp serve`: wakeful as a server for other MCP clients.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};
use tokio_util::sync::CancellationToken;

use crate::ambient;
use crate::ambient::messages::{self, Messages};
use crate::ambient::nudge::Nudges;
use crate::app;
use crate::app::offered::Offered;
use crate::cli::Base;
use crate::cli::args::McpServeArgs;
use crate::cli::awake::stopped;
use crate::cli::output::{self, Exit, Outcome, Stop};
use crate::domain::clock::{Clock, SystemClock};
use crate::mcp;
use crate::mcp::server::Changes;
use crate::mcp::server::http::{self, Server};
use crate::mcp::server::own::Own;
use crate::net;
use crate::net::fetch::Fetcher;
use crate::notify::Channels;
use crate::store::cache::Cache;
use crate::tools::{ToolBox, local};
use crate::web::{self, Web};

pub(super) async fn run(base: &Base, args: McpServeArgs) -> Outcome {
    let http = args.http.map(|address| options(base, address, &args)).transpose()?;
    let settings = base.load()?.settings;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let tools = local::Options { folder: base.cwd.clone(), host: local::Host::own(&base.paths.state), ..settings.tools.clone() };
    let mut servers = local::catalog(tools, Arc::clone(&clock));
    // Tasks are made and changed here; the running wakeful runs them.
    let (log, service) = crate::cli::tasks::open(base).await?;
    let cache = Cache::new(settings.cache.clone(), Some(base.paths.cache_file()), Arc::clone(&clock));
    let fetcher = Fetcher::through(settings.net.proxy.clone(), settings.fetch.clone(), Arc::clone(&clock));
    let fetcher = web::keeping(fetcher, &cache, &clock);
    let net = net::Client::new(settings.net.clone());
    let variable = |name: &str| base.environment.get(name).map(str::to_owned);
    let web_deps = web::Deps { fetcher: &fetcher, net: &net, cache: &cache, clock: &clock, variable: &variable };
    servers.extend(web::tools::catalog(&Web::new(&settings.web, &web_deps)));
    let previewer = app::ambient::probes(&log, fetcher, ToolBox::default(), &settings.metrics);
    let guarded = net.clone().guarded(settings.fetch.guard(settings.net.proxy.as_deref()));
    let (channels, _told) =
        Channels::new(&settings.notify, guarded, Arc::clone(&clock), &variable).map_err(|error| Stop::Usage(error.to_string()))?;
    let messages = Messages {
        log: log.clone(),
        clock: Arc::clone(&clock),
        nudges: Nudges::default(),
        channels: Arc::new(channels),
        service: service.clone(),
        // The running wakeful sends them.
        outbox: Arc::default(),
    };
    servers.push(messages::catalog(messages, ambient::tools::Asks::Nobody));
    // Whether the client asks anybody is not known here.
    servers.push(ambient::tools::catalog(&service, Some(Arc::new(previewer)), ambient::tools::Asks::Nobody));
    let (models, _told) = app::models::catalog(&settings, &net, &clock, &base.environment)?;
    let (memories, _told) = app::memory::service(&settings, &base.paths, &models, &clock);
    servers.push(crate::memory::tools::catalog(&memories));
    let tools = servers.into_iter().flat_map(|(_, tools)| tools).collect();
    let (stop, changes) = (CancellationToken::new(), Changes::default());
    let offered = Offered::new(log.clone(), service);
    offered.tell_changes(changes.clone(), stop.clone()).await.context("the log cannot be followed")?;
    let own = Own::new(tools).with_library(Arc::new(offered), changes);
    let served = match http {
        Some(options) => over_http(own, options, stop.clone()).await,
        None => on_stdio(own, stop.clone()).await,
    };
    stop.cancel();
    let _ = tokio::time::timeout(app::CACHE_FLUSH_MAX, cache.flush()).await;
    memories.shutdown().await;
    log.shutdown().await;
    served
}

/// Until the client closes its end, or a signal.
async fn on_stdio(own: Own, stop: CancellationToken) -> Outcome {
    let signal = stopped()?;
    let mut serving = std::pin::pin!(mcp::serve_stdio(own, stop.clone()));
    tokio::select! {
        served = &mut serving => served?,
        signal = signal => {
            stop.cancel();
            signal?;
            serving.await?;
        }
    }
    Ok(Exit::Done)
}

/// Until a signal.
async fn over_http(own: Own, options: http::Options, stop: CancellationToken) -> Outcome {
    let signal = stopped()?;
    let guarded = options.token.is_some();
    let server = Server::bind(own, options).await.map_err(|error| match error {
        error @ http::BindError::Listen { .. } => Stop::Failed(error.into()),
        error => Stop::Usage(error.to_string()),
    })?;
    // For programs that start this one: where it is, once it can be called.
    output::line(server.url())?;
    if !guarded {
        output::note("everybody on this machine can call it: `--new-token` or `--token-env NAME` asks for a bearer token");
    }
    let mut serving = std::pin::pin!(server.run(stop.clone()));
    tokio::select! {
        () = &mut serving => {}
        signal = signal => {
            stop.cancel();
            serving.await;
            signal?;
        }
    }
    Ok(Exit::Done)
}

fn options(base: &Base, address: SocketAddr, args: &McpServeArgs) -> Result<http::Options, Stop> {
    let token = match (&args.token_env, args.new_token) {
        (Some(name), _) => match base.environment.get(name) {
            Some(token) if !token.trim().is_empty() => Some(SecretString::from(token.trim().to_owned())),
            _ => return Err(Stop::Usage(format!("the variable `{name}`, which should hold the bearer token, is not set"))),
        },
        (None, true) => {
            let token = net::door::new_token().context("no token can be made: the system gives no random numbers")?;
            output::note(format_args!("bearer token of this run: {}", token.expose_secret()));
            Some(token)
        }
        (None, false) => None,
    };
    Ok(http::Options { address, token, hosts: args.allow_host.clone(), origins: args.allow_origin.clone(), ..http::Options::default() })
}
