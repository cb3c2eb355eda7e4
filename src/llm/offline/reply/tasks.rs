//! Results of the tools for background tasks in plain words: what was made, when it runs next, who is told, how to stop it.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::{CELL_CHARS_MAX, ROWS_MAX, json_text};
use crate::domain::text::{clean, clean_line, cut_middle, ellipsis};
use crate::llm::offline::plan::Done;
use crate::llm::offline::talk::Lang;
use crate::llm::offline::tasks::{CREATE, LIST, STATUS, envelope, is_simple, is_tool, short_id, tasks_of};

/// The longest reason of a failure that is told, in bytes.
const REASON_BYTES_MAX: usize = 1_500;

/// The most addresses or keywords that are named.
const NAMES_MAX: usize = 6;

/// A failure in the form of these tools: the field and the way out are in its words.
pub(super) fn refused(done: &Done<'_>, lang: Lang) -> String {
    let envelope = envelope(done.result).unwrap_or_default();
    let text = |key: &str| envelope.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let error = match envelope.get("error") {
        Some(Value::Object(error)) => error.get("message").and_then(Value::as_str).map(str::to_owned),
        _ => text("error").map(str::to_owned),
    };
    let reason = error.or_else(|| text("message").map(str::to_owned)).unwrap_or_else(|| lang.pick("no reason given", "没有说明原因").to_owned());
    let reason = cut_middle(&clean(&reason), REASON_BYTES_MAX).into_owned();
    let nothing = if is_tool(done.call.name.as_str(), CREATE) {
        lang.pick("**The task was not created:** ", "**任务没有创建：** ")
    } else {
        lang.pick("**That did not work:** ", "**没有成功：** ")
    };
    format!("{nothing}{reason}")
}

/// The words for a result; `None` where its form is not known.
pub(super) fn result(done: &Done<'_>, lang: Lang) -> Option<String> {
    let envelope = envelope(done.result)?;
    let data = envelope.get("data").cloned().unwrap_or(Value::Null);
    let now = envelope.get("timestamp").and_then(Value::as_str).and_then(|now| now.parse::<Timestamp>().ok());
    let name = done.call.name.as_str();
    if is_tool(name, LIST) {
        return Some(list(&tasks_of(&data), now, lang));
    }
    if is_tool(name, STATUS) {
        return status(&data, lang);
    }
    let message = envelope.get("message").and_then(Value::as_str).map(|message| clean(message).into_owned());
    let task = data.get("task").and_then(Value::as_object).or_else(|| data.as_object()).cloned().unwrap_or_default();
    if is_tool(name, CREATE) {
        return Some(created(&task, done, now, lang));
    }
    if is_simple(name) {
        return Some(simple(name, &task, done, lang));
    }
    let shown = json_text(&data).filter(|_| !data.is_null() && data.as_object().is_none_or(|data| !data.is_empty()));
    let task_name = text(&task, "description").map(|text| format!(" “{text}”")).unwrap_or_default();
    let head = if is_tool(name, "update_background_task") {
        let rhythm = rhythm(&task, lang).map(|rhythm| format!("{} {rhythm}", lang.pick(":", "："))).unwrap_or_default();
        return Some(format!("{}{task_name}{rhythm}", lang.pick("Changed", "已修改")));
    } else if is_tool(name, "run_background_task") {
        let done = lang.pick("Started", "已开始运行");
        return Some(message.map_or_else(|| format!("{done}{task_name}."), |message| format!("{done}{task_name}: {message}")));
    } else if is_tool(name, "get_background_task_history") {
        if let Some(rows) = rows(&data) {
            return Some(history(&rows, &task_name, lang));
        }
        lang.pick("History", "历史")
    } else {
        lang.pick("Preview", "预览")
    };
    match (message, shown) {
        (Some(message), Some(shown)) => Some(format!("{head}{task_name}: {message}\n\n{shown}")),
        (Some(message), None) => Some(format!("{head}{task_name}: {message}")),
        (None, Some(shown)) => Some(format!("{head}{task_name}:\n\n{shown}")),
        (None, None) => None,
    }
}

fn text(task: &Map<String, Value>, key: &str) -> Option<String> {
    task.get(key).and_then(Value::as_str).map(clean_line).filter(|text| !text.is_empty())
}

