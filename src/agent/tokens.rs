//! How many tokens a text takes, guessed: used only where the provider does not say.

use crate::domain::message::Message;
use crate::llm::ToolSpec;

/// Bytes of ASCII text to one token.
const ASCII_BYTES_A_TOKEN: u64 = 4;

/// Tokens that a message takes beside its text (role, separators); as the tokenizers of the common providers have it.
const MESSAGE_OVERHEAD: u64 = 4;

/// Tokens of `text`: four bytes of ASCII, or one and a half other characters, to a token.
pub(super) fn of_text(text: &str) -> u64 {
    if text.is_ascii() {
        return (text.len() as u64).div_ceil(ASCII_BYTES_A_TOKEN);
    }
    let ascii = text.bytes().filter(u8::is_ascii).count() as u64;
    let others = text.chars().filter(|ch| !ch.is_ascii()).count() as u64;
    ascii.div_ceil(ASCII_BYTES_A_TOKEN) + (others * 2).div_ceil(3)
}

/// Tokens of one message, calls included.
pub(super) fn of_message(message: &Message) -> u64 {
    let calls: u64 = message.tool_calls.iter().map(|call| of_text(call.name.as_str()) + of_map(&call.arguments)).sum();
    MESSAGE_OVERHEAD + of_text(&message.content) + calls
}

/// Tokens of all `messages`.
pub(super) fn of_messages(messages: &[Message]) -> u64 {
    messages.iter().map(of_message).sum()
}

/// Tokens of the tools that are offered.
pub(super) fn of_tools(tools: &[ToolSpec]) -> u64 {
    tools.iter().map(|tool| of_text(tool.name.as_str()) + of_text(&tool.description) + of_map(&tool.parameters)).sum()
}

fn of_map(map: &serde_json::Map<String, serde_json::Value>) -> u64 {
    if map.is_empty() { 1 } else { serde_json::to_string(map).map_or(1, |text| of_text(&text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin_and_chinese_are_counted_by_their_own_measure() {
        assert_eq!(of_text(&"a".repeat(400)), 100);
        assert_eq!(of_text(&"中".repeat(150)), 100);
        assert_eq!(of_text("abcd中文字"), 1 + 2);
        assert_eq!(of_text(""), 0);
    }
}
