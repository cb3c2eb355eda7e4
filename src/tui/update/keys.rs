//! Keys: who gets them, and what they do.
//!
//! In this order: the question for consent, what lies over the screen, an input that is being typed, completions, then
//! the part with the focus by the table of keys.

mod chat;
mod events;
mod taking;
mod vi;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::domain::command::Decision;
use crate::tui::approval::Outcome;
use crate::tui::composer::{Edit, Token};
use crate::tui::keymap::{Action, Chord, Context};
use crate::tui::layout;
use crate::tui::msg::{Effect, Msg};
use crate::tui::panels::{Overlay, help};
use crate::tui::state::{AGAIN, Asked, Column, Focus, State, Tone};
use crate::tui::tabs::TabWant;
use crate::tui::update::{asking, commands, compose, filter, kept, moment, overlay, replay, tabs, tasks};
use crate::tui::vi::Mode;
use crate::tui::view;

pub(super) use chat::{rewind, size as chat_size};
pub(super) use events::open as open_event;
pub(super) use taking::opened;

/// Takes keys that came at once. What is plain text for the message is written in one step: after each step the text
/// area lays out the whole message again, so that a long text typed by a program would take time by its square.
pub(super) fn burst(state: &mut State, keys: Vec<KeyEvent>) -> Vec<Effect> {
    let mut effects = Vec::new();
    let mut text = String::new();
    for key in keys {
        if let Some(ch) = written(state, &key, !text.is_empty()) {
            text.push(ch);
            continue;
        }
        effects.extend(write(state, &mut text));
        effects.extend(super::update(state, Msg::Key(key)));
    }
    effects.extend(write(state, &mut text));
    effects
}

/// The character that `key` writes into the message, where it can mean nothing else; `more` is written before it.
fn written(state: &State, key: &KeyEvent, more: bool) -> Option<char> {
    let KeyCode::Char(ch) = key.code else { return None };
    let is_plain =
        key.kind != KeyEventKind::Release && matches!(key.modifiers, KeyModifiers::NONE | KeyModifiers::SHIFT) && !ch.is_control();
    let is_listening = state.events_filter.is_some() || state.search.as_ref().is_some_and(|search| search.typing);
    let is_elsewhere =
        is_listening || state.replay.is_some() || state.is_asking() || state.overlay.is_some() || state.focus != Focus::Composer;
    // The first character of a message may be a number of a suggestion or ask for help.
    let is_first = !more && state.composer.is_empty();
    let is_bound = || state.keymap.action(Context::Composer, key).is_some();
    let is_moving = state.options.vi && state.vi.mode() == Mode::Normal;
    (is_plain && !is_elsewhere && !is_first && !is_moving && !is_bound()).then_some(ch)
}

fn write(state: &mut State, text: &mut String) -> Vec<Effect> {
    if text.is_empty() {
        return Vec::new();
    }
    state.quit_until = None;
    state.selection = None;
    state.rewind_until = None;
    state.history.rest();
    state.composer.insert_str(&std::mem::take(text));
    state.dirty = true;
    super::settle(state)
}

/// Takes a key.
pub(super) fn key(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    if key.kind == KeyEventKind::Release {
        return Vec::new();
    }
    let action = state.keymap.action(context(state), &key);
    if action != Some(Action::Interrupt) {
        state.quit_until = None;
        state.selection = None;
    }
    if action != Some(Action::Escape) {
        state.rewind_until = None;
    }
    if state.is_drafting() {
        if let Some(effects) = drafting_key(state, &key, action) {
            return effects;
        }
    } else if state.is_asking()
        && let Some(effects) = dialog_key(state, &key)
    {
        return effects;
    }
    if state.overlay.is_some() {
        return overlay::key(state, &key, action);
    }
    if state.replay.is_some() {
        return replay::key(state, &key);
    }
    if let Some(effects) = input(state, &key) {
        return effects;
    }
    if state.focus == Focus::Composer
        && let Some(effects) = popup_key(state, &key)
    {
        return effects;
    }
    if let Some(effects) = vi::key(state, &key) {
        return effects;
    }
    match action {
        Some(action) if context(state) == Context::Marking && !matches!(action, Action::Escape | Action::Interrupt) => {
            marked_or(state, action, &key)
        }
        Some(action) => act(state, action, &key),
        None => typed(state, &key),
    }
}

