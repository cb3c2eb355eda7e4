//! Meanings of code in a few languages, and the bounds.

use std::sync::mpsc;
use std::time::Duration;

use super::*;

fn meanings(language: &str, line: &str) -> Vec<(Key, String)> {
    let highlighter = Highlighter::ready();
    let mut at = 0;
    let pieces = Code::new(&highlighter, language).line(&highlighter, line);
    pieces
        .into_iter()
        .map(|(key, length)| {
            let text = line[at..at + length].to_owned();
            at += length;
            (key, text)
        })
        .collect()
}

fn has(language: &str, line: &str, key: Key, text: &str) {
    let found = meanings(language, line);
    assert!(found.iter().any(|(found, piece)| *found == key && piece.trim() == text), "{language}: {found:?}");
    assert_eq!(found.iter().map(|(_, text)| text.as_str()).collect::<String>(), line);
}

#[test]
fn code_has_meanings() {
    has("rust", "fn main() {}", Key::SyntaxFunction, "main");
    has("rs", "let x = 1; // note", Key::SyntaxComment, "// note");
    has("python3", "x = \"hi\"", Key::SyntaxString, "\"hi\"");
    has("json", "{\"a\": 12}", Key::SyntaxProperty, "\"a\"");
    has("json", "{\"a\": 12}", Key::SyntaxNumber, "12");
    has("shell", "echo hi # x", Key::SyntaxComment, "# x");
    has("diff", "+new", Key::DiffAdd, "+new");
    has("patch", "-old", Key::DiffRemove, "-old");
    has("no-such-language", "whatever", Key::MdCodeBlock, "whatever");
}

#[test]
fn long_lines_and_long_blocks_stay_plain() {
    let highlighter = Highlighter::ready();
    let mut code = Code::new(&highlighter, "rust");
    let long = format!("let x = \"{}\";", "A".repeat(5_000));
    assert_eq!(code.line(&highlighter, &long), vec![(Key::MdCodeBlock, long.len())]);
    for _ in 0..BLOCK_LINES_MAX {
        code.lines += 1;
    }
    assert_eq!(code.line(&highlighter, "let x = 1;"), vec![(Key::MdCodeBlock, 10)]);
}

#[test]
fn grammars_are_loaded_when_the_first_block_asks() {
    let (tell, told) = mpsc::channel();
    let highlighter = Highlighter::lazy(move || tell.send(()).unwrap());
    drop(Code::new(&highlighter, "text"));
    assert!(!highlighter.0.asked.load(Ordering::Relaxed), "plain text needs no grammar");
    let first = Code::new(&highlighter, "rust").line(&highlighter, "fn f() {}");
    assert_eq!(first.iter().map(|(_, length)| length).sum::<usize>(), 9);
    told.recv_timeout(Duration::from_mins(1)).unwrap();
    assert_eq!(highlighter.generation(), 1);
    assert!(Code::new(&highlighter, "rust").line(&highlighter, "fn f() {}").len() > 1);
    assert_eq!(Highlighter::off().generation(), 0);
}
