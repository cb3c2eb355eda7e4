//! What is written of a decision or a run. Pure.

use std::time::Duration;

use serde_json::Value;

use crate::ambient::finding::{Fault, Finding, News};
use crate::ambient::plan::{Next, Settled, Step, Ticket};
use crate::ambient::tell;
use crate::domain::clock::Instant;
use crate::domain::event::{EventBody, NewEvent, TaskEvent};
use crate::domain::firing::{Feedback, Firing, Origin};
use crate::domain::ids::FiringId;
use crate::domain::task::{HourCount, LastRun, Outcome, RunFinished, TaskFact, TaskKind, TaskWork};
use crate::domain::text::{clean_line, ellipsis};
use crate::store::tasks::{Claimed, Op};

/// Milliseconds of an hour: quiet runs are rolled up by it.
const HOUR_MS: i64 = 3_600_000;

/// The longest note, in characters.
const NOTE_CHARS_MAX: usize = 300;

/// The longest state that a probe may remember, in bytes of JSON.
const STATE_BYTES_MAX: usize = 64 << 10;

/// Events and changes that belong together.
pub(super) struct Written {
    pub(super) events: Vec<NewEvent>,
    pub(super) ops: Vec<Op>,
    /// Whether a firing is among them.
    pub(super) firings: bool,
    /// Whether a notice is among them.
    pub(super) notices: bool,
}

/// A run that is over.
pub(super) struct Run {
    /// What was decided before it.
    pub(super) before: Next,
    pub(super) ticket: Ticket,
    pub(super) started: Instant,
    pub(super) took: Duration,
    pub(super) ended: Instant,
}

struct Writer<'a> {
    task: &'a Claimed,
    at: Instant,
    out: Written,
}

impl<'a> Writer<'a> {
    fn new(task: &'a Claimed, at: Instant) -> Self {
        Self { task, at, out: Written { events: Vec::new(), ops: Vec::new(), firings: false, notices: false } }
    }

    fn say(&mut self, fact: TaskFact) {
        self.out.events.push(NewEvent::system(TaskEvent::new(self.task.work.task_id.clone(), fact)));
    }

    fn steps(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Settle(Settled { outcome, reason, from, to, count }) => {
                    self.say(TaskFact::OccurrencesSkipped { outcome, reason, from, to, count });
                }
                Step::Run(_) => {}
                Step::Pause { reason } => self.pause(reason),
                Step::Complete { reason } => self.say(TaskFact::TaskCompleted { reason }),
            }
        }
    }

    /// The task rests, and its owner is told once.
    fn pause(&mut self, reason: String) {
        let trouble = tell::trouble(&self.task.spec, &reason, self.at);
        self.say(TaskFact::TaskPaused { reason, by_itself: true });
        self.out.events.extend(trouble.events);
        self.out.notices |= !trouble.ops.is_empty();
        self.out.ops.extend(trouble.ops);
    }

    fn put(mut self, mut work: TaskWork) -> Written {
        let over = self.out.events.iter().any(|event| {
            matches!(
                &event.body,
                EventBody::TaskEvent(TaskEvent { fact: TaskFact::TaskCompleted { .. } | TaskFact::TaskPaused { .. }, .. })
            )
        });
        if over && work.hour.ran > 0 {
            // Nothing will come after that could tell of this hour.
            let hour = std::mem::take(&mut work.hour);
            self.say(TaskFact::ChecksRolledUp(hour));
        }
        (work.owner, work.lease_until) = (None, None);
        // Whoever read the work while the run was under way must read it again.
        work.epoch += 1;
        self.out.ops.push(Op::PutWork { work: Box::new(work), extra_seen: self.task.work.extra_at });
        self.out
    }
}

/// Nothing ran: what was skipped, and when the task is looked at next.
pub(super) fn decided(task: &Claimed, next: Next, now: Instant) -> Written {
    let mut writer = Writer::new(task, now);
    writer.steps(next.steps);
    writer.put(next.work)
}

/// A run left no outcome, as its process ended or hung; `next` is what follows. Its occurrence is still due.
pub(super) fn cut_short(task: &Claimed, next: Next, now: Instant) -> Written {
    let mut writer = Writer::new(task, now);
    writer.say(TaskFact::RunFinished(RunFinished {
        due: None,
        outcome: Outcome::Failed,
        reason: "the program ended or hung while it ran".to_owned(),
        started: now,
        duration_ms: 0,
        fired: false,
        gate: None,
        failures: next.work.failures,
        retry_at: next.work.extra_at,
    }));
    writer.steps(next.steps);
    writer.put(next.work)
}

/// The spec can no longer be planned.
pub(super) fn unplannable(task: &Claimed, reason: &str, now: Instant) -> Written {
    let mut writer = Writer::new(task, now);
    writer.pause(format!("it can no longer be planned: {reason}"));
    writer.put(task.work.clone())
}

