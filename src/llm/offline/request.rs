//! From a message to a plan: which calls, in which order, what to ask, what to say.
//!
//! A message is cut into sentences and these at `and` and `then`, but only where every piece makes sense by itself:
//! `search for foo and bar` stays whole. What is joined by `and` runs at once, what follows `then` waits.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value, json};

use super::generic::{self, Candidate};
use super::intents;
use super::memories;
use super::slots::rule;
use super::talk::{self, Lang, Talk, targets};
use super::tasks;
use super::toolset::{Pick, Toolset, View, folded};
use super::web;
use super::words::{Part, trim_edges};
use crate::domain::ids::ToolName;

/// A call to be made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Planned {
    pub(super) tool: ToolName,
    pub(super) arguments: Map<String, Value>,
    pub(super) purpose: Purpose,
}

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Its result is shown.
    Show,
    /// A listing from which a folder is described, and shown as well if so.
    About {
        /// The list itself was asked for too.
        list: bool,
    },
    /// The text that describes a folder.
    Readme,
    /// Its result is needed by a call that waits for it, and not shown.
    Hidden,
    /// It waits for a result: words stand in the place of a value.
    Resolve,
}

/// A question to the user and what waits for its answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Open {
    /// An argument is missing.
    Argument { call: Planned, name: String },
    /// More than one tool fits.
    Choice { options: Vec<ToolName>, said: String },
    /// Something about a background task.
    Task(Box<tasks::Question>),
}

/// What one piece of a message means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Meaning {
    Calls(Vec<Planned>),
    /// Calls that wait for one another.
    Steps(Vec<Vec<Planned>>),
    Ask(Open),
    Say(Talk),
}

/// What a whole message means.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Request {
    /// Calls that run together, group after group.
    pub(super) groups: Vec<Vec<Planned>>,
    pub(super) says: Vec<Talk>,
    /// Asked after everything else is done.
    pub(super) ask: Option<Open>,
    /// Pieces that were not understood.
    pub(super) unknown: Vec<String>,
}

/// What surrounds a message.
pub(super) struct Context<'a> {
    pub(super) tools: &'a Toolset<'a>,
    /// The file that was spoken of last.
    pub(super) last_path: Option<String>,
    /// The background task that was spoken of last, by its id.
    pub(super) last_task: Option<String>,
}

rule!(ANALYSE = r"(?i)\banaly[sz]e\b|分析");
rule!(
    ABOUT = r"(?i)\b(?:tell|describe|explain|summari[sz]e|overview|introduce|analy[sz]e|what is|what's|whats|what kind of|understand|about|walk)\b.*\b(?:folder|directory|project|repo|repository|codebase|workspace)\b|(?:介绍|说说|讲讲|概括|总结|描述|说明|分析|看看|是干什么|是做什么|是干嘛|是什么|干什么|做什么).*(?:目录|文件夹|项目|仓库|工程)|(?:目录|文件夹|项目|仓库|工程).*(?:介绍|是干什么|是做什么|是干嘛|是什么|干什么用|做什么用|讲的是什么|概况)"
);
rule!(
    ABOUT_OTHER = r"(?i)\b(?:files|contain|contains|manager|structure of a|a project|a folder|a directory|management|deadline|budget|plan|called|in)\b|列出|列一下|有哪些|有什么"
);
rule!(
    HAND = r"(?i)^(?:please\s+|can you\s+|could you\s+|now\s+|then\s+|i want you to\s+|ok(?:ay)?\s+)*(?:ask|tell|let|have|get|delegate(?:\s+(?:this|it))?\s+to|hand(?:\s+(?:this|it|over))*\s+to|hand\s*off\s+to|pass(?:\s+(?:this|it))?\s+to|make)\s+(the\s+)?(agent\s+|server\s+)?([\w.-]+)(\s+agent|\s+server)?\s*[,:]?\s*(?:to\s+|that\s+|and\s+)?(.*)$"
);
rule!(
    HAND_HAN = r"^(?:请|麻烦|帮我|现在|然后)*(?:让|请|叫|问问|问一下|问|交给|委托|派)\s*(代理|服务器|智能体|助手)?\s*([A-Za-z][\w.-]*)\s*(?:代理|服务器|智能体|助手)?\s*(?:去|来|帮我|帮忙|处理|：|:|，|,)*\s*(.+)$"
);

