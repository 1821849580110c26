//! The feed: bytes of many inputs, handed to many threads in pieces of whole records.
//!
//! # Who does what
//!
//! There are no reader threads. A worker that asks for a piece does whatever brings one soonest:
//!
//! 1. decodes the next page of a stream that nobody is decoding and that is not [`AHEAD`] of its parsing;
//! 2. takes a page that lies ready;
//! 3. reads the next piece of a plain file;
//! 4. waits, when all that is left are streams that others are decoding.
//!
//! So one stream's decoding runs in one thread at a time, ahead of the parsing, which any number of threads do beside it.
//! While decoding is the faster of the two, a worker always finds a page that lies ready and nobody waits for anybody;
//! handing the stream from worker to worker without such a reserve left each of them asleep for a third of the time.
//! Streams come before plain files, and large ones before small ones, because a stream can keep only one thread busy
//! with decoding and a plain file any number: the files fill the time that streams leave.
//!
//! As many streams are open side by side as there are threads, which bounds the decoders' memory.
//!
//! # Memory
//!
//! A worker's [`Hand`] and a decoder each hold a piece and what a record needs beyond it: together at most
//! `2 * threads * (piece_bytes + max_record)` plus the decoders' own, and with records of ordinary length
//! `2 * threads * piece_bytes`. Each stream that is open adds [`AHEAD`] pages.
//!
//! # Locks
//!
//! One lock guards the board. It is taken once or twice per piece, some thousand times a second, for less than a
//! microsecond; decoding, reading and parsing happen outside.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Result};
use crate::input::account::{self, Account, Gap, Reason};
use crate::input::codec::{Compression, Damage};
use crate::input::frame::Framing;
use crate::input::handle::Handle;
use crate::input::map::{Mapping, View};
use crate::input::pager::{Page, Pager, Stream};
use crate::input::ranges::{Cut, Plan};
use crate::input::raw::Raw;
use crate::input::relay::Relay;
use crate::input::window::Reads;
use crate::input::{Body, Input, Origin};

/// Pages of a stream that are decoded ahead of its parsing: enough that a worker finds one when it needs one, few enough
/// that they are still in some cache.
const AHEAD: usize = 3;

/// Whether plain files are mapped into memory or read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mmap {
    /// Reading. Over 500 MB a mapping took 22 to 65 ms of CPU and reading 29 to 51 ms, in 492 and 4 MB of memory.
    #[default]
    Auto,
    /// Positional reads into buffers that are used again.
    Never,
    /// A mapping of each whole file. Framing as whole, pipes and compressed files are read all the same.
    Always,
}

/// How a feed works.
#[derive(Clone, Copy, Debug)]
pub struct FeedOptions {
    /// Threads that will ask for pieces; streams go side by side up to this number.
    pub threads: usize,
    /// About how many bytes a piece has.
    pub piece_bytes: usize,
    /// The longest record that is handed out, in bytes with its line end. Longer ones become a [`Gap`].
    pub max_record: usize,
    /// Whether plain files are mapped.
    pub mmap: Mmap,
}

impl Default for FeedOptions {
    fn default() -> Self {
        Self { threads: 1, piece_bytes: 512 << 10, max_record: 16 << 20, mmap: Mmap::Auto }
    }
}

/// One worker's own buffers, used again for each piece.
#[derive(Debug, Default)]
pub struct Hand {
    buffer: Vec<u8>,
    /// Keeps a mapping alive while the worker looks at a piece of it, with the input's number.
    mapping: Option<(usize, Arc<Mapping>)>,
}

/// Some whole records of one input.
#[derive(Debug)]
pub struct Piece<'h> {
    /// The input's place in the list that the feed was made of.
    pub input: usize,
    /// Where the piece begins in the input's decompressed bytes.
    pub offset: u64,
    /// Grows with the offset. Numbers may be left out, because a piece that holds no record's start is not handed out.
    pub sequence: u64,
    /// The piece ends where the input does. An input that ends in a gap has no such piece.
    pub last: bool,
    /// The input broke off here: the last record may lack its end.
    pub cut: bool,
    /// What the records before the piece leave behind, where the framing knows such a thing ([`Around::leaves`](crate::input::Around::leaves)).
    pub left: Option<Vec<u8>>,
    bytes: &'h [u8],
    _turn: Option<Turn<'h>>,
}

