//! What comes in from other programs and must not be lost: event feedback and interaction reports.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::ambient::nudge::Nudges;
use crate::domain::firing::{Feedback, Firing, Origin};
use crate::domain::ids::FiringId;
use crate::domain::interaction::ID_CHARS_MAX;
use crate::domain::reports::{Access, RecordPage, RecordQuery, Statistics, Window};
use crate::domain::text::ellipsis;
use crate::interactions::intake::{self, Intake, Refusal};
use crate::server::api::{FeedbackIntake, IntakeError, RecordIntake, Shown, TakenFeedback, TakenRecords, WrongRecord};
use crate::store::records::RecordStore;
use crate::store::tasks::Op;
use crate::store::{Error, EventLog, Terms};

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

/// The intake of interaction reports, for the surface.
pub struct Records(Arc<Intake>);

impl Records {
    /// Over the intake that all ways in share.
    pub fn new(intake: Arc<Intake>) -> Self {
        Self(intake)
    }

    async fn store(&self) -> Result<&RecordStore, IntakeError> {
        self.0.store().await.map_err(refused)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` asks for")]
fn refused(refusal: Refusal) -> IntakeError {
    let text = refusal.to_string();
    match refusal {
        Refusal::Full => IntakeError::Crowded,
        Refusal::TooLarge => IntakeError::TooLarge(text),
        Refusal::Key => IntakeError::Denied(text),
        Refusal::Failed(_) => IntakeError::Away(text),
    }
}

/// What reads and writes the records fails for now: whoever asked asks again.
fn away(error: &Error) -> IntakeError {
    IntakeError::Away(error.report())
}

impl RecordIntake for Records {
    fn admit(&self, shown: Shown) -> BoxFuture<'_, Result<Access, IntakeError>> {
        async move {
            let shown = intake::Shown { key: shown.key.as_deref(), is_owner: shown.is_owner, is_open: shown.is_open };
            self.0.admit(shown).await.map_err(refused)
        }
        .boxed()
    }

    fn take(&self, values: Vec<Value>, access: Access) -> BoxFuture<'_, Result<TakenRecords, IntakeError>> {
        async move {
            let (mut records, mut rejected) = (Vec::with_capacity(values.len()), Vec::new());
            for (index, value) in values.into_iter().enumerate() {
                let record_id = value.get("record_id").and_then(Value::as_str).map(|id| ellipsis(id, ID_CHARS_MAX).into_owned());
                match intake::check(value) {
                    Ok(record) if !access.covers(&record.mcp_id) => {
                        return Err(IntakeError::NotYours(format!("this key opens {access} only, and record {index} is another's")));
                    }
                    Ok(record) => records.push(record),
                    Err(wrong) => rejected.push(WrongRecord { index, record_id, field: wrong.field.to_owned(), message: wrong.must }),
                }
            }
            let stored = self.0.offer(records).await.map_err(refused)?;
            Ok(TakenRecords { stored, rejected })
        }
        .boxed()
    }

    fn count(&self) -> BoxFuture<'_, Result<u64, IntakeError>> {
        async move { self.store().await?.count().await.map_err(|error| away(&error)) }.boxed()
    }

    fn page(&self, query: RecordQuery) -> BoxFuture<'_, Result<RecordPage, IntakeError>> {
        async move { self.store().await?.page(query).await.map_err(|error| away(&error)) }.boxed()
    }

    fn statistics(&self, window: Window) -> BoxFuture<'_, Result<Statistics, IntakeError>> {
        async move { self.store().await?.statistics(window).await.map_err(|error| away(&error)) }.boxed()
    }
}
