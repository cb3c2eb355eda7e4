//! Puts a schedule's prompt to the agent, as a turn of its own in a conversation of its own.
//!
//! Nobody is there to give consent: what the approval rules do not let through by themselves is refused, and the agent
//! is told so.

use std::collections::BTreeMap;

use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};

use crate::agent::EngineHandle;
use crate::ambient::ports::{Answered, Prompter};
use crate::domain::command::{ApprovalMode, Command, Decision, Delivery, SessionOptions};
use crate::domain::event::{ApprovalStatus, ChatStatus, EventBody, TurnEnd, TurnEvent};
use crate::domain::ids::{MessageId, SessionId};
use crate::domain::message::Role;
use crate::domain::price::Price;
use crate::domain::query::EventFilter;
use crate::store::EventLog;

/// Runs prompts on the engine.
#[derive(Clone)]
pub struct EnginePrompter {
    engine: EngineHandle,
    log: EventLog,
    model: String,
    prices: BTreeMap<String, Price>,
}

impl EnginePrompter {
    /// Prompts `engine`, whose sessions answer with `model`.
    pub fn new(engine: EngineHandle, log: EventLog, model: String, prices: BTreeMap<String, Price>) -> Self {
        Self { engine, log, model, prices }
    }

    async fn ask(self, title: String, prompt: String) -> Answered {
        let session = SessionId::generate();
        let failed =
            |text: String, session: &SessionId| Answered { session: session.clone(), text, success: false, tokens: 0, cost_micros: 0 };
        let after = match self.log.head().await {
            Ok(head) => head,
            Err(error) => return failed(error.report(), &session),
        };
        let filter = EventFilter { session: Some(session.clone()), ..EventFilter::default() };
        let mut feed = self.log.follow_all(filter, after);
        let options = SessionOptions {
            title: Some(format!("⏰ {title}")),
            // Nobody watches: whatever the user's own mode, only what reads runs unasked.
            mode: Some(ApprovalMode::AutoRead),
            ..SessionOptions::default()
        };
        let made = self.engine.handle(Command::NewSession { session: session.clone(), options });
        let message_id = MessageId::generate();
        let submit = Command::Submit { session: session.clone(), message_id, text: prompt, delivery: Delivery::Queue };
        if let Err(error) = made.and_then(|()| self.engine.handle(submit)) {
            return failed(error.to_string(), &session);
        }
        let mut working = Working { engine: self.engine.clone(), session: Some(session.clone()) };
        let mut text = String::new();
        while let Some(event) = feed.next().await {
            match &event.body {
                EventBody::Chat(chat) if chat.parent.is_none() && chat.role == Role::Assistant && chat.status == ChatStatus::Done => {
                    if let Some(said) = chat.text.as_ref().filter(|said| !said.trim().is_empty()) {
                        text.clone_from(said);
                    }
                }
                EventBody::Approval(approval) if approval.status == ApprovalStatus::Requested => {
                    let instead = Some("nobody is there to give consent: go on without it, and say what is missing".to_owned());
                    let decision = Decision::Refuse { instead };
                    let refuse = Command::Decide { session: session.clone(), call_id: approval.call_id.clone(), decision };
                    if let Err(error) = self.engine.handle(refuse) {
                        return failed(error.to_string(), &session);
                    }
                }
                EventBody::TurnEvent(TurnEvent::Finished { parent: None, end, usage, message, .. }) => {
                    working.session = None;
                    let success = *end == TurnEnd::Done;
                    if !success {
                        text = message.clone().unwrap_or_else(|| "the turn did not end well".to_owned());
                    }
                    let price = self.prices.get(&self.model);
                    return Answered {
                        session,
                        text,
                        success,
                        tokens: usage.input_tokens + usage.output_tokens,
                        cost_micros: price.map_or(0, |price| price.of(*usage)),
                    };
                }
                EventBody::Error(error) if event.seq.is_none() => return failed(error.message.clone(), &session),
                _ => {}
            }
        }
        failed("the log was closed before the agent had answered".to_owned(), &session)
    }
}

/// Stops a turn that nobody waits for any more.
struct Working {
    engine: EngineHandle,
    session: Option<SessionId>,
}

impl Drop for Working {
    fn drop(&mut self) {
        if let Some(session) = self.session.take()
            && let Err(error) = self.engine.handle(Command::Interrupt { session })
        {
            tracing::debug!(%error, "a prompt that was given up could not be stopped");
        }
    }
}

impl Prompter for EnginePrompter {
    fn run(&self, title: String, prompt: String) -> BoxFuture<'static, Answered> {
        self.clone().ask(title, prompt).boxed()
    }
}
