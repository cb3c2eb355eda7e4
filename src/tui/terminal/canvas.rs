//! Frames onto a terminal: what did not change is not sent.
//!
//! A frame is one synchronized update, the cursor hidden meanwhile. The screen is only cleared when its size changed or
//! what is on it is unknown. Addresses (OSC 8) and pictures are sent with the cells that they belong to.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};
use ratatui::backend::{Backend, ClearType, CrosstermBackend};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Rect};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::tui::pictures::cells::{self, Strip};
use crate::tui::pictures::{Pictures, Prepared};
use crate::tui::state::State;
use crate::tui::view::{self, Link};

/// A sign that stands for a cell whose look on the terminal is unknown: no text holds it where it matters.
const UNKNOWN: &str = "\u{fffd}";

/// Bytes of one cell: the longest emoji that people use (a kiss with two skin tones) has 35.
const CELL_BYTES_MAX: usize = 64;

/// What is on the screen, and the way there.
pub(crate) struct Canvas<W: Write> {
    backend: CrosstermBackend<W>,
    /// What is on the screen.
    shown: Buffer,
    /// The frame being drawn.
    next: Buffer,
    /// Where the cursor is; hidden where absent.
    cursor: Option<Position>,
    /// Whether what is on the screen is unknown.
    unknown: bool,
    /// What of it leads somewhere.
    links: Vec<Link>,
    /// Rows of pictures that lie over blank cells.
    strips: Vec<Strip>,
    /// Pictures that the terminal keeps itself, by their number: which one it is now.
    held: BTreeMap<u8, u64>,
}

impl<W: Write> Canvas<W> {
    /// A screen of which nothing is known.
    pub(crate) fn new(writer: W) -> Self {
        Self {
            backend: CrosstermBackend::new(writer),
            shown: Buffer::default(),
            next: Buffer::default(),
            cursor: None,
            unknown: true,
            links: Vec::new(),
            strips: Vec::new(),
            held: BTreeMap::new(),
        }
    }

    /// Forgets what is on the screen: the next frame draws all of it.
    pub(crate) fn redraw(&mut self) {
        self.unknown = true;
        self.held.clear();
    }

    /// Rows of pictures on the screen.
    #[cfg(test)]
    pub(crate) fn strips_shown(&self) -> &[Strip] {
        &self.strips
    }

    /// Draws the state; whether anything was sent.
    pub(crate) fn draw(&mut self, state: &State) -> io::Result<bool> {
        let area = Rect::new(0, 0, state.size.0, state.size.1);
        self.next.resize(area);
        self.next.reset();
        let cursor = view::draw(state, area, &mut self.next);
        tame(&mut self.next);
        let clear = self.unknown || self.shown.area != area;
        if clear {
            self.shown = Buffer::empty(area);
            self.strips.clear();
        }
        let links = if state.surroundings.hyperlinks { view::links(&self.next) } else { Vec::new() };
        self.forget_links(&links);
        let pictures = state.transcript.pictures();
        let arriving = self.arriving(pictures);
        let strips = self.strips(pictures);
        let changes = with_what_clusters_cover(self.shown.diff(&self.next), &self.shown, &self.next);
        let drawn: Vec<&Strip> =
            strips.iter().filter(|strip| !self.strips.contains(strip) || changes.iter().any(|(x, y, _)| strip.holds(*x, *y))).collect();
        if changes.is_empty() && cursor == self.cursor && !clear && drawn.is_empty() {
            return Ok(false);
        }
        queue!(self.backend, BeginSynchronizedUpdate, Hide)?;
        if clear {
            self.backend.clear_region(ClearType::All)?;
        }
        for picture in arriving {
            self.backend.write_all(picture.transmission().as_bytes())?;
            self.held.insert(picture.number, picture.serial);
            super::holds_pictures(picture.number);
        }
        send(&mut self.backend, &changes, &links)?;
        for strip in drawn {
            if let Some(bytes) = pictures.by_number(strip.number).as_ref().and_then(|picture| picture.strip(strip.row)) {
                queue!(self.backend, MoveTo(strip.x, strip.y))?;
                self.backend.write_all(bytes.as_bytes())?;
            }
        }
        if let Some(position) = cursor {
            queue!(self.backend, MoveTo(position.x, position.y), Show)?;
        }
        queue!(self.backend, EndSynchronizedUpdate)?;
        Write::flush(&mut self.backend)?;
        std::mem::swap(&mut self.shown, &mut self.next);
        self.strips = strips;
        self.cursor = cursor;
        self.unknown = false;
        Ok(true)
    }

    /// Cells whose address is another one now are sent again, although they look the same.
    fn forget_links(&mut self, links: &[Link]) {
        let gone: Vec<&Link> = self.links.iter().filter(|link| !links.contains(link)).collect();
        let new: Vec<&Link> = links.iter().filter(|link| !self.links.contains(link)).collect();
        for link in gone.into_iter().chain(new) {
            forget(&mut self.shown, link.from..link.upto, link.y);
        }
        self.links = links.to_vec();
    }

