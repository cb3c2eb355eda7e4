//! Statistics out of a walk over records: counts, and times in buckets, so that memory does not grow with the records.

use std::collections::{BTreeMap, HashMap};

use crate::domain::interaction::Action;
use crate::domain::reports::{Figures, GROUPS_MAX, Group, Statistics, Window};

/// Groups of one kind that are told apart; further ones count in the totals only.
const TOLD_APART_MAX: usize = 10_000;

/// How far a bucket reaches: percentiles are exact to about 1 %.
const RATIO: f64 = 1.01;

/// What one record adds.
pub(super) struct Sample<'a> {
    pub(super) mcp_id: &'a str,
    pub(super) adapter: Option<&'a str>,
    pub(super) action: Action,
    pub(super) is_failure: bool,
    /// In seconds.
    pub(super) time: Option<f64>,
}

/// The sums so far.
#[derive(Debug, Default)]
pub(super) struct Sums {
    total: Sum,
    by_mcp: HashMap<String, Sum>,
    by_adapter: HashMap<String, Sum>,
}

#[derive(Debug, Default)]
struct Sum {
    records: u64,
    started: u64,
    completed: u64,
    failed: u64,
    timed: u64,
    buckets: BTreeMap<i32, u64>,
}

impl Sums {
    pub(super) fn add(&mut self, sample: &Sample<'_>) {
        self.total.add(sample);
        add_to(&mut self.by_mcp, sample.mcp_id, sample);
        if let Some(adapter) = sample.adapter {
            add_to(&mut self.by_adapter, adapter, sample);
        }
    }

    pub(super) fn finish(self, window: &Window) -> Statistics {
        let seconds = window.until.since(window.since).as_secs_f64();
        Statistics {
            since: window.since,
            until: window.until,
            total: self.total.figures(seconds),
            by_mcp: groups(self.by_mcp, seconds),
            by_adapter: groups(self.by_adapter, seconds),
        }
    }
}

fn add_to(sums: &mut HashMap<String, Sum>, name: &str, sample: &Sample<'_>) {
    if let Some(sum) = sums.get_mut(name) {
        sum.add(sample);
    } else if sums.len() < TOLD_APART_MAX {
        sums.entry(name.to_owned()).or_default().add(sample);
    }
}

fn groups(sums: HashMap<String, Sum>, seconds: f64) -> Vec<Group> {
    let groups = sums.into_iter().map(|(name, sum)| Group { name, figures: sum.figures(seconds) }).collect();
    sorted(groups)
}

/// The most records first; as many as are listed.
pub(super) fn sorted(mut groups: Vec<Group>) -> Vec<Group> {
    groups.sort_by(|a, b| b.figures.records.cmp(&a.figures.records).then_with(|| a.name.cmp(&b.name)));
    groups.truncate(GROUPS_MAX);
    groups
}

impl Sum {
    fn add(&mut self, sample: &Sample<'_>) {
        self.records += 1;
        match sample.action {
            Action::Start => self.started += 1,
            Action::Progress => {}
            Action::Complete | Action::Error if sample.is_failure => self.failed += 1,
            Action::Complete | Action::Error => self.completed += 1,
        }
        if let Some(time) = sample.time {
            self.timed += 1;
            *self.buckets.entry(bucket(time)).or_default() += 1;
        }
    }

    fn figures(&self, seconds: f64) -> Figures {
        let figures =
            Figures { records: self.records, started: self.started, completed: self.completed, failed: self.failed, ..Figures::default() };
        Figures {
            p50_seconds: self.percentile(0.50),
            p95_seconds: self.percentile(0.95),
            p99_seconds: self.percentile(0.99),
            ..with_shares(figures, seconds)
        }
    }

    /// The nearest rank: the least time that `share` of all do not exceed.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts of records")]
    fn percentile(&self, share: f64) -> Option<f64> {
        let rank = (self.timed as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in &self.buckets {
            seen += count;
            if seen >= rank {
                return Some(middle(*bucket));
            }
        }
        None
    }
}

/// The figures with what follows from the counts.
#[expect(clippy::cast_precision_loss, reason = "counts of records")]
#[expect(clippy::needless_pass_by_value, reason = "it gives back what it took")]
pub(super) fn with_shares(figures: Figures, seconds: f64) -> Figures {
    let ended = figures.completed + figures.failed;
    Figures {
        records_per_second: if seconds > 0.0 { figures.records as f64 / seconds } else { 0.0 },
        error_share: (ended > 0).then(|| figures.failed as f64 / ended as f64),
        ..figures
    }
}

/// Times below a microsecond are one bucket.
#[expect(clippy::cast_possible_truncation, reason = "the logarithm of any double is small")]
fn bucket(seconds: f64) -> i32 {
    if seconds < 1e-6 { i32::MIN } else { (seconds.ln() / RATIO.ln()).floor() as i32 }
}

/// The time that stands for a bucket, to the microsecond.
fn middle(bucket: i32) -> f64 {
    if bucket == i32::MIN { 0.0 } else { (RATIO.powf(f64::from(bucket) + 0.5) * 1e6).round() / 1e6 }
}
