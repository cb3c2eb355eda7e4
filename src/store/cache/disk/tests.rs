//! The file: what survives, what is damaged, who else writes to it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::Connection;

use crate::domain::clock::{Instant, ManualClock};
use crate::store::cache::{Cache, Freshness, Kind, Layer, Lifetime, Options};

fn clock() -> ManualClock {
    ManualClock::starting_at(Instant::from_millis(1_700_000_000_000))
}

/// A cache that answers from the file only.
fn disk_only(path: &Path, clock: &ManualClock) -> Cache {
    Cache::new(Options { memory_bytes_max: 0, ..Options::default() }, Some(path.to_owned()), Arc::new(clock.clone()))
}

async fn put(cache: &Cache, key: &str, value: &str) {
    let times = Lifetime { fresh: Duration::from_secs(10), stale: Duration::from_secs(10) };
    cache.put(Kind::Page, key, Bytes::copy_from_slice(value.as_bytes()), Some(times)).await;
}

async fn get(cache: &Cache, key: &str) -> Option<String> {
    let hit = cache.get(Kind::Page, key).await?;
    assert_eq!(hit.layer, Layer::Disk);
    Some(String::from_utf8(hit.value.to_vec()).unwrap())
}

/// A file with one entry `a` in it, closed.
async fn filled(path: &Path, clock: &ManualClock) {
    let cache = disk_only(path, clock);
    put(&cache, "a", "1").await;
    cache.flush().await;
}

#[tokio::test]
async fn an_entry_survives_its_process_and_keeps_its_age() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("cache/cache.db"), clock());
    filled(&path, &clock).await;
    clock.advance(Duration::from_secs(12));
    let hit = disk_only(&path, &clock).get(Kind::Page, "a").await.unwrap();
    assert_eq!((hit.freshness, hit.age, hit.layer), (Freshness::Stale, Duration::from_secs(12), Layer::Disk));
    clock.advance(Duration::from_secs(8));
    assert_eq!(get(&disk_only(&path, &clock), "a").await, None);
}

#[tokio::test]
async fn nothing_is_opened_before_the_first_entry() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache/cache.db");
    let cache = disk_only(&path, &clock());
    assert_eq!(get(&cache, "a").await, None);
    cache.remove(Kind::Page, "a").await;
    assert_eq!(cache.stats().await.layers[1].entries, 0);
    assert_eq!(cache.clear(None).await.unwrap().entries, 0);
    cache.flush().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn what_waits_for_the_writer_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let cache = disk_only(&folder.path().join("cache.db"), &clock());
    for round in 0..200 {
        put(&cache, "a", &round.to_string()).await;
        assert_eq!(get(&cache, "a").await, Some(round.to_string()));
    }
    cache.remove(Kind::Page, "a").await;
    assert_eq!(get(&cache, "a").await, None);
    cache.flush().await;
    assert_eq!(get(&cache, "a").await, None);
}

#[tokio::test]
async fn keys_are_not_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache.db");
    let cache = disk_only(&path, &clock());
    put(&cache, "https://example.org/?token=s3cret", "public").await;
    cache.flush().await;
    drop(cache);
    let mut looked_at = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        // The database is closed on a thread of its own, which then takes its journal away.
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            read => read.unwrap(),
        };
        assert!(!bytes.windows(6).any(|part| part == b"s3cret"), "{}", path.display());
        looked_at += 1;
    }
    assert!(looked_at > 0);
}

#[tokio::test]
async fn a_value_that_was_changed_on_disk_is_a_miss() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("cache.db"), clock());
    let check = async |sql: &str| {
        filled(&path, &clock).await;
        Connection::open(&path).unwrap().execute(sql, []).unwrap();
        let cache = disk_only(&path, &clock);
        assert_eq!(get(&cache, "a").await, None, "{sql}");
        cache.flush().await;
        assert_eq!(cache.stats().await.layers[1].entries, 0, "{sql}");
    };
    check("UPDATE entries SET value = x'32'").await;
    check("UPDATE entries SET stale_ms = 1000000").await;
    check("UPDATE entries SET stored_ms = stored_ms + 1").await;
    check("UPDATE entries SET kind = 'search'").await;
    check("UPDATE entries SET checksum = x''").await;
}

