//! Tasks, inbox and notices on the screen, and what their keys and commands send.

use serde_json::json;

use crate::domain::command::{Command, InboxCommand, TaskCommand};
use crate::domain::event::{Custom, EventBody, TaskEvent, TurnEnd};
use crate::domain::ids::TaskId;
use crate::domain::notice::{ChannelKind, DeliveryStatus, InboxEvent, InboxItem, InboxKind, Notification};
use crate::domain::query::AmbientStatus;
use crate::domain::task::{TaskFact, TaskKind, TaskStatus};
use crate::tui::msg::{Answer, Effect, Msg, Query};
use crate::tui::panels::Overlay;
use crate::tui::panels::tasks::Section;
use crate::tui::tests::{SIZES, Script, pictures, rows};

fn both(name: &str, prepare: impl Fn(&mut Script)) {
    let prepare = |script: &mut Script| {
        script.servers();
        prepare(script);
    };
    for (name, picture) in pictures(name, &SIZES[..2], prepare) {
        insta::assert_snapshot!(name, picture);
    }
}

fn ready() -> Script {
    let mut script = Script::new(120, 40);
    script.tasks();
    script.effects.clear();
    script
}

fn opened() -> Script {
    let mut script = ready();
    script.key("ctrl+t");
    script.effects.clear();
    script
}

fn asked(script: &Script, query: &Query) -> usize {
    script.effects.iter().filter(|effect| matches!(effect, Effect::Ask(asked) if asked == query)).count()
}

fn task(id: &str) -> TaskId {
    TaskId::new(id)
}

fn sent(script: &mut Script) -> Vec<Command> {
    script.commands()
}

#[test]
fn tasks_in_mixed_states() {
    both("tasks", |script| {
        script.tasks();
        script.key("ctrl+t");
        script.details();
        script.keys(&["down", "down"]);
    });
}

#[test]
fn page_of_a_task() {
    both("task_page", |script| {
        script.tasks();
        script.keys(&["ctrl+t", "end"]);
        script.type_text("/");
        script.type_text("techcrunch");
        script.keys(&["enter", "enter"]);
        script.details();
    });
}

#[test]
fn page_of_a_task_at_its_diff() {
    both("task_diff", |script| {
        script.tasks();
        script.type_text("/task techcrunch diff");
        script.key("enter");
        script.details();
    });
}

#[test]
fn readings_of_a_watched_value() {
    both("task_readings", |script| {
        script.tasks();
        script.type_text("/task bitcoin");
        script.key("enter");
        script.details();
    });
}

#[test]
fn question_before_a_task_is_deleted() {
    both("task_delete", |script| {
        script.tasks();
        script.keys(&["ctrl+t", "x"]);
    });
}

#[test]
fn inbox_and_notices() {
    both("inbox", |script| {
        script.tasks();
        script.inbox();
        script.keys(&["ctrl+t", "i", "down"]);
    });
    both("inbox_entry", |script| {
        script.tasks();
        script.inbox();
        script.keys(&["ctrl+t", "tab", "enter"]);
    });
    both("notices", |script| {
        script.tasks();
        script.inbox();
        script.keys(&["ctrl+t", "tab", "tab", "down"]);
    });
}

#[test]
fn empty_panels_say_how_to_begin() {
    let none = |script: &mut Script| {
        script.send(Msg::Answer(Answer::Tasks(Ok((Vec::new(), AmbientStatus::default())))));
        script.send(Msg::Answer(Answer::Inbox(Ok((Vec::new(), Vec::new())))));
    };
    both("tasks_empty", |script| {
        none(script);
        script.key("ctrl+t");
    });
    both("inbox_empty", |script| {
        none(script);
        script.keys(&["ctrl+t", "tab"]);
    });
}

