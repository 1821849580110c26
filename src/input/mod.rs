//! How bytes get from files to threads. Nothing here knows what a log looks like.
//!
//! [`discover()`] turns what the user named into [`Source`]s; [`Input::open`] opens one and tells its compression;
//! [`Input::head`] shows its first bytes to whoever chooses the format; and a [`Feed`] hands the bytes of many inputs to
//! many threads, in [`Piece`]s that begin and end where a record does. Afterwards [`Feed::into_accounts`] says what became
//! of each input: every byte was in exactly one piece or is in exactly one [`Gap`].
//!
//! ```
//! # fn main() -> logmill::Result<()> {
//! use logmill::input::{Feed, FeedOptions, Framing, Hand, Input};
//!
//! let text = "GET /\nGET /about\n";
//! let input = Input::from_reader("two lines", text.as_bytes())?;
//! let feed = Feed::new(vec![(input, Framing::Lines)], FeedOptions::default());
//! let mut hand = Hand::default();
//! let mut lines = 0;
//! while let Some(piece) = feed.next(&mut hand) {
//!     lines += piece.bytes().iter().filter(|&&byte| byte == b'\n').count();
//! }
//! assert_eq!(lines, 2);
//! assert!(feed.into_accounts().iter().all(|account| account.is_whole()));
//! # Ok(())
//! # }
//! ```

mod account;
mod codec;
mod discover;
mod feed;
mod frame;
mod handle;
mod map;
mod pager;
mod ranges;
mod raw;
mod relay;
mod series;
mod source;
mod unwrap;
mod window;

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::{Error, Result};
use crate::input::codec::MAGIC_BYTES;
use crate::input::handle::{Handle, Identity};
use crate::input::pager::Stream;
use crate::input::raw::Raw;
use crate::input::unwrap::{Unwrapper, Wrapped};

pub use account::{Account, Gap, Reason};
pub use codec::Compression;
pub use discover::{DiscoverOptions, Discovered, Repeat, discover};
pub use feed::{Feed, FeedOptions, Hand, Mmap, Piece};
pub use frame::{Around, Framing, OPENING_BYTES, Start};
pub use source::{Origin, Source};
pub use unwrap::Wrapping;

/// Packed bytes of a pipe that [`Input::head`] may take to decode the head asked for, over the head's own length.
const HEAD_ROOM: usize = 1 << 20;

/// Bytes taken from a pipe at a time while looking at its head.
const HEAD_STEP: usize = 64 << 10;

/// A source that was opened: its compression is known, and nothing of it is consumed yet.
#[derive(Debug)]
pub struct Input {
    source: Source,
    compression: Compression,
    body: Body,
    /// How it is packed, in words, where that is more than the compression of what is read.
    packing: Option<String>,
}

/// Where the bytes are.
pub(crate) enum Body {
    /// A regular file, read by position up to `size`.
    File { handle: Handle, size: u64 },
    /// A regular file whose lines are wrapped, unwrapped whenever it is read.
    Wrapped(Wrapped),
    /// A pipe, a device or a reader; `held` was taken from it to look at it.
    Pipe { held: Vec<u8>, reader: Box<dyn Read + Send> },
}

impl Input {
    /// Opens a source and tells its compression by its first bytes, never by its name.
    ///
    /// Opening a named pipe waits for its writer. Fails when the source cannot be opened, and for archives and
    /// databases that only another tool can read as a log.
    pub fn open(source: &Source) -> Result<Self> {
        match &source.origin {
            Origin::Stdin => {
                let name = Path::new("/dev/stdin");
                let copy = io::stdin().as_fd().try_clone_to_owned();
                let file = copy.map_err(|error| Error::io("read", name, error))?;
                Self::of_file(source, name, File::from(file))
            }
            Origin::Path(path) => {
                let file = File::open(path).map_err(|error| source::open_error(path, error))?;
                Self::of_file(source, path, file)
            }
        }
    }

    /// An input from any reader, under a name of the caller's choice.
    pub fn from_reader(name: &str, reader: impl Read + Send + 'static) -> Result<Self> {
        let mut source = Source::stdin();
        source.name = name.to_string();
        Self::of_reader(&source, Box::new(reader))
    }

