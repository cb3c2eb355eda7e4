//! Keeps logins across runs and processes: in files that only the user can read, or in the system's keyring.
//!
//! One file for each resource and configured client, replaced whole. Whoever changes a login takes the lock beside its
//! file first and reads it again then, so that several processes refresh a token once.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use crate::mcp::auth::error::AuthError;
use crate::mcp::auth::record::Record;

/// How long another process may hold a login: as long as its question to the authorization server may take.
const LOCK_LIMIT: Duration = Duration::from_secs(45);

/// How often a lock that is held is tried again.
const LOCK_EVERY: Duration = Duration::from_millis(25);

/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1_024;

/// Logins of one resource that are kept, newest first: a server may move from one authorization server to another.
const RECORDS_MAX: usize = 4;

/// Where logins are kept.
#[derive(Debug, Clone)]
pub(super) struct Store {
    folder: PathBuf,
}

/// Which login: a resource and the client that is configured for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key(String);

impl Key {
    pub(super) fn new(server: &str, client: Option<&str>) -> Self {
        let digest = Sha256::digest(format!("{server}\n{}", client.unwrap_or_default()));
        Self(digest.iter().take(16).fold(String::new(), |text, byte| format!("{text}{byte:02x}")))
    }
}

/// A login that no other process changes until this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    _file: File,
}

impl Store {
    /// Logins in `folder`, which is made when the first is kept.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, key: &Key, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", key.0))
    }

    /// Takes the lock of a login; waits for other processes, but not for ever.
    pub(super) async fn hold(&self, key: &Key) -> Result<Held, AuthError> {
        let path = self.path(key, "lock");
        let failed = |error: &std::io::Error| AuthError::Store(format!("{}: {error}", path.display()));
        self.make_folder().map_err(|error| failed(&error))?;
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(|error| failed(&error))?;
        let end = Instant::now() + LOCK_LIMIT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Held { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < end => sleep(LOCK_EVERY).await,
                Err(TryLockError::WouldBlock) => {
                    return Err(AuthError::Store(format!("another process holds {} for too long", path.display())));
                }
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
            }
        }
    }

    /// The logins of `key`, the newest first. What cannot be read counts as none: a login makes it anew.
    pub(super) fn load(&self, key: &Key) -> Vec<Record> {
        let Some(text) = self.read(key) else { return Vec::new() };
        serde_json::from_slice(&text).unwrap_or_else(|error| {
            tracing::warn!(target: "mcp", "a kept login cannot be read and is left out: line {}, column {}", error.line(), error.column());
            Vec::new()
        })
    }

    /// Keeps a login as the newest one; one of the same issuer and client is replaced. Hold the lock.
    pub(super) fn save(&self, key: &Key, record: &Record) -> Result<(), AuthError> {
        let mut records = self.load(key);
        records.retain(|other| other.issuer != record.issuer || other.client.id != record.client.id);
        records.insert(0, record.clone());
        records.truncate(RECORDS_MAX);
        let text = serde_json::to_vec_pretty(&records).map_err(|error| AuthError::Store(error.to_string()))?;
        self.write(key, &text)
    }

    /// Forgets all logins of `key`; says whether there were any. Hold the lock.
    pub(super) fn clear(&self, key: &Key) -> Result<bool, AuthError> {
        #[cfg(feature = "keyring")]
        let was_in_ring = super::ring::remove(&key.0);
        #[cfg(not(feature = "keyring"))]
        let was_in_ring = false;
        let path = self.path(key, "json");
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(was_in_ring),
            Err(error) => Err(AuthError::Store(format!("{}: {error}", path.display()))),
        }
    }

    fn read(&self, key: &Key) -> Option<Vec<u8>> {
        #[cfg(feature = "keyring")]
        if let Some(text) = super::ring::read(&key.0) {
            return Some(text);
        }
        let path = self.path(key, "json");
        let meta = fs::metadata(&path).ok()?;
        if meta.len() > FILE_BYTES_MAX {
            return None;
        }
        keep_private(&path, &meta);
        fs::read(&path).ok()
    }

    fn write(&self, key: &Key, text: &[u8]) -> Result<(), AuthError> {
        #[cfg(feature = "keyring")]
        if super::ring::write(&key.0, text) {
            // Not in two places.
            let _ = fs::remove_file(self.path(key, "json"));
            return Ok(());
        }
        let path = self.path(key, "json");
        self.replace(&path, text).map_err(|error| AuthError::Store(format!("{}: {error}", path.display())))
    }

    /// Replaces a file in one step; it is readable by its owner alone from its first byte on.
    fn replace(&self, path: &Path, text: &[u8]) -> std::io::Result<()> {
        self.make_folder()?;
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(text)?;
        file.as_file().sync_all()?;
        file.persist(path).map(|_| ()).map_err(|error| error.error)
    }

    #[cfg(unix)]
    fn make_folder(&self) -> std::io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)
    }

    #[cfg(not(unix))]
    fn make_folder(&self) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)
    }
}

/// Takes back what others were allowed by whoever copied the file.
#[cfg(unix)]
fn keep_private(path: &Path, meta: &fs::Metadata) {
    use std::os::unix::fs::PermissionsExt;
    if meta.permissions().mode() & 0o077 != 0 {
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o600));
    }
}

#[cfg(not(unix))]
fn keep_private(_path: &Path, _meta: &fs::Metadata) {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::auth::record::{Client, Method, Origin};

    fn record(issuer: &str) -> Record {
        let client = Client { id: "c".to_owned(), secret: None, method: Method::None, origin: Origin::Registered, port: None, until: None };
        let (resource, token_endpoint) = ("https://h/mcp".to_owned(), "https://as/token".to_owned());
        Record { issuer: issuer.to_owned(), resource, token_endpoint, revocation_endpoint: None, client, tokens: None }
    }

    #[tokio::test]
    async fn the_newest_login_is_first_and_few_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("oauth"));
        let key = Key::new("https://h/mcp", None);
        assert!(store.load(&key).is_empty());
        let _held = store.hold(&key).await.unwrap();
        for issuer in ["a", "b", "c", "d", "e", "b"] {
            store.save(&key, &record(issuer)).unwrap();
        }
        let issuers: Vec<_> = store.load(&key).into_iter().map(|record| record.issuer).collect();
        assert_eq!(issuers, ["b", "e", "d", "c"]);
        assert!(store.load(&Key::new("https://h/mcp", Some("mine"))).is_empty());
        assert!(store.clear(&key).unwrap());
        assert!(!store.clear(&key).unwrap());
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn only_the_owner_reads_the_file_and_a_wider_one_is_narrowed() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().join("oauth"));
        let key = Key::new("https://h/mcp", None);
        store.save(&key, &record("a")).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let path = store.path(&key, "json");
        assert_eq!((mode(&path), mode(&folder.path().join("oauth"))), (0o600, 0o700));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(store.load(&key).len(), 1);
        assert_eq!(mode(&path), 0o600);
        fs::write(&path, "{ broken").unwrap();
        assert!(store.load(&key).is_empty());
    }
}
