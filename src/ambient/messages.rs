//! The tools of the in-process MCP server `notify`: a text, a mail, a note to the owner of this machine, sent now.
//!
//! They go the way of the tasks' notices: queued on disk, sent once, within rates and outside of quiet hours, receivers
//! masked in all that happens. What leaves for somebody is shown to a person before, with the receiver as it is; where
//! nobody is asked, it waits in the inbox until the owner sends it.

#[cfg(test)]
mod tests;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::StreamExt;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::ambient::lead::Leadership;
use crate::ambient::nudge::Nudges;
use crate::ambient::outbox::{self, MESSAGE, Outbox, withheld};
use crate::ambient::service::TaskService;
use crate::ambient::tell::{self, Bundle, From, Told};
use crate::ambient::tools::Asks;
use crate::domain::clock::Clock;
use crate::domain::event::{Event, EventBody, NewEvent};
use crate::domain::ids::{NoticeId, ServerName};
use crate::domain::notice::{ChannelKind, DeliveryStatus, InboxKind, Notice, Notification, masked};
use crate::domain::query::EventFilter;
use crate::domain::text::{clean, clean_line, ellipsis, visible};
use crate::domain::tool::{SENDERS, ToolHints};
use crate::notify::Channels;
use crate::store::tasks::Op;
use crate::store::{EventLog, Terms};
use crate::tools::local::{Definition, Failure, LocalTool};
use crate::tools::{Tool, ToolOutcome};

/// The server of these tools.
pub const NOTIFY: &str = SENDERS.0;

/// The longest text message, in characters: what one notice of the channel may hold.
const SMS_CHARS_MAX: usize = 1_600;

/// The longest subject and the longest text of a mail or a note, in characters.
const SUBJECT_CHARS_MAX: usize = 200;
const BODY_CHARS_MAX: usize = 20_000;

/// How long a call waits to tell how the delivery went; it goes on all the same.
const OUTCOME_WAIT: Duration = Duration::from_secs(12);

/// How urgent these are: they wait for the end of quiet hours, as what a task tells does.
const PRIORITY: u8 = 3;

/// Leaves this machine for somebody, and cannot be called back.
const SENDS: ToolHints = ToolHints { read_only: false, destructive: true, idempotent: false, open_world: true };

/// Tells the owner, by the channel of their own config.
const TELLS: ToolHints = ToolHints { destructive: false, ..SENDS };

