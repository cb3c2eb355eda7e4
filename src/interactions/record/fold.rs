//! What is open: the fold that turns events into records. It is stored with the position in the log, so that what began
//! before a restart ends as the same interaction after it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::domain::clock::Instant;
use crate::domain::event::{Chat, ChatStatus, Event, EventBody, HandoffCall, Status, TaskEvent, ToolExecution, TurnEvent};
use crate::domain::ids::{InteractionId, SessionId};
use crate::domain::interaction::{Action, InteractionRecord};
use crate::domain::message::Role;
use crate::domain::task::{Outcome, TaskFact};
use crate::interactions::record::{Shape, USER, call_error, interaction_id, seconds, turn_error};

/// Interactions that may be open at once; beyond that the oldest is forgotten (its end is reported all the same).
const OPEN_MAX: usize = 1_024;

/// Tasks whose kind is remembered.
const TASKS_MAX: usize = 1_024;

/// Between two records of progress of one interaction, in milliseconds.
const PROGRESS_EVERY_MS: i64 = 10_000;

/// One interaction between its start and its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Open {
    id: Option<InteractionId>,
    since: Instant,
    /// When a record of it was last made.
    told: Instant,
    input: u64,
    output: u64,
    steps: u64,
    calls: u64,
    retries: u64,
    adapter: String,
}

impl Open {
    fn at(at: Instant) -> Self {
        Self { id: None, since: at, told: at, input: 0, output: 0, steps: 0, calls: 0, retries: 0, adapter: String::new() }
    }
}

/// Everything that is open.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fold {
    open: BTreeMap<String, Open>,
    kinds: BTreeMap<String, String>,
}

impl Fold {
    /// Takes in an event, and puts what is to be reported of it into `out`.
    pub fn take(&mut self, event: &Event, shape: &Shape, out: &mut Vec<InteractionRecord>) {
        match &event.body {
            EventBody::TurnEvent(turn) => self.turn(event, turn, shape, out),
            EventBody::Chat(chat) => self.chat(event, chat, shape, out),
            EventBody::ToolExecution(call) => self.call(event, call, shape, out),
            EventBody::HandoffCall(call) => self.handoff(event, call, shape, out),
            EventBody::TaskEvent(task) => self.task(event, task, shape, out),
            EventBody::McpEvent(_)
            | EventBody::Error(_)
            | EventBody::Approval(_)
            | EventBody::Question(_)
            | EventBody::SessionEvent(_)
            | EventBody::Notification(_)
            | EventBody::InboxEvent(_)
            | EventBody::Memory(_)
            | EventBody::Custom(_) => {}
        }
    }

    /// The open interaction `key`, made where there is none.
    fn entry(&mut self, key: &str, at: Instant) -> &mut Open {
        if !self.open.contains_key(key) && self.open.len() >= OPEN_MAX {
            let oldest = self.open.iter().min_by_key(|(_, open)| open.since).map(|(key, _)| key.clone());
            oldest.and_then(|key| self.open.remove(&key));
        }
        self.open.entry(key.to_owned()).or_insert_with(|| Open::at(at))
    }

    /// Takes the interaction `key` out; one that is not known began `ms` before `at`.
    fn close(&mut self, key: &str, at: Instant, ms: u64) -> (InteractionId, Open) {
        let began = || Open::at(Instant::from_millis(at.as_millis().saturating_sub(i64::try_from(ms).unwrap_or(0))));
        let open = self.open.remove(key).unwrap_or_else(began);
        (open.id.clone().unwrap_or_else(|| interaction_id(key, open.since)), open)
    }

    fn begin(&mut self, key: &str, event: &Event, adapter: &str) -> (InteractionId, Open) {
        let id = interaction_id(key, event.at);
        let open = self.entry(key, event.at);
        (open.id, open.since, open.told) = (Some(id.clone()), event.at, event.at);
        adapter.clone_into(&mut open.adapter);
        (id, open.clone())
    }