impl Piece<'_> {
    /// The records. Only the input's last record may lack its line end.
    pub fn bytes(&self) -> &[u8] {
        self.bytes
    }
}

/// Hands the bytes of many inputs to many threads.
///
/// Share it by reference; each thread brings its own [`Hand`].
#[derive(Debug)]
pub struct Feed {
    lanes: Vec<Lane>,
    board: Mutex<Board>,
    bell: Condvar,
    options: FeedOptions,
}

/// What all threads may know and note of one input.
#[derive(Debug)]
struct Lane {
    name: String,
    path: Option<PathBuf>,
    compression: Compression,
    framing: Framing,
    size: Option<u64>,
    read: AtomicU64,
    delivered: AtomicU64,
    notes: Mutex<Notes>,
    relay: Relay,
}

#[derive(Debug, Default)]
struct Notes {
    gaps: Vec<Gap>,
    problems: Vec<Error>,
    warnings: Vec<Error>,
    is_short: bool,
}

/// What is left to do. Nothing that takes time is done while it is locked.
#[derive(Debug)]
struct Board {
    /// Streams not begun, the largest first.
    waiting: VecDeque<(usize, Body)>,
    /// Streams begun: no more than there are threads.
    tracks: Vec<Track>,
    /// Plain files, taken piece by piece from the front.
    files: VecDeque<Plain>,
}

/// A stream that was begun.
#[derive(Debug)]
struct Track {
    input: usize,
    is_whole: bool,
    /// Absent while a worker decodes with it, and when it is done.
    pager: Option<Box<Pager>>,
    is_done: bool,
    /// Decoded pages in order, and buffers to decode into.
    ready: VecDeque<Ready>,
    spare: Vec<Vec<u8>>,
    /// For whole inputs, whose pages are parsed one after the other: whether one is.
    is_parsing: bool,
}

/// A decoded page that waits to be parsed.
#[derive(Debug)]
struct Ready {
    page: Page,
    buffer: Vec<u8>,
    left: Option<Vec<u8>>,
}

/// A plain file, cut by range.
#[derive(Debug)]
struct Plain {
    input: usize,
    plan: Plan,
    handle: Handle,
    bytes: Option<Bytes>,
    next: u64,
}

/// An opened plain file.
#[derive(Clone, Debug)]
enum Bytes {
    Read(Arc<std::fs::File>),
    Mapped(Arc<Mapping>),
}

/// What a worker does next.
enum Task {
    Decode { input: usize, pager: Box<Pager> },
    Parse { input: usize, ready: Ready },
    Cut { input: usize, plan: Plan, index: u64, bytes: Bytes },
}

/// A piece before it borrows the hand.
struct Spot<'f> {
    input: usize,
    bytes: Range<usize>,
    offset: u64,
    sequence: u64,
    last: bool,
    cut: bool,
    left: Option<Vec<u8>>,
    turn: Option<Turn<'f>>,
}

/// The right to parse the present page of a whole input; given back when dropped.
struct Turn<'f> {
    feed: &'f Feed,
    input: usize,
}

impl Feed {
    /// A feed over inputs and the framing of each. Nothing is read before the first piece is asked for.
    pub fn new(inputs: Vec<(Input, Framing)>, options: FeedOptions) -> Self {
        let max_record = options.max_record.max(1);
        let piece_bytes = options.piece_bytes.clamp(1, max_record);
        let options =
            FeedOptions { threads: options.threads.max(1), piece_bytes, max_record, ..options };
        let mut lanes = Vec::with_capacity(inputs.len());
        let mut board =
            Board { waiting: VecDeque::new(), tracks: Vec::new(), files: VecDeque::new() };
        for (index, (input, framing)) in inputs.into_iter().enumerate() {
            let (lane, body) = Lane::new(input, framing);
            board.add(index, &lane, body, &options);
            lanes.push(lane);
        }
        let size = |index: usize| lanes[index].size.unwrap_or(u64::MAX);
        board.waiting.make_contiguous().sort_by_key(|(input, _)| std::cmp::Reverse(size(*input)));
        Self { lanes, board: Mutex::new(board), bell: Condvar::new(), options }
    }

