//! Commands of the agent as the program runs them: under a supervisor, fenced in, and gone when they are over.
//!
//! Whether anything is left is looked for by the mark that everything a command starts carries in its environment.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use wakeful::domain::clock::SystemClock;
use wakeful::domain::event::ErrorKind;
use wakeful::domain::ids::CallId;
use wakeful::tools::local::{Host, Limits, Options, Sandbox, can_fence, catalog};
use wakeful::tools::{CallContext, Tool, ToolError, ToolOutcome};

struct Bench {
    folder: TempDir,
    tool: Arc<dyn Tool>,
}

impl Bench {
    fn new(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tool = tool(folder.path(), limits);
        Self { folder, tool }
    }

    async fn run(&self, line: &str, seconds: u64) -> ToolOutcome {
        self.run_until(line, seconds, CancellationToken::new()).await.unwrap()
    }

    async fn run_until(&self, line: &str, seconds: u64, cancel: CancellationToken) -> Result<ToolOutcome, ToolError> {
        let arguments = json!({"command": line, "timeout_seconds": seconds});
        let context = CallContext { call_id: CallId::generate(), session: None, cancel };
        self.tool.call(arguments.as_object().unwrap().clone(), context).await
    }

    /// The mark that the command has written down as its first act.
    fn mark(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("mark")).unwrap().trim().to_owned()
    }
}

fn tool(folder: &Path, commands: Limits) -> Arc<dyn Tool> {
    let host = Host { supervisor: Some(PathBuf::from(env!("CARGO_BIN_EXE_wakeful"))), journal: None };
    let options = Options { folder: folder.to_owned(), commands, host, ..Options::default() };
    let tools = catalog(options, Arc::new(SystemClock)).into_iter().flat_map(|(_, tools)| tools);
    tools.into_iter().find(|tool| tool.info().tool == "run_command").unwrap()
}

const KEEP_MARK: &str = "echo $WAKEFUL_CALL > mark.new; mv mark.new mark; ";

