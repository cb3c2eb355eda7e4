//! What slash commands, lists and the palette do.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::domain::command::{ApprovalMode, CacheCommand, Command, Delivery, McpCommand};
use crate::domain::ids::{ServerName, SessionId};
use crate::domain::query::ExportFormat;
use crate::domain::task::TaskKind;
use crate::domain::text::{clean_line, ellipsis, with_causes};
use crate::tui::clipboard;
use crate::tui::events_pane::Filter;
use crate::tui::keymap::{Action, Context, KEYS};
use crate::tui::msg::{Effect, Query};
use crate::tui::panels::picker::{Pick, PickKind, PickRow, Picker};
use crate::tui::panels::{Overlay, TextPanel, help, info};
use crate::tui::replay::Pace;
use crate::tui::settings::Value;
use crate::tui::slash::{self, COMMANDS, Want};
use crate::tui::state::{Column, Focus, LinkState, State, Tone};
use crate::tui::update::{compose, inbox, memories, prompts, resources, session, settings, tabs, tasks, trial};

/// Does what a slash command wants.
pub(super) fn run(state: &mut State, want: Want) -> Vec<Effect> {
    if let Some(text) = other_server(state, &want) {
        state.note(Tone::Bad, text);
        return Vec::new();
    }
    match want {
        Want::Help => show(state, help::help(&state.keymap, &state.own)),
        Want::Keys => trial::open(state),
        Want::Bug => return vec![Effect::Report(crate::tui::report::report(state))],
        Want::Status => show(state, info::status(state)),
        Want::Config => return settings::open(state),
        Want::New => {
            session::fresh(state);
            state.note(Tone::Good, "a new session; /resume goes back to the one before");
        }
        Want::Sessions(search) => return pick(state, PickKind::Sessions, Query::Sessions, &search),
        Want::Resume(id) if id.is_empty() => return pick(state, PickKind::Sessions, Query::Sessions, ""),
        Want::Resume(id) => return resume(state, &id),
        Want::Fork => return session::fork(state),
        Want::Rename(title) => return rename(state, &title),
        Want::Export { path, format } => return export(state, path, format),
        Want::Cache => return read(state, "cache".to_owned(), Query::Cache),
        Want::ClearCache(kind) => return vec![Effect::Send(Command::Cache(CacheCommand::Clear { kind }))],
        Want::Reports => return read(state, "report".to_owned(), Query::Report),
        Want::Report(command) => return vec![Effect::Send(Command::Report(command))],
        Want::Cost => {
            let session = state.session.made.then(|| state.session.id.clone());
            let today = state.now.timestamp().to_zoned(state.surroundings.timezone.clone()).start_of_day();
            let today = today.map_or(state.now, |day| crate::domain::clock::Instant::from_millis(day.timestamp().as_millisecond()));
            return read(state, "cost".to_owned(), Query::Spending(session, today));
        }
        Want::Undo { change, force } => return compose::ask_change(state, change, force),
        Want::Undoable => {
            let session = state.session.id.clone();
            return read(state, "undo".to_owned(), Query::Undoable(session));
        }
        Want::Tab(want) => return tabs::run(state, want),
        Want::Replay { session, pace } => return replay(state, session, pace),
        Want::Compact => return on_session(state, |session| Command::Compact { session }),
        Want::Clear => {
            state.transcript.load(&[]);
            state.transcript.set_welcome(None);
            state.chat.top = None;
            state.chat.selected = None;
        }
        Want::Models => return pick(state, PickKind::Models, Query::Models, ""),
        Want::Model(model) => {
            if let Some(providers) = other_providers(state, &model) {
                state.note(Tone::Bad, format!("no provider of `{}`; there are {providers}", clean_line(&model)));
                return Vec::new();
            }
            if let Some(known) = other_offline(state, &model) {
                let text = format!("no model `{}` of `offline` (it has {known}); another provider's is PROVIDER/MODEL", clean_line(&model));
                state.note(Tone::Bad, text);
                return Vec::new();
            }
            return set_model(state, model);
        }
        Want::Agents => return pick(state, PickKind::Agents, Query::Agents, ""),
        Want::Approvals => {
            let text = format!("approvals: {}; {} changes it", state.session.mode.as_str(), state.keymap.hint(Action::CycleMode));
            state.note(Tone::Plain, text);
        }
        Want::Mode(mode) => return set_mode(state, mode),
        Want::Servers => {
            state.servers.stale = true;
            state.overlay = Some(Overlay::Servers);
        }
        Want::Mcp(command) => return mcp(state, command),
        Want::Tools(server) => return tools(state, server),
        Want::Resources(server) => return resources::open(state, server),
        Want::Prompts(server) => return prompts::list(state, server.as_ref()),
        Want::Prompt { name, args } => match prompts::resolve(state, &name, &args) {
            Ok(resolved) => return prompts::run(state, resolved),
            Err(reason) => state.note(Tone::Bad, reason),
        },
        Want::Logs(server) => return read(state, format!("messages of {server}"), Query::Log(server)),
        Want::Tasks(filter) => tasks::open(state, &filter),
        Want::Task { wanted, verb } => return tasks::run(state, &wanted, verb),
        Want::Inbox => tasks::open_tab(state, &Overlay::Inbox),
        Want::Answer { item, text } => return inbox::answer(state, &item, text),
        Want::Simulate(kind) => return tasks::simulate(state, kind),
        Want::Notify { channel, to } => return inbox::notify(state, channel, to),
        Want::Memory(want) => return memories::run(state, want),
        Want::Events(filter) => events(state, &filter),
        Want::Themes => state.overlay = Some(Overlay::Pick(themes(state))),
        Want::Theme(name) => return set_theme(state, &name),
        Want::Doctor => return read(state, "doctor".to_owned(), Query::Doctor),
        Want::Copy { code } => {
            let text = if code { state.transcript.last_code_block() } else { state.transcript.last_answer() };
            return copy(state, text, if code { "there is no code block yet" } else { "there is no answer yet" });
        }
        Want::Demo => return demo(state),
        Want::Quit => return vec![Effect::Quit],
    }
    Vec::new()
}

