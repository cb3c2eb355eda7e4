//! Watches over the loops: one that breaks off is told as an error and begins anew, each time a little later.
//!
//! What it held lapses by its leases, and counts as a try: whatever broke it comes to an end there.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::bus::Recorder;
use crate::domain::event::{ErrorEvent, EventBody, NewEvent};
use crate::store::EventLog;

/// The wait before a loop begins anew; each further one waits twice as long.
const RESTART: Duration = Duration::from_secs(1);

/// The longest wait.
const RESTART_MAX: Duration = Duration::from_mins(5);

/// A loop that ran for so long had come back to work.
const STEADY: Duration = Duration::from_mins(10);

/// Runs what `begin` gives until `stop`, and anew where it ends before.
pub async fn keep<F: Future<Output = ()> + Send>(name: &str, log: &EventLog, stop: &CancellationToken, mut begin: impl FnMut() -> F) {
    let mut wait = RESTART;
    loop {
        let begun = tokio::time::Instant::now();
        let ended = AssertUnwindSafe(async { begin().await }).catch_unwind().await;
        if stop.is_cancelled() {
            return;
        }
        if begun.elapsed() >= STEADY {
            wait = RESTART;
        }
        let reason = ended.err().map_or_else(|| "it ended by itself".to_owned(), |panic| words(panic.as_ref()));
        tell(name, log, &reason, wait).await;
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = (wait * 2).min(RESTART_MAX);
    }
}

async fn tell(name: &str, log: &EventLog, reason: &str, wait: Duration) {
    tracing::error!(name, reason, ?wait, "a loop of the background tasks broke off");
    let message = format!("the {name} broke off because of a fault of the program and begins anew in {} s", wait.as_secs());
    let details = json!({ "reason": reason, "hint": "the log file has more; please report it" });
    let event = ErrorEvent { message, source: "tasks".to_owned(), details };
    if let Err(error) = log.record(vec![NewEvent::system(EventBody::Error(event))]).await {
        tracing::error!(%error, "and that could not be told");
    }
}

/// What a panic said.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::ambient::testing::World;

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_breaks_off_is_told_and_begins_anew() {
        let world = World::new();
        let begun = Arc::new(AtomicUsize::new(0));
        let (log, stop, count) = (world.log.clone(), world.stop.clone(), Arc::clone(&begun));
        let kept = tokio::spawn(async move {
            let ends = stop.clone();
            keep("judge", &log, &stop, move || {
                let (number, ends) = (count.fetch_add(1, Ordering::SeqCst), ends.clone());
                async move {
                    assert!(number > 1, "broken for a test");
                    ends.cancelled().await;
                }
            })
            .await;
        });
        world.until(Duration::from_mins(1), "the third beginning", async || begun.load(Ordering::SeqCst) == 3).await;
        world.pass(Duration::from_mins(30)).await;
        let told: Vec<_> = world.events().await.into_iter().filter(|event| matches!(event.body, EventBody::Error(_))).collect();
        assert_eq!((told.len(), begun.load(Ordering::SeqCst)), (2, 3));
        let EventBody::Error(error) = &told[0].body else { panic!() };
        assert!(error.message.contains("judge") && error.details["reason"] == "broken for a test", "{error:?}");
        world.stop.cancel();
        kept.await.unwrap();
    }
}