#[test]
fn tasks_beside_the_chat() {
    both("tasks_side", |script| {
        script.tasks();
        script.key("ctrl+e");
        if script.state.is_wide() {
            script.keys(&["ctrl+e", "ctrl+e"]);
        }
        script.said("hello");
        script.feed_system(added("i9", InboxKind::Told, "TechCrunch AI: New AI model announced"));
        script.feed_system(added("i8", InboxKind::Asks, "is a fall of 1 % worth telling?"));
        let data = json!({"event_type": "returned", "message": "slept 7 h: 3 caught up, 5 skipped as stale"});
        script.feed_system(EventBody::Custom(Custom { type_name: "scheduler".into(), data }));
        script.answered("Good morning.");
        script.finished(TurnEnd::Done, None);
    });
}

#[test]
fn smallest_screen_with_tasks() {
    let mut script = Script::new(40, 12);
    script.tasks();
    script.inbox();
    script.key("ctrl+t");
    insta::assert_snapshot!("tasks_40x12", script.text());
    script.key("enter");
    script.details();
    insta::assert_snapshot!("task_page_40x12", script.text());
    script.keys(&["esc", "tab"]);
    insta::assert_snapshot!("inbox_40x12", script.text());
}

fn added(id: &str, kind: InboxKind, title: &str) -> InboxEvent {
    let item = InboxItem {
        item_id: id.into(),
        kind,
        title: title.into(),
        body: String::new(),
        url: None,
        task_id: None,
        firing_id: None,
        priority: 3,
        at: crate::domain::clock::Instant::default(),
        simulated: false,
    };
    InboxEvent::Added { item: Box::new(item) }
}

#[test]
fn the_worst_task_comes_first_then_the_next_one_due() {
    let script = ready();
    let order: Vec<_> = script.state.tasks.rows().iter().map(|row| row.spec.task_id.as_str().chars().next().unwrap()).collect();
    assert_eq!(order, ['e', 'f', 'b', 'a', 'd', 'c']);
}

#[test]
fn keys_of_the_panel_send_commands() {
    let mut script = opened();
    script.keys(&["down", "down", "down"]);
    script.key("r");
    assert_eq!(sent(&mut script), [Command::Task(TaskCommand::Run(task("aaaa1111-0000")))]);
    script.key("p");
    assert_eq!(sent(&mut script), [Command::Task(TaskCommand::Pause(task("aaaa1111-0000")))]);
    script.keys(&["down", "down", "p"]);
    assert_eq!(sent(&mut script), [Command::Task(TaskCommand::Resume(task("cccc3333-0000")))]);
    script.key("x");
    assert_eq!(sent(&mut script), []);
    script.keys(&["r", "n"]);
    assert_eq!(sent(&mut script), []);
    script.keys(&["x", "y"]);
    assert_eq!(sent(&mut script), [Command::Task(TaskCommand::Delete(task("cccc3333-0000")))]);
}

#[test]
fn a_task_is_edited_as_a_command_and_comes_back_as_it_was() {
    let mut script = opened();
    script.keys(&["down", "down", "down", "e"]);
    let line = script.state.composer.text();
    assert_eq!(line, "/task aaaa1111 edit description='TechCrunch AI' urls=https://techcrunch.com/ keywords=AI check_interval_minutes=30");
    script.key("enter");
    let changes = json!({"description": "TechCrunch AI", "config": {"urls": ["https://techcrunch.com/"], "keywords": ["AI"], "check_interval_minutes": 30}});
    let changes = changes.as_object().unwrap().clone();
    assert_eq!(sent(&mut script), [Command::Task(TaskCommand::Update { task: task("aaaa1111-0000"), changes })]);
}

#[test]
fn a_draft_is_not_lost_to_an_edit() {
    let mut script = ready();
    script.type_text("half a thought");
    script.keys(&["ctrl+t", "e"]);
    assert_eq!(script.state.composer.text(), "half a thought");
}

