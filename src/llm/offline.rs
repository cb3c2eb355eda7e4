//! The offline assistant: a deterministic, rule-based stand-in for a model. No language model, and it says so.
//!
//! It works without key, config and network and drives the same loop as any model: it calls the tools it is offered,
//! asks for what is missing and answers from their results. All its decisions are a pure function of the request
//! ([`plan`]); this file only streams them. It understands English and Chinese, the built-in tools by rows of a table
//! ([`intents`]), all other tools by their names and schemas ([`generic`], [`fill`]).

mod arithmetic;
mod fill;
mod generic;
mod intents;
mod memories;
mod plan;
mod reply;
mod request;
mod slots;
mod summary;
mod talk;
mod tasks;
mod toolset;
mod web;
mod words;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use crate::domain::ids::CallId;
use crate::domain::message::{Message, Role, ToolCall, Usage};
use crate::llm::{ChatRequest, Completion, Delta, DeltaStream, Error, Finish, Llm};

/// The provider's name.
pub const PROVIDER: &str = "offline";

/// The name of its only model.
pub const MODEL: &str = "assistant";

/// What a newcomer may pick with one key; each works without a key, a config or a network.
pub const SUGGESTIONS: [&str; 3] =
    ["What can you do?", "List the files here and tell me about this folder", "What time is it in Tokyo, and what is 17% of 2,340?"];

/// What counts as its context, in tokens: rules have none, but a conversation must not grow without end.
const CONTEXT_TOKENS: u64 = 128_000;

/// Characters of a piece of streamed text where no blank parts it (as in Chinese).
const PIECE_CHARS: usize = 4;

/// The offline assistant.
#[derive(Debug, Clone, Default)]
pub struct Offline;

impl Offline {
    /// The assistant; it needs nothing.
    pub fn new() -> Self {
        Self
    }
}

impl Llm for Offline {
    fn chat(&self, request: ChatRequest) -> DeltaStream {
        // The work is done when the stream is polled, and not at all when it is dropped before.
        futures::stream::once(async move { futures::stream::iter(deltas(&request)) }).flatten().boxed()
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<String>, Error>> {
        std::future::ready(Ok(vec![MODEL.to_owned()])).boxed()
    }

    fn fixed_models(&self) -> &'static [&'static str] {
        &[MODEL]
    }

    fn context_tokens(&self, _model: &str) -> Option<u64> {
        Some(CONTEXT_TOKENS)
    }
}

/// The whole answer in the pieces it is streamed in.
fn deltas(request: &ChatRequest) -> Vec<Result<Delta, Error>> {
    let next = if summary::is_wanted(&request.messages, request.tools.len()) {
        plan::Plan::Say(summary::extract(&request.messages))
    } else {
        plan::plan(&request.messages, &toolset::Toolset::new(&request.tools))
    };
    let mut message = Message::text(Role::Assistant, "");
    let mut deltas = Vec::new();
    let finish = match next {
        plan::Plan::Say(text) => {
            deltas.extend(pieces(&text).into_iter().map(|piece| Ok(Delta::Text(piece.to_owned()))));
            message.content = text;
            Finish::Stop
        }
        plan::Plan::Call(calls) => {
            for call in calls {
                deltas.push(Ok(Delta::CallStarted(call.tool.to_string())));
                let id = CallId::generate();
                message.tool_calls.push(ToolCall {
                    id,
                    name: call.tool,
                    arguments: call.arguments,
                    invalid: None,
                    extra: serde_json::Map::new(),
                });
            }
            Finish::ToolCalls
        }
    };
    let usage = Some(usage(request, &message));
    deltas.push(Ok(Delta::Done(Completion { message, finish, usage, model: MODEL.to_owned() })));
    deltas
}

/// Words with the blank after them; longer runs without one in short pieces.
fn pieces(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for word in text.split_inclusive(char::is_whitespace) {
        if word.is_ascii() {
            found.push(word);
            continue;
        }
        let mut rest = word;
        while let Some((at, _)) = rest.char_indices().nth(PIECE_CHARS) {
            let (piece, after) = rest.split_at(at);
            found.push(piece);
            rest = after;
        }
        found.push(rest);
    }
    found.retain(|piece| !piece.is_empty());
    found
}

/// Tokens by the rule of thumb of four bytes each, or one and a half Chinese characters.
fn usage(request: &ChatRequest, answer: &Message) -> Usage {
    let of_text = |text: &str| -> u64 {
        let han = text.chars().filter(|ch| words::is_han(*ch)).count();
        let rest = text.len().saturating_sub(han * 3);
        u64::try_from(han * 2 / 3 + rest.div_ceil(4)).unwrap_or(u64::MAX)
    };
    let of_message = |message: &Message| {
        let calls: u64 = message
            .tool_calls
            .iter()
            .map(|call| of_text(call.name.as_str()) + of_text(&serde_json::to_string(&call.arguments).unwrap_or_default()))
            .sum();
        of_text(&message.content) + calls
    };
    let tools: u64 = request
        .tools
        .iter()
        .map(|tool| of_text(&tool.description) + of_text(&serde_json::to_string(&tool.parameters).unwrap_or_default()))
        .sum();
    Usage {
        input_tokens: request.messages.iter().map(of_message).sum::<u64>() + tools,
        output_tokens: of_message(answer),
        cached_tokens: 0,
    }
}

#[cfg(test)]
mod tests;
