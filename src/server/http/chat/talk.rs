//! One prompt and its answer, seen through the feed.

mod view;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::bus::{Delivery, Subscription};
use crate::domain::command::{Command, Decision, Delivery as When, SessionOptions};
use crate::domain::event::Event;
use crate::domain::ids::{CallId, MessageId, SessionId};
use crate::domain::query::EventFilter;
use crate::domain::text::clean_line;
use crate::server::api::Api;
use crate::server::frame::Frame;
use crate::server::http::chat::Answer;
use crate::server::http::chat::request::Prompt;
use crate::server::http::problem::Problem;

pub(super) use view::{Sight, View};

/// The longest that a prompt may neither begin nor be queued.
const BEGIN_MAX: Duration = Duration::from_secs(30);

/// The longest that a stopped turn is watched until it has ended.
const STOP_MAX: Duration = Duration::from_secs(10);

/// A piece of the answer. The last one is `Done` or `Failed`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// Part of the text.
    Delta(String),
    /// Something happened on the way: its type and its data.
    Event(&'static str, Value),
    /// Something went wrong on the way, and the turn goes on.
    Trouble(Problem),
    /// The whole answer.
    Done(Box<Answer>),
    /// There is no answer.
    Failed(Problem),
}

/// One prompt and its answer.
pub(super) struct Talk {
    api: Arc<Api>,
    session: SessionId,
    message: MessageId,
    feed: Subscription<Frame>,
    /// How the envelope of this conversation's events ends.
    suffix: String,
    view: View,
    /// Calls that wait for consent, and until when.
    asked: Vec<(CallId, Instant)>,
}

impl Talk {
    /// Says the prompt.
    ///
    /// # Errors
    /// 404 where there is no such conversation; 503 where too much waits already.
    pub(super) async fn begin(api: Arc<Api>, prompt: Prompt) -> Result<Self, Problem> {
        let feed = api.hub.subscribe();
        let Prompt { text, session: given, model } = prompt;
        let (session, opening) = if let Some(session) = given {
            let filter = EventFilter { session: Some(session.clone()), limit: Some(1), ..EventFilter::default() };
            if api.queries.events(filter).await?.is_empty() {
                let detail = format!("there is no conversation `{}`; leave `session_id` out to begin one", clean_line(session.as_str()));
                return Err(Problem::not_found(detail));
            }
            let open = Command::OpenSession { session: session.clone() };
            let model = model.map(|model| Command::SetModel { session: session.clone(), model });
            (session, std::iter::once(open).chain(model).collect::<Vec<_>>())
        } else {
            let session = SessionId::generate();
            let options = SessionOptions { model, ..SessionOptions::default() };
            (session.clone(), vec![Command::NewSession { session, options }])
        };
        let message = MessageId::generate();
        let submit = Command::Submit { session: session.clone(), message_id: message.clone(), text, delivery: When::Queue };
        for command in opening.into_iter().chain([submit]) {
            api.commands.send(command)?;
        }
        let suffix = format!("\"session\":{}}}", Value::from(session.as_str()));
        let view = View::new(session.clone(), message.clone());
        Ok(Self { api, session, message, feed, suffix, view, asked: Vec::new() })
    }

    /// Watches until the end; stops the turn when it takes too long or nobody wants it any more.
    pub(super) async fn run(mut self, out: mpsc::Sender<Said>, given_up: CancellationToken) {
        let limit = self.api.options.chat_seconds;
        let started = Instant::now();
        let stop = self.api.stop.clone();
        let why = loop {
            let deadline = started + if self.view.is_known() { Duration::from_secs(limit) } else { BEGIN_MAX };
            let refusal = self.asked.iter().map(|(_, until)| *until).min().unwrap_or(deadline);
            let sight = tokio::select! {
                biased;
                () = given_up.cancelled() => break None,
                () = stop.cancelled() => break Some(Problem::ending()),
                sight = self.look() => sight,
                () = tokio::time::sleep_until(refusal), if refusal < deadline => self.refuse(),
                () = tokio::time::sleep_until(deadline) => break Some(self.too_slow()),
            };
            match sight {
                Ok(sight) => {
                    if self.pass_on(sight, &out, &given_up).await {
                        break None;
                    }
                }
                Err(problem) => break Some(problem),
            }
        };
        if let Some(problem) = why {
            // Nobody listens any more where this fails.
            let _nobody = out.try_send(Said::Failed(problem));
        }
        drop(out);
        self.stop_turn().await;
    }