/// The task that was made. What the tool does not repeat is told from what it was given.
fn created(task: &Map<String, Value>, done: &Done<'_>, now: Option<Timestamp>, lang: Lang) -> String {
    let mut whole = done.call.arguments.clone();
    whole.extend(task.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.clone(), value.clone())));
    let description = text(&whole, "description").unwrap_or_default();
    let mut out = match lang {
        Lang::En => format!("Done, the task is set up: **{description}**\n"),
        Lang::Zh => format!("好的，任务已创建：**{description}**\n"),
    };
    let mut point = |en: &str, zh: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = write!(out, "\n- **{}**{}{value}", lang.pick(en, zh), lang.pick(": ", "："));
        }
    };
    point("What", "内容", Some(what(&whole, lang)));
    point("When", "时间", rhythm(&whole, lang));
    point("Next", "下一次", text(&whole, "next_check").map(|next| moment(&next, &whole, now, lang)));
    point("Told by", "通知方式", Some(told_by(&whole, lang)));
    if let Some(id) = text(&whole, "task_id") {
        let id = short_id(&id);
        point(
            "To stop it",
            "停止方法",
            Some(match lang {
                Lang::En => format!("say “pause task {id}” or “delete task {id}”"),
                Lang::Zh => format!("说“暂停任务 {id}”或“删除任务 {id}”"),
            }),
        );
    }
    out
}

fn config(task: &Map<String, Value>) -> Map<String, Value> {
    task.get("config").and_then(Value::as_object).cloned().unwrap_or_default()
}

fn names(config: &Map<String, Value>, key: &str) -> Vec<String> {
    let list: Vec<&str> = config.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut out: Vec<String> = list.iter().take(NAMES_MAX).map(|text| clean_line(text)).collect();
    if list.len() > NAMES_MAX {
        out.push(format!("… (+{})", list.len() - NAMES_MAX));
    }
    out
}

/// What a task does.
fn what(task: &Map<String, Value>, lang: Lang) -> String {
    let config = config(task);
    let join = lang.pick(", ", "、");
    match task.get("task_type").and_then(Value::as_str).unwrap_or_default() {
        "web_monitor" => {
            let (urls, keywords) = (names(&config, "urls").join(join), names(&config, "keywords"));
            match (lang, keywords.is_empty()) {
                (Lang::En, true) => format!("watches {urls} for changes"),
                (Lang::En, false) => format!("watches {urls} for changes that mention {}", quoted(&keywords, " or ")),
                (Lang::Zh, true) => format!("监控 {urls} 的变化"),
                (Lang::Zh, false) => format!("监控 {urls} 中提到{}的变化", quoted(&keywords, "或")),
            }
        }
        "news_digest" => match lang {
            Lang::En => format!("gathers the news of {}", names(&config, "news_urls").join(join)),
            Lang::Zh => format!("汇总 {} 的新闻", names(&config, "news_urls").join(join)),
        },
        "threshold_watch" => {
            let metric = text(&config, "metric").unwrap_or_default();
            let limit = config.get("threshold").map(ToString::to_string).unwrap_or_default();
            let change = config.contains_key("change_over_minutes");
            let direction = config.get("direction").and_then(Value::as_str).unwrap_or("above");
            let percent = if change { "%" } else { "" };
            match lang {
                Lang::En if change => format!("watches `{metric}` for a change of {limit}{percent}"),
                Lang::Zh if change => format!("监控 `{metric}`，变化达到 {limit}{percent} 时通知"),
                Lang::En => format!("watches whether `{metric}` {} {limit}", match direction {
                    "below" => "falls to",
                    "cross" => "crosses",
                    _ => "rises to",
                }),
                Lang::Zh => format!("监控 `{metric}` 是否{} {limit}", match direction {
                    "below" => "低于",
                    "cross" => "越过",
                    _ => "高于",
                }),
            }
        }
        _ => match text(&config, "action") {
            Some(action) if action == "news_digest" => match lang {
                Lang::En => format!("gathers the news of {}", names(&config, "news_urls").join(join)),
                Lang::Zh => format!("汇总 {} 的新闻", names(&config, "news_urls").join(join)),
            },
            Some(action) => match lang {
                Lang::En => format!("the agent carries out “{}”", ellipsis(&action, CELL_CHARS_MAX)),
                Lang::Zh => format!("由助手执行“{}”", ellipsis(&action, CELL_CHARS_MAX)),
            },
            None => lang.pick("a reminder", "提醒").to_owned(),
        },
    }
}

