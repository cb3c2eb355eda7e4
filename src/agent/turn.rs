//! One turn of an agent, from a prompt to its answer: inputs in, effects out. Pure: no I/O, no clock, no runtime.
//!
//! Effects are to be carried out in order, and what is published must be in the log before a later effect that acts
//! ([`Effect::CallModel`], [`Effect::RunTool`] …) begins. An input that does not fit the moment is ignored: answers
//! that come late, after an interruption, change nothing.

mod calls;
mod contract;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub(in crate::agent) use calls::NO_SERVER;
pub use contract::{Effect, Env, Identity, Input, Limits, Offer, Outcome, Prompt, Target};

use crate::agent::prompt;
use crate::agent::tokens;
use crate::agent::turn::calls::Slot;
use crate::domain::clock::Instant;
use crate::domain::event::{Chat, ChatStatus, EventBody, TurnEnd, TurnEvent};
use crate::domain::ids::{CallId, MessageId, TurnId};
use crate::domain::memory::{MemoryEvent, Notes};
use crate::domain::message::{Message, Role, ToolCall, Usage};
use crate::domain::tool::ToolInfo;
use crate::llm::{self, ChatRequest, Completion, Delta, Finish, ToolSpec};

#[derive(Debug)]
enum Phase {
    Ready,
    Recalling,
    Calling { text: String, reasoning: String },
    Acting(Vec<Slot>),
    Compacting,
    Ended,
}

/// One turn.
#[derive(Debug)]
pub struct Turn {
    id: TurnId,
    who: Identity,
    limits: Limits,
    messages: Vec<Message>,
    phase: Phase,
    offer: Offer,
    steers: VecDeque<Prompt>,
    started: Instant,
    steps: u32,
    usage: Usage,
    /// What the last model call read, as the provider says or as we guess.
    input_tokens: u64,
    /// Tokens of `messages[..counted]` with system message and tools; the rest is guessed when needed.
    known_tokens: u64,
    counted: usize,
    compact_asked: bool,
    /// It was summarised (or that failed) since the last answer: not again before the next one.
    compacted: bool,
    /// The model has called the conversation too long once.
    was_too_long: bool,
    /// It began with a call of the user's own.
    is_direct: bool,
}

/// The effects of one step, by the order in which they must happen.
#[derive(Debug, Default)]
struct Out {
    stops: Vec<Effect>,
    says: Vec<Effect>,
    acts: Vec<Effect>,
}

impl Out {
    fn say(&mut self, body: impl Into<EventBody>) {
        self.says.push(Effect::Publish(body.into()));
    }
}

impl Turn {
    /// A turn that goes on from `history` (without system message).
    pub fn new(id: TurnId, who: Identity, limits: Limits, history: Vec<Message>) -> Self {
        Self {
            id,
            who,
            limits,
            messages: history,
            phase: Phase::Ready,
            offer: Offer::default(),
            steers: VecDeque::new(),
            started: Instant::default(),
            steps: 0,
            usage: Usage::default(),
            input_tokens: 0,
            known_tokens: 0,
            counted: 0,
            compact_asked: false,
            compacted: false,
            was_too_long: false,
            is_direct: false,
        }
    }

    /// Which turn it is.
    pub fn id(&self) -> &TurnId {
        &self.id
    }

    /// Who runs it.
    pub fn who(&self) -> &Identity {
        &self.who
    }

    /// The `provider/model` of the running step.
    pub fn model(&self) -> &str {
        &self.offer.model
    }

    /// The history as the model is told it, without the system message.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// What the model of the running step can hold.
    pub fn context_tokens_max(&self) -> u64 {
        self.offer.context_tokens
    }

    /// What its model calls took so far.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Tokens that the turn spent on something else than its own steps.
    pub fn add_usage(&mut self, usage: Usage) {
        self.usage = self.usage.plus(usage);
    }

    /// Whether a person is asked about this call.
    pub fn is_asking(&self, call_id: &CallId) -> bool {
        matches!(&self.phase, Phase::Acting(slots) if slots.iter().any(|slot| slot.is_asking() && slot.call.id == *call_id))
    }

