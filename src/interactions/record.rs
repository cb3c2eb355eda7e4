//! From what happened to what is reported: turns, tool calls, handoffs and runs of background tasks become records.
//!
//! Pure: events in, records out. Ids follow from the events alone, so that an event that is read twice (after a crash,
//! by two machines that share a log) gives the same records, which a coordinator stores once. What a record says of
//! texts is decided by [`Content`]; whatever it says passes the [`Redactor`].

mod fold;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::domain::clock::Instant;
use crate::domain::event::{ErrorKind, Event, TurnEnd};
use crate::domain::ids::{EventId, InteractionId, RecordId};
use crate::domain::interaction::{Action, InteractionRecord};
use crate::interactions::options::Content;
use crate::interactions::redact::Redactor;

pub use fold::Fold;

/// The types of events that records are made from.
pub const TYPES: &[&str] = &["turn_event", "chat", "tool_execution", "handoff_call", "task_event"];

/// Who acts where nobody is named.
const USER: &str = "default";

/// How records are made.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Who reports.
    pub mcp_id: String,
    /// What is said of texts.
    pub content: Content,
    /// Mixed into hashes of texts; this machine's own, so that nobody else can look a text up.
    pub salt: Vec<u8>,
    /// Takes out secrets.
    pub redactor: Redactor,
}

impl Shape {
    /// A record of `event`; `nth` tells several records of one event apart.
    fn record(&self, event: &Event, nth: u8, action: Action, id: &InteractionId, at: Instant, payload: Value) -> InteractionRecord {
        let payload = match payload {
            Value::Object(payload) => payload,
            _ => Map::new(),
        };
        InteractionRecord {
            record_id: record_id(&event.id, nth),
            action,
            interaction_id: id.clone(),
            mcp_id: self.mcp_id.clone(),
            timestamp: at,
            payload: self.redactor.payload(payload),
        }
    }

    /// Puts into `out` what may be said of a text.
    fn say(&self, out: &mut Map<String, Value>, name: &str, text: impl FnOnce() -> String) {
        match self.content {
            Content::Off => {}
            Content::Hash => {
                out.insert(format!("{name}_hash"), json!(self.hash(&text())));
            }
            Content::Full => {
                out.insert(name.to_owned(), json!(text()));
            }
        }
    }

    /// What went wrong: the text itself may hold what was asked or returned.
    fn error(&self, kind: &str, sentence: &str, text: Option<&str>) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("error_type".to_owned(), json!(kind));
        let told = match (self.content, text) {
            (Content::Full, Some(text)) if !text.is_empty() => text.to_owned(),
            _ => sentence.to_owned(),
        };
        out.insert("error_message".to_owned(), json!(told));
        out.insert("error_code".to_owned(), json!(kind.to_uppercase()));
        if let (Content::Hash, Some(text)) = (self.content, text) {
            out.insert("error_hash".to_owned(), json!(self.hash(text)));
        }
        out
    }

    /// HMAC-SHA-256 with the salt, the first 16 bytes in hex.
    fn hash(&self, text: &str) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.salt) else { return String::new() };
        mac.update(text.as_bytes());
        hex(&mac.finalize().into_bytes()[..16])
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// The id of a record: a `UUIDv7` that follows from the event's.
fn record_id(event: &EventId, nth: u8) -> RecordId {
    let id = uuid::Uuid::parse_str(event.as_str());
    let Ok(mut bytes) = id.map(uuid::Uuid::into_bytes) else {
        // Events of other programs may be named otherwise.
        let digest = Sha256::digest(format!("{event}/{nth}").as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        return RecordId::from(uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string());
    };
    // The last bytes are random in version 7: version and time stay as they are.
    bytes[15] ^= nth.wrapping_mul(0x5b);
    RecordId::from(uuid::Uuid::from_bytes(bytes).to_string())
}

/// The id of an interaction that began at `at` and is known inside as `key`.
fn interaction_id(key: &str, at: Instant) -> InteractionId {
    let digest = Sha256::digest(key.as_bytes());
    InteractionId::from(format!("int_{}_{}", at.as_millis().div_euclid(1_000), hex(&digest[..4])))
}

/// Seconds with a fraction, as the wire has times.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of a run fit into the 53 bits of a double")]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}

/// A failed call's class and a sentence for it.
fn call_error(kind: Option<ErrorKind>) -> (&'static str, &'static str) {
    match kind {
        None | Some(ErrorKind::Tool) => ("tool_error", "the tool reported an error"),
        Some(ErrorKind::BadArguments) => ("bad_arguments", "the arguments did not fit"),
        Some(ErrorKind::NotFound) => ("not_found", "there is no such tool"),
        Some(ErrorKind::Refused) => ("refused", "a person or a rule said no"),
        Some(ErrorKind::Interrupted) => ("interrupted", "a person stopped it"),
        Some(ErrorKind::TimedOut) => ("timed_out", "there was no answer in time"),
        Some(ErrorKind::Disconnected) => ("disconnected", "the server went away"),
        Some(ErrorKind::UnknownOutcome) => ("unknown_outcome", "the program ended while it ran"),
        Some(ErrorKind::Protocol) => ("protocol", "the server broke the protocol"),
    }
}

/// A turn's class of failure and a sentence for it; none where it ended well.
fn turn_error(end: TurnEnd) -> Option<(&'static str, &'static str)> {
    match end {
        TurnEnd::Done => None,
        TurnEnd::Interrupted => Some(("interrupted", "a person stopped it")),
        TurnEnd::StepLimit => Some(("step_limit", "it took as many steps as it may")),
        TurnEnd::Failed => Some(("model_failed", "the model failed")),
        TurnEnd::Crashed => Some(("crashed", "the program ended while it ran")),
    }
}

#[cfg(test)]
mod tests;
