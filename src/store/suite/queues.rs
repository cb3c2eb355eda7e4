//! What every store must do for queues, the inbox, blobs and leases.

use crate::domain::event::NewEvent;
use crate::domain::ids::{FiringId, InboxId, NoticeId, StreamId};
use crate::domain::notice::{ChannelKind, DeliveryStatus, InboxEvent, InboxItem, InboxKind, InboxRow, Notice};
use crate::domain::query::InboxFilter;
use crate::domain::task::TaskFact;
use crate::store::suite::tasks::{Store, at, claim, created, fact, firing, id, make, monitor, notice, ops, paused};
use crate::store::suite::{batch, seqs};
use crate::store::tasks::{
    BLOB_BYTES_MAX, Blob, Claim, ClaimedFiring, ClaimedNotice, DueNotice, FIRINGS_MAX, Fence, LEAD, NOTICES_MAX, Op,
};
use crate::store::{Batch, Error};

fn queue(name: &str, key: &str, priority: u8, not_before: i64) -> Op {
    Op::PutFiring { firing: Box::new(firing(name, key, priority)), at: at(not_before) }
}

fn tell(name: &str, priority: u8, not_before: i64) -> Op {
    Op::PutNotice { notice: Box::new(notice(name, priority)), at: at(not_before) }
}

fn moved_to(name: &str, status: DeliveryStatus, next_at: Option<i64>, error: Option<&str>, receipt: Option<&str>) -> Op {
    Op::NoticeMoved {
        notice_id: NoticeId::new(name),
        status,
        next_at: next_at.map(at),
        error: error.map(str::to_owned),
        receipt: receipt.map(str::to_owned),
    }
}

async fn firings(store: &Store, owner: &str, ms: i64) -> Vec<ClaimedFiring> {
    claim_firings(store, claim(owner, ms)).await
}

/// Holds what is due, as far as the claim goes.
async fn claim_firings(store: &Store, claim: Claim) -> Vec<ClaimedFiring> {
    let due = store.due_firings(claim.now, claim.limit, 0).await.unwrap();
    store.claim_firings(claim, due.into_iter().map(|firing| firing.firing_id).collect()).await.unwrap()
}

async fn due_notices(store: &Store, ms: i64) -> Vec<DueNotice> {
    store.due_notices(at(ms), 99_999, 0).await.unwrap()
}

async fn notices(store: &Store, owner: &str, ms: i64) -> Vec<ClaimedNotice> {
    let due = due_notices(store, ms).await;
    store.claim_notices(claim(owner, ms), due.into_iter().map(|due| due.notice.notice_id).collect()).await.unwrap()
}

fn ids(claimed: &[ClaimedFiring]) -> Vec<&str> {
    claimed.iter().map(|claimed| claimed.firing.firing_id.as_str()).collect()
}

pub(in crate::store) fn item(name: &str) -> InboxItem {
    InboxItem {
        item_id: InboxId::new(name),
        kind: InboxKind::Told,
        title: format!("title of {name}"),
        body: "*body*".to_owned(),
        url: Some("https://example.org/".to_owned()),
        task_id: Some(id("a")),
        firing_id: None,
        priority: 3,
        at: at(0),
        simulated: false,
    }
}

pub(in crate::store) fn added(name: &str) -> NewEvent {
    NewEvent::system(InboxEvent::Added { item: Box::new(item(name)) })
}

/// One of the five things that can happen to an entry.
pub(in crate::store) fn moved(name: &str, what: u8) -> NewEvent {
    let item_id = InboxId::new(name);
    NewEvent::system(match what {
        0 => InboxEvent::Read { item_id },
        1 => InboxEvent::Unread { item_id },
        2 => InboxEvent::Snoozed { item_id, until: at(500) },
        3 => InboxEvent::Archived { item_id },
        _ => InboxEvent::Answered { item_id, text: "yes".to_owned() },
    })
}

