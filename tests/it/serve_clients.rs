//! Real clients drive `wakeful mcp serve` over both transports: the inspector, the SDK for Python in both eras, the SDK for
//! TypeScript of both eras.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::peers::{inspector, installed, node_new, python};
use crate::support::{Home, Ran};

/// The longest that one client may take.
const LIMIT: Duration = Duration::from_mins(2);

const TOKEN: &str = "a-token-for-tests-only";

/// A home with one conversation and one task in it, which nobody runs.
fn home() -> (Home, String) {
    let home = Home::with("");
    let page = ["--url", "http://127.0.0.1:9/page", "--keyword", "AI", "--every", "30m", "--sms", "+1234567890", "--json"];
    let made = home.run(&[&["tasks", "add", "web_monitor", "news of the fixture"], &page[..]].concat());
    assert_eq!(made.code, 0, "{made:?}");
    let made: Value = serde_json::from_str(&made.out).unwrap();
    let task = made["task_id"].as_str().unwrap().to_owned();
    let said = home.run(&["exec", "what is 6*7?"]);
    assert_eq!(said.code, 0, "{said:?}");
    (home, task)
}

/// `wakeful mcp serve --http`, ended politely.
pub struct Serving {
    child: Child,
    pub url: String,
}

impl Serving {
    pub fn start(home: &Home, more: &[&str]) -> Self {
        let mut command = home.wakeful(&[&["mcp", "serve", "--http", "127.0.0.1:0"], more].concat());
        let mut child = command.env("TOKEN", TOKEN).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
        let url = url.trim().to_owned();
        assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/mcp"), "{url}");
        Self { child, url }
    }

