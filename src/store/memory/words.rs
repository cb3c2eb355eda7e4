//! Text as the terms that memories are found by; the same for what is stored and for what is asked.
//!
//! Words are those of Unicode (UAX 29), in small letters, without accents, with light stemming of English. Every CJK character
//! is a term of its own, and so is every pair of neighbours: a query of two Chinese characters is the pair, which costs one
//! look-up however common its characters are. Stemming is done here and not by FTS5's `porter`, because what is found is
//! scored by the very same terms.

use std::collections::HashSet;
use std::sync::LazyLock;

use unicode_segmentation::UnicodeSegmentation;

/// The most terms of one query; what follows adds nothing.
const QUERY_TERMS_MAX: usize = 48;

/// The longest term, in bytes; longer ones (keys, addresses) are cut there.
const TERM_BYTES_MAX: usize = 48;

/// A text's terms as they are stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Indexed {
    /// Words and single CJK characters, in their order.
    pub(super) words: Vec<String>,
    /// Pairs of neighbouring CJK characters.
    pub(super) pairs: Vec<String>,
}

/// Whether `ch` is of a script that is written without blanks: Han, kana, Hangul.
pub(super) fn is_cjk(ch: char) -> bool {
    matches!(ch,
        '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// The terms of a text that is stored.
pub(super) fn indexed(text: &str) -> Indexed {
    let mut out = Indexed::default();
    pieces(text, |piece| match piece {
        Piece::Word(word) => out.words.push(word),
        Piece::Run(run) => {
            out.words.extend(run.iter().map(char::to_string));
            out.pairs.extend(run.windows(2).map(String::from_iter));
        }
    });
    out
}

/// A term of a question.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    pub(super) term: String,
    /// How much it says, beside how rare it is: 0 to 1.
    pub(super) weight: f64,
}

/// The weight of a pair that may be two words' ends.
const WEAK: f64 = 0.4;

/// The terms of a question, each once, without those that say nothing (all, where there are no others).
pub(super) fn asked(text: &str) -> Vec<Asked> {
    let full = |term: String| Asked { term, weight: 1.0 };
    let (mut terms, mut empty) = (Vec::new(), Vec::new());
    pieces(text, |piece| match piece {
        Piece::Word(word) if STOP.contains(word.as_str()) => empty.push(full(word)),
        Piece::Word(word) => terms.push(full(word)),
        Piece::Run(run) => {
            let text: String = run.iter().collect();
            for said in meaningful(&text) {
                let run: Vec<char> = said.chars().collect();
                let weak = |pair: &[char]| pair.iter().any(|ch| HAN_WEAK.contains(*ch));
                match run.as_slice() {
                    [one] if HAN_WEAK.contains(*one) => {}
                    [one] => terms.push(full(one.to_string())),
                    many => terms.extend(
                        many.windows(2).map(|pair| Asked { term: pair.iter().collect(), weight: if weak(pair) { WEAK } else { 1.0 } }),
                    ),
                }
            }
            match run.as_slice() {
                [one] => empty.push(full(one.to_string())),
                many => empty.extend(many.windows(2).map(|pair| full(pair.iter().collect()))),
            }
        }
    });
    let mut found = if terms.is_empty() { empty } else { terms };
    let mut seen = HashSet::new();
    found.retain(|asked| seen.insert(asked.term.clone()));
    found.truncate(QUERY_TERMS_MAX);
    found
}

/// A text in the form in which two that say the same are the same: small letters, no punctuation, blanks single.
pub(super) fn folded(text: &str) -> String {
    let mut out = Vec::new();
    pieces_raw(text, |piece| match piece {
        Piece::Word(word) => out.push(word),
        Piece::Run(run) => out.push(run.into_iter().collect()),
    });
    // Signs alone are a text too.
    if out.is_empty() { text.split_whitespace().collect::<Vec<_>>().join(" ") } else { out.join(" ") }
}

enum Piece {
    Word(String),
    Run(Vec<char>),
}

fn pieces(text: &str, mut take: impl FnMut(Piece)) {
    pieces_raw(text, |piece| match piece {
        Piece::Word(word) => take(Piece::Word(stem(&word))),
        run @ Piece::Run(_) => take(run),
    });
}

fn pieces_raw(text: &str, mut take: impl FnMut(Piece)) {
    let lower = text.to_lowercase().replace("c++", "cpp").replace("c#", "csharp").replace("f#", "fsharp").replace(['’', '`'], "'");
    let mut run: Vec<char> = Vec::new();
    for bound in lower.split_word_bounds() {
        if bound.chars().any(is_cjk) {
            let mut word = String::new();
            for ch in bound.chars() {
                if is_cjk(ch) {
                    word_done(&mut word, &mut take);
                    run.push(ch);
                } else if ch.is_alphanumeric() {
                    run_done(&mut run, &mut take);
                    word.push(ch);
                }
            }
            word_done(&mut word, &mut take);
            continue;
        }
        run_done(&mut run, &mut take);
        let whole = bound.strip_suffix("'s").unwrap_or(bound).replace('\'', "");
        for part in whole.split(|ch: char| !ch.is_alphanumeric()).filter(|part| !part.is_empty()) {
            word_done(&mut part.to_owned(), &mut take);
        }
    }
    run_done(&mut run, &mut take);
}

fn word_done(word: &mut String, take: &mut impl FnMut(Piece)) {
    if word.is_empty() {
        return;
    }
    let mut plain: String = word.chars().map(without_accent).collect();
    plain.truncate(plain.floor_char_boundary(TERM_BYTES_MAX));
    word.clear();
    take(Piece::Word(plain));
}

fn run_done(run: &mut Vec<char>, take: &mut impl FnMut(Piece)) {
    if !run.is_empty() {
        take(Piece::Run(std::mem::take(run)));
    }
}

/// Letters that people type without their accents.
fn without_accent(ch: char) -> char {
    match ch {
        'à'..='å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => 'e',
        'ì'..='ï' | 'ī' | 'į' | 'ı' => 'i',
        'ł' => 'l',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ō' | 'ő' => 'o',
        'ř' => 'r',
        'ś' | 'š' | 'ş' => 's',
        'ť' => 't',
        'ù'..='ü' | 'ū' | 'ů' | 'ű' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        ch => ch,
    }
}

/// The stem of an English word in small letters: plurals, `-ing`, `-ed`, `-ly` and British spelling are evened out. Other words
/// stay as they are.
pub(super) fn stem(word: &str) -> String {
    if word.len() < 4 || !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return word.to_owned();
    }
    let mut stem = word.to_owned();
    if let Some(start) = stem.strip_suffix("sses") {
        stem = format!("{start}ss");
    } else if let Some(start) = stem.strip_suffix("ies") {
        stem = format!("{start}y");
    } else if stem.ends_with('s') && !stem.ends_with("ss") && !stem.ends_with("us") && !stem.ends_with("is") {
        stem.pop();
    }
    for suffix in ["ingly", "edly", "ing", "ed", "ly"] {
        let Some(start) = stem.strip_suffix(suffix) else { continue };
        if start.len() >= 3 && start.bytes().any(|byte| b"aeiouy".contains(&byte)) {
            stem = without_double(start).to_owned();
        }
        break;
    }
    if stem.len() > 5 {
        stem = stem.replacen("our", "or", 1);
    }
    if stem.len() > 3 && stem.ends_with('e') {
        stem.pop();
    }
    if stem.len() > 6 && stem.ends_with("is") {
        stem.replace_range(stem.len() - 1.., "z");
    }
    if stem.len() > 2 && stem.ends_with('y') {
        stem.replace_range(stem.len() - 1.., "i");
    }
    stem
}