    fn of_file(source: &Source, path: &Path, mut file: File) -> Result<Self> {
        let failed = |error: io::Error| Error::io("read", path, error);
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(Error::input("is a directory").at(path));
        }
        // A shell may hand over a file as standard input that it has already read from.
        let mut is_fresh = || file.stream_position().is_ok_and(|position| position == 0);
        if !metadata.is_file() || metadata.len() == 0 || !is_fresh() {
            return Self::of_reader(source, Box::new(file));
        }
        let mut head = [0; MAGIC_BYTES];
        let read = file.read_at(&mut head, 0).map_err(failed)?;
        let compression = told_by(&head[..read], &source.name)?;
        let handle = Handle::new(path, Identity::of(&metadata), file);
        let body = Body::File { handle, size: metadata.len() };
        Ok(Self { source: source.clone(), compression, body, packing: None })
    }

    fn of_reader(source: &Source, mut reader: Box<dyn Read + Send>) -> Result<Self> {
        let mut held = Vec::new();
        let failed = |error| Error::io("read", Path::new(&source.name), error);
        hold(&mut held, &mut reader, MAGIC_BYTES).map_err(failed)?;
        let compression = told_by(&held, &source.name)?;
        let body = Body::Pipe { held, reader };
        Ok(Self { source: source.clone(), compression, body, packing: None })
    }

    /// The source that was opened.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// How the bytes are packed.
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// How the bytes are packed, in words.
    pub fn packing(&self) -> &str {
        self.packing.as_deref().unwrap_or_else(|| self.compression.name())
    }

    /// The lines that are wrapped in its lines, as an input of their own; sizes and offsets are then those of the lines.
    pub fn unwrapped(self, wrapping: Wrapping) -> Result<Self> {
        let Self { mut source, compression, body, .. } = self;
        let packing = match compression {
            Compression::Plain => wrapping.words().to_owned(),
            packed => format!("{}, {}", packed.name(), wrapping.words()),
        };
        let failed = |error| Error::io("read", Path::new(&source.name), error);
        // How much comes out nobody knows beforehand.
        source.size = None;
        let body = match body {
            Body::File { handle, size } => {
                Body::Wrapped(Wrapped::new(handle, size, compression, wrapping))
            }
            Body::Wrapped(wrapped) => Body::Wrapped(wrapped.further(wrapping)),
            Body::Pipe { held, reader } => {
                let stream = Stream::new(Raw::pipe(held, reader), compression).map_err(failed)?;
                let reader = Box::new(Unwrapper::new(stream, wrapping));
                Body::Pipe { held: Vec::new(), reader }
            }
        };
        Ok(Self { source, compression: Compression::Plain, body, packing: Some(packing) })
    }

    /// The first decompressed bytes, at most `limit`; nothing is consumed. Fewer when the input ends or breaks before.
    ///
    /// Waits for a pipe until it has given that much or is closed.
    pub fn head(&mut self, limit: usize) -> Result<Vec<u8>> {
        let failed = |error| Error::io("read", Path::new(&self.source.name), error);
        match &mut self.body {
            Body::File { handle, size } => {
                let raw = Raw::file(handle.file()?, *size);
                decode_head(raw, self.compression, limit).map_err(failed)
            }
            Body::Wrapped(wrapped) => {
                decode_head(wrapped.open()?, self.compression, limit).map_err(failed)
            }
            Body::Pipe { held, reader } => {
                pipe_head(held, reader, self.compression, limit).map_err(failed)
            }
        }
    }

    /// Whole lines from `places` places behind the first `from` bytes, about `len` bytes each; nothing is consumed. Of
    /// packed files and of pipes there are none: only reading all of them would tell.
    pub fn excerpts(&self, from: u64, places: u64, len: usize) -> Vec<u8> {
        let Body::File { handle, size } = &self.body else { return Vec::new() };
        let (Compression::Plain, Ok(file)) = (self.compression, handle.file()) else {
            return Vec::new();
        };
        let last = size.saturating_sub(len as u64);
        let mut lines = Vec::new();
        for place in 1..=places {
            let offset = from + last.saturating_sub(from) * place / places;
            let mut text = vec![0; len];
            let read = file.read_at(&mut text, offset).unwrap_or(0);
            let first = memchr::memchr(b'\n', &text[..read]).map_or(read, |end| end + 1);
            let end = memchr::memrchr(b'\n', &text[..read]).map_or(first, |end| end + 1);
            lines.extend_from_slice(&text[first..end.max(first)]);
        }
        lines
    }

    pub(crate) fn into_parts(self) -> (Source, Compression, Body) {
        (self.source, self.compression, self.body)
    }
}

