//! Tables: aligned, shrunk to the width by wrapping inside cells, and as records where even that does not fit.

use pulldown_cmark::Alignment;
use ratatui::text::{Line, Span};

use super::wrap::{Blanks, Piece, columns, wrap};
use crate::tui::theme::{Icon, Key, Theme};

/// A table as parsed: the first row is the header.
#[derive(Debug)]
pub(super) struct Table {
    alignments: Vec<Alignment>,
    pub(super) rows: Vec<Vec<Vec<Piece>>>,
}

impl Table {
    pub(super) fn new(alignments: Vec<Alignment>) -> Self {
        Self { alignments, rows: vec![Vec::new()] }
    }
}

/// Columns between two cells: blank, line, blank.
const GAP: usize = 3;

/// A table whose columns would be narrower is drawn as records.
const COLUMN_MIN: usize = 4;

fn text_width(pieces: &[Piece]) -> usize {
    let text: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
    text.split('\n').map(columns).max().unwrap_or(0)
}

/// The width of each column, or `None` where they do not fit.
fn widths(table: &Table, width: usize) -> Option<Vec<usize>> {
    let count = table.alignments.len();
    let room = width.checked_sub(GAP * count.saturating_sub(1))?;
    let natural: Vec<usize> = (0..count)
        .map(|column| table.rows.iter().filter_map(|row| row.get(column)).map(|cell| text_width(cell)).max().unwrap_or(0).max(1))
        .collect();
    if natural.iter().sum::<usize>() <= room {
        return Some(natural);
    }
    // The widest columns give way until all fit.
    let fits = |cap: usize| natural.iter().map(|width| (*width).min(cap)).sum::<usize>() <= room;
    let cap = (COLUMN_MIN..=room).rev().find(|cap| fits(*cap))?;
    let mut widths: Vec<usize> = natural.iter().map(|width| (*width).min(cap)).collect();
    let mut spare = room - widths.iter().sum::<usize>();
    for (width, natural) in widths.iter_mut().zip(&natural) {
        if spare > 0 && *width < *natural {
            *width += 1;
            spare -= 1;
        }
    }
    Some(widths)
}

/// The rows of `table` at `width` columns.
pub(super) fn rows(table: &Table, width: usize, theme: &Theme) -> Vec<Vec<Span<'static>>> {
    match widths(table, width) {
        Some(widths) => grid(table, &widths, theme),
        None => records(table, width, theme),
    }
}

fn grid(table: &Table, widths: &[usize], theme: &Theme) -> Vec<Vec<Span<'static>>> {
    let border = theme.style(Key::MdTableBorder);
    let mut out = Vec::new();
    for (index, row) in table.rows.iter().enumerate() {
        let cells: Vec<Vec<Line<'static>>> = widths
            .iter()
            .enumerate()
            .map(|(at, width)| row.get(at).map(|cell| wrap(cell, *width, Blanks::Fold)).unwrap_or_default())
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0).max(1);
        for at in 0..height {
            let mut spans = Vec::new();
            for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
                if column > 0 {
                    spans.push(Span::styled(format!(" {} ", theme.icon(Icon::Bar)), border));
                }
                let alignment = table.alignments.get(column).copied().unwrap_or(Alignment::None);
                aligned(cell.get(at), *width, alignment, &mut spans);
            }
            out.push(spans);
        }
        if index == 0 {
            let line = theme.icon(Icon::Line);
            let cross = format!("{line}{}{line}", theme.icon(Icon::Cross));
            let rule: Vec<String> = widths.iter().map(|width| line.repeat(*width)).collect();
            out.push(vec![Span::styled(rule.join(&cross), border)]);
        }
    }
    out
}

fn aligned(line: Option<&Line<'static>>, width: usize, alignment: Alignment, spans: &mut Vec<Span<'static>>) {
    let used = line.map_or(0, Line::width);
    let free = width.saturating_sub(used);
    let left = match alignment {
        Alignment::Right => free,
        Alignment::Center => free / 2,
        Alignment::Left | Alignment::None => 0,
    };
    if left > 0 {
        spans.push(Span::raw(" ".repeat(left)));
    }
    if let Some(line) = line {
        spans.extend(line.spans.iter().cloned());
    }
    if free > left {
        spans.push(Span::raw(" ".repeat(free - left)));
    }
}

/// One line for each cell, `header: value`.
fn records(table: &Table, width: usize, theme: &Theme) -> Vec<Vec<Span<'static>>> {
    let mut out = Vec::new();
    let Some((header, rows)) = table.rows.split_first() else { return out };
    if rows.is_empty() {
        out.extend(header.iter().flat_map(|cell| wrap(cell, width, Blanks::Fold)).map(|line| line.spans));
    }
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            let line = theme.icon(Icon::Line).repeat(width.min(8));
            out.push(vec![Span::styled(line, theme.style(Key::MdTableBorder))]);
        }
        for (at, cell) in row.iter().enumerate() {
            let mut pieces = header.get(at).cloned().unwrap_or_default();
            pieces.push(Piece::new(": ", theme.style(Key::MdTableBorder)));
            pieces.extend(cell.iter().cloned());
            out.extend(wrap(&pieces, width, Blanks::Fold).into_iter().map(|line| line.spans));
        }
    }
    out
}
