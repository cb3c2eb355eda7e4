//! Commands that are really run.

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::domain::event::ErrorKind;
use crate::domain::ids::CallId;
use crate::tools::local::Options;
use crate::tools::{CallContext, Tool, ToolError};

struct Bench {
    folder: tempfile::TempDir,
    tool: LocalTool,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { folder: folder.path().to_owned(), ..Options::default() };
        Self { tool: tool(Arc::new(Workspace::new(options, None))), folder }
    }

    async fn run(&self, arguments: Value) -> Result<ToolOutcome, ToolError> {
        self.run_until(arguments, CancellationToken::new()).await
    }

    async fn run_until(&self, arguments: Value, cancel: CancellationToken) -> Result<ToolOutcome, ToolError> {
        let context = CallContext { call_id: CallId::new("c"), session: None, cancel };
        self.tool.call(arguments.as_object().unwrap().clone(), context).await
    }
}

#[tokio::test]
async fn a_line_for_the_shell_and_a_program_with_arguments() {
    let bench = Bench::new();
    let check = async |arguments: Value, text: &str, is_error: bool| {
        let outcome = bench.run(arguments).await.unwrap();
        assert_eq!((outcome.text.as_str(), outcome.is_error), (text, is_error));
    };
    check(json!({"command": "echo one; echo two | tr a-z A-Z"}), "one\nTWO", false).await;
    check(json!({"argv": ["echo", "$HOME; rm -rf x"]}), "$HOME; rm -rf x", false).await;
    check(json!({"command": "echo no >&2; exit 3"}), "no\n[exit code 3]", true).await;
    check(json!({"command": "true"}), "[no output; exit code 0]", false).await;
    check(json!({"command": "cat"}), "[no output; exit code 0]", false).await;
    check(json!({"command": "kill -9 $$"}), "[no output; ended by signal 9]", true).await;
    check(json!({"command": "printf 'a\\033[31mb\\033]52;c;eA==\\007c'"}), "abc", false).await;
}

#[tokio::test]
async fn it_runs_in_the_working_folder_and_nowhere_else() {
    let bench = Bench::new();
    std::fs::create_dir(bench.folder.path().join("inner")).unwrap();
    let here = bench.folder.path().canonicalize().unwrap();
    let pwd = async |folder: &str| bench.run(json!({"command": "pwd -P", "folder": folder})).await.unwrap();
    assert_eq!(pwd(".").await.text, here.display().to_string());
    assert_eq!(pwd("inner").await.text, here.join("inner").display().to_string());
    let outside = pwd("/").await;
    assert!(outside.is_error && outside.text.contains("outside the working folder"), "{}", outside.text);
}

#[tokio::test]
async fn what_cannot_be_run_is_said() {
    let bench = Bench::new();
    let check = async |arguments: Value, reason: &str| {
        let outcome = bench.run(arguments).await.unwrap();
        assert!(outcome.is_error && outcome.text.contains(reason), "{}", outcome.text);
    };
    check(json!({}), "nothing to run").await;
    check(json!({"command": " "}), "nothing to run").await;
    check(json!({"argv": []}), "nothing to run").await;
    check(json!({"command": "a", "argv": ["b"]}), "not both").await;
    check(json!({"argv": ["/no/such/program"]}), "could not be run").await;
    check(json!({"command": "true", "timeout_seconds": 0}), "1 to 600").await;
    check(json!({"command": "true", "timeout_seconds": 601}), "1 to 600").await;
    check(json!({"command": "a\u{0}b"}), "zero byte").await;
}

#[tokio::test]
async fn what_takes_too_long_is_stopped_with_all_that_it_started() {
    let bench = Bench::new();
    let outcome = bench.run(json!({"command": "echo begun; sleep 600 & echo $! > pid; wait", "timeout_seconds": 1})).await.unwrap();
    assert!(outcome.is_error);
    assert_eq!(outcome.text, "begun\n[it ran longer than 1 s and was stopped]");
    is_gone(&bench);
}

#[tokio::test]
async fn a_call_that_is_stopped_stops_the_command() {
    let bench = Bench::new();
    let cancel = CancellationToken::new();
    let started = bench.folder.path().join("pid");
    let line = "sleep 600 & echo $! > pid.new; mv pid.new pid; wait";
    let run = bench.run_until(json!({"command": line}), cancel.clone());
    let stop = async {
        while !started.exists() {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(run, stop);
    assert_eq!(result.unwrap_err().kind, ErrorKind::Interrupted);
    is_gone(&bench);
}

/// The process whose number the command has left is gone, or about to be taken away by its new parent.
fn is_gone(bench: &Bench) {
    let pid = std::fs::read_to_string(bench.folder.path().join("pid")).unwrap();
    loop {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())) else { return };
        let state = stat.rsplit(") ").next().unwrap_or_default();
        if state.starts_with('Z') {
            return;
        }
        // A signal that was sent arrives without any more doing of ours.
        std::thread::yield_now();
    }
}

#[test]
fn secrets_stay_out_of_the_environment() {
    let names = ["PATH", "OPENAI_API_KEY", "GITHUB_TOKEN", "db_password", "AWS_SECRET_ACCESS", "HOME", "SSH_AUTH_SOCK", "BASIC_AUTH"];
    let kept: Vec<_> = environment(names.iter().map(|name| (OsString::from(name), OsString::new()))).map(|(name, _)| name).collect();
    assert_eq!(kept, ["PATH", "HOME", "SSH_AUTH_SOCK"]);
}
