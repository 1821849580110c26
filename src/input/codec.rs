//! The compressions: told apart by their first bytes, and undone member by member.
//!
//! A compressed file is one *member* or several one behind the other (`cat a.gz b.gz`, pigz, pbzip2, pzstd, log
//! shippers that append). [`Codec`] undoes one member with the library that knows it; [`Members`] goes through them,
//! and knows what may stand between and behind: zero padding is fine, anything else is garbage and said.
//!
//! Output goes straight into the caller's buffer, which is large: inflating 256 KiB at a time into the page that is
//! then parsed spares the copies that the libraries' own readers make.

use std::io;

use flate2::FlushDecompress;
use liblzma::stream::Action;
use zstd::stream::raw::Operation;

use crate::input::raw::Raw;

/// Compressed bytes held at a time.
const INPUT_BYTES: usize = 256 << 10;

/// How many bytes tell every compression; fewer are in an input only when it ends before.
pub(crate) const MAGIC_BYTES: usize = 8;

/// The memory that an xz file may ask for. `xz -9` asks for 65 MiB.
const XZ_MEMORY: u64 = 256 << 20;

/// How an input's bytes are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    Plain,
    /// RFC 1952, as gzip, pigz and zopfli write it.
    Gzip,
    /// RFC 8878, skippable frames included.
    Zstd,
    /// As bzip2 and pbzip2 write it.
    Bzip2,
    /// The .xz container.
    Xz,
}

impl Compression {
    /// Tells the compression by the first eight bytes of an input; what no magic claims is plain.
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] if is_bzip2_block(rest) => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            _ => Self::Plain,
        }
    }

    /// The word for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
        }
    }
}

/// True where another member may begin: for gzip, also its method and its flags are looked at.
fn begins_member(bytes: &[u8], compression: Compression) -> bool {
    let is_gzip = || matches!(bytes, [_, _, 8, flags, ..] if *flags < 0x20) || bytes.len() < 4;
    Compression::of(bytes) == compression && (compression != Compression::Gzip || is_gzip())
}

/// A bzip2 stream goes on with a block or, when nothing was packed, with its end; cut ones may end here.
fn is_bzip2_block(rest: &[u8]) -> bool {
    let (block, end) = ([0x31, 0x41, 0x59, 0x26], [0x17, 0x72, 0x45, 0x38]);
    let len = rest.len().min(4);
    rest[..len] == block[..len] || rest[..len] == end[..len]
}

/// One library's decoder, in the middle of one member.
enum Codec {
    Gzip(flate2::Decompress),
    Zstd(Box<ZstdFrame>),
    Bzip2(bzip2::Decompress),
    Xz(liblzma::stream::Stream),
}

/// A zstd decoder, and the packed bytes it asked for next: one block.
///
/// It is given no more than that, because a call that fails does not say what it wrote: only the block is lost then.
struct ZstdFrame {
    decoder: zstd::stream::raw::Decoder<'static>,
    next: usize,
}

/// The fewest bytes that a zstd frame's header needs before it says how long it is.
const ZSTD_HEADER_BYTES: usize = 5;

/// What one call of a decoder did.
struct Step {
    read: usize,
    wrote: usize,
    state: State,
}

/// Where a decoder stands after a step.
enum State {
    Going,
    MemberDone,
    /// The bytes are not what they should be; what was written before is good.
    Broken,
    /// The member wants more memory than is allowed.
    TooLarge,
}

impl Codec {
    fn new(compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::Gzip => Self::Gzip(flate2::Decompress::new_gzip(15)),
            Compression::Zstd => Self::Zstd(Box::new(ZstdFrame::new()?)),
            Compression::Bzip2 => Self::Bzip2(bzip2::Decompress::new(false)),
            Compression::Xz => Self::Xz(liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY, 0)?),
            Compression::Plain => return Err(io::ErrorKind::Unsupported.into()),
        })
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        match self {
            Self::Gzip(inflate) => step_gzip(inflate, input, output),
            Self::Zstd(frame) => frame.step(input, output),
            Self::Bzip2(decoder) => step_bzip2(decoder, input, output),
            Self::Xz(decoder) => step_xz(decoder, input, output),
        }
    }
}

