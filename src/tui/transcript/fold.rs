//! Events into items. What is streamed and what is stored come to the same items: a transcript that was watched and
//! one that was loaded look alike.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::item::{Body, Call, CallState, Ending, Handoff, Item, Progress, is_told_refusal};
use super::{ItemId, Transcript};
use crate::domain::clock::Instant;
use crate::domain::event::{
    Approval, ApprovalStatus, Chat, ChatStatus, Custom, ErrorEvent, Event, EventBody, HandoffCall, McpEvent, McpEventType, SessionEvent,
    Status, ToolExecution, TurnEnd, TurnEvent, words,
};
use crate::domain::ids::{CallId, QuestionId, Seq, TurnId};
use crate::domain::memory::{MemoryEvent, Notes};
use crate::domain::message::Role;
use crate::domain::notice::{InboxEvent, InboxItem, InboxKind};
use crate::domain::question::{QuestionEvent, ReplyAction};
use crate::domain::report::REPORT_EVENT;
use crate::domain::text::{clean, clean_line, ellipsis};

/// Handoffs deeper than this are drawn at this depth.
const DEPTH_MAX: u16 = 8;

/// Lines of background tasks in a row that stay in the chat.
const NOTICES_MAX: usize = 5;

/// Characters of such a line.
const NOTICE_CHARS_MAX: usize = 160;

/// Characters of what a server says of a call's progress.
const PROGRESS_CHARS_MAX: usize = 120;

/// Questions that wait for an answer and are remembered for their line.
const QUESTIONS_MAX: usize = 256;

/// Characters of a question in its line.
const QUESTION_CHARS_MAX: usize = 80;

/// What an answer in the making has on the screen.
#[derive(Debug, Clone, Copy, Default)]
struct Stream {
    reasoning: Option<ItemId>,
    /// When the model began to think.
    thinks_since: Option<Instant>,
    text: Option<ItemId>,
}

/// What the fold remembers beside the items.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Answers in the making, by the handoff they run under.
    streams: HashMap<Option<CallId>, Stream>,
    pub(super) calls: HashMap<CallId, ItemId>,
    retries: HashMap<TurnId, ItemId>,
    /// Whether the agent has spoken since the user did.
    spoken: bool,
    /// What servers ask, until it is answered: the call that waits, the question in one line.
    questions: HashMap<QuestionId, (Option<CallId>, String)>,
    /// The error that was shown last in this turn, not to be told twice.
    last_error: Option<String>,
}

impl Transcript {
    /// Folds one event; whether anything on the screen may have changed.
    pub fn apply(&mut self, event: &Event) -> bool {
        match &event.body {
            EventBody::Chat(chat) => self.chat(chat, event.seq, event.at),
            EventBody::ToolExecution(call) => self.tool(call, event.seq),
            EventBody::HandoffCall(handoff) => self.handoff(handoff, event.seq),
            EventBody::Approval(approval) => self.approval(approval, event.seq),
            EventBody::TurnEvent(turn) => self.turn(turn, event.seq),
            EventBody::SessionEvent(change) => self.session(change, event.seq),
            EventBody::Error(error) => self.error(error, event.seq),
            EventBody::McpEvent(event) => self.progress(event),
            EventBody::InboxEvent(InboxEvent::Added { item }) => self.notice(item, event.seq),
            EventBody::Custom(custom) => self.returned(custom, event.seq),
            EventBody::Question(question) => self.question(question, event.seq),
            EventBody::Memory(MemoryEvent::Recalled { notes, .. }) => self.recalled(notes, event.seq),
            EventBody::TaskEvent(_) | EventBody::Notification(_) | EventBody::InboxEvent(_) | EventBody::Memory(_) => false,
        }
    }

    /// Adds an item at the end of the handoff it runs under, or of everything.
    fn add(&mut self, parent: Option<&CallId>, seq: Option<Seq>, body: Body) -> ItemId {
        let id = ItemId(self.next_id);
        self.next_id += 1;
        let above = parent.and_then(|call| self.memory.calls.get(call)).and_then(|id| self.index_of(*id));
        let above = above.and_then(|at| self.items.get(at).map(|item| (at, item.depth)));
        let depth = above.map_or(0, |(_, depth)| (depth + 1).min(DEPTH_MAX));
        let item = Item { id, depth, seq, open: false, revision: 0, body };
        let end = above.and_then(|(at, depth)| {
            let below = self.items.iter().enumerate().skip(at + 1);
            below.into_iter().find(|(_, item)| item.depth <= depth).map(|(index, _)| index)
        });
        self.running += usize::from(item.running());
        match end {
            Some(index) => self.items.insert(index, item),
            None => self.items.push(item),
        }
        id
    }

