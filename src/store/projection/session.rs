//! The list of sessions as a fold of their events.

use crate::domain::clock::Instant;
use crate::domain::event::{Chat, ChatStatus, Event, EventBody, Fork, SessionEvent};
use crate::domain::ids::{Seq, SessionId};
use crate::domain::message::Role;
use crate::domain::query::SessionSummary;
use crate::domain::text::{clean_line, ellipsis};

/// The longest title that is made from a message, in characters.
const TITLE_CHARS_MAX: usize = 80;

/// What is looked at of a message to make a title, in bytes.
const TITLE_SOURCE_BYTES_MAX: usize = 2_048;

/// One session's row.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) struct SessionRow {
    pub(in crate::store) id: SessionId,
    /// Empty until one is given or the user says something.
    pub(in crate::store) title: String,
    pub(in crate::store) created: Instant,
    pub(in crate::store) updated: Instant,
    /// The user's messages in this session itself; those before a fork count where they were said.
    pub(in crate::store) prompts: u64,
    pub(in crate::store) model: String,
    pub(in crate::store) cwd: String,
    pub(in crate::store) fork: Option<Fork>,
    pub(in crate::store) last_seq: Seq,
}

impl SessionRow {
    /// A session of which nothing is known yet.
    pub(in crate::store) fn new(id: SessionId, created: Instant) -> Self {
        Self {
            id,
            title: String::new(),
            created,
            updated: created,
            prompts: 0,
            model: String::new(),
            cwd: String::new(),
            fork: None,
            last_seq: Seq(0),
        }
    }

    /// The session that `event` forks from, whose title its row starts with.
    pub(in crate::store) fn parent(event: &Event) -> Option<&SessionId> {
        match &event.body {
            EventBody::SessionEvent(SessionEvent::Created { fork: Some(fork), .. }) => Some(&fork.session),
            _ => None,
        }
    }

    /// Takes in the session's next event, which stands at `seq`.
    pub(in crate::store) fn apply(&mut self, event: &Event, seq: Seq, parent_title: Option<&str>) {
        self.updated = event.at;
        self.last_seq = seq;
        match &event.body {
            EventBody::SessionEvent(SessionEvent::Created { cwd, model, fork, mode: _ }) => {
                self.created = event.at;
                self.cwd.clone_from(cwd);
                self.model.clone_from(model);
                self.fork.clone_from(fork);
                if self.title.is_empty() {
                    parent_title.unwrap_or_default().clone_into(&mut self.title);
                }
            }
            EventBody::SessionEvent(SessionEvent::Renamed { title }) => self.title = clean_line(title),
            EventBody::SessionEvent(SessionEvent::ModelSet { model }) => self.model.clone_from(model),
            EventBody::Chat(Chat { role: Role::User, status: ChatStatus::Done, parent: None, text, .. }) => {
                self.prompts += 1;
                if self.title.is_empty() {
                    self.title = title_of(text.as_deref().unwrap_or_default());
                }
            }
            _ => {}
        }
    }

    pub(in crate::store) fn summary(self) -> SessionSummary {
        SessionSummary {
            id: self.id,
            title: self.title,
            created: self.created,
            updated: self.updated,
            prompts: self.prompts,
            model: self.model,
            cwd: self.cwd,
            forked_from: self.fork.map(|fork| fork.session),
            last_seq: self.last_seq,
        }
    }
}

/// The start of a message, on one line.
fn title_of(text: &str) -> String {
    let start = &text[..text.floor_char_boundary(TITLE_SOURCE_BYTES_MAX)];
    ellipsis(&clean_line(start), TITLE_CHARS_MAX).into_owned()
}
