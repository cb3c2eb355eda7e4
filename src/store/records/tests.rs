//! One suite over both stores, and what only the file has.

use super::*;
use crate::domain::ids::{InteractionId, RecordId};
use serde_json::json;

fn record(id: &str, action: Action, payload: Value) -> Record {
    let record = InteractionRecord {
        record_id: RecordId::new(id),
        action,
        interaction_id: InteractionId::new(format!("int_{}", id.split('-').next().unwrap())),
        mcp_id: "me".to_owned(),
        timestamp: Instant::from_millis(1_500),
        payload: payload.as_object().unwrap().clone(),
    };
    Record::new(&record, None)
}

fn start(id: &str) -> Record {
    record(id, Action::Start, json!({}))
}

fn at(ms: i64) -> Instant {
    Instant::from_millis(ms)
}

fn ids(page: &RecordPage) -> Vec<&str> {
    page.records.iter().map(|record| record.record["record_id"].as_str().unwrap()).collect()
}

async fn suite(store: &RecordStore) {
    // Once, however often it arrives, in one put or in several.
    assert_eq!(store.put(vec![start("1-a"), start("2-a"), start("1-a")], at(10)).await.unwrap(), 2);
    assert_eq!(store.put(vec![start("2-a"), start("1-b")], at(20)).await.unwrap(), 1);
    assert_eq!(store.count().await.unwrap(), 3);
    let puts = (0..50).map(|number| store.put(vec![start(&format!("9-{}", number / 2))], at(30)));
    let new: usize = futures::future::join_all(puts).await.into_iter().map(Result::unwrap).sum();
    assert_eq!((new, store.count().await.unwrap()), (25, 28));

    // Pages: the latest first, or in the order of arrival, each record on one page only.
    let query = RecordQuery { interaction_id: Some("int_1".to_owned()), oldest_first: true, ..RecordQuery::default() };
    assert_eq!(ids(&store.page(query).await.unwrap()), ["1-a", "1-b"]);
    let mut seen = Vec::new();
    let mut query = RecordQuery { limit: 10, ..RecordQuery::default() };
    loop {
        let page = store.page(query.clone()).await.unwrap();
        seen.extend(page.records.iter().map(|record| record.seq));
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => break,
        }
    }
    assert!(seen.len() == 28 && seen.windows(2).all(|pair| pair[0] > pair[1]), "{seen:?}");
    let none = RecordQuery { mcp_id: Some("somebody".to_owned()), ..RecordQuery::default() };
    assert!(store.page(none).await.unwrap().records.is_empty());
    let since = RecordQuery { since: Some(at(1_501)), ..RecordQuery::default() };
    assert!(store.page(since).await.unwrap().records.is_empty());
    let status = RecordQuery { action: Some(Action::Error), ..RecordQuery::default() };
    assert!(store.page(status).await.unwrap().records.is_empty());

    // Statistics: what an end says counts, and strange values count for nothing.
    let ends = (1..=100).map(|number| {
        let payload = json!({"processing_time": f64::from(number) / 10.0, "adapter_used": "fast", "success": number > 10});
        record(&format!("e-{number}"), Action::Complete, payload)
    });
    let mut ends: Vec<Record> = ends.collect();
    ends.push(record("e-x", Action::Error, json!({"processing_time": "long", "adapter_used": 7})));
    store.put(ends, at(40)).await.unwrap();
    let window = Window { since: at(1_000), until: at(2_000), mcp_id: None };
    let statistics = store.statistics(window.clone()).await.unwrap();
    let total = &statistics.total;
    assert_eq!((total.records, total.started, total.completed, total.failed), (129, 28, 90, 11));
    assert!((total.error_share.unwrap() - 11.0 / 101.0).abs() < 1e-9);
    assert!((total.records_per_second - 129.0).abs() < 1e-9);
    for (found, wanted) in [(total.p50_seconds, 5.0), (total.p95_seconds, 9.5), (total.p99_seconds, 9.9)] {
        assert!((found.unwrap() / wanted - 1.0).abs() < 0.011, "{found:?} for {wanted}");
    }
    let groups = |groups: &[crate::domain::reports::Group]| {
        groups.iter().map(|group| (group.name.clone(), group.figures.records)).collect::<Vec<_>>()
    };
    assert_eq!(groups(&statistics.by_mcp), [("me".to_owned(), 129)]);
    assert_eq!(groups(&statistics.by_adapter), [("fast".to_owned(), 100)]);
    let nothing = store.statistics(Window { mcp_id: Some("you".to_owned()), ..window }).await.unwrap().total;
    assert_eq!((nothing.records, nothing.error_share, nothing.p50_seconds), (0, None, None));

    // What came before goes, the first that came first.
    assert_eq!(store.purge(at(20), 1).await.unwrap(), 1);
    assert_eq!(store.purge(at(20), 100).await.unwrap(), 1);
    assert_eq!(store.purge(at(20), 100).await.unwrap(), 0);
    assert_eq!(store.count().await.unwrap(), 127);

    // Keys.
    let key = |hash: &str, mcp_id: &str| StoredKey {
        info: KeyInfo { prefix: format!("wk_{hash}"), mcp_id: mcp_id.to_owned(), created_at: at(7), revoked_at: None },
        hash: hash.to_owned(),
    };
    for (hash, mcp_id) in [("a", "one"), ("b", "one"), ("c", "two")] {
        store.add_key(key(hash, mcp_id)).await.unwrap();
    }
    assert_eq!(store.revoke_keys("wk_c".to_owned(), at(8)).await.unwrap(), 1);
    assert_eq!(store.revoke_keys("wk_c".to_owned(), at(9)).await.unwrap(), 0);
    assert_eq!(store.revoke_keys("one".to_owned(), at(9)).await.unwrap(), 2);
    let revoked: Vec<_> = store.keys().await.unwrap().into_iter().map(|key| (key.hash, key.info.revoked_at)).collect();
    assert_eq!(revoked, [("a".to_owned(), Some(at(9))), ("b".to_owned(), Some(at(9))), ("c".to_owned(), Some(at(8)))]);
}

