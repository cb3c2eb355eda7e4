//! Which place and how many days somebody asks the weather of.

use serde_json::json;

use crate::llm::offline::slots::{Found, args, rule};
use crate::llm::offline::words::Part;

rule!(
    ABOUT = r"(?i)\b(?:weather|forecast|temperature|rain(?:ing|y)?|snow(?:ing|y)?|sunny|umbrella|storm(?:y)?|windy|humid(?:ity)?|how (?:hot|cold|warm))\b|天气|气温|下雨|下雪|有雨|有雪|雨伞|带伞|冷不冷|热不热|刮风|温度|几度"
);
rule!(
    OTHER = r"(?i)\b(?:cpu|gpu|processor|disk|model|file|files|task|tasks|every|each|daily|remind|notify|watch|monitor|alert|when(?:ever)?|if)\b|处理器|文件|任务|提醒|每|监控|通知|如果"
);
rule!(
    EN_PLACE = r"(?i)\b(?:in|for|at|of|near|around)\s+(?:the\s+)?((?:[\p{L}][\p{L}.'’-]*|\d{1,3}(?:\.\d+)?|-\d{1,3}(?:\.\d+)?)(?:(?:\s*,\s*|\s+)(?:[\p{L}][\p{L}.'’-]*|-?\d{1,3}(?:\.\d+)?))*)"
);
rule!(
    EN_BEFORE = r"^(?:(?:the|what's|whats|what is|show|get|me|check|please|tell)\s+)*((?:\p{Lu}[\p{L}.'’-]*)(?:[\s,]+\p{Lu}[\p{L}.'’-]*)*?)(?:'s|’s)?\s+(?i:weather|forecast|temperature)\b"
);
rule!(POSITION = r"(-?\d{1,2}(?:\.\d+)?\s*,\s*-?\d{1,3}(?:\.\d+)?)");
rule!(
    HAN_PLACE = r"^(?:请问|请|帮我|给我|告诉我|查一下|查查|查询|查|看一下|看看|看|我想知道|想知道|现在|今天|明天|后天|大后天|这周|本周|这个?周末|周末|未来[一二三四五六七八九十\d]+天|最近|的|在|，|,|\s)*([\p{Han}A-Za-z][\p{Han}A-Za-z·\s]*?)(?:市|那边|这边)?(?:的|现在|今天|明天|后天|大后天|今晚|这周|本周|下周|这个?周末|周末|未来[一二三四五六七八九十两\d]+天|最近|[一二三四五六七八九十两\d]+天|会不会|会|要|有没有|，|,|\s)*(?:天气|气温|温度|下雨|下雪|有雨|有雪|冷|热|带伞|带雨伞|刮风|几度)"
);
rule!(
    DAYS = r"(?i)\b(?:next|coming|for|following)?\s*(\d{1,2})[\s-]*days?\b|(?:未来|接下来|今后)?\s*(\d{1,2}|[一二两三四五六七八九十])\s*天"
);

/// Words after which the name of a place has ended.
const ENDS: &[&str] = &[
    "today",
    "tomorrow",
    "tonight",
    "now",
    "right",
    "this",
    "next",
    "for",
    "on",
    "over",
    "during",
    "please",
    "like",
    "in",
    "at",
    "the",
    "and",
    "or",
    "day",
    "days",
    "week",
    "weekend",
    "with",
    "using",
    "currently",
    "is",
    "be",
    "going",
    "to",
    "later",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "weather",
    "forecast",
    "celsius",
    "fahrenheit",
    "coming",
    "following",
];

/// What is no name of a place.
const NO_PLACES: &[&str] = &["me", "my", "here", "city", "town", "area", "it", "a", "an", "general", "case"];

