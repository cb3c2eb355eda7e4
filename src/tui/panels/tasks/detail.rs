//! The page of one task: how it stands, why, what changed, what was told, what happened. Rows for a width; plain functions.

use jiff::tz::TimeZone;

use crate::domain::clock::Instant;
use crate::domain::event::{Event, EventBody, words};
use crate::domain::notice::{Delivery, DeliveryStatus};
use crate::domain::query::{Sample, TaskDetail};
use crate::domain::task::TaskRow;
use crate::domain::text::{clean, clean_line};
use crate::tui::highlight::diff_key;
use crate::tui::panels::tasks::rows::{counts, last_of, number, sparkline, state_of};
use crate::tui::panels::tasks::{Page, Section};
use crate::tui::panels::{Row, age, columns, heading, pair, wrapped};
use crate::tui::theme::{Icon, Key, Theme};

/// Lines of a diff, notices, snapshots and events on a page.
const DIFF_LINES_MAX: usize = 400;
const NOTICES_MAX: usize = 20;
const SNAPSHOTS_MAX: usize = 10;
const EVENTS_MAX: usize = 100;

/// Readings on a page.
const SPARK_MAX: usize = 60;

/// Rows of one event or line that is too long for the page.
const WRAPPED_MAX: usize = 6;

const NAME_WIDTH: usize = 9;

/// The rows of a page, and where its parts begin.
#[derive(Debug, Clone, Default)]
pub struct Laid {
    /// The rows.
    pub rows: Vec<Row>,
    starts: Vec<(Section, usize)>,
}

impl Laid {
    /// The row that a part begins on.
    pub fn start(&self, section: Section) -> usize {
        self.starts.iter().find(|(part, _)| *part == section).map_or(0, |(_, at)| *at)
    }
}

/// What a page is drawn with.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The time.
    pub now: Instant,
    /// For times of day.
    pub timezone: &'a TimeZone,
    /// Signs.
    pub theme: &'a Theme,
    /// Columns.
    pub width: usize,
}

/// The page of `row`.
pub fn lay(row: &TaskRow, page: &Page, look: Look<'_>) -> Laid {
    let mut out = Laid::default();
    head(&mut out.rows, row, look);
    match &page.detail {
        None => out.rows.push(vec![(Key::UiDim, "…".to_owned())]),
        Some(Err(reason)) => out.rows.push(vec![(Key::StatusError, clean_line(reason))]),
        Some(Ok(detail)) => parts(&mut out, detail, look),
    }
    out
}

fn head(out: &mut Vec<Row>, row: &TaskRow, look: Look<'_>) {
    for line in wrapped(&clean_line(&row.spec.description), look.width, 3) {
        out.push(vec![(Key::UiAccent, line)]);
    }
    let (icon, key, words) = state_of(row, look.now);
    let mut state = pair("state", NAME_WIDTH, "");
    let status = row.status.as_str();
    let words = if words == status { words } else { format!("{status} {} {words}", look.theme.icon(Icon::Separator)) };
    state.push((key, format!("{} {words}", look.theme.icon(icon))));
    if let Some(wake) = row.work.as_ref().and_then(|work| work.wake).filter(|wake| *wake > look.now) {
        state.push((Key::UiDim, format!(" ({})", moment(wake, look.timezone))));
    }
    out.push(state);
    if let Some(reason) = row.status_reason.as_deref().map(clean_line).filter(|reason| !reason.is_empty()) {
        out.push(pair("because", NAME_WIDTH, reason));
    }
    out.push(pair("kind", NAME_WIDTH, row.spec.kind.kind().as_str()));
    let (mark, key, note) = last_of(row);
    let mark = mark.map_or_else(String::new, |mark| format!("{} ", look.theme.icon(mark)));
    let mut last = pair("last", NAME_WIDTH, "");
    last.push((key, mark));
    let when = row.work.as_ref().and_then(|work| work.last.as_ref()).map(|last| age(last.at, look.now, look.timezone));
    last.push((Key::UiPopup, note));
    last.extend(when.map(|when| (Key::UiDim, format!(", {when}"))));
    out.push(last);
    out.push(pair("counts", NAME_WIDTH, counts(row, look.theme)));
    out.push(pair("id", NAME_WIDTH, clean_line(row.spec.task_id.as_str())));
    out.push(Vec::new());
}

