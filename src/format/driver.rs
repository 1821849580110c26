//! The loop over the records of a piece, compiled once for each parser.
//!
//! It finds the lines, hands them to the parser one by one or in [batches](Batch), keeps what became a row and puts the
//! rest on the account. What a line means is the parser's affair, what a row is for that of the sink.

use super::batch::{self, Batch, MOST_LINES};
use super::{Line, Parser, Scan, Sink};
use crate::input::{Framing, OPENING_BYTES};
use crate::ledger::{Account, Reason};
use crate::record::block::{ROWS, Span};
use crate::record::{Block, Layout, Origin};
use crate::scan::Marks;

/// What a thread reuses from piece to piece: the block and the positions.
#[derive(Debug)]
pub struct Room {
    block: Block,
    marks: Marks,
}

impl Room {
    /// Room for blocks of that layout.
    pub fn new(layout: Layout) -> Self {
        Self { block: Block::new(layout), marks: Marks::default() }
    }
}

impl<P: Parser> Scan for P {
    fn framing(&self) -> Framing {
        P::FRAMING
    }

    fn begin(&mut self, left: Option<&[u8]>) {
        Parser::begin(self, left);
    }

    fn scan(
        &mut self,
        text: &[u8],
        origin: Origin,
        room: &mut Room,
        account: &mut Account,
        sink: &mut Sink<'_>,
    ) {
        let Room { block, marks } = room;
        find_marks(text, P::MARK, marks);
        account.read.bytes += text.len() as u64;
        block.set_origin(origin);
        let mut driver =
            Driver { parser: self, text, origin, block, account, sink, refused: Vec::new() };
        match P::FRAMING {
            Framing::Opens(opens) => driver.records(marks, opens),
            Framing::Around(_) => driver.by_own_rule(&marks.newlines),
            Framing::Lines | Framing::Whole if P::IN_BATCHES => driver.batches(marks),
            Framing::Lines | Framing::Whole => driver.lines(marks),
        }
        driver.flush();
    }
}

fn find_marks(text: &[u8], mark: u8, marks: &mut Marks) {
    marks.find(text, mark);
    let ended = marks.newlines.last().map_or(0, |last| *last as usize + 1);
    if ended < text.len() {
        // The last record lacks its line end: the end of the text serves as one.
        marks.newlines.push(text.len() as u32);
    }
}

/// The loop over the records of one piece.
struct Driver<'a, 's, P> {
    parser: &'a mut P,
    text: &'a [u8],
    origin: Origin,
    block: &'a mut Block,
    account: &'a mut Account,
    sink: &'a mut Sink<'s>,
    /// Rows of the block that belong to no record.
    refused: Vec<u16>,
}

impl<P: Parser> Driver<'_, '_, P> {
    fn lines(&mut self, marks: &Marks) {
        let (mut start, mut others) = (0, &marks.others[..]);
        for end in marks.newlines.iter() {
            let (own, rest) = split_before(others, *end);
            self.record(start, *end as usize, own);
            (start, others) = (*end as usize + 1, rest);
        }
    }

    fn records(&mut self, marks: &Marks, opens: fn(&[u8]) -> bool) {
        let (mut start, mut others) = (0, &marks.others[..]);
        let mut ends = marks.newlines.iter().copied().peekable();
        while let Some(end) = ends.next() {
            let next = end as usize + 1;
            if let Some(line_end) = ends.peek() {
                let line = &self.text[next..*line_end as usize];
                if !opens(&line[..line.len().min(OPENING_BYTES)]) {
                    continue;
                }
            }
            let (own, rest) = split_before(others, end);
            self.record(start, end as usize, own);
            (start, others) = (next, rest);
        }
    }

    fn by_own_rule(&mut self, line_ends: &[u32]) {
        let mut start = 0;
        while start < self.text.len() {
            let end =
                self.parser.end(self.text, line_ends, start).clamp(start + 1, self.text.len());
            let is_ended = self.text[end - 1] == b'\n';
            self.record(start, end - usize::from(is_ended), &[]);
            start = end;
        }
    }

    /// Batch by batch. A batch fits into what is left of the block.
    fn batches(&mut self, marks: &Marks) {
        let (mut start, mut ends, mut others) = (0, &marks.newlines[..], &marks.others[..]);
        while let Some(first_free) = (!ends.is_empty()).then_some(self.block.len()) {
            let len = ends.len().min(MOST_LINES).min(ROWS - first_free);
            let (own, rest) = ends.split_at(len);
            let batch = Batch::new(self.text, start, own, others);
            others = &others[batch.marks().len()..];
            self.batch(&batch, own, first_free);
            (start, ends) = (own[len - 1] + 1, rest);
        }
    }