    /// The next piece for this worker; `None` when there is nothing left to begin.
    pub fn next<'h>(&'h self, hand: &'h mut Hand) -> Option<Piece<'h>> {
        self.release(hand);
        let spot = loop {
            let done = match self.take()? {
                Task::Decode { input, pager } => {
                    self.decode(input, pager, hand);
                    None
                }
                Task::Parse { input, ready } => Some(self.parse(input, ready, hand)),
                Task::Cut { input, plan, index, bytes } => {
                    self.cut(input, &plan, index, bytes, hand)
                }
            };
            if let Some(spot) = done {
                break spot;
            }
        };
        let Spot { input, bytes, offset, sequence, last, cut, left, turn } = spot;
        self.lanes[input].delivered.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let bytes = match &hand.mapping {
            Some((_, mapping)) => &mapping.bytes()[bytes],
            None => &hand.buffer[bytes],
        };
        Some(Piece { input, offset, sequence, last, cut, left, bytes, _turn: turn })
    }

    /// Bytes read and bytes to read on disk, over all inputs; pipes count in the first alone.
    pub fn progress(&self) -> (u64, u64) {
        let read = self.lanes.iter().map(|lane| lane.read.load(Ordering::Relaxed)).sum();
        let size = self.lanes.iter().filter_map(|lane| lane.size).sum();
        (read, size)
    }

    /// What became of each input, in the order in which they were given.
    pub fn into_accounts(self) -> Vec<Account> {
        self.lanes.into_iter().map(Lane::into_account).collect()
    }

