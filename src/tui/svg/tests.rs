//! Pictures: one snapshot that holds everything a cell can be.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

use super::*;

fn sample() -> Buffer {
    let mut buf = Buffer::empty(Rect::new(0, 0, 24, 4));
    buf.set_string(0, 0, "╭─ chat ─╮│├┼", Style::new().dim());
    buf.set_string(0, 1, "plain <&> ", Style::new());
    buf.set_string(10, 1, "bold", Style::new().bold().fg(Color::Rgb(1, 2, 3)));
    buf.set_string(15, 1, "red", Style::new().fg(Color::Red).on_blue());
    buf.set_string(0, 2, "中文 👩‍👩‍👧 x", Style::new().italic());
    buf.set_string(12, 2, "  under", Style::new().underlined());
    buf.set_string(0, 3, "reversed", Style::new().reversed());
    buf.set_string(10, 3, "gone", Style::new().crossed_out().fg(Color::Indexed(75)));
    buf
}

#[test]
fn a_screen_becomes_a_picture() {
    let options = SvgOptions { title: Some("wakeful <1>".into()), light: false };
    insta::assert_snapshot!(svg(&sample(), &options));
}

#[test]
fn the_same_screen_gives_the_same_picture_and_light_differs() {
    let dark = svg(&sample(), &SvgOptions::default());
    assert_eq!(dark, svg(&sample(), &SvgOptions::default()));
    let light = svg(&sample(), &SvgOptions { light: true, ..SvgOptions::default() });
    assert_ne!(dark, light);
    assert!(light.contains("fill=\"#ffffff\"") && dark.contains("fill=\"#0d1117\""));
    assert!(!dark.contains("<circle"), "no title bar where none is asked for");
}
