//! How a task reads on one line: sign, kind, what it is for, when it runs next, how it went last. Plain functions.

use std::time::Duration;

use crate::domain::clock::Instant;
use crate::domain::query::{AmbientStatus, Sample};
use crate::domain::task::{Outcome, TaskKind, TaskRow, TaskStatus};
use crate::domain::text::clean_line;
use crate::tui::panels::{Row, columns};
use crate::tui::status::count;
use crate::tui::theme::{Icon, IconSet, Key, Theme};

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60;
const DAY: u64 = 24 * 3_600;

/// From here on a wait is told in days.
const DAYS_FROM: u64 = 2 * DAY;

/// Below so many columns a list has no room for kinds.
pub const KIND_FROM: usize = 46;

/// From so many columns on a list has room for what the tasks cost.
pub const COST_FROM: usize = 92;

/// Readings in a list.
const SPARK_WIDTH: usize = 8;

/// Levels of a sparkline.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const LEVELS_ASCII: [char; 8] = ['_', '_', '.', '.', '-', '=', '^', '^'];

/// `45s`, `29m`, `5h 12m`, `3d`.
pub fn countdown(left: Duration) -> String {
    let seconds = whole_seconds(left);
    let minutes = seconds.div_ceil(MINUTE);
    match seconds {
        0..MINUTE => format!("{seconds}s"),
        MINUTE..3_600 if minutes < 60 => format!("{minutes}m"),
        _ if minutes < DAYS_FROM / MINUTE => format!("{}h {:02}m", minutes / 60, minutes % 60),
        _ => format!("{}d", seconds.div_ceil(DAY)),
    }
}

fn whole_seconds(left: Duration) -> u64 {
    u64::try_from(left.as_millis()).unwrap_or(u64::MAX).div_ceil(SECOND)
}

/// How long until [`countdown`] reads differently.
fn until_change(left: Duration) -> Duration {
    let seconds = whole_seconds(left);
    let unit = if seconds <= MINUTE {
        1
    } else if seconds <= DAYS_FROM {
        MINUTE
    } else {
        DAY
    };
    let next = Duration::from_secs(seconds.div_ceil(unit).saturating_sub(1).saturating_mul(unit));
    left.saturating_sub(next)
}

/// Whether it is due, or runs: its row changes without an event.
pub fn is_moving(row: &TaskRow, now: Instant) -> bool {
    let due = row.work.as_ref().is_some_and(|work| work.wake.is_some_and(|wake| wake <= now));
    row.status == TaskStatus::Active && (due || row.work.is_none()) || is_running(row, now)
}

fn is_running(row: &TaskRow, now: Instant) -> bool {
    row.work.as_ref().is_some_and(|work| work.owner.is_some() && work.lease_until.is_some_and(|until| until > now))
}

/// When its countdown reads differently: on a whole second, so that all countdowns move together.
pub fn next_change(row: &TaskRow, now: Instant) -> Option<Instant> {
    if row.status != TaskStatus::Active || is_running(row, now) {
        return None;
    }
    let wake = row.work.as_ref()?.wake.filter(|wake| *wake > now)?;
    let at = now.plus(until_change(wake.since(now)).max(Duration::from_millis(1))).as_millis();
    Some(Instant::from_millis(at.saturating_add(999).div_euclid(1_000).saturating_mul(1_000)))
}

/// Sign, style and few words for how a task stands.
pub fn state_of(row: &TaskRow, now: Instant) -> (Icon, Key, String) {
    let work = row.work.as_ref();
    match row.status {
        TaskStatus::Failed => return (Icon::Error, Key::StatusError, "failed".to_owned()),
        _ if is_running(row, now) => return (Icon::Dot, Key::StatusBusy, "running".to_owned()),
        TaskStatus::Paused => return (Icon::Pending, Key::StatusOff, "paused".to_owned()),
        TaskStatus::Completed => return (Icon::Ok, Key::StatusOff, "done".to_owned()),
        TaskStatus::Active => {}
    }
    let words = match work.map(|work| work.wake) {
        None => "…".to_owned(),
        Some(None) => "–".to_owned(),
        Some(Some(wake)) if wake <= now => "due".to_owned(),
        Some(Some(wake)) => countdown(wake.since(now)),
    };
    if work.is_some_and(|work| work.failures > 0) {
        return (Icon::Warning, Key::StatusWarn, words);
    }
    (Icon::Dot, Key::StatusOk, words)
}

/// The kind in a narrow column.
pub fn short_kind(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::ThresholdWatch => "threshold",
        TaskKind::WebMonitor | TaskKind::Schedule | TaskKind::NewsDigest => kind.as_str(),
    }
}

