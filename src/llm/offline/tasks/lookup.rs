//! Which task is meant, and what the results of tools put into calls that waited for them.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::manage;
use super::moment;
use super::sites;
use super::{CREATE, LIST, Question, is_tool};
use crate::domain::text::{clean_line, ellipsis};
use crate::llm::offline::plan::Done;
use crate::llm::offline::request::{Planned, Purpose};
use crate::llm::offline::talk::Lang;
use crate::llm::offline::words::is_han;

/// What stands before the kind where all tasks are meant.
pub(super) const ALL: &str = "*";

/// The most tasks that one request is carried out for.
const TASKS_MAX: usize = 50;

/// The most tasks that a question offers.
const OPTIONS_MAX: usize = 9;

/// The most characters of a description in a question.
const NAME_CHARS_MAX: usize = 60;

/// Why a call that waited cannot be made.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum Stuck {
    /// No task fits the words; the names of those that exist.
    NoTask { words: String, names: Vec<String> },
    /// More than one fits.
    Several(Question),
    /// There is no such moment.
    NoMoment,
    /// The task has nothing of that kind to change.
    NoChange { name: String },
}

/// The envelope of a tool for tasks, also where it came as the text of an error.
pub(in super::super) fn envelope(result: &str) -> Option<Map<String, Value>> {
    let text = result.trim();
    let text = text.get(..6).filter(|start| start.eq_ignore_ascii_case("error:")).map_or(text, |_| text[6..].trim());
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(envelope)) if envelope.contains_key("status") => Some(envelope),
        _ => None,
    }
}

pub(super) fn data(result: &str) -> Option<Value> {
    envelope(result)?.get("data").cloned()
}

/// Whether an envelope tells of a failure.
pub(in super::super) fn is_error(result: &str) -> bool {
    envelope(result).is_some_and(|envelope| envelope.get("status").and_then(Value::as_str) == Some("error"))
}

/// The tasks in the data of a list.
pub(in super::super) fn tasks_of(data: &Value) -> Vec<Map<String, Value>> {
    let rows = data.as_array().or_else(|| data.get("tasks").and_then(Value::as_array));
    rows.into_iter().flatten().filter_map(|row| row.as_object().cloned()).collect()
}

/// The beginning of an id, enough to tell tasks apart for a person.
pub(in super::super) fn short_id(id: &str) -> String {
    // Ids of one minute begin alike (UUIDv7): then the beginning says little, but the tool takes any unique one.
    clean_line(id).chars().take(SHORT_ID_CHARS).collect()
}

/// Characters of an id that are shown.
const SHORT_ID_CHARS: usize = 13;

