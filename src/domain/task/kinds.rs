//! The configs of the four kinds of task, and what all of them share.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::domain::clock::Instant;

/// A stretch of time that is written in minutes: a whole number where it is one, else with a fraction.
/// At least one millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Minutes(u64);

impl Minutes {
    /// So many whole minutes.
    pub const fn whole(minutes: u64) -> Self {
        Self(minutes.saturating_mul(60_000))
    }

    /// The stretch `duration`, in whole milliseconds.
    pub fn from_duration(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    /// The same as a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl Serialize for Minutes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_multiple_of(60_000) {
            return serializer.serialize_u64(self.0 / 60_000);
        }
        #[expect(clippy::cast_precision_loss, reason = "a fraction of minutes is short: intervals of years are whole")]
        serializer.serialize_f64(self.0 as f64 / 60_000.0)
    }
}

impl<'de> Deserialize<'de> for Minutes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let minutes = f64::deserialize(deserializer)?;
        let ms = (minutes * 60_000.0).round();
        if !(1.0..=1e15).contains(&ms) {
            return Err(de::Error::custom("must be a number of minutes above 0"));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just above")]
        Ok(Self(ms as u64))
    }
}

/// Which kind of task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// Watches pages and feeds.
    WebMonitor,
    /// Reminds, or puts a prompt to the agent.
    Schedule,
    /// Gathers news.
    NewsDigest,
    /// Watches a number.
    ThresholdWatch,
}

impl TaskKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::WebMonitor, Self::Schedule, Self::NewsDigest, Self::ThresholdWatch];

    /// The `task_type` on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebMonitor => "web_monitor",
            Self::Schedule => "schedule",
            Self::NewsDigest => "news_digest",
            Self::ThresholdWatch => "threshold_watch",
        }
    }

    /// The `event_type` that its firings have on the wire.
    pub fn event_type(self) -> &'static str {
        match self {
            Self::WebMonitor => "web_content_change",
            Self::Schedule => "scheduled_trigger",
            Self::NewsDigest => "daily_news_digest",
            Self::ThresholdWatch => "threshold_reached",
        }
    }
}

/// What a task does, and how.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task_type", content = "config", rename_all = "snake_case")]
pub enum KindConfig {
    /// Watches pages and feeds.
    WebMonitor(WebMonitor),
    /// Reminds, or puts a prompt to the agent.
    Schedule(ScheduleConfig),
    /// Gathers news.
    NewsDigest(NewsDigest),
    /// Watches a number.
    ThresholdWatch(ThresholdWatch),
}

impl KindConfig {
    /// Which kind.
    pub fn kind(&self) -> TaskKind {
        match self {
            Self::WebMonitor(_) => TaskKind::WebMonitor,
            Self::Schedule(_) => TaskKind::Schedule,
            Self::NewsDigest(_) => TaskKind::NewsDigest,
            Self::ThresholdWatch(_) => TaskKind::ThresholdWatch,
        }
    }

    /// What all kinds share.
    pub fn common(&self) -> &Common {
        match self {
            Self::WebMonitor(config) => &config.common,
            Self::Schedule(config) => &config.common,
            Self::NewsDigest(config) => &config.common,
            Self::ThresholdWatch(config) => &config.common,
        }
    }

    /// When it is due.
    pub fn timing(&self) -> Timing {
        match self {
            Self::WebMonitor(config) => Timing::Every { period: config.check_interval_minutes },
            Self::ThresholdWatch(config) => Timing::Every { period: config.check_interval_minutes },
            Self::NewsDigest(config) => Timing::Daily { hour: config.hour, minute: config.minute },
            Self::Schedule(config) => config.timing(),
        }
    }
}

