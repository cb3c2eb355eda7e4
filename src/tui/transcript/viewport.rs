//! Which rows are seen, found out from a place ([`Anchor`]) by looking only at the items around it.

use std::collections::HashMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::item::{Body, Ending, Item};
use super::layout::{Kit, Layout};
use super::{Anchor, ItemId, Transcript, ViewState};
use crate::tui::markdown::wrap::columns;
use crate::tui::pictures::cells;
use crate::tui::theme::{Key, Theme};

/// Items whose rows are kept. More are forgotten, those not seen for longest first.
const LAYOUTS_MAX: usize = 512;

/// Rows that are printed into the terminal's scrollback at once: more than most terminals keep.
const DUMP_ROWS_MAX: usize = 10_000;

/// Rows that are made free at once below an answer that is being written, at most; and which part of the screen.
pub(super) const AHEAD_ROWS: usize = 5;
const AHEAD_PART: usize = 5;

/// Rows of an item that nobody has looked at yet, for the scroll bar.
const ROWS_GUESS: usize = 2;

/// What was drawn.
#[derive(Debug, Default)]
pub(super) struct Cache {
    layouts: HashMap<ItemId, Layout>,
    /// Rows of items that were drawn at `width`, the gap before them not counted.
    heights: HashMap<ItemId, usize>,
    height_sum: usize,
    width: u16,
    /// The top row while the end of an answer that is being written is followed.
    followed: Option<Anchor>,
    frame: u64,
    /// How many times an item was laid out.
    pub(super) laid_out: u64,
    /// How many times an item was asked for its height.
    pub(super) touched: u64,
}

impl Cache {
    pub(super) fn append(&mut self, id: ItemId, part: &str) {
        if let Some(layout) = self.layouts.get_mut(&id)
            && !layout.append(part)
        {
            self.layouts.remove(&id);
        }
    }

    pub(super) fn finish(&mut self, id: ItemId) {
        if let Some(layout) = self.layouts.get_mut(&id) {
            layout.finish();
        }
    }

    pub(super) fn forget(&mut self, id: ItemId) {
        self.layouts.remove(&id);
        self.height_sum -= self.heights.remove(&id).unwrap_or(0);
    }

    pub(super) fn clear(&mut self) {
        *self = Self { laid_out: self.laid_out, touched: self.touched, ..Self::default() };
    }

    fn layout(&mut self, item: &Item, width: u16, theme: &Theme, kit: &Kit) -> &mut Layout {
        let fits = self.layouts.get(&item.id).is_some_and(|layout| layout.fits(item, width, theme, kit));
        if !fits {
            self.laid_out += 1;
            self.layouts.insert(item.id, Layout::new(item, width, theme, kit));
        }
        let frame = self.frame;
        let make = || Layout::new(item, width, theme, kit);
        let layout = self.layouts.entry(item.id).or_insert_with(make);
        layout.used = frame;
        layout
    }

    fn height(&mut self, item: &Item, width: u16, theme: &Theme, kit: &Kit) -> usize {
        self.touched += 1;
        if self.width != width {
            self.width = width;
            self.heights.clear();
            self.height_sum = 0;
        }
        let height = self.layout(item, width, theme, kit).height(theme, kit);
        let before = self.heights.insert(item.id, height).unwrap_or(0);
        self.height_sum = self.height_sum - before + height;
        height
    }

    /// Begins a frame: what was not seen for long goes.
    fn begin(&mut self) {
        self.frame += 1;
        if self.layouts.len() > LAYOUTS_MAX {
            let oldest = self.frame.saturating_sub(2);
            self.layouts.retain(|_, layout| layout.used >= oldest);
        }
    }

    fn rows(&self, items: usize, width: u16) -> usize {
        let known = self.heights.len().min(items);
        if known == 0 || self.width != width {
            return items * ROWS_GUESS;
        }
        self.height_sum + (items - known) * self.height_sum.div_ceil(known)
    }
}

