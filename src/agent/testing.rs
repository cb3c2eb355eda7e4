//! Scripted models and tools, and a bench that runs the engine over them.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use serde_json::{Map, Value, json};
use tokio::time;

use crate::agent::{Deps, Engine, EngineHandle, Options};
use crate::bus::testing::MemoryRecorder;
use crate::bus::{Delivery as Delivered, RecordError, Recorder, Subscription};
use crate::domain::clock::{Instant, ManualClock};
use crate::domain::command::{Command, Decision, Delivery, SessionOptions};
use crate::domain::event::{Event, EventBody, NewEvent, Status, TurnEvent};
use crate::domain::ids::{CallId, MessageId, SessionId, ToolName};
use crate::domain::message::{Message, Role, ToolCall, Usage};
use crate::domain::tool::{ToolHints, ToolInfo};
use crate::llm::{self, Catalog, ChatRequest, Completion, Delta, DeltaStream, Finish, Llm};
use crate::tools::{CallContext, Tool, ToolBox, ToolError, ToolOutcome, ToolSource};

/// How long a test waits for anything, on the paused clock.
pub(super) const LIMIT: Duration = Duration::from_mins(10);

/// One step of a scripted answer.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a script is short")]
pub(super) enum Say {
    Delta(Delta),
    Fail(llm::Error),
    Wait(Duration),
    /// Never says anything more.
    Hang,
}

#[expect(clippy::needless_pass_by_value, reason = "called with `json!`")]
pub(super) fn call(id: &str, name: &str, arguments: Value) -> ToolCall {
    let arguments = arguments.as_object().cloned().unwrap_or_default();
    ToolCall { id: CallId::new(id), name: ToolName::new(name), arguments, invalid: None, extra: Map::new() }
}

pub(super) fn completion(text: &str, calls: Vec<ToolCall>) -> Completion {
    let finish = if calls.is_empty() { Finish::Stop } else { Finish::ToolCalls };
    let message = Message { tool_calls: calls, ..Message::text(Role::Assistant, text) };
    let usage = Some(Usage { input_tokens: 10, output_tokens: 5, cached_tokens: 0 });
    Completion { message, finish, usage, model: "m".to_owned() }
}

pub(super) fn answer(text: &str) -> Vec<Say> {
    vec![Say::Delta(Delta::Text(text.to_owned())), Say::Delta(Delta::Done(completion(text, Vec::new())))]
}

pub(super) fn calls(calls: Vec<ToolCall>) -> Vec<Say> {
    vec![Say::Delta(Delta::Done(completion("", calls)))]
}

/// A model that says what it is told to; beyond its script it says "ok".
#[derive(Default)]
pub(super) struct ScriptedLlm {
    pub(super) script: Mutex<VecDeque<Vec<Say>>>,
    pub(super) requests: Mutex<Vec<ChatRequest>>,
    /// Streams that are open now.
    pub(super) open: Arc<AtomicI64>,
    pub(super) context_tokens: Option<u64>,
}

impl ScriptedLlm {
    pub(super) fn say(&self, steps: Vec<Say>) {
        self.script.lock().unwrap().push_back(steps);
    }

    pub(super) fn requests(&self) -> Vec<ChatRequest> {
        self.requests.lock().unwrap().clone()
    }
}

