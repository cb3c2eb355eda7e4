//! Finds memories by their words and, where there are vectors, by what they mean.
//!
//! Full text: FTS5 says which memories hold the terms of a question, the scoring (BM25) is done here over a bounded number of them. A
//! term that half of all memories hold would cost a walk through all of these, so the rare terms of a question choose the candidates, and
//! common ones only together. Vectors: all are compared. Both orders are joined by reciprocal rank fusion (Cormack et al. 2009), then weighed
//! by age and kind.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};

use crate::domain::clock::Instant;
use crate::domain::memory::{Memory, MemoryKind};
use crate::store::memory::words::{self, is_cjk};
use crate::store::memory::{Broken, Opened, rows};

/// Memories whose scores are worked out by their terms.
const CANDIDATES_MAX: usize = 250;

/// Memories that a set of terms taken together may add, the latest.
const TOGETHER_MAX: usize = 100;

/// The best by vectors that are joined with those by terms.
const VECTORS_MAX: usize = 50;

/// The most memories of an answer.
const HITS_MAX: usize = 200;

/// BM25's `k1` and `b`, as Lucene and FTS5 have them.
const K1: f64 = 1.2;
/// See [`K1`].
const B: f64 = 0.75;

/// The constant of reciprocal rank fusion. The paper's 60 is for lists of a thousand; with lists of fifty the first places count more.
const RANK_CONSTANT: f64 = 10.0;

/// How much of its score a very old memory loses.
const AGE_WEIGHT: f64 = 0.15;

/// Memories below which rarity is not told from chance.
const FEW: f64 = 200.0;

/// What a term counts that only begins like one of the question.
const PREFIX_WEIGHT: f64 = 0.6;

/// What a term of the question counts in the cover that no memory holds.
const UNKNOWN_WEIGHT: f64 = 0.6;

/// Terms that begin like one of the question and are taken for it.
const PREFIXES_MAX: usize = 6;

/// How the order is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranking {
    /// The time now.
    pub now: Instant,
    /// Days after which half of a memory's advantage of being new is gone; age does not count where absent.
    pub half_life_days: Option<f64>,
}

impl Ranking {
    /// By relevance alone.
    pub fn plain() -> Self {
        Self { now: Instant::default(), half_life_days: None }
    }

    fn factor(&self, updated: Instant, kind: MemoryKind) -> f64 {
        let of_kind = match kind {
            // What somebody likes is what answers turn on.
            MemoryKind::Preference => 1.03,
            MemoryKind::Person | MemoryKind::Fact => 1.0,
            // Projects come to an end.
            MemoryKind::Project => 0.99,
        };
        let Some(half_life) = self.half_life_days.filter(|days| *days > 0.0) else { return of_kind };
        let days = self.now.since(updated).as_secs_f64() / 86_400.0;
        of_kind * (1.0 - AGE_WEIGHT * (1.0 - (-days / half_life).exp2()))
    }
}

/// A question.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The space.
    pub space: String,
    /// The words.
    pub query: String,
    /// Their vector, with the model that made it.
    pub vector: Option<(String, Vec<f32>)>,
    /// Only of this kind.
    pub kind: Option<MemoryKind>,
    /// Only with all of these tags.
    pub tags: Vec<String>,
    /// At most so many.
    pub limit: usize,
    /// How the order is made.
    pub ranking: Ranking,
}

/// A memory that fits.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The memory, its score set: the larger of cover and similarity.
    pub memory: Memory,
    /// The share of what the question asks about that the memory holds, 0 to 1: rare terms count more, and a question much longer than
    /// the memory need not be covered whole.
    pub cover: f64,
    /// The cosine of both vectors, where there are any.
    pub similarity: Option<f32>,
}

/// A term of the question as it is looked for.
struct Term {
    text: String,
    memories: f64,
    /// Its rarity times its weight.
    value: f64,
    /// Which of the question's terms it stands for.
    of: usize,
}

/// What the question comes to in this file.
struct Question {
    terms: Vec<Term>,
    /// The value of all its terms.
    total: f64,
    /// How many they are.
    count: usize,
}

