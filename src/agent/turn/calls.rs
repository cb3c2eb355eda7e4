//! The calls of one step: made valid, asked about, run side by side, answered in their order.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::agent::approval::Verdict;
use crate::agent::history;
use crate::agent::prompt::HANDOFF;
use crate::agent::turn::{Effect, Env, Offer, Out, Phase, Target, Turn};
use crate::domain::clock::Instant;
use crate::domain::command::Decision;
use crate::domain::event::{Approval, ApprovalStatus, ErrorKind, HandoffCall, Status, ToolExecution};
use crate::domain::ids::{CallId, ServerName, ToolName};
use crate::domain::message::{Message, ToolCall};
use crate::domain::text::{clean_line, ellipsis};
use crate::domain::tool::ToolInfo;
use crate::llm::Finish;
use crate::tools::{ToolError, ToolOutcome};

/// The server that events name where a call reached none.
pub(in crate::agent) const NO_SERVER: &str = "agent";

/// The longest name of a tool that providers take, in characters.
const NAME_CHARS_MAX: usize = 64;

/// The longest id of a call that providers take, in bytes.
const ID_BYTES_MAX: usize = 64;

/// Names that are offered in place of one that does not exist.
const CLOSE_NAMES_MAX: usize = 3;

/// How alike a name must be to be offered (Jaro-Winkler, 1 is equal).
const CLOSE_ENOUGH: f64 = 0.75;

const INTERRUPTED: &str = "interrupted by the user";

/// One call and how far it has come.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) call: ToolCall,
    work: Work,
    state: State,
    started: Instant,
}

#[derive(Debug)]
enum Work {
    Tool(Box<ToolInfo>),
    Handoff { target: Target, task: Map<String, Value> },
    Nothing,
}

#[derive(Debug)]
enum State {
    Asking(Box<Approval>),
    Ready,
    Running,
    /// What the model is told.
    Answered(String),
}

impl Slot {
    pub(super) fn is_asking(&self) -> bool {
        matches!(self.state, State::Asking(_))
    }

    fn is_running(&self) -> bool {
        matches!(self.state, State::Running)
    }
}

/// Makes calls fit for every provider's history: usable names, ids that are there and unique in the session. A call
/// that the token limit may have cut is marked, so that it never runs.
pub(super) fn sanitize(calls: &mut [ToolCall], finish: &Finish, known: &mut HashSet<CallId>) {
    for call in calls.iter_mut() {
        let id = call.id.as_str();
        let usable = !id.is_empty() && id.len() <= ID_BYTES_MAX && id.chars().all(|ch| ch.is_ascii_graphic());
        if !usable || known.contains(&call.id) {
            call.id = CallId::generate();
        }
        while !known.insert(call.id.clone()) {
            call.id = CallId::generate();
        }
        let safe = |ch: char| if ch.is_ascii_alphanumeric() || matches!(ch, '_' | '-') { ch } else { '_' };
        let name: String = call.name.as_str().chars().map(safe).take(NAME_CHARS_MAX).collect();
        call.name = ToolName::from(if name.is_empty() { "unnamed".to_owned() } else { name });
    }
    if let (Finish::Length, Some(last)) = (finish, calls.last_mut()) {
        last.invalid.get_or_insert_with(|| "the token limit cut the call off".to_owned());
    }
    for call in calls.iter_mut().filter(|call| call.invalid.is_some()) {
        call.arguments = Map::new();
    }
}

impl Turn {
    /// Takes up the calls of an answer.
    pub(super) fn act(&mut self, env: &mut Env<'_>, calls: &[ToolCall], out: &mut Out) {
        let slots = calls.iter().map(|call| self.slot(env, call, out)).collect();
        self.phase = Phase::Acting(slots);
        self.settle(env, out);
    }

