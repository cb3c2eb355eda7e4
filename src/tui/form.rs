//! A form: fields one below the other, buttons below them. Plain data; keys change it, [`rows`] lays it out.
//!
//! Servers' questions, prompts that lack arguments and templates of resources are filled in on it.

mod line;
pub mod rows;
#[cfg(test)]
mod tests;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Map, Value, json};

use crate::domain::question::{Choice, Field, FieldKind};

pub use line::LineInput;
#[cfg(test)]
pub(crate) use tests::fields as fields_of_each_kind;

/// Suggestions for a value that are shown.
pub const SUGGESTIONS_MAX: usize = 5;

/// What a field holds while it is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Text, or a number as it was typed.
    Line(LineInput),
    /// Yes, no, or neither yet.
    Toggle(Option<bool>),
    /// One of the options.
    One {
        /// Where the pointer is.
        at: usize,
        /// Whether it was moved there.
        moved: bool,
        /// The chosen one.
        chosen: Option<usize>,
    },
    /// Some of the options.
    Some {
        /// Where the pointer is.
        at: usize,
        /// Which are chosen.
        chosen: Vec<bool>,
    },
}

/// A field and what is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// What may be in it.
    pub field: Field,
    /// What is in it.
    pub held: Held,
    /// What is wrong with it.
    pub error: Option<String>,
    /// What it could hold, where somebody was asked for that.
    pub suggestions: Vec<String>,
    /// The chosen suggestion.
    pub suggested: Option<usize>,
}

/// What ends a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Button {
    /// Send it.
    Send,
    /// Say no.
    Decline,
    /// Close it.
    Cancel,
}

/// Where the keys go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// To a field.
    Field(usize),
    /// To a button.
    Button(usize),
}

/// A form.
#[derive(Debug, Clone, PartialEq)]
pub struct Form {
    slots: Vec<Slot>,
    buttons: &'static [Button],
    place: Place,
    /// Whether anything was changed.
    pub touched: bool,
}

/// What a key did to a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyed {
    /// It was no key of the form.
    NotMine,
    /// It moved or changed something.
    Moved,
    /// A button was pressed.
    Pressed(Button),
}

/// Buttons of a question.
pub const ANSWERS: &[Button] = &[Button::Send, Button::Decline, Button::Cancel];

/// Buttons of a form that nobody waits for.
pub const OWN: &[Button] = &[Button::Send, Button::Cancel];

impl Form {
    /// A form with its defaults filled in.
    pub fn new(fields: Vec<Field>, buttons: &'static [Button]) -> Self {
        let slot = |field: Field| Slot { held: held(&field), field, error: None, suggestions: Vec::new(), suggested: None };
        let slots: Vec<Slot> = fields.into_iter().map(slot).collect();
        let place = if slots.is_empty() { Place::Button(0) } else { Place::Field(0) };
        Self { slots, buttons, place, touched: false }
    }

