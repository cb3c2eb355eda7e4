//! Memories as JSON lines: written for a person to keep, read back without doubling anything.
//!
//! One memory a line, in the shape of [`Memory`]; only `content` is needed. What says exactly the same as a memory that is there is joined to
//! it, so that the same file can be imported again and again.

use serde::Deserialize;

use crate::domain::clock::Instant;
use crate::domain::ids::MemoryId;
use crate::domain::memory::{Memory, MemoryFilter, MemoryKind, MemorySource};
use crate::domain::text::clean_line;
use crate::memory::{Error, MemoryService, checked, checked_tags, guess};
use crate::store::memory::Put;

/// Memories that are read or written at once.
const PART: usize = 1_000;

/// Lines that are named when they cannot be read.
const PROBLEMS_MAX: usize = 50;

/// What came of an import.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imported {
    /// Memories that are new.
    pub new: usize,
    /// Memories that were there already.
    pub known: usize,
    /// Of these, those whose tags were joined.
    pub joined: usize,
    /// Lines that were passed over: their number and why; the first 50.
    pub problems: Vec<(usize, String)>,
    /// Lines that were passed over, in all.
    pub refused: usize,
}

/// A line of a file.
#[derive(Debug, Deserialize)]
struct Line {
    memory_id: Option<String>,
    content: String,
    kind: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    created: Option<Instant>,
    updated: Option<Instant>,
    last_used: Option<Instant>,
    #[serde(default)]
    times_used: u64,
}

impl MemoryService {
    /// Reads `text`, one memory a line. Lines that cannot be read are told and passed over; all others are kept.
    ///
    /// # Errors
    /// When the file cannot be written: what came before that part is kept, and importing again doubles nothing.
    pub async fn import(&self, text: &str, force: bool) -> Result<Imported, Error> {
        let mut out = Imported::default();
        let mut part = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim_start_matches('\u{feff}').trim();
            if line.is_empty() {
                continue;
            }
            match self.read_line(line, force) {
                Ok(memory) => part.push(memory),
                Err(problem) => {
                    out.refused += 1;
                    if out.problems.len() < PROBLEMS_MAX {
                        out.problems.push((number, problem));
                    }
                }
            }
            if part.len() == PART {
                self.keep_part(std::mem::take(&mut part), &mut out).await?;
            }
        }
        self.keep_part(part, &mut out).await?;
        self.vectors_wanted();
        Ok(out)
    }

    async fn keep_part(&self, part: Vec<Memory>, out: &mut Imported) -> Result<(), Error> {
        if part.is_empty() {
            return Ok(());
        }
        for put in self.store().put_all(self.space(), part).await? {
            match put {
                Put::New(_) => out.new += 1,
                Put::Same(_, joined) => {
                    out.known += 1;
                    out.joined += usize::from(joined);
                }
                Put::Near { .. } => out.known += 1,
            }
        }
        Ok(())
    }

    fn read_line(&self, line: &str, force: bool) -> Result<Memory, String> {
        let line: Line = serde_json::from_str(line).map_err(|error| format!("no memory as JSON: {error}"))?;
        let content = checked(&line.content, force).map_err(|error| match error {
            Error::Secret(what) => format!("it looks like it holds {what}; `--force` imports it all the same"),
            other => other.to_string(),
        })?;
        let kind = match line.kind {
            Some(kind) => kind.parse::<MemoryKind>()?,
            None => guess::kind(&content),
        };
        let id = line.memory_id.map(|id| clean_line(&id)).filter(|id| is_id(id));
        let now = self.0.clock.now();
        let created = line.created.unwrap_or(now);
        Ok(Memory {
            memory_id: id.map_or_else(MemoryId::generate, MemoryId::from),
            content,
            kind,
            tags: checked_tags(&line.tags).map_err(|error| error.to_string())?,
            source: MemorySource::Import,
            created,
            updated: line.updated.unwrap_or(created),
            last_used: line.last_used,
            times_used: line.times_used,
            score: None,
        })
    }

    /// The memories from `offset` on as JSON lines, a part at a time; empty after the last.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn export_part(&self, kind: Option<MemoryKind>, offset: usize) -> Result<(String, usize), Error> {
        let page = self.page(MemoryFilter { kind, limit: Some(PART), offset, ..MemoryFilter::default() }).await?;
        let count = page.memories.len();
        let lines = page.memories.iter().filter_map(|memory| serde_json::to_string(memory).ok()).map(|line| line + "\n");
        Ok((lines.collect(), count))
    }
}

/// Ids that others made are taken where they can be typed.
fn is_id(id: &str) -> bool {
    (8..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
