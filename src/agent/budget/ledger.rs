//! What models took, today and by session: a fold of the log. Pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::domain::clock::Instant;
use crate::domain::event::{Event, EventBody, TurnEvent};
use crate::domain::ids::{Seq, SessionId, TurnId};
use crate::domain::message::Usage;
use crate::domain::price::Price;
use crate::domain::task::TaskFact;

/// Turns that run, and sessions that are known, as far as they are remembered.
const KNOWN_MAX: usize = 10_000;

/// The types of events that count.
pub(super) fn types() -> Vec<String> {
    vec!["turn_event".to_owned(), "task_event".to_owned()]
}

/// Tokens, and what they cost as far as their models have a price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum {
    pub(super) tokens: u64,
    pub(super) micros: u64,
}

impl Sum {
    pub(super) fn add(&mut self, model: &str, usage: Usage, prices: &BTreeMap<String, Price>) {
        *self = self.plus(Self { tokens: usage.total(), micros: prices.get(model).map_or(0, |price| price.of(usage)) });
    }

    pub(super) fn plus(self, more: Self) -> Self {
        Self { tokens: self.tokens.saturating_add(more.tokens), micros: self.micros.saturating_add(more.micros) }
    }
}

/// The fold.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The past was read.
    pub(super) is_read: bool,
    /// The last event that counted.
    pub(super) last: Option<Seq>,
    day: Instant,
    today: Sum,
    sessions: HashMap<SessionId, Sum>,
    /// Models of turns that run.
    open: HashMap<TurnId, String>,
}

impl Ledger {
    /// Counts for the day that began then; says whether that is another one.
    pub(super) fn begin_day(&mut self, day: Instant) -> bool {
        let another = self.day != day;
        if another {
            (self.day, self.today) = (day, Sum::default());
        }
        another
    }

    pub(super) fn today(&self) -> Sum {
        self.today
    }

    pub(super) fn of(&self, session: &SessionId) -> Sum {
        self.sessions.get(session).copied().unwrap_or_default()
    }

    pub(super) fn knows(&self, session: &SessionId) -> bool {
        self.sessions.contains_key(session)
    }

    /// Takes in the next event of the log.
    pub(super) fn apply(&mut self, event: &Event, prices: &BTreeMap<String, Price>) {
        self.last = event.seq.or(self.last);
        let Some(sum) = taken(event, &mut self.open, prices) else { return };
        if event.at >= self.day {
            self.today = self.today.plus(sum);
        }
        if let Some(known) = event.session.as_ref().and_then(|session| self.sessions.get_mut(session)) {
            *known = known.plus(sum);
        }
    }

    /// Takes in all of a session up to the last event that counted.
    pub(super) fn learn(&mut self, session: &SessionId, events: &[Arc<Event>], prices: &BTreeMap<String, Price>) {
        if self.sessions.len() >= KNOWN_MAX {
            self.sessions.clear();
        }
        let mut open = HashMap::new();
        let sums = events.iter().filter_map(|event| taken(event, &mut open, prices));
        let sum = sums.fold(Sum::default(), Sum::plus);
        self.sessions.insert(session.clone(), sum);
    }
}

fn taken(event: &Event, open: &mut HashMap<TurnId, String>, prices: &BTreeMap<String, Price>) -> Option<Sum> {
    let mut sum = Sum::default();
    match &event.body {
        EventBody::TurnEvent(TurnEvent::Started { turn, model, .. }) => {
            if open.len() < KNOWN_MAX {
                open.insert(turn.clone(), model.clone());
            }
            return None;
        }
        EventBody::TurnEvent(TurnEvent::Finished { turn, usage, .. }) => {
            sum.add(&open.remove(turn).unwrap_or_default(), *usage, prices);
        }
        // A prompt of a schedule is a turn and counted as such.
        EventBody::TaskEvent(task) => {
            let TaskFact::FiringJudged(judgement) = &task.fact else { return None };
            sum = Sum { tokens: judgement.tokens, micros: judgement.cost_micros };
        }
        _ => return None,
    }
    Some(sum)
}
