//! `run_command`: a program or a shell line, in the working folder, bounded in time and output.
//!
//! It always asks first unless the user allowed it: it is marked destructive. The program gets no terminal, no input, a
//! process group of its own that ends with the call, and an environment without what looks like a secret.

mod output;

use std::ffi::OsString;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::process::{Child, Command};

use crate::domain::text::{clean, clean_line};
use crate::domain::tool::ToolHints;
use crate::tools::ToolOutcome;
use crate::tools::local::files::Workspace;
use crate::tools::local::{Definition, Failure, LocalTool, SYSTEM};

use output::Collected;

/// The name of the tool on its server.
pub const RUN_COMMAND: &str = "run_command";

/// How long a command may run where the call names no time, in seconds.
const TIMEOUT_SECONDS: u64 = 120;

/// The longest time that a call may name, in seconds.
const TIMEOUT_SECONDS_MAX: u64 = 600;

/// Time to end after it was asked to, before it is killed.
const GRACE: Duration = Duration::from_millis(500);

/// Parts of names of environment variables whose values are kept from commands.
const SECRET_NAMES: [&str; 7] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "AUTH"];

/// Names that hold such a part and are no secrets.
const PLAIN_NAMES: [&str; 2] = ["SSH_AUTH_SOCK", "XAUTHORITY"];

/// A command.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// A line for the shell (`sh -c`), for example `ls -la | head`. Give this or `argv`.
    #[serde(default)]
    command: Option<String>,
    /// A program and its arguments, run without a shell, for example `["git", "status"]`. Give this or `command`.
    #[serde(default)]
    argv: Option<Vec<String>>,
    /// The folder to run in, inside the working folder. Default: the working folder.
    #[serde(default)]
    folder: Option<String>,
    /// Seconds until it is stopped, 1 to 600. Default: 120.
    #[serde(default)]
    timeout_seconds: Option<u64>,
}

pub(super) fn tool(workspace: Arc<Workspace>) -> LocalTool {
    let definition = Definition {
        server: SYSTEM,
        name: RUN_COMMAND,
        title: "Run a command",
        description: "Runs a shell line or a program in the working folder and gives its output (standard output and error together) \
and its exit code. It has no terminal and no input: nothing that asks or that needs a screen. Long output is cut in the middle.",
        hints: ToolHints::default(),
    };
    let mut tool = LocalTool::new(&definition, move |arguments: Arguments, _context| run(Arc::clone(&workspace), arguments));
    tool.limit_time(Duration::from_secs(TIMEOUT_SECONDS_MAX) + GRACE * 2);
    tool
}

async fn run(workspace: Arc<Workspace>, arguments: Arguments) -> Result<ToolOutcome, Failure> {
    let words = words(&arguments)?;
    let seconds = arguments.timeout_seconds.unwrap_or(TIMEOUT_SECONDS);
    if !(1..=TIMEOUT_SECONDS_MAX).contains(&seconds) {
        return Err(Failure(format!("`timeout_seconds` is {seconds}; it must be 1 to {TIMEOUT_SECONDS_MAX}")));
    }
    let folder = workspace.folder_of(arguments.folder.as_deref().unwrap_or("."))?;
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).current_dir(folder).env_clear().envs(environment(std::env::vars_os()));
    // Programs that would page or colour see that nobody looks.
    command.env("PAGER", "cat").env("GIT_PAGER", "cat").env("TERM", "dumb").env("NO_COLOR", "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).process_group(0);
    let child = command.spawn().map_err(|error| Failure(format!("`{}` could not be run: {error}", clean_line(&words[0]))))?;
    let mut group = Group::new(child);
    let (ended, collected) = output::collect(&mut group.child, Duration::from_secs(seconds)).await;
    let Some(status) = ended else {
        group.end().await;
        return Ok(outcome(&format!("it ran longer than {seconds} s and was stopped"), None, &collected));
    };
    let status = status?;
    // What it started and left behind keeps running only where it went away on its own accord (a session of its own).
    group.end().await;
    Ok(outcome(&ended_with(status), status.code(), &collected))
}

/// The program and its arguments.
fn words(arguments: &Arguments) -> Result<Vec<String>, Failure> {
    let words = match (&arguments.command, &arguments.argv) {
        (Some(line), None) if !line.trim().is_empty() => vec!["sh".to_owned(), "-c".to_owned(), line.clone()],
        (None, Some(words)) if words.first().is_some_and(|program| !program.trim().is_empty()) => words.clone(),
        (Some(_), Some(_)) => return Err(Failure("give `command` or `argv`, not both".to_owned())),
        _ => {
            return Err(Failure(
                "there is nothing to run: give `command` (a shell line) or `argv` (a program and its arguments)".to_owned(),
            ));
        }
    };
    if words.iter().any(|word| word.contains('\0')) {
        return Err(Failure("the command holds a zero byte".to_owned()));
    }
    Ok(words)
}

/// The program's own environment without what looks like a secret: a model reads what commands print.
fn environment(all: impl Iterator<Item = (OsString, OsString)>) -> impl Iterator<Item = (OsString, OsString)> {
    all.filter(|(name, _)| {
        let name = name.to_string_lossy().to_uppercase();
        PLAIN_NAMES.contains(&name.as_str()) || !SECRET_NAMES.iter().any(|part| name.contains(part))
    })
}

fn ended_with(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

fn outcome(end: &str, code: Option<i32>, collected: &Collected) -> ToolOutcome {
    let is_error = code != Some(0);
    let output = collected.text();
    let output = clean(&output);
    let text = match (output.trim_end(), is_error) {
        ("", _) => format!("[no output; {end}]"),
        (output, true) => format!("{output}\n[{end}]"),
        (output, false) => output.to_owned(),
    };
    let structured = json!({"exit_code": code, "output_bytes": collected.bytes(), "cut": collected.is_cut()});
    ToolOutcome { text, structured: (!is_error).then_some(structured), is_error }
}

/// A child and all that it started in its process group: none of it outlives the call.
struct Group {
    child: Child,
    id: Option<rustix::process::Pid>,
}

impl Group {
    fn new(child: Child) -> Self {
        let id = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
        Self { child, id }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        if let Some(id) = self.id {
            // It fails only when the group is gone, which is what is wanted.
            let _ = rustix::process::kill_process_group(id, signal);
        }
    }

    /// Asks the group to end, and ends it where it does not.
    async fn end(&mut self) {
        self.signal(rustix::process::Signal::TERM);
        let _ = tokio::time::timeout(GRACE, self.child.wait()).await;
        self.signal(rustix::process::Signal::KILL);
        // Reaped: its number may be another's from here on.
        if self.child.wait().await.is_ok() {
            self.id = None;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(rustix::process::Signal::KILL);
    }
}

#[cfg(test)]
mod tests;
