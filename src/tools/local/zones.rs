//! Time zones by the names people use: cities in English and Chinese, abbreviations, offsets, IANA names.

use std::collections::HashMap;
use std::sync::LazyLock;

use jiff::tz::Offset;

use crate::domain::text::clean_line;

/// Places that are no IANA name of their own, and Chinese names: name in small letters, IANA zone.
const PLACES: &[(&str, &str)] = &[
    ("beijing", "Asia/Shanghai"),
    ("shenzhen", "Asia/Shanghai"),
    ("guangzhou", "Asia/Shanghai"),
    ("hangzhou", "Asia/Shanghai"),
    ("chengdu", "Asia/Shanghai"),
    ("wuhan", "Asia/Shanghai"),
    ("nanjing", "Asia/Shanghai"),
    ("china", "Asia/Shanghai"),
    ("japan", "Asia/Tokyo"),
    ("osaka", "Asia/Tokyo"),
    ("kyoto", "Asia/Tokyo"),
    ("korea", "Asia/Seoul"),
    ("south korea", "Asia/Seoul"),
    ("busan", "Asia/Seoul"),
    ("taiwan", "Asia/Taipei"),
    ("india", "Asia/Kolkata"),
    ("mumbai", "Asia/Kolkata"),
    ("delhi", "Asia/Kolkata"),
    ("new delhi", "Asia/Kolkata"),
    ("bangalore", "Asia/Kolkata"),
    ("bengaluru", "Asia/Kolkata"),
    ("chennai", "Asia/Kolkata"),
    ("hanoi", "Asia/Bangkok"),
    ("saigon", "Asia/Ho_Chi_Minh"),
    ("bali", "Asia/Makassar"),
    ("abu dhabi", "Asia/Dubai"),
    ("tel aviv", "Asia/Jerusalem"),
    ("san francisco", "America/Los_Angeles"),
    ("silicon valley", "America/Los_Angeles"),
    ("la", "America/Los_Angeles"),
    ("seattle", "America/Los_Angeles"),
    ("san diego", "America/Los_Angeles"),
    ("las vegas", "America/Los_Angeles"),
    ("california", "America/Los_Angeles"),
    ("portland", "America/Los_Angeles"),
    ("washington", "America/New_York"),
    ("washington dc", "America/New_York"),
    ("nyc", "America/New_York"),
    ("boston", "America/New_York"),
    ("miami", "America/New_York"),
    ("atlanta", "America/New_York"),
    ("philadelphia", "America/New_York"),
    ("dallas", "America/Chicago"),
    ("houston", "America/Chicago"),
    ("austin", "America/Chicago"),
    ("texas", "America/Chicago"),
    ("montreal", "America/Toronto"),
    ("ottawa", "America/Toronto"),
    ("calgary", "America/Edmonton"),
    ("rio", "America/Sao_Paulo"),
    ("rio de janeiro", "America/Sao_Paulo"),
    ("brasilia", "America/Sao_Paulo"),
    ("uk", "Europe/London"),
    ("england", "Europe/London"),
    ("scotland", "Europe/London"),
    ("edinburgh", "Europe/London"),
    ("manchester", "Europe/London"),
    ("germany", "Europe/Berlin"),
    ("munich", "Europe/Berlin"),
    ("frankfurt", "Europe/Berlin"),
    ("hamburg", "Europe/Berlin"),
    ("cologne", "Europe/Berlin"),
    ("france", "Europe/Paris"),
    ("lyon", "Europe/Paris"),
    ("spain", "Europe/Madrid"),
    ("barcelona", "Europe/Madrid"),
    ("italy", "Europe/Rome"),
    ("milan", "Europe/Rome"),
    ("geneva", "Europe/Zurich"),
    ("bern", "Europe/Zurich"),
    ("switzerland", "Europe/Zurich"),
    ("kyiv", "Europe/Kyiv"),
    ("st petersburg", "Europe/Moscow"),
    ("canberra", "Australia/Sydney"),
    ("wellington", "Pacific/Auckland"),
    ("new zealand", "Pacific/Auckland"),
    ("hawaii", "Pacific/Honolulu"),
    ("cape town", "Africa/Johannesburg"),
    ("pst", "America/Los_Angeles"),
    ("pdt", "America/Los_Angeles"),
    ("pacific time", "America/Los_Angeles"),
    ("mst", "America/Denver"),
    ("cst", "America/Chicago"),
    ("cdt", "America/Chicago"),
    ("est", "America/New_York"),
    ("edt", "America/New_York"),
    ("eastern time", "America/New_York"),
    ("bst", "Europe/London"),
    ("cet", "Europe/Paris"),
    ("cest", "Europe/Paris"),
    ("ist", "Asia/Kolkata"),
    ("jst", "Asia/Tokyo"),
    ("kst", "Asia/Seoul"),
    ("utc", "UTC"),
    ("gmt", "UTC"),
    ("zulu", "UTC"),
    ("北京", "Asia/Shanghai"),
    ("上海", "Asia/Shanghai"),
    ("深圳", "Asia/Shanghai"),
    ("广州", "Asia/Shanghai"),
    ("中国", "Asia/Shanghai"),
    ("香港", "Asia/Hong_Kong"),
    ("台北", "Asia/Taipei"),
    ("台湾", "Asia/Taipei"),
    ("东京", "Asia/Tokyo"),
    ("大阪", "Asia/Tokyo"),
    ("日本", "Asia/Tokyo"),
    ("首尔", "Asia/Seoul"),
    ("韩国", "Asia/Seoul"),
    ("新加坡", "Asia/Singapore"),
    ("曼谷", "Asia/Bangkok"),
    ("泰国", "Asia/Bangkok"),
    ("雅加达", "Asia/Jakarta"),
    ("吉隆坡", "Asia/Kuala_Lumpur"),
    ("马尼拉", "Asia/Manila"),
    ("新德里", "Asia/Kolkata"),
    ("孟买", "Asia/Kolkata"),
    ("印度", "Asia/Kolkata"),
    ("迪拜", "Asia/Dubai"),
    ("伊斯坦布尔", "Europe/Istanbul"),
    ("莫斯科", "Europe/Moscow"),
    ("伦敦", "Europe/London"),
    ("英国", "Europe/London"),
    ("巴黎", "Europe/Paris"),
    ("法国", "Europe/Paris"),
    ("柏林", "Europe/Berlin"),
    ("德国", "Europe/Berlin"),
    ("法兰克福", "Europe/Berlin"),
    ("慕尼黑", "Europe/Berlin"),
    ("罗马", "Europe/Rome"),
    ("意大利", "Europe/Rome"),
    ("马德里", "Europe/Madrid"),
    ("西班牙", "Europe/Madrid"),
    ("阿姆斯特丹", "Europe/Amsterdam"),
    ("苏黎世", "Europe/Zurich"),
    ("纽约", "America/New_York"),
    ("华盛顿", "America/New_York"),
    ("波士顿", "America/New_York"),
    ("芝加哥", "America/Chicago"),
    ("洛杉矶", "America/Los_Angeles"),
    ("旧金山", "America/Los_Angeles"),
    ("西雅图", "America/Los_Angeles"),
    ("硅谷", "America/Los_Angeles"),
    ("多伦多", "America/Toronto"),
    ("温哥华", "America/Vancouver"),
    ("圣保罗", "America/Sao_Paulo"),
    ("悉尼", "Australia/Sydney"),
    ("墨尔本", "Australia/Melbourne"),
    ("奥克兰", "Pacific/Auckland"),
    ("开罗", "Africa/Cairo"),
    ("夏威夷", "Pacific/Honolulu"),
];

