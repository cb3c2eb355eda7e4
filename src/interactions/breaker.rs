//! When a transport may be used: proven before its first use, rested after a failure, tried out before it is trusted again.
//!
//! Pure: times come in as the time since the reporter began, chance comes in as a number.

use std::time::Duration;

use crate::interactions::transport::Trouble;

/// Failures in a row after which nothing is sent before a probe has succeeded.
pub const FAILURES_MAX: u32 = 3;

/// The longest wait of our own: what is stored is tried again every 30 s.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

/// The longest wait that a coordinator may ask for.
pub const ASKED_MAX: Duration = Duration::from_mins(10);

/// How long a refused key, or a configuration that cannot work, rests: only a person can help.
pub const KEY_WAIT: Duration = Duration::from_mins(5);

/// What may be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Send.
    Go,
    /// Look first whether it answers and takes the key.
    Probe,
    /// Nothing before this time.
    Wait(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nothing is known of it: a probe comes before the first record.
    Unproven,
    Closed,
    /// A failure or two: it rests, then is simply used again.
    Resting(Duration),
    /// It rests, then is probed.
    Open(Duration),
    /// The probe succeeded: one batch decides.
    Trial,
}

/// One transport's breaker.
#[derive(Debug, Clone)]
pub struct Breaker {
    base: Duration,
    failures: u32,
    state: State,
}

impl Breaker {
    /// A breaker whose first wait is `base`; it doubles with each further failure in a row.
    pub fn new(base: Duration) -> Self {
        Self { base, failures: 0, state: State::Unproven }
    }

    /// What may be done at `now`.
    pub fn gate(&self, now: Duration) -> Gate {
        match self.state {
            State::Unproven => Gate::Probe,
            State::Closed | State::Trial => Gate::Go,
            State::Resting(until) | State::Open(until) if now < until => Gate::Wait(until),
            State::Resting(_) => Gate::Go,
            State::Open(_) => Gate::Probe,
        }
    }

    /// Whether the next batch decides: it is better small.
    pub fn is_trial(&self) -> bool {
        matches!(self.state, State::Trial)
    }

    /// It answers and takes the key. Whether it takes records is not known yet.
    pub fn proven(&mut self) {
        self.state = if self.failures == 0 { State::Closed } else { State::Trial };
    }

    /// It took records.
    pub fn succeeded(&mut self) {
        (self.failures, self.state) = (0, State::Closed);
    }

