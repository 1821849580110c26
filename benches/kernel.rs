//! The kernels that find line feeds and quotes, each that this processor has, beside a search with `memchr2`.
//!
//! Content and size vary: lines as servers write them, none of the bytes looked for, and nothing but them; in the first
//! cache, in the second, and in none. The positions are checked before they are measured.

mod support;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use logmill::scan::{self, Marks};
use support::{amount, log};

const QUOTE: u8 = b'"';

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let largest = amount(64 << 20, 64 << 10);
    let access = log("nginx-combined", largest).0;
    let errors = log("nginx-error", largest).0;
    let hostile: Vec<u8> = b"\"\n".iter().copied().cycle().take(largest).collect();
    content(&mut criterion, "access", &access);
    content(&mut criterion, "errors", &errors);
    content(&mut criterion, "rare", &vec![b' '; largest]);
    content(&mut criterion, "hostile", &hostile);
    criterion.final_summary();
}

/// Measures one kind of content in sizes that fit the first cache, the second, and none.
fn content(criterion: &mut Criterion, name: &str, text: &[u8]) {
    for (cache, size) in [("16KiB", 16 << 10), ("512KiB", 512 << 10), ("64MiB", 64 << 20)] {
        let text = &text[..text.len().min(size)];
        let expected = check(text);
        let mut group = criterion.benchmark_group(format!("kernel/{name}"));
        group.throughput(Throughput::Bytes(text.len() as u64));
        for (kernel, find) in scan::available() {
            let mut marks = Marks::default();
            group.bench_function(BenchmarkId::new(kernel, cache), |bencher| {
                bencher.iter(|| {
                    marks.newlines.clear();
                    marks.others.clear();
                    find(black_box(text), QUOTE, &mut marks);
                    marks.newlines.len() + marks.others.len()
                });
            });
        }
        group.bench_function(BenchmarkId::new("memchr2", cache), |bencher| {
            bencher.iter(|| {
                let found = memchr::memchr2_iter(b'\n', QUOTE, black_box(text)).count();
                assert_eq!(found, expected);
            });
        });
        group.finish();
    }
}

/// Every kernel finds the positions that `memchr` finds; tells how many there are.
fn check(text: &[u8]) -> usize {
    let newlines = memchr::memchr_iter(b'\n', text).map(|at| at as u32);
    let quotes = memchr::memchr_iter(QUOTE, text).map(|at| at as u32);
    let expected = (newlines.collect::<Vec<_>>(), quotes.collect::<Vec<_>>());
    for (kernel, find) in scan::available() {
        let mut marks = Marks::default();
        find(text, QUOTE, &mut marks);
        assert!(*marks.newlines == expected.0[..], "{kernel} finds other line feeds");
        assert!(*marks.others == expected.1[..], "{kernel} finds other quotes");
    }
    expected.0.len() + expected.1.len()
}
