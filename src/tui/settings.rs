//! The settings that can be changed from the screen: one table; the panel, its checks and the names in the config file
//! come from its rows. What the file may hold is decided where it is read: [`Preferences`] checks the whole file before it
//! is written.

use std::collections::BTreeMap;

use crate::tui::panels::picker::Input;

/// A value of the config file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Number(u64),
    /// A text.
    Text(String),
}

impl Value {
    /// As people read it.
    pub fn shown(&self) -> String {
        match self {
            Self::Bool(true) => "on".to_owned(),
            Self::Bool(false) => "off".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => crate::domain::text::clean_line(text),
        }
    }
}

/// A setting as it counts now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// Its value; none where nothing is set.
    pub value: Option<Value>,
    /// Where that came from: `default`, `user config PATH`, `environment NAME` …
    pub origin: String,
}

/// The user's config file. Calls may block: not for the draw loop.
pub trait Preferences: Send + Sync {
    /// How the settings `keys` (dotted paths) stand now.
    ///
    /// # Errors
    /// When the files do not fit: one sentence with file, line and what would be right.
    fn read(&self, keys: &[&str]) -> Result<BTreeMap<String, Current>, String>;

    /// Writes one setting, or takes it out of the file (`None`), where the file then still fits; comments and order stay.
    /// Gives back the file's path.
    ///
    /// # Errors
    /// When the value is refused or the file cannot be written; the file is then as it was.
    fn save(&self, key: &str, value: Option<&Value>) -> Result<String, String>;
}

/// What a setting may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On or off.
    Switch,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A theme; they have a list of their own.
    Theme,
    /// A whole number from … to ….
    Number(u64, u64),
    /// A text.
    Text,
}

/// When a change counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// At once.
    Now,
    /// In sessions that begin after the next start.
    Restart,
}

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its path in the config file.
    pub key: &'static str,
    /// What people call it.
    pub label: &'static str,
    /// One line of help.
    pub help: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// When a change counts.
    pub applies: Applies,
}

const fn now(key: &'static str, label: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting { key, label, help, kind, applies: Applies::Now }
}

const fn later(key: &'static str, label: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting { key, label, help, kind, applies: Applies::Restart }
}

/// The table. No secret is in it: what holds one is named by a variable and written by hand.
pub const SETTINGS: &[Setting] = &[
    now("tui.theme", "theme", Kind::Theme, "colours; enter shows all with a preview"),
    now("tui.icons", "icons", Kind::Choice(&["unicode", "ascii"]), "ascii for fonts and terminals without symbols"),
    now("tui.mouse", "mouse", Kind::Switch, "off leaves selecting to the terminal; F8 toggles it for this run"),
    now("tui.vi", "vi keys", Kind::Switch, "modal editing of the message: esc leaves insert mode"),
    now("tui.reduced_motion", "reduced motion", Kind::Switch, "nothing spins; what counts down or up does so every ten seconds"),
    later(
        "tui.screen_reader",
        "screen reader",
        Kind::Switch,
        "plain lines from top to bottom: no borders, no second column, nothing drawn over",
    ),
    later("tui.alternate_screen", "alternate screen", Kind::Choice(&["auto", "always", "never"]), "never leaves the last screen behind"),
    now("tui.wide_columns", "side by side from", Kind::Number(80, 400), "columns from which chat and events stand side by side"),
    later("tui.history_max", "prompts kept", Kind::Number(1, 100_000), "for Up and Ctrl+R, across runs"),
    later("tui.paste_fold_lines", "fold pastes from", Kind::Number(1, 10_000), "lines; a larger paste becomes one chip"),
    later("model", "model", Kind::Text, "provider/model of new sessions; /model changes this one's"),
    later("agent.mode", "approvals", Kind::Choice(&["ask", "auto-read", "auto"]), "when tool calls ask; shift+tab changes this session's"),
    later("agent.steps_max", "steps of a turn", Kind::Number(1, 1_000), "model calls that one turn may take"),
    later("mcp.confirm_commands", "show commands first", Kind::Switch, "before a server's command runs for the first time"),
    later("mcp.confirm_changed_tools", "hold changed tools", Kind::Switch, "until you have looked at the difference"),
    later(
        "notify.terminal.style",
        "terminal notices",
        Kind::Choice(&["auto", "osc9", "osc777", "bell"]),
        "how the terminal tells what needs you",
    ),
    later("fetch.allow_private", "reach private addresses", Kind::Switch, "addresses of your own network that you give are reached"),
    later("server.enabled", "feed for others", Kind::Switch, "offer the feed, the API and the dashboard beside this screen"),
    later("server.listen", "feed address", Kind::Text, "other than loopback takes a token: [server] token_env"),
];

