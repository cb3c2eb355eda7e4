//! Reads numbers as people write them: `$67,210.50`, `1.234,56 €`, `1 234,5`, `12.5%`, `−3`, `1.2k`. Pure.

/// Reads the first number of `text`. `decimal` is the decimal sign where it is known, `.` or `,`.
///
/// Where it is not: the last of two different signs is the decimal one; a sign that comes twice parts thousands; a
/// single comma before exactly three digits parts thousands (but not in `0,123`); a single dot is a decimal point.
///
/// # Errors
/// When there is no number; one phrase.
pub fn read_number(text: &str, decimal: Option<char>) -> Result<f64, String> {
    let text: String = text.chars().take(TEXT_CHARS_MAX).collect();
    let start = text.find(|ch: char| ch.is_ascii_digit()).ok_or_else(|| no_number(&text))?;
    let before = &text[..start];
    let leading_dot = before.ends_with('.') && !before.ends_with("..");
    let sign_at = before.trim_end_matches(['.', '$', '€', '£', '¥', '₿', ' ']).chars().next_back();
    let negative = matches!(sign_at, Some('-' | '−' | '–'))
        && !before.trim_end_matches(['-', '−', '–', '.', '$', '€', '£', '¥', '₿', ' ']).ends_with(|ch: char| ch.is_ascii_digit());
    let mut body = String::new();
    if leading_dot {
        body.push_str("0.");
    }
    let mut rest = text[start..].chars().peekable();
    while let Some(ch) = rest.peek().copied() {
        let mut ahead = rest.clone();
        ahead.next();
        let digit_follows = ahead.peek().is_some_and(char::is_ascii_digit);
        match ch {
            '0'..='9' => body.push(ch),
            '.' | ',' | '\'' | '’' if digit_follows => body.push(if ch == '’' { '\'' } else { ch }),
            // A blank parts thousands only before a group of three.
            ' ' | '\u{a0}' | '\u{202f}' | '_' if digit_follows && group_of_three(ahead.clone()) => body.push('\''),
            _ => break,
        }
        rest.next();
    }
    let tail: String = rest.collect();
    let plain = normalise(&body, decimal);
    let exponent = exponent(&tail);
    let number: f64 = format!("{plain}{exponent}").parse().map_err(|_| no_number(&text))?;
    let number = number * if exponent.is_empty() { scale(&tail) } else { 1.0 };
    if !number.is_finite() {
        return Err(no_number(&text));
    }
    Ok(if negative { -number } else { number })
}

/// What is looked at of a text, in characters.
const TEXT_CHARS_MAX: usize = 200;

fn no_number(text: &str) -> String {
    format!("`{}` holds no number", crate::domain::text::ellipsis(&crate::domain::text::clean_line(text), 60))
}

fn group_of_three(digits: impl Iterator<Item = char>) -> bool {
    digits.take_while(char::is_ascii_digit).count() == 3
}

/// Digits with at most one `.`.
fn normalise(body: &str, decimal: Option<char>) -> String {
    let body: String = body.chars().filter(|ch| *ch != '\'').collect();
    let (dots, commas) = (body.matches('.').count(), body.matches(',').count());
    let decimal = decimal.or_else(|| match (dots, commas) {
        (0, 1) => {
            let (head, tail) = body.split_once(',').unwrap_or_default();
            let thousands = tail.len() == 3 && (1..=3).contains(&head.len()) && head != "0";
            (!thousands).then_some(',')
        }
        (1, 0) => Some('.'),
        // No sign at all, or one that comes more than once: it parts thousands.
        (0, _) | (_, 0) => None,
        _ => body.chars().rev().find(|ch| matches!(ch, '.' | ',')),
    });
    match decimal {
        Some(sign) => {
            let (head, tail) = body.rsplit_once(sign).unwrap_or((&body, ""));
            let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
            format!("{}.{}", digits(head), if tail.is_empty() { "0".to_owned() } else { digits(tail) })
        }
        None => body.chars().filter(char::is_ascii_digit).collect(),
    }
}

/// `e5`, `E-3` right behind the digits.
fn exponent(tail: &str) -> String {
    let Some(rest) = tail.strip_prefix(['e', 'E']) else { return String::new() };
    let (sign, digits) = match rest.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", rest.strip_prefix('+').unwrap_or(rest)),
    };
    let digits: String = digits.chars().take_while(char::is_ascii_digit).take(3).collect();
    if digits.is_empty() { String::new() } else { format!("e{sign}{digits}") }
}

/// `k`, `M`, `bn`, `万`, `亿` behind the number.
fn scale(tail: &str) -> f64 {
    let word: String = tail.trim_start().chars().take_while(|ch| ch.is_alphabetic()).take(8).collect();
    match word.as_str() {
        "k" | "K" | "thousand" => 1e3,
        "M" | "m" | "mn" | "mio" | "Mio" | "million" => 1e6,
        "B" | "bn" | "Mrd" | "mrd" | "billion" => 1e9,
        "T" | "tn" | "trillion" => 1e12,
        _ if word.starts_with('万') => 1e4,
        _ if word.starts_with('亿') => 1e8,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        let check = |text: &str, expected: f64| {
            let read = read_number(text, None).unwrap();
            assert!((read - expected).abs() < expected.abs().max(1.0) * 1e-12, "{text}: {read}, expected {expected}");
        };
        check("42", 42.0);
        check("$67,210.50", 67_210.5);
        check("1.234,56 €", 1_234.56);
        check("1 234,5", 1_234.5);
        check("1\u{202f}234\u{202f}567", 1_234_567.0);
        check("1'234.5", 1_234.5);
        check("12.5%", 12.5);
        check("Price: -3", -3.0);
        check("−3,5", -3.5);
        check("-$1,000", -1_000.0);
        check("1,234", 1_234.0);
        check("0,123", 0.123);
        check("12,5", 12.5);
        check("1.5", 1.5);
        check("1.234", 1.234);
        check("1,234,567", 1_234_567.0);
        check("1.234.567", 1_234_567.0);
        check("1.2k", 1_200.0);
        check("3 M", 3e6);
        check("9万", 90_000.0);
        check("6.02e23", 6.02e23);
        check("1e-3 s", 0.001);
        check(".5", 0.5);
        check("USD 99 per month", 99.0);
        check("10-20", 10.0);
        check("2026-01-05", 2_026.0);
    }

    #[test]
    fn a_known_decimal_sign_settles_what_is_unclear() {
        assert!((read_number("1,234", Some(',')).unwrap() - 1.234).abs() < 1e-12);
        assert!((read_number("1.234", Some(',')).unwrap() - 1_234.0).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_number_is_an_error() {
        for text in ["", "n/a", "—", "sold out"] {
            assert!(read_number(text, None).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_strange(text in ".{0,300}") {
            let _any = read_number(&text, None);
        }

        #[test]
        fn plain_numbers_come_back(number in -1e12f64..1e12) {
            let read = read_number(&format!("{number:.4}"), Some('.')).unwrap();
            proptest::prop_assert!((read - number).abs() <= 1e-4 + number.abs() * 1e-12);
        }
    }
}
