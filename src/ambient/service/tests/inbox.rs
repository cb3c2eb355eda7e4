//! The inbox and the notices.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Bench, START, bench, monitor};
use crate::ambient::ports::Attendant;
use crate::ambient::service::Error;
use crate::ambient::tell::Bundle;
use crate::domain::clock::Clock as _;
use crate::domain::command::{InboxCommand, TaskCommand};
use crate::domain::event::NewEvent;
use crate::domain::ids::{InboxId, NoticeId, TaskId};
use crate::domain::notice::{ChannelKind, DeliveryStatus, InboxEvent, InboxItem, InboxKind, InboxRow, Notice};
use crate::domain::query::InboxFilter;
use crate::domain::task::{TaskFact, TaskKind};
use crate::store::Terms;
use crate::store::tasks::{Claim, Op};

/// Writes down what it is handed.
#[derive(Default)]
struct Attended(Mutex<Vec<String>>);

impl Attended {
    fn note(&self, what: String) -> BoxFuture<'_, Result<(), String>> {
        self.0.lock().unwrap().push(what);
        std::future::ready(Ok(())).boxed()
    }
}

impl Attendant for Attended {
    fn simulate(&self, kind: Option<TaskKind>) -> BoxFuture<'_, Result<(), String>> {
        self.note(format!("simulate {kind:?}"))
    }

    fn test_notice(&self, channel: Option<String>, to: Option<String>) -> BoxFuture<'_, Result<(), String>> {
        self.note(format!("test {channel:?} {to:?}"))
    }

    fn answer(&self, item: InboxRow, text: String) -> BoxFuture<'_, Result<Bundle, String>> {
        self.0.lock().unwrap().push(format!("{} answered {text}", item.item.title));
        std::future::ready(Ok(Bundle::default())).boxed()
    }
}

async fn arrives(bench: &Bench, task_id: Option<TaskId>) -> InboxId {
    let item = InboxItem {
        item_id: InboxId::generate(),
        kind: InboxKind::Asks,
        title: "The page changed".into(),
        body: "**much**".into(),
        url: None,
        task_id,
        firing_id: None,
        priority: 3,
        at: bench.clock.now(),
        simulated: false,
    };
    let id = item.item_id.clone();
    let added = NewEvent::system(InboxEvent::Added { item: Box::new(item) });
    bench.log.commit(vec![added], Terms::default()).await.unwrap();
    id
}

async fn seen(bench: &Bench) -> usize {
    bench.service.inbox(InboxFilter::default()).await.unwrap().len()
}

#[tokio::test]
async fn entries_are_read_put_to_sleep_and_archived() {
    let bench = bench();
    let id = arrives(&bench, None).await;
    let act = async |command| bench.service.inbox_command(command).await;
    let row = async || bench.service.find_item(&id.as_str()[..8]).await.unwrap();
    assert!(row().await.unread);
    act(InboxCommand::Read(id.clone())).await.unwrap();
    let head = bench.log.head().await.unwrap();
    act(InboxCommand::Read(id.clone())).await.unwrap();
    assert_eq!(bench.log.head().await.unwrap(), head, "reading twice is one event");
    assert!(!row().await.unread);
    act(InboxCommand::Unread(id.clone())).await.unwrap();
    assert!(row().await.unread);
    let until = START.plus(Duration::from_hours(1));
    act(InboxCommand::Snooze { item: id.clone(), until }).await.unwrap();
    assert_eq!(seen(&bench).await, 0);
    bench.clock.advance(Duration::from_hours(2));
    assert_eq!(seen(&bench).await, 1, "it is back");
    let past = act(InboxCommand::Snooze { item: id.clone(), until }).await.unwrap_err();
    assert!(past.to_string().contains("in the past"), "{past}");
    act(InboxCommand::Archive(id.clone())).await.unwrap();
    assert_eq!(seen(&bench).await, 0);
    assert!(matches!(act(InboxCommand::Read("nosuch".into())).await, Err(Error::NoItem { .. })));
}

