//! Colours: names, depths, and the way from one depth to another.

use ratatui::style::Color;
use serde::{Deserialize, Serialize};

/// How many colours the terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColourDepth {
    /// None: only bold, dim, underline and reverse.
    None,
    /// The terminal's own 16.
    Ansi16,
    /// The fixed palette of 256.
    #[default]
    Ansi256,
    /// 24 bits.
    TrueColour,
}

impl ColourDepth {
    /// The depth that the environment tells of. `var` looks up an environment variable.
    ///
    /// `NO_COLOR` wins unless `CLICOLOR_FORCE` is set; then `COLORTERM`, then `TERM`.
    pub fn detect(var: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| var(name).is_some_and(|value| !value.is_empty() && value != "0");
        if var("NO_COLOR").is_some_and(|value| !value.is_empty()) && !set("CLICOLOR_FORCE") {
            return Self::None;
        }
        let colorterm = var("COLORTERM").unwrap_or_default().to_lowercase();
        if colorterm.contains("truecolor") || colorterm.contains("24bit") {
            return Self::TrueColour;
        }
        let term = var("TERM").unwrap_or_default();
        let known = |names: &[&str]| names.iter().any(|name| term.contains(name));
        match () {
            () if term == "dumb" => Self::None,
            () if known(&["direct", "kitty", "ghostty", "alacritty", "wezterm", "foot", "contour"]) => Self::TrueColour,
            () if term.contains("256color") => Self::Ansi256,
            () if set("WT_SESSION") => Self::TrueColour,
            () => Self::Ansi16,
        }
    }
}

/// One colour of a theme: exact where the terminal can, the nearest of its own 16 where not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Paint {
    /// The terminal's own.
    #[default]
    Default,
    /// One of the terminal's 16.
    Ansi(Color),
    /// An exact colour and its stand-in among the terminal's 16.
    Rgb {
        /// Red, green, blue.
        rgb: (u8, u8, u8),
        /// Its stand-in.
        ansi: Color,
    },
}

/// The 16 colours by name, with the values that terminals commonly give them.
const ANSI: [(&str, Color, (u8, u8, u8)); 16] = [
    ("black", Color::Black, (0, 0, 0)),
    ("red", Color::Red, (205, 49, 49)),
    ("green", Color::Green, (13, 188, 121)),
    ("yellow", Color::Yellow, (229, 169, 16)),
    ("blue", Color::Blue, (36, 114, 200)),
    ("magenta", Color::Magenta, (188, 63, 188)),
    ("cyan", Color::Cyan, (17, 168, 205)),
    ("gray", Color::Gray, (204, 204, 204)),
    ("dark-gray", Color::DarkGray, (118, 118, 118)),
    ("light-red", Color::LightRed, (241, 76, 76)),
    ("light-green", Color::LightGreen, (35, 209, 139)),
    ("light-yellow", Color::LightYellow, (245, 245, 67)),
    ("light-blue", Color::LightBlue, (59, 142, 234)),
    ("light-magenta", Color::LightMagenta, (214, 112, 214)),
    ("light-cyan", Color::LightCyan, (41, 184, 219)),
    ("white", Color::White, (255, 255, 255)),
];

/// The colour named `name` among the 16.
pub(super) fn ansi_by_name(name: &str) -> Option<Color> {
    ANSI.iter().find(|(known, ..)| *known == name).map(|(_, color, _)| *color)
}

/// Names of the 16, for suggestions.
pub(super) fn ansi_names<'a>() -> impl Iterator<Item = &'a str> {
    ANSI.iter().map(|(name, ..)| *name)
}

/// Reads `#rrggbb`.
pub(super) fn parse_hex(text: &str) -> Option<(u8, u8, u8)> {
    let digits = text.strip_prefix('#')?;
    if digits.len() != 6 || !digits.is_ascii() {
        return None;
    }
    let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    Some((part(0)?, part(2)?, part(4)?))
}

/// Squared distance of two colours, weighted as the eye does (red mean).
fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> i32 {
    let mean = i32::midpoint(i32::from(a.0), i32::from(b.0));
    let (dr, dg, db) = (i32::from(a.0) - i32::from(b.0), i32::from(a.1) - i32::from(b.1), i32::from(a.2) - i32::from(b.2));
    (((512 + mean) * dr * dr) >> 8) + 4 * dg * dg + (((767 - mean) * db * db) >> 8)
}

/// The nearest of the 16.
pub(super) fn nearest_ansi(rgb: (u8, u8, u8)) -> Color {
    ANSI.iter().min_by_key(|(_, _, value)| distance(rgb, *value)).map_or(Color::Reset, |(_, color, _)| *color)
}

/// The nearest of the fixed part of the 256: the cube of 6×6×6 and the grey ramp.
pub(super) fn nearest_256(rgb: (u8, u8, u8)) -> Color {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let level = |value: u8| (0..6_u8).min_by_key(|at| LEVELS[usize::from(*at)].abs_diff(value)).unwrap_or(0);
    let (r, g, b) = (level(rgb.0), level(rgb.1), level(rgb.2));
    let cube = (LEVELS[usize::from(r)], LEVELS[usize::from(g)], LEVELS[usize::from(b)]);
    let grey = (0..24_u8).min_by_key(|at| distance(rgb, (8 + at * 10, 8 + at * 10, 8 + at * 10))).unwrap_or(0);
    let grey_value = 8 + grey * 10;
    if distance(rgb, (grey_value, grey_value, grey_value)) < distance(rgb, cube) {
        Color::Indexed(232 + grey)
    } else {
        Color::Indexed(16 + 36 * r + 6 * g + b)
    }
}

/// The value that a terminal commonly shows for `color`; `None` for the terminal's own default.
pub fn rgb_of(color: Color) -> Option<(u8, u8, u8)> {
    match color {
        Color::Reset => None,
        Color::Rgb(r, g, b) => Some((r, g, b)),
        Color::Indexed(index @ 0..=15) => ANSI.get(usize::from(index)).map(|(_, _, rgb)| *rgb),
        Color::Indexed(index @ 16..=231) => {
            let at = index - 16;
            let level = |value: u8| if value == 0 { 0 } else { 55 + value * 40 };
            Some((level(at / 36), level(at / 6 % 6), level(at % 6)))
        }
        Color::Indexed(index) => {
            let value = 8 + (index - 232) * 10;
            Some((value, value, value))
        }
        named => ANSI.iter().find(|(_, color, _)| *color == named).map(|(_, _, rgb)| *rgb),
    }
}

impl Paint {
    /// What to send to a terminal of `depth`.
    pub fn at(self, depth: ColourDepth) -> Color {
        match (self, depth) {
            (Self::Default, _) | (_, ColourDepth::None) => Color::Reset,
            (Self::Ansi(color), _) => color,
            (Self::Rgb { ansi, .. }, ColourDepth::Ansi16) => ansi,
            (Self::Rgb { rgb, .. }, ColourDepth::Ansi256) => nearest_256(rgb),
            (Self::Rgb { rgb: (r, g, b), .. }, ColourDepth::TrueColour) => Color::Rgb(r, g, b),
        }
    }
}
