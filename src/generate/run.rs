//! Makes the chunks of a log, on one thread or several, and writes them in order up to the limit.
//!
//! Each chunk has its own stream of chance and its own place on the clock, so who makes it does not matter. Worker `w` of
//! `n` makes the chunks `w`, `w + n`, `w + 2n` …; the writer takes from the workers in turn.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::clock::{Clock, Moments};
use super::dice::Dice;

/// What makes the records of one format: tables made once, then shared by the threads.
pub(super) trait Source: Sync {
    /// How many units a chunk holds. Large enough that the tables of a chunk pay, small enough that its text stays in
    /// the cache: 4096 web lines are a megabyte.
    fn units(&self) -> u32 {
        4096
    }

    /// Appends the records of all the chunk's moments.
    fn fill(&self, chunk: &mut Chunk<'_>);

    /// What is broken in the burst of that number.
    fn fault(&self, nth: usize) -> Fault;
}

/// What is broken in a burst.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// A short stable label: `upstream_refused`.
    pub(super) kind: &'static str,
    /// What it happens to: `10.20.1.11:8080`.
    pub(super) subject: String,
}

/// A chunk while it is made.
#[derive(Debug)]
pub(super) struct Chunk<'c> {
    /// The instants of its units, in order.
    pub(super) moments: Moments<'c>,
    /// The number of its first unit.
    pub(super) first: u64,
    /// Its stream of chance.
    pub(super) dice: Dice,
    /// Its text so far.
    pub(super) text: &'c mut Vec<u8>,
    marks: &'c mut Vec<Mark>,
}

impl Chunk<'_> {
    /// Ends a record, which begins where the one before it ended. `time` is its stamp, `burst` the burst it is an error
    /// of.
    #[inline]
    pub(super) fn end(&mut self, time: i64, burst: Option<usize>) {
        self.marks.push(Mark { end: self.text.len(), time, burst });
    }
}

/// Where a record ends, and what it counts for.
#[derive(Debug, Clone, Copy)]
struct Mark {
    end: usize,
    time: i64,
    burst: Option<usize>,
}

/// The text of a finished chunk.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    text: Vec<u8>,
    marks: Vec<Mark>,
}

impl Sheet {
    /// How many records and bytes it holds.
    pub(super) fn amount(&self) -> (usize, usize) {
        (self.marks.len(), self.text.len())
    }
}

/// A log to be made.
pub(super) struct Job<'j> {
    /// What makes the records.
    pub(super) source: &'j dyn Source,
    /// When the units happen.
    pub(super) clock: &'j Clock,
    /// The seed of all chance.
    pub(super) seed: u64,
    /// How many units are foreseen; there may be more.
    pub(super) units: u64,
}

impl Job<'_> {
    /// Makes the chunk of that number.
    pub(super) fn make(&self, index: u64, sheet: &mut Sheet) {
        let (first, count) = self.range(index);
        sheet.text.clear();
        sheet.marks.clear();
        let mut dice = Dice::new(self.seed, index);
        let moments = self.clock.moments(first, count, &mut dice);
        let (text, marks) = (&mut sheet.text, &mut sheet.marks);
        self.source.fill(&mut Chunk { moments, first, dice, text, marks });
    }

    /// The first unit of a chunk and how many it has. The chunk that holds the last unit foreseen ends with it, so that
    /// the span is kept; those after it are whole again.
    fn range(&self, index: u64) -> (u64, u32) {
        let size = u64::from(self.source.units());
        let (whole, rest) = (self.units / size, self.units % size);
        match index {
            _ if index < whole || rest == 0 => (index * size, size as u32),
            _ if index == whole => (index * size, rest as u32),
            _ => (self.units + (index - whole - 1) * size, size as u32),
        }
    }
}

/// What is written so far, and how far it may go.
#[derive(Debug)]
pub(super) struct Tally {
    records_left: u64,
    bytes_left: u64,
    /// Records written.
    pub(super) records: u64,
    /// Bytes written.
    pub(super) bytes: u64,
    /// The lowest and the highest stamp.
    pub(super) range: Option<(i64, i64)>,
    /// The error records of each burst.
    pub(super) errors: Vec<u64>,
}

