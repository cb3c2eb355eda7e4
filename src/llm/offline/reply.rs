//! Answers from the results of tools: readable, in the user's language, and nothing that is not in them.

mod folder;
mod known;
mod memories;
mod tasks;
mod web;

use std::fmt::Write as _;

use serde_json::Value;

use super::generic;
use super::plan::Done;
use super::request::{Open, Planned, Purpose};
use super::talk::Lang;
use super::toolset::{HANDOFF, Toolset, name_words, stem};
use super::words::Part;
use crate::domain::text::{clean, clean_line, cut_middle, ellipsis};

pub(super) use folder::{README_LINES, readme_of};

/// The longest result that is shown, in bytes; the whole is in the tool's line.
const RESULT_BYTES_MAX: usize = 6_000;

/// The most rows of a table, or points of a list.
const ROWS_MAX: usize = 40;

/// The most columns of a table.
const COLUMNS_MAX: usize = 8;

/// The most characters of one cell.
const CELL_CHARS_MAX: usize = 80;

/// How a failed call begins in the history.
const FAILURE: &str = "error:";

/// Whether a result tells of a failure.
pub(super) fn is_failure(result: &str) -> bool {
    result.trim_start().get(..FAILURE.len()).is_some_and(|start| start.eq_ignore_ascii_case(FAILURE))
}

/// Whether a tool for tasks told of a failure in its own form.
pub(super) fn is_refused(done: &Done<'_>) -> bool {
    super::tasks::is_ours(done.call.name.as_str()) && super::tasks::is_error(done.result)
}

/// What to say where a call for a task could not be made.
pub(super) fn stuck(stuck: &super::tasks::Stuck, lang: Lang) -> String {
    super::tasks::told(stuck, lang)
}

/// Whether a call was stopped by the user or by the end of the program.
pub(super) fn is_stopped(result: &str) -> bool {
    let lower = result.trim_start().to_lowercase();
    is_failure(result)
        && ["interrupted", "was stopped", "stopped by", "program ended", "whether it took effect is unknown"]
            .iter()
            .any(|word| lower.contains(word))
}

/// How a refusal tells what the user wants instead.
const INSTEAD: &str = " and says: ";

/// What the user wants instead of a call that was refused.
pub(super) fn instead_of(result: &str) -> Option<&str> {
    let (refusal, instead) = result.split_once(INSTEAD)?;
    (is_failure(refusal) && refusal.contains("refused")).then(|| instead.trim()).filter(|instead| !instead.is_empty())
}

