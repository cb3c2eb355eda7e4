//! Carries out effects off the draw loop: commands, questions, files, the editor.

use std::collections::VecDeque;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::Instant as Moment;

use crate::bus::CommandSender;
use crate::domain::command::Command;
use crate::domain::ids::SessionId;
use crate::domain::memory::MemoryFilter;
use crate::domain::query::{EventFilter, ExportFormat, InboxFilter, Queries, QueryError, SessionPage};
use crate::tui::catalog::Typed;
use crate::tui::clipboard::{self, Program};
use crate::tui::composer::history;
use crate::tui::files;
use crate::tui::moment;
use crate::tui::msg::{Answer, Effect, Msg, Query};
use crate::tui::panels::{inbox, memory, previews};
use crate::tui::question::may_open;
use crate::tui::runtime::kept::Files;
use crate::tui::runtime::stored;
use crate::tui::saved;
use crate::tui::settings::Preferences;
use crate::tui::state::State;
use crate::tui::theme::Themes;

/// Commands that wait for the backend.
const WAITING_MAX: usize = 64;

/// Sessions in the list.
const SESSIONS_MAX: usize = 200;

/// Lines of a server's error output.
const LOG_LINES_MAX: usize = 500;

/// Files found are good for so long.
const FILES_FRESH: Duration = Duration::from_secs(10);

/// The largest history file that is read, in bytes.
const HISTORY_BYTES_MAX: u64 = 16 << 20;

/// What is left to do after an effect.
pub(super) enum After {
    /// Nothing, or it goes on in the background.
    Nothing,
    /// Fold this.
    Msg(Box<Msg>),
    /// It needs the terminal.
    Terminal(Effect),
}

type FileCache = Arc<Mutex<Option<(Moment, Arc<Vec<String>>)>>>;

/// Carries out effects.
pub(super) struct Effects {
    messages: mpsc::Sender<Msg>,
    /// Files around the screen.
    around: Files,
    commands: Option<CommandSender>,
    queries: Option<Arc<dyn Queries>>,
    waiting: VecDeque<Command>,
    given_up: bool,
    cwd: PathBuf,
    files: FileCache,
    history_path: Option<PathBuf>,
    history_max: usize,
    themes_dir: Option<PathBuf>,
    browser: Option<String>,
    clipboards: Vec<Program>,
    results_dir: Option<PathBuf>,
    /// Prompts to be kept, in order, written by one task.
    prompts: Option<mpsc::UnboundedSender<String>>,
}

impl Effects {
    pub(super) fn new(messages: mpsc::Sender<Msg>, state: &State, preferences: Option<Arc<dyn Preferences>>) -> Self {
        Self {
            around: Files::new(messages.clone(), state, preferences),
            messages,
            commands: None,
            queries: None,
            waiting: VecDeque::new(),
            given_up: false,
            cwd: state.surroundings.cwd.clone(),
            files: Arc::default(),
            history_path: state.surroundings.history_path.clone(),
            history_max: state.options.history_max,
            themes_dir: state.surroundings.themes_dir.clone(),
            browser: state.surroundings.browser.clone(),
            clipboards: state.surroundings.emulator.clipboards.clone(),
            results_dir: state.surroundings.results_dir.clone(),
            prompts: None,
        }
    }

    /// Reads what the first screen can do without: earlier prompts, the user's themes.
    pub(super) fn start(&self) {
        self.around.start();
        let (messages, path, max) = (self.messages.clone(), self.history_path.clone(), self.history_max);
        let themes_dir = self.themes_dir.clone();
        drop(spawn_blocking(move || {
            if let Some(prompts) = path.and_then(|path| read_history(&path, max)) {
                let _ = messages.blocking_send(Msg::History(prompts));
            }
            if let Some(folder) = themes_dir.filter(|folder| folder.is_dir()) {
                let mut themes = Themes::builtin();
                let problems = themes.add_folder(&folder).iter().map(ToString::to_string).collect();
                let _ = messages.blocking_send(Msg::Themes(themes, problems));
            }
        }));
    }

    /// The backend stands: what waited goes out. What was not taken comes back.
    pub(super) fn link(&mut self, commands: CommandSender, queries: Arc<dyn Queries>) -> Vec<Msg> {
        self.commands = Some(commands);
        self.queries = Some(queries);
        let waiting = std::mem::take(&mut self.waiting);
        waiting.into_iter().filter_map(|command| self.send(command)).collect()
    }

