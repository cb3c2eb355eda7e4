//! What wakeful knows, under addresses: `wakeful://events`, `tasks`, `inbox`, `sessions`.

use serde_json::Value;

use crate::domain::event::{Event, EventBody};
use crate::domain::ids::{SessionId, TaskId};
use crate::domain::notice::InboxRow;
use crate::domain::query::{Answer, EventFilter, EventReader, InboxFilter, QueryError};
use crate::domain::text::{clean, clean_line, cut_middle, ellipsis};
use crate::mcp::server::Error;
use crate::mcp::server::parts::{Body, Contents, Resource, Template};

/// The address of one task.
pub(super) const TASK_TEMPLATE: &str = "wakeful://tasks/{id}";

/// The address of one conversation.
pub(super) const SESSION_TEMPLATE: &str = "wakeful://sessions/{id}";

/// The address of chosen events.
const EVENTS_TEMPLATE: &str = "wakeful://events{?limit,type}";

/// Events that are given where nobody says how many.
const EVENTS: usize = 100;

/// The most events that are given at once.
const EVENTS_MAX: usize = 1_000;

/// The most entries of the inbox that are given at once.
const INBOX_MAX: usize = 200;

/// Conversations that are listed, the latest.
const SESSIONS_MAX: usize = 100;

/// The longest text of a resource, in bytes; the rest of a longer one is cut from its middle.
const TEXT_BYTES_MAX: usize = 2 * 1_024 * 1_024;

/// Characters of a title in a list.
const TITLE_CHARS_MAX: usize = 100;

const JSON: &str = "application/json";

/// A task as it is given away.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskEntry {
    /// Which.
    pub id: TaskId,
    /// What it is for.
    pub description: String,
    /// How it stands, in a word.
    pub status: String,
    /// All of it, as the tools give it.
    pub wire: Value,
}

/// What other clients may read of wakeful.
pub trait Library: EventReader {
    /// All tasks, by creation.
    fn tasks(&self) -> Answer<'_, Vec<TaskEntry>>;
    /// One task with its history and why it last did what it did. None where there is no such task.
    fn task(&self, id: TaskId) -> Answer<'_, Option<Value>>;
    /// Entries of the inbox, newest first.
    fn inbox(&self, filter: InboxFilter) -> Answer<'_, Vec<InboxRow>>;
    /// A conversation as Markdown. None where there is no such conversation.
    fn transcript(&self, session: SessionId) -> Answer<'_, Option<String>>;
}

/// An address of ours, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    Events { limit: usize, kind: Option<String> },
    Tasks,
    Task(TaskId),
    Inbox,
    Sessions,
    Session(SessionId),
}

impl Address {
    /// None where it is none of ours.
    ///
    /// # Errors
    /// When it is ours, but asks for what cannot be.
    pub(super) fn parse(uri: &str) -> Result<Option<Self>, Error> {
        let Some(rest) = uri.strip_prefix("wakeful://") else { return Ok(None) };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        Ok(match path.split_once('/') {
            None if path == "events" => Some(events(query)?),
            None if path == "tasks" => Some(Self::Tasks),
            None if path == "inbox" => Some(Self::Inbox),
            None if path == "sessions" => Some(Self::Sessions),
            Some(("tasks", id)) if is_id(id) => Some(Self::Task(TaskId::from(id))),
            Some(("sessions", id)) if is_id(id) => Some(Self::Session(SessionId::from(id))),
            _ => None,
        })
    }
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn events(query: &str) -> Result<Address, Error> {
    let (mut limit, mut kind) = (EVENTS, None);
    for part in query.split('&').filter(|part| !part.is_empty()) {
        match part.split_once('=') {
            Some(("limit", number)) => match number.parse::<usize>() {
                Ok(number) if (1..=EVENTS_MAX).contains(&number) => limit = number,
                _ => return Err(Error::BadRequest(format!("`limit` must be a number from 1 to {EVENTS_MAX}"))),
            },
            Some(("type", name)) if is_id(name) => kind = Some(name.to_owned()),
            _ => return Err(Error::BadRequest("`wakeful://events` takes `limit` and `type`, like `?limit=20&type=task_event`".to_owned())),
        }
    }
    Ok(Address::Events { limit, kind })
}

pub(super) fn failed(error: &QueryError) -> Error {
    Error::internal(clean_line(&error.0))
}

/// What lists name: the four collections, each task, and the latest conversations.
pub(super) async fn listed(library: &dyn Library) -> Result<Vec<Resource>, Error> {
    let of = |uri: String, name: &str, title: String, description: &str, mime_type: &str| Resource {
        uri,
        name: name.to_owned(),
        title: Some(ellipsis(&clean_line(&title), TITLE_CHARS_MAX).into_owned()),
        description: Some(description.to_owned()),
        mime_type: Some(mime_type.to_owned()),
        bytes: None,
    };
    let all = |name: &str, title: &str, description: &str| of(format!("wakeful://{name}"), name, title.to_owned(), description, JSON);
    let mut resources = vec![
        all("events", "Recent events", "The newest 100 events of the log, oldest first"),
        all("tasks", "Background tasks", "All background tasks and how they stand"),
        all("inbox", "Inbox", "What the background tasks told and asked, newest first"),
        all("sessions", "Conversations", "The latest 100 conversations"),
    ];
    for task in library.tasks().await.map_err(|error| failed(&error))? {
        let description = format!("A background task, {}", task.status);
        resources.push(of(format!("wakeful://tasks/{}", task.id), task.id.as_str(), task.description, &description, JSON));
    }
    for session in library.sessions(None, SESSIONS_MAX).await.map_err(|error| failed(&error))? {
        let (uri, title) = (format!("wakeful://sessions/{}", session.id), session.title);
        resources.push(of(uri, session.id.as_str(), title, "A conversation, as Markdown", "text/markdown"));
    }
    Ok(resources)
}

pub(super) fn templates() -> Vec<Template> {
    let of = |uri: &str, name: &str, title: &str, description: &str, mime_type: &str| Template {
        uri: uri.to_owned(),
        name: name.to_owned(),
        title: Some(title.to_owned()),
        description: Some(description.to_owned()),
        mime_type: Some(mime_type.to_owned()),
    };
    vec![
        of(EVENTS_TEMPLATE, "events", "Chosen events", "The newest events of the log: how many (up to 1000), of which type", JSON),
        of(TASK_TEMPLATE, "task", "A background task", "A task with its history and why it last did what it did", JSON),
        of(SESSION_TEMPLATE, "session", "A conversation", "A conversation as Markdown", "text/markdown"),
    ]
}

/// Reads what is at `address`, which `uri` wrote.
pub(super) async fn read(library: &dyn Library, uri: &str, address: Address) -> Result<Contents, Error> {
    let missing = || Error::NoResource(uri.to_owned());
    let (mime_type, text) = match address {
        Address::Events { limit, kind } => {
            let filter = EventFilter { types: kind.into_iter().collect(), limit: Some(limit), newest: true, ..EventFilter::default() };
            let events = library.events(filter).await.map_err(|error| failed(&error))?;
            (JSON, json(&events.iter().map(AsRef::as_ref).collect::<Vec<&Event>>())?)
        }
        Address::Tasks => {
            let tasks = library.tasks().await.map_err(|error| failed(&error))?;
            (JSON, json(&tasks.iter().map(|task| &task.wire).collect::<Vec<_>>())?)
        }
        Address::Task(id) => (JSON, json(&library.task(id).await.map_err(|error| failed(&error))?.ok_or_else(missing)?)?),
        Address::Inbox => {
            let filter = InboxFilter { all: false, limit: Some(INBOX_MAX) };
            (JSON, json(&library.inbox(filter).await.map_err(|error| failed(&error))?)?)
        }
        Address::Sessions => (JSON, json(&library.sessions(None, SESSIONS_MAX).await.map_err(|error| failed(&error))?)?),
        Address::Session(id) => ("text/markdown", library.transcript(id).await.map_err(|error| failed(&error))?.ok_or_else(missing)?),
    };
    let body = Body::Text(cut_middle(&clean(&text), TEXT_BYTES_MAX).into_owned());
    Ok(Contents { uri: uri.to_owned(), mime_type: Some(mime_type.to_owned()), body })
}

fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string_pretty(value).map_err(|error| Error::internal(format!("this cannot be written as JSON: {error}")))
}

