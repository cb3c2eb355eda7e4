//! Looks at the set-up: what works, what does not, what to do about it. Tells no secrets.

mod around;
mod logless;

use std::path::Path;
use std::time::Duration;

pub use logless::look as look_without_log;

use crate::app::Start;
use crate::domain::query::{CheckLevel, CheckRow, EventFilter, EventReader, ServerState};
use crate::interactions::reporter::Reports;
use crate::llm::{Catalog, offline};
use crate::mcp::ServerPool;
use crate::notify::ChannelStatus;
use crate::store::cache::{Cache, Layer, Stats};
use crate::tools::local::{Sandbox, can_fence};

/// The longest that the model's provider is waited for.
const PROVIDER_WAIT_MAX: Duration = Duration::from_secs(5);

/// What is looked at beside the settings and the log.
pub struct Parts<'a> {
    /// The models.
    pub catalog: &'a Catalog,
    /// The servers.
    pub pool: &'a ServerPool,
    /// How people are reached.
    pub channels: &'a [ChannelStatus],
    /// What is kept of what was fetched.
    pub cache: &'a Cache,
    /// The reports to a coordinator.
    pub reports: &'a Reports,
}

/// Looks at everything; `log` is the row of the log.
pub async fn look(start: &Start, log: CheckRow, parts: &Parts<'_>) -> Vec<CheckRow> {
    let mut rows = vec![version(), config(start)];
    rows.extend(start.loaded.warnings.iter().map(|warning| row("config", CheckLevel::Warn, warning.clone(), None)));
    rows.push(folder("data folder", &start.paths.data));
    rows.push(folder("state folder", &start.paths.state));
    rows.push(log);
    rows.push(stored(&parts.cache.stats().await));
    rows.push(around::reports(parts.reports).await);
    rows.push(model(parts.catalog).await);
    rows.extend(parts.pool.servers().into_iter().map(|server| {
        let name = format!("server {}", server.name);
        match server.status {
            ServerState::Ready => row(&name, CheckLevel::Ok, format!("{} tools over {}", server.tools, server.transport), None),
            ServerState::Connecting => row(&name, CheckLevel::Warn, "still connecting", Some("look again in a few seconds")),
            ServerState::Disabled => row(&name, CheckLevel::Ok, "disabled", None),
            ServerState::Failing { reason, .. } | ServerState::Failed { reason } => {
                // What was added for this run is known nowhere else.
                let kept = start.loaded.settings.mcp_servers.iter().any(|kept| kept.name == server.name.as_str());
                let test = if kept { format!("`wakeful mcp test {}` tells more; ", server.name) } else { String::new() };
                let remedy = format!("{test}`/mcp logs {}` shows what it wrote", server.name);
                row(&name, CheckLevel::Fail, reason, Some(&remedy))
            }
        }
    }));
    rows.push(sandbox(start));
    rows.extend(around::rows(start, parts.channels));
    rows.extend(terminal(start));
    rows
}

fn row(name: &str, level: CheckLevel, message: impl Into<String>, remedy: Option<&str>) -> CheckRow {
    CheckRow { name: name.to_owned(), level, message: message.into(), remedy: remedy.map(str::to_owned) }
}

fn version() -> CheckRow {
    let message = format!("{} on {} {}", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    row("wakeful", CheckLevel::Ok, message, None)
}

fn config(start: &Start) -> CheckRow {
    let files: Vec<_> = start.loaded.files.iter().map(|file| file.display().to_string()).collect();
    if files.is_empty() {
        let message = format!("no file, all defaults; it would be {}", start.loaded.config_file.display());
        return row("config", CheckLevel::Ok, message, Some("`wakeful config init` writes a commented one"));
    }
    row("config", CheckLevel::Ok, files.join(", "), None)
}

/// Whether files can be written in `path`: by writing one.
fn folder(name: &str, path: &Path) -> CheckRow {
    let probe = path.join(format!(".doctor-{}", std::process::id()));
    let written = std::fs::create_dir_all(path).and_then(|()| std::fs::write(&probe, b"")).and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => row(name, CheckLevel::Ok, path.display().to_string(), None),
        Err(error) => {
            let remedy = format!("make {} writable, or set WAKEFUL_HOME to a folder that is", path.display());
            row(name, CheckLevel::Fail, format!("{}: {error}", path.display()), Some(&remedy))
        }
    }
}

/// Whether the log can be read.
pub async fn log(reader: &dyn EventReader) -> CheckRow {
    let newest = EventFilter { limit: Some(1), newest: true, ..EventFilter::default() };
    match reader.events(newest).await {
        Ok(events) => {
            let head = events.first().and_then(|event| event.seq).unwrap_or_default();
            row("event log", CheckLevel::Ok, format!("{head} events"), None)
        }
        Err(error) => bad_log(error.to_string()),
    }
}

