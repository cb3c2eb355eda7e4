//! Runs one command, under a supervisor where there is one, and sees to it that nothing of it is left.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::NamedTempFile;
use tokio::process::{Child, ChildStdin, Command};

use super::limits::Sandbox;
use super::output::{self, Collected};
use super::spec::{MARK, Report, SUPERVISE, Spec};
use super::{GRACE, environment, policy, processes};
use crate::domain::text::clean_line;
use crate::tools::local::{Failure, Options};

/// The longest that a supervisor may take to end everything, before it is done without it.
pub(super) const END_MAX: Duration = Duration::from_secs(7);

/// How often what carries the mark is looked for while it is ended.
const ROUNDS_MAX: usize = 400;

const MIB: u64 = 1_024 * 1_024;

/// A command that can be started.
pub(super) struct Prepared {
    command: Command,
    program: String,
    mark: String,
    report: Option<NamedTempFile>,
}

/// A command that is over.
pub(super) struct Done {
    pub(super) report: Report,
    pub(super) collected: Collected,
    /// The limit, where it was stopped for it.
    pub(super) timed_out: Option<Duration>,
}

impl Prepared {
    /// Prepares `words` to run in `folder`. Blocks.
    pub(super) fn new(options: &Options, folder: &Path, words: &[String]) -> Result<Self, Failure> {
        let program = clean_line(&words[0]);
        let mark: String = std::iter::repeat_with(fastrand::alphanumeric).take(24).collect();
        let (mut command, report) = if let Some(own) = &options.host.supervisor {
            let report = NamedTempFile::with_prefix("wakeful-")?;
            let mut command = Command::new(own);
            command.arg(SUPERVISE).arg(serde_json::to_string(&spec(options, folder, report.path()))?).arg("--").args(words);
            command.stdin(Stdio::piped());
            (command, Some(report))
        } else {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]).stdin(Stdio::null()).process_group(0);
            (command, None)
        };
        command.current_dir(folder).env_clear().envs(environment(std::env::vars_os()));
        // Programs that would page or colour see that nobody looks.
        command.env("PAGER", "cat").env("GIT_PAGER", "cat").env("TERM", "dumb").env("NO_COLOR", "1");
        let above = std::env::var(MARK).map(|above| format!("{above}:")).unwrap_or_default();
        command.env(MARK, format!("{above}{mark}"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(Self { command, program, mark, report })
    }

    /// Runs it, for `limit` at most. Dropped, it ends the command.
    pub(super) async fn run(mut self, limit: Duration) -> Result<Done, Failure> {
        let child = self.command.spawn().map_err(|error| Failure(format!("`{}` could not be run: {error}", self.program)))?;
        let mut running = Running::new(child, self.mark, self.report.is_some());
        let (ended, collected) = output::collect(&mut running.child, limit).await;
        let timed_out = ended.is_none().then_some(limit);
        let status = running.end().await;
        let mut report = match self.report {
            Some(file) => std::fs::read(file.path()).ok().and_then(|text| serde_json::from_slice(&text).ok()),
            None => None,
        }
        .unwrap_or_else(|| told_by(status));
        if let Some(error) = report.spawn_error {
            return Err(Failure(format!("`{}` could not be run: {}", self.program, clean_line(&error))));
        }
        let mark = std::mem::take(&mut running.mark);
        report.survivors = tokio::task::spawn_blocking(move || processes::end_marked(&mark, ROUNDS_MAX)).await.unwrap_or(report.survivors);
        Ok(Done { report, collected, timed_out })
    }
}

fn spec(options: &Options, folder: &Path, report: &Path) -> Spec {
    let limits = &options.commands;
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let roots: Vec<PathBuf> = options.roots.iter().chain(&limits.writable).map(|root| folder.join(root)).collect();
    let (writable, readable) = match limits.sandbox {
        Sandbox::Off => (Vec::new(), Vec::new()),
        Sandbox::Write => (policy::writable(folder, roots.iter(), &variable), Vec::new()),
        Sandbox::Strict => (policy::writable(folder, roots.iter(), &variable), policy::readable(&variable)),
    };
    Spec {
        sandbox: limits.sandbox,
        writable,
        readable,
        processes_max: limits.processes_max,
        memory_bytes_max: limits.memory_mib_max.saturating_mul(MIB),
        file_bytes_max: limits.file_mib_max.saturating_mul(MIB),
        report: report.to_path_buf(),
    }
}

/// What is known of a command that nobody supervised, or whose supervisor was killed.
fn told_by(status: Option<std::process::ExitStatus>) -> Report {
    use std::os::unix::process::ExitStatusExt;
    let status = status.as_ref();
    Report { code: status.and_then(std::process::ExitStatus::code), signal: status.and_then(ExitStatusExt::signal), ..Report::default() }
}

/// A child and all that came of it: none of it outlives this.
struct Running {
    child: Child,
    /// Held open for as long as the supervisor shall let the command run. Not left with the child: to wait for that
    /// closes it.
    input: Option<ChildStdin>,
    /// The process group of a child without a supervisor, until it was taken away.
    group: Option<rustix::process::Pid>,
    /// Empty once it was looked for.
    mark: String,
}

impl Running {
    fn new(mut child: Child, mark: String, supervised: bool) -> Self {
        let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
        let input = child.stdin.take();
        Self { child, input, group: pid.filter(|_| !supervised), mark }
    }

    fn signal(&self, signal: rustix::process::Signal) {
        if let Some(group) = self.group {
            // It fails only when the group is gone, which is what is wanted.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }

    /// Ends what is left of it; the supervisor does so when its input ends.
    async fn end(&mut self) -> Option<std::process::ExitStatus> {
        drop(self.input.take());
        self.signal(rustix::process::Signal::TERM);
        let patience = if self.group.is_some() { GRACE } else { END_MAX };
        let ended = tokio::time::timeout(patience, self.child.wait()).await;
        self.signal(rustix::process::Signal::KILL);
        if ended.is_err() {
            // Best effort: it may have ended in this moment.
            let _ = self.child.start_kill();
        }
        let status = self.child.wait().await.ok();
        // Taken away: its number may be another's from here on.
        self.group = None;
        status
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(rustix::process::Signal::KILL);
        drop(self.input.take());
        let mark = std::mem::take(&mut self.mark);
        if mark.is_empty() {
            return;
        }
        // The supervisor is given the time it needs; whoever waits for nothing is ended at once.
        let patience = if self.group.is_some() { Duration::ZERO } else { GRACE * 2 };
        let sweep = move || {
            std::thread::sleep(patience);
            processes::end_marked(&mark, ROUNDS_MAX);
        };
        if std::thread::Builder::new().name("command-end".to_owned()).spawn(sweep).is_err() {
            tracing::warn!("no thread could be had to look for what a command left");
        }
    }
}
