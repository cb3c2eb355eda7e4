//! Dead letters, and what time does to the queue.

use rusqlite::{Row, params};

use crate::domain::clock::Instant;
use crate::domain::report::DeadLetter;
use crate::store::spool::rows::{Gone, length, take_out};
use crate::store::spool::worker::Work;
use crate::store::spool::{Cleaned, Options};

/// Rows that one cleaning touches of each kind: it never holds up the queue.
const CLEAN_MAX: i64 = 1_000;

/// Ids of delivered records that are kept at most, whatever their age.
const DELIVERED_MAX: u64 = 1_000_000;

/// Makes a dead letter of a row that was taken out; `more` refusals count on top of those it had.
pub(super) fn bury(work: &mut Work<'_>, gone: &Gone, reason: &str, more: u32, now: Instant) -> rusqlite::Result<()> {
    let sql = "INSERT INTO dead_interactions (record_id, interaction_id, data, created_ms, retry_count, reason, died_ms) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING";
    let values = params![gone.record_id, gone.interaction_id, gone.data, gone.created_ms, gone.refusals + more, reason, now.as_millis()];
    if work.db.prepare_cached(sql)?.execute(values)? > 0 {
        work.totals.dead += 1;
        work.totals.dead_unseen += 1;
        work.totals.dead_bytes += length(&gone.data);
    }
    Ok(())
}

pub(super) fn list(work: &mut Work<'_>, after: i64, limit: usize, seen: bool) -> rusqlite::Result<Vec<DeadLetter>> {
    let sql = "SELECT id, record_id, interaction_id, reason, retry_count, created_ms, died_ms, data FROM dead_interactions \
               WHERE id > ?1 ORDER BY id LIMIT ?2";
    let read = |row: &Row<'_>| {
        let data: String = row.get(7)?;
        Ok(DeadLetter {
            number: row.get(0)?,
            record_id: row.get(1)?,
            interaction_id: row.get(2)?,
            reason: row.get(3)?,
            refusals: row.get(4)?,
            stored_at: Instant::from_millis(row.get(5)?),
            died_at: Instant::from_millis(row.get(6)?),
            record: serde_json::from_str(&data).unwrap_or(serde_json::Value::String(data)),
        })
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let letters = work.db.prepare_cached(sql)?.query_map(params![after, limit], read)?.collect::<rusqlite::Result<Vec<_>>>()?;
    if seen && let (Some(first), Some(last)) = (letters.first(), letters.last()) {
        let sql = "UPDATE dead_interactions SET seen = 1 WHERE id BETWEEN ?1 AND ?2 AND seen = 0";
        let changed = work.db.execute(sql, params![first.number, last.number])?;
        work.totals.dead_unseen = work.totals.dead_unseen.saturating_sub(u64::try_from(changed).unwrap_or(0));
    }
    Ok(letters)
}

/// Puts dead letters back behind what waits: their places are long gone.
pub(super) fn resend(work: &mut Work<'_>, numbers: Option<&[i64]>, now: Instant) -> rusqlite::Result<u64> {
    let numbers = match numbers {
        Some(numbers) => numbers.to_vec(),
        None => {
            let mut all = work.db.prepare_cached("SELECT id FROM dead_interactions ORDER BY id")?;
            all.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?
        }
    };
    let mut sent = 0;
    for number in numbers {
        let Some((gone, _)) = exhume(work, number)? else { continue };
        let sql =
            "INSERT INTO failed_interactions (record_id, interaction_id, data, created_ms) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
        // It is as old as its return: it must not die of age at once.
        let values = params![gone.record_id, gone.interaction_id, gone.data, now.as_millis()];
        if work.db.prepare_cached(sql)?.execute(values)? > 0 {
            work.totals.waiting += 1;
            work.totals.waiting_bytes += length(&gone.data);
        }
        sent += 1;
    }
    Ok(sent)
}