/// The most close names that [`near`] gives.
const NEAR_MAX: usize = 3;

/// How alike a name must be to count as close, from 0 to 1.
const NEAR_LEAST: f64 = 0.8;

/// All names in small letters with their zones: the places above, IANA names, and the cities in these.
static NAMES: LazyLock<HashMap<String, String>> = LazyLock::new(|| {
    let mut names: HashMap<String, String> = PLACES.iter().map(|(place, zone)| ((*place).to_owned(), (*zone).to_owned())).collect();
    let zones: Vec<String> = jiff::tz::db().available().map(|zone| zone.as_str().to_owned()).collect();
    for zone in &zones {
        names.entry(folded(zone)).or_insert_with(|| zone.clone());
    }
    // `Etc/GMT+8` means eight hours west: nobody who writes `gmt+8` means that.
    for zone in zones.iter().filter(|zone| zone.contains('/') && !zone.starts_with("Etc/")) {
        names.entry(folded(last(zone))).or_insert_with(|| zone.clone());
    }
    names
});

/// The IANA name of a city, region, abbreviation or IANA name, whatever its case.
pub fn find(name: &str) -> Option<String> {
    let name = folded(name);
    let city = || name.strip_suffix(" city").and_then(|city| NAMES.get(city));
    NAMES.get(&name).or_else(city).cloned()
}

/// Whether `name` is an IANA name, whatever its case.
pub fn is_zone(name: &str) -> bool {
    find(name).is_some_and(|zone| zone.eq_ignore_ascii_case(name))
}

