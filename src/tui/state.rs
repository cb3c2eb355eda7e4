//! Everything the screen shows, as plain data. [`crate::tui::update`] changes it, [`crate::tui::view`] draws it.

mod asking;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ratatui::layout::{Position, Rect};
use serde::{Deserialize, Serialize};

use crate::domain::clock::Instant;
use crate::domain::command::{ApprovalMode, Delivery, SessionOptions};
use crate::domain::event::Event;
use crate::domain::ids::{CallId, MessageId, Seq, SessionId, TurnId};
use crate::domain::message::Usage;
use crate::domain::remote::{Line, LineState};
use crate::domain::tool::ToolInfo;
use crate::tui::approval::Dialog;
use crate::tui::catalog::{Catalog, Completing};
use crate::tui::composer::{Composer, History, Token};
use crate::tui::events_pane::{EventsPane, FilterInput};
use crate::tui::highlight::Highlighter;
use crate::tui::kept::Memory;
use crate::tui::keymap::Keymap;
use crate::tui::keymap::trial::Trial;
use crate::tui::layout;
use crate::tui::moment::Moments;
use crate::tui::own::OwnCommands;
use crate::tui::panels::inbox::InboxPanel;
use crate::tui::panels::picker::Input;
use crate::tui::panels::previews::Previews;
use crate::tui::panels::resources::ResourcesPanel;
use crate::tui::panels::servers::ServersPanel;
use crate::tui::panels::tasks::TasksPanel;
use crate::tui::panels::{Overlay, welcome};
use crate::tui::pictures::Pictures;
use crate::tui::popup::{Popup, Sources};
use crate::tui::question::Inquiry;
use crate::tui::replay::{Pace, Replay};
use crate::tui::settings::SettingsPanel;
use crate::tui::tabs::Tabs;
use crate::tui::theme::{Theme, Themes};
use crate::tui::transcript::{ItemId, Transcript, ViewState};
use crate::tui::update::Fetching;
use crate::tui::vi::Vi;
use crate::tui::{Error, Options, Surroundings};

pub use asking::Asked;

/// How long a note stands in the status line.
pub const TOAST: Duration = Duration::from_secs(5);

/// How long `ctrl+c again to quit` and Esc Esc wait for the second key.
pub const AGAIN: Duration = Duration::from_secs(2);

/// The spinner moves so often.
pub const SPIN: Duration = Duration::from_millis(100);

/// With reduced motion what counts up or down does so this often.
const CALM: Duration = Duration::from_secs(10);

/// Events held back while a session is being read; beyond it they are read from the log again.
pub const HELD_MAX: usize = 65_536;

/// Whether the program behind the screen stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    /// Not yet: what is typed waits.
    Waiting,
    /// It stands.
    Ready,
    /// It cannot stand, or has stopped: why.
    Down(String),
}

/// Where the keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    /// To the message.
    Composer,
    /// To the chat.
    Chat,
    /// To the events.
    Events,
}

/// Where the events are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// Beside the chat, where there is room.
    Side,
    /// In place of the chat.
    Full,
    /// Nowhere.
    Hidden,
}

/// The session on the screen.
#[derive(Debug, Clone)]
pub struct Session {
    /// Which.
    pub id: SessionId,
    /// Whether the program knows it: a new one is made with its first prompt.
    pub made: bool,
    /// Whether anybody spoke in it.
    pub spoken: bool,
    /// How it starts once it is made.
    pub options: SessionOptions,
    /// Its title.
    pub title: String,
    /// `provider/model`; empty while unknown.
    pub model: String,
    /// When calls ask.
    pub mode: ApprovalMode,
    /// Tokens so far.
    pub usage: Usage,
    /// Tokens in the context now.
    pub context_tokens: u64,
    /// Its last event that was folded.
    pub last_seq: Option<Seq>,
    /// What of it was not read yet.
    pub earlier: Option<Earlier>,
}

/// The part of a long session that is read once somebody looks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Earlier {
    /// The first event that was read.
    pub before: Seq,
    /// Whether more is on its way.
    pub asking: bool,
}

impl Session {
    /// A session that is not made yet.
    pub fn fresh(options: SessionOptions, default_model: &str) -> Self {
        Self {
            id: SessionId::generate(),
            made: false,
            spoken: false,
            title: options.title.clone().unwrap_or_default(),
            model: options.model.clone().unwrap_or_else(|| default_model.to_owned()),
            mode: options.mode.unwrap_or_default(),
            options,
            usage: Usage::default(),
            context_tokens: 0,
            last_seq: None,
            earlier: None,
        }
    }
}

