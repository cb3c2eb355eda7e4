//! Text from outside, made harmless, and text cut to size.
//!
//! Models, servers and pages are strangers. Whatever they send passes through [`clean`] or [`clean_line`] before it
//! reaches a terminal: no control byte, no escape sequence, no bidirectional override survives.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;

/// Whether `ch` may never reach a terminal: C0 and C1 controls, DEL, bidirectional overrides and isolates
/// (Unicode TR9, "Trojan Source"), line and paragraph separators, interlinear and tag characters, BOM, and the
/// placeholder of kitty's graphics, behind which a terminal draws pictures.
/// Zero-width joiners stay: emoji and several scripts need them.
fn is_hostile(ch: char) -> bool {
    matches!(ch,
        '\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' | '\u{10eeee}')
}

/// Removes escape sequences and hostile characters; keeps line breaks and tabs. `\r\n` and `\r` become `\n`.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(ch) = chars.next() {
        match ch {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_csi(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut chars),
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    out.push('\n');
                }
            }
            ch if is_hostile(ch) => {}
            ch => out.push(ch),
        }
    }
    Cow::Owned(out)
}

/// Shows hostile characters as escapes (`\u{1b}`) and keeps all of the text: for what a user answers for. Line breaks and
/// tabs stay.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hostile) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for ch in text.chars() {
        if is_hostile(ch) { out.extend(ch.escape_unicode()) } else { out.push(ch) }
    }
    Cow::Owned(out)
}

/// Like [`clean`], on one line: runs of white space become one blank.
pub fn clean_line(text: &str) -> String {
    clean(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Skips what follows ESC (ECMA-48): a control sequence, a control string, or a two-character sequence.
fn skip_escape(chars: &mut Chars<'_>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_csi(chars);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            chars.next();
            skip_string(chars);
        }
        Some(' '..='/') => {
            while chars.next_if(|ch| matches!(ch, ' '..='/')).is_some() {}
            chars.next_if(|ch| matches!(ch, '0'..='~'));
        }
        Some('0'..='~') => {
            chars.next();
        }
        _ => {}
    }
}

/// Skips parameters, intermediates and the final byte of a control sequence.
fn skip_csi(chars: &mut Chars<'_>) {
    while chars.next_if(|ch| matches!(ch, ' '..='?')).is_some() {}
    chars.next_if(|ch| matches!(ch, '@'..='~'));
}

/// The longest control string that is skipped whole, in characters; an unended one must not swallow a page.
const STRING_CHARS_MAX: usize = 4_096;

/// Skips a control string up to BEL, ST, a line break or [`STRING_CHARS_MAX`].
fn skip_string(chars: &mut Chars<'_>) {
    for _ in 0..STRING_CHARS_MAX {
        match chars.peek() {
            None | Some('\n') => return,
            Some('\u{7}' | '\u{9c}') => {
                chars.next();
                return;
            }
            Some('\u{1b}') => {
                chars.next();
                chars.next_if_eq(&'\\');
                return;
            }
            Some(_) => {
                chars.next();
            }
        }
    }
}

/// An error and its causes in one line; a cause that was said already is left out.
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    for cause in causes.map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// The line, counted from 1, on which the byte `at` of `text` stands.
pub fn line_of(text: &str, at: usize) -> usize {
    text[..text.floor_char_boundary(at)].matches('\n').count() + 1
}

/// Text that is nothing but text in an element of HTML or SVG, or in an attribute in double or single quotes.
pub fn escape_markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for ch in text.chars() {
        match ch {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(ch),
        }
    }
    out
}

/// The first `chars_max` characters (grapheme clusters) of `text`, with `…` in place of the last where it was cut.
pub fn ellipsis(text: &str, chars_max: usize) -> Cow<'_, str> {
    if text.len() <= chars_max {
        return Cow::Borrowed(text);
    }
    let mut graphemes = text.grapheme_indices(true);
    let mut last = 0;
    for _ in 0..chars_max {
        match graphemes.next() {
            Some((at, _)) => last = at,
            None => return Cow::Borrowed(text),
        }
    }
    if graphemes.next().is_none() { Cow::Borrowed(text) } else { Cow::Owned(format!("{}…", &text[..last])) }
}

/// Head and tail of `text`, at most `bytes_max` bytes, with a note between them of how much is missing.
pub fn cut_middle(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return Cow::Borrowed(text);
    }
    let head = text.floor_char_boundary(bytes_max * 2 / 3);
    let tail = text.ceil_char_boundary(text.len() - (bytes_max - bytes_max * 2 / 3));
    let left_out = tail - head;
    Cow::Owned(format!("{}\n[… {left_out} bytes left out …]\n{}", &text[..head], &text[tail..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_cannot_control_the_terminal() {
        let check = |dirty: &str, cleaned: &str| assert_eq!(clean(dirty), cleaned, "{dirty:?}");
        check("plain\n\ttext 中文 👩‍👩‍👧", "plain\n\ttext 中文 👩‍👩‍👧");
        check("a\x1b[31mred\x1b[0mb", "aredb");
        check("a\x1b]52;c;aGk=\x07b", "ab");
        check("a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\b", "alinkb");
        check("a\x1bP1$r0m\x1b\\b", "ab");
        check("a\u{9b}31mb", "ab");
        check("a\u{202e}b\u{2066}c", "abc");
        check("a\0b\x07c\x7f", "abc");
        check("a\r\nb\rc", "a\nb\nc");
        check("a\x1b(0b\x1bMc\x1b", "abc");
        check("unended \x1b]0;title\nnext", "unended \nnext");
    }

    #[test]
    fn no_hostile_character_survives_whatever_the_input() {
        proptest::proptest!(|(text in "\\PC*[\u{0}-\u{9f}\u{2028}-\u{202e}]{0,40}\\PC*")| {
            proptest::prop_assert!(!clean(&text).chars().any(is_hostile));
        });
    }

    #[test]
    fn what_is_made_visible_loses_nothing() {
        assert_eq!(visible("ls\n\tplain"), "ls\n\tplain");
        assert_eq!(visible("ls \x1b]0;; rm -rf ~\x07\u{202e}\r\nend"), "ls \\u{1b}]0;; rm -rf ~\\u{7}\\u{202e}\\u{d}\nend");
    }

    #[test]
    fn lines_are_folded() {
        assert_eq!(clean_line(" a\n\tb\x1b[1m  c "), "a b c");
    }

    #[test]
    fn lines_are_counted_from_one() {
        let text = "a\né\n\nb";
        assert_eq!([0, 1, 2, 3, 5, 6, 99].map(|at| line_of(text, at)), [1, 1, 2, 2, 3, 4, 4]);
    }

    #[test]
    fn ellipsis_counts_graphemes() {
        assert_eq!(ellipsis("abc", 3), "abc");
        assert_eq!(ellipsis("abcd", 3), "ab…");
        assert_eq!(ellipsis("中文字", 3), "中文字");
        assert_eq!(ellipsis("中文字母", 3), "中文…");
    }

    #[test]
    fn the_middle_is_cut_at_character_boundaries() {
        let text = "é".repeat(100);
        let cut = cut_middle(&text, 31);
        assert!(cut.contains("bytes left out"), "{cut}");
        assert!(cut.starts_with('é') && cut.ends_with('é'));
        assert_eq!(cut_middle("short", 10), "short");
    }
}
