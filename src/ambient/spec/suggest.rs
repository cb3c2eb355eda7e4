//! Finds the word that was meant.

use super::SpecError;
use crate::domain::text::clean_line;

/// Words closer than this are suggested.
const ALIKE: f64 = 0.8;
/// What is shown of a value that somebody gave, in characters.
const SHOWN_MAX: usize = 80;

/// `; did you mean …?` where one of `names` is near.
pub(super) fn near<'n>(given: &str, names: impl Iterator<Item = &'n str>) -> String {
    nearest(given, names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The nearest of `names`, where it is near.
pub(super) fn nearest<'n>(given: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let given = given.to_lowercase();
    let scored = names.map(|name| (strsim::jaro_winkler(&given, &name.to_lowercase()), name));
    scored.filter(|(score, _)| *score > ALIKE).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// `given` is none of `names`.
pub(super) fn unknown(field: &str, given: &str, names: &[&str]) -> SpecError {
    let all = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let hint = match nearest(given, names.iter().copied()) {
        Some(name) => format!("did you mean `{name}`? It is one of {all}"),
        None => format!("give one of {all}"),
    };
    SpecError::new(field, format!("`{}` is not known", shown(given)), hint)
}

/// A stranger's text as a message may show it.
pub(super) fn shown(text: &str) -> String {
    let line = clean_line(text);
    if line.chars().count() <= SHOWN_MAX {
        return line;
    }
    line.chars().take(SHOWN_MAX).chain(['…']).collect()
}
