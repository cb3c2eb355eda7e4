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
    // Its conversations and tasks are its own, nothing is fetched, nobody is told.
    start.paths.data = folder.join(".data");
    start.paths.state = folder.join(".state");
    start.loaded.settings.store = crate::store::Options::default();
    start.loaded.settings.tasks.enabled = false;
    start.loaded.settings.notify.simulate = true;
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
    "Monitor TechCrunch for AI news every 30 minutes and text +15555550100",
    "Send me a digest of TechCrunch and Hacker News every morning at 8 by SMS to +15555550100",
    "Remind me to check project status every day at 9 by SMS to +15555550100",
    "List my tasks",
];
