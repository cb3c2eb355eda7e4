//! Why a page did not come, in words that say what happened, where, and what to try.
//!
//! No variant holds a whole address: queries and user names may be secrets, so an address is cut by [`shown`] first.

use std::time::Duration;

use reqwest::Url;

use crate::domain::clock::Instant;
use crate::domain::text::{clean_line, ellipsis};

/// The most characters of an address that a message shows.
const SHOWN_CHARS_MAX: usize = 200;

/// The most characters of a cause that a message shows.
const CAUSE_CHARS_MAX: usize = 300;

/// Why a page did not come. Addresses in it have no user name, no query and no fragment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The address cannot be fetched as it stands, or a redirect named one that cannot.
    #[error("`{url}` is no address to fetch: {problem}")]
    BadUrl {
        /// The address.
        url: String,
        /// What is wrong with it and what to write instead.
        problem: String,
    },
    /// The address guard said no.
    #[error("`{host}` is not fetched: {address} is {why}")]
    Refused {
        /// The host as the address names it.
        host: String,
        /// The network address that it stands for.
        address: String,
        /// What kind of address that is, and the option that allows it where there is one.
        why: String,
    },
    /// `robots.txt` asks us to stay away from this page.
    #[error(
        "robots.txt of `{host}` does not allow `{url}`; watch another page, or set `ignore_robots = true` where a `web_monitor` may look all the same"
    )]
    Robots {
        /// The page.
        url: String,
        /// Scheme, host and port.
        host: String,
    },
    /// `robots.txt` cannot be read because the server fails; RFC 9309 takes that for a no.
    #[error("robots.txt of `{host}` answers {code}, which counts as a no until {retry_at}")]
    RobotsDown {
        /// Scheme, host and port.
        host: String,
        /// The HTTP status.
        code: u16,
        /// When `robots.txt` is read again.
        retry_at: Instant,
    },
    /// The server answered with something other than the page.
    #[error("`{url}` answers {code}{}", status_hint(*.code, *.retry_at))]
    Status {
        /// The page.
        url: String,
        /// The HTTP status.
        code: u16,
        /// When the server wants to be asked again, where it says so; its host rests until then.
        retry_at: Option<Instant>,
    },
    /// The unpacked body is over the limit.
    #[error("`{url}` is larger than {limit_bytes} bytes; watch a smaller page or raise `body_bytes_max` under [fetch]")]
    TooLarge {
        /// The page.
        url: String,
        /// The limit.
        limit_bytes: u64,
    },
    /// A redirect led back to where it came from.
    #[error("`{url}` redirects in a circle; the site may want cookies or a login: watch the page it ends on in a browser")]
    RedirectLoop {
        /// The address that came up twice.
        url: String,
    },
    /// More redirects than are followed.
    #[error("`{url}` is still redirecting after {limit} steps; watch the page it ends on in a browser")]
    TooManyRedirects {
        /// The last address.
        url: String,
        /// How many were followed.
        limit: usize,
    },
    /// A redirect from TLS to plain text, which is not followed.
    #[error("`{from}` redirects to the unencrypted `{to}`, which is not followed; watch `{to}` itself if that is fine")]
    Downgrade {
        /// Where the redirect stands.
        from: String,
        /// Where it leads.
        to: String,
    },
    /// It took too long.
    #[error("`{url}` took longer than {} s, {during}; is the site up?", limit.as_secs())]
    TimedOut {
        /// The page.
        url: String,
        /// The limit that was passed.
        limit: Duration,
        /// What was waited for.
        during: Stage,
    },
    /// There was no connection.
    #[error("`{url}` cannot be reached: {cause} ({message})")]
    Unreachable {
        /// The page.
        url: String,
        /// Which step failed.
        cause: Cause,
        /// The causes underneath.
        message: String,
    },
    /// The host asked to be left alone and is.
    #[error("`{host}` asked to be left alone until {until}")]
    Resting {
        /// Scheme, host and port.
        host: String,
        /// Until when.
        until: Instant,
    },
    /// Too many are waiting for this host already.
    #[error("{waiting} requests wait for `{host}` already; check its pages less often")]
    Busy {
        /// Scheme, host and port.
        host: String,
        /// How many wait.
        waiting: usize,
    },
    /// The connection ended before the page did.
    #[error("`{url}` was cut off after {received_bytes} bytes ({message})")]
    Cut {
        /// The page.
        url: String,
        /// What came of the unpacked body.
        received_bytes: u64,
        /// The causes underneath.
        message: String,
    },
    /// What came could not be understood.
    #[error("`{url}` sent what cannot be read ({message}); is it a web page?")]
    Garbled {
        /// The page.
        url: String,
        /// The causes underneath.
        message: String,
    },
}

