//! The filter of the events pane: `type:tool_execution server:files status:error -text`. Pure.
//!
//! Words stand for a text in the line; `key:value` asks for more; a minus before either wants the contrary. Several
//! values of one key stand apart by commas, blanks inside of a value by quotes. All parts must hold.

use crate::domain::event::EventBody;
use crate::domain::text::{clean_line, ellipsis};
use crate::tui::events_pane::Entry;
use crate::tui::events_pane::facts::{STATUSES, server_of, status_of, task_of};

/// Tags of the pane's lines that are no name of a type or the start of one.
pub(super) const TAGS: &[&str] =
    &["handoff", "tool", "mcp", "trace", "error", "chat", "turn", "ask", "session", "task", "notice", "inbox", "conn", "custom"];

/// What a filter asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// The type of the event, or the start of it.
    Type,
    /// The server, agent or channel.
    Server,
    /// The background task.
    Task,
    /// How far it has come.
    Status,
    /// The conversation.
    Session,
    /// A text in the line.
    Text,
}

impl Key {
    /// All, in the order of the completions.
    pub const ALL: [Self; 6] = [Self::Type, Self::Server, Self::Task, Self::Status, Self::Session, Self::Text];

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Server => "server",
            Self::Task => "task",
            Self::Status => "status",
            Self::Session => "session",
            Self::Text => "text",
        }
    }

    /// What it asks for, in few words.
    pub fn help(self) -> &'static str {
        match self {
            Self::Type => "kind of event",
            Self::Server => "server, agent or channel",
            Self::Task => "background task: id or words",
            Self::Status => "started, success, error …",
            Self::Session => "this, none, id or title",
            Self::Text => "text in the line",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }
}

/// What there is to ask for: names that a value may stand for, and completions.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Types of events that are none of this program's.
    pub types: Vec<String>,
    /// Servers, agents and channels.
    pub servers: Vec<String>,
    /// Tasks: id and description.
    pub tasks: Vec<(String, String)>,
    /// Conversations: id and title.
    pub sessions: Vec<(String, String)>,
    /// The conversation on the screen.
    pub session: String,
}

/// One part of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    /// It must not hold.
    not: bool,
    key: Key,
    /// One of these, in lower case; tasks and conversations by the start of their id, `none` for no conversation.
    values: Vec<String>,
}

/// What an event must be to be shown. All parts must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    text: String,
    terms: Vec<Term>,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// When a key, a type or a status does not exist, or no task or conversation is meant; one sentence that says what to try.
    pub fn parse(text: &str, known: &Known) -> Result<Self, String> {
        match Self::partial(text, known) {
            (filter, None) => Ok(filter),
            (_, Some(error)) => Err(error),
        }
    }

    /// Reads what makes sense of a filter that is being typed, and the first thing that does not.
    pub fn partial(text: &str, known: &Known) -> (Self, Option<String>) {
        let mut filter = Self { text: text.trim().to_owned(), terms: Vec::new() };
        let mut error = None;
        for word in words(text) {
            match term(&word, known) {
                Ok(term) => filter.terms.extend(term),
                Err(reason) => error = error.or(Some(reason)),
            }
        }
        (filter, error)
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether `entry` passes.
    pub fn accepts(&self, entry: &Entry) -> bool {
        self.terms.iter().all(|term| term.holds(entry) != term.not)
    }
}

impl Term {
    fn holds(&self, entry: &Entry) -> bool {
        let event = &entry.event;
        let any = |test: &dyn Fn(&String) -> bool| self.values.iter().any(test);
        match self.key {
            Key::Type => {
                let name = event.body.type_name();
                let own = matches!(event.body, EventBody::Custom(_));
                any(&|value| name.starts_with(value.as_str()) || (own && value == "custom") || entry.line().tag == value)
            }
            Key::Server => server_of(&event.body).map(str::to_lowercase).is_some_and(|name| any(&|value| name.contains(value.as_str()))),
            Key::Task => task_of(event).is_some_and(|id| any(&|value| id.starts_with(value.as_str()))),
            Key::Status => {
                let status = status_of(&event.body).unwrap_or_default();
                any(&|value| status == value || (value == "error" && event.body.is_error()))
            }
            Key::Session => match &event.session {
                Some(session) => any(&|value| session.as_str().starts_with(value.as_str())),
                None => any(&|value| value == "none"),
            },
            Key::Text => {
                let line = entry.line();
                let (text, detail) = (line.text.to_lowercase(), line.detail.as_deref().map(str::to_lowercase));
                any(&|value| {
                    line.tag == value
                        || text.contains(value.as_str())
                        || detail.as_ref().is_some_and(|detail| detail.contains(value.as_str()))
                })
            }
        }
    }
}

/// One word of a filter: whether it is negated, its key where it has one, its value without quotes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Word {
    pub(super) not: bool,
    pub(super) key: Option<String>,
    pub(super) value: String,
    /// Where it begins in the text, in bytes.
    pub(super) start: usize,
}

