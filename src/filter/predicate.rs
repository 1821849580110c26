//! Expressions made ready to be asked of whole columns.
//!
//! An expression becomes one of three questions: is the number in one of these ranges, is the text one of these, does
//! the pattern occur. Numbers of all kinds are the first, and absent is the smallest number, so that no loop asks for
//! it. Each question goes over the rows that earlier ones left and leaves those for which it holds.

use std::net::{IpAddr, Ipv4Addr};

use regex_automata::meta::Cache;

use super::expr::{Expr, Item, Op, Operand};
use super::pattern::Pattern;
use crate::record::address::{self, Prefix};
use crate::record::block::ROWS;
use crate::record::{Field, Kind, Label, Records, Value};

/// What absent is among the numbers; see [`Value::ABSENT`].
const ABSENT: i64 = i64::MIN;

/// One question about one field.
#[derive(Debug, Clone)]
pub(super) struct Predicate {
    pub(super) field: Field,
    /// Keeps the rows for which the question is answered with no.
    negative: bool,
    question: Question,
}

#[derive(Debug, Clone)]
enum Question {
    /// In one of these ranges, ends included.
    Number(Vec<(i64, i64)>),
    /// One of these texts.
    Text(Texts),
    /// A pattern in a text.
    Pattern(Pattern),
    /// A pattern in the word of a label.
    Word(Pattern),
}

/// A set of texts.
#[derive(Debug, Clone, Default)]
struct Texts {
    has_absent: bool,
    /// Sorted.
    exact: Vec<Vec<u8>>,
    networks: Vec<Prefix>,
}

/// The rows of a block for which all questions so far were answered with yes, ascending.
#[derive(Debug)]
pub(super) struct Selection {
    rows: Box<[u16; ROWS]>,
    len: usize,
}

/// What a thread keeps for one predicate from block to block.
#[derive(Debug)]
pub(super) enum Memory {
    Nothing,
    Search(Box<Cache>),
    /// The answers for labels by number, so that each word is searched once.
    Words(Box<Cache>, Vec<Option<bool>>),
}

/// Records, and the name of the input in which they stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) records: &'p Records<'p>,
    pub(super) source: &'p str,
}

impl Predicate {
    pub(super) fn new(expr: &Expr) -> Self {
        let question = match &expr.operand {
            Operand::Pattern(pattern) if expr.field.kind() == Kind::Label => {
                Question::Word(pattern.clone())
            }
            Operand::Pattern(pattern) => Question::Pattern(pattern.clone()),
            Operand::Items(items) if is_name(expr.field) => {
                let texts = texts(items).in_lower_case();
                let (field, negative) = (without_case(expr.field), expr.op.is_negative());
                return Self { field, negative, question: Question::Text(texts) };
            }
            Operand::Items(items) if expr.field.kind() == Kind::Text => {
                Question::Text(texts(items))
            }
            Operand::Items(items) => Question::Number(ranges(expr.op, items)),
        };
        Self { field: expr.field, negative: expr.op.is_negative(), question }
    }

    /// Holds for the records of a period, `until` excluded, and for none without a time.
    pub(super) fn period(since: Option<i64>, until: Option<i64>) -> Self {
        let since = since.unwrap_or(ABSENT).max(ABSENT + 1);
        let last = until.map_or(i64::MAX, |until| until.saturating_sub(1));
        Self {
            field: Field::TIME,
            negative: false,
            question: Question::Number(vec![(since, last)]),
        }
    }

    /// A rank by cost: what is cheap goes first and leaves less to what is not.
    pub(super) fn cost(&self) -> usize {
        match &self.question {
            Question::Number(ranges) => ranges.len(),
            Question::Text(texts) if texts.networks.is_empty() => 100,
            Question::Word(_) => 150,
            Question::Text(_) => 200,
            Question::Pattern(_) => 300,
        }
    }

    pub(super) fn memory(&self) -> Memory {
        match &self.question {
            Question::Number(_) | Question::Text(_) => Memory::Nothing,
            Question::Pattern(pattern) => Memory::Search(Box::new(pattern.cache())),
            Question::Word(pattern) => Memory::Words(Box::new(pattern.cache()), Vec::new()),
        }
    }

