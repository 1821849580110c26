//! Access lines inside an envelope: sent by syslog, or written down by a container runtime.
//!
//! ```text
//! <190>Mar  7 09:15:02 web1 nginx: 203.0.113.9 - - [07/Mar/2024:09:15:02 +0100] "GET / HTTP/1.1" 200 5 "-" "x"
//! 2024-03-07T08:15:02.418123456Z stdout F {"remote_addr":"203.0.113.9","status":200}
//! ```
//!
//! Whether a log has envelopes is told once, by its first lines, so that lines without any cost nothing more. The time of
//! the line itself counts; that of the envelope stands in where the line has none.

use crate::format::envelope::{self, Peeled, Stamps};
use crate::format::trouble;
use crate::format::{Line, Parser, Scan};
use crate::input::Framing;
use crate::ledger::Reason;
use crate::record::time::Clock;
use crate::record::{Field, Fields, Layout, Row, Slot};

/// How many lines of a sample are looked at.
const LINES: usize = 50;

/// True when most of the first lines stand in an envelope.
pub(super) fn is_enveloped(sample: &[u8]) -> bool {
    let lines = sample.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).take(LINES);
    let (mut all, mut peeled) = (0, 0);
    for line in lines {
        all += 1;
        peeled += usize::from(envelope::peel(line).message.len() < line.len());
    }
    peeled * 2 > all
}

/// The lines of a sample without their envelopes.
pub(super) fn inner_lines(sample: &[u8]) -> Vec<u8> {
    let lines = sample.split(|byte| *byte == b'\n').map(|line| envelope::peel(line).message);
    lines.collect::<Vec<_>>().join(&b'\n')
}

/// What envelopes add to the fields of a format.
pub(super) fn fields() -> Fields {
    Fields::of(&[Field::LOGHOST, Field::TIME])
}

/// What scans the records of a parser, in envelopes or not.
pub(super) fn scan<P: Parser + 'static>(
    parser: P,
    is_enveloped: bool,
    layout: &Layout,
    clock: Clock,
) -> Box<dyn Scan> {
    if !is_enveloped {
        return Box::new(parser);
    }
    let (loghost, time) = (layout.slot(Field::LOGHOST), layout.slot(Field::TIME));
    Box::new(Peeling { inner: parser, stamps: Stamps::new(clock), loghost, time })
}

struct Peeling<P> {
    inner: P,
    stamps: Stamps,
    loghost: Slot,
    time: Slot,
}

impl<P: Parser> Parser for Peeling<P> {
    const MARK: u8 = P::MARK;
    const FRAMING: Framing = P::FRAMING;

    fn parse(&mut self, line: Line<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
        let peeled = envelope::peel(line.bytes);
        if peeled.is_noise {
            return Err(Reason::Banner);
        }
        let parsed = self.inner.parse(inner(line, peeled.message), row);
        parsed
            .map_err(|reason| if is_of_others(&peeled) { Reason::OtherProgram } else { reason })?;
        if let Some(host) = peeled.host {
            row.span(self.loghost, line.place(host), host.len());
        }
        let stamp = peeled.stamp.filter(|_| row.get(self.time).is_absent());
        if let Some(instant) = stamp.and_then(|stamp| self.stamps.instant(stamp)) {
            row.number(self.time, instant);
        }
        if peeled.repeat > 1 {
            row.repeat(peeled.repeat);
        }
        Ok(())
    }
}

/// True for what another program said in a log that several share: it has a tag, and none of the quotes that every access
/// line has, whole or cut behind its stamp.
#[cold]
fn is_of_others(peeled: &Peeled<'_>) -> bool {
    const OTHERS: [&[u8]; 5] = [b"kernel", b"sudo", b"sshd", b"systemd", b"audit"];
    let Some(tag) = peeled.tag else { return false };
    let has_quote = memchr::memchr(b'"', peeled.message).is_some();
    !peeled.message.is_empty()
        && !trouble::is_access_line(peeled.message)
        && (!has_quote || OTHERS.contains(&tag))
}

/// A part of a line as a line of its own.
fn inner<'t>(line: Line<'t>, message: &'t [u8]) -> Line<'t> {
    let at = line.place(message);
    let first = line.marks.partition_point(|mark| (*mark as usize) < at);
    let end = line.marks.partition_point(|mark| (*mark as usize) < at + message.len());
    Line { bytes: message, at, marks: &line.marks[first..end.max(first)] }
}
