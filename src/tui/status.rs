//! The status line, and how numbers read in it.

use std::time::Duration;

use crate::domain::clock::Instant;
use crate::domain::remote::{Line, LineState};
use crate::domain::text::{clean_line, ellipsis};
use crate::tui::keymap::Action;
use crate::tui::panels::{Row, flowed};
use crate::tui::state::{LinkState, State, Tone};
use crate::tui::tabs::Mark;
use crate::tui::theme::{Icon, Key};

/// From this share of the context on, in percent, the line says what to do.
const CONTEXT_WARN: u64 = 80;

/// From this share on little is left: the next answer may be the last that fits.
const CONTEXT_FULL: u64 = 95;

/// Columns of the reason why there is no connection.
const REASON_WIDTH: usize = 48;

/// `950 ms`, `1.2 s`, `2m 05s`.
pub fn seconds(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => elapsed(Duration::from_millis(ms)),
    }
}

/// `12s`, `2m 05s`, `1h 02m`.
pub fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// `312`, `4.2k`, `1.3M`.
pub fn count(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{}.{}k", number / 1_000, number % 1_000 / 100),
        _ => format!("{}.{}M", number / 1_000_000, number % 1_000_000 / 100_000),
    }
}

/// `1,042`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The status line in rows of `width`: a note that is longer goes on below, so that it can be read to its end.
pub fn lines(state: &State, width: u16) -> Vec<Row> {
    /// Rows of a note at most.
    const ROWS_MAX: usize = 3;
    /// Below so many rows of the screen there is only one.
    const SCREEN_ROWS_MIN: u16 = 16;
    let line = line(state);
    let is_note = state.toast.as_ref().is_some_and(|toast| toast.until > state.now);
    if !is_note || state.size.1 < SCREEN_ROWS_MIN {
        return vec![line];
    }
    let mut rows = flowed(&line, usize::from(width));
    if rows.len() > ROWS_MAX {
        // What is left is cut where it is drawn.
        let rest: Row = rows.drain(ROWS_MAX..).flatten().collect();
        rows.last_mut().into_iter().for_each(|last| last.extend(rest.iter().cloned()));
    }
    rows
}

/// The status line: a note where there is one, else how things stand.
pub fn line(state: &State) -> Row {
    if let Some(until) = state.quit_until
        && until > state.now
    {
        return vec![(Key::StatusWarn, " ctrl+c again to quit".to_owned())];
    }
    if let Some(toast) = state.toast.as_ref().filter(|toast| toast.until > state.now) {
        let (icon, key) = match toast.tone {
            Tone::Good => (Icon::Ok, Key::StatusOk),
            Tone::Plain => (Icon::Info, Key::StatusInfo),
            Tone::Bad => (Icon::Error, Key::StatusError),
        };
        return vec![(key, format!(" {} {}", state.theme.icon(icon), clean_line(&toast.text)))];
    }
    parts(state)
}

