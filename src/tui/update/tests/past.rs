//! A session shown again from the log, and written to a file.

use super::*;
use crate::domain::query::{ExportFormat, Spend, Spending};
use crate::tui::replay::Pace;

/// A talk with a gap of an hour in it, replayed at `pace`.
fn replayed(pace: &str) -> Script {
    let mut script = ready();
    script.said("What time is it?");
    script.wait(1_000);
    script.tool("time", "now", Status::Started, None, None);
    script.wait(500);
    script.tool("time", "now", Status::Success, Some(json!("12:00")), None);
    script.wait(3_600_000);
    script.answered("It is **noon**.");
    script.finished(TurnEnd::Done, None);
    script.command(&format!("/replay {pace}"));
    let id = script.state.session.id.clone();
    assert!(script.effects.contains(&Effect::Ask(Query::Replay(id.clone()))));
    let events = script.log.clone();
    script.send(Msg::Answer(Answer::Replay(id, Ok(events))));
    script.effects.clear();
    script
}

fn position(script: &Script) -> usize {
    script.state.replay.as_ref().unwrap().position().0
}

#[test]
fn a_replay_goes_at_the_recorded_pace_and_cuts_long_gaps() {
    let mut script = replayed("");
    assert_eq!(position(&script), 1);
    script.send(Msg::Tick);
    assert_eq!(position(&script), 2, "what came at once comes at once");
    script.wait(999);
    assert_eq!(position(&script), 2);
    script.wait(1);
    assert_eq!(position(&script), 3);
    script.wait(500);
    assert_eq!(position(&script), 4);
    assert!(script.text().contains("1h 00m without events cut to 2s"), "{}", script.text());
    script.wait(2_000);
    assert!(script.state.replay.as_ref().unwrap().is_over());
    assert!(script.text().contains("replay, at the end 6 of 6"), "{}", script.text());
    assert_eq!(script.state.transcript.last_answer().as_deref(), Some("It is **noon**."));
    assert_eq!(script.state.events.total(), 6);
    assert!(script.effects.is_empty());
}

#[test]
fn keys_pause_step_go_back_and_change_the_pace() {
    let mut script = replayed("step");
    script.wait(10_000);
    assert_eq!(position(&script), 1);
    script.keys(&["right", "right", "n"]);
    assert_eq!((position(&script), script.state.events.total()), (4, 4));
    script.keys(&["left"]);
    assert_eq!((position(&script), script.state.events.total()), (3, 3));
    script.key("space");
    script.wait(500);
    assert_eq!(position(&script), 4, "it goes on as recorded");
    script.key("space");
    script.wait(60_000);
    assert_eq!(position(&script), 4);
    script.keys(&["s"]);
    assert_eq!(script.state.replay.as_ref().unwrap().pace(), Pace::Tenfold);
    script.keys(&["end"]);
    assert_eq!(position(&script), 6);
    script.keys(&["home"]);
    assert_eq!(position(&script), 1);
    script.keys(&["end", "space"]);
    assert_eq!(position(&script), 1, "from the end it begins anew");
}

#[test]
fn nothing_is_sent_and_what_happens_meanwhile_is_there_after() {
    let mut script = replayed("step");
    script.type_text("hello");
    script.key("enter");
    script.send(Msg::Paste("text".into()));
    assert!(script.text().contains("a replay runs"), "{}", script.text());
    assert!(script.commands().is_empty() && script.state.composer.is_empty());
    script.keys(&["alt+t", "alt+w", "ctrl+t", "ctrl+p"]);
    assert_eq!((script.state.tabs.count(), script.state.overlay.is_some()), (2, false));
    script.feed_of("session-1", Chat::new(Role::Assistant, ChatStatus::Done).with_text("news"));
    assert_eq!(script.state.events.total(), 1);
    script.key("esc");
    assert!(script.state.replay.is_none());
    assert_eq!((script.state.tabs.count(), script.state.session.id.as_str()), (1, "session-1"));
    assert_eq!((script.state.events.total(), script.state.transcript.last_answer().as_deref()), (7, Some("news")));
    script.type_text("hello");
    assert_eq!(script.state.composer.raw(), "hello");
}

