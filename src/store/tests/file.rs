//! Files: permissions, recognition, migrations, failures of the disk, old shapes, group commit.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use futures::future::join_all;
use serde_json::json;

use super::{file_in, log_over, on_file, options};
use crate::bus::{Delivery, Recorder};
use crate::domain::event::{EventBody, NewEvent};
use crate::domain::ids::Seq;
use crate::domain::message::Role;
use crate::domain::query::EventFilter;
use crate::store::suite::{batch, custom, said, seqs, session};
use crate::store::upcast::{Upcaster, Upcasters};
use crate::store::{Error, EventStore, Options, SqliteStore};

fn one(number: u64) -> crate::store::Batch {
    batch([NewEvent::system(custom("x", number))])
}

#[cfg(unix)]
#[tokio::test]
async fn files_and_folder_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;

    let (store, folder) = on_file();
    store.append(one(1)).await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let file = file_in(&folder);
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    for name in ["events.db", "events.db-wal", "events.db-shm"] {
        assert_eq!(mode(&file.with_file_name(name)), 0o600, "{name}");
    }
    store.shutdown().await;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let _again = SqliteStore::open(&file, &options()).unwrap();
    assert_eq!(mode(&file), 0o600);
}

#[tokio::test]
async fn a_log_is_the_same_when_it_is_opened_again() {
    let (store, folder) = on_file();
    let written = store.append(batch((0..5).map(|number| NewEvent::of(&session("s"), custom("x", number))))).await.unwrap();
    let epoch = store.epoch().to_owned();
    store.shutdown().await;
    assert!(!file_in(&folder).with_file_name("events.db-wal").exists(), "a clean end folds the write-ahead log in");
    let again = SqliteStore::open(&file_in(&folder), &options()).unwrap();
    assert_eq!(again.epoch(), epoch);
    assert_eq!(again.events(EventFilter::default()).await.unwrap(), written);
    assert_eq!(seqs(&again.append(one(6)).await.unwrap()), [6]);
}

#[test]
fn many_who_make_the_same_file_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_in(&folder);
    let open = || {
        let path = path.clone();
        std::thread::spawn(move || SqliteStore::open(&path, &options()).unwrap().epoch().to_owned())
    };
    let threads: Vec<_> = (0..8).map(|_| open()).collect();
    let mut epochs: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    epochs.dedup();
    assert_eq!(epochs.len(), 1);
}

#[tokio::test]
async fn events_cannot_be_changed_or_deleted() {
    let (store, folder) = on_file();
    store.append(one(1)).await.unwrap();
    let other = rusqlite::Connection::open(file_in(&folder)).unwrap();
    let insert = |seq: u64, version: u64| format!("REPLACE INTO events VALUES ({seq}, 'e', 'system', {version}, 'x', 0, NULL, 1, '0')");
    let refusals = [
        ("UPDATE events SET body = '{}'".to_owned(), "an event cannot be changed"),
        ("DELETE FROM events".to_owned(), "an event cannot be deleted"),
        (insert(1, 2), "an event takes the next position and the next version"),
        (insert(2, 1), "an event takes the next position and the next version"),
        (insert(3, 2), "an event takes the next position and the next version"),
        (insert(2, 3), "an event takes the next position and the next version"),
    ];
    for (sql, reason) in refusals {
        let refusal = other.execute(&sql, []).unwrap_err().to_string();
        assert_eq!(refusal, format!("the event log only grows: {reason}"), "{sql}");
    }
    other.execute(&insert(2, 2), []).unwrap();
}

#[test]
fn files_of_others_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    let check = |expected: &str| {
        let before = std::fs::read(&path).unwrap();
        let error = SqliteStore::open(&path, &options()).err().unwrap().report();
        assert!(error.contains(expected) && error.contains("notes.txt"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        std::fs::remove_file(&path).unwrap();
    };
    std::fs::write(&path, "a shopping list, long enough to be looked at as a header".repeat(40)).unwrap();
    check("is not an event log of wakeful: move it away");
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE recipes (name)").unwrap();
    check("is not an event log of wakeful");
    drop(SqliteStore::open(&path, &options()).unwrap());
    rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    check("has format 99, this version reads up to 2: update wakeful");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data"), "a file in the way").unwrap();
    let error = SqliteStore::open(&file_in(&folder), &options()).err().unwrap().report();
    assert!(error.contains("could not open the event log") && error.contains("data/events.db"), "{error}");
}

#[tokio::test]
async fn a_damaged_file_is_named_with_a_way_out() {
    let (store, folder) = on_file();
    store.append(batch((0..500).map(|number| NewEvent::system(custom("x", number))))).await.unwrap();
    store.shutdown().await;
    let path = file_in(&folder);
    let mut bytes = std::fs::read(&path).unwrap();
    // The pages behind the one that says what tables there are.
    bytes[4_096..].iter_mut().for_each(|byte| *byte = 0xa5);
    std::fs::write(&path, bytes).unwrap();
    let error = match SqliteStore::open(&path, &options()) {
        Err(error) => error,
        Ok(store) => store.events(EventFilter::default()).await.unwrap_err(),
    };
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains("events.db") && error.to_string().contains(".recover"), "{error}");
}