/// Understands a message.
pub(super) fn understand(text: &str, context: &Context<'_>) -> Request {
    let mut text = task_words(text);
    if tasks::offered(context.tools)
        && let Some(rule) = tasks::meridiem()
    {
        text = rule.replace_all(&text, "${1}${2}m").into_owned();
    }
    let whole = Part::new(&text);
    let mut request = Request::default();
    let mut reader = Reader { context, last_path: context.last_path.clone(), cache: HashMap::new() };
    if let Some(meaning) = handoff(&whole, context.tools) {
        request.add(meaning, false);
        return request;
    }
    for (sentence, then) in tasks_joined(sentences(&whole), context) {
        reader.sentence(&sentence, then, &mut request);
    }
    // A greeting before a request needs no answer of its own.
    if !request.groups.is_empty() || request.ask.is_some() {
        request.says.retain(|talk| matches!(talk, Talk::Help | Talk::WhoAreYou | Talk::RealModel | Talk::NobodyThere(..)));
    } else if request.says.len() > 1 {
        let more = request.says.iter().any(|talk| !matches!(talk, Talk::Hello | Talk::Thanks));
        let forbids = request.says.contains(&Talk::Negated);
        request.says.retain(|talk| !forbids || *talk != Talk::NothingOpen);
        request.says.retain(|talk| !more || !matches!(talk, Talk::Hello | Talk::Thanks));
        request.says.dedup();
    }
    request
}

/// A task that was handed over as a JSON object says what it wants in its texts.
fn task_words(text: &str) -> String {
    let Ok(Value::Object(task)) = serde_json::from_str::<Value>(text.trim()) else { return text.to_owned() };
    let texts: Vec<&str> = task.values().filter_map(Value::as_str).collect();
    if texts.is_empty() { text.to_owned() } else { texts.join(". ") }
}

impl Request {
    fn add(&mut self, meaning: Meaning, then: bool) {
        match meaning {
            Meaning::Say(talk) => self.says.push(talk),
            Meaning::Ask(open) => self.ask = self.ask.take().or(Some(open)),
            Meaning::Calls(calls) => self.add_calls(calls, then),
            Meaning::Steps(steps) => {
                for (at, calls) in steps.into_iter().enumerate() {
                    self.add_calls(calls, then || at > 0);
                }
            }
        }
    }

    fn add_calls(&mut self, calls: Vec<Planned>, then: bool) {
        let mut fresh = Vec::new();
        for call in calls {
            let same = self.groups.iter_mut().flatten().find(|known| known.tool == call.tool && known.arguments == call.arguments);
            match same {
                Some(known) if !then => known.purpose = merged(known.purpose, call.purpose),
                _ => fresh.push(call),
            }
        }
        if fresh.is_empty() {
            return;
        }
        let waits =
            then || self.groups.last().is_none_or(|last| fresh.iter().any(|call| last.iter().any(|earlier| touches(earlier, call))));
        match self.groups.last_mut() {
            Some(last) if !waits => last.extend(fresh),
            _ => self.groups.push(fresh),
        }
    }
}

/// A listing that is asked for by itself and for a description.
fn merged(one: Purpose, other: Purpose) -> Purpose {
    match (one, other) {
        (Purpose::About { .. }, Purpose::Show) | (Purpose::Show, Purpose::About { .. }) => Purpose::About { list: true },
        // What is needed for another call is shown where it was asked for too.
        (Purpose::Hidden, shown) => shown,
        (one, _) => one,
    }
}

/// Whether one call changes the file that the other works on.
fn touches(one: &Planned, other: &Planned) -> bool {
    let writes = |call: &Planned| call.tool.as_str().ends_with("write_file") || call.tool.as_str().ends_with("edit_file");
    let path = |call: &Planned| call.arguments.get("path").cloned();
    (writes(one) || writes(other)) && path(one).is_some() && path(one) == path(other)
}

