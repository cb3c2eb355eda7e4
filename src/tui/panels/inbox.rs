//! The inbox and the notices: what was asked of the program, kept fresh by what happens.

use std::collections::HashSet;
use std::time::Duration;

use jiff::civil::time;
use jiff::tz::TimeZone;

use crate::domain::clock::Instant;
use crate::domain::event::words::short_id;
use crate::domain::ids::InboxId;
use crate::domain::notice::{Delivery, InboxEvent, InboxKind, InboxRow};
use crate::domain::text::{clean_line, ellipsis};
use crate::tui::panels::{Row, age, columns};
use crate::tui::theme::{Icon, Key, Theme};

/// Entries and notices that are kept.
pub const ROWS_MAX: usize = 500;

/// Below so many columns a list has no room for ages.
const AGE_FROM: usize = 46;

/// The inbox and the notices.
#[derive(Debug, Clone, Default)]
pub struct InboxPanel {
    /// Unread first, then the newest.
    rows: Vec<InboxRow>,
    /// The newest first.
    notices: Vec<Delivery>,
    chosen: Option<InboxId>,
    /// The chosen notice.
    pub notice: usize,
    /// The entry that is read, and rows above the window.
    pub reading: Option<(InboxId, usize)>,
    /// Entries that were read since the list was opened.
    pub read_here: HashSet<InboxId>,
    /// The entry for which a time to sleep is being chosen.
    pub snoozing: Option<InboxId>,
    /// Whether an answer ever came.
    pub known: bool,
    /// Whether an answer would tell something new.
    pub stale: bool,
    /// Whether an answer is on its way.
    pub asking: bool,
}

impl InboxPanel {
    /// The entries.
    pub fn rows(&self) -> &[InboxRow] {
        &self.rows
    }

    /// The notices.
    pub fn notices(&self) -> &[Delivery] {
        &self.notices
    }

    /// The entry with this id.
    pub fn row(&self, item: &InboxId) -> Option<&InboxRow> {
        self.rows.iter().find(|row| row.item.item_id == *item)
    }

    /// The position of the chosen entry.
    pub fn position(&self) -> usize {
        self.rows.iter().position(|row| Some(&row.item.item_id) == self.chosen.as_ref()).unwrap_or(0)
    }

    /// The entry that is read, else the chosen one.
    pub fn current(&self) -> Option<&InboxRow> {
        match &self.reading {
            Some((item, _)) => self.row(item),
            None => self.rows.get(self.position()),
        }
    }

    /// Moves the choice.
    pub fn step(&mut self, step: isize) {
        self.choose(self.position().saturating_add_signed(step).min(self.rows.len().saturating_sub(1)));
    }

    /// Closes the entry that is read; the mark goes on to the next one below that is not.
    pub fn shut(&mut self) -> bool {
        let Some((item, _)) = self.reading.take() else { return false };
        let below = self.rows.iter().skip_while(|row| row.item.item_id != item).skip(1);
        if let Some(next) = below.into_iter().find(|row| row.unread) {
            self.chosen = Some(next.item.item_id.clone());
        }
        true
    }

    /// Opens an entry.
    pub fn open(&mut self, item: InboxId) {
        self.read_here.insert(item.clone());
        self.chosen = Some(item.clone());
        self.reading = Some((item, 0));
    }

    /// Chooses the entry at a position; whether it was the chosen one already.
    pub fn choose(&mut self, at: usize) -> bool {
        let before = self.position();
        if let Some(row) = self.rows.get(at) {
            self.chosen = Some(row.item.item_id.clone());
        }
        before == at
    }

    /// Moves the choice among the notices.
    pub fn step_notice(&mut self, step: isize) {
        self.notice = self.notice.saturating_add_signed(step).min(self.notices.len().saturating_sub(1));
    }

    /// The answer of the program.
    pub fn fill(&mut self, rows: Vec<InboxRow>, notices: Vec<Delivery>) {
        self.rows = rows;
        self.notices = notices;
        self.notices.truncate(ROWS_MAX);
        self.known = true;
        self.sort();
        // A choice must not pass to another entry because the order changes.
        self.choose(self.position());
        self.step_notice(0);
    }

    fn sort(&mut self) {
        // What was read just now stays where it is: the next one is below it.
        let is_old = |row: &InboxRow| !row.unread && !self.read_here.contains(&row.item.item_id);
        self.rows.sort_by_key(|row| (is_old(row), std::cmp::Reverse(row.item.at)));
        self.rows.truncate(ROWS_MAX);
        let gone = self.reading.as_ref().is_some_and(|(item, _)| self.row(item).is_none());
        if gone {
            self.reading = None;
        }
    }

    /// Folds what happened to an entry.
    pub fn apply(&mut self, event: &InboxEvent) {
        self.stale = true;
        let find = |rows: &mut Vec<InboxRow>, id: &InboxId| rows.iter().position(|row| row.item.item_id == *id);
        match event {
            InboxEvent::Added { item } => {
                if find(&mut self.rows, &item.item_id).is_none() {
                    let item = item.as_ref().clone();
                    self.rows.push(InboxRow { item, unread: true, snoozed_until: None, archived: false, answer: None });
                }
            }
            InboxEvent::Read { item_id } | InboxEvent::Unread { item_id } => {
                if let Some(row) = self.rows.iter_mut().find(|row| row.item.item_id == *item_id) {
                    row.unread = matches!(event, InboxEvent::Unread { .. });
                }
            }
            InboxEvent::Snoozed { item_id, .. } | InboxEvent::Archived { item_id } => {
                if let Some(at) = find(&mut self.rows, item_id) {
                    // The next one is chosen, so that one key after the other empties the inbox.
                    let position = self.position();
                    self.rows.remove(at);
                    self.choose(position.min(self.rows.len().saturating_sub(1)));
                }
            }
            InboxEvent::Answered { item_id, text } => {
                if let Some(row) = self.rows.iter_mut().find(|row| row.item.item_id == *item_id) {
                    row.answer = Some(text.clone());
                    row.unread = false;
                }
            }
        }
        self.sort();
    }

