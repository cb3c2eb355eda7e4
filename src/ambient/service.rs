//! Background tasks for people and programs: make, find, list, change, look into, carry elsewhere.
//!
//! Every change is one transaction on the task's stream, made against the version that was read and tried anew when
//! somebody else was faster. A task exists with its first event and its place in the due index, or not at all. Running
//! tasks is the scheduler's part: this side only tells it to look again.

mod change;
mod error;
mod find;
mod inbox;
#[cfg(test)]
mod tests;
mod transfer;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::tz::TimeZone;

pub use error::Error;
pub use transfer::{Exported, Imported, Rebuilt};

use crate::ambient::nudge::Nudges;
use crate::ambient::plan::{self, Plan};
use crate::ambient::ports::Attendant;
use crate::ambient::spec::{self, Built, Defaults, Request, SelectorCheck};
use crate::ambient::why;
use crate::domain::clock::Instant;
use crate::domain::command::TaskCommand;
use crate::domain::event::{Event, NewEvent, TaskEvent};
use crate::domain::ids::{StreamId, TaskId};
use crate::domain::notice::Delivery;
use crate::domain::query::{AmbientStatus, Sample, TaskDetail};
use crate::domain::task::{ADMIN_USER, AgreedBy, TaskFact, TaskRow, TaskSpec};
use crate::domain::text::{clean_line, ellipsis};
use crate::store::tasks::{Blob, Fence, LEAD, Op, TaskFilter};
use crate::store::{EventLog, Terms};

/// How often a change is decided anew when others were faster.
const TRIES_MAX: usize = 8;

/// Within this time the same task made twice is told.
const TWICE_WITHIN: Duration = Duration::from_mins(1);

/// New tasks that are taken before all are counted again.
const COUNT_EVERY: i64 = 100;

/// Events of a task that its panel shows.
const DETAIL_EVENTS_MAX: usize = 200;

/// Notices of a task that its panel shows.
const DETAIL_DELIVERIES_MAX: usize = 50;

/// Snapshots that its panel lists.
const DETAIL_SNAPSHOTS_MAX: usize = 50;

/// The longest command or call that a warning shows, in characters.
const RUNS_CHARS_MAX: usize = 300;

/// Readings of a sparkline.
const DETAIL_SAMPLES_MAX: usize = 120;

/// How what the probes keep is read; they own its form.
#[derive(Debug, Clone, Copy)]
pub struct Keeping {
    /// The text of a kept unified diff.
    pub diff: fn(&Blob) -> Option<String>,
    /// A kept reading.
    pub sample: fn(&Blob) -> Option<Sample>,
    /// How long a kept snapshot is, uncompressed, in bytes.
    pub snapshot_bytes: fn(&Blob) -> u64,
}

impl Default for Keeping {
    /// Text as it is, numbers as text, bytes as they lie there.
    fn default() -> Self {
        Self {
            diff: |blob| String::from_utf8(blob.bytes.clone()).ok(),
            sample: |blob| Some(Sample { at: blob.at, value: std::str::from_utf8(&blob.bytes).ok()?.trim().parse().ok()? }),
            snapshot_bytes: |blob| u64::try_from(blob.bytes.len()).unwrap_or(u64::MAX),
        }
    }
}

/// What may vary in the service.
#[derive(Debug, Clone)]
pub struct Options {
    /// The callback of tasks that name none (`EVENT_FEEDBACK_URL`).
    pub feedback_url: Option<String>,
    /// The metrics that the config knows a source for.
    pub metrics: BTreeSet<String>,
    /// Checks page selectors; unchecked where absent.
    pub selectors: Option<SelectorCheck>,
    /// Reads what the probes keep.
    pub keeping: Keeping,
    /// Tasks that there may be, of all users. Default 100,000.
    pub tasks_max: usize,
    /// Tells whether a process on this machine runs the tasks.
    pub awake: Awake,
}

/// Tells whether a process on this machine runs the tasks; by default nobody can tell.
#[derive(Clone, Default)]
pub struct Awake(Option<Arc<dyn Fn() -> bool + Send + Sync>>);

