//! `wakeful report`: flags and commands.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `report`.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// What to do; shows how the reports stand where absent
    #[command(subcommand)]
    pub command: Option<ReportVerb>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do with the reports.
#[derive(Debug, Clone, Subcommand)]
pub enum ReportVerb {
    /// How the reports stand: what waits, what was refused, where they go
    Status,
    /// Try at once what waits for its time; with `--dead` send dead letters again
    Retry {
        /// Send dead letters again: those with these numbers, all where none is given
        #[arg(long, num_args = 0.., value_name = "NUMBER")]
        dead: Option<Vec<i64>>,
    },
    /// What the coordinator refused for good, and why
    Dead {
        /// At most so many, the oldest first
        #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 50)]
        limit: usize,
    },
    /// Send what waits now, and say what is left
    Flush {
        /// The longest that it may take, in seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 30)]
        seconds: u64,
    },
    /// Whether the coordinator can be reached and takes the key
    Test,
    /// What the coordinator at `coordinator_url` has: how many records, how many failed, how long interactions took
    Stats {
        /// Of the last so many hours
        #[arg(long, value_name = "HOURS", default_value_t = 24)]
        hours: u32,
    },
    /// Read the queue of another program (`interaction_cache.db`) and send what is in it; the file stays as it is
    Import {
        /// The file
        file: PathBuf,
    },
}