    fn batch(&mut self, batch: &Batch<'_>, newlines: &[u32], first_row: usize) {
        self.account.read.records += batch.len() as u64;
        let mut rows = self.block.rows(batch.len());
        let left = self.parser.parse_all(batch, &mut rows) | batch.unusual();
        let ends = newlines.iter().map(|newline| past(*newline as usize, self.text));
        let starts = batch.starts().iter().map(|start| *start as usize);
        rows.keep(starts.zip(ends).map(|(start, end)| Span::new(start, end - start)));
        let mut left = left & u64::MAX >> (MOST_LINES - batch.len());
        while left != 0 {
            let number = left.trailing_zeros() as usize;
            self.left_over(batch.line(number), newlines[number] as usize, first_row + number);
            left &= left - 1;
        }
        if self.block.is_full() {
            self.flush();
        }
    }

    /// A line that was not read with the others of its batch, whose row is there already.
    fn left_over(&mut self, line: Line<'_>, newline: usize, at: usize) {
        let line = self.past_unusual_start(line);
        let size = past(newline, self.text) - line.at;
        let mut row = self.block.row_again(at);
        match self.parser.parse(line, &mut row) {
            Ok(()) => row.is_of(line.at, size),
            Err(reason) => {
                row.drop_values();
                self.refused.push(at as u16);
                self.refuse(reason, line, size);
            }
        }
    }

    #[inline(always)] // The loops above exist once a parser; this is their body.
    fn record(&mut self, start: usize, end: usize, marks: &[u32]) {
        self.account.read.records += 1;
        let mut line = Line { bytes: &self.text[start..end], at: start, marks };
        if let [rest @ .., b'\r'] = line.bytes {
            line.bytes = rest;
        }
        if batch::begins_unusually(line.bytes.first()) {
            line = self.past_unusual_start(line);
        }
        let size = past(end, self.text) - line.at;
        let mut row = self.block.row();
        match self.parser.parse(line, &mut row) {
            Ok(()) => {
                row.keep(line.at, size);
                let times = self.block.take_times();
                if times > 1 {
                    self.record_again(line, size, times - 1);
                }
            }
            Err(reason) => {
                row.drop_values();
                self.refuse(reason, line, size);
            }
        }
        if self.block.is_full() {
            self.flush();
        }
    }

    fn refuse(&mut self, reason: Reason, line: Line<'_>, size: usize) {
        let offset = self.origin.offset + line.at as u64;
        self.account.refuse(reason, offset, line.bytes, size);
    }

    /// Keeps a record again that a line stands for more than once. It is parsed anew each time: its row may be gone
    /// with a full block.
    #[cold]
    fn record_again(&mut self, line: Line<'_>, size: usize, times: u32) {
        for _ in 0..times {
            if self.block.is_full() {
                self.flush();
            }
            let mut row = self.block.row();
            match self.parser.parse(line, &mut row) {
                Ok(()) => row.keep_again(line.at, size),
                Err(_) => return row.drop_values(),
            }
            self.block.take_times();
        }
    }

    /// Steps over the hole of NUL bytes that a truncation leaves in front of a record, and over a byte order mark at
    /// the beginning of the input. A record of nothing but NUL bytes stays as it is, for the parser to refuse.
    #[cold]
    fn past_unusual_start<'l>(&mut self, line: Line<'l>) -> Line<'l> {
        let nuls = line.bytes.iter().take_while(|byte| **byte == 0).count();
        let is_first = self.origin.offset == 0 && line.at == 0;
        let extra = match line.bytes {
            [0xEF, 0xBB, 0xBF, ..] if is_first => 3,
            bytes if nuls < bytes.len() => nuls,
            _ => 0,
        };
        self.account.hole_bytes += extra as u64;
        Line { bytes: &line.bytes[extra..], at: line.at + extra, marks: line.marks }
    }

    fn flush(&mut self) {
        if !self.refused.is_empty() {
            let refused = std::mem::take(&mut self.refused);
            let rows = 0..self.block.len() as u16;
            let kept: Vec<u16> = rows.filter(|row| refused.binary_search(row).is_err()).collect();
            self.block.retain(&kept);
        }
        if !self.block.is_empty() {
            (self.sink)(self.block, self.account);
        }
        self.block.clear();
    }
}

/// Behind the line end at `newline`, which the last line of an input may lack.
fn past(newline: usize, text: &[u8]) -> usize {
    (newline + 1).min(text.len())
}

/// The positions below `end`, and the others.
#[inline(always)]
fn split_before(positions: &[u32], end: u32) -> (&[u32], &[u32]) {
    let count = positions.iter().take_while(|position| **position < end).count();
    positions.split_at(count)
}