/// A place by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    pub(super) index: usize,
    pub(super) row: usize,
}

impl Transcript {
    /// Where `id` stands. Looks from the end: what is asked for is nearly always there.
    pub(super) fn index_of(&self, id: ItemId) -> Option<usize> {
        let hint = self.hint.get();
        if self.items.get(hint).is_some_and(|item| item.id == id) {
            return Some(hint);
        }
        // Ids grow, but for what came later and stands below a handoff.
        let sorted = self.items.binary_search_by_key(&id, |item| item.id).ok();
        let index = sorted.or_else(|| self.items.iter().rposition(|item| item.id == id))?;
        self.hint.set(index);
        Some(index)
    }

    /// Blank rows before the item at `index`.
    pub(super) fn gap(&self, index: usize) -> usize {
        let before = index.checked_sub(1).and_then(|before| self.items.get(before));
        let (Some(before), Some(item)) = (before, self.items.get(index)) else { return 0 };
        let tight = before.is_line() && item.is_line()
            || item.depth > before.depth
            || matches!((&before.body, &item.body), (Body::Reasoning { .. }, _) if item.is_line());
        usize::from(!tight)
    }

    /// Rows of the item at `index`, its gap included.
    pub(super) fn rows_at(&self, index: usize, width: u16, theme: &Theme) -> usize {
        let Some(item) = self.items.get(index) else { return 0 };
        self.gap(index) + self.cache.borrow_mut().height(item, width, theme, &self.kit)
    }

    /// The place from which the last `height` rows are seen.
    fn bottom(&self, width: u16, height: usize, theme: &Theme) -> Place {
        let mut left = height;
        for index in (0..self.items.len()).rev() {
            let rows = self.rows_at(index, width, theme);
            if rows >= left {
                return Place { index, row: rows - left };
            }
            left -= rows;
        }
        Place { index: 0, row: 0 }
    }

    /// The place from which the end is followed. While an answer is being written, what stands there stays for some rows:
    /// room is made for several at once, for each time that all moves up is a whole screen to be read and sent anew.
    fn following(&self, width: u16, height: usize, theme: &Theme) -> Place {
        let last = self.bottom(width, height, theme);
        let ahead = AHEAD_ROWS.min(height / AHEAD_PART);
        if !self.is_writing() || ahead == 0 || last == Place::default() {
            self.cache.borrow_mut().followed = None;
            return last;
        }
        let next = self.bottom(width, height - ahead, theme);
        let followed = self.cache.borrow().followed;
        let before = followed.and_then(|anchor| Some(Place { index: self.index_of(anchor.item)?, row: usize::try_from(anchor.row).ok()? }));
        let at = |place: Place| (place.index, place.row);
        if let Some(place) = before.filter(|place| (at(last)..=at(next)).contains(&at(*place))) {
            return place;
        }
        self.cache.borrow_mut().followed = self.anchor(next);
        next
    }

    /// Whether an answer is being written at the end.
    fn is_writing(&self) -> bool {
        let end = self.items.last().map(|item| &item.body);
        matches!(end, Some(Body::Assistant { ending: Ending::Open, .. } | Body::Reasoning { running: true, .. }))
    }

    /// The place of the top row: as the view says, but never so that rows stay empty that could show something.
    fn top(&self, view: &ViewState, width: u16, height: u16, theme: &Theme) -> Place {
        let height = usize::from(height);
        let Some((index, anchor)) = view.top.and_then(|anchor| Some((self.index_of(anchor.item)?, anchor))) else {
            return self.following(width, height, theme);
        };
        let rows = self.rows_at(index, width, theme);
        let place = Place { index, row: usize::try_from(anchor.row).unwrap_or(0).min(rows.saturating_sub(1)) };
        if self.fills(place, width, height, theme) { place } else { self.bottom(width, height, theme) }
    }

