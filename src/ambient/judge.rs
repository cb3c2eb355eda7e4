//! Decides what becomes of firings: tell, ask, or ignore, with a reason in the log.
//!
//! Firings wait in a durable queue, whoever raised them. One at a time is held under a lease; the decision, the entry of
//! the inbox and the notices commit together, while the lease still holds. A model is asked only where reading is
//! needed and one is able; when it is away the task's rule decides. Nothing is lost, nothing is told twice.

mod rule;
#[cfg(test)]
mod tests;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::ambient::judge::rule::Rule;
use crate::ambient::lead::Leadership;
use crate::ambient::nudge::Nudges;
use crate::ambient::options::Options;
use crate::ambient::ports::{Answered, Opinion, Prompter, Triage};
use crate::ambient::tell::{Bundle, From, Told, told};
use crate::domain::clock::{Clock, Instant};
use crate::domain::event::{EventBody, NewEvent, TaskEvent};
use crate::domain::firing::{Feedback, Origin};
use crate::domain::ids::{FiringId, StreamId, TaskId};
use crate::domain::notice::InboxKind;
use crate::domain::task::{
    Decision, Judge as By, Judgement, KindConfig, Notification, NotifyMethod, TaskFact, TaskRow, TaskSpec, TaskStatus,
};
use crate::store::tasks::{Claim, ClaimedFiring, Fence, Op, TaskFilter};
use crate::store::{Error, EventLog, Terms};

/// Events of a task that are looked through for what the person said about earlier firings.
const LESSONS_EVENTS: usize = 200;

/// What the person said that is handed to the model, the newest.
const LESSONS_MAX: usize = 10;

/// Tries after which a firing that cannot be judged goes to the inbox as it is.
const TRIES_MAX: u32 = 5;

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

/// The loop.
#[derive(Clone)]
pub struct Judge {
    deps: Deps,
}

impl Judge {
    /// A loop over these.
    pub fn new(deps: Deps) -> Self {
        Self { deps }
    }

