//! Logs whose lines somebody has wrapped: in JSON objects, as Docker and shippers do; in parts, as the container runtimes
//! of Kubernetes do with long lines ([`cri`]); in the entries of a journal ([`journal`]).
//!
//! What comes out are lines as formats know them, so that no format has to know. What is no such line is handed on as it
//! is: its format will refuse it, and the ledger will tell. Of Docker's objects and those of shippers the lines inside
//! come out, without the envelope's own time and stream.

mod bare;
mod cri;
mod journal;
mod json;
mod parts;

use std::fmt;
use std::io::{self, Read};

use self::json::member;
use self::parts::{Parts, Pipe};
use super::codec::{Compression, Damage};
use super::handle::Handle;
use super::pager::Stream;
use super::raw::Raw;
use crate::error::{Error, Result};
use crate::escape::unescape;

/// How many bytes are taken at a time.
const STEP: usize = 256 << 10;
/// A line that is longer is handed on as it is.
const LONGEST: usize = 16 << 20;
/// How many of the first lines tell.
const FIRST_LINES: usize = 20;

/// The members under which lines are wrapped.
const NAMES: [&str; 2] = ["log", "message"];

/// How lines are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrapping {
    /// Each as a text in a JSON object.
    Json {
        /// The member that holds it.
        name: &'static str,
        /// The texts end in line feeds of their own; those without are to be joined.
        has_ends: bool,
    },
    /// As container runtimes write them down: long ones in parts.
    Cri,
    /// Each behind what a container runtime or compose put in front of it: for records of several lines, which an envelope
    /// before each of them tears apart.
    Bare,
    /// As `journalctl -o json` writes entries.
    JournalJson,
    /// As `journalctl -o export` does.
    JournalExport,
}

impl Wrapping {
    /// How the lines of a head are wrapped, if all of the first ones are.
    pub fn of(head: &[u8]) -> Option<Self> {
        let end = memchr::memrchr(b'\n', head).map_or(head.len(), |end| end + 1);
        let lines: Vec<&[u8]> = lines(&head[..end]).take(FIRST_LINES).collect();
        let are_all =
            |is: &dyn Fn(&[u8]) -> bool| !lines.is_empty() && lines.iter().all(|line| is(line));
        if journal::is_export(head) {
            return Some(Self::JournalExport);
        }
        if are_all(&|line| cri::Part::of(line).is_some()) {
            return Some(Self::Cri);
        }
        if are_all(&journal::is_entry) {
            return Some(Self::JournalJson);
        }
        if bare::is_of_one_container(&lines) {
            return Some(Self::Bare);
        }
        let name = NAMES
            .into_iter()
            .find(|name| are_all(&|line| member(line, name.as_bytes()).is_some()))?;
        let ends = |line: &&&[u8]| {
            member(line, name.as_bytes()).is_some_and(|text| text.ends_with(b"\\n"))
        };
        let has_ends = lines.iter().filter(ends).count() * 2 > lines.len();
        Some(Self::Json { name, has_ends })
    }

    /// True for what nobody else writes: of JSON, for Docker's own, a log line, the stream that it came from, and when.
    pub fn is_certain(self, head: &[u8]) -> bool {
        let first = lines(head).next().unwrap_or_default();
        let is_docker = || {
            ["log", "stream", "time"].iter().all(|name| member(first, name.as_bytes()).is_some())
        };
        !matches!(self, Self::Json { .. } | Self::Bare) || is_docker()
    }

    /// What is left to try when no format knows the lines that came out.
    pub fn further(self) -> Option<Self> {
        matches!(self, Self::Cri).then_some(Self::Bare)
    }

    /// The words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Json { .. } => "in JSON",
            Self::Cri => "in CRI lines",
            Self::Bare => "behind envelopes",
            Self::JournalJson => "in a journal's JSON",
            Self::JournalExport => "in a journal's export",
        }
    }
}

/// Opens up what is wrapped, as it comes in.
trait Opening: Send {
    /// Opens up what is whole of a text into `out`, and says how many bytes of it are done with. After the `last` text
    /// nothing follows.
    fn open(&mut self, text: &[u8], last: bool, out: &mut Vec<u8>) -> usize;
}

