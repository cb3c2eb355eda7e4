//! The reporter's whole way, from events to a coordinator that misbehaves.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Mutex, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;

use super::*;
use crate::bus::RecordError;
use crate::bus::testing::MemoryRecorder;
use crate::domain::clock::Instant;
use crate::domain::event::{Event, EventBody, NewEvent, TurnEnd, TurnEvent};
use crate::domain::ids::{InteractionId, RecordId, SessionId, TurnId};
use crate::domain::interaction::{Action, InteractionRecord};
use crate::domain::message::Usage;
use crate::interactions::outgoing::Outgoing;
use crate::interactions::transport::{Settled, Verdict};
use crate::store::spool::NewRow;

/// The wall clock goes with tokio's, which tests pause.
struct TokioClock(tokio::time::Instant);

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        Instant::from_millis(1_767_268_800_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// What a fake coordinator does next; an empty script means: it stores.
enum Answer {
    Trouble(Trouble),
    /// The answer is lost after the records were stored.
    Lost,
    Hang,
}

#[derive(Default)]
struct Fake {
    script: Mutex<Vec<Answer>>,
    down: Mutex<bool>,
    stored: Mutex<Vec<Outgoing>>,
    batches: Mutex<Vec<(tokio::time::Duration, usize)>>,
    probes: Mutex<usize>,
    /// Records whose ids end so are refused.
    bad: Mutex<Option<&'static str>>,
    whole_batches: Mutex<bool>,
    hands_over: Mutex<bool>,
    began: Mutex<Option<tokio::time::Instant>>,
    name: &'static str,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fake {
    fn named(name: &'static str) -> Arc<Self> {
        Arc::new(Self { name, ..Self::default() })
    }

    fn does(&self, script: Vec<Answer>) {
        *lock(&self.script) = script.into_iter().rev().collect();
    }

    fn ids(&self) -> Vec<String> {
        lock(&self.stored).iter().map(|record| record.record_id.as_str().to_owned()).collect()
    }

    fn store(&self, records: &[Outgoing]) {
        let mut stored = lock(&self.stored);
        for record in records {
            // As a coordinator does: by its id, once.
            if !stored.iter().any(|known| known.record_id == record.record_id) {
                stored.push(record.clone());
            }
        }
    }

    async fn take(&self, records: &[Outgoing]) -> Result<Vec<Verdict>, Trouble> {
        let began = *lock(&self.began).get_or_insert_with(tokio::time::Instant::now);
        lock(&self.batches).push((began.elapsed(), records.len()));
        if *lock(&self.down) {
            return Err(Trouble::Unreachable("down".into()));
        }
        let next = lock(&self.script).pop();
        match next {
            Some(Answer::Trouble(trouble)) => return Err(trouble),
            Some(Answer::Lost) => {
                self.store(records);
                return Err(Trouble::Unreachable("the answer was lost".into()));
            }
            Some(Answer::Hang) => std::future::pending::<()>().await,
            None => {}
        }
        let bad = *lock(&self.bad);
        let is_bad = |record: &Outgoing| bad.is_some_and(|end| record.record_id.as_str().ends_with(end));
        if *lock(&self.whole_batches) && records.len() > 1 && records.iter().any(is_bad) {
            return Err(Trouble::Batch("one of them is bad".into()));
        }
        if *lock(&self.hands_over) {
            self.store(records);
            return Ok(records.iter().map(|record| Verdict::Handed(record.record_id.as_str().to_owned())).collect());
        }
        let good: Vec<_> = records.iter().filter(|record| !is_bad(record)).cloned().collect();
        self.store(&good);
        let verdict =
            |record| if is_bad(record) { Verdict::Refused { code: 422, message: "bad\u{1b}[31m".into() } } else { Verdict::Stored };
        Ok(records.iter().map(verdict).collect())
    }
}

impl Transport for Fake {
    fn name(&self) -> &'static str {
        if self.name.is_empty() { "http" } else { self.name }
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Trouble>> {
        *lock(&self.probes) += 1;
        let down = *lock(&self.down);
        std::future::ready(if down { Err(Trouble::Unreachable("down".into())) } else { Ok(()) }).boxed()
    }

    fn send<'a>(&'a self, records: &'a [Outgoing]) -> BoxFuture<'a, Result<Vec<Verdict>, Trouble>> {
        self.take(records).boxed()
    }

    fn settled<'a>(&'a self, handles: &'a [String]) -> BoxFuture<'a, Result<Vec<Settled>, Trouble>> {
        let ids: HashSet<String> = self.ids().into_iter().collect();
        let down = *lock(&self.down);
        let settled = handles.iter().map(|id| if ids.contains(id) { Settled::Stored } else { Settled::Lost }).collect();
        std::future::ready(if down { Err(Trouble::Unreachable("down".into())) } else { Ok(settled) }).boxed()
    }
}

struct Bench {
    _folder: tempfile::TempDir,
    shared: Arc<Shared>,
    spool: Spool,
    recorder: MemoryRecorder,
}

impl Bench {
    async fn new(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(TokioClock(tokio::time::Instant::now()));
        let reports = Reports::new(options, folder.path(), clock);
        let shared = reports.0;
        let spool = Spool::open_inline(&shared.path, shared.spool_options()).unwrap();
        shared.spool.get_or_init(|| std::future::ready(spool.clone())).await;
        Self { _folder: folder, shared, spool, recorder: MemoryRecorder::default() }
    }

    async fn put(&self, count: usize, interactions: usize) {
        let rows = (0..count).map(|number| row(number, number % interactions)).collect();
        self.spool.put(rows, None, self.shared.clock.now()).await.unwrap();
        self.shared.nudge.notify_one();
    }

    /// Runs a sender for so long.
    async fn run(&self, transports: &[&Arc<Fake>], seconds: u64) {
        let transports = transports.iter().map(|fake| Arc::clone(fake) as Arc<dyn Transport>).collect();
        let sender = sender::Sender::new(Arc::clone(&self.shared), self.spool.clone(), transports, Some(Arc::new(self.recorder.clone())));
        let _over = tokio::time::timeout(Duration::from_secs(seconds), sender.run(CancellationToken::new())).await;
    }
}

fn parsed(record: &Outgoing) -> InteractionRecord {
    InteractionRecord::from_json(&serde_json::from_str(&record.text).unwrap()).unwrap()
}

fn record(number: usize, interaction: usize) -> InteractionRecord {
    InteractionRecord {
        record_id: RecordId::from(format!("r{number:06}")),
        action: Action::Progress,
        interaction_id: InteractionId::from(format!("int_1_{interaction:08x}")),
        mcp_id: "me".into(),
        timestamp: Instant::from_millis(1_000),
        payload: serde_json::Map::new(),
    }
}

fn row(number: usize, interaction: usize) -> NewRow {
    intake::row(&record(number, interaction))
}

fn options() -> Options {
    Options { enable_interaction_logging: true, ..Options::default() }
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("r{number:06}")).collect()
}

