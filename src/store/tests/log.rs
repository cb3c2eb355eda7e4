//! The log: recording, publishing, following, over one and over several processes' handles.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use proptest::prelude::*;
use tokio::time::timeout;

use super::{clock, file_in, log_at, log_over, on_file};
use crate::bus::{Delivery, EventBus, Recorder};
use crate::domain::event::{Chat, ChatStatus, Event, EventBody, NewEvent};
use crate::domain::ids::{Seq, StreamId};
use crate::domain::message::Role;
use crate::domain::query::{EventFilter, EventReader};
use crate::store::suite::{LIMIT, custom, said, seqs, session};
use crate::store::{EventLog, SqliteStore};

fn system(number: u64) -> NewEvent {
    NewEvent::system(custom("x", number))
}

async fn take(stream: &mut BoxStream<'static, Arc<Event>>, count: usize) -> Vec<Arc<Event>> {
    timeout(LIMIT, stream.take(count).collect::<Vec<_>>()).await.unwrap()
}

#[tokio::test]
async fn what_is_recorded_is_stamped_stored_and_then_published() {
    let log = EventLog::open_in_memory(clock()).unwrap();
    let mut reader = log.subscribe();
    let recorded = log.record(vec![system(1), NewEvent::of(&session("s"), said(Role::User, "hi"))]).await.unwrap();
    assert_eq!(seqs(&recorded), [1, 2]);
    assert!(recorded.iter().all(|event| event.at.to_string() == "2026-01-01T12:00:00.000Z" && event.id.as_str().len() == 36));
    for event in &recorded {
        assert!(matches!(reader.try_recv(), Some(Delivery::Event(seen)) if seen == *event));
    }
    assert_eq!(log.events(EventFilter::default()).await.unwrap(), recorded);
    assert_eq!(log.session_events(session("s")).await.unwrap(), recorded[1..]);
    assert_eq!(log.sessions(Some("hi".into()), 5).await.unwrap().len(), 1);
    assert_eq!(log.head().await.unwrap(), Seq(2));
}

#[tokio::test]
async fn what_is_emitted_is_seen_and_never_stored() {
    let log = EventLog::open_in_memory(clock()).unwrap();
    let mut reader = log.subscribe();
    log.emit(NewEvent::of(&session("s"), Chat::new(Role::Assistant, ChatStatus::Delta).with_text("a")));
    assert!(matches!(reader.try_recv(), Some(Delivery::Event(event)) if event.seq.is_none()));
    assert!(log.events(EventFilter::default()).await.unwrap().is_empty());
}

#[tokio::test]
async fn recording_at_a_version_fails_when_somebody_was_faster() {
    let log = EventLog::open_in_memory(clock()).unwrap();
    log.record_at(vec![system(1)], StreamId::system(), 0).await.unwrap();
    assert_eq!(log.version(StreamId::system()).await.unwrap(), 1);
    assert!(log.record_at(vec![system(2)], StreamId::system(), 0).await.unwrap_err().is_conflict());
}

#[tokio::test]
async fn following_replays_then_goes_live() {
    let log = EventLog::open_in_memory(clock()).unwrap();
    log.record((1..=1_500).map(system).collect()).await.unwrap();
    let mut stream = log.follow(EventFilter::default(), Seq(100));
    log.record(vec![system(1_501)]).await.unwrap();
    log.emit(system(0));
    assert_eq!(seqs(&take(&mut stream, 1_401).await), (101..=1_501).collect::<Vec<_>>());
    log.record(vec![system(1_502), system(1_503)]).await.unwrap();
    assert_eq!(seqs(&take(&mut stream, 2).await), [1_502, 1_503]);
    log.shutdown().await;
    assert!(take(&mut stream, 1).await.is_empty(), "the stream ends with the log");
}

#[tokio::test]
async fn followers_get_what_they_filter_for() {
    let log = EventLog::open_in_memory(clock()).unwrap();
    let filter = EventFilter { types: vec!["chat".into()], session: Some(session("a")), upto: Some(Seq(9)), ..EventFilter::default() };
    let mut stream = log.follow_all(filter, Seq(0));
    let chat = |name: &str| NewEvent::of(&session(name), said(Role::User, "hi"));
    log.record(vec![chat("a"), chat("b"), system(3), chat("a")]).await.unwrap();
    assert_eq!(seqs(&take(&mut stream, 2).await), [1, 4]);
    log.emit(chat("b"));
    log.emit(chat("a"));
    assert_eq!(take(&mut stream, 1).await[0].seq, None);
    log.record(vec![chat("b"), chat("a"), system(7), chat("b"), system(9), chat("a")]).await.unwrap();
    assert_eq!(seqs(&take(&mut stream, 99).await), [6], "the stream ends at its last position");
}

#[tokio::test]
async fn a_follower_that_lags_behind_the_bus_reads_the_log() {
    let store = Arc::new(SqliteStore::open_in_memory().unwrap());
    let log = EventLog::new(store, EventBus::new(4), clock());
    let mut stream = log.follow(EventFilter::default(), Seq(0));
    log.record(vec![system(1)]).await.unwrap();
    assert_eq!(seqs(&take(&mut stream, 1).await), [1]);
    for number in 2..=100 {
        log.record(vec![system(number)]).await.unwrap();
    }
    assert_eq!(seqs(&take(&mut stream, 99).await), (2..=100).collect::<Vec<_>>());
}

