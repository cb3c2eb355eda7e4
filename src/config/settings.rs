//! All settings, as the files spell them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::domain::ids::AgentName;
use crate::domain::price::Price;
use crate::domain::task::Source;
use crate::interactions::coordinator;
use crate::llm::openai::ProviderOptions;
use crate::{agent, ambient, interactions, mcp, memory, net, notify, server, store, tools, tui, web};

/// The model where nothing else is said: the built-in assistant.
pub const DEFAULT_MODEL: &str = "offline/assistant";

/// `config.toml`. Every key may be left out.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// `provider/model` of new sessions. Default `offline/assistant`.
    pub model: String,
    /// Folders whose own `.wakeful.toml`, `.mcp.json` and `.env` are believed as if they were yours. Only read from the
    /// user's config. Default none.
    pub trusted_projects: Vec<PathBuf>,
    /// The agent.
    pub agent: agent::Options,
    /// Agents that can be handed a task, by name.
    pub agents: BTreeMap<AgentName, agent::AgentOptions>,
    /// Rules for single servers and tools: allow, ask, deny.
    pub approvals: Vec<agent::ApprovalRule>,
    /// OpenAI-compatible providers, by name.
    pub providers: BTreeMap<String, ProviderOptions>,
    /// MCP servers.
    pub mcp_servers: Vec<mcp::ServerOptions>,
    /// What holds for all MCP servers.
    pub mcp: mcp::PoolOptions,
    /// The surface for other programs.
    pub server: server::Options,
    /// The coordinator of interaction reports.
    pub coordinator: coordinator::Options,
    /// The built-in tools.
    pub tools: tools::local::Options,
    /// What is kept of what was fetched.
    pub cache: store::cache::Options,
    /// Memories across sessions.
    pub memory: memory::Options,
    /// How this machine reaches others.
    pub net: net::Options,
    /// Watching pages.
    pub fetch: net::fetch::Options,
    /// The web as tools see it: what they may fetch, search, weather.
    pub web: web::Options,
    /// The event log, the tasks and the outbox: where they are kept.
    pub store: store::Options,
    /// Background tasks.
    pub tasks: ambient::options::Options,
    /// What models cost, by `provider/model`; where a model is missing only its tokens are counted.
    pub prices: BTreeMap<String, Price>,
    /// What models may take.
    pub budget: agent::budget::Options,
    /// Numbers that thresholds can watch by name: where each comes from.
    pub metrics: BTreeMap<String, Source>,
    /// Telling people: SMS, mail, webhook, ntfy, desktop, terminal.
    pub notify: notify::Options,
    /// Reports of what the agent did, to a coordinator.
    pub interaction_logging: interactions::options::Options,
    /// The terminal surface.
    pub tui: tui::Options,
    /// Keys by action, in place of the default ones.
    pub keys: BTreeMap<String, Vec<String>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: DEFAULT_MODEL.to_owned(),
            trusted_projects: Vec::new(),
            agent: agent::Options::default(),
            agents: BTreeMap::new(),
            approvals: Vec::new(),
            providers: BTreeMap::new(),
            mcp_servers: Vec::new(),
            mcp: mcp::PoolOptions::default(),
            server: server::Options::default(),
            coordinator: coordinator::Options::default(),
            tools: tools::local::Options::default(),
            cache: store::cache::Options::default(),
            memory: memory::Options::default(),
            net: net::Options::default(),
            fetch: net::fetch::Options::default(),
            web: web::Options::default(),
            store: store::Options::default(),
            tasks: ambient::options::Options::default(),
            prices: BTreeMap::new(),
            budget: agent::budget::Options::default(),
            metrics: BTreeMap::new(),
            notify: notify::Options::default(),
            interaction_logging: interactions::options::Options::default(),
            tui: tui::Options::default(),
            keys: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Moves the sections that files keep at the top to the modules that own them; adds the metrics that are known
    /// without being configured.
    pub(super) fn settle(mut self) -> Self {
        for (name, source) in toml::from_str::<BTreeMap<String, Source>>(METRICS).unwrap_or_default() {
            self.metrics.entry(name).or_insert(source);
        }
        // Both places are one: what stands in `[prices]` counts where a model stands in both.
        for (model, price) in std::mem::take(&mut self.tasks.prices) {
            self.prices.entry(model).or_insert(price);
        }
        self.tasks.prices = self.prices.clone();
        self.agent.agents.append(&mut self.agents);
        self.agent.approvals.append(&mut self.approvals);
        self.tui.keys.append(&mut self.keys);
        self
    }
}

/// The metrics that are known without being configured.
const METRICS: &str = include_str!("metrics.toml");

/// Providers that are known without being configured: what to ask for and where. The key's variable, where one is needed.
pub const PRESETS: &[(&str, &str, Option<&str>)] = &[
    ("openai", "https://api.openai.com/v1", Some("OPENAI_API_KEY")),
    ("ollama", "http://127.0.0.1:11434/v1", None),
    ("lmstudio", "http://127.0.0.1:1234/v1", None),
    ("llamacpp", "http://127.0.0.1:8080/v1", None),
];
