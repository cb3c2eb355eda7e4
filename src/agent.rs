//! The agent: the tool-calling loop, approvals, handoffs, sessions.
