//! Modal editing of the message, as vi has it: insert and normal mode, counts, operators with motions, one register.
//!
//! A plain state machine over the composer's text. What it does not know in normal mode it hands back, so that all keys
//! with Ctrl and Alt, Enter, Tab and the arrow keys go on doing what the table of keys says.

mod motion;
#[cfg(test)]
mod tests;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::tui::composer::{Composer, Edit};

use motion::{Find, Span, Text};

/// The largest count: more is never meant.
const COUNT_MAX: usize = 999;

/// What keys do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// They write.
    #[default]
    Insert,
    /// They move and change.
    Normal,
}

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressed {
    /// It is done with.
    Taken,
    /// It is not one of these: the table of keys decides.
    Pass,
    /// A line up from the first one: earlier prompts.
    Above,
    /// A line down from the last one: later prompts.
    Below,
    /// It is text for the message.
    Write(char),
}

/// What waits for a motion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Delete,
    Change,
    Yank,
}

/// What waits for one more key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    /// `g`.
    Go,
    /// `f`, `F`, `t`, `T`: the character.
    Find(Find),
    /// `r`: the character.
    Replace,
    /// `i`, `a` behind an operator: what object; whether with the blanks around it.
    Object(bool),
}

/// Modal editing.
#[derive(Debug, Clone, Default)]
pub struct Vi {
    mode: Mode,
    count: Option<usize>,
    operator: Option<(Operator, usize)>,
    waiting: Option<Waiting>,
    found: Option<(Find, char)>,
    register: String,
    linewise: bool,
}

impl Vi {
    /// The mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Keys write again: a new message begins.
    pub fn rest(&mut self) {
        self.forget();
        self.mode = Mode::Insert;
    }

    /// What was begun, as it was typed: `2d`, `f`.
    pub fn begun(&self) -> String {
        let mut out = String::new();
        if let Some((operator, count)) = self.operator {
            if count > 1 {
                out.push_str(&count.to_string());
            }
            out.push(match operator {
                Operator::Delete => 'd',
                Operator::Change => 'c',
                Operator::Yank => 'y',
            });
        }
        if let Some(count) = self.count {
            out.push_str(&count.to_string());
        }
        out.push_str(match self.waiting {
            Some(Waiting::Go) => "g",
            Some(Waiting::Find(find)) => find.name(),
            Some(Waiting::Replace) => "r",
            Some(Waiting::Object(true)) => "a",
            Some(Waiting::Object(false)) => "i",
            None => "",
        });
        out
    }

    fn forget(&mut self) {
        (self.count, self.operator, self.waiting) = (None, None, None);
    }

