//! Themes: complete, honest about errors, right at every depth.

use ratatui::style::{Color, Modifier};

use super::*;

const ALL: [&str; 4] = ["ansi16", "dark", "high-contrast", "light"];
const DEPTHS: [ColourDepth; 4] = [ColourDepth::None, ColourDepth::Ansi16, ColourDepth::Ansi256, ColourDepth::TrueColour];

fn load(name: &str, depth: ColourDepth) -> Theme {
    Themes::builtin().load(name, depth, IconSet::Unicode).unwrap()
}

fn fails(text: &str) -> String {
    let mut themes = Themes::builtin();
    themes.add("mine", text);
    themes.load("mine", ColourDepth::TrueColour, IconSet::Unicode).unwrap_err().to_string()
}

#[test]
fn all_four_themes_give_every_key_a_style_at_every_depth() {
    assert_eq!(Themes::builtin().names(), ALL);
    for name in ALL {
        for depth in DEPTHS {
            let theme = load(name, depth);
            for key in Key::ALL {
                let style = theme.style(*key);
                let allowed = |color: Option<Color>| match (color, depth) {
                    (Some(_), ColourDepth::None) => false,
                    (Some(Color::Rgb(..)), depth) => depth == ColourDepth::TrueColour,
                    (Some(Color::Indexed(_)), depth) => depth == ColourDepth::Ansi256,
                    (Some(_) | None, _) => true,
                };
                assert!(allowed(style.fg) && allowed(style.bg), "{name} {depth:?} {}: {style:?}", key.name());
            }
        }
    }
}

#[test]
fn keys_and_names_are_one_to_one() {
    for key in Key::ALL {
        assert_eq!(Key::from_name(key.name()), Some(*key));
        assert_eq!(Key::ALL[*key as usize], *key);
        assert!(!key.help().is_empty());
    }
}

#[test]
fn events_of_different_kinds_differ_in_every_coloured_theme() {
    use Key::{EventConnection, EventError, EventHandoff, EventMcp, EventNotification, EventTask, EventTool};
    let keys = [EventConnection, EventHandoff, EventTool, EventMcp, EventError, EventTask, EventNotification];
    for (name, depth) in ALL.iter().flat_map(|name| DEPTHS[1..].iter().map(move |depth| (*name, *depth))) {
        let theme = load(name, depth);
        let mut styles: Vec<_> = keys.iter().map(|key| format!("{:?}", theme.style(*key))).collect();
        styles.sort();
        styles.dedup();
        assert_eq!(styles.len(), keys.len(), "{name} {depth:?}: {styles:?}");
    }
}

#[test]
fn ansi16_has_the_wire_colours() {
    let theme = load("ansi16", ColourDepth::TrueColour);
    let check = |key: Key, color: Color| assert_eq!(theme.style(key).fg, Some(color), "{}", key.name());
    check(Key::EventConnection, Color::Blue);
    check(Key::EventHandoff, Color::Yellow);
    check(Key::EventTool, Color::Green);
    check(Key::EventMcp, Color::Magenta);
    check(Key::EventError, Color::Red);
    check(Key::EventTask, Color::Cyan);
    check(Key::EventNotification, Color::LightYellow);
}

#[test]
fn only_the_light_theme_paints_the_background_of_the_screen() {
    for name in ALL {
        let theme = load(name, ColourDepth::TrueColour);
        for key in [Key::UiText, Key::ChatAgent, Key::UiPopup] {
            assert_eq!(theme.style(key).bg, None, "{name} {}", key.name());
        }
        // Dark letters on a terminal that turns out dark could not be read.
        let painted = (name == "light").then_some(Color::Rgb(255, 255, 255));
        assert_eq!(theme.style(Key::UiBackground).bg, painted, "{name}");
        assert_eq!(load(name, ColourDepth::None).style(Key::UiBackground), Style::new(), "{name}: nothing to reverse");
    }
}

#[test]
fn without_colours_a_selection_is_reversed() {
    for name in ALL {
        let style = load(name, ColourDepth::None).style(Key::UiSelection);
        assert!(style.add_modifier.contains(Modifier::REVERSED), "{name}");
        assert_eq!((style.fg, style.bg), (None, None));
    }
}

