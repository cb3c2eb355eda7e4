//! Results and questions of the built-in tools, in better words than a stranger's tool gets.

use std::fmt::Write as _;

use serde_json::Value;

use super::{ROWS_MAX, fenced};
use crate::domain::text::{clean, clean_line};
use crate::llm::offline::plan::Done;
use crate::llm::offline::talk::Lang;
use crate::llm::offline::tasks as offline_tasks;
use crate::llm::offline::toolset::{Toolset, folded};
use crate::llm::offline::words::Part;
use crate::tools::local::zones;

/// A question of a built-in tool.
struct Question {
    tool: &'static str,
    argument: &'static str,
    en: &'static str,
    zh: &'static str,
}

const QUESTIONS: &[Question] = &[
    Question { tool: "files__read_file", argument: "path", en: "Which file shall I read?", zh: "要读哪个文件？" },
    Question { tool: "files__search_files", argument: "pattern", en: "Which text shall I search for?", zh: "要搜索什么内容？" },
    Question { tool: "files__write_file", argument: "path", en: "Which file shall I write to?", zh: "要写入哪个文件？" },
    Question { tool: "files__write_file", argument: "content", en: "What shall I write into the file?", zh: "要写入什么内容？" },
    Question { tool: "files__edit_file", argument: "path", en: "Which file shall I edit?", zh: "要修改哪个文件？" },
    Question { tool: "files__edit_file", argument: "old_text", en: "Which text shall I replace?", zh: "要替换哪段文字？" },
    Question { tool: "files__edit_file", argument: "new_text", en: "What shall I put in its place?", zh: "要替换成什么？" },
    Question { tool: "system__calculate", argument: "expression", en: "What shall I calculate?", zh: "要计算什么？" },
    Question { tool: "system__run_command", argument: "command", en: "Which command shall I run?", zh: "要运行哪个命令？" },
    Question { tool: "weather__get_weather", argument: "location", en: "The weather of which place?", zh: "要查哪里的天气？" },
    Question { tool: "web__web_search", argument: "query", en: "What shall I look for on the web?", zh: "要在网上搜索什么？" },
    Question { tool: "notify__send_sms", argument: "message", en: "What shall the text message say?", zh: "短信内容写什么？" },
    Question { tool: "notify__send_email", argument: "subject", en: "What is the subject of the mail?", zh: "邮件主题是什么？" },
    Question { tool: "notify__send_email", argument: "body", en: "What shall the mail say?", zh: "邮件正文写什么？" },
    Question {
        tool: "notify__send_notification", argument: "title", en: "What shall the notification say?", zh: "通知内容写什么？"
    },
    Question { tool: "memory__remember", argument: "content", en: "What shall I remember?", zh: "要记住什么？" },
    Question { tool: "memory__search_memories", argument: "query", en: "What shall I look for?", zh: "要找什么？" },
    Question { tool: "handoff", argument: "task", en: "What is the task?", zh: "任务是什么？" },
];

pub(super) fn question(tool: &str, argument: &str, lang: Lang) -> Option<&'static str> {
    QUESTIONS
        .iter()
        .find(|question| question.tool == tool && question.argument == argument)
        .map(|question| lang.pick(question.en, question.zh))
}

/// What one can say for the tools that are there.
const EXAMPLES: &[(&str, &str, &str)] = &[
    ("list_files", "list the files here", "列出当前目录的文件"),
    ("read_file", "read README.md", "读一下 README.md"),
    ("search_files", "search for TODO in src", "在 src 里搜索 TODO"),
    ("current_time", "what time is it in Tokyo?", "现在东京几点？"),
    ("calculate", "what is 12% of 80?", "80 的 12% 是多少？"),
    ("system_info", "how much memory is free?", "内存还有多少？"),
    ("analyze_code", "analyze the code in src", "分析 src 的代码"),
    ("get_weather", "what's the weather in Paris tomorrow?", "北京明天天气怎么样？"),
    ("scrape_webpage", "read https://example.com", "读一下 https://example.com"),
    ("remember", "remember that my favourite colour is green", "记住我最喜欢绿茶"),
    ("search_memories", "what do you know about me?", "你还记得我什么？"),
    ("create_background_task", "watch Hacker News for Rust every 30 minutes", "每天9点提醒我喝水"),
    ("list_background_tasks", "list my tasks", "列出我的任务"),
];

