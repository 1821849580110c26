//! What the benches share: logs of known content, and how much of them is worth the time.

use logmill::generate::{self, Spec, Summary};

/// The amount to measure with, or that of a single trial where `cargo test` runs the benches.
pub(crate) fn amount(measured: usize, tried: usize) -> usize {
    if std::env::args().any(|argument| argument == "--bench") { measured } else { tried }
}

/// A log of a format that can be generated, of about so many bytes, the same each time, and what it holds.
pub(crate) fn log(format: &str, bytes: usize) -> (Vec<u8>, Summary) {
    let mut spec = Spec::new(generate::find(format).expect("the format can be made"));
    (spec.size, spec.bursts) = (Some(bytes as u64), 1);
    let mut text = Vec::with_capacity(bytes);
    let summary = generate::write(&spec, 1, &mut text).expect("memory takes all");
    (text, summary)
}
