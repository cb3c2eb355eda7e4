//! A request for a task with its values masked: addresses, numbers of phones, quoted pieces and names of sites are each
//! one character, so that no rule for times or words reads inside of them.

use std::ops::Range;

use regex::Regex;

use super::sites;
use crate::llm::offline::slots::{Rule, rule};

/// What a masked value is. Each kind has a block of private characters of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Url,
    Quoted,
    Mail,
    Phone,
}

/// Values of one kind that are looked at.
const VALUES_MAX: usize = 256;

/// What stands where a piece was cut out.
pub(super) const HOLE: char = '\u{e800}';

/// Patterns for values of each kind, for use in rules.
macro_rules! url {
    () => {
        r"[\x{e000}-\x{e0ff}]"
    };
}
macro_rules! quote {
    () => {
        r"[\x{e100}-\x{e1ff}]"
    };
}
macro_rules! mail {
    () => {
        r"[\x{e200}-\x{e2ff}]"
    };
}
macro_rules! phone {
    () => {
        r"[\x{e300}-\x{e3ff}]"
    };
}
pub(super) use {mail, phone, quote, url};

/// A value that was masked.
#[derive(Debug, Clone)]
struct Value {
    /// What it means: the address of a site that was named.
    meaning: String,
    /// As it was written.
    written: String,
}

/// A request with its values masked; pieces that are understood are cut out of it.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) text: String,
    values: [Vec<Value>; 4],
}

