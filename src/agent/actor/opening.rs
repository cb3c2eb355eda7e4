//! How a session comes into memory: made, forked, or loaded from the log and repaired.

use std::sync::Arc;

use crate::agent::actor::Actor;
use crate::agent::engine::Shared;
use crate::agent::history::State;
use crate::bus::RecordError;
use crate::domain::command::SessionOptions;
use crate::domain::event::{EventBody, Fork, NewEvent, SessionEvent, Status};
use crate::domain::ids::{Seq, SessionId};
use crate::domain::query::SessionPage;
use crate::domain::text::{clean_line, ellipsis};

/// The longest title, in characters.
const TITLE_CHARS_MAX: usize = 200;

/// Bytes of a session that are read at once.
const PART_BYTES: usize = 1_024 * 1_024;

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
        let state = stored(&shared, &id, None).await?;
        let mut actor = Self::new(Arc::clone(&shared), id.clone(), state);
        actor.claim = Some(claim);
        if actor.state.exists {
            actor.repair().await.map_err(|error| error.to_string())?;
            return Ok(actor);
        }
        let bodies = match opening {
            Opening::Load => return Err(format!("there is no session `{id}`")),
            Opening::New(options) => new(&shared, options),
            Opening::Fork { from, upto } => {
                actor.state = stored(&shared, &from, upto).await?;
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

/// A session as it stood after `upto`, folded part by part: what makes it up may be much larger than what is kept of it.
async fn stored(shared: &Shared, id: &SessionId, upto: Option<Seq>) -> Result<State, String> {
    let mut state = State::bounded(shared.deps.options.tool_result_bytes_max);
    let before = upto.map(|upto| Seq(upto.0.saturating_add(1)));
    let mut page = SessionPage { before, ..SessionPage::first(id.clone(), PART_BYTES) };
    loop {
        let part = shared.deps.reader.session_page(page.clone()).await;
        let part = part.map_err(|error| format!("could not read the session `{id}`: {error}"))?;
        for event in &part.events {
            state.apply(event);
        }
        page.after = part.events.last().and_then(|event| event.seq);
        if !part.more || page.after.is_none() {
            break;
        }
    }
    complete(shared, id, &mut state).await?;
    Ok(state)
}

/// Reads again what a rewind made recent and was shortened before.
pub(super) async fn complete(shared: &Shared, id: &SessionId, state: &mut State) -> Result<(), String> {
    let Some((first, last)) = state.missing() else { return Ok(()) };
    let mut page = SessionPage {
        types: vec!["tool_execution".to_owned(), "handoff_call".to_owned()],
        after: Some(Seq(first.0.saturating_sub(1))),
        before: Some(Seq(last.0.saturating_add(1))),
        ..SessionPage::first(id.clone(), PART_BYTES)
    };
    let mut ended = Vec::new();
    loop {
        let part = shared.deps.reader.session_page(page.clone()).await;
        let part = part.map_err(|error| format!("could not read the session `{id}`: {error}"))?;
        page.after = part.events.last().and_then(|event| event.seq);
        ended.extend(part.events.into_iter().filter(|event| is_end(&event.body)));
        if !part.more || page.after.is_none() {
            break;
        }
    }
    state.restore(ended);
    Ok(())
}

/// Whether it is the end of a call.
fn is_end(body: &EventBody) -> bool {
    match body {
        EventBody::ToolExecution(data) => data.status != Status::Started,
        EventBody::HandoffCall(data) => data.status != Status::Started,
        _ => false,
    }
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
