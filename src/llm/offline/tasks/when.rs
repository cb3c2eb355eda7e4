//! When something is to happen: intervals, times of day, days of the week, one moment, cron, time zone; in English and
//! Chinese. What is understood is cut out of what was said.

use std::sync::LazyLock;

use regex::Regex;

use super::clock;
use super::moment::Day;
use super::numbers::number;
use super::said::{HOLE, Kind, Said, quote};
use crate::llm::offline::slots::rule;
use crate::tools::local::zones;

/// The days of the week, Monday first.
pub(super) const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// When.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct When {
    /// Every so many minutes.
    pub(super) every: Option<f64>,
    /// Every day.
    pub(super) daily: bool,
    /// Every week; `days` may be missing.
    pub(super) weekly: bool,
    /// Hours and minutes.
    pub(super) times: Vec<(u8, u8)>,
    /// Days of the week, 0 is Monday.
    pub(super) days: Vec<usize>,
    /// Once, on this day (or after this time).
    pub(super) once: Option<Day>,
    /// Day of every month.
    pub(super) month_day: Option<u8>,
    pub(super) cron: Option<String>,
    /// IANA name.
    pub(super) zone: Option<String>,
}

impl When {
    /// Whether anything was said about it.
    pub(super) fn is_said(&self) -> bool {
        self.repeats() || self.once.is_some() || !self.times.is_empty()
    }

    /// Whether it comes again.
    pub(super) fn repeats(&self) -> bool {
        self.every.is_some() || self.daily || self.weekly || !self.days.is_empty() || self.cron.is_some() || self.month_day.is_some()
    }

    /// Takes what another one says and this one does not.
    pub(super) fn or(mut self, other: Self) -> Self {
        self.every = self.every.or(other.every);
        self.daily |= other.daily;
        self.weekly |= other.weekly;
        if self.times.is_empty() {
            self.times = other.times;
        }
        if self.days.is_empty() {
            self.days = other.days;
        }
        self.once = self.once.or(other.once);
        self.month_day = self.month_day.or(other.month_day);
        self.cron = self.cron.or(other.cron);
        self.zone = self.zone.or(other.zone);
        self
    }
}

/// Numbers in words and digits.
macro_rules! num {
    () => {
        r"(\d+(?:\.\d+)?|half an?|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty[- ]five|forty|fifty|sixty|ninety|a couple of|couple of|a few|other|second)"
    };
}
macro_rules! unit {
    () => {
        r"(seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|weeks?)\b"
    };
}
macro_rules! han {
    () => {
        r"(\d+(?:\.\d+)?|[一二两三四五六七八九十百]+)"
    };
}
macro_rules! day {
    () => {
        r"(?:mondays?|tuesdays?|wednesdays?|thursdays?|fridays?|saturdays?|sundays?|mon|tues?|weds?|thu(?:rs?)?|fri|sat|sun)"
    };
}

