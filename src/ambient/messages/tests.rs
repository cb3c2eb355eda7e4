//! Messages: what is taken, what is asked, and what becomes of them without anybody who sends.

use std::collections::HashMap;
use std::sync::Mutex;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken as Token;

use super::*;
use crate::domain::ids::CallId;
use crate::notify::{Channel, Receipt, SendError};
use crate::tools::CallContext;

/// Takes what it is given and remembers it.
struct Fake(ChannelKind, Arc<Mutex<Vec<Notice>>>);

impl Channel for Fake {
    fn kind(&self) -> ChannelKind {
        self.0
    }

    fn simulated(&self) -> bool {
        false
    }

    fn send(&self, notice: Notice) -> BoxFuture<'static, Result<Receipt, SendError>> {
        self.1.lock().unwrap().push(notice);
        std::future::ready(Ok(Receipt { id: Some("SM1".to_owned()), simulated: false, detail: String::new() })).boxed()
    }
}

struct World {
    messages: Messages,
    sent: Arc<Mutex<Vec<Notice>>>,
}

fn world(toml: &str) -> World {
    let base = crate::ambient::testing::World::new();
    let (log, clock): (EventLog, Arc<dyn Clock>) = (base.log.clone(), base.clock.clone());
    let options: crate::notify::Options = toml::from_str(toml).unwrap();
    let (channels, _) = Channels::new(&options, crate::net::Client::default(), Arc::clone(&clock), &|_| None).unwrap();
    let sent: Arc<Mutex<Vec<Notice>>> = Arc::default();
    let channels = channels.with(Arc::new(Fake(ChannelKind::Sms, Arc::clone(&sent))));
    let nudges = Nudges::default();
    let service = TaskService::new(log.clone(), jiff::tz::TimeZone::UTC, nudges.clone(), crate::ambient::service::Options::default());
    let messages = Messages { log, clock, nudges, channels: Arc::new(channels), service, outbox: Arc::default() };
    World { messages, sent }
}

impl World {
    /// Lets the outbox run where a call asks for it.
    fn with_outbox(self) -> Self {
        let Messages { log, clock, nudges, channels, .. } = self.messages.clone();
        let options = crate::ambient::options::Options::default();
        let lead = Arc::new(Leadership::new(log.clone(), "here".to_owned(), nudges.clone(), false, options.lease()));
        let deps = outbox::Deps {
            log,
            clock,
            channels,
            nudges,
            lead,
            owner: "here".to_owned(),
            options,
            notify: crate::notify::Options::default(),
        };
        assert!(self.messages.outbox.set(deps).is_ok());
        self
    }

    fn tools(&self, asks: Asks) -> HashMap<String, Arc<dyn Tool>> {
        catalog(self.messages.clone(), asks).1.into_iter().map(|tool| (tool.info().tool.clone(), tool)).collect()
    }

    async fn call(&self, asks: Asks, tool: &str, arguments: Value) -> ToolOutcome {
        let context = CallContext { call_id: CallId::generate(), session: None, cancel: Token::new() };
        self.tools(asks)[tool].call(map(&arguments), context).await.unwrap()
    }

