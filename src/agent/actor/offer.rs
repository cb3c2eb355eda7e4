//! What surrounds a step: the model, the tools and the targets of handoffs that a turn has now.

use std::collections::HashSet;
use std::sync::Arc;

use crate::agent::actor::Who;
use crate::agent::engine::Deps;
use crate::agent::options::AgentOptions;
use crate::agent::prompt;
use crate::agent::turn::{Offer, Target};
use crate::domain::clock::Instant;
use crate::domain::ids::ServerName;
use crate::domain::tool::ToolInfo;
use crate::tools::Tool;

/// Tools of a server that its description as a target names.
const NAMED_TOOLS_MAX: usize = 8;

/// What `who`, with `depth` handoffs above it, has in a session with `model` in `cwd`.
pub(super) fn make(deps: &Deps, who: &Who, depth: u32, model: &str, cwd: &str, now: Instant) -> Offer {
    let options = &deps.options;
    let agent = match who {
        Who::Agent(name) => options.agents.get(name),
        Who::Main | Who::Server(_) => None,
    };
    let all = deps.tools.tools();
    let targets = if depth < options.handoff_depth_max { targets(deps, who, &all) } else { Vec::new() };
    let room = options.tools_max.saturating_sub(usize::from(!targets.is_empty()));
    let tools: Vec<ToolInfo> =
        all.iter().map(|tool| tool.info()).filter(|info| has(who, agent, &info.server)).take(room).cloned().collect();
    let own = match who {
        Who::Main => None,
        Who::Agent(_) => agent.map(|agent| agent.instructions.clone()),
        Who::Server(server) => Some(prompt::server_instructions(server.as_str())),
    };
    let wanted = agent.and_then(|agent| agent.model.as_deref()).unwrap_or(model);
    let system = prompt::system(options, own.as_deref(), cwd, now, &targets);
    let Ok(found) = deps.models.resolve(wanted, Some(model)) else {
        // The call of the model then fails with the reason.
        let model = wanted.to_owned();
        return Offer { system, model_name: model.clone(), model, context_tokens: options.context_tokens_default, tools, targets };
    };
    let context_tokens = found.llm.context_tokens(&found.model).unwrap_or(options.context_tokens_default);
    Offer { system, model: found.id(), model_name: found.model, context_tokens, tools, targets }
}

/// What `model` can hold.
pub(super) fn context_tokens(deps: &Deps, model: &str) -> u64 {
    let known = deps.models.resolve(model, None).ok().and_then(|found| found.llm.context_tokens(&found.model));
    known.unwrap_or(deps.options.context_tokens_default)
}

fn has(who: &Who, agent: Option<&AgentOptions>, server: &ServerName) -> bool {
    match who {
        Who::Main => true,
        Who::Agent(_) => agent.is_some_and(|agent| agent.servers.is_empty() || agent.servers.contains(server)),
        Who::Server(own) => own == server,
    }
}

/// The main agent reaches all agents and servers, an agent the other agents, a server nobody.
fn targets(deps: &Deps, who: &Who, tools: &[Arc<dyn Tool>]) -> Vec<Target> {
    let agents = deps.options.agents.iter().filter(|(name, _)| *who != Who::Agent((*name).clone()));
    let agent = |(name, agent): (&crate::domain::ids::AgentName, &AgentOptions)| Target {
        name: name.as_str().to_owned(),
        description: agent.description.clone(),
        agent: true,
    };
    match who {
        Who::Server(_) => Vec::new(),
        Who::Agent(_) => agents.map(agent).collect(),
        Who::Main => {
            let mut out: Vec<_> = agents.map(agent).collect();
            let mut seen: HashSet<String> = out.iter().map(|target| target.name.clone()).collect();
            for server in deps.tools.servers() {
                let own: Vec<_> = tools.iter().map(|tool| tool.info()).filter(|info| info.server == server).collect();
                if !own.is_empty() && seen.insert(server.as_str().to_owned()) {
                    out.push(Target { name: server.as_str().to_owned(), description: described(&own), agent: false });
                }
            }
            out
        }
    }
}

fn described(tools: &[&ToolInfo]) -> String {
    let names: Vec<_> = tools.iter().take(NAMED_TOOLS_MAX).map(|info| info.tool.as_str()).collect();
    let more = if tools.len() > NAMED_TOOLS_MAX { " …" } else { "" };
    format!("the server with the tools {}{more}", names.join(", "))
}