/// A candidate with its score.
struct Scored {
    id: i64,
    text: f64,
    cover: f64,
    similarity: Option<f32>,
    factor: f64,
}

pub(super) fn search(opened: &mut Opened, wanted: &Wanted) -> Result<Vec<Hit>, Broken> {
    let Opened { connection, index } = opened;
    let totals: Option<(i64, i64)> = connection
        .prepare_cached("SELECT memories, length FROM totals WHERE space = ?1")?
        .query_row([&wanted.space], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((count, length)) = totals.filter(|(count, _)| *count > 0) else { return Ok(Vec::new()) };
    let (count, average) = (to_f64(count), (to_f64(length) / to_f64(count)).max(1.0));
    let question = question(connection, &wanted.query, count)?;

    let mut similar: HashMap<i64, f32> = HashMap::new();
    if let Some((model, vector)) = &wanted.vector {
        index.follow(connection)?;
        let room = if wanted.tags.is_empty() { VECTORS_MAX } else { HITS_MAX };
        similar.extend(index.nearest(model, &wanted.space, wanted.kind, vector, room.max(wanted.limit.min(HITS_MAX))));
    }
    let cosine = wanted.vector.as_ref().map(|(model, vector)| index.cosines(model, vector));
    let by_terms = candidates(connection, &question)?;
    let mut all: Vec<Scored> = Vec::with_capacity(by_terms.len() + similar.len());
    let mut seen = HashSet::new();
    for id in by_terms.iter().chain(similar.keys()) {
        if seen.insert(*id)
            && let Some(mut scored) = score(connection, wanted, &question, *id, average)?
        {
            scored.similarity = similar.get(id).copied().or_else(|| cosine.as_ref()?(*id));
            all.push(scored);
        }
    }
    let order = fused(&all, wanted.vector.is_some());
    order.into_iter().take(wanted.limit.min(HITS_MAX)).map(|at| hit(connection, &all[at])).collect()
}

fn to_f64(number: i64) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

/// The terms of a question that memories hold, and what they are worth.
fn question(connection: &Connection, text: &str, count: f64) -> Result<Question, Broken> {
    let rarity = |memories: f64| (1.0 + (count.max(FEW).max(memories) - memories + 0.5) / (memories + 0.5)).ln();
    let mut found = Question { terms: Vec::new(), total: 0.0, count: 0 };
    let mut known = connection.prepare_cached("SELECT memories FROM terms WHERE term = ?1")?;
    for (of, asked) in words::asked(text).into_iter().enumerate() {
        found.count += 1;
        let memories: Option<i64> = known.query_row([&asked.term], |row| row.get(0)).optional()?;
        if let Some(memories) = memories.map(to_f64) {
            let value = asked.weight * rarity(memories);
            found.total += value;
            found.terms.push(Term { text: asked.term, memories, value, of });
            continue;
        }
        let alike = alike(connection, &asked.term)?;
        let value = asked.weight * rarity(alike.iter().map(|(_, memories)| *memories).fold(0.0, f64::max));
        found.total += value * if alike.is_empty() { UNKNOWN_WEIGHT } else { 1.0 };
        found.terms.extend(alike.into_iter().map(|(text, memories)| Term { text, memories, value: value * PREFIX_WEIGHT, of }));
    }
    found.terms.sort_by(|one, other| one.memories.total_cmp(&other.memories));
    Ok(found)
}

/// Terms that begin like a word that no memory holds: `deployment` for `deploy`, and the other way round.
fn alike(connection: &Connection, word: &str) -> Result<Vec<(String, f64)>, Broken> {
    if word.len() < 5 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Ok(Vec::new());
    }
    let start = &word[..(word.len() * 2 / 3).max(4)];
    let mut statement = connection
        .prepare_cached("SELECT term, memories FROM terms WHERE term >= ?1 AND term < ?1 || '~' ORDER BY memories DESC LIMIT ?2")?;
    let limit = i64::try_from(PREFIXES_MAX).unwrap_or(i64::MAX);
    let found = statement.query_map(params![start, limit], |row| Ok((row.get(0)?, to_f64(row.get(1)?))))?;
    let mut found: Vec<(String, f64)> = found.collect::<Result<_, _>>()?;
    found.retain(|(term, _)| {
        let common = term.bytes().zip(word.bytes()).take_while(|(one, other)| one == other).count();
        common + 3 >= term.len().min(word.len()) && term.len().abs_diff(word.len()) <= 5
    });
    Ok(found)
}