/// How the last run went: a sign, its style, a phrase.
pub fn last_of(row: &TaskRow) -> (Option<Icon>, Key, String) {
    let Some(last) = row.work.as_ref().and_then(|work| work.last.as_ref()) else {
        return (None, Key::UiDim, "not run yet".to_owned());
    };
    let note = clean_line(&last.note);
    match (last.outcome, last.fired) {
        (Outcome::Failed, _) => (Some(Icon::Error), Key::StatusError, note),
        (Outcome::Ran | Outcome::CaughtUp, true) => (Some(Icon::Diamond), Key::StatusInfo, note),
        (Outcome::Ran | Outcome::CaughtUp, false) => (Some(Icon::Ok), Key::StatusOk, note),
        (Outcome::SkippedStale | Outcome::SkippedOverlap | Outcome::Missed, _) => (Some(Icon::Warning), Key::StatusWarn, note),
    }
}

/// Money of so many millionths of a dollar: `–`, `<$0.01`, `$1.25`.
pub fn money(micros: u64) -> String {
    let cents = micros.saturating_add(5_000) / 10_000;
    match (micros, cents) {
        (0, _) => "–".to_owned(),
        (_, 0) => "<$0.01".to_owned(),
        _ => format!("${}.{:02}", cents / 100, cents % 100),
    }
}

/// The last readings as bars, at most `width` of them.
pub fn sparkline(samples: &[Sample], width: usize, icons: IconSet) -> String {
    let values: Vec<f64> = samples.iter().map(|sample| sample.value).filter(|value| value.is_finite()).collect();
    let values = values.get(values.len().saturating_sub(width)..).unwrap_or_default();
    let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)));
    let levels = if icons == IconSet::Unicode { &LEVELS } else { &LEVELS_ASCII };
    let span = high - low;
    let level = |value: &f64| {
        let share = if span > 0.0 && span.is_finite() { (value - low) / span } else { 0.5 };
        // The highest level whose share is reached; seven steps between eight levels.
        let at = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0].into_iter().filter(|step| share * 7.0 + 0.5 >= *step).count();
        levels.get(at).copied().unwrap_or(' ')
    };
    values.iter().map(level).collect()
}

/// A number as a reader wants it: no more digits than it has.
pub fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A task in the narrow column of `width`: `● web_monitor TechCrunch AI    29m`.
pub fn short_row(row: &TaskRow, now: Instant, theme: &Theme, width: usize) -> Row {
    let (icon, key, words) = state_of(row, now);
    let tail = words.chars().count().max(4);
    let kind = columns(short_kind(row.spec.kind.kind()), 11);
    let room = width.saturating_sub(2 + 12 + 1 + tail);
    vec![
        (key, format!("{} ", theme.icon(icon))),
        (Key::UiDim, format!("{kind} ")),
        (Key::UiText, format!("{} ", columns(&clean_line(&row.spec.description), room))),
        (key, format!("{words:>tail$}")),
    ]
}

/// Columns that a description has in a list of `width`.
fn description_width(width: usize) -> usize {
    let others = match width {
        COST_FROM.. => 2 + 12 + 9 + 29 + 6 + 6 + 8 + 8,
        KIND_FROM.. => 2 + 12 + 9 + 15,
        _ => 2 + 8,
    };
    width.saturating_sub(others + 1).max(8)
}

/// The heading over [`long_row`].
pub fn long_heading(width: usize) -> Row {
    let task = columns("task", description_width(width));
    let text = match width {
        COST_FROM.. => format!(
            "  {task} {}{}{}{:>6}{:>6}{:>8}{:>8}",
            columns("kind", 12),
            columns("next", 9),
            columns("last", 29),
            "runs",
            "fired",
            "tokens",
            "cost"
        ),
        KIND_FROM.. => format!("  {task} {}{}{}", columns("kind", 12), columns("next", 9), columns("last", 15)),
        _ => format!("  {task} next"),
    };
    vec![(Key::UiDim, text)]
}

/// A task in the panel, in columns.
pub fn long_row(row: &TaskRow, samples: &[Sample], now: Instant, theme: &Theme, width: usize) -> Row {
    let (icon, key, words) = state_of(row, now);
    let mut out = vec![
        (key, format!("{} ", theme.icon(icon))),
        (Key::UiPopup, format!("{} ", columns(&clean_line(&row.spec.description), description_width(width)))),
    ];
    if width < KIND_FROM {
        out.push((key, words));
        return out;
    }
    out.push((Key::UiDim, columns(short_kind(row.spec.kind.kind()), 12)));
    out.push((key, columns(&words, 9)));
    let room: usize = if width >= COST_FROM { 28 } else { 14 };
    let (mark, last_key, note) = last_of(row);
    let mark = mark.map_or_else(|| "  ".to_owned(), |mark| format!("{} ", theme.icon(mark)));
    let spark = sparkline(samples, SPARK_WIDTH, theme.icons());
    let spark = if spark.is_empty() { spark } else { format!("{spark} ") };
    let left = room.saturating_sub(2 + spark.chars().count());
    out.extend([(last_key, mark), (Key::StatusInfo, spark), (Key::UiDim, format!("{} ", columns(&note, left)))]);
    if width >= COST_FROM {
        let runs = row.work.as_ref().map_or(0, |work| work.runs);
        let tokens = if row.tokens == 0 { "–".to_owned() } else { count(row.tokens) };
        out.push((Key::UiPopup, format!("{:>6}{:>6}", count(runs), count(row.fired))));
        out.push((Key::UiDim, format!("{tokens:>8}{:>8}", money(row.cost_micros))));
    }
    out
}

