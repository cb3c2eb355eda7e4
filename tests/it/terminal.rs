//! The terminal is given back whatever happens: after a panic, and while the program sleeps.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use wakeful::domain::clock::{Clock, Instant, SystemClock};
use wakeful::tui::{self, Deps, Options, Surroundings};

use crate::support::Home;
use crate::support::pty::Pty;

const LIMIT: Duration = Duration::from_secs(30);

/// Looks at the clock before it breaks: by then the screen is drawn and keys are read.
const LOOKS: u32 = 10;

/// A clock that breaks.
struct Breaking(AtomicU32);

impl Clock for Breaking {
    fn now(&self) -> Instant {
        assert!(self.0.fetch_add(1, Ordering::SeqCst) < LOOKS, "the clock broke");
        SystemClock.now()
    }
}

/// The screen of a program that breaks while somebody types; run as a child by the test below.
#[test]
#[ignore = "the child process of `a_panic_gives_the_terminal_back_and_says_where_the_log_is`"]
fn a_screen_that_breaks() {
    let (_never, backend) = oneshot::channel();
    let deps = Deps {
        clock: Arc::new(Breaking(AtomicU32::new(0))),
        backend,
        line: None,
        cancel: CancellationToken::new(),
        options: Options::default(),
        surroundings: Surroundings { log_path: Some("/var/log/the.log".into()), ..Surroundings::default() },
        preferences: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _ = runtime.block_on(tui::run(deps));
}

fn settings(pty: &Pty) -> String {
    let bytes = pty.bytes();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn a_panic_gives_the_terminal_back_and_says_where_the_log_is() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["terminal::a_screen_that_breaks", "--exact", "--ignored", "--nocapture"])
        .env("TERM", "xterm-256color")
        .env("RUST_BACKTRACE", "0");
    let mut pty = Pty::spawn(command, 100, 30);
    pty.wait_written(LIMIT, "\x1b[?1049h");
    // Keys that come together are one look: press on until it breaks.
    while !settings(&pty).contains("\x1b[?1049l") {
        pty.send("x");
        let _ = pty.wait(Duration::from_millis(50), |_| false);
    }
    pty.wait_text(LIMIT, "The log is in /var/log/the.log");
    pty.wait_text(LIMIT, "the clock broke");
    let written = settings(&pty);
    for (on, off) in
        [("\x1b[?1049h", "\x1b[?1049l"), ("\x1b[?2004h", "\x1b[?2004l"), ("\x1b[?25l", "\x1b[?25h"), ("\x1b[?1006h", "\x1b[?1006l")]
    {
        assert!(written.rfind(off) > written.rfind(on), "{on:?} was not taken back by {off:?}");
    }
    let message = written.find("the clock broke").unwrap();
    assert!(written.rfind("\x1b[?1049l").unwrap() < message, "the message stands on the user's own screen");
    assert!(pty.wait_exit(LIMIT).is_some_and(|code| code != 0));
}

#[test]
fn it_sleeps_at_ctrl_z_and_wakes_with_all_it_had() {
    let home = Home::with("");
    let program = home.wakeful(&[]);
    // Only a shell with job control wakes what sleeps.
    let mut command = Command::new("bash");
    command.args(["--norc", "--noprofile", "-i"]).current_dir(home.work()).env_clear();
    command.envs(program.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
    command.env("PS1", "shell> ").env("PROGRAM", program.get_program()).env("HISTFILE", "/dev/null");
    let mut pty = Pty::spawn(command, 100, 30);
    pty.wait_text(LIMIT, "shell>");
    pty.send("\"$PROGRAM\"\r");
    pty.wait_text(LIMIT, "offline");
    pty.send("half a thought");
    pty.wait_text(LIMIT, "half a thought");

    pty.send("\x1a");
    pty.wait_text(LIMIT, "Stopped");
    let asleep = settings(&pty);
    for (on, off) in [("\x1b[?1049h", "\x1b[?1049l"), ("\x1b[?2004h\x1b[?1004h", "\x1b[?1004l"), ("\x1b[?1006h", "\x1b[?1006l")] {
        assert!(asleep.rfind(off) > asleep.rfind(on), "{on:?} was not taken back by {off:?}");
    }
    pty.send("echo the shell is $((40 + 2))\r");
    pty.wait_text(LIMIT, "the shell is 42");
    pty.resize(80, 24);

    pty.send("fg\r");
    pty.wait_text(LIMIT, "half a thought");
    pty.send(" goes on");
    pty.wait_text(LIMIT, "half a thought goes on");
    assert!(pty.screen(|screen| !screen.contents().contains("the shell is 42")));
    pty.send("\x15\x04");
    pty.wait_text(LIMIT, "the shell is 42");
    pty.send("exit\r");
    assert_eq!(pty.wait_exit(LIMIT), Some(0));
}

#[test]
fn the_answer_about_the_background_chooses_the_theme_and_is_never_text() {
    for (colour, theme) in [("fdfd/fdfd/f5f5", "light"), ("1e1e/1e1e/2e2e", "dark")] {
        let home = Home::with("");
        let mut pty = Pty::spawn(home.wakeful(&[]), 100, 30);
        pty.wait_written(LIMIT, "\x1b]11;?\x07");
        pty.send(format!("hel\x1b]11;rgb:{colour}\x1b\\lo"));
        pty.wait_text(LIMIT, "hello");
        assert!(pty.screen(|screen| !screen.contents().contains("rgb")));
        pty.send("\x15/status \r");
        pty.wait_text(LIMIT, &format!("theme        {theme}"));
        pty.send("\x1b");
        pty.wait(LIMIT, |screen| !screen.contents().contains("theme        ")).expect("the list closes");
        pty.send("\x15/quit\r");
        assert_eq!(pty.wait_exit(LIMIT), Some(0));
    }
}
