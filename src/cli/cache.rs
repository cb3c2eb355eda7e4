//! `wakeful cache`: what is kept of what was fetched, and how to forget it.

use std::sync::Arc;

use serde_json::json;

use crate::cli::Base;
use crate::cli::args::CacheCommand;
use crate::cli::output::{self, Exit, Outcome};
use crate::domain::cache::{Counts, Kind, KindStats, LayerStats, Stats};
use crate::domain::clock::SystemClock;
use crate::domain::text::clean_line;
use crate::store::cache::Cache;

/// The widest column, in characters.
const COLUMN_CHARS_MAX: usize = 100;

pub(super) async fn run(base: &Base, command: &CacheCommand) -> Outcome {
    let cache = Cache::new(base.load()?.settings.cache, Some(base.paths.cache_file()), Arc::new(SystemClock));
    match command {
        CacheCommand::Stats { kind, json } => stats(&cache, *kind, *json).await,
        CacheCommand::Clear { kind, json } => clear(&cache, *kind, *json).await,
    }
}

async fn stats(cache: &Cache, kind: Option<Kind>, json: bool) -> Outcome {
    let mut stats = cache.stats().await;
    stats.kinds.retain(|row| kind.is_none_or(|kind| kind == row.kind));
    // The memory of this process says nothing about others.
    stats.layers.retain(|layer| layer.layer != crate::domain::cache::Layer::Memory);
    if json {
        output::json(&stats)?;
        return Ok(Exit::Done);
    }
    print(&stats)?;
    Ok(Exit::Done)
}

fn print(stats: &Stats) -> std::io::Result<()> {
    if !stats.enabled {
        output::line("off: nothing is kept (`cache.enabled = true` in the config turns it on)")?;
    }
    for layer in &stats.layers {
        output::line(self::layer(layer))?;
    }
    let mut table = vec![["kind", "entries", "size", "hits", "hit%", "stale", "fetched", "failed"].map(str::to_owned).to_vec()];
    table.extend(stats.kinds.iter().map(row));
    output::line("")?;
    output::raw(output::table(&table, COLUMN_CHARS_MAX))
}

fn layer(layer: &LayerStats) -> String {
    let bytes = match layer.bytes_max {
        Some(most) => format!(", {} of {}", size(layer.bytes), size(most)),
        None => String::new(),
    };
    let problem = layer.problem.as_ref().map(|problem| format!("\n  not in use: {}", clean_line(problem))).unwrap_or_default();
    format!("{}: {} ({} entries{bytes}){problem}", layer.layer.name(), clean_line(&layer.place), layer.entries)
}

fn row(stats: &KindStats) -> Vec<String> {
    let Counts { stale_hits, fetches, failures, .. } = stats.counts;
    let percent = stats.counts.hit_percent().map_or_else(|| "-".to_owned(), |percent| percent.to_string());
    let number = |number: u64| number.to_string();
    vec![
        stats.kind.name().to_owned(),
        number(stats.entries),
        size(stats.bytes),
        number(stats.counts.hits()),
        percent,
        number(stale_hits),
        number(fetches),
        number(failures),
    ]
}

/// `1.2 MiB`.
fn size(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    match bytes {
        0..1_024 => format!("{bytes} B"),
        1_024..MIB => format!("{}.{} KiB", bytes >> 10, (bytes % 1_024) * 10 / 1_024),
        _ => format!("{}.{} MiB", bytes >> 20, (bytes % MIB) * 10 / MIB),
    }
}

async fn clear(cache: &Cache, kind: Option<Kind>, json: bool) -> Outcome {
    let cleared = cache.clear(kind).await?;
    if json {
        output::json(&json!({"kind": kind, "entries": cleared.entries, "bytes": cleared.bytes}))?;
    } else {
        let what = kind.map(|kind| format!(" of the kind {kind}")).unwrap_or_default();
        output::line(format_args!("cleared: {} entries{what}, {}", cleared.entries, size(cleared.bytes)))?;
    }
    Ok(Exit::Done)
}
