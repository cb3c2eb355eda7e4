//! The life of one place: connected, watched, lost, tried again; every step an event.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::domain::clock::Clock;
use crate::domain::event::McpEventType;
use crate::domain::ids::{CallId, SessionId};
use crate::domain::text::{clean_line, cut_middle, with_causes};
use crate::mcp::catalog::{self, Listing};
use crate::mcp::dial::{Dialer, Known, Reports};
use crate::mcp::error::Error;
use crate::mcp::follow::TaskHandle;
use crate::mcp::handler::Shared;
use crate::mcp::host::Host;
use crate::mcp::ledger::{Ledger, OpenTask};
use crate::mcp::link::{Link, Pulse};
use crate::mcp::options::PoolOptions;
use crate::mcp::pages::List;
use crate::mcp::replica::{Replica, Standing};
use crate::mcp::retry;
use crate::mcp::service::{Service, Wanted};
use crate::mcp::subscriptions;
use crate::tools::CallContext;

/// A connection that lived so long was healthy: the next loss is tried again at once.
const HEALTHY_AFTER: Duration = Duration::from_mins(1);

/// How long several changes of a list are taken together.
const COALESCE: Duration = Duration::from_millis(150);

/// The same for a server that says so again each time its list is read, at most.
const COALESCE_MAX: Duration = Duration::from_secs(30);

/// The shortest and the longest time for which a list of tools is taken for granted by the server's word.
const TTL_MIN: Duration = Duration::from_secs(10);
const TTL_MAX: Duration = Duration::from_hours(1);

/// The longest result of a task of an earlier run that is told, in bytes.
const TASK_BYTES_MAX: usize = 4_000;

/// How long an answer to the question whether a server lives may take.
const PING_LIMIT: Duration = Duration::from_secs(5);

/// Failed tries in a row that are told one by one; later ones only show in the status.
const TOLD_MAX: u32 = 8;

/// Lines of error output that are told when a start fails.
const TOLD_LINES: usize = 5;

/// What the supervisor of a place needs.
pub(super) struct Supervisor {
    pub(super) service: Arc<Service>,
    pub(super) replica: Arc<Replica>,
    pub(super) dialer: Dialer,
    pub(super) options: PoolOptions,
    pub(super) clock: Arc<dyn Clock>,
    /// Absent for our own servers, which ask nothing.
    pub(super) host: Option<Host>,
    pub(super) ledger: Ledger,
    /// The place's name in the ledger.
    pub(super) key: String,
}

/// How a connection ended.
enum End {
    Lost(String),
    Asked,
    Stopped,
}

impl Supervisor {
    /// Keeps the place connected until the server is removed or everything ends.
    pub(super) async fn run(self) {
        let mut wanted = self.service.wanted.subscribe();
        let mut failures = 0;
        let mut settled = false;
        let mut known = Known { era: self.ledger.read(&self.key).await.known_era(), ..Known::default() };
        while !self.service.stop.is_cancelled() {
            let now = *wanted.borrow_and_update();
            if !now.enabled {
                self.rest(&mut wanted, &mut settled).await;
                failures = 0;
                continue;
            }
            if failures == 0 {
                self.service.stand(&self.replica, Standing::Connecting);
            }
            let connected = tokio::select! {
                connected = self.connect(known) => connected,
                () = self.service.stop.cancelled() => break,
                _ = wanted.changed() => continue,
            };
            let failure: (String, bool, Option<Error>) = match connected {
                Ok((link, listing)) => {
                    known = link.known();
                    let (end, was_healthy) = self.live(link, listing, &mut wanted, &mut settled).await;
                    match end {
                        End::Stopped => break,
                        End::Asked => {
                            failures = 0;
                            continue;
                        }
                        End::Lost(reason) => {
                            failures = if was_healthy { 1 } else { failures + 1 };
                            (reason, false, None)
                        }
                    }
                }
                Err(error) => {
                    failures += 1;
                    (self.reason(&error), error.is_permanent(), Some(error))
                }
            };
            let (reason, is_permanent, error) = failure;
            let is_final = is_permanent || self.is_last(failures);
            if let Some(error) = error.filter(|_| failures == 1) {
                self.tell_failure(&reason, &error).await;
            }
            let was_asked = if is_final {
                self.give_up(&reason, &mut wanted, &mut settled).await;
                true
            } else {
                self.pause(failures, reason, &mut wanted, &mut settled).await
            };
            if was_asked {
                failures = 0;
            }
        }
        settle(&self.service, &mut settled);
    }