/// Ids of tasks that begin like that, and those whose description holds it.
pub(super) async fn task_ids(library: &dyn Library, typed: &str) -> Result<Vec<String>, Error> {
    let tasks = library.tasks().await.map_err(|error| failed(&error))?;
    Ok(likely(tasks.into_iter().map(|task| (task.id.to_string(), task.description)), typed))
}

/// Ids of conversations that begin like that, and those whose title holds it.
pub(super) async fn session_ids(library: &dyn Library, typed: &str) -> Result<Vec<String>, Error> {
    let sessions = library.sessions(None, SESSIONS_MAX).await.map_err(|error| failed(&error))?;
    Ok(likely(sessions.into_iter().map(|session| (session.id.to_string(), session.title)), typed))
}

fn likely(all: impl Iterator<Item = (String, String)>, typed: &str) -> Vec<String> {
    let lower = typed.to_lowercase();
    let (begin, rest): (Vec<_>, Vec<_>) = all.partition(|(id, _)| id.starts_with(typed));
    let by_words = rest.into_iter().filter(|(_, words)| words.to_lowercase().contains(&lower));
    begin.into_iter().chain(by_words).map(|(id, _)| id).collect()
}

/// Types of events that begin like that.
pub(super) fn event_types(typed: &str) -> Vec<String> {
    EventBody::TYPES.iter().filter(|name| name.starts_with(typed)).map(|name| (*name).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_understood_or_refused_with_the_reason() {
        let check = |uri: &str, expected: Option<Address>| assert_eq!(Address::parse(uri).unwrap(), expected, "{uri}");
        check("wakeful://events", Some(Address::Events { limit: EVENTS, kind: None }));
        check("wakeful://events?limit=5&type=task_event", Some(Address::Events { limit: 5, kind: Some("task_event".to_owned()) }));
        check("wakeful://tasks", Some(Address::Tasks));
        check("wakeful://tasks/0190-a", Some(Address::Task(TaskId::from("0190-a"))));
        check("wakeful://inbox", Some(Address::Inbox));
        check("wakeful://sessions/a", Some(Address::Session(SessionId::from("a"))));
        for foreign in
            ["", "file:///etc/passwd", "wakeful://", "wakeful://tasks/", "wakeful://tasks/../x", "wakeful://tasks/a/b", "wakeful://other"]
        {
            check(foreign, None);
        }
        for bad in ["wakeful://events?limit=0", "wakeful://events?limit=1001", "wakeful://events?limit=x", "wakeful://events?colour=red"] {
            assert!(matches!(Address::parse(bad), Err(Error::BadRequest(_))), "{bad}");
        }
    }

    #[test]
    fn what_begins_as_typed_comes_before_what_only_holds_it() {
        let all = [("b1", "an apple"), ("apple2", "x"), ("c", "pear")].map(|(id, words)| (id.to_owned(), words.to_owned()));
        assert_eq!(likely(all.into_iter(), "apple"), ["apple2", "b1"]);
        assert_eq!(event_types("task"), ["task_event"]);
        assert!(event_types("").len() > 5);
    }
}