    /// Whether there are `height` rows from `place` on.
    fn fills(&self, place: Place, width: u16, height: usize, theme: &Theme) -> bool {
        let mut wanted = height + place.row;
        for index in place.index..self.items.len() {
            let rows = self.rows_at(index, width, theme);
            if rows >= wanted {
                return true;
            }
            wanted -= rows;
        }
        false
    }

    /// Whether no row lies below the area.
    fn at_end(&self, place: Place, width: u16, height: u16, theme: &Theme) -> bool {
        !self.fills(place, width, usize::from(height) + 1, theme)
    }

    pub(super) fn anchor(&self, place: Place) -> Option<Anchor> {
        let item = self.items.get(place.index)?.id;
        Some(Anchor { item, row: u32::try_from(place.row).unwrap_or(u32::MAX) })
    }

    /// How many rows there are at `width`: exact for what was drawn at this width, an estimate for the rest.
    pub fn height(&self, width: u16) -> usize {
        let gaps = (0..self.items.len().min(LAYOUTS_MAX)).map(|index| self.gap(index)).sum::<usize>();
        let gaps = if self.items.len() > LAYOUTS_MAX { self.items.len() / 2 } else { gaps };
        self.cache.borrow().rows(self.items.len(), width) + gaps
    }

    /// Where the view stands: rows above it, and rows in all; for a scroll bar.
    pub fn position(&self, view: &ViewState, width: u16, height: u16) -> (usize, usize) {
        let total = self.height(width);
        let last = total.saturating_sub(usize::from(height));
        let Some(anchor) = view.top else { return (last, total) };
        let index = self.index_of(anchor.item).unwrap_or(0);
        let above = total * index / self.items.len().max(1) + usize::try_from(anchor.row).unwrap_or(0);
        (above.min(last), total)
    }

    /// Draws what `view` shows into `area`.
    pub fn render(&self, area: Rect, buf: &mut Buffer, theme: &Theme, view: &ViewState) {
        let area = area.intersection(buf.area);
        if area.is_empty() || self.items.is_empty() {
            return;
        }
        self.cache.borrow_mut().begin();
        self.kit.pictures.begin_frame();
        let top = self.top(view, area.width, area.height, theme);
        let marked = self.mark_ends(view);
        let mut y = area.y;
        let mut skip = top.row;
        for index in top.index..self.items.len() {
            let Some(item) = self.items.get(index) else { break };
            let gap = self.gap(index);
            let rows = self.rows_at(index, area.width, theme);
            for row in skip..rows {
                if y >= area.bottom() {
                    return;
                }
                let line = Rect { x: area.x, y, width: area.width, height: 1 };
                if let Some(row) = row.checked_sub(gap) {
                    self.draw_row(item, row, line, buf, theme, view);
                }
                if marked.is_some_and(|(start, end)| ((start.index, start.row)..=(end.index, end.row)).contains(&(index, row))) {
                    mark_row(line, buf, theme.style(Key::UiSelection));
                }
                y += 1;
            }
            skip = 0;
        }
    }

    fn draw_row(&self, item: &Item, row: usize, line: Rect, buf: &mut Buffer, theme: &Theme, view: &ViewState) {
        let mut cache = self.cache.borrow_mut();
        let layout = cache.layout(item, line.width, theme, &self.kit);
        layout.draw(row, line, buf, theme, &self.kit, view.tick);
        if view.selected == Some(item.id) && row == 0 && view.mark.is_none() {
            buf.set_style(line, theme.style(Key::UiSelection));
        }
        if !self.query.is_empty() {
            let current = view.current_match == Some(item.id);
            mark_matches(&self.query, line, buf, theme.style(if current { Key::UiMatchCurrent } else { Key::UiMatch }));
        }
    }

