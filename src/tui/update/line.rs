//! The connection to a program elsewhere comes and goes.

use crate::domain::event::ErrorEvent;
use crate::domain::remote::{ATTACH, Line, LineState};
use crate::domain::text::clean_line;
use crate::tui::msg::{Effect, Query};
use crate::tui::state::{LinkState, State, Sync, Tone};
use crate::tui::update::{compose, session};

/// The connection stands otherwise now.
pub(super) fn changed(state: &mut State, line: Line) -> Vec<Effect> {
    let epoch = match &line.state {
        LineState::Live { epoch } => Some(epoch.clone()),
        LineState::Connecting | LineState::Waiting { .. } | LineState::Refused { .. } => None,
    };
    state.line = Some(line);
    let Some(epoch) = epoch else { return Vec::new() };
    let before = state.epoch.replace(epoch);
    if state.link != LinkState::Ready {
        return Vec::new();
    }
    if before.is_some() && before != state.epoch {
        another_log(state);
    }
    // What is not stored was missed: how servers and tasks stand, what is asked.
    state.servers.stale = true;
    state.servers.asking = false;
    state.tasks.stale = true;
    state.tasks.asking = false;
    state.inbox.stale = true;
    state.inbox.asking = false;
    vec![Effect::Ask(Query::Questions)]
}

/// A command did not get there: what was typed is not lost.
pub(super) fn undelivered(state: &mut State, error: &ErrorEvent) {
    if state.line.is_none() || error.source != ATTACH {
        return;
    }
    let command = error.details.get("undelivered").and_then(|command| serde_json::from_value(command.clone()).ok());
    if let Some(command) = command {
        // What follows from it is a question to the program, which cannot be reached.
        let _ = compose::not_sent(state, command, &clean_line(&error.message));
    }
}

/// The log there is another one: no position means what it did, and the session is not in it.
fn another_log(state: &mut State) {
    super::replay::end(state);
    state.tabs.clear();
    session::fresh(state);
    state.sync = Sync::Live;
    state.reads = 0;
    state.last_other_seq = None;
    state.gap = None;
    state.note(Tone::Bad, "the program there has another log now: this is a new session");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::clock::Instant;
    use crate::domain::command::Command;
    use crate::domain::ids::Seq;
    use crate::tui::msg::Msg;
    use crate::tui::tests::Script;

    fn line(state: LineState) -> Msg {
        Msg::Line(Line { address: "127.0.0.1:8000".to_owned(), state })
    }

    fn live(epoch: &str) -> Msg {
        line(LineState::Live { epoch: epoch.to_owned() })
    }

    fn status(script: &Script) -> String {
        crate::tui::status::line(&script.state).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn the_status_line_tells_how_the_connection_stands() {
        let mut script = Script::new(120, 40);
        script.send(line(LineState::Connecting));
        assert!(status(&script).starts_with(" connecting 127.0.0.1:8000 "), "{}", status(&script));
        script.send(live("e"));
        assert!(status(&script).starts_with(" attached 127.0.0.1:8000 "), "{}", status(&script));
        let retry_at = Instant::from_millis(script.state.now.as_millis() + 3_400);
        script.send(line(LineState::Waiting { reason: "connection\u{1b}[2J refused".to_owned(), retry_at }));
        assert!(status(&script).starts_with(" reconnecting in 4s (connection refused) "), "{}", status(&script));
        assert!(script.state.next_wake().is_some_and(|at| at <= Instant::from_millis(script.state.now.as_millis() + 1_000)));
        script.send(line(LineState::Refused { reason: "the token is wrong".to_owned(), retry_at }));
        assert!(status(&script).starts_with(" not let in: the token is wrong; again in 4s"), "{}", status(&script));
    }

    #[test]
    fn nothing_is_asked_while_there_is_no_connection_and_all_of_it_after() {
        let mut script = Script::new(120, 40);
        script.send(live("e"));
        let retry_at = script.state.now;
        script.send(line(LineState::Waiting { reason: "gone".to_owned(), retry_at }));
        script.effects.clear();
        script.state.servers.stale = true;
        script.state.servers.asking = false;
        script.send(Msg::Tick);
        assert!(!script.effects.iter().any(|effect| matches!(effect, Effect::Ask(_))), "{:?}", script.effects);
        script.send(live("e"));
        for wanted in [Query::Servers, Query::Tasks, Query::Questions] {
            assert!(script.effects.contains(&Effect::Ask(wanted.clone())), "{wanted:?}: {:?}", script.effects);
        }
    }

    #[test]
    fn another_log_is_another_session() {
        let mut script = Script::new(120, 40);
        script.send(live("one"));
        script.state.session.made = true;
        script.state.last_other_seq = Some(Seq(500));
        let before = script.state.session.id.clone();
        script.send(live("one"));
        assert_eq!(script.state.session.id, before);
        script.send(live("two"));
        assert_ne!(script.state.session.id, before);
        assert_eq!((script.state.last_other_seq, script.state.session.made), (None, false));
        assert!(!script.effects.iter().any(|effect| matches!(effect, Effect::Send(Command::OpenSession { .. }))));
    }
}
