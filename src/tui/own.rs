//! The user's own commands: Markdown files in the folder `commands/` of the config, each a prompt behind `/name`.
//!
//! ```text
//! ---
//! description: Review a file
//! arguments: FILE [FOCUS]
//! model: openai/gpt-4o
//! agent: coder
//! ---
//! Review $1 with care. What matters most: $2
//! ```
//!
//! A command is text for the agent and nothing else: what comes out is sent as a prompt, never read as a command or
//! run by a shell, whatever it begins with. A file that does not fit is told with its line; the others go on working.

mod read;
#[cfg(test)]
mod tests;

use crate::domain::text::{clean_line, ellipsis};

pub(crate) use read::Folder;

/// Characters of a name.
const NAME_CHARS_MAX: usize = 40;

/// Characters of a description.
const DESCRIPTION_CHARS_MAX: usize = 200;

/// Keys of the front matter.
const KEYS: [&str; 4] = ["description", "arguments", "model", "agent"];

/// A command of the user's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnCommand {
    /// The name behind the slash: the file's, without `.md`.
    pub name: String,
    /// One line of help.
    pub description: String,
    /// Its arguments, for people: `FILE [FOCUS]`. Those in brackets may be left out.
    pub arguments: String,
    /// `provider/model` that answers from here on; the session's where absent.
    pub model: Option<String>,
    /// The agent that is asked to do it.
    pub agent: Option<String>,
    /// The prompt, with `$ARGUMENTS`, `$1` … `$9`, and `$$` for a dollar sign.
    pub body: String,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The command's name, as the file's says.
    pub name: String,
    /// File, line, what is wrong and what would be right.
    pub text: String,
}

/// All commands of the user's own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OwnCommands {
    /// Those that work, by name.
    pub list: Vec<OwnCommand>,
    /// What is wrong with the other files.
    pub problems: Vec<Problem>,
    /// Whether the folder was read.
    pub known: bool,
}

impl OwnCommands {
    /// The command `name`.
    pub fn get(&self, name: &str) -> Option<&OwnCommand> {
        self.list.iter().find(|command| command.name == name)
    }

    /// Why there is no command `name` although a file has that name.
    pub fn problem(&self, name: &str) -> Option<&str> {
        self.problems.iter().find(|problem| problem.name == name).map(|problem| problem.text.as_str())
    }

    /// The name that was probably meant.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let near = self.list.iter().map(|command| (strsim::damerau_levenshtein(&command.name, name), command.name.as_str())).min()?;
        (near.0 <= 2).then_some(near.1)
    }
}

impl OwnCommand {
    /// Reads a file's `text`.
    ///
    /// # Errors
    /// When it does not fit: the line (from 1; none where it is about the whole file) and what would be right.
    pub fn parse(name: &str, text: &str) -> Result<Self, (Option<usize>, String)> {
        check_name(name).map_err(|reason| (None, reason))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut command = Self { name: name.to_owned(), ..Self::default() };
        let mut lines = text.lines().enumerate();
        if text.lines().next().is_some_and(|line| line.trim_end() == "---") {
            lines.next();
            loop {
                let Some((at, line)) = lines.next() else {
                    return Err((Some(1), "the front matter is not closed: a line `---` ends it".to_owned()));
                };
                if line.trim_end() == "---" {
                    break;
                }
                command.front_matter(line).map_err(|reason| (Some(at + 1), reason))?;
            }
        }
        let body: Vec<&str> = lines.map(|(_, line)| line).collect();
        crate::domain::text::clean(&body.join("\n")).trim().clone_into(&mut command.body);
        if command.body.is_empty() {
            return Err((None, "there is no prompt in it".to_owned()));
        }
        if command.description.is_empty() {
            let first = command.body.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']);
            command.description = ellipsis(&clean_line(first), DESCRIPTION_CHARS_MAX).into_owned();
        }
        Ok(command)
    }

