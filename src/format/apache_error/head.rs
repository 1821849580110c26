//! What stands in front of a message of Apache: brackets, the system's error, the number of the message.
//!
//! ```text
//! [Thu Mar 07 09:15:02.418123 2024] [proxy:error] [pid 812:tid 139872345216768] (111)Connection refused: AH00957: …
//! [Thu Mar 07 09:15:02 2024] [error] [client 203.0.113.9] (13)Permission denied: …
//! ```
//!
//! The client comes before the system's error in 2.2 and after it in 2.4; here the parts may come in any order, and
//! the first thing that is none of them begins the message. An `ErrorLogFormat` may put more in brackets between them, and
//! the source at every level: where the number of a message follows, all before it is head.

use super::detail::find;
use crate::format::trouble;
use crate::ledger::Reason;
use crate::record::number::{integer, signed};

/// The parts of a head. Texts are parts of the line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Head<'a> {
    /// The stamp without its brackets.
    pub(super) stamp: Option<&'a [u8]>,
    /// The module; may be empty.
    pub(super) module: Option<&'a [u8]>,
    /// The level, as its number.
    pub(super) level: Option<u8>,
    /// The process.
    pub(super) pid: Option<i64>,
    /// The thread.
    pub(super) tid: Option<&'a [u8]>,
    /// The client, with its port from 2.4 on.
    pub(super) client: Option<&'a [u8]>,
    /// The other end of a connection that Apache itself made.
    pub(super) remote: Option<&'a [u8]>,
    /// The log id of the request.
    pub(super) request_id: Option<&'a [u8]>,
    /// The log id of the connection.
    pub(super) connection: Option<&'a [u8]>,
    /// The number of the system's error.
    pub(super) errno: Option<i64>,
    /// The words of the system's error.
    pub(super) strerror: Option<&'a [u8]>,
    /// `AH00957`.
    pub(super) code: Option<&'a [u8]>,
    /// What follows.
    pub(super) message: &'a [u8],
}

/// Reads the head of a line that begins with a stamp.
#[inline]
pub(super) fn stamped(text: &[u8]) -> Result<Head<'_>, Reason> {
    let (stamp, rest) = bracket(text).ok_or(Reason::Truncated)?;
    let head = Head { stamp: Some(stamp), ..Head::default() };
    if rest.is_empty() {
        return Err(Reason::Truncated);
    }
    if let Some(open) = rest.strip_prefix(b"[") {
        // Cut within the level: nothing of the message is left.
        memchr::memchr(b']', open).ok_or(Reason::Truncated)?;
    }
    Ok(head.parts(rest))
}

/// Reads the head of a line whose stamp stands in an envelope: `[core:error] [pid 7] …`; `None` when it says no level.
pub(super) fn unstamped(text: &[u8]) -> Option<Head<'_>> {
    Some(Head::default().parts(text)).filter(|head| head.level.is_some())
}

/// Reads a line from before the log was open: `AH00558: …`, `(98)Address already in use: AH00072: …`.
pub(super) fn bare(text: &[u8]) -> Option<Head<'_>> {
    if !matches!(text.first(), Some(b'A' | b'(')) {
        return None;
    }
    Some(Head::default().parts(text)).filter(|head| head.code.is_some())
}

/// True where the line begins with the stamp of an error log, or as much of it as a cut left.
#[inline]
pub(super) fn has_stamp(text: &[u8]) -> bool {
    match text {
        [b'[', w, _, _, b' ', _, _, _, b' ', _, _, b' ', ..] => w.is_ascii_alphabetic(),
        [b'[', y, _, _, _, b'-', _, _, b'-', ..] => y.is_ascii_digit(),
        _ => false,
    }
}

impl<'a> Head<'a> {
    #[inline]
    fn parts(mut self, text: &'a [u8]) -> Self {
        let mut rest = text;
        loop {
            let next = match rest.first() {
                Some(b'[') => self.bracketed(rest),
                Some(b'(') => self.error(rest),
                Some(b'A') => self.numbered(rest),
                _ => self.source(rest),
            };
            match next {
                Some(after) => rest = after,
                None => break,
            }
        }
        self.message = rest;
        self.past_unknown(MOST_UNKNOWN).unwrap_or(self)
    }

