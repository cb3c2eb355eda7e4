//! The filter while it is typed: the text, what may come next, what is wrong with it.

use crossterm::event::KeyEvent;

use crate::domain::event::EventBody;
use crate::domain::text::{clean_line, ellipsis};
use crate::tui::events_pane::facts::STATUSES;
use crate::tui::events_pane::filter::{Filter, Key, Known, words};
use crate::tui::panels::picker::Input;

/// Completions that are offered at once.
pub const OFFERED_MAX: usize = 6;

/// A completion of the last word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What stands in place of the last word.
    pub insert: String,
    /// What is shown.
    pub label: String,
    /// What it is, in few words.
    pub help: String,
}

/// A filter that is being typed.
#[derive(Debug, Clone, Default)]
pub struct FilterInput {
    /// The text.
    pub input: Input,
    /// What the last word may become, the best first.
    pub offers: Vec<Offer>,
    /// The chosen one.
    pub chosen: usize,
    /// Why the text is no filter.
    pub error: Option<String>,
}

impl FilterInput {
    /// An input that holds `text`.
    pub fn new(text: &str, known: &Known) -> Self {
        let mut input = Self { input: Input::new(text), ..Self::default() };
        input.offer(known);
        input
    }

    /// Takes a key that writes; whether it was one.
    pub fn key(&mut self, key: &KeyEvent, known: &Known) -> bool {
        let taken = self.input.key(key);
        if taken {
            self.offer(known);
        }
        taken
    }

    /// Takes a paste.
    pub fn paste(&mut self, text: &str, known: &Known) {
        self.input.paste(text);
        self.offer(known);
    }

    /// Moves the choice among the offers.
    pub fn step(&mut self, step: isize) {
        let count = isize::try_from(self.offers.len().max(1)).unwrap_or(1);
        let at = isize::try_from(self.chosen).unwrap_or(0);
        self.chosen = usize::try_from((at + step).rem_euclid(count)).unwrap_or(0);
    }

    /// Puts the chosen offer in place of the last word.
    pub fn complete(&mut self, known: &Known) {
        let Some(offer) = self.offers.get(self.chosen) else { return };
        let text = &self.input.text;
        let last = words(text).pop().filter(|_| !ends(text));
        let start = last.map_or(text.len(), |word| word.start);
        let text = format!("{}{}", &text[..start], offer.insert);
        self.input.text = text;
        self.offer(known);
    }

    /// The filter, as far as the text is one; what is wrong with the rest is kept.
    pub fn filter(&mut self, known: &Known) -> Filter {
        let (filter, error) = Filter::partial(&self.input.text, known);
        self.error = error;
        filter
    }

    fn offer(&mut self, known: &Known) {
        self.offers = offers(&self.input.text, known);
        self.chosen = 0;
    }
}

/// Whether the last word is done with.
fn ends(text: &str) -> bool {
    let open = text.matches('"').count() % 2 == 1;
    !open && text.ends_with(char::is_whitespace)
}

/// What the last word of `text` may become.
fn offers(text: &str, known: &Known) -> Vec<Offer> {
    let last = words(text).pop().filter(|_| !ends(text)).unwrap_or_default();
    let minus = if last.not { "-" } else { "" };
    let Some(name) = &last.key else {
        let begun = last.value.to_lowercase();
        let keys = Key::ALL.into_iter().filter(|key| key.name().starts_with(&begun));
        let offer = |key: Key| {
            let insert = format!("{minus}{}:", key.name());
            Offer { label: insert.clone(), insert, help: key.help().to_owned() }
        };
        return keys.map(offer).collect();
    };
    let Some(key) = Key::ALL.into_iter().find(|key| key.name() == name) else { return Vec::new() };
    let (before, begun) = match last.value.rsplit_once(',') {
        Some((before, begun)) => (format!("{before},"), begun),
        None => (String::new(), last.value.as_str()),
    };
    let begun = begun.trim().to_lowercase();
    let found = values(key, known).into_iter().filter(|(value, help)| fits(value, help, &begun));
    let mut found: Vec<_> = found.take(OFFERED_MAX * 4).collect();
    // What begins so stands before what only holds it.
    found.sort_by_key(|(value, _)| !value.to_lowercase().starts_with(&begun));
    let offer = |(value, help): (String, String)| {
        let quoted = if value.contains(' ') { format!("\"{value}\"") } else { value.clone() };
        Offer { insert: format!("{minus}{name}:{before}{quoted} "), label: clean_line(&value), help: clean_line(&help) }
    };
    found.into_iter().take(OFFERED_MAX).map(offer).collect()
}

fn fits(value: &str, help: &str, begun: &str) -> bool {
    value.to_lowercase().contains(begun) || help.to_lowercase().contains(begun)
}

/// What a key may ask for, and what it is.
fn values(key: Key, known: &Known) -> Vec<(String, String)> {
    let plain = |name: &str| (name.to_owned(), String::new());
    let named = |rows: &[(String, String)]| -> Vec<(String, String)> {
        rows.iter().map(|(id, name)| (ellipsis(id, 36).into_owned(), ellipsis(name, 60).into_owned())).collect()
    };
    match key {
        Key::Type => EventBody::TYPES.iter().copied().map(plain).chain(known.types.iter().map(|name| plain(name))).collect(),
        Key::Server => known.servers.iter().map(|name| plain(name)).collect(),
        Key::Task => named(&known.tasks),
        Key::Status => STATUSES.iter().copied().map(plain).collect(),
        Key::Session => {
            let mut rows = vec![("this".to_owned(), "on the screen".to_owned()), ("none".to_owned(), "of no conversation".to_owned())];
            rows.extend(named(&known.sessions));
            rows
        }
        Key::Text => Vec::new(),
    }
}
