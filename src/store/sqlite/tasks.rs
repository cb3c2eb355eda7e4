//! Tasks, queues, blobs and leases in the embedded store.

use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt;

use crate::domain::clock::Instant;
use crate::domain::event::Event;
use crate::domain::firing::Firing;
use crate::domain::ids::{FiringId, InboxId, NoticeId, StreamId, TaskId};
use crate::domain::notice::{Delivery, InboxRow, Notice};
use crate::domain::query::{AmbientStatus, InboxFilter};
use crate::domain::task::TaskRow;
use crate::store::sqlite::SqliteStore;
use crate::store::tasks::{Blob, Claim, Claimed, ClaimedFiring, ClaimedNotice, Fence, Lead, TaskFilter, TaskStore};
use crate::store::{Error, StoreFuture};

fn unsupported<T: Send + 'static>(what: &'static str) -> StoreFuture<T> {
    std::future::ready(Err(Error::Unsupported { what, instead: "not in this store yet".to_owned() })).boxed()
}

impl TaskStore for SqliteStore {
    fn claim_tasks(&self, _claim: Claim) -> StoreFuture<Vec<Claimed>> {
        unsupported("claim_tasks")
    }

    fn renew_tasks(&self, _claim: Claim, _held: Vec<(TaskId, u64)>) -> StoreFuture<Vec<TaskId>> {
        unsupported("renew_tasks")
    }

    fn claim_firings(&self, _claim: Claim) -> StoreFuture<Vec<ClaimedFiring>> {
        unsupported("claim_firings")
    }

    fn claim_notices(&self, _claim: Claim) -> StoreFuture<Vec<ClaimedNotice>> {
        unsupported("claim_notices")
    }

    fn renew(&self, _claim: Claim, _held: Fence) -> StoreFuture<bool> {
        unsupported("renew")
    }

    fn next_task_at(&self) -> StoreFuture<Option<Instant>> {
        unsupported("next_task_at")
    }

    fn next_firing_at(&self) -> StoreFuture<Option<Instant>> {
        unsupported("next_firing_at")
    }

    fn next_notice_at(&self) -> StoreFuture<Option<Instant>> {
        unsupported("next_notice_at")
    }

    fn lead(&self, _name: String, _claim: Claim) -> StoreFuture<Option<Lead>> {
        unsupported("lead")
    }

    fn resign(&self, _name: String, _owner: String) -> StoreFuture<()> {
        unsupported("resign")
    }

    fn leader(&self, _name: String, _now: Instant) -> StoreFuture<Option<Lead>> {
        unsupported("leader")
    }

    fn tasks(&self, _filter: TaskFilter) -> StoreFuture<Vec<TaskRow>> {
        unsupported("tasks")
    }

    fn stream_events(&self, _stream: StreamId, _limit: usize) -> StoreFuture<Vec<Arc<Event>>> {
        unsupported("stream_events")
    }

    fn blobs(&self, _task_id: TaskId, _kind: String, _key: Option<String>, _limit: usize) -> StoreFuture<Vec<Blob>> {
        unsupported("blobs")
    }

    fn inbox(&self, _filter: InboxFilter, _now: Instant) -> StoreFuture<Vec<InboxRow>> {
        unsupported("inbox")
    }

    fn inbox_item(&self, _item: InboxId) -> StoreFuture<Option<InboxRow>> {
        unsupported("inbox_item")
    }

    fn deliveries(&self, _task_id: Option<TaskId>, _limit: usize) -> StoreFuture<Vec<Delivery>> {
        unsupported("deliveries")
    }

    fn notice(&self, _notice_id: NoticeId) -> StoreFuture<Option<Notice>> {
        unsupported("notice")
    }

    fn firing(&self, _firing_id: FiringId) -> StoreFuture<Option<Firing>> {
        unsupported("firing")
    }

    fn ambient_status(&self, _user_id: Option<String>, _now: Instant) -> StoreFuture<AmbientStatus> {
        unsupported("ambient_status")
    }

    fn projections_digest(&self) -> StoreFuture<String> {
        unsupported("projections_digest")
    }

    fn backup(&self, _to: PathBuf) -> StoreFuture<()> {
        unsupported("backup")
    }
}