#[tokio::test]
async fn a_full_disk_is_an_error_and_nothing_is_shown() {
    let (store, _folder) = on_file();
    let log = log_over(&store);
    log.record(vec![NewEvent::system(custom("x", 1))]).await.unwrap();
    let mut reader = log.subscribe();
    store.sql("PRAGMA max_page_count = 1").await.unwrap();
    let big = || NewEvent::system(said(Role::Assistant, &"long ".repeat(20_000)));
    let error = log.record(vec![big(), big()]).await.unwrap_err().reason;
    assert!(error.contains("no room left to write the event log") && error.contains("events.db"), "{error}");
    assert!(reader.try_recv().is_none());
    assert_eq!(store.head().await.unwrap(), Seq(1));
    store.sql("PRAGMA max_page_count = 1000000").await.unwrap();
    assert_eq!(seqs(&log.record(vec![big()]).await.unwrap()), [2]);
    assert!(matches!(reader.try_recv(), Some(Delivery::Event(event)) if event.seq == Some(Seq(2))));
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_an_error_and_nothing_is_shown() {
    let (store, _folder) = on_file();
    let log = log_over(&store);
    let mut reader = log.subscribe();
    store.sql("PRAGMA query_only = 1").await.unwrap();
    let error = log.record(vec![NewEvent::system(custom("x", 1))]).await.unwrap_err().reason;
    assert!(error.contains("cannot be written: check the permissions"), "{error}");
    assert!(reader.try_recv().is_none());
    assert_eq!(store.head().await.unwrap(), Seq(0));
}

#[tokio::test]
async fn a_lock_that_somebody_holds_too_long_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&file_in(&folder), &Options { busy_timeout_ms: 10, ..options() }).unwrap();
    let other = rusqlite::Connection::open(file_in(&folder)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let outcomes = join_all((0..3).map(|number| store.append(one(number)))).await;
    for error in outcomes.into_iter().map(Result::unwrap_err) {
        assert!(matches!(error, Error::Busy { .. }) && error.is_transient(), "{error:?}");
    }
    assert_eq!(store.head().await.unwrap(), Seq(0), "readers do not wait for writers");
    other.execute_batch("ROLLBACK").unwrap();
    store.append(one(4)).await.unwrap();
}

/// Keeps the writer busy until the sender is used.
fn occupy(store: &SqliteStore) -> std::sync::mpsc::Sender<()> {
    let (release, wait) = std::sync::mpsc::channel();
    let mut held = store.hold(wait);
    assert!(held.as_mut().now_or_never().is_none());
    tokio::spawn(held);
    release
}

#[tokio::test]
async fn appends_that_wait_share_one_commit_in_the_order_of_their_calls() {
    let (store, _folder) = on_file();
    let commits = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&commits);
    store.on_commit(Arc::new(move |events| sink.lock().unwrap().push(seqs(events))));
    let release = occupy(&store);
    let mut waiting = Box::pin(join_all((0..50).map(|number| store.append(batch([NewEvent::system(custom("x", number))])))));
    assert!(waiting.as_mut().now_or_never().is_none());
    release.send(()).unwrap();
    let answers = waiting.await;
    let expected: Vec<u64> = (1..=50).collect();
    assert_eq!(answers.iter().flat_map(|answer| seqs(answer.as_ref().unwrap())).collect::<Vec<_>>(), expected);
    assert_eq!(*commits.lock().unwrap(), [expected]);
}

#[tokio::test]
async fn a_batch_that_cannot_be_written_does_not_take_its_group_with_it() {
    let (store, _folder) = on_file();
    let refuse = "CREATE TEMP TRIGGER bad BEFORE INSERT ON main.events WHEN new.type = 'bad' BEGIN SELECT RAISE(ABORT, 'bad'); END";
    store.sql(refuse).await.unwrap();
    let release = occupy(&store);
    let types = ["x", "bad", "x"];
    let mut waiting =
        Box::pin(join_all(types.map(|name| store.append(batch([NewEvent::system(custom("x", 0)), NewEvent::system(custom(name, 1))])))));
    assert!(waiting.as_mut().now_or_never().is_none());
    release.send(()).unwrap();
    let answers = waiting.await;
    assert_eq!(seqs(answers[0].as_ref().unwrap()), [1, 2]);
    assert!(matches!(answers[1], Err(Error::Failed { .. })));
    assert_eq!(seqs(answers[2].as_ref().unwrap()), [3, 4]);
}

