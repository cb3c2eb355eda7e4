//! `wakeful memory`: what is remembered across sessions.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use serde_json::json;

use crate::ambient::why::schedule;
use crate::app;
use crate::cli::Base;
use crate::cli::args::memory::{MemoryArgs, MemoryVerb};
use crate::cli::output::{self, Exit, Outcome, Stop};
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::memory::{Memory, MemoryFilter, MemoryKind, MemorySource};
use crate::domain::text::{clean_line, with_causes};
use crate::memory::transfer::Imported;
use crate::memory::{Error, MemoryService, NewMemory, of, short, space_problem, told};
use crate::net;
use crate::store::memory::Changed;

/// The widest column of a list, in characters.
const COLUMN_CHARS_MAX: usize = 90;

/// The longest text that is read from standard input, in bytes; an import may be as long as it likes.
const INPUT_BYTES_MAX: u64 = 64 * 1_024;

pub(super) async fn run(base: &Base, args: MemoryArgs) -> Outcome {
    let service = open(base, args.space.as_deref())?;
    let outcome = act(&service, args).await;
    service.shutdown().await;
    outcome
}

/// The memories alone: no log and no server is opened for them.
fn open(base: &Base, space: Option<&str>) -> Result<MemoryService, Stop> {
    let mut settings = base.load()?.settings;
    if let Some(space) = space {
        if let Some(problem) = space_problem(space) {
            return Err(Stop::Usage(format!("--space: {problem}")));
        }
        space.clone_into(&mut settings.memory.space);
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let net = net::Client::new(settings.net.clone());
    let (catalog, _) = app::models::catalog(&settings, &net, &clock, &base.environment)?;
    let (service, warning) = app::memory::service(&settings, &base.paths, &catalog, &clock);
    if let Some(warning) = warning {
        output::note(format_args!("wakeful: {warning}"));
    }
    Ok(service)
}

async fn act(service: &MemoryService, args: MemoryArgs) -> Outcome {
    let json = args.json;
    let list = MemoryVerb::List { kind: None, tag: Vec::new(), limit: 50, offset: 0 };
    match args.command.unwrap_or(list) {
        MemoryVerb::List { kind, tag, limit, offset } => {
            let filter = MemoryFilter { query: String::new(), kind: read_kind(kind.as_deref())?, tags: tag, limit: Some(limit), offset };
            let page = service.page(filter).await.map_err(stop)?;
            if json {
                output::json(&page)?;
                return Ok(Exit::Done);
            }
            if page.memories.is_empty() {
                output::note("nothing is remembered yet: `wakeful memory add TEXT` remembers something");
                return Ok(Exit::Done);
            }
            table(&page.memories, false)?;
            let left = usize::try_from(page.total).unwrap_or(usize::MAX).saturating_sub(offset + page.memories.len());
            if left > 0 {
                output::note(format_args!("{left} more: --limit and --offset show them"));
            }
        }
        MemoryVerb::Search { query, kind, tag, limit } => {
            let query = query.join(" ");
            let filter = MemoryFilter { query, kind: read_kind(kind.as_deref())?, tags: tag, limit: Some(limit), offset: 0 };
            let page = service.search(filter).await.map_err(stop)?;
            if json {
                output::json(&page)?;
            } else if page.memories.is_empty() {
                output::note("no memory fits");
            } else {
                table(&page.memories, true)?;
            }
        }
        MemoryVerb::Add { text, kind, tag, force } => {
            let content = if text == ["-"] { piped()? } else { text.join(" ") };
            let kind = read_kind(kind.as_deref())?;
            let new = NewMemory { memory_id: None, content, kind, tags: tag, source: MemorySource::User, force };
            let put = service.remember(new).await.map_err(|error| {
                let secret = matches!(error, Error::Secret(_));
                let Stop::Failed(error) = stop(error) else { return Stop::Usage(String::new()) };
                Stop::Failed(if secret { error.context("nothing was remembered") } else { error })
            })?;
            said(json, of(&put), &told(&put))?;
        }
        MemoryVerb::Edit { memory, content, kind, tag, force } => {
            let tags = tag.map(|tags| tags.into_iter().filter(|tag| !tag.is_empty()).collect());
            let changed = Changed { content, kind: read_kind(kind.as_deref())?, tags };
            if changed == Changed::default() {
                return Err(Stop::Usage("nothing to change: give --content, --kind or --tag".to_owned()));
            }
            let memory = service.update(&memory, changed, force).await.map_err(stop)?;
            said(json, &memory, &format!("changed: {} {}", short(&memory.memory_id), clean_line(&memory.content)))?;
        }
        MemoryVerb::Forget { which } => {
            let memory = service.forget(&which.join(" ")).await.map_err(stop)?;
            said(json, &memory, &format!("forgotten: {} {}", short(&memory.memory_id), clean_line(&memory.content)))?;
        }
        MemoryVerb::Export { output: file, kind } => export(service, file.as_deref(), read_kind(kind.as_deref())?).await?,
        MemoryVerb::Import { file, force } => return import(service, &file, force, json).await,
        MemoryVerb::Status => status(service, json).await?,
    }
    Ok(Exit::Done)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` asks for")]
fn stop(error: Error) -> Stop {
    Stop::Failed(anyhow::Error::msg(with_causes(&error)))
}

fn read_kind(kind: Option<&str>) -> Result<Option<MemoryKind>, Stop> {
    kind.map(|kind| kind.parse().map_err(|problem| Stop::Usage(format!("--kind: {problem}")))).transpose()
}

fn piped() -> Result<String, Stop> {
    let mut text = String::new();
    std::io::stdin().take(INPUT_BYTES_MAX).read_to_string(&mut text).context("could not read standard input")?;
    Ok(text)
}

fn said(json: bool, memory: &Memory, line: &str) -> Result<(), Stop> {
    if json { output::json(memory) } else { Ok(output::line(line)?) }
}

fn table(memories: &[Memory], scores: bool) -> Result<(), Stop> {
    let now = SystemClock.now();
    let mut head = vec!["id", "kind", "changed", "memory", "tags"];
    if scores {
        head.insert(1, "fits");
    }
    let mut rows = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    rows.extend(memories.iter().map(|memory| {
        let mut row = vec![
            short(&memory.memory_id).to_owned(),
            memory.kind.as_str().to_owned(),
            schedule::distance(memory.updated, now),
            clean_line(&memory.content),
            memory.tags.iter().map(|tag| format!("#{}", clean_line(tag))).collect::<Vec<_>>().join(" "),
        ];
        if scores {
            row.insert(1, format!("{:.2}", memory.score.unwrap_or(0.0)));
        }
        row
    }));
    Ok(output::raw(output::table(&rows, COLUMN_CHARS_MAX))?)
}

async fn export(service: &MemoryService, file: Option<&Path>, kind: Option<MemoryKind>) -> Result<(), Stop> {
    let mut target: Box<dyn Write + Send> = match file {
        Some(path) => Box::new(std::fs::File::create(path).with_context(|| format!("could not write `{}`", path.display()))?),
        None => Box::new(std::io::stdout()),
    };
    let mut offset = 0;
    loop {
        let (lines, count) = service.export_part(kind, offset).await.map_err(stop)?;
        if count == 0 {
            break;
        }
        target.write_all(lines.as_bytes())?;
        offset += count;
    }
    target.flush()?;
    if let Some(path) = file {
        output::note(format_args!("{offset} memories written to {}", path.display()));
    }
    Ok(())
}

async fn import(service: &MemoryService, file: &Path, force: bool, json: bool) -> Outcome {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("could not read standard input")?;
        text
    } else {
        std::fs::read_to_string(file).with_context(|| format!("could not read `{}`", file.display()))?
    };
    let Imported { new, known, joined, problems, refused } = service.import(&text, force).await.map_err(stop)?;
    if json {
        let problems: Vec<_> = problems.iter().map(|(line, problem)| json!({"line": line, "problem": problem})).collect();
        output::json(&json!({"new": new, "known": known, "joined": joined, "refused": refused, "problems": problems}))?;
    } else {
        output::line(format_args!("{new} new, {known} known already ({joined} of them got new tags), {refused} passed over"))?;
        for (line, problem) in &problems {
            output::note(format_args!("line {line}: {}", clean_line(problem)));
        }
        if refused > problems.len() {
            output::note(format_args!("… and {} more lines", refused - problems.len()));
        }
    }
    Ok(if refused > 0 { Exit::Failed } else { Exit::Done })
}

async fn status(service: &MemoryService, json: bool) -> Result<(), Stop> {
    let status = service.status().await.map_err(stop)?;
    if json {
        return output::json(&status);
    }
    output::line(format_args!("space:    {}", status.space))?;
    let kinds: Vec<String> = status.kinds.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    output::line(format_args!("memories: {}{kinds}", status.total))?;
    let size = if service.store().exists() { format!("{} kB", status.file_bytes.div_ceil(1_000)) } else { "not made yet".to_owned() };
    output::line(format_args!("file:     {} ({size})", status.file))?;
    output::line(format_args!("recall:   {}", if status.recall { "on" } else { "off (`memory.recall = false`)" }))?;
    match status.vectors {
        None => output::line("vectors:  none (`memory.embeddings` names no model): memories are found by their words")?,
        Some(vectors) => {
            let numbers = if vectors.dimensions > 0 { format!(", {} numbers each", vectors.dimensions) } else { String::new() };
            output::line(format_args!("vectors:  {} of {} by {}{numbers}", vectors.done, vectors.total, vectors.model))?;
            if let Some(problem) = vectors.problem {
                output::line(format_args!("          {}", clean_line(&problem)))?;
            }
        }
    }
    Ok(())
}
