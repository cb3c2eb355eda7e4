//! `wakeful`: the terminal surface, with the program starting behind its first frame.

use std::io::IsTerminal;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::tz::TimeZone;
use tokio::sync::oneshot;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Start, feed, tour};
use crate::bus::Recorder;
use crate::cli::args::ScreenArgs;
use crate::cli::output::{self, Exit, Outcome, Stop};
use crate::cli::preferences::Config;
use crate::cli::{Base, block_on};
use crate::config::environment::Environment;
use crate::domain::clock::SystemClock;
use crate::domain::command::SessionOptions;
use crate::domain::event::{ErrorEvent, NewEvent};
use crate::llm::offline;
use crate::notify::TerminalStyle;
use crate::server;
use crate::tui::emulator::Emulator;
use crate::tui::theme::ColourDepth;
use crate::tui::{self, Backend, Deps, Surroundings};

pub(super) fn run(base: &Base, args: &ScreenArgs, touring: bool) -> Outcome {
    needs_terminal("`wakeful exec` works without one: echo \"your question\" | wakeful exec")?;
    let mut start = base.start(false)?;
    start.awake = true;
    if touring {
        tour::prepare(&mut start)?;
    }
    block_on(screen(base, start, args.resume.clone(), touring))
}

/// Says so where there is no terminal, and what to do instead.
pub(super) fn needs_terminal(hint: &str) -> Result<(), Stop> {
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        return Ok(());
    }
    Err(Stop::Usage(format!("the terminal surface needs a terminal; {hint}")))
}

async fn screen(base: &Base, start: Start, resume: Option<String>, touring: bool) -> Outcome {
    let (sender, backend) = oneshot::channel();
    let deps = Deps {
        clock: Arc::new(SystemClock),
        backend,
        line: None,
        cancel: CancellationToken::new(),
        options: start.loaded.settings.tui.clone(),
        surroundings: surroundings(&start, touring),
        preferences: Some(Arc::new(Config::new(base))),
    };
    let style = terminal_style(&start);
    // On a task of its own: the screen waits for nothing.
    let starting = tokio::spawn(bring_up(base.clone(), start, resume, style, sender));
    let exit = Box::pin(tui::run(deps)).await;
    if let Ok(Some((app, surface))) = starting.await {
        if let Some(surface) = surface {
            surface.end().await;
        }
        app.shutdown().await;
    }
    let exit = exit?;
    if let Some(session) = exit.session {
        output::note(format_args!("go on with: wakeful --resume {session}"));
    }
    Ok(match exit.signal {
        Some(_) => Exit::Interrupted,
        None => Exit::Done,
    })
}

/// Starts the program and hands it to the screen; an error is shown there.
async fn bring_up(
    base: Base,
    start: Start,
    resume: Option<String>,
    style: TerminalStyle,
    screen: oneshot::Sender<Result<Backend, String>>,
) -> Option<(App, Option<Surface>)> {
    let offer = start.loaded.settings.server.clone();
    match App::start(start).await {
        Ok(app) => {
            let surface = if offer.enabled { Surface::offer(&base, &app, offer).await } else { None };
            let feed = surface.as_ref().map(|surface| surface.shown.clone());
            let backend = backend(&base, &app, resume, style, feed).await.map_err(|error| format!("{error:#}"));
            // The screen may be gone already: then there is only the shutdown left.
            let _ = screen.send(backend);
            Some((app, surface))
        }
        Err(error) => {
            let _ = screen.send(Err(format!("{error:#}")));
            None
        }
    }
}

/// The surface for other programs, beside the screen.
struct Surface {
    /// As the status line shows it.
    shown: String,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

impl Surface {
    /// Offers it. That it cannot be had is said, and the screen goes on.
    async fn offer(base: &Base, app: &App, options: server::Options) -> Option<Self> {
        let stop = CancellationToken::new();
        let bound = match feed::settled(&options, &base.environment) {
            Ok(options) => feed::bind(app, options, &stop).await,
            Err(error) => Err(error),
        };
        match bound {
            Ok(server) => {
                let shown = format!("ws {}", server.address());
                Some(Self { shown, serving: tokio::spawn(server.run(stop.clone())), stop })
            }
            Err(error) => {
                let message = format!("the feed is not offered: {error:#}");
                app.log().emit(NewEvent::system(ErrorEvent { message, source: "server".to_owned(), details: serde_json::Value::Null }));
                None
            }
        }
    }

