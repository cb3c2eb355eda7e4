//! Where the motions of vi lead: plain functions of the text and the caret. Places are line and column in `char`s from 0;
//! a step is a grapheme cluster.

use unicode_segmentation::UnicodeSegmentation;

use crate::tui::composer::Composer;

/// Line and column, in characters.
pub(super) type Place = (usize, usize);

/// `f`, `F`, `t`, `T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Find {
    forward: bool,
    /// Whether the caret stops before the character.
    short: bool,
}

impl Find {
    pub(super) fn of(ch: char) -> Option<Self> {
        matches!(ch, 'f' | 'F' | 't' | 'T').then(|| Self { forward: ch.is_lowercase(), short: ch.eq_ignore_ascii_case(&'t') })
    }

    pub(super) fn name(self) -> &'static str {
        match (self.forward, self.short) {
            (true, false) => "f",
            (false, false) => "F",
            (true, true) => "t",
            (false, true) => "T",
        }
    }

    /// The same, the other way.
    pub(super) fn turned(self) -> Self {
        Self { forward: !self.forward, ..self }
    }

    /// Whether an operator takes the character it stops on.
    pub(super) fn includes(self) -> bool {
        self.forward
    }
}

/// A stretch of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Where it begins.
    pub(super) from: Place,
    /// Behind its end.
    pub(super) to: Place,
    /// Where the caret goes without an operator.
    pub(super) target: Place,
    /// Whether it is whole lines.
    pub(super) linewise: bool,
}

impl Span {
    /// From the caret to `target`; with the character there where `inclusive`.
    pub(super) fn chars(caret: Place, target: Place, inclusive: bool) -> Self {
        let (from, to) = if target < caret { (target, caret) } else { (caret, target) };
        let to = if inclusive && target >= caret { (to.0, to.1 + 1) } else { to };
        Self { from, to, target, linewise: false }
    }
}

/// The kinds of characters that words are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Blank,
    Word,
    Sign,
}

fn class(ch: char, big: bool) -> Class {
    match ch {
        ch if ch.is_whitespace() => Class::Blank,
        _ if big => Class::Word,
        ch if ch.is_alphanumeric() || ch == '_' => Class::Word,
        _ => Class::Sign,
    }
}

/// Whether `ch` is a motion.
pub(super) fn is_motion(ch: char) -> bool {
    "hlwWbBeE0^$G;, ".contains(ch)
}

/// The text and the caret.
pub(super) struct Text {
    lines: Vec<Vec<char>>,
    caret: Place,
}

impl Text {
    pub(super) fn of(composer: &Composer) -> Self {
        let lines = composer.raw().split('\n').map(|line| line.chars().collect()).collect();
        Self { lines, caret: composer.caret() }
    }

    pub(super) fn caret(&self) -> Place {
        self.caret
    }

    pub(super) fn last_row(&self) -> usize {
        self.lines.len().saturating_sub(1)
    }

    fn line(&self, row: usize) -> &[char] {
        self.lines.get(row).map_or(&[], Vec::as_slice)
    }

    /// Where the clusters of a line begin, and its end.
    fn stops(&self, row: usize) -> Vec<usize> {
        let text: String = self.line(row).iter().collect();
        let mut at = 0;
        let mut stops: Vec<usize> = text
            .graphemes(true)
            .map(|cluster| {
                let start = at;
                at += cluster.chars().count();
                start
            })
            .collect();
        stops.push(at);
        stops
    }

    /// A cluster to the left, within the line.
    pub(super) fn left(&self, (row, col): Place) -> Place {
        (row, self.stops(row).into_iter().rev().find(|stop| *stop < col).unwrap_or(0))
    }

    /// A cluster to the right, to the end of the line at most.
    pub(super) fn right(&self, (row, col): Place) -> Place {
        (row, self.stops(row).into_iter().find(|stop| *stop > col).unwrap_or(col))
    }

    /// The nearest place on which the caret of normal mode may stand: on a character where the line has any.
    pub(super) fn within(&self, (row, col): Place) -> Place {
        let end = self.line(row).len();
        if col >= end && end > 0 { self.left((row, end)) } else { (row, col) }
    }

