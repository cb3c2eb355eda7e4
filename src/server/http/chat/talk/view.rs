//! What a chat has seen so far: a fold of its conversation's events. Pure.

use crate::domain::event::{
    Approval, ApprovalStatus, Chat, ChatStatus, ErrorKind, Event, EventBody, HandoffCall, Status, ToolExecution, TurnEnd, TurnEvent,
};
use crate::domain::ids::{CallId, MessageId, Seq, SessionId, TurnId};
use crate::domain::message::{Role, Usage};
use crate::server::http::chat::talk::Said;
use crate::server::http::chat::{Answer, AnswerMessage, CallMade};
use crate::server::http::problem::Problem;

/// Calls that an answer lists at most; a turn has far fewer steps.
const CALLS_MAX: usize = 1_000;

/// What one look brought.
#[derive(Debug, Default)]
pub(in crate::server::http::chat) struct Sight {
    /// What is handed on.
    pub(in crate::server::http::chat) said: Vec<Said>,
    /// Calls that now wait for consent.
    pub(in crate::server::http::chat) asked: Vec<CallId>,
    /// Calls that wait no more.
    pub(in crate::server::http::chat) answered: Vec<CallId>,
}

/// What a chat has seen.
#[derive(Debug)]
pub(in crate::server::http::chat) struct View {
    session: SessionId,
    message: MessageId,
    seen: Seq,
    turn: Option<TurnId>,
    queued: bool,
    begun: bool,
    over: bool,
    /// The text of the message that is being said has been handed on in parts.
    streamed: bool,
    content: String,
    model: Option<String>,
    calls: Vec<CallMade>,
    errors: Vec<Problem>,
}

