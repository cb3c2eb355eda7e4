//! Builds the background half and runs its loops.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::agent::budget::Budget;
use crate::agent::{Claim, EngineHandle};
use crate::ambient::attend::Attend;
use crate::ambient::finding::Probe;
use crate::ambient::judge::{self, Judge};
use crate::ambient::lead::Leadership;
use crate::ambient::nudge::Nudges;
use crate::ambient::outbox::{self, Outbox};
use crate::ambient::plan::Limits;
use crate::ambient::ports::{Prompter, Triage};
use crate::ambient::probe::{Keeping, Probes, check_selector};
use crate::ambient::scheduler::{self, Scheduler};
use crate::ambient::service::{self, TaskService};
use crate::ambient::{watch, writes};
use crate::app::locks::FolderLocks;
use crate::app::prompter::EnginePrompter;
use crate::app::triage::ModelTriage;
use crate::config::settings::Settings;
use crate::domain::clock::Clock;
use crate::domain::task::Source;
use crate::llm::Catalog;
use crate::net::fetch::Fetcher;
use crate::notify::Channels;
use crate::store::EventLog;
use crate::tools::ToolBox;

/// The longest that runs, judgements and deliveries are waited for at the end; what they leave open goes on at the next
/// start.
const STOP_MAX: Duration = Duration::from_secs(5);

/// The tasks as people and programs reach them, before anything runs.
///
/// `feedback_url` is the callback of tasks that name none; `locks` tell whether somebody runs them.
pub fn service(log: &EventLog, settings: &Settings, feedback_url: Option<String>, nudges: &Nudges, locks: FolderLocks) -> TaskService {
    let options = service::Options {
        feedback_url,
        metrics: settings.metrics.keys().cloned().collect(),
        selectors: Some(check_selector),
        keeping: service::Keeping { diff: Keeping::diff, sample: Keeping::sample, snapshot_bytes: Keeping::snapshot_bytes },
        awake: service::Awake::new(move || locks.is_awake()),
        ..service::Options::default()
    };
    TaskService::new(log.clone(), TimeZone::system(), nudges.clone(), options)
}

/// What the loops work with.
pub struct Parts<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// The log.
    pub log: &'a EventLog,
    /// The time.
    pub clock: &'a Arc<dyn Clock>,
    /// The tasks.
    pub service: &'a TaskService,
    /// Wakes the loops.
    pub nudges: &'a Nudges,
    /// Looks at pages.
    pub fetcher: Fetcher,
    /// All tools, for thresholds that watch one.
    pub tools: ToolBox,
    /// All models.
    pub catalog: &'a Catalog,
    /// The agent.
    pub engine: EngineHandle,
    /// What models may take.
    pub budget: Budget,
    /// How to reach people.
    pub channels: Arc<Channels>,
    /// Where messages that are sent at once find an outbox.
    pub sending: Arc<OnceLock<outbox::Deps>>,
    /// Whether several machines share the store.
    pub shared: bool,
    /// Where this process says that it runs the tasks; nothing runs here where absent.
    pub awake: Option<FolderLocks>,
}

/// The running loops.
pub struct Loops {
    stop: CancellationToken,
    lead: Arc<Leadership>,
    running: Vec<JoinHandle<()>>,
    _awake: Option<Claim>,
}