    /// The backend will never stand: what waited comes back.
    pub(super) fn give_up(&mut self, reason: &str) -> Vec<Msg> {
        self.given_up = true;
        self.waiting.drain(..).map(|command| Msg::NotSent(Box::new(command), reason.to_owned())).collect()
    }

    fn send(&mut self, command: Command) -> Option<Msg> {
        let Some(commands) = &self.commands else {
            if self.given_up || self.waiting.len() >= WAITING_MAX {
                return Some(Msg::NotSent(Box::new(command), "too much at once: the program is still starting".to_owned()));
            }
            self.waiting.push_back(command);
            return None;
        };
        commands.send(command.clone()).err().map(|error| Msg::NotSent(Box::new(command), error.to_string()))
    }

    /// Hands a message to the loop. The loop itself calls this, so it must not wait.
    pub(super) fn send_back(&self, msg: Msg) {
        let _ = self.messages.try_send(msg);
    }

    /// Shows a note.
    pub(super) fn note(&self, good: bool, text: &str) {
        self.send_back(Msg::Note(good, text.to_owned()));
    }

    pub(super) fn carry_out(&mut self, effect: Effect) -> After {
        match effect {
            Effect::Send(command) => return self.send(command).map_or(After::Nothing, |msg| After::Msg(Box::new(msg))),
            Effect::Ask(query) => self.ask(query),
            Effect::FindFiles { query, used } => self.find_files(query, used),
            Effect::ReadOwn => self.around.read_own(),
            Effect::Keep(text) => self.around.keep(text),
            Effect::Report(text) => self.around.report(text),
            Effect::ReadSettings => self.around.read_settings(),
            Effect::SaveSetting(key, value) => self.around.save_setting(key, value),
            Effect::KeepPrompt(prompt) => self.keep(prompt),
            Effect::Export { session, format, path } => self.export(session, format, path),
            Effect::ExportMemories(path) => self.export_memories(path),
            Effect::Open(url) => self.open(url),
            Effect::Copy(text) if self.clipboards.is_empty() => return After::Terminal(Effect::CopyByTerminal(text)),
            Effect::Copy(text) => self.copy(text),
            Effect::OpenFile(path) => self.open_file(path),
            terminal @ (Effect::CopyByTerminal(_)
            | Effect::Dump(_)
            | Effect::Edit { .. }
            | Effect::Mouse(_)
            | Effect::Suspend
            | Effect::Redraw
            | Effect::Quit) => {
                return After::Terminal(terminal);
            }
        }
        After::Nothing
    }

    fn ask(&self, query: Query) {
        let Some(queries) = self.queries.clone() else { return };
        let messages = self.messages.clone();
        drop(tokio::spawn(async move {
            let answer = answer(&*queries, query).await;
            let _ = messages.send(Msg::Answer(answer)).await;
        }));
    }

    fn find_files(&self, query: String, used: Vec<(String, u32)>) {
        let (messages, cwd, cache) = (self.messages.clone(), self.cwd.clone(), Arc::clone(&self.files));
        drop(spawn_blocking(move || {
            let known = cache.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let all = match known {
                Some((at, files)) if at.elapsed() < FILES_FRESH => files,
                _ => {
                    let files = Arc::new(files::list(&cwd));
                    *cache.lock().unwrap_or_else(PoisonError::into_inner) = Some((Moment::now(), Arc::clone(&files)));
                    files
                }
            };
            let best = files::best(&all, &query, &used);
            let _ = messages.blocking_send(Msg::Files(query, best));
        }));
    }

    /// One task writes all prompts, so that they stay in order.
    fn keep(&mut self, prompt: String) {
        let Some(path) = self.history_path.clone() else { return };
        let sender = self.prompts.get_or_insert_with(|| {
            let (sender, mut receiver) = mpsc::unbounded_channel::<String>();
            let (messages, max) = (self.messages.clone(), self.history_max);
            drop(spawn_blocking(move || {
                while let Some(prompt) = receiver.blocking_recv() {
                    if let Err(error) = append_history(&path, &prompt, max) {
                        let _ =
                            messages.blocking_send(Msg::Note(false, format!("could not keep the prompt in `{}`: {error}", path.display())));
                        return;
                    }
                }
            }));
            sender
        });
        let _ = sender.send(prompt);
    }