    /// Leaves those rows of the selection for which it holds.
    pub(super) fn refine(&self, place: Place<'_>, memory: &mut Memory, rows: &mut Selection) {
        let (no, records) = (self.negative, place.records);
        match (&self.question, memory) {
            (Question::Number(ranges), _) => self.refine_numbers(ranges, records, rows),
            (Question::Text(texts), _) => {
                self.refine_texts(place, rows, |text| texts.has(text) != no)
            }
            (Question::Pattern(pattern), Memory::Search(cache)) => {
                self.refine_texts(place, rows, |text| {
                    text.is_some_and(|text| pattern.occurs(cache, text)) != no
                });
            }
            (Question::Word(pattern), Memory::Words(cache, known)) => {
                self.refine_numbers_by(records, rows, |number| {
                    has_word(pattern, cache, known, number) != no
                });
            }
            (Question::Pattern(_) | Question::Word(_), _) => {
                unreachable!("a predicate is asked with the memory that it made")
            }
        }
    }

    fn refine_numbers(&self, ranges: &[(i64, i64)], records: &Records<'_>, rows: &mut Selection) {
        let no = self.negative;
        match ranges {
            [(low, high)] => {
                let (low, high) = (*low, *high);
                // No short cut between the two comparisons: a branch would cost more than it saves.
                self.refine_numbers_by(records, rows, |n| ((n >= low) & (n <= high)) != no);
            }
            ranges => self.refine_numbers_by(records, rows, |n| {
                ranges.iter().any(|(low, high)| n >= *low && n <= *high) != no
            }),
        }
    }

    #[inline(always)] // The loops over columns exist once for each shape of test.
    fn refine_numbers_by(
        &self,
        records: &Records<'_>,
        rows: &mut Selection,
        mut test: impl FnMut(i64) -> bool,
    ) {
        if self.field == Field::OFFSET {
            return rows.keep(|row| test(records.offset(row) as i64));
        }
        match records.column(self.field) {
            Some(column) => rows.keep_by(column, |value| test(value.number_or(ABSENT))),
            None => rows.keep_all_or_none(test(ABSENT)),
        }
    }

    #[inline(always)]
    fn refine_texts(
        &self,
        Place { records, source }: Place<'_>,
        rows: &mut Selection,
        mut test: impl FnMut(Option<&[u8]>) -> bool,
    ) {
        if self.field == Field::SOURCE_FILE {
            return rows.keep_all_or_none(test(Some(source.as_bytes())));
        }
        if self.field == Field::RAW {
            return rows.keep(|row| test(Some(without_line_end(records.whole(row)))));
        }
        match records.column(self.field) {
            Some(column) => rows.keep_by(column, |value| test(records.bytes(value))),
            None => rows.keep_all_or_none(test(None)),
        }
    }
}

fn has_word(
    pattern: &Pattern,
    cache: &mut Cache,
    known: &mut Vec<Option<bool>>,
    number: i64,
) -> bool {
    if number == ABSENT {
        return false;
    }
    let label = Label::from_number(number);
    let at = label.number() as usize;
    if known.len() <= at {
        known.resize(at + 1, None);
    }
    *known[at].get_or_insert_with(|| pattern.occurs(cache, label.word().as_bytes()))
}

