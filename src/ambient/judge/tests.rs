//! The loop that decides about firings, on the paused clock.

use std::sync::Mutex;

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::*;
use crate::ambient::ports::{Answered, Opinion};
use crate::ambient::tell::simulation;
use crate::ambient::testing::{World, reminder, spec};
use crate::domain::firing::Firing;
use crate::domain::ids::SessionId;
use crate::domain::notice::{ChannelKind, DeliveryStatus};
use crate::domain::task::TaskStatus;

const MINUTE: Duration = Duration::from_mins(1);

type Script = dyn Fn(&Firing, usize) -> Said + Send + Sync;

/// What a scripted model says.
enum Said {
    Opinion(Opinion),
    Failure(&'static str),
    Nothing,
}

/// A model that says what a script says: about which firing, and the how manieth question.
struct Model {
    able: bool,
    script: Box<Script>,
    asked: Mutex<Vec<(Option<TaskSpec>, Firing, Vec<String>)>>,
}

impl Model {
    fn new(script: impl Fn(&Firing, usize) -> Said + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { able: true, script: Box::new(script), asked: Mutex::default() })
    }

    fn away() -> Arc<Self> {
        Arc::new(Self { able: false, script: Box::new(|_, _| Said::Failure("nobody should ask")), asked: Mutex::default() })
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Triage for Model {
    fn is_able(&self) -> bool {
        self.able
    }

    fn judge(&self, spec: Option<TaskSpec>, firing: Firing, lessons: Vec<String>) -> BoxFuture<'static, Result<Opinion, String>> {
        let mut asked = self.asked.lock().unwrap();
        let said = (self.script)(&firing, asked.len() + 1);
        asked.push((spec, firing, lessons));
        async move {
            match said {
                Said::Opinion(opinion) => Ok(opinion),
                Said::Failure(reason) => Err(reason.to_owned()),
                Said::Nothing => std::future::pending().await,
            }
        }
        .boxed()
    }
}

fn opinion(decision: Decision, tokens: u64) -> Opinion {
    Opinion {
        decision,
        reason: "it names a release".to_owned(),
        title: Some("A release".to_owned()),
        text: Some("Version 2 is out.".to_owned()),
        model: "bench/model".to_owned(),
        tokens,
        cost_micros: tokens * 10,
    }
}

/// An agent that answers after some time.
struct Agent {
    takes: Duration,
    prompts: Mutex<Vec<String>>,
}

impl Agent {
    fn new(takes: Duration) -> Arc<Self> {
        Arc::new(Self { takes, prompts: Mutex::default() })
    }

    fn prompts(&self) -> Vec<String> {
        self.prompts.lock().unwrap().clone()
    }
}

impl Prompter for Agent {
    fn run(&self, _title: String, prompt: String) -> BoxFuture<'static, Answered> {
        self.prompts.lock().unwrap().push(prompt);
        let takes = self.takes;
        async move {
            tokio::time::sleep(takes).await;
            Answered { session: SessionId::generate(), text: "Three tasks are open.".to_owned(), success: true, tokens: 70, cost_micros: 9 }
        }
        .boxed()
    }
}

impl World {
    fn judge(&self, owner: &str, model: &Arc<Model>, agent: &Arc<Agent>, options: Options) -> tokio::task::JoinHandle<()> {
        let deps = Deps {
            log: self.log.clone(),
            clock: Arc::<crate::ambient::testing::PausedClock>::clone(&self.clock),
            triage: Arc::<Model>::clone(model),
            prompter: Arc::<Agent>::clone(agent),
            nudges: self.nudges.clone(),
            lead: self.lead(owner, true),
            owner: owner.to_owned(),
            options,
        };
        tokio::spawn(Judge::new(deps).run(self.stop.clone()))
    }

    /// Queues a firing of a task; its id.
    async fn fire(&self, task: &str, event_type: &str, data: &Value, origin: Origin) -> FiringId {
        let mut firing = simulation(event_type, data.as_object().unwrap().clone(), self.now());
        firing.origin = origin;
        firing.feedback.task_id = task.to_owned();
        firing.key = format!("{task}:{}", firing.firing_id);
        let id = firing.firing_id.clone();
        self.ops(vec![Op::PutFiring { firing: Box::new(firing), at: self.now() }]).await;
        self.nudges.firings();
        id
    }

