//! `/report`: the reports to a coordinator, what waits and what was refused.

use crate::domain::report::{ReportState, ReportStatus};
use crate::domain::text::clean_line;
use crate::tui::panels::resources::size;
use crate::tui::panels::{Row, TextPanel, columns, heading};
use crate::tui::status::thousands;
use crate::tui::theme::Key;

/// Columns of a name.
const NAME_WIDTH: usize = 12;

/// The panel.
pub fn panel(status: &ReportStatus) -> TextPanel {
    let totals = &status.totals;
    let mut rows = vec![heading("Reports")];
    let (key, words) = match &status.state {
        ReportState::Waiting { .. } => (Key::StatusWarn, status.state.words()),
        state => (Key::UiPopup, state.words()),
    };
    rows.push(line("state", key, clean_line(&words)));
    let via = status.via.as_ref().map(|via| format!(", over {via} now")).unwrap_or_default();
    rows.push(line("to", Key::UiPopup, format!("{} ({}{via})", clean_line(&status.place), status.transport)));
    rows.push(line("queue", Key::UiDim, clean_line(&status.queue)));
    rows.push(Row::new());
    rows.push(heading("Records"));
    let room = format!("{} of {}", size(totals.waiting_bytes), size(status.bytes_max));
    let key = if status.is_behind() { Key::StatusWarn } else { Key::UiPopup };
    rows.push(line("waiting", key, format!("{} · {room}", thousands(totals.waiting))));
    for (name, count) in [("handed over", totals.handed), ("refused", totals.refused)] {
        if count > 0 {
            rows.push(line(name, Key::UiPopup, format!("{} of them", thousands(count))));
        }
    }
    rows.extend(status.oldest.map(|at| line("oldest", Key::UiPopup, at.to_string())));
    rows.push(line("delivered", Key::UiPopup, thousands(totals.delivered_ever)));
    let key = if totals.dead_unseen > 0 { Key::StatusError } else { Key::UiPopup };
    rows.push(line("dead", key, format!("{}, {} of them not looked at", thousands(totals.dead), thousands(totals.dead_unseen))));
    if totals.dropped > 0 {
        rows.push(line("dropped", Key::StatusWarn, format!("{} dead letters that were seen, for want of room", thousands(totals.dropped))));
    }
    rows.extend(status.problem.as_ref().map(|problem| line("problem", Key::StatusError, clean_line(problem))));
    rows.push(Row::new());
    let note = match status.state {
        ReportState::Off => "off: `enable_interaction_logging = true` under [interaction_logging] turns it on",
        _ => "/report retry tries at once · /report resend sends dead letters again · `wakeful report dead` shows them",
    };
    rows.push(vec![(Key::UiDim, format!("  {note}"))]);
    TextPanel::rows("report", rows)
}

fn line(name: &str, key: Key, text: String) -> Row {
    vec![(Key::UiDim, format!("  {}", columns(name, NAME_WIDTH))), (key, text)]
}
