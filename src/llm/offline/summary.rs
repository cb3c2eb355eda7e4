//! A deterministic extract where a language model would summarise: what was asked, what was called, what came back.

use std::fmt::Write as _;

use crate::domain::message::{Message, Role};
use crate::domain::text::{clean, clean_line, cut_middle, ellipsis};

/// The longest extract, in bytes.
const EXTRACT_BYTES_MAX: usize = 6_000;

/// The most characters kept of one line, by who spoke.
const USER_CHARS_MAX: usize = 300;
const OTHER_CHARS_MAX: usize = 160;

/// Whether a request asks for a summary of a conversation instead of an answer in it.
pub(super) fn is_wanted(messages: &[Message], tools: usize) -> bool {
    let asks = |message: &Message| {
        let text = message.content.to_lowercase();
        (text.contains("summaris") || text.contains("summariz") || text.contains("summary")) && text.contains("conversation")
    };
    tools == 0
        && messages.iter().any(|message| message.role == Role::System && asks(message))
        && messages.iter().any(|message| message.role != Role::System)
}

/// The extract.
pub(super) fn extract(messages: &[Message]) -> String {
    let mut lines = Vec::new();
    for message in messages {
        match message.role {
            Role::System => {}
            Role::User if message.content.contains("<conversation>") => lines.extend(of_transcript(&message.content)),
            Role::User => lines.push(line("User", &message.content, USER_CHARS_MAX)),
            Role::Assistant => {
                for call in &message.tool_calls {
                    let arguments = serde_json::to_string(&call.arguments).unwrap_or_default();
                    lines.push(line("Called", &format!("{} {arguments}", call.name), OTHER_CHARS_MAX));
                }
                if !message.content.trim().is_empty() {
                    lines.push(line("Agent", &message.content, OTHER_CHARS_MAX));
                }
            }
            Role::Tool => lines.push(line("Result", &message.content, OTHER_CHARS_MAX)),
        }
    }
    lines.retain(|line| !line.is_empty());
    let mut out = String::from("Extract made by rules (no language model), in order; long texts are cut:");
    for line in lines {
        let _ = write!(out, "\n- {line}");
    }
    cut_middle(&out, EXTRACT_BYTES_MAX).into_owned()
}

fn line(who: &str, text: &str, chars_max: usize) -> String {
    let text = clean_line(text);
    if text.is_empty() { String::new() } else { format!("{who}: {}", ellipsis(&text, chars_max)) }
}

/// Marks of a transcript, and what they become.
const SPEAKERS: &[(&str, &str, usize)] = &[
    ("USER: ", "User", USER_CHARS_MAX),
    ("AGENT: ", "Agent", OTHER_CHARS_MAX),
    ("CALL: ", "Called", OTHER_CHARS_MAX),
    ("RESULT: ", "Result", OTHER_CHARS_MAX),
];

/// The lines of a conversation that came as one text.
fn of_transcript(text: &str) -> Vec<String> {
    let inner = text.split_once("<conversation>").map_or(text, |(_, rest)| rest);
    let inner = inner.rsplit_once("</conversation>").map_or(inner, |(inner, _)| inner);
    let inner = clean(inner);
    let mut spoken: Vec<(&str, usize, String)> = Vec::new();
    for text in inner.lines() {
        match SPEAKERS.iter().find_map(|(mark, who, chars)| text.strip_prefix(mark).map(|rest| (*who, *chars, rest.to_owned()))) {
            Some(said) => spoken.push(said),
            None => {
                if let Some((_, _, said)) = spoken.last_mut() {
                    said.push('\n');
                    said.push_str(text);
                }
            }
        }
    }
    spoken.into_iter().map(|(who, chars, said)| line(who, &said, chars)).collect()
}
