//! What servers lend beside tools, as the screen knows it: prompts and resources, asked for when they are needed and
//! kept until a server says that they changed.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::domain::catalog::{CompletionOf, PromptInfo, ResourceInfo};
use crate::domain::clock::Instant;
use crate::domain::event::{McpEvent, McpEventType};
use crate::domain::ids::ServerName;
use crate::domain::text::{clean, clean_line};

/// Prompts, and resources, that are kept.
const ROWS_MAX: usize = 10_000;

/// Values are asked for once nobody typed for so long.
const PAUSE: Duration = Duration::from_millis(150);

/// One kind of things that servers lend.
#[derive(Debug, Clone)]
pub struct Listed<T> {
    rows: Vec<T>,
    /// Whether an answer ever came.
    pub known: bool,
    /// Whether an answer would tell something new.
    pub stale: bool,
    /// Whether an answer is on its way.
    pub asking: bool,
    /// Why the last question had no answer.
    pub error: Option<String>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), known: false, stale: true, asking: false, error: None }
    }
}

impl<T> Listed<T> {
    /// All of them.
    pub fn rows(&self) -> &[T] {
        &self.rows
    }

    /// Whether the program is to be asked now; if so, it is asked.
    pub fn ask(&mut self) -> bool {
        let now = self.stale && !self.asking;
        if now {
            (self.stale, self.asking) = (false, true);
        }
        now
    }

    /// The answer.
    pub fn fill(&mut self, result: Result<Vec<T>, String>) {
        self.asking = false;
        match result {
            Ok(mut rows) => {
                rows.truncate(ROWS_MAX);
                self.rows = rows;
                self.known = true;
                self.error = None;
            }
            Err(reason) => {
                self.error = Some(clean_line(&reason));
                self.stale = true;
            }
        }
    }
}

/// Prompts and resources.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    /// Prompts of all servers.
    pub prompts: Listed<PromptInfo>,
    /// Resources and templates of all servers.
    pub resources: Listed<ResourceInfo>,
}

impl Catalog {
    /// Folds what happened to a server.
    pub fn apply(&mut self, event: &McpEvent) {
        let list = event.details.get("list").and_then(Value::as_str).unwrap_or_default();
        let (prompts, resources) = match event.event_type {
            McpEventType::ServiceConnected | McpEventType::ServiceDisconnected => (true, true),
            McpEventType::ListChanged => (list.contains("prompt"), list.contains("resource")),
            _ => return,
        };
        self.prompts.stale |= prompts;
        self.resources.stale |= resources;
    }

    /// The prompt behind `/name`.
    pub fn prompt(&self, name: &str) -> Option<&PromptInfo> {
        self.prompts.rows.iter().find(|prompt| command_name(prompt) == name)
    }
}

/// A prompt's name behind the slash: `server:prompt`, without blanks.
pub fn command_name(prompt: &PromptInfo) -> String {
    format!("{}:{}", clean_line(prompt.server.as_str()), clean_line(&prompt.name)).replace(' ', "_")
}

/// How a resource is mentioned behind `@`; nothing where its address would break the word.
pub fn mention(resource: &ResourceInfo) -> Option<String> {
    let text = format!("{}:{}", resource.server, resource.uri);
    let fits = !resource.is_template && clean(&text) == text && !text.contains(char::is_whitespace);
    fits.then_some(text)
}