/// Where one piece ends and another may begin.
static JOINTS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?i)(?P<then>[,;，；。]?\s*\b(?:and\s+then|but\s+first|then|after\s+that|afterwards|followed\s+by)\b,?\s*|[,;，；。]?\s*(?:然后再?|接着再?|之后再?|随后|最后再|完了再)\s*|[,，；。\s]\s*(?:再|最后))|(?P<and>[,;，；]?\s*\b(?:and\s+also|and|also|as\s+well\s+as|additionally|but)\b\s*|[,，;；]?\s*(?:并且|同时|以及|还有|另外|顺便|而且|但是|并|和)\s*|[,，;；、]\s*)",
    )
    .ok()
});

/// Where sentences end.
static ENDS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"[.!?]+(?:\s+|$)|[。！？]+\s*|\n+").ok());

/// The most joints of a sentence that are tried.
const JOINTS_MAX: usize = 10;

/// Finds a pattern outside of quotes and values.
fn outside<'t>(part: &'t Part, rule: &Regex) -> Vec<regex::Captures<'t>> {
    let inside = |range: std::ops::Range<usize>| {
        part.tokens
            .iter()
            .any(|token| token.is_value() && token.range.start < range.end && range.start < token.range.end && token.range != range)
    };
    rule.captures_iter(&part.raw).filter(|captures| captures.get(0).is_some_and(|whole| !inside(whole.range()))).collect()
}

/// The sentences, and whether each begins with `then`.
fn sentences(part: &Part) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let mut at = 0;
    let ends: Vec<_> = ENDS.as_ref().map(|rule| outside(part, rule)).unwrap_or_default();
    let ends = ends.iter().filter_map(|captures| captures.get(0)).map(|end| (end.start(), end.end()));
    for (start, next) in ends.chain(std::iter::once((part.raw.len(), part.raw.len()))) {
        // The mark stays: a question is known by it.
        let text = part.raw.get(at..next).unwrap_or_default().trim();
        if start > at && text.chars().any(char::is_alphanumeric) {
            let lower = text.to_lowercase();
            let then = ["then", "after that", "afterwards", "next,", "然后", "接着", "之后"].iter().find(|word| lower.starts_with(*word));
            let rest = then.and_then(|word| text.get(word.len()..)).unwrap_or(text).trim_start_matches([',', '，', ' ']);
            let rest = ["first,", "first ", "首先，", "首先", "先"]
                .iter()
                .find_map(|word| rest.to_lowercase().starts_with(*word).then(|| rest.get(word.len()..)))
                .flatten()
                .unwrap_or(rest);
            found.push((rest.trim().to_owned(), then.is_some()));
        }
        at = next;
    }
    found
}

/// Sentences that only say when a new task runs, or whom it tells, belong to the sentence that asks for it.
fn tasks_joined(sentences: Vec<(String, bool)>, context: &Context<'_>) -> Vec<(String, bool)> {
    let mut joined: Vec<(String, bool)> = Vec::new();
    for (sentence, then) in sentences {
        let before = joined.last_mut().filter(|(before, _)| tasks::is_creation(before, context.tools, None) && tasks::adds_to(&sentence));
        match before {
            Some((before, _)) => {
                let start = before.trim_end_matches(['.', '。', '!', '！', ' ']).to_owned();
                *before = format!("{start}, {sentence}");
            }
            None => joined.push((sentence, then)),
        }
    }
    joined
}

/// Where a sentence that asks for a new task goes on with another request: `... and remind me ...`, `..., then list my tasks`.
fn next_request(sentence: &str, joints: &[(usize, usize, bool)], context: &Context<'_>) -> Option<(usize, usize, bool)> {
    joints.iter().copied().find(|(start, end, then)| {
        let (Some(before), Some(rest)) = (sentence.get(..*start), sentence.get(*end..)) else { return false };
        let whole = |text: &str| matches!(tasks::read(text, context.tools, None), Some(Meaning::Calls(_) | Meaning::Steps(_)));
        let other = (tasks::is_creation(rest, context.tools, None) && tasks::has_time(rest)) || (*then && !tasks::adds_to(rest));
        other && whole(before) && whole(rest)
    })
}

