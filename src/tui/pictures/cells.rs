//! Pictures as cells: each holds kitty's placeholder with its row and column in the picture as combining marks, and
//! the picture's number as its colour (<https://sw.kovidgoyal.net/kitty/graphics-protocol/#unicode-placeholders>).
//!
//! For terminals that know no placeholders the same cells are taken out of the frame again: whole rows of a picture
//! become strips, cells of rows that something lies over become blanks.

use std::collections::BTreeSet;

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};

use super::COLUMNS_MAX;

/// The placeholder. Text from outside never holds it: `domain::text::clean` takes it out.
pub(crate) const PLACEHOLDER: char = '\u{10eeee}';

/// The marks for 0, 1, 2 …: the first of kitty's `rowcolumn-diacritics.txt`, as many as a picture has columns.
const MARKS: [char; COLUMNS_MAX as usize] = [
    '\u{305}', '\u{30d}', '\u{30e}', '\u{310}', '\u{312}', '\u{33d}', '\u{33e}', '\u{33f}', '\u{346}', '\u{34a}', '\u{34b}', '\u{34c}',
    '\u{350}', '\u{351}', '\u{352}', '\u{357}', '\u{35b}', '\u{363}', '\u{364}', '\u{365}', '\u{366}', '\u{367}', '\u{368}', '\u{369}',
    '\u{36a}', '\u{36b}', '\u{36c}', '\u{36d}', '\u{36e}', '\u{36f}', '\u{483}', '\u{484}', '\u{485}', '\u{486}', '\u{487}', '\u{592}',
    '\u{593}', '\u{594}', '\u{595}', '\u{597}', '\u{598}', '\u{599}', '\u{59c}', '\u{59d}', '\u{59e}', '\u{59f}', '\u{5a0}', '\u{5a1}',
    '\u{5a8}', '\u{5a9}', '\u{5ab}', '\u{5ac}', '\u{5af}', '\u{5c4}', '\u{610}', '\u{611}', '\u{612}', '\u{613}', '\u{614}', '\u{615}',
];

/// A row of a picture on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Strip {
    /// The column of its first cell.
    pub(crate) x: u16,
    /// Its row on the screen.
    pub(crate) y: u16,
    /// How many columns it has.
    pub(crate) columns: u16,
    /// The picture.
    pub(crate) number: u8,
    /// The row in the picture.
    pub(crate) row: u16,
}

impl Strip {
    /// Whether a cell belongs to it.
    pub(crate) fn holds(&self, x: u16, y: u16) -> bool {
        self.y == y && (self.x..self.x + self.columns).contains(&x)
    }
}

/// The rows of a picture as text, `indent` columns in. The last cell of a row says so by a mark of its own: a row that
/// is seen in part is told from a whole one.
pub(crate) fn lines(number: u8, columns: u16, rows: u16, indent: usize) -> Vec<Line<'static>> {
    let style = Style::new().fg(Color::Indexed(number));
    let mark = |at: u16| MARKS.get(usize::from(at)).copied().unwrap_or('\u{305}');
    let cells = |row: u16| (0..columns).flat_map(move |column| [PLACEHOLDER, mark(row), mark(column)]).collect::<String>();
    (0..rows).map(|row| Line::from(vec![Span::raw(" ".repeat(indent)), Span::styled(cells(row), style)])).collect()
}

/// Whether a symbol is a piece of a picture.
pub(crate) fn is_piece(symbol: &str) -> bool {
    symbol.starts_with(PLACEHOLDER)
}

/// The picture's number, the row and the column of a cell that is a piece of one.
fn piece(buf: &Buffer, x: u16, y: u16) -> Option<(u8, u16, u16)> {
    let cell = buf.cell((x, y)).filter(|cell| is_piece(cell.symbol()))?;
    let Color::Indexed(number) = cell.fg else { return None };
    let mut marks = cell.symbol().chars().skip(1).map(|mark| MARKS.iter().position(|known| *known == mark));
    let (row, column) = (marks.next()??, marks.next()??);
    Some((number, u16::try_from(row).ok()?, u16::try_from(column).ok()?))
}

/// The numbers of all pictures on the screen.
pub(crate) fn numbers(buf: &Buffer) -> BTreeSet<u8> {
    let area = buf.area;
    let pieces = (area.top()..area.bottom()).flat_map(|y| (area.left()..area.right()).map(move |x| (x, y)));
    pieces.filter_map(|(x, y)| piece(buf, x, y)).map(|(number, ..)| number).collect()
}

/// Takes all pieces of pictures out of a frame; the rows that were whole. What a row lies over is seen instead of it.
pub(crate) fn take_strips(buf: &mut Buffer) -> Vec<Strip> {
    let area = buf.area;
    let mut strips: Vec<Strip> = Vec::new();
    for y in area.top()..area.bottom() {
        let mut open: Option<Strip> = None;
        for x in area.left()..area.right() {
            let found = piece(buf, x, y);
            let Some((number, row, column)) = found else {
                strips.extend(open.take());
                continue;
            };
            let goes_on = open.as_ref().is_some_and(|strip| (strip.number, strip.row, strip.columns) == (number, row, column));
            match &mut open {
                Some(strip) if goes_on => strip.columns += 1,
                _ => {
                    strips.extend(open.take());
                    open = (column == 0).then_some(Strip { x, y, columns: 1, number, row });
                }
            }
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.set_symbol(" ");
                cell.fg = Color::Reset;
            }
        }
        strips.extend(open);
    }
    strips
}