    /// Moves the view by `rows` (negative: up) in an area of this size. At the end it follows again.
    pub fn scroll_by(&self, view: &mut ViewState, rows: isize, width: u16, height: u16, theme: &Theme) {
        let mut place = self.top(view, width, height, theme);
        let mut left = rows.unsigned_abs();
        if rows < 0 {
            while left > place.row && place.index > 0 {
                left -= place.row + 1;
                place.index -= 1;
                place.row = self.rows_at(place.index, width, theme).saturating_sub(1);
            }
            place.row = place.row.saturating_sub(left);
        } else {
            loop {
                let below = self.rows_at(place.index, width, theme).saturating_sub(place.row);
                if left < below || place.index + 1 >= self.items.len() {
                    place.row += left;
                    break;
                }
                left -= below;
                place = Place { index: place.index + 1, row: 0 };
            }
        }
        view.top = if self.at_end(place, width, height, theme) { None } else { self.anchor(place) };
    }

    /// Moves the view to the very first row.
    pub fn scroll_to_top(&self, view: &mut ViewState) {
        view.top = self.anchor(Place { index: 0, row: 0 });
    }

    /// Follows the end again.
    pub fn scroll_to_end(&self, view: &mut ViewState) {
        view.top = None;
    }

    /// Moves the view so that `item` is seen, with as little movement as possible.
    pub fn scroll_to_item(&self, view: &mut ViewState, item: ItemId, width: u16, height: u16, theme: &Theme) {
        let Some(index) = self.index_of(item) else { return };
        let top = self.top(view, width, height, theme);
        let rows = self.rows_at(index, width, theme);
        let gap = self.gap(index);
        let start = Place { index, row: gap.min(rows) };
        let above = index < top.index || (index == top.index && top.row > gap);
        if !above {
            let mut used = 0;
            for index in top.index..=index {
                used += self.rows_at(index, width, theme);
                if used > usize::from(height) + top.row {
                    break;
                }
            }
            if used <= usize::from(height) + top.row {
                return;
            }
        }
        // A little of what stands before it is kept in sight.
        let mut place = start;
        if rows + 2 < usize::from(height) {
            let mut lead = usize::from(height) / 4;
            while place.index > 0 && lead > 0 {
                place.index -= 1;
                let rows = self.rows_at(place.index, width, theme);
                place.row = rows.saturating_sub(lead);
                lead = lead.saturating_sub(rows);
            }
        }
        view.top = if self.at_end(place, width, height, theme) { None } else { self.anchor(place) };
    }

    /// Moves the view so that a row is seen, with as little movement as possible.
    pub(super) fn scroll_to_row(&self, view: &mut ViewState, at: Anchor, width: u16, height: u16, theme: &Theme) {
        let Some(index) = self.index_of(at.item) else { return };
        let place = Place { index, row: usize::try_from(at.row).unwrap_or(0) };
        let top = self.top(view, width, height, theme);
        if (place.index, place.row) < (top.index, top.row) {
            view.top = self.anchor(place);
            return;
        }
        let mut below = 0;
        for index in top.index..place.index {
            below += self.rows_at(index, width, theme);
            if below > top.row + usize::from(height) {
                break;
            }
        }
        if (below + place.row).saturating_sub(top.row) < usize::from(height) && place.index - top.index <= usize::from(height) {
            return;
        }
        // The row becomes the last one: the top is so many rows before it.
        let mut top = place;
        let mut left = usize::from(height).saturating_sub(1);
        while left > top.row && top.index > 0 {
            left -= top.row + 1;
            top.index -= 1;
            top.row = self.rows_at(top.index, width, theme).saturating_sub(1);
        }
        top.row = top.row.saturating_sub(left);
        view.top = if self.at_end(top, width, height, theme) { None } else { self.anchor(top) };
    }

