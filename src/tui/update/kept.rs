//! Puts what is remembered of earlier runs onto the screen, and notices when there is something new to remember.

use crate::tui::kept::Kept;
use crate::tui::layout;
use crate::tui::msg::Effect;
use crate::tui::state::{Column, State, Tone};

/// What earlier runs left. What was changed in this one already stays. Filters are no part of it: what hides something is
/// set by the one who looks.
pub(super) fn load(state: &mut State, kept: Kept) {
    if state.column == Column::Side
        && let Some(column) = kept.column
    {
        state.column = column;
    }
    state.memory.kept = Some(kept);
}

/// What is to be written, where something is new. Before earlier runs were read nothing is: it would be lost.
pub(super) fn changed(state: &mut State) -> Option<Effect> {
    let (is_wide, column) = (state.is_wide(), state.column);
    let kept = state.memory.kept.as_mut()?;
    let mut stale = std::mem::take(&mut state.memory.stale);
    // With one column the events in place of the chat are only a look.
    if is_wide && kept.column.unwrap_or(Column::Side) != column {
        kept.column = Some(column);
        stale = true;
    }
    stale.then(|| Effect::Keep(kept.text()))
}

/// Makes the events' column wider or narrower.
pub(super) fn widen(state: &mut State, step: i16) {
    /// Columns that one key moves the border.
    const STEP: i16 = 4;
    if !state.is_wide() || state.column != Column::Side {
        state.note(Tone::Plain, "the events stand beside the chat only in a wide window, where they are shown");
        return;
    }
    let width = layout::side_columns(state).saturating_add_signed(step * STEP);
    let width = layout::side_fits(width, state.size.0);
    state.memory.change(|kept| kept.side_columns = Some(width));
}

/// A command, or what a key does, was chosen by name.
pub(super) fn used_command(state: &mut State, name: &str) {
    state.memory.change(|kept| kept.commands.add(name));
}

/// A file was put in behind an `@`.
pub(super) fn used_file(state: &mut State, mention: &str) {
    let path = state.surroundings.cwd.join(mention.trim_start_matches('@'));
    if let Some(path) = path.to_str() {
        state.memory.change(|kept| kept.files.add(path));
    }
}

/// Files of this folder that were put in before, and what they weigh.
pub(super) fn used_files(state: &State) -> Vec<(String, u32)> {
    let cwd = &state.surroundings.cwd;
    let kept = state.memory.kept.iter().flat_map(|kept| kept.files.iter());
    let own = |(path, weight): (&str, u32)| Some((std::path::Path::new(path).strip_prefix(cwd).ok()?.to_str()?.to_owned(), weight));
    kept.filter_map(own).collect()
}