#[tokio::test]
async fn a_shutdown_writes_what_waits() {
    let (store, _folder) = on_file();
    let release = occupy(&store);
    let mut waiting = Box::pin(join_all((0..10).map(|number| store.append(one(number)))));
    assert!(waiting.as_mut().now_or_never().is_none());
    let mut end = store.shutdown();
    assert!((&mut end).now_or_never().is_none());
    release.send(()).unwrap();
    assert!(waiting.await.into_iter().all(|answer| answer.is_ok()));
    end.await;
}

#[tokio::test]
async fn the_list_of_sessions_rebuilt_has_the_same_bytes() {
    let (store, _folder) = on_file();
    for number in 0..40_u64 {
        let id = session(&format!("s{}", number % 5));
        store
            .append(batch([NewEvent::of(&id, said(Role::User, &format!("message {number}"))), NewEvent::of(&id, custom("x", 1))]))
            .await
            .unwrap();
    }
    let before = store.dump("sessions").await.unwrap();
    assert_eq!(before.len(), 5);
    store.sql("UPDATE sessions SET title = 'wrong', prompts = 99; DELETE FROM sessions WHERE id = 's1'").await.unwrap();
    store.rebuild().await.unwrap();
    assert_eq!(store.dump("sessions").await.unwrap(), before);
}

/// A shape of `chat` that never was: its text was called `content`, and before that it stood alone.
const INVENTED: Upcasters = Upcasters(&[
    Upcaster { type_name: "chat", from: 0, lift: |data| json!({"role": "user", "content": data}) },
    Upcaster {
        type_name: "chat",
        from: 1,
        lift: |mut data| {
            let content = data["content"].take();
            json!({"role": data["role"], "status": "done", "text": content})
        },
    },
]);

const OLD_ROWS: &str = r#"INSERT INTO events (seq, id, stream, version, type, at_ms, session, schema, body) VALUES
    (1, 'e1', 'session-s', 1, 'chat', 5, 's', 0, '"oldest"'),
    (2, 'e2', 'session-s', 2, 'chat', 6, 's', 1, '{"role":"assistant","content":"older"}'),
    (3, 'e3', 'session-s', 3, 'chat', 7, 's', 9, '{"from":"a later version"}'),
    (4, 'e4', 'session-s', 4, 'x', 8, 's', 1, '[1]')"#;

#[tokio::test]
async fn old_shapes_are_brought_up_to_date_by_every_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open_with(&file_in(&folder), &options(), INVENTED).unwrap();
    store.sql(OLD_ROWS).await.unwrap();
    store.append(batch([NewEvent::of(&session("s"), said(Role::User, "new"))])).await.unwrap();
    let bodies: Vec<EventBody> = vec![
        said(Role::User, "oldest").into(),
        said(Role::Assistant, "older").into(),
        EventBody::Custom(crate::domain::event::Custom { type_name: "chat".into(), data: json!({"from": "a later version"}) }),
        EventBody::Custom(crate::domain::event::Custom { type_name: "x".into(), data: json!([1]) }),
        said(Role::User, "new").into(),
    ];
    for read in [store.events(EventFilter::default()).await, store.session_events(session("s")).await] {
        assert_eq!(read.unwrap().iter().map(|event| event.body.clone()).collect::<Vec<_>>(), bodies);
    }
    store.rebuild().await.unwrap();
    let list = store.sessions(None, 10).await.unwrap();
    assert_eq!((list[0].title.as_str(), list[0].prompts), ("oldest", 2));
    let schemas = rusqlite::Connection::open(file_in(&folder)).unwrap();
    let written: u32 = schemas.query_row("SELECT schema FROM events WHERE seq = 5", [], |row| row.get(0)).unwrap();
    assert_eq!(written, 2);
}

#[tokio::test]
async fn an_event_that_is_no_json_is_named() {
    let (store, _folder) = on_file();
    store.append(one(1)).await.unwrap();
    store.sql("INSERT INTO events VALUES (2, 'e', 'system', 2, 'x', 0, NULL, 1, '{\"cut')").await.unwrap();
    let error = store.events(EventFilter::default()).await.unwrap_err();
    assert!(matches!(error, Error::Unreadable { seq: Seq(2), .. }), "{error:?}");
    assert_eq!(store.events(EventFilter { upto: Some(Seq(1)), ..EventFilter::default() }).await.unwrap().len(), 1);
}

#[test]
fn options_name_their_keys() {
    assert_eq!(toml::from_str::<Options>("").unwrap(), Options::default());
    assert!(toml::from_str::<Options>("qeue = 3").is_err());
    let set: Options = toml::from_str("path = '/x/y.db'\nbusy_timeout_ms = 7").unwrap();
    assert_eq!(set.path_in("/data".as_ref()), std::path::PathBuf::from("/x/y.db"));
    assert_eq!(Options::default().path_in("/data".as_ref()), std::path::PathBuf::from("/data/events.db"));
}
