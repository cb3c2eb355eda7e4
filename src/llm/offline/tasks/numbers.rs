//! Numbers as people say them: digits, words, Chinese characters, groups, `3k`, `9 万`.

/// English words for numbers.
const WORDS: &[(&str, f64)] = &[
    ("half a", 0.5),
    ("half an", 0.5),
    ("a", 1.0),
    ("an", 1.0),
    ("one", 1.0),
    ("two", 2.0),
    ("other", 2.0),
    ("second", 2.0),
    ("couple of", 2.0),
    ("a couple of", 2.0),
    ("three", 3.0),
    ("a few", 3.0),
    ("four", 4.0),
    ("five", 5.0),
    ("six", 6.0),
    ("seven", 7.0),
    ("eight", 8.0),
    ("nine", 9.0),
    ("ten", 10.0),
    ("eleven", 11.0),
    ("twelve", 12.0),
    ("fifteen", 15.0),
    ("twenty", 20.0),
    ("thirty", 30.0),
    ("forty", 40.0),
    ("forty-five", 45.0),
    ("forty five", 45.0),
    ("fifty", 50.0),
    ("sixty", 60.0),
    ("ninety", 90.0),
];

/// A number in digits, in an English word or in Chinese characters.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim().to_lowercase();
    if text.starts_with(|ch: char| ch.is_ascii_digit() || ch == '-' || ch == '.') {
        return text.replace(',', "").parse().ok().filter(|number: &f64| number.is_finite());
    }
    WORDS.iter().find(|(word, _)| *word == text).map(|(_, number)| *number).or_else(|| chinese(&text))
}

fn chinese(text: &str) -> Option<f64> {
    let (mut total, mut digit, mut seen) = (0.0, None, false);
    for ch in text.chars() {
        seen = true;
        let unit = match ch {
            '半' => return (text.chars().count() == 1).then_some(0.5),
            '十' => 10.0,
            '百' => 100.0,
            '千' => 1_000.0,
            '零' => continue,
            '两' => {
                digit = Some(2.0);
                continue;
            }
            _ => {
                let at = "一二三四五六七八九".chars().position(|known| known == ch)?;
                digit = u8::try_from(at + 1).ok().map(f64::from);
                continue;
            }
        };
        total += digit.take().unwrap_or(1.0) * unit;
    }
    seen.then(|| total + digit.unwrap_or(0.0))
}

/// What a number is multiplied by.
pub(super) fn scale(suffix: &str) -> f64 {
    match suffix.trim().to_lowercase().as_str() {
        "k" | "thousand" | "千" => 1e3,
        "万" | "w" => 1e4,
        "m" | "mn" | "million" | "mio" | "百万" => 1e6,
        "亿" => 1e8,
        "b" | "bn" | "billion" => 1e9,
        _ => 1.0,
    }
}

/// A JSON number, whole where it is one, else to six digits behind the point.
pub(super) fn json(number: f64) -> serde_json::Value {
    let rounded = (number * 1e6).round() / 1e6;
    if rounded.fract() == 0.0 && rounded.abs() < 9e15 {
        #[expect(clippy::cast_possible_truncation, reason = "whole and small enough")]
        return serde_json::Value::from(rounded as i64);
    }
    serde_json::Value::from(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_all_their_forms() {
        let check = |text: &str, expected: Option<f64>| assert_eq!(number(text), expected, "{text}");
        check("2,340", Some(2_340.0));
        check("0.5", Some(0.5));
        check("half an", Some(0.5));
        check("forty-five", Some(45.0));
        check("十二", Some(12.0));
        check("二十五", Some(25.0));
        check("两百五十", Some(250.0));
        check("半", Some(0.5));
        check("many", None);
        check("", None);
    }

    #[test]
    fn json_numbers_are_whole_where_they_can_be() {
        assert_eq!(json(30.0).to_string(), "30");
        assert_eq!(json(1.0 / 6.0).to_string(), "0.166667");
    }
}
