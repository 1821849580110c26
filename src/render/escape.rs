//! Text from logs, made harmless: what a reader could not see, or a terminal would obey, is written out.
//!
//! Two forms. [`visible`] is for reading: backslashes stay single, since logs are full of them (Nginx itself writes `\x16`).
//! [`exact`] is for machines: backslashes are doubled, so that the bytes can be had back.

use std::fmt::Write;

use unicode_width::UnicodeWidthChar;

/// Bytes as text that is safe to show anywhere: control characters, invisible and bidirectional ones and bytes that are no
/// UTF-8 appear as `\n`, `\x1b`, `\u{202e}`. A blank at either end, which nobody would see, appears as `\x20`.
///
/// ```
/// use logmill::render::visible;
///
/// assert_eq!(visible(b"a\x1b[2J\xff\n"), r"a\x1b[2J\xff\n");
/// ```
pub fn visible(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    push_visible(&mut out, text, is_hidden);
    out
}

/// [`visible`] for a terminal that shows ASCII alone: everything else is written out, too.
pub(super) fn visible_ascii(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    push_visible(&mut out, text, |c| !c.is_ascii() || is_hidden(c));
    out
}

fn push_visible(out: &mut String, text: &[u8], hidden: fn(char) -> bool) {
    let last = text.len().wrapping_sub(1);
    let (head, rest) = match text {
        [b' ', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let (rest, tail) = match rest {
        [rest @ .., b' '] if last > 0 => (rest, true),
        _ => (rest, false),
    };
    out.push_str(if head { r"\x20" } else { "" });
    for chunk in rest.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push_char(out, c, hidden));
        chunk.invalid().iter().for_each(|byte| push_byte(out, *byte));
    }
    out.push_str(if tail { r"\x20" } else { "" });
}

fn push_char(out: &mut String, c: char, hidden: fn(char) -> bool) {
    match c {
        '\n' => out.push_str(r"\n"),
        '\r' => out.push_str(r"\r"),
        '\t' => out.push_str(r"\t"),
        c if c.is_ascii_control() => push_byte(out, c as u8),
        c if hidden(c) => out.extend(c.escape_unicode()),
        c => out.push(c),
    }
}

fn push_byte(out: &mut String, byte: u8) {
    write!(out, "\\x{byte:02x}").expect("a String takes everything");
}

/// Bytes that are no UTF-8, told without loss: each invalid byte as `\xHH`, each backslash doubled, all else as it is.
pub(super) fn exact(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for chunk in text.utf8_chunks() {
        out.push_str(&chunk.valid().replace('\\', r"\\"));
        chunk.invalid().iter().for_each(|byte| push_byte(&mut out, *byte));
    }
    out
}

/// Characters that a reader does not see or that change how others are seen: controls (C1 too), separators that are not a
/// blank, joiners, marks and overrides of direction, variation selectors, tags. Soft hyphens and the byte order mark are
/// among them. Combining marks are not; they are how people write.
pub(super) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// How many columns the text takes. The sum over its characters, as terminals count, not the width of a shaped line.
pub(super) fn width(text: &str) -> usize {
    // Most text is ASCII, and clean text has no character of it without a width.
    if text.is_ascii() { text.len() } else { text.chars().map(char_width).sum() }
}

fn char_width(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// The longest start of `text` that takes at most `room` columns.
pub(super) fn prefix(text: &str, room: usize) -> &str {
    let mut used = 0;
    let end = text.char_indices().find(|(_, c)| {
        used += char_width(*c);
        used > room
    });
    end.map_or(text, |(end, _)| &text[..end])
}

/// `text` cut to `room` columns, the last of them the `mark` that says so.
pub(super) fn cut(text: &str, room: usize, mark: &str) -> String {
    if width(text) <= room {
        return text.to_string();
    }
    match room.checked_sub(width(mark)) {
        Some(room) => format!("{}{mark}", prefix(text, room)),
        None => prefix(text, room).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn makes_visible_what_is_not() {
        for (bytes, shown) in [
            (&b""[..], ""),
            (b"/a b", "/a b"),
            (b" ", r"\x20"),
            (b"  ", r"\x20\x20"),
            (b" a ", r"\x20a\x20"),
            (b"\x00\x07\x1b[31m\x7f", r"\x00\x07\x1b[31m\x7f"),
            (b"a\r\n\tb", r"a\r\n\tb"),
            (r"\x16\x03".as_bytes(), r"\x16\x03"),
            (b"caf\xe9", r"caf\xe9"),
            ("café 日本".as_bytes(), "café 日本"),
            ("\u{85}\u{9b}31m".as_bytes(), r"\u{85}\u{9b}31m"),
            ("evil\u{202e}gpj.exe".as_bytes(), r"evil\u{202e}gpj.exe"),
            ("a\u{200d}\u{feff}\u{e0041}".as_bytes(), r"a\u{200d}\u{feff}\u{e0041}"),
        ] {
            assert_eq!(visible(bytes), shown);
        }
        assert_eq!(visible_ascii("é\u{a0}x".as_bytes()), r"\u{e9}\u{a0}x");
    }

    #[test]
    fn cuts_at_columns_not_at_bytes() {
        for (text, room, cut_to) in
            [("日本語", 6, "日本語"), ("日本語", 5, "日本…"), ("日本語", 4, "日…"), ("abc", 0, "")]
        {
            assert_eq!(cut(text, room, "…"), cut_to);
        }
        assert_eq!(cut("abcdef", 5, "..."), "ab...");
        assert_eq!(cut("abcdef", 2, "..."), "ab");
    }

    /// The way back, as a reader of the JSON would write it.
    fn back(text: &str) -> Vec<u8> {
        let (mut out, mut rest) = (Vec::new(), text.as_bytes());
        while let [first, after @ ..] = rest {
            (out, rest) = match (first, after) {
                (b'\\', [b'x', high, low, after @ ..]) => {
                    let hex = [*high, *low];
                    let hex = std::str::from_utf8(&hex).unwrap();
                    out.push(u8::from_str_radix(hex, 16).unwrap());
                    (out, after)
                }
                (b'\\', [b'\\', after @ ..]) => ([out, vec![b'\\']].concat(), after),
                (byte, after) => ([out, vec![*byte]].concat(), after),
            };
        }
        out
    }

    proptest! {
        #[test]
        fn exact_text_can_be_had_back(text: Vec<u8>) {
            prop_assert_eq!(back(&exact(&text)), text);
        }

        #[test]
        fn visible_text_is_visible(text: Vec<u8>) {
            prop_assert!(!visible(&text).chars().any(is_hidden));
            prop_assert!(visible_ascii(&text).bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        }

        #[test]
        fn cut_text_fits(text: String, room in 0_usize..40) {
            prop_assert!(width(&cut(&visible(text.as_bytes()), room, "…")) <= room);
        }
    }
}