#[tokio::test]
async fn an_entry_under_another_key_is_a_miss() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("cache.db"), clock());
    let cache = disk_only(&path, &clock);
    put(&cache, "a", "of a").await;
    put(&cache, "b", "of b").await;
    cache.flush().await;
    drop(cache);
    let swap = "UPDATE entries SET value = CASE value WHEN x'6f662061' THEN x'6f662062' ELSE x'6f662061' END";
    Connection::open(&path).unwrap().execute(swap, []).unwrap();
    let cache = disk_only(&path, &clock);
    assert_eq!((get(&cache, "a").await, get(&cache, "b").await), (None, None));
}

/// What is wrong with the file is a miss; the cache works again with a new one, and the old one is kept beside it.
async fn check_damaged(damage: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("cache.db"), clock());
    let cache = disk_only(&path, &clock);
    for number in 0..200 {
        put(&cache, &number.to_string(), &"x".repeat(1_000)).await;
    }
    cache.flush().await;
    cache.clear(Some(Kind::Search)).await.unwrap();
    drop(cache);
    damage(&path);
    let cache = disk_only(&path, &clock);
    for number in 0..200 {
        let found = get(&cache, &number.to_string()).await;
        assert!(found.is_none_or(|found| found == "x".repeat(1_000)));
    }
    for number in 0..200 {
        put(&cache, &number.to_string(), "new").await;
    }
    cache.flush().await;
    for number in 0..200 {
        assert_eq!(get(&cache, &number.to_string()).await.as_deref(), Some("new"));
    }
    assert!(folder.path().join("cache.db.damaged").exists());
    assert_eq!(cache.stats().await.layers[1].problem, None);
}

#[tokio::test]
async fn a_file_of_garbage_is_put_aside() {
    check_damaged(|path| std::fs::write(path, "garbage ".repeat(1_000)).unwrap()).await;
}

#[tokio::test]
async fn a_truncated_file_is_put_aside() {
    check_damaged(|path| {
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2 / 4_096 * 4_096 + 100).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_with_overwritten_pages_is_put_aside() {
    check_damaged(|path| {
        let mut bytes = std::fs::read(path).unwrap();
        let length = bytes.len();
        bytes[8_192..length].fill(0x5a);
        std::fs::write(path, bytes).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("cache.db"), clock());
    filled(&path, &clock).await;
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    let cache = disk_only(&path, &clock);
    assert_eq!(get(&cache, "a").await, None);
    put(&cache, "b", "2").await;
    cache.flush().await;
    let problem = cache.stats().await.layers[1].problem.clone().unwrap();
    assert!(problem.contains("newer version (format 2, this one knows 1)"), "{problem}");
    assert!(cache.clear(None).await.unwrap_err().to_string().contains("newer version"));
    let file = Connection::open(&path).unwrap();
    let format: u32 = file.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    let entries: u32 = file.query_row("SELECT count(*) FROM entries", [], |row| row.get(0)).unwrap();
    assert_eq!((format, entries), (2, 1));
}

#[tokio::test]
async fn a_file_that_is_deleted_or_put_aside_while_it_is_open_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("cache.db"), clock());
    let cache = disk_only(&path, &clock);
    put(&cache, "a", "1").await;
    cache.flush().await;
    for ending in ["", "-wal", "-shm"] {
        let _none = std::fs::remove_file(folder.path().join(format!("cache.db{ending}")));
    }
    put(&cache, "b", "2").await;
    cache.flush().await;
    assert!(path.exists());
    assert_eq!((get(&cache, "a").await, get(&cache, "b").await), (None, Some("2".to_owned())));
}

#[tokio::test]
async fn two_caches_on_one_file_see_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("cache.db"), clock());
    let (one, other) = (disk_only(&path, &clock), disk_only(&path, &clock));
    put(&one, "a", "1").await;
    one.flush().await;
    assert_eq!(get(&other, "a").await.as_deref(), Some("1"));
    put(&other, "a", "2").await;
    other.flush().await;
    assert_eq!(get(&one, "a").await.as_deref(), Some("2"));
    assert_eq!(one.clear(None).await.unwrap().entries, 1);
    assert_eq!(get(&other, "a").await, None);
}

