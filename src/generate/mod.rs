//! Logs made to order: seeded, of any size, in the formats that logmill reads; for its tests, its benchmarks and yours.
//!
//! The same [`Spec`] gives the same bytes, whatever the machine and the number of threads. The lines are those that the
//! real server would write, with the shapes of real traffic: few clients and paths that take most of it, a long tail,
//! a daily rhythm, skewed sizes and durations, odd lines at low rates, and as many error bursts as wanted, at places
//! that the [`Summary`] tells, so that a test can check whether they are found.
//!
//! ```
//! use logmill::generate::{self, Spec};
//!
//! let mut spec = Spec::new(generate::find("nginx-combined").unwrap());
//! spec.records = Some(1000);
//! spec.bursts = 1;
//! let mut log = Vec::new();
//! let summary = generate::write(&spec, 2, &mut log).unwrap();
//! assert_eq!(summary.records, 1000);
//! assert_eq!(summary.bytes, log.len() as u64);
//! assert!(summary.first <= summary.bursts[0].start && summary.bursts[0].end <= summary.last);
//! ```
//!
//! How it is built: a *source* holds the tables of one format, the *clock* says when things happen, `run` makes chunks
//! on several threads and writes them in order. One file is one family of formats.

mod agents;
mod apache_error;
mod bind;
mod clock;
mod dice;
mod haproxy;
mod ink;
mod mysql_error;
mod mysql_slow;
mod nginx_error;
mod postfix;
mod run;
mod script;
mod site;
mod traffic;
mod web;
mod web_layout;

use std::io::{self, Write};

use clock::{Clock, SECOND, Window};
use dice::Dice;
use run::{Job, Sheet, Source, Tally};

/// A format that can be made.
#[derive(Debug)]
pub struct Format {
    /// The word on the command line.
    pub name: &'static str,
    /// Its line in the help.
    pub about: &'static str,
    /// Units a second on the mean, where no span is given.
    rate: f64,
    /// How much a burst raises the rate.
    lift: f64,
    make: fn(&Spec) -> Box<dyn Source>,
}

/// The formats, in the order in which help shows them.
pub static FORMATS: &[Format] = &[
    web::NGINX_COMBINED,
    web::NGINX_MAIN,
    web::NGINX_TIMED,
    web::NGINX_VHOST,
    web::NGINX_INGRESS,
    web::NGINX_JSON,
    web::NGINX_LTSV,
    web::APACHE_COMMON,
    web::APACHE_COMBINED,
    web::APACHE_COMBINEDIO,
    web::APACHE_VHOST,
    nginx_error::NGINX_ERROR,
    apache_error::APACHE_ERROR,
    apache_error::APACHE_ERROR_22,
    haproxy::HAPROXY_HTTP,
    haproxy::HAPROXY_HTTPS,
    haproxy::HAPROXY_TCP,
    postfix::POSTFIX,
    postfix::POSTFIX_ISO,
    bind::BIND,
    bind::BIND_RESPONSES,
    mysql_slow::MYSQL_SLOW,
    mysql_slow::MARIADB_SLOW,
    mysql_slow::MYSQL_SLOW_TABLE,
    mysql_error::MYSQL_ERROR,
];

/// The format of that name.
pub fn find(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// What is to be made.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The format.
    pub format: &'static Format,
    /// Stop after so many records. Where neither this nor `size` is given, [`Spec::DEFAULT_RECORDS`] hold; where both
    /// are, what is reached first.
    pub records: Option<u64>,
    /// Stop before the record that would pass so many bytes.
    pub size: Option<u64>,
    /// The seed of all chance.
    pub seed: u64,
    /// The first instant: microseconds since 1970 UTC.
    pub start: i64,
    /// How long the log lasts, in microseconds. Without it each format has a usual rate, a hundred requests a second for
    /// the web. Under `records` the span is kept, under `size` it is met to within a few per cent.
    pub span: Option<i64>,
    /// How many error bursts of 30 to 300 seconds there are (shorter in a short span).
    pub bursts: u32,
    /// How many clients there are to choose from; at least one.
    pub clients: u32,
    /// How many paths (names in DNS, tables in SQL) there are to choose from; at least one.
    pub paths: u32,
    /// How many user agents there are to choose from: the well-known ones first, then a tail of versions and devices, of
    /// which there are some seven hundred.
    pub agents: u32,
}

