//! What probes keep: compressed JSON in blobs.

use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ambient::finding::{Fault, Keep};
use crate::ambient::probe::Probes;
use crate::domain::clock::Instant;
use crate::domain::ids::TaskId;
use crate::store::tasks::Blob;

/// The reading that the next look is compared with, one for each URL.
pub(super) const BASELINE: &str = "baseline";
/// Readings of pages that changed in meaning, the newest for each URL.
pub(super) const SNAPSHOT: &str = "snapshot";
/// Unified diffs, the newest for each URL.
pub(super) const DIFF: &str = "diff";
/// Items that a digest has told.
pub(super) const SEEN: &str = "seen";
/// Readings of a number.
pub(super) const SAMPLE: &str = "sample";

/// The longest blob that is unpacked, in bytes: readings are bounded far below.
const UNPACKED_MAX: u64 = 16 << 20;

/// `value` as compressed JSON.
pub(super) fn pack<T: Serialize>(value: &T) -> Result<Vec<u8>, Fault> {
    let written = serde_json::to_vec(value).map_err(std::io::Error::other).and_then(|json| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&json)?;
        encoder.finish()
    });
    written.map_err(|error| Fault::new(format!("what was read cannot be kept: {error}")))
}

/// The inverse; none where the blob is of another version or damaged.
pub(super) fn unpack<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let mut json = Vec::new();
    GzDecoder::new(bytes).take(UNPACKED_MAX).read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}

/// A blob that keeps `value`.
pub(super) fn keep<T: Serialize>(task: &TaskId, kind: &str, key: &str, at: Instant, value: &T, count: usize) -> Result<Keep, Fault> {
    let blob = Blob { task_id: task.clone(), kind: kind.to_owned(), key: key.to_owned(), at, bytes: pack(value)? };
    Ok(Keep { blob, keep: count, by_key: true })
}

impl Probes {
    /// The newest blobs of a kind (and a key).
    pub(super) async fn kept(&self, task: &TaskId, kind: &str, key: Option<&str>, limit: usize) -> Result<Vec<Blob>, Fault> {
        let asked = self.log.tasks().blobs(task.clone(), kind.to_owned(), key.map(str::to_owned), limit);
        asked.await.map_err(|error| Fault::new(error.report()))
    }
}
