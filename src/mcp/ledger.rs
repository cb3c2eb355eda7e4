//! What is remembered of servers from run to run: the era, the command that a person agreed to, the tools as they were,
//! tasks that are not done. One small file for each server.
//!
//! A server is known by its name and what it is (command line or address): another command under the same name is another
//! server. Processes take turns by a lock file.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::domain::ids::ServerName;
use crate::domain::tool::ToolInfo;
use crate::mcp::era::Era;
use crate::mcp::options::{Endpoint, Program};

/// How long an era with a handshake is taken for granted: servers are renewed.
const LEGACY_FOR: Duration = Duration::from_hours(24 * 7);

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 16 * 1_024 * 1_024;

/// The most tasks that are remembered of one server.
const TASKS_MAX: usize = 100;

/// What is remembered of one server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Entry {
    pub(super) era: Option<Era>,
    /// When the era was found out, in seconds since 1970.
    era_at: u64,
    /// A person agreed to start it.
    pub(super) agreed: bool,
    /// Tools as a person knows them, by name: description and schema in one text.
    pub(super) tools: BTreeMap<String, String>,
    /// Tasks whose end is not known.
    pub(super) tasks: Vec<OpenTask>,
}

/// A task on a server whose end is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenTask {
    pub(super) id: String,
    pub(super) tool: String,
    pub(super) call_id: String,
    #[serde(default)]
    pub(super) session: Option<String>,
}

impl Entry {
    /// The era, as far as it may be taken for granted.
    pub(super) fn known_era(&self) -> Option<Era> {
        let is_old = now().saturating_sub(self.era_at) > LEGACY_FOR.as_secs();
        self.era.filter(|era| *era == Era::Modern || !is_old)
    }

    pub(super) fn set_era(&mut self, era: Era) {
        (self.era, self.era_at) = (Some(era), now());
    }

    pub(super) fn open_task(&mut self, task: OpenTask) {
        if self.tasks.len() >= TASKS_MAX {
            self.tasks.remove(0);
        }
        self.tasks.push(task);
    }

