//! Places at work: judgements are short and must not wait behind prompts, which may take minutes.

use crate::ambient::options::Options;

/// What a firing needs a place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// A decision.
    Judgement,
    /// A turn of the agent.
    Prompt,
}

/// Places of both kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Free {
    judgements: usize,
    prompts: usize,
}

impl Free {
    /// What `options` allow, less what is `taken`.
    pub(super) fn of(options: &Options, taken: impl Iterator<Item = Slot>) -> Self {
        let mut free = Self { judgements: options.parallel_judgements.max(1), prompts: options.parallel_prompts.max(1) };
        for slot in taken {
            free.take(slot);
        }
        free
    }

    /// Takes a place, if there is one.
    pub(super) fn take(&mut self, slot: Slot) -> bool {
        let places = match slot {
            Slot::Judgement => &mut self.judgements,
            Slot::Prompt => &mut self.prompts,
        };
        let any = *places > 0;
        *places = places.saturating_sub(1);
        any
    }

    /// Whether there is a place of this kind.
    pub(super) fn has(self, slot: Slot) -> bool {
        match slot {
            Slot::Judgement => self.judgements > 0,
            Slot::Prompt => self.prompts > 0,
        }
    }

    /// Whether there is none left.
    pub(super) fn is_none(self) -> bool {
        self.judgements == 0 && self.prompts == 0
    }
}
