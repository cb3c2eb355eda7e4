//! What people are asked: questions come, are shown one after the other, are answered and go.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Position;

use crate::domain::command::Command;
use crate::domain::ids::QuestionId;
use crate::domain::question::{Question, QuestionEvent, Reply};
use crate::tui::layout;
use crate::tui::msg::Effect;
use crate::tui::question::{Inquiry, Outcome};
use crate::tui::state::{Asked, State, Tone};
use crate::tui::update::commands;
use crate::tui::view::{self, Hit};

/// Questions that wait at most; the program holds back what is beyond.
const QUESTIONS_MAX: usize = 64;

/// Rows that a page scrolls.
const PAGE: isize = 8;

/// Folds what happened to a question.
pub(super) fn fold(state: &mut State, event: &QuestionEvent) {
    match event {
        QuestionEvent::Asked { question } => add(state, question),
        QuestionEvent::Answered { question_id, .. } => state.questions.retain(|inquiry| !is(inquiry, question_id)),
    }
}

fn is(inquiry: &Inquiry, id: &QuestionId) -> bool {
    inquiry.question().is_some_and(|question| question.id == *id)
}

fn add(state: &mut State, question: &Question) {
    let known = state.questions.iter().any(|inquiry| is(inquiry, &question.id));
    if !known && state.questions.len() < QUESTIONS_MAX {
        let order = state.next_order();
        state.questions.push_back(Inquiry::new(question.clone(), order));
    }
}

/// The questions that wait, as the program tells them: others are answered.
pub(super) fn fill(state: &mut State, questions: &[Question]) {
    for question in questions {
        add(state, question);
    }
}

/// Takes a key for the question on the screen.
pub(super) fn key(state: &mut State, key: &KeyEvent) -> Option<Vec<Effect>> {
    let rows = match key.code {
        KeyCode::PageUp => Some(-PAGE),
        KeyCode::PageDown => Some(PAGE),
        _ => None,
    };
    if let Some(rows) = rows {
        scroll(state, rows);
        return Some(Vec::new());
    }
    let now = state.now;
    let outcome = state.questions.front_mut()?.key(key, now);
    done(state, outcome)
}

/// Moves the window of the question on the screen.
pub(super) fn scroll(state: &mut State, rows: isize) {
    let Some(area) = layout::areas(state).dialog else { return };
    if let Some(inquiry) = state.questions.front_mut() {
        let (top, last) = view::scrolled(inquiry, area, &state.theme);
        inquiry.scroll_by(rows, top, last);
    }
}

/// Takes a click.
pub(super) fn click(state: &mut State, area: ratatui::layout::Rect, position: Position) -> Vec<Effect> {
    let now = state.now;
    let Some(inquiry) = state.questions.front_mut() else { return Vec::new() };
    let hit = view::hit(inquiry, area, &state.theme, position);
    let outcome = clicked(inquiry, hit, now);
    done(state, outcome).unwrap_or_default()
}

/// What a click on a part of a dialog does.
pub(super) fn clicked(inquiry: &mut Inquiry, hit: Hit, now: crate::domain::clock::Instant) -> Outcome {
    match hit {
        Hit::Nothing => Outcome::Moved,
        Hit::Choice(at) => inquiry.click(at, now),
        Hit::Button(button) => inquiry.click_button(button, now),
        Hit::Field(field, option) => {
            if let Some(form) = inquiry.form.as_mut() {
                form.click(field, option);
            }
            Outcome::Moved
        }
    }
}

/// Takes a paste, where a question is on the screen; whether one is.
pub(super) fn paste(state: &mut State, text: &str) -> bool {
    if !state.is_asking() {
        return false;
    }
    if state.is_drafting() {
        state.hold_question();
        return false;
    }
    let now = state.now;
    match (state.front(), state.questions.front_mut(), state.approvals.front_mut()) {
        (Some(Asked::Question), Some(inquiry), _) => inquiry.paste(text, now),
        // What is pasted over a question for consent was meant for something else.
        (Some(Asked::Approval), _, Some(dialog)) => dialog.shown = Some(now),
        _ => return false,
    }
    true
}

fn done(state: &mut State, outcome: Outcome) -> Option<Vec<Effect>> {
    let effects = match outcome {
        Outcome::NotMine => return None,
        Outcome::Moved | Outcome::Filled(_) | Outcome::Closed => Vec::new(),
        Outcome::Reply(reply) => reply_to_first(state, reply),
        Outcome::Open(url) => {
            let mut effects = vec![Effect::Open(url)];
            effects.extend(reply_to_first(state, Reply::yes()));
            effects
        }
        Outcome::Copy(url, goes_on) => {
            let mut effects = commands::copy(state, Some(url), "");
            if goes_on {
                state.note(Tone::Good, "copied: open it in your browser");
                effects.extend(reply_to_first(state, Reply::yes()));
            }
            effects
        }
    };
    Some(effects)
}

fn reply_to_first(state: &mut State, reply: Reply) -> Vec<Effect> {
    let first = state.questions.pop_front();
    let question = first.as_ref().and_then(Inquiry::question).map(|question| question.id.clone());
    question.map(|question| Effect::Send(Command::Reply { question, reply })).into_iter().collect()
}
