//! `/config`: looks at the settings, changes one, lets it count.

use crossterm::event::{KeyCode, KeyEvent};

use crate::domain::text::clean_line;
use crate::tui::keymap::Action;
use crate::tui::msg::Effect;
use crate::tui::panels::Overlay;
use crate::tui::panels::picker::Input;
use crate::tui::settings::{Applies, Current, Kind, SETTINGS, Setting, SettingsPanel, Value};
use crate::tui::state::{State, Tone};
use crate::tui::theme::IconSet;
use crate::tui::update::{commands, overlay};

/// Opens the panel.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    state.settings = SettingsPanel { restart: state.settings.restart, ..SettingsPanel::default() };
    state.over(Overlay::Settings);
    vec![Effect::ReadSettings]
}

/// The settings came, or why not.
pub(super) fn read(state: &mut State, result: Result<std::collections::BTreeMap<String, Current>, String>) {
    match result {
        Ok(current) => (state.settings.current, state.settings.error) = (current, None),
        Err(reason) => state.settings.error = Some(clean_line(&reason)),
    }
}

/// Takes a key of the panel.
pub(super) fn key(state: &mut State, key: &KeyEvent, action: Option<Action>) -> Vec<Effect> {
    if state.settings.typing.is_some() {
        return typed(state, key, action);
    }
    let elsewhere = state.line.is_some();
    match action {
        Some(Action::Escape | Action::Interrupt) => overlay::close(state),
        Some(Action::PanelUp) => state.settings.step(-1, elsewhere),
        Some(Action::PanelDown) => state.settings.step(1, elsewhere),
        Some(Action::PageUp) => state.settings.step(-8, elsewhere),
        Some(Action::PageDown) => state.settings.step(8, elsewhere),
        Some(Action::SettingChange) => return change(state),
        Some(Action::SettingDefault) => {
            let key = state.settings.chosen(elsewhere).map(|setting| setting.key.to_owned());
            return key.map(|key| Effect::SaveSetting(key, None)).into_iter().collect();
        }
        _ => {}
    }
    Vec::new()
}

fn typed(state: &mut State, key: &KeyEvent, action: Option<Action>) -> Vec<Effect> {
    let elsewhere = state.line.is_some();
    let panel = &mut state.settings;
    let (Some(setting), Some(input)) = (panel.chosen(elsewhere), &mut panel.typing) else { return Vec::new() };
    match (key.code, action) {
        (_, Some(Action::Escape | Action::Interrupt)) => {
            panel.typing = None;
            panel.refused = None;
        }
        (KeyCode::Enter, _) => match setting.parse(&input.text) {
            Ok(value) => {
                panel.typing = None;
                panel.refused = None;
                return save(setting, value);
            }
            Err(reason) => panel.refused = Some(reason),
        },
        _ => {
            if input.key(key) {
                panel.refused = None;
            }
        }
    }
    Vec::new()
}

fn change(state: &mut State) -> Vec<Effect> {
    let Some(setting) = state.settings.chosen(state.line.is_some()) else { return Vec::new() };
    let value = state.settings.value(setting.key).cloned();
    if setting.kind == Kind::Theme {
        let picker = commands::themes(state);
        state.over(Overlay::Pick(picker));
        return Vec::new();
    }
    if let Some(next) = setting.after(value.as_ref()) {
        return save(setting, next);
    }
    state.settings.typing = Some(Input::new(value.map(|value| value.shown()).unwrap_or_default()));
    Vec::new()
}

fn save(setting: &Setting, value: Value) -> Vec<Effect> {
    vec![Effect::SaveSetting(setting.key.to_owned(), Some(value))]
}

/// A setting was written, or not.
pub(super) fn saved(state: &mut State, key: &str, value: Option<&Value>, result: Result<String, String>) -> Vec<Effect> {
    let label = Setting::of(key).map_or(key, |setting| setting.label);
    let path = match result {
        Ok(path) => clean_line(&path),
        Err(reason) => {
            let reason = clean_line(&reason);
            if matches!(state.overlay, Some(Overlay::Settings)) {
                state.settings.refused = Some(reason);
            } else {
                state.note(Tone::Bad, format!("{label} counts for this run only: {reason}"));
            }
            return Vec::new();
        }
    };
    state.settings.refused = None;
    let (mut what, word) = match value {
        Some(value) => (format!("{label} {}", value.shown()), "kept in"),
        None => (format!("{label} as by default"), "out of"),
    };
    let restart = Setting::of(key).is_some_and(|setting| setting.applies == Applies::Restart);
    if restart {
        what.push_str(" from the next start");
        state.settings.restart = true;
    }
    state.note(Tone::Good, format!("{what}; {word} {path}"));
    let mut effects = apply(state, key, value);
    effects.push(Effect::ReadSettings);
    effects
}

/// Lets a setting count that can do so at once. A default is what the options say where nothing is set.
fn apply(state: &mut State, key: &str, value: Option<&Value>) -> Vec<Effect> {
    let defaults = crate::tui::Options::default();
    let is_on = |otherwise: bool| value.map_or(otherwise, |value| *value == Value::Bool(true));
    let text = |otherwise: &str| match value {
        Some(Value::Text(text)) => text.clone(),
        _ => otherwise.to_owned(),
    };
    match key {
        "tui.theme" => {
            let name = text(&defaults.theme);
            state.options.theme.clone_from(&name);
            commands::wear(state, &name);
        }
        "tui.icons" => {
            state.options.icons = if text("unicode") == "ascii" { IconSet::Ascii } else { IconSet::Unicode };
            let name = state.options.theme.clone();
            commands::wear(state, &name);
        }
        "tui.mouse" => {
            state.options.mouse = is_on(defaults.mouse);
            state.mouse = state.options.mouse;
            return vec![Effect::Mouse(state.mouse)];
        }
        "tui.vi" => {
            state.options.vi = is_on(defaults.vi);
            state.vi = crate::tui::vi::Vi::default();
        }
        "tui.reduced_motion" => state.options.reduced_motion = is_on(defaults.reduced_motion),
        "tui.wide_columns" => {
            let columns = if let Some(Value::Number(number)) = value { u16::try_from(*number).ok() } else { None };
            state.options.wide_columns = columns.unwrap_or(defaults.wide_columns);
        }
        _ => {}
    }
    Vec::new()
}

/// All paths of the table.
pub(in crate::tui) fn keys() -> Vec<&'static str> {
    SETTINGS.iter().map(|setting| setting.key).collect()
}
