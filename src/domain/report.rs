//! How the reports to a coordinator stand: plain data for the reporter and for screens.

use serde::{Deserialize, Serialize};

use crate::domain::clock::Instant;

/// What the reporter does now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReportState {
    /// Nothing is reported: `enable_interaction_logging` is false.
    #[default]
    Off,
    /// All is delivered, or nothing was sent yet.
    Idle,
    /// It sends.
    Sending,
    /// It waits before it tries again.
    Waiting {
        /// Why; one clean line.
        reason: String,
        /// When it tries again.
        retry_at: Instant,
    },
    /// Another process of wakeful reports from the same queue.
    Standby,
}

impl ReportState {
    /// One word or phrase for people.
    pub fn words(&self) -> String {
        match self {
            Self::Off => "off".to_owned(),
            Self::Idle => "idle".to_owned(),
            Self::Sending => "sending".to_owned(),
            Self::Waiting { reason, retry_at } => format!("waiting until {retry_at}: {reason}"),
            Self::Standby => "another wakeful reports".to_owned(),
        }
    }
}

/// What lies in the queue on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ReportTotals {
    /// Records that are not confirmed by the coordinator's store.
    pub waiting: u64,
    /// Of these, those that were handed over and are not confirmed yet.
    pub handed: u64,
    /// Of these, those that were refused and are tried again.
    pub refused: u64,
    /// Bytes of all that waits.
    pub waiting_bytes: u64,
    /// Dead letters: refused as often as `max_retries` allows, or too old.
    pub dead: u64,
    /// Of these, those that nobody has looked at.
    pub dead_unseen: u64,
    /// Bytes of all dead letters.
    pub dead_bytes: u64,
    /// Delivered records whose ids are still kept.
    pub delivered: u64,
    /// Delivered records since the queue was made.
    pub delivered_ever: u64,
    /// Dead letters that were dropped for want of room, after somebody had seen them.
    pub dropped: u64,
}

/// How the reports stand.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReportStatus {
    /// What the reporter does now.
    #[serde(flatten)]
    pub state: ReportState,
    /// The transport of the config.
    pub transport: String,
    /// The transport in use, where `auto` chose one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// Where the reports go; without secrets.
    pub place: String,
    /// The queue's file.
    pub queue: String,
    /// What lies there.
    #[serde(flatten)]
    pub totals: ReportTotals,
    /// When the oldest waiting record was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest: Option<Instant>,
    /// The most bytes that the queue holds; reading of the log rests while it is full.
    pub bytes_max: u64,
    /// What goes wrong and needs somebody; one clean line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The type of the ephemeral events by which the reporter tells of itself. `event_type`: `behind`, `caught_up`, `retried`,
/// `resent`; `message`: one line; `waiting`: records that wait.
pub const REPORT_EVENT: &str = "reports";

/// Records that may wait before a screen calls it "behind": one batch is on its way most of the time.
pub const BEHIND_MIN: u64 = 100;

impl ReportStatus {
    /// Whether somebody should be told without asking: it is behind, or something is wrong.
    pub fn is_behind(&self) -> bool {
        self.state != ReportState::Off
            && (self.problem.is_some()
                || self.totals.dead_unseen > 0
                || self.totals.waiting - self.totals.handed.min(self.totals.waiting) > BEHIND_MIN
                || (matches!(self.state, ReportState::Waiting { .. }) && self.totals.waiting > 0))
    }
}

/// A record that will not be sent again by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Its number in the queue.
    pub number: i64,
    /// The record's id.
    pub record_id: String,
    /// The interaction that it belongs to.
    pub interaction_id: String,
    /// Why it is dead; what the coordinator said, one clean line.
    pub reason: String,
    /// How often it was refused.
    pub refusals: u32,
    /// When it was stored.
    pub stored_at: Instant,
    /// When it died.
    pub died_at: Instant,
    /// The whole record.
    pub record: serde_json::Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_is_said_only_where_it_matters() {
        let status = |state: ReportState, totals: ReportTotals| ReportStatus { state, totals, ..ReportStatus::default() };
        let waiting = |waiting, handed| ReportTotals { waiting, handed, ..ReportTotals::default() };
        let down = ReportState::Waiting { reason: "down".into(), retry_at: Instant::from_millis(0) };
        assert!(!status(ReportState::Off, waiting(500, 0)).is_behind());
        assert!(!status(ReportState::Sending, waiting(100, 0)).is_behind());
        assert!(!status(ReportState::Sending, waiting(500, 450)).is_behind());
        assert!(status(ReportState::Sending, waiting(101, 0)).is_behind());
        assert!(status(down.clone(), waiting(1, 0)).is_behind());
        assert!(!status(down, waiting(0, 0)).is_behind());
        assert!(status(ReportState::Idle, ReportTotals { dead_unseen: 1, ..ReportTotals::default() }).is_behind());
    }
}
