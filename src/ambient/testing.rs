//! What tests of the loops share: a store in memory, a clock that follows the runtime's paused one, scripted doubles.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use crate::ambient::finding::{Fault, Finding, Fire, Look, News, Probe};
use crate::ambient::lead::Leadership;
use crate::ambient::nudge::Nudges;
use crate::ambient::options::Options;
use crate::ambient::plan::{Limits, Plan, start};
use crate::ambient::scheduler::{self, Scheduler};
use crate::domain::clock::{Clock, Instant};
use crate::domain::event::{Event, EventBody, NewEvent, TaskEvent};
use crate::domain::ids::{StreamId, TaskId};
use crate::domain::notice::{Delivery, InboxRow, Notification};
use crate::domain::query::{EventFilter, EventReader, InboxFilter};
use crate::domain::task::{TaskFact, TaskRow, TaskSpec, TaskWork};
use crate::net::fetch::Line;
use crate::store::tasks::{Op, TaskFilter};
use crate::store::{EventLog, Terms};

/// 2026-01-01T12:00:00Z, a Thursday.
pub(super) const START: Instant = Instant::from_millis(1_767_268_800_000);

/// A wall clock that runs with the runtime's clock, and can be set ahead of it as by a suspend.
pub(super) struct PausedClock {
    begun: tokio::time::Instant,
    ahead_ms: AtomicI64,
}