/// A run and what follows it.
pub(super) fn ran(task: &Claimed, run: &Run, after: Next, looked: Result<Finding, Fault>) -> Written {
    let mut writer = Writer::new(task, run.ended);
    writer.steps(run.before.steps.clone());
    let mut work = after.work;
    let duration_ms = u64::try_from(run.took.as_millis()).unwrap_or(u64::MAX);
    let late = run.ticket.due.map(|due| run.started.since(due)).unwrap_or_default();
    let outcome = if looked.is_ok() { run.ticket.outcome } else { Outcome::Failed };
    let mut finished = RunFinished {
        due: run.ticket.due,
        outcome,
        reason: String::new(),
        started: run.started,
        duration_ms,
        fired: false,
        gate: None,
        failures: work.failures,
        retry_at: None,
    };
    let note;
    match looked {
        Err(fault) => {
            note = line(&fault.message);
            finished.reason.clone_from(&note);
            finished.retry_at = work.extra_at;
            writer.say(TaskFact::RunFinished(finished.clone()));
        }
        Ok(finding) => {
            note = line(&match &finding.trouble {
                Some(trouble) => format!("{}; {trouble}", finding.note),
                None => finding.note.clone(),
            });
            work.state = finding.state;
            for keep in finding.keep {
                writer.out.ops.push(Op::PutBlob { blob: Box::new(keep.blob), keep: keep.keep, by_key: keep.by_key });
            }
            match finding.news {
                News::Quiet { gate }
                    if run.ticket.due.is_some()
                        && outcome == Outcome::Ran
                        && (finding.trouble.is_none() || told_before(task, &note))
                        && task.work.failures == 0 =>
                {
                    roll_up(&mut writer, &mut work, run, gate, duration_ms);
                }
                News::Quiet { gate } => {
                    finished.gate = Some(gate.to_owned());
                    finished.reason = with_lateness(&note, outcome, late);
                    writer.say(TaskFact::RunFinished(finished.clone()));
                }
                News::Fired(fires) => {
                    finished.fired = true;
                    finished.reason = with_lateness(&note, outcome, late);
                    writer.say(TaskFact::RunFinished(finished.clone()));
                    for fire in fires {
                        raise(&mut writer, run, fire);
                    }
                }
            }
        }
    }
    work.last = Some(LastRun { at: run.started, outcome, fired: finished.fired, note, duration_ms });
    if serde_json::to_string(&work.state).map_or(usize::MAX, |state| state.len()) > STATE_BYTES_MAX {
        tracing::warn!(task = %work.task_id, "a probe remembers too much; it starts anew");
        work.state = Value::Null;
    }
    writer.steps(after.steps.into_iter().filter(|step| !matches!(step, Step::Run(_))).collect());
    writer.put(work)
}

/// Whether the last run said just the same: a source that stays away is said once, not at each check.
fn told_before(task: &Claimed, note: &str) -> bool {
    task.work.last.as_ref().is_some_and(|last| last.note == note)
}

/// Counts a quiet run into its hour; an hour that is over becomes an event.
fn roll_up(writer: &mut Writer<'_>, work: &mut TaskWork, run: &Run, gate: &str, duration_ms: u64) {
    let due = run.ticket.due.unwrap_or(run.started);
    let hour = Instant::from_millis(run.started.as_millis().div_euclid(HOUR_MS) * HOUR_MS);
    if work.hour.hour != hour {
        let over = std::mem::replace(&mut work.hour, HourCount { hour, ..HourCount::default() });
        if over.ran > 0 {
            writer.say(TaskFact::ChecksRolledUp(over));
        }
    }
    work.hour.ran += 1;
    work.hour.last_due = due;
    work.hour.duration_ms = work.hour.duration_ms.saturating_add(duration_ms);
    *work.hour.gates.entry(gate.to_owned()).or_default() += 1;
}

/// Queues a firing, and says what was found.
fn raise(writer: &mut Writer<'_>, run: &Run, fire: crate::ambient::finding::Fire) {
    let spec = &writer.task.spec;
    let when = run.ticket.due.map_or_else(|| format!("x{}", writer.task.work.epoch), |due| due.as_millis().to_string());
    let firing_id = FiringId::generate();
    let mut data = fire.data;
    let news_digest = data.contains_key("news_summaries");
    let fact = match spec.kind.kind() {
        TaskKind::WebMonitor => TaskFact::WebContentChange(data.clone()),
        TaskKind::ThresholdWatch => TaskFact::ThresholdReached(data.clone()),
        TaskKind::NewsDigest => TaskFact::DailyNewsDigest(data.clone()),
        TaskKind::Schedule if news_digest => TaskFact::DailyNewsDigest(data.clone()),
        TaskKind::Schedule => TaskFact::ScheduledTrigger(data.clone()),
    };
    let (event_type, priority) = (tell::event_type(&fact), fact.priority());
    let fact = with_firing(fact, &firing_id);
    let feedback = Feedback {
        task_id: spec.task_id.to_string(),
        event_type: event_type.to_owned(),
        data: std::mem::take(&mut data),
        timestamp: run.started,
        priority,
        requires_processing: true,
    };
    let key = format!("{}:{when}:{}", spec.task_id, fire.part);
    let firing = Firing { firing_id, key, origin: Origin::Task, feedback };
    writer.say(fact);
    writer.out.ops.push(Op::PutFiring { firing: Box::new(firing), at: run.ended });
    writer.out.firings = true;
}

/// The event names the firing, so that the chain can be followed.
fn with_firing(mut fact: TaskFact, firing_id: &FiringId) -> TaskFact {
    if let TaskFact::WebContentChange(data)
    | TaskFact::ThresholdReached(data)
    | TaskFact::DailyNewsDigest(data)
    | TaskFact::ScheduledTrigger(data) = &mut fact
    {
        data.insert("firing_id".to_owned(), Value::String(firing_id.to_string()));
    }
    fact
}

fn with_lateness(note: &str, outcome: Outcome, late: Duration) -> String {
    if outcome == Outcome::CaughtUp { format!("{note}; {} late", tell::stretch(late)) } else { note.to_owned() }
}

fn line(text: &str) -> String {
    ellipsis(&clean_line(text), NOTE_CHARS_MAX).into_owned()
}
