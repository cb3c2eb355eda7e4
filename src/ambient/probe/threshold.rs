//! `threshold_watch`: reads a number and decides whether it passed its threshold. The decision is pure.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ambient::finding::{Fault, Finding, Fire, Keep, Look, News};
use crate::ambient::probe::{Probes, data_of, source, store};
use crate::domain::clock::Instant;
use crate::domain::query::Sample;
use crate::domain::task::{Direction, ThresholdWatch};
use crate::store::tasks::Blob;

/// Readings that are kept for the sparkline and for changes over time.
pub(super) const SAMPLES_MAX: usize = 500;

/// What is remembered from reading to reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// Whether it may fire: the value has been on the near side since it last did.
    pub(super) armed: bool,
    /// The side of the threshold, for `cross`; none before the first reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) high: Option<bool>,
    /// Whether each of the last readings lay beyond, oldest first.
    #[serde(default)]
    pub(super) hits: VecDeque<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fired_at: Option<Instant>,
    /// The last good reading; the first look, where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) good_at: Option<Instant>,
    /// Whether the present silence was told.
    #[serde(default)]
    pub(super) stale_told: bool,
}

impl Default for State {
    fn default() -> Self {
        Self { armed: true, high: None, hits: VecDeque::new(), fired_at: None, good_at: None, stale_told: false }
    }
}

pub(super) async fn look(probes: &Probes, look: &Look, config: &ThresholdWatch) -> Result<Finding, Fault> {
    let mut state: State = serde_json::from_value(look.state.clone()).unwrap_or_default();
    let value = match source::number(probes, config, look.spec.agreed.as_ref()).await {
        Ok(value) => value,
        Err(fault) => return silence(look, config, state, fault),
    };
    let past = match config.change_over_minutes {
        Some(_) => samples(probes, look).await?,
        None => Vec::new(),
    };
    let fired = decide(config, &mut state, value, look.now, &past);
    let keep = sample(look, value);
    let state = serde_json::to_value(&state).unwrap_or(Value::Null);
    let Some(fired) = fired else {
        let gate = if config.confirm.is_some() { "numbers" } else { "armed" };
        return Ok(Finding { keep: vec![keep], ..Finding::quiet(state, gate, number(value)) });
    };
    let mut data = data_of(&look.spec);
    data.insert("metric".to_owned(), config.metric.clone().into());
    data.insert("value".to_owned(), json!(value));
    data.insert("threshold".to_owned(), json!(config.threshold));
    data.insert("direction".to_owned(), fired.direction.into());
    if let Some(change) = fired.change_percent {
        data.insert("change_percent".to_owned(), json!(change));
    }
    let fire = Fire { part: "threshold".to_owned(), data };
    let note = format!("{} ({} {})", number(value), fired.direction, number(config.threshold));
    Ok(Finding { state, keep: vec![keep], news: News::Fired(vec![fire]), note, trouble: None })
}

/// A reading that fires.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fired {
    pub(super) direction: &'static str,
    pub(super) change_percent: Option<f64>,
}

/// Takes in a reading; whether it fires.
pub(super) fn decide(config: &ThresholdWatch, state: &mut State, value: f64, now: Instant, past: &[Sample]) -> Option<Fired> {
    (state.good_at, state.stale_told) = (Some(now), false);
    let change = config.change_over_minutes.and_then(|window| change(value, now, window.duration(), past));
    let measured = match (config.change_over_minutes, change) {
        (Some(_), None) => return None,
        (Some(_), Some(change)) => change,
        (None, _) => value,
    };
    let (beyond, back, direction) = sides(config, state, measured);
    let wanted = config.confirm;
    state.hits.push_back(beyond);
    while state.hits.len() > wanted.map_or(1, |bounds| usize::try_from(bounds.of).unwrap_or(1).max(1)) {
        state.hits.pop_front();
    }
    if back {
        state.armed = true;
    }
    let hits = state.hits.iter().filter(|hit| **hit).count();
    let enough = hits >= wanted.map_or(1, |bounds| usize::try_from(bounds.hits).unwrap_or(1).max(1));
    let resting = config.cooldown_minutes.is_some_and(|rest| state.fired_at.is_some_and(|at| now.since(at) < rest.duration()));
    if !(enough && beyond && state.armed) || resting {
        return None;
    }
    (state.armed, state.fired_at) = (false, Some(now));
    Some(Fired { direction, change_percent: change })
}

/// Whether the value lies beyond, whether it is far enough back to fire again, and the word for it.
fn sides(config: &ThresholdWatch, state: &mut State, value: f64) -> (bool, bool, &'static str) {
    let (threshold, margin) = (config.threshold, config.hysteresis.abs());
    if config.change_over_minutes.is_some() {
        let size = threshold.abs();
        return match config.direction {
            Direction::Above => (value >= size, value < size - margin, "above"),
            Direction::Below => (value <= -size, value > margin - size, "below"),
            Direction::Cross => (value.abs() >= size, value.abs() < size - margin, if value < 0.0 { "below" } else { "above" }),
        };
    }
    match config.direction {
        Direction::Above => (value >= threshold, value < threshold - margin || margin == 0.0 && value < threshold, "above"),
        Direction::Below => (value <= threshold, value > threshold + margin || margin == 0.0 && value > threshold, "below"),
        Direction::Cross => {
            let high = if value >= threshold + margin {
                Some(true)
            } else if value <= threshold - margin {
                Some(false)
            } else {
                state.high
            };
            // Each crossing is news of its own; the first reading only says where the value stands.
            let crossed = state.high.is_some() && high != state.high;
            state.high = high;
            (crossed, true, if high == Some(false) { "below" } else { "above" })
        }
    }
}