/// What they work with.
#[derive(Clone)]
pub struct Messages {
    /// The log and the store.
    pub log: EventLog,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Wakes the outbox.
    pub nudges: Nudges,
    /// How to reach people.
    pub channels: Arc<Channels>,
    /// Knows whether anything sends notices right now.
    pub service: TaskService,
    /// Sends them here where nothing else does: a program that runs one prompt does not stay awake for its tasks, but what
    /// it was told to send is sent. Queued only while it is not set.
    pub outbox: Arc<OnceLock<outbox::Deps>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Sms {
    /// The number with its country code, such as `+15551234567`: only one that the user gave, never a guess.
    to: String,
    /// The text, up to 1,600 characters; a short one costs less.
    message: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Email {
    /// The address, such as `anna@example.org`: only one that the user gave, never a guess.
    to: String,
    /// The subject, one line.
    subject: String,
    /// The text, plain.
    body: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Note {
    /// One line.
    title: String,
    /// More, where there is more to say.
    #[serde(default)]
    body: String,
}

/// A message that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    channel: ChannelKind,
    to: String,
    title: String,
    body: String,
}

/// The tools, as `tools::local::catalog` gives those of a server. `asks` says whether a call was shown to a person.
#[expect(clippy::needless_pass_by_value, reason = "the tools keep it")]
pub fn catalog(messages: Messages, asks: Asks) -> (ServerName, Vec<Arc<dyn Tool>>) {
    let (sms, email, note) = (messages.clone(), messages.clone(), messages.clone());
    let mut tools = vec![
        LocalTool::new(&definition(0, "Send a text message", SMS, SENDS), move |arguments: Sms, _context| {
            let messages = sms.clone();
            async move { messages.send(of_sms(&arguments)?, asks).await }
        })
        .preview(preview(&messages, of_sms)),
        LocalTool::new(&definition(1, "Send a mail", EMAIL, SENDS), move |arguments: Email, _context| {
            let messages = email.clone();
            async move { messages.send(of_email(&arguments)?, asks).await }
        })
        .preview(preview(&messages, of_email)),
        // The owner is told by their own channel: nobody has to agree to that.
        LocalTool::new(&definition(2, "Notify the user", NOTE, TELLS), move |arguments: Note, _context| {
            let messages = note.clone();
            async move { messages.send(messages.of_note(&arguments)?, Asks::Person).await }
        }),
    ];
    tools.iter_mut().for_each(|tool| tool.limit_time(OUTCOME_WAIT + Duration::from_secs(10)));
    (ServerName::new(NOTIFY), tools.into_iter().map(|tool| Arc::new(tool) as Arc<dyn Tool>).collect())
}

const SMS: &str = "Sends a text message (SMS) to a number, now, once. The user is shown number and text and agrees first. For a reminder or \
                   something repeated, make a background task instead.";

const EMAIL: &str = "Sends a mail to an address, now, once. The user is shown address, subject and text and agrees first.";

const NOTE: &str = "Shows a notification to the user of this machine, by the channel they set up (push, desktop, terminal), now, once.";

fn definition(at: usize, title: &'static str, description: &'static str, hints: ToolHints) -> Definition {
    const NAMES: [&str; 3] = [SENDERS.1[0], SENDERS.1[1], "send_notification"];
    Definition { server: NOTIFY, name: NAMES.get(at).copied().unwrap_or("send_notification"), title, description, hints }
}

/// What the question for consent shows: the receiver as it is, the text whole, and whether anything would leave at all.
fn preview<A: 'static>(
    messages: &Messages,
    read: fn(&A) -> Result<Message, Failure>,
) -> impl Fn(A) -> std::future::Ready<Option<String>> + Send + Sync + 'static {
    let messages = messages.clone();
    move |arguments: A| {
        let shown = read(&arguments).ok().map(|message| {
            let head = format!("{} to {}", message.channel.as_str(), message.to);
            let mut lines = vec![head];
            lines.extend(messages.missing(message.channel).map(|why| format!("[{why}]")));
            lines.push(message.whole());
            visible(&lines.join("\n")).into_owned()
        });
        std::future::ready(shown)
    }
}

impl Message {
    fn whole(&self) -> String {
        if self.body.is_empty() { self.title.clone() } else { format!("{}\n\n{}", self.title, self.body) }
    }
}

fn of_sms(arguments: &Sms) -> Result<Message, Failure> {
    let to = crate::notify::phone_number(&arguments.to).map_err(|error| Failure(format!("`to`: {}", error.reason())))?;
    let text = clean(&arguments.message).trim().to_owned();
    bounded("message", &text, SMS_CHARS_MAX)?;
    // The first line stands in lists; the channel puts both together again.
    let (title, body) = text.split_once('\n').unwrap_or((&text, ""));
    Ok(Message { channel: ChannelKind::Sms, to, title: title.trim().to_owned(), body: body.trim().to_owned() })
}

fn of_email(arguments: &Email) -> Result<Message, Failure> {
    let to = clean_line(&arguments.to);
    crate::notify::check_email(&to).map_err(|error| Failure(format!("`to`: {}", error.reason())))?;
    let (title, body) = (clean_line(&arguments.subject), clean(&arguments.body).trim().to_owned());
    bounded("subject", &title, SUBJECT_CHARS_MAX)?;
    bounded("body", &body, BODY_CHARS_MAX)?;
    Ok(Message { channel: ChannelKind::Email, to, title, body })
}

fn bounded(field: &str, text: &str, chars_max: usize) -> Result<(), Failure> {
    match text.chars().count() {
        0 => Err(Failure(format!("`{field}` is empty; give the text that is to be sent"))),
        count if count > chars_max => {
            Err(Failure(format!("`{field}` has {count} characters, more than the {chars_max} that are sent; shorten it")))
        }
        _ => Ok(()),
    }
}

