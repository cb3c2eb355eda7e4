//! Lists of a server that are remembered: as long as the server lets us (2026-07-28, `ttlMs`), or until it says that they
//! changed. What was lent to one connection (and so to one login) is never shown to another.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::mcp::error::Error;
use crate::mcp::link::Link;
use crate::mcp::pages::{self, List};

/// The longest that a list is taken for granted, whatever the server says.
const TTL_MAX: Duration = Duration::from_hours(1);

/// Remembers lists.
#[derive(Debug, Default)]
pub(super) struct Lent(Mutex<HashMap<&'static str, Remembered>>);

#[derive(Debug)]
struct Remembered {
    /// The connection it came over.
    link: u64,
    /// The state of the server's lists then.
    revision: u64,
    /// Absent where the server says when it changes.
    until: Option<Instant>,
    values: Arc<Vec<Value>>,
}

impl Lent {
    /// The list, asked for unless what is remembered still counts.
    pub(super) async fn list(&self, link: &Link, list: List, entries_max: usize, limit: Duration) -> Result<Arc<Vec<Value>>, Error> {
        let revision = link.shared.revision();
        if let Some(known) = self.known(link.id, revision, list, Instant::now()) {
            return Ok(known);
        }
        let entries = pages::all(link, list, entries_max, limit).await?;
        let values = Arc::new(entries.values);
        let tells = link.tells_of(list);
        let until = match entries.ttl {
            Some(ttl) => Some(Instant::now() + ttl.min(TTL_MAX)),
            None if tells => None,
            None => return Ok(values),
        };
        let remembered = Remembered { link: link.id, revision, until, values: Arc::clone(&values) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(list.key(), remembered);
        Ok(values)
    }

    fn known(&self, link: u64, revision: u64, list: List, now: Instant) -> Option<Arc<Vec<Value>>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known.get(list.key())?;
        let counts = entry.link == link && entry.revision == revision && entry.until.is_none_or(|until| now < until);
        counts.then(|| Arc::clone(&entry.values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_remembered_counts_for_one_connection_until_it_changes_or_is_old() {
        let lent = Lent::default();
        let now = Instant::now();
        let until = Some(now + Duration::from_secs(1));
        let remembered = Remembered { link: 1, revision: 5, until, values: Arc::default() };
        lent.0.lock().unwrap().insert(List::Prompts.key(), remembered);
        assert!(lent.known(1, 5, List::Prompts, now).is_some());
        assert!(lent.known(2, 5, List::Prompts, now).is_none(), "another connection");
        assert!(lent.known(1, 6, List::Prompts, now).is_none(), "it changed");
        assert!(lent.known(1, 5, List::Prompts, now + Duration::from_secs(2)).is_none(), "it is old");
        assert!(lent.known(1, 5, List::Resources, now).is_none());
    }
}
