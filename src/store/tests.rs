//! The embedded store on real files, and the log above it.

mod file;
mod log;
mod samples;
mod tasks;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use crate::domain::clock::{Instant, ManualClock};
use crate::store::suite::store_suite;
use crate::store::suite::tasks::task_suite;
use crate::store::{EventLog, Options, SqliteStore};

store_suite!(in_memory, {
    let store: std::sync::Arc<dyn crate::store::EventStore> = std::sync::Arc::new(crate::store::SqliteStore::open_in_memory().unwrap());
    (store, ())
});

store_suite!(on_file, {
    let (store, folder) = super::on_file();
    let store: std::sync::Arc<dyn crate::store::EventStore> = std::sync::Arc::new(store);
    (store, folder)
});

task_suite!(tasks_in_memory, {
    let store: crate::store::suite::tasks::Store = std::sync::Arc::new(crate::store::SqliteStore::open_in_memory().unwrap());
    (store, ())
});

task_suite!(tasks_on_file, {
    let (store, folder) = super::on_file();
    let store: crate::store::suite::tasks::Store = std::sync::Arc::new(store);
    (store, folder)
});

/// Looks for others' events often, so that tests do not wait.
fn options() -> Options {
    Options { follow_poll_ms: 2, ..Options::default() }
}

fn on_file() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&file_in(&folder), &options()).unwrap();
    (store, folder)
}

fn file_in(folder: &TempDir) -> PathBuf {
    folder.path().join("data").join("events.db")
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::starting_at(Instant::from_millis(1_767_268_800_000)))
}

fn log_at(path: &Path) -> EventLog {
    EventLog::open(path, &options(), clock()).unwrap()
}

fn log_over(store: &SqliteStore) -> EventLog {
    let store = Arc::new(store.clone());
    EventLog::new(store, crate::bus::EventBus::new(1_024), clock())
}
