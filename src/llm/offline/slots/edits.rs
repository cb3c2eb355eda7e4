//! What to write where, and what to put in the place of what.

use serde_json::{Map, Value, json};

use super::{Found, args, rule, whole};
use crate::llm::offline::words::{Part, Token, trim_edges};

rule!(FENCE = r"(?s)```[\w-]*\n?(.*?)```");
rule!(
    CONTAINING = r"(?is)\b(?:containing|contains|with\s+(?:the\s+)?(?:contents?|text|line|words?)|that\s+says|saying|contents?)\s*(?:is|of|being|=|:)?\s*(.+)$"
);
rule!(
    WRITE_TO = r"(?is)\b(?:write|save|put|store)\s+(.+?)\s+(?:to|into|in|as)\s+(?:a\s+|the\s+|my\s+)?(?:new\s+)?(?:file\s+)?(?:called\s+|named\s+)?\S+(?:\s+please|\s+for\s+me)?\s*[.!?]*$"
);
rule!(COLON = r"(?s)^\s*[:：]\s*(.+)$");
rule!(FILE_NAME = r"(?i)\bfile\s+(?:called|named)\s+([\w.-]+)");
rule!(HAN_TO = r"(?s)(?:把|将)\s*(.+?)\s*(?:写入|写到|写进|保存到|保存为|存到|存入)");
rule!(HAN_WRITE = r"(?s)写\s*(?:上|个|一个|一下)?\s*(.+?)\s*(?:到|进|入)");
rule!(HAN_CONTENT = r"(?s)(?:内容|文字)\s*(?:是|为|：|:)?\s*(.+)$");
rule!(HAN_AFTER = r"(?s)(?:写入|写到|写进|写上|写)\s*[：:]?\s*(.+)$");
rule!(
    SWAP = r"(?is)\b(?:replace|replacing|change|substitute|swap|edit|fix|correct|update|modify)\s+(.+?)\s+(?:with|by|to|into|for)\s+(.+)$"
);
rule!(HAN_SWAP = r"(?s)^(.*?)\s*(?:全部|全都|都|统统)?\s*(?:替换成|替换为|换成|换为|改成|改为|修改为|修改成)\s*(.+)$");
rule!(
    NOISE = r"(?i)^(?:typo\s+|version\s+|all\s+|every\s+|each\s+|occurrences?\s+of\s+|instances?\s+of\s+|the\s+|word\s+|text\s+|string\s+|line\s+|of\s+|所有的?|全部的?|每个|把|将|里面的?|里的|中的|的)+"
);
rule!(PLACE_END = r"(?i)(?:[\s,，]*\b(?:in|inside|within|of|to|into|from|as)(?:\s+(?:the|my))?(?:\s+file)?|[\s,，]*(?:在|把|将|给))\s*$");
rule!(PLACE_START = r"(?i)^(?:\s*(?:file|文件)?\s*(?:里面的?|里的?|中的?|内的?)\s*|[\s,，:：]+|\s+file\b)");

const PRONOUNS: &[&str] =
    &["it", "this", "that", "them", "something", "它", "这个", "这些", "file", "a file", "new file", "empty file", "an empty file"];

/// The file that is meant: the last path that is named.
fn target(part: &Part) -> Option<(String, std::ops::Range<usize>)> {
    if let Some(path) = part.paths().into_iter().next_back() {
        return Some((path.text.clone(), path.range.clone()));
    }
    let captures = FILE_NAME.find(&part.raw)?;
    captures.get(1).map(|name| (name.as_str().to_owned(), name.range()))
}

fn text_of(rule: &super::Rule, text: &str) -> Option<String> {
    rule.find(text).and_then(|captures| captures.get(1).map(|found| found.as_str().trim().to_owned()))
}

/// `\n` as people type it becomes a line break.
fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n")
}

pub(in crate::llm::offline) fn write(part: &Part) -> Option<Found> {
    let target = target(part);
    let of_files = part.has_word("file") || part.has_han("文件");
    if target.is_none() && !of_files {
        return None;
    }
    if part.paths().len() > 1 {
        return write_several(part);
    }
    let mut call = Map::new();
    if let Some((path, _)) = &target {
        call.insert("path".to_owned(), json!(path));
    }
    if let Some(content) = content(part, target.as_ref()) {
        call.insert("content".to_owned(), Value::String(content));
    }
    // `list`, `read` and the like beside it: the file is not to be written.
    if !call.contains_key("content") && ["read", "list", "show", "search"].iter().any(|word| part.has_word(word)) {
        return None;
    }
    let sure = i32::from(target.is_some()) * 4 + i32::from(call.contains_key("content")) * 4;
    Some(Found { calls: vec![call], used: whole(part), sure, takes_rest: true })
}

/// `write "a" to a.txt and "b" to b.txt`: as many texts as files, or it is not clear what goes where.
fn write_several(part: &Part) -> Option<Found> {
    let (paths, texts) = (part.paths(), part.quoted());
    if paths.len() != texts.len() {
        return None;
    }
    let calls = paths
        .iter()
        .zip(texts)
        .map(|(path, text)| args(&[("path", json!(path.text)), ("content", json!(unescaped(&text.text)))]))
        .collect();
    Some(Found { calls, used: whole(part), sure: 8, takes_rest: true })
}

