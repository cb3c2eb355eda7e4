//! Several sessions at once: what belongs to one session is parked while another one is on the screen.
//!
//! What a tab has of its own is listed in [`Tab`] and nowhere else: the session, its chat and what is seen of it, the
//! running turn, what waits, the draft. Everything else (events, tasks, servers, theme, history of prompts) is shared.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::clock::Instant;
use crate::domain::event::Event;
use crate::domain::ids::{CallId, SessionId};
use crate::tui::approval::Dialog;
use crate::tui::composer::Composer;
use crate::tui::state::{Queued, Search, Session, State, Turn};
use crate::tui::transcript::{Transcript, ViewState};
use crate::tui::update::Fetching;

/// So many tabs there may be: each holds a conversation in memory.
pub const TABS_MAX: usize = 16;

/// Closed sessions whose agent may still ask that are remembered.
pub const LEFT_MAX: usize = 32;

/// A session that is not on the screen.
#[derive(Debug)]
pub struct Tab {
    /// The session.
    pub session: Session,
    /// Its conversation.
    pub transcript: Transcript,
    /// What of it is seen.
    pub chat: ViewState,
    /// The search in it.
    pub search: Option<Search>,
    /// The message being written.
    pub composer: Composer,
    /// The running turn.
    pub turn: Option<Turn>,
    /// Messages that wait.
    pub queued: Vec<Queued>,
    /// Questions for consent.
    pub approvals: VecDeque<Dialog>,
    /// The refused call for which the user says what to do instead.
    pub refusing: Option<CallId>,
    /// A prompt's text that is on its way.
    pub fetching: Option<Fetching>,
    /// Marks of the tab itself.
    pub marks: Marks,
}

/// How a tab stands, beside its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks {
    /// Something was said in it since it was last on the screen.
    pub unread: bool,
}

/// What a tab's row tells beside its title: the one that matters most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It waits for a person's answer.
    Asking,
    /// The agent works.
    Running,
    /// Something was said in it.
    Unread,
    /// Nothing.
    Idle,
}

/// What `/tab` wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TabWant {
    /// A new session in a tab of its own.
    New,
    /// A stored session in a tab of its own.
    Open(SessionId),
    /// Close the one on the screen.
    Close,
    /// The next one.
    Next,
    /// The one before.
    Prev,
    /// The one at this position, from 1.
    At(usize),
    /// The next one that waits for an answer.
    Asking,
}

/// The sessions beside the one on the screen.
#[derive(Debug, Default)]
pub struct Tabs {
    /// The hidden ones, in order.
    hidden: Vec<Tab>,
    /// Where the one on the screen stands among all.
    at: usize,
    /// How the one on the screen stands.
    pub marks: Marks,
    /// Sessions whose tab was closed while the agent worked, the latest last.
    pub left: VecDeque<SessionId>,
    /// Until when a second key closes a tab whose agent works.
    pub close_until: Option<Instant>,
    /// Where to go in a session that is on its way to the screen.
    pub jump: Option<(SessionId, Arc<Event>)>,
}

impl Tabs {
    /// How many there are, the one on the screen included.
    pub fn count(&self) -> usize {
        self.hidden.len() + 1
    }

    /// Where the one on the screen stands, from 0.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The hidden ones, in order.
    pub fn hidden(&self) -> impl Iterator<Item = &Tab> {
        self.hidden.iter()
    }

    /// The hidden tab at `position` among all; `None` for the one on the screen.
    pub fn get(&self, position: usize) -> Option<&Tab> {
        match position.cmp(&self.at) {
            std::cmp::Ordering::Less => self.hidden.get(position),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => self.hidden.get(position - 1),
        }
    }

    /// The position among all of the hidden tab with this session.
    pub fn position_of(&self, session: &SessionId) -> Option<usize> {
        let at = self.hidden.iter().position(|tab| tab.session.id == *session)?;
        Some(if at < self.at { at } else { at + 1 })
    }

    /// Forgets all hidden tabs.
    pub fn clear(&mut self) {
        self.hidden.clear();
        self.at = 0;
    }

    /// The first tab after the one on the screen, round about, for which `wanted` holds.
    pub fn find(&self, wanted: impl Fn(&Tab) -> bool) -> Option<usize> {
        let count = self.count();
        (1..count).map(|step| (self.at + step) % count).find(|position| self.get(*position).is_some_and(&wanted))
    }
}

