//! The mouse: the wheel scrolls, a click focuses and opens, dragging marks and copies.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use crate::tui::layout::{self, Areas, Part};
use crate::tui::msg::Effect;
use crate::tui::panels::Overlay;
use crate::tui::state::{Asked, Focus, Selection, State};
use crate::tui::update::{asking, commands, inbox, keys, overlay, resources, tasks, texts, trial};
use crate::tui::view;

/// Rows that one notch of the wheel scrolls.
const WHEEL_ROWS: isize = 3;

/// Takes what the mouse did.
pub(super) fn mouse(state: &mut State, event: MouseEvent) -> Vec<Effect> {
    if layout::is_too_small(state.size) {
        return Vec::new();
    }
    let position = Position::new(event.column, event.row);
    let areas = layout::areas(state);
    let (part, area) = layout::part_at(&areas, position);
    // What lies over the screen keeps the mouse from what is below.
    let blocked = state.overlay.is_some() && part != Part::Overlay;
    match event.kind {
        MouseEventKind::ScrollUp if !blocked => wheel(state, part, -1),
        MouseEventKind::ScrollDown if !blocked => wheel(state, part, 1),
        MouseEventKind::Down(MouseButton::Left) => {
            state.selection = None;
            if blocked {
                overlay::close(state);
                return Vec::new();
            }
            state.selection = (part != Part::Nothing).then_some(Selection { within: area, from: position, to: position });
            return Vec::new();
        }
        MouseEventKind::Drag(MouseButton::Left) => {
            if let Some(selection) = &mut state.selection {
                selection.to = clamp(position, selection.within);
            }
        }
        MouseEventKind::Up(MouseButton::Left) => return released(state, &areas, part, position),
        _ => {}
    }
    Vec::new()
}

fn clamp(position: Position, within: Rect) -> Position {
    Position {
        x: position.x.clamp(within.x, within.right().saturating_sub(1).max(within.x)),
        y: position.y.clamp(within.y, within.bottom().saturating_sub(1).max(within.y)),
    }
}

fn wheel(state: &mut State, part: Part, direction: isize) {
    match part {
        Part::Overlay => match &mut state.overlay {
            Some(Overlay::Text(panel)) => {
                panel.scroll_by(direction * WHEEL_ROWS);
                texts::end(state);
            }
            Some(Overlay::Pick(picker)) => {
                picker.step(direction);
                overlay::preview(state);
            }
            Some(Overlay::Servers) => state.servers.step(direction),
            Some(Overlay::Tasks) => tasks::step(state, direction * if state.tasks.page.is_some() { WHEEL_ROWS } else { 1 }),
            Some(Overlay::Inbox) => inbox::step(state, direction * if state.inbox.reading.is_some() { WHEEL_ROWS } else { 1 }),
            Some(Overlay::Notices) => state.inbox.step_notice(direction),
            Some(Overlay::Resources) => state.resources.step(direction, state.catalog.resources.rows()),
            Some(Overlay::Form(_)) => resources::form_scroll(state, direction * WHEEL_ROWS),
            Some(Overlay::Settings) => state.settings.step(direction, state.line.is_some()),
            Some(Overlay::Keys) => trial::scroll(state, direction * WHEEL_ROWS),
            None => {}
        },
        Part::Dialog if state.front() == Some(Asked::Question) => asking::scroll(state, direction * WHEEL_ROWS),
        Part::Dialog => {
            if let Some(dialog) = state.approvals.front_mut() {
                let last = dialog.body().len().saturating_sub(1);
                dialog.scroll = dialog.scroll.saturating_add_signed(direction * WHEEL_ROWS).min(last);
            }
        }
        Part::Events | Part::Tasks | Part::Servers => state.events.scroll(direction * WHEEL_ROWS),
        Part::Popup => {
            if let Some(popup) = &mut state.popup {
                popup.step(direction);
            }
        }
        Part::Tabs => {
            drop(super::tabs::run(state, if direction < 0 { crate::tui::tabs::TabWant::Prev } else { crate::tui::tabs::TabWant::Next }));
        }
        Part::Chat | Part::Composer | Part::Nothing => {
            let (width, height) = keys::chat_size(state);
            state.transcript.scroll_by(&mut state.chat, direction * WHEEL_ROWS, width, height, &state.theme);
        }
    }
}

/// The button went up: a drag copies, a click does what is there.
fn released(state: &mut State, areas: &Areas, part: Part, position: Position) -> Vec<Effect> {
    let Some(selection) = state.selection else { return Vec::new() };
    if selection.from != selection.to {
        let text = view::marked_text(state);
        return commands::copy(state, text, "");
    }
    state.selection = None;
    click(state, areas, part, position)
}

