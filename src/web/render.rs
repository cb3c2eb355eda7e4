//! Pages as a browser makes them, through a headless Chromium found on this machine.
//!
//! Each page gets a browser of its own with an empty profile; both are gone at the end, however it comes. The page is
//! driven over DevTools ([`cdp`]): each of its requests passes the address guard before it is made, and the connection
//! itself passes it again ([`gate`]), so that a name cannot change its mind in between.

mod cdp;
mod gate;
mod process;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::net::fetch::{Fetched, Fetcher};

/// Names that the browser goes by.
const BROWSERS: [&str; 5] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];

/// Browsers that run at once: each takes some hundred MB.
static BROWSERS_AT_ONCE: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(2);

/// The longest that a page may take to be rendered, the browser's start included.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Renders the page that `fetched` was at, within what `fetcher` may reach.
///
/// # Errors
/// When there is no browser, or it fails.
pub async fn render(fetcher: &Fetcher, fetched: &Fetched) -> Result<Arc<Fetched>, Failed> {
    let browser = find().ok_or(Failed::NoBrowser)?;
    let _turn = fetcher.stand(BROWSERS_AT_ONCE.acquire()).await;
    let failed = |what: String| Failed::Page { url: fetched.url.clone(), what };
    let work = async {
        let guard = fetcher.guard_after(fetched).await;
        let way = gate::Way::open(fetcher.proxy(), guard.clone()).await?;
        let mut process = process::Browser::start(&browser, way.proxy_server())?;
        let page = match process.address().await {
            Ok(address) => cdp::read(&address, &fetched.url, &way, cdp::Limits::default()).await,
            Err(error) => Err(error),
        };
        process.end().await;
        page
    };
    let page = match tokio::time::timeout(TIMEOUT, work).await {
        Ok(page) => page.map_err(|error| failed(error.to_string()))?,
        Err(_) => return Err(failed(format!("it took longer than {} s", TIMEOUT.as_secs()))),
    };
    let mut out = fetched.clone();
    out.body = Bytes::from(page);
    out.content_type = Some("text/html; charset=utf-8".to_owned());
    Ok(Arc::new(out))
}

/// Why there is no rendered page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// There is no browser on this machine.
    #[error("`render = true` needs Chromium, and none was found on this machine: install `chromium`, or set `render = false`")]
    NoBrowser,
    /// The browser failed.
    #[error("the browser could not render {url}: {what}")]
    Page {
        /// The page.
        url: String,
        /// What went wrong.
        what: String,
    },
}

/// What went wrong with a browser.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("it could not be started: {0}")]
    Start(#[source] std::io::Error),
    #[error("it ended right after its start{0}")]
    Ended(String),
    #[error("no connection could be made ready for it: {0}")]
    Gate(#[source] std::io::Error),
    #[error("the connection to it broke: {0}")]
    Broken(String),
    #[error("it says: {0}")]
    Said(String),
    #[error("the page is not reached: {0}")]
    Refused(String),
    #[error("the page has {0} characters, more than the {1} that are read; set `render = false`, or watch a smaller page")]
    TooLarge(u64, usize),
}

/// The browser on this machine, by the search path.
fn find() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    BROWSERS.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file()))
}