    /// The same with what nobody knows in front of the message taken for head too, if that leads to its number.
    #[inline]
    fn past_unknown(self, most: u32) -> Option<Self> {
        let begins = self.message.first() == Some(&b'[') || past_source(self.message).is_some();
        let is_suspect = begins && self.code.is_none() && most > 0 && self.level.is_some();
        if !is_suspect || memchr::memmem::find(self.message, b" AH").is_none() {
            return None;
        }
        self.past_one_unknown(most)
    }

    #[cold]
    fn past_one_unknown(self, most: u32) -> Option<Self> {
        let rest = match self.message.first()? {
            b'[' => match bracket(self.message) {
                Some((inner, rest)) if !inner.contains(&b'[') => rest,
                // Apache leaves out what stands behind a value that it does not have: `[req [conn [client core.c(7): …`.
                _ => &self.message[memchr::memchr(b' ', self.message)? + 1..],
            },
            _ => past_source(self.message)?,
        };
        let mut head = self;
        let mut after = rest;
        loop {
            let next = match after.first() {
                Some(b'[') => head.bracketed(after),
                Some(b'(') => head.error(after),
                Some(b'A') => head.numbered(after),
                _ => None,
            };
            match next {
                Some(next) => after = next,
                None => break,
            }
        }
        head.message = after;
        if head.code.is_some() { Some(head) } else { head.past_unknown(most - 1) }
    }

