//! Keys in, values out; what is wrong stands beside its field.

use serde_json::{Value, json};

use super::*;
use crate::tui::form::rows::{Of, lay};
use crate::tui::keymap::Chord;
use crate::tui::theme::{IconSet, Theme};

/// A form with a field of each kind.
pub(crate) fn fields() -> Vec<Field> {
    serde_json::from_value(json!([
        {"name": "name", "title": "Your name", "description": "As it stands on the badge", "required": true,
            "type": "text", "min_length": 2, "max_length": 20},
        {"name": "email", "title": "E-mail", "type": "text", "format": "email"},
        {"name": "seats", "title": "Seats", "required": true, "type": "number", "integer": true, "minimum": 1.0, "maximum": 9.0, "default": 2.0},
        {"name": "lunch", "title": "Lunch?", "type": "boolean"},
        {"name": "day", "title": "Day", "required": true, "type": "choice",
            "options": [{"value": "mon", "title": "Monday"}, {"value": "tue", "title": "Tuesday"}], "default": "tue"},
        {"name": "topics", "title": "Topics", "type": "choices", "max": 2,
            "options": [{"value": "a", "title": "Agents"}, {"value": "b", "title": "Browsers"}, {"value": "c", "title": "Cats"}],
            "default": ["a"]},
    ]))
    .unwrap()
}

fn form() -> Form {
    Form::new(fields(), ANSWERS)
}

fn press(form: &mut Form, keys: &[&str]) -> Keyed {
    let mut last = Keyed::NotMine;
    for key in keys {
        last = form.key(&Chord::parse(key).unwrap().event());
    }
    last
}

fn sent(form: &mut Form) -> Value {
    Value::Object(form.values().unwrap())
}

#[test]
fn defaults_are_there_and_what_is_missing_gets_the_keys() {
    let mut form = form();
    assert_eq!(press(&mut form, &["ctrl+enter"]), Keyed::Pressed(Button::Send));
    assert_eq!(form.values(), None);
    assert_eq!((form.place(), form.slots()[0].error.as_deref()), (Place::Field(0), Some("is needed")));
    press(&mut form, &["a", "d", "a"]);
    assert_eq!(form.slots()[0].error, None);
    assert_eq!(sent(&mut form), json!({"name": "ada", "seats": 2, "day": "tue", "topics": ["a"]}));
}

#[test]
fn every_kind_of_field_has_its_keys() {
    let mut form = form();
    press(&mut form, &["a", "d", "a", "tab", "a", "@", "b", "down", "backspace", "5", "enter"]);
    // Lunch: space is yes, space again no.
    press(&mut form, &["space", "space", "y", "tab"]);
    // Day: the pointer alone chooses nothing until space or enter.
    press(&mut form, &["up", "enter"]);
    // Topics: a digit, a pointer and space.
    press(&mut form, &["3", "up", "up", "space"]);
    assert_eq!(sent(&mut form), json!({"name": "ada", "email": "a@b", "seats": 5, "lunch": true, "day": "mon", "topics": ["c"]}));
    assert_eq!(press(&mut form, &["enter"]), Keyed::Pressed(Button::Send));
}

#[test]
fn passing_by_changes_nothing() {
    let mut form = form();
    press(&mut form, &["a", "d", "a"]);
    let before = sent(&mut form);
    press(&mut form, &["down"; 20]);
    assert_eq!(form.place(), Place::Button(0));
    press(&mut form, &["up"; 20]);
    assert_eq!(form.place(), Place::Field(0));
    press(&mut form, &["tab", "tab", "shift+tab"]);
    assert_eq!(sent(&mut form), before);
    press(&mut form, &["tab", "tab", "tab", "tab", "tab", "right", "enter"]);
    assert_eq!(form.place(), Place::Button(1));
}

#[test]
fn what_is_wrong_is_told_when_a_field_is_left_and_goes_with_the_next_key() {
    let mut form = form();
    press(&mut form, &["A", "tab"]);
    assert_eq!(form.slots()[0].error.as_deref(), Some("needs at least 2 characters"));
    press(&mut form, &["x", "tab"]);
    assert_eq!(form.slots()[1].error.as_deref(), Some("must be an e-mail address"));
    press(&mut form, &["ctrl+u", "9", "9", "tab"]);
    assert_eq!(form.slots()[2].error.as_deref(), Some("must be at most 9"));
    press(&mut form, &["tab", "tab", "b", "2", "3", "tab"]);
    assert_eq!(form.slots()[5].error.as_deref(), Some("takes at most 2"));
    press(&mut form, &["shift+tab", "3"]);
    assert_eq!(form.slots()[5].error, None);
}

#[test]
fn buttons_decline_and_cancel() {
    let mut asked = form();
    assert_eq!(press(&mut asked, &["alt+d"]), Keyed::Pressed(Button::Decline));
    assert_eq!(press(&mut asked, &["shift+tab", "enter"]), Keyed::Pressed(Button::Cancel));
    assert_eq!(press(&mut asked, &["left", "enter"]), Keyed::Pressed(Button::Decline));
    let mut own = Form::new(fields(), OWN);
    assert_eq!(press(&mut own, &["alt+d"]), Keyed::NotMine);
}

#[test]
fn suggestions_are_taken_with_arrows() {
    let mut form = form();
    press(&mut form, &["A"]);
    form.suggest(vec!["Ada".into(), "Alan".into()]);
    press(&mut form, &["down", "down", "enter"]);
    assert_eq!(form.typed(), Some(("name", "Alan")));
    form.suggest(vec!["Alan Turing".into()]);
    press(&mut form, &["tab"]);
    assert_eq!(form.place(), Place::Field(1));
    assert_eq!(form.others().collect::<Vec<_>>(), [("name", "Alan"), ("seats", "2")]);
}

#[test]
fn rows_belong_to_what_they_show_and_the_caret_stands_in_its_field() {
    let mut form = form();
    press(&mut form, &["a", "d", "a"]);
    for icons in [IconSet::Unicode, IconSet::Ascii] {
        let theme = Theme::plain(icons);
        let laid = lay(&form, 40, &theme);
        let text: Vec<String> = laid.rows.iter().map(|(_, row)| row.iter().map(|(_, text)| text.as_str()).collect()).collect();
        let (row, column) = laid.caret.unwrap();
        assert_eq!(
            (laid.rows[row].0, text[row].as_str(), column),
            (Of::Field(0), if icons == IconSet::Unicode { "│ ada" } else { "| ada" }, 5)
        );
        let browsers = text.iter().position(|line| line.contains("Browsers")).unwrap();
        assert_eq!(laid.rows[browsers].0, Of::Option(5, 1));
    }
}
