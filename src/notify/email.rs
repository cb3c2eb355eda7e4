//! Mail through SMTP: one connection a notice, each command by itself, so that it is known how far it came.
//!
//! The end of the text is the line: before it nothing was taken, an answer to it is final, a lost answer is unknown. The
//! `Message-ID` is made of the notice's id, so that a receiver (and its mail program) can tell a repeat.

use std::error::Error as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::tz::TimeZone;
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncReadExt;

use crate::domain::clock::Clock;
use crate::domain::notice::{ChannelKind, Notice, masked};
use crate::domain::text::escape_markup;
use crate::net;
use crate::notify::options::shown;
use crate::notify::post::Censor;
use crate::notify::smtp_url::{SmtpUrl, Tls};
use crate::notify::template::{Facts, Template, shorten};
use crate::notify::{Built, Channel, OptionsError, Parts, Receipt, SendError};

/// The longest subject, in UTF-16 units.
const SUBJECT_UNITS_MAX: usize = 200;

/// The longest address, in bytes (RFC 5321, path), with room for a name.
const ADDRESS_BYTES_MAX: usize = 512;

/// The largest file of certificates that is read, in bytes.
const CERTIFICATES_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The longest goodbye after a mail was taken; its outcome is known by then.
const QUIT_LIMIT: Duration = Duration::from_secs(2);

/// The channel.
pub(super) struct Email(Arc<Sender>);

struct Sender {
    server: SmtpUrl,
    from: Mailbox,
    ca_file: Option<PathBuf>,
    subject: Template,
    template: Template,
    clock: Arc<dyn Clock>,
    zone: TimeZone,
    /// The limit of each half: up to the text, and the text with its answer.
    timeout: Duration,
    censor: Censor,
}

pub(super) fn build(parts: &mut Parts<'_>) -> Result<Built, OptionsError> {
    let options = &parts.options.email;
    let subject = Template::parse("email.subject", &options.subject)?;
    let template = Template::parse("email.template", &options.template)?;
    if !options.to.trim().is_empty() {
        mailbox(&options.to).map_err(|_| OptionsError::new("email.to", wrong_receiver(&options.to)))?;
    }
    let Some(url) = parts.secret(options.url.as_ref(), "SMTP_URL") else {
        return Ok(Built::Missing("`SMTP_URL` not set".to_owned()));
    };
    let server = SmtpUrl::parse(url.expose_secret())?;
    let mut secrets = vec![url];
    secrets.extend(server.login.iter().map(|(_, password)| password.clone()));
    parts.secrets.extend(server.login.iter().map(|(_, password)| password.expose_secret().to_owned()));
    let user = server.login.as_ref().map(|(user, _)| user.clone()).filter(|user| user.contains('@'));
    let Some(from) = parts.value(&options.from, "SMTP_FROM").or(user) else {
        let why = "the sender is missing: set `notify.email.from` or `SMTP_FROM`";
        parts.warnings.push(format!("mails are simulated: {why}"));
        return Ok(Built::Missing(why.to_owned()));
    };
    let from = mailbox(&from).map_err(|_| OptionsError::new("email.from", "(or `SMTP_FROM`) is no mail address"))?;
    let ca_file = options.ca_file.clone().or_else(|| parts.value("", "SSL_CERT_FILE").map(PathBuf::from));
    let note = format!("{}:{}, from {}", server.host, server.port, masked(ChannelKind::Email, from.email.as_ref()));
    let sender = Sender {
        server,
        from,
        ca_file,
        subject,
        template,
        clock: Arc::clone(&parts.clock),
        zone: parts.zone.clone(),
        timeout: parts.http.timeout(),
        censor: Censor::of(secrets.iter().map(SecretString::expose_secret)),
    };
    Ok(Built::Real(Arc::new(Email(Arc::new(sender))), note))
}

/// What is wrong with `to` of the config, which is no address.
fn wrong_receiver(to: &str) -> &'static str {
    if to.contains([',', ';']) {
        "holds more than one mail address; name one"
    } else {
        "is no mail address; write it like `anna@example.org`"
    }
}