fn context(state: &State) -> Context {
    if state.replay.is_some() && state.overlay.is_none() {
        return Context::Replay;
    }
    match (&state.overlay, state.focus) {
        (Some(Overlay::Tasks), _) => Context::Tasks,
        (Some(Overlay::Inbox), _) => Context::Inbox,
        (Some(Overlay::Notices), _) => Context::Notices,
        (Some(Overlay::Servers), _) => Context::Servers,
        (Some(Overlay::Resources), _) => Context::Resources,
        (Some(Overlay::Settings), _) => Context::Settings,
        (_, Focus::Composer) => Context::Composer,
        (_, Focus::Chat) if state.chat.mark.is_some() => Context::Marking,
        (_, Focus::Chat) => Context::Chat,
        (_, Focus::Events) => Context::Events,
    }
}

/// A key while a question stands over a message that is being written: what moves to the question and what reads it. All
/// else goes on writing, and puts off when the next key may answer.
fn drafting_key(state: &mut State, key: &KeyEvent, action: Option<Action>) -> Option<Vec<Effect>> {
    let completes = state.popup.as_ref().is_some_and(|popup| !popup.rows.is_empty());
    let moves = matches!(key.code, KeyCode::Tab | KeyCode::Esc) && key.modifiers.is_empty() && !completes;
    if moves || action == Some(Action::FocusNext) {
        state.take_question();
        return Some(Vec::new());
    }
    if matches!(key.code, KeyCode::PageUp | KeyCode::PageDown) {
        return dialog_key(state, key);
    }
    state.hold_question();
    None
}

fn dialog_key(state: &mut State, key: &KeyEvent) -> Option<Vec<Effect>> {
    if state.front() == Some(Asked::Question) {
        return asking::key(state, key);
    }
    let now = state.now;
    let dialog = state.approvals.front_mut()?;
    let outcome = dialog.key(key, now);
    let call = dialog.approval.call_id.clone();
    answer(state, outcome, call)
}

/// What an answer to the question for consent does.
pub(super) fn answer(state: &mut State, outcome: Outcome, call: crate::domain::ids::CallId) -> Option<Vec<Effect>> {
    match outcome {
        Outcome::NotMine => None,
        Outcome::Moved => Some(Vec::new()),
        Outcome::Allow(scope) => Some(compose::decide(state, &call, Decision::Allow { scope })),
        Outcome::Refuse => Some(compose::decide(state, &call, Decision::Refuse { instead: None })),
        Outcome::Instead => {
            state.refusing = Some(call);
            state.focus = Focus::Composer;
            Some(Vec::new())
        }
    }
}

/// Inputs of one line: the filter of the events, the search in the chat.
pub(super) fn input(state: &mut State, key: &KeyEvent) -> Option<Vec<Effect>> {
    if state.events_filter.is_some() {
        return filter::key(state, key).then(Vec::new);
    }
    let search = state.search.as_mut().filter(|search| search.typing)?;
    match key.code {
        KeyCode::Enter => search.typing = false,
        KeyCode::Esc => {
            state.search = None;
            state.chat.current_match = None;
            state.transcript.search("");
            return Some(Vec::new());
        }
        _ if search.input.key(key) => {
            let query = search.input.text.clone();
            search.matches = state.transcript.search(&query);
            search.at = search.matches.len().saturating_sub(1);
        }
        _ => return None,
    }
    chat::show_match(state);
    Some(Vec::new())
}

