//! A long session comes back from its end; what comes before is read when somebody looks for it.

use super::sessions::stored;
use super::*;
use crate::tui::msg::Stored;
use crate::tui::state::Earlier;

fn said(seq: u64, text: &str) -> Arc<Event> {
    stored("old", seq, Chat::new(Role::User, ChatStatus::Done).with_text(text))
}

fn answered(seq: u64, text: &str) -> Arc<Event> {
    stored("old", seq, Chat::new(Role::Assistant, ChatStatus::Done).with_text(text))
}

/// A session of which the turns from event 101 on were read.
fn resumed() -> Script {
    let mut script = Script::unlinked(120, 40);
    script.send(Msg::Backend(Link {
        timezone: jiff::tz::TimeZone::UTC,
        start: Start::Resume(SessionId::new("old")),
        default_model: "offline/rules".into(),
        providers: Vec::new(),
        context_window_tokens: None,
        feed: None,
    }));
    let renamed = stored("old", 9, SessionEvent::Renamed { title: "the title".into() });
    let model = stored("old", 10, SessionEvent::ModelSet { model: "lab/big".into() });
    let turns = (0..50).flat_map(|n| [said(101 + 2 * n, &format!("question {n}")), answered(102 + 2 * n, &format!("answer {n}"))]);
    let end = Stored { facts: vec![said(1, "the very first"), renamed, model], events: turns.collect(), more: true };
    script.send(Msg::Answer(Answer::Session("old".into(), Ok(end))));
    script.effects.clear();
    script
}

fn asked(script: &mut Script) -> Vec<u64> {
    let effects = std::mem::take(&mut script.effects);
    effects
        .into_iter()
        .filter_map(|effect| if let Effect::Ask(Query::Earlier(_, before)) = effect { Some(before.0) } else { None })
        .collect()
}

#[test]
fn the_end_is_shown_and_the_rest_says_how_the_session_stands() {
    let mut script = resumed();
    let screen = script.text();
    assert!(screen.contains("answer 49") && !screen.contains("the very first"), "{screen}");
    assert_eq!((script.state.session.title.as_str(), script.state.session.model.as_str()), ("the title", "lab/big"));
    assert!(asked(&mut script).is_empty(), "nobody has looked for more");
}

#[test]
fn what_comes_before_is_asked_for_once_at_the_top_and_nothing_moves() {
    let mut script = resumed();
    script.key("ctrl+home");
    assert!(script.text().contains("earlier messages come as you scroll up"));
    assert_eq!(asked(&mut script), [101]);
    script.key("pgup");
    assert!(asked(&mut script).is_empty(), "it is on its way");
    let turns = (0..20).flat_map(|n| [said(11 + 2 * n, &format!("early {n}")), answered(12 + 2 * n, "yes")]).collect();
    script.send(Msg::Answer(Answer::Earlier("old".into(), Ok(Stored { events: turns, more: true, ..Stored::default() }))));
    let screen = script.text();
    let chat = screen.lines().map(|line| line.split("││").next().unwrap());
    let first = chat.into_iter().find(|line| line.contains("question") || line.contains("early")).unwrap();
    assert!(first.contains("question 0"), "what was on top stays there:\n{screen}");
    assert!(asked(&mut script).is_empty());
    assert_eq!(script.state.session.earlier, Some(Earlier { before: Seq(11), asking: false }));

    script.key("pgup");
    assert!(script.text().contains("early 19"));
    script.key("ctrl+home");
    assert_eq!(asked(&mut script), [11]);
    script.send(Msg::Answer(Answer::Earlier("old".into(), Ok(vec![said(1, "the very first")].into()))));
    script.key("ctrl+home");
    let screen = script.text();
    assert!(screen.contains("the very first") && !screen.contains("earlier messages"), "{screen}");
    assert!(asked(&mut script).is_empty(), "there is no more");
    assert_eq!(script.state.transcript.user_turns().len(), 71);
}

#[test]
fn a_screen_that_is_not_full_asks_by_itself() {
    let mut script = resumed();
    script
        .send(Msg::Answer(Answer::Session("old".into(), Ok(Stored { events: vec![said(101, "only")], more: true, ..Stored::default() }))));
    assert_eq!(asked(&mut script), [101]);
}

#[test]
fn an_answer_that_does_not_come_is_asked_for_again() {
    let mut script = resumed();
    script.key("ctrl+home");
    assert_eq!(asked(&mut script), [101]);
    script.send(Msg::Answer(Answer::Earlier("old".into(), Err("disk is gone".into()))));
    assert!(script.text().contains("could not read earlier messages: disk is gone"));
    assert!(asked(&mut script).is_empty());
    script.key("ctrl+home");
    assert_eq!(asked(&mut script), [101]);
}

#[test]
fn an_event_from_before_is_gone_to_once_it_was_read() {
    let mut script = resumed();
    let early = said(31, "early");
    script.state.tabs.jump = Some(("old".into(), Arc::clone(&early)));
    script.send(Msg::Tick);
    assert_eq!(asked(&mut script), [101]);
    script.send(Msg::Answer(Answer::Earlier("old".into(), Ok(Stored { events: vec![said(61, "no")], more: true, ..Stored::default() }))));
    assert_eq!(asked(&mut script), [61], "not yet there");
    script.send(Msg::Answer(Answer::Earlier("old".into(), Ok(vec![early, said(33, "later")].into()))));
    let selected = script.state.chat.selected.unwrap();
    assert_eq!(script.state.transcript.text_of(selected).as_deref(), Some("early"));
}
