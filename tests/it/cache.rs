//! The cache under `kill -9` and under several processes at once, and its commands.
//!
//! The child processes are this test binary itself, started with one ignored test and told by the environment what
//! to do; without that environment the test does nothing.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wakeful::domain::clock::SystemClock;
use wakeful::store::cache::{Cache, Kind, Layer, Lifetime, Options};

use crate::support::Home;

/// Tells the child which file to write to.
const CHILD_FILE: &str = "WAKEFUL_CACHE_CRASH_FILE";
/// Tells the child how many entries to write; without end where absent.
const CHILD_ENTRIES: &str = "WAKEFUL_CACHE_CRASH_ENTRIES";
/// How often a child is killed; 10 where absent.
const ROUNDS: &str = "WAKEFUL_CRASH_ROUNDS";
/// Repeats a run.
const SEED: &str = "WAKEFUL_CRASH_SEED";

/// Keys that are written over and over.
const KEYS: u64 = 400;

fn open(path: &Path) -> Cache {
    let options = Options { memory_bytes_max: 0, disk_bytes_max: 3 << 20, ..Options::default() };
    Cache::new(options, Some(path.to_owned()), Arc::new(SystemClock))
}

/// A value that tells its key and is the same all through, so that one that is torn or misplaced is seen.
fn value(key: u64, round: u64) -> Bytes {
    let length = 20 + usize::try_from(round % 9_000).unwrap();
    let head = format!("{key}:{round}:");
    let mut value = head.clone().into_bytes();
    value.resize(head.len() + length, b'a' + u8::try_from((key + round) % 26).unwrap());
    value.into()
}

fn is_whole(key: u64, found: &[u8]) -> bool {
    let text = String::from_utf8_lossy(found);
    let mut parts = text.splitn(3, ':');
    let (Some(of), Some(round)) = (parts.next(), parts.next()) else { return false };
    of == key.to_string() && round.parse().is_ok_and(|round| found == value(key, round))
}

#[test]
#[ignore = "is started by the other tests as a process to be killed"]
fn child() {
    let Some(path) = std::env::var_os(CHILD_FILE) else { return };
    let entries: u64 = std::env::var(CHILD_ENTRIES).ok().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let cache = open(Path::new(&path));
        for number in 0..entries {
            let (key, round) = (fastrand::u64(..KEYS), fastrand::u64(..));
            match fastrand::u8(..100) {
                0 => cache.remove(Kind::Page, &key.to_string()).await,
                1 => drop(cache.sweep().await),
                2 if number > 2_000 => drop(cache.clear(Some(Kind::Search)).await),
                _ => cache.put(Kind::Page, &key.to_string(), value(key, round), Some(Lifetime::fresh(Duration::from_hours(1)))).await,
            }
            if number == 100 {
                cache.flush().await;
                println!("\nready");
            }
        }
        cache.flush().await;
    });
}

fn start(path: &Path, entries: Option<u64>) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "cache::child", "--ignored", "--nocapture"]).env(CHILD_FILE, path);
    if let Some(entries) = entries {
        command.env(CHILD_ENTRIES, entries.to_string());
    }
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until the child has written something.
fn until_ready(child: &mut Child) {
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.ends_with("ready\n") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the child ended early");
    }
    // What it says later must not end it.
    std::thread::spawn(move || std::io::copy(&mut lines.take(u64::MAX), &mut std::io::sink()));
}

/// Reads all keys; says how many were there and how many were wrong.
async fn read_all(path: &Path) -> (u64, u64) {
    let cache = open(path);
    let (mut there, mut wrong) = (0, 0);
    for key in 0..KEYS {
        if let Some(hit) = cache.get(Kind::Page, &key.to_string()).await {
            assert_eq!(hit.layer, Layer::Disk);
            there += 1;
            wrong += u64::from(!is_whole(key, &hit.value));
        }
    }
    let stats = cache.stats().await;
    let disk = stats.layers.iter().find(|layer| layer.layer == Layer::Disk).unwrap();
    assert_eq!((disk.problem.as_ref(), disk.entries), (None, there), "the count of entries is the number of entries");
    (there, wrong)
}

#[tokio::test]
async fn no_entry_is_wrong_after_kill_9_at_any_instant() {
    let rounds: u64 = std::env::var(ROUNDS).ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let seed = std::env::var(SEED).ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.db");
    let mut seen = 0;
    for round in 1..=rounds {
        // In each second round two of them write, and one is killed before the other.
        let mut children: Vec<Child> = (0..=round % 2).map(|_| start(&path, None)).collect();
        children.iter_mut().for_each(until_ready);
        for child in &mut children {
            std::thread::sleep(Duration::from_micros(random.u64(..150_000)));
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let (there, wrong) = read_all(&path).await;
        assert_eq!(wrong, 0, "round {round}, {SEED}={seed}: {wrong} of {there} entries are wrong");
        seen += there;
    }
    assert!(!folder.path().join("cache.db.damaged").exists(), "{SEED}={seed}: a killed process damaged the file");
    assert!(seen > 0);
    println!("{rounds} rounds, {SEED}={seed}: {seen} entries read, 0 wrong, no file damaged");
}

#[tokio::test]
async fn several_processes_share_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.db");
    let mut children: Vec<Child> = (0..3).map(|_| start(&path, Some(3_000))).collect();
    children.iter_mut().for_each(until_ready);
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
        let (_, wrong) = read_while_others_write(&path).await;
        assert_eq!(wrong, 0);
    }
    assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
    let (there, wrong) = read_all(&path).await;
    assert!(there > 0 && wrong == 0, "{there} entries, {wrong} wrong");
}

async fn read_while_others_write(path: &Path) -> (u64, u64) {
    let cache = open(path);
    let (mut there, mut wrong) = (0, 0);
    for key in 0..KEYS {
        if let Some(hit) = cache.get(Kind::Page, &key.to_string()).await {
            there += 1;
            wrong += u64::from(!is_whole(key, &hit.value));
        }
    }
    (there, wrong)
}

#[tokio::test]
async fn the_commands_tell_and_clear() {
    let home = Home::with("");
    let run = |args: &[&str]| {
        let ran = home.run(args);
        (ran.code, format!("{}{}", ran.out, ran.err))
    };
    let (code, text) = run(&["cache", "stats"]);
    assert!(code == 0 && text.contains("(0 entries"), "{text}");
    let path = home.root().join("cache/cache.db");
    assert!(!path.exists(), "asking makes no file");
    let cache = open(&path);
    cache.put(Kind::Page, "a", Bytes::from_static(b"12345"), None).await;
    cache.put(Kind::Search, "b", Bytes::from_static(b"1234"), None).await;
    cache.flush().await;
    let (_, text) = run(&["cache", "stats", "--json"]);
    let stats: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&stats["layers"][0]["layer"], &stats["layers"][0]["entries"]), (&"disk".into(), &2.into()), "{text}");
    let (_, text) = run(&["cache", "clear", "--kind", "page"]);
    assert_eq!(text, "cleared: 1 entries of the kind page, 5 B\n");
    let (_, text) = run(&["cache", "clear", "--json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap()["entries"], 1);
    let (code, text) = run(&["cache", "clear", "--kind", "pictures"]);
    assert!(code == 2 && text.contains("nothing of the kind `pictures` is kept; there are page, search"), "{text}");
    let (_, text) = run(&["doctor", "--json"]);
    assert!(text.contains("\"cache\""), "{text}");
}