    /// Takes one input.
    pub fn step(&mut self, env: &mut Env<'_>, input: Input) -> Vec<Effect> {
        let mut out = Out::default();
        match (&mut self.phase, input) {
            (Phase::Ready, Input::Start(prompts)) => self.start(env, prompts, &mut out),
            (Phase::Ready, Input::StartWithCall { prompt, call, tool }) => self.start_with_call(env, prompt, call, *tool, &mut out),
            (Phase::Recalling, Input::Recalled(notes)) => self.recalled(env, notes, &mut out),
            (Phase::Calling { .. }, Input::Deltas(deltas)) => self.deltas(deltas, &mut out),
            (Phase::Calling { .. }, Input::Completed(completion)) => self.completed(env, completion, &mut out),
            (Phase::Calling { .. }, Input::ModelFailed(error)) => self.model_failed(env, &error, &mut out),
            (Phase::Acting(_), Input::ToolFinished { call_id, result }) => self.tool_finished(env, &call_id, result, &mut out),
            (Phase::Acting(_), Input::HandoffFinished { call_id, result }) => self.handoff_finished(env, &call_id, result, &mut out),
            (Phase::Acting(_), Input::Decided { call_id, decision }) => self.decided(env, &call_id, decision, &mut out),
            (Phase::Acting(_), Input::Reconsider) => self.reconsider(env, &mut out),
            (Phase::Compacting, Input::Compacted(messages)) => {
                self.messages = messages;
                (self.known_tokens, self.counted, self.compacted) = (0, 0, true);
                self.advance(env, &mut out);
            }
            (Phase::Compacting, Input::CompactFailed(error)) => self.compact_failed(env, &error, &mut out),
            (Phase::Ended, _) => {}
            (_, Input::Steer(prompt)) => self.steers.push_back(prompt),
            (_, Input::EditSteer { message_id, text }) => self.edit_steer(&message_id, text),
            (_, Input::CompactAsked) => self.compact_asked = true,
            (_, Input::Interrupt) => self.interrupt(env, &mut out),
            // Too late or out of place: what it is about is over.
            _ => {}
        }
        let Out { mut stops, says, acts } = out;
        stops.extend(says);
        stops.extend(acts);
        stops
    }

    fn start(&mut self, env: &mut Env<'_>, prompts: Vec<Prompt>, out: &mut Out) {
        self.started = env.now;
        for prompt in prompts {
            self.join(prompt, out);
        }
        let model = (env.offer)().model;
        let (turn, parent, agent) = (self.id.clone(), self.who.parent.clone(), self.who.agent.clone());
        out.say(TurnEvent::Started { turn, parent, agent, model });
        if self.limits.recalls && self.who.parent.is_none() {
            self.phase = Phase::Recalling;
            let said = self.messages.iter().rev().take_while(|message| message.role == Role::User).map(|message| message.content.as_str());
            let said: Vec<&str> = said.collect();
            return out.acts.push(Effect::Recall(said.into_iter().rev().collect::<Vec<_>>().join("\n")));
        }
        self.advance(env, out);
    }

    /// What fits stands before the last words of the user, in the log as in the prompt.
    fn recalled(&mut self, env: &mut Env<'_>, notes: Notes, out: &mut Out) {
        if !notes.is_empty()
            && let Some(last) = self.messages.iter_mut().rfind(|message| message.role == Role::User)
        {
            last.content = notes.before(&last.content);
            out.say(MemoryEvent::Recalled { turn: self.id.clone(), notes });
        }
        self.advance(env, out);
    }

