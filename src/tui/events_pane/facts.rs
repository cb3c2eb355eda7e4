//! What a filter asks of an event: its server, its task, its status. The `match`es have no wildcard arm over known types.

use serde_json::Value;

use crate::domain::event::{
    ApprovalStatus, ChatStatus, Custom, Event, EventBody, McpEventType, SessionEvent, Status, TaskEvent, TurnEnd, TurnEvent,
};
use crate::domain::ids::TaskId;
use crate::domain::memory::MemoryEvent;
use crate::domain::notice::{DeliveryStatus, InboxEvent};
use crate::domain::question::QuestionEvent;
use crate::domain::task::TaskFact;

/// The statuses that events of known types have, for completion and to tell a slip from a word.
pub const STATUSES: &[&str] = &[
    "started",
    "success",
    "error",
    "done",
    "failed",
    "interrupted",
    "queued",
    "withdrawn",
    "retrying",
    "step_limit",
    "crashed",
    "requested",
    "granted",
    "refused",
    "asked",
    "answered",
    "sending",
    "sent",
    "suppressed",
    "unknown",
    "created",
    "updated",
    "paused",
    "resumed",
    "completed",
    "deleted",
    "ran",
    "caught_up",
    "skipped_stale",
    "skipped_overlap",
    "missed",
    "fired",
    "judged",
    "checked",
    "feedback",
    "added",
    "read",
    "unread",
    "snoozed",
    "archived",
    "recalled",
    "remembered",
    "forgotten",
    "renamed",
    "rewound",
    "compacted",
    "set",
    "registered",
    "connected",
    "disconnected",
    "reconnecting",
    "unregistered",
    "changed",
    "log",
    "progress",
    "trace",
];

/// The server, agent, channel or part of the program that an event is about.
pub fn server_of(body: &EventBody) -> Option<&str> {
    match body {
        EventBody::HandoffCall(data) => Some(&data.service_name),
        EventBody::ToolExecution(data) => Some(data.service_name.as_str()),
        EventBody::McpEvent(data) => Some(data.service_name.as_str()),
        EventBody::Approval(data) => Some(data.service_name.as_str()),
        EventBody::Error(data) => Some(&data.source),
        EventBody::Custom(custom) => custom.data.get("service_name").and_then(Value::as_str),
        EventBody::Question(QuestionEvent::Asked { question }) => Some(question.server.as_str()),
        EventBody::Question(QuestionEvent::Answered { server, .. }) => Some(server.as_str()),
        EventBody::TaskEvent(_) => Some("tasks"),
        EventBody::Memory(_) => Some("memory"),
        EventBody::Notification(data) => Some(data.channel.as_str()),
        EventBody::Chat(_) | EventBody::TurnEvent(_) | EventBody::SessionEvent(_) | EventBody::InboxEvent(_) => None,
    }
}

/// The background task that an event is about.
pub fn task_of(event: &Event) -> Option<&str> {
    match &event.body {
        EventBody::TaskEvent(data) => Some(data.task_id.as_str()),
        EventBody::Notification(data) => data.task_id.as_ref().map(TaskId::as_str),
        EventBody::InboxEvent(InboxEvent::Added { item }) => item.task_id.as_ref().map(TaskId::as_str),
        EventBody::Custom(Custom { data, .. }) => data.get("task_id").and_then(Value::as_str),
        EventBody::InboxEvent(_)
        | EventBody::Memory(_)
        | EventBody::HandoffCall(_)
        | EventBody::ToolExecution(_)
        | EventBody::McpEvent(_)
        | EventBody::Error(_)
        | EventBody::Chat(_)
        | EventBody::TurnEvent(_)
        | EventBody::Approval(_)
        | EventBody::Question(_)
        | EventBody::SessionEvent(_) => None,
    }
}

