//! Which key does what: one table; help, hints and the config's section `[keys]` come from its rows.
//!
//! A key is looked up in the context that has the focus, then in the wider ones. Two actions on one key
//! are an error when both could be meant at once.

mod chord;
#[cfg(test)]
mod tests;
pub mod trial;

use std::collections::{BTreeMap, HashMap};

use crossterm::event::KeyEvent;

pub use chord::Chord;

/// Where a key counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Context {
    /// Everywhere, unless the focused part takes the key itself.
    Global,
    /// While text is typed.
    Composer,
    /// While the chat has the focus.
    Chat,
    /// While rows of the chat are marked.
    Marking,
    /// While the events pane has the focus.
    Events,
    /// While a session is shown again.
    Replay,
    /// While the tasks, the inbox, the notices, the servers, the resources or the settings are open.
    Panels,
    /// While the tasks panel is open.
    Tasks,
    /// While the inbox is open.
    Inbox,
    /// While the notices are open.
    Notices,
    /// While the servers panel is open.
    Servers,
    /// While the resources are open.
    Resources,
    /// While the settings are open.
    Settings,
}

impl Context {
    /// All, in the order of the help.
    pub const ALL: [Self; 13] = [
        Self::Global,
        Self::Composer,
        Self::Chat,
        Self::Marking,
        Self::Events,
        Self::Replay,
        Self::Panels,
        Self::Tasks,
        Self::Inbox,
        Self::Notices,
        Self::Servers,
        Self::Resources,
        Self::Settings,
    ];

    /// The heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Global => "everywhere",
            Self::Composer => "message",
            Self::Chat => "chat",
            Self::Marking => "marking rows of the chat",
            Self::Events => "events",
            Self::Replay => "replay",
            Self::Panels => "panels",
            Self::Tasks => "tasks",
            Self::Inbox => "inbox",
            Self::Notices => "notices",
            Self::Servers => "servers",
            Self::Resources => "resources",
            Self::Settings => "settings",
        }
    }

    /// Where a key is looked up next.
    fn above(self) -> Option<Self> {
        match self {
            Self::Tasks | Self::Inbox | Self::Notices | Self::Servers | Self::Resources | Self::Settings => Some(Self::Panels),
            Self::Panels | Self::Composer | Self::Chat | Self::Marking | Self::Events | Self::Replay => Some(Self::Global),
            Self::Global => None,
        }
    }

    /// Whether a key may be looked up in both.
    fn meets(self, other: Self) -> bool {
        let reaches = |from: Self, to: Self| std::iter::successors(Some(from), |context| context.above()).any(|context| context == to);
        reaches(self, other) || reaches(other, self)
    }
}

macro_rules! actions {
    ($( $action:ident $name:literal $context:ident [$($key:literal),* $(,)?] $help:literal; )+) => {
        /// What a key does.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Action {
            $( #[doc = $help] $action, )+
        }

        /// The table.
        pub const KEYS: &[KeyRow] = &[
            $( KeyRow { action: Action::$action, name: $name, context: Context::$context, keys: &[$($key),*], help: $help }, )+
        ];
    };
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct KeyRow {
    /// What it does.
    pub action: Action,
    /// Its name in `[keys]`.
    pub name: &'static str,
    /// Where it counts.
    pub context: Context,
    /// The default keys; the first is shown in hints.
    pub keys: &'static [&'static str],
    /// One line of help.
    pub help: &'static str,
}