    /// Lets go of the mapping behind the worker's last piece, and notes whether the file shrank under it.
    fn release(&self, hand: &mut Hand) {
        if let Some((input, mapping)) = hand.mapping.take()
            && mapping.is_holed()
            && let Some(lane) = self.lanes.get(input)
        {
            lane.note().is_short = true;
        }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // A worker that panicked held no half-done change: each is one push or one take.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next task, waiting for one if others may still make some.
    fn take(&self) -> Option<Task> {
        let mut board = self.board();
        loop {
            let task = board
                .idle_pager()
                .or_else(|| board.ready_page())
                .or_else(|| self.begin_stream(&mut board))
                .or_else(|| self.next_range(&mut board));
            if task.is_some() || board.is_empty() {
                return task;
            }
            board = self.bell.wait(board).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Begins the next stream, if one more may go beside the others.
    fn begin_stream(&self, board: &mut Board) -> Option<Task> {
        while board.tracks.len() < self.options.threads {
            let (input, body) = board.waiting.pop_front()?;
            let lane = &self.lanes[input];
            match self.pager(lane, body) {
                Ok(pager) => {
                    board.tracks.push(Track::new(input, lane.framing.is_whole()));
                    return Some(Task::Decode { input, pager: Box::new(pager) });
                }
                Err(problem) => lane.note().problems.push(problem),
            }
        }
        None
    }

    fn pager(&self, lane: &Lane, body: Body) -> Result<Pager> {
        let raw = match body {
            Body::File { handle, size } => Raw::file(handle.file()?, size),
            Body::Wrapped(wrapped) => wrapped.open()?,
            Body::Pipe { held, reader } => Raw::pipe(held, reader),
        };
        let stream = Stream::new(raw, lane.compression)
            .map_err(|error| lane.named(Error::input(format!("cannot be unpacked: {error}"))))?;
        let FeedOptions { piece_bytes, max_record, .. } = self.options;
        Ok(Pager::new(stream, lane.framing, piece_bytes, max_record))
    }

    /// The next piece of the first plain file that has one, which is opened when its turn comes.
    fn next_range(&self, board: &mut Board) -> Option<Task> {
        loop {
            let file = board.files.front_mut()?;
            match file.take(self.options.mmap, &self.lanes[file.input]) {
                Ok(Some(task)) => return Some(task),
                Ok(None) => {}
                Err(problem) => {
                    let lane = &self.lanes[file.input];
                    let bytes = file.plan.size;
                    lane.note().problems.push(problem);
                    lane.gap(Gap { offset: 0, bytes, reason: Reason::Unreadable });
                }
            }
            board.files.pop_front();
        }
    }

    /// Decodes a page and puts it in line.
    fn decode(&self, input: usize, mut pager: Box<Pager>, hand: &mut Hand) {
        let page = pager.next_page(&mut hand.buffer);
        let lane = &self.lanes[input];
        lane.read.store(pager.stream().raw().bytes_read(), Ordering::Relaxed);
        for gap in pager.take_gaps() {
            lane.gap(gap);
        }
        let records = page.map(|page| (page.sequence, &hand.buffer[..page.len]));
        let left = records.and_then(|(sequence, records)| lane.hand_on(sequence, records));
        let is_done = page.is_none_or(|page| page.last);
        if is_done {
            lane.close(&mut pager);
        }
        let mut board = self.board();
        if let Some(track) = board.tracks.iter_mut().find(|track| track.input == input) {
            track.is_done = is_done;
            track.pager = (!is_done).then_some(pager);
            if let Some(page) = page {
                let spare = track.spare.pop().unwrap_or_default();
                let buffer = mem::replace(&mut hand.buffer, spare);
                track.ready.push_back(Ready { page, buffer, left });
            }
        }
        board.sweep();
        drop(board);
        match is_done {
            true => self.bell.notify_all(),
            false => self.bell.notify_one(),
        }
    }

    /// Takes over a page that lay ready; the worker's own buffer goes to the decoder.
    fn parse(&self, input: usize, ready: Ready, hand: &mut Hand) -> Spot<'_> {
        let Ready { page, buffer, left } = ready;
        let spare = mem::replace(&mut hand.buffer, buffer);
        let mut board = self.board();
        let track = board.tracks.iter_mut().find(|track| track.input == input);
        let is_whole = track.as_ref().is_some_and(|track| track.is_whole);
        if let Some(track) = track {
            track.spare.push(spare);
        }
        board.sweep();
        if board.is_empty() {
            // This was the last page of all: whoever waits for one is to hear of it.
            self.bell.notify_all();
        }
        drop(board);
        let turn = is_whole.then_some(Turn { feed: self, input });
        Spot { left, ..Spot::of_page(input, page, turn) }
    }

    /// Reads and cuts a piece of a plain file.
    fn cut(
        &self,
        input: usize,
        plan: &Plan,
        index: u64,
        bytes: Bytes,
        hand: &mut Hand,
    ) -> Option<Spot<'_>> {
        let lane = &self.lanes[input];
        let range = plan.range(index);
        let cut = match bytes {
            Bytes::Read(file) => {
                hand.mapping = None;
                cut_read(plan, index, file, hand)
            }
            Bytes::Mapped(mapping) => cut_mapped(plan, index, mapping, (input, hand)),
        };
        lane.read.fetch_add(range.end - range.start, Ordering::Relaxed);
        let cut = cut.unwrap_or_else(|error| {
            lane.note().problems.push(lane.failed(error).offset(range.start));
            lane.gap(Gap {
                offset: range.start,
                bytes: range.end - range.start,
                reason: Reason::Unreadable,
            });
            Cut::default()
        });
        cut.long.into_iter().chain(cut.missing).for_each(|gap| lane.gap(gap));
        let records = match &hand.mapping {
            Some((_, mapping)) => &mapping.bytes()[cut.bytes.clone()],
            None => &hand.buffer[cut.bytes.clone()],
        };
        let left = lane.hand_on(index, records);
        (!cut.bytes.is_empty()).then(|| Spot {
            input,
            bytes: cut.bytes,
            offset: cut.offset,
            sequence: index,
            last: cut.last,
            cut: cut.torn,
            left,
            turn: None,
        })
    }
}

/// Cuts a piece out of positional reads, which leave its bytes in the worker's buffer.
fn cut_read(
    plan: &Plan,
    index: u64,
    file: Arc<std::fs::File>,
    hand: &mut Hand,
) -> std::io::Result<Cut> {
    let buffer = mem::take(&mut hand.buffer);
    let mut window = Reads::new(file, plan.window_base(index), plan.size, buffer);
    let cut = plan.cut(index, &mut window, Reads::elsewhere);
    hand.buffer = window.into_buffer();
    cut
}

/// Cuts a piece out of a mapping, which the worker's hand keeps alive.
fn cut_mapped(
    plan: &Plan,
    index: u64,
    mapping: Arc<Mapping>,
    (input, hand): (usize, &mut Hand),
) -> std::io::Result<Cut> {
    let base = plan.window_base(index);
    let mut cut = plan.cut(index, &mut View::new(mapping.clone(), base)?, View::elsewhere)?;
    cut.bytes = base as usize + cut.bytes.start..base as usize + cut.bytes.end;
    hand.mapping = Some((input, mapping));
    Ok(cut)
}

impl Board {
    fn add(&mut self, input: usize, lane: &Lane, body: Body, options: &FeedOptions) {
        match body {
            Body::File { handle, size }
                if lane.compression == Compression::Plain && !lane.framing.is_whole() =>
            {
                let FeedOptions { piece_bytes, max_record, .. } = *options;
                let plan = Plan { framing: lane.framing, piece_bytes, max_record, size };
                self.files.push_back(Plain { input, plan, handle, bytes: None, next: 0 });
            }
            body => self.waiting.push_back((input, body)),
        }
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.tracks.is_empty() && self.files.is_empty()
    }

