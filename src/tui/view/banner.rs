//! Draws the line that says that what is on the screen is not how things are: a moment of the past, a replay.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::domain::clock::Instant;
use crate::tui::keymap::Action;
use crate::tui::panels::Row;
use crate::tui::replay::{GAP_MAX, Replay};
use crate::tui::state::State;
use crate::tui::status::{elapsed, thousands};
use crate::tui::theme::{Icon, Key};
use crate::tui::view;

/// From so many columns on there is room for dates.
const ROOMY_FROM: u16 = 100;

/// Whether there is something to say.
pub(crate) fn is_shown(state: &State) -> bool {
    state.replay.is_some() || state.moments.shown.is_some()
}

pub(super) fn draw(state: &State, area: Rect, buf: &mut Buffer) {
    let row = match (&state.replay, &state.moments.shown) {
        (Some(replay), _) => replaying(state, replay),
        (None, Some(moment)) => {
            let dot = state.theme.icon(Icon::Separator);
            let cut = if moment.cut { format!(" {dot} the oldest are not known") } else { String::new() };
            let (what, when) = if state.size.0 >= ROOMY_FROM {
                ("tasks and servers as they were at", time(state, moment.at))
            } else {
                ("as it was at", clock(state, moment.at))
            };
            let text = format!("{what} {when} {dot} event {}{cut}", thousands(moment.seq.0));
            vec![(Key::StatusWarn, format!(" {text}")), (Key::UiDim, format!(" {dot} {} returns", state.keymap.hint(Action::Escape)))]
        }
        (None, None) => return,
    };
    view::row(buf, area, &row, &state.theme);
    // The ground of a selection, and the text's own colours on it.
    let ground = state.theme.style(Key::UiSelection);
    buf.set_style(area, Style { fg: None, ..ground });
}

fn replaying(state: &State, replay: &Replay) -> Row {
    let theme = &state.theme;
    let dot = theme.icon(Icon::Separator);
    let (at, all) = replay.position();
    let how = match () {
        () if replay.is_over() => "replay, at the end",
        () if replay.is_paused() => "replay, paused",
        () => "replay",
    };
    let roomy = state.size.0 >= ROOMY_FROM;
    let when = |at: Instant| if roomy { time(state, at) } else { clock(state, at) };
    let when = replay.moment().map(|at| format!(" {dot} {}", when(at))).unwrap_or_default();
    let gap = replay.cut_gap().map(|gap| format!(" {dot} {} without events cut to {}", elapsed(gap), elapsed(GAP_MAX))).unwrap_or_default();
    let key = |action: Action| state.keymap.hint(action);
    let keys = format!(
        " {dot} {} pause {dot} {} step {dot} {} pace {dot} {} ends",
        key(Action::ReplayPause),
        key(Action::ReplayStep),
        key(Action::ReplayPace),
        key(Action::Escape)
    );
    let place = format!(" {} of {} {dot} {}{when}{gap}", thousands(at as u64), thousands(all as u64), replay.pace().as_str());
    vec![(Key::StatusWarn, format!(" {how}")), (Key::UiText, place), (Key::UiDim, keys)]
}

/// `14:30:25` where the user is.
fn clock(state: &State, at: Instant) -> String {
    at.timestamp().to_zoned(state.surroundings.timezone.clone()).strftime("%H:%M:%S").to_string()
}

/// `2026-01-01 14:30:25` where the user is.
fn time(state: &State, at: Instant) -> String {
    at.timestamp().to_zoned(state.surroundings.timezone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
