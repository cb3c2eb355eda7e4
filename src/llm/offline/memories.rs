//! Requests about memories: remember, forget, what is known, change; and answers from what was recalled.
//!
//! A sentence is read whole, its `and`s belong to what is remembered. Questions about the user's own things (`what's my favourite colour?`)
//! are looked up in the memories where no other tool is meant.

use serde_json::{Map, Value, json};

use super::request::{Meaning, Planned, Purpose, Request};
use super::slots::{args, rule};
use super::talk::Lang;
use super::toolset::{Pick, Toolset, stem};
use super::words::{Part, is_han};
use crate::domain::memory::{MemoryKind, Notes};
use crate::domain::message::{Message, Role};
use crate::domain::text::clean_line;

/// The server.
const SERVER: &str = "memory";

/// All tools that are understood here.
pub(super) const TOOLS: &[&str] = &[REMEMBER, FORGET, SEARCH, LIST, UPDATE];

const REMEMBER: &str = "remember";
const FORGET: &str = "forget";
const SEARCH: &str = "search_memories";
const LIST: &str = "list_memories";
const UPDATE: &str = "update_memory";

rule!(
    LIST_EN = r"(?i)^(?:please\s+|ok(?:ay)?,?\s+|and\s+|so,?\s+)*(?:what (?:do|can|did) you (?:still )?(?:remember|know)(?: about (?:me|us|myself))?(?: so far| now| already| yet)?|what (?:have|did) you (?:remember(?:ed)?|memori[sz]ed?|learn(?:ed|t)|kept?|stored?|saved?)(?: about me| so far)*|(?:list|show|display|print|see|view|give|tell)(?: me)?(?: all)?(?: of)?(?: my| your| the)? (?:stored |saved )?memories|(?:which|what) memories (?:do you have|are there|have you got)|what(?:'s|’s| is) in (?:your|my|the) memory|tell me (?:all|everything|what) you (?:know|remember) about me|do you remember anything(?: about me)?)\s*[?.!]*$"
);
rule!(
    SEARCH_EN = r"(?i)^(?:please\s+|ok(?:ay)?,?\s+|and\s+|so,?\s+)*(?:what (?:else )?(?:do|did) you (?:still )?(?:know|remember|recall) (?:about|of)|tell me (?:what|everything|all) you (?:know|remember) about|do you (?:still )?(?:remember|recall)(?: anything about| something about| what| when| who| where)?|do you know (?:anything|something) about|(?:search|look|check|go|find)(?: up| in| into| through| something in)* (?:your |my |the )?memor(?:y|ies) (?:for|about|on|of)|find (?:the |my |a )?memor(?:y|ies) (?:about|of|on|for|with)|what did i (?:tell|say to|mention to) you about|what have i told you about|(?:did|have) i (?:ever )?(?:tell|told) you(?: anything)? about|is there (?:a memory|anything in (?:your|my) memory) (?:about|on)|recall)\s+(.+?)\s*[?.!]*$"
);
rule!(
    FORGET_EN = r"(?i)^(?:please\s+|ok(?:ay)?,?\s+|and\s+|now,?\s+|can you\s+|could you\s+|i want you to\s+|you (?:can|may|should)\s+)*(?:(?:forget|unlearn)(?: (?:all|everything|anything))?(?: (?:you (?:know|remember)|what (?:i (?:told|said to) you|you know|you remember)))?(?: about| that)?|(?:delete|remove|erase|drop|clear) (?:the |my |your |that )?memor(?:y|ies)(?: (?:about|of|that|on|with|called))?|(?:delete|remove|erase) what you (?:know|remember) about|(?:do not|don't|don’t) remember(?: that)? any ?more)\s*[:,]?\s+(.+?)\s*[.!]*$"
);
rule!(
    UPDATE_EN = r"(?i)^(?:please\s+|can you\s+|could you\s+)*(?:(?:change|update|edit|correct|replace|rewrite|set) (?:the |my )?memory\s+`?([0-9a-z][0-9a-z-]{3,})`?\s*(?:to say|to|into|with|so that it says|by|:|=)|memory\s+`?([0-9a-z][0-9a-z-]{3,})`? (?:should (?:be|say|read)|is now|must (?:be|say)|now says))\s*:?\s*(.+?)\s*$"
);
rule!(
    REMEMBER_EN = r"(?i)^(?:(?:please|ok|okay|hey|and|also|now|well|so|just|can you|could you|would you|will you|i want you to|i'd like you to|i would like you to|you should|you must|wakeful),?\s+)*(?:remember|memori[sz]e|keep in mind|bear in mind|note down|make a note|take a note|take note|note(?: that|:)|don't forget that|don’t forget that|do not forget that|never forget that|save (?:this |it )?(?:to|in|into) (?:your |my |the )?memory|store (?:this |it )?in (?:your |my |the )?memory|add (?:this |it )?to (?:your |my |the )?memor(?:y|ies)|(?:add|create|make) a memory)(?: for (?:me|later|the future|next time))?\s*(?:that|of this|of|this|:|,|-|–)?\s*:?\s+(.+?)\s*$"
);
rule!(NO_REMEMBER_EN = r"(?i)^(?:when|if|how|why|who|what|where|to (?:remind|call me)|me\b)|\?\s*$");
rule!(
    MINE_EN = r"(?i)^(?:please\s+|ok(?:ay)?,?\s+|and\s+|so,?\s+|tell me\s+|do you know\s+)*(?:(?:what|who|when|where|which|how (?:old|tall|many|much)|whats|whos)(?:'s|’s)?(?:\s+(?:is|are|was|were|do|does|did|am|should|would))?\s+(?:.*\b)?(?:my|mine|our|i|we)\b.*|(?:when|what|who|where)(?:'s|’s| is| are| was) .*(?:'s|’s)\s+\w+.*|(?:am i|do i|have i|was i|can i) .+)$"
);
rule!(
    LIST_ZH = r"^(?:请|那|好|现在|麻烦|帮我)*(?:你(?:都|还)*(?:记得|记住了|记住|知道|记了)(?:关于)?(?:我的?)?(?:些|哪些|什么|多少)+(?:东西|事情|事|内容)?(?:了|呢)?|(?:列出|列一下|显示|看看|看一下|查看|展示|给我看)(?:一下)?(?:所有|全部|我的|你的|的)*记忆|(?:有|你有)(?:哪些|什么|多少条?)记忆|记忆(?:列表|里有什么|里有哪些|中有什么)|你(?:对我|关于我)(?:知道|了解)(?:些|多少|什么)+)[?？。！!]*$"
);
rule!(
    SEARCH_ZH = r"^(?:请|那|好|现在|麻烦|帮我)*(?:你(?:还|是否|是不是|到底)*(?:记不记得|记得不记得|记得|知不知道|记住了?)(?:关于)?(.+?)(?:的事情?|这件事)?(?:吗|么|嘛|呢)?|关于(.+?)[，,]?你(?:还|都)*(?:知道|记得|记住了?)(?:些|什么|哪些|多少|吗)+|(?:搜索|查找|搜一下|查一下|找一下|搜|查|找)(?:一下)?(?:你的|我的)?记忆(?:里|中|库)?(?:的|有关|关于|：|:)*\s*(.+?)|(?:在|从)(?:你的|我的)?记忆(?:里|中|库)+(?:搜索|查找|找一下|找|查|搜)(?:一下)?\s*(.+?)|我(?:以前|之前|曾经|有没有|是不是)*(?:跟|和|对|告诉过?)你(?:说过?|提过?|讲过?)?(?:关于)?(.+?)(?:的事)?(?:吗|么|没有))[?？。！!]*$"
);
rule!(
    FORGET_ZH = r"^(?:请|那|好|现在|麻烦|帮我|你|可以|把)*(?:(?:忘掉|忘记|忘了|忘却)(?:掉)?(?:关于|有关)?(?:我说的)?|(?:删除|删掉|删了|清除|去掉|移除)(?:掉)?(?:关于|有关)?(?:的)?记忆(?:里的?|中的?|：|:)?)\s*(.+?)(?:的事情?|这件事|这条记忆|的记忆)?(?:吧|了)?[。！!]*$"
);
rule!(DELETE_ZH = r"^(?:请|麻烦|帮我)*(?:删除|删掉|清除|去掉|移除)(?:关于|有关)(.+?)的记忆[。！!]*$");
rule!(
    UPDATE_ZH = r"^(?:请|麻烦|帮我|把|将)*(?:(?:修改|更新|更正|改一下|改)?(?:记忆)\s*`?([0-9a-z][0-9a-z-]{3,})`?\s*(?:改成|改为|更新为|更新成|换成|修改为|修改成|更正为|的内容是|为|：|:))\s*(.+?)[。]?$"
);
rule!(
    REMEMBER_ZH = r"^(?:请|麻烦|帮我|帮忙|你|要|可以|那|好|能不能|给我|一定要|务必|以后)*(?:记住|记下来|记下|记一下|牢记|记着|记到记忆里|存到记忆里?|保存到记忆|加到记忆里?|添加记忆|新增记忆|别忘了|别忘记|不要忘记|不要忘了|记得)(?:一下)?(?:这件事|这一点|这点)?[：:，,\s]*(.+?)(?:吧|哦|啊|了)?[。！!]*$"
);
rule!(NO_REMEMBER_ZH = r"(?:吗|么|呢|什么|谁|哪|多少)[?？。]*$|[?？]\s*$|^(?:提醒|叫我)");
rule!(
    MINE_ZH = r"^(?:请问|那|那么|你知道|告诉我)*(?:我|我们).*(?:什么|谁|哪|几|多少|啥|吗|多大).*$|^.+的(?:生日|电话|名字|地址|邮箱)(?:是|在|叫)(?:什么|哪|几|多少|谁).*$"
);
rule!(ID = r"^`?([0-9a-f]{8}[0-9a-f-]{0,28}|[0-9a-f]{4,7}(?:[0-9][0-9a-f]*|[a-f]*[0-9]))`?$");