rule!(
    CRON_QUOTED = concat!(
        r"(?i)(?:\b(?:with|by|on|using|at|as)\s+)?(?:the\s+|a\s+)?(?:cron\w*(?:\s+(?:expression|schedule|job|line))?|定时表达式|按\s*cron(?:\s*表达式)?)\s*[:=是为]?\s*(",
        quote!(),
        ")"
    )
);
rule!(
    CRON_PLAIN = r"(?i)(?:(?:\b(?:with|by|on|using|at|as|per|according to)\s+|按照?\s*|用\s*)?(?:the\s+|a\s+)?(?:cron\w*(?:\s+(?:expression|schedule|job|line))?(?:\s*表达式)?)\s*[:=是为]?\s*)((?:(?:[\d*?][\w*/,#?-]*|(?:mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[\w,-]*)\s+){4,5}(?:[\d*?][\w*/,#?-]*|(?:mon|tue|wed|thu|fri|sat|sun)[\w,-]*))"
);
rule!(CRON_NAME = r"(?i)(?:(?:cron\w*|定时)\s*[:：]?\s*)?(@(?:hourly|daily|midnight|weekly|monthly|yearly|annually))\b");
rule!(CRON_BODY = r"^(?:@\w+|(?:\S+\s+){4,5}\S+)$");
rule!(
    MONTHLY = r"(?i)\b(?:on\s+)?the\s+(\d{1,2})(?:st|nd|rd|th)?\s+(?:day\s+)?(?:of\s+)?(?:every|each)\s+month\b|\b(?:every|each)\s+month\s+on\s+the\s+(\d{1,2})(?:st|nd|rd|th)?\b|\bmonthly\s+on\s+the\s+(\d{1,2})(?:st|nd|rd|th)?\b|每个?月\s*(\d{1,2})\s*[日号]"
);
rule!(
    FIRST_OF_MONTH = r"(?i)\b(?:on\s+)?the\s+first\s+(?:day\s+)?of\s+(?:every|each)\s+month\b|\b(?:every|each)\s+month\b|\bmonthly\b|每个?月(?:初|一[日号])?"
);

rule!(TIMES_PER = concat!(r"(?i)\b(once|twice|thrice|", num!(), r"\s+times)\s+(?:an?|per|each|every|in an?)\s+(minute|hour|day|week)\b"));
rule!(ONCE_EVERY = concat!(r"(?i)\bonce\s+every\s+", num!(), r"\s*", unit!()));
rule!(
    AND_HALF =
        concat!(r"(?i)\b(?:every|each)\s+(?:(?:an?\s+)?(hour) and a half|", num!(), r"\s+and\s+a\s+half\s+(hours?|days?|minutes?))\b")
);
rule!(HALF_HOUR = r"(?i)\b(?:(?:every|each)\s+(?:half[- ](?:an\s+)?hour|half\s+hour)|half[- ]hourly|every\s+30\s*min\b)");
rule!(QUARTER = r"(?i)\b(?:every|each)\s+quarter(?:\s+(?:of\s+)?(?:an\s+)?hour)?\b");
rule!(HOURLY = r"(?i)\b(?:hourly|(?:every|each)\s+(?:single\s+)?hour|on the hour)\b|\bevery\s+minute\b");
rule!(EVERY = concat!(r"(?i)\b(?:every|each|at intervals of|in intervals of)\s+", num!(), r"[\s-]*", unit!()));
rule!(DASHED = concat!(r"(?i)\b(?:at|in|with|on|by)\s+(?:an?\s+)?(\d+)[\s-]*", r"(seconds?|minutes?|mins?|hours?)[\s-]+intervals?\b"));
rule!(
    DAY_PART = r"(?i)\b(?:(?:every|each)(?:\s+single)?\s+(day|morning|afternoon|evening|night|noon|midnight|lunchtime)|(daily|nightly|everyday)|once a day|in the (mornings|evenings|afternoons)|(mornings|evenings))\b(?:\s+(?:in the\s+)?(morning|afternoon|evening|night))?"
);
rule!(WEEKLY = r"(?i)\b(?:(?:every|each|once a|per)\s+week|weekly)\b|每个?(?:周|星期|礼拜)");

