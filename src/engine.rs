//! One pass: inputs in, states out.
//!
//! This is the only place where inputs, formats, filters and reports meet. Each thread takes a piece, parses it into
//! blocks, thins each block by the filter, numbers its texts and shows it to every report; it owns all that it writes
//! to. At the end the threads' states are joined. Nothing here decides what to read or to report, and nothing prints.
//!
//! # Memory
//!
//! Beside what the feed holds, each thread has a block and the positions of one piece (about 300 KiB a family), and
//! what the distinct keys need, which [`Limits::key_bytes`] bounds for all threads together. Of a log that is read in
//! several formats a thread also holds a copy of what each of them left of one piece.

mod rest;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use memchr::memrchr;
use rayon::prelude::*;

use self::rest::{Rest, Standing};
use crate::document::Section;
use crate::error::{Error, Result};
use crate::filter::{self, Filter};
use crate::format::{Family, Format, Room, Scan};
use crate::input::{self, Feed, Framing, Hand, Piece};
use crate::ledger::{Account, Leftover, Reason};
use crate::record::time::Clock;
use crate::record::{Block, Field, Fields, Layout, Origin, Records};
use crate::report::{AnyReport, AnyState, Closing, Dictionaries, Options};

/// What is asked of the records of one family.
pub struct Group {
    family: Family,
    reports: Vec<Box<dyn AnyReport>>,
    /// Of each report: what it cannot do without.
    required: Vec<Fields>,
    filter: Filter,
    layout: Layout,
}

/// How many reports a thread joins or finishes before others can take the next: behind a heavy one no light one waits.
const AT_ONCE: usize = 1;

impl Group {
    /// These reports, in the order in which they are shown, on the records that the filter lets through.
    pub fn new(family: Family, reports: Vec<Box<dyn AnyReport>>, filter: Filter) -> Self {
        let needs = reports.iter().map(|report| report.needs());
        let (mut wanted, mut symbols) = (filter.fields(), Fields::NONE);
        let mut required = Vec::with_capacity(reports.len());
        wanted.insert(Field::TIME);
        for needs in needs {
            wanted = wanted.union(needs.all());
            symbols = symbols.union(needs.symbols);
            required.push(needs.required);
        }
        Self { family, reports, required, filter, layout: Layout::new(wanted, symbols) }
    }

    /// Makes the parsers write these fields as well.
    pub fn want(&mut self, fields: &[Field]) {
        let wanted = self.layout.wanted().iter().chain(fields).copied().collect();
        self.layout = Layout::new(wanted, Fields::of(self.layout.symbols()));
    }

    /// What the records are.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The reports, in the order in which they are shown.
    pub fn reports(&self) -> &[Box<dyn AnyReport>] {
        &self.reports
    }

    /// The fields that reports and filter read.
    pub fn wanted(&self) -> &[Field] {
        self.layout.wanted()
    }

    /// The fields that reports read by symbol.
    pub fn symbols(&self) -> &[Field] {
        self.layout.symbols()
    }

    /// A state that has seen nothing.
    pub fn start(&self, key_bytes: usize) -> State {
        State {
            dictionaries: Dictionaries::new(self.layout.symbols(), key_bytes),
            states: self.reports.iter().map(|report| report.start()).collect(),
            records: 0,
            period: None,
        }
    }

    /// Joins two states; in any order and any grouping the same comes out.
    ///
    /// # Errors
    /// When they were counted for other fields: only possible with a state that was saved.
    pub fn merge(&self, mut into: State, from: State) -> Result<State> {
        let renumberings = into.dictionaries.absorb(&from.dictionaries)?;
        let states = into.states.par_iter_mut().zip(from.states).zip(&self.reports);
        let states = states.with_max_len(AT_ONCE);
        states.for_each(|((into, from), report)| report.merge(into, from, &renumberings));
        into.records += from.records;
        into.period = joined(into.period, from.period);
        Ok(into)
    }

