//! A page as it is kept: a line of JSON about it, then its bytes.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{DATE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::domain::clock::Instant;
use crate::net::fetch::{Fetched, Head, Validators};

/// A page, and what its server said of keeping it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    about: About,
    body: Bytes,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct About {
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default)]
    validators: Validators,
    head: Said,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    redirects: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    passed: Vec<Said>,
    #[serde(default)]
    public: bool,
    /// When it came, or was last confirmed.
    at: Instant,
}

/// [`Head`] as text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Said {
    status: u16,
    headers: Vec<(String, String)>,
}

impl Said {
    fn of(head: &Head) -> Self {
        let text = |(name, value): (&HeaderName, &HeaderValue)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()));
        Self { status: head.status, headers: head.headers.iter().filter_map(text).collect() }
    }

    fn head(&self) -> Head {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_str()), HeaderValue::try_from(value.as_str())) {
                headers.append(name, value);
            }
        }
        Head { status: self.status, headers }
    }
}

impl Kept {
    /// A page that came whole at `at`.
    pub(super) fn of(fetched: &Fetched, at: Instant) -> Self {
        let about = About {
            url: fetched.url.clone(),
            content_type: fetched.content_type.clone(),
            validators: fetched.validators.clone(),
            head: Said::of(&fetched.head),
            redirects: fetched.redirects.clone(),
            passed: fetched.passed.iter().map(Said::of).collect(),
            public: fetched.public,
            at,
        };
        Self { about, body: fetched.body.clone() }
    }

    /// As bytes.
    pub(super) fn pack(&self) -> Bytes {
        let about = serde_json::to_vec(&self.about).unwrap_or_default();
        let mut out = BytesMut::with_capacity(about.len() + 1 + self.body.len());
        out.put_slice(&about);
        out.put_u8(b'\n');
        out.put_slice(&self.body);
        out.freeze()
    }

    /// From bytes; what is no page is nothing.
    pub(super) fn unpack(bytes: &Bytes) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let about = serde_json::from_slice(bytes.get(..end)?).ok()?;
        Some(Self { about, body: bytes.slice(end + 1..) })
    }

    /// When it came, or was last confirmed.
    pub(super) fn at(&self) -> Instant {
        self.about.at
    }

    /// The address that was asked for.
    pub(super) fn asked(&self) -> &str {
        self.about.redirects.first().unwrap_or(&self.about.url)
    }

    /// What the page said, then what each redirect said.
    pub(super) fn heads(&self) -> Vec<Head> {
        std::iter::once(&self.about.head).chain(&self.about.passed).map(Said::head).collect()
    }

    /// What to ask its server with.
    pub(super) fn validators(&self) -> Validators {
        self.about.validators.clone()
    }

    /// Whether a 304 speaks of this very version (RFC 9111, 4.3.4): by its tag where it names one, weak or strong.
    pub(super) fn is_confirmed_by(&self, answer: &Fetched) -> bool {
        let bare = |tag: &str| tag.trim_start_matches("W/").to_owned();
        if self.about.validators.is_empty() {
            return false;
        }
        match (&self.about.validators.etag, &answer.validators.etag) {
            (Some(ours), Some(theirs)) => bare(ours) == bare(theirs),
            (Some(_), None) | (None, Some(_)) => false,
            (None, None) => self.about.validators.last_modified == answer.validators.last_modified,
        }
    }

    /// Takes in what a 304 said: its headers stand in place of the old ones (RFC 9111, 3.2).
    pub(super) fn confirm(&mut self, head: &Head, at: Instant) {
        let mut headers = self.about.head.head().headers;
        // The old answer's clock says nothing about the new one.
        headers.remove(DATE);
        for name in head.headers.keys() {
            headers.remove(name);
            for value in head.headers.get_all(name) {
                headers.append(name.clone(), value.clone());
            }
        }
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let validators = Validators { etag: text(ETAG), last_modified: text(LAST_MODIFIED) };
        if !validators.is_empty() {
            self.about.validators = validators;
        }
        self.about.head = Said::of(&Head { status: self.about.head.status, headers });
        self.about.at = at;
    }

    /// As if it had just come.
    pub(super) fn into_fetched(self) -> Fetched {
        let head = self.about.head.head();
        Fetched {
            url: self.about.url,
            status: head.status,
            validators: self.about.validators,
            content_type: self.about.content_type,
            body: self.body,
            redirects: self.about.redirects,
            passed: self.about.passed.iter().map(Said::head).collect(),
            head,
            public: self.about.public,
            ..Fetched::default()
        }
    }
}
