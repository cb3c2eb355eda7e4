//! The program from end to end in a real pseudo terminal: type, stream, approve, interrupt, resize, leave.

use std::time::Duration;

use rexpect::process::Signal;
use serde_json::json;

use crate::support::Home;
use crate::support::model::{ModelServer, Say, last_user, results};
use crate::support::pty::Pty;

const LIMIT: Duration = Duration::from_secs(30);

/// A model that streams, writes a file, or never ends, as it is asked.
fn model() -> ModelServer {
    ModelServer::start(|request| match last_user(request).as_str() {
        "stream" => Say::Tokens(300),
        "hang" => Say::Hang("pondering".to_owned()),
        "write" if results(request) == 0 => Say::call("files__write_file", json!({"path": "note.txt", "content": "from the model\n"})),
        "write" => Say::Text("The file is written.".to_owned()),
        other => Say::Text(format!("You said {other}.")),
    })
}

fn start(model: &ModelServer, cols: u16, rows: u16) -> (Home, Pty) {
    let home = Home::with(&format!("model = \"bench/model\"\n{}", model.provider()));
    let pty = Pty::spawn(home.wakeful(&[]), cols, rows);
    pty.wait_text(LIMIT, "bench/model");
    (home, pty)
}

/// What a program that took the terminal owes when it leaves.
fn assert_restored(pty: &Pty) {
    let bytes = pty.bytes();
    let text = String::from_utf8_lossy(&bytes);
    let last = |sequence: &str| text.rfind(sequence);
    for (on, off) in
        [("\x1b[?1049h", "\x1b[?1049l"), ("\x1b[?2004h", "\x1b[?2004l"), ("\x1b[?25l", "\x1b[?25h"), ("\x1b[?1006h", "\x1b[?1006l")]
    {
        assert!(last(off) > last(on), "{on:?} was not taken back by {off:?}");
    }
}

#[test]
fn type_stream_approve_interrupt_resize_leave() {
    let model = model();
    let (home, mut pty) = start(&model, 120, 40);

    pty.send("stream\r");
    pty.wait_text(LIMIT, "last-token");
    pty.wait_text(LIMIT, "Worked for");

    pty.send("write\r");
    pty.wait_text(LIMIT, "Yes, once");
    assert!(!home.work().join("note.txt").exists(), "nothing is written before consent");
    // A key in the first half second, or in the middle of typing, does not answer: press now and then until it does.
    let asked = |screen: &vt100::Screen| screen.contents().contains("Yes, once");
    while pty.screen(asked) {
        pty.send("y");
        let _ = pty.wait(Duration::from_secs(1), |screen| !asked(screen));
    }
    pty.wait_text(LIMIT, "The file is written.");
    assert_eq!(std::fs::read_to_string(home.work().join("note.txt")).unwrap(), "from the model\n");

    // What was pressed too early may stand in the composer.
    pty.send("\x15hang\r");
    pty.wait_text(LIMIT, "pondering");
    pty.send("\x1b");
    assert!(model.wait_hung_up(1, LIMIT), "the connection to the model is closed");
    pty.wait_text(LIMIT, "nterrupted");

    pty.resize(80, 24);
    pty.send("\x15narrow\r");
    pty.wait_text(LIMIT, "You said narrow.");

    pty.send("\x15\x04");
    assert_eq!(pty.wait_exit(LIMIT), Some(0));
    assert_restored(&pty);

    let types: Vec<String> = home.events().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
    for wanted in ["session_event", "chat", "turn_event", "tool_execution", "approval_event", "mcp_event"] {
        assert!(types.iter().any(|name| name == wanted), "no {wanted} in the log: {types:?}");
    }
}

#[test]
fn signals_give_the_terminal_back() {
    let model = model();
    let (_home, mut pty) = start(&model, 80, 24);
    pty.signal(Signal::SIGTERM);
    assert!(pty.wait_exit(LIMIT).is_some(), "it ends");
    assert_restored(&pty);
}

#[test]
fn escape_sequences_of_a_model_do_not_reach_the_terminal() {
    let hostile = "safe\u{1b}]52;c;aGFja2Vk\u{7}\u{1b}[2Jtext\u{202e}\u{9b}31m";
    let model = ModelServer::start(move |_| Say::Text(hostile.to_owned()));
    let (_home, mut pty) = start(&model, 120, 40);
    pty.send("go\r");
    pty.wait_text(LIMIT, "Worked for");
    pty.wait_text(LIMIT, "safetext");
    let text = String::from_utf8_lossy(&pty.bytes()).into_owned();
    assert!(!text.contains("\u{1b}]52;c;aGFja2Vk"), "the clipboard is not theirs");
    assert!(!text.contains('\u{202e}') && !text.contains('\u{9b}'));
    pty.send("\x04");
    assert_eq!(pty.wait_exit(LIMIT), Some(0));
}

/// Processes of the program that run in `home`.
#[test]
fn a_notice_for_the_terminal_is_its_own_notification() {
    let home = Home::with("");
    let mut command = home.wakeful(&[]);
    command.env("TERM_PROGRAM", "WezTerm");
    let mut pty = Pty::spawn(command, 120, 36);
    pty.wait_text(LIMIT, "wakeful");
    pty.send("/notify test terminal me\r");
    pty.wait_written(LIMIT, "\x1b]9;A test from wakeful: If you can read this, the channel works.\x07");
    pty.send("\x04");
    assert_eq!(pty.wait_exit(LIMIT), Some(0));
}

fn running_in(home: &Home) -> usize {
    let wanted = format!("WAKEFUL_HOME={}", home.root().display());
    let is_ours = |folder: &std::path::Path| {
        let environment = std::fs::read(folder.join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
            && std::fs::read_to_string(folder.join("comm")).is_ok_and(|name| name.trim() == "wakeful")
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| is_ours(&entry.path())).count()
}

#[test]
fn a_terminal_that_vanishes_without_a_signal_ends_the_program() {
    let home = Home::with("");
    let program = home.wakeful(&[]);
    // In a session of its own the terminal is not its controlling one: nobody sends it SIGHUP.
    let mut command = std::process::Command::new("setsid");
    command.arg("--wait").arg(program.get_program()).current_dir(home.work()).env_clear();
    command.envs(program.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
    let pty = Pty::spawn(command, 80, 24);
    pty.wait_text(LIMIT, "offline");
    assert_eq!(running_in(&home), 1);
    drop(pty);
    let end = std::time::Instant::now() + LIMIT;
    while running_in(&home) > 0 && std::time::Instant::now() < end {
        std::thread::yield_now();
    }
    assert_eq!(running_in(&home), 0, "it goes on without a terminal");
}
