//! Themes: complete, honest about errors, right at every depth.

use ratatui::style::{Color, Modifier};

use super::*;

const ALL: [&str; 12] = [
    "ansi16",
    "catppuccin-latte",
    "catppuccin-mocha",
    "dark",
    "dracula",
    "gruvbox-dark",
    "high-contrast",
    "high-contrast-light",
    "light",
    "nord",
    "solarized-light",
    "tokyo-night",
];

/// Themes that leave the screen's background to the terminal.
const UNPAINTED: [&str; 2] = ["ansi16", "dark"];
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
fn all_themes_give_every_key_a_style_at_every_depth() {
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
fn a_theme_paints_the_background_of_the_whole_screen_or_none() {
    for name in ALL {
        let theme = load(name, ColourDepth::TrueColour);
        for key in [Key::UiText, Key::ChatAgent, Key::UiPopup] {
            assert_eq!(theme.style(key).bg, None, "{name} {}", key.name());
        }
        // Dark letters on a terminal that turns out dark could not be read: who paints the one paints the other.
        let screen = theme.style(Key::UiBackground);
        assert_eq!(
            (screen.fg.is_some(), screen.bg.is_some()),
            if UNPAINTED.contains(&name) { (false, false) } else { (true, true) },
            "{name}"
        );
        assert_eq!(load(name, ColourDepth::None).style(Key::UiBackground), Style::new(), "{name}: nothing to reverse");
    }
}

/// How bright a colour is, from 0 to 1 (WCAG 2.2, relative luminance).
fn luminance((r, g, b): (u8, u8, u8)) -> f64 {
    let part = |value: u8| {
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b)
}

/// How well two colours can be told apart, from 1 to 21 (WCAG 2.2, contrast ratio).
fn contrast(one: (u8, u8, u8), other: (u8, u8, u8)) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn every_text_can_be_read_on_its_background() {
    assert!((contrast((0, 0, 0), (255, 255, 255)) - 21.0).abs() < 0.01);
    // What only decorates, and what says that it counts less.
    let lines = ["ui.border", "md.quote.bar", "md.rule", "md.table.border", "ui.scrollbar", "ui.background"];
    let quiet = |name: &str| {
        ["dim", "time", "tag", "placeholder", "arguments", "reasoning", "status.off", "hint", "comment", "url", "strike", "code.label"]
            .iter()
            .any(|part| name.ends_with(part))
            || name == "ui.status"
    };
    for (name, depth) in ALL.iter().flat_map(|name| [ColourDepth::TrueColour, ColourDepth::Ansi256].map(|depth| (*name, depth))) {
        if name == "ansi16" {
            continue;
        }
        let theme = load(name, depth);
        let screen = theme.style(Key::UiBackground);
        let rgb = |color: Option<Color>, otherwise| color.and_then(rgb_of).unwrap_or(otherwise);
        // Where the terminal's own background shows, it is a dark one.
        let (ink, paper) = (rgb(screen.fg, (229, 229, 229)), rgb(screen.bg, (30, 30, 30)));
        let is_high = name.starts_with("high-contrast");
        for key in Key::ALL.iter().filter(|key| !lines.contains(&key.name())) {
            let style = theme.style(*key);
            let found = contrast(rgb(style.fg, ink), rgb(style.bg, paper));
            // WCAG 2.2: 4.5 for text (1.4.3), 7 for text of the enhanced level (1.4.6), 3 for what is no text (1.4.11).
            let wanted = match (is_high, quiet(key.name())) {
                (true, _) => 7.0,
                (false, true) => 3.0,
                (false, false) => 4.5,
            };
            // The 256 fixed colours are steps: a little is lost on them.
            let wanted = if depth == ColourDepth::Ansi256 { wanted * 0.85 } else { wanted };
            assert!(found >= wanted, "{name} {depth:?} {}: {found:.2} of {wanted}", key.name());
        }
    }
}

#[test]
fn there_are_themes_for_dark_and_for_light_rooms() {
    let count = |background| ALL.iter().filter(|name| load(name, ColourDepth::TrueColour).background() == background).count();
    assert!(count(Background::Light) >= 3 && count(Background::Dark) >= 5);
    let themes = Themes::builtin();
    assert!(ALL.iter().all(|name| themes.about(name).len() > 10), "each says what it is");
}

#[test]
fn without_colours_weight_and_underlines_stay() {
    for name in ALL {
        let (theme, coloured) = (load(name, ColourDepth::None), load(name, ColourDepth::TrueColour));
        for key in Key::ALL {
            let kept = theme.style(*key).add_modifier;
            assert!(kept.contains(coloured.style(*key).add_modifier), "{name} {}", key.name());
        }
        for key in [Key::UiMatch, Key::UiMatchCurrent, Key::ApprovalChosen, Key::UiPopupSelected] {
            assert!(theme.style(key).add_modifier.contains(Modifier::REVERSED), "{name} {}", key.name());
        }
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
    let wrong = fails("inherits = 'dark'\nkeyz = 1");
    assert!(wrong.starts_with("theme `mine` line 2: unknown field `keyz`, expected one of `inherits`"), "{wrong}");
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
    assert_eq!(themes.names().len(), ALL.len() + 1);
    assert!(themes.names().contains(&"mine"));
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