/// Whether the tools for memories are offered.
fn offered(tools: &Toolset<'_>, tool: &str) -> bool {
    matches!(tools.pick(&[tool], SERVER, None), Pick::One(_))
}

fn call(tools: &Toolset<'_>, tool: &str, arguments: Map<String, Value>) -> Option<Meaning> {
    let Pick::One(view) = tools.pick(&[tool], SERVER, None) else { return None };
    Some(Meaning::Calls(vec![Planned { tool: view.spec.name.clone(), arguments, purpose: Purpose::Show }]))
}

fn first(captures: &regex::Captures<'_>) -> Option<String> {
    captures.iter().skip(1).flatten().next().map(|found| found.as_str().trim().to_owned())
}

/// What a whole sentence wants of the memories, if it does.
pub(super) fn read(text: &str, tools: &Toolset<'_>) -> Option<Meaning> {
    if !offered(tools, REMEMBER) && !offered(tools, SEARCH) {
        return None;
    }
    let text = text.trim();
    if LIST_EN.find(text).is_some() || LIST_ZH.find(text).is_some() {
        return call(tools, LIST, Map::new());
    }
    if let Some(captures) = UPDATE_EN.find(text).or_else(|| UPDATE_ZH.find(text)) {
        let mut found = captures.iter().skip(1).flatten().map(|found| found.as_str());
        let (id, content) = (found.next()?, found.next()?);
        return call(tools, UPDATE, args(&[("memory_id", json!(id)), ("content", json!(unquoted(content)))]));
    }
    if let Some(query) = SEARCH_EN.find(text).or_else(|| SEARCH_ZH.find(text)).as_ref().and_then(first) {
        return call(tools, SEARCH, args(&[("query", json!(unquoted(&query)))]));
    }
    let forget = DELETE_ZH.find(text).or_else(|| FORGET_EN.find(text)).or_else(|| FORGET_ZH.find(text));
    if let Some(which) = forget.as_ref().and_then(first).map(|which| unquoted(&which))
        && !matches!(which.to_lowercase().as_str(), "it" | "me" | "this" | "that" | "everything" | "all" | "them" | "to")
        && !which.to_lowercase().starts_with("to ")
    {
        let id = ID.find(&which).as_ref().and_then(first);
        let which = id.map_or_else(|| ("query", which), |id| ("memory_id", id));
        return call(tools, FORGET, args(&[(which.0, json!(which.1))]));
    }
    let remember = REMEMBER_EN.find(text).filter(|_| !text.ends_with('?')).as_ref().and_then(first);
    let remember = remember.filter(|content| NO_REMEMBER_EN.find(content).is_none());
    let remember = remember.or_else(|| {
        let content = REMEMBER_ZH.find(text).as_ref().and_then(first)?;
        NO_REMEMBER_ZH.find(text).is_none().then_some(content)
    });
    let content = remember.map(|content| unquoted(&content)).filter(|content| content.chars().any(char::is_alphanumeric))?;
    let content = content.strip_prefix("to ").unwrap_or(&content).to_owned();
    call(tools, REMEMBER, args(&[("content", json!(content))]))
}

