//! Notices: what is told to somebody, over which channel, and how that went. And the inbox.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::clock::Instant;
use crate::domain::ids::{FiringId, InboxId, NoticeId, TaskId};

/// A way to reach somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// A text message through Twilio's API.
    Sms,
    /// A mail through SMTP.
    Email,
    /// A signed HTTP POST.
    Webhook,
    /// A push through an ntfy server.
    Ntfy,
    /// The desktop's notification service.
    Desktop,
    /// The terminal: its bell, or OSC 9.
    Terminal,
    /// The feedback JSON of a firing, posted to the task's `callback_url`.
    Callback,
}

impl ChannelKind {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Email => "email",
            Self::Webhook => "webhook",
            Self::Ntfy => "ntfy",
            Self::Desktop => "desktop",
            Self::Terminal => "terminal",
            Self::Callback => "callback",
        }
    }

    /// Whether sending the same notice twice is harmless: its receiver knows the notice's id, or nobody is woken by it.
    pub fn is_idempotent(self) -> bool {
        match self {
            Self::Webhook | Self::Callback => true,
            Self::Sms | Self::Email | Self::Ntfy | Self::Desktop | Self::Terminal => false,
        }
    }
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Which notice; unique for ever, and the idempotency key.
    pub notice_id: NoticeId,
    /// By which channel.
    pub channel: ChannelKind,
    /// The number, address, URL or topic, whole. Never shown: see [`masked`].
    pub to: String,
    /// One line.
    pub title: String,
    /// Plain text, or Markdown where the channel can show it.
    pub body: String,
    /// A link to the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// 1 (low) to 5 (urgent).
    pub priority: u8,
    /// The task it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// The firing it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firing_id: Option<FiringId>,
    /// The JSON that `webhook` and `callback` post.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub payload: Value,
    /// Raised by `simulate`: it goes the whole way, but is only shown, whatever the channel could do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
}

/// How far a notice has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    /// It waits: for its turn, for the end of quiet hours, for another try.
    Queued,
    /// It is being sent right now. Kept on disk, so that a crash leaves a trace.
    Sending,
    /// The receiver took it.
    Sent,
    /// It failed for good: it stands among the dead letters and can be sent again by hand.
    Failed,
    /// It was not sent, on purpose: it went into another one, or a person wanted it so.
    Suppressed,
    /// The answer was lost: it may have arrived. Never sent again by itself where that could wake somebody twice.
    Unknown,
}

/// `notification`: a notice moved on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// By which channel.
    pub channel: ChannelKind,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// To whom, masked.
    pub to: String,
    /// One line.
    pub title: String,
    /// Which notice.
    pub notice_id: NoticeId,
    /// Whether nothing left this machine: the channel has no credentials and only shows what it would send.
    #[serde(default)]
    pub simulated: bool,
    /// Which try this was, from 1.
    #[serde(default)]
    pub attempt: u32,
    /// Why it failed or waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// When it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Instant>,
    /// What the receiver called it (a message's SID, a queue's id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// The text, with `queued` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The task it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// The firing it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firing_id: Option<FiringId>,
}

/// A number, address, URL or topic so that its owner knows it and nobody else learns it: `+1•••••7890`, `a•••@example.org`,
/// `https://example.org/•••`.
pub fn masked(channel: ChannelKind, to: &str) -> String {
    let dots = "•••";
    match channel {
        ChannelKind::Sms => {
            let count = to.chars().count();
            let (head, tail) = if count >= 8 { (2, 4) } else { (0, 2.min(count.saturating_sub(1))) };
            let head: String = to.chars().take(head).collect();
            let tail: String = to.chars().skip(count - tail).collect();
            format!("{head}{dots}{tail}")
        }
        ChannelKind::Email => match to.split_once('@') {
            Some((name, host)) => format!("{}{dots}@{host}", name.chars().take(1).collect::<String>()),
            None => dots.to_owned(),
        },
        ChannelKind::Webhook | ChannelKind::Ntfy | ChannelKind::Callback => match to.split_once("://") {
            Some((scheme, rest)) => {
                let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
                let host = host.rsplit('@').next().unwrap_or_default();
                format!("{scheme}://{host}/{dots}")
            }
            None => dots.to_owned(),
        },
        ChannelKind::Desktop | ChannelKind::Terminal => to.to_owned(),
    }
}

/// What happened to an entry of the inbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event_type", rename_all = "snake_case")]
pub enum InboxEvent {
    /// It came in, unread.
    Added {
        /// The entry.
        item: Box<InboxItem>,
    },
    /// It was read.
    Read {
        /// Which.
        item_id: InboxId,
    },
    /// It is to be read again.
    Unread {
        /// Which.
        item_id: InboxId,
    },
    /// It is out of sight until then.
    Snoozed {
        /// Which.
        item_id: InboxId,
        /// Until when.
        until: Instant,
    },
    /// It is out of sight.
    Archived {
        /// Which.
        item_id: InboxId,
    },
    /// A person answered it.
    Answered {
        /// Which.
        item_id: InboxId,
        /// The answer.
        text: String,
    },
}

/// Whether an entry tells or asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InboxKind {
    /// It tells.
    Told,
    /// It asks whether this is worth telling.
    Asks,
    /// Something went wrong with a task.
    Trouble,
    /// The agent's answer to a schedule's prompt, a digest: something to read.
    Report,
}

/// An entry of the inbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InboxItem {
    /// Which.
    pub item_id: InboxId,
    /// Whether it tells or asks.
    pub kind: InboxKind,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// A link to the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The task it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// The firing it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firing_id: Option<FiringId>,
    /// 1 (low) to 5 (urgent).
    pub priority: u8,
    /// When it came in.
    pub at: Instant,
    /// Whether it was raised by `simulate`, or told over a simulated channel.
    #[serde(default)]
    pub simulated: bool,
}

/// An entry of the inbox as lists show it: a fold of its events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InboxRow {
    /// What it is.
    #[serde(flatten)]
    pub item: InboxItem,
    /// Whether nobody has read it yet.
    pub unread: bool,
    /// Out of sight until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snoozed_until: Option<Instant>,
    /// Out of sight.
    pub archived: bool,
    /// The answer it got.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// A notice as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// Which notice.
    pub notice_id: NoticeId,
    /// By which channel.
    pub channel: ChannelKind,
    /// To whom, masked.
    pub to: String,
    /// One line.
    pub title: String,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// Tries so far.
    pub attempts: u32,
    /// When it was queued.
    pub queued_at: Instant,
    /// When it is tried next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Instant>,
    /// Why it failed or waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the receiver called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// The task it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
}

/// What a receipt begins with where nothing left this machine.
pub const SHOWN_ONLY: &str = "simulated: shown only";

impl Delivery {
    /// Whether nothing left this machine: the event was simulated, or the channel has no credentials.
    pub fn is_simulated(&self) -> bool {
        self.receipt.as_deref().is_some_and(|receipt| receipt.starts_with(SHOWN_ONLY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receivers_are_masked() {
        let check = |channel, to: &str, shown: &str| assert_eq!(masked(channel, to), shown);
        check(ChannelKind::Sms, "+1234567890", "+1•••7890");
        check(ChannelKind::Sms, "12345", "•••45");
        check(ChannelKind::Sms, "", "•••");
        check(ChannelKind::Email, "anna@example.org", "a•••@example.org");
        check(ChannelKind::Email, "nobody", "•••");
        check(ChannelKind::Webhook, "https://user:pw@example.org/hook/secret?x=1", "https://example.org/•••");
        check(ChannelKind::Desktop, "desktop", "desktop");
    }
}
