//! The tools of the in-process MCP server `tasks`: background tasks for models and for other MCP clients.
//!
//! Every call is answered in the envelope of the wire, bad arguments included: an error names the field (`data.field`) and
//! the way out. What a model puts beside `config` instead of into it is taken from there.

mod schema;
#[cfg(test)]
mod tests;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Map, Value, json};

use crate::ambient::ports::{Preview, Previewer};
use crate::ambient::service::{Made, TaskService};
use crate::ambient::spec::{Built, Request};
use crate::ambient::tools::wire::{Problem, Reply, envelope};
use crate::ambient::why::{schedule, told_to, told_to_exactly};
use crate::domain::event::Event;
use crate::domain::ids::ServerName;
use crate::domain::task::{ADMIN_USER, AgreedBy, DEFAULT_USER, KindConfig, Runs, TaskRow, TaskSpec, would_run};
use crate::domain::text::visible;
use crate::tools::Tool;
use crate::tools::local::{Definition, LocalTool};

/// The server of the task tools.
pub const TASKS: &str = "tasks";

/// How long a preview may take: it looks at real pages.
const PREVIEW_LIMIT: Duration = Duration::from_mins(1);

/// Events that a history tells where nobody says otherwise, and at most.
const HISTORY_EVENTS: (usize, usize) = (20, 200);

/// Due times that a preview tells.
const PREVIEW_TIMES: usize = 3;

/// What stands between a caller of these tools and a task that runs a program or calls a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// A person is shown each such call (see [`would_run`]) and says yes before it comes here.
    Person,
    /// Nobody: the task is made, and runs nothing before its owner agrees.
    Nobody,
}

impl Asks {
    /// Where a person agreed to what this very call names.
    fn word(self, tool: &str, arguments: &Arguments) -> Option<AgreedBy> {
        (self == Self::Person && would_run(TASKS, tool, arguments)).then_some(AgreedBy::Answer)
    }
}

type Arguments = Map<String, Value>;
type Handled = BoxFuture<'static, Result<Reply, Problem>>;

/// The tools, as `tools::local::catalog` gives those of a server. Without a previewer, `preview_background_task` tells
/// only when the task would be due. `asks` says whether a call that would have a task run something was shown to a person.
#[expect(clippy::needless_pass_by_value, reason = "the tools keep it")]
pub fn catalog(service: &TaskService, previewer: Option<Arc<dyn Previewer>>, asks: Asks) -> (ServerName, Vec<Arc<dyn Tool>>) {
    let of = |definition: &Definition, parameters: Arguments, handle: fn(TaskService, Arguments) -> Handled| {
        tool(service, definition, parameters, handle)
    };
    let making = |definition: &Definition, parameters: Arguments, handle: fn(TaskService, Arguments, Option<AgreedBy>) -> Handled| {
        let name = definition.name;
        tool(service, definition, parameters, move |service, arguments| {
            let by = asks.word(name, &arguments);
            handle(service, arguments, by)
        })
    };
    let with_consent = |tool: LocalTool, consent: fn(TaskService, Arguments) -> BoxFuture<'static, Option<String>>| {
        let service = service.clone();
        tool.preview(move |arguments: Arguments| consent(service.clone(), arguments))
    };
    let mut preview = {
        let previewer = previewer.clone();
        tool(service, &schema::PREVIEW, schema::preview(), move |service, arguments| {
            let previewer = previewer.clone();
            async move { try_out(&service, previewer.as_deref(), arguments).await }.boxed()
        })
    };
    preview.limit_time(PREVIEW_LIMIT);
    let tools = vec![
        with_consent(
            making(&schema::CREATE, schema::create(), |service, arguments, by| create(service, arguments, by).boxed()),
            |service, arguments| async move { consent_to_create(&service, arguments) }.boxed(),
        ),
        of(&schema::LIST, schema::user(), |service, arguments| list(service, arguments).boxed()),
        of(&schema::PAUSE, schema::which(), |service, arguments| pause(service, arguments).boxed()),
        of(&schema::RESUME, schema::which(), |service, arguments| resume(service, arguments).boxed()),
        of(&schema::DELETE, schema::which(), |service, arguments| delete(service, arguments).boxed()),
        of(&schema::RUN, schema::which(), |service, arguments| run(service, arguments).boxed()),
        preview,
        of(&schema::HISTORY, schema::history(HISTORY_EVENTS.0, HISTORY_EVENTS.1), |service, arguments| history(service, arguments).boxed()),
        with_consent(
            making(&schema::UPDATE, schema::update(), |service, arguments, by| update(service, arguments, by).boxed()),
            |service, arguments| consent_to_update(service, arguments).boxed(),
        ),
        of(&schema::STATUS, schema::nothing(), |service, _| status(service).boxed()),
    ];
    (ServerName::new(TASKS), tools.into_iter().map(|tool| Arc::new(tool) as Arc<dyn Tool>).collect())
}

