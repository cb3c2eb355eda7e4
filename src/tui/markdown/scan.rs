//! Where blocks end, line by line: what is before the last boundary never changes, whatever comes.
//!
//! A block is parsed on its own, so the boundaries are chosen where `CommonMark` allows that: blank lines, fences,
//! headings, and the items of a list one by one (the scanner counts their numbers). What needs a look ahead over
//! blocks, as link definitions do, is shown as it is written.

/// A block larger than this ends at the next line, so that an endless paragraph stays cheap.
pub(super) const FLOW_BYTES_MAX: usize = 16 * 1024;

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Paragraphs, quotes, headings, tables, rules.
    Flow,
    /// A flow whose first line starts with `|`: perhaps a table.
    Table,
    /// One item of a list, with its number in an ordered one.
    Item(Option<u64>),
    /// A fenced code block, its fence included.
    Fence(Fence),
    /// A line that defines a link: shown as it is.
    Definition,
}

/// How a fenced code block began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fence {
    mark: u8,
    length: usize,
    /// Blanks before the fence, taken off each line.
    pub(super) indent: usize,
}

/// A block of the text: `start..end` in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether a blank line stands before it.
    pub(super) apart: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Marker {
    /// Columns up to the content.
    content: usize,
    /// The bullet, or what follows the number.
    sign: u8,
    number: Option<u64>,
    /// Nothing but the marker on the line.
    empty: bool,
}

/// Finds blocks in lines as they come.
#[derive(Debug, Clone, Default)]
pub(super) struct Scanner {
    /// The block that may still grow.
    pub(super) open: Option<Block>,
    /// Columns up to the content of the open item.
    content: usize,
    /// The list that the next item continues: its sign and its next number.
    list: Option<(u8, Option<u64>)>,
    /// Whether the last line was blank.
    blank: bool,
}

impl Scanner {
    /// Takes the line at `start..end` of the text, its line break included; finished blocks go to `done`.
    pub(super) fn line(&mut self, line: &str, start: usize, end: usize, done: &mut Vec<Block>) {
        let content = line.trim_end_matches('\n');
        if let Some(Block { kind: Kind::Fence(fence), .. }) = self.open {
            self.grow(end);
            if closes(fence, content) {
                self.finish(done);
            }
            return;
        }
        if content.trim().is_empty() {
            if !matches!(self.open, Some(Block { kind: Kind::Item(_), .. })) {
                self.finish(done);
            }
            self.blank = true;
            return;
        }
        if self.continues(content) {
            self.grow(end);
        } else {
            self.finish(done);
            self.begin(content, start, end, done);
        }
        self.blank = false;
        let oversize = |block: &Block| matches!(block.kind, Kind::Flow) && block.end - block.start > FLOW_BYTES_MAX;
        if self.open.as_ref().is_some_and(oversize) {
            self.finish(done);
        }
    }

    /// Ends the open block.
    pub(super) fn finish(&mut self, done: &mut Vec<Block>) {
        done.extend(self.open.take());
    }

    fn grow(&mut self, end: usize) {
        if let Some(block) = &mut self.open {
            block.end = end;
        }
    }

    fn continues(&self, line: &str) -> bool {
        let Some(block) = &self.open else { return false };
        let indent = indent(line);
        match block.kind {
            Kind::Item(_) if indent >= self.content => true,
            Kind::Item(_) => !self.blank && marker(line).is_none() && !interrupts(line) && !line.trim_start().starts_with('|'),
            Kind::Table => line.trim_start().starts_with('|'),
            Kind::Flow => {
                let item = |marker: Marker| !marker.empty && marker.number.is_none_or(|number| number == 1);
                !fences(line) && !is_heading(line) && !marker(line).is_some_and(item) && !line.trim_start().starts_with('|')
            }
            Kind::Fence(_) | Kind::Definition => false,
        }
    }

    fn begin(&mut self, line: &str, start: usize, end: usize, done: &mut Vec<Block>) {
        let mut kind = Kind::Flow;
        let deep = indent(line) >= 4;
        if let Some(fence) = fence(line) {
            kind = Kind::Fence(fence);
        } else if let Some(marker) = marker(line) {
            let number = match (self.list, marker.number) {
                (Some((sign, Some(next))), Some(_)) if sign == marker.sign => Some(next),
                (_, number) => number,
            };
            self.list = Some((marker.sign, number.map(|number| number.saturating_add(1))));
            self.content = marker.content;
            kind = Kind::Item(number);
        } else if !deep && line.trim_start().starts_with('|') {
            kind = Kind::Table;
        } else if !deep && defines_link(line) {
            kind = Kind::Definition;
        }
        if !matches!(kind, Kind::Item(_)) {
            self.list = None;
        }
        self.open = Some(Block { kind, start, end, apart: self.blank });
        if matches!(kind, Kind::Definition) || (matches!(kind, Kind::Flow) && (is_heading(line) || is_rule(line))) {
            self.finish(done);
        }
    }
}