/// One piece of text for each call that is to be shown.
pub(super) fn results(groups: &[Vec<Planned>], batches: &[Vec<Done<'_>>], said: &str, lang: Lang) -> Vec<String> {
    let mut pieces = Vec::new();
    let all: Vec<(Option<&Planned>, &Done<'_>)> = batches
        .iter()
        .enumerate()
        .flat_map(|(at, batch)| batch.iter().map(move |done| (at, done)))
        .map(|(at, done)| {
            let planned = groups
                .get(at)
                .and_then(|group| group.iter().find(|planned| planned.tool == done.call.name && planned.arguments == done.call.arguments));
            (planned, done)
        })
        .collect();
    let readme = all.iter().find(|(planned, _)| planned.is_some_and(|planned| planned.purpose == Purpose::Readme)).map(|(_, done)| *done);
    for (planned, done) in &all {
        let purpose = planned.map_or(Purpose::Show, |planned| planned.purpose);
        if is_refused(done) {
            pieces.push(tasks::refused(done, lang));
            continue;
        }
        if is_failure(done.result) {
            // A folder can be described without the text of its README.
            if purpose != Purpose::Readme {
                pieces.push(failure(done, lang));
            }
            continue;
        }
        match purpose {
            Purpose::Show | Purpose::Resolve => pieces.push(known::result(done, said, lang).unwrap_or_else(|| plain(done, lang))),
            Purpose::About { list } => {
                if list {
                    pieces.push(known::result(done, said, lang).unwrap_or_else(|| plain(done, lang)));
                }
                pieces.push(folder::about(done, readme.filter(|readme| !is_failure(readme.result)), lang));
            }
            Purpose::Readme | Purpose::Hidden => {}
        }
    }
    pieces
}

/// The short name of a tool, for people.
fn name_of(done: &Done<'_>) -> String {
    let name = done.call.name.as_str();
    clean_line(&name.replacen("__", " · ", 1))
}

/// What went wrong, in the tool's words, and what to do next.
fn failure(done: &Done<'_>, lang: Lang) -> String {
    let text = done.result.trim_start();
    let reason = clean(text.get(FAILURE.len()..).unwrap_or_default().trim()).into_owned();
    let reason = cut_middle(&reason, RESULT_BYTES_MAX / 4).into_owned();
    let lower = reason.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let next = if instead_of(done.result).is_some() {
        ""
    } else if has(&["refused", "declined", "denied by", "said no", "consent"]) {
        lang.pick("It was not allowed, so nothing happened. Tell me what to do instead.", "该操作未被允许，没有执行。请告诉我改做什么。")
    } else if has(&["interrupted", "was stopped", "whether it took effect is unknown"]) {
        lang.pick("Say it again to start over.", "如需重新开始，请再说一次。")
    } else if has(&["took longer", "timed out", "no answer within", "timeout"]) {
        lang.pick("Try again, or ask for less at a time.", "请重试，或一次少要一些。")
    } else if has(&["disconnected", "connection", "no such tool", "not connected", "ended ("]) {
        lang.pick("`/mcp` shows the state of the servers.", "用 `/mcp` 查看服务器状态。")
    } else if lower.contains("; ") || has(&["use `", "try", "give "]) {
        ""
    } else {
        lang.pick("Change the request and try again.", "请修改请求后再试。")
    };
    let name = name_of(done);
    // It did not fail: somebody said no, and knows that.
    if lower.starts_with("the user refused this call") {
        let done_with = match lang {
            Lang::En => format!("`{name}` did not run, as you said."),
            Lang::Zh => format!("按你的意思，`{name}` 没有执行。"),
        };
        let ask = if next.is_empty() { "" } else { lang.pick(" Tell me what to do instead.", "请告诉我改做什么。") };
        return format!("{done_with}{ask}");
    }
    let gap = if next.is_empty() { "" } else { "\n" };
    match lang {
        Lang::En => format!("**`{name}` did not work:** {reason}{gap}{next}"),
        Lang::Zh => format!("**`{name}` 没有成功：** {reason}{gap}{next}"),
    }
}

/// What will not be done any more after a failure.
pub(super) fn left_out(rest: &[&Planned], lang: Lang) -> String {
    let names: Vec<String> = rest.iter().map(|call| format!("`{}`", clean_line(&call.tool.as_str().replacen("__", " · ", 1)))).collect();
    match lang {
        Lang::En => format!("Because of that I did not go on with {}.", names.join(", ")),
        Lang::Zh => format!("因此没有继续执行：{}。", names.join("、")),
    }
}

/// The result of a tool that nothing more is known about.
fn plain(done: &Done<'_>, lang: Lang) -> String {
    let name = name_of(done);
    if done.call.name.as_str() == HANDOFF {
        let agent = done.call.arguments.get("agent").and_then(Value::as_str).unwrap_or_default();
        let answered = match lang {
            Lang::En => format!("**{}** answered:", clean_line(agent)),
            Lang::Zh => format!("**{}** 的回答：", clean_line(agent)),
        };
        return format!("{answered}\n\n{}", cut_middle(&clean(done.result), RESULT_BYTES_MAX));
    }
    let text = clean(done.result.trim()).into_owned();
    if text.is_empty() {
        return match lang {
            Lang::En => format!("`{name}` is done; it returned nothing."),
            Lang::Zh => format!("`{name}` 已完成，没有返回内容。"),
        };
    }
    if let Ok(value) = serde_json::from_str::<Value>(&text)
        && let Some(shown) = json_text(&value)
    {
        return format!("`{name}`:\n\n{shown}");
    }
    let lines = text.lines().count();
    if lines <= 1 && text.len() <= 300 {
        return format!("`{name}`: {text}");
    }
    format!("`{name}`:\n\n{}", fenced(&text, ""))
}

/// JSON as a table, a list or a block; `None` for a bare value.
fn json_text(value: &Value) -> Option<String> {
    match value {
        Value::Array(rows) if !rows.is_empty() && rows.iter().all(Value::is_object) => table(rows).or_else(|| Some(block(value))),
        Value::Array(items) if !items.is_empty() && items.iter().all(is_scalar) => {
            let mut out: Vec<String> = items.iter().take(ROWS_MAX).map(|item| format!("- {}", cell(item))).collect();
            if items.len() > ROWS_MAX {
                out.push(format!("- … {}", items.len() - ROWS_MAX));
            }
            Some(out.join("\n"))
        }
        Value::Object(fields) if !fields.is_empty() && fields.values().all(is_scalar) => Some(
            fields
                .iter()
                .take(ROWS_MAX)
                .map(|(name, value)| format!("- **{}**: {}", clean_line(name), cell(value)))
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        Value::Object(_) | Value::Array(_) => Some(block(value)),
        _ => None,
    }
}

fn is_scalar(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::String(text) => clean_line(text),
        other => clean_line(&other.to_string()),
    };
    ellipsis(&text, CELL_CHARS_MAX).replace('|', "\\|")
}

fn table(rows: &[Value]) -> Option<String> {
    let mut columns: Vec<&String> = Vec::new();
    for key in rows.iter().take(ROWS_MAX).filter_map(Value::as_object).flat_map(serde_json::Map::keys) {
        if !columns.contains(&key) {
            columns.push(key);
        }
    }
    let flat = rows.iter().take(ROWS_MAX).filter_map(Value::as_object).all(|row| row.values().all(is_scalar));
    if !flat || columns.is_empty() || columns.len() > COLUMNS_MAX {
        return None;
    }
    let mut out = format!(
        "| {} |\n|{}",
        columns.iter().map(|column| clean_line(column).replace('|', "\\|")).collect::<Vec<_>>().join(" | "),
        " --- |".repeat(columns.len())
    );
    for row in rows.iter().take(ROWS_MAX) {
        let cells: Vec<String> = columns.iter().map(|column| row.get(column.as_str()).map(cell).unwrap_or_default()).collect();
        let _ = write!(out, "\n| {} |", cells.join(" | "));
    }
    if rows.len() > ROWS_MAX {
        let _ = write!(out, "\n\n… {} / {}", ROWS_MAX, rows.len());
    }
    Some(out)
}

fn block(value: &Value) -> String {
    fenced(&serde_json::to_string_pretty(value).unwrap_or_default(), "json")
}

/// A block that no back-ticks inside can end.
fn fenced(text: &str, language: &str) -> String {
    let longest = text.lines().map(|line| line.trim_start().chars().take_while(|ch| *ch == '`').count()).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}{language}\n{}\n{fence}", cut_middle(text.trim_end_matches('\n'), RESULT_BYTES_MAX))
}

/// The most words of a description in a question.
const HINT_CHARS_MAX: usize = 160;

/// The question for what is missing.
pub(super) fn question(open: &Open, tools: &Toolset<'_>, lang: Lang) -> String {
    match open {
        Open::Task(question) => super::tasks::question(question, lang),
        Open::Choice { options, .. } => {
            let list: Vec<String> =
                options.iter().take(9).enumerate().map(|(at, name)| format!("{}. `{}`", at + 1, clean_line(name.as_str()))).collect();
            format!("{}\n\n{}", lang.pick("More than one tool fits. Which one shall I use?", "有多个工具符合，用哪一个？"), list.join("\n"))
        }
        Open::Argument { call, name } => {
            if let Some(asked) = known::question(call.tool.as_str(), name, lang) {
                return asked.to_owned();
            }
            let view = tools.find(&call.tool);
            let (description, choices) = view.map(|view| generic::described(&view, name)).unwrap_or_default();
            let tool = clean_line(&call.tool.as_str().replacen("__", " · ", 1));
            let mut out = match lang {
                Lang::En => format!("`{tool}` needs `{}`", clean_line(name)),
                Lang::Zh => format!("`{tool}` 需要参数 `{}`", clean_line(name)),
            };
            if let Some(description) = description.map(clean_line).filter(|description| !description.is_empty()) {
                let _ = match lang {
                    Lang::En => write!(out, " ({})", ellipsis(description.trim_end_matches('.'), HINT_CHARS_MAX)),
                    Lang::Zh => write!(out, "（{}）", ellipsis(description.trim_end_matches('.'), HINT_CHARS_MAX)),
                };
            }
            if !choices.is_empty() {
                let list: Vec<String> = choices.iter().take(12).map(|choice| format!("`{}`", clean_line(choice))).collect();
                let _ = write!(out, "{}{}", lang.pick(": one of ", "：可选 "), list.join(", "));
            }
            out.push_str(lang.pick(". What shall it be?", "。请问是什么？"));
            out
        }
    }
}

/// The closest tools that are suggested.
const SUGGESTED_MAX: usize = 3;

/// The plain truth about what was not understood, and what comes close.
pub(super) fn not_understood(unknown: &[String], text: &str, nothing_else: bool, tools: &Toolset<'_>, lang: Lang) -> String {
    let pieces: Vec<String> = unknown.iter().map(|piece| ellipsis(&clean_line(piece), 120).into_owned()).collect();
    let mut out = match (lang, nothing_else || pieces.is_empty()) {
        (Lang::En, true) => "I did not understand that. I am a rule-based offline assistant and no language model, so I can only carry out requests I have rules for.".to_owned(),
        (Lang::Zh, true) => "我没有听懂。我是按规则工作的离线助手，不是语言模型，只能执行有规则的请求。".to_owned(),
        (Lang::En, false) => format!("This part I did not understand: “{}”.", pieces.join("”, “")),
        (Lang::Zh, false) => format!("这部分我没有听懂：“{}”。", pieces.join("”、“")),
    };
    let close = closest(text, tools);
    if !close.is_empty() {
        out.push_str(lang.pick("\n\nPerhaps you mean:", "\n\n也许你想要："));
        for example in close {
            let _ = write!(out, "\n- {example}");
        }
    } else if nothing_else {
        out.push_str(lang.pick("\n\nYou can say, for example:", "\n\n例如可以说："));
        for example in known::examples(tools, lang).into_iter().take(SUGGESTED_MAX) {
            let _ = write!(out, "\n- “{example}”");
        }
    }
    if nothing_else {
        out.push_str(lang.pick(
            "\n\n`help` shows everything I can do; `/model` chooses a real model.",
            "\n\n输入“帮助”查看全部功能；用 `/model` 选择真正的模型。",
        ));
    }
    out
}

/// Tools that share words with a text.
fn closest(text: &str, tools: &Toolset<'_>) -> Vec<String> {
    let part = Part::new(text);
    let said: Vec<String> = part.words().filter(|word| word.len() > 2 && !super::intents::FILLERS.contains(word)).map(stem).collect();
    let mut scored: Vec<(usize, String)> = tools
        .0
        .iter()
        .filter_map(|view| {
            let name: Vec<String> = name_words(view.short).iter().map(|word| stem(word)).collect();
            let description = view.spec.description.to_lowercase();
            let described: Vec<String> = description.split(|ch: char| !ch.is_alphanumeric()).map(stem).collect();
            let score: usize = said.iter().map(|word| if name.contains(word) { 3 } else { usize::from(described.contains(word)) }).sum();
            let first = clean_line(view.spec.description.split(['.', '\n']).next().unwrap_or_default());
            (score > 0)
                .then(|| (score, format!("`{}`: {}", clean_line(&view.spec.name.as_str().replacen("__", " ", 1)), ellipsis(&first, 100))))
        })
        .collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored.into_iter().take(SUGGESTED_MAX).map(|(_, text)| text).collect()
}
