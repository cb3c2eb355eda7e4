//! Changes of one task: pause, resume, delete, run now, update.
//!
//! What was due and has no outcome yet gets one before it falls out of the plan. The due index is replaced under the
//! fence of the task's epoch, which is raised: a run that is under way loses its right to complete.

use serde_json::{Map, Value};

use crate::ambient::plan::{self, Next, Plan, Step};
use crate::ambient::service::{Error, Made, TRIES_MAX, TaskService, needs_agreement};
use crate::ambient::spec::{self, Built};
use crate::domain::clock::Instant;
use crate::domain::event::{NewEvent, TaskEvent};
use crate::domain::ids::StreamId;
use crate::domain::task::{AgreedBy, Agreement, HourCount, Outcome, TaskFact, TaskRow, TaskStatus, TaskWork};
use crate::store::Terms;
use crate::store::tasks::{Fence, Op};

/// Fields whose change lets a run that is under way go on: they say who is told, not what is looked at or when.
const TOLD_BY: [&str; 6] =
    ["description", "callback_url", "config.notification", "config.judge", "config.tokens_max", "config.cost_usd_max"];

/// Fields that only say when: what the probe remembers stays good.
const WHEN: [&str; 15] = [
    "config.check_interval_minutes",
    "config.type",
    "config.hour",
    "config.minute",
    "config.minutes",
    "config.days",
    "config.cron",
    "config.at",
    "config.timezone",
    "config.start_at",
    "config.end_at",
    "config.max_runs",
    "config.catch_up",
    "config.overlap",
    "config.cooldown_minutes",
];

/// What a change writes.
#[derive(Debug, Default)]
struct Change {
    facts: Vec<TaskFact>,
    fences: Vec<Fence>,
    ops: Vec<Op>,
}

impl TaskService {
    /// Lets a task rest. One that rests already stays as it is.
    ///
    /// # Errors
    /// When there is no such task, or it has done all its runs.
    pub async fn pause(&self, wanted: &str, user: &str) -> Result<TaskRow, Error> {
        let decide = |row: &TaskRow, now| match row.status {
            TaskStatus::Paused => Ok(None),
            TaskStatus::Completed => Err(done(row)),
            // A run that is under way may end: only the index changes.
            TaskStatus::Active | TaskStatus::Failed if is_held(row, now) => Ok(Some(rest(row, Vec::new(), None))),
            TaskStatus::Active | TaskStatus::Failed => {
                let missed = self.unsettled(row, now, "the task was paused before it could run");
                let hour = row.work.as_ref().and_then(hour);
                let mut work = row.work.clone().filter(|_| missed.is_some() || hour.is_some());
                if let Some(work) = &mut work {
                    work.hour = HourCount::default();
                    if missed.is_some() {
                        work.cursor = now.max(work.cursor);
                        work.next_due = self.plan(&row.spec).ok().and_then(|plan| plan.next_after(work.cursor));
                    }
                }
                Ok(Some(rest(row, missed.into_iter().chain(hour).collect(), work)))
            }
        };
        let row = self.change(wanted, user, decide).await?;
        self.row(&row.spec.task_id).await
    }

    /// Lets a task go on. What would have come due while it rested was not planned. One that is active stays as it is.
    ///
    /// # Errors
    /// When there is no such task, or it has done all its runs.
    pub async fn resume(&self, wanted: &str, user: &str) -> Result<TaskRow, Error> {
        let decide = |row: &TaskRow, now| match row.status {
            TaskStatus::Active => Ok(None),
            TaskStatus::Completed => Err(done(row)),
            TaskStatus::Paused | TaskStatus::Failed => {
                let plan = self.plan(&row.spec)?;
                let mut change = Change { facts: vec![TaskFact::TaskResumed {}], ..Change::default() };
                if is_held(row, now) {
                    // It was paused in the middle of a run, which goes on: its end plans what follows.
                    change.ops.push(Op::Index(row.spec.task_id.clone()));
                } else {
                    let work = row.work.clone().unwrap_or_else(|| plan::start(&plan, &row.spec, now));
                    let Next { mut work, steps } = plan::resume(&plan, &work, row.status == TaskStatus::Failed, now);
                    // A run that was under way when the task was paused has ended since.
                    change.facts.extend(hour(&work));
                    work.hour = HourCount::default();
                    change.facts.extend(steps.into_iter().filter_map(recorded));
                    replace(&mut change, row, work);
                }
                Ok(Some(change))
            }
        };
        let row = self.change(wanted, user, decide).await?;
        self.row(&row.spec.task_id).await
    }

