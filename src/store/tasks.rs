//! What a store keeps for background tasks beside the log: the due index, queues of firings and notices, blobs, leases.
//!
//! Two kinds of tables. **Projections** (the list of tasks, the inbox) are folds of events and change in the same
//! transaction as the log; [`EventStore::rebuild`] makes them anew. **Working rows** (how a task's work stands, queued
//! firings, the outbox, snapshots, leases) are not events: they change by [`Op`]s in the same transaction as the events
//! that go with them, and only while the [`Fence`]s of the batch hold. So a process that was frozen and lost its lease
//! can neither record nor send anything.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::clock::Instant;
use crate::domain::event::Event;
use crate::domain::firing::Firing;
use crate::domain::ids::{FiringId, InboxId, NoticeId, StreamId, TaskId};
use crate::domain::notice::{Delivery, DeliveryStatus, InboxRow, Notice};
use crate::domain::query::{AmbientStatus, InboxFilter};
use crate::domain::task::{TaskRow, TaskSpec, TaskStatus, TaskWork};
use crate::store::{EventStore, StoreFuture};

/// Firings that may wait for the judge; more are refused with [`Error::QueueFull`](super::Error::QueueFull).
pub const FIRINGS_MAX: usize = 10_000;

/// Notices that may wait in the outbox; more are refused with [`Error::QueueFull`](super::Error::QueueFull).
pub const NOTICES_MAX: usize = 10_000;

/// Firings that are dealt with and kept: for so many the same key is still known, and they can be looked at.
pub const FIRINGS_KEPT: u64 = 10_000;

/// Notices that are dealt with and kept. Dead letters are kept among them until so many newer notices came.
pub const NOTICES_KEPT: u64 = 10_000;

/// The longest blob, in bytes.
pub const BLOB_BYTES_MAX: usize = 8 << 20;

/// The name of the lease of the process that runs the tasks.
pub const LEAD: &str = "scheduler";

/// A condition of a batch: nothing of it is written unless all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fence {
    /// The task's work stands at this epoch (0: there is no work yet).
    Task(TaskId, u64),
    /// The firing is held at this epoch.
    Firing(FiringId, u64),
    /// The notice is held at this epoch.
    Notice(NoticeId, u64),
    /// The notice stands so, and nobody holds it: what is `sending` never does.
    NoticeIs(NoticeId, DeliveryStatus),
}

/// A change of working rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Puts a task's work in place of what is there. The store sets `wake` itself: from `next_due` and `extra_at`, and
    /// from the task's status as it is after the events of this batch. Where the stored `extra_at` is no longer
    /// `extra_seen`, somebody asked for a run meanwhile: the stored one stays (the earlier of both).
    PutWork {
        /// The work.
        work: Box<TaskWork>,
        /// `extra_at` as it was when the work was read.
        extra_seen: Option<Instant>,
    },
    /// Sets `wake` anew after the task's status changed. Touches nothing else, so a run may be under way.
    Index(TaskId),
    /// Asks for a run out of turn. Touches nothing else, so a run may be under way.
    Ask {
        /// Which task.
        task_id: TaskId,
        /// When.
        at: Instant,
    },
    /// Forgets a task's work and its blobs.
    DropWork(TaskId),
    /// Queues a firing. One with the same key is there already: nothing is queued, and no error.
    PutFiring {
        /// The firing.
        firing: Box<Firing>,
        /// Not before.
        at: Instant,
    },
    /// The firing is dealt with.
    FiringDone(FiringId),
    /// The firing is let go and tried again later.
    FiringLater {
        /// Which.
        firing_id: FiringId,
        /// Not before.
        at: Instant,
        /// Tries that count: those before the claim, where the firing was not begun.
        attempts: u32,
    },
    /// Queues a notice. The same notice is there already: nothing is queued, and no error.
    PutNotice {
        /// The notice.
        notice: Box<Notice>,
        /// Not before.
        at: Instant,
    },
    /// A notice moved on; it is let go.
    NoticeMoved {
        /// Which.
        notice_id: NoticeId,
        /// How far it has come.
        status: DeliveryStatus,
        /// When it is tried next; with `Queued` only.
        next_at: Option<Instant>,
        /// Why it failed or waits.
        error: Option<String>,
        /// What the receiver called it.
        receipt: Option<String>,
    },
    /// A notice waits untried: it moves to another time, or is let go by a claim that does not count as a try.
    NoticeHeld {
        /// Which.
        notice_id: NoticeId,
        /// Not before.
        until: Instant,
        /// Why it waits.
        reason: Option<String>,
        /// Tries that count.
        attempts: u32,
    },
    /// Keeps something for a task. Of the same task and kind (and key, where `by_key`) only the newest `keep` stay.
    PutBlob {
        /// What is kept.
        blob: Box<Blob>,
        /// How many of them stay.
        keep: usize,
        /// Whether `keep` counts each key by itself.
        by_key: bool,
    },
    /// Forgets all of one kind that a task kept.
    DropBlobs {
        /// Which task.
        task_id: TaskId,
        /// Which kind.
        kind: String,
    },
}