    /// Ends it by the signal that a service manager sends.
    pub fn stop(mut self) -> i32 {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(&pid).status().unwrap().success());
        bounded(&mut self.child).code().unwrap_or(-1)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bounded(child: &mut Child) -> std::process::ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        assert!(started.elapsed() < LIMIT, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a client to its end, with nothing of the tester's environment but the path.
fn client(home: &Home, program: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home.root());
    command.env("WAKEFUL_HOME", home.root()).env("LANG", "C.UTF-8").env("TZ", "UTC").envs(variables.iter().copied());
    command.current_dir(home.work()).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The pipes are read while it runs: a client that writes much would wait for a reader otherwise.
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = |pipe: &mut dyn std::io::Read| {
        let mut text = Vec::new();
        pipe.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    };
    std::thread::scope(|scope| {
        let err = scope.spawn(move || read(&mut err));
        let out = scope.spawn(move || read(&mut out));
        let code = bounded(&mut child).code().unwrap_or(-1);
        Ran { out: out.join().unwrap(), err: err.join().unwrap(), code }
    })
}

fn report(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    serde_json::from_str(ran.out.trim()).unwrap_or_else(|error| panic!("{error}\n{}\n{}", ran.out, ran.err))
}

/// What every client must have seen.
fn check(report: &Value, task: &str, missing: i64) {
    let strings = |name: &str| -> Vec<&str> { report[name].as_array().unwrap().iter().map(|value| value.as_str().unwrap()).collect() };
    assert_eq!(report["server"]["name"], "wakeful", "{report}");
    let tools = strings("tools");
    for tool in ["calculate", "read_file", "create_background_task", "list_background_tasks"] {
        assert!(tools.contains(&tool), "{tools:?}");
    }
    assert!(report["sum"].as_str().unwrap().contains("42"), "{report}");
    let resources = strings("resources");
    let own = format!("wakeful://tasks/{task}");
    for uri in ["wakeful://events", "wakeful://tasks", "wakeful://inbox", "wakeful://sessions", &own] {
        assert!(resources.contains(&uri), "{resources:?}");
    }
    assert_eq!(strings("templates"), ["wakeful://events{?limit,type}", "wakeful://tasks/{id}", "wakeful://sessions/{id}"]);
    assert_eq!(report["tasks"][0]["task_id"], task, "{report}");
    assert_eq!(strings("prompts"), ["digest", "explain_task", "summarize_session"]);
    assert_eq!(strings("prompt"), ["resource", "text"]);
    assert_eq!(strings("completed"), [task]);
    assert_eq!(report["missing"], missing, "{report}");
    for capability in ["tools", "resources", "prompts", "completions"] {
        assert!(strings("capabilities").contains(&capability), "{report}");
    }
}

/// Runs a driver of `tests/peers` over both transports, over HTTP with a token too.
fn drive(program: &Path, script: &str, before: &[&str], seen: impl Fn(&Value, &str)) {
    let (home, task) = home();
    let script = format!("{}/tests/peers/{script}", env!("CARGO_MANIFEST_DIR"));
    let own = env!("CARGO_BIN_EXE_wakeful");
    let start: Vec<&str> = std::iter::once(script.as_str()).chain(before.iter().copied()).chain([task.as_str()]).collect();
    let ran = client(&home, program, &[&start[..], &["stdio", own, "mcp", "serve"]].concat(), &[]);
    seen(&report(&ran), &task);
    for guarded in [&[][..], &["--token-env", "TOKEN"]] {
        let serving = Serving::start(&home, guarded);
        let variables: &[(&str, &str)] = if guarded.is_empty() { &[] } else { &[("TOKEN", TOKEN)] };
        let ran = client(&home, program, &[&start[..], &["http", &serving.url]].concat(), variables);
        seen(&report(&ran), &task);
        assert_eq!(serving.stop(), 0);
    }
}

fn modules() -> String {
    installed().join("node_modules").to_str().unwrap().to_owned()
}

/// What is in the conversation and in the log.
fn check_contents(report: &Value) {
    assert!(report["transcript"].as_str().unwrap().contains("what is 6*7?"), "{report}");
    let events = report["events"].as_array().unwrap();
    assert_eq!(events.len(), 2, "{report}");
    assert!(events.iter().all(|event| event["type"] == "chat"), "{report}");
    assert_eq!(report["digest"], json!(["resource", "resource", "text"]));
}

#[test]
fn the_sdk_for_python_drives_it_in_both_eras() {
    let python = python("python");
    drive(&python, "drive.py", &["legacy"], |report, task| {
        check(report, task, -32_002);
        check_contents(report);
        assert_eq!(report["version"], "2025-11-25");
    });
    drive(&python, "drive.py", &["auto"], |report, task| {
        check(report, task, -32_602);
        check_contents(report);
        assert_eq!(report["version"], "2026-07-28");
        assert_eq!(report["updates"], json!(["wakeful://tasks", format!("wakeful://tasks/{task}")]));
    });
}

#[test]
fn the_sdk_for_typescript_drives_it_in_both_eras() {
    let modules = modules();
    drive(&node_new(), "drive.mjs", &[&modules, "v1"], |report, task| {
        check(report, task, -32_002);
        assert_eq!(report["updates"], json!(["wakeful://tasks", format!("wakeful://tasks/{task}")]));
    });
    drive(&node_new(), "drive.mjs", &[&modules, "v2"], |report, task| {
        check(report, task, -32_602);
        assert_eq!(report["version"], "2026-07-28");
    });
}

#[test]
fn the_inspector_drives_it() {
    let (home, task) = home();
    let inspector = inspector();
    let serving = Serving::start(&home, &["--token-env", "TOKEN"]);
    let bearer = format!("Authorization: Bearer {TOKEN}");
    let over_http = ["--cli", &serving.url, "--transport", "http", "--header", &bearer];
    // It hands on little of its own environment.
    let variable = format!("WAKEFUL_HOME={}", home.root().display());
    let over_stdio = ["--cli", "-e", &variable, env!("CARGO_BIN_EXE_wakeful"), "mcp", "serve"];
    for target in [&over_http[..], &over_stdio[..]] {
        let ask = |arguments: &[&str]| {
            let all = [&[inspector.as_str()], target, arguments].concat();
            report(&client(&home, &node_new(), &all, &[]))
        };
        let tools = ask(&["--method", "tools/list"]);
        assert!(tools["tools"].as_array().unwrap().iter().any(|tool| tool["name"] == "calculate"), "{tools}");
        let sum = ask(&["--method", "tools/call", "--tool-name", "calculate", "--tool-arg", "expression=6 * 7"]);
        assert!(sum["content"][0]["text"].as_str().unwrap().contains("42"), "{sum}");
        let listed = ask(&["--method", "resources/list"]);
        assert!(listed["resources"].as_array().unwrap().len() >= 5, "{listed}");
        let read = ask(&["--method", "resources/read", "--uri", "wakeful://tasks"]);
        assert!(read["contents"][0]["text"].as_str().unwrap().contains(&task), "{read}");
        let named = format!("task={task}");
        let prompt = ask(&["--method", "prompts/get", "--prompt-name", "explain_task", "--prompt-args", &named]);
        assert_eq!(prompt["messages"].as_array().unwrap().len(), 2, "{prompt}");
    }
    assert_eq!(serving.stop(), 0);
}