rule!(
    DAY_RANGE =
        concat!(r"(?i)\b(?:on\s+|every\s+|each\s+|from\s+)*(", day!(), r")\s*(?:to|through|thru|until|till|–|-)\s*(", day!(), r")\b")
);
rule!(WEEKDAYS = r"(?i)\b(?:(?:on|every|each)\s+)*(?:week\s?days?|work\s?days?|working\s+days?|business\s+days?)\b|每?个?(?:工作日|平日)");
rule!(WEEKENDS = r"(?i)\b(?:(?:on|at|every|each|the)\s+)*weekends?\b|每?个?周末");
rule!(
    DAY_LIST = concat!(
        r"(?i)\b(?:(every|each|on)\s+)(?:(?:next|this)\s+)?(",
        day!(),
        r"(?:\s*(?:,\s*and|,|and|&|/|or)\s*(?:on\s+|every\s+)?",
        day!(),
        r")*)\b"
    )
);
rule!(
    DAY_PLURAL = r"(?i)\b((?:mondays|tuesdays|wednesdays|thursdays|fridays|saturdays|sundays)(?:\s*(?:,\s*and|,|and|&)\s*(?:mondays|tuesdays|wednesdays|thursdays|fridays|saturdays|sundays))*)\b"
);
rule!(DAY_ONCE = r"(?i)\b(next|this|coming)\s+(monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b");
static DAY_NAME: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i)mon|tue|wed|thu|fri|sat|sun").ok());

rule!(
    TOMORROW = r"(?i)\b(the day after tomorrow|day after tomorrow|tomorrow|today|tonight|this (?:morning|afternoon|evening))\b(?:'s)?(?:\s+(morning|afternoon|evening|night|noon))?"
);
rule!(
    IN_TIME = concat!(
        r"(?i)\b(?:in|after)\s+(?:about\s+)?(?:(an hour and a half|half an hour|a quarter of an hour|three quarters of an hour)|",
        num!(),
        r"\s*",
        unit!(),
        r")(?:\s+(?:time|from now))?"
    )
);
rule!(FROM_NOW = concat!(r"(?i)\b", num!(), r"\s*", unit!(), r"\s+from now\b"));
rule!(ISO_DATE = r"(?i)(?:\b(?:on|at)\s+)?\b(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:T|\b)");
rule!(
    NAMED_DATE = r"(?i)(?:\bon\s+)?(?:the\s+)?\b(?:(\d{1,2})(?:st|nd|rd|th)?\s+(?:of\s+)?(january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b\.?|(january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b\.?\s+(?:the\s+)?(\d{1,2})(?:st|nd|rd|th)?\b)(?:,?\s*(\d{4})\b)?"
);

rule!(HAN_HALF = r"(?:每(?:隔|过)?|隔)\s*(?:(半)\s*个?(小时|钟头|天)|(一刻钟))(?:\s*一[次下遍])?");
rule!(HAN_AND_HALF = concat!(r"(?:每(?:隔|过)?|隔)\s*", han!(), r"?\s*个?半(小时|钟头)"));
rule!(HAN_EVERY = concat!(r"(?:每(?:隔|过|间隔)?|隔|间隔)\s*", han!(), r"?\s*个?\s*(秒钟?|分钟|分|小时|钟头|天|日|周|星期)"));
rule!(HAN_PER = concat!(r"(?:每个?|一|1)\s*(分钟|小时|天|日|周|星期)[^，。,\d一二两三四五六七八九十]{0,4}?", han!(), r"\s*[次遍回]"));
rule!(
    HAN_ONCE_IN = concat!(
        r"(?:(半)|",
        han!(),
        r")\s*个?\s*(秒钟?|分钟|小时|钟头)\s*(?:自动)?(?:检查|查看|查|看|刷新|更新|监测|运行|执行|提醒|通知)?(?:我)?一[次下遍]"
    )
);
rule!(
    HAN_DAILY = r"每[天日]?(早上|早晨|清晨|上午|中午|下午|傍晚|晚上|夜里|晚间|夜晚|早|晚)|(?:每[天日]|天天|每一天)\s*(早上|早晨|清晨|上午|中午|下午|傍晚|晚上|夜里|凌晨)?|(早上|早晨|晚上)都"
);
rule!(HAN_DAY_RANGE = r"每?个?(?:周|星期|礼拜)([一二三四五六日天])\s*(?:到|至|-|~|—)\s*(?:周|星期|礼拜)?([一二三四五六日天])");
rule!(HAN_DAYS = r"每个?(?:周|星期|礼拜)([一二三四五六日天](?:\s*[、,，和与及]?\s*(?:每?个?(?:周|星期|礼拜))?[一二三四五六日天])*)");
rule!(HAN_DAY = r"(下个?|这个?|本)?(?:周|星期|礼拜)([一二三四五六日天](?:\s*[、和与及]\s*(?:周|星期|礼拜)[一二三四五六日天])*)");
rule!(
    HAN_RELATIVE_DAY =
        r"(大后天|后天|明天|今天|今晚|明晚|明早|今早|今日|明日)(?:的)?\s*(早上|早晨|清晨|上午|中午|下午|傍晚|晚上|夜里|凌晨)?"
);
rule!(
    HAN_AFTER = concat!(
        r"(?:再?过\s*)?(?:(半)|",
        han!(),
        r")\s*个?(半)?\s*(秒钟?|分钟|刻钟|小时|钟头|天)(半)?\s*(?:之后|以后|后)|过\s*(?:(半)|",
        han!(),
        r")\s*个?\s*(分钟|小时|钟头)"
    )
);
rule!(HAN_DATE = r"(?:在|于)?(?:(\d{4})\s*年\s*)?(\d{1,2})\s*月\s*(\d{1,2})\s*[日号]?");

