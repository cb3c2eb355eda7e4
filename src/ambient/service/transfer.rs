//! Tasks carried elsewhere and back: export and import as JSON lines, rebuild, backup.
//!
//! An export is a header line, then every event of the tasks' streams, task by task, as `events --json` prints them. An
//! import keeps ids and times, but no agreement to run a program or call a tool; a task that the log has known before,
//! deleted ones included, is left as it is. All lines are checked before the first task is made, and each task is one transaction.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::ambient::plan::{self, Plan};
use crate::ambient::service::{Error, TaskService, needs_agreement, reach};
use crate::domain::clock::Instant;
use crate::domain::event::{Event, EventBody, NewEvent, TaskEvent};
use crate::domain::ids::{EventId, StreamId, TaskId};
use crate::domain::task::{Outcome, TaskFact, TaskSpec, TaskStatus, TaskWork};
use crate::domain::text::{clean_line, ellipsis};
use crate::store::tasks::{Fence, Op, TaskFilter};
use crate::store::{Batch, EVENT_BYTES_MAX, Stamped};

/// The name in the header.
const FORMAT: &str = "wakeful-tasks";

/// The newest version of the format that is read, and the one that is written.
const VERSION: u32 = 1;

/// Events of one task that are carried.
const STREAM_EVENTS_MAX: usize = 1_000_000;

/// Events that one import takes.
const EVENTS_MAX: usize = 5_000_000;

/// The first line of an export.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
    exported_at: Instant,
    tasks: usize,
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Exported {
    /// Tasks.
    pub tasks: usize,
    /// Their events.
    pub events: usize,
}

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Imported {
    /// Tasks that were made.
    pub tasks: usize,
    /// Their events.
    pub events: usize,
    /// Tasks that the log knew before, and deleted ones in the file: left as they are.
    pub skipped: usize,
    /// What is worth telling: tasks that run a program or call a tool, which nobody here has agreed to.
    pub warnings: Vec<String>,
}

/// How a rebuild of the projections came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    /// The digest before.
    pub before: String,
    /// The digest after.
    pub after: String,
    /// Whether both are the same, as they are where nothing was damaged.
    pub same: bool,
    /// Events that were replayed.
    pub events: u64,
}

impl TaskService {
    /// Hands each line of an export of the tasks that `user` may see to `write`, without line breaks.
    ///
    /// # Errors
    /// When the log cannot be read or `write` fails.
    pub async fn export(&self, user: &str, mut write: impl FnMut(&str) -> std::io::Result<()>) -> Result<Exported, Error> {
        let failed = |source| Error::Io { doing: "write the export", source };
        let json = |error: serde_json::Error| failed(error.into());
        let rows = self.inner.log.tasks().tasks(TaskFilter { user_id: reach(user), ..TaskFilter::default() }).await?;
        let header = Header { format: FORMAT.to_owned(), version: VERSION, exported_at: self.now(), tasks: rows.len() };
        write(&serde_json::to_string(&header).map_err(json)?).map_err(failed)?;
        let mut exported = Exported { tasks: rows.len(), events: 0 };
        for row in rows {
            let events = self.inner.log.tasks().stream_events(StreamId::task(&row.spec.task_id), STREAM_EVENTS_MAX).await?;
            for event in &events {
                write(&serde_json::to_string(event.as_ref()).map_err(json)?).map_err(failed)?;
            }
            exported.events += events.len();
        }
        Ok(exported)
    }