    /// The fields.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The buttons.
    pub fn buttons(&self) -> &'static [Button] {
        self.buttons
    }

    /// Where the keys go.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The field that has the keys.
    pub fn current(&self) -> Option<&Slot> {
        match self.place {
            Place::Field(at) => self.slots.get(at),
            Place::Button(_) => None,
        }
    }

    fn current_mut(&mut self) -> Option<&mut Slot> {
        match self.place {
            Place::Field(at) => self.slots.get_mut(at),
            Place::Button(_) => None,
        }
    }

    /// Puts `text` into a field of text, as if it had been typed.
    pub fn fill(&mut self, name: &str, text: &str) {
        for slot in self.slots.iter_mut().filter(|slot| slot.field.name == name) {
            if let Held::Line(line) = &mut slot.held {
                line.set(text);
            }
        }
    }

    /// Goes to the first field that is needed and empty, else to the first.
    pub fn go_to_missing(&mut self) {
        let missing = self.slots.iter().position(|slot| slot.value().is_err());
        if let Some(at) = missing {
            self.place = Place::Field(at);
        }
    }

    /// The text that is typed in the present field: its name, the text.
    pub fn typed(&self) -> Option<(&str, &str)> {
        let slot = self.current()?;
        match &slot.held {
            Held::Line(line) => Some((&slot.field.name, line.text())),
            _ => None,
        }
    }

    /// Texts of all other fields that hold one.
    pub fn others(&self) -> impl Iterator<Item = (&str, &str)> {
        let here = self.current().map(|slot| slot.field.name.as_str());
        self.slots.iter().filter(move |slot| Some(slot.field.name.as_str()) != here).filter_map(|slot| match &slot.held {
            Held::Line(line) if !line.text().is_empty() => Some((slot.field.name.as_str(), line.text())),
            _ => None,
        })
    }

    /// What the present field could hold.
    pub fn suggest(&mut self, values: Vec<String>) {
        if let Some(slot) = self.current_mut() {
            slot.suggestions = values;
            slot.suggested = None;
        }
    }

    /// The values of all fields that hold one; nothing where one may not be sent: what is wrong stands beside each such
    /// field then, and the first has the keys.
    pub fn values(&mut self) -> Option<Map<String, Value>> {
        let mut values = Map::new();
        let mut wrong = None;
        for (at, slot) in self.slots.iter_mut().enumerate() {
            match slot.value() {
                Ok(value) => {
                    slot.error = None;
                    values.extend(value.map(|value| (slot.field.name.clone(), value)));
                }
                Err(reason) => {
                    slot.error = Some(reason);
                    wrong.get_or_insert(at);
                }
            }
        }
        match wrong {
            Some(at) => {
                self.place = Place::Field(at);
                None
            }
            None => Some(values),
        }
    }

    /// Gives the keys to `place`.
    pub fn go(&mut self, place: Place) {
        self.leave();
        self.place = place;
    }

    /// What is wrong with a field is told when it is left with something in it.
    fn leave(&mut self) {
        if let Some(slot) = self.current_mut() {
            slot.suggestions.clear();
            slot.suggested = None;
            if slot.is_empty() {
                slot.error = None;
            } else {
                slot.error = slot.value().err();
            }
            if let Held::One { moved, .. } = &mut slot.held {
                *moved = false;
            }
        }
    }

    /// The next (or previous) place; `false` where there is none.
    fn step(&mut self, forward: bool) -> bool {
        let (fields, buttons) = (self.slots.len(), self.buttons.len());
        let at = match self.place {
            Place::Field(at) => at,
            Place::Button(at) => fields + at,
        };
        let next = if forward { at + 1 } else { at.wrapping_sub(1) };
        if next >= fields + buttons {
            return false;
        }
        self.go(if next < fields { Place::Field(next) } else { Place::Button(next - fields) });
        true
    }

    /// From the last place on to the first, and back.
    fn cycle(&mut self, forward: bool) {
        if self.step(forward) {
            return;
        }
        let first = if self.slots.is_empty() { Place::Button(0) } else { Place::Field(0) };
        self.go(if forward { first } else { Place::Button(self.buttons.len().saturating_sub(1)) });
    }

    /// Takes a key. Esc is its owner's.
    pub fn key(&mut self, key: &KeyEvent) -> Keyed {
        let shift = key.modifiers.contains(KeyModifiers::SHIFT);
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Enter if control => return Keyed::Pressed(Button::Send),
            KeyCode::Char('d') if key.modifiers == KeyModifiers::ALT && self.buttons.contains(&Button::Decline) => {
                return Keyed::Pressed(Button::Decline);
            }
            KeyCode::BackTab => self.cycle(false),
            KeyCode::Tab if shift => self.cycle(false),
            KeyCode::Tab => self.tab(),
            KeyCode::Up => self.vertical(false),
            KeyCode::Down => self.vertical(true),
            KeyCode::Enter => return self.enter(),
            _ => return self.inside(key),
        }
        Keyed::Moved
    }

    /// Takes a suggestion, else goes on.
    fn tab(&mut self) {
        if !self.take_suggestion() {
            self.cycle(true);
        }
    }

    fn take_suggestion(&mut self) -> bool {
        let Some(slot) = self.current_mut() else { return false };
        let chosen = slot.suggested.and_then(|at| slot.suggestions.get(at).cloned());
        if let (Some(value), Held::Line(line)) = (chosen, &mut slot.held) {
            line.set(&value);
            slot.suggestions.clear();
            slot.suggested = None;
            self.touched = true;
            return true;
        }
        false
    }

    fn vertical(&mut self, forward: bool) {
        if let Some(slot) = self.current_mut()
            && slot.vertical(forward)
        {
            return;
        }
        match self.place {
            // Buttons stand side by side.
            Place::Button(_) if forward => {}
            Place::Button(_) => {
                if let Some(last) = self.slots.len().checked_sub(1) {
                    self.go(Place::Field(last));
                }
            }
            Place::Field(_) => {
                self.step(forward);
            }
        }
    }

    fn enter(&mut self) -> Keyed {
        if self.take_suggestion() {
            return Keyed::Moved;
        }
        match self.place {
            Place::Button(at) => self.buttons.get(at).map_or(Keyed::Moved, |button| Keyed::Pressed(*button)),
            Place::Field(at) => {
                if let Some(Slot { held: Held::One { at, moved: true, chosen }, .. }) = self.current_mut() {
                    *chosen = Some(*at);
                    self.touched = true;
                }
                if at + 1 == self.slots.len() {
                    return Keyed::Pressed(Button::Send);
                }
                self.step(true);
                Keyed::Moved
            }
        }
    }

    fn inside(&mut self, key: &KeyEvent) -> Keyed {
        if let Place::Button(at) = self.place {
            let last = self.buttons.len().saturating_sub(1);
            match key.code {
                KeyCode::Left => self.place = Place::Button(at.saturating_sub(1)),
                KeyCode::Right => self.place = Place::Button((at + 1).min(last)),
                KeyCode::Char(' ') => return self.enter(),
                // A letter that presses no button is no text either.
                KeyCode::Char(_) if !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => {}
                _ => return Keyed::NotMine,
            }
            return Keyed::Moved;
        }
        let Some(slot) = self.current_mut() else { return Keyed::NotMine };
        if slot.key(key) {
            self.touched = true;
            return Keyed::Moved;
        }
        Keyed::NotMine
    }

    /// Takes a paste.
    pub fn paste(&mut self, text: &str) {
        if let Some(slot) = self.current_mut()
            && let Held::Line(line) = &mut slot.held
        {
            line.insert(text);
            slot.error = None;
            self.touched = true;
        }
    }

    /// Takes a click on an option of a field, or on the field itself.
    pub fn click(&mut self, field: usize, option: Option<usize>) {
        if self.place != Place::Field(field) {
            self.go(Place::Field(field));
        }
        let Some(slot) = self.slots.get_mut(field) else { return };
        let Some(option) = option else { return };
        slot.choose(option);
        self.touched = true;
    }
}

