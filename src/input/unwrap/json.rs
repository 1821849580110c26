//! The few things about JSON that unwrapping asks for: the text of a member, and what its escapes stand for.

use memchr::memchr;

/// The text of a member of the object that a line is, still escaped; `None` when the line is none or has no such text.
pub(super) fn member<'t>(line: &'t [u8], name: &[u8]) -> Option<&'t [u8]> {
    let mut rest = line.strip_prefix(b"{")?;
    if !line.ends_with(b"}") {
        return None;
    }
    let mut depth = 1;
    loop {
        let at = rest.iter().position(|byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']'))?;
        match rest[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {
                let (text, after) = string(&rest[at + 1..])?;
                let value =
                    after.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
                match value {
                    Some(value) if depth == 1 && text == name => {
                        return string(value.strip_prefix(b"\"")?).map(|(text, _)| text);
                    }
                    _ => rest = after,
                }
                continue;
            }
        }
        rest = &rest[at + 1..];
    }
}

/// The text up to the closing quote, and what follows it.
fn string(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0;
    loop {
        let quote = from + memchr(b'"', &text[from..])?;
        let backslashes = text[..quote].iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 0 {
            return Some((&text[..quote], &text[quote + 1..]));
        }
        from = quote + 1;
    }
}

/// Resolves the escapes of JSON; what is none stays as it is.
pub(super) fn unescape(mut text: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr(b'\\', text) {
        out.extend_from_slice(&text[..at]);
        let (byte, len) = match text.get(at + 1) {
            Some(b'n') => (Some(b'\n'), 2),
            Some(b't') => (Some(b'\t'), 2),
            Some(b'r') => (Some(b'\r'), 2),
            Some(b'b') => (Some(8), 2),
            Some(b'f') => (Some(12), 2),
            Some(escaped @ (b'"' | b'\\' | b'/')) => (Some(*escaped), 2),
            Some(b'u') => match character(&text[at..]) {
                Some((character, len)) => {
                    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    (None, len)
                }
                None => (Some(b'\\'), 1),
            },
            _ => (Some(b'\\'), 1),
        };
        out.extend(byte);
        text = &text[at + len..];
    }
    out.extend_from_slice(text);
}

/// The character of `\u0026`, or of a pair of surrogates, and how long its escape is.
fn character(text: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    match unit(0)? {
        high @ 0xD800..=0xDBFF => {
            let low = unit(6).filter(|low| (0xDC00..=0xDFFF).contains(low))?;
            Some((char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00))?, 12))
        }
        unit => Some((char::from_u32(unit)?, 6)),
    }
}
