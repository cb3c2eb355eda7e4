//! What a person agrees to before a server is used: its command before the first start, its tools when they changed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use similar::TextDiff;

use crate::domain::event::McpEventType;
use crate::domain::ids::ServerName;
use crate::domain::question::{Ask, ReplyAction, ToolChange};
use crate::domain::text::{clean_line, ellipsis};
use crate::domain::tool::ToolInfo;
use crate::mcp::catalog::Listing;
use crate::mcp::desk::About;
use crate::mcp::dial::Place;
use crate::mcp::error::{Error, OptionsError};
use crate::mcp::ledger::{self, Ledger, tool_text};
use crate::mcp::link::Link;
use crate::mcp::mask;
use crate::mcp::options::{Endpoint, ServerOptions};
use crate::mcp::supervisor::Supervisor;

/// The longest difference that is shown, in characters.
const DIFF_CHARS_MAX: usize = 8_000;

/// Remembers in `folder` that a person agreed to start the server's program.
///
/// # Errors
/// When the options are wrong.
pub async fn agree(options: &ServerOptions, folder: PathBuf) -> Result<(), OptionsError> {
    let ledger = Ledger::new(Some(folder));
    let name = ServerName::new(&options.name);
    for endpoint in options.endpoints()? {
        ledger.update(&ledger::key(&name, &endpoint), |entry| entry.agreed = true).await;
    }
    Ok(())
}

impl Supervisor {
    /// Makes sure that a person agreed to the program that is about to be started.
    pub(super) async fn agreed(&self) -> Result<(), Error> {
        let (Place::Remote(Endpoint::Process(program)), Some(host)) = (&self.replica.place, &self.host) else { return Ok(()) };
        if !self.options.confirm_commands || !self.ledger.is_kept() || self.ledger.read(&self.key).await.agreed {
            return Ok(());
        }
        let ask = Ask::FirstRun {
            command: clean_line(&mask::command_line(&program.command, &program.args)),
            cwd: program.cwd.as_ref().map(|cwd| clean_line(&cwd.display().to_string())),
            variables: program.env.keys().chain(&program.pass_env).map(|name| clean_line(name)).collect(),
        };
        match host.desk.ask(&self.service.name, About::default(), ask).await.action() {
            ReplyAction::Accept => {
                self.ledger.update(&self.key, |entry| entry.agreed = true).await;
                Ok(())
            }
            ReplyAction::Decline | ReplyAction::Cancel => Err(Error::NotAgreed),
        }
    }

    /// Holds back tools that are not what a person knows, until one has looked at them.
    pub(super) async fn vet(&self, link: &Arc<Link>, mut listing: Listing) -> Listing {
        if self.host.is_none() || !self.ledger.is_kept() {
            return listing;
        }
        let known = self.ledger.read(&self.key).await.tools;
        let changed: Vec<ToolChange> = listing.tools.iter().filter_map(|tool| change(tool, &known)).collect();
        let texts = listing.tools.iter().map(|tool| (tool.tool.clone(), tool_text(tool)));
        if changed.is_empty() || self.service.options.trusted || !self.options.confirm_changed_tools {
            let texts: BTreeMap<String, String> = texts.collect();
            if texts.iter().any(|(tool, text)| known.get(tool) != Some(text)) {
                self.ledger.update(&self.key, move |entry| entry.tools.extend(texts)).await;
            }
            if !changed.is_empty() {
                let names: Vec<&str> = changed.iter().map(|change| change.tool.as_str()).collect();
                self.service.lane.tell(McpEventType::ListChanged, json!({"list": "tools", "changed": names})).await;
            }
            return listing;
        }
        let fresh: BTreeMap<String, String> = texts.filter(|(tool, _)| !known.contains_key(tool)).collect();
        if !fresh.is_empty() {
            self.ledger.update(&self.key, move |entry| entry.tools.extend(fresh)).await;
        }
        let (held, lent): (Vec<ToolInfo>, Vec<ToolInfo>) =
            listing.tools.into_iter().partition(|tool| changed.iter().any(|change| change.tool == tool.tool));
        listing.tools = lent;
        let names: Vec<String> = changed.iter().map(|change| format!("`{}`", clean_line(&change.tool))).collect();
        listing.notes.push(format!("changed and left out until you have looked at it: {}", names.join(", ")));
        self.ask_about(link, &held, changed);
        listing
    }

    /// Asks, once for each change, and has the list read again where a person agrees.
    fn ask_about(&self, link: &Arc<Link>, held: &[ToolInfo], changed: Vec<ToolChange>) {
        let texts: BTreeMap<String, String> = held.iter().map(|tool| (tool.tool.clone(), tool_text(tool))).collect();
        let Some(host) = self.host.clone().filter(|_| link.shared.is_news(&texts)) else { return };
        let (ledger, key, server) = (self.ledger.clone(), self.key.clone(), self.service.name.clone());
        let link = Arc::downgrade(link);
        let stop = self.service.stop.clone();
        self.dialer.tasks.spawn(async move {
            let asked = host.desk.ask(&server, About::default(), Ask::ToolsChanged { tools: changed });
            let reply = tokio::select! {
                reply = asked => reply,
                () = stop.cancelled() => return,
            };
            if reply.action() == ReplyAction::Accept {
                ledger.update(&key, move |entry| entry.tools.extend(texts)).await;
                if let Some(link) = link.upgrade() {
                    link.shared.tools_changed.notify_one();
                }
            }
        });
    }
}

fn change(tool: &ToolInfo, known: &BTreeMap<String, String>) -> Option<ToolChange> {
    let (old, new) = (known.get(&tool.tool)?, tool_text(tool));
    if *old == new {
        return None;
    }
    let diff = TextDiff::from_lines(old.as_str(), new.as_str()).unified_diff().context_radius(2).to_string();
    Some(ToolChange { tool: clean_line(&tool.tool), diff: ellipsis(&diff, DIFF_CHARS_MAX).into_owned() })
}