/// Puts what the results told into the calls that waited for it. The calls behind one that cannot be made are taken
/// away.
pub(in super::super) fn resolve(groups: &mut Vec<Vec<Planned>>, batches: &[Vec<Done<'_>>]) -> Option<Stuck> {
    for at in 0..groups.len() {
        if !groups[at].iter().any(|call| call.purpose == Purpose::Resolve) {
            continue;
        }
        // Nothing can be put in before the call that it waits for is done.
        if batches.len() < at {
            return None;
        }
        let before = &batches[..at.min(batches.len())];
        let mut made = Vec::new();
        for call in std::mem::take(&mut groups[at]) {
            if call.purpose != Purpose::Resolve {
                made.push(call);
                continue;
            }
            match put_in(&call, before) {
                Some(Ok(calls)) => made.extend(calls),
                Some(Err(stuck)) => {
                    groups.truncate(at);
                    return Some(stuck);
                }
                None => made.push(call),
            }
        }
        groups[at] = made;
    }
    None
}

/// The call (or calls) with the value in; `None` where the result is not there or tells of a failure.
fn put_in(call: &Planned, before: &[Vec<Done<'_>>]) -> Option<Result<Vec<Planned>, Stuck>> {
    let last = |tool: &str| before.iter().rev().flatten().find(|done| is_tool(done.call.name.as_str(), tool)).map(|done| done.result);
    if is_tool(call.tool.as_str(), CREATE) {
        let now = last("current_time").or_else(|| last("get_current_time"))?;
        let written = call.arguments.get("config").and_then(|config| config.get("at")).and_then(Value::as_str)?.to_owned();
        let moment = moment::now(now).and_then(|now| moment::resolved(&written, &now));
        return Some(moment.map_or(Err(Stuck::NoMoment), |moment| {
            let mut call = Planned { purpose: Purpose::Show, ..call.clone() };
            if let Some(config) = call.arguments.get_mut("config").and_then(Value::as_object_mut) {
                config.insert("at".to_owned(), json!(moment));
            }
            Ok(vec![call])
        }));
    }
    let tasks = tasks_of(&data(last(LIST)?)?);
    let words = call.arguments.get("task_id").and_then(Value::as_str)?.to_owned();
    let found = fitting(&tasks, &words);
    let all = words.starts_with(ALL);
    let several = found.len() > 1 && !all;
    if found.is_empty() {
        let names = tasks.iter().take(OPTIONS_MAX).map(name_of).collect();
        return Some(Err(Stuck::NoTask { words: words.trim_start_matches(ALL).to_owned(), names }));
    }
    if several {
        let options = found.iter().take(OPTIONS_MAX).map(|task| (id_of(task), name_of(task))).collect();
        return Some(Err(Stuck::Several(Question::Which { call: call.clone(), options })));
    }
    Some(found.iter().take(TASKS_MAX).map(|task| with_task(call, task)).collect())
}

fn id_of(task: &Map<String, Value>) -> String {
    text_of(task, "task_id").to_owned()
}

fn text_of<'a>(task: &'a Map<String, Value>, key: &str) -> &'a str {
    task.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn name_of(task: &Map<String, Value>) -> String {
    ellipsis(&clean_line(text_of(task, "description")), NAME_CHARS_MAX).into_owned()
}

fn with_task(call: &Planned, task: &Map<String, Value>) -> Result<Planned, Stuck> {
    let mut call = Planned { purpose: Purpose::Show, ..call.clone() };
    call.arguments.insert("task_id".to_owned(), json!(id_of(task)));
    if let Some(Value::Object(change)) = call.arguments.shift_remove("change") {
        let changes = changed(task, &change);
        if changes.is_empty() {
            return Err(Stuck::NoChange { name: name_of(task) });
        }
        call.arguments.extend(changes);
    }
    Ok(call)
}

/// A change in the words of the config of its kind.
fn changed(task: &Map<String, Value>, change: &Map<String, Value>) -> Map<String, Value> {
    let kind = text_of(task, "task_type");
    let mut config = Map::new();
    let mut out = Map::new();
    for (key, value) in change {
        match (key.as_str(), kind) {
            ("description", _) => {
                out.insert(key.clone(), value.clone());
            }
            ("every", "schedule") => {
                config.insert("type".to_owned(), json!("interval"));
                config.insert("minutes".to_owned(), value.clone());
            }
            ("every", "web_monitor" | "threshold_watch") => {
                config.insert("check_interval_minutes".to_owned(), value.clone());
            }
            ("hour" | "minute", "schedule") => {
                // What ran at an interval runs every day from now on.
                let daily = matches!(task.get("config").map(|config| text_in(config, "type")), Some("interval" | "once" | "cron"));
                if daily && !change.contains_key("days") {
                    config.insert("type".to_owned(), json!("daily"));
                }
                config.insert(key.clone(), value.clone());
            }
            ("hour" | "minute", "news_digest") | ("threshold", "threshold_watch") | ("notification" | "timezone", _) => {
                config.insert(key.clone(), value.clone());
            }
            ("days", "schedule") => {
                config.insert("type".to_owned(), json!("weekly"));
                config.insert(key.clone(), value.clone());
            }
            ("cron", "schedule") => {
                config.insert("type".to_owned(), json!("cron"));
                config.insert(key.clone(), value.clone());
            }
            ("add" | "remove", _) => config.extend(listed(task, kind, key == "add", value)),
            _ => {}
        }
    }
    if !config.is_empty() {
        out.insert("config".to_owned(), Value::Object(config));
    }
    out
}

fn text_in<'a>(config: &'a Value, key: &str) -> &'a str {
    config.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A list of the config with values added or taken away.
