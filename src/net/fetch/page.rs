//! What is asked for, and what came of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::HeaderMap;
use serde::{Deserialize, Serialize};

/// What a server said last time about the state of a page, to be sent back as it came.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Validators {
    /// The `ETag`, quotes and `W/` included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The `Last-Modified` date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
}

impl Validators {
    /// Whether there is nothing to ask with.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// What kind of answer is wanted most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Accept {
    /// A page to read.
    #[default]
    Page,
    /// RSS, Atom or JSON Feed.
    Feed,
    /// JSON.
    Json,
    /// Whatever there is.
    Any,
}

impl Accept {
    /// The `Accept` header.
    pub const fn header(self) -> &'static str {
        match self {
            Self::Page => "text/html,application/xhtml+xml,application/xml;q=0.9,text/plain;q=0.8,*/*;q=0.5",
            Self::Feed => "application/atom+xml,application/rss+xml,application/feed+json,application/xml;q=0.9,text/xml;q=0.9,*/*;q=0.5",
            Self::Json => "application/json,*/*;q=0.5",
            Self::Any => "*/*",
        }
    }
}

/// What an answer said about itself: enough to tell whether and for how long it may be kept (RFC 9111).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// What it said of keeping it, and its language. Of a cookie only that there was one.
    pub headers: HeaderMap,
}

/// Is told of each page that came whole, to keep it for others.
pub trait Keeper: Send + Sync {
    /// `fetched` is the answer to `request`. Short: whoever asked waits for it.
    fn came(&self, request: Request, fetched: Arc<Fetched>) -> BoxFuture<'static, ()>;
}

/// A page that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its address, `http` or `https`, without a user name.
    pub url: String,
    /// What was known of it last time; empty: it comes whole.
    pub validators: Validators,
    /// Whether `robots.txt` is obeyed.
    pub honour_robots: bool,
    /// Whether it must be a fetch of its own, made after this call: to confirm what another one saw.
    pub fresh: bool,
    /// What kind of answer is wanted most.
    pub accept: Accept,
    /// Take the beginning of a body that is too large, instead of failing.
    pub cut: bool,
}

impl Request {
    /// A request for `url` that obeys `robots.txt`, knows nothing yet and may share a fetch.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            validators: Validators::default(),
            honour_robots: true,
            fresh: false,
            accept: Accept::default(),
            cut: false,
        }
    }
}

/// A page that came, or the word that it has not changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fetched {
    /// Where it was in the end.
    pub url: String,
    /// The HTTP status: 304, or one of 2xx but 206.
    pub status: u16,
    /// Whether the page is as the validators of the request describe it; then `body` is empty.
    pub not_modified: bool,
    /// What to ask with next time; those of the request where an unchanged page names none.
    pub validators: Validators,
    /// The `Content-Type`, parameters included; a stranger's text.
    pub content_type: Option<String>,
    /// The body, unpacked, in the server's charset.
    pub body: Bytes,
    /// How long the network took, redirects included and waiting in line not.
    pub elapsed: Duration,
    /// The addresses that redirected, the one asked for first; empty if there was no redirect.
    pub redirects: Vec<String>,
    /// What the answer said about itself.
    pub head: Head,
    /// What each redirect said about itself, in the order of `redirects`.
    pub passed: Vec<Head>,
    /// Whether every host on the way was seen to answer from a public address. Behind a proxy nobody is seen.
    pub public: bool,
    /// Whether the body is only the beginning: see [`Request::cut`].
    pub cut: bool,
}
