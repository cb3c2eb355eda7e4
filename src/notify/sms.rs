//! Text messages through Twilio's REST API.
//!
//! Twilio knows no idempotency key, so the line between "surely not taken" and "may have been taken" is drawn with care:
//! an error in Twilio's own words is a refusal; a gateway's error, or none at all, leaves the outcome unknown.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::HeaderMap;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};

use crate::domain::clock::Clock;
use crate::domain::notice::{ChannelKind, Notice, masked};
use crate::notify::post::{Answer, Censor, Content, Http, Post, check_base, is_open};
use crate::notify::template::{Facts, Template};
use crate::notify::{Built, Channel, OptionsError, Parts, Receipt, SendError};

/// The longest text that Twilio takes, in UTF-16 units (its documentation of the Messages resource, `Body`).
const TEXT_UNITS_MAX: usize = 1_600;

/// The shortest text that is worth sending, in UTF-16 units.
const TEXT_UNITS_MIN: usize = 20;

/// What one of Twilio's error codes means for a notice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Rejected,
    Busy,
    Auth,
}

/// Twilio's error codes (<https://www.twilio.com/docs/api/errors>) in words. Others are told in Twilio's own words.
const CODES: &[(u64, Meaning, &str)] = &[
    (20003, Meaning::Auth, "Twilio does not accept the account SID and token; check `TWILIO_ACCOUNT_SID` and `TWILIO_AUTH_TOKEN`"),
    (20005, Meaning::Auth, "the Twilio account is not active"),
    (20404, Meaning::Auth, "Twilio does not know the account; check `TWILIO_ACCOUNT_SID`"),
    (20429, Meaning::Busy, "too many requests"),
    (21211, Meaning::Rejected, "the receiver is no valid number; write it with its country code, like +15551234567"),
    (21212, Meaning::Rejected, "the sender is no valid number; check `TWILIO_PHONE_NUMBER`"),
    (21214, Meaning::Rejected, "the receiver's number cannot be reached"),
    (21265, Meaning::Rejected, "the receiver's number is a short code, which cannot be texted"),
    (21266, Meaning::Rejected, "sender and receiver are the same number"),
    (21408, Meaning::Rejected, "the account may not text this region; allow it under geographic permissions"),
    (21602, Meaning::Rejected, "the text is empty"),
    (21603, Meaning::Rejected, "the sender is missing; set `TWILIO_PHONE_NUMBER`"),
    (21606, Meaning::Rejected, "the sender's number cannot send texts or is not the account's; check `TWILIO_PHONE_NUMBER`"),
    (21608, Meaning::Rejected, "a trial account texts verified numbers only; verify the receiver or upgrade"),
    (21610, Meaning::Rejected, "the receiver has opted out (STOP)"),
    (21611, Meaning::Busy, "too many texts wait at the sender's number"),
    (21612, Meaning::Rejected, "the receiver cannot be reached from the sender's number"),
    (21614, Meaning::Rejected, "the receiver is no mobile number"),
    (21617, Meaning::Rejected, "the text is too long"),
    (21659, Meaning::Rejected, "the sender's number is not Twilio's or in the wrong country; check `TWILIO_PHONE_NUMBER`"),
    (21660, Meaning::Rejected, "the sender's number is not the account's; check `TWILIO_PHONE_NUMBER`"),
    (63038, Meaning::Busy, "the account's limit of texts a day is reached"),
];

/// The real channel.
pub(super) struct Sms(Arc<Account>);

struct Account {
    http: Http,
    clock: Arc<dyn Clock>,
    zone: TimeZone,
    url: String,
    sid: String,
    token: SecretString,
    from: String,
    template: Template,
    units_max: usize,
    censor: Censor,
}

pub(super) fn build(parts: &mut Parts<'_>) -> Result<Built, OptionsError> {
    let options = &parts.options.sms;
    let template = Template::parse("sms.template", &options.template)?;
    let base = check_base("sms.base_url", &options.base_url)?;
    if !(TEXT_UNITS_MIN..=TEXT_UNITS_MAX).contains(&options.chars_max) {
        return Err(OptionsError::new("sms.chars_max", format!("must lie between {TEXT_UNITS_MIN} and {TEXT_UNITS_MAX}")));
    }
    if !options.to.trim().is_empty() {
        number(&options.to).map_err(|_| OptionsError::new("sms.to", "is no number with country code, like +15551234567"))?;
    }
    let sid = parts.value(&options.account_sid, "TWILIO_ACCOUNT_SID");
    let token = parts.secret(options.auth_token.as_ref(), "TWILIO_AUTH_TOKEN");
    let from = parts.value(&options.from, "TWILIO_PHONE_NUMBER");
    let (Some(sid), Some(token), Some(from)) = (&sid, &token, &from) else {
        let named =
            [("TWILIO_ACCOUNT_SID", sid.is_some()), ("TWILIO_AUTH_TOKEN", token.is_some()), ("TWILIO_PHONE_NUMBER", from.is_some())];
        let missing: Vec<_> = named.iter().filter(|(_, there)| !there).map(|(name, _)| format!("`{name}`")).collect();
        let why = format!("{} not set", missing.join(", "));
        if missing.len() < named.len() {
            parts.warnings.push(format!("texts are simulated: {why}"));
        }
        return Ok(Built::Missing(why));
    };
    // It becomes part of the address.
    if !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(OptionsError::new("sms.account_sid", "(or `TWILIO_ACCOUNT_SID`) holds other characters than letters and digits"));
    }
    if is_open(&base) {
        parts.warnings.push("`notify.sms.base_url` is no `https://`: the token can be read on the way".to_owned());
    }
    let account = Account {
        http: parts.http.clone(),
        clock: Arc::clone(&parts.clock),
        zone: parts.zone.clone(),
        url: format!("{base}/2010-04-01/Accounts/{sid}/Messages.json"),
        sid: sid.clone(),
        token: token.clone(),
        from: from.clone(),
        template,
        units_max: options.chars_max,
        censor: Censor::of([token.expose_secret()]),
    };
    Ok(Built::Real(Arc::new(Sms(Arc::new(account))), format!("{base}, from {}", masked(ChannelKind::Sms, from))))
}

