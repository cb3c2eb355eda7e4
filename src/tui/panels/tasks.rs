//! The background tasks: what was asked of the program, kept fresh by what happens.
//!
//! An event changes a row at once; what no event tells (a quiet check, the next run) comes with the next answer. While
//! something is due or runs the program is asked again now and then, ever more rarely.

pub mod detail;
pub mod rows;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::time::Duration;

use crate::domain::clock::Instant;
use crate::domain::event::TaskEvent;
use crate::domain::event::words::short_id;
use crate::domain::ids::TaskId;
use crate::domain::query::{AmbientStatus, Sample, TaskDetail};
use crate::domain::task::{OutcomeCounts, TaskFact, TaskKind, TaskRow, TaskStatus};
use crate::domain::text::{clean_line, ellipsis};
use crate::tui::panels::picker::Input;

/// Tasks that are kept; more are only counted.
const TASKS_MAX: usize = 5_000;

/// Watched values whose readings are asked for, to be drawn in the list.
const SPARKS_MAX: usize = 20;

/// Tasks that an error names.
const NAMED_MAX: usize = 4;

/// While something is due or runs, the first look comes after this.
const LOOK_FIRST: Duration = Duration::from_secs(2);

/// And the further ones at the longest this far apart.
const LOOK_LAST: Duration = Duration::from_mins(1);

/// What an empty panel offers: one of each kind of request.
pub const EXAMPLES: [&str; 3] = [
    "Monitor TechCrunch for AI news every 30 minutes and text me at +1234567890",
    "Send me a digest of TechCrunch and Hacker News every morning at 8 by SMS to +1234567890",
    "Remind me every day at 9 to check the project status by SMS to +1234567890",
];

/// The part of a task's page that comes first on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The chain of its last run.
    Why,
    /// The last change of what it watches.
    Diff,
    /// Its events.
    History,
}

/// The page of one task.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Which task.
    pub task: TaskId,
    /// What came, or why nothing came; nothing yet where absent.
    pub detail: Option<Result<TaskDetail, String>>,
    /// Rows above the window.
    pub scroll: usize,
    /// The part that is to come first, until it was scrolled to.
    pub section: Option<Section>,
    /// Whether an answer would tell something new.
    pub stale: bool,
}

/// The background tasks.
#[derive(Debug, Clone, Default)]
pub struct TasksPanel {
    /// The worst first, then by the next run.
    rows: Vec<TaskRow>,
    /// The scheduler as a whole.
    pub status: AmbientStatus,
    /// The chosen task.
    chosen: Option<TaskId>,
    /// Only tasks that hold all these words are listed.
    pub filter: String,
    /// The filter being typed.
    pub typing: Option<Input>,
    /// The task that is deleted if the answer is yes.
    pub deleting: Option<TaskId>,
    /// The page that is open.
    pub page: Option<Page>,
    /// Readings by task, and the run they were asked after.
    samples: HashMap<TaskId, (u64, Vec<Sample>)>,
    /// Whether an answer ever came.
    pub known: bool,
    /// Whether an answer would tell something new.
    pub stale: bool,
    /// Whether an answer is on its way.
    pub asking: bool,
    /// The task whose particulars are on their way.
    pub asking_detail: Option<TaskId>,
    /// When to ask again without a reason from outside, and the wait before that.
    look: Option<(Instant, Duration)>,
}

impl TasksPanel {
    /// All tasks.
    pub fn rows(&self) -> &[TaskRow] {
        &self.rows
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.status.total_tasks.max(u64::try_from(self.rows.len()).unwrap_or(0))
    }

    /// Whether one has failed or fails.
    pub fn is_troubled(&self) -> bool {
        self.rows.first().is_some_and(|row| rank(row) <= 1)
    }

    /// Those that pass the filter.
    pub fn listed(&self) -> Vec<&TaskRow> {
        let text = self.typing.as_ref().map_or(self.filter.as_str(), |input| input.text.as_str());
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        self.rows.iter().filter(|row| words.iter().all(|word| holds(row, word))).collect()
    }

    /// The position of the chosen task among the listed ones.
    pub fn position(&self) -> usize {
        let chosen = self.chosen.as_ref();
        self.listed().iter().position(|row| Some(&row.spec.task_id) == chosen).unwrap_or(0)
    }

    /// The chosen task; that of the open page where one is open.
    pub fn current(&self) -> Option<&TaskRow> {
        if let Some(page) = &self.page {
            return self.row(&page.task);
        }
        self.listed().get(self.position()).copied()
    }

    /// The task with this id.
    pub fn row(&self, task: &TaskId) -> Option<&TaskRow> {
        self.rows.iter().find(|row| row.spec.task_id == *task)
    }

