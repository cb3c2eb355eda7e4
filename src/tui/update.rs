//! What a message does to the state, and what it wants done. Plain functions: no I/O, no clock, no waiting.

mod asking;
mod commands;
mod compose;
mod feed;
mod filter;
mod inbox;
mod jump;
mod kept;
mod keys;
mod line;
mod memories;
mod moment;
mod mouse;
mod overlay;
mod own;
mod prompts;
mod replay;
mod resources;
mod session;
mod sessions;
mod settings;
mod tabs;
mod tasks;
#[cfg(test)]
mod tests;
mod texts;
mod trial;

use crate::tui::clipboard;
use crate::tui::composer::Token;
use crate::tui::layout;
use crate::tui::msg::{Answer, Effect, Msg, Query};
use crate::tui::panels::picker::{Pick, PickKind, PickRow};
use crate::tui::panels::{Overlay, cache, cost, info, reports, undo};
use crate::tui::popup::Popup;
use crate::tui::state::{Asked, Focus, LinkState, State, Tone};
use crate::tui::transcript::Mark;

pub use prompts::Fetching;
pub(in crate::tui) use settings::keys as setting_keys;
pub(in crate::tui) use tasks::{page, page_top};

/// Folds `msg` into the state.
pub fn update(state: &mut State, msg: Msg) -> Vec<Effect> {
    // What says nothing new draws nothing.
    let is_news = match &msg {
        Msg::Answer(Answer::Tasks(Ok((rows, status)))) => !state.tasks.is_same(rows, status),
        Msg::Background(light) => light.is_some_and(|light| light != state.surroundings.light_background),
        _ => true,
    };
    let mut effects = match msg {
        Msg::Key(key) => keys::key(state, key),
        Msg::Keys(keys) => return keys::burst(state, keys),
        Msg::Paste(text) => compose::paste(state, &text),
        Msg::Mouse(event) => mouse::mouse(state, event),
        Msg::Resize(columns, rows) => resized(state, (columns, rows)),
        Msg::Focus(focused) => {
            state.focused = focused;
            Vec::new()
        }
        Msg::Backend(link) => session::linked(state, link),
        Msg::BackendFailed(reason) | Msg::NotSent(_, reason) if matches!(state.link, LinkState::Down(_)) => {
            state.note(Tone::Bad, reason);
            Vec::new()
        }
        Msg::BackendFailed(reason) => {
            state.note(Tone::Bad, format!("could not start: {reason}"));
            state.link = LinkState::Down(reason);
            Vec::new()
        }
        Msg::Line(line) => line::changed(state, line),
        Msg::Events(deliveries) => feed::deliveries(state, deliveries),
        Msg::EventsEnded => {
            state.turn = None;
            state.link = LinkState::Down("the program has stopped; quit and start it again".to_owned());
            Vec::new()
        }
        Msg::Answer(answer) => answered(state, answer),
        Msg::NotSent(command, reason) => compose::not_sent(state, *command, &reason),
        Msg::History(prompts) => {
            state.history.load(prompts);
            Vec::new()
        }
        Msg::Files(query, paths) => {
            if let Some(mut popup) = state.popup.take() {
                popup.files(&query, paths, state.sources());
                state.popup = Some(popup);
            }
            Vec::new()
        }
        Msg::Background(light) => {
            commands::see_background(state, light);
            Vec::new()
        }
        Msg::Themes(themes, problems) => {
            state.themes = themes;
            if let Some(problem) = problems.into_iter().next() {
                state.note(Tone::Bad, problem);
            }
            Vec::new()
        }
        Msg::Own(own) => {
            own::read(state, own);
            Vec::new()
        }
        Msg::Kept(kept) => {
            kept::load(state, *kept);
            Vec::new()
        }
        Msg::Settings(result) => {
            settings::read(state, result);
            Vec::new()
        }
        Msg::SettingSaved(key, value, result) => settings::saved(state, &key, value.as_ref(), result),
        Msg::Copied(lines, Ok(program)) => {
            state.note(Tone::Good, clipboard::told(lines, program));
            Vec::new()
        }
        Msg::Copied(_, Err(text)) => commands::copy_by_terminal(state, text),
        Msg::Edited(result) => {
            match result {
                Ok(text) => state.composer.set(text.trim_end()),
                Err(reason) => state.note(Tone::Bad, reason),
            }
            Vec::new()
        }
        Msg::Note(good, text) => {
            state.note(if good { Tone::Good } else { Tone::Bad }, text);
            Vec::new()
        }
        Msg::Tick => {
            tick(state);
            Vec::new()
        }
    };
    effects.extend(settle(state));
    state.dirty |= is_news;
    effects
}