rule!(LINK = r"https?://[^\s\p{Han}，。；：！？、（）「」“”《》<>]+");
rule!(MAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+");
rule!(QUOTED = r#""([^"]+)"|“([^”]+)”|`([^`]+)`|「([^」]+)」|『([^』]+)』|《([^》]+)》"#);
rule!(SINGLE = r"(?:^|[\s,:(，：])'([^']+)'(?:$|[\s,.;:!?)，。])");
rule!(
    DOMAIN = r"(?i)\b(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:com|org|net|edu|gov|io|dev|ai|app|co|cn|uk|de|fr|eu|us|jp|it|es|nl|ch|at|in|tv|me|info|news|blog|xyz|sh|gg|rs|so|to|tech)(?:\.[a-z]{2})?(?::\d{2,5})?(?:/[^\s\p{Han}，。；、）)]*)?"
);
rule!(REPO = r"(?i)\b([a-z0-9][\w.-]*/[\w.-]+)(?:'s)?\s+(?:(releases?|issues|tags|commits)\s*)?(?:page\s+)?(?:on|at|from|in)\s+github\b");
rule!(REPO_HAN = r"(?i)github\s*(?:上的?|的|仓库|项目)*\s*([a-z0-9][\w.-]*/[\w.-]+)(?:\s*的?\s*(releases?|issues|tags|commits|发布|新版本))?");
rule!(SUBREDDIT = r"(?i)(?:^|[\s,，])(/?r/([a-z0-9_]{2,30}))\b");
rule!(
    CALLED = r"(?i)(?:\b(?:text|sms|phone|number|mobile|cell|whatsapp)\b(?:\s+(?:me|us|it|them|message|messages|number|is|at|on|to|my|phone))*\s*:?\s*|(?:短信|手机号?|电话|号码)(?:通知|提醒|发送|发)*(?:到|给|至|是|为|：|:)*\s*)(\(?\d[\d\s().-]{5,20}\d)"
);
rule!(PLUS = r"(\+\s?\(?\d[\d\s().-]{5,20}\d)");
rule!(MOBILE = r"(?:^|[^\d.,])(1[3-9]\d{9})(?:$|[^\d])");

impl Said {
    pub(super) fn new(text: &str) -> Self {
        let mut said = Self { text: plain(text), values: [Vec::new(), Vec::new(), Vec::new(), Vec::new()] };
        said.mask(&LINK, Kind::Url, |link| Some(link.trim_end_matches([',', '.', ';', ')', ']', '!', '?', '\'', '"', '`']).to_owned()));
        said.mask(&MAIL, Kind::Mail, |mail| Some(mail.trim_end_matches('.').to_owned()));
        said.mask(&QUOTED, Kind::Quoted, |quoted| Some(quoted.to_owned()));
        said.mask(&SINGLE, Kind::Quoted, |quoted| Some(quoted.to_owned()));
        said.repositories();
        said.mask_domains();
        for phone in [&CALLED, &PLUS, &MOBILE] {
            said.mask(phone, Kind::Phone, number);
        }
        said.mask_sites();
        said
    }

    /// The address, number or text of a masked value.
    pub(super) fn meaning(&self, mask: char) -> Option<&str> {
        self.value(mask).map(|(_, value)| value.meaning.as_str())
    }

    fn value(&self, mask: char) -> Option<(Kind, &Value)> {
        let at = u32::from(mask).checked_sub(0xe000)?;
        let (block, index) = (usize::try_from(at / 0x100).ok()?, usize::try_from(at % 0x100).ok()?);
        let kind = *[Kind::Url, Kind::Quoted, Kind::Mail, Kind::Phone].get(block)?;
        Some((kind, self.values.get(block)?.get(index)?))
    }

    /// The masks of one kind, in the order of the text.
    pub(super) fn masks(&self, kind: Kind) -> Vec<char> {
        self.text.chars().filter(|ch| self.value(*ch).is_some_and(|(found, _)| found == kind)).collect()
    }

    /// A text with its values as they were written.
    pub(super) fn written(&self, text: &str) -> String {
        let mut out = String::new();
        for ch in text.chars() {
            match self.value(ch) {
                Some((_, value)) => out.push_str(&value.written),
                None => out.push(ch),
            }
        }
        out
    }

    /// A text with its values by what they mean: quoted pieces without their marks.
    pub(super) fn bare(&self, text: &str) -> String {
        let mut out = String::new();
        for ch in text.chars() {
            match self.value(ch) {
                Some((Kind::Quoted, value)) => out.push_str(&value.meaning),
                Some((_, value)) => out.push_str(&value.written),
                None => out.push(ch),
            }
        }
        out
    }

    pub(super) fn has(&self, rule: &Rule) -> bool {
        rule.find(&self.text).is_some()
    }

    /// Cuts the first match out and gives its groups.
    pub(super) fn take(&mut self, rule: &Rule) -> Option<Vec<Option<String>>> {
        let captures = rule.find(&self.text)?;
        let range = captures.get(0)?.range();
        let groups = captures.iter().map(|group| group.map(|group| group.as_str().to_owned())).collect();
        self.cut(range);
        Some(groups)
    }

    pub(super) fn cut(&mut self, range: Range<usize>) {
        let hole = format!(" {HOLE} ");
        self.text.replace_range(range, &hole);
    }

    /// Masks the first group of each match (the whole where there is none).
    fn mask(&mut self, rule: &Rule, kind: Kind, meaning: impl Fn(&str) -> Option<String>) {
        let mut from = 0;
        while let Some(captures) = self.text.get(from..).and_then(|text| rule.find(text)) {
            let Some(whole) = captures.get(0).map(|whole| from + whole.start()..from + whole.end()) else { return };
            let inner = captures.iter().skip(1).flatten().next().or_else(|| captures.get(0));
            let Some(inner) = inner.map(|inner| (from + inner.start()..from + inner.end(), inner.as_str().to_owned())) else { return };
            let quotes = kind == Kind::Quoted && self.text.get(inner.0.start..).is_some() && !whole.is_empty();
            let Some(meaning) = meaning(&inner.1) else {
                from = whole.end;
                continue;
            };
            // Of an address only what belongs to it is masked; a quoted piece goes with its marks.
            let range = if quotes { self.with_marks(&inner.0) } else { inner.0.start..inner.0.start + meaning_length(&inner.1, &meaning) };
            let Some(end) = self.put(range, kind, meaning) else { return };
            from = end;
        }
    }

    fn with_marks(&self, inner: &Range<usize>) -> Range<usize> {
        let open = self.text[..inner.start].chars().next_back().map_or(0, char::len_utf8);
        let close = self.text[inner.end..].chars().next().map_or(0, char::len_utf8);
        inner.start - open..inner.end + close
    }

    /// Puts a mask in place of a piece; where it ends.
    fn put(&mut self, range: Range<usize>, kind: Kind, meaning: String) -> Option<usize> {
        let block = kind as usize;
        let values = self.values.get_mut(block)?;
        let index = values.len();
        if index >= VALUES_MAX {
            return None;
        }
        let mask = u32::try_from(block * 0x100 + index).ok().and_then(|at| char::from_u32(0xe000 + at))?;
        values.push(Value { meaning, written: self.text.get(range.clone())?.to_owned() });
        self.text.replace_range(range.clone(), mask.encode_utf8(&mut [0; 4]));
        Some(range.start + mask.len_utf8())
    }

    fn mask_domains(&mut self) {
        let known: Vec<String> = sites::SITES.iter().flat_map(|(names, _)| names.split('|')).map(str::to_owned).collect();
        self.mask(&DOMAIN, Kind::Url, |domain| {
            let domain = domain.trim_end_matches([',', '.', ';', '!', '?']);
            // `dev.to` and `lobste.rs` are names of sites, `a.rs` alone is more likely a file.
            let short = domain.rsplit('.').next().is_some_and(|end| matches!(end, "rs" | "sh" | "so" | "to" | "me" | "at" | "in" | "it"));
            let wanted = !short || known.iter().any(|name| name == domain) || domain.contains('/') || domain.starts_with("www.");
            wanted.then(|| format!("https://{domain}"))
        });
    }

    /// `owner/name releases on GitHub`, `r/rust`.
    fn repositories(&mut self) {
        for rule in [&REPO, &REPO_HAN] {
            while let Some(captures) = rule.find(&self.text) {
                let (Some(whole), Some(name)) = (captures.get(0).map(|whole| whole.range()), captures.get(1)) else { break };
                let part = captures.get(2).map(|part| match part.as_str().to_lowercase().as_str() {
                    "issues" => "/issues",
                    "tags" => "/tags",
                    "commits" => "/commits",
                    _ => "/releases",
                });
                let url = format!("https://github.com/{}{}", name.as_str(), part.unwrap_or_default());
                if self.put(whole, Kind::Url, url).is_none() {
                    break;
                }
            }
        }
        while let Some(captures) = SUBREDDIT.find(&self.text) {
            let (Some(whole), Some(name)) = (captures.get(1).map(|whole| whole.range()), captures.get(2)) else { break };
            let url = format!("https://www.reddit.com/r/{}", name.as_str());
            if self.put(whole, Kind::Url, url).is_none() {
                break;
            }
        }
    }

    fn mask_sites(&mut self) {
        for (range, url) in sites::named(&self.text).into_iter().rev() {
            if self.put(range, Kind::Url, url.to_owned()).is_none() {
                return;
            }
        }
    }
}

/// How much of a match belongs to its meaning: the sign after an address does not.
fn meaning_length(inner: &str, meaning: &str) -> usize {
    inner.find(meaning).map_or_else(
        || meaning.strip_prefix("https://").filter(|rest| inner.starts_with(rest)).map_or(inner.len(), str::len),
        |at| at + meaning.len(),
    )
}

/// A number of a phone without the signs between its digits.
fn number(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let plus = if text.trim_start().starts_with('+') { "+" } else { "" };
    (7..=15).contains(&digits.len()).then(|| format!("{plus}{digits}"))
}

/// Digits and signs of full width in their plain form, blanks single, nothing that could be taken for a mask.
fn plain(text: &str) -> String {
    let plain = |ch: char| match ch {
        '\u{e000}'..='\u{f8ff}' | '\u{3000}' => ' ',
        '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ' | '＋' | '：' | '／' | '％' | '＞' | '＜' | '＝' | '＠' | '．' => {
            char::from_u32(u32::from(ch) - 0xfee0).unwrap_or(ch)
        }
        '’' | '‘' => '\'',
        ch if ch.is_control() => ' ',
        ch => ch,
    };
    let text: String = text.chars().map(plain).collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    meridiem().map_or(text.clone(), |rule| rule.replace_all(&text, "${1}${2}m").into_owned())
}

/// `8 a.m.`: its points end no sentence.
pub(super) fn meridiem() -> Option<&'static Regex> {
    static RULE: std::sync::LazyLock<Option<Regex>> = std::sync::LazyLock::new(|| Regex::new(r"(?i)(\d\s*)([ap])\.\s?m\b\.?").ok());
    RULE.as_ref()
}
