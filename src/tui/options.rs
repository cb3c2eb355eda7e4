//! The sections `[tui]` and `[tui.keys]` of the config.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::tui::theme::IconSet;

/// When the program takes the terminal's alternate screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlternateScreen {
    /// Always, except in terminals known to lose their scrollback with it.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never: the last screen stays behind.
    Never,
}

/// How pictures in the chat are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Images {
    /// By what the terminal is known to show, told by its environment.
    #[default]
    Auto,
    /// kitty's graphics with Unicode placeholders.
    Kitty,
    /// iTerm2's inline files.
    Iterm2,
    /// Sixel graphics.
    Sixel,
    /// Not at all: their files are named.
    Off,
}

/// How the terminal surface looks and reacts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// A theme's name, or `auto`: dark or light by the terminal's background. Default `auto`.
    pub theme: String,
    /// `unicode` or `ascii`. Default `unicode`.
    pub icons: IconSet,
    /// `auto`, `always` or `never`. Default `auto`.
    pub alternate_screen: AlternateScreen,
    /// Whether the mouse is used from the start; F8 toggles it. Default true.
    pub mouse: bool,
    /// Whether the message is edited with vi keys. Default false.
    pub vi: bool,
    /// Whether nothing spins, and what counts down or up does so every ten seconds. Default false.
    pub reduced_motion: bool,
    /// Whether the screen is plain lines from top to bottom, for screen readers. Default false.
    pub screen_reader: bool,
    /// How pictures are shown: `auto`, `kitty`, `iterm2`, `sixel`, `off`. Default `auto`.
    pub images: Images,
    /// Columns from which chat and events stand side by side. Default 110.
    pub wide_columns: u16,
    /// Events kept for the pane. Default 10,000.
    pub events_max: usize,
    /// Prompts kept for Up and Ctrl+R. Default 1,000.
    pub history_max: usize,
    /// A paste of more lines folds to one chip. Default 10.
    pub paste_fold_lines: usize,
    /// A paste of more characters folds to one chip. Default 1,000.
    pub paste_fold_chars: usize,
    /// Keys by action, in place of the default ones: `send = ["enter"]`. Two actions on one key are an error.
    pub keys: BTreeMap<String, Vec<String>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            theme: "auto".to_owned(),
            icons: IconSet::default(),
            alternate_screen: AlternateScreen::default(),
            mouse: true,
            vi: false,
            reduced_motion: false,
            screen_reader: false,
            images: Images::default(),
            wide_columns: 110,
            events_max: 10_000,
            history_max: 1_000,
            paste_fold_lines: 10,
            paste_fold_chars: 1_000,
            keys: BTreeMap::new(),
        }
    }
}
