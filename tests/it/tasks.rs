//! `wakeful tasks` and `wakeful inbox` as scripts use them, and the task tools over our own MCP endpoint.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use crate::support::{Home, Ran};

fn check(home: &Home, arguments: &[&str], code: i32) -> Ran {
    let ran = home.run(arguments);
    assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.out, ran.err);
    ran
}

fn json(home: &Home, arguments: &[&str]) -> Value {
    let ran = check(home, arguments, 0);
    serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{}", ran.out))
}

const ADD: [&str; 12] = [
    "tasks",
    "add",
    "web_monitor",
    "watch AI",
    "--url",
    "https://techcrunch.com",
    "--keyword",
    "AI",
    "--every",
    "30m",
    "--sms",
    "+1234567890",
];

fn add(home: &Home) -> String {
    let made = json(home, &[&ADD[..], &["--json"]].concat());
    made["task_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_task_lives_at_the_shell() {
    let home = Home::with("");
    let empty = check(&home, &["tasks"], 0);
    assert!(empty.out.is_empty() && empty.err.contains("no tasks yet"), "{}{}", empty.out, empty.err);
    let made = check(&home, &ADD, 0);
    assert!(made.out.starts_with("created ") && made.out.contains("watch AI, every 30 min"), "{}", made.out);
    assert!(made.err.contains("nothing runs the tasks right now"), "{}", made.err);
    let rows = json(&home, &["tasks", "--json"]);
    let id = rows[0]["task_id"].as_str().unwrap().to_owned();
    let config = json!({"urls": ["https://techcrunch.com"], "keywords": ["AI"], "check_interval_minutes": 30,
        "notification": {"method": "send_sms", "phone_number": "+1234567890"}});
    assert_eq!((&rows[0]["config"], &rows[0]["status"], &rows[0]["user_id"]), (&config, &json!("active"), &json!("default")));
    let list = check(&home, &["tasks", "list"], 0).out;
    assert!(list.lines().count() == 2 && list.contains(&id[..8]) && list.contains("web_monitor"), "{list}");
    let shown = check(&home, &["tasks", "show", &id[..6]], 0).out;
    assert!(shown.contains("every 30 min") && shown.contains("techcrunch.com"), "{shown}");
    let why = check(&home, &["tasks", "why", "watch AI"], 0).out;
    assert!(why.contains("planned: every 30 min") && why.contains("last run: none yet"), "{why}");
    assert!(check(&home, &["tasks", "pause", &id], 0).out.starts_with("paused "));
    assert_eq!(json(&home, &["tasks", "show", &id, "--json"])["status"], "paused");
    let refused = check(&home, &["tasks", "run", &id], 1);
    assert!(refused.err.contains("resume it first"), "{}", refused.err);
    check(&home, &["tasks", "resume", &id], 0);
    let asked = check(&home, &["tasks", "run", &id], 0);
    assert!(asked.err.contains("start `wakeful`"), "{}", asked.err);
    let updated = json(&home, &["tasks", "update", &id, "--every", "2h", "--json"]);
    assert_eq!((&updated["config"]["check_interval_minutes"], &updated["config"]["keywords"]), (&json!(120), &json!(["AI"])));
    let history = json(&home, &["tasks", "history", &id, "--json"]);
    let types: Vec<&Value> = history.as_array().unwrap().iter().map(|event| &event["data"]["event_type"]).collect();
    assert_eq!(types, ["task_updated", "task_resumed", "task_paused", "task_created"]);
    assert_eq!(check(&home, &["tasks", "history", &id], 0).out.lines().count(), 4);
    let status = json(&home, &["tasks", "status", "--json"]);
    assert_eq!((&status["total_tasks"], &status["task_types"]["web_monitor"]), (&json!(1), &json!(1)));
    assert!(check(&home, &["tasks", "status"], 0).out.contains("tasks: 1 (1 active"));
    assert!(check(&home, &["tasks", "delete", &id], 0).out.starts_with("deleted "));
    assert_eq!(json(&home, &["tasks", "--json"]), json!([]));
}

#[test]
fn bad_input_names_the_field_and_makes_nothing() {
    let home = Home::with("");
    let refused = |arguments: &[&str], code: i32, says: &str| {
        let ran = check(&home, &[&["tasks"], arguments].concat(), code);
        assert!(ran.err.contains(says), "{arguments:?}: {}", ran.err);
        assert!(ran.out.is_empty(), "{}", ran.out);
    };
    refused(&["add", "web_watch", "x"], 2, "web_monitor");
    refused(&["add", "web_monitor", "x"], 2, "config.urls");
    refused(&["add", "web_monitor", "x", "--url", "ftp://a.example"], 2, "config.urls");
    refused(&["add", "schedule", "x", "--cron", "99 * * * *"], 2, "config.cron");
    refused(&["add", "schedule", "x", "--at", "27:00"], 2, "config.hour");
    refused(&["add", "schedule", "x", "--at", "9", "--timezone", "Mars/Base"], 2, "config.timezone");
    refused(&["add", "schedule", "x", "--task-config", "{\"type\":"], 2, "config");
    refused(&["add", "schedule", "x", "--task-config", "@nosuch.json"], 2, "nosuch.json");
    refused(&["add", "news_digest", "x", "--every", "1h"], 2, "--at");
    refused(&["add", "schedule", "x", "--at", "9", "--sms", "nonsense"], 2, "config.notification");
    refused(&["show", "nosuch"], 1, "no task `nosuch`");
    refused(&["nosuchverb"], 2, "unrecognized");
    assert_eq!(json(&home, &["tasks", "--json"]), json!([]));
    assert!(home.events().is_empty(), "nothing half-made stays");
}

#[test]
fn a_preview_makes_nothing() {
    let home = Home::with("");
    let ran = check(&home, &["tasks", "preview", "schedule", "stretch", "--every", "1h"], 0);
    assert!(ran.out.contains("due: every 1 h") && ran.out.contains("next: "), "{}", ran.out);
    assert!(home.events().is_empty());
}

#[test]
fn a_preview_of_a_page_that_is_away_fails() {
    let home = Home::with("");
    // A port that was free a moment ago: nobody answers there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/");
    let ran = check(&home, &["tasks", "preview", "web_monitor", "watch", "--url", &url], 1);
    assert!(ran.err.contains(&url) && ran.err.contains("cannot be reached"), "{}", ran.err);
    assert!(home.events().is_empty());
}

#[test]
fn users_see_their_own_tasks() {
    let home = Home::with("");
    check(&home, &[&ADD[..], &["--user", "anna"]].concat(), 0);
    let seen = |arguments: &[&str]| json(&home, &[&["tasks", "--json"], arguments].concat()).as_array().unwrap().len();
    assert_eq!((seen(&[]), seen(&["--user", "anna"]), seen(&["--user", "bert"])), (1, 1, 0));
}

#[test]
fn an_export_is_imported_elsewhere_and_a_backup_opens() {
    let (from, to) = (Home::with(""), Home::with(""));
    let id = add(&from);
    check(&from, &["tasks", "pause", &id], 0);
    let file = from.root().join("tasks.jsonl").display().to_string();
    assert!(check(&from, &["tasks", "export", "-o", &file], 0).out.contains("1 tasks, 2 events"));
    assert_eq!(check(&from, &["tasks", "export"], 0).out.lines().count(), 3);
    assert!(check(&to, &["tasks", "import", &file], 0).out.contains("imported 1 tasks with 2 events"));
    assert!(check(&to, &["tasks", "import", &file], 0).out.contains("1 were here before"));
    let there = json(&to, &["tasks", "show", &id, "--json"]);
    let here = json(&from, &["tasks", "show", &id, "--json"]);
    assert_eq!(there, here);
    let broken = from.root().join("broken.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&broken, text.replacen("task_paused", "task_nonsense", 1)).unwrap();
    let third = Home::with("");
    let refused = check(&third, &["tasks", "import", &broken.display().to_string()], 1);
    assert!(refused.err.contains("line 3") && refused.err.contains("nothing was imported"), "{}", refused.err);
    assert_eq!(json(&third, &["tasks", "--json"]), json!([]));
    check(&third, &["tasks", "import", "nosuch.jsonl"], 1);
    let rebuilt = json(&to, &["tasks", "rebuild", "--json"]);
    assert_eq!((&rebuilt["same"], &rebuilt["events"]), (&json!(true), &json!(2)));
    let copy = to.root().join("copy/data");
    std::fs::create_dir_all(&copy).unwrap();
    let target = copy.join("events.db").display().to_string();
    check(&to, &["tasks", "backup", &target], 0);
    check(&to, &["tasks", "backup", &target], 1);
    let mut command = to.wakeful(&["tasks", "--json"]);
    command.env("WAKEFUL_HOME", to.root().join("copy"));
    let copied: Value = serde_json::from_slice(&command.stdin(Stdio::null()).output().unwrap().stdout).unwrap();
    assert_eq!(copied[0]["task_id"], json!(id));
}

#[test]
fn an_empty_inbox_says_so_and_unknown_entries_are_refused() {
    let home = Home::with("");
    assert_eq!(json(&home, &["inbox", "--json"]), json!([]));
    assert!(check(&home, &["inbox"], 0).err.contains("nothing in the inbox"));
    assert_eq!(json(&home, &["inbox", "notices", "--json"]), json!([]));
    assert!(check(&home, &["inbox", "read", "nosuch"], 1).err.contains("no entry `nosuch`"));
    assert!(check(&home, &["inbox", "resend", "nosuch"], 1).err.contains("is no notice"));
    check(&home, &["inbox", "snooze", "nosuch", "soon"], 2);
}

/// Speaks MCP with `wakeful mcp serve`, line by line.
struct Client {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next: u64,
}

impl Client {
    fn send(&mut self, message: &Value) {
        writeln!(self.input, "{message}").unwrap();
    }

    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the server went away");
            let answer: Value = serde_json::from_str(&line).unwrap();
            if answer["id"] == id {
                return answer["result"].clone();
            }
        }
    }

    fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let result = self.ask("tools/call", &json!({"name": tool, "arguments": arguments}));
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, result["structuredContent"], "JSON text and structured content");
        assert_eq!(result["isError"] == true, text["status"] == "error", "{text}");
        text
    }
}

