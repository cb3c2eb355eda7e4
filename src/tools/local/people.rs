//! `undo`: takes back what the file tools changed. For people only: no model is shown it, none can call it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::files::edit::diff;
use super::journal::undo::Plan;
use super::{Definition, FILES, Failure, Journal, LocalTool};
use crate::domain::ids::SessionId;
use crate::domain::text::clean_line;
use crate::domain::tool::ToolHints;
use crate::domain::undo::UNDO;
use crate::tools::ToolOutcome;
use crate::tools::local::define::blocking;

/// Which change.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// A number of the list or the start of an id; the last change where absent.
    #[serde(default)]
    change: Option<String>,
    /// Puts the earlier content there even where the file has changed since. Default: false.
    #[serde(default)]
    force: Option<bool>,
    /// The session whose changes are meant; all where absent.
    #[serde(default)]
    session: Option<String>,
}

/// The tool over a journal.
pub(super) fn tool(journal: Journal) -> LocalTool {
    let definition = Definition {
        server: FILES,
        name: UNDO,
        title: "Undo a change of a file",
        description: "Takes back a change that a file tool made.",
        hints: ToolHints { read_only: false, destructive: true, idempotent: false, open_world: false },
    };
    let journal = Arc::new(journal);
    let for_preview = Arc::clone(&journal);
    LocalTool::new(&definition, move |arguments: Arguments, context| {
        let journal = Arc::clone(&journal);
        blocking(move || {
            let (wanted, force) = (arguments.change.unwrap_or_default(), arguments.force.unwrap_or(false));
            let session = arguments.session.map(SessionId::from);
            let plan = journal.undo(session.as_ref(), &wanted, force, context.call_id.as_str()).map_err(Failure::from)?;
            let structured = json!({"path": plan.entry.path.to_string_lossy(), "change": plan.entry.id, "changed": !plan.is_done});
            Ok(ToolOutcome { text: told(&plan), structured: Some(structured), is_error: false })
        })
    })
    .preview(move |arguments: Arguments| {
        let journal = Arc::clone(&for_preview);
        async move {
            let preview = blocking(move || {
                let (wanted, force) = (arguments.change.unwrap_or_default(), arguments.force.unwrap_or(false));
                let session = arguments.session.map(SessionId::from);
                let plan = journal.plan(session.as_ref(), &wanted, force);
                Ok(plan.map_or_else(|error| crate::domain::text::with_causes(&error), |plan| preview(&plan)))
            });
            preview.await.ok()
        }
    })
}

/// The difference that taking a change back makes.
pub fn preview(plan: &Plan) -> String {
    if plan.is_done {
        return told(plan);
    }
    let text = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let shown = clean_line(plan.entry.path.to_string_lossy().trim_start_matches('/'));
    let (now, then) = (text(&plan.now), text(&plan.then));
    diff(&shown, now.as_deref(), then.as_deref())
}

/// What was done, in one line.
pub fn told(plan: &Plan) -> String {
    let path = clean_line(&plan.entry.path.to_string_lossy());
    match (plan.is_done, &plan.then) {
        (true, Some(_)) => format!("nothing was changed: `{path}` holds its earlier content already"),
        (true, None) => format!("nothing was changed: `{path}` is not there, as before"),
        (false, Some(_)) => format!("put back: `{path}`; `/undo list` shows what can be undone, this included"),
        (false, None) => format!("removed: `{path}`, which was new; `/undo list` shows what can be undone, this included"),
    }
}