#[test]
fn commands_find_tasks_by_words_and_name_what_there_is() {
    let check = |line: &str, wanted: Result<TaskCommand, &str>| {
        let mut script = ready();
        script.type_text(line);
        script.keys(&["esc", "enter"]);
        match wanted {
            Ok(command) => assert_eq!(sent(&mut script), [Command::Task(command)], "{line}"),
            Err(part) => {
                assert_eq!(sent(&mut script), [], "{line}");
                let note = script.state.toast.as_ref().map(|toast| toast.text.clone()).unwrap_or_default();
                assert!(note.contains(part), "{line}: {note}");
            }
        }
    };
    check("/task bitcoin run", Ok(TaskCommand::Run(task("bbbb2222-0000"))));
    check("/task cccc3333 resume", Ok(TaskCommand::Resume(task("cccc3333-0000"))));
    check("/task NOTICE board pause", Ok(TaskCommand::Pause(task("eeee5555-0000"))));
    check("/task web_monitor run", Err("could be more than one task: there are `eeee5555` the tenants' notice"));
    check("/task nothing run", Err("no task `nothing`: there are `eeee5555`"));
    check("/simulate schedule", Ok(TaskCommand::Simulate(Some(TaskKind::Schedule))));
    check("simulate", Ok(TaskCommand::Simulate(None)));
}

#[test]
fn deleting_by_command_asks_too() {
    let mut script = ready();
    script.type_text("/task bitcoin delete");
    script.keys(&["esc", "enter"]);
    assert_eq!(sent(&mut script), []);
    assert!(script.text().contains("delete for good? y yes · n no: bitcoin above 100,000"));
    script.key("y");
    assert_eq!(sent(&mut script), [Command::Task(TaskCommand::Delete(task("bbbb2222-0000")))]);
}

#[test]
fn pages_are_asked_for_and_opened_at_their_parts() {
    let mut script = opened();
    for (key, section) in [("w", Section::Why), ("d", Section::Diff), ("h", Section::History)] {
        script.key(key);
        assert_eq!(script.state.tasks.page.as_ref().and_then(|page| page.section), Some(section));
    }
    script.key("up");
    assert_eq!(script.state.tasks.page.as_ref().and_then(|page| page.section), None);
    script.key("esc");
    assert!(script.state.tasks.page.is_none() && matches!(script.state.overlay, Some(Overlay::Tasks)));
    script.key("esc");
    assert!(script.state.overlay.is_none());
}

#[test]
fn readings_are_asked_for_once_while_the_list_is_open() {
    let mut script = ready();
    script.key("ctrl+t");
    let query = Query::Task(task("bbbb2222-0000"));
    assert_eq!(asked(&script, &query), 1);
    script.details();
    script.tasks();
    script.wait(100);
    assert_eq!(asked(&script, &query), 1);
    assert!(script.text().contains("▁▂▃▃▅▇█"), "{}", script.text());
}

#[test]
fn events_change_rows_at_once_and_ask_for_the_rest_once() {
    let mut script = ready();
    let fact = TaskFact::TaskPaused { reason: "too loud".into(), by_itself: false };
    script.feed_system(TaskEvent::new(task("aaaa1111-0000"), fact));
    script.feed_system(TaskEvent::new(task("bbbb2222-0000"), TaskFact::TaskDeleted {}));
    let spec = rows::spec("9999", "schedule", json!({"type": "daily"}), "a new one", script.state.now);
    script.feed_system(TaskEvent::new(task("9999"), TaskFact::TaskCreated { spec: Box::new(spec) }));
    let status = |id: &str| script.state.tasks.row(&task(id)).map(|row| row.status);
    assert_eq!(status("aaaa1111-0000"), Some(TaskStatus::Paused));
    assert_eq!(status("bbbb2222-0000"), None);
    assert_eq!(status("9999"), Some(TaskStatus::Active));
    assert_eq!(asked(&script, &Query::Tasks), 1);
    script.tasks();
    assert_eq!(asked(&script, &Query::Tasks), 2);
}

#[test]
fn countdowns_move_on_whole_seconds_and_only_where_they_are_seen() {
    let mut script = ready();
    // Bitcoin is due in 45 s.
    let next = script.state.next_wake().unwrap();
    assert_eq!((next.since(script.state.now).as_millis(), next.as_millis() % 1_000), (1_000, 0));
    script.wait(400);
    let next = script.state.next_wake().unwrap();
    assert_eq!((next.since(script.state.now).as_millis(), next.as_millis() % 1_000), (600, 0));
    script.send(Msg::Focus(false));
    assert_eq!(script.state.next_wake(), None);
    script.send(Msg::Focus(true));
    script.keys(&["ctrl+e", "ctrl+e"]);
    assert_eq!(script.state.next_wake(), None);
}

