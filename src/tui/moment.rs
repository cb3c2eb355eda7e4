//! How tasks and servers were at one event: a fold of the log up to it. Pure, so the same log shows the same moment.
//!
//! What no event tells (the next run of a task, a server's calls) is not known of the past and not shown.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::clock::Instant;
use crate::domain::event::{Event, EventBody, McpEventType, TaskEvent};
use crate::domain::ids::{Seq, ServerName, TaskId};
use crate::domain::query::AmbientStatus;
use crate::domain::task::{Outcome, OutcomeCounts, TaskFact, TaskRow, TaskSpec, TaskStatus};
use crate::domain::text::clean_line;
use crate::tui::panels::servers::ServersPanel;
use crate::tui::panels::tasks::TasksPanel;
use crate::tui::panels::tasks::rows::short_kind;
use crate::tui::panels::{Row, columns};
use crate::tui::theme::{Icon, Key, Theme};

/// Events of tasks, and of servers, that are folded: the newest. The store gives no more at once.
pub const EVENTS_MAX: usize = 10_000;

/// Servers that are registered within so long of one another are registered by one start of the program.
const START: Duration = Duration::from_secs(5);

/// Tasks and servers as they were.
#[derive(Debug, Clone)]
pub struct Moment {
    /// The last event that counts.
    pub seq: Seq,
    /// When it happened.
    pub at: Instant,
    /// The tasks.
    pub tasks: TasksPanel,
    /// The servers.
    pub servers: ServersPanel,
    /// Whether older events were left out: a task or a server of long before may be missing.
    pub cut: bool,
}

/// The moment on the screen, and the one that is on its way.
#[derive(Debug, Default)]
pub struct Moments {
    /// On the screen, in place of how things are.
    pub shown: Option<Box<Moment>>,
    /// Asked for.
    pub asked: Option<Seq>,
}

impl Moment {
    /// Folds `tasks` and `servers`, stored events of these kinds in ascending order; those after `seq` do not count.
    pub fn fold(seq: Seq, at: Instant, tasks: &[Arc<Event>], servers: &[Arc<Event>]) -> Self {
        let cut = tasks.len() >= EVENTS_MAX || servers.len() >= EVENTS_MAX;
        let counts = |event: &&Arc<Event>| event.seq.is_some_and(|at| at <= seq);
        Self { seq, at, tasks: fold_tasks(tasks.iter().filter(counts)), servers: fold_servers(servers.iter().filter(counts)), cut }
    }
}

fn fold_tasks<'a>(events: impl Iterator<Item = &'a Arc<Event>>) -> TasksPanel {
    let mut rows: HashMap<TaskId, TaskRow> = HashMap::new();
    for event in events {
        let EventBody::TaskEvent(data) = &event.body else { continue };
        match &data.fact {
            TaskFact::TaskCreated { spec } => {
                rows.insert(data.task_id.clone(), fresh(data, spec, event.at));
            }
            TaskFact::TaskDeleted {} => {
                rows.remove(&data.task_id);
            }
            fact => {
                if let Some(row) = rows.get_mut(&data.task_id) {
                    row.updated_at = event.at;
                    row.version += 1;
                    take_in(row, data, fact, event.at);
                }
            }
        }
    }
    let active = rows.values().filter(|row| row.status == TaskStatus::Active).count();
    let status = AmbientStatus { total_tasks: number(rows.len()), active_tasks: number(active), ..AmbientStatus::default() };
    let mut panel = TasksPanel::default();
    panel.fill(rows.into_values().collect(), status);
    panel
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn fresh(data: &TaskEvent, spec: &TaskSpec, at: Instant) -> TaskRow {
    TaskRow {
        spec: TaskSpec { task_id: data.task_id.clone(), ..spec.clone() },
        status: TaskStatus::Active,
        status_reason: None,
        version: 1,
        updated_at: at,
        fired: 0,
        last_fired: None,
        counts: OutcomeCounts::default(),
        tokens: 0,
        cost_micros: 0,
        work: None,
    }
}

fn take_in(row: &mut TaskRow, data: &TaskEvent, fact: &TaskFact, at: Instant) {
    row.settle_status(fact);
    match fact {
        TaskFact::TaskUpdated { spec, .. } => row.spec = TaskSpec { task_id: data.task_id.clone(), ..spec.as_ref().clone() },
        TaskFact::RunFinished(run) => {
            row.counts.add(run.outcome, u64::from(run.due.is_some()));
            if run.fired {
                row.fired += 1;
                row.last_fired = Some(at);
            }
        }
        TaskFact::OccurrencesSkipped { outcome, count, .. } => row.counts.add(*outcome, *count),
        TaskFact::ChecksRolledUp(hour) => row.counts.add(Outcome::Ran, hour.ran),
        TaskFact::TaskCreated { .. }
        | TaskFact::TaskDeleted {}
        | TaskFact::TaskPaused { .. }
        | TaskFact::TaskResumed {}
        | TaskFact::TaskCompleted { .. }
        | TaskFact::WebContentChange(_)
        | TaskFact::ScheduledTrigger(_)
        | TaskFact::DailyNewsDigest(_)
        | TaskFact::ThresholdReached(_)
        | TaskFact::FiringJudged(_)
        | TaskFact::PromptFinished { .. }
        | TaskFact::FeedbackGiven { .. } => {}
    }
}

/// Each start of the program registers its servers anew: those of an earlier run that are not among them are gone.
fn fold_servers<'a>(events: impl Iterator<Item = &'a Arc<Event>>) -> ServersPanel {
    let mut panel = ServersPanel::default();
    let mut start: Vec<ServerName> = Vec::new();
    let mut last: Option<Instant> = None;
    for event in events {
        let EventBody::McpEvent(data) = &event.body else { continue };
        if data.event_type == McpEventType::ServiceRegistered {
            if last.is_none_or(|last| event.at.since(last) > START) {
                start.clear();
            }
            last = Some(event.at);
            let again = panel.rows().iter().any(|row| row.name == data.service_name) && !start.contains(&data.service_name);
            start.push(data.service_name.clone());
            if again {
                let rows = panel.rows().iter().filter(|row| start.contains(&row.name)).cloned().collect();
                panel.fill(rows);
            }
        }
        panel.apply(data, event.at);
    }
    panel
}

/// A task of the past in the narrow column: `● web_monitor  TechCrunch AI  fired 3`.
pub fn task_row(row: &TaskRow, theme: &Theme, width: usize) -> Row {
    let (icon, key, words) = match row.status {
        TaskStatus::Active if row.fired > 0 => (Icon::Dot, Key::StatusOk, format!("fired {}", row.fired)),
        TaskStatus::Active => (Icon::Dot, Key::StatusOk, "active".to_owned()),
        TaskStatus::Paused => (Icon::Pending, Key::StatusOff, "paused".to_owned()),
        TaskStatus::Completed => (Icon::Ok, Key::StatusOff, "done".to_owned()),
        TaskStatus::Failed => (Icon::Error, Key::StatusError, "failed".to_owned()),
    };
    let tail = words.len();
    let room = width.saturating_sub(2 + 12 + 1 + tail);
    vec![
        (key, format!("{} ", theme.icon(icon))),
        (Key::UiDim, format!("{} ", columns(short_kind(row.spec.kind.kind()), 11))),
        (Key::UiText, format!("{} ", columns(&clean_line(&row.spec.description), room))),
        (key, words),
    ]
}