impl Awake {
    /// As `look` finds it.
    pub fn new(look: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(look)))
    }

    fn is_so(&self) -> bool {
        self.0.as_ref().is_some_and(|look| look())
    }
}

impl std::fmt::Debug for Awake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Awake")
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            feedback_url: None,
            metrics: BTreeSet::new(),
            selectors: None,
            keeping: Keeping::default(),
            tasks_max: 100_000,
            awake: Awake::default(),
        }
    }
}

/// A task that was just made or changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// How it stands now.
    pub row: TaskRow,
    /// What was passed over or read in a way worth telling.
    pub warnings: Vec<String>,
}

/// The background tasks. Cheap to clone.
#[derive(Clone)]
pub struct TaskService {
    inner: Arc<Inner>,
}

struct Inner {
    log: EventLog,
    zone: TimeZone,
    defaults: Defaults,
    keeping: Keeping,
    tasks_max: usize,
    /// New tasks that are taken before all are counted again.
    room: AtomicI64,
    nudges: Nudges,
    attendant: OnceLock<Arc<dyn Attendant>>,
    awake: Awake,
}

impl TaskService {
    /// The tasks in `log`; `zone` is the machine's, for tasks that name none. Changes wake the loops of this process
    /// through `nudges`.
    pub fn new(log: EventLog, zone: TimeZone, nudges: Nudges, options: Options) -> Self {
        let Options { feedback_url, metrics, selectors, keeping, tasks_max, awake } = options;
        let defaults = Defaults { zone: zone.clone(), feedback_url, metrics, selectors };
        let (room, attendant) = (AtomicI64::new(0), OnceLock::new());
        Self { inner: Arc::new(Inner { log, zone, defaults, keeping, tasks_max, room, nudges, attendant, awake }) }
    }

    /// Sets who does what the service only hands on: this process runs the tasks. Only the first counts.
    pub fn attend(&self, attendant: Arc<dyn Attendant>) {
        let _ = self.inner.attendant.set(attendant);
    }

    /// The machine's zone.
    pub fn zone(&self) -> &TimeZone {
        &self.inner.zone
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.inner.log.now()
    }

    /// Checks a request and makes nothing.
    ///
    /// # Errors
    /// The first field that is no good.
    pub fn check(&self, request: &Request) -> Result<Built, Error> {
        Ok(spec::build(TaskId::generate(), request, self.now(), &self.inner.defaults)?)
    }

    /// When a task of this spec would be due next.
    ///
    /// # Errors
    /// When it cannot be planned.
    pub fn next_times(&self, spec: &TaskSpec, count: usize) -> Result<Vec<Instant>, Error> {
        let plan = self.plan(spec)?;
        Ok(std::iter::successors(plan.next_after(self.now()), |due| plan.next_after(*due)).take(count).collect())
    }

    /// Whether a task of this spec would look as soon as it is made.
    ///
    /// # Errors
    /// When it cannot be planned.
    pub fn looks_at_once(&self, spec: &TaskSpec) -> Result<bool, Error> {
        Ok(plan::looks_at_once(&self.plan(spec)?, spec, self.now()))
    }

    /// Makes a task for a stranger: where it runs a program or calls a tool, nobody has agreed to that yet.
    ///
    /// # Errors
    /// As [`create_agreed`](Self::create_agreed).
    pub async fn create(&self, request: &Request) -> Result<Made, Error> {
        self.create_agreed(request, None).await
    }

