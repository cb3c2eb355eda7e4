//! Logging in to servers behind HTTP: OAuth 2.1 as MCP asks for it.
//!
//! An [`Authorizer`] for each server says which token goes with a request and what to do when it is refused. Where to log
//! in is found out from what the server publishes; a person is asked through the [`Desk`] to open an address; tokens are
//! kept in files of the user's own (or the system's keyring, feature `keyring`) and are in no log, event or error. What
//! rmcp offers for this is not used: it logs codes at debug level, forgets the secrets of registered clients, and asks for
//! all scopes of an authorization server where a resource names none.

mod authorizer;
mod browser;
mod challenge;
mod client;
mod discover;
mod error;
mod listener;
mod login;
mod metadata;
mod options;
mod record;
#[cfg(feature = "keyring")]
mod ring;
mod store;
mod token;
mod web;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;

use crate::domain::clock::Clock;
use crate::domain::ids::ServerName;
use crate::mcp::desk::Desk;
use crate::net;

pub(super) use authorizer::{Authorizer, Refusal};
pub use browser::{Opener, browser, headless};
pub(super) use challenge::Challenge;
pub use error::AuthError;
pub use options::{Grant, OauthOptions};

use store::Store;

/// What logins need.
pub struct AuthSetup {
    /// Asks authorization servers.
    pub net: net::Client,
    /// The proxy, as in [`net::Options::proxy`].
    pub proxy: Option<String>,
    /// Where logins are kept; made when the first is.
    pub folder: PathBuf,
    /// Holds the secrets of configured clients.
    pub environment: BTreeMap<String, String>,
    /// Tells when a token ends.
    pub clock: Arc<dyn Clock>,
    /// Opens addresses where a rule agrees to that; a person's own surface opens those that the person agrees to.
    pub open: Opener,
}

/// Which server.
type Which = (ServerName, String, Option<String>);

/// The authorizations of all servers.
pub(super) struct Authority {
    setup: AuthSetup,
    store: Store,
    known: Mutex<HashMap<Which, Authorizer>>,
}

impl Authority {
    pub(super) fn new(setup: AuthSetup) -> Arc<Self> {
        Arc::new(Self { store: Store::new(setup.folder.clone()), setup, known: Mutex::default() })
    }

    /// The authorization of the server `name` at `url`; the same each time. None where the address is none.
    pub(super) fn authorizer(
        self: &Arc<Self>,
        name: &ServerName,
        url: &str,
        options: &OauthOptions,
        desk: Option<&Desk>,
    ) -> Option<Authorizer> {
        let parsed = Url::parse(url).ok()?;
        let which = (name.clone(), url.to_owned(), options.client_id.clone());
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || Authorizer::new(name.clone(), parsed, options.clone(), Arc::clone(self), desk.cloned());
        Some(known.entry(which).or_insert_with(made).clone())
    }
}
