//! The screen as lines that follow one another, for screen readers and for terminals that can do no more.
//!
//! What happens is said once, in the order in which it happens, below what stands already; nothing that stands is drawn
//! over but the last line, which holds what is being typed. There are no borders, no columns and no signs that only
//! decorate. This file decides what is said; [`crate::tui::terminal`] writes it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::domain::text::{clean, clean_line};
use crate::tui::layout::{self, text_area};
use crate::tui::panels::Overlay;
use crate::tui::state::{LinkState, State, Tone};
use crate::tui::transcript::{ItemId, ItemInfo, ItemKind};
use crate::tui::vi::Mode;
use crate::tui::view;

/// Items that are looked at for something new; of more that come at once the last ones are said.
const ITEMS_MAX: usize = 32;

/// Lines that one look says at most.
const LINES_MAX: usize = 500;

/// What was said so far.
#[derive(Debug, Default)]
pub struct Linear {
    items: BTreeMap<ItemId, String>,
    /// Rows of the question or panel that is open.
    open: Vec<String>,
    note: String,
    working: bool,
    popup: String,
    begun: bool,
    greeted: bool,
}

/// The last line: what is being typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prompt {
    /// The line.
    pub text: String,
    /// The cursor's column.
    pub column: u16,
}

impl Linear {
    /// What is new since the last look.
    pub fn lines(&mut self, state: &State) -> Vec<String> {
        let mut out = Vec::new();
        if !self.begun {
            self.begun = true;
            out.push(format!("wakeful {}; /help tells keys and commands", clean_line(&state.surroundings.version)));
        }
        self.items(state, &mut out);
        self.turn(state, &mut out);
        self.panel(state, &mut out);
        self.popup(state, &mut out);
        self.note(state, &mut out);
        if out.len() > LINES_MAX {
            let missing = out.len() - LINES_MAX;
            out.drain(..missing);
            out.insert(0, format!("({missing} lines are left out)"));
        }
        out
    }

    fn items(&mut self, state: &State, out: &mut Vec<String>) {
        let mut latest: Vec<ItemInfo> = state.transcript.items().rev().take(ITEMS_MAX).collect();
        latest.reverse();
        let last = latest.last().map(|item| item.id);
        for item in &latest {
            if item.kind == ItemKind::Welcome {
                self.greet(state, item, out);
                continue;
            }
            let text = state.transcript.text_of(item.id).unwrap_or_default();
            let mut text = text.trim_end();
            let is_written =
                matches!(item.kind, ItemKind::Assistant | ItemKind::Reasoning) && Some(item.id) == last && state.turn.is_some();
            if item.running || is_written {
                // Of what is still being written only whole lines are said.
                text = text.rfind('\n').map_or("", |at| &text[..at]);
            }
            let said = self.items.get(&item.id).map_or("", String::as_str);
            if text.is_empty() || text == said {
                continue;
            }
            let rest = text.strip_prefix(said).unwrap_or(text);
            let goes_on = !said.is_empty() && rest.len() < text.len();
            say(if goes_on { "" } else { speaker(item.kind) }, rest.trim_start_matches('\n'), out);
            self.items.insert(item.id, text.to_owned());
        }
        let first = latest.first().map(|item| item.id);
        self.items.retain(|id, _| first.is_some_and(|first| *id >= first));
    }

    /// The greeting, once: it changes while the program starts.
    fn greet(&mut self, state: &State, item: &ItemInfo, out: &mut Vec<String>) {
        if std::mem::replace(&mut self.greeted, true) {
            return;
        }
        let text = state.transcript.text_of(item.id).unwrap_or_default();
        say("", &text.replace("**", ""), out);
        let suggestions = state.surroundings.suggestions.iter().enumerate();
        out.extend(suggestions.map(|(at, suggestion)| format!("{}: {}", at + 1, clean_line(suggestion))));
    }

    fn turn(&mut self, state: &State, out: &mut Vec<String>) {
        let working = state.turn.is_some();
        if working && !self.working {
            out.push("working; esc interrupts".to_owned());
        }
        self.working = working;
    }

    /// A question or a panel: all of it when it opens, then what changes in it.
    fn panel(&mut self, state: &State, out: &mut Vec<String>) {
        let rows = open_rows(state);
        if rows != self.open {
            let new = rows.iter().filter(|row| !row.is_empty() && !self.open.contains(row));
            out.extend(new.cloned());
            if rows.is_empty() {
                out.push("closed".to_owned());
            }
        }
        self.open = rows;
    }

    fn popup(&mut self, state: &State, out: &mut Vec<String>) {
        let chosen = state.popup.as_ref().filter(|popup| !popup.rows.is_empty()).and_then(|popup| {
            let row = popup.chosen()?;
            Some(format!("{} of {}: {} {}", popup.selected + 1, popup.rows.len(), clean_line(&row.label), clean_line(&row.help)))
        });
        let chosen = chosen.unwrap_or_default();
        // Only what is chosen on purpose: each letter would say another row.
        if state.popup.as_ref().is_some_and(|popup| popup.moved) && chosen != self.popup {
            out.push(chosen.trim_end().to_owned());
        }
        self.popup = chosen;
    }