impl Spec {
    /// How many records are made where no limit is given.
    pub const DEFAULT_RECORDS: u64 = 10_000;

    /// The defaults: seed 1, Monday 5 January 2026 at midnight UTC, no bursts, 200,000 clients, 50,000 paths.
    pub fn new(format: &'static Format) -> Self {
        Self {
            format,
            records: None,
            size: None,
            seed: 1,
            start: 1_767_571_200 * SECOND,
            span: None,
            bursts: 0,
            clients: 200_000,
            paths: 50_000,
            agents: 700,
        }
    }

    /// The limits in records and bytes.
    fn limits(&self) -> (u64, u64) {
        let records = match (self.records, self.size) {
            (None, None) => Self::DEFAULT_RECORDS,
            (records, _) => records.unwrap_or(u64::MAX),
        };
        (records, self.size.unwrap_or(u64::MAX))
    }
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Records written. One may have several lines.
    pub records: u64,
    /// Bytes written.
    pub bytes: u64,
    /// The lowest stamp: microseconds since 1970 UTC, finer than most formats print. The start of the log if it is empty.
    pub first: i64,
    /// The highest stamp.
    pub last: i64,
    /// The bursts in order of time.
    pub bursts: Vec<Burst>,
}

/// A period in which something was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burst {
    /// The first instant: microseconds since 1970 UTC.
    pub start: i64,
    /// The instant after the last. Records that are stamped with their start (Apache, HAProxy) may be stamped earlier
    /// than `start` by as long as they took.
    pub end: i64,
    /// What went wrong, as a short label: `upstream_refused`.
    pub kind: &'static str,
    /// What it happened to: the upstream, the relay, the zone.
    pub subject: String,
    /// How many records of the log tell of it.
    pub records: u64,
}

/// Makes the log with so many threads (none counts as one) and writes it. Fails only where `out` does.
pub fn write(spec: &Spec, threads: usize, out: &mut dyn Write) -> io::Result<Summary> {
    let source = (spec.format.make)(spec);
    let units = foresee(spec, &*source);
    let span = spec.span.unwrap_or_else(|| usual_span(spec.format, units)).max(1);
    let windows = clock::place(spec.start, span, spec.bursts, &mut Dice::new(spec.seed, u64::MAX));
    let clock = Clock::new(spec.start, span, units as f64, &windows, spec.format.lift);
    let job = Job { source: &*source, clock: &clock, seed: spec.seed, units };
    let (records, size) = spec.limits();
    let mut tally = Tally::new(records, size, windows.len());
    run::run(&job, threads, &mut tally, out)?;
    Ok(sum_up(spec, &*source, &windows, tally))
}

/// About how many units the log will have, after the measure of a trial chunk.
fn foresee(spec: &Spec, source: &dyn Source) -> u64 {
    let units = u64::from(source.units());
    let span = usual_span(spec.format, units);
    let clock = Clock::new(spec.start, span, units as f64, &[], 1.0);
    let mut sheet = Sheet::default();
    Job { source, clock: &clock, seed: spec.seed, units }.make(0, &mut sheet);
    let (records, bytes) = sheet.amount();
    let share = |limit: u64, amount: usize| limit as f64 / amount.max(1) as f64;
    let (record_limit, byte_limit) = spec.limits();
    let chunks = share(record_limit, records).min(share(byte_limit, bytes));
    ((chunks * units as f64).round() as u64).max(1)
}

fn usual_span(format: &Format, units: u64) -> i64 {
    (units as f64 / format.rate * SECOND as f64) as i64
}

fn sum_up(spec: &Spec, source: &dyn Source, windows: &[Window], tally: Tally) -> Summary {
    let (first, last) = tally.range.unwrap_or((spec.start, spec.start));
    let bursts = windows.iter().zip(tally.errors).enumerate().map(|(nth, (window, records))| {
        let run::Fault { kind, subject } = source.fault(nth);
        Burst { start: window.start, end: window.end, kind, subject, records }
    });
    Summary { records: tally.records, bytes: tally.bytes, first, last, bursts: bursts.collect() }
}
