//! What tools did to files can be taken back: by the program's own command, and after it was killed at any instant.
//!
//! `WAKEFUL_CRASH_ROUNDS` sets the number of kills, `WAKEFUL_CRASH_SEED` repeats a run.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use wakeful::domain::clock::{Clock, SystemClock};
use wakeful::domain::ids::{CallId, SessionId};
use wakeful::tools::local::{Host, Journal, Options, catalog};
use wakeful::tools::{CallContext, Tool};

use crate::support::Home;

/// Kills where the environment says nothing.
const ROUNDS: u64 = 30;

/// The variable by which this binary knows that it is the child that writes.
const WRITER: &str = "WAKEFUL_TEST_WRITER";

fn options(root: &Path) -> Options {
    let host = Host { supervisor: None, journal: Some(root.join("undo")) };
    Options { folder: root.join("work"), host, ..Options::default() }
}

fn journal(root: &Path) -> Journal {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    options(root).journal(&clock).unwrap()
}

/// The content of a file in its `n`th version: long enough that a torn one would show.
fn version(n: usize) -> String {
    format!("version {n}\n").repeat(2_000)
}

/// Not a test by itself: the child that is killed. It writes one version after the other.
#[test]
fn the_child_that_writes() {
    let Some(root) = std::env::var_os(WRITER) else { return };
    let tools = catalog(options(Path::new(&root)), Arc::new(SystemClock));
    let find = |name: &str| tools.iter().flat_map(|(_, tools)| tools).find(|tool| tool.info().tool == name).cloned().unwrap();
    let (write, edit) = (find("write_file"), find("edit_file"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let call = |tool: &Arc<dyn Tool>, arguments: Value| {
        let session = Some(SessionId::from("s".to_owned()));
        let context = CallContext { call_id: CallId::generate(), session, cancel: CancellationToken::new() };
        let outcome = runtime.block_on(tool.call(arguments.as_object().unwrap().clone(), context)).unwrap();
        assert!(!outcome.is_error, "{}", outcome.text);
    };
    println!("begun");
    for n in (1..).step_by(2) {
        call(&write, json!({"path": "file.txt", "content": version(n)}));
        let (old_text, new_text) = (format!("version {n}\n"), format!("version {}\n", n + 1));
        call(&edit, json!({"path": "file.txt", "old_text": old_text, "new_text": new_text, "replace_all": true}));
    }
}

#[test]
fn killed_at_any_instant_the_very_bytes_come_back() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let rounds = number("WAKEFUL_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let seed = number("WAKEFUL_CRASH_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("crash rounds {rounds}, WAKEFUL_CRASH_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut restored, mut nothing, mut before) = (0, 0, 0);
    for round in 0..rounds {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("work")).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "undo::the_child_that_writes", "--nocapture"])
            .env(WRITER, root.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let entries = root.path().join("undo/entries");
        while std::fs::read_dir(&entries).map_or(0, Iterator::count) == 0 {
            assert!(child.try_wait().unwrap().is_none(), "the child ended by itself");
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_micros(random.u64(..60_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let file = root.path().join("work/file.txt");
        let left = std::fs::read_to_string(&file).ok();
        let whole = |text: &str| text.lines().next().and_then(|line| line.strip_prefix("version ")?.parse::<usize>().ok());
        let now = left.as_deref().map(|text| {
            let n = whole(text).unwrap();
            assert_eq!(text, version(n), "round {round}: a torn file");
            n
        });
        let journal = journal(root.path());
        let session = SessionId::from("s".to_owned());
        let Some(last) = journal.entries().unwrap().last().cloned() else {
            // Killed before the first entry was whole: nothing may have been written.
            assert_eq!(left, None, "round {round}: a file without an entry");
            nothing += 1;
            continue;
        };
        // The very last change: taken back, or it never happened.
        let plan = journal.undo(Some(&session), &last.id, false, "u").unwrap();
        let then = std::fs::read_to_string(&file).ok();
        if plan.is_done {
            nothing += 1;
            assert_eq!(then, left, "round {round}: said to be unchanged");
        } else {
            restored += 1;
            let earlier = now.filter(|n| *n > 1).map(|n| version(n - 1));
            assert_eq!(then, earlier, "round {round}: not the very bytes");
        }
        before += usize::from(then.is_none());
        let stray = std::fs::read_dir(root.path().join("work")).unwrap().count();
        assert!(stray <= 2, "round {round}: {stray} files lie in the folder");
    }
    println!("{restored} taken back, {nothing} never happened, {before} files were new");
    assert_eq!(restored + nothing, rounds);
}

#[test]
fn the_command_lists_and_takes_back() {
    let home = Home::with("");
    let file = home.work().join("a.txt");
    std::fs::write(&file, "one\n").unwrap();
    let said = home.run(&["exec", "--approvals", "auto", "replace one with two in a.txt"]);
    assert_eq!((said.code, std::fs::read_to_string(&file).unwrap().as_str()), (0, "two\n"), "{said:?}");
    let list = home.run(&["undo", "list", "--json"]);
    let rows: Value = serde_json::from_str(&list.out).unwrap();
    assert_eq!((rows.as_array().unwrap().len(), &rows[0]["tool"], &rows[0]["state"]), (1, &json!("edit_file"), &json!("stands")));
    let unasked = home.run(&["undo"]);
    assert!(unasked.code != 0 && unasked.err.contains("-two\n+one") && unasked.err.contains("--yes"), "{unasked:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "two\n", "nobody agreed");
    let undone = home.run(&["undo", "--yes", "--session", "last"]);
    assert!(undone.code == 0 && undone.out.starts_with("put back: "), "{undone:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "one\n");
    let again = home.run(&["undo", "1", "--yes"]);
    assert!(again.code == 0 && std::fs::read_to_string(&file).unwrap() == "two\n", "{again:?}");
    std::fs::write(&file, "mine\n").unwrap();
    let refused = home.run(&["undo", "1", "--yes"]);
    assert!(refused.code != 0 && refused.err.contains("has changed since"), "{refused:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine\n");
}
