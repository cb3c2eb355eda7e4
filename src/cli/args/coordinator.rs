//! `wakeful coordinator` on the command line.

use std::net::SocketAddr;

use clap::{Args, Subcommand};

/// `coordinator`.
#[derive(Debug, Clone, Args)]
pub struct CoordinatorArgs {
    /// What to do; runs until ctrl+c where absent
    #[command(subcommand)]
    pub command: Option<CoordinatorVerb>,
    /// Where it listens for HTTP; port 0: the system chooses. Default: [coordinator] listen
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Where it listens for gRPC; port 0: the system chooses. Default: `[coordinator] grpc_listen`
    #[arg(long, value_name = "ADDRESS")]
    pub grpc: Option<SocketAddr>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do beside running.
#[derive(Debug, Clone, Subcommand)]
pub enum CoordinatorVerb {
    /// Keys of reporters: add, list, revoke
    #[command(subcommand)]
    Keys(KeysVerb),
    /// What the records come to: how many, how many failed, how long they took
    Stats {
        /// Of the last so many hours
        #[arg(long, value_name = "HOURS", default_value_t = 24)]
        hours: u32,
        /// Only those of this reporter
        #[arg(long, value_name = "MCP_ID")]
        mcp_id: Option<String>,
    },
}

/// What to do with keys.
#[derive(Debug, Clone, Subcommand)]
pub enum KeysVerb {
    /// Make a key for a reporter and print it, this once; from the first key on one must be shown
    Add {
        /// The `mcp_id` that may be reported with it; `*` for any
        mcp_id: String,
    },
    /// List keys by the characters that they begin with
    List,
    /// Revoke a key, or all of a reporter
    Revoke {
        /// The key's first characters as `list` shows them, or an `mcp_id`
        key: String,
    },
}
