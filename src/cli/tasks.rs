//! `wakeful tasks`: list, make, look into, change and carry background tasks. These commands open the log and act at once;
//! no server is connected, no model is asked. What runs tasks is the running program.

mod parts;

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use serde_json::{Map, Value, json};

pub(super) use parts::duration;

use crate::ambient::nudge::Nudges;
use crate::ambient::ports::Previewer;
use crate::ambient::probe::Probes;
use crate::ambient::service::{Error, Made, TaskService};
use crate::ambient::spec::{Built, Request};
use crate::ambient::tools::{preview_lines, wire};
use crate::ambient::why::{dollars, schedule};
use crate::app::{self, locks::FolderLocks};
use crate::cli::args::tasks::{AddArgs, TasksArgs, TasksCommand, UpdateArgs, Which};
use crate::cli::output::{self, Exit, Outcome, Stop};
use crate::cli::{Base, line};
use crate::config::settings::Settings;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::event::Event;
use crate::domain::event::words::short_id;
use crate::domain::task::{ADMIN_USER, AgreedBy, TaskRow, TaskStatus};
use crate::domain::text::clean_line;
use crate::net::fetch::Fetcher;
use crate::store::EventLog;
use crate::tools::ToolBox;

/// The widest column of the list, in characters.
const COLUMN_CHARS_MAX: usize = 50;

/// What is said where nobody is known to run tasks.
const NOBODY_RUNS: &str = "nothing runs the tasks right now: start `wakeful`, or `wakeful serve --headless`";

pub(super) async fn run(base: &Base, args: TasksArgs) -> Outcome {
    let (log, service) = open(base).await?;
    let settings = base.load()?.settings;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let fetcher = Fetcher::through(settings.net.proxy.clone(), settings.fetch.clone(), clock);
    let previewer = app::ambient::probes(&log, fetcher, ToolBox::default(), &settings.metrics);
    let surface =
        Surface { previewer, user: args.user.clone().unwrap_or_else(|| ADMIN_USER.to_owned()), owner: args.user, json: args.json, service };
    let outcome = surface.act(args.command.unwrap_or(TasksCommand::List)).await;
    log.shutdown().await;
    outcome
}

/// The log and the tasks in it, for commands that act without the rest of the program.
pub(super) async fn open(base: &Base) -> Result<(EventLog, TaskService), Stop> {
    let settings = base.load()?.settings;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let log = app::queries::open_log(&settings.store, &base.paths.events_file(), &clock).await?;
    let service = service(base, &settings, &log);
    Ok((log, service))
}

/// The tasks in `log`, as the config has them.
pub(super) fn service(base: &Base, settings: &Settings, log: &EventLog) -> TaskService {
    let feedback_url = base.environment.get("EVENT_FEEDBACK_URL").map(str::to_owned);
    let locks = FolderLocks::new(base.paths.state.join("locks"));
    app::ambient::service(log, settings, feedback_url, &Nudges::default(), locks)
}

struct Surface {
    service: TaskService,
    /// Whose tasks are reached.
    user: String,
    /// Who owns new ones.
    owner: Option<String>,
    json: bool,
    /// Tries tasks out.
    previewer: Probes,
}

/// Bad input is wrong use; the rest failed.
pub(super) fn stop(error: Error) -> Stop {
    match error {
        Error::Spec(_) => Stop::Usage(error.report()),
        error => Stop::Failed(anyhow::Error::new(error)),
    }
}

impl Surface {
    async fn act(&self, command: TasksCommand) -> Outcome {
        match command {
            TasksCommand::List => self.list().await?,
            TasksCommand::Show { task } => self.show(&task).await?,
            TasksCommand::Why { task } => self.why(&task).await?,
            TasksCommand::Add(args) => self.add(args).await?,
            TasksCommand::Pause(which) => self.each(&which, Verb::Pause).await?,
            TasksCommand::Resume(which) => self.each(&which, Verb::Resume).await?,
            TasksCommand::Run(which) => self.each(&which, Verb::Run).await?,
            TasksCommand::Delete(which) => self.each(&which, Verb::Delete).await?,
            TasksCommand::Update(args) => self.update(args).await?,
            TasksCommand::Agree { task } => {
                let (row, agreed) = self.service.agree(&task, &self.user).await.map_err(stop)?;
                let text = format!("agreed: {} {}", short_id(row.spec.task_id.as_str()), clean_line(&agreed.runs.to_string()));
                self.say(&wire::task(&row, &self.service), text)?;
            }
            TasksCommand::History { task, limit } => self.history(&task, limit).await?,
            TasksCommand::Preview(args) => self.preview(args).await?,
            TasksCommand::Export { output } => self.export(output.as_deref()).await?,
            TasksCommand::Import { file } => self.import(&file).await?,
            TasksCommand::Rebuild => return self.rebuild().await,
            TasksCommand::Backup { file } => {
                self.service.backup(file.clone()).await.map_err(stop)?;
                self.say(&json!({"file": file}), format_args!("copied to {}", file.display()))?;
            }
            TasksCommand::Status => self.status().await?,
        }
        Ok(Exit::Done)
    }

