//! One entry: a value, when it was stored, how long it is good for. Pure: the caller supplies the time.

use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::domain::cache::Kind;
use crate::domain::clock::Instant;
use crate::store::cache::{Freshness, Lifetime};

/// Which entry: a kind and the key within it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Id {
    pub(super) kind: Kind,
    /// The kind's letter and the key: what memory and the fetches under way go by.
    pub(super) text: String,
}

impl Id {
    pub(super) fn new(kind: Kind, key: &str) -> Self {
        let letter = match kind {
            Kind::Page => 'p',
            Kind::Search => 's',
            Kind::Weather => 'w',
            Kind::Embedding => 'e',
            Kind::ToolResult => 't',
        };
        let mut text = String::with_capacity(key.len() + 1);
        text.push(letter);
        text.push_str(key);
        Self { kind, text }
    }

    /// What stands for it outside of this process: keys may hold secrets.
    pub(super) fn digest(&self) -> Digested {
        let mut hasher = Sha256::new();
        hasher.update(self.kind.name().as_bytes());
        hasher.update([0]);
        hasher.update(self.text.get(1..).unwrap_or_default().as_bytes());
        Digested { kind: self.kind, hash: hasher.finalize().into() }
    }
}

/// An [`Id`] whose key is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Digested {
    pub(super) kind: Kind,
    /// SHA-256 of the kind's name, a zero byte and the key.
    pub(super) hash: [u8; 32],
}

/// A value and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) value: Bytes,
    pub(super) stored: Instant,
    pub(super) lifetime: Lifetime,
}

/// An entry that claims to be from further ahead than this is from a clock that was wrong.
const AHEAD_MAX: Duration = Duration::from_mins(10);

impl Entry {
    /// How good it is at `now`; none once it is over, or where its time cannot be believed.
    pub(super) fn freshness(&self, now: Instant) -> Option<Freshness> {
        if self.stored.since(now) > AHEAD_MAX {
            return None;
        }
        let age = now.since(self.stored);
        match age {
            age if age < self.lifetime.fresh => Some(Freshness::Fresh),
            age if age < self.lifetime.whole() => Some(Freshness::Stale),
            _ => None,
        }
    }

    /// From when on it is over.
    pub(super) fn over(&self) -> Instant {
        self.stored.plus(self.lifetime.whole())
    }
}

/// What is kept beside a value outside of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "the unit goes last")]
pub(super) struct Sealed {
    pub(super) stored_ms: i64,
    pub(super) fresh_ms: i64,
    pub(super) stale_ms: i64,
}

/// The length of a checksum in bytes.
pub(super) const CHECKSUM_BYTES: usize = 16;

impl Sealed {
    pub(super) fn of(entry: &Entry) -> Self {
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self { stored_ms: entry.stored.as_millis(), fresh_ms: ms(entry.lifetime.fresh), stale_ms: ms(entry.lifetime.stale) }
    }

    /// The entry that it belongs to.
    pub(super) fn open(self, value: Bytes) -> Entry {
        let duration = |ms: i64| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let lifetime = Lifetime { fresh: duration(self.fresh_ms), stale: duration(self.stale_ms) };
        Entry { value, stored: Instant::from_millis(self.stored_ms), lifetime }
    }

    /// The first half of SHA-256 over all that matters: what was torn, flipped or put under another key does not fit.
    pub(super) fn checksum(self, id: &Digested, value: &[u8]) -> [u8; CHECKSUM_BYTES] {
        let mut hasher = Sha256::new();
        hasher.update(b"wakeful cache 1");
        hasher.update(id.kind.name().as_bytes());
        hasher.update([0]);
        hasher.update(id.hash);
        for number in [self.stored_ms, self.fresh_ms, self.stale_ms] {
            hasher.update(number.to_be_bytes());
        }
        hasher.update(value);
        let whole: [u8; 32] = hasher.finalize().into();
        whole.first_chunk().copied().unwrap_or_default()
    }
}