/// What a request was waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The connection.
    Connecting,
    /// The head of the answer.
    Answer,
    /// The body.
    Body,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connecting => "without a connection",
            Self::Answer => "without an answer",
            Self::Body => "in the middle of the page",
        })
    }
}

/// Which step of connecting failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The name has no address.
    Dns,
    /// Nobody answers there.
    Connect,
    /// No trusted TLS connection.
    Tls,
    /// The HTTP client itself could not be set up.
    Setup,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Dns => "its name has no address; check the spelling and this machine's network",
            Self::Connect => "no connection; check the port and whether the server runs",
            Self::Tls => "no trusted TLS connection; check its certificate, and `SSL_CERT_FILE` for one of your own",
            Self::Setup => "HTTP could not be set up; check `proxy` and the root certificates",
        })
    }
}

impl Error {
    /// Whether the same request may succeed later without anybody's doing.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Status { code, .. } => crate::net::Class::of_status(*code) == crate::net::Class::Transient,
            Self::Unreachable { cause, .. } => *cause != Cause::Setup,
            Self::RobotsDown { .. } | Self::TimedOut { .. } | Self::Resting { .. } | Self::Busy { .. } | Self::Cut { .. } => true,
            Self::BadUrl { .. }
            | Self::Refused { .. }
            | Self::Robots { .. }
            | Self::TooLarge { .. }
            | Self::RedirectLoop { .. }
            | Self::TooManyRedirects { .. }
            | Self::Downgrade { .. }
            | Self::Garbled { .. } => false,
        }
    }

    /// Before when there is no point in asking again, where that is known.
    pub fn retry_at(&self) -> Option<Instant> {
        match self {
            Self::Status { retry_at, .. } => *retry_at,
            Self::Resting { until, .. } => Some(*until),
            Self::RobotsDown { retry_at, .. } => Some(*retry_at),
            _ => None,
        }
    }
}

fn status_hint(code: u16, retry_at: Option<Instant>) -> String {
    let words = match code {
        304 => ": not modified, though nothing was asked for",
        401 | 407 => ": it wants a login",
        403 => ": it does not want to be read by programs, or not without a login",
        404 | 410 => ": there is no such page; check the address",
        429 => ": too many requests; check it less often",
        500..=599 => ": the server fails",
        _ => "",
    };
    match retry_at {
        Some(at) => format!("{words}; it asks for no more before {at}"),
        None => words.to_owned(),
    }
}

/// `url` as a message may show it: no user name, no query, no fragment, and of bounded length.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // These fail only for addresses without a host, which have no user name either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    let query = url.query().is_some();
    url.set_query(None);
    let text = if query { format!("{url}?…") } else { url.to_string() };
    ellipsis(&clean_line(&text), SHOWN_CHARS_MAX).into_owned()
}

/// The same for text that is no address, or not yet known to be one.
pub(super) fn shown_text(text: &str) -> String {
    let (text, query) = match text.split_once(['?', '#']) {
        Some((text, _)) => (text, "?…"),
        None => (text, ""),
    };
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let colon = if scheme.is_empty() { "" } else { "://" };
    ellipsis(&clean_line(&format!("{scheme}{colon}{rest}{query}")), SHOWN_CHARS_MAX).into_owned()
}

/// A cause as a message may show it.
pub(super) fn cause(text: &str) -> String {
    ellipsis(&clean_line(text), CAUSE_CHARS_MAX).into_owned()
}
