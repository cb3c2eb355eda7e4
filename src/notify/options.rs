//! What can be configured about notices: `[notify]` in the config. Secrets are never in `Debug` output nor written back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::domain::notice::ChannelKind;
use crate::notify::TerminalStyle;

/// The longest time one try may be given, in seconds.
const TIMEOUT_SECONDS_MAX: u64 = 600;

/// The longest name of a setting's value that an error repeats, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// An option that makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`notify.{key}` {reason}")]
pub struct OptionsError {
    /// The key below `notify`.
    pub key: String,
    /// What is wrong with it, and what to write instead. Holds no secret.
    pub reason: String,
}

impl OptionsError {
    pub(super) fn new(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { key: key.into(), reason: reason.into() }
    }
}

/// `text` as an error repeats it: clean and short.
pub(super) fn shown(text: &str) -> String {
    let line = crate::domain::text::clean_line(text);
    crate::domain::text::ellipsis(&line, SHOWN_CHARS_MAX).into_owned()
}

/// `[notify]`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Sends nothing: every channel only shows what it would send; default false.
    pub simulate: bool,
    /// The longest try of one delivery, in seconds; default 30.
    pub timeout_seconds: u64,
    /// Tries of one notice in all, the first included; default 6.
    pub tries_max: u32,
    /// Windows of the day in which notices wait, such as `["22:00-07:00"]`; empty (default): none.
    pub quiet_hours: Vec<String>,
    /// Notices of this priority or above are sent in quiet hours too: 1 (low) to 5 (urgent); default 5.
    pub quiet_priority_max: u8,
    /// The time zone of quiet hours and of `{time}` in templates: an IANA name; empty (default): the machine's.
    pub timezone: String,
    /// Text messages.
    pub sms: SmsOptions,
    /// Mail.
    pub email: EmailOptions,
    /// Signed HTTP POST.
    pub webhook: WebhookOptions,
    /// Push through ntfy.
    pub ntfy: NtfyOptions,
    /// The desktop's notification service.
    pub desktop: DesktopOptions,
    /// The terminal.
    pub terminal: TerminalOptions,
    /// A task's `callback_url`.
    pub callback: CallbackOptions,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            simulate: false,
            timeout_seconds: 30,
            tries_max: 6,
            quiet_hours: Vec::new(),
            quiet_priority_max: 5,
            timezone: String::new(),
            sms: SmsOptions::default(),
            email: EmailOptions::default(),
            webhook: WebhookOptions::default(),
            ntfy: NtfyOptions::default(),
            desktop: DesktopOptions::default(),
            terminal: TerminalOptions::default(),
            callback: CallbackOptions::default(),
        }
    }
}

/// `[notify.sms]`: text messages through Twilio's API.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmsOptions {
    /// Where the API is; default `https://api.twilio.com`.
    pub base_url: String,
    /// The account's SID; default: `TWILIO_ACCOUNT_SID`.
    pub account_sid: String,
    /// The account's token; default: `TWILIO_AUTH_TOKEN`.
    #[serde(skip_serializing)]
    pub auth_token: Option<SecretString>,
    /// The sending number, sender id or messaging service's SID; default: `TWILIO_PHONE_NUMBER`.
    pub from: String,
    /// The number that is texted where nobody else is named; with country code: `+15551234567`.
    pub to: String,
    /// The most characters of a text (UTF-16 units, as the network counts), up to 1600; default 320.
    pub chars_max: usize,
    /// The most texts in any hour; 0: no limit; default 10.
    pub per_hour: u32,
    /// What a text says; a line whose placeholders are all empty is left out; default `{title}`, `{body}`, `{url}` on lines of their own.
    pub template: String,
}

impl Default for SmsOptions {
    fn default() -> Self {
        Self {
            base_url: "https://api.twilio.com".to_owned(),
            account_sid: String::new(),
            auth_token: None,
            from: String::new(),
            to: String::new(),
            chars_max: 320,
            per_hour: 10,
            template: "{title}\n{body}\n{url}".to_owned(),
        }
    }
}

/// `[notify.email]`: mail through SMTP.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct EmailOptions {
    /// The server: `smtps://user:password@host:465`, `smtp://user:password@host:587?tls=required`; default: `SMTP_URL`.
    #[serde(skip_serializing)]
    pub url: Option<SecretString>,
    /// The sender: `wakeful <me@example.org>`; default: `SMTP_FROM`, then the user of the URL where that is an address.
    pub from: String,
    /// The address that is written to where nobody else is named.
    pub to: String,
    /// Certificates (PEM) that are trusted beside the public ones; default: `SSL_CERT_FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// The most mails in any hour; 0: no limit; default 30.
    pub per_hour: u32,
    /// The subject; default `{title}`.
    pub subject: String,
    /// The text; default `{body}`, `{url}`, and `{task}` and `{time}` at the end.
    pub template: String,
}

impl Default for EmailOptions {
    fn default() -> Self {
        Self {
            url: None,
            from: String::new(),
            to: String::new(),
            ca_file: None,
            per_hour: 30,
            subject: "{title}".to_owned(),
            template: "{body}\n\n{url}\n\n-- \n{task}\nwakeful, {time}".to_owned(),
        }
    }
}

