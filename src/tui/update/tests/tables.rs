//! Every key and every command of the tables does something.

use super::*;

/// A state in which the row's key means something.
pub(super) fn at(context: Context) -> Script {
    let mut script = ready();
    script.servers();
    script.said("hello");
    script.tool("time", "now", Status::Started, None, None);
    script.tool("time", "now", Status::Success, Some(json!("12:00")), None);
    script.answered("line https://a.example/\n\n```\ncode\n```");
    script.finished(TurnEnd::Done, None);
    script.send(Msg::History(vec!["earlier".into()]));
    script.send(Msg::Kept(Box::default()));
    match context {
        Context::Global => {}
        Context::Composer => {
            script.type_text("above");
            script.key("ctrl+j");
            script.type_text("some words here");
            script.key("ctrl+j");
            script.send(Msg::Paste("many\n".repeat(20)));
            // Something was undone as well.
            script.keys(&["x", "ctrl+k", "up", "end", "alt+b", "q", "ctrl+_"]);
        }
        Context::Chat => {
            script.keys(&["f6", "/"]);
            script.type_text("e");
            script.keys(&["enter", "up", "up"]);
        }
        Context::Replay => {
            script.type_text("/replay");
            script.keys(&["esc", "enter"]);
            let id = script.state.session.id.clone();
            let events = script.log.iter().filter(|event| event.session.as_ref() == Some(&id)).cloned().collect();
            script.send(Msg::Answer(Answer::Replay(id, Ok(events))));
            script.keys(&["right", "right"]);
        }
        Context::Marking => script.keys(&["f6", "up", "up", "shift+v", "down"]),
        Context::Events => script.keys(&["f6", "f6", "up", "up"]),
        Context::Panels | Context::Tasks => {
            script.tasks();
            script.keys(&["ctrl+t", "down", "down"]);
        }
        Context::Inbox => {
            script.tasks();
            script.inbox();
            script.keys(&["ctrl+t", "tab", "down"]);
        }
        Context::Notices => {
            script.inbox();
            script.keys(&["ctrl+t", "tab", "tab", "down"]);
        }
        Context::Servers => script.keys(&["f7", "down"]),
        Context::Settings => {
            script.settings();
            script.keys(&["down", "down"]);
        }
        Context::Resources => {
            script.lends();
            script.type_text("/mcp resources");
            script.keys(&["esc", "enter", "down"]);
        }
    }
    script.effects.clear();
    script
}

/// Each key of the table, pressed where it counts, does what the snapshot says; none breaks the screen.
#[test]
fn every_key_of_the_table_does_something() {
    let mut out = BTreeMap::new();
    for row in KEYS {
        for key in row.keys {
            let mut script = at(row.context);
            let before = facts(&script);
            script.key(key);
            let after = facts(&script);
            script.text();
            let changes: Vec<_> = after.iter().filter(|fact| !before.contains(fact)).cloned().collect();
            let effects: Vec<_> = script.effects.iter().map(|effect| name(&format!("{effect:?}"))).collect();
            out.insert(format!("{:?} {key} ({})", row.context, row.name), format!("{} {}", changes.join(", "), effects.join(", ")));
        }
    }
    let lines: Vec<_> = out.iter().map(|(key, what)| format!("{key}: {}", what.trim())).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

fn name(debug: &str) -> String {
    debug.split(['{', '"']).next().unwrap_or_default().trim_end_matches([' ', '(']).to_owned()
}

fn facts(script: &Script) -> Vec<String> {
    let state = &script.state;
    let overlay = match &state.overlay {
        None => "none".to_owned(),
        Some(Overlay::Text(panel)) => format!("text `{}`", panel.title.split(" · ").next().unwrap_or_default()),
        Some(Overlay::Pick(picker)) => format!("pick {:?}", picker.kind),
        Some(Overlay::Tasks) => match &state.tasks.page {
            Some(page) => format!("page of {} at {:?}", page.task, page.section),
            None => "tasks".to_owned(),
        },
        Some(Overlay::Inbox) => format!("inbox {:?}", state.inbox.reading),
        Some(Overlay::Notices) => "notices".to_owned(),
        Some(Overlay::Servers) => "servers".to_owned(),
        Some(Overlay::Resources) => "resources".to_owned(),
        Some(Overlay::Form(inquiry)) => format!("form `{}`", inquiry.title()),
        Some(Overlay::Settings) => format!("settings at {} typing {}", state.settings.selected, state.settings.typing.is_some()),
        Some(Overlay::Keys) => "keys".to_owned(),
    };
    let open = state.transcript.items().filter(|item| item.open).count();
    vec![
        format!("text {:?}", state.composer.raw()),
        format!("caret {:?}", state.composer.caret()),
        format!("match {:?}", state.search.as_ref().map(|search| search.at)),
        format!("top {:?}", state.chat.top.map(|anchor| (anchor.item.0 % 1_000_000, anchor.row))),
        format!("mark {:?}", state.chat.mark.map(|mark| [mark.from, mark.at].map(|at| (at.item.0 % 1_000_000, at.row)))),
        format!("focus {:?}", state.focus),
        format!("column {:?}", state.column),
        format!("overlay {overlay}"),
        format!("mode {:?}", state.session.mode),
        format!("mouse {}", state.mouse),
        format!("tab {} of {}", state.tabs.at() + 1, state.tabs.count()),
        format!("replay {:?}", state.replay.as_ref().map(|replay| (replay.position(), replay.pace(), replay.is_paused()))),
        format!("side columns {}", crate::tui::layout::side_columns(state)),
        format!("event {:?}", state.events.selected()),
        format!("events paused {}", state.events.is_paused()),
        format!("filter typing {}", state.events_filter.is_some()),
        format!("search typing {}", state.search.is_some()),
        format!("open items {open}"),
        format!("item {:?}", state.chat.selected.map(|item| item.0 % 1_000_000)),
        format!("server {}", state.servers.selected),
        format!("task {:?}", state.tasks.current().map(|row| row.spec.task_id.to_string())),
        format!("entry {:?} notice {}", state.inbox.current().map(|row| row.item.item_id.to_string()), state.inbox.notice),
        format!("deleting {} snoozing {}", state.tasks.deleting.is_some(), state.inbox.snoozing.is_some()),
        format!("task filter typing {}", state.tasks.typing.is_some()),
        format!("resource {} typing {}", state.resources.selected, state.resources.typing.is_some()),
        format!("armed {}", state.quit_until.is_some()),
        format!("rewind {}", state.rewind_until.is_some()),
        format!("note {:?}", state.toast.as_ref().map(|toast| toast.text.clone())),
    ]
}

#[test]
fn every_command_can_be_run() {
    for row in slash::COMMANDS {
        let mut script = at(Context::Global);
        let text = match row.name {
            "rename" => "/rename a title".to_owned(),
            "task" => "/task techcrunch run".to_owned(),
            "notify" => "/notify test".to_owned(),
            "forget" => "/forget sky".to_owned(),
            "search" => "/search sky".to_owned(),
            "remember" => "/remember the sky is blue".to_owned(),
            name => format!("/{name}"),
        };
        script.type_text(&text);
        script.keys(&["esc", "enter"]);
        script.text();
        let did = !script.effects.iter().all(|effect| matches!(effect, Effect::KeepPrompt(_)))
            || script.state.overlay.is_some()
            || script.state.toast.is_some()
            || script.state.focus == Focus::Events
            || row.name == "clear";
        assert!(did, "{text} did nothing");
        assert!(script.state.composer.is_empty(), "{text} was not taken");
    }
}