    fn front_matter(&mut self, line: &str) -> Result<(), String> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        let (key, value) = line.split_once(':').ok_or_else(|| format!("`{}` is no `key: value`", shown(line)))?;
        let value = clean_line(unquoted(value.trim())?);
        match key.trim() {
            "description" => self.description = ellipsis(&value, DESCRIPTION_CHARS_MAX).into_owned(),
            "arguments" | "argument-hint" => self.arguments = value,
            "model" if value.contains('/') => self.model = Some(value),
            "model" => return Err(format!("`{value}` names no provider: write `provider/model`, as /model lists them")),
            "agent" => self.agent = Some(value).filter(|name| !name.is_empty()),
            other => return Err(unknown_key(other)),
        }
        Ok(())
    }

    /// `/name ARGUMENTS`.
    pub fn usage(&self) -> String {
        format!("/{} {}", self.name, self.arguments).trim_end().to_owned()
    }

    /// How many arguments it cannot do without.
    fn needed(&self) -> usize {
        self.arguments.split_whitespace().take_while(|word| !word.starts_with('[')).count()
    }

    /// Whether it can be sent without arguments.
    pub fn runs_alone(&self) -> bool {
        self.needed() == 0
    }

    /// The prompt with `args` in it. Text that no placeholder takes is put below the prompt.
    ///
    /// # Errors
    /// When an argument is missing or a quotation mark is not closed; one sentence for the user.
    pub fn expand(&self, args: &str) -> Result<String, String> {
        let args = args.trim();
        let words = shlex::split(args).ok_or_else(|| format!("/{}: a quotation mark is not closed", self.name))?;
        if words.len() < self.needed() {
            let missing: Vec<&str> = self.arguments.split_whitespace().take(self.needed()).skip(words.len()).collect();
            return Err(format!("{} is missing; usage: {}", missing.join(" "), self.usage()));
        }
        let (mut out, taken) = fill(&self.body, args, &words);
        if !taken && !args.is_empty() {
            out.push_str("\n\n");
            out.push_str(args);
        }
        Ok(match &self.agent {
            Some(agent) => format!("Hand over to {agent}: {out}"),
            None => out,
        })
    }
}

/// Puts arguments in place of their signs, in one pass: what an argument holds is not looked at again. Whether any sign
/// was there.
fn fill(body: &str, args: &str, words: &[String]) -> (String, bool) {
    let mut out = String::with_capacity(body.len() + args.len());
    let mut taken = false;
    let mut rest = body;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 1..];
        let digit = tail.chars().next().and_then(|ch| ch.to_digit(10)).filter(|digit| *digit > 0);
        if let Some(after) = tail.strip_prefix("ARGUMENTS") {
            out.push_str(args);
            (taken, rest) = (true, after);
        } else if let Some(digit) = digit {
            let word = usize::try_from(digit - 1).ok().and_then(|at| words.get(at));
            out.push_str(word.map_or("", String::as_str));
            (taken, rest) = (true, &tail[1..]);
        } else {
            out.push('$');
            rest = tail.strip_prefix('$').unwrap_or(tail);
        }
    }
    out.push_str(rest);
    (out, taken)
}

/// Whether `name` can stand behind a slash, and nothing else stands there already.
fn check_name(name: &str) -> Result<(), String> {
    let fits = |ch: char| ch.is_ascii_lowercase() || ch.is_ascii_digit() || ch == '-' || ch == '_';
    if !name.starts_with(|ch: char| ch.is_ascii_lowercase()) || !name.chars().all(fits) || name.len() > NAME_CHARS_MAX {
        return Err(format!("a command's file is named by small letters, digits, `-` and `_`, a letter first, {NAME_CHARS_MAX} at most"));
    }
    if crate::tui::slash::COMMANDS.iter().any(|row| row.name == name) {
        return Err(format!("/{name} is a command of wakeful already: give the file another name"));
    }
    Ok(())
}

fn unquoted(value: &str) -> Result<&str, String> {
    for mark in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(mark) {
            return inner.strip_suffix(mark).ok_or_else(|| "a quotation mark is not closed".to_owned());
        }
    }
    Ok(value)
}

fn unknown_key(key: &str) -> String {
    let near = KEYS.iter().map(|known| (strsim::damerau_levenshtein(known, key), *known)).min();
    let hint = match near {
        Some((distance, known)) if distance <= 2 => format!("did you mean `{known}`?"),
        _ => format!("there are {}", KEYS.join(", ")),
    };
    format!("unknown key `{}`: {hint}", shown(key))
}

fn shown(text: &str) -> String {
    ellipsis(&clean_line(text), 40).into_owned()
}
