//! What calls answered, as the model is told it: all of them, the oldest shortened where there are very many. Pure.
//!
//! A session may have far more results than any model reads at once. What lies behind [`BYTES_MAX`] of newer results is
//! told by a summary, which takes no more of each than [`compact::RESULT_BYTES_MAX`]; so no more of it is held. The log
//! has all of it: a rewind brings what lies in reach again back from there.

use std::collections::{HashMap, HashSet};

use crate::agent::compact;
use crate::domain::ids::{CallId, Seq};
use crate::domain::text::cut_middle;

/// Bytes of the newest answers that are held whole: at three or four bytes a token more than the largest context of a model.
/// Tests reach it sooner.
pub(super) const BYTES_MAX: usize = if cfg!(test) { 160_000 } else { 16 * 1_024 * 1_024 };

/// One answer.
#[derive(Debug, Clone)]
struct Place {
    seq: Seq,
    call: CallId,
    /// Bytes of the whole answer.
    bytes: usize,
}

/// The answers of a session.
#[derive(Debug, Clone)]
pub(super) struct Answers {
    texts: HashMap<CallId, (Seq, String)>,
    /// All of them in ascending order.
    places: Vec<Place>,
    /// How many of the first were shortened, where there was something to shorten.
    shortened: usize,
    /// Bytes of those that were not.
    whole_bytes: usize,
    bytes_max: usize,
}

impl Default for Answers {
    fn default() -> Self {
        Self::holding(usize::MAX)
    }
}

impl Answers {
    /// Answers of which the newest `bytes_max` bytes are held whole.
    pub(super) fn holding(bytes_max: usize) -> Self {
        Self { texts: HashMap::new(), places: Vec::new(), shortened: 0, whole_bytes: 0, bytes_max }
    }

    /// The first answer to `call` counts.
    pub(super) fn insert(&mut self, call: CallId, seq: Seq, text: String) {
        if self.contains(&call) {
            return;
        }
        self.whole_bytes += text.len();
        self.places.push(Place { seq, call: call.clone(), bytes: text.len() });
        self.texts.insert(call, (seq, text));
        while self.whole_bytes > self.bytes_max && self.shortened + 1 < self.places.len() {
            let place = &self.places[self.shortened];
            self.whole_bytes -= place.bytes;
            self.shortened += 1;
            if let Some((_, text)) = self.texts.get_mut(&place.call).filter(|(_, text)| text.len() > compact::RESULT_BYTES_MAX) {
                *text = cut_middle(text, compact::RESULT_BYTES_MAX).into_owned();
            }
        }
    }

    pub(super) fn contains(&self, call: &CallId) -> bool {
        self.texts.contains_key(call)
    }

    pub(super) fn get(&self, call: &CallId) -> Option<&(Seq, String)> {
        self.texts.get(call)
    }

    /// Forgets the answers after `to`.
    pub(super) fn rewind(&mut self, to: Seq) {
        let left = self.places.partition_point(|place| place.seq <= to);
        for place in self.places.drain(left..) {
            self.texts.remove(&place.call);
        }
        self.shortened = self.shortened.min(left);
        self.whole_bytes = self.places[self.shortened..].iter().map(|place| place.bytes).sum();
    }

    /// The shortened answers that would be whole, had nothing come after those that are left.
    fn in_reach(&self) -> &[Place] {
        let mut bytes = self.whole_bytes;
        let older = self.places[..self.shortened].iter().rev();
        let count = older.take_while(|place| {
            bytes = bytes.saturating_add(place.bytes);
            bytes <= self.bytes_max
        });
        &self.places[self.shortened - count.count()..self.shortened]
    }

    /// Where in the log the shortened answers lie that are in reach, the first and the last one.
    pub(super) fn missing(&self) -> Option<(Seq, Seq)> {
        let places = self.in_reach();
        Some((places.first()?.seq, places.last()?.seq))
    }

    /// Takes back what was shortened and is in reach.
    pub(super) fn restore(&mut self, whole: HashMap<CallId, String>) {
        let reach: HashSet<CallId> = self.in_reach().iter().map(|place| place.call.clone()).collect();
        for (call, text) in whole {
            if let Some((_, held)) = self.texts.get_mut(&call).filter(|_| reach.contains(&call)) {
                *held = text;
            }
        }
        self.whole_bytes += self.in_reach().iter().map(|place| place.bytes).sum::<usize>();
        self.shortened -= reach.len();
    }
}

#[cfg(test)]
mod tests {
    use super::{Answers, CallId, Seq, compact};

    fn call(n: u64) -> CallId {
        CallId::new(format!("call-{n}"))
    }

    fn filled(count: u64, bytes_max: usize) -> Answers {
        let mut answers = Answers::holding(bytes_max);
        for n in 1..=count {
            answers.insert(call(n), Seq(n * 10), n.to_string().repeat(5_000));
        }
        answers
    }

    fn lengths(answers: &Answers) -> Vec<usize> {
        answers.places.iter().map(|place| answers.get(&place.call).unwrap().1.len()).collect()
    }

    #[test]
    fn the_newest_are_held_whole_and_the_oldest_keep_what_a_summary_takes() {
        assert_eq!(lengths(&filled(4, usize::MAX)), [5_000; 4]);
        let answers = filled(4, 12_000);
        let short = lengths(&answers)[0];
        assert!(short <= compact::RESULT_BYTES_MAX + 100 && short > 1_000, "{short}");
        assert_eq!(lengths(&answers), [short, short, 5_000, 5_000]);
        // The last one is held whole, however long it is.
        assert_eq!(lengths(&filled(3, 10)), [short, short, 5_000]);
    }

    #[test]
    fn the_first_answer_counts() {
        let mut answers = filled(1, 100_000);
        answers.insert(call(1), Seq(20), "again".into());
        assert_eq!((answers.get(&call(1)).unwrap().0, answers.places.len()), (Seq(10), 1));
    }

    #[test]
    fn after_a_rewind_what_is_in_reach_comes_back_and_no_more() {
        let mut answers = filled(8, 12_000);
        assert_eq!(answers.missing(), None);
        answers.rewind(Seq(59));
        assert!(!answers.contains(&call(6)) && answers.contains(&call(5)));
        assert_eq!(answers.missing(), Some((Seq(40), Seq(50))));
        answers.restore((1..=5).map(|n| (call(n), n.to_string().repeat(5_000))).collect());
        assert_eq!(lengths(&answers)[3..], [5_000, 5_000]);
        assert!(lengths(&answers)[..3].iter().all(|length| *length < 3_000), "{:?}", lengths(&answers));
        assert_eq!(answers.missing(), None);
        // From here on it goes on as before.
        answers.insert(call(9), Seq(90), "9".repeat(5_000));
        assert!(lengths(&answers)[3] < 3_000 && lengths(&answers)[4..] == [5_000, 5_000], "{:?}", lengths(&answers));
        answers.rewind(Seq(0));
        assert_eq!((answers.places.len(), answers.whole_bytes, answers.missing()), (0, 0, None));
    }
}