pub(in crate::store) async fn firings_come_by_urgency_then_age(store: &Store) {
    assert_eq!(store.next_firing_at().await.unwrap(), None);
    ops(store, vec![queue("a", "1", 2, 0), queue("b", "2", 4, 0), queue("c", "3", 2, 0), queue("d", "4", 5, 100)]).await.unwrap();
    assert_eq!(store.next_firing_at().await.unwrap(), Some(at(0)));
    let first = claim_firings(store, Claim { limit: 2, ..claim("one", 50) }).await;
    assert_eq!(ids(&first), ["b", "a"]);
    assert_eq!((first[0].epoch, first[0].attempt, &first[0].firing), (1, 1, &firing("b", "2", 4)));
    assert_eq!(ids(&firings(store, "two", 60).await), ["c"]);
    assert_eq!(store.next_firing_at().await.unwrap(), Some(at(100)));
    assert_eq!(ids(&firings(store, "two", 100).await), ["d"]);
    assert_eq!(store.next_firing_at().await.unwrap(), Some(at(1_050)), "the first lease that runs out");
    let again = firings(store, "two", 1_050).await;
    assert_eq!(ids(&again), ["b", "a"]);
    assert_eq!((again[0].epoch, again[0].attempt), (2, 2));
}

pub(in crate::store) async fn the_same_key_is_queued_once(store: &Store) {
    ops(store, vec![queue("a", "task:1", 3, 0), queue("b", "task:1", 3, 0)]).await.unwrap();
    ops(store, vec![queue("c", "task:1", 3, 0), queue("a", "other", 3, 0)]).await.unwrap();
    let held = firings(store, "one", 0).await;
    assert_eq!(ids(&held), ["a"]);
    ops(store, vec![Op::FiringDone(FiringId::new("a"))]).await.unwrap();
    ops(store, vec![queue("d", "task:1", 3, 0)]).await.unwrap();
    assert!(firings(store, "one", 9_000).await.is_empty(), "it is known after it was dealt with");
    assert_eq!(store.firing(FiringId::new("a")).await.unwrap(), Some(firing("a", "task:1", 3)));
    assert_eq!(store.firing(FiringId::new("d")).await.unwrap(), None);
}

pub(in crate::store) async fn a_firing_is_tried_later_or_done(store: &Store) {
    ops(store, vec![queue("a", "1", 3, 0)]).await.unwrap();
    let frozen = firings(store, "one", 0).await.remove(0);
    let later = Op::FiringLater { firing_id: FiringId::new("a"), at: at(700), attempts: frozen.attempt };
    let fence = |epoch| vec![Fence::Firing(FiringId::new("a"), epoch)];
    store.append(Batch { fences: fence(frozen.epoch), ops: vec![later.clone()], ..Batch::default() }).await.unwrap();
    assert!(firings(store, "two", 699).await.is_empty());
    let refused = Batch { fences: fence(frozen.epoch), ops: vec![later.clone()], ..Batch::default() };
    assert!(store.append(refused).await.unwrap_err().is_fenced(), "what was let go is not held");
    let held = firings(store, "two", 700).await.remove(0);
    assert_eq!((held.epoch, held.attempt), (2, 2));
    assert!(!store.renew(claim("one", 800), Fence::Firing(FiringId::new("a"), frozen.epoch)).await.unwrap());
    assert!(store.renew(claim("two", 1_600), Fence::Firing(FiringId::new("a"), held.epoch)).await.unwrap());
    assert!(firings(store, "one", 2_000).await.is_empty());
    let done = Batch { fences: fence(held.epoch), ops: vec![Op::FiringDone(FiringId::new("a"))], ..Batch::default() };
    store.append(done.clone()).await.unwrap();
    assert!(store.append(done).await.unwrap_err().is_fenced());
    ops(store, vec![later, Op::FiringDone(FiringId::new("none"))]).await.unwrap();
    assert!(firings(store, "one", 99_000).await.is_empty(), "what is done stays done");
    assert!(!store.renew(claim("two", 1_600), Fence::Firing(FiringId::new("a"), held.epoch)).await.unwrap());
}