rule!(ZONE_HAN = r"(?:[，,（(]\s*)?(?:按照?|用|以)?([\p{Han}]{2,5}|[A-Za-z]+)\s*(?:当地)?(?:时间|时区)[)）]?");
rule!(
    ZONE_AFTER = r"(?i)(?:\b(?:in|on|at)\s+)?(?:\b(?:the\s+)?)?((?:[A-Za-z]+/[A-Za-z_/]+)|[A-Za-z][A-Za-z.]+(?:\s[A-Za-z]+)?|UTC\s?[+-]\d{1,2})(?:'s)?\s+(?:local\s+)?(?:time(?:\s?zone)?)\b"
);
rule!(
    ZONE_NAMED =
        r"(?i)[,(]?\s*\b(?:time\s?zone|tz|时区)\s*(?:is|of|=|:|为|是|用)?\s*((?:[A-Za-z]+/[A-Za-z_/]+)|[A-Za-z]+|UTC\s?[+-]\d{1,2})\)?"
);
rule!(
    ZONE_BARE = r"(?:\b(?:in|on)\s+)?\b((?:Africa|America|Antarctica|Asia|Atlantic|Australia|Europe|Indian|Pacific|Etc)/[A-Za-z_/]+|UTC\s?[+-]\s?\d{1,2}|UTC|GMT|CET|CEST|EST|EDT|PST|PDT|MST|MDT|CST|CDT|JST|BST|IST|KST)\b"
);

/// Reads all of it and cuts it out.
pub(super) fn take(said: &mut Said) -> When {
    let mut when = When::default();
    cron(said, &mut when);
    zone(said, &mut when);
    let part = chinese(said, &mut when).or_else(|| english(said, &mut when));
    // A relative time needs no other.
    if !matches!(when.once, Some(Day::In { .. })) {
        when.times = clock::take(said, part.as_deref());
    }
    if when.times.is_empty()
        && let Some(time) = part.as_deref().filter(|_| when.daily || !when.days.is_empty() || when.once.is_some()).and_then(clock::usual)
    {
        when.times.push(time);
    }
    when
}

