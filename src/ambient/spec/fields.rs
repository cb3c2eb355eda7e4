//! The fields of every config as tables: their names and what they hold.

use super::shapes::Shape;

/// The most addresses of one task.
const URLS_MAX: usize = 50;
/// The most keywords, rules and categories of one task.
const WORDS_MAX: usize = 100;

/// One field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) key: &'static str,
    pub(super) shape: Shape,
}

const fn field(key: &'static str, shape: Shape) -> Field {
    Field { key, shape }
}

const HOUR: Shape = Shape::Whole(0, 23, "an hour of the day");
const MINUTE: Shape = Shape::Whole(0, 59, "a minute of the hour");
const COUNT: Shape = Shape::Whole(1, u64::MAX, "a number of times");

/// Names that people and models use for fields; taken where the field itself is absent.
pub(super) const ALIASES: [(&str, &str); 12] = [
    ("url", "urls"),
    ("url", "news_urls"),
    ("urls", "news_urls"),
    ("sources", "news_urls"),
    ("feeds", "news_urls"),
    ("keyword", "keywords"),
    ("interval_minutes", "check_interval_minutes"),
    ("check_interval", "check_interval_minutes"),
    ("interval_minutes", "minutes"),
    ("expression", "cron"),
    ("tz", "timezone"),
    ("time_zone", "timezone"),
];

macro_rules! with_common {
    ($($field:expr),* $(,)?) => {
        &[
            $($field,)*
            field("notification", Shape::Notification),
            field("timezone", Shape::Zone),
            field("start_at", Shape::Moment),
            field("end_at", Shape::Moment),
            field("max_runs", COUNT),
            field("catch_up", Shape::Choice(&["latest", "all", "none"])),
            field("overlap", Shape::Choice(&["skip", "queue"])),
            field("judge", Shape::Choice(&["auto", "always", "inbox"])),
            field("tokens_max", COUNT),
            field("cost_usd_max", Shape::Number(0.0)),
        ]
    };
}

pub(super) const WEB_MONITOR: &[Field] = with_common![
    field("urls", Shape::List(&Shape::Url, URLS_MAX)),
    field("keywords", Shape::List(&Shape::Line, WORDS_MAX)),
    field("check_interval_minutes", Shape::Minutes),
    field("selector", Shape::Css),
    field("xpath", Shape::XPath),
    field("json_pointer", Shape::Pointer),
    field("ignore", Shape::List(&Shape::Regex, WORDS_MAX)),
    field("ignore_selectors", Shape::List(&Shape::Css, WORDS_MAX)),
    field("case_sensitive", Shape::Bool),
    field("partial_words", Shape::Bool),
    field("fire_first", Shape::Bool),
    field("render", Shape::Bool),
    field("ignore_robots", Shape::Bool),
];

/// How schedules repeat.
pub(super) const REPEATS: &[&str] = &["daily", "interval", "weekly", "cron", "once"];

pub(super) const SCHEDULE: &[Field] = with_common![
    field("type", Shape::Choice(REPEATS)),
    field("hour", HOUR),
    field("minute", MINUTE),
    field("minutes", Shape::Minutes),
    field("days", Shape::Days),
    field("cron", Shape::Line),
    field("at", Shape::Moment),
    field("action", Shape::Text),
    field("news_urls", Shape::List(&Shape::Url, URLS_MAX)),
];

pub(super) const NEWS_DIGEST: &[Field] = with_common![
    field("news_urls", Shape::List(&Shape::Url, URLS_MAX)),
    field("hour", HOUR),
    field("minute", MINUTE),
    field("categories", Shape::List(&Shape::Line, WORDS_MAX)),
    field("top", Shape::Whole(1, 10, "a number of headlines")),
];

pub(super) const THRESHOLD_WATCH: &[Field] = with_common![
    field("metric", Shape::Line),
    field("threshold", Shape::Number(f64::NEG_INFINITY)),
    field("check_interval_minutes", Shape::Minutes),
    field("source", Shape::Source),
    field("direction", Shape::Choice(&["above", "below", "cross"])),
    field("hysteresis", Shape::Number(0.0)),
    field("cooldown_minutes", Shape::Minutes),
    field("confirm", Shape::Table(CONFIRM)),
    field("change_over_minutes", Shape::Minutes),
    field("stale_minutes", Shape::Minutes),
];

const CONFIRM: &[Field] =
    &[field("hits", Shape::Whole(1, 100, "a number of readings")), field("of", Shape::Whole(1, 100, "a number of readings"))];

pub(super) const SOURCE: &[Field] = &[
    field("url", Shape::Url),
    field("json_pointer", Shape::Pointer),
    field("css", Shape::Css),
    field("regex", Shape::Regex),
    field("server", Shape::Line),
    field("tool", Shape::Line),
    field("arguments", Shape::Object),
    field("command", Shape::List(&Shape::Text, 64)),
    field("decimal", Shape::Sign(".,")),
];
