//! What comes next in a conversation: calls, or words. A pure function of the request.
//!
//! There is no hidden state: what was asked, what is done and which question is open is read anew from the messages
//! each time. So a conversation goes on in the same way after a restart, a fork or a change of models.

use serde_json::{Map, Value, json};

use super::fill;
use super::memories;
use super::reply;
use super::request::{Context, Meaning, Open, Planned, Purpose, Request, language, settled, understand};
use super::talk::{Lang, cancels};
use super::tasks;
use super::toolset::{Toolset, folded};
use crate::domain::message::{Message, Role, ToolCall};

/// What the assistant does next.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plan {
    /// Calls tools, all at once.
    Call(Vec<Planned>),
    /// Answers, and waits.
    Say(String),
}

/// How many questions are followed back to the request they belong to.
const QUESTIONS_MAX: usize = 6;

/// A call that was made, and its result.
#[derive(Debug, Clone)]
pub(super) struct Done<'a> {
    pub(super) call: &'a ToolCall,
    pub(super) result: &'a str,
}

/// A user's message with what it means.
struct Turn<'a> {
    text: &'a str,
    request: Request,
    lang: Lang,
    cancelled: bool,
}

/// Decides what comes next.
pub(super) fn plan(messages: &[Message], tools: &Toolset<'_>) -> Plan {
    let Some((messages, notes)) = memories::apart(messages) else { return plan_without_notes(messages, tools) };
    if let Some(last) = messages.last().filter(|last| last.role == Role::User) {
        let turn = read_turn(&messages, messages.len() - 1, tools, QUESTIONS_MAX);
        if let Some(answer) = memories::from_notes(&last.content, &turn.request, &notes, turn.lang) {
            return Plan::Say(answer);
        }
    }
    plan_without_notes(&messages, tools)
}

fn plan_without_notes(messages: &[Message], tools: &Toolset<'_>) -> Plan {
    let Some(last) = messages.iter().rposition(|message| message.role == Role::User && !message.content.trim().is_empty()) else {
        return Plan::Say(super::talk::text(&super::talk::Talk::Hello, tools, Lang::En));
    };
    let open = unfinished(messages, last);
    let mut groups: Vec<Vec<Planned>> = Vec::new();
    let mut turns: Vec<Turn<'_>> = Vec::new();
    let first = open.first().copied().unwrap_or(last);
    let batches = batches(&messages[first..]);
    for at in open {
        let turn = read_turn(messages, at, tools, QUESTIONS_MAX);
        groups.extend(turn.request.groups.iter().cloned());
        turns.push(turn);
    }
    follow_up(&mut groups, &batches, tools);
    let mut since = 0;
    if let Some((at, instead)) = told_instead(&batches) {
        // What the user wants instead takes the place of all that was still to come.
        let context = Context { tools, last_path: last_path(messages), last_task: last_task(messages) };
        let turn = Turn { text: instead, request: understand(instead, &context), lang: language(instead), cancelled: false };
        groups.truncate(at + 1);
        groups.extend(turn.request.groups.iter().cloned());
        turns.push(turn);
        since = at + 1;
    }
    let stuck = tasks::resolve(&mut groups, &batches);
    let failed = |at: usize, done: &Done<'_>| {
        let readme = groups
            .get(at)
            .is_some_and(|group| group.iter().any(|planned| planned.purpose == Purpose::Readme && planned.tool == done.call.name));
        (reply::is_failure(done.result) || reply::is_refused(done)) && !readme
    };
    let stopped = batches.iter().enumerate().skip(since).any(|(at, batch)| batch.iter().any(|done| failed(at, done)));
    match groups.get(batches.len()) {
        // After a failure nothing that was to follow it is tried.
        Some(next) if !stopped => Plan::Call(next.clone()),
        left => {
            let open = tasks::left_open(&batches);
            let mut words = answer(&turns, &groups, &batches, left.is_some(), tools);
            let lang = turns.last().map_or(Lang::En, |turn| turn.lang);
            let more = stuck.map(|stuck| reply::stuck(&stuck, lang)).or_else(|| open.map(|open| tasks::question(&open, lang)));
            if let Some(more) = more {
                words = if words.is_empty() { more } else { format!("{words}\n\n{more}") };
            }
            Plan::Say(words)
        }
    }
}

