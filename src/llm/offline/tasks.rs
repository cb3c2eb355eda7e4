//! Requests about background tasks: from a sentence to the calls of the server `tasks`, and to the one question that is
//! open.
//!
//! Two things are not in the sentence and are asked of tools first: what time it is (for one moment such as `tomorrow
//! at 9`) and which task is meant (`pause the TechCrunch monitor`). Then a call waits with words in the place of the
//! value; [`resolve`] puts the value in once the result is there.

mod channel;
mod clock;
mod create;
mod lookup;
mod manage;
mod moment;
mod numbers;
mod said;
mod settle;
mod sites;
mod threshold;
mod topics;
mod when;

use serde_json::{Map, Value, json};

use self::create::Draft;
use self::manage::{Deed, Target};
use self::settle::Slot;
use super::plan::Done;
use super::request::{Meaning, Open, Planned, Purpose, Request};
use super::slots::args;
use super::talk::Lang;
use super::toolset::{Pick, Toolset, folded};

pub(super) use lookup::{Stuck, resolve};
pub(super) use said::meridiem;

/// The server.
const SERVER: &str = "tasks";

/// The tool that makes a task.
pub(super) const CREATE: &str = "create_background_task";

/// The tool that lists them.
pub(super) const LIST: &str = "list_background_tasks";

/// The tool that tells how the scheduler is.
pub(super) const STATUS: &str = "get_event_sourcing_status";

/// All tools that are understood here.
pub(super) const TOOLS: &[&str] =
    &[CREATE, LIST, STATUS, manage::PAUSE, manage::RESUME, manage::DELETE, manage::RUN, manage::PREVIEW, manage::HISTORY, manage::UPDATE];

