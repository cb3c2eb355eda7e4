//! Decides what becomes of firings: tell, ask, or ignore, with a reason in the log.
//!
//! Firings wait in a durable queue, whoever raised them. Each is held under a lease when it begins; the decision, the entry of
//! the inbox and the notices commit together, while the lease still holds. A model is asked only where reading is
//! needed and one is able; when it is away the task's rule decides. Nothing is lost, nothing is told twice.

mod rule;
mod slots;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::ambient::judge::rule::Rule;
use crate::ambient::judge::slots::{Free, Slot};
use crate::ambient::judge::verdict::{Verdict, cap_reached, over_budget, tell};
use crate::ambient::lead::Leadership;
use crate::ambient::nudge::Nudges;
use crate::ambient::options::Options;
use crate::ambient::ports::{Prompter, Triage};
use crate::ambient::tell::{Bundle, From, Told, told};
use crate::domain::clock::{Clock, Instant};
use crate::domain::event::{EventBody, NewEvent, TaskEvent};
use crate::domain::firing::{Firing, Origin};
use crate::domain::ids::{FiringId, StreamId, TaskId};
use crate::domain::notice::InboxKind;
use crate::domain::task::{Decision, Judge as By, Judgement, KindConfig, TaskFact, TaskRow, TaskSpec};
use crate::store::tasks::{Claim, ClaimedFiring, Fence, Op, TaskFilter};
use crate::store::{Error, EventLog, Terms};

/// Events of a task that are looked through for what the person said about earlier firings.
const LESSONS_EVENTS: usize = 200;

/// What the person said that is handed to the model, the newest.
const LESSONS_MAX: usize = 10;

/// Firings that are looked at in one go.
const LOOK_MAX: usize = 64;

/// Tries that came to no end, after which the task's rule decides and no model is asked.
const TRIES_MAX: u32 = 5;

/// Tries that came to no end, after which only that is told.
const TELLS_MAX: u32 = 2 * TRIES_MAX;

/// The wait after somebody else was faster.
const CONTENDED: Duration = Duration::from_millis(50);

/// How often a commit is tried when the store is busy or full.
const COMMIT_TRIES_MAX: u32 = 6;

/// The wait after the first try; each further one waits twice as long.
const COMMIT_RETRY: Duration = Duration::from_millis(200);

/// The wait after the store failed.
const STORE_RETRY: Duration = Duration::from_secs(1);

/// What the judge works with.
#[derive(Clone)]
pub struct Deps {
    /// The log and the store.
    pub log: EventLog,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Asks a model.
    pub triage: Arc<dyn Triage>,
    /// Puts prompts to the agent.
    pub prompter: Arc<dyn Prompter>,
    /// Wakes this loop and the outbox.
    pub nudges: Nudges,
    /// Whether this process may act.
    pub lead: Arc<Leadership>,
    /// A name for this process.
    pub owner: String,
    /// What varies.
    pub options: Options,
}

/// The loop. Cheap to clone.
#[derive(Clone)]
pub struct Judge {
    deps: Deps,
}

/// A firing that is being dealt with.
struct Begun {
    slot: Slot,
    epoch: u64,
    attempt: u32,
}

impl Judge {
    /// A loop over these.
    pub fn new(deps: Deps) -> Self {
        Self { deps }
    }

