//! Nobody waits for a reader, no wake-up is lost, whatever the runtime.

use std::time::Duration;

use proptest::prelude::*;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::*;
use crate::domain::clock::Instant;
use crate::domain::event::{Custom, EventBody};
use crate::domain::ids::EventId;

/// No healthy run comes near it.
const LIMIT: Duration = Duration::from_secs(30);

fn event(number: u64) -> Arc<Event> {
    let body = EventBody::Custom(Custom { type_name: "number".into(), data: number.into() });
    Arc::new(Event { seq: None, id: EventId::new("x"), at: Instant::from_millis(0), session: None, body })
}

fn number(event: &Event) -> u64 {
    match &event.body {
        EventBody::Custom(custom) => custom.data.as_u64().unwrap(),
        other => panic!("not a number: {other:?}"),
    }
}

/// Reads to the end; gives back how many events came and how many were lost. Panics where the order is broken.
async fn read_all(reader: Subscription, batch: usize) -> (u64, u64) {
    read_from(reader, batch, 0).await
}

async fn read_from(mut reader: Subscription, batch: usize, mut next: u64) -> (u64, u64) {
    let (mut seen, mut lost, mut out) = (0, 0, Vec::new());
    while reader.recv_many(&mut out, batch).await > 0 {
        assert!(out.len() <= batch);
        for delivery in out.drain(..) {
            match delivery {
                Delivery::Event(event) => {
                    assert_eq!(number(&event), next);
                    seen += 1;
                    next += 1;
                }
                Delivery::Lost(count) => {
                    lost += count;
                    next += count;
                }
            }
        }
    }
    (seen, lost)
}

#[test]
fn a_hundred_readers_miss_nothing_and_keep_the_order() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let bus = EventBus::new(100_000);
        let readers: Vec<_> = (1..=100).map(|batch| tokio::spawn(read_all(bus.subscribe(), batch))).collect();
        for count in 0..2_000 {
            bus.publish(event(count));
            if count % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
        bus.close();
        for reader in readers {
            assert_eq!(timeout(LIMIT, reader).await.unwrap().unwrap(), (2_000, 0));
        }
    });
}

#[tokio::test]
async fn a_slow_reader_is_told_what_it_lost_and_goes_on() {
    let bus = EventBus::new(4);
    let mut slow = bus.subscribe();
    (0..10).for_each(|count| bus.publish(event(count)));
    assert!(matches!(slow.recv().await, Some(Delivery::Lost(6))));
    for expected in 6..10 {
        assert!(matches!(slow.recv().await, Some(Delivery::Event(event)) if number(&event) == expected));
    }
    assert!(slow.try_recv().is_none());
    bus.close();
    assert!(slow.recv().await.is_none());
    assert!(slow.recv().await.is_none());
}

#[tokio::test]
async fn a_batch_starts_with_the_loss_and_stays_within_its_limit() {
    let bus = EventBus::new(4);
    let mut reader = bus.subscribe();
    let events: Vec<_> = (0..6).map(event).collect();
    bus.publish_all(&events);
    let mut out = Vec::new();
    assert_eq!(reader.recv_many(&mut out, 0).await, 0);
    assert_eq!(reader.recv_many(&mut out, 3).await, 3);
    assert!(matches!(&out[..], [Delivery::Lost(2), Delivery::Event(a), Delivery::Event(b)] if number(a) == 2 && number(b) == 3));
    assert_eq!(reader.recv_many(&mut out, 100).await, 2);
}

#[tokio::test]
async fn a_reader_sees_only_what_comes_after_it() {
    let bus = EventBus::new(4);
    bus.publish(event(0));
    let mut reader = bus.subscribe();
    assert!(reader.try_recv().is_none());
    bus.publish(event(1));
    assert!(matches!(reader.try_recv(), Some(Delivery::Event(event)) if number(&event) == 1));
}

#[test]
fn events_that_all_have_read_do_not_stay_in_memory() {
    let bus = EventBus::new(4_096);
    let (mut quick, mut slow) = (bus.subscribe(), bus.subscribe());
    let published: Vec<_> = (0..1_000).map(event).collect();
    let alive = || published.iter().filter(|event| Arc::strong_count(event) > 1).count();
    bus.publish_all(&published);
    let read_all = |reader: &mut Subscription| std::iter::from_fn(|| reader.try_recv()).count();
    assert_eq!(read_all(&mut quick), 1_000);
    assert_eq!(alive(), 1_000, "a reader still needs them");
    assert_eq!(read_all(&mut slow), 1_000);
    bus.publish_all(&published[..64]);
    assert_eq!((read_all(&mut quick), read_all(&mut slow)), (64, 64));
    assert_eq!(alive(), 64);
    bus.publish_all(&published[..10]);
    drop((quick, slow));
    bus.publish_all(&published);
    assert_eq!(alive(), 0, "without readers nothing is kept");
}