struct Open(Arc<AtomicI64>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Llm for ScriptedLlm {
    fn chat(&self, request: ChatRequest) -> DeltaStream {
        self.requests.lock().unwrap().push(request);
        let steps = self.script.lock().unwrap().pop_front().unwrap_or_else(|| answer("ok"));
        self.open.fetch_add(1, Ordering::SeqCst);
        let open = Open(Arc::clone(&self.open));
        stream::unfold((VecDeque::from(steps), open), |(mut steps, open)| async move {
            loop {
                match steps.pop_front()? {
                    Say::Delta(delta) => return Some((Ok(delta), (steps, open))),
                    Say::Fail(error) => return Some((Err(error), (steps, open))),
                    Say::Wait(delay) => time::sleep(delay).await,
                    Say::Hang => std::future::pending().await,
                }
            }
        })
        .boxed()
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<String>, llm::Error>> {
        futures::future::ready(Ok(vec!["m".to_owned()])).boxed()
    }

    fn context_tokens(&self, _model: &str) -> Option<u64> {
        self.context_tokens
    }
}

/// What a scripted tool does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Echo,
    Fail,
    Panic,
    /// Takes a second.
    Slow,
    /// Waits until it is cancelled.
    Wait,
    /// Waits and does not hear of a cancellation.
    Deaf,
}

pub(super) struct ScriptedTool {
    info: ToolInfo,
    does: Does,
    log: Arc<Mutex<Vec<CallId>>>,
    running: Arc<AtomicI64>,
    running_max: Arc<AtomicI64>,
}

pub(super) fn info(server: &str, tool: &str, read_only: bool) -> ToolInfo {
    ToolInfo {
        name: ToolName::from(format!("{server}__{tool}")),
        server: server.into(),
        tool: tool.to_owned(),
        title: None,
        description: format!("does {tool}"),
        parameters: json!({"type": "object"}).as_object().cloned().unwrap().into(),
        output: None,
        hints: if read_only { ToolHints::READ_ONLY } else { ToolHints::default() },
        trusted: true,
    }
}

impl Tool for ScriptedTool {
    fn info(&self) -> &ToolInfo {
        &self.info
    }

    fn preview<'a>(&'a self, arguments: &'a Map<String, Value>) -> BoxFuture<'a, Option<String>> {
        futures::future::ready(Some(format!("preview {}", arguments.len()))).boxed()
    }

    fn call(&self, arguments: Map<String, Value>, context: CallContext) -> BoxFuture<'static, Result<ToolOutcome, ToolError>> {
        self.log.lock().unwrap().push(context.call_id.clone());
        let (does, running, max) = (self.does, Arc::clone(&self.running), Arc::clone(&self.running_max));
        async move {
            max.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let _open = Open(running);
            match does {
                Does::Echo => Ok(ToolOutcome::text(Value::Object(arguments).to_string())),
                Does::Fail => Ok(ToolOutcome::error("it went wrong")),
                Does::Panic => panic!("a bug in a tool"),
                Does::Slow => {
                    time::sleep(Duration::from_secs(1)).await;
                    Ok(ToolOutcome::text("slow"))
                }
                Does::Wait => {
                    context.cancel.cancelled().await;
                    Err(ToolError::new(crate::domain::event::ErrorKind::Interrupted, "cancelled"))
                }
                Does::Deaf => std::future::pending().await,
            }
        }
        .boxed()
    }
}

#[derive(Default, Clone)]
pub(super) struct Tools {
    all: Arc<Mutex<Vec<Arc<dyn Tool>>>>,
    /// All calls that were run, in their order.
    pub(super) log: Arc<Mutex<Vec<CallId>>>,
    pub(super) running: Arc<AtomicI64>,
    pub(super) running_max: Arc<AtomicI64>,
}

impl Tools {
    pub(super) fn add(&self, info: ToolInfo, does: Does) {
        let (log, running, running_max) = (Arc::clone(&self.log), Arc::clone(&self.running), Arc::clone(&self.running_max));
        self.all.lock().unwrap().push(Arc::new(ScriptedTool { info, does, log, running, running_max }));
    }

    pub(super) fn ran(&self) -> Vec<String> {
        self.log.lock().unwrap().iter().map(ToString::to_string).collect()
    }
}

impl ToolSource for Tools {
    fn tools(&self) -> Vec<Arc<dyn Tool>> {
        self.all.lock().unwrap().clone()
    }

    fn servers(&self) -> Vec<crate::domain::ids::ServerName> {
        let mut seen = HashSet::new();
        self.tools().iter().map(|tool| tool.info().server.clone()).filter(|name| seen.insert(name.clone())).collect()
    }
}

/// A recorder whose disk is full after so many calls.
pub(super) struct Breaking {
    pub(super) inner: MemoryRecorder,
    pub(super) left: AtomicI64,
    /// Calls so far.
    pub(super) appends: AtomicI64,
}

impl Recorder for Breaking {
    fn record(&self, events: Vec<NewEvent>) -> BoxFuture<'static, Result<Vec<Arc<Event>>, RecordError>> {
        self.appends.fetch_add(1, Ordering::SeqCst);
        if self.left.fetch_sub(1, Ordering::SeqCst) <= 0 {
            return futures::future::ready(Err(RecordError { reason: "the disk is full".to_owned() })).boxed();
        }
        self.inner.record(events)
    }

    fn emit(&self, event: NewEvent) {
        self.inner.emit(event);
    }
}

/// An engine with one session over scripted parts.
pub(super) struct Bench {
    pub(super) handle: EngineHandle,
    pub(super) llm: Arc<ScriptedLlm>,
    pub(super) tools: Tools,
    pub(super) recorder: Arc<Breaking>,
    pub(super) session: SessionId,
    feed: Subscription,
}

