//! Results of tools that are kept, as `[[cache.tools]]` says: the same call within the time is answered from the cache.
//!
//! Only tools that say of themselves that they only read are taken. A kept result says that it is one and how old it is;
//! what failed is not kept. Who stops a call that others wait for too takes nothing from them.

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::agent::approval::matches;
use crate::bus::Recorder;
use crate::domain::event::{Custom, ErrorEvent, ErrorKind, EventBody, NewEvent};
use crate::domain::ids::{ServerName, ToolName};
use crate::domain::tool::ToolInfo;
use crate::store::cache::{Cache, Fetched, Hit, Kind, Layer, Lifetime, ToolRule};
use crate::tools::{CallContext, Tool, ToolBox, ToolError, ToolOutcome, ToolSource};

/// All tools of `sources`: as the agent is given them, and as they are for background tasks. Those look for what is new
/// and are never given what was kept.
pub fn boxes(sources: Vec<Arc<dyn ToolSource>>, cache: &Cache, folder: &Path) -> (ToolBox, ToolBox) {
    let folder = folder.display().to_string();
    let kept = sources.iter().map(|source| cached(Arc::clone(source), cache, &folder)).collect();
    (ToolBox::new(kept), ToolBox::new(sources))
}

/// The tools of `source`, those that a rule of the cache names behind the cache. `folder` is the working folder: the same
/// arguments may mean something else in another one.
pub fn cached(source: Arc<dyn ToolSource>, cache: &Cache, folder: &str) -> Arc<dyn ToolSource> {
    let options = cache.options();
    if options.tools.is_empty() || !options.enabled {
        return source;
    }
    Arc::new(CachedTools { source, cache: cache.clone(), folder: folder.into() })
}

/// Clears the cache and says so in the log of events.
pub async fn clear(cache: Cache, kind: Option<Kind>, recorder: Arc<dyn Recorder>) {
    let event = match cache.clear(kind).await {
        Ok(cleared) => {
            let what = kind.map_or_else(|| "everything".to_owned(), |kind| format!("all of the kind {kind}"));
            let message = format!("{what} is forgotten: {} entries", cleared.entries);
            let (entries, bytes) = (cleared.entries, cleared.bytes);
            let data = json!({"event_type": "cleared", "message": message, "kind": kind, "entries": entries, "bytes": bytes});
            NewEvent::system(EventBody::Custom(Custom { type_name: "cache".to_owned(), data }))
        }
        Err(error) => NewEvent::system(ErrorEvent { message: error.to_string(), source: "cache".to_owned(), details: json!({}) }),
    };
    recorder.emit(event);
}

struct CachedTools {
    source: Arc<dyn ToolSource>,
    cache: Cache,
    folder: Arc<str>,
}

impl CachedTools {
    fn wrap(&self, tool: Arc<dyn Tool>) -> Arc<dyn Tool> {
        match lifetime(tool.info(), &self.cache.options().tools) {
            Some(lifetime) => Arc::new(CachedTool { tool, cache: self.cache.clone(), folder: Arc::clone(&self.folder), lifetime }),
            None => tool,
        }
    }
}

impl ToolSource for CachedTools {
    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        self.source.tools().into_iter().map(|tool| self.wrap(tool)).collect()
    }

    fn find(&self, name: &ToolName) -> Option<Arc<dyn Tool>> {
        self.source.find(name).map(|tool| self.wrap(tool))
    }

    fn servers(&self) -> Vec<ServerName> {
        self.source.servers()
    }
}

/// How long a result of the tool is kept: as the first rule that names it says; none where it does not only read.
fn lifetime(info: &ToolInfo, rules: &[ToolRule]) -> Option<Lifetime> {
    let rule = rules.iter().find(|rule| matches(&rule.server, info.server.as_str()) && matches(&rule.tool, &info.tool))?;
    info.hints.read_only.then(|| Lifetime::fresh(Duration::from_secs(rule.seconds)))
}