actions! {
    Interrupt "interrupt" Global ["ctrl+c"] "copy the selection, else interrupt, else clear the input, else quit";
    Escape "escape" Global ["esc"] "close what is open, else interrupt; twice on an empty input: go back to an earlier message";
    QuitEmpty "quit" Global ["ctrl+d"] "quit when the input is empty, else delete the next character";
    Suspend "suspend" Global ["ctrl+z"] "suspend the program (fg brings it back)";
    Redraw "redraw" Global ["ctrl+l"] "draw the screen anew";
    CycleEvents "events" Global ["ctrl+e"] "events pane: side, full, hidden";
    Tasks "tasks" Global ["ctrl+t"] "background tasks; tab goes on to inbox, notices, servers";
    Servers "servers" Global ["f7"] "servers panel";
    OpenTool "open_tool" Global ["ctrl+o"] "open or close the latest tool call";
    Editor "editor" Global ["ctrl+g"] "write the message in your editor";
    Palette "palette" Global ["ctrl+p"] "all commands";
    Stash "stash" Global ["ctrl+s"] "put the draft aside, or take one back";
    CycleMode "approval_mode" Global ["shift+tab"] "approval mode: ask, auto-read, auto";
    PageUp "page_up" Global ["pgup"] "scroll up a page";
    PageDown "page_down" Global ["pgdn"] "scroll down a page";
    Top "top" Global ["ctrl+home"] "go to the top";
    Bottom "bottom" Global ["ctrl+end"] "go to the end and follow";
    FocusNext "focus" Global ["f6"] "move the focus: message, chat, events";
    Mouse "mouse" Global ["f8"] "mouse on or off (off: the terminal selects text)";
    TabNew "tab_new" Global ["alt+t"] "a new session in a tab of its own";
    TabNext "tab_next" Global ["ctrl+pgdn"] "next tab";
    TabPrev "tab_prev" Global ["ctrl+pgup"] "tab before";
    TabNth "tab" Global ["alt+1", "alt+2", "alt+3", "alt+4", "alt+5", "alt+6", "alt+7", "alt+8", "alt+9"] "tab 1 to 9, in the order of these keys";
    TabAsking "tab_asking" Global ["alt+a"] "the next tab that waits for your answer";
    TabClose "tab_close" Global ["alt+w"] "close the tab; its session stays";
    PaneWider "pane_wider" Global ["alt+,"] "the events' column wider";
    PaneNarrower "pane_narrower" Global ["alt+."] "the events' column narrower";
    Help "help" Global ["f1"] "this help (also ? on an empty input)";

    Send "send" Composer ["enter"] "send; while the agent works: steer it";
    Newline "newline" Composer ["alt+enter", "shift+enter", "ctrl+j"] "new line (also \\ at the end, then enter)";
    QueueOrComplete "complete" Composer ["tab"] "complete; while the agent works: queue for the next turn";
    EditQueued "edit_queued" Composer ["alt+up"] "edit the last queued message";
    HistoryPrev "history_prev" Composer ["up"] "line up, then earlier prompts";
    HistoryNext "history_next" Composer ["down"] "line down, then later prompts";
    HistorySearch "history_search" Composer ["ctrl+r"] "search earlier prompts";
    Left "left" Composer ["left", "ctrl+b"] "character left";
    Right "right" Composer ["right", "ctrl+f"] "character right";
    WordLeft "word_left" Composer ["alt+b", "ctrl+left", "alt+left"] "word left";
    WordRight "word_right" Composer ["alt+f", "ctrl+right", "alt+right"] "word right";
    LineStart "line_start" Composer ["ctrl+a", "home"] "start of the line";
    LineEnd "line_end" Composer ["end"] "end of the line";
    LineNext "line_next" Composer ["ctrl+n"] "line down";
    DeleteBack "delete_back" Composer ["backspace", "ctrl+h", "shift+backspace"] "delete the character before";
    DeleteNext "delete_next" Composer ["delete"] "delete the character under the cursor";
    DeleteWord "delete_word" Composer ["ctrl+w", "alt+backspace", "ctrl+backspace"] "delete the word before";
    DeleteWordNext "delete_word_next" Composer ["alt+d"] "delete the word after";
    KillEnd "kill_end" Composer ["ctrl+k"] "delete to the end of the line";
    KillStart "kill_start" Composer ["ctrl+u"] "delete to the start of the line";
    Yank "yank" Composer ["ctrl+y"] "put back what was deleted";
    Undo "undo" Composer ["ctrl+_", "ctrl+/", "ctrl+7"] "undo";
    Redo "redo" Composer ["alt+z", "alt+_"] "redo";
    TextStart "text_start" Composer ["alt+<"] "start of the message";
    TextEnd "text_end" Composer ["alt+>"] "end of the message";
    Upper "upper" Composer ["alt+u"] "the word in capitals";
    Lower "lower" Composer ["alt+l"] "the word in small letters";
    Capital "capital" Composer ["alt+c"] "the word with a capital";
    UnfoldPaste "unfold_paste" Composer ["alt+o"] "write out a folded paste";

    ChatUp "chat_up" Chat ["up", "k"] "select the item above";
    ChatDown "chat_down" Chat ["down", "j"] "select the item below";
    ChatOpen "chat_open" Chat ["enter", "space"] "open or close the item";
    ChatTurnPrev "chat_turn_prev" Chat ["{"] "previous message of yours";
    ChatTurnNext "chat_turn_next" Chat ["}"] "next message of yours";
    ChatTop "chat_top" Chat ["g", "home"] "first item";
    ChatBottom "chat_bottom" Chat ["shift+g", "end"] "last item, and follow";
    ChatSearch "chat_search" Chat ["/"] "search";
    ChatSearchNext "chat_search_next" Chat ["n"] "next match";
    ChatSearchPrev "chat_search_prev" Chat ["shift+n"] "previous match";
    ChatCopy "chat_copy" Chat ["y"] "copy the message, or the call's result";
    ChatCopyPart "chat_copy_part" Chat ["c"] "copy a part: a code block, arguments, result";
    ChatMark "chat_mark" Chat ["shift+v"] "mark rows to copy";
    ChatLink "chat_link" Chat ["o"] "open a link or a saved file of the item";
    ChatEditor "chat_editor" Chat ["v"] "view the chat in your editor";
    ChatEvent "chat_event" Chat ["e"] "the item's event, in the events pane";
    ChatDump "chat_dump" Chat ["["] "print the chat into the terminal's own scrollback";

    MarkUp "mark_up" Marking ["up", "k"] "a row up";
    MarkDown "mark_down" Marking ["down", "j"] "a row down";
    MarkTop "mark_top" Marking ["g", "home"] "to the first row";
    MarkBottom "mark_bottom" Marking ["shift+g", "end"] "to the last row";
    MarkSwap "mark_swap" Marking ["o"] "go on at the other end";
    MarkCopy "mark_copy" Marking ["y", "enter"] "copy the marked rows";

    EventsUp "events_up" Events ["up", "k"] "select the event above";
    EventsDown "events_down" Events ["down", "j"] "select the event below";
    EventsOpen "events_open" Events ["enter"] "open the whole event";
    EventsCopy "events_copy" Events ["y"] "copy the event as JSON";
    EventsFilter "events_filter" Events ["/", "f"] "filter: type: server: task: status: session: or text; - before it: not";
    EventsPause "events_pause" Events ["space", "p"] "pause, or go on";
    EventsTop "events_top" Events ["g", "home"] "oldest event";
    EventsBottom "events_bottom" Events ["shift+g", "end"] "newest event, and follow";
    EventsLatestError "events_error" Events ["e"] "latest error";
    EventsChat "events_chat" Events ["c"] "the event's place in the chat";
    EventsMoment "events_moment" Events ["r"] "tasks and servers as they were then; esc: as they are";

    ReplayPause "replay_pause" Replay ["space"] "pause, or go on; at the end: from the start";
    ReplayStep "replay_step" Replay ["right", "n"] "next event";
    ReplayBack "replay_back" Replay ["left", "b"] "event before";
    ReplayPace "replay_pace" Replay ["s"] "pace: 1x, 10x, step by step";
    ReplayStart "replay_start" Replay ["home"] "to the start";
    ReplayFinish "replay_finish" Replay ["end"] "to the end";
    ReplayEnd "replay_end" Replay ["q"] "back to how things are (also esc)";

    PanelUp "panel_up" Panels ["up", "k"] "row above";
    PanelDown "panel_down" Panels ["down", "j"] "row below";
    PanelNext "panel_next" Panels ["tab", "right"] "next panel: tasks, inbox, notices, servers";
    PanelPrev "panel_prev" Panels ["left"] "panel before";

    TaskOpen "task_open" Tasks ["enter"] "open its page";
    TaskRun "task_run" Tasks ["r"] "run it now";
    TaskPause "task_pause" Tasks ["p", "space"] "pause, or resume";
    TaskEdit "task_edit" Tasks ["e"] "change it: a command to edit";
    TaskWhy "task_why" Tasks ["w"] "why its last run came out as it did";
    TaskDiff "task_diff" Tasks ["d"] "what changed last";
    TaskHistory "task_history" Tasks ["h"] "what happened to it";
    TaskDelete "task_delete" Tasks ["x", "delete"] "delete it; asks first";
    TaskFilter "task_filter" Tasks ["/"] "list only tasks with these words";
    TaskInbox "task_inbox" Tasks ["i"] "the inbox";

    InboxOpen "inbox_open" Inbox ["enter"] "read it";
    InboxAnswer "inbox_answer" Inbox ["a"] "answer it";
    InboxSnooze "inbox_snooze" Inbox ["s"] "out of sight for an hour, until tonight or tomorrow";
    InboxArchive "inbox_archive" Inbox ["e"] "archive it";
    InboxUnread "inbox_unread" Inbox ["u"] "unread again";
    InboxSource "inbox_source" Inbox ["o"] "copy the link to its source";
    InboxFewer "inbox_fewer" Inbox ["-"] "fewer like this";
    InboxMore "inbox_more" Inbox ["+"] "more like this";

    NoticeResend "notice_resend" Notices ["shift+r", "r"] "send a failed or unknown one again";

    ServerTools "server_tools" Servers ["enter", "t"] "its tools";
    ServerLogs "server_logs" Servers ["l"] "its messages and error output";
    ServerRestart "server_restart" Servers ["r"] "connect anew";
    ServerToggle "server_toggle" Servers ["d", "space"] "disable, or enable";
    ServerAdd "server_add" Servers ["a"] "add a server";
    ServerRemove "server_remove" Servers ["x"] "remove it for this run";
    ServerResources "server_resources" Servers ["s"] "its resources";
    ServerPrompts "server_prompts" Servers ["p"] "its prompts";

    ResourceOpen "resource_open" Resources ["enter"] "read it; a template is filled in first";
    ResourceAttach "resource_attach" Resources ["a"] "attach it to the message";
    ResourceSubscribe "resource_subscribe" Resources ["s"] "be told when it changes, or no more";
    ResourceFilter "resource_filter" Resources ["/"] "list only those with these words";
    ResourceCopy "resource_copy" Resources ["y"] "copy its address";

    SettingChange "setting_change" Settings ["enter", "space"] "change it: the next value, or type one";
    SettingDefault "setting_default" Settings ["x", "delete"] "back to the default";
}