fn parts(state: &State) -> Row {
    let mut parts: Vec<(Key, String)> = state.line.as_ref().map(|line| connection(line, state.now)).into_iter().collect();
    match &state.link {
        LinkState::Waiting if state.line.is_some() => {}
        LinkState::Waiting if state.session.model.is_empty() => parts.push((Key::StatusBusy, "starting".to_owned())),
        LinkState::Waiting | LinkState::Ready => parts.push((Key::UiStatusValue, model_name(&state.session.model))),
        LinkState::Down(reason) => parts.push((Key::StatusError, format!("stopped: {}", clean_line(reason)))),
    }
    let (ready, all) = state.servers.counts();
    if all > 0 {
        let key = if ready == all { Key::UiStatus } else { Key::StatusWarn };
        parts.push((key, format!("{ready}/{all} servers")));
    }
    parts.extend(background(state));
    if let Some(waiting) = state.reports_behind {
        parts.push((Key::StatusWarn, format!("{} reports wait", count(waiting))));
    }
    let asking = state.tabs.hidden().filter(|tab| tab.mark() == Mark::Asking).count();
    if asking > 0 {
        let asks = if asking == 1 { "1 tab asks".to_owned() } else { format!("{asking} tabs ask") };
        let key = state.keymap.hint(Action::TabAsking);
        parts.push((Key::StatusWarn, format!("{asks} ({key})")));
    }
    if state.session.context_tokens > 0 {
        parts.push(context(state));
    }
    let tokens = state.session.usage.total();
    if tokens > 0 {
        parts.push((Key::UiStatus, format!("{} tok", count(tokens))));
    }
    let mode_key = if state.session.mode == crate::domain::command::ApprovalMode::Auto { Key::StatusError } else { Key::UiStatus };
    parts.push((mode_key, state.session.mode.as_str().to_owned()));
    if !state.mouse {
        parts.push((Key::UiStatus, "mouse off".to_owned()));
    }
    if let Some(feed) = &state.feed {
        parts.push((Key::UiStatus, clean_line(feed)));
    }
    if !state.session.title.is_empty() {
        parts.push((Key::UiStatus, ellipsis(&clean_line(&state.session.title), 40).into_owned()));
    }
    let separator = format!(" {} ", state.theme.icon(Icon::Separator));
    let mut out = vec![(Key::UiStatus, " ".to_owned())];
    for (at, part) in parts.into_iter().enumerate() {
        if at > 0 {
            out.push((Key::UiStatus, separator.clone()));
        }
        out.push(part);
    }
    out
}

/// How the connection to the program elsewhere stands.
fn connection(line: &Line, now: Instant) -> (Key, String) {
    let left = |at: &Instant| elapsed(at.since(now) + Duration::from_millis(999));
    match &line.state {
        LineState::Connecting => (Key::StatusBusy, format!("connecting {}", line.address)),
        LineState::Live { .. } => (Key::StatusOk, format!("attached {}", line.address)),
        LineState::Waiting { reason, retry_at } => (Key::StatusWarn, format!("reconnecting in {} ({})", left(retry_at), shown(reason))),
        LineState::Refused { reason, retry_at } => {
            (Key::StatusError, format!("not let in: {}; again in {}", shown(reason), left(retry_at)))
        }
    }
}

/// A reason, as far as the line has room for it.
fn shown(reason: &str) -> String {
    ellipsis(&clean_line(reason), REASON_WIDTH).into_owned()
}

/// The background tasks, and what waits to be read.
fn background(state: &State) -> Vec<(Key, String)> {
    let mut parts = Vec::new();
    let tasks = state.tasks.total();
    if tasks > 0 {
        let key = if state.tasks.is_troubled() { Key::StatusWarn } else { Key::UiStatus };
        parts.push((key, if tasks == 1 { "1 task".to_owned() } else { format!("{} tasks", thousands(tasks)) }));
    }
    let unread = state.tasks.status.unread;
    if unread > 0 {
        parts.push((Key::UiStatusValue, format!("inbox {}", thousands(unread))));
    }
    parts
}

/// The offline assistant is named without a model: it is none.
fn model_name(model: &str) -> String {
    if model.starts_with("offline") { "offline".to_owned() } else { clean_line(model) }
}

fn context(state: &State) -> (Key, String) {
    let used = state.session.context_tokens;
    match state.context_window_tokens {
        Some(window) if window > 0 => {
            let percent = used.saturating_mul(100) / window;
            match percent {
                CONTEXT_FULL.. => (Key::StatusError, format!("ctx {percent}% full: /compact")),
                CONTEXT_WARN.. => (Key::StatusWarn, format!("ctx {percent}% · /compact")),
                _ => (Key::UiStatus, format!("ctx {percent}%")),
            }
        }
        _ => (Key::UiStatus, format!("ctx {}", count(used))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([seconds(41), seconds(1_250), seconds(12_900), seconds(125_000)], ["41 ms", "1.2 s", "12s", "2m 05s"]);
        assert_eq!([count(312), count(4_260), count(1_350_000)], ["312", "4.2k", "1.3M"]);
        assert_eq!([thousands(7), thousands(1_042), thousands(1_234_567)], ["7", "1,042", "1,234,567"]);
        assert_eq!(elapsed(Duration::from_secs(3_725)), "1h 02m");
    }
}
