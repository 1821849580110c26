//! Texts to numbers: each distinct text gets the next [`Symbol`], and everything else is counted by symbol.
//!
//! One hash lookup a text serves all reports of a run, which then index arrays. Everything that depends on the text
//! alone (the browser in an agent, the site in a referer) is worked out once a distinct text, at the end.
//!
//! The table holds eight bytes a key (a part of the hash and the symbol) and beside it stands a [`Head`] of sixteen bytes
//! by symbol: the whole of a short text, or where a longer one is to be found. So a lookup of an address costs two cache
//! misses, and none of a method. Frequent texts are seen early, so their symbols are low and what belongs to them stands
//! close together. All texts stand one after the other in an arena in the order of their symbols.
//!
//! A lookup goes in passes over a block, hashes first, then the table, then the heads, so that the cache misses of one
//! pass overlap instead of waiting for each other.

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::Arc;

use crate::record::Symbol;

/// Distinct texts, numbered in the order in which they came.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Dictionary {
    /// All texts, one after the other.
    arena: Vec<u8>,
    /// Where each text ends in the arena, by symbol.
    ends: Vec<usize>,
    /// Records that met a full dictionary.
    refused: u64,
    most_bytes: usize,
    /// Open addressing, linear probing; a power of two long, at most five eighths full.
    #[serde(skip)]
    table: Vec<Entry>,
    /// By symbol; what a lookup compares.
    #[serde(skip)]
    heads: Vec<Head>,
    /// Keyed, so that nobody can write a log whose texts all collide.
    #[serde(skip)]
    keys: RandomState,
}

/// A part of the hash, so that most foreign texts are told apart without looking at them and a larger table is filled
/// without them, and the symbol.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    tag: u32,
    symbol: u32,
}

impl Entry {
    fn is_free(self) -> bool {
        self.symbol == 0
    }
}

/// What [`Dictionary::absorb`] made of the symbols of the other dictionary: index by the old, read the new.
#[derive(Debug, Clone, Default)]
pub struct Renumbering(Arc<[Symbol]>);

impl Renumbering {
    /// From the new symbols in the order of the old ones.
    pub(super) fn new(symbols: Vec<Symbol>) -> Self {
        Self(symbols.into())
    }

    /// The new number of a symbol of the absorbed dictionary.
    pub fn of(&self, symbol: Symbol) -> Symbol {
        self.0.get(symbol.index()).copied().unwrap_or(symbol)
    }
}

const FIRST: usize = 2;
const SMALLEST_TABLE: usize = 1 << 10;
/// With no more texts than these, a look at each costs less than a lookup.
const FEW: u64 = 8;
/// How many texts one pass of [`Dictionary::intern_all`] takes. Enough misses in flight, few enough for the stack.
const BATCH: usize = 64;

impl Dictionary {
    /// An empty one that holds at most `most_bytes` of texts and tables; after that new texts become
    /// [`Symbol::OTHER`].
    pub fn new(most_bytes: usize) -> Self {
        Self {
            arena: Vec::new(),
            ends: vec![0; FIRST],
            refused: 0,
            most_bytes,
            table: vec![Entry::default(); SMALLEST_TABLE],
            heads: vec![Head::NONE; FIRST],
            keys: RandomState::default(),
        }
    }

    /// How many symbols are in use, with the two that stand for no text of their own.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True when no text was seen.
    pub fn is_empty(&self) -> bool {
        self.len() == FIRST
    }

    /// How many texts are known.
    pub fn distinct(&self) -> u64 {
        (self.len() - FIRST) as u64
    }

    /// How many records met a full dictionary; their texts count as [`Symbol::OTHER`].
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The text of a symbol; empty for the two that stand for no text of their own, and for one that is not of this
    /// dictionary: a state that someone forged may hold such.
    pub fn text(&self, symbol: Symbol) -> &[u8] {
        let Some(before) = symbol.index().checked_sub(1) else { return &[] };
        let Some([start, end]) = self.ends.get(before..=before + 1) else { return &[] };
        &self.arena[*start..*end]
    }