struct Reader<'c, 'a> {
    context: &'c Context<'a>,
    last_path: Option<String>,
    cache: HashMap<String, Option<Meaning>>,
}

impl Reader<'_, '_> {
    fn sentence(&mut self, sentence: &str, then: bool, request: &mut Request) {
        // What is remembered is a sentence of its own, with its joints; but `remember to … every day` is a task.
        let last_task = self.context.last_task.as_deref();
        let meaning = memories::read(sentence, self.context.tools);
        if let Some(meaning) =
            meaning.filter(|_| !tasks::has_time(sentence) || !tasks::is_creation(sentence, self.context.tools, last_task))
        {
            return request.add(meaning, then);
        }
        let part = Part::new(sentence);
        let joints = JOINTS.as_ref().map(|rule| outside(&part, rule)).unwrap_or_default();
        let joints: Vec<(usize, usize, bool)> = joints
            .iter()
            .filter_map(|captures| captures.get(0).map(|whole| (whole.start(), whole.end(), captures.name("then").is_some())))
            .filter(|(start, _, _)| *start > 0)
            .take(JOINTS_MAX)
            .collect();
        // The words that join the pieces of a new task are its own.
        let last_task = self.context.last_task.as_deref();
        let message = self.sends(&part);
        if !message && tasks::is_creation(&part.raw, self.context.tools, last_task) {
            let next = next_request(&part.raw, &joints, self.context);
            let end = next.map_or(part.raw.len(), |(start, _, _)| start);
            if let Some(meaning) = part.raw.get(..end).and_then(|text| tasks::read(text, self.context.tools, last_task)) {
                request.add(meaning, then);
            }
            if let Some((_, start, then)) = next {
                let rest = part.raw.get(start..).unwrap_or_default().to_owned();
                self.sentence(&rest, then, request);
            }
            return;
        }
        let starts: Vec<(usize, bool)> = std::iter::once((0, then)).chain(joints.iter().map(|(_, end, then)| (*end, *then))).collect();
        let ends: Vec<usize> = joints.iter().map(|(start, _, _)| *start).chain(std::iter::once(part.raw.len())).collect();
        let (pieces, read) = self.best(&part.raw, &starts, &ends);
        for (from, to) in pieces {
            let text = part.raw.get(starts[from].0..ends[to]).unwrap_or_default().to_owned();
            if let Some(meaning) = self.meaning(&text) {
                self.remember_path(&meaning);
                request.add(meaning, starts[from].1);
            }
        }
        if let Some(rest) = read.and_then(|at| part.raw.get(starts[at].0..)) {
            let rest = rest.trim();
            if !rest.is_empty() {
                request.unknown.push(rest.to_owned());
            }
        }
    }

    /// The cut of a sentence into the most pieces that all make sense; where there is none, the longest beginning
    /// that makes sense, and from which joint on the rest is not understood.
    fn best(&mut self, raw: &str, starts: &[(usize, bool)], ends: &[usize]) -> (Vec<(usize, usize)>, Option<usize>) {
        let count = ends.len();
        // For each joint the best cut of what is before it.
        let mut cuts: Vec<Option<Vec<(usize, usize)>>> = vec![None; count + 1];
        cuts[0] = Some(Vec::new());
        for end in 0..count {
            for start in 0..=end {
                let Some(before) = cuts[start].clone() else { continue };
                let better = cuts[end + 1].as_ref().is_none_or(|known| before.len() + 1 > known.len());
                let text = raw.get(starts[start].0..ends[end]).unwrap_or_default();
                // A later piece of small talk is no reason to cut.
                let fits = |meaning: &Meaning| {
                    start == 0
                        || !matches!(meaning, Meaning::Say(talk) if !matches!(talk, Talk::Help | Talk::WhoAreYou | Talk::RealModel | Talk::Negated | Talk::Thanks))
                };
                if better && self.meaning(text).as_ref().is_some_and(fits) {
                    let mut cut = before;
                    cut.push((start, end));
                    cuts[end + 1] = Some(cut);
                }
            }
        }
        if let Some(cut) = cuts[count].clone() {
            return (cut, None);
        }
        let longest = (1..count).rev().find_map(|end| cuts[end].clone().filter(|cut| !cut.is_empty()).map(|cut| (cut, end)));
        match longest {
            Some((cut, end)) => (cut, Some(end)),
            None => (Vec::new(), Some(0)),
        }
    }