pub(super) fn standard_tools() -> Tools {
    let tools = Tools::default();
    for (tool, does) in [
        ("echo", Does::Echo),
        ("fail", Does::Fail),
        ("panic", Does::Panic),
        ("slow", Does::Slow),
        ("wait", Does::Wait),
        ("deaf", Does::Deaf),
    ] {
        tools.add(info("box", tool, true), does);
    }
    tools.add(info("box", "write", false), Does::Echo);
    tools.add(info("other", "echo", true), Does::Echo);
    tools.add(info("other", "write", false), Does::Echo);
    tools
}

impl Bench {
    pub(super) fn new(options: Options) -> Self {
        Self::over(MemoryRecorder::default(), ScriptedLlm::default(), options)
    }

    /// A session that is made at once over a log, unless it is there.
    pub(super) fn over(recorder: MemoryRecorder, llm: ScriptedLlm, options: Options) -> Self {
        let bench = Self::closed(recorder, llm, options, SessionId::generate());
        let command = Command::NewSession { session: bench.session.clone(), options: SessionOptions::default() };
        bench.handle.handle(command).unwrap();
        bench
    }

    pub(super) fn closed(recorder: MemoryRecorder, llm: ScriptedLlm, options: Options, session: SessionId) -> Self {
        Self::recalling(recorder, llm, options, session, None)
    }

    pub(super) fn recalling(
        recorder: MemoryRecorder,
        llm: ScriptedLlm,
        options: Options,
        session: SessionId,
        recall: Option<Arc<dyn crate::agent::recall::Recall>>,
    ) -> Self {
        let (llm, tools) = (Arc::new(llm), standard_tools());
        let feed = recorder.subscribe();
        let recorder = Arc::new(Breaking { inner: recorder, left: AtomicI64::new(i64::MAX), appends: AtomicI64::new(0) });
        let deps = Deps {
            budget: crate::agent::budget::Budget::default(),
            recorder: Arc::clone(&recorder) as Arc<dyn Recorder>,
            reader: Arc::new(recorder.inner.clone()),
            tools: ToolBox::new(vec![Arc::new(tools.clone())]),
            models: Catalog::new(vec![("p".to_owned(), Arc::clone(&llm) as Arc<dyn Llm>)], "p/m"),
            clock: Arc::new(ManualClock::starting_at(Instant::from_millis(1_767_268_800_000))),
            locks: Arc::new(crate::agent::NoLocks),
            recall,
            cwd: "/work".to_owned(),
            options,
        };
        Self { handle: Engine::start(deps), llm, tools, recorder, session, feed }
    }

    pub(super) fn submit(&self, text: &str, delivery: Delivery) -> MessageId {
        let message_id = MessageId::generate();
        let command = Command::Submit { session: self.session.clone(), message_id: message_id.clone(), text: text.to_owned(), delivery };
        self.handle.handle(command).unwrap();
        message_id
    }

    pub(super) fn send(&self, text: &str) -> MessageId {
        self.submit(text, Delivery::Steer)
    }

    pub(super) fn decide(&self, call_id: &str, decision: Decision) {
        self.handle.handle(Command::Decide { session: self.session.clone(), call_id: call_id.into(), decision }).unwrap();
    }

    pub(super) fn interrupt(&self) {
        self.handle.handle(Command::Interrupt { session: self.session.clone() }).unwrap();
    }

    /// The next event of which `wanted` makes something; those before it are passed over.
    pub(super) async fn until<T>(&mut self, what: &str, wanted: impl Fn(&Event) -> Option<T>) -> T {
        let found = async {
            loop {
                match self.feed.recv().await {
                    Some(Delivered::Event(event)) => {
                        if let Some(found) = wanted(&event) {
                            return found;
                        }
                    }
                    Some(Delivered::Lost(_)) => {}
                    None => panic!("the feed closed while waiting for {what}"),
                }
            }
        };
        let found = time::timeout(LIMIT, found).await;
        found.unwrap_or_else(|_| panic!("no {what} came; the log holds:\n{}", self.story().join("\n")))
    }

    /// Waits for the end of the main turn.
    pub(super) async fn finished(&mut self) -> TurnEvent {
        self.until("end of the turn", |event| match &event.body {
            EventBody::TurnEvent(turn @ TurnEvent::Finished { parent: None, .. }) => Some(turn.clone()),
            _ => None,
        })
        .await
    }