    /// Programs are tried in turn; where none does it, the text comes back for the terminal.
    fn copy(&self, text: String) {
        let (messages, programs) = (self.messages.clone(), self.clipboards.clone());
        drop(tokio::spawn(async move {
            let lines = text.lines().count();
            let done = clipboard::put(&programs, &text).await.ok_or(text);
            let _ = messages.send(Msg::Copied(lines, done)).await;
        }));
    }

    /// Opens a saved result with the system's program for it.
    fn open_file(&self, path: PathBuf) {
        let (messages, folder) = (self.messages.clone(), self.results_dir.clone());
        drop(tokio::spawn(async move {
            let shown = path.display().to_string();
            let opened = async {
                let path = spawn_blocking(move || saved::openable(&path, folder.as_deref())).await.map_err(|error| error.to_string())??;
                let words = vec![system_opener().to_owned(), path.display().to_string()];
                open_in_browser(words).await.map_err(|error| format!("`{}` did not open it: {error}", system_opener()))
            };
            let msg = match opened.await {
                Ok(()) => Msg::Note(true, format!("opened {shown}")),
                Err(reason) => Msg::Note(false, format!("{reason}: {shown}")),
            };
            let _ = messages.send(msg).await;
        }));
    }

    fn open(&self, url: String) {
        if !may_open(&url) {
            return self.note(false, "only http and https addresses are opened");
        }
        let Some(words) = browser_command(self.browser.as_deref(), &url) else {
            return self.note(false, "`BROWSER` is no command line; copy the address instead");
        };
        let messages = self.messages.clone();
        drop(tokio::spawn(async move {
            let program = words.first().cloned().unwrap_or_default();
            if let Err(error) = open_in_browser(words).await {
                let text = format!("could not open the address with `{program}`: {error}; set BROWSER, or open it yourself: {url}");
                let _ = messages.send(Msg::Note(false, text)).await;
            }
        }));
    }

    fn export_memories(&self, path: PathBuf) {
        let Some(queries) = self.queries.clone() else { return };
        let messages = self.messages.clone();
        drop(tokio::spawn(async move {
            let msg = match memories_text(&*queries).await {
                Ok(text) => spawn_blocking(move || write(&path, &text)).await.unwrap_or_else(|error| Msg::Note(false, error.to_string())),
                Err(error) => Msg::Note(false, format!("could not export the memories: {error}")),
            };
            let _ = messages.send(msg).await;
        }));
    }

    fn export(&self, session: SessionId, format: ExportFormat, path: PathBuf) {
        let Some(queries) = self.queries.clone() else { return };
        let messages = self.messages.clone();
        drop(tokio::spawn(async move {
            let msg = match queries.export(session, format).await {
                Ok(text) => spawn_blocking(move || write(&path, &text)).await.unwrap_or_else(|error| Msg::Note(false, error.to_string())),
                Err(error) => Msg::Note(false, format!("could not export the session: {error}")),
            };
            let _ = messages.send(msg).await;
        }));
    }
}

/// All memories as JSON lines, a part after the other.
async fn memories_text(queries: &dyn Queries) -> Result<String, QueryError> {
    let (mut out, mut offset) = (String::new(), 0);
    loop {
        let page = queries.memories(MemoryFilter { limit: Some(memory::ROWS_MAX), offset, ..MemoryFilter::default() }).await?;
        if page.memories.is_empty() {
            return Ok(out);
        }
        offset += page.memories.len();
        for line in page.memories.iter().filter_map(|memory| serde_json::to_string(memory).ok()) {
            out.push_str(&line);
            out.push('\n');
        }
    }
}

/// Writes a file that does not exist yet.
fn write(path: &Path, text: &str) -> Msg {
    match std::fs::File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => Msg::Note(true, format!("written to {}", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Msg::Note(false, format!("`{}` exists and is left as it is; give another name", path.display()))
        }
        Err(error) => Msg::Note(false, format!("could not write `{}`: {error}", path.display())),
    }
}

/// The system's program that opens things.
fn system_opener() -> &'static str {
    if cfg!(target_os = "macos") { "open" } else { "xdg-open" }
}