/// `[notify.webhook]`: a signed HTTP POST.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookOptions {
    /// The URL that is posted to where a task names none.
    pub url: String,
    /// Signs each request; default: `WAKEFUL_WEBHOOK_SECRET`; without it requests go out unsigned.
    #[serde(skip_serializing)]
    pub secret: Option<SecretString>,
    /// The most requests in any hour; 0: no limit; default 600.
    pub per_hour: u32,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self { url: String::new(), secret: None, per_hour: 600 }
    }
}

/// `[notify.ntfy]`: push through an ntfy server.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct NtfyOptions {
    /// The server; default `https://ntfy.sh`.
    pub server: String,
    /// The topic that is published to where a task names none. Whoever knows it can read along.
    pub topic: String,
    /// The access token; default: `NTFY_TOKEN`; without it requests go out without one.
    #[serde(skip_serializing)]
    pub token: Option<SecretString>,
    /// The most pushes in any hour; 0: no limit; default 60.
    pub per_hour: u32,
    /// The heading; default `{title}`.
    pub title: String,
    /// The text; default `{body}`. The link opens on a tap.
    pub template: String,
}

impl Default for NtfyOptions {
    fn default() -> Self {
        Self {
            server: "https://ntfy.sh".to_owned(),
            topic: String::new(),
            token: None,
            per_hour: 60,
            title: "{title}".to_owned(),
            template: "{body}".to_owned(),
        }
    }
}

/// `[notify.desktop]`: the desktop's notification service.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DesktopOptions {
    /// The most notifications in any hour; 0: no limit; default 60.
    pub per_hour: u32,
    /// The text; default `{body}` and `{url}` on lines of their own.
    pub template: String,
}

impl Default for DesktopOptions {
    fn default() -> Self {
        Self { per_hour: 60, template: "{body}\n{url}".to_owned() }
    }
}

/// `[notify.terminal]`: the terminal's own notification, or its bell.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TerminalOptions {
    /// How a note is shown; default `auto`.
    pub style: TerminalStyle,
    /// The most notes in any hour; 0: no limit; default 120.
    pub per_hour: u32,
    /// The text; default `{body}`.
    pub template: String,
}

impl Default for TerminalOptions {
    fn default() -> Self {
        Self { style: TerminalStyle::Auto, per_hour: 120, template: "{body}".to_owned() }
    }
}

/// `[notify.callback]`: the feedback of a firing, posted to its task's `callback_url`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallbackOptions {
    /// Signs each request as a webhook's; default: `WAKEFUL_CALLBACK_SECRET`; without it requests go out unsigned.
    #[serde(skip_serializing)]
    pub secret: Option<SecretString>,
    /// The most requests in any hour; 0: no limit; default 3600.
    pub per_hour: u32,
}

impl Default for CallbackOptions {
    fn default() -> Self {
        Self { secret: None, per_hour: 3_600 }
    }
}

impl Options {
    /// The most notices of this kind in any hour; 0: no limit.
    pub fn per_hour(&self, kind: ChannelKind) -> u32 {
        match kind {
            ChannelKind::Sms => self.sms.per_hour,
            ChannelKind::Email => self.email.per_hour,
            ChannelKind::Webhook => self.webhook.per_hour,
            ChannelKind::Ntfy => self.ntfy.per_hour,
            ChannelKind::Desktop => self.desktop.per_hour,
            ChannelKind::Terminal => self.terminal.per_hour,
            ChannelKind::Callback => self.callback.per_hour,
        }
    }

    /// The time zone of quiet hours and templates.
    pub(super) fn zone(&self) -> Result<TimeZone, OptionsError> {
        match self.timezone.trim() {
            "" => Ok(TimeZone::system()),
            name => TimeZone::get(name).map_err(|_| {
                OptionsError::new("timezone", format!("`{}` is no time zone; write an IANA name such as `Europe/Berlin`", shown(name)))
            }),
        }
    }

    pub(super) fn timeout(&self) -> Result<Duration, OptionsError> {
        if self.tries_max == 0 {
            return Err(OptionsError::new("tries_max", "must be at least 1"));
        }
        if !(1..=TIMEOUT_SECONDS_MAX).contains(&self.timeout_seconds) {
            return Err(OptionsError::new("timeout_seconds", format!("must lie between 1 and {TIMEOUT_SECONDS_MAX}")));
        }
        Ok(Duration::from_secs(self.timeout_seconds))
    }

    /// The configured receivers, by kind. The desktop and the terminal have only one.
    pub(super) fn receivers(&self) -> BTreeMap<ChannelKind, String> {
        let configured = [
            (ChannelKind::Sms, self.sms.to.as_str()),
            (ChannelKind::Email, &self.email.to),
            (ChannelKind::Webhook, &self.webhook.url),
            (ChannelKind::Ntfy, &self.ntfy.topic),
            (ChannelKind::Desktop, "desktop"),
            (ChannelKind::Terminal, "terminal"),
        ];
        let named = configured.into_iter().filter(|(_, to)| !to.trim().is_empty());
        named.map(|(kind, to)| (kind, to.trim().to_owned())).collect()
    }
}
