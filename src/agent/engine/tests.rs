//! Sessions as a user meets them: scripted models and tools, a log in memory, a paused clock.

mod long;
mod own;
mod recall;
mod usage;

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::agent::history::State;
use crate::agent::options::AgentOptions;
use crate::agent::testing::{Bench, Say, ScriptedLlm, answer, assert_valid, call, calls, completion};
use crate::bus::testing::MemoryRecorder;
use crate::domain::command::{ApprovalMode, Decision, Delivery, SessionOptions};
use crate::domain::event::{ChatStatus, Scope, Status, TurnEnd, TurnEvent};
use crate::domain::ids::{AgentName, MessageId, Seq};
use crate::domain::message::{Message, Role, Usage};
use crate::llm::{self, Delta};

fn options() -> Options {
    Options::default()
}

fn with_agents() -> Options {
    let agent = |text: &str, servers: &[&str]| AgentOptions {
        description: text.to_owned(),
        instructions: format!("You {text}."),
        servers: servers.iter().map(|name| (*name).into()).collect(),
        ..AgentOptions::default()
    };
    let agents = [(AgentName::new("coder"), agent("write code", &["box"])), (AgentName::new("tester"), agent("test code", &["other"]))];
    Options { agents: agents.into(), ..Options::default() }
}

fn end_of(event: &TurnEvent) -> TurnEnd {
    match event {
        TurnEvent::Finished { end, .. } => *end,
        other => panic!("{other:?}"),
    }
}

fn handoff(id: &str, to: &str) -> crate::domain::message::ToolCall {
    call(id, "handoff", json!({"agent": to, "task": {"description": "do it"}}))
}

#[tokio::test(start_paused = true)]
async fn a_conversation_with_tools_is_recorded_before_it_acts() {
    let mut bench = Bench::new(options());
    bench.llm.say(calls(vec![call("a", "box__echo", json!({"x": 1})), call("b", "box__fail", json!({}))]));
    bench.llm.say(answer("done"));
    bench.send("go");
    assert_eq!(end_of(&bench.finished().await), TurnEnd::Done);
    let story = [
        "session created",
        "user done go",
        "turn started",
        "assistant done calls a,b",
        "tool a started",
        "tool b started",
        "tool a success",
        "tool b error Tool",
        "assistant done done",
        "turn done",
    ];
    assert_eq!(bench.story(), story);
    let appends = bench.recorder.appends.load(Ordering::SeqCst);
    assert_eq!(appends, 5, "made, asked, called, answered, done: one append each");
    let told: Vec<_> = bench.last_request().iter().map(|message| message.content.clone()).collect();
    assert_eq!(told, ["go", "", "{\"x\":1}", "error: it went wrong"]);
}

#[tokio::test(start_paused = true)]
async fn what_the_model_was_told_is_what_the_log_folds_to() {
    let mut bench = Bench::new(options());
    for round in 0..3 {
        bench.llm.say(calls(vec![call(&format!("a{round}"), "box__echo", json!({})), call(&format!("b{round}"), "box__panic", json!({}))]));
        bench.llm.say(answer("done"));
        bench.send("go");
        bench.finished().await;
    }
    bench.send("last");
    bench.finished().await;
    let state = State::fold(bench.events(), 40_000);
    let mut told = bench.last_request();
    told.push(Message::text(Role::Assistant, "ok"));
    assert_eq!(state.messages(), told);
    assert_valid(&told);
}