    async fn end(self) {
        self.stop.cancel();
        let _ = self.serving.await;
    }
}

async fn backend(base: &Base, app: &App, resume: Option<String>, style: TerminalStyle, feed: Option<String>) -> anyhow::Result<Backend> {
    let events = app.subscribe();
    let fresh = SessionOptions { mode: Some(app.mode()), ..SessionOptions::default() };
    let start = match resume {
        Some(wanted) => match app.find_session(&wanted).await {
            Ok(session) => {
                base.insist(&app.commands(), &session).map_err(|stop| anyhow::anyhow!("{stop}"))?;
                tui::Start::Resume(session)
            }
            Err(error) => tui::Start::Instead(fresh, format!("{error:#}")),
        },
        None => tui::Start::New(fresh),
    };
    let model = app.catalog().resolve(app.catalog().default_id(), None)?;
    Ok(Backend {
        events,
        commands: app.commands(),
        queries: app.queries(),
        notes: notes(app, style),
        timezone: tokio::task::spawn_blocking(TimeZone::system).await?,
        start,
        default_model: model.id(),
        providers: app.catalog().providers().iter().map(|(name, _)| name.clone()).collect(),
        context_window_tokens: model.llm.context_tokens(&model.model),
        feed,
    })
}

/// Notices for the terminal, as it is told of them.
fn notes(app: &App, style: TerminalStyle) -> BoxStream<'static, String> {
    match app.terminal_notes() {
        Some(notes) => ReceiverStream::new(notes).map(move |note| style.sequence(&note)).boxed(),
        None => futures::stream::empty().boxed(),
    }
}

fn terminal_style(start: &Start) -> TerminalStyle {
    let named = |name| start.environment.process(name).unwrap_or_default();
    start.loaded.settings.notify.terminal.style.settled(named("TERM"), named("TERM_PROGRAM"))
}

pub(super) fn surroundings(start: &Start, touring: bool) -> Surroundings {
    let environment = &start.environment;
    let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| environment.process(name)).map(str::to_owned);
    Surroundings {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        timezone: TimeZone::UTC,
        cwd: start.cwd.clone(),
        config_path: Some(start.loaded.config_file.clone()),
        log_path: Some(start.paths.logs()),
        history_path: Some(start.paths.history_file()),
        themes_dir: Some(start.paths.themes()),
        commands_dir: Some(start.paths.commands()),
        kept_path: Some(start.paths.screen_file()),
        reports_dir: Some(start.paths.state.join("reports")),
        terminal: terminal(environment),
        editor,
        browser: environment.process("BROWSER").map(str::to_owned),
        // The others pass over what they do not know.
        hyperlinks: environment.process("TERM").is_some_and(|term| !["linux", "dumb"].contains(&term)),
        emulator: Emulator::read(|name| environment.process(name), cfg!(target_os = "macos")),
        results_dir: Some(start.paths.state.join("results")),
        colours: colours(environment),
        light_background: light_background(environment).unwrap_or(false),
        // Old consoles of Linux show what they do not know; without colours the answer would change nothing.
        tells_background: colours(environment) != ColourDepth::None
            && environment.process("TERM").is_some_and(|term| !["linux", "dumb"].contains(&term)),
        model: Some(start.loaded.settings.model.clone()),
        suggestions: offline::SUGGESTIONS.iter().map(|text| (*text).to_owned()).collect(),
        tour: tour::SCENES.iter().map(|text| (*text).to_owned()).collect(),
        touring,
    }
}

/// What tells one terminal from another; none of it is a secret.
fn terminal(environment: &Environment) -> Vec<(String, String)> {
    const NAMES: [&str; 9] =
        ["TERM", "TERM_PROGRAM", "TERM_PROGRAM_VERSION", "COLORTERM", "NO_COLOR", "TMUX", "ZELLIJ", "SSH_TTY", "WT_SESSION"];
    let told = |name: &&str| environment.process(name).map(|value| ((*name).to_owned(), value.to_owned()));
    NAMES.iter().filter_map(told).collect()
}

fn colours(environment: &Environment) -> ColourDepth {
    let term = environment.get("TERM").unwrap_or_default();
    if environment.get("NO_COLOR").is_some() || term == "dumb" {
        ColourDepth::None
    } else if matches!(environment.get("COLORTERM"), Some("truecolor" | "24bit")) {
        ColourDepth::TrueColour
    } else if term.contains("256color") {
        ColourDepth::Ansi256
    } else {
        ColourDepth::Ansi16
    }
}

/// What `COLORFGBG` says: the last number is the background's, 7 and 15 are light.
fn light_background(environment: &Environment) -> Option<bool> {
    let background: u8 = environment.get("COLORFGBG")?.rsplit(';').next()?.parse().ok()?;
    Some(matches!(background, 7 | 9..=15))
}
