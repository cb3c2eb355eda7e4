//! A long session that comes back.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use wakeful::bus::Recorder;
use wakeful::domain::clock::SystemClock;
use wakeful::domain::command::ApprovalMode;
use wakeful::domain::event::{Chat, ChatStatus, NewEvent, SessionEvent, Status, ToolExecution, TurnEnd, TurnEvent};
use wakeful::domain::ids::{CallId, SessionId, ToolName, TurnId};
use wakeful::domain::message::{Role, ToolCall, Usage};
use wakeful::store::{EventLog, Options};

use crate::pty::Pty;
use crate::{COLS, LIMIT, ROWS, home, row, settle, wakeful};

/// Bytes of the session.
const BYTES: usize = 60 * 1_000 * 1_000;

/// Bytes of one tool's result.
const RESULT_BYTES: usize = 24_000;

/// Bytes of one answer.
const ANSWER_BYTES: usize = 4_000;

/// One turn: a prompt, a call with a long result, an answer.
fn turn(session: &SessionId, n: usize) -> Vec<NewEvent> {
    let turn = TurnId::generate();
    let id = CallId::generate();
    let arguments = serde_json::Map::from_iter([("path".to_owned(), json!(format!("src/file{n}.rs")))]);
    let chat = |role, text: String| {
        let mut chat = Chat::new(role, ChatStatus::Done);
        chat.turn = Some(turn.clone());
        chat.text = Some(text);
        chat
    };
    let mut calling = chat(Role::Assistant, String::new());
    calling.tool_calls = vec![ToolCall {
        id: id.clone(),
        name: ToolName::from("files__read_file"),
        arguments: arguments.clone(),
        invalid: None,
        extra: serde_json::Map::new(),
    }];
    let execution = |status, result| ToolExecution {
        service_name: "files".into(),
        tool_name: "read_file".into(),
        status,
        result,
        error: None,
        error_kind: None,
        call_id: id.clone(),
        arguments: Some(arguments.clone()),
        duration_ms: Some(3),
        parent: None,
    };
    let line = format!("let value_{n} = compute(input, {n});\n");
    let result = line.repeat(RESULT_BYTES / line.len());
    let words = "Some **words** about `code` and what it does. ".repeat(ANSWER_BYTES / 46);
    let answer = format!("## Step {n}\n\n{words}\n\nEnd of step {n}.");
    let finished = TurnEvent::Finished {
        turn: turn.clone(),
        parent: None,
        end: TurnEnd::Done,
        message: None,
        usage: Usage::default(),
        context_tokens: 1_000,
        steps: 2,
        duration_ms: 900,
    };
    vec![
        NewEvent::of(session, chat(Role::User, format!("prompt number {n}"))),
        NewEvent::of(session, TurnEvent::Started { turn: turn.clone(), parent: None, agent: None, model: "offline/rules".to_owned() }),
        NewEvent::of(session, calling),
        NewEvent::of(session, execution(Status::Started, None)),
        NewEvent::of(session, execution(Status::Success, Some(json!(result)))),
        NewEvent::of(session, chat(Role::Assistant, answer)),
        NewEvent::of(session, finished),
    ]
}

/// Writes the session; how many turns it has.
fn write(home: &std::path::Path, session: &SessionId) -> usize {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    std::fs::create_dir_all(home.join("data")).unwrap();
    let log = EventLog::open(&home.join("data/events.db"), &Options::default(), Arc::new(SystemClock)).unwrap();
    let turns = BYTES / (RESULT_BYTES + ANSWER_BYTES);
    runtime.block_on(async {
        let created =
            SessionEvent::Created { cwd: "/tmp".to_owned(), model: "offline/rules".to_owned(), mode: ApprovalMode::AutoRead, fork: None };
        log.record(vec![NewEvent::of(session, created)]).await.unwrap();
        for n in 0..turns {
            log.record(turn(session, n)).await.unwrap();
        }
        log.shutdown().await;
    });
    turns
}

pub fn resume() {
    let home = home("");
    let session = SessionId::generate();
    let turns = write(home.path(), &session);
    let last = format!("End of step {}.", turns - 1);
    let mut times = Vec::new();
    let mut memory = 0.0;
    for _ in 0..5 {
        let mut command = wakeful(home.path());
        command.args(["--resume", session.as_str()]);
        let mut pty = Pty::spawn(command, COLS, ROWS);
        let seen = pty.wait(LIMIT, |screen| screen.contents().contains(&last)).expect("the end of the session");
        pty.send("§");
        let typed = pty.wait(LIMIT, |screen| screen.contents().contains('§')).expect("the key on the screen");
        times.push(typed.max(seen) - pty.started);
        // The agent reads all of it in the background.
        settle(&pty);
        std::thread::sleep(Duration::from_secs(3));
        memory = pty.pss_kb() as f64 / 1_000.0;
    }
    times.sort();
    let megabytes = std::fs::metadata(home.path().join("data/events.db")).unwrap().len() / 1_000_000;
    row(
        &format!("resume of a session of {megabytes} MB, {turns} turns: ready for keys"),
        &format!("{:.0?}", times[times.len() / 2]),
        "500 ms",
    );
    row("the same: memory (PSS)", &format!("{memory:.1} MB"), "100 MB");
}
