//! Child processes that are never left behind.
//!
//! Each runs in its own process group with a cleared environment. A warden task owns it: asked to stop, it closes in
//! three steps (input closed, TERM, KILL); when the program ends, what it started itself is ended too. Should the warden
//! be dropped with the runtime, the group is killed at once.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::ids::ServerName;
use crate::mcp::error::Error;
use crate::mcp::options::Program;
use crate::mcp::stderr::{LogRing, drain};

/// How long a program may take to end once its input is closed.
const CLOSE_GRACE: Duration = Duration::from_millis(400);

/// How long a program (or what it left) may take to end after TERM.
const TERM_GRACE: Duration = Duration::from_millis(800);

/// Descendants of a program that are looked at.
#[cfg(target_os = "linux")]
const DESCENDANTS_MAX: usize = 1_000;

/// How often a group is looked at that should be ending.
const LOOK: Duration = Duration::from_millis(20);

/// How long the last lines of the error output are waited for after the end.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Variables that every program gets, where they are set.
const PASSED: &[&str] = &[
    "PATH",
    "HOME",
    "LANG",
    "LANGUAGE",
    "TERM",
    "TMPDIR",
    "TEMP",
    "TMP",
    "TZ",
    "USER",
    "LOGNAME",
    "SHELL",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "NODE_PATH",
    "NVM_DIR",
    "VOLTA_HOME",
    "PYENV_ROOT",
    "UV_CACHE_DIR",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "PIP_INDEX_URL",
    "SYSTEMROOT",
    "APPDATA",
    "LOCALAPPDATA",
    "USERPROFILE",
    "PATHEXT",
];

/// Beginnings of names of such variables. `npm_config__auth…` and the like hold secrets and stay out.
const PASSED_PREFIXES: &[&str] = &[
    "LC_",
    "XDG_",
    "npm_config_cache",
    "npm_config_prefix",
    "npm_config_registry",
    "npm_config_userconfig",
    "NPM_CONFIG_CACHE",
    "NPM_CONFIG_PREFIX",
    "NPM_CONFIG_REGISTRY",
    "NPM_CONFIG_USERCONFIG",
];

/// The environment of a program: the few variables that every one gets, those it names, those set for it.
pub(super) fn environment(program: &Program, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let passed = |name: &str| {
        PASSED.contains(&name)
            || PASSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
            || program.pass_env.iter().any(|other| other == name)
    };
    let mut out: BTreeMap<String, String> =
        own.iter().filter(|(name, _)| passed(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    out.extend(program.env.clone());
    out
}

/// All groups that run now, so that they can be killed in one go on the way out.
#[derive(Debug, Default)]
pub(super) struct Children(Mutex<BTreeSet<u32>>);

impl Children {
    /// Kills all groups at once, without waiting. For exits that leave no time.
    pub(super) fn kill_all(&self) {
        for pid in std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)) {
            let below = groups_below(pid);
            std::iter::once(pid).chain(below).for_each(|group| signal_group(group, Signal::Kill));
        }
    }

    fn add(&self, pid: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
    }

    fn remove(&self, pid: u32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
    }
}

/// A running program. Dropped, it is asked to stop.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    below: Arc<Mutex<Vec<u32>>>,
    exit: watch::Receiver<Option<ExitStatus>>,
    gone: watch::Receiver<bool>,
    log: Arc<LogRing>,
    stop: CancellationToken,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The streams that messages go over.
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
}

/// Starts a program. Its warden runs on `tasks`.
pub(super) fn spawn(
    server: &ServerName,
    program: &Program,
    own_environment: &BTreeMap<String, String>,
    log: &Arc<LogRing>,
    children: &Arc<Children>,
    tasks: &TaskTracker,
) -> Result<(Process, Pipes), Error> {
    let failed = |source| Error::Spawn { command: program.command.clone(), source };
    let mut command = Command::new(&program.command);
    command.args(&program.args).env_clear().envs(environment(program, own_environment));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    if let Some(cwd) = &program.cwd {
        command.current_dir(cwd);
    }
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn().map_err(failed)?;
    let pid = child.id().unwrap_or_default();
    children.add(pid);
    let below = Arc::new(Mutex::default());
    let group = Group { pid, below: Arc::clone(&below), children: Arc::clone(children), ended: false };
    let missing = || std::io::Error::other("a stream is missing");
    let stdin = child.stdin.take().ok_or_else(missing).map_err(failed)?;
    let stdout = child.stdout.take().ok_or_else(missing).map_err(failed)?;
    let stderr = child.stderr.take().ok_or_else(missing).map_err(failed)?;
    let drained = tasks.spawn(drain(server.clone(), stderr, Arc::clone(log)));
    let (exit_sender, exit) = watch::channel(None);
    let (gone_sender, gone) = watch::channel(false);
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tasks.spawn(async move {
        let status = end_of(&mut child, &group, &asked).await;
        let _ = timeout(LAST_WORDS, drained).await;
        exit_sender.send_replace(status);
        group.sweep().await;
        gone_sender.send_replace(true);
    });
    let process = Process { pid, below, exit, gone, log: Arc::clone(log), stop };
    Ok((process, Pipes { stdin, stdout }))
}

