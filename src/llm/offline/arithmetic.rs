//! Finds the sum in a sentence: `what is 12% of 80`, `add 2 and 3`, `80的12%`, `3乘以4`.
//!
//! Words become signs first; then the one run of numbers and signs is taken, and only if nothing else of substance is
//! said. Dates, versions and telephone numbers are no sums.

use std::sync::LazyLock;

use regex::Regex;

/// A number in the patterns below.
const N: &str = r"(-?\d+(?:,\d{3})*(?:\.\d+)?)";

/// Turns of phrase and what they become; `N` stands for a number.
const PHRASES: &[(&str, &str)] = &[
    (r"N\s*的\s*百分之\s*N", "$2% of $1"),
    (r"N\s*的\s*N\s*[%％]", "$2% of $1"),
    (r"百分之\s*N", "$1%"),
    (r"(?:根号|√)\s*N", "√$1"),
    (r"N\s*的\s*平方根", "√$1"),
    (r"N\s*的\s*(?:平方|二次方)", "$1^2"),
    (r"N\s*的\s*(?:立方|三次方)", "$1^3"),
    (r"N\s*的\s*N\s*次方", "$1^$2"),
    (r"N\s*(?:和|与|跟|加上?)\s*N\s*(?:之|的)?和", "$1 + $2"),
    (r"N\s*(?:和|与|跟)\s*N\s*(?:之|的)差", "$1 - $2"),
    (r"N\s*(?:和|与|跟)\s*N\s*(?:之|的)(?:乘)?积", "$1 * $2"),
    (r"N\s*(?:和|与|跟)\s*N\s*相加", "$1 + $2"),
    (r"N\s*(?:和|与|跟)\s*N\s*相乘", "$1 * $2"),
    (r"加上|加", " + "),
    (r"减去|减", " - "),
    (r"乘以|乘上|乘", " * "),
    (r"除以", " / "),
    (r"(?:the\s+)?(?:square\s+root|sqrt|root)\s+of\s+N", "sqrt($1)"),
    (r"(?:the\s+)?cube\s+root\s+of\s+N", "cbrt($1)"),
    (r"(?:the\s+)?factorial\s+of\s+N", "$1!"),
    (r"N\s+factorial\b", "$1!"),
    (r"N\s+squared\b", "$1^2"),
    (r"N\s+cubed\b", "$1^3"),
    (r"N\s+(?:raised\s+)?to\s+the\s+power\s+(?:of\s+)?N", "$1^$2"),
    (r"N\s+to\s+the\s+N(?:st|nd|rd|th)(?:\s+power)?\b", "$1^$2"),
    (r"(?:the\s+)?(?:sum|total)\s+of\s+N\s*,\s*N\s*,?\s*and\s+N", "$1 + $2 + $3"),
    (r"\b(?:add|sum)\s+N\s+(?:and|to|with|plus)\s+N", "$1 + $2"),
    (r"(?:the\s+)?(?:sum|total)\s+of\s+N\s+and\s+N", "$1 + $2"),
    (r"\bsubtract\s+N\s+from\s+N", "$2 - $1"),
    (r"(?:the\s+)?difference\s+(?:between|of)\s+N\s+and\s+N", "$1 - $2"),
    (r"\bmultiply\s+N\s+(?:by|and|with)\s+N", "$1 * $2"),
    (r"(?:the\s+)?product\s+of\s+N\s+and\s+N", "$1 * $2"),
    (r"\bdivide\s+N\s+by\s+N", "$1 / $2"),
    (r"\bincrease\s+N\s+by\s+N\s*%", "$1 + $2%"),
    (r"\bdecrease\s+N\s+by\s+N\s*%", "$1 - $2%"),
    (r"(?:the\s+)?(?:average|mean)\s+of\s+N\s+and\s+N", "avg($1, $2)"),
    (r"\bplus\b", " + "),
    (r"\bminus\b", " - "),
    (r"\b(?:times|multiplied\s+by)\b", " * "),
    (r"\b(?:divided\s+by)\b", " / "),
    (r"\b(?:modulo)\b", " mod "),
    (r"\bpercent\b|\bper\s+cent\b", "% "),
];

static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    PHRASES.iter().filter_map(|(pattern, put)| Regex::new(&pattern.replace('N', N)).ok().map(|rule| (rule, *put))).collect()
});