pub(in crate::store) async fn full_queues_refuse_and_write_nothing(store: &Store) {
    let all = (0..FIRINGS_MAX).map(|number| queue(&format!("f{number}"), &format!("k{number}"), 3, 0)).collect();
    ops(store, all).await.unwrap();
    let all = (0..NOTICES_MAX - 1).map(|number| tell(&format!("n{number}"), 3, 0)).collect();
    ops(store, all).await.unwrap();
    let too_many = |ops| Batch { ops, ..batch([created(monitor("a"))]) };
    let error = store.append(too_many(vec![tell("new", 3, 0), queue("new", "new", 3, 0)])).await.unwrap_err();
    assert!(matches!(error, Error::QueueFull { what: "firings", limit: FIRINGS_MAX }) && error.is_transient(), "{error:?}");
    let error = store.append(too_many(vec![tell("x", 3, 0), tell("y", 3, 0)])).await.unwrap_err();
    assert!(matches!(error, Error::QueueFull { what: "notices", limit: NOTICES_MAX }), "{error:?}");
    assert_eq!(store.head().await.unwrap().0, 0, "nothing of it was written");
    assert_eq!(store.notice(NoticeId::new("new")).await.unwrap(), None);
    // What is there already needs no room, and one fits still.
    ops(store, vec![queue("f1", "k1", 3, 0), tell("n1", 3, 0), tell("last", 3, 0)]).await.unwrap();
    ops(store, vec![Op::FiringDone(FiringId::new("f1"))]).await.unwrap();
    ops(store, vec![queue("new", "new", 3, 0)]).await.unwrap();
    assert!(ops(store, vec![queue("newer", "newer", 3, 0)]).await.is_err());
    // One notice in place of others makes its own room.
    let over = |name: &str| moved_to(name, DeliveryStatus::Suppressed, None, None, None);
    assert!(ops(store, vec![tell("one", 3, 0), tell("two", 3, 0), over("n1")]).await.is_err());
    ops(store, vec![tell("one", 3, 0), over("n1"), over("n2")]).await.unwrap();
    ops(store, vec![tell("two", 3, 0), over("n1"), over("n2")]).await.unwrap();
    assert!(ops(store, vec![tell("three", 3, 0), over("n1")]).await.is_err(), "what is over already makes no room");
}

pub(in crate::store) async fn a_firing_given_back_was_not_tried(store: &Store) {
    ops(store, vec![queue("a", "1", 3, 0)]).await.unwrap();
    assert_eq!(firings(store, "dead", 0).await[0].attempt, 1);
    let held = firings(store, "one", 1_000).await.remove(0);
    assert_eq!(held.attempt, 2, "a claim that ran out was a try");
    let back = Op::FiringLater { firing_id: FiringId::new("a"), at: at(1_100), attempts: held.attempt - 1 };
    ops(store, vec![back]).await.unwrap();
    assert!(firings(store, "two", 1_099).await.is_empty());
    assert_eq!(firings(store, "two", 1_100).await[0].attempt, 2);
}

pub(in crate::store) async fn what_is_due_is_seen_without_being_held(store: &Store) {
    ops(store, vec![queue("f", "1", 1, 0), queue("g", "2", 4, 0), queue("h", "3", 5, 100)]).await.unwrap();
    ops(store, vec![tell("low", 1, 0), tell("high", 5, 0), tell("later", 5, 600)]).await.unwrap();
    let seen = async |limit, skip| {
        let due = store.due_firings(at(50), limit, skip).await.unwrap();
        due.into_iter().map(|firing| firing.firing_id.to_string()).collect::<String>()
    };
    assert_eq!((seen(9, 0).await.as_str(), seen(1, 0).await.as_str(), seen(9, 1).await.as_str()), ("gf", "g", "f"));
    let due = due_notices(store, 50).await;
    assert_eq!(due.iter().map(|due| due.notice.notice_id.as_str()).collect::<Vec<_>>(), ["high", "low"]);
    assert_eq!((due[0].attempts, due[0].interrupted, &due[0].reason), (0, false, &None));
    assert_eq!(store.deliveries(None, 9).await.unwrap()[1].status, DeliveryStatus::Queued, "looking changes nothing");
    // Only what is wanted is held, and only while it is due.
    let held = store.claim_notices(claim("one", 50), vec![NoticeId::new("low"), NoticeId::new("later")]).await.unwrap();
    assert_eq!(held.iter().map(|held| held.notice.notice_id.as_str()).collect::<Vec<_>>(), ["low"]);
    assert_eq!(due_notices(store, 50).await.len(), 1);
    assert!(store.claim_notices(claim("two", 50), vec![NoticeId::new("low")]).await.unwrap().is_empty());
    let lapsed = due_notices(store, 1_050).await.into_iter().find(|due| due.interrupted).unwrap();
    assert_eq!((lapsed.notice.notice_id.as_str(), lapsed.attempts), ("low", 1));
    ops(store, vec![moved_to("low", DeliveryStatus::Queued, Some(1_100), Some("HTTP 503"), None)]).await.unwrap();
    assert_eq!(due_notices(store, 1_100).await.last().unwrap().reason.as_deref(), Some("HTTP 503"));
}