/// Without the marks around it, and the one at its end.
fn unquoted(text: &str) -> String {
    let text = text.trim().trim_end_matches(['.', '。', '!', '！']).trim();
    let inner = text.strip_prefix(['"', '“', '「', '\'']).and_then(|text| text.strip_suffix(['"', '”', '」', '\'']));
    inner.unwrap_or(text).trim().to_owned()
}

/// A look-up for a question about the user's own things, for which there is nothing better.
pub(super) fn question(text: &str, tools: &Toolset<'_>) -> Option<Meaning> {
    let text = text.trim();
    if !asks(text) || !offered(tools, SEARCH) {
        return None;
    }
    let query = text.trim_end_matches(['?', '？', '.', '。', '!', '！', ' ']);
    call(tools, SEARCH, args(&[("query", json!(query))]))
}

fn asks(text: &str) -> bool {
    MINE_EN.find(text).is_some() || MINE_ZH.find(text).is_some()
}

/// A memory as it stands in a note before a message.
type Note = (MemoryKind, String);

/// The messages without the notes that were put before them, and all of these notes; `None` where there are none.
pub(super) fn apart(messages: &[Message]) -> Option<(Vec<Message>, Vec<Note>)> {
    let has_notes = |message: &Message| message.role == Role::User && !Notes::split(&message.content).0.is_empty();
    if !messages.iter().any(has_notes) {
        return None;
    }
    let mut all = Vec::new();
    let mut out = messages.to_vec();
    for message in out.iter_mut().filter(|message| message.role == Role::User) {
        let (notes, rest) = Notes::split(&message.content);
        if !notes.is_empty() {
            let rest = rest.to_owned();
            all.extend(notes);
            message.content = rest;
        }
    }
    Some((out, all))
}

