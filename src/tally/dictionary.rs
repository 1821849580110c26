//! Texts to numbers: each distinct text gets the next [`Symbol`], and everything else is counted by symbol.
//!
//! One hash lookup a text serves all reports of a run, which then index arrays. Everything that depends on the text
//! alone (the browser in an agent, the site in a referer) is worked out once a distinct text, at the end.
//!
//! The table holds eight bytes a key (a part of the hash and the symbol); the texts stand one after the other in an
//! arena in the order of their symbols. Frequent texts are seen early, so their symbols are low and what belongs to
//! them stands close together. Keys of 32 bytes with the text inside the table were weighed: one miss less for rare
//! texts, but four times the table, and the frequent ones no longer together.
//!
//! A lookup goes in passes over a block, hashes first, then the table, then the texts, so that the cache misses of one
//! pass overlap instead of waiting for each other.

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};
use std::hash::BuildHasher;

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
    /// Keyed, so that nobody can write a log whose texts all collide.
    #[serde(skip)]
    keys: RandomState,
}

/// A part of the hash, so that most foreign texts are told apart without looking at them, and the symbol.
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
pub struct Renumbering(Vec<Symbol>);

impl Renumbering {
    /// From the new symbols in the order of the old ones.
    pub(super) fn new(symbols: Vec<Symbol>) -> Self {
        Self(symbols)
    }

    /// The new number of a symbol of the absorbed dictionary.
    pub fn of(&self, symbol: Symbol) -> Symbol {
        self.0.get(symbol.index()).copied().unwrap_or(symbol)
    }
}

const FIRST: usize = 2;
const SMALLEST_TABLE: usize = 1 << 10;
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
        self.probe(text, self.keys.hash_one(text)).ok()
    }

    /// The symbol of a text, a new one if need be.
    pub fn intern(&mut self, text: &[u8]) -> Symbol {
        self.intern_hashed(text, self.keys.hash_one(text))
    }

    /// The symbols of many texts at once; absent texts get [`Symbol::ABSENT`].
    pub fn intern_all<'a>(
        &mut self,
        texts: impl Iterator<Item = Option<&'a [u8]>>,
        symbols: &mut [Symbol],
    ) {
        let mut texts = texts.fuse();
        for symbols in symbols.chunks_mut(BATCH) {
            let mut batch = [(&[][..], 0); BATCH];
            let mut present = 0_u64;
            for (at, (text, hash)) in batch[..symbols.len()].iter_mut().enumerate() {
                if let Some(Some(bytes)) = texts.next() {
                    (*text, *hash) = (bytes, self.keys.hash_one(bytes));
                    present |= 1 << at;
                }
            }
            self.intern_batch(&batch[..symbols.len()], present, symbols);
        }
    }

    /// One batch, hashed. The middle pass loads every entry before any is compared, so that the misses overlap.
    fn intern_batch(&mut self, batch: &[(&[u8], u64)], present: u64, symbols: &mut [Symbol]) {
        let mask = self.table.len() - 1;
        let mut entries = [Entry::default(); BATCH];
        for (entry, (_, hash)) in entries.iter_mut().zip(batch) {
            *entry = self.table[*hash as usize & mask];
        }
        for (at, ((text, hash), symbol)) in batch.iter().zip(symbols).enumerate() {
            *symbol = match entries[at] {
                _ if present & (1 << at) == 0 => Symbol::ABSENT,
                entry if self.is_match(entry, tag(*hash), text) => Symbol(entry.symbol),
                _ => self.intern_hashed(text, *hash),
            };
        }
    }

    #[inline]
    fn is_match(&self, entry: Entry, tag: u32, text: &[u8]) -> bool {
        entry.tag == tag && !entry.is_free() && self.text(Symbol(entry.symbol)) == text
    }

    fn intern_hashed(&mut self, text: &[u8], hash: u64) -> Symbol {
        match self.probe(text, hash) {
            Ok(symbol) => symbol,
            Err(free) => self.insert(text, hash, free),
        }
    }

    /// The symbol of a text, or the place in the table where it belongs.
    fn probe(&self, text: &[u8], hash: u64) -> Result<Symbol, usize> {
        let mask = self.table.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let entry = self.table[at];
            if entry.is_free() {
                return Err(at);
            }
            if self.is_match(entry, tag(hash), text) {
                return Ok(Symbol(entry.symbol));
            }
            at = (at + 1) & mask;
        }
    }

    fn insert(&mut self, text: &[u8], hash: u64, free: usize) -> Symbol {
        if self.bytes() + text.len() > self.most_bytes || self.len() > u32::MAX as usize - 1 {
            self.refused += 1;
            return Symbol::OTHER;
        }
        let symbol = Symbol(self.len() as u32);
        self.table[free] = Entry { tag: tag(hash), symbol: symbol.0 };
        self.arena.extend_from_slice(text);
        self.ends.push(self.arena.len());
        if self.len() * 8 > self.table.len() * 5 {
            self.rebuild(self.table.len() * 2);
        }
        symbol
    }

    /// What it holds, in bytes: texts, their ends, the table.
    pub fn bytes(&self) -> usize {
        self.arena.len()
            + self.ends.len() * size_of::<usize>()
            + self.table.len() * size_of::<Entry>()
    }

    fn rebuild(&mut self, len: usize) {
        let mut table = vec![Entry::default(); len];
        for (symbol, text) in self.iter() {
            let hash = self.keys.hash_one(text);
            let mut at = hash as usize & (len - 1);
            while !table[at].is_free() {
                at = (at + 1) & (len - 1);
            }
            table[at] = Entry { tag: tag(hash), symbol: symbol.0 };
        }
        self.table = table;
    }

    /// Makes one that was read from a state usable again: the table is not part of a state.
    pub fn restore(&mut self) {
        let len = (self.len() * 2).next_power_of_two().max(SMALLEST_TABLE);
        self.rebuild(len);
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
        Renumbering(renumbered)
    }
}

fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
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