pub(in crate::store) async fn a_notice_moves_only_from_where_it_was_seen(store: &Store) {
    ops(store, vec![tell("n", 3, 0)]).await.unwrap();
    let from = |status| vec![Fence::NoticeIs(NoticeId::new("n"), status)];
    let again = || vec![moved_to("n", DeliveryStatus::Queued, Some(0), None, None)];
    let resend = async |seen| store.append(Batch { fences: from(seen), ops: again(), ..Batch::default() }).await;
    notices(store, "one", 0).await;
    assert!(resend(DeliveryStatus::Queued).await.unwrap_err().is_fenced(), "it is being sent");
    ops(store, vec![moved_to("n", DeliveryStatus::Failed, None, None, None)]).await.unwrap();
    assert!(resend(DeliveryStatus::Unknown).await.unwrap_err().is_fenced());
    let (first, second) = tokio::join!(resend(DeliveryStatus::Failed), resend(DeliveryStatus::Failed));
    assert_eq!((first.is_ok(), second.is_ok()), (true, false), "of two at once, one takes effect");
    let none = Batch { fences: vec![Fence::NoticeIs(NoticeId::new("none"), DeliveryStatus::Failed)], ..Batch::default() };
    assert!(store.append(none).await.unwrap_err().is_fenced());
}

pub(in crate::store) async fn a_notice_moves_through_the_outbox(store: &Store) {
    ops(store, vec![tell("low", 1, 0), tell("high", 5, 0), tell("quiet", 5, 600)]).await.unwrap();
    assert_eq!(store.next_notice_at().await.unwrap(), Some(at(0)));
    let held = notices(store, "one", 10).await;
    assert_eq!(held.iter().map(|held| held.notice.notice_id.as_str()).collect::<Vec<_>>(), ["high", "low"]);
    assert_eq!((held[0].epoch, held[0].attempt, held[0].interrupted), (1, 1, false));
    assert_eq!(held[0].notice, notice("high", 5));
    let shown = store.deliveries(None, 9).await.unwrap();
    let states: Vec<_> = shown.iter().map(|row| (row.notice_id.as_str(), row.status, row.attempts, row.next_at)).collect();
    let expected = [
        ("quiet", DeliveryStatus::Queued, 0, Some(at(600))),
        ("high", DeliveryStatus::Sending, 1, None),
        ("low", DeliveryStatus::Sending, 1, None),
    ];
    assert_eq!(states, expected);

    let fence = |name: &str, epoch| vec![Fence::Notice(NoticeId::new(name), epoch)];
    let sent = moved_to("high", DeliveryStatus::Sent, None, None, Some("SM1"));
    let sent = Batch { fences: fence("high", 1), ops: vec![sent], ..Batch::default() };
    store.append(sent.clone()).await.unwrap();
    assert!(store.append(sent).await.unwrap_err().is_fenced(), "it was let go");
    ops(store, vec![moved_to("low", DeliveryStatus::Queued, Some(300), Some("HTTP 503"), None)]).await.unwrap();
    assert_eq!(store.next_notice_at().await.unwrap(), Some(at(300)));
    assert!(notices(store, "one", 299).await.is_empty());
    let again = notices(store, "one", 300).await.remove(0);
    assert_eq!((again.attempt, again.epoch, again.interrupted), (2, 2, false));
    assert!(store.renew(claim("one", 1_000), Fence::Notice(NoticeId::new("low"), 2)).await.unwrap());
    ops(store, vec![moved_to("low", DeliveryStatus::Failed, None, Some("no such number"), None)]).await.unwrap();

    let shown = store.deliveries(Some(id("a")), 9).await.unwrap();
    let row = shown.iter().find(|row| row.notice_id.as_str() == "low").unwrap();
    assert_eq!((row.status, row.error.as_deref(), row.attempts, row.next_at), (DeliveryStatus::Failed, Some("no such number"), 2, None));
    let row = shown.iter().find(|row| row.notice_id.as_str() == "high").unwrap();
    assert_eq!((row.status, row.receipt.as_deref()), (DeliveryStatus::Sent, Some("SM1")));
    // A dead letter is sent again by hand.
    ops(store, vec![moved_to("low", DeliveryStatus::Queued, Some(2_000), None, None)]).await.unwrap();
    let held = notices(store, "one", 2_000).await;
    assert_eq!(held.iter().map(|held| held.notice.notice_id.as_str()).collect::<Vec<_>>(), ["quiet", "low"]);
}

