//! What waits: put in, read by pages, settled.

use rusqlite::{OptionalExtension, Row, params};

use crate::domain::clock::Instant;
use crate::store::spool::worker::Work;
use crate::store::spool::{Error, Handed, Mark, NewRow, Outcome, Page, Waiting, dead};

/// It may be sent.
const FREE: i64 = 0;
/// It was refused and is tried again.
const REFUSED: i64 = 1;
/// It lies with a transport.
const HANDED: i64 = 2;

pub(super) fn put(
    work: &mut Work<'_>,
    rows: &[NewRow],
    mark: Option<&Mark>,
    at: Instant,
    bytes_max: u64,
) -> rusqlite::Result<Result<u64, Error>> {
    let bytes = work.totals.waiting_bytes + work.totals.dead_bytes;
    let more: u64 = rows.iter().map(|row| length(&row.data)).sum();
    // What is larger than the whole queue is let in alone: it could never come in otherwise.
    if !rows.is_empty() && bytes > 0 && bytes.saturating_add(more) > bytes_max {
        return Ok(Err(Error::Full { bytes, bytes_max }));
    }
    let mut new = 0;
    {
        let sql = "INSERT INTO failed_interactions (record_id, interaction_id, data, created_ms) SELECT ?1, ?2, ?3, ?4 \
                   WHERE NOT EXISTS (SELECT 1 FROM delivered_interactions WHERE record_id = ?1) \
                   AND NOT EXISTS (SELECT 1 FROM dead_interactions WHERE record_id = ?1) ON CONFLICT (record_id) DO NOTHING";
        let mut insert = work.db.prepare_cached(sql)?;
        for row in rows {
            if insert.execute(params![row.record_id, row.interaction_id, row.data, at.as_millis()])? > 0 {
                new += 1;
                work.totals.waiting += 1;
                work.totals.waiting_bytes += length(&row.data);
            }
        }
    }
    if let Some(mark) = mark {
        set_fact(work, "epoch", &mark.epoch)?;
        set_fact(work, "seq", &mark.seq.to_string())?;
        set_fact(work, "fold", &mark.fold)?;
    }
    Ok(Ok(new))
}

pub(super) fn mark(work: &mut Work<'_>) -> rusqlite::Result<Option<Mark>> {
    let (epoch, seq) = (fact(work, "epoch")?, fact(work, "seq")?.and_then(|seq| seq.parse().ok()));
    let fold = fact(work, "fold")?.unwrap_or_default();
    Ok(epoch.zip(seq).map(|(epoch, seq)| Mark { epoch, seq, fold }))
}

pub(super) fn forget_mark(work: &mut Work<'_>) -> rusqlite::Result<()> {
    work.db.execute("DELETE FROM facts WHERE name IN ('epoch', 'seq', 'fold')", []).map(drop)
}

pub(super) fn salt(work: &mut Work<'_>, fresh: &[u8]) -> rusqlite::Result<Vec<u8>> {
    if let Some(text) = fact(work, "salt")? {
        return Ok(text.into_bytes());
    }
    let text = fresh.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    set_fact(work, "salt", &text)?;
    Ok(text.into_bytes())
}

/// The partial index serves the look for earlier rows only where its condition stands here word by word.
const NEXT: &str = "SELECT id, retry_count, iif(EXISTS (SELECT 1 FROM failed_interactions AS before \
        WHERE before.held > 0 AND before.interaction_id = mine.interaction_id AND before.id < mine.id \
        AND (before.held = 2 OR before.next_ms > ?2)), NULL, data) \
    FROM failed_interactions AS mine WHERE id > ?1 AND held <> 2 AND (held = 0 OR next_ms <= ?2) ORDER BY id";

pub(super) fn next(work: &mut Work<'_>, after: i64, limit: usize, bytes_max: usize, now: Instant) -> rusqlite::Result<Page> {
    let mut page = Page::default();
    let mut statement = work.db.prepare_cached(NEXT)?;
    let mut rows = statement.query(params![after, now.as_millis()])?;
    let mut bytes = 0;
    while page.rows.len() < limit
        && let Some(row) = rows.next()?
    {
        let number = row.get(0)?;
        let Some(data) = row.get::<_, Option<String>>(2)? else {
            page.blocked = page.blocked.or(Some(number));
            continue;
        };
        let waiting = Waiting { number, data, refusals: row.get(1)? };
        bytes += waiting.data.len();
        if bytes > bytes_max && !page.rows.is_empty() {
            break;
        }
        page.rows.push(waiting);
    }
    if page.rows.is_empty() && work.totals.refused > 0 {
        let sql = "SELECT min(next_ms) FROM failed_interactions WHERE held > 0 AND held = 1";
        page.next_at = work.db.prepare_cached(sql)?.query_row([], |row| row.get::<_, Option<i64>>(0))?.map(Instant::from_millis);
    }
    Ok(page)
}