fn step_gzip(inflate: &mut flate2::Decompress, input: &[u8], output: &mut [u8]) -> Step {
    let (read, wrote) = (inflate.total_in(), inflate.total_out());
    let state = match inflate.decompress(input, output, FlushDecompress::None) {
        Ok(flate2::Status::StreamEnd) => State::MemberDone,
        Ok(_) => State::Going,
        Err(_) => State::Broken,
    };
    Step::since(read, wrote, inflate.total_in(), inflate.total_out(), state)
}

impl ZstdFrame {
    fn new() -> io::Result<Self> {
        Ok(Self { decoder: zstd::stream::raw::Decoder::new()?, next: ZSTD_HEADER_BYTES })
    }

    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let block = &input[..input.len().min(self.next)];
        match self.decoder.run_on_buffers(block, output) {
            Ok(status) => {
                self.next = status.remaining;
                let done = status.remaining == 0;
                let state = if done { State::MemberDone } else { State::Going };
                Step { read: status.bytes_read, wrote: status.bytes_written, state }
            }
            Err(error) if error.to_string().contains("memory") => Step::failed(State::TooLarge),
            Err(_) => Step::failed(State::Broken),
        }
    }
}

fn step_bzip2(decoder: &mut bzip2::Decompress, input: &[u8], output: &mut [u8]) -> Step {
    let (read, wrote) = (decoder.total_in(), decoder.total_out());
    let state = match decoder.decompress(input, output) {
        Ok(bzip2::Status::StreamEnd) => State::MemberDone,
        Ok(bzip2::Status::MemNeeded) => State::TooLarge,
        Ok(_) => State::Going,
        Err(_) => State::Broken,
    };
    Step::since(read, wrote, decoder.total_in(), decoder.total_out(), state)
}

fn step_xz(decoder: &mut liblzma::stream::Stream, input: &[u8], output: &mut [u8]) -> Step {
    let (read, wrote) = (decoder.total_in(), decoder.total_out());
    let state = match decoder.process(input, output, Action::Run) {
        Ok(liblzma::stream::Status::StreamEnd) => State::MemberDone,
        Ok(_) => State::Going,
        Err(liblzma::stream::Error::MemLimit | liblzma::stream::Error::Mem) => State::TooLarge,
        Err(_) => State::Broken,
    };
    Step::since(read, wrote, decoder.total_in(), decoder.total_out(), state)
}

impl Step {
    /// The difference of a decoder's totals, which are lengths of slices in memory.
    fn since(read: u64, wrote: u64, read_now: u64, wrote_now: u64, state: State) -> Self {
        Self { read: (read_now - read) as usize, wrote: (wrote_now - wrote) as usize, state }
    }

    fn failed(state: State) -> Self {
        Self { read: 0, wrote: 0, state }
    }
}

/// What stopped a stream before its end. Everything before it was delivered.
#[derive(Debug)]
pub(crate) enum Damage {
    /// The file ends in the middle of a member: the offset is the file's end.
    EndsEarly { at: u64 },
    /// The bytes around the offset (in the file) are not what the compression allows, or a checksum differs.
    Corrupt { near: u64 },
    /// The member was packed with a window larger than allowed.
    TooLarge { near: u64 },
    /// The system refused to read on.
    Unreadable(io::Error),
}

/// Reads an input's members one behind the other, as one run of plain bytes.
///
/// Invariant: `input[at..filled]` are the packed bytes read and not yet used; the first of them stands at `offset` in
/// the file.
pub(crate) struct Members {
    raw: Raw,
    compression: Compression,
    codec: Codec,
    input: Vec<u8>,
    at: usize,
    filled: usize,
    offset: u64,
    raw_ended: bool,
    between: bool,
    broken: bool,
    garbage: Option<Garbage>,
}

/// What stands between or behind members and belongs to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Garbage {
    /// Where the first of it begins in the file.
    pub(crate) at: u64,
    pub(crate) bytes: u64,
    /// Another member came behind it.
    pub(crate) is_followed: bool,
}

impl Members {
    /// A reader for packed bytes that begin with the compression's magic.
    pub(crate) fn new(raw: Raw, compression: Compression) -> io::Result<Self> {
        Ok(Self {
            raw,
            compression,
            codec: Codec::new(compression)?,
            input: vec![0; INPUT_BYTES],
            at: 0,
            filled: 0,
            offset: 0,
            raw_ended: false,
            between: false,
            broken: false,
            garbage: None,
        })
    }

    /// What belongs to no member, if any was met.
    pub(crate) fn garbage(&self) -> Option<Garbage> {
        self.garbage
    }