/// What to say where a command names a server that is not there; before any server is known all are taken.
fn other_server(state: &State, want: &Want) -> Option<String> {
    let name = match want {
        Want::Tools(name) | Want::Logs(name) | Want::Resources(Some(name)) | Want::Prompts(Some(name)) => name,
        Want::Mcp(command) => command.server()?,
        _ => return None,
    };
    let rows = state.servers.rows();
    let lends = state.catalog.prompts.rows().iter().any(|prompt| prompt.server == *name);
    if rows.is_empty() || lends || rows.iter().any(|row| row.name == *name) {
        return None;
    }
    let known: Vec<String> = rows.iter().map(|row| clean_line(row.name.as_str())).collect();
    Some(format!("no server `{}`; there are: {}", clean_line(name.as_str()), known.join(", ")))
}

fn show(state: &mut State, panel: TextPanel) {
    state.overlay = Some(Overlay::Text(panel));
}

/// Whether the program can be asked; if not, the user is told.
pub(super) fn is_ready(state: &mut State) -> bool {
    let reason = match &state.link {
        LinkState::Ready => return true,
        LinkState::Waiting => "still starting; try again in a moment".to_owned(),
        LinkState::Down(reason) => reason.clone(),
    };
    state.note(Tone::Bad, reason);
    false
}

/// Opens a list whose rows are asked for.
fn pick(state: &mut State, kind: PickKind, query: Query, search: &str) -> Vec<Effect> {
    if !is_ready(state) {
        return Vec::new();
    }
    state.previews.forget();
    let mut picker = Picker::waiting(kind);
    picker.narrow_by(search);
    state.overlay = Some(Overlay::Pick(picker));
    vec![Effect::Ask(query)]
}

/// Opens the tools of a server, over whatever led to them.
fn tools(state: &mut State, server: ServerName) -> Vec<Effect> {
    if !is_ready(state) {
        return Vec::new();
    }
    let mut picker = Picker::waiting(PickKind::Tools);
    picker.about = Some(clean_line(server.as_str()));
    state.over(Overlay::Pick(picker));
    vec![Effect::Ask(Query::Tools(server))]
}

