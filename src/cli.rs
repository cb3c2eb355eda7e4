//! The command line: parse, load, run, exit code.

pub mod args;
mod attach;
mod awake;
mod cache;
mod config;
mod coordinator;
mod events;
mod exec;
mod inbox;
mod line;
mod mcp;
mod memory;
pub mod output;
mod preferences;
mod report;
mod screen;
mod sessions;
mod tasks;
mod undo;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::CommandFactory;
use toml::Value;

use crate::app::{self, App};
use crate::bus::CommandSender;
use crate::cli::args::{Cli, Command, Global};
use crate::cli::output::{Exit, Outcome, Stop};
use crate::config::environment::Environment;
use crate::config::load::{self, Loaded, Sources, nested};
use crate::config::paths::Paths;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::command;
use crate::domain::ids::SessionId;
use crate::domain::query::{CheckLevel, CheckRow};
use crate::mcp::Rules;
use crate::store::{self, EventLog};

/// Threads that carry the program. The work is waiting; two keep one blocked task from holding up the screen.
const WORKERS: usize = 2;

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = match Cli::of_this_process() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors and go to standard output; clap knows.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Exit::Usage.code() } else { Exit::Done.code() });
        }
    };
    // Before anything is looked at: it runs once for each command of the agent.
    if let Some(Command::SandboxExec { spec, words }) = &cli.command {
        return match crate::tools::local::supervise(spec, words) {
            Ok(code) => ExitCode::from(code),
            Err(reason) => {
                output::note(format_args!("wakeful: {reason}"));
                ExitCode::from(Exit::Failed.code())
            }
        };
    }
    let exit = match run(cli) {
        Ok(exit) => exit,
        Err(Stop::ReaderGone) => Exit::Done,
        Err(Stop::Usage(message)) => {
            output::note(format_args!("wakeful: {message}"));
            Exit::Usage
        }
        Err(Stop::Failed(error)) => {
            output::error(&error);
            Exit::Failed
        }
    };
    ExitCode::from(exit.code())
}

/// What every command starts from.
#[derive(Clone)]
struct Base {
    cwd: PathBuf,
    environment: Environment,
    paths: Paths,
    global: Global,
    warnings: Vec<String>,
}

impl Base {
    fn find(global: Global) -> anyhow::Result<Self> {
        let cwd = std::env::current_dir().context("the working folder is gone")?;
        let (environment, warnings) = Environment::read(&cwd);
        let paths = Paths::find(&environment).map_err(anyhow::Error::msg)?;
        Ok(Self { cwd, environment, paths, global, warnings })
    }

    fn sources(&self) -> Result<Sources, Stop> {
        let mut flags = Vec::new();
        if let Some(model) = &self.global.model {
            flags.push(("--model".to_owned(), nested(&["model"], Value::String(model.clone()))));
        }
        if let Some(mode) = &self.global.approvals {
            flags.push(("--approvals".to_owned(), nested(&["agent", "mode"], Value::String(mode.clone()))));
        }
        for set in &self.global.sets {
            let (key, text) = set.split_once('=').ok_or_else(|| Stop::Usage(format!("--set {set}: not of the form KEY=VALUE")))?;
            // A TOML value where it is one, else the text itself: `--set tui.theme=light` needs no quotes.
            let value = format!("v = {text}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("v"));
            let path: Vec<&str> = key.split('.').collect();
            flags.push((format!("--set {key}"), nested(&path, value.unwrap_or_else(|| Value::String(text.to_owned())))));
        }
        Ok(Sources { cwd: self.cwd.clone(), config: self.global.config.clone(), flags })
    }

    fn load(&self) -> Result<Loaded, Stop> {
        let mut loaded = load::load(&self.sources()?, &self.environment, &self.paths)?;
        loaded.warnings.splice(0..0, self.warnings.iter().cloned());
        Ok(loaded)
    }

    fn start(&self, unattended: bool) -> Result<app::Start, Stop> {
        let (paths, environment, cwd) = (self.paths.clone(), self.environment.clone(), self.cwd.clone());
        Ok(app::Start { loaded: self.load()?, paths, environment, cwd, unattended, rules: Rules::default(), awake: false })
    }

    /// Flags count for a session that is resumed too, over what it was left with.
    fn insist(&self, commands: &CommandSender, session: &SessionId) -> Result<(), Stop> {
        if let Some(mode) = &self.global.approvals {
            let mode = mode.parse().map_err(Stop::Usage)?;
            commands.send(command::Command::SetMode { session: session.clone(), mode })?;
        }
        if let Some(model) = &self.global.model {
            commands.send(command::Command::SetModel { session: session.clone(), model: model.clone() })?;
        }
        Ok(())
    }

    /// The log alone, for commands that only read it.
    async fn log(&self) -> Result<EventLog, Stop> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Ok(app::queries::open_log(&self.load()?.settings.store, &self.paths.events_file(), &clock).await?)
    }
}