    /// One result, for programs or for people.
    fn say(&self, json: &Value, text: impl std::fmt::Display) -> Result<(), Stop> {
        if self.json { output::json(json) } else { Ok(output::line(text)?) }
    }

    async fn list(&self) -> Result<(), Stop> {
        let rows = self.service.list(&self.user).await.map_err(stop)?;
        if self.json {
            return output::json(&rows.iter().map(|row| wire::task(row, &self.service)).collect::<Vec<_>>());
        }
        if rows.is_empty() {
            output::note("no tasks yet: `wakeful tasks add --help` shows how to make one, or ask for one in `wakeful`");
            return Ok(());
        }
        let mut table = vec![["id", "type", "state", "next", "last", "description"].map(str::to_owned).to_vec()];
        table.extend(rows.iter().map(|row| self.cells(row)));
        Ok(output::raw(output::table(&table, COLUMN_CHARS_MAX))?)
    }

    fn cells(&self, row: &TaskRow) -> Vec<String> {
        let work = row.work.as_ref();
        let next = match (row.status, work.and_then(|work| work.wake)) {
            (TaskStatus::Active, Some(wake)) if wake <= self.service.now() => "due".to_owned(),
            (TaskStatus::Active, Some(wake)) => schedule::distance(wake, self.service.now()),
            _ => "-".to_owned(),
        };
        let last = work.and_then(|work| work.last.as_ref()).map_or_else(|| "-".to_owned(), |last| clean_line(&last.note));
        let id = short_id(row.spec.task_id.as_str()).to_owned();
        vec![id, row.spec.kind.kind().as_str().to_owned(), row.status.as_str().to_owned(), next, last, clean_line(&row.spec.description)]
    }

    async fn show(&self, task: &str) -> Result<(), Stop> {
        let row = self.service.find(task, &self.user).await.map_err(stop)?;
        let wire = wire::task(&row, &self.service);
        if self.json {
            return output::json(&wire);
        }
        let mut lines: Vec<(&str, String)> = vec![
            ("id", row.spec.task_id.to_string()),
            ("type", row.spec.kind.kind().as_str().to_owned()),
            ("description", row.spec.description.clone()),
            ("state", row.status.as_str().to_owned()),
        ];
        lines.extend(row.status_reason.clone().filter(|reason| !reason.is_empty()).map(|reason| ("because", reason)));
        lines.push(("due", schedule::words(&row.spec, self.service.zone())));
        let zone = schedule::zone(&row.spec, self.service.zone());
        let moment = |at| format!("{} ({})", schedule::moment(at, &zone), schedule::distance(at, self.service.now()));
        let work = row.work.as_ref();
        lines.extend(work.and_then(|work| work.wake).map(|wake| ("next", moment(wake))));
        lines.extend(work.and_then(|work| work.last.as_ref()).map(|last| ("last", format!("{}: {}", moment(last.at), last.note))));
        lines.push(("runs", format!("{}, fired {} times", work.map_or(0, |work| work.runs), row.fired)));
        lines.push(("cost", format!("{} tokens, {}", row.tokens, dollars(row.cost_micros))));
        lines.extend(row.spec.callback_url.clone().map(|url| ("callback", url)));
        lines.push(("owner", row.spec.user_id.clone()));
        lines.push(("created", moment(row.spec.created_at)));
        for (name, value) in lines {
            output::line(format_args!("{name:<12}{}", clean_line(&value)))?;
        }
        let config = serde_json::to_string_pretty(&wire["config"])?;
        Ok(output::line(format_args!("config      {}", crate::domain::text::clean(&config)))?)
    }