    /// Packed bytes taken from the file so far.
    pub(crate) fn raw(&self) -> &Raw {
        &self.raw
    }

    /// Decodes some bytes to `output`; 0 says that the last member is done.
    pub(crate) fn read(&mut self, output: &mut [u8]) -> Result<usize, Damage> {
        loop {
            // What was written before it broke was delivered by the call before.
            if self.broken {
                return Err(Damage::Corrupt { near: self.offset });
            }
            if self.between && !self.start_member()? {
                return Ok(0);
            }
            if self.at == self.filled {
                self.refill()?;
            }
            let starved = self.at == self.filled;
            let step = self.codec.step(&self.input[self.at..self.filled], output);
            self.at += step.read;
            self.offset += step.read as u64;
            match step.state {
                State::MemberDone => self.between = true,
                State::Broken => self.broken = true,
                State::TooLarge => return Err(Damage::TooLarge { near: self.offset }),
                State::Going if step.read == 0 && step.wrote == 0 => {
                    let at = self.offset;
                    let ends_early = Damage::EndsEarly { at };
                    return Err(if starved { ends_early } else { Damage::Corrupt { near: at } });
                }
                State::Going => {}
            }
            if step.wrote > 0 {
                return Ok(step.wrote);
            }
        }
    }

    /// Goes over what stands behind a member; false when no other follows.
    fn start_member(&mut self) -> Result<bool, Damage> {
        self.skip_padding()?;
        let rest = &self.input[self.at..self.filled];
        if rest.is_empty() {
            return Ok(false);
        }
        if !begins_member(rest, self.compression) && !self.skip_garbage()? {
            return Ok(false);
        }
        self.codec = Codec::new(self.compression).map_err(Damage::Unreadable)?;
        self.between = false;
        Ok(true)
    }

    /// Skips bytes up to the beginning of another member; false when there is none.
    fn skip_garbage(&mut self) -> Result<bool, Damage> {
        let mut garbage =
            self.garbage.unwrap_or(Garbage { at: self.offset, bytes: 0, is_followed: false });
        loop {
            let rest = &self.input[self.at..self.filled];
            let begins = |at: &usize| begins_member(&rest[*at..], self.compression);
            // What may be the beginning of a magic is looked at again with more behind it.
            let end =
                if self.raw_ended { rest.len() } else { rest.len().saturating_sub(MAGIC_BYTES) };
            let found = (0..end).find(begins);
            let skipped = found.unwrap_or(end);
            self.at += skipped;
            self.offset += skipped as u64;
            garbage.bytes += skipped as u64;
            garbage.is_followed = found.is_some();
            if found.is_some() || self.raw_ended {
                self.garbage = Some(garbage);
                return Ok(found.is_some());
            }
            self.refill()?;
        }
    }

    /// Skips zero bytes, and has a whole magic at hand afterwards unless the file ends before.
    fn skip_padding(&mut self) -> Result<(), Damage> {
        loop {
            let zeros = self.input[self.at..self.filled].iter().take_while(|&&byte| byte == 0);
            let zeros = zeros.count();
            self.at += zeros;
            self.offset += zeros as u64;
            if self.raw_ended || self.filled - self.at >= MAGIC_BYTES {
                return Ok(());
            }
            self.refill()?;
        }
    }

    /// Reads packed bytes behind those still unused, which move to the front.
    fn refill(&mut self) -> Result<(), Damage> {
        self.input.copy_within(self.at..self.filled, 0);
        self.filled -= self.at;
        self.at = 0;
        let read = self.raw.read(&mut self.input[self.filled..]).map_err(Damage::Unreadable)?;
        self.filled += read;
        self.raw_ended |= read == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_compressions_by_their_first_bytes() {
        let cases: [(&[u8], Compression); 8] = [
            (b"", Compression::Plain),
            (b"\x1f", Compression::Plain),
            (b"\x1f\x8b\x08", Compression::Gzip),
            (b"\x28\xb5\x2f\xfd\x04", Compression::Zstd),
            (b"\x53\x2a\x4d\x18", Compression::Zstd),
            (b"BZh91AY&SY", Compression::Bzip2),
            (b"BZh9 is a path, not a stream", Compression::Plain),
            (b"\xfd7zXZ\0\0", Compression::Xz),
        ];
        for (head, compression) in cases {
            assert_eq!(Compression::of(head), compression, "{head:?}");
        }
    }
}
