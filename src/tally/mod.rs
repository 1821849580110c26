//! Counters that merge. They know nothing of logs, files or output.
//!
//! What merges does so in any order and any grouping with the same outcome: sums are of integers, widths and bounds
//! depend on the union of what was counted and not on its order.
pub mod amounts;
pub mod carriers;
pub mod dictionary;
pub mod few;
pub mod histogram;
pub mod ids;
pub mod kleinberg;
pub mod multiset;
pub mod pairs;
pub mod per_symbol;
pub mod set;
pub mod timeline;
pub mod top;
pub mod tuples;

pub use amounts::Amounts;
pub use carriers::Carriers;
pub use dictionary::{Dictionary, Renumbering};
pub use few::Few;
pub use histogram::{Histogram, Millis, PerKey, Quantiles, Sparse};
pub use ids::Ids;
pub use multiset::Multiset;
pub use pairs::{Pair, Pairs, stable_hash};
pub use per_symbol::PerSymbol;
pub use set::Set;
pub use timeline::{Sum, Timeline};
pub use top::keep_largest;
pub use tuples::{Tally, Tuples};

/// An array that was written to. One that the system hands out as zeros is mapped page by page when it is first read and
/// again when it is first written, and the second time all threads have to hear of it.
fn written<T: Clone>(len: usize, value: T) -> Vec<T> {
    let mut array = Vec::with_capacity(len);
    std::hint::black_box(&mut array).resize(len, value);
    array
}
