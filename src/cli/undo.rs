//! `wakeful undo`: takes back what tools changed in files.

use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;

use anyhow::Context;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::app::queries::find_session;
use crate::cli::Base;
use crate::cli::args::UndoArgs;
use crate::cli::output::{self, Exit, Outcome, Stop};
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::ids::{CallId, SessionId};
use crate::domain::undo::UndoRow;
use crate::tools::local::{self, Journal};

/// The widest column of the list, in characters.
const COLUMN_CHARS_MAX: usize = 70;

pub(super) async fn run(base: &Base, args: UndoArgs) -> Outcome {
    let session = match &args.session {
        Some(wanted) => Some(find_session(&base.log().await?, wanted).await?),
        None => None,
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let options = local::Options { host: local::Host::own(&base.paths.state), ..base.load()?.settings.tools };
    let Some(journal) = options.journal(&clock) else {
        return Err(Stop::Usage("nothing is kept: `keep_mib_max` of [tools.undo] is 0".to_owned()));
    };
    match args.change.as_deref() {
        Some("list") => {
            let failed = || format!("could not read what tools changed; it is kept below {}", base.paths.state.display());
            list(&journal.rows(session.as_ref()).with_context(failed)?, args.json)
        }
        change => undo(&journal, session.as_ref(), change.unwrap_or_default(), &args),
    }
}

fn list(rows: &[UndoRow], json: bool) -> Outcome {
    if json {
        output::json(&rows)?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        output::note("no tool has changed a file yet");
        return Ok(Exit::Done);
    }
    let zone = TimeZone::system();
    let mut table = vec![["", "when", "session", "tool", "state", "file"].map(str::to_owned).to_vec()];
    table.extend(rows.iter().map(|row| {
        let at = row.at.timestamp().to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
        let session = row.session.as_ref().map_or("–", |session| session.as_str()).chars().take(8).collect();
        let made = if row.is_new_file { " (new)" } else { "" };
        vec![row.number.to_string(), at, session, row.tool.clone(), row.state.as_str().to_owned(), format!("{}{made}", row.path)]
    }));
    output::raw(output::table(&table, COLUMN_CHARS_MAX))?;
    Ok(Exit::Done)
}

fn undo(journal: &Journal, session: Option<&SessionId>, change: &str, args: &UndoArgs) -> Outcome {
    let plan = journal.plan(session, change, args.force).map_err(anyhow::Error::from)?;
    if !args.yes && !plan.is_done {
        output::note(local::undo_preview(&plan));
        if !std::io::stdin().is_terminal() {
            return Err(Stop::Usage("nobody is there to agree: `--yes` takes it back without asking".to_owned()));
        }
        // On standard error, as the difference: standard output is for what was done.
        let _ = write!(std::io::stderr(), "Take this back? [y/N] ");
        let mut answer = String::new();
        std::io::stdin().lock().read_line(&mut answer)?;
        if !matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
            output::note("left as it is");
            return Ok(Exit::Done);
        }
    }
    // By its id: between the question and now the list may have grown.
    let done = journal.undo(session, &plan.entry.id, args.force, CallId::generate().as_str()).map_err(anyhow::Error::from)?;
    if args.json {
        output::json(&json!({"change": done.entry.id, "path": done.entry.path.to_string_lossy(), "changed": !done.is_done}))?;
    } else {
        output::line(local::undo_told(&done))?;
    }
    Ok(Exit::Done)
}