#[test]
fn a_filter_is_typed_while_a_replay_waits() {
    let mut script = replayed("step");
    script.keys(&["end", "f6", "f6", "/"]);
    script.type_text("type:tool status:success ");
    assert_eq!((position(&script), script.state.events.shown().len()), (6, 1));
    script.keys(&["enter", "up", "c"]);
    assert_eq!(script.state.focus, Focus::Chat);
    script.keys(&["r", "esc"]);
    assert!(script.state.replay.is_none());
}

#[test]
fn questions_of_the_past_are_not_asked_again() {
    let mut script = ready();
    script.said("write it");
    script.asks(false, None);
    script.wait(1_000);
    script.key("y");
    let events = script.log.clone();
    script.effects.clear();
    let id = script.state.session.id.clone();
    script.command("/replay step");
    script.send(Msg::Answer(Answer::Replay(id, Ok(events))));
    script.keys(&["right", "right", "right"]);
    assert!(!script.state.is_asking() && script.commands().is_empty());
}

#[test]
fn the_same_log_gives_the_same_frames() {
    let frames = |columns: u16, rows: u16| {
        let mut script = replayed("step");
        script.send(Msg::Resize(columns, rows));
        script.state.toast = None;
        let mut frames = Vec::new();
        for _ in 0..6 {
            frames.push(script.picture());
            script.key("right");
        }
        frames
    };
    let first = frames(120, 40);
    assert_eq!(first, frames(120, 40));
    insta::assert_snapshot!("replay_120x40", first[3]);
    insta::assert_snapshot!("replay_80x24", frames(80, 24)[3]);
    insta::assert_snapshot!("replay_40x12", frames(40, 12)[3]);
}

#[test]
fn a_session_is_picked_where_none_is_named() {
    let mut script = ready();
    script.command("/replay 10x");
    assert!(script.effects.contains(&Effect::Ask(Query::Sessions)));
    let summary = crate::domain::query::SessionSummary {
        id: "stored".into(),
        title: "an old talk".into(),
        created: script.state.now,
        updated: script.state.now,
        prompts: 1,
        model: "m/m".into(),
        cwd: "/".into(),
        forked_from: None,
        last_seq: Seq(9),
    };
    script.send(Msg::Answer(Answer::Sessions(Ok(vec![summary]))));
    assert!(script.text().contains("show a session again"), "{}", script.text());
    script.key("enter");
    assert!(script.effects.contains(&Effect::Ask(Query::Replay("stored".into()))));
    assert_eq!(script.state.replay_asked, Some(("stored".into(), Pace::Tenfold)));
    script.send(Msg::Answer(Answer::Replay("stored".into(), Ok(Vec::new()))));
    assert!(script.text().contains("nothing of this session"), "{}", script.text());
}

#[test]
fn an_export_goes_through_the_log_and_takes_its_format_from_the_name() {
    let mut script = running();
    script.finished(TurnEnd::Done, None);
    let mut check = |command: &str, format: ExportFormat, path: &str| {
        script.effects.clear();
        script.command(command);
        let wanted = Effect::Export { session: "session-1".into(), format, path: format!("/home/me/project/{path}").into() };
        assert!(script.effects.contains(&wanted), "{command}: {:?}", script.effects);
    };
    check("/export talk.md", ExportFormat::Markdown, "talk.md");
    check("/export a folder/talk.HTML", ExportFormat::Html, "a folder/talk.HTML");
    check("/export talk.json", ExportFormat::Json, "talk.json");
    check("/export html", ExportFormat::Html, "wakeful-2026-01-01-143000.html");
    check("/export", ExportFormat::Markdown, "wakeful-2026-01-01-143000.md");
    let mut script = ready();
    script.command("/export");
    assert!(script.text().contains("nothing to export yet"), "{}", script.text());
}