fn opening(wrapping: Wrapping) -> Box<dyn Opening> {
    match wrapping {
        Wrapping::Json { name, has_ends } => {
            Box::new(Objects { name, has_ends, parts: Parts::default() })
        }
        Wrapping::Cri => Box::new(cri::Joining::default()),
        Wrapping::Bare => Box::new(bare::Baring::default()),
        Wrapping::JournalJson => Box::new(journal::Entries),
        Wrapping::JournalExport => Box::new(journal::Export),
    }
}

/// The lines of a text that are whole.
fn whole_lines(text: &[u8], last: bool) -> &[u8] {
    match memchr::memrchr(b'\n', text) {
        _ if last || text.len() > LONGEST => text,
        end => &text[..end.map_or(0, |end| end + 1)],
    }
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty())
}

/// Texts in JSON objects. Docker cuts lines of more than 16 KiB: what it left without a line feed is joined with what
/// follows from the same pipe.
struct Objects {
    name: &'static str,
    has_ends: bool,
    parts: Parts,
}

impl Opening for Objects {
    fn open(&mut self, text: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
        let whole = whole_lines(text, last);
        whole.split_inclusive(|byte| *byte == b'\n').for_each(|line| self.line(line, out));
        if last {
            self.parts.flush(out);
        }
        whole.len()
    }
}

impl Objects {
    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let object = line.trim_ascii_end();
        let Some(text) = member(object, self.name.as_bytes()) else {
            return out.extend_from_slice(line);
        };
        if !self.has_ends {
            unescape(text, out);
            if out.last() != Some(&b'\n') {
                out.push(b'\n');
            }
            return;
        }
        let pipe = Pipe::named(member(object, b"stream").unwrap_or_default());
        let held = self.parts.of(pipe);
        unescape(text, held);
        if held.ends_with(b"\n") || held.len() > LONGEST {
            out.append(held);
        }
    }
}

/// A file of wrapped lines. Only while it is read it needs a descriptor and room to decode: a folder may hold thousands.
#[derive(Debug)]
pub(crate) struct Wrapped {
    handle: Handle,
    size: u64,
    compression: Compression,
    /// From the outside to the inside.
    wrappings: Vec<Wrapping>,
}

impl Wrapped {
    /// A file of that size, and how its lines are wrapped.
    pub(crate) fn new(
        handle: Handle,
        size: u64,
        compression: Compression,
        wrapping: Wrapping,
    ) -> Self {
        Self { handle, size, compression, wrappings: vec![wrapping] }
    }

    /// With lines that are wrapped once more inside.
    pub(crate) fn further(mut self, wrapping: Wrapping) -> Self {
        self.wrappings.push(wrapping);
        self
    }

    /// The lines that were wrapped, from the first one on.
    pub(crate) fn open(&self) -> Result<Raw> {
        let mut raw = Raw::file(self.handle.file()?, self.size);
        let mut compression = self.compression;
        for wrapping in &self.wrappings {
            let stream = Stream::new(raw, compression)
                .map_err(|error| Error::io("read", self.handle.path(), error))?;
            raw = Raw::pipe(Vec::new(), Box::new(Unwrapper::new(stream, *wrapping)));
            compression = Compression::Plain;
        }
        Ok(raw)
    }
}

/// Reads a stream of wrapped lines as the lines that they were.
pub(crate) struct Unwrapper {
    stream: Stream,
    opening: Box<dyn Opening>,
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
            opening: opening(wrapping),
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
        let done = self.opening.open(&self.held, self.is_done, &mut self.ready);
        self.held.drain(..done);
    }
}

