//! The list of tasks as a fold of their events.

use crate::domain::clock::Instant;
use crate::domain::event::TaskEvent;
use crate::domain::ids::Seq;
use crate::domain::task::{Outcome, OutcomeCounts, TaskFact, TaskRow, TaskSpec, TaskStatus};

/// One task's row, and its place in the order of creation.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) struct TaskEntry {
    /// The position of the event that made it.
    pub(in crate::store) seq: Seq,
    /// The row, without its work.
    pub(in crate::store) row: TaskRow,
}

/// Where a task's next event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Standing {
    /// Its position in the log.
    pub(in crate::store) seq: Seq,
    /// Its version in the task's stream.
    pub(in crate::store) version: u64,
    /// When it happened.
    pub(in crate::store) at: Instant,
}

/// Takes in a task's next event. `None`: there is no such task, before or after.
pub(in crate::store) fn fold(entry: &mut Option<TaskEntry>, event: &TaskEvent, standing: Standing) {
    match &event.fact {
        TaskFact::TaskCreated { spec } => *entry = Some(TaskEntry::new(spec_of(event, spec), standing)),
        // What comes after the end (a decision on its last firing) brings nothing back.
        TaskFact::TaskDeleted {} => *entry = None,
        fact => {
            if let Some(entry) = entry {
                entry.row.version = standing.version;
                entry.row.updated_at = standing.at;
                take_in(&mut entry.row, event, fact, standing.at);
            }
        }
    }
}

impl TaskEntry {
    fn new(spec: TaskSpec, standing: Standing) -> Self {
        let row = TaskRow {
            spec,
            status: TaskStatus::Active,
            status_reason: None,
            version: standing.version,
            updated_at: standing.at,
            fired: 0,
            last_fired: None,
            counts: OutcomeCounts::default(),
            tokens: 0,
            cost_micros: 0,
            work: None,
        };
        Self { seq: standing.seq, row }
    }
}

/// The stream says which task it is, whatever the spec says.
fn spec_of(event: &TaskEvent, spec: &TaskSpec) -> TaskSpec {
    TaskSpec { task_id: event.task_id.clone(), ..spec.clone() }
}

fn take_in(row: &mut TaskRow, event: &TaskEvent, fact: &TaskFact, at: Instant) {
    match fact {
        TaskFact::TaskUpdated { spec, changed: _ } => row.spec = spec_of(event, spec),
        TaskFact::TaskPaused { .. } | TaskFact::TaskResumed {} | TaskFact::TaskCompleted { .. } => row.settle_status(fact),
        TaskFact::RunFinished(run) => {
            // A run out of turn is no planned occurrence: it may fire, but it does not count among them.
            if run.due.is_some() {
                row.counts.add(run.outcome, 1);
            }
            if run.fired {
                row.fired += 1;
                row.last_fired = Some(at);
            }
        }
        TaskFact::OccurrencesSkipped { outcome, count, .. } => row.counts.add(*outcome, *count),
        TaskFact::ChecksRolledUp(hour) => row.counts.add(Outcome::Ran, hour.ran),
        TaskFact::FiringJudged(judgement) => cost(row, judgement.tokens, judgement.cost_micros),
        TaskFact::PromptFinished { tokens, cost_micros, .. } => cost(row, *tokens, *cost_micros),
        TaskFact::TaskCreated { .. }
        | TaskFact::TaskDeleted {}
        | TaskFact::WebContentChange(_)
        | TaskFact::ScheduledTrigger(_)
        | TaskFact::DailyNewsDigest(_)
        | TaskFact::ThresholdReached(_)
        | TaskFact::FeedbackGiven { .. } => {}
    }
}

fn cost(row: &mut TaskRow, tokens: u64, cost_micros: u64) {
    row.tokens = row.tokens.saturating_add(tokens);
    row.cost_micros = row.cost_micros.saturating_add(cost_micros);
}