/// When a task is due, whatever it does.
#[derive(Debug, Clone, PartialEq)]
pub enum Timing {
    /// Every `period`, its phase spread by a hash of the task's id.
    Every {
        /// The period.
        period: Minutes,
    },
    /// Every day at a time of day.
    Daily {
        /// 0 to 23.
        hour: u8,
        /// 0 to 59.
        minute: u8,
    },
    /// On some days of the week at a time of day.
    Weekly {
        /// At least one.
        days: Vec<Weekday>,
        /// 0 to 23.
        hour: u8,
        /// 0 to 59.
        minute: u8,
    },
    /// By a cron expression of 5 or 6 fields (the sixth, in front, is seconds) or `@daily` and its like.
    Cron {
        /// The expression.
        expression: String,
    },
    /// Once.
    Once {
        /// When.
        at: Instant,
    },
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weekday {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

/// How a task's owner is told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Notification {
    /// By which channel.
    #[serde(default)]
    pub method: NotifyMethod,
    /// For `send_sms`, in E.164 form (`+1234567890`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// For `send_email`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// For `webhook`; for `ntfy` the server, where it is not the configured one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// For `ntfy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

/// By which channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifyMethod {
    /// A text message.
    SendSms,
    /// A mail.
    SendEmail,
    /// An HTTP POST, signed.
    Webhook,
    /// A push through an ntfy server.
    Ntfy,
    /// The desktop, or the terminal's own notification.
    Desktop,
    /// Nobody: the inbox only.
    #[default]
    None,
}

/// What is done about occurrences that were missed while the program was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// The latest one, if it is younger than its period and 12 hours; a digest until its day ends; a one-shot always.
    #[default]
    Latest,
    /// All, up to a limit.
    All,
    /// None.
    None,
}

/// What is done when a task comes due while its run before is still at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// The occurrence is left out.
    #[default]
    Skip,
    /// One waits and runs right after.
    Queue,
}

/// Who decides whether a firing is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judging {
    /// The agent, where a page or a value needs reading; reminders, digests and thresholds need none and are told.
    #[default]
    Auto,
    /// Always told, no model is asked.
    Always,
    /// Always to the inbox only, no model is asked.
    Inbox,
}

/// What the configs of all kinds share.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Common {
    /// How the owner is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification: Option<Notification>,
    /// IANA name of the time zone; the machine's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Nothing is due before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_at: Option<Instant>,
    /// Nothing is due after; the task is then completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_at: Option<Instant>,
    /// Runs after which the task is completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_runs: Option<u64>,
    /// What is done about missed occurrences.
    #[serde(default, skip_serializing_if = "is_default")]
    pub catch_up: CatchUp,
    /// What is done about a run that takes longer than the period.
    #[serde(default, skip_serializing_if = "is_default")]
    pub overlap: Overlap,
    /// Who decides whether a firing is told.
    #[serde(default, skip_serializing_if = "is_default")]
    pub judge: Judging,
    /// Tokens after which the task pauses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_max: Option<u64>,
    /// US dollars after which the task pauses.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "plain_or_none")]
    pub cost_usd_max: Option<f64>,
}

/// `web_monitor`: watches pages and feeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WebMonitor {
    /// What is watched, at least one.
    pub urls: Vec<String>,
    /// Words and phrases of which a change must hold one; any change counts where empty.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// How often. Default 30.
    #[serde(default = "half_an_hour")]
    pub check_interval_minutes: Minutes,
    /// CSS selector of the part that is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// `XPath` of the part that is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub xpath: Option<String>,
    /// JSON pointer (RFC 6901) of the part that is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json_pointer: Option<String>,
    /// Regular expressions of text that does not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// CSS selectors of parts that do not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore_selectors: Vec<String>,
    /// Whether `AI` differs from `ai`. Default false.
    #[serde(default, skip_serializing_if = "is_default")]
    pub case_sensitive: bool,
    /// Whether a keyword may be a part of a longer word. Default false: `AI` is not found in `said`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub partial_words: bool,
    /// Whether the first look already fires. Default false: it is the baseline.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fire_first: bool,
    /// Whether the page is rendered by a browser first. Default false.
    #[serde(default, skip_serializing_if = "is_default")]
    pub render: bool,
    /// Whether robots.txt is left unread. Default false.
    #[serde(default, skip_serializing_if = "is_default")]
    pub ignore_robots: bool,
    /// What all kinds share.
    #[serde(flatten)]
    pub common: Common,
}

/// How a schedule repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleType {
    /// Every day at `hour:minute`.
    Daily,
    /// Every `minutes`.
    Interval,
    /// On `days` at `hour:minute`.
    Weekly,
    /// By `cron`.
    Cron,
    /// Once, at `at`.
    Once,
}

/// `schedule`: reminds, or puts a prompt to the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScheduleConfig {
    /// How it repeats.
    #[serde(rename = "type")]
    pub repeat: ScheduleType,
    /// For `daily` and `weekly`: 0 to 23. Default 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hour: Option<u8>,
    /// For `daily` and `weekly`: 0 to 59. Default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minute: Option<u8>,
    /// For `interval`. Default 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<Minutes>,
    /// For `weekly`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Weekday>,
    /// For `cron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// For `once`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Instant>,
    /// `news_digest`, or a prompt for the agent; a reminder where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Sources of the digest where `action` is `news_digest`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub news_urls: Vec<String>,
    /// What all kinds share.
    #[serde(flatten)]
    pub common: Common,
}