pub(in crate::store) async fn an_interrupted_notice_says_so(store: &Store) {
    ops(store, vec![tell("n", 3, 0)]).await.unwrap();
    let dead = notices(store, "one", 0).await.remove(0);
    assert!(notices(store, "two", 999).await.is_empty());
    assert_eq!(store.next_notice_at().await.unwrap(), Some(at(1_000)));
    let taken = notices(store, "two", 1_000).await.remove(0);
    assert_eq!((taken.epoch, taken.attempt, taken.interrupted), (2, 1, true), "the try is not counted up");
    let late = Batch {
        fences: vec![Fence::Notice(NoticeId::new("n"), dead.epoch)],
        ops: vec![moved_to("n", DeliveryStatus::Sent, None, None, None)],
        ..Batch::default()
    };
    assert!(store.append(late).await.unwrap_err().is_fenced());
    assert!(!store.renew(claim("one", 1_100), Fence::Notice(NoticeId::new("n"), dead.epoch)).await.unwrap());
    ops(store, vec![moved_to("n", DeliveryStatus::Unknown, None, Some("the answer was lost"), None)]).await.unwrap();
    assert!(notices(store, "two", 99_000).await.is_empty());
    assert_eq!(store.next_notice_at().await.unwrap(), None);
}

pub(in crate::store) async fn a_notice_that_is_held_back_was_not_tried(store: &Store) {
    ops(store, vec![tell("n", 3, 0)]).await.unwrap();
    let held = notices(store, "one", 0).await.remove(0);
    let back = Batch {
        fences: vec![Fence::Notice(NoticeId::new("n"), held.epoch)],
        ops: vec![Op::NoticeHeld {
            notice_id: NoticeId::new("n"),
            until: at(500),
            reason: Some("quiet hours".to_owned()),
            attempts: held.attempt - 1,
        }],
        ..Batch::default()
    };
    store.append(back.clone()).await.unwrap();
    assert!(store.append(back).await.unwrap_err().is_fenced(), "it was let go");
    let shown = store.deliveries(None, 9).await.unwrap().remove(0);
    assert_eq!((shown.status, shown.attempts, shown.error.as_deref()), (DeliveryStatus::Queued, 0, Some("quiet hours")));
    assert!(notices(store, "one", 499).await.is_empty());
    let again = notices(store, "two", 500).await.remove(0);
    assert_eq!((again.epoch, again.attempt, again.interrupted), (held.epoch + 1, 1, false));
}

pub(in crate::store) async fn a_notice_is_queued_once_and_shown_masked(store: &Store) {
    let other = Notice { channel: ChannelKind::Email, to: "anna@example.org".to_owned(), task_id: None, ..notice("mail", 3) };
    let put = Op::PutNotice { notice: Box::new(other), at: at(8_000) };
    store.append(Batch { ops: vec![tell("n", 3, 0), tell("n", 5, 0), put], ..batch([created(monitor("a"))]) }).await.unwrap();
    let shown = store.deliveries(None, 9).await.unwrap();
    assert_eq!(shown.iter().map(|row| row.to.as_str()).collect::<Vec<_>>(), ["a•••@example.org", "+1•••7890"]);
    assert_eq!(shown[0].queued_at.as_millis(), 1_000, "when the batch happened");
    assert_eq!(store.deliveries(Some(id("a")), 9).await.unwrap().len(), 1);
    assert_eq!(store.deliveries(None, 1).await.unwrap().len(), 1);
    assert_eq!(store.notice(NoticeId::new("n")).await.unwrap(), Some(notice("n", 3)), "as it was queued first, unmasked");
    assert_eq!(store.notice(NoticeId::new("none")).await.unwrap(), None);
}

