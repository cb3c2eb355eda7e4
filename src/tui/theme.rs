//! Themes: what each meaning looks like, on terminals of every colour depth.
//!
//! A theme file gives styles to the keys of [`Key`]; it may build on another (`inherits`) and give only what differs.
//! A key that does not exist, a colour that does not exist and a key without a style are errors. Themes leave the
//! terminal's background alone unless they say otherwise.

mod colour;
mod file;
mod icons;
mod keys;
#[cfg(test)]
mod tests;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use ratatui::style::{Color, Modifier, Style};
use serde::{Deserialize, Serialize};

pub use colour::{ColourDepth, Paint, rgb_of};
pub use file::Themes;
pub use icons::{Icon, IconSet};
pub use keys::Key;

/// Why a theme cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// No theme has this name.
    #[error("no theme `{name}`{}", did_you_mean(suggestion.as_deref()))]
    Unknown {
        /// The name.
        name: String,
        /// The nearest name.
        suggestion: Option<String>,
    },
    /// A theme file or the folder cannot be read.
    #[error("could not read `{}`", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A theme file is no TOML of the right shape.
    #[error("theme `{theme}` line {line}: {problem}")]
    Parse {
        /// The theme.
        theme: String,
        /// The line of its file, counted from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A key that no part of the screen uses.
    #[error("theme `{theme}`: unknown key `{key}`{}", did_you_mean(suggestion.as_deref()))]
    UnknownKey {
        /// The theme.
        theme: String,
        /// The key.
        key: String,
        /// The nearest key.
        suggestion: Option<String>,
    },
    /// A value that is no style.
    #[error("theme `{theme}`: `{key}`: no colour or modifier `{word}`{}", did_you_mean(suggestion.as_deref()))]
    BadStyle {
        /// The theme.
        theme: String,
        /// The key or the name in the palette.
        key: String,
        /// The word that is not understood.
        word: String,
        /// The nearest word.
        suggestion: Option<String>,
    },
    /// Keys without a style, in the theme and in those it builds on.
    #[error("theme `{theme}` gives no style to: {}", keys.join(", "))]
    MissingKeys {
        /// The theme.
        theme: String,
        /// The keys.
        keys: Vec<&'static str>,
    },
    /// Themes that build on each other in a circle, or on too many others.
    #[error("theme `{theme}` builds on itself")]
    Circle {
        /// The theme.
        theme: String,
    },
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!(": did you mean `{name}`?")).unwrap_or_default()
}

/// The background that a theme is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Background {
    /// Dark.
    #[default]
    Dark,
    /// Light.
    Light,
    /// Both.
    Any,
}

/// A theme made ready for one terminal.
#[derive(Debug, Clone, PartialEq)]
pub struct Theme {
    name: String,
    background: Background,
    depth: ColourDepth,
    icons: IconSet,
    /// One style for each key, in the order of [`Key::ALL`].
    styles: Vec<Style>,
    id: u64,
}

impl Theme {
    fn new(name: String, background: Background, depth: ColourDepth, icons: IconSet, styles: Vec<Style>) -> Self {
        let mut hasher = DefaultHasher::new();
        (&name, background, depth, icons, &styles).hash(&mut hasher);
        Self { name, background, depth, icons, styles, id: hasher.finish() }
    }

    /// A theme without any colour or modifier: for tests and for output that is no terminal.
    pub fn plain(icons: IconSet) -> Self {
        Self::new("plain".to_owned(), Background::Any, ColourDepth::None, icons, vec![Style::new(); Key::ALL.len()])
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The background it is made for.
    pub fn background(&self) -> Background {
        self.background
    }

    /// The colours it is made ready for.
    pub fn depth(&self) -> ColourDepth {
        self.depth
    }

    /// Tells themes apart: what was drawn with one id looks the same with the same id.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The style of `key`.
    pub fn style(&self, key: Key) -> Style {
        self.styles.get(key as usize).copied().unwrap_or_default()
    }

    /// The sign `icon` as this theme's icons draw it.
    pub fn icon(&self, icon: Icon) -> &'static str {
        icon.symbol(self.icons)
    }

    /// Which icons are drawn.
    pub fn icons(&self) -> IconSet {
        self.icons
    }

    /// The same theme with other icons.
    pub fn with_icons(self, icons: IconSet) -> Self {
        Self::new(self.name, self.background, self.depth, icons, self.styles)
    }

    /// The frame of the spinner at `tick`.
    pub fn spinner(&self, tick: u64) -> &'static str {
        self.icons.spinner(tick)
    }
}

/// A style of a theme file before it is made ready for a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct StyleSpec {
    fg: Paint,
    bg: Paint,
    modifiers: Modifier,
}

impl StyleSpec {
    /// The style on a terminal of `depth`. Without colours a background becomes reverse video, so that a selection
    /// stays visible.
    fn at(self, depth: ColourDepth) -> Style {
        let mut modifiers = self.modifiers;
        if depth == ColourDepth::None && self.bg != Paint::Default {
            modifiers |= Modifier::REVERSED;
        }
        let mut style = Style::new().add_modifier(modifiers);
        if self.fg != Paint::Default && depth != ColourDepth::None {
            style = style.fg(self.fg.at(depth));
        }
        match self.bg.at(depth) {
            Color::Reset => style,
            color => style.bg(color),
        }
    }
}