    async fn why(&self, task: &str) -> Result<(), Stop> {
        let row = self.service.find(task, &self.user).await.map_err(stop)?;
        let lines = self.service.detail(&row.spec.task_id).await.map_err(stop)?.why;
        if self.json {
            return output::json(&json!({"task_id": row.spec.task_id, "why": lines}));
        }
        Ok(lines.iter().try_for_each(output::line)?)
    }

    fn request(&self, args: AddArgs) -> Result<Request, Stop> {
        let AddArgs { task_type, description, parts } = args;
        let task_type = task_type.replace('-', "_");
        let config = parts::config(&parts, &task_type, self.service.zone())?.unwrap_or_else(|| Value::Object(Map::new()));
        Ok(Request { task_type, description, config, callback_url: parts.callback, user_id: self.owner.clone() })
    }

    async fn add(&self, args: AddArgs) -> Result<(), Stop> {
        let Made { row, warnings } = self.service.create_agreed(&self.request(args)?, Some(AgreedBy::Person)).await.map_err(stop)?;
        warn(&warnings);
        let when = schedule::words(&row.spec, self.service.zone());
        self.say(
            &wire::task(&row, &self.service),
            format_args!("created {}: {}, {when}", row.spec.task_id, clean_line(&row.spec.description)),
        )?;
        self.tell_whether_running().await
    }

    async fn update(&self, args: UpdateArgs) -> Result<(), Stop> {
        let UpdateArgs { task, description, parts } = args;
        let row = self.service.find(&task, &self.user).await.map_err(stop)?;
        let mut changes = Map::new();
        changes.extend(description.map(|text| ("description".to_owned(), Value::from(text))));
        changes.extend(parts.callback.clone().map(|url| ("callback_url".to_owned(), Value::from(url))));
        let config = parts::config(&parts, row.spec.kind.kind().as_str(), self.service.zone())?;
        changes.extend(config.map(|config| ("config".to_owned(), config)));
        if changes.is_empty() {
            return Err(Stop::Usage("nothing to change was given; `wakeful tasks update --help` lists what can be".to_owned()));
        }
        let by = Some(AgreedBy::Person);
        let Made { row, warnings } = self.service.update_agreed(row.spec.task_id.as_str(), &self.user, &changes, by).await.map_err(stop)?;
        warn(&warnings);
        let when = schedule::words(&row.spec, self.service.zone());
        let text = format!("changed {}: {}, {when}", short_id(row.spec.task_id.as_str()), clean_line(&row.spec.description));
        self.say(&wire::task(&row, &self.service), text)
    }

    async fn each(&self, which: &Which, verb: Verb) -> Result<(), Stop> {
        let mut done = Vec::new();
        for task in &which.tasks {
            let (service, user) = (&self.service, self.user.as_str());
            let (row, word) = match verb {
                Verb::Pause => (service.pause(task, user).await, "paused"),
                Verb::Resume => (service.resume(task, user).await, "resumed"),
                Verb::Run => (service.run_now(task, user).await, "asked for a run of"),
                Verb::Delete => (service.delete(task, user).await, "deleted"),
            };
            let row = row.map_err(stop)?;
            if !self.json {
                output::line(format_args!("{word} {}: {}", short_id(row.spec.task_id.as_str()), clean_line(&row.spec.description)))?;
            }
            done.push(match verb {
                Verb::Delete => json!({"task_id": row.spec.task_id, "description": row.spec.description, "deleted": true}),
                Verb::Pause | Verb::Resume | Verb::Run => wire::task(&row, service),
            });
        }
        if self.json {
            output::json(&done)?;
        }
        match verb {
            Verb::Run => self.tell_whether_running().await,
            Verb::Pause | Verb::Resume | Verb::Delete => Ok(()),
        }
    }

    async fn tell_whether_running(&self) -> Result<(), Stop> {
        if !self.service.is_running().await.map_err(stop)? {
            output::note(NOBODY_RUNS);
        }
        Ok(())
    }

    async fn history(&self, task: &str, limit: usize) -> Result<(), Stop> {
        let (_, events) = self.service.history(task, &self.user, limit).await.map_err(stop)?;
        if self.json {
            return output::json(&events.iter().map(Arc::as_ref).collect::<Vec<&Event>>());
        }
        let zone = self.service.zone();
        for event in &events {
            let day = event.at.timestamp().to_zoned(zone.clone()).strftime("%Y-%m-%d").to_string();
            output::line(format_args!("{day} {}", line::line(event, zone)))?;
        }
        Ok(())
    }

