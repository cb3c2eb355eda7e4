//! One server's authorization: which token goes with a request, and what to do when it is refused.
//!
//! Silently where that is possible (another process renewed the token; a refresh; the client's own credentials), else by
//! asking a person: one at a time, and not again after a no. What an authorization server gave is shown to no other.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::domain::ids::ServerName;
use crate::domain::text::clean_line;
use crate::mcp::auth::Authority;
use crate::mcp::auth::challenge::Challenge;
use crate::mcp::auth::client;
use crate::mcp::auth::discover::{Discovery, discover};
use crate::mcp::auth::error::AuthError;
use crate::mcp::auth::login::Login;
use crate::mcp::auth::options::{Grant, OauthOptions};
use crate::mcp::auth::record::{Record, Tokens};
use crate::mcp::auth::store::Key;
use crate::mcp::auth::token::{Ask, NoToken, Source, revoke};
use crate::mcp::auth::web::Reach;
use crate::mcp::desk::Desk;

/// How long a request that is under way waits for a person; then the login goes on without it.
const WAIT_IN_REQUEST: Duration = Duration::from_secs(45);

/// A refusal of the server.
#[derive(Debug, Clone, Default)]
pub(in crate::mcp) struct Refusal {
    pub(in crate::mcp) challenge: Challenge,
    /// The token is good but does not allow enough (HTTP 403).
    pub(in crate::mcp) forbidden: bool,
}

/// The authorization of one server. Cheap to clone.
#[derive(Clone)]
pub(in crate::mcp) struct Authorizer(Arc<Inner>);

struct Inner {
    name: ServerName,
    url: Url,
    options: OauthOptions,
    key: Key,
    authority: Arc<Authority>,
    desk: Option<Desk>,
    state: Mutex<State>,
    /// One renewal or login at a time.
    flow: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    loaded: bool,
    record: Option<Record>,
    /// No request with the present token was accepted yet.
    unproven: bool,
    /// A person said no.
    declined: bool,
    /// A refusal that a person has to help with, and the token that was refused.
    wanted: Option<(Refusal, Option<SecretString>)>,
    /// A person wants to log in, whatever the server says.
    forced: bool,
    /// Scopes that were asked for and not given.
    withheld: BTreeSet<String>,
    /// Ends a login that is under way.
    stop: CancellationToken,
}

impl Authorizer {
    pub(super) fn new(name: ServerName, url: Url, options: OauthOptions, authority: Arc<Authority>, desk: Option<Desk>) -> Self {
        let key = Key::new(url.as_str(), options.client_id.as_deref());
        Self(Arc::new(Inner { name, url, options, key, authority, desk, state: Mutex::default(), flow: tokio::sync::Mutex::default() }))
    }

    /// The token for the next request, renewed if it is about to end.
    pub(in crate::mcp) async fn bearer(&self) -> Option<SecretString> {
        self.load();
        let tokens = self.tokens()?;
        if tokens.is_fresh(self.now()) {
            return Some(tokens.access);
        }
        tokens.refresh.as_ref()?;
        let _one = self.0.flow.lock().await;
        match self.refresh_ended().await {
            Ok(token) => token,
            Err(error) => {
                tracing::warn!(target: "mcp", server = %self.0.name, %error, "a token could not be renewed");
                None
            }
        }
    }

    /// The server took the token.
    pub(in crate::mcp) fn accepted(&self) {
        self.state().unproven = false;
    }

    /// A token in place of one that was refused, without asking anybody; none where only a person can help, which is
    /// remembered for [`settle`](Self::settle).
    pub(in crate::mcp) async fn renew(&self, refusal: Refusal, used: Option<SecretString>) -> Result<Option<SecretString>, AuthError> {
        let token = self.resolve(&refusal, used.as_ref(), false).await?;
        if token.is_none() {
            self.state().wanted = Some((refusal, used));
        }
        Ok(token)
    }

    /// The same for a request on a living connection: a person is asked, and waited for a while.
    pub(in crate::mcp) async fn obtain(&self, refusal: Refusal, used: Option<SecretString>) -> Result<SecretString, AuthError> {
        let this = self.clone();
        // It goes on when the request no longer waits: the person may be in the middle of it.
        let resolving = tokio::spawn(async move { this.resolve(&refusal, used.as_ref(), true).await });
        match timeout(WAIT_IN_REQUEST, resolving).await {
            Ok(Ok(Ok(Some(token)))) => Ok(token),
            Ok(Ok(Err(error))) => Err(error),
            Ok(Ok(Ok(None)) | Err(_)) | Err(_) => Err(AuthError::Wanted(self.0.name.clone())),
        }
    }