    /// What is to be shown.
    pub fn finish(&self, state: State, options: &Options) -> Vec<Section> {
        let closing = Closing {
            dictionaries: &state.dictionaries,
            options,
            records: state.records,
            period: state.period,
            family: self.family,
        };
        let finished = state.states.into_par_iter().zip(&self.reports).with_max_len(AT_ONCE);
        let sections = finished.map(|(state, report)| report.finish(state, &closing));
        sections.collect::<Vec<_>>().into_iter().flatten().collect()
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.reports.iter().map(|report| report.name()).collect();
        f.debug_struct("Group").field("family", &self.family).field("reports", &names).finish()
    }
}

/// What the reports of a group have counted, and the texts behind their symbols.
pub struct State {
    /// The texts.
    pub dictionaries: Dictionaries,
    /// One a report.
    pub states: Vec<AnyState>,
    /// How many records were counted.
    pub records: u64,
    /// The instants of the first and the last of them, in microseconds.
    pub period: Option<(i64, i64)>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("records", &self.records).finish_non_exhaustive()
    }
}

fn joined(a: Option<(i64, i64)>, b: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}

/// How one input is read.
#[derive(Debug, Clone)]
pub struct Reading {
    /// How its records are written: one way, mostly. What the first does not take goes to the next, so that a log into
    /// which several programs write is read in one go.
    pub dialects: Vec<Dialect>,
    /// What it knows about time that its stamps do not say.
    pub clock: Clock,
    /// What it is called, for reports that say where a record stands.
    pub name: String,
}

/// A way in which records of an input are written.
#[derive(Debug, Clone)]
pub struct Dialect {
    /// How.
    pub format: Arc<dyn Format>,
    /// The number of the group that such records belong to.
    pub group: usize,
    /// The fields that reports see of them; none means all that they ask for. A report about hosts has nothing to say of
    /// a log without any, whatever other logs are read beside it: so a joined answer is that of one run.
    pub supplied: Option<Fields>,
}

/// What a pass may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Threads.
    pub threads: usize,
    /// Bytes for the distinct keys of one group, over all threads.
    pub key_bytes: usize,
}

/// What a pass is to do: the readings are in the order of the feed's inputs.
#[derive(Debug)]
pub struct Job {
    /// What is asked, by family.
    pub groups: Vec<Group>,
    /// How each input is read.
    pub readings: Vec<Reading>,
    /// What it may use.
    pub limits: Limits,
}

/// What came of a pass.
#[derive(Debug)]
pub struct Counted {
    /// One a group.
    pub states: Vec<State>,
    /// The account of each input, as far as parsing can tell.
    pub accounts: Vec<Account>,
}

impl Job {
    /// Reads all that the feed has and counts it.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn count(&self, feed: &Feed) -> Result<Counted> {
        let pool = pool(self.limits.threads.max(1))?;
        let workers = pool.broadcast(|_| {
            let mut worker = Worker::new(self);
            let mut hand = Hand::default();
            while let Some(piece) = feed.next(&mut hand) {
                worker.take(&piece);
            }
            worker.into_counted()
        });
        let join = |into, from| self.join(into, from).expect("all threads count the same fields");
        Ok(pool
            .install(|| workers.into_par_iter().reduce_with(join))
            .unwrap_or_else(|| self.nothing()))
    }

    fn nothing(&self) -> Counted {
        Worker::new(self).into_counted()
    }

    fn join(&self, into: Counted, from: Counted) -> Result<Counted> {
        let pairs = into.states.into_par_iter().zip(from.states).zip(&self.groups);
        let states = pairs.map(|((into, from), group)| group.merge(into, from));
        let states = states.collect::<Result<_>>()?;
        let mut accounts = into.accounts;
        accounts.iter_mut().zip(from.accounts).for_each(|(into, from)| into.merge(from));
        Ok(Counted { states, accounts })
    }
}

/// So many threads; 0 is one a core.
fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    let builder = rayon::ThreadPoolBuilder::new().num_threads(threads);
    builder.build().map_err(|error| Error::input(format!("cannot start threads: {error}")))
}