fn tool<F>(service: &TaskService, definition: &Definition, parameters: Arguments, handle: F) -> LocalTool
where
    F: Fn(TaskService, Arguments) -> Handled + Send + Sync + 'static,
{
    let (service, action) = (service.clone(), definition.name);
    LocalTool::with_schema(definition, parameters, move |arguments: Arguments, _context| {
        let handled = handle(service.clone(), arguments);
        let service = service.clone();
        async move { Ok(envelope(action, handled.await, service.now())) }
    })
}

async fn create(service: TaskService, arguments: Arguments, by: Option<AgreedBy>) -> Result<Reply, Problem> {
    let (request, notes) = request(arguments)?;
    let Made { row, warnings } = service.create_agreed(&request, by).await?;
    let running = service.is_running().await.unwrap_or(false);
    let mut message = format!("created: {}", summary(&row, &service));
    if !running {
        message.push_str("; nothing runs the tasks right now, it starts when wakeful does");
    }
    Ok(Reply { data: with_warnings(wire::task(&row, &service), notes.into_iter().chain(warnings)), message: Some(message) })
}

async fn list(service: TaskService, arguments: Arguments) -> Result<Reply, Problem> {
    let rows = service.list(&user(&arguments)?).await?;
    let tasks: Vec<Value> = rows.iter().map(|row| wire::task(row, &service)).collect();
    let message = match tasks.len() {
        0 => "no background tasks yet".to_owned(),
        1 => "1 background task".to_owned(),
        count => format!("{count} background tasks"),
    };
    Ok(Reply { data: json!({"total": tasks.len(), "tasks": tasks}), message: Some(message) })
}

async fn pause(service: TaskService, arguments: Arguments) -> Result<Reply, Problem> {
    let row = service.pause(&which(&arguments)?, &user(&arguments)?).await?;
    Ok(Reply { data: wire::task(&row, &service), message: Some(format!("paused: {}", row.spec.description)) })
}

async fn resume(service: TaskService, arguments: Arguments) -> Result<Reply, Problem> {
    let row = service.resume(&which(&arguments)?, &user(&arguments)?).await?;
    Ok(Reply { data: wire::task(&row, &service), message: Some(format!("resumed: {}", summary(&row, &service))) })
}

async fn delete(service: TaskService, arguments: Arguments) -> Result<Reply, Problem> {
    let row = service.delete(&which(&arguments)?, &user(&arguments)?).await?;
    let data = json!({"task_id": row.spec.task_id, "task_type": row.spec.kind.kind(), "description": row.spec.description});
    Ok(Reply { data, message: Some(format!("deleted: {}", row.spec.description)) })
}

async fn run(service: TaskService, arguments: Arguments) -> Result<Reply, Problem> {
    let row = service.run_now(&which(&arguments)?, &user(&arguments)?).await?;
    let message = if service.is_running().await? {
        format!("asked for a run now: {}", row.spec.description)
    } else {
        format!("asked for a run: {}; nothing runs the tasks right now, it runs when wakeful does", row.spec.description)
    };
    Ok(Reply { data: wire::task(&row, &service), message: Some(message) })
}

