//! What the tools for memories found and did, told from their structured results.

use serde_json::Value;

use super::ROWS_MAX;
use crate::domain::text::{clean_line, ellipsis};
use crate::llm::offline::plan::Done;
use crate::llm::offline::talk::Lang;

/// Characters of one memory in a list.
const MEMORY_CHARS_MAX: usize = 200;

/// Characters of an id: enough to name it.
const ID_CHARS: usize = 8;

/// The result of a tool for memories; `None` where it is not as expected.
pub(super) fn result(tool: &str, done: &Done<'_>, lang: Lang) -> Option<String> {
    let value: Value = serde_json::from_str(done.result.trim()).ok()?;
    let memory = value.get("memory");
    match tool {
        "remember" => {
            let told = one(memory?, lang)?;
            Some(match (value.get("status")?.as_str()?, lang) {
                ("remembered", Lang::En) => format!("I will remember: {told}"),
                ("remembered", Lang::Zh) => format!("记住了：{told}"),
                ("known", Lang::En) => format!("I know that already: {told}"),
                ("known", Lang::Zh) => format!("这个我已经记得：{told}"),
                (_, lang) => {
                    let before = line(value.get("before")?.as_str()?);
                    match lang {
                        Lang::En => format!("I will remember: {told}\n\nIt took the place of what said nearly the same: “{before}”."),
                        Lang::Zh => format!("记住了：{told}\n\n它取代了意思相近的一条：“{before}”。"),
                    }
                }
            })
        }
        "forget" if value.get("status")?.as_str() == Some("unclear") => {
            let list = many(&value, lang)?;
            Some(match lang {
                Lang::En => format!("More than one memory fits, so I forgot none. Say `forget` with the id of one:\n\n{list}"),
                Lang::Zh => format!("有多条记忆符合，所以一条也没有忘掉。请说“忘掉”加上其中一条的编号：\n\n{list}"),
            })
        }
        "forget" => {
            let told = one(memory?, lang)?;
            Some(format!("{}{told}", lang.pick("Forgotten: ", "已忘掉：")))
        }
        "update_memory" => {
            let told = one(memory?, lang)?;
            Some(format!("{}{told}", lang.pick("Changed: ", "已修改：")))
        }
        "search_memories" | "list_memories" => {
            let list = many(&value, lang)?;
            let total = value.get("total").and_then(Value::as_u64).unwrap_or(0);
            Some(match (tool, total, lang) {
                ("search_memories", 0, Lang::En) => "I remember nothing about that.".to_owned(),
                ("search_memories", 0, Lang::Zh) => "关于这个我没有任何记忆。".to_owned(),
                (_, 0, Lang::En) => "I remember nothing yet. Say “remember that …” and I will.".to_owned(),
                (_, 0, Lang::Zh) => "我还没有任何记忆。可以说“记住……”。".to_owned(),
                ("search_memories", _, Lang::En) => format!("This is what I remember:\n\n{list}"),
                ("search_memories", _, Lang::Zh) => format!("我记得这些：\n\n{list}"),
                (_, 1, Lang::En) => format!("I remember one thing:\n\n{list}"),
                (_, _, Lang::En) => format!("I remember {total} things, the latest first:\n\n{list}"),
                (_, _, Lang::Zh) => format!("我记得 {total} 件事，最近的在前：\n\n{list}"),
            })
        }
        _ => None,
    }
}

fn kind(memory: &Value, lang: Lang) -> Option<&str> {
    let kind = memory.get("kind")?.as_str()?;
    Some(match (kind, lang) {
        ("fact", Lang::Zh) => "事实",
        ("preference", Lang::Zh) => "偏好",
        ("person", Lang::Zh) => "人物",
        ("project", Lang::Zh) => "项目",
        (kind, _) => kind,
    })
}

fn line(text: &str) -> String {
    ellipsis(&clean_line(text), MEMORY_CHARS_MAX).into_owned()
}

fn id(memory: &Value) -> Option<String> {
    Some(clean_line(memory.get("memory_id")?.as_str()?).chars().take(ID_CHARS).collect())
}

/// One memory in a sentence.
fn one(memory: &Value, lang: Lang) -> Option<String> {
    let (text, kind) = (line(memory.get("content")?.as_str()?), kind(memory, lang)?);
    Some(format!("{text} ({kind}, `{}`)", id(memory)?))
}

/// Memories as a list.
fn many(value: &Value, lang: Lang) -> Option<String> {
    let memories = value.get("memories")?.as_array()?;
    let mut lines: Vec<String> =
        memories.iter().take(ROWS_MAX).filter_map(|memory| one(memory, lang)).map(|told| format!("- {told}")).collect();
    if memories.len() > ROWS_MAX {
        lines.push(format!("- … {}", memories.len() - ROWS_MAX));
    }
    Some(lines.join("\n"))
}