/// Does work that goes side by side on so many threads; on those there are where none can be started.
pub(crate) fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    match pool(threads) {
        Ok(pool) => pool.install(work),
        Err(_) => work(),
    }
}

/// One thread's part of a job.
struct Worker<'j> {
    job: &'j Job,
    benches: Vec<Bench<'j>>,
    /// By reading and dialect.
    parsers: Vec<Vec<Option<Box<dyn Scan>>>>,
    accounts: Vec<Account>,
}

/// A thread's place of work for one group.
struct Bench<'j> {
    group: &'j Group,
    room: Room,
    thinning: filter::Scratch,
    state: State,
}

impl<'j> Worker<'j> {
    fn new(job: &'j Job) -> Self {
        let share = job.limits.key_bytes / job.limits.threads.max(1);
        let benches = job.groups.iter().map(|group| Bench::new(group, share)).collect();
        let none = |reading: &Reading| reading.dialects.iter().map(|_| None).collect();
        let parsers = job.readings.iter().map(none).collect();
        Self { job, benches, parsers, accounts: vec![Account::default(); job.readings.len()] }
    }

    fn take(&mut self, piece: &Piece<'_>) {
        let framing = {
            let parser = self.parser(piece.input, 0);
            parser.begin(piece.left.as_deref());
            parser.framing()
        };
        let text = whole_records(piece, framing, &mut self.accounts[piece.input]);
        self.take_text((piece.input, 0), text, Standing::At(piece.offset), false);
    }

    /// Shows the records of a text to a dialect of an input, and what that does not take to the next one. Of lines that
    /// are excused a dialect before said that they are another program's.
    fn take_text(
        &mut self,
        (input, dialect): (usize, usize),
        text: &[u8],
        standing: Standing<'_>,
        are_excused: bool,
    ) {
        let is_last = dialect + 1 == self.job.readings[input].dialects.len();
        let mut account = if is_last { Account::default() } else { Account::with_leftovers() };
        self.scan((input, dialect), text, standing.start(), &mut account);
        if are_excused {
            account.excuse();
        }
        let leftovers = account.hand_on();
        account.relocate(|offset| standing.place(offset));
        let mut rests = BTreeMap::<usize, Rest>::new();
        for left in leftovers {
            let start = (left.offset - standing.start()) as usize;
            let record = &text[start..start + left.bytes];
            let left = Leftover { offset: standing.place(left.offset), ..left };
            match self.next_dialect((input, dialect), record) {
                Some(next) => rests.entry(next).or_default().add(record, left),
                None => {
                    account.read.add(record.len());
                    account.refuse(left.reason, left.offset, record.trim_ascii_end(), left.bytes);
                }
            }
        }
        self.accounts[input].merge(account);
        for (next, rest) in rests {
            for (lines, are_excused) in [(&rest.rejected, false), (&rest.others, true)] {
                if !lines.is_empty() {
                    let standing = Standing::As(lines);
                    self.take_text((input, next), lines.text(), standing, are_excused);
                }
            }
        }
    }

    /// The next dialect that could begin a record where one begins. In another it would pass for the rest of the record
    /// before it, whichever that is there.
    fn next_dialect(&mut self, (input, dialect): (usize, usize), record: &[u8]) -> Option<usize> {
        let mut others = dialect + 1..self.job.readings[input].dialects.len();
        others
            .find(|next| self.parser(input, *next).framing().opens(record, 0, true) != Some(false))
    }

    /// Shows the records of a text, which stands at an offset of an input, to the reports of a dialect of it.
    fn scan(
        &mut self,
        (input, dialect): (usize, usize),
        text: &[u8],
        offset: u64,
        account: &mut Account,
    ) {
        self.parser(input, dialect);
        let reading = &self.job.readings[input];
        let Dialect { group, supplied, .. } = &reading.dialects[dialect];
        let parser = self.parsers[input][dialect].as_mut().expect("it was made above");
        let Bench { group, room, thinning, state } = &mut self.benches[*group];
        let origin = Origin { input: input as u32, offset };
        parser.scan(text, origin, room, account, &mut |block, account| {
            thin(&group.filter, thinning, block, text, &reading.name, account);
            state.observe(group, block, text, (&reading.name, supplied.as_ref()));
        });
    }

