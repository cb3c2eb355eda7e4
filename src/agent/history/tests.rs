//! The fold, and what comes back after the program ended at any moment.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::agent::Options;
use crate::agent::options::AgentOptions;
use crate::agent::testing::{Bench, Say, ScriptedLlm, answer, assert_valid, call, calls};
use crate::bus::Recorder as _;
use crate::bus::testing::MemoryRecorder;
use crate::domain::command::{Command, Decision, Delivery};
use crate::domain::event::{NewEvent, Scope};
use crate::domain::ids::{AgentName, SessionId};
use crate::llm::{self, Delta};

fn options() -> Options {
    Options { agents: [(AgentName::new("coder"), AgentOptions::default())].into(), ..Options::default() }
}

/// A conversation with everything in it: parallel calls, consent given and refused, a handoff, a message that steers
/// and one that waits, an interruption of a model and of a tool, a failure, a summary, a rewind.
async fn conversation() -> Vec<Arc<Event>> {
    let mut bench = Bench::new(options());
    bench.llm.say(calls(vec![call("a", "box__slow", json!({})), call("b", "box__write", json!({})), call("c", "box__write", json!({}))]));
    bench.llm.say(calls(vec![call("h", "handoff", json!({"agent": "coder", "task": {"d": "x"}})), call("n", "nope", json!({}))]));
    bench.llm.say(calls(vec![call("d", "box__echo", json!({})), call("e", "box__write", json!({}))]));
    bench.send("one");
    bench.asked().await;
    bench.asked().await;
    bench.decide("b", Decision::Allow { scope: Scope::Once });
    bench.decide("c", Decision::Refuse { instead: Some("no".to_owned()) });
    bench.send("steer");
    bench.submit("queued", Delivery::Queue);
    bench.asked().await;
    bench.decide("e", Decision::Allow { scope: Scope::Once });
    bench.finished().await;
    bench.finished().await;
    bench.llm.say(vec![Say::Delta(Delta::Text("half".to_owned())), Say::Hang]);
    bench.send("two");
    bench.until("text", |event| matches!(&event.body, EventBody::Chat(chat) if chat.status == ChatStatus::Delta).then_some(())).await;
    bench.submit("held", Delivery::Queue);
    bench.interrupt();
    bench.finished().await;
    bench.llm.say(calls(vec![call("w", "box__wait", json!({})), call("q", "box__write", json!({}))]));
    bench.send("three");
    bench.asked().await;
    bench.interrupt();
    bench.finished().await;
    bench.llm.say(vec![Say::Fail(llm::Error::TooLong("x".to_owned()))]);
    bench.llm.say(answer("summary"));
    bench.llm.say(vec![Say::Delta(Delta::Text("br".to_owned())), Say::Fail(llm::Error::Broken("y".to_owned()))]);
    bench.send("four");
    bench.finished().await;
    let upto = bench.events().last().unwrap().seq.unwrap();
    bench.send("five");
    bench.finished().await;
    bench.handle.handle(Command::Rewind { session: bench.session.clone(), to: upto }).unwrap();
    bench.send("six");
    bench.finished().await;
    bench.events()
}

async fn log_of(events: &[Arc<Event>], session: &SessionId) -> MemoryRecorder {
    let recorder = MemoryRecorder::default();
    let bodies = events.iter().map(|event| NewEvent::of(session, event.body.clone())).collect();
    recorder.record(bodies).await.unwrap();
    recorder
}

