//! What tests of both ends share: records, an intake of their own, a real Redis.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::domain::clock::{Instant, ManualClock};
use crate::domain::ids::{InteractionId, RecordId};
use crate::domain::interaction::{Action, InteractionRecord};
use crate::domain::reports::RecordQuery;
use crate::interactions::intake::{Intake, Place};
use crate::interactions::outgoing::Outgoing;

/// The longest that a test waits for a state.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn record(number: usize) -> InteractionRecord {
    InteractionRecord {
        record_id: RecordId::new(format!("r-{number:06}")),
        action: Action::Start,
        interaction_id: InteractionId::new(format!("int_{}", number % 7)),
        mcp_id: "me".to_owned(),
        timestamp: Instant::from_millis(1_700_000_000_000 + i64::try_from(number).unwrap()),
        payload: json!({"user_id": "u", "input_size": number}).as_object().unwrap().clone(),
    }
}

pub(crate) fn records(numbers: std::ops::Range<usize>) -> Vec<InteractionRecord> {
    numbers.map(record).collect()
}

/// The same as they are sent.
pub(crate) fn sent(numbers: std::ops::Range<usize>) -> Vec<Outgoing> {
    numbers.map(|number| Outgoing::from(&record(number))).collect()
}

pub(crate) fn intake(folder: &Path) -> Arc<Intake> {
    let clock = Arc::new(ManualClock::starting_at(Instant::from_millis(1_700_000_000_000)));
    Arc::new(Intake::new(Place::File(folder.join("records.db")), 64 * 1_024, clock))
}

/// All ids that are stored, in the order in which they came.
pub(crate) async fn stored(intake: &Intake) -> Vec<String> {
    let mut query = RecordQuery { oldest_first: true, limit: 1_000, ..RecordQuery::default() };
    let mut ids = Vec::new();
    loop {
        let page = intake.store().await.unwrap().page(query.clone()).await.unwrap();
        ids.extend(page.records.iter().map(|record| record.record["record_id"].as_str().unwrap().to_owned()));
        match page.next {
            Some(next) => query.cursor = Some(next),
            None => return ids,
        }
    }
}

/// Waits until `is_so`, looking again and again.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, waiting).await.is_ok(), "not within {LIMIT:?}: {what}");
}

/// A Redis of its own, on a port that the system chose; it ends with its value.
pub(crate) struct RedisServer {
    process: Child,
    pub(crate) port: u16,
}

impl RedisServer {
    pub(crate) fn start(port: Option<u16>) -> Self {
        for _ in 0..20 {
            let port = port.unwrap_or_else(|| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port());
            let program = Command::new("redis-server")
                .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--requirepass", "s3cret"])
                .args(["--stream-node-max-entries", "100"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn();
            let mut server = Self { process: program.expect("`redis-server` is missing: .ci/setup installs it"), port };
            while server.process.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return server;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
            // Somebody else took the port meanwhile.
        }
        unreachable!("redis-server did not start")
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://:s3cret@127.0.0.1:{}/0", self.port)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _over = self.process.kill();
        let _over = self.process.wait();
    }
}
