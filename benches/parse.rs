//! The parsers, one thread: every format that a log can be generated in, the fields that its full report reads.
//!
//! The pieces are cut beforehand as the engine cuts them, and what the parser fills is counted and dropped. Each format
//! is recognised as it is in a run, so that a new one is measured by being in the tables. The records are checked
//! against what was generated before they are measured.

mod support;

use std::io::{self, Write};
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput};
use logmill::engine::Group;
use logmill::filter::Filter;
use logmill::format::detect::{self, HEAD_BYTES};
use logmill::format::{self, Family, Room};
use logmill::generate;
use logmill::input::{Feed, FeedOptions, Framing, Hand, Input};
use logmill::ledger::Account;
use logmill::record::time::Clock;
use logmill::record::{Fields, Layout, Origin};
use logmill::report::{self, Options};
use support::{amount, log};

/// The last moment of the week in which generated logs begin, for stamps without a year.
const WRITTEN: i64 = 1_768_176_000_000_000;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for made in generate::FORMATS {
        let (text, summary) = log(made.name, amount(16 << 20, 64 << 10));
        let Some(parsing) = Parsing::of(text) else {
            let _ = writeln!(io::stderr(), "parse/{}: no format reads it", made.name);
            continue;
        };
        let account = parsing.run();
        // Banners of the server are read and not counted.
        assert_eq!(account.counted.records, summary.records, "{}", made.name);
        assert_eq!(account.rejected().records, 0, "{}", made.name);
        let mut group = criterion.benchmark_group("parse");
        let (elements, bytes) = (summary.records, summary.bytes);
        group.throughput(Throughput::ElementsAndBytes { elements, bytes });
        group.bench_function(BenchmarkId::from_parameter(made.name), |bencher| {
            bencher.iter(|| parsing.run());
        });
        group.finish();
    }
    criterion.final_summary();
}

/// A log in pieces, and how it is read.
struct Parsing {
    format: Arc<dyn format::Format>,
    layout: Layout,
    clock: Clock,
    pieces: Vec<(Origin, Vec<u8>)>,
}

impl Parsing {
    /// What a run would make of the log; `None` when no format fits it.
    fn of(text: Vec<u8>) -> Option<Self> {
        let clock = Clock::new(chrono_tz::UTC, WRITTEN);
        let head = &text[..text.len().min(HEAD_BYTES)];
        let format = detect::detect(head, head.len() == text.len(), &clock).ok()?.format;
        let layout = layout(format.family(), format.fields());
        let pieces = pieces(text, format.framing());
        Some(Self { format, layout, clock, pieces })
    }

    /// Parses the whole log.
    fn run(&self) -> Account {
        let (mut account, mut room) = (Account::default(), Room::new(self.layout.clone()));
        let mut parser = self.format.parser(&self.layout, self.clock.clone());
        for (origin, text) in &self.pieces {
            parser.scan(text, *origin, &mut room, &mut account, &mut |block, account| {
                account.counted.records += block.accounted();
                account.counted.bytes += block.bytes();
            });
        }
        account
    }
}

/// Where the fields go that the full report of the family reads.
fn layout(family: Family, supplied: Fields) -> Layout {
    let reports = report::for_family(family, supplied, &Options::default());
    let all = Filter::new(Vec::new(), None, None).expect("no filter at all is a filter");
    let group = Group::new(family, reports, all);
    Layout::new(group.wanted().iter().copied().collect(), Fields::of(group.symbols()))
}

fn pieces(text: Vec<u8>, framing: Framing) -> Vec<(Origin, Vec<u8>)> {
    let input = Input::from_reader("a log", io::Cursor::new(text)).expect("memory opens");
    let feed = Feed::new(vec![(input, framing)], FeedOptions::default());
    let (mut hand, mut pieces) = (Hand::default(), Vec::new());
    while let Some(piece) = feed.next(&mut hand) {
        let origin = Origin { input: 0, offset: piece.offset };
        pieces.push((origin, piece.bytes().to_vec()));
    }
    pieces
}