/// A number in E.164 form: `+`, country code, at most 15 digits. Blanks, dashes, dots and parentheses are dropped.
pub(super) fn number(text: &str) -> Result<String, SendError> {
    let number: String = text.trim().chars().filter(|ch| !matches!(ch, ' ' | '-' | '.' | '(' | ')')).collect();
    let digits = number.strip_prefix('+').unwrap_or_default();
    let sound = (7..=15).contains(&digits.len()) && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    if sound {
        return Ok(number);
    }
    let shown = masked(ChannelKind::Sms, &crate::domain::text::clean_line(text));
    Err(SendError::Rejected { reason: format!("`{shown}` is no number with country code, like +15551234567") })
}

impl Account {
    async fn send(self: Arc<Self>, notice: Notice) -> Result<Receipt, SendError> {
        let to = number(&notice.to)?;
        let shown = masked(ChannelKind::Sms, &to);
        let facts = Facts::of(&notice, self.clock.now(), &self.zone);
        let text = self.template.render_within(&facts, self.units_max);
        if text.trim().is_empty() {
            return Err(SendError::Rejected { reason: "the text is empty".to_owned() });
        }
        let sender = if self.from.starts_with("MG") { "MessagingServiceSid" } else { "From" };
        // `SmartEncoded` turns `…` and the like into characters that do not halve the room of a text.
        let fields = vec![("To", to.clone()), (sender, self.from.clone()), ("Body", text), ("SmartEncoded", "true".to_owned())];
        let censor = self.censor.clone().with_receiver(&to, &shown);
        let login = Some((self.sid.clone(), self.token.expose_secret().to_owned()));
        let post = Post { url: self.url.clone(), headers: HeaderMap::new(), login, content: Content::Form(fields) };
        let answer = self.http.post(post, &censor).await?;
        if !answer.is_success() {
            return Err(self.refusal(&answer, &censor));
        }
        let json = answer.json().unwrap_or_default();
        if matches!(json["status"].as_str(), Some("failed" | "undelivered" | "canceled")) {
            let told = json["error_message"].as_str().unwrap_or("Twilio could not send it");
            return Err(SendError::Rejected { reason: censor.hide(told) });
        }
        let id = answer.id(&["sid"]);
        // 201 is Twilio's answer alone; another success without a SID may come from anybody on the way.
        if id.is_none() && answer.status != 201 {
            return Err(SendError::Unknown {
                reason: format!("HTTP {} without a message SID; is `sms.base_url` Twilio's?", answer.status),
            });
        }
        Ok(Receipt { id, simulated: false, detail: format!("text to {shown} taken by Twilio") })
    }

    /// What an error of Twilio's means.
    fn refusal(&self, answer: &Answer, censor: &Censor) -> SendError {
        let json = answer.json();
        let code = json.as_ref().and_then(|json| json.get("code")?.as_u64());
        let known = CODES.iter().find(|(known, ..)| Some(*known) == code);
        if let (Some(code), Some((_, meaning, words))) = (code, known) {
            let reason = format!("{words} (Twilio {code})");
            return match meaning {
                Meaning::Rejected => SendError::Rejected { reason },
                Meaning::Auth => SendError::Auth { reason },
                Meaning::Busy => SendError::RateLimited { retry_at: self.http.retry_at(answer) },
            };
        }
        match (answer.status, code) {
            // A server error in Twilio's own words, or "not now" in anybody's: nothing was made. Anything else may come
            // from a gateway that lost Twilio's answer.
            (500..=599, Some(_)) => SendError::Down { reason: censor.hide(&answer.told()) },
            (503, None) => self.http.refusal(answer, censor),
            (500..=599, None) => SendError::Unknown { reason: censor.hide(&answer.told()) },
            _ => self.http.refusal(answer, censor),
        }
    }
}

impl Channel for Sms {
    fn kind(&self) -> ChannelKind {
        ChannelKind::Sms
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
