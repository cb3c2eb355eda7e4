//! Theme files: where they come from, how they build on each other, what they may say.
//!
//! ```toml
//! inherits = "dark"
//! background = "dark"
//!
//! [palette]
//! orange = ["#ffaf5f", "yellow"]      # exact colour, stand-in among the terminal's 16
//!
//! [keys]
//! "event.handoff" = "orange bold"     # foreground, `on` background, modifiers
//! "ui.selection" = "default on panel"
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use ratatui::style::Modifier;
use serde::Deserialize;

use super::colour::{ansi_by_name, ansi_names, nearest_ansi, parse_hex};
use super::{Background, ColourDepth, IconSet, Key, Paint, StyleSpec, Theme, ThemeError};
use crate::domain::text::line_of;

/// Themes that come with the program.
const BUILTIN: [(&str, &str); 12] = [
    ("dark", include_str!("../../../themes/dark.toml")),
    ("light", include_str!("../../../themes/light.toml")),
    ("high-contrast", include_str!("../../../themes/high-contrast.toml")),
    ("high-contrast-light", include_str!("../../../themes/high-contrast-light.toml")),
    ("ansi16", include_str!("../../../themes/ansi16.toml")),
    ("catppuccin-latte", include_str!("../../../themes/catppuccin-latte.toml")),
    ("catppuccin-mocha", include_str!("../../../themes/catppuccin-mocha.toml")),
    ("dracula", include_str!("../../../themes/dracula.toml")),
    ("gruvbox-dark", include_str!("../../../themes/gruvbox-dark.toml")),
    ("nord", include_str!("../../../themes/nord.toml")),
    ("solarized-light", include_str!("../../../themes/solarized-light.toml")),
    ("tokyo-night", include_str!("../../../themes/tokyo-night.toml")),
];

/// Themes a theme may build on, one upon the other.
const INHERITS_MAX: usize = 8;

/// The largest theme file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    inherits: Option<String>,
    #[serde(default)]
    background: Option<Background>,
    #[serde(default)]
    palette: BTreeMap<String, PaletteEntry>,
    #[serde(default)]
    keys: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum PaletteEntry {
    One(String),
    WithFallback([String; 2]),
}

/// All themes that can be chosen: those that come with the program, and the user's own.
#[derive(Debug, Clone)]
pub struct Themes {
    files: BTreeMap<String, String>,
}

impl Default for Themes {
    fn default() -> Self {
        Self { files: BUILTIN.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect() }
    }
}

impl Themes {
    /// The themes that come with the program.
    pub fn builtin() -> Self {
        Self::default()
    }

    /// Adds the `*.toml` files of `folder`; one of the same name replaces a theme of the program. A folder that is
    /// not there adds nothing. What could not be read is told, the rest is added.
    pub fn add_folder(&mut self, folder: &Path) -> Vec<ThemeError> {
        let mut errors = Vec::new();
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return errors,
            Err(source) => return vec![ThemeError::Read { path: folder.to_owned(), source }],
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            match read_bounded(&path) {
                Ok(text) => self.add(name, text),
                Err(source) => errors.push(ThemeError::Read { path, source }),
            }
        }
        errors
    }

    /// Adds one theme by the text of its file.
    pub fn add(&mut self, name: &str, text: impl Into<String>) {
        self.files.insert(name.to_owned(), text.into());
    }

    /// All names, in order.
    pub fn names(&self) -> Vec<&str> {
        self.files.keys().map(String::as_str).collect()
    }

    /// What a theme's file says of itself: its first line, where that is a comment.
    pub fn about(&self, name: &str) -> &str {
        let first = self.files.get(name).and_then(|text| text.lines().next()).unwrap_or_default();
        first.strip_prefix('#').map_or("", str::trim)
    }

    /// What is wrong with the setting `theme`, where it names a theme that cannot be used; the user's own are in `folder`,
    /// which is read only for a name that the program does not bring.
    pub fn problem(name: &str, folder: &Path) -> Option<ThemeError> {
        if name == "auto" {
            return None;
        }
        let mut themes = Self::builtin();
        if !themes.files.contains_key(name) {
            themes.add_folder(folder);
        }
        themes.load(name, ColourDepth::TrueColour, IconSet::Unicode).err()
    }

    /// The theme `name`, made ready for a terminal of `depth`.
    ///
    /// # Errors
    /// When there is no such theme, or it or one that it builds on is wrong.
    pub fn load(&self, name: &str, depth: ColourDepth, icons: IconSet) -> Result<Theme, ThemeError> {
        let chain = self.chain(name)?;
        let mut palette = BTreeMap::new();
        let mut background = Background::default();
        for (theme, file) in &chain {
            background = file.background.unwrap_or(background);
            for (colour, entry) in &file.palette {
                palette.insert(colour.clone(), paint(theme, colour, entry)?);
            }
        }
        let mut specs: Vec<Option<StyleSpec>> = vec![None; Key::ALL.len()];
        for (theme, file) in &chain {
            for (key, value) in &file.keys {
                let known = Key::from_name(key).ok_or_else(|| ThemeError::UnknownKey {
                    theme: theme.clone(),
                    key: key.clone(),
                    suggestion: nearest(key, Key::ALL.iter().map(|key| key.name())),
                })?;
                if let Some(spec) = specs.get_mut(known as usize) {
                    *spec = Some(style(theme, key, value, &palette)?);
                }
            }
        }
        let missing: Vec<_> = Key::ALL.iter().zip(&specs).filter(|(_, spec)| spec.is_none()).map(|(key, _)| key.name()).collect();
        if !missing.is_empty() {
            return Err(ThemeError::MissingKeys { theme: name.to_owned(), keys: missing });
        }
        if depth == ColourDepth::None
            && let Some(screen) = specs.get_mut(Key::UiBackground as usize)
        {
            // Nothing stands out where everything is reversed.
            *screen = None;
        }
        let styles = specs.into_iter().map(|spec| spec.unwrap_or_default().at(depth)).collect();
        Ok(Theme::new(name.to_owned(), background, depth, icons, styles))
    }

    /// `name` and all it builds on, the base first.
    fn chain(&self, name: &str) -> Result<Vec<(String, File)>, ThemeError> {
        let mut chain: Vec<(String, File)> = Vec::new();
        let mut next = Some(name.to_owned());
        while let Some(theme) = next {
            if chain.len() == INHERITS_MAX || chain.iter().any(|(seen, _)| *seen == theme) {
                return Err(ThemeError::Circle { theme: name.to_owned() });
            }
            let text = self.files.get(&theme).ok_or_else(|| ThemeError::Unknown {
                name: theme.clone(),
                suggestion: nearest(&theme, self.files.keys().map(String::as_str)),
            })?;
            let file: File = toml::from_str(text).map_err(|error| ThemeError::Parse {
                theme: theme.clone(),
                line: error.span().map_or(1, |span| line_of(text, span.start)),
                problem: error.message().to_owned(),
            })?;
            chain.push((theme, file));
            next = chain.last().and_then(|(_, file)| file.inherits.clone());
        }
        chain.reverse();
        Ok(chain)
    }
}