    /// Forgets a task and all that was kept for it; its events stay in the log. Answers how it last stood.
    ///
    /// # Errors
    /// When there is no such task.
    pub async fn delete(&self, wanted: &str, user: &str) -> Result<TaskRow, Error> {
        let decide = |row: &TaskRow, now| {
            let mut facts = Vec::new();
            if matches!(row.status, TaskStatus::Active | TaskStatus::Failed) {
                facts.extend(self.unsettled(row, now, "the task was deleted before it could run"));
            }
            facts.extend(row.work.iter().filter_map(hour));
            facts.push(TaskFact::TaskDeleted {});
            Ok(Some(Change { facts, fences: vec![fence(row)], ops: vec![Op::DropWork(row.spec.task_id.clone())] }))
        };
        self.change(wanted, user, decide).await
    }

    /// Asks for a run out of turn; whoever runs the tasks does it at once.
    ///
    /// # Errors
    /// When there is no such task, or it rests.
    pub async fn run_now(&self, wanted: &str, user: &str) -> Result<TaskRow, Error> {
        let decide = |row: &TaskRow, now| match row.status {
            TaskStatus::Active => {
                let ask = Op::Ask { task_id: row.spec.task_id.clone(), at: now };
                Ok(Some(Change { ops: vec![ask], ..Change::default() }))
            }
            TaskStatus::Completed => Err(done(row)),
            TaskStatus::Paused | TaskStatus::Failed => {
                let hint = "resume it first".to_owned();
                Err(Error::NotNow { what: name(row), state: format!("is {}", row.status.as_str()), hint })
            }
        };
        let row = self.change(wanted, user, decide).await?;
        self.row(&row.spec.task_id).await
    }

    /// Agrees, as a person, to what a task runs or calls as it stands now. Answers the task, and what was agreed to; one
    /// that is agreed to already stays as it is.
    ///
    /// # Errors
    /// When there is no such task, or it runs nothing.
    pub async fn agree(&self, wanted: &str, user: &str) -> Result<(TaskRow, Agreement), Error> {
        let decide = |row: &TaskRow, now| {
            if row.spec.runs().is_none() {
                let hint = "there is nothing to agree to".to_owned();
                return Err(Error::NotNow { what: name(row), state: "runs no program and calls no tool".to_owned(), hint });
            }
            let mut spec = row.spec.clone();
            spec.agree(Some(AgreedBy::Person), now);
            let updated = || TaskFact::TaskUpdated { spec: Box::new(spec.clone()), changed: vec!["agreed".to_owned()] };
            Ok((spec != row.spec).then(|| Change { facts: vec![updated()], ..Change::default() }))
        };
        let row = self.change(wanted, user, decide).await?;
        let row = self.row(&row.spec.task_id).await?;
        let Some(agreed) = row.spec.agreed.clone() else {
            return Err(Error::Contended { task: wanted.to_owned(), tries: TRIES_MAX });
        };
        Ok((row, agreed))
    }

    /// Changes a task for a stranger: nobody agrees to what it would run then.
    ///
    /// # Errors
    /// As [`update_agreed`](Self::update_agreed).
    pub async fn update(&self, wanted: &str, user: &str, changes: &Map<String, Value>) -> Result<Made, Error> {
        self.update_agreed(wanted, user, changes, None).await
    }