    /// Pictures of the frame that the terminal shows by its own means and does not hold yet.
    fn arriving(&self, pictures: &Pictures) -> Vec<std::sync::Arc<Prepared>> {
        if !pictures.are_cells() {
            return Vec::new();
        }
        let numbers = cells::numbers(&self.next);
        let wanted = numbers.into_iter().filter_map(|number| pictures.by_number(number));
        wanted.filter(|picture| self.held.get(&picture.number) != Some(&picture.serial)).collect()
    }

    /// Takes the rows of pictures out of the frame, which are drawn over blank cells; cells that another one lay on
    /// before are sent again.
    fn strips(&mut self, pictures: &Pictures) -> Vec<Strip> {
        if !pictures.are_strips() && self.strips.is_empty() {
            return Vec::new();
        }
        let found = cells::take_strips(&mut self.next);
        for gone in self.strips.iter().filter(|strip| !found.contains(strip)) {
            forget(&mut self.shown, gone.x..gone.x + gone.columns, gone.y);
        }
        found
    }
}

/// Cuts towers of marks: what a cell holds is sent whenever it changes.
fn tame(frame: &mut Buffer) {
    for cell in frame.content.iter_mut().filter(|cell| cell.symbol().len() > CELL_BYTES_MAX) {
        let symbol = cell.symbol();
        let kept = symbol.get(..symbol.floor_char_boundary(CELL_BYTES_MAX)).unwrap_or_default().to_owned();
        cell.set_symbol(&kept);
    }
}

/// Cells whose look is not known any more.
fn forget(shown: &mut Buffer, columns: std::ops::Range<u16>, y: u16) {
    for x in columns {
        if let Some(cell) = shown.cell_mut((x, y)) {
            cell.set_symbol(UNKNOWN);
        }
    }
}

/// Whether terminals differ in how many columns the cell takes: emoji and syllables of several signs, which some show one
/// beside the other.
fn is_cluster(cell: &Cell) -> bool {
    let symbol = cell.symbol();
    let seen = || symbol.chars().filter(|ch| ch.width() > Some(0)).count();
    symbol.len() > 4 && (seen() > 1 || symbol.contains('\u{fe0f}'))
}

/// Adds the cells that a terminal without clusters spreads them over: those behind the clusters of the frame, and all of
/// those whose cluster is gone, for such a terminal erases only the part that is written over.
fn with_what_clusters_cover<'a>(mut changes: Vec<(u16, u16, &'a Cell)>, shown: &Buffer, next: &'a Buffer) -> Vec<(u16, u16, &'a Cell)> {
    let columns = |width: usize| u16::try_from(width).unwrap_or(u16::MAX);
    let apart = |cell: &Cell| columns(cell.symbol().chars().filter_map(UnicodeWidthChar::width).sum());
    let come = changes.iter().filter(|(_, _, cell)| is_cluster(cell));
    let come = come.map(|(x, y, cell)| (*y, x.saturating_add(columns(cell.symbol().width())), x.saturating_add(apart(cell))));
    let gone = shown.content.iter().enumerate().filter(|(_, cell)| is_cluster(cell)).filter_map(|(index, cell)| {
        let (x, y) = shown.pos_of(index);
        let is_gone = next.cell((x, y)).is_some_and(|now| now.symbol() != cell.symbol());
        is_gone.then(|| (y, x, x.saturating_add(apart(cell))))
    });
    // The second half of a wide sign is no cell of its own.
    let is_half = |x: u16, y: u16| x > 0 && next[(x - 1, y)].symbol().width() > 1;
    let cells = come.chain(gone).flat_map(|(y, from, upto)| (from..upto.min(next.area.right())).map(move |x| (x, y)));
    let covered: Vec<_> = cells.filter(|(x, y)| !is_half(*x, *y)).map(|(x, y)| (x, y, &next[(x, y)])).collect();
    if !covered.is_empty() {
        changes.extend(covered);
        changes.sort_by_key(|(x, y, _)| (*y, *x));
        changes.dedup_by_key(|(x, y, _)| (*y, *x));
    }
    changes
}

/// Sends cells; those that lead somewhere between the sequences that say where. Behind a cluster the place is said anew.
fn send<W: Write>(backend: &mut CrosstermBackend<W>, changes: &[(u16, u16, &Cell)], links: &[Link]) -> io::Result<()> {
    if links.is_empty() && !changes.iter().any(|(_, _, cell)| is_cluster(cell)) {
        return backend.draw(changes.iter().copied());
    }
    let of = |change: &(u16, u16, &Cell)| links.iter().position(|link| link.holds(change.0, change.1));
    for run in changes.chunk_by(|one, other| !is_cluster(one.2) && of(one) == of(other)) {
        let link = run.first().and_then(of).and_then(|at| links.get(at));
        if let Some(link) = link {
            write!(backend, "\x1b]8;;{}\x1b\\", link.target)?;
        }
        backend.draw(run.iter().copied())?;
        if link.is_some() {
            write!(backend, "\x1b]8;;\x1b\\")?;
        }
    }
    Ok(())
}
