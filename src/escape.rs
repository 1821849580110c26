//! What backslashes in texts stand for: the escapes of JSON, which wrappers, access logs and proxies write alike.

use memchr::memchr;

/// True when the quote behind this text belongs to it.
#[inline]
pub(crate) fn is_escaped(before: &[u8]) -> bool {
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// Appends a text with its escapes resolved. Those of JSON and `\xhh` are known; any other stays as it is. What is no
/// character, such as half of a surrogate pair, becomes the replacement character.
pub(crate) fn unescape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = resolve(&rest[at..], out);
    }
    out.extend_from_slice(rest);
}

/// Resolves the escape at the beginning; returns what stands behind it.
fn resolve<'t>(text: &'t [u8], out: &mut Vec<u8>) -> &'t [u8] {
    let plain = match text.get(1) {
        Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'v') => 11,
        Some(b'x') => match hex(text, 2..4) {
            Some(byte) => {
                out.push(byte as u8);
                return &text[4..];
            }
            None => b'\\',
        },
        Some(b'u') => match character(text) {
            Some((character, len)) => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return &text[len..];
            }
            None => b'\\',
        },
        _ => b'\\',
    };
    out.push(plain);
    // A backslash that escapes nothing stands for itself, and what follows it too.
    &text[if plain == b'\\' && text.get(1) != Some(&b'\\') { 1 } else { 2 }..]
}

/// The character of `\uhhhh`, or of two of them that are a surrogate pair, with the length of its escape.
fn character(text: &[u8]) -> Option<(char, usize)> {
    let first = hex(text, 2..6)?;
    if let 0xD800..0xDC00 = first
        && text[6..].starts_with(b"\\u")
        && let Some(second @ 0xDC00..0xE000) = hex(text, 8..12)
    {
        let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return Some((char::from_u32(code)?, 12));
    }
    Some((char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER), 6))
}

/// The number of some hexadecimal digits, in either case.
fn hex(text: &[u8], digits: std::ops::Range<usize>) -> Option<u32> {
    let mut digits = text.get(digits)?.iter();
    digits.try_fold(0, |number, digit| Some(number * 16 + char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_what_is_none() {
        for (text, expected) in [
            (r#"a\"b\\c\/d\n\t"#, "a\"b\\c/d\n\t"),
            (r"caf\u00e9 \ud83d\ude00", "caf\u{e9} \u{1f600}"),
            (r"\ud83d \q \", "\u{fffd} \\q \\"),
            (r"\x41\xzz", "A\\xzz"),
        ] {
            let mut out = Vec::new();
            unescape(text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), expected, "{text}");
        }
    }

    #[test]
    fn an_odd_number_of_backslashes_escapes() {
        assert!(is_escaped(br"a\") && is_escaped(br"\\\"));
        assert!(!is_escaped(b"a") && !is_escaped(br"a\\"));
    }
}