    /// Changes a task: `changes` may hold `description`, `callback_url` and `config`, which is merged into the present
    /// one (`null` takes a key away). One that had done all its runs goes on where it now comes due again. `by` says where
    /// a person agreed to what it runs then; what was agreed to before stays so while it is the same.
    ///
    /// # Errors
    /// When there is no such task, or a field is no good; nothing was changed then.
    pub async fn update_agreed(&self, wanted: &str, user: &str, changes: &Map<String, Value>, by: Option<AgreedBy>) -> Result<Made, Error> {
        let warned = std::sync::Mutex::new(Vec::new());
        let decide = |row: &TaskRow, now| {
            let Built { mut spec, mut warnings, changed } = spec::update(&row.spec, changes, now, &self.inner.defaults)?;
            // Another field's change is no word on what runs.
            spec.agree(by.filter(|_| spec.runs() != row.spec.runs()), now);
            warnings.extend(needs_agreement(&spec));
            if let Ok(mut warned) = warned.lock() {
                *warned = warnings;
            }
            if changed.is_empty() {
                return Ok(None);
            }
            let plan = self.plan(&spec)?;
            let mut change = Change::default();
            if changed.iter().all(|field| is_under(field, &TOLD_BY)) {
                change.facts.push(TaskFact::TaskUpdated { spec: Box::new(spec), changed });
                return Ok(Some(change));
            }
            if matches!(row.status, TaskStatus::Active | TaskStatus::Failed) {
                let reason =
                    if is_held(row, now) { "the task was changed while it ran" } else { "the task was changed before it could run" };
                change.facts.extend(self.unsettled(row, now, reason));
            }
            let only_when = changed.iter().all(|field| is_under(field, &WHEN) || is_under(field, &TOLD_BY));
            let work = replanned(&plan, &spec, row.work.as_ref(), only_when, now);
            if !only_when {
                // What another part of the page or another source gave is nothing to compare with: the next look is a first one.
                let forget = |kind: &&str| Op::DropBlobs { task_id: spec.task_id.clone(), kind: (*kind).to_owned() };
                change.ops.extend(crate::ambient::probe::COMPARED.iter().map(forget));
            }
            let wakes_up = row.status == TaskStatus::Completed && (work.next_due.is_some() || work.extra_at.is_some());
            change.facts.push(TaskFact::TaskUpdated { spec: Box::new(spec), changed });
            change.facts.extend(wakes_up.then_some(TaskFact::TaskResumed {}));
            replace(&mut change, row, work);
            Ok(Some(change))
        };
        let row = self.change(wanted, user, decide).await?;
        let warnings = warned.into_inner().unwrap_or_default();
        Ok(Made { row: self.row(&row.spec.task_id).await?, warnings })
    }

    /// Checks what [`update`](Self::update) would make of a task and changes nothing.
    ///
    /// # Errors
    /// When there is no such task, or a field is no good.
    pub async fn check_update(&self, wanted: &str, user: &str, changes: &Map<String, Value>) -> Result<Built, Error> {
        let row = self.find(wanted, user).await?;
        Ok(spec::update(&row.spec, changes, self.now(), &self.inner.defaults)?)
    }