fn cron(said: &mut Said, when: &mut When) {
    if let Some(groups) = said.take(&CRON_PLAIN).or_else(|| said.take(&CRON_NAME)) {
        when.cron = groups.get(1).cloned().flatten().map(|text| text.trim().to_owned());
        return;
    }
    let quoted = |said: &Said, mask: char| said.meaning(mask).filter(|text| CRON_BODY.find(text.trim()).is_some()).map(str::to_owned);
    if let Some(captures) = CRON_QUOTED.find(&said.text)
        && let (Some(whole), Some(mask)) =
            (captures.get(0).map(|whole| whole.range()), captures.get(1).and_then(|mask| mask.as_str().chars().next()))
        && let Some(cron) = quoted(said, mask)
    {
        when.cron = Some(cron);
        said.cut(whole);
        return;
    }
    // A quoted piece of five fields with a star is nothing else.
    let bare =
        said.masks(Kind::Quoted).into_iter().find_map(|mask| quoted(said, mask).filter(|text| text.contains('*')).map(|cron| (mask, cron)));
    if let Some((mask, cron)) = bare
        && let Some(at) = said.text.find(mask)
    {
        when.cron = Some(cron);
        said.cut(at..at + mask.len_utf8());
    }
}

/// The IANA name of a place, abbreviation or offset.
pub(super) fn zone_name(text: &str) -> Option<String> {
    let text = text.trim();
    if let Some(found) = zones::find(text) {
        return Some(found);
    }
    let seconds = zones::offset(&text.replace(' ', ""))?.seconds();
    // The names of `Etc` count westwards.
    (seconds % 3_600 == 0).then(|| format!("Etc/GMT{:+}", -(seconds / 3_600)))
}

fn zone(said: &mut Said, when: &mut When) {
    for rule in [&ZONE_NAMED, &ZONE_AFTER, &ZONE_HAN, &ZONE_BARE] {
        let mut from = 0;
        while let Some(captures) = said.text.get(from..).and_then(|text| rule.find(text)) {
            let (Some(whole), Some(name)) = (captures.get(0), captures.get(1)) else { break };
            // `at 9 in Berlin time`, `every day Berlin time`: the last words of what is before `time`, or their ends.
            let words: Vec<&str> = name.as_str().split(' ').collect();
            let found = zone_name(name.as_str())
                .map(|zone| (whole.start(), zone))
                .or_else(|| {
                    let last = words.last().filter(|_| words.len() > 1)?;
                    zone_name(last).map(|zone| (name.start() + name.as_str().len() - last.len(), zone))
                })
                .or_else(|| {
                    let (at, _) = name.as_str().char_indices().rev().filter(|_| rule_is_han(name.as_str())).nth(1)?;
                    zone_name(&name.as_str()[at..]).map(|zone| (name.start() + at, zone))
                });
            if let Some((start, zone)) = found {
                let range = from + start..from + whole.end();
                when.zone = Some(zone);
                said.cut(range);
                return;
            }
            from += name.end();
        }
    }
}

fn rule_is_han(text: &str) -> bool {
    text.chars().all(crate::llm::offline::words::is_han)
}

/// Minutes of a unit.
fn minutes(unit: &str) -> f64 {
    match unit.to_lowercase().as_str() {
        "second" | "seconds" | "sec" | "secs" | "s" | "秒" | "秒钟" => 1.0 / 60.0,
        "hour" | "hours" | "hr" | "hrs" | "h" | "小时" | "钟头" => 60.0,
        "day" | "days" | "天" | "日" => 1_440.0,
        "week" | "weeks" | "周" | "星期" => 10_080.0,
        "刻钟" => 15.0,
        _ => 1.0,
    }
}

fn set_every(when: &mut When, count: f64, unit: &str) {
    let total = count * minutes(unit);
    if !total.is_finite() || total <= 0.0 {
        return;
    }
    if (total - 1_440.0).abs() < f64::EPSILON && minutes(unit) >= 1_440.0 {
        when.daily = true;
    } else if (total - 10_080.0).abs() < f64::EPSILON && minutes(unit) >= 10_080.0 {
        when.weekly = true;
    } else {
        when.every = Some(total);
    }
}

pub(super) type Groups = Vec<Option<String>>;

pub(super) fn text_of(groups: &Groups, at: usize) -> Option<&str> {
    groups.get(at).and_then(Option::as_deref)
}