impl Loops {
    /// Starts them; none where the settings switch the tasks off.
    ///
    /// # Errors
    /// When the settings of notices make no sense.
    pub fn start(parts: Parts<'_>) -> anyhow::Result<Self> {
        let Parts { settings, log, clock, service, nudges, fetcher, tools, catalog, engine, budget, channels, sending, shared, awake } =
            parts;
        let owner = format!("{}-{}", std::process::id(), uuid::Uuid::now_v7());
        let options = settings.tasks.clone();
        let lead = Arc::new(Leadership::new(log.clone(), owner.clone(), nudges.clone(), shared, options.lease()));
        let triage: Arc<dyn Triage> = Arc::new(ModelTriage::new(catalog.clone(), &options, budget));
        let model = catalog.default_id().to_owned();
        let prompter: Arc<dyn Prompter> = Arc::new(EnginePrompter::new(engine, log.clone(), model, options.prices.clone()));
        let probe: Arc<dyn Probe> = Arc::new(probes(log, fetcher, tools, &settings.metrics));
        let stop = CancellationToken::new();
        let scheduler = scheduler::Deps {
            log: log.clone(),
            clock: Arc::clone(clock),
            probe,
            nudges: nudges.clone(),
            lead: Arc::clone(&lead),
            zone: TimeZone::system(),
            owner: owner.clone(),
            options: options.clone(),
            limits: Limits::default(),
        };
        let judge = judge::Deps {
            log: log.clone(),
            clock: Arc::clone(clock),
            triage,
            prompter,
            nudges: nudges.clone(),
            lead: Arc::clone(&lead),
            owner: owner.clone(),
            options: options.clone(),
        };
        let outbox = outbox::Deps {
            log: log.clone(),
            clock: Arc::clone(clock),
            channels: Arc::clone(&channels),
            nudges: nudges.clone(),
            lead: Arc::clone(&lead),
            owner,
            options: options.clone(),
            notify: settings.notify.clone(),
        };
        let _once = sending.set(outbox.clone());
        // The settings are checked here, before anything runs.
        Outbox::new(outbox.clone())?;
        let mut running = Vec::new();
        let Some(locks) = awake else { return Ok(Self { stop, lead, running, _awake: None }) };
        nudges.set_awake();
        let awake = locks.stay_awake();
        let attend = Attend::new(log.clone(), Arc::clone(clock), nudges.clone(), channels);
        service.attend(Arc::new(attend));
        running.push(watched("watch over other processes' writes", log, &stop, {
            let (log, nudges, pace) = (log.clone(), nudges.clone(), options.poll());
            move |stop| writes::tell(log.clone(), nudges.clone(), pace, stop)
        }));
        if options.enabled {
            running.push(watched("scheduler", log, &stop, move |stop| Scheduler::new(scheduler.clone()).run(stop)));
        }
        // Firings may come over HTTP or by simulation although no task runs.
        running.push(watched("judge", log, &stop, move |stop| Judge::new(judge.clone()).run(stop)));
        running.push(watched("outbox", log, &stop, move |stop| {
            let outbox = Outbox::new(outbox.clone());
            async move {
                match outbox {
                    Ok(outbox) => outbox.run(stop).await,
                    Err(error) => tracing::error!(%error, "the outbox cannot begin"),
                }
            }
        }));
        Ok(Self { stop, lead, running, _awake: awake })
    }

    /// Stops them, bounded in time, and lets another process lead.
    pub async fn shutdown(self) {
        self.stop.cancel();
        let all = futures::future::join_all(self.running);
        if tokio::time::timeout(STOP_MAX, all).await.is_err() {
            tracing::warn!("background work did not end in time; it goes on at the next start");
        }
        self.lead.resign().await;
    }
}

/// Runs a loop until `stop`, and anew where it breaks off.
fn watched<F: Future<Output = ()> + Send + 'static>(
    name: &'static str,
    log: &EventLog,
    stop: &CancellationToken,
    begin: impl Fn(CancellationToken) -> F + Send + Sync + 'static,
) -> JoinHandle<()> {
    let (log, stop) = (log.clone(), stop.clone());
    tokio::spawn(async move { watch::keep(name, &log, &stop, || begin(stop.clone())).await })
}

/// The probes over these.
pub fn probes(log: &EventLog, fetcher: Fetcher, tools: ToolBox, metrics: &BTreeMap<String, Source>) -> Probes {
    Probes::new(fetcher, log.clone(), tools, metrics.clone())
}
