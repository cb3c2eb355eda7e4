//! Tasks in the embedded store: files of older versions, indexes, copies, what a rebuild brings back.

use super::{file_in, on_file, options};
use crate::domain::event::NewEvent;
use crate::domain::query::{EventFilter, InboxFilter};
use crate::store::suite::tasks::{at, claim, complete, created, make, monitor};
use crate::store::suite::{batch, custom, session};
use crate::store::tasks::{TaskFilter, TaskStore};
use crate::store::{EventStore, SqliteStore};

/// What migration 2 made, and nothing else.
const BACK_TO_FORMAT_1: &str = "DROP TABLE tasks; DROP TABLE inbox; DROP TABLE task_work; DROP TABLE firings; DROP TABLE outbox;
    DROP TABLE blobs; DROP TABLE leases; PRAGMA user_version = 1";

#[tokio::test]
async fn a_file_of_format_1_is_brought_up_to_date() {
    let (store, folder) = on_file();
    let written = store.append(batch((0..3).map(|number| NewEvent::of(&session("s"), custom("x", number))))).await.unwrap();
    store.sql(BACK_TO_FORMAT_1).await.unwrap();
    store.shutdown().await;
    let store: std::sync::Arc<dyn TaskStore> = std::sync::Arc::new(SqliteStore::open(&file_in(&folder), &options()).unwrap());
    assert_eq!(store.events(EventFilter::default()).await.unwrap(), written);
    assert_eq!(store.sessions(None, 9).await.unwrap().len(), 1);
    make(&store, "a", 0).await;
    assert_eq!(store.claim_tasks(claim("one", 0)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn claims_and_the_next_wake_go_by_an_index() {
    let (store, folder) = on_file();
    store.append(batch([created(monitor("a"))])).await.unwrap();
    let raw = rusqlite::Connection::open(file_in(&folder)).unwrap();
    let plan = |sql: &str| {
        let mut statement = raw.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>().join("\n")
    };
    let due = plan(
        "SELECT * FROM task_work w CROSS JOIN tasks t ON t.id = w.task_id WHERE w.wake_ms IS NOT NULL AND w.wake_ms <= 5
        AND (w.lease_ms IS NULL OR w.lease_ms <= 5) AND t.status = 'active' ORDER BY w.wake_ms LIMIT 500",
    );
    assert!(due.contains("task_work_due") && !due.contains("TEMP B-TREE") && !due.contains("SCAN t"), "{due}");
    for (table, index) in [("firings", "firings_urgent"), ("outbox", "outbox_urgent")] {
        let claim = plan(&format!("SELECT * FROM {table} WHERE free_ms IS NOT NULL AND free_ms <= 5 ORDER BY priority DESC, n LIMIT 9"));
        assert!(claim.contains("firings_") || claim.contains("outbox_"), "{claim}, not by {index}");
        let next = plan(&format!("SELECT min(free_ms) FROM {table} WHERE free_ms IS NOT NULL"));
        assert!(next.contains("_next"), "{next}");
    }
}

#[tokio::test]
async fn a_rebuild_repairs_what_was_spoilt() {
    let (store, _folder) = on_file();
    let store = std::sync::Arc::new(store);
    let tasks: std::sync::Arc<dyn TaskStore> = std::sync::Arc::clone(&store) as _;
    for name in ["a", "b", "c"] {
        make(&tasks, name, 0).await;
    }
    let work = tasks.claim_tasks(claim("one", 0)).await.unwrap().remove(0).work;
    complete(&tasks, &work, 60_000).await.unwrap();
    let (digest, before) = (store.projections_digest().await.unwrap(), store.dump("task_work").await.unwrap());
    store
        .sql("UPDATE tasks SET status = 'paused', tokens = 9; DELETE FROM tasks WHERE id = 'a'; UPDATE task_work SET wake_ms = NULL")
        .await
        .unwrap();
    assert_ne!(store.projections_digest().await.unwrap(), digest);
    store.rebuild().await.unwrap();
    assert_eq!(store.projections_digest().await.unwrap(), digest);
    assert_eq!(store.dump("task_work").await.unwrap(), before, "working rows stay, but for what follows from projections");
}

#[tokio::test]
async fn a_copy_is_a_store_of_its_own() {
    let (store, folder) = on_file();
    let store = std::sync::Arc::new(store);
    let tasks: std::sync::Arc<dyn TaskStore> = std::sync::Arc::clone(&store) as _;
    make(&tasks, "a", 0).await;
    let copy = folder.path().join("copy.db");
    store.backup(copy.clone()).await.unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    }
    make(&tasks, "b", 0).await;
    let other = SqliteStore::open(&copy, &options()).unwrap();
    assert_eq!(other.epoch(), store.epoch());
    assert_eq!(other.tasks(TaskFilter::default()).await.unwrap().len(), 1);
    assert_eq!(other.claim_tasks(claim("one", 0)).await.unwrap().len(), 1);
    assert!(other.inbox(InboxFilter::default(), at(0)).await.unwrap().is_empty());

    let error = store.backup(copy.clone()).await.unwrap_err().report();
    assert!(error.contains("copy.db` exists already"), "{error}");
    assert_eq!(other.tasks(TaskFilter::default()).await.unwrap().len(), 1, "and is left alone");
    let error = store.backup(folder.path().join("none").join("copy.db")).await.unwrap_err().report();
    assert!(error.contains("check that its folder exists"), "{error}");
    let memory = SqliteStore::open_in_memory().unwrap();
    memory.append(batch([created(monitor("a"))])).await.unwrap();
    memory.backup(folder.path().join("memory.db")).await.unwrap();
    let other = SqliteStore::open(&folder.path().join("memory.db"), &options()).unwrap();
    assert_eq!(other.tasks(TaskFilter::default()).await.unwrap().len(), 1);
}
