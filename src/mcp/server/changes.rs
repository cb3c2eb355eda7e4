//! What a service tells of itself while it is served: lists that changed, resources that were updated.

use std::collections::BTreeSet;

use tokio::sync::broadcast;

/// Changes that a listener may be behind; one that is further behind is told that everything changed.
const CHANGES_MAX: usize = 256;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// The list of tools.
    Tools,
    /// The list of prompts.
    Prompts,
    /// The list of resources.
    Resources,
    /// What one resource holds.
    Updated(String),
}

/// Tells all connections of a service what changed. Clones tell the same connections.
#[derive(Debug, Clone)]
pub struct Changes(broadcast::Sender<Change>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::Sender::new(CHANGES_MAX))
    }
}

impl Changes {
    /// The list of tools is another one.
    pub fn tools(&self) {
        self.tell(Change::Tools);
    }

    /// The list of prompts is another one.
    pub fn prompts(&self) {
        self.tell(Change::Prompts);
    }

    /// The list of resources is another one.
    pub fn resources(&self) {
        self.tell(Change::Resources);
    }

    /// That resource holds something else. Told to those who subscribed to it.
    pub fn updated(&self, uri: impl Into<String>) {
        self.tell(Change::Updated(uri.into()));
    }

    fn tell(&self, change: Change) {
        // Nobody listens: nobody needs to know.
        let _ = self.0.send(change);
    }

    pub(super) fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

/// What a connection hears.
#[derive(Debug)]
pub(super) struct Listener(broadcast::Receiver<Change>);

/// What changed since the last time.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum News {
    /// These, each once.
    Some(BTreeSet<Change>),
    /// More than could be kept: everything may have changed.
    All,
    /// The service is gone.
    Over,
}

impl Listener {
    /// Waits for a change and takes all there are: a storm of them is one piece of news.
    pub(super) async fn next(&mut self) -> News {
        use broadcast::error::{RecvError, TryRecvError};
        let mut news = match self.0.recv().await {
            Ok(change) => BTreeSet::from([change]),
            Err(RecvError::Lagged(_)) => return self.all(),
            Err(RecvError::Closed) => return News::Over,
        };
        loop {
            match self.0.try_recv() {
                Ok(change) => {
                    news.insert(change);
                }
                Err(TryRecvError::Lagged(_)) => return self.all(),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return News::Some(news),
            }
        }
    }

    fn all(&mut self) -> News {
        while self.0.try_recv().is_ok() {}
        News::All
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_storm_is_one_piece_of_news_and_what_was_missed_is_everything() {
        let changes = Changes::default();
        let mut listener = changes.listen();
        for _ in 0..100 {
            changes.tools();
            changes.updated("a://b");
        }
        assert_eq!(listener.next().await, News::Some(BTreeSet::from([Change::Tools, Change::Updated("a://b".to_owned())])));
        for number in 0..1_000 {
            changes.updated(format!("a://{number}"));
        }
        assert_eq!(listener.next().await, News::All);
        changes.prompts();
        assert_eq!(listener.next().await, News::Some(BTreeSet::from([Change::Prompts])));
        drop(changes);
        assert_eq!(listener.next().await, News::Over);
    }
}