fn parts(out: &mut Laid, detail: &TaskDetail, look: Look<'_>) {
    out.starts.push((Section::Why, out.rows.len()));
    out.rows.push(heading("Why"));
    let bullet = look.theme.icon(Icon::Bullet);
    for line in &detail.why {
        for (at, part) in wrapped(&clean_line(line), look.width.saturating_sub(4), WRAPPED_MAX).into_iter().enumerate() {
            let mark = if at == 0 { bullet } else { " " };
            out.rows.push(vec![(Key::UiDim, format!("  {mark} ")), (Key::UiPopup, part)]);
        }
    }
    or_none(&mut out.rows, detail.why.is_empty(), "it has not run yet");
    readings(&mut out.rows, &detail.samples, look);
    out.rows.push(Vec::new());
    out.starts.push((Section::Diff, out.rows.len()));
    out.rows.push(heading("Last change"));
    diff(&mut out.rows, detail.diff.as_deref());
    if !detail.snapshots.is_empty() {
        out.rows.push(Vec::new());
        out.rows.push(heading("Snapshots"));
        for (at, what, bytes) in detail.snapshots.iter().take(SNAPSHOTS_MAX) {
            let size = format!("{:>9}  ", bytes_words(*bytes));
            out.rows.push(vec![
                (Key::UiDim, format!("  {}  ", moment(*at, look.timezone))),
                (Key::UiDim, size),
                (Key::UiPopup, clean_line(what)),
            ]);
        }
        more(&mut out.rows, detail.snapshots.len(), SNAPSHOTS_MAX);
    }
    out.rows.push(Vec::new());
    out.rows.push(heading("Notices"));
    for delivery in detail.deliveries.iter().take(NOTICES_MAX) {
        out.rows.extend(delivery_rows(delivery, look));
    }
    more(&mut out.rows, detail.deliveries.len(), NOTICES_MAX);
    or_none(&mut out.rows, detail.deliveries.is_empty(), "nobody was told of anything yet");
    out.rows.push(Vec::new());
    out.starts.push((Section::History, out.rows.len()));
    out.rows.push(heading("History"));
    for event in detail.history.iter().take(EVENTS_MAX) {
        history(&mut out.rows, event, look);
    }
    more(&mut out.rows, detail.history.len(), EVENTS_MAX);
    or_none(&mut out.rows, detail.history.is_empty(), "nothing has happened yet");
}

fn or_none(rows: &mut Vec<Row>, is_none: bool, words: &str) {
    if is_none {
        rows.push(vec![(Key::UiDim, format!("  {words}"))]);
    }
}

fn more(rows: &mut Vec<Row>, all: usize, shown: usize) {
    if all > shown {
        rows.push(vec![(Key::UiDim, format!("  +{} more", all - shown))]);
    }
}

fn readings(rows: &mut Vec<Row>, samples: &[Sample], look: Look<'_>) {
    let Some(last) = samples.last() else { return };
    let values = || samples.iter().map(|sample| sample.value).filter(|value| value.is_finite());
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    rows.push(Vec::new());
    rows.push(heading("Readings"));
    let bars = sparkline(samples, SPARK_MAX.min(look.width.saturating_sub(4)), look.theme.icons());
    rows.push(vec![(Key::StatusInfo, format!("  {bars}"))]);
    let words = format!("  now {}, between {} and {}, {} readings", number(last.value), number(low), number(high), samples.len());
    rows.push(vec![(Key::UiDim, words)]);
}

