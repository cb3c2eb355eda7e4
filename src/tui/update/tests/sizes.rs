//! Every state at every size: nothing breaks, nothing is drawn outside, the cursor stands inside.

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;

use super::*;
use crate::tui::theme::{ColourDepth, IconSet};
use crate::tui::update::tests::tables::at;
use crate::tui::view;

/// Widths and heights around each place where the layout changes.
const WIDTHS: [u16; 12] = [40, 41, 50, 63, 79, 80, 109, 110, 111, 120, 200, 400];
const HEIGHTS: [u16; 8] = [12, 13, 15, 20, 24, 40, 60, 120];

/// Columns and rows around the screen in which nothing may be drawn.
const MARGIN: u16 = 3;

fn states() -> Vec<(String, Script)> {
    let mut states: Vec<(String, Script)> = Context::ALL.into_iter().map(|context| (format!("{context:?}"), at(context))).collect();
    let mut add = |name: &str, prepare: &dyn Fn(&mut Script)| {
        let mut script = at(Context::Global);
        prepare(&mut script);
        states.push((name.to_owned(), script));
    };
    add("approval", &|script| {
        script.said("go");
        script.asks(true, Some(&"+ a line\n".repeat(60)));
    });
    add("popup", &|script| {
        script.own();
        script.type_text("/");
    });
    add("help", &|script| script.key("f1"));
    add("palette", &|script| script.key("ctrl+p"));
    add("keys", &|script| {
        script.type_text("/keys");
        script.keys(&["esc", "enter", "x"]);
    });
    add("filter", &|script| {
        script.keys(&["f6", "f6", "/"]);
        script.type_text("中文 a long filter that may not fit into the row that it has");
    });
    add("long message", &|script| script.type_text(&"中文 and e\u{301} words ".repeat(40)));
    add("vi", &|script| {
        script.state.options.vi = true;
        script.type_text("one two");
        script.keys(&["esc", "2", "d"]);
    });
    add("shell", &|script| script.type_text("!ls"));
    add("setting", &|script| {
        script.settings();
        script.keys(&["pgdn", "up", "enter"]);
    });
    states
}

fn check(name: &str, script: &Script) {
    let (width, height) = script.state.size;
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(Rect::new(0, 0, width + MARGIN, height + MARGIN));
    let cursor = view::draw(&script.state, area, &mut buf);
    if let Some(cursor) = cursor {
        assert!(area.contains(cursor), "{name} {width}x{height}: the cursor is at {cursor}");
    }
    for y in 0..height + MARGIN {
        for x in 0..width + MARGIN {
            if x >= width || y >= height {
                assert_eq!(buf[(x, y)], Cell::default(), "{name} {width}x{height}: something is drawn at {x},{y}");
            }
        }
    }
}

#[test]
fn every_state_fits_into_every_size() {
    for (name, mut script) in states() {
        for (width, height) in WIDTHS.into_iter().flat_map(|width| HEIGHTS.map(|height| (width, height))) {
            script.send(Msg::Resize(width, height));
            check(&name, &script);
        }
        for (width, height) in [(1, 1), (39, 12), (40, 11), (20, 5)] {
            script.send(Msg::Resize(width, height));
            check(&name, &script);
            assert_eq!(script.draw().1, None, "{name}: too small for a cursor");
        }
    }
}

#[test]
fn with_plain_icons_every_sign_is_ascii() {
    for (name, mut script) in states() {
        // Words of other scripts are words.
        if matches!(name.as_str(), "filter" | "long message") {
            continue;
        }
        script.state.options.icons = IconSet::Ascii;
        script.state.theme = script.state.themes.load("dark", ColourDepth::TrueColour, IconSet::Ascii).unwrap();
        for (width, height) in [(120, 40), (80, 24), (40, 12)] {
            script.send(Msg::Resize(width, height));
            let text = script.text();
            let is_sign = |ch: char| !ch.is_ascii() && !ch.is_alphanumeric();
            let strange: Vec<&str> = text.lines().filter(|line| line.contains(is_sign)).collect();
            assert!(strange.is_empty(), "{name} {width}x{height}:\n{}", strange.join("\n"));
        }
    }
}

#[test]
fn without_colours_no_cell_has_one() {
    for (name, mut script) in states() {
        script.state.theme = script.state.themes.load("dark", ColourDepth::None, IconSet::Unicode).unwrap();
        let (buf, _) = script.draw();
        let coloured =
            buf.content().iter().filter(|cell| cell.fg != ratatui::style::Color::Reset || cell.bg != ratatui::style::Color::Reset);
        assert_eq!(coloured.count(), 0, "{name}");
    }
}
