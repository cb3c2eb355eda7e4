//! Settings, keys, themes, commands of the user's own, modal editing: as they look.

use std::collections::BTreeMap;

use crate::tui::msg::Msg;
use crate::tui::own::{OwnCommand, OwnCommands, Problem};
use crate::tui::settings::{Current, SETTINGS, Value};
use crate::tui::tests::{SIZES, Script, pictures};

impl Script {
    /// How the settings stand: some by default, one by the user's file, one by the environment.
    pub(crate) fn settings(&mut self) {
        self.type_text("/config");
        self.keys(&["esc", "enter"]);
        let mut current: BTreeMap<String, Current> = SETTINGS
            .iter()
            .map(|setting| {
                let value = setting.after(None).unwrap_or(Value::Text("auto".into()));
                (setting.key.to_owned(), Current { value: Some(value), origin: "default".into() })
            })
            .collect();
        let mut set =
            |key: &str, value: Value, origin: &str| current.insert(key.into(), Current { value: Some(value), origin: origin.into() });
        set("tui.wide_columns", Value::Number(110), "default");
        set("tui.icons", Value::Text("unicode".into()), "user config /home/me/.config/wakeful/config.toml");
        set("model", Value::Text("openai/gpt-4o".into()), "environment WAKEFUL_MODEL");
        set("server.listen", Value::Text("127.0.0.1:8000".into()), "default");
        for key in ["tui.history_max", "tui.paste_fold_lines", "agent.steps_max"] {
            set(key, Value::Number(25), "default");
        }
        self.send(Msg::Settings(Ok(current)));
    }

    /// Two commands of the user's own, and a file that does not fit.
    pub(crate) fn own(&mut self) {
        let command = |name: &str, arguments: &str, body: &str| OwnCommand {
            name: name.into(),
            description: format!("Does {name} well"),
            arguments: arguments.into(),
            body: body.into(),
            ..OwnCommand::default()
        };
        let list = vec![command("review", "FILE [FOCUS]", "Review $1. $2"), command("standup", "", "/quit what I did: $ARGUMENTS")];
        let problem = Problem { name: "broken".into(), text: "/home/me/.config/wakeful/commands/broken.md line 2: unknown key `x`".into() };
        self.send(Msg::Own(OwnCommands { list, problems: vec![problem], known: true }));
        self.state.toast = None;
    }
}

fn all(name: &str, prepare: impl Fn(&mut Script)) {
    for (name, picture) in pictures(name, &SIZES, prepare) {
        insta::assert_snapshot!(name, picture);
    }
}

#[test]
fn settings() {
    all("settings", |script| {
        script.settings();
        script.key("down");
    });
}

#[test]
fn settings_typed_and_refused() {
    all("settings_refused", |script| {
        script.settings();
        script.keys(&["down", "down", "down", "down", "down", "down", "down", "enter", "ctrl+u"]);
        script.type_text("12");
        script.key("enter");
    });
}

#[test]
fn keys() {
    all("keys", |script| {
        script.type_text("/keys");
        script.keys(&["esc", "enter", "ctrl+j"]);
    });
}

#[test]
fn themes() {
    all("themes", |script| {
        script.type_text("/theme");
        script.keys(&["esc", "enter", "down", "down"]);
    });
}

#[test]
fn commands_of_ones_own() {
    all("own_commands", |script| {
        script.own();
        script.type_text("/re");
    });
}

#[test]
fn modal_editing() {
    all("vi", |script| {
        script.state.options.vi = true;
        script.type_text("one two 中文");
        script.keys(&["esc", "b", "2", "d"]);
    });
}

#[test]
fn drafts_put_aside() {
    all("drafts", |script| {
        for draft in ["the first draft", "the second"] {
            script.type_text(draft);
            script.key("ctrl+s");
        }
        script.key("ctrl+s");
    });
}
