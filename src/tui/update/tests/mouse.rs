//! The mouse.

use super::tables::at;
use super::*;

fn mouse(script: &mut Script, kind: crossterm::event::MouseEventKind, column: u16, row: u16) {
    let modifiers = crossterm::event::KeyModifiers::NONE;
    script.send(Msg::Mouse(crossterm::event::MouseEvent { kind, column, row, modifiers }));
}

/// Column and row of a text on the screen.
pub(super) fn find(script: &Script, text: &str) -> (u16, u16) {
    let screen = script.text();
    let (row, line) =
        screen.lines().enumerate().find(|(_, line)| line.contains(text)).unwrap_or_else(|| panic!("no {text:?} in\n{screen}"));
    let before = line.split(text).next().unwrap();
    (u16::try_from(unicode_width::UnicodeWidthStr::width(before)).unwrap(), u16::try_from(row).unwrap())
}

pub(super) fn click(script: &mut Script, (column, row): (u16, u16)) {
    use crossterm::event::{MouseButton, MouseEventKind};
    mouse(script, MouseEventKind::Down(MouseButton::Left), column, row);
    mouse(script, MouseEventKind::Up(MouseButton::Left), column, row);
}

#[test]
fn a_click_focuses_and_opens() {
    let mut script = at(Context::Global);
    let tool = find(&script, "time · now");
    click(&mut script, tool);
    assert_eq!(script.state.focus, Focus::Chat);
    assert_eq!(script.state.transcript.items().filter(|item| item.open).count(), 1);
    let event = find(&script, "time: now (");
    click(&mut script, event);
    assert_eq!(script.state.focus, Focus::Events);
    click(&mut script, event);
    assert!(matches!(&script.state.overlay, Some(Overlay::Text(panel)) if panel.title.starts_with("tool_execution")));
}

#[test]
fn dragging_marks_within_one_pane_and_copies() {
    use crossterm::event::{MouseButton, MouseEventKind};
    let mut script = at(Context::Global);
    let (label, row) = find(&script, "you   hello");
    let column = label + 6;
    mouse(&mut script, MouseEventKind::Down(MouseButton::Left), column, row);
    mouse(&mut script, MouseEventKind::Drag(MouseButton::Left), 119, row);
    mouse(&mut script, MouseEventKind::Up(MouseButton::Left), 119, row);
    assert!(script.effects.contains(&Effect::Copy("hello".into())), "{:?}", script.effects);
}

#[test]
fn the_wheel_scrolls_what_is_below_it() {
    use crossterm::event::MouseEventKind;
    let mut script = ready();
    for at in 0..60 {
        script.answered(&format!("answer {at}"));
    }
    let newest = script.text();
    assert!(newest.contains("answer 59"));
    mouse(&mut script, MouseEventKind::ScrollUp, 5, 5);
    assert!(!script.state.chat.follows() && script.state.events.follows());
    mouse(&mut script, MouseEventKind::ScrollUp, 100, 5);
    assert!(!script.state.events.follows());
    mouse(&mut script, MouseEventKind::ScrollDown, 5, 5);
    mouse(&mut script, MouseEventKind::ScrollDown, 100, 5);
    assert_eq!(script.text(), newest);
}
