//! What a server asks a person, as a dialog: a form, or particulars and numbered answers.
//!
//! The rules are those of the question for consent ([`crate::tui::approval`]): a key or a click in the first
//! [`GUARD`] never answers, and what was typed ahead goes nowhere. Forms of the program's own (arguments of a prompt,
//! fields of a template) are the same dialog without the wait: whoever sees them has opened them.

mod body;
#[cfg(test)]
mod tests;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Map, Value};

use crate::domain::catalog::{CompletionOf, PromptInfo, ResourceInfo};
use crate::domain::clock::Instant;
use crate::domain::ids::ServerName;
use crate::domain::question::{Ask, Field, FieldKind, Question, Reply};
use crate::domain::text::clean_line;
use crate::tui::approval::GUARD;
use crate::tui::form::{ANSWERS, Button, Form, Keyed, OWN};
use crate::tui::panels::Row;

use body::Para;
pub use body::{host, may_open};

/// Rows of particulars that are kept; a last one tells how many are missing.
const ROWS_MAX: usize = 20_000;

/// What a dialog is for.
#[derive(Debug, Clone, PartialEq)]
pub enum Purpose {
    /// A server asks.
    Question(Question),
    /// A prompt lacks arguments.
    Prompt(PromptInfo),
    /// A template lacks its fields.
    Template(ResourceInfo),
}

/// What an answer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Yes.
    Yes,
    /// No.
    No,
    /// No answer.
    Close,
    /// Open the address, and yes.
    Open,
    /// Copy the address, and yes.
    CopyAndGoOn,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What it does.
    pub act: Act,
    /// The letter that chooses it.
    pub letter: char,
    /// What people read.
    pub label: &'static str,
}

/// A dialog.
#[derive(Debug, Clone, PartialEq)]
pub struct Inquiry {
    /// What it is for.
    pub purpose: Purpose,
    /// Since when it is on the screen; not yet where absent.
    pub shown: Option<Instant>,
    /// Its place among all that is asked.
    pub order: u64,
    /// The form, where there is one.
    pub form: Option<Form>,
    /// The answers, where there is no form.
    pub choices: Vec<Choice>,
    /// The chosen one.
    pub chosen: usize,
    /// Whether Esc was pressed once in a form.
    pub closing: bool,
    /// Rows above the window, where somebody scrolled; else the window follows the keys.
    pub scroll: Option<usize>,
    paras: Vec<Para>,
    body: Vec<Row>,
    width: u16,
}

/// What a key or a click did.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was no key of the dialog.
    NotMine,
    /// It moved or changed something.
    Moved,
    /// The question is answered.
    Reply(Reply),
    /// The address is to be opened, and the question is answered with yes.
    Open(String),
    /// The address is to be copied; whether the question is answered with yes.
    Copy(String, bool),
    /// A form of the program's own is filled in.
    Filled(Map<String, Value>),
    /// A form of the program's own is closed.
    Closed,
}

impl Inquiry {
    /// A server's question, not on the screen yet.
    pub fn new(question: Question, order: u64) -> Self {
        let form = match &question.ask {
            Ask::Form { fields, .. } if !fields.is_empty() => Some(Form::new(fields.clone(), ANSWERS)),
            _ => None,
        };
        let choices = if form.is_some() { Vec::new() } else { choices(&question.ask) };
        // What was never run and what is not what it was needs more than a habit to be allowed.
        let careful = matches!(question.ask, Ask::FirstRun { .. } | Ask::ToolsChanged { .. });
        let chosen = if careful { choices.iter().position(|choice| choice.act == Act::No).unwrap_or(0) } else { 0 };
        let paras = body::question(&question);
        Self::with(Purpose::Question(question), order, form, choices, chosen, paras)
    }

    /// A form for the arguments of a prompt; `given` are filled in.
    pub fn prompt(prompt: PromptInfo, given: &[(String, String)]) -> Self {
        let field = |argument: &crate::domain::catalog::PromptArgument| {
            text_field(&argument.name, argument.description.as_deref(), argument.required)
        };
        let mut form = Form::new(prompt.arguments.iter().map(field).collect(), OWN);
        for (name, value) in given {
            form.fill(name, value);
        }
        form.go_to_missing();
        let paras = body::prompt(&prompt);
        Self::with(Purpose::Prompt(prompt), 0, Some(form), Vec::new(), 0, paras)
    }

    /// A form for the variables of a template.
    pub fn template(resource: ResourceInfo, variables: &[String]) -> Self {
        let form = Form::new(variables.iter().map(|name| text_field(name, None, true)).collect(), OWN);
        let paras = body::template(&resource);
        Self::with(Purpose::Template(resource), 0, Some(form), Vec::new(), 0, paras)
    }

