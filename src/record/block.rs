//! The block of columns in which records travel from a parser to filters and reports.
//!
//! A [`Layout`] says which fields a run wants and gives each a slot. The parser writes a [`Row`] after the other;
//! when the block is full, or the piece ends, the records are looked at through [`Records`], which joins the block
//! with the piece of text that its spans point into. Nothing is owned and nothing is allocated per record.

use super::field::{Field, Fields, Kind, MOST_FIELDS};
use super::label::Label;
use super::number::integer;

/// How many records a block holds. The trial was flat from 16 to 4,096; 512 keeps twenty columns within a second
/// level cache.
pub const ROWS: usize = 512;

/// How far the columns of a block stand apart: a line of the cache more than a page, so that the values of one record
/// fall into different sets of the first level cache. A page apart they push each other out while a parser writes a row.
const STRIDE: usize = ROWS + 8;

/// Where a field stands in a block. Fields that nobody wants all share one slot that nobody reads, so that a parser
/// can write without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(u32);

impl Slot {
    /// The slot that nobody reads.
    pub const UNWANTED: Self = Self(0);

    /// True when somebody reads it: ask before work that only this field needs.
    pub fn is_wanted(self) -> bool {
        self != Self::UNWANTED
    }

    /// Where its column begins in a block.
    fn start(self) -> usize {
        self.0 as usize
    }
}

/// Which fields a run wants, and where they stand.
#[derive(Debug, Clone)]
pub struct Layout {
    slots: Box<[Slot; MOST_FIELDS]>,
    wanted: Vec<Field>,
    symbols: Vec<Field>,
}

impl Layout {
    /// Room for `wanted`; those that are also in `symbols` get numbers for their texts (see [`Symbol`]).
    pub fn new(wanted: Fields, symbols: Fields) -> Self {
        let mut slots = Box::new([Slot::UNWANTED; MOST_FIELDS]);
        let symbols: Vec<Field> = symbols.iter().filter(|field| field.kind().is_text()).collect();
        let wanted: Vec<Field> = wanted.union(Fields::of(&symbols)).iter().collect();
        for (at, field) in wanted.iter().enumerate() {
            slots[field.index()] = Slot(((at + 1) * STRIDE) as u32);
        }
        Self { slots, wanted, symbols }
    }

    /// Where `field` is to be written.
    pub fn slot(&self, field: Field) -> Slot {
        self.slots[field.index()]
    }

    /// The fields that somebody reads.
    pub fn wanted(&self) -> &[Field] {
        &self.wanted
    }

    /// The text fields that are read by symbol.
    pub fn symbols(&self) -> &[Field] {
        &self.symbols
    }
}

/// A stretch of text: of the piece, or of the block's own store for texts that had to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    start: u32,
    len: u32,
}

impl Span {
    const MADE: u32 = 1 << 31;

    /// `len` bytes of the piece from `start`, or of the store where [`Row::store`] said so.
    pub fn new(start: usize, len: usize) -> Self {
        debug_assert!(start < 2 * Self::MADE as usize);
        Self { start: start as u32, len: len as u32 }
    }
}

/// One value of a column: a number or a span in eight bytes, with a mark for absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value(u64);

impl Value {
    /// The log does not say. As a number this is the smallest, as a span an empty one of the made texts; neither
    /// occurs otherwise.
    pub const ABSENT: Self = Self(1 << 63);

    /// A number in the unit of its field.
    pub fn from_number(number: i64) -> Self {
        Self(number as u64)
    }

    /// A text.
    pub fn from_span(span: Span) -> Self {
        Self(u64::from(span.start) << 32 | u64::from(span.len))
    }

    /// True when the log does not say.
    pub fn is_absent(self) -> bool {
        self == Self::ABSENT
    }

    /// The number, if the log says it. For columns that are not text.
    pub fn number(self) -> Option<i64> {
        (!self.is_absent()).then_some(self.0 as i64)
    }

    /// The number, with another one in the place of absent.
    pub fn number_or(self, other: i64) -> i64 {
        if self.is_absent() { other } else { self.0 as i64 }
    }

    fn span(self) -> Span {
        Span { start: (self.0 >> 32) as u32, len: self.0 as u32 }
    }
}

/// The number that stands for a text within one dictionary; see [`crate::tally::Dictionary`].
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Symbol(pub u32);

impl Symbol {
    /// Stands for no text at all.
    pub const ABSENT: Self = Self(0);
    /// Stands for every text that came after the dictionary was full.
    pub const OTHER: Self = Self(1);

