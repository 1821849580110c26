//! Answers from the logs of six services, every line accounted for.

pub mod answer;
pub mod cli;
pub mod document;
pub mod engine;
pub mod error;
pub mod filter;
pub mod format;
pub mod generate;
pub mod input;
pub mod ledger;
pub mod names;
pub mod plan;
#[cfg(feature = "probe")]
pub mod probe;
pub mod record;
pub mod records;
pub mod render;
pub mod report;
pub mod scan;
pub mod state;
pub mod tally;
pub mod units;

pub use error::{Error, Result};
