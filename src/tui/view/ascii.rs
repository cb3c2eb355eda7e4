//! The last step where icons are plain ASCII: signs that stand in texts (arrows, dots, dashes) come out as ASCII too.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Signs and what stands for them, one column each.
const SIGNS: &[(&str, &str)] = &[
    ("·", "-"),
    ("•", "-"),
    ("…", "~"),
    ("–", "-"),
    ("—", "-"),
    ("→", ">"),
    ("←", "<"),
    ("↑", "^"),
    ("↓", "v"),
    ("↳", "\\"),
    ("×", "x"),
    ("✔", "+"),
    ("✖", "x"),
    ("●", "*"),
    ("○", "o"),
    ("◌", "o"),
    ("▸", ">"),
    ("▾", "v"),
    ("❯", ">"),
    ("▲", "!"),
    ("“", "\""),
    ("”", "\""),
    ("‘", "'"),
    ("’", "'"),
    ("─", "-"),
    ("│", "|"),
    ("├", "+"),
    ("┤", "+"),
    ("┼", "+"),
    ("╭", "+"),
    ("╮", "+"),
    ("╰", "+"),
    ("╯", "+"),
    ("▁", "_"),
    ("▂", "."),
    ("▃", ":"),
    ("▄", "-"),
    ("▅", "="),
    ("▆", "+"),
    ("▇", "*"),
    ("█", "#"),
    ("░", "."),
    ("▒", ":"),
    ("▓", "#"),
];

/// Puts ASCII in place of signs.
pub(super) fn plain(buf: &mut Buffer, area: Rect) {
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            let Some(cell) = buf.cell_mut((x, y)) else { continue };
            if cell.symbol().is_ascii() {
                continue;
            }
            if let Some((_, plain)) = SIGNS.iter().find(|(sign, _)| *sign == cell.symbol()) {
                cell.set_symbol(plain);
            }
        }
    }
}
