//! Rounds of the newer era: a request that asks its client ends with the questions, and comes back with the answers.
//!
//! What was answered in earlier rounds travels in `requestState`, sealed: bound to the method, the name and the arguments of
//! the request, for a limited time, under a key that this process alone has. A state that was changed, is too old or belongs
//! to another request is refused.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use rmcp::model::{InputRequest, InputRequiredResult, RequestStateCodec, SealOptions};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::mcp::server::ask::Ask;
use crate::mcp::server::error::Error;

/// How long a person may take for all rounds of one request.
const STATE_TTL: Duration = Duration::from_hours(1);

/// The longest state, in bytes as it is sealed.
const STATE_BYTES_MAX: usize = 256 * 1_024;

/// Answers by the keys they were asked under.
pub(super) type Answers = BTreeMap<String, Value>;

/// What a request waits for.
#[derive(Debug)]
pub struct Waiting {
    /// The questions of this round.
    pub(super) asks: BTreeMap<String, Ask>,
    /// What was answered so far.
    pub(super) known: Answers,
}

/// Which request a state belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Subject([u8; 32]);

impl Subject {
    pub(super) fn of(method: &str, name: &str, arguments: Option<&Map<String, Value>>) -> Self {
        let mut hash = Sha256::new();
        for part in [method, name] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
        if let Some(arguments) = arguments {
            digest_object(&mut hash, arguments);
        }
        Self(hash.finalize().into())
    }
}

/// The same whatever the order of the keys, which a client may change between rounds.
fn digest_object(hash: &mut Sha256, object: &Map<String, Value>) {
    let mut keys: Vec<&String> = object.keys().collect();
    keys.sort_unstable();
    hash.update(b"{");
    for key in keys {
        hash.update((key.len() as u64).to_be_bytes());
        hash.update(key.as_bytes());
        digest_value(hash, object.get(key).unwrap_or(&Value::Null));
    }
    hash.update(b"}");
}

fn digest_value(hash: &mut Sha256, value: &Value) {
    match value {
        Value::Object(object) => digest_object(hash, object),
        Value::Array(values) => {
            hash.update(b"[");
            values.iter().for_each(|value| digest_value(hash, value));
            hash.update(b"]");
        }
        simple => {
            let text = simple.to_string();
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
    }
}

/// Seals and opens states. Its key is made at the first use and never leaves the process.
#[derive(Default)]
pub(super) struct Rounds(OnceLock<Option<RequestStateCodec>>);

impl Rounds {
    fn codec(&self) -> Result<&RequestStateCodec, Error> {
        let made = self.0.get_or_init(|| {
            let mut key = [0_u8; 32];
            rustls::crypto::ring::default_provider().secure_random.fill(&mut key).ok()?;
            RequestStateCodec::try_new(key).ok()
        });
        made.as_ref().ok_or_else(|| Error::internal("the system gives no random numbers: nothing can be sealed"))
    }

    /// What the state of an earlier round holds.
    pub(super) fn open(&self, subject: Subject, state: Option<&str>) -> Result<Answers, Error> {
        let Some(state) = state else { return Ok(Answers::new()) };
        if state.len() > STATE_BYTES_MAX {
            return Err(Error::BadRequest(format!("`requestState` is longer than the {STATE_BYTES_MAX} bytes of ours")));
        }
        let opened = self.codec()?.open_with(state, &subject.0);
        let refused =
            |error: &dyn std::fmt::Display| Error::BadRequest(format!("`requestState` is refused: {error}; begin anew without it"));
        let bytes = opened.map_err(|error| refused(&error))?;
        serde_json::from_slice(&bytes).map_err(|error| refused(&error))
    }

    /// The end of a round.
    pub(super) fn required(&self, subject: Subject, waiting: &Waiting) -> Result<InputRequiredResult, Error> {
        let known = serde_json::to_vec(&waiting.known).map_err(|error| Error::internal(format!("the answers cannot be kept: {error}")))?;
        let state = self.codec()?.seal_with(&known, &SealOptions::new().associated_data(&subject.0).ttl(STATE_TTL));
        if state.len() > STATE_BYTES_MAX {
            return Err(Error::BadRequest(format!("the answers are longer than the {STATE_BYTES_MAX} bytes that can be kept")));
        }
        let mut requests = BTreeMap::new();
        for (key, ask) in &waiting.asks {
            let request: InputRequest = serde_json::from_value(ask.wire())
                .map_err(|error| Error::internal(format!("the question `{key}` cannot be asked like this: {error}")))?;
            requests.insert(key.clone(), request);
        }
        let mut result = InputRequiredResult::from_input_requests(requests);
        result.request_state = Some(state);
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn arguments(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    fn sealed(rounds: &Rounds, subject: Subject) -> String {
        let known = Answers::from([("a".to_owned(), json!({"action": "accept"}))]);
        let waiting = Waiting { asks: BTreeMap::from([("b".to_owned(), Ask::Roots)]), known };
        rounds.required(subject, &waiting).unwrap().request_state.unwrap()
    }

    #[test]
    fn a_state_opens_for_its_own_request_only() {
        let rounds = Rounds::default();
        let subject = Subject::of("tools/call", "t", Some(&arguments(json!({"x": 1, "y": {"a": [1, 2], "b": null}}))));
        let state = sealed(&rounds, subject);
        assert_eq!(rounds.open(subject, Some(&state)).unwrap().len(), 1);
        let shuffled = Subject::of("tools/call", "t", Some(&arguments(json!({"y": {"b": null, "a": [1, 2]}, "x": 1}))));
        assert_eq!(rounds.open(shuffled, Some(&state)).unwrap().len(), 1, "the order of the keys means nothing");
        for other in [
            Subject::of("prompts/get", "t", Some(&arguments(json!({"x": 1, "y": {"a": [1, 2], "b": null}})))),
            Subject::of("tools/call", "u", Some(&arguments(json!({"x": 1, "y": {"a": [1, 2], "b": null}})))),
            Subject::of("tools/call", "t", Some(&arguments(json!({"x": 1, "y": {"a": [2, 1], "b": null}})))),
            Subject::of("tools/call", "t", None),
        ] {
            assert!(matches!(rounds.open(other, Some(&state)), Err(Error::BadRequest(_))));
        }
    }

    #[test]
    fn a_state_that_was_touched_or_is_anothers_is_refused() {
        let rounds = Rounds::default();
        let subject = Subject::of("tools/call", "t", None);
        let state = sealed(&rounds, subject);
        assert!(rounds.open(subject, None).unwrap().is_empty());
        let mut flipped = state.clone().into_bytes();
        let middle = flipped.len() / 2;
        flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
        let flipped = String::from_utf8(flipped).unwrap();
        for touched in [format!("{state}-TAMPERED"), state[1..].to_owned(), flipped, String::new(), "x".repeat(STATE_BYTES_MAX + 1)] {
            assert!(matches!(rounds.open(subject, Some(&touched)), Err(Error::BadRequest(_))), "{touched:.80}");
        }
        assert!(matches!(Rounds::default().open(subject, Some(&state)), Err(Error::BadRequest(_))), "another process's key");
    }
}
