//! Highlighted code: syntect's grammars, loaded on a thread of their own when the first code block is shown.
//!
//! Until they are there code is plain. What colour a piece of code gets is the theme's business: this module only says
//! which meaning it has. The work is bounded: long lines and the far end of long blocks stay plain.

mod scopes;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxReference, SyntaxSet};

use crate::tui::theme::Key;

/// A line of more bytes stays plain: grammars take quadratic time on some of them.
pub const LINE_BYTES_MAX: usize = 1_000;

/// Lines of one block beyond this many stay plain.
pub const BLOCK_LINES_MAX: usize = 2_000;

/// Names that people and models write, and the name that the grammars know.
const ALIASES: [(&str, &str); 30] = [
    ("shell", "sh"),
    ("console", "sh"),
    ("terminal", "sh"),
    ("zsh", "sh"),
    ("shell-session", "sh"),
    ("shellscript", "sh"),
    ("python3", "py"),
    ("py3", "py"),
    ("golang", "go"),
    ("yml", "yaml"),
    ("jsonc", "json"),
    ("json5", "json"),
    ("jsonl", "json"),
    ("ndjson", "json"),
    ("c++", "cpp"),
    ("c#", "cs"),
    ("csharp", "cs"),
    ("objc", "m"),
    ("node", "js"),
    ("mjs", "js"),
    ("cjs", "js"),
    ("jsx", "js"),
    ("vue-html", "vue"),
    ("docker", "dockerfile"),
    ("make", "makefile"),
    ("proto", "protobuf"),
    ("tf", "terraform"),
    ("hcl", "terraform"),
    ("viml", "vim"),
    ("rs", "rust"),
];

/// Languages without a grammar: asking for them loads nothing.
const PLAIN: [&str; 7] = ["", "text", "txt", "plain", "plaintext", "none", "output"];

struct Grammars {
    syntaxes: SyntaxSet,
    scopes: scopes::Table,
}

impl Grammars {
    fn load() -> Self {
        Self { syntaxes: two_face::syntax::extra_newlines(), scopes: scopes::Table::new() }
    }

    fn find(&self, language: &str) -> Option<&SyntaxReference> {
        let language = language.to_lowercase();
        let name = ALIASES.iter().find(|(alias, _)| *alias == language).map_or(language.as_str(), |(_, name)| name);
        self.syntaxes.find_syntax_by_token(name)
    }
}

struct Shared {
    on: bool,
    grammars: OnceLock<Grammars>,
    asked: AtomicBool,
    loaded: Box<dyn Fn() + Send + Sync>,
}

/// Gives code its colours. Cheap to clone; all clones share one set of grammars.
#[derive(Clone)]
pub struct Highlighter(Arc<Shared>);

impl Default for Highlighter {
    fn default() -> Self {
        Self::off()
    }
}

impl std::fmt::Debug for Highlighter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Highlighter").field("on", &self.0.on).field("loaded", &self.0.grammars.get().is_some()).finish()
    }
}

impl Highlighter {
    fn new(on: bool, loaded: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared { on, grammars: OnceLock::new(), asked: AtomicBool::new(false), loaded: Box::new(loaded) }))
    }

    /// One that loads its grammars on a thread of its own when they are first needed, then calls `loaded` once: the
    /// time to draw again.
    pub fn lazy(loaded: impl Fn() + Send + Sync + 'static) -> Self {
        Self::new(true, loaded)
    }

    /// One that has its grammars at once: for tests and for programs that draw one picture.
    pub fn ready() -> Self {
        let highlighter = Self::new(true, || {});
        highlighter.0.asked.store(true, Ordering::Relaxed);
        highlighter.0.grammars.get_or_init(Grammars::load);
        highlighter
    }

    /// One that leaves all code plain.
    pub fn off() -> Self {
        Self::new(false, || {})
    }

    /// Grows when something that was drawn before would look different now.
    pub fn generation(&self) -> u64 {
        u64::from(self.0.grammars.get().is_some())
    }

    /// The grammars, if they are there; asks for them if nobody has.
    fn grammars(&self) -> Option<&Grammars> {
        let grammars = self.0.grammars.get();
        if grammars.is_none() && self.0.on && !self.0.asked.swap(true, Ordering::Relaxed) {
            let shared = Arc::clone(&self.0);
            let load = move || {
                shared.grammars.get_or_init(Grammars::load);
                (shared.loaded)();
            };
            // Without a thread code stays plain: no reason to stop anything.
            drop(std::thread::Builder::new().name("grammars".to_owned()).spawn(load));
        }
        grammars
    }
}

