//! The projections that a group touches: read before it, folded in memory, written after it.

use std::collections::{HashMap, HashSet};

use tokio_postgres::Row;

use crate::domain::clock::Instant;
use crate::domain::event::{Event, EventBody};
use crate::domain::ids::{InboxId, Seq, SessionId, TaskId};
use crate::domain::notice::InboxRow;
use crate::domain::task::{TaskRow, TaskStatus};
use crate::store::postgres::link::{Failure, Pipeline, values};
use crate::store::postgres::read::{self, count, number};
use crate::store::projection::inbox::{self, InboxEntry};
use crate::store::projection::session::SessionRow;
use crate::store::projection::task::{self, Standing, TaskEntry};

/// Rows that one statement writes at most.
const ROWS_MAX: usize = 5_000;

/// Rows by their identity; a row that is loaded and gone is `None`.
#[derive(Debug, Default)]
pub(super) struct Projections {
    sessions: HashMap<SessionId, SessionRow>,
    tasks: HashMap<TaskId, Option<TaskEntry>>,
    inbox: HashMap<InboxId, Option<InboxEntry>>,
    changed_sessions: HashSet<SessionId>,
    changed_tasks: HashSet<TaskId>,
    changed_inbox: HashSet<InboxId>,
}

/// Which rows a group touches.
#[derive(Debug, Default)]
pub(super) struct Touched {
    pub(super) sessions: HashSet<SessionId>,
    pub(super) tasks: HashSet<TaskId>,
    pub(super) inbox: HashSet<InboxId>,
}

impl Touched {
    pub(super) fn add(&mut self, event: &Event) {
        match &event.body {
            EventBody::TaskEvent(task) => drop(self.tasks.insert(task.task_id.clone())),
            EventBody::InboxEvent(item) => drop(self.inbox.insert(inbox::item_of(item).clone())),
            _ => {
                self.sessions.extend(event.session.clone());
                self.sessions.extend(SessionRow::parent(event).cloned());
            }
        }
    }
}

impl Projections {
    pub(super) fn take_sessions(&mut self, rows: &[Row]) -> Result<(), Failure> {
        for row in rows {
            let row = read::session_row(row)?;
            self.sessions.insert(row.id.clone(), row);
        }
        Ok(())
    }

    pub(super) fn take_tasks(&mut self, rows: &[Row]) -> Result<(), Failure> {
        for row in rows {
            let entry = task_entry(row)?;
            self.tasks.insert(entry.row.spec.task_id.clone(), Some(entry));
        }
        Ok(())
    }

    pub(super) fn take_inbox(&mut self, rows: &[Row]) -> Result<(), Failure> {
        for row in rows {
            let entry = inbox_entry(row)?;
            self.inbox.insert(entry.row.item.item_id.clone(), Some(entry));
        }
        Ok(())
    }

    /// Takes in `event`, which stands at `seq` and at `version` of its stream. What it touches was loaded.
    pub(super) fn apply(&mut self, event: &Event, body: &EventBody, seq: Seq, version: u64) {
        match body {
            EventBody::TaskEvent(fact) => {
                let entry = self.tasks.entry(fact.task_id.clone()).or_default();
                task::fold(entry, fact, Standing { seq, version, at: event.at });
                self.changed_tasks.insert(fact.task_id.clone());
            }
            EventBody::InboxEvent(fact) => {
                let id = inbox::item_of(fact);
                inbox::fold(self.inbox.entry(id.clone()).or_default(), fact, seq);
                self.changed_inbox.insert(id.clone());
            }
            _ => self.apply_session(event, seq),
        }
    }

    fn apply_session(&mut self, event: &Event, seq: Seq) {
        let Some(id) = &event.session else { return };
        let parent_title = SessionRow::parent(event).and_then(|parent| self.sessions.get(parent)).map(|row| row.title.clone());
        let row = self.sessions.entry(id.clone()).or_insert_with(|| SessionRow::new(id.clone(), event.at));
        row.apply(event, seq, parent_title.as_deref());
        self.changed_sessions.insert(id.clone());
    }

    /// Whether the task runs when it is due; `None`: there is no such task.
    pub(super) fn is_active(&self, task: &TaskId) -> Option<bool> {
        self.tasks.get(task)?.as_ref().map(|entry| entry.row.status == TaskStatus::Active)
    }

    /// Writes what changed.
    pub(super) async fn save(&self, pipeline: &mut Pipeline<'_>) -> Result<(), Failure> {
        self.save_sessions(pipeline).await;
        self.save_tasks(pipeline).await?;
        self.save_inbox(pipeline).await
    }