/// The running turn.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Which.
    pub id: TurnId,
    /// Since when.
    pub started: Instant,
    /// The wait before the model is tried again: why, which try, of how many, until when.
    pub retry: Option<(String, u32, u32, Instant)>,
    /// Whether it was asked to stop.
    pub stopping: bool,
}

/// A message that waits for its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// Which.
    pub id: MessageId,
    /// Its text.
    pub text: String,
    /// Whether the program said that it waits.
    pub confirmed: bool,
    /// When it takes effect; unknown where it was sent from elsewhere.
    pub delivery: Option<Delivery>,
}

/// How a note is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Something was done.
    Good,
    /// Something to know.
    Plain,
    /// Something did not work.
    Bad,
}

/// A note in the status line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    /// The note.
    pub text: String,
    /// How it is meant.
    pub tone: Tone,
    /// When it goes.
    pub until: Instant,
}

/// A search in the chat.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// What is looked for.
    pub input: Input,
    /// Whether it is still being typed.
    pub typing: bool,
    /// Items that hold it.
    pub matches: Vec<ItemId>,
    /// Which of them is shown.
    pub at: usize,
}

/// Cells marked with the mouse, within one part of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Selection {
    /// The part of the screen.
    pub within: Rect,
    /// Where the button went down.
    pub from: Position,
    /// Where it is now.
    pub to: Position,
}

/// Whether events are folded as they come.
#[derive(Debug, Clone)]
pub enum Sync {
    /// They are.
    Live,
    /// Stored events are being read: new ones wait until these are folded.
    Reading(Vec<Arc<Event>>),
}

/// Everything.
pub struct State {
    /// The time, set before each update.
    pub now: Instant,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// The section `[tui]`.
    pub options: Options,
    /// What is known of the surroundings.
    pub surroundings: Surroundings,
    /// All themes.
    pub themes: Themes,
    /// The theme in use.
    pub theme: Theme,
    /// Gives code its colours.
    pub highlighter: Highlighter,
    /// What keys do.
    pub keymap: Keymap,
    /// Whether the program stands.
    pub link: LinkState,
    /// How the connection to the program stands, where it runs elsewhere.
    pub line: Option<Line>,
    /// The id of the log there, once it is known.
    pub epoch: Option<String>,
    /// `provider/model` of new sessions.
    pub default_model: String,
    /// The names of all providers; none where they are not known.
    pub providers: Vec<String>,
    /// The model's context in tokens.
    pub context_window_tokens: Option<u64>,
    /// Where other programs find the feed, where it is offered.
    pub feed: Option<String>,
    /// Records that wait for the coordinator, while reporting is behind.
    pub reports_behind: Option<u64>,
    /// The session on the screen.
    pub session: Session,
    /// The other sessions.
    pub tabs: Tabs,
    /// The last event of other streams that was folded.
    pub last_other_seq: Option<Seq>,
    /// Whether events are folded as they come.
    pub sync: Sync,
    /// Answers with stored events that are on their way: new events wait for all of them.
    pub reads: u32,
    /// The position before the events that were lost while stored ones were being read.
    pub gap: Option<Seq>,
    /// `provider/model` of all models, once they were listed.
    pub models: Vec<String>,
    /// The conversation.
    pub transcript: Transcript,
    /// What of it is seen.
    pub chat: ViewState,
    /// The search in it.
    pub search: Option<Search>,
    /// The message being written.
    pub composer: Composer,
    /// Prompts of before.
    pub history: History,
    /// Drafts put aside, the latest last.
    pub stash: Vec<String>,
    /// Modal editing of the message.
    pub vi: Vi,
    /// The user's own commands.
    pub own: OwnCommands,
    /// What is remembered across runs.
    pub memory: Memory,
    /// The settings.
    pub settings: SettingsPanel,
    /// The list of keys, and the one that was tried.
    pub trial: Trial,
    /// Completions at the caret.
    pub popup: Option<Popup>,
    /// The word whose completions were closed.
    pub popup_closed: Option<Token>,
    /// The running turn.
    pub turn: Option<Turn>,
    /// Messages that wait.
    pub queued: Vec<Queued>,
    /// Questions for consent; the first is shown.
    pub approvals: VecDeque<Dialog>,
    /// Servers' questions; the first is shown, once it is its turn among the questions for consent.
    pub questions: VecDeque<Inquiry>,
    /// Questions of both kinds that were ever put.
    pub orders: u64,
    /// The question that has the keys although a message is being written, by its order.
    pub answering: Option<u64>,
    /// The refused call for which the user now says what to do instead.
    pub refusing: Option<CallId>,
    /// The events.
    pub events: EventsPane,
    /// How tasks and servers were at an event.
    pub moments: Moments,
    /// A session that is shown again from the log.
    pub replay: Option<Box<Replay>>,
    /// How fast the session goes that is picked.
    pub replay_pace: Pace,
    /// One that is on its way, and how fast it is to go.
    pub replay_asked: Option<(SessionId, Pace)>,
    /// The filter being typed.
    pub events_filter: Option<FilterInput>,
    /// Where they are.
    pub column: Column,
    /// The servers.
    pub servers: ServersPanel,
    /// The background tasks.
    pub tasks: TasksPanel,
    /// The inbox and the notices.
    pub inbox: InboxPanel,
    /// The memories of the list that was opened last.
    pub memories: Vec<crate::domain::memory::Memory>,
    /// Prompts and resources of the servers.
    pub catalog: Catalog,
    /// The list of resources.
    pub resources: ResourcesPanel,
    /// Values that are asked for while somebody types.
    pub completing: Completing,
    /// A prompt's text that is on its way.
    pub fetching: Option<Fetching>,
    /// The tools in the list of tools.
    pub tools: Vec<ToolInfo>,
    /// What the list of sessions tells beside its rows.
    pub previews: Previews,
    /// What lies over the screen.
    pub overlay: Option<Overlay>,
    /// What lies below that and comes back when it is closed.
    pub under: Vec<Overlay>,
    /// Where the keys go.
    pub focus: Focus,
    /// A note.
    pub toast: Option<Toast>,
    /// Until when Ctrl+C quits.
    pub quit_until: Option<Instant>,
    /// Until when a second Esc goes back to an earlier message.
    pub rewind_until: Option<Instant>,
    /// Cells marked with the mouse.
    pub selection: Option<Selection>,
    /// Whether the mouse is used.
    pub mouse: bool,
    /// Whether the terminal has the focus.
    pub focused: bool,
    /// Whether the screen must be drawn.
    pub dirty: bool,
}