impl Setting {
    /// The setting of that path.
    pub fn of(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// Reads what was typed.
    ///
    /// # Errors
    /// When it does not fit; one sentence.
    pub fn parse(&self, typed: &str) -> Result<Value, String> {
        let typed = typed.trim();
        match self.kind {
            Kind::Switch => match typed {
                "on" | "true" | "yes" => Ok(Value::Bool(true)),
                "off" | "false" | "no" => Ok(Value::Bool(false)),
                other => Err(format!("`{other}` is neither on nor off")),
            },
            Kind::Choice(words) if words.contains(&typed) => Ok(Value::Text(typed.to_owned())),
            Kind::Choice(words) => Err(format!("`{typed}` is none of {}", words.join(", "))),
            Kind::Number(from, upto) => match typed.parse::<u64>() {
                Ok(number) if (from..=upto).contains(&number) => Ok(Value::Number(number)),
                _ => Err(format!("`{typed}` is no whole number from {from} to {upto}")),
            },
            Kind::Theme | Kind::Text if typed.is_empty() => Err("it is empty; x takes it back to the default".to_owned()),
            Kind::Theme | Kind::Text => Ok(Value::Text(typed.to_owned())),
        }
    }

    /// What comes after `value` where a key goes through the values; nothing where they are typed.
    pub fn after(&self, value: Option<&Value>) -> Option<Value> {
        match (self.kind, value) {
            (Kind::Switch, Some(Value::Bool(on))) => Some(Value::Bool(!on)),
            (Kind::Switch, _) => Some(Value::Bool(true)),
            (Kind::Choice(words), value) => {
                let at = words.iter().position(|word| matches!(value, Some(Value::Text(text)) if text == word));
                words.get(at.map_or(0, |at| (at + 1) % words.len())).map(|word| Value::Text((*word).to_owned()))
            }
            (Kind::Theme | Kind::Number(..) | Kind::Text, _) => None,
        }
    }
}

/// The panel over the table.
#[derive(Debug, Clone, Default)]
pub struct SettingsPanel {
    /// How the settings stand, by path; empty until they were read.
    pub current: BTreeMap<String, Current>,
    /// Why they could not be read.
    pub error: Option<String>,
    /// The chosen row of those that are shown.
    pub selected: usize,
    /// The value while it is typed.
    pub typing: Option<Input>,
    /// What is wrong with the chosen one.
    pub refused: Option<String>,
    /// Whether something was changed that needs a new start.
    pub restart: bool,
}

impl SettingsPanel {
    /// The rows that are shown: all; of a program elsewhere only what is this screen's own.
    pub fn rows(elsewhere: bool) -> Vec<&'static Setting> {
        SETTINGS.iter().filter(|setting| !elsewhere || setting.key.starts_with("tui.")).collect()
    }

    /// The chosen setting.
    pub fn chosen(&self, elsewhere: bool) -> Option<&'static Setting> {
        let rows = Self::rows(elsewhere);
        rows.get(self.selected.min(rows.len().saturating_sub(1))).copied()
    }

    /// Its value.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.current.get(key).and_then(|current| current.value.as_ref())
    }

    /// Moves the choice.
    pub fn step(&mut self, step: isize, elsewhere: bool) {
        let last = Self::rows(elsewhere).len().saturating_sub(1);
        self.selected = self.selected.min(last).saturating_add_signed(step).min(last);
        self.typing = None;
        self.refused = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_must_fit() {
        let check = |key: &str, typed: &str, expected: Result<Value, &str>| {
            let got = Setting::of(key).unwrap().parse(typed);
            match expected {
                Ok(value) => assert_eq!(got, Ok(value), "{key} {typed}"),
                Err(part) => assert!(got.as_ref().unwrap_err().contains(part), "{key} {typed}: {got:?}"),
            }
        };
        check("tui.mouse", "off", Ok(Value::Bool(false)));
        check("tui.mouse", "maybe", Err("neither on nor off"));
        check("tui.icons", "ascii", Ok(Value::Text("ascii".into())));
        check("tui.icons", "emoji", Err("none of unicode, ascii"));
        check("tui.wide_columns", " 120 ", Ok(Value::Number(120)));
        check("tui.wide_columns", "10", Err("from 80 to 400"));
        check("tui.wide_columns", "-1", Err("whole number"));
        check("model", " ", Err("empty"));
    }

    #[test]
    fn a_key_goes_through_the_values_and_comes_round() {
        let setting = Setting::of("tui.alternate_screen").unwrap();
        let mut value = None;
        let mut seen = Vec::new();
        for _ in 0..4 {
            value = setting.after(value.as_ref());
            seen.push(value.clone().unwrap().shown());
        }
        assert_eq!(seen, ["auto", "always", "never", "auto"]);
        assert_eq!(Setting::of("model").unwrap().after(None), None);
    }
}