/// Intervals and days in English; the part of the day that was named.
fn english(said: &mut Said, when: &mut When) -> Option<String> {
    monthly(said, when);
    let mut part = None;
    if let Some(groups) = said.take(&ONCE_EVERY) {
        set_every(when, text_of(&groups, 1).and_then(number).unwrap_or(1.0), text_of(&groups, 2).unwrap_or_default());
    } else if let Some(groups) = said.take(&TIMES_PER) {
        let times = match text_of(&groups, 1).map(str::to_lowercase).as_deref() {
            Some("once") => 1.0,
            Some("twice") => 2.0,
            Some("thrice") => 3.0,
            _ => text_of(&groups, 2).and_then(number).unwrap_or(1.0),
        };
        set_every(when, 1.0 / times.max(1.0), text_of(&groups, 3).unwrap_or_default());
    } else if let Some(groups) = said.take(&AND_HALF) {
        let unit = text_of(&groups, 1).or(text_of(&groups, 3)).unwrap_or("hour").to_owned();
        set_every(when, text_of(&groups, 2).and_then(number).unwrap_or(1.0) + 0.5, &unit);
    } else if said.take(&HALF_HOUR).is_some() {
        when.every = Some(30.0);
    } else if said.take(&QUARTER).is_some() {
        when.every = Some(15.0);
    } else if let Some(groups) = said.take(&DASHED).or_else(|| said.take(&EVERY)) {
        set_every(when, text_of(&groups, 1).and_then(number).unwrap_or(1.0), text_of(&groups, 2).unwrap_or_default());
    } else if let Some(groups) = said.take(&HOURLY) {
        when.every = Some(if text_of(&groups, 0).is_some_and(|text| text.contains("minute")) { 1.0 } else { 60.0 });
    }
    english_days(said, when);
    if let Some(groups) = said.take(&DAY_PART) {
        when.daily = when.days.is_empty();
        part = text_of(&groups, 5).map(str::to_owned).or_else(|| (1..=4).find_map(|at| text_of(&groups, at).map(str::to_owned)));
    }
    if said.take(&WEEKLY).is_some() {
        when.weekly = true;
    }
    if !when.repeats() || when.weekly {
        part = english_once(said, when).or(part);
    }
    part.map(|part| part.to_lowercase().trim_end_matches('s').to_owned())
}

fn monthly(said: &mut Said, when: &mut When) {
    if let Some(groups) = said.take(&MONTHLY) {
        when.month_day = (1..=4).find_map(|at| text_of(&groups, at)).and_then(|day| day.parse().ok()).filter(|day| (1..=31).contains(day));
    } else if said.take(&FIRST_OF_MONTH).is_some() {
        when.month_day = Some(1);
    }
}

fn english_days(said: &mut Said, when: &mut When) {
    let index = |name: &str| DAYS.iter().position(|day| name.get(..3).is_some_and(|start| day.starts_with(&start.to_lowercase())));
    if let Some(groups) = said.take(&DAY_RANGE)
        && let (Some(from), Some(to)) = (text_of(&groups, 1).and_then(index), text_of(&groups, 2).and_then(index))
    {
        when.days = range_of_days(from, to);
    }
    if said.take(&WEEKDAYS).is_some() {
        when.days = (0..5).collect();
    }
    if said.take(&WEEKENDS).is_some() {
        when.days.extend([5, 6]);
    }
    if let Some(groups) = said.take(&DAY_ONCE)
        && let Some(day) = text_of(&groups, 2).and_then(index)
    {
        when.once = Some(Day::Weekday { day, next: text_of(&groups, 1).is_some_and(|word| word.eq_ignore_ascii_case("next")) });
        return;
    }
    let list = |groups: &Groups, at: usize| -> Vec<usize> {
        let text = text_of(groups, at).unwrap_or_default().to_owned();
        DAY_NAME.as_ref().map(|rule| rule.find_iter(&text).filter_map(|name| index(name.as_str())).collect()).unwrap_or_default()
    };
    if let Some(groups) = said.take(&DAY_LIST) {
        let days = list(&groups, 2);
        let names = text_of(&groups, 2).unwrap_or_default().to_lowercase();
        let again = text_of(&groups, 1).is_some_and(|word| !word.eq_ignore_ascii_case("on")) || names.contains("days") || days.len() > 1;
        match days.as_slice() {
            [day] if !again => when.once = Some(Day::Weekday { day: *day, next: false }),
            _ => when.days.extend(days),
        }
    } else if let Some(groups) = said.take(&DAY_PLURAL) {
        when.days.extend(list(&groups, 1));
    }
    tidy(&mut when.days);
}