    /// Changes an item.
    fn change(&mut self, id: ItemId, change: impl FnOnce(&mut Item)) -> bool {
        let Some(index) = self.index_of(id) else { return false };
        let Some(item) = self.items.get_mut(index) else { return false };
        let before = item.running();
        change(item);
        item.touch();
        match (before, item.running()) {
            (false, true) => self.running += 1,
            (true, false) => self.running = self.running.saturating_sub(1),
            _ => {}
        }
        true
    }

    fn remove(&mut self, id: ItemId) {
        if let Some(index) = self.index_of(id) {
            let item = self.items.remove(index);
            self.running -= usize::from(item.running()).min(self.running);
            self.cache.get_mut().forget(id);
        }
    }

    fn chat(&mut self, chat: &Chat, seq: Option<Seq>, at: Instant) -> bool {
        match (chat.role, chat.status) {
            (Role::User, ChatStatus::Done) if chat.parent.is_none() => {
                let text = clean(chat.text.as_deref().unwrap_or_default()).trim_end().into();
                self.memory.spoken = false;
                self.memory.last_error = None;
                self.add(None, seq, Body::User { text });
                true
            }
            (Role::Assistant, ChatStatus::Delta) => self.delta(chat, at),
            (Role::Assistant, ChatStatus::ReasoningDelta) => self.reasoning_delta(chat, at),
            (Role::Assistant, ChatStatus::Done) => self.whole(chat, seq, Ending::Whole),
            (Role::Assistant, ChatStatus::Interrupted) => self.whole(chat, seq, Ending::Interrupted),
            (Role::Assistant, ChatStatus::Failed) => {
                self.whole(chat, seq, Ending::Failed(chat.error.as_deref().map(|text| clean(text).into())))
            }
            (Role::User | Role::System | Role::Tool, _) | (Role::Assistant, ChatStatus::Queued | ChatStatus::Withdrawn) => false,
        }
    }

    fn delta(&mut self, chat: &Chat, at: Instant) -> bool {
        let Some(part) = chat.text.as_deref().filter(|text| !text.is_empty()) else { return false };
        let stream = self.memory.streams.get(&chat.parent).copied().unwrap_or_default();
        if let Some(id) = stream.reasoning {
            self.stop_thinking(id, stream.thinks_since.map(|since| at.since(since)));
        }
        if let Some(id) = stream.text {
            self.append(id, part);
            return true;
        }
        let label = self.label(chat.parent.as_ref());
        let id = self.add(chat.parent.as_ref(), None, Body::Assistant { text: part.to_owned(), ending: Ending::Open, label });
        self.memory.streams.insert(chat.parent.clone(), Stream { text: Some(id), ..stream });
        true
    }

    /// Adds to a text that is streamed; what is drawn of it stays.
    fn append(&mut self, id: ItemId, part: &str) {
        if let Some(index) = self.index_of(id)
            && let Some(Item { body: Body::Assistant { text, .. }, .. }) = self.items.get_mut(index)
        {
            text.push_str(part);
            self.cache.get_mut().append(id, part);
        }
    }

    fn reasoning_delta(&mut self, chat: &Chat, at: Instant) -> bool {
        let Some(part) = chat.reasoning.as_deref().or(chat.text.as_deref()).filter(|text| !text.is_empty()) else { return false };
        let stream = self.memory.streams.get(&chat.parent).copied().unwrap_or_default();
        if let Some(id) = stream.reasoning {
            return self.change(id, |item| {
                if let Body::Reasoning { text, .. } = &mut item.body {
                    text.push_str(part);
                }
            });
        }
        let id = self.add(chat.parent.as_ref(), None, Body::Reasoning { text: part.to_owned(), running: true, ms: None });
        self.memory.streams.insert(chat.parent.clone(), Stream { reasoning: Some(id), thinks_since: Some(at), ..stream });
        true
    }