    async fn judgements(&self, task: &str) -> Vec<Judgement> {
        let judged = |fact| if let TaskFact::FiringJudged(judgement) = fact { Some(judgement) } else { None };
        self.facts(task).await.into_iter().filter_map(judged).collect()
    }

    async fn judged(&self, task: &str, count: usize) -> Vec<Judgement> {
        self.until(MINUTE * 30, "judgements", async || self.judgements(task).await.len() >= count).await;
        self.judgements(task).await
    }
}

fn page(name: &str, more: &Value) -> TaskSpec {
    let mut config = json!({"urls": ["https://a.example/"], "notification": {"method": "send_sms", "phone_number": "+1234567890"}});
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec(name, "web_monitor", &config)
}

fn changed() -> Value {
    json!({"url": "https://a.example/", "title": "A", "content": "Version 2", "keywords_found": []})
}

#[tokio::test(start_paused = true)]
async fn a_firing_is_judged_told_and_queued_in_one_step() {
    let world = World::new();
    let model = Model::new(|_, _| Said::Opinion(opinion(Decision::Notify, 120)));
    world.put_spec(&page("a", &json!({}))).await;
    let firing = world.fire("a", "web_content_change", &changed(), Origin::Task).await;
    world.judge("one", &model, &Agent::new(MINUTE), Options::default());
    let judged = world.judged("a", 1).await.remove(0);
    assert_eq!((judged.firing_id, judged.decision, judged.by, judged.tokens), (firing.clone(), Decision::Notify, By::Model, 120));
    assert_eq!((judged.reason.as_str(), judged.model.as_deref(), judged.cost_micros), ("it names a release", Some("bench/model"), 1_200));
    let inbox = world.inbox().await;
    assert_eq!((inbox.len(), inbox[0].item.kind, inbox[0].item.title.as_str()), (1, InboxKind::Told, "A release"));
    assert_eq!((judged.inbox, inbox[0].item.firing_id.clone()), (Some(inbox[0].item.item_id.clone()), Some(firing)));
    let sent = world.deliveries().await;
    assert_eq!((sent.len(), sent[0].channel, sent[0].status), (1, ChannelKind::Sms, DeliveryStatus::Queued));
    assert_eq!(judged.notices, [sent[0].notice_id.clone()]);
    assert_eq!(world.log.tasks().next_firing_at().await.unwrap(), None, "it is dealt with");
    world.pass(MINUTE * 10).await;
    assert_eq!((model.asked(), world.judgements("a").await.len(), world.deliveries().await.len()), (1, 1, 1));
    let row = world.row("a").await;
    assert_eq!((row.tokens, row.cost_micros), (120, 1_200));
}

#[tokio::test(start_paused = true)]
async fn what_is_ignored_stays_in_the_log_and_what_is_unsure_in_the_inbox() {
    let world = World::new();
    let model = Model::new(|_, count| Said::Opinion(opinion(if count == 1 { Decision::Ignore } else { Decision::Ask }, 1)));
    let mut spec = page("a", &json!({}));
    spec.callback_url = Some("https://hooks.example/feedback".to_owned());
    world.put_spec(&spec).await;
    world.judge("one", &model, &Agent::new(MINUTE), Options::default());
    world.fire("a", "web_content_change", &changed(), Origin::Task).await;
    world.judged("a", 1).await;
    assert_eq!(world.inbox().await.len(), 0);
    let sent = world.deliveries().await;
    assert_eq!((sent.len(), sent[0].channel), (1, ChannelKind::Callback), "its callback gets the feedback whatever is decided");
    world.fire("a", "web_content_change", &changed(), Origin::Task).await;
    world.judged("a", 2).await;
    let inbox = world.inbox().await;
    assert_eq!((inbox.len(), inbox[0].item.kind), (1, InboxKind::Asks));
    assert!(world.deliveries().await.iter().all(|sent| sent.channel == ChannelKind::Callback), "nobody's phone rings");
}

