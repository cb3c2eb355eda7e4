//! One call of a tool over one connection: time limits, progress, cancellation, and what a failure means.
//!
//! A call is sent once. The failure says whether it was certainly not sent, which alone allows another try.

use std::time::Duration;

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientRequest, ErrorCode, ErrorData, ProgressToken, RequestMetaObject, ServerResult,
};
use rmcp::service::{PeerRequestOptions, RequestHandle, RoleClient, ServiceError};
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::domain::event::ErrorKind;
use crate::domain::text::{clean, with_causes};
use crate::mcp::content::{self, Step};
use crate::mcp::desk::About;
use crate::mcp::error::seconds;
use crate::mcp::http;
use crate::mcp::link::{Link, give_up};
use crate::mcp::local;
use crate::mcp::rounds::Rounds;
use crate::tools::{CallContext, ToolError, ToolOutcome};

/// How long a call may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Until the answer or the next sign of progress.
    pub(super) idle: Duration,
    /// Altogether.
    pub(super) cap: Duration,
}

/// Why a call has no outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The server certainly never saw it.
    NotSent(String),
    /// It may have taken effect, or not.
    Failed(ToolError),
}

/// What a call came to.
#[derive(Debug)]
pub(super) enum Called {
    Done(ToolOutcome),
    /// The server made a task of it: its first state.
    Task(Value),
}

impl Link {
    /// Calls `tool` once; what the server wants first is asked for and handed in.
    pub(super) async fn call(
        &self,
        tool: &str,
        arguments: Map<String, Value>,
        context: &CallContext,
        limits: Limits,
    ) -> Result<Called, Failure> {
        if self.down.is_raised() {
            return Err(Failure::NotSent(self.down.reason()));
        }
        let mut params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        let mut again = self.is_modern.then(|| params.clone());
        let mut rounds = Rounds::default();
        loop {
            let wanted = match self.call_once(params, context, limits).await {
                Ok(Step::Done(reading)) => return Ok(Called::Done(reading.outcome(&self.shared.keep()).await)),
                Ok(Step::Task(task)) => return Ok(Called::Task(task)),
                Ok(Step::Input(wanted)) => wanted,
                // It was sent before, in an earlier round: elsewhere it would begin anew.
                Err(Failure::NotSent(reason)) if rounds.count() > 0 => return Err(disconnected(&reason)),
                Err(failure) => return Err(failure),
            };
            let Some(original) = &mut again else {
                let message = "it asks for input in a way that its revision of MCP does not have";
                return Err(Failure::Failed(ToolError::new(ErrorKind::Protocol, message)));
            };
            let about = About { call_id: Some(context.call_id.clone()), session: context.session.clone() };
            let inputs = tokio::select! {
                inputs = rounds.inputs(self, &wanted, about) => inputs.map_err(Failure::Failed)?,
                () = context.cancel.cancelled() => {
                    return Err(Failure::Failed(ToolError::new(ErrorKind::Interrupted, "the call was stopped before the server got what it asked for")));
                }
            };
            params = original.clone();
            params.input_responses = (!inputs.is_empty()).then_some(inputs);
            params.request_state = wanted.state;
        }
    }

    async fn call_once(&self, params: CallToolRequestParams, context: &CallContext, limits: Limits) -> Result<Step, Failure> {
        let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
        let mut options = PeerRequestOptions::no_options();
        if self.is_local {
            options = options.with_meta(local_meta(context));
        }
        let sent = self.peer.send_request_with_option(request, options).await;
        let handle = sent.map_err(|error| Failure::NotSent(with_causes(&error)))?;
        let beat = self.shared.track(handle.progress_token.clone(), context.call_id.clone(), context.session.clone());
        let mut waiting = Waiting { link: self, token: handle.progress_token.clone(), handle: Some(handle), started: Instant::now() };
        waiting.outcome(beat, context, limits).await
    }