    fn stop_thinking(&mut self, id: ItemId, took: Option<Duration>) {
        let running = self.index_of(id).and_then(|at| self.items.get(at)).is_some_and(Item::running);
        if running {
            self.change(id, |item| {
                if let Body::Reasoning { running, ms, .. } = &mut item.body {
                    *running = false;
                    *ms = took.and_then(|took| u64::try_from(took.as_millis()).ok());
                }
            });
        }
    }

    /// Whether the next message of the agent names its speaker.
    fn label(&mut self, parent: Option<&CallId>) -> bool {
        parent.is_none() && !std::mem::replace(&mut self.memory.spoken, true)
    }

    /// A message that is whole, or as whole as it will be, takes the place of its stream.
    fn whole(&mut self, chat: &Chat, seq: Option<Seq>, ending: Ending) -> bool {
        let stream = self.memory.streams.remove(&chat.parent).unwrap_or_default();
        self.whole_reasoning(chat, seq, stream.reasoning, stream.text);
        let text = chat.text.as_deref().unwrap_or_default();
        if let Ending::Failed(Some(error)) = &ending {
            self.memory.last_error = Some(error.clone());
        }
        let shown = !text.trim().is_empty() || matches!(ending, Ending::Failed(_));
        match stream.text {
            Some(id) if shown => {
                self.finish_text(id, text, seq, ending);
            }
            Some(id) => self.remove(id),
            None if shown => {
                let label = self.label(chat.parent.as_ref());
                self.add(chat.parent.as_ref(), seq, Body::Assistant { text: text.to_owned(), ending, label });
            }
            None => {}
        }
        true
    }

    fn finish_text(&mut self, id: ItemId, whole: &str, seq: Option<Seq>, end: Ending) {
        let Some(index) = self.index_of(id) else { return };
        let Some(item) = self.items.get_mut(index) else { return };
        item.seq = seq;
        let Body::Assistant { text, ending, .. } = &mut item.body else { return };
        let same = text == whole;
        whole.clone_into(text);
        *ending = end;
        if same {
            self.cache.get_mut().finish(id);
        } else {
            item.touch();
        }
    }

    fn whole_reasoning(&mut self, chat: &Chat, seq: Option<Seq>, streamed: Option<ItemId>, before: Option<ItemId>) {
        let reasoning = chat.reasoning.as_deref().unwrap_or_default();
        match streamed {
            Some(id) if !reasoning.trim().is_empty() => {
                self.change(id, |item| {
                    item.seq = seq;
                    let ms = if let Body::Reasoning { ms, .. } = &item.body { *ms } else { None };
                    item.body = Body::Reasoning { text: reasoning.to_owned(), running: false, ms };
                });
            }
            Some(id) => self.remove(id),
            None if reasoning.trim().is_empty() => {}
            None => {
                let id = self.add(chat.parent.as_ref(), seq, Body::Reasoning { text: reasoning.to_owned(), running: false, ms: None });
                // Reasoning that was not streamed stands before the answer that was.
                if let (Some(from), Some(to)) = (self.index_of(id), before.and_then(|id| self.index_of(id)))
                    && to < from
                {
                    let item = self.items.remove(from);
                    self.items.insert(to, item);
                }
            }
        }
    }

    fn call_item(&mut self, call: &CallId, parent: Option<&CallId>, seq: Option<Seq>, server: &str, tool: &str) -> ItemId {
        if let Some(id) = self.memory.calls.get(call)
            && self.index_of(*id).is_some()
        {
            return *id;
        }
        let body = Call {
            server: name(server),
            tool: name(tool),
            state: CallState::Is(Status::Started),
            arguments: Map::new(),
            result: None,
            error: None,
            error_kind: None,
            duration_ms: None,
            preview: None,
            scope: None,
            instead: None,
            progress: None,
            own: parent.is_none() && self.items.last().is_some_and(|item| item.begins_own(tool)),
        };
        let id = self.add(parent, seq, Body::Tool(Box::new(body)));
        self.memory.calls.insert(call.clone(), id);
        id
    }

