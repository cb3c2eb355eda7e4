//! Vectors of memories: kept as 32-bit floats in the file, compared as bytes in memory.
//!
//! In memory a vector is one byte for each number (its length 1, scaled to what is largest in it) and a scale: 100,000 vectors of 384
//! numbers are 38 MB, and a comparison is a sum of small products that the compiler makes vector instructions of. The error of a cosine is
//! below 0.01. All vectors are of one model: with another one the old ones are dropped, and full text answers until the new ones are there.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::thread::available_parallelism;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::domain::memory::MemoryKind;
use crate::store::memory::{Broken, Error, Opened, rows};

/// The longest vector that is taken, in numbers.
const DIMENSIONS_MAX: usize = 8_192;

/// From so many bytes on the comparison is shared among threads: below, starting one takes longer than it saves.
const SHARED_FROM_BYTES: usize = 4 * 1024 * 1024;

/// The most threads of one comparison: more of them wait for memory.
const WORKERS_MAX: usize = 4;

/// A memory that has no vector yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its place; to be given back with the vector.
    pub place: i64,
    /// Which change of it this is; to be given back with the vector.
    pub revision: i64,
    /// Its text.
    pub content: String,
}

/// The vector of a memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector {
    /// Of which memory, see [`Pending::place`].
    pub place: i64,
    /// Of which change of it.
    pub revision: i64,
    /// The numbers.
    pub numbers: Vec<f32>,
}

/// The model and the length of the vectors in the file.
pub(super) fn made_by(connection: &Connection) -> rusqlite::Result<Option<(String, usize)>> {
    let value = |key: &str| -> rusqlite::Result<Option<String>> {
        connection.prepare_cached("SELECT value FROM meta WHERE key = ?1")?.query_row([key], |row| row.get(0)).optional()
    };
    let Some(model) = value("vector_model")? else { return Ok(None) };
    let dimensions = value("vector_dimensions")?.and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok(Some((model, dimensions)))
}

pub(super) fn pending(opened: &mut Opened, model: &str, limit: usize) -> Result<Vec<Pending>, Broken> {
    take_model(opened, model)?;
    let mut statement = opened.connection.prepare_cached(
        "SELECT id, revision, content FROM memories WHERE NOT EXISTS (SELECT 1 FROM vectors WHERE vectors.id = memories.id)
         ORDER BY id DESC LIMIT ?1",
    )?;
    let read = |row: &rusqlite::Row<'_>| Ok(Pending { place: row.get(0)?, revision: row.get(1)?, content: row.get(2)? });
    let found = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], read)?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Vectors of another model make room for those of this one.
fn take_model(opened: &mut Opened, model: &str) -> Result<(), Broken> {
    if made_by(&opened.connection)?.is_some_and(|(known, _)| known == model) {
        return Ok(());
    }
    let transaction = opened.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute("DELETE FROM vectors", [])?;
    transaction.execute("DELETE FROM meta WHERE key = 'vector_dimensions'", [])?;
    transaction.execute("INSERT INTO meta VALUES ('vector_model', ?1) ON CONFLICT (key) DO UPDATE SET value = excluded.value", [model])?;
    transaction.commit()?;
    opened.index = Index::default();
    Ok(())
}

pub(super) fn keep(opened: &mut Opened, model: &str, vectors: Vec<Vector>) -> Result<(), Broken> {
    take_model(opened, model)?;
    opened.index.follow(&opened.connection)?;
    let known = made_by(&opened.connection)?.map_or(0, |(_, dimensions)| dimensions);
    let Some(first) = vectors.first().map(|vector| vector.numbers.len()) else { return Ok(()) };
    let expected = if known == 0 { first } else { known };
    for vector in &vectors {
        let found = vector.numbers.len();
        if found != expected || found > DIMENSIONS_MAX {
            return Err(Error::Dimension { model: model.to_owned(), expected, found }.into());
        }
        if Quantised::new(&vector.numbers).is_none() {
            return Err(Error::NoVector { model: model.to_owned() }.into());
        }
    }
    let transaction = opened.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "INSERT INTO meta VALUES ('vector_dimensions', ?1) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [expected.to_string()],
    )?;
    let mut kept = Vec::with_capacity(vectors.len());
    for vector in vectors {
        let bytes: Vec<u8> = vector.numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        let row: Option<(String, i64)> = transaction
            .prepare_cached(
                "INSERT INTO vectors SELECT id, revision, ?3 FROM memories WHERE id = ?1 AND revision = ?2
                 ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, vector = excluded.vector
                 RETURNING (SELECT space FROM memories WHERE id = ?1), (SELECT kind FROM memories WHERE id = ?1)",
            )?
            .query_row(params![vector.place, vector.revision, bytes], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        kept.extend(row.map(|(space, kind)| (vector, space, kind)));
    }
    transaction.commit()?;
    opened.index.take_up(model, expected);
    for (vector, space, kind) in kept {
        opened.index.insert(vector.place, vector.revision, &space, kind, &vector.numbers);
    }
    Ok(())
}

