//! Modal editing: each case is a text with the caret as `|`, keys, and what comes out.

use super::*;
use crate::tui::keymap::Chord;

/// Types `keys` in normal mode; `<esc>` and `<c-r>` are named.
fn run(text: &str, keys: &str) -> (Composer, Vi) {
    let (before, behind) = text.split_once('|').unwrap();
    let mut composer = Composer::new(100, 10_000);
    composer.set(&format!("{before}{behind}"));
    let row = before.matches('\n').count();
    composer.jump_to((row, before.rsplit('\n').next().unwrap().chars().count()));
    let mut vi = Vi { mode: Mode::Normal, ..Vi::default() };
    let mut rest = keys;
    while let Some(ch) = rest.chars().next() {
        let (event, length) = if rest.starts_with("<esc>") {
            (Chord::parse("esc").unwrap().event(), 5)
        } else if rest.starts_with("<c-r>") {
            (Chord::parse("ctrl+r").unwrap().event(), 5)
        } else {
            (KeyEvent::new(KeyCode::Char(ch), KeyModifiers::NONE), ch.len_utf8())
        };
        rest = &rest[length..];
        match vi.press(&event, &mut composer) {
            Pressed::Pass if vi.mode() == Mode::Insert => composer.insert(ch),
            Pressed::Write(ch) => composer.insert(ch),
            _ => {}
        }
    }
    (composer, vi)
}

fn check(text: &str, keys: &str, expected: &str) {
    let (composer, _) = run(text, keys);
    let (row, col) = composer.caret();
    let mut lines: Vec<String> = composer.raw().split('\n').map(str::to_owned).collect();
    let at = lines[row].char_indices().nth(col).map_or(lines[row].len(), |(at, _)| at);
    lines[row].insert(at, '|');
    assert_eq!(lines.join("\n"), expected, "{text:?} {keys}");
}

#[test]
fn motions() {
    check("|one two", "l", "o|ne two");
    check("one| two", "h", "on|e two");
    check("|one two.three", "w", "one |two.three");
    check("|one two.three", "2w", "one two|.three");
    check("|one two.three x", "2W", "one two.three |x");
    check("one two|", "b", "one |two");
    check("|one two", "e", "on|e two");
    check("|one two", "2e", "one tw|o");
    check("  one t|wo", "0", "|  one two");
    check("  one t|wo", "^", "  |one two");
    check("|one two", "$", "one tw|o");
    check("a\nb\n|c", "gg", "|a\nb\nc");
    check("|a\nb\nc", "G", "a\nb\n|c");
    check("|a\nb\nc", "2G", "a\n|b\nc");
    check("|a\nb\nc", "j", "a\n|b\nc");
    check("a\nb\n|c", "2k", "|a\nb\nc");
    check("|a.b.c", "f.", "a|.b.c");
    check("|a.b.c", "f.;", "a.b|.c");
    check("|a.b.c", "f.;,", "a|.b.c");
    check("|a.b.c", "2t.", "a.|b.c");
    check("a.b.|c", "F.", "a.b|.c");
    check("a.b.|c", "fz", "a.b.|c");
    check("|one\n\ntwo", "w", "one\n|\ntwo");
    check("|中文 字", "w", "中文 |字");
    check("|e\u{301}a", "l", "e\u{301}|a");
}

#[test]
fn operators() {
    check("|one two three", "dw", "|two three");
    check("|one two three", "2dw", "|three");
    check("|one two three", "d2w", "|three");
    check("one |two three", "dw", "one |three");
    check("one |two", "dw", "one| ");
    check("one |two\nthree", "dw", "one| \nthree");
    check("|one two", "de", "| two");
    check("one two|", "db", "one| ");
    check("one |two", "d$", "one| ");
    check("one |two", "D", "one| ");
    check("one |two", "d0", "|two");
    check("|a.b", "df.", "|b");
    check("|a.b", "dt.", "|.b");
    check("a\n|b\nc", "dd", "a\n|c");
    check("a\nb\n|c", "dd", "a\n|b");
    check("|a", "dd", "|");
    check("|a\nb\nc", "2dd", "|c");
    check("|a\nb\nc", "dj", "|c");
    check("a\nb\n|c", "dgg", "|");
    check("one t|wo three", "diw", "one | three");
    check("one t|wo three", "daw", "one |three");
    check("one t|wo", "daw", "on|e");
    check("|abc", "x", "|bc");
    check("|abc", "2x", "|c");
    check("ab|c", "x", "a|b");
    check("ab|c", "X", "a|c");
    check("|e\u{301}a", "x", "|a");
    check("|abc", "rx", "|xbc");
    check("|abc", "2rx", "x|xc");
    check("|abc", "9rx", "|abc");
    check("|a\nb", "J", "a |b");
}