/// `runn` of `running` without its second `n`.
fn without_double(start: &str) -> &str {
    let bytes = start.as_bytes();
    match bytes {
        [.., one, two] if one == two && !b"aeioulsz".contains(two) => &start[..start.len() - 1],
        _ => start,
    }
}

/// Stems that say nothing by themselves.
static STOP: LazyLock<HashSet<String>> = LazyLock::new(|| {
    "a about actually again all also am an and any anybody anything are as ask at be because been before being but by can could did do does doing done \
     dont each either else ever every everything first for from get give go going got had has have he hello help her here hers hey hi him his how i \
     id if ill im in into is isnt it its ive just kind know known knows last later let like list look made make makes many may maybe me mean memories memory \
     might mind mine more most much must my need never next no not now of off often ok okay on once one only or other our ours out over please \
     put quite rather really recall remember remembered reminded right said same say see she should show since so some somebody something still such sure take \
     tell than thank thanks that thats the their them then there these they thing things think this those to today together told too under until up us use \
     used user very want wants was way we well were what whats when where which while who whom whos whose why will with wonder would yes yet you your yours youre"
        .split_whitespace()
        .map(stem)
        .collect()
});

/// Pieces of Chinese that say nothing by themselves and stand between words; longer ones first.
static HAN_STOP: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let mut all: Vec<&str> = "你还记得 还记不记得 有没有 是不是 能不能 可不可以 为什么 怎么样 什么时候 告诉我 什么 怎么 多少 哪里 哪个 哪些 哪天 哪儿 几号 几点 记得 知道 \
         一下 关于 请问 帮我 我们 你们 他们 她们 可以 需要 应该 现在 这个 那个 这些 那些 自己 的话 已经 还是 或者 以及 因为 所以 但是 如果 用户 \
         的 了 吗 呢 吧 啊 呀 嘛 我 你 您 他 她 它 们 是 谁 哪 这 那 把 被 很 请 叫"
        .split_whitespace()
        .collect();
    all.sort_by_key(|piece| std::cmp::Reverse(piece.chars().count()));
    all
});