/// Opens a text that is asked for.
fn read(state: &mut State, title: String, query: Query) -> Vec<Effect> {
    if !is_ready(state) {
        return Vec::new();
    }
    state.over(Overlay::Text(TextPanel::waiting(title)));
    vec![Effect::Ask(query)]
}

/// A command about the session, where it is made already.
fn on_session(state: &mut State, command: impl FnOnce(SessionId) -> Command) -> Vec<Effect> {
    if state.session.made {
        return vec![Effect::Send(command(state.session.id.clone()))];
    }
    state.note(Tone::Plain, "the session is empty yet");
    Vec::new()
}

fn resume(state: &mut State, id: &str) -> Vec<Effect> {
    if id == state.session.id.as_str() {
        return Vec::new();
    }
    // A whole id opens the session; a part of one narrows the list.
    if id.len() == state.session.id.as_str().len() && is_ready(state) {
        return session::open(state, SessionId::new(id));
    }
    pick(state, PickKind::Sessions, Query::Sessions, id)
}

fn rename(state: &mut State, title: &str) -> Vec<Effect> {
    let title = clean_line(title);
    state.session.title.clone_from(&title);
    if !state.session.made {
        state.session.options.title = Some(title);
        return Vec::new();
    }
    on_session(state, |session| Command::Rename { session, title })
}

/// The known providers, where that of `model` is none of them. A provider may have models with a `/` in their names: where
/// one answers, its models must have been listed before a name is refused; the offline assistant has none of these.
pub(super) fn other_providers(state: &State, model: &str) -> Option<String> {
    let (provider, _) = model.split_once('/')?;
    let own = [state.session.model.as_str(), state.default_model.as_str()];
    let all = state.models.iter().map(String::as_str).chain(own);
    let mut known: BTreeSet<&str> = all.filter_map(|id| id.split_once('/')).map(|(provider, _)| provider).collect();
    known.extend(state.providers.iter().map(String::as_str));
    let is_offline = state.session.model.starts_with("offline/") && !state.providers.is_empty();
    if !is_offline && state.models.is_empty() || known.contains(provider) {
        return None;
    }
    Some(clean_line(&known.into_iter().collect::<Vec<_>>().join(", ")))
}

