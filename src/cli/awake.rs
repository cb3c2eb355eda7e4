//! Commands that run the background half without a screen: `serve --headless`, `simulate`, `notify test`.

use std::time::Duration;

use anyhow::Context;
use futures::StreamExt;
use jiff::tz::TimeZone;
use secrecy::ExposeSecret;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::app::{App, feed};
use crate::cli::args::{NotifyCommand, ServeArgs, SimulateArgs};
use crate::cli::output::{self, Exit, Outcome, Stop};
use crate::cli::{Base, coordinator, line};
use crate::domain::command::{Command, InboxCommand, TaskCommand};
use crate::domain::event::{ErrorEvent, Event, EventBody, TaskEvent};
use crate::domain::ids::Seq;
use crate::domain::notice::DeliveryStatus;
use crate::domain::query::EventFilter;
use crate::domain::task::{TaskFact, TaskKind};
use crate::net::door;
use crate::server::BindError;

/// The longest that `simulate` and `notify test` wait for the end of what they began.
const WAIT_MAX: Duration = Duration::from_secs(90);

/// Keeps the tasks running until it is told to stop.
pub(super) async fn serve(base: &Base, args: &ServeArgs) -> Outcome {
    // From the start: a database may take its time, and whoever stops it meanwhile means it politely too.
    let stopped = stopped()?;
    tokio::pin!(stopped);
    let app = tokio::select! {
        // Who attaches, or has the dashboard open, answers what is asked; where it listens nowhere, nobody can.
        app = started(base, args.no_listen) => app?,
        signal = &mut stopped => return signal.map(|()| Exit::Done).map_err(Stop::from),
    };
    let status = app.queries().ambient_status().await?;
    output::note(format_args!("awake: {} tasks, {} of them active; ctrl+c stops", status.total_tasks, status.active_tasks));
    let stop = CancellationToken::new();
    let begun = async {
        let serving = listen(base, args, &app, &stop).await?;
        let ways = if args.no_listen { None } else { coordinator::ways(base, &app, &stop).await? };
        Ok::<_, Stop>((serving, ways))
    };
    let (serving, ways) = match begun.await {
        Ok(begun) => begun,
        Err(error) => {
            stop.cancel();
            app.shutdown().await;
            return Err(error);
        }
    };
    let follow = args.events.then(|| app.log().clone());
    let printing = tokio::spawn(async move {
        let Some(log) = follow else { return };
        let Ok(head) = log.head().await else { return };
        let mut feed = log.follow(EventFilter::default(), head);
        while let Some(event) = feed.next().await {
            if output::line(line::line(&event, &TimeZone::system())).is_err() {
                return;
            }
        }
    });
    let signal = stopped.await;
    printing.abort();
    stop.cancel();
    if let Some(serving) = serving {
        let _ = serving.await;
    }
    if let Some(ways) = ways {
        ways.ended().await;
    }
    app.shutdown().await;
    signal.map(|()| Exit::Done).map_err(Stop::from)
}

/// Offers the feed, the API and the dashboard. An address that somebody asked for must be had; the usual one may be taken.
async fn listen(base: &Base, args: &ServeArgs, app: &App, stop: &CancellationToken) -> Result<Option<JoinHandle<()>>, Stop> {
    if args.no_listen {
        return Ok(None);
    }
    let mut options = base.load()?.settings.server;
    let is_asked_for = args.listen.is_some();
    options.listen = args.listen.unwrap_or(options.listen);
    if args.token_env.is_some() || args.new_token {
        (options.token, options.token_env) = (None, args.token_env.clone());
    }
    if args.new_token {
        let token = door::new_token().context("no token can be made: the system gives no random numbers")?;
        output::note(format_args!("token of this run: {}", token.expose_secret()));
        options.token = Some(token);
    }
    let options = feed::settled(&options, &base.environment).map_err(|error| Stop::Usage(format!("{error:#}")))?;
    match feed::bind(app, options, stop).await {
        Ok(server) => {
            output::note(format_args!("feed, API and dashboard: {}", server.url()));
            Ok(Some(tokio::spawn(server.run(stop.clone()))))
        }
        Err(error) if !is_asked_for && is_taken(&error) => {
            output::note(format_args!("{error:#}; --listen ADDRESS takes another one; going on without the feed"));
            Ok(None)
        }
        Err(error) => Err(Stop::Failed(error)),
    }
}

fn is_taken(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(BindError::Listen { source, .. }) if source.kind() == std::io::ErrorKind::AddrInUse)
}

/// Listens from now on for Ctrl+C or a polite end from outside.
pub(super) fn stopped() -> anyhow::Result<impl Future<Output = anyhow::Result<()>>> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut interrupt, mut term) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = term.recv() => {}
            }
            Ok(())
        })
    }
    #[cfg(not(unix))]
    Ok(async { Ok(tokio::signal::ctrl_c().await?) })
}