    fn tool(&mut self, event: &ToolExecution, seq: Option<Seq>) -> bool {
        let id = self.call_item(&event.call_id, event.parent.as_ref(), seq, event.service_name.as_str(), &event.tool_name);
        self.change(id, |item| {
            let Body::Tool(call) = &mut item.body else { return };
            // That somebody said no is no error; the words about it are meant for the model.
            let refused = call.state == CallState::Refused && event.status == Status::Error;
            call.state = if refused { CallState::Refused } else { CallState::Is(event.status) };
            if let Some(arguments) = &event.arguments {
                call.arguments.clone_from(arguments);
            }
            call.result.clone_from(&event.result);
            let error = event.error.as_deref().filter(|text| !refused || !is_told_refusal(text));
            call.error = error.map(|text| clean(&words::failure(text)).into_owned());
            call.error_kind = event.error_kind;
            call.duration_ms = event.duration_ms;
            call.progress = None;
        })
    }

    fn handoff(&mut self, event: &HandoffCall, seq: Option<Seq>) -> bool {
        let known = event.call_id.as_ref().and_then(|call| self.memory.calls.get(call)).copied();
        let body = Handoff {
            to: name(&event.service_name),
            task: event.task.clone(),
            status: event.status,
            result: event.result.clone(),
            error: event.error.as_deref().map(|text| clean(text).into_owned()),
            duration_ms: event.duration_ms,
        };
        let body = Body::Handoff(Box::new(body));
        if let Some(id) = known
            && self.index_of(id).is_some()
        {
            return self.change(id, |item| item.body = body);
        }
        let id = self.add(event.parent.as_ref(), seq, body);
        if let Some(call) = &event.call_id {
            self.memory.calls.insert(call.clone(), id);
        }
        true
    }

    fn approval(&mut self, event: &Approval, seq: Option<Seq>) -> bool {
        let id = self.call_item(&event.call_id, event.parent.as_ref(), seq, event.service_name.as_str(), &event.tool_name);
        self.change(id, |item| {
            let Body::Tool(call) = &mut item.body else { return };
            call.state = match event.status {
                ApprovalStatus::Requested => CallState::Asking,
                ApprovalStatus::Granted => CallState::Granted,
                ApprovalStatus::Refused => CallState::Refused,
            };
            if !event.arguments.is_empty() {
                call.arguments.clone_from(&event.arguments);
            }
            call.preview = event.preview.clone().or_else(|| call.preview.take());
            call.scope = event.scope;
            call.instead = event.instead.as_deref().map(|text| clean(text).into_owned());
        })
    }

    fn turn(&mut self, event: &TurnEvent, seq: Option<Seq>) -> bool {
        match event {
            TurnEvent::Started { .. } => false,
            TurnEvent::Retrying { turn, parent, reason, attempt, attempts_max, delay_ms } => {
                let wait = duration(*delay_ms);
                let text = format!("{} · try {attempt} of {attempts_max} in {wait}", clean_line(reason));
                match self.memory.retries.get(turn).copied() {
                    Some(id) if self.index_of(id).is_some() => self.change(id, |item| item.body = Body::Retry { text }),
                    _ => {
                        let id = self.add(parent.as_ref(), seq, Body::Retry { text });
                        self.memory.retries.insert(turn.clone(), id);
                        true
                    }
                }
            }
            TurnEvent::Finished { turn, parent, end, duration_ms, message, .. } => {
                self.memory.retries.remove(turn);
                self.close_stream(parent.as_ref());
                if parent.is_none() {
                    self.turn_end(*end, *duration_ms, message.as_deref(), seq);
                }
                true
            }
        }
    }

    /// An answer whose end never came was cut off.
    fn close_stream(&mut self, parent: Option<&CallId>) {
        let Some(stream) = self.memory.streams.remove(&parent.cloned()) else { return };
        if let Some(id) = stream.reasoning {
            self.stop_thinking(id, None);
        }
        if let Some(id) = stream.text {
            self.change(id, |item| {
                if let Body::Assistant { ending, .. } = &mut item.body {
                    *ending = Ending::Interrupted;
                }
            });
        }
    }

    fn turn_end(&mut self, end: TurnEnd, duration_ms: u64, message: Option<&str>, seq: Option<Seq>) {
        let worked = seconds(duration_ms);
        let (text, failed) = match end {
            TurnEnd::Done => (format!("Worked for {worked}"), false),
            TurnEnd::Interrupted => (format!("Interrupted after {worked} · say what to do instead"), false),
            TurnEnd::StepLimit => (format!("Stopped after {worked}: as many steps as a turn may take · say `go on` to go on"), false),
            TurnEnd::Failed => (format!("Failed after {worked}"), true),
            TurnEnd::Crashed => ("The program ended while this turn ran".to_owned(), false),
        };
        let message = message.map(|text| clean(text).into_owned());
        let message = message.filter(|text| self.memory.last_error.as_deref() != Some(text) && !text.trim().is_empty());
        self.memory.last_error = None;
        self.add(None, seq, Body::TurnEnd { text, message, failed });
    }

