//! A screen as an SVG picture: for the README, made by the program itself.
//!
//! Pure and deterministic: the same screen gives the same text, byte for byte. Lines of boxes are drawn as paths, so
//! that they join whatever font the reader has.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Modifier;

use crate::domain::text::escape_markup;
use crate::tui::markdown::wrap::columns;
use crate::tui::theme::rgb_of;

/// Width of a cell: 0.6 of the font size, as nearly all monospaced fonts have it.
const CELL_WIDTH: usize = 9;
/// Height of a cell.
const CELL_HEIGHT: usize = 19;
const FONT_SIZE: usize = 15;
/// Where letters stand in a cell, from its top.
const BASELINE: usize = 14;
const MARGIN: usize = 12;
const TITLE_HEIGHT: usize = 28;
const FONTS: &str = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Noto Sans Mono CJK SC','Noto Color Emoji',monospace";

/// How a picture looks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SvgOptions {
    /// A title bar with this text; none where absent.
    pub title: Option<String>,
    /// Light instead of dark.
    pub light: bool,
}

type Rgb = (u8, u8, u8);

/// What a cell looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    fg: Rgb,
    bg: Option<Rgb>,
    modifiers: Modifier,
}

struct Picture {
    out: String,
    top: usize,
    fg: Rgb,
    bg: Rgb,
}

/// The picture of `buffer`.
pub fn svg(buffer: &Buffer, options: &SvgOptions) -> String {
    let (fg, bg, bar) =
        if options.light { ((36, 41, 47), (255, 255, 255), (234, 238, 242)) } else { ((230, 237, 243), (13, 17, 23), (33, 38, 45)) };
    let top = MARGIN + if options.title.is_some() { TITLE_HEIGHT } else { 0 };
    let width = usize::from(buffer.area.width) * CELL_WIDTH + 2 * MARGIN;
    let height = usize::from(buffer.area.height) * CELL_HEIGHT + MARGIN + top;
    let mut picture = Picture { out: String::new(), top, fg, bg };
    picture.open(width, height, bar, options.title.as_deref());
    for y in 0..buffer.area.height {
        picture.row(buffer, y);
    }
    picture.out.push_str("</svg>\n");
    picture.out
}