    /// The user's own call stands in the history as the model's would: every provider takes that.
    fn start_with_call(&mut self, env: &mut Env<'_>, prompt: Prompt, call: ToolCall, tool: ToolInfo, out: &mut Out) {
        self.started = env.now;
        self.is_direct = true;
        self.offer = (env.offer)();
        if !self.offer.tools.iter().any(|known| known.name == tool.name) {
            // For this call alone: the offer is made anew before the model is asked.
            self.offer.tools.push(tool);
        }
        self.join(prompt, out);
        let (turn, parent, agent) = (self.id.clone(), self.who.parent.clone(), self.who.agent.clone());
        out.say(TurnEvent::Started { turn, parent, agent, model: self.offer.model.clone() });
        let mut calls = vec![call];
        calls::sanitize(&mut calls, &Finish::ToolCalls, env.call_ids);
        let mut chat = self.chat(Role::Assistant, ChatStatus::Done);
        chat.tool_calls.clone_from(&calls);
        out.say(chat);
        self.messages.push(Message { tool_calls: calls.clone(), ..Message::text(Role::Assistant, String::new()) });
        self.act(env, &calls, out);
    }

    /// All calls are answered: the model goes on, unless the user only wanted the call.
    fn answered(&mut self, env: &mut Env<'_>, out: &mut Out) {
        if std::mem::take(&mut self.is_direct) && self.steers.is_empty() {
            return self.finish(env, TurnEnd::Done, String::new(), None, out);
        }
        self.advance(env, out);
    }

    /// A message of the user becomes part of the history.
    fn join(&mut self, prompt: Prompt, out: &mut Out) {
        self.messages.push(Message::text(Role::User, prompt.text.clone()));
        let mut chat = self.chat(Role::User, ChatStatus::Done).with_text(prompt.text);
        chat.message_id = prompt.message_id;
        out.say(chat);
    }

    fn edit_steer(&mut self, message_id: &MessageId, text: Option<String>) {
        match text {
            None => self.steers.retain(|prompt| prompt.message_id.as_ref() != Some(message_id)),
            Some(text) => {
                if let Some(prompt) = self.steers.iter_mut().find(|prompt| prompt.message_id.as_ref() == Some(message_id)) {
                    prompt.text = text;
                }
            }
        }
    }

    /// The next model call, or what must come before it.
    fn advance(&mut self, env: &mut Env<'_>, out: &mut Out) {
        if self.steps >= self.limits.steps_max {
            return self.stop_at_limit(env, out);
        }
        while let Some(prompt) = self.steers.pop_front() {
            self.join(prompt, out);
        }
        self.offer = (env.offer)();
        let tools = specs(&self.offer);
        self.count(&tools);
        if self.compact_due() {
            self.compact(out);
        } else {
            self.call_model(tools, out);
        }
    }

    /// Brings the estimate of the context up to date.
    fn count(&mut self, tools: &[ToolSpec]) {
        if self.counted == 0 {
            self.known_tokens = tokens::of_text(&self.offer.system) + tokens::of_tools(tools);
        }
        self.known_tokens += tokens::of_messages(&self.messages[self.counted..]);
        self.counted = self.messages.len();
    }

    fn compact_due(&self) -> bool {
        let full =
            self.known_tokens.saturating_mul(100) > self.offer.context_tokens.saturating_mul(u64::from(self.limits.compact_at_percent));
        !self.compacted && (self.compact_asked || full)
    }

    fn compact(&mut self, out: &mut Out) {
        self.compact_asked = false;
        self.phase = Phase::Compacting;
        out.acts.push(Effect::Compact);
    }

    fn compact_failed(&mut self, env: &mut Env<'_>, error: &str, out: &mut Out) {
        if self.was_too_long {
            let message = format!("the conversation is too long for the model and could not be summarised: {error}");
            return self.fail(env, None, message, out);
        }
        self.compacted = true;
        self.advance(env, out);
    }

    fn call_model(&mut self, tools: Vec<ToolSpec>, out: &mut Out) {
        self.steps += 1;
        self.phase = Phase::Calling { text: String::new(), reasoning: String::new() };
        let mut messages = Vec::with_capacity(self.messages.len() + 1);
        messages.push(Message::text(Role::System, self.offer.system.clone()));
        messages.extend_from_slice(&self.messages);
        let request = ChatRequest { model: self.offer.model_name.clone(), messages, tools, output_tokens_max: None };
        out.acts.push(Effect::CallModel(request));
    }