    fn marker(&mut self, seq: Option<Seq>, text: impl Into<String>, detail: &str) -> bool {
        self.add(None, seq, Body::Marker { text: text.into(), detail: clean(detail).into_owned() });
        true
    }

    /// What a turn was told of earlier sessions: one line that opens to the list.
    fn recalled(&mut self, notes: &Notes, seq: Option<Seq>) -> bool {
        let count = notes.notes.len();
        let text = if count == 1 { "recalled 1 memory".to_owned() } else { format!("recalled {count} memories") };
        let lines = notes.notes.iter().map(|note| format!("{}: {}", note.kind.as_str(), clean_line(&note.content)));
        self.marker(seq, text, &lines.collect::<Vec<_>>().join("\n"))
    }

    fn session(&mut self, event: &SessionEvent, seq: Option<Seq>) -> bool {
        match event {
            SessionEvent::Created { fork: Some(_), .. } => {
                self.marker(seq, "Forked: the conversation above is shared with the session it comes from", "")
            }
            SessionEvent::Created { fork: None, .. } | SessionEvent::Renamed { .. } | SessionEvent::ModeSet { .. } => false,
            SessionEvent::Rewound { to } => {
                self.rewind(*to);
                self.marker(seq, "Rewound: what came after no longer counts", "")
            }
            SessionEvent::Compacted { summary, by_user, .. } => {
                let why = if *by_user { "as you asked" } else { "to stay within the model's window" };
                self.marker(seq, format!("Compacted {why}: the model goes on with a summary"), summary)
            }
            SessionEvent::ModelSet { model } => self.marker(seq, format!("Model: {}", clean_line(model)), ""),
        }
    }

    fn rewind(&mut self, to: Seq) {
        let keep = |item: &Item| matches!(item.body, Body::Welcome(_)) || item.seq.is_some_and(|seq| seq <= to);
        let cache = self.cache.get_mut();
        self.items.iter().filter(|item| !keep(item)).for_each(|item| cache.forget(item.id));
        self.items.retain(keep);
        self.running = self.items.iter().filter(|item| item.running()).count();
        self.memory.streams.clear();
        self.memory.spoken = false;
    }

    fn error(&mut self, event: &ErrorEvent, seq: Option<Seq>) -> bool {
        let hint = event.details.get("hint").and_then(Value::as_str).map(clean_line);
        let message = clean(&event.message).trim().to_owned();
        self.memory.last_error = Some(message.clone());
        self.add(None, seq, Body::Error { message, hint, source: clean_line(&event.source) });
        true
    }

    /// One dim line for a question that is done with: what was asked, what was done. Values are in no event.
    fn question(&mut self, event: &QuestionEvent, seq: Option<Seq>) -> bool {
        match event {
            QuestionEvent::Asked { question } => {
                // Questions whose answer never comes must not pile up.
                if self.memory.questions.len() < QUESTIONS_MAX {
                    let line =
                        ellipsis(&clean_line(&format!("{} {}", question.server, question.ask.line())), QUESTION_CHARS_MAX).into_owned();
                    self.memory.questions.insert(question.id.clone(), (question.call_id.clone(), line));
                }
                false
            }
            QuestionEvent::Answered { question_id, server, action, by } => {
                let (call, asked) =
                    self.memory.questions.remove(question_id).unwrap_or_else(|| (None, format!("{} asked", clean_line(server.as_str()))));
                let done = match action {
                    ReplyAction::Accept => "accepted",
                    ReplyAction::Decline => "declined",
                    ReplyAction::Cancel => "closed without an answer",
                };
                let by = by.as_deref().map(|by| format!(" ({})", clean_line(by))).unwrap_or_default();
                self.add(call.as_ref(), seq, Body::Answered { text: format!("{asked} · {done}{by}") });
                true
            }
        }
    }