    /// A page that may be parsed: of a whole input only when the page before it has been.
    fn ready_page(&mut self) -> Option<Task> {
        let is_next = |track: &&mut Track| !track.is_parsing && !track.ready.is_empty();
        let track = self.tracks.iter_mut().find(is_next)?;
        let ready = track.ready.pop_front()?;
        track.is_parsing = track.is_whole;
        Some(Task::Parse { input: track.input, ready })
    }

    /// A stream that nobody is decoding and that is not far enough ahead. A whole input with a page that may be parsed
    /// can wait: its parsing is what takes long.
    fn idle_pager(&mut self) -> Option<Task> {
        let is_idle = |track: &&mut Track| {
            let can_wait = track.is_whole && !track.is_parsing && !track.ready.is_empty();
            track.pager.is_some() && track.ready.len() < AHEAD && !can_wait
        };
        let track = self.tracks.iter_mut().find(is_idle)?;
        let pager = track.pager.take()?;
        Some(Task::Decode { input: track.input, pager })
    }

    /// Lets go of streams that are decoded, parsed and nobody's turn.
    fn sweep(&mut self) {
        self.tracks.retain(|track| !track.is_done || track.is_parsing || !track.ready.is_empty());
    }
}

impl Track {
    fn new(input: usize, is_whole: bool) -> Self {
        Self {
            input,
            is_whole,
            pager: None,
            is_done: false,
            ready: VecDeque::new(),
            spare: Vec::new(),
            is_parsing: false,
        }
    }
}

impl Plain {
    /// The next piece, or `None` when all are given out.
    fn take(&mut self, mmap: Mmap, lane: &Lane) -> Result<Option<Task>> {
        if self.next == self.plan.pieces() {
            return Ok(None);
        }
        let bytes = match &self.bytes {
            Some(bytes) => bytes.clone(),
            None => self.bytes.insert(self.open(mmap, lane)?).clone(),
        };
        let index = self.next;
        self.next += 1;
        Ok(Some(Task::Cut { input: self.input, plan: self.plan, index, bytes }))
    }