    fn deltas(&mut self, deltas: Vec<Delta>, out: &mut Out) {
        for delta in deltas {
            let Phase::Calling { text, reasoning } = &mut self.phase else { return };
            match delta {
                Delta::Text(part) => {
                    text.push_str(&part);
                    out.says.push(Effect::Emit(self.chat(Role::Assistant, ChatStatus::Delta).with_text(part).into()));
                }
                Delta::Reasoning(part) => {
                    reasoning.push_str(&part);
                    out.says.push(Effect::Emit(self.chat(Role::Assistant, ChatStatus::ReasoningDelta).with_text(part).into()));
                }
                Delta::Retry { reason, attempt, attempts_max, delay } => {
                    let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
                    let (turn, parent) = (self.id.clone(), self.who.parent.clone());
                    out.say(TurnEvent::Retrying { turn, parent, reason, attempt, attempts_max, delay_ms });
                }
                // The call is shown when it is whole; the whole answer comes as an input of its own.
                Delta::CallStarted(_) | Delta::Done(_) => {}
            }
        }
    }

    fn completed(&mut self, env: &mut Env<'_>, completion: Completion, out: &mut Out) {
        let Completion { mut message, finish, usage, model: _ } = completion;
        let usage = usage.filter(|usage| usage.total() > 0);
        self.usage = self.usage.plus(usage.unwrap_or_default());
        self.compacted = false;
        self.was_too_long = false;
        message.role = Role::Assistant;
        calls::sanitize(&mut message.tool_calls, &finish, env.call_ids);
        self.input_tokens = usage.map_or(self.known_tokens, |usage| usage.input_tokens);
        let mut chat = self.chat(Role::Assistant, ChatStatus::Done);
        chat.usage = usage;
        chat.model = Some(self.offer.model.clone());
        chat.text = (!message.content.is_empty()).then(|| message.content.clone());
        chat.reasoning.clone_from(&message.reasoning);
        chat.tool_calls.clone_from(&message.tool_calls);
        chat.extra.clone_from(&message.extra);
        if message.content.trim().is_empty() && message.tool_calls.is_empty() {
            return self.fail(env, Some(chat), empty_answer(&finish), out);
        }
        out.say(chat);
        let (text, calls) = (message.content.clone(), message.tool_calls.clone());
        self.messages.push(message);
        if let Some(usage) = usage.filter(|usage| usage.input_tokens > 0) {
            self.known_tokens = usage.total();
            self.counted = self.messages.len();
        }
        if !calls.is_empty() {
            return self.act(env, &calls, out);
        }
        if !self.steers.is_empty() && self.steps < self.limits.steps_max {
            return self.advance(env, out);
        }
        let notice = match finish {
            Finish::Length => Some("the answer was cut at the provider's token limit".to_owned()),
            Finish::Filtered => Some("the answer was cut by the provider's filter".to_owned()),
            Finish::Stop | Finish::ToolCalls | Finish::Other(_) => None,
        };
        self.finish(env, TurnEnd::Done, text, notice, out);
    }

    fn model_failed(&mut self, env: &mut Env<'_>, error: &llm::Error, out: &mut Out) {
        let Phase::Calling { text, reasoning } = &mut self.phase else { return };
        let (text, reasoning) = (std::mem::take(text), std::mem::take(reasoning));
        if matches!(error, llm::Error::TooLong(_)) && text.is_empty() && !self.was_too_long {
            self.was_too_long = true;
            self.steps = self.steps.saturating_sub(1);
            return self.compact(out);
        }
        let mut chat = self.chat(Role::Assistant, ChatStatus::Failed);
        chat.model = Some(self.offer.model.clone());
        chat.text = (!text.is_empty()).then_some(text);
        chat.reasoning = (!reasoning.is_empty()).then_some(reasoning);
        self.fail(env, Some(chat), error.to_string(), out);
    }

