//! The commands about sessions and tabs: what their arguments mean.

use std::path::Path;

use crate::domain::ids::SessionId;
use crate::domain::query::ExportFormat;
use crate::domain::text::{clean_line, ellipsis};
use crate::tui::replay::Pace;
use crate::tui::slash::Want;
use crate::tui::tabs::TabWant;

/// `/tab [new|close|next|prev|asking|N|SESSION]`.
pub(super) fn tab(args: &str) -> Result<Want, String> {
    Ok(Want::Tab(match args {
        "" | "new" => TabWant::New,
        "close" => TabWant::Close,
        "next" => TabWant::Next,
        "prev" => TabWant::Prev,
        "asking" => TabWant::Asking,
        other => match other.parse::<usize>() {
            Ok(position) if position < 1_000 => TabWant::At(position),
            _ if is_session(other) => TabWant::Open(SessionId::new(other)),
            _ => return Err(format!("`{}` is no tab: new, close, next, prev, asking, a number, or a session's whole id", shown(other))),
        },
    }))
}

/// `/replay [SESSION] [1x|10x|step]`.
pub(super) fn replay(args: &str) -> Result<Want, String> {
    let mut session = None;
    let mut pace = Pace::default();
    for word in args.split_whitespace() {
        match Pace::parse(word) {
            Some(wanted) => pace = wanted,
            None if session.is_none() && !word.ends_with('x') => session = Some(word.to_owned()),
            None => return Err(format!("`{}` is no pace: 1x, 10x, step", shown(word))),
        }
    }
    Ok(Want::Replay { session, pace })
}

/// `/export [FILE.md|FILE.json|FILE.html]`.
pub(super) fn export(args: &str) -> Result<Want, String> {
    if args.is_empty() {
        return Ok(Want::Export { path: None, format: ExportFormat::Markdown });
    }
    let extension = Path::new(args).extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_lowercase();
    // A format alone: the name is made.
    let format = ExportFormat::parse(if extension.is_empty() { args } else { &extension });
    match format {
        Some(format) => Ok(Want::Export { path: (!extension.is_empty()).then(|| args.to_owned()), format }),
        None => Err(format!("`{}` says no format: the name ends in .md, .json or .html", shown(args))),
    }
}

/// What is written as an id is one: 36 characters of hexadecimal digits and dashes.
fn is_session(text: &str) -> bool {
    text.len() == 36 && text.chars().all(|ch| ch.is_ascii_hexdigit() || ch == '-')
}

fn shown(text: &str) -> String {
    ellipsis(&clean_line(text), 40).into_owned()
}
