//! `/cache`: what is kept of what was fetched, and how often that was of use.

use crate::domain::cache::{Counts, KindStats, LayerStats, Stats};
use crate::domain::text::clean_line;
use crate::tui::panels::resources::size;
use crate::tui::panels::{Row, TextPanel, columns, heading};
use crate::tui::status::{count, thousands};
use crate::tui::theme::Key;

/// Columns of a name: all columns fit on a screen of 80.
const NAME_WIDTH: usize = 13;

/// The panel.
pub fn panel(stats: &Stats) -> TextPanel {
    let mut rows = vec![heading("Layers")];
    rows.extend(stats.layers.iter().flat_map(layer));
    rows.push(Row::new());
    rows.push(heading("Kinds"));
    rows.push(vec![(
        Key::UiDim,
        format!(
            "  {}{:>8}{:>10}{:>8}{:>6}{:>8}{:>8}{:>7}",
            columns("kind", NAME_WIDTH),
            "entries",
            "size",
            "hits",
            "hit%",
            "stale",
            "fetched",
            "failed"
        ),
    )]);
    rows.extend(stats.kinds.iter().map(kind));
    rows.extend(sum(&stats.kinds));
    rows.push(Row::new());
    let note = if stats.enabled {
        "/cache clear [KIND] forgets them · the section [cache] of the config sets sizes and times"
    } else {
        "off: nothing is kept; `cache.enabled = true` in the config turns it on"
    };
    rows.push(vec![(Key::UiDim, format!("  {note}"))]);
    TextPanel::rows("cache", rows)
}

fn layer(layer: &LayerStats) -> Vec<Row> {
    let most = layer.bytes_max.map_or_else(String::new, |most| format!(" of {}", size(most)));
    let bytes = if layer.bytes_max.is_some() { format!(" · {}{most}", size(layer.bytes)) } else { String::new() };
    let mut rows = vec![vec![
        (Key::UiPopup, format!("  {}", columns(layer.layer.name(), NAME_WIDTH))),
        (Key::UiPopup, format!("{:>8} entries{bytes}", thousands(layer.entries))),
    ]];
    if !layer.place.is_empty() {
        rows.push(vec![(Key::UiDim, format!("  {}{}", columns("", NAME_WIDTH), clean_line(&layer.place)))]);
    }
    if let Some(problem) = &layer.problem {
        rows.push(vec![(Key::StatusWarn, format!("  {}not in use: {}", columns("", NAME_WIDTH), clean_line(problem)))]);
    }
    rows
}

fn kind(stats: &KindStats) -> Row {
    let key = if stats.entries == 0 && stats.counts == Counts::default() { Key::UiDim } else { Key::UiPopup };
    vec![(key, line(stats.kind.name(), stats.entries, stats.bytes, stats.counts))]
}

fn line(name: &str, entries: u64, bytes: u64, counts: Counts) -> String {
    let percent = counts.hit_percent().map_or_else(|| "–".to_owned(), |percent| format!("{percent}%"));
    format!(
        "  {}{:>8}{:>10}{:>8}{percent:>6}{:>8}{:>8}{:>7}",
        columns(name, NAME_WIDTH),
        thousands(entries),
        size(bytes),
        count(counts.hits()),
        count(counts.stale_hits),
        count(counts.fetches),
        count(counts.failures),
    )
}

/// A last line where there is more than one to add up.
fn sum(kinds: &[KindStats]) -> Option<Row> {
    let used: Vec<_> = kinds.iter().filter(|stats| stats.entries > 0 || stats.counts != Counts::default()).collect();
    if used.len() < 2 {
        return None;
    }
    let whole = used.iter().fold((0, 0, Counts::default()), |(entries, bytes, counts), stats| {
        (entries + stats.entries, bytes + stats.bytes, counts.plus(stats.counts))
    });
    Some(vec![(Key::UiAccent, line("together", whole.0, whole.1, whole.2))])
}
