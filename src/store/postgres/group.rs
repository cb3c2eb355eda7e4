//! A group of appends in one transaction: what it has to know, what becomes of each batch, what is written.
//!
//! Three steps. One round trip reads all that the group is about, under the lock of the log. Then everything is decided
//! in memory, batch by batch in order: a batch whose terms do not hold leaves no trace. Then one round trip writes what
//! came of it and commits.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::domain::clock::Instant;
use crate::domain::ids::{FiringId, NoticeId, Seq, StreamId, TaskId};
use crate::domain::notice::DeliveryStatus;
use crate::domain::task::TaskWork;
use crate::store::postgres::link::Failure;
use crate::store::postgres::projections::Projections;
use crate::store::prepared::{self, PreparedRow};
use crate::store::tasks::{BLOB_BYTES_MAX, FIRINGS_MAX, Fence, NOTICES_MAX, Op};
use crate::store::{Error, rules};

/// A batch, with its changes as they are.
pub(super) type Prepared = prepared::Prepared<Op>;

/// A change that this store takes.
///
/// # Errors
/// When a blob is too long.
pub(super) fn ready(op: Op) -> Result<Op, Error> {
    match op {
        Op::PutBlob { blob, .. } if blob.bytes.len() > BLOB_BYTES_MAX => {
            Err(Error::BlobTooLong { kind: blob.kind, bytes: blob.bytes.len(), limit: BLOB_BYTES_MAX })
        }
        op => Ok(op),
    }
}

/// About how many bytes a batch sends over the wire.
pub(super) fn bytes(prepared: &Prepared) -> usize {
    let blobs = prepared.ops.iter().map(|op| if let Op::PutBlob { blob, .. } = op { blob.bytes.len() } else { 0 });
    prepared.rows.iter().map(|row| row.json.len()).chain(blobs).sum()
}

/// How one batch of a group fared: the position of its first event, or why it was refused.
pub(super) type Outcome = Result<u64, Error>;

/// A row of a queue, as far as the terms of batches go.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Queued {
    pub(super) epoch: u64,
    /// Somebody claimed it and has not let it go.
    pub(super) held: bool,
    /// It is not dealt with yet.
    pub(super) waits: bool,
    /// How a notice stands.
    pub(super) status: Option<DeliveryStatus>,
}

/// What a group is about, as the database has it, then as the batches leave it.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) head: u64,
    pub(super) versions: HashMap<StreamId, u64>,
    pub(super) projections: Projections,
    pub(super) work: HashMap<TaskId, TaskWork>,
    pub(super) firings: HashMap<FiringId, Queued>,
    pub(super) notices: HashMap<NoticeId, Queued>,
    /// Hashes of keys that firings have already.
    pub(super) keys: HashSet<String>,
    pub(super) firings_waiting: usize,
    pub(super) notices_waiting: usize,
}

