//! Completions at the caret: commands, the user's own among them, and prompts behind a slash, their arguments, files and resources behind an `@`.
//!
//! What is typed is never replaced by itself. Enter on a part of a name only completes it; a command runs once its
//! whole name stands there, or was picked with the arrow keys.

use std::collections::BTreeMap;

use crate::domain::catalog::{CompletionOf, PromptInfo, ResourceInfo};
use crate::domain::query::ServerStatus;
use crate::domain::text::clean_line;
use crate::tui::catalog::{Catalog, Typed, arguments_of, command_name, mention};
use crate::tui::composer::Token;
use crate::tui::fuzzy;
use crate::tui::own::OwnCommand;
use crate::tui::slash::{self, mcp};

/// Rows on the screen at once.
pub const ROWS_MAX: usize = 8;

/// Resources, and prompts, that are offered.
const OFFERED_MAX: usize = 50;

/// Files before the first resource.
const FILES_FIRST: usize = 4;

/// One completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PopupRow {
    /// What is put in.
    pub insert: String,
    /// What is shown.
    pub label: String,
    /// One line of help.
    pub help: String,
    /// Whether it can run without arguments.
    pub runs: bool,
    /// Whether the word goes on behind it.
    pub open: bool,
}

/// Where completions come from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The servers.
    pub servers: &'a [ServerStatus],
    /// What they lend.
    pub catalog: &'a Catalog,
    /// The user's own commands.
    pub own: &'a [OwnCommand],
}

/// The completions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Popup {
    /// The word that is completed.
    pub token: Token,
    /// The completions, the best first.
    pub rows: Vec<PopupRow>,
    /// The chosen one.
    pub selected: usize,
    /// Whether it was chosen with the arrow keys.
    pub moved: bool,
    /// Whether more may come.
    pub loading: bool,
    /// Files that were found for the word, or for the shorter one before it.
    files: Vec<String>,
    /// Values that a server knows for the argument.
    values: Vec<String>,
}

impl Popup {
    /// The completions of `token`; files and values come later. Those files that `before` showed stay until then.
    pub fn new(token: Token, before: Option<Self>, sources: Sources<'_>) -> Self {
        let is_file = matches!(token, Token::File(_));
        let files =
            before.filter(|before| is_file && matches!(before.token, Token::File(_))).map(|before| before.files).unwrap_or_default();
        let mut popup = Self { token, rows: Vec::new(), selected: 0, moved: false, loading: is_file, files, values: Vec::new() };
        popup.refresh(sources);
        popup
    }

    /// Makes the rows anew after something came.
    pub fn refresh(&mut self, sources: Sources<'_>) {
        let chosen = self.chosen().filter(|_| self.moved).map(|row| row.insert.clone());
        self.rows = match &self.token {
            Token::Slash(prefix) => slash_rows(prefix, sources.catalog, sources.own),
            Token::Argument(name, before, word) => {
                let before: Vec<&str> = before.iter().map(String::as_str).collect();
                match sources.catalog.prompt(name) {
                    Some(prompt) => prompt_rows(prompt, &before, word, &self.values),
                    None if name == "mcp" => mcp_rows(&before, word, sources.servers),
                    None => slash::arguments(name, &before, word).into_iter().map(|word| argument_row(word, "")).collect(),
                }
            }
            Token::File(query) => file_rows(query, &self.files, sources.catalog.resources.rows()),
        };
        self.selected = chosen.and_then(|insert| self.rows.iter().position(|row| row.insert == insert)).unwrap_or(0);
    }

    /// Takes the files found for `query`; older answers are dropped.
    pub fn files(&mut self, query: &str, paths: Vec<String>, sources: Sources<'_>) {
        if self.token == Token::File(query.to_owned()) {
            self.loading = false;
            self.files = paths;
            self.refresh(sources);
        }
    }

    /// Takes values for the argument that is typed.
    pub fn values(&mut self, values: Vec<String>, sources: Sources<'_>) {
        self.values = values;
        self.refresh(sources);
    }

    /// Moves the choice.
    pub fn step(&mut self, step: isize) {
        let rows = self.rows.len();
        if rows > 0 {
            let step = usize::try_from(step.rem_euclid(isize::try_from(rows).unwrap_or(1))).unwrap_or(0);
            self.selected = (self.selected + step) % rows;
            self.moved = true;
        }
    }