    /// Connects and asks for the tools.
    async fn connect(&self, known: Known) -> Result<(Arc<Link>, Listing), Error> {
        self.agreed().await?;
        let limit = self.service.options.startup_limit();
        let started = Instant::now();
        let service = &self.service;
        let shared = Shared::traced(service.lane.clone(), service.name.clone(), self.host.clone(), Arc::clone(&service.trace));
        let reports = Reports { server: &self.service.name, shared, log: &self.service.log };
        let link = self.dialer.dial(&self.replica.place, limit, reports, known).await?;
        let left = limit.saturating_sub(started.elapsed()).max(Duration::from_secs(1));
        let listing = match catalog::list(&link, &self.service.choice(), left).await {
            Ok(listing) => listing,
            // Servers without tools refuse the question.
            Err(Error::Answer(problem)) => {
                let notes = if link.capabilities().iter().any(|name| name == "tools") { vec![problem] } else { Vec::new() };
                Listing { notes, ..Listing::default() }
            }
            Err(error) => return Err(error),
        };
        Ok((Arc::new(link), listing))
    }

    /// From the connection to its end; tells the end, and whether the connection was healthy.
    async fn live(&self, link: Arc<Link>, listing: Listing, wanted: &mut watch::Receiver<Wanted>, settled: &mut bool) -> (End, bool) {
        let service = &self.service;
        let born = Instant::now();
        let details = json!({
            "tools": listing.tools.len(),
            "transport": link.transport,
            "protocol": link.protocol(),
            "era": link.era(),
            "server": link.server_info(),
        });
        service.lane.tell(McpEventType::ServiceConnected, self.with_place(details)).await;
        let ttl = listing.ttl;
        let listing = self.vet(&link, listing).await;
        service.lend(listing).await;
        service.stand(&self.replica, Standing::Ready(Arc::clone(&link)));
        settle(service, settled);
        self.remember(&link).await;
        let end = self.watch(&link, wanted, ttl).await;
        let reason = match &end {
            End::Lost(reason) => reason.clone(),
            End::Asked if wanted.borrow().enabled => "restarted by the user".to_owned(),
            End::Asked => "disabled by the user".to_owned(),
            End::Stopped => {
                // Who keeps the closed connection keeps its watchers waiting, and the shutdown with them.
                service.stand(&self.replica, Standing::Disabled);
                link.close().await;
                return (end, true);
            }
        };
        let standing = if matches!(end, End::Asked) {
            Standing::Connecting
        } else {
            Standing::Failing { reason: reason.clone(), attempt: 1, retry_at: None }
        };
        service.stand(&self.replica, standing);
        if !service.is_ready() {
            service.lane.tell(McpEventType::ServiceDisconnected, self.with_place(json!({"reason": reason}))).await;
        }
        // The new connection does not wait for the old one's goodbye, unless a person wants it closed.
        if matches!(end, End::Asked) {
            link.close().await;
        } else {
            self.dialer.tasks.spawn(async move { link.bury().await });
        }
        (end, born.elapsed() >= HEALTHY_AFTER)
    }

    /// Notes what worked, listens to changes, and asks after tasks of an earlier run.
    async fn remember(&self, link: &Arc<Link>) {
        if self.host.is_none() {
            return;
        }
        if let Some(era) = link.era() {
            let known = self.ledger.read(&self.key).await;
            if known.known_era() != Some(era) {
                self.ledger.update(&self.key, move |entry| entry.set_era(era)).await;
            }
            for task in known.tasks {
                self.resume(task);
            }
        }
        self.dialer.tasks.spawn(subscriptions::listen(Arc::clone(link), self.service.subscribed.subscribe()));
    }

    /// Asks after a task whose call ended with an earlier run of the program, and tells how it ended.
    fn resume(&self, task: OpenTask) {
        let service = Arc::clone(&self.service);
        if !service.resumes(&task.id) {
            return;
        }
        self.dialer.tasks.spawn(async move {
            let context = CallContext {
                call_id: CallId::from(task.call_id.clone()),
                session: task.session.clone().map(SessionId::from),
                cancel: service.stop.child_token(),
            };
            let mut handle = TaskHandle::known(task.id.clone());
            let Ok(ended) = service.follow_to_its_end(&mut handle, &context).await else { return };
            if service.stop.is_cancelled() {
                return;
            }
            let (level, how) = match &ended {
                Ok(outcome) => ("notice", format!("ended: {}", outcome.text)),
                Err(error) => ("warning", error.message.clone()),
            };
            let message = format!("the task of `{}` that was under way when the program ended {how}", clean_line(&task.tool));
            let details =
                json!({"level": level, "message": cut_middle(&message, TASK_BYTES_MAX), "call_id": task.call_id, "task": task.id});
            service.lane.tell(McpEventType::Log, details).await;
            service.ledger.update(&service.key, move |entry| entry.close_task(&task.id)).await;
        });
    }

