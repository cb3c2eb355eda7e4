//! Markdown into lines: text and styles at three widths, strangers' text, and streams.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use ratatui::style::Modifier;

use super::*;
use crate::domain::text::clean;
use crate::tui::theme::{ColourDepth, IconSet, Themes};

fn theme() -> Theme {
    Themes::builtin().load("dark", ColourDepth::Ansi16, IconSet::Unicode).unwrap()
}

fn texts(lines: &[Line<'_>]) -> Vec<String> {
    lines.iter().map(ToString::to_string).collect()
}

fn check(text: &str, width: u16, expected: &[&str]) {
    let theme = theme();
    let lines = render(text, width, Look::new(&theme, &Highlighter::off()));
    assert_eq!(texts(&lines), expected, "{text:?} at {width}");
    sound(&lines, width);
}

/// What holds for all lines: never too wide, no blanks at the end, nothing that controls a terminal.
fn sound(lines: &[Line<'_>], width: u16) {
    for line in lines {
        let text = line.to_string();
        assert!(line.width() <= usize::from(width), "too wide at {width}: {text:?}");
        assert_eq!(text.trim_end_matches(' '), text, "blanks at the end");
        // A line's own text leaves line breaks out; the spans must hold none.
        assert!(!line.spans.iter().flat_map(|span| span.content.chars()).any(char::is_control), "{line:?}");
        assert_eq!(clean(&text), text);
    }
}

/// The lines with their styles: `text` in brackets after the name of its key.
fn styled(text: &str, width: u16) -> Vec<String> {
    let theme = theme();
    let name = |span: &Span<'_>| {
        let key = Key::ALL.iter().filter(|key| key.name().starts_with("md.") || key.name().starts_with("ui.dim"));
        let same = |key: &&Key| theme.style(Key::ChatAgent).patch(theme.style(**key)) == span.style || theme.style(**key) == span.style;
        key.filter(|key| theme.style(**key) != Style::new()).find(|key| same(key)).map_or("", |key| key.name())
    };
    render(text, width, Look::new(&theme, &Highlighter::off()))
        .iter()
        .map(|line| line.spans.iter().map(|span| format!("{}[{}]", name(span), span.content)).collect::<Vec<_>>().concat())
        .collect()
}

#[test]
fn paragraphs_wrap_between_words() {
    let text = "The quick brown fox jumps over the lazy dog and runs away.";
    check(text, 20, &["The quick brown fox", "jumps over the lazy", "dog and runs away."]);
    check(text, 40, &["The quick brown fox jumps over the lazy", "dog and runs away."]);
    check(text, 80, &[text]);
    check("one\n\n\n\ntwo", 80, &["one", "", "two"]);
    check("line one\nline two  \nline three", 80, &["line one", "line two", "line three"]);
    check("", 80, &[]);
    check("\n\n \n", 80, &[]);
    check("averyveryverylongwordthatfitsnowhere ok", 20, &["averyveryverylongwor", "dthatfitsnowhere ok"]);
}

#[test]
fn wide_characters_wrap_anywhere_but_not_before_closing_punctuation() {
    check("今天天气很好，我们去公园散步吧。明天继续。", 20, &["今天天气很好，我们去", "公园散步吧。明天继", "续。"]);
    check("今天天气很好，我们去公园散步吧。", 40, &["今天天气很好，我们去公园散步吧。"]);
    check("他说「你好」然后离开了", 11, &["他说「你", "好」然后离", "开了"]);
    check("mix 中文 and English text", 20, &["mix 中文 and English", "text"]);
    check("一二三「四」五", 8, &["一二三", "「四」五"]);
    check("ab👩‍👩‍👧cd 👍🏽 e\u{301}e\u{301}e\u{301}", 20, &["ab👩‍👩‍👧cd 👍🏽 e\u{301}e\u{301}e\u{301}"]);
    check("👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧", 4, &["👩‍👩‍👧👩‍👩‍👧", "👩‍👩‍👧"]);
    check("- 列表项目一二三四五六七八九十", 20, &["• 列表项目一二三四五", "  六七八九十"]);
}

#[test]
fn inline_marks_are_styles_not_signs() {
    assert_eq!(styled("a **b** *c* ~~d~~ `e`", 80), ["[a ]md.strong[b][ ]md.emphasis[c][ ]md.strike[d][ ]md.code[e]"]);
    assert_eq!(styled("[text](http://x.y) <http://z.w/>", 80), ["md.link[text]md.url[ (http://x.y)][ ]md.link[http://z.w/]"]);
    assert_eq!(styled("![alt](pic.png)", 80), ["md.url[image: ]md.link[alt]md.url[ (pic.png)]"]);
    assert_eq!(styled("a<br>b <u>c</u>", 80), ["[a]", "[b ]md.url[<u>][c]md.url[</u>]"]);
    assert_eq!(styled("## Two\n\ntext", 80), ["md.heading[Two]", "", "[text]"]);
    let lines = render("# One", 80, Look::new(&theme(), &Highlighter::off()));
    assert!(lines[0].spans[0].style.add_modifier.contains(Modifier::BOLD | Modifier::UNDERLINED));
    let lines = render("---", 10, Look::new(&theme(), &Highlighter::off()));
    assert_eq!(lines, [Line::from(Span::styled("──────────", theme().style(Key::MdRule)))]);
}

#[test]
fn lists_hang_nest_and_count() {
    check("- one two three four five\n- b", 20, &["• one two three four", "  five", "• b"]);
    check("1. a\n1. b\n1. c", 80, &["1. a", "2. b", "3. c"]);
    check("9. a\n10. b", 80, &["9. a", "10. b"]);
    check("- a\n  - b\n    - c\n- d", 80, &["• a", "  – b", "    • c", "• d"]);
    check("- a\n\n- b\n- c", 80, &["• a", "", "• b", "• c"]);
    check("- [x] done\n- [ ] open", 80, &["☑ done", "☐ open"]);
    check("text:\n- a\n- b\n\nafter", 80, &["text:", "• a", "• b", "", "after"]);
    check("1. a\n\n   second\n\n2. b", 80, &["1. a", "", "   second", "", "2. b"]);
    check("- a\n- \n- c", 80, &["• a", "•", "• c"]);
    check("1. a\n```\ncode\n```\n2. b", 80, &["1. a", "  code", "2. b"]);
    check("1. do:\n   ```sh\n   ls\n   ```\n2. b", 80, &["1. do:", "     ls", "2. b"]);
}

#[test]
fn quotes_have_a_bar() {
    check("> one two three four\n> five", 12, &["│ one two", "│ three four", "│ five"]);
    check("> a\n>\n> b", 80, &["│ a", "│", "│ b"]);
    check("> [!WARNING]\n> careful", 80, &["│ Warning", "│ careful"]);
    check("> - a\n> - b", 80, &["│ • a", "│ • b"]);
    check("> > deep", 80, &["│ │ deep"]);
}

#[test]
fn tables_are_aligned_and_shrink() {
    let table = "| Name | Count | Note |\n|:-----|------:|:----:|\n| a | 1 | x |\n| bcd | 22 | long note here |";
    check(
        table,
        40,
        &["Name │ Count │      Note", "─────┼───────┼───────────────", "a    │     1 │       x", "bcd  │    22 │ long note here"],
    );
    check(
        table,
        20,
        &[
            "Name │ Count │ Note",
            "─────┼───────┼──────",
            "a    │     1 │   x",
            "bcd  │    22 │ long",
            "     │       │ note",
            "     │       │ here",
        ],
    );
    check("| 名称 | v |\n|---|---|\n| 中文字 | 1 |", 80, &["名称   │ v", "───────┼──", "中文字 │ 1"]);
    check("| a | b | c | d |\n|---|---|---|---|\n| 1 | 2 | 3 | 4 |", 9, &["a: 1", "b: 2", "c: 3", "d: 4"]);
    check("text\n| a | b |\n|---|---|\n| 1 | 2 |\nmore", 80, &["text", "a │ b", "──┼──", "1 │ 2", "more"]);
    check("| not a table", 80, &["| not a table"]);
}

#[test]
fn code_keeps_its_blanks_and_is_cut_at_the_edge() {
    check("```\nfn  main() {\n\tx\n\n}\n```", 40, &["  fn  main() {", "      x", "", "  }"]);
    check("```\nabcdefghijklmnopqrstuvwxyz\n```", 20, &["  abcdefghijklmnopqr", "  stuvwxyz"]);
    check("    indented\n      more", 40, &["  indented", "    more"]);
    check("~~~\n```\n~~~", 40, &["  ```"]);
    check("```\nnever closed", 40, &["  never closed"]);
    check("a\n```\nb\n```\nc", 40, &["a", "  b", "c"]);
}

#[test]
fn code_is_highlighted() {
    let (theme, highlighter) = (theme(), Highlighter::ready());
    let lines = render("```rust\nfn main() {}\n```", 40, Look::new(&theme, &highlighter));
    let spans: Vec<_> = lines[0].spans.iter().map(|span| (span.content.as_ref(), span.style)).collect();
    assert!(spans.contains(&("fn", theme.style(Key::SyntaxKeyword))), "{spans:?}");
    assert!(spans.contains(&("main", theme.style(Key::SyntaxFunction))), "{spans:?}");
    let code = render_code("{\"a\": 1}\n2\n3", "json", 40, 1, Look::new(&theme, &highlighter));
    assert_eq!(texts(&code), ["  {\"a\": 1}", "… 2 more lines"]);
}

#[test]
fn strangers_text_is_harmless_at_every_width() {
    let hostile = [
        "a\x1b[31mred\x1b]0;title\x07b\x1b[2J",
        "`\x1b[5m` **\u{202e}rtl** \u{9b}31m",
        "```\n\x1b[2Jx\r\ny\rz\n```",
        "| \x1b[1m | \u{7} |\n|---|---|\n| \u{202e} | \u{0} |",
        &"> ".repeat(200),
        &"- ".repeat(300),
        &format!("{}x", "  - a\n    ".repeat(60)),
        &"*".repeat(5_000),
        &"[".repeat(3_000),
        &"A".repeat(5_000),
        "\u{200b}\u{200d}\u{fe0f}",
        "[x](javascript:\u{1b}[31malert)",
        "a\tb\u{a0}c\u{3000}d",
    ];
    let theme = theme();
    for text in hostile {
        for width in [1, 2, 5, 20, 40, 80] {
            let lines = render(text, width, Look::new(&theme, &Highlighter::off()));
            if width > 2 {
                sound(&lines, width);
            }
        }
    }
    check("a\x1b[31mred\x1b]0;title\x07b\x1b[2J", 40, &["aredb"]);
    check("[1]: http://x.y \"t\"", 40, &["[1]: http://x.y \"t\""]);
    check("```\na \rb\r\n\rc", 40, &["  a", "  b", "", "  c"]);
    check("<script>alert(1)</script>", 40, &["<script>alert(1)</script>"]);
}

const SAMPLE: &str = "# Title\n\nSome **bold text** with `code` and a [link](http://example.org/path).\nNext line *emph*.\n\n\
- item one with words\n- item **two**\n  - nested\n\n    para\n- [x] three\n\n1. first\n   ```rust\n   fn main() {}\n   ```\n2. second\n\n\
| a | b |\n|---|--:|\n| 1 | 中文 |\n| x | y |\n\n> quote\n> more\n\n```json\n{\"a\": [1, 2]}\n\n  text\n```\nafter\n\n---\n\
今天天气很好，我们去公园散步吧。👩‍👩‍👧 end\x1b[31m red\r\n\n    indented\n\n[1]: http://x.y\nlast line";

fn stream(parts: &[&str], width: u16, theme: &Theme, highlighter: &Highlighter) -> Vec<Line<'static>> {
    let look = Look::new(theme, highlighter);
    let mut markdown = Markdown::new();
    let mut standing: Vec<Line<'static>> = Vec::new();
    for part in parts {
        markdown.push(part);
        let lines = markdown.lines(width, look).to_vec();
        let stable = markdown.stable_lines();
        assert!(stable >= standing.len(), "finished lines went away");
        assert_eq!(lines[..standing.len()], standing[..], "finished lines changed");
        sound(&lines, width);
        standing = lines[..stable].to_vec();
    }
    markdown.finish();
    markdown.lines(width, look).to_vec()
}

