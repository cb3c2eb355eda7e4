//! The line of work above the message: what runs, since when, how to stop it; and the messages that wait.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::command::Delivery;
use crate::domain::text::clean_line;
use crate::tui::keymap::Action;
use crate::tui::layout::queued_rows_max;
use crate::tui::panels::Row;
use crate::tui::state::{LinkState, Queued, State};
use crate::tui::status::elapsed;
use crate::tui::theme::{Icon, Key};
use crate::tui::view;

/// Whether the line is there.
pub fn is_shown(state: &State) -> bool {
    state.turn.is_some()
}

/// Messages that wait: the program said so, or does not stand yet, or a turn runs.
pub fn shown_queue(state: &State) -> impl Iterator<Item = &Queued> {
    let all = state.turn.is_some() || state.link == LinkState::Waiting;
    state.queued.iter().filter(move |queued| all || queued.confirmed)
}

pub(super) fn draw(state: &State, area: Rect, buf: &mut Buffer) {
    let mut rows: Vec<Row> = Vec::new();
    if let Some(line) = line(state) {
        rows.push(line);
    }
    let waiting: Vec<&Queued> = shown_queue(state).collect();
    let arrow = state.theme.icon(Icon::Queued);
    for queued in waiting.iter().take(queued_rows_max()) {
        let when = match queued.delivery.filter(|_| state.turn.is_some()) {
            Some(Delivery::Steer) => "next step: ",
            Some(Delivery::Queue) => "after this turn: ",
            None => "",
        };
        rows.push(vec![(Key::ChatQueued, format!("   {arrow} {when}")), (Key::ChatQueued, clean_line(&queued.text))]);
    }
    if waiting.len() > queued_rows_max() {
        let more = waiting.len() - queued_rows_max();
        rows.push(vec![(
            Key::ChatQueued,
            format!("   {arrow} and {more} more ({} edits the last)", state.keymap.hint(Action::EditQueued)),
        )]);
    }
    for (y, row) in (area.top()..area.bottom()).zip(&rows) {
        view::row(buf, Rect { y, height: 1, ..area }, row, &state.theme);
    }
}

fn line(state: &State) -> Option<Row> {
    let turn = state.turn.as_ref()?;
    let time = elapsed(state.now.since(turn.started));
    let mark = format!(" {} ", if state.focused { state.theme.spinner(state.chat.tick) } else { state.theme.icon(Icon::Bullet) });
    // While a question is open Esc answers it.
    let key = state.keymap.hint(if state.waiting() == 0 { Action::Escape } else { Action::Interrupt });
    let bullet = state.theme.icon(Icon::Bullet);
    if state.replay.is_some() {
        return Some(vec![(Key::StatusBusy, mark), (Key::UiText, "Working".to_owned()), (Key::UiDim, " (then)".to_owned())]);
    }
    if turn.stopping {
        return Some(vec![(Key::StatusBusy, mark), (Key::StatusWarn, "Stopping".to_owned()), (Key::UiDim, format!(" ({time})"))]);
    }
    if let Some((reason, attempt, attempts_max, until)) = &turn.retry {
        let wait = elapsed(until.since(state.now) + std::time::Duration::from_millis(999));
        let head = format!("Trying again in {wait}, {attempt} of {attempts_max}");
        let tail = format!(" ({} {bullet} {key} to stop)", clean_line(reason));
        return Some(vec![(Key::StatusWarn, mark), (Key::StatusWarn, head), (Key::UiDim, tail)]);
    }
    let what = if state.waiting() == 0 { "Working" } else { "Waiting for your answer" };
    Some(vec![(Key::StatusBusy, mark), (Key::UiText, what.to_owned()), (Key::UiDim, format!(" ({time} {bullet} {key} to interrupt)"))])
}