async fn history(service: TaskService, arguments: Arguments) -> Result<Reply, Problem> {
    let limit = match arguments.get("limit") {
        None | Some(Value::Null) => HISTORY_EVENTS.0,
        Some(limit) => {
            let wrong = || Problem::of_field("limit", format!("`limit`: {limit} is no number of events; give 1 to {}", HISTORY_EVENTS.1));
            let limit = limit.as_u64().and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0).ok_or_else(wrong)?;
            limit.min(HISTORY_EVENTS.1)
        }
    };
    let (row, events) = service.history(&which(&arguments)?, &user(&arguments)?, limit).await?;
    let why = service.detail(&row.spec.task_id).await?.why;
    let events: Vec<&Event> = events.iter().map(Arc::as_ref).collect();
    Ok(Reply { data: json!({"task": wire::task(&row, &service), "why": why, "events": events}), message: None })
}

async fn update(service: TaskService, arguments: Arguments, by: Option<AgreedBy>) -> Result<Reply, Problem> {
    let (task, user) = (which(&arguments)?, user(&arguments)?);
    let (changes, notes) = changes(arguments)?;
    let Made { row, warnings } = service.update_agreed(&task, &user, &changes, by).await?;
    let message = Some(format!("changed: {}", summary(&row, &service)));
    Ok(Reply { data: with_warnings(wire::task(&row, &service), notes.into_iter().chain(warnings)), message })
}

async fn status(service: TaskService) -> Result<Reply, Problem> {
    let status = service.status(ADMIN_USER).await?;
    Ok(Reply { data: wire::status(&status), message: None })
}

async fn try_out(service: &TaskService, previewer: Option<&dyn Previewer>, arguments: Arguments) -> Result<Reply, Problem> {
    let (spec, notes) = if text(&arguments, "task_id")?.is_some() {
        let row = service.find(&which(&arguments)?, &user(&arguments)?).await?;
        (row.spec, Vec::new())
    } else {
        let (request, mut notes) = request(arguments)?;
        let Built { spec, warnings, .. } = service.check(&request)?;
        notes.extend(warnings);
        (spec, notes)
    };
    let (preview, lines) = preview(service, previewer, spec.clone()).await?;
    let next: Vec<String> = service.next_times(&spec, PREVIEW_TIMES)?.iter().map(ToString::to_string).collect();
    let mut data = json!({
        "task_type": spec.kind.kind(),
        "description": spec.description,
        "schedule": schedule::words(&spec, service.zone()),
        "tells": told_to(spec.kind.common().notification.as_ref()),
        "next_checks": next,
        "lines": lines,
    });
    if let (Some(data), Some(preview)) = (data.as_object_mut(), preview) {
        data.extend(preview.would_have_fired.map(|(told, of)| ("would_have_fired".to_owned(), json!({"times": told, "of": of}))));
        data.extend(preview.sample.map(|sample| ("sample".to_owned(), sample.into())));
    }
    Ok(Reply { data: with_warnings(data, notes), message: None })
}

/// What a task would do, in lines; what the previewer found beside, where there is one.
///
/// # Errors
/// When the task's subject cannot be looked at, or it cannot be planned.
async fn preview(
    service: &TaskService,
    previewer: Option<&dyn Previewer>,
    spec: TaskSpec,
) -> Result<(Option<Preview>, Vec<String>), Problem> {
    let mut lines = preview_lines(service, &spec)?;
    let Some(previewer) = previewer else {
        lines.push("what it would find cannot be tried out here, only when it is due".to_owned());
        return Ok((None, lines));
    };
    let preview = previewer.preview(spec).await.map_err(|message| Problem { field: None, code: None, message })?;
    lines.extend(preview.lines.iter().chain(&preview.troubles).cloned());
    lines.extend(preview.would_have_fired.map(|(told, of)| format!("would have told you {told} of the last {of} times")));
    Ok((Some(preview), lines))
}