/// Memories that may fit, bounded in number: all that hold a rare term, the latest that hold common ones together.
fn candidates(connection: &Connection, question: &Question) -> Result<Vec<i64>, Broken> {
    let quoted = |terms: &[&Term], joint: &str| terms.iter().map(|term| format!("\"{}\"", term.text)).collect::<Vec<_>>().join(joint);
    let mut held = 0.0;
    let limit = f64::from(u32::try_from(CANDIDATES_MAX).unwrap_or(u32::MAX));
    let split = question.terms.iter().position(|term| {
        held += term.memories;
        held > limit
    });
    let (rare, common) = question.terms.split_at(split.unwrap_or(question.terms.len()));
    let (rare, common): (Vec<&Term>, Vec<&Term>) = (rare.iter().collect(), common.iter().collect());
    let mut found = Vec::new();
    if !rare.is_empty() {
        matching(connection, &quoted(&rare, " OR "), CANDIDATES_MAX, &mut found)?;
    }
    if common.is_empty() {
        return Ok(found);
    }
    // The rarest of the common ones are asked for together; with ones that stand for the same word there is nothing to join.
    let mut distinct: Vec<&Term> = Vec::new();
    for term in &common {
        if distinct.iter().all(|known| known.of != term.of) {
            distinct.push(term);
        }
    }
    for many in [4, 3, 2] {
        if distinct.len() >= many && found.len() < CANDIDATES_MAX {
            matching(connection, &quoted(&distinct[..many], " AND "), TOGETHER_MAX, &mut found)?;
        }
    }
    // The rarest with each of the next, then alone.
    for other in distinct.iter().skip(2).take(2) {
        if found.len() < CANDIDATES_MAX {
            matching(connection, &quoted(&[distinct[0], other], " AND "), TOGETHER_MAX / 2, &mut found)?;
        }
    }
    if rare.is_empty() && found.len() < CANDIDATES_MAX {
        matching(connection, &quoted(&distinct[..1], ""), TOGETHER_MAX, &mut found)?;
    }
    Ok(found)
}

fn matching(connection: &Connection, query: &str, limit: usize, found: &mut Vec<i64>) -> Result<(), Broken> {
    let mut statement = connection.prepare_cached("SELECT rowid FROM words WHERE words MATCH ?1 ORDER BY rowid DESC LIMIT ?2")?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    for id in statement.query_map(params![query, limit], |row| row.get(0))? {
        found.push(id?);
    }
    Ok(())
}

/// What a memory is worth; `None` where the filter leaves it out or it is gone.
fn score(connection: &Connection, wanted: &Wanted, question: &Question, id: i64, average: f64) -> Result<Option<Scored>, Broken> {
    let mut statement = connection.prepare_cached(
        "SELECT space, kind, updated_ms, length, tags, c0, c1 FROM memories JOIN words_content ON words_content.id = memories.id
         WHERE memories.id = ?1",
    )?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    if row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)? != wanted.space {
        return Ok(None);
    }
    let kind: i64 = row.get(1)?;
    if wanted.kind.is_some_and(|wanted| rows::kind_number(wanted) != kind) {
        return Ok(None);
    }
    if !wanted.tags.is_empty() {
        let tags: Vec<String> = serde_json::from_str(row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?).unwrap_or_default();
        if !wanted.tags.iter().all(|tag| tags.contains(tag)) {
            return Ok(None);
        }
    }
    let length = to_f64(row.get(3)?);
    let own: [&str; 2] =
        [row.get_ref(5)?.as_str().map_err(rusqlite::Error::from)?, row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?];
    let (text, cover) = weigh(question, own, length / average);
    let kind = MemoryKind::ALL.into_iter().find(|known| rows::kind_number(*known) == kind).unwrap_or_default();
    let factor = wanted.ranking.factor(Instant::from_millis(row.get(2)?), kind);
    Ok(Some(Scored { id, text, cover, similarity: None, factor }))
}

