//! Rows of memories: kept, joined, changed, forgotten, listed. Each change of a row is one transaction with that of its terms.

use std::collections::HashSet;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params, params_from_iter};
use sha2::{Digest, Sha256};

use crate::domain::clock::Instant;
use crate::domain::ids::MemoryId;
use crate::domain::memory::{Memory, MemoryFilter, MemoryKind, MemoryPage, MemorySource, TAGS_MAX};
use crate::store::memory::search::{self, Ranking, Wanted};
use crate::store::memory::words::{self, Indexed};
use crate::store::memory::{Broken, Error, Opened, SPACE_MAX};

/// Memories of a list where nobody says how many, and at most.
const LIST: (usize, usize) = (20, 10_000);

/// From which share of common terms on two memories are taken for one.
const NEAR_TERMS: f64 = 0.9;

/// From which cosine on, where the terms are not far apart either.
const NEAR_COSINE: f64 = 0.95;

/// The share of common terms that a high cosine needs beside it: a vector alone hardly tells `green` from `blue`.
const NEAR_COSINE_TERMS: f64 = 0.6;

/// Memories that are looked at as near ones.
const NEAR_MAX: usize = 16;

/// The columns of [`memory`].
pub(super) const COLUMNS: &str = "memory_id, content, kind, tags, source, created_ms, updated_ms, used_ms, uses";

/// A memory to be kept.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The space it belongs to.
    pub space: String,
    /// What is to be kept. Its id counts where it joins no other.
    pub memory: Memory,
    /// The vector of its text, where one was made already; with the model that made it.
    pub vector: Option<(String, Vec<f32>)>,
}

/// What came of a memory that was to be kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Put {
    /// It is new.
    New(Memory),
    /// One that says the same was there: tags were joined. The memory as it is now, and whether that changed it.
    Same(Memory, bool),
    /// One that nearly says the same was there: it has the new text now, and the tags of both.
    Near {
        /// As it is now.
        memory: Memory,
        /// What it said before.
        before: String,
    },
}

/// A memory with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The memory.
    pub memory: Memory,
    pub(super) id: i64,
    /// Counts the changes of its text and kind.
    pub revision: i64,
}

/// What changes of a memory; what is absent stays.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changed {
    /// The text.
    pub content: Option<String>,
    /// The kind.
    pub kind: Option<MemoryKind>,
    /// The tags.
    pub tags: Option<Vec<String>>,
}

pub(super) fn kind_number(kind: MemoryKind) -> i64 {
    match kind {
        MemoryKind::Fact => 0,
        MemoryKind::Preference => 1,
        MemoryKind::Person => 2,
        MemoryKind::Project => 3,
    }
}

fn kind_of(number: i64) -> MemoryKind {
    MemoryKind::ALL.into_iter().find(|kind| kind_number(*kind) == number).unwrap_or_default()
}

fn source_number(source: MemorySource) -> i64 {
    match source {
        MemorySource::Session => 0,
        MemorySource::User => 1,
        MemorySource::Import => 2,
    }
}

/// Reads [`COLUMNS`].
pub(super) fn memory(row: &Row<'_>) -> rusqlite::Result<Memory> {
    let tags: String = row.get(3)?;
    let source = match row.get::<_, i64>(4)? {
        0 => MemorySource::Session,
        2 => MemorySource::Import,
        _ => MemorySource::User,
    };
    Ok(Memory {
        memory_id: MemoryId::from(row.get::<_, String>(0)?),
        content: row.get(1)?,
        kind: kind_of(row.get(2)?),
        tags: serde_json::from_str(&tags).unwrap_or_default(),
        source,
        created: Instant::from_millis(row.get(5)?),
        updated: Instant::from_millis(row.get(6)?),
        last_used: row.get::<_, Option<i64>>(7)?.map(Instant::from_millis),
        times_used: row.get::<_, i64>(8)?.unsigned_abs(),
        score: None,
    })
}

pub(super) fn put(opened: &mut Opened, draft: Draft) -> Result<Put, Broken> {
    let Draft { space, memory, vector } = draft;
    if let Some(found) = same(&opened.connection, &space, &memory.content)? {
        return Ok(join_same(&opened.connection, found, &memory)?);
    }
    if let Some(near) = near(opened, &space, &memory.content, vector.as_ref())? {
        let before = near.memory.content.clone();
        let changed = Changed {
            content: Some(memory.content.clone()),
            kind: (memory.kind != MemoryKind::Fact).then_some(memory.kind),
            tags: Some(joined(&near.memory.tags, &memory.tags)),
        };
        let now = change(opened, &space, near, changed, memory.updated)?;
        return Ok(Put::Near { memory: now, before });
    }
    let transaction = opened.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    insert(&transaction, &space, &memory)?;
    transaction.commit()?;
    if let Some((model, numbers)) = vector {
        let found = find(&opened.connection, &space, memory.memory_id.as_str())?;
        let vector = super::Vector { place: found.id, revision: found.revision, numbers };
        // The memory is kept with or without: the background makes it again.
        if let Err(Broken::Sql(error)) = super::vectors::keep(opened, &model, vec![vector]) {
            return Err(error.into());
        }
    }
    Ok(Put::New(memory))
}