fn quoted(words: &[String], join: &str) -> String {
    words.iter().map(|word| format!("“{word}”")).collect::<Vec<_>>().join(join)
}

/// How often a task runs.
fn rhythm(task: &Map<String, Value>, lang: Lang) -> Option<String> {
    let config = config(task);
    let number = |key: &str| config.get(key).and_then(Value::as_f64);
    let clock = || {
        let part = |key: &str, usual: u64| config.get(key).and_then(Value::as_u64).unwrap_or(usual);
        format!("{:02}:{:02}", part("hour", 8), part("minute", 0))
    };
    let kind = task.get("task_type").and_then(Value::as_str)?;
    let repeat = config.get("type").and_then(Value::as_str).unwrap_or("daily");
    let mut words = match (kind, repeat) {
        ("web_monitor" | "threshold_watch", _) => every(number("check_interval_minutes")?, lang),
        ("schedule", "interval") => every(number("minutes").unwrap_or(60.0), lang),
        ("schedule", "cron") => format!("cron `{}`", text(&config, "cron")?),
        ("schedule", "once") => match lang {
            Lang::En => format!("once, {}", moment(&text(&config, "at")?, task, None, lang)),
            Lang::Zh => format!("一次，{}", moment(&text(&config, "at")?, task, None, lang)),
        },
        ("schedule", "weekly") => {
            let days = names(&config, "days");
            match lang {
                Lang::En => format!("every {} at {}", days.iter().map(|day| capitalised(day)).collect::<Vec<_>>().join(", "), clock()),
                Lang::Zh => format!("每周{} {}", days.iter().map(|day| han_day(day)).collect::<String>(), clock()),
            }
        }
        _ => match lang {
            Lang::En => format!("every day at {}", clock()),
            Lang::Zh => format!("每天 {}", clock()),
        },
    };
    if let Some(zone) = text(&config, "timezone") {
        let _ = match lang {
            Lang::En => write!(words, " ({zone})"),
            Lang::Zh => write!(words, "（{zone}）"),
        };
    }
    Some(words)
}

fn capitalised(day: &str) -> String {
    day.get(..1).map(str::to_uppercase).unwrap_or_default() + day.get(1..).unwrap_or_default()
}

fn han_day(day: &str) -> &'static str {
    match day {
        "monday" => "一",
        "tuesday" => "二",
        "wednesday" => "三",
        "thursday" => "四",
        "friday" => "五",
        "saturday" => "六",
        _ => "日",
    }
}

fn every(minutes: f64, lang: Lang) -> String {
    let (count, en, zh) = if minutes < 1.0 {
        (minutes * 60.0, "second", "秒")
    } else if minutes % 1_440.0 == 0.0 {
        (minutes / 1_440.0, "day", "天")
    } else if minutes % 60.0 == 0.0 {
        (minutes / 60.0, "hour", "小时")
    } else {
        (minutes, "minute", "分钟")
    };
    let count = (count * 100.0).round() / 100.0;
    match lang {
        Lang::En if (count - 1.0).abs() < f64::EPSILON => format!("every {en}"),
        Lang::En => format!("every {count} {en}s"),
        Lang::Zh => format!("每 {count} {zh}"),
    }
}

/// A moment in the task's own time zone (UTC where it has none), and how far away it is.
fn moment(at: &str, task: &Map<String, Value>, now: Option<Timestamp>, lang: Lang) -> String {
    let Ok(when) = at.parse::<Timestamp>() else { return clean_line(at) };
    let zone = text(&config(task), "timezone").or_else(|| text(task, "timezone"));
    let zone = zone.and_then(|zone| TimeZone::get(&zone).ok()).unwrap_or(TimeZone::UTC);
    let shown = when.to_zoned(zone).strftime("%Y-%m-%d %H:%M %Z").to_string();
    let away = now.map(|now| when.as_second() - now.as_second()).filter(|seconds| *seconds >= 0);
    match away {
        Some(seconds) => match lang {
            Lang::En => format!("{shown} (in {})", stretch(seconds, lang)),
            Lang::Zh => format!("{shown}（{}后）", stretch(seconds, lang)),
        },
        None => shown,
    }
}

