//! What the end-to-end tests share: the program with a home of its own.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

#[path = "../support/local.rs"]
pub mod local;
#[path = "../support/model.rs"]
#[allow(dead_code, reason = "shared with the benchmarks, which use other parts")]
pub mod model;
#[path = "../support/outside.rs"]
pub mod outside;
#[path = "../support/pty.rs"]
#[allow(dead_code, reason = "shared with the benchmarks, which use other parts")]
pub mod pty;
#[path = "../support/sites.rs"]
#[allow(dead_code, reason = "shared with the benchmarks, which use other parts")]
pub mod sites;

/// A home folder with a config, and a working folder in it.
pub struct Home {
    folder: TempDir,
}

impl Home {
    /// A home whose config file holds `config`.
    pub fn with(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("config")).unwrap();
        std::fs::create_dir_all(folder.path().join("work")).unwrap();
        std::fs::write(folder.path().join("config/config.toml"), config).unwrap();
        Self { folder }
    }

    /// The folder the program runs in.
    pub fn work(&self) -> std::path::PathBuf {
        self.folder.path().join("work")
    }

    /// The folder of everything.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// The program with these arguments, nothing of the tester's environment but the path.
    pub fn wakeful(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wakeful"));
        command.env_clear().env("WAKEFUL_HOME", self.folder.path()).env("HOME", self.folder.path()).env("LANG", "C.UTF-8").env("TZ", "UTC");
        command.env("TERM", "xterm-256color").env("COLORTERM", "truecolor").env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.current_dir(self.work()).args(arguments);
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.wakeful(arguments).stdin(Stdio::null()).output().unwrap())
    }

    /// All events in the log.
    pub fn events(&self) -> Vec<Value> {
        let ran = self.run(&["events", "--json", "--since", "0"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// How a run of the program came out.
#[derive(Debug)]
pub struct Ran {
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
    /// The exit code; -1 after a signal.
    pub code: i32,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { out: text(output.stdout), err: text(output.stderr), code: output.status.code().unwrap_or(-1) }
    }
}
