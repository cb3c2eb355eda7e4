//! Memories: what is remembered, found and forgotten by plain words, and what is answered from the notes of a turn.

use serde_json::json;

use super::{Talk, tools};
use crate::domain::clock::{Instant, SystemClock};
use crate::domain::ids::MemoryId;
use crate::domain::memory::{MemoryKind, Note, Notes};
use crate::llm::ToolSpec;
use crate::llm::offline::request::{Context, understand};
use crate::llm::offline::toolset::Toolset;
use crate::memory::{MemoryService, Options};
use crate::store::memory::MemoryStore;

/// The usual tools, and the real ones for memories.
fn specs() -> Vec<ToolSpec> {
    let service = MemoryService::new(MemoryStore::at("unused.db"), None, std::sync::Arc::new(SystemClock), Options::default());
    let mut all = tools();
    all.retain(|spec| !spec.name.as_str().starts_with("memory__"));
    all.extend(crate::memory::tools::catalog(&service).1.iter().map(|tool| {
        let info = tool.info();
        ToolSpec { name: info.name.clone(), description: info.description.clone(), parameters: info.parameters.clone() }
    }));
    all
}

fn check(tool: &str, rows: &[(&str, serde_json::Value)]) {
    let specs = specs();
    let tools = Toolset::new(&specs);
    let mut wrong = Vec::new();
    for (text, arguments) in rows {
        let request = understand(text, &Context { tools: &tools, last_path: None, last_task: None });
        let expected = format!("memory__{tool} {arguments}");
        let found = super::shown(&request);
        if found != expected {
            wrong.push(format!("{text}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows differ:\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

#[test]
fn things_are_remembered() {
    let row = |text, content: &str| (text, json!({"content": content}));
    check(
        "remember",
        &[
            row("remember that my favourite colour is green", "my favourite colour is green"),
            row(
                "Please remember that my favourite colour is green and my dog is called Rex.",
                "my favourite colour is green and my dog is called Rex",
            ),
            row("can you remember I am allergic to peanuts", "I am allergic to peanuts"),
            row("keep in mind that we deploy on Fridays", "we deploy on Fridays"),
            row("note that the staging server is called blue", "the staging server is called blue"),
            row("don't forget that Ana's birthday is on 3 May", "Ana's birthday is on 3 May"),
            row("make a note: the wifi is called garden", "the wifi is called garden"),
            row("Remember: I prefer tabs over spaces", "I prefer tabs over spaces"),
            row("记住我最喜欢的颜色是绿色", "我最喜欢的颜色是绿色"),
            row("请记住，我对花生过敏。", "我对花生过敏"),
            row("帮我记一下：周五部署", "周五部署"),
            row("记下来 小雨的生日是五月三号", "小雨的生日是五月三号"),
            row("别忘了我是素食者", "我是素食者"),
        ],
    );
}

#[test]
fn what_is_known_is_looked_up() {
    let row = |text, query: &str| (text, json!({"query": query}));
    check(
        "search_memories",
        &[
            row("what do you know about my dog?", "my dog"),
            row("do you remember my favourite colour?", "my favourite colour"),
            row("search your memory for Ana", "Ana"),
            row("what did I tell you about the staging server?", "the staging server"),
            row("tell me what you know about peanuts", "peanuts"),
            row("what's my favourite colour?", "what's my favourite colour"),
            row("when is Ana's birthday?", "when is Ana's birthday"),
            row("who is my dentist?", "who is my dentist"),
            row("你记得我的生日吗？", "我的生日"),
            row("你还记得我喜欢什么颜色吗", "我喜欢什么颜色"),
            row("关于小雨你知道些什么？", "小雨"),
            row("搜索记忆里的部署", "部署"),
            row("我最喜欢的颜色是什么？", "我最喜欢的颜色是什么"),
        ],
    );
}

#[test]
fn memories_are_listed() {
    let row = |text| (text, json!({}));
    check(
        "list_memories",
        &[
            row("what do you know about me?"),
            row("what do you remember?"),
            row("list my memories"),
            row("show me all your memories"),
            row("what have you learned about me?"),
            row("你记得我什么？"),
            row("列出所有记忆"),
            row("你有哪些记忆？"),
            row("你都知道我些什么？"),
        ],
    );
}

#[test]
fn things_are_forgotten() {
    check(
        "forget",
        &[
            ("forget that my dog is called Rex", json!({"query": "my dog is called Rex"})),
            ("please forget about the staging server", json!({"query": "the staging server"})),
            ("forget everything you know about Ana", json!({"query": "Ana"})),
            ("delete the memory about peanuts", json!({"query": "peanuts"})),
            ("forget 1a2b3c4d", json!({"memory_id": "1a2b3c4d"})),
            ("忘掉我的生日", json!({"query": "我的生日"})),
            ("请忘记花生过敏的事", json!({"query": "花生过敏"})),
            ("删除记忆 1a2b3c4d", json!({"memory_id": "1a2b3c4d"})),
            ("删除关于小雨的记忆", json!({"query": "小雨"})),
        ],
    );
}

#[test]
fn memories_are_changed() {
    let row = |text, content: &str| (text, json!({"memory_id": "1a2b3c4d", "content": content}));
    check(
        "update_memory",
        &[
            row("change memory 1a2b3c4d to my favourite colour is blue", "my favourite colour is blue"),
            row("update memory 1a2b3c4d: I live in Bonn", "I live in Bonn"),
            row("replace the memory 1a2b3c4d with I live in Bonn", "I live in Bonn"),
            row("memory 1a2b3c4d should say I live in Bonn.", "I live in Bonn"),
            row("把记忆 1a2b3c4d 改成 我喜欢蓝色", "我喜欢蓝色"),
            row("记忆 1a2b3c4d 更新为 我住在上海", "我住在上海"),
            row("修改记忆 1a2b3c4d 为 我住在上海", "我住在上海"),
            row("将记忆1a2b3c4d换成我住在上海", "我住在上海"),
        ],
    );
}

#[test]
fn other_requests_stay_what_they_are() {
    let specs = specs();
    let tools = Toolset::new(&specs);
    for (text, start) in [
        ("what time is it?", "current_time"),
        ("forget it", "say"),
        ("remind me to drink water every day at 9", "create_background_task"),
        ("how much memory is free?", "system_info"),
        ("do you remember when we met", "memory__search_memories"),
        ("search for memory in src", "search_files"),
    ] {
        let found = super::shown(&understand(text, &Context { tools: &tools, last_path: None, last_task: None }));
        assert!(found.starts_with(start), "{text}: {found}");
    }
}

fn talk() -> Talk {
    Talk { specs: specs(), ..Talk::new() }
}

#[test]
fn results_are_told_in_the_users_language() {
    let memory = r#"{"memory_id":"1a2b3c4d-0000-4000-8000-000000000000","content":"my dog is Rex","kind":"person","tags":[]}"#;
    let mut talk = talk();
    talk.user("remember that my dog is Rex").next();
    let told = talk.results(&[&format!(r#"{{"status":"remembered","message":"m","memory":{memory}}}"#)]).next();
    assert_eq!(told, "I will remember: my dog is Rex (person, `1a2b3c4d`)");
    talk.user("你记得我的狗吗？").next();
    let told = talk.results(&[&format!(r#"{{"query":"我的狗","total":1,"memories":[{memory}]}}"#)]).next();
    assert_eq!(told, "我记得这些：\n\n- my dog is Rex (人物, `1a2b3c4d`)");
    talk.user("what do you know about me?").next();
    assert_eq!(
        talk.results(&[r#"{"total":0,"offset":0,"memories":[]}"#]).next(),
        "I remember nothing yet. Say “remember that …” and I will."
    );
    talk.user("forget that my dog").next();
    let told = talk.results(&[&format!(r#"{{"status":"unclear","query":"dog","message":"m","memories":[{memory},{memory}]}}"#)]).next();
    assert!(told.starts_with("More than one memory fits, so I forgot none.") && told.contains("`1a2b3c4d`"), "{told}");
}

#[test]
fn a_question_is_answered_from_the_notes_of_the_turn() {
    let note = |content: &str| Note {
        memory_id: MemoryId::new("m"),
        kind: MemoryKind::Preference,
        content: content.to_owned(),
        updated: Instant::from_millis(0),
    };
    let notes = Notes::new(vec![note("my favourite colour is green"), note("Ana likes tea")], || 1);
    let mut talk = talk();
    let asked = notes.before("what's my favourite colour?");
    assert_eq!(talk.user(&asked).next(), "From what I remember: my favourite colour is green");
    // A later question is answered from the same notes; what they do not hold is looked up.
    assert_eq!(talk.user("what colour is my favourite?").next(), "From what I remember: my favourite colour is green");
    assert_eq!(talk.user("when is my birthday?").next(), r#"memory__search_memories {"query":"when is my birthday"}"#);
    // Notes change nothing about a request.
    let mut talk = self::talk();
    assert_eq!(talk.user(&notes.before("list the files")).next(), r#"list_files {"path":"."}"#);
}