#[test]
fn changes_go_on_writing() {
    check("|one two", "cwxyz<esc>", "xy|z two");
    check("|one two", "ciwx<esc>", "|x two");
    check("a\n|b c\nd", "ccx<esc>", "a\n|x\nd");
    check("one |two", "Cx<esc>", "one |x");
    check("|abc", "sx<esc>", "|xbc");
    check("  a|b", "Sx<esc>", "|x");
    check("|ab", "ax<esc>", "a|xb");
    check("|ab", "Ax<esc>", "ab|x");
    check("  a|b", "Ix<esc>", "  |xab");
    check("a|b", "ix<esc>", "a|xb");
    check("|a\nb", "ox<esc>", "a\n|x\nb");
    check("a\n|b", "Ox<esc>", "a\n|x\nb");
}

#[test]
fn what_was_taken_can_be_put_and_undone() {
    check("|one two", "dwP", "one| two");
    check("|one two", "dwp", "tone| wo");
    check("|a\nb", "yyp", "a\n|a\nb");
    check("|a\nb", "yyjP", "a\n|a\nb");
    check("|a\nb", "ddp", "b\n|a");
    check("|one two", "ywwP", "one one| two");
    check("|ab", "x2p", "ba|a");
    let (composer, _) = run("|one two", "dwu");
    assert_eq!(composer.raw(), "one two");
    let (composer, _) = run("|one two", "dwu<c-r>");
    assert_eq!(composer.raw(), "two");
}

#[test]
fn what_is_begun_can_be_seen_and_given_up() {
    let (_, vi) = run("|abc", "2d3");
    assert_eq!(vi.begun(), "2d3");
    let (composer, vi) = run("|abc def", "2d<esc>x");
    assert_eq!((composer.raw().as_str(), vi.begun().as_str()), ("bc def", ""));
    check("|abc def", "dyw", "abc |def");
    let (_, vi) = run("|abc", "f");
    assert_eq!(vi.begun(), "f");
}

#[test]
fn the_first_keys_of_an_empty_message_write_and_edges_lead_to_the_history() {
    let (composer, vi) = run("|", "/help");
    assert_eq!((composer.raw().as_str(), vi.mode()), ("/help", Mode::Insert));
    let mut composer = Composer::new(10, 100);
    composer.set("a");
    let mut vi = Vi { mode: Mode::Normal, ..Vi::default() };
    let mut press = |ch| vi.press(&KeyEvent::new(KeyCode::Char(ch), KeyModifiers::NONE), &mut composer);
    assert_eq!((press('k'), press('j')), (Pressed::Above, Pressed::Below));
    let enter = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
    assert_eq!(vi.press(&enter, &mut composer), Pressed::Pass);
}

#[test]
fn no_keys_break_it() {
    // Every pair and triple of keys on texts of every shape: the caret stays in the text.
    let keys: Vec<char> = "hjklwbeWBE0^$GgfFtT;,dcyxXDCSsrpPuiaIAoOJ2".chars().collect();
    for text in ["|", "a|", "|a b\n\n 中", "x\n|", " |\t.", "e\u{301}|"] {
        for one in &keys {
            for two in &keys {
                for three in ['w', 'd', '$', 'j', 'x', 'p'] {
                    let (composer, _) = run(text, &format!("{one}{two}{three}"));
                    let (row, col) = composer.caret();
                    let raw = composer.raw();
                    let line = raw.split('\n').nth(row).unwrap();
                    assert!(col <= line.chars().count(), "{text:?} {one}{two}{three}");
                }
            }
        }
    }
}