fn without_line_end(whole: &[u8]) -> &[u8] {
    let line = whole.strip_suffix(b"\n").unwrap_or(whole);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The ranges of numbers for which the operator holds, before a negative one is turned round.
fn ranges(op: Op, items: &[Item]) -> Vec<(i64, i64)> {
    let ranges = items.iter().filter_map(|item| {
        let (low, high) = match item {
            Item::Absent | Item::Network(_) => (ABSENT, ABSENT),
            Item::Range(low, high) => (*low, *high),
            Item::Text(word) => {
                let number = Label::of(word).number();
                (number, number)
            }
        };
        match op {
            Op::Less => Some((ABSENT + 1, low.checked_sub(1)?)),
            Op::AtMost => Some((ABSENT + 1, high)),
            Op::Greater => Some((high.checked_add(1)?, i64::MAX)),
            Op::AtLeast => Some((low, i64::MAX)),
            _ => Some((low, high)),
        }
    });
    ranges.collect()
}

fn texts(items: &[Item]) -> Texts {
    let mut texts = Texts::default();
    for item in items {
        match item {
            Item::Absent => texts.has_absent = true,
            Item::Text(text) => texts.exact.push(text.clone().into_bytes()),
            Item::Network(prefix) => texts.networks.push(*prefix),
            // Only fields of numbers have ranges.
            Item::Range(..) => {}
        }
    }
    texts.exact.sort_unstable();
    texts
}

/// DNS names are compared without case. Patterns are not: they see a name as it was asked.
fn is_name(field: Field) -> bool {
    [Field::QNAME, Field::NAME, Field::DOMAIN].contains(&field)
}

/// Whoever supplies a name as it was asked supplies it in lower case, too.
fn without_case(field: Field) -> Field {
    if field == Field::QNAME { Field::NAME } else { field }
}

impl Texts {
    fn in_lower_case(mut self) -> Self {
        self.exact.iter_mut().for_each(|text| text.make_ascii_lowercase());
        self.exact.sort_unstable();
        self
    }

    #[inline]
    fn has(&self, text: Option<&[u8]>) -> bool {
        let Some(text) = text else { return self.has_absent };
        let is_exact = match &self.exact[..] {
            [] => false,
            [only] => only == text,
            several => several.binary_search_by(|known| known[..].cmp(text)).is_ok(),
        };
        is_exact || (!self.networks.is_empty() && self.has_network_of(text))
    }

    fn has_network_of(&self, text: &[u8]) -> bool {
        let address = match dotted(text) {
            Some(bits) => Some(IpAddr::V4(Ipv4Addr::from_bits(bits))),
            None => address::parse(text),
        };
        address.is_some_and(|address| self.networks.iter().any(|known| known.contains(address)))
    }
}

/// An IPv4 address as nearly all are written: four numbers without leading zeros. The general parser, which reads
/// everything else, takes three times as long or more.
#[inline]
fn dotted(text: &[u8]) -> Option<u32> {
    let (mut bits, mut part, mut digits, mut dots) = (0_u32, 0_u32, 0, 0);
    for byte in text {
        match byte {
            b'0'..=b'9' if digits < 3 && (digits == 0 || part > 0) => {
                part = part * 10 + u32::from(byte - b'0');
                digits += 1;
            }
            b'.' if digits > 0 && part < 256 && dots < 3 => {
                (bits, part, digits, dots) = (bits << 8 | part, 0, 0, dots + 1);
            }
            _ => return None,
        }
    }
    (digits > 0 && part < 256 && dots == 3).then_some(bits << 8 | part)
}

impl Selection {
    pub(super) fn new() -> Self {
        Self { rows: Box::new([0; ROWS]), len: 0 }
    }

    /// Selects the first `len` rows.
    pub(super) fn fill(&mut self, len: usize) {
        for (row, at) in self.rows.iter_mut().zip(0..len as u16) {
            *row = at;
        }
        self.len = len;
    }

    pub(super) fn rows(&self) -> &[u16] {
        &self.rows[..self.len]
    }

    /// Leaves the rows for whose value the test holds. Writes every row and moves on only past those that are kept,
    /// so that the loop has no branch to guess wrong.
    #[inline(always)]
    fn keep_by(&mut self, column: &[Value], mut test: impl FnMut(Value) -> bool) {
        if self.len < column.len() {
            return self.keep(|row| test(column[row]));
        }
        let mut kept = 0;
        for (row, value) in column.iter().enumerate() {
            self.rows[kept % ROWS] = row as u16;
            kept += usize::from(test(*value));
        }
        self.len = kept;
    }

    /// Leaves the rows for which the test holds.
    #[inline(always)]
    fn keep(&mut self, mut test: impl FnMut(usize) -> bool) {
        let mut kept = 0;
        for at in 0..self.len {
            let row = self.rows[at];
            self.rows[kept] = row;
            kept += usize::from(test(usize::from(row)));
        }
        self.len = kept;
    }

    fn keep_all_or_none(&mut self, all: bool) {
        if !all {
            self.len = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_short_way_reads_what_the_long_one_does(text in "[0-9.]{0,17}|([0-9]{1,3}\\.){3}[0-9]{1,3}") {
            let expected = match address::parse(text.as_bytes()) {
                Some(IpAddr::V4(address)) => Some(address.to_bits()),
                _ => None,
            };
            prop_assert_eq!(dotted(text.as_bytes()), expected);
        }
    }
}
