//! The screen as a terminal shows it: the bytes of a frame, read by an emulator, cell by cell.

use std::cell::RefCell;
use std::io::{self, Write};
use std::num::NonZeroU16;
use std::rc::Rc;

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Position;
use ratatui::style::{Color, Modifier};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::tui::state::State;
use crate::tui::terminal::Canvas;

#[derive(Clone, Default)]
struct Sink(Rc<RefCell<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Modifiers that the emulator knows.
const KNOWN: Modifier = Modifier::BOLD.union(Modifier::DIM).union(Modifier::ITALIC).union(Modifier::UNDERLINED).union(Modifier::REVERSED);

/// # Panics
/// When a terminal that reads the bytes of the frame shows anything else than `expected`, or has its cursor elsewhere.
pub(super) fn check(state: &State, expected: &Buffer, cursor: Option<Position>) {
    let sink = Sink::default();
    Canvas::new(sink.clone()).draw(state).unwrap();
    let (columns, rows) = state.size;
    let some = |length| NonZeroU16::new(length).unwrap();
    let mut terminal = vt100::Parser::new(some(rows), some(columns), 0);
    terminal.process(&sink.0.borrow());
    let screen = terminal.screen();
    let seen = (!screen.hide_cursor()).then(|| screen.cursor_position()).map(|(y, x)| Position::new(x, y));
    assert_eq!(seen, cursor, "the cursor");
    for y in 0..rows {
        let mut x = 0;
        while x < columns {
            let wanted = &expected[(x, y)];
            let (mut got, mut due) = (look(screen.cell(y, x).unwrap()), wanted_look(wanted));
            // An emulator without clusters gives each sign of one cells of its own; what follows stands where it belongs.
            let signs = wanted.symbol().chars().filter(|ch| ch.width() > Some(0)).count();
            for look in [&mut got, &mut due] {
                if signs > 1 {
                    look.0.truncate(look.0.chars().next().map_or(0, char::len_utf8));
                }
            }
            assert_eq!(got, due, "{x},{y} of {columns}x{rows}");
            x += u16::try_from(wanted.symbol().width().max(1)).unwrap();
        }
    }
}

type Look = (String, vt100::Color, vt100::Color, Modifier);

fn look(cell: &vt100::Cell) -> Look {
    let mut modifier = Modifier::empty();
    let known = [
        (cell.bold(), Modifier::BOLD),
        (cell.dim(), Modifier::DIM),
        (cell.italic(), Modifier::ITALIC),
        (cell.underline(), Modifier::UNDERLINED),
        (cell.inverse(), Modifier::REVERSED),
    ];
    known.into_iter().filter(|(is_set, _)| *is_set).for_each(|(_, one)| modifier.insert(one));
    seen(cell.contents().to_owned(), cell.fgcolor(), cell.bgcolor(), modifier)
}

fn wanted_look(cell: &Cell) -> Look {
    seen(cell.symbol().to_owned(), colour(cell.fg), colour(cell.bg), cell.modifier.intersection(KNOWN))
}

/// A blank has neither a foreground nor a weight to see.
fn seen(text: String, fg: vt100::Color, bg: vt100::Color, modifier: Modifier) -> Look {
    if text.trim().is_empty() {
        return (String::new(), vt100::Color::Default, bg, modifier.intersection(Modifier::REVERSED));
    }
    (text, fg, bg, modifier)
}

fn colour(colour: Color) -> vt100::Color {
    let named = [
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    match colour {
        Color::Reset => vt100::Color::Default,
        Color::Rgb(r, g, b) => vt100::Color::Rgb(r, g, b),
        Color::Indexed(index) => vt100::Color::Idx(index),
        other => vt100::Color::Idx(u8::try_from(named.iter().position(|name| *name == other).unwrap()).unwrap()),
    }
}