impl Tally {
    /// Nothing written, and at most so much to come.
    pub(super) fn new(records_left: u64, bytes_left: u64, bursts: usize) -> Self {
        let errors = vec![0; bursts];
        Self { records_left, bytes_left, records: 0, bytes: 0, range: None, errors }
    }

    /// Writes as much of the sheet as the limits allow. True while there may be more.
    fn take(&mut self, sheet: &Sheet, out: &mut dyn Write) -> io::Result<bool> {
        let fitting = sheet.marks.partition_point(|mark| mark.end as u64 <= self.bytes_left);
        let kept = &sheet.marks[..fitting.min(self.records_left.try_into().unwrap_or(usize::MAX))];
        let length = kept.last().map_or(0, |mark| mark.end);
        out.write_all(&sheet.text[..length])?;
        self.count(kept, length as u64);
        Ok(kept.len() == sheet.marks.len() && self.records_left > 0)
    }

    fn count(&mut self, kept: &[Mark], length: u64) {
        self.records += kept.len() as u64;
        self.records_left -= kept.len() as u64;
        self.bytes += length;
        self.bytes_left -= length;
        for mark in kept {
            let (low, high) = self.range.unwrap_or((mark.time, mark.time));
            self.range = Some((low.min(mark.time), high.max(mark.time)));
            if let Some(burst) = mark.burst {
                self.errors[burst] += 1;
            }
        }
    }
}

/// Makes and writes chunks until the tally is full.
pub(super) fn run(
    job: &Job<'_>,
    threads: usize,
    tally: &mut Tally,
    out: &mut dyn Write,
) -> io::Result<()> {
    if threads < 2 { alone(job, tally, out) } else { together(job, threads, tally, out) }
}

fn alone(job: &Job<'_>, tally: &mut Tally, out: &mut dyn Write) -> io::Result<()> {
    let mut sheet = Sheet::default();
    for index in 0.. {
        job.make(index, &mut sheet);
        if !tally.take(&sheet, out)? {
            break;
        }
    }
    Ok(())
}

/// How many finished chunks of a worker may wait for the writer.
const AHEAD: usize = 3;

fn together(
    job: &Job<'_>,
    threads: usize,
    tally: &mut Tally,
    out: &mut dyn Write,
) -> io::Result<()> {
    thread::scope(|scope| {
        let desks: Vec<Desk> = (0..threads)
            .map(|nth| {
                let (desk, tray) = desk();
                scope.spawn(move || work(job, nth, threads, &tray));
                desk
            })
            .collect();
        // Leaving drops the desks, and a worker whose desk is gone stops.
        for desk in desks.iter().cycle() {
            let Ok(sheet) = desk.done.recv() else { break };
            if !tally.take(&sheet, out)? {
                break;
            }
            // A worker that is gone needs no paper.
            let _ = desk.used.send(sheet);
        }
        Ok(())
    })
}

/// The writer's end of the exchange with one worker.
struct Desk {
    done: Receiver<Sheet>,
    used: Sender<Sheet>,
}

/// The worker's end: finished sheets go out, used ones come back.
struct Tray {
    done: SyncSender<Sheet>,
    used: Receiver<Sheet>,
}

fn desk() -> (Desk, Tray) {
    let (done_in, done_out) = sync_channel(AHEAD);
    let (used_in, used_out) = channel();
    (Desk { done: done_out, used: used_in }, Tray { done: done_in, used: used_out })
}

fn work(job: &Job<'_>, nth: usize, threads: usize, tray: &Tray) {
    for index in (nth as u64..).step_by(threads) {
        let mut sheet = tray.used.try_recv().unwrap_or_default();
        job.make(index, &mut sheet);
        if tray.done.send(sheet).is_err() {
            return;
        }
    }
}