/// The models of the offline assistant, where `model` would be one of it and is none of them. Before any is known all are
/// taken: the program says what it thinks of them.
fn other_offline(state: &State, model: &str) -> Option<String> {
    let of = |id: &str| id.strip_prefix("offline/").map(str::to_owned);
    let is_own = state.session.model.starts_with("offline/");
    let wanted = of(model).or_else(|| Some(model.to_owned()).filter(|_| is_own && !model.contains('/') && model != "offline"))?;
    let known: BTreeSet<String> = state.models.iter().chain([&state.default_model]).filter_map(|id| of(id)).collect();
    if known.is_empty() || known.contains(&wanted) {
        return None;
    }
    Some(clean_line(&known.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")))
}

/// Another model from here on.
pub(super) fn set_model(state: &mut State, model: String) -> Vec<Effect> {
    if !state.session.made {
        state.session.model.clone_from(&model);
        state.session.options.model = Some(model);
        let welcome = crate::tui::panels::welcome::welcome(&state.surroundings, &state.session.model);
        state.transcript.set_welcome(Some(welcome));
        return Vec::new();
    }
    on_session(state, |session| Command::SetModel { session, model })
}

/// Another rule for consent from here on.
pub(super) fn set_mode(state: &mut State, mode: ApprovalMode) -> Vec<Effect> {
    state.session.mode = mode;
    let what = match mode {
        ApprovalMode::Ask => "ask: every tool call asks first",
        ApprovalMode::AutoRead => "auto-read: calls that only read run unasked",
        ApprovalMode::Auto => "auto: every tool call runs unasked",
    };
    state.note(Tone::Plain, what);
    if !state.session.made {
        state.session.options.mode = Some(mode);
        return Vec::new();
    }
    on_session(state, |session| Command::SetMode { session, mode })
}

/// Something about a server.
pub(super) fn mcp(state: &mut State, command: McpCommand) -> Vec<Effect> {
    let what = match &command {
        McpCommand::Restart(name) => format!("connecting `{name}` anew"),
        McpCommand::Enable(name) => format!("connecting `{name}`"),
        McpCommand::Disable(name) => format!("closing `{name}`"),
        McpCommand::Add { name, .. } => format!("adding `{name}` for this run; `wakeful mcp add` keeps it"),
        McpCommand::Remove(name) => format!("removing `{name}` for this run"),
        McpCommand::Trace { server, on } => {
            let whose = server.as_ref().map_or_else(|| "all servers".to_owned(), |name| format!("`{name}`"));
            let where_from = if *on { "; `/events type:mcp trace` shows nothing else" } else { "" };
            format!("{} each message to and from {whose}{where_from}", if *on { "showing" } else { "no longer showing" })
        }
        McpCommand::Login { server } => format!("logging in to `{server}`"),
        McpCommand::Logout(name) => format!("logging out of `{name}`"),
        McpCommand::Subscribe { server, uri, on } => {
            format!("{} of changes of {uri} on `{server}`", if *on { "you will be told" } else { "you will no longer be told" })
        }
        McpCommand::Tool { server, tool, on } => {
            let what = if *on { "lends" } else { "holds back" };
            format!("`{server}` {what} `{tool}` in this run; `disabled_tools` of the server in the config keeps it")
        }
        McpCommand::LogLevel { server, level } => format!("asking `{server}` for log messages from `{level}` on"),
    };
    state.note(Tone::Plain, what);
    state.servers.stale = true;
    vec![Effect::Send(Command::Mcp(command))]
}

fn events(state: &mut State, filter: &str) {
    match Filter::parse(filter, &super::filter::known(state)) {
        Ok(filter) => state.events.set_filter(filter),
        Err(reason) => return state.note(Tone::Bad, reason),
    }
    // Whoever filters goes on writing.
    if filter.is_empty() {
        state.focus = Focus::Events;
    }
    if !state.is_wide() {
        state.column = Column::Full;
    } else if state.column == Column::Hidden {
        state.column = Column::Side;
    }
}

pub(super) fn themes(state: &State) -> Picker {
    let row = |name: &str| PickRow::new(Pick::Theme(name.to_owned()), name, state.themes.about(name));
    let auto = PickRow::new(Pick::Theme("auto".to_owned()), "auto", "dark or light, by the terminal's background");
    let mut picker = Picker::new(PickKind::Themes, std::iter::once(auto).chain(state.themes.names().into_iter().map(row)).collect());
    picker.choose(&Pick::Theme(state.options.theme.clone()));
    picker
}

/// Shows a theme without keeping it.
pub(super) fn wear(state: &mut State, name: &str) {
    let name = match (name, state.surroundings.light_background) {
        ("auto", true) => "light",
        ("auto", false) => "dark",
        (name, _) => name,
    };
    match state.themes.load(name, state.surroundings.colours, state.options.icons) {
        Ok(theme) => state.theme = theme,
        Err(error) => state.note(Tone::Bad, clean_line(&with_causes(&error))),
    }
}

/// The terminal said whether its background is light.
pub(super) fn see_background(state: &mut State, light: Option<bool>) {
    let Some(light) = light.filter(|light| *light != state.surroundings.light_background) else { return };
    state.surroundings.light_background = light;
    let previews = matches!(&state.overlay, Some(Overlay::Pick(picker)) if picker.kind == PickKind::Themes);
    if state.options.theme == "auto" && !previews {
        wear(state, "auto");
    }
}

/// Uses a theme from here on, and in later runs.
pub(super) fn set_theme(state: &mut State, name: &str) -> Vec<Effect> {
    wear(state, name);
    if state.theme.name() != name && name != "auto" {
        return Vec::new();
    }
    name.clone_into(&mut state.options.theme);
    vec![Effect::SaveSetting("tui.theme".to_owned(), Some(Value::Text(name.to_owned())))]
}

/// Puts a text on the clipboard.
pub(super) fn copy(state: &mut State, text: Option<String>, otherwise: &str) -> Vec<Effect> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        state.note(Tone::Plain, otherwise);
        return Vec::new();
    };
    // A program says itself how that went; of the terminal's own way nothing is ever heard.
    if state.surroundings.emulator.clipboards.is_empty() && !tell_of_terminal(state, &text) {
        return Vec::new();
    }
    vec![Effect::Copy(text)]
}

