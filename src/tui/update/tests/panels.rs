//! Commands of the user's own, settings, the list of keys, themes, drafts, modal editing, what is remembered.

use super::*;
use crate::tui::kept::Kept;
use crate::tui::panels::picker::Pick;
use crate::tui::settings::Value;
use crate::tui::vi::Mode;

fn saved(script: &mut Script) -> Vec<(String, Option<Value>)> {
    let effects = std::mem::take(&mut script.effects);
    let saved = effects.into_iter().filter_map(|effect| match effect {
        Effect::SaveSetting(key, value) => Some((key, value)),
        _ => None,
    });
    saved.collect()
}

fn note(script: &Script) -> String {
    script.state.toast.as_ref().map(|toast| toast.text.clone()).unwrap_or_default()
}

fn run(script: &mut Script, text: &str) {
    script.type_text(text);
    script.keys(&["esc", "enter"]);
}

#[test]
fn a_command_of_ones_own_is_sent_as_a_prompt_whatever_it_begins_with() {
    let mut script = ready();
    script.own();
    run(&mut script, "/review a.rs 'the tests'");
    assert_eq!(submitted(&mut script), [("Review a.rs. the tests".to_owned(), When::Steer)]);
    run(&mut script, "/standup today");
    assert_eq!(submitted(&mut script), [("/quit what I did: today".to_owned(), When::Steer)], "it is text, not a command");
    run(&mut script, "/review");
    assert!(submitted(&mut script).is_empty());
    assert_eq!(note(&script), "FILE is missing; usage: /review FILE [FOCUS]");
    assert_eq!(script.state.composer.raw(), "/review", "what was typed stays to be put right");
}

#[test]
fn files_that_do_not_fit_are_told_when_they_are_asked_for() {
    let mut script = ready();
    script.own();
    run(&mut script, "/broken now");
    assert!(note(&script).contains("broken.md line 2"), "{}", note(&script));
    script.key("ctrl+c");
    run(&mut script, "/reviw a.rs");
    assert_eq!(note(&script), "unknown command `/reviw`; did you mean `/review`?");
    assert!(submitted(&mut script).is_empty());
    script.key("ctrl+c");
    run(&mut script, "/help");
    script.key("end");
    script.keys(&["g"]);
    let help = script.state.overlay.clone();
    let Some(Overlay::Text(panel)) = help else { panic!("no help") };
    assert!(panel.copy.unwrap().contains("/review FILE [FOCUS]"));
}

#[test]
fn a_command_of_ones_own_may_choose_the_model_and_the_agent() {
    let mut script = ready();
    script.own();
    script.state.own.list[1].model = Some("offline/other".into());
    script.state.own.list[1].agent = Some("coder".into());
    run(&mut script, "/standup x");
    assert_eq!(script.state.session.model, "offline/other");
    let commands = script.commands();
    assert!(matches!(commands.last(), Some(Command::Submit { text, .. }) if text == "Hand over to coder: /quit what I did: x"));
}

#[test]
fn the_files_are_looked_at_when_a_command_is_begun() {
    let mut script = ready();
    let looks = |script: &Script| script.effects.iter().filter(|effect| **effect == Effect::ReadOwn).count();
    script.type_text("/re");
    assert_eq!(looks(&script), 1);
    script.type_text("view");
    assert_eq!(looks(&script), 1, "once for a command");
    script.key("ctrl+c");
    script.type_text("/");
    assert_eq!(looks(&script), 2);
    script.own();
    script.type_text("rev");
    script.key("tab");
    assert_eq!(script.state.composer.raw(), "/review ");
}

#[test]
fn a_theme_that_is_looked_at_is_worn_and_one_that_is_taken_is_kept() {
    let mut script = ready();
    let before = script.state.theme.id();
    run(&mut script, "/theme");
    script.keys(&["down", "down", "down"]);
    assert_ne!(script.state.theme.id(), before, "looked at");
    script.key("esc");
    assert_eq!(script.state.theme.id(), before);
    run(&mut script, "/theme");
    script.type_text("nord");
    script.key("enter");
    assert_eq!(script.state.theme.name(), "nord");
    assert_eq!(saved(&mut script), [("tui.theme".to_owned(), Some(Value::Text("nord".into())))]);
    script.send(Msg::SettingSaved("tui.theme".into(), Some(Value::Text("nord".into())), Ok("/c.toml".into())));
    assert_eq!(note(&script), "theme nord; kept in /c.toml");
    run(&mut script, "/theme nrod");
    assert!(note(&script).contains("did you mean `nord`?"));
    assert!(saved(&mut script).is_empty());
}