#[tokio::test]
async fn an_answer_is_written_down_once_and_handed_on() {
    let bench = bench();
    let id = arrives(&bench, None).await;
    let answer = |text: &str| InboxCommand::Answer { item: id.clone(), text: text.to_owned() };
    let alone = bench.service.inbox_command(answer("yes")).await.unwrap_err();
    assert!(matches!(alone, Error::Elsewhere(_)), "nobody would hear it: {alone}");
    assert!(bench.service.find_item(id.as_str()).await.unwrap().answer.is_none());
    let attended = Arc::new(Attended::default());
    bench.service.attend(Arc::clone(&attended) as Arc<dyn Attendant>);
    assert!(bench.service.inbox_command(answer("  ")).await.is_err());
    bench.service.inbox_command(answer("yes\u{1b}[31m")).await.unwrap();
    assert!(bench.service.inbox_command(answer("no")).await.is_err());
    bench.service.command(TaskCommand::Simulate(Some(TaskKind::Schedule))).await.unwrap();
    bench.service.inbox_command(InboxCommand::TestNotice { channel: Some("sms".into()), to: None }).await.unwrap();
    let handed = attended.0.lock().unwrap().clone();
    assert_eq!(handed, ["The page changed answered yes", "simulate Some(Schedule)", "test Some(\"sms\") None"]);
}

#[tokio::test]
async fn feedback_goes_to_the_task() {
    let bench = bench();
    let task = bench.make(&monitor("watch AI")).await.spec.task_id;
    let (mine, nobodys) = (arrives(&bench, Some(task.clone())).await, arrives(&bench, None).await);
    bench.service.inbox_command(InboxCommand::Feedback { item: mine, fewer: true }).await.unwrap();
    let facts = bench.facts(&task).await;
    assert!(matches!(facts.last(), Some(TaskFact::FeedbackGiven { fewer: true, note, .. }) if note == "The page changed"), "{facts:?}");
    assert!(bench.service.inbox_command(InboxCommand::Feedback { item: nobodys, fewer: true }).await.is_err());
}

#[tokio::test]
async fn only_what_failed_or_got_lost_is_sent_again() {
    let bench = bench();
    let notice_id = NoticeId::generate();
    let notice = Notice {
        notice_id: notice_id.clone(),
        channel: ChannelKind::Sms,
        to: "+1234567890".into(),
        title: "hi".into(),
        body: String::new(),
        url: None,
        priority: 3,
        task_id: None,
        firing_id: None,
        payload: serde_json::Value::Null,
        simulated: false,
    };
    let commit = async |op| bench.log.commit(Vec::new(), Terms { ops: vec![op], ..Terms::default() }).await.unwrap();
    commit(Op::PutNotice { notice: Box::new(notice), at: START }).await;
    let resend = async || bench.service.inbox_command(InboxCommand::Resend(notice_id.clone())).await;
    assert!(resend().await.unwrap_err().to_string().contains("on its way"));
    let claim = || Claim { owner: "o".into(), now: bench.clock.now(), lease: Duration::from_mins(1), limit: 1 };
    let store = bench.log.tasks();
    let moved =
        |status| Op::NoticeMoved { notice_id: notice_id.clone(), status, next_at: None, error: Some("no credit".into()), receipt: None };
    assert_eq!(store.claim_notices(claim(), vec![notice_id.clone()]).await.unwrap().len(), 1);
    commit(moved(DeliveryStatus::Failed)).await;
    assert!(store.claim_notices(claim(), vec![notice_id.clone()]).await.unwrap().is_empty());
    resend().await.unwrap();
    assert_eq!(store.claim_notices(claim(), vec![notice_id.clone()]).await.unwrap().len(), 1);
    commit(moved(DeliveryStatus::Sent)).await;
    assert!(resend().await.unwrap_err().to_string().contains("was sent"));
}

#[tokio::test]
async fn pressed_twice_at_once_a_notice_is_sent_again_once() {
    let bench = bench();
    let notice_id = NoticeId::new("n");
    let notice: Notice = serde_json::from_value(serde_json::json!({
        "notice_id": "n", "channel": "sms", "to": "+1234567890", "title": "hi", "body": "", "url": null, "priority": 3,
        "task_id": null, "firing_id": null, "payload": null, "simulated": false,
    }))
    .unwrap();
    let failed =
        Op::NoticeMoved { notice_id: notice_id.clone(), status: DeliveryStatus::Failed, next_at: None, error: None, receipt: None };
    let ops = vec![Op::PutNotice { notice: Box::new(notice), at: START }, failed];
    bench.log.commit(Vec::new(), Terms { ops, ..Terms::default() }).await.unwrap();
    let head = bench.log.head().await.unwrap();
    let press = || bench.service.inbox_command(InboxCommand::Resend(notice_id.clone()));
    let (one, two) = tokio::join!(press(), press());
    let refused = one.err().or(two.err()).expect("one of them is too late");
    assert!(refused.to_string().contains("on its way"), "{refused}");
    assert_eq!(bench.log.head().await.unwrap().0, head.0 + 1, "one of them takes effect");
}