    async fn meaning(&self, answer: Result<ServerResult, ServiceError>) -> Result<Step, Failure> {
        let protocol = |message: String| Failure::Failed(ToolError::new(ErrorKind::Protocol, message));
        match answer {
            Ok(result) => content::step(result).map_err(protocol),
            Err(ServiceError::McpError(error)) => Err(Failure::Failed(refusal(&error))),
            Err(ServiceError::TransportSend(error)) => {
                let text = with_causes(error.error.as_ref());
                match http::verdict(error.error.as_ref()) {
                    http::Verdict::NotSent => Err(Failure::NotSent(text)),
                    http::Verdict::Answered => Err(protocol(text)),
                    http::Verdict::Unknown => {
                        self.shared.suspect.notify_one();
                        Err(disconnected(&text))
                    }
                }
            }
            Err(ServiceError::TransportClosed) => {
                self.shared.suspect.notify_one();
                Err(disconnected(&self.down.why().await))
            }
            Err(other) => Err(protocol(with_causes(&other))),
        }
    }
}

/// A call that is under way. Dropped before the answer, it tells the server.
struct Waiting<'a> {
    link: &'a Link,
    token: ProgressToken,
    handle: Option<RequestHandle<RoleClient>>,
    started: Instant,
}

impl Waiting<'_> {
    async fn outcome(&mut self, mut beat: watch::Receiver<()>, context: &CallContext, limits: Limits) -> Result<Step, Failure> {
        let link = self.link;
        let started = self.started;
        let mut end = started + limits.cap;
        let mut deadline = (started + limits.idle).min(end);
        loop {
            let Some(handle) = self.handle.as_mut() else { return Err(disconnected("the call was given up")) };
            tokio::select! {
                biased;
                answer = &mut handle.rx => {
                    self.handle = None;
                    return match answer {
                        Ok(answer) => link.meaning(answer).await,
                        Err(_) => Err(disconnected(&link.down.why().await)),
                    };
                }
                reason = link.down.wait() => {
                    // The answer, or the word that it was never sent, may be about to come.
                    let last = timeout(link.grace(), &mut handle.rx).await;
                    self.handle = None;
                    return match last {
                        Ok(Ok(answer)) => link.meaning(answer).await,
                        Ok(Err(_)) | Err(_) => Err(disconnected(&reason)),
                    };
                }
                () = context.cancel.cancelled() => {
                    self.give_up("stopped by the user");
                    return Err(Failure::Failed(ToolError::new(ErrorKind::Interrupted, "the call was stopped; whether it took effect is unknown")));
                }
                Ok(()) = beat.changed() => deadline = (Instant::now() + limits.idle).min(end),
                // The server waits for us as well.
                () = sleep_until(deadline), if link.shared.is_asking() => {
                    let now = Instant::now();
                    end = end.max(now + limits.idle);
                    deadline = now + limits.idle;
                }
                () = sleep_until(deadline) => {
                    self.give_up("no answer in time");
                    let waited = Duration::from_secs(started.elapsed().as_secs().max(1));
                    let message = format!("no answer within {}; whether it took effect is unknown (`tool_timeout_seconds` sets the limit)", seconds(waited));
                    return Err(Failure::Failed(ToolError::new(ErrorKind::TimedOut, message)));
                }
            }
        }
    }

    fn give_up(&mut self, reason: &str) {
        if let Some(handle) = self.handle.take() {
            give_up(handle, reason, self.started.elapsed());
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.link.shared.forget(&self.token);
        self.give_up("the caller went away");
    }
}

fn disconnected(reason: &str) -> Failure {
    Failure::Failed(ToolError::new(ErrorKind::Disconnected, reason))
}

/// What an error answer to a call means. Our own servers say the kind.
fn refusal(error: &ErrorData) -> ToolError {
    let told = error.data.as_ref().and_then(|data| data.get(local::KIND_KEY)).cloned();
    let kind = told.and_then(|kind| serde_json::from_value(kind).ok()).unwrap_or(match error.code {
        ErrorCode::INVALID_PARAMS => ErrorKind::BadArguments,
        ErrorCode::METHOD_NOT_FOUND => ErrorKind::NotFound,
        ErrorCode::INVALID_REQUEST | ErrorCode::PARSE_ERROR => ErrorKind::Protocol,
        _ => ErrorKind::Tool,
    });
    ToolError::new(kind, clean(&error.message).trim())
}

/// What only our own servers are told about a call.
fn local_meta(context: &CallContext) -> RequestMetaObject {
    let mut meta = RequestMetaObject::new();
    meta.0.insert(local::CALL_KEY.to_owned(), json!(context.call_id));
    if let Some(session) = &context.session {
        meta.0.insert(local::SESSION_KEY.to_owned(), json!(session));
    }
    meta
}
