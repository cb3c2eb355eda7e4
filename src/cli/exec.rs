//! `wakeful exec`: ask once, print the answer; and the tour without a screen.

use std::io::{IsTerminal, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::app::{self, App, tour};
use crate::bus::{Delivery, Subscription};
use crate::cli::args::{AcceptArg, ExecArgs};
use crate::cli::output::{self, Exit, Outcome, Stop};
use crate::cli::{Base, line};
use crate::domain::command::{Command, Delivery as When, SessionOptions};
use crate::domain::event::{Approval, ApprovalStatus, Chat, ChatStatus, ErrorKind, Event, EventBody, Status, TurnEnd, TurnEvent};
use crate::domain::ids::{MessageId, Seq, SessionId, TurnId};
use crate::domain::message::Role;
use crate::domain::query::{EventFilter, EventReader};
use crate::domain::task::TaskKind;
use crate::domain::text::clean;
use crate::mcp::Rules;

/// The largest piped input, in bytes.
const INPUT_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The longest that servers are waited for before the first prompt; the slowest of them decide within it.
const SERVERS_WAIT_MAX: Duration = Duration::from_mins(1);

/// How the run is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// One event a line.
    Json,
    /// The answer as it streams, lines about tools on standard error.
    Stream,
    /// The final answer alone on standard output; lines about tools on standard error unless quiet.
    Final { quiet: bool },
}

pub(super) async fn run(base: &Base, args: ExecArgs) -> Outcome {
    let prompt = prompt(&args)?;
    let app = App::start(app::Start { rules: rules(&args)?, ..base.start(true)? }).await?;
    let outcome = ask_once(base, &app, &args, prompt).await;
    app.shutdown().await;
    outcome
}

async fn ask_once(base: &Base, app: &App, args: &ExecArgs, prompt: String) -> Outcome {
    let style = match (args.json, std::io::stdout().is_terminal() && !args.quiet) {
        (true, _) => Style::Json,
        (false, true) => Style::Stream,
        (false, false) => Style::Final { quiet: args.quiet },
    };
    let mut asking = Asking::new(app, style);
    if !args.no_wait {
        tokio::select! {
            _ = app.pool().settled(SERVERS_WAIT_MAX) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Interrupted),
        }
    }
    let session = match &args.resume {
        Some(wanted) => {
            let session = app.find_session(wanted).await?;
            app.commands().send(Command::OpenSession { session: session.clone() })?;
            base.insist(&app.commands(), &session)?;
            session
        }
        None => new_session(app)?,
    };
    asking.ask(&session, prompt).await
}

/// What servers are answered: nobody is there.
fn rules(args: &ExecArgs) -> Result<Rules, Stop> {
    let accepts = |what: AcceptArg| args.accept.contains(&what);
    let values = match args.answers.as_deref() {
        None => serde_json::Map::new(),
        Some(given) => {
            let text = match given.strip_prefix('@') {
                Some(path) => std::fs::read_to_string(path).with_context(|| format!("could not read `{path}` (from `--answers`)"))?,
                None => given.to_owned(),
            };
            serde_json::from_str(&text).map_err(|error| Stop::Usage(format!("`--answers` is no JSON object: {error}")))?
        }
    };
    Ok(Rules {
        fill_forms: accepts(AcceptArg::Forms) || args.answers.is_some(),
        values,
        sampling: accepts(AcceptArg::Sampling),
        first_runs: accepts(AcceptArg::Commands),
        changed_tools: accepts(AcceptArg::Changes),
        addresses: false,
    })
}

fn new_session(app: &App) -> Result<SessionId, Stop> {
    let session = SessionId::generate();
    app.commands().send(Command::NewSession { session: session.clone(), options: SessionOptions::default() })?;
    Ok(session)
}