    /// Makes a task: its first event and its place in the due index in one transaction. `by` says where a person agreed
    /// to what it runs.
    ///
    /// # Errors
    /// When a field is no good, or there are too many tasks; nothing was made then.
    pub async fn create_agreed(&self, request: &Request, by: Option<AgreedBy>) -> Result<Made, Error> {
        let Built { mut spec, mut warnings, .. } = self.check(request)?;
        spec.agree(by, spec.created_at);
        warnings.extend(needs_agreement(&spec));
        let plan = self.plan(&spec)?;
        self.reserve().await?;
        warnings.extend(self.made_before(&spec).await?);
        let task_id = spec.task_id.clone();
        // From its creation on: what comes due while it is checked has an outcome too.
        let work = plan::start(&plan, &spec, spec.created_at);
        let terms = Terms {
            expected: vec![(StreamId::task(&task_id), 0)],
            fences: vec![Fence::Task(task_id.clone(), 0)],
            ops: vec![Op::PutWork { work: Box::new(work), extra_seen: None }],
        };
        let created = TaskFact::TaskCreated { spec: Box::new(spec) };
        self.inner.log.commit(vec![NewEvent::system(TaskEvent::new(task_id.clone(), created))], terms).await?;
        self.inner.nudges.tasks();
        Ok(Made { row: self.row(&task_id).await?, warnings })
    }