fn run(cli: Cli) -> Outcome {
    let base = Base::find(cli.global)?;
    match cli.command {
        None => screen::run(&base, &cli.screen, false),
        Some(Command::Demo(args)) if args.plain => block_on(exec::tour(&base)),
        Some(Command::Demo(_)) => screen::run(&base, &cli.screen, true),
        Some(Command::Exec(args)) => block_on(exec::run(&base, args)),
        Some(Command::Mcp(command)) => block_on(mcp::run(&base, command)),
        Some(Command::Attach(args)) => attach::run(&base, &args),
        Some(Command::Events(args)) => block_on(events::run(&base, args)),
        Some(Command::Sessions(args)) => block_on(sessions::run(&base, args)),
        Some(Command::Undo(args)) => block_on(undo::run(&base, args)),
        Some(Command::Tasks(args)) => block_on(tasks::run(&base, args)),
        Some(Command::Inbox(args)) => block_on(inbox::run(&base, args)),
        Some(Command::Memory(args)) => block_on(memory::run(&base, args)),
        Some(Command::Serve(args)) => block_on(awake::serve(&base, &args)),
        Some(Command::Coordinator(args)) => block_on(coordinator::run(&base, args)),
        Some(Command::Simulate(args)) => block_on(awake::simulate(&base, &args)),
        Some(Command::Notify(command)) => block_on(awake::notify(&base, command)),
        Some(Command::Report(args)) => block_on(report::run(&base, args)),
        Some(Command::Cache(command)) => block_on(cache::run(&base, &command)),
        Some(Command::Config(command)) => config::run(&base, &command),
        Some(Command::Doctor(args)) => block_on(doctor(&base, args.json)),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "wakeful", &mut script);
            output::raw(script)?;
            Ok(Exit::Done)
        }
        Some(Command::Man) => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            output::raw(page)?;
            Ok(Exit::Done)
        }
        // Done in `main`.
        Some(Command::SandboxExec { .. }) => Ok(Exit::Usage),
    }
}

fn block_on(future: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let outcome = runtime.block_on(future);
    // A file that hangs (a dead network mount) must not hold up the exit.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    outcome
}

/// How long `doctor` gives servers to come up.
const SERVERS_WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(10);

async fn doctor(base: &Base, json: bool) -> Outcome {
    let rows = match base.start(true) {
        Ok(start) => match App::start(start.clone()).await {
            Ok(app) => {
                app.pool().settled(SERVERS_WAIT_MAX).await;
                let rows = app.queries().doctor().await?;
                app.shutdown().await;
                rows
            }
            // Neither is a log that cannot be opened.
            Err(error) if error.is::<store::Error>() => {
                app::doctor::look_without_log(&start, format!("{error:#}"), SERVERS_WAIT_MAX).await?
            }
            Err(error) => return Err(error.into()),
        },
        // A broken config is a finding, not the end of the examination.
        Err(Stop::Failed(error)) => {
            let remedy = Some("correct what it names, then look again; `wakeful config path` says where the file is".to_owned());
            vec![CheckRow { name: "config".to_owned(), level: CheckLevel::Fail, message: format!("{error:#}"), remedy }]
        }
        Err(stop) => return Err(stop),
    };
    if json {
        output::json(&rows)?;
    } else {
        for row in &rows {
            let mark = match row.level {
                CheckLevel::Ok => "ok  ",
                CheckLevel::Warn => "warn",
                CheckLevel::Fail => "FAIL",
            };
            output::line(format_args!("{mark}  {}: {}", row.name, row.message))?;
            if let Some(remedy) = &row.remedy {
                output::line(format_args!("      → {remedy}"))?;
            }
        }
    }
    Ok(if rows.iter().any(|row| row.level == CheckLevel::Fail) { Exit::Failed } else { Exit::Done })
}
