//! Killed at any instant, the program starts again with everything it had shown, and no tool runs twice.
//!
//! `WAKEFUL_CRASH_ROUNDS` sets the number of kills, `WAKEFUL_CRASH_SEED` repeats a run.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Home;
use crate::support::model::{ModelServer, Say, results};

/// Kills where the environment says nothing.
const ROUNDS: u64 = 50;
/// Tool calls of one conversation.
const CALLS: usize = 6;
/// The shortest time before a kill: before it nothing was shown.
const KILL_AFTER_MIN: Duration = Duration::from_millis(20);

/// An MCP server whose only tool leaves a mark: one line a run, in the file it is given.
const MARKER: &str = r#"
import json, os, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    method = message["method"]
    if method == "initialize":
        result = {"protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {"name": "marker", "version": "1"}}
    elif method == "tools/list":
        result = {"tools": [{"name": "mark", "description": "Leaves a mark", "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}}]}
    elif method == "tools/call":
        with open(sys.argv[1], "a") as marks:
            marks.write(message["params"]["arguments"]["id"] + "\n")
            marks.flush()
            os.fsync(marks.fileno())
        result = {"content": [{"type": "text", "text": "marked"}]}
    else:
        result = {}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"#;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// One call a step; each call of a conversation has an id of its own, so that a second run shows.
fn model() -> ModelServer {
    ModelServer::start(|request| {
        let done = results(request);
        if done >= CALLS {
            return Say::Text("All marks are left.".to_owned());
        }
        let conversation = request["messages"].to_string();
        let key = conversation.split("conversation ").nth(1).and_then(|rest| rest.split('!').next()).unwrap_or("?").to_owned();
        Say::call("marker__mark", json!({"id": format!("{key}-{done}")}))
    })
}

#[test]
fn killed_at_any_instant_nothing_shown_is_lost_and_no_tool_runs_twice() {
    let rounds = from_environment("WAKEFUL_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let seed = from_environment("WAKEFUL_CRASH_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("crash rounds {rounds}, WAKEFUL_CRASH_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let model = model();
    let home = Home::with("");
    let marks = home.root().join("marks");
    let script = home.root().join("marker.py");
    std::fs::write(&script, MARKER).unwrap();
    let config = format!(
        "model = \"bench/model\"\n{}[mcp]\nconfirm_commands = false\n[[mcp_servers]]\nname = \"marker\"\ncommand = \"python3\"\nargs = [{script:?}, {marks:?}]\n",
        model.provider()
    );
    std::fs::write(home.root().join("config/config.toml"), config).unwrap();

    // A whole conversation first: kills fall at any instant of one as long.
    let began = Instant::now();
    let ran = home.run(&["exec", "--approvals", "auto", "conversation whole!"]);
    assert_eq!((ran.code, ran.out.trim()), (0, "All marks are left."), "{}", ran.err);
    let mut whole = began.elapsed();

    let mut shown: HashSet<String> = HashSet::new();
    let mut killed = 0;
    for round in 0..rounds {
        let prompt = format!("conversation {round}!");
        let took = kill_midway(&home, &["exec", "--json", "--approvals", "auto", &prompt], whole, &mut random, &mut shown);
        // How long one takes changes with what else the machine does.
        whole = took.unwrap_or(whole);
        killed += u64::from(took.is_none());
    }
    println!("killed {killed} of {rounds} before their end");
    assert!(killed * 2 > rounds, "most runs must be killed midway to show anything: {killed} of {rounds}");

    let events = home.events();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["seq"], json!(at + 1), "the log has no gap");
    }
    let stored: HashSet<&str> = events.iter().filter_map(|event| event["id"].as_str()).collect();
    let missing: Vec<_> = shown.iter().filter(|id| !stored.contains(id.as_str())).collect();
    assert!(missing.is_empty(), "shown and lost: {missing:?}");

    // Every session goes on where it stood, to its end.
    let sessions: Vec<Value> = serde_json::from_str(&home.run(&["sessions", "--json", "-n", "1000"]).out).unwrap();
    assert!(!sessions.is_empty());
    for (at, session) in sessions.iter().take(5).enumerate() {
        // One that was killed before its prompt was kept has no name yet.
        let prompt = format!("go on with conversation again {at}!");
        let ran = home.run(&["exec", "--approvals", "auto", "--resume", session["id"].as_str().unwrap(), &prompt]);
        assert_eq!((ran.code, ran.out.trim()), (0, "All marks are left."), "{}", ran.err);
    }

    let marks = std::fs::read_to_string(&marks).unwrap();
    let mut once = HashSet::new();
    let twice: Vec<_> = marks.lines().filter(|mark| !once.insert(*mark)).collect();
    assert!(twice.is_empty(), "run twice: {twice:?}");
}

/// Starts the program and kills it after a random time; collects the events it had shown. How long it took where it
/// ended before.
fn kill_midway(
    home: &Home,
    arguments: &[&str],
    whole: Duration,
    random: &mut fastrand::Rng,
    shown: &mut HashSet<String>,
) -> Option<Duration> {
    let began = Instant::now();
    let mut child = home.wakeful(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let lines = BufReader::new(out).split(b'\n').map_while(Result::ok);
        // The last line may be torn by the kill: it was then not shown.
        let ids = lines.filter_map(|line| serde_json::from_slice::<Value>(&line).ok()).filter(|event| event.get("seq").is_some());
        ids.filter_map(|event| event["id"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    });
    let end = began + KILL_AFTER_MIN.max(whole.mul_f64(random.f64()));
    let ended = loop {
        match child.try_wait().unwrap() {
            Some(_) => break Some(began.elapsed()),
            None if Instant::now() >= end => break None,
            None => std::thread::park_timeout(Duration::from_millis(2)),
        }
    };
    let _ = child.kill();
    child.wait().unwrap();
    shown.extend(reader.join().unwrap());
    ended
}
