//! Webhooks and callbacks: a JSON document posted to a URL, signed where there is a secret.
//!
//! A receiver checks `X-Wakeful-Signature: sha256=<hex>`, the HMAC-SHA256 of `<X-Wakeful-Timestamp>.<body>`, refuses old
//! timestamps, and tells repeats by `Idempotency-Key`, which is the notice's id.

use std::fmt::Write as _;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::domain::clock::Clock;
use crate::domain::notice::{ChannelKind, Notice, masked};
use crate::notify::options::shown;
use crate::notify::post::{self, Censor, Content, Http, Post};
use crate::notify::{Built, Channel, OptionsError, Parts, Receipt, SendError};

/// The largest document that is posted, in bytes: what receivers commonly take.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Either of the two channels.
pub(super) struct Hook(Arc<Poster>);

struct Poster {
    kind: ChannelKind,
    http: Http,
    clock: Arc<dyn Clock>,
    secret: Option<SecretString>,
    censor: Censor,
}

pub(super) fn build_webhook(parts: &mut Parts<'_>) -> Result<Built, OptionsError> {
    let options = &parts.options.webhook;
    if !options.url.trim().is_empty() {
        post::check_url(&options.url).map_err(|why| OptionsError::new("webhook.url", why))?;
    }
    let secret = parts.secret(options.secret.as_ref(), "WAKEFUL_WEBHOOK_SECRET");
    Ok(build(parts, ChannelKind::Webhook, secret, "`WAKEFUL_WEBHOOK_SECRET`"))
}

pub(super) fn build_callback(parts: &mut Parts<'_>) -> Built {
    let secret = parts.secret(parts.options.callback.secret.as_ref(), "WAKEFUL_CALLBACK_SECRET");
    build(parts, ChannelKind::Callback, secret, "`WAKEFUL_CALLBACK_SECRET`")
}

fn build(parts: &Parts<'_>, kind: ChannelKind, secret: Option<SecretString>, variable: &str) -> Built {
    let note = if secret.is_some() { "signed".to_owned() } else { format!("unsigned; set {variable} to sign") };
    let censor = Censor::of(secret.iter().map(ExposeSecret::expose_secret));
    let poster = Poster { kind, http: parts.http.clone(), clock: Arc::clone(&parts.clock), secret, censor };
    Built::Real(Arc::new(Hook(Arc::new(poster))), note)
}

/// Refuses what cannot be posted to.
pub(super) fn check_url(kind: ChannelKind, url: &str) -> Result<(), SendError> {
    post::check_url(url).map_err(|why| SendError::Rejected { reason: format!("the URL `{}` {why}", shown(&masked(kind, url))) })
}

/// The value of `X-Wakeful-Signature`.
fn signature(secret: &SecretString, timestamp: i64, body: &[u8]) -> Option<String> {
    // A key may have any length, so there is always one.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).ok()?;
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    let mut out = "sha256=".to_owned();
    for byte in mac.finalize().into_bytes() {
        write!(out, "{byte:02x}").ok()?;
    }
    Some(out)
}

impl Poster {
    async fn send(self: Arc<Self>, notice: Notice) -> Result<Receipt, SendError> {
        let url = notice.to.trim().to_owned();
        check_url(self.kind, &url)?;
        let shown = masked(self.kind, &url);
        let rejected = |reason: &str| SendError::Rejected { reason: reason.to_owned() };
        let payload = match (&notice.payload, self.kind) {
            (Value::Null, ChannelKind::Callback) => return Err(rejected("there is no feedback to post")),
            (Value::Null, _) => self.document(&notice),
            (payload, _) => payload.clone(),
        };
        let body = serde_json::to_vec(&payload).map_err(|_| rejected("the document cannot be written as JSON"))?;
        if body.len() > BODY_BYTES_MAX {
            return Err(rejected(&format!("the document is larger than {BODY_BYTES_MAX} bytes")));
        }
        let headers = self.headers(&notice, &body).ok_or_else(|| rejected("the notice's id cannot be sent in a header"))?;
        let censor = self.censor.clone().with_receiver(&url, &shown);
        let request = Post { url, headers, login: None, content: Content::Json(body) };
        let answer = self.http.post(request, &censor).await?;
        if !answer.is_success() {
            return Err(self.http.refusal(&answer, &censor));
        }
        let id = answer.id(&["event_id", "id", "receipt"]);
        Ok(Receipt { id, simulated: false, detail: format!("posted to {shown}: HTTP {}", answer.status) })
    }

    /// What is posted of a notice that brings no document of its own.
    fn document(&self, notice: &Notice) -> Value {
        json!({
            "notice_id": notice.notice_id,
            "title": notice.title,
            "body": notice.body,
            "url": notice.url,
            "priority": notice.priority,
            "task_id": notice.task_id,
            "firing_id": notice.firing_id,
            "timestamp": self.clock.now(),
        })
    }

    fn headers(&self, notice: &Notice, body: &[u8]) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        headers.insert("idempotency-key", HeaderValue::try_from(notice.notice_id.as_str()).ok()?);
        let seconds = self.clock.now().as_millis().div_euclid(1_000);
        headers.insert("x-wakeful-timestamp", HeaderValue::from(seconds));
        if let Some(secret) = &self.secret {
            headers.insert("x-wakeful-signature", HeaderValue::try_from(signature(secret, seconds, body)?).ok()?);
        }
        Some(headers)
    }
}

impl Channel for Hook {
    fn kind(&self) -> ChannelKind {
        self.0.kind
    }

    fn simulated(&self) -> bool {
        false
    }

    fn send(&self, notice: Notice) -> BoxFuture<'static, Result<Receipt, SendError>> {
        Arc::clone(&self.0).send(notice).boxed()
    }
}

#[cfg(test)]
mod tests;