    /// Takes a key.
    pub fn press(&mut self, key: &KeyEvent, composer: &mut Composer) -> Pressed {
        if self.mode == Mode::Insert {
            if key.code != KeyCode::Esc || !key.modifiers.is_empty() {
                return Pressed::Pass;
            }
            self.mode = Mode::Normal;
            let text = Text::of(composer);
            composer.jump_to(text.left(text.caret()));
            return Pressed::Taken;
        }
        if key.code == KeyCode::Char('r') && key.modifiers == KeyModifiers::CONTROL {
            let count = self.take_count();
            (0..count).for_each(|_| composer.edit(Edit::Redo));
            return Pressed::Taken;
        }
        if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) {
            return Pressed::Pass;
        }
        match key.code {
            KeyCode::Esc if !self.begun().is_empty() => {
                self.forget();
                Pressed::Taken
            }
            KeyCode::Char(ch) => self.normal(ch, composer),
            KeyCode::Backspace => self.normal('h', composer),
            _ => {
                self.forget();
                Pressed::Pass
            }
        }
    }

    fn take_count(&mut self) -> usize {
        let operator = self.operator.map_or(1, |(_, count)| count);
        self.count.take().unwrap_or(1).saturating_mul(operator).min(COUNT_MAX)
    }

    fn normal(&mut self, ch: char, composer: &mut Composer) -> Pressed {
        if let Some(waiting) = self.waiting.take() {
            return self.go_on(waiting, ch, composer);
        }
        match ch {
            '1'..='9' => self.digit(ch),
            '0' if self.count.is_some() => self.digit(ch),
            'd' => self.operate(Operator::Delete, composer),
            'c' => self.operate(Operator::Change, composer),
            'y' => self.operate(Operator::Yank, composer),
            'g' => self.waiting = Some(Waiting::Go),
            'f' | 'F' | 't' | 'T' => self.waiting = Find::of(ch).map(Waiting::Find),
            'i' | 'a' if self.operator.is_some() => self.waiting = Some(Waiting::Object(ch == 'a')),
            _ if self.operator.is_some() => self.motion(ch, composer),
            'j' | 'k' => return self.line(ch == 'j', composer),
            // On an empty message these begin something.
            '/' | '!' | '@' | '?' if composer.is_empty() => {
                self.mode = Mode::Insert;
                return Pressed::Write(ch);
            }
            _ if motion::is_motion(ch) => self.motion(ch, composer),
            _ => self.command(ch, composer),
        }
        Pressed::Taken
    }

    fn digit(&mut self, ch: char) {
        let digit = ch.to_digit(10).and_then(|digit| usize::try_from(digit).ok()).unwrap_or(0);
        self.count = Some((self.count.unwrap_or(0) * 10 + digit).min(COUNT_MAX));
    }

    fn operate(&mut self, operator: Operator, composer: &mut Composer) {
        let Some((before, _)) = self.operator else {
            self.operator = Some((operator, self.count.take().unwrap_or(1)));
            return;
        };
        if before != operator {
            return self.forget();
        }
        let text = Text::of(composer);
        let span = text.lines_down(self.take_count() - 1);
        self.apply(operator, span, &text, composer);
    }

    fn go_on(&mut self, waiting: Waiting, ch: char, composer: &mut Composer) -> Pressed {
        let text = Text::of(composer);
        match waiting {
            Waiting::Go if ch == 'g' => self.go_to_line(self.count.unwrap_or(1), &text, composer),
            Waiting::Go => self.forget(),
            Waiting::Find(find) => {
                self.found = Some((find, ch));
                self.find((find, ch), false, &text, composer);
            }
            Waiting::Replace => {
                let count = self.take_count();
                if let Some(to) = text.steps_right(count).filter(|_| !ch.is_control()) {
                    composer.delete_between(text.caret(), to);
                    composer.insert_str(&ch.to_string().repeat(count));
                    let text = Text::of(composer);
                    composer.jump_to(text.left(text.caret()));
                }
                self.forget();
            }
            Waiting::Object(around) => {
                let span = if matches!(ch, 'w' | 'W') { Some(text.word(around, ch == 'W')) } else { None };
                match (span, self.operator) {
                    (Some(span), Some((operator, _))) => self.apply(operator, span, &text, composer),
                    _ => self.forget(),
                }
            }
        }
        Pressed::Taken
    }

    fn go_to_line(&mut self, line: usize, text: &Text, composer: &mut Composer) {
        let row = line.saturating_sub(1).min(text.last_row());
        match self.operator {
            Some((operator, _)) => self.apply(operator, text.lines_between(text.caret().0, row), text, composer),
            None => composer.jump_to((row, text.first_word(row))),
        }
        self.forget();
    }

    fn find(&mut self, (find, ch): (Find, char), again: bool, text: &Text, composer: &mut Composer) {
        let count = self.take_count();
        if let Some(to) = text.find(find, ch, count, again) {
            self.reach(Span::chars(text.caret(), to, find.includes()), text, composer);
        }
        self.forget();
    }

    /// Moves to the end of a span, or does to it what waits for it.
    fn reach(&mut self, span: Span, text: &Text, composer: &mut Composer) {
        match self.operator {
            Some((operator, _)) => self.apply(operator, span, text, composer),
            None => composer.jump_to(text.within(span.target)),
        }
    }

    fn motion(&mut self, ch: char, composer: &mut Composer) {
        let text = Text::of(composer);
        if let (';' | ',', Some((find, wanted))) = (ch, self.found) {
            let find = if ch == ',' { find.turned() } else { find };
            return self.find((find, wanted), true, &text, composer);
        }
        if ch == 'G' {
            let line = self.count.unwrap_or(usize::MAX);
            return self.go_to_line(line, &text, composer);
        }
        // As vi has it: `cw` leaves the blanks behind the word.
        let changes = matches!(self.operator, Some((Operator::Change, _)));
        let ch = match ch {
            'w' if changes => 'e',
            'W' if changes => 'E',
            ch => ch,
        };
        let operates = self.operator.is_some();
        let count = self.take_count();
        if let Some(span) = text.motion(ch, count, operates) {
            self.reach(span, &text, composer);
        }
        self.forget();
    }

    /// `j`, `k` without an operator.
    fn line(&mut self, down: bool, composer: &mut Composer) -> Pressed {
        let (first, last) = composer.at_edges();
        let count = self.take_count();
        self.forget();
        match (down, first, last) {
            (true, _, true) => return Pressed::Below,
            (false, true, _) => return Pressed::Above,
            _ => (0..count).for_each(|_| composer.edit(if down { Edit::Down } else { Edit::Up })),
        }
        let text = Text::of(composer);
        composer.jump_to(text.within(text.caret()));
        Pressed::Taken
    }

    fn command(&mut self, ch: char, composer: &mut Composer) {
        let text = Text::of(composer);
        let (row, _) = text.caret();
        let count = self.take_count();
        self.forget();
        let mut span = |operator: Operator, span: Span, composer: &mut Composer| self.apply(operator, span, &text, composer);
        match ch {
            'x' => return span(Operator::Delete, text.right_span(count), composer),
            's' => return span(Operator::Change, text.right_span(count), composer),
            'X' => return span(Operator::Delete, text.left_span(count), composer),
            'D' => return span(Operator::Delete, text.end_span(), composer),
            'C' => return span(Operator::Change, text.end_span(), composer),
            'S' => return span(Operator::Change, text.lines_down(count - 1), composer),
            'Y' => return span(Operator::Yank, text.lines_down(count - 1), composer),
            _ => {}
        }
        match ch {
            'a' => composer.jump_to(text.right(text.caret())),
            'A' => composer.edit(Edit::LineEnd),
            'I' => composer.jump_to((row, text.first_word(row))),
            'o' => {
                composer.edit(Edit::LineEnd);
                composer.edit(Edit::Newline);
            }
            'O' => {
                composer.jump_to((row, 0));
                composer.edit(Edit::Newline);
                composer.edit(Edit::Up);
            }
            'p' | 'P' => (0..count).for_each(|_| self.put(ch == 'p', composer)),
            'u' => (0..count).for_each(|_| composer.edit(Edit::Undo)),
            'r' => {
                self.waiting = Some(Waiting::Replace);
                self.count = Some(count);
            }
            'J' => {
                composer.edit(Edit::LineEnd);
                composer.edit(Edit::DeleteNext);
                composer.insert(' ');
            }
            _ => {}
        }
        if matches!(ch, 'i' | 'a' | 'I' | 'A' | 'o' | 'O') {
            self.mode = Mode::Insert;
        }
    }

    /// Puts the register behind the caret, or before it.
    fn put(&mut self, behind: bool, composer: &mut Composer) {
        if self.register.is_empty() {
            return;
        }
        let text = Text::of(composer);
        let (row, _) = text.caret();
        if self.linewise {
            if behind {
                composer.edit(Edit::LineEnd);
                composer.insert_str(&format!("\n{}", self.register));
                composer.jump_to((row + 1, 0));
            } else {
                composer.jump_to((row, 0));
                composer.insert_str(&format!("{}\n", self.register));
                composer.jump_to((row, 0));
            }
            return;
        }
        if behind {
            composer.jump_to(text.right(text.caret()));
        }
        composer.insert_str(&self.register);
        let text = Text::of(composer);
        composer.jump_to(text.left(text.caret()));
    }

    fn apply(&mut self, operator: Operator, span: Span, text: &Text, composer: &mut Composer) {
        self.forget();
        let (from, to) = (span.from, span.to);
        self.register = text.between(from, to);
        self.linewise = span.linewise;
        match operator {
            Operator::Yank => composer.jump_to(if span.linewise { text.caret() } else { from }),
            Operator::Delete if span.linewise => {
                let (from, to) = text.whole_lines(from.0, to.0);
                composer.delete_between(from, to);
                let text = Text::of(composer);
                let row = from.0.min(text.last_row());
                composer.jump_to((row, text.first_word(row)));
            }
            Operator::Delete | Operator::Change => {
                composer.delete_between(from, to);
                if operator == Operator::Change {
                    self.mode = Mode::Insert;
                } else {
                    let text = Text::of(composer);
                    composer.jump_to(text.within(text.caret()));
                }
            }
        }
    }
}