    /// Ends the turn because the model gave no answer; `chat` holds what there was of it.
    fn fail(&mut self, env: &mut Env<'_>, chat: Option<Chat>, message: String, out: &mut Out) {
        let mut chat = chat.unwrap_or_else(|| self.chat(Role::Assistant, ChatStatus::Failed));
        chat.status = ChatStatus::Failed;
        chat.error = Some(message.clone());
        let text = chat.text.clone().unwrap_or_default();
        if !text.is_empty() {
            self.messages.push(Message::text(Role::Assistant, text.clone()));
        }
        out.say(chat);
        self.finish(env, TurnEnd::Failed, text, Some(message), out);
    }

    fn stop_at_limit(&mut self, env: &mut Env<'_>, out: &mut Out) {
        let text = format!("I stopped after {} steps, the most that one turn may take. Say `continue` and I go on.", self.limits.steps_max);
        self.messages.push(Message::text(Role::Assistant, text.clone()));
        out.say(self.chat(Role::Assistant, ChatStatus::Done).with_text(text.clone()));
        let message = format!("stopped after {} steps", self.limits.steps_max);
        self.finish(env, TurnEnd::StepLimit, text, Some(message), out);
    }

    fn interrupt(&mut self, env: &mut Env<'_>, out: &mut Out) {
        let mut said = String::new();
        match &mut self.phase {
            Phase::Calling { text, reasoning } => {
                said = std::mem::take(text);
                let reasoning = std::mem::take(reasoning);
                out.stops.push(Effect::CancelModel);
                if !said.is_empty() || !reasoning.is_empty() {
                    let mut chat = self.chat(Role::Assistant, ChatStatus::Interrupted);
                    chat.model = Some(self.offer.model.clone());
                    chat.text = (!said.is_empty()).then(|| said.clone());
                    chat.reasoning = (!reasoning.is_empty()).then_some(reasoning);
                    out.say(chat);
                }
                if !said.is_empty() {
                    self.messages.push(Message::text(Role::Assistant, said.clone()));
                }
            }
            Phase::Acting(_) => {
                out.stops.push(Effect::CancelTools);
                self.give_up_calls(env.now, out);
            }
            // A summary in the making is a job of the turn like a tool; so is a look for memories.
            Phase::Compacting | Phase::Recalling => out.stops.push(Effect::CancelTools),
            Phase::Ready | Phase::Ended => {}
        }
        self.finish(env, TurnEnd::Interrupted, said, None, out);
    }

    fn finish(&mut self, env: &Env<'_>, end: TurnEnd, text: String, message: Option<String>, out: &mut Out) {
        self.phase = Phase::Ended;
        let duration_ms = u64::try_from(env.now.since(self.started).as_millis()).unwrap_or(u64::MAX);
        out.say(TurnEvent::Finished {
            turn: self.id.clone(),
            parent: self.who.parent.clone(),
            end,
            steps: self.steps,
            duration_ms,
            usage: self.usage,
            context_tokens: self.input_tokens,
            message: message.clone(),
        });
        out.acts.push(Effect::Finish(Outcome { end, text, message }));
    }

    fn chat(&self, role: Role, status: ChatStatus) -> Chat {
        let mut chat = Chat::new(role, status);
        chat.turn = Some(self.id.clone());
        chat.agent.clone_from(&self.who.agent);
        chat.parent.clone_from(&self.who.parent);
        chat
    }
}

fn empty_answer(finish: &Finish) -> String {
    match finish {
        Finish::Filtered => "the provider's filter withheld the answer; say it in other words".to_owned(),
        Finish::Length => "the provider's token limit was used up before the answer began; raise it or ask for less".to_owned(),
        Finish::Stop | Finish::ToolCalls | Finish::Other(_) => {
            "the model gave an empty answer; send it again or choose another model".to_owned()
        }
    }
}

/// The tools as the model sees them, the handoff first.
fn specs(offer: &Offer) -> Vec<ToolSpec> {
    let handoff = (!offer.targets.is_empty()).then(|| prompt::handoff_tool(&offer.targets));
    let spec =
        |tool: &ToolInfo| ToolSpec { name: tool.name.clone(), description: tool.description.clone(), parameters: tool.parameters.clone() };
    handoff.into_iter().chain(offer.tools.iter().map(spec)).collect()
}