/// A question about a task, and what waits for its answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Question {
    /// A piece of a new task is missing.
    Slot { draft: Box<Draft>, slot: Slot },
    /// A tool did not know whom to tell.
    Receiver { call: Planned, key: &'static str },
    /// It was not said which task.
    Target { tool: &'static str, change: Map<String, Value> },
    /// More than one task fits: id and name of each.
    Which { call: Planned, options: Vec<(String, String)> },
}

/// Whether the tools for tasks are offered.
pub(super) fn offered(tools: &Toolset<'_>) -> bool {
    matches!(tools.pick(&[CREATE], SERVER, None), Pick::One(_) | Pick::Many(_))
}

/// The call of a tool, where it is offered.
fn planned(tools: &Toolset<'_>, tool: &str, server: &str, arguments: Map<String, Value>, purpose: Purpose) -> Option<Planned> {
    match tools.pick(&[tool], server, None) {
        Pick::One(view) => Some(Planned { tool: view.spec.name.clone(), arguments, purpose }),
        Pick::Many(views) => views.first().map(|view| Planned { tool: view.spec.name.clone(), arguments, purpose }),
        Pick::None => None,
    }
}

/// What a piece of a message asks about tasks, if it does.
pub(super) fn read(text: &str, tools: &Toolset<'_>, last_task: Option<&str>) -> Option<Meaning> {
    if !offered(tools) {
        return None;
    }
    if let Some(deed) = manage::read(text, last_task.is_some()) {
        return managed(deed, tools, last_task);
    }
    let draft = create::read(text)?;
    Some(drafted(draft, tools))
}

/// Whether a whole sentence asks for a new task: its `and`s and `then`s belong to it.
pub(super) fn is_creation(text: &str, tools: &Toolset<'_>, last_task: Option<&str>) -> bool {
    offered(tools) && manage::read(text, last_task.is_some()).is_none() && create::read(text).is_some()
}

/// Whether a sentence only adds times or receivers to the request before it: `Check every hour. Text me at ...`
pub(super) fn adds_to(text: &str) -> bool {
    let mut said = said::Said::new(text);
    let channel = channel::take(&mut said);
    let when = when::take(&mut said);
    let rest = create::cleaned(&said.text);
    let few = rest.split_whitespace().count() <= 4 && rest.chars().filter(|ch| super::words::is_han(*ch)).count() <= 6;
    few && (channel != channel::Channel::default() || when.is_said() || when.zone.is_some()) && create::read(text).is_none()
}

/// Whether a text says when.
pub(super) fn has_time(text: &str) -> bool {
    when::take(&mut said::Said::new(text)).is_said()
}

/// The calls that make a task, or the question that is open.
fn drafted(draft: Draft, tools: &Toolset<'_>) -> Meaning {
    let ready = match settle::settle(&draft) {
        Ok(ready) => ready,
        Err(slot) => return Meaning::Ask(Open::Task(Box::new(Question::Slot { draft: Box::new(draft), slot }))),
    };
    let purpose = if ready.needs_now { Purpose::Resolve } else { Purpose::Show };
    let create = planned(tools, CREATE, SERVER, ready.arguments, purpose);
    let clock = ready.needs_now.then(|| {
        let zone = ready.zone.map(|zone| args(&[("timezone", json!(zone))])).unwrap_or_default();
        planned(tools, "current_time", "system", zone, Purpose::Hidden)
    });
    match (create, clock) {
        (Some(create), None) => Meaning::Calls(vec![create]),
        (Some(create), Some(Some(clock))) => Meaning::Steps(vec![vec![clock], vec![create]]),
        // Without a clock a moment cannot be worked out, but a time that comes again can.
        _ => {
            let mut draft = draft;
            draft.when.once = None;
            draft.when.times.clear();
            Meaning::Ask(Open::Task(Box::new(Question::Slot { draft: Box::new(draft), slot: Slot::When })))
        }
    }
}

fn managed(deed: Deed, tools: &Toolset<'_>, last_task: Option<&str>) -> Option<Meaning> {
    match deed {
        Deed::List { all_users } => {
            let user = if all_users { args(&[("user_id", json!("admin"))]) } else { Map::new() };
            Some(Meaning::Calls(vec![planned(tools, LIST, SERVER, user, Purpose::Show)?]))
        }
        Deed::Status => Some(Meaning::Calls(vec![planned(tools, STATUS, SERVER, Map::new(), Purpose::Show)?])),
        Deed::To { tool, target, change } => {
            planned(tools, tool, SERVER, Map::new(), Purpose::Show)?;
            Some(on_task(tool, target, change, tools, last_task))
        }
    }
}

/// Something that is done with a task. By id it is done at once (a change needs to know the kind of the task), else the
/// list is asked first.
fn on_task(tool: &'static str, target: Target, change: Map<String, Value>, tools: &Toolset<'_>, last_task: Option<&str>) -> Meaning {
    let ask = |change| Meaning::Ask(Open::Task(Box::new(Question::Target { tool, change })));
    let (words, at_once) = match target {
        Target::Missing => return ask(change),
        Target::Id(id) => (id, change.is_empty()),
        Target::Last => match last_task {
            Some(id) => (id.to_owned(), change.is_empty()),
            None => return ask(change),
        },
        Target::Words(words) => (words, false),
        Target::All(kind) => (format!("{}{kind}", lookup::ALL), false),
    };
    let mut arguments = args(&[("task_id", json!(words))]);
    if !change.is_empty() {
        arguments.insert("change".to_owned(), Value::Object(change));
    }
    let purpose = if at_once { Purpose::Show } else { Purpose::Resolve };
    let Some(call) = planned(tools, tool, SERVER, arguments, purpose) else { return ask(Map::new()) };
    match planned(tools, LIST, SERVER, Map::new(), Purpose::Hidden) {
        Some(list) if !at_once => Meaning::Steps(vec![vec![list], vec![call]]),
        _ => Meaning::Calls(vec![Planned { purpose: Purpose::Show, ..call }]),
    }
}

/// The words of a question.
pub(super) fn question(question: &Question, lang: Lang) -> String {
    match question {
        Question::Slot { slot, .. } => settle::question(*slot, lang).to_owned(),
        Question::Receiver { key, .. } => match *key {
            "phone_number" => lang.pick("Which phone number shall I use?", "请问发到哪个手机号？"),
            "email" => lang.pick("Which e-mail address shall I use?", "请问发到哪个邮箱地址？"),
            "url" => lang.pick("Which webhook address shall I use?", "请问 webhook 地址是什么？"),
            _ => lang.pick("Which ntfy topic shall I use?", "请问用哪个 ntfy 主题？"),
        }
        .to_owned(),
        Question::Target { .. } => lang
            .pick("Which task do you mean? Give words of its description or its id.", "指的是哪个任务？请给出描述中的词或编号。")
            .to_owned(),
        Question::Which { options, .. } => lookup::which(options, lang),
    }
}

/// What an answer to a question makes of it; `None` where it is none.
pub(super) fn answered(open: &Question, text: &str, tools: &Toolset<'_>) -> Option<Meaning> {
    match open {
        Question::Slot { draft, slot } => {
            let mut draft = draft.clone();
            if settle::answered(&mut draft, *slot, text) { Some(drafted(*draft, tools)) } else { again(open) }
        }
        Question::Receiver { call, key } => match channel::receiver(key, text) {
            Some(value) => {
                let mut call = call.clone();
                let config = call.arguments.get_mut("config").and_then(Value::as_object_mut);
                let notification = match config {
                    Some(config) => config.get_mut("notification"),
                    None => call.arguments.get_mut("notification"),
                };
                notification.and_then(Value::as_object_mut)?.insert((*key).to_owned(), json!(value));
                Some(Meaning::Calls(vec![call]))
            }
            None => again(open),
        },
        Question::Target { tool, change } => {
            let words = text.trim().trim_end_matches(['.', '。', '!', '！']).to_owned();
            let target = if words.is_empty() { Target::Missing } else { Target::Words(words) };
            Some(on_task(tool, target, change.clone(), tools, None))
        }
        Question::Which { call, options } => match lookup::chosen(options, text) {
            Some(id) => {
                let mut call = Planned { purpose: Purpose::Show, ..call.clone() };
                call.arguments.insert("task_id".to_owned(), json!(id));
                if call.arguments.contains_key("change") {
                    call.purpose = Purpose::Resolve;
                    let list = planned(tools, LIST, SERVER, Map::new(), Purpose::Hidden)?;
                    return Some(Meaning::Steps(vec![vec![list], vec![call]]));
                }
                Some(Meaning::Calls(vec![call]))
            }
            None => again(open),
        },
    }
}

/// It was not what was asked for: the question stands.
#[expect(clippy::unnecessary_wraps, reason = "an arm of `answered`")]
fn again(open: &Question) -> Option<Meaning> {
    Some(Meaning::Ask(Open::Task(Box::new(open.clone()))))
}

/// The question that a tool's answer leaves open: a new task lacked the one who is told.
pub(super) fn left_open(batches: &[Vec<Done<'_>>]) -> Option<Question> {
    let done =
        batches.last()?.iter().find(|done| is_tool(done.call.name.as_str(), CREATE) || is_tool(done.call.name.as_str(), manage::UPDATE))?;
    if !super::reply::is_failure(done.result) && !is_error(done.result) {
        return None;
    }
    let config = done.call.arguments.get("config")?;
    let notification = config.get("notification").and_then(Value::as_object)?;
    let key = channel::lacks(notification)?;
    // Another fault may have come first: then its own words say what to do.
    let lower = done.result.to_lowercase();
    let about = lower.contains("notification") || lower.contains(key) || lower.contains("number") || lower.contains("receiver");
    let call = Planned { tool: done.call.name.clone(), arguments: done.call.arguments.clone(), purpose: Purpose::Show };
    about.then_some(Question::Receiver { call, key })
}

/// The question of a request whose lookup found several tasks.
pub(super) fn unresolved(request: &mut Request, batches: &[Vec<Done<'_>>]) -> Option<Question> {
    match resolve(&mut request.groups, batches) {
        Some(Stuck::Several(question)) => Some(question),
        _ => left_open(batches),
    }
}

/// Whether a tool's full name is this tool of ours.
pub(super) fn is_tool(name: &str, tool: &str) -> bool {
    folded(name.rsplit("__").next().unwrap_or(name)) == tool
}

/// Whether a tool is one of those for tasks.
pub(super) fn is_ours(name: &str) -> bool {
    TOOLS.iter().any(|tool| is_tool(name, tool))
}

/// The id in a result of a tool for tasks.
pub(super) fn id_of(result: &str) -> Option<String> {
    let data = lookup::data(result)?;
    let of = |value: &Value| value.get("task_id").or_else(|| value.get("id")).and_then(Value::as_str).map(str::to_owned);
    of(&data).or_else(|| data.get("task").and_then(of))
}

pub(super) use lookup::{envelope, is_error, is_simple, short_id, tasks_of, told};
