//! From frames to an answer: frame in, deltas out; at the end the whole.
//!
//! Pure. Promises: every piece of text that came is in a delta and in the message; calls count because they are there,
//! whatever the reason given for the end; an answer whose end nobody announced is no answer.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::domain::message::{Message, Role, Usage};
use crate::llm::openai::calls::{self, Calls, TooMany};
use crate::llm::openai::chunk::{Arguments, CallPart, Choice, Chunk};
use crate::llm::openai::failure::{Failure, Kind};
use crate::llm::openai::markers::{Piece, Splitter};
use crate::llm::{ChatRequest, Completion, Delta, Finish};

/// The longest answer, in bytes of text, thoughts and arguments together.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Puts one answer together.
#[derive(Debug)]
pub(super) struct Assembler {
    model: String,
    tools: HashSet<String>,
    splitter: Splitter,
    text: String,
    reasoning: String,
    calls: Calls,
    extra: Map<String, Value>,
    finish: Option<String>,
    usage: Option<Usage>,
    /// The answer that is followed, where a provider sends several.
    choice: Option<u64>,
    bytes: usize,
    shown: bool,
    /// Something of the answer has come, shown or not.
    begun: bool,
}

impl Assembler {
    /// For the answer to `request`.
    pub(super) fn new(request: &ChatRequest) -> Self {
        Self {
            model: request.model.clone(),
            tools: request.tools.iter().map(|tool| tool.name.to_string()).collect(),
            splitter: Splitter::new(!request.tools.is_empty()),
            text: String::new(),
            reasoning: String::new(),
            calls: Calls::default(),
            extra: Map::new(),
            finish: None,
            usage: None,
            choice: None,
            bytes: 0,
            shown: false,
            begun: false,
        }
    }

    /// Whether anything was shown already: from then on there is no other try.
    pub(super) fn has_shown(&self) -> bool {
        self.shown
    }

    /// Whether the answer has begun to come.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether the provider said why the answer ended: only tokens may follow.
    pub(super) fn has_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Takes a frame.
    pub(super) fn push(&mut self, chunk: Chunk, out: &mut Vec<Delta>) -> Result<(), Failure> {
        if let Some(model) = chunk.model {
            self.model = model;
        }
        if chunk.usage.is_some() {
            self.usage = chunk.usage;
        }
        for choice in chunk.choices {
            let index = choice.index.unwrap_or(0);
            if *self.choice.get_or_insert(index) == index {
                self.push_choice(choice, out)?;
            }
        }
        match chunk.error {
            Some(error) => Err(Failure::of_event(&error)),
            None => Ok(()),
        }
    }

    fn push_choice(&mut self, choice: Choice, out: &mut Vec<Delta>) -> Result<(), Failure> {
        if choice.is_whole && self.begun {
            // Some servers end a stream with the whole message once more.
            self.finish = choice.finish.or(self.finish.take());
            return Ok(());
        }
        self.count(choice.reasoning.len() + choice.text.len())?;
        if !choice.reasoning.is_empty() {
            self.think(choice.reasoning, out);
        }
        if !choice.text.is_empty() {
            let mut pieces = Vec::new();
            self.splitter.push(&choice.text, &mut pieces);
            self.begun = true;
            self.take(pieces, out)?;
        }
        for call in choice.calls {
            self.call(call, out)?;
        }
        for (key, value) in choice.extra {
            self.begun = true;
            calls::merge(&mut self.extra, key, value);
        }
        if let Some(finish) = choice.finish {
            if finish.eq_ignore_ascii_case("error") {
                return Err(Failure::new(Kind::Transient, "the provider ended the answer with an error"));
            }
            self.finish = Some(finish);
        }
        Ok(())
    }