/// The window has another size.
fn resized(state: &mut State, size: (u16, u16)) -> Vec<Effect> {
    state.size = size;
    state.selection = None;
    if !state.chat.follows() {
        // Where all of the end can be seen now, it is followed again.
        let (width, height) = keys::chat_size(state);
        state.transcript.scroll_by(&mut state.chat, 0, width, height, &state.theme);
    }
    // Also where the size is the same again: the terminal may have moved what was on it in between.
    vec![Effect::Redraw]
}

/// What must hold after every message.
fn settle(state: &mut State) -> Vec<Effect> {
    // A mark is there while the chat has the keys and what it begins with is there.
    let is_there = |mark: &Mark| state.focus == Focus::Chat && state.transcript.item(mark.from.item).is_some();
    state.chat.mark = state.chat.mark.filter(is_there);
    let there = state.transcript.len();
    state.chat.left_at = if state.chat.follows() { None } else { Some(state.chat.left_at.unwrap_or(there).min(there)) };
    let mut effects = refresh_popup(state);
    let area = if state.is_asking() { layout::areas(state).dialog } else { None };
    if state.overlay.is_none() {
        state.under.clear();
    }
    fit_form(state);
    show_question(state, area.map(|area| layout::text_area(area).width));
    if state.servers.stale && !state.servers.asking && state.is_reachable() {
        state.servers.stale = false;
        state.servers.asking = true;
        effects.push(Effect::Ask(Query::Servers));
    }
    if state.is_reachable() {
        effects.extend(ask_about_tasks(state));
        effects.extend(ask_for_catalog(state));
        effects.extend(sessions::ask(state));
    }
    effects.extend(session::ask_for_earlier(state));
    effects.extend(kept::changed(state));
    effects
}

/// Asks for prompts, resources and values where somebody looks for them.
fn ask_for_catalog(state: &mut State) -> Vec<Effect> {
    let mut effects = Vec::new();
    let token = state.popup.as_ref().map(|popup| &popup.token);
    let listed = matches!(&state.overlay, Some(Overlay::Pick(picker)) if picker.kind == PickKind::ServerPrompts);
    let prompts = listed || matches!(token, Some(Token::Slash(_) | Token::Argument(..)));
    if prompts && state.catalog.prompts.error.is_none() && state.catalog.prompts.ask() {
        effects.push(Effect::Ask(Query::Prompts));
    }
    let resources = matches!(state.overlay, Some(Overlay::Resources)) || matches!(token, Some(Token::File(_)));
    if resources && state.catalog.resources.error.is_none() && state.catalog.resources.ask() {
        effects.push(Effect::Ask(Query::Resources));
    }
    // A list that could not be read is asked for again once it was out of sight.
    if !prompts {
        state.catalog.prompts.error = None;
    }
    if !resources {
        state.catalog.resources.error = None;
    }
    let typed = resources::typed(state);
    state.completing.watch(typed, state.now);
    effects.extend(state.completing.ask(state.now).map(|typed| Effect::Ask(Query::Values(typed))));
    effects
}

/// Fits the form over the screen to its width.
fn fit_form(state: &mut State) {
    if matches!(state.overlay, Some(Overlay::Form(_)))
        && let Some(area) = layout::areas(state).overlay
        && let Some(Overlay::Form(inquiry)) = &mut state.overlay
    {
        inquiry.fit(layout::text_area(area).width);
    }
}