struct CachedTool {
    tool: Arc<dyn Tool>,
    cache: Cache,
    folder: Arc<str>,
    lifetime: Lifetime,
}

/// An outcome as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    structured: Option<Value>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_error: bool,
}

impl Tool for CachedTool {
    fn info(&self) -> &ToolInfo {
        self.tool.info()
    }

    fn preview<'a>(&'a self, arguments: &'a Map<String, Value>) -> BoxFuture<'a, Option<String>> {
        self.tool.preview(arguments)
    }

    fn call(&self, arguments: Map<String, Value>, context: CallContext) -> BoxFuture<'static, Result<ToolOutcome, ToolError>> {
        let info = self.tool.info();
        let key = key(&self.folder, info, &arguments);
        let name = info.tool.clone();
        let (cache, tool, lifetime) = (self.cache.clone(), Arc::clone(&self.tool), self.lifetime);
        async move {
            let stopped = context.cancel.clone();
            let fetch = move || fetch(tool, arguments, context, lifetime);
            let hit = tokio::select! {
                biased;
                () = stopped.cancelled() => return Err(ToolError::new(ErrorKind::Interrupted, format!("`{name}` was stopped"))),
                hit = cache.get_or_fetch(Kind::ToolResult, &key, fetch) => hit?,
            };
            match serde_json::from_slice::<Kept>(&hit.value) {
                Ok(kept) => Ok(outcome(kept, &hit)),
                Err(error) => {
                    // Another version wrote it.
                    cache.remove(Kind::ToolResult, &key).await;
                    let message = format!("the kept result of `{name}` could not be read ({error}) and is forgotten; call it again");
                    Err(ToolError::new(ErrorKind::Tool, message))
                }
            }
        }
        .boxed()
    }
}

/// Calls the tool for all who wait. The call has a token of its own: it is stopped when the last of them has left, and
/// then has the time to tell its server.
async fn fetch(tool: Arc<dyn Tool>, arguments: Map<String, Value>, context: CallContext, lifetime: Lifetime) -> Result<Fetched, ToolError> {
    let cancel = CancellationToken::new();
    let _ends_with_the_last = cancel.clone().drop_guard();
    let call = tool.call(arguments, CallContext { cancel, ..context });
    let outcome = tokio::spawn(call).await.map_err(|error| broken_off(&error))??;
    let lifetime = if outcome.is_error { Lifetime::NONE } else { lifetime };
    let kept = Kept { text: outcome.text, structured: outcome.structured, is_error: outcome.is_error };
    let value = serde_json::to_vec(&kept).map_err(|error| ToolError::new(ErrorKind::Tool, error.to_string()))?;
    Ok(Fetched { value: Bytes::from(value), lifetime: Some(lifetime) })
}

fn broken_off(error: &tokio::task::JoinError) -> ToolError {
    tracing::error!(%error, "a tool broke off");
    ToolError::new(ErrorKind::Tool, "the tool broke off because of a fault of the program; the log file has the details")
}

fn outcome(kept: Kept, hit: &Hit) -> ToolOutcome {
    let Kept { mut text, structured, is_error } = kept;
    if hit.layer != Layer::Origin {
        let note = format!("(from the cache: {} old)", age(hit.age));
        text = if text.is_empty() { note } else { format!("{}\n\n{note}", text.trim_end()) };
    }
    ToolOutcome { text, structured, is_error }
}

fn age(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3_600),
    }
}

/// Folder, server, tool and arguments, the latter in one order whoever wrote them.
fn key(folder: &str, info: &ToolInfo, arguments: &Map<String, Value>) -> String {
    let arguments = canonical(&Value::Object(arguments.clone()));
    json!([folder, info.server.as_str(), info.tool, arguments]).to_string()
}

/// The same value with all keys in order.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().map(|(name, value)| (name.clone(), canonical(value))).collect();
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(fields.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        other => other.clone(),
    }
}