fn listed(task: &Map<String, Value>, kind: &str, add: bool, lists: &Value) -> Option<(String, Value)> {
    let (name, values) = lists.as_object()?.iter().next()?;
    let key = match (name.as_str(), kind) {
        ("urls", "web_monitor") => "urls",
        ("urls", "news_digest" | "schedule") => "news_urls",
        ("keywords", "web_monitor") => "keywords",
        ("keywords", "news_digest") => "categories",
        _ => return None,
    };
    let known = task.get("config").and_then(|config| config.get(key)).and_then(Value::as_array).cloned().unwrap_or_default();
    let values = values.as_array()?;
    let same = |one: &Value, other: &Value| one.as_str().map(str::to_lowercase) == other.as_str().map(str::to_lowercase);
    let mut list: Vec<Value> = known.into_iter().filter(|known| add || !values.iter().any(|value| same(known, value))).collect();
    if add {
        for value in values {
            if !list.iter().any(|known| same(known, value)) {
                list.push(value.clone());
            }
        }
    }
    Some((key.to_owned(), Value::Array(list)))
}

/// Kinds of tasks by the words for them.
const KINDS: &[(&str, &[&str])] = &[
    ("monitor", &["web_monitor", "threshold_watch"]),
    ("webmonitor", &["web_monitor"]),
    ("watch", &["web_monitor", "threshold_watch"]),
    ("watcher", &["web_monitor", "threshold_watch"]),
    ("watche", &["web_monitor", "threshold_watch"]),
    ("tracker", &["web_monitor", "threshold_watch"]),
    ("reminder", &["schedule"]),
    ("alarm", &["schedule", "threshold_watch"]),
    ("schedule", &["schedule", "news_digest"]),
    ("digest", &["news_digest", "schedule"]),
    ("newsletter", &["news_digest", "schedule"]),
    ("briefing", &["news_digest", "schedule"]),
    ("alert", &["threshold_watch", "web_monitor"]),
    ("threshold", &["threshold_watch"]),
    ("监控", &["web_monitor", "threshold_watch"]),
    ("提醒", &["schedule", "threshold_watch"]),
    ("闹钟", &["schedule"]),
    ("摘要", &["news_digest", "schedule"]),
    ("简报", &["news_digest", "schedule"]),
    ("汇总", &["news_digest", "schedule"]),
    ("早报", &["news_digest", "schedule"]),
    ("告警", &["threshold_watch", "web_monitor"]),
    ("预警", &["threshold_watch", "web_monitor"]),
    ("警报", &["threshold_watch", "web_monitor"]),
];

/// Words for a task that say nothing about which one.
const EMPTY: &[&str] = &[
    "the",
    "my",
    "a",
    "an",
    "task",
    "tasks",
    "job",
    "about",
    "for",
    "on",
    "of",
    "to",
    "that",
    "this",
    "one",
    "me",
    "background",
    "is",
    "at",
    "news",
    "and",
    "please",
    "web",
    "page",
    "site",
    "named",
    "called",
    "from",
    "in",
    "when",
    "if",
    "daily",
    "every",
    "price",
    "updates",
    "with",
];

