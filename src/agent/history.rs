//! A session's events folded into what the model is told and how the session stands. Pure.
//!
//! The same fold serves the running session, its resumption and its export, so that they cannot differ. Whatever the
//! events are, what the model is told is valid: each call is answered exactly once, right after the message that makes
//! it. What a crash left open is known here and closed by [`State::recovery`].

mod answers;
mod recovery;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::agent::approval::Consents;
use crate::agent::compact;
use crate::agent::history::answers::Answers;
use crate::domain::clock::Instant;
use crate::domain::command::ApprovalMode;
use crate::domain::event::{
    Approval, ApprovalStatus, Chat, ChatStatus, Event, EventBody, HandoffCall, SessionEvent, Status, ToolExecution, TurnEnd, TurnEvent,
};
use crate::domain::ids::{CallId, MessageId, Seq, TurnId};
use crate::domain::memory::{MemoryEvent, Note, Notes};
use crate::domain::message::{Message, Role, Usage};
use crate::domain::text::{clean_line, cut_middle, ellipsis};

/// Characters of a title that is made from the first message.
const TITLE_CHARS_MAX: usize = 80;

/// What the model is told about a call that has no result in the log.
const NO_ANSWER: &str = "error: interrupted; whether it took effect is unknown";

/// A message that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Queued {
    /// Which.
    pub message_id: MessageId,
    /// The text, as last edited.
    pub text: String,
    /// When it was queued.
    pub seq: Seq,
}

/// A turn that has not ended.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenTurn {
    /// Which.
    pub turn: TurnId,
    /// The handoff it runs under.
    pub parent: Option<CallId>,
    /// When it began.
    pub started: Instant,
    /// Answers of the model so far.
    pub steps: u32,
    /// Tokens so far.
    pub usage: Usage,
    /// Tokens that the last model call read.
    pub context_tokens: u64,
}

#[derive(Debug, Clone)]
struct Entry {
    seq: Seq,
    turn: Option<TurnId>,
    message: Message,
    /// What stands before it of earlier sessions, since when.
    notes: Option<(Seq, Notes)>,
}

impl Entry {
    /// The message as the model is told it.
    fn told(&self) -> Message {
        match &self.notes {
            Some((_, notes)) => Message { content: notes.before(&self.message.content), ..self.message.clone() },
            None => self.message.clone(),
        }
    }
}

#[derive(Debug, Clone)]
struct Compaction {
    seq: Seq,
    upto: Seq,
    summary: String,
}

/// How a session stands.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Whether the session was ever made.
    pub exists: bool,
    /// The given title.
    pub title: Option<String>,
    /// The folder it works in.
    pub cwd: String,
    /// `provider/model`.
    pub model: String,
    /// When calls need consent.
    pub mode: ApprovalMode,
    /// Messages that wait, in their order.
    pub queue: Vec<Queued>,
    /// Questions that nobody has answered.
    pub approvals: Vec<Approval>,
    /// Turns that have not ended, those of handoffs last.
    pub open_turns: Vec<OpenTurn>,
    /// How the last turn of the main agent ended.
    pub last_end: Option<TurnEnd>,
    /// Tokens that the last model call read; 0 where that says nothing about the history as it is now.
    pub context_tokens: u64,
    /// Tokens of all turns, handoffs included.
    pub usage: Usage,
    /// Consents that hold until the session ends.
    pub consents: Consents,
    /// All ids of calls ever used.
    pub call_ids: HashSet<CallId>,
    /// All messages of the user ever taken.
    pub message_ids: HashSet<MessageId>,
    /// The last event.
    pub last_seq: Seq,
    /// When the last event happened.
    pub updated: Instant,
    result_bytes_max: usize,
    running_tools: Vec<ToolExecution>,
    running_handoffs: Vec<HandoffCall>,
    entries: Vec<Entry>,
    answers: Answers,
    compactions: Vec<Compaction>,
}

impl State {
    /// An empty session whose results are cut to `result_bytes_max` bytes for the model.
    pub fn new(result_bytes_max: usize) -> Self {
        Self { result_bytes_max, ..Self::default() }
    }

    /// The same; of very many results the oldest are held only as far as a summary takes them.
    pub fn bounded(result_bytes_max: usize) -> Self {
        Self { answers: Answers::holding(answers::BYTES_MAX), ..Self::new(result_bytes_max) }
    }