fn hex((r, g, b): Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

impl Picture {
    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.out.write_fmt(text);
        self.out.push('\n');
    }

    fn open(&mut self, width: usize, height: usize, bar: Rgb, title: Option<&str>) {
        self.line(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" font-family=\"{FONTS}\" font-size=\"{FONT_SIZE}\">"
        ));
        self.line(format_args!("<style>text{{white-space:pre}}</style>"));
        let bg = hex(self.bg);
        self.line(format_args!("<rect width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"{bg}\"/>"));
        let Some(title) = title else { return };
        let bar = hex(bar);
        self.line(format_args!(
            "<path d=\"M0 {TITLE_HEIGHT}V8a8 8 0 0 1 8-8H{}a8 8 0 0 1 8 8V{TITLE_HEIGHT}z\" fill=\"{bar}\"/>",
            width - 8
        ));
        for (at, colour) in ["#ff5f57", "#febc2e", "#28c840"].into_iter().enumerate() {
            self.line(format_args!("<circle cx=\"{}\" cy=\"14\" r=\"5\" fill=\"{colour}\"/>", 18 + at * 18));
        }
        let fg = hex(self.fg);
        let (title, x) = (escape_markup(title), width / 2);
        self.line(format_args!(
            "<text x=\"{x}\" y=\"19\" text-anchor=\"middle\" font-size=\"13\" fill=\"{fg}\" opacity=\"0.7\">{title}</text>"
        ));
    }

    fn look(&self, cell: &Cell) -> Look {
        let fg = rgb_of(cell.fg);
        let bg = rgb_of(cell.bg);
        let modifiers = cell.modifier;
        let hidden = modifiers.contains(Modifier::HIDDEN);
        let (fg, bg) = if modifiers.contains(Modifier::REVERSED) {
            (bg.unwrap_or(self.bg), Some(fg.unwrap_or(self.fg)))
        } else {
            (fg.unwrap_or(self.fg), bg)
        };
        Look { fg: if hidden { bg.unwrap_or(self.bg) } else { fg }, bg, modifiers }
    }

    fn row(&mut self, buffer: &Buffer, y: u16) {
        let mut cells: Vec<(usize, usize, Look, &str)> = Vec::new();
        let mut x = 0;
        while x < buffer.area.width {
            let Some(cell) = buffer.cell((buffer.area.x + x, buffer.area.y + y)) else { break };
            let width = columns(cell.symbol()).clamp(1, 2);
            cells.push((usize::from(x), width, self.look(cell), cell.symbol()));
            x += u16::try_from(width).unwrap_or(1);
        }
        let top = self.top + usize::from(y) * CELL_HEIGHT;
        for run in cells.chunk_by(|a, b| a.2.bg == b.2.bg) {
            self.background(run, top);
        }
        let same = |a: &(usize, usize, Look, &str), b: &(usize, usize, Look, &str)| {
            let plain = |cell: &(usize, usize, Look, &str)| cell.1 == 1 && arms(cell.3).is_none();
            a.2 == b.2 && (plain(a) && plain(b) || a.3 == "─" && b.3 == "─")
        };
        for run in cells.chunk_by(same) {
            self.text(run, top);
        }
    }

    fn background(&mut self, run: &[(usize, usize, Look, &str)], top: usize) {
        let Some((from, _, Look { bg: Some(bg), .. }, _)) = run.first() else { return };
        let width: usize = run.iter().map(|cell| cell.1).sum();
        let (x, width, fill) = (MARGIN + from * CELL_WIDTH, width * CELL_WIDTH, hex(*bg));
        self.line(format_args!("<rect x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{CELL_HEIGHT}\" fill=\"{fill}\"/>"));
    }

    fn text(&mut self, run: &[(usize, usize, Look, &str)], top: usize) {
        let Some((from, _, look, symbol)) = run.first() else { return };
        let x = MARGIN + from * CELL_WIDTH;
        if let Some(arms) = arms(symbol) {
            return self.box_line(arms, x, run.len(), top, *look);
        }
        let text: String = run.iter().flat_map(|cell| cell.3.chars()).filter(|ch| !ch.is_control()).collect();
        let decorated = look.modifiers.intersects(Modifier::UNDERLINED | Modifier::CROSSED_OUT);
        let shown = if decorated { text.as_str() } else { text.trim_end() };
        let blanks = shown.len() - shown.trim_start().len();
        let (shown, x) = if decorated { (shown, x) } else { (shown.trim_start(), x + blanks * CELL_WIDTH) };
        if shown.is_empty() {
            return;
        }
        let columns: usize = if run.len() == 1 { run.iter().map(|cell| cell.1).sum() } else { columns(shown) };
        let (y, length, fill, more, shown) =
            (top + BASELINE, columns * CELL_WIDTH, hex(look.fg), attributes(look.modifiers), escape_markup(shown));
        self.line(format_args!(
            "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"{fill}\"{more}>{shown}</text>"
        ));
    }

    fn box_line(&mut self, arms: &str, x: usize, cells: usize, top: usize, look: Look) {
        let (cx, cy) = (x + CELL_WIDTH / 2, top + CELL_HEIGHT / 2);
        let (right, bottom) = (x + CELL_WIDTH, top + CELL_HEIGHT);
        let path = match arms {
            "lr" => format!("M{x} {cy}H{}", x + cells * CELL_WIDTH),
            "dr" => format!("M{cx} {bottom}Q{cx} {cy} {right} {cy}"),
            "dl" => format!("M{cx} {bottom}Q{cx} {cy} {x} {cy}"),
            "ur" => format!("M{cx} {top}Q{cx} {cy} {right} {cy}"),
            "ul" => format!("M{cx} {top}Q{cx} {cy} {x} {cy}"),
            _ => arms
                .chars()
                .map(|arm| match arm {
                    'u' => format!("M{cx} {cy}V{top}"),
                    'd' => format!("M{cx} {cy}V{bottom}"),
                    'l' => format!("M{cx} {cy}H{x}"),
                    _ => format!("M{cx} {cy}H{right}"),
                })
                .collect(),
        };
        let (stroke, more) = (hex(look.fg), if look.modifiers.contains(Modifier::DIM) { " opacity=\"0.6\"" } else { "" });
        self.line(format_args!("<path d=\"{path}\" stroke=\"{stroke}\" fill=\"none\"{more}/>"));
    }
}

/// The arms of a box-drawing character: up, down, left, right.
fn arms(symbol: &str) -> Option<&'static str> {
    Some(match symbol {
        "│" => "ud",
        "─" => "lr",
        "╭" | "┌" => "dr",
        "╮" | "┐" => "dl",
        "╰" | "└" => "ur",
        "╯" | "┘" => "ul",
        "├" => "udr",
        "┤" => "udl",
        "┬" => "dlr",
        "┴" => "ulr",
        "┼" => "udlr",
        _ => return None,
    })
}

fn attributes(modifiers: Modifier) -> String {
    let mut out = String::new();
    if modifiers.contains(Modifier::BOLD) {
        out.push_str(" font-weight=\"bold\"");
    }
    if modifiers.contains(Modifier::ITALIC) {
        out.push_str(" font-style=\"italic\"");
    }
    match (modifiers.contains(Modifier::UNDERLINED), modifiers.contains(Modifier::CROSSED_OUT)) {
        (true, true) => out.push_str(" text-decoration=\"underline line-through\""),
        (true, false) => out.push_str(" text-decoration=\"underline\""),
        (false, true) => out.push_str(" text-decoration=\"line-through\""),
        (false, false) => {}
    }
    if modifiers.contains(Modifier::DIM) {
        out.push_str(" opacity=\"0.6\"");
    }
    out
}
