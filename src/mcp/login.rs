//! Logging in to one server and out again, once: for `mcp login` and `mcp logout`, without a pool.

use std::collections::BTreeMap;

use crate::domain::ids::ServerName;
use crate::mcp::auth::{AuthError, Authorizer};
use crate::mcp::desk::{Desk, Rules};
use crate::mcp::error::Error;
use crate::mcp::http::Http;
use crate::mcp::options::{Endpoint, ServerOptions};
use crate::mcp::probe::Once;

/// What came of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoggedIn {
    /// There are tokens now.
    Yes,
    /// The server wants none.
    NotNeeded,
}

/// Connects to a server anew and logs in: a person opens an address, as `http` was told to show it.
///
/// # Errors
/// When the server cannot be reached, has no login, or the login does not come about.
pub async fn log_in(options: &ServerOptions, http: Http, environment: BTreeMap<String, String>) -> Result<LoggedIn, Error> {
    let desk = Desk::unrecorded(Rules { addresses: true, ..Rules::default() });
    let authorizers = authorizers(options, &http, &desk)?;
    for authorizer in &authorizers {
        authorizer.forget(true).await?;
    }
    let once = Once::new(options, http, environment)?.asking(desk, None);
    let connected = once.connect().await;
    let (link, failure) = match connected {
        Ok(link) => (Some(link), None),
        Err(error) => (None, Some(error)),
    };
    once.close(link).await;
    match failure {
        // What went wrong after the login is not the login's business.
        Some(error) if !authorizers.iter().any(Authorizer::has_token) => Err(error),
        _ if authorizers.iter().any(Authorizer::has_token) => Ok(LoggedIn::Yes),
        _ => Ok(LoggedIn::NotNeeded),
    }
}

/// Forgets a server's tokens and takes them back where that is offered; says whether there were any.
///
/// # Errors
/// When the server has no login, or what is kept cannot be removed.
pub async fn log_out(options: &ServerOptions, http: &Http) -> Result<bool, Error> {
    let mut had = false;
    for authorizer in authorizers(options, http, &Desk::unrecorded(Rules::default()))? {
        had |= authorizer.forget(false).await?;
    }
    Ok(had)
}

fn authorizers(options: &ServerOptions, http: &Http, desk: &Desk) -> Result<Vec<Authorizer>, Error> {
    let name = ServerName::new(&options.name);
    let none = |why: &str| Error::Login(AuthError::NoServer(why.to_owned()));
    let authority = http.authority().ok_or_else(|| none("logins are not set up here"))?;
    let mut found = Vec::new();
    for endpoint in options.endpoints()? {
        match endpoint {
            Endpoint::Process(_) => return Err(Error::NoLogin("it is a program on this machine, not a server behind HTTP")),
            Endpoint::Http(address) => {
                let Some(oauth) = &address.oauth else {
                    return Err(Error::NoLogin("a key is configured for it, which stands for a login"));
                };
                found.extend(authority.authorizer(&name, &address.url, oauth, Some(desk)));
            }
        }
    }
    Ok(found)
}