#[test]
fn undo_asks_only_where_there_is_something() {
    use crate::domain::command::Command;
    use crate::domain::undo::{UndoRow, UndoState};

    let mut script = ready();
    script.state.session.made = false;
    script.command("/undo");
    assert!(script.text().contains("nothing to undo"), "{}", script.text());
    assert!(script.effects.iter().all(|effect| !matches!(effect, Effect::Send(_) | Effect::Ask(_))), "{:?}", script.effects);
    let mut script = ready();
    script.state.session.made = true;
    script.command("/undo");
    let asked = Effect::Ask(Query::LastChange(script.state.session.id.clone(), String::new(), false));
    assert!(script.effects.contains(&asked), "{:?}", script.effects);
    let row = |tool: &str, state| UndoRow {
        number: 1,
        id: "c1".to_owned(),
        at: script.state.now,
        session: Some("session-1".into()),
        tool: tool.to_owned(),
        path: "a.txt".to_owned(),
        is_new_file: false,
        state,
    };
    let (undone, own, stands) =
        (row("write_file", UndoState::Undone), row("undo", UndoState::Stands), row("write_file", UndoState::Stands));
    script.effects.clear();
    script.send(Msg::Answer(Answer::LastChange(String::new(), false, Ok(vec![undone, own.clone()]))));
    assert!(script.state.toast.as_ref().is_some_and(|toast| toast.text.contains("nothing to undo")), "{:?}", script.state.toast);
    assert!(script.effects.is_empty(), "{:?}", script.effects);
    script.send(Msg::Answer(Answer::LastChange(String::new(), true, Ok(vec![own, stands.clone()]))));
    let sent = |effect: &Effect| matches!(effect, Effect::Send(Command::Undo { force: true, change, .. }) if change.is_empty());
    assert!(script.effects.iter().any(sent), "{:?}", script.effects);
    // A change that is not there makes no session and asks for no consent.
    let mut script = ready();
    script.command("/undo 99");
    assert!(script.text().contains("there is no change `99`; nothing was changed yet"), "{}", script.text());
    assert!(script.effects.iter().all(|effect| !matches!(effect, Effect::Send(_))), "{:?}", script.effects);
    script.state.session.made = true;
    script.effects.clear();
    script.command("/undo 99");
    assert!(script.effects.contains(&Effect::Ask(Query::LastChange(script.state.session.id.clone(), "99".into(), false))));
    script.send(Msg::Answer(Answer::LastChange("99".into(), false, Ok(vec![stands.clone()]))));
    assert!(script.text().contains("there is no change `99`; `/undo list`"), "{}", script.text());
    script.send(Msg::Answer(Answer::LastChange("1".into(), false, Ok(vec![stands]))));
    let sent = |effect: &Effect| matches!(effect, Effect::Send(Command::Undo { force: false, change, .. }) if change == "1");
    assert!(script.effects.iter().any(sent), "{:?}", script.effects);
}

#[test]
fn what_models_took_is_told_with_and_without_prices() {
    let spend = |model: &str, tokens: u64, cost: Option<u64>| Spend {
        model: model.into(),
        turns: 2,
        usage: crate::domain::message::Usage { input_tokens: tokens, output_tokens: 50, cached_tokens: 10 },
        cost_micros: cost,
    };
    let mut script = running();
    script.command("/cost");
    let asked = |effect: &Effect| matches!(effect, Effect::Ask(Query::Spending(Some(session), _)) if session.as_str() == "session-1");
    assert!(script.effects.iter().any(asked), "{:?}", script.effects);
    let all = vec![spend("openai/large", 1_500, Some(1_250_000)), spend("offline/rules", 20, None)];
    let spending = Spending { session: vec![], today: all[..1].to_vec(), all, tasks: Vec::new(), priced: true, cut: false };
    script.send(Msg::Answer(Answer::Spending(Ok(spending.clone()))));
    for part in ["This session", "nothing yet", "openai/large", "$1.25", "together", "model without one"] {
        assert!(script.text().contains(part), "{part}: {}", script.text());
    }
    script.key("esc");
    script.command("/cost");
    script.send(Msg::Answer(Answer::Spending(Ok(Spending { priced: false, ..spending }))));
    assert!(script.text().contains("no prices in the config"), "{}", script.text());
}

