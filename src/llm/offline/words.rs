//! A request taken apart: words, quoted pieces, numbers, paths, addresses, `key=value`, JSON, runs of Chinese.
//!
//! Each token knows its place in the text, so that what is left over can be read as free text.

use std::ops::Range;

use serde_json::Value;

use crate::tools::local::zones;

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// Letters; small ones in [`Token::text`].
    Word,
    /// A run of Chinese characters.
    Han,
    /// Digits with an optional sign, groups and a point.
    Number,
    /// In quotation marks; without them in [`Token::text`].
    Quoted,
    /// A path of a file or folder.
    Path,
    /// A web address.
    Url,
    /// A pattern of file names.
    Glob,
    /// `key=value`.
    Pair(String, Value),
    /// A JSON object or list.
    Json(Value),
    /// Anything else.
    Sign,
}

/// A piece of a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) text: String,
    pub(super) range: Range<usize>,
}

impl Token {
    /// Whether it is a value (and no word of the sentence).
    pub(super) fn is_value(&self) -> bool {
        !matches!(self.kind, Kind::Word | Kind::Han | Kind::Sign)
    }
}

/// A request, or a part of one.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// As it was written.
    pub(super) raw: String,
    pub(super) tokens: Vec<Token>,
}

/// Whether a character is Chinese.
pub(super) fn is_han(ch: char) -> bool {
    matches!(ch, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
}

impl Part {
    pub(super) fn new(raw: &str) -> Self {
        let raw = raw.trim().to_owned();
        let tokens = tokens(&raw);
        Self { raw, tokens }
    }

    pub(super) fn words(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().filter(|token| token.kind == Kind::Word).map(|token| token.text.as_str())
    }

    pub(super) fn has_word(&self, word: &str) -> bool {
        self.words().any(|known| known == word)
    }

    /// Whether the text holds a Chinese piece, outside quotes.
    pub(super) fn has_han(&self, piece: &str) -> bool {
        self.tokens.iter().any(|token| token.kind == Kind::Han && token.text.contains(piece))
    }

    pub(super) fn values(&self, wanted: impl Fn(&Kind) -> bool) -> Vec<&Token> {
        self.tokens.iter().filter(|token| wanted(&token.kind)).collect()
    }

    pub(super) fn quoted(&self) -> Vec<&Token> {
        self.values(|kind| *kind == Kind::Quoted)
    }

    pub(super) fn paths(&self) -> Vec<&Token> {
        self.values(|kind| *kind == Kind::Path)
    }

    /// The text with `used` cut out, its edges free of connecting words.
    pub(super) fn rest(&self, used: &[Range<usize>]) -> String {
        let mut used: Vec<Range<usize>> = used.to_vec();
        used.sort_by_key(|range| range.start);
        let (mut out, mut at) = (String::new(), 0);
        for range in used {
            if range.start > at {
                out.push_str(&self.raw[at..range.start]);
                out.push(' ');
            }
            at = at.max(range.end);
        }
        out.push_str(&self.raw[at.min(self.raw.len())..]);
        trim_edges(&out)
    }
}

/// Words that join a value to its sentence and are no part of it.
const EDGES: &[&str] = &[
    "with", "and", "please", "using", "use", "to", "for", "of", "on", "in", "from", "via", "tool", "the", "a", "an", "is", "me", "say",
    "server", "by", "that", "as",
];

const HAN_EDGES: &[&str] = &["请", "帮我", "一下", "工具", "吧", "的", "用", "把", "服务器", "来", "说"];

/// Takes connecting words and punctuation off both ends.
pub(super) fn trim_edges(text: &str) -> String {
    let noise = |ch: char| ch.is_whitespace() || matches!(ch, ',' | ':' | ';' | '，' | '：' | '；' | '。' | '、' | '-' | '–' | '?' | '？');
    let mut rest = text.trim_matches(noise);
    loop {
        let before = rest.len();
        for edge in EDGES {
            let lower = rest.to_lowercase();
            if lower.len() != rest.len() {
                break;
            }
            if lower == *edge {
                return String::new();
            }
            if let Some(after) = lower.strip_prefix(edge)
                && after.starts_with(noise)
            {
                rest = rest[edge.len()..].trim_matches(noise);
            } else if let Some(ahead) = lower.strip_suffix(edge)
                && matches!(*edge, "please" | "tool" | "server" | "with" | "using" | "and" | "to" | "in" | "on" | "for")
                && ahead.ends_with(noise)
            {
                rest = rest[..ahead.len()].trim_matches(noise);
            }
        }
        for edge in HAN_EDGES {
            rest = rest.strip_prefix(edge).unwrap_or(rest).trim_matches(noise);
        }
        rest = rest.strip_suffix("吧").unwrap_or(rest).trim_matches(noise);
        if rest.len() == before {
            return rest.split_whitespace().collect::<Vec<_>>().join(" ");
        }
    }
}

/// The most tokens of one message that are looked at.
const TOKENS_MAX: usize = 2_000;

fn tokens(raw: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < raw.len() && found.len() < TOKENS_MAX {
        let rest = &raw[at..];
        let Some(ch) = rest.chars().next() else { break };
        if ch.is_whitespace() {
            at += ch.len_utf8();
            continue;
        }
        let token = quoted(raw, at).or_else(|| json(raw, at)).or_else(|| pair(raw, at)).unwrap_or_else(|| run(raw, at));
        at = token.range.end.max(at + ch.len_utf8());
        found.push(token);
    }
    found
}

fn closing(open: char) -> Option<char> {
    Some(match open {
        '"' => '"',
        '\'' => '\'',
        '`' => '`',
        '“' => '”',
        '‘' => '’',
        '「' => '」',
        '『' => '』',
        '«' => '»',
        '《' => '》',
        _ => return None,
    })
}

fn quoted(raw: &str, at: usize) -> Option<Token> {
    let open = raw[at..].chars().next()?;
    let close = closing(open)?;
    let inner = at + open.len_utf8();
    // An apostrophe inside a word opens nothing.
    if open == '\'' && raw[..at].chars().next_back().is_some_and(|before| before.is_alphanumeric() && !is_han(before)) {
        return None;
    }
    let ends = |(offset, _): &(usize, char)| {
        open != '\'' || !raw[inner + offset + 1..].chars().next().is_some_and(|after| after.is_alphanumeric() && !is_han(after))
    };
    let (end, _) = raw[inner..].char_indices().filter(|(_, ch)| *ch == close).find(ends)?;
    let range = at..inner + end + close.len_utf8();
    Some(Token { kind: Kind::Quoted, text: raw[inner..inner + end].to_owned(), range })
}

fn json(raw: &str, at: usize) -> Option<Token> {
    if !raw[at..].starts_with(['{', '[']) {
        return None;
    }
    let mut stream = serde_json::Deserializer::from_str(&raw[at..]).into_iter::<Value>();
    let value = stream.next()?.ok()?;
    let end = at + stream.byte_offset();
    Some(Token { kind: Kind::Json(value), text: raw[at..end].to_owned(), range: at..end })
}

/// `key=value`, the value quoted, JSON or a run without blanks.
fn pair(raw: &str, at: usize) -> Option<Token> {
    if raw[..at].chars().next_back().is_some_and(|before| before.is_ascii_alphanumeric()) {
        return None;
    }
    let rest = raw[at..].trim_start_matches("--");
    let start = raw.len() - rest.len();
    let length = rest.find(|ch: char| !(ch.is_ascii_alphanumeric() || matches!(ch, '_' | '-')))?;
    let key = &rest[..length];
    if !key.starts_with(|ch: char| ch.is_ascii_alphabetic() || ch == '_') || !rest[length..].starts_with('=') {
        return None;
    }
    let from = start + length + 1;
    if from >= raw.len() || raw[from..].starts_with(|ch: char| ch.is_whitespace() || ch == '=') {
        return None;
    }
    let (value, end) = if let Some(token) = quoted(raw, from) {
        (Value::String(token.text), token.range.end)
    } else if let Some(Token { kind: Kind::Json(value), range, .. }) = json(raw, from) {
        (value, range.end)
    } else {
        let end = raw[from..].find(|ch: char| ch.is_whitespace() || matches!(ch, '，' | '。' | '；')).map_or(raw.len(), |end| from + end);
        let text = raw[from..end].trim_end_matches([',', ';', '!', '?']);
        (Value::String(text.to_owned()), from + text.len())
    };
    Some(Token { kind: Kind::Pair(key.to_owned(), value), text: raw[at..end].to_owned(), range: at..end })
}

fn run(raw: &str, at: usize) -> Token {
    let rest = &raw[at..];
    let first = rest.chars().next().unwrap_or(' ');
    let upto = |inside: fn(char) -> bool| rest.find(|ch: char| !inside(ch)).unwrap_or(rest.len());
    if is_han(first) {
        let length = upto(is_han);
        // `报告.txt` after a blank is a file; in running text the characters before the point are a sentence.
        let alone = raw[..at].is_empty() || raw[..at].ends_with(char::is_whitespace);
        if alone && rest[length..].starts_with(['.', '/']) {
            let whole = upto(|ch| is_han(ch) || ch.is_ascii_alphanumeric() || matches!(ch, '.' | '/' | '_' | '-'));
            let text = rest[..whole].trim_end_matches('.');
            if looks_like_path(text) {
                return Token { kind: Kind::Path, text: text.to_owned(), range: at..at + text.len() };
            }
        }
        return Token { kind: Kind::Han, text: rest[..length].to_owned(), range: at..at + length };
    }
    let inside = |ch: char| !ch.is_whitespace() && !is_han(ch) && !"\"“”‘’「」『』《》，。；：！？、（）,;()[]{}<>|".contains(ch);
    // Commas group thousands inside a number.
    let length = if first.is_ascii_digit() { upto(|ch| ch.is_ascii_digit() || matches!(ch, ',' | '.')) } else { 0 };
    let number = rest[..length].trim_end_matches([',', '.']);
    let whole = upto(inside);
    let text =
        if !number.is_empty() && number.len() >= whole { number } else { rest[..whole].trim_end_matches(['.', ':', '!', '?', '\'', '`']) };
    if text.is_empty() {
        return Token { kind: Kind::Sign, text: first.to_string(), range: at..at + first.len_utf8() };
    }
    let kind = classify(text);
    // Of anything that is no value, only the letters are a word: `3*4` is a number, a sign and a number.
    let text = match kind {
        Kind::Sign if number.is_empty() => &text[..first.len_utf8()],
        Kind::Sign => number,
        _ => text,
    };
    let kind = if kind == Kind::Sign && !number.is_empty() { Kind::Number } else { kind };
    let shown = if kind == Kind::Word { text.to_lowercase() } else { text.to_owned() };
    Token { kind, text: shown, range: at..at + text.len() }
}

fn classify(text: &str) -> Kind {
    let digits = text.trim_start_matches(['-', '+']).trim_end_matches('%');
    if text.starts_with("http://") || text.starts_with("https://") {
        Kind::Url
    } else if !digits.is_empty()
        && digits.chars().all(|ch| ch.is_ascii_digit() || matches!(ch, ',' | '.'))
        && digits.starts_with(|ch: char| ch.is_ascii_digit())
    {
        if text.ends_with('%') { Kind::Sign } else { Kind::Number }
    } else if (text.contains("*.") || text.contains("**")) && !text.contains(['(', ')', '+', '=']) && text.contains(char::is_alphabetic) {
        Kind::Glob
    } else if looks_like_path(text) {
        Kind::Path
    } else if text.starts_with(|ch: char| ch.is_alphabetic() || ch == '_')
        && text.chars().all(|ch| ch.is_alphanumeric() || "_-'’+#./&@".contains(ch))
    {
        Kind::Word
    } else {
        Kind::Sign
    }
}

/// Files that people name without an extension, in small letters.
const KNOWN_FILES: &[&str] =
    &["readme", "makefile", "dockerfile", "license", "changelog", "contributing", "justfile", "gemfile", "procfile", ".gitignore", ".env"];

/// Words with a slash that are no paths.
const NO_PATHS: &[&str] = &["and/or", "he/she", "she/he", "i/o", "n/a", "w/o", "yes/no", "read/write", "his/her", "tcp/ip", "either/or"];

/// Endings of web addresses: `example.com` is no file.
const DOMAINS: &[&str] = &["com", "org", "net", "edu", "gov", "dev"];

/// Whether a word is the path of a file or folder.
pub(super) fn looks_like_path(text: &str) -> bool {
    let lower = text.to_lowercase();
    if matches!(text, "." | ".." | "/" | "~") || NO_PATHS.contains(&lower.as_str()) {
        return matches!(text, "." | "..");
    }
    if !lower.contains(|ch: char| ch.is_alphabetic()) || lower.contains(['=', '*', '(', ')', '^', '%', '@']) {
        return lower.starts_with("../");
    }
    if KNOWN_FILES.contains(&lower.as_str())
        || lower.starts_with("./")
        || lower.starts_with("../")
        || lower.starts_with("~/")
        || lower.starts_with('/')
    {
        return true;
    }
    // `Asia/Tokyo` is a time zone.
    if lower.contains('/') {
        return !zones::is_zone(text) && !lower.starts_with(|ch: char| ch.is_ascii_digit());
    }
    is_file_like(text) && lower.rsplit('.').next().is_some_and(|ending| !DOMAINS.contains(&ending))
}

/// Whether the last part of a path looks like a file: it has an extension, or a known name.
pub(super) fn is_file_like(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    if KNOWN_FILES.contains(&name.to_lowercase().as_str()) {
        return true;
    }
    let Some((stem, ending)) = name.rsplit_once('.') else { return false };
    let known = (1..=8).contains(&ending.len())
        && ending.chars().all(|ch| ch.is_ascii_alphanumeric())
        && ending.contains(|ch: char| ch.is_ascii_alphabetic());
    // `e.g` and `U.S` are abbreviations.
    known && !stem.is_empty() && !(stem.len() == 1 && ending.len() == 1 && !matches!(ending, "c" | "h" | "r" | "d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_taken_apart() {
        let check = |raw: &str, expected: &[&str]| {
            let part = Part::new(raw);
            let found: Vec<String> = part
                .tokens
                .iter()
                .map(|token| {
                    let kind = format!("{:?}", token.kind);
                    format!("{}:{}", kind.split('(').next().unwrap_or_default(), token.text)
                })
                .collect();
            assert_eq!(found, expected, "{raw}");
        };
        check("Read README.md, please!", &["Word:read", "Path:README.md", "Sign:,", "Word:please", "Sign:!"]);
        check("读一下README.md", &["Han:读一下", "Path:README.md"]);
        check("在 src/lib 里搜索 'foo bar'", &["Han:在", "Path:src/lib", "Han:里搜索", "Quoted:foo bar"]);
        check("don't use it's", &["Word:don't", "Word:use", "Word:it's"]);
        check("a=2 b=\"x y\"", &["Pair:a=2", "Pair:b=\"x y\""]);
        check("echo {\"a\": 1} now", &["Word:echo", "Json:{\"a\": 1}", "Word:now"]);
        check("17% of 2,340", &["Number:17", "Sign:%", "Word:of", "Number:2,340"]);
        check("3*4", &["Number:3", "Sign:*", "Number:4"]);
        check("*.rs in example.com", &["Glob:*.rs", "Word:in", "Word:example.com"]);
        check("see https://x.org/a?b=1.", &["Word:see", "Url:https://x.org/a?b=1", "Sign:."]);
        check(
            "time in Asia/Tokyo and/or e.g. 3.14",
            &["Word:time", "Word:in", "Word:asia/tokyo", "Word:and/or", "Word:e.g", "Sign:.", "Number:3.14"],
        );
        check("打开 报告.txt", &["Han:打开", "Path:报告.txt"]);
    }

    #[test]
    fn what_is_left_is_free_text() {
        let part = Part::new("please echo hello, world with everything");
        let used: Vec<_> = part
            .tokens
            .iter()
            .filter(|token| matches!(token.text.as_str(), "echo" | "everything"))
            .map(|token| token.range.clone())
            .collect();
        assert_eq!(part.rest(&used), "hello, world");
    }

    #[test]
    fn no_text_breaks_the_reader() {
        proptest::proptest!(|(raw in "\\PC{0,80}")| {
            let part = Part::new(&raw);
            for token in &part.tokens {
                proptest::prop_assert!(part.raw.get(token.range.clone()).is_some());
            }
        });
    }
}