pub(in crate::store) async fn the_newest_blobs_stay(store: &Store) {
    let blob =
        |kind: &str, key: &str, ms: i64| Blob { task_id: id("a"), kind: kind.into(), key: key.into(), at: at(ms), bytes: vec![0, 255, 7] };
    let put = |kind: &str, key: &str, ms: i64, keep, by_key| Op::PutBlob { blob: Box::new(blob(kind, key, ms)), keep, by_key };
    let all = (0..5).flat_map(|ms| [put("page", "x", ms, 2, true), put("page", "y", ms * 10, 2, true), put("value", "", ms, 3, false)]);
    ops(store, all.collect()).await.unwrap();
    let kept = async |kind: &str, key: Option<&str>, limit| {
        let rows = store.blobs(id("a"), kind.into(), key.map(str::to_owned), limit).await.unwrap();
        rows.into_iter().map(|row| (row.key, row.at)).collect::<Vec<_>>()
    };
    assert_eq!(kept("page", Some("x"), 9).await, [("x".to_owned(), at(4)), ("x".to_owned(), at(3))]);
    assert_eq!(kept("page", Some("y"), 1).await, [("y".to_owned(), at(40))]);
    assert_eq!(kept("page", None, 3).await.iter().map(|(_, at)| *at).collect::<Vec<_>>(), [at(40), at(30), at(4)]);
    assert_eq!(kept("value", None, 9).await.iter().map(|(_, at)| *at).collect::<Vec<_>>(), [at(4), at(3), at(2)]);
    assert_eq!(store.blobs(id("a"), "value".into(), None, 1).await.unwrap(), [blob("value", "", 4)]);
    // The same key and time: the newer bytes.
    let newer = Blob { bytes: Vec::new(), ..blob("value", "", 4) };
    ops(store, vec![Op::PutBlob { blob: Box::new(newer.clone()), keep: 3, by_key: false }]).await.unwrap();
    assert_eq!(store.blobs(id("a"), "value".into(), None, 9).await.unwrap().len(), 3);
    assert_eq!(store.blobs(id("a"), "value".into(), None, 1).await.unwrap(), [newer]);
    ops(store, vec![Op::DropBlobs { task_id: id("a"), kind: "page".into() }]).await.unwrap();
    assert_eq!((kept("page", None, 9).await.len(), kept("value", None, 9).await.len()), (0, 3));
    let big = Blob { bytes: vec![0; BLOB_BYTES_MAX + 1], ..blob("page", "big", 0) };
    let error = ops(store, vec![Op::PutBlob { blob: Box::new(big), keep: 1, by_key: false }]).await.unwrap_err();
    assert!(matches!(error, Error::BlobTooLong { .. }), "{error:?}");
}

pub(in crate::store) async fn the_inbox_is_a_fold(store: &Store) {
    store.append(batch(["a", "b", "c", "d"].map(added))).await.unwrap();
    store.append(batch([added("a"), moved("none", 0)])).await.unwrap();
    let list = async |filter: InboxFilter, ms: i64| {
        let rows = store.inbox(filter, at(ms)).await.unwrap();
        rows.iter().map(|row| row.item.item_id.to_string()).collect::<String>()
    };
    let (open, all) = (InboxFilter::default(), InboxFilter { all: true, limit: None });
    assert_eq!(list(open, 0).await, "dcba");
    store.append(batch([moved("a", 0), moved("b", 2), moved("c", 3), moved("d", 4)])).await.unwrap();
    assert_eq!((list(open, 499).await.as_str(), list(open, 500).await.as_str()), ("da", "dba"), "it comes back when its time is over");
    assert_eq!(list(all, 0).await, "dcba");
    assert_eq!(list(InboxFilter { all: true, limit: Some(2) }, 0).await, "dc");
    let row = |name: &str| InboxRow { item: item(name), unread: false, snoozed_until: None, archived: false, answer: None };
    let expected = [
        row("a"),
        InboxRow { unread: true, snoozed_until: Some(at(500)), ..row("b") },
        InboxRow { archived: true, ..row("c") },
        InboxRow { answer: Some("yes".to_owned()), ..row("d") },
    ];
    for row in expected {
        assert_eq!(store.inbox_item(row.item.item_id.clone()).await.unwrap(), Some(row));
    }
    assert_eq!(store.inbox_item(InboxId::new("none")).await.unwrap(), None);
    store.append(batch([moved("c", 1)])).await.unwrap();
    assert_eq!(store.inbox_item(InboxId::new("c")).await.unwrap(), Some(InboxRow { unread: true, ..row("c") }));
}