/// Runs, firings, tokens and money of a task in one line.
pub fn counts(row: &TaskRow, theme: &Theme) -> String {
    let runs = row.work.as_ref().map_or(0, |work| work.runs);
    let mut parts =
        vec![if runs == 1 { "1 run".to_owned() } else { format!("{} runs", count(runs)) }, format!("{} fired", count(row.fired))];
    if row.counts.failed > 0 {
        parts.push(format!("{} failed", count(row.counts.failed)));
    } else if let Some(failures) = row.work.as_ref().map(|work| work.failures).filter(|failures| *failures > 0) {
        // Out of turn: such runs are not among the planned ones that are counted.
        parts.push(format!("{failures} failed out of turn"));
    }
    let skipped = row.counts.skipped_stale + row.counts.skipped_overlap + row.counts.missed;
    if skipped > 0 {
        parts.push(format!("{} skipped", count(skipped)));
    }
    if row.tokens > 0 || row.cost_micros > 0 {
        parts.push(format!("{} tokens", count(row.tokens)));
        parts.push(money(row.cost_micros));
    }
    parts.join(&format!(" {} ", theme.icon(Icon::Separator)))
}

/// Who runs the tasks, and what waits: the line over the list.
pub fn heading(status: &AmbientStatus, theme: &Theme) -> Row {
    let (key, who) = match (status.leading, status.service_running) {
        (true, _) => (Key::StatusOk, "run here"),
        (false, true) => (Key::StatusInfo, "run by another wakeful"),
        (false, false) => (Key::StatusWarn, "nobody runs them now"),
    };
    let mut parts = vec![(key, who.to_owned()), (Key::UiDim, format!("{} active", status.active_tasks))];
    let mut more = |number: u64, key: Key, words: &str| {
        if number > 0 {
            parts.push((key, format!("{number} {words}")));
        }
    };
    more(status.paused_tasks, Key::UiDim, "at rest");
    more(status.firings_waiting, Key::StatusBusy, "to be judged");
    more(status.notices_waiting, Key::StatusBusy, "to be sent");
    more(status.dead_letters, Key::StatusError, if status.dead_letters == 1 { "dead letter" } else { "dead letters" });
    let mut out: Row = Vec::new();
    for (at, part) in parts.into_iter().enumerate() {
        if at > 0 {
            out.push((Key::UiDim, format!(" {} ", theme.icon(Icon::Separator))));
        }
        out.push(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_read_well_and_change_when_they_say() {
        let check = |seconds: u64, text: &str| assert_eq!(countdown(Duration::from_secs(seconds)), text);
        check(0, "0s");
        check(59, "59s");
        check(60, "1m");
        check(1_740, "29m");
        check(3_541, "1h 00m");
        check(18_720, "5h 12m");
        check(3 * DAY, "3d");
        for ms in [1, 999, 1_000, 59_500, 60_000, 61_000, 1_740_000, 3_600_000, 7_199_000, 172_800_000, 172_801_000, 400_000_000] {
            let left = Duration::from_millis(ms);
            let step = until_change(left);
            assert!(step > Duration::ZERO && step <= left, "{ms}");
            assert_ne!(countdown(left), countdown(left.saturating_sub(step)), "{ms}");
            let before = step.saturating_sub(Duration::from_millis(1));
            assert_eq!(countdown(left), countdown(left.saturating_sub(before)), "{ms}");
        }
    }

    #[test]
    fn readings_become_bars() {
        let samples: Vec<Sample> =
            [1.0, 2.0, 3.0, 8.0, f64::NAN].into_iter().map(|value| Sample { at: Instant::default(), value }).collect();
        assert_eq!(sparkline(&samples, 8, IconSet::Unicode), "▁▂▃█");
        assert_eq!(sparkline(&samples, 2, IconSet::Unicode), "▁█");
        assert_eq!(sparkline(&samples[..1], 8, IconSet::Unicode), "▅");
        assert_eq!(sparkline(&[], 8, IconSet::Unicode), "");
        assert!(sparkline(&samples, 8, IconSet::Ascii).is_ascii());
    }

    #[test]
    fn money_reads_well() {
        assert_eq!([money(0), money(400), money(12_000), money(1_250_000)], ["–", "<$0.01", "$0.01", "$1.25"]);
        assert_eq!([number(65_120.0), number(0.5), number(1.23456)], ["65120", "0.5", "1.2346"]);
    }
}