#[tokio::test]
async fn what_the_bus_lost_comes_before_what_it_still_has() {
    let store = Arc::new(SqliteStore::open_in_memory().unwrap());
    let log = EventLog::new(store, EventBus::new(4), clock());
    let mut stream = log.follow_all(EventFilter::default(), Seq(0));
    log.record(vec![system(1)]).await.unwrap();
    (0..10).for_each(|number| log.emit(system(number)));
    let seen: Vec<_> = take(&mut stream, 5).await.iter().map(|event| event.seq).collect();
    assert_eq!(seen, [Some(Seq(1)), None, None, None, None]);
}

#[tokio::test]
async fn followers_see_what_other_handles_on_the_file_append() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (log_at(&file_in(&folder)), log_at(&file_in(&folder)));
    assert_eq!(ours.epoch(), theirs.epoch());
    let mut stream = ours.follow(EventFilter::default(), Seq(0));
    theirs.record(vec![system(1)]).await.unwrap();
    assert_eq!(seqs(&take(&mut stream, 1).await), [1]);
    theirs.record(vec![system(2)]).await.unwrap();
    ours.record(vec![system(3)]).await.unwrap();
    theirs.record(vec![system(4)]).await.unwrap();
    assert_eq!(seqs(&take(&mut stream, 3).await), [2, 3, 4]);
}

#[tokio::test]
async fn a_log_that_cannot_be_read_ends_the_stream_with_an_error_event() {
    let (store, _folder) = on_file();
    let log = log_over(&store);
    store.sql("INSERT INTO events VALUES (1, 'e', 'system', 1, 'x', 0, NULL, 1, '{\"cut')").await.unwrap();
    tokio::time::pause();
    let mut stream = log.follow(EventFilter::default(), Seq(0));
    let last: Vec<_> = stream.by_ref().collect().await;
    assert!(matches!(&last[..], [event] if event.seq.is_none()
        && matches!(&event.body, EventBody::Error(error) if error.source == "store" && error.message.contains("event 1"))));
}

#[derive(Debug, Clone)]
struct Task {
    /// Which handle it writes through.
    handle: usize,
    /// The sessions (or `system`, 0) of the events of each of its batches.
    batches: Vec<Vec<u8>>,
}

fn task() -> impl Strategy<Value = Task> {
    let batches = prop::collection::vec(prop::collection::vec(0..4_u8, 1..6), 1..6);
    (0..2_usize, batches).prop_map(|(handle, batches)| Task { handle, batches })
}

/// Runs `tasks` at once over the two handles; gives back the positions that each batch was answered with.
async fn run_all(handles: &[EventLog; 2], tasks: Vec<Task>) -> Vec<Vec<u64>> {
    let running = tasks.into_iter().map(|task| {
        let log = handles[task.handle].clone();
        tokio::spawn(async move {
            let mut answered = Vec::new();
            for batch in task.batches {
                let events = batch.iter().map(|of| match of {
                    0 => system(0),
                    name => NewEvent::of(&session(&name.to_string()), custom("x", 0)),
                });
                answered.push(seqs(&log.record(events.collect()).await.unwrap()));
            }
            answered
        })
    });
    futures::future::join_all(running).await.into_iter().flat_map(Result::unwrap).collect()
}

fn check_order(path: &std::path::Path, handles: &[EventLog; 2], tasks: Vec<Task>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut readers = handles.each_ref().map(EventLog::subscribe);
        let followers = handles.each_ref().map(|log| log.follow(EventFilter::default(), Seq(0)));
        let mut answered = run_all(handles, tasks).await;
        let total = answered.iter().map(Vec::len).sum::<usize>();
        let everything: Vec<u64> = (1..=total as u64).collect();

        assert!(answered.iter().all(|batch| batch.windows(2).all(|pair| pair[1] == pair[0] + 1)), "a batch was torn apart");
        answered.sort();
        assert_eq!(answered.concat(), everything);
        for mut follower in followers {
            assert_eq!(seqs(&take(&mut follower, total).await), everything);
        }
        let mut published = Vec::new();
        for reader in &mut readers {
            let mut own = Vec::new();
            while let Some(Delivery::Event(event)) = reader.try_recv() {
                own.push(event.seq.unwrap().0);
            }
            assert!(own.is_sorted(), "published out of order: {own:?}");
            published.extend(own);
        }
        published.sort_unstable();
        assert_eq!(published, everything);
        for log in handles {
            log.shutdown().await;
        }
    });
    let raw = rusqlite::Connection::open(path).unwrap();
    let torn: u64 = raw
        .query_row(
            "SELECT count(*) FROM (SELECT version, row_number() OVER (PARTITION BY stream ORDER BY seq) AS expected FROM events)
             WHERE version <> expected",
            [],
            |row| row.get::<_, i64>(0),
        )
        .unwrap()
        .unsigned_abs();
    assert_eq!(torn, 0, "versions have gaps");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    /// Whoever appends what through which of two handles on one file: positions and versions have no gaps, batches stay
    /// whole, each bus is in the order of the log, each follower sees everything once.
    #[test]
    fn the_order_holds_whatever_is_appended(tasks in prop::collection::vec(task(), 1..8)) {
        let folder = tempfile::tempdir().unwrap();
        let path = file_in(&folder);
        check_order(&path, &[log_at(&path), log_at(&path)], tasks);
    }
}