    /// All symbols that have a text, with it, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (Symbol, &[u8])> {
        (FIRST..self.len()).map(|at| {
            let symbol = Symbol(at as u32);
            (symbol, self.text(symbol))
        })
    }

    /// The symbol of a text that is known.
    pub fn find(&self, text: &[u8]) -> Option<Symbol> {
        self.probe(&self.seek(text)).ok()
    }

    /// The symbol of a text, a new one if need be.
    pub fn intern(&mut self, text: &[u8]) -> Symbol {
        self.intern_sought(&self.seek(text))
    }

    /// The symbols of many texts at once; absent texts get [`Symbol::ABSENT`].
    pub fn intern_all<'a>(
        &mut self,
        texts: impl Iterator<Item = Option<&'a [u8]>>,
        symbols: &mut [Symbol],
    ) {
        if self.has_few() {
            return self.intern_few(texts, symbols);
        }
        let mut texts = texts.fuse();
        for symbols in symbols.chunks_mut(BATCH) {
            let mut batch = [Sought::NOTHING; BATCH];
            let mut len = 0;
            for (at, symbol) in (0..).zip(symbols.iter_mut()) {
                *symbol = Symbol::ABSENT;
                if let Some(Some(text)) = texts.next() {
                    batch[len] = Sought { at, ..self.seek(text) };
                    len += 1;
                }
            }
            self.intern_batch(&batch[..len], symbols);
        }
    }

    /// True for methods, protocols and the like.
    fn has_few(&self) -> bool {
        self.distinct() <= FEW && self.heads[FIRST..].iter().all(|head| head.place().is_none())
    }

    /// Compares each text with all that are known, without a branch that could be guessed wrong.
    fn intern_few<'a>(
        &mut self,
        texts: impl Iterator<Item = Option<&'a [u8]>>,
        symbols: &mut [Symbol],
    ) {
        for (symbol, text) in symbols.iter_mut().zip(texts) {
            *symbol = text.map_or(Symbol::ABSENT, |text| {
                let head = Head::of(text).unwrap_or(Head::NONE);
                let mut found = 0;
                for (at, known) in self.heads.iter().enumerate().skip(FIRST) {
                    found = if *known == head { at as u32 } else { found };
                }
                if found == 0 { self.intern(text) } else { Symbol(found) }
            });
        }
    }

    /// One batch. Each pass loads what the next one needs: the entries (of the first two places, where nearly all texts
    /// stand), then the heads. The last pass compares, and probes for what it did not find.
    fn intern_batch(&mut self, batch: &[Sought<'_>], symbols: &mut [Symbol]) {
        let mask = self.table.len() - 1;
        let mut entries = [Entry::default(); BATCH];
        for (entry, sought) in entries.iter_mut().zip(batch) {
            let at = place(tag(sought.hash), mask + 1);
            let (first, second) = (self.table[at], self.table[(at + 1) & mask]);
            *entry = if first.tag == tag(sought.hash) { first } else { second };
        }
        let mut heads = [Head::NONE; BATCH];
        for (head, entry) in heads.iter_mut().zip(&entries[..batch.len()]) {
            *head = self.heads[entry.symbol as usize];
        }
        for ((sought, entry), head) in batch.iter().zip(&entries).zip(&heads) {
            let found =
                entry.tag == tag(sought.hash) && !entry.is_free() && self.is_text(*head, sought);
            symbols[usize::from(sought.at)] = match found {
                true => Symbol(entry.symbol),
                false => self.intern_sought(sought),
            };
        }
    }

    #[inline(always)] // For a short text a comparison of two words.
    fn is_text(&self, head: Head, sought: &Sought<'_>) -> bool {
        match head.place() {
            None => head == sought.head,
            Some(place) => self.arena.get(place) == Some(sought.text),
        }
    }

    #[inline(always)] // The first pass over a block.
    fn seek<'t>(&self, text: &'t [u8]) -> Sought<'t> {
        let (head, hash) = match Head::of(text) {
            Some(head) => (head, self.keys.hash_one(head.0)),
            None => (Head::NONE, self.keys.hash_one(text)),
        };
        Sought { text, head, hash, at: 0 }
    }

    fn intern_sought(&mut self, sought: &Sought<'_>) -> Symbol {
        match self.probe(sought) {
            Ok(symbol) => symbol,
            Err(free) => self.insert(sought, free),
        }
    }

    /// The symbol of a text, or the place in the table where it belongs.
    fn probe(&self, sought: &Sought<'_>) -> Result<Symbol, usize> {
        let mask = self.table.len() - 1;
        let mut at = place(tag(sought.hash), mask + 1);
        loop {
            let entry = self.table[at];
            if entry.is_free() {
                return Err(at);
            }
            if entry.tag == tag(sought.hash)
                && self.is_text(self.heads[entry.symbol as usize], sought)
            {
                return Ok(Symbol(entry.symbol));
            }
            at = (at + 1) & mask;
        }
    }

    fn insert(&mut self, sought: &Sought<'_>, free: usize) -> Symbol {
        let Sought { text, head, hash, .. } = *sought;
        if self.bytes() + text.len() > self.most_bytes || self.len() > u32::MAX as usize - 1 {
            self.refused += 1;
            return Symbol::OTHER;
        }
        let symbol = Symbol(self.len() as u32);
        self.table[free] = Entry { tag: tag(hash), symbol: symbol.0 };
        self.heads.push(if head == Head::NONE { Head::far(self.arena.len(), text) } else { head });
        self.arena.extend_from_slice(text);
        self.ends.push(self.arena.len());
        if self.len() * 8 > self.table.len() * 5 {
            self.rebuild(self.table.len() * 2);
        }
        symbol
    }

    /// What it holds, in bytes: texts, their ends and heads, the table.
    pub fn bytes(&self) -> usize {
        self.arena.len()
            + self.ends.len() * (size_of::<usize>() + size_of::<Head>())
            + self.table.len() * size_of::<Entry>()
    }

    /// Another table of that length with the same entries. A tag says where its entry belongs: no text is looked at.
    fn rebuild(&mut self, len: usize) {
        let old = std::mem::replace(&mut self.table, super::written(len, Entry::default()));
        old.into_iter().filter(|entry| !entry.is_free()).for_each(|entry| self.enter(entry));
    }

    fn enter(&mut self, entry: Entry) {
        let mask = self.table.len() - 1;
        let mut at = place(entry.tag, mask + 1);
        while !self.table[at].is_free() {
            at = (at + 1) & mask;
        }
        self.table[at] = entry;
    }

    /// Makes one that was read from a state usable again: the table and the heads are not part of a state.
    pub fn restore(&mut self) {
        let place = |symbol: Symbol| self.ends[symbol.index() - 1];
        let heads = self
            .iter()
            .map(|(symbol, text)| Head::of(text).unwrap_or_else(|| Head::far(place(symbol), text)));
        self.heads = [Head::NONE; FIRST].into_iter().chain(heads).collect();
        let len = (self.len() * 2).next_power_of_two().max(SMALLEST_TABLE);
        self.table = super::written(len, Entry::default());
        for at in FIRST..self.len() {
            let symbol = Symbol(at as u32);
            let tag = tag(self.seek(self.text(symbol)).hash);
            self.enter(Entry { tag, symbol: symbol.0 });
        }
    }

    /// True when the ends are those of texts that stand one after the other: asked of what was read from a state.
    pub fn is_sound(&self) -> bool {
        let (ends, bytes) = (&self.ends, self.arena.len());
        ends.len() >= FIRST
            && ends[..FIRST].iter().all(|end| *end == 0)
            && ends.is_sorted()
            && ends.last() == Some(&bytes)
    }

    /// Takes in the texts of another dictionary and says which symbols they have here.
    pub fn absorb(&mut self, other: &Self) -> Renumbering {
        let mut renumbered = vec![Symbol::ABSENT, Symbol::OTHER];
        renumbered.resize(other.len(), Symbol::ABSENT);
        let texts = other.iter().map(|(_, text)| Some(text));
        self.intern_all(texts, &mut renumbered[FIRST..]);
        self.refused += other.refused;
        Renumbering::new(renumbered)
    }
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// Where an entry belongs in a table of that length, a power of two: the highest bits of its tag.
fn place(tag: u32, len: usize) -> usize {
    (u64::from(tag) << 32 >> (64 - len.trailing_zeros())) as usize
}