/// A vector of length 1 in bytes.
struct Quantised {
    bytes: Vec<i8>,
    scale: f32,
}

impl Quantised {
    /// `None` where `numbers` has no direction.
    fn new(numbers: &[f32]) -> Option<Self> {
        let length = numbers.iter().map(|number| f64::from(*number) * f64::from(*number)).sum::<f64>().sqrt();
        let largest = numbers.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
        if !length.is_finite() || length <= 0.0 || !largest.is_finite() || largest <= 0.0 {
            return None;
        }
        let step = largest / 127.0;
        #[expect(clippy::cast_possible_truncation, reason = "rounded numbers from -127 to 127, and a scale far from the ends of f32")]
        let (bytes, scale) = (numbers.iter().map(|number| (number / step).round() as i8).collect(), (f64::from(step) / length) as f32);
        Some(Self { bytes, scale })
    }
}

/// All vectors of one model, as they are compared. Empty until it is asked for the first time.
#[derive(Default)]
pub(super) struct Index {
    model: String,
    dimensions: usize,
    ids: Vec<i64>,
    revisions: Vec<i64>,
    spaces: Vec<u32>,
    kinds: Vec<i64>,
    scales: Vec<f32>,
    bytes: Vec<i8>,
    places: HashMap<i64, usize>,
    space_numbers: HashMap<String, u32>,
    /// What `PRAGMA data_version` said when the file was last read: it changes when another process writes.
    seen: Option<i64>,
}

impl Index {
    /// Reads what others wrote since the last time; all, the first time.
    pub(super) fn follow(&mut self, connection: &Connection) -> Result<(), Broken> {
        let version: i64 = connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
        if self.seen == Some(version) {
            return Ok(());
        }
        let (model, dimensions) = made_by(connection)?.unwrap_or_default();
        let (count, newest): (i64, Option<i64>) = connection
            .prepare_cached("SELECT count(*), max(revision) FROM vectors")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let same = self.seen.is_some()
            && self.model == model
            && usize::try_from(count) == Ok(self.ids.len())
            && newest == self.revisions.iter().max().copied();
        if !same {
            self.load(connection, model, dimensions)?;
        }
        self.seen = Some(version);
        Ok(())
    }