    async fn statuses(&self) -> Vec<(DeliveryStatus, String)> {
        let rows = self.messages.log.tasks().deliveries(None, 100).await.unwrap();
        rows.into_iter().map(|row| (row.status, row.to)).collect()
    }
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn sms() -> Value {
    json!({"to": "+1 (555) 123-4567", "message": "first line\nsecond line"})
}

#[tokio::test]
async fn a_message_is_queued_on_disk_and_goes_out_once_somebody_sends() {
    let world = world("");
    let outcome = world.call(Asks::Person, "send_sms", sms()).await;
    assert_eq!(outcome.structured.unwrap()["status"], "queued");
    assert!(outcome.text.contains("goes out when wakeful runs") && outcome.text.contains("+1•••4567"), "{}", outcome.text);
    assert_eq!(world.statuses().await, [(DeliveryStatus::Queued, "+1•••4567".to_owned())]);
    assert!(world.sent.lock().unwrap().is_empty());

    let world = world.with_outbox();
    let outcome = world.call(Asks::Person, "send_sms", json!({"to": "+15550000000", "message": "now"})).await;
    assert!(!outcome.is_error && outcome.text.contains("(SM1)"), "{}", outcome.text);
    let sent = world.sent.lock().unwrap().clone();
    assert_eq!(sent.iter().filter(|notice| notice.to == "+15550000000").count(), 1);
    assert!(sent.iter().filter(|notice| notice.to == "+15551234567").count() <= 1, "what waited goes out as well, once");
}

#[tokio::test]
async fn the_question_for_consent_shows_the_receiver_as_it_is() {
    let world = world("");
    let tools = world.tools(Asks::Person);
    let shown = tools["send_sms"].preview(&map(&sms())).await.unwrap();
    assert!(shown.starts_with("sms to +15551234567\n") && shown.ends_with("first line\n\nsecond line"), "{shown}");
    let hostile = json!({"to": "anna@example.org", "subject": "s\u{1b}[2J", "body": "b\u{202e}"});
    let shown = tools["send_email"].preview(&map(&hostile)).await.unwrap();
    assert!(shown.contains("email to anna@example.org") && shown.contains("nothing leaves this machine"), "{shown}");
    assert!(!shown.contains('\u{1b}') && !shown.contains('\u{202e}'), "{shown:?}");
    for tool in ["send_sms", "send_email"] {
        let hints = tools[tool].info().hints;
        assert!(hints.destructive && hints.open_world && !hints.read_only && !hints.idempotent, "{tool}");
        assert!(crate::domain::tool::sends("notify", tool));
    }
}

#[tokio::test]
async fn where_nobody_is_asked_it_waits_for_the_owner() {
    let world = world("[sms]\nto = \"+15550001111\"");
    let outcome = world.call(Asks::Nobody, "send_sms", sms()).await;
    assert_eq!(outcome.structured.as_ref().unwrap()["status"], "waits_for_consent");
    assert_eq!(world.statuses().await, [(DeliveryStatus::Suppressed, "+1•••4567".to_owned())]);
    let inbox = world.messages.service.inbox(crate::domain::query::InboxFilter::default()).await.unwrap();
    let [entry] = inbox.as_slice() else { panic!("one entry, not {inbox:?}") };
    assert!(entry.item.title.contains("+15551234567") && entry.item.body.contains("second line"), "{entry:?}");
    // The owner's own number, as the config names it, needs nobody's word.
    let own = world.call(Asks::Nobody, "send_sms", json!({"to": "+15550001111", "message": "hi"})).await;
    assert_eq!(own.structured.unwrap()["status"], "queued");
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_with_the_way_out() {
    let world = world("");
    let check = async |tool: &str, arguments: Value, words: &str| {
        let outcome = world.call(Asks::Person, tool, arguments).await;
        assert!(outcome.is_error && outcome.text.contains(words), "{}", outcome.text);
    };
    check("send_sms", json!({"to": "5551234567", "message": "x"}), "no number with country code").await;
    check("send_sms", json!({"to": "+15551234567", "message": " \n "}), "`message` is empty").await;
    check("send_sms", json!({"to": "+15551234567", "message": "x".repeat(1_601)}), "1601 characters").await;
    check("send_email", json!({"to": "a@b.example, c@d.example", "subject": "s", "body": "b"}), "more than one").await;
    check("send_email", json!({"to": "a@b.example\nbcc: c@d.example", "subject": "s", "body": "b"}), "`to`").await;
    check("send_email", json!({"to": "a@b.example", "subject": "", "body": "b"}), "`subject` is empty").await;
    check("send_notification", json!({"title": ""}), "`title` is empty").await;
    assert!(world.statuses().await.is_empty());
}
