//! The turn, input by input.

use std::collections::HashSet;

use serde_json::json;

use super::*;
use crate::agent::approval::{Consents, Policy};
use crate::agent::testing::{call, completion, info, line};
use crate::domain::command::{ApprovalMode, Decision};
use crate::domain::event::{ErrorKind, Scope};
use crate::tools::{ToolError, ToolOutcome};

struct Table {
    turn: Turn,
    ids: HashSet<CallId>,
    mode: ApprovalMode,
    unattended: bool,
    consents: Consents,
    context_tokens: u64,
}

impl Table {
    fn new(mode: ApprovalMode) -> Self {
        Self::with(mode, Limits::from(&crate::agent::Options::default()), Vec::new())
    }

    fn with(mode: ApprovalMode, limits: Limits, history: Vec<Message>) -> Self {
        let turn = Turn::new(TurnId::generate(), Identity::default(), limits, history);
        Self { turn, ids: HashSet::new(), mode, unattended: false, consents: Consents::default(), context_tokens: 100_000 }
    }

    fn raw(&mut self, input: Input) -> Vec<Effect> {
        let lasting = Consents::default();
        let policy = Policy { mode: self.mode, rules: &[], session: &self.consents, lasting: &lasting, unattended: self.unattended };
        let context_tokens = self.context_tokens;
        let offer = || Offer {
            system: "system".to_owned(),
            model: "p/m".to_owned(),
            model_name: "m".to_owned(),
            context_tokens,
            tools: vec![info("box", "read", true), info("box", "write", false)],
            targets: vec![Target { name: "coder".to_owned(), description: String::new(), agent: true }],
        };
        let mut env = Env { now: Instant::from_millis(5), call_ids: &mut self.ids, policy, offer: &offer };
        self.turn.step(&mut env, input)
    }

    /// One input; what it leads to, in a few words each.
    fn step(&mut self, input: Input) -> Vec<String> {
        self.raw(input).iter().map(words).collect()
    }

    fn start(&mut self) -> Vec<String> {
        self.step(Input::Start(vec![prompt("hi")]))
    }

    fn calls(&mut self, calls: Vec<crate::domain::message::ToolCall>) -> Vec<String> {
        self.step(Input::Completed(completion("", calls)))
    }

    fn done(&mut self, id: &str) -> Vec<String> {
        self.step(Input::ToolFinished { call_id: id.into(), result: Ok(ToolOutcome::text("r")) })
    }
}

fn prompt(text: &str) -> Prompt {
    Prompt { message_id: Some(MessageId::new(text)), text: text.to_owned() }
}

fn words(effect: &Effect) -> String {
    match effect {
        Effect::Publish(body) => line(body),
        Effect::Emit(body) => format!("emit {}", line(body)),
        Effect::CallModel(request) => format!("model {}", request.messages.len()),
        Effect::CancelModel => "cancel model".to_owned(),
        Effect::RunTool { call_id, .. } => format!("run {call_id}"),
        Effect::AskApproval(approval) => format!("ask {}{}", approval.call_id, if approval.dangerous { " dangerous" } else { "" }),
        Effect::Handoff { call_id, target, .. } => format!("hand {call_id} to {}", target.name),
        Effect::CancelTools => "cancel tools".to_owned(),
        Effect::Recall(words) => format!("recall {words}"),
        Effect::Compact => "compact".to_owned(),
        Effect::Finish(outcome) => format!("finish {:?}: {}", outcome.end, outcome.message.as_deref().unwrap_or_default()),
    }
}

#[test]
fn a_question_and_its_answer() {
    let mut table = Table::new(ApprovalMode::AutoRead);
    assert_eq!(table.start(), ["user done hi", "turn started", "model 2"]);
    let deltas = vec![Delta::Reasoning("hm".to_owned()), Delta::Text("he".to_owned())];
    assert_eq!(table.step(Input::Deltas(deltas)), ["emit assistant reasoningdelta hm", "emit assistant delta he"]);
    assert_eq!(table.step(Input::Completed(completion("hello", vec![]))), ["assistant done hello", "turn done", "finish Done: "]);
    assert!(table.step(Input::Interrupt).is_empty(), "what is over cannot be interrupted");
}