    /// One line for what a background task told or asks. Of many in a row only the last ones stay: the inbox has all.
    fn notice(&mut self, item: &InboxItem, seq: Option<Seq>) -> bool {
        let last = self.items.iter().rev().take_while(|item| matches!(item.body, Body::Notice { .. })).count();
        if last >= NOTICES_MAX
            && let Some(first) = self.items.get(self.items.len() - last).map(|item| item.id)
        {
            self.remove(first);
        }
        let title = ellipsis(&clean_line(&item.title), NOTICE_CHARS_MAX).into_owned();
        let simulated = if item.simulated { " (simulated)" } else { "" };
        let asks = item.kind == InboxKind::Asks;
        let what = if asks { "asks: " } else { "" };
        self.add(None, seq, Body::Notice { text: format!("{what}{title}{simulated} · /inbox"), asks });
        true
    }

    /// One line of the program itself: the scheduler was away, the cache was cleared.
    fn returned(&mut self, custom: &Custom, seq: Option<Seq>) -> bool {
        let text = |name: &str| custom.data.get(name).and_then(Value::as_str);
        let who = match (custom.type_name.as_str(), text("event_type")) {
            ("scheduler", Some("returned")) => "Background tasks",
            ("cache", Some("cleared")) => "Cache",
            (REPORT_EVENT, Some("retried" | "resent")) => "Reports",
            _ => return false,
        };
        let Some(message) = text("message") else { return false };
        let message = ellipsis(&clean_line(message), NOTICE_CHARS_MAX).into_owned();
        self.marker(seq, format!("{who}: {message}"), "")
    }

    /// Progress of a call stands on its line.
    fn progress(&mut self, event: &McpEvent) -> bool {
        if event.event_type != McpEventType::Progress {
            return false;
        }
        let details = &event.details;
        let Some(call) = details.get("call_id").and_then(Value::as_str).map(CallId::new) else { return false };
        let Some(id) = self.memory.calls.get(&call).copied() else { return false };
        let number = |name: &str| details.get(name).and_then(Value::as_f64).filter(|number| number.is_finite());
        let (done, total) = (number("progress"), number("total").filter(|total| *total > 0.0));
        let so_far = match (done, total) {
            // Of one whole it is a share.
            (Some(done), Some(total)) if (total - 1.0).abs() < f64::EPSILON => Some(format!("{:.0}%", done * 100.0)),
            (Some(done), Some(total)) => Some(format!("{}/{}", amount(done), amount(total))),
            (Some(done), None) => Some(amount(done)),
            (None, _) => None,
        };
        let message =
            details.get("message").and_then(Value::as_str).map(|text| ellipsis(&clean_line(text), PROGRESS_CHARS_MAX).into_owned());
        let text = [so_far, message].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let progress = Progress { full: done.zip(total).map(|(done, total)| cells(done / total)), text };
        // A storm of news that shows nothing new draws nothing.
        let shown = self.index_of(id).and_then(|at| self.items.get(at));
        if let Some(Item { body: Body::Tool(call), .. }) = shown
            && call.progress.as_ref() == Some(&progress)
        {
            return false;
        }
        self.change(id, |item| {
            if let Body::Tool(call) = &mut item.body {
                call.progress = Some(progress);
            }
        })
    }
}

/// A name of somebody else's in one line.
fn name(text: &str) -> String {
    /// Characters of a name.
    const CHARS_MAX: usize = 160;
    let start = text.get(..text.floor_char_boundary((CHARS_MAX * 8).min(text.len()))).unwrap_or(text);
    ellipsis(&clean_line(start), CHARS_MAX).into_owned()
}

/// Full cells of a bar for a share of the whole.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "it is clamped to the cells there are"
)]
fn cells(share: f64) -> usize {
    (share.clamp(0.0, 1.0) * Progress::CELLS as f64).round() as usize
}

/// `3`, `3.5`.
fn amount(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:.1}") }
}

/// A short time: `41 ms`, `3.2 s`, `2 min 5 s`.
pub(super) fn duration(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms} ms"),
        1_000..=59_999 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => seconds(ms),
    }
}

/// A time in whole seconds: `10s`, `2m 05s`, `1h 02m`.
pub(super) fn seconds(ms: u64) -> String {
    let seconds = ms.saturating_add(500) / 1_000;
    match seconds {
        0..=59 => format!("{seconds}s"),
        60..=3_599 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3_600, seconds % 3_600 / 60),
    }
}
