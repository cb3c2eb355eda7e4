//! The browser's process: a group of its own and a profile of its own, both gone at the end.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

use super::Error;
use crate::domain::text::{clean_line, ellipsis};

/// What the browser says before the address of its DevTools.
const LISTENING: &str = "DevTools listening on ";

/// Lines that the browser may say before.
const LINES_MAX: usize = 200;

/// How often removing the profile is tried: a process that was just killed may still be writing.
const REMOVAL_TRIES: u32 = 25;

/// The pause between two of these tries.
const REMOVAL_PAUSE: Duration = Duration::from_millis(20);

/// What a browser of a program is started with: no first run, no updates, nothing of its own on the network.
const SWITCHES: [&str; 14] = [
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--mute-audio",
    "--password-store=basic",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--remote-debugging-port=0",
];

/// A browser that runs.
pub(super) struct Browser {
    child: Child,
    group: Option<Pid>,
    profile: Option<tempfile::TempDir>,
}

impl Browser {
    /// Starts `program` with an empty profile, all its connections through `proxy_server`.
    pub(super) fn start(program: &Path, proxy_server: &str) -> Result<Self, Error> {
        let profile = tempfile::Builder::new().prefix("wakeful-render-").tempdir().map_err(Error::Start)?;
        let mut command = Command::new(program);
        command.args(SWITCHES).arg(format!("--user-data-dir={}", profile.path().display()));
        // Without the second, the browser goes to this machine past its proxy.
        command.arg(format!("--proxy-server={proxy_server}")).arg("--proxy-bypass-list=<-loopback>");
        if rustix::process::geteuid().is_root() {
            // Chromium refuses to run as root with its sandbox.
            command.arg("--no-sandbox");
        }
        command.arg("about:blank").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let child = command.process_group(0).kill_on_drop(true).spawn().map_err(Error::Start)?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok(Self { child, group, profile: Some(profile) })
    }

    #[cfg(test)]
    pub(super) fn profile_path(&self) -> std::path::PathBuf {
        self.profile.as_ref().map(|profile| profile.path().to_path_buf()).unwrap_or_default()
    }

    /// Where its DevTools listen.
    pub(super) async fn address(&mut self) -> Result<String, Error> {
        let Some(stderr) = self.child.stderr.take() else { return Err(Error::Ended(String::new())) };
        let mut lines = BufReader::new(stderr).lines();
        let mut last = String::new();
        for _ in 0..LINES_MAX {
            match lines.next_line().await {
                Ok(Some(line)) => match line.strip_prefix(LISTENING) {
                    Some(address) => {
                        tokio::spawn(drain(lines));
                        return Ok(address.trim().to_owned());
                    }
                    None if line.trim().is_empty() => {}
                    None => last = format!(": {}", ellipsis(&clean_line(&line), 200)),
                },
                Ok(None) | Err(_) => break,
            }
        }
        Err(Error::Ended(last))
    }

    /// Ends it and all that it started, and removes its profile.
    pub(super) async fn end(mut self) {
        self.kill();
        let _status = self.child.wait().await;
        let Some(profile) = self.profile.take() else { return };
        for _ in 0..REMOVAL_TRIES {
            if gone(profile.path()) {
                break;
            }
            tokio::time::sleep(REMOVAL_PAUSE).await;
        }
    }

    fn kill(&mut self) {
        if let Some(group) = self.group.take() {
            // It fails where the group is gone already.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.kill();
        let Some(profile) = self.profile.take().filter(|profile| !gone(profile.path())) else { return };
        // Only where a run was given up half-way; not on a thread of the runtime, which has others to serve.
        std::thread::spawn(move || {
            for _ in 0..REMOVAL_TRIES {
                std::thread::sleep(REMOVAL_PAUSE);
                if gone(profile.path()) {
                    return;
                }
            }
            tracing::warn!(folder = %profile.path().display(), "a browser's profile could not be removed");
        });
    }
}

fn gone(folder: &Path) -> bool {
    match std::fs::remove_dir_all(folder) {
        Ok(()) => true,
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// A full pipe would stop the browser.
async fn drain(mut lines: tokio::io::Lines<BufReader<ChildStderr>>) {
    while let Ok(Some(_)) = lines.next_line().await {}
}
