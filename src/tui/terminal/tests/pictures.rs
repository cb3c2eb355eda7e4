//! Pictures on the terminal: they come once, move with the text, go with their rows and lie over nothing.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use image::{Rgba, RgbaImage};
use serde_json::json;

use super::{Screen, Script};
use crate::domain::event::Status;
use crate::tui::emulator::{Protocol, Wrap};
use crate::tui::pictures::Pictures;

/// A chat whose last call gave back a picture of 10 by 4 cells.
fn chat(protocol: Protocol, folder: &Path) -> (Script, Receiver<()>) {
    let path = folder.join("a.png");
    RgbaImage::from_pixel(80, 64, Rgba([255, 0, 0, 255])).save(&path).unwrap();
    let (sender, told) = channel();
    let mut script = Script::new(100, 30);
    let tell = move || {
        let _ = sender.send(());
    };
    script.state.set_pictures(Pictures::lazy(protocol, Wrap::None, Some(folder.to_owned()), tell));
    script.said("show it");
    script.tool("shots", "take", Status::Started, None, None);
    script.tool("shots", "take", Status::Success, Some(json!(format!("[image image/png 1 kB: {}]", path.display()))), None);
    script.answered("There it is.");
    (script, told)
}

fn wait(told: &Receiver<()>) {
    told.recv_timeout(Duration::from_mins(1)).unwrap();
}

fn strips(bytes: &str) -> usize {
    bytes.matches("\x1b]1337;File=").count()
}

#[test]
fn kitty_gets_the_picture_once_and_cells_that_say_where() {
    let folder = tempfile::tempdir().unwrap();
    let (mut script, told) = chat(Protocol::Kitty, folder.path());
    let mut screen = Screen::new(&script);
    // Until it is decoded its name stands there.
    assert!(!screen.draw(&script).contains('\u{10eeee}'));
    wait(&told);
    let frame = screen.draw(&script);
    assert_eq!(frame.matches("\x1b_Ga=T,U=1").count(), 1);
    assert_eq!(frame.matches('\u{10eeee}').count(), 40);
    assert_eq!(screen.draw(&script), "");
    // It moves as cells; the picture itself is there.
    for at in 0..6 {
        script.answered(&format!("line {at}"));
    }
    let frame = screen.draw(&script);
    assert!(!frame.contains("\x1b_G") && frame.contains('\u{10eeee}'));
    // After the screen was somebody else's all of it is sent again.
    screen.canvas.redraw();
    assert_eq!(screen.draw(&script).matches("\x1b_Ga=T,U=1").count(), 1);
}

#[test]
fn strips_come_with_their_rows_and_go_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let (mut script, told) = chat(Protocol::Iterm2, folder.path());
    let mut screen = Screen::new(&script);
    screen.draw(&script);
    wait(&told);
    let frame = screen.draw(&script);
    assert_eq!(strips(&frame), 4);
    assert!(!frame.contains('\u{10eeee}'));
    assert_eq!(screen.draw(&script), "");
    // The row of the picture on which something is written again is drawn again, no other.
    script.type_text("x");
    assert_eq!(strips(&screen.draw(&script)), 0);
    // It moves up by two rows: all of it is drawn where it is now.
    let before = place(&mut screen, &script);
    script.answered("more");
    let frame = screen.draw(&script);
    assert_eq!(strips(&frame), if place(&mut screen, &script) == before { 0 } else { 4 });
    // Half of it is out of sight.
    for at in 0..40 {
        script.answered(&format!("line {at}"));
        screen.draw(&script);
    }
    assert!(screen.canvas_strips().is_empty());
    script.key("ctrl+home");
    assert_eq!(strips(&screen.draw(&script)), 4);
}

/// Where the first strip stands.
fn place(screen: &mut Screen, _: &Script) -> Option<u16> {
    screen.canvas_strips().first().map(|strip| strip.y)
}

#[test]
fn what_lies_over_a_picture_is_not_painted_over() {
    let folder = tempfile::tempdir().unwrap();
    let (mut script, told) = chat(Protocol::Sixel, folder.path());
    let mut screen = Screen::new(&script);
    screen.draw(&script);
    wait(&told);
    assert_eq!(screen.draw(&script).matches("\x1bP0;1;0q").count(), 4);
    // The help lies over the chat: what it covers of the picture is gone, and its text stands there whole.
    script.key("f1");
    let frame = screen.draw(&script);
    let covered = script.draw().0;
    let left = screen.canvas_strips().len();
    assert!(left < 4, "{left} rows of the picture lie under the help");
    assert_eq!(frame.matches("\x1bP0;1;0q").count(), 0, "what is still seen was there before");
    assert!(crate::tui::pictures::cells::numbers(&covered).is_empty() == (left == 0));
    script.key("esc");
    assert_eq!(screen.draw(&script).matches("\x1bP0;1;0q").count(), 4 - left);
    assert_eq!(screen.canvas_strips().len(), 4);
}

#[test]
fn pictures_survive_a_resize_and_are_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let (mut script, told) = chat(Protocol::Iterm2, folder.path());
    let mut screen = Screen::new(&script);
    screen.draw(&script);
    wait(&told);
    screen.draw(&script);
    script.send(crate::tui::msg::Msg::Resize(60, 30));
    screen.draw(&script);
    wait(&told);
    let frame = screen.draw(&script);
    assert_eq!(strips(&frame), 4, "{}", script.text());
    // Neither copied nor printed.
    script.keys(&["f6", "g", "shift+v", "shift+g", "y"]);
    let copied = script.effects.iter().find_map(|effect| match effect {
        crate::tui::msg::Effect::Copy(text) | crate::tui::msg::Effect::CopyByTerminal(text) => Some(text.clone()),
        _ => None,
    });
    let copied = copied.unwrap();
    assert!(copied.contains("There it is.") && !copied.contains('\u{10eeee}'), "{copied}");
    assert!(script.state.transcript.dump(80).iter().all(|row| !row.contains('\u{10eeee}')));
}