    fn meaning(&mut self, text: &str) -> Option<Meaning> {
        let key = format!("{text}\u{0}{}", self.last_path.as_deref().unwrap_or_default());
        if let Some(known) = self.cache.get(&key) {
            return known.clone();
        }
        let task =
            if self.sends(&Part::new(text)) { None } else { tasks::read(text, self.context.tools, self.context.last_task.as_deref()) };
        let meaning = task.or_else(|| recognise(text, self.context.tools, self.last_path.as_deref()));
        // What nothing else is meant by may be known from earlier sessions.
        let meaning = match meaning {
            None | Some(Meaning::Say(Talk::HowTo | Talk::Remark)) => memories::question(text, self.context.tools).or(meaning),
            meaning => meaning,
        };
        self.cache.insert(key, meaning.clone());
        meaning
    }

    /// Whether a piece is a message that is sent now, and the tools for that are there.
    fn sends(&self, part: &Part) -> bool {
        let offered = |name: &str| matches!(self.context.tools.pick(&[name], "notify", None), Pick::One(_));
        (offered("send_sms") || offered("send_email")) && web::is_message(part)
    }

    fn remember_path(&mut self, meaning: &Meaning) {
        let calls = match meaning {
            Meaning::Calls(calls) => calls.as_slice(),
            Meaning::Ask(Open::Argument { call, .. }) => std::slice::from_ref(call),
            _ => &[],
        };
        if let Some(path) = calls.iter().rev().find_map(|call| call.arguments.get("path").and_then(Value::as_str)) {
            self.last_path = Some(path.to_owned());
        }
    }
}

/// What one piece means; `None` where it is not understood.
fn recognise(text: &str, tools: &Toolset<'_>, last_path: Option<&str>) -> Option<Meaning> {
    let part = Part::new(text);
    if part.tokens.is_empty() {
        return None;
    }
    if let Some(talk) = talk::small(&part) {
        return Some(Meaning::Say(talk));
    }
    if let Some(talk) = talk::guard(&part) {
        return Some(Meaning::Say(talk));
    }
    if let Some(meaning) = handoff(&part, tools) {
        return Some(meaning);
    }
    let named = generic::named(&part, tools);
    if !named.is_empty() {
        return Some(of_candidates(&named, text));
    }
    if let Some(calls) = about(&part, tools) {
        return Some(calls);
    }
    if let Some(meaning) = by_rows(&part, tools, last_path) {
        return Some(meaning);
    }
    let found = generic::by_words(&part, tools);
    let best = found.first()?.score;
    let equal: Vec<Candidate<'_>> = found.into_iter().take_while(|candidate| candidate.score == best).collect();
    Some(of_candidates(&equal, text))
}

