//! Records by `POST` to the coordinator: one as an object, several as an array.
//!
//! What a coordinator answers is read strictly where records could be lost and leniently elsewhere: only a status of 2xx
//! is a confirmation, and a body that says otherwise takes it back. Batches over some kilobytes go compressed, until a
//! coordinator shows that it cannot read that.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::domain::clock::{Clock, Instant};
use crate::domain::reports::Statistics;
use crate::domain::secrets;
use crate::domain::text::{clean_line, ellipsis};
use crate::interactions::outgoing::Outgoing;
use crate::interactions::transport::{Settled, Transport, Trouble, Verdict};
use crate::net;

/// From this size on a body is compressed, in bytes: below it costs more than it saves.
const GZIP_BYTES_MIN: usize = 4 * 1024;

/// The most that is read of an answer, in bytes: a verdict for each of a batch, with its reason.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// The longest reason that is told, in characters.
const REASON_CHARS_MAX: usize = 200;

/// `http`.
pub struct Http {
    net: net::Client,
    base: String,
    key: Option<SecretString>,
    timeout: Duration,
    clock: Arc<dyn Clock>,
    /// Whether the coordinator is sent compressed bodies.
    gzip: AtomicBool,
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Http {
    /// To the coordinator at `base` (no `/` at its end), with `key` as the bearer token; each request may take `timeout`.
    pub fn new(net: net::Client, base: &str, key: Option<SecretString>, timeout: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { net, base: base.to_owned(), key, timeout, clock, gzip: AtomicBool::new(true) }
    }

    /// One request, with its answer, within the time.
    async fn ask(&self, path: &str, body: Option<&[u8]>, gzipped: bool) -> Result<Answer, Trouble> {
        let asked = tokio::time::timeout(self.timeout, self.exchange(path, body, gzipped)).await;
        asked.unwrap_or_else(|_| Err(Trouble::Unreachable(format!("no answer within {} s", self.timeout.as_secs_f32()))))
    }

    async fn exchange(&self, path: &str, body: Option<&[u8]>, gzipped: bool) -> Result<Answer, Trouble> {
        let url = format!("{}{path}", self.base);
        let inner = self.net.inner(&url).await.map_err(|error| Trouble::Config(error.to_string()))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(key) = &self.key {
            let told = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()));
            let mut told =
                told.map_err(|_| Trouble::Config("`coordinator_api_key` holds characters that no header can carry".to_owned()))?;
            told.set_sensitive(true);
            headers.insert(AUTHORIZATION, told);
        }
        let builder = match body {
            None => inner.get(&url).headers(headers),
            Some(body) => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                let packed = if gzipped { pack(body) } else { None };
                if packed.is_some() {
                    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                }
                inner.post(&url).headers(headers).body(packed.unwrap_or_else(|| body.to_vec()))
            }
        };
        let request = builder.build().map_err(|error| Trouble::Config(error.without_url().to_string()))?;
        let response = self.net.execute(request).await.map_err(|failure| self.unreachable(&failure))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut bytes = Vec::new();
        let mut parts = net::body(response);
        while let Some(part) = parts.next().await {
            // Half an answer confirms nothing.
            let part = part.map_err(|failure| self.unreachable(&failure))?;
            bytes.extend_from_slice(part.get(..part.len().min(ANSWER_BYTES_MAX - bytes.len())).unwrap_or_default());
            if bytes.len() >= ANSWER_BYTES_MAX {
                break;
            }
        }
        Ok(Answer { status, headers, body: bytes })
    }

    /// What the coordinator's records come to between two times.
    ///
    /// # Errors
    /// When it cannot be reached, refuses the key, or answers something else.
    pub async fn statistics(&self, since: Instant, until: Instant) -> Result<Statistics, Trouble> {
        let answer = self.ask(&format!("/api/v2/interactions/statistics?since={since}&until={until}"), None, false).await?;
        if !answer.status.is_success() {
            return Err(self.trouble(&answer));
        }
        let odd = |_| Trouble::Unreachable("the answer holds no statistics: is this a wakeful coordinator?".to_owned());
        serde_json::from_slice(&answer.body).map_err(odd)
    }

    /// A stranger's words as one short line, without our key should they repeat it.
    fn shown(&self, text: &str) -> String {
        let text = match &self.key {
            Some(key) if text.contains(key.expose_secret()) => text.replace(key.expose_secret(), secrets::HIDDEN),
            _ => text.to_owned(),
        };
        ellipsis(&clean_line(&text), REASON_CHARS_MAX).into_owned()
    }

    /// No answer, or half of one: where, and why.
    fn unreachable(&self, failure: &net::Failure) -> Trouble {
        Trouble::Unreachable(self.shown(&format!("{}: {}", self.base, failure.message)))
    }

    /// Status and message.
    fn told(&self, answer: &Answer) -> String {
        let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let said = ["detail", "message", "error", "title"].iter().find_map(|key| json.as_ref()?.get(key)?.as_str());
        match said {
            Some(text) => self.shown(&format!("HTTP {}: {text}", answer.status.as_u16())),
            None => format!("HTTP {}", answer.status.as_u16()),
        }
    }

    /// What a status that is no success means for all that was sent.
    fn trouble(&self, answer: &Answer) -> Trouble {
        let told = self.told(answer);
        let after = net::retry_after(&answer.headers, self.clock.now());
        match answer.status.as_u16() {
            401 | 403 => Trouble::Key(told),
            429 => Trouble::Busy { after, message: told },
            503 if after.is_some() => Trouble::Busy { after, message: told },
            300..=399 => Trouble::Unreachable(format!("{told}: it sends us on; give its final address as `coordinator_url`")),
            404 | 405 | 410 => Trouble::Unreachable(format!("{told}: is `coordinator_url` right?")),
            _ => Trouble::Unreachable(told),
        }
    }

    async fn look(&self) -> Result<(), Trouble> {
        let health = self.ask("/api/v2/health", None, false).await?;
        self.judge(&health)?;
        let key = self.ask("/api/v2/validate", Some(b"{}"), false).await?;
        self.judge(&key)
    }

    /// A coordinator may have no such page, or want something else of it: then the first record tells.
    fn judge(&self, answer: &Answer) -> Result<(), Trouble> {
        match answer.status.as_u16() {
            300..=399 | 401 | 403 | 407 | 429 | 500 | 502.. => Err(self.trouble(answer)),
            _ => Ok(()),
        }
    }

    async fn deliver(&self, records: &[Outgoing]) -> Result<Vec<Verdict>, Trouble> {
        let body = body(records).into_bytes();
        let gzip = body.len() >= GZIP_BYTES_MIN && self.gzip.load(Ordering::Relaxed);
        let mut answer = self.ask("/api/v2/interactions", Some(&body), gzip).await?;
        if gzip && matches!(answer.status.as_u16(), 400 | 415 | 422 | 501) {
            // It may not know how to unpack: the same records without, before anything is believed of them.
            let plain = self.ask("/api/v2/interactions", Some(&body), false).await?;
            if plain.status.is_success() {
                self.gzip.store(false, Ordering::Relaxed);
            }
            answer = plain;
        }
        if answer.status.is_success() {
            return self.verdicts(&answer, records);
        }
        match (answer.status.as_u16(), records.len()) {
            (code @ (400 | 413 | 422), 1) => Ok(vec![Verdict::Refused { code, message: self.told(&answer) }]),
            (400 | 413 | 422, _) => Err(Trouble::Batch(self.told(&answer))),
            _ => Err(self.trouble(&answer)),
        }
    }

    /// A success confirms all records but those that it names.
    fn verdicts(&self, answer: &Answer, records: &[Outgoing]) -> Result<Vec<Verdict>, Trouble> {
        let mut verdicts = vec![Verdict::Stored; records.len()];
        let Ok(Value::Object(said)) = serde_json::from_slice::<Value>(&answer.body) else {
            // The status alone confirms; the contract asks for no more than that.
            return Ok(verdicts);
        };
        if let Some(status) = said.get("status").and_then(Value::as_str)
            && matches!(status.to_ascii_lowercase().as_str(), "error" | "failed" | "failure" | "rejected")
        {
            return Err(Trouble::Unreachable(format!("it says `{}`", self.told(answer))));
        }
        for rejected in said.get("rejected").and_then(Value::as_array).into_iter().flatten() {
            let by_id = || {
                let id = rejected.get("record_id")?.as_str()?;
                records.iter().position(|record| record.record_id.as_str() == id)
            };
            let by_index = || usize::try_from(rejected.get("index")?.as_u64()?).ok();
            let code = rejected.get("code").and_then(|code| code.as_u64().or_else(|| code.as_str()?.parse().ok()));
            let message = rejected.get("message").and_then(Value::as_str).unwrap_or("refused without a reason");
            let refused =
                Verdict::Refused { code: code.and_then(|code| u16::try_from(code).ok()).unwrap_or(422), message: self.shown(message) };
            if let Some(verdict) = by_id().or_else(by_index).and_then(|at| verdicts.get_mut(at)) {
                *verdict = refused;
            }
        }
        Ok(verdicts)
    }
}

/// One as an object, several as an array.
fn body(records: &[Outgoing]) -> String {
    let [one] = records else {
        let mut body = String::with_capacity(records.iter().map(|record| record.text.len() + 1).sum::<usize>() + 1);
        for record in records {
            body.push(if body.is_empty() { '[' } else { ',' });
            body.push_str(&record.text);
        }
        body.push(']');
        return body;
    };
    one.text.clone()
}

fn pack(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

impl Transport for Http {
    fn name(&self) -> &'static str {
        "http"
    }

    fn probe(&self) -> BoxFuture<'_, Result<(), Trouble>> {
        self.look().boxed()
    }

    fn send<'a>(&'a self, records: &'a [Outgoing]) -> BoxFuture<'a, Result<Vec<Verdict>, Trouble>> {
        self.deliver(records).boxed()
    }

    /// Nothing is ever handed over: an answer is a confirmation. Should a handle stand in the queue all the same, it is no
    /// longer known here.
    fn settled<'a>(&'a self, handles: &'a [String]) -> BoxFuture<'a, Result<Vec<Settled>, Trouble>> {
        std::future::ready(Ok(vec![Settled::Lost; handles.len()])).boxed()
    }
}

#[cfg(test)]
mod tests;