fn stretch(seconds: i64, lang: Lang) -> String {
    let unit = |count: i64, en: &str, zh: &str| match lang {
        Lang::En => format!("{count} {en}"),
        Lang::Zh => format!("{count} {zh}"),
    };
    let (days, hours, minutes) = (seconds / 86_400, seconds % 86_400 / 3_600, seconds % 3_600 / 60);
    if days > 0 {
        format!("{} {}", unit(days, "d", "天"), unit(hours, "h", "小时"))
    } else if hours > 0 {
        format!("{} {}", unit(hours, "h", "小时"), unit(minutes, "min", "分钟"))
    } else if minutes > 0 {
        unit(minutes, "min", "分钟")
    } else {
        unit(seconds, "s", "秒")
    }
}

/// Who is told, and how.
fn told_by(task: &Map<String, Value>, lang: Lang) -> String {
    let config = config(task);
    let notification = config.get("notification").and_then(Value::as_object).cloned().unwrap_or_default();
    let to = |key: &str| text(&notification, key).map(|to| format!("{}{to}", lang.pick(" to ", "，发到 "))).unwrap_or_default();
    match notification.get("method").and_then(Value::as_str).unwrap_or_default() {
        "send_sms" => format!("{}{}", lang.pick("SMS", "短信"), to("phone_number")),
        "send_email" => format!("{}{}", lang.pick("e-mail", "邮件"), to("email")),
        "webhook" => format!("webhook{}", to("url")),
        "ntfy" => format!("ntfy{}", to("topic")),
        "desktop" => lang.pick("a desktop notification", "桌面通知").to_owned(),
        _ => lang.pick("the inbox only", "仅放入收件箱").to_owned(),
    }
}

fn kind_name(task: &Map<String, Value>, lang: Lang) -> &'static str {
    let reminds = !config(task).contains_key("action");
    match task.get("task_type").and_then(Value::as_str).unwrap_or_default() {
        "web_monitor" => lang.pick("web monitor", "网页监控"),
        "news_digest" => lang.pick("news digest", "新闻摘要"),
        "threshold_watch" => lang.pick("threshold", "数值监控"),
        "schedule" if reminds => lang.pick("reminder", "提醒"),
        _ => lang.pick("schedule", "定时任务"),
    }
}

fn state_name(task: &Map<String, Value>, lang: Lang) -> String {
    match task.get("status").and_then(Value::as_str).unwrap_or_default() {
        "active" => lang.pick("active", "运行中").to_owned(),
        "paused" => lang.pick("paused", "已暂停").to_owned(),
        "completed" => lang.pick("completed", "已完成").to_owned(),
        "failed" => lang.pick("failed", "已失败").to_owned(),
        other => clean_line(other),
    }
}

fn list(tasks: &[Map<String, Value>], now: Option<Timestamp>, lang: Lang) -> String {
    if tasks.is_empty() {
        return lang
            .pick(
                "There are no background tasks. You can say, for example: “watch Hacker News for Rust every 30 minutes”.",
                "目前没有后台任务。例如可以说：“每天9点提醒我喝水”。",
            )
            .to_owned();
    }
    let mut out = match lang {
        Lang::En if tasks.len() == 1 => "There is 1 background task:\n\n| Id | Kind | Description | State | Runs | Next |".to_owned(),
        Lang::En => format!("There are {} background tasks:\n\n| Id | Kind | Description | State | Runs | Next |", tasks.len()),
        Lang::Zh => format!("共有 {} 个后台任务：\n\n| 编号 | 类型 | 描述 | 状态 | 周期 | 下一次 |", tasks.len()),
    };
    out.push_str("\n| --- | --- | --- | --- | --- | --- |");
    let cell = |text: String| ellipsis(&text, CELL_CHARS_MAX).replace('|', "\\|");
    for task in tasks.iter().take(ROWS_MAX) {
        let active = task.get("status").and_then(Value::as_str) == Some("active");
        let next = text(task, "next_check").filter(|_| active).map_or_else(|| "–".to_owned(), |next| moment(&next, task, now, lang));
        let _ = write!(
            out,
            "\n| `{}` | {} | {} | {} | {} | {} |",
            short_id(&text(task, "task_id").unwrap_or_default()),
            kind_name(task, lang),
            cell(text(task, "description").unwrap_or_default()),
            cell(state_name(task, lang)),
            cell(rhythm(task, lang).unwrap_or_default()),
            cell(next),
        );
    }
    if tasks.len() > ROWS_MAX {
        let _ = write!(out, "\n\n… {ROWS_MAX} / {}", tasks.len());
    }
    out
}

