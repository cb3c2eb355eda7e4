//! The keys by which reporters are known. A key is 256 random bits; only its SHA-256 is kept. A plain hash is enough: what
//! cannot be guessed needs no slow one.

use std::collections::HashMap;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use tokio::time::Instant as Moment;

use crate::domain::clock::Instant;
use crate::domain::interaction::ID_CHARS_MAX;
use crate::domain::reports::{Access, KeyInfo};
use crate::interactions::intake::{Refusal, failed};
use crate::net::door;
use crate::store::records::{RecordStore, StoredKey};

/// What keys begin with.
const MARK: &str = "wk_";

/// Characters of a key that name it.
const PREFIX_CHARS: usize = MARK.len() + 8;

/// How long what was read of the keys is believed: another process may revoke one.
const FRESH: Duration = Duration::from_secs(1);

/// The longest key that is looked at, in bytes.
const KEY_BYTES_MAX: usize = 512;

/// A key that was just made: the only time that it is seen.
#[derive(Debug)]
pub struct NewKey {
    /// The key.
    pub key: SecretString,
    /// What is kept of it.
    pub info: KeyInfo,
}

/// The keys as they were read last.
#[derive(Debug, Default)]
pub(super) struct Keys(Mutex<Option<Known>>);

#[derive(Debug)]
struct Known {
    at: Moment,
    any: bool,
    /// Who may report, by hash.
    access: HashMap<String, Access>,
}

impl Keys {
    async fn ask<T>(&self, store: &RecordStore, of: impl FnOnce(&Known) -> T) -> Result<T, Refusal> {
        let mut known = self.0.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.at.elapsed() < FRESH) {
            return Ok(of(known));
        }
        let keys = store.keys().await.map_err(|error| failed(&error))?;
        let valid = keys.iter().filter(|key| key.info.revoked_at.is_none());
        let access = valid.map(|key| (key.hash.clone(), Access::of_key(&key.info.mcp_id))).collect();
        Ok(of(known.insert(Known { at: Moment::now(), any: !keys.is_empty(), access })))
    }

    pub(super) async fn are_there(&self, store: &RecordStore) -> Result<bool, Refusal> {
        self.ask(store, |known| known.any).await
    }

    pub(super) async fn access(&self, store: &RecordStore, key: &str) -> Result<Access, Refusal> {
        if key.len() > KEY_BYTES_MAX {
            return Err(Refusal::Key);
        }
        let hash = hash(key);
        self.ask(store, |known| known.access.get(&hash).cloned()).await?.ok_or(Refusal::Key)
    }
}

/// Makes a key and keeps its hash.
pub(super) async fn add(store: &RecordStore, mcp_id: &str, now: Instant) -> Result<NewKey, Refusal> {
    let fits = !mcp_id.trim().is_empty() && mcp_id.chars().count() <= ID_CHARS_MAX && !mcp_id.chars().any(char::is_control);
    if !fits {
        return Err(Refusal::Failed(format!("the `mcp_id` of a key must have 1 to {ID_CHARS_MAX} characters, or be `*` for any")));
    }
    let random = door::new_token().ok_or_else(|| Refusal::Failed("the system gives no random numbers".to_owned()))?;
    let key = format!("{MARK}{}", random.expose_secret());
    let prefix = key.chars().take(PREFIX_CHARS).collect();
    let info = KeyInfo { prefix, mcp_id: mcp_id.to_owned(), created_at: now, revoked_at: None };
    store.add_key(StoredKey { info: info.clone(), hash: hash(&key) }).await.map_err(|error| failed(&error))?;
    Ok(NewKey { key: SecretString::from(key), info })
}

fn hash(key: &str) -> String {
    use std::fmt::Write;
    Sha256::digest(key.as_bytes()).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