    /// The parser of a dialect of an input, made when it is needed first.
    fn parser(&mut self, input: usize, dialect: usize) -> &mut Box<dyn Scan> {
        let reading = &self.job.readings[input];
        let Dialect { format, group, .. } = &reading.dialects[dialect];
        let layout = &self.benches[*group].group.layout;
        self.parsers[input][dialect]
            .get_or_insert_with(|| format.parser(layout, reading.clock.clone()))
    }

    fn into_counted(self) -> Counted {
        let states = self.benches.into_iter().map(|bench| bench.state).collect();
        Counted { states, accounts: self.accounts }
    }
}

impl<'j> Bench<'j> {
    fn new(group: &'j Group, key_bytes: usize) -> Self {
        Self {
            group,
            room: Room::new(group.layout.clone()),
            thinning: group.filter.scratch(),
            state: group.start(key_bytes),
        }
    }
}

/// The records of a piece that are whole. Where a stream broke off, what is left of the last one goes to the ledger.
fn whole_records<'p>(piece: &'p Piece<'_>, framing: Framing, account: &mut Account) -> &'p [u8] {
    let text = piece.bytes();
    if !piece.cut {
        return text;
    }
    let end = match framing {
        Framing::Opens(_) | Framing::Around(_) => {
            framing.last_start(text, text.len(), true).unwrap_or(0)
        }
        Framing::Lines | Framing::Whole => memrchr(b'\n', text).map_or(0, |at| at + 1),
    };
    let (whole, rest) = text.split_at(end);
    if !rest.is_empty() {
        account.read.add(rest.len());
        account.refuse(Reason::Cut, piece.offset + end as u64, rest, rest.len());
    }
    whole
}

/// Drops what the filter does not want, and accounts for what is kept and what is not.
fn thin(
    filter: &Filter,
    scratch: &mut filter::Scratch,
    block: &mut Block,
    text: &[u8],
    source: &str,
    account: &mut Account,
) {
    see_period(&block.records(text), account);
    let (records, bytes) = (block.accounted(), block.bytes());
    if !filter.is_empty() {
        filter.thin(scratch, block, text, source);
    }
    let (kept, kept_bytes) = (block.accounted(), block.bytes());
    account.counted.records += kept;
    account.counted.bytes += kept_bytes;
    account.filtered.records += records - kept;
    account.filtered.bytes += bytes - kept_bytes;
}

fn see_period(records: &Records<'_>, account: &mut Account) {
    if let Some((first, last)) = period(records) {
        account.see(first, last);
    }
}

fn period(records: &Records<'_>) -> Option<(i64, i64)> {
    let times = records.column(Field::TIME)?.iter().filter_map(|value| value.number());
    times.fold(None, |seen, time| joined(seen, Some((time, time))))
}

impl State {
    /// Shows the records of a block to all reports.
    fn observe(
        &mut self,
        group: &Group,
        block: &mut Block,
        text: &[u8],
        (name, supplied): (&str, Option<&Fields>),
    ) {
        let fields = group.layout.symbols().iter();
        for (field, (_, dictionary)) in fields.zip(self.dictionaries.iter_mut()) {
            if *field == Field::SOURCE_FILE {
                // No parser knows it; it is the same for the whole block.
                block.fill_symbols(*field, dictionary.intern(name.as_bytes()));
            } else if let Some((texts, symbols)) = block.texts_and_symbols(*field, text) {
                dictionary.intern_all(texts, symbols);
            }
        }
        let records = block.records(text);
        self.records += records.len() as u64;
        self.period = joined(self.period, period(&records));
        let records = records.only(supplied);
        let reports = group.reports.iter().zip(&group.required).zip(&mut self.states);
        for ((report, required), state) in reports {
            if supplied.is_none_or(|supplied| required.is_within(*supplied)) {
                report.observe(state, &records);
            }
        }
    }
}

