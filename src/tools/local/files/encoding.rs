//! Encodings of text files: UTF-8 and UTF-16, with their byte-order marks; what a file had it keeps.

use encoding_rs::{UTF_16BE, UTF_16LE};

/// How a text file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf8,
    Utf8WithMark,
    Utf16Le,
    Utf16Be,
}

const UTF8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];
const UTF16_LE_MARK: &[u8] = &[0xff, 0xfe];
const UTF16_BE_MARK: &[u8] = &[0xfe, 0xff];

/// The encoding that the first bytes of a file tell.
pub(super) fn by_mark(head: &[u8]) -> Encoding {
    if head.starts_with(UTF8_MARK) {
        Encoding::Utf8WithMark
    } else if head.starts_with(UTF16_LE_MARK) {
        Encoding::Utf16Le
    } else if head.starts_with(UTF16_BE_MARK) {
        Encoding::Utf16Be
    } else {
        Encoding::Utf8
    }
}

/// The text of a file without its mark; `None` where it is not well formed in its encoding.
pub(super) fn decode(bytes: &[u8]) -> Option<(String, Encoding)> {
    let encoding = by_mark(bytes);
    let text = match encoding {
        Encoding::Utf8 => std::str::from_utf8(bytes).ok()?.to_owned(),
        Encoding::Utf8WithMark => std::str::from_utf8(&bytes[UTF8_MARK.len()..]).ok()?.to_owned(),
        Encoding::Utf16Le | Encoding::Utf16Be => {
            let decoder = if encoding == Encoding::Utf16Le { UTF_16LE } else { UTF_16BE };
            decoder.decode_without_bom_handling_and_without_replacement(&bytes[2..])?.into_owned()
        }
    };
    // Zero bytes are no text, well formed as they are.
    (!text.contains('\0')).then_some((text, encoding))
}

/// The bytes of a text in an encoding, its mark in front.
pub(super) fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Utf8 => text.as_bytes().to_vec(),
        Encoding::Utf8WithMark => [UTF8_MARK, text.as_bytes()].concat(),
        Encoding::Utf16Le => UTF16_LE_MARK.iter().copied().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect(),
        Encoding::Utf16Be => UTF16_BE_MARK.iter().copied().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_decoded_is_encoded_to_the_same_bytes() {
        for encoding in [Encoding::Utf8, Encoding::Utf8WithMark, Encoding::Utf16Le, Encoding::Utf16Be] {
            let bytes = encode("größe 字 𝄞\r\n", encoding);
            assert_eq!(decode(&bytes), Some(("größe 字 𝄞\r\n".to_owned(), encoding)));
        }
        assert_eq!(decode(&[b'a', 0xe9]), None, "Latin-1 is not guessed");
        assert_eq!(decode(b"a\0b"), None);
        assert_eq!(decode(&[0xff, 0xfe, 0x00, 0xd8]), None, "half a surrogate pair");
    }
}
