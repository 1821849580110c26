//! Counters that merge. They know nothing of logs, files or output.

pub mod dictionary;
pub mod per_symbol;

pub use dictionary::{Dictionary, Renumbering};
pub use per_symbol::PerSymbol;
