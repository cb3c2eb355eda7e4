//! Where numbers come from: a page or API, a tool of an MCP server, a program, a metric of the config.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;

use crate::ambient::finding::Fault;
use crate::ambient::probe::{Probes, plain, read_number};
use crate::domain::ids::CallId;
use crate::domain::task::{Agreement, Runs, Source, ThresholdWatch, WebMonitor};
use crate::domain::text::{clean_line, ellipsis};
use crate::net::fetch::{Accept, Request};
use crate::tools::CallContext;
use crate::web::page::{self, Rules};

/// The longest that a program may run.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest command or call that a fault shows, in characters.
const SHOWN_CHARS_MAX: usize = 120;

/// What is read of a program's output, in bytes.
const OUTPUT_BYTES_MAX: u64 = 1 << 20;

/// Reads the number that `config` watches; what that runs or calls must be what `agreed` says, word for word. A metric of
/// the config is its owner's own word.
pub(super) async fn number(probes: &Probes, config: &ThresholdWatch, agreed: Option<&Agreement>) -> Result<f64, Fault> {
    if let Some(runs) = config.source.as_ref().and_then(Source::runs) {
        check(&runs, agreed)?;
    }
    let source = match &config.source {
        Some(source) => source.clone(),
        None => probes.metrics.get(&config.metric).cloned().ok_or_else(|| {
            let known: Vec<_> = probes.metrics.keys().map(String::as_str).collect();
            Fault::new(format!(
                "no source is known for `{}`: give the task a `source` (`url` with `json_pointer`, `css` or `regex`), or add `[metrics.{}]` to the config; known: {}",
                config.metric,
                config.metric,
                known.join(", ")
            ))
        })?,
    };
    let text = if let Some(url) = &source.url {
        from_url(probes, &source, url).await?
    } else if let (Some(server), Some(tool)) = (&source.server, &source.tool) {
        from_tool(probes, &source, server, tool).await?
    } else if !source.command.is_empty() {
        point(&from_command(&source.command).await?, &source)?
    } else {
        return Err(Fault::new("the source names no `url`, no `server` with a `tool`, and no `command`"));
    };
    let text = pick(&text, source.regex.as_deref())?;
    read_number(&text, source.decimal).map_err(Fault::new)
}

/// Refuses what nobody agreed to.
fn check(runs: &Runs, agreed: Option<&Agreement>) -> Result<(), Fault> {
    let hint = "`wakeful tasks agree TASK` shows it and agrees";
    let now = ellipsis(&clean_line(&runs.to_string()), SHOWN_CHARS_MAX).into_owned();
    match agreed {
        Some(agreed) if agreed.runs == *runs => Ok(()),
        Some(agreed) => {
            let then = ellipsis(&clean_line(&agreed.runs.to_string()), SHOWN_CHARS_MAX).into_owned();
            Err(Fault::new(format!("not run: agreed was that it {then}, now it {now}; {hint}")))
        }
        None => Err(Fault::new(format!("not run: it {now}, and nobody agreed to that; {hint}"))),
    }
}

async fn from_url(probes: &Probes, source: &Source, url: &str) -> Result<String, Fault> {
    let accept = if source.json_pointer.is_some() { Accept::Json } else { Accept::Any };
    let fetched = probes.fetcher.get(Request { accept, ..Request::new(url) }).await?;
    if source.json_pointer.is_some() {
        return point(&String::from_utf8_lossy(&fetched.body), source);
    }
    if source.css.is_none() && source.regex.is_some() {
        return Ok(String::from_utf8_lossy(&fetched.body).into_owned());
    }
    let config = WebMonitor { selector: source.css.clone(), ..plain(url) };
    let rules = Rules::new(&config).map_err(|error| Fault::new(error.to_string()))?;
    let (body, content_type, at) = (fetched.body.clone(), fetched.content_type.clone(), fetched.url.clone());
    let text =
        tokio::task::spawn_blocking(move || page::read(&body, content_type.as_deref(), &at, &rules).map(|reading| reading.text())).await;
    match text {
        Ok(text) => text.map_err(|fault| Fault::new(fault.to_string())),
        Err(_) => Err(Fault::new("the page could not be read because of a fault of the reader; the log has the details")),
    }
}