/// Something that is kept for a task: a snapshot of a page, a reading of a value, an item that was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blob {
    /// Which task.
    pub task_id: TaskId,
    /// `snapshot`, `sample`, `seen`, `diff`: whoever keeps it names it.
    pub kind: String,
    /// Which of the kind: a URL, an item's identity. One row for each key and time.
    pub key: String,
    /// When.
    pub at: Instant,
    /// The thing itself, in the keeper's own form, compressed where that pays.
    pub bytes: Vec<u8>,
}

/// A task that is due, held by the one who asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// What it is.
    pub spec: TaskSpec,
    /// Its status; only active tasks are claimed.
    pub status: TaskStatus,
    /// The version of its stream.
    pub version: u64,
    /// Tokens that it has cost so far.
    pub tokens: u64,
    /// Money that it has cost so far, in millionths of a US dollar.
    pub cost_micros: u64,
    /// How its work stands; `epoch`, `owner` and `lease_until` are the claim's.
    pub work: TaskWork,
    /// Whether an earlier claim ran out without an end: its holder died or hung.
    pub interrupted: bool,
}

/// A firing, held by the one who asked.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedFiring {
    /// The firing.
    pub firing: Firing,
    /// The claim's epoch.
    pub epoch: u64,
    /// Which try this is, from 1.
    pub attempt: u32,
}

/// A notice that is due, as it stands; nobody holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct DueNotice {
    /// The notice.
    pub notice: Notice,
    /// Tries so far.
    pub attempts: u32,
    /// It was being sent when its holder died: it may have arrived.
    pub interrupted: bool,
    /// Why it waited or failed before.
    pub reason: Option<String>,
}

/// A notice, held by the one who asked; on disk it is `sending`.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimedNotice {
    /// The notice.
    pub notice: Notice,
    /// The claim's epoch.
    pub epoch: u64,
    /// Which try this is, from 1.
    pub attempt: u32,
    /// It was being sent when its holder died: it may have arrived. The try is not counted up.
    pub interrupted: bool,
}

/// Who asks for work, and on what terms.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// A name for this process, unique among all that share the store.
    pub owner: String,
    /// The time. A store that several machines share uses its own clock instead.
    pub now: Instant,
    /// How long nobody else may take it.
    pub lease: Duration,
    /// At most so many.
    pub limit: usize,
}

/// Who holds a named lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lead {
    /// Who.
    pub owner: String,
    /// Raised each time somebody else takes it.
    pub epoch: u64,
    /// Until when.
    pub until: Instant,
}

/// Which tasks are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskFilter {
    /// Only this user's.
    pub user_id: Option<String>,
    /// Only this one.
    pub task_id: Option<TaskId>,
    /// Only those whose id starts so, or whose description is exactly so.
    pub named: Option<String>,
    /// Only tasks after this one, in the order of creation.
    pub after: Option<TaskId>,
    /// At most so many; all where absent.
    pub limit: Option<usize>,
}

/// The store's side of background tasks. Times are kept as integers in milliseconds.
pub trait TaskStore: EventStore {
    /// Holds tasks that are due: active, `wake` not after now, and not held by anybody whose lease still runs. The
    /// longest due first. Each claim raises the task's epoch.
    fn claim_tasks(&self, claim: Claim) -> StoreFuture<Vec<Claimed>>;