#[tokio::test(start_paused = true)]
async fn calls_run_side_by_side_within_the_limit() {
    let mut bench = Bench::new(Options { parallel_tools_max: 3, ..options() });
    bench.llm.say(calls((0..9).map(|n| call(&format!("c{n}"), "box__slow", json!({}))).collect()));
    let before = tokio::time::Instant::now();
    bench.send("go");
    bench.finished().await;
    assert_eq!(bench.tools.running_max.load(Ordering::SeqCst), 3);
    assert_eq!(before.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_consent_and_shows_what_it_would_change() {
    let mut bench = Bench::new(options());
    bench.llm.say(calls(vec![call("w", "box__write", json!({"x": 1}))]));
    bench.send("go");
    let asked = bench.asked().await;
    assert_eq!(
        (asked.preview.as_deref(), asked.dangerous, asked.reason.as_str()),
        (Some("preview 1"), true, "mode `auto-read`: it may change something")
    );
    assert!(bench.tools.ran().is_empty());
    bench.decide("nonsense", Decision::Allow { scope: Scope::Once });
    bench.decide("w", Decision::Allow { scope: Scope::Once });
    bench.finished().await;
    assert_eq!(bench.tools.ran(), ["w"]);
    let tail = ["approval w requested", "approval w granted", "tool w started", "tool w success", "assistant done ok", "turn done"];
    assert_eq!(bench.story()[4..], tail);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_says_what_to_do_instead() {
    let mut bench = Bench::new(options());
    bench.llm.say(calls(vec![call("w", "box__write", json!({}))]));
    bench.send("go");
    bench.asked().await;
    bench.decide("w", Decision::Refuse { instead: Some("read it".to_owned()) });
    bench.finished().await;
    assert!(bench.tools.ran().is_empty());
    assert!(bench.last_request()[2].content.ends_with("says: read it"));
}

#[tokio::test(start_paused = true)]
async fn consents_are_remembered_in_the_session_and_across_sessions() {
    let mut bench = Bench::new(options());
    let two = || vec![call("", "box__write", json!({})), call("", "other__write", json!({}))];
    bench.llm.say(calls(two()));
    bench.send("go");
    let (first, second) = (bench.asked().await, bench.asked().await);
    bench.decide(first.call_id.as_str(), Decision::Allow { scope: Scope::Tool });
    bench.decide(second.call_id.as_str(), Decision::Allow { scope: Scope::Session });
    bench.finished().await;
    bench.llm.say(calls(two()));
    bench.send("again");
    bench.finished().await;
    assert_eq!(bench.tools.ran().len(), 4, "nothing was asked the second time");

    let mut other = Bench::over(bench.recorder.inner.clone(), ScriptedLlm::default(), options());
    other.llm.say(calls(two()));
    other.send("go");
    assert_eq!(other.asked().await.service_name.as_str(), "other", "only what was allowed for ever is allowed here");
}

#[tokio::test(start_paused = true)]
async fn one_answer_settles_all_questions_it_covers() {
    let mut bench = Bench::new(options());
    bench.llm.say(calls(vec![call("a", "box__write", json!({})), call("b", "box__write", json!({}))]));
    bench.send("go");
    bench.asked().await;
    bench.asked().await;
    bench.decide("a", Decision::Allow { scope: Scope::Server });
    bench.finished().await;
    assert_eq!(bench.tools.ran(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn without_a_person_a_call_that_would_ask_is_refused() {
    let mut bench = Bench::new(Options { unattended: true, ..options() });
    bench.llm.say(calls(vec![call("w", "box__write", json!({}))]));
    bench.send("go");
    assert_eq!(end_of(&bench.finished().await), TurnEnd::Done);
    assert!(bench.tools.ran().is_empty());
    assert!(bench.story().contains(&"tool w error Refused".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn the_mode_counts_from_the_next_step() {
    let mut bench = Bench::new(options());
    bench.llm.say(calls(vec![call("s", "box__slow", json!({}))]));
    bench.llm.say(calls(vec![call("w", "box__write", json!({}))]));
    bench.send("go");
    bench.tool("s", Status::Started).await;
    bench.handle.handle(Command::SetMode { session: bench.session.clone(), mode: ApprovalMode::Auto }).unwrap();
    bench.finished().await;
    assert_eq!(bench.tools.ran(), ["s", "w"]);
}

#[tokio::test(start_paused = true)]
async fn an_interruption_stops_a_model_at_once_and_keeps_what_it_said() {
    let mut bench = Bench::new(options());
    bench.llm.say(vec![Say::Delta(Delta::Text("half".to_owned())), Say::Hang]);
    bench.send("go");
    bench.until("text", |event| matches!(&event.body, EventBody::Chat(chat) if chat.status == ChatStatus::Delta).then_some(())).await;
    let before = tokio::time::Instant::now();
    bench.interrupt();
    assert_eq!(end_of(&bench.finished().await), TurnEnd::Interrupted);
    assert!(before.elapsed() < Duration::from_millis(100));
    assert_eq!(bench.llm.open.load(Ordering::SeqCst), 0, "the stream is dropped");
    assert_eq!(bench.story()[3..], ["assistant interrupted half", "turn interrupted"]);
}

#[tokio::test(start_paused = true)]
async fn an_interruption_does_not_wait_for_tools() {
    let mut bench = Bench::new(options());
    bench.llm.say(calls(vec![call("w", "box__wait", json!({})), call("d", "box__deaf", json!({})), call("q", "box__write", json!({}))]));
    bench.send("go");
    bench.asked().await;
    let before = tokio::time::Instant::now();
    bench.interrupt();
    bench.finished().await;
    assert!(before.elapsed() < Duration::from_millis(100));
    let tail =
        ["tool w error Interrupted", "tool d error Interrupted", "approval q refused", "tool q error Interrupted", "turn interrupted"];
    assert_eq!(bench.story()[7..], tail);
    bench.send("next");
    bench.finished().await;
    assert_valid(&bench.last_request());
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(bench.tools.running.load(Ordering::SeqCst), 0, "the deaf one is dropped after its grace");
    assert!(!bench.story()[12..].iter().any(|line| line.starts_with("tool")), "late results change nothing");
}

#[tokio::test(start_paused = true)]
async fn messages_typed_meanwhile_steer_or_wait() {
    let mut bench = Bench::new(options());
    bench.llm.say(calls(vec![call("s", "box__slow", json!({}))]));
    bench.send("go");
    bench.tool("s", Status::Started).await;
    let later = bench.submit("later", Delivery::Queue);
    bench.submit("steer", Delivery::Steer);
    let gone = bench.submit("gone", Delivery::Queue);
    let edit = |id: &MessageId, text: Option<&str>| Command::EditQueued {
        session: bench.session.clone(),
        message_id: id.clone(),
        text: text.map(str::to_owned),
    };
    bench.handle.handle(edit(&later, Some("LATER"))).unwrap();
    bench.handle.handle(edit(&gone, None)).unwrap();
    bench.finished().await;
    let steered: Vec<_> = bench.llm.requests()[1].messages[1..].iter().map(|message| message.content.clone()).collect();
    assert_eq!(steered, ["go", "", "slow", "steer"]);
    bench.finished().await;
    assert_eq!(bench.last_request().last().unwrap().content, "LATER");
    assert!(State::fold(bench.events(), 1_000).queue.is_empty());
    bench.handle.handle(Command::EditQueued { session: bench.session.clone(), message_id: later, text: None }).unwrap();
    assert!(bench.complaint().await.contains("sent already"));
}

#[tokio::test(start_paused = true)]
async fn after_an_interruption_what_waits_goes_along_with_the_next_message() {
    let mut bench = Bench::new(options());
    bench.llm.say(vec![Say::Hang]);
    bench.send("go");
    bench.until("turn", |event| matches!(&event.body, EventBody::TurnEvent(TurnEvent::Started { .. })).then_some(())).await;
    bench.submit("waits", Delivery::Queue);
    bench.interrupt();
    bench.finished().await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(State::fold(bench.events(), 1_000).queue.len(), 1);
    let again = bench.send("now");
    bench.finished().await;
    let told: Vec<_> = bench.last_request().iter().map(|message| message.content.clone()).collect();
    assert_eq!(told, ["go", "waits", "now"]);
    let command = Command::Submit { session: bench.session.clone(), message_id: again, text: "now".to_owned(), delivery: Delivery::Steer };
    bench.handle.handle(command).unwrap();
    bench.send("end");
    bench.finished().await;
    assert_eq!(
        bench.last_request().iter().filter(|message| message.content == "now").count(),
        1,
        "a message that is sent twice counts once"
    );
}

#[tokio::test(start_paused = true)]
async fn the_step_limit_stops_with_a_word() {
    let mut bench = Bench::new(Options { steps_max: 3, ..options() });
    for _ in 0..3 {
        bench.llm.say(calls(vec![call("", "box__echo", json!({}))]));
    }
    bench.send("go");
    assert_eq!(end_of(&bench.finished().await), TurnEnd::StepLimit);
    assert_eq!(bench.tools.ran().len(), 3);
    bench.send("continue");
    assert_eq!(end_of(&bench.finished().await), TurnEnd::Done);
    assert_valid(&bench.last_request());
}

#[tokio::test(start_paused = true)]
async fn a_broken_stream_keeps_its_text_and_runs_nothing() {
    let mut bench = Bench::new(options());
    bench.llm.say(vec![Say::Delta(Delta::Text("half".to_owned())), Say::Fail(llm::Error::Broken("reset".to_owned()))]);
    bench.send("go");
    assert_eq!(end_of(&bench.finished().await), TurnEnd::Failed);
    bench.llm.say(vec![Say::Delta(Delta::Text("cut".to_owned()))]);
    bench.send("again");
    assert_eq!(end_of(&bench.finished().await), TurnEnd::Failed, "a stream that just ends is broken too");
    bench.send("once more");
    bench.finished().await;
    let told: Vec<_> = bench.last_request().iter().map(|message| message.content.clone()).collect();
    assert_eq!(told, ["go", "half", "again", "cut", "once more"]);
}

#[tokio::test(start_paused = true)]
async fn retries_are_recorded() {
    let mut bench = Bench::new(options());
    let retry = Delta::Retry { reason: "503".to_owned(), attempt: 2, attempts_max: 5, delay: Duration::from_secs(1) };
    bench.llm.say(vec![Say::Delta(retry), Say::Wait(Duration::from_secs(1)), Say::Delta(Delta::Done(completion("hi", vec![])))]);
    bench.send("go");
    bench.finished().await;
    assert_eq!(bench.story()[3..], ["retry 2", "assistant done hi", "turn done"]);
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_is_too_long_is_summarised_and_goes_on() {
    let mut bench = Bench::new(options());
    bench.send("first");
    bench.finished().await;
    bench.llm.say(vec![Say::Fail(llm::Error::TooLong("8192".to_owned()))]);
    bench.llm.say(answer("all about first"));
    bench.llm.say(answer("good"));
    bench.send("second");
    assert_eq!(end_of(&bench.finished().await), TurnEnd::Done);
    assert_eq!(bench.story()[7..], ["session compacted", "assistant done good", "turn done"]);
    let told = bench.last_request();
    assert!(told[0].content.ends_with("all about first") && told[1].content == "second" && told.len() == 2, "{told:?}");
    let folded = State::fold(bench.events(), 1_000).messages();
    assert_eq!(folded[..2], told[..]);
}

#[tokio::test(start_paused = true)]
async fn a_long_turn_is_summarised_between_its_steps() {
    let llm = ScriptedLlm { context_tokens: Some(2_000), ..ScriptedLlm::default() };
    let mut bench = Bench::over(MemoryRecorder::default(), llm, options());
    for step in 0..3 {
        let big = json!({"text": "x".repeat(3_000)});
        let mut steps = completion("", vec![call(&format!("c{step}"), "box__echo", big)]);
        steps.usage = None;
        bench.llm.say(vec![Say::Delta(Delta::Done(steps))]);
        bench.llm.say(answer(&format!("summary {step}")));
    }
    bench.send("the wish");
    bench.finished().await;
    assert!(bench.story().iter().any(|line| line == "session compacted"), "{:#?}", bench.story());
    for request in bench.llm.requests() {
        assert_valid(&request.messages);
        assert!(request.messages.iter().any(|message| message.content.contains("the wish")), "{request:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_user_can_have_it_summarised() {
    let mut bench = Bench::new(options());
    bench.send("one");
    bench.finished().await;
    bench.send("two");
    bench.finished().await;
    bench.llm.say(answer("notes"));
    bench.handle.handle(Command::Compact { session: bench.session.clone() }).unwrap();
    bench.send("three");
    bench.finished().await;
    let told: Vec<_> = bench.last_request().iter().map(|message| message.content.lines().last().unwrap().to_owned()).collect();
    assert_eq!(told, ["notes", "two", "ok", "three"], "what was sent meanwhile waits for the summary");
}

#[tokio::test(start_paused = true)]
async fn a_task_is_handed_over_and_its_answer_comes_back() {
    let mut bench = Bench::new(with_agents());
    bench.llm.say(calls(vec![handoff("h", "coder")]));
    bench.llm.say(calls(vec![call("n", "box__echo", json!({})), call("x", "other__echo", json!({}))]));
    bench.llm.say(answer("coded"));
    bench.llm.say(answer("done"));
    bench.send("go");
    bench.finished().await;
    let story = [
        "assistant done calls h",
        "handoff h coder started",
        "h> user done do it",
        "h> turn started",
        "h> assistant done calls n,x",
        "h> tool x error NotFound",
        "h> tool n started",
        "h> tool n success",
        "h> assistant done coded",
        "h> turn done",
        "handoff h coder success",
        "assistant done done",
        "turn done",
    ];
    assert_eq!(bench.story()[3..], story);
    assert_eq!(bench.last_request()[2].content, "coded");
    let nested = &bench.llm.requests()[1];
    assert!(nested.messages[0].content.contains("You write code."));
    assert!(nested.tools.iter().all(|tool| tool.name.as_str() == "handoff" || tool.name.as_str().starts_with("box__")));
}

#[tokio::test(start_paused = true)]
async fn a_whole_server_can_be_handed_a_task() {
    let mut bench = Bench::new(options());
    bench.llm.say(calls(vec![handoff("h", "other")]));
    bench.llm.say(answer("served"));
    bench.send("go");
    bench.finished().await;
    let names: Vec<_> = bench.llm.requests()[1].tools.iter().map(|tool| tool.name.as_str().to_owned()).collect();
    assert_eq!(names, ["other__echo", "other__write"], "only that server's tools, and nobody to hand over to");
    assert!(bench.story().contains(&"handoff h other success".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn handoffs_nest_up_to_their_limit() {
    let mut bench = Bench::new(Options { handoff_depth_max: 2, ..with_agents() });
    bench.llm.say(calls(vec![handoff("h1", "coder")]));
    bench.llm.say(calls(vec![handoff("h2", "tester")]));
    bench.llm.say(calls(vec![handoff("h3", "coder")]));
    bench.llm.say(answer("deep"));
    bench.send("go");
    bench.finished().await;
    let story = bench.story();
    assert!(story.contains(&"h1> handoff h2 tester success".to_owned()), "{story:#?}");
    assert!(story.contains(&"h2> tool h3 error NotFound".to_owned()), "{story:#?}");
    assert!(bench.llm.requests()[2].tools.iter().all(|tool| tool.name.as_str() != "handoff"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_handoff_is_an_error_for_the_one_who_handed_over() {
    let mut bench = Bench::new(with_agents());
    bench.llm.say(calls(vec![handoff("h", "coder")]));
    bench.llm.say(vec![Say::Fail(llm::Error::Unavailable("down".to_owned()))]);
    bench.send("go");
    assert_eq!(end_of(&bench.finished().await), TurnEnd::Done);
    assert!(bench.story().contains(&"handoff h coder error".to_owned()));
    assert!(bench.last_request()[2].content.contains("down"));
}

#[tokio::test(start_paused = true)]
async fn an_interruption_reaches_what_was_handed_over() {
    let mut bench = Bench::new(with_agents());
    bench.llm.say(calls(vec![handoff("h", "coder")]));
    bench.llm.say(calls(vec![handoff("i", "tester"), call("w", "box__wait", json!({}))]));
    bench.llm.say(vec![Say::Delta(Delta::Text("deep".to_owned())), Say::Hang]);
    bench.send("go");
    bench.until("text", |event| matches!(&event.body, EventBody::Chat(chat) if chat.status == ChatStatus::Delta).then_some(())).await;
    bench.interrupt();
    bench.finished().await;
    let tail = [
        "i> assistant interrupted deep",
        "i> turn interrupted",
        "h> handoff i tester error",
        "h> tool w error Interrupted",
        "h> turn interrupted",
        "handoff h coder error",
        "turn interrupted",
    ];
    let story = bench.story();
    assert_eq!(story[story.len() - 7..], tail);
    assert_eq!(bench.llm.open.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn an_agent_below_asks_as_well() {
    let mut bench = Bench::new(with_agents());
    bench.llm.say(calls(vec![handoff("h", "coder")]));
    bench.llm.say(calls(vec![call("w", "box__write", json!({}))]));
    bench.send("go");
    assert_eq!(bench.asked().await.parent.unwrap().as_str(), "h");
    bench.decide("w", Decision::Allow { scope: Scope::Once });
    bench.finished().await;
    assert_eq!(bench.tools.ran(), ["w"]);
}

#[tokio::test(start_paused = true)]
async fn sessions_are_named_forked_and_rewound() {
    let mut bench = Bench::new(options());
    bench.send("one");
    bench.finished().await;
    let one = bench.events().last().unwrap().seq.unwrap();
    bench.send("two");
    bench.finished().await;
    let session = bench.session.clone();
    let fork = SessionId::generate();
    bench.handle.handle(Command::ForkSession { session: fork.clone(), from: session.clone(), upto: Some(one) }).unwrap();
    bench.handle.handle(Command::Rename { session: session.clone(), title: " A\ttitle \u{1b}[31m".to_owned() }).unwrap();
    bench.handle.handle(Command::SetModel { session: session.clone(), model: "big".to_owned() }).unwrap();
    bench.handle.handle(Command::Rewind { session: session.clone(), to: one }).unwrap();
    bench.handle.handle(Command::Rewind { session: session.clone(), to: Seq(10_000) }).unwrap();
    assert!(bench.complaint().await.contains("nothing after event 10000"));
    bench.send("three");
    bench.finished().await;
    let told: Vec<_> = bench.last_request().iter().map(|message| message.content.clone()).collect();
    assert_eq!(told, ["one", "ok", "three"]);
    assert_eq!(bench.llm.requests().last().unwrap().model, "big");
    let own: Vec<_> = bench.events().into_iter().filter(|event| event.session.as_ref() == Some(&session)).collect();
    assert_eq!(State::fold(own, 1_000).title(), "A title");

    bench.session = fork;
    bench.send("four");
    bench.finished().await;
    let told: Vec<_> = bench.last_request().iter().map(|message| message.content.clone()).collect();
    assert_eq!(told, ["one", "ok", "four"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_not_there_is_told() {
    let mut bench = Bench::closed(MemoryRecorder::default(), ScriptedLlm::default(), options(), SessionId::new("none"));
    bench.handle.handle(Command::OpenSession { session: "none".into() }).unwrap();
    assert_eq!(bench.complaint().await, "there is no session `none`");
    assert_eq!(bench.handle.handle(Command::Mcp(crate::domain::command::McpCommand::Restart("x".into()))), Err(HandleError::NotMine));
    bench.handle.shutdown().await;
    assert_eq!(bench.handle.handle(Command::OpenSession { session: "none".into() }), Err(HandleError::Closed));
}

#[tokio::test(start_paused = true)]
async fn many_sessions_work_at_once() {
    let mut bench = Bench::new(options());
    let slow = || vec![Say::Wait(Duration::from_secs(1)), Say::Delta(Delta::Done(completion("hi", vec![])))];
    let before = tokio::time::Instant::now();
    for _ in 0..50 {
        bench.session = SessionId::generate();
        bench.llm.say(slow());
        bench.handle.handle(Command::NewSession { session: bench.session.clone(), options: SessionOptions::default() }).unwrap();
        bench.send("go");
    }
    for _ in 0..50 {
        bench.finished().await;
    }
    assert_eq!(before.elapsed().as_secs(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_fails_stops_the_turn_before_it_acts() {
    let mut bench = Bench::new(options());
    bench.send("one");
    bench.finished().await;
    bench.recorder.left.store(1, Ordering::SeqCst);
    bench.llm.say(calls(vec![call("a", "box__echo", json!({}))]));
    bench.send("two");
    assert!(bench.complaint().await.contains("the disk is full"));
    assert!(bench.tools.ran().is_empty(), "what is not in the log does not run");
    bench.recorder.left.store(i64::MAX, Ordering::SeqCst);
    bench.send("three");
    assert_eq!(end_of(&bench.finished().await), TurnEnd::Crashed);
    assert_eq!(end_of(&bench.finished().await), TurnEnd::Done);
    let told: Vec<_> = bench.last_request().iter().map(|message| message.content.clone()).collect();
    assert_eq!(told, ["one", "ok", "two", "three"]);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_idle_leaves_memory_and_comes_back() {
    let mut bench = Bench::new(Options { session_idle_seconds: 10, ..options() });
    bench.send("one");
    bench.finished().await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(bench.handle.0.tasks.len(), 0);
    bench.send("two");
    bench.finished().await;
    assert_eq!(bench.last_request().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn stopping_the_program_ends_turns_properly() {
    let mut bench = Bench::new(options());
    bench.llm.say(calls(vec![call("d", "box__deaf", json!({}))]));
    bench.send("go");
    bench.tool("d", Status::Started).await;
    let before = tokio::time::Instant::now();
    bench.handle.shutdown().await;
    assert!(before.elapsed() < Duration::from_secs(1));
    assert_eq!(bench.story()[5..], ["tool d error Interrupted", "turn interrupted"]);
}

#[tokio::test(start_paused = true)]
async fn twenty_thousand_tokens_are_few_events() {
    let mut bench = Bench::new(options());
    let mut steps: Vec<_> = (0..20_000).map(|_| Say::Delta(Delta::Text("token ".to_owned()))).collect();
    steps.push(Say::Delta(Delta::Done(completion(&"token ".repeat(20_000), vec![]))));
    bench.llm.say(steps);
    bench.send("go");
    let mut feed = bench.recorder.inner.subscribe();
    bench.finished().await;
    let (mut events, mut bytes) = (0, 0);
    while let Some(crate::bus::Delivery::Event(event)) = feed.try_recv() {
        if let EventBody::Chat(chat) = &event.body
            && chat.status == ChatStatus::Delta
        {
            events += 1;
            bytes += chat.text.as_deref().unwrap_or_default().len();
        }
    }
    assert_eq!(bytes, 20_000 * 6);
    assert!(events <= 200, "{events}");
}