impl Tab {
    /// What stands before its title.
    pub fn mark(&self) -> Mark {
        mark(!self.approvals.is_empty(), self.turn.is_some(), self.marks.unread)
    }

    /// The tab and what is on the screen change places.
    fn exchange(&mut self, state: &mut State) {
        use std::mem::swap;
        swap(&mut self.session, &mut state.session);
        swap(&mut self.transcript, &mut state.transcript);
        swap(&mut self.chat, &mut state.chat);
        swap(&mut self.search, &mut state.search);
        swap(&mut self.composer, &mut state.composer);
        swap(&mut self.turn, &mut state.turn);
        swap(&mut self.queued, &mut state.queued);
        swap(&mut self.approvals, &mut state.approvals);
        swap(&mut self.refusing, &mut state.refusing);
        swap(&mut self.fetching, &mut state.fetching);
        swap(&mut self.marks, &mut state.tabs.marks);
    }

    /// An empty tab with `session`.
    fn empty(state: &State, session: Session) -> Self {
        Self {
            session,
            transcript: Transcript::new(state.highlighter.clone()),
            chat: ViewState { tick: state.chat.tick, ..ViewState::default() },
            search: None,
            composer: Composer::new(state.options.paste_fold_lines, state.options.paste_fold_chars),
            turn: None,
            queued: Vec::new(),
            approvals: VecDeque::new(),
            refusing: None,
            fetching: None,
            marks: Marks::default(),
        }
    }
}

fn mark(asking: bool, running: bool, unread: bool) -> Mark {
    match (asking, running, unread) {
        (true, ..) => Mark::Asking,
        (_, true, _) => Mark::Running,
        (.., true) => Mark::Unread,
        _ => Mark::Idle,
    }
}

impl State {
    /// Whether there may be another tab.
    pub fn may_open_tab(&self) -> bool {
        self.tabs.count() < TABS_MAX
    }

    /// Opens an empty tab with `session` behind the one on the screen, and brings it to the screen.
    pub fn open_tab(&mut self, session: Session) {
        let mut tab = Tab::empty(self, session);
        tab.exchange(self);
        let at = self.tabs.at;
        self.tabs.hidden.insert(at, tab);
        self.tabs.at = at + 1;
    }

    /// Brings the tab at `position` to the screen; whether there is one.
    pub fn show_tab(&mut self, position: usize) -> bool {
        let before = self.tabs.at;
        if position >= self.tabs.count() || position == before {
            return position == before;
        }
        let mut tab = self.tabs.hidden.remove(if position < before { position } else { position - 1 });
        tab.exchange(self);
        self.tabs.hidden.insert(if before < position { before } else { before - 1 }, tab);
        self.tabs.at = position;
        self.tabs.marks.unread = false;
        true
    }

    /// Takes the tab on the screen away; the one at `next` comes in its place. `None` where it is the only one.
    pub fn close_tab(&mut self, next: usize) -> Option<Tab> {
        let closed = self.tabs.at;
        if self.tabs.count() == 1 || next == closed || !self.show_tab(next) {
            return None;
        }
        let tab = self.tabs.hidden.remove(if closed < self.tabs.at { closed } else { closed - 1 });
        self.tabs.at -= usize::from(closed < self.tabs.at);
        Some(tab)
    }

    /// Does something with the hidden tab at `position` as if it were on the screen.
    pub fn behind<T>(&mut self, position: usize, work: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let hidden = match position.cmp(&self.tabs.at) {
            std::cmp::Ordering::Less => position,
            std::cmp::Ordering::Equal => return None,
            std::cmp::Ordering::Greater => position - 1,
        };
        if hidden >= self.tabs.hidden.len() {
            return None;
        }
        let mut tab = self.tabs.hidden.remove(hidden);
        tab.exchange(self);
        let out = work(self);
        tab.exchange(self);
        self.tabs.hidden.insert(hidden, tab);
        Some(out)
    }

    /// What stands before the title of the tab on the screen.
    pub fn mark(&self) -> Mark {
        mark(!self.approvals.is_empty(), self.turn.is_some(), false)
    }
}