/// Fits the question on the screen to its `width`; of one that cannot be seen the time begins anew: once it can be seen
/// again, no key answers at once.
fn show_question(state: &mut State, width: Option<u16>) {
    let (now, front) = (state.now, state.front());
    if let Some(dialog) = state.approvals.front_mut() {
        match width.filter(|_| front == Some(Asked::Approval)) {
            Some(width) => {
                dialog.fit(width);
                dialog.shown.get_or_insert(now);
            }
            None => dialog.shown = None,
        }
    }
    if let Some(inquiry) = state.questions.front_mut() {
        match width.filter(|_| front == Some(Asked::Question)) {
            Some(width) => {
                inquiry.fit(width);
                inquiry.shown.get_or_insert(now);
            }
            None => inquiry.shown = None,
        }
    }
}

/// Asks for what is stale of the tasks and of the inbox, one question of a kind at a time.
fn ask_about_tasks(state: &mut State) -> Vec<Effect> {
    let mut effects = Vec::new();
    let listed = matches!(state.overlay, Some(Overlay::Tasks));
    if state.tasks_in_sight() > 0 {
        state.tasks.watch(state.now);
    }
    if state.tasks.stale && !state.tasks.asking {
        state.tasks.stale = false;
        state.tasks.asking = true;
        effects.push(Effect::Ask(Query::Tasks));
    }
    if state.tasks.asking_detail.is_none()
        && let Some(task) = state.tasks.wanted(listed)
    {
        effects.push(Effect::Ask(Query::Task(task)));
    }
    let reads = matches!(state.overlay, Some(Overlay::Inbox | Overlay::Notices));
    if reads && state.inbox.stale && !state.inbox.asking {
        state.inbox.stale = false;
        state.inbox.asking = true;
        effects.push(Effect::Ask(Query::Inbox));
    }
    effects
}

/// Opens, changes or closes the completions after the word at the caret has changed.
fn refresh_popup(state: &mut State) -> Vec<Effect> {
    let token =
        if state.refusing.is_some() || state.overlay.is_some() || state.history.is_walking() { None } else { state.composer.token() };
    if state.popup_closed.is_some() && state.popup_closed != token {
        state.popup_closed = None;
    }
    let wanted = token.filter(|token| state.popup_closed.as_ref() != Some(token));
    if state.popup.as_ref().map(|popup| &popup.token) == wanted.as_ref() {
        return Vec::new();
    }
    let look = own::look(state.popup.as_ref().map(|popup| &popup.token), wanted.as_ref());
    let Some(token) = wanted else {
        state.popup = None;
        return Vec::new();
    };
    let mut find = match &token {
        // Those of this machine are not the program's.
        Token::File(_) if state.line.is_some() => Vec::new(),
        Token::File(query) => vec![Effect::FindFiles { query: query.clone(), used: kept::used_files(state) }],
        Token::Slash(_) | Token::Argument(..) => Vec::new(),
    };
    find.extend(look);
    let before = state.popup.take();
    state.popup = Some(Popup::new(token, before, state.sources()));
    find
}

fn tick(state: &mut State) {
    let now = state.now;
    if !state.options.reduced_motion {
        state.chat.tick = u64::try_from(now.as_millis()).unwrap_or(0) / 100;
    }
    state.toast.take_if(|toast| toast.until <= now);
    state.quit_until.take_if(|until| *until <= now);
    state.rewind_until.take_if(|until| *until <= now);
    state.tabs.close_until.take_if(|until| *until <= now);
    replay::tick(state);
}

