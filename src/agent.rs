//! The agent: the tool-calling loop, approvals, handoffs, sessions.
//!
//! Decisions are plain functions over plain data: [`turn`] (one turn: inputs in, effects out), [`history`] (a
//! session's events folded into what the model is told), [`approval`] (may this call run?), [`compact`] (what is
//! summarised), [`export`]. The [`engine`] carries the effects out: one task for each open session, every decision in
//! the log before it takes effect. What the agent promises after a crash: a call that was started is never run again.

mod actor;
pub mod approval;
pub mod budget;
pub mod compact;
pub mod engine;
pub mod export;
pub mod history;
mod jobs;
pub mod options;
mod prompt;
pub mod recall;
pub mod spending;
#[cfg(test)]
mod testing;
mod tokens;
pub mod turn;

pub use engine::{Claim, Deps, Engine, EngineHandle, HandleError, NoLocks, SessionLocks};
pub use options::{AgentOptions, ApprovalAction, ApprovalRule, Options};
