//! What to look for, and where.

use std::sync::LazyLock;

use serde_json::json;

use super::{Found, KINDS, args, rule, whole};
use crate::llm::offline::intents::FILLERS;
use crate::llm::offline::words::{Kind, Part, is_han, trim_edges};

rule!(
    HAN_PLACE_LAST = r"(?:搜索|查找|搜一下|搜|检索|查一下|寻找|找一下|找出|找)\s*(?:一下)?\s*(.+?)\s*在\s*(\S+?)\s*(?:目录|文件夹|里面|里|中|下)+\s*[?？。]?$"
);
rule!(
    HAN_IN_FILES = r"(\S+?)\s*(?:目录|文件夹)?\s*(?:里面|里|中|下)的?\s*(?:哪些|哪个|什么)\s*文件\s*(?:里面|里|中)?\s*(?:包含|含有|提到|出现)(?:了|过)?\s*(.+)$"
);
rule!(FLAGS = r"(?:^|\s)-[a-zA-Z]+\b");
rule!(LAST_FOLDER = r"^(.+?)\s+(src|tests?|docs?|lib|bin|examples|benches|scripts|config|app|packages|crates|\./?|\S+/)$");
rule!(
    IN_FOR = r"(?i)\b(?:search|searching|look|looking|grep|scan)\s+(?:through\s+|in\s+|inside\s+|within\s+|the\s+)*(\S+)(?:\s+(?:folder|directory|file|files))?\s+for\s+(.+)$"
);
rule!(VERB = r"(?i)\b(?:search|searching|find|finding|grep|rg|look|looking|locate|seek)\b\s*(?:for\b\s*|up\b\s*)?(.+)$");
rule!(
    WHERE = r"(?i)\bwhere\s+(?:is|are|do|does|did|can)\s+(?:i\s+find\s+|we\s+|i\s+|you\s+)?(.+?)\s+(?:defined|used|mentioned|written|declared|occurs?|appears?|define)\b(.*)$"
);
rule!(
    CONTAINING = r"(?i)\b(?:files?|lines?)\s+(?:here\s+)?(?:that\s+|which\s+)?(?:contain|contains|containing|mention|mentions|mentioning|includes?|including|with|have|has|match|matching)\s+(.+)$"
);
rule!(
    LAST_PLACE = r"(?i)^(.*?)\s*\b(?:in|inside|within|under|across|through|throughout)\s+(?:the\s+|my\s+|all\s+|this\s+|our\s+|these\s+)*([\w./~-]+)(?:\s+(?:folder|directory|dir|file|files))?\s*[?.!]*$"
);
rule!(
    HAN_IN = r"(?:在|从)\s*(\S+?)\s*(?:目录|文件夹|文件)?\s*(?:里面|里边|里|中|下面|下|内)?\s*(?:搜索|查找|搜一下|搜|检索|查一下|找一下|寻找|找出|找|grep)\s*(?:一下)?\s*(.+)$"
);
rule!(HAN_VERB = r"(?:搜索|查找|搜一下|搜|检索|查一下|寻找|找一下|找出|找)\s*(?:一下)?\s*(.+)$");
rule!(HAN_FILES = r"(?:哪些|哪个|什么)\s*文件\s*(?:里面|里|中)?\s*(?:包含|含有|提到|出现)(?:了|过)?\s*(.+)$");
rule!(
    LEADING = r"(?i)^(?:me\s+|all\s+|the\s+|every\s+|any\s+|occurrences?\s+of\s+|mentions?\s+of\s+|uses\s+of\s+|usages?\s+of\s+|(?:files?|lines?)\s+(?:that\s+)?(?:contain|containing|contains|with|mentioning|matching)\s+|function\s+|struct\s+|class\s+|method\s+|type\s+|variable\s+|constant\s+|trait\s+|enum\s+|module\s+|word\s+|text\s+|string\s+|phrase\s+|哪里|哪儿|哪些地方|用到了?|使用了?|引用了?|包含|含有|出现了?|所有|有|\s)+"
);
rule!(TRAILING = r"(?i)(?:\s+(?:please|here|again|now|thanks|for me)|的文件|的行|的地方|的内容|这个词|字样|吧|吗)+\s*[?？!。.]*$");
rule!(REGEX = r"(?i)\b(?:the\s+)?(?:regex|regexp|regular\s+expression|pattern)\s*|正则(?:表达式)?\s*");
rule!(IDENTIFIER = r"^[\p{L}_][\w:.()#-]*$|^\S*[_:()\d#]\S*$");