impl Messages {
    /// The note goes where the owner is reached: the first channel that is set up for that, else the terminal.
    fn of_note(&self, arguments: &Note) -> Result<Message, Failure> {
        let (title, body) = (clean_line(&arguments.title), clean(&arguments.body).trim().to_owned());
        bounded("title", &title, SUBJECT_CHARS_MAX)?;
        if !body.is_empty() {
            bounded("body", &body, BODY_CHARS_MAX)?;
        }
        let real = |kind: ChannelKind| self.channels.statuses().iter().any(|status| status.kind == kind && status.configured);
        let kinds = [ChannelKind::Ntfy, ChannelKind::Desktop, ChannelKind::Terminal];
        let reached = kinds.into_iter().filter(|kind| real(*kind)).find_map(|kind| Some((kind, self.channels.default_receiver(kind)?)));
        let (channel, to) = reached.unwrap_or((ChannelKind::Terminal, "terminal"));
        Ok(Message { channel, to: to.to_owned(), title, body })
    }

    /// Why nothing would leave by a channel, and how that is changed; nothing where it is set up.
    fn missing(&self, channel: ChannelKind) -> Option<String> {
        let status = self.channels.statuses().iter().find(|status| status.kind == channel)?;
        if status.configured {
            return None;
        }
        let how = match channel {
            ChannelKind::Sms => {
                "; set `TWILIO_ACCOUNT_SID`, `TWILIO_AUTH_TOKEN` and `TWILIO_PHONE_NUMBER`, or `[notify.sms]`, to send texts"
            }
            ChannelKind::Email => "; set `SMTP_URL`, or `[notify.email]`, to send mail",
            _ => "",
        };
        Some(format!("nothing leaves this machine: {}{how}", status.note))
    }

    async fn send(&self, message: Message, asks: Asks) -> Result<ToolOutcome, Failure> {
        let now = self.clock.now();
        let shown = masked(message.channel, &message.to);
        let notice = Notice {
            notice_id: NoticeId::generate(),
            channel: message.channel,
            to: message.to.clone(),
            title: message.title.clone(),
            body: message.body.clone(),
            url: None,
            priority: PRIORITY,
            task_id: None,
            firing_id: None,
            // It says what a person wrote: it never becomes one with others.
            payload: json!({ (MESSAGE): true }),
            simulated: false,
        };
        let id = notice.notice_id.clone();
        let failed = |error: crate::store::Error| Failure(format!("it could not be queued: {}", error.report()));
        let queued = NewEvent::system(tell::queued(&notice));
        let put = Op::PutNotice { notice: Box::new(notice.clone()), at: now };
        // The owner's own address, as their config names it, needs nobody's word.
        let own = self.channels.default_receiver(message.channel) == Some(message.to.as_str());
        if asks == Asks::Nobody && !own {
            let why = "another program asked for it, and nobody here has agreed yet";
            let (held, op) = withheld(&notice, why);
            let mut bundle = Bundle { events: vec![queued, held], ops: vec![put, op], ..Bundle::default() };
            bundle.inbox(InboxKind::Told, &entry(&message, &id), From::default(), now);
            self.log.commit(bundle.events, Terms { ops: bundle.ops, ..Terms::default() }).await.map_err(failed)?;
            let text = format!(
                "not sent: {why}. The message to {shown} waits in the inbox of wakeful; its owner sends it with `wakeful inbox resend {id}`"
            );
            let structured = json!({"notice_id": id, "channel": message.channel, "to": shown, "status": "waits_for_consent"});
            return Ok(ToolOutcome { text, structured: Some(structured), is_error: false });
        }
        let head = self.log.head().await.map_err(failed)?;
        let mut feed = self.log.follow_all(EventFilter::default(), head);
        self.log.commit(vec![queued], Terms { ops: vec![put], ..Terms::default() }).await.map_err(failed)?;
        self.nudges.notices();
        let sending = if self.service.is_running().await.unwrap_or(false) { None } else { Some(self.own_outbox()) };
        let sending = match sending {
            None => None,
            Some(Some(outbox)) => Some(Sending::start(outbox)),
            Some(None) => {
                let text = format!("queued for {shown}; nothing sends right now, it goes out when wakeful runs");
                return Ok(told(&message, &id, "queued", text, None));
            }
        };
        let outcome = async {
            while let Some(event) = feed.next().await {
                if let Some(moved) = about(&event, &id) {
                    return Some(moved.clone());
                }
            }
            None
        };
        let moved = tokio::time::timeout(OUTCOME_WAIT, outcome).await.ok().flatten();
        if let Some(sending) = sending {
            sending.end().await;
        }
        Ok(if let Some(moved) = moved {
            self.moved(&message, &moved)
        } else {
            let text = format!("on its way to {shown}; how that goes stands in the events (`wakeful inbox notices`)");
            told(&message, &id, "queued", text, None)
        })
    }