#[test]
fn a_stream_ends_as_the_whole_does_and_finished_lines_stand() {
    let (theme, highlighter) = (theme(), Highlighter::ready());
    for width in [20, 40, 80] {
        let whole = render(SAMPLE, width, Look::new(&theme, &highlighter));
        let chars: Vec<String> = SAMPLE.chars().map(String::from).collect();
        let parts: Vec<&str> = chars.iter().map(String::as_str).collect();
        assert_eq!(stream(&parts, width, &theme, &highlighter), whole, "by characters at {width}");
        let words: Vec<&str> = SAMPLE.split_inclusive(' ').collect();
        assert_eq!(stream(&words, width, &theme, &highlighter), whole, "by words at {width}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, rng_seed: RngSeed::Fixed(20_260_101), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_of_any_text_gives_the_same_lines(
        pieces in proptest::collection::vec(prop_oneof![
            Just("\n"), Just("\n\n"), Just("- "), Just("  "), Just("1. "), Just("```"), Just("```rust\n"), Just("**"), Just("*"), Just("`"),
            Just("| a | b |\n|---|---|\n"), Just("| 1 |"), Just("> "), Just("# "), Just("word "), Just("中文，"), Just("👩‍👩‍👧"), Just("[a](b)"),
            Just("[x]: y"), Just("---\n"), Just("\r"), Just("\x1b["), Just("31m"), Just("\t"), Just("~~~\n"), Just("<b>"), Just("a_b_c "), Just("=")
        ], 0..60),
        cuts in proptest::collection::vec(0_usize..400, 0..12),
        width in 4_u16..60,
    ) {
        let text = pieces.concat();
        let mut at: Vec<usize> = cuts.into_iter().map(|cut| text.floor_char_boundary(cut.min(text.len()))).chain([0, text.len()]).collect();
        at.sort_unstable();
        let parts: Vec<&str> = at.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
        let (theme, highlighter) = (theme(), Highlighter::off());
        let whole = render(&text, width, Look::new(&theme, &highlighter));
        sound(&whole, width);
        prop_assert_eq!(stream(&parts, width, &theme, &highlighter), whole);
    }
}

#[test]
fn open_marks_look_closed_so_that_nothing_jumps() {
    let (theme, highlighter) = (theme(), Highlighter::off());
    let shown = |text: &str| {
        let mut markdown = Markdown::new();
        markdown.push(text);
        texts(markdown.lines(40, Look::new(&theme, &highlighter)))
    };
    let check = |text: &str, expected: &[&str]| assert_eq!(shown(text), expected, "{text:?}");
    check("a **bo", &["a bo"]);
    check("a **", &["a"]);
    check("a **b *c", &["a b c"]);
    check("a **b** c", &["a b c"]);
    check("a `co", &["a co"]);
    check("a ``", &["a"]);
    check("see [the te", &["see the te"]);
    check("see [text](http://ex", &["see text"]);
    check("see [text](http://ex.org)", &["see text (http://ex.org)"]);
    check("2 * 3 = 6", &["2 * 3 = 6"]);
    check("snake_case_name", &["snake_case_name"]);
    check("text\n\n#", &["text"]);
    check("text\n\n``", &["text"]);
    check("- one\n-", &["• one"]);
    check("12", &[]);
    check("他说「", &["他说「"]);
    check("```rust\nlet x", &["  let x"]);
    check("```rust\nlet x\n``", &["  let x"]);
    check("- a:\n  ```rust\n  let x", &["• a:", "    let x"]);
}

#[test]
fn an_unfinished_table_waits() {
    let (theme, highlighter) = (theme(), Highlighter::off());
    let mut markdown = Markdown::new();
    let mut shown = |part: &str| {
        markdown.push(part);
        texts(markdown.lines(40, Look::new(&theme, &highlighter)))
    };
    assert_eq!(shown("text\n\n| a "), ["text"]);
    assert_eq!(shown("| b |\n|--"), ["text"]);
    assert_eq!(shown("-|---|\n"), ["text", "", "◌ table, 0 rows so far"]);
    assert_eq!(shown("| 1 | 2 |\n"), ["text", "", "◌ table, 1 row so far"]);
    assert_eq!(shown("\n"), ["text", "", "a │ b", "──┼──", "1 │ 2"]);
}

#[test]
fn finished_blocks_are_drawn_once_and_code_lines_are_highlighted_once() {
    let (theme, highlighter) = (theme(), Highlighter::off());
    let look = Look::new(&theme, &highlighter);
    let mut markdown = Markdown::new();
    let mut tokens = 0;
    for block in 0..200 {
        for word in 0..40 {
            markdown.push(if word == 39 { "end.\n\n" } else { "word " });
            markdown.lines(80, look);
            tokens += 1;
        }
        markdown.push("```rust\n");
        for _ in 0..20 {
            for part in ["let ", "x ", "= 1;", "\n"] {
                markdown.push(part);
                markdown.lines(80, look);
                tokens += 1;
            }
        }
        markdown.push("```\n\n- item\n  ```\n  code\n  ```\n\n");
        markdown.lines(80, look);
        assert_eq!(markdown.work().code_lines, (block + 1) * 21, "lines of code are drawn once");
        markdown.push("text");
        markdown.lines(80, look);
        assert_eq!(markdown.work().code_lines, (block + 1) * 21, "a nested block is not drawn again when it is finished");
        markdown.push("\n\n");
    }
    assert!(tokens > 20_000);
    markdown.finish();
    markdown.lines(80, look);
    let work = markdown.work();
    assert_eq!(work.blocks, 200 * 4);
    let before = work;
    markdown.lines(80, look);
    assert_eq!(markdown.work(), before, "nothing is drawn twice at the same width");
    markdown.lines(60, look);
    assert_eq!(markdown.work().blocks, 2 * before.blocks);
}

#[test]
fn endless_lines_and_paragraphs_are_bounded() {
    let (theme, highlighter) = (theme(), Highlighter::ready());
    let look = Look::new(&theme, &highlighter);
    let mut markdown = Markdown::new();
    for _ in 0..40_000 {
        markdown.push("word ");
    }
    markdown.lines(80, look);
    assert!(markdown.work().blocks >= 11, "an endless line is cut into blocks: {:?}", markdown.work());
    let line = format!("```rust\nlet x = \"{}\";\n```", "A".repeat(5_000));
    let lines = render(&line, 80, look);
    assert!(
        lines.iter().flat_map(|line| &line.spans).all(|span| span.style == theme.style(Key::MdCodeBlock) || span.content.trim().is_empty())
    );
}

#[test]
fn a_new_width_or_theme_draws_anew_while_streaming() {
    let highlighter = Highlighter::off();
    let (dark, plain) = (theme(), Theme::plain(IconSet::Ascii));
    let mut markdown = Markdown::new();
    markdown.push("- one two three\n\npara **b");
    markdown.lines(80, Look::new(&dark, &highlighter));
    assert_eq!(texts(markdown.lines(10, Look::new(&dark, &highlighter))), ["• one two", "  three", "", "para b"]);
    assert_eq!(texts(markdown.lines(80, Look::new(&plain, &highlighter))), ["- one two three", "", "para b"]);
}

#[test]
fn code_blocks_can_be_copied() {
    let blocks =
        |text: &str| -> Vec<(String, String)> { code_blocks(text).into_iter().map(|block| (block.language, block.text)).collect() };
    let expected =
        [("rust", "fn main() {\n}"), ("", "nested"), ("", "open")].map(|(language, text)| (language.to_owned(), text.to_owned()));
    assert_eq!(blocks("a\n```rust\nfn main() {\n}\n```\nb\n- x\n  ```\n  nested\n  ```\n\n```\nopen"), expected);
    assert!(blocks("none `inline`").is_empty());
}