    /// The entry whose id starts with `wanted`.
    ///
    /// # Errors
    /// When it is none, or more than one.
    pub fn find(&self, wanted: &str) -> Result<&InboxRow, String> {
        let shown = ellipsis(&clean_line(wanted), 40).into_owned();
        let mut found = self.rows.iter().filter(|row| row.item.item_id.as_str().starts_with(wanted));
        match (found.next(), found.next()) {
            (Some(row), None) => Ok(row),
            (Some(_), Some(_)) => Err(format!("more than one entry starts with `{shown}`: give more of the id")),
            (None, _) => Err(format!("no entry `{shown}` in the inbox; `/inbox` lists them, a answers there")),
        }
    }
}

/// Sign, style and word for a kind of entry.
pub fn kind_of(kind: InboxKind) -> (Icon, Key, &'static str) {
    match kind {
        InboxKind::Told => (Icon::Info, Key::StatusInfo, "told"),
        InboxKind::Asks => (Icon::Question, Key::StatusWarn, "asks"),
        InboxKind::Trouble => (Icon::Error, Key::StatusError, "trouble"),
        InboxKind::Report => (Icon::Diamond, Key::StatusOk, "report"),
    }
}

/// An entry in the list.
pub fn long_row(row: &InboxRow, now: Instant, timezone: &TimeZone, theme: &Theme, width: usize) -> Row {
    let (icon, key, word) = kind_of(row.item.kind);
    let unread = if row.unread { theme.icon(Icon::Dot) } else { " " };
    let simulated = if row.item.simulated { "(simulated) " } else { "" };
    let answered = if row.answer.is_some() { "(answered) " } else { "" };
    let title = format!("{}{simulated}{answered}", clean_line(&row.item.title) + " ");
    let title_key = if row.unread { Key::UiAccent } else { Key::UiPopup };
    let mut out = vec![(Key::UiAccent, format!("{unread} ")), (key, format!("{} ", theme.icon(icon)))];
    if width < AGE_FROM {
        out.push((title_key, title));
        return out;
    }
    let when = age(row.item.at, now, timezone);
    out.push((key, columns(word, 8)));
    out.push((title_key, columns(&title, width.saturating_sub(4 + 8 + 12))));
    out.push((Key::UiDim, format!("{when:>12}")));
    out
}

/// The lines over the text of an entry.
pub fn head(row: &InboxRow, now: Instant, timezone: &TimeZone, theme: &Theme) -> Vec<Row> {
    let (icon, key, word) = kind_of(row.item.kind);
    let mut line = vec![(key, format!("{} {word}", theme.icon(icon)))];
    line.push((Key::UiDim, format!(" {} {}", theme.icon(Icon::Separator), age(row.item.at, now, timezone))));
    line.push((Key::UiDim, format!(" {} priority {}", theme.icon(Icon::Separator), row.item.priority)));
    if row.item.simulated {
        line.push((Key::StatusWarn, format!(" {} simulated", theme.icon(Icon::Separator))));
    }
    let mut rows = vec![vec![(Key::UiAccent, clean_line(&row.item.title))], line];
    if let Some(url) = &row.item.url {
        rows.push(vec![(Key::MdUrl, clean_line(url))]);
    }
    if let Some(answer) = &row.answer {
        rows.push(vec![(Key::UiDim, "answered: ".to_owned()), (Key::UiPopup, clean_line(answer))]);
    }
    rows.push(Vec::new());
    rows
}

/// The start of an entry's id, by which a command names it.
pub fn name(row: &InboxRow) -> String {
    short_id(row.item.item_id.as_str()).to_owned()
}

/// When an entry that sleeps comes back, by the key that was pressed: in an hour, tonight, tomorrow morning.
pub fn snooze_until(key: char, now: Instant, timezone: &TimeZone) -> Option<(Instant, &'static str)> {
    let local = now.timestamp().to_zoned(timezone.clone());
    let at = |zoned: jiff::Zoned| Instant::from_millis(zoned.timestamp().as_millisecond());
    match key {
        '1' => Some((now.plus(Duration::from_hours(1)), "for an hour")),
        '2' => {
            let evening = local.with().time(time(20, 0, 0, 0)).build().ok()?;
            // Late in the evening "tonight" is later still.
            let tonight = if evening > local { at(evening) } else { now.plus(Duration::from_hours(3)) };
            Some((tonight, "until tonight"))
        }
        '3' => {
            let morning = local.tomorrow().ok()?.with().time(time(8, 0, 0, 0)).build().ok()?;
            Some((at(morning), "until tomorrow at 8"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleep_ends_when_it_says() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let check = |now: &str, key: char, until: &str| {
            let (at, _) = snooze_until(key, now.parse().unwrap(), &zone).unwrap();
            assert_eq!(at.to_string(), until, "{now} {key}");
        };
        check("2026-01-01T12:00:00.000Z", '1', "2026-01-01T13:00:00.000Z");
        check("2026-01-01T12:00:00.000Z", '2', "2026-01-01T19:00:00.000Z");
        check("2026-01-01T20:00:00.000Z", '2', "2026-01-01T23:00:00.000Z");
        check("2026-01-01T12:00:00.000Z", '3', "2026-01-02T07:00:00.000Z");
        // The night in which the clocks go forward.
        check("2026-03-28T12:00:00.000Z", '3', "2026-03-29T06:00:00.000Z");
        assert_eq!(snooze_until('9', Instant::default(), &zone), None);
    }
}
