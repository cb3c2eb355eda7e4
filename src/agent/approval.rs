//! May this call run? Pure: the mode, the rules, the remembered consents and the tool in, a verdict out.
//!
//! Order: a rule that denies; a rule that allows; a remembered consent; a rule that asks; the mode. Hints of a server are
//! hints: only a trusted server's "reads only" lets a call run unasked. A call that sends something to somebody asks each
//! time, unless a rule of the config lets it run. A call that would have a background task run a
//! program or call a tool asks in every case that is not denied ([`Policy::check_call`]).

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::agent::options::{ApprovalAction, ApprovalRule};
use crate::domain::command::ApprovalMode;
use crate::domain::event::{Approval, ApprovalStatus, Scope};
use crate::domain::ids::ServerName;
use crate::domain::task::would_run;
use crate::domain::tool::{ToolInfo, sends};

/// What is to be done with a call. The reason names the rule that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It runs.
    Allow {
        /// Why.
        reason: String,
    },
    /// A person is asked.
    Ask {
        /// Why.
        reason: String,
        /// Whether it may destroy something.
        dangerous: bool,
    },
    /// It does not run.
    Deny {
        /// Why.
        reason: String,
    },
}

/// Consents that reach further than one call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Consents {
    tools: HashSet<(ServerName, String)>,
    servers: HashSet<ServerName>,
}

impl Consents {
    /// Folds in one event; only what holds in all sessions. Tells whether something was learnt.
    pub fn learn_lasting(&mut self, approval: &Approval) -> bool {
        match (approval.status, approval.scope) {
            (ApprovalStatus::Granted, Some(Scope::Tool)) => self.tools.insert((approval.service_name.clone(), approval.tool_name.clone())),
            (ApprovalStatus::Granted, Some(Scope::Server)) => self.servers.insert(approval.service_name.clone()),
            _ => false,
        }
    }

    /// Folds in one event; only what holds until the session ends. Tells whether something was learnt.
    pub fn learn_session(&mut self, approval: &Approval) -> bool {
        approval.status == ApprovalStatus::Granted
            && approval.scope == Some(Scope::Session)
            && self.tools.insert((approval.service_name.clone(), approval.tool_name.clone()))
    }

    /// How far the consent reaches that covers the tool, if one does.
    fn covering(&self, tool: &ToolInfo) -> Option<Scope> {
        if self.servers.contains(&tool.server) {
            return Some(Scope::Server);
        }
        self.tools.contains(&(tool.server.clone(), tool.tool.clone())).then_some(Scope::Tool)
    }
}

/// All that decides whether a call may run.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// The session's mode.
    pub mode: ApprovalMode,
    /// The rules of the config.
    pub rules: &'a [ApprovalRule],
    /// Consents of this session.
    pub session: &'a Consents,
    /// Consents of all sessions.
    pub lasting: &'a Consents,
    /// Nobody is there to answer.
    pub unattended: bool,
}

