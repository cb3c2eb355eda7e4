//! A record on its way: its text as it lies in the queue, and what a transport must know of it. The text is not taken apart
//! and put together again for each way and each try.

use std::borrow::Cow;

use serde::Deserialize;

use crate::domain::ids::{InteractionId, RecordId};
use crate::domain::interaction::InteractionRecord;

/// A record that is to be sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Outgoing {
    /// The key by which a coordinator stores it once.
    pub record_id: RecordId,
    /// The interaction that it belongs to.
    pub interaction_id: InteractionId,
    /// Who reports.
    pub mcp_id: String,
    /// When it happened, in seconds since the Unix epoch.
    pub timestamp: f64,
    /// The whole record as JSON.
    pub text: String,
}

/// What is read of the text; the rest is passed over.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    record_id: Cow<'a, str>,
    #[serde(borrow)]
    interaction_id: Cow<'a, str>,
    #[serde(borrow)]
    mcp_id: Cow<'a, str>,
    timestamp: f64,
}

impl Outgoing {
    /// A record of our own queue.
    ///
    /// # Errors
    /// When the text is no JSON, or lacks what every record of ours has.
    pub fn read(text: String) -> Result<Self, serde_json::Error> {
        let head: Head<'_> = serde_json::from_str(&text)?;
        let (record_id, interaction_id) = (RecordId::new(&head.record_id), InteractionId::new(&head.interaction_id));
        let (mcp_id, timestamp) = (head.mcp_id.into_owned(), head.timestamp);
        Ok(Self { record_id, interaction_id, mcp_id, timestamp, text })
    }
}

impl From<&InteractionRecord> for Outgoing {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds until the year 9999 fit into the 53 bits of a double")]
    fn from(record: &InteractionRecord) -> Self {
        Self {
            record_id: record.record_id.clone(),
            interaction_id: record.interaction_id.clone(),
            mcp_id: record.mcp_id.clone(),
            timestamp: record.timestamp.as_millis() as f64 / 1e3,
            text: record.to_json().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_was_written() {
        let text = r#"{"action":"interaction_start","record_id":"r\u0031","interaction_id":"int_1_a","mcp_id":"me","timestamp":1.25,"request_data":{"mcp_id":"other"}}"#;
        let read = Outgoing::read(text.to_owned()).unwrap();
        let record = InteractionRecord::from_json(&serde_json::from_str(text).unwrap()).unwrap();
        let written = Outgoing::from(&record);
        assert_eq!((read.record_id, read.interaction_id, read.mcp_id), (written.record_id, written.interaction_id, written.mcp_id));
        assert_eq!((read.timestamp.to_bits(), read.text.as_str()), (written.timestamp.to_bits(), text));
        for bad in ["", "{", "{}", r#"{"record_id":1}"#] {
            assert!(Outgoing::read(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
