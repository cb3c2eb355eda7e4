//! Searches among 100,000 memories in a real file: by words alone and with vectors of 384 numbers, in English and in Chinese. Prints the
//! median and the 99th percentile of single searches, one after the other, over questions that differ from one another.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench that cannot be set up has nothing to measure, and it prints what it found"
)]

use std::time::{Duration, Instant as Moment};

use tokio::runtime::Runtime;
use wakeful::domain::clock::Instant;
use wakeful::domain::ids::MemoryId;
use wakeful::domain::memory::{Memory, MemoryKind, MemorySource};
use wakeful::store::memory::{MemoryStore, Ranking, Vector, Wanted};

/// Memories in the file; half English, half Chinese.
const MEMORIES: usize = 100_000;

/// Numbers in a vector: those of all-MiniLM-L6 and bge-small.
const DIMENSIONS: usize = 384;

/// Different words; the n-th is used 1/n as often as the first (Zipf).
const WORDS: usize = 20_000;

/// Searches of each kind.
const SEARCHES: usize = 2_000;

/// Memories written in one transaction.
const BATCH: usize = 2_000;

const SPACE: &str = "default";
const MODEL: &str = "bench/hashed";

/// Numbers that are the same in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    /// From 0 to 1.
    fn share(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap()) / f64::from(u32::MAX)
    }

    /// The rank of a word, drawn as words of a language are.
    fn zipf(&mut self) -> usize {
        let top = f64::from(u32::try_from(WORDS).unwrap());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and WORDS")]
        let rank = top.powf(self.share()) as usize;
        rank.clamp(1, WORDS)
    }
}

fn english(rank: usize) -> String {
    let (consonants, vowels) = (b"bcdfgklmnprstvz", b"aeiou");
    let (mut word, mut left) = (String::new(), rank + 75);
    while left > 0 {
        word.push(char::from(consonants[left % 15]));
        left /= 15;
        word.push(char::from(vowels[left % 5]));
        left /= 5;
    }
    word
}

fn chinese(rank: usize) -> String {
    let ch = |number: usize| char::from_u32(0x4e00 + u32::try_from(number).unwrap()).unwrap();
    // Some 3,000 characters, most words of two.
    [ch(rank.pow(2) % 3_000), ch((rank * 7 + rank / 3) % 3_000)].iter().collect()
}

fn sentence(random: &mut Random, count: usize, han: bool) -> String {
    let words: Vec<String> = (0..count).map(|_| if han { chinese(random.zipf()) } else { english(random.zipf()) }).collect();
    words.join(if han { "" } else { " " })
}

/// A vector of the words' hashes: texts that share words are near.
fn vector(text: &str) -> Vec<f32> {
    let mut numbers = vec![0.0_f32; DIMENSIONS];
    for word in text
        .split_whitespace()
        .flat_map(|word| if word.is_ascii() { vec![word.to_owned()] } else { word.chars().map(String::from).collect() })
    {
        let mut random =
            Random(word.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)));
        for number in &mut numbers {
            #[expect(clippy::cast_possible_truncation, reason = "between -0.5 and 0.5")]
            let part = (random.share() - 0.5) as f32;
            *number += part;
        }
    }
    numbers
}

fn wanted(query: String, with_vector: bool) -> Wanted {
    let vector = with_vector.then(|| (MODEL.to_owned(), vector(&query)));
    let ranking = Ranking { now: Instant::from_millis(1_800_000_000_000), half_life_days: Some(180.0) };
    Wanted { space: SPACE.to_owned(), query, vector, kind: None, tags: Vec::new(), limit: 10, ranking }
}

fn filled(runtime: &Runtime, store: &MemoryStore) {
    let begun = Moment::now();
    let mut random = Random(42);
    for first in (0..MEMORIES).step_by(BATCH) {
        let memories = (first..first + BATCH).map(|at| {
            let count = 6 + random.below(14);
            let at_ms = Instant::from_millis(1_700_000_000_000 + i64::try_from(at).unwrap() * 1_000);
            Memory {
                memory_id: MemoryId::generate(),
                content: sentence(&mut random, count, at % 2 == 1),
                kind: MemoryKind::ALL[at % 4],
                tags: Vec::new(),
                source: MemorySource::User,
                created: at_ms,
                updated: at_ms,
                last_used: None,
                times_used: 0,
                score: None,
            }
        });
        runtime.block_on(store.put_all(SPACE.to_owned(), memories.collect())).unwrap();
    }
    println!("{MEMORIES} memories written in {:.1?}", begun.elapsed());
    let begun = Moment::now();
    loop {
        let pending = runtime.block_on(store.pending(MODEL.to_owned(), BATCH)).unwrap();
        if pending.is_empty() {
            break;
        }
        let vectors = pending
            .into_iter()
            .map(|pending| Vector { place: pending.place, revision: pending.revision, numbers: vector(&pending.content) })
            .collect();
        runtime.block_on(store.keep_vectors(MODEL.to_owned(), vectors)).unwrap();
    }
    let counts = runtime.block_on(store.counts(SPACE.to_owned())).unwrap();
    println!(
        "{} vectors of {} numbers in {:.1?}; the file has {} MB",
        counts.vectors,
        counts.dimensions,
        begun.elapsed(),
        counts.file_bytes >> 20
    );
}

fn measure(runtime: &Runtime, store: &MemoryStore, name: &str, han: bool, with_vector: bool) -> Duration {
    let mut random = Random(7);
    let questions: Vec<Wanted> = (0..SEARCHES)
        .map(|_| {
            let count = 2 + random.below(7);
            wanted(sentence(&mut random, count, han), with_vector)
        })
        .collect();
    let mut times = Vec::with_capacity(SEARCHES);
    let mut found = 0;
    for question in questions {
        let begun = Moment::now();
        let hits = runtime.block_on(store.search(question)).unwrap();
        times.push(begun.elapsed());
        found += usize::from(!hits.is_empty());
    }
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)];
    println!(
        "{name:<28} p50 {:>9.2?}  p99 {:>9.2?}  max {:>9.2?}  ({found} of {SEARCHES} found something)",
        at(50),
        at(99),
        times[times.len() - 1]
    );
    at(99)
}

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let store = MemoryStore::at(folder.path().join("memory.db"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    filled(&runtime, &store);
    // A second process opens the file: what the first search costs there.
    let other = MemoryStore::at(store.path());
    for (name, with_vector) in [("first search, words", false), ("first search, vectors", true)] {
        let begun = Moment::now();
        runtime.block_on(other.search(wanted(english(300), with_vector))).unwrap();
        println!("{name:<28} {:>9.2?}", begun.elapsed());
    }
    let slowest = [
        ("English, words", false, false),
        ("Chinese, words", true, false),
        ("English, words and vectors", false, true),
        ("Chinese, words and vectors", true, true),
    ]
    .map(|(name, han, with_vector)| measure(&runtime, &store, name, han, with_vector));
    let slowest = slowest.into_iter().max().unwrap();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    println!("slowest p99: {slowest:.2?} (wanted: below 20 ms), on {cores} cores");
}