pub(in crate::store) async fn one_leads_until_it_resigns_or_its_lease_ends(store: &Store) {
    let lead = async |owner: &str, ms: i64| store.lead(LEAD.into(), claim(owner, ms)).await.unwrap().map(|lead| (lead.epoch, lead.until));
    let leader = async |ms: i64| store.leader(LEAD.into(), at(ms)).await.unwrap().map(|lead| lead.owner);
    assert_eq!(leader(0).await, None);
    assert_eq!(lead("one", 0).await, Some((1, at(1_000))));
    assert_eq!(lead("two", 999).await, None);
    assert_eq!(lead("one", 500).await, Some((1, at(1_500))), "renewing keeps the epoch");
    assert_eq!((leader(1_499).await.as_deref(), leader(1_500).await), (Some("one"), None));
    assert_eq!(lead("two", 1_500).await, Some((2, at(2_500))));
    assert_eq!(lead("one", 1_600).await, None, "a thawed leader learns that it leads no more");
    store.resign(LEAD.into(), "one".into()).await.unwrap();
    assert_eq!(leader(1_700).await.as_deref(), Some("two"), "only the holder can give it back");
    store.resign(LEAD.into(), "two".into()).await.unwrap();
    assert_eq!(leader(1_700).await, None);
    assert_eq!(lead("one", 1_700).await, Some((3, at(2_700))));
    assert!(store.lead("other".into(), claim("two", 1_700)).await.unwrap().is_some());
}

pub(in crate::store) async fn the_status_counts_everything(store: &Store) {
    for name in ["a", "b", "c"] {
        make(store, name, 0).await;
    }
    store.append(batch([fact("b", paused()), fact("c", TaskFact::TaskCompleted { reason: "done".to_owned() })])).await.unwrap();
    store.append(batch([added("x"), added("y"), added("z"), moved("y", 0), moved("z", 2)])).await.unwrap();
    let all = vec![tell("n", 3, 0), tell("m", 3, 0), tell("o", 3, 0), queue("f", "1", 3, 0), queue("g", "2", 3, 0)];
    ops(store, all).await.unwrap();
    ops(store, vec![moved_to("n", DeliveryStatus::Failed, None, None, None), Op::FiringDone(FiringId::new("f"))]).await.unwrap();
    let status = store.ambient_status(None, at(0)).await.unwrap();
    assert_eq!((status.total_tasks, status.active_tasks, status.paused_tasks, status.running_monitors), (3, 1, 1, 1));
    assert_eq!((status.unread, status.firings_waiting, status.notices_waiting, status.dead_letters), (1, 1, 2, 1));
    assert_eq!(
        status.task_types.iter().map(|(kind, count)| (kind.as_str(), *count)).collect::<Vec<_>>(),
        [("news_digest", 0), ("schedule", 0), ("threshold_watch", 0), ("web_monitor", 3)]
    );
    assert!(!status.service_running && !status.leading);
    store.lead(LEAD.into(), claim("one", 0)).await.unwrap();
    assert!(store.ambient_status(None, at(999)).await.unwrap().service_running);
    assert_eq!(store.ambient_status(None, at(500)).await.unwrap().unread, 2);
    assert_eq!(store.ambient_status(Some("anna".into()), at(0)).await.unwrap().total_tasks, 0);
}

pub(in crate::store) async fn events_of_one_stream_are_read(store: &Store) {
    make(store, "a", 0).await;
    make(store, "b", 0).await;
    store.append(batch([fact("a", paused()), added("x"), fact("a", TaskFact::TaskResumed {})])).await.unwrap();
    let stream = StreamId::task(&id("a"));
    assert_eq!(seqs(&store.stream_events(stream.clone(), 9).await.unwrap()), [1, 3, 5]);
    assert_eq!(seqs(&store.stream_events(stream.clone(), 2).await.unwrap()), [3, 5], "the newest");
    assert_eq!(seqs(&store.stream_events(StreamId::inbox(), 9).await.unwrap()), [4]);
    assert_eq!(store.version(stream).await.unwrap(), 3);
}