    /// As an index into arrays that hold one value a symbol.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The reusable columns of up to [`ROWS`] records.
#[derive(Debug)]
pub struct Block {
    layout: Layout,
    len: usize,
    /// Column after column, each [`STRIDE`] behind the one before.
    values: Vec<Value>,
    symbols: Vec<[Symbol; ROWS]>,
    made: Vec<u8>,
    /// Each record as it stands in the piece, with its line end. Those that are there once more, because a line stood
    /// for several records, are marked with [`Span::MADE`].
    wholes: Box<[Span; ROWS]>,
    /// How many records the row that is being written stands for.
    times: u32,
    origin: Origin,
}

/// Where the text of a block comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Origin {
    /// The input, by its number in the run.
    pub input: u32,
    /// Where the piece begins in the plain text of the input.
    pub offset: u64,
}

impl Block {
    /// An empty block for that layout.
    pub fn new(layout: Layout) -> Self {
        let values = vec![Value::ABSENT; (layout.wanted.len() + 1) * STRIDE];
        let symbols = layout.symbols.iter().map(|_| [Symbol::ABSENT; ROWS]).collect();
        let wholes = Box::new([Span::new(0, 0); ROWS]);
        let origin = Origin::default();
        Self { layout, len: 0, values, symbols, made: Vec::new(), wholes, times: 1, origin }
    }

    /// How many records it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// True when no further record fits.
    pub fn is_full(&self) -> bool {
        self.len == ROWS
    }

    /// The layout it was made for.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The row after the last one, to be written and then [kept](Row::keep).
    pub fn row(&mut self) -> Row<'_> {
        debug_assert!(!self.is_full());
        Row { at: self.len, block: self }
    }

    /// That many rows after the last one, to be written and then [kept](Rows::keep).
    ///
    /// # Panics
    /// When they do not fit.
    pub fn rows(&mut self, count: usize) -> Rows<'_> {
        assert!(self.len + count <= ROWS, "a block has so many rows");
        Rows { first: self.len, count, block: self }
    }

    /// A row that is kept already, empty again.
    pub fn row_again(&mut self, at: usize) -> Row<'_> {
        let mut row = Row { at, block: self };
        row.clear();
        row
    }

    /// Empties it; every value is absent again.
    pub fn clear(&mut self) {
        for column in self.values.chunks_exact_mut(STRIDE) {
            column[..self.len].fill(Value::ABSENT);
        }
        self.len = 0;
        self.made.clear();
    }

    /// Keeps the records of these rows (ascending) and drops the others.
    pub fn retain(&mut self, rows: &[u16]) {
        if rows.len() == self.len {
            return;
        }
        for column in self.values.chunks_exact_mut(STRIDE) {
            for (to, from) in rows.iter().enumerate() {
                column[to] = column[usize::from(*from)];
            }
            column[rows.len()..self.len].fill(Value::ABSENT);
        }
        for (to, from) in rows.iter().enumerate() {
            self.wholes[to] = self.wholes[usize::from(*from)];
        }
        self.len = rows.len();
    }

    /// Says where the text comes from that the next records stand in.
    pub fn set_origin(&mut self, origin: Origin) {
        self.origin = origin;
    }

    /// How many bytes its records have, line ends included. A line that stands for several records counts once.
    pub fn bytes(&self) -> u64 {
        self.lines().map(|whole| u64::from(whole.len)).sum()
    }

    /// How many records of the log its rows come from: as many as there are rows, unless a line stands for several.
    /// This, with [`bytes`](Self::bytes), is what belongs into an account.
    pub fn accounted(&self) -> u64 {
        self.lines().count() as u64
    }

    fn lines(&self) -> impl Iterator<Item = &Span> {
        self.wholes[..self.len].iter().filter(|whole| whole.start & Span::MADE == 0)
    }

    /// How many records the row that was just kept stands for; forgets it.
    #[inline]
    pub(crate) fn take_times(&mut self) -> u32 {
        std::mem::replace(&mut self.times, 1)
    }

    /// The texts of a field and its symbol column, to be filled; `None` when nobody reads its symbols, or when no record
    /// has the field and its symbols say so already. `text` is that of the piece.
    pub fn texts_and_symbols<'a>(
        &'a mut self,
        field: Field,
        text: &'a [u8],
    ) -> Option<(impl Iterator<Item = Option<&'a [u8]>>, &'a mut [Symbol])> {
        let at = self.layout.symbols.iter().position(|known| *known == field)?;
        let column = column(&self.values, self.layout.slot(field), self.len);
        let symbols = &mut self.symbols[at][..self.len];
        if column.iter().all(|value| value.is_absent()) {
            symbols.fill(Symbol::ABSENT);
            return None;
        }
        let made = &self.made[..];
        let texts = column.iter().map(move |value| bytes_of(*value, text, made));
        Some((texts, symbols))
    }

    /// Gives all records the same symbol of a field.
    pub fn fill_symbols(&mut self, field: Field, symbol: Symbol) {
        if let Some(at) = self.layout.symbols.iter().position(|known| *known == field) {
            self.symbols[at][..self.len].fill(symbol);
        }
    }

    /// The records together with the text that they were parsed from.
    pub fn records<'a>(&'a self, text: &'a [u8]) -> Records<'a> {
        Records { block: self, text, supplied: None }
    }
}

