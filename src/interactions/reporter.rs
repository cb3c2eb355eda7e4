//! The reporter: reads the log, stores what is to be reported, sends it. Nobody waits for it.
//!
//! Two loops share the queue on disk. One follows the log from the position that was stored with the last records, so that
//! what happened while it was behind, or away, is not missed; the other sends. What either decides stands in plain
//! functions: [`record`](crate::interactions::record), [`breaker`](crate::interactions::breaker),
//! [`pace`](crate::interactions::pace).

mod board;
mod import;
mod intake;
mod sender;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, OnceCell};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::bus::Recorder;
use crate::domain::clock::Clock;
use crate::domain::ids::Seq;
use crate::domain::report::{DeadLetter, ReportState, ReportStatus};
use crate::domain::text::with_causes;
use crate::interactions::options::Options;
use crate::interactions::record::Shape;
use crate::interactions::redact::Redactor;
use crate::interactions::reporter::board::{Board, QUEUE};
use crate::interactions::transport::{Transport, Trouble};
use crate::store::EventLog;
use crate::store::spool::{self, Imported, Lead, Spool};

/// How often a process that does not report looks whether the one that does is gone, and a queue that cannot be opened is
/// tried again.
const STANDBY: Duration = Duration::from_secs(15);

/// Dead letters that a list shows at most.
pub const DEAD_MAX: usize = 1_000;

/// What the reporter is made from.
pub struct Parts {
    /// The log, and the bus above it.
    pub log: EventLog,
    /// Where the log ended when the program started: what comes after is reported where nothing is known of before.
    pub from: Seq,
    /// The transports, the preferred one first; or why there are none.
    pub transports: Result<Vec<Arc<dyn Transport>>, Trouble>,
    /// Whom to tell what needs a person.
    pub recorder: Arc<dyn Recorder>,
    /// Keys and passwords that no record may hold.
    pub secrets: Vec<String>,
}

/// The queue and how it stands, whether or not anything is reported. Cheap to clone.
#[derive(Clone)]
pub struct Reports(Arc<Shared>);

/// The loops that run.
pub struct Running {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

pub(super) struct Shared {
    options: Options,
    path: PathBuf,
    old: PathBuf,
    clock: Arc<dyn Clock>,
    spool: OnceCell<Spool>,
    board: Board,
    /// There is something to send, or somebody wants it sent at once.
    nudge: Notify,
    /// There is room again.
    room: Notify,
}

impl Reports {
    /// With the queue in the folder `data` or where the options say. Opens nothing.
    pub fn new(options: Options, data: &Path, clock: Arc<dyn Clock>) -> Self {
        let (path, old) = (options.queue_file(data), options.old_queue_file(data));
        let shared = Shared {
            options,
            path,
            old,
            clock,
            spool: OnceCell::new(),
            board: Board::default(),
            nudge: Notify::new(),
            room: Notify::new(),
        };
        Self(Arc::new(shared))
    }

    /// Starts reporting. Answers at once: files are opened and coordinators looked at behind.
    pub fn start(&self, parts: Parts) -> Running {
        let stop = CancellationToken::new();
        self.0.board.set(ReportState::Idle);
        let task = tokio::spawn(run(Arc::clone(&self.0), parts, stop.clone()));
        Running { stop, task }
    }

