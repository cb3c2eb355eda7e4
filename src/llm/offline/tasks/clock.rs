//! Times of day, in English and Chinese.

use super::numbers::number;
use super::said::{HOLE, Said};
use super::when::{Groups, text_of};
use crate::llm::offline::slots::rule;

/// The most times of a day that one task may have.
const TIMES_MAX: usize = 6;

rule!(
    AT_WORDS = r"(?i)\b(?:at\s+|by\s+|around\s+)?(?:(half past|quarter past|quarter to)\s+(\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b|(?:\bat\s+)(noon|midday|midnight|lunchtime|lunch time)\b|(noon|midday|midnight)\b)(?:\s*([ap]m)\b)?"
);
rule!(AT_MERIDIEM = r"(?i)(?:\b(?:at|by|around|about|@)\s*)?\b(\d{1,2})(?:[:.](\d{2}))?\s*([ap]m)\b");
rule!(AT_CLOCK = r"(?i)(?:(?:\bat|\bby|\baround|@)\s*)?\b(\d{1,2}):(\d{2})(?::\d{2})?\b(?:\s*(?:o'?clock|hrs|h|z)\b)?");
rule!(
    AT_HOUR = r"(?i)(?:\bat|@)\s*(\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)(?:\s+(thirty|fifteen|forty-five|\d\d))?\b(?:\s*o'?\s?clock\b)?"
);
rule!(OCLOCK = r"(?i)\b(\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\s*o'?\s?clock\b");
rule!(
    AND_HOUR = r"(?i)^\s*\x{e800}\s*(?:,\s*and|,|and|&|or)\s+(?:at\s+)?(\d{1,2})(?::(\d{2}))?\s*([ap]m)?\b(?:\s*o'?clock)?\s*(?:$|[,.;]|\x{e800}|\b(?:every|each|on|by|to|in|with|via|text|and)\b)"
);
rule!(IN_THE = r"(?i)\b(?:in the\s+(morning|afternoon|evening|night)|at\s+(night))\b");
rule!(
    HAN_TIME = r"(?:在|于|到)?(凌晨|清晨|早上|早晨|早|上午|中午|下午|傍晚|晚上|晚间|晚|夜里|夜间|半夜|深夜)?的?\s*(?:(\d{1,2})\s*[:：]\s*(\d{2})|(\d{1,2}|十[一二]?|[一二两三四五六七八九]|二十[一二三]?)\s*(?:点钟?|时整|时(半|[二三四五]?十[一二三四五六七八九]?分|\d{1,2}分))(?:\s*(整|半|一刻|三刻|(?:\d{1,2}|[二三四五]?十[一二三四五六七八九]?)分?))?)"
);
rule!(
    HAN_TIMES_MORE = r"^\s*\x{e800}\s*(?:和|与|、|以及|还有)\s*(凌晨|早上|上午|中午|下午|傍晚|晚上)?(\d{1,2}|十[一二]?|[一二两三四五六七八九])\s*(?:点钟?|[:：](\d{2}))(半)?"
);
rule!(HAN_PART = r"(中午|正午|午夜|半夜)(?:时分|的时候)?");

/// Reads the times of day, in their order; `part` is the part of the day that was named with the day.
pub(super) fn take(said: &mut Said, part: Option<&str>) -> Vec<(u8, u8)> {
    let mut times: Vec<(u8, u8)> = Vec::new();
    while times.len() < TIMES_MAX {
        let start = said.text.clone();
        let Some(time) = (if times.is_empty() { first_time(said, part) } else { next_time(said, part) }) else { break };
        if !times.contains(&time) {
            times.push(time);
        }
        if said.text == start {
            break;
        }
    }
    times.sort_unstable();
    times
}