/// Puts a text on the clipboard by the terminal itself, where it is not too long for that.
pub(super) fn copy_by_terminal(state: &mut State, text: String) -> Vec<Effect> {
    if tell_of_terminal(state, &text) { vec![Effect::CopyByTerminal(text)] } else { Vec::new() }
}

/// Says that the terminal puts a text on the clipboard, or that it is too long for that; whether it does.
fn tell_of_terminal(state: &mut State, text: &str) -> bool {
    let fits = text.len() <= clipboard::TERMINAL_BYTES_MAX;
    if fits {
        let way = format!("OSC 52{}", state.surroundings.emulator.wrap.told());
        state.note(Tone::Good, clipboard::told(text.lines().count(), &way));
    } else {
        state.note(Tone::Bad, clipboard::too_long(text.len()));
    }
    fits
}

/// Writes the session to a file, from the log.
fn export(state: &mut State, path: Option<String>, format: ExportFormat) -> Vec<Effect> {
    if !state.session.made {
        state.note(Tone::Plain, "there is nothing to export yet");
        return Vec::new();
    }
    if !is_ready(state) {
        return Vec::new();
    }
    let path = path.unwrap_or_else(|| {
        let now = state.now.timestamp().to_zoned(state.surroundings.timezone.clone());
        format!("wakeful-{}.{}", now.strftime("%Y-%m-%d-%H%M%S"), format.extension())
    });
    let path = state.surroundings.cwd.join(PathBuf::from(path));
    vec![Effect::Export { session: state.session.id.clone(), format, path }]
}

/// Shows a session again: this one, the one with this id, or one to pick.
fn replay(state: &mut State, session: Option<String>, pace: Pace) -> Vec<Effect> {
    let whole = state.session.id.as_str().len();
    let search = match session {
        None if state.session.made => return super::replay::ask(state, state.session.id.clone(), pace),
        Some(id) if id.len() == whole => return super::replay::ask(state, SessionId::new(id), pace),
        other => other.unwrap_or_default(),
    };
    let effects = pick(state, PickKind::Replays, Query::Sessions, &search);
    state.replay_pace = pace;
    effects
}

pub(super) fn demo(state: &mut State) -> Vec<Effect> {
    if state.surroundings.tour.is_empty() {
        state.note(Tone::Plain, "there is no tour in this build; `wakeful demo` runs one");
        return Vec::new();
    }
    let tour = state.surroundings.tour.clone();
    let mut effects: Vec<Effect> = tour.iter().flat_map(|prompt| compose::submit(state, prompt, Delivery::Queue)).collect();
    effects.extend(tasks::simulate(state, Some(TaskKind::WebMonitor)));
    effects
}

/// Everything that can be done: commands, then keys of the whole screen.
pub(super) fn palette(state: &State) -> Picker {
    let commands = COMMANDS.iter().filter(|row| !matches!(row.name, "exit" | "q"));
    let mut rows: Vec<PickRow> =
        commands.map(|row| PickRow::new(Pick::Slash(format!("/{}", row.name)), &slash::usage(row), row.help)).collect();
    let keys = KEYS.iter().filter(|row| row.context == Context::Global && !matches!(row.action, Action::Palette | Action::Escape));
    rows.extend(keys.map(|row| {
        let label = format!("{} ({})", row.name.replace('_', " "), state.keymap.hint(row.action));
        PickRow::new(Pick::Action(row.action), &ellipsis(&label, 60), row.help)
    }));
    rows.extend(state.own.list.iter().map(|own| PickRow::new(Pick::Slash(format!("/{}", own.name)), &own.usage(), &own.description)));
    // What is used often stands first.
    rows.sort_by_key(|row| {
        let name = match &row.pick {
            Pick::Slash(name) => name.as_str(),
            Pick::Action(action) => action.row().map_or("", |row| row.name),
            _ => "",
        };
        std::cmp::Reverse(state.memory.command_weight(name))
    });
    Picker::new(PickKind::Palette, rows)
}