    async fn save_sessions(&self, pipeline: &mut Pipeline<'_>) {
        let rows: Vec<&SessionRow> = self.changed_sessions.iter().filter_map(|id| self.sessions.get(id)).collect();
        for rows in rows.chunks(ROWS_MAX) {
            let text = |part: fn(&SessionRow) -> &str| rows.iter().map(|row| part(row).to_owned()).collect::<Vec<_>>();
            let int = |part: fn(&SessionRow) -> i64| rows.iter().map(|row| part(row)).collect::<Vec<_>>();
            let forks = rows.iter().map(|row| row.fork.as_ref());
            let (from, upto): (Vec<_>, Vec<_>) =
                forks.map(|fork| fork.map(|fork| (fork.session.as_str().to_owned(), number(fork.upto.0))).unzip()).unzip();
            pipeline
                .send(
                    "INSERT INTO sessions (id, title, created_ms, updated_ms, prompts, model, cwd, forked_from, fork_upto, last_seq)
                     SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[],
                         $8::text[], $9::bigint[], $10::bigint[])
                     ON CONFLICT (id) DO UPDATE SET title = excluded.title, created_ms = excluded.created_ms,
                         updated_ms = excluded.updated_ms, prompts = excluded.prompts, model = excluded.model, cwd = excluded.cwd,
                         forked_from = excluded.forked_from, fork_upto = excluded.fork_upto, last_seq = excluded.last_seq",
                    values![
                        text(|row| row.id.as_str()),
                        text(|row| &row.title).iter().map(|title| plain(title)).collect::<Vec<_>>(),
                        int(|row| row.created.as_millis()),
                        int(|row| row.updated.as_millis()),
                        int(|row| number(row.prompts)),
                        text(|row| &row.model).iter().map(|model| plain(model)).collect::<Vec<_>>(),
                        text(|row| &row.cwd).iter().map(|cwd| plain(cwd)).collect::<Vec<_>>(),
                        from,
                        upto,
                        int(|row| number(row.last_seq.0)),
                    ],
                )
                .await;
        }
    }

    async fn save_tasks(&self, pipeline: &mut Pipeline<'_>) -> Result<(), Failure> {
        let gone: Vec<String> = ids_of_gone(&self.changed_tasks, |id| self.tasks.get(id).is_some_and(Option::is_none));
        if !gone.is_empty() {
            pipeline.send("DELETE FROM tasks WHERE id = ANY($1)", values![gone]).await;
        }
        let entries: Vec<&TaskEntry> = self.changed_tasks.iter().filter_map(|id| self.tasks.get(id)?.as_ref()).collect();
        for entries in entries.chunks(ROWS_MAX) {
            let text = |part: fn(&TaskRow) -> String| entries.iter().map(|entry| part(&entry.row)).collect::<Vec<_>>();
            let rows = entries.iter().map(|entry| to_json("tasks", &entry.row)).collect::<Result<Vec<_>, _>>()?;
            pipeline
                .send(
                    "INSERT INTO tasks (id, seq, user_id, kind, description, status, row)
                     SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
                     ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, user_id = excluded.user_id, kind = excluded.kind,
                         description = excluded.description, status = excluded.status, row = excluded.row",
                    values![
                        text(|row| row.spec.task_id.as_str().to_owned()),
                        entries.iter().map(|entry| number(entry.seq.0)).collect::<Vec<_>>(),
                        text(|row| plain(&row.spec.user_id)),
                        text(|row| row.spec.kind.kind().as_str().to_owned()),
                        text(|row| plain(&row.spec.description)),
                        text(|row| row.status.as_str().to_owned()),
                        rows,
                    ],
                )
                .await;
        }
        Ok(())
    }

    async fn save_inbox(&self, pipeline: &mut Pipeline<'_>) -> Result<(), Failure> {
        let entries: Vec<&InboxEntry> = self.changed_inbox.iter().filter_map(|id| self.inbox.get(id)?.as_ref()).collect();
        for entries in entries.chunks(ROWS_MAX) {
            let rows = entries.iter().map(|entry| to_json("inbox", &entry.row)).collect::<Result<Vec<_>, _>>()?;
            pipeline
                .send(
                    "INSERT INTO inbox (id, seq, unread, archived, snoozed_ms, row)
                     SELECT * FROM unnest($1::text[], $2::bigint[], $3::boolean[], $4::boolean[], $5::bigint[], $6::text[])
                     ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, unread = excluded.unread, archived = excluded.archived,
                         snoozed_ms = excluded.snoozed_ms, row = excluded.row",
                    values![
                        entries.iter().map(|entry| entry.row.item.item_id.as_str().to_owned()).collect::<Vec<_>>(),
                        entries.iter().map(|entry| number(entry.seq.0)).collect::<Vec<_>>(),
                        entries.iter().map(|entry| entry.row.unread).collect::<Vec<_>>(),
                        entries.iter().map(|entry| entry.row.archived).collect::<Vec<_>>(),
                        entries.iter().map(|entry| entry.row.snoozed_until.map(Instant::as_millis)).collect::<Vec<_>>(),
                        rows,
                    ],
                )
                .await;
        }
        Ok(())
    }
}

fn ids_of_gone(changed: &HashSet<TaskId>, gone: impl Fn(&TaskId) -> bool) -> Vec<String> {
    changed.iter().filter(|id| gone(id)).map(|id| id.as_str().to_owned()).collect()
}

/// Text for a column that is searched: PostgreSQL's text holds no U+0000.
pub(super) fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The rows of these tasks.
pub(super) const TASKS_BY_ID: &str = "SELECT seq, row FROM tasks WHERE id = ANY($1)";

/// The rows of these entries.
pub(super) const INBOX_BY_ID: &str = "SELECT seq, row FROM inbox WHERE id = ANY($1)";

/// Reads a row that starts with `seq, row` of a task.
pub(super) fn task_entry(row: &Row) -> Result<TaskEntry, Failure> {
    let task: TaskRow = from_json("tasks", row.try_get(1)?)?;
    Ok(TaskEntry { seq: Seq(count(row.try_get(0)?)), row: task })
}

/// Reads a row of `seq, row` of an entry.
pub(super) fn inbox_entry(row: &Row) -> Result<InboxEntry, Failure> {
    let item: InboxRow = from_json("inbox", row.try_get(1)?)?;
    Ok(InboxEntry { seq: Seq(count(row.try_get(0)?)), row: item })
}

pub(super) fn to_json(table: &'static str, value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|source| Failure::Row { table, source })
}

pub(super) fn from_json<T: serde::de::DeserializeOwned>(table: &'static str, text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|source| Failure::Row { table, source })
}
