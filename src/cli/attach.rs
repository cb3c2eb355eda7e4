//! `wakeful attach`: the terminal surface on top of a program that runs elsewhere.
//!
//! What works here is this machine's: keys, theme, time zone, history of prompts, `/export`. Sessions, servers, tasks and
//! files are the program's.

use std::sync::Arc;

use futures::StreamExt;
use jiff::tz::TimeZone;
use secrecy::SecretString;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::app::Start;
use crate::app::queries::find_session;
use crate::cli::args::{AttachArgs, TokenArgs};
use crate::cli::output::{self, Exit, Outcome, Stop};
use crate::cli::preferences::Config;
use crate::cli::screen::{needs_terminal, surroundings};
use crate::cli::{Base, block_on};
use crate::domain::clock::SystemClock;
use crate::domain::command::{ApprovalMode, SessionOptions};
use crate::domain::remote::Status;
use crate::remote::Connection;
use crate::remote::address::Address;
use crate::remote::http::Api;
use crate::tui::{self, Backend, Deps, Surroundings};

pub(super) fn run(base: &Base, args: &AttachArgs) -> Outcome {
    let address = address(&args.url)?;
    let token = token(base, &args.token)?;
    needs_terminal("`wakeful events --url` works without one")?;
    let start = base.start(false)?;
    block_on(screen(base, start, address, token, args))
}

/// The API of the program at `url`.
pub(super) fn api(base: &Base, url: &str, args: &TokenArgs) -> Result<Api, Stop> {
    Ok(Api::new(address(url)?, token(base, args)?))
}

fn address(url: &str) -> Result<Address, Stop> {
    Address::parse(url).map_err(|error| Stop::Usage(error.to_string()))
}

fn token(base: &Base, args: &TokenArgs) -> Result<Option<SecretString>, Stop> {
    if let Some(token) = &args.token {
        return Ok(Some(token.trim().to_owned().into()));
    }
    let Some(name) = &args.token_env else { return Ok(None) };
    let value = base.environment.get(name).map(str::trim).filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| Stop::Usage(format!("the variable `{name}`, which should hold the token, is not set")))?;
    Ok(Some(value.to_owned().into()))
}

async fn screen(base: &Base, start: Start, address: Address, token: Option<SecretString>, args: &AttachArgs) -> Outcome {
    let connection = Connection::open(address, token, Arc::new(SystemClock));
    let (sender, backend) = oneshot::channel();
    let deps = Deps {
        clock: Arc::new(SystemClock),
        backend,
        line: Some(connection.line()),
        cancel: CancellationToken::new(),
        options: start.loaded.settings.tui.clone(),
        // The model and the config are the program's.
        surroundings: Surroundings { model: None, config_path: None, ..surroundings(&start, false) },
        preferences: Some(Arc::new(Config::new(base))),
    };
    let starting = tokio::spawn(bring_up(base.clone(), connection, args.screen.resume.clone(), sender));
    let exit = Box::pin(tui::run(deps)).await;
    if let Ok(connection) = starting.await {
        connection.close().await;
    }
    let exit = exit?;
    if let Some(session) = exit.session {
        output::note(format_args!("go on with: wakeful attach {} --resume {session}", args.url));
    }
    Ok(match exit.signal {
        Some(_) => Exit::Interrupted,
        None => Exit::Done,
    })
}

/// Hands the program to the screen once it is reached, however long that takes; how it stands is on the screen meanwhile.
async fn bring_up(
    base: Base,
    mut connection: Connection,
    resume: Option<String>,
    mut screen: oneshot::Sender<Result<Backend, String>>,
) -> Connection {
    let status = tokio::select! {
        status = connection.status() => status,
        // Nobody waits any more.
        () = screen.closed() => return connection,
    };
    if let Some(status) = status {
        let backend = backend(&base, &mut connection, status, resume).await;
        let _ = screen.send(backend.map_err(|error| format!("{error:#}")));
    }
    connection
}

async fn backend(base: &Base, connection: &mut Connection, status: Status, resume: Option<String>) -> anyhow::Result<Backend> {
    let events = connection.subscribe();
    let start = match resume {
        Some(wanted) => {
            let session = find_session(&*connection.queries(), &wanted).await?;
            base.insist(&connection.commands(), &session).map_err(|stop| anyhow::anyhow!("{stop}"))?;
            tui::Start::Resume(session)
        }
        None => tui::Start::New(options(base, &status)?),
    };
    Ok(Backend {
        events,
        commands: connection.commands(),
        queries: connection.queries(),
        // Notices for a terminal are for that of the program.
        notes: futures::stream::empty().boxed(),
        timezone: tokio::task::spawn_blocking(TimeZone::system).await?,
        start,
        providers: Vec::new(),
        default_model: base.global.model.clone().unwrap_or(status.default_model),
        context_window_tokens: status.context_window_tokens.filter(|_| base.global.model.is_none()),
        feed: None,
    })
}

/// How a new session starts: by the program's settings, unless flags say otherwise.
fn options(base: &Base, status: &Status) -> anyhow::Result<SessionOptions> {
    let insisted = base.global.approvals.as_deref().map(str::parse::<ApprovalMode>).transpose();
    let mode = insisted.map_err(anyhow::Error::msg)?.or(status.mode);
    Ok(SessionOptions { model: base.global.model.clone(), mode, ..SessionOptions::default() })
}