    fn turn(&mut self, event: &Event, turn: &TurnEvent, shape: &Shape, out: &mut Vec<InteractionRecord>) {
        match turn {
            TurnEvent::Started { turn, agent, model, parent } => {
                let (id, open) = self.begin(&format!("turn:{turn}"), event, model);
                let request = json!({
                    "user_id": USER,
                    "request_type": if parent.is_some() { "agent_turn" } else { "turn" },
                    "input_size": open.input,
                    "parameters": {"model": model, "agent": agent, "session_id": event.session},
                });
                out.push(shape.record(event, 0, Action::Start, &id, event.at, request));
            }
            TurnEvent::Retrying { turn, .. } => {
                let key = format!("turn:{turn}");
                self.entry(&key, event.at).retries += 1;
                self.progress(&key, event, "retrying", shape, out);
            }
            TurnEvent::Finished { turn, end, steps, duration_ms, usage, message, .. } => {
                let (id, open) = self.close(&format!("turn:{turn}"), event.at, *duration_ms);
                let mut payload = match turn_error(*end) {
                    None => object(json!({"success": true})),
                    Some((kind, sentence)) => shape.error(kind, sentence, message.as_deref()),
                };
                payload.extend(object(json!({
                    "output_size": open.output,
                    "processing_time": seconds(*duration_ms),
                    "adapter_used": open.adapter,
                    "steps": steps,
                    "tool_calls": open.calls,
                    "retries": open.retries,
                    "input_tokens": usage.input_tokens,
                    "output_tokens": usage.output_tokens,
                })));
                let action = if turn_error(*end).is_none() { Action::Complete } else { Action::Error };
                out.push(shape.record(event, 0, action, &id, event.at, Value::Object(payload)));
            }
        }
    }

    /// What was said counts for its turn; each step of a long turn may be told as progress.
    fn chat(&mut self, event: &Event, chat: &Chat, shape: &Shape, out: &mut Vec<InteractionRecord>) {
        let Some(turn) = chat.turn.as_ref().filter(|_| chat.status == ChatStatus::Done) else { return };
        let key = format!("turn:{turn}");
        let size = number(chat.text.as_ref().map_or(0, String::len));
        let open = self.entry(&key, event.at);
        match chat.role {
            Role::User => open.input += size,
            Role::Assistant => {
                open.output += size;
                open.steps += 1;
                open.calls += number(chat.tool_calls.len());
                if !chat.tool_calls.is_empty() {
                    self.progress(&key, event, "calling_tools", shape, out);
                }
            }
            Role::System | Role::Tool => {}
        }
    }

    /// Tells how far a long interaction has come, not more often than every ten seconds.
    fn progress(&mut self, key: &str, event: &Event, phase: &str, shape: &Shape, out: &mut Vec<InteractionRecord>) {
        let Some(open) = self.open.get_mut(key) else { return };
        let Some(id) = open.id.clone().filter(|_| event.at.as_millis().saturating_sub(open.told.as_millis()) >= PROGRESS_EVERY_MS) else {
            return;
        };
        open.told = event.at;
        let elapsed = u64::try_from(event.at.since(open.since).as_millis()).unwrap_or(u64::MAX);
        let progress = json!({
            "phase": phase,
            "elapsed": seconds(elapsed),
            "steps": open.steps,
            "tool_calls": open.calls,
            "retries": open.retries,
            "output_size": open.output,
        });
        out.push(shape.record(event, 1, Action::Progress, &id, event.at, progress));
    }

    fn call(&mut self, event: &Event, call: &ToolExecution, shape: &Shape, out: &mut Vec<InteractionRecord>) {
        let key = call_key("call", event.session.as_ref(), call.call_id.as_str());
        let adapter = call.service_name.as_str();
        let names = json!({"service": adapter, "tool": call.tool_name, "session_id": event.session});
        match call.status {
            Status::Started => {
                let text = call.arguments.as_ref().map(|arguments| Value::Object(arguments.clone()).to_string()).unwrap_or_default();
                let mut parameters = object(names);
                // As an object, so that names of fields tell what is secret.
                match &call.arguments {
                    Some(arguments) if shape.content == crate::interactions::options::Content::Full => {
                        parameters.insert("arguments".to_owned(), Value::Object(arguments.clone()));
                    }
                    _ => shape.say(&mut parameters, "arguments", || text.clone()),
                }
                let (id, _) = self.begin(&key, event, adapter);
                let request = json!({"user_id": USER, "request_type": "tool_call", "input_size": text.len(), "parameters": parameters});
                out.push(shape.record(event, 0, Action::Start, &id, event.at, request));
            }
            Status::Success => {
                let (id, open) = self.close(&key, event.at, call.duration_ms.unwrap_or(0));
                let text = call.result.as_ref().map(plain).unwrap_or_default();
                let mut payload = ended(true, &open, event.at, call.duration_ms, adapter, text.len());
                payload.extend(object(names));
                shape.say(&mut payload, "result", || text);
                out.push(shape.record(event, 0, Action::Complete, &id, event.at, Value::Object(payload)));
            }
            Status::Error => {
                let (id, open) = self.close(&key, event.at, call.duration_ms.unwrap_or(0));
                let (kind, sentence) = call_error(call.error_kind);
                let mut payload = shape.error(kind, sentence, call.error.as_deref());
                payload.extend(ended(false, &open, event.at, call.duration_ms, adapter, 0));
                payload.extend(object(names));
                out.push(shape.record(event, 0, Action::Error, &id, event.at, Value::Object(payload)));
            }
        }
    }

