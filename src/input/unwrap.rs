//! Logs that somebody has wrapped, each line as a text in a JSON object: `{"log":"…\n","stream":"stdout","time":"…"}` of
//! Docker's json-file driver, `{"message":"…"}` of shippers.
//!
//! What comes out are the lines as they were before, so that no format has to know. Docker cuts lines of more than
//! 16 KiB; what it left without a line feed is joined with what follows. A line that is no such object is handed on as it
//! is: its format will refuse it, and the ledger will tell. The envelope's own time and stream are dropped.

use std::io::{self, Read};

use memchr::memchr;

use super::codec::Damage;
use super::pager::Stream;

/// How many bytes are taken at a time.
const STEP: usize = 256 << 10;
/// A line that is longer is handed on as it is.
const LONGEST: usize = 16 << 20;

/// The members under which lines are wrapped.
const NAMES: [&str; 2] = ["log", "message"];

/// How lines are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrapping {
    name: &'static str,
    /// The texts end in line feeds of their own; those without are to be joined.
    has_ends: bool,
}

impl Wrapping {
    /// How the lines of a head are wrapped, if all of the first ones are.
    pub fn of(head: &[u8]) -> Option<Self> {
        let end = memchr::memrchr(b'\n', head).map_or(head.len(), |end| end + 1);
        let lines: Vec<&[u8]> = lines(&head[..end]).take(20).collect();
        let name = NAMES.into_iter().find(|name| {
            !lines.is_empty() && lines.iter().all(|line| member(line, name.as_bytes()).is_some())
        })?;
        let ends = |line: &&&[u8]| {
            member(line, name.as_bytes()).is_some_and(|text| text.ends_with(b"\\n"))
        };
        let has_ends = lines.iter().filter(ends).count() * 2 > lines.len();
        Some(Self { name, has_ends })
    }

    /// True for Docker's own, which nobody else writes: a log line, the stream that it came from, and when.
    pub fn is_certain(self, head: &[u8]) -> bool {
        let first = lines(head).next().unwrap_or_default();
        ["log", "stream", "time"].iter().all(|name| member(first, name.as_bytes()).is_some())
    }

    /// The lines of a text as they were.
    pub fn unwrap(self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(text.len());
        text.split_inclusive(|byte| *byte == b'\n').for_each(|line| self.line(line, &mut out));
        out
    }

    fn line(self, line: &[u8], out: &mut Vec<u8>) {
        let Some(text) = member(line.trim_ascii_end(), self.name.as_bytes()) else {
            return out.extend_from_slice(line);
        };
        unescape(text, out);
        if !self.has_ends && out.last() != Some(&b'\n') {
            out.push(b'\n');
        }
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

/// The text of a member of the object that a line is, still escaped; `None` when the line is none or has no such text.
fn member<'t>(line: &'t [u8], name: &[u8]) -> Option<&'t [u8]> {
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
fn unescape(mut text: &[u8], out: &mut Vec<u8>) {
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

/// Reads a stream of wrapped lines as the lines that they were.
pub(crate) struct Unwrapper {
    stream: Stream,
    wrapping: Wrapping,
    /// Wrapped bytes of which the last line is not whole.
    held: Vec<u8>,
    /// Unwrapped bytes, handed out up to `given`.
    ready: Vec<u8>,
    given: usize,
    is_done: bool,
    /// What kept the stream from its end: told when all before it was handed out, and again whenever it is asked for.
    failure: Option<String>,
}

impl Unwrapper {
    pub(crate) fn new(stream: Stream, wrapping: Wrapping) -> Self {
        Self {
            stream,
            wrapping,
            held: Vec::new(),
            ready: Vec::new(),
            given: 0,
            is_done: false,
            failure: None,
        }
    }

    /// Unwraps the next lines.
    fn refill(&mut self) {
        self.ready.clear();
        self.given = 0;
        let before = self.held.len();
        self.held.resize(before + STEP, 0);
        let read = match self.stream.read(&mut self.held[before..]) {
            Ok(read) => read,
            Err(damage) => {
                self.failure = Some(words(damage));
                0
            }
        };
        self.held.truncate(before + read);
        self.is_done = read == 0;
        let whole = match memchr::memrchr(b'\n', &self.held) {
            _ if self.is_done || self.held.len() > LONGEST => self.held.len(),
            end => end.map_or(0, |end| end + 1),
        };
        self.ready = self.wrapping.unwrap(&self.held[..whole]);
        self.held.drain(..whole);
    }
}

fn words(damage: Damage) -> String {
    match damage {
        Damage::Unreadable(error) => error.to_string(),
        Damage::EndsEarly { at } => format!("the stream ends early at byte {at}"),
        Damage::Corrupt { near } | Damage::TooLarge { near } => {
            format!("the stream is damaged near byte {near}")
        }
    }
}

impl Read for Unwrapper {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.ready.len() && !self.is_done {
            self.refill();
        }
        let ready = &self.ready[self.given..];
        match &self.failure {
            Some(failure) if ready.is_empty() => return Err(io::Error::other(failure.clone())),
            _ => {}
        }
        let len = ready.len().min(buffer.len());
        buffer[..len].copy_from_slice(&ready[..len]);
        self.given += len;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unwrapped(text: &str) -> Option<String> {
        let wrapping = Wrapping::of(text.as_bytes())?;
        Some(String::from_utf8(wrapping.unwrap(text.as_bytes())).unwrap())
    }

    #[test]
    fn lines_of_docker() {
        let text = concat!(
            r#"{"log":"::1 - \"GET / HTTP/1.1\" \\x22\n","stream":"stdout","time":"2024-03-07T08:15:02.4Z"}"#,
            "\n",
            r#"{"log":"caf\u00e9 \ud83d\ude00 \u0026\n","stream":"stderr","time":"2024-03-07T08:15:02.4Z"}"#,
            "\n",
        );
        assert_eq!(unwrapped(text).unwrap(), "::1 - \"GET / HTTP/1.1\" \\x22\ncafé 😀 &\n");
        let wrapping = Wrapping::of(text.as_bytes()).unwrap();
        assert!(wrapping.is_certain(text.as_bytes()));
    }

    #[test]
    fn what_was_cut_is_joined() {
        let text = "{\"log\":\"a\\n\"}\n{\"log\":\"b\"}\n{\"log\":\"c\\n\"}\n{\"log\":\"d\\n\"}\n";
        assert_eq!(unwrapped(text).unwrap(), "a\nbc\nd\n");
    }

    #[test]
    fn messages_of_shippers() {
        let text = "{\"host\":{\"name\":\"message\"},\"message\":\"one\",\"n\":[1,2]}\n{\"message\":\"two\"}\n";
        assert_eq!(unwrapped(text).unwrap(), "one\ntwo\n");
        assert!(!Wrapping::of(text.as_bytes()).unwrap().is_certain(text.as_bytes()));
    }

    #[test]
    fn what_is_not_wrapped() {
        for text in
            ["", "\n", "{\"status\":200}\n", "{\"message\":7}\n", "{\"message\":\"x\n", "log\n"]
        {
            assert_eq!(unwrapped(text), None, "{text}");
        }
        let mixed = Wrapping { name: "log", has_ends: true };
        assert_eq!(mixed.unwrap(b"plain\n{\"log\":\"a\\n\"}\n"), b"plain\na\n");
    }
}