/// Rows that a parser writes together.
#[derive(Debug)]
pub struct Rows<'b> {
    block: &'b mut Block,
    first: usize,
    count: usize,
}

impl Rows<'_> {
    /// One of them.
    #[inline(always)] // In the innermost loops of parsers.
    pub fn row(&mut self, number: usize) -> Row<'_> {
        Row { at: self.first + number, block: self.block }
    }

    /// Their values in a slot, one a row.
    #[inline]
    pub fn column(&mut self, slot: Slot) -> &mut [Value] {
        &mut self.block.values[slot.start() + self.first..][..self.count]
    }

    /// Which rows of the block they are.
    pub fn places(&self) -> std::ops::Range<usize> {
        self.first..self.first + self.count
    }

    /// The records are whole: counts them. Each has the stretch of the piece in which it stands, its line end included.
    pub fn keep(self, wholes: impl Iterator<Item = Span>) {
        let kept = &mut self.block.wholes[self.first..self.first + self.count];
        kept.iter_mut().zip(wholes).for_each(|(kept, whole)| *kept = whole);
        self.block.len += self.count;
    }
}

/// The row that a parser is writing. What it does not write stays absent.
#[derive(Debug)]
pub struct Row<'b> {
    block: &'b mut Block,
    at: usize,
}

impl Row<'_> {
    /// Which row of the block it is.
    #[inline(always)]
    pub fn place(&self) -> usize {
        self.at
    }

    /// Writes a value into a slot.
    #[inline(always)] // One store in the innermost loop of every parser.
    pub fn set(&mut self, slot: Slot, value: Value) {
        self.block.values[slot.start() + self.at] = value;
    }

    /// Writes a value, unless it is absent: what was written before stays then.
    #[inline(always)]
    pub fn set_if_said(&mut self, slot: Slot, value: Value) {
        if !value.is_absent() {
            self.set(slot, value);
        }
    }

    /// Writes a number.
    #[inline(always)]
    pub fn number(&mut self, slot: Slot, number: i64) {
        self.set(slot, Value::from_number(number));
    }

    /// Writes digits as a number. What is no number stays absent.
    #[inline]
    pub fn digits(&mut self, slot: Slot, digits: &[u8]) {
        if slot.is_wanted()
            && let Some(number) = integer(digits)
        {
            self.number(slot, number);
        }
    }

    /// Writes a stretch of the piece.
    #[inline(always)]
    pub fn span(&mut self, slot: Slot, start: usize, len: usize) {
        self.set(slot, Value::from_span(Span::new(start, len)));
    }

    /// Writes a word of a closed vocabulary.
    #[inline(always)]
    pub fn label(&mut self, slot: Slot, label: Label) {
        self.number(slot, label.number());
    }

    /// Writes a text that does not stand in the piece as such: an unescaped string, a joined list.
    pub fn made(&mut self, slot: Slot, text: &[u8]) {
        if !slot.is_wanted() {
            return;
        }
        let store = &mut self.block.made;
        let start = if text.is_empty() { 0 } else { Span::MADE | store.len() as u32 };
        store.extend_from_slice(text);
        self.set(slot, Value::from_span(Span { start, len: text.len() as u32 }));
    }

    /// Keeps a text that does not stand in the piece as such, and says where it stands instead: spans of it, or of parts
    /// of it, count from there.
    pub fn store(&mut self, text: &[u8]) -> usize {
        let store = &mut self.block.made;
        if store.is_empty() {
            // An empty span at the beginning of the store would mean absent.
            store.push(0);
        }
        let start = Span::MADE as usize | store.len();
        store.extend_from_slice(text);
        start
    }

    /// The line stands for that many records: a relay folded equal ones. Each becomes a row of its own, for which the
    /// parser is asked again, but the account has the line once.
    #[cold]
    pub fn repeat(&mut self, times: u32) {
        self.block.times = times;
    }

    /// What was written into a slot so far.
    pub fn get(&self, slot: Slot) -> Value {
        self.block.values[slot.start() + self.at]
    }

    /// The record is whole: counts it. It stands in `len` bytes of the piece from `start`, its line end included.
    #[inline(always)]
    pub fn keep(self, start: usize, len: usize) {
        self.block.wholes[self.at] = Span::new(start, len);
        self.block.len += 1;
    }

    /// Counts the record once more, as one that a line stood for together with others.
    pub fn keep_again(self, start: usize, len: usize) {
        let Span { start, len } = Span::new(start, len);
        self.block.wholes[self.at] = Span { start: start | Span::MADE, len };
        self.block.len += 1;
    }

    /// The record of a row that is [written again](Block::row_again) stands there.
    pub fn is_of(self, start: usize, len: usize) {
        self.block.wholes[self.at] = Span::new(start, len);
    }

    /// The record is not one: forgets what was written.
    #[cold]
    pub fn drop_values(mut self) {
        self.clear();
    }

    /// Forgets what was written.
    pub(crate) fn clear(&mut self) {
        self.block.times = 1;
        for column in self.block.values.chunks_exact_mut(STRIDE) {
            column[self.at] = Value::ABSENT;
        }
    }
}

