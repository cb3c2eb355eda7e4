//! The tour: prompts that show what the program can do, on the built-in assistant and the built-in servers.

use anyhow::Context;

use crate::app::Start;
use crate::config::settings::DEFAULT_MODEL;
use crate::domain::command::ApprovalMode;

/// Sets the stage: the built-in assistant, in a folder of its own where it may write unasked.
///
/// # Errors
/// When that folder cannot be made.
pub fn prepare(start: &mut Start) -> anyhow::Result<()> {
    let folder = start.paths.cache.join("tour");
    std::fs::create_dir_all(&folder).with_context(|| format!("could not make {}", folder.display()))?;
    start.cwd = folder;
    start.loaded.settings.agent.mode = ApprovalMode::Auto;
    // Nobody's real servers run unasked for a show.
    start.loaded.settings.mcp_servers.clear();
    start.loaded.settings.agent.approvals.clear();
    DEFAULT_MODEL.clone_into(&mut start.loaded.settings.model);
    Ok(())
}

/// The scenes, in order.
pub const SCENES: &[&str] = &[
    "What can you do?",
    "What time is it in Tokyo and what is 17% of 2,340?",
    "List the files here",
    "Write a file named wakeful-tour.md with the content \"# Hello from wakeful\"",
    "Read wakeful-tour.md, then show me the system info",
    "现在东京几点？",
];