    /// The remote end is the server behind, but with mod_wsgi's own processes it is the client.
    #[inline]
    pub(super) fn wsgi_client(&self) -> Option<&'a [u8]> {
        self.remote.filter(|_| self.module == Some(b"wsgi"))
    }

    #[inline]
    fn bracketed(&mut self, text: &'a [u8]) -> Option<&'a [u8]> {
        let (inner, rest) = bracket(text)?;
        if self.level.is_none() && self.module_and_level(inner) {
            return Some(rest);
        }
        let (word, value) = inner.split_at_checked(7).unwrap_or((inner, b""));
        match word {
            b"client " if self.client.is_none() => {
                if value.starts_with(b"[") {
                    let (client, rest) = client_in_brackets(text)?;
                    self.client = Some(client);
                    return Some(rest);
                }
                self.client = Some(value);
            }
            b"remote " if self.remote.is_none() => self.remote = Some(value),
            _ => self.other_bracket(inner)?,
        }
        Some(rest)
    }

    fn other_bracket(&mut self, inner: &'a [u8]) -> Option<()> {
        if let Some(process) = inner.strip_prefix(b"pid ").filter(|_| self.pid.is_none()) {
            let colon = memchr::memchr(b':', process).unwrap_or(process.len());
            self.pid = Some(integer(&process[..colon])?);
            self.tid = process[colon..].strip_prefix(b":tid ");
            return Some(());
        }
        let id = match inner {
            [b'R', b':', id @ ..] => (&mut self.request_id, id),
            [b'C', b':', id @ ..] => (&mut self.connection, id),
            _ => return None,
        };
        *id.0 = Some(id.1);
        Some(())
    }

    /// `core:error` or, in 2.2, `error`.
    #[inline]
    fn module_and_level(&mut self, inner: &'a [u8]) -> bool {
        let colon = memchr::memchr(b':', inner);
        let word = &inner[colon.map_or(0, |at| at + 1)..];
        self.level = trouble::level(word);
        if self.level.is_some() {
            self.module = colon.map(|at| &inner[..at]);
        }
        self.level.is_some()
    }

    /// `(111)Connection refused: `, `(EAI 3)…`, `(OS 10061)…`, `(os 0x0000274d)…`.
    fn error(&mut self, text: &'a [u8]) -> Option<&'a [u8]> {
        if self.errno.is_some() {
            return None;
        }
        let close = memchr::memchr(b')', &text[..text.len().min(24)])?;
        let number = error_number(&text[1..close])?;
        let words = &text[close + 1..];
        let end = find(words, b": ")?;
        (self.errno, self.strerror) = (Some(number), Some(words[..end].trim_ascii_end()));
        Some(&words[end + 2..])
    }

    /// `AH00957: `.
    fn numbered(&mut self, text: &'a [u8]) -> Option<&'a [u8]> {
        let [b'A', b'H', d1, d2, d3, d4, d5, b':', b' ', rest @ ..] = text else { return None };
        let is_number = [d1, d2, d3, d4, d5].iter().all(|digit| digit.is_ascii_digit());
        (is_number && self.code.is_none()).then(|| {
            self.code = Some(&text[..7]);
            rest
        })
    }

    /// `mod_authz_core.c(815): `, which stands there at the level debug and below.
    fn source(&mut self, text: &'a [u8]) -> Option<&'a [u8]> {
        if self.level.is_none_or(|level| level < trouble::DEBUG) || self.code.is_some() {
            return None;
        }
        past_source(text)
    }
}

/// How many parts that nobody knows an `ErrorLogFormat` may have.
const MOST_UNKNOWN: u32 = 8;

/// What follows `mod_authz_core.c(815): `.
fn past_source(text: &[u8]) -> Option<&[u8]> {
    let end = memchr::memchr(b' ', text)?;
    let place = text[..end].strip_suffix(b"):")?;
    let open = memchr::memchr(b'(', place)?;
    integer(&place[open + 1..])?;
    Some(&text[end + 1..])
}

/// The text in brackets at the beginning, and what follows the space behind them.
#[inline]
fn bracket(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.strip_prefix(b"[")?;
    let end = memchr::memchr(b']', &inner[..inner.len().min(256)])?;
    let rest = &inner[end + 1..];
    Some((&inner[..end], rest.strip_prefix(b" ").unwrap_or(rest)))
}

/// `[client [2001:db8::7]:51004] `, an address of IPv6 told from its port.
#[cold]
fn client_in_brackets(text: &[u8]) -> Option<(&[u8], &[u8])> {
    const BEFORE: usize = b"[client ".len();
    let value = text.get(BEFORE..)?;
    let address = memchr::memchr(b']', value)? + 1;
    let end =
        address + memchr::memchr(b']', value[address..].get(..8).unwrap_or(&value[address..]))?;
    let rest = &value[end + 1..];
    Some((&value[..end], rest.strip_prefix(b" ").unwrap_or(rest)))
}

fn error_number(text: &[u8]) -> Option<i64> {
    if let Some(hex) = text.strip_prefix(b"os 0x") {
        return i64::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok();
    }
    let digits = text.strip_prefix(b"EAI ").or(text.strip_prefix(b"OS ")).unwrap_or(text);
    signed(digits)
}

/// Splits `203.0.113.9:51004` and `2001:db8::7:51004` at the last colon.
pub(super) fn address_and_port(text: &[u8]) -> (&[u8], Option<i64>) {
    let Some(colon) = memchr::memrchr(b':', text) else { return (text, None) };
    match integer(&text[colon + 1..]).filter(|port| *port <= 65_535) {
        Some(port) => (without_brackets(&text[..colon]), Some(port)),
        None => (without_brackets(text), None),
    }
}

fn without_brackets(address: &[u8]) -> &[u8] {
    let inner = address.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    inner.unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_16_parts_in_either_order() {
        let new = stamped(b"[Thu Mar 07 09:15:02.4 2024] [core:error] [pid 8] (13)Permission denied: [client 2001:db8::7:51004] AH00035: access").unwrap();
        let old = stamped(b"[Thu Mar 07 09:15:02 2024] [error] [client 2001:db8::7] (13)Permission denied: access").unwrap();
        assert_eq!((new.errno, new.strerror), (old.errno, old.strerror));
        assert_eq!((new.module, old.module), (Some(&b"core"[..]), None));
        assert_eq!((new.pid, new.tid), (Some(8), None));
        assert_eq!((new.code, new.message), (Some(&b"AH00035"[..]), &b"access"[..]));
        assert_eq!(old.client, Some(&b"2001:db8::7"[..]));
        assert_eq!(address_and_port(new.client.unwrap()), (&b"2001:db8::7"[..], Some(51004)));
        let bracketed = stamped(b"[Thu Mar 07 09:15:02.4 2024] [a:error] [pid 8] [client [2001:db8::7]:51004] AH00035: access").unwrap();
        assert_eq!(bracketed.message, b"access");
        let client = address_and_port(bracketed.client.unwrap());
        assert_eq!(client, (&b"2001:db8::7"[..], Some(51004)));
    }

    #[test]
    fn trap_16_empty_modules_and_strange_errors() {
        let head =
            stamped(b"[Thu Mar 07 09:15:02.4 2024] [:error] [pid 8] [client 1.2.3.4:5] [x] y")
                .unwrap();
        assert_eq!((head.module, head.message), (Some(&b""[..]), &b"[x] y"[..]));
        for (text, number, words) in [
            ("(EAI 3)Temporary failure: x", 3, "Temporary failure"),
            ("(OS 10061)refused it.  : x", 10061, "refused it."),
            ("(os 0x0000274d)refused: x", 0x274d, "refused"),
            ("(-102)Unknown error -102: x", -102, "Unknown error -102"),
            ("(20014)Internal error (none): x", 20014, "Internal error (none)"),
        ] {
            let text = format!("[Thu Mar 07 09:15:02 2024] [a:error] {text}");
            let head = stamped(text.as_bytes()).unwrap();
            assert_eq!((head.errno, head.strerror), (Some(number), Some(words.as_bytes())));
            assert_eq!(head.message, b"x");
        }
        let head = stamped(b"[Thu Mar 07 09:15:02 2024] [a:error] (none) of it: x").unwrap();
        assert_eq!((head.errno, head.message), (None, &b"(none) of it: x"[..]));
    }

    #[test]
    fn sources_stand_at_debug_only() {
        let debug = stamped(b"[Thu Mar 07 09:15:02 2024] [a:trace3] a_b.c(12): x y").unwrap();
        assert_eq!(debug.message, b"x y");
        let error = stamped(b"[Thu Mar 07 09:15:02 2024] [a:error] a_b.c(12): x y").unwrap();
        assert_eq!(error.message, b"a_b.c(12): x y");
    }

    /// Seen on a running server with log ids, the virtual host and sources in its `ErrorLogFormat`: the numbers of messages
    /// were not found, and a refusal was an error of kind `other`.
    #[test]
    fn parts_of_an_error_log_format_of_ones_own() {
        let front = "[2024-03-07 09:15:02.418123 +0100] [authz_core:error] [pid 8:tid 9]";
        for parts in [
            "[req aw3f] [conn CHcJ] [client 1.2.3.4:5] mod_authz_core.c(879):",
            "[client 1.2.3.4:5] [shop.example]",
            "[req [conn [client 1.2.3.4:5] core.c(7):",
            "[R:aw3f] [C:CHcJ] [client 1.2.3.4:5] [a] [b] [c] (13)Permission denied:",
        ] {
            let text = format!("{front} {parts} AH01630: client denied");
            let head = stamped(text.as_bytes()).unwrap();
            assert_eq!(head.code, Some(&b"AH01630"[..]), "{parts}");
            assert_eq!(head.client, Some(&b"1.2.3.4:5"[..]), "{parts}");
            assert_eq!(head.message, b"client denied", "{parts}");
        }
        let many = format!("{front} {}AH01630: x", "[a] ".repeat(2_000));
        assert_eq!(stamped(many.as_bytes()).unwrap().code, None);
        let text = format!("{front} [a] he said AH01630: x");
        assert_eq!(stamped(text.as_bytes()).unwrap().message, b"[a] he said AH01630: x");
    }

    #[test]
    fn cut_heads() {
        for text in [
            "[Thu Mar 07 09:15:02",
            "[Thu Mar 07 09:15:02 2024]",
            "[Thu Mar 07 09:15:02 2024] [a:er",
        ] {
            assert_eq!(stamped(text.as_bytes()), Err(Reason::Truncated), "{text}");
        }
    }
}