/// Characters that are words of little meaning, or parts of words that have some.
const HAN_WEAK: &str = "在有和与跟或也都就还再给对从到让问几太更最不没要想会能去来说着过得地之为以于用个";

/// What is left of a run of CJK characters without the pieces that say nothing.
fn meaningful(run: &str) -> Vec<&str> {
    let (mut out, mut from, mut at) = (Vec::new(), 0, 0);
    while at < run.len() {
        let rest = &run[at..];
        match HAN_STOP.iter().find(|piece| rest.starts_with(**piece)) {
            Some(piece) => {
                out.push(&run[from..at]);
                at += piece.len();
                from = at;
            }
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    out.push(&run[from..]);
    out.retain(|piece| !piece.is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_one_stem_are_one_term() {
        let check = |one: &str, other: &str| assert_eq!(stem(one), stem(other), "{one} {other}");
        check("colours", "color");
        check("favourite", "favorite");
        check("running", "run");
        check("cities", "city");
        check("deployed", "deploy");
        check("deploys", "deploying");
        check("making", "makes");
        check("quickly", "quick");
        check("organise", "organize");
        check("addresses", "address");
        assert_ne!(stem("bus"), stem("bu"));
    }

    #[test]
    fn every_cjk_character_and_every_pair_is_a_term() {
        let terms = indexed("用户喜欢Rust和绿茶。");
        assert_eq!(terms.words.join(" "), "用 户 喜 欢 rust 和 绿 茶");
        assert_eq!(terms.pairs.join(" "), "用户 户喜 喜欢 和绿 绿茶");
        assert_eq!(
            indexed("Ana's C++ v3.14 naïve café_list").words.join(" "),
            "ana cpp v3 14 naiv cafe list".replace("cafe", &stem("cafe"))
        );
    }

    #[test]
    fn a_question_is_what_it_asks_about() {
        let check = |text: &str, terms: &str| {
            let found: Vec<String> = asked(text).into_iter().map(|asked| asked.term).collect();
            assert_eq!(found.join(" "), terms, "{text}");
        };
        check("What's my favourite colour?", "favorit color");
        check("我最喜欢的颜色是什么？", "最喜 喜欢 颜色");
        check("猫", "猫");
        check("你还记得 Ana 的生日吗", "ana 生日");
        check("what do you know", "what do you know");
    }

    #[test]
    fn what_says_the_same_is_the_same() {
        assert_eq!(folded("  My dog is called  Rex!"), folded("my dog is called rex"));
        assert_ne!(folded("my dog is called Rex"), folded("my dog was called Rex"));
        assert_eq!(folded("喜欢绿茶。"), folded("喜欢绿茶"));
        assert_eq!(folded("?!"), "?!");
    }
}