#[tokio::test(start_paused = true)]
async fn everything_arrives_in_order_after_one_probe() {
    let (bench, fake) = (Bench::new(options()).await, Fake::named("http"));
    bench.put(250, 7).await;
    bench.run(&[&fake], 5).await;
    assert_eq!(fake.ids(), ids(250));
    assert_eq!(*lock(&fake.probes), 1);
    assert_eq!(lock(&fake.batches).iter().map(|(_, size)| *size).collect::<Vec<_>>(), [100, 100, 50]);
    let totals = bench.spool.totals().await.unwrap();
    assert_eq!((totals.waiting, totals.delivered_ever, totals.waiting_bytes), (0, 250, 0));
}

#[tokio::test(start_paused = true)]
async fn an_outage_costs_no_record_a_try_and_is_probed_before_it_is_believed_over() {
    let (bench, fake) = (Bench::new(options()).await, Fake::named("http"));
    bench.put(20, 3).await;
    *lock(&fake.down) = true;
    bench.run(&[&fake], 3_600).await;
    let probes = *lock(&fake.probes);
    assert!((90..200).contains(&probes), "every 30 s, about: {probes}");
    assert_eq!(lock(&fake.batches).len(), 0, "no record was sent into it");
    assert!(matches!(bench.shared.board.get().0, ReportState::Waiting { .. }));
    *lock(&fake.down) = false;
    bench.run(&[&fake], 60).await;
    assert_eq!(fake.ids(), ids(20));
    assert_eq!(bench.spool.totals().await.unwrap().dead, 0);
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_each_record_is_stored_once_and_in_order() {
    let (bench, fake) = (Bench::new(options()).await, Fake::named("http"));
    bench.put(300, 5).await;
    let busy = || Answer::Trouble(Trouble::Busy { after: Some(Duration::from_secs(9)), message: "slow down".into() });
    let down = || Answer::Trouble(Trouble::Unreachable("reset".into()));
    fake.does(vec![down(), Answer::Lost, busy(), down(), Answer::Hang, Answer::Trouble(Trouble::Key("401".into())), Answer::Lost]);
    bench.run(&[&fake], 3_600).await;
    assert_eq!(fake.ids(), ids(300));
    assert_eq!(bench.spool.totals().await.unwrap().delivered_ever, 300);
}

#[tokio::test(start_paused = true)]
async fn what_asks_to_wait_is_left_alone_for_so_long() {
    let (bench, fake) = (Bench::new(options()).await, Fake::named("http"));
    bench.put(10, 1).await;
    fake.does(vec![Answer::Trouble(Trouble::Busy { after: Some(Duration::from_secs(77)), message: String::new() })]);
    bench.run(&[&fake], 300).await;
    let times: Vec<u64> = lock(&fake.batches).iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(times, [0, 77]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_record_dies_after_max_retries_and_holds_back_its_own_interaction_only() {
    let (bench, fake) = (Bench::new(options()).await, Fake::named("http"));
    bench.put(20, 10).await;
    *lock(&fake.bad) = Some("000003");
    bench.run(&[&fake], 120).await;
    let stored = fake.ids();
    assert_eq!(stored.iter().collect::<BTreeSet<_>>().len(), 19);
    assert!(!stored.contains(&"r000003".to_owned()));
    let dead = bench.spool.dead(0, 10, false).await.unwrap();
    assert_eq!(
        dead.iter().map(|letter| (letter.record_id.as_str(), letter.refusals, letter.reason.as_str())).collect::<Vec<_>>(),
        [("r000003", 3, "422: bad")]
    );
    let told = bench.recorder.subscribe();
    drop(told);
    *lock(&fake.bad) = None;
    assert_eq!(bench.spool.resend(None, bench.shared.clock.now()).await.unwrap(), 1);
    bench.run(&[&fake], 60).await;
    assert!(fake.ids().contains(&"r000003".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_coordinator_that_refuses_whole_batches_gets_all_the_same_all_but_the_bad_one() {
    let (bench, fake) = (Bench::new(options()).await, Fake::named("http"));
    bench.put(200, 200).await;
    *lock(&fake.whole_batches) = true;
    *lock(&fake.bad) = Some("000077");
    bench.run(&[&fake], 300).await;
    assert_eq!(fake.ids().len(), 199);
    let dead = bench.spool.dead(0, 10, false).await.unwrap();
    assert_eq!(dead.iter().map(|letter| letter.record_id.as_str()).collect::<Vec<_>>(), ["r000077"]);
}

#[tokio::test(start_paused = true)]
async fn requests_are_counted_not_records() {
    let (bench, fake) = (Bench::new(options()).await, Fake::named("http"));
    bench.put(3_000, 50).await;
    bench.run(&[&fake], 60).await;
    let batches = lock(&fake.batches).clone();
    assert_eq!(batches.len(), 30);
    assert!((1_900..2_100).contains(&batches[29].0.as_millis()), "ten at once, then ten a second: {:?}", batches[29]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_is_said_once_and_tried_slowly() {
    let (bench, fake) = (Bench::new(options()).await, Fake::named("http"));
    let mut told = bench.recorder.subscribe();
    bench.put(5, 1).await;
    fake.does((0..4).map(|_| Answer::Trouble(Trouble::Key("HTTP 401: no such key".into()))).collect());
    bench.run(&[&fake], 3_600).await;
    assert_eq!(fake.ids(), ids(5));
    let times: Vec<u64> = lock(&fake.batches).iter().map(|(at, _)| at.as_secs()).collect();
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 225), "five minutes, about: {times:?}");
    let mut errors = 0;
    while let Some(delivery) = told.try_recv() {
        if let crate::bus::Delivery::Event(event) = delivery
            && let EventBody::Error(error) = &event.body
        {
            assert!(error.message.contains("coordinator_api_key"), "{}", error.message);
            errors += 1;
        }
    }
    assert_eq!(errors, 1);
}

#[tokio::test(start_paused = true)]
async fn auto_takes_the_first_healthy_one_and_comes_back_to_the_preferred() {
    let (bench, redis, http) = (Bench::new(options()).await, Fake::named("redis"), Fake::named("http"));
    *lock(&redis.down) = true;
    bench.put(10, 2).await;
    bench.run(&[&redis, &http], 5).await;
    assert_eq!((redis.ids().len(), http.ids().len()), (0, 10));
    *lock(&redis.down) = false;
    *lock(&redis.hands_over) = true;
    let more = (10..20).map(|number| row(number, number % 2)).collect();
    bench.spool.put(more, None, bench.shared.clock.now()).await.unwrap();
    bench.run(&[&redis, &http], 60).await;
    assert_eq!((redis.ids().len(), http.ids().len()), (10, 10));
    assert_eq!(bench.spool.totals().await.unwrap().waiting, 0, "what was handed over was confirmed");
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_on_its_way_still_comes_before_what_follows_it() {
    let (bench, redis) = (Bench::new(options()).await, Fake::named("redis"));
    bench.put(1, 1).await;
    // It lies with a transport that lost it, which nobody knows yet; what follows it happened meanwhile.
    bench.spool.settle(vec![(1, spool::Outcome::Handed("x".into()))], "redis", bench.shared.clock.now()).await.unwrap();
    let more = (1..4).map(|number| row(number, 0)).collect();
    bench.spool.put(more, None, bench.shared.clock.now()).await.unwrap();
    *lock(&redis.hands_over) = true;
    bench.run(&[&redis], 5).await;
    assert_eq!(redis.ids(), ids(4));
    assert_eq!(bench.spool.totals().await.unwrap().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_handed_to_a_transport_that_is_gone_for_good_is_sent_again() {
    let (bench, redis, http) = (Bench::new(options()).await, Fake::named("redis"), Fake::named("http"));
    bench.put(2, 1).await;
    // It took them and lost them.
    bench
        .spool
        .settle(vec![(1, spool::Outcome::Handed("x".into())), (2, spool::Outcome::Handed("y".into()))], "redis", bench.shared.clock.now())
        .await
        .unwrap();
    *lock(&redis.down) = true;
    bench.run(&[&redis, &http], 300).await;
    assert_eq!(http.ids().len(), 0, "it may come back");
    bench.run(&[&redis, &http], 600).await;
    assert_eq!(http.ids(), ids(2));
}

/// While the sender looks, the last record comes in and the end is called: what it tells comes between its look at the queue
/// and its look at the end.
struct LastMoment {
    spool: Spool,
    stop: CancellationToken,
}

impl Recorder for LastMoment {
    fn record(&self, _events: Vec<NewEvent>) -> BoxFuture<'static, Result<Vec<Arc<Event>>, RecordError>> {
        unreachable!("the sender only emits")
    }

    fn emit(&self, _event: NewEvent) {
        if !self.stop.is_cancelled() {
            self.spool.put(vec![row(1, 1)], None, Instant::from_millis(1_000)).now_or_never().expect("works inline").unwrap();
            self.stop.cancel();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_in_at_the_last_moment_is_sent_before_the_end() {
    let (bench, fake) = (Bench::new(options()).await, Fake::named("http"));
    bench.put(1, 1).await;
    let dead = spool::Outcome::Dead { reason: "bad".into() };
    bench.spool.settle(vec![(1, dead)], "http", bench.shared.clock.now()).await.unwrap();
    let stop = CancellationToken::new();
    let recorder = LastMoment { spool: bench.spool.clone(), stop: stop.clone() };
    let transports = vec![Arc::clone(&fake) as Arc<dyn Transport>];
    let sender = sender::Sender::new(Arc::clone(&bench.shared), bench.spool.clone(), transports, Some(Arc::new(recorder)));
    tokio::time::timeout(Duration::from_mins(1), sender.run(stop)).await.expect("it ends");
    assert_eq!(fake.ids(), ["r000001"]);
}

#[tokio::test]
async fn what_happens_in_the_log_is_reported_across_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(crate::domain::clock::SystemClock);
    let log = EventLog::open_in_memory(Arc::clone(&clock)).unwrap();
    let session = SessionId::generate();
    let start =
        |turn: &str| NewEvent::of(&session, TurnEvent::Started { turn: TurnId::from(turn), parent: None, agent: None, model: "m".into() });
    let end = |turn: &str| {
        let (turn, usage) = (TurnId::from(turn), Usage::default());
        NewEvent::of(
            &session,
            TurnEvent::Finished {
                turn,
                parent: None,
                end: TurnEnd::Done,
                steps: 1,
                duration_ms: 5,
                usage,
                context_tokens: 0,
                message: None,
            },
        )
    };
    log.record(vec![start("before"), end("before")]).await.unwrap();
    let from = log.head().await.unwrap();
    let parts = |fake: &Arc<Fake>| Parts {
        log: log.clone(),
        from,
        transports: Ok(vec![Arc::clone(fake) as Arc<dyn Transport>]),
        recorder: Arc::new(log.clone()),
        secrets: Vec::new(),
    };
    let fake = Fake::named("http");
    let reports = Reports::new(options(), folder.path(), Arc::clone(&clock));
    log.record(vec![start("one")]).await.unwrap();
    reports.start(parts(&fake)).shutdown(Duration::from_secs(20)).await;
    log.record(vec![end("one"), start("two")]).await.unwrap();
    let again = Reports::new(options(), folder.path(), clock);
    again.start(parts(&fake)).shutdown(Duration::from_secs(20)).await;
    let stored = lock(&fake.stored).clone();
    let actions: Vec<Action> = stored.iter().map(|record| parsed(record).action).collect();
    assert_eq!(actions, [Action::Start, Action::Complete, Action::Start], "what was before reporting began is not reported");
    assert_eq!(stored[0].interaction_id, stored[1].interaction_id);
    assert_eq!(again.status().await.unwrap().totals.waiting, 0);
}

#[tokio::test]
async fn the_queue_of_today_s_users_is_read_once_and_its_copies_become_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = json!({"action": "interaction_start", "interaction_id": "int_1_00000000", "mcp_id": "old", "timestamp": 1.5,
                      "request_data": {"user_id": "u", "parameters": {"api_key": "hunter2"}}});
    let old = rusqlite_file(folder.path(), &data.to_string());
    let fake = Fake::named("http");
    let clock: Arc<dyn Clock> = Arc::new(crate::domain::clock::SystemClock);
    let log = EventLog::open_in_memory(Arc::clone(&clock)).unwrap();
    for _ in 0..2 {
        let reports = Reports::new(options(), folder.path(), Arc::clone(&clock));
        let parts = Parts {
            log: log.clone(),
            from: Seq(0),
            transports: Ok(vec![Arc::clone(&fake) as Arc<dyn Transport>]),
            recorder: Arc::new(log.clone()),
            secrets: Vec::new(),
        };
        let running = reports.start(parts);
        running.shutdown(Duration::from_secs(20)).await;
    }
    let stored = lock(&fake.stored).clone();
    assert_eq!(stored.len(), 1, "three copies and a row that is none");
    assert_eq!((stored[0].mcp_id.as_str(), &parsed(&stored[0]).payload["parameters"]["api_key"]), ("old", &json!("•••")));
    assert!(old.exists());
    let reports = Reports::new(options(), folder.path(), clock);
    let again = reports.import(&old, Vec::new()).await.unwrap();
    assert_eq!((again.read, again.new, again.wrong), (4, 0, 1));
}

fn rusqlite_file(folder: &Path, data: &str) -> PathBuf {
    let path = folder.join("interaction_cache.db");
    crate::store::spool::testing::old_queue(&path, &[data, data, data, "{\"no\": 1}"]);
    path
}
