//! What models took in tokens: a fold of the turns in the log, by model. Pure.

use std::collections::{BTreeMap, HashMap};

use crate::domain::clock::Instant;
use crate::domain::event::{Event, EventBody, TurnEvent};
use crate::domain::ids::{SessionId, TurnId};
use crate::domain::query::{Spend, Spending};

/// Turns that have begun and not ended, as far as they are remembered: a crash may leave some.
const OPEN_MAX: usize = 10_000;

/// What the tokens of a turn count under where its start is not known.
const UNKNOWN: &str = "unknown";

/// The fold.
#[derive(Debug, Default)]
pub struct Tally {
    session: Option<SessionId>,
    today: Instant,
    /// Turns that run, and their models.
    open: HashMap<TurnId, String>,
    of_session: BTreeMap<String, Spend>,
    of_today: BTreeMap<String, Spend>,
    of_all: BTreeMap<String, Spend>,
}

impl Tally {
    /// Counts for `session`, for what ended from `today` on, and for everything.
    pub fn new(session: Option<SessionId>, today: Instant) -> Self {
        Self { session, today, ..Self::default() }
    }

    /// Folds the next event of the log; only those of turns count.
    pub fn apply(&mut self, event: &Event) {
        match &event.body {
            EventBody::TurnEvent(TurnEvent::Started { turn, model, .. }) if self.open.len() < OPEN_MAX => {
                self.open.insert(turn.clone(), model.clone());
            }
            EventBody::TurnEvent(TurnEvent::Finished { turn, usage, .. }) => {
                let model = self.open.remove(turn).unwrap_or_else(|| UNKNOWN.to_owned());
                let add = |sums: &mut BTreeMap<String, Spend>| {
                    let fresh =
                        || Spend { model: model.clone(), turns: 0, usage: crate::domain::message::Usage::default(), cost_micros: None };
                    let sum = sums.entry(model.clone()).or_insert_with(fresh);
                    sum.turns += 1;
                    sum.usage = sum.usage.plus(*usage);
                };
                add(&mut self.of_all);
                if event.at >= self.today {
                    add(&mut self.of_today);
                }
                if self.session.is_some() && event.session == self.session {
                    add(&mut self.of_session);
                }
            }
            _ => {}
        }
    }

    /// The sums; `price` tells what a model's tokens cost in millionths of a US dollar, where it is known.
    pub fn spending(self, price: impl Fn(&Spend) -> Option<u64>, priced: bool, cut: bool) -> Spending {
        let rows = |sums: BTreeMap<String, Spend>| -> Vec<Spend> {
            let mut rows: Vec<Spend> = sums.into_values().map(|spend| Spend { cost_micros: price(&spend), ..spend }).collect();
            rows.sort_by_key(|spend| std::cmp::Reverse(spend.usage.total()));
            rows
        };
        Spending { session: rows(self.of_session), today: rows(self.of_today), all: rows(self.of_all), tasks: Vec::new(), priced, cut }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::TurnEnd;
    use crate::domain::ids::{EventId, Seq};
    use crate::domain::message::Usage;

    fn turn(tally: &mut Tally, id: &str, session: &str, model: Option<&str>, at_ms: i64, tokens: u64) {
        let event = |body: TurnEvent| Event {
            seq: Some(Seq(1)),
            id: EventId::new("e"),
            at: Instant::from_millis(at_ms),
            session: Some(SessionId::new(session)),
            body: body.into(),
        };
        if let Some(model) = model {
            let started = TurnEvent::Started { turn: TurnId::new(id), parent: None, agent: None, model: model.to_owned() };
            tally.apply(&event(started));
        }
        tally.apply(&event(TurnEvent::Finished {
            turn: TurnId::new(id),
            parent: None,
            end: TurnEnd::Done,
            steps: 1,
            duration_ms: 1,
            usage: Usage { input_tokens: tokens, output_tokens: 1, cached_tokens: 0 },
            context_tokens: 0,
            message: None,
        }));
    }

    #[test]
    fn turns_count_by_model_for_the_session_the_day_and_all() {
        let mut tally = Tally::new(Some(SessionId::new("here")), Instant::from_millis(1_000));
        turn(&mut tally, "1", "here", Some("a/small"), 500, 10);
        turn(&mut tally, "2", "there", Some("b/large"), 1_500, 100);
        turn(&mut tally, "3", "here", Some("a/small"), 2_000, 20);
        turn(&mut tally, "4", "there", None, 2_500, 1);
        let spending = tally.spending(|spend| (spend.model == "b/large").then_some(7), true, false);
        let read = |rows: &[Spend]| -> Vec<_> {
            rows.iter().map(|row| (row.model.clone(), row.turns, row.usage.input_tokens, row.cost_micros)).collect()
        };
        assert_eq!(read(&spending.session), [("a/small".to_owned(), 2, 30, None)]);
        let (large, small) = (("b/large".to_owned(), 1, 100, Some(7)), ("a/small".to_owned(), 1, 20, None));
        assert_eq!(read(&spending.today), [large.clone(), small, ("unknown".to_owned(), 1, 1, None)]);
        assert_eq!(read(&spending.all), [large, ("a/small".to_owned(), 2, 30, None), ("unknown".to_owned(), 1, 1, None)]);
    }
}
