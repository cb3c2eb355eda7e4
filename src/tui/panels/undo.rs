//! `/undo list`: what the file tools changed in this session, and what can be taken back.

use jiff::tz::TimeZone;

use crate::domain::text::clean_line;
use crate::domain::undo::{UndoRow, UndoState};
use crate::tui::panels::{Row, TextPanel, columns};
use crate::tui::theme::Key;

/// Columns of the tool's name and of the state.
const WIDTHS: (usize, usize) = (12, 13);

/// The panel.
pub fn panel(rows: &[UndoRow], zone: &TimeZone) -> TextPanel {
    let mut lines: Vec<Row> = Vec::new();
    if rows.is_empty() {
        lines.push(vec![(Key::UiDim, "  no tool has changed a file in this session".to_owned())]);
        return TextPanel::rows("undo", lines);
    }
    for row in rows {
        let at = row.at.timestamp().to_zoned(zone.clone()).strftime("%m-%d %H:%M").to_string();
        let key = if row.state == UndoState::Stands { Key::UiPopup } else { Key::UiDim };
        let made = if row.is_new_file && row.tool != crate::domain::undo::UNDO { " (new file)" } else { "" };
        lines.push(vec![
            (Key::UiAccent, format!("{:>4}  ", row.number)),
            (Key::UiDim, format!("{at}  ")),
            (key, columns(&clean_line(&row.tool), WIDTHS.0)),
            (Key::UiDim, columns(row.state.as_str(), WIDTHS.1)),
            (key, format!("{}{made}", clean_line(&row.path))),
        ]);
    }
    lines.push(Row::new());
    let help = "  /undo N takes that change back; to take back an undo is to redo; /undo force where the file has changed since";
    lines.push(vec![(Key::UiDim, help.to_owned())]);
    TextPanel::rows("undo", lines)
}
