//! The background tasks: keys of their panel, and what `/task` does.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::domain::command::{Command, TaskCommand};
use crate::domain::ids::TaskId;
use crate::domain::task::{TaskKind, TaskRow, TaskStatus};
use crate::domain::text::{clean_line, ellipsis};
use crate::tui::keymap::Action;
use crate::tui::layout;
use crate::tui::msg::Effect;
use crate::tui::panels::picker::Input;
use crate::tui::panels::tasks::detail::{self, Laid, Look};
use crate::tui::panels::tasks::{EXAMPLES, Section};
use crate::tui::panels::{Overlay, inbox};
use crate::tui::slash::{self, TaskVerb};
use crate::tui::state::{Focus, State, Tone};

/// Characters of a description in a note.
const NAME_CHARS_MAX: usize = 40;

/// Opens the list, narrowed by `filter`.
pub(super) fn open(state: &mut State, filter: &str) {
    filter.clone_into(&mut state.tasks.filter);
    state.tasks.typing = None;
    state.tasks.page = None;
    state.tasks.deleting = None;
    state.tasks.stale = true;
    state.tasks.choose_first();
    state.overlay = Some(Overlay::Tasks);
}

/// Opens one of the panels that one key leads through.
pub(super) fn open_tab(state: &mut State, tab: &Overlay) {
    match tab {
        Overlay::Tasks => open(state, ""),
        Overlay::Inbox | Overlay::Notices => {
            state.inbox.reading = None;
            state.inbox.snoozing = None;
            state.inbox.read_here.clear();
            state.inbox.stale = true;
            state.inbox.choose(0);
            state.overlay = Some(tab.clone());
        }
        _ => {
            state.servers.stale = true;
            state.overlay = Some(Overlay::Servers);
        }
    }
}

/// The panel after (or before) the one that is open.
pub(super) fn turn_tab(state: &mut State, forward: bool) {
    let count = Overlay::TABS.len();
    let Some(at) = state.overlay.as_ref().and_then(Overlay::tab) else { return };
    let next = (at + if forward { 1 } else { count - 1 }) % count;
    if let Some(tab) = Overlay::TABS.get(next) {
        open_tab(state, tab);
    }
}

/// Takes a key of the tasks panel.
pub(super) fn key(state: &mut State, key: &KeyEvent, action: Option<Action>) -> Vec<Effect> {
    if action == Some(Action::Interrupt) && (state.tasks.deleting.take().is_some() || state.tasks.typing.take().is_some()) {
        return Vec::new();
    }
    if let Some(task) = state.tasks.deleting.clone() {
        return confirm(state, key, task);
    }
    if state.tasks.typing.is_some() {
        filter_key(state, key);
        return Vec::new();
    }
    if let (true, KeyCode::Char(digit @ '1'..='3'), KeyModifiers::NONE) = (state.tasks.rows().is_empty(), key.code, key.modifiers) {
        example(state, digit);
        return Vec::new();
    }
    let Some(action) = action else {
        if state.tasks.page.is_some() {
            match key.code {
                KeyCode::Home => scroll(state, isize::MIN),
                KeyCode::End => scroll(state, isize::MAX),
                _ => {}
            }
        }
        return Vec::new();
    };
    match action {
        Action::Escape | Action::Interrupt => back(state),
        Action::PanelUp => step(state, -1),
        Action::PanelDown => step(state, 1),
        Action::PageUp => step(state, -10),
        Action::PageDown => step(state, 10),
        Action::Top => step(state, isize::MIN),
        Action::Bottom => step(state, isize::MAX),
        Action::PanelNext => turn_tab(state, true),
        Action::PanelPrev => turn_tab(state, false),
        Action::TaskInbox => open_tab(state, &Overlay::Inbox),
        Action::TaskFilter => {
            state.tasks.page = None;
            state.tasks.typing = Some(Input::new(state.tasks.filter.clone()));
        }
        Action::Tasks => state.overlay = None,
        _ => return chosen(state, action),
    }
    Vec::new()
}

/// Esc: the page, then the filter, then the panel.
fn back(state: &mut State) {
    if state.tasks.page.take().is_some() {
        return;
    }
    if state.tasks.filter.is_empty() {
        state.overlay = None;
    } else {
        state.tasks.filter.clear();
    }
}

/// Moves the choice, or the window of the page.
pub(super) fn step(state: &mut State, step: isize) {
    if state.tasks.page.is_some() { scroll(state, step) } else { state.tasks.step(step) }
}

fn scroll(state: &mut State, rows: isize) {
    let Some((laid, height)) = page(state) else { return };
    let now = page_top(state, &laid, height);
    let last = laid.rows.len().saturating_sub(height);
    if let Some(page) = &mut state.tasks.page {
        page.section = None;
        page.scroll = now.saturating_add_signed(rows).min(last);
    }
}

/// The open page as it is laid out now, and the rows that fit.
pub(in crate::tui) fn page(state: &State) -> Option<(Laid, usize)> {
    let page = state.tasks.page.as_ref()?;
    let row = state.tasks.row(&page.task)?;
    let area = layout::text_area(layout::areas(state).overlay?);
    let look = Look { now: state.now, timezone: &state.surroundings.timezone, theme: &state.theme, width: usize::from(area.width) };
    Some((detail::lay(row, page, look), usize::from(area.height)))
}

/// The first row of the page on the screen: its part, until somebody scrolls.
pub(in crate::tui) fn page_top(state: &State, laid: &Laid, height: usize) -> usize {
    let last = laid.rows.len().saturating_sub(height);
    let page = state.tasks.page.as_ref();
    page.map_or(0, |page| page.section.map_or(page.scroll, |section| laid.start(section))).min(last)
}

