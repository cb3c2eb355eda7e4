//! What the list of sessions tells beside a row: the last words, turns, tokens; and sessions whose text holds what is looked
//! for. Both are asked for when somebody looks, one question at a time.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::clock::Instant;
use crate::domain::event::{Chat, ChatStatus, Event, EventBody, SessionEvent, TurnEvent};
use crate::domain::ids::SessionId;
use crate::domain::message::{Role, Usage};
use crate::domain::query::SessionPart;
use crate::domain::text::{clean_line, ellipsis};
use crate::tui::panels::{Row, wrapped};
use crate::tui::status::{count, thousands};
use crate::tui::theme::Key;

/// Bytes of messages that are read for a preview: the newest.
pub const SAID_BYTES_MAX: usize = 128 * 1_024;

/// Bytes of turns that are counted.
pub const TURN_BYTES_MAX: usize = 2 * 1_024 * 1_024;

/// Previews that are kept.
const KEPT_MAX: usize = 200;

/// Characters of a message that are kept.
const TEXT_CHARS_MAX: usize = 600;

/// Below so many characters nothing is looked for in the texts.
const SEARCH_CHARS_MIN: usize = 3;

/// What is told of one session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preview {
    /// The user's last words.
    user: Option<String>,
    /// The agent's last words.
    agent: Option<String>,
    /// Turns that ended.
    turns: u64,
    /// Their tokens.
    usage: Usage,
    /// Whether there are more turns than were counted.
    more: bool,
    /// The last thing that was said.
    at: Option<Instant>,
}

impl Preview {
    /// Made of `said`, the newest messages of a session, and its `turns`; both in ascending order and with what tells that
    /// some of them no longer count.
    pub fn fold(said: &[Arc<Event>], turns: &SessionPart) -> Self {
        let mut preview = Self { more: turns.more, ..Self::default() };
        for event in counting(said) {
            let EventBody::Chat(Chat { role, status: ChatStatus::Done, parent: None, text: Some(text), .. }) = &event.body else {
                continue;
            };
            let head = &text[..text.floor_char_boundary(TEXT_CHARS_MAX * 4)];
            let plain = if *role == Role::Assistant { without_signs(head) } else { head.to_owned() };
            let line = ellipsis(&clean_line(&plain), TEXT_CHARS_MAX).into_owned();
            if line.trim().is_empty() {
                continue;
            }
            match role {
                Role::User => (preview.user, preview.agent) = (Some(line), None),
                Role::Assistant => preview.agent = Some(line),
                Role::System | Role::Tool => continue,
            }
            preview.at = Some(event.at);
        }
        for event in counting(&turns.events) {
            if let EventBody::TurnEvent(TurnEvent::Finished { usage, parent, .. }) = &event.body {
                preview.turns += u64::from(parent.is_none());
                preview.usage = preview.usage.plus(*usage);
            }
        }
        preview
    }

    /// The rows of the preview at `width`, at most `rows_max`.
    pub fn rows(&self, width: usize, rows_max: usize) -> Vec<Row> {
        let turns = if self.turns == 1 { "1 turn".to_owned() } else { format!("{} turns", thousands(self.turns)) };
        let least = if self.more { "at least " } else { "" };
        let usage = self.usage;
        let tokens = format!("{} read, {} written", count(usage.input_tokens), count(usage.output_tokens));
        let mut rows = vec![vec![(Key::UiDim, format!("{least}{turns} · tokens: {tokens} · /cost tells what they cost"))]];
        let half = rows_max.saturating_sub(1) / 2;
        let mut say = |who: &str, key: Key, text: &Option<String>, most: usize| {
            let Some(text) = text else { return };
            let indent = 6;
            for (at, line) in wrapped(text, width.saturating_sub(indent), most).into_iter().enumerate() {
                let name = if at == 0 { format!("{who:<indent$}") } else { " ".repeat(indent) };
                rows.push(vec![(key, name), (Key::UiPopup, line)]);
            }
        };
        say("you", Key::ChatUserLabel, &self.user, half.max(1));
        say("agent", Key::ChatAgentLabel, &self.agent, rows_max.saturating_sub(1 + half).max(1));
        if self.user.is_none() && self.agent.is_none() {
            rows.push(vec![(Key::UiDim, "nothing was said yet".to_owned())]);
        }
        rows.truncate(rows_max);
        rows
    }
}

/// The events that no rewinding took back.
fn counting(events: &[Arc<Event>]) -> Vec<&Event> {
    let mut counting: Vec<&Event> = Vec::new();
    for event in events {
        if let EventBody::SessionEvent(SessionEvent::Rewound { to }) = &event.body {
            counting.retain(|event| event.seq.is_none_or(|seq| seq <= *to));
        }
        counting.push(event);
    }
    counting
}

/// Markdown without the signs that only mean something once it is rendered.
fn without_signs(text: &str) -> String {
    let line = |line: &str| line.trim_start().trim_start_matches('#').replace("**", "").replace('`', "");
    text.lines().filter(|line| !line.trim_start().starts_with("```")).map(line).collect::<Vec<_>>().join(" ")
}

/// Previews, and what the texts were searched for.
#[derive(Debug, Clone, Default)]
pub struct Previews {
    known: HashMap<SessionId, Result<Preview, String>>,
    asking: Option<SessionId>,
    /// The text that is being looked for.
    searching: Option<String>,
    /// The text that was looked for last.
    searched: String,
}