#[tokio::test(start_paused = true)]
async fn when_the_model_fails_or_is_silent_the_rule_decides() {
    let world = World::new();
    let model = Model::new(|_, count| if count == 1 { Said::Failure("HTTP 500") } else { Said::Nothing });
    world.put_spec(&page("a", &json!({}))).await;
    world.judge("one", &model, &Agent::new(MINUTE), Options::default());
    world.fire("a", "web_content_change", &changed(), Origin::Task).await;
    let failed = world.judged("a", 1).await.remove(0);
    assert_eq!((failed.decision, failed.by), (Decision::Notify, By::Fallback));
    assert!(failed.reason.contains("HTTP 500"), "{}", failed.reason);
    world.fire("a", "web_content_change", &changed(), Origin::Task).await;
    let silent = world.judged("a", 2).await.remove(1);
    assert_eq!((silent.decision, silent.by, silent.duration_ms), (Decision::Notify, By::Fallback, 60_000));
    assert!(silent.reason.contains("no answer within 60 s"), "{}", silent.reason);
    assert_eq!((world.inbox().await.len(), world.deliveries().await.len()), (2, 2), "nothing is lost");
}

#[tokio::test(start_paused = true)]
async fn what_the_person_said_is_handed_to_the_model() {
    let world = World::new();
    let model = Model::new(|_, _| Said::Opinion(opinion(Decision::Ask, 1)));
    world.put_spec(&page("a", &json!({}))).await;
    for n in 0..12 {
        let given =
            TaskFact::FeedbackGiven { item_id: crate::domain::ids::InboxId::generate(), fewer: n % 2 == 0, note: format!("note {n}") };
        world.log.commit(vec![NewEvent::system(TaskEvent::new(TaskId::new("a"), given))], Terms::default()).await.unwrap();
    }
    world.judge("one", &model, &Agent::new(MINUTE), Options::default());
    world.fire("a", "web_content_change", &changed(), Origin::Task).await;
    world.judged("a", 1).await;
    let asked = model.asked.lock().unwrap();
    let (spec, _, lessons) = &asked[0];
    assert_eq!(spec.as_ref().unwrap().description, "about a");
    assert_eq!((lessons.len(), lessons[0].as_str(), lessons[1].as_str()), (10, "more like this: note 11", "fewer like this: note 10"));
}

#[tokio::test(start_paused = true)]
async fn a_cap_pauses_the_task_and_spares_the_model() {
    let world = World::new();
    let model = Model::new(|_, _| Said::Opinion(opinion(Decision::Notify, 150)));
    world.put_spec(&page("a", &json!({"tokens_max": 200}))).await;
    world.judge("one", &model, &Agent::new(MINUTE), Options { parallel_judgements: 1, ..Options::default() });
    for _ in 0..3 {
        world.fire("a", "web_content_change", &changed(), Origin::Task).await;
    }
    let judged = world.judged("a", 3).await;
    assert_eq!(judged.iter().map(|one| one.by).collect::<Vec<_>>(), [By::Model, By::Model, By::Fallback]);
    assert!(judged[2].reason.contains("may cost no more"), "{}", judged[2].reason);
    assert_eq!(model.asked(), 2);
    let row = world.row("a").await;
    assert_eq!((row.status, row.tokens), (TaskStatus::Failed, 300));
    assert!(row.status_reason.unwrap().contains("its `tokens_max` is 200"));
    let pauses = world.facts("a").await.into_iter().filter(|fact| matches!(fact, TaskFact::TaskPaused { by_itself: true, .. })).count();
    let troubles = world.inbox().await.into_iter().filter(|row| row.item.kind == InboxKind::Trouble).count();
    assert_eq!((pauses, troubles, world.deliveries().await.len()), (1, 1, 4), "three firings and one trouble are told");
}

#[tokio::test(start_paused = true)]
async fn a_prompt_is_put_to_the_agent_and_its_answer_told() {
    let (world, agent) = (World::new(), Agent::new(MINUTE * 3));
    let mut spec = reminder("a", 60);
    if let KindConfig::Schedule(config) = &mut spec.kind {
        config.action = Some("sum up my tasks".to_owned());
    }
    world.put_spec(&spec).await;
    world.judge("one", &Model::away(), &agent, Options::default());
    let firing = world.fire("a", "scheduled_trigger", &json!({}), Origin::Task).await;
    world.judged("a", 1).await;
    assert_eq!(agent.prompts(), ["sum up my tasks"], "three minutes are longer than a lease: it was held");
    let facts = world.facts("a").await;
    assert!(
        matches!(&facts[0], TaskFact::PromptFinished { firing_id, success: true, tokens: 70, cost_micros: 9, .. } if *firing_id == firing)
    );
    let inbox = world.inbox().await;
    assert_eq!((inbox.len(), inbox[0].item.kind), (1, InboxKind::Report));
    assert!(inbox[0].item.body.contains("Three tasks are open."));
    assert_eq!(world.row("a").await.tokens, 70, "counted once");
}