    /// The first column of a line that is no blank.
    pub(super) fn first_word(&self, row: usize) -> usize {
        self.line(row).iter().position(|ch| !ch.is_whitespace()).unwrap_or(0)
    }

    fn at(&self, (row, col): Place) -> Option<char> {
        self.line(row).get(col).copied()
    }

    /// The place behind; the end of a line counts as one.
    fn next(&self, (row, col): Place) -> Option<Place> {
        if col < self.line(row).len() { Some((row, col + 1)) } else { (row < self.last_row()).then_some((row + 1, 0)) }
    }

    fn prev(&self, (row, col): Place) -> Option<Place> {
        if col > 0 { Some((row, col - 1)) } else { row.checked_sub(1).map(|row| (row, self.line(row).len())) }
    }

    fn class_at(&self, place: Place, big: bool) -> Class {
        self.at(place).map_or(Class::Blank, |ch| class(ch, big))
    }

    fn word_forward(&self, from: Place, big: bool) -> Place {
        let mut place = from;
        let start = self.class_at(place, big);
        while start != Class::Blank && self.class_at(place, big) == start {
            let Some(next) = self.next(place) else { return place };
            place = next;
        }
        while self.class_at(place, big) == Class::Blank {
            // An empty line is a word.
            if place != from && self.line(place.0).is_empty() {
                return place;
            }
            let Some(next) = self.next(place) else { return place };
            place = next;
        }
        place
    }

    fn word_back(&self, from: Place, big: bool) -> Place {
        let Some(mut place) = self.prev(from) else { return from };
        while self.class_at(place, big) == Class::Blank {
            let Some(prev) = self.prev(place) else { return place };
            place = prev;
        }
        let kind = self.class_at(place, big);
        while let Some(prev) = self.prev(place).filter(|prev| prev.0 == place.0 && self.class_at(*prev, big) == kind) {
            place = prev;
        }
        place
    }

    fn word_end(&self, from: Place, big: bool) -> Place {
        let Some(mut place) = self.next(from) else { return from };
        while self.class_at(place, big) == Class::Blank {
            let Some(next) = self.next(place) else { return from };
            place = next;
        }
        let kind = self.class_at(place, big);
        while let Some(next) = self.next(place).filter(|next| self.class_at(*next, big) == kind) {
            place = next;
        }
        place
    }

    /// Where `ch` leads, `count` times.
    pub(super) fn motion(&self, ch: char, count: usize, operates: bool) -> Option<Span> {
        let (row, _) = self.caret;
        let repeat = |step: &dyn Fn(Place) -> Place| (0..count).fold(self.caret, |place, _| step(place));
        let end = self.line(row).len();
        let span = match ch {
            'h' => Span::chars(self.caret, repeat(&|place| self.left(place)), false),
            'l' | ' ' => Span::chars(self.caret, repeat(&|place| self.right(place)), false),
            'w' | 'W' => {
                let mut to = repeat(&|place| self.word_forward(place, ch == 'W'));
                // With an operator the last word of a line ends with the line.
                if operates && to.0 > row && self.line(to.0).iter().take(to.1).all(|ch| ch.is_whitespace()) {
                    to = (to.0 - 1, self.line(to.0 - 1).len());
                    to = to.max(self.caret);
                }
                Span::chars(self.caret, to, false)
            }
            'b' | 'B' => Span::chars(self.caret, repeat(&|place| self.word_back(place, ch == 'B')), false),
            'e' | 'E' => Span::chars(self.caret, repeat(&|place| self.word_end(place, ch == 'E')), true),
            '0' => Span::chars(self.caret, (row, 0), false),
            '^' => Span::chars(self.caret, (row, self.first_word(row)), false),
            '$' => {
                let row = (row + count - 1).min(self.last_row());
                Span::chars(self.caret, (row, self.line(row).len()), false)
            }
            'j' | 'k' => {
                let other = if ch == 'j' { (row + count).min(self.last_row()) } else { row.saturating_sub(count) };
                if other == row {
                    return None;
                }
                self.lines_between(row, other)
            }
            _ => return None,
        };
        // On the last cluster `l` and `e` reach behind it, not further.
        let to = if span.to.0 == row { (row, span.to.1.min(end)) } else { span.to };
        Some(Span { to, ..span })
    }