    fn slot(&self, env: &Env<'_>, call: &ToolCall, out: &mut Out) -> Slot {
        let (work, refusal) = self.classify(call);
        let slot = |state, work| Slot { call: call.clone(), work, state, started: env.now };
        if let Some((kind, message)) = refusal {
            let answer = self.never_ran(call, &work, kind, message, out);
            return slot(State::Answered(answer), work);
        }
        let Work::Tool(tool) = &work else { return slot(State::Ready, work) };
        match env.policy.check_call(tool, &call.arguments) {
            Verdict::Allow { .. } => slot(State::Ready, work),
            Verdict::Deny { reason } => {
                let answer = self.never_ran(call, &work, ErrorKind::Refused, format!("not allowed by policy: {reason}"), out);
                slot(State::Answered(answer), work)
            }
            Verdict::Ask { reason, dangerous } => {
                let approval = Approval {
                    call_id: call.id.clone(),
                    status: ApprovalStatus::Requested,
                    service_name: tool.server.clone(),
                    tool_name: tool.tool.clone(),
                    arguments: call.arguments.clone(),
                    reason,
                    dangerous,
                    preview: None,
                    scope: None,
                    instead: None,
                    parent: self.who.parent.clone(),
                    own: self.is_direct,
                };
                out.acts.push(Effect::AskApproval(approval.clone()));
                slot(State::Asking(Box::new(approval)), work)
            }
        }
    }

    /// What a call is about, and why it cannot run if it cannot.
    fn classify(&self, call: &ToolCall) -> (Work, Option<(ErrorKind, String)>) {
        let tool = self.offer.tools.iter().find(|tool| tool.name == call.name);
        let is_handoff = call.name.as_str() == HANDOFF && !self.offer.targets.is_empty();
        let work = tool.filter(|_| !is_handoff).map_or(Work::Nothing, |tool| Work::Tool(Box::new(tool.clone())));
        if let Some(reason) = &call.invalid {
            return (
                work,
                Some((ErrorKind::BadArguments, format!("the call did not run, its arguments are unusable: {}", clean_line(reason)))),
            );
        }
        if is_handoff {
            return match handoff(&call.arguments, &self.offer.targets) {
                Ok((target, task)) => (Work::Handoff { target, task }, None),
                Err(message) => (Work::Nothing, Some((ErrorKind::BadArguments, message))),
            };
        }
        match work {
            Work::Nothing => (Work::Nothing, Some((ErrorKind::NotFound, unknown_tool(call.name.as_str(), &self.offer)))),
            work => (work, None),
        }
    }

    /// Records that a call does not run; gives what the model is told.
    fn never_ran(&self, call: &ToolCall, work: &Work, kind: ErrorKind, message: String, out: &mut Out) -> String {
        let event = self.execution(call, work, Status::Error, None).failed(kind, message);
        let answer = history::answer_of_tool(&event, self.limits.tool_result_bytes_max);
        out.say(event);
        answer
    }

    fn execution(&self, call: &ToolCall, work: &Work, status: Status, duration_ms: Option<u64>) -> ToolExecution {
        let (service_name, tool_name) = match work {
            Work::Tool(tool) => (tool.server.clone(), tool.tool.clone()),
            Work::Handoff { .. } | Work::Nothing => (ServerName::new(NO_SERVER), call.name.as_str().to_owned()),
        };
        ToolExecution {
            service_name,
            tool_name,
            status,
            result: None,
            error: None,
            error_kind: None,
            call_id: call.id.clone(),
            arguments: Some(call.arguments.clone()),
            duration_ms,
            parent: self.who.parent.clone(),
        }
    }

    fn handoff_event(&self, call: &ToolCall, target: &Target, task: &Map<String, Value>, status: Status) -> HandoffCall {
        HandoffCall {
            service_name: target.name.clone(),
            task: task.clone(),
            status,
            result: None,
            error: None,
            call_id: Some(call.id.clone()),
            parent: self.who.parent.clone(),
            duration_ms: None,
        }
    }

    /// Starts what may start; where all is answered, goes on to the next step.
    fn settle(&mut self, env: &mut Env<'_>, out: &mut Out) {
        let Phase::Acting(mut slots) = std::mem::replace(&mut self.phase, Phase::Ended) else { return };
        let running = slots.iter().filter(|slot| slot.is_running()).count();
        let free = self.limits.parallel_tools_max.saturating_sub(running);
        for slot in slots.iter_mut().filter(|slot| matches!(slot.state, State::Ready)).take(free) {
            slot.state = State::Running;
            slot.started = env.now;
            match &slot.work {
                Work::Handoff { target, task } => {
                    out.say(self.handoff_event(&slot.call, target, task, Status::Started));
                    let (call_id, target, task) = (slot.call.id.clone(), target.clone(), task.clone());
                    out.acts.push(Effect::Handoff { call_id, target, task });
                }
                Work::Tool(_) | Work::Nothing => {
                    out.say(self.execution(&slot.call, &slot.work, Status::Started, None));
                    let (call_id, name) = (slot.call.id.clone(), slot.call.name.clone());
                    out.acts.push(Effect::RunTool { call_id, name, arguments: slot.call.arguments.clone() });
                }
            }
        }
        if slots.iter().any(|slot| !matches!(slot.state, State::Answered(_))) {
            self.phase = Phase::Acting(slots);
            return;
        }
        for slot in slots {
            if let State::Answered(answer) = slot.state {
                self.messages.push(Message::tool_result(slot.call.id, answer));
            }
        }
        self.answered(env, out);
    }