/// A text that is looked up.
#[derive(Debug, Clone, Copy)]
struct Sought<'t> {
    text: &'t [u8],
    /// [`Head::NONE`] where the text is too long for one.
    head: Head,
    hash: u64,
    /// Its place in the batch.
    at: u8,
}

impl Sought<'_> {
    const NOTHING: Self = Self { text: b"", head: Head::NONE, hash: 0, at: 0 };
}

/// A text of up to fifteen bytes with its length in the highest byte; or, of a longer one, where it stands in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head(u128);

impl Head {
    const LEN: u32 = 120;
    const FAR: u128 = 0xFF << Self::LEN;
    /// No text has this.
    const NONE: Self = Self(0xFE << Self::LEN);

    /// `None` for a longer text. The parts that are read overlap where the text is no power of two long; what they have
    /// in common falls on itself.
    #[inline(always)]
    fn of(text: &[u8]) -> Option<Self> {
        let len = text.len();
        let bytes = match len {
            16.. => return None,
            8.. => {
                let (first, last) = (text.first_chunk()?, text.last_chunk()?);
                let [first, last] =
                    [*first, *last].map(|part| u128::from(u64::from_le_bytes(part)));
                first | last << (8 * (len - 8))
            }
            4.. => {
                let (first, last) = (text.first_chunk()?, text.last_chunk()?);
                let [first, last] =
                    [*first, *last].map(|part| u128::from(u32::from_le_bytes(part)));
                first | last << (8 * (len - 4))
            }
            1.. => {
                let place = |at: usize| u128::from(text[at]) << (8 * at);
                place(0) | place(len / 2) | place(len - 1)
            }
            0 => 0,
        };
        Some(Self(bytes | (len as u128) << Self::LEN))
    }