impl fmt::Debug for Unwrapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unwrapper").field("held", &self.held.len()).finish_non_exhaustive()
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

    /// What comes out, and that it is the same when the text comes in small pieces.
    fn unwrapped(text: &str) -> Option<String> {
        Some(opened(Wrapping::of(text.as_bytes())?, text.as_bytes()))
    }

    fn opened(wrapping: Wrapping, text: &[u8]) -> String {
        let in_steps = |step: usize| {
            let (mut opening, mut out, mut held) = (opening(wrapping), Vec::new(), Vec::new());
            for piece in text.chunks(step) {
                held.extend_from_slice(piece);
                let done = opening.open(&held, false, &mut out);
                held.drain(..done);
            }
            opening.open(&held, true, &mut out);
            String::from_utf8(out).unwrap()
        };
        let whole = in_steps(text.len().max(1));
        for step in [1, 2, 7, 64] {
            assert_eq!(in_steps(step), whole, "in steps of {step}");
        }
        whole
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

    /// A part of one pipe's line was joined with the line of the other.
    #[test]
    fn parts_of_two_pipes_are_kept_apart() {
        let object =
            |stream: &str, log: &str| format!("{{\"log\":\"{log}\",\"stream\":\"{stream}\"}}\n");
        let text = [
            object("stdout", "a\\n"),
            object("stdout", "b"),
            object("stderr", "E\\n"),
            object("stdout", "c\\n"),
            object("stderr", "F"),
            object("stdout", "d"),
        ];
        assert_eq!(
            opened(Wrapping::Json { name: "log", has_ends: true }, text.concat().as_bytes()),
            "a\nE\nbc\nd\nF"
        );
    }

    #[test]
    fn parts_of_container_runtimes_are_joined() {
        let text = concat!(
            "2024-03-07T08:15:02.4Z stdout P a",
            "\n2024-03-07T08:15:02.5Z stderr P E",
            "\n2024-03-07T08:15:02.6Z stdout P b ",
            "\n2024-03-07T08:15:02.7Z stdout F c",
            "\n2024-03-07T08:15:02.8Z stdout F d",
            "\n2024-03-07T08:15:02.9Z stderr F F",
            "\n2024-03-07T08:15:03.0Z stderr P cut",
            "\n",
        );
        assert_eq!(Wrapping::of(text.as_bytes()), Some(Wrapping::Cri));
        assert_eq!(
            unwrapped(text).unwrap(),
            concat!(
                "2024-03-07T08:15:02.4Z stdout F ab c\n",
                "2024-03-07T08:15:02.8Z stdout F d\n",
                "2024-03-07T08:15:02.5Z stderr F EF\n",
                "2024-03-07T08:15:03.0Z stderr P cut",
            )
        );
    }

    const ENTRY: &str = "2024-03-07T08:15:02.418123+00:00 web1 nginx[77]: ";

    #[test]
    fn entries_of_a_journal_in_json() {
        let entry = |message: &str| {
            format!(
                "{{\"__REALTIME_TIMESTAMP\":\"1709799302418123\",\"_HOSTNAME\":\"web1\",\"SYSLOG_IDENTIFIER\":\"nginx\",\"MESSAGE\":{message},\"_PID\":\"77\"}}\n"
            )
        };
        let text =
            [entry("\"GET \\\"/\\\"\""), entry("[99,97,102,195,169]"), entry("null")].concat();
        let nothing = entry("null");
        assert_eq!(unwrapped(&text).unwrap(), format!("{ENTRY}GET \"/\"\n{ENTRY}café\n{nothing}"));
    }

    #[test]
    fn entries_of_a_journal_as_exported() {
        let names = "__CURSOR=s=1\n__REALTIME_TIMESTAMP=1709799302418123\n_HOSTNAME=web1\nSYSLOG_IDENTIFIER=nginx\n_PID=77\n";
        let binary = "MESSAGE\n\u{5}\0\0\0\0\0\0\0a\n\nb=\n";
        let text = format!(
            "{names}MESSAGE=one\n\n{names}{binary}\n{names}PRIORITY=6\n\n{names}MESSAGE=last\n"
        );
        assert_eq!(
            unwrapped(&text).unwrap(),
            format!("{ENTRY}one\n{ENTRY}a\n\nb=\n{ENTRY}\n{ENTRY}last\n")
        );
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
        let mixed = Wrapping::Json { name: "log", has_ends: true };
        assert_eq!(opened(mixed, b"plain\n{\"log\":\"a\\n\"}\n"), "plain\na\n");
    }
}