#[tokio::test(start_paused = true)]
async fn an_interrupted_prompt_is_not_put_again() {
    let (world, agent) = (World::new(), Agent::new(MINUTE));
    let mut spec = reminder("a", 60);
    if let KindConfig::Schedule(config) = &mut spec.kind {
        config.action = Some("pay the rent".to_owned());
    }
    world.put_spec(&spec).await;
    let firing = world.fire("a", "scheduled_trigger", &json!({}), Origin::Task).await;
    let dead = Claim { owner: "dead".into(), now: world.now(), lease: MINUTE, limit: 1 };
    assert_eq!(world.log.tasks().claim_firings(dead, vec![firing]).await.unwrap().len(), 1);
    world.judge("one", &Model::away(), &agent, Options::default());
    let judged = world.judged("a", 1).await.remove(0);
    assert_eq!(agent.prompts(), Vec::<String>::new());
    assert!(judged.reason.contains("interrupted"), "{}", judged.reason);
    let inbox = world.inbox().await;
    assert_eq!((inbox.len(), inbox[0].item.kind), (1, InboxKind::Trouble));
    assert!(inbox[0].item.body.contains("pay the rent"));
}

#[tokio::test(start_paused = true)]
async fn an_agent_without_end_is_given_up() {
    let (world, agent) = (World::new(), Agent::new(MINUTE * 60));
    let mut spec = reminder("a", 60);
    if let KindConfig::Schedule(config) = &mut spec.kind {
        config.action = Some("think".to_owned());
    }
    world.put_spec(&spec).await;
    world.judge("one", &Model::away(), &agent, Options::default());
    world.fire("a", "scheduled_trigger", &json!({}), Origin::Task).await;
    let judged = world.judged("a", 1).await.remove(0);
    assert_eq!(judged.duration_ms, 600_000);
    assert!(judged.reason.contains("tasks.prompt_timeout_seconds"), "{}", judged.reason);
    assert_eq!(world.inbox().await[0].item.kind, InboxKind::Trouble);
}

#[tokio::test(start_paused = true)]
async fn a_simulated_firing_tells_nobody_outside() {
    let world = World::new();
    world.judge("one", &Model::away(), &Agent::new(MINUTE), Options::default());
    world
        .fire("simulated-threshold_reached", "threshold_reached", &json!({"metric": "m", "value": 2, "threshold": 1}), Origin::Simulation)
        .await;
    world.judged("simulated-threshold_reached", 1).await;
    let inbox = world.inbox().await;
    assert_eq!((inbox.len(), inbox[0].item.simulated), (1, true));
    let queued = world.deliveries().await.remove(0);
    let notice = world.log.tasks().notice(queued.notice_id).await.unwrap().unwrap();
    assert!(notice.simulated, "it is only shown");
}

#[tokio::test(start_paused = true)]
async fn two_judges_decide_each_firing_once() {
    let world = World::new();
    let model = Model::new(|_, _| Said::Opinion(opinion(Decision::Notify, 1)));
    world.put_spec(&page("a", &json!({}))).await;
    for _ in 0..40 {
        world.fire("a", "web_content_change", &changed(), Origin::Task).await;
    }
    for owner in ["one", "two"] {
        world.judge(owner, &model, &Agent::new(MINUTE), Options::default());
    }
    let judged = world.judged("a", 40).await;
    world.pass(MINUTE * 5).await;
    let firings: std::collections::HashSet<_> = judged.iter().map(|one| one.firing_id.clone()).collect();
    assert_eq!((firings.len(), world.judgements("a").await.len(), model.asked(), world.deliveries().await.len()), (40, 40, 40, 40));
}

#[tokio::test(start_paused = true)]
async fn a_judgement_whose_lease_was_lost_takes_no_effect() {
    let world = World::new();
    world.put_spec(&page("a", &json!({"judge": "always"}))).await;
    let firing = world.fire("a", "web_content_change", &changed(), Origin::Task).await;
    let frozen = Claim { owner: "frozen".into(), now: world.now(), lease: MINUTE, limit: 1 };
    let held = world.log.tasks().claim_firings(frozen, vec![firing]).await.unwrap().remove(0);
    world.pass(MINUTE * 2).await;
    world.judge("one", &Model::away(), &Agent::new(MINUTE), Options::default());
    world.judged("a", 1).await;
    let deps = Deps {
        log: world.log.clone(),
        clock: Arc::<crate::ambient::testing::PausedClock>::clone(&world.clock),
        triage: Model::away(),
        prompter: Agent::new(MINUTE),
        nudges: world.nudges.clone(),
        lead: world.lead("frozen", true),
        owner: "frozen".to_owned(),
        options: Options::default(),
    };
    Judge::new(deps).handle(held).await;
    assert_eq!((world.judgements("a").await.len(), world.inbox().await.len(), world.deliveries().await.len()), (1, 1, 1));
}

