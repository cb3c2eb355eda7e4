//! Stored sessions as the screen reads them: the end first, what comes before when it is looked for.

use std::sync::Arc;

use crate::domain::event::{Chat, ChatStatus, Event, EventBody};
use crate::domain::ids::{Seq, SessionId};
use crate::domain::message::Role;
use crate::domain::query::{EventReader, QueryError, SessionPage};
use crate::tui::msg::Stored;

/// Bytes of events that are read at once: some hundred turns, some milliseconds.
const PART_BYTES: usize = 2 * 1_024 * 1_024;

/// Bytes of what is read of the part that is not shown: changes of the session, ends of turns.
const FACTS_BYTES: usize = 8 * 1_024 * 1_024;

/// The end of a session, and what of the part before it says how the session stands.
pub(super) async fn end(queries: &dyn EventReader, id: &SessionId) -> Result<Stored, QueryError> {
    let mut stored = part(queries, SessionPage::last(id.clone(), PART_BYTES)).await?;
    let Some(before) = stored.events.first().and_then(|event| event.seq).filter(|_| stored.more) else { return Ok(stored) };
    // Its title may be what the user said first.
    let said = SessionPage { types: vec!["chat".to_owned()], before: Some(before), ..SessionPage::first(id.clone(), 1) };
    stored.facts = queries.session_page(said).await?.events;
    let types = ["session_event", "turn_event"].map(str::to_owned).to_vec();
    let facts = SessionPage { types, before: Some(before), ..SessionPage::last(id.clone(), FACTS_BYTES) };
    stored.facts.extend(queries.session_page(facts).await?.events);
    stored.facts.sort_by_key(|event| event.seq);
    Ok(stored)
}

/// What comes before an event.
pub(super) async fn earlier(queries: &dyn EventReader, id: &SessionId, before: Seq) -> Result<Stored, QueryError> {
    part(queries, SessionPage { before: Some(before), ..SessionPage::last(id.clone(), PART_BYTES) }).await
}

async fn part(queries: &dyn EventReader, page: SessionPage) -> Result<Stored, QueryError> {
    let part = queries.session_page(page).await?;
    let mut events = part.events;
    if part.more {
        // Where a turn begins, so that none is shown in halves; unless it is one turn all through.
        let begins = events.iter().position(is_prompt).filter(|at| *at > 0);
        events.drain(..begins.unwrap_or(0));
    }
    Ok(Stored { facts: Vec::new(), events, more: part.more })
}

fn is_prompt(event: &Arc<Event>) -> bool {
    matches!(&event.body, EventBody::Chat(Chat { role: Role::User, status: ChatStatus::Done, parent: None, .. }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::Recorder;
    use crate::bus::testing::MemoryRecorder;
    use crate::domain::event::{NewEvent, SessionEvent};

    fn said(role: Role, text: &str) -> EventBody {
        Chat::new(role, ChatStatus::Done).with_text(text.to_owned()).into()
    }

    #[tokio::test]
    async fn parts_begin_where_a_turn_does() {
        let recorder = MemoryRecorder::default();
        let id = SessionId::new("s");
        let long = "x".repeat(PART_BYTES / 3);
        let bodies = ["a", "b", "c", "d"].into_iter().flat_map(|n| [said(Role::User, n), said(Role::Assistant, &long)]);
        recorder.record(bodies.map(|body| NewEvent::of(&id, body)).collect()).await.unwrap();
        let seqs = |stored: &Stored| stored.events.iter().map(|event| event.seq.unwrap().0).collect::<Vec<_>>();
        let last = end(&recorder, &id).await.unwrap();
        assert_eq!((seqs(&last), last.more), (vec![5, 6, 7, 8], true));
        let first = earlier(&recorder, &id, Seq(5)).await.unwrap();
        assert_eq!((seqs(&first), first.more), (vec![1, 2, 3, 4], false));
    }

    #[tokio::test]
    async fn what_is_not_shown_still_says_how_the_session_stands() {
        let recorder = MemoryRecorder::default();
        let id = SessionId::new("s");
        let long = "x".repeat(PART_BYTES);
        let renamed = SessionEvent::Renamed { title: "mine".to_owned() };
        let bodies =
            [said(Role::User, "a"), said(Role::Assistant, &long), renamed.into(), said(Role::User, "b"), said(Role::Assistant, &long)];
        recorder.record(bodies.map(|body| NewEvent::of(&id, body)).to_vec()).await.unwrap();
        let last = end(&recorder, &id).await.unwrap();
        assert_eq!(last.events.iter().map(|event| event.seq.unwrap().0).collect::<Vec<_>>(), [5]);
        assert_eq!(last.facts.iter().map(|event| event.seq.unwrap().0).collect::<Vec<_>>(), [1, 3]);
    }
}
