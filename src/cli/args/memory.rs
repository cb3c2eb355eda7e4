//! `wakeful memory` on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `memory`.
#[derive(Debug, Clone, Args)]
pub struct MemoryArgs {
    /// What to do; lists where absent
    #[command(subcommand)]
    pub command: Option<MemoryVerb>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Whose memories; those of `memory.space` where absent
    #[arg(long, value_name = "NAME", global = true)]
    pub space: Option<String>,
}

/// What to do with memories. A MEMORY is an id, or the start of one.
#[derive(Debug, Clone, Subcommand)]
pub enum MemoryVerb {
    /// List them, the latest first
    List {
        /// Only of this kind: fact, preference, person, project
        #[arg(long, short)]
        kind: Option<String>,
        /// Only with this tag; may be given several times
        #[arg(long, short, value_name = "TAG")]
        tag: Vec<String>,
        /// At most so many
        #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50)]
        limit: usize,
        /// Without the first so many
        #[arg(long, value_name = "COUNT", default_value_t = 0)]
        offset: usize,
    },
    /// Find those that fit, the best first
    Search {
        /// The words
        #[arg(required = true)]
        query: Vec<String>,
        /// Only of this kind: fact, preference, person, project
        #[arg(long, short)]
        kind: Option<String>,
        /// Only with this tag; may be given several times
        #[arg(long, short, value_name = "TAG")]
        tag: Vec<String>,
        /// At most so many
        #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 10)]
        limit: usize,
    },
    /// Remember something
    Add {
        /// What; read from standard input where it is `-`
        #[arg(required = true)]
        text: Vec<String>,
        /// What it is about: fact, preference, person, project; guessed where absent
        #[arg(long, short)]
        kind: Option<String>,
        /// A word to find it by; may be given several times
        #[arg(long, short, value_name = "TAG")]
        tag: Vec<String>,
        /// Even if it looks like a secret
        #[arg(long)]
        force: bool,
    },
    /// Change one: give only what changes
    Edit {
        /// Which
        memory: String,
        /// The new text
        #[arg(long, value_name = "TEXT")]
        content: Option<String>,
        /// The new kind: fact, preference, person, project
        #[arg(long, short)]
        kind: Option<String>,
        /// A tag it is to have; those not given are gone. Empty: none
        #[arg(long, short, value_name = "TAG")]
        tag: Option<Vec<String>>,
        /// Even if it looks like a secret
        #[arg(long)]
        force: bool,
    },
    /// Forget one for good, by its id or by words that fit it alone
    Forget {
        /// Which
        #[arg(required = true)]
        which: Vec<String>,
    },
    /// Write all as JSON lines
    Export {
        /// Where to; standard output where absent
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Only of this kind: fact, preference, person, project
        #[arg(long, short)]
        kind: Option<String>,
    },
    /// Read JSON lines; what is known already is joined, so the same file may be read again
    Import {
        /// Where from; `-` is standard input
        file: PathBuf,
        /// Even what looks like a secret
        #[arg(long)]
        force: bool,
    },
    /// Tell how many there are, where, and how far their vectors have come
    Status,
}