/// The command that opens addresses: the user's own, else the system's.
fn browser_command(browser: Option<&str>, url: &str) -> Option<Vec<String>> {
    let system = system_opener();
    // `BROWSER` may list several; `%s` stands for the address.
    let wanted = browser.and_then(|list| list.split(':').find(|command| !command.trim().is_empty())).unwrap_or(system);
    let mut words = shlex::split(wanted).filter(|words| !words.is_empty())?;
    if words.iter().any(|word| word.contains("%s")) {
        words = words.into_iter().map(|word| word.replace("%s", url)).collect();
    } else {
        words.push(url.to_owned());
    }
    Some(words)
}

async fn open_in_browser(words: Vec<String>) -> std::io::Result<()> {
    let Some((program, arguments)) = words.split_first() else { return Ok(()) };
    let mut command = tokio::process::Command::new(program);
    // What it prints must not paint over the screen, and a Ctrl+C here must not end it.
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let status = command.status().await?;
    if status.success() { Ok(()) } else { Err(std::io::Error::other(format!("it ended with {status}"))) }
}

async fn answer(queries: &dyn Queries, query: Query) -> Answer {
    fn text<T>(result: Result<T, QueryError>) -> Result<T, String> {
        result.map_err(|error| error.to_string())
    }
    match query {
        Query::Servers => Answer::Servers(text(queries.servers().await)),
        Query::Tools(server) => {
            let tools = text(queries.tools().await);
            let own = tools.map(|tools| tools.into_iter().filter(|tool| tool.server == server).collect());
            Answer::Tools(server, own)
        }
        Query::Log(server) => {
            let lines = queries.server_log(server.clone(), LOG_LINES_MAX).await;
            Answer::Log(server, text(lines))
        }
        Query::Sessions => Answer::Sessions(text(queries.sessions(None, SESSIONS_MAX).await)),
        Query::Find(search) => {
            let found = queries.sessions(Some(search.clone()), SESSIONS_MAX).await;
            Answer::Found(search, text(found))
        }
        Query::Preview(id) => {
            // What was inherited from the session that it was forked from is part of it.
            let of = |types: &[&str], bytes_max: usize| SessionPage {
                types: types.iter().map(|kind| (*kind).to_owned()).collect(),
                ..SessionPage::last(id.clone(), bytes_max)
            };
            let said = of(&["chat", "session_event"], previews::SAID_BYTES_MAX);
            let turns = of(&["turn_event", "session_event"], previews::TURN_BYTES_MAX);
            let parts = futures::try_join!(queries.session_page(said), queries.session_page(turns));
            let preview = parts.map(|(said, turns)| previews::Preview::fold(&said.events, &turns));
            Answer::Preview(id, text(preview))
        }
        Query::Models => Answer::Models(text(queries.models().await)),
        Query::Agents => Answer::Agents(text(queries.agents().await)),
        Query::Tasks => Answer::Tasks(text(futures::try_join!(queries.tasks(None), queries.ambient_status()))),
        Query::Task(task) => {
            let detail = queries.task_detail(task.clone()).await;
            Answer::Task(task, text(detail))
        }
        Query::Inbox => {
            let filter = InboxFilter { all: false, limit: Some(inbox::ROWS_MAX) };
            Answer::Inbox(text(futures::try_join!(queries.inbox(filter), queries.deliveries(inbox::ROWS_MAX))))
        }
        Query::Prompts => Answer::Prompts(text(queries.prompts().await)),
        Query::Prompt { server, name, arguments } => {
            let prompt = queries.prompt(server.clone(), name.clone(), arguments).await;
            Answer::Prompt(server, name, text(prompt))
        }
        Query::Resources => Answer::Resources(text(queries.resources(None).await)),
        Query::Resource(server, uri) => {
            let parts = queries.read_resource(server.clone(), uri.clone()).await;
            Answer::Resource(server, uri, text(parts))
        }
        Query::Values(typed) => {
            let Typed { server, of, argument, value, known } = typed.clone();
            Answer::Values(typed, text(queries.completions(server, of, argument, value, known).await))
        }
        Query::Questions => Answer::Questions(text(queries.questions().await)),
        Query::Doctor => Answer::Doctor(text(queries.doctor().await)),
        Query::Session(id) => {
            let end = stored::end(queries, &id).await;
            Answer::Session(id, text(end))
        }
        Query::Earlier(id, before) => {
            let part = stored::earlier(queries, &id, before).await;
            Answer::Earlier(id, text(part))
        }
        Query::Report => Answer::Report(text(queries.report().await)),
        Query::Cache => Answer::Cache(text(queries.cache().await)),
        Query::Memories(query) => {
            let filter = MemoryFilter { query: query.clone(), limit: Some(memory::ROWS_MAX), ..MemoryFilter::default() };
            let page = queries.memories(filter).await;
            Answer::Memories(query, text(page))
        }
        Query::Spending(session, today) => Answer::Spending(text(queries.spending(session, today).await)),
        Query::LastChange(session, change, force) => Answer::LastChange(change, force, text(queries.undoable(Some(session)).await)),
        Query::Undoable(session) => Answer::Undoable(text(queries.undoable(Some(session)).await)),
        Query::Replay(id) => {
            let events = queries.session_events(id.clone()).await;
            Answer::Replay(id, text(events))
        }
        Query::Moment(seq, at) => {
            let of = |kind: &str| EventFilter {
                types: vec![kind.to_owned()],
                upto: Some(seq),
                limit: Some(moment::EVENTS_MAX),
                newest: true,
                ..EventFilter::default()
            };
            let events = futures::try_join!(queries.events(of("task_event")), queries.events(of("mcp_event")));
            let fold = |(tasks, servers): (Vec<_>, Vec<_>)| Box::new(moment::Moment::fold(seq, at, &tasks, &servers));
            Answer::Moment(seq, text(events.map(fold)))
        }
        Query::After(seq) => Answer::After(text(queries.events(EventFilter { after: Some(seq), ..EventFilter::default() }).await)),
    }
}

