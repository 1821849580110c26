//! Numbers and words as symbols: what a dictionary is to texts, for the fields that are no text.
//!
//! Statuses, ports, kinds: few different ones, each met millions of times. Saved states carry the values themselves,
//! so that symbols of two states can be matched.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::Renumbering;
use crate::record::Symbol;

/// Distinct values, numbered like the texts of a [`super::Dictionary`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Ids {
    /// What to print for each, by symbol less the two that stand for no value of their own.
    texts: Vec<String>,
    symbols: HashMap<String, Symbol, RandomState>,
    /// The symbols of values by the number that a block has for them: of low numbers, as labels and statuses have them,
    /// and of others. Numbers of labels hold in this process only, hence these are not saved.
    by_low_number: Vec<Symbol>,
    by_number: HashMap<i64, Symbol, RandomState>,
    last: (i64, Symbol),
}

const FIRST: usize = 2;
/// From this number on a value is looked up by hash.
const LOW: usize = 1024;
/// More different values than this are counted as one: it is no field to break down by.
const MOST: usize = 1 << 20;

impl Default for Ids {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl From<Vec<String>> for Ids {
    fn from(texts: Vec<String>) -> Self {
        let numbered = texts.iter().enumerate();
        let symbols = numbered.map(|(at, text)| (text.clone(), Symbol((at + FIRST) as u32)));
        Self {
            symbols: symbols.collect(),
            by_low_number: Vec::new(),
            by_number: HashMap::default(),
            last: (i64::MIN, Symbol::ABSENT),
            texts,
        }
    }
}

impl From<Ids> for Vec<String> {
    fn from(ids: Ids) -> Self {
        ids.texts
    }
}

impl Ids {
    /// The symbol of a value that a block has as `number`; `text` says what to print for it and is asked once.
    #[inline]
    pub fn of(&mut self, number: i64, text: impl FnOnce() -> String) -> Symbol {
        let low = usize::try_from(number).ok().and_then(|low| self.by_low_number.get(low));
        match low {
            Some(symbol) if *symbol != Symbol::ABSENT => *symbol,
            _ if self.last.0 == number && self.last.1 != Symbol::ABSENT => self.last.1,
            _ => self.look_up(number, text),
        }
    }

    fn look_up(&mut self, number: i64, text: impl FnOnce() -> String) -> Symbol {
        let symbol = match self.by_number.get(&number) {
            Some(symbol) => *symbol,
            None => self.number(number, text()),
        };
        self.last = (number, symbol);
        symbol
    }

    #[cold]
    fn number(&mut self, number: i64, text: String) -> Symbol {
        let symbol = self.of_text(text);
        match usize::try_from(number) {
            _ if symbol == Symbol::OTHER => {}
            Ok(low) if low < LOW => {
                self.by_low_number.resize(self.by_low_number.len().max(low + 1), Symbol::ABSENT);
                self.by_low_number[low] = symbol;
            }
            _ => {
                self.by_number.insert(number, symbol);
            }
        }
        symbol
    }

    fn of_text(&mut self, text: String) -> Symbol {
        if let Some(symbol) = self.symbols.get(&text) {
            return *symbol;
        }
        if self.texts.len() >= MOST {
            return Symbol::OTHER;
        }
        let symbol = Symbol((self.texts.len() + FIRST) as u32);
        self.symbols.insert(text.clone(), symbol);
        self.texts.push(text);
        symbol
    }

    /// What to print for a symbol; empty for those that stand for no value of their own.
    pub fn text(&self, symbol: Symbol) -> &str {
        let at = symbol.index().checked_sub(FIRST);
        at.and_then(|at| self.texts.get(at)).map_or("", String::as_str)
    }

    /// Takes in the values of others and says which symbols they have here.
    pub fn absorb(&mut self, others: &Self) -> Renumbering {
        let fixed = [Symbol::ABSENT, Symbol::OTHER].into_iter();
        let others = others.texts.iter().map(|text| self.of_text(text.clone()));
        Renumbering::new(fixed.chain(others).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_symbols() {
        let mut ids = Ids::default();
        let mut of = |number: i64| ids.of(number, || number.to_string());
        let (a, b) = (of(200), of(404));
        assert_eq!([of(200), of(404), of(200)], [a, b, a]);
        assert_eq!(ids.text(b), "404");
        assert_eq!(ids.text(Symbol::OTHER), "");
    }

    #[test]
    fn absorbing_renumbers_by_value() {
        let (mut left, mut right) = (Ids::default(), Ids::default());
        let a = left.of(1, || "a".to_owned());
        let (b, same) = (right.of(1, || "b".to_owned()), right.of(2, || "a".to_owned()));
        let bytes = postcard::to_stdvec(&right).unwrap();
        let renumbering = left.absorb(&postcard::from_bytes(&bytes).unwrap());
        assert_eq!(renumbering.of(same), a);
        assert_eq!(left.text(renumbering.of(b)), "b");
    }
}