    /// Judges until `stop`; what is under way then is given back and judged again later.
    pub async fn run(self, stop: CancellationToken) {
        let mut working = JoinSet::new();
        let mut begun: HashMap<FiringId, Begun> = HashMap::new();
        loop {
            let wait = self.turn(&mut working, &mut begun).await;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = working.join_next(), if !working.is_empty() => settle(&mut begun, ended),
                () = self.deps.nudges.firing_waits() => {}
                () = tokio::time::sleep(wait) => {}
            }
            while let Some(ended) = working.try_join_next() {
                settle(&mut begun, ended);
            }
        }
        working.shutdown().await;
        // What the agent did of a prompt is unknown: it keeps its claim, and is shown as interrupted.
        for (id, one) in begun.into_iter().filter(|(_, one)| one.slot == Slot::Judgement) {
            self.give_back(&id, one.epoch, one.attempt, Duration::ZERO).await;
        }
    }

    async fn turn(&self, working: &mut JoinSet<FiringId>, begun: &mut HashMap<FiringId, Begun>) -> Duration {
        let free = Free::of(&self.deps.options, begun.values().map(|one| one.slot));
        if free.is_none() {
            return self.deps.options.poll();
        }
        match self.claim(free).await {
            Ok((claimed, wait)) => {
                for (firing, slot) in claimed {
                    let (judge, id) = (self.clone(), firing.firing.firing_id.clone());
                    begun.insert(id.clone(), Begun { slot, epoch: firing.epoch, attempt: firing.attempt });
                    working.spawn(async move {
                        judge.handle(firing).await;
                        id
                    });
                }
                wait
            }
            Err(error) => {
                tracing::warn!(error = error.report(), "the judge could not ask the store");
                STORE_RETRY
            }
        }
    }

    /// Holds what can begin now, and no more: a claim counts as a try.
    async fn claim(&self, free: Free) -> Result<(Vec<(ClaimedFiring, Slot)>, Duration), Error> {
        let now = self.deps.clock.now();
        let poll = self.deps.options.poll();
        let due = self.deps.log.tasks().next_firing_at().await?;
        if due.is_none_or(|due| due > now) {
            let idle = self.deps.options.idle(self.deps.nudges.told());
            return Ok((Vec::new(), due.map_or(idle, |due| due.since(now).clamp(Duration::from_millis(50), poll))));
        }
        if let Err(until) = self.deps.lead.take(now).await? {
            return Ok((Vec::new(), until.since(now).clamp(Duration::from_millis(200), poll)));
        }
        let wanted = self.pick(now, free).await?;
        if wanted.is_empty() {
            // What is due waits for a place: the end of what has it wakes the loop.
            return Ok((Vec::new(), poll));
        }
        let claim = Claim { owner: self.deps.owner.clone(), now, lease: self.deps.options.lease(), limit: wanted.len() };
        let claimed = self.deps.log.tasks().claim_firings(claim, wanted.iter().map(|(id, _)| id.clone()).collect()).await?;
        let slot = |id: &FiringId| wanted.iter().find(|(wanted, _)| wanted == id).map_or(Slot::Judgement, |(_, slot)| *slot);
        let claimed: Vec<_> = claimed.into_iter().map(|one| (slot(&one.firing.firing_id), one)).map(|(slot, one)| (one, slot)).collect();
        // Where others were faster, there may be more.
        let wait = if claimed.is_empty() { CONTENDED } else { poll };
        Ok((claimed, wait))
    }

    /// The most urgent firings that there is a place for. The look ends where the places for judgements do: a long queue is
    /// not read through for a prompt that may stand in it, it comes to the front soon enough.
    async fn pick(&self, now: Instant, mut free: Free) -> Result<Vec<(FiringId, Slot)>, Error> {
        let mut wanted = Vec::new();
        let mut slots = HashMap::new();
        let mut skip = 0;
        loop {
            let due = self.deps.log.tasks().due_firings(now, LOOK_MAX, skip).await?;
            skip += due.len();
            let last = due.len() < LOOK_MAX;
            for firing in due {
                let slot = self.slot(&firing, &mut slots).await?;
                let had = free.has(Slot::Judgement);
                if free.take(slot) {
                    wanted.push((firing.firing_id, slot));
                }
                if free.is_none() || (had && !free.has(Slot::Judgement)) {
                    return Ok(wanted);
                }
            }
            if last || !free.has(Slot::Judgement) {
                return Ok(wanted);
            }
        }
    }

    /// Which place a firing needs; `known` spares a look at a task whose reminder was seen just now.
    async fn slot(&self, firing: &Firing, known: &mut HashMap<String, Slot>) -> Result<Slot, Error> {
        let task = &firing.feedback.task_id;
        let reminds = firing.origin == Origin::Task && firing.feedback.event_type == "scheduled_trigger";
        if let Some(slot) = known.get(task).filter(|_| reminds) {
            return Ok(*slot);
        }
        let row = if reminds { self.row(task).await? } else { None };
        let rule = rule::rule(row.as_ref().map(|row| &row.spec), firing, false, false);
        let slot = if matches!(rule, Rule::Prompt { .. }) { Slot::Prompt } else { Slot::Judgement };
        if reminds {
            known.insert(task.clone(), slot);
        }
        Ok(slot)
    }

    /// Deals with one firing, whatever happens on the way.
    pub(super) async fn handle(&self, claimed: ClaimedFiring) {
        let (id, epoch, attempt) = (claimed.firing.firing_id.clone(), claimed.epoch, claimed.attempt);
        let kept = AssertUnwindSafe(self.judge(&claimed)).catch_unwind();
        let outcome = tokio::select! {
            outcome = kept => outcome,
            () = self.keep(&id, epoch) => return tracing::warn!(firing = %id, "a judgement lost its lease and is given up"),
        };
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(Failed::Reading(error))) => {
                tracing::warn!(firing = %id, error = error.report(), "a judgement could not begin; it is tried again");
                self.give_back(&id, epoch, attempt, STORE_RETRY).await;
            }
            Ok(Err(Failed::Writing(error))) if error.is_fenced() => tracing::info!(firing = %id, "judged by somebody else"),
            Ok(Err(Failed::Writing(error))) => {
                tracing::warn!(firing = %id, error = error.report(), "a judgement could not be recorded; it is tried again");
            }
            Err(_) => tracing::error!(firing = %id, "a judgement broke off because of a bug; it is tried again"),
        }
    }

    /// Lets a firing go that has had no effect: this try does not count.
    async fn give_back(&self, id: &FiringId, epoch: u64, attempt: u32, wait: Duration) {
        let op = Op::FiringLater { firing_id: id.clone(), at: self.deps.clock.now().plus(wait), attempts: attempt.saturating_sub(1) };
        let terms = Terms { fences: vec![Fence::Firing(id.clone(), epoch)], ops: vec![op], ..Terms::default() };
        match self.deps.log.commit(Vec::new(), terms).await {
            Ok(_) => {}
            // It was dealt with in its last moment, or is somebody else's.
            Err(error) if error.is_fenced() => {}
            Err(error) => tracing::warn!(firing = %id, error = error.report(), "a firing could not be given back; its lease lapses"),
        }
    }

    /// Holds the firing for as long as it takes; ends when it is lost.
    async fn keep(&self, id: &FiringId, epoch: u64) {
        let lease = self.deps.options.lease();
        loop {
            tokio::time::sleep(lease / 3).await;
            let claim = Claim { owner: self.deps.owner.clone(), now: self.deps.clock.now(), lease, limit: 1 };
            match self.deps.log.tasks().renew(claim, Fence::Firing(id.clone(), epoch)).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => tracing::warn!(firing = %id, error = error.report(), "could not renew a lease"),
            }
        }
    }

    async fn judge(&self, claimed: &ClaimedFiring) -> Result<(), Failed> {
        let firing = &claimed.firing;
        // Another program may name a task of ours: it does not get the task's trust, budget or channel by that.
        let row = if firing.origin == Origin::Task { self.row(&firing.feedback.task_id).await.map_err(Failed::Reading)? } else { None };
        let spec = row.as_ref().map(|row| &row.spec);
        let clock = tokio::time::Instant::now();
        let rule = rule::rule(spec, firing, self.deps.triage.is_able(), over_budget(row.as_ref()));
        let mut verdict = match rule {
            Rule::Decided { decision, reason } => Verdict::plain(decision, By::Rule, reason),
            Rule::Fallback { decision, reason } => Verdict::plain(decision, By::Fallback, reason),
            Rule::Ask { otherwise } if claimed.attempt > TRIES_MAX => {
                // The program may have ended over it each time: no model is asked again.
                let reason = format!("{TRIES_MAX} tries to judge it came to no end; the task's rule decides");
                Verdict::plain(otherwise, By::Fallback, reason)
            }
            Rule::Ask { otherwise } => self.ask(row.as_ref(), claimed, otherwise).await.map_err(Failed::Reading)?,
            Rule::Prompt { title, prompt } if claimed.attempt > 1 => {
                let about = if firing.origin == Origin::Inbox { &title } else { &prompt };
                Verdict { title: answer_title(firing, &title), ..Verdict::interrupted(about) }
            }
            Rule::Prompt { title, prompt } => {
                let verdict = self.prompt(title.clone(), prompt).await;
                Verdict { title: answer_title(firing, &title), ..verdict }
            }
        };
        if firing.feedback.event_type == "daily_news_digest" && verdict.by == By::Model {
            // The model sums a digest up; whether there is one is not its to decide.
            (verdict.decision, verdict.kind) = (Decision::Notify, InboxKind::Report);
        }
        verdict.duration_ms = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.write(claimed, row, verdict).await.map_err(Failed::Writing)
    }

    async fn row(&self, task_id: &str) -> Result<Option<TaskRow>, Error> {
        let filter = TaskFilter { task_id: Some(TaskId::new(task_id)), limit: Some(1), ..TaskFilter::default() };
        Ok(self.deps.log.tasks().tasks(filter).await?.into_iter().next())
    }

    async fn ask(&self, row: Option<&TaskRow>, claimed: &ClaimedFiring, otherwise: Decision) -> Result<Verdict, Error> {
        let lessons = match row {
            Some(row) => self.lessons(&row.spec.task_id).await?,
            None => Vec::new(),
        };
        let asked = self.deps.triage.judge(row.map(|row| row.spec.clone()), claimed.firing.clone(), lessons);
        let limit = self.deps.options.judge_timeout();
        let failed = match tokio::time::timeout(limit, asked).await {
            Ok(Ok(opinion)) => return Ok(Verdict::of(opinion)),
            Ok(Err(reason)) => reason,
            Err(_) => format!("no answer within {} s", limit.as_secs()),
        };
        Ok(Verdict::plain(otherwise, By::Fallback, format!("the model could not judge ({failed}); the task's rule decides")))
    }

    /// What the person said about earlier firings of this task, newest first.
    async fn lessons(&self, task_id: &TaskId) -> Result<Vec<String>, Error> {
        let events = self.deps.log.tasks().stream_events(StreamId::task(task_id), LESSONS_EVENTS).await?;
        let said = events.iter().rev().filter_map(|event| match &event.body {
            EventBody::TaskEvent(TaskEvent { fact: TaskFact::FeedbackGiven { fewer, note, .. }, .. }) => {
                Some(format!("{} like this: {note}", if *fewer { "fewer" } else { "more" }))
            }
            _ => None,
        });
        Ok(said.take(LESSONS_MAX).collect())
    }

    async fn prompt(&self, title: String, prompt: String) -> Verdict {
        let limit = self.deps.options.prompt_timeout();
        if let Ok(answered) = tokio::time::timeout(limit, self.deps.prompter.run(title, prompt)).await {
            Verdict::answered(answered)
        } else {
            let reason = format!("the agent did not finish within {} s (`tasks.prompt_timeout_seconds`)", limit.as_secs());
            Verdict { kind: InboxKind::Trouble, text: Some(reason.clone()), ..Verdict::plain(Decision::Ask, By::Rule, reason) }
        }
    }

    /// Commits the decision and all that follows from it.
    async fn write(&self, claimed: &ClaimedFiring, row: Option<TaskRow>, verdict: Verdict) -> Result<(), Error> {
        let now = self.deps.clock.now();
        let firing = &claimed.firing;
        let spec = row.as_ref().map(|row| &row.spec);
        let stream = spec.map_or_else(|| TaskId::new(&firing.feedback.task_id), |spec| spec.task_id.clone());
        let about = spec.map(|spec| &spec.task_id).or(Some(&stream).filter(|_| answers_for_task(firing)));
        let from = From { task: about, firing: Some(&firing.firing_id), simulated: firing.origin == Origin::Simulation };
        let bundle = if claimed.attempt > TELLS_MAX {
            // What it says, or the queue that it would go to, is what never came to an end.
            let mut bundle = Bundle::default();
            bundle.inbox(InboxKind::Trouble, &unjudged(firing, claimed.attempt - 1), from, now);
            bundle
        } else {
            let told = told(spec, &firing.feedback, verdict.title.as_deref(), verdict.text.as_deref());
            tell(spec, &firing.feedback, &told, &verdict, from, now)
        };
        let mut events = Vec::new();
        let mut ops = vec![Op::FiringDone(firing.firing_id.clone())];
        if let Some(answered) = &verdict.answered {
            let fact = TaskFact::PromptFinished {
                firing_id: firing.firing_id.clone(),
                session: answered.session.clone(),
                success: answered.success,
                tokens: answered.tokens,
                cost_micros: answered.cost_micros,
            };
            events.push(NewEvent::system(TaskEvent::new(stream.clone(), fact)));
        }
        let judgement = Judgement {
            firing_id: firing.firing_id.clone(),
            decision: verdict.decision,
            reason: verdict.reason.clone(),
            by: verdict.by,
            model: verdict.model.clone(),
            tokens: verdict.tokens,
            cost_micros: verdict.cost_micros,
            duration_ms: verdict.duration_ms,
            notices: bundle.notices.clone(),
            inbox: bundle.inbox.clone(),
        };
        events.push(NewEvent::system(TaskEvent::new(stream, TaskFact::FiringJudged(judgement))));
        events.extend(bundle.events);
        ops.extend(bundle.ops);
        if let Some((reason, row)) = row.as_ref().and_then(|row| cap_reached(row, &verdict).map(|reason| (reason, row))) {
            let trouble = crate::ambient::tell::trouble(&row.spec, &reason, now);
            events.push(NewEvent::system(TaskEvent::new(row.spec.task_id.clone(), TaskFact::TaskPaused { reason, by_itself: true })));
            events.extend(trouble.events);
            ops.extend(trouble.ops);
            ops.push(Op::Index(row.spec.task_id.clone()));
        }
        let notices = ops.iter().any(|op| matches!(op, Op::PutNotice { .. }));
        let fences = vec![Fence::Firing(firing.firing_id.clone(), claimed.epoch)];
        self.commit(events, Terms { fences, ops, ..Terms::default() }).await?;
        if notices {
            self.deps.nudges.notices();
        }
        Ok(())
    }

    /// A decision may have cost a model's or the agent's work: a busy store gets some time.
    async fn commit(&self, events: Vec<NewEvent>, terms: Terms) -> Result<(), Error> {
        let mut wait = COMMIT_RETRY;
        for _ in 1..COMMIT_TRIES_MAX {
            match self.deps.log.commit(events.clone(), terms.clone()).await {
                Err(error) if error.is_transient() => {
                    tracing::warn!(error = error.report(), "a judgement waits to be recorded");
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                done => return done.map(drop),
            }
        }
        self.deps.log.commit(events, terms).await.map(drop)
    }
}

