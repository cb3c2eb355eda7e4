//! What the cache costs: a hit in memory and on disk, a put, a million entries, many who ask for the same.
//!
//! `cargo bench --bench cache [-- NAME…]` prints one line a figure: what, how much, the budget. Each group has a process
//! of its own. It never fails on time: machines differ.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    unreachable_pub,
    reason = "a harness for people"
)]

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wakeful::domain::clock::SystemClock;
use wakeful::store::cache::{Cache, Fetched, Kind, Layer, Lifetime, Options};

/// Bytes of a value: 1 kB.
const VALUE_BYTES: usize = 1_024;
/// Entries of the smaller groups.
const FEW: usize = 1_000;
/// Entries of the large ones; `WAKEFUL_BENCH_ENTRIES` sets another number.
const MANY: usize = 1_000_000;
/// Entries that are looked up in a large file.
const LOOKS: usize = 50_000;
/// Long enough to be fresh all the time.
const DAY: Lifetime = Lifetime::fresh(Duration::from_hours(24));

fn main() {
    let all: &[(&str, fn())] = &[
        ("memory", memory),
        ("disk", disk),
        ("put", put),
        ("million", million),
        ("million-memory", million_in_memory),
        ("flight", flight),
    ];
    if let Ok(role) = std::env::var("WAKEFUL_BENCH_ROLE") {
        let (_, run) = all.iter().find(|(name, _)| *name == role).expect("a group");
        return run();
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    println!("the cache on {} cores", std::thread::available_parallelism().map_or(1, usize::from));
    for (name, _) in all {
        if wanted.is_empty() || wanted.iter().any(|want| want == name) {
            let status = Command::new(std::env::current_exe().unwrap()).env("WAKEFUL_BENCH_ROLE", name).status().unwrap();
            assert!(status.success(), "{name}: {status}");
        }
    }
}

fn row(what: &str, figure: &str, budget: &str) {
    println!("{what:<58} {figure:>22}   budget {budget}");
}

/// A file below the build folder: the folder for temporary files may be in memory.
fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn cache(memory_bytes_max: u64, file: Option<&Path>) -> Cache {
    let options = Options { memory_bytes_max, disk_bytes_max: 8 << 30, ..Options::default() };
    Cache::new(options, file.map(PathBuf::from), Arc::new(SystemClock))
}

fn key(number: usize) -> String {
    format!("https://example.org/articles/2026/{number:08}?lang=en")
}

fn value(number: usize) -> Bytes {
    let mut value = vec![b'x'; VALUE_BYTES];
    value.splice(..8, number.to_be_bytes());
    value.into()
}

async fn fill(cache: &Cache, entries: usize) {
    for number in 0..entries {
        cache.put(Kind::Page, &key(number), value(number), Some(DAY)).await;
    }
    cache.flush().await;
}

/// The median and the 99th percentile of what was measured.
fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len() - 1)).copied().unwrap_or_default();
    format!("{:.1} µs, p99 {:.1} µs", at(50).as_secs_f64() * 1e6, at(99).as_secs_f64() * 1e6)
}

/// Looks up `count` of `entries` at random, each timed by itself.
async fn look(cache: &Cache, entries: usize, count: usize, layer: Layer) -> Vec<Duration> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let number = random.usize(..entries);
        let key = key(number);
        let start = Instant::now();
        let hit = cache.get(Kind::Page, &key).await;
        times.push(start.elapsed());
        let hit = hit.expect("it was put");
        assert_eq!((hit.layer, &hit.value[..8]), (layer, &number.to_be_bytes()[..]));
    }
    times
}

fn memory() {
    runtime().block_on(async {
        let cache = cache(64 << 20, None);
        fill(&cache, FEW).await;
        let keys: Vec<String> = (0..FEW).map(key).collect();
        let rounds = 2_000;
        let start = Instant::now();
        for _ in 0..rounds {
            for key in &keys {
                assert!(std::hint::black_box(cache.get(Kind::Page, key).await).is_some());
            }
        }
        let nanos = start.elapsed().as_secs_f64() * 1e9 / (rounds * FEW) as f64;
        row("a hit in memory, 1 kB", &format!("{nanos:.0} ns"), "1,000 ns");
        let start = Instant::now();
        for _ in 0..rounds {
            for key in &keys {
                let fetch = || async { Err::<Fetched, ()>(()) };
                assert!(std::hint::black_box(cache.get_or_fetch(Kind::Page, key, fetch).await).is_ok());
            }
        }
        let nanos = start.elapsed().as_secs_f64() * 1e9 / (rounds * FEW) as f64;
        row("a hit in memory through `get_or_fetch`, 1 kB", &format!("{nanos:.0} ns"), "1,000 ns");
    });
}

fn disk() {
    let folder = folder();
    let path = folder.path().join("cache.db");
    let runtime = runtime();
    let fetches = runtime.block_on(async {
        let cache = cache(0, Some(&path));
        fill(&cache, FEW * 10).await;
        look(&cache, FEW * 10, LOOKS, Layer::Disk).await;
        let times = look(&cache, FEW * 10, LOOKS, Layer::Disk).await;
        row("a hit on disk, 1 kB, one after the other", &spread(times), "20 µs");
        let before = cpu();
        look(&cache, FEW * 10, LOOKS, Layer::Disk).await;
        let micros = cpu().saturating_sub(before).as_secs_f64() * 1e6 / LOOKS as f64;
        row("  processor time of all threads for it", &format!("{micros:.1} µs"), "20 µs");
        let start = Instant::now();
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let cache = cache.clone();
                tokio::spawn(async move { look(&cache, FEW * 10, LOOKS / 64, Layer::Disk).await.len() })
            })
            .collect();
        let mut looked = 0;
        for task in tasks {
            looked += task.await.unwrap();
        }
        let micros = start.elapsed().as_secs_f64() * 1e6 / looked as f64;
        row("a hit on disk, 1 kB, 64 at a time", &format!("{micros:.1} µs"), "20 µs");
        cache
    });
    drop(fetches);
}

