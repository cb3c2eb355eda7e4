//! Interaction reports of the program, against a coordinator that others could have written: aiohttp, from the contract alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::mcp_support::root;
use crate::peers::python;
use crate::support::Home;

/// The key that the coordinator takes.
const KEY: &str = "coordinator-key-1234";

struct Coordinator {
    child: Child,
    port: u16,
    stored: PathBuf,
}

impl Coordinator {
    fn start(folder: &Path, port: u16) -> Self {
        let stored = folder.join("stored.jsonl");
        let mut command = Command::new(python("python"));
        command.arg(root().join("tests/peers/coordinator.py")).arg(&stored).arg(port.to_string());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().strip_prefix("port ").unwrap_or_else(|| panic!("the coordinator said: {line}")).parse().unwrap();
        Self { child, port, stored }
    }

    /// Kills it and starts it again on the same port.
    fn restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        *self = Self::start(self.stored.parent().unwrap(), self.port);
    }

    fn control(&self, change: &Value) -> Value {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let body = change.to_string();
        let head = format!(
            "POST /control HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    fn records(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.stored).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        let _over = self.child.kill();
        let _over = self.child.wait();
    }
}

fn config(port: u16, more: &str) -> String {
    format!(
        "[interaction_logging]\nenable_interaction_logging = true\ncoordinator_url = \"http://127.0.0.1:{port}\"\n\
         coordinator_api_key = \"{KEY}\"\nmcp_id = \"agent_7\"\nretry_delay = 0.01\nrate_limit_per_second = 0\n{more}"
    )
}