impl Action {
    /// The row of this action.
    pub fn row(self) -> Option<&'static KeyRow> {
        KEYS.iter().find(|row| row.action == self)
    }
}

/// The table with the user's own keys in it.
#[derive(Debug, Clone)]
pub struct Keymap {
    by_chord: HashMap<(Context, Chord), Action>,
    by_action: BTreeMap<Action, Vec<Chord>>,
}

impl Keymap {
    /// The table with `overrides` (action's name to keys) in place of its own keys.
    ///
    /// # Errors
    /// When an action or a key is unknown, or one key would mean two things at once.
    pub fn new(overrides: &BTreeMap<String, Vec<String>>) -> Result<Self, String> {
        for name in overrides.keys() {
            if !KEYS.iter().any(|row| row.name == name) {
                return Err(unknown_action(name));
            }
        }
        let mut map = Self { by_chord: HashMap::new(), by_action: BTreeMap::new() };
        for row in KEYS {
            let chords = match overrides.get(row.name) {
                Some(keys) => keys.iter().map(|key| Chord::parse(key)).collect::<Result<Vec<_>, _>>(),
                None => row.keys.iter().map(|key| Chord::parse(key)).collect(),
            };
            let chords = chords.map_err(|reason| format!("`{}`: {reason}", row.name))?;
            for chord in &chords {
                map.bind(row, *chord)?;
            }
            map.by_action.insert(row.action, chords);
        }
        Ok(map)
    }

