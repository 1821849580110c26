//! Lines that a container runtime wrote down for Kubernetes, long ones in parts of 16 KiB.
//!
//! ```text
//! 2024-03-07T08:15:02.418123456Z stdout P 203.0.113.9 - - [07/Mar/2024:09:15:02 +0100] "GET /a
//! 2024-03-07T08:15:02.418123470Z stdout F ?b=1 HTTP/1.1" 200 5120 "-" "curl/8.5"
//! ```
//!
//! The parts of a pipe (`P`) are joined up to its next whole line or last part (`F`), under the stamp of the first. The
//! stamp and the pipe stay in front: formats know them as an envelope. A part whose end never came keeps its `P`.
//!
//! This is done while reading and not by the framing, because the parts of the other pipe may stand between: a record
//! would not be one stretch of the file, which is what pieces and spans are made of. So a file of such lines is read in
//! order like a packed one, also where it holds no parts, which only its end can tell.
//!
//! Description: the logging format of Kubernetes' container runtime interface.

use memchr::{memchr, memchr_iter};

use super::parts::{Parts, Pipe};
use super::{LONGEST, Opening, whole_lines};

/// What a line says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pipe: Pipe,
    is_partial: bool,
    /// Where the program's own text begins.
    text: usize,
}

impl Part {
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let stamp = memchr(b' ', line.get(..40.min(line.len()))?)?;
        let is_stamp = stamp >= 20 && line[4] == b'-' && line[10] == b'T' && line[13] == b':';
        let (pipe, rest) = line[stamp + 1..].split_at_checked(7)?;
        let pipe = match pipe {
            b"stdout " => Pipe::Out,
            b"stderr " => Pipe::Error,
            _ => return None,
        };
        let is_partial = match rest {
            [b'P', b' ', ..] | b"P" => true,
            [b'F', b' ', ..] | b"F" => false,
            _ => return None,
        };
        is_stamp.then_some(Self { pipe, is_partial, text: stamp + 10 })
    }

    /// Where the program's own text begins, in a line that has one.
    pub(super) fn text(self) -> usize {
        self.text
    }
}

/// Joins parts.
#[derive(Debug, Default)]
pub(super) struct Joining {
    parts: Parts,
}

impl Opening for Joining {
    fn open(&mut self, text: &[u8], last: bool, out: &mut Vec<u8>) -> usize {
        let whole = whole_lines(text, last);
        // Lines that are whole are copied in runs.
        let (mut run, mut start) = (0, 0);
        for end in memchr_iter(b'\n', whole).map(|end| end + 1).chain([whole.len()]) {
            let line = &whole[start..end];
            if let Some(part) = Part::of(line.trim_ascii_end()).filter(|part| self.is_odd(*part)) {
                out.extend_from_slice(&whole[run..start]);
                self.take(part, line, out);
                run = end;
            }
            start = end;
        }
        out.extend_from_slice(&whole[run..]);
        if last {
            self.parts.flush(out);
        }
        whole.len()
    }
}

impl Joining {
    /// True for a line that is not to be copied as it is.
    fn is_odd(&mut self, part: Part) -> bool {
        part.is_partial || !self.parts.of(part.pipe).is_empty()
    }

    fn take(&mut self, part: Part, line: &[u8], out: &mut Vec<u8>) {
        let held = self.parts.of(part.pipe);
        let is_first = held.is_empty();
        let line = if part.is_partial { line.strip_suffix(b"\n").unwrap_or(line) } else { line };
        let line = line.get(if is_first { 0 } else { part.text }..).unwrap_or(b"\n");
        held.extend_from_slice(line);
        if !part.is_partial {
            mark_as_whole(held);
        }
        if held.len() > LONGEST && part.is_partial {
            held.push(b'\n');
        }
        if held.len() > LONGEST || !part.is_partial {
            out.append(held);
        }
    }
}

fn mark_as_whole(line: &mut [u8]) {
    if let Some(part) = Part::of(line) {
        line[part.text - 2] = b'F';
    }
}