    pub(super) fn tool_finished(&mut self, env: &mut Env<'_>, id: &CallId, result: Result<ToolOutcome, ToolError>, out: &mut Out) {
        let Some((index, slot)) = self.running(id) else { return };
        let duration = millis_since(env.now, slot.started);
        let event = match result {
            Ok(outcome) if outcome.is_error => {
                let message = if outcome.text.trim().is_empty() { "the tool failed and did not say why".to_owned() } else { outcome.text };
                self.execution(&slot.call, &slot.work, Status::Error, Some(duration)).failed(ErrorKind::Tool, message)
            }
            Ok(outcome) => {
                let mut event = self.execution(&slot.call, &slot.work, Status::Success, Some(duration));
                event.result = Some(match outcome.structured {
                    Some(structured) => serde_json::json!({ "text": outcome.text, "structured": structured }),
                    None => Value::String(outcome.text),
                });
                event
            }
            Err(error) => self.execution(&slot.call, &slot.work, Status::Error, Some(duration)).failed(error.kind, error.message),
        };
        let answer = history::answer_of_tool(&event, self.limits.tool_result_bytes_max);
        out.say(event);
        self.answer(index, answer);
        self.settle(env, out);
    }

    pub(super) fn handoff_finished(&mut self, env: &mut Env<'_>, id: &CallId, result: Result<String, String>, out: &mut Out) {
        let Some((index, slot)) = self.running(id) else { return };
        let Work::Handoff { target, task } = &slot.work else { return };
        let status = if result.is_ok() { Status::Success } else { Status::Error };
        let mut event = self.handoff_event(&slot.call, target, task, status);
        event.duration_ms = Some(millis_since(env.now, slot.started));
        match result {
            Ok(text) => event.result = Some(Value::String(text)),
            Err(message) => event.error = Some(message),
        }
        let answer = history::answer_of_handoff(&event, self.limits.tool_result_bytes_max);
        out.say(event);
        self.answer(index, answer);
        self.settle(env, out);
    }

    fn running(&self, id: &CallId) -> Option<(usize, &Slot)> {
        let Phase::Acting(slots) = &self.phase else { return None };
        slots.iter().enumerate().find(|(_, slot)| slot.call.id == *id && slot.is_running())
    }

    fn answer(&mut self, index: usize, answer: String) {
        if let Phase::Acting(slots) = &mut self.phase
            && let Some(slot) = slots.get_mut(index)
        {
            slot.state = State::Answered(answer);
        }
    }

    pub(super) fn decided(&mut self, env: &mut Env<'_>, id: &CallId, decision: Decision, out: &mut Out) {
        let Phase::Acting(slots) = &mut self.phase else { return };
        let Some(index) = slots.iter().position(|slot| slot.is_asking() && slot.call.id == *id) else { return };
        let State::Asking(approval) = std::mem::replace(&mut slots[index].state, State::Ready) else { return };
        match decision {
            Decision::Allow { scope } => {
                out.say(Approval { status: ApprovalStatus::Granted, scope: Some(scope), ..*approval });
            }
            Decision::Refuse { instead } => {
                let instead = instead.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
                out.say(Approval { status: ApprovalStatus::Refused, instead: instead.clone(), ..*approval });
                let message = match instead {
                    Some(instead) => format!("the user refused this call and says: {instead}"),
                    None if self.is_direct => "not confirmed: it did not run".to_owned(),
                    None => "the user refused this call; it did not run. Do not repeat it, ask what to do instead".to_owned(),
                };
                self.refuse(index, message, out);
            }
        }
        self.settle(env, out);
    }

    fn refuse(&mut self, index: usize, message: String, out: &mut Out) {
        let Phase::Acting(slots) = &self.phase else { return };
        let Some(slot) = slots.get(index) else { return };
        let answer = self.never_ran(&slot.call, &slot.work, ErrorKind::Refused, message, out);
        self.answer(index, answer);
    }

