//! `wakeful sessions`: list, search, show, export.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::agent::export;
use crate::app::queries::find_session;
use crate::cli::Base;
use crate::cli::args::{ExportFormat, SessionsArgs, SessionsCommand};
use crate::cli::output::{self, Exit, Outcome};
use crate::domain::event::Event;
use crate::domain::query::EventReader;
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
            let text = match format {
                ExportFormat::Markdown => export::markdown(&events),
                ExportFormat::Json => serde_json::to_string_pretty(&export::json(&events))? + "\n",
            };
            match path {
                Some(path) => {
                    crate::config::edit::write(&path, &text)?;
                    output::note(format_args!("written: {}", path.display()));
                }
                None => output::raw(text)?,
            }
        }
    }
    log.shutdown().await;
    Ok(Exit::Done)
}