fn read_bounded(path: &Path) -> std::io::Result<String> {
    let bytes = std::fs::metadata(path)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(std::io::Error::other(format!("{bytes} bytes are too many for a theme; at most {FILE_BYTES_MAX}")));
    }
    std::fs::read_to_string(path)
}

/// The name among `names` that was probably meant.
fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    const SIMILAR_MIN: f64 = 0.6;
    names
        .map(|name| (strsim::normalized_damerau_levenshtein(word, name), name))
        .filter(|(similar, _)| *similar >= SIMILAR_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.to_owned())
}

fn bad_word<'a>(theme: &str, key: &str, word: &str, names: impl Iterator<Item = &'a str>) -> ThemeError {
    ThemeError::BadStyle { theme: theme.to_owned(), key: key.to_owned(), word: word.to_owned(), suggestion: nearest(word, names) }
}

/// A colour that is written out: `default`, one of the 16, `#rrggbb`.
fn literal(word: &str) -> Option<Paint> {
    if word == "default" {
        return Some(Paint::Default);
    }
    if let Some(color) = ansi_by_name(word) {
        return Some(Paint::Ansi(color));
    }
    parse_hex(word).map(|rgb| Paint::Rgb { rgb, ansi: nearest_ansi(rgb) })
}

fn paint(theme: &str, colour: &str, entry: &PaletteEntry) -> Result<Paint, ThemeError> {
    let read = |word: &str| literal(word).ok_or_else(|| bad_word(theme, colour, word, ansi_names()));
    match entry {
        PaletteEntry::One(word) => read(word),
        PaletteEntry::WithFallback([exact, fallback]) => match (read(exact)?, ansi_by_name(fallback)) {
            (Paint::Rgb { rgb, .. }, Some(ansi)) => Ok(Paint::Rgb { rgb, ansi }),
            (_, Some(_)) => Err(bad_word(theme, colour, exact, ansi_names())),
            (_, None) => Err(bad_word(theme, colour, fallback, ansi_names())),
        },
    }
}

/// Modifiers by name.
const MODIFIERS: [(&str, Modifier); 6] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underline", Modifier::UNDERLINED),
    ("reverse", Modifier::REVERSED),
    ("strike", Modifier::CROSSED_OUT),
];

/// Reads `<colour> [on <colour>] [modifier…]`.
fn style(theme: &str, key: &str, value: &str, palette: &BTreeMap<String, Paint>) -> Result<StyleSpec, ThemeError> {
    let mut spec = StyleSpec::default();
    let mut background = false;
    for word in value.split_whitespace() {
        if let Some((_, modifier)) = MODIFIERS.iter().find(|(name, _)| *name == word) {
            spec.modifiers |= *modifier;
        } else if word == "on" {
            background = true;
        } else if let Some(paint) = palette.get(word).copied().or_else(|| literal(word)) {
            if background {
                spec.bg = paint;
            } else {
                spec.fg = paint;
            }
        } else {
            let mut names: Vec<&str> = palette.keys().map(String::as_str).collect();
            names.extend(ansi_names());
            names.extend(MODIFIERS.iter().map(|(name, _)| -> &str { name }));
            return Err(bad_word(theme, key, word, names.into_iter()));
        }
    }
    Ok(spec)
}
