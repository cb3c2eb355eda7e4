//! What the user may set about memories: `[memory]`.

use serde::{Deserialize, Serialize};

use crate::domain::memory::DEFAULT_SPACE;

/// Settings of the memories.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whose memories these are: several people (or purposes) that share a machine keep theirs apart. Default `default`.
    pub space: String,
    /// `provider/model` that makes vectors of the memories, so that they are found by what they mean too; any provider with an
    /// OpenAI-compatible `/embeddings`. Default: empty, full text alone.
    pub embeddings: String,
    /// Whether what fits a message is put before the model with it. Default `true`.
    pub recall: bool,
    /// Tokens that the memories of one message may take, guessed. Default 400; at most 4,000.
    pub recall_tokens: usize,
    /// The cosine from which on a memory is recalled without a common word, 0 to 1; models differ. Default 0.5.
    pub recall_similarity: f64,
    /// Days after which half of a memory's advantage of being new is gone; 0: age does not count. Default 180.
    pub half_life_days: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            space: DEFAULT_SPACE.to_owned(),
            embeddings: String::new(),
            recall: true,
            recall_tokens: 400,
            recall_similarity: 0.5,
            half_life_days: 180.0,
        }
    }
}

/// The most tokens that a recall may take.
const RECALL_TOKENS_MAX: usize = 4_000;

/// The longest name of a space, in characters.
const SPACE_CHARS_MAX: usize = 64;

impl Options {
    /// The first value that makes no sense, with what would.
    pub fn problem(&self) -> Option<String> {
        if let Some(problem) = space_problem(&self.space) {
            return Some(format!("`space`: {problem}"));
        }
        if !self.embeddings.is_empty()
            && self.embeddings.split_once('/').is_none_or(|(provider, model)| provider.is_empty() || model.is_empty())
        {
            return Some(format!("`embeddings`: `{}` is no `provider/model`, such as `openai/text-embedding-3-small`", self.embeddings));
        }
        if !(20..=RECALL_TOKENS_MAX).contains(&self.recall_tokens) {
            return Some(format!(
                "`recall_tokens`: {} is out of range: 20 to {RECALL_TOKENS_MAX} (`recall = false` turns it off)",
                self.recall_tokens
            ));
        }
        if !(0.0..=1.0).contains(&self.recall_similarity) {
            return Some(format!("`recall_similarity`: {} is out of range: 0 to 1", self.recall_similarity));
        }
        if !(0.0..=36_500.0).contains(&self.half_life_days) {
            return Some(format!("`half_life_days`: {} is out of range: 0 to 36500", self.half_life_days));
        }
        None
    }
}

/// What is wrong with the name of a space, if anything.
pub fn space_problem(space: &str) -> Option<String> {
    let fits = |ch: char| ch.is_alphanumeric() || matches!(ch, '-' | '_' | '.' | '@');
    if space.is_empty() || space.chars().count() > SPACE_CHARS_MAX || !space.chars().all(fits) {
        return Some(format!("`{space}` is no name: 1 to {SPACE_CHARS_MAX} letters, digits, `-`, `_`, `.`, `@`"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_are_named_with_their_range() {
        let check = |options: Options, part: &str| {
            let problem = options.problem().unwrap_or_default();
            assert!(problem.contains(part), "{problem}");
        };
        assert_eq!(Options::default().problem(), None);
        check(Options { space: "a b".to_owned(), ..Options::default() }, "`space`");
        check(Options { embeddings: "model".to_owned(), ..Options::default() }, "no `provider/model`");
        check(Options { recall_tokens: 0, ..Options::default() }, "20 to 4000");
        check(Options { recall_similarity: f64::NAN, ..Options::default() }, "0 to 1");
        check(Options { half_life_days: -1.0, ..Options::default() }, "`half_life_days`");
    }
}
