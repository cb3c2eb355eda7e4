//! The loop that delivers notices, on the paused clock.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::*;
use crate::ambient::testing::{PausedClock, START, World};
use crate::domain::ids::NoticeId;
use crate::domain::notice::{ChannelKind, Delivery};
use crate::notify::{Channel, Receipt, SendError};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

type Script = dyn Fn(&Notice, usize) -> Answer + Send + Sync;

/// What a scripted channel does.
enum Answer {
    Takes,
    Fails(SendError),
    /// Takes it after so long.
    Slow(Duration),
}

/// A channel that does what a script says: with which notice, and the how manieth try of all.
struct Scripted {
    kind: ChannelKind,
    script: Box<Script>,
    tried: Mutex<Vec<(Notice, Instant)>>,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    clock: Arc<PausedClock>,
    this: std::sync::Weak<Scripted>,
}

impl Scripted {
    fn new(world: &World, kind: ChannelKind, script: impl Fn(&Notice, usize) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            kind,
            script: Box::new(script),
            tried: Mutex::default(),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            clock: Arc::<PausedClock>::clone(&world.clock),
            this: this.clone(),
        })
    }

    fn tried(&self) -> Vec<Notice> {
        self.tried.lock().unwrap().iter().map(|(notice, _)| notice.clone()).collect()
    }

    /// Seconds after the start.
    fn times(&self) -> Vec<u64> {
        self.tried.lock().unwrap().iter().map(|(_, at)| at.since(START).as_secs()).collect()
    }
}

impl Channel for Scripted {
    fn kind(&self) -> ChannelKind {
        self.kind
    }

    fn simulated(&self) -> bool {
        false
    }

    fn send(&self, notice: Notice) -> BoxFuture<'static, Result<Receipt, SendError>> {
        let answer = {
            let mut tried = self.tried.lock().unwrap();
            tried.push((notice.clone(), self.clock.now()));
            (self.script)(&notice, tried.len())
        };
        let this = self.this.upgrade().unwrap();
        async move {
            let now = this.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            this.most_at_once.fetch_max(now, Ordering::SeqCst);
            let sent = match answer {
                Answer::Fails(error) => Err(error),
                Answer::Takes => Ok(()),
                Answer::Slow(time) => {
                    tokio::time::sleep(time).await;
                    Ok(())
                }
            };
            this.at_once.fetch_sub(1, Ordering::SeqCst);
            sent.map(|()| Receipt { id: Some(format!("R-{}", notice.notice_id)), simulated: false, detail: String::new() })
        }
        .boxed()
    }
}

impl World {
    fn outbox_with(&self, owner: &str, channels: &[&Arc<Scripted>], options: Options, notify: notify::Options) -> Outbox {
        let clock: Arc<dyn Clock> = Arc::<PausedClock>::clone(&self.clock);
        let (mut built, _) = Channels::new(&notify, crate::net::Client::default(), Arc::clone(&clock), &|_| None).unwrap();
        for channel in channels {
            built = built.with(Arc::<Scripted>::clone(channel));
        }
        let (log, nudges, lead) = (self.log.clone(), self.nudges.clone(), self.lead(owner, true));
        let deps = Deps { log, clock, channels: Arc::new(built), nudges, lead, owner: owner.to_owned(), options, notify };
        Outbox::new(deps).unwrap()
    }

    fn outbox(&self, channel: &Arc<Scripted>, notify: notify::Options) -> tokio::task::JoinHandle<()> {
        tokio::spawn(self.outbox_with("one", &[channel], Options::default(), notify).run(self.stop.clone()))
    }

    async fn queue(&self, notices: Vec<Notice>) {
        let now = self.now();
        self.ops(notices.into_iter().map(|notice| Op::PutNotice { notice: Box::new(notice), at: now }).collect()).await;
        self.nudges.notices();
    }

    async fn statuses(&self) -> Vec<(DeliveryStatus, u32)> {
        self.deliveries().await.iter().map(|one| (one.status, one.attempts)).collect()
    }