fn tidy(days: &mut Vec<usize>) {
    days.sort_unstable();
    days.dedup();
}

fn range_of_days(from: usize, to: usize) -> Vec<usize> {
    let length = (to + 7 - from) % 7;
    let mut days: Vec<usize> = (0..=length).map(|offset| (from + offset) % 7).collect();
    tidy(&mut days);
    days
}

fn english_once(said: &mut Said, when: &mut When) -> Option<String> {
    if let Some(groups) = said.take(&FROM_NOW) {
        let seconds = text_of(&groups, 1).and_then(number).unwrap_or(1.0) * minutes(text_of(&groups, 2).unwrap_or_default()) * 60.0;
        when.once = Day::after(seconds);
    } else if let Some(groups) = said.take(&IN_TIME) {
        let minutes = match text_of(&groups, 1).map(str::to_lowercase).as_deref() {
            Some("an hour and a half") => 90.0,
            Some("half an hour") => 30.0,
            Some("a quarter of an hour") => 15.0,
            Some(_) => 45.0,
            None => text_of(&groups, 2).and_then(number).unwrap_or(1.0) * minutes(text_of(&groups, 3).unwrap_or_default()),
        };
        when.once = Day::after(minutes * 60.0);
    } else if let Some(groups) = said.take(&TOMORROW) {
        let word = text_of(&groups, 1).unwrap_or_default().to_lowercase();
        let days = if word.contains("after") { 2 } else { i64::from(word == "tomorrow") };
        when.once = Some(Day::From(days));
        let part = if word == "tonight" { Some("evening") } else { word.strip_prefix("this ") };
        return text_of(&groups, 2).or(part).map(str::to_owned);
    } else if let Some(groups) = said.take(&ISO_DATE) {
        when.once = date(text_of(&groups, 1), text_of(&groups, 2), text_of(&groups, 3));
    } else if let Some(groups) = said.take(&NAMED_DATE) {
        let month = text_of(&groups, 2).or(text_of(&groups, 3)).unwrap_or_default().to_lowercase();
        let months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
        let month = months.iter().position(|name| month.starts_with(name)).map(|at| (at + 1).to_string());
        when.once = date(text_of(&groups, 5), month.as_deref(), text_of(&groups, 1).or(text_of(&groups, 4)));
    }
    None
}

fn date(year: Option<&str>, month: Option<&str>, day: Option<&str>) -> Option<Day> {
    let (month, day): (i8, i8) = (month?.parse().ok()?, day?.parse().ok()?);
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then(|| Day::Date { year: year.and_then(|year| year.parse().ok()), month, day })
}