/// Waits for the program's end; when asked to stop, brings it about.
async fn end_of(child: &mut Child, group: &Group, asked: &CancellationToken) -> Option<ExitStatus> {
    tokio::select! {
        status = child.wait() => return status.ok(),
        () = asked.cancelled() => {}
    }
    if let Ok(status) = timeout(CLOSE_GRACE, child.wait()).await {
        return status.ok();
    }
    signal_group(group.pid, Signal::Term);
    if let Ok(status) = timeout(TERM_GRACE, child.wait()).await {
        return status.ok();
    }
    signal_group(group.pid, Signal::Kill);
    child.wait().await.ok()
}

impl Process {
    /// Asks it to stop; its input should be closed as well.
    pub(super) fn stop(&self) {
        // Once it is gone, nobody knows whose children they were.
        if !self.stop.is_cancelled() && self.exit.borrow().is_none() {
            *self.below.lock().unwrap_or_else(PoisonError::into_inner) = groups_below(self.pid);
        }
        self.stop.cancel();
    }

    /// Waits until it and all that it started are gone.
    pub(super) async fn gone(&self) {
        let _ = self.gone.clone().wait_for(|gone| *gone).await;
    }

    /// Waits for its end and says it in words.
    pub(super) async fn ended(&self) -> String {
        let mut exit = self.exit.clone();
        let status = exit.wait_for(Option::is_some).await.ok().and_then(|status| *status);
        let how = status.map_or_else(|| "ended".to_owned(), |status| format!("ended ({status})"));
        match self.log.telling_line() {
            Some(line) => format!("{how}: {line}"),
            None => how,
        }
    }
}

/// The process group of a program.
struct Group {
    pid: u32,
    /// Groups that its descendants made of their own.
    below: Arc<Mutex<Vec<u32>>>,
    children: Arc<Children>,
    ended: bool,
}

impl Group {
    /// Ends what the program left behind.
    async fn sweep(mut self) {
        self.signal(Signal::Term);
        let all_gone = async {
            while is_alive(self.pid) || self.below().into_iter().any(is_alive) {
                sleep(LOOK).await;
            }
        };
        if timeout(TERM_GRACE, all_gone).await.is_err() {
            self.signal(Signal::Kill);
        }
        self.ended = true;
    }

    fn signal(&self, signal: Signal) {
        std::iter::once(self.pid).chain(self.below()).for_each(|group| signal_group(group, signal));
    }

    fn below(&self) -> Vec<u32> {
        self.below.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.ended {
            self.signal(Signal::Kill);
        }
        self.children.remove(self.pid);
    }
}

#[derive(Clone, Copy)]
enum Signal {
    Term,
    Kill,
}

#[cfg(unix)]
fn group_id(pid: u32) -> Option<rustix::process::Pid> {
    // Pid 0 would be our own group, pid 1 everybody.
    i32::try_from(pid).ok().filter(|pid| *pid > 1).and_then(rustix::process::Pid::from_raw)
}

#[cfg(unix)]
fn signal_group(pid: u32, signal: Signal) {
    let signal = match signal {
        Signal::Term => rustix::process::Signal::TERM,
        Signal::Kill => rustix::process::Signal::KILL,
    };
    if let Some(group) = group_id(pid) {
        // It fails only when the group is gone, which is what we want.
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

#[cfg(unix)]
fn is_alive(pid: u32) -> bool {
    group_id(pid).is_some_and(|group| rustix::process::test_kill_process_group(group).is_ok())
}

/// The groups that descendants of `pid` made of their own, as browsers and shells do. Who has handed itself to the system
/// (a daemon, whose parent is no descendant) is left alone.
#[cfg(target_os = "linux")]
fn groups_below(pid: u32) -> Vec<u32> {
    let (mut found, mut waiting) = (Vec::new(), children_of(pid));
    while let Some(child) = waiting.pop().filter(|_| found.len() < DESCENDANTS_MAX) {
        waiting.extend(children_of(child));
        found.push(child);
    }
    let leads = |child: &u32| group_id(*child).is_some_and(|id| rustix::process::getpgid(Some(id)).is_ok_and(|group| group == id));
    found.retain(leads);
    found
}

/// The children of all threads of a process; none where the kernel does not tell.
#[cfg(target_os = "linux")]
fn children_of(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// Elsewhere nobody tells cheaply whose children there are.
#[cfg(not(target_os = "linux"))]
fn groups_below(_pid: u32) -> Vec<u32> {
    Vec::new()
}

/// Elsewhere `kill_on_drop` ends the program alone.
#[cfg(not(unix))]
fn signal_group(_pid: u32, _signal: Signal) {}

#[cfg(not(unix))]
fn is_alive(_pid: u32) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_get_few_variables() {
        let own = [
            ("PATH", "p"),
            ("LC_ALL", "C"),
            ("OPENAI_API_KEY", "secret"),
            ("npm_config__authToken", "secret"),
            ("MINE", "m"),
            ("HOME", "h"),
        ];
        let own: BTreeMap<String, String> = own.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let program = Program {
            command: "x".into(),
            args: Vec::new(),
            env: BTreeMap::from([("HOME".to_owned(), "other".to_owned())]),
            pass_env: vec!["MINE".to_owned()],
            cwd: None,
            era: None,
        };
        let got: Vec<_> = environment(&program, &own).into_iter().collect();
        let expected =
            [("HOME", "other"), ("LC_ALL", "C"), ("MINE", "m"), ("PATH", "p")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(got, expected);
    }
}