/// Words for the place that mean the whole folder.
static EVERYWHERE: LazyLock<Vec<&str>> = LazyLock::new(|| {
    "here this files file folder directory project code repo repository codebase everywhere all workspace there it source \
     sources 当前目录 这里 当前 目录 项目 代码 文件 所有文件 这个目录 这个项目 当前文件夹"
        .split_whitespace()
        .collect()
});

/// Words that show that files or code are meant.
static OF_FILES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    "defined declared function struct trait enum method variable file files line lines code folder directory repo project grep search searching occurrences mentions rg source codebase \
     scan"
        .split_whitespace()
        .collect()
});

pub(in crate::llm::offline) fn search(part: &Part) -> Option<Found> {
    let quoted = part.quoted();
    let of_kind = KINDS.iter().any(|(kind, _)| part.has_word(kind)) && part.has_word("files");
    let of_content =
        ["contain", "containing", "contains", "for", "mention", "mentioning", "mentions", "in"].iter().any(|word| part.has_word(word));
    // `find all markdown files` lists, `find foo in rust files` searches.
    if of_kind && !of_content && quoted.is_empty() {
        return None;
    }
    let lists_files =
        part.tokens.iter().any(|token| token.kind == Kind::Glob) || ["named", "called"].iter().any(|word| part.has_word(word));
    if lists_files && quoted.is_empty() {
        return None;
    }
    let (said, place) = spoken(part);
    let regex = REGEX.find(&part.raw).is_some() && !part.has_word("pattern");
    let place = place.or_else(|| part.paths().first().map(|path| path.text.clone())).map(|place| trim_edges(&place));
    let place = place.map(|place| if place.contains(|ch: char| ch != '.') { place.trim_end_matches('.').to_owned() } else { place });
    let place = place.filter(|place| !place.is_empty() && !EVERYWHERE.contains(&place.to_lowercase().as_str()));
    let slashed = part.paths().into_iter().find(|path| path.text.len() > 2 && path.text.starts_with('/') && path.text.ends_with('/'));
    let pattern = match (quoted.first(), slashed) {
        (Some(quoted), _) => Some(quoted.text.clone()),
        (None, Some(slashed)) => Some(slashed.text.trim_matches('/').to_owned()),
        (None, None) => said
            .map(|said| without_paths(part, &cleaned(&said)))
            .filter(|said| !said.is_empty() && place.as_ref() != Some(said) && !EVERYWHERE.contains(&said.as_str())),
    };
    let regex = regex || (quoted.is_empty() && slashed.is_some());
    let place = place.filter(|place| slashed.is_none_or(|slashed| slashed.text != *place));
    let of_files =
        place.is_some() || part.words().any(|word| OF_FILES.contains(&word)) || !part.tokens.iter().all(|token| token.kind != Kind::Han);
    if quoted.is_empty() && slashed.is_none() && !plausible(part, pattern.as_deref(), of_files) {
        return None;
    }
    let mut call = args(&[]);
    if let Some(pattern) = &pattern {
        call.insert("pattern".to_owned(), json!(pattern));
    }
    if let Some(place) = &place {
        call.insert("path".to_owned(), json!(place));
    }
    if regex {
        call.insert("regex".to_owned(), json!(true));
    }
    let sure = if quoted.is_empty() { 2 } else { 6 } + if place.is_some() { 3 } else { 0 };
    Some(Found { calls: vec![call], used: whole(part), sure, takes_rest: true })
}