    fn own_outbox(&self) -> Option<outbox::Deps> {
        self.outbox.get().cloned()
    }

    /// How a delivery went, in words.
    fn moved(&self, message: &Message, moved: &Notification) -> ToolOutcome {
        let (to, id) = (&moved.to, &moved.notice_id);
        let why = moved.error.as_deref().unwrap_or("no reason is known");
        match moved.status {
            DeliveryStatus::Sent if moved.simulated => {
                let how = self.missing(message.channel).unwrap_or_else(|| "nothing left this machine".to_owned());
                told(message, id, "simulated", format!("not really sent to {to}: {how}"), moved.receipt.as_deref())
            }
            DeliveryStatus::Sent => {
                let receipt = moved.receipt.as_ref().map(|receipt| format!(" ({})", clean_line(receipt))).unwrap_or_default();
                told(message, id, "sent", format!("sent to {to}{receipt}"), moved.receipt.as_deref())
            }
            DeliveryStatus::Queued | DeliveryStatus::Sending => {
                let until = moved.retry_at.map(|at| format!(" until {at}")).unwrap_or_default();
                told(message, id, "queued", format!("the message to {to} waits{until}: {why}; it is sent by itself"), None)
            }
            DeliveryStatus::Failed | DeliveryStatus::Suppressed => {
                ToolOutcome::error(format!("the message to {to} was not sent: {why}; `wakeful inbox resend {id}` tries again"))
            }
            DeliveryStatus::Unknown => {
                ToolOutcome::error(format!("the message to {to} may have arrived, and is not sent again by itself: {why}"))
            }
        }
    }
}

fn told(message: &Message, id: &NoticeId, status: &str, text: String, receipt: Option<&str>) -> ToolOutcome {
    let structured = json!({
        "notice_id": id, "channel": message.channel, "to": masked(message.channel, &message.to), "status": status, "receipt": receipt,
    });
    ToolOutcome { text, structured: Some(structured), is_error: false }
}

/// An outbox that runs for the time of a call. Whatever is due goes out through it, as it would through any other.
struct Sending {
    /// Stops it however the call ends.
    stop: DropGuard,
    running: JoinHandle<()>,
    lead: Arc<Leadership>,
}

impl Sending {
    fn start(deps: outbox::Deps) -> Self {
        let (stop, lead) = (CancellationToken::new(), Arc::clone(&deps.lead));
        let stopped = stop.clone();
        let running = tokio::spawn(async move {
            match Outbox::new(deps) {
                Ok(outbox) => outbox.run(stopped).await,
                Err(error) => tracing::error!(%error, "the outbox cannot begin"),
            }
        });
        Self { stop: stop.drop_guard(), running, lead }
    }

    /// What is being sent is waited for.
    async fn end(self) {
        drop(self.stop);
        let _ = self.running.await;
        self.lead.resign().await;
    }
}

/// The entry of the inbox about a message that nobody agreed to yet: whom it would reach, and what it says.
fn entry(message: &Message, id: &NoticeId) -> Told {
    let title = format!("Another program wants to send: {} to {}", message.channel.as_str(), message.to);
    let body = format!("It was not sent. `wakeful inbox resend {id}` sends it.\n\n{}", message.whole());
    Told { title: ellipsis(&clean_line(&title), 200).into_owned(), short: title, body, url: None, priority: PRIORITY }
}

/// What an event says of a notice's delivery, where that is news: that it is queued or begun is none.
fn about<'a>(event: &'a Event, id: &NoticeId) -> Option<&'a Notification> {
    let EventBody::Notification(moved) = &event.body else { return None };
    let news = match moved.status {
        DeliveryStatus::Queued => moved.retry_at.is_some(),
        DeliveryStatus::Sending => false,
        _ => true,
    };
    (moved.notice_id == *id && news).then_some(moved)
}
