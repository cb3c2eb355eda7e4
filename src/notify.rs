//! Delivers a notice over one channel, once, and says exactly how that went.
//!
//! A channel tries once and never waits to try again: queueing, retries and dead letters belong to the outbox, which
//! decides with [`rules`]. What a channel promises is an honest answer: [`SendError::Down`] only where the receiver
//! surely did not take the notice, [`SendError::Unknown`] where it may have. A channel without credentials is replaced
//! by a stand-in that checks the receiver, sends nothing and says so.

mod desktop;
mod email;
mod hook;

mod ntfy;
mod options;
mod post;
pub mod rules;
mod simulated;
mod sms;
mod smtp_url;
mod template;
mod terminal;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::BoxFuture;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::mpsc;

use crate::domain::clock::{Clock, Instant};
use crate::domain::notice::{ChannelKind, Notice};
use crate::net;
use crate::notify::post::{Censor, Http};
use crate::notify::simulated::Simulated;
use crate::notify::terminal::Terminal;

pub use options::{
    CallbackOptions, DesktopOptions, EmailOptions, NtfyOptions, Options, OptionsError, SmsOptions, TerminalOptions, WebhookOptions,
};
pub use template::{Template, shorten};
pub use terminal::{TerminalNote, TerminalStyle};

/// A number in E.164 form (`+15551234567`), without the blanks and signs that people write.
///
/// # Errors
/// When it is none, in words that hold the number only masked.
pub fn phone_number(text: &str) -> Result<String, SendError> {
    sms::number(text)
}

/// Checks a mail address, with a name before it or without.
///
/// # Errors
/// When it is none, in words that hold the address only masked.
pub fn check_email(text: &str) -> Result<(), SendError> {
    email::mailbox(text).map(drop)
}

/// A way to deliver a notice.
pub trait Channel: Send + Sync {
    /// Which one.
    fn kind(&self) -> ChannelKind;

    /// Whether nothing leaves this machine: a stand-in for a channel without credentials.
    fn simulated(&self) -> bool;

    /// Delivers `notice`, one try. Dropping the future before its end leaves the outcome unknown.
    fn send(&self, notice: Notice) -> BoxFuture<'static, Result<Receipt, SendError>>;
}

/// The receiver took the notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What the receiver calls it (a message's SID, a queue's id), if it said.
    pub id: Option<String>,
    /// Whether nothing left this machine.
    pub simulated: bool,
    /// What happened, in one line for people; receivers masked.
    pub detail: String,
}

/// Why a notice was not delivered, or may not have been. The reason fits a screen: clean, short, without secrets,
/// receivers masked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The receiver or the service said no to this very notice; another try would end the same.
    #[error("refused: {reason}")]
    Rejected {
        /// Why, and what to do.
        reason: String,
    },
    /// The service wants to be left alone for a while. The notice was not taken.
    #[error("the service asks to wait{}", .retry_at.map(|at| format!(" until {at}")).unwrap_or_default())]
    RateLimited {
        /// Until then, if it said.
        retry_at: Option<Instant>,
    },
    /// Surely not taken: no connection, or an answer that says so. Another try may succeed.
    #[error("not sent: {reason}")]
    Down {
        /// Why.
        reason: String,
    },
    /// The notice went out and the answer was lost: it may have arrived.
    #[error("may have arrived, the answer was lost: {reason}")]
    Unknown {
        /// What happened to the answer.
        reason: String,
    },
    /// The credentials were refused; they need a person.
    #[error("the credentials were refused: {reason}")]
    Auth {
        /// What to check.
        reason: String,
    },
}

impl SendError {
    /// Why, without what kind of failure it is.
    pub fn reason(&self) -> String {
        match self {
            Self::Rejected { reason } | Self::Down { reason } | Self::Unknown { reason } | Self::Auth { reason } => reason.clone(),
            Self::RateLimited { .. } => self.to_string(),
        }
    }

    /// Whether another try may succeed and cannot double anything: the notice was surely not taken.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Down { .. } => true,
            Self::Rejected { .. } | Self::Unknown { .. } | Self::Auth { .. } => false,
        }
    }

    /// Whether the notice may have arrived all the same.
    pub fn may_have_arrived(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// When the service wants to be asked again, if it said.
    pub fn retry_at(&self) -> Option<Instant> {
        match self {
            Self::RateLimited { retry_at } => *retry_at,
            _ => None,
        }
    }
}

/// Where a channel stands, for `doctor` and the notifications panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelStatus {
    /// Which.
    pub kind: ChannelKind,
    /// Whether it really sends; otherwise it is simulated.
    pub configured: bool,
    /// Where it sends to, or what is missing; no secrets.
    pub note: String,
}

/// All kinds of channels, in the order in which lists show them.
pub const KINDS: [ChannelKind; 7] = [
    ChannelKind::Sms,
    ChannelKind::Email,
    ChannelKind::Webhook,
    ChannelKind::Ntfy,
    ChannelKind::Desktop,
    ChannelKind::Terminal,
    ChannelKind::Callback,
];

