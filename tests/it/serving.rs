//! `wakeful serve` as a process of its own, with the feed, the API and the dashboard on a port of the system's choice.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::support::Home;

/// A token that is long enough.
pub const TOKEN: &str = "a-token-for-tests-only";

/// What it says before its address.
const LISTENING: &str = "feed, API and dashboard: ";

/// It stands; killed at the end, unless it was stopped.
pub struct Serve {
    child: Child,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
}

impl Serve {
    /// Starts it on a free port, with these arguments beside that; `TOKEN` is a variable of its environment.
    pub fn start(home: &Home, more: &[&str]) -> Self {
        Self::at(home, "127.0.0.1:0", more)
    }

    /// Starts it at `address`.
    pub fn at(home: &Home, address: &str, more: &[&str]) -> Self {
        let mut command = home.wakeful(&[&["serve", "--headless", "--listen", address], more].concat());
        let command = command.env("TOKEN", TOKEN).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut seen = Vec::new();
        let url = lines.by_ref().find_map(|line| {
            let url = line.split_once(LISTENING).map(|(_, url)| url.trim().to_owned());
            seen.push(line);
            url
        });
        let Some(url) = url else {
            let _ = child.kill();
            panic!("it does not listen: {seen:?}")
        };
        // A full pipe would stop the program.
        std::thread::spawn(move || lines.count());
        Self { child, url }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// `ws://127.0.0.1:PORT`.
    pub fn ws(&self) -> String {
        format!("ws://{}", self.address())
    }

    /// Ends it by the signal that a service manager sends.
    pub fn stop(mut self) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        // It has ended already where it was stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