    /// A probe or a batch came to nothing. `random` lies in 0..1 and spreads our own waits between three and five quarters
    /// of their length. Answers when it may be used again.
    pub fn failed(&mut self, now: Duration, trouble: &Trouble, random: f64) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let doublings = self.failures.saturating_sub(1).min(16);
        let spread = 0.75 + random.clamp(0.0, 1.0) / 2.0;
        let own = self.base.saturating_mul(1 << doublings).min(WAIT_MAX).mul_f64(spread);
        let (wait, open) = match trouble {
            Trouble::Unreachable(_) | Trouble::Batch(_) => (own, self.failures >= FAILURES_MAX),
            // It is there and says when: no probe is needed.
            Trouble::Busy { after, .. } => (own.max(after.unwrap_or_default().min(ASKED_MAX)), false),
            Trouble::Key(_) | Trouble::Config(_) => (KEY_WAIT.mul_f64(spread), true),
        };
        let until = now + wait;
        // What was never proven, or failed its trial, is probed again.
        let probed = open || matches!(self.state, State::Unproven | State::Open(_) | State::Trial);
        self.state = if probed { State::Open(until) } else { State::Resting(until) };
        until
    }

    /// Somebody wants it tried at once.
    pub fn hurry(&mut self) {
        self.state = match self.state {
            State::Resting(_) => State::Closed,
            State::Open(_) => State::Unproven,
            state => state,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Duration {
        SECOND * u32::try_from(seconds).unwrap()
    }

    fn down() -> Trouble {
        Trouble::Unreachable("down".into())
    }

    /// What happens, and what the gate says right after it.
    enum Step {
        Proven,
        Sent,
        Fails(Trouble),
    }

    /// Runs steps a second apart with chance in the middle, and tells each gate.
    fn run(steps: Vec<(u64, Step)>) -> Vec<Gate> {
        let mut breaker = Breaker::new(SECOND);
        let mut gates = vec![breaker.gate(Duration::ZERO)];
        for (seconds, step) in steps {
            match step {
                Step::Proven => breaker.proven(),
                Step::Sent => breaker.succeeded(),
                Step::Fails(trouble) => {
                    breaker.failed(at(seconds), &trouble, 0.5);
                }
            }
            gates.push(breaker.gate(at(seconds)));
        }
        gates
    }

    #[test]
    fn it_goes_by_this_table() {
        use Gate::{Go, Probe, Wait};
        use Step::{Fails, Proven, Sent};
        let busy = |seconds| Trouble::Busy { after: Some(at(seconds)), message: String::new() };
        let key = || Trouble::Key("no".into());
        let rows: Vec<(&str, Vec<(u64, Step)>, Vec<Gate>)> = vec![
            ("proven before its first use", vec![(0, Proven), (1, Sent)], vec![Probe, Go, Go]),
            ("a probe that fails is a probe again", vec![(0, Fails(down())), (1, Proven)], vec![Probe, Wait(at(1)), Go]),
            (
                "waits double, and the third failure opens",
                vec![(0, Proven), (0, Fails(down())), (1, Fails(down())), (3, Fails(down())), (7, Proven), (7, Sent)],
                vec![Probe, Go, Wait(at(1)), Wait(at(3)), Wait(at(7)), Go, Go],
            ),
            ("what is busy says when", vec![(0, Proven), (0, Fails(busy(20))), (20, Sent)], vec![Probe, Go, Wait(at(20)), Go]),
            ("and is not believed for ever", vec![(0, Proven), (0, Fails(busy(86_400)))], vec![Probe, Go, Wait(ASKED_MAX)]),
            ("a refused key rests long", vec![(0, Fails(key())), (300, Proven)], vec![Probe, Wait(KEY_WAIT), Go]),
        ];
        for (name, steps, gates) in rows {
            assert_eq!(run(steps), gates, "{name}");
        }
    }

    #[test]
    fn a_failed_trial_opens_it_again_for_longer() {
        let mut breaker = Breaker::new(SECOND);
        (0..3).for_each(|_| {
            breaker.failed(Duration::ZERO, &down(), 0.5);
        });
        breaker.proven();
        assert!(breaker.is_trial() && breaker.gate(at(4)) == Gate::Go);
        assert_eq!(breaker.failed(at(4), &down(), 0.5), at(12));
        assert_eq!((breaker.gate(at(11)), breaker.gate(at(12))), (Gate::Wait(at(12)), Gate::Probe));
    }

    #[test]
    fn waits_are_spread_and_bounded() {
        let mut breaker = Breaker::new(SECOND);
        assert_eq!(breaker.failed(Duration::ZERO, &down(), 0.0), SECOND.mul_f64(0.75));
        assert_eq!(breaker.failed(Duration::ZERO, &down(), 1.0), SECOND.mul_f64(2.5));
        (0..40).for_each(|_| {
            breaker.failed(Duration::ZERO, &down(), 1.0);
        });
        assert_eq!(breaker.failed(Duration::ZERO, &down(), 1.0), WAIT_MAX.mul_f64(1.25));
    }

    #[test]
    fn who_hurries_does_not_wait() {
        let mut breaker = Breaker::new(SECOND);
        breaker.failed(Duration::ZERO, &Trouble::Key("no".into()), 0.5);
        breaker.hurry();
        assert_eq!(breaker.gate(Duration::ZERO), Gate::Probe);
        breaker.proven();
        breaker.failed(Duration::ZERO, &Trouble::Busy { after: None, message: String::new() }, 0.5);
        breaker.hurry();
        assert_eq!(breaker.gate(Duration::ZERO), Gate::Probe, "after a failed trial it is probed");
    }
}