#[test]
fn settings_are_changed_one_by_one_and_refusals_are_shown() {
    let mut script = ready();
    script.settings();
    assert!(script.effects.contains(&Effect::ReadSettings));
    script.keys(&["down", "enter"]);
    assert_eq!(saved(&mut script), [("tui.icons".to_owned(), Some(Value::Text("ascii".into())))]);
    script.send(Msg::SettingSaved("tui.icons".into(), Some(Value::Text("ascii".into())), Ok("/c.toml".into())));
    assert!(script.text().contains("+--"), "ascii counts at once");
    script.keys(&["down", "x"]);
    assert_eq!(saved(&mut script), [("tui.mouse".to_owned(), None)]);
    script.send(Msg::SettingSaved("tui.mouse".into(), None, Err("the disk is full".into())));
    assert!(script.text().contains("the disk is full"));
    script.keys(&["down", "enter"]);
    script.send(Msg::SettingSaved("tui.vi".into(), Some(Value::Bool(true)), Ok("/c.toml".into())));
    assert!(script.state.options.vi);
    script.send(Msg::SettingSaved("server.enabled".into(), Some(Value::Bool(true)), Ok("/c.toml".into())));
    assert!(note(&script).contains("from the next start") && script.text().contains("some count from the next start"));
    script.key("esc");
    assert!(script.state.overlay.is_none());
}

#[test]
fn a_typed_setting_is_checked_before_it_is_written() {
    let mut script = ready();
    script.settings();
    script.keys(&["pgdn", "up", "enter"]);
    let key = script.state.settings.chosen(false).unwrap().key;
    assert_eq!(key, "tui.wide_columns");
    assert!(script.draw().1.is_some(), "the cursor stands in the field");
    script.key("ctrl+u");
    script.send(Msg::Paste("9".into()));
    script.key("enter");
    assert!(saved(&mut script).is_empty() && script.text().contains("no whole number from 80 to 400"));
    script.type_text("0");
    script.key("enter");
    assert_eq!(saved(&mut script), [("tui.wide_columns".to_owned(), Some(Value::Number(90)))]);
    script.send(Msg::SettingSaved("tui.wide_columns".into(), Some(Value::Number(90)), Ok("/c.toml".into())));
    assert_eq!(script.state.options.wide_columns, 90);
    script.key("esc");
    script.settings();
    script.key("enter");
    assert!(matches!(&script.state.overlay, Some(Overlay::Pick(picker)) if picker.kind == PickKind::Themes));
    script.key("enter");
    assert!(matches!(script.state.overlay, Some(Overlay::Settings)), "back where it came from");
}

#[test]
fn a_key_can_be_tried() {
    let mut script = ready();
    run(&mut script, "/keys");
    script.key("ctrl+j");
    assert!(script.text().contains("ctrl+j → newline (message)"), "{}", script.text());
    script.key("r");
    let text = script.text();
    assert!(text.contains("task_run (tasks)") && text.contains("server_restart (servers)"), "{text}");
    script.key("ctrl+d");
    assert!(script.text().contains("ctrl+d → quit (everywhere)") && !script.effects.contains(&Effect::Quit), "it is only tried");
    script.key("f12");
    assert!(script.text().contains("does nothing of its own"));
    script.keys(&["pgdn", "pgdn", "down", "up", "esc"]);
    assert!(script.state.overlay.is_none());
}