/// What a user said to do instead of a call that was refused, and in which batch.
fn told_instead<'a>(batches: &[Vec<Done<'a>>]) -> Option<(usize, &'a str)> {
    let said = |batch: &Vec<Done<'a>>| batch.iter().find_map(|done| reply::instead_of(done.result));
    batches.iter().enumerate().rev().find_map(|(at, batch)| said(batch).map(|instead| (at, instead)))
}

/// The user's messages that are being worked on: the last one, and those before it whose calls went on when it came.
fn unfinished(messages: &[Message], last: usize) -> Vec<usize> {
    let mut open = vec![last];
    let mut at = last;
    let mut worked = false;
    while at > 0 {
        at -= 1;
        let message = &messages[at];
        match message.role {
            Role::Assistant if message.tool_calls.is_empty() => break,
            Role::Assistant => worked = true,
            // What was stopped is not taken up again by itself.
            Role::Tool if reply::is_stopped(&message.content) => break,
            Role::User if !worked => break,
            // The user's own call is no work of ours: what it brought was shown, and it asks for nothing.
            Role::User if is_own_call(message, messages.get(at + 1)) => break,
            Role::User => {
                open.insert(0, at);
                worked = false;
            }
            _ => {}
        }
    }
    open
}

/// Whether a message is a call of the user's own (`!ls`, `/undo`) with what was called for it.
fn is_own_call(message: &Message, next: Option<&Message>) -> bool {
    let called = next.and_then(|next| match next.tool_calls.as_slice() {
        [call] => Some(call.name.as_str()),
        _ => None,
    });
    called.is_some_and(|name| {
        (message.content.starts_with('!') && name.ends_with("__run_command"))
            || (message.content.starts_with("/undo") && name.ends_with("__undo"))
    })
}

/// The calls made so far, one batch for each answer of the assistant.
fn batches(messages: &[Message]) -> Vec<Vec<Done<'_>>> {
    let result = |call: &ToolCall| {
        messages.iter().find(|message| message.tool_call_id.as_ref() == Some(&call.id)).map_or("", |message| message.content.as_str())
    };
    let calling = messages.iter().filter(|message| message.role == Role::Assistant && !message.tool_calls.is_empty());
    calling.map(|message| message.tool_calls.iter().map(|call| Done { call, result: result(call) }).collect()).collect()
}

