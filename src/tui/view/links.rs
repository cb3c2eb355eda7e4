//! Addresses on the screen, for terminals that open them with a click (OSC 8).
//!
//! A plain function of what was drawn: lines like `image image/png 12 kB: /path`, and `http` and `https` addresses, whole
//! on one row. What is clicked is always what is read: no text leads to an address that does not stand there. What is
//! cut or goes on in the next row is no link: a wrong address is worse than none.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthStr;

use crate::tui::transcript::address_len;

/// Cells that lead somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// The row.
    pub(crate) y: u16,
    /// The first column.
    pub(crate) from: u16,
    /// The column behind the last one.
    pub(crate) upto: u16,
    /// `file://…`, `https://…`, made of characters that cannot end the sequence.
    pub(crate) target: String,
}

impl Link {
    /// Whether a cell belongs to it.
    pub(crate) fn holds(&self, x: u16, y: u16) -> bool {
        self.y == y && (self.from..self.upto).contains(&x)
    }
}

/// All links of a screen.
pub(crate) fn links(buf: &Buffer) -> Vec<Link> {
    let mut out = Vec::new();
    let rows = buf.content.chunks(usize::from(buf.area.width).max(1));
    for (y, cells) in (buf.area.top()..buf.area.bottom()).zip(rows) {
        // `//` of an address, ` /` of a path: most rows have neither.
        if !cells.windows(2).any(|pair| pair[1].symbol() == "/" && matches!(pair[0].symbol(), "/" | " ")) {
            continue;
        }
        let mut text = String::new();
        let mut columns = Vec::new();
        let mut x = buf.area.left();
        while x < buf.area.right() {
            let Some(cell) = buf.cell((x, y)) else { break };
            columns.push((text.len(), x));
            text.push_str(cell.symbol());
            x += u16::try_from(cell.symbol().width().max(1)).unwrap_or(1);
        }
        out.extend(row_links(&text, &columns, y));
    }
    out
}

fn row_links(text: &str, columns: &[(usize, u16)], y: u16) -> Vec<Link> {
    let mut out = web_links(text, columns, y);
    for (at, _) in text.match_indices(": /") {
        let before = text.get(..at).unwrap_or_default();
        if !["image ", "audio "].iter().any(|kind| before.contains(kind)) {
            continue;
        }
        let start = at + 2;
        let rest = text.get(start..).unwrap_or_default();
        // A path that ends at the edge of its pane may go on below.
        let Some(length) = rest.find(']').into_iter().chain(rest.find("  ")).min() else { continue };
        let path = rest.get(..length).unwrap_or_default();
        let is_whole = path.rsplit('/').next().is_some_and(|name| name.contains('.')) && !path.contains(['…', '│', '|']);
        let column = |byte: usize| columns.iter().find(|(at, _)| *at == byte).map(|(_, x)| *x);
        if let (true, Some(from), Some(upto)) = (is_whole, column(start), column(start + length)) {
            out.push(Link { y, from, upto, target: address(path) });
        }
    }
    out
}

/// Addresses of pages. One that reaches the edge of its pane may go on below.
fn web_links(text: &str, columns: &[(usize, u16)], y: u16) -> Vec<Link> {
    let mut out = Vec::new();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find("http")).map(|at| at + from) {
        let rest = text.get(at..).unwrap_or_default();
        let length = address_len(rest);
        from = at + length.max(4);
        let is_word = text.get(..at).and_then(|before| before.chars().next_back()).is_some_and(char::is_alphanumeric);
        let behind = rest.get(length..).unwrap_or_default();
        let is_whole =
            !behind.trim_start_matches(' ').is_empty() && !behind.strip_prefix(' ').unwrap_or(behind).starts_with(['│', '|', '…']);
        let url = rest.get(..length).unwrap_or_default();
        let host = url.split('/').nth(2).unwrap_or_default();
        if length == 0 || is_word || !is_whole || !host.is_ascii() {
            continue;
        }
        let column = |byte: usize| columns.iter().find(|(at, _)| *at == byte).map(|(_, x)| *x);
        if let (Some(from), Some(upto)) = (column(at), column(at + length)) {
            out.push(Link { y, from, upto, target: encoded(url, b"-._~/:?#@!$&'()*+,;=%") });
        }
    }
    out
}

fn address(path: &str) -> String {
    format!("file://{}", encoded(path, b"-._~/"))
}

/// Letters, digits and `kept` as they are, all other bytes as `%XX`.
fn encoded(text: &str, kept: &[u8]) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    fn found(text: &str) -> Vec<(u16, u16, String)> {
        let mut buf = Buffer::empty(Rect::new(0, 0, 60, 1));
        buf.set_string(0, 0, text, Style::new());
        links(&buf).into_iter().map(|link| (link.from, link.upto, link.target)).collect()
    }

    #[test]
    fn addresses_are_links_to_what_is_read() {
        let one = |text: &str, from: u16, upto: u16, url: &str| assert_eq!(found(text), [(from, upto, url.to_owned())], "{text}");
        one("see https://a.example/x?y=1, or not", 4, 27, "https://a.example/x?y=1");
        one("name (https://b.example) │", 6, 23, "https://b.example");
        one("中 http://a.example/ü x", 3, 21, "http://a.example/%C3%BC");
        // At the edge of a pane it may go on; hosts that look like others are left to whoever reads.
        for none in [
            "https://a.example/abc │",
            "https://a.example/abc│",
            "https://a.exa…",
            "https://аpple.example/ x",
            "http:// x",
            "xhttp://a.b c",
        ] {
            assert_eq!(found(none), [], "{none}");
        }
    }

    #[test]
    fn saved_files_are_links_where_they_are_whole() {
        assert_eq!(found("│ 図 → image image/png 12 kB: /tmp/a b.png     │"), [(30, 42, "file:///tmp/a%20b.png".to_owned())]);
        assert_eq!(found("[audio audio/wav 2 B: /tmp/ü.wav]"), [(22, 32, "file:///tmp/%C3%BC.wav".to_owned())]);
        for none in ["[image image/png 12 kB: /tmp/a", "see: /tmp/a.png  ", "image x: /tmp/a.pn…  ", "image x: /tmp/folder  "] {
            assert_eq!(found(none), [], "{none}");
        }
        assert_eq!(found(&format!("image image/png: /{}.png", "x".repeat(60))), []);
    }
}