fn read_history(path: &Path, max: usize) -> Option<Vec<String>> {
    if std::fs::metadata(path).ok()?.len() > HISTORY_BYTES_MAX {
        return None;
    }
    Some(history::parse(&std::fs::read_to_string(path).ok()?, max))
}

/// Appends a prompt; a file that has grown to twice its size is cut back to the last `max`.
fn append_history(path: &Path, prompt: &str, max: usize) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let open = || std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    open()?.write_all(history::line(prompt).as_bytes())?;
    let text = std::fs::read_to_string(path)?;
    if text.lines().count() > max.saturating_mul(2) {
        let kept: String = history::parse(&text, max).iter().map(|prompt| history::line(prompt)).collect();
        let beside = path.with_extension("new");
        std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&beside)?.write_all(kept.as_bytes())?;
        std::fs::rename(&beside, path)?;
    }
    Ok(())
}

/// Runs the user's editor on `text` and gives back what it left.
pub(super) async fn edit(editor: Option<String>, text: String) -> Result<String, String> {
    let command = editor.ok_or("no editor: set `VISUAL` or `EDITOR`")?;
    let words = shlex::split(&command).filter(|words| !words.is_empty()).ok_or_else(|| format!("`{command}` is no command line"))?;
    let path = std::env::temp_dir().join(format!("wakeful-{}.md", crate::domain::ids::EventId::generate()));
    let result = edit_file(&words, &path, &text).await;
    let _ = std::fs::remove_file(&path);
    result.map_err(|error| format!("`{command}` did not work: {error}"))
}

async fn edit_file(words: &[String], path: &Path, text: &str) -> std::io::Result<String> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    drop(file);
    let Some((program, arguments)) = words.split_first() else { return Ok(text.to_owned()) };
    let status = tokio::process::Command::new(program).args(arguments).arg(path).status().await?;
    if !status.success() {
        return Err(std::io::Error::other(format!("it ended with {status}")));
    }
    std::fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_browser_is_taken_before_the_systems() {
        let check = |browser: Option<&str>, expected: &[&str]| {
            assert_eq!(browser_command(browser, "https://x/?a=b&c").unwrap(), expected, "{browser:?}");
        };
        let system = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
        check(None, &[system, "https://x/?a=b&c"]);
        check(Some(""), &[system, "https://x/?a=b&c"]);
        check(Some("firefox -P 'my own':lynx"), &["firefox", "-P", "my own", "https://x/?a=b&c"]);
        check(Some(":w3m -T %s --"), &["w3m", "-T", "https://x/?a=b&c", "--"]);
        assert_eq!(browser_command(Some("'open"), "https://x/"), None);
    }
}