#[test]
fn what_is_due_is_looked_at_again_ever_more_rarely_and_draws_nothing_where_nothing_is_new() {
    let mut script = ready();
    script.wait(46_000);
    assert!(script.text().contains(" due"));
    let mut looks = Vec::new();
    let start = script.state.now;
    for _ in 0..400 {
        script.effects.clear();
        script.wait(1_000);
        if asked(&script, &Query::Tasks) == 1 {
            looks.push(script.state.now.since(start).as_secs());
            let same: Vec<_> = script.state.tasks.rows().to_vec();
            let status = script.state.tasks.status.clone();
            script.state.dirty = false;
            script.send(Msg::Answer(Answer::Tasks(Ok((same, status)))));
            assert!(!script.state.dirty);
        }
    }
    assert_eq!(looks.get(..4), Some([2, 6, 14, 30].as_slice()), "{looks:?}");
    assert!(looks.len() < 12, "{looks:?}");
}

#[test]
fn keys_of_the_inbox_send_commands() {
    let mut script = ready();
    script.inbox();
    script.type_text("/inbox");
    script.keys(&["enter"]);
    script.effects.clear();
    let check = |script: &mut Script, keys: &[&str], wanted: InboxCommand| {
        script.keys(keys);
        assert_eq!(script.commands(), [Command::Inbox(wanted)], "{keys:?}");
    };
    check(&mut script, &["enter"], InboxCommand::Read("i1".into()));
    script.feed_system(InboxEvent::Read { item_id: "i1".into() });
    check(&mut script, &["-"], InboxCommand::Feedback { item: "i1".into(), fewer: true });
    check(&mut script, &["+"], InboxCommand::Feedback { item: "i1".into(), fewer: false });
    check(&mut script, &["u"], InboxCommand::Unread("i1".into()));
    let until = script.state.now.plus(std::time::Duration::from_hours(1));
    check(&mut script, &["s", "1"], InboxCommand::Snooze { item: "i1".into(), until });
    check(&mut script, &["e"], InboxCommand::Archive("i1".into()));
    script.feed_system(InboxEvent::Archived { item_id: "i1".into() });
    assert_eq!(script.state.inbox.rows().len(), 3);
    script.keys(&["o"]);
    assert!(script.effects.contains(&Effect::Copy("https://techcrunch.com/ai".into())));
    script.effects.clear();
    script.keys(&["a"]);
    let id = script.state.composer.text();
    assert!(id.starts_with("/inbox answer i"), "{id}");
    script.type_text("yes");
    script.key("enter");
    assert!(matches!(script.commands().as_slice(), [Command::Inbox(InboxCommand::Answer { text, .. })] if text == "yes"));
}

#[test]
fn only_failed_and_unknown_notices_are_sent_again() {
    let mut script = ready();
    script.inbox();
    script.keys(&["ctrl+t", "tab", "tab", "r"]);
    assert_eq!(sent(&mut script), []);
    script.keys(&["down", "shift+r"]);
    assert_eq!(sent(&mut script), [Command::Inbox(InboxCommand::Resend("n2".into()))]);
    script.keys(&["tab", "tab"]);
    assert!(matches!(script.state.overlay, Some(Overlay::Tasks)));
    script.key("left");
    assert!(matches!(script.state.overlay, Some(Overlay::Servers)));
}

