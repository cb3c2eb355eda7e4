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
];

/// A home with a little project in its working folder.
fn home() -> Home {
    let home = Home::with("");
    let work = home.work();
    std::fs::create_dir_all(work.join("src")).unwrap();
    std::fs::write(work.join("src/main.rs"), "fn main() {\n    let needle = 1;\n}\n").unwrap();
    std::fs::write(work.join("notes.txt"), "first line\nlast line\n").unwrap();
    home
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
    let home = home();
    let mut wrong = Vec::new();
    for row in ROWS {
        let said = row.said[language];
        let ran = home.run(&["exec", "--json", "--approvals", "auto", said]);
        if let Err(problem) = check_exec(row, language, &ran) {
            wrong.push(format!("{said}: {problem}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows:\n{}", wrong.len(), ROWS.len(), wrong.join("\n"));
}

fn check_exec(row: &Row, language: usize, ran: &Ran) -> Result<(), String> {
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
    let expected: Value = serde_json::from_str(row.understood[language]).unwrap();
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
    let home = home();
    let calls: Vec<Value> =
        ROWS.iter().map(|row| json!({"tool": row.tool, "arguments": serde_json::from_str::<Value>(row.called).unwrap()})).collect();
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