    fn far(start: usize, text: &[u8]) -> Self {
        Self(Self::FAR | (text.len() as u128) << 64 | start as u128)
    }

    /// Where a longer text stands.
    #[inline(always)]
    fn place(self) -> Option<Range<usize>> {
        let (start, len) = (self.0 as u64 as usize, (self.0 >> 64) as u32 as usize);
        (self.0 >= Self::FAR).then(|| start..start + len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn numbered(n: u32) -> Vec<u8> {
        format!("/path/{}", n % 5000).into_bytes()
    }

    #[test]
    fn the_same_text_has_the_same_symbol() {
        let mut dictionary = Dictionary::new(usize::MAX);
        let mut seen = HashMap::new();
        for n in 0..20_000_u32 {
            let text = numbered(n.wrapping_mul(7919));
            let symbol = dictionary.intern(&text);
            assert_eq!(*seen.entry(text.clone()).or_insert(symbol), symbol);
            assert_eq!(dictionary.text(symbol), text);
        }
        assert_eq!(dictionary.distinct(), seen.len() as u64);
    }

    #[test]
    fn many_at_once_are_as_one_by_one() {
        let texts: Vec<Option<Vec<u8>>> =
            (0..10_000_u32).map(|n| (n % 7 != 0).then(|| numbered(n * 31))).collect();
        let (mut single, mut batched) = (Dictionary::new(usize::MAX), Dictionary::new(usize::MAX));
        let expected: Vec<Symbol> = texts
            .iter()
            .map(|text| text.as_ref().map_or(Symbol::ABSENT, |text| single.intern(text)))
            .collect();
        let mut symbols = vec![Symbol::ABSENT; texts.len()];
        batched.intern_all(texts.iter().map(Option::as_deref), &mut symbols);
        assert_eq!(symbols, expected);
    }

    #[test]
    fn a_full_one_says_so() {
        let mut dictionary = Dictionary::new(SMALLEST_TABLE * 8 + 100);
        let known = dictionary.intern(b"known");
        (0..100).for_each(|n| {
            dictionary.intern(&numbered(n));
        });
        assert_eq!(dictionary.intern(b"a new one"), Symbol::OTHER);
        assert_eq!(dictionary.intern(b"known"), known);
        assert!(dictionary.refused() > 0);
    }

    #[test]
    fn a_foreign_symbol_has_no_text() {
        let mut dictionary = Dictionary::new(usize::MAX);
        let last = dictionary.intern(b"a");
        assert_eq!(dictionary.text(last), b"a");
        for foreign in [last.0 + 1, u32::MAX] {
            assert_eq!(dictionary.text(Symbol(foreign)), b"");
        }
    }

    #[test]
    fn absorbing_renumbers() {
        let (mut left, mut right) = (Dictionary::new(usize::MAX), Dictionary::new(usize::MAX));
        let a = left.intern(b"a");
        left.intern(b"b");
        let (c, same) = (right.intern(b"c"), right.intern(b"a"));
        let renumbering = left.absorb(&right);
        assert_eq!(renumbering.of(same), a);
        assert_eq!(left.text(renumbering.of(c)), b"c");
        assert_eq!(renumbering.of(Symbol::ABSENT), Symbol::ABSENT);
        assert_eq!(left.distinct(), 3);
    }
}
