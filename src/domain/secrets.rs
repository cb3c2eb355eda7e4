//! What secrets look like (keys, tokens, passwords, numbers of cards), and texts without them. What is remembered is shown to models
//! again and again, and what is reported leaves this machine, so secrets are kept out of both.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Regex, RegexSet};

/// What stands where a secret stood.
pub const HIDDEN: &str = "•••";

/// What secrets look like and what they are called; formats from their makers' pages and gitleaks' rules.
const PATTERNS: &[(&str, &str)] = &[
    ("a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY"),
    ("an API key", r"\b(?:sk|pk|rk)[-_](?:live|test|proj|ant|or|svcacct)?[-_]?[A-Za-z0-9_-]{20,}"),
    ("a key of AWS", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    ("a token of GitHub", r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{40,})"),
    ("a token of GitLab", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("a token of Slack", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("a key of Google", r"\bAIza[A-Za-z0-9_-]{35}"),
    ("a token of a bot", r"\b[0-9]{8,10}:[A-Za-z0-9_-]{35}\b"),
    ("a token of npm or PyPI", r"\b(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,})"),
    ("a JSON web token", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]+"),
    ("a password in an address", r"\b[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/:@]{3,}@"),
    (
        "a password or key",
        r#"(?i)\b(?:password|passwd|passphrase|pwd|api[ _-]?key|secret(?:[ _-]?key)?|access[ _-]?token|auth[ _-]?token|bearer|pin(?: code)?)\b(?:\s+(?:is|are|for\s+\S+\s+is))?\s*[:=]?\s*["'`]?[^\s"'`]*[0-9!#$%^&*+=_/-][^\s"'`]*"#,
    ),
    ("a password or key", r#"(?i)\b(?:password|passwd|passphrase|pwd)\b\s*(?:is\s+|[:=]\s*)["'`]?[^\s"'`]{4,}"#),
    ("a password or key", r#"(?:密码|口令|密钥|令牌)\s*(?:是|为|：|:|=)\s*["“'`]?[!-~]{4,}"#),
];

static RULES: LazyLock<Option<RegexSet>> = LazyLock::new(|| RegexSet::new(PATTERNS.iter().map(|(_, pattern)| pattern)).ok());

/// What hides more than a pattern finds: the whole of a key in PEM, the whole of a header.
const WIDER: &[&str] = &[
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----(?s:.*?)(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----|\z)",
    r"(?i)\b(?:proxy-)?authorization\b[\x22']?\s*[:=]\s*[\x22']?(?:(?:basic|bearer|digest|token|negotiate)\s+)?[^\s\x22',;]+",
    r"(?i)\bbearer\s+[A-Za-z0-9._~+/=-]{8,}",
    r"(?i)\b(?:set-)?cookie\s*:\s*[^\r\n]+",
    // As it stands in JSON, in a query and in a variable: the name, then the value in or without quotes.
    r#"(?i)[A-Za-z0-9_-]*(?:password|passwd|passphrase|api[_-]?key|secret|access[_-]?token|auth[_-]?token|private[_-]?key|client[_-]?secret)[A-Za-z0-9_-]*\\?["']?\s*[:=]\s*(?:\\?"[^"]*"|'[^']*'|[^\s,;&"'}]+)"#,
];

static EACH: LazyLock<Vec<Regex>> = LazyLock::new(|| {
    let patterns = WIDER.iter().copied().chain(PATTERNS.iter().map(|(_, pattern)| *pattern));
    patterns.filter_map(|pattern| Regex::new(pattern).ok()).collect()
});

/// `text` with [`HIDDEN`] in the place of whatever looks like a secret.
pub fn masked(text: &str) -> Cow<'_, str> {
    let mut out = Cow::Borrowed(text);
    for rule in EACH.iter() {
        if let Cow::Owned(hidden) = rule.replace_all(&out, HIDDEN) {
            out = Cow::Owned(hidden);
        }
    }
    if has_card_number(&out) {
        out = Cow::Owned(without_long_numbers(&out));
    }
    out
}

/// Takes out all that is long enough for the number of a card: digits, with single blanks or dashes between them.
fn without_long_numbers(text: &str) -> String {
    static LONG: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\d(?:[ -]?\d){12,18}").ok());
    LONG.as_ref().map_or_else(|| HIDDEN.to_owned(), |rule| rule.replace_all(text, HIDDEN).into_owned())
}

/// What the text seems to hold; the first of all.
pub fn found(text: &str) -> Option<&'static str> {
    let by_pattern =
        RULES.as_ref().and_then(|rules| rules.matches(text).iter().next()).and_then(|at| PATTERNS.get(at)).map(|(name, _)| *name);
    by_pattern.or_else(|| has_card_number(text).then_some("the number of a payment card"))
}

/// Whether there are 13 to 19 digits, in groups or not, whose check digit is right (ISO/IEC 7812, Luhn).
fn has_card_number(text: &str) -> bool {
    let mut digits: Vec<u32> = Vec::new();
    let mut gap = false;
    for ch in text.chars().chain(['\n']) {
        match ch.to_digit(10) {
            Some(digit) => {
                digits.push(digit);
                gap = false;
            }
            None if matches!(ch, ' ' | '-') && !digits.is_empty() && !gap => gap = true,
            None => {
                if is_card(&digits) {
                    return true;
                }
                digits.clear();
                gap = false;
            }
        }
    }
    false
}

fn is_card(digits: &[u32]) -> bool {
    let starts_like_one = matches!(digits.first(), Some(2..=6));
    let doubled = |(at, digit): (usize, &u32)| match (at % 2, digit * 2) {
        (0, _) => *digit,
        (_, twice) if twice > 9 => twice - 9,
        (_, twice) => twice,
    };
    let sum: u32 = digits.iter().rev().enumerate().map(doubled).sum();
    (13..=19).contains(&digits.len()) && starts_like_one && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_seen() {
        for text in [
            "my key is sk-proj-abcdefghijklmnopqrstuvwx123",
            "AKIAIOSFODNN7EXAMPLE",
            "token ghp_abcdefghijklmnopqrstuvwxyz0123456789",
            "the wifi password is hunter22",
            "password: correct horse",
            "API_KEY=abc123def",
            "postgres://bob:hunter2@db.example/x",
            "card 4111 1111 1111 1111",
            "5500-0000-0000-0004",
            "服务器密码是 abc12345",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
        ] {
            assert!(found(text).is_some(), "{text}");
        }
    }

    #[test]
    fn secrets_are_taken_out_and_the_rest_stays() {
        let check = |text: &str, secret: &str, rest: &str| {
            let hidden = masked(text);
            assert!(!hidden.contains(secret) && hidden.contains(rest) && hidden.contains(HIDDEN), "{text} → {hidden}");
        };
        check("use sk-proj-abcdefghijklmnopqrstuvwx123 for it", "abcdefghijkl", "for it");
        check(r#"{"api_key": "plainwords", "city": "Oslo"}"#, "plainwords", "Oslo");
        check(r#"{\"password\":\"open sesame\",\"city\":\"Oslo\"}"#, "sesame", "Oslo");
        check("Authorization: Basic dXNlcjpwYXNz and so on", "dXNlcjpwYXNz", "and so on");
        check("curl -H 'authorization: abcdef' x", "abcdef", "curl");
        check("GET /a?access_token=abcdef&b=2", "abcdef", "b=2");
        check("a -----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY----- z", "MIIabc", " z");
        check("postgres://bob:hunter2@db.example/x", "hunter2", "db.example/x");
        check("card 4111 1111 1111 1111, thanks", "1111", "thanks");
        assert!(matches!(masked("nothing to hide on 2026-11-22"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_only_speaks_of_secrets_is_none() {
        for text in [
            "the password manager is Bitwarden",
            "I forget passwords often",
            "uses API keys from the environment",
            "phone 0123 456 789",
            "order 1234567890123 arrived",
            "secret santa is on Friday",
            "密码管理器是 Bitwarden",
            "meeting on 2026-11-22 at 10:00",
            "my favourite colour is green",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
