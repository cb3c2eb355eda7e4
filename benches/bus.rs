//! What one `publish` costs with nobody and with a hundred readers.

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

use std::sync::Arc;

use divan::Bencher;
use wakeful::bus::EventBus;
use wakeful::domain::clock::Instant;
use wakeful::domain::event::{Chat, ChatStatus, Event};
use wakeful::domain::ids::EventId;
use wakeful::domain::message::Role;

/// Events that the bus keeps, as in the program.
const CAPACITY: usize = 4_096;

/// What a reader takes in one go.
const BATCH: usize = 256;

fn main() {
    divan::main();
}

fn event() -> Arc<Event> {
    let body = Chat::new(Role::Assistant, ChatStatus::Delta).with_text("token").into();
    Arc::new(Event { seq: None, id: EventId::generate(), at: Instant::from_millis(0), session: None, body })
}

/// Readers that wait on a runtime of two threads and take what comes.
#[divan::bench(args = [0, 1, 100], sample_count = 200, sample_size = 500)]
fn publish(bencher: Bencher<'_, '_>, readers: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let bus = EventBus::new(CAPACITY);
    for _ in 0..readers {
        let mut reader = bus.subscribe();
        runtime.spawn(async move {
            let mut out = Vec::with_capacity(BATCH);
            while reader.recv_many(&mut out, BATCH).await > 0 {
                out.clear();
            }
        });
    }
    let event = event();
    bencher.with_inputs(|| Arc::clone(&event)).bench_values(|event| bus.publish(event));
}

/// Readers that exist and are busy elsewhere: the price of publishing alone.
#[divan::bench(args = [0, 1, 100], sample_count = 200, sample_size = 500)]
fn publish_to_idle(bencher: Bencher<'_, '_>, readers: usize) {
    let bus = EventBus::new(CAPACITY);
    let _readers: Vec<_> = (0..readers).map(|_| bus.subscribe()).collect();
    let event = event();
    bencher.with_inputs(|| Arc::clone(&event)).bench_values(|event| bus.publish(event));
}
