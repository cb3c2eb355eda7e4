//! A session that is shown again from the log: which events come when. Pure: the caller supplies the time.
//!
//! The recorded pace is kept, but nobody waits for longer than [`GAP_MAX`]: a longer gap is cut, and said to be.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::clock::Instant;
use crate::domain::event::Event;
use crate::domain::ids::SessionId;
use crate::tui::events_pane::EventsPane;

/// The longest wait before an event.
pub const GAP_MAX: Duration = Duration::from_secs(2);

/// Events that come at once at the most: keys are looked at in between.
const AT_ONCE_MAX: usize = 256;

/// How fast events come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pace {
    /// As they were recorded.
    #[default]
    Recorded,
    /// Ten times as fast.
    Tenfold,
    /// By key only.
    Step,
}

impl Pace {
    /// As it is typed and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "1x",
            Self::Tenfold => "10x",
            Self::Step => "step",
        }
    }

    /// The next one, round about.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Recorded => Self::Tenfold,
            Self::Tenfold => Self::Step,
            Self::Step => Self::Recorded,
        }
    }

    /// The pace of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Recorded, Self::Tenfold, Self::Step].into_iter().find(|pace| pace.as_str() == text)
    }
}

/// A replay.
#[derive(Debug)]
pub struct Replay {
    /// The session.
    pub session: SessionId,
    /// The events of what happens meanwhile.
    pub live: EventsPane,
    /// The tab that it was begun from.
    pub origin: usize,
    events: Vec<Arc<Event>>,
    /// Events that were shown.
    at: usize,
    pace: Pace,
    paused: bool,
    /// When the next event comes.
    due: Option<Instant>,
}

impl Replay {
    /// A replay of `events` in ascending order, of which none was shown.
    pub fn new(session: SessionId, events: Vec<Arc<Event>>, pace: Pace, live: EventsPane, origin: usize) -> Self {
        Self { session, live, origin, events, at: 0, pace, paused: false, due: None }
    }

    /// Events that were shown, and all.
    pub fn position(&self) -> (usize, usize) {
        (self.at, self.events.len())
    }

    /// How fast it goes.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// Whether nothing comes by itself.
    pub fn is_paused(&self) -> bool {
        self.paused || self.pace == Pace::Step
    }

    /// Whether all was shown.
    pub fn is_over(&self) -> bool {
        self.at >= self.events.len()
    }

    /// When the event that was shown last happened.
    pub fn moment(&self) -> Option<Instant> {
        let last = self.at.checked_sub(1)?;
        self.events.get(last).map(|event| event.at)
    }

    /// How long nothing happened before the next event.
    fn gap(&self) -> Duration {
        match (self.moment(), self.events.get(self.at)) {
            (Some(before), Some(next)) => next.at.since(before),
            _ => Duration::ZERO,
        }
    }

    /// The wait before the next event at this pace.
    fn wait(&self) -> Duration {
        let gap = if self.pace == Pace::Tenfold { self.gap() / 10 } else { self.gap() };
        gap.min(GAP_MAX)
    }

    /// The gap before the next event, where it is cut.
    pub fn cut_gap(&self) -> Option<Duration> {
        let gap = if self.pace == Pace::Tenfold { self.gap() / 10 } else { self.gap() };
        (!self.is_paused() && gap > GAP_MAX).then(|| self.gap())
    }

    /// When the next event comes by itself.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Sets when the next event comes, counted from `now`.
    pub fn arm(&mut self, now: Instant) {
        self.due = (!self.is_paused() && !self.is_over()).then(|| now.plus(self.wait()));
    }

    /// Pauses, or goes on from `now`; from the end it begins anew, which the caller does.
    pub fn toggle_pause(&mut self, now: Instant) {
        if self.pace == Pace::Step {
            self.pace = Pace::Recorded;
            self.paused = false;
        } else {
            self.paused = !self.paused;
        }
        self.arm(now);
    }

    /// Another pace.
    pub fn set_pace(&mut self, pace: Pace, now: Instant) {
        self.pace = pace;
        self.paused = false;
        self.arm(now);
    }