    /// Moves the choice.
    pub fn step(&mut self, step: isize) {
        let listed = self.listed();
        let at = self.position().saturating_add_signed(step).min(listed.len().saturating_sub(1));
        self.chosen = listed.get(at).map(|row| row.spec.task_id.clone());
    }

    /// Chooses the listed task at a position; whether it was the chosen one already.
    pub fn choose(&mut self, at: usize) -> bool {
        let before = self.position();
        if let Some(row) = self.listed().get(at) {
            self.chosen = Some(row.spec.task_id.clone());
            return before == at;
        }
        false
    }

    /// Chooses the first task.
    pub fn choose_first(&mut self) {
        self.chosen = self.listed().first().map(|row| row.spec.task_id.clone());
    }

    /// Opens the page of a task.
    pub fn open(&mut self, task: TaskId, section: Option<Section>) {
        self.chosen = Some(task.clone());
        match &mut self.page {
            Some(page) if page.task == task => page.section = section,
            _ => self.page = Some(Page { task, detail: None, scroll: 0, section, stale: true }),
        }
    }

    /// The answer of the program.
    pub fn fill(&mut self, rows: Vec<TaskRow>, status: AmbientStatus) {
        self.rows = rows;
        self.status = status;
        self.known = true;
        self.sort();
        // A choice must not pass to another task because the order changes.
        if self.chosen.as_ref().is_none_or(|task| self.row(task).is_none()) {
            self.choose_first();
        }
        let rows = &self.rows;
        self.samples.retain(|task, _| rows.iter().any(|row| row.spec.task_id == *task));
        if self.page.as_ref().is_some_and(|page| self.row(&page.task).is_none()) {
            self.page = None;
        }
        self.deleting.take_if(|task| !rows.iter().any(|row| row.spec.task_id == *task));
    }

    fn sort(&mut self) {
        self.rows.sort_by(order);
        self.rows.truncate(TASKS_MAX);
    }

    /// Whether an answer says nothing new.
    pub fn is_same(&self, rows: &[TaskRow], status: &AmbientStatus) -> bool {
        let mut sorted: Vec<&TaskRow> = rows.iter().collect();
        sorted.sort_by(|a, b| order(a, b));
        self.known && self.status == *status && sorted.len() == self.rows.len() && sorted.into_iter().eq(&self.rows)
    }

    /// The particulars of a task came, or did not.
    pub fn fill_detail(&mut self, task: &TaskId, result: Result<TaskDetail, String>) {
        self.asking_detail.take_if(|asked| asked == task);
        let runs = self.row(task).map_or(0, runs);
        let samples = result.as_ref().map(|detail| detail.samples.clone()).unwrap_or_default();
        self.samples.insert(task.clone(), (runs, samples));
        if let Some(page) = self.page.as_mut().filter(|page| page.task == *task) {
            page.detail = Some(result);
        }
    }

    /// The readings of a task, as far as they were asked for.
    pub fn samples(&self, task: &TaskId) -> &[Sample] {
        self.samples.get(task).map_or(&[], |(_, samples)| samples)
    }

    /// The task whose particulars are wanted next; `listed` tells whether the list is on the screen.
    pub fn wanted(&mut self, listed: bool) -> Option<TaskId> {
        if self.asking_detail.is_some() || !listed {
            return None;
        }
        if let Some(page) = self.page.as_mut().filter(|page| page.stale) {
            page.stale = false;
            self.asking_detail = Some(page.task.clone());
        } else if self.page.is_none() {
            let watches = self.rows.iter().filter(|row| row.spec.kind.kind() == TaskKind::ThresholdWatch).take(SPARKS_MAX);
            let old = |row: &&TaskRow| self.samples.get(&row.spec.task_id).is_none_or(|(seen, _)| *seen != runs(row));
            self.asking_detail = watches.into_iter().find(old).map(|row| row.spec.task_id.clone());
        }
        self.asking_detail.clone()
    }

    /// Folds what happened to a task at `at`.
    pub fn apply(&mut self, event: &TaskEvent, at: Instant) {
        self.stale = true;
        if let Some(page) = self.page.as_mut().filter(|page| page.task == event.task_id) {
            page.stale = true;
        }
        if let TaskFact::TaskDeleted {} = event.fact {
            self.rows.retain(|row| row.spec.task_id != event.task_id);
            self.page.take_if(|page| page.task == event.task_id);
            return;
        }
        if let TaskFact::TaskCreated { spec } = &event.fact
            && self.row(&event.task_id).is_none()
        {
            self.rows.push(fresh(spec.as_ref().clone(), at));
        }
        let Some(row) = self.rows.iter_mut().find(|row| row.spec.task_id == event.task_id) else { return };
        row.updated_at = at;
        if let TaskFact::TaskUpdated { spec, .. } = &event.fact {
            row.spec = spec.as_ref().clone();
        }
        row.settle_status(&event.fact);
        self.sort();
    }