    /// Grants the open questions that a new consent covers.
    pub(super) fn reconsider(&mut self, env: &mut Env<'_>, out: &mut Out) {
        let Phase::Acting(slots) = &mut self.phase else { return };
        for slot in slots.iter_mut() {
            let Work::Tool(tool) = &slot.work else { continue };
            let State::Asking(approval) = &slot.state else { continue };
            if let Verdict::Allow { reason } = env.policy.check_call(tool, &slot.call.arguments) {
                out.say(Approval { status: ApprovalStatus::Granted, reason, ..(**approval).clone() });
                slot.state = State::Ready;
            }
        }
        self.settle(env, out);
    }

    /// Closes all calls that have no answer, because a person stops the turn.
    pub(super) fn give_up_calls(&mut self, now: Instant, out: &mut Out) {
        let Phase::Acting(slots) = std::mem::replace(&mut self.phase, Phase::Ended) else { return };
        for slot in slots {
            let duration = slot.is_running().then(|| millis_since(now, slot.started));
            let message = match (&slot.state, &slot.work) {
                (State::Answered(_), _) => continue,
                (State::Running, Work::Handoff { target, task }) => {
                    let mut event = self.handoff_event(&slot.call, target, task, Status::Error);
                    event.error = Some(INTERRUPTED.to_owned());
                    event.duration_ms = duration;
                    out.say(event);
                    continue;
                }
                (State::Asking(approval), _) => {
                    let reason = INTERRUPTED.to_owned();
                    out.say(Approval { status: ApprovalStatus::Refused, reason, ..(**approval).clone() });
                    format!("{INTERRUPTED}; it did not run")
                }
                (State::Ready, _) => format!("{INTERRUPTED}; it did not run"),
                (State::Running, _) => format!("{INTERRUPTED} while it ran; whether it took effect is unknown"),
            };
            out.say(self.execution(&slot.call, &slot.work, Status::Error, duration).failed(ErrorKind::Interrupted, message));
        }
    }
}

trait Failed {
    fn failed(self, kind: ErrorKind, message: String) -> Self;
}

impl Failed for ToolExecution {
    fn failed(mut self, kind: ErrorKind, message: String) -> Self {
        self.status = Status::Error;
        self.error_kind = Some(kind);
        self.error = Some(message);
        self
    }
}

fn millis_since(now: Instant, started: Instant) -> u64 {
    u64::try_from(now.since(started).as_millis()).unwrap_or(u64::MAX)
}

/// Reads the arguments of a handoff; a task that is only text is taken too.
fn handoff(arguments: &Map<String, Value>, targets: &[Target]) -> Result<(Target, Map<String, Value>), String> {
    let names = || targets.iter().map(|target| target.name.as_str()).collect::<Vec<_>>().join(", ");
    let name = arguments.get("agent").and_then(Value::as_str).unwrap_or_default().trim();
    let Some(target) = targets.iter().find(|target| target.name == name) else {
        return Err(format!("there is no agent `{}`; there are: {}", ellipsis(&clean_line(name), NAME_CHARS_MAX), names()));
    };
    let task = match arguments.get("task") {
        Some(Value::Object(task)) if !task.is_empty() => task.clone(),
        Some(Value::String(text)) if !text.trim().is_empty() => match serde_json::from_str(text) {
            Ok(Value::Object(task)) => task,
            _ => Map::from_iter([("description".to_owned(), Value::String(text.clone()))]),
        },
        _ => return Err("the task is missing: give an object that says what is to be done".to_owned()),
    };
    Ok((target.clone(), task))
}

fn unknown_tool(name: &str, offer: &Offer) -> String {
    let mut close: Vec<_> = offer
        .tools
        .iter()
        .map(|tool| (likeness(name, tool), tool.name.as_str()))
        .filter(|(likeness, _)| *likeness >= CLOSE_ENOUGH)
        .collect();
    close.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let close: Vec<_> = close.into_iter().take(CLOSE_NAMES_MAX).map(|(_, name)| format!("`{name}`")).collect();
    if close.is_empty() {
        return format!("there is no tool `{name}` (any more)");
    }
    format!("there is no tool `{name}`; did you mean {}?", close.join(" or "))
}

/// Models often leave out the server's part of the name, or write it with another separator.
fn likeness(name: &str, tool: &ToolInfo) -> f64 {
    strsim::jaro_winkler(name, tool.name.as_str()).max(strsim::jaro_winkler(name, &tool.tool))
}
