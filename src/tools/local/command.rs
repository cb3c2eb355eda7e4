//! `run_command`: a program or a shell line, in the working folder, bounded in time and output.
//!
//! It always asks first unless the user allowed it: it is marked destructive. The program gets no terminal, no input and
//! an environment without what looks like a secret. A [`supervisor`] starts it where there is one, fences it in and ends
//! all that it left; everything it starts carries a mark, by which whatever should still be there is found.

mod fence;
pub(super) mod limits;
mod output;
mod policy;
mod processes;
mod run;
pub(super) mod spec;
pub(super) mod supervisor;

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::domain::text::clean;
use crate::domain::tool::ToolHints;
use crate::tools::ToolOutcome;
use crate::tools::local::define::blocking;
use crate::tools::local::files::Workspace;
use crate::tools::local::{Definition, Failure, LocalTool, SYSTEM};

use run::{Done, Prepared};
use spec::Fence;

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

/// Words with which programs say that they were not let.
const REFUSALS: [&str; 4] = ["Permission denied", "permission denied", "EACCES", "Operation not permitted"];

/// Whether this system can fence commands in.
pub fn can_fence() -> bool {
    fence::is_there()
}

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
    tool.limit_time(Duration::from_secs(TIMEOUT_SECONDS_MAX) + run::END_MAX * 2);
    tool
}

async fn run(workspace: Arc<Workspace>, arguments: Arguments) -> Result<ToolOutcome, Failure> {
    let words = words(&arguments)?;
    let seconds = arguments.timeout_seconds.unwrap_or(TIMEOUT_SECONDS);
    if !(1..=TIMEOUT_SECONDS_MAX).contains(&seconds) {
        return Err(Failure(format!("`timeout_seconds` is {seconds}; it must be 1 to {TIMEOUT_SECONDS_MAX}")));
    }
    let prepared = blocking(move || {
        let folder = workspace.folder_of(arguments.folder.as_deref().unwrap_or("."))?;
        Prepared::new(workspace.options(), &folder, &words)
    });
    Ok(outcome(&prepared.await?.run(Duration::from_secs(seconds)).await?))
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

/// What came of a command, for the model: its output, then in brackets what is not plain.
fn outcome(done: &Done) -> ToolOutcome {
    let Done { report, collected, timed_out } = done;
    let is_error = report.code != Some(0) || timed_out.is_some();
    let mut notes = match (timed_out, report.code, report.signal) {
        (Some(limit), ..) => vec![format!("it ran longer than {} s and was stopped", limit.as_secs())],
        (None, Some(code), _) => vec![format!("exit code {code}")],
        (None, None, Some(signal)) => vec![format!("ended by signal {signal}")],
        (None, None, None) => vec!["ended".to_owned()],
    };
    let is_plain = !is_error && report.left_running == 0 && report.survivors == 0 && report.fence != Fence::Unavailable;
    let counted = |count: usize| if count == 1 { "1 process".to_owned() } else { format!("{count} processes") };
    if report.too_many {
        notes
            .push("it had more processes than one command may and was ended; `processes_max` of [tools.commands] sets how many".to_owned());
    }
    if report.left_running > 0 {
        notes.push(format!("{} that it left running ended with it: nothing outlives the call", counted(report.left_running)));
    }
    if report.survivors > 0 {
        notes.push(format!("{} could not be ended", counted(report.survivors)));
    }
    let output = collected.text();
    let output = clean(&output);
    if report.fence == Fence::Unavailable {
        notes.push("not fenced in: this system has no Landlock, so it could write whatever you can".to_owned());
    } else if is_error && report.fence != Fence::Off && REFUSALS.iter().any(|words| output.contains(words)) {
        notes.push(format!(
            "it may write the working folder, its repository, temporary folders and caches of build tools; \
`writable` and `sandbox` of [tools.commands] (now `{}`) change that",
            report.fence.as_str()
        ));
    }
    let notes = notes.join("; ");
    let text = match (output.trim_end(), is_plain) {
        ("", _) => format!("[no output; {notes}]"),
        (output, true) => output.to_owned(),
        (output, false) => format!("{output}\n[{notes}]"),
    };
    let structured = json!({
        "exit_code": report.code,
        "output_bytes": collected.bytes(),
        "cut": collected.is_cut(),
        "left_running": report.left_running,
        "sandbox": report.fence.as_str(),
    });
    ToolOutcome { text, structured: (!is_error).then_some(structured), is_error }
}

#[cfg(test)]
mod tests;
