//! Pages as a browser makes them, through a headless Chromium found on this machine.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncReadExt;

use crate::ambient::finding::Fault;
use crate::net::fetch::Fetched;

/// Names that the browser goes by.
const BROWSERS: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// Browsers that run at once: each takes some hundred MB.
static BROWSERS_AT_ONCE: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(2);

/// The longest that a page may take to be rendered.
const TIMEOUT: Duration = Duration::from_mins(1);

/// What is read of a rendered page, in bytes.
const PAGE_BYTES_MAX: u64 = 8 << 20;

/// How long scripts of the page may run, in virtual milliseconds.
const SCRIPT_BUDGET_MS: u32 = 10_000;

/// Renders the page that `fetched` was at.
///
/// # Errors
/// When there is no browser, or it fails.
pub(super) async fn render(fetched: &Fetched) -> Result<Arc<Fetched>, Fault> {
    let _turn = BROWSERS_AT_ONCE.acquire().await;
    let browser = find().ok_or_else(|| {
        Fault::new("`render = true` needs Chromium, and none was found on this machine: install `chromium`, or set `render = false`")
    })?;
    let failed = |what: String| Fault::new(format!("the browser could not render {}: {what}", fetched.url));
    let profile = std::env::temp_dir().join(format!("wakeful-render-{}-{:08x}", std::process::id(), fastrand::u32(..)));
    let mut command = tokio::process::Command::new(browser);
    command.args([
        "--headless=new",
        "--disable-gpu",
        "--no-first-run",
        "--disable-extensions",
        "--disable-background-networking",
        "--mute-audio",
    ]);
    command.arg(format!("--user-data-dir={}", profile.display())).arg(format!("--virtual-time-budget={SCRIPT_BUDGET_MS}"));
    if rustix::process::geteuid().is_root() {
        // Chromium refuses to run as root with its sandbox.
        command.arg("--no-sandbox");
    }
    command.arg("--dump-dom").arg(&fetched.url).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let work = async {
        let mut child = command.spawn()?;
        let mut page = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(PAGE_BYTES_MAX).read_to_end(&mut page).await?;
        }
        child.wait().await.map(|status| (status, page))
    };
    let rendered = tokio::time::timeout(TIMEOUT, work).await;
    let _left_behind = tokio::fs::remove_dir_all(&profile).await;
    let (status, page) = match rendered {
        Ok(Ok(done)) => done,
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => return Err(failed(format!("it took longer than {} s", TIMEOUT.as_secs()))),
    };
    if !status.success() || page.is_empty() {
        return Err(failed(format!("it ended with {status} and {} bytes", page.len())));
    }
    let mut out = fetched.clone();
    out.body = Bytes::from(page);
    out.content_type = Some("text/html; charset=utf-8".to_owned());
    Ok(Arc::new(out))
}

/// The browser on this machine, by the search path.
fn find() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    BROWSERS.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()))
}