    /// Has a person help with what is remembered; says whether there was anything.
    pub(in crate::mcp) async fn settle(&self) -> Result<bool, AuthError> {
        let wanted = self.state().wanted.take();
        let Some((refusal, used)) = wanted else { return Ok(false) };
        self.resolve(&refusal, used.as_ref(), true).await.map(|token| token.is_some())
    }

    /// A person wanted to log in, and the server did not ask for it: it is done all the same, where it can be.
    pub(in crate::mcp) async fn settle_forced(&self) -> Result<(), AuthError> {
        let forced = std::mem::take(&mut self.state().forced);
        if !forced || self.tokens().is_some() {
            return Ok(());
        }
        match self.resolve(&Refusal::default(), None, true).await {
            Ok(_) | Err(AuthError::NoServer(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether there is a token.
    pub(in crate::mcp) fn has_token(&self) -> bool {
        self.load();
        self.tokens().is_some()
    }

    /// Lets a person be asked again.
    pub(in crate::mcp) fn reset(&self) {
        let mut state = self.state();
        state.declined = false;
        state.wanted = None;
        state.withheld.clear();
        std::mem::take(&mut state.stop).cancel();
    }

    /// Forgets the tokens and takes them back where the authorization server offers that; says whether there were any.
    /// `again`: a new login follows.
    pub(in crate::mcp) async fn forget(&self, again: bool) -> Result<bool, AuthError> {
        self.reset();
        let _one = self.0.flow.lock().await;
        let records = {
            let _held = self.0.authority.store.hold(&self.0.key).await?;
            let records = self.0.authority.store.load(&self.0.key);
            self.0.authority.store.clear(&self.0.key)?;
            records
        };
        {
            let mut state = self.state();
            (state.loaded, state.record, state.forced) = (true, None, again);
        }
        let had = records.iter().any(|record| record.tokens.is_some());
        let reach = self.reach().await;
        for record in &records {
            let (Some(endpoint), Some(tokens)) = (&record.revocation_endpoint, &record.tokens) else { continue };
            // Taking back the refresh token takes back what came from it (RFC 7009, 2.1).
            let token = tokens.refresh.as_ref().unwrap_or(&tokens.access);
            if let Err(error) = revoke(&reach, endpoint, &record.client, token).await {
                tracing::warn!(target: "mcp", server = %self.0.name, %error, "a token could not be taken back");
            }
        }
        Ok(had)
    }

    /// The one way to a token. Without `may_ask` nobody is asked, and there may be none.
    async fn resolve(&self, refusal: &Refusal, used: Option<&SecretString>, may_ask: bool) -> Result<Option<SecretString>, AuthError> {
        self.load();
        let stop = self.state().stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(AuthError::Declined(self.0.name.clone())),
            resolved = self.resolve_now(refusal, used, may_ask) => resolved,
        }
    }

    async fn resolve_now(&self, refusal: &Refusal, used: Option<&SecretString>, may_ask: bool) -> Result<Option<SecretString>, AuthError> {
        let _one = self.0.flow.lock().await;
        if let Some(token) = self.other_than(used) {
            return Ok(Some(token));
        }
        let was_unproven = self.state().unproven;
        let held = self.0.authority.store.hold(&self.0.key).await?;
        self.reload();
        if let Some(token) = self.other_than(used) {
            return Ok(Some(token));
        }
        let by_client = self.0.options.grant == Grant::ClientCredentials;
        if !by_client && !may_ask && (refusal.forbidden || self.tokens().is_none()) {
            return Ok(None);
        }
        let reach = self.reach().await;
        let discovery = discover(&reach, &self.0.url, &refusal.challenge).await?;
        self.leave_others(&discovery);
        let scopes = self.scopes(refusal, &discovery)?;
        if !refusal.forbidden && !by_client {
            match self.refresh(&reach).await {
                Ok(Some(tokens)) => return self.keep(tokens).map(Some),
                Ok(None) | Err(NoToken::Void(_)) => {}
                Err(NoToken::Failed(error)) => return Err(error),
            }
        }
        if was_unproven && !refusal.forbidden && self.tokens().is_some_and(|tokens| tokens.is(used)) {
            // It was made for this server a moment ago: another one would be refused as well.
            return Err(AuthError::NotAccepted);
        }
        let record = if by_client {
            self.by_client(&reach, &discovery, &scopes).await?
        } else if may_ask {
            drop(held);
            let record = self.by_person(&reach, &discovery, &scopes).await?;
            let _held = self.0.authority.store.hold(&self.0.key).await?;
            return self.adopt(record, &scopes).map(Some);
        } else {
            return Ok(None);
        };
        self.adopt(record, &scopes).map(Some)
    }

    /// Renews a token whose time is over; no token where that cannot be done.
    async fn refresh_ended(&self) -> Result<Option<SecretString>, AuthError> {
        let now = self.now();
        let fresh = |tokens: Option<Tokens>| tokens.filter(|tokens| tokens.is_fresh(now)).map(|tokens| tokens.access);
        if let Some(token) = fresh(self.tokens()) {
            return Ok(Some(token));
        }
        let _held = self.0.authority.store.hold(&self.0.key).await?;
        self.reload();
        if let Some(token) = fresh(self.tokens()) {
            return Ok(Some(token));
        }
        let reach = self.reach().await;
        match self.refresh(&reach).await {
            Ok(Some(tokens)) => self.keep(tokens).map(Some),
            Ok(None) | Err(NoToken::Void(_)) => Ok(None),
            Err(NoToken::Failed(error)) => Err(error),
        }
    }

    /// Shows the refresh token, where there is one. One that is void is forgotten.
    async fn refresh(&self, reach: &Reach) -> Result<Option<Tokens>, NoToken> {
        let Some(mut record) = self.record() else { return Ok(None) };
        let Some((tokens, refresh)) = record.tokens.clone().and_then(|tokens| Some((tokens.clone(), tokens.refresh?))) else {
            return Ok(None);
        };
        let source = self.source(reach, &record);
        let renewed = source.tokens(Ask::Refresh(&refresh), &tokens.scopes).await;
        if let Err(NoToken::Void(_)) = &renewed {
            record.tokens = None;
            self.0.authority.store.save(&self.0.key, &record)?;
            self.state().record = Some(record);
        }
        renewed.map(Some)
    }

    async fn by_client(&self, reach: &Reach, discovery: &Discovery, scopes: &[String]) -> Result<Record, AuthError> {
        let server = &discovery.server;
        let client = client::known(&self.0.options, self.secret()?, server).ok_or_else(|| AuthError::NoClient(server.issuer.clone()))?;
        let missing = || AuthError::metadata(&server.issuer, "it has no token endpoint");
        let token_endpoint = server.token_endpoint.clone().ok_or_else(missing)?;
        let (issuer, resource) = (server.issuer.clone(), discovery.resource.clone());
        let revocation_endpoint = server.revocation_endpoint.clone();
        let mut record = Record { issuer, resource, token_endpoint, revocation_endpoint, client, tokens: None };
        record.tokens = Some(self.source(reach, &record).tokens(Ask::Client, scopes).await?);
        Ok(record)
    }

    async fn by_person(&self, reach: &Reach, discovery: &Discovery, scopes: &[String]) -> Result<Record, AuthError> {
        let name = &self.0.name;
        let desk = self.0.desk.as_ref().filter(|desk| desk.opens_addresses());
        let desk = desk.ok_or_else(|| AuthError::Wanted(name.clone()))?;
        if self.state().declined {
            return Err(AuthError::Declined(name.clone()));
        }
        let records = self.0.authority.store.load(&self.0.key);
        let login = Login {
            name,
            options: &self.0.options,
            secret: self.secret()?,
            reach,
            discovery,
            records: &records,
            desk,
            open: &self.0.authority.setup.open,
            clock: &*self.0.authority.setup.clock,
        };
        let logged_in = login.by_person(scopes).await;
        if matches!(logged_in, Err(AuthError::Declined(_) | AuthError::Late(_))) {
            self.state().declined = true;
        }
        logged_in
    }

    /// What a token is asked for: what the challenge names, else what the resource does, beside what is configured and
    /// what was given before.
    fn scopes(&self, refusal: &Refusal, discovery: &Discovery) -> Result<Vec<String>, AuthError> {
        let given = self.record().filter(|record| record.issuer == discovery.server.issuer).and_then(|record| record.tokens);
        let given = given.map(|tokens| tokens.scopes).unwrap_or_default();
        if refusal.forbidden {
            let missing: Vec<_> = refusal.challenge.scopes.iter().filter(|scope| !given.contains(scope)).collect();
            let withheld = &self.state().withheld;
            if missing.is_empty() || missing.iter().all(|scope| withheld.contains(*scope)) {
                return Err(AuthError::Scopes(clean_line(&refusal.challenge.scopes.join(" "))));
            }
        }
        let named = if refusal.challenge.scopes.is_empty() { &discovery.resource_scopes } else { &refusal.challenge.scopes };
        let mut scopes: Vec<String> = Vec::new();
        for scope in given.iter().chain(named).chain(&self.0.options.scopes) {
            if !scopes.contains(scope) {
                scopes.push(scope.clone());
            }
        }
        // Some give a refresh token only to those who ask (MCP 2026-07-28, scopes).
        let offline = "offline_access".to_owned();
        let offered = self.0.options.grant == Grant::AuthorizationCode && discovery.server.scopes_supported.contains(&offline);
        if offered && !scopes.is_empty() && !scopes.contains(&offline) {
            scopes.push(offline);
        }
        Ok(scopes)
    }

    /// Forgets what is not of the authorization server that the resource names now.
    fn leave_others(&self, discovery: &Discovery) {
        let mut state = self.state();
        if state.record.as_ref().is_some_and(|record| record.issuer != discovery.server.issuer) {
            tracing::info!(target: "mcp", server = %self.0.name, "the server moved to another authorization server");
            state.record = None;
            state.unproven = false;
            state.withheld.clear();
        }
    }

    /// Uses and keeps a new login.
    fn adopt(&self, record: Record, wanted: &[String]) -> Result<SecretString, AuthError> {
        let tokens = record.tokens.as_ref().ok_or(AuthError::NotAccepted)?;
        let access = tokens.access.clone();
        let withheld = wanted.iter().filter(|scope| !tokens.scopes.contains(scope)).cloned().collect();
        // A token that cannot be kept can still be used.
        if let Err(error) = self.0.authority.store.save(&self.0.key, &record) {
            tracing::warn!(target: "mcp", server = %self.0.name, %error, "a login is not kept");
        }
        let mut state = self.state();
        (state.withheld, state.record) = (withheld, Some(record));
        (state.unproven, state.forced, state.wanted) = (true, false, None);
        Ok(access)
    }

    fn keep(&self, tokens: Tokens) -> Result<SecretString, AuthError> {
        let wanted = tokens.scopes.clone();
        let mut record = self.record().ok_or(AuthError::NotAccepted)?;
        record.tokens = Some(tokens);
        self.adopt(record, &wanted)
    }

    /// A fresh token that is not the one that was refused.
    fn other_than(&self, used: Option<&SecretString>) -> Option<SecretString> {
        let tokens = self.tokens()?;
        (!tokens.is(used) && tokens.is_fresh(self.now())).then_some(tokens.access)
    }

    fn source<'a>(&self, reach: &'a Reach, record: &'a Record) -> Source<'a> {
        let now = self.now();
        Source { reach, endpoint: &record.token_endpoint, client: &record.client, resource: &record.resource, now }
    }

    fn secret(&self) -> Result<Option<SecretString>, AuthError> {
        let Some(name) = &self.0.options.client_secret_env else { return Ok(None) };
        let value = self.0.authority.setup.environment.get(name).filter(|value| !value.is_empty());
        value.map(|value| Some(value.as_str().into())).ok_or_else(|| AuthError::NoVariable(name.clone()))
    }

    async fn reach(&self) -> Reach {
        let setup = &self.0.authority.setup;
        Reach::of(&self.0.url, &setup.net, setup.proxy.as_deref()).await
    }

    fn now(&self) -> crate::domain::clock::Instant {
        self.0.authority.setup.clock.now()
    }

    /// Reads what is kept, once.
    fn load(&self) {
        if !self.state().loaded {
            self.reload();
        }
    }

    /// Reads what is kept: another process may have changed it. What is only here stays.
    fn reload(&self) {
        let kept = self.0.authority.store.load(&self.0.key).into_iter().next();
        let mut state = self.state();
        state.loaded = true;
        if kept.is_some() {
            state.record = kept;
        }
    }

    fn record(&self) -> Option<Record> {
        self.state().record.clone()
    }

    fn tokens(&self) -> Option<Tokens> {
        self.state().record.as_ref().and_then(|record| record.tokens.clone())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
