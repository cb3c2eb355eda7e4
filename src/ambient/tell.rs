//! What is told, in words: notices and entries of the inbox for firings and troubles. Pure.
//!
//! Text from pages and strangers is cleaned here, before it goes anywhere.

mod words;

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::domain::clock::Instant;
use crate::domain::event::NewEvent;
use crate::domain::firing::{Feedback, Firing, Origin};
use crate::domain::ids::{FiringId, InboxId, NoticeId, TaskId};
use crate::domain::notice::{ChannelKind, DeliveryStatus, InboxEvent, InboxItem, InboxKind, Notice, Notification, masked};
use crate::domain::task::{self, NotifyMethod, TaskFact, TaskSpec};
use crate::store::tasks::Op;

pub use words::{Told, told};

/// Events and changes that belong together.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    /// What is said.
    pub events: Vec<NewEvent>,
    /// What is changed.
    pub ops: Vec<Op>,
    /// The notices among them.
    pub notices: Vec<NoticeId>,
    /// The entry of the inbox among them.
    pub inbox: Option<InboxId>,
}

/// Where a bundle comes from.
#[derive(Debug, Clone, Copy, Default)]
pub struct From<'a> {
    /// The task.
    pub task: Option<&'a TaskId>,
    /// The firing.
    pub firing: Option<&'a FiringId>,
    /// Raised by `simulate`: nobody outside is told.
    pub simulated: bool,
}

impl Bundle {
    /// Adds an entry of the inbox.
    pub fn inbox(&mut self, kind: InboxKind, told: &Told, from: From<'_>, at: Instant) {
        let item = InboxItem {
            item_id: InboxId::generate(),
            kind,
            title: told.title.clone(),
            body: told.body.clone(),
            url: told.url.clone(),
            task_id: from.task.cloned(),
            firing_id: from.firing.cloned(),
            priority: told.priority,
            at,
            simulated: from.simulated,
        };
        self.inbox = Some(item.item_id.clone());
        self.events.push(NewEvent::system(InboxEvent::Added { item: Box::new(item) }));
    }

    /// Adds a notice over the channel that `to` names.
    pub fn notice(&mut self, to: &task::Notification, told: &Told, from: From<'_>, at: Instant) {
        let Some((channel, receiver)) = receiver(to) else { return };
        let payload = if channel == ChannelKind::Webhook {
            json!({ "title": told.title, "body": told.body, "url": told.url, "priority": told.priority,
                "task_id": from.task, "firing_id": from.firing, "timestamp": at })
        } else {
            Value::Null
        };
        let body = if channel == ChannelKind::Sms { told.short.clone() } else { told.body.clone() };
        self.put(channel, receiver, told, body, payload, from, at);
    }

