//! What an unfinished paragraph will look like when its markers are closed, so that text does not jump when they are.

/// `text` with its open emphasis, code and links closed; markers that may still become anything are left out.
pub(super) fn repair(text: &str) -> String {
    let mut paragraph = text.rfind("\n\n").map_or(0, |at| at + 2);
    let mut at = 0;
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        at += line.len();
        let start = line.trim_start_matches([' ', '>', '\t']);
        if start.starts_with("```") || start.starts_with("~~~") {
            inside = !inside;
            paragraph = paragraph.max(at);
        }
    }
    if inside {
        return text.to_owned();
    }
    let (head, tail) = text.split_at(paragraph);
    let mut out = head.to_owned();
    out.push_str(&repair_paragraph(tail));
    out
}

fn repair_paragraph(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut open: Vec<(u8, usize)> = Vec::new();
    let mut code: Option<(usize, usize)> = None;
    let mut bracket: Option<usize> = None;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let run = bytes.iter().skip(at).take_while(|other| **other == byte).count();
        match byte {
            b'`' => {
                code = match code {
                    None => Some((run, at)),
                    Some((length, _)) if length == run => None,
                    still => still,
                };
            }
            _ if code.is_some() => {}
            b'\\' => {
                at += 2;
                continue;
            }
            b'*' | b'_' | b'~' => mark(bytes, at, run, &mut open),
            b'[' => bracket = Some(at),
            b']' if bytes.get(at + 1) != Some(&b'(') => bracket = None,
            b')' => bracket = None,
            _ => {}
        }
        at += if matches!(byte, b'`' | b'*' | b'_' | b'~') { run } else { 1 };
    }
    close(text, &open, code, bracket)
}

fn mark(bytes: &[u8], at: usize, run: usize, open: &mut Vec<(u8, usize)>) {
    let Some(&byte) = bytes.get(at) else { return };
    let blank = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_none_or(u8::is_ascii_whitespace);
    let word = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    let (before, after) = (at.checked_sub(1), Some(at + run));
    if byte == b'_' && word(before) && word(after) {
        return;
    }
    if !blank(before) && open.last() == Some(&(byte, run)) {
        open.pop();
    } else if !blank(after) && (byte != b'~' || run == 2) {
        open.push((byte, run));
    }
}

fn close(text: &str, open: &[(u8, usize)], code: Option<(usize, usize)>, bracket: Option<usize>) -> String {
    if let Some((length, at)) = code {
        let inside = text.get(at + length..).unwrap_or_default();
        let mut out = if inside.trim().is_empty() { text.get(..at).unwrap_or_default().to_owned() } else { text.trim_end().to_owned() };
        if !inside.trim().is_empty() {
            out.push_str(&"`".repeat(length));
        }
        return close_marks(out, open);
    }
    let mut out = text.to_owned();
    if let Some(at) = bracket {
        // An unfinished link: its text stands already, its address comes with the closing bracket.
        let inside = text.get(at + 1..).unwrap_or_default();
        let label = inside.split_once(']').map_or(inside, |(label, _)| label);
        out = format!("{}{label}", text.get(..at).unwrap_or_default().trim_end_matches('!'));
    }
    let trimmed = out.trim_end_matches(['*', '_', '~', '\\']).len();
    let pending = &out[trimmed..];
    let closing =
        open.is_empty() && text.ends_with(pending) && !pending.is_empty() && !out[..trimmed].ends_with([' ', '\n']) && trimmed > 0;
    if !closing {
        out.truncate(trimmed);
    }
    close_marks(out, open)
}

fn close_marks(mut out: String, open: &[(u8, usize)]) -> String {
    let end = out.trim_end().len();
    let blanks = out.split_off(end);
    for (byte, run) in open.iter().rev() {
        let marks = String::from(char::from(*byte)).repeat(*run);
        if let Some(rest) = out.strip_suffix(&marks) {
            // Nothing stands inside yet.
            out.truncate(rest.len());
        } else {
            out.push_str(&marks);
        }
    }
    out + &blanks
}