/// Keeps many in one transaction, all or none; joins only what says exactly the same. One whose id is another's gets a new one.
pub(super) fn put_all(opened: &mut Opened, space: &str, memories: Vec<Memory>) -> Result<Vec<Put>, Broken> {
    let transaction = opened.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut out = Vec::with_capacity(memories.len());
    for mut memory in memories {
        if let Some(found) = same(&transaction, space, &memory.content)? {
            out.push(join_same(&transaction, found, &memory)?);
            continue;
        }
        let taken = transaction.prepare_cached("SELECT 1 FROM memories WHERE memory_id = ?1")?.exists([memory.memory_id.as_str()])?;
        if taken {
            memory.memory_id = MemoryId::generate();
        }
        insert(&transaction, space, &memory)?;
        out.push(Put::New(memory));
    }
    transaction.commit()?;
    Ok(out)
}

/// Tags of the new one are added; the text stays as it was written first.
fn join_same(connection: &Connection, found: Found, memory: &Memory) -> rusqlite::Result<Put> {
    let tags = joined(&found.memory.tags, &memory.tags);
    if tags == found.memory.tags {
        return Ok(Put::Same(found.memory, false));
    }
    let updated = memory.updated.max(found.memory.updated);
    let changed = params![tags_text(&tags), updated.as_millis(), found.id];
    connection.execute("UPDATE memories SET tags = ?1, updated_ms = ?2 WHERE id = ?3", changed)?;
    Ok(Put::Same(Memory { tags, updated, ..found.memory }, true))
}

fn joined(one: &[String], other: &[String]) -> Vec<String> {
    let mut tags = one.to_vec();
    tags.extend(other.iter().filter(|tag| !one.contains(tag)).cloned());
    tags.truncate(TAGS_MAX);
    tags
}

fn tags_text(tags: &[String]) -> String {
    serde_json::to_string(tags).unwrap_or_else(|_| "[]".to_owned())
}

fn same_key(content: &str) -> Vec<u8> {
    Sha256::digest(words::folded(content).as_bytes()).iter().copied().take(16).collect()
}

fn same(connection: &Connection, space: &str, content: &str) -> Result<Option<Found>, Broken> {
    let query = format!("SELECT {COLUMNS}, id, revision FROM memories WHERE space = ?1 AND same = ?2");
    Ok(connection.prepare_cached(&query)?.query_row(params![space, same_key(content)], found).optional()?)
}

fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    Ok(Found { memory: memory(row)?, id: row.get(9)?, revision: row.get(10)? })
}

/// The memory that nearly says `content`: the same but for a word or two, and never another number or its opposite.
fn near(opened: &mut Opened, space: &str, content: &str, vector: Option<&(String, Vec<f32>)>) -> Result<Option<Found>, Broken> {
    let own = words::indexed(content);
    let own = term_set(&own);
    let wanted = Wanted {
        space: space.to_owned(),
        query: content.to_owned(),
        vector: vector.cloned(),
        kind: None,
        tags: Vec::new(),
        limit: NEAR_MAX,
        ranking: Ranking::plain(),
    };
    for hit in search::search(opened, &wanted)? {
        let other = words::indexed(&hit.memory.content);
        let other = term_set(&other);
        let common = share(&own, &other);
        let close =
            common >= NEAR_TERMS || (common >= NEAR_COSINE_TERMS && hit.similarity.is_some_and(|cosine| f64::from(cosine) >= NEAR_COSINE));
        if close && !contradicts(&own, &other) {
            return Ok(Some(find(&opened.connection, space, hit.memory.memory_id.as_str())?));
        }
    }
    Ok(None)
}

fn term_set(terms: &Indexed) -> HashSet<&str> {
    terms.words.iter().chain(&terms.pairs).map(String::as_str).collect()
}

/// The share of common terms of all terms (Jaccard).
fn share(one: &HashSet<&str>, other: &HashSet<&str>) -> f64 {
    let common = one.intersection(other).count();
    let all = one.len() + other.len() - common;
    if all == 0 { 0.0 } else { f64::from(u32::try_from(common).unwrap_or(0)) / f64::from(u32::try_from(all).unwrap_or(1)) }
}

/// Whether only one of them has a number or a word that turns the meaning round.
fn contradicts(one: &HashSet<&str>, other: &HashSet<&str>) -> bool {
    one.symmetric_difference(other).any(|term| {
        term.bytes().any(|byte| byte.is_ascii_digit())
            || matches!(
                *term,
                "not" | "no" | "never" | "dont" | "cannot" | "cant" | "isnt" | "without" | "hat" | "dislik" | "不" | "没" | "别" | "无"
            )
    })
}