async fn from_tool(probes: &Probes, source: &Source, server: &str, tool: &str) -> Result<String, Fault> {
    let tools = probes.tools.tools();
    let found = tools.iter().find(|known| known.info().server.as_str() == server && known.info().tool == tool);
    let found = found
        .ok_or_else(|| Fault::new(format!("the server `{server}` has no tool `{tool}` now: `wakeful mcp list` shows what there is")))?;
    let context = CallContext { call_id: CallId::generate(), session: None, cancel: CancellationToken::new() };
    let outcome = found.call(source.arguments.clone(), context).await.map_err(|error| Fault::new(format!("{server}: {tool}: {error}")))?;
    if outcome.is_error {
        return Err(Fault::new(format!("{server}: {tool}: {}", ellipsis(&clean_line(&outcome.text), 200))));
    }
    match (&source.json_pointer, outcome.structured) {
        (Some(_), Some(structured)) => point(&structured.to_string(), source),
        (Some(_), None) => point(&outcome.text, source),
        (None, _) => Ok(outcome.text),
    }
}

/// Runs a program without a shell, with a cleared environment.
async fn from_command(command: &[String]) -> Result<String, Fault> {
    let Some((program, arguments)) = command.split_first() else { return Err(Fault::new("the command is empty")) };
    let failed = |error: std::io::Error| Fault::new(format!("`{program}` could not be run: {error}"));
    let mut child = tokio::process::Command::new(program);
    child.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    for name in ["PATH", "HOME", "LANG", "TZ"] {
        if let Some(value) = std::env::var_os(name) {
            child.env(name, value);
        }
    }
    let mut child = child.spawn().map_err(failed)?;
    let mut output = Vec::new();
    let run = async {
        if let Some(stdout) = child.stdout.take() {
            stdout.take(OUTPUT_BYTES_MAX).read_to_end(&mut output).await?;
        }
        child.wait().await
    };
    let status = match tokio::time::timeout(COMMAND_TIMEOUT, run).await {
        Ok(status) => status.map_err(failed)?,
        Err(_) => return Err(Fault::new(format!("`{program}` took longer than {} s and was stopped", COMMAND_TIMEOUT.as_secs()))),
    };
    if !status.success() {
        return Err(Fault::new(format!(
            "`{program}` failed ({status}); run it in a terminal to see why: here it has PATH, HOME, LANG and TZ only"
        )));
    }
    Ok(String::from_utf8_lossy(&output).into_owned())
}

/// What the JSON pointer of `source` points at, where there is one.
fn point(text: &str, source: &Source) -> Result<String, Fault> {
    let Some(pointer) = &source.json_pointer else { return Ok(text.to_owned()) };
    let value: Value = serde_json::from_str(text.trim()).map_err(|error| Fault::new(format!("the answer is not valid JSON: {error}")))?;
    match value.pointer(pointer) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        Some(_) => Err(Fault::new(format!("`json_pointer` `{pointer}` points at no number"))),
        None => Err(Fault::new(format!("`json_pointer` `{pointer}` finds nothing in the answer: look at it and correct the pointer"))),
    }
}

/// The first group of the expression, or its whole match.
fn pick(text: &str, expression: Option<&str>) -> Result<String, Fault> {
    let Some(expression) = expression else { return Ok(text.to_owned()) };
    let regex = regex::Regex::new(expression).map_err(|error| Fault::new(format!("`regex` is no regular expression: {error}")))?;
    let found = regex.captures(text).and_then(|groups| groups.get(1).or_else(|| groups.get(0)));
    found.map(|found| found.as_str().to_owned()).ok_or_else(|| Fault::new(format!("`regex` `{expression}` finds nothing in the answer")))
}