    /// The `count`-th `wanted` of the caret's line; `again` where it was looked for before.
    pub(super) fn find(&self, find: Find, wanted: char, count: usize, again: bool) -> Option<Place> {
        let (row, col) = self.caret;
        let line = self.line(row);
        // A repeated `t` must not stay before the same character.
        let skip = usize::from(find.short && again);
        let at = if find.forward {
            let after = line.iter().enumerate().skip(col + 1 + skip);
            after.filter(|(_, ch)| **ch == wanted).nth(count - 1).map(|(at, _)| at - usize::from(find.short))
        } else {
            let before = line.iter().enumerate().take(col.saturating_sub(skip)).rev();
            before.filter(|(_, ch)| **ch == wanted).nth(count - 1).map(|(at, _)| at + usize::from(find.short))
        };
        at.map(|at| (row, at))
    }

    /// Behind the `count`-th cluster from the caret on, where the line has so many.
    pub(super) fn steps_right(&self, count: usize) -> Option<Place> {
        let (row, col) = self.caret;
        self.stops(row).into_iter().filter(|stop| *stop > col).nth(count - 1).map(|stop| (row, stop))
    }

    /// The caret's cluster and those behind it, `count` in all.
    pub(super) fn right_span(&self, count: usize) -> Span {
        Span::chars(self.caret, (0..count).fold(self.caret, |place, _| self.right(place)), false)
    }

    /// `count` clusters before the caret.
    pub(super) fn left_span(&self, count: usize) -> Span {
        Span::chars(self.caret, (0..count).fold(self.caret, |place, _| self.left(place)), false)
    }

    /// From the caret to the end of its line.
    pub(super) fn end_span(&self) -> Span {
        Span::chars(self.caret, (self.caret.0, self.line(self.caret.0).len()), false)
    }

    /// The caret's line and `more` below it.
    pub(super) fn lines_down(&self, more: usize) -> Span {
        self.lines_between(self.caret.0, (self.caret.0 + more).min(self.last_row()))
    }

    /// Whole lines.
    pub(super) fn lines_between(&self, one: usize, other: usize) -> Span {
        let (from, to) = (one.min(other), one.max(other));
        Span { from: (from, 0), to: (to, self.line(to).len()), target: (from, 0), linewise: true }
    }

    /// Whole lines and the line break that goes with them.
    pub(super) fn whole_lines(&self, from: usize, to: usize) -> (Place, Place) {
        if to < self.last_row() {
            ((from, 0), (to + 1, 0))
        } else if let Some(before) = from.checked_sub(1) {
            ((before, self.line(before).len()), (to, self.line(to).len()))
        } else {
            ((from, 0), (to, self.line(to).len()))
        }
    }

    /// The word at the caret; with the blanks behind it (else before it) where `around`.
    pub(super) fn word(&self, around: bool, big: bool) -> Span {
        let (row, col) = self.caret;
        let line = self.line(row);
        let kind = self.class_at(self.caret, big);
        let same = |ch: &char, kind: Class| class(*ch, big) == kind;
        let mut from = col - line.iter().take(col).rev().take_while(|ch| same(ch, kind)).count();
        let mut to = col + line.iter().skip(col).take_while(|ch| same(ch, kind)).count();
        if around {
            let behind = line.iter().skip(to).take_while(|ch| same(ch, Class::Blank)).count();
            to += behind;
            if behind == 0 {
                from -= line.iter().take(from).rev().take_while(|ch| same(ch, Class::Blank)).count();
            }
        }
        Span { from: (row, from), to: (row, to), target: (row, from), linewise: false }
    }

    /// The text of a stretch.
    pub(super) fn between(&self, from: Place, to: Place) -> String {
        let mut out = String::new();
        for row in from.0..=to.0 {
            let start = if row == from.0 { from.1 } else { 0 };
            let end = if row == to.0 { to.1 } else { usize::MAX };
            if row > from.0 {
                out.push('\n');
            }
            out.extend(self.line(row).iter().take(end).skip(start));
        }
        out
    }
}