impl View {
    pub(in crate::server::http::chat) fn new(session: SessionId, message: MessageId) -> Self {
        Self {
            session,
            message,
            seen: Seq(0),
            turn: None,
            queued: false,
            begun: false,
            over: false,
            streamed: false,
            content: String::new(),
            model: None,
            calls: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// The position of the last stored event that was seen.
    pub(super) fn seen(&self) -> Seq {
        self.seen
    }

    /// Whether the prompt's turn began.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether the prompt waits for its turn.
    pub(super) fn is_queued(&self) -> bool {
        self.queued && !self.begun
    }

    /// Whether the agent has taken the prompt.
    pub(super) fn is_known(&self) -> bool {
        self.queued || self.begun
    }

    /// Whether nothing more will come.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Looks at an event of the conversation.
    pub(in crate::server::http::chat) fn see(&mut self, event: &Event, sight: &mut Sight) {
        if self.over || event.session.as_ref() != Some(&self.session) || event.seq.is_some_and(|seq| seq <= self.seen) {
            return;
        }
        self.seen = event.seq.unwrap_or(self.seen);
        match &event.body {
            EventBody::Chat(chat) => self.chat(chat, sight),
            EventBody::TurnEvent(TurnEvent::Finished { turn, parent: None, end, usage, message, .. }) => {
                self.turn_finished(turn, *end, *usage, message.as_deref(), sight);
            }
            // What is told beside the log is why a prompt comes to nothing: no turn will end.
            EventBody::Error(error) if event.seq.is_none() && error.source == "agent" => {
                let problem = if self.begun { Problem::failed(&error.message) } else { Problem::conflict(&error.message) };
                self.fail(problem, sight);
            }
            EventBody::ToolExecution(run) if self.begun => self.tool(run, sight),
            EventBody::HandoffCall(call) if self.begun => hand_on::<HandoffCall>("handoff_call", call, sight),
            EventBody::Approval(approval) if self.begun => approval_seen(approval, sight),
            _ => {}
        }
    }

    fn chat(&mut self, chat: &Chat, sight: &mut Sight) {
        if chat.role == Role::User && chat.message_id.as_ref() == Some(&self.message) {
            match chat.status {
                ChatStatus::Queued => self.queued = true,
                ChatStatus::Done => {
                    self.begun = true;
                    self.turn.clone_from(&chat.turn);
                }
                ChatStatus::Withdrawn => self.fail(Problem::conflict("somebody took the message back before its turn came"), sight),
                _ => {}
            }
        }
        if chat.role != Role::Assistant || chat.parent.is_some() || !self.begun {
            return;
        }
        let text = chat.text.as_deref().unwrap_or_default();
        match chat.status {
            ChatStatus::Delta if !text.is_empty() => {
                self.streamed = true;
                sight.said.push(Said::Delta(text.to_owned()));
            }
            ChatStatus::Done | ChatStatus::Interrupted | ChatStatus::Failed => {
                if !std::mem::take(&mut self.streamed) && !text.is_empty() {
                    sight.said.push(Said::Delta(text.to_owned()));
                }
                if !text.trim().is_empty() {
                    text.clone_into(&mut self.content);
                }
                self.model = chat.model.clone().or(self.model.take());
            }
            _ => {}
        }
    }

    fn tool(&mut self, run: &ToolExecution, sight: &mut Sight) {
        hand_on("tool_execution", run, sight);
        if run.error_kind == Some(ErrorKind::Refused) && self.errors.len() < CALLS_MAX {
            let why = run.error.as_deref().unwrap_or("nobody consented");
            let detail =
                format!("`{}: {}` was refused: {why}; consent in the terminal or on the dashboard", run.service_name, run.tool_name);
            let problem = Problem::forbidden(detail);
            sight.said.push(Said::Trouble(problem.clone()));
            self.errors.push(problem);
        }
        if run.status != Status::Started && self.calls.len() < CALLS_MAX {
            self.calls.push(CallMade {
                id: run.call_id.to_string(),
                name: run.tool_name.clone(),
                service_name: run.service_name.to_string(),
                arguments: run.arguments.clone().unwrap_or_default(),
                status: run.status,
                result: run.result.clone(),
                error: run.error.clone(),
            });
        }
    }

    fn turn_finished(&mut self, turn: &TurnId, end: TurnEnd, usage: Usage, message: Option<&str>, sight: &mut Sight) {
        let mine = self.begun && self.turn.as_ref().is_none_or(|mine| mine == turn);
        // Another prompt, queued before this one, came to a bad end: what waits behind it does not go by itself.
        let held_up = !self.begun && self.queued && matches!(end, TurnEnd::Failed | TurnEnd::Interrupted);
        if !mine && !held_up {
            return;
        }
        let told = |otherwise: &str| message.unwrap_or(otherwise).to_owned();
        match end {
            _ if held_up => {
                // It is still queued: whoever watches takes it back.
                let why = told("the turn before this one did not end well");
                sight.said.push(Said::Failed(Problem::conflict(format!("the message was not said: {why}"))));
            }
            TurnEnd::Done => self.finish("done", usage, sight),
            TurnEnd::StepLimit => {
                self.errors.push(Problem::failed(told("the turn took as many steps as it may")));
                self.finish("step_limit", usage, sight);
            }
            TurnEnd::Interrupted => self.fail(Problem::conflict(told("somebody stopped the turn")), sight),
            TurnEnd::Failed => self.fail(Problem::new(http::StatusCode::BAD_GATEWAY, told("the model failed")), sight),
            TurnEnd::Crashed => self.fail(Problem::failed(told("the program ended while the turn ran")), sight),
        }
    }

    fn finish(&mut self, end: &'static str, usage: Usage, sight: &mut Sight) {
        self.over = true;
        sight.said.push(Said::Done(Box::new(Answer {
            message: AnswerMessage { role: "assistant", content: std::mem::take(&mut self.content) },
            tool_calls: std::mem::take(&mut self.calls),
            usage,
            session_id: self.session.to_string(),
            model: self.model.take(),
            end,
            errors: std::mem::take(&mut self.errors),
        })));
    }

    fn fail(&mut self, problem: Problem, sight: &mut Sight) {
        self.over = true;
        sight.said.push(Said::Failed(problem));
    }
}

fn hand_on<T: serde::Serialize>(kind: &'static str, data: &T, sight: &mut Sight) {
    if let Ok(data) = serde_json::to_value(data) {
        sight.said.push(Said::Event(kind, data));
    }
}

fn approval_seen(approval: &Approval, sight: &mut Sight) {
    hand_on("approval_event", approval, sight);
    match approval.status {
        ApprovalStatus::Requested => sight.asked.push(approval.call_id.clone()),
        ApprovalStatus::Granted | ApprovalStatus::Refused => sight.answered.push(approval.call_id.clone()),
    }
}
