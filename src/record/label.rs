//! Words of closed vocabularies: classes, kinds, levels.
//!
//! A label travels through a block as a number and is written as its word. The words come from the code (and from
//! saved states), never from the text of a log.

use std::fmt;
use std::sync::RwLock;

/// One word, by number. The numbers hold within a process; files carry the words.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(u16);

/// The words that every run knows, at fixed numbers so that hot code can name them as constants.
const FIXED: [&str; 5] = ["", "ok", "warn", "error", "unknown"];

static MORE: RwLock<Vec<&'static str>> = RwLock::new(Vec::new());

impl Label {
    /// Class: normal work.
    pub const OK: Self = Self(1);
    /// Class: refused, degraded, retried, caused by the client.
    pub const WARN: Self = Self(2);
    /// Class: the service or something behind it failed.
    pub const ERROR: Self = Self(3);

    /// The label of that word. Look words up when a parser is made, not for each record.
    pub fn of(word: &str) -> Self {
        if let Some(at) = FIXED.iter().position(|known| *known == word) {
            return Self(at as u16);
        }
        if let Some(label) = Self::among_more(word) {
            return label;
        }
        let mut more = MORE.write().expect("no thread panics while it holds this lock");
        let at = more.iter().position(|known| *known == word).unwrap_or_else(|| {
            // Leaked on purpose: the vocabularies are closed.
            more.push(Box::leak(word.to_owned().into_boxed_str()));
            more.len() - 1
        });
        Self((FIXED.len() + at) as u16)
    }

    fn among_more(word: &str) -> Option<Self> {
        let more = MORE.read().expect("no thread panics while it holds this lock");
        let at = more.iter().position(|known| *known == word)?;
        Some(Self((FIXED.len() + at) as u16))
    }

    /// The word.
    pub fn word(self) -> &'static str {
        let at = usize::from(self.0);
        match FIXED.get(at) {
            Some(word) => word,
            None => {
                let more = MORE.read().expect("no thread panics while it holds this lock");
                more.get(at - FIXED.len()).copied().unwrap_or("unknown")
            }
        }
    }

    /// The number as it stands in a block.
    pub fn number(self) -> i64 {
        i64::from(self.0)
    }

    /// The label back from the number in a block.
    pub fn from_number(number: i64) -> Self {
        Self(number as u16)
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_keeps_its_number() {
        assert_eq!(Label::of("error"), Label::ERROR);
        let label = Label::of("upstream_timeout");
        assert_eq!(Label::of("upstream_timeout"), label);
        assert_eq!(Label::from_number(label.number()).word(), "upstream_timeout");
    }
}