pub(super) fn settle(work: &mut Work<'_>, outcomes: &[(i64, Outcome)], via: &str, now: Instant) -> rusqlite::Result<()> {
    // What was stored is taken out in runs of numbers that follow each other: mostly all of a batch at once.
    let mut run: Option<(i64, i64)> = None;
    for (number, outcome) in outcomes {
        if *outcome == Outcome::Stored {
            match &mut run {
                Some((_, last)) if *last + 1 == *number => *last = *number,
                _ => deliver(work, run.replace((*number, *number)), via, now)?,
            }
            continue;
        }
        match outcome {
            Outcome::Stored => {}
            Outcome::Handed(handle) => {
                let sql = "UPDATE failed_interactions SET held = 2, next_ms = ?2, via = ?3, handle = ?4 WHERE id = ?1 AND held = 0";
                if work.db.prepare_cached(sql)?.execute(params![number, now.as_millis(), via, handle])? > 0 {
                    work.totals.handed += 1;
                } else {
                    hold(work, *number, HANDED, now, Some((via, handle)), None)?;
                }
            }
            Outcome::Refused { next, reason } => hold(work, *number, REFUSED, *next, None, Some(reason))?,
            Outcome::Lost => hold(work, *number, FREE, now, None, None)?,
            Outcome::Dead { reason } => {
                if let Some(gone) = take_out(work, *number)? {
                    dead::bury(work, &gone, reason, 1, now)?;
                }
            }
        }
    }
    deliver(work, run, via, now)
}

/// Moves the rows from the first to the last number of `run` to what was delivered.
fn deliver(work: &mut Work<'_>, run: Option<(i64, i64)>, via: &str, now: Instant) -> rusqlite::Result<()> {
    let Some((first, last)) = run else { return Ok(()) };
    let sql = "SELECT count(*), coalesce(sum(octet_length(data)), 0), coalesce(sum(held = 1), 0), coalesce(sum(held = 2), 0) \
               FROM failed_interactions WHERE id BETWEEN ?1 AND ?2";
    let read = |row: &Row<'_>| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]);
    let found: [i64; 4] = work.db.prepare_cached(sql)?.query_row(params![first, last], read)?;
    let [count, bytes, refused, handed] = found.map(|number| u64::try_from(number).unwrap_or(0));
    let sql = "INSERT INTO delivered_interactions (record_id, via, delivered_ms) \
               SELECT record_id, ?3, ?4 FROM failed_interactions WHERE id BETWEEN ?1 AND ?2 ORDER BY id ON CONFLICT DO NOTHING";
    let new = work.db.prepare_cached(sql)?.execute(params![first, last, via, now.as_millis()])?;
    work.db.prepare_cached("DELETE FROM failed_interactions WHERE id BETWEEN ?1 AND ?2")?.execute(params![first, last])?;
    let totals = &mut work.totals;
    totals.delivered += u64::try_from(new).unwrap_or(0);
    totals.delivered_ever += count;
    totals.waiting = totals.waiting.saturating_sub(count);
    totals.waiting_bytes = totals.waiting_bytes.saturating_sub(bytes);
    totals.refused = totals.refused.saturating_sub(refused);
    totals.handed = totals.handed.saturating_sub(handed);
    Ok(())
}

/// A row that was taken out.
pub(super) struct Gone {
    pub(super) record_id: String,
    pub(super) interaction_id: String,
    pub(super) data: String,
    pub(super) created_ms: i64,
    pub(super) refusals: u32,
}

/// Takes a row out of what waits, and out of the totals.
pub(super) fn take_out(work: &mut Work<'_>, number: i64) -> rusqlite::Result<Option<Gone>> {
    let sql = "DELETE FROM failed_interactions WHERE id = ?1 RETURNING record_id, interaction_id, data, created_ms, retry_count, held";
    let read = |row: &Row<'_>| {
        let gone =
            Gone { record_id: row.get(0)?, interaction_id: row.get(1)?, data: row.get(2)?, created_ms: row.get(3)?, refusals: row.get(4)? };
        Ok((gone, row.get::<_, i64>(5)?))
    };
    let Some((gone, held)) = work.db.prepare_cached(sql)?.query_row(params![number], read).optional()? else { return Ok(None) };
    let totals = &mut work.totals;
    totals.waiting = totals.waiting.saturating_sub(1);
    totals.waiting_bytes = totals.waiting_bytes.saturating_sub(length(&gone.data));
    totals.refused = totals.refused.saturating_sub(u64::from(held == REFUSED));
    totals.handed = totals.handed.saturating_sub(u64::from(held == HANDED));
    Ok(Some(gone))
}

