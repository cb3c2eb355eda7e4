//! Prompts sent before: Up and Down go through them, Ctrl+R searches them, a file keeps them across runs.
//!
//! The file holds one JSON string a line, so that a prompt of several lines stays one entry; a line that is none is
//! skipped.

/// Prompts sent before, the oldest first, and where Up and Down stand.
#[derive(Debug, Clone, Default)]
pub struct History {
    entries: Vec<String>,
    /// The entry on the screen; none while the user's own draft is.
    at: Option<usize>,
    draft: String,
    max: usize,
}

impl History {
    /// An empty history of at most `max` prompts.
    pub fn new(max: usize) -> Self {
        Self { max: max.max(1), ..Self::default() }
    }

    /// Puts prompts of earlier runs before those of this one.
    pub fn load(&mut self, mut earlier: Vec<String>) {
        earlier.append(&mut self.entries);
        self.entries = earlier;
        self.trim();
    }

    fn trim(&mut self) {
        let excess = self.entries.len().saturating_sub(self.max);
        self.entries.drain(..excess);
        self.at = None;
    }

    /// Remembers a prompt; one that repeats the last is not kept twice. Whether it is new.
    pub fn push(&mut self, prompt: &str) -> bool {
        self.at = None;
        if self.entries.last().is_some_and(|last| last == prompt) {
            return false;
        }
        self.entries.push(prompt.to_owned());
        self.trim();
        true
    }

    /// The prompt before; `draft` is what stands there now.
    pub fn prev(&mut self, draft: &str) -> Option<String> {
        let at = match self.at {
            None => {
                draft.clone_into(&mut self.draft);
                self.entries.len().checked_sub(1)?
            }
            Some(at) => at.checked_sub(1)?,
        };
        self.at = Some(at);
        self.entries.get(at).cloned()
    }

    /// The prompt after; behind the last comes the draft again.
    #[expect(clippy::should_implement_trait, reason = "it goes both ways, it is no iterator")]
    pub fn next(&mut self) -> Option<String> {
        let at = self.at? + 1;
        if at < self.entries.len() {
            self.at = Some(at);
            return self.entries.get(at).cloned();
        }
        self.at = None;
        Some(std::mem::take(&mut self.draft))
    }

    /// Stops going through the prompts: the text was edited.
    pub fn rest(&mut self) {
        self.at = None;
    }

    /// Whether Up and Down are on their way.
    pub fn is_walking(&self) -> bool {
        self.at.is_some()
    }

    /// All prompts, the oldest first.
    pub fn entries(&self) -> &[String] {
        &self.entries
    }
}

/// The prompts in a history file, the last `max`.
pub fn parse(file: &str, max: usize) -> Vec<String> {
    let mut out: Vec<String> = file.lines().rev().filter_map(|line| serde_json::from_str(line).ok()).take(max).collect();
    out.reverse();
    out
}

/// A prompt as a line of a history file.
pub fn line(prompt: &str) -> String {
    format!("{}\n", serde_json::Value::from(prompt))
}