/// The answer to a question from the notes, where they hold one: then nothing need be looked up.
pub(super) fn from_notes(text: &str, request: &Request, notes: &[Note], lang: Lang) -> Option<String> {
    if !asks(text.trim()) {
        return None;
    }
    let looks_up = |call: &Planned| call.tool.as_str().ends_with(SEARCH);
    let only_looks_up = request.groups.iter().flatten().all(looks_up) && request.ask.is_none();
    if !only_looks_up {
        return None;
    }
    let asked = terms(text);
    let mut fitting: Vec<(usize, &str)> = Vec::new();
    for (_, note) in notes.iter().rev() {
        let own = terms(note);
        let common = asked.iter().filter(|term| own.contains(term)).count();
        if common > 0 && !fitting.iter().any(|(_, known)| known == note) {
            fitting.push((common, note));
        }
    }
    let most = fitting.iter().map(|(common, _)| *common).max()?;
    fitting.retain(|(common, _)| common * 2 > most);
    let lines: Vec<String> = fitting.iter().map(|(_, note)| clean_line(note)).collect();
    Some(match lines.as_slice() {
        [one] => format!("{}{one}", lang.pick("From what I remember: ", "我记得：")),
        many => format!("{}\n\n- {}", lang.pick("From what I remember:", "我记得："), many.join("\n- ")),
    })
}

/// Words that say something, and pairs of Chinese characters.
fn terms(text: &str) -> Vec<String> {
    let part = Part::new(text);
    let fillers = &super::intents::FILLERS;
    let mut out: Vec<String> =
        part.words().map(|word| word.trim_end_matches("'s")).filter(|word| !fillers.contains(word)).map(stem).collect();
    let run: Vec<char> = text.chars().collect();
    out.extend(run.windows(2).filter(|pair| pair.iter().all(|ch| is_han(*ch))).map(String::from_iter));
    out.retain(|term| !matches!(term.as_str(), "什么" | "我的" | "是什" | "多少" | "哪里"));
    out
}