    /// The chosen completion.
    pub fn chosen(&self) -> Option<&PopupRow> {
        self.rows.get(self.selected)
    }

    /// Whether Enter runs the chosen command instead of completing its name.
    pub fn enter_runs(&self) -> bool {
        let Token::Slash(typed) = &self.token else { return false };
        self.chosen().is_some_and(|row| row.insert == format!("/{typed}") || (self.moved && row.runs))
    }

    /// Whether Enter takes what is typed as it stands: an argument is only completed where one was chosen.
    pub fn enter_passes(&self) -> bool {
        matches!(self.token, Token::Argument(..)) && !self.moved
    }

    /// The first row on the screen when `height` rows fit.
    pub fn top(&self, height: usize) -> usize {
        (self.selected + 1).saturating_sub(height.max(1))
    }
}

/// The argument of a prompt that is being typed, where one is.
pub fn typed(token: &Token, catalog: &Catalog) -> Option<Typed> {
    let Token::Argument(name, before, word) = token else { return None };
    let prompt = catalog.prompt(name)?;
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    let (argument, value) = argument_at(prompt, &before, word)?;
    let known = crate::tui::catalog::given(prompt, &before.join(" ")).unwrap_or_default().into_iter().collect::<BTreeMap<_, _>>();
    let of = CompletionOf::Prompt { name: prompt.name.clone() };
    let value = value.trim_matches(['"', '\'']).to_owned();
    Some(Typed { server: prompt.server.clone(), of, argument: argument.to_owned(), value, known })
}

/// Which argument `word` is or begins, and what of its value.
fn argument_at<'a>(prompt: &'a PromptInfo, before: &[&str], word: &'a str) -> Option<(&'a str, &'a str)> {
    if let Some((name, value)) = word.split_once('=')
        && let Some(argument) = prompt.arguments.iter().find(|argument| argument.name == name)
    {
        return Some((&argument.name, value));
    }
    let given = crate::tui::catalog::given(prompt, &before.join(" ")).ok()?;
    let next = prompt.arguments.iter().find(|argument| given.iter().all(|(name, _)| *name != argument.name))?;
    Some((&next.name, word))
}

fn prompt_rows(prompt: &PromptInfo, before: &[&str], word: &str, values: &[String]) -> Vec<PopupRow> {
    let mut rows = Vec::new();
    if let Some((argument, value)) = argument_at(prompt, before, word) {
        let named = word.len() > value.len();
        for known in values.iter().map(|value| clean_line(value)).filter(|known| known != value).take(OFFERED_MAX) {
            let quoted = shlex::try_quote(&known).map_or_else(|_| known.clone(), std::borrow::Cow::into_owned);
            let insert = if named { format!("{argument}={quoted}") } else { quoted };
            rows.push(PopupRow { insert, label: known, help: clean_line(argument), runs: false, open: false });
        }
    }
    let given = crate::tui::catalog::given(prompt, &before.join(" ")).unwrap_or_default();
    let open = prompt.arguments.iter().filter(|argument| given.iter().all(|(name, _)| *name != argument.name));
    for argument in open.filter(|argument| argument.name.starts_with(word) && !argument.name.contains(char::is_whitespace)) {
        let needed = if argument.required { "needed" } else { "optional" };
        let about = argument.description.as_deref().map(clean_line).unwrap_or_default();
        let help = if about.is_empty() { needed.to_owned() } else { format!("{needed}: {about}") };
        let name = clean_line(&argument.name);
        rows.push(PopupRow { insert: format!("{name}="), label: format!("{name}="), help, runs: false, open: true });
    }
    rows
}

fn mcp_rows(before: &[&str], word: &str, servers: &[ServerStatus]) -> Vec<PopupRow> {
    match mcp::next(before) {
        mcp::Next::Verb => {
            let verbs = mcp::VERBS.iter().filter(|row| row.name.starts_with(word));
            verbs.map(|row| PopupRow { label: format!("{}{}", row.name, row.args.usage()), ..argument_row(row.name, row.help) }).collect()
        }
        mcp::Next::Words(words) => words.iter().filter(|known| known.starts_with(word)).map(|known| argument_row(known, "")).collect(),
        mcp::Next::Server => {
            let fits = servers.iter().filter(|server| server.name.as_str().starts_with(word));
            fits.map(|server| argument_row(&clean_line(server.name.as_str()), &clean_line(&server.transport))).collect()
        }
        mcp::Next::Free => Vec::new(),
    }
}