fn filter_key(state: &mut State, key: &KeyEvent) {
    match key.code {
        KeyCode::Enter | KeyCode::Down | KeyCode::Up => {
            if let Some(input) = state.tasks.typing.take() {
                state.tasks.filter = input.text;
            }
        }
        KeyCode::Esc => {
            state.tasks.typing = None;
            state.tasks.filter.clear();
        }
        _ => {
            if let Some(input) = &mut state.tasks.typing {
                input.key(key);
            }
        }
    }
}

/// The question before a task is deleted.
fn confirm(state: &mut State, key: &KeyEvent, task: TaskId) -> Vec<Effect> {
    match key.code {
        KeyCode::Char('y' | 'Y') => {
            state.tasks.deleting = None;
            state.note(Tone::Plain, "deleting the task");
            vec![Effect::Send(Command::Task(TaskCommand::Delete(task)))]
        }
        KeyCode::Char('n' | 'N') | KeyCode::Esc => {
            state.tasks.deleting = None;
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Puts an example into the message: it is sent by the user, not by the panel.
fn example(state: &mut State, digit: char) {
    let at = digit.to_digit(10).and_then(|digit| usize::try_from(digit).ok()).unwrap_or(1);
    let Some(text) = EXAMPLES.get(at.saturating_sub(1)) else { return };
    write(state, text, "enter sends it");
}

/// Puts a text into the message, where nothing stands there yet.
pub(super) fn write(state: &mut State, text: &str, note: &str) {
    state.overlay = None;
    state.focus = Focus::Composer;
    if state.composer.is_empty() {
        state.composer.set(text);
        state.note(Tone::Plain, note);
    } else {
        state.note(Tone::Plain, "send, stash or clear the draft first");
    }
}

/// What needs a chosen task.
fn chosen(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(row) = state.tasks.current() else {
        state.note(Tone::Plain, "there is no task to do that with");
        return Vec::new();
    };
    let verb = match action {
        Action::TaskOpen => TaskVerb::Show,
        Action::TaskRun => TaskVerb::Run,
        Action::TaskPause if row.status == TaskStatus::Active => TaskVerb::Pause,
        Action::TaskPause => TaskVerb::Resume,
        Action::TaskWhy => TaskVerb::Why,
        Action::TaskDiff => TaskVerb::Diff,
        Action::TaskHistory => TaskVerb::History,
        Action::TaskDelete => TaskVerb::Delete,
        Action::TaskEdit => {
            let line = slash::edit_line(&row.spec);
            write(state, &line, "change the values; enter keeps them, other fields work too");
            return Vec::new();
        }
        _ => return Vec::new(),
    };
    let row = row.clone();
    act(state, &row, verb)
}

/// `/task WORDS VERB`.
pub(super) fn run(state: &mut State, wanted: &str, verb: TaskVerb) -> Vec<Effect> {
    if !state.tasks.known {
        state.note(Tone::Bad, "the tasks are not read yet; try again in a moment");
        return Vec::new();
    }
    match state.tasks.find(wanted).cloned() {
        Ok(row) => act(state, &row, verb),
        Err(reason) => {
            state.note(Tone::Bad, reason);
            Vec::new()
        }
    }
}

fn act(state: &mut State, row: &TaskRow, verb: TaskVerb) -> Vec<Effect> {
    let task = row.spec.task_id.clone();
    let name = ellipsis(&clean_line(&row.spec.description), NAME_CHARS_MAX).into_owned();
    let (what, command) = match verb {
        TaskVerb::Show => return page_of(state, task, None),
        TaskVerb::Why => return page_of(state, task, Some(Section::Why)),
        TaskVerb::Diff => return page_of(state, task, Some(Section::Diff)),
        TaskVerb::History => return page_of(state, task, Some(Section::History)),
        TaskVerb::Delete => {
            // The panel asks; nothing is deleted by a word alone.
            if !matches!(state.overlay, Some(Overlay::Tasks)) {
                open(state, "");
                state.tasks.open(task.clone(), None);
            }
            state.tasks.deleting = Some(task);
            return Vec::new();
        }
        TaskVerb::Run => ("running", TaskCommand::Run(task)),
        TaskVerb::Pause => ("pausing", TaskCommand::Pause(task)),
        TaskVerb::Resume => ("resuming", TaskCommand::Resume(task)),
        TaskVerb::Edit(changes) => ("changing", TaskCommand::Update { task, changes }),
    };
    state.note(Tone::Plain, format!("{what} `{name}`"));
    state.tasks.look_soon(state.now);
    vec![Effect::Send(Command::Task(command))]
}

fn page_of(state: &mut State, task: TaskId, section: Option<Section>) -> Vec<Effect> {
    if !matches!(state.overlay, Some(Overlay::Tasks)) {
        open(state, "");
    }
    state.tasks.open(task, section);
    Vec::new()
}

/// `/simulate`.
pub(super) fn simulate(state: &mut State, kind: Option<TaskKind>) -> Vec<Effect> {
    let what = kind.map_or_else(|| "all four events".to_owned(), |kind| format!("`{}`", kind.event_type()));
    state.note(Tone::Plain, format!("simulating {what}; the inbox and the events show what comes of it"));
    vec![Effect::Send(Command::Task(TaskCommand::Simulate(kind)))]
}

/// A click on a row of the list: chooses it, opens the chosen one.
pub(super) fn click(state: &mut State, at: usize) {
    if state.tasks.page.is_none() && state.tasks.choose(at) {
        let task = state.tasks.current().map(|row| row.spec.task_id.clone());
        if let Some(task) = task {
            state.tasks.open(task, None);
        }
    }
}

/// The name of an entry of the inbox in a command.
pub(super) fn answer_line(row: &crate::domain::notice::InboxRow) -> String {
    format!("/inbox answer {} ", inbox::name(row))
}
