//! When notices went out, as the log has it: what was sent before a restart, or by another process, counts as well.

use std::collections::HashMap;

use crate::domain::clock::Instant;
use crate::domain::event::EventBody;
use crate::domain::ids::Seq;
use crate::domain::notice::{ChannelKind, DeliveryStatus};
use crate::domain::query::EventFilter;
use crate::notify::rules::Limit;
use crate::store::{Error, EventLog};

/// Events that one read takes in.
const PAGE: usize = 500;

/// Events that are looked through at the start: more than all rates of an hour together.
const LOOKED_THROUGH_MAX: usize = 10_000;

/// What was sent within the window of a rate.
#[derive(Debug, Default)]
pub(super) struct SentLog {
    /// What was read of the log so far; nothing at first.
    after: Option<Seq>,
    times: HashMap<ChannelKind, Vec<Instant>>,
}

impl SentLog {
    /// Takes in what was sent since it was asked last.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(super) async fn refresh(&mut self, log: &EventLog, now: Instant) -> Result<(), Error> {
        let head = log.head().await?;
        let mut upto = head;
        let pages = if self.after == Some(head) { 0 } else { LOOKED_THROUGH_MAX / PAGE };
        for _ in 0..pages {
            let types = vec!["notification".to_owned()];
            let filter =
                EventFilter { types, after: self.after, upto: Some(upto), limit: Some(PAGE), newest: true, ..EventFilter::default() };
            let page = log.tasks().events(filter).await?;
            for event in &page {
                if let EventBody::Notification(notice) = &event.body
                    && notice.status == DeliveryStatus::Sent
                    && !notice.simulated
                {
                    self.times.entry(notice.channel).or_default().push(event.at);
                }
            }
            match page.first() {
                Some(first) if page.len() >= PAGE && now.since(first.at) <= Limit::WINDOW => {
                    upto = Seq(first.seq.unwrap_or_default().0.saturating_sub(1));
                }
                _ => break,
            }
        }
        self.after = Some(head);
        for times in self.times.values_mut() {
            times.retain(|at| now.since(*at) <= Limit::WINDOW);
        }
        Ok(())
    }

    /// When notices of each channel were sent.
    pub(super) fn times(&self) -> HashMap<ChannelKind, Vec<Instant>> {
        self.times.clone()
    }
}