#[tokio::test]
async fn the_file_stays_within_its_bytes_and_keeps_what_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("cache.db"), clock());
    let bytes_max = 2 << 20;
    let options = Options { memory_bytes_max: 0, disk_bytes_max: bytes_max, ..Options::default() };
    let cache = Cache::new(options, Some(path.clone()), Arc::new(clock.clone()));
    let value = Bytes::from(vec![7; 4_000]);
    for number in 0..2_000 {
        cache.put(Kind::Page, &number.to_string(), value.clone(), Some(Lifetime::fresh(Duration::from_hours(1_000)))).await;
        clock.advance(Duration::from_mins(6));
        if number % 20 == 0 {
            cache.flush().await;
            // Its use is written down with the next entries.
            assert!(cache.get(Kind::Page, "0").await.is_some(), "after {number}");
            assert!(cache.stats().await.layers[1].bytes <= bytes_max + (256 << 10));
        }
    }
    cache.flush().await;
    cache.put(Kind::Page, "last", value, None).await;
    cache.flush().await;
    let stats = cache.stats().await;
    assert!(stats.layers[1].bytes <= bytes_max, "{}", stats.layers[1].bytes);
    assert!(stats.layers[1].entries > 200, "{}", stats.layers[1].entries);
    assert!(std::fs::metadata(&path).unwrap().len() <= bytes_max + (512 << 10));
    assert!(cache.get(Kind::Page, "1").await.is_none());
}

#[tokio::test]
async fn what_is_over_is_swept_and_clearing_gives_the_room_back() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("cache.db"), clock());
    let cache = disk_only(&path, &clock);
    for number in 0..600 {
        let seconds = if number % 2 == 0 { 10 } else { 1_000 };
        let value = Bytes::from(vec![7; 4_000]);
        cache.put(Kind::Page, &number.to_string(), value, Some(Lifetime::fresh(Duration::from_secs(seconds)))).await;
    }
    cache.put(Kind::Search, "kept", Bytes::from_static(b"1"), None).await;
    clock.advance(Duration::from_secs(11));
    assert_eq!(cache.sweep().await, 300);
    let cleared = cache.clear(Some(Kind::Page)).await.unwrap();
    assert_eq!((cleared.entries, cleared.bytes), (300, 300 * 4_000));
    let left = std::fs::metadata(&path).unwrap().len();
    assert!(left < 100_000, "{left} bytes are left of 2.4 MB");
    assert_eq!(cache.stats().await.layers[1].entries, 1);
    assert_eq!(cache.clear(None).await.unwrap().entries, 1);
    assert!(cache.get(Kind::Search, "kept").await.is_none());
}

#[tokio::test]
async fn counts_of_all_runs_are_added_up() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("cache.db"), clock());
    for round in 1..=3_u64 {
        let cache = disk_only(&path, &clock);
        put(&cache, "a", "1").await;
        cache.flush().await;
        assert!(get(&cache, "a").await.is_some());
        assert!(get(&cache, "b").await.is_none());
        let counts = cache.stats().await.kinds[0].counts;
        assert_eq!((counts.disk_hits, counts.misses), (round, round));
        assert_eq!(cache.stats().await.kinds[0].counts, counts, "asked again it is the same");
    }
}
