//! What a record is: fields, their values, and the block of columns in which records travel.
//!
//! Formats write here, filters and reports read here, and this is all that they know of each other. The small parsers
//! that turn bytes into values (instants, numbers, addresses) live here too. Nothing here reads files or counts.

pub mod address;
pub mod block;
pub mod dname;
pub mod field;
pub mod label;
pub mod minute;
pub mod number;
pub mod time;
pub mod zone;

pub use block::{Block, Datum, Layout, Origin, Records, Row, Slot, Span, Symbol, Value};
pub use field::{Field, Fields, Kind};
pub use label::Label;
pub use zone::Zone;