    fn with(purpose: Purpose, order: u64, form: Option<Form>, choices: Vec<Choice>, chosen: usize, paras: Vec<Para>) -> Self {
        let mut inquiry =
            Self { purpose, shown: None, order, form, choices, chosen, closing: false, scroll: None, paras, body: Vec::new(), width: 0 };
        inquiry.fit(76);
        inquiry
    }

    /// The question, where a server asks.
    pub fn question(&self) -> Option<&Question> {
        match &self.purpose {
            Purpose::Question(question) => Some(question),
            Purpose::Prompt(_) | Purpose::Template(_) => None,
        }
    }

    /// The title: who wants what.
    pub fn title(&self) -> String {
        let text = match &self.purpose {
            Purpose::Question(Question { server, ask, .. }) => match ask {
                Ask::Form { .. } => format!("{server} asks"),
                Ask::Url { .. } => format!("{server} asks you to open an address"),
                Ask::Sampling { .. } => format!("{server} wants to use the model"),
                Ask::FirstRun { .. } => format!("start {server} for the first time?"),
                Ask::ToolsChanged { .. } => format!("{server} changed its tools"),
            },
            Purpose::Prompt(prompt) => format!("{} · {}", prompt.server, prompt.title.as_deref().unwrap_or(&prompt.name)),
            Purpose::Template(resource) => format!("{} · {}", resource.server, resource.title.as_deref().unwrap_or(&resource.name)),
        };
        clean_line(&text)
    }

    /// Breaks the particulars into rows of `width` columns: nothing of what would run is out of reach.
    pub fn fit(&mut self, width: u16) {
        if self.width == width {
            return;
        }
        self.width = width;
        self.body.clear();
        let mut missing = 0_usize;
        for row in self.paras.iter().flat_map(|para| para.rows(usize::from(width))) {
            if self.body.len() < ROWS_MAX {
                self.body.push(row);
            } else {
                missing += 1;
            }
        }
        if missing > 0 {
            self.body.push(vec![(crate::tui::theme::Key::UiDim, format!("… {missing} more rows not shown"))]);
        }
    }

    /// The particulars.
    pub fn body(&self) -> &[Row] {
        &self.body
    }

    /// Whether keys may answer.
    pub fn is_armed(&self, now: Instant) -> bool {
        self.question().is_none() || self.shown.is_some_and(|shown| now.since(shown) >= GUARD)
    }

    /// The server, and what a value that is typed is for.
    pub fn completes(&self) -> Option<(&ServerName, CompletionOf)> {
        match &self.purpose {
            Purpose::Question(_) => None,
            Purpose::Prompt(prompt) => Some((&prompt.server, CompletionOf::Prompt { name: prompt.name.clone() })),
            Purpose::Template(resource) => Some((&resource.server, CompletionOf::Resource { uri: resource.uri.clone() })),
        }
    }

    /// Moves the window by hand; `top` is where it stands now, `last` the furthest it goes.
    pub fn scroll_by(&mut self, rows: isize, top: usize, last: usize) {
        self.scroll = Some(top.saturating_add_signed(rows).min(last));
    }

    /// Takes a key.
    pub fn key(&mut self, key: &KeyEvent, now: Instant) -> Outcome {
        let odd = key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        if !self.is_armed(now) && matches!(key.code, KeyCode::Enter | KeyCode::Char(_) | KeyCode::Esc) {
            if odd && key.code != KeyCode::Enter {
                return Outcome::NotMine;
            }
            if key.code != KeyCode::Esc {
                // Somebody is typing: the wait begins anew.
                self.shown = Some(now);
            }
            return Outcome::Moved;
        }
        if self.form.is_some() { self.form_key(key) } else { self.choice_key(key) }
    }

    fn form_key(&mut self, key: &KeyEvent) -> Outcome {
        let closing = std::mem::take(&mut self.closing);
        if key.code == KeyCode::Esc {
            if closing || self.question().is_none() {
                return self.press(Button::Cancel);
            }
            self.closing = true;
            return Outcome::Moved;
        }
        let Some(form) = &mut self.form else { return Outcome::NotMine };
        match form.key(key) {
            Keyed::NotMine => {
                // While it is asked whether to close, any key only says no.
                if closing { Outcome::Moved } else { Outcome::NotMine }
            }
            Keyed::Moved => {
                self.scroll = None;
                Outcome::Moved
            }
            Keyed::Pressed(button) => self.press(button),
        }
    }