/// Numbers, names, signs, runs of Chinese.
static PIECES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+\b)?|\.\d+|[a-z_][\w'’]*|\p{Han}+|\*\*|\S").ok());

static GROUPED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(\d),(\d{3})\b").ok());

const FUNCTIONS: &[&str] = &[
    "sqrt", "cbrt", "abs", "round", "floor", "ceil", "min", "max", "sum", "avg", "ln", "log", "log2", "exp", "sin", "cos", "tan", "asin",
    "acos", "atan", "pow", "hypot",
];

/// Words that ask for a result and say nothing of their own.
static ASKING: LazyLock<Vec<&str>> = LazyLock::new(|| {
    "what what's what’s whats is how much many calculate compute evaluate solve work out result answer value equals equal \
     does do the tell me please can could you would i need want know to find give hey hi hello for s make of ok so math quick \
     quickly now thanks and a my using calculator with it that be"
        .split_whitespace()
        .collect()
});

/// The same in Chinese, cut out of what is said.
static ASKING_HAN: LazyLock<Vec<&str>> = LazyLock::new(|| {
    "计算一下 计算 算一算 算一下 算算 算 等于多少 等于几 等于 是多少 多少 结果 请问 请 帮我 帮忙 一下 得 是几 几 是 的 呢 吗 吧 我 想知道 你 麻烦 给 告诉 求 能 可以 下"
        .split_whitespace()
        .collect()
});

/// The sum in `text`, if that is what the text is about.
pub(super) fn expression(text: &str) -> Option<String> {
    let mut text = text.to_lowercase().replace(['`', '"', '“', '”'], " ").replace('％', "%").replace(['（', '）'], " ");
    if text.len() > 1_000 || !text.contains(|ch: char| ch.is_ascii_digit()) {
        return None;
    }
    for (rule, put) in RULES.iter() {
        text = rule.replace_all(&text, *put).into_owned();
    }
    let pieces: Vec<&str> = PIECES.as_ref()?.find_iter(&text).map(|piece| piece.as_str()).collect();
    let (best, range) = longest_sum(&pieces)?;
    let elsewhere = pieces[..range.start].iter().chain(&pieces[range.end..]);
    let mut asked = false;
    for piece in elsewhere {
        match is_asking(piece) {
            Some(asking) => asked |= asking,
            None => return None,
        }
    }
    let bare = best.chars().all(|ch| ch.is_ascii_digit() || matches!(ch, '-' | ' '))
        && best.matches('-').count() > 1
        && !text.trim().contains(' ');
    if bare && !asked { None } else { Some(best) }
}

/// `None` for what says something else; otherwise whether it asks.
fn is_asking(piece: &str) -> Option<bool> {
    if ASKING.contains(&piece) {
        return Some(true);
    }
    if piece.chars().all(super::words::is_han) {
        let mut rest = piece.to_owned();
        for asking in ASKING_HAN.iter() {
            rest = rest.replace(asking, "");
        }
        return rest.is_empty().then_some(true);
    }
    (piece.chars().all(|ch| !ch.is_alphanumeric())).then_some(false)
}

/// The longest run of pieces that is a sum, and where it is.
fn longest_sum(pieces: &[&str]) -> Option<(String, std::ops::Range<usize>)> {
    let mut best: Option<(String, std::ops::Range<usize>)> = None;
    let mut at = 0;
    while at < pieces.len() {
        let mut end = at;
        while end < pieces.len() && is_math(pieces, end) {
            end += 1;
        }
        if let Some((text, range)) = trimmed(pieces, at..end)
            && best.as_ref().is_none_or(|(known, _)| text.len() > known.len())
        {
            best = Some((text, range));
        }
        at = end.max(at + 1);
    }
    best
}

fn is_math(pieces: &[&str], at: usize) -> bool {
    let piece = pieces[at];
    let number = |at: usize| pieces.get(at).is_some_and(|piece| piece.starts_with(|ch: char| ch.is_ascii_digit() || ch == '.'));
    let before = at.checked_sub(1).and_then(|before| pieces.get(before)).copied().unwrap_or_default();
    match piece {
        "of" => before == "%",
        "x" => number(at.wrapping_sub(1)) && number(at + 1),
        "mod" | "pi" | "π" => true,
        "e" => matches!(before, "*" | "/" | "(" | "+" | "^"),
        _ => {
            number(at)
                || FUNCTIONS.contains(&piece)
                || (piece.chars().count() <= 2 && piece.chars().all(|ch| "+-*/^×÷−()!%√²°,=·".contains(ch)))
        }
    }
}

/// A run without signs that hang over its ends; `None` where it is no sum.
fn trimmed(pieces: &[&str], mut range: std::ops::Range<usize>) -> Option<(String, std::ops::Range<usize>)> {
    let is_number = |piece: &str| piece.starts_with(|ch: char| ch.is_ascii_digit() || ch == '.');
    let opens = |piece: &str| is_number(piece) || FUNCTIONS.contains(&piece) || matches!(piece, "(" | "-" | "√" | "pi" | "π");
    let closes = |piece: &str| is_number(piece) || matches!(piece, ")" | "%" | "!" | "²" | "°" | "pi" | "π" | "e");
    while range.start < range.end && !opens(pieces[range.start]) {
        range.start += 1;
    }
    while range.start < range.end && !closes(pieces[range.end - 1]) {
        range.end -= 1;
    }
    let run = &pieces[range.clone()];
    let operators = run.iter().enumerate().filter(|(at, piece)| {
        let sign = !is_number(piece) && !matches!(**piece, "(" | ")" | "," | "e" | "pi" | "π" | "=");
        // A sign at the front and a percent at the end are part of a number.
        sign && !(*at == 0 && **piece == "-") && !(*at + 1 == run.len() && **piece == "%")
    });
    if operators.count() == 0 || !run.iter().any(|piece| is_number(piece)) {
        return None;
    }
    let mut text = String::new();
    for piece in run {
        let glued = text.is_empty()
            || text.ends_with(['(', '√'])
            || matches!(*piece, ")" | "," | "%" | "!" | "²" | "°")
            || (*piece == "(" && FUNCTIONS.iter().any(|name| text.ends_with(name)))
            || matches!(*piece, "^" | "**")
            || text.ends_with('^')
            || text.ends_with("**")
            || (text == "-");
        if !glued {
            text.push(' ');
        }
        text.push_str(piece);
    }
    let calls = FUNCTIONS.iter().any(|name| text.contains(name));
    while !calls && let Some(grouped) = GROUPED.as_ref().filter(|grouped| grouped.is_match(&text)) {
        text = grouped.replace_all(&text, "$1$2").into_owned();
    }
    // A list of numbers is no sum.
    (calls || !text.contains(',')).then_some((text, range))
}

#[cfg(test)]
mod tests {
    use super::expression;

    #[test]
    fn sums_are_found_in_sentences() {
        let check = |text: &str, sum: &str| assert_eq!(expression(text).as_deref(), Some(sum), "{text}");
        check("3*(4+5)", "3 * (4 + 5)");
        check("what is 12% of 80?", "12% of 80");
        check("what is 17% of 2,340", "17% of 2340");
        check("计算 3*(4+5)", "3 * (4 + 5)");
        check("80的12%是多少", "12% of 80");
        check("2340 的百分之 17", "17% of 2340");
        check("3乘以4等于多少？", "3 * 4");
        check("16的平方根", "√16");
        check("2的10次方是多少", "2^10");
        check("5加7", "5 + 7");
        check("add 2 and 3", "2 + 3");
        check("subtract 3 from 10", "10 - 3");
        check("the square root of 144", "sqrt(144)");
        check("how much is 7 times 6", "7 * 6");
        check("2 to the power of 8", "2^8");
        check("please calculate max(1,200) + 5", "max(1,200) + 5");
        check("12 percent of 80", "12% of 80");
        check("10 / 4 =", "10 / 4");
        check("-5 + 3", "-5 + 3");
        check("5 x 5", "5 x 5");
        check("sin(30°)", "sin(30°)");
    }

    #[test]
    fn other_numbers_are_no_sums() {
        let check = |text: &str| assert_eq!(expression(text), None, "{text}");
        check("2024-01-02");
        check("call me at 555-123-4567");
        check("version 1.2.3");
        check("what is 5");
        check("50%");
        check("read lines 10-20 of a.txt");
        check("I have 3 + 4 apples");
        check("1, 2, 3");
        check("src/2");
    }
}