#[tokio::test]
async fn a_cancelled_wait_loses_nothing_and_leaves_nothing_behind() {
    let bus = EventBus::new(16);
    let mut reader = bus.subscribe();
    for count in 0..50 {
        assert!(futures::poll!(std::pin::pin!(reader.recv())).is_pending());
        let mut passing = bus.subscribe();
        assert!(futures::poll!(std::pin::pin!(passing.recv())).is_pending());
        drop(passing);
        if count % 10 == 0 {
            bus.publish(event(count));
            assert!(matches!(reader.recv().await, Some(Delivery::Event(event)) if number(&event) == count));
        }
    }
    assert!(bus.0.with_waiters(|waiters| waiters.places()) <= 2);
}

#[test]
fn one_wake_up_of_the_dispatcher_serves_all_readers() {
    let runtime = Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let bus = EventBus::new(16);
        let mut readers: Vec<_> = (0..100).map(|_| bus.subscribe()).collect();
        for reader in &mut readers {
            assert!(futures::poll!(std::pin::pin!(reader.recv())).is_pending());
        }
        tokio::task::yield_now().await;
        assert_eq!(bus.0.with_waiters(|waiters| waiters.signal().len()), 1);
        assert_eq!(bus.0.with_waiters(|waiters| waiters.signal().len()), 0);
    });
}

#[test]
fn readers_outlive_the_runtime_of_their_dispatcher() {
    let bus = EventBus::new(16);
    let mut reader = bus.subscribe();
    let first = Builder::new_current_thread().build().unwrap();
    first.block_on(async { assert!(futures::poll!(std::pin::pin!(reader.recv())).is_pending()) });
    drop(first);
    let publisher = std::thread::spawn({
        let bus = bus.clone();
        move || bus.publish(event(7))
    });
    let second = Builder::new_current_thread().enable_all().build().unwrap();
    let got = second.block_on(async { timeout(LIMIT, reader.recv()).await.unwrap() });
    assert!(matches!(got, Some(Delivery::Event(event)) if number(&event) == 7));
    publisher.join().unwrap();
}

#[test]
fn readers_need_no_runtime() {
    let bus = EventBus::new(16);
    let (ready, go) = std::sync::mpsc::channel();
    let reader = std::thread::spawn({
        let reader = bus.subscribe();
        move || {
            ready.send(()).unwrap();
            futures::executor::block_on(read_all(reader, 3))
        }
    });
    go.recv().unwrap();
    (0..10).for_each(|count| bus.publish(event(count)));
    bus.close();
    assert_eq!(reader.join().unwrap(), (10, 0));
}

#[tokio::test]
async fn the_dispatcher_ends_with_the_bus() {
    let bus = EventBus::new(16);
    let mut reader = bus.subscribe();
    assert!(futures::poll!(std::pin::pin!(reader.recv())).is_pending());
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    assert_eq!(tasks(), 1);
    drop((bus, reader));
    timeout(LIMIT, async {
        while tasks() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[derive(Debug, Clone)]
enum Step {
    Publish(u8),
    Read { reader: usize, limit: usize },
    Yield,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..20_u8).prop_map(Step::Publish),
        (0..4_usize, 1..9_usize).prop_map(|(reader, limit)| Step::Read { reader, limit }),
        Just(Step::Yield),
    ]
}

proptest! {
    /// For each reader: what it saw and what it was told it lost add up, in order, and a waiting reader is always woken.
    #[test]
    fn seen_and_lost_add_up(capacity in 1..12_usize, steps in prop::collection::vec(step(), 0..60)) {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let bus = EventBus::new(capacity);
            let tasks: Vec<_> = (1..5).map(|batch| tokio::spawn(read_all(bus.subscribe(), batch))).collect();
            let mut lazy: Vec<_> = (0..4).map(|_| (bus.subscribe(), 0_u64)).collect();
            let mut published = 0;
            for step in steps {
                match step {
                    Step::Publish(count) => for _ in 0..count {
                        bus.publish(event(published));
                        published += 1;
                    },
                    Step::Read { reader, limit } => {
                        let (reader, next) = &mut lazy[reader];
                        for _ in 0..limit {
                            match reader.try_recv() {
                                None => break,
                                Some(Delivery::Lost(count)) => *next += count,
                                Some(Delivery::Event(event)) => {
                                    assert_eq!(number(&event), *next);
                                    *next += 1;
                                }
                            }
                        }
                    }
                    Step::Yield => tokio::task::yield_now().await,
                }
            }
            bus.close();
            for task in tasks {
                let (seen, lost) = timeout(LIMIT, task).await.unwrap().unwrap();
                assert_eq!(seen + lost, published);
            }
            for (reader, next) in lazy {
                let (seen, lost) = read_from(reader, 3, next).await;
                assert_eq!(next + seen + lost, published);
            }
        });
    }
}
