//! Environments and what they tell.

use super::*;

fn read(variables: &[(&str, &'static str)]) -> Emulator {
    let find = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    Emulator::read(find, false)
}

#[test]
fn the_environment_tells_how_pictures_are_shown() {
    let check = |variables: &[(&str, &'static str)], expected: Option<Protocol>| {
        assert_eq!(read(variables).pictures, expected, "{variables:?}");
    };
    check(&[("TERM", "xterm-kitty")], Some(Protocol::Kitty));
    check(&[("TERM", "xterm-256color"), ("KITTY_WINDOW_ID", "1")], Some(Protocol::Kitty));
    check(&[("TERM", "xterm-ghostty")], Some(Protocol::Kitty));
    check(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "iTerm.app")], Some(Protocol::Iterm2));
    check(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "WezTerm")], Some(Protocol::Iterm2));
    check(&[("TERM", "xterm-256color"), ("KONSOLE_VERSION", "230804")], Some(Protocol::Iterm2));
    check(&[("TERM", "foot")], Some(Protocol::Sixel));
    check(&[("TERM", "xterm-256color")], None);
    check(&[], None);
    // Inside of a multiplexer the variables of the terminal outside are still there.
    check(&[("TERM", "tmux-256color"), ("TMUX", "/tmp/x"), ("KITTY_WINDOW_ID", "1")], None);
    check(&[("TERM", "xterm-kitty"), ("ZELLIJ", "0")], None);
    check(&[("TERM", "screen.xterm-256color"), ("STY", "1.x")], None);
}

#[test]
fn the_config_has_the_last_word_on_pictures() {
    let kitty = read(&[("TERM", "xterm-kitty")]);
    assert_eq!(kitty.protocol(Images::Auto), Some(Protocol::Kitty));
    assert_eq!(kitty.protocol(Images::Off), None);
    assert_eq!(kitty.protocol(Images::Sixel), Some(Protocol::Sixel));
    assert_eq!(Emulator::default().protocol(Images::Auto), None);
    assert_eq!(Emulator::default().protocol(Images::Iterm2), Some(Protocol::Iterm2));
}

#[test]
fn programs_for_the_clipboard_are_those_of_this_machine() {
    use Program::{Clip, Pbcopy, Tmux, WlCopy, Xclip, Xsel};
    let check = |variables: &[(&str, &'static str)], expected: &[Program]| {
        assert_eq!(read(variables).clipboards, expected, "{variables:?}");
    };
    check(&[], &[]);
    check(&[("DISPLAY", ":0")], &[Xclip, Xsel]);
    check(&[("WAYLAND_DISPLAY", "wayland-0"), ("DISPLAY", ":0")], &[WlCopy, Xclip, Xsel]);
    check(&[("WSL_DISTRO_NAME", "Debian")], &[Clip]);
    check(&[("TMUX", "/tmp/x,1,0"), ("DISPLAY", ":0")], &[Xclip, Xsel, Tmux]);
    // A forwarded display is slow and may be nobody's: the terminal itself is the nearer way.
    check(&[("SSH_CONNECTION", "1 2 3 4"), ("DISPLAY", "localhost:10.0")], &[]);
    check(&[("SSH_TTY", "/dev/pts/1"), ("TMUX", "/tmp/x,1,0")], &[Tmux]);
    assert_eq!(Emulator::read(|_| None, true).clipboards, [Pbcopy]);
}

#[test]
fn sequences_are_wrapped_for_what_stands_between() {
    assert_eq!(Wrap::None.sequence("\x1b]x\x07"), "\x1b]x\x07");
    assert_eq!(Wrap::Tmux.sequence("\x1b]x\x1b\\"), "\x1bPtmux;\x1b\x1b]x\x1b\x1b\\\x1b\\");
    assert_eq!(Wrap::Screen.sequence("\x1b]x\x07"), "\x1bP\x1b]x\x07\x1b\\");
    let long = Wrap::Screen.sequence(&"y".repeat(1_100));
    let parts: Vec<&str> = long.split("\x1b\\").filter(|part| !part.is_empty()).collect();
    assert_eq!(parts.len(), 3);
    assert!(parts.iter().all(|part| part.starts_with("\x1bP") && part.len() <= 768));
}