fn content(part: &Part, target: Option<&(String, std::ops::Range<usize>)>) -> Option<String> {
    if let Some(fenced) = text_of(&FENCE, &part.raw) {
        return Some(format!("{fenced}\n"));
    }
    if part.has_word("empty") || part.has_word("blank") || part.has_han("空文件") || part.has_han("空的") {
        return Some(String::new());
    }
    let not_target = |token: &&Token| target.is_none_or(|(_, range)| token.range != *range);
    if let Some(quoted) = part.quoted().into_iter().find(not_target) {
        return Some(unescaped(&quoted.text));
    }
    // The path is cut out first, so that it is not taken for a part of the content.
    let cut = |range: &std::ops::Range<usize>| -> String {
        let (before, after) = (part.raw.get(..range.start).unwrap_or_default(), part.raw.get(range.end..).unwrap_or_default());
        format!("{before} {after}")
    };
    let after_path = target.and_then(|(_, range)| part.raw.get(range.end..)).unwrap_or(&part.raw);
    let said = text_of(&COLON, after_path)
        .or_else(|| text_of(&CONTAINING, after_path))
        .or_else(|| text_of(&HAN_CONTENT, after_path))
        .or_else(|| text_of(&WRITE_TO, &part.raw))
        .or_else(|| text_of(&HAN_TO, &part.raw))
        .or_else(|| text_of(&HAN_WRITE, &part.raw))
        .or_else(|| target.filter(|_| part.has_han("写")).and_then(|_| text_of(&HAN_AFTER, after_path)))
        .or_else(|| target.and_then(|(_, range)| text_of(&CONTAINING, &cut(range))))?;
    let said = trim_edges(&said);
    let said = said.strip_suffix('.').filter(|said| !said.contains('.')).unwrap_or(&said).to_owned();
    (!said.is_empty() && !PRONOUNS.contains(&said.to_lowercase().as_str())).then(|| unescaped(&said))
}

pub(in crate::llm::offline) fn edit(part: &Part) -> Option<Found> {
    let target = target(part);
    let quoted: Vec<&Token> = part.quoted();
    let of_files = part.has_word("file") || part.has_han("文件");
    if target.is_none() && quoted.len() < 2 && !of_files {
        return None;
    }
    let mut call = Map::new();
    if let Some((path, _)) = &target {
        call.insert("path".to_owned(), json!(path));
    }
    let swapped = match quoted.as_slice() {
        [old, new, ..] => Some((old.text.clone(), new.text.clone())),
        _ => spoken_swap(part, target.as_ref()),
    };
    match swapped {
        Some((old, new)) => call.extend(args(&[("old_text", json!(unescaped(&old))), ("new_text", json!(unescaped(&new)))])),
        // Nothing to replace is named: only a plain `edit a.txt` is asked back.
        None if !["edit", "modify", "replace"].iter().any(|word| part.has_word(word)) && !part.has_han("替换") && !part.has_han("修改") =>
        {
            return None;
        }
        None => {}
    }
    let all = ["all", "every", "everywhere", "each", "occurrences"].iter().any(|word| part.has_word(word))
        || ["全部", "所有", "全都", "每个"].iter().any(|piece| part.has_han(piece));
    if all {
        call.insert("replace_all".to_owned(), json!(true));
    }
    let sure = i32::from(call.contains_key("path")) * 4 + i32::from(call.contains_key("old_text")) * 4;
    Some(Found { calls: vec![call], used: whole(part), sure, takes_rest: true })
}

/// `replace A with B`, the file's name and what joins it to the sentence cut out.
fn spoken_swap(part: &Part, target: Option<&(String, std::ops::Range<usize>)>) -> Option<(String, String)> {
    let (before, after) = match target {
        Some((_, range)) => (part.raw.get(..range.start)?, part.raw.get(range.end..)?),
        None => (part.raw.as_str(), ""),
    };
    let before = PLACE_END.find(before).and_then(|captures| captures.get(0)).map_or(before, |end| &before[..end.start()]);
    let after = PLACE_START.find(after).and_then(|captures| captures.get(0)).map_or(after, |start| &after[start.end()..]);
    let text = format!("{before} {after}");
    let captures = SWAP.find(text.trim()).or_else(|| HAN_SWAP.find(text.trim()))?;
    let side = |at: usize| -> Option<String> {
        let mut side = captures.get(at)?.as_str().trim();
        side = side.trim_end_matches(['.', '。', '?', ',', '，']).trim();
        let side = NOISE.find(side).and_then(|noise| noise.get(0)).map_or(side, |noise| &side[noise.end()..]);
        let side = side.trim_matches(['"', '\'', '`', '“', '”']).trim();
        (!side.is_empty()).then(|| side.to_owned())
    };
    Some((side(1)?, side(2)?))
}
