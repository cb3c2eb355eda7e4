//! Where events are handed over and spread: the recorder's contract, the bounded fan-out, the command inbox.
//!
//! [`Recorder`] is how every module says what happened; the store implements it over the durable log, and publishes on
//! the [`EventBus`] only what is on disk. The bus promises that nobody waits for a reader: a slow one loses events and
//! is told how many. Commands travel the other way through one bounded inbox.

mod inbox;
mod ring;
#[cfg(test)]
pub mod testing;

use std::sync::Arc;

use futures::future::BoxFuture;

pub use inbox::{CommandReceiver, CommandSender, InboxError, command_inbox};
pub use ring::{Bus, Delivery, EventBus, Subscription};

use crate::domain::event::{Event, NewEvent};

/// Why events could not be recorded. One sentence with the chain of causes.
#[derive(Debug, Clone, thiserror::Error)]
#[error("could not record what happened: {reason}")]
pub struct RecordError {
    /// The cause, fit for a screen.
    pub reason: String,
}

/// Takes what happened.
pub trait Recorder: Send + Sync {
    /// Appends `events` to the durable log, all or none, then publishes them on the bus; answers when both is done.
    /// The order of calls is the order in the log for a caller that awaits each.
    ///
    /// # Errors
    /// When the log cannot be written: nothing was published then.
    fn record(&self, events: Vec<NewEvent>) -> BoxFuture<'static, Result<Vec<Arc<Event>>, RecordError>>;

    /// Publishes an ephemeral event: shown to whoever looks, never stored. Does not wait.
    fn emit(&self, event: NewEvent);
}
