//! Push through an ntfy server, by its JSON form (<https://docs.ntfy.sh/publish/#publish-as-json>).

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use jiff::tz::TimeZone;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::domain::clock::Clock;
use crate::domain::notice::{ChannelKind, Notice, masked};
use crate::notify::post::{Censor, Content, Http, Post, check_base, is_open};
use crate::notify::template::{Facts, Template, shorten};
use crate::notify::{Built, Channel, OptionsError, Parts, Receipt, SendError};

/// The longest topic, in characters (ntfy's own limit).
const TOPIC_CHARS_MAX: usize = 64;

/// The longest message, in bytes: ntfy turns more than 4,096 into an attachment.
const MESSAGE_BYTES_MAX: usize = 4_000;

/// The longest heading, in UTF-16 units.
const TITLE_UNITS_MAX: usize = 200;

/// The channel.
pub(super) struct Ntfy(Arc<Publisher>);

struct Publisher {
    http: Http,
    clock: Arc<dyn Clock>,
    zone: TimeZone,
    server: String,
    headers: HeaderMap,
    title: Template,
    template: Template,
    censor: Censor,
}

pub(super) fn build(parts: &mut Parts<'_>) -> Result<Built, OptionsError> {
    let options = &parts.options.ntfy;
    let title = Template::parse("ntfy.title", &options.title)?;
    let template = Template::parse("ntfy.template", &options.template)?;
    let server = check_base("ntfy.server", &options.server)?;
    if !options.topic.trim().is_empty() {
        check_topic(&options.topic).map_err(|_| OptionsError::new("ntfy.topic", "may hold letters, digits, `-` and `_` only, up to 64"))?;
    }
    let token = parts.secret(options.token.as_ref(), "NTFY_TOKEN");
    let mut headers = HeaderMap::new();
    if let Some(token) = &token {
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
            .map_err(|_| OptionsError::new("ntfy.token", "(or `NTFY_TOKEN`) holds characters that no header can carry"))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
        if is_open(&server) {
            parts.warnings.push("`notify.ntfy.server` is no `https://`: the token can be read on the way".to_owned());
        }
    }
    let note = format!("{server}, {}", if token.is_some() { "with a token" } else { "without a token" });
    let censor = Censor::of(token.iter().map(ExposeSecret::expose_secret));
    let (http, clock, zone) = (parts.http.clone(), Arc::clone(&parts.clock), parts.zone.clone());
    Ok(Built::Real(Arc::new(Ntfy(Arc::new(Publisher { http, clock, zone, server, headers, title, template, censor }))), note))
}

/// Refuses what is no topic; a topic is a name, never a URL, so that the token goes to the configured server only.
pub(super) fn check_topic(topic: &str) -> Result<(), SendError> {
    let topic = topic.trim();
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if (1..=TOPIC_CHARS_MAX).contains(&topic.len()) && topic.bytes().all(sound) {
        return Ok(());
    }
    let reason = "a topic may hold letters, digits, `-` and `_` only, up to 64; the server is set by `notify.ntfy.server`";
    Err(SendError::Rejected { reason: reason.to_owned() })
}

impl Publisher {
    async fn send(self: Arc<Self>, notice: Notice) -> Result<Receipt, SendError> {
        check_topic(&notice.to)?;
        let topic = notice.to.trim();
        let shown = masked(ChannelKind::Ntfy, topic);
        let facts = Facts::of(&notice, self.clock.now(), &self.zone);
        let message = self.template.render(&facts);
        // One UTF-16 unit is at most three bytes.
        let message = if message.len() > MESSAGE_BYTES_MAX { shorten(&message, MESSAGE_BYTES_MAX / 3).into_owned() } else { message };
        let mut document = json!({
            "topic": topic,
            "title": shorten(&self.title.render(&facts), TITLE_UNITS_MAX),
            "message": message,
            "priority": notice.priority.clamp(1, 5),
        });
        if !facts.url.is_empty() {
            document["click"] = json!(facts.url);
        }
        let censor = self.censor.clone().with_receiver(topic, &shown);
        let body = document.to_string().into_bytes();
        let post = Post { url: self.server.clone(), headers: self.headers.clone(), login: None, content: Content::Json(body) };
        let answer = self.http.post(post, &censor).await?;
        if !answer.is_success() {
            return Err(self.http.refusal(&answer, &censor));
        }
        Ok(Receipt { id: answer.id(&["id"]), simulated: false, detail: format!("published to {shown}") })
    }
}

impl Channel for Ntfy {
    fn kind(&self) -> ChannelKind {
        ChannelKind::Ntfy
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
