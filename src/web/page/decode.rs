//! From bytes to text: which kind of document it is, and in which encoding it was written.
//!
//! The encoding is taken from the byte order mark, the header, the document's own declaration, and a guess, in this order;
//! a declaration that does not fit the bytes gives way to UTF-8 where that fits.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::{Fault, Media};

/// How far into a document its own declaration is looked for, in bytes.
const DECLARED_WITHIN: usize = 4_096;

/// How much of a document the guess looks at, in bytes.
const GUESSED_FROM: usize = 64 * 1024;

/// A document as text.
pub(super) struct Page {
    pub(super) media: Media,
    pub(super) text: String,
}

/// Reads `body` as text.
pub(super) fn decode(body: &[u8], content_type: Option<&str>) -> Result<Page, Fault> {
    let content_type = content_type.unwrap_or_default().to_ascii_lowercase();
    let mime = content_type.split(';').next().unwrap_or_default().trim();
    if let Some(kind) = binary(body, mime) {
        return Err(Fault::Binary(kind));
    }
    let encoding = encoding_of(body, &content_type);
    let (text, _, _) = encoding.decode(body);
    let odd = text.chars().take(4_096).filter(|ch| *ch == '\u{fffd}' || *ch < '\t').count();
    if odd > 200 {
        return Err(Fault::Binary("bytes that are no text in any encoding"));
    }
    let media = media_of(&text, mime);
    Ok(Page { media, text: text.into_owned() })
}

fn binary(body: &[u8], mime: &str) -> Option<&'static str> {
    const SIGNS: &[(&[u8], &str)] = &[
        (b"%PDF-", "a PDF file"),
        (b"\x89PNG", "an image"),
        (b"\xff\xd8\xff", "an image"),
        (b"GIF8", "an image"),
        (b"RIFF", "an image or a sound"),
        (b"PK\x03\x04", "an archive or an office file"),
        (b"\x1f\x8b", "compressed data"),
        (b"\x7fELF", "a program"),
        (b"MZ\x90", "a program"),
        (b"OggS", "a sound"),
        (b"ID3", "a sound"),
        (b"\0\0\0\x18ftyp", "a video"),
        (b"\0\0\0\x20ftyp", "a video"),
        (b"wOFF", "a font"),
        (b"SQLite format 3\0", "a database"),
    ];
    if let Some((_, kind)) = SIGNS.iter().find(|(sign, _)| body.starts_with(sign)) {
        return Some(kind);
    }
    match mime.split('/').next().unwrap_or_default() {
        "image" if !mime.ends_with("+xml") => return Some("an image"),
        "audio" => return Some("a sound"),
        "video" => return Some("a video"),
        "font" => return Some("a font"),
        _ => {}
    }
    let wide = Encoding::for_bom(body).is_some_and(|(encoding, _)| encoding == UTF_16LE || encoding == UTF_16BE);
    let zeros = body.iter().take(GUESSED_FROM).filter(|byte| **byte == 0).count();
    (!wide && zeros > 0 && looks_utf16(body).is_none()).then_some("binary data")
}

/// UTF-16 without a mark: every other byte of mostly Latin text is zero.
fn looks_utf16(body: &[u8]) -> Option<&'static Encoding> {
    let head = &body[..body.len().min(512)];
    let zeros = |odd: usize| head.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let half = head.len() / 2;
    if half < 8 {
        return None;
    }
    match (zeros(0) * 10 / half, zeros(1) * 10 / half) {
        (0, 7..) => Some(UTF_16LE),
        (7.., 0) => Some(UTF_16BE),
        _ => None,
    }
}

fn encoding_of(body: &[u8], content_type: &str) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(body) {
        return encoding;
    }
    if let Some(encoding) = looks_utf16(body) {
        return encoding;
    }
    let in_header = content_type.split(';').find_map(|part| part.trim().strip_prefix("charset=")).and_then(named);
    // A page without any declaration that is valid UTF-8 is UTF-8; and one that declares otherwise but is UTF-8 with
    // characters beyond ASCII was converted by somebody who forgot the declaration.
    if std::str::from_utf8(body).is_ok() {
        let ascii_only = body.is_ascii();
        let seven_bit = |encoding: &&'static Encoding| !encoding.is_ascii_compatible();
        return if ascii_only { in_header.filter(seven_bit).unwrap_or(UTF_8) } else { UTF_8 };
    }
    let candidates = [in_header, declared(body)];
    for encoding in candidates.into_iter().flatten() {
        if encoding != UTF_8 {
            return encoding;
        }
    }
    // Declared as UTF-8 and almost so: a cut character must not turn the page into another encoding.
    if candidates.contains(&Some(UTF_8)) && broken_in_utf8(body) < 8 {
        return UTF_8;
    }
    guess(body)
}

