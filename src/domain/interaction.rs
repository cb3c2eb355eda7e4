//! A record of what the agent did, as a coordinator takes it.
//!
//! On the wire a record is `{"action", "record_id", "interaction_id", "mcp_id", "timestamp", <payload>}`, where the name
//! of the payload follows from the action and `timestamp` is a Unix time in seconds with a fraction. Programs that know
//! nothing of `record_id` send none: such a record is named by what it says, so that the same record sent again is known.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::domain::clock::Instant;
use crate::domain::ids::{InteractionId, RecordId};

/// What a record tells of an interaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Action {
    /// It began.
    #[serde(rename = "interaction_start")]
    Start,
    /// It goes on.
    #[serde(rename = "interaction_progress")]
    Progress,
    /// It ended well.
    #[serde(rename = "interaction_complete")]
    Complete,
    /// It failed.
    #[serde(rename = "interaction_error")]
    Error,
}

impl Action {
    /// All of them, in the order in which they come.
    pub const ALL: [Self; 4] = [Self::Start, Self::Progress, Self::Complete, Self::Error];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "interaction_start",
            Self::Progress => "interaction_progress",
            Self::Complete => "interaction_complete",
            Self::Error => "interaction_error",
        }
    }

    /// The name of the payload that goes with it.
    pub fn payload(self) -> &'static str {
        match self {
            Self::Start => "request_data",
            Self::Progress => "progress_data",
            Self::Complete => "result_data",
            Self::Error => "error_data",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Action {
    type Err = Malformed;

    fn from_str(word: &str) -> Result<Self, Malformed> {
        let known = || Self::ALL.map(Self::as_str).join(", ");
        Self::ALL
            .into_iter()
            .find(|action| action.as_str() == word)
            .ok_or_else(|| Malformed::new("action", format!("must be one of {}", known())))
    }
}

/// A record that is none: which field is wrong, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The field; empty where the whole is no record.
    pub field: &'static str,
    /// What it must be: `must be …`.
    pub must: String,
}

impl Malformed {
    fn new(field: &'static str, must: impl Into<String>) -> Self {
        Self { field, must: must.into() }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            "" => write!(f, "a record {}", self.must),
            field => write!(f, "`{field}` {}", self.must),
        }
    }
}

impl std::error::Error for Malformed {}

/// One record of one interaction.
#[derive(Debug, Clone, PartialEq)]
pub struct InteractionRecord {
    /// The key by which a coordinator stores it once.
    pub record_id: RecordId,
    /// What it tells.
    pub action: Action,
    /// The interaction that it belongs to.
    pub interaction_id: InteractionId,
    /// Who reports.
    pub mcp_id: String,
    /// When it happened.
    pub timestamp: Instant,
    /// What was asked, reached or went wrong.
    pub payload: Map<String, Value>,
}

/// The longest `interaction_id`, `mcp_id` or `record_id` that is taken, in characters.
pub const ID_CHARS_MAX: usize = 200;

/// The most records in one batch.
pub const BATCH_MAX: usize = 100;

/// The last second of the year 9999, the greatest time that is taken.
const SECONDS_MAX: f64 = 253_402_300_799.0;

impl InteractionRecord {
    /// The record as it goes over the wire.
    pub fn to_json(&self) -> Value {
        let mut out = Map::new();
        out.insert("action".to_owned(), json!(self.action));
        out.insert("record_id".to_owned(), json!(self.record_id));
        out.insert("interaction_id".to_owned(), json!(self.interaction_id));
        out.insert("mcp_id".to_owned(), json!(self.mcp_id));
        out.insert("timestamp".to_owned(), json!(seconds(self.timestamp)));
        out.insert(self.action.payload().to_owned(), Value::Object(self.payload.clone()));
        Value::Object(out)
    }

    /// Reads what came over the wire.
    ///
    /// # Errors
    ///
    /// Where a field is missing, is of another type, is too long or out of range.
    pub fn from_json(value: &Value) -> Result<Self, Malformed> {
        let object = value.as_object().ok_or_else(|| Malformed::new("", "must be a JSON object"))?;
        let action: Action = text(object, "action")?.parse()?;
        let seconds = object
            .get("timestamp")
            .and_then(Value::as_f64)
            .filter(|seconds| (0.0..=SECONDS_MAX).contains(seconds))
            .ok_or_else(|| Malformed::new("timestamp", "must be a Unix time in seconds, as a number"))?;
        let payload = match object.get(action.payload()) {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(payload)) => payload.clone(),
            Some(_) => return Err(Malformed::new(action.payload(), "must be an object")),
        };
        let record_id = match object.get("record_id") {
            None | Some(Value::Null) => named_by_content(object),
            Some(_) => RecordId::new(text(object, "record_id")?),
        };
        Ok(Self {
            record_id,
            action,
            interaction_id: InteractionId::new(text(object, "interaction_id")?),
            mcp_id: text(object, "mcp_id")?.to_owned(),
            timestamp: instant(seconds),
            payload,
        })
    }
}

fn text<'a>(object: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, Malformed> {
    match object.get(name).and_then(Value::as_str) {
        Some(text) if text.chars().any(char::is_control) => Err(Malformed::new(name, "must have no control characters")),
        Some(text) if !text.trim().is_empty() && text.chars().count() <= ID_CHARS_MAX => Ok(text),
        Some(_) => Err(Malformed::new(name, format!("must have 1 to {ID_CHARS_MAX} characters"))),
        None => Err(Malformed::new(name, "must be a text")),
    }
}

/// Seconds since the Unix epoch.
#[expect(clippy::cast_precision_loss, reason = "milliseconds until the year 9999 fit into the 53 bits of a double")]
fn seconds(at: Instant) -> f64 {
    at.as_millis() as f64 / 1e3
}

#[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
fn instant(seconds: f64) -> Instant {
    Instant::from_millis((seconds * 1e3).round() as i64)
}

/// A key for a record without one: the same content again is the same record.
fn named_by_content(object: &Map<String, Value>) -> RecordId {
    let mut sorted = Value::Object(object.clone());
    sorted.sort_all_objects();
    let digest = Sha256::digest(sorted.to_string().as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // Version 8 (RFC 9562): of our own making.
    RecordId::from(uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string())
}

#[cfg(test)]
mod tests;