/// Whether a line begins a block of its own even right after a paragraph.
fn interrupts(line: &str) -> bool {
    fences(line) || is_heading(line) || is_rule(line) || (indent(line) < 4 && line.trim_start().starts_with('>'))
}

/// Columns of white space at the start.
fn indent(line: &str) -> usize {
    let mut columns = 0;
    for byte in line.bytes() {
        match byte {
            b' ' => columns += 1,
            b'\t' => columns += 4 - columns % 4,
            _ => break,
        }
    }
    columns
}

fn fence(line: &str) -> Option<Fence> {
    let indent = indent(line);
    let text = line.trim_start();
    let mark = *text.as_bytes().first()?;
    let length = text.bytes().take_while(|byte| *byte == mark).count();
    let info = text.get(length..)?;
    let good = matches!(mark, b'`' | b'~') && length >= 3 && indent < 4 && !(mark == b'`' && info.contains('`'));
    good.then_some(Fence { mark, length, indent })
}

fn fences(line: &str) -> bool {
    fence(line).is_some()
}

/// Whether `line` closes `fence`.
pub(super) fn closes(fence: Fence, line: &str) -> bool {
    let text = line.trim();
    indent(line) < 4 && text.len() >= fence.length && text.bytes().all(|byte| byte == fence.mark)
}

/// The language that the fence line `line` names.
pub(super) fn language(line: &str) -> &str {
    let info = line.trim().trim_start_matches(['`', '~']).trim();
    info.split([' ', ',', '{', '\t']).next().unwrap_or_default()
}

fn is_heading(line: &str) -> bool {
    let text = line.trim_start();
    let level = text.bytes().take_while(|byte| *byte == b'#').count();
    (1..=6).contains(&level) && indent(line) < 4 && matches!(text.as_bytes().get(level), None | Some(b' ' | b'\t'))
}

fn is_rule(line: &str) -> bool {
    let mut marks = line.bytes().filter(|byte| !matches!(byte, b' ' | b'\t'));
    let Some(first) = marks.next() else { return false };
    matches!(first, b'-' | b'*' | b'_') && indent(line) < 4 && {
        let rest: Vec<u8> = marks.take(line.len()).collect();
        rest.len() >= 2 && rest.iter().all(|byte| *byte == first)
    }
}

fn marker(line: &str) -> Option<Marker> {
    let indent = indent(line);
    if indent >= 4 || is_rule(line) {
        return None;
    }
    let text = line.trim_start();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let sign = *text.as_bytes().get(digits)?;
    let number = match digits {
        0 if matches!(sign, b'-' | b'*' | b'+') => None,
        1..=9 if matches!(sign, b'.' | b')') => Some(text.get(..digits)?.parse().ok()?),
        _ => return None,
    };
    let rest = text.get(digits + 1..)?;
    let blanks = rest.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let empty = rest.trim().is_empty();
    if blanks == 0 && !empty {
        return None;
    }
    let gap = if empty || blanks > 4 { 1 } else { blanks };
    Some(Marker { content: indent + digits + 1 + gap, sign, number, empty })
}

fn defines_link(line: &str) -> bool {
    let text = line.trim_start();
    let Some(label) = text.strip_prefix('[') else { return false };
    label.split_once("]:").is_some_and(|(label, target)| !label.is_empty() && !label.contains(['[', ']']) && !target.trim().is_empty())
}

/// Whether what there is of a line may still become anything: it waits until more is known.
pub(super) fn is_undecided(partial: &str) -> bool {
    let text = partial.trim_start();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=9).contains(&digits) {
        return matches!(text.get(digits..).map(str::trim_end), Some("" | "." | ")"));
    }
    text.bytes().all(|byte| matches!(byte, b'#' | b'-' | b'*' | b'+' | b'>' | b'`' | b'~' | b'=' | b'_' | b' ' | b'\t'))
}

/// Whether `line` may be the second line of a table: `|---|:-:|`.
pub(super) fn is_delimiter_row(line: &str) -> bool {
    let text = line.trim();
    text.contains('-') && text.contains('|') && text.bytes().all(|byte| matches!(byte, b'|' | b'-' | b':' | b' ' | b'\t'))
}
