//! Makes a conversation valid for every provider.
//!
//! Pure. What comes out: each call is answered exactly once, right after the message that makes it and in its order;
//! ids are unique, 40 characters at most and plain; names are safe; there is no empty assistant message; neighbours of
//! one voice are one message (some templates insist on turns). A valid conversation comes out as it is.

use std::collections::{HashMap, HashSet, VecDeque};

use sha2::{Digest, Sha256};

use crate::domain::ids::{CallId, ToolName};
use crate::domain::message::{Message, Role, ToolCall};
use crate::llm::ToolSpec;

/// The most tools in one request.
pub(super) const TOOLS_MAX: usize = 128;

/// The longest name of a tool.
const NAME_CHARS_MAX: usize = 64;

/// The longest id of a call that every provider takes.
const ID_CHARS_MAX: usize = 40;

/// The answer to a call that has none.
const NO_ANSWER: &str = "The call was interrupted. Whether it took effect is unknown.";

/// The answer of a tool that said nothing.
const EMPTY_ANSWER: &str = "(no output)";

/// `messages` as every provider takes them. With `short_ids` all ids are made of nine letters and digits.
pub(super) fn valid(messages: &[Message], short_ids: bool) -> Vec<Message> {
    let mut answers = collect_answers(messages);
    let mut ids = HashSet::new();
    let mut out: Vec<Message> = Vec::with_capacity(messages.len());
    for (at, message) in messages.iter().enumerate() {
        match message.role {
            Role::Tool => {}
            Role::System | Role::User => add(&mut out, message.clone()),
            Role::Assistant => {
                if message.content.trim().is_empty() && message.tool_calls.is_empty() {
                    continue;
                }
                let mut message = message.clone();
                let mut results = Vec::with_capacity(message.tool_calls.len());
                for (nth, call) in message.tool_calls.iter_mut().enumerate() {
                    let answer = answers.remove(&(at, nth));
                    make_safe(call, (at, nth), short_ids, &mut ids);
                    results.push(Message::tool_result(call.id.clone(), answer_text(answer)));
                }
                add(&mut out, message);
                out.extend(results);
            }
        }
    }
    out
}

fn answer_text(answer: Option<&str>) -> &str {
    match answer {
        None => NO_ANSWER,
        Some("") => EMPTY_ANSWER,
        Some(text) => text,
    }
}

/// Adds `message`, to the last one where both are of one voice and nothing but text.
fn add(out: &mut Vec<Message>, message: Message) {
    if let Some(last) = out.last_mut()
        && last.role == message.role
        && last.tool_calls.is_empty()
        && last.extra.is_empty()
        && message.extra.is_empty()
    {
        if !last.content.is_empty() && !message.content.is_empty() {
            last.content.push_str("\n\n");
        }
        last.content.push_str(&message.content);
        last.tool_calls = message.tool_calls;
        last.reasoning = message.reasoning.or(last.reasoning.take());
        return;
    }
    out.push(message);
}

/// Which result answers which call: the first after it that names its id, where an id is used again in turn.
fn collect_answers(messages: &[Message]) -> HashMap<(usize, usize), &str> {
    let mut open: HashMap<&str, VecDeque<(usize, usize)>> = HashMap::new();
    let mut answers = HashMap::new();
    for (at, message) in messages.iter().enumerate() {
        for (nth, call) in message.tool_calls.iter().enumerate() {
            open.entry(call.id.as_str()).or_default().push_back((at, nth));
        }
        if message.role == Role::Tool
            && let Some(id) = &message.tool_call_id
            && let Some(place) = open.get_mut(id.as_str()).and_then(VecDeque::pop_front)
        {
            answers.insert(place, message.content.as_str());
        }
    }
    answers
}

fn make_safe(call: &mut ToolCall, place: (usize, usize), short_ids: bool, ids: &mut HashSet<String>) {
    if call.invalid.is_some() {
        call.arguments.clear();
    }
    if !is_safe_name(call.name.as_str()) {
        call.name = safe_name(call.name.as_str());
    }
    let known = call.id.as_str();
    let plain = !known.is_empty() && known.len() <= ID_CHARS_MAX && known.bytes().all(|byte| byte.is_ascii_graphic());
    let short = known.len() == 9 && known.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let mut id = if plain && (!short_ids || short) { known.to_owned() } else { short_id(known, None) };
    while !ids.insert(id.clone()) {
        id = short_id(&id, Some(place));
    }
    if id != known {
        call.id = CallId::from(id);
    }
}

/// Nine letters and digits, always the same for the same id (at the same place).
fn short_id(id: &str, place: Option<(usize, usize)>) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let hash = Sha256::digest(format!("{id}\n{place:?}"));
    hash.iter().take(9).map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])).collect()
}

fn is_safe_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_CHARS_MAX && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

fn safe_name(name: &str) -> ToolName {
    let safe: String =
        name.chars().take(NAME_CHARS_MAX).map(|ch| if ch.is_ascii_alphanumeric() || matches!(ch, '_' | '-') { ch } else { '_' }).collect();
    ToolName::from(if safe.is_empty() { "unknown".to_owned() } else { safe })
}

/// The tools that can be offered: the first [`TOOLS_MAX`] with a safe name of their own.
pub(super) fn offered(tools: &[ToolSpec]) -> Vec<&ToolSpec> {
    let mut names = HashSet::new();
    tools.iter().filter(|tool| is_safe_name(tool.name.as_str()) && names.insert(tool.name.as_str())).take(TOOLS_MAX).collect()
}

#[cfg(test)]
mod tests;