/// The first `len` values of a slot.
fn column(values: &[Value], slot: Slot, len: usize) -> &[Value] {
    &values[slot.start()..][..len]
}

/// The bytes of a text value: of the piece, or of the texts that were made.
#[inline(always)] // The middle of every loop over a text column.
fn bytes_of<'a>(value: Value, text: &'a [u8], made: &'a [u8]) -> Option<&'a [u8]> {
    if value.is_absent() {
        return None;
    }
    let span = value.span();
    let store = if span.start & Span::MADE == 0 { text } else { made };
    let start = (span.start & !Span::MADE) as usize;
    Some(&store[start..start + span.len as usize])
}

/// What filters and reports see: the columns of a block and the text behind them.
#[derive(Debug, Clone, Copy)]
pub struct Records<'a> {
    block: &'a Block,
    text: &'a [u8],
    /// The fields that are shown of those that the run wants; none means all.
    supplied: Option<&'a Fields>,
}

impl<'a> Records<'a> {
    /// The same with these fields alone: those that the log carries, where the run wants more of other logs.
    #[must_use]
    pub fn only(self, supplied: Option<&'a Fields>) -> Self {
        Self { supplied, ..self }
    }

    fn shows(&self, field: Field) -> bool {
        self.supplied.is_none_or(|supplied| supplied.has(field))
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.block.len
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.block.is_empty()
    }

    /// The values of a field, one a record; `None` when the run does not want it or the log does not carry it.
    pub fn column(&self, field: Field) -> Option<&'a [Value]> {
        let slot = self.block.layout.slot(field);
        (slot.is_wanted() && self.shows(field))
            .then(|| column(&self.block.values, slot, self.block.len))
    }

    /// The symbols of a text field, one a record; `None` when the run does not want them or the log does not carry it.
    pub fn symbols(&self, field: Field) -> Option<&'a [Symbol]> {
        if !self.shows(field) {
            return None;
        }
        let at = self.block.layout.symbols.iter().position(|known| *known == field)?;
        Some(&self.block.symbols[at][..self.block.len])
    }

    /// The bytes of a text value; `None` when absent.
    #[inline]
    pub fn bytes(&self, value: Value) -> Option<&'a [u8]> {
        bytes_of(value, self.text, &self.block.made)
    }

    /// One record as it stands in the log, with its line end.
    pub fn whole(&self, row: usize) -> &'a [u8] {
        let span = self.block.wholes[row];
        let start = (span.start & !Span::MADE) as usize;
        &self.text[start..][..span.len as usize]
    }

    /// Where the text comes from.
    pub fn origin(&self) -> Origin {
        self.block.origin
    }

    /// Where a record begins in the plain text of its input.
    pub fn offset(&self, row: usize) -> u64 {
        self.block.origin.offset + u64::from(self.block.wholes[row].start & !Span::MADE)
    }

    /// The text of a field in one record; `None` when absent or not wanted.
    pub fn text(&self, field: Field, row: usize) -> Option<&'a [u8]> {
        self.bytes(*self.column(field)?.get(row)?)
    }

    /// The number of a field in one record; `None` when absent or not wanted.
    pub fn number(&self, field: Field, row: usize) -> Option<i64> {
        self.column(field)?.get(row)?.number()
    }

    /// What is in one place, by the field's kind.
    pub fn get(&self, field: Field, row: usize) -> Option<Datum<'a>> {
        let value = *self.column(field)?.get(row)?;
        match field.kind() {
            Kind::Text => self.bytes(value).map(Datum::Text),
            Kind::Label => value.number().map(|number| Datum::Label(Label::from_number(number))),
            _ => value.number().map(Datum::Number),
        }
    }
}