fn insert(transaction: &Transaction<'_>, space: &str, memory: &Memory) -> Result<(), Broken> {
    let held: Option<i64> =
        transaction.prepare_cached("SELECT memories FROM totals WHERE space = ?1")?.query_row([space], |row| row.get(0)).optional()?;
    if held.unwrap_or(0).unsigned_abs() >= SPACE_MAX {
        return Err(Error::Full { space: space.to_owned() }.into());
    }
    let terms = all_terms(&memory.content, &memory.tags);
    let revision = next_revision(transaction)?;
    transaction
        .prepare_cached(
            "INSERT INTO memories (memory_id, space, kind, content, tags, source, created_ms, updated_ms, used_ms, uses, length, same, revision)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            memory.memory_id.as_str(),
            space,
            kind_number(memory.kind),
            memory.content,
            tags_text(&memory.tags),
            source_number(memory.source),
            memory.created.as_millis(),
            memory.updated.as_millis(),
            memory.last_used.map(Instant::as_millis),
            i64::try_from(memory.times_used).unwrap_or(i64::MAX),
            length(&terms),
            same_key(&memory.content),
            revision,
        ])?;
    let id = transaction.last_insert_rowid();
    add_terms(transaction, id, space, &terms)?;
    Ok(())
}

/// The terms of the text; those of the tags that are not in it too.
fn all_terms(content: &str, tags: &[String]) -> Indexed {
    let mut terms = words::indexed(content);
    let of_tags = words::indexed(&tags.join(" . "));
    for term in of_tags.words {
        if !terms.words.contains(&term) {
            terms.words.push(term);
        }
    }
    for term in of_tags.pairs {
        if !terms.pairs.contains(&term) {
            terms.pairs.push(term);
        }
    }
    terms
}

fn length(terms: &Indexed) -> i64 {
    i64::try_from(terms.words.len() + terms.pairs.len()).unwrap_or(i64::MAX)
}

fn add_terms(transaction: &Transaction<'_>, id: i64, space: &str, terms: &Indexed) -> rusqlite::Result<()> {
    transaction.prepare_cached("INSERT INTO words (rowid, singles, pairs) VALUES (?1, ?2, ?3)")?.execute(params![
        id,
        terms.words.join(" "),
        terms.pairs.join(" ")
    ])?;
    {
        let mut count =
            transaction.prepare_cached("INSERT INTO terms VALUES (?1, 1) ON CONFLICT (term) DO UPDATE SET memories = memories + 1")?;
        for term in term_set(terms) {
            count.execute([term])?;
        }
    }
    transaction
        .prepare_cached(
            "INSERT INTO totals VALUES (?1, 1, ?2) ON CONFLICT (space) DO UPDATE SET memories = memories + 1, length = length + excluded.length",
        )?
        .execute(params![space, length(terms)])?;
    Ok(())
}

fn remove_terms(transaction: &Transaction<'_>, id: i64, space: &str, terms: &Indexed) -> rusqlite::Result<()> {
    transaction.prepare_cached("DELETE FROM words WHERE rowid = ?1")?.execute([id])?;
    {
        let mut last = transaction.prepare_cached("DELETE FROM terms WHERE term = ?1 AND memories <= 1")?;
        let mut less = transaction.prepare_cached("UPDATE terms SET memories = memories - 1 WHERE term = ?1")?;
        for term in term_set(terms) {
            if last.execute([term])? == 0 {
                less.execute([term])?;
            }
        }
    }
    transaction
        .prepare_cached("UPDATE totals SET memories = memories - 1, length = length - ?2 WHERE space = ?1")?
        .execute(params![space, length(terms)])?;
    Ok(())
}

/// A number that no change had before.
fn next_revision(transaction: &Transaction<'_>) -> rusqlite::Result<i64> {
    transaction
        .prepare_cached(
            "INSERT INTO meta VALUES ('revision', '1') ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)
             RETURNING CAST(value AS INTEGER)",
        )?
        .query_row([], |row| row.get(0))
}

pub(super) fn find(connection: &Connection, space: &str, id: &str) -> Result<Found, Broken> {
    let id = id.trim();
    // `~` comes after all that ids are made of.
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        return Err(Error::Missing(id.to_owned()).into());
    }
    let query = format!(
        "SELECT {COLUMNS}, id, revision FROM memories WHERE space = ?1 AND memory_id >= ?2 AND memory_id < ?2 || '~' ORDER BY memory_id LIMIT 2"
    );
    let mut statement = connection.prepare_cached(&query)?;
    let mut rows: Vec<Found> = statement.query_map([space, id], found)?.collect::<Result<_, _>>()?;
    if let Some(at) = rows.iter().position(|found| found.memory.memory_id.as_str() == id) {
        return Ok(rows.swap_remove(at));
    }
    match (rows.pop(), rows.pop()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Error::Missing(id.to_owned()).into()),
        (Some(_), Some(_)) => Err(Error::Ambiguous(id.to_owned()).into()),
    }
}

