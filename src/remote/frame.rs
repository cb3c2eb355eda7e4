//! What comes over the feed, read.

use serde_json::Value;

use crate::domain::event::Event;
use crate::domain::ids::Seq;

/// A frame.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Frame {
    /// How we stand with the feed: the first frame, and later ones where frames were lost.
    Ack(Ack),
    /// Something happened.
    Event(Box<Event>),
    /// Neither: why.
    Unknown(String),
}

/// What `connection_ack` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ack {
    /// The id of the log there.
    pub(super) epoch: String,
    /// The position after which frames come, where it is said.
    pub(super) resume_from: Option<Seq>,
    /// Frames that were lost.
    pub(super) dropped: u64,
}

/// Reads a frame.
pub(super) fn read(text: &str) -> Frame {
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => return Frame::Unknown(error.to_string()),
    };
    if value.get("type").and_then(Value::as_str) == Some("connection_ack") {
        let data = value.get("data").cloned().unwrap_or_default();
        let Some(epoch) = data.get("epoch").and_then(Value::as_str) else {
            return Frame::Unknown("an acknowledgement without `epoch`".to_owned());
        };
        let number = |name: &str| data.get(name).and_then(Value::as_u64);
        return Frame::Ack(Ack {
            epoch: epoch.to_owned(),
            resume_from: number("resume_from").map(Seq),
            dropped: number("dropped").unwrap_or(0),
        });
    }
    match serde_json::from_value(value) {
        Ok(event) => Frame::Event(Box::new(event)),
        Err(error) => Frame::Unknown(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledgements_events_and_the_rest() {
        let ack = r#"{"type":"connection_ack","message":"m","client_id":"c","data":{"client_type":"MCPLog","epoch":"e","resume_from":7,"dropped":3}}"#;
        assert_eq!(read(ack), Frame::Ack(Ack { epoch: "e".to_owned(), resume_from: Some(Seq(7)), dropped: 3 }));
        let bare = r#"{"type":"connection_ack","data":{"epoch":"e","resume_from":null}}"#;
        assert_eq!(read(bare), Frame::Ack(Ack { epoch: "e".to_owned(), resume_from: None, dropped: 0 }));
        let event = r#"{"type":"weather","data":{"c":3},"timestamp":"2026-01-01T12:00:00.000Z","seq":4,"id":"i"}"#;
        assert!(matches!(read(event), Frame::Event(event) if event.seq == Some(Seq(4)) && event.body.type_name() == "weather"));
        for odd in ["", "[]", "{}", r#"{"type":"chat"}"#, r#"{"type":"connection_ack"}"#] {
            assert!(matches!(read(odd), Frame::Unknown(_)), "{odd}");
        }
    }
}
