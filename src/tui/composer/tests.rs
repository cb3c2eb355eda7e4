//! The message: clusters, chips, caret, history.

use super::*;

fn composer(text: &str) -> Composer {
    let mut composer = Composer::new(3, 40);
    composer.set(text);
    composer
}

#[test]
fn deleting_takes_whole_clusters() {
    let check = |text: &str, rest: &str| {
        let mut composer = composer(text);
        composer.edit(Edit::DeleteBack);
        assert_eq!(composer.raw(), rest, "{text:?}");
    };
    check("ab", "a");
    check("a👩‍👩‍👧", "a");
    check("ae\u{301}", "a");
    check("中文", "中");
    check("🇩🇪🇫🇷", "🇩🇪");
    check("", "");
    let mut at_start = composer("e\u{301}x");
    at_start.edit(Edit::LineStart);
    at_start.edit(Edit::DeleteNext);
    assert_eq!(at_start.raw(), "x");
}

#[test]
fn the_caret_steps_over_whole_clusters() {
    let mut composer = composer("a👩‍👩‍👧b");
    composer.edit(Edit::Left);
    composer.edit(Edit::Left);
    composer.insert('|');
    assert_eq!(composer.raw(), "a|👩‍👩‍👧b");
    composer.edit(Edit::Right);
    composer.insert('|');
    assert_eq!(composer.raw(), "a|👩‍👩‍👧|b");
}

#[test]
fn the_caret_stands_on_its_cell() {
    let check = |text: &str, x: u16, y: u16| {
        let area = Rect::new(2, 1, 10, 4);
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 6));
        assert_eq!(composer(text).render(area, Style::new(), &mut buf), Some(Position::new(x, y)), "{text:?}");
    };
    check("", 2, 1);
    check("ab", 4, 1);
    check("中文", 6, 1);
    check("👩‍👩‍👧", 4, 1);
    check("ab\nc", 3, 2);
    check("hello wonderful", 11, 2);
}

#[test]
fn a_large_paste_is_one_chip_until_it_is_sent() {
    let mut composer = composer("see ");
    let text = "1\n2\n3\n4\n5";
    assert!(composer.paste(text));
    assert_eq!(composer.raw(), "see [pasted 5 lines]");
    composer.insert('!');
    assert_eq!(composer.text(), format!("see {text}!"));
    assert!(composer.paste(text));
    assert_eq!(composer.raw(), "see [pasted 5 lines]![pasted 5 lines #2]");
    composer.edit(Edit::DeleteBack);
    assert_eq!(composer.raw(), "see [pasted 5 lines]!");
    assert_eq!(composer.take(), format!("see {text}!"));
    assert!(composer.is_empty());
    assert!(composer.paste(&"x".repeat(41)));
    assert_eq!(composer.raw(), "[pasted 41 characters]");
    assert!(!composer.paste(&"x".repeat(PASTE_BYTES_MAX + 1)));
}

#[test]
fn a_paste_cannot_control_the_terminal() {
    let mut composer = composer("");
    composer.paste("a\x1b[31mb\r\nc\x07");
    assert_eq!(composer.raw(), "ab\nc");
}

#[test]
fn tokens_are_found_at_the_caret() {
    let check = |text: &str, token: Option<Token>| assert_eq!(composer(text).token(), token, "{text:?}");
    check("/he", Some(Token::Slash("he".into())));
    check("/", Some(Token::Slash(String::new())));
    check("/usr/bin", None);
    check("/mcp to", Some(Token::Argument("mcp".into(), vec![], "to".into())));
    check("/notify test s", Some(Token::Argument("notify".into(), vec!["test".into()], "s".into())));
    check("/notify test ", Some(Token::Argument("notify".into(), vec!["test".into()], String::new())));
    check("read @src/ma", Some(Token::File("src/ma".into())));
    check("mail a@b", None);
    check("plain", None);
    let mut composer = composer("read @ma now");
    for _ in 0..4 {
        composer.edit(Edit::Left);
    }
    composer.replace_word("@src/main.rs", false);
    assert_eq!(composer.raw(), "read @src/main.rs  now");
}

#[test]
fn a_backslash_at_the_end_means_newline() {
    let mut with = composer("a\\");
    assert!(with.take_backslash());
    assert_eq!(with.raw(), "a");
    assert!(!composer("a").take_backslash());
}

#[test]
fn history_goes_both_ways_and_keeps_the_draft() {
    let mut history = History::new(3);
    history.load(vec!["one".into(), "two".into()]);
    assert!(history.push("three"));
    assert!(!history.push("three"));
    assert_eq!(history.prev("draft").as_deref(), Some("three"));
    assert_eq!(history.prev("").as_deref(), Some("two"));
    assert_eq!(history.next().as_deref(), Some("three"));
    assert_eq!(history.next().as_deref(), Some("draft"));
    assert_eq!(history.next(), None);
    assert!(history.push("four"));
    assert_eq!(history.entries(), ["two", "three", "four"]);
}

#[test]
fn history_files_survive_odd_lines() {
    let file = format!("{}not json\n{}", history::line("a\nb \"c\""), history::line("中"));
    assert_eq!(history::parse(&file, 10), ["a\nb \"c\"", "中"]);
    assert_eq!(history::parse(&file, 1), ["中"]);
}
