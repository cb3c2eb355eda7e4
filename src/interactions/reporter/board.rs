//! What the loops tell of themselves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use crate::bus::Recorder;
use crate::domain::event::{ErrorEvent, NewEvent};
use crate::domain::report::ReportState;
use crate::domain::text::{clean_line, ellipsis};

/// The longest sentence that is told, in characters.
const CHARS_MAX: usize = 300;

/// The source of its errors.
pub(super) const SOURCE: &str = "report";

#[derive(Debug, Default)]
struct Said {
    state: ReportState,
    via: Option<String>,
    problem: Option<String>,
    /// Who has the problem.
    owner: &'static str,
}

/// The problems of the queue and the log.
pub(super) const QUEUE: &str = "queue";

/// How the reports stand, for whoever asks.
#[derive(Debug, Default)]
pub(super) struct Board {
    said: Mutex<Said>,
    hurry: AtomicBool,
}

impl Board {
    pub(super) fn get(&self) -> (ReportState, Option<String>, Option<String>) {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        (said.state.clone(), said.via.clone(), said.problem.clone())
    }

    pub(super) fn set(&self, state: ReportState) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).state = state;
    }

    /// The transport in use.
    pub(super) fn set_via(&self, via: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.via.as_deref() != Some(via) {
            said.via = Some(via.to_owned());
        }
    }

    /// All is well again with `owner`, and so with the queue.
    pub(super) fn well(&self, owner: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.owner == owner || said.owner == QUEUE {
            said.problem = None;
        }
    }

    /// Tells a person of a problem, once for as long as it lasts.
    pub(super) fn say(&self, recorder: &dyn Recorder, owner: &'static str, problem: &str) {
        let problem = line(problem);
        {
            let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.problem.as_ref() == Some(&problem) {
                return;
            }
            (said.problem, said.owner) = (Some(problem.clone()), owner);
        }
        tell(recorder, &problem);
    }

    /// Somebody does not want to wait.
    pub(super) fn hurry(&self) {
        self.hurry.store(true, Ordering::Relaxed);
    }

    pub(super) fn take_hurry(&self) -> bool {
        self.hurry.swap(false, Ordering::Relaxed)
    }
}

/// A stranger's words as one short line.
pub(super) fn line(text: &str) -> String {
    ellipsis(&clean_line(text), CHARS_MAX).into_owned()
}

/// Tells a person something that is not stored.
pub(super) fn tell(recorder: &dyn Recorder, message: &str) {
    tracing::warn!(message, "reports");
    let details = json!({"hint": "`/report` and `wakeful report status` tell more"});
    recorder.emit(NewEvent::system(ErrorEvent { message: format!("reports: {message}"), source: SOURCE.to_owned(), details }));
}