/// Processes that carry `mark`.
fn marked(mark: &str) -> Vec<String> {
    let carries = |entry: &std::fs::DirEntry| {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(b"WAKEFUL_CALL=") && variable.ends_with(mark.as_bytes()))
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter(carries).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Nothing of the last command is left once its result is there.
fn nothing_left(bench: &Bench) {
    let mark = bench.mark();
    assert!(mark.len() >= 24, "{mark}");
    assert_eq!(marked(&mark), Vec::<String>::new());
}

#[tokio::test]
async fn what_a_command_leaves_running_ends_with_it() {
    let bench = Bench::new(Limits::default());
    let check = async |line: &str, left: &str| {
        let outcome = bench.run(&format!("{KEEP_MARK}{line}"), 20).await;
        assert!(!outcome.is_error && outcome.text.contains(left), "{line}: {}", outcome.text);
        nothing_left(&bench);
        outcome.structured.unwrap()["left_running"].as_u64().unwrap()
    };
    assert_eq!(check("echo plain", "plain").await, 0);
    assert_eq!(check("sleep 600 & echo begun", "1 process that it left running ended").await, 1);
    // A daemon: a session of its own, its parents gone, an environment without the mark.
    let daemon = "(setsid env -i sh -c '(sleep 600 & sleep 600 & sleep 600) & sleep 600' >/dev/null 2>&1 &) ; sleep 0.2; echo begun";
    assert!(check(daemon, "that it left running").await >= 3);
    // It does not heed TERM.
    let deaf = "(setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 600; done' >/dev/null 2>&1 &); sleep 0.2; echo begun";
    assert!(check(deaf, "that it left running").await >= 1);
}

#[tokio::test]
async fn a_command_cannot_outlive_its_limit() {
    let bench = Bench::new(Limits::default());
    for line in ["sleep 600", "trap '' TERM; while :; do sleep 600; done", "setsid -w sleep 600", "(sleep 600 &); sleep 600"] {
        let outcome = bench.run(&format!("{KEEP_MARK}{line}"), 1).await;
        assert!(outcome.is_error && outcome.text.contains("longer than 1 s"), "{line}: {}", outcome.text);
        nothing_left(&bench);
    }
}

#[tokio::test]
async fn a_flood_is_cut_and_counted() {
    let bench = Bench::new(Limits::default());
    let outcome = bench.run(&format!("{KEEP_MARK}yes flood | head -c 50000000"), 60).await;
    assert!(!outcome.is_error && outcome.text.len() < 100_000, "{} bytes", outcome.text.len());
    let structured = outcome.structured.unwrap();
    assert_eq!((&structured["output_bytes"], &structured["cut"]), (&json!(50_000_000), &json!(true)));
    let endless = bench.run(&format!("{KEEP_MARK}yes"), 1).await;
    assert!(endless.is_error && endless.text.len() < 100_000 && endless.text.contains("bytes left out"), "{} bytes", endless.text.len());
    nothing_left(&bench);
}

#[tokio::test]
async fn a_fork_bomb_is_ended() {
    let bench = Bench::new(Limits { processes_max: 40, ..Limits::default() });
    // It multiplies until 150 have been, so that a fault of ours does not take the machine along.
    let bomb = "import os, sys, time
open('mark', 'w').write(os.environ['WAKEFUL_CALL'])
count = os.open('count', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
while os.fstat(count).st_size < 150:
    os.write(count, b'x')
    os.fork()
    os.setsid() if os.getpid() != os.getsid(0) and os.getpid() != os.getpgid(0) else None
time.sleep(600)
";
    std::fs::write(bench.folder.path().join("bomb.py"), bomb).unwrap();
    let outcome = bench.run("exec python3 bomb.py", 60).await;
    assert!(outcome.is_error && outcome.text.contains("more processes than one command may"), "{}", outcome.text);
    assert!(outcome.text.contains("processes_max"), "{}", outcome.text);
    nothing_left(&bench);
}

#[tokio::test]
async fn a_call_that_is_stopped_leaves_nothing() {
    let bench = Bench::new(Limits::default());
    let cancel = CancellationToken::new();
    let line = format!("(setsid sleep 600 &); sleep 600 & trap '' TERM; {KEEP_MARK}while :; do sleep 600; done");
    let run = bench.run_until(&line, 60, cancel.clone());
    let mark = bench.folder.path().join("mark");
    let stop = async {
        while !mark.exists() {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (result, ()) = tokio::join!(run, stop);
    assert_eq!(result.unwrap_err().kind, ErrorKind::Interrupted);
    // The call is over at once; its supervisor asks first, then ends what does not heed it.
    let mark = bench.mark();
    while !marked(&mark).is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn limits_hold_for_files_and_memory() {
    let bench = Bench::new(Limits { file_mib_max: 1, memory_mib_max: 512, ..Limits::default() });
    let outcome = bench.run("head -c 3000000 /dev/zero > large; wc -c < large", 20).await;
    let size: u64 = outcome.text.lines().find_map(|line| line.trim().parse().ok()).unwrap();
    assert!(size <= 1_048_576, "{}", outcome.text);
    let memory = bench.run("python3 -c 'x = bytearray(1 << 30)'", 20).await;
    assert!(memory.is_error && memory.text.contains("MemoryError"), "{}", memory.text);
}

/// A folder that is no temporary one, as the fence sees it.
fn elsewhere() -> TempDir {
    let home = std::env::var("HOME").unwrap();
    tempfile::Builder::new().prefix(".wakeful-test-").tempdir_in(home).unwrap()
}

#[tokio::test]
async fn a_fenced_command_writes_its_folder_and_no_other() {
    if !can_fence() {
        println!("this kernel has no Landlock: only the note is looked for");
        let outcome = Bench::new(Limits::default()).run("true", 20).await;
        assert!(outcome.text.contains("no Landlock"), "{}", outcome.text);
        return;
    }
    let outside = elsewhere();
    let target = outside.path().join("file");
    let line = format!("echo in > inside && cat /etc/passwd > /dev/null && echo out > {}", target.display());
    let bench = Bench::new(Limits::default());
    let outcome = bench.run(&line, 20).await;
    assert!(outcome.is_error && outcome.text.contains("ermission denied"), "{}", outcome.text);
    assert!(outcome.text.contains("`writable` and `sandbox` of [tools.commands]"), "{}", outcome.text);
    assert!(bench.folder.path().join("inside").exists() && !target.exists());
    let strict = Bench::new(Limits { sandbox: Sandbox::Strict, ..Limits::default() });
    std::fs::write(&target, "secret").unwrap();
    let outcome = strict.run(&format!("echo in > inside && ls / > /dev/null; cat {}", target.display()), 20).await;
    assert!(outcome.is_error && !outcome.text.contains("secret"), "{}", outcome.text);
    let connect = "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", 9))'";
    assert!(strict.run(connect, 20).await.text.contains("PermissionError"));
    let off = Bench::new(Limits { sandbox: Sandbox::Off, ..Limits::default() });
    assert!(!off.run(&line, 20).await.is_error && target.exists());
    let named = Bench::new(Limits { writable: vec![outside.path().to_owned()], ..Limits::default() });
    assert!(!named.run(&line, 20).await.is_error);
}

#[tokio::test]
async fn what_developers_do_goes_on_in_the_fence() {
    let outside = elsewhere();
    let git = "git -c user.name=a -c user.email=a@b.c -c commit.gpgsign=false";
    // A linked work tree: its repository is elsewhere.
    let made = std::process::Command::new("sh")
        .current_dir(outside.path())
        .args(["-c", &format!("git init -q main && cd main && {git} commit -q --allow-empty -m one && git worktree add -q ../side")])
        .status()
        .unwrap();
    assert!(made.success());
    let side = outside.path().join("side");
    let tool = tool(&side, Limits::default());
    let run = async |line: &str| {
        let arguments: Value = json!({"command": line, "timeout_seconds": 120});
        let context = CallContext { call_id: CallId::generate(), session: None, cancel: CancellationToken::new() };
        let outcome = tool.call(arguments.as_object().unwrap().clone(), context).await.unwrap();
        assert!(!outcome.is_error, "{line}: {}", outcome.text);
        outcome
    };
    run(&format!("echo x > file && git add file && {git} commit -q -m two && git log --oneline")).await;
    run("mkdir -p src && echo 'fn main() {}' > src/main.rs && printf '[package]\\nname = \"x\"\\nedition = \"2021\"\\n[workspace]\\n' > Cargo.toml && cargo build --offline --quiet && target/debug/x").await;
    run("t=$(mktemp) && echo x > $t && rm $t && echo x > /dev/null").await;
    run("python3 -c 'import tempfile, multiprocessing; tempfile.TemporaryFile(); multiprocessing.Lock()'").await;
}

#[test]
fn a_supervisor_whose_program_is_killed_ends_its_command() {
    let home = crate::support::Home::with("");
    let mark = home.work().join("mark");
    let line = format!("run the command {KEEP_MARK}(setsid sleep 600 &); sleep 600");
    let mut child = home.wakeful(&["exec", "--approvals", "auto", &line]).stdin(std::process::Stdio::null()).spawn().unwrap();
    while !mark.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before its command ran");
        std::thread::yield_now();
    }
    let mark = std::fs::read_to_string(mark).unwrap().trim().to_owned();
    assert!(!marked(&mark).is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    while !marked(&mark).is_empty() {
        std::thread::yield_now();
    }
}