/// Why a firing was not dealt with.
enum Failed {
    /// It had not begun: no model and no agent was asked.
    Reading(Error),
    /// What came of it could not be recorded.
    Writing(Error),
}

fn settle(begun: &mut HashMap<FiringId, Begun>, ended: Result<FiringId, tokio::task::JoinError>) {
    match ended {
        Ok(id) => drop(begun.remove(&id)),
        Err(error) => tracing::error!(%error, "a judgement broke off"),
    }
}

/// What is told of a firing that no try could deal with; nothing of the firing itself.
fn unjudged(firing: &Firing, tries: u32) -> Told {
    Told {
        title: "A finding could not be judged".to_owned(),
        body: format!(
            "What a task found, or an answer to it, was given up after {tries} tries to judge it (`{}`). The log file has the reasons; `wakeful config path` says where it is.",
            firing.firing_id
        ),
        short: String::new(),
        url: None,
        priority: 3,
    }
}

/// The title of what the agent said to an answer; other prompts are told under their task's words.
fn answer_title(firing: &Firing, title: &str) -> Option<String> {
    (firing.origin == Origin::Inbox).then(|| title.to_owned())
}

/// Whether it is an answer to an entry that came from a task.
fn answers_for_task(firing: &Firing) -> bool {
    firing.origin == Origin::Inbox && firing.feedback.task_id != crate::ambient::tell::NO_TASK
}

/// The prompt of a schedule that puts one to the agent.
fn prompt_of(spec: &TaskSpec) -> Option<&str> {
    match &spec.kind {
        KindConfig::Schedule(config) => config.action.as_deref().filter(|action| !action.trim().is_empty() && *action != "news_digest"),
        KindConfig::WebMonitor(_) | KindConfig::NewsDigest(_) | KindConfig::ThresholdWatch(_) => None,
    }
}