/// The tasks that words fit: by id, by the exact description, by their words; the best ones only.
fn fitting<'t>(tasks: &'t [Map<String, Value>], words: &str) -> Vec<&'t Map<String, Value>> {
    let all = words.strip_prefix(ALL);
    let wanted = all.unwrap_or(words).trim().to_lowercase();
    let by =
        |fits: &dyn Fn(&Map<String, Value>) -> bool| -> Vec<&'t Map<String, Value>> { tasks.iter().filter(|task| fits(task)).collect() };
    if all.is_none() {
        let exact = by(&|task| text_of(task, "description").to_lowercase() == wanted);
        let by_id = by(&|task| wanted.len() >= 3 && id_of(task).to_lowercase().starts_with(&wanted));
        if !exact.is_empty() || !by_id.is_empty() {
            return if exact.is_empty() { by_id } else { exact };
        }
    }
    let (kinds, content) = taken_apart(&wanted);
    // A schedule is a digest only where it gathers news.
    let of_kind = |task: &Map<String, Value>| {
        let kind = text_of(task, "task_type");
        let plain = kind == "schedule" && kinds.first() == Some(&"news_digest");
        let gathers = || task.get("config").is_some_and(|config| text_in(config, "action") == "news_digest");
        kinds.is_empty() || (kinds.contains(&kind) && (!plain || gathers()))
    };
    let scored: Vec<(usize, &Map<String, Value>)> = tasks.iter().map(|task| (score(task, &content), task)).collect();
    let best = scored.iter().filter(|(_, task)| of_kind(task)).map(|(score, _)| *score).max().unwrap_or(0);
    if content.is_empty() || all.is_some() {
        return scored.iter().filter(|(score, task)| of_kind(task) && *score == content.len()).map(|(_, task)| *task).collect();
    }
    if best == 0 {
        // `the bitcoin alert` may be a monitor of a page: its words count more than its kind.
        let any = scored.iter().map(|(score, _)| *score).max().unwrap_or(0);
        return scored.iter().filter(|(score, _)| any > 0 && *score == any).map(|(_, task)| *task).collect();
    }
    scored.iter().filter(|(score, task)| *score == best && of_kind(task)).map(|(_, task)| *task).collect()
}

/// The kinds and the other words of a name.
fn taken_apart(words: &str) -> (Vec<&'static str>, Vec<String>) {
    let mut kinds: Vec<&'static str> = Vec::new();
    let mut content: Vec<String> = Vec::new();
    let mut han = String::new();
    let mut latin = String::new();
    for ch in words.chars() {
        if is_han(ch) {
            han.push(ch);
            latin.push(' ');
        } else {
            latin.push(if ch.is_alphanumeric() || ch == '.' || ch == '-' { ch } else { ' ' });
            han.push(' ');
        }
    }
    for word in latin.split_whitespace() {
        let stem = word.trim_end_matches('s').trim_end_matches('\'');
        match KINDS.iter().find(|(name, _)| *name == stem) {
            Some((_, known)) if kinds.is_empty() => kinds.extend(*known),
            Some(_) => {}
            None if EMPTY.contains(&word) => {}
            None => content.push(word.to_owned()),
        }
    }
    for (name, known) in KINDS.iter().filter(|(name, _)| name.chars().any(is_han)) {
        if han.contains(name) {
            han = han.replace(name, " ");
            if kinds.is_empty() {
                kinds.extend(*known);
            }
        }
    }
    for noise in ["任务", "那个", "这个", "我的", "新闻", "关于", "价格", "每天", "的", "把"] {
        han = han.replace(noise, " ");
    }
    content.extend(han.split_whitespace().map(str::to_owned));
    (kinds, content)
}

/// How many of the words a task has: in its description, addresses, keywords, or in the other names of these.
fn score(task: &Map<String, Value>, content: &[String]) -> usize {
    let config = task.get("config").cloned().unwrap_or(Value::Null);
    let mut hay = format!("{} ", text_of(task, "description").to_lowercase());
    for key in ["urls", "news_urls", "keywords", "categories"] {
        for text in config.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            let _ = write!(hay, "{} {} ", text.to_lowercase(), sites::names_of(text).join(" ").to_lowercase());
        }
    }
    let metric = text_in(&config, "metric").to_lowercase();
    let names = sites::METRICS.iter().filter(|(_, name)| *name == metric).map(|(names, _)| names.replace('|', " "));
    let _ = write!(hay, "{} {} {} ", metric.replace('_', " "), names.collect::<String>(), text_in(&config, "action").to_lowercase());
    content.iter().filter(|word| if word.chars().any(is_han) { hay.contains(word.as_str()) } else { begins_a_word(&hay, word) }).count()
}