#[test]
fn keys_of_ones_own_are_marked() {
    let mut script = ready();
    let keys = [("palette".to_owned(), vec!["ctrl+k".to_owned()]), ("kill_end".to_owned(), Vec::new())];
    script.state.keymap = crate::tui::keymap::Keymap::new(&keys.into_iter().collect()).unwrap();
    run(&mut script, "/keys");
    script.key("ctrl+k");
    let text = script.text();
    assert!(text.contains("ctrl+k → palette (everywhere)"), "{text}");
    assert!(text.lines().any(|line| line.contains("palette") && line.contains("(yours)")), "{text}");
}

#[test]
fn a_line_behind_an_exclamation_mark_is_for_the_shell() {
    let mut script = ready();
    script.type_text("!");
    assert!(script.text().contains("shell command") && script.text().contains("run, after consent"));
    script.key("enter");
    assert!(note(&script).contains("missing behind"));
    script.type_text("ls -l");
    script.key("enter");
    let commands = script.commands();
    assert!(matches!(commands.first(), Some(Command::NewSession { .. })));
    assert!(matches!(commands.last(), Some(Command::Shell { command, .. }) if command == "ls -l"), "{commands:?}");
    assert!(script.state.composer.is_empty() && script.text().contains(" message "));
    let shell = commands.last().unwrap().clone();
    script.send(Msg::NotSent(Box::new(shell), "too much at once".into()));
    assert_eq!(script.state.composer.raw(), "!ls -l", "what was typed is not lost");
    let mut busy = running();
    busy.type_text("!ls");
    busy.key("enter");
    assert!(note(&busy).contains("while the agent works") && busy.state.composer.raw() == "!ls");
    assert!(busy.commands().is_empty());
}

#[test]
fn a_report_is_written_on_demand() {
    let mut script = ready();
    run(&mut script, "/bug");
    assert!(script.effects.iter().any(|effect| matches!(effect, Effect::Report(text) if text.contains("## Program"))));
}

#[test]
fn with_reduced_motion_nothing_spins() {
    let mut script = running();
    script.state.options.reduced_motion = true;
    let (tick, now) = (script.state.chat.tick, script.state.now);
    assert!(script.state.next_wake().is_none_or(|at| at.since(now) >= std::time::Duration::from_secs(10)));
    script.wait(3_000);
    assert_eq!(script.state.chat.tick, tick);
}

#[test]
fn drafts_are_a_stack() {
    let mut script = ready();
    script.key("ctrl+s");
    assert_eq!(note(&script), "nothing was put aside");
    for draft in ["one", "two", "three"] {
        script.type_text(draft);
        script.key("ctrl+s");
    }
    assert!(script.state.composer.is_empty() && note(&script).contains("3 drafts wait"));
    script.keys(&["ctrl+s", "down", "enter"]);
    assert_eq!(script.state.composer.raw(), "two");
    script.keys(&["ctrl+c", "ctrl+s", "enter", "ctrl+c", "ctrl+s"]);
    assert_eq!(script.state.composer.raw(), "one", "the last one needs no list");
    assert!(script.state.stash.is_empty());
}

#[test]
fn a_paste_is_unfolded_and_undone_and_done_again() {
    let mut script = ready();
    script.type_text("see ");
    script.send(Msg::Paste("a line\n".repeat(20)));
    assert_eq!(script.state.composer.raw(), "see [pasted 20 lines]");
    script.key("alt+o");
    assert_eq!(script.state.composer.raw(), format!("see {}", "a line\n".repeat(20)));
    assert_eq!(script.state.composer.folded(), 0);
    let mut words = ready();
    words.type_text("one two");
    words.keys(&["alt+<", "alt+u", "alt+c", "ctrl+k", "ctrl+_", "ctrl+_"]);
    assert_eq!(words.state.composer.raw(), "ONE two");
    words.keys(&["alt+z", "alt+z"]);
    assert_eq!(words.state.composer.raw(), "ONE Two");
    words.keys(&["alt+<", "alt+l", "alt+>"]);
    assert_eq!((words.state.composer.raw().as_str(), words.state.composer.caret()), ("one Two", (0, 7)));
}

