//! What of a page counts, as a task's config says, checked once; and keywords in text.

use std::fmt;

use dom_query::Matcher;
use regex::{Regex, RegexBuilder};

use super::noise::{fold, is_wide};
use super::xpath::XPath;
use crate::domain::task::WebMonitor;

/// The longest expression, selector or keyword, in bytes.
const RULE_BYTES_MAX: usize = 1_000;

/// The most rules of one kind.
const RULES_MAX: usize = 100;

/// The memory that one compiled expression may take, in bytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// A rule that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {message}")]
pub struct RuleError {
    /// The key of the config.
    pub field: &'static str,
    /// What is wrong, and the way out.
    pub message: String,
}

/// Which part of a page is watched.
pub(super) enum Part {
    Whole,
    Css(String, Matcher),
    XPath(XPath),
    Pointer(String),
}

/// What of a page counts.
pub struct Rules {
    pub(super) part: Part,
    pub(super) ignore: Vec<Regex>,
    pub(super) ignore_selectors: Vec<Matcher>,
    keywords: Vec<Keyword>,
    case_sensitive: bool,
    partial_words: bool,
}

struct Keyword {
    spelled: String,
    folded: String,
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keywords: Vec<&str> = self.keywords.iter().map(|keyword| keyword.spelled.as_str()).collect();
        f.debug_struct("Rules").field("keywords", &keywords).field("ignore", &self.ignore).finish_non_exhaustive()
    }
}

impl Rules {
    /// Checks the rules of `config`.
    ///
    /// # Errors
    /// Where a selector, an `XPath`, a pointer or an expression cannot be used, or there are too many.
    pub fn new(config: &WebMonitor) -> Result<Self, RuleError> {
        let parts = [("selector", &config.selector), ("xpath", &config.xpath), ("json_pointer", &config.json_pointer)];
        let given: Vec<_> = parts.into_iter().filter(|(_, value)| value.as_ref().is_some_and(|value| !value.trim().is_empty())).collect();
        if let [_, (field, _), ..] = given.as_slice() {
            let message = format!("`{}` names the watched part already; keep one of them", given[0].0);
            return Err(RuleError { field, message });
        }
        let part = match given.first() {
            None => Part::Whole,
            Some((field, value)) => part(field, value.as_deref().unwrap_or_default().trim())?,
        };
        bounded("ignore", &config.ignore)?;
        bounded("ignore_selectors", &config.ignore_selectors)?;
        bounded("keywords", &config.keywords)?;
        let ignore = config.ignore.iter().map(|pattern| expression(pattern)).collect::<Result<_, _>>()?;
        let ignore_selectors = config.ignore_selectors.iter().map(|css| matcher("ignore_selectors", css)).collect::<Result<_, _>>()?;
        let keywords = config.keywords.iter().filter(|keyword| !keyword.trim().is_empty());
        let keyword = |spelled: &String| Keyword { spelled: spelled.trim().to_owned(), folded: folded(spelled, config.case_sensitive) };
        Ok(Self {
            part,
            ignore,
            ignore_selectors,
            keywords: keywords.map(keyword).filter(|keyword| !keyword.folded.is_empty()).collect(),
            case_sensitive: config.case_sensitive,
            partial_words: config.partial_words,
        })
    }

    /// All of a page counts.
    pub(super) fn whole() -> Self {
        let (ignore, ignore_selectors, keywords) = (Vec::new(), Vec::new(), Vec::new());
        Self { part: Part::Whole, ignore, ignore_selectors, keywords, case_sensitive: false, partial_words: false }
    }

    /// Whether a change must hold a keyword.
    pub fn has_keywords(&self) -> bool {
        !self.keywords.is_empty()
    }

    /// Whether only a part of the page is watched.
    pub(super) fn is_part(&self) -> bool {
        !matches!(self.part, Part::Whole)
    }

    /// `line` without what the ignore rules take out.
    pub(super) fn without_ignored(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for pattern in &self.ignore {
            if pattern.is_match(&line) {
                line = pattern.replace_all(&line, "").into_owned();
            }
        }
        line
    }
}

/// Keywords of `rules` that `text` holds, as the task spells them, each once.
pub fn find_keywords(text: &str, rules: &Rules) -> Vec<String> {
    if rules.keywords.is_empty() {
        return Vec::new();
    }
    let text = folded(text, rules.case_sensitive);
    let holds = |keyword: &&Keyword| holds(&text, &keyword.folded, rules.partial_words);
    let mut found: Vec<String> = Vec::new();
    for keyword in rules.keywords.iter().filter(holds) {
        if !found.contains(&keyword.spelled) {
            found.push(keyword.spelled.clone());
        }
    }
    found
}

/// Whether `text` holds `keyword` as a word of its own. Scripts without blanks have no word boundaries: there any place
/// counts.
fn holds(text: &str, keyword: &str, partial_words: bool) -> bool {
    let open = |ch: Option<char>, edge: Option<char>| {
        let joins = |ch: char| (ch.is_alphanumeric() || ch == '_') && !is_wide(ch);
        partial_words || !(ch.is_some_and(joins) && edge.is_some_and(joins))
    };
    text.match_indices(keyword).any(|(at, _)| {
        open(text[..at].chars().next_back(), keyword.chars().next())
            && open(text[at + keyword.len()..].chars().next(), keyword.chars().next_back())
    })
}

/// White space as one blank, typographic signs as plain ones, and lower case unless case counts.
fn folded(text: &str, case_sensitive: bool) -> String {
    let text = fold(text);
    if case_sensitive { text } else { text.to_lowercase() }
}

fn part(field: &'static str, value: &str) -> Result<Part, RuleError> {
    if value.len() > RULE_BYTES_MAX {
        return Err(RuleError { field, message: format!("it is longer than {RULE_BYTES_MAX} bytes; shorten it") });
    }
    match field {
        "selector" => Ok(Part::Css(value.to_owned(), matcher(field, value)?)),
        "xpath" => XPath::parse(value).map(Part::XPath).map_err(|message| RuleError { field, message }),
        _ => {
            if !value.starts_with('/') {
                let message = format!("`{value}` is no JSON pointer (RFC 6901): it starts with `/`, as in `/items/0/price`");
                return Err(RuleError { field, message });
            }
            Ok(Part::Pointer(value.to_owned()))
        }
    }
}

pub(super) fn matcher(field: &'static str, css: &str) -> Result<Matcher, RuleError> {
    Matcher::new(css).map_err(|_| RuleError {
        field,
        message: format!("`{css}` is no CSS selector that can be used; write it as in `main .price` or `#stock`"),
    })
}

fn expression(pattern: &str) -> Result<Regex, RuleError> {
    RegexBuilder::new(pattern).size_limit(REGEX_BYTES_MAX).build().map_err(|error| {
        let why = error.to_string();
        let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        RuleError { field: "ignore", message: format!("`{pattern}` is no regular expression that can be used: {why}") }
    })
}

fn bounded(field: &'static str, rules: &[String]) -> Result<(), RuleError> {
    if rules.len() > RULES_MAX {
        return Err(RuleError {
            field,
            message: format!("{} entries are more than the {RULES_MAX} that are read; split the task", rules.len()),
        });
    }
    match rules.iter().find(|rule| rule.len() > RULE_BYTES_MAX) {
        Some(rule) => {
            let head = crate::domain::text::ellipsis(rule, 40);
            Err(RuleError { field, message: format!("`{head}` is longer than {RULE_BYTES_MAX} bytes; shorten it") })
        }
        None => Ok(()),
    }
}