#[test]
fn notices_are_told_in_a_note_and_simulated_ones_say_so() {
    let mut script = ready();
    let mut tell = |status: DeliveryStatus, simulated: bool| {
        script.state.toast = None;
        script.feed_system(Notification {
            channel: ChannelKind::Sms,
            status,
            to: "+1•••7890".into(),
            title: "bitcoin \u{1b}[2Jabove".into(),
            notice_id: "n".into(),
            simulated,
            attempt: 1,
            error: None,
            retry_at: None,
            receipt: None,
            body: None,
            task_id: None,
            firing_id: None,
        });
        script.state.toast.as_ref().map(|toast| toast.text.clone())
    };
    assert_eq!(tell(DeliveryStatus::Queued, false), None);
    assert_eq!(tell(DeliveryStatus::Sent, true).as_deref(), Some("sms to +1•••7890 shown only (simulated): bitcoin above"));
    assert_eq!(tell(DeliveryStatus::Failed, false).as_deref(), Some("sms to +1•••7890 failed: bitcoin above"));
    assert_eq!(tell(DeliveryStatus::Unknown, false).as_deref(), Some("sms to +1•••7890 outcome unknown: bitcoin above"));
}

#[test]
fn many_entries_at_once_leave_few_lines_in_the_chat() {
    let mut script = ready();
    for number in 0..50 {
        script.feed_system(added(
            &format!("x{number}"),
            InboxKind::Told,
            &format!("entry \u{1b}]0;x\u{7} {number} {}", "long ".repeat(100)),
        ));
    }
    let text = script.text();
    assert_eq!(text.matches("🔔 entry").count() + text.matches("/inbox").count() / 2, 7, "{text}");
    assert_eq!(script.state.transcript.items().count(), 6);
}

#[test]
fn arguments_are_completed_and_enter_still_runs() {
    let mut script = ready();
    script.type_text("/simulate thr");
    assert!(script.text().contains("threshold_reached"));
    script.key("tab");
    assert_eq!(script.state.composer.text().trim(), "/simulate threshold_reached");
    script.key("enter");
    assert_eq!(sent(&mut script), [Command::Task(TaskCommand::Simulate(Some(TaskKind::ThresholdWatch)))]);
    script.type_text("/notify test ");
    script.key("enter");
    assert_eq!(sent(&mut script), [Command::Inbox(InboxCommand::TestNotice { channel: None, to: None })]);
}

#[test]
fn the_filter_narrows_the_list() {
    let mut script = opened();
    script.type_text("/web");
    assert_eq!(script.state.tasks.listed().len(), 3);
    script.key("enter");
    script.key("r");
    assert_eq!(sent(&mut script), [Command::Task(TaskCommand::Run(task("eeee5555-0000")))]);
    script.key("esc");
    assert_eq!(script.state.tasks.listed().len(), 6);
    assert!(matches!(script.state.overlay, Some(Overlay::Tasks)));
}

#[test]
fn an_example_is_written_and_not_sent() {
    let mut script = Script::new(120, 40);
    script.send(Msg::Answer(Answer::Tasks(Ok((Vec::new(), AmbientStatus::default())))));
    script.keys(&["ctrl+t", "1"]);
    assert!(script.state.composer.text().starts_with("Monitor TechCrunch"));
    assert_eq!(sent(&mut script), []);
}

#[test]
fn a_hostile_world_cannot_paint_with_tasks() {
    let evil = "\u{1b}[2Jevil\u{7}\u{202e}\u{9b}31m";
    let mut script = Script::new(120, 40);
    let mut tasks = script.task_rows();
    for row in &mut tasks {
        row.spec.description = evil.into();
        row.status_reason = Some(evil.into());
        if let Some(last) = row.work.as_mut().and_then(|work| work.last.as_mut()) {
            last.note = evil.into();
        }
    }
    let status = script.status(6);
    script.send(Msg::Answer(Answer::Tasks(Ok((tasks, status)))));
    script.feed_system(added("i", InboxKind::Asks, evil));
    let mut screens = vec![script.text()];
    script.key("ctrl+t");
    screens.push(script.text());
    script.key("enter");
    screens.push(script.text());
    script.send(Msg::Answer(Answer::Task(task("eeee5555-0000"), Err(evil.into()))));
    screens.push(script.text());
    script.keys(&["x"]);
    screens.push(script.text());
    script.keys(&["n", "esc", "i", "enter"]);
    screens.push(script.text());
    for screen in screens {
        assert!(!screen.chars().any(|ch| ch != '\n' && (ch.is_control() || ch == '\u{202e}')), "{screen:?}");
    }
}