#[test]
fn what_fits_stands_before_the_last_words_and_is_recorded_first() {
    let limits = Limits { recalls: true, ..Limits::from(&crate::agent::Options::default()) };
    let mut table = Table::with(ApprovalMode::AutoRead, limits, Vec::new());
    let started = table.step(Input::Start(vec![prompt("one"), prompt("two")]));
    assert_eq!(started, ["user done one", "user done two", "turn started", "recall one\ntwo"]);
    let note = crate::domain::memory::Note {
        memory_id: "m".into(),
        kind: crate::domain::memory::MemoryKind::Fact,
        content: "the sky is blue".to_owned(),
        updated: Instant::from_millis(0),
    };
    let notes = Notes::new(vec![note], || 7);
    assert_eq!(table.step(Input::Recalled(notes.clone())), ["memory_event", "model 3"]);
    assert_eq!(table.turn.messages()[1].content, notes.before("two"));
    assert!(table.step(Input::Recalled(notes)).is_empty(), "what comes late changes nothing");
    // Nothing fits: nothing is told. A handoff's turn does not look at all. Interrupted, the look ends too.
    let mut table = Table::with(ApprovalMode::AutoRead, limits, Vec::new());
    table.start();
    assert_eq!(table.step(Input::Recalled(Notes::default())), ["model 2"]);
    let mut table = Table::with(ApprovalMode::AutoRead, limits, Vec::new());
    table.start();
    assert_eq!(table.step(Input::Interrupt), ["cancel tools", "turn interrupted", "finish Interrupted: "]);
}

#[test]
fn calls_run_at_once_and_are_answered_in_their_order() {
    let mut table = Table::new(ApprovalMode::AutoRead);
    table.start();
    let both = vec![call("a", "box__read", json!({})), call("b", "box__read", json!({"x": 1}))];
    assert_eq!(table.calls(both), ["assistant done calls a,b", "tool a started", "tool b started", "run a", "run b"]);
    assert_eq!(table.done("b"), ["tool b success"]);
    assert!(table.done("b").is_empty(), "a second answer changes nothing");
    assert_eq!(table.done("a"), ["tool a success", "model 5"]);
    let answered: Vec<_> = table.turn.messages()[2..].iter().map(|message| message.tool_call_id.clone().unwrap()).collect();
    assert_eq!(answered, [CallId::new("a"), CallId::new("b")]);
}

#[test]
fn no_more_calls_run_at_once_than_allowed() {
    let limits = Limits { parallel_tools_max: 2, ..Limits::from(&crate::agent::Options::default()) };
    let mut table = Table::with(ApprovalMode::AutoRead, limits, Vec::new());
    table.start();
    let calls = ["a", "b", "c"].map(|id| call(id, "box__read", json!({}))).to_vec();
    assert_eq!(table.calls(calls)[1..], ["tool a started", "tool b started", "run a", "run b"]);
    assert_eq!(table.done("a"), ["tool a success", "tool c started", "run c"]);
}

#[test]
fn calls_that_cannot_run_are_answered_with_the_reason() {
    let check = |call: crate::domain::message::ToolCall, event: &str, reason: &str| {
        let mut table = Table::new(ApprovalMode::Auto);
        table.start();
        let said = table.calls(vec![call]);
        assert_eq!(said[1..], [event.to_owned(), "model 4".to_owned()], "{said:?}");
        let told = &table.turn.messages().last().unwrap().content;
        assert!(told.contains(reason), "{told}");
    };
    let invalid = crate::domain::message::ToolCall { invalid: Some("no object".to_owned()), ..call("a", "box__read", json!({})) };
    check(invalid, "tool a error BadArguments", "no object");
    check(call("a", "read", json!({})), "tool a error NotFound", "did you mean `box__read`");
    check(call("a", "zzzzzz", json!({})), "tool a error NotFound", "there is no tool `zzzzzz`");
    check(call("a", "handoff", json!({"agent": "who", "task": {"d": 1}})), "tool a error BadArguments", "there are: coder");
    check(call("a", "handoff", json!({"agent": "coder"})), "tool a error BadArguments", "task is missing");
}