/// A piece of a line of code: so many bytes with this meaning.
pub type Piece = (Key, usize);

enum Way {
    Plain,
    Diff,
    Grammar { state: ParseState, stack: ScopeStack, known: HashMap<Scope, Option<Key>> },
}

/// One block of code, line after line.
pub struct Code {
    way: Way,
    lines: usize,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").field("lines", &self.lines).finish_non_exhaustive()
    }
}

impl Code {
    /// A block in `language`, an info string's first word.
    pub fn new(highlighter: &Highlighter, language: &str) -> Self {
        let language = language.trim();
        let way = match language {
            _ if PLAIN.iter().any(|name| name.eq_ignore_ascii_case(language)) => Way::Plain,
            "diff" | "patch" => Way::Diff,
            _ => highlighter.grammars().and_then(|grammars| grammars.find(language)).map_or(Way::Plain, |syntax| Way::Grammar {
                state: ParseState::new(syntax),
                stack: ScopeStack::new(),
                known: HashMap::new(),
            }),
        };
        Self { way, lines: 0 }
    }

    /// The meanings of the next line, given without its line break; their lengths add up to the line's.
    pub fn line(&mut self, highlighter: &Highlighter, line: &str) -> Vec<Piece> {
        self.lines += 1;
        if line.is_empty() && matches!(self.way, Way::Plain | Way::Diff) {
            return Vec::new();
        }
        if line.len() > LINE_BYTES_MAX || self.lines > BLOCK_LINES_MAX {
            return vec![(Key::MdCodeBlock, line.len())];
        }
        match &mut self.way {
            Way::Plain => vec![(Key::MdCodeBlock, line.len())],
            Way::Diff => vec![(diff_key(line), line.len())],
            Way::Grammar { state, stack, known } => match highlighter.0.grammars.get() {
                Some(grammars) => grammar_line(grammars, state, stack, known, line),
                None => vec![(Key::MdCodeBlock, line.len())],
            },
        }
    }
}

/// The meaning of a line of a unified diff.
pub fn diff_key(line: &str) -> Key {
    match line.as_bytes() {
        [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => Key::DiffHeader,
        [b'+', ..] => Key::DiffAdd,
        [b'-', ..] => Key::DiffRemove,
        [b'@', b'@', ..] => Key::DiffHunk,
        _ if line.starts_with("diff ") || line.starts_with("index ") => Key::DiffHeader,
        _ => Key::DiffContext,
    }
}

fn grammar_line(
    grammars: &Grammars,
    state: &mut ParseState,
    stack: &mut ScopeStack,
    known: &mut HashMap<Scope, Option<Key>>,
    line: &str,
) -> Vec<Piece> {
    let with_break = format!("{line}\n");
    let Ok(changes) = state.parse_line(&with_break, &grammars.syntaxes) else {
        return vec![(Key::SyntaxText, line.len())];
    };
    let mut pieces: Vec<Piece> = Vec::new();
    let mut from = 0;
    let mut push = |key: Key, upto: usize, from: &mut usize| {
        let upto = upto.min(line.len());
        if upto > *from {
            match pieces.last_mut() {
                Some((last, length)) if *last == key => *length += upto - *from,
                _ => pieces.push((key, upto - *from)),
            }
            *from = upto;
        }
    };
    for (at, change) in &changes {
        push(grammars.scopes.key(stack.as_slice(), known), *at, &mut from);
        // A broken grammar leaves the stack as it is; the colours are then less right, nothing else.
        drop(stack.apply(change));
    }
    push(grammars.scopes.key(stack.as_slice(), known), line.len(), &mut from);
    pieces
}