    /// The next event, out of turn: what comes by itself waits.
    pub fn step(&mut self) -> Option<Arc<Event>> {
        self.paused = true;
        self.due = None;
        let event = self.events.get(self.at).cloned()?;
        self.at += 1;
        Some(event)
    }

    /// The events that are due at `now`.
    pub fn take_due(&mut self, now: Instant) -> Vec<Arc<Event>> {
        let mut out = Vec::new();
        while let Some(due) = self.due.filter(|due| *due <= now && out.len() < AT_ONCE_MAX) {
            let Some(event) = self.events.get(self.at) else { break };
            out.push(Arc::clone(event));
            self.at += 1;
            // From when it was due, not from now: a late look does not slow the replay down.
            self.arm(due);
        }
        out
    }

    /// The events up to `position`, which are to be shown anew; it waits there.
    pub fn rewind(&mut self, position: usize) -> Vec<Arc<Event>> {
        self.at = position.min(self.events.len());
        self.paused = true;
        self.due = None;
        self.events.iter().take(self.at).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{Chat, ChatStatus};
    use crate::domain::ids::{EventId, Seq};
    use crate::domain::message::Role;

    fn replay(times_ms: &[i64], pace: Pace) -> Replay {
        let event = |(seq, ms): (u64, &i64)| {
            let body = Chat::new(Role::User, ChatStatus::Done).with_text("x").into();
            Arc::new(Event { seq: Some(Seq(seq)), id: EventId::new("e"), at: Instant::from_millis(*ms), session: None, body })
        };
        let events = (1..).zip(times_ms).map(event).collect();
        Replay::new(SessionId::new("s"), events, pace, EventsPane::new(10), 0)
    }

    fn at(ms: i64) -> Instant {
        Instant::from_millis(ms)
    }

    /// How many events come by the given times, from 0.
    fn check(replay: &mut Replay, steps: &[(i64, usize)]) {
        for (ms, count) in steps {
            assert_eq!(replay.take_due(at(*ms)).len(), *count, "at {ms}");
        }
    }

    #[test]
    fn events_come_as_they_were_recorded_and_long_gaps_are_cut() {
        let mut replay = replay(&[0, 500, 1_500, 3_601_500], Pace::Recorded);
        replay.arm(at(0));
        check(&mut replay, &[(0, 1), (499, 0), (500, 1), (1_499, 0), (1_500, 1)]);
        assert_eq!(replay.cut_gap(), Some(Duration::from_hours(1)));
        check(&mut replay, &[(3_499, 0), (3_500, 1)]);
        assert!(replay.is_over() && replay.due().is_none());
    }

    #[test]
    fn ten_times_as_fast_is_a_tenth_of_the_wait() {
        let mut replay = replay(&[0, 1_000, 21_000], Pace::Tenfold);
        replay.arm(at(0));
        check(&mut replay, &[(0, 1), (99, 0), (100, 1)]);
        assert_eq!(replay.cut_gap(), None);
        check(&mut replay, &[(2_099, 0), (2_100, 1)]);
    }

    #[test]
    fn a_late_look_does_not_slow_it_down_and_takes_a_bounded_number() {
        let mut replay = replay(&[0; 1_000], Pace::Recorded);
        replay.arm(at(0));
        check(&mut replay, &[(10, AT_ONCE_MAX), (10, AT_ONCE_MAX)]);
    }

    #[test]
    fn it_waits_while_it_is_paused_and_steps_by_key() {
        let mut replay = replay(&[0, 10, 20], Pace::Step);
        replay.arm(at(0));
        check(&mut replay, &[(100, 0)]);
        assert!(replay.step().is_some());
        replay.toggle_pause(at(100));
        check(&mut replay, &[(109, 0), (110, 1)]);
        replay.toggle_pause(at(110));
        check(&mut replay, &[(500, 0)]);
        assert_eq!(replay.rewind(1).len(), 1);
        assert_eq!(replay.position(), (1, 3));
    }
}