fn begins_a_word(hay: &str, word: &str) -> bool {
    let stem = word.trim_end_matches("'s").trim_end_matches('s');
    let stem = if stem.len() < 3 { word } else { stem };
    hay.match_indices(stem).any(|(at, _)| !hay[..at].chars().next_back().is_some_and(|before| before.is_ascii_alphanumeric()))
}

/// The question which of several tasks is meant.
pub(super) fn which(options: &[(String, String)], lang: Lang) -> String {
    let mut out = lang.pick("More than one task fits:\n", "有多个任务符合：\n").to_owned();
    for (at, (id, name)) in options.iter().enumerate() {
        let _ = write!(out, "\n{}. {} (`{}`)", at + 1, name, short_id(id));
    }
    out.push_str(lang.pick("\n\nWhich one?", "\n\n是哪一个？"));
    out
}

/// The task that an answer chooses: by number, order, id or words.
pub(super) fn chosen(options: &[(String, String)], text: &str) -> Option<String> {
    let answer = text.trim().trim_end_matches(['.', '。', '!', '！']).to_lowercase();
    let orders: [&[&str]; 9] = [
        &["1", "first", "第一", "一"],
        &["2", "second", "第二", "二"],
        &["3", "third", "第三", "三"],
        &["4", "fourth", "第四", "四"],
        &["5", "fifth", "第五"],
        &["6", "sixth", "第六"],
        &["7", "seventh", "第七"],
        &["8", "eighth", "第八"],
        &["9", "ninth", "第九"],
    ];
    let bare = answer.trim_start_matches("the ").trim_start_matches("number ").trim_end_matches(" one").trim_end_matches('个');
    if let Some(at) = orders.iter().position(|names| names.contains(&bare)) {
        return options.get(at).map(|(id, _)| id.clone());
    }
    if answer == "the last one" || answer == "last" || answer == "最后一个" {
        return options.last().map(|(id, _)| id.clone());
    }
    let rows: Vec<Map<String, Value>> = options
        .iter()
        .map(|(id, name)| Map::from_iter([("task_id".to_owned(), json!(id)), ("description".to_owned(), json!(name))]))
        .collect();
    match fitting(&rows, &answer).as_slice() {
        [one] => Some(id_of(one)),
        _ => None,
    }
}

/// What to say where a call could not be made.
pub(in super::super) fn told(stuck: &Stuck, lang: Lang) -> String {
    match stuck {
        Stuck::NoTask { names, .. } if names.is_empty() => lang.pick("There are no background tasks.", "目前没有后台任务。").to_owned(),
        Stuck::NoTask { words, names } => {
            let list = format!("\n- {}", names.join("\n- "));
            let words = clean_line(words);
            match lang {
                Lang::En => format!("No task fits “{words}”. There are:\n{list}"),
                Lang::Zh => format!("没有符合“{words}”的任务。现有：\n{list}"),
            }
        }
        Stuck::Several(question) => super::question(question, lang),
        Stuck::NoMoment => lang
            .pick("I could not work out that date. Say it like “2026-12-01 at 10:00”.", "无法确定这个日期，请写成“2026-12-01 10:00”。")
            .to_owned(),
        Stuck::NoChange { name } => match lang {
            Lang::En => format!("“{name}” has nothing of that kind to change. Nothing was changed."),
            Lang::Zh => format!("“{name}”没有这样的设置可改，未作更改。"),
        },
    }
}

/// Whether a tool changes a task in a way that is told by one word.
pub(in super::super) fn is_simple(name: &str) -> bool {
    [manage::PAUSE, manage::RESUME, manage::DELETE].iter().any(|tool| is_tool(name, tool))
}
