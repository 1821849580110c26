//! The hosts that wrote a log, by number. They are few, and the next line is of the same one nearly always: asking here is
//! cheaper than numbering the host of every line for the lines that need it.

use serde::{Deserialize, Serialize};

use crate::record::Symbol;
use crate::tally::{Dictionary, Renumbering};

/// For their names, in bytes.
const MOST_BYTES: usize = 16 << 20;

/// The names with their numbers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Hosts {
    texts: Dictionary,
    #[serde(skip)]
    latest: Option<(Vec<u8>, Symbol)>,
}

impl Default for Hosts {
    fn default() -> Self {
        Self { texts: Dictionary::new(MOST_BYTES), latest: None }
    }
}

impl Hosts {
    /// The number of a host; that of no host when the log does not say it.
    #[inline]
    pub(super) fn number(&mut self, host: Option<&[u8]>) -> Symbol {
        match (host, &self.latest) {
            (None, _) => Symbol::ABSENT,
            (Some(host), Some((latest, number))) if latest == host => *number,
            (Some(host), _) => self.search(host),
        }
    }

    #[cold]
    fn search(&mut self, host: &[u8]) -> Symbol {
        let number = self.texts.intern(host);
        self.latest = Some((host.to_vec(), number));
        number
    }

    /// The name of a host.
    pub(super) fn text(&self, number: Symbol) -> &[u8] {
        self.texts.text(number)
    }

    /// Takes in those of another and says which numbers they have here.
    pub(super) fn absorb(&mut self, other: &Self) -> Renumbering {
        self.texts.absorb(&other.texts)
    }
}