/// Processor time that the process took so far, which does not depend on what else the machine does. In steps of 10 ms.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    // Fields 14 and 15 of proc(5), in ticks of 1/100 s.
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn put() {
    let folder = folder();
    runtime().block_on(async {
        let cache = cache(64 << 20, Some(&folder.path().join("cache.db")));
        let entries = FEW * 20;
        let mut times = Vec::with_capacity(entries);
        let (start, before) = (Instant::now(), cpu());
        for number in 0..entries {
            let (key, value) = (key(number), value(number));
            let begin = Instant::now();
            cache.put(Kind::Page, &key, value, Some(DAY)).await;
            times.push(begin.elapsed());
        }
        row("a put as its caller sees it, 1 kB", &spread(times), "20 µs");
        cache.flush().await;
        let micros = start.elapsed().as_secs_f64() * 1e6 / entries as f64;
        row("a put until it is in the file, 1 kB, in groups", &format!("{micros:.1} µs"), "100 µs");
        let micros = cpu().saturating_sub(before).as_secs_f64() * 1e6 / entries as f64;
        row("  processor time of all threads for it", &format!("{micros:.1} µs"), "100 µs");
    });
}

fn entries() -> usize {
    std::env::var("WAKEFUL_BENCH_ENTRIES").ok().and_then(|text| text.parse().ok()).unwrap_or(MANY)
}

/// What the process takes of the memory now, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) * 1_024
}

fn million() {
    let (folder, entries) = (folder(), entries());
    let path = folder.path().join("cache.db");
    runtime().block_on(async {
        let before = resident();
        let cache = cache(16 << 20, Some(&path));
        let start = Instant::now();
        fill(&cache, entries).await;
        let rate = entries as f64 / start.elapsed().as_secs_f64();
        row(&format!("{entries} entries of 1 kB: put"), &format!("{rate:.0} a second"), "10,000 a second");
        let file = std::fs::metadata(&path).unwrap().len();
        let each = file as f64 / entries as f64;
        row(&format!("{entries} entries: the file"), &format!("{} MB, {each:.0} B each", file >> 20), "1,800 B each");
        let taken = resident().saturating_sub(before);
        row(&format!("{entries} entries on disk: memory"), &format!("{} MB", taken >> 20), "96 MB");
    });
    runtime().block_on(async {
        let cache = cache(0, Some(&path));
        let times = look(&cache, entries, LOOKS, Layer::Disk).await;
        row(&format!("a hit among {entries} entries on disk"), &spread(times), "50 µs");
        let start = Instant::now();
        let mut missed = 0;
        for number in entries..entries + LOOKS {
            missed += usize::from(cache.get(Kind::Page, &key(number)).await.is_none());
        }
        assert_eq!(missed, LOOKS);
        let micros = start.elapsed().as_secs_f64() * 1e6 / LOOKS as f64;
        row(&format!("a miss among {entries} entries on disk"), &format!("{micros:.1} µs"), "50 µs");
        let start = Instant::now();
        let stats = cache.stats().await;
        assert_eq!(stats.kinds[0].entries, entries as u64);
        row(&format!("the stats of {entries} entries"), &format!("{:.2} ms", start.elapsed().as_secs_f64() * 1e3), "10 ms");
        let start = Instant::now();
        assert_eq!(cache.clear(None).await.unwrap().entries, entries as u64);
        row(&format!("clearing {entries} entries"), &format!("{:.2} s", start.elapsed().as_secs_f64()), "10 s");
        let left = std::fs::metadata(&path).unwrap().len();
        row("the file after that", &format!("{} kB", left >> 10), "1,024 kB");
    });
}

fn million_in_memory() {
    let entries = entries();
    runtime().block_on(async {
        let before = resident();
        let cache = cache(4 << 30, None);
        for number in 0..entries {
            cache.put(Kind::Page, &key(number), Bytes::copy_from_slice(&number.to_be_bytes()), Some(DAY)).await;
        }
        let taken = resident().saturating_sub(before) as f64 / entries as f64;
        let counted = cache.stats().await.layers[0].bytes as f64 / entries as f64;
        row(
            &format!("{entries} entries of 8 B in memory: each takes"),
            &format!("{taken:.0} B"),
            &format!("{counted:.0} B (what is counted)"),
        );
        let times = look(&cache, entries, LOOKS, Layer::Memory).await;
        row(&format!("a hit among {entries} entries in memory"), &spread(times), "2 µs");
    });
}

fn flight() {
    runtime().block_on(async {
        let folder = folder();
        let cache = cache(16 << 20, Some(&folder.path().join("cache.db")));
        let fetches = Arc::new(AtomicUsize::new(0));
        let (gate, open) = tokio::sync::watch::channel(false);
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let (cache, fetches, mut open) = (cache.clone(), Arc::clone(&fetches), open.clone());
                tokio::spawn(async move {
                    let fetch = move || async move {
                        fetches.fetch_add(1, Ordering::SeqCst);
                        open.wait_for(|open| *open).await.unwrap();
                        Ok::<_, Infallible>(Fetched { value: value(1), lifetime: Some(DAY) })
                    };
                    cache.get_or_fetch(Kind::Page, "one", fetch).await.unwrap().value.len()
                })
            })
            .collect();
        gate.send(true).unwrap();
        for task in tasks {
            assert_eq!(task.await.unwrap(), VALUE_BYTES);
        }
        row("fetches for 64 who ask for the same at once", &fetches.load(Ordering::SeqCst).to_string(), "1");
    });
}