    /// Tasks that `user` may see, in the order of creation; `admin` sees all.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn list(&self, user: &str) -> Result<Vec<TaskRow>, Error> {
        Ok(self.inner.log.tasks().tasks(TaskFilter { user_id: reach(user), ..TaskFilter::default() }).await?)
    }

    /// A task's newest events, newest first.
    ///
    /// # Errors
    /// When there is no such task or the log cannot be read.
    pub async fn history(&self, wanted: &str, user: &str, limit: usize) -> Result<(TaskRow, Vec<Arc<Event>>), Error> {
        let row = self.find(wanted, user).await?;
        let mut events = self.inner.log.tasks().stream_events(StreamId::task(&row.spec.task_id), limit).await?;
        events.reverse();
        Ok((row, events))
    }

    /// What a task's panel shows beside its row, the whole chain of its last run included.
    ///
    /// # Errors
    /// When there is no such task or the log cannot be read.
    pub async fn detail(&self, task: &TaskId) -> Result<TaskDetail, Error> {
        let row = self.row(task).await?;
        let store = self.inner.log.tasks();
        let mut history = store.stream_events(StreamId::task(task), DETAIL_EVENTS_MAX).await?;
        history.reverse();
        let deliveries = store.deliveries(Some(task.clone()), DETAIL_DELIVERIES_MAX).await?;
        let kept = |kind: &str, limit| store.blobs(task.clone(), kind.to_owned(), None, limit);
        let keeping = &self.inner.keeping;
        let diff = kept("diff", 1).await?.first().and_then(keeping.diff);
        let mut samples: Vec<Sample> = kept("sample", DETAIL_SAMPLES_MAX).await?.iter().filter_map(keeping.sample).collect();
        samples.reverse();
        let snapshots = kept("snapshot", DETAIL_SNAPSHOTS_MAX).await?;
        let snapshots = snapshots.iter().map(|blob| (blob.at, blob.key.clone(), (keeping.snapshot_bytes)(blob))).collect();
        let why = why::lines(&row, &history, &deliveries, &self.inner.zone, self.now());
        Ok(TaskDetail { why, history, diff, samples, snapshots, deliveries })
    }

    /// Counts over the tasks that `user` may see, and who runs them.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn status(&self, user: &str) -> Result<AmbientStatus, Error> {
        let status = self.inner.log.tasks().ambient_status(reach(user), self.now()).await?;
        let nudges = &self.inner.nudges;
        // The lead is taken when something comes due: until then it falls to whoever is awake.
        let leading = nudges.leading() || (nudges.awake() && !status.service_running);
        Ok(AmbientStatus { leading, service_running: status.service_running || self.is_here(), ..status })
    }

    /// Whether this process runs the tasks, or another one showed lately that it does: an idle one writes nothing, so it
    /// may be there all the same.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn is_running(&self) -> Result<bool, Error> {
        Ok(self.is_here() || self.inner.log.tasks().leader(LEAD.to_owned(), self.now()).await?.is_some())
    }

    /// Whether this process or another one on this machine runs the tasks.
    fn is_here(&self) -> bool {
        self.inner.attendant.get().is_some() || self.inner.awake.is_so()
    }

    /// Notices, newest first.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn deliveries(&self, limit: usize) -> Result<Vec<Delivery>, Error> {
        Ok(self.inner.log.tasks().deliveries(None, limit).await?)
    }

    /// Does what a surface wants, as the machine's owner.
    ///
    /// # Errors
    /// When it cannot be done.
    pub async fn command(&self, command: TaskCommand) -> Result<(), Error> {
        match command {
            TaskCommand::Run(task) => self.run_now(task.as_str(), ADMIN_USER).await.map(drop),
            TaskCommand::Pause(task) => self.pause(task.as_str(), ADMIN_USER).await.map(drop),
            TaskCommand::Resume(task) => self.resume(task.as_str(), ADMIN_USER).await.map(drop),
            TaskCommand::Delete(task) => self.delete(task.as_str(), ADMIN_USER).await.map(drop),
            TaskCommand::Update { task, changes } => {
                self.update_agreed(task.as_str(), ADMIN_USER, &changes, Some(AgreedBy::Person)).await.map(drop)
            }
            TaskCommand::Simulate(kind) => self.attendant()?.simulate(kind).await.map_err(Error::Elsewhere),
        }
    }

    fn attendant(&self) -> Result<&Arc<dyn Attendant>, Error> {
        let missing = || Error::Elsewhere("nothing runs the tasks in this process; start `wakeful` and ask there".to_owned());
        self.inner.attendant.get().ok_or_else(missing)
    }

    fn plan(&self, spec: &TaskSpec) -> Result<Plan, Error> {
        let failed = |source| Error::Plan { task: spec.task_id.to_string(), source };
        Plan::new(spec, &self.inner.zone).map_err(failed)
    }

    /// Takes one of the places that are left. All tasks are counted once for [`COUNT_EVERY`] new ones.
    async fn reserve(&self) -> Result<(), Error> {
        let inner = &self.inner;
        if inner.room.fetch_sub(1, Ordering::SeqCst) > 0 {
            return Ok(());
        }
        let status = inner.log.tasks().ambient_status(None, self.now()).await?;
        let tasks_max = i64::try_from(inner.tasks_max).unwrap_or(i64::MAX);
        let left = tasks_max.saturating_sub(i64::try_from(status.total_tasks).unwrap_or(i64::MAX));
        inner.room.store(left.min(COUNT_EVERY) - 1, Ordering::SeqCst);
        if left > 0 { Ok(()) } else { Err(Error::Full { limit: inner.tasks_max }) }
    }

    /// A warning where the same user made the same task a moment ago.
    async fn made_before(&self, spec: &TaskSpec) -> Result<Option<String>, Error> {
        let filter = TaskFilter {
            user_id: Some(spec.user_id.clone()),
            named: Some(spec.description.clone()),
            limit: Some(100),
            ..TaskFilter::default()
        };
        let same = |row: &TaskRow| {
            row.spec.kind == spec.kind
                && row.spec.description == spec.description
                && spec.created_at.since(row.spec.created_at) <= TWICE_WITHIN
        };
        let rows = self.inner.log.tasks().tasks(filter).await?;
        let twice = rows.iter().find(|row| same(row));
        Ok(twice.map(|row| {
            format!("the same task was made less than a minute ago: `{}`; delete one of them if that was not meant", row.spec.task_id)
        }))
    }
}

/// A warning where the task would run what nobody agreed to.
fn needs_agreement(spec: &TaskSpec) -> Option<String> {
    let runs = ellipsis(&clean_line(&spec.not_agreed()?.to_string()), RUNS_CHARS_MAX).into_owned();
    Some(format!(
        "`{}` {runs}, and nobody agreed to that: it fails until you do, with `wakeful tasks agree {}`",
        spec.task_id, spec.task_id
    ))
}

/// The filter of what `user` may see.
fn reach(user: &str) -> Option<String> {
    (user != ADMIN_USER).then(|| user.to_owned())
}