    /// Holds tasks for longer. Answers those that are no longer held at that epoch.
    fn renew_tasks(&self, claim: Claim, held: Vec<(TaskId, u64)>) -> StoreFuture<Vec<TaskId>>;

    /// Firings that wait and nobody holds, the most urgent first, then the oldest; `skip` of them are left out.
    fn due_firings(&self, now: Instant, limit: usize, skip: usize) -> StoreFuture<Vec<Firing>>;

    /// Holds those of `wanted` that still wait, at most as many as the claim says. A claim counts as a try: claim what
    /// can begin at once.
    fn claim_firings(&self, claim: Claim, wanted: Vec<FiringId>) -> StoreFuture<Vec<ClaimedFiring>>;

    /// Notices that are due and nobody holds, the most urgent first, then the oldest; `skip` of them are left out.
    fn due_notices(&self, now: Instant, limit: usize, skip: usize) -> StoreFuture<Vec<DueNotice>>;

    /// Holds those of `wanted` that are still due, at most as many as the claim says, and marks them as `sending` on
    /// disk. Whoever finds that mark later cannot know how far it came: claim what can begin at once.
    fn claim_notices(&self, claim: Claim, wanted: Vec<NoticeId>) -> StoreFuture<Vec<ClaimedNotice>>;

    /// Holds a firing or notice for longer; false where it is no longer held at that epoch.
    fn renew(&self, claim: Claim, held: Fence) -> StoreFuture<bool>;

    /// When a task will be claimable next; a lease that runs out counts.
    fn next_task_at(&self) -> StoreFuture<Option<Instant>>;

    /// When a firing will be claimable next.
    fn next_firing_at(&self) -> StoreFuture<Option<Instant>>;

    /// When a notice will be claimable next.
    fn next_notice_at(&self) -> StoreFuture<Option<Instant>>;

    /// Takes or renews a named lease; `None` where somebody else holds it. Renewing keeps the epoch.
    fn lead(&self, name: String, claim: Claim) -> StoreFuture<Option<Lead>>;

    /// Gives a named lease back, if `owner` holds it.
    fn resign(&self, name: String, owner: String) -> StoreFuture<()>;

    /// Who holds a named lease now.
    fn leader(&self, name: String, now: Instant) -> StoreFuture<Option<Lead>>;

    /// Tasks with their work, in the order of creation.
    fn tasks(&self, filter: TaskFilter) -> StoreFuture<Vec<TaskRow>>;

    /// The newest events of one stream, in ascending order.
    fn stream_events(&self, stream: StreamId, limit: usize) -> StoreFuture<Vec<std::sync::Arc<Event>>>;

    /// What is kept for a task, the newest first.
    fn blobs(&self, task_id: TaskId, kind: String, key: Option<String>, limit: usize) -> StoreFuture<Vec<Blob>>;

    /// Entries of the inbox, newest first.
    fn inbox(&self, filter: InboxFilter, now: Instant) -> StoreFuture<Vec<InboxRow>>;

    /// One entry of the inbox.
    fn inbox_item(&self, item: InboxId) -> StoreFuture<Option<InboxRow>>;

    /// Notices, newest first; of one task where given.
    fn deliveries(&self, task_id: Option<TaskId>, limit: usize) -> StoreFuture<Vec<Delivery>>;

    /// A notice as it was queued, to send it again.
    fn notice(&self, notice_id: NoticeId) -> StoreFuture<Option<Notice>>;

    /// A firing, as it was queued.
    fn firing(&self, firing_id: FiringId) -> StoreFuture<Option<Firing>>;

    /// Counts over everything; `leading` is left false.
    fn ambient_status(&self, user_id: Option<String>, now: Instant) -> StoreFuture<AmbientStatus>;

    /// A digest (hexadecimal SHA-256) of all projections, row by row: the same before and after a rebuild.
    fn projections_digest(&self) -> StoreFuture<String>;

    /// Writes a copy of everything to a new file, while others go on.
    ///
    /// # Errors
    /// When the file exists, or the store has its own way to be copied (the message names it).
    fn backup(&self, to: PathBuf) -> StoreFuture<()>;
}