fn named(label: &str) -> Option<&'static Encoding> {
    Encoding::for_label(label.trim().trim_matches(['"', '\'']).as_bytes())
}

/// What the document says itself: `<meta charset=…>`, `<meta … content="…; charset=…">`, `<?xml … encoding="…"?>`.
fn declared(body: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&body[..body.len().min(DECLARED_WITHIN)]).to_ascii_lowercase();
    let after = |mark: &str| {
        let at = head.find(mark)? + mark.len();
        let value = head[at..].trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
        named(value.split(|ch: char| !(ch.is_ascii_alphanumeric() || "-_.:".contains(ch))).next().unwrap_or_default())
    };
    after("charset").or_else(|| after("encoding"))
}

/// Places that are not UTF-8.
fn broken_in_utf8(body: &[u8]) -> usize {
    body.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).take(16).count()
}

/// The encoding in which the bytes make the most sense.
fn guess(body: &[u8]) -> &'static Encoding {
    let head = &body[..body.len().min(GUESSED_FROM)];
    let candidates = [
        encoding_rs::WINDOWS_1252,
        encoding_rs::GB18030,
        encoding_rs::SHIFT_JIS,
        encoding_rs::EUC_JP,
        encoding_rs::BIG5,
        encoding_rs::EUC_KR,
        encoding_rs::WINDOWS_1251,
    ];
    let score = |encoding: &'static Encoding| {
        let (text, _, _) = encoding.decode(head);
        text.chars().filter(|ch| !ch.is_ascii()).map(|ch| sense(ch, encoding)).sum::<i64>()
    };
    let best = candidates.iter().enumerate().max_by_key(|(at, encoding)| (score(encoding), usize::MAX - at));
    best.map_or(encoding_rs::WINDOWS_1252, |(_, encoding)| *encoding)
}

/// How well a character beyond ASCII fits a text in `encoding`. Characters of two bytes count twice: they explain more.
fn sense(ch: char, encoding: &'static Encoding) -> i64 {
    let cyrillic = encoding == encoding_rs::WINDOWS_1251;
    match ch {
        '\u{fffd}' => -40,
        '\u{80}'..='\u{9f}' => -20,
        'à'..='ÿ' | 'ß' | 'Ä' | 'Ö' | 'Ü' | 'É' | '€' | '\u{a0}' | '©' | '°' | '«' | '»' | '“' | '”' | '’' | '–' | '£' => {
            3
        }
        'а'..='я' | 'А'..='Я' if cyrillic => 2,
        '\u{3040}'..='\u{30ff}' => 6,
        '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{3000}'..='\u{303f}' | '\u{ff01}'..='\u{ff5e}' => 4,
        '\u{ff61}'..='\u{ff9f}' => -2,
        '\u{e000}'..='\u{f8ff}' => -10,
        _ => -1,
    }
}

fn media_of(text: &str, mime: &str) -> Media {
    let head = text.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']);
    let start: String = head.chars().take(2_048).collect::<String>().to_ascii_lowercase();
    let json = mime.ends_with("json") || (start.starts_with(['{', '[']) && !mime.contains("html"));
    if json {
        let feed = mime == "application/feed+json"
            || start.contains("https://jsonfeed.org/version/")
            || start.contains(r"https:\/\/jsonfeed.org\/version\/");
        let is_json = mime.ends_with("json") || serde_json::from_str::<serde::de::IgnoredAny>(head).is_ok();
        return match (is_json, feed) {
            (true, true) => Media::Feed,
            (true, false) => Media::Json,
            (false, _) => Media::Text,
        };
    }
    let feed_mime = mime.contains("rss") || mime.contains("atom") || mime == "application/rdf+xml";
    let opens = |tag: &str| start.find(tag).is_some_and(|at| !start[..at].contains("<html"));
    if opens("<rss") || opens("<feed") || opens("<rdf:rdf") || (feed_mime && start.starts_with("<?xml")) {
        return Media::Feed;
    }
    let page = start.starts_with("<!doctype html") || start.contains("<html") || start.contains("<body") || start.contains("<head");
    if page || mime.contains("html") {
        return Media::Html;
    }
    // Other XML reads well as a tree of blocks.
    if mime.ends_with("xml") || start.starts_with("<?xml") { Media::Html } else { Media::Text }
}