/// Takes a dead letter out, and whether it was seen.
fn exhume(work: &mut Work<'_>, number: i64) -> rusqlite::Result<Option<(Gone, bool)>> {
    use rusqlite::OptionalExtension;
    let sql = "DELETE FROM dead_interactions WHERE id = ?1 RETURNING record_id, interaction_id, data, created_ms, seen";
    let read = |row: &Row<'_>| {
        let gone = Gone { record_id: row.get(0)?, interaction_id: row.get(1)?, data: row.get(2)?, created_ms: row.get(3)?, refusals: 0 };
        Ok((gone, row.get::<_, bool>(4)?))
    };
    let found = work.db.prepare_cached(sql)?.query_row(params![number], read).optional()?;
    if let Some((gone, seen)) = &found {
        let totals = &mut work.totals;
        totals.dead = totals.dead.saturating_sub(1);
        totals.dead_bytes = totals.dead_bytes.saturating_sub(length(&gone.data));
        totals.dead_unseen = totals.dead_unseen.saturating_sub(u64::from(!seen));
    }
    Ok(found)
}

pub(super) fn clean(work: &mut Work<'_>, options: &Options, now: Instant) -> rusqlite::Result<Cleaned> {
    Ok(Cleaned { expired: expire(work, options, now)?, dropped: make_room(work, options)?, forgotten: forget(work, options, now)? })
}

/// What waited for too long becomes a dead letter. What was handed over may have arrived: it is left to its transport.
fn expire(work: &mut Work<'_>, options: &Options, now: Instant) -> rusqlite::Result<u64> {
    let limit = before(now, options.age_max);
    let old: Vec<i64> = {
        let sql = "SELECT id, created_ms, held FROM failed_interactions ORDER BY id LIMIT ?1";
        let mut statement = work.db.prepare_cached(sql)?;
        let rows = statement.query_map(params![CLEAN_MAX], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        rows.into_iter().filter(|(_, created, held)| *created < limit && *held != 2).map(|(id, _, _)| id).collect()
    };
    let days = options.age_max.as_secs() / 86_400;
    for number in &old {
        if let Some(gone) = take_out(work, *number)? {
            bury(work, &gone, &format!("could not be delivered within {days} days"), 0, now)?;
        }
    }
    Ok(u64::try_from(old.len()).unwrap_or(0))
}

/// Dead letters may fill half of the queue; beyond that the oldest that somebody has seen go.
fn make_room(work: &mut Work<'_>, options: &Options) -> rusqlite::Result<u64> {
    let mut dropped = 0;
    while work.totals.dead_bytes > options.bytes_max / 2 && dropped < 1_000 {
        let sql = "SELECT id FROM dead_interactions WHERE seen = 1 ORDER BY id LIMIT 1";
        let Some(number) = work.db.prepare_cached(sql)?.query_map([], |row| row.get::<_, i64>(0))?.next().transpose()? else { break };
        exhume(work, number)?;
        work.totals.dropped += 1;
        dropped += 1;
    }
    Ok(dropped)
}

fn forget(work: &mut Work<'_>, options: &Options, now: Instant) -> rusqlite::Result<u64> {
    let limit = before(now, options.delivered_for);
    let surplus = i64::try_from(work.totals.delivered.saturating_sub(DELIVERED_MAX)).unwrap_or(0);
    // Numbers rise with time, so the oldest stand first and nothing else is looked at.
    let sql = "DELETE FROM delivered_interactions WHERE id IN ( \
               SELECT id FROM (SELECT id, delivered_ms, row_number() OVER (ORDER BY id) AS place \
                   FROM (SELECT id, delivered_ms FROM delivered_interactions ORDER BY id LIMIT ?1)) \
               WHERE delivered_ms < ?2 OR place <= ?3)";
    let gone = u64::try_from(work.db.prepare_cached(sql)?.execute(params![CLEAN_MAX, limit, surplus])?).unwrap_or(0);
    work.totals.delivered = work.totals.delivered.saturating_sub(gone);
    Ok(gone)
}

fn before(now: Instant, by: std::time::Duration) -> i64 {
    now.as_millis().saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
}