fn popup_key(state: &mut State, key: &KeyEvent) -> Option<Vec<Effect>> {
    if key.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SHIFT | KeyModifiers::CONTROL) {
        return None;
    }
    let popup = state.popup.as_mut().filter(|popup| !popup.rows.is_empty())?;
    match key.code {
        KeyCode::Up => popup.step(-1),
        KeyCode::Down => popup.step(1),
        KeyCode::Esc => {
            state.popup_closed = Some(popup.token.clone());
        }
        KeyCode::Enter if popup.enter_passes() => return None,
        KeyCode::Enter if popup.enter_runs() => {
            let name = popup.chosen().map(|row| row.insert.clone()).unwrap_or_default();
            state.composer.set(&name);
            return Some(compose::enter(state));
        }
        KeyCode::Tab | KeyCode::Enter => {
            let (insert, goes_on) = popup.chosen().map(|row| (row.insert.clone(), row.open)).unwrap_or_default();
            if matches!(popup.token, Token::File(_)) {
                kept::used_file(state, &insert);
            }
            state.composer.replace_word(&insert, goes_on);
        }
        _ => return None,
    }
    Some(Vec::new())
}

/// Keys that move a mark; others end it and do what they always do.
fn marked_or(state: &mut State, action: Action, key: &KeyEvent) -> Vec<Effect> {
    let moves = action.row().is_some_and(|row| row.context == Context::Marking);
    if moves || matches!(action, Action::PageUp | Action::PageDown) {
        return taking::marking(state, action);
    }
    if !matches!(action, Action::Redraw | Action::Suspend | Action::Mouse | Action::Help) {
        state.chat.mark = None;
    }
    act(state, action, key)
}

/// A key that the table does not know: text.
fn typed(state: &mut State, key: &KeyEvent) -> Vec<Effect> {
    let KeyCode::Char(ch) = key.code else { return Vec::new() };
    let odd = KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SUPER | KeyModifiers::META | KeyModifiers::HYPER;
    // AltGr arrives as control and alt on some terminals; plain combinations are no text.
    if key.modifiers.intersects(odd) && !key.modifiers.contains(KeyModifiers::CONTROL | KeyModifiers::ALT) {
        return Vec::new();
    }
    // Where keys do something of their own the first letters of a word would be lost.
    if state.focus != Focus::Composer && ch != '?' {
        let (pane, back) = (if state.focus == Focus::Chat { "chat" } else { "events" }, state.keymap.hint(Action::Escape));
        state.note(Tone::Plain, format!("the keys go to the {pane}; {back} goes back to the message"));
        return Vec::new();
    }
    if ch == '?' && state.refusing.is_none() && (state.composer.is_empty() || state.focus != Focus::Composer) {
        open_help(state);
        return Vec::new();
    }
    state.focus = Focus::Composer;
    state.chat.mark = None;
    if let Some(effects) = compose::suggestion(state, ch) {
        return effects;
    }
    state.history.rest();
    state.composer.insert(ch);
    Vec::new()
}

/// The keys of what has them come first.
fn open_help(state: &mut State) {
    let context = context(state);
    state.overlay = Some(Overlay::Text(help::help_with_keys(&state.keymap, &state.own, context)));
}

fn edit(state: &mut State, edit: Edit) -> Vec<Effect> {
    let moves = matches!(
        edit,
        Edit::Left
            | Edit::Right
            | Edit::WordLeft
            | Edit::WordRight
            | Edit::LineStart
            | Edit::LineEnd
            | Edit::Down
            | Edit::TextStart
            | Edit::TextEnd
    );
    if !moves {
        state.history.rest();
    }
    state.composer.edit(edit);
    Vec::new()
}