impl Policy<'_> {
    /// The verdict on a call of `tool`.
    pub fn check(&self, tool: &ToolInfo) -> Verdict {
        let rule = self.rule_for(tool);
        let ruled = |action| rule.filter(|rule| rule.action == action).map(describe);
        if let Some(reason) = ruled(ApprovalAction::Deny) {
            return Verdict::Deny { reason };
        }
        if let Some(reason) = ruled(ApprovalAction::Allow) {
            return Verdict::Allow { reason };
        }
        if let Some(reason) = self.consent_to(tool) {
            return Verdict::Allow { reason };
        }
        if let Some(reason) = ruled(ApprovalAction::Ask) {
            return self.ask(tool, reason);
        }
        match self.mode {
            ApprovalMode::Auto => Verdict::Allow { reason: "mode `auto`: every call runs unasked".to_owned() },
            ApprovalMode::AutoRead if tool.trusted && tool.hints.read_only => {
                Verdict::Allow { reason: "mode `auto-read`: it only reads, by a trusted server's word".to_owned() }
            }
            ApprovalMode::AutoRead if tool.hints.read_only => {
                self.ask(tool, format!("mode `auto-read`: it says that it only reads, but `{}` is not a trusted server", tool.server))
            }
            ApprovalMode::AutoRead => self.ask(tool, "mode `auto-read`: it may change something".to_owned()),
            ApprovalMode::Ask => self.ask(tool, "mode `ask`: every call asks".to_owned()),
        }
    }

    /// The verdict on a call of `tool` with these arguments: what would have a task run something is asked about each time.
    ///
    /// Consent to a kind of call says nothing about a program that will run again and again with nobody there.
    pub fn check_call(&self, tool: &ToolInfo, arguments: &Map<String, Value>) -> Verdict {
        let verdict = self.check(tool);
        if sends(tool.server.as_str(), &tool.tool) {
            return self.check_sending(tool, verdict);
        }
        if matches!(verdict, Verdict::Deny { .. }) || !would_run(tool.server.as_str(), &tool.tool, arguments) {
            return verdict;
        }
        let reason = "the task would run a program or call a tool unasked, which a person agrees to each time";
        if self.unattended {
            let hint = "nobody is there to agree; make it at the shell: `wakeful tasks add`";
            return Verdict::Deny { reason: format!("{reason}: {hint}") };
        }
        Verdict::Ask { reason: reason.to_owned(), dangerous: true }
    }

    /// What leaves for somebody asks each time, for consent to one receiver says nothing about the next; only a rule of the
    /// config that names these tools lets them run unasked.
    fn check_sending(&self, tool: &ToolInfo, verdict: Verdict) -> Verdict {
        let ruled = self.rule_for(tool).is_some_and(|rule| rule.action == ApprovalAction::Allow && specificity(rule) > (0, 0));
        let reason = "it reaches somebody outside of this machine, which a person agrees to each time";
        match verdict {
            Verdict::Deny { .. } => verdict,
            Verdict::Allow { .. } if ruled => verdict,
            _ if self.unattended => {
                let hint = "nobody is there to agree; a rule in `[[approvals]]` for this server lets it run";
                Verdict::Deny { reason: format!("{reason}: {hint}") }
            }
            _ => Verdict::Ask { reason: reason.to_owned(), dangerous: true },
        }
    }

    fn ask(&self, tool: &ToolInfo, reason: String) -> Verdict {
        if self.unattended {
            let reason = format!(
                "it needs consent ({reason}) and nobody is there to give it; a rule in `[[approvals]]` or the mode `auto` lets it run"
            );
            return Verdict::Deny { reason };
        }
        Verdict::Ask { reason, dangerous: tool.hints.destructive && !tool.hints.read_only }
    }

    fn consent_to(&self, tool: &ToolInfo) -> Option<String> {
        if let Some(scope) = self.lasting.covering(tool) {
            return Some(match scope {
                Scope::Server => format!("remembered: all tools of `{}` may run", tool.server),
                Scope::Once | Scope::Session | Scope::Tool => format!("remembered: `{}` of `{}` may run", tool.tool, tool.server),
            });
        }
        self.session.covering(tool).map(|_| format!("`{}` of `{}` may run in this session", tool.tool, tool.server))
    }

    /// The most specific rule that fits: server and tool before tool before server; of equals the first.
    fn rule_for(&self, tool: &ToolInfo) -> Option<&ApprovalRule> {
        let fits = |pattern: &Option<String>, name: &str| pattern.as_deref().is_none_or(|pattern| matches(pattern, name));
        let fitting = self.rules.iter().filter(|rule| fits(&rule.server, tool.server.as_str()) && fits(&rule.tool, &tool.tool));
        // `max_by_key` takes the last of equals: walk backwards.
        fitting.rev().max_by_key(|rule| specificity(rule))
    }
}

fn specificity(rule: &ApprovalRule) -> (u8, u8) {
    let weight = |pattern: &Option<String>| match pattern.as_deref() {
        None | Some("*") => 0,
        Some(pattern) if pattern.contains('*') => 1,
        Some(_) => 2,
    };
    (weight(&rule.tool), weight(&rule.server))
}

fn describe(rule: &ApprovalRule) -> String {
    let mut parts = Vec::new();
    if let Some(server) = &rule.server {
        parts.push(format!("server = \"{server}\""));
    }
    if let Some(tool) = &rule.tool {
        parts.push(format!("tool = \"{tool}\""));
    }
    let action = match rule.action {
        ApprovalAction::Allow => "allow",
        ApprovalAction::Ask => "ask",
        ApprovalAction::Deny => "deny",
    };
    parts.push(format!("action = \"{action}\""));
    format!("rule {{ {} }}", parts.join(", "))
}

/// Whether `name` fits `pattern`, in which `*` stands for any characters.
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut name) = name.strip_prefix(head) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return name.ends_with(part);
        }
        let Some(at) = name.find(part) else { return false };
        name = &name[at + part.len()..];
    }
    true
}