/// The arguments, and behind them what is piped in.
fn prompt(args: &ExecArgs) -> Result<String, Stop> {
    let mut prompt = args.prompt.join(" ");
    if !std::io::stdin().is_terminal() {
        let mut piped = Vec::new();
        let count = std::io::stdin().lock().take(INPUT_BYTES_MAX + 1).read_to_end(&mut piped).context("could not read standard input")?;
        if count as u64 > INPUT_BYTES_MAX {
            return Err(Stop::Usage("standard input is larger than 16 MiB: give a file's name instead and let a tool read it".to_owned()));
        }
        let piped = String::from_utf8_lossy(&piped);
        if !piped.trim().is_empty() {
            prompt = if prompt.is_empty() { piped.into_owned() } else { format!("{prompt}\n\n{piped}") };
        }
    }
    if prompt.trim().is_empty() {
        return Err(Stop::Usage("nothing to ask: give a prompt, or pipe one in".to_owned()));
    }
    Ok(prompt)
}

/// The tour on standard output: in a folder of its own, where it may write.
pub(super) async fn tour(base: &Base) -> Outcome {
    let mut start = base.start(true)?;
    tour::prepare(&mut start)?;
    start.awake = true;
    let app = App::start(start).await?;
    app.pool().settled(SERVERS_WAIT_MAX).await;
    let mut outcome = Ok(Exit::Done);
    let session = new_session(&app)?;
    for scene in tour::SCENES {
        output::line(format_args!("\n› {scene}\n"))?;
        outcome = Asking::new(&app, Style::Final { quiet: false }).ask(&session, (*scene).to_owned()).await;
        if !matches!(outcome, Ok(Exit::Done)) {
            break;
        }
    }
    if matches!(outcome, Ok(Exit::Done)) {
        output::line("\n› a watched page changes (simulated)\n")?;
        outcome = super::awake::show_simulated(&app, TaskKind::WebMonitor).await;
    }
    app.shutdown().await;
    outcome
}

/// One prompt and its answer, seen through the feed.
struct Asking<'a> {
    app: &'a App,
    feed: Subscription,
    style: Style,
    seen: Seq,
    message: MessageId,
    turn: Option<TurnId>,
    begun: bool,
    /// Text was printed and its line is not ended.
    open: bool,
    answer: String,
    refused: bool,
}

impl<'a> Asking<'a> {
    fn new(app: &'a App, style: Style) -> Self {
        let (feed, message) = (app.subscribe(), MessageId::generate());
        Self { app, feed, style, seen: Seq(0), message, turn: None, begun: false, open: false, answer: String::new(), refused: false }
    }

    async fn ask(&mut self, session: &SessionId, text: String) -> Outcome {
        let submit = Command::Submit { session: session.clone(), message_id: self.message.clone(), text, delivery: When::Queue };
        self.app.commands().send(submit)?;
        let mut interrupts = 0;
        loop {
            tokio::select! {
                delivery = self.feed.recv() => match delivery {
                    Some(Delivery::Event(event)) => {
                        if let Some(exit) = self.see(session, &event)? {
                            return Ok(exit);
                        }
                    }
                    Some(Delivery::Lost(_)) => {
                        if let Some(exit) = self.catch_up(session).await? {
                            return Ok(exit);
                        }
                    }
                    None => return Ok(Exit::Failed),
                },
                _ = tokio::signal::ctrl_c() => {
                    interrupts += 1;
                    if interrupts > 1 {
                        return Ok(Exit::Interrupted);
                    }
                    self.app.commands().send(Command::Interrupt { session: session.clone() })?;
                }
            }
        }
    }

    /// What the feed dropped is in the log, as far as it was durable.
    async fn catch_up(&mut self, session: &SessionId) -> Result<Option<Exit>, Stop> {
        let filter = EventFilter { session: Some(session.clone()), after: Some(self.seen), ..EventFilter::default() };
        for event in self.app.log().events(filter).await? {
            if let Some(exit) = self.see(session, &event)? {
                return Ok(Some(exit));
            }
        }
        Ok(None)
    }