impl PausedClock {
    pub(super) fn jump(&self, by: Duration) {
        self.ahead_ms.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(super) fn back(&self, by: Duration) {
        self.ahead_ms.fetch_sub(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Instant {
        let ahead = self.ahead_ms.load(Ordering::SeqCst);
        Instant::from_millis(START.plus(self.begun.elapsed()).as_millis() + ahead)
    }
}

/// A store in memory and what works on it. Must be made on a runtime whose clock is paused.
pub(super) struct World {
    pub(super) clock: Arc<PausedClock>,
    pub(super) log: EventLog,
    pub(super) nudges: Nudges,
    pub(super) stop: CancellationToken,
}

impl World {
    pub(super) fn new() -> Self {
        let clock = Arc::new(PausedClock { begun: tokio::time::Instant::now(), ahead_ms: AtomicI64::new(0) });
        let log = EventLog::open_in_memory(Arc::<PausedClock>::clone(&clock)).unwrap();
        Self { clock, log, nudges: Nudges::default(), stop: CancellationToken::new() }
    }

    pub(super) fn now(&self) -> Instant {
        self.clock.now()
    }

    /// `shared`: everybody may claim.
    pub(super) fn lead(&self, owner: &str, shared: bool) -> Arc<Leadership> {
        let lease = Options::default().lease();
        Arc::new(Leadership::new(self.log.clone(), owner.to_owned(), self.nudges.clone(), shared, lease))
    }

    pub(super) fn deps(&self, owner: &str, probe: &Arc<ScriptedProbe>, options: Options) -> scheduler::Deps {
        scheduler::Deps {
            log: self.log.clone(),
            clock: Arc::<PausedClock>::clone(&self.clock),
            probe: Arc::<ScriptedProbe>::clone(probe),
            nudges: self.nudges.clone(),
            lead: self.lead(owner, true),
            zone: TimeZone::UTC,
            owner: owner.to_owned(),
            options,
            limits: Limits::default(),
        }
    }

    /// Starts a scheduler that ends with the world.
    pub(super) fn schedule(&self, probe: &Arc<ScriptedProbe>) -> tokio::task::JoinHandle<()> {
        let options = Options { poll_seconds: 15, ..Options::default() };
        tokio::spawn(Scheduler::new(self.deps("one", probe, options)).run(self.stop.clone()))
    }

    pub(super) async fn add(&self, spec: &TaskSpec) {
        let plan = Plan::new(spec, &TimeZone::UTC).unwrap();
        self.put(spec, Op::PutWork { work: Box::new(start(&plan, spec, self.now())), extra_seen: None }).await;
    }

    /// Makes a task that is not due.
    pub(super) async fn put_spec(&self, spec: &TaskSpec) {
        let work = TaskWork::new(spec.task_id.clone(), self.now(), None);
        self.put(spec, Op::PutWork { work: Box::new(work), extra_seen: None }).await;
    }

    /// Makes a task whose work stands as `op` says.
    pub(super) async fn put(&self, spec: &TaskSpec, op: Op) {
        let created = TaskFact::TaskCreated { spec: Box::new(spec.clone()) };
        let event = NewEvent::system(TaskEvent::new(spec.task_id.clone(), created));
        self.log.commit(vec![event], Terms { ops: vec![op], ..Terms::default() }).await.unwrap();
        self.nudges.tasks();
    }

    /// Asks for a run out of turn.
    pub(super) async fn ask(&self, name: &str) {
        self.ops(vec![Op::Ask { task_id: TaskId::new(name), at: self.now() }]).await;
        self.nudges.tasks();
    }

    pub(super) async fn ops(&self, ops: Vec<Op>) {
        self.log.commit(Vec::new(), Terms { ops, ..Terms::default() }).await.unwrap();
    }

    pub(super) async fn row(&self, name: &str) -> TaskRow {
        let filter = TaskFilter { task_id: Some(TaskId::new(name)), ..TaskFilter::default() };
        self.log.tasks().tasks(filter).await.unwrap().remove(0)
    }

    /// What happened to a task after it was made, oldest first.
    pub(super) async fn facts(&self, name: &str) -> Vec<TaskFact> {
        let events = self.log.tasks().stream_events(StreamId::task(&TaskId::new(name)), 10_000).await.unwrap();
        let fact = |event: &Arc<Event>| match &event.body {
            EventBody::TaskEvent(task) => Some(task.fact.clone()),
            _ => None,
        };
        events.iter().filter_map(fact).filter(|fact| !matches!(fact, TaskFact::TaskCreated { .. })).collect()
    }

    pub(super) async fn events(&self) -> Vec<Arc<Event>> {
        self.log.events(EventFilter::default()).await.unwrap()
    }

    /// All that was said about notices, oldest first.
    pub(super) async fn notifications(&self) -> Vec<Notification> {
        let said = |event: &Arc<Event>| match &event.body {
            EventBody::Notification(notice) => Some(notice.clone()),
            _ => None,
        };
        self.events().await.iter().filter_map(said).collect()
    }

    pub(super) async fn inbox(&self) -> Vec<InboxRow> {
        self.log.tasks().inbox(InboxFilter::default(), self.now()).await.unwrap()
    }

    /// Notices, oldest first.
    pub(super) async fn deliveries(&self) -> Vec<Delivery> {
        let mut deliveries = self.log.tasks().deliveries(None, 1_000).await.unwrap();
        deliveries.reverse();
        deliveries
    }

    /// Waits for a state, in the paused clock's time.
    pub(super) async fn until(&self, limit: Duration, what: &str, mut there: impl AsyncFnMut() -> bool) {
        let end = tokio::time::Instant::now() + limit;
        while !there().await {
            assert!(tokio::time::Instant::now() < end, "not within {limit:?}: {what}");
            tokio::time::sleep((limit / 500).max(Duration::from_millis(100))).await;
        }
    }

    /// Lets time pass for the loops.
    pub(super) async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// A task that was made at the start.
pub(super) fn spec(name: &str, task_type: &str, config: &Value) -> TaskSpec {
    let spec = json!({"task_id": name, "task_type": task_type, "config": config, "description": format!("about {name}"),
        "user_id": "default", "created_at": START});
    serde_json::from_value(spec).unwrap()
}

/// A reminder every so many minutes, told by text message.
pub(super) fn reminder(name: &str, minutes: u64) -> TaskSpec {
    let sms = json!({"method": "send_sms", "phone_number": "+1234567890"});
    spec(name, "schedule", &json!({"type": "interval", "minutes": minutes, "notification": sms}))
}

/// What a scripted look gives.
pub(super) enum Sees {
    /// Nothing new.
    Quiet,
    /// So many things worth a decision.
    News(usize),
    /// A fault.
    Fault(&'static str),
    /// The same after so long.
    After(Duration, Box<Sees>),
    /// The same after standing in line for so long.
    InLine(Duration, Box<Sees>),
    /// Nothing, ever.
    Hang,
}

type Script = dyn Fn(&Look, usize) -> Sees + Send + Sync;

/// A probe that sees what a script says: which look, and the how manieth of its task.
pub(super) struct ScriptedProbe {
    script: Box<Script>,
    looks: Mutex<HashMap<TaskId, Vec<Look>>>,
}

impl ScriptedProbe {
    pub(super) fn new(script: impl Fn(&Look, usize) -> Sees + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { script: Box::new(script), looks: Mutex::default() })
    }

    /// The looks at a task so far.
    pub(super) fn looks(&self, name: &str) -> Vec<Look> {
        self.looks.lock().unwrap().get(&TaskId::new(name)).cloned().unwrap_or_default()
    }
}

impl Probe for ScriptedProbe {
    fn look(&self, look: Look) -> BoxFuture<'static, Result<Finding, Fault>> {
        let count = {
            let mut looks = self.looks.lock().unwrap();
            let looks = looks.entry(look.spec.task_id.clone()).or_default();
            looks.push(look.clone());
            looks.len()
        };
        let sees = (self.script)(&look, count);
        seen(look.line, sees, count).boxed()
    }
}

async fn seen(line: Line, sees: Sees, count: usize) -> Result<Finding, Fault> {
    let mut sees = sees;
    loop {
        sees = match sees {
            Sees::After(wait, then) => {
                tokio::time::sleep(wait).await;
                *then
            }
            Sees::InLine(wait, then) => {
                line.stand(tokio::time::sleep(wait)).await;
                *then
            }
            _ => break,
        };
    }
    let found =
        |news, note: &str| Ok(Finding { state: json!({"looks": count}), keep: Vec::new(), news, note: note.to_owned(), trouble: None });
    match sees {
        Sees::Quiet => found(News::Quiet { gate: "304" }, "unchanged (304)"),
        Sees::News(parts) => {
            let fire = |part: usize| {
                let data: Map<String, Value> = Map::from_iter([("description".to_owned(), json!(format!("look {count} part {part}")))]);
                Fire { part: part.to_string(), data }
            };
            found(News::Fired((0..parts).map(fire).collect()), "something new")
        }
        Sees::Fault(message) => Err(Fault { message: message.to_owned(), retry_at: None }),
        Sees::After(..) | Sees::InLine(..) | Sees::Hang => std::future::pending().await,
    }
}
