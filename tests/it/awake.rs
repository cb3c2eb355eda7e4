//! Killed, frozen or doubled while tasks fire and notify: nothing that was written is lost, nothing is done twice, nothing
//! never.
//!
//! `WAKEFUL_CRASH_ROUNDS` sets the number of kills, `WAKEFUL_CRASH_SEED` repeats their instants.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wakeful::ambient::nudge::Nudges;
use wakeful::ambient::plan::Plan;
use wakeful::ambient::service::{Options as ServiceOptions, TaskService};
use wakeful::ambient::spec::Request;
use wakeful::domain::clock::{Clock, Instant as Moment, SystemClock};
use wakeful::domain::event::{Event, EventBody, TaskEvent};
use wakeful::domain::ids::{FiringId, NoticeId, Seq, StreamId, TaskId};
use wakeful::domain::notice::{ChannelKind, DeliveryStatus};
use wakeful::domain::query::{EventFilter, EventReader};
use wakeful::domain::task::{Decision, Judgement, RunFinished, TaskFact, TaskRow};
use wakeful::store::tasks::TaskFilter;
use wakeful::store::{EventLog, Options as StoreOptions, StoreUrl};

use crate::support::Home;
use crate::support::outside::Outside;

/// Kills where the environment says nothing.
const ROUNDS: u64 = 12;
/// The latest instant of a kill: the lease of the one killed before is over by then, and its successor at work.
const KILL_BEFORE: Duration = Duration::from_millis(3_500);
/// How long the program may take to be awake again. A second is the aim; test machines are busy.
const REOPEN_MAX: Duration = Duration::from_secs(5);
/// How long all work may take once nobody kills any more.
const REST_MAX: Duration = Duration::from_mins(4);
/// What the tests hold of a lease, in the config and as it is waited for.
const LEASE: Duration = Duration::from_secs(1);

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|value| value.parse().ok())
}

/// A data folder or database with tasks, the world around it, and a second look at its log.
struct Stage {
    home: Home,
    outside: Outside,
    runtime: Runtime,
    log: EventLog,
    /// What was read of the log so far: none of it may ever be missing or another one.
    read: Vec<Arc<Event>>,
    reopened: Vec<Duration>,
}

/// A running `wakeful serve --headless`.
struct Serving {
    child: Child,
    awake: mpsc::Receiver<Duration>,
}

/// How many tasks of each kind.
struct Cast {
    /// Remind every two seconds by webhook.
    hooks: usize,
    /// Remind once by text, somewhere within the span.
    texts: usize,
    /// Watch a page that changes every three seconds.
    pages: usize,
    /// Remind every three seconds by webhook and callback.
    callbacks: usize,
    /// How long they are due.
    span: Duration,
}

impl Stage {
    /// `url` is that of a database; else the log is a file.
    fn new(url: Option<&str>, cast: &Cast, random: &mut fastrand::Rng) -> Self {
        let outside = Outside::start();
        let home = Home::with("");
        let path = home.root().join("data/events.db");
        let store = url.map(|url| format!("[store]\nurl = {url:?}\n")).unwrap_or_default();
        let config = format!(
            "{store}[tasks]\nlease_seconds = {}\npoll_seconds = 1\nparallel_judgements = 8\n[notify]\ntimeout_seconds = 5\n\
             [notify.webhook]\nper_hour = 0\n[notify.callback]\nper_hour = 0\n\
             [notify.sms]\nper_hour = 0\nbase_url = {:?}\naccount_sid = \"AC1\"\nauth_token = \"token-of-the-test\"\nfrom = \"+15550001111\"\n",
            LEASE.as_secs(),
            outside.at("")
        );
        std::fs::write(home.root().join("config/config.toml"), config).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let options = StoreOptions { url: url.map(StoreUrl::new), ..StoreOptions::default() };
        let log = runtime.block_on(EventLog::connect(&options, &path, Arc::new(SystemClock))).unwrap();
        let service = TaskService::new(log.clone(), TimeZone::UTC, Nudges::default(), ServiceOptions::default());
        let requests = cast.requests(&outside, random);
        // All at once: they share transactions, and their moments are near.
        let made = futures::future::join_all(requests.iter().map(|request| service.create(request)));
        for made in runtime.block_on(made) {
            made.unwrap();
        }
        Self { home, outside, runtime, log, read: Vec::new(), reopened: Vec::new() }
    }