    /// Makes the tasks of an export, with their whole history, ids and times. What came due between the export and now
    /// was not planned.
    ///
    /// # Errors
    /// When a line is no good: nothing was imported then. When the log cannot be written: tasks before that one are
    /// there, whole; importing again goes on with the rest.
    pub async fn import(&self, lines: impl Iterator<Item = std::io::Result<String>>) -> Result<Imported, Error> {
        let now = self.now();
        let mut tasks = Vec::new();
        let mut imported = Imported::default();
        for (_, events) in read(lines)? {
            let Some(task) = Carried::fold(events, |spec| Plan::new(spec, &self.inner.zone).map_err(|error| error.to_string()))? else {
                imported.skipped += 1;
                continue;
            };
            tasks.push(task);
        }
        tasks.sort_by_key(|task| (task.spec.created_at, task.spec.task_id.clone()));
        for task in tasks {
            let stream = StreamId::task(&task.spec.task_id);
            if self.inner.log.version(stream.clone()).await? > 0 {
                imported.skipped += 1;
                continue;
            }
            let (events, command) = (task.events.len(), needs_agreement(&TaskSpec { agreed: None, ..task.spec.clone() }));
            match self.inner.log.tasks().append(task.batch(stream, now)).await {
                Ok(_) => {}
                // Somebody else imported it in this moment.
                Err(error) if error.is_conflict() || error.is_fenced() => {
                    imported.skipped += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            imported.tasks += 1;
            imported.events += events;
            imported.warnings.extend(command);
        }
        self.inner.room.store(0, std::sync::atomic::Ordering::SeqCst);
        self.inner.nudges.tasks();
        Ok(imported)
    }

    /// Drops all projections and makes them anew from the events.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub async fn rebuild(&self) -> Result<Rebuilt, Error> {
        let store = self.inner.log.tasks();
        let before = store.projections_digest().await?;
        self.inner.log.rebuild().await?;
        let after = store.projections_digest().await?;
        let events = self.inner.log.head().await?.0;
        Ok(Rebuilt { same: before == after, before, after, events })
    }

    /// Writes a copy of the whole log to a new file, while others go on.
    ///
    /// # Errors
    /// When the file exists or cannot be written.
    pub async fn backup(&self, to: PathBuf) -> Result<(), Error> {
        Ok(self.inner.log.tasks().backup(to).await?)
    }
}

/// An event of an import, and the line it stands on.
struct Line {
    number: usize,
    id: EventId,
    at: Instant,
    session: Option<crate::domain::ids::SessionId>,
    event: TaskEvent,
}

/// A task of an import.
struct Carried {
    spec: TaskSpec,
    status: TaskStatus,
    runs: u64,
    last_at: Instant,
    plan: Plan,
    events: Vec<Line>,
}

fn bad(line: usize, reason: impl Into<String>) -> Error {
    Error::BadLine { line, reason: reason.into() }
}

/// All events of an export by their task, each task's in the order of the file.
fn read(lines: impl Iterator<Item = std::io::Result<String>>) -> Result<BTreeMap<TaskId, Vec<Line>>, Error> {
    let mut tasks: BTreeMap<TaskId, Vec<Line>> = BTreeMap::new();
    let (mut seen, mut has_header) = (HashSet::new(), false);
    for (index, line) in lines.enumerate() {
        let number = index + 1;
        let text = line.map_err(|source| match source.kind() {
            std::io::ErrorKind::InvalidData => bad(number, "is no UTF-8 text"),
            _ => Error::Io { doing: "read the import", source },
        })?;
        if text.trim().is_empty() {
            continue;
        }
        if text.len() > EVENT_BYTES_MAX {
            return Err(bad(number, format!("is longer than {EVENT_BYTES_MAX} bytes")));
        }
        if !has_header {
            check_header(number, &text)?;
            has_header = true;
            continue;
        }
        let event: Event = serde_json::from_str(&text).map_err(|error| bad(number, format!("is no event ({error})")))?;
        let EventBody::TaskEvent(task) = event.body else {
            return Err(bad(number, format!("holds a `{}`, only `task_event` is imported", clean_line(event.body.type_name()))));
        };
        if seen.len() >= EVENTS_MAX {
            return Err(bad(number, format!("is one more than the {EVENTS_MAX} events that one import takes; split the file by task")));
        }
        if !seen.insert(event.id.clone()) {
            return Err(bad(number, format!("repeats the event `{}`", ellipsis(&clean_line(event.id.as_str()), 60))));
        }
        let line = Line { number, id: event.id, at: event.at, session: event.session, event: task };
        tasks.entry(line.event.task_id.clone()).or_default().push(line);
    }
    if has_header { Ok(tasks) } else { Err(bad(1, "is missing: the file is empty")) }
}

fn check_header(number: usize, text: &str) -> Result<(), Error> {
    let header: Header = serde_json::from_str(text)
        .map_err(|_| bad(number, "is no header of an export (`wakeful tasks export` writes `{\"format\":\"wakeful-tasks\",…}` first)"))?;
    if header.format != FORMAT {
        return Err(bad(number, format!("names the format `{}`, not `{FORMAT}`", ellipsis(&clean_line(&header.format), 60))));
    }
    if header.version > VERSION {
        return Err(bad(number, format!("names version {}, this wakeful reads up to {VERSION}: update it", header.version)));
    }
    Ok(())
}

impl Carried {
    /// The task that its events make; `None` where they end with its deletion.
    fn fold(events: Vec<Line>, plan: impl Fn(&TaskSpec) -> Result<Plan, String>) -> Result<Option<Self>, Error> {
        let Some(first) = events.first() else { return Ok(None) };
        let TaskFact::TaskCreated { spec } = &first.event.fact else {
            return Err(bad(first.number, "comes before the task's `task_created`"));
        };
        let (mut spec, mut spec_line, mut last_at) = (spec.as_ref(), first.number, first.at);
        let (mut status, mut runs) = (TaskStatus::Active, 0_u64);
        for line in &events {
            last_at = last_at.max(line.at);
            match &line.event.fact {
                TaskFact::TaskCreated { .. } if line.number != first.number => {
                    return Err(bad(line.number, "makes the task a second time"));
                }
                TaskFact::TaskCreated { spec: new } | TaskFact::TaskUpdated { spec: new, .. } => {
                    if new.task_id != line.event.task_id {
                        return Err(bad(line.number, "tells of one task and holds another"));
                    }
                    (spec, spec_line) = (new, line.number);
                }
                TaskFact::TaskPaused { by_itself, .. } => status = if *by_itself { TaskStatus::Failed } else { TaskStatus::Paused },
                TaskFact::TaskResumed {} => status = TaskStatus::Active,
                TaskFact::TaskCompleted { .. } => status = TaskStatus::Completed,
                TaskFact::TaskDeleted {} => return Ok(None),
                TaskFact::RunFinished(run) if matches!(run.outcome, Outcome::Ran | Outcome::CaughtUp | Outcome::Failed) => runs += 1,
                TaskFact::ChecksRolledUp(hour) => runs = runs.saturating_add(hour.ran),
                _ => {}
            }
        }
        let plan = plan(spec).map_err(|reason| bad(spec_line, format!("holds a task that cannot be planned: {reason}")))?;
        Ok(Some(Self { spec: spec.clone(), status, runs, last_at, plan, events }))
    }