#[test]
fn a_call_cut_by_the_token_limit_never_runs() {
    let mut table = Table::new(ApprovalMode::Auto);
    table.start();
    let calls = vec![call("a", "box__read", json!({})), call("b", "box__read", json!({"half": 1}))];
    let said = table.step(Input::Completed(Completion { finish: Finish::Length, ..completion("", calls) }));
    assert_eq!(said[1..], ["tool b error BadArguments", "tool a started", "run a"]);
}

#[test]
fn ids_that_are_missing_or_used_are_replaced() {
    let mut table = Table::new(ApprovalMode::Auto);
    table.ids.insert(CallId::new("used"));
    table.start();
    table.calls(["", "used", "x", "x", "has blank"].map(|id| call(id, "box__read", json!({}))).to_vec());
    let ids: Vec<_> = table.turn.messages()[1].tool_calls.iter().map(|call| call.id.as_str().to_owned()).collect();
    assert_eq!(ids[2], "x");
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 5, "{ids:?}");
    assert!(ids.iter().enumerate().all(|(at, id)| at == 2 || (id.len() == 9 && id != "used")), "{ids:?}");
}

#[test]
fn names_are_made_fit_for_the_history() {
    let mut table = Table::new(ApprovalMode::Auto);
    table.start();
    table.calls(vec![call("a", "bad name!\u{1b}", json!({})), call("b", "", json!({})), call("c", &"n".repeat(99), json!({}))]);
    let names: Vec<_> = table.turn.messages()[1].tool_calls.iter().map(|call| call.name.as_str().to_owned()).collect();
    assert_eq!(names, ["bad_name__".to_owned(), "unnamed".to_owned(), "n".repeat(64)]);
}

#[test]
fn a_question_for_consent_holds_only_its_own_call() {
    let mut table = Table::new(ApprovalMode::AutoRead);
    table.start();
    let both = vec![call("a", "box__write", json!({})), call("b", "box__read", json!({}))];
    assert_eq!(table.calls(both)[1..], ["tool b started", "ask a dangerous", "run b"]);
    assert_eq!(table.done("b"), ["tool b success"]);
    let allow = Decision::Allow { scope: Scope::Once };
    let said = table.step(Input::Decided { call_id: "a".into(), decision: allow.clone() });
    assert_eq!(said, ["approval a granted", "tool a started", "run a"]);
    assert!(table.step(Input::Decided { call_id: "a".into(), decision: allow }).is_empty(), "the first answer counts");
}

#[test]
fn a_refused_call_tells_the_model_what_to_do_instead() {
    let mut table = Table::new(ApprovalMode::Ask);
    table.start();
    table.calls(vec![call("a", "box__read", json!({}))]);
    let decision = Decision::Refuse { instead: Some("look in /tmp".to_owned()) };
    let said = table.step(Input::Decided { call_id: "a".into(), decision });
    assert_eq!(said, ["approval a refused", "tool a error Refused", "model 4"]);
    assert_eq!(table.turn.messages()[2].content, "error: the user refused this call and says: look in /tmp");
}

#[test]
fn a_new_consent_answers_the_questions_it_covers() {
    let mut table = Table::new(ApprovalMode::Ask);
    table.start();
    table.calls(vec![call("a", "box__read", json!({})), call("b", "box__read", json!({})), call("c", "box__write", json!({}))]);
    let said = table.raw(Input::Decided { call_id: "a".into(), decision: Decision::Allow { scope: Scope::Session } });
    let Effect::Publish(EventBody::Approval(granted)) = &said[0] else { panic!("{said:?}") };
    table.consents.learn_session(granted);
    assert_eq!(table.step(Input::Reconsider), ["approval b granted", "tool b started", "run b"]);
    assert!(table.turn.is_asking(&"c".into()));
}