/// Carries out what a key means.
pub(super) fn act(state: &mut State, action: Action, key: &KeyEvent) -> Vec<Effect> {
    match action {
        Action::Interrupt => return interrupt(state),
        Action::Escape => return escape(state),
        Action::QuitEmpty if state.composer.is_empty() => return vec![Effect::Quit],
        Action::QuitEmpty => return edit(state, Edit::DeleteNext),
        Action::Suspend => return vec![Effect::Suspend],
        Action::Redraw => return vec![Effect::Redraw],
        Action::CycleEvents => cycle_column(state),
        Action::Tasks => tasks::open(state, ""),
        Action::Servers => tasks::open_tab(state, &Overlay::Servers),
        Action::OpenTool => chat::open_tool(state),
        Action::Editor => return vec![Effect::Edit { text: state.composer.text(), keep: true }],
        Action::Palette => state.overlay = Some(Overlay::Pick(commands::palette(state))),
        Action::Stash => compose::stash(state),
        Action::PaneWider => kept::widen(state, 1),
        Action::PaneNarrower => kept::widen(state, -1),
        Action::CycleMode => return commands::set_mode(state, state.session.mode.next()),
        Action::PageUp => page(state, -1),
        Action::PageDown => page(state, 1),
        Action::Top => to_end(state, true),
        Action::Bottom => to_end(state, false),
        Action::FocusNext => focus_next(state),
        Action::Mouse => {
            state.mouse = !state.mouse;
            let text = if state.mouse { "mouse on" } else { "mouse off: your terminal selects text" };
            state.note(Tone::Plain, text);
            return vec![Effect::Mouse(state.mouse)];
        }
        Action::TabNew => return tabs::run(state, TabWant::New),
        Action::TabNext => return tabs::run(state, TabWant::Next),
        Action::TabPrev => return tabs::run(state, TabWant::Prev),
        Action::TabAsking => return tabs::run(state, TabWant::Asking),
        Action::TabClose => return tabs::run(state, TabWant::Close),
        Action::TabNth => {
            let at = state.keymap.chords(action).iter().position(|chord| *chord == Chord::from_event(key));
            return tabs::run(state, TabWant::At(at.map_or(1, |at| at + 1)));
        }
        Action::Help => open_help(state),
        _ => return focused(state, action, key),
    }
    Vec::new()
}

/// Actions of the part with the focus.
fn focused(state: &mut State, action: Action, key: &KeyEvent) -> Vec<Effect> {
    match state.focus {
        Focus::Composer => composer(state, action, key),
        Focus::Chat => chat::act(state, action),
        Focus::Events => events::act(state, action),
    }
}

fn composer(state: &mut State, action: Action, key: &KeyEvent) -> Vec<Effect> {
    let plain = match action {
        Action::Send => return compose::enter(state),
        Action::QueueOrComplete => return compose::tab(state),
        Action::EditQueued => return compose::edit_queued(state),
        Action::HistoryPrev => {
            compose::up(state);
            return Vec::new();
        }
        Action::HistoryNext => {
            compose::down(state);
            return Vec::new();
        }
        Action::HistorySearch => {
            compose::search_history(state);
            return Vec::new();
        }
        Action::Newline => Edit::Newline,
        Action::Left => Edit::Left,
        Action::Right => Edit::Right,
        Action::WordLeft => Edit::WordLeft,
        Action::WordRight => Edit::WordRight,
        Action::LineStart => Edit::LineStart,
        Action::LineEnd => Edit::LineEnd,
        Action::LineNext => Edit::Down,
        Action::DeleteBack => Edit::DeleteBack,
        Action::DeleteNext => Edit::DeleteNext,
        Action::DeleteWord => Edit::DeleteWord,
        Action::DeleteWordNext => Edit::DeleteWordNext,
        Action::KillEnd => Edit::KillEnd,
        Action::KillStart => Edit::KillStart,
        Action::Yank => Edit::Yank,
        Action::Undo => Edit::Undo,
        Action::Redo => Edit::Redo,
        Action::TextStart => Edit::TextStart,
        Action::TextEnd => Edit::TextEnd,
        Action::Upper => Edit::Upper,
        Action::Lower => Edit::Lower,
        Action::Capital => Edit::Capital,
        Action::UnfoldPaste => Edit::Unfold,
        _ => return typed(state, key),
    };
    edit(state, plain)
}

