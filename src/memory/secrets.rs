//! Whether a text looks like it holds a secret: keys, tokens, passwords, numbers of cards. What is remembered is shown to models again and
//! again, so secrets are kept out unless a person insists.

use std::sync::LazyLock;

use regex::RegexSet;

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

/// What the text seems to hold; the first of all.
pub(super) fn found(text: &str) -> Option<&'static str> {
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
