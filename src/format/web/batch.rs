//! The usual lines of a batch, read together: segment by segment, and in a segment variable by variable.
//!
//! Each step of a definition is taken for all lines of a batch before the next one is looked at, as vectorised databases do
//! with the operators of a query (Boncz, Zukowski, Nes, "MonetDB/X100: Hyper-Pipelining Query Execution", CIDR 2005): what
//! is to be done is asked once a batch, each column is written in a row, and the lines do not wait for each other. A
//! line that does not follow the definition in the plainest way is left to [`Template::read`].

use std::ops::Range;

use super::capture::Reader;
use super::template::{Literal, Segment, Shape, Step, Template};
use crate::format::batch::{Batch, MOST_LINES};
use crate::ledger::Reason;
use crate::record::block::Rows;
use crate::record::{Row, Slot, Value};
use crate::scan;

/// One place in the text for each line.
type Places = [u32; MOST_LINES];

/// Where the quotes of the lines are, by their number in the line. Kept from batch to batch for its room.
#[derive(Debug, Default)]
pub(super) struct Quotes {
    places: Vec<Places>,
}

/// A stretch of each line of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretches<'t> {
    text: &'t [u8],
    starts: Places,
    ends: Places,
    len: usize,
    /// The lines that are to be read by themselves, as bits. Their stretches may be anything.
    left: u64,
}

impl Template<Slot> {
    /// Reads the usual lines of a batch into their rows, and says which are left: a bit a line.
    pub(super) fn read_all(
        &self,
        batch: &Batch<'_>,
        quotes: &mut Quotes,
        reader: &mut Reader,
        rows: &mut Rows<'_>,
    ) -> u64 {
        quotes.places.resize(self.segments.len() - 1, [0; MOST_LINES]);
        let mut rest = Stretches::of(batch, quotes);
        reader.begin_all(rows);
        for (number, segment) in self.segments.iter().enumerate() {
            // As in the log of another server, which every definition is tried on when a format is looked for.
            if rest.are_all_left() {
                break;
            }
            rest.enter(number, batch, quotes);
            segment.read_all(&mut rest, reader, rows);
        }
        reader.end_all(rows);
        rest.left
    }
}

impl Segment<Slot> {
    fn read_all(&self, rest: &mut Stretches<'_>, reader: &mut Reader, rows: &mut Rows<'_>) {
        if self.shape == Shape::Literal {
            return rest.expect(&self.lead);
        }
        rest.strip_prefix(&self.lead);
        rest.strip_suffix(&self.trail);
        for step in &self.front {
            let variable = rest.take_front(step);
            rest.left |= reader.read_all(&step.capture, &variable, rows);
        }
        for step in &self.back {
            let variable = rest.take_back(step);
            rest.left |= reader.read_all(&step.capture, &variable, rows);
        }
        if let Some(capture) = &self.middle {
            rest.left |= reader.read_all(capture, rest, rows);
        }
    }
}

impl<'t> Stretches<'t> {
    /// Nothing of any line yet. Lines with another number of quotes, or with escaped ones, are left from the start.
    fn of(batch: &Batch<'t>, quotes: &mut Quotes) -> Self {
        let (text, len, mut left) = (batch.text(), batch.len(), 0);
        for line in 0..len {
            let own = batch.marks_of(line);
            let mut is_odd = own.len() != quotes.places.len();
            for (places, mark) in quotes.places.iter_mut().zip(own) {
                places[line] = *mark;
                is_odd |= text[(*mark as usize).saturating_sub(1)] == b'\\';
            }
            left |= u64::from(is_odd) << line;
        }
        Self { text, starts: [0; MOST_LINES], ends: [0; MOST_LINES], len, left }
    }

    /// True when no line is left to read here.
    fn are_all_left(&self) -> bool {
        let all = u64::MAX >> (MOST_LINES - self.len);
        self.left & all == all
    }

    /// Goes to the stretch between two quotes, or between one and the beginning or the end of the line.
    fn enter(&mut self, number: usize, batch: &Batch<'_>, quotes: &Quotes) {
        self.starts = match number.checked_sub(1) {
            None => *batch.starts(),
            Some(before) => quotes.places[before].map(|quote| quote + 1),
        };
        self.ends = *quotes.places.get(number).unwrap_or(batch.ends());
    }