#[test]
fn the_cache_is_told_and_cleared() {
    use crate::domain::cache::{Counts, Kind, KindStats, Layer, LayerStats, Stats};
    use crate::domain::command::CacheCommand;

    let mut script = running();
    script.command("/cache");
    assert!(script.effects.contains(&Effect::Ask(Query::Cache)), "{:?}", script.effects);
    let counts = Counts { memory_hits: 700, disk_hits: 50, misses: 250, fetches: 250, stale_hits: 9, ..Counts::default() };
    let layer = |layer, place: &str, problem: Option<&str>| LayerStats {
        layer,
        place: place.into(),
        problem: problem.map(str::to_owned),
        entries: 1_234,
        bytes: 5_600_000,
        bytes_max: Some(16_000_000),
    };
    let stats = Stats {
        enabled: true,
        layers: vec![layer(Layer::Memory, "", None), layer(Layer::Disk, "/home/me/cache.db", Some("the disk\u{1b}[2J is full"))],
        kinds: vec![KindStats { kind: Kind::Page, entries: 1_200, bytes: 5_000_000, counts }],
    };
    script.send(Msg::Answer(Answer::Cache(Ok(stats))));
    for part in ["memory", "1,234 entries · 5.6 MB of 16.0 MB", "/home/me/cache.db", "not in use: the disk is full", "page", "750", "75%"]
    {
        assert!(script.text().contains(part), "{part}: {}", script.text());
    }
    script.key("esc");
    script.effects.clear();
    script.command("/cache clear pages");
    let wanted = Command::Cache(CacheCommand::Clear { kind: Some(Kind::Page) });
    assert!(script.effects.contains(&Effect::Send(wanted)), "{:?}", script.effects);
    script.command("/cache clear pictures");
    assert!(script.text().contains("nothing of the kind `pictures` is kept"), "{}", script.text());
}

#[test]
fn reports_are_told_and_the_status_line_says_when_they_are_behind() {
    use crate::domain::command::ReportCommand;
    use crate::domain::event::Custom;
    use crate::domain::report::{REPORT_EVENT, ReportState, ReportStatus, ReportTotals};

    let mut script = running();
    script.command("/report");
    assert!(script.effects.contains(&Effect::Ask(Query::Report)), "{:?}", script.effects);
    let status = ReportStatus {
        state: ReportState::Waiting { reason: "http: the coordinator\u{1b}[2J is away".into(), retry_at: script.state.now },
        transport: "auto".into(),
        via: Some("http".into()),
        place: "http://c.example".into(),
        totals: ReportTotals { waiting: 1_234, dead: 5, dead_unseen: 2, delivered_ever: 70_000, ..ReportTotals::default() },
        bytes_max: 1 << 28,
        ..ReportStatus::default()
    };
    script.send(Msg::Answer(Answer::Report(Ok(status))));
    for part in ["the coordinator is away", "http://c.example (auto, over http now)", "1,234", "5, 2 of them not looked at", "70,000"] {
        assert!(script.text().contains(part), "{part}: {}", script.text());
    }
    script.key("esc");
    script.effects.clear();
    script.command("/report resend 3 4");
    let wanted = Command::Report(ReportCommand::Resend { numbers: Some(vec![3, 4]) });
    assert!(script.effects.contains(&Effect::Send(wanted)), "{:?}", script.effects);
    script.command("/report resend all");
    assert!(script.text().contains("`all` is no number"), "{}", script.text());
    let mut told = |event_type: &str| {
        let data = json!({"event_type": event_type, "message": "m", "waiting": 4_200});
        script.feed_ephemeral(EventBody::Custom(Custom { type_name: REPORT_EVENT.into(), data }));
        // A note stands in the same line for a while.
        script.state.toast = None;
        script.text().contains("4.2k reports wait")
    };
    assert!(told("behind"));
    assert!(!told("caught_up"));
}