    /// The item on row `row` of an area of this size, from 0, with the row in it.
    pub fn item_at(&self, view: &ViewState, row: u16, width: u16, height: u16, theme: &Theme) -> Option<Anchor> {
        let top = self.top(view, width, height, theme);
        let mut left = usize::from(row) + top.row;
        for index in top.index..self.items.len() {
            let rows = self.rows_at(index, width, theme);
            if left < rows {
                // The blank row before an item belongs to no item.
                return if left < self.gap(index) { None } else { self.anchor(Place { index, row: left }) };
            }
            left -= rows;
        }
        None
    }

    /// Opens or closes an item and keeps its first row where it is; whether it does.
    pub fn toggle_in(&mut self, view: &mut ViewState, item: ItemId, width: u16, height: u16, theme: &Theme) -> bool {
        let top = self.anchor(self.top(view, width, height, theme));
        if !self.toggle(item) {
            return false;
        }
        view.top = top;
        if let Some(index) = top.and_then(|anchor| self.index_of(anchor.item)) {
            let row = top.map_or(0, |anchor| usize::try_from(anchor.row).unwrap_or(0));
            if self.at_end(Place { index, row }, width, height, theme) {
                view.top = None;
            }
        }
        true
    }

    /// The last [`DUMP_ROWS_MAX`] rows of the conversation at `width`, with their styles.
    pub fn dump_styled(&self, width: u16, theme: &Theme) -> Vec<Line<'static>> {
        let kit = &self.kit.without_pictures();
        let mut backwards: Vec<Line<'static>> = Vec::new();
        for (index, item) in self.items.iter().enumerate().rev() {
            let rows = Layout::new(item, width, theme, kit).into_lines(theme, kit);
            backwards.extend(rows.into_iter().rev());
            backwards.extend(std::iter::repeat_n(Line::default(), self.gap(index)));
            if backwards.len() > DUMP_ROWS_MAX {
                backwards.truncate(DUMP_ROWS_MAX);
                backwards.push(Line::styled("(rows before these are left out; /export writes all)", theme.style(Key::ChatDim)));
                break;
            }
        }
        backwards.reverse();
        backwards
    }

    /// The whole conversation as plain text at `width`, for the terminal's own scrollback or an editor.
    pub fn dump(&self, width: u16) -> Vec<String> {
        let theme = Theme::plain(crate::tui::theme::IconSet::Unicode);
        let kit = &self.kit.without_pictures();
        let mut out = Vec::new();
        for (index, item) in self.items.iter().enumerate() {
            out.extend(std::iter::repeat_n(String::new(), self.gap(index)));
            out.extend(Layout::new(item, width, &theme, kit).plain(&theme, kit));
        }
        out
    }
}

/// Marks a row; pieces of pictures keep the colour that says which they are.
fn mark_row(line: Rect, buf: &mut Buffer, style: ratatui::style::Style) {
    for x in line.left()..line.right() {
        if let Some(cell) = buf.cell_mut((x, line.y)).filter(|cell| !cells::is_piece(cell.symbol())) {
            cell.set_style(style);
        }
    }
}

/// Marks `query`, in lower case, where it stands on the one row of `line`.
pub(in crate::tui) fn mark_matches(query: &str, line: Rect, buf: &mut Buffer, style: ratatui::style::Style) {
    let mut text = String::new();
    let mut cells: Vec<u16> = Vec::new();
    let mut x = line.x;
    while x < line.right() {
        let Some(cell) = buf.cell((x, line.y)) else { break };
        let symbol = cell.symbol().to_lowercase();
        cells.extend(std::iter::repeat_n(x, symbol.len()));
        text.push_str(&symbol);
        x += u16::try_from(columns(cell.symbol()).max(1)).unwrap_or(1);
    }
    for (at, found) in text.match_indices(query) {
        let (Some(from), Some(to)) = (cells.get(at), cells.get(at + found.len() - 1)) else { continue };
        let width = u16::try_from(buf.cell((*to, line.y)).map_or(1, |cell| columns(cell.symbol()).max(1))).unwrap_or(1);
        buf.set_style(Rect { x: *from, y: line.y, width: to - from + width, height: 1 }, style);
    }
}