    fn note(&mut self, state: &State, out: &mut Vec<String>) {
        let note = match (&state.toast, state.quit_until, &state.link) {
            (_, Some(_), _) => "ctrl+c again to quit".to_owned(),
            (Some(toast), ..) => format!("{}{}", if toast.tone == Tone::Bad { "error: " } else { "" }, clean_line(&toast.text)),
            (None, None, LinkState::Down(reason)) => format!("stopped: {}", clean_line(reason)),
            (None, None, _) => String::new(),
        };
        if !note.is_empty() && note != self.note {
            out.push(note.clone());
        }
        self.note = note;
    }
}

/// Adds a text, its speaker before the first line.
fn say(speaker: &str, text: &str, out: &mut Vec<String>) {
    for (at, line) in clean(text).split('\n').enumerate() {
        out.push(if at == 0 { format!("{speaker}{line}") } else { line.to_owned() });
    }
}

fn speaker(kind: ItemKind) -> &'static str {
    match kind {
        ItemKind::User => "you: ",
        ItemKind::Assistant => "agent: ",
        ItemKind::Tool => "tool: ",
        ItemKind::Handoff => "handed over: ",
        ItemKind::Error => "error: ",
        ItemKind::Reasoning => "thought: ",
        _ => "",
    }
}

/// The text rows of the question or the panel that is open, as the screen has them inside of its border.
fn open_rows(state: &State) -> Vec<String> {
    if let Some(Overlay::Pick(picker)) = &state.overlay {
        // A list is said row by row, as it is gone through.
        let chosen = picker.chosen().map(|row| format!("{} of {}: {} {}", picker.selected + 1, picker.found.len(), row.label, row.note));
        let rows = [picker.kind.title().to_owned(), picker.notice.clone().or(chosen).unwrap_or_else(|| "nothing fits".to_owned())];
        return rows.iter().map(|row| clean_line(row)).collect();
    }
    let areas = layout::areas(state);
    let Some(area) = areas.overlay.or(areas.dialog) else { return Vec::new() };
    let whole = Rect::new(0, 0, state.size.0, state.size.1);
    let mut buf = Buffer::empty(whole);
    view::draw(state, whole, &mut buf);
    let inner = text_area(area).intersection(whole);
    let title = Rect { x: area.x + 1, y: area.y, width: area.width.saturating_sub(2), height: 1 }.intersection(whole);
    let decorates = |ch: char| matches!(ch, '─' | '╭' | '╮' | '│' | '-' | '+') || ch.is_whitespace();
    let heading = row_text(&buf, title, title.y).trim_matches(decorates).to_owned();
    std::iter::once(heading).chain((inner.top()..inner.bottom()).map(|y| row_text(&buf, inner, y).trim().to_owned())).collect()
}

fn row_text(buf: &Buffer, area: Rect, y: u16) -> String {
    let mut out = String::new();
    let mut x = area.left();
    while x < area.right() {
        let symbol = buf.cell((x, y)).map_or(" ", |cell| cell.symbol());
        out.push_str(symbol);
        x += u16::try_from(symbol.width().max(1)).unwrap_or(1);
    }
    out
}

/// The last line: what keys go into, and where the cursor stands, in at most `width` columns.
pub fn prompt(state: &State, width: u16) -> Prompt {
    let (label, before, behind) = if let Some(Overlay::Pick(picker)) = &state.overlay {
        ("find: ", clean_line(&picker.input.text), String::new())
    } else if state.overlay.is_some() || (state.is_asking() && !state.is_drafting()) {
        ("answer: ", String::new(), String::new())
    } else if let Some(input) = &state.events_filter {
        ("filter: ", clean_line(&input.input.text), String::new())
    } else {
        let (row, col) = state.composer.caret();
        let raw = state.composer.raw();
        let line: Vec<char> = raw.split('\n').nth(row).unwrap_or_default().chars().collect();
        let text = |chars: &[char]| chars.iter().collect::<String>().replace('\t', "    ");
        let (before, behind) = line.split_at(col.min(line.len()));
        let label = match (state.options.vi && state.vi.mode() == Mode::Normal, view::is_shell(state)) {
            (true, _) => "normal: ",
            (false, true) => "shell: ",
            (false, false) => "message: ",
        };
        (label, text(before), text(behind))
    };
    // The end of what is long: the caret is in sight, and the line never breaks.
    let room = usize::from(width.saturating_sub(1)).saturating_sub(label.width());
    let mut shown = before.as_str();
    while shown.width() > room {
        shown = shown.chars().next().map_or("", |ch| &shown[ch.len_utf8()..]);
    }
    let mut text = format!("{label}{shown}");
    let column = u16::try_from(text.width()).unwrap_or(0);
    for ch in behind.chars() {
        text.push(ch);
        if text.width() > usize::from(width.saturating_sub(1)) {
            text.pop();
            break;
        }
    }
    Prompt { text, column }
}
