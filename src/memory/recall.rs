//! What fits a message well enough to be put before the model unasked.

use std::time::Duration;

use crate::domain::memory::{Memory, Note};
use crate::domain::text::ellipsis;
use crate::memory::{MemoryService, Result};
use crate::store::memory::Hit;

/// The most memories of one recall.
const NOTES_MAX: usize = 8;

/// The share of what a message asks about that a memory must hold. Found on the labelled set in `tests/corpus/memories`: below it what
/// does not matter comes along, above it what matters stays out.
const COVER_MIN: f64 = 0.3;

/// Memories that are looked at.
const HITS: usize = 24;

/// How long the vector of a message is waited for: a turn waits for all of this.
const VECTOR_WAIT: Duration = Duration::from_millis(200);

/// Characters of a memory that a turn is told; the whole can be read by its id.
const NOTE_CHARS_MAX: usize = 500;

/// The longest part of a message that is looked at, in bytes: what follows is most often pasted.
const MESSAGE_BYTES_MAX: usize = 4_000;

/// Tokens that a note takes beside its text.
const NOTE_OVERHEAD: usize = 12;

/// What fits a message.
pub type Recalled = Vec<Note>;

impl MemoryService {
    /// What fits `message` and is not in `known`, the best first; nothing where recall is turned off.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn recall(&self, message: &str, known: &[Note]) -> Result<Recalled> {
        if !self.options().recall || !self.store().exists() {
            return Ok(Vec::new());
        }
        let message = &message[..message.floor_char_boundary(MESSAGE_BYTES_MAX)];
        let hits = self.hits(message, None, Vec::new(), HITS, VECTOR_WAIT).await?;
        let is_known = |memory: &Memory| known.iter().any(|note| note.memory_id == memory.memory_id && note.updated == memory.updated);
        let mut left = self.options().recall_tokens;
        let mut notes = Vec::new();
        for hit in hits.into_iter().filter(|hit| self.matters(hit) && !is_known(&hit.memory)) {
            let content = ellipsis(&hit.memory.content, NOTE_CHARS_MAX).into_owned();
            let tokens = tokens(&content) + NOTE_OVERHEAD;
            if notes.len() == NOTES_MAX || tokens > left {
                continue;
            }
            left -= tokens;
            notes.push(Note { memory_id: hit.memory.memory_id, kind: hit.memory.kind, content, updated: hit.memory.updated });
        }
        self.used(notes.iter().map(|note| note.memory_id.clone()).collect());
        Ok(notes)
    }

    fn matters(&self, hit: &Hit) -> bool {
        hit.cover >= COVER_MIN || hit.similarity.is_some_and(|cosine| f64::from(cosine) >= self.options().recall_similarity)
    }
}

/// Tokens of a text, guessed: four bytes of ASCII or two thirds of another character are one.
fn tokens(text: &str) -> usize {
    let ascii = text.bytes().filter(u8::is_ascii).count();
    let others = text.chars().filter(|ch| !ch.is_ascii()).count();
    ascii.div_ceil(4) + (others * 2).div_ceil(3)
}
