//! Makes a conversation valid for every provider.
//!
//! Pure. What comes out: each call is answered exactly once, right after the message that makes it and in its order;
//! ids are unique, 40 characters at most and plain; names are safe; there is no empty assistant message; neighbours of
//! one voice are one message (some templates insist on turns). A valid conversation comes out as it is.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};

use sha2::{Digest, Sha256};

use crate::domain::ids::{CallId, ToolName};
use crate::domain::message::{Message, Role};
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
pub(super) fn valid(messages: &[Message], short_ids: bool) -> Vec<Cow<'_, Message>> {
    let mut answers = collect_answers(messages);
    let mut ids = HashSet::new();
    let mut out: Vec<Cow<'_, Message>> = Vec::with_capacity(messages.len());
    for (at, message) in messages.iter().enumerate() {
        match message.role {
            Role::Tool => {}
            Role::System | Role::User => add(&mut out, Cow::Borrowed(message)),
            Role::Assistant => {
                if message.content.trim().is_empty() && message.tool_calls.is_empty() {
                    continue;
                }
                let mut safe = Cow::Borrowed(message);
                let mut results = Vec::with_capacity(message.tool_calls.len());
                for (nth, call) in message.tool_calls.iter().enumerate() {
                    let id = safe_id(call.id.as_str(), (at, nth), short_ids, &mut ids);
                    make_safe(&mut safe, nth, &id);
                    results.push(result(answers.remove(&(at, nth)), id));
                }
                add(&mut out, safe);
                out.extend(results);
            }
        }
    }
    out
}

/// The message that answers the call `id`.
fn result(answer: Option<&Message>, id: CallId) -> Cow<'_, Message> {
    let text = match answer.map(|answer| answer.content.as_str()) {
        None => NO_ANSWER,
        Some("") => EMPTY_ANSWER,
        Some(text) => text,
    };
    match answer {
        Some(answer) if answer.content == text && answer.tool_call_id.as_ref() == Some(&id) && is_plain(answer) => Cow::Borrowed(answer),
        _ => Cow::Owned(Message::tool_result(id, text)),
    }
}

/// There is nothing in it but its text.
fn is_plain(message: &Message) -> bool {
    message.tool_calls.is_empty() && message.extra.is_empty() && message.reasoning.is_none()
}

/// Adds `message`, to the last one where both are of one voice and nothing but text.
fn add<'a>(out: &mut Vec<Cow<'a, Message>>, message: Cow<'a, Message>) {
    let joins =
        |last: &Message| last.role == message.role && last.tool_calls.is_empty() && last.extra.is_empty() && message.extra.is_empty();
    match out.last_mut() {
        Some(last) if joins(last) => {
            let (last, message) = (last.to_mut(), message.into_owned());
            if !last.content.is_empty() && !message.content.is_empty() {
                last.content.push_str("\n\n");
            }
            last.content.push_str(&message.content);
            last.tool_calls = message.tool_calls;
            last.reasoning = message.reasoning.or(last.reasoning.take());
        }
        _ => out.push(message),
    }
}

/// Which result answers which call: the first after it that names its id, where an id is used again in turn.
fn collect_answers(messages: &[Message]) -> HashMap<(usize, usize), &Message> {
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
            answers.insert(place, message);
        }
    }
    answers
}

/// An id for a call that no other one has and every provider takes: its own where it will do.
fn safe_id(known: &str, place: (usize, usize), short_ids: bool, ids: &mut HashSet<CallId>) -> CallId {
    let plain = !known.is_empty() && known.len() <= ID_CHARS_MAX && known.bytes().all(|byte| byte.is_ascii_graphic());
    let short = known.len() == 9 && known.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let mut id = CallId::from(if plain && (!short_ids || short) { known.to_owned() } else { short_id(known, None) });
    while !ids.insert(id.clone()) {
        id = CallId::from(short_id(id.as_str(), Some(place)));
    }
    id
}

/// Gives a call of `message` that id, a safe name, and no arguments where they could not be read.
fn make_safe(message: &mut Cow<'_, Message>, nth: usize, id: &CallId) {
    let call = &message.tool_calls[nth];
    let drops = call.invalid.is_some() && !call.arguments.is_empty();
    if call.id == *id && is_safe_name(call.name.as_str()) && !drops {
        return;
    }
    let call = &mut message.to_mut().tool_calls[nth];
    call.id = id.clone();
    if drops {
        call.arguments.clear();
    }
    if !is_safe_name(call.name.as_str()) {
        call.name = safe_name(call.name.as_str());
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