fn status(data: &Value, lang: Lang) -> Option<String> {
    let number = |key: &str| data.get(key).and_then(Value::as_u64);
    let running = data.get("service_running").and_then(Value::as_bool)?;
    let mut out = if running {
        lang.pick("The scheduler is running.", "调度器正在运行。").to_owned()
    } else {
        lang.pick("The scheduler is **not** running: nothing is checked until it does.", "调度器**没有**运行：在它启动之前不会检查任何任务。").to_owned()
    };
    let (total, active, paused) = (number("total_tasks")?, number("active_tasks").unwrap_or(0), number("paused_tasks").unwrap_or(0));
    let _ = match lang {
        Lang::En => write!(out, "\n\n- **Tasks**: {total} ({active} active, {paused} paused)"),
        Lang::Zh => write!(out, "\n\n- **任务**：{total} 个（{active} 个运行中，{paused} 个已暂停）"),
    };
    for (kind, count) in data.get("task_types").and_then(Value::as_object).into_iter().flatten() {
        let task = Map::from_iter([("task_type".to_owned(), Value::String(kind.clone())), ("config".to_owned(), serde_json::json!({"action": 1}))]);
        let _ = write!(out, "\n- **{}**{}{count}", kind_name(&task, lang), lang.pick(": ", "："));
    }
    Some(out)
}

fn simple(name: &str, task: &Map<String, Value>, done: &Done<'_>, lang: Lang) -> String {
    let id = text(task, "task_id").or_else(|| text(&done.call.arguments, "task_id")).unwrap_or_default();
    let which = text(task, "description").map_or_else(|| format!("`{}`", short_id(&id)), |description| format!("“{description}”"));
    let pause = is_tool(name, "pause_background_task");
    match lang {
        Lang::En if pause => format!("Paused {which}. Say “resume task {}” to go on.", short_id(&id)),
        Lang::Zh if pause => format!("已暂停{which}。说“恢复任务 {}”可继续。", short_id(&id)),
        _ if is_tool(name, "resume_background_task") => format!("{}{which}{}", lang.pick("Resumed ", "已恢复"), lang.pick(".", "。")),
        _ => format!("{}{which}{}", lang.pick("Deleted ", "已删除"), lang.pick(".", "。")),
    }
}

/// The rows of a history, whatever they are called.
fn rows(data: &Value) -> Option<Vec<Map<String, Value>>> {
    let list = data.as_array().or_else(|| {
        let object = data.as_object()?;
        ["history", "events", "entries", "runs", "firings"].iter().find_map(|key| object.get(*key)?.as_array())
    })?;
    let rows: Vec<Map<String, Value>> = list.iter().filter_map(|row| row.as_object().cloned()).collect();
    (rows.len() == list.len()).then_some(rows)
}

/// The newest rows of a history: when, what, why.
fn history(rows: &[Map<String, Value>], task: &str, lang: Lang) -> String {
    if rows.is_empty() {
        return format!("{}{task}{}", lang.pick("Nothing has happened yet with", "还没有任何记录："), lang.pick(".", ""));
    }
    let mut out = format!("{}{task}{}\n", lang.pick("History of", "历史："), lang.pick(":", ""));
    let field = |row: &Map<String, Value>, keys: &[&str]| keys.iter().find_map(|key| text(row, key));
    for row in rows.iter().take(ROWS_MAX) {
        let when = field(row, &["timestamp", "at", "time", "due", "fired_at"]).map(|at| moment(&at, row, None, lang)).unwrap_or_default();
        let what = field(row, &["event_type", "outcome", "type", "kind", "status"]).unwrap_or_default();
        let why = field(row, &["reason", "summary", "message", "title", "detail"])
            .or_else(|| row.get("data").and_then(Value::as_object).and_then(|data| field(data, &["reason", "summary", "message", "title"])))
            .map(|why| format!(": {}", ellipsis(&why, CELL_CHARS_MAX * 2)))
            .unwrap_or_default();
        let _ = write!(out, "\n- {when} **{}**{why}", what.replace('_', " "));
    }
    if rows.len() > ROWS_MAX {
        let _ = write!(out, "\n- … {ROWS_MAX} / {}", rows.len());
    }
    out
}
