//! Hands the running program to the surface for other programs.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::ambient::messages;
use crate::ambient::tools as task_tools;
use crate::app::App;
use crate::app::intake::{FeedbackQueue, Records};
use crate::app::offered::Offered;
use crate::bus::Recorder;
use crate::config::environment::Environment;
use crate::domain::query::EventFilter;
use crate::mcp::server::Changes;
use crate::mcp::server::http::{self, endpoint};
use crate::mcp::server::own::Own;
use crate::server::{Deps, Options, Server};
use crate::tools::{Tool, local};

/// The options with the token that a variable holds.
///
/// # Errors
/// When the variable is not set.
pub fn settled(options: &Options, environment: &Environment) -> anyhow::Result<Options> {
    let Some(name) = options.token_env.as_deref().filter(|_| options.token.is_none()) else { return Ok(options.clone()) };
    let value = environment.get(name).map(str::trim).filter(|value| !value.is_empty());
    let token = value.ok_or_else(|| anyhow::anyhow!("the variable `{name}`, which should hold the token of [server], is not set"))?;
    Ok(Options { token: Some(token.to_owned().into()), ..options.clone() })
}

/// Begins to listen. The surface serves what happens from now on.
///
/// # Errors
/// When the options do not fit, the log cannot be read, or the address cannot be had.
pub async fn bind(app: &App, options: Options, stop: &CancellationToken) -> anyhow::Result<Server> {
    let log = app.log();
    let offers = &app.offers;
    // Whether the client asks anybody is not known here.
    let tasks = task_tools::catalog(app.tasks(), Some(Arc::clone(&offers.previewer)), task_tools::Asks::Nobody);
    let mut own: Vec<Arc<dyn Tool>> =
        local::catalog(offers.local.clone(), Arc::clone(&offers.clock)).into_iter().flat_map(|(_, tools)| tools).collect();
    own.extend(crate::web::tools::catalog(&offers.web).into_iter().flat_map(|(_, tools)| tools));
    own.extend(messages::catalog(offers.messages.clone(), task_tools::Asks::Nobody).1);
    own.extend(tasks.1.iter().cloned());
    own.extend(crate::memory::tools::catalog(app.memories()).1);
    let changes = Changes::default();
    let offered = Offered::new(log.clone(), app.tasks().clone());
    offered.tell_changes(changes.clone(), stop.clone()).await?;
    let own = Own::new(own).with_library(Arc::new(offered), changes);
    let mcp = http::Options { body_bytes_max: options.body_bytes_max, ..http::Options::default() };
    let model = app.catalog().resolve(app.catalog().default_id(), None);
    let deps = Deps {
        live: log.follow_all(EventFilter::default(), log.head().await?),
        epoch: log.epoch().to_owned(),
        queries: app.queries(),
        commands: app.commands(),
        recorder: Arc::new(log.clone()) as Arc<dyn Recorder>,
        clock: Arc::clone(&offers.clock),
        tasks: tasks.1,
        feedback: Arc::new(FeedbackQueue::new(log.clone(), offers.nudges.clone())),
        records: Arc::new(Records::new(Arc::clone(&offers.intake))),
        peers: offers.peers.clone(),
        mcp: Some(endpoint(own, &mcp, stop)),
        default_model: model.as_ref().map_or_else(|_| app.catalog().default_id().to_owned(), crate::llm::Resolved::id),
        context_window_tokens: model.ok().and_then(|model| model.llm.context_tokens(&model.model)),
        mode: app.mode(),
        timezone: super::time_zone(),
    };
    Ok(Server::bind(options, deps).await?)
}