    fn serve(&self) -> Serving {
        let began = Instant::now();
        let mut command = self.home.wakeful(&["serve", "--headless", "--no-listen"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let (tell, awake) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines {
                if line.starts_with("awake:") {
                    let _nobody_waits = tell.send(began.elapsed());
                } else if !line.contains("no `https://`") {
                    eprintln!("serve: {line}");
                }
            }
        });
        Serving { child, awake }
    }

    /// Reads on. What was read once must stay as it was, with neither gap nor repeat.
    fn read_on(&mut self) {
        loop {
            let after = Seq(self.read.len() as u64);
            let filter = EventFilter { after: Some(after), limit: Some(2_000), ..EventFilter::default() };
            let more = self.runtime.block_on(self.log.events(filter)).unwrap();
            if more.is_empty() {
                return;
            }
            for (event, seq) in more.iter().zip(after.0 + 1..) {
                assert_eq!(event.seq, Some(Seq(seq)), "the log has no gap");
            }
            self.read.extend(more);
        }
    }

    /// Waits until there is nothing left to do.
    fn rest(&mut self) {
        let end = Instant::now() + REST_MAX;
        loop {
            self.read_on();
            let now = SystemClock.now();
            let status = self.runtime.block_on(self.log.tasks().ambient_status(None, now)).unwrap();
            if status.active_tasks == 0 && status.firings_waiting == 0 && status.notices_waiting == 0 {
                return self.read_on();
            }
            assert!(Instant::now() < end, "work without end: {status:?}");
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    fn rows(&self) -> Vec<TaskRow> {
        self.runtime.block_on(self.log.tasks().tasks(TaskFilter::default())).unwrap()
    }

    fn version(&self, stream: StreamId) -> u64 {
        self.runtime.block_on(self.log.version(stream)).unwrap()
    }
}

impl Serving {
    fn kill(mut self, stage: &mut Stage) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        stage.reopened.extend(self.awake.try_iter());
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it as Ctrl+C does.
    fn stop(mut self, stage: &mut Stage) {
        self.signal(Signal::TERM);
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
        stage.reopened.extend(self.awake.try_iter());
    }

    /// Waits until it is awake.
    fn wait(&self) -> Duration {
        self.awake.recv_timeout(Duration::from_mins(1)).expect("it wakes up")
    }
}

impl Cast {
    fn size(&self) -> usize {
        self.hooks + self.texts + self.pages + self.callbacks
    }

    fn requests(&self, outside: &Outside, random: &mut fastrand::Rng) -> Vec<Request> {
        let now = SystemClock.now();
        let end = now.plus(self.span);
        let hook = json!({"method": "webhook", "url": outside.at("/hook")});
        let make = |task_type: &str, description: String, config: Value| {
            let callback_url = description.starts_with("callback").then(|| outside.at("/hook"));
            Request { task_type: task_type.to_owned(), description, config, callback_url, ..Request::default() }
        };
        let mut requests = Vec::new();
        for n in 0..self.hooks {
            let config = json!({"type": "cron", "cron": "*/2 * * * * *", "timezone": "UTC", "end_at": end, "notification": hook});
            requests.push(make("schedule", format!("hook {n}"), config));
        }
        for n in 0..self.callbacks {
            let config = json!({"type": "interval", "minutes": 0.05, "end_at": end, "notification": hook});
            requests.push(make("schedule", format!("callback {n}"), config));
        }
        for n in 0..self.texts {
            let at = now.plus(Duration::from_secs(2) + self.span.mul_f64(random.f64()));
            let sms = json!({"method": "send_sms", "phone_number": number(n)});
            requests.push(make("schedule", format!("text {n}"), json!({"type": "once", "at": at, "notification": sms})));
        }
        for n in 0..self.pages {
            let urls = [outside.at(&format!("/page/{n}"))];
            let config = json!({"urls": urls, "check_interval_minutes": 0.05, "end_at": end, "notification": hook});
            requests.push(make("web_monitor", format!("page {n}"), config));
        }
        requests
    }
}

fn number(n: usize) -> String {
    format!("+1555{n:07}")
}

/// What the log tells, gathered.
#[derive(Default)]
struct Told {
    firings: HashSet<FiringId>,
    judged: HashMap<FiringId, Vec<Judgement>>,
    /// Channel and last words of each notice.
    notices: HashMap<NoticeId, (ChannelKind, Vec<DeliveryStatus>)>,
    /// The events of each stream.
    streams: HashMap<StreamId, u64>,
    runs: HashMap<TaskId, Vec<RunFinished>>,
    /// First, last, count.
    skipped: HashMap<TaskId, Vec<(Moment, Moment, u64)>>,
    rolled_up: HashMap<TaskId, u64>,
    /// The number of each text.
    numbers: HashMap<NoticeId, TaskId>,
}

impl Told {
    fn of(events: &[Arc<Event>]) -> Self {
        let mut told = Self::default();
        for event in events {
            match &event.body {
                EventBody::TaskEvent(TaskEvent { task_id, fact, .. }) => {
                    *told.streams.entry(StreamId::task(task_id)).or_default() += 1;
                    told.fact(task_id, fact);
                }
                EventBody::InboxEvent(_) => *told.streams.entry(StreamId::inbox()).or_default() += 1,
                EventBody::Notification(notice) => {
                    let entry = told.notices.entry(notice.notice_id.clone()).or_insert((notice.channel, Vec::new()));
                    entry.1.push(notice.status);
                    if let Some(task) = &notice.task_id {
                        told.numbers.insert(notice.notice_id.clone(), task.clone());
                    }
                }
                _ => {}
            }
        }
        told
    }

    fn fact(&mut self, task_id: &TaskId, fact: &TaskFact) {
        match fact {
            TaskFact::ScheduledTrigger(data) | TaskFact::WebContentChange(data) => {
                let id = data["firing_id"].as_str().expect("a firing has its id");
                assert!(self.firings.insert(FiringId::new(id)), "a firing is told once");
            }
            TaskFact::FiringJudged(judgement) => {
                self.judged.entry(judgement.firing_id.clone()).or_default().push(judgement.clone());
            }
            TaskFact::RunFinished(run) => self.runs.entry(task_id.clone()).or_default().push(run.clone()),
            TaskFact::OccurrencesSkipped { from, to, count, .. } => {
                self.skipped.entry(task_id.clone()).or_default().push((*from, *to, *count));
            }
            TaskFact::ChecksRolledUp(hour) => *self.rolled_up.entry(task_id.clone()).or_default() += hour.ran,
            _ => {}
        }
    }
}

fn is_over(status: DeliveryStatus) -> bool {
    !matches!(status, DeliveryStatus::Queued | DeliveryStatus::Sending)
}

/// Checks everything that may be asked of a log whose writers were killed and frozen; one line of what was there.
fn check(stage: &Stage, cast: &Cast) -> String {
    let told = Told::of(&stage.read);
    for (stream, count) in &told.streams {
        assert_eq!(stage.version(stream.clone()), *count, "the versions of {stream:?} have no gap");
    }

    // Firings and decisions: each one once.
    let judged: HashSet<_> = told.judged.keys().cloned().collect();
    assert_eq!(judged, told.firings, "each firing is judged");
    for (firing, judgements) in &told.judged {
        assert_eq!(judgements.len(), 1, "{firing:?} is judged once: {judgements:?}");
    }

    // Notices: each has one end, and stands in one decision.
    let mut of_firing: HashMap<NoticeId, FiringId> = HashMap::new();
    for judgement in told.judged.values().flatten() {
        assert_eq!(judgement.decision, Decision::Notify, "{judgement:?}");
        for notice in &judgement.notices {
            assert_eq!(of_firing.insert(notice.clone(), judgement.firing_id.clone()), None, "a notice of one decision");
        }
    }
    let (mut sent, mut unknown, mut repeats) = (0, 0, 0);
    stage.outside.with(|seen| {
        for (notice, (channel, statuses)) in &told.notices {
            let ends: Vec<_> = statuses.iter().filter(|status| is_over(**status)).collect();
            assert_eq!(ends.len(), 1, "one end: {notice:?} {channel:?} {statuses:?}");
            assert!(of_firing.contains_key(notice), "{notice:?} comes from a decision");
            let arrived = seen.posts.get(notice.as_str()).map_or(0, Vec::len);
            match (channel, ends[0]) {
                (ChannelKind::Webhook | ChannelKind::Callback, DeliveryStatus::Sent) => {
                    assert!(arrived > 0, "{notice:?} was told and never arrived");
                    (sent, repeats) = (sent + 1, repeats + arrived - 1);
                }
                (ChannelKind::Sms, DeliveryStatus::Sent) => sent += 1,
                (ChannelKind::Sms, DeliveryStatus::Unknown) => unknown += 1,
                (channel, status) => panic!("{notice:?} over {channel:?} ended as {status:?}"),
            }
        }
        for (key, bodies) in &seen.posts {
            assert!(told.notices.contains_key(&NoticeId::new(key.as_str())), "`{key}` is a notice of ours");
            assert!(bodies.iter().all(|body| *body == bodies[0]), "the same key, the same document");
        }
    });
    for (firing, judgements) in &told.judged {
        let channels: Vec<_> = judgements[0].notices.iter().map(|notice| told.notices[notice].0).collect();
        let people = channels.iter().filter(|channel| **channel != ChannelKind::Callback).count();
        assert_eq!((people, channels.len() <= 2), (1, true), "{firing:?} is told once: {channels:?}");
    }
    texts(stage, cast, &told);

    // Occurrences: each has one outcome.
    let mut occurrences = 0;
    for row in stage.rows() {
        occurrences += outcomes(&row, &told);
    }
    format!(
        "{} events, {} firings judged once, {sent} notices sent once ({repeats} repeats known by their key), {unknown} texts unknown, \
         {occurrences} occurrences with one outcome",
        stage.read.len(),
        told.firings.len()
    )
}

/// No number got two texts; one that is told as sent got one; none was forgotten.
fn texts(stage: &Stage, cast: &Cast, told: &Told) {
    let rows = stage.rows();
    let name = |task: &TaskId| rows.iter().find(|row| row.spec.task_id == *task).map(|row| row.spec.description.clone());
    let mut ends: HashMap<String, DeliveryStatus> = HashMap::new();
    for (notice, (channel, statuses)) in &told.notices {
        if *channel == ChannelKind::Sms {
            let number = number(name(&told.numbers[notice]).unwrap().trim_start_matches("text ").parse().unwrap());
            let end = *statuses.iter().find(|status| is_over(**status)).unwrap();
            assert_eq!(ends.insert(number, end), None, "one text a number");
        }
    }
    assert_eq!(ends.len(), cast.texts, "every one-shot was told or is shown as unknown");
    stage.outside.with(|seen| {
        for (number, end) in &ends {
            let got = seen.texts.get(number).copied().unwrap_or_default();
            let right = if *end == DeliveryStatus::Sent { got == 1 } else { got <= 1 };
            assert!(right, "{number} got {got} texts, told as {end:?}");
        }
        assert!(seen.texts.keys().all(|number| ends.contains_key(number)));
    });
}

/// Every planned occurrence up to the cursor has one outcome; how many there are.
fn outcomes(row: &TaskRow, told: &Told) -> u64 {
    let (id, plan) = (&row.spec.task_id, Plan::new(&row.spec, &TimeZone::UTC).unwrap());
    let work = row.work.as_ref().unwrap();
    let runs = told.runs.get(id).map(Vec::as_slice).unwrap_or_default();
    let skipped = told.skipped.get(id).map(Vec::as_slice).unwrap_or_default();
    let quiet = told.rolled_up.get(id).copied().unwrap_or_default() + work.hour.ran;
    let dues: Vec<Moment> = runs.iter().filter_map(|run| run.due).collect();
    let once: HashSet<_> = dues.iter().copied().collect();
    assert_eq!(once.len(), dues.len(), "{}: an occurrence ran twice: {dues:?}", row.spec.description);
    let mut open = Vec::new();
    let mut due = plan.next_after(row.spec.created_at);
    while let Some(at) = due.filter(|at| *at <= work.cursor) {
        let covered = skipped.iter().filter(|(from, to, _)| (*from..=*to).contains(&at)).count();
        let told = usize::from(once.contains(&at)) + covered;
        assert!(told <= 1, "{}: {at} has {told} outcomes", row.spec.description);
        open.extend((told == 0).then_some(at));
        due = plan.next_after(at);
    }
    let name = &row.spec.description;
    let made = row.spec.created_at;
    assert_eq!(open.len() as u64, quiet, "{name}, made {made}: occurrences without an event are those that were quiet: {open:?} {work:?}");
    let planned = plan.count(row.spec.created_at, work.cursor);
    let left_out: u64 = skipped.iter().map(|(_, _, count)| count).sum();
    assert_eq!(dues.len() as u64 + left_out + quiet, planned, "{}", row.spec.description);
    assert_eq!(row.counts.total() + work.hour.ran, planned, "{}: the list counts them too", row.spec.description);
    assert!(plan.next_after(work.cursor).is_none(), "{}: the last one is over", row.spec.description);
    planned
}

fn told_of(reopened: &[Duration]) -> String {
    let slowest = reopened.iter().max().copied().unwrap_or_default();
    assert!(slowest <= REOPEN_MAX, "reopened within {slowest:?}");
    let mut sorted = reopened.to_vec();
    sorted.sort();
    format!("awake again within {:.0?} (median) to {slowest:.0?}", sorted.get(sorted.len() / 2).copied().unwrap_or_default())
}

/// Kills the program in a loop, then lets it finish.
fn kill_in_a_loop(url: Option<&str>, rounds: u64) {
    let seed = from_environment("WAKEFUL_CRASH_SEED").unwrap_or_else(|| fastrand::u64(..));
    let mut random = fastrand::Rng::with_seed(seed);
    let span = KILL_BEFORE.mul_f64(0.5) * u32::try_from(rounds).unwrap();
    let cast = Cast { hooks: 60, texts: 80, pages: 30, callbacks: 30, span };
    println!("{} tasks, {rounds} kills, WAKEFUL_CRASH_SEED={seed}", cast.size());
    let mut stage = Stage::new(url, &cast, &mut random);
    for _ in 0..rounds {
        let serving = stage.serve();
        std::thread::park_timeout(KILL_BEFORE.mul_f64(random.f64()));
        serving.kill(&mut stage);
        stage.read_on();
    }
    let killed_at = stage.read.len();
    let serving = stage.serve();
    stage.reopened.push(serving.wait());
    stage.rest();
    serving.stop(&mut stage);
    stage.read_on();
    assert!(killed_at > cast.size() + 20, "kills fell into work: {killed_at} events by then");
    println!("{rounds} kills: {}; {}", check(&stage, &cast), told_of(&stage.reopened));
}

/// Two programs on one store: each is frozen for longer than its lease and thawed, one is killed.
fn two_on_one_store(url: Option<&str>) {
    let seed = from_environment("WAKEFUL_CRASH_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("two on one store, WAKEFUL_CRASH_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let cast = Cast { hooks: 30, texts: 40, pages: 10, callbacks: 10, span: Duration::from_secs(16) };
    let mut stage = Stage::new(url, &cast, &mut random);
    let (one, two) = (stage.serve(), stage.serve());
    stage.reopened.extend([one.wait(), two.wait()]);
    let frozen = LEASE * 3;
    for serving in [&one, &two, &one, &two] {
        // Some work first, at an uneven instant.
        std::thread::park_timeout(Duration::from_millis(random.u64(200..900)));
        serving.signal(Signal::STOP);
        std::thread::park_timeout(frozen);
        serving.signal(Signal::CONT);
        stage.read_on();
    }
    one.kill(&mut stage);
    stage.rest();
    two.stop(&mut stage);
    stage.read_on();
    println!("two on one store: {}; {}", check(&stage, &cast), told_of(&stage.reopened));
}

fn rounds(default: u64) -> u64 {
    from_environment("WAKEFUL_CRASH_ROUNDS").unwrap_or(default)
}

#[test]
fn killed_at_any_instant_every_firing_is_told_once() {
    kill_in_a_loop(None, rounds(ROUNDS));
}

#[test]
fn frozen_and_thawed_beside_another_nothing_is_done_twice() {
    two_on_one_store(None);
}

#[cfg(feature = "postgres")]
#[test]
fn killed_at_any_instant_every_firing_is_told_once_on_postgres() {
    let server = crate::postgres::server::Server::start();
    kill_in_a_loop(Some(&server.url("crash", "")), rounds(ROUNDS / 2));
}

#[cfg(feature = "postgres")]
#[test]
fn frozen_and_thawed_beside_another_nothing_is_done_twice_on_postgres() {
    let server = crate::postgres::server::Server::start();
    two_on_one_store(Some(&server.url("frozen", "")));
}