pub(super) fn examples(tools: &Toolset<'_>, lang: Lang) -> Vec<&'static str> {
    let offered = |name: &str| tools.0.iter().any(|view| folded(view.short) == name);
    let found: Vec<&str> = EXAMPLES.iter().filter(|(name, ..)| offered(name)).map(|(_, en, zh)| lang.pick(en, zh)).collect();
    if found.is_empty() { vec![lang.pick("what can you do?", "你能做什么？")] } else { found }
}

/// The result of a tool that is known by its name; `None` for all others, and where its text is not as expected.
pub(super) fn result(done: &Done<'_>, said: &str, lang: Lang) -> Option<String> {
    let (server, short) = done.call.name.as_str().split_once("__")?;
    if offline_tasks::is_ours(done.call.name.as_str()) {
        return super::tasks::result(done, lang);
    }
    let text = clean(done.result.trim_end()).into_owned();
    let argument = |name: &str| done.call.arguments.get(name).and_then(Value::as_str).map(clean_line);
    match (server, short) {
        ("web", "scrape_webpage" | "fetch_url" | "web_search") | ("weather", "get_weather") | ("notify", _) => {
            super::web::result(short, &text, lang)
        }
        ("memory", tool) => super::memories::result(tool, done, lang),
        ("system", "calculate") => calculated(&text),
        ("system", "current_time") => time(&text, said, lang),
        ("system", "system_info") => Some(machine(&text, said, lang)),
        ("system", "run_command") => {
            let line = argument("command")?;
            Some(format!("`{line}`{}\n\n{}", lang.pick(":", "："), fenced(&text, "")))
        }
        ("code", "analyze_code") => Some(fenced(&text, "")),
        ("files", "list_files") => list(&text, lang),
        ("files", "search_files") => Some(matches(&text)),
        ("files", "read_file") => {
            let path = argument("path")?;
            let language = path.rsplit_once('.').map(|(_, ending)| ending.to_owned()).unwrap_or_default();
            Some(format!("`{path}`{}\n\n{}", lang.pick(":", "："), fenced(&text, &language)))
        }
        ("files", "write_file" | "edit_file") => {
            let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
            let done = lang.pick("Done", "完成");
            let separator = lang.pick(": ", "：");
            Some(if rest.is_empty() {
                format!("{done}{separator}{first}")
            } else {
                format!("{done}{separator}{first}\n\n{}", fenced(rest, "diff"))
            })
        }
        _ => None,
    }
}

fn calculated(text: &str) -> Option<String> {
    let (expression, value) = text.rsplit_once(" = ")?;
    Some(format!("{} = **{value}**", expression.replace('*', "\\*")))
}

/// `Thursday, 2026-01-01 21:00:00 (Asia/Tokyo, UTC+09:00)` as a sentence.
fn time(text: &str, said: &str, lang: Lang) -> Option<String> {
    let (when, zone) = text.trim_end_matches(')').split_once(" (")?;
    let (weekday, moment) = when.split_once(", ")?;
    let (date, time) = moment.split_once(' ')?;
    let name = zone.split(", ").next().unwrap_or_default();
    let asked = zones::mentioned(said)
        .into_iter()
        .find(|(_, found)| found == name)
        .and_then(|(range, _)| said.get(range))
        .map(|place| place.trim_matches('/').to_owned());
    let place = asked.map(|place| {
        if place.is_ascii() && place.chars().next().is_some_and(char::is_lowercase) && place.len() > 3 {
            capitalised(&place)
        } else {
            place
        }
    });
    Some(match lang {
        Lang::En => {
            let place = place.map(|place| format!(" in {place}")).unwrap_or_default();
            format!("It is **{}**{place} on {weekday}, {date} ({zone}).", time.get(..5).unwrap_or(time))
        }
        Lang::Zh => {
            let days = [
                ("Monday", "一"),
                ("Tuesday", "二"),
                ("Wednesday", "三"),
                ("Thursday", "四"),
                ("Friday", "五"),
                ("Saturday", "六"),
                ("Sunday", "日"),
            ];
            let day = days.iter().find(|(en, _)| *en == weekday).map_or(weekday, |(_, zh)| zh);
            let place = place.unwrap_or_default();
            format!("{place}现在是 **{}**，{date} 星期{day}（{zone}）。", time.get(..5).unwrap_or(time))
        }
    })
}

fn capitalised(place: &str) -> String {
    place
        .split(' ')
        .map(|word| word.get(..1).map(str::to_uppercase).unwrap_or_default() + word.get(1..).unwrap_or_default())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Words for the lines of `system_info`.
const TOPICS: &[(&str, &[&str])] = &[
    ("Memory", &["memory", "ram", "内存"]),
    ("Swap", &["swap", "交换"]),
    ("Disk", &["disk", "disks", "drive", "space", "storage", "磁盘", "硬盘", "空间"]),
    ("Uptime", &["uptime", "running", "long", "运行", "开机"]),
    ("Processor", &["cpu", "cpus", "processor", "cores", "load", "处理器", "负载"]),
    ("System", &["os", "operating", "kernel", "操作系统", "什么系统"]),
];

/// All lines, or those that were asked for.
fn machine(text: &str, said: &str, lang: Lang) -> String {
    let part = Part::new(said);
    let lower = said.to_lowercase();
    let asked: Vec<&str> = TOPICS
        .iter()
        .filter(|(_, words)| words.iter().any(|word| if word.is_ascii() { part.has_word(word) } else { lower.contains(word) }))
        .map(|(line, _)| *line)
        .collect();
    let wanted = |line: &&str| asked.is_empty() || asked.iter().any(|topic| line.starts_with(topic));
    let mut lines: Vec<&str> = text.lines().filter(wanted).collect();
    if lines.is_empty() {
        lines = text.lines().collect();
    }
    let points: Vec<String> = lines
        .iter()
        .map(|line| line.split_once(": ").map_or_else(|| format!("- {line}"), |(name, value)| format!("- **{name}**: {value}")))
        .collect();
    format!("{}\n\n{}", lang.pick("This machine:", "本机："), points.join("\n"))
}

/// `src: 1 folder, 2 files` and its lines as a list.
fn list(text: &str, lang: Lang) -> Option<String> {
    let mut lines = text.lines();
    let (path, counts) = lines.next()?.rsplit_once(": ")?;
    let place = if path == "." { lang.pick("The working folder", "当前目录").to_owned() } else { format!("`{path}`") };
    let entries: Vec<&str> = lines.collect();
    let mut out = match lang {
        Lang::En => format!("{place} has {counts}:"),
        Lang::Zh => format!(
            "{place}：{}",
            counts
                .replace(" folders", " 个文件夹")
                .replace(" folder", " 个文件夹")
                .replace(" files", " 个文件")
                .replace(" file", " 个文件")
                .replace(", ", "，")
                .replace(" matching ", "，匹配 ")
        ),
    };
    if entries.is_empty() {
        return Some(out.trim_end_matches(':').to_owned() + lang.pick(".", "。"));
    }
    out.push('\n');
    for entry in entries.iter().take(ROWS_MAX * 2) {
        let _ = match entry.rsplit_once(" (") {
            Some((name, size)) => write!(out, "\n- `{name}` ({size}"),
            None if entry.starts_with('[') => write!(out, "\n- {}", entry.trim_matches(['[', ']'])),
            None => write!(out, "\n- `{entry}`"),
        };
    }
    if entries.len() > ROWS_MAX * 2 {
        let more = entries.len() - ROWS_MAX * 2;
        let _ = match lang {
            Lang::En => write!(out, "\n- … and {more} more"),
            Lang::Zh => write!(out, "\n- …… 还有 {more} 个"),
        };
    }
    Some(out)
}

/// `path:line: text` as a list.
fn matches(text: &str) -> String {
    let mut lines = text.lines();
    let mut out = lines.next().unwrap_or_default().to_owned();
    let hits: Vec<&str> = lines.collect();
    if !hits.is_empty() {
        out.push_str(":\n");
    }
    for hit in hits.iter().take(ROWS_MAX) {
        let place = hit.split_once(": ").filter(|(place, _)| place.contains(':'));
        let _ = match place {
            Some((place, line)) => write!(out, "\n- `{place}` `{}`", line.trim().replace('`', "'")),
            None => write!(out, "\n- {}", hit.trim_matches(['[', ']'])),
        };
    }
    if hits.len() > ROWS_MAX {
        let _ = write!(out, "\n- … {} / {}", ROWS_MAX, hits.len());
    }
    out
}
