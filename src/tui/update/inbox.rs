//! The inbox and the notices: keys of their panels, answers.

use crossterm::event::{KeyCode, KeyEvent};

use crate::domain::command::{Command, InboxCommand};
use crate::domain::ids::InboxId;
use crate::domain::notice::{DeliveryStatus, InboxKind};
use crate::domain::text::{clean_line, ellipsis};
use crate::tui::keymap::Action;
use crate::tui::layout;
use crate::tui::msg::Effect;
use crate::tui::panels::inbox::snooze_until;
use crate::tui::state::{State, Tone};
use crate::tui::update::commands;
use crate::tui::update::tasks;
use crate::tui::view;

/// Characters of a link in a note.
const LINK_CHARS_MAX: usize = 100;

fn send(command: InboxCommand) -> Vec<Effect> {
    vec![Effect::Send(Command::Inbox(command))]
}

/// Takes a key of the inbox.
pub(super) fn key(state: &mut State, key: &KeyEvent, action: Option<Action>) -> Vec<Effect> {
    if action == Some(Action::Interrupt) && state.inbox.snoozing.take().is_some() {
        return Vec::new();
    }
    if let Some(item) = state.inbox.snoozing.clone() {
        return snooze(state, key, item);
    }
    let Some(action) = action else { return Vec::new() };
    match action {
        Action::Escape | Action::Interrupt => {
            if !state.inbox.shut() {
                state.overlay = None;
            }
        }
        Action::PanelUp => step(state, -1),
        Action::PanelDown => step(state, 1),
        Action::PageUp => step(state, -10),
        Action::PageDown => step(state, 10),
        Action::PanelNext => tasks::turn_tab(state, true),
        Action::PanelPrev => tasks::turn_tab(state, false),
        Action::Tasks => tasks::open(state, ""),
        _ => return chosen(state, action),
    }
    Vec::new()
}

/// Moves the choice, or the window of what is read.
pub(super) fn step(state: &mut State, step: isize) {
    if state.inbox.reading.is_none() {
        return state.inbox.step(step);
    }
    let last = layout::areas(state).overlay.map_or(0, |area| view::inbox_last(state, layout::text_area(area)));
    if let Some((_, scroll)) = &mut state.inbox.reading {
        *scroll = (*scroll).min(last).saturating_add_signed(step).min(last);
    }
}

/// What needs a chosen entry.
fn chosen(state: &mut State, action: Action) -> Vec<Effect> {
    let Some(row) = state.inbox.current() else {
        state.note(Tone::Plain, "the inbox is empty");
        return Vec::new();
    };
    let item = row.item.item_id.clone();
    match action {
        Action::InboxOpen => read(state, item),
        Action::InboxAnswer => {
            let line = tasks::answer_line(row);
            let asks = row.item.kind == InboxKind::Asks;
            let note = if asks {
                "`yes` tells it by the task's channel; anything else goes to the agent"
            } else {
                "your answer goes to the agent"
            };
            tasks::write(state, &line, note);
            Vec::new()
        }
        Action::InboxSnooze => {
            state.inbox.snoozing = Some(item);
            Vec::new()
        }
        Action::InboxArchive => {
            state.inbox.reading = None;
            state.note(Tone::Plain, "archived");
            send(InboxCommand::Archive(item))
        }
        Action::InboxUnread => {
            state.inbox.reading = None;
            send(InboxCommand::Unread(item))
        }
        Action::InboxSource => source(state),
        Action::InboxFewer | Action::InboxMore => {
            let fewer = action == Action::InboxFewer;
            state.note(Tone::Good, if fewer { "fewer like this: the judge is told" } else { "more like this: the judge is told" });
            send(InboxCommand::Feedback { item, fewer })
        }
        _ => Vec::new(),
    }
}

/// Opens an entry; that marks it as read.
fn read(state: &mut State, item: InboxId) -> Vec<Effect> {
    let unread = state.inbox.row(&item).is_some_and(|row| row.unread);
    state.inbox.open(item.clone());
    if unread { send(InboxCommand::Read(item)) } else { Vec::new() }
}

/// A program cannot open a browser for everybody (a remote shell has none): the link goes to the clipboard and is shown.
fn source(state: &mut State) -> Vec<Effect> {
    let url = state.inbox.current().and_then(|row| row.item.url.as_deref()).map(clean_line);
    let Some(url) = url.filter(|url| !url.is_empty()) else {
        state.note(Tone::Plain, "it has no source to open");
        return Vec::new();
    };
    let shown = format!("link copied: {}", ellipsis(&url, LINK_CHARS_MAX));
    let effects = commands::copy(state, Some(url), "");
    state.note(Tone::Good, shown);
    effects
}

/// The question until when.
fn snooze(state: &mut State, key: &KeyEvent, item: InboxId) -> Vec<Effect> {
    match key.code {
        KeyCode::Char(digit) => {
            let Some((until, words)) = snooze_until(digit, state.now, &state.surroundings.timezone) else { return Vec::new() };
            state.inbox.snoozing = None;
            state.inbox.reading = None;
            state.note(Tone::Plain, format!("out of sight {words}"));
            send(InboxCommand::Snooze { item, until })
        }
        KeyCode::Esc => {
            state.inbox.snoozing = None;
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// `/inbox answer ID TEXT`.
pub(super) fn answer(state: &mut State, item: &str, text: String) -> Vec<Effect> {
    match state.inbox.find(item).map(|row| row.item.item_id.clone()) {
        Ok(item) => {
            state.note(Tone::Good, "answered");
            send(InboxCommand::Answer { item, text })
        }
        Err(reason) => {
            state.note(Tone::Bad, reason);
            Vec::new()
        }
    }
}

/// `/notify test`.
pub(super) fn notify(state: &mut State, channel: Option<String>, to: Option<String>) -> Vec<Effect> {
    let by = channel.as_deref().map_or_else(|| "the configured channels".to_owned(), |channel| format!("`{channel}`"));
    state.note(Tone::Plain, format!("sending a test notice by {by}"));
    send(InboxCommand::TestNotice { channel, to })
}

/// Takes a key of the notices.
pub(super) fn notices_key(state: &mut State, action: Option<Action>) -> Vec<Effect> {
    match action {
        Some(Action::Escape | Action::Interrupt) => state.overlay = None,
        Some(Action::PanelUp) => state.inbox.step_notice(-1),
        Some(Action::PanelDown) => state.inbox.step_notice(1),
        Some(Action::PageUp) => state.inbox.step_notice(-10),
        Some(Action::PageDown) => state.inbox.step_notice(10),
        Some(Action::PanelNext) => tasks::turn_tab(state, true),
        Some(Action::PanelPrev) => tasks::turn_tab(state, false),
        Some(Action::Tasks) => tasks::open(state, ""),
        Some(Action::NoticeResend) => return resend(state),
        _ => {}
    }
    Vec::new()
}

fn resend(state: &mut State) -> Vec<Effect> {
    let notice = state.inbox.notices().get(state.inbox.notice).map(|row| (row.notice_id.clone(), row.status));
    match notice {
        Some((notice, DeliveryStatus::Failed | DeliveryStatus::Unknown)) => {
            state.note(Tone::Plain, "queued again");
            send(InboxCommand::Resend(notice))
        }
        Some(_) => {
            state.note(Tone::Plain, "only what failed or is unknown can be sent again");
            Vec::new()
        }
        None => {
            state.note(Tone::Plain, "there are no notices");
            Vec::new()
        }
    }
}