/// The error has its own remedy: the log may be a file, damaged or locked, or a database.
fn bad_log(message: impl Into<String>) -> CheckRow {
    row("event log", CheckLevel::Fail, message, None)
}

fn stored(stats: &Stats) -> CheckRow {
    if !stats.enabled {
        return row("cache", CheckLevel::Ok, "off: everything is fetched each time", Some("`cache.enabled = true` turns it on"));
    }
    if let Some((layer, problem)) = stats.layers.iter().find_map(|layer| Some((layer, layer.problem.as_ref()?))) {
        let remedy = match layer.layer {
            Layer::Redis => "start it, or correct `cache.redis` in the config; nothing else suffers meanwhile",
            _ => "move the file away and a new one is made; nothing in it is precious",
        };
        return row("cache", CheckLevel::Warn, format!("{}: {problem}", layer.place), Some(remedy));
    }
    let last = stats.layers.iter().rfind(|layer| layer.layer != Layer::Redis);
    let (entries, kib) = last.map_or((0, 0), |layer| (layer.entries, layer.bytes.div_ceil(1_024)));
    let shared = if stats.layers.iter().any(|layer| layer.layer == Layer::Redis) { ", Redis answers" } else { "" };
    row("cache", CheckLevel::Ok, format!("{entries} entries in {kib} KiB{shared}"), None)
}

async fn model(catalog: &Catalog) -> CheckRow {
    let id = catalog.default_id().to_owned();
    let name = format!("model {id}");
    let resolved = match catalog.resolve(&id, None) {
        Ok(resolved) => resolved,
        Err(error) => return row(&name, CheckLevel::Fail, error.to_string(), Some("set `model` in the config, or --model")),
    };
    if resolved.provider == offline::PROVIDER {
        let remedy = "set OPENAI_API_KEY or `[providers]`, then choose a model with /model";
        return row(&name, CheckLevel::Ok, "the built-in assistant; rule-based, no language model", Some(remedy));
    }
    match tokio::time::timeout(PROVIDER_WAIT_MAX, resolved.llm.models()).await {
        Ok(Ok(models)) if models.contains(&resolved.model) => row(&name, CheckLevel::Ok, "the provider answers and has it", None),
        Ok(Ok(models)) => {
            let message = format!("the provider answers, but does not list this model; it lists {} others", models.len());
            row(&name, CheckLevel::Warn, message, Some("`/model` lists what there is"))
        }
        Ok(Err(error)) => {
            row(&name, CheckLevel::Fail, error.to_string(), Some("check base_url and key of the provider in `wakeful config show`"))
        }
        Err(_) => row(&name, CheckLevel::Fail, "no answer within 5 s", Some("check base_url of the provider, and whether it runs")),
    }
}

/// Whether commands of the agent are fenced in.
fn sandbox(start: &Start) -> CheckRow {
    let wanted = start.loaded.settings.tools.commands.sandbox;
    let name = "commands";
    match wanted {
        Sandbox::Off => {
            let remedy = "`sandbox = \"write\"` under [tools.commands] keeps what they write in the working folder";
            row(name, CheckLevel::Ok, "not fenced in: `sandbox` is `off`", Some(remedy))
        }
        Sandbox::Write | Sandbox::Strict if can_fence() => {
            row(name, CheckLevel::Ok, format!("fenced in by Landlock: `{}`", wanted.as_str()), None)
        }
        Sandbox::Write | Sandbox::Strict => {
            let remedy = "Landlock needs Linux 5.13 with `landlock` among its security modules; look closely before you allow a command";
            row(name, CheckLevel::Warn, "not fenced in: this system has no Landlock", Some(remedy))
        }
    }
}

fn terminal(start: &Start) -> Vec<CheckRow> {
    let term = start.environment.get("TERM").unwrap_or("unset");
    let colours = if start.environment.get("NO_COLOR").is_some() {
        "no colours (NO_COLOR)"
    } else if matches!(start.environment.get("COLORTERM"), Some("truecolor" | "24bit")) {
        "24-bit colours"
    } else if term.contains("256color") {
        "256 colours"
    } else {
        "16 colours"
    };
    let mut rows = vec![if term == "dumb" || term == "unset" {
        row(
            "terminal",
            CheckLevel::Warn,
            format!("TERM is {term}"),
            Some("use a terminal that can move the cursor; `wakeful exec` works everywhere"),
        )
    } else {
        row("terminal", CheckLevel::Ok, format!("{term}, {colours}"), None)
    }];
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| start.environment.get(name)).unwrap_or("");
    if !locale.to_ascii_lowercase().contains("utf") {
        let remedy = "set LANG to a UTF-8 locale, e.g. C.UTF-8, or `tui.icons = \"ascii\"`";
        rows.push(row("locale", CheckLevel::Warn, format!("`{locale}` does not say UTF-8"), Some(remedy)));
    }
    rows
}