/// The change in percent against the latest reading that is at least `window` old; none while there is none.
fn change(value: f64, now: Instant, window: std::time::Duration, past: &[Sample]) -> Option<f64> {
    let old = past.iter().filter(|sample| now.since(sample.at) >= window).max_by_key(|sample| sample.at)?;
    (old.value != 0.0).then(|| (value - old.value) / old.value.abs() * 100.0)
}

/// No reading: a fault, and once an alarm when the silence has lasted long enough.
fn silence(look: &Look, config: &ThresholdWatch, mut state: State, fault: Fault) -> Result<Finding, Fault> {
    let since = *state.good_at.get_or_insert(look.spec.created_at);
    let Some(limit) = config.stale_minutes else { return Err(fault) };
    if state.stale_told || look.now.since(since) < limit.duration() {
        return Err(fault);
    }
    state.stale_told = true;
    let mut data = data_of(&look.spec);
    data.insert("metric".to_owned(), config.metric.clone().into());
    data.insert("value".to_owned(), Value::Null);
    data.insert("threshold".to_owned(), json!(config.threshold));
    data.insert("direction".to_owned(), "stale".into());
    data.insert("stale_since".to_owned(), json!(since));
    let fire = Fire { part: "stale".to_owned(), data };
    let state = serde_json::to_value(&state).unwrap_or(Value::Null);
    let note = format!("no reading since {since}");
    Ok(Finding { state, keep: Vec::new(), news: News::Fired(vec![fire]), note, trouble: Some(fault.message) })
}

fn sample(look: &Look, value: f64) -> Keep {
    let blob = Blob {
        task_id: look.spec.task_id.clone(),
        kind: store::SAMPLE.to_owned(),
        key: String::new(),
        at: look.now,
        bytes: value.to_le_bytes().to_vec(),
    };
    Keep { blob, keep: SAMPLES_MAX, by_key: false }
}

async fn samples(probes: &Probes, look: &Look) -> Result<Vec<Sample>, Fault> {
    let blobs = probes.kept(&look.spec.task_id, store::SAMPLE, None, SAMPLES_MAX).await?;
    Ok(blobs.iter().filter_map(read_sample).collect())
}

/// A reading as it was kept.
pub(super) fn read_sample(blob: &Blob) -> Option<Sample> {
    let bytes: [u8; 8] = blob.bytes.as_slice().try_into().ok()?;
    Some(Sample { at: blob.at, value: f64::from_le_bytes(bytes) })
}

/// A number for people: thousands apart, no more than six digits behind the point.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    match fraction {
        Some(fraction) => format!("{sign}{out}.{fraction}"),
        None => format!("{sign}{out}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: Value) -> ThresholdWatch {
        serde_json::from_value(json).unwrap()
    }

    fn run(config: &ThresholdWatch, values: &[f64]) -> Vec<usize> {
        let mut state = State::default();
        let mut past = Vec::new();
        let mut fired = Vec::new();
        for (at, value) in values.iter().enumerate() {
            let now = Instant::from_millis(i64::try_from(at).unwrap() * 60_000);
            if decide(config, &mut state, *value, now, &past).is_some() {
                fired.push(at);
            }
            past.push(Sample { at: now, value: *value });
        }
        fired
    }

    #[test]
    fn it_fires_once_until_the_value_was_back() {
        let check =
            |json: Value, values: &[f64], expected: &[usize]| assert_eq!(run(&config(json.clone()), values), expected, "{json} {values:?}");
        let above = json!({"metric": "m", "threshold": 10});
        check(above.clone(), &[9.0, 10.0, 11.0, 12.0, 9.0, 11.0], &[1, 5]);
        check(above, &[11.0, 12.0], &[0]);
        check(json!({"metric": "m", "threshold": 10, "direction": "below"}), &[11.0, 10.0, 9.0, 11.0, 9.0], &[1, 4]);
        check(json!({"metric": "m", "threshold": 10, "direction": "cross"}), &[9.0, 11.0, 12.0, 9.0, 11.0], &[1, 3, 4]);
        check(json!({"metric": "m", "threshold": 10, "hysteresis": 2}), &[11.0, 9.0, 11.0, 7.9, 11.0], &[0, 4]);
        check(json!({"metric": "m", "threshold": 10, "direction": "cross", "hysteresis": 1}), &[9.0, 10.5, 11.0, 9.5, 9.0], &[2, 4]);
        check(json!({"metric": "m", "threshold": 10, "confirm": {"hits": 2, "of": 3}}), &[11.0, 9.0, 11.0, 9.0, 9.0], &[2]);
        check(json!({"metric": "m", "threshold": 10, "cooldown_minutes": 3}), &[11.0, 9.0, 11.0, 11.0, 11.0], &[0, 3]);
        check(json!({"metric": "m", "threshold": 10, "change_over_minutes": 2}), &[100.0, 100.0, 105.0, 112.0, 112.0], &[3]);
        check(json!({"metric": "m", "threshold": 10, "direction": "below", "change_over_minutes": 1}), &[100.0, 95.0, 80.0], &[2]);
    }

    #[test]
    fn numbers_are_shown_for_people() {
        let check = |value: f64, text: &str| assert_eq!(number(value), text);
        check(67_210.5, "67,210.5");
        check(-1_234_567.0, "-1,234,567");
        check(0.25, "0.25");
        check(100.0, "100");
    }
}