fn click(state: &mut State, areas: &Areas, part: Part, position: Position) -> Vec<Effect> {
    match part {
        Part::Overlay => return overlay_click(state, areas, position),
        Part::Dialog if state.front() == Some(Asked::Question) => {
            return areas.dialog.map(|area| asking::click(state, area, position)).unwrap_or_default();
        }
        Part::Dialog => return dialog_click(state, areas, position).unwrap_or_default(),
        Part::Popup => popup_click(state, areas, position),
        Part::Chat => chat_click(state, areas, position),
        Part::Events => events_click(state, areas, position),
        Part::Tasks => tasks::open(state, ""),
        Part::Servers => tasks::open_tab(state, &Overlay::Servers),
        Part::Composer => {
            state.focus = Focus::Composer;
            state.composer.click(position);
        }
        Part::Tabs => {
            if let Some(position) = areas.tabs.and_then(|area| view::tabs::hit(state, area, position.x)) {
                return super::tabs::run(state, crate::tui::tabs::TabWant::At(position + 1));
            }
        }
        Part::Nothing => {}
    }
    Vec::new()
}

fn chat_click(state: &mut State, areas: &Areas, position: Position) {
    let Some(area) = areas.chat.map(layout::text_area) else { return };
    state.focus = Focus::Chat;
    let row = position.y.saturating_sub(area.y);
    let hit = state.transcript.item_at(&state.chat, row, area.width, area.height, &state.theme);
    if let Some(anchor) = hit {
        // Only the line of an item opens and closes it, so that a click into its text does not.
        let opens = state.transcript.item(anchor.item).is_some_and(|item| item.opens);
        let above = row.checked_sub(1).and_then(|row| state.transcript.item_at(&state.chat, row, area.width, area.height, &state.theme));
        let is_first = anchor.row <= 1 && above.is_none_or(|above| above.item != anchor.item);
        state.chat.selected = Some(anchor.item);
        if opens && is_first {
            state.transcript.toggle(anchor.item);
        }
    }
}

fn events_click(state: &mut State, areas: &Areas, position: Position) {
    let Some(area) = areas.events else { return };
    state.focus = Focus::Events;
    let row = position.y.saturating_sub(area.y);
    let slot = state.events.window(area.height).into_iter().find(|slot| (slot.y..slot.y + slot.rows).contains(&row));
    if let Some(slot) = slot {
        if state.events.selected() == Some(slot.index) {
            keys::open_event(state);
        } else {
            state.events.select(slot.index);
        }
    }
}

fn popup_click(state: &mut State, areas: &Areas, position: Position) {
    let (Some(area), Some(popup)) = (areas.popup.map(layout::inside), &mut state.popup) else { return };
    let top = popup.top(usize::from(area.height));
    let at = top + usize::from(position.y.saturating_sub(area.y));
    if let Some(row) = popup.rows.get(at) {
        let (insert, goes_on) = (row.insert.clone(), row.open);
        state.composer.replace_word(&insert, goes_on);
        state.focus = Focus::Composer;
    }
}

fn dialog_click(state: &mut State, areas: &Areas, position: Position) -> Option<Vec<Effect>> {
    let first = view::first_choice(areas.dialog?);
    let at = usize::from(position.y.checked_sub(first)?);
    let now = state.now;
    let dialog = state.approvals.front_mut()?;
    let call = dialog.approval.call_id.clone();
    let outcome = dialog.click(at, now);
    keys::answer(state, outcome, call)
}

/// A click on the chosen row opens it; on another one it chooses that.
fn resource_click(state: &mut State, area: Rect, position: Position) -> Vec<Effect> {
    let (rows, top) = view::resource_rows(state, area);
    let listed = state.resources.listed(state.catalog.resources.rows()).len();
    let at = top + usize::from(position.y.saturating_sub(rows.y));
    if !rows.contains(position) || at >= listed {
        return Vec::new();
    }
    if state.resources.selected == at {
        return resources::key(state, &crossterm::event::KeyCode::Enter.into(), Some(crate::tui::keymap::Action::ResourceOpen));
    }
    state.resources.selected = at;
    Vec::new()
}

fn overlay_click(state: &mut State, areas: &Areas, position: Position) -> Vec<Effect> {
    match (&state.overlay, areas.overlay) {
        (Some(Overlay::Resources), Some(area)) => return resource_click(state, area, position),
        (Some(Overlay::Form(_)), Some(area)) => return resources::form_click(state, area, position),
        _ => {}
    }
    let Some(area) = areas.overlay.map(layout::text_area) else { return Vec::new() };
    let row = position.y.saturating_sub(area.y);
    if let Some(at) = view::listed_at(state, area, row) {
        match state.overlay {
            Some(Overlay::Tasks) => tasks::click(state, at),
            Some(Overlay::Inbox) => {
                let again = state.inbox.choose(at);
                if again {
                    return inbox::key(state, &crossterm::event::KeyCode::Enter.into(), Some(crate::tui::keymap::Action::InboxOpen));
                }
            }
            _ => {}
        }
        return Vec::new();
    }
    if let Some(Overlay::Pick(picker)) = &mut state.overlay
        && let Some(row) = row.checked_sub(view::LIST_TOP)
    {
        let shown = view::list_height(picker, area.height);
        if row >= shown {
            return Vec::new();
        }
        let top = view::list_top(picker, shown);
        let at = top + usize::from(row);
        if at < picker.found.len() {
            if picker.selected == at {
                let pick = picker.chosen().map(|row| row.pick.clone());
                return pick.map_or_else(Vec::new, |pick| overlay::picked(state, pick));
            }
            picker.selected = at;
            return overlay::preview(state);
        }
    }
    Vec::new()
}