    /// What makes the task.
    fn batch(self, stream: StreamId, now: Instant) -> Batch {
        let task_id = self.spec.task_id.clone();
        let work = TaskWork { runs: self.runs, ..plan::start(&self.plan, &self.spec, now) };
        let stamp = |line: Line| Stamped { id: line.id, at: line.at, event: NewEvent { session: line.session, body: line.event.into() } };
        let mut events: Vec<Stamped> = self.events.into_iter().map(stamp).collect();
        if self.status == TaskStatus::Active && work.next_due.is_none() && work.extra_at.is_none() {
            // It would wait for ever: nothing wakes it, so nothing would complete it.
            let reason = "its last time had passed when it was imported".to_owned();
            let body = TaskEvent::new(task_id.clone(), TaskFact::TaskCompleted { reason }).into();
            let event = NewEvent { session: None, body };
            events.push(Stamped { id: EventId::generate(), at: now.max(self.last_at), event });
        }
        if self.spec.agreed.is_some() {
            // What somebody agreed to elsewhere is no word on what may run here.
            let spec = Box::new(TaskSpec { agreed: None, ..self.spec });
            let body = TaskEvent::new(task_id.clone(), TaskFact::TaskUpdated { spec, changed: vec!["agreed".to_owned()] }).into();
            events.push(Stamped { id: EventId::generate(), at: now.max(self.last_at), event: NewEvent { session: None, body } });
        }
        let put = Op::PutWork { work: Box::new(work), extra_seen: None };
        Batch { events, expected: vec![(stream, 0)], fences: vec![Fence::Task(task_id, 0)], ops: vec![put] }
    }
}