/// When a task of this spec would be due and whom it would tell.
///
/// # Errors
/// When it cannot be planned.
pub fn preview_lines(service: &TaskService, spec: &TaskSpec) -> Result<Vec<String>, crate::ambient::service::Error> {
    let zone = schedule::zone(spec, service.zone());
    let times: Vec<String> = service.next_times(spec, PREVIEW_TIMES)?.into_iter().map(|at| schedule::moment(at, &zone)).collect();
    let next = if times.is_empty() { "never: its time has passed".to_owned() } else { times.join(", ") };
    Ok(vec![
        format!("due: {}", schedule::words(spec, service.zone())),
        format!("next: {next}"),
        format!("tells: {}", told_to(spec.kind.common().notification.as_ref())),
    ])
}

/// What the question for consent shows before a task is made.
fn consent_to_create(service: &TaskService, arguments: Arguments) -> Option<String> {
    let (request, _) = request(arguments).ok()?;
    let spec = service.check(&request).ok()?.spec;
    let text = consent(service, &spec);
    if service.looks_at_once(&spec).unwrap_or(false) {
        return Some(text.replacen("\nnext: ", "\nnext: at once, to have something to compare with; then ", 1));
    }
    Some(text)
}

/// What the question for consent shows before a task is changed: the task as it would be.
async fn consent_to_update(service: TaskService, arguments: Arguments) -> Option<String> {
    let (task, user) = (which(&arguments).ok()?, user(&arguments).ok()?);
    let (changes, _) = changes(arguments).ok()?;
    let Built { spec, .. } = service.check_update(&task, &user, &changes).await.ok()?;
    Some(consent(&service, &spec))
}

fn consent(service: &TaskService, spec: &TaskSpec) -> String {
    let mut lines = vec![format!("{}: {}", spec.kind.kind().as_str(), spec.description)];
    lines.extend(preview_lines(service, spec).unwrap_or_default());
    // Whoever agrees has to know exactly whom it will tell.
    let whole = told_to_exactly(spec.kind.common().notification.as_ref());
    lines.iter_mut().filter(|line| line.starts_with("tells: ")).for_each(|line| *line = format!("tells: {whole}"));
    match &spec.kind {
        KindConfig::WebMonitor(config) => lines.push(format!("looks at: {}", config.urls.join(", "))),
        KindConfig::NewsDigest(config) => lines.push(format!("looks at: {}", config.news_urls.join(", "))),
        KindConfig::Schedule(config) => {
            lines.extend(config.action.as_ref().map(|action| format!("the agent does, with nobody there: {action}")));
        }
        KindConfig::ThresholdWatch(config) => lines.extend(config.source.iter().flat_map(|source| {
            let url = source.url.as_ref().map(|url| format!("looks at: {url}"));
            url.into_iter().chain(source.runs().map(|runs| runs_line(&runs)))
        })),
    }
    lines.extend(spec.callback_url.as_ref().map(|url| format!("posts its events to: {url}")));
    visible(&lines.join("\n")).into_owned()
}

/// All that a person has to know of what a task runs: whole, whatever its length.
fn runs_line(runs: &Runs) -> String {
    let place = match runs {
        Runs::Command { .. } => "on this machine",
        Runs::Tool { .. } => "with no question again",
    };
    format!("each time, {place}, it {runs}")
}

/// One line about a task: what, when, whom it tells.
fn summary(row: &TaskRow, service: &TaskService) -> String {
    let spec = &row.spec;
    let next = row.work.as_ref().and_then(|work| work.wake).map(|wake| {
        let zone = schedule::zone(spec, service.zone());
        format!(", next {}", schedule::moment(wake, &zone))
    });
    let tells = told_to(spec.kind.common().notification.as_ref());
    let when = schedule::words(spec, service.zone());
    format!("`{}`: {}; {when}{}, tells {tells}", spec.task_id, spec.description, next.unwrap_or_default())
}