fn prompting(name: &str, prompt: &str) -> TaskSpec {
    let mut spec = reminder(name, 60);
    if let KindConfig::Schedule(config) = &mut spec.kind {
        config.action = Some(prompt.to_owned());
    }
    spec
}

/// Somebody holds the firing and dies, so many times.
async fn dies_over(world: &World, firing: &FiringId, times: usize) {
    for _ in 0..times {
        let dead = Claim { owner: "dead".into(), now: world.now(), lease: MINUTE, limit: 1 };
        assert_eq!(world.log.tasks().claim_firings(dead, vec![firing.clone()]).await.unwrap().len(), 1);
        world.pass(MINUTE).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_firing_that_ends_the_program_each_time_is_decided_by_the_rule() {
    let world = World::new();
    let model = Model::new(|_, _| Said::Opinion(opinion(Decision::Ignore, 1)));
    world.put_spec(&page("a", &json!({}))).await;
    let firing = world.fire("a", "web_content_change", &changed(), Origin::Task).await;
    dies_over(&world, &firing, 5).await;
    world.judge("one", &model, &Agent::new(MINUTE), Options::default());
    let judged = world.judged("a", 1).await.remove(0);
    assert_eq!((judged.decision, judged.by, model.asked()), (Decision::Notify, By::Fallback, 0));
    assert!(judged.reason.contains("5 tries"), "{}", judged.reason);
    assert_eq!(world.deliveries().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_firing_that_cannot_even_be_told_ends_in_a_plain_entry() {
    let world = World::new();
    world.put_spec(&page("a", &json!({}))).await;
    let firing = world.fire("a", "web_content_change", &changed(), Origin::Task).await;
    dies_over(&world, &firing, 10).await;
    world.judge("one", &Model::away(), &Agent::new(MINUTE), Options::default());
    world.judged("a", 1).await;
    let inbox = world.inbox().await;
    assert_eq!((inbox.len(), inbox[0].item.kind, world.deliveries().await.len()), (1, InboxKind::Trouble, 0));
    assert!(inbox[0].item.body.contains(firing.as_str()), "{}", inbox[0].item.body);
}

#[tokio::test(start_paused = true)]
async fn an_urgent_firing_does_not_wait_behind_prompts() {
    let (world, agent) = (World::new(), Agent::new(MINUTE * 5));
    for n in 0..70 {
        let name = format!("p{n}");
        world.put_spec(&prompting(&name, "think")).await;
        world.fire(&name, "scheduled_trigger", &json!({}), Origin::Task).await;
    }
    world.put_spec(&reminder("r", 60)).await;
    world.put_spec(&page("a", &json!({"judge": "always"}))).await;
    world.judge("one", &Model::away(), &agent, Options::default());
    world.until(MINUTE, "two prompts are under way", async || agent.prompts().len() == 2).await;
    // A reminder is no more urgent than the prompts before it, and waits for none of them either.
    world.fire("r", "scheduled_trigger", &json!({}), Origin::Task).await;
    world.fire("a", "web_content_change", &changed(), Origin::Task).await;
    world.pass(Duration::from_secs(5)).await;
    assert_eq!((world.judgements("a").await.len(), world.judgements("r").await.len(), agent.prompts().len()), (1, 1, 2));
    world.pass(MINUTE * 11).await;
    assert_eq!(agent.prompts().len(), 6, "two at a time");
}

#[tokio::test(start_paused = true)]
async fn at_the_end_what_is_judged_is_given_back() {
    let world = World::new();
    let model = Model::new(|_, _| Said::Nothing);
    world.put_spec(&page("a", &json!({}))).await;
    let firing = world.fire("a", "web_content_change", &changed(), Origin::Task).await;
    let running = world.judge("one", &model, &Agent::new(MINUTE), Options::default());
    world.until(MINUTE, "a question", async || model.asked() == 1).await;
    world.stop.cancel();
    running.await.unwrap();
    let claim = Claim { owner: "two".into(), now: world.now(), lease: MINUTE, limit: 1 };
    let held = world.log.tasks().claim_firings(claim, vec![firing]).await.unwrap();
    assert_eq!(held[0].attempt, 1, "at once, and it does not count as a try");
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_waits_for_its_place_is_not_interrupted_by_the_end() {
    let (world, agent) = (World::new(), Agent::new(MINUTE * 5));
    for name in ["a", "b", "c"] {
        world.put_spec(&prompting(name, name)).await;
        world.fire(name, "scheduled_trigger", &json!({}), Origin::Task).await;
    }
    let killed = world.judge("killed", &Model::away(), &agent, Options::default());
    world.until(MINUTE, "two prompts are under way", async || agent.prompts().len() == 2).await;
    killed.abort();
    world.judge("next", &Model::away(), &agent, Options::default());
    for name in ["a", "b", "c"] {
        world.judged(name, 1).await;
    }
    assert_eq!(agent.prompts(), ["a", "b", "c"], "each once");
    let interrupted = async |name| world.judgements(name).await[0].reason.contains("interrupted");
    assert_eq!((interrupted("a").await, interrupted("b").await, interrupted("c").await), (true, true, false));
}

/// An entry of the inbox, and a service that hears answers to it.
async fn asked(world: &World, spec: &TaskSpec) -> (crate::ambient::service::TaskService, crate::domain::ids::InboxId) {
    use crate::ambient::{attend::Attend, service};

    world.put_spec(spec).await;
    let clock: Arc<dyn Clock> = Arc::<crate::ambient::testing::PausedClock>::clone(&world.clock);
    let (channels, _) =
        crate::notify::Channels::new(&crate::notify::Options::default(), crate::net::Client::default(), Arc::clone(&clock), &|_| None)
            .unwrap();
    let service = service::TaskService::new(world.log.clone(), jiff::tz::TimeZone::UTC, world.nudges.clone(), service::Options::default());
    service.attend(Arc::new(Attend::new(world.log.clone(), clock, world.nudges.clone(), Arc::new(channels))));
    let told = Told { title: "The page changed".into(), body: "much".into(), short: String::new(), url: None, priority: 3 };
    let mut bundle = Bundle::default();
    bundle.inbox(InboxKind::Asks, &told, From { task: Some(&spec.task_id), ..From::default() }, world.now());
    let item = bundle.inbox.clone().unwrap();
    world.log.commit(bundle.events, Terms::default()).await.unwrap();
    (service, item)
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_worked_on_once_though_the_program_ended_after_it() {
    use crate::domain::command::InboxCommand;

    let (world, agent) = (World::new(), Agent::new(MINUTE));
    let (service, item) = asked(&world, &page("a", &json!({}))).await;
    service.inbox_command(InboxCommand::Answer { item: item.clone(), text: "what does it cost?".into() }).await.unwrap();
    // Nothing runs: the program ended in this moment. The next start finds it.
    world.judge("one", &Model::away(), &agent, Options::default());
    world.until(MINUTE * 5, "the agent's answer", async || world.inbox().await.len() == 2).await;
    let prompts = agent.prompts();
    assert_eq!(prompts.len(), 1);
    assert!(prompts[0].starts_with("what does it cost?") && prompts[0].contains("The page changed"), "{}", prompts[0]);
    let entry = world.inbox().await.into_iter().find(|row| row.item.item_id != item).unwrap().item;
    assert_eq!(
        (entry.kind, entry.title.as_str(), entry.body.as_str()),
        (InboxKind::Report, "Re: The page changed", "Three tasks are open.")
    );
    assert_eq!(entry.task_id, Some(TaskId::new("a")));
    world.pass(MINUTE * 10).await;
    assert_eq!((agent.prompts().len(), world.deliveries().await.len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn yes_tells_in_the_same_step_and_no_tells_nobody() {
    use crate::domain::command::InboxCommand;

    for (word, told) in [("yes", 1), ("no", 0)] {
        let world = World::new();
        let (service, item) = asked(&world, &page("a", &json!({}))).await;
        service.inbox_command(InboxCommand::Answer { item, text: word.into() }).await.unwrap();
        assert_eq!((world.deliveries().await.len(), world.log.tasks().next_firing_at().await.unwrap()), (told, None), "{word}");
    }
}