    fn handoff(&mut self, event: &Event, call: &HandoffCall, shape: &Shape, out: &mut Vec<InteractionRecord>) {
        let name = call.call_id.as_ref().map_or(call.service_name.as_str(), |id| id.as_str());
        let key = call_key("handoff", event.session.as_ref(), name);
        let adapter = call.service_name.as_str();
        match call.status {
            Status::Started => {
                let text = Value::Object(call.task.clone()).to_string();
                let size = text.len();
                let mut parameters = object(json!({"agent": adapter, "session_id": event.session}));
                shape.say(&mut parameters, "task", || text);
                let (id, _) = self.begin(&key, event, adapter);
                let request = json!({"user_id": USER, "request_type": "handoff", "input_size": size, "parameters": parameters});
                out.push(shape.record(event, 0, Action::Start, &id, event.at, request));
            }
            Status::Success | Status::Error => {
                let (id, open) = self.close(&key, event.at, call.duration_ms.unwrap_or(0));
                let good = call.status == Status::Success;
                let text = call.result.as_ref().map(plain).unwrap_or_default();
                let mut payload = Map::new();
                if !good {
                    payload = shape.error("handoff_failed", "the agent failed", call.error.as_deref());
                }
                payload.extend(ended(good, &open, event.at, call.duration_ms, adapter, text.len()));
                if good {
                    shape.say(&mut payload, "result", || text);
                }
                let action = if good { Action::Complete } else { Action::Error };
                out.push(shape.record(event, 0, action, &id, event.at, Value::Object(payload)));
            }
        }
    }

    /// A run is known when it is over: start and end are told together. Quiet checks come as one for each hour.
    fn task(&mut self, event: &Event, task: &TaskEvent, shape: &Shape, out: &mut Vec<InteractionRecord>) {
        let name = task.task_id.as_str().to_owned();
        let (started, ms, failed, what) = match &task.fact {
            TaskFact::TaskCreated { spec } | TaskFact::TaskUpdated { spec, .. } => {
                if self.kinds.len() >= TASKS_MAX {
                    self.kinds.pop_first();
                }
                self.kinds.insert(name, spec.kind.kind().as_str().to_owned());
                return;
            }
            TaskFact::TaskDeleted {} => {
                self.kinds.remove(&name);
                return;
            }
            TaskFact::RunFinished(run) => {
                let failed = (run.outcome == Outcome::Failed).then_some(run.reason.as_str());
                let what = object(json!({"outcome": run.outcome, "fired": run.fired, "gate": run.gate, "failures": run.failures}));
                (run.started, run.duration_ms, failed, what)
            }
            TaskFact::ChecksRolledUp(hour) => (event.at, 0, None, object(json!({"outcome": "quiet_checks", "checks": hour.ran}))),
            _ => return,
        };
        let adapter = self.kinds.get(&name).cloned().unwrap_or_else(|| "background_task".to_owned());
        let id = interaction_id(&format!("run:{}", event.id), started);
        let request = json!({"user_id": USER, "request_type": "background_task", "input_size": 0, "parameters": {"task_id": name, "task_type": adapter}});
        out.push(shape.record(event, 1, Action::Start, &id, started, request));
        let mut payload = match failed {
            None => object(json!({"success": true})),
            Some(reason) => shape.error("task_failed", "the run of a background task failed", Some(reason)),
        };
        payload.extend(object(json!({"output_size": 0, "processing_time": seconds(ms), "adapter_used": adapter})));
        payload.extend(what);
        let action = if failed.is_some() { Action::Error } else { Action::Complete };
        let at = started.plus(std::time::Duration::from_millis(ms));
        out.push(shape.record(event, 0, action, &id, at, Value::Object(payload)));
    }
}

fn call_key(kind: &str, session: Option<&SessionId>, name: &str) -> String {
    format!("{kind}:{}:{name}", session.map_or("", |session| session.as_str()))
}

/// What every end of a call tells.
fn ended(success: bool, open: &Open, at: Instant, ms: Option<u64>, adapter: &str, output: usize) -> Map<String, Value> {
    let ms = ms.unwrap_or_else(|| u64::try_from(at.since(open.since).as_millis()).unwrap_or(0));
    object(json!({"success": success, "output_size": output, "processing_time": seconds(ms), "adapter_used": adapter}))
}

/// A result as text: a string is itself.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
