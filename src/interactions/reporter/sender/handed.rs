//! What was handed over and is not confirmed yet: asked after at its transport, in the order in which it was handed over.

use std::time::Duration;

use tokio::time::Instant;

use crate::interactions::reporter::sender::Sender;
use crate::interactions::transport::Settled;
use crate::store::spool::{Error, Outcome};

/// Handles that are asked after in one go.
const PAGE: usize = 500;

/// Pages that are asked after before records are sent again.
const PAGES_MAX: usize = 20;

/// How soon it is asked again after something was confirmed; the time doubles while nothing is.
const SOON: Duration = Duration::from_millis(100);

/// The longest time between two questions.
const LATE: Duration = Duration::from_secs(5);

/// How long a transport that does not answer keeps what was handed to it: then it is sent again. A coordinator that
/// has it after all knows it by its id.
const KEEPS: Duration = Duration::from_mins(10);

/// When to ask next.
#[derive(Debug, Clone, Copy)]
pub(super) struct Handing {
    at: Option<Instant>,
    wait: Duration,
}

impl Default for Handing {
    fn default() -> Self {
        Self { at: None, wait: SOON }
    }
}

impl Handing {
    /// More was handed over: it is asked soon.
    pub(super) fn more(&mut self) {
        let soon = Instant::now() + SOON;
        (self.at, self.wait) = (Some(self.at.map_or(soon, |at| at.min(soon))), SOON);
    }

    fn asked(&mut self, moved: bool) {
        self.wait = if moved { SOON } else { (self.wait * 2).min(LATE) };
        self.at = Some(Instant::now() + self.wait);
    }
}

impl Sender {
    /// Asks after what was handed over, where it is time; answers when it is time again.
    pub(super) async fn settle_handed(&mut self) -> Result<Option<Instant>, Error> {
        let mut next: Option<Instant> = None;
        for at in 0..self.ways.len() {
            if self.ways[at].handing.at.is_none_or(|due| due <= Instant::now()) {
                let moved = self.settle_way(at).await?;
                self.ways[at].handing.asked(moved);
            }
            next = match (next, self.ways[at].handing.at) {
                (Some(next), Some(due)) => Some(next.min(due)),
                (next, due) => next.or(due),
            };
        }
        Ok(next)
    }

    /// Whether anything moved.
    async fn settle_way(&mut self, at: usize) -> Result<bool, Error> {
        let (mut after, mut moved) = (0, false);
        let name = self.ways[at].transport.name();
        for _ in 0..PAGES_MAX {
            let page = self.spool.handed(name, after, PAGE).await?;
            let Some(last) = page.last().map(|row| row.number) else { return Ok(moved) };
            let handles: Vec<String> = page.iter().map(|row| row.handle.clone()).collect();
            let settled = match self.ways[at].transport.settled(&handles).await {
                Ok(settled) => settled,
                Err(trouble) => {
                    tracing::debug!(%trouble, name, "could not ask after what was handed over");
                    let before = self.shared.clock.now().as_millis() - i64::try_from(KEEPS.as_millis()).unwrap_or(0);
                    let before = crate::domain::clock::Instant::from_millis(before);
                    if self.spool.take_back(Some(name), Vec::new(), before).await? > 0 {
                        self.cursor = 0;
                    }
                    return Ok(moved);
                }
            };
            let mut outcomes = Vec::new();
            for (row, settled) in page.iter().zip(&settled) {
                match settled {
                    Settled::Stored => outcomes.push((row.number, Outcome::Stored)),
                    Settled::Lost => outcomes.push((row.number, Outcome::Lost)),
                    Settled::Waiting => {}
                }
            }
            let quiet = outcomes.is_empty();
            moved |= !quiet;
            // What is sent again, and what waited behind what was handed over, stands before the cursor.
            let lost = outcomes.iter().find(|(_, outcome)| *outcome == Outcome::Lost).map(|(number, _)| *number);
            let freed = if quiet { None } else { self.blocked.take() };
            if let Some(first) = super::earlier(lost, freed) {
                self.cursor = self.cursor.min(first - 1);
            }
            self.settle(at, outcomes).await?;
            if quiet || page.len() < PAGE {
                return Ok(moved);
            }
            after = last;
        }
        Ok(moved)
    }
}
