//! What a provider turned out not to take: learnt from its refusals, remembered while the program runs.
//!
//! Pure. Some keys are understood by nearly all servers and refused by a few; rather than ask the user which, the refusal
//! is read and the request is sent again without the key.

use crate::llm::openai::failure::{Failure, Kind};

/// What to leave out or put differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is learnt by itself")]
pub(super) struct Quirks {
    /// It knows no `stream_options`.
    pub(super) no_stream_options: bool,
    /// It wants `max_completion_tokens` in place of `max_tokens`.
    pub(super) completion_tokens: bool,
    /// The model's temperature is fixed.
    pub(super) no_temperature: bool,
    /// Ids of calls are nine letters and digits.
    pub(super) short_ids: bool,
    /// Descriptions of tools are limited.
    pub(super) short_descriptions: bool,
}

impl Quirks {
    /// What `failure` teaches; nothing where it is about something else or known already.
    pub(super) fn learn(self, failure: &Failure) -> Option<Self> {
        if failure.kind != Kind::Refused || !matches!(failure.status, Some(400 | 422)) {
            return None;
        }
        let words = failure.message.to_lowercase();
        let says = |all: &[&str]| all.iter().all(|word| words.contains(word));
        let mut learnt = self;
        if says(&["stream_options"]) {
            learnt.no_stream_options = true;
        } else if says(&["max_tokens", "max_completion_tokens"]) {
            learnt.completion_tokens = true;
        } else if says(&["temperature"]) && (says(&["support"]) || says(&["deprecated"]) || says(&["not permitted"])) {
            learnt.no_temperature = true;
        } else if says(&["tool call id"]) || (says(&["tool_call"]) && says(&["length of 9"])) {
            learnt.short_ids = true;
        } else if says(&["description", "too long"]) {
            learnt.short_descriptions = true;
        }
        (learnt != self).then_some(learnt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_teach_once() {
        let check = |message: &str, expected: Option<Quirks>| {
            let failure = Failure::of_response(400, None, message.as_bytes());
            assert_eq!(Quirks::default().learn(&failure), expected, "{message}");
            if let Some(learnt) = expected {
                assert_eq!(learnt.learn(&failure), None, "{message}: a second time");
            }
        };
        let none = Quirks::default();
        check("body.stream_options: Extra inputs are not permitted", Some(Quirks { no_stream_options: true, ..none }));
        check(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
            Some(Quirks { completion_tokens: true, ..none }),
        );
        check("Unsupported value: 'temperature' does not support 0.2 with this model.", Some(Quirks { no_temperature: true, ..none }));
        check("Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.", Some(Quirks { short_ids: true, ..none }));
        check("Invalid 'tools[0].function.description': string too long.", Some(Quirks { short_descriptions: true, ..none }));
        check("no such thing", None);
        assert_eq!(none.learn(&Failure::of_response(500, None, b"stream_options")), None);
    }
}
