//! What is asked, in which order, and who has the keys meanwhile: the question or the message that is being written.

use crate::tui::layout;
use crate::tui::state::{Focus, State};

/// What is asked next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Whether a call may run.
    Approval,
    /// A server's question.
    Question,
}

impl State {
    /// The place of a new question among all that is asked.
    pub fn next_order(&mut self) -> u64 {
        self.orders += 1;
        self.orders
    }

    /// What is asked first: questions for consent and those of servers stand one after the other, as they came.
    pub fn front(&self) -> Option<Asked> {
        match (self.approvals.front(), self.questions.front()) {
            (Some(dialog), Some(inquiry)) if inquiry.order < dialog.order => Some(Asked::Question),
            (Some(_), _) => Some(Asked::Approval),
            (None, Some(_)) => Some(Asked::Question),
            (None, None) => None,
        }
    }

    /// How many questions wait.
    pub fn waiting(&self) -> usize {
        self.approvals.len() + self.questions.len()
    }

    /// Whether a question has the keys.
    pub fn is_asking(&self) -> bool {
        self.refusing.is_none() && self.overlay.is_none() && self.front().is_some() && !layout::is_too_small(self.size)
    }

    /// The order of what is asked first.
    fn front_order(&self) -> Option<u64> {
        match self.front()? {
            Asked::Approval => self.approvals.front().map(|dialog| dialog.order),
            Asked::Question => self.questions.front().map(|inquiry| inquiry.order),
        }
    }

    /// Whether the message keeps the keys although a question stands: somebody is writing it, and a letter of it must never
    /// be an answer.
    pub fn is_drafting(&self) -> bool {
        self.is_asking() && self.focus == Focus::Composer && !self.composer.is_empty() && self.front_order() != self.answering
    }

    /// Gives the keys to the question, while a message is being written.
    pub fn take_question(&mut self) {
        self.answering = self.front_order();
        self.hold_question();
    }

    /// Somebody was typing just now: the wait before a key answers begins anew.
    pub fn hold_question(&mut self) {
        let now = self.now;
        match self.front() {
            Some(Asked::Approval) => self.approvals.front_mut().into_iter().for_each(|dialog| dialog.shown = Some(now)),
            Some(Asked::Question) => self.questions.front_mut().into_iter().for_each(|inquiry| inquiry.shown = Some(now)),
            None => {}
        }
    }
}
