//! Why the task service could not do what was asked, with the way out.

use crate::ambient::plan::PlanError;
use crate::ambient::spec::SpecError;
use crate::domain::text::with_causes;
use crate::store;

/// Why the task service could not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field of the request is no good.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The task's own spec cannot be planned: it was made by another version, or by hand.
    #[error("the task `{task}` cannot be planned; change what is wrong with `wakeful tasks update {task}`")]
    Plan {
        /// Which task.
        task: String,
        /// What is wrong.
        #[source]
        source: PlanError,
    },
    /// There is no such task.
    #[error("`task_id`: no task `{wanted}`; {hint}")]
    NotFound {
        /// What was looked for.
        wanted: String,
        /// The nearest, or how to list them.
        hint: String,
    },
    /// Several tasks go by that name.
    #[error("`task_id`: `{wanted}` may be {count} tasks; give the id, or more of it: {candidates}")]
    Ambiguous {
        /// What was looked for.
        wanted: String,
        /// How many were found.
        count: usize,
        /// The first of them, ids and descriptions.
        candidates: String,
    },
    /// There is no such entry of the inbox.
    #[error("no entry `{wanted}` in the inbox; `wakeful inbox --all` lists them")]
    NoItem {
        /// What was looked for.
        wanted: String,
    },
    /// The task, the entry or the notice does not stand so that this can be done.
    #[error("`{what}` {state}; {hint}")]
    NotNow {
        /// Which.
        what: String,
        /// How it stands.
        state: String,
        /// What to do instead.
        hint: String,
    },
    /// Others changed the task each time just before.
    #[error("`{task}` was changed by somebody else {tries} times in a row; try again")]
    Contended {
        /// Which task.
        task: String,
        /// How often it was tried.
        tries: usize,
    },
    /// There are too many tasks.
    #[error("there are {limit} tasks already, which is the most; delete some that are done (`wakeful tasks list`)")]
    Full {
        /// How many there may be.
        limit: usize,
    },
    /// A line of an import is no good. Nothing was imported.
    #[error("line {line}: {reason}; nothing was imported")]
    BadLine {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// The file that is read or written gave an error.
    #[error("could not {doing}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The part that would do it said no, or is not there.
    #[error("{0}")]
    Elsewhere(String),
    /// The log could not be read or written.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    /// The field of the request that is no good, where it is one.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Spec(error) => Some(&error.field),
            Self::NotFound { .. } | Self::Ambiguous { .. } => Some("task_id"),
            _ => None,
        }
    }

    /// What kind of failure it is, for programs; none where a field is no good.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Spec(_) | Self::BadLine { .. } => None,
            Self::NotFound { .. } | Self::NoItem { .. } => Some("not_found"),
            Self::Ambiguous { .. } => Some("ambiguous"),
            Self::Plan { .. } | Self::NotNow { .. } | Self::Elsewhere(_) => Some("not_now"),
            Self::Contended { .. } => Some("contended"),
            Self::Full { .. } => Some("full"),
            Self::Io { .. } | Self::Store(_) => Some("failed"),
        }
    }

    /// This error with all its causes, in one line.
    pub fn report(&self) -> String {
        with_causes(self)
    }
}