/// What a group writes.
#[derive(Debug, Default)]
pub(super) struct Changes<'g> {
    /// Each with its position and its version.
    pub(super) events: Vec<(&'g PreparedRow, u64, u64)>,
    /// Changes of queues and blobs, in order; with each when its batch happened, where that has an event.
    pub(super) steps: Vec<(Step<'g>, Option<Instant>)>,
    /// Tasks whose work changed or is gone.
    pub(super) works: HashSet<TaskId>,
    /// Something was written that events do not tell of.
    pub(super) any: bool,
}

/// A change of a queue or of blobs that is to be written.
#[derive(Debug)]
pub(super) enum Step<'g> {
    /// As the batch has it.
    Op(&'g Op),
    /// All blobs of the task go.
    DropBlobs(&'g TaskId),
}

/// What stands for a key that may be longer than an index takes.
pub(super) fn hashed(key: &str) -> String {
    hex(&Sha256::digest(key.as_bytes()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _never_fails = write!(out, "{byte:02x}");
        out
    })
}

impl State {
    /// What becomes of each batch, and what is written.
    pub(super) fn decide<'g>(&mut self, group: &[&'g Prepared]) -> (Vec<Outcome>, Changes<'g>) {
        let mut changes = Changes::default();
        let outcomes = group.iter().map(|prepared| self.take_in(prepared, &mut changes)).collect();
        (outcomes, changes)
    }

    fn take_in<'g>(&mut self, prepared: &'g Prepared, changes: &mut Changes<'g>) -> Outcome {
        self.check(prepared)?;
        let first = self.head + 1;
        for row in &prepared.rows {
            self.head += 1;
            let version = self.versions.entry(row.stream.clone()).or_default();
            *version += 1;
            changes.events.push((row, self.head, *version));
            self.projections.apply(&row.event, row.body(), Seq(self.head), *version);
        }
        let at = prepared.rows.first().map(|row| row.event.at);
        for op in &prepared.ops {
            if let Some(step) = self.change(op, changes) {
                changes.steps.push((step, at));
            }
        }
        changes.any |= !prepared.rows.is_empty() || !prepared.ops.is_empty();
        Ok(first)
    }

    /// Whether the batch's terms hold.
    fn check(&self, prepared: &Prepared) -> Result<(), Error> {
        for (stream, expected) in &prepared.expected {
            let actual = self.versions.get(stream).copied().unwrap_or_default();
            if actual != *expected {
                return Err(Error::Conflict { stream: stream.clone(), expected: *expected, actual });
            }
        }
        for fence in &prepared.fences {
            let (holds, what, expected) = match fence {
                Fence::NoticeIs(id, status) => {
                    if self.notices.get(id).and_then(|row| row.status) != Some(*status) {
                        return Err(Error::MovedOn { what: format!("notice {id}") });
                    }
                    continue;
                }
                Fence::Task(id, epoch) => (self.work.get(id).map_or(0, |work| work.epoch) == *epoch, format!("task {id}"), *epoch),
                Fence::Firing(id, epoch) => (is_held(self.firings.get(id), *epoch), format!("firing {id}"), *epoch),
                Fence::Notice(id, epoch) => (is_held(self.notices.get(id), *epoch), format!("notice {id}"), *epoch),
            };
            if !holds {
                return Err(Error::Fenced { what, expected });
            }
        }
        self.check_room(prepared)
    }

    fn check_room(&self, prepared: &Prepared) -> Result<(), Error> {
        let (mut keys, mut notices, mut ended) = (HashSet::new(), HashSet::new(), HashSet::new());
        for op in &prepared.ops {
            match op {
                Op::PutFiring { firing, .. } if !self.keys.contains(&hashed(&firing.key)) => {
                    keys.insert(&firing.key);
                }
                Op::PutNotice { notice, .. } if !self.notices.contains_key(&notice.notice_id) => {
                    notices.insert(&notice.notice_id);
                }
                // One in place of many needs no room: what ends with the same batch makes it.
                Op::NoticeMoved { notice_id, status, .. }
                    if !waits(*status) && self.notices.get(notice_id).is_some_and(|row| row.waits) =>
                {
                    ended.insert(notice_id);
                }
                _ => {}
            }
        }
        if !keys.is_empty() && self.firings_waiting + keys.len() > FIRINGS_MAX {
            return Err(Error::QueueFull { what: "firings", limit: FIRINGS_MAX });
        }
        let more = notices.len().saturating_sub(ended.len());
        if more > 0 && self.notices_waiting + more > NOTICES_MAX {
            return Err(Error::QueueFull { what: "notices", limit: NOTICES_MAX });
        }
        Ok(())
    }

    /// Changes what is known; gives back what is to be written by itself.
    fn change<'g>(&mut self, op: &'g Op, changes: &mut Changes<'g>) -> Option<Step<'g>> {
        match op {
            Op::PutWork { work, extra_seen } => {
                // A task that was deleted meanwhile leaves no work behind.
                let active = self.projections.is_active(&work.task_id)?;
                // Where there is no work yet, nobody can have asked for a run of it.
                let stored = self.work.get(&work.task_id).map_or(*extra_seen, |stored| stored.extra_at);
                let due = rules::put(work.extra_at, work.next_due, stored, *extra_seen, active);
                changes.works.insert(work.task_id.clone());
                let work = TaskWork { wake: due.wake, extra_at: due.extra_at, ..(**work).clone() };
                self.work.insert(work.task_id.clone(), work);
                None
            }
            Op::Index(id) => self.rework(id, changes, TaskWork::index),
            Op::Ask { task_id, at } => self.rework(task_id, changes, |work, active| rules::ask(work, *at, active)),
            Op::DropWork(id) => {
                self.work.remove(id);
                changes.works.insert(id.clone());
                Some(Step::DropBlobs(id))
            }
            Op::PutFiring { firing, .. } => {
                let fresh = self.keys.insert(hashed(&firing.key)) && !self.firings.contains_key(&firing.firing_id);
                fresh.then(|| {
                    self.firings.insert(firing.firing_id.clone(), Queued { waits: true, ..Queued::default() });
                    self.firings_waiting += 1;
                    Step::Op(op)
                })
            }
            Op::PutNotice { notice, .. } => (!self.notices.contains_key(&notice.notice_id)).then(|| {
                let fresh = Queued { waits: true, status: Some(DeliveryStatus::Queued), ..Queued::default() };
                self.notices.insert(notice.notice_id.clone(), fresh);
                self.notices_waiting += 1;
                Step::Op(op)
            }),
            Op::FiringDone(id) => {
                let waited = self.firings.get_mut(id).is_some_and(|row| row.let_go(false));
                self.firings_waiting = self.firings_waiting.saturating_sub(usize::from(waited));
                Some(Step::Op(op))
            }
            Op::FiringLater { firing_id, .. } => {
                if let Some(row) = self.firings.get_mut(firing_id) {
                    row.let_go(row.waits);
                }
                Some(Step::Op(op))
            }
            Op::NoticeMoved { notice_id, status, .. } => {
                let waits = waits(*status);
                if let Some(row) = self.notices.get_mut(notice_id) {
                    let waited = row.let_go(waits);
                    // `sending` is what a claim sets, not a move: a notice that is let go waits.
                    row.status = Some(if waits { DeliveryStatus::Queued } else { *status });
                    self.notices_waiting = (self.notices_waiting + usize::from(waits)).saturating_sub(usize::from(waited));
                }
                Some(Step::Op(op))
            }
            Op::NoticeHeld { notice_id, .. } => {
                if let Some(row) = self.notices.get_mut(notice_id) {
                    let waited = row.let_go(true);
                    row.status = Some(DeliveryStatus::Queued);
                    self.notices_waiting += usize::from(!waited);
                }
                Some(Step::Op(op))
            }
            Op::PutBlob { .. } | Op::DropBlobs { .. } => Some(Step::Op(op)),
        }
    }

    /// Changes when a task is looked at next, and nothing else.
    fn rework<'g>(&mut self, id: &TaskId, changes: &mut Changes<'g>, change: impl FnOnce(&mut TaskWork, bool)) -> Option<Step<'g>> {
        let active = self.projections.is_active(id).unwrap_or(false);
        let work = self.work.get_mut(id)?;
        change(work, active);
        changes.works.insert(id.clone());
        None
    }
}

impl Queued {
    /// Nobody holds it any more. Tells whether it waited before.
    fn let_go(&mut self, waits: bool) -> bool {
        self.held = false;
        std::mem::replace(&mut self.waits, waits)
    }
}

fn waits(status: DeliveryStatus) -> bool {
    matches!(status, DeliveryStatus::Queued | DeliveryStatus::Sending)
}

fn is_held(row: Option<&Queued>, epoch: u64) -> bool {
    row.is_some_and(|row| row.held && row.waits && row.epoch == epoch)
}

/// Why a whole group was not written.
#[derive(Debug)]
pub(super) enum GroupFailure {
    /// Surely nothing was committed.
    Undone(Failure),
    /// The connection went while it committed. This is what became of the batches, if it did.
    InDoubt(Failure, Vec<Outcome>),
}
