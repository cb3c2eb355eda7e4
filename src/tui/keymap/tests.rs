//! The table of keys: no conflicts, overrides, errors.

use super::*;

fn overrides(rows: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    rows.iter().map(|(name, keys)| ((*name).to_owned(), keys.iter().map(|key| (*key).to_owned()).collect())).collect()
}

#[test]
fn the_table_has_no_conflicts_and_each_key_finds_its_row() {
    let keymap = Keymap::new(&BTreeMap::new()).unwrap();
    for row in KEYS {
        for key in row.keys {
            let chord = Chord::parse(key).unwrap();
            assert_eq!(keymap.action(row.context, &chord.event()), Some(row.action), "{key}");
            assert_eq!(Chord::parse(&chord.to_string()).unwrap(), chord, "{key}");
        }
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<_> = KEYS.iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), KEYS.len());
}

#[test]
fn overrides_replace_the_default_keys() {
    let keymap = Keymap::new(&overrides(&[("events", &["alt+x"])])).unwrap();
    assert_eq!(keymap.hint(Action::CycleEvents), "alt+x");
    assert_eq!(keymap.action(Context::Composer, &Chord::parse("ctrl+e").unwrap().event()), None);
}

#[test]
fn what_does_not_fit_is_an_error_that_says_why() {
    let check = |rows: &[(&str, &[&str])], part: &str| {
        let error = Keymap::new(&overrides(rows)).unwrap_err();
        assert!(error.contains(part), "{error}");
    };
    check(&[("palette", &["ctrl+e"])], "`ctrl+e` would mean both `events` and `palette`");
    check(&[("chat_copy", &["ctrl+e"])], "would mean both");
    check(&[("evnts", &["x"])], "did you mean `events`?");
    check(&[("events", &["hyper+x"])], "unknown modifier `hyper`");
    check(&[("events", &["ctrl+banana"])], "unknown key `ctrl+banana`");
}

#[test]
fn one_key_may_mean_different_things_in_different_places() {
    let keymap = Keymap::new(&BTreeMap::new()).unwrap();
    let enter = Chord::parse("enter").unwrap().event();
    assert_eq!(keymap.action(Context::Composer, &enter), Some(Action::Send));
    assert_eq!(keymap.action(Context::Chat, &enter), Some(Action::ChatOpen));
}