    /// Looks after a connection until it ends. `ttl` says how long its list of tools may be taken for granted.
    async fn watch(&self, link: &Arc<Link>, wanted: &mut watch::Receiver<Wanted>, ttl: Option<Duration>) -> End {
        let ping_every = Duration::from_secs(self.options.ping_seconds);
        let pings = ping_every > Duration::ZERO && !matches!(link.transport, "stdio" | "builtin");
        let mut pace = Pace { wait: COALESCE, quiet_at: Instant::now() };
        // A server that does not say when its tools change is asked again when its word runs out.
        let ttl = ttl.filter(|ttl| !ttl.is_zero() && !link.tells_of(List::Tools)).map(|ttl| ttl.clamp(TTL_MIN, TTL_MAX));
        let mut relist_at: Option<Instant> = ttl.map(|ttl| Instant::now() + ttl);
        let mut is_noticed = false;
        loop {
            let due = relist_at.unwrap_or_else(Instant::now);
            let ended = tokio::select! {
                biased;
                end = self.asked(wanted) => Some(end),
                reason = link.down.wait() => Some(End::Lost(reason)),
                () = sleep_until(due), if relist_at.is_some() => {
                    relist_at = ttl.map(|ttl| Instant::now() + ttl);
                    is_noticed = false;
                    // What was said until now is answered by the list that is asked for now.
                    let _ = link.shared.tools_changed.notified().now_or_never();
                    let ended = self.relist(link, wanted).await;
                    pace.listed(Instant::now());
                    ended
                }
                () = link.shared.tools_changed.notified(), if !is_noticed => {
                    let now = Instant::now();
                    is_noticed = true;
                    relist_at = Some(now + pace.noticed(now));
                    None
                }
                () = link.shared.suspect.notified() => self.check(link, wanted, true).await,
                () = sleep(ping_every), if pings => self.check(link, wanted, false).await,
            };
            if let Some(end) = ended {
                return end;
            }
        }
    }

    /// Waits until somebody wants the connection to end.
    async fn asked(&self, wanted: &mut watch::Receiver<Wanted>) -> End {
        tokio::select! {
            biased;
            () = self.service.stop.cancelled() => End::Stopped,
            _ = wanted.changed() => End::Asked,
        }
    }

    /// The server says that its tools changed; all that was said meanwhile counts as once. Tells the end where it comes first.
    async fn relist(&self, link: &Arc<Link>, wanted: &mut watch::Receiver<Wanted>) -> Option<End> {
        let service = &self.service;
        let choice = service.choice();
        let listed = tokio::select! {
            biased;
            end = self.asked(wanted) => return Some(end),
            listed = catalog::list(link, &choice, service.options.startup_limit()) => listed,
        };
        match listed {
            Ok(listing) => {
                let listing = self.vet(link, listing).await;
                // Some servers say so all the time.
                if !service.lends(&listing.tools) {
                    service.lane.tell(McpEventType::ListChanged, json!({"list": "tools"})).await;
                }
                service.lend(listing).await;
            }
            Err(error) => service.log.push(&format!("[tools] the changed list could not be read: {}", with_causes(&error))),
        }
        None
    }

    /// Raises the alarm where the server does not answer. Tells the end where it comes first.
    ///
    /// Many servers do one thing at a time and answer nothing during a call: unless something is wrong already, their
    /// silence says nothing then, and the call has limits of its own.
    async fn check(&self, link: &Link, wanted: &mut watch::Receiver<Wanted>, is_suspect: bool) -> Option<End> {
        let was_busy = !link.shared.is_idle();
        tokio::select! {
            biased;
            end = self.asked(wanted) => Some(end),
            pulse = link.ping(PING_LIMIT) => {
                let may_be_busy = !is_suspect && (was_busy || !link.shared.is_idle());
                let is_lost = match pulse {
                    Pulse::Answers => false,
                    Pulse::Silent => !may_be_busy,
                    Pulse::Fails => true,
                };
                if is_lost {
                    link.down.raise("the server no longer answers");
                }
                None
            }
        }
    }

