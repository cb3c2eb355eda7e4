//! The stand-in for a channel that has no credentials: checks the receiver as the real one would, sends nothing, says so.

use futures::FutureExt;
use futures::future::BoxFuture;

use crate::domain::notice::{ChannelKind, Notice, masked};
use crate::domain::text::{clean_line, ellipsis};
use crate::notify::{Channel, Receipt, SendError, email, hook, ntfy, sms};

/// The longest title that a receipt repeats, in characters.
const TITLE_CHARS_MAX: usize = 80;

/// The stand-in.
pub(super) struct Simulated {
    kind: ChannelKind,
    why: String,
}

impl Simulated {
    /// A stand-in for `kind`; `why` there is no real one.
    pub(super) fn new(kind: ChannelKind, why: String) -> Self {
        Self { kind, why }
    }

    fn pretend(&self, notice: &Notice) -> Result<Receipt, SendError> {
        match self.kind {
            ChannelKind::Sms => drop(sms::number(&notice.to)?),
            ChannelKind::Email => drop(email::mailbox(&notice.to)?),
            ChannelKind::Webhook | ChannelKind::Callback => hook::check_url(self.kind, &notice.to)?,
            ChannelKind::Ntfy => ntfy::check_topic(&notice.to)?,
            ChannelKind::Desktop | ChannelKind::Terminal => {}
        }
        let to = masked(self.kind, &notice.to);
        let title = clean_line(&notice.title);
        let detail = format!("not sent to {to} ({}): {}", self.why, ellipsis(&title, TITLE_CHARS_MAX));
        Ok(Receipt { id: None, simulated: true, detail })
    }
}

impl Channel for Simulated {
    fn kind(&self) -> ChannelKind {
        self.kind
    }

    fn simulated(&self) -> bool {
        true
    }

    fn send(&self, notice: Notice) -> BoxFuture<'static, Result<Receipt, SendError>> {
        futures::future::ready(self.pretend(&notice)).boxed()
    }
}