fn diff(rows: &mut Vec<Row>, diff: Option<&str>) {
    let Some(diff) = diff.filter(|diff| !diff.trim().is_empty()) else {
        return or_none(rows, true, "nothing has changed yet");
    };
    let text = clean(diff);
    for line in text.lines().take(DIFF_LINES_MAX) {
        rows.push(vec![(diff_key(line), format!("  {}", line.replace('\t', "    ")))]);
    }
    more(rows, text.lines().count(), DIFF_LINES_MAX);
}

fn history(rows: &mut Vec<Row>, event: &Event, look: Look<'_>) {
    let text = match &event.body {
        EventBody::TaskEvent(task) => {
            let line = words::task(task);
            // The page is about one task: its id needs no repeating.
            line.split_once(' ').map_or(line.clone(), |(_, rest)| rest.to_owned())
        }
        EventBody::Notification(notice) => words::notification_and_why(notice),
        EventBody::InboxEvent(event) => words::inbox(event),
        other => other.type_name().to_owned(),
    };
    let key = if event.body.is_error() { Key::StatusError } else { Key::UiPopup };
    let time = format!("  {}  ", moment(event.at, look.timezone));
    let indent = " ".repeat(time.chars().count());
    for (at, part) in wrapped(&clean_line(&text), look.width.saturating_sub(indent.len()), WRAPPED_MAX).into_iter().enumerate() {
        rows.push(vec![(Key::UiDim, if at == 0 { time.clone() } else { indent.clone() }), (key, part)]);
    }
}

/// A notice: how far it came, by which way, to whom; below it why it failed.
pub fn delivery_rows(delivery: &Delivery, look: Look<'_>) -> Vec<Row> {
    let (icon, key, words) = delivery_state(delivery);
    let title = clean_line(&delivery.title);
    let mut rows = vec![vec![
        (key, format!("  {} {}", look.theme.icon(icon), columns(words, 10))),
        (Key::UiPopup, columns(delivery.channel.as_str(), 9)),
        (Key::UiDim, columns(&clean_line(&delivery.to), if look.width >= 70 { 20 } else { 10 })),
        (Key::UiPopup, format!(" {title}")),
        (Key::UiDim, format!("  {}", age(delivery.queued_at, look.now, look.timezone))),
    ]];
    if let Some(error) = delivery.error.as_deref().map(clean_line).filter(|error| !error.is_empty()) {
        let tries = if delivery.attempts == 1 { "1 try".to_owned() } else { format!("{} tries", delivery.attempts) };
        rows.push(vec![(key, format!("      {tries}: {error}"))]);
    }
    rows
}

/// Sign, style and word for how far a notice came.
pub fn delivery_state(delivery: &Delivery) -> (Icon, Key, &'static str) {
    match delivery.status {
        DeliveryStatus::Queued if delivery.next_at.is_some() => (Icon::Retry, Key::StatusWarn, "waits"),
        DeliveryStatus::Queued => (Icon::Pending, Key::StatusBusy, "queued"),
        DeliveryStatus::Sending => (Icon::Pending, Key::StatusBusy, "sending"),
        DeliveryStatus::Sent if delivery.is_simulated() => (Icon::Circle, Key::StatusOff, "simulated"),
        DeliveryStatus::Sent => (Icon::Ok, Key::StatusOk, "sent"),
        DeliveryStatus::Failed => (Icon::Error, Key::StatusError, "failed"),
        DeliveryStatus::Suppressed => (Icon::Circle, Key::StatusOff, "held back"),
        DeliveryStatus::Unknown => (Icon::Question, Key::StatusWarn, "unknown"),
    }
}

/// `01-31 14:30` where the user is.
pub fn moment(at: Instant, timezone: &TimeZone) -> String {
    at.timestamp().to_zoned(timezone.clone()).strftime("%m-%d %H:%M").to_string()
}

fn bytes_words(bytes: u64) -> String {
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{} KiB", bytes / 1_024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}
