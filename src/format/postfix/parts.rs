//! What lines of Postfix are put together from: queue ids, peers, addresses, decimals.

use memchr::{memchr, memchr2};

use crate::record::number::scaled;

/// What a byte can be part of.
const HEX: u8 = 1;
const BASE52: u8 = 2;
const ALPHANUMERIC: u8 = 4;
static ALPHABETS: [u8; 256] = alphabets();

/// The longest queue id that is taken for one.
const LONGEST_ID: usize = 20;

const fn alphabets() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 128 {
        let letter = byte as u8;
        if letter.is_ascii_alphanumeric() {
            table[byte] |= ALPHANUMERIC;
            if !matches!(letter.to_ascii_lowercase(), b'a' | b'e' | b'i' | b'o' | b'u') {
                table[byte] |= BASE52;
            }
            if matches!(letter, b'0'..=b'9' | b'A'..=b'F') {
                table[byte] |= HEX;
            }
        }
        byte += 1;
    }
    table
}

/// A queue id and what follows it. Short ids are hexadecimal, long ones digits and consonants; a word outside both
/// alphabets is one only in front of what Postfix says of messages.
#[inline]
pub(super) fn queue_id(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut len, mut alphabets) = (0, u8::MAX);
    for byte in text.iter().take(LONGEST_ID + 1) {
        let found = ALPHABETS[usize::from(*byte)];
        if found == 0 {
            break;
        }
        alphabets &= found;
        len += 1;
    }
    let (id, rest) = text.split_at(len);
    let rest = rest.strip_prefix(b": ")?;
    let is_certain = (alphabets & HEX != 0 && len >= 6) || (alphabets & BASE52 != 0 && len >= 11);
    let is_one = len <= LONGEST_ID && (is_certain || (len >= 5 && is_of_message(rest)));
    is_one.then_some((id, rest))
}

/// The beginnings of what is said behind a queue id.
#[cold]
fn is_of_message(text: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 12] = [
        b"to=<",
        b"from=<",
        b"client=",
        b"message-id=",
        b"resent-message-id=",
        b"uid=",
        b"removed",
        b"reject: ",
        b"milter-reject: ",
        b"sender non-delivery",
        b"sender delay notification",
        b"skipped, still",
    ];
    BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
}

/// Leading letters and digits: the id at the beginning of a text.
pub(super) fn leading_id(text: &[u8]) -> Option<&[u8]> {
    let len = text.iter().take_while(|byte| ALPHABETS[usize::from(**byte)] != 0).count();
    (5..=LONGEST_ID).contains(&len).then(|| &text[..len])
}

/// A host as Postfix writes it: `mx.example.org[192.0.2.7]:25`. postscreen leaves the name out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer<'a> {
    /// May be empty; `unknown` for a client whose name and address do not lead to each other.
    pub(super) name: &'a [u8],
    /// What stands in the brackets.
    pub(super) address: &'a [u8],
    /// Behind the brackets.
    pub(super) port: Option<&'a [u8]>,
    /// Name, address and port.
    pub(super) whole: &'a [u8],
    /// What follows.
    pub(super) rest: &'a [u8],
}

/// The peer at the beginning of a text.
#[inline]
pub(super) fn peer(text: &[u8]) -> Option<Peer<'_>> {
    let open = memchr2(b'[', b' ', text)?;
    if text[open] == b' ' {
        return None;
    }
    let close = open + memchr(b']', &text[open..])?;
    let mut rest = &text[close + 1..];
    let mut port = None;
    if let [b':', after @ ..] = rest {
        let len = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if len > 0 {
            (port, rest) = (Some(&after[..len]), &after[len..]);
        }
    }
    let whole = &text[..text.len() - rest.len()];
    Some(Peer { name: &text[..open], address: &text[open + 1..close], port, whole, rest })
}

impl Peer<'_> {
    /// True when what stands in brackets is an address, or the word for one that is not known.
    pub(super) fn is_client(&self) -> bool {
        let is_address = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':');
        self.address == b"unknown" || self.address.iter().all(is_address)
    }
}

/// The peer behind the first ` from ` (or another such word) that has one.
pub(super) fn peer_after<'a>(text: &'a [u8], word: &str) -> Option<Peer<'a>> {
    let mut places = memchr::memmem::find_iter(text, word.as_bytes());
    places.find_map(|at| peer(&text[at + word.len()..]))
}

/// An address up to the `>` that `ends` accepts by what follows it, and what follows. What an address quotes is
/// stepped over, so that it may hold anything.
#[inline]
pub(super) fn address(text: &[u8], ends: impl Fn(&[u8]) -> bool) -> Option<(&[u8], &[u8])> {
    let mut from = past_quoted(text);
    loop {
        let end = from + memchr(b'>', &text[from..])?;
        if ends(&text[end + 1..]) {
            return Some((&text[..end], &text[end + 1..]));
        }
        from = end + 1;
    }
}