    async fn preview(&self, args: AddArgs) -> Result<(), Stop> {
        let Built { spec, warnings, .. } = self.service.check(&self.request(args)?).map_err(stop)?;
        warn(&warnings);
        let mut lines = preview_lines(&self.service, &spec).map_err(stop)?;
        let tried = self.previewer.preview(spec.clone()).await.map_err(|reason| Stop::Failed(anyhow::anyhow!(reason)))?;
        lines.extend(tried.lines.iter().cloned());
        if let Some((fired, of)) = tried.would_have_fired {
            lines.push(format!("would have told you {fired} of the last {of} times"));
        }
        if let Some(sample) = &tried.sample {
            lines.push(format!("for example: {sample}"));
        }
        if self.json {
            let next = self.service.next_times(&spec, 3).map_err(stop)?;
            let value = json!({"task_type": spec.kind.kind(), "lines": lines, "next_checks": next,
                "would_have_fired": tried.would_have_fired.map(|(fired, of)| json!({"fired": fired, "of": of})), "sample": tried.sample,
                "troubles": tried.troubles});
            output::json(&value)?;
        } else {
            lines.iter().try_for_each(|text| output::line(clean_line(text)))?;
        }
        if tried.troubles.is_empty() { Ok(()) } else { Err(Stop::Failed(anyhow::anyhow!(clean_line(&tried.troubles.join("; "))))) }
    }

    async fn export(&self, path: Option<&Path>) -> Result<(), Stop> {
        let Some(path) = path else {
            let mut out = BufWriter::new(std::io::stdout().lock());
            let written = self.service.export(&self.user, |line| writeln!(out, "{line}")).await;
            return match written {
                Ok(_) => Ok(out.flush()?),
                Err(Error::Io { source, .. }) => Err(source.into()),
                Err(error) => Err(stop(error)),
            };
        };
        let mut text = String::new();
        let exported = self
            .service
            .export(&self.user, |line| {
                text.push_str(line);
                text.push('\n');
                Ok(())
            })
            .await
            .map_err(stop)?;
        crate::config::edit::write(path, &text)?;
        let json = json!({"file": path, "tasks": exported.tasks, "events": exported.events});
        self.say(&json, format_args!("written: {} ({} tasks, {} events)", path.display(), exported.tasks, exported.events))
    }

    async fn import(&self, path: &Path) -> Result<(), Stop> {
        let reader: Box<dyn BufRead> = if path == Path::new("-") {
            Box::new(BufReader::new(std::io::stdin()))
        } else {
            let file = std::fs::File::open(path).with_context(|| format!("could not read `{}`", path.display()))?;
            Box::new(BufReader::new(file))
        };
        let imported = self.service.import(reader.lines()).await.map_err(stop)?;
        warn(&imported.warnings);
        let text = format!("imported {} tasks with {} events; {} were here before", imported.tasks, imported.events, imported.skipped);
        self.say(&serde_json::to_value(&imported)?, text)
    }

    async fn rebuild(&self) -> Outcome {
        let rebuilt = self.service.rebuild().await.map_err(stop)?;
        let verdict = if rebuilt.same { "the same as before" } else { "not the same as before: something had been damaged" };
        let text = format!("replayed {} events; the lists are {verdict} ({})", rebuilt.events, short_id(&rebuilt.after));
        self.say(&serde_json::to_value(&rebuilt)?, text)?;
        Ok(Exit::Done)
    }

    async fn status(&self) -> Result<(), Stop> {
        let status = self.service.status(&self.user).await.map_err(stop)?;
        if self.json {
            return output::json(&wire::status(&status));
        }
        let running = if status.service_running { "yes" } else { "no: start `wakeful`, or `wakeful serve --headless`" };
        output::line(format_args!("run by a wakeful: {running}"))?;
        output::line(format_args!(
            "tasks: {} ({} active, {} paused or failed)",
            status.total_tasks, status.active_tasks, status.paused_tasks
        ))?;
        for (kind, count) in &status.task_types {
            output::line(format_args!("  {kind}: {count}"))?;
        }
        output::line(format_args!("inbox: {} unread", status.unread))?;
        output::line(format_args!("waiting: {} firings, {} notices", status.firings_waiting, status.notices_waiting))?;
        Ok(output::line(format_args!("dead letters: {}", status.dead_letters))?)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Pause,
    Resume,
    Run,
    Delete,
}

fn warn(warnings: &[String]) {
    for warning in warnings {
        output::note(format_args!("wakeful: {}", clean_line(warning)));
    }
}
