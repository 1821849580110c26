//! Documents for the tests of the renderers: one with a cell of every kind, and hostile ones.

use crate::document::{
    Body, Cell, Column, Document, Fact, Level, Note, Role, Section, Series, Table,
};

/// 2026-11-23 00:00:00 UTC.
pub(super) const MIDNIGHT: i64 = 1_795_392_000_000_000;

/// Every shape of section and every kind of cell.
pub(super) fn document() -> Document {
    let mut sections = vec![
        facts(),
        clients(),
        errors(),
        Section::series("requests_over_time", "Requests over time", series(96)),
    ];
    for section in &mut sections[1..3] {
        section.group = "web".into();
    }
    Document {
        mode: "report",
        title: "nginx · access.log and 3 more · 2026-11-22 to 2026-11-23".into(),
        sections,
        notes: vec![
            Note::info(
                "'access.log' was taken for the combined format of Nginx; --format says otherwise",
            ),
            Note::warning(
                "12 of 48,213 lines were rejected; the first is line 118 of 'access.log.1'",
            ),
        ],
    }
}

fn facts() -> Section {
    let facts = vec![
        Fact::new("requests", Cell::Count(48_213)),
        Fact::new("first", Cell::Instant(MIDNIGHT + 250)),
        Fact::new("bytes_sent", Cell::Bytes(1_300_000_000)),
        Fact::new("exit_code", Cell::Number(-9)),
        Fact::new("mean_tries", Cell::Real(1.25)),
        Fact::new("throughput", Cell::ByteRate(15_046.3)),
        Fact::new("request_rate", Cell::Rate(0.558)),
        Fact::new("slowest", Cell::Duration(125_000_000)),
        Fact::new("rejected", Cell::Share(0.000_2)),
        Fact::new("verdict", Cell::Level(Level::Warning)),
        Fact::new(
            "addresses",
            Cell::List(vec![Cell::text("192.0.2.1"), Cell::text("2001:db8::1")]),
        ),
        Fact::new("user", Cell::Empty),
    ];
    Section::facts("summary", "Summary", facts)
}

fn clients() -> Section {
    let row = |client: &str, requests: u64, bytes, micros, level| {
        vec![
            Cell::text(client),
            Cell::Count(requests),
            Cell::share(requests, 48_213),
            Cell::Bytes(bytes),
            Cell::Duration(micros),
            Cell::Instant(MIDNIGHT + 33_601_000_000),
            Cell::Level(level),
        ]
    };
    let columns = vec![
        Column::new("client", Role::Key),
        Column::new("requests", Role::Main),
        Column::new("share", Role::Value),
        Column::new("bytes", Role::Value),
        Column::new("p99_duration", Role::Value).labelled("p99"),
        Column::new("last_seen", Role::Value),
        Column::new("level", Role::Value),
    ];
    let rows = vec![
        row("203.0.113.7", 12_034, 120_000_000, 850, Level::Ok),
        row("2001:db8:85a3::8a2e:370:7334", 8_001, 9_000, 12_345, Level::Warning),
        row("198.51.100.23", 7, 0, 1_200_000, Level::Critical),
    ];
    let mut section =
        Section::table("clients", "Clients", Table { columns, rows, total_rows: 1_237 });
    section.notes.push(Note::info("addresses behind a proxy are the proxy's"));
    section
}

fn errors() -> Section {
    let columns = vec![
        Column::new("count", Role::Main),
        Column::new("kind", Role::Key),
        Column::new("example", Role::Detail),
    ];
    let example = "connect() failed (111: Connection refused) while connecting to upstream, client: 203.0.113.7, server: example.org, request: \"GET /api/cart HTTP/1.1\"";
    let rows = vec![
        vec![Cell::Count(311), Cell::text("upstream_refused"), Cell::text(example)],
        vec![Cell::Count(4), Cell::text(b"caf\xe9\x1b[31m"), Cell::Empty],
    ];
    Section::table("errors", "Errors by kind", Table { columns, rows, total_rows: 2 })
}

/// So many steps of five minutes, with a burst in the middle.
pub(super) fn series(steps: u64) -> Series {
    let point = |step: u64| {
        let burst = if step == steps / 2 { 900 } else { 0 };
        let night = if step * 10 / steps < 2 { 0 } else { 100 + step * 37 % 83 };
        vec![
            Cell::Count(night + burst),
            Cell::Share(burst as f64 / 1_000.0),
            Cell::Duration(12_000 + step as i64 * 10),
        ]
    };
    let columns = vec![
        Column::new("requests", Role::Main),
        Column::new("errors", Role::Value),
        Column::new("p99_duration", Role::Value).labelled("p99"),
    ];
    Series { start: MIDNIGHT, step: 300_000_000, columns, points: (0..steps).map(point).collect() }
}

/// Bytes that attack terminals, wherever text may stand.
pub(super) fn hostile() -> Document {
    with_text(b"\x1b]0;owned\x07\x1b[2J\xc2\x9b31m\r\n\t\"<script>alert(1)</script>,'=cmd()\xe2\x80\xaetxt.exe\xff\x00 ")
}

/// That text wherever text may stand.
pub(super) fn with_text(text: &[u8]) -> Document {
    let words = String::from_utf8_lossy(text).into_owned();
    let columns = vec![
        Column::new("key", Role::Key),
        Column::new("count", Role::Main).labelled(words.clone()),
        Column::new("example", Role::Detail),
    ];
    let list =
        Cell::List(vec![Cell::text(text), Cell::List(vec![Cell::text(text), Cell::Count(1)])]);
    let row = |count| vec![Cell::text(text), Cell::Count(count), list.clone()];
    let table = Table { columns, rows: vec![row(2), row(1)], total_rows: 2 };
    let mut sections = vec![
        Section::table("table", words.clone(), table),
        Section::facts(
            "facts",
            words.clone(),
            vec![Fact::new("fact", Cell::text(text)), Fact::new("list", list)],
        ),
        Section::series("series", words.clone(), series(3)),
    ];
    for section in &mut sections {
        section.group = words.clone();
        section.notes = vec![Note::problem(words.clone())];
        if let Body::Series(series) = &mut section.body {
            series.columns[0].label = words.clone();
        }
    }
    Document { mode: "report", title: words.clone(), sections, notes: vec![Note::warning(words)] }
}