/// `what's the weather in Paris tomorrow`, `北京天气怎么样`.
pub(in crate::llm::offline) fn weather(part: &Part) -> Option<Found> {
    let raw = part.raw.as_str();
    if ABOUT.find(raw).is_none() || OTHER.find(raw).is_some() || !part.paths().is_empty() || raw.len() > 300 {
        return None;
    }
    let place = position(raw).or_else(|| han(raw)).or_else(|| english(raw));
    // `rain` and `snow` alone are subjects of many things.
    let firm = raw.to_lowercase();
    if place.is_none() && !["weather", "forecast", "天气", "气温"].iter().any(|word| firm.contains(word)) {
        return None;
    }
    let mut call = args(&[]);
    if let Some(place) = place {
        call.insert("location".to_owned(), json!(place));
    }
    if let Some(days) = days(raw) {
        call.insert("days".to_owned(), json!(days));
    }
    if ["fahrenheit", "imperial", "华氏"].iter().any(|word| firm.contains(word)) {
        call.insert("units".to_owned(), json!("imperial"));
    } else if ["celsius", "metric", "摄氏"].iter().any(|word| firm.contains(word)) {
        call.insert("units".to_owned(), json!("metric"));
    }
    Some(Found { calls: vec![call], takes_rest: true, ..Found::default() })
}

fn position(raw: &str) -> Option<String> {
    let found = POSITION.find(raw)?.get(1)?;
    Some(found.as_str().split_whitespace().collect())
}

fn english(raw: &str) -> Option<String> {
    let mut from = 0;
    // The last place that is named counts: `in general, the weather in Paris`.
    let mut last = None;
    while let Some(found) =
        raw.get(from..).and_then(|rest| EN_PLACE.find(rest)?.get(1).map(|found| (found.start(), found.as_str().to_owned())))
    {
        from += found.0;
        last = trimmed(&found.1).or(last);
        from += found.1.find(char::is_whitespace).unwrap_or(found.1.len()).max(1);
        while !raw.is_char_boundary(from) {
            from += 1;
        }
    }
    last.or_else(|| EN_BEFORE.find(raw)?.get(1).and_then(|found| trimmed(found.as_str())))
}

/// The words up to one that ends a name.
fn trimmed(text: &str) -> Option<String> {
    let mut words = Vec::new();
    for word in text.split_whitespace() {
        let bare = word.trim_end_matches([',', '.', '?']).to_lowercase();
        if ENDS.contains(&bare.as_str()) {
            break;
        }
        words.push(word);
        if word.ends_with('.') && bare.len() > 3 {
            break;
        }
    }
    let name = words.join(" ").trim_matches([',', '.', ' ', '?']).trim_end_matches("'s").to_owned();
    let known = NO_PLACES.contains(&name.to_lowercase().as_str());
    (!known && name.chars().any(char::is_alphabetic)).then_some(name)
}

fn han(raw: &str) -> Option<String> {
    if !raw.chars().any(crate::llm::offline::words::is_han) {
        return None;
    }
    let name = HAN_PLACE.find(raw)?.get(1)?.as_str().trim();
    let name = ["今天", "明天", "后天", "现在", "这周", "本周", "下周", "周末", "最近", "今晚"]
        .iter()
        .fold(name, |name, word| name.trim_end_matches(word).trim_start_matches(word));
    let name = name.trim_matches(['的', ' ', '，']);
    let unfit = name.is_empty() || ["这里", "这边", "外面", "当地", "我", "本地", "一下"].contains(&name);
    (!unfit && name.chars().count() <= 20).then(|| name.to_owned())
}

fn days(raw: &str) -> Option<u8> {
    let lower = raw.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if let Some(found) = DAYS.find(raw)
        && let Some(count) = found.iter().skip(1).flatten().next()
    {
        let han = ["一", "二", "三", "四", "五", "六", "七", "八", "九", "十"];
        let number = count.as_str().parse().ok().or_else(|| {
            let digit = if count.as_str() == "两" { "二" } else { count.as_str() };
            han.iter().position(|known| *known == digit).and_then(|at| u8::try_from(at + 1).ok())
        });
        return number.map(|days: u8| days.clamp(1, 16));
    }
    if has(&["day after tomorrow", "后天"]) {
        return Some(if lower.contains("大后天") { 4 } else { 3 });
    }
    if has(&["tomorrow", "明天"]) {
        return Some(2);
    }
    if has(&["week", "周", "星期"]) {
        return Some(7);
    }
    if has(&["right now", "today", "tonight", "今天", "今晚"]) {
        return Some(1);
    }
    None
}