#[test]
fn with_vi_keys_esc_leaves_insert_mode_and_what_runs_can_still_be_stopped() {
    let mut script = ready();
    script.state.options.vi = true;
    script.type_text("one two");
    script.keys(&["esc", "0"]);
    assert_eq!(script.state.vi.mode(), Mode::Normal);
    assert!(script.text().contains("message · normal"));
    script.type_text("dwiX");
    assert_eq!((script.state.composer.raw().as_str(), script.state.vi.mode()), ("Xtwo", Mode::Insert));
    script.keys(&["esc", "enter"]);
    assert_eq!(submitted(&mut script), [("Xtwo".to_owned(), When::Steer)]);
    assert_eq!(script.state.vi.mode(), Mode::Insert, "a new message begins");
    script.said("Xtwo");
    script.key("esc");
    assert!(matches!(script.commands().as_slice(), [Command::Interrupt { .. }]));
    let mut history = ready();
    history.state.options.vi = true;
    history.send(Msg::History(vec!["earlier".into()]));
    history.keys(&["esc", "k"]);
    assert_eq!(history.state.composer.raw(), "earlier");
    let mut numbers = ready();
    numbers.state.options.vi = true;
    numbers.keys(&["esc", "2"]);
    assert_eq!(submitted(&mut numbers), [("What time is it in Tokyo?".to_owned(), When::Steer)]);
}

fn kept(script: &mut Script) -> Vec<Kept> {
    let effects = std::mem::take(&mut script.effects);
    let kept = effects.into_iter().filter_map(|effect| if let Effect::Keep(text) = effect { Kept::parse(&text) } else { None });
    kept.collect()
}

#[test]
fn the_layout_is_remembered_once_earlier_runs_were_read() {
    let mut script = ready();
    script.key("ctrl+e");
    assert!(kept(&mut script).is_empty(), "what earlier runs left would be lost");
    script.key("ctrl+e");
    script.key("ctrl+e");
    let earlier = Kept { column: Some(Column::Hidden), side_columns: Some(44), ..Kept::default() };
    script.send(Msg::Kept(Box::new(earlier)));
    assert_eq!(script.state.column, Column::Hidden);
    assert!(kept(&mut script).is_empty(), "nothing is new");
    script.key("ctrl+e");
    assert_eq!(kept(&mut script).pop().unwrap().column, Some(Column::Side));
    assert_eq!(crate::tui::layout::side_columns(&script.state), 44);
    script.key("alt+,");
    assert_eq!(kept(&mut script).pop().unwrap().side_columns, Some(48));
    for _ in 0..50 {
        script.key("alt+,");
    }
    assert_eq!(crate::tui::layout::side_columns(&script.state), 90, "the chat keeps its columns");
    script.send(Msg::Resize(110, 40));
    assert_eq!(crate::tui::layout::side_columns(&script.state), 80);
    script.send(Msg::Resize(80, 24));
    kept(&mut script);
    script.key("ctrl+e");
    assert!(kept(&mut script).is_empty(), "with one column the events are only looked at");
    script.key("alt+.");
    assert!(note(&script).contains("wide window"));
}

#[test]
fn a_filter_is_of_one_run_only() {
    let mut script = ready();
    script.send(Msg::Kept(Box::default()));
    kept(&mut script);
    run(&mut script, "/events type:mcp");
    assert_eq!(script.state.events.filter().text(), "type:mcp");
    assert!(kept(&mut script).iter().all(|kept| !kept.text().contains("type:mcp")), "the next run would hide what happens");
}

#[test]
fn what_is_used_often_stands_first() {
    let mut script = ready();
    script.send(Msg::Kept(Box::default()));
    run(&mut script, "/status");
    script.key("esc");
    script.key("ctrl+p");
    let Some(Overlay::Pick(picker)) = &script.state.overlay else { panic!("no palette") };
    assert_eq!(picker.rows[0].pick, Pick::Slash("/status".into()));
    script.key("esc");
    script.type_text("@ma");
    script.send(Msg::Files("ma".into(), vec!["src/main.rs".into()]));
    script.key("tab");
    script.effects.clear();
    script.type_text("@");
    let used = vec![("src/main.rs".to_owned(), 1_000)];
    assert!(script.effects.contains(&Effect::FindFiles { query: String::new(), used }), "{:?}", script.effects);
}