/// The words of `text`. A quote that is not closed reaches to the end.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut out = Vec::new();
    let mut word: Option<Word> = None;
    let mut quoted = false;
    for (at, ch) in text.char_indices() {
        if ch.is_whitespace() && !quoted {
            out.extend(word.take());
            continue;
        }
        let current = word.get_or_insert_with(|| Word { start: at, ..Word::default() });
        match ch {
            '"' => quoted = !quoted,
            '-' if at == current.start => current.not = true,
            ':' if !quoted && current.key.is_none() && is_key(&current.value) && !text[at..].starts_with("://") => {
                current.key = Some(std::mem::take(&mut current.value).to_lowercase());
            }
            _ => current.value.push(ch),
        }
    }
    out.extend(word);
    out
}

/// Whether it may be meant as a key: letters only. `14:30` and `C:\x` are text.
fn is_key(text: &str) -> bool {
    text.len() > 1 && text.chars().all(|ch| ch.is_ascii_alphabetic() || ch == '_')
}

fn term(word: &Word, known: &Known) -> Result<Option<Term>, String> {
    let key = match &word.key {
        Some(name) => Key::parse(name).ok_or_else(|| unknown_key(name))?,
        None => Key::Text,
    };
    let lower = word.value.to_lowercase();
    let mut values = Vec::new();
    let parts: Vec<&str> = if key == Key::Text { vec![lower.as_str()] } else { lower.split(',').map(str::trim).collect() };
    for value in parts.into_iter().filter(|value| !value.is_empty()) {
        match key {
            Key::Type => values.push(known_type(value, known)?),
            Key::Status => values.extend(known_status(value)?),
            Key::Task => values.extend(meant("task", value, &known.tasks)?),
            Key::Session if value == "none" => values.push(value.to_owned()),
            Key::Session if value == "this" => values.push(known.session.clone()),
            Key::Session => values.extend(meant("session", value, &known.sessions)?),
            Key::Server | Key::Text => values.push(value.to_owned()),
        }
    }
    // A key without a value is only being typed.
    Ok((!values.is_empty()).then_some(Term { not: word.not, key, values }))
}

fn shown(text: &str) -> String {
    ellipsis(&clean_line(text), 30).into_owned()
}

fn nearest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = names.map(|name| (strsim::damerau_levenshtein(name, wanted), name)).min();
    near.filter(|(distance, name)| *distance <= 2 && *distance < name.len()).map(|(_, name)| name)
}

fn unknown_key(name: &str) -> String {
    let shown = shown(name);
    match nearest(name, Key::ALL.into_iter().map(Key::name)) {
        Some(near) => format!("no key `{shown}`; did you mean `{near}:`?"),
        None => format!("no key `{shown}`: type, server, task, status, session, text; in quotes it is text"),
    }
}

fn known_type(value: &str, known: &Known) -> Result<String, String> {
    let names = || EventBody::TYPES.iter().chain(TAGS).copied().chain(known.types.iter().map(String::as_str));
    if names().any(|name| name.starts_with(value)) {
        return Ok(value.to_owned());
    }
    let shown = shown(value);
    Err(match nearest(value, names()) {
        Some(near) => format!("no type `{shown}`; did you mean `{near}`?"),
        None => format!("no type `{shown}`: tool_execution, mcp_event, chat, task_event, error …"),
    })
}

/// The statuses that begin so: what is being typed narrows already.
fn known_status(value: &str) -> Result<Vec<String>, String> {
    if STATUSES.contains(&value) {
        return Ok(vec![value.to_owned()]);
    }
    let found: Vec<String> = STATUSES.iter().filter(|name| name.starts_with(value)).map(|name| (*name).to_owned()).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let shown = shown(value);
    Err(match nearest(value, STATUSES.iter().copied()) {
        Some(near) => format!("no status `{shown}`; did you mean `{near}`?"),
        None => format!("no status `{shown}`: started, success, error, done, failed …"),
    })
}

/// The ids that `value` means: the start of one, or words of a name.
fn meant(what: &str, value: &str, named: &[(String, String)]) -> Result<Vec<String>, String> {
    let is_id = value.len() >= 4 && value.chars().all(|ch| ch.is_ascii_hexdigit() || ch == '-');
    if is_id || named.iter().any(|(id, _)| id.starts_with(value)) {
        return Ok(vec![value.to_owned()]);
    }
    let holds = |name: &str| value.split_whitespace().all(|word| name.to_lowercase().contains(word));
    let found: Vec<String> = named.iter().filter(|(_, name)| holds(name)).map(|(id, _)| id.clone()).collect();
    if found.is_empty() {
        return Err(format!("no {what} `{}`: give the start of its id, or words of its name", shown(value)));
    }
    Ok(found)
}