fn argument_row(word: &str, help: &str) -> PopupRow {
    PopupRow { insert: word.to_owned(), label: word.to_owned(), help: help.to_owned(), runs: false, open: false }
}

/// Commands, then prompts whose name holds what is typed.
fn slash_rows(prefix: &str, catalog: &Catalog, own: &[OwnCommand]) -> Vec<PopupRow> {
    let mut rows: Vec<PopupRow> = slash::complete(prefix).into_iter().map(slash_row).collect();
    let wanted = prefix.to_lowercase();
    let mut fits: Vec<&OwnCommand> = own.iter().filter(|command| command.name.contains(&wanted)).collect();
    fits.sort_by_key(|command| !command.name.starts_with(&wanted));
    // Those that begin with what is typed stand before commands that only hold it.
    let at = rows.iter().position(|row| !row.insert.get(1..).is_some_and(|name| name.starts_with(&wanted))).unwrap_or(rows.len());
    rows.splice(at..at, fits.into_iter().take(OFFERED_MAX).map(own_row));
    let mut found: Vec<(bool, String, &PromptInfo)> = catalog
        .prompts
        .rows()
        .iter()
        .map(|prompt| (command_name(prompt), prompt))
        .filter(|(name, _)| name.to_lowercase().contains(&wanted))
        .map(|(name, prompt)| (!name.to_lowercase().starts_with(&wanted), name, prompt))
        .collect();
    found.sort_by_key(|(inside, ..)| *inside);
    rows.extend(found.into_iter().take(OFFERED_MAX).map(|(_, name, prompt)| {
        let label = format!("/{name} {}", arguments_of(prompt));
        PopupRow { insert: format!("/{name}"), label: label.trim_end().to_owned(), help: about(prompt), runs: true, open: false }
    }));
    rows
}

/// A prompt's title and description on one line.
pub fn about(prompt: &PromptInfo) -> String {
    let parts = [prompt.title.as_deref(), prompt.description.as_deref()];
    parts.into_iter().flatten().map(clean_line).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
}

fn own_row(command: &OwnCommand) -> PopupRow {
    PopupRow {
        insert: format!("/{}", command.name),
        label: command.usage(),
        help: command.description.clone(),
        runs: command.runs_alone(),
        open: false,
    }
}

fn slash_row(row: &'static slash::SlashRow) -> PopupRow {
    let runs = row.args.is_empty() || row.args.starts_with('[');
    PopupRow { insert: format!("/{}", row.name), label: slash::usage(row), help: row.help.to_owned(), runs, open: false }
}

/// Files and resources: the best files first, unless what is typed names a server.
fn file_rows(query: &str, files: &[String], resources: &[ResourceInfo]) -> Vec<PopupRow> {
    let file = |path: &String| PopupRow { insert: format!("@{path}"), label: path.clone(), help: String::new(), runs: false, open: false };
    let named: Vec<(String, &ResourceInfo)> =
        resources.iter().filter_map(|resource| mention(resource).map(|mention| (mention, resource))).collect();
    let texts: Vec<String> = named.iter().map(|(mention, resource)| format!("{mention} {}", resource.name)).collect();
    let found = fuzzy::rank(query, texts.iter().map(String::as_str), true);
    let resources = found.into_iter().take(OFFERED_MAX).filter_map(|at| named.get(at)).map(|(mention, resource)| {
        let help = clean_line(resource.title.as_deref().unwrap_or(&resource.name));
        PopupRow { insert: format!("@{mention}"), label: mention.clone(), help, runs: false, open: false }
    });
    let first = if query.contains(':') { 0 } else { FILES_FIRST.min(files.len()) };
    let (head, tail) = files.split_at(first);
    head.iter().map(file).chain(resources).chain(tail.iter().map(file)).collect()
}
