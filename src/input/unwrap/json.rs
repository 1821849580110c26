//! What unwrapping asks of JSON: the text of a member.

use memchr::memchr;

use crate::escape::is_escaped;

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
        if !is_escaped(&text[..quote]) {
            return Some((&text[..quote], &text[quote + 1..]));
        }
        from = quote + 1;
    }
}