    async fn settled(&self, limit: Duration) -> Vec<Delivery> {
        let open = |one: &Delivery| matches!(one.status, DeliveryStatus::Queued | DeliveryStatus::Sending);
        self.until(limit, "the end of all deliveries", async || !self.deliveries().await.iter().any(open)).await;
        self.deliveries().await
    }
}

fn options() -> notify::Options {
    notify::Options { timezone: "UTC".to_owned(), ..notify::Options::default() }
}

fn notice(name: &str, channel: ChannelKind, to: &str) -> Notice {
    Notice {
        notice_id: NoticeId::new(name),
        channel,
        to: to.to_owned(),
        title: format!("title of {name}"),
        body: format!("body of {name}"),
        url: None,
        priority: 3,
        task_id: None,
        firing_id: None,
        payload: Value::Null,
        simulated: false,
    }
}

fn sms(name: &str) -> Notice {
    notice(name, ChannelKind::Sms, "+1234567890")
}

fn webhook(name: &str) -> Notice {
    Notice { payload: json!({"title": name}), ..notice(name, ChannelKind::Webhook, "https://hooks.example/in") }
}

fn down() -> Answer {
    Answer::Fails(SendError::Down { reason: "no connection".to_owned() })
}

fn lost() -> Answer {
    Answer::Fails(SendError::Unknown { reason: "the connection broke".to_owned() })
}

#[tokio::test(start_paused = true)]
async fn a_notice_is_sent_once_and_its_receipt_kept() {
    let world = World::new();
    let channel = Scripted::new(&world, ChannelKind::Sms, |_, _| Answer::Takes);
    world.outbox(&channel, options());
    world.queue(vec![sms("a")]).await;
    let sent = world.settled(MINUTE).await.remove(0);
    assert_eq!((sent.status, sent.attempts, sent.receipt.as_deref(), sent.error), (DeliveryStatus::Sent, 1, Some("R-a"), None));
    let said = world.notifications().await;
    assert_eq!(said.len(), 1);
    assert_eq!((said[0].status, said[0].attempt, said[0].simulated, said[0].to.as_str()), (DeliveryStatus::Sent, 1, false, "+1•••7890"));
    world.pass(HOUR).await;
    assert_eq!(channel.tried(), [sms("a")]);
}

#[tokio::test(start_paused = true)]
async fn without_credentials_the_notice_is_marked_as_simulated() {
    let world = World::new();
    let other = Scripted::new(&world, ChannelKind::Ntfy, |_, _| Answer::Takes);
    world.outbox(&other, options());
    world.queue(vec![sms("a")]).await;
    let sent = world.settled(MINUTE).await.remove(0);
    assert_eq!(sent.status, DeliveryStatus::Sent);
    assert!(world.notifications().await[0].simulated);
}

#[tokio::test(start_paused = true)]
async fn a_simulated_notice_is_only_shown_whatever_the_channel_can_do() {
    let world = World::new();
    let channel = Scripted::new(&world, ChannelKind::Sms, |_, _| Answer::Takes);
    world.outbox(&channel, notify::Options { quiet_hours: vec!["11:00-14:00".to_owned()], ..options() });
    world.queue(vec![Notice { simulated: true, ..sms("a") }]).await;
    let shown = world.settled(MINUTE).await.remove(0);
    assert_eq!((shown.status, channel.tried().len()), (DeliveryStatus::Sent, 0));
    assert!(world.notifications().await[0].simulated);
}

#[tokio::test(start_paused = true)]
async fn what_is_down_is_tried_again_later_and_later() {
    let world = World::new();
    let channel = Scripted::new(&world, ChannelKind::Sms, |_, count| if count < 4 { down() } else { Answer::Takes });
    world.outbox(&channel, options());
    world.queue(vec![sms("a")]).await;
    let sent = world.settled(HOUR * 2).await.remove(0);
    assert_eq!((sent.status, sent.attempts), (DeliveryStatus::Sent, 4));
    let times = channel.times();
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (wait, own) in waits.iter().zip([30, 120, 600]) {
        assert!((own..=own + own / 10 + 2).contains(wait), "{waits:?}");
    }
    let said = world.notifications().await;
    let told: Vec<_> = said.iter().map(|one| (one.status, one.attempt, one.retry_at.is_some())).collect();
    let queued = |attempt| (DeliveryStatus::Queued, attempt, true);
    assert_eq!(told, [queued(1), queued(2), queued(3), (DeliveryStatus::Sent, 4, false)]);
    assert_eq!(said[0].error.as_deref(), Some("not sent: no connection"));
}

