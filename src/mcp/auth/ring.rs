//! Logins in the system's keyring (feature `keyring`): the Secret Service, the Keychain, the Credential Manager. Where it
//! does not answer, the file is used.

use std::sync::mpsc;
use std::time::Duration;

use keyring::v1::{Entry, Result};

/// The name under which people find the logins in their keyring.
const SERVICE: &str = "wakeful";

/// How long the keyring is waited for: it may be locked, with nobody there to open it.
const LIMIT: Duration = Duration::from_secs(5);

/// What is kept under `key`.
pub(super) fn read(key: &str) -> Option<Vec<u8>> {
    apart(key, |entry| entry.get_secret())
}

/// Keeps `text` under `key`; says whether that worked.
pub(super) fn write(key: &str, text: &[u8]) -> bool {
    let text = text.to_vec();
    apart(key, move |entry| entry.set_secret(&text)).is_some()
}

/// Forgets what is kept under `key`; says whether there was anything.
pub(super) fn remove(key: &str) -> bool {
    apart(key, |entry| entry.delete_credential()).is_some()
}

/// Does it on a thread of its own: keyrings bring their own runtimes, which do not nest, and may ask a person first.
fn apart<T: Send + 'static>(key: &str, work: impl FnOnce(&Entry) -> Result<T> + Send + 'static) -> Option<T> {
    let key = key.to_owned();
    let (sender, receiver) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let done = Entry::new(SERVICE, &key).and_then(|entry| work(&entry));
        let _ = sender.send(done.ok());
    });
    receiver.recv_timeout(LIMIT).ok().flatten()
}