    fn press(&mut self, button: Button) -> Outcome {
        self.scroll = None;
        let asked = self.question().is_some();
        match (button, &mut self.form) {
            (Button::Send, Some(form)) => match form.values() {
                Some(values) if asked => Outcome::Reply(Reply::Accept { values }),
                Some(values) => Outcome::Filled(values),
                None => Outcome::Moved,
            },
            (Button::Send, None) => Outcome::Moved,
            (Button::Decline, _) => Outcome::Reply(Reply::Decline),
            (Button::Cancel, _) if asked => Outcome::Reply(Reply::Cancel),
            (Button::Cancel, _) => Outcome::Closed,
        }
    }

    fn choice_key(&mut self, key: &KeyEvent) -> Outcome {
        if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
            return Outcome::NotMine;
        }
        let count = self.choices.len().max(1);
        match key.code {
            KeyCode::Up | KeyCode::BackTab => self.chosen = (self.chosen + count - 1) % count,
            KeyCode::Down | KeyCode::Tab => self.chosen = (self.chosen + 1) % count,
            KeyCode::Enter => return self.choose(self.chosen),
            KeyCode::Esc => return Outcome::Reply(Reply::Cancel),
            KeyCode::Char(ch) => {
                let digit = ch.to_digit(10).and_then(|digit| usize::try_from(digit).ok()?.checked_sub(1));
                let lettered = || self.choices.iter().position(|choice| choice.letter == ch.to_ascii_lowercase());
                if let Some(at) = digit.or_else(lettered) {
                    return self.choose(at);
                }
                if let ('w', Some(url)) = (ch, self.url()) {
                    return Outcome::Copy(url.to_owned(), false);
                }
            }
            _ => return Outcome::NotMine,
        }
        Outcome::Moved
    }

    /// The address that is to be opened.
    pub fn url(&self) -> Option<&str> {
        match self.question().map(|question| &question.ask) {
            Some(Ask::Url { url, .. }) => Some(url),
            _ => None,
        }
    }

    fn choose(&mut self, at: usize) -> Outcome {
        let Some(choice) = self.choices.get(at) else { return Outcome::Moved };
        self.chosen = at;
        let url = || self.url().unwrap_or_default().to_owned();
        match choice.act {
            Act::Yes => Outcome::Reply(Reply::yes()),
            Act::No => Outcome::Reply(Reply::Decline),
            Act::Close => Outcome::Reply(Reply::Cancel),
            Act::Open => Outcome::Open(url()),
            Act::CopyAndGoOn => Outcome::Copy(url(), true),
        }
    }

    /// Takes a click on the answer `at`.
    pub fn click(&mut self, at: usize, now: Instant) -> Outcome {
        if self.is_armed(now) { self.choose(at) } else { Outcome::Moved }
    }

    /// Takes a click on a button.
    pub fn click_button(&mut self, button: Button, now: Instant) -> Outcome {
        if self.is_armed(now) { self.press(button) } else { Outcome::Moved }
    }

    /// Takes a paste.
    pub fn paste(&mut self, text: &str, now: Instant) {
        if !self.is_armed(now) {
            self.shown = Some(now);
        } else if let Some(form) = &mut self.form {
            form.paste(text);
        }
    }
}

fn text_field(name: &str, description: Option<&str>, required: bool) -> Field {
    let kind = FieldKind::Text { format: None, min_length: None, max_length: None, default: None };
    Field { name: name.to_owned(), title: None, description: description.map(str::to_owned), required, kind }
}

fn choices(ask: &Ask) -> Vec<Choice> {
    let choice = |act, letter, label| Choice { act, letter, label };
    match ask {
        Ask::Form { .. } => {
            vec![choice(Act::Yes, 'y', "Yes (y)"), choice(Act::No, 'n', "No (n)"), choice(Act::Close, 'c', "Close without an answer (c)")]
        }
        Ask::Url { url, .. } => {
            let mut out = Vec::new();
            if may_open(url) {
                out.push(choice(Act::Open, 'o', "Open it in the browser (o)"));
            }
            out.push(choice(Act::CopyAndGoOn, 'c', "Copy it and go on: I open it myself (c)"));
            out.push(choice(Act::No, 'n', "No (n)"));
            out
        }
        Ask::Sampling { .. } => vec![choice(Act::Yes, 'y', "Yes, once (y)"), choice(Act::No, 'n', "No (n)")],
        Ask::FirstRun { .. } => vec![choice(Act::Yes, 'y', "Yes, start it (y)"), choice(Act::No, 'n', "No (n)")],
        Ask::ToolsChanged { .. } => {
            vec![choice(Act::Yes, 'y', "Yes, use them as they are now (y)"), choice(Act::No, 'n', "No, leave them out (n)")]
        }
    }
}