#[test]
fn mistakes_are_told_with_what_was_probably_meant() {
    let check = |text: &str, message: &str| assert_eq!(fails(text), message, "{text}");
    check("inherits = 'drak'", "no theme `drak`: did you mean `dark`?");
    check("inherits = 'mine'", "theme `mine` builds on itself");
    check("inherits = 'dark'\n[keys]\n'event.hndoff' = 'red'", "theme `mine`: unknown key `event.hndoff`: did you mean `event.handoff`?");
    check(
        "inherits = 'dark'\n[keys]\n'event.tool' = 'gren bold'",
        "theme `mine`: `event.tool`: no colour or modifier `gren`: did you mean `green`?",
    );
    check("inherits = 'dark'\n[palette]\nx = '#12345'", "theme `mine`: `x`: no colour or modifier `#12345`");
    check("inherits = 'dark'\n[palette]\nx = ['#123456', 'bleu']", "theme `mine`: `x`: no colour or modifier `bleu`: did you mean `blue`?");
    check("inherits = 'dark'\nkeyz = 1", "theme `mine` is not well-formed");
    assert!(
        fails("[keys]\n'event.tool' = 'green'").starts_with("theme `mine` gives no style to: event.connection, event.handoff, event.mcp")
    );
}

#[test]
fn a_theme_of_the_users_own_builds_on_another() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("mine.toml"),
        "inherits = 'light'\n[palette]\norange = '#ff0000'\n[keys]\n'ui.title' = 'orange on black bold'",
    )
    .unwrap();
    std::fs::write(folder.path().join("note.txt"), "no theme").unwrap();
    let mut themes = Themes::builtin();
    assert!(themes.add_folder(folder.path()).is_empty());
    assert!(themes.add_folder(&folder.path().join("missing")).is_empty());
    assert_eq!(themes.names(), ["ansi16", "dark", "high-contrast", "light", "mine"]);
    let theme = themes.load("mine", ColourDepth::TrueColour, IconSet::Ascii).unwrap();
    assert_eq!(theme.style(Key::EventHandoff).fg, Some(Color::Rgb(255, 0, 0)), "the palette of the base follows");
    assert_eq!(theme.style(Key::UiTitle), Style::new().fg(Color::Rgb(255, 0, 0)).bg(Color::Black).bold());
    assert_eq!(theme.background(), Background::Light);
    assert_ne!(theme.id(), load("light", ColourDepth::TrueColour).id());
}

#[test]
fn colours_come_down_to_what_the_terminal_has() {
    let check = |hex: &str, on_256: u8, on_16: Color| {
        let rgb = colour::parse_hex(hex).unwrap();
        assert_eq!(colour::nearest_256(rgb), Color::Indexed(on_256), "{hex}");
        assert_eq!(colour::nearest_ansi(rgb), on_16, "{hex}");
    };
    check("#000000", 16, Color::Black);
    check("#ffffff", 231, Color::White);
    check("#ff0000", 196, Color::Red);
    check("#808080", 244, Color::DarkGray);
    check("#5fafff", 75, Color::LightBlue);
    assert_eq!(rgb_of(Color::Indexed(75)), Some((95, 175, 255)));
    assert_eq!(rgb_of(Color::Indexed(244)), Some((128, 128, 128)));
    assert_eq!(rgb_of(Color::Reset), None);
}

#[test]
fn the_depth_follows_the_environment() {
    let check = |vars: &[(&str, &str)], depth: ColourDepth| {
        let found = ColourDepth::detect(|name| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()));
        assert_eq!(found, depth, "{vars:?}");
    };
    check(&[("TERM", "xterm")], ColourDepth::Ansi16);
    check(&[("TERM", "xterm-256color")], ColourDepth::Ansi256);
    check(&[("TERM", "xterm-kitty")], ColourDepth::TrueColour);
    check(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor")], ColourDepth::TrueColour);
    check(&[("TERM", "dumb")], ColourDepth::None);
    check(&[("TERM", "xterm-256color"), ("NO_COLOR", "1")], ColourDepth::None);
    check(&[("TERM", "xterm-256color"), ("NO_COLOR", "")], ColourDepth::Ansi256);
    check(&[("TERM", "xterm-256color"), ("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], ColourDepth::Ansi256);
}

#[test]
fn icons_have_an_ascii_variant_and_the_width_they_say() {
    use unicode_width::UnicodeWidthStr;
    for icon in Icon::ALL {
        let (unicode, ascii) = (icon.symbol(IconSet::Unicode), icon.symbol(IconSet::Ascii));
        assert!(ascii.is_ascii() && !ascii.is_empty(), "{icon:?}");
        assert_eq!(unicode.width(), ascii.width(), "{icon:?}: rows must not depend on the icons");
    }
    for tick in 0..20 {
        assert_eq!(IconSet::Unicode.spinner(tick).width(), 1);
        assert!(IconSet::Ascii.spinner(tick).is_ascii());
    }
}