    /// Asks again soon: something was started that no event may tell of.
    pub fn look_soon(&mut self, now: Instant) {
        self.look = Some((now.plus(LOOK_FIRST / 2), LOOK_FIRST / 2));
    }

    /// Time passed: whether an answer is due for what moves without an event.
    pub fn watch(&mut self, now: Instant) {
        let moving = self.rows.iter().any(|row| rows::is_moving(row, now));
        match self.look {
            Some((at, wait)) if at <= now => {
                self.stale = true;
                let wait = (wait * 2).min(LOOK_LAST);
                self.look = moving.then(|| (now.plus(wait), wait));
            }
            None if moving => self.look = Some((now.plus(LOOK_FIRST), LOOK_FIRST)),
            _ => {}
        }
    }

    /// When the first `shown` rows look different, or an answer is due.
    pub fn next_change(&self, now: Instant, shown: usize) -> Option<Instant> {
        let counts = self.rows.iter().take(shown).filter_map(|row| rows::next_change(row, now));
        counts.chain(self.look.map(|(at, _)| at)).min()
    }

    /// The task that `wanted` means: its id or the start of it, its description or words of it.
    ///
    /// # Errors
    /// When it is none, or more than one; the error names what there is.
    pub fn find(&self, wanted: &str) -> Result<&TaskRow, String> {
        let lower = wanted.trim().to_lowercase();
        let shown = ellipsis(&clean_line(wanted), 40).into_owned();
        let exact = self.rows.iter().find(|row| row.spec.task_id.as_str() == lower || row.spec.description.to_lowercase() == lower);
        if let Some(row) = exact {
            return Ok(row);
        }
        let words: Vec<&str> = lower.split_whitespace().collect();
        let by_id: Vec<&TaskRow> = self.rows.iter().filter(|row| row.spec.task_id.as_str().starts_with(&lower)).collect();
        let found = if by_id.is_empty() || lower.is_empty() {
            self.rows.iter().filter(|row| words.iter().all(|word| holds(row, word))).collect()
        } else {
            by_id
        };
        match found.as_slice() {
            [row] => Ok(row),
            [] if self.rows.is_empty() => Err("there are no tasks yet; ask for one in your own words".to_owned()),
            [] => Err(format!("no task `{shown}`: there {}", named(&self.rows.iter().collect::<Vec<_>>()))),
            many => Err(format!("`{shown}` could be more than one task: there {}", named(many))),
        }
    }
}

/// `is `1a2b…` TechCrunch`, `are …`.
fn named(rows: &[&TaskRow]) -> String {
    let one = |row: &&TaskRow| format!("`{}` {}", short_id(row.spec.task_id.as_str()), ellipsis(&clean_line(&row.spec.description), 24));
    let names: Vec<_> = rows.iter().take(NAMED_MAX).map(one).collect();
    let more = if rows.len() > NAMED_MAX { format!(", +{} more", rows.len() - NAMED_MAX) } else { String::new() };
    format!("{} {}{more}", if rows.len() == 1 { "is" } else { "are" }, names.join(", "))
}

fn holds(row: &TaskRow, word: &str) -> bool {
    let kind = row.spec.kind.kind().as_str();
    let id = row.spec.task_id.as_str();
    kind.contains(word) || row.status.as_str().contains(word) || id.starts_with(word) || row.spec.description.to_lowercase().contains(word)
}

fn runs(row: &TaskRow) -> u64 {
    row.work.as_ref().map_or(0, |work| work.runs)
}

/// What needs a look comes first, what rests last.
fn rank(row: &TaskRow) -> u8 {
    match row.status {
        TaskStatus::Failed => 0,
        TaskStatus::Active if row.work.as_ref().is_some_and(|work| work.failures > 0) => 1,
        TaskStatus::Active => 2,
        TaskStatus::Paused => 3,
        TaskStatus::Completed => 4,
    }
}

fn order(a: &TaskRow, b: &TaskRow) -> Ordering {
    let wake = |row: &TaskRow| row.work.as_ref().and_then(|work| work.wake).map_or(i64::MAX, Instant::as_millis);
    let key = |row: &TaskRow| (rank(row), wake(row), row.spec.created_at);
    key(a).cmp(&key(b)).then_with(|| a.spec.task_id.as_str().cmp(b.spec.task_id.as_str()))
}

/// A task of which only its making is known.
fn fresh(spec: crate::domain::task::TaskSpec, at: Instant) -> TaskRow {
    TaskRow {
        spec,
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