    fn open(&self, mmap: Mmap, lane: &Lane) -> Result<Bytes> {
        let file = self.handle.file()?;
        let len = usize::try_from(self.plan.size).ok().filter(|_| mmap == Mmap::Always);
        let Some(len) = len else { return Ok(Bytes::Read(file)) };
        Ok(match Mapping::new(file.clone(), len) {
            Ok(mapping) => Bytes::Mapped(Arc::new(mapping)),
            Err(error) => {
                let words = format!("cannot be mapped and was read instead: {error}");
                lane.note().warnings.push(lane.named(Error::input(words)));
                Bytes::Read(file)
            }
        })
    }
}

impl Lane {
    fn new(input: Input, framing: Framing) -> (Self, Body) {
        let (source, compression, body) = input.into_parts();
        let path = match source.origin {
            Origin::Path(path) => Some(path),
            Origin::Stdin => None,
        };
        let size = match &body {
            Body::File { size, .. } => Some(*size),
            Body::Wrapped(_) | Body::Pipe { .. } => source.size,
        };
        let lane = Self {
            name: source.name,
            path,
            compression,
            framing,
            size,
            read: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            notes: Mutex::default(),
            relay: Relay::default(),
        };
        (lane, body)
    }

    fn note(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what the records of piece `sequence` leave behind, and says what those before them did.
    ///
    /// Every piece is shown, those without records too.
    fn hand_on(&self, sequence: u64, records: &[u8]) -> Option<Vec<u8>> {
        let Framing::Around(around) = self.framing else { return None };
        self.relay.hand_on(sequence, (around.leaves)(records))
    }

    fn gap(&self, gap: Gap) {
        let mut notes = self.note();
        notes.is_short |= gap.reason == Reason::Missing;
        notes.gaps.push(gap);
    }

    /// The error with this input's name.
    fn named(&self, error: Error) -> Error {
        error.at(self.path.as_deref().unwrap_or(self.name.as_ref()))
    }

    fn failed(&self, error: std::io::Error) -> Error {
        Error::io("read", self.path.as_deref().unwrap_or(self.name.as_ref()), error)
    }

    /// Notes how a stream ended.
    fn close(&self, pager: &mut Pager) {
        let damage = pager.take_damage();
        let stream = pager.stream();
        let reason = match damage {
            Some(Damage::Unreadable(_)) => Some(Reason::Unreadable),
            _ => stream.raw().is_short().then_some(Reason::Missing),
        };
        if let (Some(reason), Some(size), Compression::Plain) =
            (reason, self.size, self.compression)
        {
            let offset = stream.raw().bytes_read();
            self.gap(Gap { offset, bytes: size - offset, reason });
        }
        let mut notes = self.note();
        notes.is_short |= stream.raw().is_short();
        if let Some(garbage) = stream.garbage() {
            let name = self.compression.name();
            let words = match garbage.is_followed {
                true => format!(
                    "{} bytes of garbage between the parts of the {name} stream were passed over",
                    garbage.bytes
                ),
                false => format!("garbage behind the {name} stream was ignored"),
            };
            notes.warnings.push(self.named(Error::input(words).offset(garbage.at)));
        }
        let damage = damage.map(|damage| account::damage_error(damage, self.compression));
        notes.problems.extend(damage.map(|error| self.named(error)));
    }

    fn into_account(self) -> Account {
        let shrunk = self.named(Error::input("became shorter while it was read"));
        let mut notes = self.notes.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut gaps = account::join(notes.gaps);
        let delivered = self.delivered.into_inner();
        if let (Compression::Plain, Some(size)) = (self.compression, self.size) {
            account::balance(&mut gaps, size, delivered);
        }
        if notes.is_short {
            notes
                .problems
                .insert(0, shrunk.advise("a rotation truncated it; read the copy it made"));
        }
        Account {
            name: self.name,
            path: self.path,
            compression: self.compression,
            size: self.size,
            bytes_read: self.read.into_inner(),
            bytes: delivered,
            gaps,
            problems: notes.problems,
            warnings: notes.warnings,
        }
    }
}

impl<'f> Spot<'f> {
    fn of_page(input: usize, page: Page, turn: Option<Turn<'f>>) -> Self {
        let Page { len, offset, sequence, last, cut } = page;
        Self { input, bytes: 0..len, offset, sequence, last, cut, left: None, turn }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut board = self.feed.board();
        if let Some(track) = board.tracks.iter_mut().find(|track| track.input == self.input) {
            track.is_parsing = false;
        }
        board.sweep();
        drop(board);
        self.feed.bell.notify_all();
    }
}

impl fmt::Debug for Turn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("input", &self.input).finish_non_exhaustive()
    }
}