fn first_time(said: &mut Said, part: Option<&str>) -> Option<(u8, u8)> {
    let of_han = |groups: &Groups| {
        let minute = match text_of(groups, 6).or(text_of(groups, 5)) {
            Some("半") => 30,
            Some("一刻") => 15,
            Some("三刻") => 45,
            Some("整") | None => 0,
            Some(text) => small(text.trim_end_matches('分'))?,
        };
        let hour = small(text_of(groups, 2).or(text_of(groups, 4))?)?;
        let minute = text_of(groups, 3).and_then(small).unwrap_or(minute);
        clock(hour, minute, text_of(groups, 1).or(part))
    };
    // Latin times with `am` and `pm` first: `8:30pm` must not be read as `8:30`.
    let spoken = |said: &mut Said| said.take(&IN_THE).and_then(|groups| text_of(&groups, 1).or(text_of(&groups, 2)).map(str::to_owned));
    if let Some(groups) = said.take(&AT_WORDS) {
        if let Some(word) = text_of(&groups, 3).or(text_of(&groups, 4)) {
            return Some(if word.eq_ignore_ascii_case("midnight") { (0, 0) } else { (12, 0) });
        }
        let hour = small(text_of(&groups, 2)?)?;
        let (hour, minute) = match text_of(&groups, 1)?.to_lowercase().as_str() {
            "half past" => (hour, 30),
            "quarter past" => (hour, 15),
            _ => (hour.checked_sub(1).unwrap_or(23), 45),
        };
        let later = text_of(&groups, 5).map(str::to_owned).or_else(|| spoken(said));
        return clock(hour, minute, later.as_deref().or(part));
    }
    if let Some(groups) = said.take(&AT_MERIDIEM) {
        return clock(small(text_of(&groups, 1)?)?, text_of(&groups, 2).and_then(small).unwrap_or(0), text_of(&groups, 3));
    }
    if HAN_TIME.find(&said.text).is_some() && said.text.chars().any(crate::llm::offline::words::is_han) {
        return said.take(&HAN_TIME).as_ref().and_then(of_han);
    }
    for rule in [&AT_CLOCK, &AT_HOUR, &OCLOCK] {
        if let Some(groups) = said.take(rule) {
            let later = spoken(said);
            return clock(small(text_of(&groups, 1)?)?, text_of(&groups, 2).and_then(small).unwrap_or(0), later.as_deref().or(part));
        }
    }
    let groups = said.take(&HAN_PART)?;
    Some(if text_of(&groups, 1).is_some_and(|word| word.contains('夜')) { (0, 0) } else { (12, 0) })
}

/// `and 17` right behind a time that was read.
fn next_time(said: &mut Said, part: Option<&str>) -> Option<(u8, u8)> {
    let holes: Vec<usize> = said.text.match_indices(HOLE).map(|(at, _)| at).collect();
    for at in holes {
        let rest = said.text.get(at..)?;
        for rule in [&AND_HOUR, &HAN_TIMES_MORE] {
            let Some(captures) = rule.find(rest) else { continue };
            let text = |at: usize| captures.get(at).map(|group| group.as_str());
            let han = std::ptr::eq(rule, &raw const HAN_TIMES_MORE);
            let (hour, minute, half) = if han { (2, 3, text(4).is_some()) } else { (1, 2, false) };
            let minute = text(minute).and_then(small).unwrap_or(if half { 30 } else { 0 });
            let time = clock(small(text(hour)?)?, minute, if han { text(1).or(part) } else { text(3).or(part) })?;
            let end = (hour..captures.len()).filter_map(|at| captures.get(at)).map(|group| group.end()).max()?;
            let start = HOLE.len_utf8();
            said.cut(at + start..at + end);
            return Some(time);
        }
    }
    None
}

fn small(text: &str) -> Option<u8> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to lie between 0 and 99")]
    number(text).filter(|number| (0.0..100.0).contains(number)).map(|number| number as u8)
}

/// An hour and a minute by the part of the day that was named.
fn clock(hour: u8, minute: u8, part: Option<&str>) -> Option<(u8, u8)> {
    let part = part.map(str::to_lowercase).unwrap_or_default();
    let hour = match part.as_str() {
        "am" | "morning" | "凌晨" | "半夜" | "深夜" if hour == 12 => 0,
        "pm" | "afternoon" | "evening" | "下午" | "傍晚" if hour < 12 => hour + 12,
        "晚上" | "晚间" | "晚" | "夜里" | "夜间" | "深夜" | "night" | "nightly" if (5..12).contains(&hour) => hour + 12,
        "night" | "晚上" | "晚" | "夜里" if hour == 12 => 0,
        "中午" | "noon" if (1..4).contains(&hour) => hour + 12,
        _ => hour,
    };
    (hour < 24 && minute < 60).then_some((hour, minute))
}

/// The time of day that is meant where only its part is named.
pub(super) fn usual(part: &str) -> Option<(u8, u8)> {
    Some(match part {
        "morning" | "早上" | "早晨" | "清晨" | "早" => (8, 0),
        "上午" => (9, 0),
        "noon" | "lunchtime" | "中午" => (12, 0),
        "afternoon" | "下午" => (14, 0),
        "evening" | "傍晚" => (18, 0),
        "晚上" | "晚" | "晚间" | "夜晚" => (20, 0),
        "night" | "nightly" | "夜里" => (21, 0),
        "midnight" | "凌晨" => (0, 0),
        _ => return None,
    })
}
