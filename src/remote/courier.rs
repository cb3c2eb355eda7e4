//! Carries commands to the program, one after the other, in their order.
//!
//! While there is no connection a command waits, at most a minute from the start of the outage. One that was not
//! delivered, or of which that is not known, becomes an `error` event that says which. A command whose answer was lost is
//! sent again only where that does no harm ([`Command::bears_repeating`]).

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant as Moment, sleep};

use crate::bus::{CommandReceiver, EventBus};
use crate::domain::clock::Clock;
use crate::domain::command::Command;
use crate::domain::remote::{Line, LineState};
use crate::domain::text::{clean_line, ellipsis};
use crate::remote::COMMANDS_ROUTE;
use crate::remote::feed::complaint;
use crate::remote::http::{Api, Error};
use crate::remote::pace::Pace;

/// How long commands wait for a connection, from the first failure on.
const OUTAGE_MAX: Duration = Duration::from_mins(1);

/// How long the program may take to accept a command.
const ACCEPT_MAX: Duration = Duration::from_secs(10);

/// Characters of a message that is named in an error.
const NAMED_CHARS_MAX: usize = 60;

/// What follows from a failure.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// Try again, after that long where the program says so.
    Again(Option<Duration>),
    /// It was not delivered, and will not be.
    NotDelivered(String),
    /// It may have been delivered.
    Unknown(String),
}

/// What to do after `error`.
fn next(error: Error, command: &Command) -> Next {
    match error {
        Error::Unreached(_) => Next::Again(None),
        Error::Lost(_) if command.bears_repeating() => Next::Again(None),
        Error::Lost(reason) => Next::Unknown(reason),
        Error::Answered { status: 429 | 503, retry_after, .. } => Next::Again(retry_after),
        Error::Refused(reason) | Error::Answered { reason, .. } => Next::NotDelivered(reason),
    }
}

/// Carries commands.
pub(super) struct Courier {
    api: Api,
    bus: EventBus,
    clock: Arc<dyn Clock>,
    line: watch::Receiver<Line>,
    /// Since when nothing gets through.
    failing_since: Option<Moment>,
}

impl Courier {
    pub(super) fn new(api: Api, bus: EventBus, clock: Arc<dyn Clock>, line: watch::Receiver<Line>) -> Self {
        Self { api, bus, clock, line, failing_since: None }
    }

    /// Carries what comes until the inbox ends.
    pub(super) async fn run(mut self, mut inbox: CommandReceiver) {
        while let Some(command) = inbox.recv().await {
            self.carry(&command).await;
        }
    }

    async fn carry(&mut self, command: &Command) {
        let mut pace = Pace::default();
        loop {
            let Err(error) = self.api.post(COMMANDS_ROUTE, command, ACCEPT_MAX).await else {
                self.failing_since = None;
                return;
            };
            let reason = error.to_string();
            match next(error, command) {
                Next::Again(asked) => {
                    let since = *self.failing_since.get_or_insert_with(Moment::now);
                    if since.elapsed() >= OUTAGE_MAX {
                        return self.complain(command, false, &reason);
                    }
                    let wait = asked.unwrap_or_else(|| pace.failed(fastrand::f64())).min(OUTAGE_MAX);
                    self.pause(wait).await;
                }
                Next::NotDelivered(reason) => return self.complain(command, false, &reason),
                Next::Unknown(reason) => return self.complain(command, true, &reason),
            }
        }
    }

    /// Waits, or until the feed comes back: then commands get through as well.
    async fn pause(&mut self, wait: Duration) {
        tokio::select! {
            () = sleep(wait) => {}
            () = back(&mut self.line) => {}
        }
    }

    fn complain(&self, command: &Command, unknown: bool, reason: &str) {
        let what = words(command);
        let message = if unknown {
            format!("it is not known whether {what} arrived: {reason}; look before you send it again")
        } else {
            format!("could not deliver {what}: {reason}")
        };
        let details = if unknown { json!({}) } else { json!({ "undelivered": command }) };
        self.bus.publish(complaint(&*self.clock, command.session().cloned(), message, details));
    }
}

/// Waits until the feed is there anew.
async fn back(line: &mut watch::Receiver<Line>) {
    line.mark_unchanged();
    loop {
        if line.changed().await.is_err() {
            return std::future::pending().await;
        }
        if matches!(line.borrow_and_update().state, LineState::Live { .. }) {
            return;
        }
    }
}

/// Which command it is, for a person.
fn words(command: &Command) -> String {
    if let Command::Submit { text, .. } = command {
        return format!("your message “{}”", ellipsis(&clean_line(text), NAMED_CHARS_MAX));
    }
    // A variant without fields is a string, one with fields an object of one key; the inner name is the more telling one.
    let value = serde_json::to_value(command).unwrap_or_default();
    let name = |value: &Value| match value {
        Value::Object(fields) => fields.keys().next().cloned(),
        Value::String(name) => Some(name.clone()),
        _ => None,
    };
    let outer = name(&value).unwrap_or_default();
    let inner = match command {
        Command::Mcp(_) | Command::Task(_) | Command::Inbox(_) | Command::Cache(_) | Command::Memory(_) | Command::Report(_) => {
            value.get(&outer).and_then(name)
        }
        _ => None,
    };
    format!("the command `{}`", [Some(outer), inner].into_iter().flatten().collect::<Vec<_>>().join(" ").replace('_', " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::{Delivery, McpCommand};

    fn submit() -> Command {
        Command::Submit { session: "s".into(), message_id: "m".into(), text: "hello\u{1b}[2J there".to_owned(), delivery: Delivery::Steer }
    }

    #[test]
    fn only_what_bears_it_is_sent_again_after_a_lost_answer() {
        let lost = || Error::Lost("reset".to_owned());
        let interrupt = Command::Interrupt { session: "s".into() };
        assert_eq!(next(lost(), &submit()), Next::Again(None));
        assert_eq!(next(lost(), &interrupt), Next::Unknown("reset".to_owned()));
        assert_eq!(next(Error::Unreached("x".to_owned()), &interrupt), Next::Again(None));
        let busy = Error::Answered { status: 503, reason: "full".to_owned(), retry_after: Some(Duration::from_secs(5)) };
        assert_eq!(next(busy, &interrupt), Next::Again(Some(Duration::from_secs(5))));
        let wrong = Error::Answered { status: 422, reason: "no".to_owned(), retry_after: None };
        assert_eq!(next(wrong, &submit()), Next::NotDelivered("no".to_owned()));
    }

    #[test]
    fn commands_are_named_for_people() {
        assert_eq!(words(&submit()), "your message “hello there”");
        assert_eq!(words(&Command::Interrupt { session: "s".into() }), "the command `interrupt`");
        assert_eq!(words(&Command::Mcp(McpCommand::Restart("a".into()))), "the command `mcp restart`");
    }
}