impl State {
    /// The first screen.
    ///
    /// # Errors
    /// When the key settings or the theme do not fit.
    pub fn new(mut options: Options, surroundings: Surroundings, highlighter: Highlighter, now: Instant) -> Result<Self, Error> {
        let keymap = Keymap::new(&options.keys).map_err(Error::Keys)?;
        let mut themes = Themes::builtin();
        let by_background = if surroundings.light_background { "light" } else { "dark" };
        let name = if options.theme == "auto" { by_background } else { options.theme.as_str() };
        if let Some(folder) = &surroundings.themes_dir
            && !["dark", "light"].contains(&name)
        {
            themes.add_folder(folder);
        }
        // A wrong name keeps nobody out.
        let (theme, problem) = match themes.load(name, surroundings.colours, options.icons) {
            Ok(theme) => (theme, None),
            Err(error) => {
                let theme = themes.load(by_background, surroundings.colours, options.icons).map_err(Error::Theme)?;
                "auto".clone_into(&mut options.theme);
                (theme, Some(format!("{error}; `auto` is used, /theme lists them")))
            }
        };
        let toast = problem.map(|text| Toast { text, tone: Tone::Bad, until: now.plus(TOAST) });
        let default_model = surroundings.model.clone().unwrap_or_default();
        let mut transcript = Transcript::new(highlighter.clone());
        transcript.set_welcome(Some(welcome::welcome(&surroundings, &default_model)));
        Ok(Self {
            now,
            size: (80, 24),
            themes,
            theme,
            keymap,
            link: LinkState::Waiting,
            line: None,
            epoch: None,
            session: Session::fresh(SessionOptions::default(), &default_model),
            default_model,
            providers: Vec::new(),
            context_window_tokens: None,
            feed: None,
            reports_behind: None,
            tabs: Tabs::default(),
            last_other_seq: None,
            sync: Sync::Live,
            reads: 0,
            gap: None,
            moments: Moments::default(),
            replay: None,
            replay_pace: Pace::default(),
            replay_asked: None,
            models: Vec::new(),
            transcript,
            highlighter,
            chat: ViewState::default(),
            search: None,
            composer: Composer::new(options.paste_fold_lines, options.paste_fold_chars),
            history: History::new(options.history_max),
            stash: Vec::new(),
            vi: Vi::default(),
            own: OwnCommands::default(),
            memory: Memory::default(),
            settings: SettingsPanel::default(),
            trial: Trial::default(),
            popup: None,
            popup_closed: None,
            turn: None,
            queued: Vec::new(),
            approvals: VecDeque::new(),
            questions: VecDeque::new(),
            orders: 0,
            answering: None,
            refusing: None,
            events: EventsPane::new(options.events_max),
            events_filter: None,
            column: Column::Side,
            servers: ServersPanel::default(),
            tasks: TasksPanel::default(),
            inbox: InboxPanel::default(),
            memories: Vec::new(),
            catalog: Catalog::default(),
            resources: ResourcesPanel::default(),
            completing: Completing::default(),
            fetching: None,
            tools: Vec::new(),
            previews: Previews::default(),
            overlay: None,
            under: Vec::new(),
            focus: Focus::Composer,
            toast,
            quit_until: None,
            rewind_until: None,
            selection: None,
            mouse: options.mouse,
            focused: true,
            dirty: true,
            options,
            surroundings,
        })
    }