    /// Adds the post of a firing to the task's callback.
    pub fn callback(&mut self, url: &str, feedback: &Feedback, told: &Told, from: From<'_>, at: Instant) {
        let payload = serde_json::to_value(feedback).unwrap_or_default();
        self.put(ChannelKind::Callback, url.to_owned(), told, String::new(), payload, from, at);
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one notice, called from the two functions above only")]
    fn put(&mut self, channel: ChannelKind, to: String, told: &Told, body: String, payload: Value, from: From<'_>, at: Instant) {
        let notice = Notice {
            notice_id: NoticeId::generate(),
            channel,
            to,
            title: told.title.clone(),
            body,
            url: told.url.clone(),
            priority: told.priority,
            task_id: from.task.cloned(),
            firing_id: from.firing.cloned(),
            payload,
            simulated: from.simulated,
        };
        self.events.push(NewEvent::system(queued(&notice)));
        self.notices.push(notice.notice_id.clone());
        self.ops.push(Op::PutNotice { notice: Box::new(notice), at });
    }

    /// Adds what another bundle holds.
    pub fn join(&mut self, other: Self) {
        self.events.extend(other.events);
        self.ops.extend(other.ops);
        self.notices.extend(other.notices);
        self.inbox = other.inbox.or_else(|| self.inbox.take());
    }
}

/// The event of a notice that was queued.
pub fn queued(notice: &Notice) -> Notification {
    let body = (!notice.body.is_empty()).then(|| notice.body.clone());
    Notification { body, simulated: notice.simulated, ..moved(notice, DeliveryStatus::Queued, 0) }
}

/// The event of a notice that moved on, nothing else said.
pub fn moved(notice: &Notice, status: DeliveryStatus, attempt: u32) -> Notification {
    Notification {
        channel: notice.channel,
        status,
        to: masked(notice.channel, &notice.to),
        title: notice.title.clone(),
        notice_id: notice.notice_id.clone(),
        simulated: false,
        attempt,
        error: None,
        retry_at: None,
        receipt: None,
        body: None,
        task_id: notice.task_id.clone(),
        firing_id: notice.firing_id.clone(),
    }
}

/// The channel and the receiver that a task's config names; none where only the inbox is told, or the receiver is missing.
pub fn receiver(to: &task::Notification) -> Option<(ChannelKind, String)> {
    let named = |channel, receiver: &Option<String>| receiver.clone().map(|receiver| (channel, receiver));
    match to.method {
        NotifyMethod::SendSms => named(ChannelKind::Sms, &to.phone_number),
        NotifyMethod::SendEmail => named(ChannelKind::Email, &to.email),
        NotifyMethod::Webhook => named(ChannelKind::Webhook, &to.url),
        // The server is that of `[notify.ntfy]`: a task may not send the token elsewhere.
        NotifyMethod::Ntfy => named(ChannelKind::Ntfy, &to.topic),
        NotifyMethod::Desktop => Some((ChannelKind::Desktop, "desktop".to_owned())),
        NotifyMethod::None => None,
    }
}

/// The entry of the inbox and the notice about a task that paused by itself.
pub fn trouble(spec: &TaskSpec, reason: &str, at: Instant) -> Bundle {
    let told = words::trouble(spec, reason);
    let from = From { task: Some(&spec.task_id), ..From::default() };
    let mut bundle = Bundle::default();
    bundle.inbox(InboxKind::Trouble, &told, from, at);
    if let Some(to) = &spec.kind.common().notification {
        bundle.notice(to, &told, from, at);
    }
    bundle
}

/// The `event_type` of a fact that a firing is made of.
pub fn event_type(fact: &TaskFact) -> &'static str {
    match fact {
        TaskFact::WebContentChange(_) => "web_content_change",
        TaskFact::ScheduledTrigger(_) => "scheduled_trigger",
        TaskFact::DailyNewsDigest(_) => "daily_news_digest",
        TaskFact::ThresholdReached(_) => "threshold_reached",
        _ => "task_event",
    }
}

/// The `event_type` of an answer to an entry of the inbox.
pub const ANSWER: &str = "inbox_answer";

/// What stands for the task where an entry of the inbox comes from none.
pub const NO_TASK: &str = "inbox";

/// The firing that puts `prompt` to the agent: an answer to `item`. An entry is answered once.
pub fn answer(item: &InboxItem, title: String, prompt: String, now: Instant) -> Firing {
    let data = Map::from_iter([
        ("title".to_owned(), Value::String(title)),
        ("prompt".to_owned(), Value::String(prompt)),
        ("url".to_owned(), item.url.clone().map_or(Value::Null, Value::String)),
    ]);
    let feedback = Feedback {
        task_id: item.task_id.as_ref().map_or_else(|| NO_TASK.to_owned(), ToString::to_string),
        event_type: ANSWER.to_owned(),
        data,
        timestamp: now,
        priority: item.priority,
        requires_processing: true,
    };
    let key = format!("{ANSWER}:{}", item.item_id);
    Firing { firing_id: FiringId::generate(), key, origin: Origin::Inbox, feedback }
}

/// A simulated firing of `event_type`, told by nobody outside of this program.
pub fn simulation(event_type: &str, data: Map<String, Value>, now: Instant) -> Firing {
    let firing_id = FiringId::generate();
    let key = format!("simulation:{firing_id}");
    let priority = match event_type {
        "threshold_reached" => 4,
        "web_content_change" => 3,
        _ => 2,
    };
    let task_id = format!("simulated-{event_type}");
    let feedback = Feedback { task_id, event_type: event_type.to_owned(), data, timestamp: now, priority, requires_processing: true };
    Firing { firing_id, key, origin: Origin::Simulation, feedback }
}

/// A stretch of time in few words: `40 s`, `12 min`, `7 h`, `3 days`.
pub fn stretch(stretch: Duration) -> String {
    let seconds = stretch.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", (seconds + 30) / 60),
        7_200..172_800 => format!("{} h", (seconds + 1_800) / 3_600),
        _ => format!("{} days", (seconds + 43_200) / 86_400),
    }
}