/// `NAME [OTHER]`: what a prompt takes.
pub fn arguments_of(prompt: &PromptInfo) -> String {
    let one = |argument: &crate::domain::catalog::PromptArgument| {
        let name = clean_line(&argument.name);
        if argument.required { name } else { format!("[{name}]") }
    };
    prompt.arguments.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// Arguments as they are typed behind a prompt's name: `name=value` and, for what is not named, in the order of the
/// prompt. What is too much belongs to the last one, so that a sentence needs no quotation marks.
///
/// # Errors
/// When a quotation mark is not closed, or the prompt takes nothing.
pub fn given(prompt: &PromptInfo, typed: &str) -> Result<Vec<(String, String)>, String> {
    let words = shlex::split(typed).ok_or("a quotation mark is not closed")?;
    let mut given: Vec<(String, String)> = Vec::new();
    let mut loose = Vec::new();
    for word in words {
        let named = word.split_once('=').filter(|(name, _)| prompt.arguments.iter().any(|argument| argument.name == *name));
        match named {
            Some((name, value)) => {
                given.retain(|(known, _)| known != name);
                given.push((name.to_owned(), value.to_owned()));
            }
            None => loose.push(word),
        }
    }
    let open: Vec<String> =
        prompt.arguments.iter().map(|argument| argument.name.clone()).filter(|name| given.iter().all(|(known, _)| known != name)).collect();
    if !loose.is_empty() && open.is_empty() {
        let what = if prompt.arguments.is_empty() { "it takes no arguments" } else { "all its arguments are given already" };
        return Err(format!("{what}: `{}` is too much", clean_line(&loose.join(" "))));
    }
    let last = open.len().saturating_sub(1);
    for (at, name) in open.into_iter().enumerate().take(loose.len()) {
        let value = if at == last { loose.get(at..).unwrap_or_default().join(" ") } else { loose.get(at).cloned().unwrap_or_default() };
        given.push((name, value));
    }
    Ok(given)
}

/// A value that is being typed, for which others may be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// Whose.
    pub server: ServerName,
    /// What it belongs to.
    pub of: CompletionOf,
    /// The argument.
    pub argument: String,
    /// What is typed of it.
    pub value: String,
    /// The other arguments so far.
    pub known: BTreeMap<String, String>,
}

/// Asks for values, once per pause in the typing.
#[derive(Debug, Clone, Default)]
pub struct Completing {
    typed: Option<Typed>,
    /// When it is asked for; asked already where absent.
    due: Option<Instant>,
}

impl Completing {
    /// What is being typed now.
    pub fn watch(&mut self, typed: Option<Typed>, now: Instant) {
        if self.typed == typed {
            return;
        }
        self.due = typed.is_some().then(|| now.plus(PAUSE));
        self.typed = typed;
    }

    /// When it is asked next.
    pub fn next(&self) -> Option<Instant> {
        self.due
    }

    /// What is to be asked now.
    pub fn ask(&mut self, now: Instant) -> Option<Typed> {
        self.due.take_if(|due| *due <= now)?;
        self.typed.clone()
    }

    /// Whether an answer is still wanted.
    pub fn wants(&self, typed: &Typed) -> bool {
        self.typed.as_ref() == Some(typed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt() -> PromptInfo {
        serde_json::from_value(serde_json::json!({"server": "s", "name": "p q", "arguments": [
            {"name": "city", "required": true}, {"name": "units"}, {"name": "text"}]}))
        .unwrap()
    }

    fn check(typed: &str, expected: &[(&str, &str)]) {
        let got = given(&prompt(), typed).unwrap();
        let got: Vec<_> = got.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(got, expected, "{typed}");
    }

    #[test]
    fn arguments_have_names_or_an_order() {
        check("", &[]);
        check("Tokyo", &[("city", "Tokyo")]);
        check("units=metric Tokyo", &[("units", "metric"), ("city", "Tokyo")]);
        check("city='New York' metric a whole sentence", &[("city", "New York"), ("units", "metric"), ("text", "a whole sentence")]);
        check("x=y", &[("city", "x=y")]);
        assert!(given(&prompt(), "city='x").unwrap_err().contains("not closed"));
        assert!(given(&prompt(), "city=a units=b text=c d").unwrap_err().contains("`d` is too much"));
        assert_eq!((command_name(&prompt()).as_str(), arguments_of(&prompt()).as_str()), ("s:p_q", "city [units] [text]"));
    }

    #[test]
    fn values_are_asked_for_after_a_pause_and_old_answers_are_not_wanted() {
        let typed = |value: &str| {
            let of = CompletionOf::Prompt { name: "p".into() };
            Typed { server: "s".into(), of, argument: "city".into(), value: value.into(), known: BTreeMap::new() }
        };
        let mut completing = Completing::default();
        let start = Instant::from_millis(0);
        completing.watch(Some(typed("T")), start);
        assert_eq!(completing.ask(start.plus(Duration::from_millis(100))), None);
        completing.watch(Some(typed("To")), start.plus(Duration::from_millis(100)));
        assert_eq!(completing.ask(start.plus(Duration::from_millis(200))), None);
        assert_eq!(completing.ask(start.plus(Duration::from_millis(250))), Some(typed("To")));
        assert_eq!((completing.next(), completing.ask(start.plus(Duration::from_secs(9)))), (None, None));
        assert!(completing.wants(&typed("To")) && !completing.wants(&typed("T")));
        completing.watch(None, start);
        assert!(!completing.wants(&typed("To")));
    }
}