fn hold(work: &mut Work<'_>, number: i64, held: i64, at: Instant, with: Option<(&str, &str)>, error: Option<&str>) -> rusqlite::Result<()> {
    let sql = "SELECT held FROM failed_interactions WHERE id = ?1";
    let was = work.db.prepare_cached(sql)?.query_row(params![number], |row| row.get::<_, i64>(0)).optional()?;
    let Some(was) = was else { return Ok(()) };
    let sql = "UPDATE failed_interactions SET held = ?2, next_ms = ?3, via = ?4, handle = ?5, last_error = coalesce(?6, last_error), \
               retry_count = retry_count + ?7 WHERE id = ?1";
    let (via, handle) = (with.map(|(via, _)| via), with.map(|(_, handle)| handle));
    work.db.prepare_cached(sql)?.execute(params![number, held, at.as_millis(), via, handle, error, i64::from(held == REFUSED)])?;
    let totals = &mut work.totals;
    totals.refused = totals.refused.saturating_sub(u64::from(was == REFUSED)) + u64::from(held == REFUSED);
    totals.handed = totals.handed.saturating_sub(u64::from(was == HANDED)) + u64::from(held == HANDED);
    Ok(())
}

pub(super) fn handed(work: &mut Work<'_>, via: &str, after: i64, limit: usize) -> rusqlite::Result<Vec<Handed>> {
    if work.totals.handed == 0 {
        return Ok(Vec::new());
    }
    let sql = "SELECT id, handle, next_ms FROM failed_interactions WHERE id > ?1 AND held = 2 AND via = ?2 ORDER BY id LIMIT ?3";
    let read = |row: &Row<'_>| Ok(Handed { number: row.get(0)?, handle: row.get(1)?, since: Instant::from_millis(row.get(2)?) });
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    work.db.prepare_cached(sql)?.query_map(params![after, via, limit], read)?.collect()
}

pub(super) fn take_back(work: &mut Work<'_>, via: Option<&str>, known: &[&str], before: Instant) -> rusqlite::Result<u64> {
    if work.totals.handed == 0 {
        return Ok(0);
    }
    let changed = if let Some(via) = via {
        let sql = "UPDATE failed_interactions SET held = 0, via = NULL, handle = NULL WHERE held = 2 AND via = ?1 AND next_ms < ?2";
        work.db.execute(sql, params![via, before.as_millis()])?
    } else {
        let known = serde_json::to_string(known).unwrap_or_default();
        let sql = "UPDATE failed_interactions SET held = 0, via = NULL, handle = NULL \
                   WHERE held = 2 AND via NOT IN (SELECT value FROM json_each(?1)) AND next_ms < ?2";
        work.db.execute(sql, params![known, before.as_millis()])?
    };
    let changed = u64::try_from(changed).unwrap_or(0);
    work.totals.handed = work.totals.handed.saturating_sub(changed);
    Ok(changed)
}

pub(super) fn hurry(work: &mut Work<'_>) -> rusqlite::Result<u64> {
    let changed = work.db.execute("UPDATE failed_interactions SET next_ms = 0 WHERE held = 1", [])?;
    Ok(u64::try_from(changed).unwrap_or(0))
}

pub(super) fn oldest(work: &mut Work<'_>) -> rusqlite::Result<Option<Instant>> {
    let sql = "SELECT created_ms FROM failed_interactions ORDER BY id LIMIT 1";
    let at = work.db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
    Ok(at.map(Instant::from_millis))
}

pub(super) fn is_imported(work: &mut Work<'_>, path: &str) -> rusqlite::Result<bool> {
    Ok(fact(work, &format!("imported:{path}"))?.is_some())
}

pub(super) fn set_imported(work: &mut Work<'_>, path: &str, now: Instant) -> rusqlite::Result<()> {
    set_fact(work, &format!("imported:{path}"), &now.to_string())
}

fn fact(work: &Work<'_>, name: &str) -> rusqlite::Result<Option<String>> {
    work.db.prepare_cached("SELECT value FROM facts WHERE name = ?1")?.query_row(params![name], |row| row.get(0)).optional()
}

fn set_fact(work: &Work<'_>, name: &str, value: &str) -> rusqlite::Result<()> {
    let sql = "INSERT INTO facts (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    work.db.prepare_cached(sql)?.execute(params![name, value]).map(drop)
}

pub(super) fn length(data: &str) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}
