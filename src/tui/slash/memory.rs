//! The arguments of the commands about memories.

use super::{Want, some};
use crate::domain::text::{clean_line, ellipsis};

/// What is wanted of the memories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoryWant {
    /// Show those that fit these words; all where empty.
    Open(String),
    /// Keep this; the flag: even if it looks like a secret.
    Remember(String, bool),
    /// Forget the one of this id, or the only one that fits these words.
    Forget(String),
    /// Change the text of one.
    Edit {
        /// Its id, or the start of it.
        id: String,
        /// The new text.
        content: String,
    },
    /// Write all to a file; a name is made where absent.
    Export(Option<String>),
}

/// `/remember [--force] TEXT`.
pub(super) fn remember(args: &str) -> Result<Want, String> {
    let (text, force) = args.strip_prefix("--force ").map_or((args, false), |text| (text.trim(), true));
    some(text, "what is to be remembered").map(|text| Want::Memory(MemoryWant::Remember(text, force)))
}

/// `/forget ID|WORDS`.
pub(super) fn forget(args: &str) -> Result<Want, String> {
    some(args, "the start of a memory's id, or words that fit it alone").map(|which| Want::Memory(MemoryWant::Forget(which)))
}

/// `/search WORDS`.
pub(super) fn search(args: &str) -> Result<Want, String> {
    some(args, "what to look for").map(|words| Want::Memory(MemoryWant::Open(words)))
}

/// `/memory [edit ID TEXT|export [FILE]]`.
pub(super) fn memory(args: &str) -> Result<Want, String> {
    let (verb, rest) = args.split_once(char::is_whitespace).unwrap_or((args, ""));
    let rest = rest.trim();
    Ok(Want::Memory(match verb {
        "" => MemoryWant::Open(String::new()),
        "export" => MemoryWant::Export((!rest.is_empty()).then(|| rest.to_owned())),
        "edit" => {
            let (id, content) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            let id = some(id, "the start of the memory's id")?;
            MemoryWant::Edit { id, content: some(content.trim(), "the new text")? }
        }
        other => return Err(format!("/memory knows no `{}` (to find something: /search WORDS)", ellipsis(&clean_line(other), 40))),
    }))
}
