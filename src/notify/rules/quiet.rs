//! Quiet hours: windows of the wall clock in which notices wait.
//!
//! The wall clock decides, whatever it does: where an hour is skipped, a window that would end in it ends with the gap;
//! where an hour comes twice, a window holds both times.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::domain::clock::Instant;
use crate::notify::options::{Options, OptionsError, shown};

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

/// The most windows.
const WINDOWS_MAX: usize = 16;

/// The most steps to the end of a silence: each one passes the end of a window or a change of the clock.
const STEPS_MAX: usize = 64;

/// The windows, and which notices pass them.
#[derive(Debug, Clone)]
pub struct QuietHours {
    /// Start and end in minutes of the day; where the end is not greater the window crosses midnight.
    windows: Vec<(u16, u16)>,
    zone: TimeZone,
    /// Notices of this priority or above pass.
    passes: u8,
}

impl QuietHours {
    /// Reads `quiet_hours`, `quiet_priority_max` and `timezone`.
    ///
    /// # Errors
    /// When a window is not of the form `22:00-07:00`, the windows leave no minute of the day, or the zone is unknown.
    pub fn new(options: &Options) -> Result<Self, OptionsError> {
        let wrong = |why: String| OptionsError::new("quiet_hours", why);
        if options.quiet_hours.len() > WINDOWS_MAX {
            return Err(wrong(format!("has more than {WINDOWS_MAX} windows")));
        }
        if !(1..=5).contains(&options.quiet_priority_max) {
            return Err(OptionsError::new("quiet_priority_max", "must lie between 1 and 5"));
        }
        let read = |text: &String| {
            let window = text.split_once('-').and_then(|(start, end)| Some((minute(start)?, minute(end)?)));
            let sound = window.filter(|(start, end)| *start < DAY_MINUTES && start != end);
            sound.ok_or_else(|| wrong(format!("has `{}`, which is no window; write it like `22:00-07:00`", shown(text))))
        };
        let windows = options.quiet_hours.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let quiet = Self { windows, zone: options.zone()?, passes: options.quiet_priority_max };
        if (0..DAY_MINUTES).all(|minute| quiet.window_at(minute).is_some()) {
            return Err(wrong("covers the whole day, so no notice would ever be sent; leave a gap".to_owned()));
        }
        Ok(quiet)
    }

    /// When a notice of this priority may go; none means now.
    pub fn hold_until(&self, now: Instant, priority: u8) -> Option<Instant> {
        if self.windows.is_empty() || priority >= self.passes {
            return None;
        }
        let start = now.timestamp();
        let mut at = start;
        for _ in 0..STEPS_MAX {
            match self.step(at) {
                Some(next) => at = next,
                None => break,
            }
        }
        (at > start).then(|| Instant::from_millis(at.as_millisecond()))
    }

    /// The end of the window that holds `at`, or the change of the clock before it; none outside of all windows.
    fn step(&self, at: Timestamp) -> Option<Timestamp> {
        let time = self.zone.to_datetime(at).time();
        let minute = minute_of(time);
        let (_, end) = self.window_at(minute)?;
        let minutes = i64::from((end + DAY_MINUTES - minute - 1) % DAY_MINUTES) + 1;
        let into = SignedDuration::new(time.second().into(), time.subsec_nanosecond());
        let next = at.checked_add(SignedDuration::from_mins(minutes) - into).ok()?;
        // The count above holds as long as the clock is not changed on the way.
        let change = self.zone.following(at).next().map(|transition| transition.timestamp());
        Some(change.filter(|change| *change < next).unwrap_or(next))
    }

    fn window_at(&self, minute: u16) -> Option<(u16, u16)> {
        let holds = |(start, end): (u16, u16)| if start < end { (start..end).contains(&minute) } else { minute >= start || minute < end };
        self.windows.iter().copied().find(|window| holds(*window))
    }
}

fn minute_of(time: Time) -> u16 {
    // A time's fields are never negative.
    u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs())
}

/// `22:00` in minutes; `24:00` is the end of the day.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u16>().ok()).flatten();
    let (hours, minutes) = (digits(hours)?, digits(minutes).filter(|_| minutes.len() == 2)?);
    let minute = hours.checked_mul(60)?.checked_add(minutes)?;
    (minutes < 60 && minute <= DAY_MINUTES).then_some(minute)
}