/// One value, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Datum<'a> {
    /// Bytes from the log.
    Text(&'a [u8]),
    /// A word of a closed vocabulary.
    Label(Label),
    /// A number in the unit of its field.
    Number(i64),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> Block {
        let wanted = Fields::of(&[Field::STATUS, Field::PATH]);
        Block::new(Layout::new(wanted, Fields::of(&[Field::PATH])))
    }

    fn write(block: &mut Block, status: i64, start: usize, len: usize) {
        let (status_slot, path) =
            (block.layout.slot(Field::STATUS), block.layout.slot(Field::PATH));
        let mut row = block.row();
        row.number(status_slot, status);
        row.span(path, start, len);
        row.keep(0, 0);
    }

    #[test]
    fn gives_back_what_was_written() {
        let mut block = block();
        write(&mut block, 200, 0, 2);
        write(&mut block, -1, 2, 0);
        let records = block.records(b"/a/b");
        assert_eq!(records.number(Field::STATUS, 1), Some(-1));
        assert_eq!(records.text(Field::PATH, 0), Some(&b"/a"[..]));
        assert_eq!(records.text(Field::PATH, 1), Some(&b""[..]));
        assert_eq!(records.text(Field::AGENT, 0), None);
    }

    #[test]
    fn absent_is_not_empty_and_not_zero() {
        let mut block = block();
        let path = block.layout.slot(Field::PATH);
        block.row().keep(0, 0);
        let mut row = block.row();
        row.made(path, b"");
        row.keep(0, 0);
        let mut row = block.row();
        row.made(path, b"x\0");
        row.keep(0, 0);
        let records = block.records(b"");
        assert_eq!(records.text(Field::PATH, 0), None);
        assert_eq!(records.text(Field::PATH, 1), Some(&b""[..]));
        assert_eq!(records.text(Field::PATH, 2), Some(&b"x\0"[..]));
        assert_eq!(records.number(Field::STATUS, 0), None);
    }

    #[test]
    fn parts_of_a_stored_text() {
        let mut block = block();
        let path = block.layout.slot(Field::PATH);
        let mut row = block.row();
        let start = row.store(b"GET /b");
        row.span(path, start + 4, 2);
        row.keep(0, 0);
        let mut row = block.row();
        let start = row.store(b"");
        row.span(path, start, 0);
        row.keep(0, 0);
        let records = block.records(b"/a");
        assert_eq!(records.text(Field::PATH, 0), Some(&b"/b"[..]));
        assert_eq!(records.text(Field::PATH, 1), Some(&b""[..]));
    }

    #[test]
    fn retains_rows_and_leaves_the_rest_absent() {
        let mut block = block();
        for status in [200, 404, 500] {
            write(&mut block, status, 0, 1);
        }
        block.retain(&[1, 2]);
        assert_eq!(block.len(), 2);
        assert_eq!(block.records(b"/").number(Field::STATUS, 0), Some(404));
        block.row().keep(0, 0);
        assert_eq!(block.records(b"/").number(Field::STATUS, 2), None);
    }

    #[test]
    fn a_repeated_line_is_accounted_once() {
        let mut block = block();
        block.row().keep(3, 4);
        block.row().keep_again(3, 4);
        block.row().keep_again(3, 4);
        assert_eq!((block.len(), block.accounted(), block.bytes()), (3, 1, 4));
        block.retain(&[0, 2]);
        assert_eq!((block.len(), block.accounted(), block.bytes()), (2, 1, 4));
        let records = block.records(b"...line");
        assert_eq!((records.whole(1), records.offset(1)), (&b"line"[..], 3));
    }

    #[test]
    fn a_dropped_row_leaves_nothing() {
        let mut block = block();
        let slot = block.layout.slot(Field::STATUS);
        let mut row = block.row();
        row.number(slot, 1);
        row.drop_values();
        block.row().keep(0, 0);
        assert_eq!(block.records(b"").number(Field::STATUS, 0), None);
    }
}
