//! `wakeful exec` and its kin as scripts use them: exit codes, JSON lines, piped input, the tour.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::model::{ModelServer, Say, results};
use crate::support::{Home, Ran};

#[test]
fn exit_codes_tell_how_it_went() {
    let home = Home::with("");
    let check = |arguments: &[&str], code: i32| {
        let ran = home.run(arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.out, ran.err);
        ran
    };
    assert!(check(&["exec", "what is 2+2?"], 0).out.contains('4'));
    check(&["exec"], 2);
    check(&["nosuch"], 2);
    let refused = check(&["exec", "write a file x.md with the content \"hi\""], 3);
    assert!(refused.err.contains("not allowed by policy"), "{}", refused.err);
    assert!(!home.work().join("x.md").exists());
    check(&["exec", "--approvals", "auto", "write a file x.md with the content \"hi\""], 0);
    assert_eq!(std::fs::read_to_string(home.work().join("x.md")).unwrap(), "hi");
    let missing = check(&["exec", "--resume", "nosuch", "hi"], 1);
    assert!(missing.err.contains("no session `nosuch`"), "{}", missing.err);
}

#[test]
fn a_provider_that_cannot_be_reached_is_a_clear_failure() {
    let home = Home::with("model = \"gone/m\"\n[providers.gone]\nbase_url = \"http://127.0.0.1:9/v1\"\nattempts_max = 1\n");
    let ran = home.run(&["exec", "hi"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("the model provider could not answer"), "{}", ran.err);
}

#[test]
fn json_is_one_event_a_line_and_ends_with_the_turn() {
    let home = Home::with("");
    let ran = home.run(&["exec", "--json", "what is 6*7?"]);
    let events: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seqs: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(seqs.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{seqs:?}");
    let last = events.last().unwrap();
    assert_eq!(
        (&last["type"], &last["data"]["event_type"], &last["data"]["end"]),
        (&json!("turn_event"), &json!("finished"), &json!("done"))
    );
    let statuses: Vec<&Value> =
        events.iter().filter(|event| event["type"] == "tool_execution").map(|event| &event["data"]["status"]).collect();
    assert_eq!(statuses, [&json!("started"), &json!("success")]);
}

#[test]
fn piped_input_joins_the_prompt() {
    let model = ModelServer::start(|_| Say::Text("read".to_owned()));
    let home = Home::with(&format!("model = \"bench/model\"\n{}", model.provider()));
    let mut child =
        home.wakeful(&["exec", "review", "this"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"the diff").unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.out.as_str()), (0, "read\n"));
    assert_eq!(crate::support::model::last_user(&model.requests()[0]), "review this\n\nthe diff");
}

#[test]
fn a_named_agent_gets_the_task_and_its_answer_comes_back() {
    let model = ModelServer::start(|request| {
        let system = request["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
        match (system.contains("You add numbers"), results(request)) {
            (true, 0) => Say::call("system__calculate", json!({"expression": "20+22"})),
            (true, _) => Say::Text("the sum is 42".to_owned()),
            (false, 0) => Say::call("handoff", json!({"agent": "adder", "task": {"goal": "add 20 and 22"}})),
            (false, _) => Say::Text("The adder says 42.".to_owned()),
        }
    });
    let agent = "[agents.adder]\ndescription = \"Adds\"\ninstructions = \"You add numbers\"\nservers = [\"system\"]\n";
    let home = Home::with(&format!("model = \"bench/model\"\n{}{agent}", model.provider()));
    let ran = home.run(&["exec", "add 20 and 22"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "The adder says 42.\n"), "{}", ran.err);
    let events = home.events();
    let handoffs: Vec<&Value> = events.iter().filter(|event| event["type"] == "handoff_call").map(|event| &event["data"]).collect();
    assert_eq!(handoffs.len(), 2);
    assert_eq!((&handoffs[0]["status"], &handoffs[0]["service_name"]), (&json!("started"), &json!("adder")));
    assert_eq!(handoffs[1]["status"], json!("success"));
    let inner = events.iter().find(|event| event["type"] == "tool_execution").unwrap();
    assert_eq!(inner["data"]["parent"], handoffs[0]["call_id"], "the agent's own calls name their handoff");
}

#[test]
fn the_tour_runs_by_itself_and_understands_every_scene() {
    let home = Home::with("");
    let ran = home.run(&["demo", "--plain"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.out.contains("did not understand"), "{}", ran.out);
    assert!(ran.out.contains("397.8") && ran.out.contains("Hello from wakeful"), "{}", ran.out);
}

#[test]
fn the_log_can_be_read_by_type_and_position() {
    let home = Home::with("");
    home.run(&["exec", "what is 2+2?"]);
    let ran = home.run(&["events", "--type", "tool_execution", "--since", "0", "--json"]);
    assert_eq!(ran.out.lines().count(), 2, "{}", ran.out);
    let people = home.run(&["events"]);
    assert!(people.out.contains("✅ system: calculate"), "{}", people.out);
    let all = home.events().len();
    let tail = home.run(&["events", "--json", "--since", &(all - 1).to_string()]);
    assert_eq!(tail.out.lines().count(), 1);
}

#[test]
fn a_prompt_that_comes_to_nothing_ends_with_its_reason() {
    let home = Home::with("[agent]\nmessage_bytes_max = 10\n");
    let ran = home.run(&["exec", "a prompt of more than ten bytes"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(!ran.err.is_empty());
}

#[test]
fn a_flag_counts_for_a_resumed_session_too() {
    let home = Home::with("");
    assert_eq!(home.run(&["exec", "--approvals", "auto", "what is 2+2?"]).code, 0);
    let ask = ["exec", "--resume", "last", "--approvals", "ask", "what is 3+3?"];
    assert_eq!(home.run(&ask).code, 3, "every call asks, and nobody is there");
}

#[test]
fn a_session_is_open_in_one_process_only() {
    let model = ModelServer::start(|_| Say::Hang("thinking".to_owned()));
    let home = Home::with(&format!("model = \"bench/model\"\n{}", model.provider()));
    let mut first = home.wakeful(&["exec", "--json", "think"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(first.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("\"event_type\":\"started\"")), "the turn runs");
    let second = home.run(&["exec", "--resume", "last", "me too"]);
    let events = home.events();
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.code, 1);
    assert!(second.err.contains("open in another wakeful"), "{}", second.err);
    assert!(!events.iter().any(|event| event["data"]["end"] == "crashed"), "the first one's turn is not taken for crashed");
}

#[test]
fn doctor_tells_of_a_log_that_cannot_be_opened_and_looks_at_the_rest() {
    let home = Home::with("[[mcp_servers]]\nname = \"gone\"\ncommand = \"/no/such/program\"\n");
    std::fs::create_dir_all(home.root().join("data")).unwrap();
    std::fs::write(home.root().join("data/events.db"), "this is no log, but long enough to be looked at as one").unwrap();
    let ran = home.run(&["doctor", "--json"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let rows: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no row `{name}`: {}", ran.out));
    assert_eq!(row("event log")["level"], "fail");
    assert!(row("event log")["message"].as_str().unwrap().contains("events.db"), "{}", ran.out);
    for name in ["config", "data folder", "cache", "reports", "model offline/assistant", "server gone", "terminal"] {
        row(name);
    }
}
