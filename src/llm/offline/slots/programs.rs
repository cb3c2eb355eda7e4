//! What is to be run, and which code is to be looked at.

use serde_json::json;

use super::{Found, KNOWN_FOLDERS, args, glob_of, rule, whole};
use crate::llm::offline::words::{Kind, Part};

rule!(QUOTED_LINE = r"(?is)^(?:.*?\b(?:run|execute)\b|.*?(?:运行|执行|跑)).*?`([^`]+)`");
rule!(
    COMMAND_LINE = r"(?is)^(?:.*?\b)?(?:run|execute)\s+(?:this\s+|the\s+(?:following\s+)?)?(?:shell\s+|terminal\s+)?(?:command|shell\s+line)\s*(?:line)?\s*[:：]?\s+(.+)$"
);
rule!(IN_SHELL = r"(?is)^(?:.*?\b)?(?:run|execute)\s+(.+?)\s+in\s+(?:the|a|my)\s+(?:shell|terminal)\s*[.!?]*$");
rule!(PROMPT_SIGN = r"(?s)^\$\s+(.+)$");
rule!(
    HAN_LINE =
        r"(?s)^[\p{Han}，,\s]*(?:运行|执行|跑)(?:一下|一个|这个|下面的|以下)*\s*(?:shell|终端)?\s*(?:命令|指令)\s*[:：]?\s*([^\p{Han}].*)$"
);

/// A line for the shell: in backticks, behind `command`, behind `$`.
pub(in crate::llm::offline) fn command(part: &Part) -> Option<Found> {
    let rules = [&QUOTED_LINE, &COMMAND_LINE, &IN_SHELL, &PROMPT_SIGN, &HAN_LINE];
    let line = rules.iter().find_map(|rule| rule.find(&part.raw)?.get(1).map(|line| line.as_str().trim().to_owned()))?;
    // Quoted as a whole, the marks are the sentence's and not the shell's.
    let quoted = part.quoted();
    let line = match quoted.as_slice() {
        [only] if line.len() == only.text.len() + 2 && line.get(1..line.len() - 1) == Some(only.text.as_str()) => only.text.clone(),
        _ => line.trim_matches('`').trim().to_owned(),
    };
    let call = args(&[("command", json!(line))]);
    (!line.is_empty()).then(|| Found { calls: vec![call], used: whole(part), sure: 4, takes_rest: true })
}

/// Files and folders of code; the working folder where none is named.
#[expect(clippy::unnecessary_wraps, reason = "an extractor like the others")]
pub(in crate::llm::offline) fn code(part: &Part) -> Option<Found> {
    let mut found = Found::default();
    let mut paths: Vec<String> = Vec::new();
    for token in part.values(|kind| matches!(kind, Kind::Path | Kind::Quoted)) {
        paths.push(token.text.clone());
        found.used.push(token.range.clone());
    }
    if paths.is_empty() {
        for token in part.tokens.iter().filter(|token| token.kind == Kind::Word && KNOWN_FOLDERS.contains(&token.text.as_str())) {
            paths.push(token.text.clone());
            found.used.push(token.range.clone());
        }
    }
    let glob = glob_of(part, None, &mut found);
    found.sure = if paths.is_empty() { 0 } else { 3 };
    if paths.is_empty() {
        paths.push(".".to_owned());
    }
    for path in paths {
        let mut call = args(&[("path", json!(path))]);
        call.extend(glob.iter().map(|glob| ("glob".to_owned(), json!(glob))));
        found.calls.push(call);
    }
    Some(found)
}
