//! The bounded inbox of commands: full means an error for the sender, never a wait in a draw loop.

use tokio::sync::mpsc;

use crate::domain::command::Command;

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InboxError {
    /// Too many commands wait.
    #[error("too much at once: the program is busy, try again in a moment")]
    Full,
    /// The engine has stopped.
    #[error("the program is shutting down")]
    Closed,
}

/// Sends commands; cheap to clone.
#[derive(Debug, Clone)]
pub struct CommandSender(mpsc::Sender<Command>);

/// The engine's end of the inbox.
pub type CommandReceiver = mpsc::Receiver<Command>;

/// An inbox that holds at most `capacity` commands.
pub fn command_inbox(capacity: usize) -> (CommandSender, CommandReceiver) {
    let (sender, receiver) = mpsc::channel(capacity);
    (CommandSender(sender), receiver)
}

impl CommandSender {
    /// Hands over a command without waiting.
    ///
    /// # Errors
    /// When the inbox is full or the engine has stopped.
    pub fn send(&self, command: Command) -> Result<(), InboxError> {
        self.0.try_send(command).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => InboxError::Full,
            mpsc::error::TrySendError::Closed(_) => InboxError::Closed,
        })
    }
}