    fn load(&mut self, connection: &Connection, model: String, dimensions: usize) -> Result<(), Broken> {
        *self = Self { model, dimensions, ..Self::default() };
        let mut statement = connection.prepare_cached(
            "SELECT vectors.id, vectors.revision, space, kind, vector FROM vectors JOIN memories ON memories.id = vectors.id
             ORDER BY vectors.id",
        )?;
        let mut rows = statement.query([])?;
        let mut numbers: Vec<f32> = Vec::with_capacity(dimensions);
        while let Some(row) = rows.next()? {
            let blob = row.get_ref(4)?.as_blob().map_err(rusqlite::Error::from)?;
            numbers.clear();
            numbers.extend(blob.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
            if numbers.len() == dimensions {
                let space: String = row.get(2)?;
                self.insert(row.get(0)?, row.get(1)?, &space, row.get(3)?, &numbers);
            }
        }
        Ok(())
    }

    fn take_up(&mut self, model: &str, dimensions: usize) {
        if self.dimensions == 0 {
            (self.model, self.dimensions) = (model.to_owned(), dimensions);
        }
    }

    fn insert(&mut self, id: i64, revision: i64, space: &str, kind: i64, numbers: &[f32]) {
        self.remove(id);
        let Some(quantised) = Quantised::new(numbers).filter(|quantised| quantised.bytes.len() == self.dimensions) else { return };
        let next = u32::try_from(self.space_numbers.len()).unwrap_or(u32::MAX);
        let space = *self.space_numbers.entry(space.to_owned()).or_insert(next);
        self.places.insert(id, self.ids.len());
        self.ids.push(id);
        self.revisions.push(revision);
        self.spaces.push(space);
        self.kinds.push(kind);
        self.scales.push(quantised.scale);
        self.bytes.extend(quantised.bytes);
    }

    fn remove(&mut self, id: i64) {
        let Some(at) = self.places.remove(&id) else { return };
        let last = self.ids.len() - 1;
        let width = self.dimensions;
        if at != last {
            self.bytes.copy_within(last * width..(last + 1) * width, at * width);
            self.places.insert(self.ids[last], at);
        }
        self.bytes.truncate(last * width);
        self.ids.swap_remove(at);
        self.revisions.swap_remove(at);
        self.spaces.swap_remove(at);
        self.kinds.swap_remove(at);
        self.scales.swap_remove(at);
    }

    /// A memory changed: its new kind and revision where its vector still holds, else it is left out.
    pub(super) fn changed(&mut self, id: i64, holds: Option<(i64, i64)>) {
        match (holds, self.places.get(&id)) {
            (Some((kind, revision)), Some(at)) => (self.kinds[*at], self.revisions[*at]) = (kind, revision),
            (None, _) => self.remove(id),
            (Some(_), None) => {}
        }
    }

    fn row(&self, at: usize) -> &[i8] {
        &self.bytes[at * self.dimensions..(at + 1) * self.dimensions]
    }

    /// The question's vector, where it can be compared with these.
    fn asked(&self, model: &str, numbers: &[f32]) -> Option<Quantised> {
        (self.model == model && numbers.len() == self.dimensions).then(|| Quantised::new(numbers)).flatten()
    }

    /// The memories whose vectors are nearest, with their cosines.
    pub(super) fn nearest(&self, model: &str, space: &str, kind: Option<MemoryKind>, numbers: &[f32], count: usize) -> Vec<(i64, f32)> {
        let (Some(asked), Some(space)) = (self.asked(model, numbers), self.space_numbers.get(space)) else { return Vec::new() };
        let kind = kind.map(rows::kind_number);
        let mut best: BinaryHeap<Reverse<(Ordered, usize)>> = BinaryHeap::with_capacity(count + 1);
        let mut least = f32::MIN;
        for (at, sum) in sums(&asked.bytes, &self.bytes).into_iter().enumerate() {
            if self.spaces[at] != *space || kind.is_some_and(|kind| kind != self.kinds[at]) {
                continue;
            }
            let cosine = scaled(sum, &asked, self.scales[at]);
            if best.len() < count || cosine > least {
                best.push(Reverse((Ordered(cosine), at)));
                if best.len() > count {
                    best.pop();
                }
                least = best.peek().map_or(f32::MIN, |Reverse((Ordered(cosine), _))| *cosine);
            }
        }
        best.into_iter().map(|Reverse((Ordered(cosine), at))| (self.ids[at], cosine)).collect()
    }

    /// Tells the cosine of the vector of a memory with this one; nothing where they cannot be compared.
    pub(super) fn cosines(&self, model: &str, numbers: &[f32]) -> impl Fn(i64) -> Option<f32> {
        let asked = self.asked(model, numbers);
        move |id| {
            let (asked, at) = (asked.as_ref()?, *self.places.get(&id)?);
            Some(cosine(asked, self.row(at), self.scales[at]))
        }
    }
}

fn cosine(asked: &Quantised, row: &[i8], scale: f32) -> f32 {
    scaled(sums(&asked.bytes, row).first().copied().unwrap_or(0), asked, scale)
}

fn scaled(sum: i32, asked: &Quantised, scale: f32) -> f32 {
    #[expect(clippy::cast_precision_loss, reason = "sums of 8,192 products of bytes are below 2^28, and a cosine needs three digits")]
    let sum = sum as f32;
    sum * asked.scale * scale
}

/// The sums of products of one vector with each of `rows`, as long as it is.
fn sums(one: &[i8], rows: &[i8]) -> Vec<i32> {
    /// Loops and nothing else: what is called and not made part of this is not compiled for the processor.
    struct Sums<'a> {
        /// Twice as wide, so that a product and its neighbour are one instruction.
        one: &'a [i16],
        rows: &'a [i8],
        totals: &'a mut [i32],
    }

    impl pulp::NullaryFnOnce for Sums<'_> {
        type Output = ();

        #[expect(clippy::inline_always, reason = "it must become part of what is compiled for the processor")]
        #[inline(always)]
        fn call(self) {
            for (sum, row) in self.totals.iter_mut().zip(self.rows.chunks_exact(self.one.len().max(1))) {
                let mut total = 0_i32;
                for (one, other) in self.one.iter().zip(row) {
                    total += i32::from(*one) * i32::from(*other);
                }
                *sum = total;
            }
        }
    }

    let one: Vec<i16> = one.iter().map(|number| i16::from(*number)).collect();
    let width = one.len().max(1);
    let mut sums = vec![0; rows.len() / width];
    let workers = if rows.len() < SHARED_FROM_BYTES { 1 } else { available_parallelism().map_or(1, |cores| cores.get().min(WORKERS_MAX)) };
    let share = sums.len().div_ceil(workers).max(1);
    std::thread::scope(|scope| {
        let mut shares = sums.chunks_mut(share).zip(rows.chunks(share * width)).map(|(totals, rows)| Sums { one: &one, rows, totals });
        let own = shares.next();
        for share in shares {
            scope.spawn(|| pulp::Arch::new().dispatch(share));
        }
        if let Some(own) = own {
            pulp::Arch::new().dispatch(own);
        }
    });
    sums
}

/// A cosine in its order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ordered(f32);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}