    /// Where in the log results lie that were shortened and, after a rewind, are among the newest again: the first, the last.
    pub fn missing(&self) -> Option<(Seq, Seq)> {
        self.answers.missing()
    }

    /// Takes the results that are [`missing`](Self::missing) from `events` of the log.
    pub fn restore<E: AsRef<Event>>(&mut self, events: impl IntoIterator<Item = E>) {
        let whole = |event: E| match &event.as_ref().body {
            EventBody::ToolExecution(data) => Some((data.call_id.clone(), answer_of_tool(data, self.result_bytes_max))),
            EventBody::HandoffCall(data) => Some((data.call_id.clone()?, answer_of_handoff(data, self.result_bytes_max))),
            _ => None,
        };
        let mut texts = HashMap::new();
        for (call, text) in events.into_iter().filter_map(whole) {
            texts.entry(call).or_insert(text);
        }
        self.answers.restore(texts);
    }

    /// Folds all `events`, in ascending order.
    pub fn fold<E: AsRef<Event>>(events: impl IntoIterator<Item = E>, result_bytes_max: usize) -> Self {
        let mut state = Self::new(result_bytes_max);
        for event in events {
            state.apply(event.as_ref());
        }
        state
    }

    /// Folds in the next event. Events that are not stored change nothing.
    pub fn apply(&mut self, event: &Event) {
        let Some(seq) = event.seq else { return };
        self.last_seq = seq;
        self.updated = event.at;
        match &event.body {
            EventBody::SessionEvent(data) => self.apply_session(seq, data),
            EventBody::Chat(data) => self.apply_chat(seq, data),
            EventBody::TurnEvent(data) => self.apply_turn(event.at, data),
            EventBody::ToolExecution(data) => self.apply_tool(seq, data),
            EventBody::HandoffCall(data) => self.apply_handoff(seq, data),
            EventBody::Approval(data) => self.apply_approval(data),
            EventBody::Memory(MemoryEvent::Recalled { turn, notes }) => self.apply_recall(seq, turn, notes),
            EventBody::McpEvent(_)
            | EventBody::Question(_)
            | EventBody::Error(_)
            | EventBody::TaskEvent(_)
            | EventBody::Notification(_)
            | EventBody::InboxEvent(_)
            | EventBody::Memory(_)
            | EventBody::Custom(_) => {}
        }
    }

    fn apply_session(&mut self, seq: Seq, event: &SessionEvent) {
        match event {
            SessionEvent::Created { cwd, model, mode, .. } => {
                self.exists = true;
                (self.cwd, self.model, self.mode) = (cwd.clone(), model.clone(), *mode);
                // A fork takes over what was said, not what was going on or was allowed for that session alone.
                self.drop_open();
                self.queue.clear();
                self.last_end = None;
                self.usage = Usage::default();
                self.consents = Consents::default();
            }
            SessionEvent::Renamed { title } => self.title = Some(title.clone()),
            SessionEvent::ModelSet { model } => self.model.clone_from(model),
            SessionEvent::ModeSet { mode } => self.mode = *mode,
            SessionEvent::Compacted { summary, upto, .. } => {
                self.compactions.push(Compaction { seq, upto: *upto, summary: summary.clone() });
                self.context_tokens = 0;
            }
            SessionEvent::Rewound { to } => self.rewind(*to),
        }
    }

    /// The conversation after `to` no longer counts; title, model, mode and consents stay as they are.
    fn rewind(&mut self, to: Seq) {
        self.entries.retain(|entry| entry.seq <= to);
        for entry in &mut self.entries {
            entry.notes.take_if(|(seq, _)| *seq > to);
        }
        self.answers.rewind(to);
        self.compactions.retain(|compaction| compaction.seq <= to);
        self.queue.retain(|queued| queued.seq <= to);
        self.drop_open();
        self.context_tokens = 0;
        self.last_end = None;
    }

    fn drop_open(&mut self) {
        self.open_turns.clear();
        self.approvals.clear();
        self.running_tools.clear();
        self.running_handoffs.clear();
    }