#[tokio::test(start_paused = true)]
async fn the_history_is_valid_at_every_moment() {
    let events = conversation().await;
    assert!(events.len() > 60, "the conversation has everything in it: {}", events.len());
    for end in 0..=events.len() {
        assert_valid(&State::fold(&events[..end], 1_000).messages());
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_the_moment_of_a_crash_nothing_runs_twice_and_all_is_closed() {
    let events = conversation().await;
    for end in 1..=events.len() {
        let session = SessionId::new("crashed");
        let recorder = log_of(&events[..end], &session).await;
        let before = State::fold(recorder.events(), 1_000);
        let mut bench = Bench::closed(recorder, ScriptedLlm::default(), options(), session.clone());
        bench.handle.handle(Command::OpenSession { session: session.clone() }).unwrap();
        let goes_on = !before.queue.is_empty() && !before.is_held();
        for _ in 0..if goes_on { before.queue.len() } else { 0 } {
            bench.until("queued turn", |event| done(&event.body)).await;
        }
        bench.send("and now");
        bench.until("turn", |event| done(&event.body)).await;
        assert_eq!(bench.tools.ran(), Vec::<String>::new(), "after {end} events");
        for request in bench.llm.requests() {
            assert_valid(&request.messages);
        }
        assert_eq!(bench.last_request().last().unwrap().content, "and now", "after {end} events");
        let after = State::fold(bench.events(), 1_000);
        assert_eq!(after.recovery(), Vec::new(), "after {end} events");
        assert!(after.queue.is_empty() && after.approvals.is_empty() && after.open_turns.is_empty());
        assert_started_calls_end_once(&bench.events());
    }
}

fn done(body: &EventBody) -> Option<()> {
    matches!(body, EventBody::TurnEvent(TurnEvent::Finished { parent: None, end: TurnEnd::Done, .. })).then_some(())
}

fn assert_started_calls_end_once(events: &[Arc<Event>]) {
    let mut ends: HashMap<&CallId, (u32, u32)> = HashMap::new();
    for event in events {
        if let EventBody::ToolExecution(call) = &event.body {
            let counts = ends.entry(&call.call_id).or_default();
            if call.status == Status::Started { counts.0 += 1 } else { counts.1 += 1 }
        }
    }
    assert!(ends.values().all(|(started, ended)| *started <= 1 && *ended == 1), "{ends:?}");
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_ran_during_the_crash_has_an_unknown_outcome() {
    let events = conversation().await;
    let running = |event: &Arc<Event>| matches!(&event.body, EventBody::ToolExecution(call) if call.call_id.as_str() == "a");
    let at = events.iter().position(running).unwrap();
    let state = State::fold(&events[..=at], 1_000);
    let closing: Vec<_> = state.recovery().iter().map(crate::agent::testing::line).collect();
    assert_eq!(closing, ["tool a error UnknownOutcome", "tool b error Interrupted", "tool c error Interrupted", "turn crashed"]);
    let told: Vec<_> = state.messages().iter().map(|message| message.content.clone()).collect();
    assert_eq!(told[2], NO_ANSWER);
}

#[tokio::test(start_paused = true)]
async fn a_rewind_forgets_the_conversation_but_not_the_settings() {
    let mut bench = Bench::new(options());
    bench.send("one");
    bench.finished().await;
    let upto = bench.events().last().unwrap().seq.unwrap();
    bench.send("two");
    bench.finished().await;
    bench.handle.handle(Command::Rename { session: bench.session.clone(), title: "kept".to_owned() }).unwrap();
    bench.handle.handle(Command::Rewind { session: bench.session.clone(), to: upto }).unwrap();
    bench.until("rewind", |event| matches!(event.body, EventBody::SessionEvent(SessionEvent::Rewound { .. })).then_some(())).await;
    let state = State::fold(bench.events(), 1_000);
    assert_eq!(state.messages().len(), 2);
    assert_eq!(state.title(), "kept");
    assert_eq!(state.context_tokens, 0);
}

#[test]
fn results_are_told_as_text() {
    let check = |result: Value, told: &str| assert_eq!(success(Some(&result), 1_000), told);
    check(json!("plain"), "plain");
    check(json!("  "), "(done, no output)");
    check(json!({"text": "said", "structured": {"a": 1}}), "said");
    check(json!({"text": "", "structured": {"a": 1}}), "{\"a\":1}");
    check(json!({"other": 1}), "{\"other\":1}");
    check(json!(5), "5");
    assert_eq!(success(None, 1_000), "(done, no output)");
}