/// What is looked for and where, in the words of the sentence.
fn spoken(part: &Part) -> (Option<String>, Option<String>) {
    let raw = part.raw.trim_end_matches(['?', '？', '!', '。']);
    let text = |captures: &regex::Captures<'_>, at: usize| captures.get(at).map(|found| found.as_str().to_owned());
    if let Some(captures) = IN_FOR
        .find(raw)
        .filter(|captures| captures.get(1).is_some_and(|place| !matches!(place.as_str().to_lowercase().as_str(), "for" | "up")))
    {
        return (text(&captures, 2), text(&captures, 1));
    }
    if let Some(captures) = HAN_PLACE_LAST.find(raw) {
        return (text(&captures, 1), text(&captures, 2));
    }
    if let Some(captures) = HAN_IN_FILES.find(raw).or_else(|| HAN_IN.find(raw)) {
        return (text(&captures, 2), text(&captures, 1));
    }
    if part.has_word("grep") || part.has_word("rg") {
        let mut said = VERB.find(raw).and_then(|captures| text(&captures, 1)).unwrap_or_default();
        while let Some(flag) = FLAGS.find(&said).and_then(|captures| captures.get(0).map(|flag| flag.range())) {
            said.replace_range(flag, "");
        }
        if let Some(captures) = LAST_FOLDER.find(said.trim()) {
            return (text(&captures, 1), text(&captures, 2));
        }
    }
    for rule in [&WHERE, &CONTAINING, &HAN_FILES, &VERB, &HAN_VERB] {
        let Some(captures) = rule.find(raw) else { continue };
        let after = text(&captures, 2).unwrap_or_default();
        let said = text(&captures, 1).unwrap_or_default();
        let whole = if after.trim().is_empty() { said.clone() } else { format!("{said} {after}") };
        if let Some(inner) = LAST_PLACE.find(whole.trim()) {
            let place = text(&inner, 2);
            let said = text(&inner, 1).unwrap_or_default();
            if !said.trim().is_empty() {
                return (Some(said), place);
            }
        }
        return (Some(said), None);
    }
    (None, None)
}

/// A pattern without the words around it.
fn cleaned(said: &str) -> String {
    let mut text = said.trim().to_owned();
    for rule in [&LEADING, &TRAILING, &REGEX] {
        if let Some(range) = rule.find(&text).and_then(|captures| captures.get(0).map(|whole| whole.range())) {
            text.replace_range(range, "");
        }
    }
    text.trim().trim_matches(['"', '\'', '`', ',', '，', '“', '”']).trim().to_owned()
}

/// `grep unwrap src/lib.rs`: the file is where to look, not what to look for.
fn without_paths(part: &Part, said: &str) -> String {
    let paths = part.paths();
    let kept: Vec<&str> = said.split_whitespace().filter(|word| !paths.iter().any(|path| path.text == *word)).collect();
    if kept.is_empty() { said.to_owned() } else { kept.join(" ") }
}

/// The most words of a text that is looked for without quotation marks.
const WORDS_MAX: usize = 4;

/// Whether free words can be a text to look for in files: `find my keys` is not.
fn plausible(part: &Part, pattern: Option<&str>, of_files: bool) -> bool {
    let Some(pattern) = pattern else {
        return of_files
            && part.words().all(|word| FILLERS.contains(&word) || OF_FILES.contains(&word) || word == "find" || word == "look");
    };
    let words: Vec<&str> = pattern.split_whitespace().collect();
    // `找` alone is to look for anything in the world.
    let firmly = ["搜", "查", "检索", "寻找", "文件", "代码", "目录", "里", "中"].iter().any(|piece| part.has_han(piece));
    if part.has_han("找") && !firmly && pattern.chars().all(is_han) {
        return false;
    }
    let hunting =
        part.words().any(|word| matches!(word, "search" | "searching" | "grep" | "rg" | "file" | "files" | "line" | "lines" | "code"))
            || part.values(|kind| *kind == Kind::Path).len() == 1;
    if words.len() > WORDS_MAX || (words.len() > 1 && !hunting && part.tokens.iter().all(|token| token.kind != Kind::Han)) {
        return false;
    }
    let personal = part.words().any(|word| matches!(word, "my" | "me" | "good" | "best" | "nice" | "your"));
    let identifier = words.len() == 1 && IDENTIFIER.find(pattern).is_some();
    if of_files { !personal || hunting } else { identifier && !personal && part.words().count() <= 4 }
}
