//! `wakeful sessions`: list, search, show, export.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use jiff::tz::TimeZone;

use crate::agent::export;
use crate::app::queries::find_session;
use crate::cli::Base;
use crate::cli::args::{ExportFormat, SessionsArgs, SessionsCommand};
use crate::cli::output::{self, Exit, Outcome};
use crate::domain::event::Event;
use crate::domain::query::{self, EventReader};
use crate::domain::text::{clean, clean_line};

/// The widest column of the list, in characters.
const COLUMN_CHARS_MAX: usize = 60;

pub(super) async fn run(base: &Base, args: SessionsArgs) -> Outcome {
    let log = base.log().await?;
    match args.command {
        None => {
            let sessions = log.sessions(args.search, args.limit).await?;
            if args.json {
                output::json(&sessions)?;
            } else if sessions.is_empty() {
                output::note("no sessions yet: start `wakeful` and say something");
            } else {
                let zone = TimeZone::system();
                let mut rows = vec![["id", "updated", "prompts", "model", "title"].map(str::to_owned).to_vec()];
                rows.extend(sessions.iter().map(|session| {
                    let updated = session.updated.timestamp().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
                    vec![session.id.to_string(), updated, session.prompts.to_string(), session.model.clone(), clean_line(&session.title)]
                }));
                output::raw(output::table(&rows, COLUMN_CHARS_MAX))?;
            }
        }
        Some(SessionsCommand::Show { session }) => {
            let session = find_session(&log, &session).await?;
            let events = log.session_events(session).await?;
            if args.json {
                output::json(&events.iter().map(Arc::as_ref).collect::<Vec<&Event>>())?;
            } else {
                output::line(clean(&export::markdown(&events)))?;
            }
        }
        Some(SessionsCommand::Export { session, format, output: path }) => {
            let session = find_session(&log, &session).await?;
            let events = log.session_events(session).await?;
            let text = export::document(&events, format_of(format, path.as_deref())?)?;
            match path {
                Some(path) => {
                    create(&path, &text)?;
                    output::note(format_args!("written: {}", path.display()));
                }
                None => output::raw(text)?,
            }
        }
    }
    log.shutdown().await;
    Ok(Exit::Done)
}

/// The format that is asked for, by name or by the end of the file's name.
fn format_of(wanted: Option<ExportFormat>, path: Option<&Path>) -> anyhow::Result<query::ExportFormat> {
    if let Some(wanted) = wanted {
        return Ok(match wanted {
            ExportFormat::Markdown => query::ExportFormat::Markdown,
            ExportFormat::Json => query::ExportFormat::Json,
            ExportFormat::Html => query::ExportFormat::Html,
        });
    }
    let Some(extension) = path.and_then(Path::extension).and_then(|extension| extension.to_str()) else {
        return Ok(query::ExportFormat::Markdown);
    };
    query::ExportFormat::parse(extension)
        .with_context(|| format!("files that end in `.{extension}` say no format: give --format md, json or html"))
}

/// Writes a file that does not exist yet.
fn create(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = File::create_new(path).and_then(|mut file| file.write_all(text.as_bytes()));
    match written {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("`{}` exists and is left as it is: give another name, or move it away first", path.display())
        }
        other => other.with_context(|| format!("could not write `{}`", path.display())),
    }
}
