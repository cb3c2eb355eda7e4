//! Commands that the user runs: calls without a model.

use serde_json::json;

use crate::agent::Options;
use crate::agent::testing::{Bench, Does, answer, call, calls, info};
use crate::domain::command::{Command, Decision, Delivery};
use crate::domain::event::Scope;
use crate::domain::ids::MessageId;

fn bench() -> Bench {
    let bench = Bench::new(Options::default());
    bench.tools.add(info("system", "run_command", false), Does::Echo);
    bench
}

fn shell(bench: &Bench, line: &str) -> MessageId {
    let message_id = MessageId::generate();
    let command = Command::Shell { session: bench.session.clone(), message_id: message_id.clone(), command: line.to_owned() };
    bench.handle.handle(command).unwrap();
    message_id
}

#[tokio::test(start_paused = true)]
async fn a_command_of_the_users_is_asked_about_run_and_kept_without_a_model() {
    let mut bench = bench();
    shell(&bench, "ls -la");
    let asked = bench.asked().await;
    assert_eq!(asked.arguments["command"], json!("ls -la"));
    bench.decide(asked.call_id.as_str(), Decision::Allow { scope: Scope::Once });
    bench.finished().await;
    let id = asked.call_id;
    let story = [
        "session created".to_owned(),
        "user done !ls -la".to_owned(),
        "turn started".to_owned(),
        format!("assistant done calls {id}"),
        format!("approval {id} requested"),
        format!("approval {id} granted"),
        format!("tool {id} started"),
        format!("tool {id} success"),
        "turn done".to_owned(),
    ];
    assert_eq!(bench.story(), story);
    assert!(bench.llm.requests().is_empty(), "nobody asked the model");

    // The model knows of it afterwards.
    bench.llm.say(answer("I see"));
    bench.send("what did you see?");
    bench.finished().await;
    let told: Vec<_> = bench.last_request().iter().map(|message| message.content.clone()).collect();
    assert_eq!(told, ["!ls -la", "", "{\"command\":\"ls -la\"}", "what did you see?"]);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_refused_did_not_run() {
    let mut bench = bench();
    shell(&bench, "rm -rf /");
    let asked = bench.asked().await;
    bench.decide(asked.call_id.as_str(), Decision::Refuse { instead: None });
    bench.finished().await;
    assert!(bench.tools.ran().is_empty());
    assert!(bench.llm.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_said_meanwhile_goes_to_the_model() {
    let mut bench = bench();
    bench.llm.say(answer("hello"));
    shell(&bench, "make");
    let asked = bench.asked().await;
    bench.submit("and tell me what went wrong", Delivery::Steer);
    bench.decide(asked.call_id.as_str(), Decision::Allow { scope: Scope::Once });
    bench.finished().await;
    assert_eq!(bench.last_request().last().unwrap().content, "and tell me what went wrong");
}

#[tokio::test(start_paused = true)]
async fn a_command_waits_for_nobody_and_is_refused_while_the_agent_works() {
    let mut bench = bench();
    bench.llm.say(calls(vec![call("a", "box__write", json!({}))]));
    bench.send("go");
    bench.asked().await;
    shell(&bench, "ls");
    assert_eq!(bench.complaint().await, "a command cannot run while the agent works");
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_sent_twice_runs_once() {
    let mut bench = bench();
    let message_id = shell(&bench, "ls");
    let asked = bench.asked().await;
    bench.decide(asked.call_id.as_str(), Decision::Allow { scope: Scope::Once });
    bench.finished().await;
    let again = Command::Shell { session: bench.session.clone(), message_id, command: "ls".to_owned() };
    bench.handle.handle(again).unwrap();
    bench.llm.say(answer("done"));
    bench.send("anything");
    bench.finished().await;
    assert_eq!(bench.tools.ran().len(), 1);
}
