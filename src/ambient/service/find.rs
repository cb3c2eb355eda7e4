//! Finds the task that somebody means: by id, by the start of it, by its description.

use crate::ambient::service::{Error, TaskService, reach};
use crate::domain::event::words::short_id;
use crate::domain::ids::TaskId;
use crate::domain::task::TaskRow;
use crate::domain::text::{clean_line, ellipsis};
use crate::store::tasks::TaskFilter;

/// The shortest start of an id that names a task.
const PREFIX_CHARS_MIN: usize = 4;

/// The longest name that is looked for, in bytes.
const WANTED_BYTES_MAX: usize = 2_000;

/// Tasks that are compared with a name that fits none.
const COMPARED_MAX: usize = 1_000;

/// Candidates that an error lists.
const LISTED_MAX: usize = 5;

/// How near a description must be to be named in an error: 0 is nothing in common, 1 the same.
const NEAR: f64 = 0.7;

impl TaskService {
    /// The task that `wanted` means: its id, the start of it (at least 4 characters), or its exact description.
    ///
    /// # Errors
    /// When there is none that `user` may see, or more than one.
    pub async fn find(&self, wanted: &str, user: &str) -> Result<TaskRow, Error> {
        let wanted = wanted.trim();
        let store = self.inner.log.tasks();
        if wanted.is_empty() || wanted.len() > WANTED_BYTES_MAX {
            let hint = "give the id, the start of it or the exact description (`wakeful tasks list` shows them)".to_owned();
            return Err(Error::NotFound { wanted: ellipsis(&clean_line(wanted), 80).into_owned(), hint });
        }
        let named = TaskFilter { user_id: reach(user), named: Some(wanted.to_owned()), limit: Some(100), ..TaskFilter::default() };
        let mut rows = store.tasks(named).await?;
        if let Some(at) = rows.iter().position(|row| row.spec.task_id.as_str() == wanted) {
            return Ok(rows.swap_remove(at));
        }
        let long_enough = wanted.chars().count() >= PREFIX_CHARS_MIN;
        rows.retain(|row| row.spec.description == wanted || long_enough);
        match rows.len() {
            1 => Ok(rows.swap_remove(0)),
            0 => Err(self.not_found(wanted, user).await?),
            count => Err(Error::Ambiguous { wanted: ellipsis(&clean_line(wanted), 80).into_owned(), count, candidates: listed(&rows) }),
        }
    }

    /// The task of that very id, whoever owns it.
    pub(super) async fn row(&self, task: &TaskId) -> Result<TaskRow, Error> {
        let filter = TaskFilter { task_id: Some(task.clone()), ..TaskFilter::default() };
        let row = self.inner.log.tasks().tasks(filter).await?.into_iter().next();
        let hint = "it may have been deleted (`wakeful tasks list`)".to_owned();
        row.ok_or_else(|| Error::NotFound { wanted: task.to_string(), hint })
    }

    async fn not_found(&self, wanted: &str, user: &str) -> Result<Error, Error> {
        let filter = TaskFilter { user_id: reach(user), limit: Some(COMPARED_MAX), ..TaskFilter::default() };
        let rows = self.inner.log.tasks().tasks(filter).await?;
        let lower = wanted.to_lowercase();
        let mut near: Vec<(f64, TaskRow)> =
            rows.into_iter().map(|row| (likeness(&lower, &row), row)).filter(|(like, _)| *like >= NEAR).collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0));
        let near: Vec<TaskRow> = near.into_iter().map(|(_, row)| row).take(LISTED_MAX).collect();
        let hint = if near.is_empty() { "`wakeful tasks list` shows them".to_owned() } else { format!("did you mean {}?", listed(&near)) };
        Ok(Error::NotFound { wanted: ellipsis(&clean_line(wanted), 80).into_owned(), hint })
    }
}

/// How like a name is to a task: all of it in the description or the id counts most.
fn likeness(wanted: &str, row: &TaskRow) -> f64 {
    let description = row.spec.description.to_lowercase();
    if description.contains(wanted) || row.spec.task_id.as_str().starts_with(wanted) {
        return 1.0;
    }
    strsim::jaro_winkler(wanted, &description)
}

fn listed(rows: &[TaskRow]) -> String {
    let one = |row: &TaskRow| format!("`{}` ({})", short_id(row.spec.task_id.as_str()), ellipsis(&clean_line(&row.spec.description), 40));
    let mut out = rows.iter().take(LISTED_MAX).map(one).collect::<Vec<_>>().join(", ");
    if rows.len() > LISTED_MAX {
        out.push_str(", …");
    }
    out
}