fn held(field: &Field) -> Held {
    match &field.kind {
        FieldKind::Text { default, .. } => Held::Line(LineInput::new(default.as_deref().unwrap_or_default())),
        FieldKind::Number { .. } => Held::Line(LineInput::new(&field.default_value().map(|value| value.to_string()).unwrap_or_default())),
        FieldKind::Boolean { default } => Held::Toggle(*default),
        FieldKind::Choice { options, default } => {
            let chosen = default.as_ref().and_then(|default| options.iter().position(|option| option.value == *default));
            Held::One { at: chosen.unwrap_or(0), moved: false, chosen }
        }
        FieldKind::Choices { options, default, .. } => {
            Held::Some { at: 0, chosen: options.iter().map(|option| default.contains(&option.value)).collect() }
        }
    }
}

impl Slot {
    /// The options of a choice.
    pub fn options(&self) -> &[Choice] {
        match &self.field.kind {
            FieldKind::Choice { options, .. } | FieldKind::Choices { options, .. } => options,
            _ => &[],
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        match &self.held {
            Held::Line(line) => line.text().trim().is_empty(),
            Held::Toggle(is) => is.is_none(),
            Held::One { chosen, .. } => chosen.is_none(),
            Held::Some { chosen, .. } => chosen.iter().all(|is| !is),
        }
    }

    /// What would be sent.
    fn value(&self) -> Result<Option<Value>, String> {
        let value = match &self.held {
            Held::Line(line) => return self.field.parse(line.text()),
            Held::Toggle(is) => is.map(|is| json!(is)),
            Held::One { chosen, .. } => chosen.and_then(|at| self.options().get(at)).map(|option| json!(option.value)),
            Held::Some { chosen, .. } => {
                let values: Vec<&str> =
                    self.options().iter().zip(chosen).filter(|(_, is)| **is).map(|(option, _)| option.value.as_str()).collect();
                (!values.is_empty() || self.field.required).then(|| json!(values))
            }
        };
        self.field.check(value.as_ref())?;
        Ok(value)
    }

    /// Up and down inside of the field; `false` at its edge.
    fn vertical(&mut self, forward: bool) -> bool {
        let moved = |at: usize, count: usize| if forward { Some(at + 1).filter(|next| *next < count) } else { at.checked_sub(1) };
        let options = self.options().len();
        match &mut self.held {
            Held::Line(_) => {
                let count = self.suggestions.len().min(SUGGESTIONS_MAX);
                match (self.suggested, forward) {
                    (None, true) if count > 0 => self.suggested = Some(0),
                    (Some(0), false) => self.suggested = None,
                    (Some(at), _) if count > 0 => self.suggested = Some(moved(at, count).unwrap_or(at)),
                    _ => return false,
                }
                true
            }
            Held::Toggle(_) => false,
            Held::One { at, moved: was_moved, .. } => moved(*at, options).is_some_and(|next| {
                *at = next;
                *was_moved = true;
                true
            }),
            Held::Some { at, .. } => moved(*at, options).is_some_and(|next| {
                *at = next;
                true
            }),
        }
    }

    fn choose(&mut self, option: usize) {
        self.error = None;
        match &mut self.held {
            Held::Line(line) => {
                if let Some(value) = self.suggestions.get(option) {
                    line.set(value);
                    self.suggestions.clear();
                    self.suggested = None;
                }
            }
            Held::Toggle(is) => *is = Some(option == 0),
            Held::One { at, chosen, .. } => (*at, *chosen) = (option, Some(option)),
            Held::Some { at, chosen } => {
                *at = option;
                if let Some(is) = chosen.get_mut(option) {
                    *is = !*is;
                }
            }
        }
    }

    /// A key inside of the field; whether it changed it.
    fn key(&mut self, key: &KeyEvent) -> bool {
        let required = self.field.required;
        let options = self.options().len();
        let plain = !key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT);
        let digit = match key.code {
            KeyCode::Char(ch) if plain => ch.to_digit(10).and_then(|digit| usize::try_from(digit).ok()?.checked_sub(1)),
            _ => None,
        };
        let done = match &mut self.held {
            Held::Line(line) => line.key(key),
            Held::Toggle(is) => match key.code {
                KeyCode::Char(' ') | KeyCode::Left | KeyCode::Right if plain => {
                    *is = Some(!is.unwrap_or(false));
                    true
                }
                KeyCode::Char('y' | 'Y') if plain => {
                    *is = Some(true);
                    true
                }
                KeyCode::Char('n' | 'N') if plain => {
                    *is = Some(false);
                    true
                }
                KeyCode::Backspace | KeyCode::Delete if !required => {
                    *is = None;
                    true
                }
                // A letter that means nothing here is no text for somebody else.
                KeyCode::Char(_) => plain,
                _ => false,
            },
            Held::One { at, chosen, .. } => match (key.code, digit) {
                (_, Some(digit)) if digit < options => {
                    (*at, *chosen) = (digit, Some(digit));
                    true
                }
                (KeyCode::Char(' '), _) => {
                    *chosen = Some(*at);
                    true
                }
                (KeyCode::Backspace | KeyCode::Delete, _) if !required => {
                    *chosen = None;
                    true
                }
                (KeyCode::Char(_), _) => plain,
                _ => false,
            },
            Held::Some { at, chosen } => {
                let which = if key.code == KeyCode::Char(' ') { Some(*at) } else { digit };
                match which.and_then(|which| chosen.get_mut(which).map(|is| (which, is))) {
                    Some((which, is)) => {
                        *is = !*is;
                        *at = which;
                        true
                    }
                    None => matches!(key.code, KeyCode::Char(_)) && plain,
                }
            }
        };
        if done {
            self.error = None;
        }
        done
    }
}