/// Raises events through the whole path, and shows it.
pub(super) async fn simulate(base: &Base, args: &SimulateArgs) -> Outcome {
    let kind = args.event_type.as_deref().map(kind_named).transpose().map_err(Stop::Usage)?;
    let wanted = kind.map_or(TaskKind::ALL.len(), |_| 1);
    let app = start(base).await?;
    let outcome = watched(&app, Command::Task(TaskCommand::Simulate(kind)), args.json, simulated(wanted)).await;
    app.shutdown().await;
    outcome
}

/// Raises one event and shows what becomes of it.
pub(super) async fn show_simulated(app: &App, kind: TaskKind) -> Outcome {
    watched(app, Command::Task(TaskCommand::Simulate(Some(kind))), false, simulated(1)).await
}

/// The end of `wanted` simulated events: each was judged, and what was to be told was told.
fn simulated(wanted: usize) -> impl FnMut(&Event) -> Option<Exit> {
    let (mut judged, mut open) = (0, 0_usize);
    move |event| {
        match &event.body {
            EventBody::TaskEvent(TaskEvent { task_id, fact: TaskFact::FiringJudged(judgement), .. })
                if task_id.as_str().starts_with("simulated-") =>
            {
                judged += 1;
                open += judgement.notices.len();
            }
            EventBody::Notification(notice) if notice.simulated && notice.status == DeliveryStatus::Sent => open = open.saturating_sub(1),
            _ => {}
        }
        (judged >= wanted && open == 0).then_some(Exit::Done)
    }
}

/// The kind by its own name, or by that of its event.
///
/// # Errors
/// When there is none; the names that there are.
pub(super) fn kind_named(name: &str) -> Result<TaskKind, String> {
    TaskKind::ALL.into_iter().find(|kind| kind.as_str() == name || kind.event_type() == name).ok_or_else(|| {
        let known: Vec<_> = TaskKind::ALL.iter().map(|kind| kind.event_type()).collect();
        format!("no event `{name}`: there are {}", known.join(", "))
    })
}

/// Tries channels out.
pub(super) async fn notify(base: &Base, command: NotifyCommand) -> Outcome {
    let NotifyCommand::Test { channel, to, json } = command;
    let (mut open, mut failed) = (0_i32, false);
    let asked = Command::Inbox(InboxCommand::TestNotice { channel, to });
    let app = start(base).await?;
    let outcome = watched(&app, asked, json, |event| {
        let EventBody::Notification(notice) = &event.body else { return None };
        match notice.status {
            DeliveryStatus::Queued if notice.attempt == 0 && notice.retry_at.is_none() => open += 1,
            DeliveryStatus::Sending => {}
            DeliveryStatus::Sent | DeliveryStatus::Suppressed => open -= 1,
            // One that is tried again later has told what is wrong: nobody who tries a channel out waits for more.
            DeliveryStatus::Queued | DeliveryStatus::Failed | DeliveryStatus::Unknown => (open, failed) = (open - 1, true),
        }
        (open <= 0).then_some(if failed { Exit::Failed } else { Exit::Done })
    })
    .await;
    app.shutdown().await;
    outcome
}

/// The program, awake and without a screen.
async fn start(base: &Base) -> Result<App, Stop> {
    started(base, true).await
}

async fn started(base: &Base, unattended: bool) -> Result<App, Stop> {
    let mut start = base.start(unattended)?;
    start.awake = true;
    Ok(App::start(start).await?)
}

/// Sends `command` and prints what happens until `end` says so.
async fn watched(app: &App, command: Command, json: bool, mut end: impl FnMut(&Event) -> Option<Exit>) -> Outcome {
    let head = app.log().head().await.unwrap_or(Seq(0));
    let mut feed = app.log().follow_all(EventFilter::default(), head);
    app.commands().send(command)?;
    let zone = TimeZone::system();
    let shown = |event: &Event| match &event.body {
        EventBody::TaskEvent(_) | EventBody::Notification(_) | EventBody::InboxEvent(_) => true,
        EventBody::Error(ErrorEvent { source, .. }) => source == "app",
        _ => false,
    };
    let work = async {
        while let Some(event) = feed.next().await {
            if !shown(&event) {
                continue;
            }
            if json {
                output::line(serde_json::to_string(&*event)?)?;
            } else {
                output::line(line::line(&event, &zone))?;
            }
            if matches!(event.body, EventBody::Error(_)) {
                return Ok(Exit::Failed);
            }
            if let Some(exit) = end(&event) {
                return Ok(exit);
            }
        }
        Ok(Exit::Failed)
    };
    tokio::time::timeout(WAIT_MAX, work).await.unwrap_or_else(|_| {
        output::note(format_args!("no end within {} s: `wakeful tasks status` shows what waits", WAIT_MAX.as_secs()));
        Ok(Exit::Failed)
    })
}