    /// Reads the task, decides, writes; again where somebody else was faster. Answers the task as it was read.
    async fn change(
        &self,
        wanted: &str,
        user: &str,
        decide: impl Fn(&TaskRow, Instant) -> Result<Option<Change>, Error> + Send + Sync,
    ) -> Result<TaskRow, Error> {
        for _ in 0..TRIES_MAX {
            let row = self.find(wanted, user).await?;
            let Some(Change { facts, fences, ops }) = decide(&row, self.now())? else { return Ok(row) };
            let task_id = &row.spec.task_id;
            let expected = if facts.is_empty() { Vec::new() } else { vec![(StreamId::task(task_id), row.version)] };
            let events = facts.into_iter().map(|fact| NewEvent::system(TaskEvent::new(task_id.clone(), fact))).collect();
            match self.inner.log.commit(events, Terms { expected, fences, ops }).await {
                Ok(_) => {
                    self.inner.nudges.tasks();
                    return Ok(row);
                }
                Err(error) if error.is_conflict() || error.is_fenced() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Contended { task: wanted.to_owned(), tries: TRIES_MAX })
    }

    /// The occurrences of the present plan that came due and have no outcome yet.
    fn unsettled(&self, row: &TaskRow, now: Instant, reason: &str) -> Option<TaskFact> {
        let (plan, work) = (self.plan(&row.spec).ok()?, row.work.as_ref()?);
        let from = plan.next_after(work.cursor).filter(|from| *from <= now)?;
        let to = plan.last_before(Instant::from_millis(now.as_millis().saturating_add(1))).unwrap_or(from).max(from);
        let count = plan.count(work.cursor, now).max(1);
        Some(TaskFact::OccurrencesSkipped { outcome: Outcome::Missed, reason: reason.to_owned(), from, to, count })
    }
}

/// The work of a task whose plan is new: nothing before now belongs to it.
fn replanned(plan: &Plan, spec: &crate::domain::task::TaskSpec, old: Option<&TaskWork>, keep_state: bool, now: Instant) -> TaskWork {
    let fresh = plan::start(plan, spec, now);
    let Some(old) = old else { return fresh };
    let cursor = now.max(old.cursor);
    let next_due = plan.next_after(cursor);
    let (state, extra_at) = if keep_state { (old.state.clone(), None) } else { (fresh.state, fresh.extra_at) };
    TaskWork {
        cursor,
        next_due,
        extra_at,
        state,
        runs: old.runs,
        last: old.last.clone(),
        hour: old.hour.clone(),
        epoch: old.epoch,
        ..TaskWork::new(spec.task_id.clone(), now, None)
    }
}

/// Puts `work` in place of the row's: the epoch is raised and nobody holds it.
fn replace(change: &mut Change, row: &TaskRow, work: TaskWork) {
    let epoch = row.work.as_ref().map_or(0, |work| work.epoch);
    let extra_seen = row.work.as_ref().and_then(|work| work.extra_at);
    let work = TaskWork { epoch: epoch + 1, owner: None, lease_until: None, ..work };
    change.fences.push(fence(row));
    change.ops.push(Op::PutWork { work: Box::new(work), extra_seen });
}

fn rest(row: &TaskRow, mut facts: Vec<TaskFact>, work: Option<TaskWork>) -> Change {
    facts.push(TaskFact::TaskPaused { reason: String::new(), by_itself: false });
    let mut change = Change { facts, ..Change::default() };
    match work {
        Some(work) => replace(&mut change, row, work),
        None => change.ops.push(Op::Index(row.spec.task_id.clone())),
    }
    change
}

/// The quiet checks of the hour that runs, as an event: nothing that comes after would tell of them.
fn hour(work: &TaskWork) -> Option<TaskFact> {
    (work.hour.ran > 0).then(|| TaskFact::ChecksRolledUp(work.hour.clone()))
}

fn fence(row: &TaskRow) -> Fence {
    Fence::Task(row.spec.task_id.clone(), row.work.as_ref().map_or(0, |work| work.epoch))
}

/// Whether a run is under way.
fn is_held(row: &TaskRow, now: Instant) -> bool {
    row.work.as_ref().is_some_and(|work| work.owner.is_some() && work.lease_until.is_some_and(|until| until > now))
}

/// What a step of the plan leaves in the log; a run is the scheduler's.
fn recorded(step: Step) -> Option<TaskFact> {
    match step {
        Step::Settle(settled) => Some(TaskFact::OccurrencesSkipped {
            outcome: settled.outcome,
            reason: settled.reason,
            from: settled.from,
            to: settled.to,
            count: settled.count,
        }),
        Step::Pause { reason } => Some(TaskFact::TaskPaused { reason, by_itself: true }),
        Step::Complete { reason } => Some(TaskFact::TaskCompleted { reason }),
        Step::Run(_) => None,
    }
}

fn is_under(field: &str, heads: &[&str]) -> bool {
    heads.iter().any(|head| field.strip_prefix(head).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '['])))
}

fn name(row: &TaskRow) -> String {
    crate::domain::event::words::short_id(row.spec.task_id.as_str()).to_owned()
}

fn done(row: &TaskRow) -> Error {
    let hint = "change when it is due (`wakeful tasks update`), or make a new one".to_owned();
    Error::NotNow { what: name(row), state: "has done all its runs".to_owned(), hint }
}