impl Previews {
    /// The preview of a session, once it came.
    pub fn get(&self, session: &SessionId) -> Option<&Result<Preview, String>> {
        self.known.get(session)
    }

    /// What was known may be old by the next look.
    pub fn forget(&mut self) {
        self.known.clear();
        self.searched.clear();
    }

    /// The session to ask for, where `chosen` is not known; if there is one, it is asked for.
    pub fn ask(&mut self, chosen: Option<&SessionId>) -> Option<SessionId> {
        let session = chosen.filter(|session| self.asking.is_none() && !self.known.contains_key(*session))?;
        self.asking = Some(session.clone());
        Some(session.clone())
    }

    /// A preview came, or why it did not.
    pub fn fill(&mut self, session: SessionId, preview: Result<Preview, String>) {
        self.asking.take_if(|asked| *asked == session);
        if self.known.len() >= KEPT_MAX {
            self.known.clear();
        }
        self.known.insert(session, preview);
    }

    /// The text to look for in what was said, where `typed` is new; if there is one, it is looked for.
    pub fn search(&mut self, typed: &str) -> Option<String> {
        let typed = typed.trim();
        if self.searching.is_some() || typed == self.searched || typed.chars().count() < SEARCH_CHARS_MIN {
            return None;
        }
        self.searching = Some(typed.to_owned());
        self.searching.clone()
    }

    /// What was looked for was found, or not.
    pub fn found(&mut self, text: &str) {
        self.searching.take_if(|asked| asked == text);
        text.clone_into(&mut self.searched);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{EventId, Seq};

    fn event(body: impl Into<EventBody>) -> Arc<Event> {
        Arc::new(Event { seq: Some(Seq(1)), id: EventId::new("e"), at: Instant::from_millis(0), session: None, body: body.into() })
    }

    #[test]
    fn the_last_words_of_both_are_shown_within_the_rows() {
        let said = |role: Role, text: &str| event(Chat::new(role, ChatStatus::Done).with_text(text));
        let chats = [
            said(Role::User, "first"),
            said(Role::Assistant, "old"),
            said(Role::User, "last\u{1b}[2J"),
            said(Role::Assistant, &"word ".repeat(400)),
        ];
        let preview = Preview::fold(&chats, &SessionPart::default());
        let rows = preview.rows(60, 6);
        let text: Vec<String> = rows.iter().map(|row| row.iter().map(|(_, text)| text.as_str()).collect()).collect();
        assert_eq!(rows.len(), 5, "{text:?}");
        assert_eq!(text[1], "you   last");
        assert!(text[2].starts_with("agent word word") && text[4].ends_with('…'), "{text:?}");
    }

    #[test]
    fn what_was_taken_back_is_not_told_and_no_signs_of_markdown() {
        let at = |seq: u64, event: Arc<Event>| Arc::new(Event { seq: Some(Seq(seq)), ..(*event).clone() });
        let said = |seq: u64, role: Role, text: &str| at(seq, event(Chat::new(role, ChatStatus::Done).with_text(text)));
        let ended = |seq: u64| {
            let usage = Usage { input_tokens: 10, ..Usage::default() };
            let turn = crate::domain::ids::TurnId::new("t");
            at(
                seq,
                event(TurnEvent::Finished {
                    turn,
                    parent: None,
                    end: crate::domain::event::TurnEnd::Done,
                    steps: 1,
                    duration_ms: 1,
                    usage,
                    context_tokens: 1,
                    message: None,
                }),
            )
        };
        let rewound = at(7, event(SessionEvent::Rewound { to: Seq(3) }));
        let chats = [
            said(1, Role::User, "first"),
            said(2, Role::Assistant, "# It is **4**\n```\n`code`\n```"),
            said(4, Role::User, "second"),
            said(5, Role::Assistant, "gone"),
            Arc::clone(&rewound),
        ];
        let turns = SessionPart { events: vec![ended(3), ended(6), rewound], more: false };
        let rows = Preview::fold(&chats, &turns).rows(60, 6);
        let text: Vec<String> = rows.iter().map(|row| row.iter().map(|(_, text)| text.as_str()).collect()).collect();
        assert!(text[0].starts_with("1 turn ·"), "{text:?}");
        assert_eq!((text[1].as_str(), text[2].trim_end()), ("you   first", "agent It is 4 code"));
    }

    #[test]
    fn one_question_at_a_time_and_none_twice() {
        let mut previews = Previews::default();
        let (a, b) = (SessionId::new("a"), SessionId::new("b"));
        assert_eq!(previews.ask(Some(&a)), Some(a.clone()));
        assert_eq!(previews.ask(Some(&b)), None);
        previews.fill(a.clone(), Err("gone".into()));
        assert_eq!(previews.ask(Some(&a)), None);
        assert_eq!(previews.ask(Some(&b)), Some(b));
        assert_eq!(previews.search("ab"), None);
        assert_eq!(previews.search("abc").as_deref(), Some("abc"));
        assert_eq!(previews.search("abcd"), None);
        previews.found("abc");
        assert_eq!(previews.search("abc "), None);
        assert_eq!(previews.search("abcd").as_deref(), Some("abcd"));
    }
}