    fn apply_chat(&mut self, seq: Seq, chat: &Chat) {
        self.call_ids.extend(chat.tool_calls.iter().map(|call| call.id.clone()));
        self.message_ids.extend(chat.message_id.clone());
        if chat.role == Role::Assistant {
            self.count_step(chat);
        }
        if chat.parent.is_some() {
            return;
        }
        match (chat.role, chat.status) {
            (Role::User, ChatStatus::Queued) => self.enqueue(seq, chat),
            (Role::User, ChatStatus::Withdrawn) => self.dequeue(chat),
            (Role::User, ChatStatus::Done) => {
                self.dequeue(chat);
                self.remember(seq, chat, Message::text(Role::User, chat.text.clone().unwrap_or_default()));
            }
            (Role::Assistant, ChatStatus::Done) => {
                let message = Message {
                    reasoning: chat.reasoning.clone(),
                    tool_calls: chat.tool_calls.clone(),
                    extra: chat.extra.clone(),
                    ..Message::text(Role::Assistant, chat.text.clone().unwrap_or_default())
                };
                self.remember(seq, chat, message);
            }
            (Role::Assistant, ChatStatus::Interrupted | ChatStatus::Failed) => {
                self.remember(seq, chat, Message::text(Role::Assistant, chat.text.clone().unwrap_or_default()));
            }
            _ => {}
        }
    }

    fn count_step(&mut self, chat: &Chat) {
        let Some(open) = self.open_turns.iter_mut().find(|open| Some(&open.turn) == chat.turn.as_ref()) else { return };
        open.steps += 1;
        if let Some(usage) = chat.usage {
            open.usage = open.usage.plus(usage);
            open.context_tokens = usage.input_tokens;
        }
    }

    fn remember(&mut self, seq: Seq, chat: &Chat, message: Message) {
        let empty = message.role == Role::Assistant && message.content.is_empty() && message.tool_calls.is_empty();
        if !empty {
            self.entries.push(Entry { seq, turn: chat.turn.clone(), message, notes: None });
        }
    }

    fn enqueue(&mut self, seq: Seq, chat: &Chat) {
        let (Some(message_id), Some(text)) = (&chat.message_id, &chat.text) else { return };
        match self.queue.iter_mut().find(|queued| queued.message_id == *message_id) {
            Some(queued) => queued.text.clone_from(text),
            None => self.queue.push(Queued { message_id: message_id.clone(), text: text.clone(), seq }),
        }
    }

    fn dequeue(&mut self, chat: &Chat) {
        if chat.message_id.is_some() {
            self.queue.retain(|queued| Some(&queued.message_id) != chat.message_id.as_ref());
        }
    }

    fn apply_turn(&mut self, at: Instant, event: &TurnEvent) {
        match event {
            TurnEvent::Started { turn, parent, .. } => self.open_turns.push(OpenTurn {
                turn: turn.clone(),
                parent: parent.clone(),
                started: at,
                steps: 0,
                usage: Usage::default(),
                context_tokens: 0,
            }),
            TurnEvent::Retrying { .. } => {}
            TurnEvent::Finished { turn, parent, end, usage, context_tokens, .. } => {
                self.open_turns.retain(|open| open.turn != *turn);
                self.usage = self.usage.plus(*usage);
                if parent.is_none() {
                    self.last_end = Some(*end);
                    self.context_tokens = *context_tokens;
                }
            }
        }
    }

    fn apply_recall(&mut self, seq: Seq, turn: &TurnId, notes: &Notes) {
        let of_turn = |entry: &&mut Entry| entry.message.role == Role::User && entry.turn.as_ref() == Some(turn);
        if let Some(entry) = self.entries.iter_mut().rfind(of_turn) {
            entry.notes = Some((seq, notes.clone()));
        }
    }

    /// What the model has been told of earlier sessions and still knows.
    pub fn recalled(&self) -> Vec<Note> {
        let upto = self.compactions.last().map(|compaction| compaction.upto);
        let kept = self.entries.iter().filter(|entry| Some(entry.seq) > upto).filter_map(|entry| entry.notes.as_ref());
        kept.flat_map(|(_, notes)| notes.notes.iter().cloned()).collect()
    }

    fn apply_tool(&mut self, seq: Seq, event: &ToolExecution) {
        self.call_ids.insert(event.call_id.clone());
        if event.status == Status::Started {
            self.running_tools.push(event.clone());
            return;
        }
        self.running_tools.retain(|running| running.call_id != event.call_id);
        if event.parent.is_none() {
            let answer = answer_of_tool(event, self.result_bytes_max);
            self.answers.insert(event.call_id.clone(), seq, answer);
        }
    }