/// Intervals and days in Chinese; the part of the day that was named.
fn chinese(said: &mut Said, when: &mut When) -> Option<String> {
    let index = |name: char| "一二三四五六日".chars().position(|day| day == if name == '天' { '日' } else { name });
    monthly_han(said, when);
    let mut part = None;
    if let Some(groups) = said.take(&HAN_DAY_RANGE) {
        let ends: Vec<usize> = (1..=2).filter_map(|at| text_of(&groups, at)?.chars().next().and_then(index)).collect();
        if let [from, to] = ends.as_slice() {
            when.days = range_of_days(*from, *to);
        }
    } else if let Some(groups) = said.take(&HAN_DAYS) {
        when.days = text_of(&groups, 1).unwrap_or_default().chars().filter_map(index).collect();
    } else if let Some(groups) = said.take(&HAN_DAY) {
        let days: Vec<usize> = text_of(&groups, 2).unwrap_or_default().chars().filter_map(index).collect();
        match days.as_slice() {
            [day] => {
                let next = text_of(&groups, 1).is_some_and(|word| word.starts_with('下'));
                when.once = Some(Day::Weekday { day: *day, next });
            }
            _ => when.days = days,
        }
    }
    tidy(&mut when.days);
    if let Some(groups) = said.take(&HAN_PER) {
        let times = text_of(&groups, 2).and_then(number).unwrap_or(1.0);
        set_every(when, 1.0 / times.max(1.0), text_of(&groups, 1).unwrap_or_default());
    } else if let Some(groups) = said.take(&HAN_ONCE_IN) {
        let count = if text_of(&groups, 1).is_some() { 0.5 } else { text_of(&groups, 2).and_then(number).unwrap_or(1.0) };
        // `每隔十分钟检查一次`: the word before went unread.
        said.text = said.text.replace(&format!("每隔 {HOLE}"), &HOLE.to_string()).replace(&format!("每 {HOLE}"), &HOLE.to_string());
        set_every(when, count, text_of(&groups, 3).unwrap_or_default());
    } else if let Some(groups) = said.take(&HAN_HALF) {
        let unit = text_of(&groups, 2).unwrap_or("小时").to_owned();
        set_every(when, if text_of(&groups, 3).is_some() { 0.25 } else { 0.5 }, &unit);
    } else if let Some(groups) = said.take(&HAN_AND_HALF) {
        set_every(when, text_of(&groups, 1).and_then(number).unwrap_or(0.0) + 0.5, "小时");
    } else if let Some(groups) = said.take(&HAN_DAILY) {
        when.daily = when.days.is_empty();
        part = (1..=3).find_map(|at| text_of(&groups, at).map(str::to_owned));
    } else if let Some(groups) = said.take(&HAN_EVERY) {
        set_every(when, text_of(&groups, 1).and_then(number).unwrap_or(1.0), text_of(&groups, 2).unwrap_or_default());
    }
    if !when.repeats() {
        part = chinese_once(said, when).or(part);
    }
    part
}

fn monthly_han(said: &mut Said, when: &mut When) {
    if said.text.contains("每月") || said.text.contains("每个月") {
        monthly(said, when);
    }
}

fn chinese_once(said: &mut Said, when: &mut When) -> Option<String> {
    if let Some(groups) = said.take(&HAN_AFTER) {
        let half = text_of(&groups, 1).or(text_of(&groups, 6)).is_some();
        let count = if half { 0.5 } else { text_of(&groups, 2).or(text_of(&groups, 7)).and_then(number).unwrap_or(1.0) };
        let more = if text_of(&groups, 3).or(text_of(&groups, 5)).is_some() { 0.5 } else { 0.0 };
        let unit = text_of(&groups, 4).or(text_of(&groups, 8)).unwrap_or("分钟");
        when.once = Day::after((count + more) * minutes(unit) * 60.0);
    } else if let Some(groups) = said.take(&HAN_RELATIVE_DAY) {
        let word = text_of(&groups, 1).unwrap_or_default();
        let days = if word == "大后天" {
            3
        } else if word == "后天" {
            2
        } else {
            i64::from(word.starts_with('明'))
        };
        when.once = Some(Day::From(days));
        let part = word.ends_with('晚').then_some("晚上").or_else(|| word.ends_with('早').then_some("早上"));
        return text_of(&groups, 2).or(part).map(str::to_owned);
    } else if let Some(groups) = said.take(&HAN_DATE) {
        when.once = date(text_of(&groups, 1), text_of(&groups, 2), text_of(&groups, 3));
    }
    None
}
