//! What a crash left open, closed: nothing is run again, nothing stays pending.

use crate::agent::history::State;
use crate::agent::turn::NO_SERVER;
use crate::domain::event::{Approval, ApprovalStatus, ErrorKind, EventBody, HandoffCall, Status, ToolExecution, TurnEnd, TurnEvent};
use crate::domain::ids::{CallId, ServerName};
use crate::domain::message::ToolCall;

const ENDED: &str = "the program ended";

impl State {
    /// The events that close what is open, in the order in which they must be recorded; none where nothing is open.
    pub fn recovery(&self) -> Vec<EventBody> {
        let mut out = Vec::new();
        for approval in &self.approvals {
            let reason = format!("{ENDED} before there was an answer");
            out.push(Approval { status: ApprovalStatus::Refused, reason, ..approval.clone() }.into());
            out.push(never_asked(approval));
        }
        for started in &self.running_tools {
            let error = format!("{ENDED} while the tool ran; whether it took effect is unknown and it is not run again");
            let (status, error_kind) = (Status::Error, Some(ErrorKind::UnknownOutcome));
            out.push(ToolExecution { status, error: Some(error), error_kind, ..started.clone() }.into());
        }
        out.extend(self.never_started());
        for started in self.running_handoffs.iter().rev() {
            let error = Some(format!("{ENDED} while the task was being done"));
            out.push(HandoffCall { status: Status::Error, error, ..started.clone() }.into());
        }
        out.extend(self.crashed_turns());
        out
    }

    /// Calls of the main agent's open turn that had not begun.
    fn never_started(&self) -> Vec<EventBody> {
        let Some(open) = self.open_turns.iter().find(|open| open.parent.is_none()) else { return Vec::new() };
        let entries = self.entries.iter().filter(|entry| entry.turn.as_ref() == Some(&open.turn));
        let calls = entries.flat_map(|entry| &entry.message.tool_calls).filter(|call| !self.is_known(call));
        let close = |call: &ToolCall| {
            let arguments = Some(call.arguments.clone());
            ToolExecution { tool_name: call.name.as_str().to_owned(), arguments, ..not_run(&call.id) }.into()
        };
        calls.map(close).collect()
    }

    fn is_known(&self, call: &ToolCall) -> bool {
        self.answers.contains(&call.id)
            || self.running_tools.iter().any(|running| running.call_id == call.id)
            || self.running_handoffs.iter().any(|running| running.call_id.as_ref() == Some(&call.id))
            || self.approvals.iter().any(|open| open.call_id == call.id)
    }

    fn crashed_turns(&self) -> impl Iterator<Item = EventBody> {
        self.open_turns.iter().rev().map(|open| {
            TurnEvent::Finished {
                turn: open.turn.clone(),
                parent: open.parent.clone(),
                end: TurnEnd::Crashed,
                steps: open.steps,
                duration_ms: u64::try_from(self.updated.since(open.started).as_millis()).unwrap_or(u64::MAX),
                usage: open.usage,
                context_tokens: open.context_tokens,
                message: Some(format!("{ENDED} during this turn")),
            }
            .into()
        })
    }
}

fn never_asked(approval: &Approval) -> EventBody {
    ToolExecution {
        service_name: approval.service_name.clone(),
        tool_name: approval.tool_name.clone(),
        arguments: Some(approval.arguments.clone()),
        parent: approval.parent.clone(),
        ..not_run(&approval.call_id)
    }
    .into()
}

fn not_run(call_id: &CallId) -> ToolExecution {
    ToolExecution {
        service_name: ServerName::new(NO_SERVER),
        tool_name: String::new(),
        status: Status::Error,
        result: None,
        error: Some(format!("{ENDED} before it began; it did not run")),
        error_kind: Some(ErrorKind::Interrupted),
        call_id: call_id.clone(),
        arguments: None,
        duration_ms: None,
        parent: None,
    }
}