    fn too_slow(&self) -> Problem {
        if self.view.is_known() {
            let detail = format!("there was no answer within {} s, and the turn was stopped", self.api.options.chat_seconds);
            return Problem::new(http::StatusCode::GATEWAY_TIMEOUT, detail);
        }
        Problem::busy("the agent did not take the prompt; try again in a moment")
    }

    /// Hands on what was seen; whether that was the end.
    async fn pass_on(&mut self, sight: Sight, out: &mpsc::Sender<Said>, given_up: &CancellationToken) -> bool {
        let wait = Duration::from_secs(self.api.options.approval_wait_seconds);
        self.asked.extend(sight.asked.into_iter().map(|call| (call, Instant::now() + wait)));
        self.asked.retain(|(call, _)| !sight.answered.contains(call));
        for said in sight.said {
            let is_last = matches!(said, Said::Done(_) | Said::Failed(_));
            tokio::select! {
                // Where nobody listens any more, the next round sees it.
                _sent = out.send(said) => {}
                () = given_up.cancelled() => {}
            }
            if is_last {
                return true;
            }
        }
        false
    }

    /// The next thing that is seen.
    async fn look(&mut self) -> Result<Sight, Problem> {
        match self.feed.recv().await {
            None => Err(Problem::ending()),
            Some(Delivery::Lost(_)) => {
                // What the feed dropped is in the log, as far as it was durable.
                let filter = EventFilter { session: Some(self.session.clone()), after: Some(self.view.seen()), ..EventFilter::default() };
                let events = self.api.queries.events(filter).await?;
                let mut sight = Sight::default();
                events.iter().for_each(|event| self.view.see(event, &mut sight));
                Ok(sight)
            }
            Some(Delivery::Event(frame)) => {
                let mut sight = Sight::default();
                if frame.json.ends_with(&self.suffix)
                    && let Ok(event) = serde_json::from_str::<Event>(&frame.json)
                {
                    self.view.see(&event, &mut sight);
                }
                Ok(sight)
            }
        }
    }

    /// Refuses the calls that nobody consented to in time; what follows from it is seen like any refusal.
    fn refuse(&mut self) -> Result<Sight, Problem> {
        let now = Instant::now();
        let (late, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.asked).into_iter().partition(|(_, until)| *until <= now);
        self.asked = waiting;
        for (call_id, _) in late {
            let seconds = self.api.options.approval_wait_seconds;
            let instead = format!("nobody consented within {seconds} s: go on without it, and say what is missing");
            let decision = Decision::Refuse { instead: Some(instead) };
            self.api.commands.send(Command::Decide { session: self.session.clone(), call_id, decision })?;
        }
        Ok(Sight::default())
    }

    /// Stops what nobody waits for any more: the message is taken back, or its turn interrupted.
    async fn stop_turn(mut self) {
        let deadline = Instant::now() + STOP_MAX;
        let mut stopped = false;
        while !self.view.is_over() {
            if !stopped && (self.view.has_begun() || self.view.is_queued()) {
                stopped = true;
                let session = self.session.clone();
                let command = if self.view.has_begun() {
                    Command::Interrupt { session }
                } else {
                    Command::EditQueued { session, message_id: self.message.clone(), text: None }
                };
                if self.api.commands.send(command).is_err() {
                    return;
                }
                if !self.view.has_begun() {
                    return;
                }
            }
            match tokio::time::timeout_at(deadline, self.look()).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }
}