    /// Shows pictures from here on.
    pub fn set_pictures(&mut self, pictures: Pictures) {
        self.transcript.set_pictures(pictures);
    }

    /// Shows a note for a while.
    pub fn note(&mut self, tone: Tone, text: impl Into<String>) {
        self.toast = Some(Toast { text: text.into(), tone, until: self.now.plus(TOAST) });
    }

    /// Lays something over what lies over the screen; it comes back once that is closed.
    pub fn over(&mut self, overlay: Overlay) {
        /// So many lie over each other.
        const UNDER_MAX: usize = 4;
        if let Some(below) = self.overlay.replace(overlay)
            && self.under.len() < UNDER_MAX
        {
            self.under.push(below);
        }
    }

    /// Closes what lies over the screen.
    pub fn uncover(&mut self) {
        self.overlay = self.under.pop();
    }

    /// Whether the program can be asked now: it stands, and where it runs elsewhere the connection does.
    pub fn is_reachable(&self) -> bool {
        self.link == LinkState::Ready && self.line.as_ref().is_none_or(|line| matches!(line.state, LineState::Live { .. }))
    }

    /// When the connection is tried again, while that is counted down.
    fn retry_at(&self) -> Option<Instant> {
        match self.line.as_ref()?.state {
            LineState::Waiting { retry_at, .. } | LineState::Refused { retry_at, .. } => Some(retry_at).filter(|at| *at > self.now),
            LineState::Connecting | LineState::Live { .. } => None,
        }
    }

    /// Where completions come from.
    pub fn sources(&self) -> Sources<'_> {
        Sources { servers: self.servers.rows(), catalog: &self.catalog, own: &self.own.list }
    }

    /// The events of what happens now, also while others are shown.
    pub fn live_events(&mut self) -> &mut EventsPane {
        match &mut self.replay {
            Some(replay) => &mut replay.live,
            None => &mut self.events,
        }
    }

    /// Whether the window is wide enough for two columns.
    pub fn is_wide(&self) -> bool {
        self.size.0 >= self.options.wide_columns
    }

    /// How many tasks can be seen now.
    pub fn tasks_in_sight(&self) -> usize {
        let beside = match self.column {
            Column::Side if self.is_wide() => layout::TASK_ROWS_MAX,
            Column::Full => layout::TASK_ROWS_MAX,
            Column::Side | Column::Hidden => 0,
        };
        match self.overlay {
            Some(Overlay::Tasks) => usize::from(self.size.1),
            _ => usize::from(beside),
        }
    }

    /// When the screen changes by itself next; `None` while nothing moves.
    pub fn next_wake(&self) -> Option<Instant> {
        let spins = self.turn.is_some() || self.transcript.is_animated();
        let is_calm = self.options.reduced_motion || self.options.screen_reader;
        let second = if is_calm { CALM } else { Duration::from_secs(1) };
        let pace = if self.focused && !is_calm { SPIN } else { second };
        let spin = spins.then(|| self.now.plus(pace));
        let counts = self.focused && self.servers.counts_down(self.now) && self.column != Column::Hidden;
        let count = counts.then(|| self.now.plus(second));
        let shown = if self.focused { self.tasks_in_sight() } else { 0 };
        let tasks = (shown > 0).then(|| self.tasks.next_change(self.now, shown)).flatten();
        let tasks = tasks.map(|at| if is_calm { at.max(self.now.plus(CALM)) } else { at });
        let rated = self.focused && layout::areas(self).side.is_some();
        let rate = rated.then(|| self.events.rate().next_change(self.now)).flatten();
        let rate = rate.map(|at| if is_calm { at.max(self.now.plus(CALM)) } else { at });
        let replay = self.replay.as_ref().and_then(|replay| replay.due());
        let toast = self.toast.as_ref().map(|toast| toast.until);
        let retry = self.retry_at().map(|at| at.min(self.now.plus(second)));
        [spin, count, rate, retry, tasks, toast, replay, self.quit_until, self.rewind_until, self.tabs.close_until, self.completing.next()]
            .into_iter()
            .flatten()
            .min()
    }
}
