//! What comes in from other programs and must not be lost: event feedback and interaction reports.

use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::ambient::nudge::Nudges;
use crate::domain::clock::Clock;
use crate::domain::firing::{Feedback, Firing, Origin};
use crate::domain::ids::FiringId;
use crate::server::api::{FeedbackIntake, IntakeError, RecordIntake, TakenFeedback};
use crate::store::records::{Record, RecordStore};
use crate::store::tasks::Op;
use crate::store::{Error, EventLog, Terms};

/// The file of the records, in the folder of the state.
pub const RECORDS_FILE: &str = "interactions.db";

/// Queues event feedback for the judge, on disk before it answers.
pub struct FeedbackQueue {
    log: EventLog,
    nudges: Nudges,
}

impl FeedbackQueue {
    /// Over the log's own queue; `nudges` wake the judge.
    pub fn new(log: EventLog, nudges: Nudges) -> Self {
        Self { log, nudges }
    }

    async fn queue(&self, feedback: Feedback, key: Option<String>) -> Result<TakenFeedback, IntakeError> {
        let key = format!("http:{}", key.unwrap_or_else(|| digest(&feedback)));
        let firing_id = id_of(&key);
        if let Some(known) = self.log.tasks().firing(firing_id.clone()).await.map_err(|error| failed(&error))? {
            if known.feedback != feedback {
                let message = "the `Idempotency-Key` was used for other feedback; choose a key for each".to_owned();
                return Err(IntakeError::Wrong { pointer: String::new(), message });
            }
            return Ok(TakenFeedback { event_id: firing_id.to_string(), repeated: true });
        }
        let firing = Firing { firing_id: firing_id.clone(), key, origin: Origin::Http, feedback };
        let ops = vec![Op::PutFiring { firing: Box::new(firing), at: self.log.now() }];
        self.log.commit(Vec::new(), Terms { ops, ..Terms::default() }).await.map_err(|error| failed(&error))?;
        self.nudges.firings();
        Ok(TakenFeedback { event_id: firing_id.to_string(), repeated: false })
    }
}

impl FeedbackIntake for FeedbackQueue {
    fn take(&self, feedback: Feedback, key: Option<String>) -> BoxFuture<'_, Result<TakenFeedback, IntakeError>> {
        self.queue(feedback, key).boxed()
    }
}

/// What feedback without a key is known by: all that it says.
fn digest(feedback: &Feedback) -> String {
    let mut value = serde_json::to_value(feedback).unwrap_or_default();
    value.sort_all_objects();
    Sha256::digest(value.to_string().as_bytes()).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The firing of a key: the same one for a repeat, in whatever process it arrives.
fn id_of(key: &str) -> FiringId {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&Sha256::digest(key.as_bytes())[..16]);
    // Version 8 (RFC 9562): of our own making.
    FiringId::from(uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string())
}

fn failed(error: &Error) -> IntakeError {
    match error {
        Error::QueueFull { .. } => IntakeError::Full,
        other => IntakeError::Failed(other.report()),
    }
}

/// Keeps interaction reports in a file of their own, which is made with the first of them.
pub struct Records {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    store: OnceCell<RecordStore>,
}

impl Records {
    /// In the folder of the state.
    pub fn new(state: &std::path::Path, clock: Arc<dyn Clock>) -> Self {
        Self { path: state.join(RECORDS_FILE), clock, store: OnceCell::new() }
    }

    async fn store(&self) -> Result<&RecordStore, IntakeError> {
        let open = || async {
            let path = self.path.clone();
            let opened = tokio::task::spawn_blocking(move || RecordStore::open(&path)).await;
            opened.map_err(|error| IntakeError::Failed(error.to_string()))?.map_err(|error| failed(&error))
        };
        self.store.get_or_try_init(open).await
    }
}

impl RecordIntake for Records {
    fn take(&self, records: Vec<Value>) -> BoxFuture<'_, Result<usize, IntakeError>> {
        async move {
            let records = records.iter().map(record).collect::<Result<Vec<_>, _>>()?;
            self.store().await?.put(records, self.clock.now()).await.map_err(|error| failed(&error))
        }
        .boxed()
    }

    fn count(&self) -> BoxFuture<'_, Result<u64, IntakeError>> {
        async move { self.store().await?.count().await.map_err(|error| failed(&error)) }.boxed()
    }
}

fn record(value: &Value) -> Result<Record, IntakeError> {
    let missing = |name: &str| IntakeError::Wrong { pointer: format!("/{name}"), message: "it is missing".to_owned() };
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| missing(name));
    Ok(Record {
        record_id: text("record_id")?,
        mcp_id: text("mcp_id")?,
        interaction_id: text("interaction_id")?,
        action: text("action")?,
        timestamp: value.get("timestamp").and_then(Value::as_f64).ok_or_else(|| missing("timestamp"))?,
        data: value.to_string(),
    })
}