/// One channel of each kind: the real one, or its stand-in.
pub struct Channels {
    by_kind: BTreeMap<ChannelKind, Arc<dyn Channel>>,
    statuses: Vec<ChannelStatus>,
    secrets: Vec<String>,
    terminal: Arc<Terminal>,
    defaults: BTreeMap<ChannelKind, String>,
}

impl std::fmt::Debug for Channels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channels").field("statuses", &self.statuses).finish_non_exhaustive()
    }
}

/// What every channel is built from.
struct Parts<'a> {
    options: &'a Options,
    http: Http,
    clock: Arc<dyn Clock>,
    zone: TimeZone,
    variable: &'a dyn Fn(&str) -> Option<String>,
    warnings: Vec<String>,
    secrets: Vec<String>,
}

impl Parts<'_> {
    /// A setting, or else the variable; none where both are empty.
    fn value(&self, option: &str, variable: &str) -> Option<String> {
        let set = Some(option.trim().to_owned()).filter(|text| !text.is_empty());
        set.or_else(|| (self.variable)(variable).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// A secret setting, or else the variable; noted as a secret to be masked.
    fn secret(&mut self, option: Option<&SecretString>, variable: &str) -> Option<SecretString> {
        let found = self.value(option.map(ExposeSecret::expose_secret).unwrap_or_default(), variable)?;
        self.secrets.push(found.clone());
        Some(SecretString::from(found))
    }
}

/// A channel as it was built, or why there is only a stand-in.
enum Built {
    Real(Arc<dyn Channel>, String),
    Missing(String),
}

impl Channels {
    /// Builds all channels from the options and what `variable` knows of the environment. The texts are warnings to show.
    ///
    /// # Errors
    /// When an option makes no sense. Credentials that are absent are no error: their channel is simulated.
    pub fn new(
        options: &Options,
        net: net::Client,
        clock: Arc<dyn Clock>,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Self, Vec<String>), OptionsError> {
        let zone = options.zone()?;
        rules::QuietHours::new(options)?;
        let http = Http::new(net, Arc::clone(&clock), options.timeout()?);
        let mut parts = Parts { options, http, clock, zone, variable, warnings: Vec::new(), secrets: Vec::new() };
        let terminal = Arc::new(Terminal::new(&parts)?);
        let mut channels: BTreeMap<ChannelKind, Arc<dyn Channel>> = BTreeMap::new();
        let mut statuses = Vec::new();
        for kind in KINDS {
            let built = match kind {
                ChannelKind::Sms => sms::build(&mut parts),
                ChannelKind::Email => email::build(&mut parts),
                ChannelKind::Webhook => hook::build_webhook(&mut parts),
                ChannelKind::Ntfy => ntfy::build(&mut parts),
                ChannelKind::Desktop => desktop::build(&mut parts),
                ChannelKind::Terminal => Ok(Built::Real(Arc::<Terminal>::clone(&terminal), "bell and OSC 9".to_owned())),
                ChannelKind::Callback => Ok(hook::build_callback(&mut parts)),
            }?;
            let built = if options.simulate { Built::Missing("`notify.simulate` is set".to_owned()) } else { built };
            let (channel, configured, note) = match built {
                Built::Real(channel, note) => (channel, true, note),
                Built::Missing(why) => {
                    (Arc::new(Simulated::new(kind, why.clone())) as Arc<dyn Channel>, false, format!("simulated: {why}"))
                }
            };
            statuses.push(ChannelStatus { kind, configured, note });
            channels.insert(kind, channel);
        }
        let Parts { warnings, secrets, .. } = parts;
        let secrets = Censor::worth_hiding(secrets);
        Ok((Self { by_kind: channels, statuses, secrets, terminal, defaults: options.receivers() }, warnings))
    }

    /// The channel of this kind.
    pub fn get(&self, kind: ChannelKind) -> Arc<dyn Channel> {
        match self.by_kind.get(&kind) {
            Some(channel) => Arc::clone(channel),
            // Built for every kind above; a stand-in is the safe answer all the same.
            None => Arc::new(Simulated::new(kind, "not built".to_owned())),
        }
    }

    /// With `channel` in place of the one of its kind.
    #[cfg(test)]
    pub(crate) fn with(mut self, channel: Arc<dyn Channel>) -> Self {
        self.by_kind.insert(channel.kind(), channel);
        self
    }

    /// Where each channel stands.
    pub fn statuses(&self) -> &[ChannelStatus] {
        &self.statuses
    }

    /// The secrets of all channels, to be masked in logs.
    pub fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// To whom a notice goes where nobody is named: the configured receiver of this kind.
    pub fn default_receiver(&self, kind: ChannelKind) -> Option<&str> {
        self.defaults.get(&kind).map(String::as_str)
    }

    /// The notes for the terminal, for the surface that owns it. Only the first caller gets them; until then, and after
    /// the receiver is dropped, notices to the terminal are simulated.
    pub fn take_terminal_notes(&self) -> Option<mpsc::Receiver<TerminalNote>> {
        self.terminal.take()
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
