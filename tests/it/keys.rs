//! Keys over a real pseudo terminal: none is lost, whatever comes at the same time.

use std::time::Duration;

use crate::support::Home;
use crate::support::pty::Pty;

const LIMIT: Duration = Duration::from_secs(20);

fn start() -> (Home, Pty) {
    let home = Home::with("");
    let pty = Pty::spawn(home.wakeful(&[]), 120, 40);
    pty.wait_text(LIMIT, "ask for anything");
    (home, pty)
}

#[test]
fn keys_that_come_with_a_resize_are_not_lost() {
    let (_home, mut pty) = start();
    for round in 1..=30 {
        let (cols, rows) = if round % 2 == 0 { (120, 40) } else { (80, 24) };
        pty.resize(cols, rows);
        pty.send("x");
        pty.wait_text(LIMIT, &format!("│ {} ", "x".repeat(round)));
    }
}

#[test]
fn a_burst_of_keys_is_taken_whole() {
    let (_home, mut pty) = start();
    // Until the program takes the terminal, the terminal itself keeps no more than one line.
    pty.wait_text(LIMIT, "message");
    pty.send(format!("{}the-end", "word ".repeat(1_000)));
    pty.wait_text(LIMIT, "the-end");
}

#[test]
fn keys_are_taken_before_the_program_stands() {
    let (_home, mut pty) = start();
    pty.send("What can you do?\r");
    pty.wait_text(LIMIT, "Worked for");
}