/// Adds to the account of an input what only reading could tell: records that were too long to be handed out.
pub fn close_account(account: &mut Account, reading: &input::Account) {
    for gap in reading.gaps.iter().filter(|gap| gap.reason == input::Reason::TooLong) {
        account.read.add(gap.bytes as usize);
        account.refuse(Reason::TooLong, gap.offset, b"", gap.bytes as usize);
    }
}

/// Takes the records of one input in the order in which they stand in it: each block becomes bytes, on any thread, and
/// the bytes are written in order.
///
/// They are those of its first dialect. `number` is that of the input in the run; `render` appends the bytes of a block;
/// `write` gets those of a piece at a time and returns false to stop early.
///
/// # Errors
/// When the threads cannot be started.
pub fn stream(
    reading: &Reading,
    number: u32,
    group: &Group,
    feed: &Feed,
    threads: usize,
    render: impl Fn(&Records<'_>, &mut Vec<u8>) + Sync,
    write: impl FnMut(&[u8]) -> bool + Send,
) -> Result<Account> {
    let job = OneInput { reading, number, group, feed, tickets: Mutex::new(0), render };
    let order = Mutex::new(Order { next: 0, early: Vec::new(), write, goes_on: true });
    let accounts = pool(threads.max(1))?.broadcast(|_| job.work(&order));
    let mut account = Account::default();
    accounts.into_iter().for_each(|part| account.merge(part));
    Ok(account)
}

/// What the threads of [`stream`] share.
struct OneInput<'s, R> {
    reading: &'s Reading,
    number: u32,
    group: &'s Group,
    feed: &'s Feed,
    /// Counts pieces in the order in which they are handed out, which for one input is their order in it.
    tickets: Mutex<u64>,
    render: R,
}

/// Brings what the threads rendered back into order.
struct Order<W> {
    next: u64,
    early: Vec<(u64, Vec<u8>)>,
    write: W,
    goes_on: bool,
}

const UNPOISONED: &str = "no thread panics while it holds this lock";

impl<R: Fn(&Records<'_>, &mut Vec<u8>) + Sync> OneInput<'_, R> {
    fn work<W: FnMut(&[u8]) -> bool>(&self, order: &Mutex<Order<W>>) -> Account {
        let mut account = Account::default();
        let format = &self.reading.dialects[0].format;
        let mut parser = format.parser(&self.group.layout, self.reading.clock.clone());
        let mut bench = Bench::new(self.group, 0);
        let mut hand = Hand::default();
        loop {
            let mut tickets = self.tickets.lock().expect(UNPOISONED);
            let Some(piece) = self.feed.next(&mut hand) else { return account };
            let ticket = *tickets;
            *tickets += 1;
            drop(tickets);
            let text = whole_records(&piece, parser.framing(), &mut account);
            let origin = Origin { input: self.number, offset: piece.offset };
            let mut out = Vec::new();
            let Bench { group, room, thinning, .. } = &mut bench;
            parser.begin(piece.left.as_deref());
            parser.scan(text, origin, room, &mut account, &mut |block, account| {
                thin(&group.filter, thinning, block, text, &self.reading.name, account);
                (self.render)(&block.records(text), &mut out);
            });
            if !order.lock().expect(UNPOISONED).take(ticket, out) {
                return account;
            }
        }
    }
}

impl<W: FnMut(&[u8]) -> bool> Order<W> {
    /// Writes a rendered piece when its turn has come, with all that waited for it. False to stop.
    fn take(&mut self, ticket: u64, bytes: Vec<u8>) -> bool {
        self.early.push((ticket, bytes));
        while let Some(at) = self.early.iter().position(|(ticket, _)| *ticket == self.next) {
            let (_, bytes) = self.early.swap_remove(at);
            self.next += 1;
            self.goes_on = self.goes_on && (self.write)(&bytes);
        }
        self.goes_on
    }
}