    /// Waits until a call has come so far.
    pub(super) async fn tool(&mut self, id: &str, status: Status) {
        self.until(id, |event| match &event.body {
            EventBody::ToolExecution(call) => (call.call_id.as_str() == id && call.status == status).then_some(()),
            _ => None,
        })
        .await;
    }

    pub(super) async fn asked(&mut self) -> crate::domain::event::Approval {
        self.until("question", |event| match &event.body {
            EventBody::Approval(approval) if approval.status == crate::domain::event::ApprovalStatus::Requested => Some(approval.clone()),
            _ => None,
        })
        .await
    }

    pub(super) async fn complaint(&mut self) -> String {
        self.until("complaint", |event| match &event.body {
            EventBody::Error(error) => Some(error.message.clone()),
            _ => None,
        })
        .await
    }

    pub(super) fn events(&self) -> Vec<Arc<Event>> {
        self.recorder.inner.events()
    }

    /// The log, one line an event.
    pub(super) fn story(&self) -> Vec<String> {
        self.events().iter().map(|event| line(&event.body)).collect()
    }

    /// What the model was told with its last request, without the system message.
    pub(super) fn last_request(&self) -> Vec<Message> {
        let requests = self.llm.requests();
        requests.last().map(|request| request.messages[1..].to_vec()).unwrap_or_default()
    }
}

/// An event in a few words.
pub(super) fn line(body: &EventBody) -> String {
    let word = |value: &dyn std::fmt::Debug| format!("{value:?}").to_lowercase();
    let nested = |parent: &Option<CallId>| parent.as_ref().map(|parent| format!("{parent}> ")).unwrap_or_default();
    match body {
        EventBody::Chat(chat) => {
            let calls: Vec<_> = chat.tool_calls.iter().map(|call| call.id.as_str()).collect();
            let text = chat.text.as_deref().map(|text| format!(" {text}")).unwrap_or_default();
            let calls = if calls.is_empty() { String::new() } else { format!(" calls {}", calls.join(",")) };
            format!("{}{} {}{text}{calls}", nested(&chat.parent), word(&chat.role), word(&chat.status))
        }
        EventBody::TurnEvent(TurnEvent::Started { parent, .. }) => format!("{}turn started", nested(parent)),
        EventBody::TurnEvent(TurnEvent::Retrying { parent, attempt, .. }) => format!("{}retry {attempt}", nested(parent)),
        EventBody::TurnEvent(TurnEvent::Finished { parent, end, .. }) => format!("{}turn {}", nested(parent), word(end)),
        EventBody::ToolExecution(call) => {
            let kind = call.error_kind.map(|kind| format!(" {kind:?}")).unwrap_or_default();
            format!("{}tool {} {}{kind}", nested(&call.parent), call.call_id, word(&call.status))
        }
        EventBody::HandoffCall(call) => {
            let id = call.call_id.as_ref().map(CallId::as_str).unwrap_or_default();
            format!("{}handoff {id} {} {}", nested(&call.parent), call.service_name, word(&call.status))
        }
        EventBody::Approval(approval) => format!("{}approval {} {}", nested(&approval.parent), approval.call_id, word(&approval.status)),
        EventBody::SessionEvent(event) => {
            let value = serde_json::to_value(event).unwrap();
            format!("session {}", value["event_type"].as_str().unwrap())
        }
        EventBody::McpEvent(_)
        | EventBody::Question(_)
        | EventBody::Error(_)
        | EventBody::TaskEvent(_)
        | EventBody::Notification(_)
        | EventBody::InboxEvent(_)
        | EventBody::Memory(_)
        | EventBody::Custom(_) => body.type_name().to_owned(),
    }
}

/// What every provider wants of a history.
pub(super) fn assert_valid(messages: &[Message]) {
    let mut ids = HashSet::new();
    let mut open: VecDeque<&CallId> = VecDeque::new();
    for message in messages {
        match message.role {
            Role::Tool => assert_eq!(open.pop_front(), message.tool_call_id.as_ref(), "an answer out of place: {messages:#?}"),
            Role::System => {}
            Role::User | Role::Assistant => {
                assert!(open.is_empty(), "calls without an answer: {open:?} in {messages:#?}");
                assert!(!message.content.is_empty() || !message.tool_calls.is_empty(), "an empty message in {messages:#?}");
                open.extend(message.tool_calls.iter().map(|call| &call.id));
            }
        }
        assert!(message.tool_calls.iter().all(|call| ids.insert(&call.id)), "an id twice in {messages:#?}");
    }
    assert!(open.is_empty(), "calls without an answer: {open:?} in {messages:#?}");
}