fn of_candidates(found: &[Candidate<'_>], text: &str) -> Meaning {
    match found {
        [one] => settled(&one.view, vec![one.filled.arguments.clone()]),
        many => Meaning::Ask(Open::Choice {
            options: many.iter().map(|candidate| candidate.view.spec.name.clone()).collect(),
            said: text.to_owned(),
        }),
    }
}

/// Calls of one tool, or a question for the first argument that is missing.
pub(super) fn settled(view: &View<'_>, calls: Vec<Map<String, Value>>) -> Meaning {
    let needed: Vec<&str> = crate::tools::schema::required(&view.spec.parameters).collect();
    let planned = |arguments| Planned { tool: view.spec.name.clone(), arguments, purpose: Purpose::Show };
    for arguments in &calls {
        if let Some(name) = needed.iter().find(|name| !arguments.contains_key(**name)) {
            return Meaning::Ask(Open::Argument { call: planned(arguments.clone()), name: (*name).to_owned() });
        }
    }
    Meaning::Calls(calls.into_iter().map(planned).collect())
}

fn by_rows(part: &Part, tools: &Toolset<'_>, last_path: Option<&str>) -> Option<Meaning> {
    let server = tools.server_named(part);
    for fit in intents::matches(part) {
        let only = server.as_ref().map(|(server, _)| *server);
        let view = match tools.pick(fit.intent.tools, fit.intent.server, only) {
            Pick::None => continue,
            Pick::One(view) => view,
            Pick::Many(views) => {
                return Some(Meaning::Ask(Open::Choice {
                    options: views.iter().map(|view| view.spec.name.clone()).collect(),
                    said: part.raw.clone(),
                }));
            }
        };
        let mut calls: Vec<Map<String, Value>> = fit.found.calls.into_iter().map(|call| known_arguments(&view, call)).collect();
        let speaks_of_it = ["it", "that", "this"].iter().any(|word| part.has_word(word)) || part.has_han("它") || part.has_han("这个文件");
        for call in calls.iter_mut().filter(|call| speaks_of_it && !call.contains_key("path")) {
            if let Some(path) = last_path
                && crate::tools::schema::required(&view.spec.parameters).any(|needed| needed == "path")
            {
                call.insert("path".to_owned(), json!(path));
            }
        }
        return Some(settled(&view, calls));
    }
    None
}

/// The arguments that a tool knows: another server's tool of that name may take less.
fn known_arguments(view: &View<'_>, mut call: Map<String, Value>) -> Map<String, Value> {
    if let Some(properties) = view.spec.parameters.get("properties").and_then(Value::as_object) {
        call.retain(|name, _| properties.contains_key(name));
    }
    call
}

/// `tell me about this folder`: a listing, and what its README says.
fn about(part: &Part, tools: &Toolset<'_>) -> Option<Meaning> {
    ABOUT.find(&part.raw)?;
    if ANALYSE.find(&part.raw).is_some() && matches!(tools.pick(&["analyze_code"], "code", None), Pick::One(_)) {
        return None;
    }
    if ABOUT_OTHER.find(&part.raw).is_some() || part.words().count() > 14 {
        return None;
    }
    let Pick::One(view) = tools.pick(&["list_files", "list_directory"], "files", None) else { return None };
    let path = part.paths().first().map_or_else(|| ".".to_owned(), |path| path.text.clone());
    let mut arguments = Map::new();
    arguments.insert("path".to_owned(), json!(path));
    let call =
        Planned { tool: view.spec.name.clone(), arguments: known_arguments(&view, arguments), purpose: Purpose::About { list: false } };
    Some(Meaning::Calls(vec![call]))
}

/// `ask coder to …`, `让 coder …`.
fn handoff(part: &Part, tools: &Toolset<'_>) -> Option<Meaning> {
    let handoff = tools.handoff()?;
    let names = targets(&handoff);
    let raw = part.raw.trim_end_matches(['。']);
    let (firmly, name, task) = if let Some(captures) = HAND.find(raw) {
        let text = |at: usize| captures.get(at).map(|found| found.as_str());
        (text(2).is_some() || text(4).is_some(), text(3)?.to_owned(), text(5)?.to_owned())
    } else {
        let captures = HAND_HAN.find(raw)?;
        let text = |at: usize| captures.get(at).map(|found| found.as_str());
        (text(1).is_some(), text(2)?.to_owned(), text(3)?.to_owned())
    };
    let Some(agent) = names.iter().find(|known| folded(known) == folded(&name)) else {
        return firmly.then(|| Meaning::Say(Talk::NobodyThere(name, names.iter().map(|name| (*name).to_owned()).collect())));
    };
    let task = trim_task(&task);
    let mut arguments = Map::new();
    arguments.insert("agent".to_owned(), json!(agent));
    if !task.is_empty() {
        arguments.insert("task".to_owned(), json!({ "description": task }));
    }
    Some(settled(&handoff, vec![arguments]))
}

fn trim_task(task: &str) -> String {
    let trimmed = task.trim().trim_matches(['"', '“', '”', ':', '：', ',', '，']).trim();
    if trim_edges(trimmed).is_empty() { String::new() } else { trimmed.to_owned() }
}

/// The language of a message.
pub(super) fn language(text: &str) -> Lang {
    Lang::of(&Part::new(&task_words(text)))
}