pub(super) fn update(opened: &mut Opened, space: &str, id: &str, changed: Changed, now: Instant) -> Result<Memory, Broken> {
    let found = find(&opened.connection, space, id)?;
    change(opened, space, found, changed, now)
}

fn change(opened: &mut Opened, space: &str, found: Found, changed: Changed, now: Instant) -> Result<Memory, Broken> {
    let before = found.memory;
    let after = Memory {
        content: changed.content.unwrap_or_else(|| before.content.clone()),
        kind: changed.kind.unwrap_or(before.kind),
        tags: changed.tags.unwrap_or_else(|| before.tags.clone()),
        updated: now.max(before.updated),
        ..before.clone()
    };
    if let Some(other) = same(&opened.connection, space, &after.content)?.filter(|other| other.id != found.id) {
        return Err(Error::Same(other.memory.memory_id).into());
    }
    let transaction = opened.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    remove_terms(&transaction, found.id, space, &all_terms(&before.content, &before.tags))?;
    let terms = all_terms(&after.content, &after.tags);
    add_terms(&transaction, found.id, space, &terms)?;
    let revision = next_revision(&transaction)?;
    transaction
        .prepare_cached(
            "UPDATE memories SET content = ?2, kind = ?3, tags = ?4, updated_ms = ?5, length = ?6, same = ?7, revision = ?8 WHERE id = ?1",
        )?
        .execute(params![
            found.id,
            after.content,
            kind_number(after.kind),
            tags_text(&after.tags),
            after.updated.as_millis(),
            length(&terms),
            same_key(&after.content),
            revision,
        ])?;
    if after.content == before.content {
        transaction.execute("UPDATE vectors SET revision = ?2 WHERE id = ?1", [found.id, revision])?;
    } else {
        transaction.execute("DELETE FROM vectors WHERE id = ?1", [found.id])?;
    }
    transaction.commit()?;
    opened.index.changed(found.id, (after.content == before.content).then_some((kind_number(after.kind), revision)));
    Ok(after)
}

pub(super) fn forget(opened: &mut Opened, space: &str, id: &str) -> Result<Memory, Broken> {
    let found = find(&opened.connection, space, id)?;
    let transaction = opened.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    remove_terms(&transaction, found.id, space, &all_terms(&found.memory.content, &found.memory.tags))?;
    transaction.execute("DELETE FROM vectors WHERE id = ?1", [found.id])?;
    transaction.execute("DELETE FROM memories WHERE id = ?1", [found.id])?;
    transaction.commit()?;
    // What was overwritten in the file stands in the write-ahead log still, up to a checkpoint.
    opened.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    opened.index.changed(found.id, None);
    Ok(found.memory)
}

pub(super) fn used(connection: &mut Connection, ids: &[MemoryId], now: Instant) -> Result<(), Broken> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for id in ids {
        transaction
            .prepare_cached("UPDATE memories SET uses = uses + 1, used_ms = ?2 WHERE memory_id = ?1")?
            .execute(params![id.as_str(), now.as_millis()])?;
    }
    transaction.commit()?;
    Ok(())
}

pub(super) fn list(connection: &Connection, space: &str, filter: &MemoryFilter) -> Result<MemoryPage, Broken> {
    let mut wanted = "space = ?".to_owned();
    let mut values = vec![Value::from(space.to_owned())];
    if let Some(kind) = filter.kind {
        wanted.push_str(" AND kind = ?");
        values.push(kind_number(kind).into());
    }
    for tag in &filter.tags {
        wanted.push_str(" AND EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)");
        values.push(tag.clone().into());
    }
    let count = format!("SELECT count(*) FROM memories WHERE {wanted}");
    let total: i64 = connection.prepare_cached(&count)?.query_row(params_from_iter(&values), |row| row.get(0))?;
    let limit = filter.limit.unwrap_or(LIST.0).min(LIST.1);
    values.push(i64::try_from(limit).unwrap_or(i64::MAX).into());
    values.push(i64::try_from(filter.offset).unwrap_or(i64::MAX).into());
    let query = format!("SELECT {COLUMNS} FROM memories WHERE {wanted} ORDER BY updated_ms DESC, id DESC LIMIT ? OFFSET ?");
    let memories = connection.prepare_cached(&query)?.query_map(params_from_iter(&values), memory)?.collect::<Result<_, _>>()?;
    Ok(MemoryPage { total: total.unsigned_abs(), memories })
}