/// Where a quoted local part ends; 0 when there is none or its end is not there.
#[inline]
fn past_quoted(text: &[u8]) -> usize {
    if text.first() != Some(&b'"') {
        return 0;
    }
    let mut at = 1;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found + 1;
        match text[at - 1] {
            b'"' => return at,
            _ => at += 1,
        }
    }
    0
}

/// The domain of an address, as it was written.
#[inline]
pub(super) fn domain(address: &[u8]) -> Option<&[u8]> {
    let at = memchr::memrchr(b'@', address)?;
    Some(&address[at + 1..])
}

/// Seconds with or without a fraction as microseconds. Postfix writes two digits that matter, mostly.
#[inline]
pub(super) fn seconds(text: &[u8]) -> Option<i64> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    match text {
        [ones] => Some(digit(ones)? * 1_000_000),
        [ones, b'.', tenths] => Some(digit(ones)? * 1_000_000 + digit(tenths)? * 100_000),
        [ones, b'.', tenths, cents] => {
            let fraction = digit(tenths)? * 100_000 + digit(cents)? * 10_000;
            Some(digit(ones)? * 1_000_000 + fraction)
        }
        [b'-', ..] => None,
        _ => scaled(text, 6),
    }
}

/// An enhanced status code at the beginning of a text, and what follows it.
pub(super) fn dsn(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = text.iter().take(10).take_while(|byte| byte.is_ascii_digit() || **byte == b'.');
    let (code, rest) = text.split_at(len.count());
    let is_code = matches!(code, [b'2' | b'4' | b'5', b'.', _, .., _]) && !code.ends_with(b".");
    let is_code = is_code && code.iter().filter(|byte| **byte == b'.').count() == 2;
    is_code.then(|| (code, rest.strip_prefix(b" ").unwrap_or(rest)))
}

/// A reply code at the beginning of a text, and what follows it.
pub(super) fn reply(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (code, rest) = text.split_at_checked(3)?;
    let is_code = matches!(code[0], b'2'..=b'5') && code.iter().all(u8::is_ascii_digit);
    let rest = rest.strip_prefix(b" ").or_else(|| rest.strip_prefix(b"-"))?;
    is_code.then_some((code, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Option<&str> {
        queue_id(text.as_bytes()).map(|(id, _)| std::str::from_utf8(id).unwrap())
    }

    #[test]
    fn trap_20_ids_and_words() {
        assert_eq!(id("A710A9AE097: removed"), Some("A710A9AE097"));
        assert_eq!(id("4jY1dn64fBz1TVNV: x"), Some("4jY1dn64fBz1TVNV"));
        assert_eq!(id("WORD5: to=<a@b>"), Some("WORD5"));
        assert_eq!(id("WORD5: spelled"), None);
        for text in ["Deleted: 3 messages", "statistics: x", "table: x", "A710A9AE097", "BAD: x"] {
            assert_eq!(id(text), None, "{text}");
        }
    }

    #[test]
    fn peers() {
        let peer = |text: &'static str| super::peer(text.as_bytes()).unwrap();
        let found = peer("mx.example.org[2001:db8::7]:25: x");
        assert_eq!((found.name, found.address), (&b"mx.example.org"[..], &b"2001:db8::7"[..]));
        assert_eq!((found.port, found.rest), (Some(&b"25"[..]), &b": x"[..]));
        let found = peer("[192.0.2.7]:4242");
        assert_eq!((found.name, found.port), (&b""[..], Some(&b"4242"[..])));
        assert_eq!(peer("unknown[unknown]: x").rest, b": x");
        assert_eq!(super::peer(b"no peer[1]"), None);
    }

    #[test]
    fn seconds_as_the_slow_parser_reads_them() {
        for text in ["0", "0.02", "12", "3.5", "0.1234567", ".5", "5.", "", ".", "1.2.3", "x", "-1"]
        {
            let expected = scaled(text.as_bytes(), 6).filter(|_| !text.starts_with('-'));
            assert_eq!(seconds(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(seconds(b"99999999999999999999"), None);
    }

    #[test]
    fn codes() {
        assert_eq!(dsn(b"5.7.1 no"), Some((&b"5.7.1"[..], &b"no"[..])));
        assert_eq!(dsn(b"4.7.25"), Some((&b"4.7.25"[..], &b""[..])));
        assert_eq!(dsn(b"5.7 no"), None);
        assert_eq!(dsn(b"192.0.2.7"), None);
        assert_eq!(reply(b"554 5.7.1"), Some((&b"554"[..], &b"5.7.1"[..])));
        assert_eq!(reply(b"5541"), None);
    }
}
