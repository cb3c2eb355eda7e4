//! Tasks, queues, blobs and leases in the embedded store.

mod backup;
mod claims;
pub(super) mod ops;
pub(super) mod read;
mod work;

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
use crate::store::StoreFuture;
use crate::store::sqlite::{Engine, SqliteStore, read as log};
use crate::store::tasks::{Blob, Claim, Claimed, ClaimedFiring, ClaimedNotice, DueNotice, Fence, Lead, TaskFilter, TaskStore};

impl TaskStore for SqliteStore {
    fn claim_tasks(&self, claim: Claim) -> StoreFuture<Vec<Claimed>> {
        self.write("claim tasks in", move |connection| claims::tasks(connection, &claim))
    }

    fn renew_tasks(&self, claim: Claim, held: Vec<(TaskId, u64)>) -> StoreFuture<Vec<TaskId>> {
        self.write("hold tasks in", move |connection| claims::renew_tasks(connection, &claim, held))
    }

    fn due_firings(&self, now: Instant, limit: usize, skip: usize) -> StoreFuture<Vec<Firing>> {
        self.read("look at the firings of", move |connection| read::due_firings(connection, now, limit, skip))
    }

    fn claim_firings(&self, claim: Claim, wanted: Vec<FiringId>) -> StoreFuture<Vec<ClaimedFiring>> {
        self.write("claim firings in", move |connection| claims::firings(connection, &claim, &wanted))
    }

    fn due_notices(&self, now: Instant, limit: usize, skip: usize) -> StoreFuture<Vec<DueNotice>> {
        self.read("look at the notices of", move |connection| read::due_notices(connection, now, limit, skip))
    }

    fn claim_notices(&self, claim: Claim, wanted: Vec<NoticeId>) -> StoreFuture<Vec<ClaimedNotice>> {
        self.write("claim notices in", move |connection| claims::notices(connection, &claim, &wanted))
    }

    fn renew(&self, claim: Claim, held: Fence) -> StoreFuture<bool> {
        self.write("hold work in", move |connection| claims::renew(connection, &claim, &held))
    }

    fn next_task_at(&self) -> StoreFuture<Option<Instant>> {
        self.read("look for tasks in", claims::next_task)
    }

    fn next_firing_at(&self) -> StoreFuture<Option<Instant>> {
        self.read("look for firings in", |connection| claims::next_in(connection, "firings"))
    }

    fn next_notice_at(&self) -> StoreFuture<Option<Instant>> {
        self.read("look for notices in", |connection| claims::next_in(connection, "outbox"))
    }

    fn lead(&self, name: String, claim: Claim) -> StoreFuture<Option<Lead>> {
        self.write("take a lease in", move |connection| claims::lead(connection, &name, &claim))
    }

    fn resign(&self, name: String, owner: String) -> StoreFuture<()> {
        self.write("give back a lease in", move |connection| claims::resign(connection, &name, &owner))
    }

    fn leader(&self, name: String, now: Instant) -> StoreFuture<Option<Lead>> {
        self.read("read a lease in", move |connection| claims::leader(connection, &name, now))
    }

    fn tasks(&self, filter: TaskFilter) -> StoreFuture<Vec<TaskRow>> {
        self.read("list the tasks of", move |connection| read::tasks(connection, &filter))
    }

    fn stream_events(&self, stream: StreamId, limit: usize) -> StoreFuture<Vec<Arc<Event>>> {
        let upcasters = self.0.upcasters;
        self.read("read events of", move |connection| log::stream_events(connection, upcasters, &stream, limit))
    }

    fn blobs(&self, task_id: TaskId, kind: String, key: Option<String>, limit: usize) -> StoreFuture<Vec<Blob>> {
        self.read("read what a task keeps in", move |connection| read::blobs(connection, &task_id, &kind, key.as_deref(), limit))
    }

    fn inbox(&self, filter: InboxFilter, now: Instant) -> StoreFuture<Vec<InboxRow>> {
        self.read("list the inbox of", move |connection| read::inbox(connection, filter, now))
    }

    fn inbox_item(&self, item: InboxId) -> StoreFuture<Option<InboxRow>> {
        self.read("read the inbox of", move |connection| read::inbox_item(connection, &item))
    }

    fn deliveries(&self, task_id: Option<TaskId>, limit: usize) -> StoreFuture<Vec<Delivery>> {
        self.read("list the notices of", move |connection| read::deliveries(connection, task_id.as_ref(), limit))
    }

    fn notice(&self, notice_id: NoticeId) -> StoreFuture<Option<Notice>> {
        self.read("read a notice of", move |connection| read::notice(connection, &notice_id))
    }

    fn firing(&self, firing_id: FiringId) -> StoreFuture<Option<Firing>> {
        self.read("read a firing of", move |connection| read::firing(connection, &firing_id))
    }

    fn ambient_status(&self, user_id: Option<String>, now: Instant) -> StoreFuture<AmbientStatus> {
        self.read("count the tasks of", move |connection| read::ambient_status(connection, user_id.as_deref(), now))
    }

    fn projections_digest(&self) -> StoreFuture<String> {
        self.read("read the projections of", read::digest)
    }

    fn backup(&self, to: PathBuf) -> StoreFuture<()> {
        if matches!(self.0.engine, Engine::Threads { .. }) {
            let place = Arc::clone(&self.0.place);
            return backup::in_background(place, to).boxed();
        }
        self.read("back up", move |connection| backup::to_file(connection, &to))
    }
}