impl ScheduleConfig {
    fn timing(&self) -> Timing {
        let (hour, minute) = (self.hour.unwrap_or(8), self.minute.unwrap_or(0));
        match self.repeat {
            ScheduleType::Daily => Timing::Daily { hour, minute },
            ScheduleType::Interval => Timing::Every { period: self.minutes.unwrap_or(Minutes::whole(60)) },
            ScheduleType::Weekly => Timing::Weekly { days: self.days.clone(), hour, minute },
            ScheduleType::Cron => Timing::Cron { expression: self.cron.clone().unwrap_or_default() },
            ScheduleType::Once => Timing::Once { at: self.at.unwrap_or_default() },
        }
    }
}

/// `news_digest`: gathers news.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewsDigest {
    /// Feeds and pages, at least one.
    pub news_urls: Vec<String>,
    /// When, 0 to 23. Default 8.
    #[serde(default = "eight")]
    pub hour: u8,
    /// When, 0 to 59. Default 0.
    #[serde(default, skip_serializing_if = "is_default")]
    pub minute: u8,
    /// Only news of these categories come first; all news where empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Headlines of each source, 1 to 10. Default 10.
    #[serde(default = "ten", skip_serializing_if = "is_ten")]
    pub top: u8,
    /// What all kinds share.
    #[serde(flatten)]
    pub common: Common,
}

/// In which direction a value passes its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// It rises to it or above.
    #[default]
    Above,
    /// It falls to it or below.
    Below,
    /// Either.
    Cross,
}

/// Where a number comes from. One of `url`, `server` + `tool`, `command`; the metric's name in the table of the config
/// where all are absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Source {
    /// A page or an API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// JSON pointer into the answer (of the URL, the tool or the command).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json_pointer: Option<String>,
    /// CSS selector into the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub css: Option<String>,
    /// Regular expression over the text; its first group, or the whole match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// An MCP server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// A tool of that server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The tool's arguments.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub arguments: serde_json::Map<String, serde_json::Value>,
    /// A program and its arguments, run without a shell; needs the person's consent when the task is made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The decimal sign of the source, `.` or `,`; guessed where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal: Option<char>,
}

/// How many of the last readings must lie beyond the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// So many …
    pub hits: u32,
    /// … of the last so many.
    pub of: u32,
}

/// `threshold_watch`: watches a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdWatch {
    /// The number's name.
    pub metric: String,
    /// The threshold; with `change_over_minutes` a change in percent.
    #[serde(serialize_with = "plain")]
    pub threshold: f64,
    /// How often. Default 15.
    #[serde(default = "quarter_of_an_hour")]
    pub check_interval_minutes: Minutes,
    /// Where the number comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// In which direction it fires.
    #[serde(default, skip_serializing_if = "is_default")]
    pub direction: Direction,
    /// How far the value must go back beyond the threshold before it can fire again. Default 0.
    #[serde(default, skip_serializing_if = "is_default", serialize_with = "plain")]
    pub hysteresis: f64,
    /// How long it stays quiet after a firing. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_minutes: Option<Minutes>,
    /// How many readings of the last ones must lie beyond. Default the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Bounds>,
    /// The threshold is a change in percent against the reading so long ago.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_over_minutes: Option<Minutes>,
    /// Fires once when there was no reading for so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_minutes: Option<Minutes>,
    /// What all kinds share.
    #[serde(flatten)]
    pub common: Common,
}

const fn half_an_hour() -> Minutes {
    Minutes::whole(30)
}

const fn quarter_of_an_hour() -> Minutes {
    Minutes::whole(15)
}

const fn eight() -> u8 {
    8
}

const fn ten() -> u8 {
    10
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_ten(top: &u8) -> bool {
    *top == 10
}

/// Writes a whole number without a fraction, as it was given: 100000, not 100000.0.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn plain<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if number.fract() == 0.0 && number.abs() < 9e15 {
        #[expect(clippy::cast_possible_truncation, reason = "whole and exact, checked just above")]
        return serializer.serialize_i64(*number as i64);
    }
    serializer.serialize_f64(*number)
}

#[expect(clippy::ref_option, reason = "serde hands a reference")]
fn plain_or_none<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => plain(number, serializer),
        None => serializer.serialize_none(),
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