#[tokio::test]
async fn records_are_kept_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep").join("records.db");
    suite(&RecordStore::open(&path).unwrap()).await;
    assert_eq!(RecordStore::open(&path).unwrap().count().await.unwrap(), 127);
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn records_are_kept_in_postgresql() {
    let server = crate::store::postgres::tests::server::Server::start();
    let url = StoreUrl::new(server.url("reports", ""));
    suite(&RecordStore::connect(&url).await.unwrap()).await;
    assert_eq!(RecordStore::connect(&url).await.unwrap().count().await.unwrap(), 127);
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn postgresql_that_went_away_comes_back_by_itself() {
    let mut server = crate::store::postgres::tests::server::Server::start();
    let store = RecordStore::connect(&StoreUrl::new(server.url("reports", ""))).await.unwrap();
    store.put(vec![start("1-a")], at(1)).await.unwrap();
    server.kill();
    let error = store.put(vec![start("1-b")], at(2)).await.unwrap_err();
    assert!(error.is_transient(), "{}", error.report());
    assert!(!error.report().contains("s3cret"), "{}", error.report());
    server.start_again();
    assert_eq!(store.put(vec![start("1-a"), start("1-b")], at(3)).await.unwrap(), 1);
}

#[tokio::test]
async fn the_first_format_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE interaction_records (record_id TEXT PRIMARY KEY NOT NULL, mcp_id TEXT NOT NULL, interaction_id TEXT NOT NULL,
                action TEXT NOT NULL, timestamp REAL NOT NULL, received_ms INTEGER NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;
             CREATE INDEX interaction_records_by_mcp ON interaction_records (mcp_id, timestamp);
             CREATE INDEX interaction_records_by_interaction ON interaction_records (interaction_id, timestamp);
             INSERT INTO interaction_records VALUES ('z', 'me', 'int_1', 'interaction_start', 1.5, 5, '{\"record_id\": \"z\"}');
             INSERT INTO interaction_records VALUES ('a', 'me', 'int_1', 'interaction_complete', 1.5, 6,
                '{\"record_id\": \"a\", \"result_data\": {\"success\": false, \"processing_time\": 2, \"adapter_used\": \"x\"}}');
             PRAGMA user_version = 1;",
        )
        .unwrap();
    drop(connection);
    let store = RecordStore::open(&path).unwrap();
    assert_eq!(store.put(vec![start("z"), start("b")], at(7)).await.unwrap(), 1);
    let page = store.page(RecordQuery { oldest_first: true, ..RecordQuery::default() }).await.unwrap();
    assert_eq!(ids(&page), ["z", "a", "b"]);
    let window = Window { since: at(0), until: at(9_000), mcp_id: None };
    let statistics = store.statistics(window).await.unwrap();
    assert_eq!((statistics.total.failed, statistics.by_adapter[0].name.as_str()), (1, "x"));
    drop(store);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 3).unwrap();
    let error = RecordStore::open(&path).unwrap_err().report();
    assert!(error.contains("newer version"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_is_its_owner_s_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.db");
    let _store = RecordStore::open(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