/// How far what an event tells of has come, in one of the [`STATUSES`]; of unknown types in their own word.
pub fn status_of(body: &EventBody) -> Option<&str> {
    let name = |status: Status| match status {
        Status::Started => "started",
        Status::Success => "success",
        Status::Error => "error",
    };
    Some(match body {
        EventBody::HandoffCall(data) => name(data.status),
        EventBody::ToolExecution(data) => name(data.status),
        EventBody::Custom(custom) => custom.data.get("status").and_then(Value::as_str)?,
        EventBody::Error(_) => "error",
        EventBody::McpEvent(data) => mcp(data.event_type),
        EventBody::Approval(data) => match data.status {
            ApprovalStatus::Requested => "requested",
            ApprovalStatus::Granted => "granted",
            ApprovalStatus::Refused => "refused",
        },
        EventBody::Question(QuestionEvent::Asked { .. }) => "asked",
        EventBody::Question(QuestionEvent::Answered { .. }) => "answered",
        EventBody::Chat(data) => match data.status {
            ChatStatus::Queued => "queued",
            ChatStatus::Withdrawn => "withdrawn",
            ChatStatus::Done => "done",
            ChatStatus::Interrupted => "interrupted",
            ChatStatus::Failed => "failed",
            ChatStatus::Delta | ChatStatus::ReasoningDelta => return None,
        },
        EventBody::TurnEvent(data) => turn(data),
        EventBody::SessionEvent(data) => match data {
            SessionEvent::Created { .. } => "created",
            SessionEvent::Renamed { .. } => "renamed",
            SessionEvent::Rewound { .. } => "rewound",
            SessionEvent::Compacted { .. } => "compacted",
            SessionEvent::ModelSet { .. } | SessionEvent::ModeSet { .. } => "set",
        },
        EventBody::TaskEvent(data) => task(data),
        EventBody::Notification(data) => match data.status {
            DeliveryStatus::Queued => "queued",
            DeliveryStatus::Sending => "sending",
            DeliveryStatus::Sent => "sent",
            DeliveryStatus::Failed => "failed",
            DeliveryStatus::Suppressed => "suppressed",
            DeliveryStatus::Unknown => "unknown",
        },
        EventBody::Memory(data) => match data {
            MemoryEvent::Recalled { .. } => "recalled",
            MemoryEvent::Remembered { .. } => "remembered",
            MemoryEvent::Updated { .. } => "updated",
            MemoryEvent::Forgotten { .. } => "forgotten",
        },
        EventBody::InboxEvent(data) => match data {
            InboxEvent::Added { .. } => "added",
            InboxEvent::Read { .. } => "read",
            InboxEvent::Unread { .. } => "unread",
            InboxEvent::Snoozed { .. } => "snoozed",
            InboxEvent::Archived { .. } => "archived",
            InboxEvent::Answered { .. } => "answered",
        },
    })
}

fn mcp(event_type: McpEventType) -> &'static str {
    match event_type {
        McpEventType::ServiceRegistered | McpEventType::ToolRegistered => "registered",
        McpEventType::ServiceConnected => "connected",
        McpEventType::ServiceDisconnected => "disconnected",
        McpEventType::ServiceReconnecting => "reconnecting",
        McpEventType::ToolUnregistered => "unregistered",
        McpEventType::ListChanged => "changed",
        McpEventType::ResourceUpdated => "updated",
        McpEventType::Log => "log",
        McpEventType::Progress => "progress",
        McpEventType::Trace => "trace",
    }
}

fn turn(data: &TurnEvent) -> &'static str {
    match data {
        TurnEvent::Started { .. } => "started",
        TurnEvent::Retrying { .. } => "retrying",
        TurnEvent::Finished { end, .. } => match end {
            TurnEnd::Done => "done",
            TurnEnd::Interrupted => "interrupted",
            TurnEnd::StepLimit => "step_limit",
            TurnEnd::Failed => "failed",
            TurnEnd::Crashed => "crashed",
        },
    }
}

fn task(data: &TaskEvent) -> &'static str {
    match &data.fact {
        TaskFact::TaskCreated { .. } => "created",
        TaskFact::TaskUpdated { .. } => "updated",
        TaskFact::TaskPaused { .. } => "paused",
        TaskFact::TaskResumed {} => "resumed",
        TaskFact::TaskCompleted { .. } => "completed",
        TaskFact::TaskDeleted {} => "deleted",
        TaskFact::RunFinished(run) => run.outcome.as_str(),
        TaskFact::OccurrencesSkipped { outcome, .. } => outcome.as_str(),
        TaskFact::ChecksRolledUp(_) => "checked",
        TaskFact::WebContentChange(_) | TaskFact::ScheduledTrigger(_) | TaskFact::DailyNewsDigest(_) | TaskFact::ThresholdReached(_) => {
            "fired"
        }
        TaskFact::FiringJudged(_) => "judged",
        TaskFact::PromptFinished { success, .. } => {
            if *success {
                "done"
            } else {
                "failed"
            }
        }
        TaskFact::FeedbackGiven { .. } => "feedback",
    }
}