/// Takes more and more of a pipe until the head is complete, the pipe ends, or it has taken enough.
fn pipe_head(
    held: &mut Vec<u8>,
    reader: &mut Box<dyn Read + Send>,
    compression: Compression,
    limit: usize,
) -> io::Result<Vec<u8>> {
    loop {
        let raw = Raw::pipe(held.clone(), Box::new(io::empty()));
        let head = decode_head(raw, compression, limit)?;
        let before = held.len();
        if head.len() >= limit || before > limit.saturating_add(HEAD_ROOM) {
            return Ok(head);
        }
        let want = match compression {
            Compression::Plain => limit,
            _ => (2 * before).max(HEAD_STEP),
        };
        let result = hold(held, reader, want);
        if held.len() == before {
            return result.map(|()| head);
        }
        if result.is_err() {
            // What came before counts; reading on will say what is wrong.
            return decode_head(Raw::pipe(held.clone(), Box::new(io::empty())), compression, limit);
        }
    }
}

/// Takes from the pipe until `len` bytes are held or it ends.
fn hold(held: &mut Vec<u8>, reader: &mut Box<dyn Read + Send>, len: usize) -> io::Result<()> {
    let missing = len.saturating_sub(held.len());
    reader.take(missing as u64).read_to_end(held).map(|_| ())
}

/// Decodes up to `limit` bytes. A broken stream has the head that it has; reading it will say what is wrong.
fn decode_head(raw: Raw, compression: Compression, limit: usize) -> io::Result<Vec<u8>> {
    let mut stream = Stream::new(raw, compression)?;
    let mut head = vec![0; limit];
    let mut len = 0;
    while len < limit {
        match stream.read(&mut head[len..]) {
            Ok(0) | Err(_) => break,
            Ok(read) => len += read,
        }
    }
    head.truncate(len);
    Ok(head)
}

/// The compression that the first bytes tell; an error for what is recognised and cannot be read as a log.
fn told_by(head: &[u8], name: &str) -> Result<Compression> {
    let foreign = match head {
        [b'P', b'K', 3, 4, ..] => Some(("a zip archive", "unzip -p FILE | logmill report -")),
        [b'7', b'z', 0xbc, 0xaf, ..] => Some(("a 7z archive", "7z x -so FILE | logmill report -")),
        [0x04, 0x22, 0x4d, 0x18, ..] => Some(("lz4 data", "lz4 -dc FILE | logmill report -")),
        [b'L', b'Z', b'I', b'P', ..] => Some(("lzip data", "lzip -dc FILE | logmill report -")),
        [0x1f, 0x9d, ..] => Some(("compress data", "zcat FILE | logmill report -")),
        [b'L', b'P', b'K', b'S', b'H', b'H', b'R', b'H'] => {
            let advice = "journalctl --file FILE -o short-iso-precise | logmill report -";
            Some(("a systemd journal", advice))
        }
        _ => None,
    };
    match foreign {
        Some((what, advice)) => {
            Err(Error::input(format!("is {what}, which logmill does not read"))
                .at(Path::new(name))
                .advise(advice.replace("FILE", name)))
        }
        None => Ok(Compression::of(head)),
    }
}

/// True when decompressed bytes are no text of any log: more than a tenth are control bytes.
///
/// Zero bytes at the front do not count: a log that was truncated under its writer begins with a hole.
pub fn looks_binary(head: &[u8]) -> bool {
    let hole = head.iter().take_while(|&&byte| byte == 0).count();
    let text = &head[hole..];
    let is_control = |&&byte: &&u8| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x1b);
    text.iter().filter(is_control).count() * 10 > text.len()
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { size, .. } => f.debug_struct("File").field("size", size).finish(),
            Self::Wrapped(wrapped) => wrapped.fmt(f),
            Self::Pipe { held, .. } => f.debug_struct("Pipe").field("held", &held.len()).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_of_a_pipe_is_replayed() {
        let mut input = Input::from_reader("pipe", "one\ntwo\n".as_bytes()).unwrap();
        assert_eq!(input.head(5).unwrap(), b"one\nt");
        assert_eq!(input.head(100).unwrap(), b"one\ntwo\n");
        let feed = Feed::new(vec![(input, Framing::Lines)], FeedOptions::default());
        let mut hand = Hand::default();
        assert_eq!(feed.next(&mut hand).unwrap().bytes(), b"one\ntwo\n");
    }

    #[test]
    fn an_archive_is_refused_with_the_command_that_reads_it() {
        let error = Input::from_reader("logs.zip", &b"PK\x03\x04rest"[..]).unwrap_err();
        assert!(error.to_string().contains("zip archive"), "{error}");
        assert_eq!(error.advice(), Some("unzip -p logs.zip | logmill report -"));
    }

    #[test]
    fn text_with_a_hole_in_front_is_no_binary() {
        assert!(!looks_binary(b""));
        assert!(!looks_binary(b"\0\0\0\0\0\0::1 - -\n"));
        assert!(!looks_binary("GET /caf\u{e9}\t\x1b[0m\r\n".as_bytes()));
        assert!(looks_binary(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"));
    }
}