    fn bind(&mut self, row: &KeyRow, chord: Chord) -> Result<(), String> {
        for context in Context::ALL.into_iter().filter(|other| row.context.meets(*other)) {
            if let Some(other) = self.by_chord.get(&(context, chord)).and_then(|action| action.row()) {
                return Err(format!("`{chord}` would mean both `{}` and `{}`: give one of them another key", other.name, row.name));
            }
        }
        self.by_chord.insert((row.context, chord), row.action);
        Ok(())
    }

    /// What `key` does while `context` has the focus.
    pub fn action(&self, context: Context, key: &KeyEvent) -> Option<Action> {
        let chord = Chord::from_event(key);
        let mut contexts = std::iter::successors(Some(context), |context| context.above());
        contexts.find_map(|context| self.by_chord.get(&(context, chord)).copied())
    }

    /// The keys of an action, the first one first.
    pub fn chords(&self, action: Action) -> &[Chord] {
        self.by_action.get(&action).map_or(&[], Vec::as_slice)
    }

    /// The key that a hint names; empty where the action has none.
    pub fn hint(&self, action: Action) -> String {
        self.chords(action).first().map(ToString::to_string).unwrap_or_default()
    }
}

fn unknown_action(name: &str) -> String {
    let nearest = KEYS.iter().map(|row| (strsim::damerau_levenshtein(row.name, name), row.name)).min();
    match nearest {
        Some((distance, near)) if distance <= 3 => format!("unknown action `{name}`; did you mean `{near}`?"),
        _ => format!("unknown action `{name}`: leave the line out and start wakeful, `/keys` names all actions"),
    }
}
