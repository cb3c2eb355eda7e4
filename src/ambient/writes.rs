//! Wakes the loops of this process when another one may have made work for them.
//!
//! Where the store tells of writes (a file, on Linux) nobody looks by time while nothing is due: an idle program rests.

use std::time::Duration;

use futures::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::ambient::nudge::Nudges;
use crate::store::EventLog;

/// How often a store that does not tell is asked to.
const AGAIN: Duration = Duration::from_mins(1);

/// Wakes all loops after each write, at most once in `pace`, until `stop`.
pub async fn tell(log: EventLog, nudges: Nudges, pace: Duration, stop: CancellationToken) {
    let telling = async {
        loop {
            if let Some(mut writes) = log.writes() {
                nudges.set_told(true);
                // What was written before is found now.
                nudges.all();
                while writes.next().await.is_some() {
                    nudges.all();
                    tokio::time::sleep(pace).await;
                }
                nudges.set_told(false);
                nudges.all();
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    stop.run_until_cancelled(telling).await;
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::bus::Recorder;
    use crate::domain::clock::SystemClock;
    use crate::domain::event::{Custom, EventBody, NewEvent};
    use crate::store::Options;

    #[tokio::test]
    async fn what_another_process_writes_wakes_all_loops_and_silence_none() {
        let folder = tempfile::tempdir().unwrap();
        let open = || EventLog::open(&folder.path().join("events.db"), &Options::default(), Arc::new(SystemClock)).unwrap();
        let (here, there) = (open(), open());
        let write = async || {
            let data = serde_json::json!({});
            there.record(vec![NewEvent::system(EventBody::Custom(Custom { type_name: "x".into(), data }))]).await.unwrap();
        };
        write().await;
        let (nudges, stop) = (Nudges::default(), CancellationToken::new());
        let telling = tokio::spawn(tell(here.clone(), nudges.clone(), Duration::ZERO, stop.clone()));
        let woken = async || {
            let all = async { tokio::join!(nudges.task_waits(), nudges.firing_waits(), nudges.notice_waits()) };
            tokio::time::timeout(Duration::from_secs(20), all).await.expect("they are woken");
        };
        woken().await;
        assert!(nudges.told());
        write().await;
        woken().await;
        stop.cancel();
        telling.await.unwrap();
        here.shutdown().await;
        there.shutdown().await;
    }
}
