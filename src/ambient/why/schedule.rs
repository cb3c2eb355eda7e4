//! When a task is due, in words.

use jiff::tz::TimeZone;

use crate::domain::task::TaskSpec;

/// `every 30 min`, `every day at 08:00 (Europe/Berlin)`, `once on 2026-12-01 at 10:00`.
pub fn words(spec: &TaskSpec, machine_zone: &TimeZone) -> String {
    todo!()
}