fn status(home: &Home) -> Value {
    let ran = home.run(&["report", "status", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn a_turn_and_its_calls_arrive_as_the_contract_says() {
    let home = Home::with("");
    let coordinator = Coordinator::start(home.root(), 0);
    std::fs::write(home.root().join("config/config.toml"), config(coordinator.port, "")).unwrap();
    let ran = home.run(&["exec", "--approvals", "auto", "what is 17 * 23?"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let flushed = home.run(&["report", "flush"]);
    assert_eq!(flushed.code, 0, "{}{}", flushed.out, flushed.err);
    let records = coordinator.records();
    let mut by_interaction: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for record in &records {
        assert_eq!(record["mcp_id"], "agent_7");
        by_interaction.entry(record["interaction_id"].as_str().unwrap().to_owned()).or_default().push(record);
    }
    let kinds: BTreeSet<&str> = records.iter().filter_map(|record| record["request_data"]["request_type"].as_str()).collect();
    assert!(kinds.contains("turn") && kinds.contains("tool_call"), "{kinds:?}");
    for (id, records) in by_interaction {
        let actions: Vec<&str> = records.iter().map(|record| record["action"].as_str().unwrap()).collect();
        assert_eq!((actions[0], actions[actions.len() - 1]), ("interaction_start", "interaction_complete"), "{id}");
        let result = &records[records.len() - 1]["result_data"];
        assert_eq!(result["success"], true, "{id}");
        assert!(result["processing_time"].is_f64() && result["output_size"].is_u64() && result["adapter_used"].is_string(), "{result}");
    }
    let status = status(&home);
    assert_eq!((&status["waiting"], &status["delivered_ever"]), (&json!(0), &json!(records.len())));
}

#[test]
fn what_happens_while_the_coordinator_is_away_arrives_once_when_it_is_back() {
    let home = Home::with("");
    let mut coordinator = Coordinator::start(home.root(), 0);
    std::fs::write(home.root().join("config/config.toml"), config(coordinator.port, "timeout_seconds = 1\n")).unwrap();
    for (number, mode) in [json!(500), json!("reset"), json!(429), json!("hang"), json!(401)].iter().enumerate() {
        coordinator.control(&json!({"mode": mode}));
        let ran = home.run(&["exec", "--approvals", "auto", &format!("what is {number} + 1?")]);
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
    assert!(coordinator.records().is_empty());
    let before = status(&home);
    let waiting = before["waiting"].as_u64().unwrap();
    assert!(waiting >= 20, "five turns, each with a call: {before}");
    assert_eq!(before["dead"], 0, "an outage costs no record a try");
    coordinator.restart();
    let flushed = home.run(&["report", "flush"]);
    assert_eq!(flushed.code, 0, "{}{}", flushed.out, flushed.err);
    let records = coordinator.records();
    let ids: BTreeSet<&str> = records.iter().map(|record| record["record_id"].as_str().unwrap()).collect();
    assert_eq!((records.len() as u64, ids.len() as u64), (waiting, waiting), "each once");
    let mut ended = BTreeSet::new();
    for record in &records {
        let id = record["interaction_id"].as_str().unwrap();
        assert!(!ended.contains(id), "nothing comes after the end of {id}");
        if record["action"] == "interaction_complete" {
            ended.insert(id);
        }
    }
    let state = coordinator.control(&json!({}));
    assert!(state["largest"].as_u64().unwrap() > 1, "sent in batches: {state}");
}

#[test]
fn refused_records_become_dead_letters_that_can_be_sent_again() {
    let home = Home::with("");
    let coordinator = Coordinator::start(home.root(), 0);
    std::fs::write(home.root().join("config/config.toml"), config(coordinator.port, "max_retries = 1\n")).unwrap();
    coordinator.control(&json!({"mode": 422}));
    assert_eq!(home.run(&["exec", "--approvals", "auto", "what is 1 + 1?"]).code, 0);
    home.run(&["report", "flush"]);
    let before = status(&home);
    let dead = before["dead"].as_u64().unwrap();
    assert!(dead >= 4 && before["waiting"] == 0, "{before}");
    let list = home.run(&["report", "dead"]);
    assert!(list.out.contains("422: HTTP 422: as told"), "{}", list.out);
    assert_eq!(status(&home)["dead_unseen"], 0);
    coordinator.control(&json!({"mode": "ok"}));
    let again = home.run(&["report", "retry", "--dead"]);
    assert_eq!(again.out.trim(), format!("{dead} dead letters are sent again"));
    assert_eq!(home.run(&["report", "flush"]).code, 0);
    assert_eq!(coordinator.records().len() as u64, dead);
}

#[test]
fn secrets_stand_in_no_file_but_the_conversation_itself() {
    let home = Home::with("");
    let coordinator = Coordinator::start(home.root(), 0);
    let provider = "[providers.mine]\nbase_url = \"http://127.0.0.1:1/v1\"\napi_key = \"provider-key-98765\"\n";
    std::fs::write(home.root().join("config/config.toml"), config(coordinator.port, "content = \"full\"\n") + provider).unwrap();
    let secrets =
        ["sk-proj-abcdefghijklmnopqrstuvwx123", "hunter2-hunter2", "bob.miller@example.org", "+49 170 1234567", "provider-key-98765"];
    for secret in secrets {
        let prompt = format!("what time is it? my password is hunter2-hunter2 and this is {secret}");
        assert_eq!(home.run(&["exec", "--approvals", "auto", &prompt]).code, 0);
    }
    // As arguments of a tool, and in what it answers.
    home.run(&["exec", "--approvals", "auto", &format!("read the file {}.txt", secrets[0])]);
    home.run(&["report", "flush"]);
    let records = coordinator.records();
    let arguments = records.iter().filter(|record| record["request_data"]["parameters"]["arguments"].is_object()).count();
    assert!(records.len() > 10 && arguments > 0, "{records:?}");
    let mut looked = 0;
    for path in files(home.root()) {
        // The conversation is what the person typed; the config is where the keys are.
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("events.db") || name == "config.toml" || name.starts_with("history") {
            continue;
        }
        looked += 1;
        let bytes = std::fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for secret in secrets.iter().chain(&[KEY]) {
            assert!(!text.contains(secret), "{secret} stands in {}", path.display());
        }
    }
    assert!(looked > 3, "queue, store and logs were looked at");
}

#[test]
fn the_config_and_the_queue_of_today_s_users_are_read_as_they_are() {
    let home = Home::with("");
    let coordinator = Coordinator::start(home.root(), 0);
    let old = config(coordinator.port, "local_cache_path = \"\"\nsome_key_of_theirs = 1\n") + "\n[mcp_servers_of_theirs]\na = 1\n";
    std::fs::write(home.root().join("config/mcp_config.toml"), old).unwrap();
    std::fs::create_dir_all(home.root().join("data")).unwrap();
    let make = "import sqlite3, json, sys\n\
        db = sqlite3.connect(sys.argv[1])\n\
        db.execute('CREATE TABLE failed_interactions (id INTEGER PRIMARY KEY AUTOINCREMENT, interaction_data TEXT NOT NULL, created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, retry_count INTEGER DEFAULT 0)')\n\
        for n in range(30):\n\
        \x20   record = dict(action='interaction_start', interaction_id='int_%d_0000000a' % (n % 10 + 1), mcp_id='old', timestamp=1.5, request_data=dict(user_id='u'))\n\
        \x20   db.execute('INSERT INTO failed_interactions (interaction_data) VALUES (?)', (json.dumps(record),))\n\
        db.commit()\n";
    let made = Command::new(python("python")).args(["-c", make]).arg(home.root().join("data/interaction_cache.db")).status().unwrap();
    assert!(made.success());
    assert_eq!(home.run(&["exec", "what is 1 + 1?"]).code, 0);
    home.run(&["report", "flush"]);
    let old = coordinator.records().into_iter().filter(|record| record["mcp_id"] == "old").count();
    assert_eq!(old, 10, "thirty rows, ten records");
    let again = home.run(&["report", "import", home.root().join("data/interaction_cache.db").to_str().unwrap()]);
    assert_eq!(again.out.trim(), "30 rows read, 0 new records wait to be sent, 0 rows are no records");
    let test = home.run(&["report", "test"]);
    assert!(test.out.starts_with("ok    http: answers and takes the key"), "{}", test.out);
}

#[test]
fn a_folder_s_own_file_decides_nothing() {
    let home = Home::with("");
    std::fs::write(home.work().join("mcp_config.toml"), config(1, "")).unwrap();
    let status = status(&home);
    assert_eq!(status["state"], "off", "{status}");
    assert!(!home.root().join("data/interaction_queue.db").exists(), "nothing is made while it is off");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            out.extend(files(&path));
        } else {
            out.push(path);
        }
    }
    out
}