/// The places that `text` speaks of, in its order: the longest names first where several begin at one word.
pub fn mentioned(text: &str) -> Vec<(std::ops::Range<usize>, String)> {
    let mut found: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    let lower = text.to_lowercase();
    // The ranges are those of `text`; where lowering moves bytes (rare capitals), nothing is found by range.
    if lower.len() != text.len() {
        return found;
    }
    for (place, zone) in PLACES.iter().filter(|(place, _)| !place.is_ascii()) {
        for (at, _) in lower.match_indices(place) {
            found.push((at..at + place.len(), (*zone).to_owned()));
        }
    }
    let words = words(&lower);
    let mut next = 0;
    while next < words.len() {
        let longest = (1..=WORDS_MAX).rev().filter(|count| next + count <= words.len()).find_map(|count| {
            let range = words[next].start..words[next + count - 1].end;
            let name = &lower[range.clone()];
            let plain = count > 1 || !COMMON.contains(&name);
            let fixed =
                || (name.starts_with("utc") || name.starts_with("gmt")).then(|| offset(name).map(|_| name.to_uppercase())).flatten();
            (plain && name.len() > 1).then(|| find(name).or_else(fixed)).flatten().map(|zone| (count, range, zone))
        });
        match longest {
            Some((count, range, zone)) => {
                next += count;
                found.push((range, zone));
            }
            None => next += 1,
        }
    }
    found.sort_by_key(|(range, _)| range.start);
    found
}

/// Words that are zones as well (`est`, `la`, `MET`, islands) but mean something else in most sentences.
const COMMON: &[&str] = &[
    "la",
    "met",
    "eat",
    "center",
    "central",
    "east",
    "west",
    "north",
    "south",
    "navajo",
    "cuba",
    "rio",
    "general",
    "now",
    "easter",
    "universal",
    "local",
    "factory",
];

/// The most words in the name of a place.
const WORDS_MAX: usize = 3;

fn words(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, ch) in text.char_indices().chain(std::iter::once((text.len(), ' '))) {
        let inside =
            ch.is_ascii_alphanumeric() || (matches!(ch, '/' | '_' | '+' | '-') && start.is_some()) || (ch.is_alphabetic() && !is_han(ch));
        match (inside, start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                found.push(from..at);
                start = None;
            }
            _ => {}
        }
    }
    found
}

fn is_han(ch: char) -> bool {
    matches!(ch, '\u{3400}'..='\u{9fff}')
}

/// Close names for one that is unknown.
pub fn near(name: &str) -> Vec<String> {
    let name = folded(name);
    let alike = |zone: &str| strsim::jaro_winkler(&folded(last(zone)), &name);
    let mut close: Vec<(f64, String)> = jiff::tz::db()
        .available()
        .filter(|zone| zone.as_str().contains('/'))
        .map(|zone| (alike(zone.as_str()), zone.as_str().to_owned()))
        .filter(|(score, _)| *score >= NEAR_LEAST)
        .collect();
    close.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    close.into_iter().take(NEAR_MAX).map(|(_, zone)| zone).collect()
}

/// The offset of `UTC+8`, `GMT-3`, `+05:30`.
pub fn offset(name: &str) -> Option<Offset> {
    let name = name.trim().to_ascii_uppercase();
    let rest = name.strip_prefix("UTC").or_else(|| name.strip_prefix("GMT")).unwrap_or(&name).trim();
    let sign = match rest.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let (hours, minutes) = rest[1..].split_once(':').unwrap_or((&rest[1..], "0"));
    let (hours, minutes): (i32, i32) = (hours.trim().parse().ok()?, minutes.trim().parse().ok()?);
    ((0..=18).contains(&hours) && (0..60).contains(&minutes)).then(|| Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).ok())?
}

fn last(zone: &str) -> &str {
    zone.rsplit('/').next().unwrap_or(zone)
}

fn folded(name: &str) -> String {
    clean_line(name).to_lowercase().replace(['_', '.'], " ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_names_a_real_zone() {
        for (place, zone) in PLACES {
            assert!(jiff::tz::TimeZone::get(zone).is_ok(), "{place}: {zone}");
            assert_eq!(folded(place), *place);
        }
    }

    #[test]
    fn places_are_found_in_sentences() {
        let check = |text: &str, zones: &[&str]| {
            let found: Vec<String> = mentioned(text).into_iter().map(|(_, zone)| zone).collect();
            assert_eq!(found, zones, "{text}");
        };
        check("what time is it in Tokyo and New York?", &["Asia/Tokyo", "America/New_York"]);
        check("现在东京几点，伦敦呢", &["Asia/Tokyo", "Europe/London"]);
        check("time in Europe/Paris", &["Europe/Paris"]);
        check("what time is it", &[]);
        check("I met him at the center", &[]);
    }
}