/// The request in the arguments of a call, and notes about how it was read.
fn request(arguments: Arguments) -> Result<(Request, Vec<String>), Problem> {
    let (task_type, description) = (text(&arguments, "task_type")?, text(&arguments, "description")?);
    let (callback_url, user_id) = (text(&arguments, "callback_url")?, text(&arguments, "user_id")?);
    let known = |name: &str| schema::MAKING.contains(&name) || name == "task_id";
    let (config, notes) = gathered(arguments, known);
    let config = config.unwrap_or(Value::Null);
    Ok((
        Request { task_type: task_type.unwrap_or_default(), description: description.unwrap_or_default(), config, callback_url, user_id },
        notes,
    ))
}

/// The changes in the arguments of a call, and notes about how they were read.
fn changes(arguments: Arguments) -> Result<(Map<String, Value>, Vec<String>), Problem> {
    let mut changes = Map::new();
    for name in ["description", "callback_url"] {
        changes.extend(text(&arguments, name)?.map(|text| (name.to_owned(), text.into())));
    }
    let (config, notes) = gathered(arguments, |name| schema::CHANGING.contains(&name));
    changes.extend(config.map(|config| ("config".to_owned(), config)));
    if changes.is_empty() {
        let message = "`config`: nothing to change was given; give the keys of `config` that change, a `description` or a `callback_url`";
        return Err(Problem::of_field("config", message));
    }
    Ok((changes, notes))
}

/// The config, with what stands beside it by mistake.
fn gathered(mut arguments: Arguments, known: impl Fn(&str) -> bool) -> (Option<Value>, Vec<String>) {
    let config = arguments.remove("config").filter(|config| !config.is_null());
    let strays: Vec<(String, Value)> = arguments.into_iter().filter(|(name, _)| !known(name)).collect();
    if strays.is_empty() {
        return (config, Vec::new());
    }
    let mut object = match config {
        None => Map::new(),
        Some(Value::Object(object)) => object,
        // Text that holds JSON: whoever reads it says what is wrong with it; nothing is mixed into it.
        Some(other) => {
            let notes = strays.into_iter().map(|(name, _)| format!("`{name}` belongs into `config` and was passed over")).collect();
            return (Some(other), notes);
        }
    };
    let mut notes = Vec::new();
    for (name, value) in strays {
        notes.push(format!("`{name}` belongs into `config` and was taken as part of it"));
        object.entry(name).or_insert(value);
    }
    (Some(Value::Object(object)), notes)
}

fn with_warnings(mut data: Value, warnings: impl IntoIterator<Item = String>) -> Value {
    let warnings: Vec<Value> = warnings.into_iter().map(Value::from).collect();
    if let (Some(data), false) = (data.as_object_mut(), warnings.is_empty()) {
        data.insert("warnings".to_owned(), Value::Array(warnings));
    }
    data
}

fn which(arguments: &Arguments) -> Result<String, Problem> {
    let missing = || {
        let message = "`task_id`: missing; give the task's id, the start of it or its exact description (list_background_tasks shows them)";
        Problem::of_field("task_id", message)
    };
    text(arguments, "task_id")?.filter(|task| !task.trim().is_empty()).ok_or_else(missing)
}

fn user(arguments: &Arguments) -> Result<String, Problem> {
    let user = text(arguments, "user_id")?.filter(|user| !user.trim().is_empty());
    Ok(user.unwrap_or_else(|| DEFAULT_USER.to_owned()))
}

fn text(arguments: &Arguments, name: &str) -> Result<Option<String>, Problem> {
    match arguments.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => {
            let kind = match other {
                Value::Array(_) => "a list",
                Value::Object(_) => "an object",
                Value::Bool(_) => "true or false",
                _ => "a number",
            };
            Err(Problem::of_field(name, format!("`{name}`: {kind} was given; give text")))
        }
    }
}