/// After a listing that is to be described comes the README it shows.
fn follow_up(groups: &mut Vec<Vec<Planned>>, batches: &[Vec<Done<'_>>], tools: &Toolset<'_>) {
    let Some(read) = tools.0.iter().find(|view| matches!(folded(view.short).as_str(), "read_file" | "read_text_file")) else { return };
    for at in 0..batches.len().min(groups.len()) {
        let about = groups[at].iter().find(|call| matches!(call.purpose, Purpose::About { .. })).cloned();
        let Some(about) = about else { continue };
        let listed = batches[at].iter().find(|done| done.call.name == about.tool && done.call.arguments == about.arguments);
        let Some(readme) = listed.filter(|done| !reply::is_failure(done.result)).and_then(|done| reply::readme_of(done.result)) else {
            continue;
        };
        let folder = about.arguments.get("path").and_then(Value::as_str).unwrap_or(".");
        let path = if folder == "." { readme } else { format!("{}/{readme}", folder.trim_end_matches('/')) };
        let mut arguments = Map::new();
        arguments.insert("path".to_owned(), json!(path));
        if crate::tools::schema::properties(&read.spec.parameters).any(|(name, _)| name == "limit") {
            arguments.insert("limit".to_owned(), json!(reply::README_LINES));
        }
        groups.insert(at + 1, vec![Planned { tool: read.spec.name.clone(), arguments, purpose: Purpose::Readme }]);
        // One folder at a time is described.
        return;
    }
}

/// What the user's message at `at` means, an open question before it taken into account.
fn read_turn<'a>(messages: &'a [Message], at: usize, tools: &Toolset<'_>, questions: usize) -> Turn<'a> {
    let text = messages[at].content.as_str();
    let context = Context { tools, last_path: last_path(&messages[..at]), last_task: last_task(&messages[..at]) };
    if questions > 0
        && let Some((open, lang)) = open_question(messages, at, tools, questions)
        && let Some((request, cancelled)) = answered(&open, text, &context)
    {
        return Turn { text, request, lang, cancelled };
    }
    Turn { text, request: understand(text, &context), lang: language(text), cancelled: false }
}

/// The question that stands open before the message at `at`: it is asked in the answer before it.
fn open_question(messages: &[Message], at: usize, tools: &Toolset<'_>, questions: usize) -> Option<(Open, Lang)> {
    let asked = messages[..at].iter().rposition(|message| message.role == Role::Assistant)?;
    let before = messages[..asked].iter().rposition(|message| message.role == Role::User)?;
    if !messages[asked].tool_calls.is_empty() {
        return None;
    }
    let mut turn = read_turn(messages, before, tools, questions - 1);
    let done = batches(&messages[before..asked]);
    let open = match tasks::unresolved(&mut turn.request, &done) {
        Some(question) => Open::Task(Box::new(question)),
        None => turn.request.ask?,
    };
    let question = reply::question(&open, tools, turn.lang);
    // Another model may have answered, or other tools been there: then it is no question of ours.
    messages[asked].content.trim_end().ends_with(question.trim_end()).then_some((open, turn.lang))
}

/// What an answer to a question makes of it; `None` where the message is a new request.
fn answered(open: &Open, text: &str, context: &Context<'_>) -> Option<(Request, bool)> {
    if cancels(text) {
        return Some((Request::default(), true));
    }
    let tools = context.tools;
    match open {
        Open::Argument { call, name } => {
            let view = tools.find(&call.tool)?;
            let property =
                view.spec.parameters.get("properties").and_then(|properties| properties.get(name)).cloned().unwrap_or(Value::Null);
            if !is_free_text(name) && is_new_request(text, context) {
                return None;
            }
            let mut request = Request::default();
            match fill::answer(name, &property, text) {
                Some(value) => {
                    let mut arguments = call.arguments.clone();
                    let value = if call.tool.as_str() == super::toolset::HANDOFF && name == "task" {
                        json!({ "description": text.trim() })
                    } else {
                        value
                    };
                    arguments.insert(name.clone(), value);
                    match settled(&view, vec![arguments]) {
                        Meaning::Calls(calls) => request.groups.push(calls),
                        Meaning::Ask(open) => request.ask = Some(open),
                        Meaning::Steps(_) | Meaning::Say(_) => {}
                    }
                }
                None if call.tool.as_str() == super::toolset::HANDOFF && name == "task" => {
                    let mut arguments = call.arguments.clone();
                    arguments.insert(name.clone(), json!({ "description": text.trim() }));
                    if let Meaning::Calls(calls) = settled(&view, vec![arguments]) {
                        request.groups.push(calls);
                    }
                }
                // Not what was asked for: the question stands.
                None => request.ask = Some(open.clone()),
            }
            Some((request, false))
        }
        Open::Task(question) => {
            if !matches!(**question, tasks::Question::Slot { .. }) && is_new_request(text, context) {
                return None;
            }
            let mut request = Request::default();
            match tasks::answered(question, text, tools)? {
                Meaning::Calls(calls) => request.groups.push(calls),
                Meaning::Steps(steps) => request.groups.extend(steps),
                Meaning::Ask(open) => {
                    // Not an answer, but perhaps a request of its own.
                    if open == Open::Task(question.clone()) && is_new_request(text, context) {
                        return None;
                    }
                    request.ask = Some(open);
                }
                Meaning::Say(_) => {}
            }
            Some((request, false))
        }
        Open::Choice { options, said } => {
            let chosen = choice(options, text)?;
            let only: Vec<_> = tools.0.iter().filter(|view| view.spec.name == options[chosen]).copied().collect();
            let narrowed = Toolset(only);
            let context = Context { tools: &narrowed, last_path: context.last_path.clone(), last_task: context.last_task.clone() };
            // The tool is named outright, so that even few words of it will do.
            let request = understand(said, &context);
            let named = if request.groups.is_empty() && request.ask.is_none() {
                understand(&format!("{} {said}", options[chosen]), &context)
            } else {
                request
            };
            Some((named, false))
        }
    }
}

/// Which of the options an answer names: by number, order, name or server.
fn choice(options: &[crate::domain::ids::ToolName], text: &str) -> Option<usize> {
    let lower = text.trim().trim_end_matches(['.', '。', '!']).to_lowercase();
    let ordinals: [&[&str]; 5] = [
        &["1", "first", "the first", "the first one", "a", "第一个", "一", "第一"],
        &["2", "second", "the second", "the second one", "b", "第二个", "二", "第二"],
        &["3", "third", "the third", "the third one", "c", "第三个", "三", "第三"],
        &["4", "fourth", "the fourth", "d", "第四个", "四"],
        &["5", "fifth", "the fifth", "e", "第五个", "五"],
    ];
    if let Some(at) = ordinals.iter().position(|words| words.contains(&lower.as_str())) {
        return (at < options.len()).then_some(at);
    }
    let said = folded(&lower);
    let by_name: Vec<usize> = (0..options.len()).filter(|at| said.contains(&folded(options[*at].as_str()))).collect();
    let server = |at: usize| options[at].as_str().split("__").next().map(folded).unwrap_or_default();
    let by_server: Vec<usize> = (0..options.len())
        .filter(|at| said.split(|ch: char| !ch.is_alphanumeric() && ch != '_').any(|word| word == server(*at)) || said == server(*at))
        .collect();
    match (by_name.as_slice(), by_server.as_slice()) {
        ([one], _) | ([], [one]) => Some(*one),
        _ => None,
    }
}

/// Texts that may be anything: a request in them is a part of them.
fn is_free_text(name: &str) -> bool {
    matches!(
        name,
        "content" | "text" | "message" | "new_text" | "old_text" | "body" | "prompt" | "task" | "description" | "title" | "subject"
    )
}

/// Whether a message asks for something by itself, complete and in more than one word.
fn is_new_request(text: &str, context: &Context<'_>) -> bool {
    if text.split_whitespace().count() < 2 && !text.chars().any(super::words::is_han) {
        return false;
    }
    let request = understand(text, context);
    let talks = request
        .says
        .iter()
        .any(|talk| matches!(talk, super::talk::Talk::Help | super::talk::Talk::WhoAreYou | super::talk::Talk::RealModel));
    (!request.groups.is_empty() && request.unknown.is_empty()) || talks
}

/// The path in the last call of the conversation that had one.
fn last_path(messages: &[Message]) -> Option<String> {
    let mut calls = messages.iter().rev().flat_map(|message| message.tool_calls.iter().rev());
    calls.find_map(|call| call.arguments.get("path").and_then(Value::as_str)).map(str::to_owned)
}

/// The background task that a result named last.
fn last_task(messages: &[Message]) -> Option<String> {
    let calls = messages.iter().rev().flat_map(|message| message.tool_calls.iter().rev()).filter(|call| tasks::is_ours(call.name.as_str()));
    calls.into_iter().find_map(|call| {
        let result = messages.iter().find(|message| message.tool_call_id.as_ref() == Some(&call.id))?;
        tasks::id_of(&result.content).or_else(|| call.arguments.get("task_id").and_then(Value::as_str).map(str::to_owned))
    })
}

/// The words at the end: what was done, said, not understood, and asked.
fn answer(turns: &[Turn<'_>], groups: &[Vec<Planned>], batches: &[Vec<Done<'_>>], left: bool, tools: &Toolset<'_>) -> String {
    let lang = turns.last().map_or(Lang::En, |turn| turn.lang);
    let mut pieces: Vec<String> = Vec::new();
    for talk in turns.iter().flat_map(|turn| &turn.request.says) {
        pieces.push(super::talk::text(talk, tools, lang));
    }
    let said: Vec<&str> = turns.iter().map(|turn| turn.text).collect();
    pieces.extend(reply::results(groups, batches, &said.join("\n"), lang));
    if left {
        let rest: Vec<&Planned> = groups.iter().skip(batches.len()).flatten().collect();
        pieces.push(reply::left_out(&rest, lang));
    }
    for turn in turns {
        let nothing_else = turn.request.groups.is_empty() && turn.request.says.is_empty() && turn.request.ask.is_none();
        if turn.cancelled {
            pieces.push(lang.pick("All right, I dropped that.", "好的，已取消。").to_owned());
        } else if !turn.request.unknown.is_empty() || nothing_else {
            pieces.push(reply::not_understood(&turn.request.unknown, turn.text, nothing_else, tools, lang));
        }
    }
    if let Some(turn) = turns.iter().rev().find(|turn| turn.request.ask.is_some())
        && let Some(open) = &turn.request.ask
    {
        pieces.push(reply::question(open, tools, turn.lang));
    }
    pieces.retain(|piece| !piece.trim().is_empty());
    pieces.join("\n\n")
}