    /// Prints an event; the exit code where it ends the run.
    fn see(&mut self, session: &SessionId, event: &Arc<Event>) -> Result<Option<Exit>, Stop> {
        if let Some(seq) = event.seq {
            if seq <= self.seen {
                return Ok(None);
            }
            self.seen = seq;
            if self.style == Style::Json {
                output::line(serde_json::to_string(event)?)?;
            }
        }
        if event.session.as_ref().is_some_and(|other| other != session) {
            return Ok(None);
        }
        if let (None, EventBody::Error(error)) = (event.seq, &event.body)
            && matches!(error.source.as_str(), "agent" | "app")
        {
            // What is told beside the log is why a prompt comes to nothing: no turn will end.
            self.end_line()?;
            output::note(format_args!("wakeful: {}", clean(&error.message)));
            return Ok(Some(Exit::Failed));
        }
        match &event.body {
            EventBody::Chat(chat) => self.chat(chat)?,
            EventBody::TurnEvent(TurnEvent::Finished { turn, parent: None, end, message, .. }) if self.is_mine(turn) => {
                return self.finish(*end, message.as_deref()).map(Some);
            }
            // Another prompt, queued before this one, came to a bad end: what waits behind it does not go by itself.
            EventBody::TurnEvent(TurnEvent::Finished {
                parent: None,
                end: end @ (TurnEnd::Failed | TurnEnd::Interrupted),
                message,
                ..
            }) if !self.begun => {
                let (session, message_id) = (session.clone(), self.message.clone());
                self.app.commands().send(Command::EditQueued { session, message_id, text: None })?;
                return self.finish(*end, message.as_deref()).map(Some);
            }
            EventBody::Approval(Approval { status: ApprovalStatus::Refused, .. }) => self.refused |= self.begun,
            EventBody::ToolExecution(run) if run.status != Status::Started => {
                self.refused |= self.begun && run.error_kind == Some(ErrorKind::Refused);
                self.note(event)?;
            }
            EventBody::HandoffCall(_) | EventBody::Error(_) | EventBody::TurnEvent(TurnEvent::Retrying { .. }) => self.note(event)?,
            _ => {}
        }
        Ok(None)
    }

    fn is_mine(&self, turn: &TurnId) -> bool {
        self.begun && self.turn.as_ref().is_none_or(|mine| mine == turn)
    }

    fn chat(&mut self, chat: &Chat) -> Result<(), Stop> {
        if chat.role == Role::User && chat.status == ChatStatus::Done && chat.message_id.as_ref() == Some(&self.message) {
            self.begun = true;
            self.turn.clone_from(&chat.turn);
        }
        if chat.role != Role::Assistant || chat.parent.is_some() || !self.begun {
            return Ok(());
        }
        let text = chat.text.as_deref().unwrap_or_default();
        match chat.status {
            ChatStatus::Delta if self.style == Style::Stream && !text.is_empty() => {
                output::raw(clean(text).as_bytes())?;
                self.open = true;
            }
            ChatStatus::Done | ChatStatus::Interrupted | ChatStatus::Failed => {
                if self.style == Style::Stream && !self.open && !text.is_empty() {
                    output::raw(clean(text).as_bytes())?;
                    self.open = true;
                }
                self.end_line()?;
                text.clone_into(&mut self.answer);
            }
            _ => {}
        }
        Ok(())
    }

    fn end_line(&mut self) -> Result<(), Stop> {
        if std::mem::take(&mut self.open) {
            output::line("")?;
        }
        Ok(())
    }

    /// A line about what happens beside the answer.
    fn note(&mut self, event: &Event) -> Result<(), Stop> {
        match self.style {
            Style::Json | Style::Final { quiet: true } => return Ok(()),
            Style::Stream | Style::Final { quiet: false } => {}
        }
        self.end_line()?;
        output::note(line::line(event, &jiff::tz::TimeZone::system()));
        Ok(())
    }

    fn finish(&mut self, end: TurnEnd, message: Option<&str>) -> Outcome {
        self.end_line()?;
        if let Style::Final { .. } = self.style
            && !self.answer.is_empty()
        {
            // A program that reads this gets the text as it is; a terminal never gets here.
            let mut out = std::io::stdout().lock();
            out.write_all(self.answer.as_bytes())?;
            if !self.answer.ends_with('\n') {
                out.write_all(b"\n")?;
            }
            out.flush()?;
        }
        if let (Some(message), true) = (message, end != TurnEnd::Done && self.style != Style::Json) {
            output::note(format_args!("wakeful: {}", clean(message)));
        }
        Ok(match end {
            TurnEnd::Done if self.refused => Exit::Refused,
            TurnEnd::Done => Exit::Done,
            TurnEnd::Interrupted => Exit::Interrupted,
            TurnEnd::StepLimit | TurnEnd::Failed | TurnEnd::Crashed => Exit::Failed,
        })
    }
}