    /// The user wants it closed: no tools, until that changes.
    async fn rest(&self, wanted: &mut watch::Receiver<Wanted>, settled: &mut bool) {
        self.service.stand(&self.replica, Standing::Disabled);
        if !self.service.is_ready() {
            self.service.lend(Listing::default()).await;
        }
        settle(&self.service, settled);
        tokio::select! {
            _ = wanted.changed() => {}
            () = self.service.stop.cancelled() => {}
        }
    }

    /// Why an attempt failed, with what the program said last where that is not in it.
    fn reason(&self, error: &Error) -> String {
        let mut reason = with_causes(error);
        let from_program = self.replica.place.transport() == "stdio" && !matches!(error, Error::Spawn { .. } | Error::Options(_));
        if from_program
            && let Some(line) = self.service.log.telling_line()
            && !reason.contains(&line)
        {
            reason = format!("{reason}; it last said: {line}");
        }
        reason
    }

    /// Tells people that a start fails. A loss is told by other means.
    async fn tell_failure(&self, reason: &str, error: &Error) {
        let service = &self.service;
        let mut details = json!({"server": service.name, "target": self.replica.place.target()});
        if let Some(hint) = error.hint() {
            details["hint"] = json!(hint);
        }
        let tail = service.log.tail(TOLD_LINES);
        if !tail.is_empty() {
            details["stderr"] = json!(tail);
        }
        service.lane.fail(format!("MCP server `{}` could not be connected: {reason}", service.name), details).await;
    }

    fn is_last(&self, failures: u32) -> bool {
        self.options.retry_attempts_max > 0 && failures >= self.options.retry_attempts_max
    }

    /// Tries no more until a person asks for it.
    async fn give_up(&self, reason: &str, wanted: &mut watch::Receiver<Wanted>, settled: &mut bool) {
        let service = &self.service;
        service.stand(&self.replica, Standing::Failed { reason: reason.to_owned() });
        if !service.is_ready() {
            service.lane.tell(McpEventType::ServiceDisconnected, self.with_place(json!({"reason": reason, "final": true}))).await;
            service.lend(Listing::default()).await;
        }
        settle(service, settled);
        tokio::select! {
            _ = wanted.changed() => {}
            () = service.stop.cancelled() => {}
        }
    }

    /// Waits for the next try; says whether a person asked for it.
    async fn pause(&self, failures: u32, reason: String, wanted: &mut watch::Receiver<Wanted>, settled: &mut bool) -> bool {
        let service = &self.service;
        let delay = retry::delay(failures, &self.options, fastrand::f64());
        let retry_at = Some(self.clock.now().plus(delay));
        if failures <= TOLD_MAX {
            let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            let details = json!({"reason": reason, "attempt": failures, "delay_ms": delay_ms});
            service.lane.tell(McpEventType::ServiceReconnecting, self.with_place(details)).await;
        }
        service.stand(&self.replica, Standing::Failing { reason, attempt: failures, retry_at });
        settle(service, settled);
        tokio::select! {
            () = sleep(delay) => false,
            _ = wanted.changed() => true,
            () = service.stop.cancelled() => false,
        }
    }

    /// `details` with the place where there are several.
    fn with_place(&self, mut details: Value) -> Value {
        if self.service.replicas.len() > 1 {
            details["replica"] = json!(self.replica.place.target());
        }
        details
    }
}

/// How soon a changed list is read: ever later for a server that always says so.
struct Pace {
    wait: Duration,
    /// A notice from then on comes after a quiet time.
    quiet_at: Instant,
}

impl Pace {
    /// The server says that its list changed: how long further notices are taken together.
    fn noticed(&mut self, now: Instant) -> Duration {
        self.wait = if now < self.quiet_at { (self.wait * 2).min(COALESCE_MAX) } else { COALESCE };
        self.wait
    }

    /// The list was read.
    fn listed(&mut self, now: Instant) {
        self.quiet_at = now + self.wait;
    }
}

fn settle(service: &Service, settled: &mut bool) {
    if !std::mem::replace(settled, true) {
        service.settle_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_notices_are_answered_ever_later() {
        let mut now = Instant::now();
        let mut pace = Pace { wait: COALESCE, quiet_at: now };
        let mut waits = Vec::new();
        for _ in 0..10 {
            let wait = pace.noticed(now);
            waits.push(wait);
            now += wait;
            pace.listed(now);
        }
        assert_eq!(waits[..3], [COALESCE, COALESCE * 2, COALESCE * 4]);
        assert_eq!(waits[9], COALESCE_MAX);
        assert_eq!(pace.noticed(now + COALESCE_MAX), COALESCE, "a quiet time is rewarded");
    }
}