fn answered(state: &mut State, answer: Answer) -> Vec<Effect> {
    match answer {
        Answer::Servers(result) => {
            state.servers.asking = false;
            match result {
                Ok(rows) => state.servers.fill(rows),
                Err(reason) => state.note(Tone::Bad, reason),
            }
        }
        Answer::Tools(_, result) => {
            let rows = result.map(|tools| {
                let rows = info::tools(&tools);
                state.tools = tools;
                rows
            });
            fill(state, PickKind::Tools, rows);
        }
        Answer::Prompts(result) => {
            state.catalog.prompts.fill(result);
            prompts::fill(state);
            refresh_rows(state);
        }
        Answer::Prompt(server, name, result) => return prompts::fetched(state, &server, &name, result),
        Answer::Resources(result) => {
            state.catalog.resources.fill(result);
            refresh_rows(state);
        }
        Answer::Resource(server, uri, result) => {
            let panel = result.map(|parts| crate::tui::panels::resources::content(&server, &uri, &parts));
            text(state, panel);
        }
        // Servers that complete nothing are no news.
        Answer::Values(typed, result) => resources::completed(state, &typed, &result.unwrap_or_default()),
        Answer::Log(server, result) => {
            let panel = result.map(|lines| info::logs(&server, state.servers.messages(&server), &lines));
            text(state, panel);
        }
        Answer::Questions(result) => match result {
            Ok(questions) => asking::fill(state, &questions),
            Err(reason) => state.note(Tone::Bad, reason),
        },
        Answer::Doctor(result) => {
            let panel = result.map(|checks| info::doctor(&checks, &state.theme));
            text(state, panel);
        }
        Answer::Sessions(result) => {
            let rows = result.map(|rows| info::sessions(&rows, &state.session.id, state.now, &state.surroundings.timezone));
            let replays = matches!(&state.overlay, Some(Overlay::Pick(picker)) if picker.kind == PickKind::Replays);
            fill(state, if replays { PickKind::Replays } else { PickKind::Sessions }, rows);
        }
        Answer::Found(search, result) => sessions::found(state, &search, result),
        Answer::Preview(id, result) => state.previews.fill(id, result),
        Answer::Models(result) => {
            let model = state.session.model.clone();
            if let Ok(rows) = &result {
                state.models = rows.iter().map(|row| row.id.clone()).collect();
            }
            fill(state, PickKind::Models, result.map(|rows| info::models(&rows)));
            if let Some(Overlay::Pick(picker)) = &mut state.overlay {
                picker.choose(&Pick::Model(model));
            }
        }
        Answer::Agents(result) => fill(state, PickKind::Agents, result.map(|rows| info::agents(&rows))),
        Answer::Tasks(result) => {
            state.tasks.asking = false;
            match result {
                Ok((rows, status)) => state.tasks.fill(rows, status),
                Err(reason) => state.note(Tone::Bad, reason),
            }
        }
        Answer::Task(task, result) => state.tasks.fill_detail(&task, result),
        Answer::Inbox(result) => {
            state.inbox.asking = false;
            match result {
                Ok((rows, notices)) => state.inbox.fill(rows, notices),
                Err(reason) => state.note(Tone::Bad, reason),
            }
        }
        Answer::Report(result) => text(state, result.map(|status| reports::panel(&status))),
        Answer::Cache(result) => text(state, result.map(|stats| cache::panel(&stats))),
        Answer::Memories(query, result) => memories::fill(state, &query, result),
        Answer::Spending(result) => text(state, result.map(|spending| cost::panel(&spending))),
        Answer::LastChange(change, force, result) => return compose::undo_change(state, change, force, result),
        Answer::Undoable(result) => {
            let zone = state.surroundings.timezone.clone();
            text(state, result.map(|rows| undo::panel(&rows, &zone)));
        }
        Answer::Moment(seq, result) => moment::came(state, seq, result),
        Answer::Replay(id, result) => replay::came(state, &id, result),
        Answer::Session(id, result) => return session::loaded(state, &id, result),
        Answer::Earlier(id, result) => session::earlier(state, &id, result),
        Answer::After(result) => return feed::caught_up(state, result),
    }
    Vec::new()
}

/// The completions on the screen know what came.
fn refresh_rows(state: &mut State) {
    if let Some(mut popup) = state.popup.take() {
        popup.refresh(state.sources());
        state.popup = Some(popup);
    }
}

/// Puts an answer into the text panel that waits for it, if that is still open.
fn text(state: &mut State, result: Result<crate::tui::panels::TextPanel, String>) {
    let waiting = matches!(&state.overlay, Some(Overlay::Text(panel)) if panel.body == crate::tui::panels::Body::Waiting);
    match result {
        Ok(panel) if waiting => state.overlay = Some(Overlay::Text(panel)),
        Ok(_) => {}
        Err(reason) => {
            if waiting {
                state.uncover();
            }
            state.note(Tone::Bad, reason);
        }
    }
}

fn fill(state: &mut State, kind: PickKind, rows: Result<Vec<PickRow>, String>) {
    if let Some(Overlay::Pick(picker)) = &mut state.overlay
        && picker.kind == kind
    {
        picker.fill(rows);
    }
}