/// Ctrl+C: copy what is marked, else close, else interrupt, else clear, else quit.
fn interrupt(state: &mut State) -> Vec<Effect> {
    if let Some(text) = view::marked_text(state) {
        state.selection = None;
        return commands::copy(state, Some(text), "");
    }
    if state.chat.mark.is_some() {
        return taking::marking(state, Action::MarkCopy);
    }
    if state.refusing.is_some() {
        return escape(state);
    }
    if state.turn.as_ref().is_some_and(|turn| !turn.stopping) {
        return compose::interrupt(state);
    }
    if !state.composer.is_empty() {
        let draft = state.composer.take();
        state.history.push(&draft);
        return Vec::new();
    }
    if state.quit_until.is_some_and(|until| until > state.now) {
        return vec![Effect::Quit];
    }
    state.quit_until = Some(state.now.plus(AGAIN));
    Vec::new()
}

/// Esc: close what is open, else interrupt; twice on an empty message: go back.
fn escape(state: &mut State) -> Vec<Effect> {
    if let Some(call) = state.refusing.take() {
        return compose::decide(state, &call, Decision::Refuse { instead: None });
    }
    if moment::leave(state) || state.chat.mark.take().is_some() {
        return Vec::new();
    }
    if state.search.take().is_some() {
        state.chat.current_match = None;
        state.transcript.search("");
        return Vec::new();
    }
    if state.focus != Focus::Composer {
        state.focus = Focus::Composer;
        state.chat.selected = None;
        if state.column == Column::Full {
            state.column = Column::Side;
        }
        return Vec::new();
    }
    if state.turn.is_some() {
        return compose::interrupt(state);
    }
    if !state.composer.is_empty() {
        return Vec::new();
    }
    if state.rewind_until.take().is_some_and(|until| until > state.now) {
        chat::open_rewind(state);
    } else {
        state.rewind_until = Some(state.now.plus(AGAIN));
    }
    Vec::new()
}

/// Ctrl+E: side, full, hidden; with one column: events or chat.
pub(super) fn cycle_column(state: &mut State) {
    state.column = match (state.is_wide(), state.column) {
        (true, Column::Side) | (false, Column::Side | Column::Hidden) => Column::Full,
        (true, Column::Full) => Column::Hidden,
        (true, Column::Hidden) | (false, Column::Full) => Column::Side,
    };
    state.focus = if state.column == Column::Full { Focus::Events } else { Focus::Composer };
    state.events_filter = None;
}

fn focus_next(state: &mut State) {
    let areas = layout::areas(state);
    let order = [(Focus::Composer, true), (Focus::Chat, areas.chat.is_some()), (Focus::Events, areas.events.is_some())];
    let at = order.iter().position(|(focus, _)| *focus == state.focus).unwrap_or(0);
    let next = (1..=order.len()).filter_map(|step| order.get((at + step) % order.len())).find(|(_, there)| *there);
    state.focus = next.map_or(Focus::Composer, |(focus, _)| *focus);
    state.events_filter = None;
    if state.focus == Focus::Chat {
        state.chat.selected = state.chat.selected.or_else(|| state.transcript.neighbour(None, 0));
    } else {
        state.chat.selected = None;
    }
}

fn page(state: &mut State, direction: isize) {
    if state.focus == Focus::Events {
        let step = isize::try_from(events::page_rows(state)).unwrap_or(1);
        return state.events.scroll(direction * step.max(1));
    }
    let (width, height) = chat::size(state);
    let rows = isize::try_from(height.saturating_sub(2).max(1)).unwrap_or(1);
    state.transcript.scroll_by(&mut state.chat, direction * rows, width, height, &state.theme);
}

/// Goes to the top, or to the end and follows.
fn to_end(state: &mut State, top: bool) {
    match (state.focus, top) {
        (Focus::Events, true) => state.events.to_top(),
        (Focus::Events, false) => state.events.to_bottom(),
        (_, true) => {
            state.transcript.scroll_to_top(&mut state.chat);
            if state.focus == Focus::Chat {
                state.chat.selected = state.transcript.items().next().map(|item| item.id);
            }
        }
        (_, false) => {
            state.chat.top = None;
            if state.focus == Focus::Chat {
                state.chat.selected = state.transcript.neighbour(None, 0);
            }
        }
    }
}