#[tokio::test(start_paused = true)]
async fn after_its_tries_a_notice_is_a_dead_letter_and_a_refused_one_at_once() {
    let world = World::new();
    let channel = Scripted::new(&world, ChannelKind::Sms, |notice, _| match notice.notice_id.as_str() {
        "a" => down(),
        _ => Answer::Fails(SendError::Rejected { reason: "no such number".to_owned() }),
    });
    world.outbox(&channel, notify::Options { tries_max: 3, ..options() });
    world.queue(vec![sms("a"), Notice { to: "+1999".to_owned(), ..sms("b") }]).await;
    world.settled(HOUR * 2).await;
    assert_eq!(world.statuses().await, [(DeliveryStatus::Failed, 3), (DeliveryStatus::Failed, 1)]);
    let dead = world.deliveries().await;
    assert_eq!(dead[1].error.as_deref(), Some("refused: no such number"), "shown with its reason");
    world.pass(HOUR * 24).await;
    assert_eq!(channel.tried().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_leaves_a_text_unknown_and_is_repeated_where_repeats_are_known() {
    let world = World::new();
    let text = Scripted::new(&world, ChannelKind::Sms, |_, _| lost());
    let hook = Scripted::new(&world, ChannelKind::Webhook, |_, count| if count == 1 { lost() } else { Answer::Takes });
    let back = Scripted::new(&world, ChannelKind::Callback, |_, count| if count < 3 { lost() } else { Answer::Takes });
    tokio::spawn(world.outbox_with("one", &[&text, &hook, &back], Options::default(), options()).run(world.stop.clone()));
    world.queue(vec![sms("a"), webhook("b"), notice("c", ChannelKind::Callback, "https://hooks.example/feedback")]).await;
    world.settled(HOUR).await;
    assert_eq!(world.statuses().await, [(DeliveryStatus::Unknown, 1), (DeliveryStatus::Sent, 2), (DeliveryStatus::Sent, 3)]);
    world.pass(HOUR * 24).await;
    assert_eq!(text.tried().len(), 1, "nobody's phone rings twice");
    assert_eq!(hook.tried(), [webhook("b"), webhook("b")], "the same id, so that the receiver knows it");
    assert_eq!(back.tried().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_died_while_sending_leaves_a_text_unknown() {
    let world = World::new();
    let text = Scripted::new(&world, ChannelKind::Sms, |_, _| Answer::Takes);
    let hook = Scripted::new(&world, ChannelKind::Webhook, |_, _| Answer::Takes);
    world.queue(vec![sms("a"), webhook("b")]).await;
    let dead = Claim { owner: "dead".into(), now: world.now(), lease: MINUTE, limit: 9 };
    let both = vec![NoticeId::new("a"), NoticeId::new("b")];
    assert_eq!(world.log.tasks().claim_notices(dead, both).await.unwrap().len(), 2);
    tokio::spawn(world.outbox_with("one", &[&text, &hook], Options::default(), options()).run(world.stop.clone()));
    world.settled(MINUTE * 3).await;
    assert_eq!(world.statuses().await, [(DeliveryStatus::Unknown, 1), (DeliveryStatus::Sent, 2)]);
    assert_eq!((text.tried().len(), hook.tried().len()), (0, 1));
    assert!(world.deliveries().await[0].error.as_ref().unwrap().contains("it may have arrived"));
}

#[tokio::test(start_paused = true)]
async fn quiet_hours_hold_notices_back_and_the_morning_tells_them_in_one() {
    let world = World::new();
    let channel = Scripted::new(&world, ChannelKind::Sms, |_, _| Answer::Takes);
    let night = notify::Options { quiet_hours: vec!["11:00-14:00".to_owned()], ..options() };
    world.outbox(&channel, night);
    world.queue((0..6).map(|n| sms(&format!("n{n}"))).chain([Notice { priority: 5, ..sms("urgent") }]).collect()).await;
    world.pass(MINUTE).await;
    assert_eq!(channel.tried().iter().map(|notice| notice.notice_id.to_string()).collect::<Vec<_>>(), ["urgent"], "urgent ones pass");
    let held = world.deliveries().await.remove(0);
    assert_eq!((held.status, held.attempts, held.next_at), (DeliveryStatus::Queued, 0, Some(START.plus(HOUR * 2))));
    assert_eq!(held.error.as_deref(), Some("quiet hours"));
    world.settled(HOUR * 3).await;
    let tried = channel.tried();
    assert_eq!((tried.len(), tried[1].title.as_str(), channel.times()[1]), (2, "6 notices", 7_200));
    assert!((0..6).all(|n| tried[1].body.contains(&format!("title of n{n}"))), "{}", tried[1].body);
}

#[tokio::test(start_paused = true)]
async fn many_to_one_receiver_become_one_and_programs_get_each() {
    let world = World::new();
    let text = Scripted::new(&world, ChannelKind::Sms, |_, _| Answer::Takes);
    let hook = Scripted::new(&world, ChannelKind::Webhook, |_, _| Answer::Takes);
    let other = |name: &str| Notice { to: "+4912345678".to_owned(), ..sms(name) };
    world.queue((0..5).map(|n| sms(&format!("n{n}"))).chain((0..3).map(|n| other(&format!("o{n}")))).collect()).await;
    world.queue((0..5).map(|n| webhook(&format!("w{n}"))).collect()).await;
    tokio::spawn(world.outbox_with("one", &[&text, &hook], Options::default(), options()).run(world.stop.clone()));
    let all = world.settled(MINUTE).await;
    let tried = text.tried();
    assert_eq!(tried.iter().filter(|one| one.to == "+1234567890").map(|one| one.title.clone()).collect::<Vec<_>>(), ["5 notices"]);
    assert_eq!((tried.len(), hook.tried().len()), (1 + 3, 5), "three are no crowd");
    let suppressed: Vec<_> = all.iter().filter(|one| one.status == DeliveryStatus::Suppressed).collect();
    let one = tried.iter().find(|one| one.title == "5 notices").unwrap();
    assert_eq!(suppressed.len(), 5);
    assert!(suppressed.iter().all(|row| row.receipt == Some(format!("told in {}", one.notice_id))));
}

#[tokio::test(start_paused = true)]
async fn a_crowd_of_crowds_keeps_its_titles() {
    let world = World::new();
    let text = Scripted::new(&world, ChannelKind::Sms, |_, _| Answer::Takes);
    world.queue((0..200).map(|n| sms(&format!("n{n}"))).collect()).await;
    world.outbox(&text, options());
    world.settled(HOUR * 12).await;
    let tried = text.tried();
    assert!((7..=10).contains(&tried.len()), "{}", tried.len());
    assert!(tried.iter().all(|one| one.body.contains("title of n")), "what is told names things");
}

#[tokio::test(start_paused = true)]
async fn a_rate_lets_so_many_go_and_the_rest_wait() {
    let world = World::new();
    let channel = Scripted::new(&world, ChannelKind::Webhook, |_, _| Answer::Takes);
    let slow = notify::Options { webhook: notify::WebhookOptions { per_hour: 2, ..Default::default() }, ..options() };
    world.outbox(&channel, slow);
    world.queue((0..4).map(|n| webhook(&format!("w{n}"))).collect()).await;
    world.pass(MINUTE).await;
    assert_eq!(channel.tried().len(), 2);
    let waits = world.deliveries().await.into_iter().filter(|one| one.status == DeliveryStatus::Queued).collect::<Vec<_>>();
    assert!(waits.iter().all(|one| one.attempts == 0 && one.error.as_deref() == Some("the channel's rate limit")), "{waits:?}");
    world.settled(HOUR * 3).await;
    let times = channel.times();
    assert_eq!(times.len(), 4);
    assert!(times[2] >= 1_800 && times[3] >= 3_600, "{times:?}");
    assert!(world.statuses().await.iter().all(|(status, attempts)| (*status, *attempts) == (DeliveryStatus::Sent, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_slow_receiver_delays_nobody_else_and_no_lease_is_lost() {
    let world = World::new();
    let slow = Scripted::new(&world, ChannelKind::Sms, |_, _| Answer::Slow(SECOND * 50));
    let hook = Scripted::new(&world, ChannelKind::Webhook, |_, _| Answer::Slow(SECOND * 10));
    let loops = Options { parallel_notices: 4, ..Options::default() };
    tokio::spawn(world.outbox_with("one", &[&slow, &hook], loops, options()).run(world.stop.clone()));
    world.queue((0..3).map(|n| sms(&format!("n{n}"))).chain((0..12).map(|n| webhook(&format!("w{n}")))).collect()).await;
    let all = world.settled(HOUR).await;
    assert!(all.iter().all(|one| (one.status, one.attempts) == (DeliveryStatus::Sent, 1)), "{all:?}");
    assert_eq!((slow.tried().len(), hook.tried().len()), (3, 12));
    assert_eq!(slow.most_at_once.load(Ordering::SeqCst), 1, "one after the other to one person");
    assert!(slow.most_at_once.load(Ordering::SeqCst) + hook.most_at_once.load(Ordering::SeqCst) <= 5);
    assert!(hook.times().iter().all(|at| *at <= 60), "{:?}", hook.times());
}

#[tokio::test(start_paused = true)]
async fn at_the_end_what_is_being_sent_is_waited_for_and_the_rest_goes_back() {
    let world = World::new();
    let channel = Scripted::new(&world, ChannelKind::Sms, |_, _| Answer::Slow(SECOND * 3));
    let running = world.outbox(&channel, options());
    world.queue((0..3).map(|n| sms(&format!("n{n}"))).collect()).await;
    world.until(MINUTE, "the first try", async || !channel.tried().is_empty()).await;
    world.stop.cancel();
    running.await.unwrap();
    assert_eq!(world.statuses().await, [(DeliveryStatus::Sent, 1), (DeliveryStatus::Queued, 0), (DeliveryStatus::Queued, 0)]);
    let again = Scripted::new(&world, ChannelKind::Sms, |_, _| Answer::Takes);
    tokio::spawn(world.outbox_with("two", &[&again], Options::default(), options()).run(CancellationToken::new()));
    world.settled(MINUTE).await;
    assert_eq!(again.tried().len(), 2, "at once, and none is unknown");
}

#[tokio::test(start_paused = true)]
async fn what_was_frozen_before_it_began_is_not_sent() {
    let world = World::new();
    let text = Scripted::new(&world, ChannelKind::Sms, |_, _| Answer::Takes);
    world.queue(vec![sms("a")]).await;
    let claimed_at = world.now();
    let claim = Claim { owner: "frozen".into(), now: claimed_at, lease: MINUTE, limit: 9 };
    let held = world.log.tasks().claim_notices(claim, vec![NoticeId::new("a")]).await.unwrap();
    world.pass(MINUTE * 2).await;
    world.outbox(&text, options());
    world.settled(MINUTE).await;
    let frozen = world.outbox_with("frozen", &[&text], Options::default(), options());
    frozen.sender.handle(&held[0], claimed_at).await;
    assert_eq!(world.statuses().await, [(DeliveryStatus::Unknown, 1)]);
    assert_eq!(text.tried().len(), 0, "shown as unknown, and not sent behind its back");
}

#[tokio::test(start_paused = true)]
async fn only_what_has_begun_stands_as_being_sent() {
    let world = World::new();
    let slow = Scripted::new(&world, ChannelKind::Sms, |_, _| Answer::Slow(MINUTE));
    let loops = Options { parallel_notices: 2, ..Options::default() };
    world.queue((0..9).map(|n| Notice { to: format!("+4912345{n}"), ..sms(&format!("n{n}")) }).collect()).await;
    let running = tokio::spawn(world.outbox_with("killed", &[&slow], loops, options()).run(world.stop.clone()));
    world.until(MINUTE, "two are being sent", async || slow.tried().len() == 2).await;
    running.abort();
    let statuses = world.statuses().await;
    let of = |wanted| statuses.iter().filter(|one| **one == wanted).count();
    assert_eq!((of((DeliveryStatus::Sending, 1)), of((DeliveryStatus::Queued, 0))), (2, 7));
    let after = Scripted::new(&world, ChannelKind::Sms, |_, _| Answer::Takes);
    tokio::spawn(world.outbox_with("next", &[&after], Options::default(), options()).run(world.stop.clone()));
    let ends = world.settled(MINUTE * 10).await;
    let unknown: Vec<_> = ends.iter().filter(|one| one.status == DeliveryStatus::Unknown).map(|one| one.notice_id.clone()).collect();
    assert_eq!(unknown, slow.tried().into_iter().map(|one| one.notice_id).collect::<Vec<_>>(), "those that were begun, and no other");
    assert_eq!(after.tried().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_notice_that_ends_the_program_each_time_is_given_up() {
    let world = World::new();
    let hook = Scripted::new(&world, ChannelKind::Webhook, |_, _| Answer::Slow(HOUR * 9));
    world.queue(vec![webhook("a")]).await;
    let three = notify::Options { tries_max: 3, ..options() };
    for tries in 1..=3 {
        let running =
            tokio::spawn(world.outbox_with(&format!("run {tries}"), &[&hook], Options::default(), three.clone()).run(world.stop.clone()));
        world.until(MINUTE * 5, "a try", async || hook.tried().len() == tries).await;
        running.abort();
    }
    tokio::spawn(world.outbox_with("last", &[&hook], Options::default(), three).run(world.stop.clone()));
    world.settled(MINUTE * 5).await;
    assert_eq!((world.statuses().await, hook.tried().len()), (vec![(DeliveryStatus::Unknown, 3)], 3));
    let said = world.notifications().await;
    assert!(said.iter().all(|one| one.error.as_ref().unwrap().contains("it may have arrived")), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rate_holds_after_a_restart() {
    let world = World::new();
    let hook = Scripted::new(&world, ChannelKind::Webhook, |_, _| Answer::Takes);
    let slow = || notify::Options { webhook: notify::WebhookOptions { per_hour: 2, ..Default::default() }, ..options() };
    let first = tokio::spawn(world.outbox_with("one", &[&hook], Options::default(), slow()).run(world.stop.clone()));
    world.queue((0..2).map(|n| webhook(&format!("w{n}"))).collect()).await;
    world.until(MINUTE, "two are sent", async || hook.tried().len() == 2).await;
    world.settled(MINUTE).await;
    first.abort();
    tokio::spawn(world.outbox_with("two", &[&hook], Options::default(), slow()).run(world.stop.clone()));
    world.queue((2..4).map(|n| webhook(&format!("w{n}"))).collect()).await;
    world.pass(MINUTE * 5).await;
    assert_eq!(hook.tried().len(), 2, "what went out before counts");
    world.settled(HOUR * 3).await;
    let times = hook.times();
    assert!(times[2] >= 1_800 && times[3] >= 3_600, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_long_queue_behind_a_rate_is_told_once() {
    let world = World::new();
    let hook = Scripted::new(&world, ChannelKind::Webhook, |_, _| Answer::Takes);
    let slow = notify::Options { webhook: notify::WebhookOptions { per_hour: 2, ..Default::default() }, ..options() };
    world.outbox(&hook, slow);
    world.queue((0..40).map(|n| webhook(&format!("w{n}"))).collect()).await;
    world.pass(HOUR).await;
    // One that is more urgent goes before them, and moves the others.
    world.queue(vec![Notice { priority: 5, ..webhook("urgent") }]).await;
    world.settled(HOUR * 24).await;
    let said = world.notifications().await;
    let held = said.iter().filter(|one| one.status == DeliveryStatus::Queued).count();
    let sent = said.iter().filter(|one| one.status == DeliveryStatus::Sent).count();
    assert_eq!((sent, hook.tried().len()), (41, 41));
    assert!((38..=39).contains(&held), "{held} holds are told");
    let urgent = hook.tried().iter().position(|one| one.notice_id.as_str() == "urgent").unwrap();
    assert!(urgent < 8, "it was sent as number {urgent}");
}