    fn apply_handoff(&mut self, seq: Seq, event: &HandoffCall) {
        let Some(call_id) = &event.call_id else { return };
        self.call_ids.insert(call_id.clone());
        if event.status == Status::Started {
            self.running_handoffs.push(event.clone());
            return;
        }
        self.running_handoffs.retain(|running| running.call_id != event.call_id);
        if event.parent.is_none() {
            let answer = answer_of_handoff(event, self.result_bytes_max);
            self.answers.insert(call_id.clone(), seq, answer);
        }
    }

    fn apply_approval(&mut self, event: &Approval) {
        self.call_ids.insert(event.call_id.clone());
        self.approvals.retain(|open| open.call_id != event.call_id);
        if event.status == ApprovalStatus::Requested {
            self.approvals.push(event.clone());
        }
        self.consents.learn_session(event);
    }

    /// What the model is told: valid by the rules of every provider, without the system message.
    pub fn messages(&self) -> Vec<Message> {
        self.placed_messages().into_iter().map(|(_, message)| message).collect()
    }

    /// The same, each message with the event it comes from (a summary with the event that made it, a kept message
    /// of the user with its own).
    pub fn placed_messages(&self) -> Vec<(Seq, Message)> {
        let Some(compaction) = self.compactions.last() else { return self.expand(&self.entries) };
        let split = self.entries.partition_point(|entry| entry.seq <= compaction.upto);
        let (before, tail) = self.entries.split_at(split);
        let last_user = before.iter().rfind(|entry| entry.message.role == Role::User);
        let kept = last_user.map(|entry| (entry.seq, entry.told()));
        let head = compact::joined(&compaction.summary, None, Vec::new());
        let mut out: Vec<_> = head.into_iter().map(|message| (compaction.upto, message)).collect();
        if !tail.iter().any(|entry| entry.message.role == Role::User) {
            out.extend(kept);
        }
        out.extend(self.expand(tail));
        out
    }

    fn expand(&self, entries: &[Entry]) -> Vec<(Seq, Message)> {
        let mut out = Vec::with_capacity(entries.len() * 2);
        for entry in entries {
            out.push((entry.seq, entry.told()));
            for call in &entry.message.tool_calls {
                let (seq, answer) = self.answers.get(&call.id).cloned().unwrap_or((entry.seq, NO_ANSWER.to_owned()));
                out.push((seq, Message::tool_result(call.id.clone(), answer)));
            }
        }
        out
    }

    /// The title: given, or the start of the first message.
    pub fn title(&self) -> String {
        if let Some(title) = &self.title {
            return title.clone();
        }
        let first = self.entries.iter().find(|entry| entry.message.role == Role::User);
        first.map_or_else(String::new, |entry| ellipsis(&clean_line(&entry.message.content), TITLE_CHARS_MAX).into_owned())
    }

    /// Whether what waits in the queue waits for the user: after an interruption or a failure nothing goes on by itself.
    pub fn is_held(&self) -> bool {
        matches!(self.last_end, Some(TurnEnd::Interrupted | TurnEnd::Failed))
    }
}

/// What the model is told about the end of a call.
pub fn answer_of_tool(event: &ToolExecution, bytes_max: usize) -> String {
    match event.status {
        Status::Error => failure(event.error.as_deref(), bytes_max),
        Status::Started | Status::Success => success(event.result.as_ref(), bytes_max),
    }
}

/// What the model is told about the end of a handoff.
pub fn answer_of_handoff(event: &HandoffCall, bytes_max: usize) -> String {
    match event.status {
        Status::Error => failure(event.error.as_deref(), bytes_max),
        Status::Started | Status::Success => success(event.result.as_ref(), bytes_max),
    }
}

fn failure(error: Option<&str>, bytes_max: usize) -> String {
    format!("error: {}", cut_middle(error.unwrap_or("no reason given"), bytes_max))
}

fn success(result: Option<&Value>, bytes_max: usize) -> String {
    let text = match result {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(map)) => match (map.get("text").and_then(Value::as_str), map.get("structured")) {
            (Some(text), Some(_)) if !text.trim().is_empty() => text.to_owned(),
            (Some(_), Some(structured)) => structured.to_string(),
            _ => Value::Object(map.clone()).to_string(),
        },
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    };
    if text.trim().is_empty() { "(done, no output)".to_owned() } else { cut_middle(&text, bytes_max).into_owned() }
}
