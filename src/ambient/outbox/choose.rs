//! What becomes of the notices that are due: which begin now, which wait, which become one. Pure.
//!
//! What cannot begin now stays as it is, so that on disk only what has begun is `sending`. What must wait for its
//! channel's rate gets its own time at once: a long queue moves once, not each time that one of it may go.

use std::collections::{HashMap, HashSet};

use crate::domain::clock::Instant;
use crate::domain::ids::NoticeId;
use crate::domain::notice::{ChannelKind, Notice};
use crate::notify::{
    self,
    rules::{Limit, QuietHours},
};
use crate::store::tasks::DueNotice;

/// Notices to one receiver that wait together and become one.
pub(super) const COMBINE_MIN: usize = 4;

/// Notices that become one, at most: more become several.
const CROWD_MAX: usize = 32;

/// What the payload of a notice holds that is made of many.
const DIGEST: &str = "digest";

/// What the payload of a notice holds that says what somebody wrote, to be delivered word for word.
pub const MESSAGE: &str = "message";

/// Why a notice waits.
const QUIET: &str = "quiet hours";
const RATE: &str = "the channel's rate limit";

/// A person's address on a channel.
pub(super) type Receiver = (ChannelKind, String);

/// How things stand when it is chosen.
pub(super) struct Sight<'a> {
    /// The time.
    pub(super) now: Instant,
    /// When nobody is to be disturbed.
    pub(super) quiet: &'a QuietHours,
    /// The rate of each channel.
    pub(super) limits: &'a notify::Options,
    /// When notices of a channel went out, and those that are being sent.
    pub(super) sent: HashMap<ChannelKind, Vec<Instant>>,
    /// The people who are being told something now: one after the other.
    pub(super) busy: HashSet<Receiver>,
    /// How many more can be sent at once.
    pub(super) free: usize,
}

/// A notice that waits.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hold {
    pub(super) due: DueNotice,
    pub(super) until: Instant,
    pub(super) why: &'static str,
}

/// What becomes of them. What is in none of these waits for a receiver or a place.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Choice {
    pub(super) begin: Vec<NoticeId>,
    pub(super) hold: Vec<Hold>,
    pub(super) crowds: Vec<Vec<Notice>>,
}

impl Choice {
    pub(super) fn is_empty(&self) -> bool {
        self.begin.is_empty() && self.hold.is_empty() && self.crowds.is_empty()
    }
}

/// Chooses among `due`, which come by urgency.
pub(super) fn choose(due: Vec<DueNotice>, mut sight: Sight<'_>) -> Choice {
    let mut choice = Choice::default();
    let mut open = Vec::new();
    for due in due {
        let notice = &due.notice;
        let quiet = || sight.quiet.hold_until(sight.now, notice.priority).filter(|_| notice.channel != ChannelKind::Callback);
        if due.interrupted || notice.simulated {
            // Nothing is sent: it is only written down.
            if sight.free > choice.begin.len() {
                choice.begin.push(notice.notice_id.clone());
            }
        } else if let Some(until) = quiet() {
            choice.hold.push(Hold { due, until, why: QUIET });
        } else {
            open.push(due);
        }
    }
    let open = crowds(open, &mut choice.crowds);
    let mut rates = Rates { sight: &mut sight, waits: HashMap::new(), next: HashMap::new() };
    for due in open {
        rates.choose(due, &mut choice);
    }
    choice
}

/// Takes those out that become one with others to the same receiver.
fn crowds(open: Vec<DueNotice>, crowds: &mut Vec<Vec<Notice>>) -> Vec<DueNotice> {
    let mut by_receiver: HashMap<Receiver, Vec<&DueNotice>> = HashMap::new();
    let mut order = Vec::new();
    for due in open.iter().filter(|due| combinable(due)) {
        let same = by_receiver.entry(receiver(&due.notice)).or_default();
        if same.is_empty() {
            order.push(receiver(&due.notice));
        }
        same.push(due);
    }
    let mut gone = HashSet::new();
    for receiver in order {
        let same = by_receiver.remove(&receiver).unwrap_or_default();
        for crowd in same.chunks(CROWD_MAX).filter(|crowd| crowd.len() >= COMBINE_MIN) {
            gone.extend(crowd.iter().map(|due| due.notice.notice_id.clone()));
            crowds.push(crowd.iter().map(|due| due.notice.clone()).collect());
        }
    }
    open.into_iter().filter(|due| !gone.contains(&due.notice.notice_id)).collect()
}

/// The rates of channels while it is chosen.
struct Rates<'s, 'a> {
    sight: &'s mut Sight<'a>,
    /// Until when those to one person wait: they come due together, so that they can become one.
    waits: HashMap<Receiver, Instant>,
    /// When the last of a channel that waits may go.
    next: HashMap<ChannelKind, Instant>,
}

impl Rates<'_, '_> {
    fn choose(&mut self, due: DueNotice, choice: &mut Choice) {
        let (channel, now) = (due.notice.channel, self.sight.now);
        let limit = Limit::per_hour(self.sight.limits.per_hour(channel));
        let one = receiver(&due.notice);
        let sent = self.sight.sent.entry(channel).or_default();
        if limit.wait_until(sent, now).is_none() {
            let person = !is_program(&due.notice);
            if choice.begin.len() < self.sight.free && !(person && self.sight.busy.contains(&one)) {
                sent.push(now);
                choice.begin.push(due.notice.notice_id);
                if person {
                    self.sight.busy.insert(one);
                }
            }
            return;
        }
        let together = self.waits.get(&one).copied().filter(|_| !is_program(&due.notice));
        let until = together.unwrap_or_else(|| {
            let until = first_free(limit, sent, self.next.get(&channel).copied().unwrap_or(now));
            sent.push(until);
            self.next.insert(channel, until);
            self.waits.insert(one, until);
            until
        });
        choice.hold.push(Hold { due, until, why: RATE });
    }
}

/// When the next one may go, from `from` on; `sent` may hold times that are still to come.
fn first_free(limit: Limit, sent: &[Instant], from: Instant) -> Instant {
    let mut at = from;
    // Each step reaches the next token; the last step finds that it is there.
    for _ in 0..=sent.len() {
        match limit.wait_until(sent, at).filter(|until| *until > at) {
            Some(until) => at = until,
            None => break,
        }
    }
    at
}

fn receiver(notice: &Notice) -> Receiver {
    (notice.channel, notice.to.clone())
}

/// Whether a program receives it, which wants each.
pub(super) fn is_program(notice: &Notice) -> bool {
    matches!(notice.channel, ChannelKind::Callback | ChannelKind::Webhook)
}

/// Whether a notice may go into one with others: it was not tried before, is not urgent, is not made of many already, and
/// is no message in somebody's own words.
fn combinable(due: &DueNotice) -> bool {
    let notice = &due.notice;
    let whole = [DIGEST, MESSAGE].iter().any(|key| notice.payload.get(key).is_some());
    due.attempts == 0 && notice.priority < 5 && !is_program(notice) && !whole
}