/// One address, with a name before it or without: `anna@example.org`, `Anna <anna@example.org>`.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, SendError> {
    let wrong = |why: &str| SendError::Rejected { reason: format!("`{}` {why}", shown(&masked(ChannelKind::Email, text.trim()))) };
    if text.chars().any(char::is_control) {
        return Err(wrong("is no mail address: it holds control characters"));
    }
    if text.len() > ADDRESS_BYTES_MAX {
        return Err(wrong("is no mail address: it is too long"));
    }
    if text.contains([',', ';']) {
        return Err(wrong("is more than one mail address; name one"));
    }
    text.trim().parse().map_err(|_| wrong("is no mail address"))
}

/// How far a mail had come when it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connect,
    Protect,
    Login,
    Envelope,
    Text,
}

type Failed = (Stage, lettre::transport::smtp::Error);

impl Sender {
    async fn send(self: Arc<Self>, notice: Notice) -> Result<Receipt, SendError> {
        let to = mailbox(&notice.to)?;
        let shown = masked(ChannelKind::Email, to.email.as_ref());
        let censor = self.censor.clone().with_receiver(to.email.as_ref(), &shown);
        let message = self.compose(&notice, to)?;
        let down = |reason: String| SendError::Down { reason };
        let place = format!("{}:{}", self.server.host, self.server.port);
        let tls = self.protection().await.map_err(|why| down(censor.hide(&why)))?;
        let opened = tokio::time::timeout(self.timeout, self.open(tls, &message)).await;
        let mut connection = match opened {
            Ok(Ok(connection)) => connection,
            Ok(Err((stage, error))) => return Err(of_smtp(stage, &error, &place, &censor)),
            Err(_) => return Err(down(format!("the mail server {place} did not answer within {} s", self.timeout.as_secs()))),
        };
        let response = match tokio::time::timeout(self.timeout, connection.message(&message.formatted())).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(of_smtp(Stage::Text, &error, &place, &censor)),
            Err(_) => {
                let reason = format!("the mail server {place} did not answer within {} s after the text", self.timeout.as_secs());
                return Err(SendError::Unknown { reason });
            }
        };
        // It is taken already: a bad goodbye changes nothing.
        let _ = tokio::time::timeout(QUIT_LIMIT, connection.quit()).await;
        let said = response.message().next().map(|line| censor.hide(line)).filter(|line| !line.is_empty());
        Ok(Receipt { id: said, simulated: false, detail: format!("mail to {shown} taken by {}", self.server.host) })
    }

    /// The mail. All text is clean, and every header is one line, so nothing can add a header.
    fn compose(&self, notice: &Notice, to: Mailbox) -> Result<Message, SendError> {
        let now = self.clock.now();
        let facts = Facts::of(notice, now, &self.zone);
        let subject = crate::domain::text::clean_line(&self.subject.render(&facts));
        let subject = shorten(if subject.is_empty() { &facts.body } else { &subject }, SUBJECT_UNITS_MAX).replace('\n', " ");
        let plain = self.template.render(&facts);
        let html = html(&facts, &plain);
        let id = notice.notice_id.as_str();
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')) {
            return Err(SendError::Rejected { reason: "the notice's id cannot be part of a `Message-ID`".to_owned() });
        }
        let mut builder = Message::builder()
            .from(self.from.clone())
            .to(to)
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(0)))
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            .subject(subject)
            .raw_header(header("X-Wakeful-Notice", id))
            // Asks other programs not to answer (RFC 3834).
            .raw_header(header("Auto-Submitted", "auto-generated"));
        if notice.priority >= 5 {
            builder = builder.raw_header(header("Importance", "high"));
        }
        builder
            .multipart(MultiPart::alternative_plain_html(plain, html))
            .map_err(|error| SendError::Rejected { reason: self.censor.hide(&error.to_string()) })
    }

    /// What TLS needs, if there is to be any.
    async fn protection(&self) -> Result<Option<TlsParameters>, String> {
        if self.server.tls == Tls::Off {
            return Ok(None);
        }
        net::install_crypto();
        let mut builder = TlsParameters::builder(self.server.host.clone());
        if let Some(path) = &self.ca_file {
            let wrong = |why: String| format!("the certificates in `{}` cannot be read: {why}", path.display());
            let file = tokio::fs::File::open(path).await.map_err(|error| wrong(error.to_string()))?;
            let mut pem = Vec::new();
            file.take(CERTIFICATES_BYTES_MAX).read_to_end(&mut pem).await.map_err(|error| wrong(error.to_string()))?;
            builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| wrong(error.to_string()))?);
        }
        builder.build().map(Some).map_err(|error| error.to_string())
    }

    /// Everything up to the moment when the server waits for the text.
    async fn open(&self, tls: Option<TlsParameters>, message: &Message) -> Result<AsyncSmtpConnection, Failed> {
        let at = |stage| move |error| (stage, error);
        let name = ClientId::default();
        let address = (self.server.host.as_str(), self.server.port);
        let wrapped = tls.clone().filter(|_| self.server.tls == Tls::Wrapped);
        let connected = AsyncSmtpConnection::connect_tokio1(address, Some(self.timeout), &name, wrapped, None).await;
        let mut connection = connected.map_err(at(Stage::Connect))?;
        let upgrade = match self.server.tls {
            Tls::Required => true,
            Tls::Opportunistic => connection.can_starttls(),
            Tls::Wrapped | Tls::Off => false,
        };
        if let Some(tls) = tls.filter(|_| upgrade) {
            connection.starttls(tls, &name).await.map_err(at(Stage::Protect))?;
        }
        if let Some((user, password)) = &self.server.login {
            let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
            connection.auth(DEFAULT_MECHANISMS, &credentials).await.map_err(at(Stage::Login))?;
        }
        let envelope = message.envelope();
        let utf8 = (envelope.to().iter().chain(envelope.from()).any(|address| !AsRef::<str>::as_ref(address).is_ascii()))
            && connection.server_info().supports_feature(Extension::SmtpUtfEight);
        let parameters = if utf8 { vec![MailParameter::SmtpUtfEight] } else { Vec::new() };
        connection.command(Mail::new(envelope.from().cloned(), parameters)).await.map_err(at(Stage::Envelope))?;
        for to in envelope.to() {
            connection.command(Rcpt::new(to.clone(), Vec::new())).await.map_err(at(Stage::Envelope))?;
        }
        connection.command(Data).await.map_err(at(Stage::Envelope))?;
        Ok(connection)
    }
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// What an error means that came at this stage from the server at `place`.
fn of_smtp(stage: Stage, error: &lettre::transport::smtp::Error, place: &str, censor: &Censor) -> SendError {
    let code = error.status().map(u16::from);
    let cause = error.source().map(ToString::to_string);
    let reason = censor.hide(&match (code, cause) {
        (Some(code), Some(said)) => format!("the mail server says {code}: {said}"),
        (Some(code), None) => format!("the mail server says {code}"),
        (None, Some(cause)) => format!("{place}: {cause}"),
        (None, None) => error.to_string(),
    });
    match (stage, code) {
        // 530: login needed; 534, 535, 538: not this way, not this one, not without TLS (RFC 4954).
        (_, Some(530 | 534 | 535 | 538)) | (Stage::Login, Some(500..=599)) => SendError::Auth { reason },
        (Stage::Login, None) if error.is_client() => {
            SendError::Auth { reason: "the mail server offers no way to log in that we know (PLAIN, LOGIN); is TLS missing?".to_owned() }
        }
        (Stage::Protect, None) if error.is_client() => SendError::Rejected {
            reason: "the mail server offers no STARTTLS, so nothing was sent; use `smtps://` or another port".to_owned(),
        },
        (Stage::Protect, Some(_)) => SendError::Down { reason },
        (_, Some(500..=599)) => SendError::Rejected { reason },
        (Stage::Text, None) => SendError::Unknown { reason },
        _ => SendError::Down { reason },
    }
}

/// The text as simple HTML: escaped, line for line, with the notice's own link and no other.
fn html(facts: &Facts, plain: &str) -> String {
    let mut out = String::from("<!doctype html>\n<html><body style=\"font-family:sans-serif;line-height:1.4\">\n");
    if !facts.title.is_empty() {
        out.push_str(&format!("<h2 style=\"font-size:1.1em\">{}</h2>\n", escape_markup(&facts.title)));
    }
    for paragraph in plain.split("\n\n") {
        let lines = paragraph.split('\n').map(|line| {
            if !facts.url.is_empty() && line.trim() == facts.url {
                let url = escape_markup(&facts.url);
                format!("<a href=\"{url}\">{url}</a>")
            } else {
                escape_markup(line)
            }
        });
        out.push_str(&format!("<p>{}</p>\n", lines.collect::<Vec<_>>().join("<br>\n")));
    }
    out.push_str("</body></html>\n");
    out
}

impl Channel for Email {
    fn kind(&self) -> ChannelKind {
        ChannelKind::Email
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