    pub(super) fn close_task(&mut self, id: &str) {
        self.tasks.retain(|task| task.id != id);
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A tool as a person reads it, for comparing. The order of keys is no change: it differs from one era to the other.
pub(super) fn tool_text(info: &ToolInfo) -> String {
    let mut schema = Value::Object((*info.parameters).clone());
    schema.sort_all_objects();
    let schema = serde_json::to_string_pretty(&schema).unwrap_or_default();
    let title = info.title.as_deref().unwrap_or_default();
    format!("{title}\n{}\n{schema}\n", info.description)
}

/// The files. Cheap to clone; without a folder nothing is remembered beyond this run.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(Option<Arc<PathBuf>>);

impl Ledger {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self(folder.map(Arc::new))
    }

    /// Whether anything is remembered.
    pub(super) fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// What is remembered of the server `key`.
    pub(super) async fn read(&self, key: &str) -> Entry {
        let Some(path) = self.path(key) else { return Entry::default() };
        tokio::task::spawn_blocking(move || load(&path)).await.unwrap_or_default()
    }

    /// Changes what is remembered of the server `key`. A disk that says no is told in the log file only.
    pub(super) async fn update(&self, key: &str, change: impl FnOnce(&mut Entry) + Send + 'static) {
        let Some(path) = self.path(key) else { return };
        let changed = tokio::task::spawn_blocking(move || store(&path, change)).await;
        if let Ok(Err(error)) = changed {
            tracing::warn!(target: "mcp", %error, "what is known of a server could not be kept");
        }
    }

    fn path(&self, key: &str) -> Option<PathBuf> {
        self.0.as_ref().map(|folder| folder.join(format!("{key}.json")))
    }
}

fn load(path: &Path) -> Entry {
    let small = fs::metadata(path).is_ok_and(|data| data.len() <= FILE_BYTES_MAX);
    let text = if small { fs::read(path).ok() } else { None };
    // What cannot be read is asked for anew.
    text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

fn store(path: &Path, change: impl FnOnce(&mut Entry)) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let lock = File::create(path.with_extension("lock"))?;
    lock.lock()?;
    let old = load(path);
    let mut entry = old.clone();
    change(&mut entry);
    if entry == old && path.exists() {
        return Ok(());
    }
    let file = tempfile::Builder::new().prefix(".part-").tempfile_in(folder)?;
    fs::write(file.path(), serde_json::to_vec(&entry)?)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// The name under which a server is remembered.
pub(super) fn key(server: &ServerName, endpoint: &Endpoint) -> String {
    let what = match endpoint {
        Endpoint::Process(program) => command_text(program),
        Endpoint::Http(address) => address.url.clone(),
    };
    let digest = Sha256::new().chain_update(server.as_str()).chain_update([0]).chain_update(what).finalize();
    let hash = digest.iter().take(8).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    format!("{}-{hash}", server.as_str().chars().map(|ch| if ch.is_ascii_alphanumeric() { ch } else { '_' }).collect::<String>())
}

/// All of a program that a person agrees to: the command line word for word, the folder, the names of its variables.
fn command_text(program: &Program) -> String {
    let variables: Vec<&String> = program.env.keys().chain(&program.pass_env).collect();
    let cwd = program.cwd.as_ref().map(|cwd| cwd.display().to_string());
    serde_json::to_string(&(&program.command, &program.args, cwd, variables)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(args: &[&str]) -> Endpoint {
        Endpoint::Process(Program {
            command: "npx".to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: BTreeMap::new(),
            pass_env: Vec::new(),
            cwd: None,
            era: None,
        })
    }

    #[test]
    fn another_command_is_another_server() {
        let of = |server: &str, args: &[&str]| key(&server.into(), &program(args));
        assert_eq!(of("a", &["x"]), of("a", &["x"]));
        assert_ne!(of("a", &["x"]), of("a", &["x", "y"]));
        assert_ne!(of("a", &["x y"]), of("a", &["x", "y"]));
        assert_ne!(of("a", &["x"]), of("b", &["x"]));
        assert!(of("a/../b", &[]).chars().all(|ch| ch.is_ascii_alphanumeric() || "_-".contains(ch)));
    }

    #[test]
    fn the_order_of_keys_is_no_change() {
        let info = |schema: &str| ToolInfo {
            name: "s__t".into(),
            server: "s".into(),
            tool: "t".to_owned(),
            title: None,
            description: "d".to_owned(),
            parameters: serde_json::from_str(schema).unwrap(),
            output: None,
            hints: crate::domain::tool::ToolHints::default(),
            trusted: false,
        };
        let text = |schema: &str| tool_text(&info(schema));
        assert_eq!(text(r#"{"type":"object","a":{"x":1,"y":2}}"#), text(r#"{"a":{"y":2,"x":1},"type":"object"}"#));
        assert_ne!(text(r#"{"a":[1,2]}"#), text(r#"{"a":[2,1]}"#));
    }

    #[tokio::test]
    async fn what_is_noted_is_there_in_the_next_run_and_broken_files_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = || Ledger::new(Some(folder.path().join("mcp")));
        ledger().update("k", |entry| entry.set_era(Era::Legacy)).await;
        let task = OpenTask { id: "t".to_owned(), tool: "x".to_owned(), call_id: "c".to_owned(), session: None };
        ledger().update("k", move |entry| entry.open_task(task)).await;
        let entry = ledger().read("k").await;
        assert_eq!((entry.known_era(), entry.tasks.len()), (Some(Era::Legacy), 1));
        ledger().update("k", |entry| entry.close_task("t")).await;
        assert!(ledger().read("k").await.tasks.is_empty());
        fs::write(folder.path().join("mcp/k.json"), "{broken").unwrap();
        assert_eq!(ledger().read("k").await, Entry::default());
        assert_eq!(Ledger::default().read("k").await, Entry::default());
    }

    #[test]
    fn an_old_era_is_asked_for_again() {
        let mut entry = Entry::default();
        entry.set_era(Era::Legacy);
        entry.era_at -= LEGACY_FOR.as_secs() + 1;
        assert_eq!(entry.known_era(), None);
        entry.era = Some(Era::Modern);
        assert_eq!(entry.known_era(), Some(Era::Modern));
    }
}