    /// The text of each line, and where it stands.
    #[inline(always)] // The innermost loop of every web format.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'t [u8], usize)> {
        let places = self.starts[..self.len].iter().zip(&self.ends[..self.len]);
        places.map(|(start, end)| {
            let (start, end) = (*start as usize, *end as usize);
            (self.text.get(start..end).unwrap_or_default(), start)
        })
    }

    /// Writes the values of the texts into a column, where they say one, and tells which texts cannot be read.
    #[inline(always)]
    pub(super) fn convert(
        &self,
        column: &mut [Value],
        mut convert: impl FnMut(&[u8]) -> Result<Value, Reason>,
    ) -> u64 {
        let (mut failed, mut line) = (0, 1_u64);
        for (value, (text, _)) in column.iter_mut().zip(self.iter()) {
            match convert(text) {
                Ok(Value::ABSENT) => {}
                Ok(converted) => *value = converted,
                Err(_) => failed |= line,
            }
            line = line.wrapping_shl(1);
        }
        failed
    }

    /// Reads each text into its row, and says which could not be read.
    #[inline(always)]
    pub(super) fn each(
        &self,
        rows: &mut Rows<'_>,
        mut read: impl FnMut(&[u8], usize, &mut Row<'_>) -> Result<(), Reason>,
    ) -> u64 {
        let mut failed = 0;
        for (line, (text, at)) in self.iter().enumerate() {
            failed |= u64::from(read(text, at, &mut rows.row(line)).is_err()) << line;
        }
        failed
    }

    /// Goes through the first and the last place of each stretch; lines of which `visit` returns false are left.
    #[inline(always)]
    fn visit(&mut self, mut visit: impl FnMut(&[u8], &mut u32, &mut u32) -> bool) {
        let (mut failed, mut line) = (0, 1_u64);
        let ends = &mut self.ends[..self.len];
        for (start, end) in self.starts[..self.len].iter_mut().zip(ends) {
            if !visit(self.text, start, end) {
                failed |= line;
            }
            line = line.wrapping_shl(1);
        }
        self.left |= failed;
    }

    /// The stretches have to be that literal.
    fn expect(&mut self, literal: &Literal) {
        let len = literal.len() as u32;
        self.visit(|text, start, end| *end == *start + len && literal.stands_at(*start, text));
    }

    fn strip_prefix(&mut self, literal: &Literal) {
        let len = literal.len() as u32;
        if len > 0 {
            self.visit(|text, start, end| {
                let begins = literal.stands_at(*start, text);
                *start += len;
                begins && *start <= *end
            });
        }
    }

    fn strip_suffix(&mut self, literal: &Literal) {
        let len = literal.len() as u32;
        if len > 0 {
            self.visit(|text, start, end| {
                *end = end.saturating_sub(len);
                *start <= *end && literal.stands_at(*end, text)
            });
        }
    }

    /// Takes the variable at the beginning, and the literal behind it.
    fn take_front(&mut self, step: &Step<Slot>) -> Self {
        let literal = step.literal.len();
        match step.byte_behind() {
            Some(byte) => self.take(|text, start, end| {
                let cut = scan::find(byte, text, start, end)?;
                Some((start..cut, cut + 1..end))
            }),
            None => self.take(|text, start, end| {
                let cut = start + step.end(text.get(start..end)?)?;
                Some((start..cut, cut + literal..end))
            }),
        }
    }

    /// Takes the variable at the end, and the literal before it.
    fn take_back(&mut self, step: &Step<Slot>) -> Self {
        let literal = step.literal.len();
        match step.width {
            Some(width) => self.take(|text, start, end| {
                let before = end.checked_sub(width + literal).filter(|before| *before >= start)?;
                let stands = step.literal.stands_at(before as u32, text);
                stands.then_some((before + literal..end, start..before))
            }),
            None => self.take(|text, start, end| {
                let cut = start + step.start(text.get(start..end)?)?;
                Some((cut..end, start..cut - literal))
            }),
        }
    }

    /// Takes a variable out of each stretch: `split` says where it stands, and where what is left.
    #[inline(always)]
    fn take(
        &mut self,
        split: impl Fn(&[u8], usize, usize) -> Option<(Range<usize>, Range<usize>)>,
    ) -> Self {
        let mut variable = *self;
        let mut places = variable.starts.iter_mut().zip(&mut variable.ends);
        self.visit(|text, start, end| {
            let found = split(text, *start as usize, *end as usize);
            let (own, rest) = found.clone().unwrap_or_default();
            (*start, *end) = (rest.start as u32, rest.end as u32);
            places.next().is_some_and(|(first, last)| {
                (*first, *last) = (own.start as u32, own.end as u32);
                found.is_some()
            })
        });
        variable
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::{Access, AccessParser, COMBINED, INGRESS, TIMED_UPSTREAM, VHOST_COMBINED};
    use super::Quotes;
    use crate::format::web::capture::Reader;
    use crate::format::{Family, Format, Line, Parser, Scan, testing};
    use crate::ledger::Reason;
    use crate::record::time::Clock;
    use crate::record::{Fields, Layout, Row};

    /// The slow twin: the same format, line by line.
    #[derive(Debug)]
    struct LineByLine(Access);

    struct Single(AccessParser);

    impl Parser for Single {
        fn parse(&mut self, line: Line<'_>, row: &mut Row<'_>) -> Result<(), Reason> {
            self.0.parse(line, row)
        }
    }

    impl Format for LineByLine {
        fn name(&self) -> &str {
            self.0.name()
        }

        fn family(&self) -> Family {
            self.0.family()
        }

        fn fields(&self) -> Fields {
            self.0.fields()
        }

        fn fitted(&self, _: &[u8]) -> Option<Arc<dyn Format>> {
            None
        }

        fn parser(&self, layout: &Layout, clock: Clock) -> Box<dyn Scan> {
            let template = self.0.template.bind(layout);
            let reader = Reader::new(layout, clock);
            Box::new(Single(AccessParser { template, reader, quotes: Quotes::default() }))
        }
    }

    /// Definitions of every shape, each with lines that follow it and some that do not.
    const SAMPLES: [(&str, &str); 6] = [
        (
            COMBINED,
            "203.0.113.9 - alice [07/Mar/2024:09:15:02 +0100] \"GET /a?b=1 HTTP/2.0\" 200 5120 \"-\" \"curl/8.5\"\n\
             2001:db8::7 - - [07/Mar/2024:09:15:03 +0100] \"POST /a/rather/long/path/to/see HTTP/1.1\" 404 - \"https://e.example/\" \"-\"\r\n\
             ::1 - jo [x] y [07/Mar/2024:09:16:03 +0100] \"-\" 408 0 \"-\" \"an \\\"odd\\\" agent\"\n\
             \n\0\0::1 - - [07/Mar/2024:09:15:02 +0100] \"GET / HTTP/1.1\" 499 5 \"-\" \"x\"\n",
        ),
        (
            VHOST_COMBINED,
            "www.example.org:443 203.0.113.9 - - [07/Mar/2024:09:15:02 +0100] \"GET / HTTP/1.1\" 304 - \"-\" \"Mozilla/5.0\"\n",
        ),
        (
            TIMED_UPSTREAM,
            "::1 - - [07/Mar/2024:09:15:02 +0100] \"GET / HTTP/1.1\" 200 5 \"-\" \"x\" 0.002 0.001, 0.450 10.0.0.1:80, [::1]:80 502, 200\n",
        ),
        (
            INGRESS,
            "10.0.0.1 - - [07/Mar/2024:09:15:02 +0100] \"GET / HTTP/1.1\" 502 5 \"-\" \"x\" 120 0.002 [shop-web-80] [] 10.0.0.7:80 5 0.001 502 0f3a\n",
        ),
        (
            "$remote_addr | $request | $status | $http_user_agent | $request_time",
            "::1 | GET /a HTTP/1.1 | 200 | we\"ird | x | 0.002\n10.0.0.1 | GET / HTTP/1.0 | 301 | - | -\n",
        ),
        (
            "$msec $status $scheme://$host$request_uri $request_time",
            "1709799302.125 200 https://h.example:8443/a?b=/c 0.5\n",
        ),
    ];

    proptest! {
        #[test]
        fn a_batch_is_read_as_its_lines_are(
            sample in 0..SAMPLES.len(),
            times in 1..60_usize,
            changes in prop::collection::vec((0..30_000_usize, any::<u8>()), 0..12),
            fields in any::<u64>(),
        ) {
            let (definition, lines) = SAMPLES[sample];
            let mut text = lines.repeat(times).into_bytes();
            let len = text.len();
            changes.into_iter().for_each(|(at, byte)| text[at % len] = byte);
            let format = Access::new("sample", definition).unwrap();
            let wanted: Fields = format.fields().iter().enumerate().filter(|(at, _)| fields >> at & 1 == 1).map(|(_, field)| field).collect();
            let expected = testing::read(&LineByLine(format.clone()), &text, wanted);
            prop_assert_eq!(testing::read(&format, &text, wanted), expected);
        }
    }
}