    fn count(&mut self, bytes: usize) -> Result<(), Failure> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > ANSWER_BYTES_MAX {
            return Err(Failure::new(Kind::Refused, format!("the answer is longer than {} MiB", ANSWER_BYTES_MAX / 1024 / 1024)));
        }
        Ok(())
    }

    fn take(&mut self, pieces: Vec<Piece>, out: &mut Vec<Delta>) -> Result<(), Failure> {
        for piece in pieces {
            match piece {
                Piece::Text(text) => self.say(text, out),
                Piece::Reasoning(text) => self.think(text, out),
                Piece::Call { inner, whole } => match written_call(&inner, &self.tools) {
                    Some(call) => self.call(call, out)?,
                    None => self.say(whole, out),
                },
            }
        }
        Ok(())
    }

    fn say(&mut self, text: String, out: &mut Vec<Delta>) {
        self.text.push_str(&text);
        self.shown = true;
        match out.last_mut() {
            Some(Delta::Text(last)) => last.push_str(&text),
            _ => out.push(Delta::Text(text)),
        }
    }

    fn think(&mut self, text: String, out: &mut Vec<Delta>) {
        self.begun = true;
        self.shown = true;
        self.reasoning.push_str(&text);
        match out.last_mut() {
            Some(Delta::Reasoning(last)) => last.push_str(&text),
            _ => out.push(Delta::Reasoning(text)),
        }
    }

    fn call(&mut self, part: CallPart, out: &mut Vec<Delta>) -> Result<(), Failure> {
        self.begun = true;
        if let Arguments::Text(text) = &part.arguments {
            self.count(text.len())?;
        }
        let named = self.calls.push(part).map_err(|TooMany| Failure::new(Kind::Refused, TooMany::message()))?;
        if let Some(name) = named {
            self.shown = true;
            out.push(Delta::CallStarted(name));
        }
        Ok(())
    }

    /// Lets out the text that was held back because it might have become something else.
    pub(super) fn flush(&mut self, out: &mut Vec<Delta>) -> Result<(), Failure> {
        let mut pieces = Vec::new();
        self.splitter.finish(&mut pieces);
        self.take(pieces, out)
    }

    /// The end of the stream, said by the provider (`done`) or not. Call [`Self::flush`] before.
    pub(super) fn finish(self, done: bool) -> Result<Completion, Failure> {
        if self.finish.is_none() && !done {
            let said =
                if self.begun { "the stream ended before the answer was complete" } else { "the stream ended before the answer began" };
            return Err(Failure::new(Kind::Transient, said));
        }
        if self.finish.is_none() && !self.begun {
            return Err(Failure::new(Kind::Transient, "the answer is empty"));
        }
        let said = self.finish.as_deref().map_or(Finish::Stop, read_finish);
        let finish = match said {
            Finish::Stop | Finish::ToolCalls if self.calls.is_empty() => Finish::Stop,
            Finish::Stop | Finish::ToolCalls => Finish::ToolCalls,
            other => other,
        };
        let calls = self.calls.finish(finish == Finish::Length);
        let content = if !calls.is_empty() && self.text.trim().is_empty() { String::new() } else { self.text };
        let reasoning = Some(self.reasoning.trim()).filter(|text| !text.is_empty()).map(str::to_owned);
        let message = Message { reasoning, tool_calls: calls, extra: self.extra, ..Message::text(Role::Assistant, content) };
        Ok(Completion { message, finish, usage: self.usage, model: self.model })
    }
}

fn read_finish(reason: &str) -> Finish {
    match reason.to_ascii_lowercase().as_str() {
        "stop" | "end_turn" | "eos" | "eos_token" | "stop_sequence" | "end" | "complete" | "completed" => Finish::Stop,
        "tool_calls" | "tool_call" | "tool_use" | "function_call" => Finish::ToolCalls,
        "length" | "max_tokens" | "max_output_tokens" | "model_length" => Finish::Length,
        "content_filter" | "safety" | "recitation" | "sensitive" | "refusal" => Finish::Filtered,
        _ => Finish::Other(reason.to_owned()),
    }
}

/// A call that a model wrote as text, if it is one of a tool that was offered.
fn written_call(text: &str, tools: &HashSet<String>) -> Option<CallPart> {
    let Ok(Value::Object(mut call)) = serde_json::from_str(text.trim()) else { return None };
    let name = call.get("name")?.as_str().filter(|name| tools.contains(*name))?.to_owned();
    let arguments = ["arguments", "parameters"].iter().find_map(|key| call.remove(*key)).unwrap_or_else(|| Value::Object(Map::new()));
    let arguments = match arguments {
        Value::String(text) => Value::Object(calls::read_arguments(&text).ok()?),
        other => other,
    };
    Some(CallPart { name: Some(name), arguments: Arguments::Value(arguments), ..CallPart::default() })
}

#[cfg(test)]
mod tests;