/// BM25 of a memory's terms, and the share of the question that it holds.
fn weigh(question: &Question, own: [&str; 2], length: f64) -> (f64, f64) {
    let mut counts = vec![0_u32; question.terms.len()];
    let (mut seen, mut single) = (0_u32, 0_u32);
    for (at, list) in own.into_iter().enumerate() {
        for term in list.split(' ').filter(|term| !term.is_empty()) {
            // CJK characters are counted by their pairs.
            if at == 0 && term.chars().next().is_some_and(is_cjk) {
                single += 1;
            } else {
                seen += 1;
            }
            for (count, known) in counts.iter_mut().zip(&question.terms) {
                *count += u32::from(known.text == term);
            }
        }
    }
    let mut best = vec![0.0_f64; question.count];
    let mut text = 0.0;
    for (count, term) in counts.into_iter().zip(&question.terms).filter(|(count, _)| *count > 0) {
        let times = f64::from(count);
        text += term.value * times * (K1 + 1.0) / (times + K1 * (1.0 - B + B * length));
        best[term.of] = best[term.of].max(term.value);
    }
    let own = f64::from(seen.max(single.min(1)).max(1));
    let asked = f64::from(u32::try_from(question.count.max(1)).unwrap_or(u32::MAX));
    // A long message is about more than one memory can hold.
    let whole = question.total * (own / asked).clamp(0.25, 1.0);
    (text, if whole > 0.0 { (best.iter().sum::<f64>() / whole).min(1.0) } else { 0.0 })
}

/// The order of the candidates, the best first.
fn fused(all: &[Scored], vectors: bool) -> Vec<usize> {
    let ranked = |value: &dyn Fn(&Scored) -> Option<f64>| {
        let mut order: Vec<usize> = (0..all.len()).filter(|at| value(&all[*at]).is_some()).collect();
        order.sort_by(|one, other| {
            let (one_value, other_value) = (value(&all[*one]).unwrap_or(0.0), value(&all[*other]).unwrap_or(0.0));
            other_value.total_cmp(&one_value).then(all[*other].id.cmp(&all[*one].id))
        });
        order
    };
    let mut scores: Vec<f64> = all.iter().map(|scored| scored.text).collect();
    if vectors {
        scores = vec![0.0; all.len()];
        let by_text = ranked(&|scored| (scored.text > 0.0).then_some(scored.text));
        let by_vector = ranked(&|scored| scored.similarity.map(f64::from));
        for order in [by_text, by_vector] {
            for (rank, at) in (1_u32..).zip(order) {
                scores[at] += 1.0 / (RANK_CONSTANT + f64::from(rank));
            }
        }
    }
    for (score, scored) in scores.iter_mut().zip(all) {
        *score *= scored.factor;
    }
    let mut order: Vec<usize> = (0..all.len()).filter(|at| scores[*at] > 0.0).collect();
    order.sort_by(|one, other| scores[*other].total_cmp(&scores[*one]).then(all[*other].id.cmp(&all[*one].id)));
    order
}

fn hit(connection: &Connection, scored: &Scored) -> Result<Hit, Broken> {
    let query = format!("SELECT {} FROM memories WHERE id = ?1", rows::COLUMNS);
    let mut memory = connection.prepare_cached(&query)?.query_row([scored.id], rows::memory)?;
    let similar = scored.similarity.map_or(0.0, |cosine| f64::from(cosine).clamp(0.0, 1.0));
    memory.score = Some((scored.cover.max(similar) * 1_000.0).round() / 1_000.0);
    Ok(Hit { memory, cover: scored.cover, similarity: scored.similarity })
}
