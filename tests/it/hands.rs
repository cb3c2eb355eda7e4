//! Every built-in tool does what it is for, whoever asks: the offline assistant in English and in Chinese, and a client
//! that others wrote (the SDK for Python) against `wakeful mcp serve`.
//!
//! [`ROWS`] has a row for each tool of the catalogue; a test fails when one is missing. To add a tool is to add a row.

use std::collections::HashSet;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::catalogue::served;
use crate::peers::python;
use crate::support::{Home, Ran};
use crate::web::{self, Service};

/// One tool: how a person asks for it, how a program calls it, what comes of it.
struct Row {
    tool: &'static str,
    /// What is said in English and in Chinese.
    said: [&'static str; 2],
    /// Arguments (JSON) that the assistant must find in the English sentence, and in the Chinese one. Others may be
    /// there beside.
    understood: [&'static str; 2],
    /// Arguments (JSON) with which the client calls.
    called: &'static str,
    /// A piece of the result's text, whoever called.
    result: &'static str,
}

/// In the order in which they run: what is made by one is used by those below it.
const ROWS: &[Row] = &[
    Row {
        tool: "list_files",
        said: ["list the files in src", "列出 src 目录的文件"],
        understood: [r#"{"path":"src"}"#, r#"{"path":"src"}"#],
        called: r#"{"path":"src"}"#,
        result: "main.rs",
    },
    Row {
        tool: "read_file",
        said: ["read notes.txt", "读一下 notes.txt"],
        understood: [r#"{"path":"notes.txt"}"#, r#"{"path":"notes.txt"}"#],
        called: r#"{"path":"notes.txt","limit":1}"#,
        result: "first line",
    },
    Row {
        tool: "search_files",
        said: ["search for needle in src", "在 src 里搜索 needle"],
        understood: [r#"{"pattern":"needle","path":"src"}"#, r#"{"pattern":"needle","path":"src"}"#],
        called: r#"{"pattern":"needle","glob":"*.rs","context":1}"#,
        result: "main.rs:2: ",
    },
    Row {
        tool: "write_file",
        said: ["write hello to out.txt", "把 hello 写入 out.txt"],
        understood: [r#"{"path":"out.txt","content":"hello"}"#, r#"{"path":"out.txt","content":"hello"}"#],
        called: r#"{"path":"out.txt","content":"hello"}"#,
        result: "made `out.txt`: 1 line, 5 bytes",
    },
    Row {
        tool: "edit_file",
        said: ["replace hello with goodbye in out.txt", "把 out.txt 里的 hello 换成 goodbye"],
        understood: [
            r#"{"path":"out.txt","old_text":"hello","new_text":"goodbye"}"#,
            r#"{"path":"out.txt","old_text":"hello","new_text":"goodbye"}"#,
        ],
        called: r#"{"path":"out.txt","old_text":"hello","new_text":"goodbye"}"#,
        result: "changed `out.txt` in 1 place",
    },
    Row {
        tool: "system_info",
        said: ["how much memory is free?", "内存还有多少？"],
        understood: ["{}", "{}"],
        called: "{}",
        result: "Memory: ",
    },
    Row {
        tool: "current_time",
        said: ["what time is it in Tokyo?", "现在东京几点？"],
        understood: [r#"{"timezone":"Asia/Tokyo"}"#, r#"{"timezone":"Asia/Tokyo"}"#],
        called: r#"{"timezone":"Asia/Tokyo"}"#,
        result: "Asia/Tokyo",
    },
    Row {
        tool: "calculate",
        said: ["what is 12% of 80?", "80 的 12% 是多少？"],
        understood: ["{}", "{}"],
        called: r#"{"expression":"12% of 80"}"#,
        result: "9.6",
    },
    Row {
        tool: "run_command",
        said: ["run the command cat notes.txt | tail -n 1", "运行命令 cat notes.txt | tail -n 1"],
        understood: [r#"{"command":"cat notes.txt | tail -n 1"}"#, r#"{"command":"cat notes.txt | tail -n 1"}"#],
        called: r#"{"argv":["tail","-n","1","notes.txt"]}"#,
        result: "last line",
    },
    #[cfg(feature = "code-analysis")]
    Row {
        tool: "analyze_code",
        said: ["analyze the code in src", "分析 src 的代码"],
        understood: [r#"{"path":"src"}"#, r#"{"path":"src"}"#],
        called: r#"{"path":"src/main.rs"}"#,
        result: "Rust",
    },
    Row {
        tool: "create_background_task",
        said: ["Remind me to drink water every day at 9 by SMS to +1234567890", "每天9点提醒我喝水，发短信到 +1234567890"],
        understood: [r#"{"task_type":"schedule"}"#, r#"{"task_type":"schedule"}"#],
        called: r#"{"task_type":"schedule","description":"drink water","config":{"type":"daily","hour":9,"minute":0}}"#,
        result: "created",
    },
    Row {
        tool: "list_background_tasks",
        said: ["list my tasks", "列出我的任务"],
        understood: ["{}", "{}"],
        called: "{}",
        result: "task_id",
    },
    Row {
        tool: "preview_background_task",
        said: ["preview the drink water reminder", "预览喝水的提醒"],
        understood: ["{}", "{}"],
        called: r#"{"task_id":"drink water"}"#,
        result: "next",
    },
    Row {
        tool: "run_background_task",
        said: ["run the drink water reminder now", "立即运行喝水的提醒"],
        understood: ["{}", "{}"],
        called: r#"{"task_id":"drink water"}"#,
        result: "asked for a run",
    },
    Row {
        tool: "get_background_task_history",
        said: ["show the history of the drink water reminder", "喝水的提醒为什么触发了？"],
        understood: ["{}", "{}"],
        called: r#"{"task_id":"drink water"}"#,
        result: "events",
    },
    Row {
        tool: "update_background_task",
        said: ["move the drink water reminder to 7:30", "把喝水的提醒改成7点30分"],
        understood: [r#"{"config":{"hour":7,"minute":30}}"#, r#"{"config":{"hour":7,"minute":30}}"#],
        called: r#"{"task_id":"drink water","config":{"hour":7}}"#,
        result: "changed",
    },
    Row {
        tool: "pause_background_task",
        said: ["pause the drink water reminder", "暂停喝水的提醒"],
        understood: ["{}", "{}"],
        called: r#"{"task_id":"drink water"}"#,
        result: "paused",
    },
    Row {
        tool: "resume_background_task",
        said: ["resume the drink water reminder", "恢复喝水的提醒"],
        understood: ["{}", "{}"],
        called: r#"{"task_id":"drink water"}"#,
        result: "resumed",
    },
    Row {
        tool: "get_event_sourcing_status",
        said: ["is the scheduler running?", "调度器在运行吗？"],
        understood: ["{}", "{}"],
        called: "{}",
        result: "total_tasks",
    },
    Row {
        tool: "delete_background_task",
        said: ["delete the drink water reminder", "删除喝水的提醒"],
        understood: ["{}", "{}"],
        called: r#"{"task_id":"drink water"}"#,
        result: "deleted",
    },
    Row {
        tool: "fetch_url",
        said: ["fetch {site}/data", "获取 {site}/data"],
        understood: [r#"{"url":"{site}/data"}"#, r#"{"url":"{site}/data"}"#],
        called: r#"{"url":"{site}/data"}"#,
        result: "[1, 2, 3]",
    },
    Row {
        tool: "scrape_webpage",
        said: ["read {site}/lake", "读一下网页 {site}/lake"],
        understood: [r#"{"url":"{site}/lake"}"#, r#"{"url":"{site}/lake"}"#],
        called: r#"{"url":"{site}/lake"}"#,
        result: "high** in the mountains",
    },
    Row {
        tool: "web_search",
        said: ["search the web for mountain lakes", "在网上搜索 mountain lakes"],
        understood: [r#"{"query":"mountain lakes"}"#, r#"{"query":"mountain lakes"}"#],
        called: r#"{"query":"mountain lakes"}"#,
        result: "https://lake.example/",
    },
    Row {
        tool: "get_weather",
        said: ["what's the weather in Paris?", "巴黎天气怎么样"],
        understood: [r#"{"location":"Paris"}"#, r#"{"location":"巴黎"}"#],
        called: r#"{"location":"Paris"}"#,
        result: "Open-Meteo",
    },
    Row {
        tool: "send_sms",
        said: ["text +15551234567 that I am late", "给 +15551234567 发短信说我迟到了"],
        understood: [r#"{"to":"+15551234567","message":"I am late"}"#, r#"{"to":"+15551234567","message":"我迟到了"}"#],
        called: r#"{"to":"+15551234567","message":"I am late"}"#,
        result: "+1•••4567",
    },
    Row {
        tool: "send_email",
        said: ["send an email to bob@example.org with subject Lunch saying see you there", "给 bob@example.org 发邮件说你好"],
        understood: [r#"{"to":"bob@example.org","subject":"Lunch","body":"see you there"}"#, r#"{"to":"bob@example.org","body":"你好"}"#],
        called: r#"{"to":"bob@example.org","subject":"Lunch","body":"see you there"}"#,
        result: "b•••@example.org",
    },
    Row {
        tool: "send_notification",
        said: ["send me a notification saying the build is done", "给我发个通知说构建完成了"],
        understood: [r#"{"title":"the build is done"}"#, r#"{"title":"构建完成了"}"#],
        called: r#"{"title":"the build is done"}"#,
        result: "terminal",
    },
    Row {
        tool: "remember",
        said: ["remember that my favourite colour is teal", "记住我最喜欢的颜色是青色"],
        understood: [r#"{"content":"my favourite colour is teal"}"#, r#"{"content":"我最喜欢的颜色是青色"}"#],
        called: r#"{"content":"my favourite colour is teal"}"#,
        result: "remembered",
    },
    Row {
        tool: "search_memories",
        said: ["what do you know about the spare key?", "搜索记忆里的 spare key"],
        understood: [r#"{"query":"the spare key"}"#, r#"{"query":"spare key"}"#],
        called: r#"{"query":"spare key"}"#,
        result: "under the blue pot",
    },
    Row {
        tool: "list_memories",
        said: ["list my memories", "列出所有记忆"],
        understood: ["{}", "{}"],
        called: "{}",
        result: "under the blue pot",
    },
    Row {
        tool: "update_memory",
        said: ["change memory {memory} to the spare key lies in the shed", "把记忆 {memory} 改成 spare key in the shed"],
        understood: [
            r#"{"memory_id":"{memory}","content":"the spare key lies in the shed"}"#,
            r#"{"memory_id":"{memory}","content":"spare key in the shed"}"#,
        ],
        called: r#"{"memory_id":"{memory}","content":"the spare key lies in the shed"}"#,
        result: "the shed",
    },
    Row {
        tool: "forget",
        said: ["forget {memory}", "删除记忆 {memory}"],
        understood: [r#"{"memory_id":"{memory}"}"#, r#"{"memory_id":"{memory}"}"#],
        called: r#"{"memory_id":"{memory}"}"#,
        result: "forgotten",
    },
];

/// A home with a little project in its working folder, a memory, and services that stand in for the real ones.
struct World {
    home: Home,
    /// What stands for `{site}` and `{memory}` in the rows.
    names: [(&'static str, String); 2],
    _services: [Service; 3],
}

impl World {
    fn new() -> Self {
        let (site, engine, weather) = (web::site(), web::searxng(), web::open_meteo());
        let config = format!(
            "{}[web]\nallow_hosts = [\"127.0.0.1\"]\n[web.search]\nprovider = \"searxng\"\nurl = \"{}\"\n\
             [web.weather]\ngeocoding_url = \"{2}\"\nforecast_url = \"{2}\"\n",
            web::AGREED,
            engine.url,
            weather.url
        );
        let home = Home::with(&config);
        let work = home.work();
        std::fs::create_dir_all(work.join("src")).unwrap();
        std::fs::write(work.join("src/main.rs"), "fn main() {\n    let needle = 1;\n}\n").unwrap();
        std::fs::write(work.join("notes.txt"), "first line\nlast line\n").unwrap();
        let added = home.run(&["memory", "add", "--json", "the spare key lies under the blue pot"]);
        let memory: Value = serde_json::from_str(&added.out).unwrap_or_else(|error| panic!("{error}: {added:?}"));
        let id = memory["memory_id"].as_str().unwrap()[..8].to_owned();
        Self { home, names: [("{site}", site.url.clone()), ("{memory}", id)], _services: [site, engine, weather] }
    }

    fn filled(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    }
}

#[test]
fn every_tool_of_the_catalogue_has_a_row() {
    let rows: HashSet<&str> = ROWS.iter().map(|row| row.tool).collect();
    assert_eq!(rows.len(), ROWS.len(), "a tool has two rows");
    let tools = served(&Home::with(""));
    let names: HashSet<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    let missing: Vec<_> = names.difference(&rows).collect();
    assert!(missing.is_empty(), "add a row for {missing:?}");
    let gone: Vec<_> = rows.difference(&names).collect();
    assert!(gone.is_empty(), "there is no tool {gone:?}");
}

#[test]
fn the_assistant_does_it_when_it_is_asked_in_english() {
    check_language(0);
}

#[test]
fn the_assistant_does_it_when_it_is_asked_in_chinese() {
    check_language(1);
}

fn check_language(language: usize) {
    let world = World::new();
    let mut wrong = Vec::new();
    for row in ROWS {
        let said = &world.filled(row.said[language]);
        let ran = world.home.run(&["exec", "--json", "--approvals", "auto", said]);
        if let Err(problem) = check_exec(row, &world.filled(row.understood[language]), &ran) {
            wrong.push(format!("{said}: {problem}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
}

fn check_exec(row: &Row, understood: &str, ran: &Ran) -> Result<(), String> {
    let events = ran.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let calls: Vec<Value> = events.filter(|event| event["type"] == "tool_execution").map(|event| event["data"].clone()).collect();
    let done = calls.iter().find(|call| call["tool_name"] == row.tool && call["status"] != "started");
    let Some(done) = done else {
        let names: Vec<_> = calls.iter().map(|call| call["tool_name"].to_string()).collect();
        return Err(format!("`{}` was not called (but {names:?}); {}", row.tool, ran.err.trim()));
    };
    if done["status"] != "success" {
        return Err(format!("it failed: {}", done["error"]));
    }
    let expected: Value = serde_json::from_str(understood).unwrap();
    if !holds(&done["arguments"], &expected) {
        return Err(format!("understood {} where {expected} was meant", done["arguments"]));
    }
    let text = done["result"].to_string();
    if !text.contains(row.result) {
        return Err(format!("`{}` is not in {text}", row.result));
    }
    if ran.code != 0 {
        return Err(format!("exit code {}: {}", ran.code, ran.err.trim()));
    }
    Ok(())
}

/// Whether `found` has all that `expected` has. A config may have been sent as text.
fn holds(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(key, value)| found.get(key).is_some_and(|found| holds(found, value)))
        }
        (found, expected) => found == expected,
    }
}

#[test]
fn a_client_that_others_wrote_calls_every_tool() {
    let world = World::new();
    let home = &world.home;
    let arguments = |row: &Row| serde_json::from_str::<Value>(&world.filled(row.called)).unwrap();
    let calls: Vec<Value> = ROWS.iter().map(|row| json!({"tool": row.tool, "arguments": arguments(row)})).collect();
    let script = format!("{}/tests/peers/hands.py", env!("CARGO_MANIFEST_DIR"));
    let list = home.root().join("calls.json");
    std::fs::write(&list, json!(calls).to_string()).unwrap();
    let mut command = std::process::Command::new(python("python"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", home.root()).env("WAKEFUL_HOME", home.root());
    command.env("LANG", "C.UTF-8").env("TZ", "UTC").current_dir(home.work()).stdin(Stdio::null());
    command.args([script.as_str(), list.to_str().unwrap(), env!("CARGO_BIN_EXE_wakeful"), "mcp", "serve"]);
    let ran = Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    let results: Vec<Value> = serde_json::from_str(ran.out.trim()).unwrap();
    assert_eq!(results.len(), ROWS.len());
    let mut wrong = Vec::new();
    for (row, result) in ROWS.iter().zip(&results) {
        let text = result["text"].as_str().unwrap_or_default();
        if result["is_error"] == true || !text.contains(row.result) {
            wrong.push(format!("{}: `{}` is not in {result}", row.tool, row.result));
        } else if !result["structured"].is_object() {
            wrong.push(format!("{}: no structured content beside {text}", row.tool));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Against the OpenAI-compatible server at `WAKEFUL_MODEL_URL` with the model `WAKEFUL_MODEL`, however long that takes; without
/// chance (temperature 0), so that what goes wrong goes wrong again.
#[test]
#[ignore = "needs a real model: WAKEFUL_MODEL_URL and WAKEFUL_MODEL name it"]
fn a_real_model_calls_every_tool() {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let world = World::new();
    let config_file = world.home.root().join("config/config.toml");
    let config = std::fs::read_to_string(&config_file).unwrap();
    let provider = format!(
        "model = \"real/{}\"\n{config}[providers.real]\nbase_url = \"{}\"\ncontext_tokens = 16384\ntemperature = 0.0\nfirst_chunk_timeout_seconds = 600\n",
        variable("WAKEFUL_MODEL"),
        variable("WAKEFUL_MODEL_URL")
    );
    std::fs::write(&config_file, provider).unwrap();
    let (mut wrong, only) = (Vec::new(), std::env::var("WAKEFUL_TOOLS").unwrap_or_default());
    for row in ROWS.iter().filter(|row| only.is_empty() || only.split(',').any(|tool| tool == row.tool)) {
        let called = world.filled(row.called);
        let prompt = format!("Call the tool `{}` now, with exactly these arguments: {called}", row.tool);
        let begun = std::time::Instant::now();
        let ran = world.home.run(&["exec", "--json", "--approvals", "auto", "--set", "agent.steps_max=2", &prompt]);
        let events = ran.out.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let done = events
            .filter(|event| event["type"] == "tool_execution" && event["data"]["status"] != "started")
            .find(|event| event["data"]["tool_name"] == row.tool);
        let problem = match done {
            None => Some(format!("not called: {}", ran.err.trim())),
            Some(done) if done["data"]["status"] != "success" => Some(format!("failed: {}", done["data"]["error"])),
            Some(done) if !done["data"]["result"].to_string().contains(row.result) => Some(format!("another result: {}", done["data"])),
            Some(_) => None,
        };
        println!(
            "{:<32} {:>5.1?} s  {}",
            row.tool,
            begun.elapsed().as_secs_f64(),
            problem.as_deref().unwrap_or("called, and the result is right")
        );
        wrong.extend(problem.map(|problem| format!("{}: {problem}", row.tool)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