    /// Sees to it that what happens while nothing is reported is not reported later. Makes no file.
    pub fn forget(&self) {
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            let path = shared.path.clone();
            if !tokio::task::spawn_blocking(move || path.exists()).await.unwrap_or(false) {
                return;
            }
            let forgotten = async { shared.spool().await?.forget_mark().await };
            if let Err(error) = forgotten.await {
                tracing::warn!("could not forget where reporting ended: {}", with_causes(&error));
            }
        });
    }

    /// How the reports stand.
    ///
    /// # Errors
    /// When the queue cannot be read.
    pub async fn status(&self) -> Result<ReportStatus, spool::Error> {
        let shared = &self.0;
        let (state, via, problem) = shared.board.get();
        let mut status = ReportStatus {
            state,
            transport: shared.options.transport.as_str().to_owned(),
            via,
            place: shared.options.place(),
            queue: shared.path.display().to_string(),
            bytes_max: shared.options.queue_bytes(),
            problem,
            ..ReportStatus::default()
        };
        if shared.spool.initialized() || shared.path.exists() {
            let spool = shared.spool().await?;
            status.totals = spool.totals().await?;
            status.oldest = if status.totals.waiting > 0 { spool.oldest().await? } else { None };
        }
        Ok(status)
    }

    /// Finds out whether another process reports, for a command that does not.
    ///
    /// # Errors
    /// When the queue cannot be opened.
    pub async fn look(&self) -> Result<(), spool::Error> {
        if self.0.options.is_on() && self.0.path.exists() {
            let free = self.0.spool().await?.lead()?.is_some();
            self.0.board.set(if free { ReportState::Idle } else { ReportState::Standby });
        }
        Ok(())
    }

    /// Dead letters, the oldest first; they count as seen from now on.
    ///
    /// # Errors
    /// When the queue cannot be read.
    pub async fn dead(&self, limit: usize) -> Result<Vec<DeadLetter>, spool::Error> {
        if !self.0.path.exists() {
            return Ok(Vec::new());
        }
        self.0.spool().await?.dead(0, limit.min(DEAD_MAX), true).await
    }

    /// Tries at once whatever waits for its time: refused records, a transport that rests. How many records were refused.
    ///
    /// # Errors
    /// When the queue cannot be written.
    pub async fn hurry(&self) -> Result<u64, spool::Error> {
        if !self.0.path.exists() {
            return Ok(0);
        }
        let hurried = self.0.spool().await?.hurry().await;
        self.0.board.hurry();
        self.0.nudge.notify_one();
        hurried
    }

    /// Puts dead letters back to what waits: those with these numbers, or all. How many.
    ///
    /// # Errors
    /// When the queue cannot be written.
    pub async fn resend(&self, numbers: Option<Vec<i64>>) -> Result<u64, spool::Error> {
        if !self.0.path.exists() {
            return Ok(0);
        }
        let sent = self.0.spool().await?.resend(numbers, self.0.clock.now()).await;
        self.0.nudge.notify_one();
        sent
    }

    /// Reads the queue of another program (`interaction_cache.db`) into ours. Reading it again changes nothing.
    ///
    /// # Errors
    /// When the file cannot be read, is no such queue, or ours has no room.
    pub async fn import(&self, path: &Path, secrets: Vec<String>) -> Result<Imported, spool::Error> {
        let spool = self.0.spool().await?;
        let redactor = Redactor::new(secrets);
        let imported = import::read(spool, path, &self.0.options.mcp_id, &redactor, &*self.0.clock).await;
        self.0.nudge.notify_one();
        imported
    }

    /// Sends what waits now, with a sender of its own, until nothing is left, something is in the way, or `limit` is over.
    /// Not where another process reports: false then, and that one is left to it.
    ///
    /// # Errors
    /// When the queue cannot be opened.
    pub async fn flush(&self, transports: Vec<Arc<dyn Transport>>, limit: Duration) -> Result<bool, spool::Error> {
        let spool = self.0.spool().await?;
        let Some(_lead) = spool.lead()? else { return Ok(false) };
        self.0.board.set(ReportState::Idle);
        let over = CancellationToken::new();
        over.cancel();
        let sender = sender::Sender::new(Arc::clone(&self.0), spool.clone(), transports, None);
        let _late = tokio::time::timeout(limit, sender.run(over)).await;
        Ok(true)
    }
}

impl Running {
    /// Reads the log to its end, sends what can be sent, and stops; at most for `limit`. What is left stays on disk.
    pub async fn shutdown(mut self, limit: Duration) {
        self.stop.cancel();
        if tokio::time::timeout(limit, &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Shared {
    /// The queue, opened now if need be.
    async fn spool(&self) -> Result<&Spool, spool::Error> {
        let open = || async {
            let (path, options) = (self.path.clone(), self.spool_options());
            let opened = tokio::task::spawn_blocking(move || Spool::open(&path, options)).await;
            opened.unwrap_or(Err(spool::Error::Closed))
        };
        self.spool.get_or_try_init(open).await
    }

    fn spool_options(&self) -> spool::Options {
        spool::Options {
            bytes_max: self.options.queue_bytes(),
            age_max: Duration::from_hours(24).saturating_mul(u32::try_from(self.options.max_age_days).unwrap_or(u32::MAX)),
            ..spool::Options::default()
        }
    }
}

/// Opens the queue, waits for the right to report, then reads and sends until it is stopped.
async fn run(shared: Arc<Shared>, parts: Parts, stop: CancellationToken) {
    let Parts { log, from, transports, recorder, secrets } = parts;
    let transports = match transports {
        Ok(transports) => transports,
        Err(trouble) => {
            shared.board.say(&*recorder, QUEUE, &trouble.to_string());
            // What happens is stored all the same, for the time when the config is right.
            Vec::new()
        }
    };
    let Some((spool, _lead)) = begin(&shared, &*recorder, &stop).await else { return };
    let redactor = Redactor::new(secrets);
    import::old_queue(&shared, &spool, &redactor, &*recorder).await;
    let mut fresh = [0; 32];
    let random = crate::net::random(&mut fresh);
    let salt = match random {
        Ok(()) => spool.salt(fresh).await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let shape = Shape { mcp_id: shared.options.mcp_id.clone(), content: shared.options.content, salt, redactor };
    let drained = CancellationToken::new();
    let intake = intake::Intake { shared: Arc::clone(&shared), spool: spool.clone(), log, recorder: Arc::clone(&recorder), shape };
    let sender = sender::Sender::new(Arc::clone(&shared), spool, transports, Some(recorder));
    let reading = async {
        intake.run(from, &stop).await;
        stop.cancelled().await;
        drained.cancel();
    };
    tokio::join!(reading, sender.run(drained.clone()));
}

/// The queue and the right to send from it; none where it is stopped before.
async fn begin(shared: &Shared, recorder: &dyn Recorder, stop: &CancellationToken) -> Option<(Spool, Lead)> {
    loop {
        let lead = match shared.spool().await {
            Ok(spool) => spool.lead().map(|lead| lead.map(|lead| (spool.clone(), lead))),
            Err(error) => Err(error),
        };
        match lead {
            Ok(Some(found)) => {
                shared.board.set(ReportState::Idle);
                return Some(found);
            }
            Ok(None) => shared.board.set(ReportState::Standby),
            Err(error) => shared.board.say(recorder, QUEUE, &with_causes(&error)),
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(STANDBY) => {}
        }
    }
}

#[cfg(test)]
mod tests;