#[test]
fn without_a_person_what_would_ask_is_refused() {
    let mut table = Table::new(ApprovalMode::Ask);
    table.unattended = true;
    table.start();
    assert_eq!(table.calls(vec![call("a", "box__write", json!({}))])[1..], ["tool a error Refused", "model 4"]);
    assert!(table.turn.messages()[2].content.contains("nobody is there"));
}

#[test]
fn handoffs_go_out_and_come_back() {
    for (task, result, event, told) in [
        (json!({"d": "x"}), Ok("42".to_owned()), "handoff a coder success", "42"),
        (json!("plain text"), Err("too hard".to_owned()), "handoff a coder error", "error: too hard"),
    ] {
        let mut table = Table::new(ApprovalMode::Ask);
        table.start();
        let said = table.calls(vec![call("a", "handoff", json!({"agent": "coder", "task": task}))]);
        assert_eq!(said[1..], ["handoff a coder started", "hand a to coder"]);
        assert_eq!(table.step(Input::HandoffFinished { call_id: "a".into(), result }), [event, "model 4"]);
        assert_eq!(table.turn.messages()[2].content, told);
    }
}

#[test]
fn results_are_cut_for_the_model_and_whole_in_the_log() {
    let limits = Limits { tool_result_bytes_max: 100, ..Limits::from(&crate::agent::Options::default()) };
    let mut table = Table::with(ApprovalMode::Auto, limits, Vec::new());
    table.start();
    table.calls(vec![call("a", "box__read", json!({}))]);
    let said = table.raw(Input::ToolFinished { call_id: "a".into(), result: Ok(ToolOutcome::text("x".repeat(1_000))) });
    let Effect::Publish(EventBody::ToolExecution(event)) = &said[0] else { panic!("{said:?}") };
    assert_eq!(event.result.as_ref().unwrap().as_str().unwrap().len(), 1_000);
    let told = &table.turn.messages()[2].content;
    assert!(told.len() < 150 && told.contains("900 bytes left out"), "{told}");
}

#[test]
fn the_step_limit_is_a_friendly_stop() {
    let limits = Limits { steps_max: 2, ..Limits::from(&crate::agent::Options::default()) };
    let mut table = Table::with(ApprovalMode::Auto, limits, Vec::new());
    table.start();
    table.calls(vec![call("a", "box__read", json!({}))]);
    table.done("a");
    table.calls(vec![call("b", "box__read", json!({}))]);
    let said = table.done("b");
    assert!(said[1].contains("I stopped after 2 steps") && said[1].contains("continue"), "{said:?}");
    assert_eq!(said[2..], ["turn steplimit", "finish StepLimit: stopped after 2 steps"]);
}

#[test]
fn a_broken_stream_keeps_what_was_said() {
    let mut table = Table::new(ApprovalMode::Auto);
    table.start();
    table.step(Input::Deltas(vec![Delta::Text("half".to_owned())]));
    let said = table.step(Input::ModelFailed(llm::Error::Broken("reset".to_owned())));
    assert_eq!(said, ["assistant failed half", "turn failed", "finish Failed: the answer broke off: reset"]);
}

#[test]
fn an_empty_answer_is_an_error() {
    let mut table = Table::new(ApprovalMode::Auto);
    table.start();
    let said = table.step(Input::Completed(completion(" \n", vec![])));
    assert!(said[2].contains("empty answer"), "{said:?}");
}

#[test]
fn retries_are_shown() {
    let mut table = Table::new(ApprovalMode::Auto);
    table.start();
    let delay = std::time::Duration::from_secs(1);
    let retry = Delta::Retry { reason: "503".to_owned(), attempt: 2, attempts_max: 5, delay };
    assert_eq!(table.step(Input::Deltas(vec![retry])), ["retry 2"]);
}