#[test]
fn our_own_mcp_endpoint_lends_the_task_tools() {
    let home = Home::with("");
    let mut child = home.wakeful(&["mcp", "serve"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut client = Client { input, output, next: 0 };
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
    client.ask("initialize", &hello);
    client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    let tools = client.ask("tools/list", &json!({}));
    let tool = |name: &str| tools["tools"].as_array().unwrap().iter().find(|tool| tool["name"] == name).cloned().unwrap();
    assert_eq!(tool("list_background_tasks")["annotations"]["readOnlyHint"], true);
    assert_eq!(tool("delete_background_task")["annotations"]["destructiveHint"], true);
    assert_eq!(tool("create_background_task")["inputSchema"]["required"], json!(["task_type", "description", "config"]));
    let config = r#"{"type": "daily", "hour": 9, "minute": 0}"#;
    let arguments = json!({"task_type": "schedule", "description": "check project status", "config": config});
    let made = client.call("create_background_task", &arguments);
    assert_eq!((&made["status"], &made["action"]), (&json!("success"), &json!("create_background_task")));
    assert_eq!(made["data"]["config"], json!({"type": "daily", "hour": 9, "minute": 0}));
    let refused = client
        .call("create_background_task", &json!({"task_type": "schedule", "description": "x", "config": {"type": "daily", "hour": 99}}));
    assert_eq!((&refused["status"], &refused["data"]["field"]), (&json!("error"), &json!("config.hour")));
    assert_eq!(client.call("list_background_tasks", &json!({}))["data"]["total"], 1);
    drop(client);
    assert!(child.wait().unwrap().success());
    assert_eq!(json(&home, &["tasks", "--json"])[0]["description"], "check project status");
}