    /// Judges until `stop`; what is under way then is judged again later.
    pub async fn run(self, stop: CancellationToken) {
        let mut working = JoinSet::new();
        loop {
            let wait = self.turn(&mut working).await;
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = working.join_next(), if !working.is_empty() => {}
                () = self.deps.nudges.firing_waits() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
        working.shutdown().await;
    }

    async fn turn(&self, working: &mut JoinSet<()>) -> Duration {
        let free = self.deps.options.parallel_judgements.max(1).saturating_sub(working.len());
        if free == 0 {
            return self.deps.options.poll();
        }
        match self.claim(free).await {
            Ok((claimed, wait)) => {
                for firing in claimed {
                    let judge = self.clone();
                    working.spawn(async move { judge.handle(firing).await });
                }
                wait
            }
            Err(error) => {
                tracing::warn!(error = error.report(), "the judge could not ask the store");
                STORE_RETRY
            }
        }
    }

    async fn claim(&self, limit: usize) -> Result<(Vec<ClaimedFiring>, Duration), Error> {
        let now = self.deps.clock.now();
        let poll = self.deps.options.poll();
        let Some(due) = self.deps.log.tasks().next_firing_at().await?.filter(|due| *due <= now) else {
            let due = self.deps.log.tasks().next_firing_at().await?;
            return Ok((Vec::new(), due.map_or(poll, |due| due.since(now)).clamp(Duration::from_millis(50), poll)));
        };
        if let Err(until) = self.deps.lead.take(now).await? {
            return Ok((Vec::new(), until.since(now).clamp(Duration::from_millis(200), poll)));
        }
        tracing::debug!(%due, "firings wait");
        let claim = Claim { owner: self.deps.owner.clone(), now, lease: self.deps.options.lease(), limit };
        let due = self.deps.log.tasks().due_firings(now, limit, 0).await?;
        let wanted = due.into_iter().map(|firing| firing.firing_id).collect();
        Ok((self.deps.log.tasks().claim_firings(claim, wanted).await?, poll))
    }

    /// Judges one firing, whatever happens on the way.
    pub(super) async fn handle(&self, claimed: ClaimedFiring) {
        let (id, epoch) = (claimed.firing.firing_id.clone(), claimed.epoch);
        let kept = AssertUnwindSafe(self.judge(&claimed)).catch_unwind();
        let outcome = tokio::select! {
            outcome = kept => outcome,
            () = self.keep(&id, epoch) => return tracing::warn!(firing = %id, "a judgement lost its lease and is given up"),
        };
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.is_fenced() => tracing::info!(firing = %id, "judged by somebody else"),
            Ok(Err(error)) => tracing::warn!(firing = %id, error = error.report(), "a judgement could not be recorded; it is tried again"),
            Err(_) => tracing::error!(firing = %id, "a judgement broke off because of a bug; it is tried again"),
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

    async fn judge(&self, claimed: &ClaimedFiring) -> Result<(), Error> {
        let firing = &claimed.firing;
        // Another program may name a task of ours: it does not get the task's trust, budget or channel by that.
        let row = if firing.origin == Origin::Task { self.row(&firing.feedback.task_id).await? } else { None };
        let spec = row.as_ref().map(|row| &row.spec);
        let clock = tokio::time::Instant::now();
        let rule = rule::rule(spec, firing, self.deps.triage.is_able(), over_budget(row.as_ref()));
        let mut verdict = match rule {
            _ if claimed.attempt > TRIES_MAX => {
                Verdict::plain(Decision::Ask, By::Fallback, format!("given up after {TRIES_MAX} tries; the log has the reasons"))
            }
            Rule::Decided { decision, reason } => Verdict::plain(decision, By::Rule, reason),
            Rule::Fallback { decision, reason } => Verdict::plain(decision, By::Fallback, reason),
            Rule::Ask { otherwise } => self.ask(row.as_ref(), claimed, otherwise).await?,
            Rule::Prompt { prompt } if claimed.attempt > 1 => Verdict::interrupted(&prompt),
            Rule::Prompt { prompt } => self.prompt(spec, &prompt).await,
        };
        if firing.feedback.event_type == "daily_news_digest" && verdict.by == By::Model {
            // The model sums a digest up; whether there is one is not its to decide.
            (verdict.decision, verdict.kind) = (Decision::Notify, InboxKind::Report);
        }
        verdict.duration_ms = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.write(claimed, row, verdict).await
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

    async fn prompt(&self, spec: Option<&TaskSpec>, prompt: &str) -> Verdict {
        let title = spec.map_or_else(|| prompt.to_owned(), |spec| spec.description.clone());
        let limit = self.deps.options.prompt_timeout();
        if let Ok(answered) = tokio::time::timeout(limit, self.deps.prompter.run(title, prompt.to_owned())).await {
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
        let from =
            From { task: spec.map(|spec| &spec.task_id), firing: Some(&firing.firing_id), simulated: firing.origin == Origin::Simulation };
        let told = told(spec, &firing.feedback, verdict.title.as_deref(), verdict.text.as_deref());
        let bundle = tell(spec, &firing.feedback, &told, &verdict, from, now);
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

/// A decision and what is told.
#[derive(Debug, Clone)]
struct Verdict {
    decision: Decision,
    by: By,
    reason: String,
    kind: InboxKind,
    title: Option<String>,
    text: Option<String>,
    model: Option<String>,
    tokens: u64,
    cost_micros: u64,
    duration_ms: u64,
    answered: Option<Answered>,
}

impl Verdict {
    fn plain(decision: Decision, by: By, reason: String) -> Self {
        let kind = if decision == Decision::Ask { InboxKind::Asks } else { InboxKind::Told };
        Self { decision, by, reason, kind, title: None, text: None, model: None, tokens: 0, cost_micros: 0, duration_ms: 0, answered: None }
    }

    fn of(opinion: Opinion) -> Self {
        Self {
            title: opinion.title,
            text: opinion.text,
            model: Some(opinion.model),
            tokens: opinion.tokens,
            cost_micros: opinion.cost_micros,
            ..Self::plain(opinion.decision, By::Model, opinion.reason)
        }
    }

    fn answered(answered: Answered) -> Self {
        let reason =
            if answered.success { "the agent answered the schedule's prompt" } else { "the agent could not answer the schedule's prompt" };
        Self {
            kind: if answered.success { InboxKind::Report } else { InboxKind::Trouble },
            text: Some(answered.text.clone()),
            // The tokens stand in `prompt_finished`.
            answered: Some(answered),
            ..Self::plain(Decision::Notify, By::Rule, reason.to_owned())
        }
    }

    /// The program ended while the agent was at it: what it did is unknown, so it is not put to it again.
    fn interrupted(prompt: &str) -> Self {
        let text = format!(
            "The program ended while the agent worked on `{prompt}`. What it had done by then is in its conversation. Run the task again if it is wanted."
        );
        Self {
            kind: InboxKind::Trouble,
            text: Some(text),
            ..Self::plain(Decision::Ask, By::Rule, "interrupted; not put to the agent again by itself".to_owned())
        }
    }
}

/// What is told, and to whom, by the decision. A firing that has a callback is posted there, whatever is decided.
fn tell(spec: Option<&TaskSpec>, feedback: &Feedback, told: &Told, verdict: &Verdict, from: From<'_>, now: Instant) -> Bundle {
    let mut bundle = Bundle::default();
    let digest = feedback.event_type == "daily_news_digest";
    let kind = if digest && verdict.kind == InboxKind::Told { InboxKind::Report } else { verdict.kind };
    if verdict.decision != Decision::Ignore {
        bundle.inbox(kind, told, from, now);
    }
    if from.simulated {
        if verdict.decision == Decision::Notify {
            bundle.notice(&simulated_receiver(), told, from, now);
        }
        return bundle;
    }
    let Some(spec) = spec else { return bundle };
    if verdict.decision == Decision::Notify
        && let Some(to) = spec.kind.common().notification.as_ref().filter(|to| to.method != NotifyMethod::None)
    {
        bundle.notice(to, told, from, now);
    }
    if let Some(url) = &spec.callback_url {
        bundle.callback(url, feedback, told, from, now);
    }
    bundle
}

/// Whom a simulated event tells: a number that belongs to nobody (555-0100 is reserved for such use), and is not dialled.
fn simulated_receiver() -> Notification {
    Notification { method: NotifyMethod::SendSms, phone_number: Some("+15555550100".to_owned()), ..Notification::default() }
}

/// Whether the task may cost no more.
fn over_budget(row: Option<&TaskRow>) -> bool {
    row.is_some_and(|row| cap(row, row.tokens, row.cost_micros).is_some())
}

/// Why the task pauses after this judgement, if it has to.
fn cap_reached(row: &TaskRow, verdict: &Verdict) -> Option<String> {
    if row.status != TaskStatus::Active {
        return None;
    }
    let (more, dearer) = verdict.answered.as_ref().map_or((0, 0), |answered| (answered.tokens, answered.cost_micros));
    cap(row, row.tokens + verdict.tokens + more, row.cost_micros + verdict.cost_micros + dearer)
}

fn cap(row: &TaskRow, tokens: u64, cost_micros: u64) -> Option<String> {
    let common = row.spec.kind.common();
    if let Some(max) = common.tokens_max.filter(|max| tokens >= *max) {
        return Some(format!("it used {tokens} tokens; its `tokens_max` is {max}"));
    }
    #[expect(clippy::cast_precision_loss, reason = "millionths of a dollar stay far below 2^53")]
    let dollars = cost_micros as f64 / 1e6;
    let max = common.cost_usd_max.filter(|max| dollars >= *max)?;
    Some(format!("it cost {dollars:.4} US dollars; its `cost_usd_max` is {max}"))
}

/// The prompt of a schedule that puts one to the agent.
fn prompt_of(spec: &TaskSpec) -> Option<&str> {
    match &spec.kind {
        KindConfig::Schedule(config) => config.action.as_deref().filter(|action| !action.trim().is_empty() && *action != "news_digest"),
        KindConfig::WebMonitor(_) | KindConfig::NewsDigest(_) | KindConfig::ThresholdWatch(_) => None,
    }
}