#[test]
fn an_interruption_closes_everything() {
    let mut table = Table::new(ApprovalMode::AutoRead);
    table.start();
    table.step(Input::Deltas(vec![Delta::Text("ha".to_owned())]));
    let said = table.step(Input::Interrupt);
    assert_eq!(said, ["cancel model", "assistant interrupted ha", "turn interrupted", "finish Interrupted: "]);

    let mut table = Table::new(ApprovalMode::AutoRead);
    table.start();
    let handoff = call("h", "handoff", json!({"agent": "coder", "task": {"d": 1}}));
    table.calls(vec![call("a", "box__read", json!({})), call("b", "box__write", json!({})), handoff, call("c", "box__read", json!({}))]);
    table.done("c");
    let closed = ["cancel tools", "tool a error Interrupted", "approval b refused", "tool b error Interrupted", "handoff h coder error"];
    let said = table.step(Input::Interrupt);
    assert_eq!(said[..5], closed);
    assert_eq!(said[5..], ["turn interrupted", "finish Interrupted: "]);
    let late = Err(ToolError::new(ErrorKind::Interrupted, "late"));
    assert!(table.step(Input::ToolFinished { call_id: "a".into(), result: late }).is_empty());
}

#[test]
fn messages_typed_meanwhile_join_at_the_next_step() {
    let mut table = Table::new(ApprovalMode::Auto);
    table.start();
    table.step(Input::Steer(prompt("one")));
    table.step(Input::Steer(prompt("two")));
    table.step(Input::EditSteer { message_id: "one".into(), text: Some("ONE".to_owned()) });
    table.step(Input::EditSteer { message_id: "two".into(), text: None });
    table.calls(vec![call("a", "box__read", json!({}))]);
    assert_eq!(table.done("a"), ["tool a success", "user done ONE", "model 5"]);
    table.step(Input::Steer(prompt("three")));
    let said = table.step(Input::Completed(completion("answer", vec![])));
    assert_eq!(said, ["assistant done answer", "user done three", "model 7"], "an answer does not end a turn that has more to answer");
}

#[test]
fn a_full_context_is_summarised_before_the_next_call() {
    let long = Message::text(Role::User, "x".repeat(4_000));
    let mut table = Table::with(ApprovalMode::Auto, Limits::from(&crate::agent::Options::default()), vec![long]);
    table.context_tokens = 1_000;
    assert_eq!(table.start(), ["user done hi", "turn started", "compact"]);
    let history = vec![Message::text(Role::User, "summary"), Message::text(Role::User, "hi")];
    assert_eq!(table.step(Input::Compacted(history)), ["model 3"]);
}

#[test]
fn usage_decides_what_the_context_holds_where_it_is_told() {
    let mut table = Table::new(ApprovalMode::Auto);
    table.start();
    let usage = Some(Usage { input_tokens: 90_000, output_tokens: 1, cached_tokens: 0 });
    table.step(Input::Completed(Completion { usage, ..completion("", vec![call("a", "box__read", json!({}))]) }));
    assert_eq!(table.done("a"), ["tool a success", "compact"]);
    let said = table.step(Input::CompactFailed("no".to_owned()));
    assert_eq!(said, ["model 4"], "a summary that fails does not end the turn while it may still fit");
}

#[test]
fn too_long_is_summarised_once() {
    let mut table = Table::new(ApprovalMode::Auto);
    table.start();
    let too_long = || Input::ModelFailed(llm::Error::TooLong("8192".to_owned()));
    assert_eq!(table.step(too_long()), ["compact"]);
    assert_eq!(table.step(Input::Compacted(vec![Message::text(Role::User, "s")])), ["model 2"]);
    let said = table.step(too_long());
    assert_eq!(said[0..2], ["assistant failed", "turn failed"]);
}

#[test]
fn the_end_tells_steps_and_tokens() {
    let mut table = Table::new(ApprovalMode::Auto);
    table.start();
    table.calls(vec![call("a", "box__read", json!({}))]);
    table.done("a");
    let said = table.raw(Input::Completed(completion("x", vec![])));
    let Effect::Publish(EventBody::TurnEvent(TurnEvent::Finished { steps, usage, context_tokens, .. })) = &said[1] else {
        panic!("{said:?}")
    };
    assert_eq!((*steps, usage.input_tokens, usage.output_tokens, *context_tokens), (2, 20, 10, 10));
}
