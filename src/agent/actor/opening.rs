//! How a session comes into memory: made, forked, or loaded from the log and repaired.

use std::sync::Arc;

use crate::agent::actor::Actor;
use crate::agent::engine::Shared;
use crate::agent::history::State;
use crate::bus::RecordError;
use crate::domain::command::SessionOptions;
use crate::domain::event::{Event, EventBody, Fork, NewEvent, SessionEvent};
use crate::domain::ids::{Seq, SessionId};
use crate::domain::text::{clean_line, ellipsis};

/// The longest title, in characters.
const TITLE_CHARS_MAX: usize = 200;

/// How a session is opened.
pub(in crate::agent) enum Opening {
    /// It is made.
    New(SessionOptions),
    /// It is made as another one stood.
    Fork { from: SessionId, upto: Option<Seq> },
    /// It is in the log.
    Load,
}

/// A title as it is stored; `None` where nothing is left of it.
pub(super) fn title(text: &str) -> Option<String> {
    let line = clean_line(text);
    (!line.is_empty()).then(|| ellipsis(&line, TITLE_CHARS_MAX).into_owned())
}

impl Actor {
    /// Opens the session `id`; a reason fit for a screen where that fails.
    pub(super) async fn open(shared: Arc<Shared>, id: SessionId, opening: Opening) -> Result<Self, String> {
        let claim = shared.deps.locks.claim(&id)?;
        let events = stored(&shared, &id).await?;
        let bytes_max = shared.deps.options.tool_result_bytes_max;
        let mut actor = Self::new(Arc::clone(&shared), id.clone(), State::fold(&events, bytes_max));
        actor.claim = Some(claim);
        if actor.state.exists {
            actor.repair().await.map_err(|error| error.to_string())?;
            return Ok(actor);
        }
        let bodies = match opening {
            Opening::Load => return Err(format!("there is no session `{id}`")),
            Opening::New(options) => new(&shared, options),
            Opening::Fork { from, upto } => {
                let mut events = stored(&shared, &from).await?;
                events.retain(|event| upto.is_none_or(|upto| event.seq <= Some(upto)));
                actor.state = State::fold(&events, bytes_max);
                if !actor.state.exists {
                    return Err(format!("there is no session `{from}` to fork"));
                }
                fork(&actor.state, from)
            }
        };
        actor.outbox.extend(bodies);
        actor.flush().await.map_err(|error| error.to_string())?;
        Ok(actor)
    }

    /// Closes what a crash left open, before anything else happens; then what was queued goes on.
    async fn repair(&mut self) -> Result<(), RecordError> {
        let bodies = self.state.recovery();
        self.outbox.extend(bodies);
        self.flush().await?;
        self.go_on_due = true;
        Ok(())
    }
}

async fn stored(shared: &Shared, id: &SessionId) -> Result<Vec<Arc<Event>>, String> {
    let events = shared.deps.reader.session_events(id.clone()).await;
    events.map_err(|error| format!("could not read the session `{id}`: {error}"))
}

fn new(shared: &Shared, options: SessionOptions) -> Vec<EventBody> {
    let models = &shared.deps.models;
    let wanted = options.model.as_deref().unwrap_or(models.default_id());
    // A model that cannot be found is told when it is asked, where the user can choose another.
    let model = models.resolve(wanted, None).map_or_else(|_| wanted.to_owned(), |found| found.id());
    let mode = options.mode.unwrap_or(shared.deps.options.mode);
    let cwd = options.cwd.unwrap_or_else(|| shared.deps.cwd.clone());
    let created = SessionEvent::Created { cwd, model, mode, fork: None };
    let renamed = options.title.as_deref().and_then(title).map(|title| SessionEvent::Renamed { title });
    std::iter::once(created).chain(renamed).map(EventBody::from).collect()
}

fn fork(source: &State, from: SessionId) -> Vec<EventBody> {
    let fork = Some(Fork { session: from, upto: source.last_seq });
    vec![SessionEvent::Created { cwd: source.cwd.clone(), model: source.model.clone(), mode: source.mode, fork }.into()]
}

impl Actor {
    /// Records one event at once.
    pub(super) fn say(&mut self, body: impl Into<EventBody>) {
        self.outbox.push(body.into());
    }

    /// Shows an event without storing it.
    pub(super) fn emit(&self, body: EventBody) {
        self.shared.deps.recorder.emit(NewEvent::of(&self.id, body));
    }
}
