//! What `robots.txt` says to us (RFC 9309), read once a host and remembered.
//!
//! A file that is there is obeyed; one that is not there (4xx, a redirect into nowhere) allows everything; a server that
//! fails (5xx) forbids everything until it works again, unless an older copy is known. A host that cannot be reached at
//! all allows everything: the page itself will tell what is wrong. `Crawl-delay` is no part of the standard; the one
//! request in flight a host stands in for it.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use texting_robots::Robot;

use crate::domain::clock::Instant;
use crate::net::fetch::error::Error;
use crate::net::fetch::hosts::{REST_MAX, lock};
use crate::net::fetch::line::Place;

/// The name that groups in `robots.txt` call us by.
pub(super) const PRODUCT: &str = "wakeful";

/// How much of a file is read; RFC 9309 asks for at least 500 KiB. The rest is ignored.
pub(super) const ROBOTS_BYTES_MAX: u64 = 512 * 1024;

/// How soon a failing server is asked again.
const FAILING_RETRY: Duration = Duration::from_mins(10);

/// How soon an unreachable one is asked again; until then its pages cost no second attempt.
const UNREACHABLE_RETRY: Duration = Duration::from_mins(1);

/// After so long a failing server counts as one without the file, and an old copy is no longer used (RFC 9309, 2.3.1.4).
const FAILING_MAX: Duration = Duration::from_hours(30 * 24);

/// Hosts whose answer is remembered.
const HOSTS_MAX: usize = 2_048;

/// What is known of all hosts.
pub(super) struct Cache {
    table: Mutex<HashMap<Arc<str>, Arc<tokio::sync::Mutex<Entry>>>>,
    fresh_for: Duration,
}

/// What is known of one host. Held while its file is fetched, so that all who wait share one fetch.
#[derive(Default)]
struct Entry {
    known: Option<Known>,
    failing_since: Option<Instant>,
}

struct Known {
    rules: Rules,
    /// When the rules were read; an old copy lives on while the server fails.
    read_at: Instant,
    expires_at: Instant,
}

#[derive(Clone)]
enum Rules {
    Everything,
    Nothing { code: u16 },
    File(Arc<Robot>),
}

impl Cache {
    pub(super) fn new(fresh_for: Duration) -> Self {
        Self { table: Mutex::default(), fresh_for }
    }

    /// Whether `url` on `host` may be fetched; `fetch` gets the file if it is not known.
    ///
    /// # Errors
    /// When it may not, or when the host rests, is refused or has too long a line, which is no answer.
    pub(super) async fn check<F>(
        &self,
        place: &Place,
        host: &str,
        url: &str,
        shown: String,
        now: Instant,
        fetch: impl FnOnce() -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<Bytes, Error>>,
    {
        let entry = self.entry(host);
        let (rules, retry_at) = {
            // Whoever else asks for the file does it for all.
            let mut entry = place.stand(entry.lock()).await;
            if entry.known.as_ref().is_none_or(|known| known.expires_at <= now || known.read_at > now) {
                entry.learn(fetch().await, now, self.fresh_for).await?;
            }
            match &entry.known {
                Some(known) => (known.rules.clone(), known.expires_at),
                None => return Ok(()),
            }
        };
        match rules {
            Rules::Everything => Ok(()),
            Rules::Nothing { code } => Err(Error::RobotsDown { host: host.to_owned(), code, retry_at }),
            Rules::File(robot) if robot.allowed(url) => Ok(()),
            Rules::File(_) => Err(Error::Robots { url: shown, host: host.to_owned() }),
        }
    }

    fn entry(&self, host: &str) -> Arc<tokio::sync::Mutex<Entry>> {
        let mut table = lock(&self.table);
        if let Some(entry) = table.get(host) {
            return entry.clone();
        }
        if table.len() >= HOSTS_MAX {
            // Half of those that nobody is asking for right now: rare, and cheaper than keeping an order of use.
            let mut keep = false;
            table.retain(|_, entry| {
                keep = !keep;
                keep || Arc::strong_count(entry) > 1
            });
        }
        table.entry(Arc::from(host)).or_default().clone()
    }
}

impl Entry {
    /// Takes in what asking for the file brought.
    async fn learn(&mut self, answer: Result<Bytes, Error>, now: Instant, fresh_for: Duration) -> Result<(), Error> {
        match answer {
            Ok(text) => self.set(parse(text).await, now, fresh_for),
            Err(Error::Status { code: code @ 500.., retry_at, .. }) => {
                let retry = retry_at.map_or(FAILING_RETRY, |at| at.since(now).clamp(FAILING_RETRY, REST_MAX));
                self.fail(Some(code), now, retry);
            }
            Err(Error::TimedOut { .. } | Error::Unreachable { .. } | Error::Cut { .. }) => self.fail(None, now, UNREACHABLE_RETRY),
            Err(
                Error::Status { .. }
                | Error::RedirectLoop { .. }
                | Error::TooManyRedirects { .. }
                | Error::Downgrade { .. }
                | Error::BadUrl { .. }
                | Error::Garbled { .. }
                | Error::TooLarge { .. },
            ) => self.set(Rules::Everything, now, fresh_for),
            Err(
                error @ (Error::Resting { .. }
                | Error::Busy { .. }
                | Error::Refused { .. }
                | Error::Robots { .. }
                | Error::RobotsDown { .. }),
            ) => return Err(error),
        }
        Ok(())
    }

    fn set(&mut self, rules: Rules, now: Instant, fresh_for: Duration) {
        self.failing_since = None;
        self.known = Some(Known { rules, read_at: now, expires_at: now.plus(fresh_for) });
    }

    /// The server fails with `code`, or cannot be reached. An older copy of the file goes on being used for a while.
    fn fail(&mut self, code: Option<u16>, now: Instant, retry: Duration) {
        let since = *self.failing_since.get_or_insert(now);
        let expires_at = now.plus(retry);
        if let Some(known) = &mut self.known
            && matches!(known.rules, Rules::File(_))
            && now.since(known.read_at) < FAILING_MAX
        {
            known.expires_at = expires_at;
            return;
        }
        let rules = match code {
            Some(code) if now.since(since) < FAILING_MAX => Rules::Nothing { code },
            _ => Rules::Everything,
        };
        self.known = Some(Known { rules, read_at: now, expires_at });
    }
}

/// Parses off the event loop: half a MiB of somebody else's rules takes its time.
async fn parse(text: Bytes) -> Rules {
    let parsed = tokio::task::spawn_blocking(move || {
        let read = |text: &[u8]| Robot::new(PRODUCT, text).ok();
        // One rule that is too complex fails the whole file. Only those with `$` can be; the others still count.
        read(&text).or_else(|| {
            let simple = text.split(|byte| *byte == b'\n').filter(|line| !line.contains(&b'$')).collect::<Vec<_>>();
            read(&simple.join(&b'\n'))
        })
    });
    match parsed.await {
        Ok(Some(mut robot)) => {
            robot.sitemaps = Vec::new();
            Rules::File(Arc::new(robot))
        }
        _ => Rules::Everything,
    }
}
